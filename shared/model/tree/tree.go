// Package tree scores random forests, boosted trees, oblivious trees and
// isolation forests. It
// hides how trees lie in memory and in a file: every threshold becomes the
// rank of a sorted edge table, a row is ranked once, and trees are arrays of
// four-byte (large ones: eight-byte) nodes that compare ranks.
//
//	e, err := tree.New(source)      // or tree.Decode(bytes)
//	err = e.Predict(dst, x)         // n×k scores of n×d rows
//	bytes, err = e.AppendBinary(nil)
//
// The internal form is exact: a row takes the same branch as x <= threshold
// on float64. Sums run in the order of the trees, so scores have the same
// bits on amd64 and wasm, alone and in any batch; exp is computed here, because
// that of package math differs by platform.
//
// Limits are the Max constants. The encoding starts with its version; Decode
// reads every version that was released, and what it returns encodes to the
// bytes it was read from; New's ensembles encode in version 3, oblivious ones in
// version 2, those of oblique splits in version 4.
//
// Sources: rank binning and blocks as in onnxruntime and XGBoost; Liu, Ting,
// Zhou, Isolation Forest, ICDM 2008, for the anomaly score; Hariri et al.,
// Extended Isolation Forest, IEEE TKDE 2019, for oblique splits.
package tree

import (
	"fmt"
	"slices"
	"sync"

	"cloister/shared/model"
)

var _ model.Predictor = (*Ensemble)(nil)

// Ensemble is a fitted ensemble of one of the kinds. It is immutable
// and safe for concurrent use.
type Ensemble struct {
	kind     Kind
	link     Link
	features int
	outputs  int
	psi      int
	base     []float64 // Boosting: outputs values
	lay      layout

	// Nodes of tree t are root[t]..root[t+1]-1, breadth first, children of a
	// node next to each other. Exactly one of narrow and wide is in use.
	root   []int
	output []int32 // per tree: output of scalar leaves, -1 for vectors
	narrow []uint32
	wide   []uint64
	leaf   []uint32 // per node: offset of a leaf's values in table
	cover  []float64
	table  []float64
	depth  int
	// weights are those of classes if every leaf follows from whole counts and
	// them, else nil.
	weights []float64
	// first says that the encoding was read in version 1 or 2, where New would
	// write version 3 of some kinds.
	first bool

	shallowOnce sync.Once
	shallows    *shallows
	aloneOnce   sync.Once
	aloneForm   Alone
	quickOnce   sync.Once
	quickForm   *quick
	rankingOnce sync.Once
	rankingForm ranking

	even    *even    // Oblivious: instead of the fields from root on
	oblique *oblique // Isolation with oblique splits: with root, output and cover
}

// New checks src and builds the ensemble in O(nodes·log thresholds). A broken
// rule is a [*SourceError], too large an ensemble a [*LimitError].
func New(src Source) (*Ensemble, error) {
	if err := checkEnsemble(&src); err != nil {
		return nil, err
	}
	if src.Kind == Oblivious {
		return newOblivious(&src)
	}
	if src.Oblique != nil {
		return newObliqueIsolation(&src)
	}
	total := 0
	for i := range src.Trees {
		if err := checkTree(&src, i); err != nil {
			return nil, err
		}
		if total += len(src.Trees[i].Feature); total > MaxNodes {
			return nil, &LimitError{"nodes", MaxNodes, total}
		}
	}
	lay, err := layoutOf(&src)
	if err != nil {
		return nil, err
	}
	e := &Ensemble{
		kind: src.Kind, link: src.Link, features: src.Features, outputs: src.Outputs,
		psi: src.SampleSize, lay: lay,
	}
	if src.Kind == Boosting {
		e.base = make([]float64, src.Outputs)
		copy(e.base, src.Base)
	}
	largest := 0
	for i := range src.Trees {
		largest = max(largest, len(src.Trees[i].Feature))
	}
	b, err := newBuilder(e, len(src.Trees), total, largest)
	if err != nil {
		return nil, err
	}
	for i := range src.Trees {
		if err := b.addSource(&src.Trees[i]); err != nil {
			return nil, atTree(err, i)
		}
	}
	if src.ClassWeights != nil && e.coverMode() != coverWhole && e.isWeighted(src.ClassWeights) {
		e.weights = slices.Clone(src.ClassWeights)
	}
	return e, nil
}

// Shape returns the features d and the outputs k.
func (e *Ensemble) Shape() (d, k int) { return e.features, e.outputs }

// Kind returns the family.
func (e *Ensemble) Kind() Kind { return e.kind }

// Link returns what turns margins into scores; Identity for other kinds than
// Boosting and Oblivious.
func (e *Ensemble) Link() Link { return e.link }

// Trees returns the number of trees.
func (e *Ensemble) Trees() int {
	if e.even != nil {
		return len(e.even.levels)
	}
	return len(e.output)
}

// Nodes returns the number of inner nodes and leaves of all trees.
func (e *Ensemble) Nodes() int {
	if e.even != nil {
		return e.even.nodes()
	}
	if e.oblique != nil {
		return len(e.oblique.right)
	}
	return len(e.leaf)
}

// Depth returns the edges on the longest path from a root to a leaf.
func (e *Ensemble) Depth() int { return e.depth }

// Base returns what Boosting and Oblivious add to the margin of output k, 0 for
// the other kinds.
func (e *Ensemble) Base(k int) float64 {
	if e.base == nil {
		return 0
	}
	return e.base[k]
}

// SampleSize returns psi of an isolation forest, 0 for the other kinds.
func (e *Ensemble) SampleSize() int { return e.psi }

// String describes the ensemble in one line.
func (e *Ensemble) String() string {
	return fmt.Sprintf("%v of %d trees, %d nodes, depth %d, %d features, %d outputs",
		e.kind, e.Trees(), e.Nodes(), e.depth, e.features, e.outputs)
}

// MemoryBytes returns roughly what the ensemble holds in memory.
func (e *Ensemble) MemoryBytes() int {
	n := e.even.memoryBytes() + e.oblique.memoryBytes() + 4*cap(e.narrow) + 8*cap(e.wide) + 4*cap(e.leaf) + 8*cap(e.cover) + 8*cap(e.table)
	for i := range e.lay.numeric {
		n += 16 * len(e.lay.numeric[i].edges)
	}
	return n
}
