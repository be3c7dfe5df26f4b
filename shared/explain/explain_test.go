package explain_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/explain"
	"cloister/shared/model"
	"cloister/shared/model/modeltest"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// tolerance is relative to the largest value of a row and to 1: sums of up to
// a few thousand terms in float64.
const tolerance = 1e-10

var shapes = []struct {
	name string
	o    treetest.Options
}{
	{"forest", treetest.Options{Levels: 9, Trees: 7}},
	{"forest of two classes", treetest.Options{Outputs: 2, Features: 9, Depth: 8}},
	{"missing values and categories", treetest.Options{Levels: 9, Categories: 9, Missing: true, Features: 5}},
	{"regression forest", treetest.Options{Outputs: 1, Features: 3, Depth: 9}},
	{"single leaf", treetest.Options{Depth: -1}},
	{"boosting of vectors", treetest.Options{Kind: tree.Boosting, Link: tree.Softmax, Real: true}},
	{"boosting of scalars", treetest.Options{Kind: tree.Boosting, Link: tree.Softmax, Scalar: true, Trees: 10}},
	{"binary boosting", treetest.Options{Kind: tree.Boosting, Link: tree.Logistic, Outputs: 1, Missing: true}},
	{"isolation", treetest.Options{Kind: tree.Isolation, Features: 8, Depth: 8}},
	{"features seen again and again", treetest.Options{Features: 2, Depth: 10, Leaf: 0.05}},
}

func explainer(t testing.TB, s tree.Source) (*explain.Explainer, *tree.Ensemble) {
	t.Helper()
	e, err := tree.New(s)
	if err != nil {
		t.Fatal(err)
	}
	x, err := explain.New(e)
	if err != nil {
		t.Fatal(err)
	}
	return x, e
}

func compare(t *testing.T, what string, got, want []float64) {
	t.Helper()
	compareTo(t, what, got, want, tolerance)
}

func compareTo(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	largest := 1.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for j := range want {
		if !(math.Abs(got[j]-want[j]) <= tolerance*largest) {
			t.Fatalf("%s: feature %d: got %v, want %v\nall %v\nwant %v", what, j, got[j], want[j], got, want)
		}
	}
}

func TestValues_equalBothReferences(t *testing.T) {
	for i, c := range shapes {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(4, uint64(i)))
			s := treetest.Random(r, c.o)
			x, _ := explainer(t, s)
			d := s.Features
			rows := treetest.Rows(r, c.o, 6, 0.1)
			for class := range s.Outputs {
				phi := make([]float64, len(rows))
				if err := x.Values(phi, rows, class); err != nil {
					t.Fatal(err)
				}
				for row := range len(rows) / d {
					got, one := phi[row*d:(row+1)*d], rows[row*d:(row+1)*d]
					compare(t, "subsets", got, subsets(&s, one, class))
					compare(t, "algorithm 2", got, lundberg(&s, one, class))
				}
			}
		})
	}
}

// Paths of more than 16 distinct features need more than one round of points.
func TestValues_exactOnLongPaths(t *testing.T) {
	for _, c := range []struct{ features, points int }{{15, 8}, {16, 8}, {17, 16}, {33, 24}, {70, 40}} {
		s := chain(c.features)
		x, e := explainer(t, s)
		if got := x.Points(0); got != c.points {
			t.Errorf("%d features: %d points, want %d", c.features, got, c.points)
		}
		r := rand.New(rand.NewPCG(5, uint64(c.features)))
		for range 5 {
			row := make([]float64, c.features)
			for j := range row {
				row[j] = float64(min(1, r.IntN(6)))
			}
			phi, margin := make([]float64, c.features), make([]float64, 1)
			if err := x.Values(phi, row, 0); err != nil {
				t.Fatal(err)
			}
			if err := e.Margin(margin, row); err != nil {
				t.Fatal(err)
			}
			sum := x.Base(0)
			for _, p := range phi {
				sum += p
			}
			if math.Abs(sum-margin[0]) > 1e-12 {
				t.Errorf("%d features: sum %v, margin %v", c.features, sum, margin[0])
			}
			if c.features <= 17 {
				compare(t, "algorithm 2", phi, lundberg(&s, row, 0))
			}
		}
	}
}

// chain is one tree that tests feature after feature: rows with all of them
// at 1 reach the end.
func chain(n int) tree.Source {
	t := tree.SourceTree{Output: -1}
	node := func(feature int, left, right int32, cover, value float64) {
		t.Feature = append(t.Feature, int32(feature))
		t.Threshold = append(t.Threshold, 0.5)
		t.Left, t.Right = append(t.Left, left), append(t.Right, right)
		t.Cover, t.Value = append(t.Cover, cover), append(t.Value, value)
	}
	for j := range n {
		v := int32(len(t.Feature))
		node(j, v+1, v+2, 0, 0)
		node(-1, 0, 0, 3, float64(j%5))
	}
	node(-1, 0, 0, 1, 100)
	return tree.Source{Kind: tree.Boosting, Features: n, Outputs: 1, Trees: []tree.SourceTree{t}}
}

