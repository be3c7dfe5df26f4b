"""Puts package grow beside scikit-learn and XGBoost.

    compare.py golden            writes table.csv and golden.json (read by golden_test.go)
    compare.py flows DIR         quality on NF-v3 and NSL-KDD flows in DIR (not in the repository)
    compare.py speed             CPU seconds of one thread on a generated 50,000 x 43 table

The last two need the command beside it: go build -o peer ./builder/internal/train/grow/testdata/peer,
with PEER naming the binary. Their recorded output is compare.txt.
"""
import os
os.environ["OMP_NUM_THREADS"] = "1"
import datetime, glob, gzip, json, subprocess, sys, tempfile, time
import numpy as np, pandas as pd, sklearn, xgboost as xgb
from scipy import sparse
from sklearn.ensemble import (ExtraTreesClassifier, ExtraTreesRegressor, IsolationForest,
                              RandomForestClassifier, RandomForestRegressor)
from sklearn.metrics import accuracy_score, f1_score, log_loss, r2_score, roc_auc_score

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = range(5)


def quality(p, y, k):
    """Accuracy, macro F1 and log loss with probabilities of at least 1e-3."""
    q = np.clip(p, 1e-3, 1)
    q = q / q.sum(1, keepdims=True)
    return [accuracy_score(y, p.argmax(1)), f1_score(y, p.argmax(1), average="macro", labels=range(k), zero_division=0),
            log_loss(y, q, labels=list(range(k)))]


