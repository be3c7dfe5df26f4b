package tree

import (
	"math"
	"sync"
)

// even holds oblivious trees. A row is a number per tree, a bit a level, that
// takes no branch to make; leaves are small whole numbers, so that sums are
// exact in any order and vectors of eight are added at once.
type even struct {
	levels []int // by tree
	depth  int   // most of them
	step   float64
	// tests are depth a tree, column<<16 | bin, 255 as bin where a tree has no
	// such level: no row is above it.
	tests []uint32
	// leaves are, by eight outputs, by tree, by leaf, eight values; trees are
	// padded to evenTrees.
	leaves []int16
	// cover is by tree<<evenShift and node, which is 1<<level plus the bits of
	// the levels above.
	cover []float64
	// large are the trees at the front, a multiple of smallTrees, among which so many
	// may not add up to 16 bits; after them they do.
	large     int
	largeOnce sync.Once
}

const (
	evenShift  = MaxLevels + 1
	evenTrees  = 4   // that Kernel.Oblivious adds up together
	smallTrees = 8   // that Kernel.Oblivious8 does
	evenRows   = 256 // rows of a block; tests hold columns times that, shifted by 8
	evenWidth  = 8   // outputs that are added at once
	// fewEvenRows is where going row by row is faster than a block.
	fewEvenRows = 6
)

// padded returns the trees with those that make them a multiple of evenTrees.
func (v *even) padded() int { return (len(v.levels) + evenTrees - 1) &^ (evenTrees - 1) }

func (v *even) nodes() int {
	n := 0
	for _, d := range v.levels {
		n += 2<<d - 1
	}
	return n
}

func (v *even) memoryBytes() int {
	if v == nil {
		return 0
	}
	return 4*cap(v.tests) + 2*cap(v.leaves) + 8*cap(v.cover) + 8*cap(v.levels)
}

// groups returns how many times eight outputs there are.
func groups(outputs int) int { return (outputs + evenWidth - 1) / evenWidth }

// newEven makes room for trees of these levels; too much is a [*LimitError].
func newEven(levels []int, outputs int, step float64) (*even, error) {
	v := &even{levels: levels, step: step}
	for _, d := range levels {
		v.depth = max(v.depth, d)
	}
	values := v.padded() << v.depth * groups(outputs) * evenWidth
	if values > MaxLeafValues {
		return nil, &LimitError{"leaf values", MaxLeafValues, values}
	}
	v.tests = make([]uint32, v.padded()*v.depth)
	for i := range v.tests {
		v.tests[i] = narrowSpan
	}
	v.leaves = make([]int16, values)
	v.cover = make([]float64, len(levels)<<evenShift)
	return v, nil
}

// leaf returns the eight values of group g at a leaf of tree t.
func (v *even) leaf(g, t, leaf int) []int16 {
	at := ((g*v.padded()+t)<<v.depth + leaf) * evenWidth
	return v.leaves[at : at+evenWidth : at+evenWidth]
}

// sumCovers fills the covers of the inner nodes of tree t from its leaves.
func (v *even) sumCovers(t int) error {
	c := v.cover[t<<evenShift : (t+1)<<evenShift]
	for l := v.levels[t] - 1; l >= 0; l-- {
		for i := 1 << l; i < 2<<l; i++ {
			c[i] = c[i+1<<l] + c[i+2<<l]
		}
	}
	if !(c[1] > 0) || c[1] >= wholeLimit {
		return ensembleError("total cover %g, want more than 0 and less than %d", c[1], wholeLimit)
	}
	return nil
}

// setTest writes the test of a level, whose column must be among the first 256.
func (e *Ensemble) setTest(t, level, test, rank int) {
	col := e.lay.tests[test].column + rank/e.lay.span
	e.even.tests[t*e.even.depth+level] = uint32(col)<<16 | uint32(rank%e.lay.span)
}

