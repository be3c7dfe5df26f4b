package tree

import "math"

// Kernel is loops that do what this package's own do, faster: those of package
// kernel, which runs beside a program in WebAssembly, or those of package native,
// in assembly, which a program on amd64 uses from the start. Every function gives the
// same bits as the loop it stands for. Slices say where memory begins; how much
// of it is used follows from the counts.
type Kernel struct {
	// Bin8 and Bin16 rank a column of rows of width values, the first at
	// x[0], among padded keys of which edges are real. Row r's bins begin at
	// r<<shift; right and left are where its columns begin, -1 for none, each
	// in pieces that are step apart. All places count bins.
	Bin8  func(x []float64, width, rows int, keys []uint64, edges int, dst []uint8, shift, right, left, pieces, step int)
	Bin16 func(x []float64, width, rows int, keys []uint64, edges int, dst []uint16, shift, right, left, pieces, step int)
	// Rank8 ranks rows, rankGroup or more of width values, into columns that are
	// step apart, RankRows8 and RankRows16 into rows that are. plan has eight words a
	// feature: byte offset of its value in a row, column, rank of NaN; how many of
	// its float32 edges, rounded down, are compared one by one, a multiple of four,
	// and the byte offsets in search of these, of up to two lists in blocks of
	// sixteen, 0 for none, and in edges of them all; each list ends in +Inf. room has
	// rankRoom words. Without them Bin8 and Bin16 do it all.
	Rank8      func(x []float64, width, rows int, plan []int32, search []float32, edges []float64, dst []uint8, step int, room []uint32)
	RankRows8  func(x []float64, width, rows int, plan []int32, search []float32, edges []float64, dst []uint8, step int, room []uint32)
	RankRows16 func(x []float64, width, rows int, plan []int32, search []float32, edges []float64, dst []uint16, step int, room []uint32)
	// Walk8 and Walk16 take rows of 1<<shift bins down a tree; at gets the leaf
	// of each, and active is room for as many and walkRoom.
	Walk8  func(nodes []uint32, bins []uint8, shift, rows int, active []uint32, at []uint16)
	Walk16 func(nodes []uint64, bins []uint16, shift, rows int, active []uint64, at []uint32)
	// Leaves8 and Leaves16 add to sums, width a row, values of the leaves that
	// rows have reached.
	Leaves8  func(sums []float64, width int, leaf []uint32, table []float64, at []uint16, rows, values int)
	Leaves16 func(sums []float64, width int, leaf []uint32, table []float64, at []uint32, rows, values int)
	// Row8 and Row16 add to sums the leaves that one row reaches, by tree: its one
	// value to the sum that output says, or, for -1, one to each. at is room for
	// a number a tree.
	Row8  func(nodes []uint32, root []int, bins []uint8, leaf []uint32, table []float64, output []int32, sums []float64, at []uint32)
	Row16 func(nodes []uint64, root []int, bins []uint16, leaf []uint32, table []float64, output []int32, sums []float64, at []uint32)
	// ForestRow, ShallowRow and EvenRow return what ranks one row, x, and adds to sums
	// the leaves that it reaches: in trees of any kind; in those of a depth up to 6
	// with one value a leaf, sixteen together; in oblivious trees, to the form's own
	// Sums. All rows share the form's room, so a program that has these has one thread.
	// Who has ForestRow has the others and Place, which says at what addresses the
	// form's Ranks and Words lie.
	ForestRow, ShallowRow, EvenRow func(a *Alone) (score func(x, sums []float64))
	Place                          func(a *Alone) (ranks, words uint32)
	// PermutedRow adds to sums the leaves that one row reaches in trees of a depth up
	// to 6, for processors that permute bytes, else nil: tests
	// are those of shallows.alone, values 2^depth a tree, and an output of -1 is
	// the first.
	PermutedRow func(tests []uint8, depth []int, values []float64, output []int32, bins []uint8, sums []float64)
	// ObliviousRow is Oblivious for one row, whose bins lie side by side.
	ObliviousRow func(tests []uint32, depth int, leaves []int16, bins []uint8, trees int, sums []int32)
	// Shallow adds to one sum a row the leaf of a whole tree of a depth up to
	// 6: nodes in heap order, column offset<<8 | bin; rows a multiple of 32, with
	// Narrow of 64. 64 nodes and values may be read, whatever the depth.
	Shallow func(depth int, nodes []uint32, values []float64, columns []uint8, rows int, sums []float64)
	// Group adds, for package explain, a table of width values a pattern: see
	// its lane.go.
	Group func(tests []uint32, lanes []uint8, stride, rows int, places []uint32, values []float64, width int, slots []int32, sums []float64)
	// Quadrature walks, for package explain, one row down a tree with eight
	// points: see its quadrature.go. A node is three words: the share's bits;
	// right, feature<<32, column<<48; bin. room has 16 words a level, and 16 more.
	Quadrature func(nodes []uint64, root int, bins []uint16, phi, share []float64, hot []bool, at, rest, weight *[8]float64, room []uint64)
	// Oblivious adds to eight sums a row, width apart, the leaves of trees, a
	// multiple of four, that ask depth questions each: column offset<<8 | bin.
	// numbers is room for 16 bytes in each of evenRows rows; rows a multiple of 16, with
	// Narrow of 64.
	Oblivious func(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8)
	// Oblivious8 is Oblivious for a multiple of eight trees, of which eight add up to
	// 16 bits; nil without it.
	Oblivious8 func(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8)
	// Softmax replaces rows of width margins by their softmax; table is expTable. If
	// it is nil, this package's own does it.
	Softmax func(values []float64, width int, table []float64)

	// Narrow and Wide are for ensembles of either width of nodes; with them, Bin8,
	// Bin16, Walk8, Walk16, Leaves8 and Leaves16 are not called.
	Narrow *Loops[uint8, uint32, uint16]
	Wide   *Loops[uint16, uint64, uint32]
}

