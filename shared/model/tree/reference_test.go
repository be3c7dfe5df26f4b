package tree_test

import (
	"math"
	"testing"

	"cloister/shared/model/tree/treetest"
)

// referenceTolerance is how far the other libraries' own arithmetic strays:
// XGBoost adds in float32, scikit-learn in float64.
func referenceTolerance(name string) float64 {
	if name[:3] == "XGB" {
		return 2e-6
	}
	return 1e-12
}

func TestPredict_equalsTheLibraryThatGrewTheTrees(t *testing.T) {
	all, err := treetest.References()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 5 {
		t.Fatalf("%d ensembles, want 5", len(all))
	}
	for _, ref := range all {
		t.Run(ref.Name, func(t *testing.T) {
			e := build(t, ref.Source)
			for _, c := range []struct {
				what    string
				predict func(dst, x []float64) error
				want    []float64
			}{{"margin", e.Margin, ref.Margin}, {"score", e.Predict, ref.Score}} {
				got := make([]float64, len(c.want))
				if err := c.predict(got, ref.Rows); err != nil {
					t.Fatal(err)
				}
				for i, want := range c.want {
					if !(math.Abs(got[i]-want) <= referenceTolerance(ref.Name)*max(1, math.Abs(want))) {
						t.Fatalf("%s %d: got %v, want %v", c.what, i, got[i], want)
					}
				}
			}
		})
	}
}
