package grow

import (
	"math/bits"
	"slices"
)

// classSides judges splits by weighted Gini impurity: the larger
//
//	sum_k left_k²/left + sum_k right_k²/right
//
// the better, where left_k is the weight of class k in the left child.
type classSides[B index] struct {
	g     *forester[B]
	k     int
	shift uint // a histogram bin has 1<<shift cells, of which cell k counts rows
	exact bool // all weights are 1

	left   []float64 // weight a class left of the scan
	best   []float64 // and left of the choice; nil if that is to be recounted
	square float64   // sum of squares of the node's class weights

	// One row of the node in the small path: class and weight.
	rowClass  []uint8
	rowWeight []float64
	keys      [lanes][]uint64 // bin<<32 | place in the node
	spare     []uint64
	sortTo    int // nodes of no more rows are sorted

	weights [lanes][]float64 // histograms of the candidates
	touched [lanes][]uint64  // which bins are in use

	fetched [lanes][]B // for extra trees: bins of the node's rows
	both    []float64  // and class sums of both sides
	numeric []int32    // the numeric ones among the candidates
	groups  []setGroup // the categories of a categorical one
}

func newClassSides[B index](g *forester[B]) *classSides[B] {
	most := g.t.most
	s := newSortedSides(g, max(small, most/8))
	s.shift = log2up(s.k + 1)
	for i := range s.weights {
		s.touched[i] = make([]uint64, (most+63)/64)
		s.weights[i] = make([]float64, most<<s.shift)
	}
	return s
}

// newSortedSides returns classSides without histograms.
func newSortedSides[B index](g *forester[B], sortTo int) *classSides[B] {
	s := &classSides[B]{g: g, k: g.rows.k, exact: g.rows.weight == nil, sortTo: sortTo}
	s.left = make([]float64, s.k)
	s.rowClass = make([]uint8, s.sortTo)
	s.rowWeight = make([]float64, s.sortTo)
	s.spare = make([]uint64, s.sortTo)
	for i := range s.keys {
		s.keys[i] = make([]uint64, s.sortTo)
	}
	return s
}

func (s *classSides[B]) root(nd *work) { s.sum(nd) }

// sum adds up the rows of a node.
func (s *classSides[B]) sum(nd *work) {
	clear(nd.sums)
	nd.count, nd.weight = float64(nd.hi-nd.lo), 0
	weight := s.g.rows.weight
	for _, e := range s.g.idx[nd.lo:nd.hi] {
		has := float64(e >> 8 & 0xffffff)
		if weight != nil {
			has *= weight[e>>32]
		}
		nd.sums[e&0xff] += has
	}
	for _, v := range nd.sums {
		nd.weight += v
	}
}

func (s *classSides[B]) part(nd, left, right *work) {
	// Recounted, not subtracted: what rounding leaves over would make
	// classes appear in leaves that hold no row of them.
	s.sum(left)
	if !s.exact {
		s.sum(right)
		return
	}
	for k, v := range nd.sums {
		right.sums[k] = v - left.sums[k]
	}
	right.count, right.weight = nd.count-left.count, nd.weight-left.weight
}

func (s *classSides[B]) pure(nd *work) bool {
	seen := 0
	for _, v := range nd.sums {
		if v > 0 {
			seen++
		}
	}
	return seen < 2
}

func (s *classSides[B]) leaf(dst []float64, nd *work) []float64 {
	if factor := s.g.rows.factor; factor != nil {
		// Counts times factors, as tree.Source.ClassWeights has it: sums row by
		// row end in other bits, and a leaf's values would be long in a file.
		clear(nd.sums)
		for _, e := range s.g.idx[nd.lo:nd.hi] {
			nd.sums[e&0xff] += float64(e >> 8 & 0xffffff)
		}
		nd.weight = 0
		for k, n := range nd.sums {
			nd.sums[k] = float64(n * factor[k])
			nd.weight += nd.sums[k]
		}
		s.g.out.Cover[nd.slot] = nd.weight
	}
	for _, v := range nd.sums {
		dst = append(dst, v/nd.weight)
	}
	return dst
}

func (s *classSides[B]) start(nd *work) {
	s.square = 0
	for _, v := range nd.sums {
		s.square += v * v
	}
	nd.impure = -s.square / nd.weight
	rows := s.g.idx[nd.lo:nd.hi]
	if len(rows) > s.sortTo {
		return
	}
	weight := s.g.rows.weight
	for i, e := range rows {
		has := float64(e >> 8 & 0xffffff)
		s.rowClass[i] = uint8(e)
		if weight != nil {
			has *= weight[e>>32]
		}
		s.rowWeight[i] = has
	}
}

