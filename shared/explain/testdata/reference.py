"""Writes reference.json: small ensembles of scikit-learn and XGBoost with
SHAP values against a background, and with SHAP interaction values, in the plain
form of tree.Source.

    python reference.py > reference.json

The tests do not run it. Rows are float32 values, because both libraries round
them to float32; XGBoost's x < t becomes x <= the next float32 below t.
"""
import datetime
import json
import math
import platform
import sys

import numpy as np
import shap
import sklearn
import xgboost as xgb
from sklearn.ensemble import IsolationForest, RandomForestClassifier

rng = np.random.default_rng(11)
N, D, ROWS, BACK = 400, 6, 4, 12
X = rng.normal(size=(N, D)).astype(np.float32)
X[:, 2] = rng.integers(0, 5, N)
y = (X[:, 0] + X[:, 1] * X[:, 2] > 0.5).astype(int) + (X[:, 5] > 0.8) * (X[:, 3] < 0.5)
rows, back = X[:ROWS], X[100:100 + BACK]


def floats(a):
    return [None if math.isnan(v) else float(v) for v in np.asarray(a, np.float64).ravel()]


def sklearn_tree(t, value):
    leaf = t.children_left < 0
    return {
        "feature": [int(f) for f in np.where(leaf, -1, t.feature)],
        "threshold": floats(t.threshold),
        "left": t.children_left.tolist(),
        "right": t.children_right.tolist(),
        "cover": floats(t.weighted_n_node_samples),
        "value": value,
        "output": -1,
    }


def entry(name, kind, trees, outputs, phi, base, **more):
    return dict(name=name, kind=kind, features=D, outputs=outputs, trees=trees, rows=floats(more.pop("rows", rows)),
                background=floats(more.pop("back", back)), phi=floats(phi), base=floats(base), **more)


def forest(depth):
    m = RandomForestClassifier(3, max_depth=depth, random_state=1).fit(X, y)
    trees = [sklearn_tree(e.tree_, floats(e.tree_.value[:, 0, :])) for e in m.estimators_]
    ex = shap.TreeExplainer(m, data=back, feature_perturbation="interventional", model_output="raw")
    phi = np.transpose(ex.shap_values(rows), (0, 2, 1))  # n, k, d
    path = shap.TreeExplainer(m, feature_perturbation="tree_path_dependent")
    pairs = np.transpose(path.shap_interaction_values(rows), (0, 3, 1, 2))  # n, k, d, d
    return entry(f"scikit-learn random forest of depth {depth}", 1, trees, 3, phi, ex.expected_value, interactions=floats(pairs))


def isolation():
    m = IsolationForest(n_estimators=5, max_samples=64, random_state=3).fit(X)
    trees = [sklearn_tree(e.tree_, []) for e in m.estimators_]
    ex = shap.TreeExplainer(m, data=back, feature_perturbation="interventional", model_output="raw")
    c = 2 * (math.log(63) + np.euler_gamma) - 2 * 63 / 64
    # shap explains the mean path length; ours is -length / c(psi).
    return entry("scikit-learn isolation forest", 3, trees, 1, -ex.shap_values(rows) / c, -np.asarray(ex.expected_value) / c, sample=64)


def boosting():
    params = dict(objective="multi:softprob", num_class=3, max_depth=4, eta=0.4, seed=4, nthread=1)
    x = X.copy()
    x[rng.random(x.shape) < 0.1] = np.nan
    b = xgb.train(params, xgb.DMatrix(x, label=y), 3)
    model = json.loads(b.save_raw("json"))["learner"]
    base = [float(v) for v in model["learner_model_param"]["base_score"].strip("[]").split(",")]
    base = base * 3 if len(base) == 1 else base
    booster = model["gradient_booster"]["model"]
    trees = []
    for t, output in zip(booster["trees"], booster["tree_info"]):
        cond = np.array(t["split_conditions"], np.float32)
        leaf = np.array(t["left_children"]) < 0
        trees.append({
            "output": int(output),
            "feature": [-1 if l else int(f) for l, f in zip(leaf, t["split_indices"])],
            "threshold": floats(np.nextafter(cond, np.float32(-np.inf))),
            "missingLeft": [bool(v) for v in t["default_left"]],
            "left": t["left_children"],
            "right": t["right_children"],
            "cover": floats(np.array(t["sum_hessian"], np.float32)),
            "value": floats(np.where(leaf, cond, 0)),
        })
    r, z = x[:ROWS], x[100:100 + BACK]
    ex = shap.TreeExplainer(b, data=z, feature_perturbation="interventional", model_output="raw")
    phi = np.transpose(ex.shap_values(r), (0, 2, 1))
    pairs = b.predict(xgb.DMatrix(r), pred_interactions=True)[:, :, :D, :D]
    # shap 0.51 adds base_score of class 0 to the expected value of each class.
    base_value = b.predict(xgb.DMatrix(z), output_margin=True).astype(np.float64).mean(0)
    return entry("XGBoost softmax", 2, trees, 3, phi, base_value, rows=r, back=z, bias=base, link=2,
                 interactions=floats(pairs))


out = {
    "made": datetime.date.today().isoformat(),
    "by": "reference.py",
    "versions": {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__,
                 "xgboost": xgb.__version__, "shap": shap.__version__},
    "ensembles": [forest(5), forest(12), isolation(), boosting()],
}
json.dump(out, sys.stdout, separators=(",", ":"))
print()
