// Package explain says which features moved a score. It hides how exact SHAP
// values of trees are computed fast.
//
//	x, err := explain.New(ensemble)
//	err = x.Values(phi, rows, class)   // n×d
//	sum := x.Base(class) + phi[0] + ... + phi[d-1]   // the row's margin
//
// [Explainer] gives path-dependent SHAP values, those of the game in which an
// absent feature follows each split in proportion to the training cover of its
// branches, and how features act together. [Interventional] compares with
// background rows instead. [Tokens] puts the values of a TF-IDF row in its text.
// All are exact but for rounding, and have the same bits on amd64 and wasm,
// alone and in any batch. Values of ensembles deeper than 8 keep their bits in
// later versions; those of others may change by 1e-12.
//
// Units, and what base plus values add up to ([tree.Ensemble.Margin]):
//
//	forest      probability of the class (one output: the mean leaf value)
//	boosting    margin of the output: log-odds for a logistic or softmax link
//	isolation   log2 of the anomaly score, that is -E[h]/c(psi): larger
//	            pushes towards anomalous; +1 doubles the score. shap explains
//	            the path length E[h], which is these values times -c(psi).
//
// Isolation forests of oblique splits ([tree.Ensemble.Oblique]) have no SHAP
// values here: theirs are those of [tree.Ensemble.PathValues], which add up to
// the same and depend on the path of the row alone.
//
// Sources: Lundberg et al., arXiv:1802.03888, for the values; the integral
// form and Gauss-Legendre quadrature as in Quadrature-TreeSHAP,
// arXiv:2605.04497; tables by pattern after Fast TreeSHAP v2,
// arXiv:2109.09847.
package explain

import (
	"errors"
	"fmt"
	"slices"

	"cloister/shared/model/tree"
)

// Explainer attributes the scores of one ensemble. It is safe for concurrent
// use.
//
// Ensembles of depth 8 or less are explained by tables of 60 to 120 kB per
// class for a tree of 64 leaves and depth 6, at most 96 MB for all classes
// together; trees that find no room, and deeper ensembles, by quadrature over
// 24 bytes per node and class, up to twice that for trees whose paths have
// more than 16 features. What is constant for a class takes no room. Either is
// made for a class when it is first asked for: a table in about 5 µs per leaf.
type Explainer struct {
	engine
	views []lazy[view]
	base  []float64
}

// New prepares the base values in O(nodes·k). It fails for a nil ensemble.
func New(e *tree.Ensemble) (*Explainer, error) {
	if e == nil {
		return nil, errNone
	}
	_, k := e.Shape()
	x := &Explainer{views: make([]lazy[view], k), base: make([]float64, k)}
	x.start(e)
	x.newWeigher, x.byWalk = pathDependent, x.walk
	for t := range e.Trees() {
		root, output := e.Root(t)
		for j, v := range means(e, t, e.Node(t, root)) {
			x.base[max(output, j)] += v // by class, or one value for the class output
		}
	}
	for class, sum := range x.base {
		x.base[class] = sum*x.scale + e.Base(class)
	}
	return x, nil
}

var errNone = errors.New("explain: no ensemble")

// ErrOblique means that there is no such explanation of oblique splits.
var ErrOblique = errors.New("explain: oblique splits have values along the path alone")

// means returns the values of the subtree of n, averaged by cover: one, or one
// for each class if the leaves are vectors.
func means(e *tree.Ensemble, t int, n tree.Node) []float64 {
	if n.IsLeaf() {
		return slices.Clone(n.Values) // they may be the ensemble's own
	}
	first := e.Node(t, n.Left)
	left := 0.5 // as leftShare
	if n.Cover != 0 {
		left = first.Cover / n.Cover
	}
	v, right := means(e, t, first), means(e, t, e.Node(t, n.Right))
	for j := range v {
		v[j] = left*v[j] + (1-left)*right[j]
	}
	return v
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
// NaN is missing and follows each split. Features without a split get 0. A
// row costs one addition per feature and few leaves by tables, O(nodes·points)
// by quadrature ([Explainer.Points]). Many rows at once take less time for each
// than one, by tables a tenth; beside their bins ([tree.Ensemble.Bin]) a call
// needs 1 MB, or what 8 rows of d sums take. A length that does not match is a [*model.ShapeError], a class
// out of range a [*ClassError]; phi then is as it was. The bits of a row do not
// depend on its batch.
func (x *Explainer) Values(phi, rows []float64, class int) error { return x.one(phi, rows, class) }

// AllValues fills phi, n×k×d row-major, with the values of every class, with
// the bits of Values. It ranks the rows once.
func (x *Explainer) AllValues(phi, rows []float64) error { return x.all(phi, rows) }

// Chosen fills phi, n×d row-major, with the values of each row of x for its
// own class, with the bits of Values: what a page shows beside every verdict.
// Rows are ranked once, and those of a class meet its tables together. A class
// out of range is a [*ClassError], other lengths than n and n×d are a
// [*model.ShapeError]; phi then is as it was.
func (x *Explainer) Chosen(phi, rows []float64, class []int) error { return x.own(phi, rows, class) }

// walk adds the trees from tree on by quadrature.
func (x *Explainer) walk(rows []target, class, tree int) {
	v := x.view(class)
	d, _ := x.e.Shape()
	w := newWalker(d, v.nodes)
	w.hasten(v, x.e.Depth())
	for _, p := range v.parts {
		for i := 0; i < len(rows) && p.tree >= tree; i++ {
			w.bins, w.phi = rows[i].bins, rows[i].phi
			w.add(p)
		}
	}
}

// Points returns the most quadrature points that a leaf would take for class: 8
// for up to 16 distinct features on its path, and 8 more for each 16 after
// that, the least multiple of 8 that is exact. It panics if class is not in
// 0..k-1.
func (x *Explainer) Points(class int) int { return x.view(class).points }

func (x *Explainer) view(class int) *view {
	return x.views[class].get(func() view { return viewOf(x.e, class) })
}
