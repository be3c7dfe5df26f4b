package tree

import "sync"

// alone is what the kernel needs to rank one row: the keys of all features one
// after the other, and the plan of Kernel.RankRow8.
type alone struct {
	keys []uint64
	plan []int32
}

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
	})
	return &e.aloneForm
}

// areAlone says whether n rows are so few that the kernel takes them one by one.
func (e *Ensemble) areAlone(n int) bool {
	few := fewRows
	if e.even != nil {
		few = fewEvenRows
	}
	return n < few && loops != nil && loops.RankRow8 != nil
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

// scoreAlone fills dst with the margins of x, n rows, row by row.
func (e *Ensemble) scoreAlone(dst, x []float64, n int) {
	a, s := e.alone(), aloneRooms.Get().(*aloneRoom)
	defer aloneRooms.Put(s)
	columns := max(1, len(e.lay.columns))
	s.at = sized(s.at, len(e.output))
	for r := range n {
		row, sums := e.row(x, r), dst[r*e.outputs:(r+1)*e.outputs]
		if e.lay.span == wideSpan {
			s.wide = sized(s.wide, columns)
			loops.RankRow16(row, a.plan, a.keys, s.wide)
			placeSets(&e.lay, s.wide, 0, 1, row, e.features)
			loops.Row16(e.wide, e.root, s.wide, e.leaf, e.table, e.output, sums, s.at)
			continue
		}
		s.narrow = sized(s.narrow, columns)
		loops.RankRow8(row, a.plan, a.keys, s.narrow)
		placeSets(&e.lay, s.narrow, 0, 1, row, e.features)
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
		loops.Row8(e.narrow, e.root, s.narrow, e.leaf, e.table, e.output, sums, s.at)
	}
	if e.even == nil {
		e.finish(dst)
	}
}
