"""Writes what other people's tools make of captures, in one form.

Python 3.11.2, TShark 4.0.17, 2026-11-22:

    python3 oracle.py OUT FOLDER...

FOLDER is oracle-zeek, oracle-arkime, oracle-ipfixprobe, oracle-icsnpp or oracle-ndpi: captures with the results of Zeek
(conn.log of its test suite), Arkime (sessions of its test suite), ipfixprobe (CSV of its test suite) or nDPI (text of
its test suite) beside them. OUT/oracle.zip gets the captures, OUT/oracle.tsv a line for each flow of each tool: tool,
capture, protocol, source, port, destination, port, then name=value. TShark, nfdump 1.7.1 and Argus 3.0.8.2 are run here:
fields of single packets and of records are added up for each pair of ends. Captures with tunnels or fragments are left
out of their part, which has a line "skip" of TShark with the reason for each. Values of one pair of ends are added up: tools cut flows at different times.
"""
import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

PROTO = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58, "ipv6-icmp": 58, "sctp": 132, "igmp": 2, "pim": 103, "ospf": 89, "esp": 50, "ah": 51, "gre": 47, "vrrp": 112}
BINS = (128, 256, 512, 1024, 1514)
FIELDS = """frame.time_epoch ip.src ip.dst ipv6.src ipv6.dst ip.proto ipv6.nxt ip.len ipv6.plen ip.ttl ipv6.hlim ip.flags.mf ip.frag_offset
ipv6.fraghdr.nxt tcp.srcport tcp.dstport udp.srcport udp.dstport sctp.srcport sctp.dstport tcp.flags tcp.window_size_value icmp.type icmp.code
icmpv6.type icmpv6.code dns.id dns.qry.type dns.qry.name dns.flags.response dns.flags.rcode dns.flags.opcode dns.count.answers dns.resp.type dns.resp.ttl
ftp.response.code tls.handshake.type tls.handshake.extensions_server_name tls.handshake.extensions_alpn_str tls.handshake.ja3
http.request.method http.host http.request.uri http.user_agent ssh.protocol communityid frame.protocols""".split()
out = []


def line(tool, capture, proto, src, sport, dst, dport, values):
    out.append("\t".join([tool, capture, str(proto), src, str(sport), dst, str(dport)] + ["%s=%s" % kv for kv in values.items() if kv[1] not in (None, "")]))


def number(protocol):
    """The number of a protocol by the names that tools print."""
    if protocol.isdigit():
        return int(protocol) if int(protocol) < 256 else None  # Argus has EtherTypes too
    return PROTO.get(protocol.lower())


def clean(text):
    """As the reader writes a text: cut to 255 bytes, what is not printable as \\x and two digits."""
    return "".join(chr(c) if 32 <= c <= 126 else "\\x%02x" % c for c in text.encode("utf-8", "surrogateescape")[:255])


def add(table, key, values):
    """Adds up the values of one pair of ends."""
    reverse = (key[0], key[3], key[4], key[1], key[2])
    if reverse in table and key not in table:
        swap = {"in": "out", "out": "in"}
        values = {(swap[k.split("_")[0]] + "_" + k.split("_")[1]) if k.split("_")[0] in swap else k: v for k, v in values.items()}
        key = reverse
    have = table.setdefault(key, {})
    for k, v in values.items():
        if isinstance(v, str):
            have[k] = v if have.get(k, v) == v else ""  # several: none
        elif k.endswith("_flags"):
            have[k] = have.get(k, 0) | v
        elif k == "start":
            have[k] = min(have.get(k, v), v)
        elif k == "end":
            have[k] = max(have.get(k, v), v)
        else:
            have[k] = have.get(k, 0) + v


def emit(tool, capture, table):
    for key, values in table.items():
        line(tool, capture, *key, values)


