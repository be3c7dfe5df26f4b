package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cloister/shared/job"
	"cloister/shared/score"
)

type scoreCommand struct {
	Bundle  string   `required:"" type:"existingfile" help:"Bundle to score with."`
	Data    []string `arg:"" help:"Files to score, gzip allowed; - is standard input."`
	Format  string   `enum:"ndjson,csv" default:"ndjson" help:"Output: ndjson or csv."`
	Explain int64    `default:"0" help:"Explain the first N rows of each file: base value and one SHAP value per feature. ndjson only."`
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
	sc := score.New()
	info, err := sc.Load(file)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(s.out, 1<<16)
	var w verdictWriter
	if c.Format == "csv" {
		w = newCSVVerdicts(out)
	} else {
		w = newJSONVerdicts(out)
	}
	for _, name := range c.Data {
		if err := c.file(ctx, s, sc, info, w, name); err != nil {
			return fmt.Errorf("%s: %w", name, closingWriter(w, out, err))
		}
	}
	return closingWriter(w, out, nil)
}

// closingWriter flushes what was written, so that partial results survive.
func closingWriter(w verdictWriter, out *bufio.Writer, err error) error {
	for _, e := range []error{w.flush(), out.Flush()} {
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
func (c *scoreCommand) file(ctx context.Context, s streams, sc *score.Scorer, info job.Bundle, w verdictWriter, name string) error {
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
	sum, err := sc.Score(f, job.Options{}, func(p job.Progress, b *job.Batch) bool {
		broken = eachRow(b, func(i int, rej *job.Reject) error {
			if rej != nil {
				return w.write(verdictLine{File: label, Row: rej.Row, Error: rej.Reason + ": " + rej.Detail})
			}
			line := newVerdict(b, i, info)
			line.File = label
			if explained < c.Explain {
				explained++
				rec, err := sc.Explain(b.Row[i])
				if err != nil {
					return err
				}
				line.explain(rec, info)
			}
			return w.write(line)
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

// eachRow calls do for verdicts and rejects in the order of the file.
func eachRow(b *job.Batch, do func(i int, rej *job.Reject) error) error {
	k := 0
	for i := 0; i <= len(b.Row); i++ {
		for k < len(b.Rejected) && (i == len(b.Row) || b.Rejected[k].Row < b.Row[i]) {
			if err := do(0, &b.Rejected[k]); err != nil {
				return err
			}
			k++
		}
		if i < len(b.Row) {
			if err := do(i, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// verdictLine is one line of output.
type verdictLine struct {
	File        string   `json:"file,omitempty"`
	Row         int64    `json:"row"`
	Error       string   `json:"error,omitempty"`
	Class       string   `json:"class,omitempty"`
	Probability *float64 `json:"probability,omitempty"`
	Severity    string   `json:"severity,omitempty"`
	Abstained   *bool    `json:"abstained,omitempty"`
	Anomaly     *float64 `json:"anomaly,omitempty"`
	// AttackScore is 1 - P(benign), Flagged whether it reaches the bundle's
	// alert threshold.
	AttackScore *float64           `json:"attack_score,omitempty"`
	Flagged     *bool              `json:"flagged,omitempty"`
	Attack      *[]job.Technique   `json:"attack,omitempty"`
	Base        *float64           `json:"base,omitempty"`
	SHAP        map[string]float64 `json:"shap,omitempty"`
}

func newVerdict(b *job.Batch, i int, info job.Bundle) verdictLine {
	class := info.Classes[b.Class[i]]
	attack := class.Attack
	if attack == nil {
		attack = []job.Technique{}
	}
	flagged := b.Attack[i] >= info.Threshold
	return verdictLine{
		AttackScore: &b.Attack[i], Flagged: &flagged,
		Row: b.Row[i], Class: class.Name, Probability: &b.Probability[i], Severity: class.Severity,
		Abstained: &b.Abstained[i], Anomaly: &b.Anomaly[i], Attack: &attack,
	}
}

func (v *verdictLine) explain(rec job.Record, info job.Bundle) {
	v.Base, v.SHAP = &rec.Base, map[string]float64{}
	for _, a := range rec.Attributions {
		v.SHAP[info.Features[a.Feature].Name] = a.SHAP
	}
}

type verdictWriter interface {
	write(verdictLine) error
	flush() error
}

type jsonVerdicts struct{ e *json.Encoder }

func newJSONVerdicts(w io.Writer) jsonVerdicts {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return jsonVerdicts{e}
}

func (w jsonVerdicts) write(v verdictLine) error { return w.e.Encode(v) }
func (w jsonVerdicts) flush() error              { return nil }

type csvVerdicts struct {
	w     *csv.Writer
	begun bool
}

func newCSVVerdicts(w io.Writer) *csvVerdicts { return &csvVerdicts{w: csv.NewWriter(w)} }

func (w *csvVerdicts) write(v verdictLine) error {
	if !w.begun {
		w.begun = true
		if err := w.w.Write([]string{"file", "row", "class", "probability", "severity", "abstained", "anomaly", "attack_score", "flagged", "attack", "error"}); err != nil {
			return err
		}
	}
	number := func(p *float64) string {
		if p == nil {
			return ""
		}
		return strconv.FormatFloat(*p, 'g', -1, 64)
	}
	var ids []string
	abstained, flagged := "", ""
	if v.Attack != nil {
		for _, t := range *v.Attack {
			ids = append(ids, t.ID)
		}
		abstained, flagged = strconv.FormatBool(*v.Abstained), strconv.FormatBool(*v.Flagged)
	}
	return w.w.Write([]string{v.File, strconv.FormatInt(v.Row, 10), v.Class, number(v.Probability), v.Severity, abstained, number(v.Anomaly), number(v.AttackScore), flagged, strings.Join(ids, " "), v.Error})
}

func (w *csvVerdicts) flush() error {
	w.w.Flush()
	return w.w.Error()
}
