package grow

import (
	"context"
	"math"

	"cloister/shared/model/tree"
)

// leveller grows oblivious trees one after the other, level by level.
type leveller struct {
	t    *table[uint8]
	task *task
	o    *ObliviousOptions
	step float64

	// The rows that choose splits: their numbers, the node each is in, and
	// where its packed derivatives that are not 0 begin.
	rows   []uint32
	node   []uint8
	start  []int32 // rows and one more
	output []uint8
	packed []int64
	leaf   []uint8 // of every row of the table
	// whole sums packed derivatives by node and output; busy lists those that
	// a row counts for.
	whole []int64
	count []int32
	busy  []int32

	columns []int32
	scratch []*levelSums // by worker

	out   tree.ObliviousTree
	gains []float64
	sums  []float64 // by block, leaf and output: derivatives
}

// levelSums are the histogram of one column at all nodes of a level, and the
// worth of each of its splits.
type levelSums struct {
	cells []int64   // by node, output and bin; 0 between columns
	worth []float64 // by split, missing values right, then left
}

// question is a split of a level.
type question struct {
	feature     int32 // -1 for none
	bin         int
	missingLeft bool
	worth       float64
}

func newLeveller(t *table[uint8], task *task, o *ObliviousOptions) *leveller {
	return &leveller{t: t, task: task, o: o, leaf: make([]uint8, t.n), scratch: make([]*levelSums, o.Workers)}
}

// grow grows the tree of a round into g.out and adds it to the training
// margins.
func (g *leveller) grow(ctx context.Context, round uint64) error {
	rng := newStream(g.o.Seed, round*MaxClasses+MaxClasses-1)
	g.out, g.gains = tree.ObliviousTree{}, make([]float64, g.t.d)
	g.choose(rng)
	clear(g.leaf)
	own := g.sumNodes(1)
	for level := range g.o.Depth {
		q, err := g.ask(ctx, level)
		if err != nil {
			return err
		}
		// XGBoost's least gain, in units of the loss.
		unit := g.task.scaleH / (g.task.scaleG * g.task.scaleG)
		if q.feature < 0 || (q.worth-own)*unit < 1e-6 {
			break
		}
		g.gains[q.feature] += (q.worth - own) * unit
		own = q.worth
		g.divide(q, level)
		g.sumNodes(2 << level)
	}
	return g.finish(ctx)
}

// choose draws columns and rows.
func (g *leveller) choose(rng *stream) {
	g.columns = g.columns[:0]
	for j := range g.t.d {
		if g.t.column[j].bins() > 1 || g.t.column[j].missing {
			g.columns = append(g.columns, int32(j))
		}
	}
	if g.o.ColsampleTree < 1 && len(g.columns) > 0 {
		keep := max(1, int(g.o.ColsampleTree*float64(len(g.columns))))
		kept := g.columns[:0]
		for i, j := range g.columns {
			if rng.intn(len(g.columns)-i) < keep-len(kept) {
				kept = append(kept, j)
			}
		}
		g.columns = kept
	}
	g.rows, g.start, g.output, g.packed = g.rows[:0], g.start[:0], g.output[:0], g.packed[:0]
	for i := range g.t.n {
		if g.o.Subsample < 1 && rng.unit() >= g.o.Subsample {
			continue
		}
		at := len(g.packed)
		for k, p := range g.task.packed {
			if v := p[i]; v != 0 {
				g.output, g.packed = append(g.output, uint8(k)), append(g.packed, v)
			}
		}
		if len(g.packed) > at { // else its derivatives were rounded to nothing
			g.rows, g.start = append(g.rows, uint32(i)), append(g.start, int32(at))
		}
	}
	g.start = append(g.start, int32(len(g.packed)))
	if cap(g.node) < len(g.rows) {
		g.node = make([]uint8, g.t.n)
	}
	g.node = g.node[:len(g.rows)]
	clear(g.node)
}