// Loops are those for ensembles with bins T, nodes N and places of nodes I.
type Loops[T uint8 | uint16, N uint32 | uint64, I uint16 | uint32] struct {
	// Rank ranks columns of rows of width values, the first at x[0], of features
	// whose ranks fit in one column. plan has eight words for each: its column
	// of x, its column of bins, the rank of NaN, and the levels, 1 to 4, of
	// search, in blocks of sixteen edges, with the block where each begins. Bin c
	// of row r goes to dst[r*next+c*step].
	Rank func(x []float64, width, rows int, plan []int32, search []float64, dst []T, next, step int)
	// Turn copies bin w of line l of src, whose lines are from apart, to bin l
	// of line w of dst, whose lines are to apart; lines and width are multiples
	// of eight.
	Turn func(dst []T, to int, src []T, from, lines, width int)
	// Top evaluates up to six levels of a tree for rows, a multiple of 64: which
	// node of the level below, counted from the left, each leads to. 64 tests,
	// those used in heap order, are column offset<<8 (wide: <<16) | bin, with
	// offsets in bytes.
	Top func(depth int, tests []N, columns []T, rows int, numbers []uint8)
	// Down takes rows of 1<<shift bins from there to their leaves, which at
	// gets. start has the node of each number, with bit 16 (wide: 31) set if it
	// is no leaf; active is room for rows.
	Down func(nodes []N, bins []T, shift, rows int, start []uint32, numbers []uint8, active []N, at []I)
	// Leaves adds to sums, width a row, values of the leaves that rows have
	// reached.
	Leaves func(sums []float64, width int, leaf []uint32, table []float64, at []I, rows, values int)
}

// loops are the kernel in use, nil for this package's own.
var loops *Kernel

// UseKernel lets all ensembles score with k, nil for this package's own loops.
// A program calls it before it uses an ensemble: it is not safe beside calls
// of other functions.
func UseKernel(k *Kernel) { loops = k }

