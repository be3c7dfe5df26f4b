package prep_test

import (
	"fmt"
	"slices"
	"testing"

	"cloister/builder/internal/prep"
)

// mixed returns labels with the given number of rows a class, interleaved.
func mixed(counts ...int) []int {
	var out []int
	for more := true; more; {
		more = false
		for c := range counts {
			if counts[c] > 0 {
				counts[c]--
				out = append(out, c)
				more = true
			}
		}
	}
	return out
}

func TestFolds_balance(t *testing.T) {
	tests := [][]int{{100, 23, 7, 5, 2, 1, 0}, {3, 3}, {1, 1, 1, 1, 1}, {0, 50}, {11, 11, 11, 11}}
	for _, counts := range tests {
		k := len(counts)
		labels := mixed(slices.Clone(counts)...)
		for folds := 2; folds <= min(len(labels), 10); folds++ {
			fold, short, err := prep.Folds(labels, k, folds, 9)
			if err != nil || len(fold) != len(labels) {
				t.Fatalf("%v in %d folds: %d rows, %v", counts, folds, len(fold), err)
			}
			per := make([][]int, k+1) // by class, the last for all rows
			for c := range per {
				per[c] = make([]int, folds)
			}
			for i, f := range fold { // a row has one fold: it validates once
				per[labels[i]][f]++
				per[k][f]++
			}
			for c, n := range per {
				if slices.Max(n)-slices.Min(n) > 1 {
					t.Errorf("%v in %d folds: class %d has %v rows", counts, folds, c, n)
				}
			}
			var want []int
			for c, n := range counts {
				if n > 0 && n < folds {
					want = append(want, c)
				}
			}
			if !slices.Equal(short, want) {
				t.Errorf("%v in %d folds: short classes %v, want %v", counts, folds, short, want)
			}
		}
	}
}

func TestFolds_seed(t *testing.T) {
	labels := mixed(60, 30)
	deal := func(seed uint64) []int {
		fold, _, err := prep.Folds(labels, 2, 5, seed)
		if err != nil {
			t.Fatal(err)
		}
		return fold
	}
	if !slices.Equal(deal(1), deal(1)) {
		t.Error("the same seed deals differently")
	}
	if slices.Equal(deal(1), deal(2)) {
		t.Error("another seed deals alike")
	}
	// rows next to each other in the file do not go round the folds in turn
	var first []int
	for i, f := range deal(1) {
		if labels[i] == 0 && len(first) < 5 {
			first = append(first, f)
		}
	}
	if fmt.Sprint(first) == "[0 1 2 3 4]" {
		t.Error("rows are not shuffled")
	}
}

func TestFolds_refused(t *testing.T) {
	for _, folds := range []int{-1, 0, 1, 4} {
		if _, _, err := prep.Folds([]int{0, 1, 0}, 2, folds, 1); err == nil {
			t.Errorf("%d folds of 3 rows: accepted", folds)
		}
	}
}
