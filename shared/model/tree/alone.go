package tree

import "sync"

// alone is what the kernel needs to rank one row: the keys of all features one
// after the other, and the plan of Kernel.RankRow8.
type alone struct {
	keys []uint64
	plan []int32
	// tests, values and output are what Kernel.ShallowRow reads, nil for an
	// ensemble that it does not help.
	tests  []uint8
	values []float64
	output []int32
}

const (
	// aloneTrees go down together with Kernel.ShallowRow, in rows of aloneColumns
	// bins; trees of a smaller depth are as quick on their own.
	aloneTrees, aloneColumns, aloneDepth = 16, 64, 5
)

// alone makes that form when a row first comes alone.
func (e *Ensemble) alone() *alone {
	e.aloneOnce.Do(func() {
		l, a := &e.lay, &e.aloneForm
		size := 1
		if l.span == wideSpan {
			size = 2
		}
		place := func(test int) int32 {
			if test < 0 {
				return -1
			}
			return int32(l.tests[test].column * size)
		}
		for i := range l.numeric {
			f := &l.numeric[i]
			a.plan = append(a.plan, int32(8*f.feature), int32(8*len(a.keys)), int32(4*len(f.keys)), int32(len(f.edges)),
				place(f.right), place(f.left), int32((len(f.edges)+l.span-1)/l.span), 0)
			a.keys = append(a.keys, f.keys...)
		}
		if s := e.shallow(); s != nil && e.depth >= aloneDepth && len(l.columns) <= aloneColumns {
			a.shallow(e)
		}
	})
	return &e.aloneForm
}

// shallowAlone returns the form with tests, values and output, nil without them.
func (e *Ensemble) shallowAlone() *alone {
	if loops.ShallowRow == nil || e.alone().tests == nil {
		return nil
	}
	return e.alone()
}

// shallow fills tests, values and output; trees that make up the last sixteen
// add nothing.
func (a *alone) shallow(e *Ensemble) {
	const inner, leaves = 1<<shallowDepth - 1, 1 << shallowDepth
	n := upTo(len(e.output), aloneTrees)
	a.tests, a.values, a.output = make([]uint8, 2*n*inner), make([]float64, n*leaves), make([]int32, n)
	var s shallows
	nodes := make([]uint32, inner)
	for t, o := range e.output {
		a.output[t] = max(o, 0)
		s.fill(e, t, e.root[t], 0, nodes, a.values[t*leaves:(t+1)*leaves])
		group := a.tests[t/aloneTrees*aloneTrees*2*inner:]
		for h, q := range nodes {
			at := 2*aloneTrees*h + t%aloneTrees
			group[at], group[at+aloneTrees] = uint8(q>>8/shallowRows), uint8(q)
		}
	}
}

// areAlone says whether n rows are so few that the kernel takes them one by one.
func (e *Ensemble) areAlone(n int) bool {
	few := fewRows
	if e.even != nil {
		few = fewEvenRows
	}
	return n < few && loops != nil && loops.Row8 != nil
}

// aloneRoom is what one row needs: its bins, the leaves it reaches, the sums of
// oblivious trees.
type aloneRoom struct {
	narrow []uint8
	wide   []uint16
	at     []uint32
	sums   []int32
}

var aloneRooms = sync.Pool{New: func() any { return new(aloneRoom) }}

// rankAlone ranks row with what the kernel has for it.
func rankAlone[T uint8 | uint16, N uint32 | uint64, I uint16 | uint32](e *Ensemble, many *Loops[T, N, I], one func(x []float64, plan []int32, keys []uint64, bins []T), bins []T, row []float64) {
	if many != nil {
		rankTo(e, many, bins, 0, 1, row)
		return
	}
	a := e.alone()
	one(row, a.plan, a.keys, bins)
	placeSets(&e.lay, bins, 0, 1, row, e.features)
}

// scoreAlone fills dst with the margins of x, n rows, row by row.
func (e *Ensemble) scoreAlone(dst, x []float64, n int) {
	s := aloneRooms.Get().(*aloneRoom)
	defer aloneRooms.Put(s)
	columns := max(1, len(e.lay.columns))
	s.at = sized(s.at, len(e.output))
	for r := range n {
		row, sums := e.row(x, r), dst[r*e.outputs:(r+1)*e.outputs]
		if e.lay.span == wideSpan {
			s.wide = sized(s.wide, columns)
			rankAlone(e, loops.Wide, loops.RankRow16, s.wide, row)
			loops.Row16(e.wide, e.root, s.wide, e.leaf, e.table, e.output, sums, s.at)
			continue
		}
		s.narrow = sized(s.narrow, max(columns, aloneColumns))
		rankAlone(e, loops.Narrow, loops.RankRow8, s.narrow, row)
		if v := e.even; v != nil {
			s.sums = sized(s.sums, groups(e.outputs)*evenWidth)
			clear(s.sums)
			size := v.padded() << v.depth * evenWidth
			for g := range groups(e.outputs) {
				loops.ObliviousRow(v.tests, v.depth, v.leaves[g*size:], s.narrow, len(v.levels), s.sums[g*evenWidth:])
			}
			e.evenMargin(sums, s.sums)
			continue
		}
		if a := e.shallowAlone(); a != nil {
			loops.ShallowRow(a.tests, a.values, s.narrow, a.output, sums)
			continue
		}
		if whole := e.shallow(); loops.PermutedRow != nil && whole != nil && whole.alone != nil {
			loops.PermutedRow(whole.alone, whole.depth, whole.values, e.output, s.narrow, sums)
			continue
		}
		loops.Row8(e.narrow, e.root, s.narrow, e.leaf, e.table, e.output, sums, s.at)
	}
	if e.even == nil {
		e.finish(dst)
	}
}