// newOblivious is New for a checked ensemble of oblivious trees.
func newOblivious(src *Source) (*Ensemble, error) {
	e := &Ensemble{kind: src.Kind, link: src.Link, features: src.Features, outputs: src.Outputs, base: make([]float64, src.Outputs)}
	copy(e.base, src.Base)
	levels := make([]int, len(src.Levels))
	plain := Source{Features: src.Features} // for its thresholds
	for i := range src.Levels {
		t := &src.Levels[i]
		if err := t.check(src); err != nil {
			return nil, atTree(err, i)
		}
		levels[i] = len(t.Feature)
		plain.Trees = append(plain.Trees, SourceTree{Feature: t.Feature, Threshold: t.Threshold, MissingLeft: t.MissingLeft})
	}
	var err error
	if e.even, err = newEven(levels, src.Outputs, src.Step); err != nil {
		return nil, err
	}
	if e.lay, err = layoutOf(&plain); err != nil {
		return nil, err
	}
	if err := e.lay.assignNarrow(); err != nil {
		return nil, err
	}
	for i := range src.Levels {
		t := &src.Levels[i]
		for l, f := range t.Feature {
			left := len(t.MissingLeft) > 0 && t.MissingLeft[l]
			test, rank := e.lay.find(int(f), left, t.Threshold[l], nil)
			e.setTest(i, l, test, rank)
		}
		for leaf, c := range t.Cover {
			e.even.cover[i<<evenShift|1<<levels[i]+leaf] = c
			for j, v := range t.Value[leaf*e.outputs : (leaf+1)*e.outputs] {
				e.even.leaf(j/evenWidth, i, leaf)[j%evenWidth] = v
			}
		}
		if err := e.even.sumCovers(i); err != nil {
			return nil, atTree(err, i)
		}
	}
	e.depth = e.even.depth
	return e, nil
}

// check checks one tree by itself.
func (t *ObliviousTree) check(s *Source) error {
	d := len(t.Feature)
	if d > MaxLevels {
		return &LimitError{"levels", MaxLevels, d}
	}
	for _, l := range []struct {
		what      string
		got, want int
	}{
		{"Threshold", len(t.Threshold), d},
		{"MissingLeft", len(t.MissingLeft), d},
		{"Cover", len(t.Cover), 1 << d},
		{"Value", len(t.Value), s.Outputs << d},
	} {
		if l.got != l.want && !(l.what == "MissingLeft" && l.got == 0) {
			return ensembleError("%s holds %d entries, want %d", l.what, l.got, l.want)
		}
	}
	for l, f := range t.Feature {
		if f < 0 || int(f) >= s.Features {
			return nodeError(l, "feature %d, want 0..%d", f, s.Features-1)
		}
		if math.IsNaN(t.Threshold[l]) {
			return nodeError(l, "threshold is NaN")
		}
	}
	for leaf, c := range t.Cover {
		if c != math.Trunc(c) || !(c >= 0) || c >= wholeLimit {
			return nodeError(leaf, "cover %g, want a whole number below %d", c, wholeLimit)
		}
		for _, v := range t.Value[leaf*s.Outputs : (leaf+1)*s.Outputs] {
			if v < -MaxStep || v > MaxStep || c == 0 && v != 0 {
				return nodeError(leaf, "value %d with cover %g, want at most %d either side of 0, and 0 without cover", v, c, MaxStep)
			}
		}
	}
	return nil
}

// assignNarrow is assign for oblivious trees, which have 8-bit bins only.
func (l *layout) assignNarrow() error {
	l.span = narrowSpan
	if w := l.width(); w > narrowColumns {
		return &LimitError{"bin columns of oblivious trees", narrowColumns, w}
	}
	return l.assign(0)
}

// evenNode is Node for oblivious trees. Its nodes are the tree, then a bit,
// then the turns taken, the last one highest.
func (e *Ensemble) evenNode(t, i int) Node {
	h := i & (1<<evenShift - 1)
	level := 0
	for h>>level > 1 {
		level++
	}
	n := Node{Feature: -1, Threshold: math.NaN(), Cover: e.even.cover[i]}
	if level == e.even.levels[t] {
		n.Values = make([]float64, e.outputs)
		for j := range n.Values {
			n.Values[j] = e.even.step * float64(e.even.leaf(j/evenWidth, t, h-1<<level)[j%evenWidth])
		}
		return n
	}
	q := e.even.tests[t*e.even.depth+level]
	n.Column, n.Bin = int(q>>16), int(q&0xff)
	c := e.lay.columns[n.Column]
	tested := e.lay.tests[c.test]
	n.Feature = tested.feature
	n.Threshold = e.lay.numeric[tested.numeric].edges[c.piece*e.lay.span+n.Bin]
	n.Left = t<<evenShift | h + 1<<level
	n.Right = t<<evenShift | h + 2<<level
	return n
}

// evenSums is room for a block.
type evenSums struct {
	columns []uint8
	numbers []uint8
	sums    []int32 // evenWidth a row and group
}

func (e *Ensemble) newEvenSums() *evenSums {
	return &evenSums{
		make([]uint8, max(1, len(e.lay.columns))*evenRows), make([]uint8, 2*smallTrees*evenRows),
		make([]int32, evenRows*groups(e.outputs)*evenWidth),
	}
}

