package explain

import (
	"fmt"
	"math/bits"

	"cloister/shared/model"
	"cloister/shared/model/tree"
)

// Interventional attributes scores against a background: an absent feature
// takes its value from each background row in turn, whatever the others are,
//
//	phi of a row = mean over background rows z of the Shapley values of
//	the game S -> margin(the row on S, z elsewhere)
//
// Against the path-dependent values of [Explainer], which average over the
// training data along each path, they answer "compared with these rows", give
// 0 to every feature that the score does not depend on, and cost more.
//
// It is safe for concurrent use. With m background rows it holds 2·m bytes per
// bin column, and tables or nodes per class as an [Explainer] does.
//
// Source: Lundberg et al., arXiv:1905.04610, interventional Tree SHAP; tables
// over background patterns as in WOODELF, AAAI 2026.
type Interventional struct {
	engine
	bins   [][]uint16 // of the background
	base   []float64
	nodes  []lazy[whole]
	weight weights
}

// whole is the trees of a class.
type whole struct {
	nodes []node
	roots []int32
	trees []int // the number of each in the ensemble
}

// NewInterventional prepares the background, m×d row-major, at least one row.
// NaN is missing there too and follows each split. No rows, or a part of one,
// are a [*model.ShapeError]; a nil ensemble is an error, one of oblique splits
// [ErrOblique].
func NewInterventional(e *tree.Ensemble, background []float64) (*Interventional, error) {
	if e == nil {
		return nil, errNone
	}
	if e.Oblique() {
		return nil, ErrOblique
	}
	d, k := e.Shape()
	if len(background) == 0 {
		return nil, &model.ShapeError{What: "background", Got: 0, Want: fmt.Sprintf("a multiple of %d above 0", d)}
	}
	b, err := e.Bin(background)
	if err != nil {
		return nil, &model.ShapeError{What: "background", Got: len(background), Want: fmt.Sprintf("a multiple of %d", d)}
	}
	m := b.Rows()
	margin := make([]float64, m*k)
	if err := e.Margin(margin, background); err != nil {
		return nil, err
	}
	x := &Interventional{
		bins: make([][]uint16, m), base: make([]float64, k), nodes: make([]lazy[whole], k),
		weight: weightsOf(min(e.Depth(), d)),
	}
	all := make([]uint16, m*e.Columns())
	for r := range m {
		x.bins[r] = all[r*e.Columns():][:e.Columns()]
		b.Row(x.bins[r], r)
	}
	for i, v := range margin {
		x.base[i%k] += v
	}
	for class := range x.base {
		x.base[class] /= float64(m)
	}
	x.start(e)
	x.scale /= float64(m)
	x.newWeigher, x.byWalk = x.weigher, x.walk
	return x, nil
}

// Shape returns the features d and the classes k, those of the ensemble.
func (x *Interventional) Shape() (d, k int) { return x.e.Shape() }

// Base returns the mean margin of the background, in the units of the package
// comment. It panics if class is not in 0..k-1.
func (x *Interventional) Base(class int) float64 { return x.base[class] }

// Values fills phi, n×d row-major, with the values of the rows of x, n×d
// row-major, for class:
//
//	Base(class) + sum_j phi[i*d+j] = margin of row i, to 1e-9 relative
//
// NaN is missing and follows each split. Errors are those of
// [Explainer.Values]. The bits of a row do not depend on its batch.
//
// With tables, that is up to depth 8, a row costs what it costs an Explainer,
// and making those of a class, when it is first asked for, O(leaves·(m·depth +
// 3^depth)). Without, a row costs O(m·v), v being the leaves of the class's trees
// that some mix of the row and a background row reaches.
func (x *Interventional) Values(phi, rows []float64, class int) error {
	return x.one(phi, rows, class)
}

// AllValues fills phi, n×k×d row-major, with the values of every class, with
// the bits of Values.
func (x *Interventional) AllValues(phi, rows []float64) error { return x.all(phi, rows) }

// weights[a][c] is (a-1)! c! / (a+c)!: the share of a leaf that goes to each
// of a features on which only the row passes, if on c others only the
// background row does; [c][a] is what each of those loses.
type weights [][]float64

