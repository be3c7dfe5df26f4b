package foreign

import (
	"errors"
	"math"

	"cloister/shared/model/tree"
	"cloister/shared/wire"
)

const checkpointFormat = "treelite-checkpoint"

// readCheckpoint reads what Model.serialize of treelite 4 writes: docs/serialization/v4.rst
// there, but for what releases do otherwise (4.0.0 and 4.8.1 write the same):
// nodes are one array a field, the postprocessor is a text with a length, base
// scores are float64, and attributes follow them.
func readCheckpoint(data []byte) (*Model, error) {
	r := &checkpoint{Reader: wire.NewReader(data)}
	t := &treelite{m: &Model{Format: checkpointFormat, Producer: "treelite", Covers: true}, format: checkpointFormat}
	major := r.U32()
	r.Bytes(8) // minor version and patch: they change nothing of the layout
	if major != 4 {
		return nil, t.unsupported(0, "version %d of the format, want 4: load and save it with treelite 4", major)
	}
	threshold, leaf := r.U8(), r.U8()
	if threshold != leaf || threshold != 2 && threshold != 3 {
		return nil, t.malformed(12, "thresholds of type %d and leaves of type %d, want 2 or 3 for both", threshold, leaf)
	}
	r.double, t.m.Single = threshold == 3, threshold == 2
	trees := r.U64()
	t.at = r.Offset()
	t.m.Source.Features = int(r.U32())
	r.U8() // kind of task; the postprocessor says what matters
	t.average = r.U8() != 0
	if targets := r.U32(); r.Err() == nil && targets != 1 {
		return nil, t.unsupported(t.at, "%d targets, want one", targets)
	}
	classes := r.whole(-1)
	r.skip(4) // shape of leaf vectors: follows from the classes
	r.skip(4) // target of each tree: the one
	t.class = r.whole(-1)
	t.post = string(r.Bytes(r.count(1, -1)))
	t.alpha, t.ratio = float64(r.F32()), float64(r.F32())
	t.base = array(r, 8, -1, r.F64)
	r.skip(1) // attributes
	r.noMore()
	if err := r.error(); err != nil {
		return nil, err
	}
	if f := t.m.Source.Features; f < 1 || f > tree.MaxFeatures {
		return nil, t.malformed(t.at, "%d features, want 1 to %d", f, tree.MaxFeatures)
	}
	if len(classes) != 1 || uint64(len(t.class)) != trees {
		return nil, t.malformed(t.at, "%d counts of classes for one target, %d classes for %d trees", len(classes), len(t.class), trees)
	}
	if err := t.output(classes[0]); err != nil {
		return nil, err
	}
	for range t.class {
		if err := t.tree(r.Offset(), func(width int) ([]node, error) { return r.tree(t, width) }); err != nil {
			return nil, err
		}
	}
	if err := r.Close(); err != nil {
		return nil, r.error()
	}
	return t.m, t.finish()
}

// checkpoint reads arrays; its counts are of 8 bytes.
type checkpoint struct {
	*wire.Reader
	double bool // leaves and thresholds are float64
}

// error returns the first error as one of this package.
func (r *checkpoint) error() error {
	var e *wire.OffsetError
	if errors.As(r.Err(), &e) {
		return malformed(checkpointFormat, e.Offset, "%v", e.Err)
	}
	return nil
}

// count reads the number of elements of size bytes that follow; another than
// want is an error unless that is -1, and so are more than there are bytes.
func (r *checkpoint) count(size, want int) int {
	n := r.U64()
	switch {
	case n > uint64(r.Left()/size):
		r.Fail(wire.ErrCount)
		return 0
	case want >= 0 && n != uint64(want):
		r.Fail(errors.New("an array has another length than there are nodes"))
		return 0
	}
	return int(n)
}

func (r *checkpoint) skip(size int) { r.Bytes(size * r.count(size, -1)) }

// bytes reads an array of numbers of one byte.
func (r *checkpoint) bytes(n int) []byte { return r.Bytes(r.count(1, n)) }

// array reads an array of n elements of size bytes, -1 for any number.
func array[T any](r *checkpoint, size, n int, element func() T) []T {
	out := make([]T, r.count(size, n))
	for i := range out {
		out[i] = element()
	}
	return out
}

func (r *checkpoint) whole(n int) []int {
	return array(r, 4, n, func() int { return int(int32(r.U32())) })
}

// places reads places in another array; what is beyond any becomes the largest
// int.
func (r *checkpoint) places(n int) []int {
	return array(r, 8, n, func() int { return int(min(r.U64(), math.MaxInt)) })
}

