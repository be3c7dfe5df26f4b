package tree

import (
	"fmt"
	"slices"
	"sync"

	"cloister/shared/model"
)

// Predict fills dst, n×k row-major, with the scores of x, n×d row-major.
// Forest: the mean leaf vector, class probabilities that add up to 1 as
// exactly as the leaves do. Boosting and Oblivious: Link of the margin. Isolation: the
// anomaly score 2^(-E[h]/c(psi)) in (0,1), larger for stranger rows. NaN is
// missing and follows each split; infinities compare as numbers. It costs
// O(trees·depth + d·log thresholds) per row. A length that does not match is
// a [*model.ShapeError], and dst is as it was.
func (e *Ensemble) Predict(dst, x []float64) error {
	if err := e.Margin(dst, x); err != nil {
		return err
	}
	e.applyLink(dst)
	return nil
}

// Margin is Predict before the last step. Forest: the probabilities
// themselves. Boosting: Base plus the sum of leaf values. Oblivious: Base plus
// Step times the sum of leaf values, which is a whole number. Isolation:
// -E[h]/c(psi), the log2 of the anomaly score; times -PathLength(psi) it is
// the mean path length. Shapes and errors as for Predict.
func (e *Ensemble) Margin(dst, x []float64) error {
	n, err := model.Rows(dst, x, e.features, e.outputs)
	if err != nil {
		return err
	}
	clear(dst)
	if e.oblique != nil {
		e.scoreOblique(dst, x)
		return nil
	}
	if e.areAlone(n) {
		e.scoreAlone(dst, x, n)
		return nil
	}
	if e.even != nil {
		e.scoreEven(dst, x, n)
		return nil
	}
	if s := e.shallow(); n >= fewRows && s != nil {
		e.scoreShallow(dst, x, n, s)
	} else if n >= fewRows && e.isQuick() {
		e.scoreQuick(dst, x, nil, n)
	} else if e.narrow == nil {
		e.scoreWide(dst, n, func(bins []uint16, shift, r, m int) {
			bin(e, bins, shift, x[r*e.features:(r+m)*e.features])
		})
	} else if n < fewRows {
		for r := range n {
			e.scoreRow(dst[r*e.outputs:(r+1)*e.outputs], e.row(x, r))
		}
	} else {
		e.scoreNarrow(dst, x, n)
	}
	e.finish(dst)
	return nil
}

func (e *Ensemble) row(x []float64, r int) []float64 { return x[r*e.features : (r+1)*e.features] }

// Binned holds rows in the bins of one ensemble, for scoring and explaining
// the same rows without ranking them again. It is immutable.
type Binned struct {
	of     *Ensemble
	rows   int
	narrow []uint8 // rows of 1<<strideBits bins
	wide   []uint16
	plain  []float64 // the rows themselves, of an oblique ensemble
}

// Bin ranks the rows of x, n×d row-major. It allocates one byte (large
// ensembles: two) per row and bin column, columns padded to a power of two.
func (e *Ensemble) Bin(x []float64) (*Binned, error) {
	if len(x)%e.features != 0 {
		return nil, &model.ShapeError{What: "x", Got: len(x), Want: fmt.Sprintf("a multiple of %d", e.features)}
	}
	b := &Binned{of: e, rows: len(x) / e.features}
	if e.oblique != nil {
		b.plain, b.wide = slices.Clone(x), make([]uint16, b.rows)
		return b, nil
	}
	shift := e.lay.strideBits()
	if e.lay.span == narrowSpan {
		b.narrow = make([]uint8, b.rows<<shift, upTo(b.rows, turned)<<shift)
		bin(e, b.narrow, shift, x)
	} else {
		b.wide = make([]uint16, b.rows<<shift, upTo(b.rows, turned)<<shift)
		bin(e, b.wide, shift, x)
	}
	return b, nil
}

// Rows returns the number of rows.
func (b *Binned) Rows() int { return b.rows }

// Columns returns the number of bins per row.
func (e *Ensemble) Columns() int { return len(e.lay.columns) }

// Row fills dst with the bins of a row, one per column of the ensemble.
func (b *Binned) Row(dst []uint16, row int) {
	shift := b.of.lay.strideBits()
	dst = dst[:len(b.of.lay.columns)]
	if b.narrow == nil {
		copy(dst, b.wide[row<<shift:])
		return
	}
	for c, v := range b.narrow[row<<shift:][:len(dst)] {
		dst[c] = uint16(v)
	}
}

