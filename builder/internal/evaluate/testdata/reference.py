# Writes reference.golden: curves and calibration of scikit-learn for a small
# deterministic set of scores with ties.
#   python3 builder/internal/evaluate/testdata/reference.py > builder/internal/evaluate/testdata/reference.golden
import numpy
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import (average_precision_score, brier_score_loss, confusion_matrix, f1_score,
                             precision_recall_fscore_support, roc_auc_score, roc_curve)

# rows as the test makes them: a linear congruential walk
n, state, rows = 400, 12345, []
for _ in range(n):
    state = (state * 1103515245 + 12345) % 2**31
    truth = (state >> 8) % 3
    state = (state * 1103515245 + 12345) % 2**31
    noise = (state >> 8) % 100
    state = (state * 1103515245 + 12345) % 2**31
    said = truth if (state >> 8) % 4 else (truth + 1) % 3
    score = ((20 if truth == 0 else 55) + noise // 2) / 110  # of an attack
    rows.append((truth, said, score, (50 + noise // 2) / 100 + 0.003))  # off the edges, which scikit-learn closes on the other side
truth, said, score, top = (numpy.array(c) for c in zip(*rows))
attack = truth != 0
print(f"# scikit-learn {sklearn.__version__}, numpy {numpy.__version__}")
print("macro_f1", repr(float(f1_score(truth, said, average="macro"))))
print("auc", repr(float(roc_auc_score(attack, score))))
print("ap", repr(float(average_precision_score(attack, score))))
print("brier", repr(float(brier_score_loss(attack, score))))
fpr, tpr, _ = roc_curve(attack, score, drop_intermediate=False)
for limit in (0.001, 0.01):
    print(f"recall_at_{limit}", repr(float(tpr[fpr <= limit].max())))
print("roc", len(fpr) - 1)
for a, b in zip(fpr[1:], tpr[1:]):
    print("point", repr(float(a)), repr(float(b)))
right = truth == said
share, mean = calibration_curve(right, top, n_bins=10)
for a, b in zip(mean, share):
    print("bin", repr(float(a)), repr(float(b)))
p, r, f, s = precision_recall_fscore_support(truth, said)
for row in zip(p, r, f, s):
    print("class", *(repr(float(v)) for v in row))
for row in confusion_matrix(truth, said):
    print("confusion", *row)
