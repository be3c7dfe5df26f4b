package tree

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// A builder appends trees to an ensemble whose layout is known.
type builder struct {
	e      *Ensemble
	vector interner
	scalar interner
	d      draft
	queue  []visit
}

// visit says which node of a draft becomes which node of the tree.
type visit struct{ from, depth int32 }

// A draft is one tree in any order in which children follow their parent,
// with its tests and leaf values already looked up.
type draft struct {
	output      int
	test        []int32 // -1 at a leaf
	rank        []int32
	left, right []int32
	cover       []float64 // read at leaves
	leaf        []uint32  // table offset, read at leaves; not for Isolation
}

func (d *draft) resize(n int) {
	if cap(d.test) < n {
		*d = draft{
			test: make([]int32, n), rank: make([]int32, n), left: make([]int32, n), right: make([]int32, n),
			cover: make([]float64, n), leaf: make([]uint32, n),
		}
	}
	d.test, d.rank, d.left, d.right = d.test[:n], d.rank[:n], d.left[:n], d.right[:n]
	d.cover, d.leaf = d.cover[:n], d.leaf[:n]
}

// newBuilder makes room for trees of nodes nodes altogether and of at most
// largest each.
func newBuilder(e *Ensemble, trees, nodes, largest int) (*builder, error) {
	if err := e.lay.assign(largest); err != nil {
		return nil, err
	}
	if e.lay.span == narrowSpan {
		// The kernels view a tree's nodes as an array of narrowNodes, which
		// needs no bounds checks; the tail lets the last tree be viewed so.
		e.narrow = make([]uint32, nodes, nodes+narrowNodes)
	} else {
		e.wide = make([]uint64, nodes)
	}
	e.leaf = make([]uint32, nodes)
	e.cover = make([]float64, nodes)
	e.root = append(make([]int, 0, trees+1), 0)
	e.output = make([]int32, 0, trees)
	return &builder{e: e, vector: newInterner(e.outputs), scalar: newInterner(1)}, nil
}

// addSource appends a checked source tree.
func (b *builder) addSource(t *SourceTree) error {
	e, d := b.e, &b.d
	n := len(t.Feature)
	width := leafWidth(e.outputs, t.Output)
	d.resize(n)
	d.output = t.Output
	for v, f := range t.Feature {
		d.test[v] = -1
		if f >= 0 {
			test, rank := e.lay.find(int(f), t.missingLeft(v), t.Threshold[v], t.category(v))
			d.test[v], d.rank[v] = int32(test), int32(rank)
			d.left[v], d.right[v] = t.Left[v], t.Right[v]
			continue
		}
		d.cover[v] = t.Cover[v]
		if e.kind == Isolation {
			continue
		}
		off, err := b.intern(t.Value[v*width : (v+1)*width])
		if err != nil {
			return atNode(err, v)
		}
		d.leaf[v] = off
	}
	return b.add()
}

func atNode(err error, v int) error {
	if _, ok := err.(*LimitError); ok {
		return err
	}
	return nodeError(v, "%v", err)
}

// intern checks leaf values and returns where the table holds them.
func (b *builder) intern(v []float64) (uint32, error) {
	if err := checkLeaf(b.e.kind, v); err != nil {
		return 0, err
	}
	in := &b.vector
	if len(v) != b.e.outputs {
		in = &b.scalar
	}
	return in.add(&b.e.table, v)
}

// add appends the draft, breadth first.
func (b *builder) add() error {
	e, d := b.e, &b.d
	start := e.root[len(e.root)-1]
	n := len(d.test)
	q := append(b.queue[:0], visit{0, 0})
	for p := 0; p < n; p++ {
		v, depth := q[p].from, q[p].depth
		if depth > MaxDepth {
			return &LimitError{"levels", MaxDepth, int(depth)}
		}
		if d.test[v] >= 0 {
			e.setInner(start+p, int(d.test[v]), int(d.rank[v]), len(q))
			q = append(q, visit{d.left[v], depth + 1}, visit{d.right[v], depth + 1})
			continue
		}
		if err := checkCover(e.kind, d.cover[v]); err != nil {
			return atNode(err, int(v))
		}
		off := d.leaf[v]
		if e.kind == Isolation {
			var err error
			h := float64(depth) + PathLength(int(d.cover[v]))
			if off, err = b.intern([]float64{h}); err != nil {
				return err
			}
		}
		e.setLeaf(start+p, p, off)
		e.cover[start+p] = d.cover[v]
	}
	b.queue = q
	for p := n - 1; p >= 0; p-- {
		if left, inner := e.child(start, start+p); inner {
			e.cover[start+p] = e.cover[left] + e.cover[left+1]
		}
	}
	if c := e.cover[start]; !(c > 0) || math.IsInf(c, 1) {
		return ensembleError("total cover %g, want more than 0 and finite", c)
	}
	e.root = append(e.root, start+n)
	e.depth = max(e.depth, int(q[n-1].depth)) // breadth first: the last is deepest
	if e.outputs == 1 {
		d.output = -1 // the same as 0
	}
	e.output = append(e.output, int32(d.output))
	return nil
}

