package tree

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// ErrFormat means that bytes are not an encoding that AppendBinary writes.
// Errors of Decode wrap it, a [*LimitError] or an error of package wire.
var ErrFormat = errors.New("not a canonical encoding of trees")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// A format codes what follows the header, in either direction: the layout,
// then tree by tree, node by node in depth-first order, the test, the rank
// inside the interval that the ancestors left, cover and leaf.
type format struct {
	*coder
	e             *Ensemble
	b             *builder // reading
	cover         int
	leaf          int
	second, third bool // version 2, version 3

	inner        [32][3]chance // version 3: by depth and what is left of a node
	testWidth    int
	test         [16][]chance // by depth
	testSpecial  contexts     // by depth and test above
	used         []bool       // by test
	outside      chance
	ranks        []ranks // by numeric feature
	uses         []uses  // version 3: in place of ranks
	fresh        [16 * 16]chance
	low, high    []int // interval left by the ancestors
	whole        [18]numbers
	real         *floats
	leafWidth    int
	class        contexts // by sibling, and bits of the cover
	classSpecial contexts // by sibling and test above
	present      []chance
	counts       [16]numbers // by bits of the cover to be shared
	buffer       []float64   // values of a leaf
	pure         []uint32    // reading, by class: 1 + offset of a leaf of it alone
	rows         []float64   // by class, of a leaf
	leafValue    *floats
	vectors      seen
	scalars      seen

	err error
}

// contexts is a bounded family of symbol models.
type contexts struct {
	width, n int
	models   []chance
}

// contextModels bounds the models of one family: 1 MB.
const contextModels = 1 << 18

func newContexts(want, width int) contexts {
	n := max(1, min(want, contextModels>>width))
	return contexts{width, n, make([]chance, n<<width)}
}

func (c *contexts) at(i int) []chance {
	i %= c.n
	return c.models[i<<c.width : (i+1)<<c.width]
}

// seen numbers the leaves of one width in order of appearance.
type seen struct {
	offsets []uint32
	number  map[uint32]int // writing
}

func newFormat(c *coder, e *Ensemble) *format {
	f := &format{coder: c, e: e, real: new(floats), leafValue: new(floats)}
	f.vectors.number = map[uint32]int{}
	f.scalars.number = map[uint32]int{}
	return f
}

func (f *format) fail(format string, args ...any) {
	if f.err == nil {
		f.err = malformed(format, args...)
	}
}

// start sizes the models once the layout is known.
func (f *format) start() {
	l := &f.e.lay
	f.testWidth = bits.Len(uint(max(len(l.tests), 1) - 1))
	f.used = make([]bool, len(l.tests))
	for i := range f.test {
		f.test[i] = make([]chance, 1<<f.testWidth)
	}
	f.testSpecial = newContexts(len(f.test)*(len(l.tests)+1), f.testWidth)
	for i := range l.numeric {
		n := len(l.numeric[i].edges)
		if f.third {
			f.uses = append(f.uses, newUses(n))
		} else {
			f.ranks = append(f.ranks, newRanks(n))
		}
		f.low = append(f.low, 0)
		f.high = append(f.high, n)
	}
	k := f.e.outputs
	if f.leaf == leafCounts || f.leaf == leafWeighted {
		f.leafWidth = bits.Len(uint(2*k - 1))
		f.class = newContexts(4*(2*k+2), f.leafWidth)
		f.classSpecial = newContexts((2*k+2)*(len(l.tests)+1), f.leafWidth)
		f.present = make([]chance, 3*k)
		f.buffer, f.rows, f.pure = make([]float64, k), make([]float64, k), make([]uint32, k)
	} else if f.e.kind != Isolation {
		f.leafWidth = 6
		f.class = newContexts(4*(64+2), f.leafWidth)
		f.classSpecial = newContexts((64+2)*(len(l.tests)+1), f.leafWidth)
	}
}

