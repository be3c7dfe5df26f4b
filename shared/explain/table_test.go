package explain_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// equal checks bits.
func equal(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d values, want %d and not 0", what, len(got), len(want))
	}
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			t.Fatalf("%s: value %d: got %v, want %v", what, i, got[i], want[i])
		}
	}
}

// oblivious is trees whose levels test one threshold each.
func oblivious(r *rand.Rand, features, trees, depth int) tree.Source {
	s := tree.Source{Kind: tree.Boosting, Features: features, Outputs: 2}
	for range trees {
		t := tree.SourceTree{Output: -1}
		level := make([]int32, depth)
		at := make([]float64, depth)
		for i := range level {
			level[i], at[i] = int32(r.IntN(features)), float64(r.IntN(9))/2
		}
		for v := range 1<<(depth+1) - 1 {
			row := 0
			for ; 1<<(row+1)-1 <= v; row++ {
			}
			f, threshold := int32(-1), 0.0
			if row < depth {
				f, threshold = level[row], at[row]
			}
			t.Feature, t.Threshold = append(t.Feature, f), append(t.Threshold, threshold)
			t.Left, t.Right = append(t.Left, int32(2*v+1)), append(t.Right, int32(2*v+2))
			t.Cover = append(t.Cover, float64(r.IntN(9)))
			t.Value = append(t.Value, r.NormFloat64(), r.NormFloat64())
		}
		s.Trees = append(s.Trees, t)
	}
	return s
}

// full is complete trees whose splits are all on different features.
func full(r *rand.Rand, outputs, trees, depth int) tree.Source {
	s := tree.Source{Kind: tree.Boosting, Features: 1<<depth - 1, Outputs: outputs}
	for range trees {
		t := tree.SourceTree{Output: -1, Value: make([]float64, (1<<(depth+1)-1)*outputs)}
		for v := range 1<<(depth+1) - 1 {
			f := int32(v)
			if v >= s.Features {
				f = -1
				for k := range outputs {
					t.Value[v*outputs+k] = r.NormFloat64()
				}
			}
			t.Feature, t.Threshold = append(t.Feature, f), append(t.Threshold, 0.5)
			t.Left, t.Right = append(t.Left, int32(2*v+1)), append(t.Right, int32(2*v+2))
			t.Cover = append(t.Cover, float64(1+r.IntN(9)))
		}
		s.Trees = append(s.Trees, t)
	}
	return s
}

// stumps make an ensemble wide (more than 256 columns of bins), feature 0
// having 1,400 thresholds, six lanes in either direction of missing, and
// feature 1 having 256, the least that take two, in one.
func stumps(r *rand.Rand) tree.Source {
	s := tree.Source{Kind: tree.Boosting, Features: 301, Outputs: 1}
	for i := range 1127 {
		f := int32(max(0, i-699))
		if i >= 1000 {
			f = 1
		}
		s.Trees = append(s.Trees, tree.SourceTree{
			Feature: []int32{f, f, -1, -1, -1}, Threshold: []float64{float64(i), float64(i) - 0.5, 0, 0, 0},
			Left: []int32{1, 3, 0, 0, 0}, Right: []int32{2, 4, 0, 0, 0}, MissingLeft: []bool{i%2 == 0, false, false, false, false},
			Cover: []float64{0, 0, 1 + float64(r.IntN(5)), 1, 2}, Value: []float64{0, 0, r.NormFloat64(), 1, -1},
		})
	}
	return s
}

