package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"cloister/builder/internal/packed"
	"cloister/shared/job"
	"cloister/shared/report"
	"cloister/shared/score"
	"cloister/shared/sign"
	"cloister/shared/telemetry"
)

type scoreCommand struct {
	Bundle   string   `required:"" type:"existingfile" help:"Bundle to score with."`
	Data     []string `arg:"" help:"Files to score: captures, CSV, JSON, logs, Parquet, agents' databases; plain, gzip or zstd; - is standard input."`
	Format   string   `enum:"ndjson,csv" default:"ndjson" help:"Output: ndjson or csv."`
	Key      []string `type:"existingfile" help:"Public keys to trust besides those that come with the program, PEM; may be repeated."`
	Trusted  bool     `help:"Refuse a bundle that no trusted key signed."`
	FlowText bool     `help:"Let a bundle of alert texts read flows: each becomes a sentence, which such a bundle was hardly trained on."`
	Profile  string   `type:"existingfile" help:"Profile that says what the columns of the files mean, as the page saves it."`
	Explain  int64    `default:"0" help:"Explain the first N rows of each file: base value and one SHAP value per feature, and of windows of telemetry their sums per metric. ndjson only."`
}

// Help returns the example for --help.
func (scoreCommand) Help() string {
	return "Example:\n\n  cloister score --bundle models/flows/1.bundle flows.csv --explain 10 > verdicts.ndjson"
}

// Run scores every file and writes one line per row, in order.
func (c *scoreCommand) Run(ctx context.Context, s streams) error {
	if c.Explain > 0 && c.Format == "csv" {
		return &usageError{"--explain needs --format ndjson: a CSV line has no place for attributions"}
	}
	file, err := readBundle(c.Bundle)
	if err != nil {
		return err
	}
	keys, err := trustedKeys(c.Key)
	if err != nil {
		return err
	}
	sc := score.New()
	sc.Parquet, sc.SQLite, sc.Zstd = packed.Parquet, packed.SQLite, packed.Zstd
	sc.Trust(keys...)
	info, err := sc.Load(file)
	if err != nil {
		return err
	}
	if c.Trusted && info.Trust != string(sign.Verified) {
		return fmt.Errorf("%s: %s: --trusted asks for a signature by a known key", c.Bundle, info.Trust)
	}
	how := job.Options{FlowText: c.FlowText}
	if c.Profile != "" {
		text, err := os.ReadFile(c.Profile)
		if err != nil {
			return err
		}
		how.Profile = string(text)
	}
	out := bufio.NewWriterSize(s.out, 1<<16)
	var w report.Writer
	if c.Format == "csv" {
		w = report.NewCSV(out)
	} else {
		w = report.NewNDJSON(out)
	}
	for _, name := range c.Data {
		if err := c.file(ctx, s, sc, how, info, w, name); err != nil {
			return fmt.Errorf("%s: %w", name, closingWriter(w, out, err))
		}
	}
	return closingWriter(w, out, nil)
}

// madeFrom returns the metrics that a feature of telemetry is made from, nil for
// one of all metrics or of another kind of data.
func madeFrom(feature string) []string {
	for _, f := range telemetry.Features(telemetry.DefaultConfig()) {
		if f.Name == feature && !slices.Contains(f.From, "*") {
			return f.From
		}
	}
	return nil
}

// closingWriter flushes what was written, so that partial results survive.
func closingWriter(w report.Writer, out *bufio.Writer, err error) error {
	for _, e := range []error{w.Flush(), out.Flush()} {
		if err == nil {
			err = e
		}
	}
	return err
}

// maxBundle is the default limit of package bundle, checked before reading.
const maxBundle = 64 << 20

// readBundle returns the bytes of a bundle file.
func readBundle(path string) ([]byte, error) {
	f, err := openInput(path, nil)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > maxBundle {
		return nil, fmt.Errorf("%s: %d bytes, a bundle has at most %d", path, f.Size(), maxBundle)
	}
	b := make([]byte, f.Size())
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, f.Size()), b); err != nil {
		return nil, err
	}
	return b, nil
}

// file scores one file.
func (c *scoreCommand) file(ctx context.Context, s streams, sc *score.Scorer, how job.Options, info job.Bundle, w report.Writer, name string) error {
	f, err := openInput(name, s.in)
	if err != nil {
		return err
	}
	defer f.Close()
	explained := int64(0)
	label := ""
	if len(c.Data) > 1 {
		label = f.Name()
	}
	bar := newBar(s, f.Name())
	var broken error
	sum, err := sc.Score(f, how, func(p job.Progress, b *job.Batch) bool {
		broken = report.Batch(w, info, b, func(l *report.Line) error {
			l.File = label
			if l.Error != "" || explained >= c.Explain {
				return nil
			}
			explained++
			rec, err := sc.Explain(l.Row)
			if err == nil {
				l.Explain(rec, info)
				l.ExplainMetrics(rec, info, madeFrom)
			}
			return err
		})
		bar.share(f.Name(), float64(p.Bytes)/float64(max(p.Total, 1)))
		return broken == nil && ctx.Err() == nil
	})
	bar.done()
	switch {
	case broken != nil:
		return broken
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case sum.Stopped != "":
		return fmt.Errorf("%d rows scored, then stopped: %s", sum.Scored, sum.Stopped)
	case sum.Scored == 0 && len(sum.Rejects) == 0:
		return fmt.Errorf("%s holds no flow", sum.Format)
	case sum.Scored == 0:
		return fmt.Errorf("none of the %d rows could be read; first: row %d: %s: %s", sum.Rows, sum.Rejects[0].Row, sum.Rejects[0].Reason, sum.Rejects[0].Detail)
	}
	if sum.Rejected > 0 {
		fmt.Fprintf(s.err, "cloister: %s: %d of %d rows could not be read\n", f.Name(), sum.Rejected, sum.Rows)
	}
	if len(sum.Imputed) > 0 {
		fmt.Fprintf(s.err, "cloister: %s: scored without %s: the file lacks the fields\n", f.Name(), strings.Join(sum.Imputed, ", "))
	}
	return nil
}
