package tune_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
	"cloister/builder/internal/tune"
	"cloister/shared/model/tree"
)

func TestRun_sameWhateverTheWorkers(t *testing.T) {
	data := small(40, 25, 10)
	for _, kind := range []string{tune.Forest, tune.Boosting} {
		for _, search := range []tune.Search{tune.Grid, tune.Random, tune.Halving} {
			for _, by := range []tune.Resource{tune.Trees, tune.Rows} {
				if by == tune.Rows && search != tune.Halving {
					continue
				}
				var first string
				for _, workers := range []int{1, 2, 4} {
					path, _ := journal(t)
					got := text(t, run(t, data, tiny(kind), tune.Options{Search: search, Draws: 10, Folds: 3, Resource: by, Seed: 7, Workers: workers, Journal: path}))
					if first == "" {
						first = got
					} else if got != first {
						t.Errorf("%s, %s by %s: %d workers give another result than one", kind, search, by, workers)
					}
				}
				other := text(t, run(t, data, tiny(kind), tune.Options{Search: search, Draws: 10, Folds: 3, Resource: by, Seed: 8}))
				if other == first {
					t.Errorf("%s, %s: another seed gives the same result", kind, search)
				}
			}
		}
	}
}

// The scores are what a loop over the folds with packages prep, grow and
// metric gives.
func TestRun_scores(t *testing.T) {
	data := small(40, 25, 10)
	space := tiny(tune.Forest)
	r := run(t, data, space, tune.Options{Search: tune.Grid, Folds: 4, Seed: 3, Rule: tune.Best})
	if len(r.Candidates) != 9 || r.Chosen != r.Best || r.Best != r.Candidates[0].Number {
		t.Fatalf("%d candidates, chosen %d, best %d", len(r.Candidates), r.Chosen, r.Best)
	}
	var x []float64
	var class []int
	for i, part := range prep.Stratified(data.Class, 3, prep.Shares{.7, .15, .15}, 3) {
		if part != prep.Holdout {
			x, class = append(x, data.X[i*3:i*3+3]...), append(class, data.Class[i])
		}
	}
	if r.Counts != (tune.Counts{Searched: len(class), Holdout: 75 - len(class)}) {
		t.Errorf("%+v with %d rows without the hold-out", r.Counts, len(class))
	}
	const stream, model = 200, 1000 // of the seeds of folds and models
	step := uint64(6364136223846793005)
	seed := func(s uint64) uint64 { return 3*step + s }
	fold, _, err := prep.Folds(class, 3, 4, seed(stream))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Candidates {
		var f1 []float64
		accuracy := 0.0
		for f := range 4 {
			var part [2]grow.Data
			for i := range class {
				k := 0
				if fold[i] == f {
					k = 1
				}
				part[k].X, part[k].Class = append(part[k].X, x[i*3:i*3+3]...), append(part[k].Class, class[i])
			}
			part[0].Features, part[0].Classes = 3, 3
			src, _, err := grow.Forest(context.Background(), part[0], grow.ForestOptions{
				Trees: 9, MinSamplesLeaf: int(c.Params["min_leaf"]), MaxFeaturesShare: c.Params["features_share"], Seed: seed(model + uint64(f)),
				ClassWeights: []float64{1, 1, 1}, // as package train gives them for power 0
			})
			if err != nil {
				t.Fatal(err)
			}
			e, err := tree.New(src)
			if err != nil {
				t.Fatal(err)
			}
			p := make([]float64, 3*len(part[1].Class))
			if err := e.Predict(p, part[1].X); err != nil {
				t.Fatal(err)
			}
			var predicted []int
			for i := range part[1].Class {
				row := p[i*3 : i*3+3]
				predicted = append(predicted, slices.Index(row, slices.Max(row)))
			}
			conf := metric.NewConfusion(part[1].Class, predicted, 3)
			f1 = append(f1, conf.MacroF1())
			accuracy += conf.Accuracy() / 4
		}
		if !slices.Equal(c.Folds, f1) || c.Accuracy != accuracy {
			t.Errorf("candidate %d: macro-F1 %v, accuracy %v, want %v, %v", c.Number, c.Folds, c.Accuracy, f1, accuracy)
		}
		mean := (f1[0] + f1[1] + f1[2] + f1[3]) / 4
		sum := 0.0
		for _, v := range f1 {
			sum += (v - mean) * (v - mean)
		}
		if math.Abs(c.MacroF1-mean) > 1e-12 || math.Abs(c.Error-math.Sqrt(sum/3)/2) > 1e-12 {
			t.Errorf("candidate %d: %v ± %v of %v", c.Number, c.MacroF1, c.Error, f1)
		}
	}
}

