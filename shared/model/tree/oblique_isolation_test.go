package tree_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"cloister/shared/model/modeltest"
	"cloister/shared/model/tree"
	"cloister/shared/wire"
)

// obliqueForest draws an isolation forest whose splits weigh up to parts of the
// features; points are whole numbers, so that rows of whole numbers meet them.
func obliqueForest(r *rand.Rand, features, parts, trees, depth int) tree.Source {
	s := tree.Source{Kind: tree.Isolation, Features: features, Outputs: 1, SampleSize: 64}
	for range features {
		s.Scale = append(s.Scale, 0.1+r.Float64()) // Exp has other bits in wasm
	}
	for range trees {
		t := tree.ObliqueTree{Start: []int32{0}}
		var grow func(depth int) int32
		grow = func(depth int) int32 {
			v := int32(len(t.Left))
			t.Left, t.Right, t.Cover = append(t.Left, 0), append(t.Right, 0), append(t.Cover, 0)
			if depth == 0 || r.IntN(6) == 0 {
				t.Start = append(t.Start, int32(len(t.Feature)))
				t.Cover[v] = float64(r.IntN(9))
				if v == 0 {
					t.Cover[v]++
				}
				return v
			}
			for f := range features {
				if left := features - f; r.IntN(left) < parts || left == 1 && int(t.Start[v]) == len(t.Feature) {
					t.Feature = append(t.Feature, int32(f))
					t.Weight = append(t.Weight, int8(1+r.IntN(127)*(1-2*r.IntN(2))))
					if t.Weight[len(t.Weight)-1] == 0 {
						t.Weight[len(t.Weight)-1] = -1
					}
					t.Point = append(t.Point, float64(r.IntN(9)-4))
				}
			}
			t.Start = append(t.Start, int32(len(t.Feature)))
			t.Left[v] = grow(depth - 1)
			t.Right[v] = grow(depth - 1)
			return v
		}
		grow(depth)
		t.Cover[len(t.Cover)-1]++
		s.Oblique = append(s.Oblique, t)
	}
	return s
}

// obliqueMargin walks the source.
func obliqueMargin(s *tree.Source, x []float64) float64 {
	sum := 0.0
	for _, t := range s.Oblique {
		v, depth := int32(0), 0
		for t.Start[v] < t.Start[v+1] {
			dot := 0.0
			for j := t.Start[v]; j < t.Start[v+1]; j++ {
				f := t.Feature[j]
				if p := math.Max(-1e100, math.Min(x[f], 1e100)); !math.IsNaN(p) {
					dot += float64(float64(t.Weight[j]) * float64(s.Scale[f]*float64(p-t.Point[j])))
				}
			}
			depth++
			if v = t.Left[v]; dot > 0 {
				v = t.Right[parent(&t, v)]
			}
		}
		sum += float64(depth) + tree.PathLength(int(t.Cover[v]))
	}
	return -(sum / float64(len(s.Oblique))) / tree.PathLength(s.SampleSize)
}

// parent returns the node whose left child is v.
func parent(t *tree.ObliqueTree, v int32) int32 {
	for p := range t.Left {
		if t.Start[p] < t.Start[p+1] && t.Left[p] == v {
			return int32(p)
		}
	}
	return -1
}

func obliqueRows(r *rand.Rand, d, n int) []float64 {
	x := make([]float64, n*d)
	for i := range x {
		switch r.IntN(12) {
		case 0:
			x[i] = math.NaN()
		case 1:
			x[i] = math.Inf(1 - 2*r.IntN(2))
		case 2:
			x[i] = r.NormFloat64()
		default:
			x[i] = float64(r.IntN(9) - 4)
		}
	}
	return x
}

var obliques = []struct{ features, parts, trees, depth int }{
	{1, 1, 3, 4}, {2, 2, 20, 6}, {6, 2, 12, 7}, {5, 5, 8, 5}, {300, 3, 2, 3}, {3, 1, 400, 0},
}

