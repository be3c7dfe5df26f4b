package tune

import (
	"context"
	"fmt"
	"math"
	"time"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/train/grow"
)

// place names one fit of a search.
type place struct{ rung, candidate, fold int }

// fit is what one fit scored on the rows of its fold.
type fit struct {
	macroF1, accuracy, logLoss float64
	nodes                      int
	seconds                    float64 // wall clock; no result depends on it
}

// same reports whether two runs of a fit agree in all but time.
func (f fit) same(g fit) bool {
	f.seconds, g.seconds = 0, 0
	return f == g
}

// table is the rows that a search may see, dealt into folds.
type table struct {
	x      []float64    // n×d
	sparse *grow.Sparse // instead of x
	d, k   int
	class  []int
	fold   []int
}

// take appends row i of all.
func (t *table) take(all *table, i int) {
	if all.sparse == nil {
		t.x = append(t.x, all.x[i*all.d:(i+1)*all.d]...)
		return
	}
	lo, hi := all.sparse.Start[i], all.sparse.Start[i+1]
	t.sparse.Index = append(t.sparse.Index, all.sparse.Index[lo:hi]...)
	t.sparse.Value = append(t.sparse.Value, all.sparse.Value[lo:hi]...)
	t.sparse.Start = append(t.sparse.Start, len(t.sparse.Index))
}

// parts returns the rows that train and validate a fold.
func (t *table) parts(fold int) (train, validate []int) {
	for i, f := range t.fold {
		if f == fold {
			validate = append(validate, i)
		} else {
			train = append(train, i)
		}
	}
	return train, validate
}

// pick returns the given rows with their classes.
func (t *table) pick(rows []int) grow.Data {
	out := table{d: t.d}
	if t.sparse != nil {
		out.sparse = &grow.Sparse{Start: []int{0}}
	} else {
		out.x = make([]float64, 0, len(rows)*t.d)
	}
	class := make([]int, len(rows))
	for n, i := range rows {
		out.take(t, i)
		class[n] = t.class[i]
	}
	return grow.Data{X: out.x, Sparse: out.sparse, Features: t.d, Class: class, Classes: t.k}
}

// judge fits a model on the rows outside a fold and scores it on the fold. In
// one fold all candidates share the seed, so that they differ by their
// parameters alone.
func (t *table) judge(ctx context.Context, m Model, fold int, share float64, by Resource, seed uint64, workers int) (fit, error) {
	start := time.Now()
	train, validate := t.parts(fold)
	if share < 1 {
		if by == Rows {
			train = thin(train, t.class, t.k, share, derive(seed, streamRows+uint64(fold)))
		} else {
			m = m.shrink(share)
		}
	}
	e, err := m.grow(ctx, t.pick(train), derive(seed, streamModel+uint64(fold)), workers)
	if err != nil {
		return fit{}, err
	}
	held := t.pick(validate)
	class := held.Class
	p, err := probabilities(e, held)
	if err != nil {
		return fit{}, err
	}
	predicted := make([]int, len(class))
	for i := range predicted {
		predicted[i] = metric.Argmax(p[i*t.k : (i+1)*t.k])
	}
	conf := metric.NewConfusion(class, predicted, t.k)
	f := fit{conf.MacroF1(), conf.Accuracy(), metric.LogLoss(class, p, t.k), e.Nodes(), math.Round(time.Since(start).Seconds()*1000) / 1000}
	return f, f.check()
}

// check finds figures that no fit can have; a journal could name them.
func (f fit) check() error {
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	if !share(f.macroF1) || !share(f.accuracy) || !(f.logLoss >= 0 && f.logLoss < 100) || f.nodes < 1 || !(f.seconds >= 0 && f.seconds < math.MaxFloat64) {
		return fmt.Errorf("figures out of range: macro-F1 %v, accuracy %v, log loss %v, %d nodes, %v s", f.macroF1, f.accuracy, f.logLoss, f.nodes, f.seconds)
	}
	return nil
}

// meanOf returns the mean of values and its standard error, the deviation
// (n-1) over the root of n. Folds share training rows, so that the error is
// somewhat too small. Source: Bengio, Grandvalet, JMLR 5, 2004.
func meanOf(values []float64) (mean, standardError float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	sum := 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sum / (n - 1) / n)
}
