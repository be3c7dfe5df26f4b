package grow

import "math"

// draw chooses a random split of feature j for a node of an extra tree, given
// the bins of its rows: a value uniform between the smallest and the largest in
// the node, moved to an edge that parts them. When all values fall into one
// bin, the rows that lack the value are parted from the others. ok is false
// when the feature is constant. A coin decides the side of missing values.
func (g *forester[B]) draw(bins []B, j int32) (c choice, ok bool) {
	about := &g.t.column[j]
	gone := B(about.bins())
	low, high, top := gone, B(0), B(0)
	if about.missing {
		for _, b := range bins {
			top = max(top, b)
			if b != gone {
				low, high = min(low, b), max(high, b)
			}
		}
	} else {
		for _, b := range bins {
			low, high = min(low, b), max(high, b)
		}
	}
	seen := top == gone
	switch {
	case low == gone || low == high && !seen:
		return c, false
	case low == high:
		return choice{feature: j, from: int32(high), to: int32(gone), seen: true}, true
	}
	a, b := about.low[low], about.high[high]
	u := g.rng.unit()
	v := a + u*(b-a)
	if !(v >= a && v <= b) { // an infinity, or a range beyond the largest number
		v = about.high[int(low)+int(u*float64(high-low))]
	}
	at := int32(min(max(about.place(v), int(low)), int(high)-1))
	if at > int32(low) && v-about.edges[at-1] < about.edges[at]-v {
		at--
	}
	c = choice{feature: j, from: at, to: at + 1, seen: seen}
	if seen {
		c.missingLeft = g.rng.Uint64()>>63 == 0
	}
	return c, true
}

// goesLeft says on which side of a drawn split a bin is.
func (c *choice) goesLeft(b, gone int32) bool {
	if b == gone {
		return c.missingLeft
	}
	return b <= c.from
}

// random judges drawn splits of up to 6 features. The rows are fetched once
// for all of them.
func (s *classSides[B]) random(nd *work, features []int32) bool {
	g := s.g
	t := g.t
	rows := g.idx[nd.lo:nd.hi]
	if s.fetched[0] == nil {
		for i := range s.fetched {
			s.fetched[i] = make([]B, t.n)
		}
		s.both = make([]float64, 2*s.k)
	}
	var f [6]int32
	for i := range f {
		f[i] = features[min(i, len(features)-1)]
	}
	b0, b1, b2 := s.fetched[0][:len(rows)], s.fetched[1][:len(rows)], s.fetched[2][:len(rows)]
	b3, b4, b5 := s.fetched[3][:len(rows)], s.fetched[4][:len(rows)], s.fetched[5][:len(rows)]
	for i, e := range rows {
		at := int(e>>32) * t.stride
		x := t.rows[at : at+t.stride]
		b0[i], b1[i], b2[i] = x[f[0]], x[f[1]], x[f[2]]
		b3[i], b4[i], b5[i] = x[f[3]], x[f[4]], x[f[5]]
	}
	varied := false
	for i, j := range features {
		bins := s.fetched[i][:len(rows)]
		c, ok := g.draw(bins, j)
		if !ok {
			continue
		}
		varied = true
		gone := int32(t.column[j].bins())
		clear(s.both)
		right := 0
		for at, e := range rows {
			// Class sums of the left side come first; no branch, as it could
			// not be foreseen.
			b := int32(bins[at])
			side := 0
			if b > c.from {
				side = 1
			}
			if c.seen && b == gone && c.missingLeft {
				side = 0
			}
			right += side
			w := float64(e >> 8 & 0xffffff)
			if g.rows.weight != nil {
				w *= g.rows.weight[e>>32]
			}
			s.both[side*s.k+int(e&0xff)] += w
		}
		var weight, squareL, squareR float64
		for k, l := range s.both[:s.k] {
			r := s.both[s.k+k]
			weight += l
			squareL += l * l
			squareR += r * r
		}
		c.score = squareL/weight + squareR/(nd.weight-weight)
		g.offer(nd, c, float64(len(rows)-right))
	}
	return varied
}

// random judges a drawn split of feature j.
func (s *meanSides[B]) random(nd *work, j int32) bool {
	g := s.g
	t := g.t
	col := t.cols[int(j)*t.n : (int(j)+1)*t.n]
	if s.fetched == nil {
		s.fetched = make([]B, t.n)
	}
	bins := s.fetched[:nd.hi-nd.lo]
	for i, e := range g.idx[nd.lo:nd.hi] {
		bins[i] = col[e>>32]
	}
	c, ok := g.draw(bins, j)
	if !ok {
		return false
	}
	gone := int32(t.column[j].bins())
	var left meanCell
	for i, b := range bins {
		if c.goesLeft(int32(b), gone) {
			left.sum += s.rowSum[i]
			left.weight += s.rowW[i]
			left.count++
		}
	}
	right := nd.sums[0] - left.sum
	c.score = left.sum*left.sum/left.weight + right*right/(nd.weight-left.weight)
	g.offer(nd, c, left.count)
	return true
}

// offer takes a drawn split if its sides are large enough and it is better
// than the choice so far.
func (g *forester[B]) offer(nd *work, c choice, left float64) {
	least := float64(g.o.MinSamplesLeaf)
	if left >= least && nd.count-left >= least && c.score > g.split.score && !math.IsNaN(c.score) {
		g.split = c
	}
}