func TestOblique_marginEqualsWalkingTheSource(t *testing.T) {
	for i, c := range obliques {
		r := rand.New(rand.NewPCG(50, uint64(i)))
		s := obliqueForest(r, c.features, c.parts, c.trees, c.depth)
		e := build(t, s)
		x := obliqueRows(r, c.features, 200)
		got, binned := make([]float64, 200), make([]float64, 200)
		b, err := e.Bin(x)
		if err := errors.Join(err, e.Margin(got, x), e.PredictBinned(binned, b)); err != nil {
			t.Fatal(err)
		}
		scores := make([]float64, 200)
		if err := e.Predict(scores, x); err != nil {
			t.Fatal(err)
		}
		for row, v := range got {
			if want := obliqueMargin(&s, x[row*c.features:(row+1)*c.features]); math.Float64bits(v) != math.Float64bits(want) {
				t.Fatalf("%+v: row %d: got %v, want %v", c, row, v, want)
			}
			if scores[row] != binned[row] || math.Abs(scores[row]-math.Exp2(v)) > 1e-15 {
				t.Fatalf("%+v: row %d: score %v, binned %v, margin %v", c, row, scores[row], binned[row], v)
			}
		}
		if !e.Oblique() || e.Kind() != tree.Isolation || e.Trees() != c.trees || e.MemoryBytes() == 0 {
			t.Errorf("%+v: %v", c, e)
		}
	}
}

func TestOblique_keepsThePromisesOfAPredictor(t *testing.T) {
	for i, c := range obliques {
		r := rand.New(rand.NewPCG(51, uint64(i)))
		e := build(t, obliqueForest(r, c.features, c.parts, min(c.trees, 40), c.depth))
		modeltest.Check(t, e, modeltest.Options{X: obliqueRows(r, c.features, 20), Decode: decode, Unit: true})
	}
}

// Whatever the order of its nodes, a tree has one encoding.
func TestOblique_encodingIsOfTheTree(t *testing.T) {
	s := tree.Source{Kind: tree.Isolation, Features: 2, Outputs: 1, SampleSize: 4, Scale: []float64{1, 0.5}}
	one := tree.ObliqueTree{
		Left: []int32{1, 3, 0, 0, 0}, Right: []int32{2, 4, 0, 0, 0}, Cover: []float64{0, 0, 2, 1, 1},
		Start: []int32{0, 2, 3, 3, 3, 3}, Feature: []int32{0, 1, 1}, Weight: []int8{3, -128, 127}, Point: []float64{0.1, -2, 7},
	}
	other := one
	other.Left, other.Right = []int32{1, 2, 0, 0, 0}, []int32{4, 3, 0, 0, 0}
	other.Cover = []float64{0, 0, 1, 1, 2}
	s.Oblique = []tree.ObliqueTree{one}
	a := encoded(t, build(t, s))
	s.Oblique[0] = other
	if b := encoded(t, build(t, s)); !bytes.Equal(a, b) || a[4] != 4 {
		t.Errorf("version %d\n%x\n%x", a[4], a, b)
	}
}

