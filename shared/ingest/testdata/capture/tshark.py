"""Writes corpus.zip and tshark.tsv: captures of others, and what TShark makes of them.

Python 3.11.2, TShark 4.0.17:

    python3 tshark.py FOLDER... > tshark.tsv     (writes corpus.zip beside itself)

A line per capture: name, packets that TShark reads before it ends or gives up,
whether it got to the end, and its reason if not.
"""
import gzip
import os
import subprocess
import sys
import zipfile

version = subprocess.run(["tshark", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
print(f"# {version}; 2026-11-22: file, packets, end")
here = os.path.dirname(os.path.abspath(__file__))
with zipfile.ZipFile(os.path.join(here, "corpus.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
    for folder in sys.argv[1:]:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if name.endswith(".txt"):
                continue
            data = open(path, "rb").read()
            raw = gzip.decompress(data) if name.endswith(".gz") else data
            short = os.path.basename(os.path.normpath(folder)) + "/" + name.removesuffix(".gz")
            run = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.number"], capture_output=True, text=True)
            why = [line for line in run.stderr.splitlines() if line.startswith("tshark:") or line.startswith("(")]
            why = " ".join(why).replace(path, "FILE").replace("tshark: ", "")
            end = "whole" if run.returncode == 0 else "stops: " + why
            print(short, len(run.stdout.split()), end, sep="\t")
            info = zipfile.ZipInfo(short, (2026, 11, 22, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, raw)
