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
	sums    []uint64           // left of the scan, by plane
	// Histograms of the candidates: a word for each bin, plane after plane, and one
	// for what is counted but not wanted.
	hist [lanes + 1][]uint64
}

// lanes is how many candidates are counted at once.
const lanes = 6

// field is where the weight of a class is in a word.
type field struct {
	class, plane int32
	shift        uint
	mask         uint64
	sum          int64 // of the node
}

// countable reports whether rows weigh as often as they are drawn and need not
// be counted apart from that.
func countable(rows *rowSet, o *ForestOptions) bool {
	return rows.k > 0 && rows.weight == nil && o.MinSamplesLeaf == 1 && !o.ExtraTrees
}

func newCountSides[B index](g *forester[B]) *countSides[B] {
	s := &countSides[B]{classSides: newSortedSides(g, max(16, g.t.most/16))}
	s.best = make([]float64, s.k)
	return s
}

func (s *countSides[B]) start(nd *work) {
	s.classSides.start(nd)
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
	if need := max(s.planes, 2) * s.stride(); len(s.hist[0]) < need {
		for i := range s.hist {
			s.hist[i] = make([]uint64, need)
		}
		s.sums = make([]uint64, s.planes)
	}
}

// stride is the number of words between planes.
func (s *countSides[B]) stride() int { return max(s.g.t.most, 256) }

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
	for i, j := range features {
		for p := range s.planes {
			clear(s.hist[i][p*s.stride():][:s.g.t.column[j].bins()+1])
		}
	}
	s.fill(s.g.idx[nd.lo:nd.hi], features)
	varied := false
	for i, j := range features {
		hist, gone := s.hist[i], s.g.t.column[j].bins()
		seen := s.some(hist, gone)
		if seen {
			s.scan(nd, j, hist, true, true)
		}
		varied = s.scan(nd, j, hist, false, seen) || varied
	}
	return varied
}

// fill adds the rows to the histograms of up to [lanes] features.
func (s *countSides[B]) fill(rows []uint64, features []int32) {
	t := s.g.t
	var f [lanes]int32
	h := [lanes][]uint64(s.hist[:lanes])
	for i := range f {
		f[i] = features[min(i, len(features)-1)]
		if i >= len(features) {
			h[i] = s.hist[lanes]
		}
	}
	if table, ok := any(t.rows).([]uint8); ok && s.planes <= 2 {
		fillShort(rows, table, t.stride, &f, &h, &s.unit, &s.plane)
		return
	}
	stride := s.stride()
	for _, e := range rows {
		at := int(e>>32) * t.stride
		x := t.rows[at : at+t.stride]
		c, w := int(s.plane[uint8(e)])*stride, s.unit[uint8(e)]*(e>>8&0xffffff)
		h[0][c+int(x[f[0]])] += w
		h[1][c+int(x[f[1]])] += w
		h[2][c+int(x[f[2]])] += w
		h[3][c+int(x[f[3]])] += w
		h[4][c+int(x[f[4]])] += w
		h[5][c+int(x[f[5]])] += w
	}
}

// fillShort is fill for 8-bit bins and up to two planes: such an index cannot leave 512
// words, which saves the bounds checks.
func fillShort(rows []uint64, table []uint8, stride int, f *[lanes]int32, h *[lanes][]uint64, unit *[MaxClasses]uint64, plane *[MaxClasses]int32) {
	h0, h1, h2 := (*[512]uint64)(h[0]), (*[512]uint64)(h[1]), (*[512]uint64)(h[2])
	h3, h4, h5 := (*[512]uint64)(h[3]), (*[512]uint64)(h[4]), (*[512]uint64)(h[5])
	f0, f1, f2, f3, f4, f5 := f[0], f[1], f[2], f[3], f[4], f[5]
	for _, e := range rows {
		at := int(e>>32) * stride
		x := table[at : at+stride]
		c, w := uint(plane[uint8(e)]&1)<<8, unit[uint8(e)]*(e>>8&0xffffff)
		h0[uint(x[f0])+c] += w
		h1[uint(x[f1])+c] += w
		h2[uint(x[f2])+c] += w
		h3[uint(x[f3])+c] += w
		h4[uint(x[f4])+c] += w
		h5[uint(x[f5])+c] += w
	}
}

// some reports whether a bin of a histogram has rows.
func (s *countSides[B]) some(hist []uint64, b int) bool {
	any := hist[b]
	for p := 1; p < s.planes; p++ {
		any |= hist[p*s.stride()+b]
	}
	return any != 0
}

// add adds a bin to the sums on the left.
func (s *countSides[B]) add(hist []uint64, b int) {
	for p := range s.planes {
		s.sums[p] += hist[p*s.stride()+b]
	}
}

// scan tries the splits between each two occupied bins of a histogram and
// reports whether there are two. With missingLeft, the rows that lack the value
// are on the left from the start; seen says that there are such rows.
func (s *countSides[B]) scan(nd *work, j int32, hist []uint64, missingLeft, seen bool) bool {
	end := s.g.t.column[j].bins()
	clear(s.sums)
	if missingLeft {
		s.add(hist, end)
	} else if seen {
		end++
	}
	best := s.g.split.score
	before := -1
	varied := false
	for b := range end {
		if !s.some(hist, b) {
			continue
		}
		if before >= 0 {
			varied = true
			var n, squareL, squareR int64
			for i := range s.classes {
				c := &s.classes[i]
				l := int64(s.sums[c.plane] >> c.shift & c.mask)
				n += l
				squareL += l * l
				squareR += (c.sum - l) * (c.sum - l)
			}
			// Compared without dividing: score > best.
			weight := float64(n)
			rest := nd.weight - weight
			if v := float64(squareL)*rest + float64(squareR)*weight; v > best*weight*rest {
				best = float64(squareL)/weight + float64(squareR)/rest
				s.g.split = choice{j, int32(before), int32(b), missingLeft, seen, best, nil, s.best}
				clear(s.best)
				for _, c := range s.classes {
					s.best[c.class] = float64(s.sums[c.plane] >> c.shift & c.mask)
				}
			}
		}
		s.add(hist, b)
		before = b
	}
	return varied
}