func TestTables_equalQuadrature(t *testing.T) {
	type named struct {
		name   string
		source tree.Source
		rows   func(*rand.Rand) []float64
	}
	cases := []named{
		{"oblivious", oblivious(rand.New(rand.NewPCG(60, 0)), 20, 3, 8), func(r *rand.Rand) []float64 {
			return treetest.Rows(r, treetest.Options{Features: 20, Levels: 9}, 40, 0.1)
		}},
		{"six lanes a column", stumps(rand.New(rand.NewPCG(60, 1))), func(r *rand.Rand) []float64 {
			x := make([]float64, 301*60)
			for i := range x {
				x[i] = float64(r.IntN(2100)) / 2
				if r.IntN(20) == 0 {
					x[i] = math.NaN()
				}
			}
			for i := range 60 { // ranks about the border of two lanes
				x[i*301], x[i*301+1] = 120+float64(i)/4, 1097+float64(i)/2
			}
			return x
		}},
	}
	for i, c := range shapes {
		for _, depth := range []int{2, 6, 7, 8} {
			o := c.o
			if o.Features == 0 && depth > 6 {
				o.Features = 20
			}
			if o.Depth >= 0 {
				o.Depth = depth
			}
			r := rand.New(rand.NewPCG(61, uint64(i)))
			cases = append(cases, named{c.name, treetest.Random(r, o), func(r *rand.Rand) []float64 { return treetest.Rows(r, o, 30, 0.1) }})
		}
	}
	for i, c := range cases {
		x, e := explainer(t, c.source)
		if x.Tabled(0) != e.Trees() {
			t.Fatalf("%s: %d of %d trees have tables", c.name, x.Tabled(0), e.Trees())
		}
		rows := c.rows(rand.New(rand.NewPCG(62, uint64(i))))
		d, k := x.Shape()
		got, want := make([]float64, len(rows)*k), make([]float64, len(rows)*k)
		if err := x.AllValues(got, rows); err != nil {
			t.Fatal(err)
		}
		if err := x.WithoutTables().AllValues(want, rows); err != nil {
			t.Fatal(err)
		}
		for r := 0; r < len(want); r += d {
			compareTo(t, c.name, got[r:r+d], want[r:r+d], 1e-13)
		}
	}
}

func TestTables_sizes(t *testing.T) {
	r := rand.New(rand.NewPCG(63, 0))
	for _, c := range []struct {
		name   string
		source tree.Source
		groups int // of a tree, at most
		values int
	}{
		{"oblivious trees are one group", oblivious(r, 2000, 4, 8), 1, 8 * 256},
		{"four leaves a group", full(r, 1, 2, 6), 16, 16 * 7 * 128},
		{"depth 8, two leaves a group", full(r, 1, 1, 8), 128, 128 * 8 * 256},
	} {
		x, e := explainer(t, c.source)
		groups, values := x.Groups(0)
		if n := e.Trees(); groups != n*c.groups || values != n*c.values {
			t.Errorf("%s: %d groups of %d values in %d trees, want %d of %d each", c.name, groups, values, n, c.groups, c.values)
		}
	}
	x, _ := explainer(t, stumps(r))
	if lanes, columns := x.Lanes(); columns <= 256 || lanes != columns+11 {
		t.Errorf("%d lanes for %d columns, want 11 more, of more than 256", lanes, columns)
	}
}

// With 1,024 classes a class has room for one tree of the three.
func TestTables_fallBackWhenFull(t *testing.T) {
	r := rand.New(rand.NewPCG(64, 0))
	const k = tree.MaxOutputs
	s := full(r, k, 3, 6)
	s.Trees[0] = full(r, k, 1, 4).Trees[0] // fits
	x, e := explainer(t, s)
	rows := make([]float64, 3*s.Features)
	for i := range rows {
		rows[i] = float64(r.IntN(2))
	}
	for _, class := range []int{0, k - 1} {
		if got := x.Tabled(class); got != 1 {
			t.Errorf("class %d: %d of %d trees have tables, want 1", class, got, e.Trees())
		}
		phi := make([]float64, len(rows))
		if err := x.Values(phi, rows, class); err != nil {
			t.Fatal(err)
		}
		d := s.Features
		for i := 0; i < len(rows); i += d {
			compare(t, "algorithm 2", phi[i:i+d], lundberg(&s, rows[i:i+d], class))
		}
	}
	background := rows[:s.Features]
	y := interventional(t, s, background)
	got, want := make([]float64, len(rows)), make([]float64, len(rows))
	if err := y.Values(got, rows, 1); err != nil {
		t.Fatal(err)
	}
	if err := y.WithoutTables(e, background).Values(want, rows, 1); err != nil {
		t.Fatal(err)
	}
	compareTo(t, "interventional", got, want, 1e-12)
	if x, _ := explainer(t, chain(9)); x.Tabled(0) != 0 {
		t.Error("an ensemble of depth 9 has tables")
	}
	if x, _ := explainer(t, chain(8)); x.Tabled(0) != 1 {
		t.Error("an ensemble of depth 8 has no tables")
	}
}

