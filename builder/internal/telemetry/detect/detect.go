// Package detect measures how well anomalies are found in labelled telemetry
// of real servers and machines, against simple methods. It hides how a series
// becomes features and how scores are judged.
//
//	results, err := detect.Run(ctx, series, detect.Options{Seed: 1})
//
// Models are fitted on the unlabelled training part of a series, which lies
// before the test part; boosted trees, which need labels, are fitted on the
// first half of the test part and judged, like everything else beside them, on
// the second half. Figures are point-wise: no point adjustment, which makes
// random scores look good.
package detect

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// Series is one device: rows of metrics in the order of time. Train is n×D,
// unlabelled and taken as normal; Test is m×D with Label, m.
type Series struct {
	Name        string
	D           int
	Train, Test []float64
	Label       []bool
}

// Options are the settings of a run. The zero value takes the defaults.
type Options struct {
	Seed uint64
	// Long is the number of rows whose mean counts as usual for now, default
	// 288: a day of samples every five minutes.
	Long    int
	Workers int
}

// Score is the figures of one method on one series.
type Score struct {
	AP, F1, VUSPR float64
}

// Result is one series: figures on the whole test part, and on its second half
// for methods that learn from the first.
type Result struct {
	Series string
	Whole  map[string]Score
	Half   map[string]Score // NaN where the half has no anomaly, or the first has none to learn from
}

// Methods are those judged on the whole test part, in the order of tables.
var Methods = []string{"PCA", "Isolation Forest", "PCA, engineered", "Isolation Forest, engineered"}

// HalfMethods are those judged on the second half.
var HalfMethods = append(slices.Clone(Methods), "boosted trees, per device", "boosted trees, global")

// Run judges all methods on all series, in order.
func Run(ctx context.Context, series []Series, o Options) ([]Result, error) {
	if o.Long == 0 {
		o.Long = 288
	}
	type halves struct {
		x     []float64
		label []int
		d     int
	}
	var out []Result
	var first []halves
	var second [][]float64
	for _, s := range series {
		if s.D == 0 || len(s.Train)%s.D != 0 || len(s.Test) != len(s.Label)*s.D || len(s.Train) == 0 {
			return nil, fmt.Errorf("series %s: %d and %d values of %d metrics, %d labels", s.Name, len(s.Train), len(s.Test), s.D, len(s.Label))
		}
		n := len(s.Train) / s.D
		engineered, d := engineer(slices.Concat(s.Train, s.Test), s.D, o.Long)
		scores := map[string][]float64{
			"PCA":             reconstruction(s.Train, s.Test, s.D),
			"PCA, engineered": reconstruction(engineered[:n*d], engineered[n*d:], d),
		}
		for name, m := range map[string]struct {
			train, test []float64
			d, samples  int
		}{"Isolation Forest": {s.Train, s.Test, s.D, 256}, "Isolation Forest, engineered": {engineered[:n*d], engineered[n*d:], d, 1024}} {
			v, err := isolation(ctx, m.train, m.test, m.d, m.samples, o)
			if err != nil {
				return nil, err
			}
			scores[name] = v
		}
		r := Result{Series: s.Name, Whole: map[string]Score{}, Half: map[string]Score{}}
		half := len(s.Label) / 2
		for name, v := range scores {
			r.Whole[name] = Judge(v, s.Label)
			r.Half[name] = Judge(v[half:], s.Label[half:])
		}
		test := engineered[n*d:]
		boosted, err := boosting(ctx, test[:half*d], ints(s.Label[:half]), test[half*d:], d, o)
		if err != nil {
			return nil, err
		}
		r.Half["boosted trees, per device"] = Judge(boosted, s.Label[half:])
		wide, k := breadthOf(engineered, d, n)
		first = append(first, halves{wide[:half*k], ints(s.Label[:half]), k})
		second = append(second, wide[half*k:])
		out = append(out, r)
	}
	// one model for all devices reads what does not depend on their metrics
	var x []float64
	var label []int
	for _, h := range first {
		x, label = append(x, h.x...), append(label, h.label...)
	}
	for i := range out {
		v, err := boosting(ctx, x, label, second[i], first[i].d, o)
		if err != nil {
			return nil, err
		}
		out[i].Half["boosted trees, global"] = Judge(v, series[i].Label[len(series[i].Label)/2:])
	}
	return out, nil
}

// engineer appends to each row, beside the values, their mean and deviation
// over the newest 12 rows, their change, and their distance from the mean over
// the newest long rows. It returns n×5d.
func engineer(x []float64, d, long int) ([]float64, int) {
	n := len(x) / d
	out := make([]float64, n*5*d)
	for j := range d {
		sum, squares, usual := 0.0, 0.0, 0.0
		shift := x[j] // keeps the squares small
		for i := range n {
			v := x[i*d+j] - shift
			sum += v
			squares += v * v
			usual += v
			if i >= 12 {
				old := x[(i-12)*d+j] - shift
				sum -= old
				squares -= old * old
			}
			if i >= long {
				usual -= x[(i-long)*d+j] - shift
			}
			k := float64(min(i+1, 12))
			change := 0.0
			if i > 0 {
				change = x[i*d+j] - x[(i-1)*d+j]
			}
			row := out[i*5*d:]
			row[j], row[d+j], row[2*d+j] = v+shift, sum/k+shift, math.Sqrt(math.Max(0, squares/k-sum/k*sum/k))
			row[3*d+j], row[4*d+j] = change, v-usual/float64(min(i+1, long))
		}
	}
	return out, 5 * d
}

