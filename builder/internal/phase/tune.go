package phase

import (
	"context"
	"fmt"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/builder/internal/train/grow"
	"cloister/builder/internal/tune"
)

// The files of a search.
const (
	TuneJournal = "journal.ndjson" // beside the others, where the same search can go on from it
	TuneResult  = "result.json"
	TuneReport  = "result.md"
)

// Space returns the default space of a kind of model for a recipe, "" for a
// forest.
func Space(recipe train.Recipe, kind string) (tune.Space, error) {
	if recipe.Texts() && kind != tune.Boosting {
		return tune.TextSpace(), nil
	}
	if kind == "" {
		kind = tune.Forest
	}
	space, ok := tune.DefaultSpace(kind)
	if !ok {
		return space, fmt.Errorf("model %.64q: want %s or %s", kind, tune.Forest, tune.Boosting)
	}
	return space, nil
}

// Tune searches the space for a recipe and writes result.json and result.md.
// Of search, what o says is taken from there, and the recipe's name.
func Tune(ctx context.Context, recipe train.Recipe, files []File, space tune.Space, search tune.Options, o Options, out Out) (*tune.Result, error) {
	o.defaults()
	t, err := table(files, recipe)
	if err != nil {
		return nil, err
	}
	search.Seed, search.Shares, search.Workers, search.Recipe = o.Seed, o.Shares, o.Workers, recipe.Name
	data, err := searched(t, recipe, search)
	if err != nil {
		return nil, err
	}
	search.Progress = func(p tune.Progress) { o.Progress(stage(p), 1-p.Left) }
	result, err := tune.Run(ctx, data, space, search)
	if err != nil {
		return nil, err
	}
	text, err := result.JSON()
	if err != nil {
		return nil, err
	}
	if err := whole(out, TuneReport, result.Markdown()); err != nil {
		return nil, err
	}
	return result, whole(out, TuneResult, text)
}

// searched returns the rows as a search wants them. Terms of texts are those of
// all rows that the search sees: folds share them.
func searched(t *train.Table, recipe train.Recipe, search tune.Options) (tune.Data, error) {
	data := tune.Data{X: t.X, Class: t.Class, Classes: t.Classes}
	if !recipe.Texts() {
		data.Features = t.Pipeline.Len()
		return data, nil
	}
	parts := prep.Stratified(t.Class, len(t.Classes), search.Shares, search.Seed)
	for i, p := range parts {
		if p == prep.Validation && !search.TrainOnly {
			parts[i] = prep.Train
		}
	}
	in, err := train.FitInput(t, recipe, parts, prep.Train)
	if err != nil {
		return data, err
	}
	rows := in.Sparse(t.Frame)
	data.Features, data.Sparse = in.Len(), &grow.Sparse{Start: rows.Start, Index: rows.Index, Value: rows.Value}
	return data, nil
}

// stage says how far a search is; the bar beside it estimates the time left.
func stage(p tune.Progress) string {
	text := fmt.Sprintf("%d of %d fits", p.Fits, p.Total)
	if p.Kept > 0 {
		text += fmt.Sprintf(" (%d kept)", p.Kept)
	}
	if p.BestParams != "" {
		text += fmt.Sprintf(", best %.4f ± %.4f", p.Best, p.BestError)
	}
	return text
}
