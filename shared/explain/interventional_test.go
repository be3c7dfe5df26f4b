package explain_test

import (
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"cloister/shared/explain"
	"cloister/shared/model"
	"cloister/shared/model/modeltest"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// shapley returns the Shapley values of a game of d players by definition.
func shapley(game []float64, d int) []float64 {
	phi := make([]float64, d)
	for set, v := range game {
		for j := range d {
			if set>>j&1 == 0 {
				phi[j] += (game[set|1<<j] - v) * orders(bits.OnesCount(uint(set)), d-1)
			}
		}
	}
	return phi
}

// orders returns s! (n-s)! / (n+1)!.
func orders(s, n int) float64 {
	w := 1 / float64(n+1)
	for j := 1; j <= s; j++ {
		w *= float64(j) / float64(n+1-j)
	}
	return w
}

// mixes returns the game whose value of a set is the mean margin of the
// background with the set's features taken from x.
func mixes(s *tree.Source, x, background []float64, class int) []float64 {
	d := s.Features
	game := make([]float64, 1<<d)
	mix := make([]float64, d)
	for set := range game {
		for r := 0; r < len(background); r += d {
			copy(mix, background[r:r+d])
			for j := range mix {
				if set>>j&1 != 0 {
					mix[j] = x[j]
				}
			}
			game[set] += treetest.Margin(s, mix)[class] / float64(len(background)/d)
		}
	}
	return game
}

func interventional(t testing.TB, s tree.Source, background []float64) *explain.Interventional {
	t.Helper()
	e, err := tree.New(s)
	if err != nil {
		t.Fatal(err)
	}
	x, err := explain.NewInterventional(e, background)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestInterventional_equalsSubsets(t *testing.T) {
	for i, c := range shapes {
		for _, depth := range []int{0, 9} { // tables, walks
			r := rand.New(rand.NewPCG(70, uint64(i)))
			if c.o.Depth = max(c.o.Depth, depth); c.o.Features == 9 {
				c.o.Features = 7
			}
			c.o.Trees = 4
			s := treetest.Random(r, c.o)
			background := treetest.Rows(r, c.o, 5, 0.1)
			copy(background[s.Features:2*s.Features], background) // one twice
			x := interventional(t, s, background)
			rows := treetest.Rows(r, c.o, 3, 0.1)
			copy(rows, background[:s.Features]) // and one of the rows
			for class := range s.Outputs {
				phi := make([]float64, len(rows))
				if err := x.Values(phi, rows, class); err != nil {
					t.Fatal(err)
				}
				for r := 0; r < len(rows); r += s.Features {
					game := mixes(&s, rows[r:r+s.Features], background, class)
					compare(t, c.name, phi[r:r+s.Features], shapley(game, s.Features))
					if want := game[0]; !(math.Abs(x.Base(class)-want) <= 1e-12*max(1, math.Abs(want))) {
						t.Fatalf("%s: base %v, want %v", c.name, x.Base(class), want)
					}
				}
			}
		}
	}
}

func TestInterventional_tablesEqualWalks(t *testing.T) {
	for i, c := range shapes {
		r := rand.New(rand.NewPCG(71, uint64(i)))
		c.o.Features, c.o.Depth = 15, min(8, max(c.o.Depth, 6))
		s := treetest.Random(r, c.o)
		background := treetest.Rows(r, c.o, 40, 0.1)
		x := interventional(t, s, background)
		e, err := tree.New(s)
		if err != nil {
			t.Fatal(err)
		}
		rows := treetest.Rows(r, c.o, 70, 0.1)
		got, want := make([]float64, len(rows)*s.Outputs), make([]float64, len(rows)*s.Outputs)
		if err := x.AllValues(got, rows); err != nil {
			t.Fatal(err)
		}
		if err := x.WithoutTables(e, background).AllValues(want, rows); err != nil {
			t.Fatal(err)
		}
		compareTo(t, c.name, got, want, 1e-12)
	}
}

// A feature on which the margin does not depend gets 0, though paths test it.
func TestInterventional_givesNothingToDummies(t *testing.T) {
	s := tree.Source{Kind: tree.Boosting, Features: 2, Outputs: 1, Trees: []tree.SourceTree{{
		Feature: []int32{1, 0, 0, -1, -1, -1, -1}, Threshold: make([]float64, 7),
		Left: []int32{1, 3, 5, 0, 0, 0, 0}, Right: []int32{2, 4, 6, 0, 0, 0, 0},
		Cover: []float64{0, 0, 0, 1, 9, 9, 1}, Value: []float64{0, 0, 0, -1, 1, -1, 1},
	}}}
	x := interventional(t, s, []float64{-1, -1, 1, 1, -1, 1, math.NaN(), 0})
	phi := make([]float64, 2)
	if err := x.Values(phi, []float64{1, 1}, 0); err != nil {
		t.Fatal(err)
	}
	if x.Base(0) != 0 || phi[0] != 1 || phi[1] != 0 {
		t.Errorf("got %v + %v, want 0 + [1 0]", x.Base(0), phi)
	}
}

func TestInterventional_keepsThePromiseOfAttributions(t *testing.T) {
	r := rand.New(rand.NewPCG(72, 0))
	o := treetest.Options{Depth: 11, Missing: true, Features: 14}
	s := treetest.Random(r, o)
	x, e := interventional(t, s, treetest.Rows(r, o, 9, 0.1)), build(t, s)
	modeltest.Check(t, e, modeltest.Options{
		X:         treetest.Rows(r, o, 10, 0.1),
		Decode:    func(b []byte) (model.Predictor, error) { return tree.Decode(b) },
		Raw:       e.Margin,
		Attribute: x.Values,
		Base:      x.Base,
	})
}

func TestInterventional_sameBitsInAnyBatch(t *testing.T) {
	for i, depth := range []int{5, 9} {
		r := rand.New(rand.NewPCG(73, uint64(i)))
		o := treetest.Options{Depth: depth, Trees: 3}
		x := interventional(t, treetest.Random(r, o), treetest.Rows(r, o, 6, 0.1))
		d, k := x.Shape()
		const n = 130
		rows := treetest.Rows(r, o, n, 0.05)
		all, want := make([]float64, n*d*k), make([]float64, n*d*k)
		if err := x.AllValues(all, rows); err != nil {
			t.Fatal(err)
		}
		for i := range n * k {
			row := i / k
			if err := x.Values(want[i*d:(i+1)*d], rows[row*d:(row+1)*d], i%k); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "batch", all, want)
	}
}

func TestInterventional_refuses(t *testing.T) {
	s := treetest.Random(rand.New(rand.NewPCG(74, 0)), treetest.Options{})
	e := build(t, s)
	x := interventional(t, s, make([]float64, 6))
	var shape *model.ShapeError
	var class *explain.ClassError
	for _, c := range []struct {
		what string
		err  error
		want any
	}{
		{"no background", second(explain.NewInterventional(e, nil)), &shape},
		{"part of a background row", second(explain.NewInterventional(e, make([]float64, 7))), &shape},
		{"short phi", x.Values(make([]float64, 5), make([]float64, 6), 0), &shape},
		{"part of a row", x.Values(make([]float64, 7), make([]float64, 7), 0), &shape},
		{"class below", x.Values(make([]float64, 6), make([]float64, 6), -1), &class},
		{"class above", x.Values(make([]float64, 6), make([]float64, 6), 3), &class},
		{"short phi of all", x.AllValues(make([]float64, 6), make([]float64, 6)), &shape},
	} {
		if !errors.As(c.err, c.want) {
			t.Errorf("%s: got %v", c.what, c.err)
		}
	}
	if _, err := explain.NewInterventional(nil, make([]float64, 6)); err == nil {
		t.Error("no ensemble gave no error")
	}
}

func second[T any](_ T, err error) error { return err }

func build(t testing.TB, s tree.Source) *tree.Ensemble {
	t.Helper()
	_, e := explainer(t, s)
	return e
}