// What the hold-out rows look like has no influence.
func TestRun_holdoutTakesNoPart(t *testing.T) {
	data := small(40, 25, 10)
	o := tune.Options{Search: tune.Halving, Draws: 6, Folds: 3, Seed: 2}
	a := run(t, data, tiny(tune.Forest), o)
	changed := 0
	for i, part := range prep.Stratified(data.Class, 3, prep.Shares{.7, .15, .15}, 2) {
		if part == prep.Holdout {
			changed++
			data.X[i*3], data.X[i*3+1], data.X[i*3+2] = -1e9, 1e9, math.Inf(1)
		}
	}
	b := run(t, data, tiny(tune.Forest), o)
	if changed < 10 || a.Inputs == b.Inputs {
		t.Fatalf("%d rows changed, inputs %s and %s", changed, a.Inputs, b.Inputs)
	}
	for i := range a.Candidates {
		a.Candidates[i].Seconds, b.Candidates[i].Seconds = 0, 0
	}
	if !reflect.DeepEqual(a.Candidates, b.Candidates) || a.Chosen != b.Chosen {
		t.Error("other hold-out rows give other scores")
	}
}

func TestRun_tinyData(t *testing.T) {
	tests := []struct {
		counts []int
		folds  int
		notes  int // classes with fewer rows than folds once the hold-out is gone
	}{{[]int{1, 1}, 2, 2}, {[]int{2, 2}, 2, 0}, {[]int{5, 1}, 3, 1}, {[]int{3, 1, 1}, 2, 2}, {[]int{0, 4}, 2, 0}, {[]int{1, 1, 1, 1}, 4, 4}}
	for _, tt := range tests {
		for _, kind := range []string{tune.Forest, tune.Boosting} {
			for _, by := range []tune.Resource{tune.Trees, tune.Rows} {
				r := run(t, small(tt.counts...), tiny(kind), tune.Options{Search: tune.Halving, Draws: 4, Folds: tt.folds, Resource: by})
				if len(r.Notes) != tt.notes || len(text(t, r)) == 0 { // NaN has no JSON
					t.Errorf("%s of %v: notes %q, want %d", kind, tt.counts, r.Notes, tt.notes)
				}
			}
		}
	}
	// a class of one row stands in the notes by its name
	r := run(t, small(20, 1), tiny(tune.Forest), tune.Options{Search: tune.Grid, Folds: 2})
	if got := strings.Join(r.Notes, "\n"); got != `class "b" has 1 rows for 2 folds: some folds cannot judge it, and the one that can has not learnt it` {
		t.Errorf("notes: %s", got)
	}
}

