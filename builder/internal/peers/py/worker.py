"""Runs the Python peers: one JSON request a line on standard input, one reply
a line on standard output. Whatever a library prints goes to standard error."""

import ctypes
import gc
import json
import os
import sys
import time
import traceback

import numpy as np

channel = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

DATA = {}  # key -> dict of train and test
MODELS = {}  # name -> object of fits.py or OnnxModel


class Table:
    """One table as the coordinator wrote it: float32 rows, one byte a label."""

    def __init__(self, folder):
        with open(os.path.join(folder, "meta.json")) as f:
            meta = json.load(f)
        self.features, self.classes, self.text = meta["features"], meta["classes"], meta.get("text", False)
        for part in ("train", "test"):
            y = np.fromfile(os.path.join(folder, part + ".u8"), dtype=np.uint8).astype(np.int64)
            if self.text:
                with open(os.path.join(folder, part + ".json")) as f:
                    x = json.load(f)
            else:
                x = np.fromfile(os.path.join(folder, part + ".f32"), dtype=np.float32).reshape(-1, self.features)
            setattr(self, part, x)
            setattr(self, part + "_y", y)


def memory(name):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def reset_peak():
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what is free already hides what is added
    except AttributeError:
        pass
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass
    return memory("VmRSS")


def timed(call):
    """The result of call, its CPU seconds and the bytes it added at its peak."""
    before = reset_peak()
    start = time.process_time()
    result = call()
    cpu = time.process_time() - start
    return result, cpu, max(0, memory("VmHWM") - before)


def repeat(call, seconds):
    """Calls call, which says how many rows it did, for some CPU seconds."""
    rows, start = 0, time.process_time()
    while True:
        rows += call()
        cpu = time.process_time() - start
        if cpu >= seconds:
            return {"cpu": cpu, "rows": rows}


def handle(r):
    import fits

    do = r["do"]
    if do == "data":
        DATA[r["data"]] = Table(r["path"])
        return {}
    if do == "versions":
        return {"text": fits.versions()}
    if do == "fit":
        data = DATA[r["data"]]
        model, cpu, peak = timed(lambda: fits.fit(r, data))
        MODELS[r["model"]] = model
        return {"cpu": cpu, "rss": peak, "rows": len(data.train_y)}
    if do == "load":
        before = MODELS.pop(r["model"], None)
        del before
        model, cpu, peak = timed(lambda: fits.load(r["lib"], r["path"]))
        MODELS[r["model"]] = model
        return {"cpu": cpu, "rss": peak}
    if do == "drop":
        MODELS.pop(r["model"], None)
        gc.collect()
        return {}
    if do == "narrow":
        fits.narrow(r["path"], r["features"])
        return {}
    model = MODELS[r["model"]]
    if do == "export":
        MODELS[r["as"]], size = model.export(r["path"], DATA[r["data"]], r.get("nodes", 0))
        return size
    x = DATA[r["data"]].test
    if do == "predict":
        np.ascontiguousarray(model.scores(x), dtype=np.float64).tofile(r["path"])
        return {}
    if do == "score":
        n = min(len(x), r["rows"])
        part = model.prepare(x[:n])

        def batch():
            model.scores(part)
            return n

        return repeat(batch, r["seconds"])
    if do == "single":
        rows = [model.prepare(x[i : i + 1]) for i in range(min(len(x), 64))]
        at = [0]

        def one():
            model.verdict(rows[at[0] % len(rows)])
            at[0] += 1
            return 1

        return repeat(one, r["seconds"])
    if do == "shap":
        n = min(len(x), r["rows"])
        call = model.shap(x[:n])

        def explain():
            call()
            return n

        return repeat(explain, r["seconds"])
    raise ValueError("unknown request " + do)


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = handle(request)
        except Exception as e:  # the coordinator decides what a failure means
            traceback.print_exc()
            reply = {"error": "%s: %s" % (type(e).__name__, e)}
        channel.write(json.dumps(reply) + "\n")


main()
