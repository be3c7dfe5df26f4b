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
	// Words are, for ForestRow, the values of leaves, float64, and paths, as package
	// kernel's forestRow reads them, the first at Paths.
	Words []uint32
	Paths int
	Trees int
	// Output says which sum a tree adds its one value to; nil for ForestRow if leaves
	// have one for each sum, which are Width.
	Output []int32
	Width  int
	// Tests are by group of sixteen trees and by node in heap order sixteen columns and
	// sixteen thresholds, those of left children as what differs from those of right
	// ones (see parted): for ShallowRow of six levels, which lead to one of 64 Values
	// a tree; for ForestRow, if there are any, of four, which lead to one of 16 Starts a
	// tree, addresses of paths.
	Tests  []uint8
	Values []float64
	Starts []uint32
	// Asks, Depth and Leaves are those of oblivious trees, Trees of them, as
	// Kernel.Oblivious has them.
	Asks   []uint32
	Depth  int
	Leaves []int16

	// Ranks, Bins, Visits and Sums are room for a row: its ranks, those of category sets
	// there before, then a 0, and for ForestRow as many again; its bins; by tree the addresses
	// of the first path, to be found if there are Starts, and of the values of the leaf that
	// it reaches, with aloneAbreast+1 paths that lead to themselves after the last
	// tree's; the sums of oblivious trees, which begin at 0.
	Ranks  []uint16
	Bins   []uint8
	Visits []uint32
	Sums   []int32

	// score ranks a row and adds to sums, or Sums, what its leaves have; nil for
	// ensembles that are for Go's loops.
	score func(x, sums []float64)
}

const (
	// aloneTrees go down together with Kernel.ShallowRow, in rows of aloneColumns
	// bins; trees of a smaller depth are as quick on their own.
	aloneTrees, aloneColumns, aloneDepth = 16, 64, 5
	// aloneAbreast is how many trees a row goes down together with Kernel.ForestRow,
	// aloneTop how many of their levels are evaluated first, if there are topTrees.
	aloneAbreast, aloneTop, topTrees = 6, 4, 8
	// rankLine is how many ranks are together in a vector.
	rankLine = 8
)

