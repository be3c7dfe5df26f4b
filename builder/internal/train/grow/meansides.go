package grow

import (
	"slices"
)

// meanSides judges splits by squared error: the larger
//
//	(sum left w·y)²/left + (sum right w·y)²/right
//
// the better, with y centred on the training mean.
type meanSides[B index] struct {
	g       *forester[B]
	keys    []uint64
	rowSum  []float64 // w·y and w of the node's rows
	rowW    []float64
	cells   []meanCell
	touched []int32
	groups  []setGroup
	fetched []B // for extra trees: bins of the node's rows
}

// meanCell is a histogram bin.
type meanCell struct{ sum, weight, count float64 }

func newMeanSides[B index](g *forester[B]) *meanSides[B] {
	n := len(g.rows.live)
	return &meanSides[B]{
		g: g, keys: make([]uint64, 0, n), cells: make([]meanCell, g.t.most),
		rowSum: make([]float64, n), rowW: make([]float64, n),
	}
}

func (s *meanSides[B]) root(nd *work) { s.sum(nd) }

func (s *meanSides[B]) sum(nd *work) {
	nd.sums[0], nd.count, nd.weight = 0, float64(nd.hi-nd.lo), 0
	for _, e := range s.g.idx[nd.lo:nd.hi] {
		i := uint32(e >> 32)
		w := float64(e>>8&0xffffff) * s.g.rows.of(i)
		nd.weight += w
		nd.sums[0] += w * s.g.rows.target[i]
	}
}

func (s *meanSides[B]) part(_, left, right *work) {
	s.sum(left)
	s.sum(right)
}

func (s *meanSides[B]) pure(nd *work) bool {
	rows := s.g.idx[nd.lo:nd.hi]
	first := s.g.rows.target[rows[0]>>32]
	for _, e := range rows {
		if s.g.rows.target[e>>32] != first {
			return false
		}
	}
	return true
}

func (s *meanSides[B]) leaf(dst []float64, nd *work) []float64 {
	// The mean of equal targets is that target, without rounding.
	if s.pure(nd) {
		return append(dst, s.g.rows.target[s.g.idx[nd.lo]>>32]+s.g.rows.mean)
	}
	return append(dst, nd.sums[0]/nd.weight+s.g.rows.mean)
}

func (s *meanSides[B]) start(nd *work) {
	nd.impure = -nd.sums[0] * nd.sums[0] / nd.weight
	for i, e := range s.g.idx[nd.lo:nd.hi] {
		w := float64(e>>8&0xffffff) * s.g.rows.of(uint32(e>>32))
		s.rowW[i] = w
		s.rowSum[i] = w * s.g.rows.target[e>>32]
	}
}

func (s *meanSides[B]) try(nd *work, features []int32) bool {
	varied := false
	for _, j := range features {
		if s.g.t.column[j].categorical {
			varied = s.subsets(nd, j) || varied
		} else if s.g.o.ExtraTrees {
			varied = s.random(nd, j) || varied
		} else {
			varied = s.one(nd, j) || varied
		}
	}
	return varied
}

// one judges a feature: bins in order, each with its sums.
func (s *meanSides[B]) one(nd *work, j int32) bool {
	t := s.g.t
	rows := s.g.idx[nd.lo:nd.hi]
	col := t.cols[int(j)*t.n : (int(j)+1)*t.n]
	gone := t.column[j].bins()
	s.touched = s.touched[:0]
	if len(rows) > small && len(rows) > gone/8 {
		cells := s.cells[:gone+1]
		clear(cells)
		for i, e := range rows {
			c := &cells[col[e>>32]]
			c.sum += s.rowSum[i]
			c.weight += s.rowW[i]
			c.count++
		}
		for b := range cells {
			if cells[b].count > 0 {
				s.touched = append(s.touched, int32(b))
			}
		}
	} else {
		keys := s.keys[:len(rows)]
		for i, e := range rows {
			keys[i] = uint64(col[e>>32])<<32 | uint64(i)
		}
		slices.Sort(keys)
		last := -1
		for _, k := range keys {
			b, i := int(k>>32), uint32(k)
			c := &s.cells[b]
			if b != last {
				*c = meanCell{}
				s.touched = append(s.touched, int32(b))
				last = b
			}
			c.sum += s.rowSum[i]
			c.weight += s.rowW[i]
			c.count++
		}
	}
	if len(s.touched) < 2 {
		return false
	}
	seen := int(s.touched[len(s.touched)-1]) == gone
	if seen {
		s.scan(nd, j, s.cells[gone], s.touched[:len(s.touched)-1], true, true)
	}
	s.scan(nd, j, meanCell{}, s.touched, false, seen)
	return true
}

// scan judges the split between each two of the bins, left of which is what
// left holds already.
func (s *meanSides[B]) scan(nd *work, j int32, left meanCell, bins []int32, missingLeft, seen bool) {
	least := float64(s.g.o.MinSamplesLeaf)
	for i, b := range bins {
		if i > 0 && left.count >= least && nd.count-left.count >= least {
			rest := nd.weight - left.weight
			right := nd.sums[0] - left.sum
			if left.weight > 0 && rest > 0 {
				if v := left.sum*left.sum/left.weight + right*right/rest; v > s.g.split.score {
					s.g.split = choice{j, bins[i-1], b, missingLeft, seen, v, nil, nil}
				}
			}
		}
		c := &s.cells[b]
		left.sum += c.sum
		left.weight += c.weight
		left.count += c.count
	}
}
