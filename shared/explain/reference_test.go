package explain_test

import (
	"math/bits"

	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// The references work on the source of an ensemble: they share neither bins
// nor nodes nor formulas with the package.

// scaleOf is what a sum over trees is multiplied by.
func scaleOf(s *tree.Source) float64 {
	switch s.Kind {
	case tree.Forest:
		return 1 / float64(len(s.Trees))
	case tree.Isolation:
		return -1 / (float64(len(s.Trees)) * tree.PathLength(s.SampleSize))
	}
	return 1
}

// covered is a tree with the cover of every node and the leaf values of one
// class.
type covered struct {
	*tree.SourceTree
	cover []float64
	value []float64
}

// coveredTrees returns the trees that add to class.
func coveredTrees(s *tree.Source, class int) []covered {
	var all []covered
	for i := range s.Trees {
		t := &s.Trees[i]
		if t.Output >= 0 && s.Outputs > 1 && t.Output != class {
			continue
		}
		n := len(t.Feature)
		c := covered{t, make([]float64, n), make([]float64, n)}
		depth := make([]int, n)
		for v := range n {
			if t.Feature[v] >= 0 {
				depth[t.Left[v]], depth[t.Right[v]] = depth[v]+1, depth[v]+1
			}
		}
		for v := n - 1; v >= 0; v-- {
			switch {
			case t.Feature[v] >= 0:
				c.cover[v] = c.cover[t.Left[v]] + c.cover[t.Right[v]]
				continue
			case s.Kind == tree.Isolation:
				c.value[v] = float64(depth[v]) + tree.PathLength(int(t.Cover[v]))
			case t.Output >= 0 || s.Outputs == 1:
				c.value[v] = t.Value[v]
			default:
				c.value[v] = t.Value[v*s.Outputs+class]
			}
			c.cover[v] = t.Cover[v]
		}
		all = append(all, c)
	}
	return all
}

// sides returns the child that x takes at v and the other.
func (c *covered) sides(v int, x []float64) (hot, cold int) {
	hot, cold = int(c.Left[v]), int(c.Right[v])
	if !treetest.Left(c.SourceTree, v, x) {
		hot, cold = cold, hot
	}
	return hot, cold
}

// subsets returns the Shapley values of x by definition, over all subsets of
// the features: Lundberg et al., arXiv:1802.03888, algorithm 1 and equation 2.
func subsets(s *tree.Source, x []float64, class int) []float64 {
	d := s.Features
	trees := coveredTrees(s, class)
	game := make([]float64, 1<<d)
	for set := range game {
		for i := range trees {
			game[set] += trees[i].expect(0, x, uint(set))
		}
	}
	weight := make([]float64, d) // |S|! (d-|S|-1)! / d!
	for size := range d {
		w := 1.0 / float64(d)
		for j := 1; j <= size; j++ {
			w *= float64(j) / float64(d-j)
		}
		weight[size] = w
	}
	phi := make([]float64, d)
	for set := range game {
		for j := range d {
			if set>>j&1 == 0 {
				phi[j] += weight[bits.OnesCount(uint(set))] * (game[set|1<<j] - game[set])
			}
		}
	}
	for j := range phi {
		phi[j] *= scaleOf(s)
	}
	return phi
}

// expect returns the mean value below v when only the features in set are
// known.
func (c *covered) expect(v int, x []float64, set uint) float64 {
	if c.Feature[v] < 0 {
		return c.value[v]
	}
	hot, cold := c.sides(v, x)
	if set>>c.Feature[v]&1 != 0 {
		return c.expect(hot, x, set)
	}
	if c.cover[v] == 0 {
		return (c.expect(hot, x, set) + c.expect(cold, x, set)) / 2
	}
	return (c.cover[hot]*c.expect(hot, x, set) + c.cover[cold]*c.expect(cold, x, set)) / c.cover[v]
}

// lundberg returns the values of x by algorithm 2 of the same paper. Covers
// must not be 0.
func lundberg(s *tree.Source, x []float64, class int) []float64 {
	phi := make([]float64, s.Features)
	for _, c := range coveredTrees(s, class) {
		r := recursion{&c, x, phi}
		r.recurse(0, nil, 1, 1, -1)
	}
	for j := range phi {
		phi[j] *= scaleOf(s)
	}
	return phi
}

type recursion struct {
	t   *covered
	x   []float64
	phi []float64
}

// element is an entry of the path m: feature, zero and one fractions, weight.
type element struct {
	d       int
	z, o, w float64
}

func (r *recursion) recurse(v int, m []element, pz, po float64, pi int) {
	m = extend(m, pz, po, pi)
	if r.t.Feature[v] < 0 {
		for i := 1; i < len(m); i++ {
			w := 0.0
			for _, e := range unwind(m, i) {
				w += e.w
			}
			r.phi[m[i].d] += w * (m[i].o - m[i].z) * r.t.value[v]
		}
		return
	}
	hot, cold := r.t.sides(v, r.x)
	iz, io := 1.0, 1.0
	for k := 1; k < len(m); k++ {
		if m[k].d == int(r.t.Feature[v]) {
			iz, io = m[k].z, m[k].o
			m = unwind(m, k)
			break
		}
	}
	r.recurse(hot, m, iz*r.t.cover[hot]/r.t.cover[v], io, int(r.t.Feature[v]))
	r.recurse(cold, m, iz*r.t.cover[cold]/r.t.cover[v], 0, int(r.t.Feature[v]))
}

func extend(m []element, pz, po float64, pi int) []element {
	l := len(m)
	out := append(append([]element(nil), m...), element{pi, pz, po, 0})
	if l == 0 {
		out[0].w = 1
	}
	for i := l - 1; i >= 0; i-- {
		out[i+1].w += po * out[i].w * float64(i+1) / float64(l+1)
		out[i].w *= pz * float64(l-i) / float64(l+1)
	}
	return out
}

func unwind(m []element, i int) []element {
	l := len(m) - 1
	out := append([]element(nil), m...)
	n := out[l].w
	for j := l - 1; j >= 0; j-- {
		if m[i].o != 0 {
			was := out[j].w
			out[j].w = n * float64(l+1) / (float64(j+1) * m[i].o)
			n = was - out[j].w*m[i].z*float64(l-j)/float64(l+1)
		} else {
			out[j].w = out[j].w * float64(l+1) / (m[i].z * float64(l-j))
		}
	}
	for j := i; j < l; j++ {
		out[j].d, out[j].z, out[j].o = m[j+1].d, m[j+1].z, m[j+1].o
	}
	return out[:l]
}
