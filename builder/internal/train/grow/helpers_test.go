package grow_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// walk is the reference of these tests: it reads a source as its comment says
// and shares no code with package tree. It returns n×Outputs sums of leaf
// values (path lengths for isolation) and the leaf of each tree for each row.
func walk(s *tree.Source, x []float64) (sums []float64, leaves []int32) {
	n := len(x) / s.Features
	sums = make([]float64, n*s.Outputs)
	for i := range n {
		row := x[i*s.Features : (i+1)*s.Features]
		at := sums[i*s.Outputs : (i+1)*s.Outputs]
		copy(at, s.Base)
		for k := range s.Trees {
			t := &s.Trees[k]
			v, depth := int32(0), 0.0
			for t.Feature[v] >= 0 {
				v = step(t, v, row[t.Feature[v]])
				depth++
			}
			leaves = append(leaves, v)
			switch {
			case s.Kind == tree.Isolation:
				at[0] += depth + meanPath(t.Cover[v])
			case t.Output >= 0:
				at[t.Output] += t.Value[v]
			default:
				for c := range at {
					at[c] += t.Value[int(v)*s.Outputs+c]
				}
			}
		}
	}
	return sums, leaves
}

// step returns the child that a cell goes to.
func step(t *tree.SourceTree, v int32, cell float64) int32 {
	left := cell <= t.Threshold[v]
	if t.Category != nil && t.Category[v] != nil {
		set := t.Category[v]
		left = cell >= 0 && cell == math.Trunc(cell) && int(cell) < 64*len(set) && set[int(cell)/64]>>(int(cell)%64)&1 == 1
	}
	if math.IsNaN(cell) {
		left = t.MissingLeft[v]
	}
	if left {
		return t.Left[v]
	}
	return t.Right[v]
}

// meanPath is c(n) of Liu et al. 2008, equation 1.
func meanPath(n float64) float64 {
	switch {
	case n < 2:
		return 0
	case n == 2:
		return 1
	}
	return 2*(math.Log(n-1)+0.5772156649015329) - 2*(n-1)/n
}

// probabilities returns the mean over the trees of a forest.
func probabilities(s *tree.Source, x []float64) []float64 {
	p, _ := walk(s, x)
	for i := range p {
		p[i] /= float64(len(s.Trees))
	}
	return p
}

// checkSource fails the test when a source breaks a rule of tree.Source, or
// when the training rows do not reach the leaves that their covers tell of.
// weight is nil when trees saw samples.
func checkSource(t *testing.T, s *tree.Source, x, weight []float64) {
	t.Helper()
	if len(s.Trees) == 0 {
		t.Fatal("no trees")
	}
	for k := range s.Trees {
		u := &s.Trees[k]
		n := len(u.Feature)
		values := n
		switch {
		case s.Kind == tree.Isolation:
			values = 0
		case u.Output < 0:
			values = n * s.Outputs
		}
		if n == 0 || len(u.Threshold) != n || len(u.MissingLeft) != n || len(u.Left) != n || len(u.Right) != n || len(u.Cover) != n || len(u.Value) != values {
			t.Fatalf("tree %d: lengths differ", k)
		}
		parents := make([]int, n)
		for v, j := range u.Feature {
			if j < 0 {
				if s.Kind == tree.Forest && s.Outputs > 1 {
					sum := 0.0
					for _, p := range u.Value[v*s.Outputs : (v+1)*s.Outputs] {
						if !(p >= 0 && p <= 1) {
							t.Fatalf("tree %d: leaf %d: share %v", k, v, p)
						}
						sum += p
					}
					if math.Abs(sum-1) > 1e-9 {
						t.Fatalf("tree %d: leaf %d: shares sum to %v", k, v, sum)
					}
				}
				continue
			}
			l, r := u.Left[v], u.Right[v]
			if int(j) >= s.Features || int(l) <= v || int(r) <= v || int(l) >= n || int(r) >= n || l == r {
				t.Fatalf("tree %d: node %d: feature %d, children %d and %d of %d", k, v, j, l, r, n)
			}
			parents[l]++
			parents[r]++
			if math.IsNaN(u.Threshold[v]) {
				t.Fatalf("tree %d: node %d: threshold NaN", k, v)
			}
			if got := u.Cover[l] + u.Cover[r]; math.Abs(got-u.Cover[v]) > 1e-9*u.Cover[v] || u.Cover[l] <= 0 || u.Cover[r] <= 0 {
				t.Fatalf("tree %d: node %d: cover %v, children %v and %v", k, v, u.Cover[v], u.Cover[l], u.Cover[r])
			}
		}
		for v, p := range parents[1:] {
			if p != 1 {
				t.Fatalf("tree %d: node %d has %d parents", k, v+1, p)
			}
		}
	}
	if weight == nil {
		return
	}
	covers := make([][]float64, len(s.Trees))
	for k := range covers {
		covers[k] = make([]float64, len(s.Trees[k].Left))
	}
	_, leaves := walk(s, x)
	for i, v := range leaves {
		covers[i%len(s.Trees)][v] += weight[i/len(s.Trees)]
	}
	for k := range covers {
		for v, c := range covers[k] {
			if s.Trees[k].Feature[v] < 0 && math.Abs(c-s.Trees[k].Cover[v]) > 1e-9*c+1e-12 {
				t.Fatalf("tree %d: leaf %d: cover %v, but rows of weight %v reach it", k, v, s.Trees[k].Cover[v], c)
			}
		}
	}
}

