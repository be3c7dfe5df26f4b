package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"cloister/builder/internal/phase"
	"cloister/builder/internal/prep"
)

type prepCommand struct {
	Data  []string `arg:"" help:"Labelled files, gzip allowed; - is standard input."`
	Split string   `default:"70/15/15" help:"Shares of training, validation and hold-out rows in percent."`
	Seed  uint64   `default:"1" help:"Seed of the splits."`
	Out   string   `type:"path" help:"Folder for profile.html, profile.json and a manifest a split." xor:"do"`
	Check string   `type:"existingfile" help:"A split manifest: make it again from the files, compare every row, write nothing." xor:"do"`
}

// Help returns the example for --help.
func (prepCommand) Help() string {
	return "Example:\n\n  cloister prep flows.csv.gz --split 70/15/15 --seed 1 --out build/prep\n\n" +
		"Splits: random, grouped (equal feature vectors stay together), temporal (of each class the last are held out), host-disjoint, leave-class-out, leave-dataset-out."
}

// Run profiles files and splits their rows in every way that they allow.
func (c *prepCommand) Run(ctx context.Context, s streams) error {
	if c.Out == "" && c.Check == "" {
		return &usageError{"prep: say where to write with --out, or what to compare with --check"}
	}
	shares, err := prep.ParseShares(c.Split)
	if err != nil {
		return &usageError{err.Error()}
	}
	bar := newBar(s, "reading")
	defer bar.done()
	files, done, err := openFiles(c.Data, s.in)
	if err != nil {
		return err
	}
	defer done()
	o := phase.Options{Seed: c.Seed, Shares: shares, Progress: bar.share}
	if c.Check != "" {
		data, err := phase.Read(ctx, files, o)
		if err != nil {
			return err
		}
		return c.check(data, s.out)
	}
	summary, err := phase.Prep(ctx, files, o, folder(c.Out))
	bar.done()
	if err == nil {
		_, err = fmt.Fprintf(s.out, "%s in %s\n", summary, c.Out)
	}
	return err
}

// check compares a manifest with the split that the data give.
func (c *prepCommand) check(data *prep.Data, out io.Writer) error {
	f, err := os.Open(c.Check)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := prep.Load(f)
	if err != nil {
		return err
	}
	if _, err := m.Rebuild(data); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "split %s, seed %d: the same rows in the same parts\n", m.Scheme, m.Seed)
	return err
}