// reals reads thresholds or leaves.
func (r *checkpoint) reals(n int) []float64 {
	if r.double {
		return array(r, 8, n, r.F64)
	}
	return array(r, 4, n, func() float64 { return float64(r.F32()) })
}

// noMore reads the number of optional fields, of which no release has any.
func (r *checkpoint) noMore() {
	if r.U32() != 0 {
		r.Fail(errors.New("optional fields"))
	}
}

// statistics reads an array of 8-byte numbers and which of them are there;
// either may be empty, for none.
func (r *checkpoint) statistics(element func() float64) (values []float64, there []byte) {
	return array(r, 8, -1, element), r.bytes(-1)
}

// operators of splits by their number.
var operators = [...]string{"none", "==", "<", "<=", ">", ">="}

// tree reads one tree.
func (r *checkpoint) tree(t *treelite, width int) ([]node, error) {
	at := r.Offset()
	n := int(int32(r.U32()))
	if n < 1 {
		return nil, t.malformed(at, "a tree of %d nodes", n)
	}
	r.U8() // whether there are splits on categories
	kind, left, right, feature, missingLeft := r.bytes(n), r.whole(n), r.whole(n), r.whole(n), r.bytes(n)
	leaf, threshold, op, inverse := r.reals(n), r.reals(n), r.bytes(n), r.bytes(n)
	vectors := r.reals(-1)
	vectorFrom, vectorTo := r.places(n), r.places(n)
	categories := array(r, 4, -1, func() float64 { return float64(r.U32()) })
	categoryFrom, categoryTo := r.places(n), r.places(n)
	rows, hasRows := r.statistics(func() float64 { return float64(r.U64()) })
	weight, hasWeight := r.statistics(r.F64)
	r.statistics(r.F64) // gain
	r.noMore()          // of the tree
	r.noMore()          // of its nodes
	if err := r.error(); err != nil {
		return nil, err
	}
	// Nodes that share vectors or categories would make more of them than there
	// are bytes.
	vectorsLeft, categoriesLeft := len(vectors), len(categories)
	out := make([]node, n)
	for i := range out {
		v := &out[i]
		v.feature = -1
		if i < min(len(rows), len(hasRows)) && hasRows[i] != 0 {
			v.cover = rows[i]
		}
		if i < min(len(weight), len(hasWeight)) && hasWeight[i] != 0 {
			v.cover = weight[i] // as XGBoost's own explanations weight
		}
		if kind[i] == 0 {
			switch from, to := vectorFrom[i], vectorTo[i]; {
			case from == to && width == 0:
				v.value = leaf[i]
			case from > to || to > len(vectors) || to-from != max(width, 1) || to-from > vectorsLeft:
				return nil, t.malformed(at, "leaf %d has values %d to %d of %d, want %d of its own", i, from, to, len(vectors), max(width, 1))
			default:
				v.value, v.vector = vectors[from], vectors[from:to]
				vectorsLeft -= to - from
			}
			continue
		}
		if feature[i] < 0 || feature[i] >= t.m.Source.Features {
			return nil, t.malformed(at, "node %d splits feature %d of %d", i, feature[i], t.m.Source.Features)
		}
		v.feature, v.left, v.right, v.missingLeft = int32(feature[i]), int32(left[i]), int32(right[i]), missingLeft[i] != 0
		switch {
		case kind[i] == 1 && int(op[i]) < len(operators):
			fail := func(what string) error { return t.unsupported(at, "node %d: %s", i, what) }
			if err := compare(v, operators[op[i]], threshold[i], t.m.Single, fail); err != nil {
				return nil, err
			}
		case kind[i] == 2 && categoryFrom[i] <= categoryTo[i] && categoryTo[i] <= len(categories) && categoryTo[i]-categoryFrom[i] <= categoriesLeft:
			categoriesLeft -= categoryTo[i] - categoryFrom[i]
			var err error
			if v.set, err = setOf(t.format, at, categories[categoryFrom[i]:categoryTo[i]]); err != nil {
				return nil, err
			}
			if inverse[i] != 0 {
				v.left, v.right, v.missingLeft = v.right, v.left, !v.missingLeft
			}
		default:
			return nil, t.malformed(at, "node %d is of kind %d with operator %d and categories %d to %d of %d", i, kind[i], op[i], categoryFrom[i], categoryTo[i], len(categories))
		}
	}
	return out, nil
}
