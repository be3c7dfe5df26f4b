package tree

import (
	"math"
	"slices"
	"sync"
)

// Alone is an ensemble in the form in which ForestRow, ShallowRow and EvenRow of a
// [Kernel] read it.
type Alone struct {
	// Plan says how a row is ranked. It has how many features there are and, for
	// each, the byte offset of its value in a row, the rank of NaN in a test that
	// sends it right, the places of its ranks for tests that send it right and
	// left among two bytes a test, the place of its edges, how many blocks of sixteen
	// the first list of its search has, the place of that list, those of the
	// others, and 0. Edges end in +Inf, as do the lists of Search, which are those of
	// searchTree with edges rounded down. Places are bytes.
	Plan   []int32
	Search []float32
	Edges  []float64
	// Columns are, for those that read bins, two a column: the place of its rank,
	// and what to take off before it is cut to a byte.
	Columns []int32
	// Nodes are, for ForestRow, threshold, rank<<16, address of the children<<32: one
	// of a leaf is 65535 and the address of its record, which is such a leaf itself and
	// the values after it. Roots are addresses of the trees' roots, and aloneAbreast+1
	// times that of a node without end.
	Nodes []uint64
	Roots []uint32
	Trees int
	// Output says which sum a tree adds its one value to; nil for ForestRow if leaves
	// have one for each sum.
	Output []int32
	// Tests are by group of sixteen trees and by node in heap order sixteen columns and
	// sixteen thresholds, those of left children as what differs from those of right
	// ones (see parted): for ShallowRow of six levels, which lead to one of 64 Values
	// a tree; for ForestRow, if there are any, of four, which lead to one of 16 Starts a
	// tree, addresses of nodes that become the roots in AloneRoom.
	Tests  []uint8
	Values []float64
	Starts []uint32

	way aloneWay
}

// AloneRoom is what one row needs: its ranks and bins, the nodes that it goes down
// from and the leaves it reaches, the sums of oblivious trees.
type AloneRoom struct {
	Ranks     []uint16
	Bins      []uint8
	Roots, At []uint32
	Sums      []int32
}

// aloneWay is which function of the kernel scores one row.
type aloneWay uint8

const (
	aloneByGo aloneWay = iota
	aloneForest
	aloneShallow
	aloneEven
)

const (
	// aloneTrees go down together with Kernel.ShallowRow, in rows of aloneColumns
	// bins; trees of a smaller depth are as quick on their own.
	aloneTrees, aloneColumns, aloneDepth = 16, 64, 5
	// aloneAbreast is how many trees a row goes down together with Kernel.ForestRow,
	// aloneTop how many of their levels are evaluated first, if there are topTrees.
	aloneAbreast, aloneTop, topTrees = 12, 4, 8
	// nodeBytes is the size of a node there, nodeLine how many a cache line has.
	nodeBytes, nodeLine = 8, 8
)

// alone makes that form when a row first comes alone.
func (e *Ensemble) alone() *Alone {
	e.aloneOnce.Do(func() {
		a := &e.aloneForm
		if e.Trees() == 0 || e.isMixed() || !a.ranks(&e.lay) {
			return
		}
		switch {
		case e.even != nil:
			a.way = aloneEven
			a.columns(&e.lay)
		case e.shallow() != nil && e.depth >= aloneDepth && len(e.lay.columns) <= aloneColumns:
			a.way = aloneShallow
			a.columns(&e.lay)
			a.shallow(e)
		default:
			a.way = aloneForest
			a.forest(e)
			if e.narrow != nil && len(e.lay.columns) <= aloneColumns && a.Trees >= topTrees {
				a.columns(&e.lay)
				a.tops(e)
			}
		}
	})
	return &e.aloneForm
}

// isMixed says whether some leaves have a value for every output and others one.
func (e *Ensemble) isMixed() bool {
	return e.outputs > 1 && slices.Contains(e.output, -1) && slices.Max(e.output) >= 0
}

