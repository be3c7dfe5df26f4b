package grow

import (
	"math"
	"slices"

	"cloister/shared/model/tree"
)

// within is how far from 0 is what counts as finite for oblique splits, as in [tree.ObliqueTree].
const within = 1e100

// scales returns the reciprocal standard deviation of each column's finite
// values, 1 for a constant column.
func scales(data *Data, live []uint32) []float64 {
	d := data.Features
	count, sum, square := make([]float64, d), make([]float64, d), make([]float64, d)
	var room []float64
	each := func(use func(j int, v float64)) {
		for _, i := range live {
			for j, v := range data.row(&room, int(i)) {
				if math.Abs(v) <= within {
					use(j, v)
				}
			}
		}
	}
	each(func(j int, v float64) { count[j]++; sum[j] += v })
	for j := range sum {
		sum[j] /= max(1, count[j])
	}
	each(func(j int, v float64) { square[j] += float64((v - sum[j]) * (v - sum[j])) })
	out := make([]float64, d)
	for j := range out {
		if out[j] = 1 / math.Sqrt(square[j]/max(1, count[j])); !(out[j] > 0 && out[j] <= within) {
			out[j] = 1
		}
	}
	return out
}

// growOblique grows a tree of oblique splits on the rows that were drawn.
func (g *isolator) growOblique(allowed []int32) tree.ObliqueTree {
	t := tree.ObliqueTree{Start: []int32{0}}
	// Nodes in depth-first order, each finished before the next begins.
	var grow func(lo, hi, depth int) int32
	grow = func(lo, hi, depth int) int32 {
		v := int32(len(t.Left))
		t.Left, t.Right, t.Cover = append(t.Left, -1), append(t.Right, -1), append(t.Cover, float64(hi-lo))
		split := hi-lo > 1 && depth < g.o.MaxDepth && g.drawOblique(&t, lo, hi, allowed)
		t.Start = append(t.Start, int32(len(t.Feature)))
		if split {
			mid := g.partOblique(&t, v, lo, hi)
			t.Left[v] = grow(lo, mid, depth+1)
			t.Right[v] = grow(mid, hi, depth+1)
		}
		return v
	}
	grow(0, g.psi, 0)
	return t
}

// drawOblique appends what the split of a node weighs; false if no column varies.
func (g *isolator) drawOblique(t *tree.ObliqueTree, lo, hi int, features []int32) bool {
	d := g.data.Features
	first := len(t.Feature)
	for left := len(features); left > 0 && len(t.Feature)-first <= g.o.Extension; left-- {
		at := g.rng.intn(left)
		j := features[at]
		features[at], features[left-1] = features[left-1], j
		low, high := math.Inf(1), math.Inf(-1)
		for _, r := range g.rows[lo:hi] {
			if v := g.x[int(r)*d+int(j)]; math.Abs(v) <= within {
				low, high = min(low, v), max(high, v)
			}
		}
		if low < high {
			t.Feature = append(t.Feature, j)
		}
	}
	slices.Sort(t.Feature[first:])
	for _, j := range t.Feature[first:] {
		low, high := math.Inf(1), math.Inf(-1)
		for _, r := range g.rows[lo:hi] {
			if v := g.x[int(r)*d+int(j)]; math.Abs(v) <= within {
				low, high = min(low, v), max(high, v)
			}
		}
		p := low + g.rng.unit()*(high-low)
		if f := float64(float32(p)); low <= f && f <= high {
			p = f
		}
		t.Weight = append(t.Weight, g.bell())
		t.Point = append(t.Point, p)
	}
	return len(t.Feature) > first
}

// bell returns a whole number, not 0, of standard deviation 32: twelve uniform
// numbers together are nearly normal, and need no logarithm, whose bits differ
// by platform.
func (g *isolator) bell() int8 {
	sum := -6.0
	for range 12 {
		sum += g.rng.unit()
	}
	switch w := math.Round(32 * sum); {
	case w != 0:
		return int8(min(max(w, -127), 127))
	case sum < 0:
		return -1
	}
	return 1
}

// partOblique moves the rows that go left at node v before the others.
func (g *isolator) partOblique(t *tree.ObliqueTree, v int32, lo, hi int) int {
	d := g.data.Features
	mid, gone := lo, 0
	for _, r := range g.rows[lo:hi] {
		sum := 0.0
		for j := t.Start[v]; j < t.Start[v+1]; j++ {
			f := int(t.Feature[j])
			if x := g.x[int(r)*d+f]; x == x {
				x = min(max(x, -within), within)
				sum += float64(float64(t.Weight[j]) * float64(g.scale[f]*float64(x-t.Point[j])))
			}
		}
		if sum <= 0 {
			g.rows[mid] = r
			mid++
		} else {
			g.tmp[gone] = r
			gone++
		}
	}
	copy(g.rows[mid:hi], g.tmp[:gone])
	return mid
}
