package tree

import (
	"fmt"
	"math/bits"

	"cloister/shared/wire"
)

// Oblivious trees are written in version 2. After base come
//
//	step f64, trees (varint), levels of each tree u8,
//
// and one range-coded stream: the layout, then tree by tree the test and rank
// of each level, the whole cover, from the root on how it parts at every
// node, and the values of the leaves that have any.

// appendEven appends what follows base to w and returns all of it.
func (e *Ensemble) appendEven(dst []byte, w *wire.Writer) ([]byte, error) {
	v := e.even
	w.F64(v.step)
	w.Count(len(v.levels))
	for _, d := range v.levels {
		w.U8(uint8(d))
	}
	f := newFormat(newWriter(), e)
	f.evenTrees()
	if f.err != nil {
		return dst, f.err // unreachable: New and Decode keep the rules
	}
	w.Bytes(f.coder.finish())
	return append(dst, w.Finish()...), nil
}

// decodeEven reads what follows base.
func decodeEven(r *wire.Reader, e *Ensemble) (*Ensemble, error) {
	step := r.F64()
	n := r.Count(1)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if n > MaxOblivious {
		return nil, &LimitError{"oblivious trees", MaxOblivious, n}
	}
	if n == 0 || !(step > 0 && step <= maxValue) {
		return nil, malformed("%d trees, step %g", n, step)
	}
	levels := make([]int, n)
	for t := range levels {
		if levels[t] = int(r.U8()); levels[t] > MaxLevels {
			return nil, malformed("tree %d has %d levels", t, levels[t])
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	var err error
	if e.even, err = newEven(levels, e.outputs, step); err != nil {
		return nil, err
	}
	f := newFormat(newReader(r.Bytes(r.Left())), e)
	f.evenTrees()
	if err := f.failure(); err != nil {
		return nil, err
	}
	if !f.done() {
		return nil, malformed("the coded part does not end where it should")
	}
	e.depth = e.even.depth
	return e, f.unused()
}

// evenModels are the statistics of covers and values.
type evenModels struct {
	side    [64]chance  // by bits of the cover that is parted
	less    [64]numbers // of the smaller part, likewise
	size    [evenSizes][4]numbers
	sign    [evenSizes][4]chance
	typical []int // by output: eight times the mean size of its last values
}

// evenSizes bounds bits.Len of a typical size, eight times a value.
const evenSizes = 18

// evenTrees codes layout and trees.
func (f *format) evenTrees() {
	e := f.e
	total := 0
	for _, d := range e.even.levels {
		total += d
	}
	f.layout(2 * total)
	if f.err == nil && f.reading {
		f.err = e.lay.assignNarrow()
	}
	if f.err != nil || f.broken {
		return
	}
	f.kindless()
	m := &evenModels{typical: make([]int, e.outputs)}
	for t := range e.even.levels {
		f.evenTests(t)
		f.evenCovers(m, t)
		f.evenValues(m, t)
		if f.failure() != nil {
			return
		}
		if f.reading {
			if err := e.even.sumCovers(t); err != nil {
				f.err = fmt.Errorf("%w: %w", ErrFormat, atTree(err, t))
				return
			}
		}
	}
}

// kindless is start without models of leaves.
func (f *format) kindless() {
	l := &f.e.lay
	f.testWidth = bits.Len(uint(max(len(l.tests), 1) - 1))
	f.used = make([]bool, len(l.tests))
	for i := range f.test {
		f.test[i] = make([]chance, 1<<f.testWidth)
	}
	for i := range l.numeric {
		f.ranks = append(f.ranks, newRanks(len(l.numeric[i].edges)))
	}
	if len(l.sets) > 0 {
		f.fail("an oblivious tree with categories")
	}
}

// evenTests codes the questions of tree t.
func (f *format) evenTests(t int) {
	e := f.e
	for level := range e.even.levels[t] {
		test, rank := 0, 0
		if !f.reading {
			q := e.even.tests[t*e.even.depth+level]
			c := e.lay.columns[q>>16]
			test, rank = c.test, c.piece*e.lay.span+int(q&0xff)
		}
		if test = f.symbol(f.test[level], nil, f.testWidth, test); test >= len(e.lay.tests) {
			f.fail("test %d", test)
		}
		if f.failure() != nil {
			return
		}
		f.used[test] = true
		i := e.lay.tests[test].numeric
		rank = f.rank(&f.ranks[i], 0, len(e.lay.numeric[i].edges), rank)
		if f.reading && !f.broken {
			e.setTest(t, level, test, rank)
		}
	}
}

// evenCovers codes the covers of tree t from its root down.
func (f *format) evenCovers(m *evenModels, t int) {
	c := f.e.even.cover[t<<evenShift : (t+1)<<evenShift]
	whole := f.number(&m.less[0], uint64(c[1]))
	if whole >= wholeLimit {
		f.fail("cover %d", whole)
		return
	}
	c[1] = float64(whole)
	for l := range f.e.even.levels[t] {
		for i := 1 << l; i < 2<<l; i++ {
			if c[i] == 0 {
				continue // and nothing below
			}
			n := uint64(c[i])
			left := uint64(c[i+1<<l])
			context := bits.Len64(n)
			b := 0
			if 2*left > n {
				b, left = 1, n-left
			}
			b = f.bit(&m.side[context], b)
			left = f.number(&m.less[context], left)
			if 2*left > n || b == 1 && 2*left == n {
				f.fail("cover %d of %d", left, n)
				return
			}
			if b == 1 {
				left = n - left
			}
			if f.reading {
				c[i+1<<l], c[i+2<<l] = float64(left), float64(n-left)
			}
		}
	}
}

// evenValues codes the values of the leaves of tree t that have a cover.
func (f *format) evenValues(m *evenModels, t int) {
	v := f.e.even
	d := v.levels[t]
	for leaf := range 1 << d {
		c := v.cover[t<<evenShift|1<<d+leaf]
		if c == 0 {
			continue
		}
		heavy := min(bits.Len64(uint64(c))/3, 3)
		for j := range m.typical {
			value := &v.leaf(j/evenWidth, t, leaf)[j%evenWidth]
			context := min(bits.Len(uint(m.typical[j])), evenSizes-1)
			p := int(*value)
			size := int(f.number(&m.size[context][heavy], uint64(max(p, -p))))
			if size > MaxStep {
				f.fail("value %d", size)
				return
			}
			if size > 0 {
				b := 0
				if p < 0 {
					b = 1
				}
				if b = f.bit(&m.sign[context][heavy], b); b == 1 {
					*value = int16(-size)
				} else {
					*value = int16(size)
				}
			}
			m.typical[j] += size - m.typical[j]/8
		}
		if f.failure() != nil {
			return
		}
	}
}
