package grow

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// MaxCategories is the number of codes a categorical column may hold; the bit
// sets of a split grow with it.
const MaxCategories = 1024

// defaultBins leaves room in 8-bit ranks for the edge that parts missing from
// present and for the missing rank itself.
const defaultBins = 254

// column is what binning learnt about a feature. Bin b holds the training
// values x with edges[b-1] < x <= edges[b]; bin len(edges) has no upper edge.
// Missing values get the bin after the last.
type column struct {
	edges       []float64
	low, high   []float64 // smallest and largest training value of each bin
	missing     bool      // a training row lacks the value
	categorical bool
	memo        *memo // the bins of the values, if these are few; until the table is made
}

// bins returns the number of bins for present values.
func (c *column) bins() int { return len(c.low) }

// edge returns the bin whose upper edge parts the occupied bins a < b best:
// the one nearest to the middle of the gap between their values.
func (c *column) edge(a, b int) int {
	if b-a == 1 {
		return a
	}
	mid := middle(c.high[a], c.low[b])
	i, _ := slices.BinarySearch(c.edges[a:b], mid)
	i += a
	if i >= b {
		return b - 1
	}
	if i > a && mid-c.edges[i-1] < c.edges[i]-mid {
		i--
	}
	return i
}

// middle returns a number t with a <= t < b near the middle of a < b: finite,
// and a float32 when one fits.
func middle(a, b float64) float64 {
	m := a/2 + b/2
	switch {
	case math.IsInf(a, -1) && math.IsInf(b, 1):
		m = 0
	case math.IsInf(b, 1):
		m = math.MaxFloat32
		if a > m {
			m = math.MaxFloat64
		}
	case math.IsInf(a, -1):
		m = -math.MaxFloat32
		if m >= b {
			m = -math.MaxFloat64
		}
	}
	if f := float64(float32(m)); a <= f && f < b {
		return f
	}
	if a <= m && m < b {
		return m
	}
	return a
}

// index is the type of a bin number in a table.
type index interface{ ~uint8 | ~uint16 }

// table holds the bins of a table; of a dense one twice: by row for histograms, by
// column for partitions.
type table[B index] struct {
	n, d   int
	stride int // cells a row, a multiple of 8
	rows   []B // n×stride, nil for a sparse table and for a small one that does not need it
	cols   []B // d×n, nil for a large sparse table
	sparse *sparseBins[B]
	column []column
	most   int // bins of the widest column, the missing bin included
}

// binColumns cuts the columns of data into at most limit bins each.
func binColumns(ctx context.Context, data *Data, n, limit, workers int) ([]column, error) {
	if data.Sparse != nil {
		return binSparse(data, n, limit)
	}
	d := data.Features
	out := make([]column, d)
	cutters := make([]cutter, workers)
	err := parallel(ctx, workers, d, func(w, j int) error {
		var err error
		out[j], err = cutters[w].cut(data, n, j, limit)
		return err
	})
	return out, err
}

// cutter finds the bins of columns. It belongs to one goroutine.
type cutter struct {
	keys []uint64
	memo *memo
	runs []run
}

// cut finds the bins of column j.
func (b *cutter) cut(data *Data, n, j, limit int) (column, error) {
	var c column
	if data.Columns != nil && data.Columns[j].Categorical {
		return cutCategories(data, n, j)
	}
	if b.keys == nil {
		b.keys, b.memo = make([]uint64, 2*n), newMemo(memoMost)
	}
	keys := b.keys[:0]
	for i := range n {
		if data.Weights != nil && data.Weights[i] == 0 {
			continue
		}
		v := data.X[i*data.Features+j]
		if v != v {
			c.missing = true
			continue
		}
		keys = append(keys, orderKey(v))
	}
	if !b.count(keys) {
		sortKeys(keys, b.keys[n:n+len(keys)])
		b.runs = b.runs[:0]
		for i := 0; i < len(keys); {
			e := i + 1
			for e < len(keys) && keys[e] == keys[i] {
				e++
			}
			b.runs = append(b.runs, run{keyValue(keys[i]), e - i})
			i = e
		}
		c.fill(b.runs, limit)
		return c, nil
	}
	c.fill(b.runs, limit)
	c.memo = newMemo(len(b.runs))
	for _, r := range b.runs {
		key := orderKey(r.value)
		at := c.memo.slot(key)
		c.memo.keys[at], c.memo.values[at] = key, uint32(c.place(r.value))
	}
	return c, nil
}

