package grow

import (
	"math"
	"slices"
)

// sparseBins holds the bins of a sparse table by row; cells that are absent
// are in their column's zero bin.
type sparseBins[B index] struct {
	start []int
	index []int32
	bin   []B
	zero  []B
	// The same cells by column, bin and row: bin<<32 | row.
	from  []int
	cells []uint64
}

// binSparse cuts the columns of a sparse table.
func binSparse(data *Data, n, limit int) ([]column, error) {
	s := data.Sparse
	for _, c := range data.Columns {
		if c.Categorical {
			return nil, &DataError{"Columns", -1, "a sparse table has no categorical columns"}
		}
	}
	// The values by column, of rows that count.
	counts := make([]int, data.Features+1)
	live := 0
	each := func(do func(j int32, v float64)) {
		for i := range n {
			if data.Weights != nil && data.Weights[i] == 0 {
				continue
			}
			for at := s.Start[i]; at < s.Start[i+1]; at++ {
				do(s.Index[at], s.Value[at])
			}
		}
	}
	for i := range n {
		if data.Weights == nil || data.Weights[i] > 0 {
			live++
		}
	}
	each(func(j int32, _ float64) { counts[j+1]++ })
	for j := range data.Features {
		counts[j+1] += counts[j]
	}
	keys := make([]uint64, counts[data.Features])
	next := slices.Clone(counts)
	missing := make([]int, data.Features)
	each(func(j int32, v float64) {
		if v != v {
			missing[j]++
			return
		}
		keys[next[j]] = orderKey(v)
		next[j]++
	})
	out := make([]column, data.Features)
	zero := orderKey(0)
	var runs []run
	for j := range out {
		own := keys[counts[j]:next[j]]
		slices.Sort(own)
		runs = runs[:0]
		absent := live - len(own) - missing[j]
		add := func(k uint64, rows int) {
			if m := len(runs); m > 0 && runs[m-1].value == keyValue(k) {
				runs[m-1].rows += rows
			} else if rows > 0 {
				runs = append(runs, run{keyValue(k), rows})
			}
		}
		for _, k := range own {
			if k >= zero && absent > 0 {
				add(zero, absent)
				absent = 0
			}
			add(k, 1)
		}
		add(zero, absent)
		out[j].missing = missing[j] > 0
		out[j].fill(runs, limit)
	}
	return out, nil
}

func newSparseBins[B index](s *Sparse, columns []column) *sparseBins[B] {
	out := &sparseBins[B]{start: s.Start, index: s.Index, bin: make([]B, len(s.Index)), zero: make([]B, len(columns))}
	for at, j := range s.Index {
		out.bin[at] = B(columns[j].place(s.Value[at]))
	}
	for j := range columns {
		out.zero[j] = B(columns[j].place(0))
	}
	out.from, out.cells = make([]int, len(columns)+1), make([]uint64, len(s.Index))
	for _, j := range s.Index {
		out.from[j+1]++
	}
	for j := range columns {
		out.from[j+1] += out.from[j]
	}
	next := slices.Clone(out.from)
	for i := range len(s.Start) - 1 {
		for at := s.Start[i]; at < s.Start[i+1]; at++ {
			out.cells[next[s.Index[at]]] = uint64(out.bin[at])<<32 | uint64(i)
			next[s.Index[at]]++
		}
	}
	for j := range columns {
		slices.Sort(out.cells[out.from[j]:out.from[j+1]])
	}
	return out
}

// columns lays all bins out by column.
func (s *sparseBins[B]) columns(n int) []B {
	cols := make([]B, n*len(s.zero))
	for j, z := range s.zero {
		col := cols[j*n : (j+1)*n]
		for i := range col {
			col[i] = z
		}
	}
	for i := range n {
		for at := s.start[i]; at < s.start[i+1]; at++ {
			cols[int(s.index[at])*n+i] = s.bin[at]
		}
	}
	return cols
}

