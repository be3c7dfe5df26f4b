package grow

import "math/bits"

// countSides is classSides for trees that [countable] is true of. Its sums are
// whole numbers, exact in any order: what is not left is right, and both sides
// of a split are known before its rows are parted. So the weights of several
// classes share a word, each in a field as wide as its sum in the node needs.
type countSides[B index] struct {
	*classSides[B]
	classes []field            // those of the node
	planes  int                // words that their fields take
	unit    [MaxClasses]uint64 // 1 in the field of a class
	plane   [MaxClasses]int32  // the word it is in
	// Histograms of the candidates, and one for what is counted but not
	// wanted: a word a bin, plane after plane.
	hist     [lanes + 1][]uint64
	stride   int     // words between planes
	occupied []int32 // bins of the candidate being judged
	splits   []split // and what is left of each of them
}

// field is where the weight of a class is in a word.
type field struct {
	class, plane int32
	shift        uint
	mask         uint64
	sum          int64 // of the node
}

// split has the weight to the left and the sums of squares of class weights to
// the left and to the right.
type split struct{ weight, squareL, squareR int64 }

// countable reports whether rows weigh as often as they are drawn and need not
// be counted apart from that.
func countable(rows *rowSet, o *ForestOptions) bool {
	return rows.k > 0 && rows.weight == nil && o.MinSamplesLeaf == 1 && !o.ExtraTrees
}

// few is the number of rows up to which a node that counts in words sorts its
// candidates' bins: clearing and reading a histogram takes as long.
const few = 24

func newCountSides[B index](g *forester[B]) *countSides[B] {
	most := g.t.most
	s := &countSides[B]{classSides: newSortedSides(g, max(few, most/16)), stride: max(most, 256)}
	s.best = make([]float64, s.k)
	s.occupied, s.splits = make([]int32, most), make([]split, most)
	return s
}

func (s *countSides[B]) root(nd *work) {
	nd.count = float64(nd.hi - nd.lo)
	// Two sums a class, as a sum waits for the one before.
	var sums [2][MaxClasses]uint32
	for i, e := range s.g.idx[nd.lo:nd.hi] {
		sums[i&1][uint8(e)] += uint32(e) >> 8
	}
	for k := range nd.sums {
		nd.sums[k] = float64(sums[0][k]) + float64(sums[1][k])
		nd.weight += nd.sums[k]
	}
}

func (s *countSides[B]) start(nd *work) {
	s.classSides.start(nd)
	if nd.hi-nd.lo <= s.sortTo {
		return
	}
	s.classes, s.planes = s.classes[:0], 1
	at := 0
	for k, v := range nd.sums {
		if v == 0 {
			continue
		}
		n := uint64(v)
		width := bits.Len64(n)
		if at+width > 64 {
			s.planes++
			at = 0
		}
		s.unit[k], s.plane[k] = 1<<at, int32(s.planes-1)
		s.classes = append(s.classes, field{int32(k), s.plane[k], uint(at), 1<<width - 1, int64(n)})
		at += width
	}
	if need := max(s.planes, 2) * s.stride; len(s.hist[0]) < need {
		// Histograms that lie a power of two apart wait for each other where
		// the same bins are counted, so they lie some cache lines farther.
		need += 40
		all := make([]uint64, len(s.hist)*need)
		for i := range s.hist {
			s.hist[i] = all[i*need:][:need]
		}
	}
}

func (s *countSides[B]) try(nd *work, features []int32) bool {
	features, varied := s.nominal(nd, features)
	for len(features) > 0 {
		some := features[:min(len(features), lanes)]
		features = features[len(some):]
		if nd.hi-nd.lo <= s.sortTo {
			varied = s.sorted(nd, some) || varied
		} else {
			varied = s.binned(nd, some) || varied
		}
	}
	return varied
}

// binned judges features by histograms of the node's rows.
func (s *countSides[B]) binned(nd *work, features []int32) bool {
	t := s.g.t
	for i, j := range features {
		for p := range s.planes {
			clear(s.hist[i][p*s.stride:][:t.column[j].bins()+1])
		}
	}
	s.fill(s.g.idx[nd.lo:nd.hi], features)
	varied := false
	for i, j := range features {
		hist, gone := s.hist[i], int32(t.column[j].bins())
		occupied := s.compress(hist, int(gone)+1)
		last := len(occupied) - 1
		if last < 1 {
			continue
		}
		varied = true
		seen := occupied[last] == gone
		if seen {
			s.scan(nd, j, hist, occupied[:last], last, true)
		}
		s.scan(nd, j, hist, occupied, -1, seen)
	}
	return varied
}

// fill adds the rows to the histograms of up to [lanes] features.
func (s *countSides[B]) fill(rows []uint64, features []int32) {
	t := s.g.t
	bins, step := t.lanes(features, len(rows))
	h := [lanes][]uint64(s.hist[:lanes])
	for i := len(features); i < len(h); i++ {
		h[i] = s.hist[lanes]
	}
	if short, ok := any(&bins).(*[lanes][]uint8); ok && s.planes <= 2 {
		if s.planes == 1 {
			fillShort(rows, short, step, &h, &s.unit)
		} else {
			fillPair(rows, short, step, &h, &s.unit, &s.plane)
		}
		return
	}
	for _, e := range rows {
		at := int(e>>32) * step
		c, w := int(s.plane[uint8(e)])*s.stride, s.unit[uint8(e)]*(e>>8&0xffffff)
		h[0][c+int(bins[0][at])] += w
		h[1][c+int(bins[1][at])] += w
		h[2][c+int(bins[2][at])] += w
		h[3][c+int(bins[3][at])] += w
		h[4][c+int(bins[4][at])] += w
		h[5][c+int(bins[5][at])] += w
	}
}