// sibling is what a left child tells its right sibling.
type sibling struct {
	leaf  int // 0 for none, 1 for an inner node, else 2 + leaf symbol
	cover int // 0, or bits of a leaf's whole cover
}

// node codes node v of a draft whose shape (test < 0, left, right) is known.
func (f *format) node(d *draft, v int32, depth, above int, left sibling) sibling {
	if f.err != nil {
		return sibling{}
	}
	if d.test[v] < 0 {
		return f.leafNode(d, v, depth, above, left)
	}
	context := min(depth, len(f.test)-1)
	narrow := above
	if !f.third {
		narrow += context * (len(f.e.lay.tests) + 1)
	}
	special := f.testSpecial.at(narrow)
	t := f.symbol(f.test[context], special, f.testWidth, int(d.test[v]))
	if t >= len(f.e.lay.tests) {
		f.fail("test %d", t)
		return sibling{}
	}
	d.test[v] = int32(t)
	f.used[t] = true
	i := f.e.lay.tests[t].numeric
	if i < 0 {
		d.rank[v] = 0
		s := f.node(d, d.left[v], depth+1, t+1, sibling{})
		f.node(d, d.right[v], depth+1, t+1, s)
		return sibling{leaf: 1}
	}
	low, high := f.low[i], f.high[i]
	r := f.splitRank(i, int(d.rank[v]))
	d.rank[v] = int32(r)
	f.high[i] = max(min(high, r), low)
	s := f.node(d, d.left[v], depth+1, t+1, sibling{})
	f.high[i] = high
	f.low[i] = min(max(low, r+1), high)
	f.node(d, d.right[v], depth+1, t+1, s)
	f.low[i] = low
	return sibling{leaf: 1}
}

// splitRank codes a rank of numeric feature i. Only a split that repeats what
// an ancestor decided lies outside the interval.
func (f *format) splitRank(i, r int) int {
	low, high := f.low[i], f.high[i]
	outside := 0
	if r < low || r >= high {
		outside = 1
	}
	if outside = f.bit(&f.outside, outside); outside == 0 {
		if low == high {
			f.fail("rank in an empty interval")
			return 0
		}
		return f.rankIn(i, low, high, r)
	}
	r = f.rankIn(i, 0, len(f.e.lay.numeric[i].edges), r)
	if r >= low && r < high {
		f.fail("rank %d is not outside", r)
	}
	return r
}

// rankIn codes a rank of numeric feature i, low <= r < high.
func (f *format) rankIn(i, low, high, r int) int {
	if f.third {
		return f.use(&f.uses[i], &f.fresh, low, high, r)
	}
	return f.rank(&f.ranks[i], low, high, r)
}

// leafNode codes a leaf.
func (f *format) leafNode(d *draft, v int32, depth, above int, left sibling) sibling {
	var s sibling
	if f.leaf == leafWeighted && !f.reading {
		f.toCounts(d, v)
	}
	switch f.cover {
	case coverWhole:
		context := min(depth, 5)
		if left.cover > 0 {
			context = 5 + min(left.cover, 12)
		}
		code := f.number
		if f.third {
			code = f.shortNumber
		}
		c := code(&f.whole[context], uint64(d.cover[v]))
		if c >= wholeLimit {
			f.fail("cover %d", c)
			return s
		}
		d.cover[v] = float64(c)
		s.cover = bits.Len64(c)
	default:
		c := f.float(f.real, f.cover == coverSingle, d.cover[v])
		if !(c >= 0) || math.IsInf(c, 1) || math.Signbit(c) {
			f.fail("cover %g", c)
			return s
		}
		d.cover[v] = c
	}
	if f.e.kind == Isolation {
		return s
	}
	context := left.leaf
	if f.third {
		context = context<<2 | min(bits.Len64(uint64(d.cover[v])), 3)
	}
	general, special := f.class.at(context), f.classSpecial.at(left.leaf*(len(f.e.lay.tests)+1)+above)
	switch f.leaf {
	case leafCounts, leafWeighted:
		if f.leaf == leafCounts && !f.reading {
			copy(f.buffer, f.e.table[d.leaf[v]:])
		}
		symbol := f.countLeaf(d.cover[v], general, special)
		if s.leaf = 2 + symbol; f.reading && f.err == nil {
			f.countedLeaf(d, v, symbol)
		}
	default:
		s.leaf = 2 + f.tableLeaf(d, v, general, special)
	}
	return s
}

