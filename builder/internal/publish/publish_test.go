package publish_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/train"
	"cloister/builder/internal/train/grow"
	"cloister/shared/bundle"
	"cloister/shared/job"
	"cloister/shared/score"
)

const sample = "../../../models/sample/flows.csv"

type file struct {
	*bytes.Reader
}

func (file) Name() string { return "flows.csv" }

func trained(t *testing.T) *train.Result {
	t.Helper()
	recipe := train.Recipes()["flows"]
	// a forest; for the browser model see TestBundle_oblivious
	recipe.Candidates = slices.DeleteFunc(recipe.Candidates, func(c train.Candidate) bool { return c.Oblivious != nil })
	return trainedOn(t, recipe)
}

func trainedOn(t *testing.T, recipe train.Recipe) *train.Result {
	t.Helper()
	text, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	table, err := train.Read([]train.File{{Name: "flows.csv", ReaderAt: bytes.NewReader(text), Size: int64(len(text))}}, recipe)
	if err != nil {
		t.Fatal(err)
	}
	r, err := train.Fit(context.Background(), table, recipe, train.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func encode(t *testing.T, r *train.Result) []byte {
	t.Helper()
	b, err := publish.Bundle(r, publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBundle_reproducesAndScores(t *testing.T) {
	r := trained(t)
	b := encode(t, r)
	if !bytes.Equal(b, encode(t, trained(t))) {
		t.Error("training twice gives two bundles")
	}
	s := score.New()
	info, err := s.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Classes) != 5 || info.Vectors != 32 || info.AttackVersion != "19.1" || info.Classes[1].Attack[0].ID != "T1110.001" {
		t.Errorf("%+v", info)
	}
	text, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	// what the scorer says through CSV, features and the bundle is what the
	// forest says of the training table
	k, d := len(r.Table.Classes), r.Pipeline.Len()
	p := make([]float64, len(r.Table.Class)*k)
	if err := r.Forest.Predict(p, r.Table.X[:len(r.Table.Class)*d]); err != nil {
		t.Fatal(err)
	}
	rows := 0
	sum, err := s.Score(file{bytes.NewReader(text)}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		for i, row := range b.Row {
			if want := p[int(row-1)*k+int(b.Class[i])]; b.Probability[i] != want {
				t.Errorf("row %d: probability %v, want %v", row, b.Probability[i], want)
			}
			rows++
		}
		return true
	})
	if err != nil || rows != 557 || sum.Scored != 557 {
		t.Errorf("%d rows, %+v, %v", rows, sum, err)
	}
}

// A bundle of oblivious trees says so, explains in log-odds, and its card holds
// the families against each other.
func TestBundle_oblivious(t *testing.T) {
	recipe := train.Recipes()["flows"]
	recipe.Splits = 2
	recipe.Candidates = []train.Candidate{
		{Name: "stumps", Options: grow.ForestOptions{Trees: 5, MaxDepth: 1}},
		{Name: "levels", WeightPower: .5, Oblivious: &grow.ObliviousOptions{Rounds: 30, Depth: 4, EarlyStopping: 5}},
	}
	r := trainedOn(t, recipe)
	file := encode(t, r)
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m := b.Manifest()
	if _, ok := b.File(score.ObliviousName); !ok || m.Explain.Link != "log-odds" || m.Config.Architecture != "oblivious-gradient-boosting" || len(m.Explain.BaseValue) != len(r.Table.Classes) {
		t.Errorf("%v, %+v, %+v", b.Names(), m.Explain, m.Config)
	}
	info, err := score.New().Load(file)
	if err != nil || !strings.HasPrefix(info.Model, "boosted oblivious trees") {
		t.Errorf("%q, %v", info.Model, err)
	}
	card, _ := b.File(bundle.CardTextName)
	for _, want := range []string{"### Which family", "on average over 2 splits", "oblivious: levels, trees [", "peers -quality", "NSL-KDD (20 %)", "accuracy of forest instead", "the one with the best F1"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the card does not say %q", want)
		}
	}
	plain, err := bundle.Decode(encode(t, trained(t)), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if card, _ := plain.File(bundle.CardTextName); strings.Contains(string(card), "Which family") {
		t.Error("the card of a lone family compares families")
	}
}

func TestBundle_card(t *testing.T) {
	b, err := bundle.Decode(encode(t, trained(t)), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	card, ok := b.File(bundle.CardTextName)
	if !ok {
		t.Fatal("no card")
	}
	for _, want := range []string{
		"cloister train --recipe flows flows.csv --seed 1 --out flows.bundle", "BSD-3-Clause", "macro-F1 | holdout", "from addresses, ports and time alone", "## Known limits", "MITRE", "T1110.001",
	} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the card does not say %q", want)
		}
	}
}

// A forest of extra trees is called one by the card, the manifest and the
// scorer; a random forest is not.
func TestBundle_namesExtraTrees(t *testing.T) {
	recipe := train.Recipes()["flows"]
	recipe.Candidates = slices.DeleteFunc(recipe.Candidates, func(c train.Candidate) bool { return c.Kind() != "forest" })[:1]
	for extra, want := range map[bool][3]string{false: {"\nforest of ", "random-forest", "random forest, "}, true: {"\nextra trees: forest of ", bundle.ExtraTrees, "extra trees, "}} {
		recipe.Candidates[0].Options.ExtraTrees = extra
		file := encode(t, trainedOn(t, recipe))
		b, err := bundle.Decode(file, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		info, err := score.New().Load(file)
		if err != nil {
			t.Fatal(err)
		}
		card, _ := b.File(bundle.CardTextName)
		if got := b.Manifest().Config.Architecture; !strings.Contains(string(card), want[0]) || got != want[1] || !strings.HasPrefix(info.Model, want[2]) {
			t.Errorf("extra trees %v: architecture %q, %q", extra, got, info.Model)
		}
	}
}

func TestLoad_minRuntime(t *testing.T) {
	good := encode(t, trained(t))
	for version, want := range map[string]bool{"0.9.9": true, "1.0.0": true, "1.1.9": true, score.Version: true, "1.99.0": false, "2.0.0": false} {
		old, err := bundle.Decode(good, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		m := old.Manifest()
		m.MinRuntime = version
		files := map[string][]byte{}
		for _, n := range old.Names()[1:] {
			files[n], _ = old.File(n)
		}
		b, err := bundle.Encode(m, files, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := score.New().Load(b); (err == nil) != want {
			t.Errorf("min_runtime %s: %v", version, err)
		}
	}
}

// replace returns the bundle with one entry changed.
func replace(t *testing.T, b []byte, name string, change func([]byte) []byte) []byte {
	t.Helper()
	old, err := bundle.Decode(b, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, n := range old.Names() {
		data, _ := old.File(n)
		if n == name {
			data = change(bytes.Clone(data))
		}
		if n != bundle.ManifestName {
			files[n] = data
		}
	}
	out, err := bundle.Encode(old.Manifest(), files, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A bundle whose container is right but whose parts are not is refused, and
// the one loaded before stays.
func TestLoad_refusesPartsThatDisagree(t *testing.T) {
	good := encode(t, trained(t))
	s := score.New()
	if _, err := s.Load(good); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, entry string
		change      func([]byte) []byte
		text        string
	}{
		{"forest cut", score.ForestName, func(b []byte) []byte { return b[:len(b)-1] }, "model/forest.bin"},
		{"isolation instead of forest", score.ForestName, func([]byte) []byte {
			b, err := bundle.Decode(good, bundle.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			data, _ := b.File(score.IsolationName)
			return data
		}, "parts disagree"},
		{"vector expects another probability", score.VectorsName, func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"probability":[`), []byte(`"probability":[9`), 1)
		}, "self-test: vector 1: probability 0"},
		{"vector names an unknown field", score.VectorsName, func(b []byte) []byte { return bytes.Replace(b, []byte(`IN_BYTES`), []byte(`IN_BYTEZ`), 1) }, "IN_BYTEZ"},
		{"no vectors", score.VectorsName, func([]byte) []byte { return nil }, "self-test: 0 vectors"},
		{"features of another order", score.FeaturesName, func(b []byte) []byte {
			return bytes.Replace(bytes.Replace(bytes.Replace(b, []byte(`"IN_PKTS"`), []byte(`"x"`), -1), []byte(`"OUT_PKTS"`), []byte(`"IN_PKTS"`), -1), []byte(`"x"`), []byte(`"OUT_PKTS"`), -1)
		}, "self-test: vector"},
		{"background of another shape", bundle.BackgroundName, func(b []byte) []byte { return b[:len(b)-8] }, "explain/background.bin"},
		{"anomaly out of order", score.AnomalyName, func(b []byte) []byte { return bytes.Replace(b, []byte("["), []byte("[7,"), 1) }, "pre/anomaly.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Load(replace(t, good, tt.entry, tt.change))
			var f *job.Failure
			if !errors.As(err, &f) || f.Kind != "bundle" || !strings.Contains(f.Text, tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
		})
	}
	if _, err := s.Score(file{bytes.NewReader([]byte("x"))}, job.Options{}, nil); err == nil || strings.Contains(err.Error(), "no bundle") {
		t.Errorf("the good bundle is gone: %v", err)
	}
}
