package explain_test

import (
	_ "embed"
	"encoding/json"
	"math"
	"testing"

	"cloister/shared/model/tree"
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

//go:embed testdata/reference.json
var referenceJSON []byte

// TestReference compares with values against a background, and with interaction
// values, of shap and XGBoost; testdata/reference.json names the versions.
func TestReference(t *testing.T) {
	var file struct {
		Ensembles []struct {
			Name             string
			Kind             tree.Kind
			Link             tree.Link
			Features         int
			Outputs          int
			Sample           int
			Bias             []float64
			Rows, Background []*float64 // null is NaN
			Phi              []float64  // n×k×d
			Base             []float64
			Interactions     []float64 // n×k×d×d
			Trees            []struct {
				Output      int
				Feature     []int32
				Threshold   []float64
				MissingLeft []bool
				Left, Right []int32
				Cover       []float64
				Value       []float64
			}
		}
	}
	if err := json.Unmarshal(referenceJSON, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Ensembles) != 4 {
		t.Fatalf("%d ensembles, want 4", len(file.Ensembles))
	}
	paired := 0
	for _, r := range file.Ensembles {
		s := tree.Source{Kind: r.Kind, Link: r.Link, Features: r.Features, Outputs: r.Outputs, SampleSize: r.Sample, Base: r.Bias}
		for _, t := range r.Trees {
			s.Trees = append(s.Trees, tree.SourceTree{
				Output: t.Output, Feature: t.Feature, Threshold: t.Threshold, MissingLeft: t.MissingLeft,
				Left: t.Left, Right: t.Right, Cover: t.Cover, Value: t.Value,
			})
		}
		rows := numbers(r.Rows)
		d, k := r.Features, r.Outputs
		near := func(what string, got, want []float64, tolerance float64) {
			t.Helper()
			worst := 0.0
			for i := range want {
				worst = max(worst, math.Abs(got[i]-want[i]))
				if !(math.Abs(got[i]-want[i]) <= tolerance) {
					t.Fatalf("%s: %s %d: got %v, want %v", r.Name, what, i, got[i], want[i])
				}
			}
			t.Logf("%s: %s: largest difference %.2g over %d values", r.Name, what, worst, len(want))
		}
		// shap keeps the weights of its paths against a background in float32,
		// XGBoost all numbers.
		exact, values := 1e-12, 1e-7
		if r.Kind == tree.Boosting {
			exact = 2e-6
		}
		x := interventional(t, s, numbers(r.Background))
		got, base := make([]float64, len(r.Phi)), make([]float64, k)
		if err := x.AllValues(got, rows); err != nil {
			t.Fatal(err)
		}
		for class := range base {
			base[class] = x.Base(class)
		}
		near("values", got, r.Phi, values)
		near("base", base, r.Base, exact)
		if r.Interactions == nil {
			continue
		}
		paired++
		y, _ := explainer(t, s)
		for class := range k {
			got, want := make([]float64, len(rows)*d), make([]float64, 0, len(rows)*d)
			if err := y.Interactions(got, rows, class); err != nil {
				t.Fatal(err)
			}
			for i := class * d * d; i < len(r.Interactions); i += k * d * d {
				want = append(want, r.Interactions[i:i+d*d]...)
			}
			near("interactions", got, want, exact)
		}
	}
	if paired != 3 {
		t.Errorf("%d ensembles with interactions, want 3", paired)
	}
}

// numbers makes null NaN.
func numbers(values []*float64) []float64 {
	x := make([]float64, len(values))
	for i, v := range values {
		if x[i] = math.NaN(); v != nil {
			x[i] = *v
		}
	}
	return x
}