def zeek(folder, name):
    logs = sorted(f for f in os.listdir(folder) if f.startswith(name + ".") and f.endswith("conn.log") or f == name.rsplit(".", 1)[0] + ".conn.log")
    if not logs:
        return
    table, fields = {}, None
    parents = {u for row in open(os.path.join(folder, logs[0])) if not row.startswith("#") for cell in row.rstrip("\n").split("\t")[-3:] for u in cell.split(",")}
    for row in open(os.path.join(folder, logs[0])):
        row = row.rstrip("\n").split("\t")
        if row[0] == "#fields":
            fields = row[1:]
        if row[0].startswith("#") or not fields:
            continue
        r = dict(zip(fields, row))
        proto = PROTO.get(r["proto"])
        if proto is None or r["uid"] in parents:  # what carries others is a flow of its own there, and context here
            continue
        if proto == 1 and ":" in r["id.orig_h"]:
            proto = 58
        sport, dport = (0, 0) if proto in (1, 58) else (int(r["id.orig_p"]), int(r["id.resp_p"]))
        add(table, (proto, r["id.orig_h"], sport, r["id.resp_h"], dport),
            {"in_pkts": int(r["orig_pkts"]), "out_pkts": int(r["resp_pkts"]), "in_bytes": int(r["orig_ip_bytes"]), "out_bytes": int(r["resp_ip_bytes"])})
    emit("zeek", name, table)


def arkime(folder, name):
    path = os.path.join(folder, name.rsplit(".", 1)[0] + ".test.json")
    if not os.path.exists(path):
        return
    table = {}
    for s in json.load(open(path))["sessions3"]:
        b = s["body"]
        if "ip" not in b["source"] or "ipProtocol" not in b:
            continue
        proto, ports = b["ipProtocol"], b["ipProtocol"] in (6, 17, 132)
        one = lambda v: clean(v[0]) if v else None
        http, tls, ssh = b.get("http", {}), b.get("tls", {}), b.get("ssh", {})
        # A tunnel is one session with what is inside it there.
        values = {"in_pkts": b["source"]["packets"], "out_pkts": b["destination"]["packets"], "start": b["firstPacket"], "end": b["lastPacket"]}
        for k, v in {"community": b["network"].get("community_id"), "ja3": one(tls.get("ja3")) if len(tls.get("ja3", [])) == 1 else None,
                     "ja4": one(tls.get("ja4")) if len(tls.get("ja4", [])) == 1 else None}.items():
            if v:
                values[k] = v
        add(table, (proto, b["source"]["ip"], b["source"].get("port", 0) if ports else 0, b["destination"]["ip"], b["destination"].get("port", 0) if ports else 0), values)
    emit("arkime", name, table)


# Where the exports have packets, ports and protocol.
LAYOUT = {"basic": (9, 12, 11, 14), "vlan": (9, 12, 11, 15), "tls": (9, 12, 11, 15), "basicplus": (11, 16, 15, 25)}


def ipfixprobe(folder, name):
    for kind, (packets, source, target, proto) in LAYOUT.items():
        path = os.path.join(folder, "%s.%s.expected.csv" % (name.rsplit(".", 1)[0], kind))
        if not os.path.exists(path):
            continue
        table = {}
        for r in csv.reader(open(path)):
            if len(r) <= proto or not r[packets].isdigit():  # a head
                continue
            values = {"in_pkts": int(r[packets]), "out_pkts": int(r[packets + 1]), "in_bytes": int(r[2]), "out_bytes": int(r[3])}
            if kind == "tls":  # ends a flow at the hello: its counts are of a part
                values = {"ja3": r[19], "ja4": r[20], "sni": r[21]}
            add(table, (int(r[proto]), r[1], int(r[source]), r[0], int(r[target])), values)
        emit("ipfixprobe", name, table)


