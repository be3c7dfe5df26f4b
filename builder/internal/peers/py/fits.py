"""The peers' models behind one face: scores, prepare, shap and export."""

import importlib
import json

import numpy as np


def versions():
    names = ["sklearn", "xgboost", "lightgbm", "shap", "onnxruntime", "numpy"]
    found = []
    for name in names:
        try:
            found.append("%s %s" % (name, importlib.import_module(name).__version__))
        except ImportError:
            pass
    return ", ".join(found)


class Model:
    def verdict(self, x):
        """Scores and label of a row that comes alone."""
        return self.scores(x).argmax()

    def prepare(self, x):
        """What scores takes, made outside the clock as users hold it."""
        return x

    def export(self, path, data, nodes):
        """Writes path.trees, path.onnx and the library's own file; returns the
        model that was written, of at most some nodes, and its size."""
        raise NotImplementedError


def write_trees(path, head, trees):
    """The plain dump: a line about the ensemble, then a line a tree."""
    with open(path, "w") as f:
        f.write(json.dumps(head) + "\n")
        for t in trees:
            f.write(json.dumps(t) + "\n")


def sklearn_tree(t, leaf):
    """The arrays of one scikit-learn tree; leaf says what a leaf holds."""
    inner = t.children_left >= 0
    return {
        "output": -1,
        "feature": np.where(inner, t.feature, -1).tolist(),
        "threshold": np.where(inner, t.threshold, 0).tolist(),
        "left": np.where(inner, t.children_left, 0).tolist(),
        "right": np.where(inner, t.children_right, 0).tolist(),
        "cover": t.weighted_n_node_samples.tolist(),
        "value": [None if i else leaf(v, c) for i, v, c in zip(inner, t.value[:, 0, :], t.weighted_n_node_samples)],
    }


def shares(v, cover):
    """Class shares of a leaf, as exact quotients of counts where they are."""
    counts = np.rint(v * cover)
    if counts.sum() == cover and np.abs(counts / cover - v).max() < 1e-12:
        return (counts / cover).tolist()
    return v.tolist()


class Forest(Model):
    family = "RandomForestClassifier"

    def __init__(self, r, data):
        import sklearn.ensemble

        self.m = getattr(sklearn.ensemble, self.family)(
            n_estimators=r["trees"], n_jobs=1, random_state=r["seed"], class_weight=r.get("class_weight")
        )
        self.m.fit(data.train, data.train_y)

    def scores(self, x):
        return self.m.predict_proba(x)

    def shap(self, x):
        import shap

        e = shap.TreeExplainer(self.m, feature_perturbation="tree_path_dependent")
        return lambda: e.shap_values(x, check_additivity=False)

    def export(self, path, data, nodes):
        import copy

        total, kept = 0, 0
        for e in self.m.estimators_:
            if nodes and kept and total + e.tree_.node_count > nodes:
                break
            total, kept = total + e.tree_.node_count, kept + 1
        m = copy.copy(self.m)
        m.estimators_ = self.m.estimators_[:kept]
        m.n_estimators = kept
        head = {"kind": "forest", "features": m.n_features_in_, "outputs": len(m.classes_)}
        write_trees(path + ".trees", head, (sklearn_tree(e.tree_, shares) for e in m.estimators_))
        joblib_file(m, path)
        onnx_of(m, m.n_features_in_, path, {id(m): {"zipmap": False}})
        part = copy.copy(self)
        part.m = m
        return part, {"nodes": total, "trees": kept}


class ExtraTrees(Forest):
    family = "ExtraTreesClassifier"


def joblib_file(m, path):
    import joblib

    joblib.dump(m, path + ".joblib")


def onnx_of(m, features, path, options=None):
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    o = skl2onnx.to_onnx(
        m,
        initial_types=[("X", FloatTensorType([None, features]))],
        options=options,
        target_opset={"": 15, "ai.onnx.ml": 3},
    )
    with open(path + ".onnx", "wb") as f:
        f.write(o.SerializeToString())


