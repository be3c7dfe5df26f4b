"""Makes telemetry.csv.gz from the Application Server Dataset of InterFusion.

    python telemetry.py FOLDER telemetry.csv.gz

FOLDER holds omi-1_test.csv.gz to omi-8_test.csv.gz: the arrays of
data/processed/omi-*_test.pkl of zhhlee/InterFusion (commit
8c85d511c1f070669ba8c5cf097b8fa4a202d15b), 6 significant digits, with the label
as last column. The data has no time stamps and no names: time is counted from
2020-01-01 in steps of five minutes (the step is that of the paper), servers
keep the names of their files, metrics are numbered."""
import csv
import datetime
import gzip
import io
import sys

START = datetime.datetime(2020, 1, 1)


def main(folder, target):
    rows = []
    for server in range(1, 9):
        with gzip.open(f"{folder}/omi-{server}_test.csv.gz", "rt") as f:
            for i, row in enumerate(list(csv.reader(f))[1:]):
                rows.append((i, server, row))
    rows.sort(key=lambda r: r[:2])
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["timestamp", "device_id"] + [f"m{i:02d}" for i in range(19)] + ["label"])
    for i, server, row in rows:
        stamp = START + datetime.timedelta(minutes=5 * i)
        out.writerow([stamp.strftime("%Y-%m-%dT%H:%M:%SZ"), f"omi-{server}"] + row)
    with open(target, "wb") as f, gzip.GzipFile(filename="", mode="wb", compresslevel=9, mtime=0, fileobj=f) as z:
        z.write(text.getvalue().encode())


main(*sys.argv[1:])