// rows lays all bins out by row, with a stride.
func (s *sparseBins[B]) rows(n, stride int) []B {
	rows := make([]B, n*stride)
	for i := range n {
		row := rows[i*stride:]
		copy(row, s.zero)
		for at := s.start[i]; at < s.start[i+1]; at++ {
			row[s.index[at]] = s.bin[at]
		}
	}
	return rows
}

// cell returns the bin of a row in a column.
func (s *sparseBins[B]) cell(i uint32, j int32) B {
	lo, hi := s.start[i], s.start[i+1]
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch k := s.index[mid]; {
		case k == j:
			return s.bin[mid]
		case k < j:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return s.zero[j]
}

// sparseSides judges the splits of a sparse table by Gini impurity. It looks
// only at cells that are present: what they leave of a node's sums is in the zero bin.
// In a large node it looks for the rows of a column's cells in the node, in a small
// one it first links the node's cells by column.
type sparseSides[B index] struct {
	*classSides[B]
	large   bool
	where   []uint64 // by row: node<<32 | place, of large nodes
	newest  []newest // by column, of small nodes
	node    uint32
	list    []link   // the cells of the node
	entries []uint64 // those of a column
	left    []float64
	groups  []setGroup
}

// link is a cell of a node: its bin and place, and the one before it in its
// column, -1 for none.
type link struct {
	key  uint64 // bin<<32 | place
	prev int32
}

// newest is the newest node in which a column has cells, and the newest of them
// in the node's list.
type newest struct {
	node uint32
	at   int32
}

func newSparseSides[B index](g *forester[B]) *sparseSides[B] {
	d := g.t.d
	return &sparseSides[B]{
		classSides: &classSides[B]{g: g, k: g.rows.k, exact: g.rows.weight == nil},
		newest:     make([]newest, d),
		where:      make([]uint64, len(g.t.sparse.start)-1),
		left:       make([]float64, g.rows.k),
	}
}

func (s *sparseSides[B]) start(nd *work) {
	s.square = 0
	for _, v := range nd.sums {
		s.square += v * v
	}
	nd.impure = -s.square / nd.weight
	t := s.g.t.sparse
	if s.node++; s.node == 0 { // the counter came round
		clear(s.newest)
		clear(s.where)
		s.node = 1
	}
	rows := s.g.idx[nd.lo:nd.hi]
	cells := 0
	for _, e := range rows {
		i := e >> 32
		cells += t.start[i+1] - t.start[i]
	}
	// Trying a column of a large node takes its cells in all rows; the fewer
	// cells a node has, the more columns are tried before one varies.
	tries := s.g.o.MaxFeatures * len(t.index) / s.g.t.d
	if s.large = cells > tries+tries*s.g.t.d/max(cells, 1); s.large {
		for at, e := range rows {
			s.where[e>>32] = uint64(s.node)<<32 | uint64(at)
		}
		return
	}
	if cap(s.list) < cells {
		s.list = make([]link, 2*cells)
	}
	list := s.list[:cells]
	n := int32(0)
	for at, e := range rows {
		i := e >> 32
		lo, hi := t.start[i], t.start[i+1]
		columns, bins := t.index[lo:hi], t.bin[lo:hi]
		own := list[n:][:len(columns)]
		for p, j := range columns {
			col := &s.newest[j]
			prev := col.at
			if col.node != s.node {
				prev = -1
			}
			*col = newest{s.node, n + int32(p)}
			own[p] = link{uint64(bins[p])<<32 | uint64(at), prev}
		}
		n += int32(len(columns))
	}
	s.list = list
}

func (s *sparseSides[B]) try(nd *work, features []int32) bool {
	varied := false
	for _, j := range features {
		s.entries = s.entries[:0]
		if s.large {
			t := s.g.t.sparse
			for _, c := range t.cells[t.from[j]:t.from[j+1]] {
				if w := s.where[uint32(c)]; uint32(w>>32) == s.node {
					s.entries = append(s.entries, c&^math.MaxUint32|w&math.MaxUint32)
				}
			}
		} else if s.newest[j].node == s.node {
			for at := s.newest[j].at; at >= 0; at = s.list[at].prev {
				s.entries = append(s.entries, s.list[at].key)
			}
			slices.Sort(s.entries)
		}
		if len(s.entries) == 0 {
			continue // constant: no row of the node has a cell
		}
		varied = s.one(nd, j, s.entries) || varied
	}
	return varied
}

// one judges a column by its cells in the node, bin<<32 | place, which ascend: a
// node's rows are in their order, so those of a large node do, too.
func (s *sparseSides[B]) one(nd *work, j int32, cells []uint64) bool {
	g := s.g
	gone := int32(g.t.column[j].bins())
	zero := int32(g.t.sparse.zero[j])
	// The sums of each occupied bin, in order.
	n := 0
	open := func(bin int32) {
		if n == len(s.groups) {
			s.groups = append(s.groups, setGroup{sums: make([]float64, s.k)})
		}
		grp := &s.groups[n]
		n++
		clear(grp.sums)
		*grp = setGroup{bin: bin, sums: grp.sums}
	}
	rest := setGroup{bin: zero, sums: s.left, weight: nd.weight, count: nd.count}
	copy(rest.sums, nd.sums)
	at := -1 // where the zero bin is among the groups
	for i := 0; i < len(cells); {
		bin := int32(cells[i] >> 32)
		if bin >= zero && at < 0 {
			at = n
			open(zero)
		}
		if n == 0 || s.groups[n-1].bin != bin {
			open(bin)
		}
		grp := &s.groups[n-1]
		for ; i < len(cells) && int32(cells[i]>>32) == bin; i++ {
			e := g.idx[nd.lo+int(uint32(cells[i]))]
			has := float64(e >> 8 & 0xffffff)
			grp.count++
			rest.count--
			if g.rows.weight != nil {
				has *= g.rows.weight[e>>32]
			}
			grp.weight += has
			grp.sums[e&0xff] += has
			rest.weight -= has
			rest.sums[e&0xff] -= has
		}
	}
	if at < 0 {
		at = n
		open(zero)
	}
	if rest.count > 0 {
		s.groups[at].add(&rest)
	}
	groups := s.groups[:n]
	if groups[at].count == 0 {
		groups = slices.Delete(groups, at, at+1)
		// The deleted group's buffer would be shared or lost.
		s.groups[n-1] = setGroup{sums: make([]float64, s.k)}
	}
	var missing *setGroup
	if last := len(groups) - 1; groups[last].bin == gone {
		missing = &groups[last]
		groups = groups[:last]
	}
	if len(groups) == 0 || len(groups) == 1 && missing == nil {
		return false
	}
	if missing != nil {
		s.judge(nd, j, groups, missing, true)
	}
	s.judge(nd, j, groups, missing, false)
	return true
}

// judge tries the split after each group.
func (s *sparseSides[B]) judge(nd *work, j int32, groups []setGroup, missing *setGroup, missingLeft bool) {
	g := s.g
	least := float64(g.o.MinSamplesLeaf)
	left := setGroup{sums: s.left}
	clear(left.sums)
	if missingLeft {
		left.add(missing)
	}
	last := len(groups) - 1
	for i := range groups {
		left.add(&groups[i])
		to := int32(g.t.column[j].bins())
		if i < last {
			to = groups[i+1].bin
		} else if missing == nil || missingLeft {
			break
		}
		// The arithmetic of classSides, so that ties fall alike.
		var squareL, squareR float64
		for k, l := range left.sums {
			r := nd.sums[k] - l
			squareL += l * l
			squareR += r * r
		}
		rest := nd.weight - left.weight
		if left.count < least || nd.count-left.count < least {
			continue
		}
		if squareL*rest+squareR*left.weight > g.split.score*left.weight*rest {
			score := squareL/left.weight + squareR/rest
			g.split = choice{j, groups[i].bin, to, missingLeft, missing != nil, score, nil, nil}
		}
	}
}
