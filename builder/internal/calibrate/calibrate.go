// Package calibrate makes probabilities of the scores of a classifier. It
// hides how curves are fitted and how one of several methods is chosen.
//
//	c, err := calibrate.Choose(scores, truth, k, seed)   // scores n×k
//	c.Curve.Calibrate(row)
//
// One curve serves all classes: each row gives k pairs of a score and whether
// its class is true. That needs fewer rows than a curve for each class, whose
// rare classes have a handful, and keeps the order of the classes.
package calibrate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/shared/model"
)

// The methods.
const (
	None     = "none"
	Isotonic = "isotonic"
	Beta     = "beta"
)

// Tried is a method and what it reached on rows that its curve was not fitted
// on: means over [Folds] folds.
type Tried struct {
	Method  string
	LogLoss float64
	Error   float64 // expected calibration error of the predicted class
}

// Chosen is the method with the lowest log loss, the earlier of None, Isotonic
// and Beta among equals.
type Chosen struct {
	Method string
	Curve  *model.Curve // nil for None
	Tried  []Tried
}

const (
	// Folds of the choice.
	Folds = 5
	// ErrorBins of the calibration error.
	ErrorBins = 15
)

// Choose compares the methods by cross-validation on the rows of p, n×k
// scores that are at least 0 and sum to 1, and fits the best on all of them.
// They are rows that the classifier has not learnt from. With fewer than 10
// rows a fold nothing is fitted. Errors are those of the folds.
func Choose(p []float64, truth []int, k int, seed uint64) (Chosen, error) {
	out := Chosen{Method: None}
	if len(truth) < 10*Folds {
		return out, nil
	}
	fold, _, err := prep.Folds(truth, k, Folds, seed)
	if err != nil {
		return out, err
	}
	best := math.Inf(1)
	for _, method := range []string{None, Isotonic, Beta} {
		tried := Tried{Method: method}
		for held := range Folds {
			var inside, outside []int
			for i, f := range fold {
				if f == held {
					outside = append(outside, i)
				} else {
					inside = append(inside, i)
				}
			}
			x, y := pairs(p, truth, k, inside)
			curve, err := Fit(method, x, y)
			if err != nil {
				return out, err
			}
			loss, wrong := judge(curve, p, truth, k, outside)
			tried.LogLoss += loss / Folds
			tried.Error += wrong / Folds
		}
		out.Tried = append(out.Tried, tried)
		if tried.LogLoss < best {
			best, out.Method = tried.LogLoss, method
		}
	}
	all := make([]int, len(truth))
	for i := range all {
		all[i] = i
	}
	x, y := pairs(p, truth, k, all)
	out.Curve, err = Fit(out.Method, x, y)
	return out, err
}

// pairs returns each score of the rows with whether its class is the true one.
func pairs(p []float64, truth []int, k int, rows []int) (x []float64, y []bool) {
	for _, i := range rows {
		for c := range k {
			x, y = append(x, p[i*k+c]), append(y, truth[i] == c)
		}
	}
	return x, y
}

// judge returns log loss and calibration error of the rows.
func judge(curve *model.Curve, p []float64, truth []int, k int, rows []int) (loss, wrong float64) {
	var q []float64
	var class, predicted []int
	for _, i := range rows {
		row := slices.Clone(p[i*k : (i+1)*k])
		predicted = append(predicted, metric.Argmax(row))
		if curve != nil {
			curve.Calibrate(row)
		}
		q, class = append(q, row...), append(class, truth[i])
	}
	confidence, right := metric.Confidence(class, predicted, q, k)
	return metric.LogLoss(class, q, k), metric.CalibrationError(metric.Reliability(confidence, right, ErrorBins))
}

// Fit returns the curve of a method through scores x in [0,1] and whether they
// were right, nil for None.
func Fit(method string, x []float64, y []bool) (*model.Curve, error) {
	switch method {
	case None:
		return nil, nil
	case Isotonic:
		return isotonic(x, y)
	case Beta:
		return beta(x, y)
	}
	return nil, fmt.Errorf("calibration %.64q: want %s, %s or %s", method, None, Isotonic, Beta)
}

// block is a run of scores with one probability.
type block struct{ low, high, hits, rows float64 }

func (b block) mean() float64 { return b.hits / b.rows }

