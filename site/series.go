package site

import "math"

// series is a list of numbers that only grows. Whole numbers, which most columns
// of flows hold, are kept in one, two or four bytes each, and nothing is copied
// when the list gets longer.
type series struct {
	pages []numberPage
	tail  []float64 // behind the pages, fewer than pageRows
}

// pageRows is how many numbers make a page: a power of two.
const pageRows = 1 << 12

// numberPage is a stretch of a series in one of four forms: what the numbers are
// above the least, with the greatest value of the type for a missing one, or
// the numbers as they are.
type numberPage struct {
	least float64
	one   []uint8
	two   []uint16
	four  []uint32
	plain []float64
}

func (s *series) len() int { return len(s.pages)*pageRows + len(s.tail) }

// at returns number i, the same bits as were added but for those of NaN.
func (s *series) at(i int) float64 {
	k := i / pageRows
	if k == len(s.pages) {
		return s.tail[i%pageRows]
	}
	p, i := &s.pages[k], i%pageRows
	above := uint32(0)
	switch {
	case p.one != nil:
		if above = uint32(p.one[i]); above == math.MaxUint8 {
			return math.NaN()
		}
	case p.two != nil:
		if above = uint32(p.two[i]); above == math.MaxUint16 {
			return math.NaN()
		}
	case p.four != nil:
		if above = p.four[i]; above == math.MaxUint32 {
			return math.NaN()
		}
	default:
		return p.plain[i]
	}
	return p.least + float64(above)
}

// add appends numbers.
func (s *series) add(v ...float64) {
	for len(v) > 0 {
		n := min(len(v), pageRows-len(s.tail))
		s.tail = append(s.tail, v[:n]...)
		v = v[n:]
		if len(s.tail) == pageRows {
			s.pages = append(s.pages, pageOf(s.tail))
			s.tail = s.tail[:0]
		}
	}
}

// pageOf returns the smallest page that holds v, which it copies.
func pageOf(v []float64) numberPage {
	least, most := math.Inf(1), math.Inf(-1)
	for _, x := range v {
		if x != x {
			continue
		}
		if x != math.Trunc(x) || math.Abs(x) > 1<<53 || x == 0 && math.Signbit(x) {
			return numberPage{plain: append([]float64(nil), v...)}
		}
		least, most = min(least, x), max(most, x)
	}
	p := numberPage{least: least}
	switch span := most - least; { // -Inf where all are missing
	case span < math.MaxUint8:
		p.one = above[uint8](v, least)
	case span < math.MaxUint16:
		p.two = above[uint16](v, least)
	case span < math.MaxUint32:
		p.four = above[uint32](v, least)
	default:
		p.plain = append([]float64(nil), v...)
	}
	return p
}

// above returns what numbers are above the least.
func above[T uint8 | uint16 | uint32](v []float64, least float64) []T {
	out := make([]T, len(v))
	for i, x := range v {
		if x == x {
			out[i] = T(x - least)
		} else {
			out[i] = ^T(0)
		}
	}
	return out
}
