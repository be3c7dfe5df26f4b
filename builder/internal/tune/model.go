package tune

import (
	"context"
	"fmt"
	"math"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// The kinds of model that can be searched.
const (
	Forest   = "forest"
	Boosting = "boosting"
)

// Model says how one model grows. What no parameter sets keeps the default of
// package grow; Seed, Workers, ClassWeights and Progress are the caller's.
type Model struct {
	Kind string // Forest or Boosting
	// WeightPower p weights a row of a class with n_c of the n training rows
	// and k classes by (n / (k n_c))^p, as a candidate of package train does.
	WeightPower float64
	Deep        float64            // share of a forest's trees that grow to the last row, see grow.Mixed
	Forest      grow.ForestOptions // for Kind Forest
	Boost       grow.BoostOptions  // for Kind Boosting
}

// parameter is something that a dimension may vary.
type parameter struct {
	name      string
	whole     bool
	low, high float64 // inclusive
	set       func(*Model, float64)
}

// orNegative maps 0 to what grow.BoostOptions takes for 0, its own 0 being the
// default.
func orNegative(v float64) float64 {
	if v == 0 {
		return -1
	}
	return v
}

// maxTrees bounds trees and rounds: beyond it forests change by less than
// their folds do.
const maxTrees = 10_000

// parameters lists what can be searched, by kind of model.
var parameters = map[string][]parameter{
	Forest: {
		{"trees", true, 1, maxTrees, func(m *Model, v float64) { m.Forest.Trees = int(v) }},
		{"min_leaf", true, 1, 1e6, func(m *Model, v float64) { m.Forest.MinSamplesLeaf = int(v) }},
		{"features_share", false, 0, 1, func(m *Model, v float64) { m.Forest.MaxFeaturesShare = v }},    // 0: the root of d
		{"max_depth", true, 0, tree.MaxDepth, func(m *Model, v float64) { m.Forest.MaxDepth = int(v) }}, // 0: no limit
		{"weight_power", false, 0, 4, func(m *Model, v float64) { m.WeightPower = v }},
		{"extra", true, 0, 1, func(m *Model, v float64) { m.Forest.ExtraTrees = v == 1 }}, // 1: extra trees
		{"deep", false, 0, 1, func(m *Model, v float64) { m.Deep = v }},
	},
	Boosting: {
		{"rounds", true, 1, maxTrees, func(m *Model, v float64) { m.Boost.Rounds = int(v) }},
		{"eta", false, 1e-4, 1, func(m *Model, v float64) { m.Boost.LearningRate = v }},
		{"max_depth", true, 0, tree.MaxDepth, func(m *Model, v float64) { m.Boost.MaxDepth = int(orNegative(v)) }}, // 0: no limit
		{"lambda", false, 0, 1e6, func(m *Model, v float64) { m.Boost.Lambda = orNegative(v) }},
		{"subsample", false, 1e-3, 1, func(m *Model, v float64) { m.Boost.Subsample = v }},
		{"colsample", false, 1e-3, 1, func(m *Model, v float64) { m.Boost.ColsampleTree = v }},
		{"min_child_weight", false, 0, 1e6, func(m *Model, v float64) { m.Boost.MinChildWeight = orNegative(v) }},
		{"weight_power", false, 0, 4, func(m *Model, v float64) { m.WeightPower = v }},
	},
}

// find returns the parameter of a kind of model by its name.
func find(kind, name string) (parameter, bool) {
	for _, p := range parameters[kind] {
		if p.name == name {
			return p, true
		}
	}
	return parameter{}, false
}

// check finds a value that the parameter cannot take.
func (p parameter) check(v float64) error {
	switch {
	case !(v >= p.low && v <= p.high):
		return fmt.Errorf("%s: %g: want %g to %g", p.name, v, p.low, p.high)
	case p.whole && v != math.Trunc(v):
		return fmt.Errorf("%s: %g: want a whole number", p.name, v)
	}
	return nil
}

// newModel sets the named parameters.
func newModel(kind string, params map[string]float64) (Model, error) {
	if parameters[kind] == nil {
		return Model{}, fmt.Errorf("model %.64q: want %s or %s", kind, Forest, Boosting)
	}
	m := Model{Kind: kind}
	set := 0
	for _, p := range parameters[kind] {
		v, ok := params[p.name]
		if !ok {
			continue
		}
		if err := p.check(v); err != nil {
			return Model{}, err
		}
		p.set(&m, v)
		set++
	}
	if set != len(params) {
		return Model{}, fmt.Errorf("%d parameters that a %s does not have", len(params)-set, kind)
	}
	return m, nil
}

// shrink returns the model with a share, in (0,1], of its trees or rounds, at
// least one.
func (m Model) shrink(share float64) Model {
	part := func(n int) int {
		if n == 0 {
			n = 100 // the default of package grow
		}
		return portion(share, n)
	}
	m.Forest.Trees, m.Boost.Rounds = part(m.Forest.Trees), part(m.Boost.Rounds)
	return m
}

// grow fits the model to n rows of k classes.
func (m Model) grow(ctx context.Context, data grow.Data, seed uint64, workers int) (*tree.Ensemble, error) {
	weights := classWeights(data.Class, data.Classes, m.WeightPower)
	var src tree.Source
	var err error
	if m.Kind == Boosting {
		o := m.Boost
		o.Seed, o.Workers, o.ClassWeights = seed, workers, weights
		src, _, err = grow.Boost(ctx, data, o)
	} else {
		o := m.Forest
		o.Seed, o.Workers, o.ClassWeights = seed, workers, weights
		src, err = grow.Mixed(ctx, data, m.Deep, o)
	}
	if err != nil {
		return nil, err
	}
	return tree.New(src)
}

// classWeights returns (n / (k n_c))^power, 1 for a class without rows.
func classWeights(class []int, k int, power float64) []float64 {
	count := make([]int, k)
	for _, c := range class {
		count[c]++
	}
	out := make([]float64, k)
	for c, n := range count {
		out[c] = 1
		if n > 0 {
			out[c] = math.Pow(float64(len(class))/float64(k*n), power)
		}
	}
	return out
}

// unpacked is how many values of sparse rows are made dense at once.
const unpacked = 1 << 21

// probabilities returns the class probabilities of the rows, n×k.
func probabilities(e *tree.Ensemble, rows grow.Data) ([]float64, error) {
	n, k := len(rows.Class), rows.Classes
	_, outputs := e.Shape()
	p := make([]float64, n*outputs)
	if rows.Sparse == nil {
		if err := e.Predict(p, rows.X); err != nil {
			return nil, err
		}
	} else {
		d := rows.Features
		step := max(unpacked/d, 1)
		x := make([]float64, step*d)
		for lo := 0; lo < n; lo += step {
			hi := min(lo+step, n)
			clear(x)
			for i := lo; i < hi; i++ {
				for at := rows.Sparse.Start[i]; at < rows.Sparse.Start[i+1]; at++ {
					x[(i-lo)*d+int(rows.Sparse.Index[at])] = rows.Sparse.Value[at]
				}
			}
			if err := e.Predict(p[lo*outputs:hi*outputs], x[:(hi-lo)*d]); err != nil {
				return nil, err
			}
		}
	}
	if outputs == k {
		return p, nil
	}
	both := make([]float64, 0, 2*n) // boosting has one output for two classes
	for _, v := range p {
		both = append(both, 1-v, v)
	}
	return both, nil
}
