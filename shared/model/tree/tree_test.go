package tree_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/model"
	"cloister/shared/model/modeltest"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// shapes are the ensembles that the tests of this package run over; together
// they reach every part of the format and both widths of nodes.
var shapes = []struct {
	name string
	o    treetest.Options
}{
	{"forest", treetest.Options{Trees: 20, Depth: 9, Levels: 40}},
	{"forest of any thresholds", treetest.Options{Outputs: 2, Trees: 9}},
	{"forest with missing values", treetest.Options{Outputs: 7, Levels: 9, Missing: true, Trees: 8}},
	{"forest with categories", treetest.Options{Levels: 9, Categories: 70, Missing: true}},
	{"forest with real covers", treetest.Options{Real: true}},
	{"regression forest", treetest.Options{Outputs: 1}},
	{"single leaf", treetest.Options{Depth: -1, Trees: 3}},
	{"many columns", treetest.Options{Features: 300, Trees: 60, Depth: 7}},
	{"split features", treetest.Options{Features: 3, Trees: 60, Depth: 7, Missing: true}},
	{"boosting of vectors", treetest.Options{Kind: tree.Boosting, Link: tree.Softmax, Levels: 30}},
	{"boosting of scalars", treetest.Options{Kind: tree.Boosting, Link: tree.Softmax, Scalar: true, Trees: 30, Levels: 99}},
	{"binary boosting", treetest.Options{Kind: tree.Boosting, Link: tree.Logistic, Outputs: 1, Missing: true, Real: true}},
	{"regression boosting", treetest.Options{Kind: tree.Boosting, Outputs: 1}},
	{"isolation", treetest.Options{Kind: tree.Isolation, Trees: 30, Depth: 8}},
	{"forest of class weights", treetest.Options{Weighted: true, Outputs: 5, Trees: 12}},
	{"oblivious", treetest.Options{Kind: tree.Oblivious, Link: tree.Softmax, Trees: 30, Levels: 40}},
	{"oblivious of many outputs", treetest.Options{Kind: tree.Oblivious, Link: tree.Softmax, Outputs: 17, Trees: 2, Depth: 8, Missing: true, Leaf: 0.01}},
	{"oblivious and binary", treetest.Options{Kind: tree.Oblivious, Link: tree.Logistic, Outputs: 1, Features: 2, Trees: 150, Depth: 4, Leaf: 0.4}},
}

func build(t testing.TB, s tree.Source) *tree.Ensemble {
	t.Helper()
	e, err := tree.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEnsemble_marginEqualsWalkingTheSource(t *testing.T) {
	for i, c := range shapes {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			s := treetest.Random(r, c.o)
			e := build(t, s)
			for _, n := range []int{1, 3, 17, 5000} {
				x := treetest.Rows(r, c.o, n, 0.05)
				got := make([]float64, n*s.Outputs)
				if err := e.Margin(got, x); err != nil {
					t.Fatal(err)
				}
				for row := range n {
					want := treetest.Margin(&s, x[row*s.Features:(row+1)*s.Features])
					for k, v := range want {
						if math.Float64bits(got[row*s.Outputs+k]) != math.Float64bits(v) {
							t.Fatalf("%d rows: row %d output %d: got %v, want %v", n, row, k, got[row*s.Outputs+k], v)
						}
					}
				}
			}
		})
	}
}

func TestEnsemble_keepsThePromisesOfAPredictor(t *testing.T) {
	for i, c := range shapes {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, uint64(i)))
			c.o.Trees = min(c.o.Trees, 12) // 800 damaged copies are decoded
			s := treetest.Random(r, c.o)
			modeltest.Check(t, build(t, s), modeltest.Options{
				X:      treetest.Rows(r, c.o, 40, 0.02),
				Decode: decode,
				Unit:   s.Kind == tree.Forest && s.Outputs > 1 || s.Kind == tree.Isolation || s.Link != tree.Identity,
				Sum:    s.Kind == tree.Forest && s.Outputs > 1 || s.Link == tree.Softmax,
			})
		})
	}
}

func decode(b []byte) (model.Predictor, error) { return tree.Decode(b) }

