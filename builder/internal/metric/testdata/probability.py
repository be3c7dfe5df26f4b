# Writes probability.json: labels, probabilities and what scikit-learn says of
# them. Run: python probability.py > probability.json
import json, numpy as np, sklearn
from sklearn.metrics import *
rng = np.random.default_rng(11)
n, k = 240, 4
truth = rng.choice(k, n, p=[.6, .25, .1, .05])
p = rng.dirichlet(np.full(k, .7), n)
p[np.arange(n), truth] += rng.random(n)
p = np.round(p / p.sum(1, keepdims=True), 6)  # ties, and rows that sum to about 1
p /= p.sum(1, keepdims=True)
p[:5] = np.eye(k)[(truth[:5] + 1) % k]        # certain and wrong
pred = p.argmax(1)
hot = np.eye(k)[truth]
ap = [average_precision_score(truth == c, p[:, c]) for c in range(k)]
print(json.dumps(dict(sklearn=sklearn.__version__, truth=truth.tolist(), p=p.ravel().tolist(), k=k,
    log_loss=log_loss(truth, p, labels=range(k)), brier=float(((p - hot) ** 2).sum(1).mean()),
    auc=roc_auc_score(truth, p, multi_class='ovr', average='macro'), ap=float(np.mean(ap)),
    precision=precision_score(truth, pred, average='macro', zero_division=0), recall=recall_score(truth, pred, average='macro', zero_division=0),
    f1=f1_score(truth, pred, average='macro'))))
