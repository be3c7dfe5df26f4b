// Package treetest makes ensembles for tests, and scores them in the plainest
// way. It hides how a random tree is drawn.
//
//	src := treetest.Random(rand.New(rand.NewPCG(1, 2)), treetest.Options{Kind: tree.Forest})
//	want := treetest.Margin(&src, row)
//
// It is imported by tests only, and its trees may change in any version.
package treetest

import (
	"math"
	"math/rand/v2"

	"cloister/shared/model/tree"
)

// Options says what to draw; zero values mean the numbers in the comments.
type Options struct {
	Kind       tree.Kind // Forest
	Link       tree.Link
	Features   int     // 6
	Outputs    int     // 3, Isolation 1
	Trees      int     // 5
	Depth      int     // 6, of oblivious trees at most 8; negative: every tree is one leaf
	Leaf       float64 // chance of a leaf before Depth, 0.15
	Levels     int     // thresholds are multiples of 1/2 in 0..Levels/2; 0: any float64
	Missing    bool    // draw missing directions instead of all right
	Categories int     // bits of category sets on feature 0; 0: none
	Scalar     bool    // Boosting: tree i adds to output i mod Outputs
	Real       bool    // covers that are not whole numbers
	Weighted   bool    // Forest: with ClassWeights, which leaves follow from
}

func (o Options) withDefaults() Options {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	if o.Kind == 0 {
		o.Kind = tree.Forest
	}
	if o.Kind == tree.Isolation {
		o.Outputs = 1
	}
	set(&o.Features, 6)
	set(&o.Outputs, 3)
	set(&o.Trees, 5)
	set(&o.Depth, 6)
	if o.Leaf == 0 {
		o.Leaf = 0.15
	}
	return o
}

// Random draws an ensemble.
func Random(r *rand.Rand, o Options) tree.Source {
	o = o.withDefaults()
	s := tree.Source{Kind: o.Kind, Link: o.Link, Features: o.Features, Outputs: o.Outputs}
	if o.Kind == tree.Isolation {
		s.SampleSize = 256
	}
	if o.Kind == tree.Boosting || o.Kind == tree.Oblivious {
		for range o.Outputs {
			s.Base = append(s.Base, r.NormFloat64())
		}
	}
	if o.Kind == tree.Oblivious {
		s.Step = 1.0 / 512
		for range o.Trees {
			s.Levels = append(s.Levels, oblivious(r, o))
		}
		return s
	}
	if o.Weighted {
		for range o.Outputs {
			s.ClassWeights = append(s.ClassWeights, 0.1+3*r.Float64())
		}
	}
	for i := range o.Trees {
		g := grower{r: r, o: o, s: &s}
		g.t.Output = -1
		if o.Scalar {
			g.t.Output = i % o.Outputs
		}
		g.grow(0)
		s.Trees = append(s.Trees, g.t)
	}
	return s
}

// oblivious draws a tree of up to Depth levels, a third of whose leaves are
// empty.
func oblivious(r *rand.Rand, o Options) tree.ObliviousTree {
	var t tree.ObliviousTree
	for range min(o.Depth, tree.MaxLevels) {
		if r.Float64() < o.Leaf {
			continue
		}
		t.Feature = append(t.Feature, int32(r.IntN(o.Features)))
		threshold := r.NormFloat64()
		if o.Levels > 0 {
			threshold = float64(r.IntN(o.Levels)) / 2
		}
		t.Threshold = append(t.Threshold, threshold)
		t.MissingLeft = append(t.MissingLeft, o.Missing && r.IntN(2) == 0)
	}
	for leaf := range 1 << len(t.Feature) {
		cover := 0
		if leaf == 0 || r.IntN(3) > 0 {
			cover = 1 + r.IntN(1<<r.IntN(12))
		}
		t.Cover = append(t.Cover, float64(cover))
		for range o.Outputs {
			v := 0
			if cover > 0 {
				v = r.IntN(2*tree.MaxStep+1) - tree.MaxStep
				v >>= r.IntN(14)
			}
			t.Value = append(t.Value, int16(v))
		}
	}
	return t
}

type grower struct {
	r *rand.Rand
	o Options
	s *tree.Source
	t tree.SourceTree
}

