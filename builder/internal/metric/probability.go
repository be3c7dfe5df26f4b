package metric

import "math"

// LogLoss returns the mean of -ln of the probability, n×k, of the true class.
// Probabilities are kept 2^-52 away from 0 and 1, as scikit-learn 1.9 keeps
// them: a class that no tree votes for costs 36, not infinity. NaN for no rows.
func LogLoss(truth []int, p []float64, k int) float64 {
	const least = 0x1p-52
	sum := 0.0
	for i, c := range truth {
		sum -= math.Log(min(max(p[i*k+c], least), 1-least))
	}
	return sum / float64(len(truth))
}

// Brier returns the mean squared distance between the probabilities, n×k, and
// the truth, 0 to 2: sum_c (p_c - [c is true])². NaN for no rows.
//
// Source: Brier, Monthly Weather Review 78, 1950.
func Brier(truth []int, p []float64, k int) float64 {
	sum := 0.0
	for i, c := range truth {
		for j, v := range p[i*k : (i+1)*k] {
			if j == c {
				v--
			}
			sum += v * v
		}
	}
	return sum / float64(len(truth))
}

// MacroAUC returns the mean over classes of the area under the ROC curve of
// the class against all others, as scikit-learn's roc_auc_score(multi_class=
// "ovr", average="macro"); classes without rows, or without others, do not
// count. NaN if none is left.
func MacroAUC(truth []int, p []float64, k int) float64 {
	return macro(k, func(c int) float64 { return AUC(Curve(OneAgainstRest(truth, p, k, c))) })
}

// macro returns the mean of what is not NaN.
func macro(k int, of func(class int) float64) float64 {
	sum, n := 0.0, 0
	for c := range k {
		if v := of(c); !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// OneAgainstRest returns the scores of class c and which rows are of it.
func OneAgainstRest(truth []int, p []float64, k, c int) (scores []float64, positive []bool) {
	scores, positive = make([]float64, len(truth)), make([]bool, len(truth))
	for i, t := range truth {
		scores[i], positive[i] = p[i*k+c], t == c
	}
	return scores, positive
}

// AveragePrecision returns the sum over the points of the precision times the
// gain in recall: the area under the precision-recall curve without
// interpolation, as scikit-learn's average_precision_score. NaN without
// positive rows.
func AveragePrecision(curve []Point) float64 {
	if len(curve) == 0 {
		return math.NaN()
	}
	area, recall := 0.0, 0.0
	for _, p := range curve {
		area += (p.Recall - recall) * p.Precision
		recall = p.Recall
	}
	return area
}

// Bin is the rows whose confidence lies in [Low, High), the last bin closed.
type Bin struct {
	Low, High  float64
	Confidence float64 // mean, NaN without rows
	Accuracy   float64 // share of them that were right, NaN without rows
	Rows       int
}

// Reliability sorts rows by confidence, the probability of the class that was
// predicted, into bins of equal width.
func Reliability(confidence []float64, right []bool, bins int) []Bin {
	out := make([]Bin, bins)
	hits := make([]int, bins)
	for b := range out {
		out[b].Low, out[b].High = float64(b)/float64(bins), float64(b+1)/float64(bins)
	}
	for i, v := range confidence {
		b := min(max(int(v*float64(bins)), 0), bins-1)
		out[b].Confidence += v
		out[b].Rows++
		if right[i] {
			hits[b]++
		}
	}
	for b := range out {
		out[b].Accuracy = ratio(hits[b], out[b].Rows)
		out[b].Confidence /= float64(out[b].Rows)
	}
	return out
}

// CalibrationError returns the mean over the rows of |confidence - accuracy|
// of their bin: the expected calibration error of the predicted class. NaN for
// no rows.
//
// Source: Naeini, Cooper, Hauskrecht, AAAI 2015.
func CalibrationError(bins []Bin) float64 {
	sum, n := 0.0, 0
	for _, b := range bins {
		if b.Rows > 0 {
			sum += float64(b.Rows) * math.Abs(b.Confidence-b.Accuracy)
			n += b.Rows
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// Confidence returns the probability of the predicted class of each row, p
// being n×k, and whether it is the true one.
func Confidence(truth, predicted []int, p []float64, k int) (confidence []float64, right []bool) {
	confidence, right = make([]float64, len(truth)), make([]bool, len(truth))
	for i, c := range predicted {
		confidence[i], right[i] = p[i*k+c], truth[i] == c
	}
	return confidence, right
}

// MacroPrecision returns the mean precision of the classes that have rows or
// predictions, that of a class never predicted being 0, as scikit-learn's
// precision_score(average="macro", zero_division=0).
func (c Confusion) MacroPrecision() float64 {
	return c.mean(func(s ClassScore) float64 { return s.Precision })
}

// MacroRecall is [Confusion.MacroPrecision] for recall.
func (c Confusion) MacroRecall() float64 {
	return c.mean(func(s ClassScore) float64 { return s.Recall })
}

// mean averages a score over the classes that have an F1.
func (c Confusion) mean(of func(ClassScore) float64) float64 {
	return macro(c.K, func(i int) float64 {
		s := c.Class(i)
		v := of(s)
		if math.IsNaN(v) && !math.IsNaN(s.F1) {
			return 0
		}
		return v
	})
}