// alone makes that form when a row first comes alone.
func (e *Ensemble) alone() *Alone {
	e.aloneOnce.Do(func() {
		a := &e.aloneForm
		if e.Trees() == 0 || e.isMixed() || !a.ranks(&e.lay) {
			return
		}
		a.Ranks = make([]uint16, 2*upTo(len(e.lay.tests)+2, rankLine))
		switch {
		case e.even != nil:
			a.columns(&e.lay)
			a.Asks, a.Depth, a.Leaves, a.Trees = e.even.tests, e.even.depth, e.even.leaves, e.even.padded()
			a.Sums = make([]int32, groups(e.outputs)*evenWidth)
			a.score = loops.EvenRow(a)
		case e.shallow() != nil && e.depth >= aloneDepth && len(e.lay.columns) <= aloneColumns:
			a.columns(&e.lay)
			a.shallow(e)
			a.score = loops.ShallowRow(a)
		default:
			if a.forest(e) {
				a.score = loops.ForestRow(a)
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
	a.Bins = make([]uint8, max(aloneColumns, len(l.columns)))
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
		for h, q := range nodes {
			a.ask(t, h, inner, int(q>>8/shallowRows), int(q&narrowSpan))
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

// tops fills Tests for the first levels of forests, and returns the nodes that those
// lead to, 1<<aloneTop a tree.
func (a *Alone) tops(e *Ensemble) []int {
	a.columns(&e.lay)
	a.Tests = make([]uint8, 2*upTo(a.Trees, aloneTrees)*(1<<aloneTop-1))
	below := make([]int, a.Trees<<aloneTop)
	for t := range a.Trees {
		a.top(e, t, e.root[t], 0, below[t<<aloneTop:])
	}
	parted(a.Tests, aloneTop)
	return below
}

// top fills them for node i of tree t, which has the place h in the heap, and the tree's
// part of below. A leaf above the last level is on both sides.
func (a *Alone) top(e *Ensemble, t, i, h int, below []int) {
	const inner = 1<<aloneTop - 1
	if h >= inner {
		below[h-inner] = i
		return
	}
	left, right := i, i
	threshold, col, base, isInner := e.split(i)
	if isInner {
		left, right = e.root[t]+base, e.root[t]+base+1
	} else {
		threshold, col = narrowSpan, 0
	}
	a.ask(t, h, inner, col, threshold)
	a.top(e, t, left, 2*h+1, below)
	a.top(e, t, right, 2*h+2, below)
}

// ask writes a test at the place h in the heap of tree t, which has so many inner nodes.
func (a *Alone) ask(t, h, inner, column, threshold int) {
	group := a.Tests[t/aloneTrees*aloneTrees*2*inner:]
	at := 2*aloneTrees*h + t%aloneTrees
	group[at], group[at+aloneTrees] = uint8(column), uint8(threshold)
}

// areAlone says whether n rows are so few that the kernel takes them one by one.
func (e *Ensemble) areAlone(n int) bool {
	few := fewRows
	if e.even != nil {
		few = fewEvenRows
	}
	return n < few && loops != nil && (loops.Row8 != nil || loops.ForestRow != nil && e.alone().score != nil)
}

// scoreAlone fills dst with the margins of x, n rows, row by row.
func (e *Ensemble) scoreAlone(dst, x []float64, n int) {
	for r := range n {
		row, sums := e.row(x, r), dst[r*e.outputs:(r+1)*e.outputs]
		if loops.ForestRow != nil {
			e.aloneWhole(row, sums)
		} else {
			e.aloneRow(row, sums)
		}
	}
	if e.even == nil {
		e.finish(dst)
	}
}

// aloneWhole scores one row with one call; the form is there since areAlone.
func (e *Ensemble) aloneWhole(row, sums []float64) {
	a, l := &e.aloneForm, &e.lay
	for i := range l.sets {
		a.Ranks[len(l.tests)-len(l.sets)+i] = uint16(l.sets[i].bin(row[l.sets[i].feature]))
	}
	clear(a.Sums)
	a.score(row, sums)
	if e.even != nil {
		e.evenMargin(sums, a.Sums)
	}
}

// aloneRoom is what one row needs where a call ranks it and others go down the trees.
type aloneRoom struct {
	ranks []uint16
	bins  []uint8
	at    []uint32
	sums  []int32
}

var aloneRooms = sync.Pool{New: func() any { return new(aloneRoom) }}

// aloneRow scores one row with a call to rank it and others to go down the trees.
func (e *Ensemble) aloneRow(row, sums []float64) {
	s := aloneRooms.Get().(*aloneRoom)
	defer aloneRooms.Put(s)
	columns := max(1, len(e.lay.columns))
	s.at = sized(s.at, len(e.output))
	if e.lay.span == wideSpan {
		s.ranks = sized(s.ranks, columns)
		rankTo(e, loops.Wide, s.ranks, 0, 1, row)
		loops.Row16(e.wide, e.root, s.ranks, e.leaf, e.table, e.output, sums, s.at)
		return
	}
	s.bins = sized(s.bins, max(columns, aloneColumns))
	rankTo(e, loops.Narrow, s.bins, 0, 1, row)
	if v := e.even; v != nil {
		s.sums = sized(s.sums, groups(e.outputs)*evenWidth)
		clear(s.sums)
		size := v.padded() << v.depth * evenWidth
		for g := range groups(e.outputs) {
			loops.ObliviousRow(v.tests, v.depth, v.leaves[g*size:], s.bins, len(v.levels), s.sums[g*evenWidth:])
		}
		e.evenMargin(sums, s.sums)
		return
	}
	if whole := e.shallow(); loops.PermutedRow != nil && whole != nil && whole.alone != nil {
		loops.PermutedRow(whole.alone, whole.depth, whole.values, e.output, s.bins, sums)
		return
	}
	loops.Row8(e.narrow, e.root, s.bins, e.leaf, e.table, e.output, sums, s.at)
}
