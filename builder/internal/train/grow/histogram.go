package grow

import "encoding/binary"

// histogram holds packed sums of derivatives by column and bin, the missing
// bin after the others. 8-bit bins get 256 cells a column, so that a bin
// number needs no bounds check.
type histogram struct {
	short [][256]int64
	wide  []int64
	start []int // of each column in wide
}

func newHistogram[B index](t *table[B]) *histogram {
	h := &histogram{}
	if t.most <= 256 {
		h.short = make([][256]int64, t.stride)
		return h
	}
	h.start = make([]int, t.d+1)
	for j := range t.column {
		h.start[j+1] = h.start[j] + t.column[j].bins() + 1
	}
	h.wide = make([]int64, h.start[t.d])
	return h
}

// cells returns the sums of column j, whose missing bin is last.
func (h *histogram) cells(j int32, bins int) []int64 {
	if h.short != nil {
		return h.short[j][:bins+1]
	}
	return h.wide[h.start[j]:h.start[j+1]]
}

// subtract takes the sums of another histogram away.
func (h *histogram) subtract(t columnar, other *histogram, columns []int32) {
	for _, j := range columns {
		n := t.binsOf(j)
		a, b := h.cells(j, n), other.cells(j, n)
		for i, v := range b {
			a[i] -= v
		}
	}
}

// columnar knows the number of bins of its columns.
type columnar interface{ binsOf(j int32) int }

func (t *table[B]) binsOf(j int32) int { return t.column[j].bins() }

// fresh returns a histogram of zeros.
func (g *booster[B]) fresh() *histogram {
	n := len(g.spare)
	if n == 0 {
		return newHistogram(g.t)
	}
	h := g.spare[n-1]
	g.spare = g.spare[:n-1]
	for _, j := range g.columns {
		clear(h.cells(j, g.t.binsOf(j)))
	}
	return h
}

// build counts the rows idx[lo:hi]. Parts counted by several threads add up to
// the same integers.
func (g *booster[B]) build(lo, hi int) *histogram {
	h := g.fresh()
	const share = 1 << 13 // rows that are worth a thread
	threads := min(g.threads, (hi-lo)/share)
	if threads <= 1 {
		g.count(h, g.idx[lo:hi])
		return h
	}
	parts := make([]*histogram, threads)
	for p := range parts {
		if parts[p] = h; p > 0 {
			parts[p] = g.fresh()
		}
	}
	g.each(threads, func(p int) {
		a, b := chunk(hi-lo, threads, p)
		g.count(parts[p], g.idx[lo+a:lo+b])
	})
	for _, part := range parts[1:] {
		for _, j := range g.columns {
			n := g.t.binsOf(j)
			a, b := h.cells(j, n), part.cells(j, n)
			for i, v := range b {
				a[i] += v
			}
		}
		g.spare = append(g.spare, part)
	}
	return h
}

// count adds rows to a histogram.
func (g *booster[B]) count(h *histogram, rows []uint32) {
	t := g.t
	if table, ok := any(t.rows).([]uint8); ok && len(g.columns)*4 >= t.d*3 {
		countShort(h.short[:t.d], table, t.stride, g.packed, rows)
		return
	}
	for _, i := range rows {
		v := g.packed[i]
		x := t.rows[int(i)*t.stride : (int(i)+1)*t.stride]
		if h.short != nil {
			for _, j := range g.columns {
				h.short[j][uint8(x[j])] += v
			}
			continue
		}
		for _, j := range g.columns {
			h.wide[h.start[j]+int(x[j])] += v
		}
	}
}

// countShort is the loop that boosting spends its time in: 8 bins a load, and
// no bounds checks, because 8 bits cannot leave a column's 256 cells.
func countShort(h [][256]int64, table []uint8, stride int, packed []int64, rows []uint32) {
	for _, i := range rows {
		v := packed[i]
		x := table[int(i)*stride:]
		x = x[:stride]
		c := h
		for len(c) >= 8 && len(x) >= 8 {
			w := binary.LittleEndian.Uint64(x)
			c[0][uint8(w)] += v
			c[1][uint8(w>>8)] += v
			c[2][uint8(w>>16)] += v
			c[3][uint8(w>>24)] += v
			c[4][uint8(w>>32)] += v
			c[5][uint8(w>>40)] += v
			c[6][uint8(w>>48)] += v
			c[7][uint8(w>>56)] += v
			c, x = c[8:], x[8:]
		}
		for j := range c {
			c[j][x[j]] += v
		}
	}
}
