package tree

import (
	"math"
	"math/bits"
)

// layout codes the features, their edges and the sets. nodes bounds what
// reading can allocate: every edge, direction and set has a split.
func (f *format) layout(nodes int) {
	l := &f.e.lay
	var m layoutModels
	if f.third {
		m.keys = new([len(grids)]keyModels)
	}
	budget := nodes / 2 // inner nodes at most
	count := f.countOf(&m, len(l.numeric), min(budget, f.e.features))
	feature := -1
	for i := range count {
		if f.reading {
			l.numeric = append(l.numeric, numeric{right: -1, left: -1})
		}
		n := &l.numeric[i]
		feature += 1 + f.countOf(&m, n.feature-feature-1, f.e.features-feature-2)
		n.feature = feature
		f.directions(n)
		edges := f.countOf(&m, len(n.edges), min(budget, MaxThresholds))
		if budget -= edges; f.err != nil || edges == 0 {
			f.fail("a feature without thresholds")
			return
		}
		if f.reading {
			n.edges = make([]float64, edges)
		}
		if f.third {
			f.keys(&m, n.edges)
		} else {
			f.edges(&m, n.edges)
		}
		if f.err != nil {
			return
		}
	}
	count = f.countOf(&m, len(l.sets), budget)
	for i := range count {
		if f.reading {
			l.sets = append(l.sets, set{})
		}
		f.set(&m, &l.sets[i])
		if f.err == nil && i > 0 && compareSets(l.sets[i-1], l.sets[i]) >= 0 {
			f.fail("category sets out of order")
		}
		if f.err != nil {
			return
		}
	}
	if f.reading {
		if err := l.number(); err != nil {
			f.err = err
		}
	}
}

type layoutModels struct {
	count numbers
	delta numbers
	keys  *[len(grids)]keyModels // of version 3
}

// keyModels are those of the edges on one grid.
type keyModels struct {
	zeros [64]chance
	after [64][64]chance // by zeros of the edge before
	below chance         // whether the first edge is below 0
	first numbers
	step  numbers
}

// countOf codes a count of at most limit.
func (f *format) countOf(m *layoutModels, v, limit int) int {
	n := f.number(&m.count, uint64(v))
	if n > uint64(max(limit, 0)) || f.broken {
		f.fail("count %d, want at most %d", n, limit)
		return 0
	}
	return int(n)
}

// directions codes which tests of n are in use.
func (f *format) directions(n *numeric) {
	used := uint64(0)
	if n.right >= 0 {
		used |= 1
	}
	if n.left >= 0 {
		used |= 2
	}
	used = f.raw(2, used)
	if used == 0 {
		f.fail("a feature without tests")
	}
	if f.reading && used&1 != 0 {
		n.right = 0
	}
	if f.reading && used&2 != 0 {
		n.left = 0
	}
}

// A grid is a way to see edges as ordered integers; smaller grids are shorter.
type grid struct {
	key   func(float64) (int64, bool) // false: not on the grid
	value func(int64) (float64, bool)
}

var grids = [3]grid{
	{ // halves of whole numbers
		func(v float64) (int64, bool) { k := int64(2 * v); return k, math.Abs(v) < 1<<40 && float64(k) == 2*v },
		func(k int64) (float64, bool) { return float64(k) / 2, k > -1<<41 && k < 1<<41 },
	},
	{ // float32
		func(v float64) (int64, bool) {
			b := int32(math.Float32bits(float32(v)))
			return int64(b ^ int32(uint32(b>>31)>>1)), isSingle(v)
		},
		func(k int64) (float64, bool) {
			b := int32(k)
			v := float64(math.Float32frombits(uint32(b ^ int32(uint32(b>>31)>>1))))
			return v, int64(b) == k && v == v
		},
	},
	{ // float64
		func(v float64) (int64, bool) { return int64(orderedKey(v) ^ 1<<63), true },
		func(k int64) (float64, bool) { v := floatFromKey(uint64(k) ^ 1<<63); return v, v == v },
	},
}

// gridOf returns the first grid that holds all edges.
func gridOf(edges []float64) int {
	g := 0
	for _, v := range edges {
		for {
			if _, ok := grids[g].key(v); ok {
				break
			}
			g++
		}
	}
	return g
}