// breadthOf returns, for the rows from n on of x, n+m×d, how far they are from
// the training rows before n, in figures that do not depend on which metrics
// there are: for each of the five kinds of column the largest, the third
// largest, the mean and the root mean square of |v - mean| / (deviation + 1 %).
func breadthOf(x []float64, d, n int) ([]float64, int) {
	mean, dev := moments(x[:n*d], d)
	per := d / 5
	m := len(x)/d - n
	const k = 20
	out := make([]float64, 0, m*k)
	z := make([]float64, per)
	for i := n; i < n+m; i++ {
		for kind := range 5 {
			sum, squares := 0.0, 0.0
			for j := range per {
				c := kind*per + j
				z[j] = math.Min(20, math.Abs(x[i*d+c]-mean[c])/(dev[c]+0.01*math.Abs(mean[c])+1e-9))
				sum += z[j]
				squares += z[j] * z[j]
			}
			slices.Sort(z)
			out = append(out, z[per-1], z[max(0, per-3)], sum/float64(per), math.Sqrt(squares/float64(per)))
		}
	}
	return out, k
}

// moments returns mean and population deviation of each column.
func moments(x []float64, d int) (mean, dev []float64) {
	mean, dev = make([]float64, d), make([]float64, d)
	n := float64(len(x) / d)
	for i, v := range x {
		mean[i%d] += v / n
	}
	for i, v := range x {
		dev[i%d] += (v - mean[i%d]) * (v - mean[i%d]) / n
	}
	for j := range dev {
		dev[j] = math.Sqrt(dev[j])
	}
	return mean, dev
}

// reconstruction fits principal components with 90 % of the variance on the
// standardised training rows and returns the squared error of each test row.
func reconstruction(train, test []float64, d int) []float64 {
	mean, dev := moments(train, d)
	standard := func(x []float64) *mat.Dense {
		out := mat.NewDense(len(x)/d, d, nil)
		for i, v := range x {
			out.Set(i/d, i%d, (v-mean[i%d])/(dev[i%d]+1e-9))
		}
		return out
	}
	a := standard(train)
	var cov mat.SymDense
	cov.SymOuterK(1/float64(len(train)/d), a.T())
	var e mat.EigenSym
	if !e.Factorize(&cov, true) {
		return make([]float64, len(test)/d)
	}
	values := e.Values(nil) // ascending
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	total, kept, k := 0.0, 0.0, 0
	for _, v := range values {
		total += math.Max(v, 0)
	}
	for k < d && kept < 0.9*total {
		k++
		kept += math.Max(values[d-k], 0)
	}
	basis := vectors.Slice(0, d, d-k, d)
	b := standard(test)
	var scores, back mat.Dense
	scores.Mul(b, basis)
	back.Mul(&scores, basis.T())
	out := make([]float64, len(test)/d)
	for i := range out {
		for j := range d {
			r := b.At(i, j) - back.At(i, j)
			out[i] += r * r
		}
	}
	return out
}

func isolation(ctx context.Context, train, test []float64, d, samples int, o Options) ([]float64, error) {
	src, _, err := grow.Isolation(ctx, grow.Data{X: train, Features: d}, grow.IsolationOptions{Trees: 100, MaxSamples: samples, Seed: o.Seed, Workers: o.Workers})
	if err != nil {
		return nil, err
	}
	e, err := tree.New(src)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(test)/d)
	return out, e.Margin(out, test)
}

// boosting returns the log-odds of rows of test; NaN when the training rows are
// all of one class.
func boosting(ctx context.Context, train []float64, label []int, test []float64, d int, o Options) ([]float64, error) {
	out := make([]float64, len(test)/d)
	if !slices.Contains(label, 1) || !slices.Contains(label, 0) {
		for i := range out {
			out[i] = math.NaN()
		}
		return out, nil
	}
	src, _, err := grow.Boost(ctx, grow.Data{X: train, Features: d, Class: label, Classes: 2},
		grow.BoostOptions{Rounds: 60, MaxDepth: 4, LearningRate: 0.1, Subsample: 0.8, Lambda: 5, Seed: o.Seed, Workers: o.Workers})
	if err != nil {
		return nil, err
	}
	e, err := tree.New(src)
	if err != nil {
		return nil, err
	}
	return out, e.Margin(out, test)
}

func ints(label []bool) []int {
	out := make([]int, len(label))
	for i, l := range label {
		if l {
			out[i] = 1
		}
	}
	return out
}