def golden():
    r = np.random.default_rng(20261122)
    n = 2000
    y = r.choice(4, n, p=[.6, .25, .12, .03])
    z = r.normal(size=(n, 4)) + np.array([[0, 0, 0, 0], [1.2, 0, .5, 0], [0, 1.5, -.5, 1], [3, -3, 3, -3]])[y]
    x = np.column_stack([z[:, 0], np.exp(z[:, 1]), np.floor(np.exp(z[:, 2] / 2) * 3), z[:, 0] + z[:, 3],
                         (z[:, 1] > .7) * 1., z[:, 2] * z[:, 3], r.normal(size=n), np.round(z[:, 3] * 4)])
    x = np.round(x, 3)
    x[r.random(n) < .1 + .4 * (y == 1), 5] = np.nan
    t = np.round(z[:, 0] ** 2 + z[:, 1] + np.sin(2 * z[:, 3]) + r.normal(size=n) / 2, 3)
    names = [f"f{j}" for j in range(8)]
    d = pd.DataFrame(x, columns=names)
    d["class"], d["target"] = y, t
    d.to_csv(os.path.join(HERE, "table.csv"), index=False, float_format="%.6g")
    d = pd.read_csv(os.path.join(HERE, "table.csv"))
    x, y, t = d[names].values, d["class"].values, d["target"].values
    out = {}
    # The five splits of two fifths for the test; golden_test.go makes the same.
    cut = [(np.isin((np.arange(n) - s) % 5, (0, 1), invert=True), np.isin((np.arange(n) - s) % 5, (0, 1))) for s in SEEDS]

    def add(name, metrics, rows):
        rows = np.array(rows)
        out[name] = {m: {"mean": round(float(rows[:, i].mean()), 6), "spread": round(float(rows[:, i].std()), 6)} for i, m in enumerate(metrics)}

    cls = ["accuracy", "f1", "logloss"]
    for name, make in {
        "forest": lambda s: RandomForestClassifier(100, random_state=s),
        "forest balanced": lambda s: RandomForestClassifier(100, random_state=s, class_weight="balanced", min_samples_leaf=3),
        "forest shallow": lambda s: RandomForestClassifier(100, random_state=s, max_depth=5, max_features=4),
        "extra trees": lambda s: ExtraTreesClassifier(100, random_state=s),
    }.items():
        add(name, cls, [quality(make(s).fit(x[a], y[a]).predict_proba(x[b]), y[b], 4) for s, (a, b) in enumerate(cut)])
    for name, make in {
        "forest regression": lambda s: RandomForestRegressor(100, random_state=s),
        "extra trees regression": lambda s: ExtraTreesRegressor(100, random_state=s),
    }.items():
        add(name, ["r2"], [[r2_score(t[b], make(s).fit(x[a], t[a]).predict(x[b]))] for s, (a, b) in enumerate(cut)])
    add("isolation", ["auc"], [[roc_auc_score(y[b] == 3, -IsolationForest(random_state=s).fit(np.nan_to_num(x[a])).score_samples(np.nan_to_num(x[b])))] for s, (a, b) in enumerate(cut)])
    base = dict(tree_method="hist", nthread=1, eta=.1)
    for name, extra, rounds in [
        ("boost", dict(max_depth=6), 100),
        ("boost leaf-wise", dict(max_depth=0, max_leaves=16, grow_policy="lossguide"), 60),
        ("boost sampled", dict(max_depth=5, subsample=.7, colsample_bytree=.8, colsample_bylevel=.8, colsample_bynode=.8), 80),
        ("boost penalties", dict(max_depth=5, reg_lambda=3, alpha=.5, gamma=.3, min_child_weight=4), 80),
    ]:
        rows = []
        for s, (a, b) in enumerate(cut):
            p = dict(base, objective="multi:softprob", num_class=4, seed=s, **extra)
            m = xgb.train(p, xgb.DMatrix(x[a], y[a]), rounds)
            rows.append(quality(m.predict(xgb.DMatrix(x[b])), y[b], 4))
        add(name, cls, rows)
    two, one, mono = [], [], []
    for a, b in cut:
        m = xgb.train(dict(base, objective="binary:logistic", max_depth=4, scale_pos_weight=2), xgb.DMatrix(x[a], y[a] > 0), 60)
        p = m.predict(xgb.DMatrix(x[b]))
        two.append(quality(np.column_stack([1 - p, p]), (y[b] > 0).astype(int), 2))
        p = dict(base, objective="reg:squarederror", max_depth=4)
        one.append([r2_score(t[b], xgb.train(p, xgb.DMatrix(x[a], t[a]), 100).predict(xgb.DMatrix(x[b])))])
        p["monotone_constraints"] = (1, 1, 0, 0, 0, 0, 0, 0)
        mono.append([r2_score(t[b], xgb.train(p, xgb.DMatrix(x[a], t[a]), 100).predict(xgb.DMatrix(x[b])))])
    add("boost binary", cls, two)
    add("boost regression", ["r2"], one)
    add("boost monotone", ["r2"], mono)
    with open(os.path.join(HERE, "golden.json"), "w") as f:
        json.dump({"script": "compare.py golden", "date": str(datetime.date.today()), "scikit-learn": sklearn.__version__,
                   "xgboost": xgb.__version__, "numpy": np.__version__, "seeds": len(SEEDS), "scores": out}, f, indent=1)
        f.write("\n")


def write(name, x, y, k):
    with open(name, "wb") as f:
        np.array([x.shape[0], x.shape[1], k], "<i8").tofile(f)
        (x.toarray() if sparse.issparse(x) else x).astype("<f8").tofile(f)
        y.astype("<f8").tofile(f)


def peer(kind, options, x, y, k, xt, yt):
    with tempfile.TemporaryDirectory() as tmp:
        tr, te, out = (os.path.join(tmp, n) for n in ("train", "test", "out"))
        write(tr, x, y, k)
        write(te, xt, yt, k)
        r = subprocess.run([os.environ["PEER"], kind, json.dumps(options), tr, te, te, out], capture_output=True, text=True, check=True)
        return np.fromfile(out).reshape(len(yt), -1), json.loads(r.stdout)


