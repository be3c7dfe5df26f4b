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
	leafWeighted // since version 2: counts times class weights, which give the cover, too
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
	if f.leaf == leafWeighted && f.cover != coverWhole || !f.third && (f.leaf == leafWeighted) != f.second {
		f.fail("modes %d and %d of this version", f.cover, f.leaf)
	}
	if f.leaf == leafWeighted {
		f.weights()
		return
	}
	if f.cover > coverDouble || f.leaf == leafCounts && f.e.kind == Isolation {
		f.fail("modes %d and %d", f.cover, f.leaf)
	}
	if f.leaf == leafCounts && (f.cover != coverWhole || f.e.kind != Forest || f.e.outputs < 2) {
		f.fail("counts need a forest with whole covers")
	}
}

// weights codes the class weights.
func (f *format) weights() {
	e := f.e
	if f.reading {
		e.weights = make([]float64, e.outputs)
	}
	for k := range e.weights {
		w := math.Float64frombits(f.raw(64, math.Float64bits(e.weights[k])))
		if !(w > 0 && w <= maxValue) || f.broken {
			f.fail("class weight %g", w)
			return
		}
		e.weights[k] = w
	}
	if e.kind != Forest || e.outputs < 2 {
		f.fail("class weights of a %v", e.kind)
	}
}

// countsOf fills counts with the rows of each class in a leaf of these values,
// if they and the weights give them exactly.
func countsOf(counts, values []float64, cover float64, weights []float64) bool {
	sum, rows := 0.0, 0.0
	for k, v := range values {
		n := math.Round(v * cover / weights[k])
		counts[k] = n
		sum += float64(n * weights[k])
		rows += n
	}
	if sum != cover || !(rows >= 1 && rows < wholeLimit) {
		return false
	}
	for k, v := range values {
		if float64(counts[k]*weights[k])/cover != v {
			return false
		}
	}
	return true
}

// valuesOf is the inverse of countsOf, and returns the cover.
func valuesOf(values, counts, weights []float64) (cover float64) {
	for k, n := range counts {
		cover += float64(n * weights[k])
	}
	for k, n := range counts {
		values[k] = float64(n*weights[k]) / cover
	}
	return cover
}

// isWeighted says whether all leaves are counts times weights.
func (e *Ensemble) isWeighted(weights []float64) bool {
	exact, counts := true, make([]float64, e.outputs)
	e.leaves(func(_, i int) bool {
		exact = countsOf(counts, e.table[e.leaf[i]:][:e.outputs], e.cover[i], weights)
		return exact
	})
	return exact
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
	if e.weights != nil {
		return coverWhole // counts
	}
	return e.plainCoverMode()
}

// plainCoverMode is coverMode without class weights.
func (e *Ensemble) plainCoverMode() int {
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
	if e.weights != nil {
		return leafWeighted
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
