package foreign

import (
	"fmt"
	"math"

	"cloister/shared/model/tree"
)

// Meta is what a writer says besides the trees.
type Meta struct {
	Features []string // names of the columns, nil for none
	Labels   []string // of the classes, nil for their numbers
}

// NoFormError says why an ensemble cannot be written in a format.
type NoFormError struct{ Format, What string }

// Error returns the format and what it lacks.
func (e *NoFormError) Error() string { return fmt.Sprintf("%s has no form for %s", e.Format, e.What) }

// written is one tree in the order of a file: the root first, children after
// their parent.
type written struct {
	nodes  []node // left is -1 at a leaf; values in vector
	output int    // -1 for vectors of all outputs
}

// walk takes an ensemble apart. sets says whether the caller can write splits on
// categories.
func walk(e *tree.Ensemble) ([]written, error) {
	d, _ := e.Shape()
	missing := make([]float64, d)
	for j := range missing {
		missing[j] = math.NaN()
	}
	b, err := e.Bin(missing)
	if err != nil {
		return nil, err // unreachable: the width is that of the ensemble
	}
	nan := make([]uint16, e.Columns())
	b.Row(nan, 0)
	w := &walker{e: e, nan: nan, sets: map[int][]uint64{}}
	var out []written
	for t := range e.Trees() {
		root, output := e.Root(t)
		tr := written{output: output}
		if _, k := e.Shape(); k == 1 {
			tr.output = 0
		}
		if err := w.tree(&tr, t, root); err != nil {
			return nil, err
		}
		out = append(out, tr)
	}
	return out, nil
}

type walker struct {
	e    *tree.Ensemble
	nan  []uint16
	sets map[int][]uint64 // by column
}

func (w *walker) tree(out *written, t, root int) error {
	from := []int{root}
	for i := 0; i < len(from); i++ {
		n := w.e.Node(t, from[i])
		v := node{feature: int32(n.Feature), left: -1, right: -1, cover: n.Cover, threshold: n.Threshold, vector: n.Values}
		if !n.IsLeaf() {
			v.missingLeft = int(w.nan[n.Column]) <= n.Bin
			v.left, v.right = int32(len(from)), int32(len(from)+1)
			if !math.IsNaN(n.Threshold) {
				from = append(from, n.Left, n.Right)
			} else {
				// XGBoost 2 takes the node after the left child for the right one,
				// and its left is our right at a set.
				v.left, v.right = v.right, v.left
				from = append(from, n.Right, n.Left)
				set, err := w.set(n.Feature, n.Column)
				if err != nil {
					return err
				}
				v.set = set
			}
		}
		out.nodes = append(out.nodes, v)
	}
	return nil
}

// setRows is how many categories are tried at once.
const setRows = 256

// set finds the categories that go left in a column by trying them.
func (w *walker) set(feature, column int) ([]uint64, error) {
	if s, ok := w.sets[column]; ok {
		return s, nil
	}
	d, _ := w.e.Shape()
	x := make([]float64, setRows*d)
	bins := make([]uint16, w.e.Columns())
	set := []uint64{0}
	for lo := 0; lo < tree.MaxCategories; lo += setRows {
		for r := range setRows {
			x[r*d+feature] = float64(lo + r)
		}
		b, err := w.e.Bin(x)
		if err != nil {
			return nil, err // unreachable: the width is that of the ensemble
		}
		for r := range setRows {
			if b.Row(bins, r); bins[column] != 0 {
				continue
			}
			for len(set) <= (lo+r)/64 {
				set = append(set, 0)
			}
			set[(lo+r)/64] |= 1 << ((lo + r) % 64)
		}
	}
	w.sets[column] = set
	return set, nil
}
