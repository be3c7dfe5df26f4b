"""Writes what XGBoost itself says of flows of the sample by the model of
builder/internal/foreign/testdata, for the test that imports it into the page.

    python make.py
"""
import csv, datetime, json, os
import numpy as np, xgboost

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(here, "..", "..", "..")
names = ["PROTOCOL", "IN_BYTES", "OUT_BYTES", "IN_PKTS", "OUT_PKTS"]
model = xgboost.Booster(model_file=os.path.join(root, "builder/internal/foreign/testdata/xgb-multi.ubj"))
with open(os.path.join(root, "models/sample/flows.csv"), newline="") as f:
    rows = sorted({tuple(float(r[n]) for n in names) for r in csv.DictReader(f)})
rows = [list(r) for r in rows[:: len(rows) // 16]]
rows[1][2], rows[2] = float("nan"), [float("nan")] * 5
x = xgboost.DMatrix(np.array(rows), feature_names=names)
with open(os.path.join(here, "golden.json"), "w") as f:
    json.dump({
        "library": "xgboost", "version": xgboost.__version__, "date": datetime.date.today().isoformat(), "script": "make.py",
        "columns": names, "rows": [[None if v != v else v for v in r] for r in rows],
        "score": model.predict(x).tolist(),
        "shap": model.predict(x, pred_contribs=True).reshape(len(rows), -1).tolist(),
    }, f, indent=None)
    f.write("\n")