// fillShort is fill for 8-bit bins and one plane, without bounds checks: all
// bins have one length, and 8 bits cannot leave 256 words.
func fillShort(rows []uint64, bins *[lanes][]uint8, step int, h *[lanes][]uint64, unit *[MaxClasses]uint64) {
	h0, h1, h2 := (*[256]uint64)(h[0]), (*[256]uint64)(h[1]), (*[256]uint64)(h[2])
	h3, h4, h5 := (*[256]uint64)(h[3]), (*[256]uint64)(h[4]), (*[256]uint64)(h[5])
	n := len(bins[0])
	b0, b1, b2 := bins[0][:n], bins[1][:n], bins[2][:n]
	b3, b4, b5 := bins[3][:n], bins[4][:n], bins[5][:n]
	for _, e := range rows {
		at := uint(e>>32) * uint(step)
		w := unit[uint8(e)] * (e >> 8 & 0xffffff)
		h0[b0[at]] += w
		h1[b1[at]] += w
		h2[b2[at]] += w
		h3[b3[at]] += w
		h4[b4[at]] += w
		h5[b5[at]] += w
	}
}

// fillPair is fillShort for two planes.
func fillPair(rows []uint64, bins *[lanes][]uint8, step int, h *[lanes][]uint64, unit *[MaxClasses]uint64, plane *[MaxClasses]int32) {
	h0, h1, h2 := (*[512]uint64)(h[0]), (*[512]uint64)(h[1]), (*[512]uint64)(h[2])
	h3, h4, h5 := (*[512]uint64)(h[3]), (*[512]uint64)(h[4]), (*[512]uint64)(h[5])
	n := len(bins[0])
	b0, b1, b2 := bins[0][:n], bins[1][:n], bins[2][:n]
	b3, b4, b5 := bins[3][:n], bins[4][:n], bins[5][:n]
	for _, e := range rows {
		at := uint(e>>32) * uint(step)
		c, w := uint(plane[uint8(e)]&1)<<8, unit[uint8(e)]*(e>>8&0xffffff)
		h0[uint(b0[at])+c] += w
		h1[uint(b1[at])+c] += w
		h2[uint(b2[at])+c] += w
		h3[uint(b3[at])+c] += w
		h4[uint(b4[at])+c] += w
		h5[uint(b5[at])+c] += w
	}
}

// compress moves the occupied ones of the first n bins of a histogram to its
// front and returns their numbers.
func (s *countSides[B]) compress(hist []uint64, n int) []int32 {
	list := s.occupied[:n]
	at := 0
	if s.planes == 1 {
		hist = hist[:len(list)]
		for b, w := range hist {
			list[at], hist[at] = int32(b), w
			some := 0 // without a branch, which could not be foreseen
			if w != 0 {
				some = 1
			}
			at += some
		}
		return list[:at]
	}
	for b := range n {
		any := uint64(0)
		for p := range s.planes {
			w := hist[p*s.stride+b]
			hist[p*s.stride+at] = w
			any |= w
		}
		list[at] = int32(b)
		if any != 0 {
			at++
		}
	}
	return list[:at]
}

// scan tries the splits between each two of the occupied bins, with those at
// first, if it is not negative, on the left from the start. seen says that rows
// lack the value.
func (s *countSides[B]) scan(nd *work, j int32, hist []uint64, occupied []int32, first int, seen bool) {
	splits := s.splits[:len(occupied)]
	clear(splits)
	for from, to := 0, 0; from < len(s.classes); from = to {
		plane := s.classes[from].plane
		for to < len(s.classes) && s.classes[to].plane == plane {
			to++
		}
		words := hist[int(plane)*s.stride:]
		left := uint64(0)
		if first >= 0 {
			left = words[first]
		}
		classes := s.classes[from:to]
		for i, w := range words[:len(splits)] {
			p := &splits[i]
			for k := range classes {
				c := &classes[k]
				l := int64(left >> (c.shift & 63) & c.mask)
				p.weight += l
				p.squareL += l * l
				p.squareR += (c.sum - l) * (c.sum - l)
			}
			left += w
		}
	}
	best, at := s.g.split.score, 0
	for i := 1; i < len(splits); i++ {
		// Compared without dividing: score > best.
		squareL, squareR, weight := float64(splits[i].squareL), float64(splits[i].squareR), float64(splits[i].weight)
		rest := nd.weight - weight
		if squareL*rest+squareR*weight > best*weight*rest {
			best, at = squareL/weight+squareR/rest, i
		}
	}
	if at == 0 {
		return
	}
	clear(s.best)
	for _, c := range s.classes {
		words, left := hist[int(c.plane)*s.stride:], uint64(0)
		if first >= 0 {
			left = words[first]
		}
		for _, w := range words[:at] {
			left += w
		}
		s.best[c.class] = float64(left >> c.shift & c.mask)
	}
	s.g.split = choice{j, occupied[at-1], occupied[at], first >= 0, seen, best, nil, s.best}
}
