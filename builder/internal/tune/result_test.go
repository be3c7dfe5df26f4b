package tune_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/builder/internal/tune"
)

func TestChosen_roundTrip(t *testing.T) {
	for _, kind := range []string{tune.Forest, tune.Boosting} {
		r := run(t, small(20, 10), tiny(kind), tune.Options{Search: tune.Halving, Draws: 9, Folds: 2, Seed: 4, Recipe: "flows"})
		want := text(t, r)
		m, back, err := tune.Chosen(strings.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, back); got != want {
			t.Errorf("%s: read and written again it differs", kind)
		}
		if back.Seed != 4 || back.Split != "70/15/15" || back.Recipe != "flows" || m.Kind != kind {
			t.Errorf("seed %d, split %s, recipe %s, %s", back.Seed, back.Split, back.Recipe, m.Kind)
		}
		var chosen tune.Candidate
		for _, c := range r.Candidates {
			if c.Number == r.Chosen {
				chosen = c
			}
		}
		if !reflect.DeepEqual(chosen.Params, r.Params) {
			t.Errorf("%s: parameters %v of candidate %v", kind, r.Params, chosen.Params)
		}
		if kind == tune.Forest && (m.Forest.MinSamplesLeaf != int(r.Params["min_leaf"]) || m.Forest.MaxFeaturesShare != r.Params["features_share"] || m.Forest.Trees != 9) {
			t.Errorf("%+v from %v", m.Forest, r.Params)
		}
	}
}

// resultOf returns a result with the given model and parameters.
func resultOf(model, params string) string {
	return fmt.Sprintf(`{"format":1,"model":%q,"params":{%s}}`, model, params)
}

func TestChosen_options(t *testing.T) {
	tests := []struct {
		model, params string
		want          tune.Model
	}{
		{tune.Forest, "", tune.Model{}},
		{tune.Forest, `"trees":7,"min_leaf":2,"features_share":0.5,"max_depth":9,"weight_power":0.5`,
			tune.Model{WeightPower: 0.5, Forest: grow.ForestOptions{Trees: 7, MinSamplesLeaf: 2, MaxFeaturesShare: 0.5, MaxDepth: 9}}},
		{tune.Boosting, `"rounds":8,"eta":0.2,"max_depth":4,"lambda":3,"subsample":0.7,"colsample":0.6,"min_child_weight":2,"weight_power":1`,
			tune.Model{WeightPower: 1, Boost: grow.BoostOptions{Rounds: 8, LearningRate: 0.2, MaxDepth: 4, Lambda: 3, Subsample: 0.7, ColsampleTree: 0.6, MinChildWeight: 2}}},
		// 0 is 0, not the default of package grow
		{tune.Boosting, `"max_depth":0,"lambda":0,"min_child_weight":0`,
			tune.Model{Boost: grow.BoostOptions{MaxDepth: -1, Lambda: -1, MinChildWeight: -1}}},
	}
	for _, tt := range tests {
		tt.want.Kind = tt.model
		got, _, err := tune.Chosen(strings.NewReader(resultOf(tt.model, tt.params)))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s %s: %+v, %v", tt.model, tt.params, got, err)
		}
	}
}

func TestChosen_refused(t *testing.T) {
	tests := map[string]string{
		"nothing":           "",
		"format":            `{"format":2,"model":"forest","params":{}}`,
		"unknown field":     `{"format":1,"model":"forest","params":{},"extra":1}`,
		"text after it":     resultOf(tune.Forest, "") + "x",
		"model":             resultOf("svm", ""),
		"foreign parameter": resultOf(tune.Forest, `"eta":0.1`),
		"out of range":      resultOf(tune.Forest, `"trees":0`),
		"fraction":          resultOf(tune.Boosting, `"rounds":1.5`),
		"too long":          strings.Repeat(" ", 64<<20) + resultOf(tune.Forest, ""),
	}
	for name, text := range tests {
		if m, _, err := tune.Chosen(strings.NewReader(text)); err == nil {
			t.Errorf("%s: accepted as %+v", name, m)
		}
	}
}

func TestResult_markdown(t *testing.T) {
	r := run(t, small(30, 20, 2), tiny(tune.Forest), tune.Options{Search: tune.Halving, Draws: 10, Folds: 3, Recipe: "flows"})
	lines := strings.Split(string(r.Markdown()), "\n")
	var rows, marked []string
	width := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "| number |") {
			width = strings.Count(line, "|")
			continue
		}
		if width > 0 && strings.HasPrefix(line, "|") {
			if strings.Count(line, "|") != width {
				t.Errorf("a row of another width: %s", line)
			}
			rows = append(rows, line)
			if strings.Contains(line, "best") || strings.Contains(line, "chosen") {
				marked = append(marked, line)
			}
		}
	}
	if len(rows) != 1+10 || len(marked) < 1 || !strings.HasPrefix(marked[0], fmt.Sprintf("| %d |", r.Best)) {
		t.Errorf("%d rows, marked %q", len(rows), marked)
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		"halving by trees, 10 candidates, 3 folds, seed 0", "other rows (split 70/15/15) took no part", "within one standard error", `class "c" has 2 rows for 3 folds`,
		"| 0 | 0.111 | 10 |", "| 2 | 1 | 2 | |", "seconds a fit", "min_leaf",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the report does not say %q:\n%s", want, all)
		}
	}
}
