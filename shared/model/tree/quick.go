package tree

import (
	"math"
	"slices"
	"sync"
)

// A kernel with vectors of 32 rows or more takes another way through an ensemble:
// the first six levels of a tree are evaluated whole for many rows, from bins
// that lie column by column, and only what is below is walked, row by row.

// quick is what an ensemble needs for that besides its nodes.
type quick struct {
	// plan and search are what Loops.Rank reads. Features that take several
	// columns are in rest, by number in the layout; restPlan ranks them into words,
	// a line of rows each, with missingRank for NaN. Features with too many edges
	// for that, in large, are ranked by this package's own loop.
	plan, restPlan []int32
	search         []float64
	rest, large    []int
	// By tree: the levels that are evaluated whole, topNodes tests of them in
	// heap order, column offset<<8 (wide: <<16) | bin, and the nodes that they
	// lead to, with a bit set for those that are no leaf.
	depth  []int
	narrow []uint32
	wide   []uint64
	start  []uint32
}

const (
	topDepth = 6
	topNodes = 1 << topDepth
	// goesOn8 and goesOn16 mark, beside its number, a node that is no leaf.
	goesOn8, goesOn16 = 1 << 16, 1 << 31
	// quickRows are rows whose bins, column by column, stay in the first-level
	// cache while trees are evaluated.
	quickRows = 256
	// quickTrees are evaluated before rows walk on below them.
	quickTrees = 32
	// turned is what Turn wants multiples of.
	turned = 8
	// searchBlock is how many edges Rank looks at together, searchLevels how
	// often it can.
	searchBlock, searchLevels = 16, 4
	missingRank               = wideSpan
)

// quick returns that form, made when it is first asked for.
func (e *Ensemble) quick() *quick {
	e.quickOnce.Do(func() {
		q := &quick{}
		q.ranks(&e.lay)
		if e.even == nil {
			q.tops(e)
		}
		e.quickForm = q
	})
	return e.quickForm
}

// ranks makes the plans.
func (q *quick) ranks(l *layout) {
	for i := range l.numeric {
		f := &l.numeric[i]
		blocks := searchTree(f.edges, searchBlock, searchLevels+1)
		if len(f.edges) >= missingRank || len(blocks) > searchLevels {
			q.large = append(q.large, i)
			continue
		}
		entry := [4 + searchLevels]int32{0: int32(f.feature), 3: int32(len(blocks))}
		for j, b := range blocks {
			entry[4+j] = int32(len(q.search) / searchBlock)
			q.search = append(q.search, b...)
		}
		switch {
		case f.right >= 0 && f.left >= 0 || len(f.edges) > l.span:
			entry[1], entry[2] = int32(len(q.rest)), missingRank
			q.rest, q.restPlan = append(q.rest, i), append(q.restPlan, entry[:]...)
			continue
		case f.right >= 0: // NaN has the highest rank on the right, the lowest on the left
			entry[1], entry[2] = int32(l.tests[f.right].column), int32(len(f.edges))
		default:
			entry[1] = int32(l.tests[f.left].column)
		}
		q.plan = append(q.plan, entry[:]...)
	}
}

// searchTree returns the edges in blocks, before them the last edge of each of
// these blocks, and so on up to a list of at most counted or to so many lists.
// Blocks are filled with +Inf, of which the last has one at least: no number is
// above all of it.
func searchTree[T float32 | float64](edges []T, counted, lists int) [][]T {
	var levels [][]T
	level := append(slices.Clone(edges), T(math.Inf(1)))
	for {
		for len(level)%searchBlock != 0 {
			level = append(level, T(math.Inf(1)))
		}
		levels = slices.Insert(levels, 0, level)
		if len(level) <= counted || len(levels) == lists {
			return levels
		}
		var above []T
		for i := searchBlock - 1; i < len(level); i += searchBlock {
			above = append(above, level[i])
		}
		level = above
	}
}