// scoreEven fills dst with the margins of x, n rows.
func (e *Ensemble) scoreEven(dst, x []float64, n int) {
	shift, d, k := e.lay.strideBits(), e.features, e.outputs
	if loops == nil || n < fewEvenRows {
		bins := make([]uint8, min(n, evenRows)<<shift)
		sums := make([]int32, groups(k)*evenWidth)
		for r := 0; r < n; r += evenRows {
			m := min(evenRows, n-r)
			bin(e, bins[:m<<shift], shift, x[r*d:(r+m)*d])
			e.evenRows(dst[r*k:(r+m)*k], bins, sums)
		}
		return
	}
	s := e.newEvenSums()
	for r := 0; r < n; r += evenRows {
		m := min(evenRows, n-r)
		e.fastColumns(s.columns, evenRows, x[r*d:(r+m)*d])
		e.evenBlock(dst[r*k:(r+m)*k], m, s)
	}
}

// scoreEvenBinned is scoreEven for rows of bins.
func (e *Ensemble) scoreEvenBinned(dst []float64, bins []uint8, n int) {
	shift, k := e.lay.strideBits(), e.outputs
	if loops == nil || n < fewEvenRows {
		e.evenRows(dst, bins, make([]int32, groups(k)*evenWidth))
		return
	}
	s := e.newEvenSums()
	for r := 0; r < n; r += evenRows {
		m := min(evenRows, n-r)
		for i := range m {
			for c, v := range bins[(r+i)<<shift:][:len(e.lay.columns)] {
				s.columns[c*evenRows+i] = v
			}
		}
		e.evenBlock(dst[r*k:(r+m)*k], m, s)
	}
}

// evenBlock scores the first m rows of the columns of s with the kernel.
func (e *Ensemble) evenBlock(dst []float64, m int, s *evenSums) {
	v, g := e.even, groups(e.outputs)
	clear(s.sums)
	n, size := v.padded(), evenWidth<<v.depth
	large := n
	if loops.Oblivious8 != nil {
		large = v.largeTrees(e.outputs)
	}
	small := (n - large) &^ (smallTrees - 1)
	for i := range g {
		add := func(do func(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8), from, to int) {
			if from < to {
				do(v.tests[from*v.depth:], v.depth, v.leaves[(i*n+from)*size:], s.columns, upTo(m, loops.together()), s.sums[i*evenWidth:], g*evenWidth, to-from, s.numbers)
			}
		}
		add(loops.Oblivious, 0, large)
		add(loops.Oblivious8, large, large+small)
		add(loops.Oblivious, large+small, n)
	}
	for i := range m {
		e.evenMargin(dst[i*e.outputs:(i+1)*e.outputs], s.sums[i*g*evenWidth:])
	}
}

// largeTrees returns large, found when it is first asked for.
func (v *even) largeTrees(outputs int) int {
	v.largeOnce.Do(func() {
		for from := 0; from+smallTrees <= v.padded(); from += smallTrees {
			for j := range outputs {
				sum := 0
				for t := from; t < from+smallTrees; t++ {
					most := 0
					for leaf := range 1 << v.depth {
						p := int(v.leaf(j/evenWidth, t, leaf)[j%evenWidth])
						most = max(most, p, -p)
					}
					sum += most
				}
				if sum > math.MaxInt16 {
					v.large = from + smallTrees
				}
			}
		}
	})
	return v.large
}

// evenMargin turns the sums of a row into margins.
func (e *Ensemble) evenMargin(dst []float64, sums []int32) {
	for j := range dst {
		dst[j] = e.base[j] + float64(e.even.step*float64(sums[j]))
	}
}

// evenRows fills dst, row by row; sums is room for one.
func (e *Ensemble) evenRows(dst []float64, bins []uint8, sums []int32) {
	v, k, shift := e.even, e.outputs, e.lay.strideBits()
	for r := range len(dst) / k {
		row := bins[r<<shift : (r+1)<<shift]
		clear(sums)
		tests := v.tests
		for t := range v.levels {
			leaf := uint32(0)
			for l, q := range tests[:v.depth] {
				leaf |= (q&0xff - uint32(row[q>>16])) >> 31 << l
			}
			tests = tests[v.depth:]
			for g := range groups(k) {
				values := (*[evenWidth]int16)(v.leaf(g, t, int(leaf)))
				to := (*[evenWidth]int32)(sums[g*evenWidth:])
				for j, p := range values {
					to[j] += int32(p)
				}
			}
		}
		e.evenMargin(dst[r*k:(r+1)*k], sums)
	}
}