// -0 and 0 are one value, a row on a threshold goes left, and the next float
// above goes right.
func TestPredict_splitRule(t *testing.T) {
	up := math.Nextafter(1.5, 2)
	for _, c := range []struct {
		threshold, x float64
		missingLeft  bool
		want         float64
	}{
		{1.5, 1.5, false, 10},
		{1.5, up, false, 20},
		{1.5, math.Nextafter(1.5, 0), false, 10},
		{0, math.Copysign(0, -1), false, 10},
		{math.Copysign(0, -1), 0, false, 10},
		{0, 5e-324, false, 20},
		{math.Inf(1), math.Inf(1), false, 10},
		{math.Inf(1), math.NaN(), false, 20},
		{math.Inf(-1), math.Inf(-1), false, 10},
		{math.Inf(-1), -math.MaxFloat64, false, 20},
		{1.5, math.NaN(), false, 20},
		{1.5, math.NaN(), true, 10},
		{1.5, math.Inf(1), true, 20},
		{1.5, math.Inf(-1), false, 10},
	} {
		s := stump()
		s.Trees[0].Threshold[0] = c.threshold
		s.Trees[0].MissingLeft = []bool{c.missingLeft, false, false}
		got := []float64{0}
		if err := build(t, s).Predict(got, []float64{c.x}); err != nil {
			t.Fatal(err)
		}
		if got[0] != c.want {
			t.Errorf("x %v at threshold %v, missing left %v: got %v, want %v", c.x, c.threshold, c.missingLeft, got[0], c.want)
		}
	}
}

// stump is one split of one feature at 0.5, worth 10 on the left, 20 on the
// right.
func stump() tree.Source {
	return tree.Source{Kind: tree.Boosting, Features: 1, Outputs: 1, Trees: []tree.SourceTree{{
		Output:    0,
		Feature:   []int32{0, -1, -1},
		Threshold: []float64{0.5, 0, 0},
		Left:      []int32{1, 0, 0},
		Right:     []int32{2, 0, 0},
		Cover:     []float64{0, 3, 1},
		Value:     []float64{0, 10, 20},
	}}}
}

func TestPredict_categories(t *testing.T) {
	s := stump()
	s.Trees[0].Category = [][]uint64{{1<<3 | 1<<63, 1}, nil, nil} // 3, 63, 64
	e := build(t, s)
	for x, want := range map[float64]float64{
		3: 10, 63: 10, 64: 10, 0: 20, 2: 20, 3.5: 20, -3: 20, 65: 20, 127: 20, 128: 20, 1e300: 20, math.Inf(1): 20, math.Inf(-1): 20,
	} {
		got := []float64{0}
		if err := e.Predict(got, []float64{x}); err != nil {
			t.Fatal(err)
		}
		if got[0] != want {
			t.Errorf("category %v: got %v, want %v", x, got[0], want)
		}
	}
}

// A feature with more thresholds than a column of bins has ranks takes more
// columns; a forest with too many columns for one byte takes two.
func TestEnsemble_manyThresholds(t *testing.T) {
	for _, c := range []struct{ trees, depth, columns int }{
		{1, 8, 1},   // 255 thresholds
		{9, 8, 9},   // 2,295: nine columns of a byte
		{40, 13, 5}, // 327,640: five columns of two bytes
	} {
		o := treetest.Options{Features: 1, Outputs: 2, Trees: c.trees, Depth: c.depth, Leaf: 1e-9, Missing: true}
		r := rand.New(rand.NewPCG(12, uint64(c.trees)))
		s := treetest.Random(r, o)
		e := build(t, s)
		if got := e.Columns(); got != 2*c.columns {
			t.Errorf("%d trees of depth %d: %d columns, want %d for each missing direction", c.trees, c.depth, got, c.columns)
		}
		b, err := e.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := tree.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		x := treetest.Rows(r, o, 200, 0.05)
		for i := range s.Trees[0].Threshold[:20] {
			x[i] = s.Trees[0].Threshold[i]
		}
		got, again := make([]float64, 400), make([]float64, 400)
		if err := e.Margin(got, x); err != nil {
			t.Fatal(err)
		}
		if err := d.Margin(again, x); err != nil {
			t.Fatal(err)
		}
		for row := range 200 {
			want := treetest.Margin(&s, x[row:row+1])
			for k := range want {
				if got[2*row+k] != want[k] || again[2*row+k] != want[k] {
					t.Fatalf("%d trees: row %d (%v) output %d: got %v, decoded %v, want %v", c.trees, row, x[row], k, got[2*row+k], again[2*row+k], want[k])
				}
			}
		}
	}
}