// grow appends a subtree, parents first, and returns its root.
func (g *grower) grow(depth int) int32 {
	t := &g.t
	v := len(t.Feature)
	t.Feature = append(t.Feature, -1)
	t.Threshold = append(t.Threshold, 0)
	t.MissingLeft = append(t.MissingLeft, false)
	t.Left = append(t.Left, 0)
	t.Right = append(t.Right, 0)
	t.Cover = append(t.Cover, 0)
	t.Category = append(t.Category, nil)
	width := g.s.Outputs
	switch {
	case g.o.Kind == tree.Isolation:
		width = 0
	case t.Output >= 0:
		width = 1
	}
	t.Value = append(t.Value, make([]float64, width)...)
	if depth >= g.o.Depth || depth > 0 && g.r.Float64() < g.o.Leaf {
		g.leaf(v, t.Value[v*width:])
		return int32(v)
	}
	f := g.r.IntN(g.o.Features)
	t.Feature[v] = int32(f)
	if f == 0 && g.o.Categories > 0 {
		set := make([]uint64, (g.o.Categories+63)/64)
		for c := range g.o.Categories {
			set[c/64] |= uint64(g.r.IntN(2)) << (c % 64)
		}
		t.Category[v] = set
	}
	if g.o.Levels > 0 {
		t.Threshold[v] = float64(g.r.IntN(g.o.Levels)) / 2
	} else {
		t.Threshold[v] = g.r.NormFloat64()
	}
	t.MissingLeft[v] = g.o.Missing && g.r.IntN(2) == 0
	t.Left[v] = g.grow(depth + 1)
	t.Right[v] = g.grow(depth + 1)
	return int32(v)
}

func (g *grower) leaf(v int, values []float64) {
	cover := 0
	switch {
	case g.o.Kind == tree.Forest && g.s.Outputs > 1:
		for k := range values {
			if g.r.IntN(3) == 0 {
				values[k] = float64(g.r.IntN(9))
				cover += int(values[k])
			}
		}
		if cover == 0 {
			values[0], cover = 1, 1
		}
		if w := g.s.ClassWeights; w != nil {
			sum := 0.0
			for k := range values {
				values[k] = float64(values[k] * w[k])
				sum += values[k]
			}
			for k := range values {
				values[k] /= sum
			}
			g.t.Cover[v] = sum
			return
		}
		for k := range values {
			values[k] /= float64(cover)
		}
	default:
		cover = 1 + g.r.IntN(20)
		for k := range values {
			values[k] = g.r.NormFloat64()
		}
	}
	g.t.Cover[v] = float64(cover)
	if g.o.Real {
		g.t.Cover[v] += g.r.Float64()
	}
}

// Rows draws n rows that hit the thresholds of Random: with levels, multiples
// of 1/4 around them; missing values and infinities with the chance given.
func Rows(r *rand.Rand, o Options, n int, odd float64) []float64 {
	o = o.withDefaults()
	x := make([]float64, n*o.Features)
	for i := range x {
		switch {
		case r.Float64() < odd:
			x[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 1e300}[r.IntN(5)]
		case i%o.Features == 0 && o.Categories > 0:
			x[i] = float64(r.IntN(o.Categories + 3))
		case o.Levels > 0:
			x[i] = float64(r.IntN(2*o.Levels+4)-2) / 4
		default:
			x[i] = r.NormFloat64()
		}
	}
	return x
}

// Ladder is one balanced tree over ascending thresholds of one feature, whose
// leaves say how many a row is above.
func Ladder(thresholds []float64, missingLeft bool) tree.Source {
	var t tree.SourceTree
	var grow func(from, to int) int32
	grow = func(from, to int) int32 {
		v := len(t.Feature)
		t.Feature, t.Threshold = append(t.Feature, -1), append(t.Threshold, 0)
		t.Left, t.Right = append(t.Left, 0), append(t.Right, 0)
		t.MissingLeft, t.Cover = append(t.MissingLeft, missingLeft), append(t.Cover, 1)
		t.Value = append(t.Value, float64(from))
		if from < to {
			at := (from + to) / 2
			t.Feature[v], t.Threshold[v] = 0, thresholds[at]
			left := grow(from, at)
			t.Left[v], t.Right[v] = left, grow(at+1, to)
		}
		return int32(v)
	}
	grow(0, len(thresholds))
	return tree.Source{Kind: tree.Boosting, Features: 1, Outputs: 1, Trees: []tree.SourceTree{t}}
}

// Left says where row x goes at inner node v of t.
func Left(t *tree.SourceTree, v int, x []float64) bool {
	p := x[t.Feature[v]]
	if math.IsNaN(p) {
		return t.MissingLeft != nil && t.MissingLeft[v]
	}
	if t.Category != nil && t.Category[v] != nil {
		set := t.Category[v]
		return p >= 0 && p < float64(64*len(set)) && p == math.Trunc(p) && set[int(p)/64]>>(int(p)%64)&1 == 1
	}
	return p <= t.Threshold[v]
}