def ndpi(folder, name):
    path = os.path.join(folder, name + ".out")
    if not os.path.exists(path):
        return
    table = {}
    pattern = re.compile(r"^\s+\d+\s+(TCP|UDP|ICMP|ICMPV6|SCTP) (\S+) <?-> (\S+) .*?\[(\d+) pkts/\d+ bytes <?-> (\d+) pkts/\d+ bytes\]")
    for row in open(path, errors="replace"):
        m = pattern.match(row)
        if not m:
            continue
        proto = {"TCP": 6, "UDP": 17, "ICMP": 1, "ICMPV6": 58, "SCTP": 132}[m[1]]
        end = lambda t: (t.rsplit(":", 1)[0].strip("[]"), int(t.rsplit(":", 1)[1]))
        a, b = end(m[2]), end(m[3])
        values = {"in_pkts": int(m[4]), "out_pkts": int(m[5])}
        for k, p in {"ja4": r"\[JA4: ([^\]]+)\]"}.items():
            if v := re.search(p, row):
                values[k] = v[1]
        if proto in (1, 58):
            a, b = (a[0], 0), (b[0], 0)
        add(table, (proto, *a, *b), values)
    emit("ndpi", name, table)


def nfdump(path, name):
    """Records of nfpcapd are one-way and end by its own timeouts: all of a pair of ends are added up."""
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(["nfpcapd", "-r", path, "-w", folder, "-e", "1800,120"], capture_output=True)
        rows = subprocess.run(["nfdump", "-R", folder, "-6", "-q", "-N", "-o", "fmt:%pr,%sa,%sp,%da,%dp,%pkt,%byt,%flg,%tsr,%td"], capture_output=True, text=True).stdout
    if run.returncode:
        return
    for row in rows.splitlines():
        c = [x.strip() for x in row.split(",")]
        if len(c) != 10 or not c[5].isdigit():
            continue
        proto = number(c[0])
        if proto is None:
            continue
        ports = (int(c[2] or 0), int(c[4] or 0)) if proto in (6, 17, 132) else (0, 0)
        start = round(float(c[8]) * 1000)
        values = {"in_pkts": int(c[5]), "in_bytes": int(c[6]), "out_pkts": 0, "out_bytes": 0, "start": start, "end": start + round(float(c[9]) * 1000)}
        if proto == 6:
            values["in_flags"] = sum(1 << "FSRPAUEC".index(x) for x in c[7] if x in "FSRPAUEC")
            values["out_flags"] = 0
        add(table, (proto, c[1], ports[0], c[3], ports[1]), values)
    emit("nfdump", name, table)


def argus(path, name):
    """Argus counts frames, so bytes are not compared."""
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        run = subprocess.run(["argus", "-r", path, "-w", out], capture_output=True)
        rows = subprocess.run(["ra", "-r", out, "-n", "-u", "-c", ",", "-s", "proto", "saddr", "sport", "daddr", "dport", "spkts", "dpkts", "stime", "ltime"], capture_output=True, text=True).stdout
    if run.returncode:
        return
    for row in rows.splitlines():
        c = row.split(",")
        proto = number(c[0])
        if proto is None or not c[5].isdigit():
            continue
        ports = (int(c[2] or 0), int(c[4] or 0)) if proto in (6, 17, 132) else (0, 0)
        millis = lambda t: int(t.split(".")[0]) * 1000 + int(t.split(".")[1][:3])
        add(table, (proto, c[1], ports[0], c[3], ports[1]), {"in_pkts": int(c[5]), "out_pkts": int(c[6]), "start": millis(c[7]), "end": millis(c[8])})
    emit("argus", name, table)


