package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"cloister/builder/internal/evaluate"
	"cloister/builder/internal/phase"
	"cloister/builder/internal/prep"
)

type evaluateCommand struct {
	Bundle  string   `type:"existingfile" help:"Bundle to judge."`
	Data    []string `arg:"" optional:"" help:"Labelled files, gzip allowed; - is standard input. Each gets figures of its own."`
	HTML    string   `name:"html" type:"path" help:"Report to write, one self-contained page."`
	JSON    string   `name:"json" type:"path" help:"The same as JSON."`
	Split   string   `type:"existingfile" help:"Manifest of cloister prep: judge its hold-out rows only."`
	Recipe  string   `help:"Train this recipe once more without each class, to see what becomes of attacks never shown."`
	Lookup  string   `type:"existingfile" help:"CSV of texts with the ATT&CK techniques their authors gave (Title, Payload_Description, Techniques): measure the lookup table too, or, without a bundle, alone."`
	Seed    uint64   `default:"1" help:"Seed of resamples and folds."`
	Explain int      `default:"300" help:"Rows to explain for the SHAP summary; 0 for none."`
	Workers int      `help:"Threads, default one a core. The result does not depend on it."`
}

// Help returns the example for --help.
func (evaluateCommand) Help() string {
	return "Example:\n\n  cloister evaluate --bundle models/flows/1.bundle lab.csv --html report.html --json report.json"
}

// Run judges a bundle and writes the report.
func (c *evaluateCommand) Run(ctx context.Context, s streams) error {
	o := evaluate.Options{Seed: c.Seed, Explain: c.Explain, Workers: c.Workers}
	if c.Explain == 0 {
		o.Explain = -1
	}
	if c.Lookup != "" {
		f, err := os.Open(c.Lookup)
		if err != nil {
			return err
		}
		defer f.Close()
		if o.Texts, err = evaluate.ReadTexts(f); err != nil {
			return fmt.Errorf("%s: %w", c.Lookup, err)
		}
	}
	switch {
	case c.Bundle == "" && c.Lookup != "" && len(c.Data) == 0:
		return c.lookup(o.Texts, s.out)
	case c.Bundle == "" || len(c.Data) == 0:
		return &usageError{"evaluate: give a bundle with --bundle and labelled files, or texts with --lookup"}
	}
	if c.Recipe != "" {
		recipe, err := recipeOf(c.Recipe)
		if err != nil {
			return err
		}
		o.Recipe = &recipe
	}
	if c.Split != "" {
		f, err := os.Open(c.Split)
		if err != nil {
			return err
		}
		defer f.Close()
		if o.Rows, err = prep.Load(f); err != nil {
			return fmt.Errorf("%s: %w", c.Split, err)
		}
	}
	file, err := os.ReadFile(c.Bundle)
	if err != nil {
		return err
	}
	files, done, err := openFiles(c.Data, s.in)
	if err != nil {
		return err
	}
	defer done()
	bar := newBar(s, "evaluating")
	o.Progress = bar.share
	report, err := phase.Evaluate(ctx, file, files, o)
	bar.done()
	if err != nil {
		return err
	}
	if err := phase.Report(report, report.Document(), c.JSON, c.HTML, folder("")); err != nil {
		return err
	}
	return printFigures(s.out, report)
}

// lookup measures the table of words alone.
func (c *evaluateCommand) lookup(texts []evaluate.Text, out io.Writer) error {
	l := evaluate.Tagged(texts)
	if l == nil {
		return errors.New("no text of the half that is judged has a known technique")
	}
	if err := phase.Report(l, l.Document(), c.JSON, c.HTML, folder("")); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%d texts judged, %d others developed on (seed %d), ATT&CK %s\n", l.Judged, l.Developed, l.Seed, l.Version)
	for _, v := range l.Levels {
		if err == nil {
			_, err = fmt.Fprintf(out, "%-6s and above: technique precision %.3f recall %.3f, parent %.3f %.3f, tactic %.3f %.3f, silent on %d\n", v.Confidence,
				float64(v.Technique.Precision), float64(v.Technique.Recall), float64(v.Parent.Precision), float64(v.Parent.Recall),
				float64(v.Tactic.Precision), float64(v.Tactic.Recall), v.Silent)
		}
	}
	return err
}

// printFigures prints the figures for people.
func printFigures(w io.Writer, r *evaluate.Report) error {
	for _, m := range r.All.Measures {
		line := fmt.Sprintf("%-45s %8.4f", m.Name, float64(m.Value))
		if m.Low == m.Low { // an interval was made
			line += fmt.Sprintf("  (95 %%: %.4f to %.4f)", float64(m.Low), float64(m.High))
		}
		if _, err := fmt.Fprintf(w, "%s  %d rows\n", line, m.Rows); err != nil {
			return err
		}
	}
	for _, b := range r.Baselines {
		if _, err := fmt.Fprintf(w, "%-45s %8.4f  %s\n", "macro-F1 of "+b.Name, float64(b.MacroF1), b.Feature); err != nil {
			return err
		}
	}
	for _, note := range r.Remarks {
		if _, err := fmt.Fprintln(w, note); err != nil {
			return err
		}
	}
	return nil
}
