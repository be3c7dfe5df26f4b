# Writes profile.golden: figures of number columns of models/sample/flows.csv.
#   python3 builder/internal/prep/testdata/profile.py > builder/internal/prep/testdata/profile.golden
# Run with pandas and numpy as named in the output.
import numpy
import pandas

d = pandas.read_csv("models/sample/flows.csv")
print(f"# pandas {pandas.__version__}, numpy {numpy.__version__}: name missing distinct zero min q25 q50 q75 max mean sd(population) low high")
for name in d.columns:
    c = d[name]
    if name == "Label" or not pandas.api.types.is_numeric_dtype(c):
        continue
    # index k*(n-1)/4 rounded down, as a quantile that occurred
    q = c.quantile([0, .25, .5, .75, 1], interpolation="lower").tolist()
    reach = 1.5 * (q[3] - q[1])
    print(name, c.isna().sum(), c.nunique(), (c == 0).sum(), *q, repr(float(c.mean())), repr(float(c.std(ddof=0))),
          (c < q[1] - reach).sum(), (c > q[3] + reach).sum())
