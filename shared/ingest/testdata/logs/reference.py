"""Reads the samples with json, csv and pandas, apart from this project's code,
and writes what package ingest must make of them: <sample>.want.tsv, one row a
record, empty for missing. Run in this folder:

    python3 reference.py

Last run 2026-11-22 with Python 3.11, pandas 2.x (see VERSIONS in the output).
"""
import csv, json, math, re, sys
from datetime import datetime, timezone
from decimal import Decimal as D
import pandas as pd

FLOW = {"t0": "FLOW_START_MILLISECONDS", "t1": "FLOW_END_MILLISECONDS", "sa": "IPV4_SRC_ADDR", "sp": "L4_SRC_PORT", "da": "IPV4_DST_ADDR", "dp": "L4_DST_PORT",
        "pr": "PROTOCOL", "ib": "IN_BYTES", "ip": "IN_PKTS", "ob": "OUT_BYTES", "op": "OUT_PKTS", "fl": "TCP_FLAGS", "cf": "CLIENT_TCP_FLAGS", "sf": "SERVER_TCP_FLAGS",
        "du": "FLOW_DURATION_MILLISECONDS", "ir": "SRC_TO_DST_AVG_THROUGHPUT", "or": "DST_TO_SRC_AVG_THROUGHPUT", "it": "ICMP_TYPE", "i4": "ICMP_IPV4_TYPE",
        "lo": "MIN_TTL", "hi": "MAX_TTL", "qi": "DNS_QUERY_ID", "qt": "DNS_QUERY_TYPE", "tt": "DNS_TTL_ANSWER", "qn": "DNS_QUERY", "qc": "DNS_RET_CODE", "ci": "COMMUNITY_ID",
        "hh": "HTTP_HOST", "hm": "HTTP_METHOD", "hu": "HTTP_URL", "ha": "HTTP_USER_AGENT", "sn": "TLS_SERVER_NAME", "tv": "TLS_VERSION", "j3": "JA3"}
ALERT = {"t": "TIME_MILLISECONDS", "sa": "IPV4_SRC_ADDR", "sp": "L4_SRC_PORT", "da": "IPV4_DST_ADDR", "dp": "L4_DST_PORT", "pr": "PROTOCOL", "ty": "PAYLOAD_TYPE",
         "ti": "TITLE", "de": "PAYLOAD_DESCRIPTION", "te": "TECHNIQUES", "se": "SEVERITY"}
PROTO = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58, "ipv6-icmp": 58}
PAIRED = {8, 0, 13, 14, 15, 16, 10, 9, 17, 18, 128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145}

def protocol(name, addr):
    p = PROTO[str(name).lower()] if not str(name).isdigit() else int(name)
    return 58 if p == 1 and ":" in addr else p

def write(name, keys, rows):
    used = [k for k in keys if any(k in r for r in rows)]
    with open(name + ".want.tsv", "w") as f:
        f.write("\t".join(keys[k] for k in used) + "\n")
        for r in rows:
            f.write("\t".join("" if r.get(k) is None else json.dumps(r[k], ensure_ascii=False)[1:-1] if isinstance(r[k], str) else repr(float(r[k])) for k in used) + "\n")
    print(name, len(rows))

def rate(b, ms):
    return None if b is None or ms is None else math.floor(8000 * D(b) / (math.floor(ms) + 1))

def ms(ts):
    return None if ts is None else D(str(ts)) * 1000

# --- Zeek ---
def zeek_tsv(path):
    names = [l for l in open(path) if l.startswith("#fields")][0].rstrip("\n").split("\t")[1:]
    df = pd.read_csv(path, sep="\t", comment="#", names=names, dtype=str, quoting=csv.QUOTE_NONE, keep_default_na=False)
    df = df.replace({"-": None, "(empty)": None})
    unhex = lambda v: re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m.group(1), 16)), v) if isinstance(v, str) else v
    return [{k: unhex(v) for k, v in r.items() if v is not None} for r in df.to_dict("records")]

