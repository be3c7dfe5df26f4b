package tree

import "math/bits"

// uses models which thresholds of one feature splits use, inside an interval.
// Those that no split has used yet are apart from the others: every edge has a
// use, so that deep forests of real numbers use most of them once.
type uses struct {
	// sums is a Fenwick tree whose entries hold, in 32 bits each, how many of
	// its thresholds are fresh and how often the others were used.
	sums  []uint64
	count []uint32 // by threshold
	total uint64
}

const (
	freshShift = 32
	usedMask   = 1<<freshShift - 1
)

func newUses(n int) uses {
	u := uses{make([]uint64, n+1), make([]uint32, n), uint64(n) << freshShift}
	for i := 1; i <= n; i++ {
		u.sums[i] = uint64(i&-i) << freshShift
	}
	return u
}

// below returns the sum of the first i thresholds.
func (u *uses) below(i int) uint64 {
	if i == len(u.count) {
		return u.total
	}
	s := uint64(0)
	for ; i > 0; i &= i - 1 {
		s += u.sums[i]
	}
	return s
}

// at returns the threshold whose share of one half of the sums holds point, and
// that half's sum below it.
func (u *uses) at(half uint, point uint64) (int, uint64) {
	i, under := 0, uint64(0)
	for step := 1 << bits.Len(uint(len(u.count))) >> 1; step > 0; step >>= 1 {
		if next := i + step; next < len(u.sums) {
			if sum := under + u.sums[next]>>half&usedMask; sum <= point {
				i, under = next, sum
			}
		}
	}
	return i, under
}

// add counts a use of threshold i.
func (u *uses) add(i int) {
	more := uint64(1)
	if u.count[i] == 0 {
		more -= 1 << freshShift
	}
	u.count[i]++
	u.total += more
	for i++; i < len(u.sums); i += i & -i {
		u.sums[i] += more
	}
}

// use codes threshold v, low <= v < high. fresh are models of whether it is
// fresh, by how many are and how often the others were used.
func (c *coder) use(u *uses, fresh *[16 * 16]chance, low, high, v int) int {
	first := u.below(low)
	all := u.below(high) - first
	news, old := all>>freshShift, all&usedMask
	isNew := 0
	switch {
	case old == 0:
		isNew = 1
	case news > 0:
		if !c.reading && u.count[v] == 0 {
			isNew = 1
		}
		isNew = c.bit(&fresh[min(bits.Len64(news), 15)<<4|min(bits.Len64(old), 15)], isNew)
	}
	half, sum, size := uint(0), old, uint64(1)
	if isNew == 1 {
		half, sum = freshShift, news
	}
	first = first >> half & usedMask
	unit, point := c.target(sum)
	var under uint64
	if c.reading {
		v, under = u.at(half, first+point)
	} else {
		under = u.below(v) >> half & usedMask
	}
	if isNew == 0 {
		size = uint64(u.count[v])
	}
	c.narrow(unit*(under-first), unit*size)
	u.add(v)
	return v
}