// sumNodes sums the derivatives at the nodes of a level and returns their
// worth.
func (g *leveller) sumNodes(nodes int) float64 {
	k := g.task.outputs
	if size := k << g.o.Depth; cap(g.whole) < size {
		g.whole, g.count = make([]int64, size), make([]int32, size)
	}
	g.whole, g.count, g.busy = g.whole[:nodes*k], g.count[:nodes*k], g.busy[:0]
	clear(g.whole)
	clear(g.count)
	for i, nd := range g.node {
		for e := g.start[i]; e < g.start[i+1]; e++ {
			at := int(nd)*k + int(g.output[e])
			g.whole[at] += g.packed[e]
			g.count[at]++
		}
	}
	own := 0.0
	lambda := g.o.Lambda * g.task.scaleH
	for at, n := range g.count {
		if n > 0 {
			g.busy = append(g.busy, int32(at))
			own += worth(g.whole[at], lambda)
		}
	}
	return own
}

// worth is G²/(H+lambda) of packed sums, in packed units.
func worth(v int64, lambda float64) float64 {
	a, h := split64(v)
	if under := h + lambda; under > 0 {
		return a * a / under
	}
	return 0
}

// ask finds the best question for all nodes of a level.
func (g *leveller) ask(ctx context.Context, level int) (question, error) {
	found := make([]question, len(g.columns))
	err := parallel(ctx, len(g.scratch), len(g.columns), func(w, i int) error {
		if g.scratch[w] == nil {
			g.scratch[w] = &levelSums{worth: make([]float64, 2*(math.MaxUint8+1))}
		}
		found[i] = g.judge(g.scratch[w], g.columns[i], 1<<level)
		return nil
	})
	best := question{feature: -1, worth: math.Inf(-1)}
	for _, q := range found {
		if q.worth > best.worth {
			best = q
		}
	}
	return best, err
}

// judge returns the best question about a column.
func (g *leveller) judge(s *levelSums, j int32, nodes int) question {
	c := &g.t.column[j]
	bins := c.bins() + 1
	if need := nodes * g.task.outputs * bins; len(s.cells) < need {
		s.cells = make([]int64, need)
	}
	g.fill(s.cells, g.t.cols[int(j)*g.t.n:(int(j)+1)*g.t.n], bins)
	right, left := s.worth[:bins-1], s.worth[bins-1:2*(bins-1)]
	clear(right)
	clear(left)
	lambda := g.o.Lambda * g.task.scaleH
	missing := false
	for _, at := range g.busy {
		cells := s.cells[int(at)*bins : (int(at)+1)*bins]
		gone := cells[bins-1]
		missing = missing || gone != 0
		scanLevel(right, cells[:bins-1], 0, g.whole[at], lambda)
		if c.missing {
			scanLevel(left, cells[:bins-1], gone, g.whole[at], lambda)
		}
		clear(cells)
	}
	q := question{feature: j, worth: math.Inf(-1)}
	for b, v := range right {
		// After the last bin only missing values are parted from the others.
		if (b < bins-2 || missing) && v > q.worth {
			q.bin, q.worth = b, v
		}
	}
	if missing {
		for b, v := range left[:bins-2] {
			if v > q.worth {
				q.bin, q.worth, q.missingLeft = b, v, true
			}
		}
	}
	return q
}

// fill adds the derivatives up by node, output and bin of a column.
func (g *leveller) fill(cells []int64, col []uint8, bins int) {
	k := g.task.outputs
	if k == 1 {
		for i, r := range g.rows {
			cells[int(g.node[i])*bins+int(col[r])] += g.packed[i]
		}
		return
	}
	node, start := g.node[:len(g.rows)], g.start[:len(g.rows)+1]
	for i, r := range g.rows {
		bin, first := int(col[r]), int(node[i])*k
		lo, hi := start[i], start[i+1]
		values := g.packed[lo:hi]
		for e, out := range g.output[lo:hi] {
			cells[(first+int(out))*bins+bin] += values[e]
		}
	}
}

