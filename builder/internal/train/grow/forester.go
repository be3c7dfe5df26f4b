package grow

import (
	"context"
	"math"
	"math/bits"
	"slices"

	"cloister/shared/model/tree"
)

// small is the number of rows up to which a node sorts its candidates' bins
// instead of filling histograms; not tuned.
const small = 96

// forester grows the trees of a forest one after the other, reusing its
// buffers. It belongs to one goroutine.
type forester[B index] struct {
	t       *table[B]
	rows    *rowSet
	o       *ForestOptions
	rng     *stream
	nominal bool // a column is categorical

	// idx holds the rows of the tree, each node a range:
	// row<<32 | times drawn<<8 | class.
	idx, tmp []uint64
	drawn    []uint32
	cells    []B     // a column of a large sparse table, at the rows of a node
	features []int32 // a permutation, partly shuffled at each node
	free     [][]float64

	split       choice // the best of the node being looked at
	left, right work   // the children of the node divided last
	stack       []work // nodes that may still be split
	sides       sides  // class or mean statistics, by which splits are judged

	out         tree.SourceTree // with room for the next tree
	nodes       []binNode
	sets        [][]uint64 // a bin set for each categorical split, else nil
	categorical bool       // the tree has a categorical split
	importance  []float64
	whole       float64 // weight of the tree's rows
	bag         bag     // out-of-bag sums
}

// binNode is a node as the training table sees it; its right child follows
// the left one.
type binNode struct {
	feature     int32 // -1 at a leaf
	cell        int32 // the feature again, but 0 at a leaf
	left        int32
	bin         uint16 // left if the row's bin is at most it
	missingLeft bool
	special     bool // the column may lack values, or is categorical
}

// work is a node that may still be split.
type work struct {
	lo, hi int // its rows in idx
	slot   int32
	depth  int32
	count  float64   // different rows
	weight float64   // weighted rows
	sums   []float64 // weighted rows a class, or the weighted sum of targets
	impure float64   // -sum of squares over weight, comparable with choice.score
	split  choice    // filled when nodes wait, best first
}

// choice is a split by bins.
type choice struct {
	feature     int32     // -1 for none
	from, to    int32     // the occupied bins on both sides; to is the missing bin when all values go left
	missingLeft bool      // rows without the value go left
	seen        bool      // some rows of the node lack the value
	score       float64   // sum of squares over weight, both sides together
	set         []uint64  // bins of a categorical split that go left
	left        []float64 // sums of the left side where they are exact, else nil
}

// sides judges the splits of a node by one kind of statistics.
type sides interface {
	// root adds up the rows idx into a node.
	root(nd *work)
	// start prepares for candidates of the node.
	start(nd *work)
	// try looks at the features and improves the forester's choice. It
	// reports whether one of them has two values in the node.
	try(nd *work, features []int32) bool
	// part sums the rows of both children.
	part(nd, left, right *work)
	// pure says that no split can help.
	pure(nd *work) bool
	// leaf appends the value of a node.
	leaf(dst []float64, nd *work) []float64
}

func newForester[B index](t *table[B], rows *rowSet, o *ForestOptions) *forester[B] {
	g := &forester[B]{t: t, rows: rows, o: o}
	n := len(rows.live)
	g.idx, g.tmp = make([]uint64, n), make([]uint64, n)
	g.drawn = make([]uint32, rows.n)
	g.features = make([]int32, t.d)
	for j := range t.column {
		g.nominal = g.nominal || t.column[j].categorical
	}
	if t.sparse != nil {
		g.cells = make([]B, t.n)
		g.sides = newSparseSides(g)
	} else if countable(rows, o) {
		g.sides = newCountSides(g)
	} else if rows.k > 0 {
		g.sides = newClassSides(g)
	} else {
		g.sides = newMeanSides(g)
	}
	return g
}

