package grow

import (
	"context"
	"math"
	"sync"

	"cloister/shared/model/tree"
)

// booster grows the trees of one boosting run, one at a time.
type booster[B index] struct {
	t       *table[B]
	task    *task
	o       *BoostOptions
	threads int
	plain   bool // no alpha, delta step or monotone column: gains need no leaf values

	rng      *stream
	idx, tmp []uint32 // rows that take part, each node a range
	absent   []bool   // rows that the sample left out; nil for none
	columns  []int32  // that the tree may use
	levels   [][]int32
	spare    []*histogram
	scratch  []int32

	packed []int64 // of the tree's output
	nodes  []binNode
	depth  int        // of the tree
	sets   [][]uint64 // a bin set for each categorical split, else nil
	lower  []float64  // bounds of leaf values by node, when a column is monotone
	upper  []float64
	leaves []uint32 // the leaf of each row
	sums   []float64

	out   tree.SourceTree
	gains []float64
}

// twig is a node that may still be split.
type twig struct {
	lo, hi       int
	slot         int32
	depth        int
	sum          int64 // packed derivatives of its rows
	hist         *histogram
	lower, upper float64
	split        cutting
}

// cutting is a split of a twig.
type cutting struct {
	feature     int32
	from, to    int32 // as in choice
	missingLeft bool
	seen        bool
	gain        float64
	left        int64    // packed derivatives of the left rows
	set         []uint64 // bins of a categorical split that go left
}

func newBooster[B index](t *table[B], task *task, o *BoostOptions, threads int) *booster[B] {
	g := &booster[B]{t: t, task: task, o: o, threads: threads}
	g.plain = o.Alpha == 0 && o.MaxDeltaStep == 0 && o.Monotone == nil
	g.idx, g.tmp = make([]uint32, 0, t.n), make([]uint32, t.n)
	g.leaves = make([]uint32, t.n)
	return g
}

// grow grows the tree of an output for a round into g.out.
func (g *booster[B]) grow(ctx context.Context, round uint64, output int) error {
	g.rng = newStream(g.o.Seed, round*MaxClasses+uint64(output))
	g.packed = g.task.packed[output]
	g.out = tree.SourceTree{Output: output}
	g.gains = make([]float64, g.t.d)
	g.nodes, g.sets, g.depth = g.nodes[:0], g.sets[:0], 0
	g.lower, g.upper = g.lower[:0], g.upper[:0]
	g.chooseColumns()
	g.chooseRows()
	root := twig{hi: len(g.idx), lower: math.Inf(-1), upper: math.Inf(1)}
	for _, i := range g.idx {
		root.sum += g.packed[i]
	}
	g.add(&root)
	if err := g.split(ctx, root); err != nil {
		return err
	}
	g.settle(output)
	return nil
}

// chooseRows fills idx with the rows that take part and have a derivative
// that is not rounded to zero.
func (g *booster[B]) chooseRows() {
	g.idx = g.idx[:0]
	if g.o.Subsample == 1 {
		for i, v := range g.packed {
			if v != 0 {
				g.idx = append(g.idx, uint32(i))
			}
		}
		return
	}
	if g.absent == nil {
		g.absent = make([]bool, g.t.n)
	}
	for i, v := range g.packed {
		g.absent[i] = g.rng.unit() >= g.o.Subsample
		if v != 0 && !g.absent[i] {
			g.idx = append(g.idx, uint32(i))
		}
	}
}

// chooseColumns draws the columns of the tree.
func (g *booster[B]) chooseColumns() {
	g.columns = g.columns[:0]
	for j := range g.t.d {
		if g.t.column[j].bins() > 1 || g.t.column[j].missing {
			g.columns = append(g.columns, int32(j))
		}
	}
	g.columns = g.pick(g.columns, g.o.ColsampleTree)
	g.levels = g.levels[:0]
}

// pick keeps a share of the columns, at least one, in their order.
func (g *booster[B]) pick(columns []int32, share float64) []int32 {
	if share == 1 || len(columns) == 0 {
		return columns
	}
	keep := max(1, int(share*float64(len(columns))))
	out := make([]int32, 0, keep)
	for i, j := range columns {
		// Selection sampling (Knuth, algorithm 3.4.2 S).
		if g.rng.intn(len(columns)-i) < keep-len(out) {
			out = append(out, j)
		}
	}
	return out
}

// candidates returns the columns a node may use.
func (g *booster[B]) candidates(depth int) []int32 {
	for len(g.levels) <= depth {
		g.levels = append(g.levels, g.pick(g.columns, g.o.ColsampleLevel))
	}
	return g.pick(g.levels[depth], g.o.ColsampleNode)
}

// add gives a node its slot.
func (g *booster[B]) add(nd *twig) {
	t := &g.out
	nd.slot = int32(len(t.Left))
	t.Feature = append(t.Feature, -1)
	t.Threshold = append(t.Threshold, 0)
	t.MissingLeft = append(t.MissingLeft, false)
	t.Left, t.Right = append(t.Left, -1), append(t.Right, -1)
	g.depth = max(g.depth, nd.depth)
	g.nodes = append(g.nodes, binNode{feature: -1, left: nd.slot, bin: math.MaxUint16})
	g.sets = append(g.sets, nil)
	g.lower, g.upper = append(g.lower, nd.lower), append(g.upper, nd.upper)
}