// Margin scores one row by walking every tree.
func Margin(s *tree.Source, x []float64) []float64 {
	sum := make([]float64, s.Outputs)
	for i := range s.Levels {
		t := &s.Levels[i]
		leaf := 0
		for l, f := range t.Feature {
			right := x[f] > t.Threshold[l]
			if math.IsNaN(x[f]) {
				right = t.MissingLeft == nil || !t.MissingLeft[l]
			}
			if right {
				leaf |= 1 << l
			}
		}
		for k := range sum {
			sum[k] += float64(t.Value[leaf*s.Outputs+k]) // whole numbers: exact
		}
	}
	for i := range s.Trees {
		t := &s.Trees[i]
		v, depth := 0, 0
		for t.Feature[v] >= 0 {
			if depth++; Left(t, v, x) {
				v = int(t.Left[v])
			} else {
				v = int(t.Right[v])
			}
		}
		switch {
		case s.Kind == tree.Isolation:
			sum[0] += float64(depth) + tree.PathLength(int(t.Cover[v]))
		case t.Output >= 0 && s.Outputs > 1:
			sum[t.Output] += t.Value[v]
		default:
			for k := range sum {
				sum[k] += t.Value[v*s.Outputs+k]
			}
		}
	}
	for k := range sum {
		switch s.Kind {
		case tree.Forest:
			sum[k] /= float64(len(s.Trees))
		case tree.Oblivious:
			sum[k] *= s.Step
			if s.Base != nil {
				sum[k] += s.Base[k]
			}
		case tree.Boosting:
			if s.Base != nil {
				sum[k] += s.Base[k]
			}
		case tree.Isolation:
			sum[k] = -(sum[k] / float64(len(s.Trees))) / tree.PathLength(s.SampleSize)
		}
	}
	return sum
}

// Plain returns s, or for oblivious trees the boosted trees of the same rows,
// leaf values and covers.
func Plain(s *tree.Source) *tree.Source {
	if s.Kind != tree.Oblivious {
		return s
	}
	p := &tree.Source{Kind: tree.Boosting, Link: s.Link, Features: s.Features, Outputs: s.Outputs, Base: s.Base}
	for i := range s.Levels {
		o := &s.Levels[i]
		t := tree.SourceTree{Output: -1}
		var add func(level, leaf int) int32
		add = func(level, leaf int) int32 {
			v := int32(len(t.Feature))
			t.Feature = append(t.Feature, -1)
			t.Threshold = append(t.Threshold, 0)
			t.MissingLeft = append(t.MissingLeft, false)
			t.Left, t.Right = append(t.Left, 0), append(t.Right, 0)
			t.Cover = append(t.Cover, 0)
			t.Value = append(t.Value, make([]float64, s.Outputs)...)
			if level == len(o.Feature) {
				t.Cover[v] = o.Cover[leaf]
				for k := range s.Outputs {
					t.Value[int(v)*s.Outputs+k] = s.Step * float64(o.Value[leaf*s.Outputs+k])
				}
				return v
			}
			t.Feature[v], t.Threshold[v] = o.Feature[level], o.Threshold[level]
			t.MissingLeft[v] = o.MissingLeft != nil && o.MissingLeft[level]
			t.Left[v] = add(level+1, leaf)
			t.Right[v] = add(level+1, leaf|1<<level)
			return v
		}
		add(0, 0)
		p.Trees = append(p.Trees, t)
	}
	return p
}

// Near draws n rows whose values lie at and around the thresholds of e, with
// NaN and infinities among them.
func Near(r *rand.Rand, e *tree.Ensemble, n int) []float64 {
	d, _ := e.Shape()
	edges := make([][]float64, d)
	for t := range e.Trees() {
		var visit func(i int)
		visit = func(i int) {
			if v := e.Node(t, i); !v.IsLeaf() {
				edges[v.Feature] = append(edges[v.Feature], v.Threshold)
				visit(v.Left)
				visit(v.Right)
			}
		}
		root, _ := e.Root(t)
		visit(root)
	}
	x := make([]float64, n*d)
	for i := range x {
		list := edges[i%d]
		switch c := r.IntN(20); {
		case c == 0:
			x[i] = math.NaN()
		case c == 1:
			x[i] = math.Inf(r.IntN(2)*2 - 1)
		case len(list) == 0:
			x[i] = r.NormFloat64()
		default:
			x[i] = list[r.IntN(len(list))]
			if c < 10 {
				x[i] = math.Nextafter(x[i], math.Inf(c%2*2-1))
			}
		}
	}
	return x
}
