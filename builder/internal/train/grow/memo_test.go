package grow_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloister/builder/internal/train/grow"
)

// TestBins_countedAsSorted asks that columns of few values, whose rows are
// counted and placed by hashing, get the bins that sorting and searching give.
func TestBins_countedAsSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 8))
	odd := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, -1e-310, 5e-324, math.Float64frombits(1<<64 - 1)}
	d := grow.Data{Features: 6, Classes: 3}
	for i := range 1500 {
		c := r.IntN(3)
		d.Class = append(d.Class, c)
		d.Weights = append(d.Weights, float64(r.IntN(3)))
		rare := float64(r.IntN(4) + c)
		if d.Weights[i] == 0 {
			rare = 1e6 + float64(i) // a value that no row which counts has
		}
		d.X = append(d.X, odd[r.IntN(len(odd))], math.Round(r.NormFloat64()*3)/7, float64(r.IntN(900)+c*50), rare,
			float64(r.IntN(2)*c), math.Trunc(1000*r.ExpFloat64()))
	}
	for _, bins := range []int{0, 20, 2000} {
		o := grow.ForestOptions{Trees: 4, MaxFeatures: 3, Bins: bins, OutOfBag: true}
		got, report := forest(t, d, o)
		restore := grow.SetMemoMost(0)
		want, wantReport := forest(t, d, o)
		restore()
		if diff := sameSource(&want, &got); diff != "" {
			t.Errorf("%d bins: %s differs", bins, diff)
		}
		if n := len(want.Trees[0].Feature); n < 100 {
			t.Errorf("%d bins: a tree of %d nodes", bins, n)
		}
		if !same(report.OutOfBag, wantReport.OutOfBag) {
			t.Errorf("%d bins: out-of-bag differs", bins)
		}
	}
}
