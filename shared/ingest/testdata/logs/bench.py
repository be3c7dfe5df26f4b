"""Rows per second of pandas and json on what BenchmarkNext_logs reads: the
samples of this folder, repeated to 4 MiB. Parsing alone, no conversion to the
flow schema.

    python3 bench.py
"""
import io, json, time
import pandas as pd

def repeat(head, body):
    return head + body * (4 * 2**20 // len(body) + 1)

def best(name, f):
    t = []
    for _ in range(3):
        a = time.perf_counter()
        rows = f()
        t.append(time.perf_counter() - a)
    print("%-28s %9.0f rows/s" % (name, rows / min(t)))

text = open("zeek-conn.log").read()
i = text.index("\n", text.index("\n#types") + 1) + 1
names = [l for l in text.splitlines() if l.startswith("#fields")][0].split("\t")[1:]
conn = repeat("", text[i:].replace("#close", "#"))
best("zeek-conn.log, pandas", lambda: len(pd.read_csv(io.StringIO(conn), sep="\t", comment="#", names=names, na_values=["-", "(empty)"])))
for name in ("zeek-conn.json", "eve.json"):
    lines = repeat("", open(name).read())
    best(name + ", json.loads", lambda: sum(1 for l in lines.splitlines() if json.loads(l)))
    best(name + ", pandas", lambda: len(pd.read_json(io.StringIO(lines), lines=True)))
text = open("nfdump-both.csv").read().split("Summary")[0]
i = text.index("\n") + 1
flows = repeat(text[:i], text[i:])
best("nfdump-both.csv, pandas", lambda: len(pd.read_csv(io.StringIO(flows))))
text = open("argus.binetflow").read()
i = text.index("\n") + 1
flows = repeat(text[:i], text[i:])
best("argus.binetflow, pandas", lambda: len(pd.read_csv(io.StringIO(flows))))