// toCounts makes buffer the shares of a leaf's rows by class, without weights,
// and the leaf's cover the number of rows.
func (f *format) toCounts(d *draft, v int32) {
	k := f.e.outputs
	countsOf(f.rows, f.e.table[d.leaf[v]:][:k], d.cover[v], f.e.weights)
	n := 0.0
	for _, r := range f.rows {
		n += r
	}
	for j, r := range f.rows {
		f.buffer[j] = r / n
	}
	d.cover[v] = n
}

// countedLeaf keeps the values of a leaf that was read: the shares in buffer.
func (f *format) countedLeaf(d *draft, v int32, symbol int) {
	if symbol >= f.e.outputs {
		f.mixedValues(d, v)
		return
	}
	if d.cover[v] == 0 {
		f.fail("a leaf without rows")
		return
	}
	if f.leaf == leafWeighted {
		d.cover[v] *= f.e.weights[symbol]
	}
	if f.pure[symbol] == 0 {
		f.keep(d, v, f.buffer)
		f.pure[symbol] = d.leaf[v] + 1
	}
	d.leaf[v] = f.pure[symbol] - 1
}

// mixedValues keeps a leaf of several classes.
func (f *format) mixedValues(d *draft, v int32) {
	if f.leaf == leafWeighted {
		f.fromCounts(d, v)
		return
	}
	f.keep(d, v, f.buffer)
}

// fromCounts is the inverse of toCounts, for a leaf that was read.
func (f *format) fromCounts(d *draft, v int32) {
	for j, p := range f.buffer {
		f.rows[j] = math.Round(p * d.cover[v])
	}
	cover := valuesOf(f.buffer, f.rows, f.e.weights)
	if !countsOf(f.rows, f.buffer, cover, f.e.weights) {
		f.fail("class weights do not give these leaves")
		return
	}
	d.cover[v] = cover
	f.keep(d, v, f.buffer)
}

// countLeaf codes the distribution in buffer as whole counts that add up to
// the cover. The symbol is the class of a pure leaf, or Outputs plus the most
// frequent class (the first of equals), whose count is what the others leave.
func (f *format) countLeaf(cover float64, general, special []chance) int {
	k := f.e.outputs
	values := f.buffer[:k]
	symbol := 0
	if f.reading {
		clear(values)
	} else {
		for j, p := range values {
			if p > values[symbol] {
				symbol = j
			}
		}
		if values[symbol] != 1 {
			symbol += k
		}
	}
	symbol = f.symbol(general, special, f.leafWidth, symbol)
	switch {
	case symbol >= 2*k:
		f.fail("leaf symbol %d", symbol)
		return 0
	case symbol >= k:
		f.mixedLeaf(values, symbol-k, cover)
	default:
		values[symbol] = 1
	}
	return symbol
}