// weightsOf returns the weights of up to n features. Those below 1e-308 come
// out as 0.
func weightsOf(n int) weights {
	w := make(weights, n+1)
	for a := range w {
		w[a] = make([]float64, n+1-a)
		for c := range w[a] {
			switch {
			case a == 0:
			case c == 0:
				w[a][c] = 1 / float64(a)
			default:
				w[a][c] = w[a][c-1] * float64(c) / float64(a+c)
			}
		}
	}
	return w
}

// weigher returns the weigher of the background.
func (x *Interventional) weigher() weigher {
	var counts [maxPatterns]float64
	return func(w []float64, leaf *pathLeaf) {
		n := len(leaf.features)
		full := 1<<n - 1
		clear(counts[:full+1])
		slots := make([]int, len(leaf.steps))
		for i, s := range leaf.steps {
			slots[i] = leaf.slot(s.feature)
		}
		for _, bins := range x.bins {
			passes := full
			for i, s := range leaf.steps {
				if (bins[s.column] > s.bin) != s.right {
					passes &^= 1 << slots[i]
				}
			}
			counts[passes]++
		}
		clear(w)
		for row := range full + 1 {
			own := w[row*n : (row+1)*n]
			// every set that holds what the row fails
			for more := row; ; more = (more - 1) & row {
				if count := counts[full&^row|more]; count != 0 {
					x.share(own, row&^more, full&^row, count)
				}
				if more == 0 {
					break
				}
			}
		}
	}
}

// share adds what count background rows that pass where the row fails, and
// fail where it alone passes, mean for each feature of a leaf.
func (x *Interventional) share(w []float64, alone, fails int, count float64) {
	a, c := bits.OnesCount(uint(alone)), bits.OnesCount(uint(fails))
	for i := range w {
		switch {
		case alone>>i&1 != 0:
			w[i] += count * x.weight[a][c]
		case fails>>i&1 != 0:
			w[i] -= count * x.weight[c][a]
		}
	}
}

// walk adds the trees from tree on, background row by background row.
func (x *Interventional) walk(rows []target, class, tree int) {
	v := x.nodes[class].get(func() whole { return wholeOf(x.e, class) })
	d, _ := x.e.Shape()
	w := mixer{nodes: v.nodes, weight: x.weight, side: make([]side, d)}
	for i, root := range v.roots {
		if v.trees[i] < tree {
			continue
		}
		for _, r := range rows {
			w.row, w.phi = r.bins, r.phi
			for _, w.back = range x.bins {
				w.walk(root, 0, 0)
			}
		}
	}
}

// wholeOf lists the trees of a class that are more than one value.
func wholeOf(e *tree.Ensemble, class int) whole {
	v := viewer{e: e, class: class}
	var all whole
	for t := range e.Trees() {
		if root, output := e.Root(t); output < 0 || output == class {
			v.tree, v.output, v.whole = t, output, v.whole[:0]
			v.add(root)
			if len(v.whole) == 1 {
				continue
			}
			at := int32(len(all.nodes))
			for _, n := range v.whole {
				if n.right != 0 {
					n.right += at
				}
				all.nodes = append(all.nodes, n)
			}
			all.roots, all.trees = append(all.roots, at), append(all.trees, t)
		}
	}
	return all
}

// side says whose value of a feature a mix has.
type side uint8

const (
	either side = iota // both go the same way so far
	ofRow
	ofBack
)

// mixer runs all mixes of a row and a background row through trees.
type mixer struct {
	nodes     []node
	row, back []uint16
	phi       []float64
	side      []side // by feature
	weight    weights
}

// walk visits node i with a features taken from the row and c from the
// background row, and returns what the leaves below give to each of the a and
// take from each of the c.
func (w *mixer) walk(i int32, a, c int) (gain, loss float64) {
	for {
		n := &w.nodes[i]
		if n.right == 0 {
			return n.share * w.weight[a][c], n.share * w.weight[c][a]
		}
		row, back := i+1, i+1
		if w.row[n.column] > n.bin {
			row = n.right
		}
		if w.back[n.column] > n.bin {
			back = n.right
		}
		s := &w.side[n.feature]
		switch {
		case row == back || *s == ofRow:
			i = row
		case *s == ofBack:
			i = back
		default:
			*s = ofRow
			gain, loss = w.walk(row, a+1, c)
			*s = ofBack
			g, l := w.walk(back, a, c+1)
			*s = either
			w.phi[n.feature] += gain - l
			return gain + g, loss + l
		}
	}
}
