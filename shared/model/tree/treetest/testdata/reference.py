"""Writes reference.json: small ensembles of scikit-learn and XGBoost with
rows, scores and SHAP values, in the plain form of tree.Source.

    python reference.py > reference.json

The tests do not run it. Rows are float32 values, because both libraries
round them to float32; XGBoost's x < t becomes x <= the next float32 below t.
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
from sklearn.ensemble import ExtraTreesRegressor, IsolationForest, RandomForestClassifier

rng = np.random.default_rng(7)
N, D, ROWS = 400, 8, 16
X = rng.normal(size=(N, D)).astype(np.float32)
X[:, 2] = rng.integers(0, 5, N)
X[:, 5] = np.round(X[:, 5] * 4) / 4
y = (X[:, 0] + X[:, 1] * X[:, 2] > 0.5).astype(int) + (X[:, 5] > 0.8) * (X[:, 3] < 0.5)
rows = X[:ROWS].copy()
rows[0, 5] = X[0, 5] = 0.25
rows[1] *= 10


def floats(a):
    return [None if math.isnan(v) else float(v) for v in np.asarray(a, np.float64).ravel()]


def sklearn_tree(t, value):
    leaf = t.children_left < 0
    return {
        "output": -1,
        "feature": [int(f) if f >= 0 else -1 for f in np.where(leaf, -1, t.feature)],
        "threshold": floats(t.threshold),
        "left": t.children_left.tolist(),
        "right": t.children_right.tolist(),
        "cover": floats(t.weighted_n_node_samples),
        "value": value,
    }


def entry(name, tool, kind, trees, outputs, margin, score, phi, expected, **more):
    return dict(name=name, tool=tool, kind=kind, features=D, outputs=outputs, trees=trees, rows=floats(more.pop("x", rows)),
                margin=floats(margin), score=floats(score), phi=floats(phi), expected=floats(expected), **more)


def forest():
    m = RandomForestClassifier(6, max_depth=6, random_state=1).fit(X, y)
    trees = []
    for e in m.estimators_:
        v = e.tree_.value[:, 0, :]
        trees.append(sklearn_tree(e.tree_, floats(v)))
    ex = shap.TreeExplainer(m, feature_perturbation="tree_path_dependent")
    phi = np.transpose(ex.shap_values(rows), (0, 2, 1))  # n, k, d
    p = m.predict_proba(rows)
    return entry("scikit-learn random forest", "shap TreeExplainer", 1, trees, 3, p, p, phi, ex.expected_value)


def regression():
    m = ExtraTreesRegressor(5, max_depth=7, random_state=2, bootstrap=True).fit(X, X[:, 0] * X[:, 1] + y)
    trees = [sklearn_tree(e.tree_, floats(e.tree_.value)) for e in m.estimators_]
    ex = shap.TreeExplainer(m, feature_perturbation="tree_path_dependent")
    p = m.predict(rows)
    return entry("scikit-learn extra trees regression", "shap TreeExplainer", 1, trees, 1, p, p, ex.shap_values(rows), ex.expected_value)


def isolation():
    m = IsolationForest(n_estimators=8, max_samples=64, random_state=3).fit(X)
    trees = [sklearn_tree(e.tree_, []) for e in m.estimators_]
    score = -m.score_samples(rows)
    ex = shap.TreeExplainer(m, feature_perturbation="tree_path_dependent")
    c = 2 * (math.log(63) + np.euler_gamma) - 2 * 63 / 64
    # shap explains the mean path length; ours is -length / c(psi).
    phi = -ex.shap_values(rows) / c
    return entry("scikit-learn isolation forest", "shap TreeExplainer", 3, trees, 1, np.log2(score), score, phi,
                 -np.asarray(ex.expected_value) / c, sample=64)


def boosting(name, objective, link, target):
    x = X.copy()
    x[rng.random(x.shape) < 0.1] = np.nan
    sample = x[:ROWS]
    params = dict(objective=objective, max_depth=4, eta=0.4, seed=4, nthread=1)
    outputs = 1
    if objective == "multi:softprob":
        params["num_class"] = outputs = 3
    b = xgb.train(params, xgb.DMatrix(x, label=target), 6)
    model = json.loads(b.save_raw("json"))["learner"]
    base = [float(v) for v in model["learner_model_param"]["base_score"].strip("[]").split(",")]
    base = [math.log(p / (1 - p)) if link == 1 else p for p in base]
    if len(base) < outputs:
        base *= outputs
    booster = model["gradient_booster"]["model"]
    trees = []
    for t, output in zip(booster["trees"], booster["tree_info"]):
        cond = np.array(t["split_conditions"], np.float32)
        left = t["left_children"]
        leaf = np.array(left) < 0
        trees.append({
            "output": int(output),
            "feature": [-1 if l else int(f) for l, f in zip(leaf, t["split_indices"])],
            "threshold": floats(np.nextafter(cond, np.float32(-np.inf))),
            "missingLeft": [bool(v) for v in t["default_left"]],
            "left": left,
            "right": t["right_children"],
            "cover": floats(np.array(t["sum_hessian"], np.float32)),
            "value": floats(np.where(leaf, cond, 0)),
        })
    m = xgb.DMatrix(sample)
    contribs = b.predict(m, pred_contribs=True).reshape(ROWS, outputs, D + 1)
    return entry(name, "xgboost pred_contribs", 2, trees, outputs, b.predict(m, output_margin=True), b.predict(m),
                 contribs[:, :, :D], contribs[0, :, D], base=base, link=link, x=sample)


out = {
    "made": datetime.date.today().isoformat(),
    "by": "reference.py",
    "versions": {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__,
                 "xgboost": xgb.__version__, "shap": shap.__version__},
    "ensembles": [
        forest(), regression(), isolation(),
        boosting("XGBoost softmax", "multi:softprob", 2, y),
        boosting("XGBoost logistic", "binary:logistic", 1, (y > 0).astype(int)),
    ],
}
json.dump(out, sys.stdout, separators=(",", ":"))
print()
