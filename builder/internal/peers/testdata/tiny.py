"""Makes tiny.json: dumps of tiny models by worker code, and what their own
libraries predict. Run in the peers' environment, from the root of the module:
    build/peers/venv/bin/python builder/internal/peers/testdata/tiny.py
"""

import json
import os
import sys
import tempfile
import datetime

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "py"))
import fits  # noqa: E402

r = np.random.default_rng(7)


class Data:
    features, classes, text = 4, 3, False
    train = np.round(r.standard_normal((120, 4)) * 4).astype(np.float32) / 4
    train_y = (train[:, 0] + train[:, 1] > 0).astype(int) + (train[:, 2] > 0.5)


rows = Data.train[:24].copy()
cases = []
for lib, more in (("forest", {}), ("isolation", {}), ("xgboost", {"eta": 0.3})):
    m = fits.fit({"lib": lib, "trees": 3, "seed": 1, **more}, Data)
    with tempfile.TemporaryDirectory() as d:
        m.export(os.path.join(d, "m"), Data, 0)
        with open(os.path.join(d, "m.trees")) as f:
            dump = f.read()
    scores = np.asarray(m.scores(rows), dtype=np.float64)
    cases.append({"lib": lib, "dump": dump, "scores": scores.ravel().tolist()})
with open(os.path.join(here, "tiny.json"), "w") as f:
    json.dump(
        {"origin": fits.versions(), "date": str(datetime.date.today()), "rows": rows.ravel().tolist(), "cases": cases},
        f,
    )
    f.write("\n")