// ranks plans how rows are ranked, features with fewer lists first, so that
// branches are foreseen; it returns false if a rank may not fit in two bytes.
func (a *Alone) ranks(l *layout) bool {
	none := len(l.tests) // where ranks go that no test asks for
	place := func(test int) int32 {
		if test < 0 {
			test = none
		}
		return int32(2 * test)
	}
	var plans [][]int32 // by lists less one
	for i := range l.numeric {
		f := &l.numeric[i]
		if len(f.edges) > wideSpan {
			return false
		}
		down := make([]float32, len(f.edges))
		for j, v := range f.edges {
			down[j] = roundDown(v)
		}
		lists := searchTree(down, countedEdges, len(f.edges))
		for len(plans) < len(lists) {
			plans = append(plans, nil)
		}
		plan := append(plans[len(lists)-1], int32(8*f.feature), int32(len(f.edges)), place(f.right), place(f.left), int32(8*len(a.Edges)), int32(len(lists[0])/searchBlock))
		for _, list := range lists {
			plan = append(plan, int32(4*len(a.Search)))
			a.Search = append(a.Search, list...)
		}
		plans[len(lists)-1] = append(plan, 0)
		a.Edges = append(append(a.Edges, f.edges...), math.Inf(1))
	}
	a.Plan = []int32{int32(len(l.numeric))}
	for _, plan := range plans {
		a.Plan = append(a.Plan, plan...)
	}
	return true
}

// columns plans how ranks become bins.
func (a *Alone) columns(l *layout) {
	for _, c := range l.columns {
		a.Columns = append(a.Columns, int32(2*c.test), int32(c.piece*l.span))
	}
}

// shallow fills Tests, Values and Output; trees that make up the last sixteen
// add nothing.
func (a *Alone) shallow(e *Ensemble) {
	const inner, leaves = 1<<shallowDepth - 1, 1 << shallowDepth
	n := upTo(len(e.output), aloneTrees)
	a.Tests, a.Values, a.Output = make([]uint8, 2*n*inner), make([]float64, n*leaves), make([]int32, n)
	var s shallows
	nodes := make([]uint32, inner)
	for t, o := range e.output {
		a.Output[t] = max(o, 0)
		s.fill(e, t, e.root[t], 0, nodes, a.Values[t*leaves:(t+1)*leaves])
		group := a.Tests[t/aloneTrees*aloneTrees*2*inner:]
		for h, q := range nodes {
			at := 2*aloneTrees*h + t%aloneTrees
			group[at], group[at+aloneTrees] = uint8(q>>8/shallowRows), uint8(q)
		}
	}
	parted(a.Tests, shallowDepth)
}

// parted makes tests of so many levels choices that take two instructions: who goes
// right finds the right half of a level's nodes, who goes left what they differ in
// from the left half, as well, and so on in each half.
func parted(tests []uint8, levels int) {
	const node = 2 * aloneTrees
	for ; len(tests) > 0; tests = tests[node*(1<<levels-1):] {
		for level := range levels {
			nodes := tests[node*(1<<level-1):][:node<<level]
			for half := node; half < len(nodes); half *= 2 {
				for i := range nodes {
					if i&half == 0 {
						nodes[i] ^= nodes[i+half]
					}
				}
			}
		}
	}
}

// forest fills Nodes, Roots and Output. Nodes are the roots, one without end, the
// children of all trees, two by two, and the records.
func (a *Alone) forest(e *Ensemble) {
	trees, width := len(e.output), e.outputs
	a.Trees = trees
	if e.outputs == 1 || slices.Max(e.output) >= 0 {
		width = 1
		a.Output = make([]int32, trees)
		for t, o := range e.output {
			a.Output[t] = max(o, 0)
		}
	}
	first := upTo(trees+2, nodeLine)
	end := first + len(e.leaf) - trees
	record := make([]uint32, len(e.table)) // by offset in the table
	for i, off := range e.leaf {
		if _, _, _, inner := e.split(i); !inner && record[off] == 0 {
			record[off] = uint32(end)
			end += 1 + width
		}
	}
	a.Nodes = make([]uint64, end)
	p := planting{e: e, nodes: a.Nodes, from: loops.Place(a.Nodes), record: record, free: first}
	for off, at := range record {
		if at == 0 {
			continue
		}
		a.Nodes[at] = wideSpan | p.address(int(at))
		for j, v := range e.table[off : off+width] {
			a.Nodes[int(at)+1+j] = math.Float64bits(v)
		}
	}
	endless := p.address(trees)
	a.Nodes[trees], a.Nodes[trees+1] = endless, endless
	for t := range trees {
		p.tree(t)
		a.Roots = append(a.Roots, uint32(p.address(t)>>32))
	}
	for range aloneAbreast + 1 {
		a.Roots = append(a.Roots, uint32(endless>>32))
	}
}