// UsedKernel returns the kernel in use if it has the loops for package explain, else
// nil.
func UsedKernel() *Kernel {
	if loops == nil || loops.Group == nil {
		return nil
	}
	return loops
}

// binFast is bin with the kernel, in rows of 1<<shift bins whose columns are
// step apart.
func binFast[T uint8 | uint16](e *Ensemble, dst []T, shift, step int, x []float64) {
	l, d := &e.lay, e.features
	one := func(i int) {
		f := &l.numeric[i]
		place := func(test int) int {
			if test < 0 {
				return -1
			}
			return l.tests[test].column * step
		}
		pieces := (len(f.edges) + l.span - 1) / l.span
		switch dst := any(dst).(type) {
		case []uint8:
			loops.Bin8(x[f.feature:], d, len(x)/d, f.keys, len(f.edges), dst, shift, place(f.right), place(f.left), pieces, step)
		case []uint16:
			loops.Bin16(x[f.feature:], d, len(x)/d, f.keys, len(f.edges), dst, shift, place(f.right), place(f.left), pieces, step)
		}
	}
	if loops.Rank8 != nil && len(x) >= rankGroup*d {
		columns, apart := shift == 0, 1<<shift
		if columns {
			apart = step
		}
		rankFast(e, dst, apart, columns, x)
		for _, i := range e.ranking().rest {
			one(i)
		}
	} else {
		for i := range l.numeric {
			one(i)
		}
	}
	placeSets(l, dst, 1<<shift, step, x, d)
}

// fastColumns ranks the rows of x into columns, step apart, with the kernel.
func (e *Ensemble) fastColumns(columns []uint8, step int, x []float64) {
	if loops.Narrow != nil {
		rankTo(e, loops.Narrow, columns, 1, step, x)
		return
	}
	binFast(e, columns, 0, step, x)
}

// softmaxValues are done together: they stay in the first-level cache.
const softmaxValues = 2048

// softmaxFast is softmax of rows of k margins with the kernel.
func softmaxFast(values []float64, k int) {
	block := max(1, softmaxValues/k) * k
	for len(values) > 0 {
		m := min(block, len(values))
		loops.Softmax(values[:m], k, expTable[:])
		values = values[m:]
	}
}

// expTable are the constants of exp as Kernel.Softmax reads them: of its steps,
// then of 2**k, which takes two factors below 2**-1000, then of the series.
var expTable = [9 + 1 + len(taylor)]float64{
	math.Log2E, 0.5, ln2High, ln2Low, -746, // e**-746 rounds to 0
	1<<52 + 1<<51 + 1023, -1000, 100, 0x1p-100,
	1.0 / 6227020800,
	taylor[0], taylor[1], taylor[2], taylor[3], taylor[4], taylor[5], taylor[6],
	taylor[7], taylor[8], taylor[9], taylor[10], taylor[11], taylor[12],
}

const (
	// shallowDepth is how deep trees may be to be evaluated whole.
	shallowDepth = 6
	// shallowRows rows meet all trees together: their bins, column by
	// column, and their sums stay in the second-level cache.
	shallowRows = 512
	// shallowGroup is what numbers of rows are multiples of for Shallow at least.
	shallowGroup = 32
	// kernelRows is what numbers of rows are multiples of for Loops.
	kernelRows = 64
)

// together is what the number of rows is a multiple of for Oblivious.
func (k *Kernel) together() int {
	if k.Narrow != nil {
		return kernelRows
	}
	return 16
}

// shallows are the trees of an ensemble in the form that Kernel.Shallow reads.
type shallows struct {
	depth  []int // by tree, 1 or more
	nodes  []uint32
	values []float64
	// alone is for Kernel.PermutedRow: by tree, the columns and then the bins of
	// nodes 1 to 63 of the heap, the root being 1; nil with more than 64 columns.
	alone []uint8
}

