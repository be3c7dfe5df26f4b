package tune_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/tune"
)

// points returns the parameters of the candidates in order of proposal.
func points(r *tune.Result) []string {
	out := make([]string, len(r.Candidates))
	for _, c := range r.Candidates {
		out[c.Number] = fmt.Sprint(c.Params)
	}
	return out
}

// distinct returns how many different strings a list has.
func distinct(list []string) int {
	list = slices.Clone(list)
	slices.Sort(list)
	return len(slices.Compact(list))
}

func TestSpace_grid(t *testing.T) {
	r := run(t, small(9, 9), tiny(tune.Forest), tune.Options{Search: tune.Grid, Folds: 2})
	got := points(r)
	if len(got) != 9 || distinct(got) != 9 {
		t.Errorf("%d candidates, %d distinct, want 3·3·1", len(got), distinct(got))
	}
	// the last dimension changes fastest
	if got[0] != "map[features_share:0.3 min_leaf:1 trees:9]" || got[1] != "map[features_share:0.3 min_leaf:3 trees:9]" || got[8] != "map[features_share:1 min_leaf:5 trees:9]" {
		t.Errorf("order: %v", got)
	}
}

func TestSpace_defaults(t *testing.T) {
	for _, kind := range []string{tune.Forest, tune.Boosting} {
		space, ok := tune.DefaultSpace(kind)
		size := 1
		for _, d := range space.Dimensions {
			size *= len(d.Grid)
		}
		if !ok || space.Model != kind || size != 48 {
			t.Errorf("%s: %d points in the grid of %q", kind, size, space.Model)
		}
		b, err := json.Marshal(space)
		if err != nil {
			t.Fatal(err)
		}
		back, err := tune.ParseSpace(strings.NewReader(string(b)))
		if again, e := json.Marshal(back); err != nil || e != nil || string(again) != string(b) {
			t.Errorf("%s: written and read it is %s, %v", kind, again, err)
		}
	}
	if _, ok := tune.DefaultSpace("network"); ok {
		t.Error("a space for a model that is not there")
	}
}

func TestSpace_draws(t *testing.T) {
	space := tune.Space{Model: tune.Boosting, Dimensions: []tune.Dimension{
		{Name: "lambda", Kind: tune.Log, Low: 0.01, High: 100, Grid: []float64{1}},
		{Name: "max_depth", Kind: tune.Int, Low: 2, High: 4, Grid: []float64{2}},
		{Name: "weight_power", Kind: tune.Choice, Grid: []float64{0, 1}},
		{Name: "rounds", Kind: tune.Choice, Grid: []float64{1}},
	}}
	draw := func(seed uint64) *tune.Result {
		return run(t, small(6, 6), space, tune.Options{Search: tune.Random, Draws: 200, Folds: 2, Seed: seed})
	}
	r := draw(1)
	got := points(r)
	if len(got) != 200 || distinct(got) != 200 {
		t.Errorf("%d candidates, %d distinct", len(got), distinct(got))
	}
	if !slices.Equal(got, points(draw(1))) {
		t.Error("the same seed draws others")
	}
	if slices.Equal(got, points(draw(2))) {
		t.Error("another seed draws the same")
	}
	small, depth := 0, map[float64]int{}
	for _, c := range r.Candidates {
		v := c.Params["lambda"]
		if v < 0.01 || v > 100 {
			t.Errorf("lambda %v is out of range", v)
		}
		if s := fmt.Sprintf("%.3g", v); s != fmt.Sprintf("%g", v) && !strings.Contains(s, "e") {
			t.Errorf("lambda %v has more than three digits", v)
		}
		if v < 1 {
			small++
		}
		depth[c.Params["max_depth"]]++
	}
	// 1 is the middle of the logarithms, ±4 standard deviations of 200 coins
	if math.Abs(float64(small-100)) > 4*math.Sqrt(50) {
		t.Errorf("%d of 200 draws are below the middle", small)
	}
	if len(depth) != 3 || depth[2] < 30 || depth[3] < 30 || depth[4] < 30 {
		t.Errorf("depths drawn: %v", depth)
	}
}