// isotonic fits the rising step function of least squares by pooling adjacent
// violators, joined by lines between its steps.
//
// Source: Zadrozny, Elkan, KDD 2002; the lines as scikit-learn's
// IsotonicRegression draws them.
func isotonic(x []float64, y []bool) (*model.Curve, error) {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	var blocks []block
	for _, i := range order {
		hit := 0.0
		if y[i] {
			hit = 1
		}
		if n := len(blocks); n > 0 && blocks[n-1].high == x[i] && blocks[n-1].low == x[i] {
			blocks[n-1].hits += hit
			blocks[n-1].rows++
			continue
		}
		blocks = append(blocks, block{x[i], x[i], hit, 1})
	}
	pooled := blocks[:0]
	for _, b := range blocks {
		for len(pooled) > 0 && pooled[len(pooled)-1].mean() >= b.mean() {
			last := pooled[len(pooled)-1]
			pooled = pooled[:len(pooled)-1]
			b = block{last.low, b.high, last.hits + b.hits, last.rows + b.rows}
		}
		pooled = append(pooled, b)
	}
	var kx, ky []float64
	for _, b := range pooled {
		kx, ky = append(kx, b.low), append(ky, b.mean())
		if b.high > b.low {
			kx, ky = append(kx, b.high), append(ky, b.mean())
		}
	}
	if len(kx) == 1 { // all scores alike
		kx, ky = []float64{0, 1}, []float64{ky[0], ky[0]}
	}
	return model.NewCurve(kx, ky)
}

// Scores are kept this far from 0 and 1 for their logarithms: a forest of 100
// trees cannot tell less.
const edge = 1e-3

// beta fits 1 / (1 + exp(-(a ln s - b ln(1-s) + c))) with a, b >= 0 by Newton's
// method on the log loss, and returns it at fixed knots.
//
// Source: Kull, Silva Filho, Flach, AISTATS 2017, section 3.2; a negative
// coefficient is set to 0 and the others fitted again, as there.
func beta(x []float64, y []bool) (*model.Curve, error) {
	use := [3]bool{true, true, true}
	w := logistic(x, y, use)
	for i := range 2 {
		if w[i] < 0 {
			use[i] = false
			w = logistic(x, y, use)
		}
	}
	var kx, ky []float64
	for _, s := range knots() {
		v := parts(s)
		p := 1 / (1 + math.Exp(-(w[0]*v[0] + w[1]*v[1] + w[2])))
		if n := len(ky); n > 0 {
			p = max(p, ky[n-1])
		}
		kx, ky = append(kx, s), append(ky, p)
	}
	return model.NewCurve(kx, ky)
}

// knots lie a sixty-fourth apart, and closer at both ends.
func knots() []float64 {
	out := []float64{0, edge, 0.002, 0.004, 0.006, 0.008, 0.012}
	for i := 1; i < 64; i++ {
		out = append(out, float64(i)/64)
	}
	for _, v := range []float64{0.012, 0.008, 0.006, 0.004, 0.002, edge} {
		out = append(out, 1-v)
	}
	return append(out, 1)
}

// parts returns the three regressors of a score.
func parts(s float64) [3]float64 {
	s = min(max(s, edge), 1-edge)
	return [3]float64{math.Log(s), -math.Log(1 - s), 1}
}

// logistic fits the weights in use by at most 50 steps; a little of the
// identity keeps the matrix regular.
func logistic(x []float64, y []bool, use [3]bool) (w [3]float64) {
	for range 50 {
		var g [3]float64
		var h [3][3]float64
		for n, s := range x {
			v := parts(s)
			p := 1 / (1 + math.Exp(-(w[0]*v[0] + w[1]*v[1] + w[2]*v[2])))
			d := p
			if y[n] {
				d--
			}
			for i := range v {
				g[i] += d * v[i]
				for j := range v {
					h[i][j] += p * (1 - p) * v[i] * v[j]
				}
			}
		}
		for i := range g {
			g[i] += 1e-6 * w[i]
			h[i][i] += 1e-6
			if !use[i] {
				g[i], h[i] = 0, [3]float64{}
				for j := range h {
					h[j][i] = 0
				}
				h[i][i] = 1
			}
		}
		step, largest := solve(h, g), 0.0
		for i := range w {
			w[i] -= step[i]
			largest = max(largest, math.Abs(step[i]))
		}
		if largest < 1e-10 {
			break
		}
	}
	return w
}

// solve returns h⁻¹ g for a symmetric positive matrix, by elimination.
func solve(h [3][3]float64, g [3]float64) [3]float64 {
	for i := range h {
		for r := i + 1; r < 3; r++ {
			f := h[r][i] / h[i][i]
			for c := i; c < 3; c++ {
				h[r][c] -= f * h[i][c]
			}
			g[r] -= f * g[i]
		}
	}
	for i := 2; i >= 0; i-- {
		for c := i + 1; c < 3; c++ {
			g[i] -= h[i][c] * g[c]
		}
		g[i] /= h[i][i]
	}
	return g
}