func TestValues_sameBitsInAnyBatch(t *testing.T) {
	for i, depth := range []int{4, 9} {
		r := rand.New(rand.NewPCG(65, uint64(i)))
		o := treetest.Options{Kind: tree.Boosting, Scalar: true, Trees: 6, Depth: depth, Features: 7, Missing: true, Levels: 9}
		x, _ := explainer(t, treetest.Random(r, o))
		d, k := x.Shape()
		n := 2100
		if depth > 8 {
			n = 150
		}
		rows := treetest.Rows(r, o, n, 0.05)
		want := make([]float64, len(rows)*k)
		for row := range n {
			if err := x.AllValues(want[row*d*k:(row+1)*d*k], rows[row*d:(row+1)*d]); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range []int{2, 3, 4, 5, 7, 8, 9, 16, 63, 64, 65, 128, n} {
			got := make([]float64, m*d*k)
			if err := x.AllValues(got, rows[:m*d]); err != nil {
				t.Fatal(err)
			}
			equal(t, "batch", got, want[:m*d*k])
		}
	}
}

// phi is filled, whatever it held.
func TestExplainer_overwrites(t *testing.T) {
	for _, depth := range []int{5, 9} {
		o := treetest.Options{Depth: depth}
		r := rand.New(rand.NewPCG(67, uint64(depth)))
		s := treetest.Random(r, o)
		x, _ := explainer(t, s)
		y := interventional(t, s, treetest.Rows(r, o, 3, 0))
		rows := treetest.Rows(r, o, 2, 0)
		for name, fill := range map[string]func(phi []float64) error{
			"Values":                func(phi []float64) error { return x.Values(phi[:12], rows, 1) },
			"AllValues":             func(phi []float64) error { return x.AllValues(phi[:36], rows) },
			"Interactions":          func(phi []float64) error { return x.Interactions(phi, rows, 1) },
			"Interventional.Values": func(phi []float64) error { return y.Values(phi[:12], rows, 1) },
		} {
			clean, dirty := make([]float64, 72), ones(72)
			if err := fill(clean); err != nil {
				t.Fatal(err)
			}
			if err := fill(dirty); err != nil {
				t.Fatal(err)
			}
			equal(t, name, dirty[:12], clean[:12])
		}
	}
}

func TestExplainer_isSafeForConcurrentUse(t *testing.T) {
	for _, depth := range []int{5, 9} {
		o := treetest.Options{Depth: depth}
		r := rand.New(rand.NewPCG(66, uint64(depth)))
		s := treetest.Random(r, o)
		x, _ := explainer(t, s)
		y := interventional(t, s, treetest.Rows(r, o, 3, 0))
		rows := treetest.Rows(r, o, 20, 0.05)
		results := make(chan []float64)
		for range 4 {
			go func() {
				phi := make([]float64, 2*len(rows)*s.Outputs)
				if x.AllValues(phi[:len(phi)/2], rows) != nil || y.AllValues(phi[len(phi)/2:], rows) != nil {
					phi = nil
				}
				results <- phi
			}()
		}
		first := <-results
		for range 3 {
			equal(t, "results", <-results, first)
		}
	}
}