func TestOblique_refused(t *testing.T) {
	for _, c := range []struct {
		want  string
		spoil func(s *tree.Source, o *tree.ObliqueTree)
	}{
		{"oblique trees, or others", func(s *tree.Source, o *tree.ObliqueTree) { s.Kind, s.SampleSize = tree.Boosting, 0 }},
		{"oblique trees, or others", func(s *tree.Source, o *tree.ObliqueTree) { s.Trees = stump().Trees }},
		{"factors of features without", func(s *tree.Source, o *tree.ObliqueTree) { s.Oblique, s.Trees = nil, stump().Trees }},
		{"Scale holds 1", func(s *tree.Source, o *tree.ObliqueTree) { s.Scale = s.Scale[:1] }},
		{"factor of feature 1 is 0", func(s *tree.Source, o *tree.ObliqueTree) { s.Scale[1] = 0 }},
		{"factor of feature 0 is NaN", func(s *tree.Source, o *tree.ObliqueTree) { s.Scale[0] = math.NaN() }},
		{"0 nodes", func(s *tree.Source, o *tree.ObliqueTree) { *o = tree.ObliqueTree{} }},
		{"Cover holds 2", func(s *tree.Source, o *tree.ObliqueTree) { o.Cover = o.Cover[:2] }},
		{"Start holds 3", func(s *tree.Source, o *tree.ObliqueTree) { o.Start = o.Start[:3] }},
		{"Weight holds 1", func(s *tree.Source, o *tree.ObliqueTree) { o.Weight = o.Weight[:1] }},
		{"Point holds 0", func(s *tree.Source, o *tree.ObliqueTree) { o.Point = nil }},
		{"Start goes from 0 to 1", func(s *tree.Source, o *tree.ObliqueTree) { o.Start[3] = 1 }},
		{"node 0: Start descends", func(s *tree.Source, o *tree.ObliqueTree) { o.Start[1] = 9 }},
		{"node 1: Start descends", func(s *tree.Source, o *tree.ObliqueTree) { o.Start[2] = 0 }},
		{"node 0: feature 0 after 0", func(s *tree.Source, o *tree.ObliqueTree) { o.Feature[1] = 0 }},
		{"node 0: feature 2 after 0", func(s *tree.Source, o *tree.ObliqueTree) { o.Feature[1] = 2 }},
		{"node 0: feature -1", func(s *tree.Source, o *tree.ObliqueTree) { o.Feature[0] = -1 }},
		{"weight 0", func(s *tree.Source, o *tree.ObliqueTree) { o.Weight[0] = 0 }},
		{"at NaN", func(s *tree.Source, o *tree.ObliqueTree) { o.Point[0] = math.NaN() }},
		{"at +Inf", func(s *tree.Source, o *tree.ObliqueTree) { o.Point[0] = math.Inf(1) }},
		{"child 0", func(s *tree.Source, o *tree.ObliqueTree) { o.Left[0] = 0 }},
		{"another parent", func(s *tree.Source, o *tree.ObliqueTree) { o.Right[0] = 1 }},
		{"cover 1.5", func(s *tree.Source, o *tree.ObliqueTree) { o.Cover[1] = 1.5 }},
		{"total cover 0", func(s *tree.Source, o *tree.ObliqueTree) { clear(o.Cover) }},
	} {
		s := tree.Source{Kind: tree.Isolation, Features: 2, Outputs: 1, SampleSize: 4, Scale: []float64{1, 1}, Oblique: []tree.ObliqueTree{{
			Left: []int32{1, 0, 0}, Right: []int32{2, 0, 0}, Cover: []float64{0, 1, 3},
			Start: []int32{0, 2, 2, 2}, Feature: []int32{0, 1}, Weight: []int8{1, 1}, Point: []float64{0, 0},
		}}}
		build(t, s)
		c.spoil(&s, &s.Oblique[0])
		e, err := tree.New(s)
		if _, ok := errors.AsType[*tree.SourceError](err); !ok || e != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.want, err)
		}
	}
}

func TestOblique_depthLimit(t *testing.T) {
	for _, depth := range []int{tree.MaxDepth, tree.MaxDepth + 1} {
		o := tree.ObliqueTree{Start: []int32{0}}
		for v := range 2*depth + 1 {
			o.Left, o.Right, o.Cover = append(o.Left, int32(v+1)), append(o.Right, int32(v+2)), append(o.Cover, 1)
			if v%2 == 0 && v < 2*depth {
				o.Feature, o.Weight, o.Point = append(o.Feature, 0), append(o.Weight, 1), append(o.Point, float64(v))
			}
			o.Start = append(o.Start, int32(len(o.Feature)))
		}
		e, err := tree.New(tree.Source{Kind: tree.Isolation, Features: 1, Outputs: 1, SampleSize: 4, Scale: []float64{1}, Oblique: []tree.ObliqueTree{o}})
		if depth == tree.MaxDepth {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tree.Decode(encoded(t, e)); err != nil || e.Depth() != depth {
				t.Errorf("depth %d: %v", e.Depth(), err)
			}
		} else if _, ok := errors.AsType[*tree.LimitError](err); !ok {
			t.Errorf("depth %d: got %v, want a LimitError", depth, err)
		}
	}
}