// tops fills Tests and Starts; trees that make up the last sixteen lead to the node
// without end.
func (a *Alone) tops(e *Ensemble) {
	n := upTo(a.Trees, aloneTrees)
	a.Tests = make([]uint8, 2*n*(1<<aloneTop-1))
	a.Starts = make([]uint32, n<<aloneTop)
	for i := range a.Starts {
		a.Starts[i] = a.Roots[a.Trees]
	}
	for t := range a.Trees {
		a.top(e, t, e.root[t], 0, a.Roots[t])
	}
	parted(a.Tests, aloneTop)
}

// top fills them for node i of tree t, which has the place h in the heap and lies at
// an address.
func (a *Alone) top(e *Ensemble, t, i, h int, address uint32) {
	const last = 1<<aloneTop - 1
	if h >= last {
		a.Starts[t<<aloneTop+h-last] = address
		return
	}
	left, right, leftAt, rightAt := i, i, address, address // a leaf above the last level is on both sides
	threshold, col, base, inner := e.split(i)
	if inner {
		left, right = e.root[t]+base, e.root[t]+base+1
		leftAt = uint32(a.Nodes[(address-a.Roots[0])/nodeBytes] >> 32)
		rightAt = leftAt + nodeBytes
	} else {
		threshold, col = narrowSpan, 0
	}
	group := a.Tests[t/aloneTrees*aloneTrees*2*last:]
	at := 2*aloneTrees*h + t%aloneTrees
	group[at], group[at+aloneTrees] = uint8(col), uint8(threshold)
	a.top(e, t, left, 2*h+1, leftAt)
	a.top(e, t, right, 2*h+2, rightAt)
}

// planting puts the nodes of trees where a row that comes alone finds them
// sooner: children that many rows go to lie in the cache line of their parents.
type planting struct {
	e      *Ensemble
	nodes  []uint64
	from   uint32 // address of the first
	record []uint32
	free   int // from here on
	wait   []waiting
}

// waiting is an inner node whose children have no place yet.
type waiting struct {
	node, at int
	cover    float64
}

// address returns that of the node at place i, in the upper half.
func (p *planting) address(i int) uint64 { return (uint64(p.from) + nodeBytes*uint64(i)) << 32 }

// put writes node i at place at: a leaf whole, an inner node to be completed.
func (p *planting) put(i, at int) {
	if _, _, _, inner := p.e.split(i); inner {
		p.wait = append(p.wait, waiting{i, at, p.e.cover[i]})
		return
	}
	p.nodes[at] = wideSpan | p.address(int(p.record[p.e.leaf[i]]))
}

// tree places tree t. What fills a line are the children of the node that it begins
// with, then those of whichever node in it has the most cover; the others wait, and
// the next line begins with the last that has the most.
func (p *planting) tree(t int) {
	e := p.e
	p.put(e.root[t], t)
	for len(p.wait) > 0 {
		here := len(p.wait) - 1
		for {
			w := p.wait[len(p.wait)-1]
			p.wait = p.wait[:len(p.wait)-1]
			threshold, col, base, _ := e.split(w.node)
			c := e.lay.columns[col]
			p.nodes[w.at] = uint64(threshold+c.piece*e.lay.span) | uint64(c.test)<<16 | p.address(p.free)
			for i := range 2 {
				p.put(e.root[t]+base+i, p.free+i)
				for j := len(p.wait) - 1; j > here && p.wait[j].cover < p.wait[j-1].cover; j-- {
					p.wait[j], p.wait[j-1] = p.wait[j-1], p.wait[j]
				}
			}
			if p.free += 2; p.free%nodeLine == 0 || here == len(p.wait) {
				break
			}
		}
	}
}

