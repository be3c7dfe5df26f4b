package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
)

type featuresCommand struct {
	Data   []string `arg:"" help:"Labelled files, gzip allowed; - is standard input."`
	Recipe string   `required:"" help:"Whose features: flows."`
	Seed   uint64   `default:"1" help:"Seed of the split."`
	Split  string   `default:"70/15/15" help:"Shares of training, validation and hold-out rows in percent."`
	Out    string   `required:"" type:"path" help:"Folder to write matrix.csv, features.json and ledger.txt to."`
}

// Help returns the example for --help.
func (featuresCommand) Help() string {
	return "Example:\n\n  cloister features flows.csv --recipe flows --out build/features"
}

// Run writes the matrix that training would see, with label and part of the
// split, the fitted steps, and the ledger of kept and dropped fields.
func (c *featuresCommand) Run(s streams) error {
	recipe, err := recipeOf(c.Recipe)
	if err != nil {
		return err
	}
	shares, err := prep.ParseShares(c.Split)
	if err != nil {
		return &usageError{err.Error()}
	}
	table, err := readTable(c.Data, recipe, s.in)
	if err != nil {
		return err
	}
	parts := prep.Stratified(table.Class, len(table.Classes), shares, c.Seed)
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	if err := writeMatrix(filepath.Join(c.Out, "matrix.csv"), table, parts); err != nil {
		return err
	}
	var x []float64
	d := table.Pipeline.Len()
	for i, p := range parts {
		if p == prep.Train {
			x = append(x, table.X[i*d:(i+1)*d]...)
		}
	}
	steps, err := table.Pipeline.Fit(x).AppendJSON(nil)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.Out, "features.json"), steps); err != nil {
		return err
	}
	var ledger strings.Builder
	for _, f := range table.Pipeline.Steps() {
		fmt.Fprintf(&ledger, "kept     %s: %s\n", f.Name, f.Help)
	}
	for _, f := range recipe.Dropped {
		fmt.Fprintf(&ledger, "dropped  %s: %s\n", f.Field, f.Why)
	}
	if err := writeFile(filepath.Join(c.Out, "ledger.txt"), []byte(ledger.String())); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%d rows, %d features, %d classes in %s\n", len(table.Class), d, len(table.Classes), c.Out)
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

// writeMatrix writes one line per labelled row: its features, an empty cell for
// a missing one, its label and its part of the split.
func writeMatrix(path string, t *train.Table, parts []prep.Part) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = closing(f, err) }()
	b := bufio.NewWriterSize(f, 1<<16)
	w := csv.NewWriter(b)
	var cells []string
	for _, s := range t.Pipeline.Steps() {
		cells = append(cells, s.Name)
	}
	if err := w.Write(append(cells, "label", "split")); err != nil {
		return err
	}
	d := t.Pipeline.Len()
	for i, class := range t.Class {
		cells = cells[:0]
		for _, v := range t.X[i*d : (i+1)*d] {
			cell := ""
			if v == v { // not missing
				cell = strconv.FormatFloat(v, 'g', -1, 64)
			}
			cells = append(cells, cell)
		}
		if err := w.Write(append(cells, t.Classes[class], parts[i].String())); err != nil {
			return err
		}
	}
	if w.Flush(); w.Error() != nil {
		return w.Error()
	}
	return b.Flush()
}
