#!/usr/bin/env python3
"""Turn the laboratory recording into labelled flow records.

    python3 lab_flows.py lab.pcap.gz > lab.csv
    python3 lab_flows.py lab.pcap.gz --check      compare with tshark's fields

The extractor is flows.py; this file only knows who attacked whom. A label is
decided by construction: the address of a client, the address and port of the
server and, for the one client that is also harmless, a window of time. No
packet is looked into. Cut at 60 s idle and 120 s active time.
"""

import collections
import csv
import io
import ipaddress
import sys

import flows

IDLE = 60_000_000  # microseconds
ACTIVE = 120_000_000

SERVER, KEYS_ONLY, SMALL, NAMES = "10.20.0.10", "10.20.0.11", "10.20.0.12", "10.20.0.53"
OUT_WEB, OUT_SHOP, OUT_NAMES, OUT_SHELL = "198.51.100.80", "203.0.113.80", "203.0.113.53", "198.51.100.22"
DESKS = ("10.20.1.11", "10.20.1.12", "10.20.1.13", "10.20.1.14")
VISITORS = ("192.0.2.21", "192.0.2.22", "203.0.113.31", "198.51.100.31")
SWEPT_FROM = DESKS[3]

# client, server, server port (None: any), label
ATTACKS = (
    ("192.0.2.66", KEYS_ONLY, 22, "SSH-Bruteforce"),
    ("203.0.113.66", SERVER, 22, "SSH-Bruteforce"),
    ("203.0.113.67", SERVER, 22, "SSH-Bruteforce"),
    ("198.51.100.66", SERVER, 21, "FTP-BruteForce"),
    ("198.51.100.67", KEYS_ONLY, 21, "FTP-BruteForce"),
    ("203.0.113.70", SMALL, 80, "DoS_attacks-Slowloris"),
    ("198.51.100.70", SMALL, 80, "DoS_attacks-Slowloris"),
    ("192.0.2.71", SERVER, 80, "DoS_attacks-Hulk"),
    ("192.0.2.72", KEYS_ONLY, 80, "DoS_attacks-GoldenEye"),
    ("198.51.100.73", SERVER, 80, "Brute_Force_-Web"),
    (SWEPT_FROM, SERVER, None, "Infilteration"),
    (SWEPT_FROM, KEYS_ONLY, None, "Infilteration"),
)
# Seconds after the first packet in which SWEPT_FROM speaks to the two servers
# only to try ports. Outside them it is an ordinary desk.
SWEEP = (232, 275)


def label(flow, first):
    """The label of a flow, by its two ends whichever sent the first packet."""
    ends = [(str(ipaddress.ip_address(flow.source)), flow.sport),
            (str(ipaddress.ip_address(flow.destination)), flow.dport)]
    seconds = (flow.start - first) / 1e6
    for client, server, port, name in ATTACKS:
        for (one, _), (other, served) in (ends, ends[::-1]):
            if one != client or other != server or port not in (None, served) or flow.protocol != flows.TCP:
                continue
            if client != SWEPT_FROM or SWEEP[0] <= seconds < SWEEP[1]:
                return name
    return "Benign"


def table(path):
    """The CSV text of a recording and its rows by label."""
    found, _ = flows.flows(flows.contents(path), IDLE, ACTIVE)
    first = min(flow.start for flow in found)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(flows.COLUMNS)
    counts = collections.Counter()
    for flow in found:
        name = label(flow, first)
        counts[name] += 1
        writer.writerow(flow.row(name))
    return out.getvalue(), counts


def check(path):
    """Packets, IP bytes, flags and windows of the table, joined per directed
    address and port pair, against the same sums over tshark's fields."""
    import compare
    mine = collections.defaultdict(lambda: [0, 0, 0, 0])
    for row in csv.DictReader(io.StringIO(table(path)[0])):
        source = row["IPV4_SRC_ADDR"], int(row["L4_SRC_PORT"])
        target = row["IPV4_DST_ADDR"], int(row["L4_DST_PORT"])
        for key, way, side in ((source + target, "IN", "CLIENT"), (target + source, "OUT", "SERVER")):
            if row[way + "_PKTS"] != "0":
                compare.add(mine, key, *(int(row[name]) for name in (
                    way + "_PKTS", way + "_BYTES", side + "_TCP_FLAGS", "TCP_WIN_MAX_" + way)))
    theirs = compare.tshark(path)
    keys = sorted(set(mine) | set(theirs))
    differ = [key for key in keys if mine.get(key) != theirs.get(key)]
    for key in differ:
        print(key, mine.get(key), theirs.get(key))
    print("%d directed pairs, %d equal; %d packets, %d IP bytes" % (
        len(keys), len(keys) - len(differ), sum(v[0] for v in theirs.values()), sum(v[1] for v in theirs.values())))
    return 1 if differ or not keys else 0


def main():
    if "--check" in sys.argv[2:]:
        return check(sys.argv[1])
    text, counts = table(sys.argv[1])
    sys.stdout.write(text)
    for name, count in sorted(counts.items()):
        print(count, name, sep="\t", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
