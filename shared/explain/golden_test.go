package explain_test

import (
	"math"
	"testing"

	"cloister/shared/model/tree/treetest"
)

// TestValues_equalOtherLibraries compares with shap's TreeExplainer
// (tree_path_dependent) and XGBoost's pred_contribs. XGBoost works in float32
// and takes covers of inner nodes from the file, where they were rounded; its
// tolerance is what that leaves.
func TestValues_equalOtherLibraries(t *testing.T) {
	all, err := treetest.References()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 5 {
		t.Fatalf("%d ensembles, want 5", len(all))
	}
	for _, ref := range all {
		t.Run(ref.Name, func(t *testing.T) {
			tolerance := 1e-11
			if ref.Name[:3] == "XGB" {
				tolerance = 5e-6
			}
			x, _ := explainer(t, ref.Source)
			got := make([]float64, len(ref.Phi))
			if err := x.AllValues(got, ref.Rows); err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for i, want := range ref.Phi {
				worst = max(worst, math.Abs(got[i]-want))
				if !(math.Abs(got[i]-want) <= tolerance) {
					t.Fatalf("value %d: got %v, want %v", i, got[i], want)
				}
			}
			for k, want := range ref.Base {
				if !(math.Abs(x.Base(k)-want) <= tolerance) {
					t.Errorf("base %d: got %v, want %v", k, x.Base(k), want)
				}
			}
			t.Logf("largest difference %.2g over %d values", worst, len(got))
		})
	}
}