// count makes runs of keys without sorting them, unless they are too many
// different ones.
func (b *cutter) count(keys []uint64) bool {
	m := b.memo
	clear(m.keys)
	clear(m.values)
	used := 0
	for _, key := range keys {
		at := m.slot(key)
		if m.keys[at] == 0 {
			if used == memoMost {
				return false
			}
			m.keys[at] = key
			used++
		}
		m.values[at]++
	}
	b.runs = b.runs[:0]
	for at, key := range m.keys {
		if key != 0 {
			b.runs = append(b.runs, run{keyValue(key), int(m.values[at])})
		}
	}
	slices.SortFunc(b.runs, func(a, b run) int { return cmp.Compare(a.value, b.value) })
	return true
}

// run is a value and how many rows have it.
type run struct {
	value float64
	rows  int
}

// fill sets edges and bin bounds from the rising values of a column.
func (c *column) fill(runs []run, limit int) {
	if len(runs) == 0 {
		// A column without a value: one bin that no training row is in.
		c.low, c.high = []float64{0}, []float64{0}
		return
	}
	left := 0
	for _, r := range runs {
		left += r.rows
	}
	// With more values than bins, a bin closes when it has its share of the
	// rows still to come, and before a value that fills a bin by itself.
	have, bins := 0, limit
	first, last := runs[0].value, runs[0].value
	for _, r := range runs {
		if have > 0 && (len(runs) <= limit || bins > 1 && (have*bins >= left || r.rows*bins >= left)) {
			c.low, c.high = append(c.low, first), append(c.high, last)
			c.edges = append(c.edges, middle(last, r.value))
			left -= have
			bins--
			have, first = 0, r.value
		}
		have += r.rows
		last = r.value
	}
	c.low, c.high = append(c.low, first), append(c.high, last)
}

// cutCategories gives each code of a categorical column a bin of its own.
func cutCategories(data *Data, n, j int) (column, error) {
	c := column{categorical: true}
	most := 0
	for i := range n {
		v := data.X[i*data.Features+j]
		switch code := category(v); {
		case code >= 0:
			most = max(most, code)
		case v != v:
			c.missing = c.missing || data.Weights == nil || data.Weights[i] > 0
		default:
			return c, &DataError{"X", i, fmt.Sprintf("categorical column %d %.64q: %v, want NaN or a code 0 to %d", j, data.Columns[j].Name, v, MaxCategories-1)}
		}
	}
	for k := 0; k <= most; k++ {
		c.low, c.high = append(c.low, float64(k)), append(c.high, float64(k))
	}
	return c, nil
}

// category returns the code of a categorical cell, or -1 when it is none.
func category(v float64) int {
	if v >= 0 && v < MaxCategories && v == math.Trunc(v) {
		return int(v)
	}
	return -1
}

// place returns the bin of v.
func (c *column) place(v float64) int {
	if c.categorical {
		if k := category(v); k >= 0 && k < len(c.low) {
			return k
		}
		return len(c.low)
	}
	if v != v {
		return len(c.low)
	}
	// Without branches that depend on v: the edge sought is in
	// edges[lo:lo+n], and n halves.
	lo, n := 0, len(c.edges)
	for n > 0 {
		half := (n + 1) >> 1
		next := lo + half
		if v > c.edges[next-1] {
			lo = next
		}
		n -= half
	}
	return lo
}

// find is place for a column whose values may be known.
func (c *column) find(v float64) int {
	if c.memo != nil {
		if key := orderKey(v); v == v {
			if at := c.memo.slot(key); c.memo.keys[at] == key {
				return int(c.memo.values[at])
			}
		}
	}
	return c.place(v)
}

// maxSpread bounds the cells of a sparse table whose bins are laid out in full:
// two copies of 2 GiB.
const maxSpread = 1 << 31