def narrow(path, features):
    """Rewrites a forest that averages float64 leaves as the float32 classifier
    that skl2onnx makes of one. A threshold becomes the largest float32 that is
    not above it: float32 rows go the same way."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    old = next(n for n in onnx.load(path).graph.node if n.op_type == "TreeEnsembleRegressor")
    a = {x.name: numpy_helper.to_array(x.t) if x.type == onnx.AttributeProto.TENSOR else helper.get_attribute_value(x) for x in old.attribute}
    values = a["nodes_values_as_tensor"]
    low = values.astype(np.float32)
    low = np.where(low > values, np.nextafter(low, np.float32(-np.inf)), low)
    kept = np.flatnonzero(a["target_weights_as_tensor"])
    trees, classes = max(a["nodes_treeids"]) + 1, a["n_targets"]
    new = helper.make_node(
        "TreeEnsembleClassifier",
        ["X"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        **{k: a[k] for k in a if k.startswith("nodes_") and not k.endswith("_as_tensor")},
        nodes_values=low.tolist(),
        **{"class_" + k: [a["target_" + k][i] for i in kept] for k in ("treeids", "nodeids", "ids")},
        class_weights=(a["target_weights_as_tensor"][kept] / trees).astype(np.float32).tolist(),
        classlabels_int64s=list(range(classes)),
        post_transform="NONE",
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [new],
        "trees",
        [info("X", TensorProto.FLOAT, [None, features])],
        [info("label", TensorProto.INT64, [None]), info("probabilities", TensorProto.FLOAT, [None, classes])],
    )
    sets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), path)


class Isolation(Model):
    def __init__(self, r, data):
        from sklearn.ensemble import IsolationForest

        more = {"contamination": r["contamination"]} if "contamination" in r else {}
        self.m = IsolationForest(n_estimators=r["trees"], max_samples=256, n_jobs=1, random_state=r["seed"], **more)
        self.m.fit(data.train)

    def scores(self, x):
        return -self.m.score_samples(x)

    def shap(self, x):
        import shap

        e = shap.TreeExplainer(self.m, feature_perturbation="tree_path_dependent")
        return lambda: e.shap_values(x, check_additivity=False)

    def export(self, path, data, nodes):
        head = {
            "kind": "isolation",
            "features": self.m.n_features_in_,
            "outputs": 1,
            "sample_size": int(self.m._max_samples),
        }
        trees = [sklearn_tree(e.tree_, lambda v, c: []) for e in self.m.estimators_]
        for t, e in zip(trees, self.m.estimators_):
            t["cover"] = e.tree_.n_node_samples.tolist()
        write_trees(path + ".trees", head, trees)
        joblib_file(self.m, path)
        onnx_of(self.m, self.m.n_features_in_, path)
        return self, {"nodes": int(sum(e.tree_.node_count for e in self.m.estimators_)), "trees": len(trees)}


class Text(Model):
    """TF-IDF and a forest on its sparse rows."""

    def __init__(self, r, data):
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.v = TfidfVectorizer(max_features=r["terms"])
        self.m = RandomForestClassifier(
            n_estimators=r["trees"], n_jobs=1, random_state=r["seed"], class_weight="balanced"
        )
        self.m.fit(self.v.fit_transform(data.train), data.train_y)
        counts = np.bincount(data.train_y, minlength=len(self.m.classes_))
        self.weights = len(data.train_y) / (len(counts) * counts)

    def scores(self, docs):
        return self.m.predict_proba(self.v.transform(docs))

    def export(self, path, data, nodes):
        head = {
            "kind": "forest",
            "features": self.m.n_features_in_,
            "outputs": len(self.m.classes_),
            "terms": self.v.get_feature_names_out().tolist(),
            "idf": self.v.idf_.tolist(),
        }
        leaf = shares
        # scikit-learn 1.9 draws rows by their class weights and counts them; before, it weighed what it had drawn.
        if any((e.tree_.weighted_n_node_samples % 1).any() for e in self.m.estimators_):
            head["class_weights"] = self.weights.tolist()
            leaf = lambda v, c: v.tolist()
        write_trees(path + ".trees", head, (sklearn_tree(e.tree_, leaf) for e in self.m.estimators_))
        joblib_file((self.v, self.m), path)
        onnx_of(self.m, self.m.n_features_in_, path, {id(self.m): {"zipmap": False}})
        # For the peers that have no text step: the test rows as they enter the forest.
        self.v.transform(data.test).toarray().astype(np.float32).tofile(path + ".f32")
        return self, {"nodes": int(sum(e.tree_.node_count for e in self.m.estimators_)), "trees": len(self.m.estimators_)}


class XGBoost(Model):
    def __init__(self, r, data):
        import xgboost as xgb

        m = xgb.DMatrix(data.train, label=data.train_y, nthread=1)
        self.m = xgb.train(
            {
                "objective": "multi:softprob",
                "num_class": data.classes,
                "tree_method": "hist",
                "max_depth": 6,
                "eta": r["eta"],
                "nthread": 1,
                "seed": r["seed"],
                "verbosity": 0,
            },
            m,
            r["trees"],
        )

    def scores(self, x):
        return self.m.inplace_predict(x)

    def shap(self, x):
        import xgboost as xgb

        d = xgb.DMatrix(x, nthread=1)
        return lambda: self.m.predict(d, pred_contribs=True)

    def export(self, path, data, nodes):
        raw = json.loads(self.m.save_raw("json"))
        model = raw["learner"]["gradient_booster"]["model"]
        base = json.loads(raw["learner"]["learner_model_param"]["base_score"])
        base = base if isinstance(base, list) else [base]
        if len(base) == 1:
            base = base * data.classes
        head = {
            "kind": "boosting",
            "features": data.features,
            "outputs": data.classes,
            "base": base,
            "link": "softmax",
            "float32_less": True,
        }
        trees = []
        for output, t in zip(model["tree_info"], model["trees"]):
            leaf = [c < 0 for c in t["left_children"]]
            trees.append(
                {
                    "output": output,
                    "feature": [-1 if l else f for l, f in zip(leaf, t["split_indices"])],
                    "threshold": [0 if l else c for l, c in zip(leaf, t["split_conditions"])],
                    "missing_left": [bool(d) for d in t["default_left"]],
                    "left": [max(c, 0) for c in t["left_children"]],
                    "right": [max(c, 0) for c in t["right_children"]],
                    "cover": t["sum_hessian"],
                    "value": [[c] if l else None for l, c in zip(leaf, t["split_conditions"])],
                }
            )
        write_trees(path + ".trees", head, trees)
        self.m.save_model(path + ".ubj")
        # XGBoost 1.7 reads the same trees once the base is one number, which
        # moves no attribution.
        raw["learner"]["learner_model_param"]["base_score"] = "5E-1"
        raw["version"] = [1, 7, 6]
        with open(path + ".old.json", "w") as f:
            json.dump(raw, f)
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        o = convert_xgboost(self.m, initial_types=[("X", FloatTensorType([None, data.features]))], target_opset=15)
        with open(path + ".onnx", "wb") as f:
            f.write(o.SerializeToString())
        return self, {"nodes": sum(len(t["feature"]) for t in trees), "trees": len(trees)}


class LightGBM(Model):
    def __init__(self, r, data):
        import lightgbm as lgb

        # XGBoost's settings in LightGBM's words; leaf-wise to as many leaves.
        self.m = lgb.train(
            {
                "objective": "multiclass",
                "num_class": data.classes,
                "num_leaves": 64,
                "max_depth": 6,
                "learning_rate": r["eta"],
                "lambda_l2": 1.0,
                "min_sum_hessian_in_leaf": 1.0,
                "min_data_in_leaf": 1,
                "num_threads": 1,
                "force_col_wise": True,
                "seed": r["seed"],
                "verbose": -1,
            },
            lgb.Dataset(data.train, label=data.train_y),
            r["trees"],
        )

    def scores(self, x):
        return self.m.predict(x, num_threads=1)

    def shap(self, x):
        return lambda: self.m.predict(x, pred_contrib=True, num_threads=1)


class Onnx(Model):
    def __init__(self, path):
        import onnxruntime as ort

        o = ort.SessionOptions()
        o.intra_op_num_threads = o.inter_op_num_threads = 1
        self.s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
        self.out = self.s.get_outputs()[-1].name
        # skl2onnx gives an isolation forest's decision function, offset -0.5.
        self.anomaly = self.out == "scores"

    def verdict(self, x):
        return self.s.run(None, {"X": x})

    def scores(self, x):
        y = self.s.run([self.out], {"X": x})[0]
        return 0.5 - y if self.anomaly else y


FITS = {"forest": Forest, "extra": ExtraTrees, "isolation": Isolation, "text": Text, "xgboost": XGBoost, "lightgbm": LightGBM}


def fit(r, data):
    return FITS[r["lib"]](r, data)


def load(lib, path):
    if lib == "onnx":
        return Onnx(path)
    if lib == "xgboost":
        import xgboost as xgb

        m = XGBoost.__new__(XGBoost)
        m.m = xgb.Booster({"nthread": 1}, model_file=path)
        return m
    import joblib

    m = Forest.__new__(Forest)
    m.m = joblib.load(path)
    return m