// Bytes returns the bins of all rows, stride apart, those of a row by column; nil
// if they do not fit in bytes. Read only.
func (b *Binned) Bytes() (bins []uint8, stride int) {
	return b.narrow, 1 << b.of.lay.strideBits()
}

// Of returns the ensemble that made b.
func (b *Binned) Of() *Ensemble { return b.of }

// PredictBinned fills dst, n×k, with the scores of b, with the bits of
// Predict. Bins of another ensemble are a [*model.ShapeError].
func (e *Ensemble) PredictBinned(dst []float64, b *Binned) error {
	if b.of != e {
		return &model.ShapeError{What: "bins", Got: len(b.of.lay.columns), Want: "the bins of this ensemble"}
	}
	if len(dst) != b.rows*e.outputs {
		return &model.ShapeError{What: "dst", Got: len(dst), Want: fmt.Sprint(b.rows * e.outputs)}
	}
	clear(dst)
	shift := e.lay.strideBits()
	if e.oblique != nil {
		e.scoreOblique(dst, b.plain)
		e.applyLink(dst)
		return nil
	}
	if e.even != nil {
		e.scoreEvenBinned(dst, b.narrow, b.rows)
		e.applyLink(dst)
		return nil
	}
	if b.rows >= fewRows && e.isQuick() {
		e.scoreQuick(dst, nil, b, b.rows)
	} else if e.narrow != nil {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		for r := 0; r < b.rows; r += blockRows {
			m := min(blockRows, b.rows-r)
			e.scoreBlock(dst[r*e.outputs:(r+m)*e.outputs], b.narrow[r<<shift:(r+m)<<shift], m, s)
		}
	} else {
		e.scoreWide(dst, b.rows, func(bins []uint16, shift, r, m int) { copy(bins, b.wide[r<<shift:(r+m)<<shift]) })
	}
	e.finish(dst)
	e.applyLink(dst)
	return nil
}

const (
	// blockRows rows meet a tree together: large forests do not fit in the
	// cache, and a block streams their nodes once.
	blockRows = 4096
	// walkRoom is what Kernel.Walk8 needs after its list.
	walkRoom = 16
	// fewRows is where going row by row is faster than a block.
	fewRows = 16
)

// scratch is what a block of rows needs.
type scratch struct {
	bins   []uint8
	active [blockRows + walkRoom]uint32 // row<<16 | node
	at     [blockRows]uint16            // node where a row has got to
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// scoreNarrow adds up leaf values over blocks of rows.
func (e *Ensemble) scoreNarrow(dst, x []float64, n int) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	shift := e.lay.strideBits()
	if need := min(n, blockRows) << shift; len(s.bins) < need {
		s.bins = make([]uint8, need)
	}
	for r := 0; r < n; r += blockRows {
		m := min(blockRows, n-r)
		bin(e, s.bins[:m<<shift], shift, x[r*e.features:(r+m)*e.features])
		e.scoreBlock(dst[r*e.outputs:(r+m)*e.outputs], s.bins[:m<<shift], m, s)
	}
}

// scoreBlock runs m rows through all trees. Per tree it keeps a list of the
// rows that have not reached a leaf: depths differ so much that rows in
// lockstep would mostly wait.
func (e *Ensemble) scoreBlock(dst []float64, bins []uint8, m int, s *scratch) {
	shift := uint(e.lay.strideBits())
	for t := range e.output {
		start := e.root[t]
		if loops != nil && loops.Walk8 != nil {
			loops.Walk8(e.narrow[start:e.root[t+1]], bins, int(shift), m, s.active[:], s.at[:])
			e.addLeaves(dst, t, m, s)
			continue
		}
		nodes := (*[narrowNodes]uint32)(e.narrow[start : start+narrowNodes : cap(e.narrow)])
		left := firstPass(nodes, bins, shift, m, s)
		for left > 0 {
			left = pass(nodes, bins, shift, left, s)
		}
		e.addLeaves(dst, t, m, s)
	}
}