// tops makes the first levels of all trees.
func (q *quick) tops(e *Ensemble) {
	n := len(e.output) * topNodes
	q.depth, q.start = make([]int, len(e.output)), make([]uint32, n)
	if e.narrow != nil {
		q.narrow = make([]uint32, n)
	} else {
		q.wide = make([]uint64, n)
	}
	for t, root := range e.root[:len(e.output)] {
		q.depth[t] = max(1, e.depthBelow(t, root, topDepth))
		q.fill(e, t, root, 0)
	}
}

// fill writes the subtree at node i of tree t as heap node h.
func (q *quick) fill(e *Ensemble, t, i, h int) {
	threshold, col, base, inner := e.split(i)
	at, last := t*topNodes, 1<<q.depth[t]-1
	if h >= last {
		node := uint32(i - e.root[t])
		switch {
		case inner && e.narrow != nil:
			node |= goesOn8
		case inner:
			node |= goesOn16
		}
		q.start[at+h-last] = node
		return
	}
	left, right := i, i // a leaf above the last level is on both sides
	if inner {
		left, right = e.root[t]+base, e.root[t]+base+1
	} else {
		threshold, col = e.lay.span, 0
	}
	if e.narrow != nil {
		q.narrow[at+h] = uint32(col*quickRows)<<8 | uint32(threshold)
	} else {
		q.wide[at+h] = uint64(2*col*quickRows)<<16 | uint64(threshold)
	}
	q.fill(e, t, left, 2*h+1)
	q.fill(e, t, right, 2*h+2)
}

// quickRoom is what scoring a block needs: columns by quickRows rows, the same
// bins by row, what Top found for some trees, and the lists of Down.
type quickRoom[T uint8 | uint16, N uint32 | uint64, I uint16 | uint32] struct {
	columns, rows []T
	numbers       []uint8
	active        []N
	at            []I
}

var (
	narrowRooms = sync.Pool{New: func() any { return new(quickRoom[uint8, uint32, uint16]) }}
	wideRooms   = sync.Pool{New: func() any { return new(quickRoom[uint16, uint64, uint32]) }}
)

// wordRooms hold ranks of features that take several columns.
var wordRooms = sync.Pool{New: func() any { return new([]uint16) }}

// sized returns s with n elements, some of which may be what they were.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// isQuick says whether the kernel has what scoreQuick needs, and blocks of enough
// rows fit where they should.
func (e *Ensemble) isQuick() bool {
	return loops != nil && loops.Narrow != nil && e.even == nil && wideBins>>e.lay.strideBits() >= kernelRows
}

// scoreQuick adds up the leaves of n rows of x or, if that is nil, of b.
func (e *Ensemble) scoreQuick(dst, x []float64, b *Binned, n int) {
	if b == nil {
		b = &Binned{}
	}
	if e.narrow != nil {
		room := narrowRooms.Get().(*quickRoom[uint8, uint32, uint16])
		defer narrowRooms.Put(room)
		scoreBlocks(e, loops.Narrow, room, e.narrow, e.quick().narrow, blockRows, dst, x, b.narrow, n)
		return
	}
	room := wideRooms.Get().(*quickRoom[uint16, uint64, uint32])
	defer wideRooms.Put(room)
	scoreBlocks(e, loops.Wide, room, e.wide, e.quick().wide, min(blockRows, wideBins>>e.lay.strideBits()), dst, x, b.wide, n)
}

