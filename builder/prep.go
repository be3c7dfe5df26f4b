package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
	data, err := readData(ctx, c.Data, s, bar.share)
	if err != nil {
		return err
	}
	if c.Check != "" {
		return c.check(data, s.out)
	}
	profile, err := data.Profile(ctx, bar.share)
	if err != nil {
		return err
	}
	names, impossible := data.Schemes()
	var manifests []*prep.Manifest
	for i, scheme := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		bar.share("splitting "+scheme, float64(i)/float64(len(names)))
		split, err := data.Split(scheme, shares, c.Seed)
		if err != nil {
			return err
		}
		manifests = append(manifests, data.Manifest(split))
	}
	bar.done()
	return c.write(profile, manifests, impossible, s.out)
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

func (c *prepCommand) write(p *prep.Profile, manifests []*prep.Manifest, impossible map[string]string, out io.Writer) error {
	text, err := p.JSON()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if _, err := p.Document(manifests, impossible).WriteTo(&page); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.Out, "profile.json"), text); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.Out, "profile.html"), page.Bytes()); err != nil {
		return err
	}
	for _, m := range manifests {
		var b bytes.Buffer
		if _, err := m.WriteTo(&b); err != nil {
			return err
		}
		if err := writeFile(filepath.Join(c.Out, "split-"+fileName(m.Scheme)+".json"), b.Bytes()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%d rows, %d classes, %d repeated, %d in conflict, %d splits in %s\n",
		p.Rows, len(p.Classes), p.Repeats.Repeated, p.Repeats.Conflicting, len(manifests), c.Out)
	return err
}

// fileName makes a file name of a text from data: everything but letters,
// digits, dots and dashes becomes a dash.
func fileName(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '.', r == '_':
			return r
		}
		return '-'
	}, s), ".-")
}

// readData reads files for profiles and splits.
func readData(ctx context.Context, names []string, s streams, progress func(string, float64)) (*prep.Data, error) {
	var files []prep.File
	for _, name := range names {
		f, err := openInput(name, s.in)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		files = append(files, prep.File{Name: f.Name(), ReaderAt: f, Size: f.Size()})
	}
	return prep.Read(ctx, files, prep.ReadOptions{Progress: progress})
}
