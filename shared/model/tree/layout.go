package tree

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// A layout says how a row becomes bins. Each split is a test: numeric tests
// compare the rank of x among a feature's edges, set tests ask for membership.
// A numeric feature has one test for splits that send NaN right and one for
// those that send it left, because a bin alone then decides the branch: NaN
// takes the highest rank in the one and the lowest in the other. A test takes
// as many columns of bins as its ranks need at span ranks per column.
type layout struct {
	numeric []numeric // by feature
	sets    []set     // by feature, direction, bits
	tests   []test    // numeric ones in order, right before left; then sets
	columns []column
	span    int // thresholds per column: 255 (uint8 bins) or 65535 (uint16)
}

type numeric struct {
	feature     int
	edges       []float64 // ascending, distinct, no -0
	keys        []uint64  // padded
	right, left int       // test of each missing direction, -1 if unused
}

type set struct {
	feature     int
	missingLeft bool
	bits        []uint64 // last word not 0, or empty
}

type test struct {
	feature int
	numeric int // index in numeric, -1 for a set
	set     int // index in sets, -1 for a numeric test
	column  int // first column
}

type column struct {
	test  int
	piece int // ranks piece*span .. of the test
}

const (
	narrowSpan    = math.MaxUint8  // bins 0..255; 255 as threshold marks a leaf
	wideSpan      = math.MaxUint16 // bins 0..65535, likewise
	narrowColumns = 1 << 8
	narrowNodes   = 1 << 16 // per tree
)

