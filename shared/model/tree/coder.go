package tree

import (
	"math"
	"math/bits"
)

// A coder is an adaptive range coder that works both ways: each method takes
// a value and returns it; writing, it codes the value it was given; reading,
// it ignores that and returns what was coded. One description of the format
// so serves Decode and AppendBinary.
//
// The coder keeps 56 bits of range and probabilities of 16, which stay clear
// of 0 and 1, so no choice is free.
//
// Source: the carry-propagating coder of LZMA (Martin 1979), here with a
// wider range, so that totals of up to 32 bits lose no precision.
type coder struct {
	reading bool
	mixes   bool // symbol goes between its two contexts
	broken  bool // reading: the input ended, or a writer does not write it
	rng     uint64
	at      uint64 // writing: start of the range; reading: the input less that

	cache   byte // writing: last byte, which a carry may still change
	pending int  // writing: bytes 0xff after cache, plus one
	out     []byte
	in      []byte
}

const (
	coderTop    = 1 << 56
	coderBottom = 1 << 48
	coderTail   = 8 // bytes that end the stream
	probHalf    = 1 << 15
)

func newWriter() *coder { return &coder{rng: coderTop, pending: 1} }

func newReader(b []byte) *coder {
	c := &coder{reading: true, rng: coderTop, in: b}
	c.broken = c.next() != 0 // the first byte is a carry that never comes
	for range coderTail - 1 {
		c.at = c.at<<8 | uint64(c.next())
	}
	return c
}

func (c *coder) next() byte {
	if len(c.in) == 0 {
		c.broken = true
		return 0
	}
	b := c.in[0]
	c.in = c.in[1:]
	return b
}

// finish ends what was written and returns it.
func (c *coder) finish() []byte {
	for range coderTail {
		c.shift()
	}
	return c.out
}

// done says whether what was read is all that a writer would have written:
// it ends a stream with the start of the range in full.
func (c *coder) done() bool { return !c.broken && len(c.in) == 0 && c.at == 0 }

// shift writes the highest byte of the start of the range.
func (c *coder) shift() {
	if c.at < 0xff<<48 || c.at >= coderTop {
		carry := byte(c.at >> 56)
		for b := c.cache; c.pending > 0; b = 0xff {
			c.out = append(c.out, b+carry)
			c.pending--
		}
		c.cache = byte(c.at >> 48)
	}
	c.pending++
	c.at = c.at & (coderBottom - 1) << 8
}

// widen makes the range large enough to be parted again.
func (c *coder) widen() {
	for c.rng < coderBottom {
		c.rng <<= 8
		if c.reading {
			c.at = c.at<<8 | uint64(c.next())
		} else {
			c.shift()
		}
	}
}

// narrow takes the part of the range from start on, of size wide.
func (c *coder) narrow(start, size uint64) {
	if c.reading {
		c.at -= start
	} else {
		c.at += start
	}
	if c.rng = size; size < coderBottom {
		c.widen()
	}
}

// A chance is the adaptive probability that a bit is 0, in units of 2^-16;
// the zero value has seen nothing.
type chance struct {
	p    uint16
	seen uint8
}

// update moves the probability towards b: by 1/(n+1.5) at the n-th time, as
// Krichevsky and Trofimov estimate, down to 1/256. What it moves by is rounded
// down, so that it reaches neither end. It takes no branch on b, which cannot be
// foretold.
func (m *chance) update(b uint64) {
	p, one := uint64(m.p), -b
	far := (1<<16-p)&^one | p&one
	m.p = uint16(p + (far*uint64(rates[m.seen])>>16 ^ one) - one)
	m.seen += uint8((uint32(m.seen) - 255) >> 31)
}

var rates = func() (r [256]uint32) {
	for n := range r {
		r[n] = 2 << 16 / uint32(2*min(n, 254)+3)
	}
	return r
}()

// bit codes b, 0 or 1.
func (c *coder) bit(m *chance, b int) int {
	if m.p == 0 {
		m.p = probHalf
	}
	bound := c.rng >> 16 * uint64(m.p)
	got := uint64(b)
	if c.reading {
		got = (bound - c.at - 1) >> 63
		c.at -= bound & -got
	} else {
		c.at += bound & -got
	}
	c.rng = (c.rng-bound)&-got | bound&^-got
	m.update(got)
	if c.rng < coderBottom {
		c.widen()
	}
	return int(got)
}

// shares is how much of a mixture are the chances of a narrower context that
// was seen n times, in units of 2^-16: nothing at first, in the end two thirds.
var shares = func() (s [256]int32) {
	for n := range s {
		s[n] = int32(2 * n << 15 / (3*n + 1))
	}
	return s
}()

// symbol codes v < 1<<width, highest bit first, in models of 1<<width
// entries. special is nil, or models of a narrower context, which start from
// the general ones and take their place; if the coder mixes, go between.
func (c *coder) symbol(general, special []chance, width, v int) int {
	rng, at, reading := c.rng, c.at, c.reading
	general = general[:1<<width]
	if special != nil {
		special = special[:1<<width]
	}
	node := 1
	for i := width - 1; i >= 0; i-- {
		m := &general[node]
		if m.p == 0 {
			m.p = probHalf
		}
		p := m.p
		var s *chance
		if special != nil {
			if s = &special[node]; s.p == 0 {
				s.p = p
			}
			if c.mixes {
				p = uint16(int32(p) + (int32(s.p)-int32(p))*shares[s.seen]>>15)
			} else {
				p = s.p
			}
		}
		bound := rng >> 16 * uint64(p)
		b := uint64(v>>i) & 1
		if reading {
			b = (bound - at - 1) >> 63
			at -= bound & -b
		} else {
			at += bound & -b
		}
		rng = (rng-bound)&-b | bound&^-b
		m.update(b)
		if s != nil {
			s.update(b)
		}
		if rng < coderBottom {
			c.rng, c.at = rng, at
			c.widen()
			rng, at = c.rng, c.at
		}
		node = node<<1 | int(b)
	}
	c.rng, c.at = rng, at
	return node - 1<<width
}

