package tune_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/tune"
)

// Sizes and shares of the rungs, worked out by hand: a third, rounded up,
// until three or fewer are left; shares fall by three from 1, not below 1/27.
func TestHalving_schedule(t *testing.T) {
	space := tune.Space{Model: tune.Forest, Dimensions: []tune.Dimension{
		{Name: "features_share", Kind: tune.Log, Low: 0.1, High: 1, Grid: []float64{1}},
		{Name: "trees", Kind: tune.Int, Low: 1, High: 2, Grid: []float64{1}},
	}}
	tests := map[int]string{
		1:   "1@1",
		3:   "3@1",
		4:   "4@0.333 2@1",
		9:   "9@0.333 3@1",
		10:  "10@0.111 4@0.333 2@1",
		27:  "27@0.111 9@0.333 3@1",
		28:  "28@0.037 10@0.111 4@0.333 2@1",
		250: "250@0.037 84@0.037 28@0.037 10@0.111 4@0.333 2@1",
	}
	for n, want := range tests {
		r := run(t, small(6, 6), space, tune.Options{Search: tune.Halving, Draws: n, Folds: 2})
		var got []string
		for i, rung := range r.Rungs {
			got = append(got, fmt.Sprintf("%d@%.3g", len(rung.Candidates), rung.Share))
			last := i == len(r.Rungs)-1
			if last && rung.Promoted != nil || !last && !slices.Equal(rung.Promoted, r.Rungs[i+1].Candidates) {
				t.Errorf("%d draws, rung %d: promoted %v, next %v", n, i, rung.Promoted, r.Rungs[min(i+1, len(r.Rungs)-1)].Candidates)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%d draws: %s, want %s", n, s, want)
		}
	}
}

// The best go on: no candidate that stayed behind scored higher in its rung
// than one that was promoted.
func TestHalving_promotesTheBest(t *testing.T) {
	for _, by := range []tune.Resource{tune.Trees, tune.Rows} {
		path, read := journal(t)
		r := run(t, small(60, 40, 20), tiny(tune.Forest), tune.Options{Search: tune.Halving, Draws: 27, Folds: 3, Resource: by, Journal: path})
		sum := map[[2]int]float64{}
		nodes := map[int]int{}
		for _, line := range strings.Split(strings.TrimSpace(read()), "\n")[1:] {
			e := entryOf(t, line)
			sum[[2]int{e.Rung, e.Candidate}] += e.MacroF1
			nodes[e.Rung] += e.Nodes
		}
		if len(sum) != 27+9+3 {
			t.Fatalf("%d candidates judged in all rungs, want 27+9+3", len(sum))
		}
		for i, rung := range r.Rungs[:2] {
			for _, up := range rung.Promoted {
				for _, c := range rung.Candidates {
					stayed := !slices.Contains(rung.Promoted, c)
					if a, b := sum[[2]int{i, up}], sum[[2]int{i, c}]; stayed && (b > a+1e-9 || c < up && b >= a+1e-9) {
						t.Errorf("by %s, rung %d: %d with %v goes on, %d with %v does not", by, i, up, a, c, b)
					}
				}
			}
		}
		// less of the resource makes smaller models
		if a, b, c := nodes[0]/27, nodes[1]/9, nodes[2]/3; !(a < b && b < c) {
			t.Errorf("by %s: %d, %d, %d nodes a candidate in the rungs", by, a, b, c)
		}
		for _, c := range r.Candidates[:3] {
			if c.Rung != 2 {
				t.Errorf("by %s: candidate %d of rung %d stands before those of the last", by, c.Number, c.Rung)
			}
		}
	}
}

// Features that say nothing give every candidate the same score: the earlier
// ones go on and win.
func TestHalving_tiesByOrder(t *testing.T) {
	data := small(30, 10)
	clear(data.X)
	r := run(t, data, tiny(tune.Forest), tune.Options{Search: tune.Halving, Draws: 10, Folds: 2, Rule: tune.Best})
	if got := fmt.Sprint(r.Rungs[0].Promoted, r.Rungs[1].Promoted, r.Best, r.Chosen); got != "[0 1 2 3] [0 1] 0 0" {
		t.Errorf("promoted and chosen: %s", got)
	}
}
