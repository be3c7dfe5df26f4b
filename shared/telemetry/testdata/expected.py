"""Expected numbers of TestWindow_statisticsMatchNumPy, printed as Go values.
numpy 2.x and pandas-like definitions; run: python expected.py"""
import numpy as np
x = np.array([12.5, 14.0, 13.25, 30.0, 12.75, 13.5])
m = x.mean(); c = x - m; s2 = (c**2).mean()
h, _ = np.histogram(x, bins=50); p = h[h > 0] / len(x)
print("mean", m, "std", x.std(ddof=1), "min", x.min(), "max", x.max(), "median", np.median(x))
for q in (.25, .5, .75, .95, .99):
    print("q", q, np.quantile(x, q))
print("skew", (c**3).mean() / s2**1.5, "kurtosis", (c**4).mean() / s2**2 - 3, "entropy", -(p * np.log2(p)).sum())
past = np.array([3., 4, 5, 6, 7, 8, 9, 10, 50, 51])
med = np.median(past); mad = np.median(np.abs(past - med))
print("z of 20", (20 - med) / (1.4826 * mad), "median", med, "mad", mad)