// areAlone says whether n rows are so few that the kernel takes them one by one.
func (e *Ensemble) areAlone(n int) bool {
	few := fewRows
	if e.even != nil {
		few = fewEvenRows
	}
	return n < few && loops != nil && (loops.Row8 != nil || loops.ForestRow != nil && e.alone().way != aloneByGo)
}

var aloneRooms = sync.Pool{New: func() any { return new(AloneRoom) }}

// scoreAlone fills dst with the margins of x, n rows, row by row.
func (e *Ensemble) scoreAlone(dst, x []float64, n int) {
	s := aloneRooms.Get().(*AloneRoom)
	defer aloneRooms.Put(s)
	for r := range n {
		row, sums := e.row(x, r), dst[r*e.outputs:(r+1)*e.outputs]
		if e.even != nil {
			s.Sums = sized(s.Sums, groups(e.outputs)*evenWidth)
			clear(s.Sums)
		}
		if loops.ForestRow != nil {
			e.aloneWhole(s, row, sums)
		} else {
			e.aloneRow(s, row, sums)
		}
		if e.even != nil {
			e.evenMargin(sums, s.Sums)
		}
	}
	if e.even == nil {
		e.finish(dst)
	}
}

// aloneWhole scores one row with one call; the form is there since areAlone.
func (e *Ensemble) aloneWhole(s *AloneRoom, row, sums []float64) {
	a, l := &e.aloneForm, &e.lay
	s.Ranks = sized(s.Ranks, len(l.tests)+1)
	for i := range l.sets {
		s.Ranks[len(l.tests)-len(l.sets)+i] = uint16(l.sets[i].bin(row[l.sets[i].feature]))
	}
	switch a.way {
	case aloneForest:
		s.At = sized(s.At, len(a.Roots))
		if a.Starts != nil {
			s.Bins = sized(s.Bins, aloneColumns)
			s.Roots = sized(s.Roots, max(len(a.Roots), upTo(a.Trees, aloneTrees)))
			copy(s.Roots[a.Trees:], a.Roots[a.Trees:])
		}
		loops.ForestRow(a, row, s, sums)
	case aloneShallow:
		s.Bins = sized(s.Bins, aloneColumns)
		loops.ShallowRow(a, row, s, sums)
	default:
		s.Bins = sized(s.Bins, len(l.columns))
		loops.EvenRow(a, row, s, e.even.tests, e.even.depth, e.even.leaves, e.even.padded())
	}
}

// aloneRow scores one row with a call to rank it and others to go down the trees.
func (e *Ensemble) aloneRow(s *AloneRoom, row, sums []float64) {
	columns := max(1, len(e.lay.columns))
	s.At = sized(s.At, len(e.output))
	if e.lay.span == wideSpan {
		s.Ranks = sized(s.Ranks, columns)
		rankTo(e, loops.Wide, s.Ranks, 0, 1, row)
		loops.Row16(e.wide, e.root, s.Ranks, e.leaf, e.table, e.output, sums, s.At)
		return
	}
	s.Bins = sized(s.Bins, max(columns, aloneColumns))
	rankTo(e, loops.Narrow, s.Bins, 0, 1, row)
	if v := e.even; v != nil {
		size := v.padded() << v.depth * evenWidth
		for g := range groups(e.outputs) {
			loops.ObliviousRow(v.tests, v.depth, v.leaves[g*size:], s.Bins, len(v.levels), s.Sums[g*evenWidth:])
		}
		return
	}
	if whole := e.shallow(); loops.PermutedRow != nil && whole != nil && whole.alone != nil {
		loops.PermutedRow(whole.alone, whole.depth, whole.values, e.output, s.Bins, sums)
		return
	}
	loops.Row8(e.narrow, e.root, s.Bins, e.leaf, e.table, e.output, sums, s.At)
}