def tshark(path, name):
    cmd = ["tshark", "-n", "-r", path, "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "--enable-protocol", "communityid", "-T", "fields",
           "-E", "occurrence=a", "-E", "aggregator=\x1e", "-E", "separator=\x1f"]
    for f in FIELDS:
        cmd += ["-e", f]
    run = subprocess.run(cmd, capture_output=True, text=True, errors="surrogateescape")
    flows, skip = {}, None
    for row in run.stdout.split("\n"):
        if not row:
            continue
        p = {k: (v.split("\x1e") if v else []) for k, v in zip(FIELDS, row.split("\x1f"))}
        v6 = bool(p["ipv6.src"]) and not p["ip.src"]
        if not p["ip.src"] and not p["ipv6.src"]:
            continue
        error = p["icmp.type"] and p["icmp.type"][0] in ("3", "4", "5", "11", "12") or p["icmpv6.type"] and int(p["icmpv6.type"][0]) < 128
        if (p["ip.src"] and p["ipv6.src"] or len(p["ip.src"]) > 1 or len(p["ipv6.src"]) > 1) and not error:
            skip = "tunnels"
            break
        if "1" in p["ip.flags.mf"][:1] or "True" in p["ip.flags.mf"][:1] or p["ip.frag_offset"] and p["ip.frag_offset"][0] != "0" or p["ipv6.fraghdr.nxt"]:
            skip = "fragments"
            break
        src, dst = (p["ipv6.src"][0], p["ipv6.dst"][0]) if v6 else (p["ip.src"][0], p["ip.dst"][0])
        layers = p["frame.protocols"][0].split(":") if p["frame.protocols"] else []
        proto, sport, dport = int((p["ipv6.nxt"] if v6 else p["ip.proto"] or ["0"])[0]), 0, 0
        if p["icmpv6.type"] and v6:
            proto = 58
        if not error:
            for n, kind in ((6, "tcp"), (17, "udp"), (132, "sctp")):
                if p[kind + ".srcport"]:
                    proto, sport, dport = n, int(p[kind + ".srcport"][0]), int(p[kind + ".dstport"][0])
        size = int(p["ipv6.plen"][0]) + 40 if v6 else int(p["ip.len"][0])
        flags = int(p["tcp.flags"][0], 16) & 255 if proto == 6 and p["tcp.flags"] else 0
        if size < 40 and v6 or not v6 and size < 20:
            skip = "lengths left to the network card"
            break
        key = (proto, src, sport, dst, dport)
        back = (proto, dst, dport, src, sport)
        f, way = flows.get(key), "in"
        if f is None and back in flows and back != key:
            f, way = flows[back], "out"
        if f is None:
            f = {"in_pkts": 0, "out_pkts": 0, "in_bytes": 0, "out_bytes": 0, "in_flags": 0, "out_flags": 0, "in_win": 0, "out_win": 0, "long": 0, "short": 1 << 20,
                 "b0": 0, "b1": 0, "b2": 0, "b3": 0, "b4": 0, "start": None, "end": 0}
            if flags & 0x12 == 0x12:
                flows[back], way = f, "out"
            else:
                flows[key] = f
        when = int(p["frame.time_epoch"][0].split(".")[0]) * 1000 + int(p["frame.time_epoch"][0].split(".")[1][:3])
        f["start"] = when if f["start"] is None else f["start"]
        f["end"] = max(f["end"], when)
        f[way + "_pkts"] += 1
        f[way + "_bytes"] += size
        f[way + "_flags"] |= flags
        if p["tcp.window_size_value"] and proto == 6:
            f[way + "_win"] = max(f[way + "_win"], int(p["tcp.window_size_value"][0]))
        f["long"], f["short"] = max(f["long"], size), min(f["short"], size)
        for i, edge in enumerate(BINS):
            if size <= edge:
                f["b%d" % i] += 1
                break
        if way == "in":
            ttl = int((p["ipv6.hlim"] if v6 else p["ip.ttl"])[0])
            f["ttlmin"], f["ttlmax"] = min(f.get("ttlmin", 255), ttl), max(f.get("ttlmax", 0), ttl)
        first = lambda k, v: f.setdefault(k, v) if v not in (None, "") else None
        if proto in (1, 58):
            kind = "icmp" if proto == 1 else "icmpv6"
            if p[kind + ".type"]:
                first("icmp", int(p[kind + ".type"][0]) * 256 + int(p[kind + ".code"][0]))
        first("community", p["communityid"][0] if p["communityid"] else None)
        dns = p["dns.flags.opcode"][:1] == ["0"] and not error
        if dns and 53 in (sport, dport) and proto == 17:
            first("dnsid", int(p["dns.id"][0], 16))
            if f.get("dnsseen") is None:
                f["dnsseen"] = 1
                first("dnstype", int(p["dns.qry.type"][0]) if p["dns.qry.type"] else None)
            if p["dns.flags.response"][:1] in (["1"], ["True"]):
                for kind, ttl in list(zip(p["dns.resp.type"], p["dns.resp.ttl"]))[: int((p["dns.count.answers"] or ["0"])[0])]:
                    if kind == "1":
                        first("dnsttl", int(ttl))
                        break
        if dns and (53 in (sport, dport) or proto == 17 and (5355 in (sport, dport) or dport == 5353)):
            if p["dns.qry.name"]:
                first("query", "." if p["dns.qry.name"][0] == "<Root>" else clean(p["dns.qry.name"][0]))
            if p["dns.flags.response"][:1] in (["1"], ["True"]):
                first("rcode", int(p["dns.flags.rcode"][0]))
        if p["ftp.response.code"] and sport == 21:
            f["ftp"] = int(p["ftp.response.code"][0])
        if proto == 6 and not error:
            if "1" in p["tls.handshake.type"]:
                first("ja3", p["tls.handshake.ja3"][0] if p["tls.handshake.ja3"] else None)
                if "hello" not in f:
                    f["hello"] = 1
                    first("sni", clean(p["tls.handshake.extensions_server_name"][0]) if p["tls.handshake.extensions_server_name"] else None)
                    first("alpn", clean(",".join(p["tls.handshake.extensions_alpn_str"])))
            if p["http.request.method"] and "request" not in f:
                f["request"] = 1
                first("method", p["http.request.method"][0])
                first("host", clean(p["http.host"][0]) if p["http.host"] else None)
                first("url", clean(p["http.request.uri"][0]) if p["http.request.uri"] else None)
                first("agent", clean(p["http.user_agent"][0]) if p["http.user_agent"] else None)
            if p["ssh.protocol"]:
                first(way + "_ssh", clean(p["ssh.protocol"][0]))
    if skip or run.returncode:
        out.append("\t".join(["tshark", name, "skip", skip or "TShark does not read it to the end"]))
        return False
    for key, f in flows.items():
        for k in ("dnsseen", "hello", "request"):
            f.pop(k, None)
        line("tshark", name, *key, f)
    return True


