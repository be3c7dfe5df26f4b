#!/usr/bin/env python3
"""Compare flows.py with tshark and with Zeek's own results.

    python3 compare.py FOLDER

For every capture of captures.tsv: packets, IP bytes, OR of TCP flags and the
largest window of each directed address and port pair, flows joined over
timeouts, against the same sums over tshark's fields. For every capture that
has Zeek's conn.log beside it (NAME.*.conn.log): packets and IP bytes of each
connection that occurs once. Prints counts and every difference; exit status 1
if tshark differs.
"""

import collections
import csv
import glob
import ipaddress
import os
import subprocess
import sys

import flows

FIELDS = (
    "frame.protocols ip.src ip.dst ip.len ip.frag_offset ipv6.src ipv6.dst ipv6.plen "
    "tcp.srcport tcp.dstport udp.srcport udp.dstport sctp.srcport sctp.dstport "
    "tcp.flags tcp.window_size_value"
).split()


def add(sums, key, count, size, flags, window):
    entry = sums[key]
    entry[0] += count
    entry[1] += size
    entry[2] |= flags
    entry[3] = max(entry[3], window)


def ours(path):
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for flow in flows.flows(flows.contents(path))[0]:
        source, destination = (str(ipaddress.ip_address(a)) for a in (flow.source, flow.destination))
        keys = [(source, flow.sport, destination, flow.dport), (destination, flow.dport, source, flow.sport)]
        for way, key in enumerate(keys):
            if flow.count[way]:
                add(sums, key, flow.count[way], flow.bytes[way], flow.flags[way], flow.window[way])
    return sums


def tshark(path):
    command = ["tshark", "-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-r", path,
               "-T", "fields", "-E", "occurrence=f", "-E", "separator=|"]
    for field in FIELDS:
        command += ["-e", field]
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():
        row = dict(zip(FIELDS, line.split("|")))
        layers = row["frame.protocols"].split(":")
        at = [layers.index(name) if name in layers else 99 for name in ("ip", "ipv6")]
        if min(at) == 99 or (at[0] < at[1] and row["ip.frag_offset"] != "0"):
            continue
        if at[0] < at[1]:
            source, destination, size = row["ip.src"], row["ip.dst"], int(row["ip.len"])
        else:
            source, destination, size = row["ipv6.src"], row["ipv6.dst"], int(row["ipv6.plen"]) + 40
        quoted = "icmp" in layers or "icmpv6" in layers  # ports there belong to the quoted packet
        ports, flags, window = (0, 0), 0, 0
        for kind in () if quoted else ("tcp", "udp", "sctp"):
            if row[kind + ".srcport"]:
                ports = int(row[kind + ".srcport"]), int(row[kind + ".dstport"])
                break
        if row["tcp.flags"] and not quoted:
            flags, window = int(row["tcp.flags"], 16) & 255, int(row["tcp.window_size_value"])
        add(sums, (source, ports[0], destination, ports[1]), 1, size, flags, window)
    return sums


def zeek(path):
    names, sums, times = [], {}, collections.Counter()
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = line.rstrip("\n").split("\t")
            if cells[0] == "#fields":
                names = cells[1:]
            if line.startswith("#"):
                continue
            row = dict(zip(names, cells))
            if row.get("orig_ip_bytes", "-") == "-" or row["proto"] not in ("tcp", "udp"):
                continue
            ends = [(row["id.%s_h" % e], int(row["id.%s_p" % e])) for e in ("orig", "resp")]
            for way, end in enumerate(("orig", "resp")):
                key = ends[way] + ends[1 - way]
                times[key] += 1
                sums[key] = [int(row[end + "_pkts"]), int(row[end + "_ip_bytes"])]
    return {key: value for key, value in sums.items() if times[key] == 1}


def main():
    folder = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "captures.tsv"), encoding="utf-8", newline="") as file:
        captures = [row["file"] for row in csv.DictReader(file, delimiter="\t")]
    counts = collections.Counter()
    for name in captures:
        path = os.path.join(folder, name)
        mine, theirs = ours(path), tshark(path)
        for key in sorted(set(mine) | set(theirs)):
            same = mine.get(key) == theirs.get(key)
            counts["tshark equal" if same else "tshark differ"] += 1
            if not same:
                print("tshark", name, key, mine.get(key), theirs.get(key))
        for log in sorted(glob.glob(glob.escape(path) + ".*conn.log")):
            counts["zeek logs"] += 1
            for key, value in sorted(zeek(log).items()):
                same = mine.get(key, [0, 0])[:2] == value
                counts["zeek equal" if same else "zeek differ"] += 1
                if not same:
                    print("zeek", os.path.basename(log), key, mine.get(key, [0, 0])[:2], value)
    print(len(captures), "captures", dict(sorted(counts.items())))
    return 1 if counts["tshark differ"] or not counts["tshark equal"] else 0


if __name__ == "__main__":
    sys.exit(main())
