"""Makes the models and goldens of this folder with the libraries themselves.

    python make.py            # writes everything but xgb2-*
    python make.py xgb2       # the same with XGBoost 2.1 on the path

A golden holds rows, what the library answers for them, its version and the
date. Rows hit thresholds exactly, lie one float64 or half a float32 beside
them, and lack values.
"""
import datetime, json, os, sys
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
D, K = 5, 3
NAMES = ["PROTOCOL", "IN_BYTES", "OUT_BYTES", "IN_PKTS", "OUT_PKTS"]


def data(n=400, seed=7, missing=True, categories=False):
    r = np.random.default_rng(seed)
    x = np.column_stack([
        r.integers(0, 20, n), r.lognormal(4, 2, n), r.lognormal(3, 2, n),
        r.integers(1, 60, n), r.normal(0, 1e-3, n)]).astype(np.float32).astype(np.float64)
    s = np.log(x[:, 1]) + 0.3 * x[:, 3] / 10 + 900 * x[:, 4] + (x[:, 0] % 3) * 1.5 + r.normal(0, 0.5, n)
    y = np.digitize(s, np.quantile(s, [0.5, 0.8]))
    if missing:
        x[r.random(x.shape) < 0.08] = np.nan
        if categories:
            x[:50, 0] = np.nan
    return x, y


def rows(thresholds, single, n=64, seed=3, missing=True, categories=False):
    """thresholds: per column those of the model."""
    r = np.random.default_rng(seed)
    x, _ = data(n, seed + 100, missing)
    for i in range(n):
        for j in range(D):
            t = thresholds.get(j)
            if not t or r.random() < 0.4 or (categories and j == 0):
                continue
            v = float(t[r.integers(len(t))])
            if not np.isfinite(v):  # present against missing
                continue
            a = r.integers(8)
            f = np.float32(v)
            lo, hi = float(np.nextafter(f, np.float32(-np.inf))), float(np.nextafter(f, np.float32(np.inf)))
            x[i, j] = [v, np.nextafter(v, -np.inf), np.nextafter(v, np.inf), lo, hi,
                       (lo + float(f)) / 2, (float(f) + hi) / 2, 0.0][a]
    if missing:
        x[0] = np.nan
    x[1] = 0
    if categories:
        x[2:6, 0] = [40, 64, 1000, -1]
    return x


def number(v):
    v = float(v)
    return None if np.isnan(v) else v


def golden(name, library, version, x, **answers):
    g = {"library": library, "version": version, "date": datetime.date.today().isoformat(), "script": "make.py",
         "rows": [[number(v) for v in row] for row in np.asarray(x)]}
    for k, v in answers.items():
        v = np.asarray(v)
        v = v.reshape(len(x), -1)
        g[k] = [[number(c) for c in row] for row in v]
    with open(os.path.join(here, name + ".golden.json"), "w") as f:
        f.write("{" + ",\n".join(json.dumps(k) + ":" + ("[\n" + ",\n".join(json.dumps(r) for r in v) + "]" if isinstance(v, list) else json.dumps(v))
                                 for k, v in g.items()) + "}\n")


def path(name):
    return os.path.join(here, name)


def cut_points(frame, column, feature, order=None):
    out = {}
    for f, t in zip(frame[feature], frame[column]):
        if isinstance(t, (int, float)) and t == t:
            j = NAMES.index(f) if f in NAMES else int(f[1:])
            out.setdefault(j, []).append(t)
    return out


