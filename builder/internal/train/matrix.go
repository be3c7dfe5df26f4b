package train

import (
	"context"

	"cloister/builder/internal/train/grow"
	"cloister/shared/feature"
	"cloister/shared/model/tree"
)

// matrix is what models learn from: n rows of d columns, dense or compressed.
type matrix struct {
	d      int
	dense  []float64       // n×d row-major
	sparse *feature.Sparse // instead of dense
}

// pick returns the given rows.
func (m matrix) pick(rows []int) matrix {
	if m.sparse == nil {
		return matrix{d: m.d, dense: pick(m.dense, m.d, rows)}
	}
	s := &feature.Sparse{Start: []int{0}}
	for _, i := range rows {
		index, value := m.sparse.Row(i)
		s.Index, s.Value = append(s.Index, index...), append(s.Value, value...)
		s.Start = append(s.Start, len(s.Index))
	}
	return matrix{d: m.d, sparse: s}
}

// data returns the rows as package grow wants them.
func (m matrix) data(class []int, k int) grow.Data {
	data := grow.Data{Features: m.d, Class: class, Classes: k, X: m.dense}
	if m.sparse != nil {
		data.Sparse = &grow.Sparse{Start: m.sparse.Start, Index: m.sparse.Index, Value: m.sparse.Value}
	}
	return data
}

// unpacked is how many values of a compressed matrix are made dense at once.
const unpacked = 1 << 21

// predict returns the class scores of n rows, n×k; boosting has one output for
// two classes.
func (m matrix) predict(e *tree.Ensemble, n, k int) []float64 {
	_, outputs := e.Shape()
	p := make([]float64, n*outputs)
	score := func(dst, x []float64) {
		if err := e.Predict(dst, x); err != nil {
			panic(err) // unreachable: shapes are made to fit
		}
	}
	if m.sparse == nil {
		score(p, m.dense)
	} else {
		step := max(unpacked/m.d, 1)
		x := make([]float64, 0, step*m.d)
		for lo := 0; lo < n; lo += step {
			hi := min(lo+step, n)
			x = x[:(hi-lo)*m.d]
			clear(x)
			for i := lo; i < hi; i++ {
				index, value := m.sparse.Row(i)
				for a, j := range index {
					x[(i-lo)*m.d+int(j)] = value[a]
				}
			}
			score(p[lo*outputs:hi*outputs], x)
		}
	}
	if outputs == k {
		return p
	}
	both := make([]float64, 0, 2*n)
	for _, v := range p {
		both = append(both, 1-v, v)
	}
	return both
}

// grow fits a candidate to rows of k classes.
func (c Candidate) grow(ctx context.Context, data grow.Data, weights []float64, seed uint64, workers int, progress func(grow.Progress)) (*tree.Ensemble, error) {
	var src tree.Source
	var err error
	if c.Oblivious != nil {
		o := *c.Oblivious
		o.Seed, o.ClassWeights, o.Workers, o.Progress = seed, weights, workers, progress
		src, _, err = grow.Oblivious(ctx, data, o)
	} else if c.Boost != nil {
		o := *c.Boost
		o.Seed, o.ClassWeights, o.Workers, o.Progress = seed, weights, workers, progress
		src, _, err = grow.Boost(ctx, data, o)
	} else {
		o := c.Options
		o.Seed, o.ClassWeights, o.Workers, o.Progress = seed, weights, workers, progress
		src, err = grow.Mixed(ctx, data, c.Deep, o)
	}
	if err != nil {
		return nil, err
	}
	return tree.New(src)
}
