package grow

import "slices"

// setGroup is a category in a node: the sums of its rows.
type setGroup struct {
	bin           int32
	weight, count float64
	sums          []float64
	key           float64
}

// subsets judges splits of a categorical feature: for each class the
// categories in the order of its share, divided after each. The best of all
// 2^m sets is among them for two classes (Breiman et al. 1984, theorem 4.5);
// for more classes it is a good one. An extra tree tosses a coin for each
// category instead.
func (s *classSides[B]) subsets(nd *work, j int32) bool {
	g := s.g
	col := g.columnOf(j, nd)
	gone := g.t.column[j].bins()
	s.groups = resize(s.groups, gone+1, s.k)
	for _, e := range g.idx[nd.lo:nd.hi] {
		grp := &s.groups[col[e>>32]]
		has := float64(e >> 8 & 0xffffff)
		grp.count++
		if g.rows.weight != nil {
			has *= g.rows.weight[e>>32]
		}
		grp.weight += has
		grp.sums[e&0xff] += has
	}
	occupied, missing := present(s.groups, gone)
	if len(occupied) == 0 || len(occupied) == 1 && missing == nil {
		return false
	}
	if g.o.ExtraTrees {
		g.tossSet(nd, j, occupied, missing, gone, s.worth)
		return true
	}
	classes := 0
	for _, v := range nd.sums {
		if v > 0 {
			classes++
		}
	}
	for k, v := range nd.sums {
		if v == 0 {
			continue
		}
		for i := range occupied {
			occupied[i].key = occupied[i].sums[k] / occupied[i].weight
		}
		g.scanGroups(nd, j, occupied, missing, gone, s.worth)
		if classes == 2 {
			break // the other class has the same order, backwards
		}
	}
	return true
}

// worth returns the score of a node's division.
func (s *classSides[B]) worth(nd *work, left *setGroup) float64 {
	var a, b float64
	for k, l := range left.sums {
		r := nd.sums[k] - l
		a += l * l
		b += r * r
	}
	return a/left.weight + b/(nd.weight-left.weight)
}

// subsets judges splits of a categorical feature, the categories ordered by
// their mean, which contains the best of all sets (Fisher 1958).
func (s *meanSides[B]) subsets(nd *work, j int32) bool {
	g := s.g
	col := g.columnOf(j, nd)
	gone := g.t.column[j].bins()
	s.groups = resize(s.groups, gone+1, 1)
	for i, e := range g.idx[nd.lo:nd.hi] {
		grp := &s.groups[col[e>>32]]
		grp.count++
		grp.weight += s.rowW[i]
		grp.sums[0] += s.rowSum[i]
	}
	occupied, missing := present(s.groups, gone)
	if len(occupied) == 0 || len(occupied) == 1 && missing == nil {
		return false
	}
	if g.o.ExtraTrees {
		g.tossSet(nd, j, occupied, missing, gone, s.worth)
		return true
	}
	for i := range occupied {
		occupied[i].key = occupied[i].sums[0] / occupied[i].weight
	}
	g.scanGroups(nd, j, occupied, missing, gone, s.worth)
	return true
}

func (s *meanSides[B]) worth(nd *work, left *setGroup) float64 {
	r := nd.sums[0] - left.sums[0]
	return left.sums[0]*left.sums[0]/left.weight + r*r/(nd.weight-left.weight)
}

// resize returns n empty groups of k sums.
func resize(groups []setGroup, n, k int) []setGroup {
	for len(groups) < n {
		groups = append(groups, setGroup{sums: make([]float64, k)})
	}
	groups = groups[:n]
	for i := range groups {
		sums := groups[i].sums
		clear(sums)
		groups[i] = setGroup{bin: int32(i), sums: sums}
	}
	return groups
}

// present moves the groups with rows to the front; the missing one, last, is
// returned apart.
func present(groups []setGroup, gone int) (occupied []setGroup, missing *setGroup) {
	n := 0
	for i := range groups[:gone] {
		if groups[i].count > 0 {
			groups[n], groups[i] = groups[i], groups[n]
			n++
		}
	}
	if groups[gone].count > 0 {
		missing = &groups[gone]
	}
	return groups[:n], missing
}

// scanGroups sorts groups by key and offers the division after each.
func (g *forester[B]) scanGroups(nd *work, j int32, groups []setGroup, missing *setGroup, gone int, worth func(*work, *setGroup) float64) {
	slices.SortFunc(groups, func(a, b setGroup) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return int(a.bin - b.bin)
	})
	left := setGroup{sums: make([]float64, len(nd.sums))}
	for _, missingLeft := range []bool{false, true} {
		left.weight, left.count = 0, 0
		clear(left.sums)
		if missingLeft {
			if missing == nil {
				break
			}
			left.add(missing)
		}
		last := len(groups) - 1
		for i := range groups {
			left.add(&groups[i])
			if i == last && (missing == nil || missingLeft) {
				break
			}
			score := worth(nd, &left)
			if score > g.split.score {
				g.offer(nd, choice{j, 0, 0, missingLeft, missing != nil, score, setOf(groups[:i+1], gone), nil}, left.count)
			}
		}
	}
}

// tossSet offers a division of a random set of categories from the others.
func (g *forester[B]) tossSet(nd *work, j int32, groups []setGroup, missing *setGroup, gone int, worth func(*work, *setGroup) float64) {
	left := setGroup{sums: make([]float64, len(nd.sums))}
	var chosen []setGroup
	coins := uint64(0)
	for i := range groups {
		if i&63 == 0 {
			coins = g.rng.Uint64()
		}
		if coins>>(i&63)&1 != 0 {
			chosen = append(chosen, groups[i])
		}
	}
	missingLeft := missing != nil && g.rng.Uint64()>>63 != 0
	// Both sides need a category, or the missing values one to be parted from.
	switch {
	case len(chosen) == 0 && !missingLeft:
		chosen = groups[:1]
		missingLeft = false
	case len(chosen) == len(groups) && (missing == nil || missingLeft):
		chosen = chosen[1:]
	}
	for i := range chosen {
		left.add(&chosen[i])
	}
	if missingLeft {
		left.add(missing)
	}
	g.offer(nd, choice{j, 0, 0, missingLeft, missing != nil, worth(nd, &left), setOf(chosen, gone), nil}, left.count)
}

// add adds the sums of another group.
func (a *setGroup) add(b *setGroup) {
	a.weight += b.weight
	a.count += b.count
	for k, v := range b.sums {
		a.sums[k] += v
	}
}

// setOf returns the bit set of groups.
func setOf(groups []setGroup, gone int) []uint64 {
	set := make([]uint64, (gone+63)/64)
	for i := range groups {
		set[groups[i].bin>>6] |= 1 << (groups[i].bin & 63)
	}
	return set
}
