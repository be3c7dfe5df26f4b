package tree

import "math"

// How leaf covers and leaf values are written; always the first that is
// exact for all leaves.
const (
	coverWhole = iota
	coverSingle
	coverDouble
)

const (
	leafCounts = iota // cover times value is a whole number
	leafSingle
	leafDouble
)

// wholeLimit bounds covers written as whole numbers; their sums are exact.
const wholeLimit = 1 << 40

// modes chooses, writing, and codes how covers and leaves are written.
func (f *format) modes() {
	if !f.reading {
		f.cover, f.leaf = f.e.coverMode(), f.e.leafMode()
	}
	f.cover = int(f.raw(2, uint64(f.cover)))
	f.leaf = int(f.raw(2, uint64(f.leaf)))
	if f.cover > coverDouble || f.leaf > leafDouble || f.leaf == leafCounts && f.e.kind == Isolation {
		f.fail("modes %d and %d", f.cover, f.leaf)
	}
	if f.leaf == leafCounts && (f.cover != coverWhole || f.e.kind != Forest || f.e.outputs < 2) {
		f.fail("counts need a forest with whole covers")
	}
}

// leaves calls use for every leaf until it returns false.
func (e *Ensemble) leaves(use func(tree, node int) bool) {
	for t := range e.output {
		for i := e.root[t]; i < e.root[t+1]; i++ {
			if _, _, _, inner := e.split(i); !inner && !use(t, i) {
				return
			}
		}
	}
}

func (e *Ensemble) coverMode() int {
	mode := coverWhole
	e.leaves(func(_, i int) bool {
		c := e.cover[i]
		if mode == coverWhole && (c != math.Trunc(c) || c >= wholeLimit) {
			mode = coverSingle
		}
		if mode == coverSingle && !isSingle(c) {
			mode = coverDouble
		}
		return mode != coverDouble
	})
	if mode == coverSingle { // the whole ones before may be too long
		e.leaves(func(_, i int) bool {
			if !isSingle(e.cover[i]) {
				mode = coverDouble
			}
			return mode == coverSingle
		})
	}
	return mode
}

func (e *Ensemble) leafMode() int {
	if e.kind == Isolation {
		return leafSingle // not used
	}
	if e.kind == Forest && e.outputs > 1 && e.coverMode() == coverWhole {
		exact := true
		e.leaves(func(_, i int) bool {
			exact = isCounts(e.table[e.leaf[i]:][:e.outputs], e.cover[i])
			return exact
		})
		if exact {
			return leafCounts
		}
	}
	for _, v := range e.table {
		if !isSingle(v) {
			return leafDouble
		}
	}
	return leafSingle
}

// isCounts says whether the values are whole counts over the cover.
func isCounts(values []float64, cover float64) bool {
	sum := 0.0
	for _, p := range values {
		m := math.Round(p * cover)
		if m/cover != p {
			return false
		}
		sum += m
	}
	return sum == cover
}