// step returns the node after q for a row whose bins start at row; (t-v)>>31
// is 1 if the bin v is above the threshold t.
func step(q uint32, bins []uint8, row uint32) uint16 {
	v := uint32(bins[row+q>>8&0xff])
	return uint16(q>>16 + (q&0xff-v)>>31)
}

// firstPass takes rows 0..m-1 four steps down from the root and lists those
// that are not at a leaf; a leaf's step stays.
func firstPass(nodes *[narrowNodes]uint32, bins []uint8, shift uint, m int, s *scratch) int {
	root := nodes[0]
	left := 0
	for r := range m {
		row := uint32(r) << (shift & 31)
		i := step(root, bins, row)
		i = step(nodes[i], bins, row)
		i = step(nodes[i], bins, row)
		i = step(nodes[i], bins, row)
		s.at[r&(blockRows-1)] = i
		s.active[left&(blockRows-1)] = uint32(r)<<16 | uint32(i)
		left += notLeaf(nodes[i])
	}
	return left
}

// pass takes the listed rows two steps down and keeps those that go on.
func pass(nodes *[narrowNodes]uint32, bins []uint8, shift uint, m int, s *scratch) int {
	left := 0
	for k := range m {
		a := s.active[k&(blockRows-1)]
		row := a >> 16 << (shift & 31)
		i := step(nodes[uint16(a)], bins, row)
		i = step(nodes[i], bins, row)
		s.at[a>>16&(blockRows-1)] = i
		s.active[left&(blockRows-1)] = a&^0xffff | uint32(i)
		left += notLeaf(nodes[i])
	}
	return left
}

// notLeaf returns 1 for an inner node, 0 for a leaf, without a branch.
func notLeaf(q uint32) int { return int((q&0xff - narrowSpan) >> 31) }

// addLeaves adds the leaves that m rows have reached in tree t.
func (e *Ensemble) addLeaves(dst []float64, t, m int, s *scratch) {
	leaf := e.leaf[e.root[t]:e.root[t+1]]
	k := e.outputs
	if loops != nil && loops.Leaves8 != nil {
		o, values := e.addsTo(t)
		loops.Leaves8(dst[o:], k, leaf, e.table, s.at[:], m, values)
		return
	}
	if o := int(e.output[t]); o >= 0 || k == 1 {
		for r, j := 0, max(o, 0); r < m; r, j = r+1, j+k {
			dst[j] += e.table[leaf[s.at[r&(blockRows-1)]]]
		}
		return
	}
	for r := range m {
		off := int(leaf[s.at[r&(blockRows-1)]])
		v := e.table[off : off+k]
		d := dst[r*k:][:len(v)]
		for j, p := range v {
			d[j] += p
		}
	}
}

// addsTo returns the output that leaves of tree t begin to add to, and how many
// values they have.
func (e *Ensemble) addsTo(t int) (output, values int) {
	if o := int(e.output[t]); o >= 0 {
		return o, 1
	}
	return 0, e.outputs
}

// addLeaf adds the leaf at node i, in tree t, to one row's sums.
func (e *Ensemble) addLeaf(dst []float64, t, i int) {
	off := int(e.leaf[i])
	if o := e.output[t]; o >= 0 {
		dst[o] += e.table[off]
		return
	}
	for j, p := range e.table[off : off+len(dst)] {
		dst[j] += p
	}
}

// scoreRow runs one row through a narrow ensemble, four trees abreast, so
// that their cache misses overlap.
func (e *Ensemble) scoreRow(dst, x []float64) {
	var buf [narrowColumns]uint8
	bin(e, buf[:], e.lay.strideBits(), x)
	t := 0
	for ; t+4 <= len(e.output); t += 4 {
		o := (*[5]int)(e.root[t : t+5])
		a, b, c, d := e.narrow[o[0]:o[1]], e.narrow[o[1]:o[2]], e.narrow[o[2]:o[3]], e.narrow[o[3]:o[4]]
		qa, qb, qc, qd := a[0], b[0], c[0], d[0]
		for qa&qb&qc&qd&0xff != narrowSpan {
			qa, qb = a[stepRow(qa, &buf)], b[stepRow(qb, &buf)]
			qc, qd = c[stepRow(qc, &buf)], d[stepRow(qd, &buf)]
		}
		e.addLeaf(dst, t, o[0]+int(qa>>16))
		e.addLeaf(dst, t+1, o[1]+int(qb>>16))
		e.addLeaf(dst, t+2, o[2]+int(qc>>16))
		e.addLeaf(dst, t+3, o[3]+int(qd>>16))
	}
	for ; t < len(e.output); t++ {
		nodes := e.narrow[e.root[t]:e.root[t+1]]
		q := nodes[0]
		for q&0xff != narrowSpan {
			q = nodes[stepRow(q, &buf)]
		}
		e.addLeaf(dst, t, e.root[t]+int(q>>16))
	}
}