// orderedKey maps floats to whole numbers of the same order. -0 and +0
// differ, but no edge is -0, so both have the same rank. NaN has no meaning.
func orderedKey(v float64) uint64 {
	b := math.Float64bits(v)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

func floatFromKey(k uint64) float64 {
	return math.Float64frombits(k ^ (uint64(int64(^k)>>63) | 1<<63))
}

// padded returns the keys of edges, filled up to a power of two, at least one
// more than the edges, with a key that no number is above.
func padded(edges []float64) []uint64 {
	keys := make([]uint64, 1<<bits.Len(uint(len(edges))))
	for i := range keys {
		keys[i] = math.MaxUint64
		if i < len(edges) {
			keys[i] = orderedKey(edges[i])
		}
	}
	return keys
}

// rank returns how many padded keys are below key. It does not branch on the
// data: every other branch would be mispredicted.
func rank(keys []uint64, key uint64) int {
	i := 0
	for half := len(keys) >> 1; half > 0; half >>= 1 {
		i += half & below(keys[i+half-1], key)
	}
	return i
}

// rank4 is rank of four keys, whose searches overlap.
func rank4(keys []uint64, k *[4]uint64) (a, b, c, d int) {
	for half := len(keys) >> 1; half > 0; half >>= 1 {
		row := keys[half-1:]
		a += half & below(row[a], k[0])
		b += half & below(row[b], k[1])
		c += half & below(row[c], k[2])
		d += half & below(row[d], k[3])
	}
	return a, b, c, d
}

// below returns -1, all ones, if a < b, else 0; compilers make it a set
// instruction.
func below(a, b uint64) int {
	less := 0
	if a < b {
		less = 1
	}
	return -less
}

// trimmed returns s without zero words at its end, not copied.
func trimmed(s []uint64) []uint64 {
	for len(s) > 0 && s[len(s)-1] == 0 {
		s = s[:len(s)-1]
	}
	return s
}

func compareSets(a, b set) int {
	if c := cmp.Compare(a.feature, b.feature); c != 0 {
		return c
	}
	if a.missingLeft != b.missingLeft {
		if b.missingLeft {
			return -1
		}
		return 1
	}
	return slices.Compare(a.bits, b.bits)
}

func noNegativeZero(v float64) float64 {
	if v == 0 {
		return 0
	}
	return v
}

// layoutOf collects the edges and sets of a checked source.
func layoutOf(src *Source) (layout, error) {
	edges := make([][]float64, src.Features)
	var right, left = make([]bool, src.Features), make([]bool, src.Features)
	var l layout
	for i := range src.Trees {
		t := &src.Trees[i]
		for v, f := range t.Feature {
			if f < 0 {
				continue
			}
			missingLeft := t.missingLeft(v)
			if bits := t.category(v); bits != nil {
				l.sets = append(l.sets, set{int(f), missingLeft, slices.Clone(trimmed(bits))})
				continue
			}
			edges[f] = append(edges[f], noNegativeZero(t.Threshold[v]))
			right[f] = right[f] || !missingLeft
			left[f] = left[f] || missingLeft
		}
	}
	slices.SortFunc(l.sets, compareSets)
	l.sets = slices.CompactFunc(l.sets, func(a, b set) bool { return compareSets(a, b) == 0 })
	for f, e := range edges {
		if len(e) == 0 {
			continue
		}
		slices.Sort(e)
		e = slices.Clip(slices.Compact(e))
		n := numeric{feature: f, edges: e, right: -1, left: -1}
		if right[f] {
			n.right = 0
		}
		if left[f] {
			n.left = 0
		}
		l.numeric = append(l.numeric, n)
	}
	return l, l.number()
}

// number fills tests and keys from numeric and sets; a numeric direction in
// use has any test number but -1.
func (l *layout) number() error {
	add := func(feature, numeric, set int) int {
		l.tests = append(l.tests, test{feature, numeric, set, 0})
		return len(l.tests) - 1
	}
	for i := range l.numeric {
		n := &l.numeric[i]
		if len(n.edges) > MaxThresholds {
			return &LimitError{"thresholds of a feature", MaxThresholds, len(n.edges)}
		}
		if n.right >= 0 {
			n.right = add(n.feature, i, -1)
		}
		if n.left >= 0 {
			n.left = add(n.feature, i, -1)
		}
		n.keys = padded(n.edges)
	}
	for i := range l.sets {
		add(l.sets[i].feature, -1, i)
	}
	return nil
}

// thresholds returns how many thresholds test t tells apart.
func (l *layout) thresholds(t int) int {
	if n := l.tests[t].numeric; n >= 0 {
		return len(l.numeric[n].edges)
	}
	return 1
}

// assign gives the tests their columns; narrow if they and trees of at most
// largest nodes allow it.
func (l *layout) assign(largest int) error {
	l.span = narrowSpan
	if l.width() > narrowColumns || largest > narrowNodes {
		l.span = wideSpan
	}
	if w := l.width(); w > MaxColumns {
		return &LimitError{"bin columns", MaxColumns, w}
	}
	for i := range l.tests {
		l.tests[i].column = len(l.columns)
		for p := range l.pieces(i) {
			l.columns = append(l.columns, column{i, p})
		}
	}
	return nil
}

func (l *layout) pieces(t int) int { return (l.thresholds(t) + l.span - 1) / l.span }

func (l *layout) width() int {
	w := 0
	for i := range l.tests {
		w += l.pieces(i)
	}
	return w
}

// strideBits returns the bits of the bins per row: the columns, padded to a
// power of two, at least eight, as the kernels turn rows into columns by eight.
func (l *layout) strideBits() int {
	return bits.Len(uint(max(len(l.columns), 8) - 1))
}

// find returns the test and the rank of a split.
func (l *layout) find(feature int, missingLeft bool, threshold float64, category []uint64) (int, int) {
	if category != nil {
		i, _ := slices.BinarySearchFunc(l.sets, set{feature, missingLeft, trimmed(category)}, compareSets)
		return len(l.tests) - len(l.sets) + i, 0
	}
	i, _ := slices.BinarySearchFunc(l.numeric, feature, func(n numeric, f int) int { return cmp.Compare(n.feature, f) })
	n := &l.numeric[i]
	r := rank(n.keys, orderedKey(noNegativeZero(threshold)))
	if missingLeft {
		return n.left, r
	}
	return n.right, r
}

// chunkRows rows are binned together, feature by feature: few enough for
// the first-level cache, enough for the searches to overlap.
const chunkRows = 32

// fastChunkRows is chunkRows with the kernel, each of whose calls has its price.
const fastChunkRows = 256

// bin ranks the rows of x, n×d, into dst, rows of 1<<shift bins.
func bin[T uint8 | uint16](e *Ensemble, dst []T, shift int, x []float64) {
	l, d := &e.lay, e.features
	rows, do := chunkRows, func(dst []T, x []float64) { binChunk(l, dst, shift, x, d) }
	switch {
	case loops == nil:
	case loops.Narrow != nil:
		rows, do = len(x), func(dst []T, x []float64) { rankRows(e, dst, shift, x) }
	case loops.Bin8 != nil && len(x) >= fewRows*d:
		rows, do = fastChunkRows, func(dst []T, x []float64) { binFast(e, dst, shift, 1, x) }
	}
	for len(x) > 0 {
		m := min(rows, len(x)/d)
		do(dst[:m<<shift], x[:m*d])
		dst, x = dst[m<<shift:], x[m*d:]
	}
}

func binChunk[T uint8 | uint16](l *layout, dst []T, shift int, x []float64, d int) {
	n := len(x) / d
	for i := range l.numeric {
		f := &l.numeric[i]
		r := 0
		for ; r+4 <= n; r += 4 {
			var v [4]float64
			var k [4]uint64
			missing := false
			for j := range v {
				v[j] = x[(r+j)*d+f.feature]
				k[j] = orderedKey(v[j])
				missing = missing || v[j] != v[j]
			}
			if missing {
				break
			}
			a, b, c, e := rank4(f.keys, &k)
			for j, rank := range [4]int{a, b, c, e} {
				place(l, dst[(r+j)<<shift:], 1, f, rank, rank)
			}
		}
		for ; r < n; r++ {
			low, high := f.ranks(x[r*d+f.feature])
			place(l, dst[r<<shift:], 1, f, low, high)
		}
	}
	placeSets(l, dst, 1<<shift, 1, x, d)
}

// placeSets writes the bins of the set tests of rows that are next apart, whose
// columns are step apart.
func placeSets[T uint8 | uint16](l *layout, dst []T, next, step int, x []float64, d int) {
	for i := range l.sets {
		s := &l.sets[i]
		at := l.tests[len(l.tests)-len(l.sets)+i].column * step
		for r := range len(x) / d {
			dst[r*next+at] = T(s.bin(x[r*d+s.feature]))
		}
	}
}

// ranks returns the ranks of v for the two tests of f: NaN has the lowest on the
// left and the highest on the right.
func (f *numeric) ranks(v float64) (left, right int) {
	if v != v {
		return 0, len(f.edges)
	}
	left = rank(f.keys, orderedKey(v))
	return left, left
}

// place writes the ranks of feature f for its two tests into a row, whose
// columns are step apart.
func place[T uint8 | uint16](l *layout, row []T, step int, f *numeric, left, right int) {
	if f.right >= 0 {
		placeTest(l, row, l.tests[f.right].column, step, len(f.edges), right)
	}
	if f.left >= 0 {
		placeTest(l, row, l.tests[f.left].column, step, len(f.edges), left)
	}
}

// placeTest writes rank r into the columns of a test, the first number col,
// which are step apart.
func placeTest[T uint8 | uint16](l *layout, row []T, col, step, thresholds, r int) {
	at := col * step
	if thresholds <= l.span {
		row[at] = T(r)
		return
	}
	for ; thresholds > 0; thresholds -= l.span {
		row[at] = T(min(max(r, 0), l.span))
		r -= l.span
		at += step
	}
}

// bin returns 0 if v goes left, else 1.
func (s *set) bin(v float64) int {
	switch {
	case v != v:
		if s.missingLeft {
			return 0
		}
		return 1
	case v >= 0 && v < float64(64*len(s.bits)):
		c := uint(v)
		if float64(c) == v && s.bits[c/64]>>(c%64)&1 != 0 {
			return 0
		}
	}
	return 1
}