def zeek_json(path):
    return [{re.sub(r"^id_(orig|resp)_", r"id.\1_", k): v for k, v in json.loads(l, parse_float=D).items()} for l in open(path)]

def who(r):
    return {"t0": ms(r["ts"]), "sa": r["id.orig_h"], "da": r["id.resp_h"], "sp": int(r["id.orig_p"]), "dp": int(r["id.resp_p"])}

def conn(r):
    o = who(r)
    p = protocol(r["proto"], o["sa"])
    i = lambda k: int(r[k]) if r.get(k) is not None else None
    o.update(pr=p, ib=i("orig_ip_bytes"), ip=i("orig_pkts"), ob=i("resp_ip_bytes"), op=i("resp_pkts"), it=0, i4=0)
    o["du"] = ms(r.get("duration"))
    if o["du"] is None and o["ip"] + o["op"] == 1:
        o["du"] = D(0)
    o["t1"] = None if o["du"] is None else o["t0"] + o["du"]
    if p in (1, 58):
        t, c = o["sp"], 0 if o["sp"] in PAIRED else o["dp"]
        o.update(it=256 * t + c, i4=t if p == 1 else 0, sp=0, dp=0)
    o["ir"], o["or"] = rate(o["ib"], o["du"]), rate(o["ob"], o["du"])
    return o

def dns(r):
    o = who(r)
    o.update(pr=protocol(r["proto"], ""), qi=int(r["trans_id"]), qt=int(r["qtype"]), qn=r["query"], qc=int(r["rcode"]), tt=None)
    a, t = r.get("answers") or [], r.get("TTLs") or []
    if isinstance(a, str):
        a, t = a.split(","), t.split(",")
    for x, y in zip(a, t):
        if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", x):
            o["tt"] = float(y)
            break
    return o

def http(r):
    return dict(who(r), pr=6, hh=r.get("host"), hm=r.get("method"), hu=r.get("uri") and r["uri"][:256], ha=r.get("user_agent"))

def ssl(r):
    return dict(who(r), pr=17 if r["version"].startswith("DTLS") else 6, sn=r.get("server_name"), tv=r["version"], j3=r.get("ja3"))

def notice(r):
    f = lambda k: r.get(k)
    words = " ".join(x for x in (f("note"), f("msg"), f("sub")) if x)
    ids = []
    for x in re.findall(r"(?<!\w)T\d{4}(?:\.\d{3})?(?!\w)", words):
        if x not in ids:
            ids.append(x)
    return {"t": ms(r["ts"]), "sa": f("src") or f("id.orig_h"), "sp": f("id.orig_p") and int(r["id.orig_p"]), "da": f("dst") or f("id.resp_h"), "dp": f("p") and int(r["p"]),
            "pr": f("proto") and PROTO[r["proto"]], "ty": r["note"].split("::")[0], "ti": r["note"], "de": " ".join(x for x in (r["msg"], f("sub")) if x), "te": " ".join(ids)}

write("zeek-conn.log", FLOW, [conn(r) for r in zeek_tsv("zeek-conn.log")])
write("zeek-conn.json", FLOW, [conn(r) for r in zeek_json("zeek-conn.json")])
write("zeek-dns.log", FLOW, [dns(r) for r in zeek_tsv("zeek-dns.log")])
write("zeek-dns.json", FLOW, [dns(r) for r in zeek_json("zeek-dns.json")])
write("zeek-http.log", FLOW, [http(r) for r in zeek_tsv("zeek-http.log")])
write("zeek-ssl.log", FLOW, [ssl(r) for r in zeek_tsv("zeek-ssl.log")])
write("zeek-notice.log", ALERT, [notice(r) for r in zeek_tsv("zeek-notice.log")])
write("zeek-notice.json", ALERT, [notice(r) for r in zeek_json("zeek-notice.json")])

# --- Suricata ---
def iso(s):
    t = datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", s.replace("Z", "+00:00").replace(".5+", ".500000+")))
    if t.tzinfo is None:
        t = t.replace(tzinfo=timezone.utc)
    e = t - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return D((e.days * 86400 + e.seconds) * 1000000 + e.microseconds) / 1000

