package tree

// Kernel is loops that do what this package's own do, faster: those of package
// kernel, which runs beside a program in WebAssembly. Every function gives the
// same bits as the loop it stands for. Slices say where memory begins; how much
// of it is used follows from the counts.
type Kernel struct {
	// Bin8 and Bin16 rank a column of rows of width values, the first at
	// x[0], among padded keys of which edges are real. Row r's bins begin at
	// r<<shift; right and left are where its columns begin, -1 for none, each
	// in pieces that are step apart. All places count bins.
	Bin8  func(x []float64, width, rows int, keys []uint64, edges int, dst []uint8, shift, right, left, pieces, step int)
	Bin16 func(x []float64, width, rows int, keys []uint64, edges int, dst []uint16, shift, right, left, pieces, step int)
	// Walk8 and Walk16 take rows of 1<<shift bins down a tree; at gets the leaf
	// of each, and active is room for as many.
	Walk8  func(nodes []uint32, bins []uint8, shift, rows int, active []uint32, at []uint16)
	Walk16 func(nodes []uint64, bins []uint16, shift, rows int, active []uint64, at []uint32)
	// Leaves8 and Leaves16 add to sums, width a row, values of the leaves that
	// rows have reached.
	Leaves8  func(sums []float64, width int, leaf []uint32, table []float64, at []uint16, rows, values int)
	Leaves16 func(sums []float64, width int, leaf []uint32, table []float64, at []uint32, rows, values int)
	// Shallow adds to one sum a row the leaf of a whole tree of a depth up to
	// 6: nodes in heap order, column offset<<8 | bin; rows a multiple of 16.
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
	// numbers is room for four bytes a row; rows a multiple of 16.
	Oblivious func(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8)
}

// loops are the kernel in use, nil for this package's own.
var loops *Kernel

// UseKernel lets all ensembles score with k, nil for this package's own loops.
// A program calls it before it uses an ensemble: it is not safe beside calls
// of other functions.
func UseKernel(k *Kernel) { loops = k }

// UsedKernel returns the kernel in use, nil for none; package explain needs it.
func UsedKernel() *Kernel { return loops }

// binFast is bin with the kernel, in rows of 1<<shift bins whose columns are
// step apart.
func binFast[T uint8 | uint16](l *layout, dst []T, shift, step int, x []float64, d int) {
	n := len(x) / d
	for i := range l.numeric {
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
			loops.Bin8(x[f.feature:], d, n, f.keys, len(f.edges), dst, shift, place(f.right), place(f.left), pieces, step)
		case []uint16:
			loops.Bin16(x[f.feature:], d, n, f.keys, len(f.edges), dst, shift, place(f.right), place(f.left), pieces, step)
		}
	}
	for i := range l.sets {
		s := &l.sets[i]
		at := l.tests[len(l.tests)-len(l.sets)+i].column * step
		for r := range n {
			dst[r<<shift+at] = T(s.bin(x[r*d+s.feature]))
		}
	}
}

const (
	// shallowDepth is how deep trees may be to be evaluated whole.
	shallowDepth = 6
	// shallowRows rows meet all trees together: their bins, column by
	// column, and their sums stay in the second-level cache.
	shallowRows = 512
)

// shallows are the trees of an ensemble in the form that Kernel.Shallow reads.
type shallows struct {
	depth  []int // by tree, 1 or more
	nodes  []uint32
	values []float64
}

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
			depth := max(1, e.depthBelow(t, e.root[t]))
			s.depth = append(s.depth, depth)
			inner, leaves := 1<<depth-1, 1<<depth
			s.nodes = append(s.nodes, make([]uint32, inner)...)
			s.values = append(s.values, make([]float64, leaves)...)
			s.fill(e, t, e.root[t], 0, s.nodes[len(s.nodes)-inner:], s.values[len(s.values)-leaves:])
		}
		e.shallows = s
	})
	return e.shallows
}

// depthBelow returns the edges on the longest path down from node i.
func (e *Ensemble) depthBelow(t, i int) int {
	left, inner := e.child(e.root[t], i)
	if !inner {
		return 0
	}
	return 1 + max(e.depthBelow(t, left), e.depthBelow(t, left+1))
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
	default: // a leaf above the last level: no bin is above 255
		nodes[h] = narrowSpan
		s.fill(e, t, i, 2*h+1, nodes, values)
	}
}

// scoreShallow is scoreNarrow with whole trees.
func (e *Ensemble) scoreShallow(dst, x []float64, n int, s *shallows) {
	k, d := e.outputs, e.features
	columns := make([]uint8, len(e.lay.columns)*shallowRows)
	sums := make([]float64, k*shallowRows)
	for r := 0; r < n; r += shallowRows {
		m := min(shallowRows, n-r)
		binFast(&e.lay, columns, 0, shallowRows, x[r*d:(r+m)*d], d)
		clear(sums)
		nodes, values := s.nodes, s.values
		for t, depth := range s.depth {
			o := max(int(e.output[t]), 0)
			loops.Shallow(depth, nodes, values, columns, (m+15)&^15, sums[o*shallowRows:])
			nodes, values = nodes[1<<depth-1:], values[1<<depth:]
		}
		for o := range k {
			for i, v := range sums[o*shallowRows:][:m] {
				dst[(r+i)*k+o] = v
			}
		}
	}
}
