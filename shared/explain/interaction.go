package explain

import (
	"fmt"

	"cloister/shared/model"
)

// Interactions fills phi, n×d×d row-major, with the SHAP interaction values
// of the rows of x, n×d row-major, for class. A matrix is symmetric; with v
// the game of [Explainer] and i != j, cell (i,j) is
//
//	sum over S without i, j of |S|! (d-|S|-2)! / (2 (d-1)!)
//	  · (v(S+i+j) - v(S+i) - v(S+j) + v(S))
//
// half of what i and j do together and not alone. The diagonal is the rest:
// row i adds up to the SHAP value of i, and the matrix to the margin less
// Base, both to 1e-9 relative. Ensembles of oblique splits are [ErrOblique].
//
// NaN and errors are as for [Explainer.Values]. A row costs O(leaves·D²·points)
// for leaves of D distinct features on their path, by quadrature at every
// depth. The bits of a row do not depend on its batch.
//
// Source: Lundberg et al., arXiv:1802.03888, equations 3 to 5; the integral of
// the second derivative of the multilinear extension instead of their loop
// over features.
func (x *Explainer) Interactions(phi, rows []float64, class int) error {
	d, k := x.e.Shape()
	if class < 0 || class >= k {
		return &ClassError{class, k}
	}
	if want := len(rows) * d; len(phi) != want {
		return &model.ShapeError{What: "phi", Got: len(phi), Want: fmt.Sprint(want)}
	}
	if x.e.Oblique() {
		return ErrOblique
	}
	b, err := x.e.Bin(rows)
	if err != nil {
		return err
	}
	main := make([]float64, len(rows))
	if err := x.one(main, rows, class); err != nil {
		return err
	}
	clear(phi)
	v := x.view(class)
	w := pairer{nodes: v.nodes, bins: make([]uint16, x.e.Columns()), slot: make([]int, d), d: d}
	for r := range b.Rows() {
		b.Row(w.bins, r)
		w.phi = phi[r*d*d : (r+1)*d*d]
		for _, p := range v.parts {
			for i := range p.rule {
				w.rule = &p.rule[i]
				w.walk(p.root, &w.rule.weight)
			}
		}
		w.finish(main[r*d:(r+1)*d], x.scale)
	}
	return nil
}

// pairer runs one row through trees. Of the path to a node it keeps the
// distinct features and the product of z(1-t) + o·t over them (quadrature.go).
type pairer struct {
	nodes []node
	bins  []uint16
	phi   []float64
	d     int
	rule  *round
	slot  []int // per feature: 1 + its place in path, or 0
	path  []factor
}

// factor is a feature of a path.
type factor struct {
	feature uint16
	hot     bool
	share   float64 // z
	value   array   // z(1-t) + o·t
	slope   array   // (o - z) / value
}

// walk visits node i with product p, the weights of the points included.
func (w *pairer) walk(i int32, p *array) {
	n := &w.nodes[i]
	if n.right == 0 {
		if n.share != 0 {
			w.leaf(n.share, p)
		}
		return
	}
	right := w.bins[n.column] > n.bin
	w.step(i+1, n.feature, n.share, !right, p)
	w.step(n.right, n.feature, 1-n.share, right, p)
}

// step visits node i, the child that takes a share h of the cover.
func (w *pairer) step(i int32, feature uint16, h float64, hot bool, p *array) {
	at := w.slot[feature] - 1
	known := at >= 0
	if !known {
		at = len(w.path)
		w.path = append(w.path, nothing)
		w.path[at].feature = feature
		w.slot[feature] = at + 1
	}
	old := w.path[at]
	f := factor{feature: feature, hot: hot && old.hot, share: old.share * h}
	// Without cover on the side that the row does not take, every term is 0.
	if f.hot || f.share != 0 {
		passed := 0.0
		if f.hot {
			passed = 1
		}
		var product array
		for q := range product {
			f.value[q] = float64(f.share*w.rule.rest[q]) + float64(passed*w.rule.at[q])
			f.slope[q] = (passed - f.share) / f.value[q]
			product[q] = p[q] * (f.value[q] / old.value[q])
		}
		w.path[at] = f
		w.walk(i, &product)
		w.path[at] = old
	}
	if !known {
		w.path = w.path[:at]
		w.slot[feature] = 0
	}
}

// nothing is the factor of a feature without a split.
var nothing = factor{hot: true, share: 1, value: array{1, 1, 1, 1, 1, 1, 1, 1}}

// leaf adds a leaf's part to every pair of features of the path.
func (w *pairer) leaf(value float64, p *array) {
	for i := range w.path {
		var first array
		for q := range first {
			first[q] = p[q] * w.path[i].slope[q]
		}
		for j := range i {
			sum := 0.0
			second := &w.path[j].slope
			for q := range first {
				sum += float64(first[q] * second[q])
			}
			a, b := int(w.path[i].feature), int(w.path[j].feature)
			w.phi[min(a, b)*w.d+max(a, b)] += float64(value * sum)
		}
	}
}

// finish scales the upper triangle, copies it and fills the diagonal.
func (w *pairer) finish(main []float64, scale float64) {
	d := w.d
	for i := range d {
		for j := i + 1; j < d; j++ {
			v := w.phi[i*d+j] * scale / 2
			w.phi[i*d+j], w.phi[j*d+i] = v, v
		}
	}
	for i := range d {
		rest := main[i]
		for j := range d {
			if j != i {
				rest -= w.phi[i*d+j]
			}
		}
		w.phi[i*d+i] = rest
	}
}
