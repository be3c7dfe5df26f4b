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
	"cloister/shared/feature"
)

type featuresCommand struct {
	Data   []string `arg:"" help:"Labelled files, gzip allowed; - is standard input."`
	Recipe string   `required:"" help:"Whose features: flows, flows-cic, severity or seed-parity."`
	Seed   uint64   `default:"1" help:"Seed of the split."`
	Split  string   `default:"70/15/15" help:"Shares of training, validation and hold-out rows in percent."`
	Out    string   `required:"" type:"path" help:"Folder to write matrix.csv (of texts: texts.csv and the terms), features.json and ledger.txt to."`
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
	in, err := train.FitInput(table, recipe, parts, prep.Train)
	if err != nil {
		return err
	}
	if recipe.Texts() {
		err = writeTexts(filepath.Join(c.Out, "texts.csv"), table, parts)
	} else {
		err = writeMatrix(filepath.Join(c.Out, "matrix.csv"), table, parts)
	}
	if err != nil {
		return err
	}
	if p := in.Pipeline(); p != nil {
		steps, err := p.AppendJSON(nil)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(c.Out, "features.json"), steps); err != nil {
			return err
		}
	}
	for _, t := range in.Texts() {
		var b strings.Builder
		for j, term := range t.TFIDF.Vocabulary() {
			fmt.Fprintf(&b, "%q\t%s\n", term, strconv.FormatFloat(t.TFIDF.IDF()[j], 'g', -1, 64))
		}
		if err := writeFile(filepath.Join(c.Out, t.Name+".terms.tsv"), []byte(b.String())); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(c.Out, "ledger.txt"), []byte(ledger(recipe, in))); err != nil {
		return err
	}
	d := in.Len()
	_, err = fmt.Fprintf(s.out, "%d rows, %d features, %d classes in %s\n", len(table.Class), d, len(table.Classes), c.Out)
	return err
}

// ledger lists what is kept and what is dropped, with the reason.
func ledger(recipe train.Recipe, in *feature.Input) string {
	var b strings.Builder
	if p := in.Pipeline(); p != nil {
		for _, f := range p.Steps() {
			fmt.Fprintf(&b, "kept     %s: %s\n", f.Name, f.Help)
		}
	}
	for _, t := range in.Texts() {
		fmt.Fprintf(&b, "kept     %s: %d terms of %s\n", t.Name, t.TFIDF.Len(), strings.Join(t.From, " and "))
	}
	for _, f := range recipe.Dropped {
		fmt.Fprintf(&b, "dropped  %s: %s\n", f.Field, f.Why)
	}
	return b.String()
}

// writeTexts writes one line per labelled row: the texts that the model reads,
// its category, its label and its part of the split.
func writeTexts(path string, t *train.Table, parts []prep.Part) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = closing(f, err) }()
	b := bufio.NewWriterSize(f, 1<<16)
	w := csv.NewWriter(b)
	var names []string
	for i, field := range t.Frame.Schema.Fields {
		if t.Frame.Texts[i] != nil {
			names = append(names, field.Name)
		}
	}
	if err := w.Write(append(slices.Clone(names), "label", "split")); err != nil {
		return err
	}
	for row, class := range t.Class {
		var cells []string
		for _, name := range names {
			cells = append(cells, feature.Joined(t.Frame, []string{name}, row))
		}
		if err := w.Write(append(cells, t.Classes[class], parts[row].String())); err != nil {
			return err
		}
	}
	if w.Flush(); w.Error() != nil {
		return w.Error()
	}
	return b.Flush()
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