func TestOblique_decodeRefusesBeforeItAllocates(t *testing.T) {
	for _, c := range []struct {
		what         string
		kind         tree.Kind
		trees, nodes uint64
	}{
		{"no trees", tree.Isolation, 0, 1},
		{"trees", tree.Isolation, tree.MaxTrees + 1, 1 << 18},
		{"nodes", tree.Isolation, 1, tree.MaxNodes + 1},
		{"more nodes than bits", tree.Isolation, 1, tree.MaxNodes},
		{"another kind", tree.Forest, 1, 1},
		{"noise", tree.Isolation, 1, 301},
	} {
		var w wire.Writer
		w.Bytes([]byte{'T', 'R', 'E', 'E', 4, byte(c.kind), 0, 1, 1})
		if c.kind == tree.Isolation {
			w.Uvarint(256)
		} else {
			w.Uvarint(0)
		}
		w.Uvarint(c.trees)
		w.U8(0)
		w.Uvarint(c.nodes)
		w.Bytes(append([]byte{0}, bytes.Repeat([]byte{0x5a, 0xc3}, 100)...))
		var err error
		if got := allocated(func() { err = decodeError(w.Finish()) }); got > 300<<10 {
			t.Errorf("%s: allocated %d bytes", c.what, got)
		}
		if err == nil {
			t.Errorf("%s: no error", c.what)
		}
	}
}

// What a row's path is made of adds up to it, and goes to features that splits
// weigh.
func TestOblique_PathValues(t *testing.T) {
	seen := 0
	for i, c := range obliques {
		r := rand.New(rand.NewPCG(52, uint64(i)))
		s := obliqueForest(r, c.features, c.parts, c.trees, c.depth)
		e := build(t, s)
		used := make([]bool, c.features)
		mean := 0.0
		for tr := range e.Trees() {
			root, _ := e.Root(tr)
			n := e.Node(tr, root)
			if !n.IsLeaf() || n.Cover <= 0 {
				t.Fatalf("%+v: tree %d: %+v", c, tr, n)
			}
			mean += n.Values[0]
			for _, f := range s.Oblique[tr].Feature {
				used[f] = true
			}
		}
		x := obliqueRows(r, c.features, 50)
		for row := range 50 {
			one := x[row*c.features : (row+1)*c.features]
			phi := make([]float64, c.features)
			e.PathValues(phi, one)
			sum := mean
			for f, v := range phi {
				if sum += v; v != 0 {
					if seen++; !used[f] {
						t.Errorf("%+v: feature %d has %v and no split", c, f, v)
					}
				}
			}
			want := -obliqueMargin(&s, one) * float64(c.trees) * tree.PathLength(s.SampleSize)
			if math.Abs(sum-want) > 1e-9*math.Max(1, want) {
				t.Errorf("%+v: row %d: path %v, parts %v", c, row, want, sum)
			}
		}
	}
	if seen == 0 {
		t.Error("no feature has a value")
	}
}

// Two features part a row's change as the sizes of what they add to the sum; a
// row at the point parts it evenly.
func TestOblique_PathValues_shares(t *testing.T) {
	s := tree.Source{Kind: tree.Isolation, Features: 3, Outputs: 1, SampleSize: 4, Scale: []float64{1, 2, 1}, Oblique: []tree.ObliqueTree{{
		Left: []int32{1, 0, 0}, Right: []int32{2, 0, 0}, Cover: []float64{0, 1, 3},
		Start: []int32{0, 2, 2, 2}, Feature: []int32{0, 1}, Weight: []int8{3, -1}, Point: []float64{1, 1},
	}}}
	e := build(t, s)
	left, right := 1.0, 1+tree.PathLength(3)
	mean := left/4 + right*3/4
	for _, c := range []struct{ a, b, first, second, path float64 }{
		{2, 1, 1, 0, right},          // 3 + 0
		{2, 3, 3. / 7, 4. / 7, left}, // 3 - 4
		{1, 1, 0.5, 0.5, left},       // 0
		{math.NaN(), 0, 0, 1, right},
		{math.NaN(), math.NaN(), 0.5, 0.5, left},
		{math.Inf(1), -1e150, 0.6, 0.4, right}, // both are far out: 3e100 + 2e100
	} {
		phi := make([]float64, 3)
		e.PathValues(phi, []float64{c.a, c.b, 9})
		for f, share := range []float64{c.first, c.second, 0} {
			if want := share * (c.path - mean); math.Abs(phi[f]-want) > 1e-12 {
				t.Errorf("%v, %v: feature %d: got %v, want %v", c.a, c.b, f, phi[f], want)
			}
		}
	}
}