// scanLevel adds to worths that of splitting a node after each of its bins, for
// one output; left is on the left already.
func scanLevel(worths []float64, cells []int64, left, whole int64, lambda float64) {
	last := worth(left, lambda) + worth(whole-left, lambda)
	for b, v := range cells[:len(worths)] {
		if v != 0 {
			left += v
			gl, hl := split64(left)
			gr, hr := split64(whole - left)
			if a, c := hl+lambda, hr+lambda; a > 0 && c > 0 {
				last = (gl*gl*c + gr*gr*a) / (a * c)
			} else {
				last = worth(left, lambda) + worth(whole-left, lambda)
			}
		}
		worths[b] += last
	}
}

// divide asks a question of all rows and adds it to the tree.
func (g *leveller) divide(q question, level int) {
	c := &g.t.column[q.feature]
	col := g.t.cols[int(q.feature)*g.t.n : (int(q.feature)+1)*g.t.n]
	threshold := math.Inf(1)
	if q.bin < c.bins()-1 {
		threshold = c.edges[q.bin]
	}
	t := &g.out
	t.Feature = append(t.Feature, q.feature)
	t.Threshold = append(t.Threshold, threshold)
	t.MissingLeft = append(t.MissingLeft, q.missingLeft)
	right := [256]uint8{}
	for b := range right {
		if b > q.bin && (b != c.bins() || !q.missingLeft) {
			right[b] = 1 << level
		}
	}
	for i, b := range col {
		g.leaf[i] |= right[b]
	}
	for i, r := range g.rows {
		g.node[i] = g.leaf[r]
	}
}

// finish sums the derivatives of all rows by leaf, sets values and covers and
// adds the values to the margins.
func (g *leveller) finish(ctx context.Context) error {
	t, k, n := &g.out, g.task.outputs, g.t.n
	leaves := 1 << len(t.Feature)
	width := leaves * (2*k + 1)
	blocks := (n + block - 1) / block
	if cap(g.sums) < blocks*width {
		g.sums = make([]float64, blocks<<g.o.Depth*(2*k+1))
	}
	sums := g.sums[:blocks*width]
	clear(sums)
	err := parallel(ctx, g.o.Workers, blocks, func(_, b int) error {
		part := sums[b*width : (b+1)*width]
		lo, hi := b*block, min((b+1)*block, n)
		for i := lo; i < hi; i++ {
			if g.task.weight == nil || g.task.weight[i] > 0 {
				part[int(g.leaf[i])*(2*k+1)+2*k]++
			}
		}
		for j := range k {
			gs, hs := g.task.g[j], g.task.h[j]
			for i := lo; i < hi; i++ {
				at := int(g.leaf[i])*(2*k+1) + 2*j
				part[at] += float64(gs[i])
				part[at+1] += float64(hs[i])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	whole := sums[:width]
	for b := 1; b < blocks; b++ {
		for i, v := range sums[b*width : (b+1)*width] {
			whole[i] += v
		}
	}
	t.Cover, t.Value = make([]float64, leaves), make([]int16, leaves*k)
	for leaf := range leaves {
		own := whole[leaf*(2*k+1) : (leaf+1)*(2*k+1)]
		if t.Cover[leaf] = own[2*k]; own[2*k] == 0 {
			continue
		}
		for j := range k {
			v := 0.0
			if under := own[2*j+1] + g.o.Lambda; under > 0 {
				v = -own[2*j] / under
			}
			v = min(max(v, -g.o.MaxDeltaStep), g.o.MaxDeltaStep) / g.o.MaxDeltaStep
			t.Value[leaf*k+j] = int16(math.Round(v * tree.MaxStep))
		}
	}
	return parallel(ctx, g.o.Workers, k, func(_, j int) error {
		margin := g.task.margin[j]
		for i, leaf := range g.leaf {
			margin[i] += float64(g.step * float64(t.Value[int(leaf)*k+j]))
		}
		return nil
	})
}
