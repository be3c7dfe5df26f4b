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
		low, high = ends(bins, gone)
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

// ends returns the smallest and the largest of bins, at most gone, four at a time:
// each comparison waits for the one before.
func ends[B index](bins []B, gone B) (low, high B) {
	low0, low1, low2, low3 := gone, gone, gone, gone
	var high0, high1, high2, high3 B
	for ; len(bins) >= 4; bins = bins[4:] {
		low0, high0 = min(low0, bins[0]), max(high0, bins[0])
		low1, high1 = min(low1, bins[1]), max(high1, bins[1])
		low2, high2 = min(low2, bins[2]), max(high2, bins[2])
		low3, high3 = min(low3, bins[3]), max(high3, bins[3])
	}
	for _, b := range bins {
		low0, high0 = min(low0, b), max(high0, b)
	}
	return min(low0, low1, low2, low3), max(high0, high1, high2, high3)
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
		s.both = make([]float64, 6*s.k)
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
	// Drawn splits are summed up three at a time.
	var lanes [6]choice
	n := 0
	for i, j := range features {
		c, ok := g.draw(s.fetched[i][:len(rows)], j)
		if !ok {
			continue
		}
		s.fetched[n], s.fetched[i] = s.fetched[i], s.fetched[n]
		lanes[n] = c
		n++
	}
	for i := 0; i < n; i += 3 {
		s.three(nd, rows, lanes[i:min(i+3, n)], s.fetched[i:])
	}
	return n > 0
}

// three judges up to three drawn splits of the rows of a node, whose bins are
// given. A class is mostly that of the row before, so that adding to its sum
// waits for the sum before; of three splits, none waits for another.
func (s *classSides[B]) three(nd *work, rows []uint64, drawn []choice, bins [][]B) {
	g := s.g
	var from, gone [3]int32
	var b [3][]B
	for i := range from {
		c := &drawn[min(i, len(drawn)-1)]
		b[i] = bins[min(i, len(drawn)-1)][:len(rows)]
		from[i], gone[i] = c.from, -1
		if c.seen && c.missingLeft {
			gone[i] = int32(g.t.column[c.feature].bins())
		}
	}
	clear(s.both)
	sums := [3][]float64{s.both[:2*s.k], s.both[2*s.k : 4*s.k], s.both[4*s.k : 6*s.k]}
	b0, b1, b2 := b[0], b[1], b[2]
	var right [3]int
	for at, e := range rows {
		w := float64(e >> 8 & 0xffffff)
		if g.rows.weight != nil {
			w *= g.rows.weight[e>>32]
		}
		// The sums of the left side come first; no branch, as it could not be
		// foreseen.
		class := int(e & 0xff)
		side0, side1, side2 := above(int32(b0[at]), from[0], gone[0]), above(int32(b1[at]), from[1], gone[1]), above(int32(b2[at]), from[2], gone[2])
		right[0] += side0
		right[1] += side1
		right[2] += side2
		sums[0][side0*s.k+class] += w
		sums[1][side1*s.k+class] += w
		sums[2][side2*s.k+class] += w
	}
	for i, c := range drawn {
		var weight, squareL, squareR float64
		for k, l := range sums[i][:s.k] {
			r := sums[i][s.k+k]
			weight += l
			squareL += l * l
			squareR += r * r
		}
		c.score = squareL/weight + squareR/(nd.weight-weight)
		g.offer(nd, c, float64(len(rows)-right[i]))
	}
}

// above returns 1 if a bin is above from and not the one that is gone to the
// left, else 0.
func above(b, from, gone int32) int {
	side := int(uint32(from-b) >> 31)
	if b == gone {
		side = 0
	}
	return side
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