func TestRun_refused(t *testing.T) {
	data := small(6, 6)
	space := tiny(tune.Forest)
	tests := []struct {
		name  string
		data  tune.Data
		space tune.Space
		o     tune.Options
		field string // of the option, "" if it is about the data
	}{
		{"search", data, space, tune.Options{Search: "guess"}, "search"},
		{"resource", data, space, tune.Options{Resource: "time"}, "resource"},
		{"rule", data, space, tune.Options{Rule: "coin"}, "rule"},
		{"draws", data, space, tune.Options{Draws: -1}, "draws"},
		{"draws over the limit", data, space, tune.Options{Draws: tune.MaxCandidates + 1}, "draws"},
		{"one fold", data, space, tune.Options{Folds: 1}, "folds"},
		{"more folds than rows", data, space, tune.Options{Folds: 11}, "folds"},
		{"folds over the limit", small(200, 200), space, tune.Options{Folds: tune.MaxFolds + 1}, "folds"},
		{"empty space", data, tune.Space{Model: tune.Forest}, tune.Options{}, "space"},
		{"one class", small(9), space, tune.Options{}, ""},
		{"label out of range", tune.Data{X: []float64{1}, Features: 1, Class: []int{2}, Classes: []string{"a", "b"}}, space, tune.Options{}, ""},
		{"width", tune.Data{X: []float64{1, 2, 3}, Features: 2, Class: []int{0}, Classes: []string{"a", "b"}}, space, tune.Options{}, ""},
	}
	for _, tt := range tests {
		_, err := tune.Run(context.Background(), tt.data, tt.space, tt.o)
		option, ok := errors.AsType[*tune.OptionError](err)
		if err == nil || ok != (tt.field != "") || ok && option.Field != tt.field {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestRun_oneErrorRule(t *testing.T) {
	data, space := small(40, 25, 10), tiny(tune.Forest)
	path, read := journal(t)
	o := tune.Options{Search: tune.Random, Draws: 12, Folds: 4, Seed: 3, Journal: path}
	r := run(t, data, space, o)
	best, chosen := r.Candidates[0], tune.Candidate{}
	for _, c := range r.Candidates {
		if c.Number == r.Chosen {
			chosen = c
		}
	}
	if r.Rule != tune.OneError || r.Best != best.Number || r.Best == r.Chosen {
		t.Fatalf("rule %s, best %d, chosen %d: want another than the best on this data", r.Rule, r.Best, r.Chosen)
	}
	for i, c := range r.Candidates {
		within := c.MacroF1 >= best.MacroF1-best.Error
		if c.Number == chosen.Number && !within || within && c.Nodes < chosen.Nodes {
			t.Errorf("candidate %d, %v with %v nodes, chosen %v with %v, best %v ± %v", c.Number, c.MacroF1, c.Nodes, chosen.MacroF1, chosen.Nodes, best.MacroF1, best.Error)
		}
		if i > 0 && c.MacroF1 > r.Candidates[i-1].MacroF1 {
			t.Error("candidates are not in order of score")
		}
	}
	// another rule needs no other fits
	before := read()
	o.Rule, o.Progress = tune.Best, func(tune.Progress) { t.Error("a fit is made again") }
	if r := run(t, data, space, o); r.Chosen != r.Best || read() != before {
		t.Errorf("chosen %d, best %d", r.Chosen, r.Best)
	}
}

func TestRun_progress(t *testing.T) {
	var steps []tune.Progress
	r := run(t, small(40, 25, 10), tiny(tune.Forest), tune.Options{Search: tune.Grid, Folds: 3, Workers: 4, Progress: func(p tune.Progress) { steps = append(steps, p) }})
	if len(steps) != 27 {
		t.Fatalf("%d steps, want one a fit", len(steps))
	}
	for i, p := range steps {
		if p.Fits != i+1 || p.Total != 27 || p.Kept != 0 || math.Abs(p.Left-float64(26-i)/27) > 1e-9 || p.BestParams == "" && i > 20 {
			t.Errorf("step %d: %+v", i, p)
		}
		if i > 0 && p.Best < steps[i-1].Best {
			t.Errorf("step %d: the best fell from %v to %v", i, steps[i-1].Best, p.Best)
		}
	}
	last := steps[26]
	if best := r.Candidates[0]; last.Best != best.MacroF1 || last.BestError != best.Error || !strings.HasPrefix(last.BestParams, "features_share=") {
		t.Errorf("at the end %+v, the best is %+v", last, best)
	}
}

func TestRun_interrupted(t *testing.T) {
	data, space := small(40, 25, 10), tiny(tune.Forest)
	o := tune.Options{Search: tune.Grid, Folds: 3, Workers: 2}
	want := text(t, run(t, data, space, o))
	path, read := journal(t)
	o.Journal = path
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(p tune.Progress) {
		if p.Fits == 5 {
			cancel()
		}
	}
	_, err := tune.Run(ctx, data, space, o)
	stopped, ok := errors.AsType[*tune.Interrupted](err)
	if !ok || !errors.Is(err, context.Canceled) || stopped.Fits < 5 || stopped.Fits > 7 || stopped.Total != 27 || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "the same command goes on") {
		t.Fatalf("got %v", err)
	}
	if lines := strings.Count(read(), "\n"); lines != stopped.Fits+1 {
		t.Errorf("%d lines for %d fits", lines, stopped.Fits)
	}
	first := 0
	o.Progress = func(p tune.Progress) {
		if first == 0 {
			first = p.Fits
		}
		// what is left is a share of what this run has to do
		if left := float64(27-p.Fits) / float64(27-stopped.Fits); p.Kept != stopped.Fits || math.Abs(p.Left-left) > 1e-9 {
			t.Errorf("%d kept, %v left, want %d, %v", p.Kept, p.Left, stopped.Fits, left)
		}
	}
	if got := text(t, run(t, data, space, o)); got != want || first != stopped.Fits+1 {
		t.Errorf("going on at fit %d gives another result than one run", first)
	}
}

func TestThin(t *testing.T) {
	var class, rows []int
	for c, n := range []int{27, 9, 1, 0} {
		for range n {
			rows = append(rows, len(class))
			class = append(class, c)
		}
	}
	var larger []int
	for _, share := range []float64{1, 1.0 / 3, 1.0 / 3 / 3} {
		got := tune.Thin(rows, class, 4, share, 5)
		count := make([]int, 4)
		for _, row := range got {
			count[class[row]]++
			if larger != nil && !slices.Contains(larger, row) {
				t.Errorf("share %v: row %d is new", share, row)
			}
		}
		want := map[float64]string{1: "[27 9 1 0]", 1.0 / 3: "[9 3 1 0]", 1.0 / 3 / 3: "[3 1 1 0]"}[share]
		if fmt.Sprint(count) != want || !slices.IsSorted(got) {
			t.Errorf("share %v: %v rows a class, want %s", share, count, want)
		}
		larger = got
	}
}
