package tree

import (
	"math"
	"slices"
)

// ranking is what Kernel.Rank8 and its like read: see there for the plan. Features
// that they cannot rank are in rest, by number in the layout.
type ranking struct {
	plan   []int32
	search []float32
	edges  []float64
	rest   []int
}

const (
	// rankGroup is how many rows the kernel ranks together, and the least it can.
	rankGroup = 16
	// rankValues is about how many values are ranked by all features before the next:
	// they stay in the first-level cache.
	rankValues = 4096
	// countedEdges are compared one by one; more are searched in blocks, rankLevels
	// times at most.
	countedEdges = 3 * searchBlock
	rankLevels   = 3
	// rankRun is how many edges may be one as float32.
	rankRun = 8
	// rankWords are those of a feature in the plan, rankRoom what a call needs.
	rankWords, rankRoom = 8, 2 * rankGroup
)

// ranking returns that form, made when it is first asked for.
func (e *Ensemble) ranking() *ranking {
	e.rankingOnce.Do(func() {
		for i := range e.lay.numeric {
			e.rankingForm.add(&e.lay, i)
		}
	})
	return &e.rankingForm
}

// add plans feature i of l. It is left to other loops if it has two tests or
// several columns, or more than a few edges that are one as float32: rows between
// those are compared with one after the other.
func (k *ranking) add(l *layout, i int) {
	f := &l.numeric[i]
	test, missing := f.left, 0
	if f.right >= 0 { // NaN has the highest rank on the right, the lowest on the left
		test, missing = f.right, len(f.edges)
	}
	down := make([]float32, len(f.edges))
	for j, v := range f.edges {
		down[j] = roundDown(v)
	}
	if f.right >= 0 && f.left >= 0 || len(f.edges) > l.span || longestRun(down) > rankRun {
		k.rest = append(k.rest, i)
		return
	}
	entry := [rankWords]int32{int32(8 * f.feature), int32(l.tests[test].column), int32(missing), 7: int32(8 * len(k.edges))}
	for j, level := range searchTree(down, countedEdges, rankLevels) {
		at := int32(4 * len(k.search))
		if j == 0 {
			counted := slices.Index(level, float32(math.Inf(1)))
			entry[3], entry[4] = int32(upTo(counted, 4)), at
		} else {
			entry[4+j] = at
		}
		k.search = append(k.search, level...)
	}
	k.edges = append(append(k.edges, f.edges...), math.Inf(1))
	k.plan = append(k.plan, entry[:]...)
}

// longestRun returns how many values of a sorted list are the same.
func longestRun(list []float32) int {
	most := 0
	for i := range list {
		if list[i] == list[i-most] {
			most++
		}
	}
	return most
}

// roundDown returns the largest float32 that is not above v.
func roundDown(v float64) float32 {
	if f := float32(v); float64(f) <= v {
		return f
	}
	return math.Nextafter32(float32(v), float32(math.Inf(-1)))
}

// rankFast ranks the features of the plan with the kernel, rows at a time, of
// which x has rankGroup or more; with columns, dst is column by column, else row
// by row, step bins apart.
func rankFast[T uint8 | uint16](e *Ensemble, dst []T, step int, columns bool, x []float64) {
	k, d := e.ranking(), e.features
	together := max(rankGroup, rankValues/d&^(rankGroup-1))
	var room [rankRoom]uint32
	for len(x) > 0 {
		m := len(x) / d
		if m >= together+rankGroup {
			m = together
		}
		next := m * step
		switch dst := any(dst).(type) {
		case []uint8:
			if columns {
				next = m
				loops.Rank8(x, d, m, k.plan, k.search, k.edges, dst, step, room[:])
			} else {
				loops.RankRows8(x, d, m, k.plan, k.search, k.edges, dst, step, room[:])
			}
		case []uint16:
			loops.RankRows16(x, d, m, k.plan, k.search, k.edges, dst, step, room[:])
		}
		dst, x = dst[min(next, len(dst)):], x[m*d:]
	}
}
