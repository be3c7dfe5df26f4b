package prep_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"cloister/builder/internal/prep"
)

func TestStratified(t *testing.T) {
	var labels []int
	for c, n := range []int{1000, 100, 3, 2, 0} {
		for range n {
			labels = append(labels, c)
		}
	}
	shares := prep.Shares{.7, .15, .15}
	parts := prep.Stratified(labels, 5, shares, 1)
	var count [5][3]int
	for i, p := range parts {
		count[labels[i]][p]++
	}
	if got := fmt.Sprint(count); got != "[[700 150 150] [70 15 15] [1 1 1] [2 0 0] [0 0 0]]" {
		t.Errorf("rows per class and part: %s", got)
	}
	if !slices.Equal(parts, prep.Stratified(labels, 5, shares, 1)) {
		t.Error("the same seed gives another split")
	}
	if slices.Equal(parts, prep.Stratified(labels, 5, shares, 2)) {
		t.Error("another seed gives the same split")
	}
	if slices.Equal(parts[:150], slices.Repeat([]prep.Part{prep.Holdout}, 150)) {
		t.Error("rows are not shuffled")
	}
}

func TestParseShares(t *testing.T) {
	if s, err := prep.ParseShares("70/15/15"); err != nil || s != (prep.Shares{.7, .15, .15}) {
		t.Errorf("got %v, %v", s, err)
	}
	for _, bad := range []string{"", "70/30", "70/15/16", "0/50/50", "a/b/c", "70/15/15/0", "-10/60/50", "NaN/50/50"} {
		if s, err := prep.ParseShares(bad); err == nil {
			t.Errorf("%q gives %v", bad, s)
		}
	}
}

func TestFindRepeats(t *testing.T) {
	nan := math.NaN()
	x := []float64{1, 2, 1, 2, 3, nan, 3, nan, 5, 6, math.Copysign(0, -1), 0, 0, 0}
	labels := []int{0, 1, 0, 0, 1, 0, 0}
	parts := []prep.Part{prep.Train, prep.Holdout, prep.Train, prep.Holdout, prep.Holdout, prep.Train, prep.Holdout}
	r := prep.FindRepeats(x, 2, labels, parts)
	if r.Distinct != 5 || r.Duplicates != 2 || r.Conflicting != 2 || r.Leaked != 2 {
		t.Errorf("got %+v", r)
	}
	if got := fmt.Sprint(r.InTraining); got != "[true true true true false true false]" {
		t.Errorf("in training: %s", got)
	}
}