def xgb(prefix):
    import xgboost as X
    x, y = data()

    def one(name, params, rounds, label, categories=False, formats=("json",), names=True):
        xx, _ = data(categories=categories)
        if categories:
            xx[:, 0] *= 4  # up to 76: sets of more than one word
        kind = ["c" if categories and j == 0 else "q" for j in range(D)]
        more = dict(feature_types=kind, enable_categorical=True) if categories else {}
        if names:
            more["feature_names"] = NAMES
        train = X.DMatrix(xx, label, **more)
        b = X.train({"nthread": 1, "seed": 1, "tree_method": "hist", **params}, train, rounds)
        for f in formats:
            b.save_model(path(f"{name}.{f}"))
        t = cut_points(b.trees_to_dataframe(), "Split", "Feature")
        q = rows(t, True, categories=categories)
        if categories:
            q[:, 0] *= 4
            q[2:6, 0] = [40, 64, 1000, np.nan]  # XGBoost refuses negative categories
        m = X.DMatrix(q, **more)
        golden(name, "xgboost", X.__version__, q, margin=b.predict(m, output_margin=True), score=b.predict(m),
               shap=b.predict(m, pred_contribs=True))

    two = (y > 0).astype(int)
    one(prefix + "binary", {"objective": "binary:logistic", "max_depth": 3, "eta": 0.5}, 8, two, formats=("json", "ubj"))
    one(prefix + "multi", {"objective": "multi:softprob", "num_class": K, "max_depth": 3, "eta": 0.4}, 4, y, formats=("json", "ubj"))
    one(prefix + "cat", {"objective": "binary:logistic", "max_depth": 3, "max_cat_to_onehot": 1, "eta": 0.5}, 5, two, categories=True, formats=("json", "ubj"))
    if prefix == "xgb-":
        one(prefix + "onehot", {"objective": "binary:logistic", "max_depth": 3, "max_cat_to_onehot": 64, "eta": 0.5}, 4, two, categories=True)
        one(prefix + "parallel", {"objective": "binary:logistic", "max_depth": 3, "num_parallel_tree": 4, "subsample": 0.5, "base_score": 0.25}, 2, two, names=False)
        one(prefix + "regression", {"objective": "reg:squarederror", "max_depth": 3}, 5, y)
        b = X.train({"booster": "dart", "objective": "binary:logistic", "max_depth": 2, "rate_drop": 0.5}, X.DMatrix(x, two), 3)
        b.save_model(path(prefix + "dart.json"))
        b = X.train({"booster": "gblinear", "objective": "binary:logistic"}, X.DMatrix(np.nan_to_num(x), two), 3)
        b.save_model(path(prefix + "linear.json"))


def lgb():
    import lightgbm as L
    base = {"verbose": -1, "num_threads": 1, "seed": 1, "num_leaves": 7, "min_data_in_leaf": 10, "deterministic": True}

    def one(name, params, rounds, label, missing=True, categories=False, **more):
        x, _ = data(missing=missing, categories=categories)
        if params.get("zero_as_missing"):
            x[np.random.default_rng(5).random(x.shape) < 0.3] = 0
        if categories:
            x[:, 0] *= 4
        ds = L.Dataset(x, label, feature_name=NAMES, categorical_feature=[0] if categories else [], params=base)
        b = L.train({**base, **params}, ds, rounds)
        b.save_model(path(name + ".txt"))
        t = cut_points(b.trees_to_dataframe().rename(columns={"split_feature": "f", "threshold": "t"}), "t", "f")
        q = rows(t, False, categories=categories)
        if categories:
            q[6:, 0] *= 4
        golden(name, "lightgbm", L.__version__, q, margin=b.predict(q, raw_score=True), score=b.predict(q), shap=b.predict(q, pred_contrib=True))

    _, y = data()
    two = (y > 0).astype(int)
    one("lgb-binary", {"objective": "binary"}, 8, two)
    one("lgb-sigmoid", {"objective": "binary", "sigmoid": 0.7}, 4, two)
    one("lgb-multi", {"objective": "multiclass", "num_class": K}, 4, y)
    one("lgb-ova", {"objective": "multiclassova", "num_class": K}, 3, y)
    one("lgb-cat", {"objective": "binary", "min_data_per_group": 5, "cat_smooth": 1}, 6, two, categories=True)
    one("lgb-whole", {"objective": "binary"}, 6, two, missing=False)
    one("lgb-zero", {"objective": "binary", "zero_as_missing": True}, 6, two)
    one("lgb-average", {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "feature_fraction": 0.8}, 5, two)
    one("lgb-regression", {"objective": "regression"}, 5, y)
    one("lgb-poisson", {"objective": "poisson"}, 3, y)


