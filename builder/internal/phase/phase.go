// Package phase does the work behind the commands prep, features, tune and
// evaluate: labelled files in, named files out. It hides which files each
// writes and what is in them; commands put them into a folder, jobs of the
// registry into one ZIP archive, and both are the same bytes, but for the
// seconds in the table of a search.
//
//	summary, err := phase.Prep(ctx, files, phase.Options{Seed: 1}, out)
//
// Training writes one bundle and is packages train and publish.
package phase

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"cloister/builder/internal/evaluate"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
)

// File is a labelled file.
type File struct {
	Name string // for reports: no folder
	io.ReaderAt
	Size int64
}

// Out takes the files that a phase makes.
type Out interface {
	// Write takes the file that write writes, whole or, after an error of
	// write, not at all. Calls come one after the other.
	Write(name string, write func(w io.Writer) error) error
}

// Options are the settings that all phases have.
type Options struct {
	Seed    uint64 // 0 means 1
	Shares  prep.Shares
	Workers int // threads; no influence on the result
	// Progress is called with what is being done and the share that is done;
	// nil to ignore.
	Progress func(stage string, done float64)
}

func (o *Options) defaults() {
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Shares == (prep.Shares{}) {
		o.Shares = prep.Shares{0.70, 0.15, 0.15}
	}
	if o.Progress == nil {
		o.Progress = func(string, float64) {}
	}
}

// whole writes a file that is in memory.
func whole(out Out, name string, data []byte) error {
	return out.Write(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Read reads labelled files for profiles and splits.
func Read(ctx context.Context, files []File, o Options) (*prep.Data, error) {
	o.defaults()
	var in []prep.File
	for _, f := range files {
		in = append(in, prep.File(f))
	}
	return prep.Read(ctx, in, prep.ReadOptions{Progress: o.Progress})
}

// table reads labelled files for a recipe.
func table(files []File, r train.Recipe) (*train.Table, error) {
	var in []train.File
	for _, f := range files {
		in = append(in, train.File(f))
	}
	return train.Read(in, r)
}

// Prep writes profile.json and profile.html, and a manifest of every split
// that the rows allow, and returns a line that sums it up.
func Prep(ctx context.Context, files []File, o Options, out Out) (string, error) {
	o.defaults()
	data, err := Read(ctx, files, o)
	if err != nil {
		return "", err
	}
	p, err := data.Profile(ctx, o.Progress)
	if err != nil {
		return "", err
	}
	names, impossible := data.Schemes()
	var manifests []*prep.Manifest
	for i, scheme := range names {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		o.Progress("splitting "+scheme, float64(i)/float64(len(names)))
		split, err := data.Split(scheme, o.Shares, o.Seed)
		if err != nil {
			return "", err
		}
		manifests = append(manifests, data.Manifest(split))
	}
	text, err := p.JSON()
	if err != nil {
		return "", err
	}
	if err := whole(out, "profile.json", text); err != nil {
		return "", err
	}
	if err := out.Write("profile.html", to(p.Document(manifests, impossible))); err != nil {
		return "", err
	}
	for _, m := range manifests {
		if err := out.Write("split-"+fileName(m.Scheme)+".json", to(m)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d rows, %d classes, %d repeated, %d in conflict, %d splits",
		p.Rows, len(p.Classes), p.Repeats.Repeated, p.Repeats.Conflicting, len(manifests)), nil
}

// to adapts what writes itself to Out.
func to(v io.WriterTo) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := v.WriteTo(w)
		return err
	}
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

// Evaluate judges a bundle on files. What it returns is for [Report].
func Evaluate(ctx context.Context, bundle []byte, files []File, o evaluate.Options) (*evaluate.Report, error) {
	var in []evaluate.File
	for _, f := range files {
		in = append(in, evaluate.File{Label: f.Name, ReaderAt: f, Bytes: f.Size})
	}
	return evaluate.Run(ctx, bundle, in, o)
}

// Report writes v as JSON and page as HTML under the names, "" for not at all.
func Report(v any, page io.WriterTo, jsonName, htmlName string, out Out) error {
	if jsonName != "" {
		text, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			return err
		}
		if err := whole(out, jsonName, append(text, '\n')); err != nil {
			return err
		}
	}
	if htmlName == "" {
		return nil
	}
	var b bytes.Buffer // whole or not at all, before any byte is given away
	if _, err := page.WriteTo(&b); err != nil {
		return err
	}
	return whole(out, htmlName, b.Bytes())
}