// sample chooses the rows of the tree and fills idx, in the order of rows.
func (g *forester[B]) sample() {
	live := g.rows.live
	g.idx = g.idx[:0]
	if g.o.Sampling == Whole {
		for _, i := range live {
			g.idx = append(g.idx, g.entry(i, 1))
		}
		return
	}
	clear(g.drawn)
	draws := max(int(math.Round(g.o.MaxSamples*float64(len(live)))), 1)
	const most = 1<<24 - 1 // the room in an entry
	if g.rows.draw == nil && draws <= most {
		rng, drawn := *g.rng, g.drawn
		for range draws {
			var v uint64
			rng, v = rng.next()
			i, _ := bits.Mul64(v, uint64(len(live)))
			drawn[live[i]]++
		}
		*g.rng = rng
	} else {
		for range draws {
			i := g.rng.intn(len(live))
			if g.rows.draw != nil {
				i = g.rows.draw.pick(i, g.rng)
			}
			if at := live[i]; g.drawn[at] < most {
				g.drawn[at]++
			}
		}
	}
	n := 0
	idx := g.idx[:len(live)]
	for _, i := range live {
		c := g.drawn[i]
		idx[n] = g.entry(i, c)
		drawn := 0 // without a branch, which could not be foreseen
		if c > 0 {
			drawn = 1
		}
		n += drawn
	}
	g.idx = idx[:n]
}

func (g *forester[B]) entry(i, times uint32) uint64 {
	e := uint64(i)<<32 | uint64(times)<<8
	if g.rows.class != nil {
		e |= uint64(g.rows.class[i])
	}
	return e
}

// grow grows tree number number into g.out.
func (g *forester[B]) grow(ctx context.Context, number uint64) error {
	g.rng = newStream(g.o.Seed, number)
	g.sample()
	u := &g.out
	*u = tree.SourceTree{
		Output: -1, Feature: u.Feature[:0], Threshold: u.Threshold[:0], MissingLeft: u.MissingLeft[:0],
		Left: u.Left[:0], Right: u.Right[:0], Cover: u.Cover[:0], Value: u.Value[:0],
	}
	g.nodes, g.sets = g.nodes[:0], g.sets[:0]
	g.categorical = false
	g.importance = make([]float64, g.t.d)
	for j := range g.features {
		g.features[j] = int32(j)
	}
	root := work{hi: len(g.idx), sums: g.sums()}
	g.sides.root(&root)
	g.whole = root.weight
	g.add(&root)
	var err error
	if g.o.MaxLeaves > 0 {
		err = g.bestFirst(ctx, root)
	} else {
		err = g.depthFirst(ctx, root)
	}
	if g.categorical {
		g.out.Category = slices.Clone(g.sets)
	}
	return err
}

// tree returns the newest tree in slices of its own.
func (g *forester[B]) tree() tree.SourceTree {
	t := g.out
	t.Feature, t.Threshold, t.MissingLeft = slices.Clone(t.Feature), slices.Clone(t.Threshold), slices.Clone(t.MissingLeft)
	t.Left, t.Right = slices.Clone(t.Left), slices.Clone(t.Right)
	t.Cover, t.Value = slices.Clone(t.Cover), slices.Clone(t.Value)
	return t
}

// depthFirst splits every node that can be split; the newest first, because
// its rows are warm.
func (g *forester[B]) depthFirst(ctx context.Context, root work) error {
	stack, nd := append(g.stack[:0], root), new(work)
	defer func() { g.stack = stack }()
	for steps := 0; len(stack) > 0; steps++ {
		if steps&255 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		*nd = stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if g.look(nd) {
			g.divide(nd)
			stack = append(stack, g.right, g.left)
		} else {
			g.close(nd)
		}
		g.free = append(g.free, nd.sums)
	}
	return nil
}