def skl():
    import onnxruntime as O, skl2onnx as S, sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.ensemble import (ExtraTreesClassifier, GradientBoostingClassifier,
                                  IsolationForest, RandomForestClassifier, RandomForestRegressor)

    def one(name, m, label, missing=False):
        x, _ = data(missing=missing)
        x = x.astype(np.float32)
        m.fit(x, label)
        opt = {type(m): {"zipmap": False}} if hasattr(m, "classes_") else None
        # HistGradientBoosting is left out: skl2onnx 1.20 does not convert that of scikit-learn 1.9.
        target = {"": 18, "ai.onnx.ml": 3}
        o = S.convert_sklearn(m, initial_types=[("X", FloatTensorType([None, D]))], options=opt, target_opset=target)
        with open(path(name + ".onnx"), "wb") as f:
            f.write(o.SerializeToString())
        trees = np.ravel(getattr(m, "estimators_", []))
        t = {}
        for e in trees:
            for f, v in zip(e.tree_.feature, e.tree_.threshold):
                if f >= 0:
                    t.setdefault(int(f), []).append(v)
        q = rows(t, True, missing=missing)
        s = O.InferenceSession(o.SerializeToString(), providers=["CPUExecutionProvider"])
        got = s.run(None, {"X": q.astype(np.float32)})
        q32 = q.astype(np.float32)
        if isinstance(m, IsolationForest):
            golden(name, "scikit-learn", sklearn.__version__, q, score=-m.score_samples(q32), ort=got[1])
        elif hasattr(m, "predict_proba"):
            golden(name, "scikit-learn", sklearn.__version__, q, score=m.predict_proba(q32), ort=got[1])
        else:
            golden(name, "scikit-learn", sklearn.__version__, q, score=m.predict(q32), ort=got[0])

    _, y = data()
    two = (y > 0).astype(int)
    words = np.array(["Benign", "DoS", "Scan"])[y]
    one("sk-forest", RandomForestClassifier(7, max_leaf_nodes=12, random_state=1), words)
    one("sk-forest2", RandomForestClassifier(3, max_leaf_nodes=12, random_state=1), two)
    one("sk-extra", ExtraTreesClassifier(5, max_leaf_nodes=12, random_state=1), y)
    one("sk-missing", RandomForestClassifier(5, max_leaf_nodes=12, random_state=1), y, missing=True)
    one("sk-boost2", GradientBoostingClassifier(n_estimators=6, random_state=1), two)
    one("sk-boost3", GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=1), y)
    one("sk-regressor", RandomForestRegressor(4, max_leaf_nodes=10, random_state=1), y.astype(float))
    one("sk-isolation", IsolationForest(n_estimators=6, max_samples=32, random_state=1), None)


