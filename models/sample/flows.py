#!/usr/bin/env python3
"""Turn labelled captures into bidirectional flow records with NF-v3 columns.

    python3 flows.py FOLDER > flows.csv
    python3 flows.py FOLDER --counts        one line per capture: flows found, rows
                                            written, packets, IP bytes, frames left out

FOLDER holds the captures under the names in the first column of captures.tsv,
which lies beside this script and also gives each one's sha256, origin, licence
and label. Only the Python standard library is used, so that the same captures
give the same bytes with any Python from 3.8 on.

Definitions (NetFlow v3 data sets, as written by nProbe, where they say):
- A flow is one (protocol, address, port, address, port); the sender of its
  first packet is the source. Packets are taken in time order, ties in file
  order. A gap above IDLE or an age of ACTIVE or more starts a new flow.
- Bytes and packet lengths are those of the IP packet with its header, taken
  from the header, so that padding and snapping do not change them.
- Times are milliseconds since 1970, rounded down; the duration is the
  difference of the two; gaps are whole milliseconds, rounded down.
- MIN_TTL and MAX_TTL (IPv6: hop limit) are those of the source's packets;
  windows are the raw header field, unscaled; ports are 0 except for TCP, UDP
  and SCTP; flags are the OR of the header's low eight bits.
- Packets that are not IP, and fragments after the first (they carry no ports),
  are left out; --counts says how many. Tunnels are not entered.
"""

import csv
import gzip
import hashlib
import io
import ipaddress
import os
import struct
import sys
import zipfile

IDLE = 15_000_000  # microseconds
ACTIVE = 120_000_000

COLUMNS = (
    "FLOW_START_MILLISECONDS FLOW_END_MILLISECONDS IPV4_SRC_ADDR IPV4_DST_ADDR "
    "L4_SRC_PORT L4_DST_PORT PROTOCOL FLOW_DURATION_MILLISECONDS "
    "SRC_TO_DST_IAT_MAX DST_TO_SRC_IAT_MAX IN_BYTES OUT_BYTES IN_PKTS OUT_PKTS "
    "TCP_FLAGS CLIENT_TCP_FLAGS SERVER_TCP_FLAGS MIN_TTL MAX_TTL "
    "LONGEST_FLOW_PKT SHORTEST_FLOW_PKT TCP_WIN_MAX_IN TCP_WIN_MAX_OUT Label Attack"
).split()

TCP, UDP, SCTP = 6, 17, 132
PORTS = (TCP, UDP, SCTP)


# --- containers: bytes to (microseconds, link type, frame) ------------------

def packets(data):
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return pcapng(data)
    return pcap(data)


def pcap(data):
    orders = {
        b"\xd4\xc3\xb2\xa1": ("<", 1), b"\xa1\xb2\xc3\xd4": (">", 1),
        b"\x4d\x3c\xb2\xa1": ("<", 1000), b"\xa1\xb2\x3c\x4d": (">", 1000),
    }
    order, per_micro = orders[data[:4]]
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        sec, frac, caplen, _ = struct.unpack_from(order + "IIII", data, at)
        yield sec * 1_000_000 + frac // per_micro, link, data[at + 16:at + 16 + caplen]
        at += 16 + caplen


def pcapng(data):
    at, order, interfaces = 0, "<", []
    while at + 12 <= len(data):
        kind = struct.unpack_from(order + "I", data, at)[0]
        if kind == 0x0A0D0D0A:
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        length = struct.unpack_from(order + "I", data, at + 4)[0]
        body = data[at + 8:at + length - 4]
        if kind == 1:
            interfaces.append((struct.unpack_from(order + "H", body)[0], resolution(body[8:], order)))
        elif kind == 6:
            iface, high, low, caplen = struct.unpack_from(order + "IIII", body)
            link, ticks = interfaces[iface]
            yield ((high << 32) | low) * 1_000_000 // ticks, link, body[20:20 + caplen]
        at += length


def resolution(options, order):
    """Ticks a second of an interface: option 9, if_tsresol, or a million."""
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from(order + "HH", options, at)
        if code == 9:
            value = options[at + 4]
            return 2 ** (value & 0x7F) if value & 0x80 else 10 ** value
        at += 4 + (length + 3) // 4 * 4
    return 1_000_000


# --- frame to IP packet to what a flow needs --------------------------------

def network(link, frame):
    """The IP packet in a frame, or None when it carries something else."""
    if link == 0:  # BSD loopback: host-order family, then the packet
        return ip_or_none(frame[4:])
    if link in (12, 101, 228, 229):
        return ip_or_none(frame)
    if link == 113:  # Linux cooked
        kind, rest = frame[14:16], frame[16:]
    elif link == 1:
        kind, rest = frame[12:14], frame[14:]
    else:
        raise ValueError("link type %d" % link)
    while kind in (b"\x81\x00", b"\x88\xa8", b"\x91\x00"):
        kind, rest = rest[2:4], rest[4:]
    if kind in (b"\x88\x47", b"\x88\x48"):
        bottom = False
        while not bottom and len(rest) >= 4:
            bottom, rest = rest[2] & 1, rest[4:]
        return ip_or_none(rest)
    if kind == b"\x88\x64" and rest[6:8] in (b"\x00\x21", b"\x00\x57"):  # PPPoE session
        return ip_or_none(rest[8:])
    return ip_or_none(rest) if kind in (b"\x08\x00", b"\x86\xdd") else None