func TestValues_addUp(t *testing.T) {
	for i, c := range shapes {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(6, uint64(i)))
			c.o.Features, c.o.Depth, c.o.Trees = 25, 12, 3
			s := treetest.Random(r, c.o)
			x, e := explainer(t, s)
			n := 20
			rows := treetest.Rows(r, c.o, n, 0.1)
			margin := make([]float64, n*s.Outputs)
			if err := e.Margin(margin, rows); err != nil {
				t.Fatal(err)
			}
			for class := range s.Outputs {
				phi := make([]float64, len(rows))
				if err := x.Values(phi, rows, class); err != nil {
					t.Fatal(err)
				}
				for row := range n {
					sum, want := x.Base(class), margin[row*s.Outputs+class]
					for _, p := range phi[row*s.Features : (row+1)*s.Features] {
						sum += p
					}
					if !(math.Abs(sum-want) <= tolerance*max(1, math.Abs(want))) {
						t.Fatalf("row %d class %d: sum %v, margin %v", row, class, sum, want)
					}
				}
			}
		})
	}
}

func TestExplainer_keepsThePromiseOfAttributions(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 0))
	o := treetest.Options{Depth: 3, Missing: true}
	x, e := explainer(t, treetest.Random(r, o))
	modeltest.Check(t, e, modeltest.Options{
		X:         treetest.Rows(r, o, 10, 0.1),
		Decode:    func(b []byte) (model.Predictor, error) { return tree.Decode(b) },
		Raw:       e.Margin,
		Attribute: x.Values,
		Base:      x.Base,
	})
}

// A leaf without cover must not make NaN: its share is 0, and under a node
// without cover both sides count as one half.
func TestValues_emptyBranches(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 0))
	o := treetest.Options{Kind: tree.Boosting, Features: 4, Depth: 7, Leaf: 0.05}
	s := treetest.Random(r, o)
	emptied := 0
	for i := range s.Trees {
		for v := range s.Trees[i].Cover {
			if v > 0 && r.IntN(3) > 0 {
				s.Trees[i].Cover[v] = 0
				emptied++
			}
		}
	}
	if emptied == 0 {
		t.Fatal("no leaf was emptied")
	}
	x, _ := explainer(t, s)
	rows := treetest.Rows(r, o, 20, 0)
	for class := range s.Outputs {
		phi := make([]float64, len(rows))
		if err := x.Values(phi, rows, class); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(rows); i += 4 {
			compare(t, "subsets", phi[i:i+4], subsets(&s, rows[i:i+4], class))
		}
	}
}

func TestAllValues_equalValuesPerClass(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 0))
	o := treetest.Options{}
	s := treetest.Random(r, o)
	x, _ := explainer(t, s)
	d, k := x.Shape()
	rows := treetest.Rows(r, o, 9, 0.1)
	all := make([]float64, len(rows)*k)
	if err := x.AllValues(all, rows); err != nil {
		t.Fatal(err)
	}
	for class := range k {
		for row := range 9 {
			phi := make([]float64, d)
			if err := x.Values(phi, rows[row*d:(row+1)*d], class); err != nil {
				t.Fatal(err)
			}
			for j, v := range phi {
				if got := all[(row*k+class)*d+j]; math.Float64bits(got) != math.Float64bits(v) {
					t.Fatalf("row %d class %d feature %d: got %v, want %v", row, class, j, got, v)
				}
			}
		}
	}
}

func TestValues_refusesWrongShapes(t *testing.T) {
	s := treetest.Random(rand.New(rand.NewPCG(9, 0)), treetest.Options{})
	x, _ := explainer(t, s)
	var shape *model.ShapeError
	var class *explain.ClassError
	for _, c := range []struct {
		what string
		err  error
		want any
	}{
		{"short phi", x.Values(make([]float64, 5), make([]float64, 6), 0), &shape},
		{"part of a row", x.Values(make([]float64, 7), make([]float64, 7), 0), &shape},
		{"class below", x.Values(make([]float64, 6), make([]float64, 6), -1), &class},
		{"class above", x.Values(make([]float64, 6), make([]float64, 6), 3), &class},
		{"short phi of all", x.AllValues(make([]float64, 6), make([]float64, 6)), &shape},
		{"part of a row for all", x.AllValues(make([]float64, 21), make([]float64, 7)), &shape},
	} {
		if !errors.As(c.err, c.want) {
			t.Errorf("%s: got %v", c.what, c.err)
		}
	}
	if _, err := explain.New(nil); err == nil {
		t.Error("New(nil) gave no error")
	}
}