// split splits the root and its descendants.
func (g *booster[B]) split(ctx context.Context, root twig) error {
	var open []twig
	push := func(nd twig) {
		if nd.split.feature >= 0 {
			open = append(open, nd)
		} else if nd.hist != nil {
			g.spare = append(g.spare, nd.hist)
		}
	}
	if g.mayGrow(&root) && len(g.columns) > 0 {
		root.hist = g.build(root.lo, root.hi)
		g.find(&root)
		push(root)
	}
	most := g.o.MaxLeaves
	for leaves := 1; len(open) > 0 && (most == 0 || leaves < most); leaves++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := len(open) - 1 // without a limit of leaves the order does not matter; the newest is warm
		switch {
		case g.o.LeafWise && most > 0:
			at = 0
			for i := range open {
				if open[i].split.gain > open[at].split.gain {
					at = i
				}
			}
		case most > 0:
			at = 0
		}
		nd := open[at]
		open = append(open[:at], open[at+1:]...)
		left, right := g.divide(&nd)
		g.inherit(&nd, &left, &right)
		push(left)
		push(right)
	}
	for i := range open {
		g.spare = append(g.spare, open[i].hist)
	}
	return nil
}

// mayGrow says whether a node is deep and heavy enough to look for a split.
func (g *booster[B]) mayGrow(nd *twig) bool {
	return nd.depth < g.o.MaxDepth && nd.hi-nd.lo >= 2 &&
		float64(uint32(nd.sum)) >= 2*g.o.MinChildWeight*g.task.scaleH
}

// inherit gives the children histograms, the smaller by counting and the other
// by subtraction, and finds their splits.
func (g *booster[B]) inherit(nd, left, right *twig) {
	less, more := left, right
	if left.hi-left.lo > right.hi-right.lo {
		less, more = right, left
	}
	less.split.feature, more.split.feature = -1, -1
	growLess, growMore := g.mayGrow(less), g.mayGrow(more)
	if !growLess && !growMore {
		g.spare = append(g.spare, nd.hist)
		return
	}
	less.hist = g.build(less.lo, less.hi)
	if growMore {
		more.hist = nd.hist
		more.hist.subtract(g.t, less.hist, g.columns)
		g.find(more)
	} else {
		g.spare = append(g.spare, nd.hist)
	}
	if growLess {
		g.find(less)
	}
}

// divide splits a node and returns its children.
func (g *booster[B]) divide(nd *twig) (left, right twig) {
	s := &nd.split
	c := &g.t.column[s.feature]
	col := g.t.cols[int(s.feature)*g.t.n : (int(s.feature)+1)*g.t.n]
	b := binNode{feature: s.feature, cell: s.feature, special: c.missing || c.categorical, left: int32(len(g.nodes)), missingLeft: s.missingLeft}
	threshold := 0.0
	switch {
	case s.set != nil:
	case int(s.to) == c.bins():
		threshold, b.bin = math.Inf(1), uint16(c.bins()-1)
	default:
		e := c.edge(int(s.from), int(s.to))
		threshold, b.bin = c.edges[e], uint16(e)
	}
	l, r := nd.lo, 0
	idx, tmp := g.idx, g.tmp
	switch {
	case s.set != nil:
		for _, i := range idx[nd.lo:nd.hi] {
			if inSet(s.set, int(col[i]), c.bins(), s.missingLeft) {
				idx[l] = i
				l++
			} else {
				tmp[r] = i
				r++
			}
		}
	case s.missingLeft && s.seen:
		cutAt, gone := B(b.bin), B(c.bins())
		for _, i := range idx[nd.lo:nd.hi] {
			idx[l], tmp[r] = i, i
			away := 0
			if v := col[i]; v > cutAt && v != gone {
				away = 1
			}
			l += 1 - away
			r += away
		}
	default:
		cutAt := B(b.bin)
		for _, i := range idx[nd.lo:nd.hi] {
			idx[l], tmp[r] = i, i
			away := 0
			if col[i] > cutAt {
				away = 1
			}
			l += 1 - away
			r += away
		}
	}
	copy(idx[l:nd.hi], tmp[:r])
	left = twig{lo: nd.lo, hi: l, depth: nd.depth + 1, sum: s.left, lower: nd.lower, upper: nd.upper}
	right = twig{lo: l, hi: nd.hi, depth: nd.depth + 1, sum: nd.sum - s.left, lower: nd.lower, upper: nd.upper}
	if !s.seen && s.set == nil {
		b.missingLeft = uint32(left.sum) >= uint32(right.sum)
	}
	if g.o.Monotone != nil {
		wl, wr := g.value(left.sum, nd), g.value(right.sum, nd)
		mid := wl/2 + wr/2
		switch g.o.Monotone[s.feature] {
		case 1:
			left.upper, right.lower = mid, mid
		case -1:
			left.lower, right.upper = mid, mid
		}
	}
	g.add(&left)
	g.add(&right)
	t := &g.out
	t.Feature[nd.slot], t.Threshold[nd.slot], t.MissingLeft[nd.slot] = s.feature, threshold, b.missingLeft
	t.Left[nd.slot], t.Right[nd.slot] = left.slot, right.slot
	g.nodes[nd.slot], g.sets[nd.slot] = b, s.set
	g.gains[s.feature] += s.gain
	return left, right
}

