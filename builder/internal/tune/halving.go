package tune

import (
	"math"
	"math/rand/v2"
	"slices"
)

// eta is the factor between rungs: each third of the candidates goes on with
// three times the resource. Source: Li et al., Hyperband, JMLR 18, 2018,
// section 3.2 (insensitive to it, 3 or 4 advised).
const eta = 3

// leastShare bounds how little of the resource a candidate is judged with: a
// forest of 100 trees keeps 4.
const leastShare = 1.0 / 27

// Rung is one round of a search: its candidates are compared with the same
// share of the resource.
type Rung struct {
	Share      float64 `json:"share"` // of the resource, in (0,1]; the last rung has 1
	Candidates []int   `json:"candidates"`
	// Promoted go on to the next rung: the best third, rounded up, by mean
	// macro-F1, the earlier candidate among equals. Empty in the last rung.
	Promoted []int `json:"promoted,omitempty"`
}

// plan is how many candidates a rung compares, with which share.
type plan struct {
	size  int
	share float64
}

// schedule plans successive halving of n candidates: thirds, rounded up, are
// promoted until at most eta are left; these get the whole resource, and each
// rung before them a third of the next one's, but not less than leastShare.
//
// Source: Jamieson, Talwalkar, AISTATS 2016, algorithm 1; differs in ending
// with up to eta candidates, so that the last choice is made on full models.
func schedule(n int) []plan {
	out := []plan{{n, 1}}
	for size := n; size > eta; {
		size = (size + eta - 1) / eta
		out = append(out, plan{size, 1})
	}
	share := 1.0
	for i := len(out) - 2; i >= 0; i-- {
		share /= eta
		out[i].share = max(share, leastShare)
	}
	return out
}

// promote returns the n best candidates, in rising order.
func promote(candidates []int, score func(candidate int) float64, n int) []int {
	order := slices.Clone(candidates)
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score(a) > score(b):
			return -1
		case score(a) < score(b):
			return 1
		}
		return a - b
	})
	order = order[:n]
	slices.Sort(order)
	return order
}

// thin keeps a share of the rows of every class, rounded up, in their order:
// the smaller of two shares keeps a part of what the larger keeps.
func thin(rows []int, class []int, k int, share float64, seed uint64) []int {
	byClass := make([][]int, k)
	for _, row := range rows {
		byClass[class[row]] = append(byClass[class[row]], row)
	}
	var out []int
	for c, list := range byClass {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		out = append(out, list[:portion(share, len(list))]...)
	}
	slices.Sort(out)
	return out
}

// portion returns a share, in (0,1], of n, rounded up: at least 1 of any.
func portion(share float64, n int) int { return int(math.Ceil(share * float64(n))) }