func (s *classSides[B]) try(nd *work, features []int32) bool {
	features, varied := s.nominal(nd, features)
	for len(features) > 0 {
		some := features[:min(len(features), lanes)]
		features = features[len(some):]
		if s.g.o.ExtraTrees {
			varied = s.random(nd, some) || varied
			continue
		}
		if nd.hi-nd.lo <= s.sortTo {
			varied = s.sorted(nd, some) || varied
		} else {
			varied = s.binned(nd, some) || varied
		}
	}
	return varied
}

// nominal judges the categorical ones among features, reports whether one of
// them has two values in the node, and returns the others.
func (s *classSides[B]) nominal(nd *work, features []int32) (numeric []int32, varied bool) {
	if !s.g.nominal {
		return features, false
	}
	s.numeric = s.numeric[:0]
	for _, j := range features {
		if s.g.t.column[j].categorical {
			varied = s.subsets(nd, j) || varied
		} else {
			s.numeric = append(s.numeric, j)
		}
	}
	return s.numeric, varied
}

// sorted judges features by sorting the node's rows by each.
func (s *classSides[B]) sorted(nd *work, features []int32) bool {
	t := s.g.t
	rows := s.g.idx[nd.lo:nd.hi]
	bins, step := t.view(features, len(rows))
	b0, b1, b2, b3, b4, b5 := bins[0], bins[1], bins[2], bins[3], bins[4], bins[5]
	k0, k1, k2 := s.keys[0][:len(rows)], s.keys[1][:len(rows)], s.keys[2][:len(rows)]
	k3, k4, k5 := s.keys[3][:len(rows)], s.keys[4][:len(rows)], s.keys[5][:len(rows)]
	for i, e := range rows {
		at := int(e>>32) * step
		k0[i] = uint64(b0[at])<<32 | uint64(i)
		k1[i] = uint64(b1[at])<<32 | uint64(i)
		k2[i] = uint64(b2[at])<<32 | uint64(i)
		k3[i] = uint64(b3[at])<<32 | uint64(i)
		k4[i] = uint64(b4[at])<<32 | uint64(i)
		k5[i] = uint64(b5[at])<<32 | uint64(i)
	}
	varied := false
	for i, j := range features {
		keys := s.keys[i][:len(rows)]
		low, high := keys[0]>>32, keys[0]>>32
		for _, k := range keys {
			low, high = min(low, k>>32), max(high, k>>32)
		}
		if low == high {
			continue
		}
		varied = true
		s.sort(keys, low, high)
		gone := uint64(t.column[j].bins())
		if high == gone {
			s.scanSorted(nd, j, keys, true)
		}
		s.scanSorted(nd, j, keys, false)
	}
	return varied
}

// sort sorts keys by bin, rows of a bin in the order of the node.
func (s *classSides[B]) sort(keys []uint64, low, high uint64) {
	switch {
	case len(keys) > 24 && high-low < 256:
		var start [257]uint16
		for _, k := range keys {
			start[(k>>32-low)&255+1]++
		}
		sum := uint16(0)
		for i := range int(high-low) + 1 {
			sum += start[i]
			start[i] = sum
		}
		out := s.spare[:len(keys)]
		for _, k := range keys {
			b := (k>>32 - low) & 255
			out[start[b]] = k
			start[b]++
		}
		copy(keys, out)
	case len(keys) <= 48:
		for i := 1; i < len(keys); i++ {
			k := keys[i]
			j := i
			for ; j > 0 && keys[j-1] > k; j-- {
				keys[j] = keys[j-1]
			}
			keys[j] = k
		}
	default:
		slices.Sort(keys)
	}
}

// scanSorted walks sorted rows and judges the split between each two bins.
// missingLeft starts with the rows that lack the value on the left.
func (s *classSides[B]) scanSorted(nd *work, j int32, keys []uint64, missingLeft bool) {
	clear(s.left)
	gone := uint64(s.g.t.column[j].bins())
	least := float64(s.g.o.MinSamplesLeaf)
	var weight, count float64
	squareL, squareR := 0.0, s.square
	take := func(k uint64) {
		p := uint32(k)
		c, w := s.rowClass[p], s.rowWeight[p]
		l := s.left[c]
		r := nd.sums[c] - l
		squareL += w * (2*l + w)
		squareR -= w * (2*r - w)
		s.left[c] = l + w
		weight += w
		count++
	}
	seen := keys[len(keys)-1]>>32 == gone
	if missingLeft {
		at := len(keys)
		for at > 0 && keys[at-1]>>32 == gone {
			at--
			take(keys[at])
		}
		keys = keys[:at]
	}
	if len(keys) == 0 {
		return
	}
	best := s.g.split.score
	before := keys[0] >> 32
	for _, k := range keys {
		if b := k >> 32; b != before {
			if count >= least && nd.count-count >= least {
				// Compared without dividing: score > best.
				rest := nd.weight - weight
				if v := squareL*rest + squareR*weight; v > best*weight*rest {
					best = squareL/weight + squareR/rest
					copy(s.best, s.left)
					s.g.split = choice{j, int32(before), int32(b), missingLeft, seen, best, nil, s.best}
				}
			}
			before = b
		}
		take(k)
	}
}

