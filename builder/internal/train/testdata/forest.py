"""What scikit-learn reaches on the rows, features and split of a matrix.

    cloister features --recipe flows models/sample/lab.csv --seed 1 --out build/features
    python3 forest.py build/features/matrix.csv > forest.txt

Fits a random forest of 100 trees, all else default, on the training rows for ten seeds and
prints macro-F1 and accuracy on the hold-out rows. train_test.go holds ours against the range.
"""
import csv, datetime, platform, sys
import numpy, sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score

rows = list(csv.reader(open(sys.argv[1])))[1:]
x = numpy.array([[float(v) if v else numpy.nan for v in r[:-2]] for r in rows])
y = numpy.array([r[-2] for r in rows])
part = numpy.array([r[-1] for r in rows])
fit, judge = part == "train", part == "holdout"
print(f"# scikit-learn {sklearn.__version__}, numpy {numpy.__version__}, Python {platform.python_version()}, {datetime.date.today()}")
print(f"# {fit.sum()} training rows, {judge.sum()} hold-out rows, {x.shape[1]} features")
for seed in range(10):
    forest = RandomForestClassifier(100, random_state=seed).fit(x[fit], y[fit])
    p = forest.predict(x[judge])
    print(f"{f1_score(y[judge], p, average='macro'):.4f} {accuracy_score(y[judge], p):.4f}")
