package publish

import (
	"fmt"
	"math"

	"cloister/builder/internal/train"
)

// held is what `go run ./builder/internal/peers -quality` printed on
// 2026-11-22, mean and 95 % interval over five seeds on hold-out rows: the data
// sets are too many to be read anew for each bundle.
const held = `| data | family | macro-F1 | accuracy | log loss | kB |
|---|---|---|---|---|---|
| NF-CSE-CIC-IDS2018-v3 (sample), 8,806 rows x 11, 10 classes | forest | 0.738 ± 0.086 | 0.990 ± 0.003 | 0.053 ± 0.014 | 55 |
| | boosting | 0.793 ± 0.045 | 0.991 ± 0.002 | 0.048 ± 0.011 | 42 |
| | oblivious | 0.797 ± 0.064 | 0.992 ± 0.002 | 0.043 ± 0.006 | 23 |
| CICIDS2017-improved (sample), 24,170 rows x 83, 13 classes | forest | 0.971 ± 0.020 | 0.984 ± 0.001 | 0.052 ± 0.006 | 148 |
| | boosting | 0.981 ± 0.012 | 0.985 ± 0.003 | 0.038 ± 0.006 | 167 |
| | oblivious | 0.981 ± 0.009 | 0.985 ± 0.002 | 0.036 ± 0.003 | 65 |
| NF-BoT-IoT-v2 (subsample), 23,245 rows x 38, 4 classes | forest | 0.933 ± 0.001 | 0.924 ± 0.004 | 0.203 ± 0.014 | 217 |
| | boosting | 0.936 ± 0.005 | 0.926 ± 0.005 | 0.192 ± 0.012 | 143 |
| | oblivious | 0.937 ± 0.003 | 0.925 ± 0.005 | 0.191 ± 0.014 | 45 |
| NSL-KDD (20 %), 25,181 rows x 41, 4 classes | forest | 0.978 ± 0.013 | 0.997 ± 0.001 | 0.012 ± 0.003 | 135 |
| | boosting | 0.981 ± 0.012 | 0.998 ± 0.001 | 0.009 ± 0.005 | 112 |
| | oblivious | 0.983 ± 0.013 | 0.998 ± 0.001 | 0.008 ± 0.005 | 53 |`

// cardChoice says by which rule the model was chosen.
func cardChoice(r *train.Result) string {
	rule := fmt.Sprintf("the most accurate of those within %g of the best macro-F1", train.Close)
	switch {
	case r.Rivals == nil:
		return rule
	case r.Chosen.Oblivious != nil:
		return "oblivious trees, since they are not below the other families (see below); of their depths " + rule
	}
	return rule + ", oblivious trees left out since they are below another family (see below)"
}

// cardKinds says how the families were held against each other.
func cardKinds(line liner, r *train.Result) {
	if r.Rivals == nil {
		return
	}
	n := len(r.Rivals[0].MacroF1)
	line("\n### Which family\n")
	line("Oblivious trees are the fastest to score and to explain in a browser. They are taken if their macro-F1 is not more than %g below that of the best other family, on average over %d splits of the rows that are not hold-out, with their median number of trees. Validation rows of these splits, mean and 95 %% interval; differences are split by split:\n", train.Close, n)
	line("| family, by its preferred candidate | macro-F1 | accuracy | log loss | macro-F1 less that of the oblivious one |\n|---|---|---|---|---|")
	best := -1
	for i, x := range r.Rivals {
		if mean, _ := train.Mean(x.MacroF1); x.Oblivious != nil && (best < 0 || mean > first(train.Mean(r.Rivals[best].MacroF1))) {
			best = i
		}
		if x.Oblivious != nil && x.Name == r.Chosen.Name {
			best = i
			break
		}
	}
	for i, x := range r.Rivals {
		less := "-"
		if i != best {
			less = spread(train.Less(x.MacroF1, r.Rivals[best].MacroF1))
		}
		mark, rounds := "", ""
		if x.Name == r.Chosen.Name {
			mark = " (chosen)"
		}
		if x.Rounds != nil {
			rounds = fmt.Sprintf(", trees %v", x.Rounds)
		}
		line("| %s: %s%s%s | %s | %s | %s | %s |", x.Kind(), x.Name, rounds, mark, spread(x.MacroF1), spread(x.Accuracy), spread(x.LogLoss), less)
	}
	line("\nThe families on four data sets with all their columns, each family with its settings chosen on validation rows of each split; figures of hold-out rows, five seeds, 95 %% intervals (`go run ./builder/internal/peers -quality` in the repository):\n")
	line("%s\n", held)
	line("On none of the four are oblivious trees below the others; the differences to boosting are within the intervals.")
}

// alertRule says which threshold an alert starts at.
func alertRule(r *train.Result) string {
	if r.Recipe.Balanced {
		return "the one with the best F1 of those"
	}
	return "the lowest"
}

func first(mean, _ float64) float64 { return mean }

// spread writes the mean of v with its interval.
func spread(v []float64) string {
	mean, half := train.Mean(v)
	if math.IsNaN(half) {
		return fmt.Sprintf("%.3f", mean)
	}
	return fmt.Sprintf("%.3f ± %.3f", mean, half)
}
