package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"cloister/builder/internal/phase"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/builder/internal/tune"
)

type tuneCommand struct {
	Recipe   string   `required:"" help:"What to train: flows, flows-cic, severity or seed-parity."`
	Data     []string `arg:"" help:"Labelled files, gzip allowed; - is standard input."`
	Search   string   `enum:"grid,random,halving" default:"random" help:"grid: every combination; random: draws; halving: draws, of which the best third goes on with three times the resource."`
	Model    string   `help:"Model to search, with its default space: forest or boosting. forest unless --space says otherwise."`
	Space    string   `type:"existingfile" help:"Space to search as JSON, like the space in result.json."`
	Draws    int      `default:"27" help:"Candidates of a random or halving search."`
	Folds    int      `default:"5" help:"Folds of the cross-validation."`
	Resource string   `enum:"trees,rows" default:"trees" help:"What halving gives a share of."`
	Rule     string   `enum:"one-error,best" default:"one-error" help:"one-error: the smallest model within one standard error of the best; best: the highest macro-F1."`
	Seed     uint64   `default:"1" help:"Seed of split, folds, draws and models. Train with the same one: the hold-out rows are the same then."`
	Split    string   `default:"70/15/15" help:"Shares of training, validation and hold-out rows in percent. Hold-out rows take no part."`
	Rows     string   `enum:"train,kept" default:"kept" help:"kept: folds of training and validation rows; train: of training rows alone, so that the validation rows can still choose."`
	Out      string   `required:"" type:"path" help:"Directory for result.json, result.md and the journal that the same command goes on from after a kill."`
	Workers  int      `help:"Fits at a time, default one a core. The result does not depend on it."`
	JSON     bool     `name:"json" help:"Print result.json."`
}

// Help returns the example for --help.
func (tuneCommand) Help() string {
	return "Example:\n\n  cloister tune --recipe flows flows.csv.gz --search halving --draws 27 --out search"
}

// Run searches, or goes on searching, and writes the result.
func (c *tuneCommand) Run(ctx context.Context, s streams) error {
	recipe, err := recipeOf(c.Recipe)
	if err != nil {
		return err
	}
	shares, err := prep.ParseShares(c.Split)
	if err != nil {
		return &usageError{err.Error()}
	}
	space, err := c.space(recipe)
	if err != nil {
		return &usageError{err.Error()}
	}
	files, done, err := openFiles(c.Data, s.in)
	if err != nil {
		return err
	}
	defer done()
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	bar := newBar(s, "tuning")
	result, err := phase.Tune(ctx, recipe, files, space, tune.Options{
		Search: tune.Search(c.Search), Draws: c.Draws, Folds: c.Folds, Resource: tune.Resource(c.Resource), Rule: tune.Rule(c.Rule),
		TrainOnly: c.Rows == "train", Journal: filepath.Join(c.Out, phase.TuneJournal),
	}, phase.Options{Seed: c.Seed, Shares: shares, Workers: c.Workers, Progress: bar.share}, folder(c.Out))
	bar.done()
	if err != nil {
		var option *tune.OptionError
		if errors.As(err, &option) {
			return &usageError{err.Error()}
		}
		return err
	}
	return c.print(s, result)
}

// space returns the space to search.
func (c *tuneCommand) space(recipe train.Recipe) (tune.Space, error) {
	if c.Space == "" {
		return phase.Space(recipe, c.Model)
	}
	f, err := os.Open(c.Space)
	if err != nil {
		return tune.Space{}, err
	}
	defer f.Close()
	space, err := tune.ParseSpace(f)
	if err != nil {
		return space, fmt.Errorf("%s: %w", c.Space, err)
	}
	if c.Model != "" && c.Model != space.Model {
		return space, fmt.Errorf("--model %.64s, but %s is a space of %s", c.Model, c.Space, space.Model)
	}
	return space, nil
}

// print prints what was chosen.
func (c *tuneCommand) print(s streams, r *tune.Result) error {
	if c.JSON {
		text, err := r.JSON()
		if err == nil {
			_, err = s.out.Write(text)
		}
		return err
	}
	p := &printer{w: s.out}
	p.line("%d candidates, %d folds, %d rows; %d other rows took no part", len(r.Candidates), r.Folds, r.Counts.Searched, r.Counts.Holdout)
	p.line("  best      %s", r.Describe(r.Best))
	p.line("  chosen    %s", r.Describe(r.Chosen))
	for _, note := range r.Notes {
		p.line("  note      %s", note)
	}
	p.line("  files     %s, %s", filepath.Join(c.Out, phase.TuneResult), filepath.Join(c.Out, phase.TuneReport))
	return p.err
}