// mixedLeaf codes which classes occur besides the most frequent one, then
// their counts.
func (f *format) mixedLeaf(values []float64, most int, cover float64) {
	occurs := 1
	for j := range values {
		if j == most {
			continue
		}
		b := 0
		if values[j] != 0 {
			b = 1
		}
		if len(values) > 2 {
			b = f.costlyBit(&f.present[3*j+min(occurs, 3)-1], b)
		} else {
			b = 1
		}
		if f.reading {
			values[j] = float64(b)
		}
		occurs += b
	}
	slack := int64(cover) - int64(occurs) // what the counts have above 1
	if occurs < 2 || slack < 0 {
		f.fail("%d classes share a cover of %g", occurs, cover)
		return
	}
	for j, p := range values {
		if p == 0 || j == most {
			continue
		}
		extra := uint64(0)
		if slack > 0 {
			code := f.number
			if f.third {
				code = f.shortNumber
			}
			extra = code(&f.counts[min(bits.Len64(uint64(slack)), len(f.counts))-1], uint64(math.Round(p*cover))-1)
			if extra > uint64(slack) {
				f.fail("count %d above the cover", extra)
				return
			}
		}
		slack -= int64(extra)
		if f.reading {
			values[j] = float64(1+extra) / cover
		}
	}
	if f.reading {
		values[most] = float64(1+slack) / cover
		for j, p := range values {
			if p > values[most] || p == values[most] && j < most {
				f.fail("class %d is not the first of the most frequent", most)
			}
		}
	}
}

// costlyBit is bit at a price of at least a fifth of a bit, which bounds how
// large a table a short input can ask for.
func (f *format) costlyBit(m *chance, b int) int {
	if m.p != 0 {
		m.p = min(max(m.p, 1<<13), 1<<16-1<<13)
	}
	return f.bit(m, b)
}

// keep interns values that were read, and says whether they are new.
func (f *format) keep(d *draft, v int32, values []float64) (isNew bool) {
	before := len(f.e.table)
	off, err := f.b.intern(values)
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	d.leaf[v] = off
	return len(f.e.table) > before
}

// Leaf symbols of the table modes: the first leaves by number, then these.
const (
	newLeaf   = 62 // the next number; its values follow
	olderLeaf = 63 // a number from newLeaf on follows
)

// tableLeaf codes a leaf by its number in order of first appearance.
func (f *format) tableLeaf(d *draft, v int32, general, special []chance) int {
	k := leafWidth(f.e.outputs, d.output)
	known := &f.vectors
	if k != f.e.outputs {
		known = &f.scalars
	}
	n := len(known.offsets)
	number, symbol := n, 0
	if !f.reading {
		if i, ok := known.number[d.leaf[v]]; ok {
			number = i
		}
		symbol = min(number, olderLeaf)
		if number == n {
			symbol = newLeaf
		} else if number >= newLeaf {
			symbol = olderLeaf
		}
	}
	symbol = f.symbol(general, special, f.leafWidth, symbol)
	switch {
	case symbol == newLeaf:
		f.newLeaf(d, v, k, known)
		return symbol
	case symbol == olderLeaf:
		if n <= newLeaf {
			f.fail("leaf number out of %d", n)
			return 0
		}
		unit, point := f.target(uint64(n - newLeaf))
		if !f.reading {
			point = uint64(number - newLeaf)
		}
		f.narrow(unit*point, unit)
		number = newLeaf + int(point)
	default:
		number = symbol
	}
	if number >= n {
		f.fail("leaf %d of %d", number, n)
		return 0
	}
	d.leaf[v] = known.offsets[number]
	return symbol
}

// newLeaf codes k values that appear for the first time.
func (f *format) newLeaf(d *draft, v int32, k int, known *seen) {
	var values []float64
	if f.reading {
		values = make([]float64, k)
	} else {
		values = f.e.table[d.leaf[v]:][:k]
	}
	for j, p := range values {
		p = f.float(f.leafValue, f.leaf == leafSingle, p)
		if p == 0 && math.Signbit(p) {
			f.fail("a leaf value is -0")
		}
		if f.reading {
			values[j] = p
		}
	}
	if f.reading {
		if !f.keep(d, v, values) {
			f.fail("leaf %d repeats another", len(known.offsets))
		}
	} else {
		known.number[d.leaf[v]] = len(known.offsets)
	}
	known.offsets = append(known.offsets, d.leaf[v])
}