// A space with fewer points than draws gives each once and says so.
func TestSpace_usedUp(t *testing.T) {
	finite := tune.Space{Model: tune.Forest, Dimensions: []tune.Dimension{
		{Name: "min_leaf", Kind: tune.Int, Low: 1, High: 4, Grid: []float64{1}},
		{Name: "trees", Kind: tune.Choice, Grid: []float64{1, 2, 3}},
	}}
	narrow := tune.Space{Model: tune.Forest, Dimensions: []tune.Dimension{
		{Name: "features_share", Kind: tune.Log, Low: 0.5, High: 0.51, Grid: []float64{0.5}},
		{Name: "trees", Kind: tune.Choice, Grid: []float64{1}},
	}}
	for name, tt := range map[string]struct {
		space tune.Space
		want  int
	}{"finite": {finite, 12}, "fractions": {narrow, 11}} {
		draw := func(seed uint64) []string {
			return points(run(t, small(6, 6), tt.space, tune.Options{Search: tune.Random, Draws: 5, Folds: 2, Seed: seed}))
		}
		if slices.Equal(draw(1), draw(2)) || !slices.Equal(draw(1), draw(1)) {
			t.Errorf("%s: draws do not follow the seed", name)
		}
		for _, draws := range []int{tt.want - 1, tt.want, 20} {
			r := run(t, small(6, 6), tt.space, tune.Options{Search: tune.Random, Draws: draws, Folds: 2})
			got := points(r)
			if want := min(draws, tt.want); len(got) != want || distinct(got) != want {
				t.Errorf("%s: %d draws give %d candidates, %d distinct, want %d", name, draws, len(got), distinct(got), want)
			}
			if said := strings.Contains(strings.Join(r.Notes, "\n"), "draws were not to be had"); said != (draws > tt.want) {
				t.Errorf("%s: %d draws: notes %q", name, draws, r.Notes)
			}
		}
	}
}

func TestParseSpace_refused(t *testing.T) {
	dimension := func(d string) string { return `{"model":"forest","dimensions":[` + d + `]}` }
	tests := map[string]struct{ text, want string }{
		"no JSON":          {"model: forest", "invalid character"},
		"text after it":    {dimension(`{"name":"trees","kind":"choice","grid":[1]}`) + "{}", "more text"},
		"unknown field":    {`{"model":"forest","size":3}`, "unknown field"},
		"unknown model":    {`{"model":"svm","dimensions":[]}`, `"svm"`},
		"no dimension":     {dimension(""), "no dimension"},
		"unknown name":     {dimension(`{"name":"eta","kind":"choice","grid":[1]}`), "known are trees, min_leaf"},
		"twice":            {dimension(`{"name":"trees","kind":"choice","grid":[1]},{"name":"trees","kind":"choice","grid":[1]}`), "second time"},
		"unknown kind":     {dimension(`{"name":"trees","kind":"normal","grid":[1]}`), "want int, log or choice"},
		"no grid":          {dimension(`{"name":"trees","kind":"int","low":1,"high":2}`), "no grid value"},
		"grid value twice": {dimension(`{"name":"trees","kind":"choice","grid":[1,2,1]}`), "second time"},
		"grid value":       {dimension(`{"name":"trees","kind":"choice","grid":[0]}`), "want 1 to"},
		"fraction":         {dimension(`{"name":"trees","kind":"choice","grid":[1.5]}`), "whole number"},
		"int bounds":       {dimension(`{"name":"weight_power","kind":"int","low":0.5,"high":2,"grid":[1]}`), "whole bounds"},
		"bounds crossed":   {dimension(`{"name":"trees","kind":"int","low":5,"high":2,"grid":[3]}`), "above high"},
		"high over limit":  {dimension(`{"name":"trees","kind":"int","low":5,"high":20000,"grid":[5]}`), "want 1 to 10000"},
		"log of 0":         {dimension(`{"name":"weight_power","kind":"log","high":1,"grid":[1]}`), "above 0"},
		"log of integers":  {dimension(`{"name":"trees","kind":"log","low":1,"high":9,"grid":[1]}`), "fractions"},
		"choice of range":  {dimension(`{"name":"trees","kind":"choice","low":1,"high":9,"grid":[1]}`), "draws from grid"},
		"too long":         {strings.Repeat(" ", 1<<20) + dimension(""), "more than 1048576 bytes"},
	}
	for name, tt := range tests {
		if _, err := tune.ParseSpace(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestSpace_gridTooLarge(t *testing.T) {
	var values []float64
	for v := range 101 {
		values = append(values, float64(v+1))
	}
	space := tune.Space{Model: tune.Forest, Dimensions: []tune.Dimension{
		{Name: "trees", Kind: tune.Choice, Grid: values}, {Name: "min_leaf", Kind: tune.Choice, Grid: values},
	}}
	if _, err := tune.Run(t.Context(), small(6, 6), space, tune.Options{Search: tune.Grid}); err == nil || !strings.Contains(err.Error(), "more than 10000 candidates") {
		t.Errorf("got %v", err)
	}
}
