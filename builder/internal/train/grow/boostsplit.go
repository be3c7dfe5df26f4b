package grow

import (
	"math"
	"slices"
)

// find looks for the best split of a node. XGBoost's 1e-6 is the least gain.
func (g *booster[B]) find(nd *twig) {
	nd.split = cutting{feature: -1}
	least := max(g.o.Gamma, 1e-6)
	var s search
	s.total = nd.sum
	s.g, s.h = split64(nd.sum)
	s.lambda = g.o.Lambda * g.task.scaleH
	s.least = max(g.o.MinChildWeight*g.task.scaleH, 1)
	// Gains in packed units are unit times smaller; the best so far is the
	// fraction num/den of the sides' sum, without the node's own part.
	unit := g.task.scaleH / (g.task.scaleG * g.task.scaleG)
	own := s.g * s.g / (s.h + s.lambda)
	if g.plain {
		s.num, s.den = own+least/unit, 1
	} else {
		own, unit = g.worth(s.g/g.task.scaleG, s.h/g.task.scaleH, nd), 1
		s.num, s.den = own+least, 1
	}
	s.best.feature = -1
	for _, j := range g.candidates(nd.depth) {
		c := &g.t.column[j]
		cells := nd.hist.cells(j, c.bins())
		gone := cells[len(cells)-1]
		values := cells[:len(cells)-1]
		s.column, s.seen = j, gone != 0
		switch {
		case c.categorical:
			g.scanSets(&s, nd, values, gone)
		case g.plain:
			s.scan(values, 0, false)
			if s.seen {
				s.scan(values, gone, true)
			}
		default:
			g.scanBounded(&s, nd, values, 0, false)
			if s.seen {
				g.scanBounded(&s, nd, values, gone, true)
			}
		}
	}
	if s.best.feature < 0 {
		return
	}
	s.best.gain = (s.num/s.den - own) * unit
	if s.best.set == nil {
		// The next occupied bin, to lay the threshold between.
		c := &g.t.column[s.best.feature]
		cells := nd.hist.cells(s.best.feature, c.bins())
		to := s.best.from + 1
		for int(to) < c.bins() && cells[to] == 0 {
			to++
		}
		s.best.to = to
	}
	nd.split = s.best
}

// search is the state of a look for the best split of a node, in packed units.
type search struct {
	total         int64
	g, h          float64
	lambda, least float64
	num, den      float64
	column        int32
	seen          bool
	best          cutting
}

// split64 unpacks a sum.
func split64(v int64) (g, h float64) {
	return float64(v >> 32), float64(uint32(v))
}

// scan tries the split after each occupied bin, with left on the left side
// already.
func (s *search) scan(values []int64, left int64, missingLeft bool) {
	num, den, lambda, least := s.num, s.den, s.lambda, s.least
	sumG, sumH := s.g, s.h
	at := -1
	var sum int64
	for b, v := range values {
		if v == 0 {
			continue
		}
		left += v
		gl, hl := float64(left>>32), float64(uint32(left))
		gr, hr := sumG-gl, sumH-hl
		if hl < least {
			continue
		}
		if hr < least {
			break // later bins leave still less
		}
		a, c := hl+lambda, hr+lambda
		// gl²/a + gr²/c > num/den, without dividing.
		if n, d := gl*gl*c+gr*gr*a, a*c; n*den > num*d {
			num, den = n, d
			at, sum = b, left
		}
	}
	if at >= 0 {
		s.num, s.den = num, den
		s.best = cutting{feature: s.column, from: int32(at), missingLeft: missingLeft, seen: s.seen, left: sum}
	}
}

// scanBounded is scan with leaf values held within the node's bounds and in
// the column's direction.
func (g *booster[B]) scanBounded(s *search, nd *twig, values []int64, left int64, missingLeft bool) {
	for b, v := range values {
		if v == 0 {
			continue
		}
		left += v
		if gain, ok := g.judge(s, nd, left); ok && gain > s.num/s.den {
			s.num, s.den = gain, 1
			s.best = cutting{feature: s.column, from: int32(b), missingLeft: missingLeft, seen: s.seen, left: left}
		}
	}
}

