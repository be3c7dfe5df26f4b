package explain_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/explain"
	"cloister/shared/model"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

func TestChosen_equalsValuesOfEachRow(t *testing.T) {
	rows := 0
	for i, o := range []treetest.Options{
		{Levels: 9, Trees: 7},
		{Outputs: 2, Features: 9, Depth: 12, Leaf: 0.2}, // no tables
		{Kind: tree.Oblivious, Link: tree.Softmax, Outputs: 5, Levels: 40, Depth: 8, Features: 9},
		{Kind: tree.Boosting, Scalar: true, Features: 1, Trees: 60, Depth: 8, Leaf: 0.01}, // columns of several lanes
		{Kind: tree.Isolation, Depth: 8},
	} {
		r := rand.New(rand.NewPCG(15, uint64(i)))
		s := treetest.Random(r, o)
		x, _ := explainer(t, s)
		for _, n := range []int{0, 1, 37, 900} {
			in := treetest.Rows(r, o, n, 0.1)
			class := make([]int, n)
			for j := range class {
				class[j] = r.IntN(s.Outputs)
			}
			got, want := make([]float64, len(in)), make([]float64, s.Features)
			if err := x.Chosen(got, in, class); err != nil {
				t.Fatal(err)
			}
			for row, c := range class {
				at := got[row*s.Features : (row+1)*s.Features]
				if err := x.Values(want, in[row*s.Features:(row+1)*s.Features], c); err != nil {
					t.Fatal(err)
				}
				for j, v := range want {
					if math.Float64bits(at[j]) != math.Float64bits(v) {
						t.Fatalf("shape %d, %d rows: row %d feature %d: %v, alone %v", i, n, row, j, at[j], v)
					}
				}
				rows++
			}
		}
	}
	if rows < 4000 {
		t.Errorf("%d rows", rows)
	}
}

func TestChosen_refuses(t *testing.T) {
	x, _ := explainer(t, treetest.Random(rand.New(rand.NewPCG(16, 1)), treetest.Options{}))
	phi, in := []float64{7, 7, 7, 7, 7, 7}, make([]float64, 6)
	for _, c := range []struct {
		phi, in []float64
		class   []int
		want    any
	}{
		{phi, in, []int{3}, new(explain.ClassError)},
		{phi, in, []int{-1}, new(explain.ClassError)},
		{phi, in, nil, new(model.ShapeError)},
		{phi, in, []int{0, 0}, new(model.ShapeError)},
		{phi[:5], in, []int{0}, new(model.ShapeError)},
		{phi[:5], in[:5], []int{0}, new(model.ShapeError)},
	} {
		err := x.Chosen(c.phi, c.in, c.class)
		_, shape := errors.AsType[*model.ShapeError](err)
		_, class := errors.AsType[*explain.ClassError](err)
		if _, want := c.want.(*model.ShapeError); shape != want || class == want {
			t.Errorf("%d values for %d classes: %v", len(c.in), len(c.class), err)
		}
	}
	for _, v := range phi {
		if v != 7 {
			t.Error("phi was changed")
		}
	}
}
