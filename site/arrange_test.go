package site

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestArrange_isAStableSort(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 70 {
		x := make([][2]int, n)
		for i := range x {
			x[i] = [2]int{r.IntN(9), i}
		}
		want := slices.Clone(x)
		by := func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) }
		slices.SortStableFunc(want, by)
		if arrange(x, by); !slices.Equal(x, want) {
			t.Fatalf("of %d: %v, want %v", n, x, want)
		}
	}
}