// inSet says whether a bin goes left at a categorical split.
func inSet(set []uint64, b, gone int, missingLeft bool) bool {
	if b == gone {
		return missingLeft
	}
	return set[b>>6]>>(b&63)&1 != 0
}

// settle finds the leaf of every row, sums the derivatives themselves in it
// and sets values and covers.
func (g *booster[B]) settle(output int) {
	n, nodes := g.t.n, len(g.nodes)
	gs, hs := g.task.g[output], g.task.h[output]
	blocks := (n + block - 1) / block
	if need := blocks * nodes * 2; cap(g.sums) < need {
		g.sums = make([]float64, need)
	}
	sums := g.sums[:blocks*nodes*2]
	clear(sums)
	g.each(blocks, func(b int) {
		lo, hi := b*block, min((b+1)*block, n)
		walkBins(g.t, g.nodes, g.sets, g.depth, g.leaves[lo:hi], lo)
		part := sums[b*nodes*2 : (b+1)*nodes*2]
		for i := lo; i < hi; i++ {
			if g.o.Subsample < 1 && g.absent[i] {
				continue
			}
			at := g.leaves[i] * 2
			part[at] += float64(gs[i])
			part[at+1] += float64(hs[i])
		}
	})
	whole := sums[:nodes*2]
	for b := 1; b < blocks; b++ {
		for i, v := range sums[b*nodes*2 : (b+1)*nodes*2] {
			whole[i] += v
		}
	}
	t := &g.out
	t.Value, t.Cover = make([]float64, nodes), make([]float64, nodes)
	for v := nodes - 1; v >= 0; v-- {
		if l := t.Left[v]; l >= 0 {
			t.Cover[v] = t.Cover[l] + t.Cover[t.Right[v]]
			continue
		}
		// A leaf that only sampled-out rows reach keeps the node value 0.
		t.Cover[v] = max(whole[v*2+1], 1e-16)
		t.Value[v] = g.o.LearningRate * g.bounded(whole[v*2], whole[v*2+1], g.lower[v], g.upper[v])
	}
	for v, set := range g.sets {
		if set != nil {
			if t.Category == nil {
				t.Category = make([][]uint64, nodes)
			}
			t.Category[v] = set
		}
	}
}

// advance adds the newest tree's values to the training margins.
func (g *booster[B]) advance(margin []float64) {
	for i, v := range g.leaves {
		margin[i] += g.out.Value[v]
	}
}

// walkBins finds the leaves of the rows from lo on. depth is that of the tree.
func walkBins[B index](t *table[B], nodes []binNode, sets [][]uint64, depth int, leaves []uint32, lo int) {
	if depth > 12 {
		for i := range leaves {
			x := t.rows[(lo+i)*t.stride : (lo+i+1)*t.stride]
			v := uint32(0)
			for nodes[v].feature >= 0 {
				v = child(t, nodes, sets, x, v)
			}
			leaves[i] = v
		}
		return
	}
	// All rows take depth steps, so that no branch depends on them; leaves
	// are their own children.
	clear(leaves)
	x := t.rows[lo*t.stride : (lo+len(leaves))*t.stride]
	for i := range leaves {
		row := x[i*t.stride : (i+1)*t.stride]
		v := uint32(0)
		for range depth {
			nd := &nodes[v]
			if nd.special {
				v = child(t, nodes, sets, row, v)
				continue
			}
			right := uint32(0)
			if uint16(row[nd.cell]) > nd.bin {
				right = 1
			}
			v = uint32(nd.left) + right
		}
		leaves[i] = v
	}
}

// child returns the child of node v that a row goes to, v itself at a leaf.
func child[B index](t *table[B], nodes []binNode, sets [][]uint64, x []B, v uint32) uint32 {
	nd := &nodes[v]
	if nd.feature < 0 {
		return v
	}
	b := uint16(x[nd.feature])
	left := b <= nd.bin
	if int(b) == t.column[nd.feature].bins() {
		left = nd.missingLeft
	} else if set := sets[v]; set != nil {
		left = set[b>>6]>>(b&63)&1 != 0
	}
	if left {
		return uint32(nd.left)
	}
	return uint32(nd.left) + 1
}

// each runs do for every part below parts, on the tree's threads.
func (g *booster[B]) each(parts int, do func(part int)) {
	if g.threads == 1 || parts == 1 {
		for p := range parts {
			do(p)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range g.threads {
		wg.Go(func() {
			for p := w; p < parts; p += g.threads {
				do(p)
			}
		})
	}
	wg.Wait()
}