def frames(b, p):
    return b - 14 * p if b - 14 * p >= 20 * p else None

def eve(r):
    k = r[r["event_type"]]
    p = protocol(r["proto"], r["src_ip"])
    o = {"t0": iso(k["start"]), "t1": iso(k["end"]), "sa": r["src_ip"], "da": r["dest_ip"], "sp": r.get("src_port"), "dp": r.get("dest_port"), "pr": p, "ci": r.get("community_id"), "it": 0, "i4": 0}
    if p in (1, 58):
        o.update(sp=0, dp=0, it=256 * r["icmp_type"] + r["icmp_code"], i4=r["icmp_type"])
    o["du"] = o["t1"] - o["t0"]
    flags = lambda n: int(r["tcp"][n], 16) if "tcp" in r and n in r["tcp"] else 0
    if r["event_type"] == "flow":
        o.update(ib=frames(k["bytes_toserver"], k["pkts_toserver"]), ip=k["pkts_toserver"], ob=frames(k["bytes_toclient"], k["pkts_toclient"]), op=k["pkts_toclient"],
                 fl=flags("tcp_flags"), cf=flags("tcp_flags_ts"), sf=flags("tcp_flags_tc"))
        o["or"] = rate(o["ob"], o["du"])
    else:
        del o["ci"]
        o.update(ib=frames(k["bytes"], k["pkts"]), ip=k["pkts"], cf=flags("tcp_flags"), lo=k["min_ttl"], hi=k["max_ttl"])
    o["ir"] = rate(o["ib"], o["du"])
    return o

def eve_alert(r):
    a = r["alert"]
    return {"t": iso(r["timestamp"]), "sa": r["src_ip"], "sp": r.get("src_port"), "da": r["dest_ip"], "dp": r.get("dest_port"), "pr": protocol(r["proto"], r["src_ip"]), "ty": a["category"],
            "ti": a["signature"], "de": "%s (%s)" % (a["signature"], a["category"]), "te": " ".join(a.get("metadata", {}).get("mitre_technique_id", [])),
            "se": {1: "High", 2: "Medium", 3: "Low", 4: "Informational"}[a["severity"]]}

events = [json.loads(l) for l in open("eve.json")]
write("eve.json", FLOW, [eve(r) for r in events if r["event_type"] == "flow"])
write("eve.json.alert", ALERT, [eve_alert(r) for r in events if r["event_type"] == "alert"])
write("eve-alerts.json", ALERT, [eve_alert(r) for r in json.load(open("eve-alerts.json"))])
decoder, text, rows = json.JSONDecoder(), open("eve-netflow.json").read().strip(), []
while text:
    r, n = decoder.raw_decode(text)
    rows.append(eve(r))
    text = text[n:].strip()
write("eve-netflow.json", FLOW, rows)