// scoreBlocks is scoreQuick for one width of nodes, block rows at a time.
func scoreBlocks[T uint8 | uint16, N uint32 | uint64, I uint16 | uint32](e *Ensemble, do *Loops[T, N, I], s *quickRoom[T, N, I], nodes, tops []N, block int, dst, x []float64, bins []T, n int) {
	q, k, d, shift := e.quick(), e.outputs, e.features, e.lay.strideBits()
	block = min(block, upTo(n, kernelRows))
	lines := upTo(max(1, len(e.lay.columns)), turned)
	area := lines * quickRows
	s.columns = sized(s.columns, upTo(block, quickRows)/quickRows*area)
	s.numbers = sized(s.numbers, quickTrees*block)
	s.active, s.at = sized(s.active, block), sized(s.at, block)
	if x != nil {
		s.rows = sized(s.rows, block<<shift)
	}
	for r := 0; r < n; r += block {
		m := min(block, n-r)
		rows := s.rows
		if x == nil {
			rows = bins[r<<shift : cap(bins)]
		}
		for i := 0; i < m; i += quickRows {
			part := min(quickRows, m-i)
			columns := s.columns[i/quickRows*area:][:area]
			if x != nil {
				rankTo(e, do, columns, 1, quickRows, x[(r+i)*d:(r+i+part)*d])
				do.Turn(rows[i<<shift:], 1<<shift, columns, quickRows, lines, upTo(part, turned))
			} else {
				do.Turn(columns, quickRows, rows[i<<shift:], 1<<shift, upTo(part, turned), lines)
			}
		}
		for g := 0; g < len(e.output); g += quickTrees {
			end := min(g+quickTrees, len(e.output))
			for i := 0; i < m; i += quickRows {
				for t := g; t < end; t++ {
					do.Top(q.depth[t], tops[t*topNodes:], s.columns[i/quickRows*area:], upTo(min(quickRows, m-i), kernelRows), s.numbers[(t-g)*block+i:])
				}
			}
			for t := g; t < end; t++ {
				from, to := e.root[t], e.root[t+1]
				do.Down(nodes[from:to], rows, shift, m, q.start[t*topNodes:], s.numbers[(t-g)*block:], s.active, s.at)
				o, values := e.addsTo(t)
				do.Leaves(dst[r*k+o:], k, e.leaf[from:to], e.table, s.at, m, values)
			}
		}
	}
}

// upTo returns n rounded up to a multiple of a power of two.
func upTo(n, of int) int { return (n + of - 1) &^ (of - 1) }

// rankRows ranks the rows of x into rows of 1<<shift bins.
func rankRows[T uint8 | uint16](e *Ensemble, dst []T, shift int, x []float64) {
	switch dst := any(dst).(type) {
	case []uint8:
		rankTo(e, loops.Narrow, dst, 1<<shift, 1, x)
	case []uint16:
		rankTo(e, loops.Wide, dst, 1<<shift, 1, x)
	}
}

// rankTo ranks the rows of x into dst, where they are next and columns are step
// apart.
func rankTo[T uint8 | uint16, N uint32 | uint64, I uint16 | uint32](e *Ensemble, do *Loops[T, N, I], dst []T, next, step int, x []float64) {
	q, l, d := e.quick(), &e.lay, e.features
	var words []uint16
	if len(q.rest) > 0 {
		room := wordRooms.Get().(*[]uint16)
		defer wordRooms.Put(room)
		*room = sized(*room, len(q.rest)*kernelRows)
		words = *room
	}
	for len(x) > 0 {
		m := min(kernelRows, len(x)/d)
		do.Rank(x, d, m, q.plan, q.search, dst, next, step)
		loops.Wide.Rank(x, d, m, q.restPlan, q.search, words, 1, kernelRows)
		for j, i := range q.rest {
			f := &l.numeric[i]
			for r, rank := range words[j*kernelRows:][:m] {
				low, high := int(rank), int(rank)
				if rank == missingRank {
					low, high = 0, len(f.edges)
				}
				place(l, dst[r*next:], step, f, low, high)
			}
		}
		for _, i := range q.large {
			f := &l.numeric[i]
			for r := range m {
				low, high := f.ranks(x[r*d+f.feature])
				place(l, dst[r*next:], step, f, low, high)
			}
		}
		placeSets(l, dst, next, step, x[:m*d], d)
		dst, x = dst[min(m*next, len(dst)):], x[m*d:]
	}
}
