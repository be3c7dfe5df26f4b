"""AUC of the extended isolation forest, for TestIsolation_extendedFindsWhatTheReferenceFinds.

python3 eif.py > eif.json     # numpy 2.4.6, 2026-11-22

Follows Hariri, Carrasco Kind, Brunner (arXiv:1811.02141), algorithms 1 to 3, plainly: a normal vector of N(0,1)
with d-1-extension components set to 0, a point uniform in the node's box, no matter whether the split parts the
rows. Columns are standardised, as our Scale does.
"""
import json
import numpy as np

EULER = 0.5772156649015329


def c(n):
    return 0.0 if n <= 1 else 1.0 if n == 2 else 2 * (np.log(n - 1) + EULER) - 2 * (n - 1) / n


def grow(x, depth, limit, extension, r):
    n, d = x.shape
    if depth >= limit or n <= 1:
        return n
    normal = r.standard_normal(d)
    normal[r.choice(d, d - 1 - extension, replace=False)] = 0
    point = r.uniform(x.min(0), x.max(0))
    left = (x - point) @ normal <= 0
    return normal, point, grow(x[left], depth + 1, limit, extension, r), grow(x[~left], depth + 1, limit, extension, r)


def lengths(x, node, depth, out, rows):
    if isinstance(node, int):
        out[rows] += depth + c(node)
        return
    normal, point, a, b = node
    left = (x[rows] - point) @ normal <= 0
    lengths(x, a, depth + 1, out, rows[left])
    lengths(x, b, depth + 1, out, rows[~left])


def auc(score, y):
    order = np.argsort(np.argsort(score))
    positive = y == 1
    n = positive.sum()
    return float((order[positive].sum() - n * (n - 1) / 2) / (n * (~positive).sum()))


def main():
    r = np.random.default_rng(7)
    # A wave and two blobs off the axes, with points spread over the box as anomalies: the case that the paper makes
    # against splits along the axes. The third column is noise, the fourth a rotated copy.
    t = r.uniform(0, 4 * np.pi, 500)
    wave = np.c_[t, 3 * np.sin(t) + 0.3 * r.standard_normal(500)]
    blobs = np.r_[r.normal([3, -6], 0.5, (150, 2)), r.normal([10, 7], 0.5, (150, 2))]
    odd = np.c_[r.uniform(0, 4 * np.pi, 60), r.uniform(-7, 8, 60)]
    x = np.r_[wave, blobs, odd]
    x = np.c_[x, r.standard_normal(len(x)), x[:, 0] - x[:, 1] + 0.5 * r.standard_normal(len(x))]
    x = np.round(x, 3)
    y = np.r_[np.zeros(800), np.ones(60)]
    z = (x - x.mean(0)) / x.std(0)
    found = []
    for extension in (0, 1, 3):
        runs = []
        for _ in range(20):
            total = np.zeros(len(z))
            for _ in range(100):
                tree = grow(z[r.choice(len(z), 256, replace=False)], 0, 8, extension, r)
                lengths(z, tree, 0, total, np.arange(len(z)))
            runs.append(auc(-total, y))
        found.append({"extension": extension, "mean": float(np.mean(runs)), "sd": float(np.std(runs, ddof=1))})
    print(json.dumps({"features": 4, "anomalies": 60, "auc": found, "x": x.ravel().tolist()}))


main()
