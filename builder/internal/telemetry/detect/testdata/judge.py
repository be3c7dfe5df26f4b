"""Expected figures of TestJudge_matchesReferences: average precision of
scikit-learn, VUS-PR of the vus package of its authors. Prints one line a case.

    python judge.py          (scikit-learn, vus 0.0.6)"""
from sklearn.metrics import average_precision_score, precision_recall_curve
from vus.utils.metrics import metricor
import numpy as np

STATE = 12345


def noise():
    """A linear congruential generator, so that Go draws the same numbers."""
    global STATE
    STATE = (STATE * 1103515245 + 12345) % 2147483648
    return STATE / 2147483648


for n, segments in ((600, [(100, 119), (400, 405)]), (500, [(0, 3), (250, 250), (300, 340), (495, 499)])):
    label = np.zeros(n, int)
    for a, b in segments:
        label[a:b + 1] = 1
    score = np.array([noise() + (0.6 * noise() if label[i] else 0) + (0.3 if i > 3 and label[max(0, i - 3)] else 0) for i in range(n)])
    p, r, _ = precision_recall_curve(label, score)
    f1 = np.max(2 * p * r / np.maximum(p + r, 1e-12))
    volume = metricor().RangeAUC_volume_opt(labels_original=label, score=score, windowSize=100)[-1]
    print(n, segments, average_precision_score(label, score), f1, volume)