// maxColumns bounds the cells of a sparse table that is laid out by column
// besides, which makes it quicker to divide nodes. Tests change it.
var maxColumns = 1 << 27

// layout says where a table has its bins.
type layout uint8

const (
	spread  layout = iota // by row and by column
	asGiven               // the same, but a sparse table stays sparse
	narrow                // by row only if the columns do not fit into a cache
)

// cached is how many cells are taken to fit into a cache. Tests change it.
var cached = 1 << 24

// newTable bins a table.
func newTable[B index](ctx context.Context, data *Data, n int, columns []column, where layout, workers int) (*table[B], error) {
	d := data.Features
	t := &table[B]{n: n, d: d, stride: (d + 7) &^ 7, column: columns}
	for j := range columns {
		t.most = max(t.most, columns[j].bins()+1)
	}
	if data.Sparse != nil {
		bins := newSparseBins[B](data.Sparse, columns)
		if where != spread {
			t.sparse = bins
			if n <= maxColumns/max(d, 1) {
				t.cols = bins.columns(n)
			}
			return t, nil
		}
		if n > maxSpread/max(d, 1) {
			return nil, &LimitError{"cells of a sparse table", maxSpread, n * d}
		}
		t.rows, t.cols = bins.rows(n, t.stride), bins.columns(n)
		return t, nil
	}
	if where != narrow || n > cached/d {
		t.rows = make([]B, n*t.stride)
	}
	t.cols = make([]B, n*d)
	const block = 2048
	err := parallel(ctx, workers, (n+block-1)/block, func(_, b int) error {
		lo, hi := b*block, min((b+1)*block, n)
		for j := range columns {
			c := &columns[j]
			col := t.cols[j*n : (j+1)*n]
			for i := lo; i < hi; i++ {
				col[i] = B(c.find(data.X[i*d+j]))
			}
			for i := lo; i < hi && t.rows != nil; i++ {
				t.rows[i*t.stride+j] = col[i]
			}
		}
		return nil
	})
	for j := range columns {
		columns[j].memo = nil
	}
	return t, err
}

// lanes is how many columns are looked at together.
const lanes = 6

// view returns where the bins of up to [lanes] features are: that of row i is at
// i*step. Of fewer features the last is repeated; all slices have one length. In
// a large table, a node of few rows finds the bins of a row side by side; otherwise
// columns are more likely to be in the cache.
func (t *table[B]) view(features []int32, rows int) (bins [lanes][]B, step int) {
	if t.rows != nil && (t.n <= cached/t.d || rows < t.n/64) {
		for i := range bins {
			bins[i] = t.rows[features[min(i, len(features)-1)]:][:len(t.rows)-t.stride+1]
		}
		return bins, t.stride
	}
	for i := range bins {
		bins[i] = t.cols[int(features[min(i, len(features)-1)])*t.n:][:t.n]
	}
	return bins, 1
}

// orderKey maps a number to an integer of the same order; both zeros get one.
func orderKey(v float64) uint64 {
	b := math.Float64bits(v + 0) // -0 + 0 is 0
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// keyValue is the inverse of orderKey.
func keyValue(k uint64) float64 {
	if k>>63 != 0 {
		return math.Float64frombits(k &^ (1 << 63))
	}
	return math.Float64frombits(^k)
}

// sortKeys sorts by digits of 11 bits and skips those that all keys share.
func sortKeys(keys, tmp []uint64) {
	if len(keys) < 512 {
		slices.Sort(keys)
		return
	}
	const digit = 11
	var counts [6][1 << digit]uint32
	for _, k := range keys {
		for p := range counts {
			counts[p][k>>(digit*p)&(1<<digit-1)]++
		}
	}
	src, dst := keys, tmp
	for p := range counts {
		c := &counts[p]
		shift := digit * p
		if c[src[0]>>shift&(1<<digit-1)] == uint32(len(keys)) {
			continue
		}
		sum := uint32(0)
		for i, v := range c {
			c[i] = sum
			sum += v
		}
		for _, k := range src {
			b := k >> shift & (1<<digit - 1)
			dst[c[b]] = k
			c[b]++
		}
		src, dst = dst, src
	}
	if &src[0] != &keys[0] {
		copy(keys, src)
	}
}