def tl():
    import lightgbm as L, treelite as T, xgboost as X
    for name, m in [("tl-xgb-binary", T.frontend.load_xgboost_model(path("xgb-binary.json"))),
                    ("tl-xgb-multi", T.frontend.load_xgboost_model(path("xgb-multi.json"))),
                    ("tl-xgb-cat", T.frontend.load_xgboost_model(path("xgb-cat.json"))),
                    ("tl-lgb-cat", T.frontend.load_lightgbm_model(path("lgb-cat.txt"))),
                    ("tl-lgb-multi", T.frontend.load_lightgbm_model(path("lgb-multi.txt")))]:
        with open(path(name + ".json"), "w") as f:
            f.write(m.dump_as_json(pretty_print=False))
        m.serialize(path(name + ".treelite"))
        with open(path(name[3:] + ".golden.json")) as f:
            q = np.array([[np.nan if v is None else v for v in r] for r in json.load(f)["rows"]])
        if "xgb" in name:
            q = q.astype(np.float32)
        golden(name, "treelite", T.__version__, q, margin=T.gtil.predict(m, q, nthread=1, pred_margin=True), score=T.gtil.predict(m, q, nthread=1))
    from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier, RandomForestRegressor
    x, y = data(missing=False)
    for name, m in [("tl-sk-forest", RandomForestClassifier(7, max_leaf_nodes=12, random_state=1).fit(x, y)),
                    ("tl-sk-boost", GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=1).fit(x, y)),
                    ("tl-sk-regressor", RandomForestRegressor(4, max_leaf_nodes=10, random_state=1).fit(x, y.astype(float))),
                    ("tl-sk-isolation", IsolationForest(n_estimators=6, max_samples=32, random_state=1).fit(x))]:
        trees = [a for e in m.estimators_ for a in np.ravel(e)]
        cuts = {j: [v for a in trees for f, v in zip(a.tree_.feature, a.tree_.threshold) if f == j] for j in range(D)}
        m = T.sklearn.import_model(m)
        m.serialize(path(name + ".treelite"))
        q = rows(cuts, False, missing=False)
        golden(name, "treelite", T.__version__, q, score=T.gtil.predict(m, q, nthread=1))


def newer():
    """TreeEnsemble of ai.onnx.ml 5, which no converter writes yet."""
    import onnx, onnxruntime as O
    from onnx import helper as H, TensorProto as P
    modes = [0, 6, 1, 3, 6, 2]  # LEQ, MEMBER, LT, GT, MEMBER, GTE
    f32 = lambda name, v: H.make_tensor(name, P.FLOAT, [len(v)], v)
    n = H.make_node(
        "TreeEnsemble", ["X"], ["Y"], domain="ai.onnx.ml", n_targets=3, aggregate_function=1, post_transform=0,
        tree_roots=[0, 3], nodes_featureids=[1, 0, 3, 2, 0, 4], nodes_splits=f32("s", [30.5, 0, 7.0, 11.25, 0, 1e-4]),
        nodes_modes=H.make_tensor("m", P.UINT8, [6], modes),
        nodes_truenodeids=[1, 0, 1, 4, 4, 6], nodes_trueleafs=[0, 1, 1, 0, 1, 1],
        nodes_falsenodeids=[2, 2, 3, 5, 5, 7], nodes_falseleafs=[0, 1, 1, 0, 1, 1],
        nodes_missing_value_tracks_true=[1, 0, 1, 0, 1, 0],
        membership_values=f32("v", [1, 3, 5, 7, float("nan"), 2, 4, 70]),
        leaf_targetids=[0, 1, 2, 0, 1, 2, 0, 1], leaf_weights=f32("w", [0.5, -0.25, 1.5, 0.75, -1.0, 2.0, 0.1, 0.3]))
    g = H.make_graph([n], "g", [H.make_tensor_value_info("X", P.FLOAT, [None, D])], [H.make_tensor_value_info("Y", P.FLOAT, [None, 3])])
    m = H.make_model(g, opset_imports=[H.make_opsetid("", 21), H.make_opsetid("ai.onnx.ml", 5)], ir_version=10)
    onnx.checker.check_model(m)
    with open(path("newer.onnx"), "wb") as f:
        f.write(m.SerializeToString())
    q = rows({1: [30.5], 2: [11.25], 3: [7.0], 4: [1e-4]}, True)
    q[:, 0] = np.arange(len(q)) % 9
    q[6, 0] = 70
    q[9, 0] = np.nan
    s = O.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"])
    golden("newer", "onnxruntime", O.__version__, q, score=s.run(None, {"X": q.astype(np.float32)})[0])


if __name__ == "__main__":
    if sys.argv[1:] == ["xgb2"]:
        xgb("xgb2-")
    else:
        for part in [lambda: xgb("xgb-"), lgb, skl, tl, newer]:
            part()
