"""scikit-learn's Isolation Forest (defaults, 100 trees, seed 0) and PCA (90 % of
the variance of the standardised training part, squared reconstruction error) on
the Application Server Dataset: mean average precision and best F1, point-wise.

    python asd.py FOLDER > asd.txt

FOLDER holds omi-N_train.csv.gz and omi-N_test.csv.gz."""
import sys

import numpy as np
import pandas as pd
import sklearn
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, precision_recall_curve


def best_f1(label, score):
    p, r, _ = precision_recall_curve(label, score)
    return np.max(2 * p * r / np.maximum(p + r, 1e-12))


figures = {"PCA": [], "Isolation Forest": []}
for k in range(1, 9):
    train = pd.read_csv(f"{sys.argv[1]}/omi-{k}_train.csv.gz").values
    test = pd.read_csv(f"{sys.argv[1]}/omi-{k}_test.csv.gz")
    label = test.pop("label").values
    mean, dev = train.mean(0), train.std(0) + 1e-9
    a, b = (train - mean) / dev, (test.values - mean) / dev
    pca = PCA(0.9, svd_solver="full").fit(a)
    error = ((b - pca.inverse_transform(pca.transform(b))) ** 2).sum(1)
    figures["PCA"].append((average_precision_score(label, error), best_f1(label, error)))
    forest = IsolationForest(n_estimators=100, random_state=0).fit(train)
    score = -forest.score_samples(test.values)
    figures["Isolation Forest"].append((average_precision_score(label, score), best_f1(label, score)))
print("scikit-learn", sklearn.__version__)
for name, rows in figures.items():
    for k, (ap, f1) in enumerate(rows, 1):
        print(f"{name}\tomi-{k}\t{ap:.4f}\t{f1:.4f}")
    print(f"{name}\tmean\t{np.mean([r[0] for r in rows]):.4f}\t{np.mean([r[1] for r in rows]):.4f}")
