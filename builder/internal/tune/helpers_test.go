package tune_test

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloister/builder/internal/train"
	"cloister/builder/internal/tune"
)

// sample is the excerpt that the project keeps: 557 flows of public captures.
const sample = "../../../models/sample/flows.csv"

// flows returns the sample with the features of the recipe.
func flows(t *testing.T) tune.Data {
	t.Helper()
	data, err := readFlows()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readFlows() (tune.Data, error) {
	text, err := os.ReadFile(sample)
	if err != nil {
		return tune.Data{}, err
	}
	table, err := train.Read([]train.File{{Name: "flows.csv", ReaderAt: strings.NewReader(string(text)), Size: int64(len(text))}}, train.Recipes()["flows"])
	if err != nil {
		return tune.Data{}, err
	}
	return tune.Data{X: table.X, Features: table.Pipeline.Len(), Class: table.Class, Classes: table.Classes}, nil
}

// small returns rows of three features with the given number of rows a class;
// classes overlap, and some values are missing.
func small(counts ...int) tune.Data {
	rng := rand.New(rand.NewPCG(5, 5))
	d := tune.Data{Features: 3}
	for c, n := range counts {
		d.Classes = append(d.Classes, string(rune('a'+c)))
		for range n {
			d.Class = append(d.Class, c)
			v := float64(c) + rng.NormFloat64()
			if rng.IntN(20) == 0 {
				v = math.NaN()
			}
			d.X = append(d.X, v, rng.NormFloat64(), float64(rng.IntN(3)+c))
		}
	}
	return d
}

// tiny is a space of cheap models: nine points in the grid.
func tiny(kind string) tune.Space {
	if kind == tune.Boosting {
		return tune.Space{Model: kind, Dimensions: []tune.Dimension{
			{Name: "eta", Kind: tune.Log, Low: 0.05, High: 1, Grid: []float64{0.1, 0.3, 1}},
			{Name: "max_depth", Kind: tune.Int, Low: 1, High: 6, Grid: []float64{1, 2, 3}},
			{Name: "rounds", Kind: tune.Choice, Grid: []float64{9}},
		}}
	}
	return tune.Space{Model: kind, Dimensions: []tune.Dimension{
		{Name: "features_share", Kind: tune.Log, Low: 0.1, High: 1, Grid: []float64{0.3, 0.6, 1}},
		{Name: "min_leaf", Kind: tune.Int, Low: 1, High: 9, Grid: []float64{1, 3, 5}},
		{Name: "trees", Kind: tune.Choice, Grid: []float64{9}},
	}}
}

// run searches and fails the test on an error.
func run(t *testing.T, data tune.Data, space tune.Space, o tune.Options) *tune.Result {
	t.Helper()
	r, err := tune.Run(context.Background(), data, space, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// text returns the result as JSON.
func text(t *testing.T, r *tune.Result) string {
	t.Helper()
	b, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// journal returns the path of a new journal and a function that reads it.
func journal(t *testing.T) (path string, read func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal.ndjson")
	return path, func() string {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
