package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"cloister/builder/internal/phase"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
)

type featuresCommand struct {
	Data   []string `arg:"" help:"Labelled files, gzip allowed; - is standard input."`
	Recipe string   `required:"" help:"Whose features: flows, flows-cic, severity or seed-parity."`
	Seed   uint64   `default:"1" help:"Seed of the split."`
	Split  string   `default:"70/15/15" help:"Shares of training, validation and hold-out rows in percent."`
	// Context is not of the matrix: an ablation.
	Context int    `help:"Write context.md too: over so many splits of each kind, what a forest gains from counts of the flows before each in 10, 60 and 300 s by source, destination and pair."`
	Out     string `required:"" type:"path" help:"Folder to write matrix.csv (of texts: texts.csv and the terms), features.json and ledger.txt to."`
}

// Help returns the example for --help.
func (featuresCommand) Help() string {
	return "Example:\n\n  cloister features flows.csv --recipe flows --out build/features"
}

// Run writes the matrix that training would see, with label and part of the
// split, the fitted steps, and the ledger of kept and dropped fields.
func (c *featuresCommand) Run(ctx context.Context, s streams) error {
	recipe, err := recipeOf(c.Recipe)
	if err != nil {
		return err
	}
	shares, err := prep.ParseShares(c.Split)
	if err != nil {
		return &usageError{err.Error()}
	}
	files, done, err := openFiles(c.Data, s.in)
	if err != nil {
		return err
	}
	defer done()
	bar := newBar(s, "features")
	summary, err := phase.Features(ctx, recipe, files, c.Context, phase.Options{Seed: c.Seed, Shares: shares, Progress: bar.share}, folder(c.Out))
	bar.done()
	if err == nil {
		_, err = fmt.Fprintf(s.out, "%s in %s\n", summary, c.Out)
	}
	return err
}

// recipeOf returns the recipe of that name or a usage error that lists them.
func recipeOf(name string) (train.Recipe, error) {
	recipe, ok := train.Recipes()[name]
	if !ok {
		return recipe, &usageError{fmt.Sprintf("recipe %q is unknown, known: %s", name, strings.Join(slices.Sorted(maps.Keys(train.Recipes())), ", "))}
	}
	return recipe, nil
}

// readTable reads labelled files.
func readTable(names []string, recipe train.Recipe, stdin io.Reader) (*train.Table, error) {
	var files []train.File
	for _, name := range names {
		f, err := openInput(name, stdin)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		files = append(files, train.File{Name: f.Name(), ReaderAt: f, Size: f.Size()})
	}
	return train.Read(files, recipe)
}