def softmax(m):
    e = np.exp(m - m.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def show(name, rows):
    rows = np.array(rows)
    print(f"  {name:28s}", " ".join(f"{a:.4f}±{b:.4f}" for a, b in zip(rows.mean(0), rows.std(0))), flush=True)


def flows(folder):
    d = pd.read_csv(glob.glob(os.path.join(folder, "nf-v3", "*.csv"))[0])
    x = d[["PROTOCOL", "FLOW_DURATION_MILLISECONDS", "SRC_TO_DST_IAT_MAX", "DST_TO_SRC_IAT_MAX", "IN_BYTES", "OUT_BYTES",
           "IN_PKTS", "OUT_PKTS", "TCP_FLAGS"]].values.astype(float)
    compare("NF-CSE-CIC-IDS2018-v3 sample", x, d["Attack"].astype("category").cat.codes.values.astype(int))
    d = pd.read_csv(gzip.open(glob.glob(os.path.join(folder, "nsl-kdd", "*.gz"))[0], "rt"), header=None)
    dos = set("back land neptune pod smurf teardrop".split())
    probe = set("satan ipsweep nmap portsweep".split())
    user = set("buffer_overflow loadmodule rootkit perl".split())
    y = d[41].map(lambda s: 0 if s == "normal" else 1 if s in dos else 2 if s in probe else 4 if s in user else 3).values
    x = d.iloc[:, :41].copy()
    for c in (1, 2, 3):
        x[c] = x[c].astype("category").cat.codes
    compare("NSL-KDD 20 %", x.values.astype(float), y)


def compare(name, x, y):
    k = int(y.max()) + 1
    print(f"{name}: {len(y)} rows, {x.shape[1]} columns, {k} classes; 70/30 splits of 5 seeds; accuracy, macro F1, log loss")
    rows = {}
    for s in SEEDS:
        p = np.random.default_rng(s).permutation(len(y))
        a, b = p[:int(.7 * len(y))], p[int(.7 * len(y)):]

        def add(who, q):
            rows.setdefault(who, []).append(quality(q, y[b], k))
        for kind, make, o in [("forest", RandomForestClassifier, {}), ("extra trees", ExtraTreesClassifier, {"ExtraTrees": True})]:
            m = make(100, random_state=s).fit(x[a], y[a])
            q = np.zeros((len(b), k))
            q[:, m.classes_] = m.predict_proba(x[b])
            add(f"{kind}, scikit-learn", q)
            add(f"{kind}, grow", peer("forest", {"Seed": s, **o}, x[a], y[a], k, x[b], y[b])[0])
        for eta in (.1, .3):
            m = xgb.train(dict(objective="multi:softprob", num_class=k, eta=eta, nthread=1, tree_method="hist", seed=s), xgb.DMatrix(x[a], y[a]), 100)
            add(f"boosting eta {eta}, XGBoost", m.predict(xgb.DMatrix(x[b])))
            add(f"boosting eta {eta}, grow", softmax(peer("boost", {"Seed": s, "LearningRate": eta}, x[a], y[a], k, x[b], y[b])[0]))
    for who in rows:
        show(who, rows[who])
    odd = (y != np.bincount(y).argmax()).astype(int)
    aucs = {"scikit-learn": [], "grow": []}
    for s in SEEDS:
        aucs["scikit-learn"].append([roc_auc_score(odd, -IsolationForest(random_state=s).fit(x).score_samples(x))])
        aucs["grow"].append([roc_auc_score(odd, peer("isolation", {"Seed": s}, x, y, 0, x, y)[0][:, 0])])
    for who in aucs:
        show(f"isolation AUC, {who}", aucs[who])


def table(n, seed=7):
    r, c = np.random.default_rng(seed), np.random.default_rng(99)
    d, k = 43, 7
    prior = np.array([.80, .08, .05, .025, .022, .02, .003])
    y = r.choice(k, n, p=prior / prior.sum())
    mu = c.normal(size=(k, 12))
    mu[3] = mu[0] + .15
    h = (r.normal(size=(n, 12)) + mu[y] * .9) @ c.normal(size=(12, d)) / 3 + r.normal(size=(n, d)) * .6
    x = np.empty((n, d))
    for j in range(d):
        v = h[:, j]
        x[:, j] = [np.exp(2 * v), np.floor(np.exp(v)), (v > .5) * 1., np.round(v * 50), v][j % 5]
    return x, y, k


def speed(times=3):
    x, y, k = table(70000)
    xt, yt, x, y = x[50000:], y[50000:], x[:50000], y[:50000]
    print(f"generated table: {len(y)} x {x.shape[1]}, {k} classes; CPU seconds of one thread, binning and DMatrix included; interleaved, median of {times}")

    def run(name, theirs, ours):
        ratio, rows, q = [], [], None
        for s in range(times):
            t = time.process_time()
            m = theirs(s)
            a = time.process_time() - t
            p, j = ours(s)
            rows.append((a, j["cpu"]))
            ratio.append(a / j["cpu"])
        rows = np.array(rows)
        print(f"  {name:40s} theirs {np.median(rows[:, 0]):.2f} s, grow {np.median(rows[:, 1]):.2f} s, ratio {np.median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f})", flush=True)
        return m, p

    for trees in (20, 100):
        m, p = run(f"random forest {trees}", lambda s: RandomForestClassifier(trees, random_state=s, n_jobs=1).fit(x, y),
                   lambda s: peer("forest", {"Seed": s, "Trees": trees, "Workers": 1}, x, y, k, xt, yt))
        print("    quality", quality(m.predict_proba(xt), yt, k), quality(p, yt, k))
    m, p = run("extra trees 50", lambda s: ExtraTreesClassifier(50, random_state=s, n_jobs=1).fit(x, y),
               lambda s: peer("forest", {"Seed": s, "Trees": 50, "Workers": 1, "ExtraTrees": True}, x, y, k, xt, yt))
    print("    quality", quality(m.predict_proba(xt), yt, k), quality(p, yt, k))
    for eta in (.1, .3):
        m, p = run(f"boosting 100 rounds, eta {eta}, XGBoost hist", lambda s: xgb.train(
            dict(objective="multi:softprob", num_class=k, eta=eta, max_depth=6, nthread=1, tree_method="hist", seed=s), xgb.DMatrix(x, y, nthread=1), 100),
            lambda s: peer("boost", {"Seed": s, "LearningRate": eta, "Workers": 1}, x, y, k, xt, yt))
        print("    quality", quality(m.predict(xgb.DMatrix(xt)), yt, k), quality(softmax(p), yt, k))
    # Our training scores its rows for the quantiles; so theirs does too.
    run("isolation forest 100, fit and score", lambda s: IsolationForest(random_state=s).fit(x).score_samples(x),
        lambda s: peer("isolation", {"Seed": s, "Workers": 1}, x, y, 0, xt, yt))
    r = np.random.default_rng(3)
    n, d, k = 10000, 2000, 5
    y = r.integers(0, k, n)
    words = (r.random((n, 20)) ** 3 * d).astype(int)
    words[:, :4] = y[:, None] * 20 + r.integers(0, 25, (n, 4))
    x = sparse.csr_matrix((r.random(n * 20) + .1, (np.repeat(np.arange(n), 20), words.ravel())), (n, d))
    x.sum_duplicates()
    run("random forest 20, sparse 10,000 x 2,000", lambda s: RandomForestClassifier(20, random_state=s, n_jobs=1).fit(x, y),
        lambda s: peer("sparse", {"Seed": s, "Trees": 20, "Workers": 1}, x, y, k, x[:100], y[:100]))


if __name__ == "__main__":
    print(f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, xgboost {xgb.__version__}, {datetime.date.today()}")
    {"golden": golden, "flows": flows, "speed": speed}[sys.argv[1]](*sys.argv[2:])
