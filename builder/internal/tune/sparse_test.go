package tune_test

import (
	"context"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/builder/internal/tune"
)

// A table without missing values gives the same forests and figures in
// compressed form.
func TestRun_sparse(t *testing.T) {
	const n, d = 120, 6
	dense := tune.Data{Features: d, Classes: []string{"a", "b"}}
	sparse := &grow.Sparse{Start: []int{0}}
	for i := range n {
		class := i % 2
		for j := range d {
			v := 0.0
			if (i*7+j*3)%4 == 0 {
				v = float64((i*5+j)%9) / 2
			}
			if j == class {
				v += float64(i%3) + 1
			}
			dense.X = append(dense.X, v)
			if v != 0 {
				sparse.Index, sparse.Value = append(sparse.Index, int32(j)), append(sparse.Value, v)
			}
		}
		sparse.Start = append(sparse.Start, len(sparse.Index))
		dense.Class = append(dense.Class, class)
	}
	packed := tune.Data{Sparse: sparse, Features: d, Class: dense.Class, Classes: dense.Classes}
	space := tune.Space{Model: tune.Forest, Dimensions: []tune.Dimension{{Name: "trees", Kind: tune.Int, Low: 5, High: 9, Grid: []float64{5, 9}}, {Name: "min_leaf", Kind: tune.Int, Low: 1, High: 4, Grid: []float64{1, 4}}}}
	o := tune.Options{Search: tune.Grid, Folds: 3, Seed: 2}
	a, err := tune.Run(context.Background(), dense, space, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := tune.Run(context.Background(), packed, space, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Candidates) != 4 || a.Chosen != b.Chosen || a.Inputs == b.Inputs {
		t.Errorf("chosen %d and %d, inputs %s and %s", a.Chosen, b.Chosen, a.Inputs, b.Inputs)
	}
	for i := range a.Candidates {
		if x, y := a.Candidates[i], b.Candidates[i]; x.Number != y.Number || x.MacroF1 != y.MacroF1 || x.LogLoss != y.LogLoss || x.Nodes != y.Nodes {
			t.Errorf("candidate %d: %+v and %+v", i, x, y)
		}
	}
	boost := tune.Space{Model: tune.Boosting, Dimensions: []tune.Dimension{{Name: "rounds", Kind: tune.Choice, Grid: []float64{3}}}}
	if r, err := tune.Run(context.Background(), packed, boost, o); err != nil || len(r.Candidates) != 1 || !(r.Candidates[0].MacroF1 > 0.3) {
		t.Errorf("boosting of compressed rows: %+v, %v", r, err)
	}
	o.TrainOnly = true
	if r, err := tune.Run(context.Background(), packed, space, o); err != nil || r.Counts.Searched >= a.Counts.Searched || r.Inputs == b.Inputs {
		t.Errorf("training rows alone: %+v, %v; with validation rows %+v", r, err, a.Counts)
	}
	o.TrainOnly = false
	packed.Class = packed.Class[:n-1]
	if _, err := tune.Run(context.Background(), packed, space, o); err == nil {
		t.Error("labels for other rows")
	}
}
