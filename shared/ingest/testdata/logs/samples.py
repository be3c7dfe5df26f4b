"""Writes the samples of this folder that no licence-clear file was found for,
after the formats' documentation, and cuts the others short.

    python3 samples.py CLONE_OF_suricata-sample-data

Suricata: docs.suricata.io 7.0 "Eve JSON Format"; Zeek: docs.zeek.org 7.0
"dns.log", "ssl.log", "notice.log"; payload_timeline.csv: the columns that this
project's alerts have had from the start. Addresses are documentation ranges.
"""
import json, sys

def flow(n, proto, sp, dp, start, end, ts, tc, bs, bc, tcp=None, **more):
    e = {"timestamp": "2024-05-01T10:00:09.000000+0200", "flow_id": n, "event_type": "flow", "src_ip": "192.0.2.%d" % n, "src_port": sp,
         "dest_ip": "198.51.100.7", "dest_port": dp, "proto": proto, "app_proto": "failed",
         "flow": {"pkts_toserver": ts, "pkts_toclient": tc, "bytes_toserver": bs, "bytes_toclient": bc, "start": start, "end": end,
                  "age": 1, "state": "closed", "reason": "timeout", "alerted": False}}
    if tcp:
        e["tcp"] = tcp
    e.update(more)
    return e

def alert(n, sig, cat, sev, meta=None):
    e = {"timestamp": "2024-05-01T08:00:0%d.250000Z" % n, "flow_id": n, "event_type": "alert", "src_ip": "192.0.2.%d" % n, "src_port": 40000 + n,
         "dest_ip": "198.51.100.7", "dest_port": 443, "proto": "TCP",
         "alert": {"action": "allowed", "gid": 1, "signature_id": 2000000 + n, "rev": 1, "signature": sig, "category": cat, "severity": sev}}
    if meta:
        e["alert"]["metadata"] = meta
    return e