def ip_or_none(packet):
    return packet if packet and packet[0] >> 4 in (4, 6) else None


def decode(packet):
    """(protocol, source, destination, source port, destination port, length,
    ttl, flags, window), or None for a fragment after the first."""
    if packet[0] >> 4 == 4:
        header = (packet[0] & 15) * 4
        length, _, fragment = struct.unpack_from(">HHH", packet, 2)
        ttl, protocol = packet[8], packet[9]
        source, destination = packet[12:16], packet[16:20]
        later = fragment & 0x1FFF != 0
        rest = packet[header:]
    else:
        length = struct.unpack_from(">H", packet, 4)[0] + 40
        protocol, ttl = packet[6], packet[7]
        source, destination = packet[8:24], packet[24:40]
        rest, later = packet[40:], False
        while protocol in (0, 43, 44, 60) and len(rest) >= 8 and not later:
            size = 8 if protocol == 44 else (rest[1] + 1) * 8
            later = protocol == 44 and struct.unpack_from(">H", rest, 2)[0] & 0xFFF8 != 0
            protocol, rest = rest[0], rest[size:]
    if later:
        return None
    sport = dport = flags = window = 0
    if protocol in PORTS and len(rest) >= 4:
        sport, dport = struct.unpack_from(">HH", rest)
    if protocol == TCP and len(rest) >= 16:
        flags, window = rest[13], struct.unpack_from(">H", rest, 14)[0]
    return protocol, source, destination, sport, dport, length, ttl, flags, window


# --- packets to flows --------------------------------------------------------

class Flow:
    def __init__(self, time, packet):
        self.protocol, self.source, self.destination, self.sport, self.dport = packet[:5]
        self.start = self.end = time
        self.last = [None, None]
        self.gap = [0, 0]
        self.bytes, self.count = [0, 0], [0, 0]
        self.flags, self.window = [0, 0], [0, 0]
        self.ttls, self.lengths = [], []

    def add(self, time, packet):
        length, ttl, flags, window = packet[5:]
        back = int((packet[1], packet[3]) != (self.source, self.sport))
        if self.last[back] is not None:
            self.gap[back] = max(self.gap[back], (time - self.last[back]) // 1000)
        self.last[back] = self.end = time
        self.bytes[back] += length
        self.count[back] += 1
        self.flags[back] |= flags
        self.window[back] = max(self.window[back], window)
        if not back:
            self.ttls.append(ttl)
        self.lengths.append(length)

    def row(self, attack):
        start, end = self.start // 1000, self.end // 1000
        return [
            start, end, ipaddress.ip_address(self.source), ipaddress.ip_address(self.destination),
            self.sport, self.dport, self.protocol, end - start, self.gap[0], self.gap[1],
            self.bytes[0], self.bytes[1], self.count[0], self.count[1],
            self.flags[0] | self.flags[1], self.flags[0], self.flags[1],
            min(self.ttls), max(self.ttls), max(self.lengths), min(self.lengths),
            self.window[0], self.window[1], int(attack != "Benign"), attack,
        ]


def flows(data, idle=IDLE, active=ACTIVE):
    """The flows of a capture by start, and how many frames gave none."""
    timed, skipped = [], 0
    for time, link, frame in packets(data):
        packet = network(link, frame)
        decoded = decode(packet) if packet else None
        if decoded is None:
            skipped += 1
            continue
        timed.append((time, decoded))
    timed.sort(key=lambda item: item[0])
    found, live = [], {}
    for time, packet in timed:
        ends = sorted([(packet[1], packet[3]), (packet[2], packet[4])])
        key = (packet[0], ends[0], ends[1])
        flow = live.get(key)
        if flow is None or time - flow.end > idle or time - flow.start >= active:
            flow = live[key] = Flow(time, packet)
            found.append(flow)
        flow.add(time, packet)
    return found, skipped


def contents(path):
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0])
    if path.endswith(".gz"):
        with gzip.open(path) as file:
            return file.read()
    with open(path, "rb") as file:
        return file.read()


def main():
    folder, counts = sys.argv[1], "--counts" in sys.argv[2:]
    table = os.path.join(os.path.dirname(os.path.abspath(__file__)), "captures.tsv")
    with open(table, encoding="utf-8", newline="") as file:
        captures = sorted(csv.DictReader(file, delimiter="\t"), key=lambda c: c["file"])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for capture in captures:
        path = os.path.join(folder, capture["file"])
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        if digest != capture["sha256"]:
            sys.exit("%s: sha256 is %s, captures.tsv says %s" % (path, digest, capture["sha256"]))
        found, skipped = flows(contents(path))
        kept = [f for f in found if str(f.sport) not in capture["drop_source_port"].split(",")]
        if counts:
            print(capture["file"], len(found), len(kept), sum(sum(f.count) for f in found),
                  sum(sum(f.bytes) for f in found), skipped, sep="\t")
        for flow in kept:
            writer.writerow(flow.row(capture["label"]))
    if not counts:
        sys.stdout.write(out.getvalue())


if __name__ == "__main__":
    main()
