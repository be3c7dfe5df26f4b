package phase

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/shared/feature"
)

// Features writes what training with a recipe would see: matrix.csv with label
// and part of the split, of texts texts.csv and the terms; the fitted steps; the
// ledger of kept and dropped fields. With contexts > 0 it also writes
// context.md: what counts of the flows before each would add, over so many
// splits of each kind. It returns a line that sums it up.
func Features(ctx context.Context, recipe train.Recipe, files []File, contexts int, o Options, out Out) (string, error) {
	o.defaults()
	t, err := table(files, recipe)
	if err != nil {
		return "", err
	}
	parts := prep.Stratified(t.Class, len(t.Classes), o.Shares, o.Seed)
	in, err := train.FitInput(t, recipe, parts, prep.Train)
	if err != nil {
		return "", err
	}
	if recipe.Texts() {
		err = out.Write("texts.csv", func(w io.Writer) error { return writeTexts(w, t, parts) })
	} else {
		err = out.Write("matrix.csv", func(w io.Writer) error { return writeMatrix(w, t, parts) })
	}
	if err != nil {
		return "", err
	}
	if p := in.Pipeline(); p != nil {
		steps, err := p.AppendJSON(nil)
		if err != nil {
			return "", err
		}
		if err := whole(out, "features.json", steps); err != nil {
			return "", err
		}
	}
	for _, t := range in.Texts() {
		var b strings.Builder
		for j, term := range t.TFIDF.Vocabulary() {
			fmt.Fprintf(&b, "%q\t%s\n", term, strconv.FormatFloat(t.TFIDF.IDF()[j], 'g', -1, 64))
		}
		if err := whole(out, t.Name+".terms.tsv", []byte(b.String())); err != nil {
			return "", err
		}
	}
	if err := whole(out, "ledger.txt", []byte(ledger(recipe, in))); err != nil {
		return "", err
	}
	summary := fmt.Sprintf("%d rows, %d features, %d classes", len(t.Class), in.Len(), len(t.Classes))
	if contexts <= 0 {
		return summary, nil
	}
	data, err := Read(ctx, files, o)
	if err != nil {
		return "", err
	}
	list, err := train.Before(ctx, data, recipe, contexts, train.Options{Seed: o.Seed, Shares: o.Shares, Workers: o.Workers, Progress: o.Progress})
	if err != nil {
		return "", err
	}
	return summary, whole(out, "context.md", contextTable(list))
}

// contextTable says what context does, as Markdown.
func contextTable(list []train.Ablation) []byte {
	var b strings.Builder
	b.WriteString("| splits | macro-F1 without | with | difference, 95 % | accuracy without | with | difference, 95 % |\n|---|---|---|---|---|---|---|\n")
	for _, a := range list {
		fmt.Fprintf(&b, "| %d %s |", len(a.Without.MacroF1), a.Scheme)
		for _, v := range [][2][]float64{{a.Without.MacroF1, a.With.MacroF1}, {a.Without.Accuracy, a.With.Accuracy}} {
			without, _ := train.Mean(v[0])
			with, _ := train.Mean(v[1])
			less, half := train.Mean(train.Less(v[1], v[0]))
			fmt.Fprintf(&b, " %.3f | %.3f | %+.3f ± %.3f |", without, with, less, half)
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
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
func writeTexts(to io.Writer, t *train.Table, parts []prep.Part) error {
	b := bufio.NewWriterSize(to, 1<<16)
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
	return flushed(w, b)
}

// writeMatrix writes one line per labelled row: its features, an empty cell for
// a missing one, its label and its part of the split.
func writeMatrix(to io.Writer, t *train.Table, parts []prep.Part) error {
	b := bufio.NewWriterSize(to, 1<<16)
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
	return flushed(w, b)
}

func flushed(w *csv.Writer, b *bufio.Writer) error {
	if w.Flush(); w.Error() != nil {
		return w.Error()
	}
	return b.Flush()
}
