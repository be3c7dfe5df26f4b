package explain

import (
	"math"

	"cloister/shared/model/tree"
)

// The Shapley value of feature i at a leaf of value v, whose path gives each
// of its features j a share z_j of the cover and o_j = 1 if the row passes
// all of j's splits, else 0, is
//
//	v (o_i - z_i) ∫ prod over j != i of (z_j (1-t) + o_j t) dt, t in 0..1
//
// a polynomial of t, which Gauss-Legendre quadrature integrates exactly. A
// walk carries the product p at eight points down, and brings the mean m of
// the leaves, each weighted by its product below, up. At a node that splits
// a share h of the cover off to the side that the row takes, hot, feature f
// with share z so far and not yet failed gets, summed over the points,
//
//	z (1-h) p / (z(1-t) + t)² · (m_hot - m_cold)
//
// which is what remains when the two ways to write f's factor, before and
// after this split, are subtracted. A feature that the row has failed gets no
// more. No term divides by a share, so empty branches need no care.

const points = 8

// array holds a value per point.
type array [points]float64

// A walker runs one row through trees.
type walker struct {
	nodes []node
	bins  []uint16
	phi   []float64
	share []float64 // per feature: z, 1 if there was no split
	hot   []bool    // per feature: the row has passed all splits so far
	at    *array    // t
	rest  *array    // 1-t

	fast  *tree.Kernel // nil for the loops below
	words []uint64
	room  []uint64
}

// newWalker returns a walker for d features that has no row yet.
func newWalker(d int, nodes []node) *walker {
	w := &walker{nodes: nodes, share: make([]float64, d), hot: make([]bool, d)}
	for j := range w.share {
		w.share[j], w.hot[j] = 1, true
	}
	return w
}

// fastDepth is how deep the kernel's calls of itself may go: its frames of some
// hundred bytes lie on the browser's stack of about 1 MB, where an overflow ends
// the program.
const fastDepth = 256

// hasten lets the kernel walk v, whose trees are of at most some depth.
func (w *walker) hasten(v *view, depth int) {
	if w.fast = tree.UsedKernel(); w.fast == nil || v.words == nil || depth > fastDepth {
		w.fast = nil
		return
	}
	w.words, w.room = v.words, make([]uint64, 16*(depth+1)+8)
}

// add adds the values of one part to phi, round by round.
func (w *walker) add(t part) {
	for i := range t.rule {
		r := &t.rule[i]
		if w.fast != nil {
			w.fast.Quadrature(w.words, int(t.root), w.bins, w.phi, w.share, w.hot, (*[points]float64)(&r.at), (*[points]float64)(&r.rest), (*[points]float64)(&r.weight), w.room)
			continue
		}
		w.at, w.rest = &r.at, &r.rest
		p := r.weight
		var m array
		w.walk(t.root, &p, &m)
	}
}

// walk visits inner node i with product p and returns the mean in m.
func (w *walker) walk(i int32, p, m *array) {
	n := &w.nodes[i]
	hot, cold, h := i+1, n.right, n.share
	if w.bins[n.column] > n.bin {
		hot, cold, h = cold, hot, 1-h
	}
	f := n.feature
	z, passed := w.share[f], w.hot[f]
	var hf, cf, cm array // what the product is multiplied by, and the cold mean
	if !passed {
		for q := range hf {
			hf[q], cf[q] = h, 1-h
		}
		w.child(hot, p, &hf, m)
		w.child(cold, p, &cf, &cm)
		for q := range m {
			m[q] = float64(h*m[q]) + float64((1-h)*cm[q])
		}
		return
	}
	part := p // of the product that is without f
	var without array
	if z == 1 {
		for q := range hf {
			hf[q] = float64(h*w.rest[q]) + w.at[q]
			cf[q] = (1 - h) * w.rest[q]
		}
	} else {
		for q := range hf {
			over := 1 / (float64(z*w.rest[q]) + w.at[q])
			hf[q] = (float64(z*h*w.rest[q]) + w.at[q]) * over
			cf[q] = z * (1 - h) * w.rest[q] * over
			without[q] = p[q] * over * over
		}
		part = &without
	}
	w.share[f] = z * h
	w.child(hot, p, &hf, m)
	w.share[f], w.hot[f] = z, false
	w.child(cold, p, &cf, &cm)
	w.hot[f] = true
	sum := 0.0
	for q := range m {
		sum += float64(part[q] * (m[q] - cm[q]))
		m[q] = float64(m[q]*hf[q]) + float64(cm[q]*cf[q])
	}
	w.phi[f] += float64(z * (1 - h) * sum)
}

// child visits any node with product p times factor.
func (w *walker) child(i int32, p, factor, m *array) {
	n := &w.nodes[i]
	if n.right == 0 {
		for q := range m {
			m[q] = n.share
		}
		return
	}
	var product array
	for q := range product {
		product[q] = p[q] * factor[q]
	}
	w.walk(i, &product, m)
}

// round is eight points of a rule: t, 1-t and the weight.
type round struct{ at, rest, weight array }

// gaussLegendre returns the rule of 8·rounds points on 0..1.
func gaussLegendre(rounds int) []round {
	rule := make([]round, rounds)
	gaussPoints(points*rounds, func(i int, at, rest, weight float64) {
		r, q := &rule[i/points], i%points
		r.at[q], r.rest[q], r.weight[q] = at, rest, weight
	})
	return rule
}

// gaussPoints calls put with t, 1-t and the weight of each of n points, n even.
// Newton's method finds the roots of the Legendre polynomial from the usual
// approximation; the roots of 1 - t are taken from symmetry, so that small
// ones are exact.
func gaussPoints(n int, put func(i int, at, rest, weight float64)) {
	for i := range n / 2 {
		x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
		var slope float64
		for range 10 {
			var value float64
			value, slope = legendre(n, x)
			x -= value / slope
		}
		_, slope = legendre(n, x)
		weight := 1 / (float64((1-x)*(1+x)) * float64(slope*slope))
		low, high := (1-x)/2, (1+x)/2
		put(i, high, low, weight)
		put(n-1-i, low, high, weight)
	}
}

// legendre returns the Legendre polynomial of degree n at x, and its slope.
func legendre(n int, x float64) (value, slope float64) {
	before, value := 1.0, x
	for k := 2; k <= n; k++ {
		before, value = value, (float64(float64(2*k-1)*x*value)-float64(float64(k-1)*before))/float64(k)
	}
	return value, float64(n) * (float64(x*value) - before) / (float64(x*x) - 1)
}