// binned judges features by histograms of the node's rows.
func (s *classSides[B]) binned(nd *work, features []int32) bool {
	t := s.g.t
	rows := s.g.idx[nd.lo:nd.hi]
	for i, j := range features {
		s.prepare(i, j, rows)
	}
	s.fill(rows, features)
	varied := false
	for i, j := range features {
		varied = s.scanBins(nd, i, j, t.column[j].bins()) || varied
	}
	return varied
}

// prepare zeroes the cells that the rows of the node will touch: all of them
// for many rows.
func (s *classSides[B]) prepare(i int, j int32, rows []uint64) {
	t := s.g.t
	width := t.column[j].bins() + 1
	touched := s.touched[i][:(width+63)/64]
	if len(rows) >= 4*width {
		for w := range touched {
			touched[w] = ^uint64(0)
		}
		if r := width & 63; r != 0 {
			touched[len(touched)-1] = 1<<r - 1
		}
		clear(s.weights[i][:width<<s.shift])
		return
	}
	clear(touched)
	col := t.cols[int(j)*t.n : (int(j)+1)*t.n]
	for _, e := range rows {
		b := uint(col[e>>32])
		touched[b>>6] |= 1 << (b & 63)
	}
	for w, m := range touched {
		for ; m != 0; m &= m - 1 {
			at := (w*64 + bits.TrailingZeros64(m)) << s.shift
			clear(s.weights[i][at : at+1<<s.shift])
		}
	}
}

// fill adds the rows to the candidates' histograms; cell k of a bin counts rows.
func (s *classSides[B]) fill(rows []uint64, features []int32) {
	t := s.g.t
	weight := s.g.rows.weight
	for _, e := range rows {
		at := int(e>>32) * t.stride
		x := t.rows[at : at+t.stride]
		w := float64(e >> 8 & 0xffffff)
		if weight != nil {
			w *= weight[e>>32]
		}
		c := uint(e & 0xff)
		for i, j := range features {
			h := s.weights[i]
			at := uint(x[j]) << (s.shift & 15)
			h[at+c] += w
			h[at+uint(s.k)]++
		}
	}
}

// scanBins walks a histogram and judges the split between each two occupied
// bins; it reports whether there are two.
func (s *classSides[B]) scanBins(nd *work, i int, j int32, gone int) bool {
	hist := s.weights[i]
	cells := 1 << s.shift
	at := gone << s.shift
	seen := false
	if s.touched[i][gone>>6]>>(gone&63)&1 != 0 {
		for _, v := range hist[at : at+cells] {
			seen = seen || v != 0
		}
	}
	if seen {
		s.scanSide(nd, i, j, gone, true, true)
	}
	return s.scanSide(nd, i, j, gone, false, seen)
}

func (s *classSides[B]) scanSide(nd *work, i int, j int32, gone int, missingLeft, seen bool) bool {
	clear(s.left)
	hist := s.weights[i]
	least := float64(s.g.o.MinSamplesLeaf)
	cells := 1 << s.shift
	k := s.k
	var weight, count float64
	squareL, squareR := 0.0, s.square
	left, sums := s.left[:k], nd.sums[:k]
	take := func(cell []float64) {
		sum := 0.0
		for c := range left {
			w := cell[c]
			if w == 0 {
				continue
			}
			l := left[c]
			r := sums[c] - l
			squareL += w * (2*l + w)
			squareR -= w * (2*r - w)
			left[c] = l + w
			sum += w
		}
		weight += sum
		count += cell[k]
	}
	if missingLeft {
		take(hist[gone<<s.shift : (gone+1)<<s.shift])
	}
	best := s.g.split.score
	before := -1
	varied := false
	for w, m := range s.touched[i][:gone>>6+1] {
		for ; m != 0; m &= m - 1 {
			b := w*64 + bits.TrailingZeros64(m)
			if b >= gone && (missingLeft || !seen) {
				break
			}
			cell := hist[b<<s.shift : b<<s.shift+cells]
			any := 0.0
			for _, v := range cell {
				any += v
			}
			if any == 0 {
				continue
			}
			if before >= 0 {
				varied = true
				if count >= least && nd.count-count >= least {
					rest := nd.weight - weight
					if v := squareL*rest + squareR*weight; v > best*weight*rest {
						best = squareL/weight + squareR/rest
						s.g.split = choice{j, int32(before), int32(b), missingLeft, seen, best, nil, nil}
					}
				}
			}
			take(cell)
			before = b
		}
	}
	return varied
}
