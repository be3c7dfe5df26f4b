package grow_test

import (
	"math"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// TestSource_predictsAsItWalks gives what grew to package tree and compares
// its predictions with a walk of the source.
func TestSource_predictsAsItWalks(t *testing.T) {
	plain := toy(30, 1000, 3)
	full := toy(31, 1000, 2)
	for i, v := range full.X {
		if math.IsNaN(v) {
			full.X[i] = -1
		}
	}
	nom := nominal(4, 1000, 70, 3)
	sources := map[string]struct {
		s tree.Source
		x []float64
	}{}
	add := func(name string, s tree.Source, x []float64) {
		sources[name] = struct {
			s tree.Source
			x []float64
		}{s, x}
	}
	s, _ := forest(t, plain, grow.ForestOptions{Trees: 20})
	add("forest", s, plain.X)
	s, _ = forest(t, full, grow.ForestOptions{Trees: 20, ExtraTrees: true, Balanced: true})
	add("extra trees", s, full.X)
	s, _ = forest(t, numeric(plain), grow.ForestOptions{Trees: 20})
	add("regression forest", s, plain.X)
	s, _ = forest(t, nom, grow.ForestOptions{Trees: 5, MinSamplesLeaf: 10})
	add("categories", s, nom.X)
	s, _ = boost(t, plain, grow.BoostOptions{Rounds: 10})
	add("boosting", s, plain.X)
	s, _ = boost(t, full, grow.BoostOptions{Rounds: 10, LeafWise: true})
	add("two classes", s, full.X)
	s, _ = boost(t, numeric(plain), grow.BoostOptions{Rounds: 10})
	add("boosted regression", s, plain.X)
	s, _ = isolation(t, plain, grow.IsolationOptions{})
	add("isolation", s, plain.X)
	for name, c := range sources {
		t.Run(name, func(t *testing.T) {
			e, err := tree.New(c.s)
			if err != nil {
				t.Fatal(err)
			}
			var want []float64
			switch c.s.Kind {
			case tree.Forest:
				want = probabilities(&c.s, c.x)
			case tree.Boosting:
				want = score(&c.s, c.x)
			default:
				want = anomaly(&c.s, c.x)
			}
			got := make([]float64, len(want))
			if err := e.Predict(got, c.x); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if !(math.Abs(got[i]-want[i]) <= 1e-6*max(1, math.Abs(want[i]))) {
					t.Fatalf("score %d: %v, walked %v", i, got[i], want[i])
				}
			}
		})
	}
}
