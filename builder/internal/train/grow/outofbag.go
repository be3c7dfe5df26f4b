package grow

import "math"

// bag adds up, in one worker, the predictions of trees for rows that they did
// not see. The sums are integers, so that the order of trees does not matter.
type bag struct {
	sums  []uint64 // n×k: probability in 2^-32, or target in 2^-44 of the largest, offset by one
	votes []uint32
	rows  []uint32 // of the newest tree
	perm  []int32
}

const (
	bagShare  = 1 << 32
	bagTarget = 1 << 44
)

// unseen adds the newest tree's predictions for its out-of-bag rows to the bag
// and returns its permutation importance, or nil when that is not wanted or
// there are no such rows.
func (g *forester[B]) unseen() []float64 {
	b := &g.bag
	k := max(g.rows.k, 1)
	if b.sums == nil {
		b.sums, b.votes = make([]uint64, g.rows.n*k), make([]uint32, g.rows.n)
	}
	b.rows = b.rows[:0]
	for _, i := range g.rows.live {
		if g.drawn[i] == 0 {
			b.rows = append(b.rows, i)
		}
	}
	loss := 0.0
	for _, i := range b.rows {
		v := g.walk(i, -1, 0)
		value := g.out.Value[int(v)*k : int(v)*k+k]
		loss += g.loss(i, value)
		b.votes[i]++
		for c, p := range value {
			b.sums[int(i)*k+c] += g.fixed(p)
		}
	}
	if !g.o.Permutation || len(b.rows) == 0 {
		return nil
	}
	out := make([]float64, g.t.d)
	used := make([]bool, g.t.d)
	for _, nd := range g.nodes {
		if nd.feature >= 0 {
			used[nd.feature] = true
		}
	}
	total := 0.0
	for _, i := range b.rows {
		total += g.rows.fullOf(i)
	}
	b.perm = b.perm[:0]
	for i := range b.rows {
		b.perm = append(b.perm, int32(i))
	}
	for j := range out {
		if !used[j] {
			continue
		}
		g.rng.shuffle(b.perm)
		worse := 0.0
		for at, i := range b.rows {
			v := g.walk(i, int32(j), b.rows[b.perm[at]])
			worse += g.loss(i, g.out.Value[int(v)*k:int(v)*k+k])
		}
		out[j] = (worse - loss) / total
	}
	return out
}

// walk returns the leaf of training row i, with the value of the feature
// other taken from the row donor.
func (g *forester[B]) walk(i uint32, other int32, donor uint32) int32 {
	t := g.t
	cell := func(i uint32, j int32) uint16 {
		switch {
		case t.rows != nil:
			return uint16(t.rows[int(i)*t.stride+int(j)])
		case t.cols != nil:
			return uint16(t.cols[int(j)*t.n+int(i)])
		}
		return uint16(t.sparse.cell(i, j))
	}
	v := int32(0)
	for {
		nd := &g.nodes[v]
		if nd.feature < 0 {
			return v
		}
		from := i
		if nd.feature == other {
			from = donor
		}
		b := cell(from, nd.feature)
		left := b <= nd.bin
		if int(b) == t.column[nd.feature].bins() {
			left = nd.missingLeft
		} else if set := g.sets[v]; set != nil {
			left = set[b>>6]>>(b&63)&1 != 0
		}
		v = nd.left
		if !left {
			v++
		}
	}
}

// loss returns the weighted error of a leaf value for row i.
func (g *forester[B]) loss(i uint32, value []float64) float64 {
	w := g.rows.fullOf(i)
	if g.rows.k == 0 {
		e := value[0] - (g.rows.target[i] + g.rows.mean)
		return w * e * e
	}
	if largest(value) == int(g.rows.class[i]) {
		return 0
	}
	return w
}

// largest returns the place of the largest value, the first of equals.
func largest(v []float64) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// fixed turns a leaf value into the bag's integers.
func (g *forester[B]) fixed(p float64) uint64 {
	if g.rows.k > 0 {
		return uint64(p*bagShare + 0.5)
	}
	if g.rows.scale == 0 {
		return bagTarget
	}
	return uint64((p-g.rows.mean)/g.rows.scale*bagTarget + bagTarget + 0.5)
}

// outOfBag joins the workers' bags into the report.
func outOfBag[B index](r *Report, rows *rowSet, data *Data, growers []*forester[B]) {
	k := max(rows.k, 1)
	n := rows.n
	sums, votes := make([]uint64, n*k), make([]uint32, n)
	for _, g := range growers {
		if g == nil || g.bag.sums == nil {
			continue
		}
		for i, v := range g.bag.sums {
			sums[i] += v
		}
		for i, v := range g.bag.votes {
			votes[i] += v
		}
	}
	r.OutOfBag = make([]float64, n*k)
	var right, total, squares, mean, spread float64
	for i := range n {
		at := r.OutOfBag[i*k : i*k+k]
		if votes[i] == 0 {
			for c := range at {
				at[c] = math.NaN()
			}
			continue
		}
		sum := 0.0
		for c := range at {
			v := float64(sums[i*k+c]) / float64(votes[i])
			if rows.k == 0 {
				at[c] = (v/bagTarget-1)*rows.scale + rows.mean
			} else {
				at[c] = v / bagShare
				sum += at[c]
			}
		}
		w := rows.fullOf(uint32(i))
		total += w
		if rows.k > 0 {
			for c := range at {
				at[c] /= sum
			}
			if largest(at) == data.Class[i] {
				right += w
			}
			continue
		}
		y := data.Target[i]
		squares += w * (y - at[0]) * (y - at[0])
		step := y - mean
		mean += step * (w / total)
		spread += w * step * (y - mean)
	}
	switch {
	case total == 0:
	case rows.k > 0:
		r.OutOfBagScore = right / total
	default:
		r.OutOfBagScore = 1 - squares/spread
	}
}
