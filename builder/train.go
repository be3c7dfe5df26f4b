package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/publish"
	"cloister/builder/internal/train"
	"cloister/builder/internal/tune"
)

type trainCommand struct {
	Recipe    string   `required:"" help:"What to train: flows, flows-cic, severity or seed-parity."`
	Data      []string `arg:"" help:"Labelled files, gzip allowed; - is standard input."`
	Seed      uint64   `default:"1" help:"Seed of the split and of the models."`
	Split     string   `default:"70/15/15" help:"Shares of training, validation and hold-out rows in percent, or a manifest of cloister prep: the split that it records, made again and compared."`
	Out       string   `required:"" type:"path" help:"Bundle file to write."`
	Params    string   `type:"existingfile" help:"result.json of cloister tune: train what the search chose, on its split."`
	Version   string   `default:"1.0.0" help:"Semantic version of the bundle."`
	Created   string   `help:"Date of creation for the manifest, RFC 3339. By default the release date of the recipe: then the same data give the same bytes."`
	Extension int      `help:"Columns that a split of the anomaly model weighs besides one: an extended isolation forest. 0 is the plain one."`
	Workers   int      `help:"Threads, default one a core. The result does not depend on it."`
	JSON      bool     `name:"json" help:"Print the figures as JSON."`
}

// Help returns the example for --help.
func (trainCommand) Help() string {
	return "Example:\n\n  cloister train --recipe flows flows.csv.gz --seed 1 --out models/flows/1.bundle"
}

// Run trains and writes one bundle.
func (c *trainCommand) Run(ctx context.Context, s streams) error {
	recipe, err := recipeOf(c.Recipe)
	if err != nil {
		return err
	}
	if c.Params != "" {
		if _, m, err := splitOf(c.Split); err == nil && m != nil {
			return &usageError{"--params takes the split of its search: give no manifest beside it"}
		}
		if err := c.useParams(&recipe); err != nil {
			return err
		}
	}
	if recipe.Isolation.Extension = c.Extension; c.Extension != 0 && recipe.Unflagged {
		return &usageError{"--extension: recipe " + c.Recipe + " has no anomaly model"}
	}
	shares, manifest, err := splitOf(c.Split)
	if err != nil {
		return err
	}
	if c.Created != "" {
		if _, err := time.Parse(time.RFC3339, c.Created); err != nil {
			return &usageError{fmt.Sprintf("created %q: want a date such as 2026-11-22T00:00:00Z", c.Created)}
		}
	}
	table, err := readTable(c.Data, recipe, s.in)
	if err != nil {
		return err
	}
	bar := newBar(s, "training")
	o := train.Options{Seed: c.Seed, Shares: shares, Workers: c.Workers, Progress: bar.share, Split: manifest}
	if manifest != nil {
		if o.Parts, err = c.parts(ctx, table, manifest, recipe); err != nil {
			return fmt.Errorf("%s: %w", c.Split, err)
		}
	}
	result, err := train.Fit(ctx, table, recipe, o)
	bar.done()
	if err != nil {
		return err
	}
	result.SplitName = filepath.Base(c.Split)
	file, err := publish.Bundle(result, publish.Options{Version: c.Version, CreatedAt: c.Created})
	if err != nil {
		return err
	}
	return writeBundle(s, c.Out, file, c.JSON)
}

// writeBundle writes a bundle that was just made, and prints what it is.
func writeBundle(s streams, out string, file []byte, asJSON bool) error {
	if err := writeFile(out, file); err != nil {
		return err
	}
	b, err := decode(file)
	if err != nil {
		return fmt.Errorf("the bundle just written does not read back: %w", err)
	}
	return printBundle(s.out, b, asJSON)
}

// useParams replaces the candidates of the recipe by the one that a search
// chose, and takes over the search's split, so that the hold-out rows are those
// that it never saw.
func (c *trainCommand) useParams(recipe *train.Recipe) error {
	f, err := os.Open(c.Params)
	if err != nil {
		return err
	}
	defer f.Close()
	m, result, err := tune.Chosen(f)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Params, err)
	}
	chosen := train.Candidate{Name: "as " + filepath.Base(c.Params) + " chose", WeightPower: m.WeightPower, Options: m.Forest, Deep: m.Deep}
	if m.Kind == tune.Boosting {
		chosen.Boost = &m.Boost
	}
	if recipe.Texts() { // a search reads the texts of the last candidate
		last := recipe.Candidates[len(recipe.Candidates)-1]
		chosen.Texts, chosen.Category = last.Texts, last.Category
		recipe.Candidates, recipe.Compared = []train.Candidate{recipe.Candidates[0], chosen}, 1
	} else {
		recipe.Candidates = []train.Candidate{chosen}
	}
	recipe.Params = filepath.Base(c.Params)
	c.Seed, c.Split = result.Seed, result.Split
	return nil
}

// splitOf reads shares such as 70/15/15, or the manifest of a split.
func splitOf(text string) (prep.Shares, *prep.Manifest, error) {
	shares, err := prep.ParseShares(text)
	if err == nil {
		return shares, nil, nil
	}
	f, missing := os.Open(text)
	if missing != nil {
		return shares, nil, &usageError{err.Error() + ", or the file of a manifest"}
	}
	defer f.Close()
	m, err := prep.Load(f)
	if err != nil {
		return shares, nil, fmt.Errorf("%s: %w", text, err)
	}
	return m.Shares, m, nil
}

// parts returns the parts of the rows by a manifest.
func (c *trainCommand) parts(ctx context.Context, table *train.Table, m *prep.Manifest, recipe train.Recipe) ([]prep.Part, error) {
	var files []train.File
	for _, name := range c.Data {
		if name == "-" {
			return nil, &usageError{"standard input can be read once: give a file with the manifest of a split"}
		}
		f, err := openInput(name, nil)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		files = append(files, train.File{Name: f.Name(), ReaderAt: f, Size: f.Size()})
	}
	return table.PartsOf(ctx, m, files, recipe)
}

// writeFile writes a file whole or not at all: a reader never sees a part.
func writeFile(path string, data []byte) error {
	return writeTo(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// writeTo is writeFile for what write writes.
func writeTo(path string, write func(io.Writer) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(os.Stderr, "cloister:", err)
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