# --- nfdump, argus ---
BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
def nfdump(path, both):
    lines = open(path).read().split("Summary\n")[0]
    rows = []
    for r in csv.DictReader(lines.splitlines()):
        p = protocol(r["pr"], r["sa"])
        icmp = p in (1, 58)
        o = {"t0": iso(r["ts"]), "t1": iso(r["te"]), "sa": r["sa"], "da": r["da"], "sp": 0 if icmp else int(r["sp"]), "dp": 0 if icmp else int(r["dp"]), "pr": p,
             "ib": int(r["ibyt"]), "ip": int(r["ipkt"]), "du": ms(r["td"]), "fl": sum(BITS[c] for c in r["flg"] if c in BITS) if p == 6 else 0,
             "it": int(r["dp"]) if icmp else 0, "i4": int(r["dp"]) // 256 if p == 1 else 0}
        o["ir"] = rate(o["ib"], o["du"])
        if both:
            o.update(ob=int(r["obyt"]), op=int(r["opkt"]))
            o["or"] = rate(o["ob"], o["du"])
        rows.append(o)
    return rows
write("nfdump-oneway.csv", FLOW, nfdump("nfdump-oneway.csv", False))
write("nfdump-both.csv", FLOW, nfdump("nfdump-both.csv", True))
rows = []
for r in json.load(open("nfdump.json")):
    p = r["proto"]
    rows.append({"t0": iso(r["first"]), "t1": iso(r["last"]), "sa": r.get("src4_addr"), "da": r.get("dst4_addr"), "sp": r.get("src_port"), "dp": r.get("dst_port"), "pr": p,
                 "ib": r["in_bytes"], "ip": r["in_packets"], "fl": sum(BITS[c] for c in r.get("tcp_flags", "") if c in BITS) if "tcp_flags" in r else None, "it": 256 * r["icmp_type"] + r["icmp_code"] if "icmp_type" in r else None})
    if "src6_addr" in r:
        rows[-1].update(sa=r["src6_addr"], da=r["dst6_addr"])
write("nfdump.json", FLOW, rows)

def state(s):
    if "_" not in s or any(c not in BITS for c in s.replace("_", "")):
        return None, None
    a, b = s.split("_")
    return sum(BITS[c] for c in a), sum(BITS[c] for c in b)
rows = []
for r in csv.DictReader(open("argus.binetflow")):
    p = protocol(r["Proto"], r["SrcAddr"])
    icmp = p in (1, 58)
    port = lambda s: int(s, 0) if s else None
    sp, dp = int(r["SrcPkts"]), int(r["TotPkts"]) - int(r["SrcPkts"])
    o = {"t0": iso(r["StartTime"].replace("/", "-")), "du": ms(r["Dur"]), "sa": r["SrcAddr"], "da": r["DstAddr"], "sp": 0 if icmp else port(r["Sport"]), "dp": 0 if icmp else port(r["Dport"]), "pr": p,
         "ip": sp, "op": dp, "ib": frames(int(r["SrcBytes"]), sp), "ob": frames(int(r["TotBytes"]) - int(r["SrcBytes"]), dp), "it": 0, "i4": 0}
    o["t1"] = o["t0"] + o["du"]
    if icmp:
        o.update(it=port(r["Sport"]) % 256 * 256 + port(r["Sport"]) // 256, i4=port(r["Sport"]) % 256 if p == 1 else 0)
    cf, sf = state(r["State"]) if p == 6 else (0, 0)
    o.update(cf=cf, sf=sf, fl=None if cf is None else cf | sf, ir=rate(o["ib"], o["du"]))
    rows.append(o)
write("argus.binetflow", FLOW, rows)

# --- alerts ---
SEV = {"critical": "Critical", "crit": "Critical", "high": "High", "medium": "Medium", "moderate": "Medium", "low": "Low", "info": "Informational", "n/a": "Unknown"}
TYPE = {"c2": "Command-And-Control", "command & control": "Command-And-Control", "dns": "DNS", "normal": "Benign", "exploit": "Exploit", "malware": "Malware"}
def stamp(s):
    try:
        return iso(s)
    except ValueError:
        return None
write("payload_timeline.csv", ALERT, [{"t": stamp(r["Timestamp"]), "sa": r["Source_IP"], "da": r["Destination_IP"] or None, "ty": TYPE[r["Payload_Type"].lower()], "de": r["Payload_Description"],
      "se": SEV[r["Severity"].lower()]} for r in csv.DictReader(open("payload_timeline.csv"))])
write("detections.csv", ALERT, [{"t": stamp(r["Timestamp"]), "ty": r["Payload_Type"], "ti": r["Title"], "de": r["Payload_Description"], "te": r["Techniques"], "se": SEV[r["Severity"].lower()]}
      for r in csv.DictReader(open("detections.csv"))])
write("alerts.jsonl", ALERT, [{"t": ms(r["time"]), "sa": r["src_ip"], "da": r["dst_ip"], "ty": TYPE.get(r["category"], r["category"]), "ti": r["signature"], "de": r["description"],
      "te": " ".join(r.get("technique", [])), "se": SEV[r["severity"].lower()]} for r in map(json.loads, open("alerts.jsonl"))])
print("VERSIONS", sys.version.split()[0], "pandas", pd.__version__)
