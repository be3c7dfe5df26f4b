// Package metric measures classifiers on labelled rows. It hides the
// definitions, so that training, evaluation and reports mean the same by a
// name.
package metric

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Confusion counts rows by true class (row) and predicted class (column).
type Confusion struct {
	K      int
	Counts []int // K×K row-major
}

// NewConfusion counts truth against predicted, both indices below k and of
// equal length.
func NewConfusion(truth, predicted []int, k int) Confusion {
	c := Confusion{k, make([]int, k*k)}
	for i, t := range truth {
		c.Counts[t*k+predicted[i]]++
	}
	return c
}

// Argmax returns the index of the largest score of a row, the first among
// equals: the predicted class.
func Argmax(scores []float64) int {
	best := 0
	for i, v := range scores {
		if v > scores[best] {
			best = i
		}
	}
	return best
}

// ClassScore is how well one class is told from the others.
type ClassScore struct {
	Precision float64 // NaN when nothing was predicted as the class
	Recall    float64 // NaN when the class has no rows
	F1        float64 // 0 when either is 0 or undefined and the class has rows, NaN without rows
	Support   int     // rows of the class
}

// Class returns the scores of class i.
func (c Confusion) Class(i int) ClassScore {
	hit, predicted, support := c.Counts[i*c.K+i], 0, 0
	for j := range c.K {
		predicted += c.Counts[j*c.K+i]
		support += c.Counts[i*c.K+j]
	}
	s := ClassScore{Precision: ratio(hit, predicted), Recall: ratio(hit, support), Support: support}
	switch {
	case support == 0 && predicted == 0:
		s.F1 = math.NaN()
	default:
		s.F1 = 2 * float64(hit) / float64(predicted+support)
	}
	return s
}

func ratio(a, b int) float64 {
	if b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(b)
}

// Accuracy returns the share of rows on the diagonal, NaN for no rows.
func (c Confusion) Accuracy() float64 {
	hit, n := 0, 0
	for i := range c.K {
		hit += c.Counts[i*c.K+i]
		for j := range c.K {
			n += c.Counts[i*c.K+j]
		}
	}
	return ratio(hit, n)
}

// MacroF1 returns the mean F1 of the classes that have rows or predictions,
// as scikit-learn's f1_score(average="macro") defines it.
func (c Confusion) MacroF1() float64 {
	sum, n := 0.0, 0
	for i := range c.K {
		if f := c.Class(i).F1; !math.IsNaN(f) {
			sum += f
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// Point is a threshold and what it does to scored rows: a row is flagged when
// its score is at least Threshold.
type Point struct {
	Threshold, Precision, Recall, FPR float64
}

// Curve returns the points of every distinct score from the largest down.
// positive marks the rows to be found; scores are larger for more positive.
func Curve(scores []float64, positive []bool) []Point {
	order := make([]int, len(scores))
	all, pos := len(scores), 0
	for i := range order {
		order[i] = i
		if positive[i] {
			pos++
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return a - b
	})
	var out []Point
	tp, fp := 0, 0
	for n, i := range order {
		if positive[i] {
			tp++
		} else {
			fp++
		}
		if n+1 < all && scores[order[n+1]] == scores[i] {
			continue
		}
		out = append(out, Point{scores[i], ratio(tp, tp+fp), ratio(tp, pos), ratio(fp, all-pos)})
	}
	return out
}

// AtFPR returns the point of the largest recall whose false-positive rate is
// at most limit, and false if there is none.
func AtFPR(curve []Point, limit float64) (Point, bool) {
	best, ok := Point{}, false
	for _, p := range curve {
		if p.FPR <= limit && (!ok || p.Recall > best.Recall) {
			best, ok = p, true
		}
	}
	return best, ok
}

// At returns the point of a given threshold.
func At(scores []float64, positive []bool, threshold float64) Point {
	tp, fp, fn, tn := 0, 0, 0, 0
	for i, s := range scores {
		switch {
		case s >= threshold && positive[i]:
			tp++
		case s >= threshold:
			fp++
		case positive[i]:
			fn++
		default:
			tn++
		}
	}
	return Point{threshold, ratio(tp, tp+fp), ratio(tp, tp+fn), ratio(fp, fp+tn)}
}

// AUC returns the area under the ROC curve: the share of (positive, negative)
// pairs in the right order, ties counting half; NaN if either kind is absent.
func AUC(curve []Point) float64 {
	if len(curve) == 0 {
		return math.NaN()
	}
	area, x, y := 0.0, 0.0, 0.0
	for _, p := range curve {
		area += (p.FPR - x) * (p.Recall + y) / 2
		x, y = p.FPR, p.Recall
	}
	return area
}

// Interval returns the 2.5 % and 97.5 % quantiles of stat over rounds
// bootstrap resamples of n rows. stat receives row indices, with repeats.
//
// Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
// chapter 13 (percentile interval).
func Interval(n, rounds int, rng *rand.Rand, stat func(rows []int) float64) (low, high float64) {
	if n == 0 || rounds == 0 {
		return math.NaN(), math.NaN()
	}
	rows, values := make([]int, n), make([]float64, 0, rounds)
	for range rounds {
		for i := range rows {
			rows[i] = rng.IntN(n)
		}
		if v := stat(rows); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	slices.Sort(values)
	return values[int(0.025*float64(len(values)-1))], values[int(math.Ceil(0.975*float64(len(values)-1)))]
}