// stepShift returns how many low bits all steps between edges lack.
func stepShift(edges []float64, g int) int {
	steps := uint64(1 << 63)
	for i := 1; i < len(edges); i++ {
		a, _ := grids[g].key(edges[i-1])
		b, _ := grids[g].key(edges[i])
		steps |= uint64(b) - uint64(a)
	}
	return bits.TrailingZeros64(steps)
}

// edges codes ascending edges as steps on a grid.
func (f *format) edges(m *layoutModels, edges []float64) {
	g, shift := 0, 0
	if !f.reading {
		g = gridOf(edges)
		shift = stepShift(edges, g)
	}
	if g = int(f.raw(2, uint64(g))); g == len(grids) {
		f.fail("grid %d", g)
		return
	}
	shift = int(f.raw(6, uint64(shift)))
	key := int64(0)
	for i := range edges {
		var k int64
		if !f.reading {
			k, _ = grids[g].key(edges[i])
		}
		if i == 0 {
			key = int64(f.raw(64, uint64(k)))
		} else {
			units := f.number(&m.delta, (uint64(k)-uint64(key))>>shift-1) + 1
			step := units << shift
			if units == 0 || step>>shift != units || uint64(math.MaxInt64)-uint64(key) < step {
				f.fail("threshold out of range")
				return
			}
			key += int64(step)
		}
		v, ok := grids[g].value(key)
		if !ok || v == 0 && math.Signbit(v) || f.broken {
			f.fail("threshold out of range")
			return
		}
		edges[i] = v
	}
	if f.reading && (g != gridOf(edges) || shift != stepShift(edges, g)) {
		f.fail("grid %d shifted by %d is not the shortest", g, shift)
	}
}

// allZeros stands for the zeros of key 0, which has no odd part.
const allZeros = 63

// keys codes ascending edges by their keys on a grid: how many zero bits a key
// ends in, then how far the odd part is from the same part of the key before.
// Midpoints of short numbers end in many zeros, and each in as many as it can.
func (f *format) keys(m *layoutModels, edges []float64) {
	g := 0
	if !f.reading {
		g = gridOf(edges)
	}
	if g = int(f.raw(2, uint64(g))); g == len(grids) {
		f.fail("grid %d", g)
		return
	}
	by := &m.keys[g]
	before, key, zeros := int64(0), int64(0), 0
	for i := range edges {
		if !f.reading {
			key, _ = grids[g].key(edges[i])
		}
		zeros = f.symbol(by.zeros[:], by.after[zeros][:], 6, min(bits.TrailingZeros64(uint64(key)), allZeros))
		switch {
		case zeros == allZeros:
			key = 0
		case i == 0:
			key = f.firstKey(by, key, zeros)
		default:
			low := before >> zeros
			// Two odd numbers are an even step apart, which is known.
			odd := low & 1
			step := f.number(&by.step, (uint64(key>>zeros)-uint64(low)-1)>>1)
			key = int64(uint64(low)+step<<1+1+uint64(odd)) << zeros
		}
		v, ok := grids[g].value(key)
		if !ok || v == 0 && math.Signbit(v) || f.broken || i > 0 && key <= before ||
			min(bits.TrailingZeros64(uint64(key)), allZeros) != zeros {
			f.fail("threshold out of range")
			return
		}
		edges[i], before = v, key
	}
	if f.reading && g != gridOf(edges) {
		f.fail("grid %d is not the shortest", g)
	}
}

// firstKey codes a key that is not 0 and ends in zeros.
func (f *format) firstKey(by *keyModels, key int64, zeros int) int64 {
	below := 0
	if key < 0 {
		below = 1
	}
	below = f.bit(&by.below, below)
	size := uint64(max(key, -key))
	size = (f.number(&by.first, size>>zeros>>1)<<1 | 1) << zeros
	if below == 1 {
		return -int64(size)
	}
	return int64(size)
}

// set codes a category set.
func (f *format) set(m *layoutModels, s *set) {
	s.feature = f.countOf(m, s.feature, f.e.features-1)
	left := uint64(0)
	if s.missingLeft {
		left = 1
	}
	s.missingLeft = f.raw(1, left) != 0
	words := f.countOf(m, len(s.bits), MaxCategories/64)
	for i := range words {
		if f.reading {
			s.bits = append(s.bits, 0)
		}
		if s.bits[i] = f.raw(64, s.bits[i]); f.broken {
			f.fail("category set cut short")
			return
		}
	}
	if words > 0 && s.bits[words-1] == 0 {
		f.fail("category set ends in zeros")
	}
}