// bestFirst splits the node that gains most until the tree has its leaves;
// ties go to the older node.
func (g *forester[B]) bestFirst(ctx context.Context, root work) error {
	var open []work
	push := func(nd work) {
		if g.look(&nd) {
			nd.split = g.split
			nd.split.left = slices.Clone(g.split.left)
			open = append(open, nd)
		} else {
			g.close(&nd)
			g.free = append(g.free, nd.sums)
		}
	}
	push(root)
	for leaves := 1; len(open) > 0 && leaves < g.o.MaxLeaves; leaves++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		best := 0
		for i := range open {
			if a, b := gain(&open[i]), gain(&open[best]); a > b || a == b && open[i].slot < open[best].slot {
				best = i
			}
		}
		nd := open[best]
		open[best] = open[len(open)-1]
		open = open[:len(open)-1]
		g.split = nd.split
		g.divide(&nd)
		g.free = append(g.free, nd.sums)
		left, right := g.left, g.right
		push(left)
		push(right)
	}
	for i := range open {
		g.close(&open[i])
		g.free = append(g.free, open[i].sums)
	}
	return nil
}

// gain returns the weighted decrease of impurity of a node's split.
func gain(nd *work) float64 { return nd.split.score + nd.impure }

// sums returns a vector for a node's statistics.
func (g *forester[B]) sums() []float64 {
	if n := len(g.free); n > 0 {
		s := g.free[n-1]
		g.free = g.free[:n-1]
		clear(s)
		return s
	}
	return make([]float64, max(g.rows.k, 1))
}

// add gives a node its slot.
func (g *forester[B]) add(nd *work) {
	t := &g.out
	nd.slot = int32(len(t.Left))
	t.Feature = append(t.Feature, -1)
	t.Threshold = append(t.Threshold, 0)
	t.MissingLeft = append(t.MissingLeft, false)
	t.Left, t.Right = append(t.Left, -1), append(t.Right, -1)
	t.Cover = append(t.Cover, nd.weight)
	for range max(g.rows.k, 1) {
		t.Value = append(t.Value, 0)
	}
	g.nodes = append(g.nodes, binNode{feature: -1})
	g.sets = append(g.sets, nil)
}

// close makes a node a leaf.
func (g *forester[B]) close(nd *work) {
	k := max(g.rows.k, 1)
	at := int(nd.slot) * k
	g.sides.leaf(g.out.Value[at:at:at+k], nd)
}

// look finds the best split of a node among its candidate features and
// reports whether the node is to be split by it.
func (g *forester[B]) look(nd *work) bool {
	o := g.o
	if int(nd.depth) >= o.MaxDepth || nd.count < float64(max(o.MinSamplesSplit, 2*o.MinSamplesLeaf)) || g.sides.pure(nd) {
		return false
	}
	g.split = choice{feature: -1, score: math.Inf(-1)}
	g.sides.start(nd)
	left, varied := len(g.features), false
	draw := func(count int) []int32 {
		count = min(count, left)
		for range count {
			j := g.rng.intn(left)
			left--
			g.features[j], g.features[left] = g.features[left], g.features[j]
		}
		return g.features[left : left+count]
	}
	for want := o.MaxFeatures; left > 0 && !varied; want = 1 {
		varied = g.sides.try(nd, draw(want))
	}
	if g.split.feature < 0 {
		return false
	}
	return (g.split.score+nd.impure)/g.whole+0x1p-52 >= o.MinImpurityDecrease
}

// columnOf returns the bins of a feature by row number, valid at least for the
// rows of the node.
func (g *forester[B]) columnOf(j int32, nd *work) []B {
	if g.t.cols != nil {
		return g.t.cols[int(j)*g.t.n : (int(j)+1)*g.t.n]
	}
	for _, e := range g.idx[nd.lo:nd.hi] {
		g.cells[e>>32] = g.t.sparse.cell(uint32(e>>32), j)
	}
	return g.cells
}

