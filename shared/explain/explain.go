// Package explain says which features moved a score. It hides how exact
// path-dependent SHAP values of trees are computed fast.
//
//	x, err := explain.New(ensemble)
//	err = x.Values(phi, rows, class)   // n×d
//	sum := x.Base(class) + phi[0] + ... + phi[d-1]   // the row's margin
//
// The values are the Shapley values of the game in which an absent feature
// follows each split in proportion to the training cover of its branches.
// They are exact but for rounding, and have the same bits on amd64 and wasm.
//
// Units, and what base plus values add up to ([tree.Ensemble.Margin]):
//
//	forest      probability of the class (one output: the mean leaf value)
//	boosting    margin of the output: log-odds for a logistic or softmax link
//	isolation   log2 of the anomaly score, that is -E[h]/c(psi): larger
//	            pushes towards anomalous; +1 doubles the score
//
// Sources: Lundberg et al., arXiv:1802.03888, for the values; the integral
// form and Gauss-Legendre quadrature as in Quadrature-TreeSHAP,
// arXiv:2605.04497.
package explain

import (
	"errors"
	"fmt"
	"sync"

	"cloister/shared/model"
	"cloister/shared/model/tree"
)

// Explainer attributes the scores of one ensemble. It is safe for concurrent
// use. For each class that was asked for it holds 24 bytes per node, up to
// twice that for trees whose paths have more than 16 features, less what is
// constant for the class.
type Explainer struct {
	e     *tree.Ensemble
	views []lazyView
	base  []float64
	scale float64 // of a sum over trees
}

type lazyView struct {
	once sync.Once
	view view
}

// New prepares the base values in O(nodes·k). It fails for a nil ensemble.
func New(e *tree.Ensemble) (*Explainer, error) {
	if e == nil {
		return nil, errors.New("explain: no ensemble")
	}
	_, k := e.Shape()
	x := &Explainer{e: e, views: make([]lazyView, k), base: make([]float64, k), scale: 1}
	switch e.Kind() {
	case tree.Forest:
		x.scale = 1 / float64(e.Trees())
	case tree.Isolation:
		x.scale = -1 / (float64(e.Trees()) * tree.PathLength(e.SampleSize()))
	}
	for class := range k {
		sum := 0.0
		for t := range e.Trees() {
			if root, output := e.Root(t); output < 0 || output == class {
				sum += mean(e, t, root, output, class)
			}
		}
		x.base[class] = sum*x.scale + e.Base(class)
	}
	return x, nil
}

// mean returns the value of a subtree for class, averaged by cover.
func mean(e *tree.Ensemble, t, i, output, class int) float64 {
	n := e.Node(t, i)
	if n.IsLeaf() {
		return leafValue(&n, output, class)
	}
	left := leftShare(e, t, &n)
	return left*mean(e, t, n.Left, output, class) + (1-left)*mean(e, t, n.Right, output, class)
}

func leafValue(n *tree.Node, output, class int) float64 {
	if output >= 0 {
		class = 0
	}
	return n.Values[class]
}

// leftShare returns the part of n's cover that went left; a node without
// cover splits evenly.
func leftShare(e *tree.Ensemble, t int, n *tree.Node) float64 {
	if n.Cover == 0 {
		return 0.5
	}
	left := e.Node(t, n.Left)
	return left.Cover / n.Cover
}

// Shape returns the features d and the classes k, those of the ensemble.
func (x *Explainer) Shape() (d, k int) { return x.e.Shape() }

// Base returns what rows score on average over the training cover, in the
// units of the package comment. It panics if class is not in 0..k-1.
func (x *Explainer) Base(class int) float64 { return x.base[class] }

// ClassError means that a class is not one of the ensemble's outputs.
type ClassError struct{ Class, Classes int }

// Error returns the class and the range.
func (e *ClassError) Error() string {
	return fmt.Sprintf("explain: class %d, want 0..%d", e.Class, e.Classes-1)
}

// Values fills phi, n×d row-major, with the SHAP values of the rows of x, n×d
// row-major, for class:
//
//	Base(class) + sum_j phi[i*d+j] = margin of row i, to 1e-9 relative
//
// NaN is missing and follows each split. Features without a split get 0. It
// costs O(nodes·points) per row, where nodes leaves out what is constant for
// the class and points is 8 for most leaves ([Explainer.Points]); the first
// call for a class builds its view of the trees. A length that does not match is a
// [*model.ShapeError], a class out of range a [*ClassError]; phi then is as
// it was. The bits of a row do not depend on its batch.
func (x *Explainer) Values(phi, rows []float64, class int) error {
	d, k := x.e.Shape()
	if class < 0 || class >= k {
		return &ClassError{class, k}
	}
	if len(phi) != len(rows) {
		return &model.ShapeError{What: "phi", Got: len(phi), Want: fmt.Sprint(len(rows))}
	}
	return x.fill(rows, func(b *tree.Binned) {
		x.each(b, func(r int, bins []uint16) { x.row(phi[r*d:(r+1)*d], bins, class) })
	})
}

// AllValues fills phi, n×k×d row-major, with the values of every class. It
// costs what Values costs for each, but ranks the rows once.
func (x *Explainer) AllValues(phi, rows []float64) error {
	d, k := x.e.Shape()
	if len(phi) != len(rows)*k {
		return &model.ShapeError{What: "phi", Got: len(phi), Want: fmt.Sprint(len(rows) * k)}
	}
	return x.fill(rows, func(b *tree.Binned) {
		x.each(b, func(r int, bins []uint16) {
			for class := range k {
				i := r*k + class
				x.row(phi[i*d:(i+1)*d], bins, class)
			}
		})
	})
}

func (x *Explainer) fill(rows []float64, use func(*tree.Binned)) error {
	b, err := x.e.Bin(rows)
	if err != nil {
		return err
	}
	use(b)
	return nil
}

func (x *Explainer) each(b *tree.Binned, use func(r int, bins []uint16)) {
	bins := make([]uint16, x.e.Columns())
	for r := range b.Rows() {
		b.Row(bins, r)
		use(r, bins)
	}
}

// row fills phi, d values, for one row.
func (x *Explainer) row(phi []float64, bins []uint16, class int) {
	clear(phi)
	v := x.view(class)
	w := newWalker(phi, bins, v)
	for _, p := range v.parts {
		w.add(p)
	}
	for j := range phi {
		phi[j] *= x.scale
	}
}

// Points returns the most quadrature points that a leaf takes for class: 8
// for up to 16 distinct features on its path, and 8 more for each 16 after
// that, the least multiple of 8 that is exact. It panics if class is not in
// 0..k-1.
func (x *Explainer) Points(class int) int { return x.view(class).points }

func (x *Explainer) view(class int) *view {
	l := &x.views[class]
	l.once.Do(func() { l.view = viewOf(x.e, class) })
	return &l.view
}
