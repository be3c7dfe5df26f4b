package grow

import "math/bits"

// stream is the generator of one tree, seeded with the run's seed and the tree's
// number, so that no tree depends on another or on who grows it. Its numbers are
// those of [rand.PCG]; it is a value of two words, so that a loop that draws
// may keep it in registers.
//
// Source: O'Neill 2014, PCG; the DXSM output of PCG's version 0.99, with the
// multiplier of 128 bits, as in Go's math/rand/v2.
type stream struct{ hi, lo uint64 }

func newStream(seed, tree uint64) *stream { return &stream{seed, tree + 1} }

// Uint64 returns the next number.
func (s *stream) Uint64() uint64 {
	after, v := s.next()
	*s = after
	return v
}

// next returns the stream after its next number, and that number.
func (s stream) next() (stream, uint64) {
	const mulHi, mulLo = 0x2360ed051fc65da4, 0x4385df649fccf645
	const addHi, addLo = 0x5851f42d4c957f2d, 0x14057b7ef767814f
	hi, lo := bits.Mul64(s.lo, mulLo)
	hi += s.hi*mulLo + s.lo*mulHi
	lo, carry := bits.Add64(lo, addLo, 0)
	hi += addHi + carry
	v := (hi ^ hi>>32) * 0xda942042e4dd58b5
	return stream{hi, lo}, (v ^ v>>48) * (lo | 1)
}

// intn returns a number below n, n >= 1, by multiplication; its bias is below
// n/2^64.
func (s *stream) intn(n int) int {
	hi, _ := bits.Mul64(s.Uint64(), uint64(n))
	return int(hi)
}

// unit returns a number in [0, 1) with 53 bits.
func (s *stream) unit() float64 {
	return float64(s.Uint64()>>11) * 0x1p-53
}

// shuffle exchanges the numbers of p (Fisher and Yates).
func (s *stream) shuffle(p []int32) {
	for i := len(p) - 1; i > 0; i-- {
		j := s.intn(i + 1)
		p[i], p[j] = p[j], p[i]
	}
}

// urn draws numbers with chances in proportion to weights (Walker 1977).
type urn struct {
	share []float64 // of the cell that stays with its own number
	other []uint32
}

// newUrn takes weights, all positive, by Vose's construction in their order.
func newUrn(weights []float64) *urn {
	n := len(weights)
	total := 0.0
	for _, w := range weights {
		total += w
	}
	u := &urn{share: make([]float64, n), other: make([]uint32, n)}
	var small, large []uint32
	for i, w := range weights {
		u.share[i], u.other[i] = w/total*float64(n), uint32(i)
		if u.share[i] < 1 {
			small = append(small, uint32(i))
		} else {
			large = append(large, uint32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		u.other[s] = l
		if u.share[l] -= 1 - u.share[s]; u.share[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // what rounding left over
		u.share[i] = 1
	}
	return u
}

// pick turns a number drawn evenly into one drawn by weight.
func (u *urn) pick(i int, rng *stream) int {
	if rng.unit() < u.share[i] {
		return i
	}
	return int(u.other[i])
}