target = sys.argv[1]
with zipfile.ZipFile(os.path.join(target, "oracle.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for folder in sys.argv[2:]:
        tool = os.path.basename(os.path.normpath(folder)).removeprefix("oracle-")
        for name in sorted(os.listdir(folder)):
            if not name.endswith((".pcap", ".pcapng", ".cap", ".pcap.gz")):
                continue
            data = open(os.path.join(folder, name), "rb").read()
            if name.endswith(".gz"):
                data = gzip.decompress(data)
            info = zipfile.ZipInfo(tool + "/" + name, (2026, 11, 22, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
            before = len(out)
            plain = os.path.join(target, "plain")  # what libpcap reads
            open(plain, "wb").write(data)
            {"zeek": zeek, "icsnpp": zeek, "arkime": arkime, "ipfixprobe": ipfixprobe, "ndpi": ndpi}[tool](folder, name)
            if tshark(plain, name):
                for record, programs in ((nfdump, ("nfpcapd", "nfdump")), (argus, ("argus", "ra"))):
                    if all(map(shutil.which, programs)):
                        record(plain, name)
            os.remove(plain)
            for i in range(before, len(out)):
                cells = out[i].split("\t")
                cells[1] = tool + "/" + name
                out[i] = "\t".join(cells)
version = subprocess.run(["tshark", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
with open(os.path.join(target, "oracle.tsv"), "w", errors="surrogateescape") as f:
    f.write("# written by oracle.py, %s, 2026-11-22\n" % version)
    f.write("\n".join(out) + "\n")