// setInner writes the node at i: rows with a bin above the threshold take the
// second of the children at base and base+1 of the tree.
func (e *Ensemble) setInner(i, test, rank, base int) {
	col := e.lay.tests[test].column + rank/e.lay.span
	rank %= e.lay.span
	if e.narrow != nil {
		e.narrow[i] = uint32(rank) | uint32(col)<<8 | uint32(base)<<16
	} else {
		e.wide[i] = uint64(rank) | uint64(col)<<16 | uint64(base)<<32
	}
}

// setLeaf writes the leaf at i, node p of its tree: no bin is above its
// threshold, so a row that steps on stays.
func (e *Ensemble) setLeaf(i, p int, off uint32) {
	e.leaf[i] = off
	if e.narrow != nil {
		e.narrow[i] = narrowSpan | uint32(p)<<16
	} else {
		e.wide[i] = wideSpan | uint64(p)<<32
	}
}

// split returns the threshold within its column, the column and the first
// child relative to the root of node i, or inner == false.
func (e *Ensemble) split(i int) (threshold, col, base int, inner bool) {
	if e.narrow != nil {
		q := e.narrow[i]
		return int(q & 0xff), int(q >> 8 & 0xff), int(q >> 16), q&0xff != narrowSpan
	}
	q := e.wide[i]
	return int(q & 0xffff), int(q >> 16 & 0xffff), int(q >> 32), q&0xffff != wideSpan
}

// child returns the first child of node i of the tree at start.
func (e *Ensemble) child(start, i int) (int, bool) {
	_, _, base, inner := e.split(i)
	return start + base, inner
}

// An interner keeps one copy of each distinct leaf in a table.
type interner struct {
	width int
	used  int
	slots []uint32 // table offset + 1, 0 if free; a power of two of them
	seed  maphash.Seed
	key   []byte
}

func newInterner(width int) interner { return interner{width: width, seed: maphash.MakeSeed()} }

// add returns the offset of v in table, where it is appended if it is new.
func (in *interner) add(table *[]float64, v []float64) (uint32, error) {
	if 2*in.used >= len(in.slots) {
		in.grow(*table)
	}
	mask := uint64(len(in.slots) - 1)
	for h := in.hash(v) & mask; ; h = (h + 1) & mask {
		off := in.slots[h]
		if off == 0 {
			if len(*table)+in.width > MaxLeafValues {
				return 0, &LimitError{"leaf values", MaxLeafValues, len(*table) + in.width}
			}
			off = uint32(len(*table))
			in.slots[h] = off + 1
			in.used++
			for _, p := range v {
				*table = append(*table, noNegativeZero(p))
			}
			return off, nil
		}
		if equal((*table)[off-1:int(off)-1+in.width], v) {
			return off - 1, nil
		}
	}
}

func (in *interner) grow(table []float64) {
	old := in.slots
	in.slots = make([]uint32, max(16, 2*len(old)))
	mask := uint64(len(in.slots) - 1)
	for _, off := range old {
		if off == 0 {
			continue
		}
		h := in.hash(table[off-1:int(off)-1+in.width]) & mask
		for in.slots[h] != 0 {
			h = (h + 1) & mask
		}
		in.slots[h] = off
	}
}

// equal compares values that are not NaN; -0 equals +0.
func equal(a, b []float64) bool {
	for i, v := range a {
		if v != b[i] {
			return false
		}
	}
	return true
}

// hash mixes the bits of v; -0 and +0 hash alike. The seed is random, so that
// a file cannot be made to fill one slot; it decides nothing but slots.
func (in *interner) hash(v []float64) uint64 {
	in.key = in.key[:0]
	for _, p := range v {
		in.key = binary.LittleEndian.AppendUint64(in.key, math.Float64bits(noNegativeZero(p)))
	}
	return maphash.Bytes(in.seed, in.key)
}