// toy is a table of n rows: 0 and 1 carry the class, 2 has few values, 3 lacks
// values more often in class 1, 4 is noise, 5 is constant.
func toy(seed uint64, n, classes int) grow.Data {
	r := rand.New(rand.NewPCG(seed, 5))
	d := grow.Data{Features: 6, Classes: classes, Class: make([]int, n), X: make([]float64, 0, n*6)}
	for i := range n {
		c := r.IntN(classes)
		d.Class[i] = c
		missing := r.NormFloat64()
		if r.Float64() < 0.1+0.6*float64(c%2) {
			missing = math.NaN()
		}
		d.X = append(d.X, r.NormFloat64()+float64(c), math.Exp(r.NormFloat64()-float64(c)),
			float64(r.IntN(4)+c%2), missing, r.NormFloat64(), 7)
	}
	return d
}

// numeric turns the classes of a table into regression targets.
func numeric(d grow.Data) grow.Data {
	d.Target = make([]float64, len(d.Class))
	for i, c := range d.Class {
		d.Target[i] = float64(c) + d.X[i*d.Features]*d.X[i*d.Features]/4
	}
	d.Class, d.Classes = nil, 0
	return d
}

func ones(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

func argmax(p []float64) int {
	best := 0
	for k, v := range p {
		if v > p[best] {
			best = k
		}
	}
	return best
}

func accuracy(p []float64, class []int) float64 {
	k := len(p) / len(class)
	right := 0
	for i, c := range class {
		if argmax(p[i*k:(i+1)*k]) == c {
			right++
		}
	}
	return float64(right) / float64(len(class))
}

// same reports whether two slices hold the same bits.
func same(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			return false
		}
	}
	return true
}

// sameSource reports the first difference between two sources, "" for none.
func sameSource(a, b *tree.Source) string {
	if a.Kind != b.Kind || a.Features != b.Features || a.Outputs != b.Outputs || a.Link != b.Link ||
		a.SampleSize != b.SampleSize || !same(a.Base, b.Base) || len(a.Trees) != len(b.Trees) {
		return "header"
	}
	for k := range a.Trees {
		s, t := &a.Trees[k], &b.Trees[k]
		if s.Output != t.Output || len(s.Feature) != len(t.Feature) {
			return "tree shape"
		}
		for v := range s.Feature {
			if s.Feature[v] != t.Feature[v] || s.Left[v] != t.Left[v] || s.Right[v] != t.Right[v] || s.MissingLeft[v] != t.MissingLeft[v] {
				return "node"
			}
		}
		if len(s.Category) != len(t.Category) {
			return "categories"
		}
		for v := range s.Category {
			if len(s.Category[v]) != len(t.Category[v]) {
				return "categories"
			}
			for w := range s.Category[v] {
				if s.Category[v][w] != t.Category[v][w] {
					return "categories"
				}
			}
		}
		if !same(s.Threshold, t.Threshold) {
			return "threshold"
		}
		if !same(s.Cover, t.Cover) {
			return "cover"
		}
		if !same(s.Value, t.Value) {
			return "value"
		}
	}
	return ""
}