eve = [
    alert(1, "ET MALWARE Beacon \"checkin\" \u2192 C2", "A Network Trojan was detected", 1,
          {"mitre_tactic_id": ["TA0011"], "mitre_technique_id": ["T1071", "T1573.001"], "signature_severity": ["Major"]}),
    {"timestamp": "2024-05-01T08:00:02Z", "event_type": "dns", "src_ip": "192.0.2.2", "dns": {"type": "query", "rrname": "example.org", "answers": [{"ttl": 5}]}},
    flow(3, "TCP", 50000, 443, "2024-05-01T08:00:00.100000Z", "2024-05-01T08:00:01.600250Z", 10, 12, 1500, 9000,
         {"tcp_flags": "1b", "tcp_flags_ts": "1a", "tcp_flags_tc": "1b", "syn": True}, community_id="1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    flow(4, "UDP", 5353, 53, "2024-05-01T10:00:00.000000+0200", "2024-05-01T10:00:00.050000+0200", 1, 1, 80, 200),
    flow(5, "ICMP", None, None, "2024-05-01T08:00:00Z", "2024-05-01T08:00:03.000001Z", 4, 4, 392, 392, icmp_type=8, icmp_code=0, response_icmp_type=0, response_icmp_code=0),
    flow(6, "TCP", 51000, 22, "2024-05-01T08:00:00Z", "2024-05-01T08:00:00Z", 2, 0, 40, 0, {"tcp_flags": "02", "tcp_flags_ts": "02", "tcp_flags_tc": "00"}),
    alert(2, "SURICATA STREAM excessive retransmissions", "Generic Protocol Command Decode", 3),
    alert(3, "ET SCAN Potential SSH Scan", "Attempted Information Leak", 2, {"mitre_technique_id": ["T1046"]}),
]
for e in eve:
    for k in ("src_port", "dest_port"):
        if k in e and e[k] is None:
            del e[k]
open("eve.json", "w").write("".join(json.dumps(e) + "\n" for e in eve))

net = []
for n, (pkts, b, lo, hi) in enumerate([(3, 300, 63, 64), (1, 60, 128, 128)]):
    net.append({"timestamp": "2024-05-01T08:00:09Z", "event_type": "netflow", "src_ip": "2001:db8::%d" % n, "src_port": 1000 + n, "dest_ip": "2001:db8::9",
                "dest_port": 80, "proto": "TCP", "netflow": {"pkts": pkts, "bytes": b, "start": "2024-05-01T08:00:00.5Z", "end": "2024-05-01T08:00:02Z",
                "age": 1, "min_ttl": lo, "max_ttl": hi}, "tcp": {"tcp_flags": "12", "syn": True, "ack": True}})
open("eve-netflow.json", "w").write("\n".join(json.dumps(e, indent=2) for e in net) + "\n")

HEAD = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t%s\n#open\t2024-05-01-08-00-00\n"
def tsv(path, fields, rows):
    return HEAD % path + "#fields\t" + "\t".join(fields) + "\n#types\t" + "\t".join(["string"] * len(fields)) + "\n" + \
        "".join("\t".join(map(str, r)) + "\n" for r in rows) + "#close\t2024-05-01-09-00-00\n"

ident = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"]
def who(n, dp):
    return ["1714550400.%06d" % n, "C%d" % n, "192.0.2.%d" % n, 40000 + n, "198.51.100.53", dp]
dns = [who(1, 53) + ["udp", 4711, "-", "www.example.org", 1, "A", 0, "NOERROR", "cdn.example.net,203.0.113.9,203.0.113.10", "300.000000,60.000000,60.000000"],
       who(2, 53) + ["udp", 4712, "-", "nowhere.example", 28, "AAAA", 3, "NXDOMAIN", "-", "-"],
       who(3, 53) + ["tcp", 4713, "-", "a\\x09b.example", 16, "TXT", 0, "NOERROR", "TXT 5 hello", "10.000000"]]
names = ["proto", "trans_id", "rtt", "query", "qtype", "qtype_name", "rcode", "rcode_name", "answers", "TTLs"]
open("zeek-dns.log", "w").write(tsv("dns", ident + names, dns))
open("zeek-dns.json", "w").write("".join(json.dumps({k: v for k, v in {
    "ts": float(r[0]), "uid": r[1], "id_orig_h": r[2], "id_orig_p": r[3], "id_resp_h": r[4], "id_resp_p": r[5], "proto": r[6], "trans_id": r[7],
    "query": r[9].replace("\\x09", "\t"), "qtype": r[10], "rcode": r[12], "answers": None if r[14] == "-" else r[14].split(","),
    "TTLs": None if r[15] == "-" else [float(x) for x in r[15].split(",")]}.items() if v is not None}) + "\n" for r in dns))
open("zeek-ssl.log", "w").write(tsv("ssl", ident + ["version", "cipher", "server_name", "established", "ja3"], [
    who(1, 443) + ["TLSv13", "TLS_AES_128_GCM_SHA256", "www.example.org", "T", "456523fc94726331a4d5a2e1d40b2cd7"],
    who(2, 5684) + ["DTLSv12", "-", "-", "F", "-"]]))
nf = ident + ["fuid", "proto", "note", "msg", "sub", "src", "dst", "p", "n", "actions", "suppress_for"]
notices = [who(1, 443) + ["-", "tcp", "SSL::Invalid_Server_Cert", "SSL certificate validation failed with (self signed certificate)", "CN=example.org", "192.0.2.1", "198.51.100.53", 443, "-", "Notice::ACTION_LOG", "3600.000000"],
           ["1714550401.5", "-", "-", "-", "-", "-", "-", "-", "Scan::Port_Scan", "192.0.2.9 scanned at least 15 unique ports", "remote", "192.0.2.9", "198.51.100.53", "-", 15, "Notice::ACTION_LOG", "3600.000000"],
           who(3, 445) + ["-", "tcp", "ATTACK::Lateral_Movement", "Detected SMB::FILE_WRITE to admin file share", "T1021.002 Remote Services + T1570 Lateral Tool Transfer", "192.0.2.3", "198.51.100.53", 445, "-", "Notice::ACTION_LOG", "3600.000000"]]
open("zeek-notice.log", "w").write(tsv("notice", nf, notices))
open("zeek-notice.json", "w").write("".join(json.dumps({k: (float(v) if k == "ts" else v) for k, v in zip(nf, r) if v != "-"}) + "\n" for r in notices))

open("payload_timeline.csv", "w").write('''Timestamp,Source_IP,Destination_IP,Payload_Type,Payload_Description,Severity
2026-01-12T08:00:00Z,192.0.2.1,198.51.100.7,c2,"Beacon to ""update"" server, every 60 s",CRITICAL
2026-01-12 08:00:05,192.0.2.2,,DNS,Lookup of a domain made minutes ago,medium
2026-01-12T10:00:05+02:00,2001:db8::1,198.51.100.7,Command & Control,Reverse shell,moderate
yesterday,192.0.2.3,198.51.100.7,normal,Software update,info
2026-01-12,192.0.2.4,198.51.100.7,Exploit,Deserialisation attempt,High
''')
open("detections.csv", "w").write('''Id,Timestamp,Payload_Type,Title,Payload_Description,Severity,Techniques,Tactics,Collection
1,2025-10-25,windows/process_creation,Shadow copies deleted,Detects the deletion of shadow copies,High,T1490,impact,rules
2,2026-02-17,linux/auditd,History cleared,"Detects, among others, ""history -c""",low,T1070.003 T1562,stealth,rules
''')
open("alerts.jsonl", "w").write('''{"time": 1768204800, "src_ip": "192.0.2.1", "dst_ip": "198.51.100.7", "category": "malware", "signature": "Trojan", "description": "said: \\u201chello\\u201d", "severity": "crit", "technique": ["T1059"]}
{"time": 1768204801.25, "src_ip": "192.0.2.2", "dst_ip": null, "category": "x", "signature": "y", "description": "", "severity": "N/A"}
''')
if len(sys.argv) > 1:
    rows = json.load(open(sys.argv[1] + "/wrccdc-2017.alerts.json"))
    json.dump(rows[:12], open("eve-alerts.json", "w"), indent=2)