// divide splits a node by g.split into g.left and g.right. Of a child known to
// be pure beforehand, the rows are lost: they are not needed again.
func (g *forester[B]) divide(nd *work) {
	s, left, right := &g.split, &g.left, &g.right
	c := &g.t.column[s.feature]
	var threshold float64
	var bin int
	switch {
	case s.set != nil:
	case int(s.to) == c.bins():
		threshold, bin = math.Inf(1), c.bins()-1
	default:
		bin = c.edge(int(s.from), int(s.to))
		threshold = c.edges[bin]
	}
	*left = work{lo: nd.lo, depth: nd.depth + 1, sums: g.sums()}
	*right = work{hi: nd.hi, depth: nd.depth + 1, sums: g.sums()}
	if s.left == nil {
		left.hi = g.arrange(nd, int32(bin), true, true)
		right.lo = left.hi
		g.sides.part(nd, left, right)
	} else {
		for k, l := range s.left {
			r := nd.sums[k] - l
			left.sums[k], right.sums[k] = l, r
			left.weight += l
			right.weight += r
		}
		keepLeft, keepRight := !g.sides.pure(left), !g.sides.pure(right)
		left.hi = g.arrange(nd, int32(bin), keepLeft, keepRight)
		right.lo = left.hi
		if !keepLeft {
			right.lo, right.hi = nd.lo, left.hi
		}
		left.count, right.count = float64(left.hi-left.lo), float64(right.hi-right.lo)
	}
	missingLeft := s.missingLeft
	if !s.seen {
		missingLeft = left.weight >= right.weight
	}
	g.add(left)
	g.add(right)
	t := &g.out
	t.Feature[nd.slot], t.Threshold[nd.slot], t.MissingLeft[nd.slot] = s.feature, threshold, missingLeft
	t.Left[nd.slot], t.Right[nd.slot] = left.slot, right.slot
	g.sets[nd.slot] = s.set
	if s.set != nil {
		g.categorical = true
	}
	g.nodes[nd.slot] = binNode{feature: s.feature, left: left.slot, bin: uint16(bin), missingLeft: missingLeft}
	g.importance[s.feature] += max(s.score+nd.impure, 0)
}

// arrange moves the rows of a node that go left by g.split, whose last bin on
// the left is cut, before those that go right, each in their order, and
// returns where the left ones end. Of two sides only one may be wanted: its
// rows are moved to the front, and their end is returned.
func (g *forester[B]) arrange(nd *work, cut int32, wantLeft, wantRight bool) int {
	s := &g.split
	rows := g.idx[nd.lo:nd.hi]
	if !wantLeft && !wantRight {
		return nd.lo
	}
	col := g.columnOf(s.feature, nd)
	l, r := 0, 0
	if s.set != nil {
		bins := g.t.column[s.feature].bins()
		for _, e := range rows {
			if inSet(s.set, int(col[e>>32]), bins, s.missingLeft) {
				rows[l] = e
				l++
			} else {
				g.tmp[r] = e
				r++
			}
		}
		copy(rows[l:], g.tmp[:r])
		return nd.lo + l
	}
	// Bins above the cut go right; where missing ones go left, only those below
	// the bin of these. One comparison, as smaller bins come round to large numbers.
	above, span := uint32(cut)+1, uint32(math.MaxInt32)
	if s.missingLeft && s.seen {
		span = uint32(g.t.column[s.feature].bins()) - above
	}
	switch tmp := g.tmp[:len(rows)]; {
	case wantLeft && wantRight:
		for _, e := range rows {
			rows[l], tmp[r] = e, e
			right := 0
			if uint32(col[e>>32])-above < span {
				right = 1
			}
			l += 1 - right
			r += right
		}
		copy(rows[l:], tmp[:r])
	case wantLeft:
		for _, e := range rows {
			rows[l] = e
			left := 0
			if uint32(col[e>>32])-above >= span {
				left = 1
			}
			l += left
		}
	default:
		for _, e := range rows {
			rows[l] = e
			right := 0
			if uint32(col[e>>32])-above < span {
				right = 1
			}
			l += right
		}
	}
	return nd.lo + l
}