// judge returns the worth of both sides of a split.
func (g *booster[B]) judge(s *search, nd *twig, left int64) (float64, bool) {
	gl, hl := split64(left)
	gr, hr := s.g-gl, s.h-hl
	if hl < s.least || hr < s.least {
		return 0, false
	}
	if g.o.Monotone != nil {
		wl, wr := g.value(left, nd), g.value(s.total-left, nd)
		if float64(g.o.Monotone[s.column])*(wr-wl) < 0 {
			return 0, false
		}
	}
	return g.worth(gl/g.task.scaleG, hl/g.task.scaleH, nd) + g.worth(gr/g.task.scaleG, hr/g.task.scaleH, nd), true
}

// worth returns twice the fall of the objective that a leaf of these sums
// brings: -(2·g·w + (h+lambda)·w² + 2·alpha·|w|).
func (g *booster[B]) worth(sumG, sumH float64, nd *twig) float64 {
	w := g.bounded(sumG, sumH, nd.lower, nd.upper)
	return -(2*sumG*w + (sumH+g.o.Lambda)*w*w + 2*g.o.Alpha*math.Abs(w))
}

// value returns the leaf value of a packed sum under the node's bounds.
func (g *booster[B]) value(sum int64, nd *twig) float64 {
	a, b := split64(sum)
	return g.bounded(a/g.task.scaleG, b/g.task.scaleH, nd.lower, nd.upper)
}

// bounded returns the best leaf value before eta: -G/(H+lambda), G shrunk by
// alpha, within MaxDeltaStep and the bounds.
func (g *booster[B]) bounded(sumG, sumH, lower, upper float64) float64 {
	a := g.o.Alpha
	switch {
	case sumG > a:
		sumG -= a
	case sumG < -a:
		sumG += a
	default:
		sumG = 0
	}
	under := sumH + g.o.Lambda
	if under <= 0 || sumG == 0 {
		return min(max(0, lower), upper)
	}
	w := -sumG / under
	if m := g.o.MaxDeltaStep; m > 0 {
		w = min(max(w, -m), m)
	}
	return min(max(w, lower), upper)
}

// scanSets tries sets of categories: those with rows in the order of G/(H+smooth), split
// after each. For squared error and log loss the best set is among them
// when smooth is 0 (Fisher 1958); LightGBM's cat_smooth of 10 second derivatives
// keeps rare categories from both ends.
func (g *booster[B]) scanSets(s *search, nd *twig, values []int64, gone int64) {
	smooth := 10 * g.task.scaleH
	order := g.scratch[:0]
	for b, v := range values {
		if v != 0 {
			order = append(order, int32(b))
		}
	}
	g.scratch = order
	key := func(b int32) float64 {
		a, h := split64(values[b])
		return a / (h + smooth)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch x, y := key(a), key(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return int(a - b)
	})
	for _, missingLeft := range []bool{false, true} {
		if missingLeft && !s.seen {
			break
		}
		left := int64(0)
		if missingLeft {
			left = gone
		}
		for i, b := range order {
			left += values[b]
			gain, ok := 0.0, false
			if g.plain {
				gl, hl := split64(left)
				gr, hr := s.g-gl, s.h-hl
				gain, ok = gl*gl/(hl+s.lambda)+gr*gr/(hr+s.lambda), hl >= s.least && hr >= s.least
			} else {
				gain, ok = g.judge(s, nd, left)
			}
			if !ok || gain <= s.num/s.den {
				continue
			}
			s.num, s.den = gain, 1
			set := make([]uint64, (len(values)+63)/64)
			for _, c := range order[:i+1] {
				set[c>>6] |= 1 << (c & 63)
			}
			s.best = cutting{feature: s.column, missingLeft: missingLeft, seen: s.seen, left: left, set: set}
		}
	}
}
