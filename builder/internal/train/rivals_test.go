package train_test

import (
	"context"
	"math"
	"testing"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/builder/internal/train/grow"
)

// rival has the same accuracy and macro-F1 less d on two splits.
func rival(f1, d, accuracy float64, rounds ...int) train.Rival {
	r := train.Rival{MacroF1: []float64{f1 - d, f1 + d}, Accuracy: []float64{accuracy, accuracy}, Rounds: rounds}
	r.Name = "forest"
	if rounds != nil {
		r.Name, r.Oblivious = "oblivious", &grow.ObliviousOptions{Rounds: 400, EarlyStopping: 25}
	}
	return r
}

func TestSettle(t *testing.T) {
	tests := []struct {
		name   string
		rivals []train.Rival
		want   int
		rounds int
	}{
		{"better", []train.Rival{rival(.7, .1, .9), rival(.8, 0, .9, 30, 10, 20)}, 1, 20},
		{"lower by what does not count", []train.Rival{rival(.8, .1, .99), rival(.795, .1, .9, 7, 9)}, 1, 7},
		{"below", []train.Rival{rival(.8, .1, .9), rival(.785, .1, .99, 7)}, -1, 0},
		{"below the second family", []train.Rival{rival(.7, 0, .9), rival(.8, 0, .9), rival(.75, 0, .99, 7)}, -1, 0},
		{"the most accurate of those near the best", []train.Rival{rival(.7, 0, .9), rival(.8, 0, .9, 7), rival(.795, 0, .95, 8), rival(.7, 0, .99, 9)}, 2, 8},
	}
	for _, tt := range tests {
		i, c := train.Settle(tt.rivals)
		if i != tt.want || (c == nil) != (i < 0) || c != nil && (c.Oblivious.Rounds != tt.rounds || c.Oblivious.EarlyStopping != 0) {
			t.Errorf("%s: got %d, %+v, want %d", tt.name, i, c, tt.want)
		}
		if r := tt.rivals[len(tt.rivals)-1]; r.Oblivious.Rounds != 400 {
			t.Errorf("%s: the rival itself now has %d rounds", tt.name, r.Oblivious.Rounds)
		}
	}
}

func TestMean(t *testing.T) {
	// 2.776 · sqrt(2.5 / 5)
	mean, half := train.Mean([]float64{1, 2, 3, 4, 5})
	if mean != 3 || math.Abs(half-1.96293) > 1e-5 {
		t.Errorf("%v ± %v", mean, half)
	}
	if _, half := train.Mean([]float64{1}); !math.IsNaN(half) {
		t.Errorf("one value has interval %v", half)
	}
	if d := train.Less([]float64{3, 5}, []float64{1, 7}); d[0] != 2 || d[1] != -2 {
		t.Error(d)
	}
}

func TestBalanced(t *testing.T) {
	curve := []metric.Point{
		{Threshold: .9, Precision: 1, Recall: .5}, {Threshold: .8, Precision: .95, Recall: .8, FPR: .001},
		{Threshold: .7, Precision: .8, Recall: .82, FPR: .01}, {Threshold: .6, Precision: .99, Recall: .99, FPR: .02},
	}
	if p := train.Balanced(curve, curve[2]); p.Threshold != .8 {
		t.Errorf("%+v", p)
	}
	if p := train.Balanced([]metric.Point{{Threshold: .9, Precision: math.NaN()}}, curve[2]); p.Threshold != .7 {
		t.Errorf("%+v", p)
	}
}

// The families meet on splits of the rows that are not hold-out; oblivious
// trees then have the rounds of the splits.
func TestFit_oblivious(t *testing.T) {
	recipe := train.Recipes()["flows"]
	recipe.Splits = 2
	recipe.Candidates = []train.Candidate{
		{Name: "forest", Options: grow.ForestOptions{Trees: 5, MaxDepth: 2}},
		{Name: "four", WeightPower: .5, Oblivious: &grow.ObliviousOptions{Rounds: 40, Depth: 4, EarlyStopping: 5}},
		{Name: "two", WeightPower: .5, Oblivious: &grow.ObliviousOptions{Rounds: 40, Depth: 2, EarlyStopping: 5}},
	}
	r, err := train.Fit(context.Background(), read(t), recipe, train.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rivals) != 3 || len(r.Rivals[1].MacroF1) != 2 || len(r.Rivals[1].Rounds) != 2 || r.Rivals[0].Rounds != nil {
		t.Fatalf("%+v", r.Rivals)
	}
	if r.Chosen.Kind() != "oblivious" || !r.Chosen.Odds() || r.Forest.Kind().String() != "oblivious" || r.Chosen.Oblivious.EarlyStopping != 0 || r.Forest.Trees() != r.Chosen.Oblivious.Rounds {
		t.Errorf("%v, %+v", r.Forest, r.Chosen.Oblivious)
	}
	found := false
	for _, m := range r.Measures {
		found = found || m.Name == "macro-F1 of forest instead" && m.Part == prep.Holdout
	}
	if !found || !(r.Alert.FPR <= train.AlertFPR) {
		t.Errorf("no hold-out figure of the forest, or an alert threshold with %v false positives", r.Alert.FPR)
	}
	for _, c := range recipe.Candidates[1:] {
		if c.Oblivious.Validation != nil || c.Oblivious.Rounds != 40 {
			t.Errorf("the recipe's candidate was changed: %+v", c.Oblivious)
		}
	}
}
