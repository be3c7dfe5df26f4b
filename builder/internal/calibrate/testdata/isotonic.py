# Writes isotonic.json: scores, outcomes, and scikit-learn's isotonic
# regression of them at some scores. Run: python isotonic.py > isotonic.json
import json, numpy as np, sklearn
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
rng = np.random.default_rng(5)
x = np.round(rng.random(400), 2)  # with ties
y = rng.random(400) < x ** 2
at = np.linspace(0, 1, 201)
iso = IsotonicRegression(y_min=0, y_max=1, out_of_bounds='clip').fit(x, y)
s = np.clip(x, 1e-3, 1 - 1e-3)
beta = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10000).fit(np.c_[np.log(s), -np.log(1 - s)], y)
print(json.dumps(dict(sklearn=sklearn.__version__, x=x.tolist(), y=y.tolist(), at=at.tolist(), isotonic=iso.predict(at).tolist(),
    beta=[*beta.coef_[0].tolist(), beta.intercept_[0]])))