func TestEnsemble_PredictBinned(t *testing.T) {
	for i, c := range shapes {
		r := rand.New(rand.NewPCG(13, uint64(i)))
		e := build(t, treetest.Random(r, c.o))
		d, k := e.Shape()
		const n = 4100 // more than a block
		x := treetest.Rows(r, c.o, n, 0.05)
		bins, err := e.Bin(x)
		if err != nil {
			t.Fatal(err)
		}
		if bins.Rows() != n || bins.Of() != e {
			t.Fatalf("%s: %d rows", c.name, bins.Rows())
		}
		got, want := make([]float64, n*k), make([]float64, n*k)
		if err := e.PredictBinned(got, bins); err != nil {
			t.Fatal(err)
		}
		if err := e.Predict(want, x); err != nil {
			t.Fatal(err)
		}
		for j := range want {
			if math.Float64bits(got[j]) != math.Float64bits(want[j]) {
				t.Fatalf("%s: score %d: got %v, want %v", c.name, j, got[j], want[j])
			}
		}
		for what, err := range map[string]error{
			"part of a row":   second(e.Bin(x[:d*2-1])),
			"short dst":       e.PredictBinned(got[:1], bins),
			"bins of another": build(t, treetest.Random(r, c.o)).PredictBinned(got, bins),
		} {
			if _, ok := errors.AsType[*model.ShapeError](err); !ok && !(what == "part of a row" && d == 1) {
				t.Errorf("%s: %s: got %v, want a ShapeError", c.name, what, err)
			}
		}
	}
}

func second(_ *tree.Binned, err error) error { return err }

// TestEnsemble_Node walks rows through the nodes as package explain does.
func TestEnsemble_Node(t *testing.T) {
	for i, c := range shapes {
		r := rand.New(rand.NewPCG(14, uint64(i)))
		s := treetest.Random(r, c.o)
		e := build(t, s)
		x := treetest.Rows(r, c.o, 30, 0.05)
		bins, err := e.Bin(x)
		if err != nil {
			t.Fatal(err)
		}
		row := make([]uint16, e.Columns())
		for n := range 30 {
			bins.Row(row, n)
			one := x[n*s.Features : (n+1)*s.Features]
			for tr := range s.Trees {
				src, v := &s.Trees[tr], 0
				at, _ := e.Root(tr)
				node := e.Node(tr, at)
				for !node.IsLeaf() {
					if node.Feature != int(src.Feature[v]) || src.Category[v] == nil && node.Threshold != src.Threshold[v] {
						t.Fatalf("%s: tree %d: node %+v, want feature %d at %v", c.name, tr, node, src.Feature[v], src.Threshold[v])
					}
					left := treetest.Left(src, v, one)
					if goesLeft := int(row[node.Column]) <= node.Bin; goesLeft != left {
						t.Fatalf("%s: tree %d: left %v, want %v", c.name, tr, goesLeft, left)
					}
					if left {
						at, v = node.Left, int(src.Left[v])
					} else {
						at, v = node.Right, int(src.Right[v])
					}
					node = e.Node(tr, at)
				}
				if src.Feature[v] != -1 || node.Cover != src.Cover[v] {
					t.Fatalf("%s: tree %d: leaf cover %v, want %v", c.name, tr, node.Cover, src.Cover[v])
				}
			}
		}
	}
}

// Values of scikit-learn 1.9.1, sklearn.ensemble._iforest._average_path_length,
// 2026-11-22.
func TestPathLength(t *testing.T) {
	for n, want := range map[int]float64{-1: 0, 0: 0, 1: 0, 2: 1, 3: 1.207392357589623, 5: 2.327020052042847, 256: 10.244770920119917, 1000000: 26.785452445730613} {
		if got := tree.PathLength(n); math.Abs(got-want) > 1e-14*want {
			t.Errorf("c(%d): got %v, want %v", n, got, want)
		}
	}
}
