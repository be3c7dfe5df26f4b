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
	// Histograms of the candidates: a word a bin, plane after plane.
	hist     []uint64
	room     int     // words of each, at this node
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

// skew is the number of words added to a histogram: those that lie a power of two
// apart wait for each other where the same bins are counted.
const skew = 40

// shortRoom is the room of a histogram of 8-bit bins and up to two planes.
const shortRoom = 2*256 + skew

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
	if s.room = max(s.planes*s.stride+skew, shortRoom); len(s.hist) < lanes*s.room {
		s.hist = make([]uint64, lanes*s.room)
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
			clear(s.hist[i*s.room+p*s.stride:][:t.column[j].bins()+1])
		}
	}
	s.fill(s.g.idx[nd.lo:nd.hi], features)
	varied := false
	for i, j := range features {
		hist, gone := s.hist[i*s.room:][:s.room], int32(t.column[j].bins())
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

// fill adds the rows to the histograms of up to [lanes] features. Those after
// them count as well; nobody reads them.
func (s *countSides[B]) fill(rows []uint64, features []int32) {
	bins, step := s.g.t.view(features, len(rows))
	if short, ok := any(&bins).(*[lanes][]uint8); ok && s.room == shortRoom {
		hist := (*[lanes * shortRoom]uint64)(s.hist)
		if s.planes == 1 {
			fillShort(rows, short, step, hist, &s.unit)
		} else {
			fillPair(rows, short, step, hist, &s.unit, &s.plane)
		}
		return
	}
	for _, e := range rows {
		at := int(e>>32) * step
		c, w := int(s.plane[uint8(e)])*s.stride, s.unit[uint8(e)]*(e>>8&0xffffff)
		for i := range bins {
			s.hist[i*s.room+c+int(bins[i][at])] += w
		}
	}
}

// fillShort is fill for 8-bit bins and one plane, without bounds checks: all
// bins have one length, and 8 bits cannot leave a histogram.
func fillShort(rows []uint64, bins *[lanes][]uint8, step int, hist *[lanes * shortRoom]uint64, unit *[MaxClasses]uint64) {
	n := len(bins[0])
	b0, b1, b2 := bins[0][:n], bins[1][:n], bins[2][:n]
	b3, b4, b5 := bins[3][:n], bins[4][:n], bins[5][:n]
	for _, e := range rows {
		at := uint(e>>32) * uint(step)
		w := unit[uint8(e)] * (e >> 8 & 0xffffff)
		hist[uint(b0[at])] += w
		hist[uint(b1[at])+shortRoom] += w
		hist[uint(b2[at])+2*shortRoom] += w
		hist[uint(b3[at])+3*shortRoom] += w
		hist[uint(b4[at])+4*shortRoom] += w
		hist[uint(b5[at])+5*shortRoom] += w
	}
}

// fillPair is fillShort for two planes.
func fillPair(rows []uint64, bins *[lanes][]uint8, step int, hist *[lanes * shortRoom]uint64, unit *[MaxClasses]uint64, plane *[MaxClasses]int32) {
	n := len(bins[0])
	b0, b1, b2 := bins[0][:n], bins[1][:n], bins[2][:n]
	b3, b4, b5 := bins[3][:n], bins[4][:n], bins[5][:n]
	for _, e := range rows {
		at := uint(e>>32) * uint(step)
		c, w := uint(plane[uint8(e)]&1)<<8, unit[uint8(e)]*(e>>8&0xffffff)
		hist[uint(b0[at])+c] += w
		hist[uint(b1[at])+c+shortRoom] += w
		hist[uint(b2[at])+c+2*shortRoom] += w
		hist[uint(b3[at])+c+3*shortRoom] += w
		hist[uint(b4[at])+c+4*shortRoom] += w
		hist[uint(b5[at])+c+5*shortRoom] += w
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