// target returns the size of a share of 1 out of total and, reading, the
// share that the input lies in.
func (c *coder) target(total uint64) (unit, point uint64) {
	unit = c.rng / total
	if c.reading {
		if point = c.at / unit; point >= total {
			c.broken = true // the rest of the division is nobody's share
			point = total - 1
		}
	}
	return unit, point
}

// raw codes the low n bits of v with equal chances.
func (c *coder) raw(n int, v uint64) uint64 {
	got := uint64(0)
	for n > 0 {
		w := min(n, 16)
		n -= w
		unit, point := c.target(1 << w)
		if !c.reading {
			point = v >> n & (1<<w - 1)
		}
		c.narrow(unit*point, unit)
		got = got<<w | point
	}
	return got
}

// A numbers model codes whole numbers by their length in bits and the bits
// after the first, the leading ones adaptively.
type numbers struct {
	length [64]chance
	lead   [64][8]chance
}

// number codes v < 1<<62.
func (c *coder) number(m *numbers, v uint64) uint64 {
	return c.numberOf(m, c.symbol(m.length[:], nil, 6, bits.Len64(v+1)-1), v)
}

// shortNumber is number with a bit for each of the length, which is faster where
// numbers are small.
func (c *coder) shortNumber(m *numbers, v uint64) uint64 {
	n, want := 0, bits.Len64(v+1)-1
	for n < len(m.length)-1 {
		more := 0
		if n < want {
			more = 1
		}
		if c.bit(&m.length[n], more) == 0 {
			break
		}
		n++
	}
	return c.numberOf(m, n, v)
}

// numberOf codes the n bits of v+1 after its first.
func (c *coder) numberOf(m *numbers, n int, v uint64) uint64 {
	rest := v + 1
	lead := min(n, 3)
	top := c.symbol(m.lead[n][:], nil, lead, int(rest>>(n-lead)&(1<<lead-1)))
	low := c.raw(n-lead, rest&(1<<(n-lead)-1))
	return (1<<lead|uint64(top))<<(n-lead) + low - 1
}

// A floats model codes floats by sign and exponent, then four bits of the
// fraction adaptively and the others as they are.
type floats struct {
	high [1 << 12]chance
	lead [16]chance
}

// float codes v in 32 bits (single, exact for the values given) or 64.
func (c *coder) float(m *floats, single bool, v float64) float64 {
	high, fraction := 12, 52
	u := math.Float64bits(v)
	if single {
		high, fraction = 9, 23
		u = uint64(math.Float32bits(float32(v)))
	}
	u1 := uint64(c.symbol(m.high[:], nil, high, int(u>>fraction)))
	u2 := uint64(c.symbol(m.lead[:], nil, 4, int(u>>(fraction-4)&15)))
	u = u1<<fraction | u2<<(fraction-4) | c.raw(fraction-4, u&(1<<(fraction-4)-1))
	if single {
		return float64(math.Float32frombits(uint32(u)))
	}
	return math.Float64frombits(u)
}

// isSingle says whether v survives float32, -0 excepted.
func isSingle(v float64) bool { return float64(float32(v)) == v }

// A ranks model codes thresholds of one feature inside an interval, by how
// often each was used.
type ranks struct {
	counts []uint32
	sums   []uint32 // Fenwick tree: sums[i] covers counts[i - i&-i : i]
	total  uint64
}

const (
	rankStart = 1
	rankStep  = 4
)

func newRanks(n int) ranks {
	r := ranks{make([]uint32, n), make([]uint32, n+1), uint64(n * rankStart)}
	for i := 1; i <= n; i++ {
		r.counts[i-1] = rankStart
		r.sums[i] += rankStart
		if up := i + i&-i; up <= n {
			r.sums[up] += r.sums[i]
		}
	}
	return r
}

// below returns the sum of counts[:i].
func (r *ranks) below(i int) uint64 {
	if i == len(r.counts) {
		return r.total
	}
	s := uint64(0)
	for ; i > 0; i &= i - 1 {
		s += uint64(r.sums[i])
	}
	return s
}

// at returns the rank whose share holds point, and the sum below it.
func (r *ranks) at(point uint64) (int, uint64) {
	i, under := 0, uint64(0)
	for step := 1 << bits.Len(uint(len(r.counts))) >> 1; step > 0; step >>= 1 {
		if next := i + step; next < len(r.sums) && under+uint64(r.sums[next]) <= point {
			i = next
			under += uint64(r.sums[next])
		}
	}
	return i, under
}

func (r *ranks) count(i int) {
	r.total += rankStep
	r.counts[i] += rankStep
	for i++; i < len(r.sums); i += i & -i {
		r.sums[i] += rankStep
	}
}

// used says whether rank i was ever coded.
func (r *ranks) used(i int) bool { return r.counts[i] != rankStart }

// rank codes v, low <= v < high.
func (c *coder) rank(r *ranks, low, high, v int) int {
	first := r.below(low)
	unit, point := c.target(r.below(high) - first)
	var under uint64
	if c.reading {
		v, under = r.at(first + point)
	} else {
		under = r.below(v)
	}
	c.narrow(unit*(under-first), unit*uint64(r.counts[v]))
	r.count(v)
	return v
}