func stepRow(q uint32, bins *[narrowColumns]uint8) uint32 {
	return q>>16 + (q&0xff-uint32(bins[uint8(q>>8)]))>>31
}

// wideBins bounds the bins of a block of a wide ensemble: 256 KB of them stay in
// the second-level cache beside a tree.
const wideBins = 1 << 17

// scoreWide is scoreNarrow for eight-byte nodes. load fills the bins of m rows
// from r on.
func (e *Ensemble) scoreWide(dst []float64, n int, load func(bins []uint16, shift, r, m int)) {
	shift := e.lay.strideBits()
	// Twice those of scoreQuick: a deep forest that streams through a cache which
	// others use, too, costs more than bins that do not stay in it.
	block := min(n, blockRows, max(1, 2*wideBins>>shift))
	bins := make([]uint16, block<<shift)
	s := wideScratches.Get().(*wideScratch)
	defer wideScratches.Put(s)
	for r := 0; r < n; r += block {
		m := min(block, n-r)
		load(bins[:m<<shift], shift, r, m)
		for t := range e.output {
			nodes := e.wide[e.root[t]:e.root[t+1]]
			if loops != nil && loops.Walk8 != nil {
				loops.Walk16(nodes, bins, shift, m, s.active[:], s.at[:])
				o, values := e.addsTo(t)
				loops.Leaves16(dst[r*e.outputs+o:], e.outputs, e.leaf[e.root[t]:e.root[t+1]], e.table, s.at[:], m, values)
				continue
			}
			left := firstPassWide(nodes, bins, uint(shift), m, s)
			for left > 0 {
				left = passWide(nodes, bins, uint(shift), left, s)
			}
			for i := range m {
				e.addLeaf(dst[(r+i)*e.outputs:(r+i+1)*e.outputs], t, e.root[t]+int(s.at[i&(blockRows-1)]))
			}
		}
	}
}

// wideScratch is what a block of rows of a wide ensemble needs.
type wideScratch struct {
	active [blockRows]uint64 // row<<32 | node
	at     [blockRows]uint32 // node where a row has got to
}

var wideScratches = sync.Pool{New: func() any { return new(wideScratch) }}

// stepWide is step for wide nodes.
func stepWide(q uint64, bins []uint16, row uint32) uint32 {
	v := uint64(bins[row+uint32(q>>16&0xffff)])
	return uint32(q>>32 + (q&0xffff-v)>>63)
}

// firstPassWide is firstPass for wide nodes.
func firstPassWide(nodes []uint64, bins []uint16, shift uint, m int, s *wideScratch) int {
	root := nodes[0]
	left := 0
	for r := range m {
		row := uint32(r) << (shift & 31)
		i := stepWide(root, bins, row)
		i = stepWide(nodes[i], bins, row)
		i = stepWide(nodes[i], bins, row)
		i = stepWide(nodes[i], bins, row)
		s.at[r&(blockRows-1)] = i
		s.active[left&(blockRows-1)] = uint64(r)<<32 | uint64(i)
		left += int((nodes[i]&0xffff - wideSpan) >> 63)
	}
	return left
}

// passWide is pass for wide nodes.
func passWide(nodes []uint64, bins []uint16, shift uint, m int, s *wideScratch) int {
	left := 0
	for k := range m {
		a := s.active[k&(blockRows-1)]
		row := uint32(a>>32) << (shift & 31)
		i := stepWide(nodes[uint32(a)], bins, row)
		i = stepWide(nodes[i], bins, row)
		s.at[a>>32&(blockRows-1)] = i
		s.active[left&(blockRows-1)] = a&^0xffffffff | uint64(i)
		left += int((nodes[i]&0xffff - wideSpan) >> 63)
	}
	return left
}