// aloneTests are the places in each half of a tree in shallows.alone.
const aloneTests = 64

// shallow returns the form for Kernel.Shallow, nil for an ensemble that
// cannot have one.
func (e *Ensemble) shallow() *shallows {
	if loops == nil || e.narrow == nil || e.depth > shallowDepth || e.outputs > 1 && e.kind != Boosting {
		return nil
	}
	e.shallowOnce.Do(func() {
		s := &shallows{}
		for t, o := range e.output {
			if o < 0 && e.outputs > 1 {
				return
			}
			depth := max(1, e.depthBelow(t, e.root[t], shallowDepth))
			s.depth = append(s.depth, depth)
			inner, leaves := 1<<depth-1, 1<<depth
			s.nodes = append(s.nodes, make([]uint32, inner)...)
			s.values = append(s.values, make([]float64, leaves)...)
			nodes := s.nodes[len(s.nodes)-inner:]
			s.fill(e, t, e.root[t], 0, nodes, s.values[len(s.values)-leaves:])
			s.addAlone(nodes, len(e.lay.columns))
		}
		s.nodes = append(s.nodes, make([]uint32, 1<<shallowDepth)...)
		s.values = append(s.values, make([]float64, 1<<shallowDepth)...)
		e.shallows = s
	})
	return e.shallows
}

// depthBelow returns the edges on the longest path down from node i of tree t,
// most if it has more.
func (e *Ensemble) depthBelow(t, i, most int) int {
	left, inner := e.child(e.root[t], i)
	if !inner || most == 0 {
		return 0
	}
	return 1 + max(e.depthBelow(t, left, most-1), e.depthBelow(t, left+1, most-1))
}

// fill writes the subtree at node i of tree t as heap node h.
func (s *shallows) fill(e *Ensemble, t, i, h int, nodes []uint32, values []float64) {
	threshold, col, base, inner := e.split(i)
	switch {
	case h >= len(nodes):
		values[h-len(nodes)] = e.table[e.leaf[i]]
	case inner:
		nodes[h] = uint32(col*shallowRows)<<8 | uint32(threshold)
		s.fill(e, t, e.root[t]+base, 2*h+1, nodes, values)
		s.fill(e, t, e.root[t]+base+1, 2*h+2, nodes, values)
	default: // a leaf above the last level: no bin is above 255, and it is on both sides
		nodes[h] = narrowSpan
		s.fill(e, t, i, 2*h+1, nodes, values)
		s.fill(e, t, i, 2*h+2, nodes, values)
	}
}

// addAlone appends a tree to alone.
func (s *shallows) addAlone(nodes []uint32, columns int) {
	if loops.PermutedRow == nil || columns > aloneTests {
		return
	}
	var tests [2 * aloneTests]uint8
	for h, q := range nodes {
		tests[1+h], tests[aloneTests+1+h] = uint8(q>>8/shallowRows), uint8(q)
	}
	s.alone = append(s.alone, tests[:]...)
}

// scoreShallow is scoreNarrow with whole trees.
func (e *Ensemble) scoreShallow(dst, x []float64, n int, s *shallows) {
	k, d := e.outputs, e.features
	columns := make([]uint8, max(1, len(e.lay.columns))*shallowRows)
	sums := make([]float64, k*shallowRows)
	for r := 0; r < n; r += shallowRows {
		m := min(shallowRows, n-r)
		e.fastColumns(columns, shallowRows, x[r*d:(r+m)*d])
		clear(sums)
		nodes, values := s.nodes, s.values
		for t, depth := range s.depth {
			o := max(int(e.output[t]), 0)
			loops.Shallow(depth, nodes, values, columns, upTo(m, max(shallowGroup, loops.together())), sums[o*shallowRows:])
			nodes, values = nodes[1<<depth-1:], values[1<<depth:]
		}
		for o := range k {
			for i, v := range sums[o*shallowRows:][:m] {
				dst[(r+i)*k+o] = v
			}
		}
	}
}
