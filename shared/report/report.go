// Package report writes verdicts for other programs to read: one line per row
// of the file, in order, as JSON or CSV. It hides how a batch of columns
// becomes lines, and that rows which could not be read stand among them.
//
//	w := report.NewNDJSON(out)
//	err := report.Batch(w, info, b, nil)
//	err = w.Flush()
//
// The command line, the page and the edge write the same lines.
package report

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"cloister/shared/job"
)

// Line is one row of a file: its verdict, or why it could not be read.
// Pointers are nil where there is nothing to say.
type Line struct {
	File        string   `json:"file,omitempty"`
	Row         int64    `json:"row"`
	Error       string   `json:"error,omitempty"` // "reason: detail" of a rejected row
	Class       string   `json:"class,omitempty"`
	Probability *float64 `json:"probability,omitempty"` // of the class, in [0,1]
	Severity    string   `json:"severity,omitempty"`
	Abstained   *bool    `json:"abstained,omitempty"`
	Anomaly     *float64 `json:"anomaly,omitempty"` // percentile against training, in [0,1]
	// AttackScore is 1 - P(benign), Flagged whether it reaches the bundle's
	// alert threshold.
	AttackScore *float64         `json:"attack_score,omitempty"`
	Flagged     *bool            `json:"flagged,omitempty"`
	Attack      *[]job.Technique `json:"attack,omitempty"`
	// Window is what a verdict on telemetry is about.
	Window *Window `json:"window,omitempty"`
	// Base and SHAP, by feature name, add up to the raw score of the class.
	Base *float64           `json:"base,omitempty"`
	SHAP map[string]float64 `json:"shap,omitempty"`
	// Metrics are the sums of SHAP by metric of a window, which add up to the
	// same; by [OtherMetrics] and [NoMetric] for what is no single one's.
	Metrics map[string]float64 `json:"shap_by_metric,omitempty"`
}

// Explain adds the attributions of rec.
func (l *Line) Explain(rec job.Record, info job.Bundle) {
	l.Base, l.SHAP = &rec.Base, map[string]float64{}
	for _, a := range rec.Attributions {
		l.SHAP[info.Features[a.Feature].Name] = a.SHAP
	}
}

// ExplainMetrics adds to the line of a window the attributions of rec by metric;
// from says what features are made from, as [ByMetric] wants it. Other lines
// stay as they are.
func (l *Line) ExplainMetrics(rec job.Record, info job.Bundle, from func(feature string) []string) {
	if l.Window == nil {
		return
	}
	names, phi := make([]string, len(rec.Attributions)), make([]float64, len(rec.Attributions))
	for i, a := range rec.Attributions {
		names[i], phi[i] = info.Features[a.Feature].Name, a.SHAP
	}
	l.Metrics = map[string]float64{}
	for _, m := range ByMetric(names, phi, rec.Fields, from).List {
		l.Metrics[m.Metric] = m.Phi
	}
}

// verdict is row i of b.
func verdict(info job.Bundle, b *job.Batch, i int) Line {
	class := info.Classes[b.Class[i]]
	attack := techniques(class, b, i)
	severity := class.Severity
	if b.Severity != nil {
		severity = job.Severities[b.Severity[i]]
	}
	flagged := b.Attack[i] >= info.Threshold
	l := Line{
		AttackScore: &b.Attack[i], Flagged: &flagged,
		Row: b.Row[i], Class: class.Name, Probability: &b.Probability[i], Severity: severity,
		Abstained: &b.Abstained[i], Attack: &attack,
	}
	if a := b.Anomaly[i]; a == a { // a bundle without anomaly model gives NaN, which JSON lacks
		l.Anomaly = &b.Anomaly[i]
	}
	if l.Window = windowOf(b, i); l.Window != nil && len(l.Window.techniques) > 0 {
		l.Attack = &l.Window.techniques // of the scenario; an anomaly alone is no evidence for any
	}
	return l
}

// techniques returns those of the class, then those that row i itself points
// at and the class does not name.
func techniques(class job.Class, b *job.Batch, i int) []job.Technique {
	out := append([]job.Technique{}, class.Attack...)
	if b.Hints == nil {
		return out
	}
	for _, t := range b.Hints[b.Hint[i]] {
		named := false
		for _, c := range class.Attack {
			named = named || c.ID == t.ID
		}
		if !named {
			out = append(out, t)
		}
	}
	return out
}

// Writer writes lines. What a Writer holds back, Flush writes.
type Writer interface {
	Write(Line) error
	Flush() error
}

// Batch writes the verdicts and the rejected rows of b in the order of the
// file. edit, if not nil, may change the line of a verdict before it is
// written; its error ends the batch.
func Batch(w Writer, info job.Bundle, b *job.Batch, edit func(*Line) error) error {
	k := 0
	rejects := func(before func(job.Reject) bool) error {
		for ; k < len(b.Rejected) && before(b.Rejected[k]); k++ {
			l := Line{Row: b.Rejected[k].Row, Error: b.Rejected[k].Reason + ": " + b.Rejected[k].Detail}
			if edit != nil {
				if err := edit(&l); err != nil {
					return err
				}
			}
			if err := w.Write(l); err != nil {
				return err
			}
		}
		return nil
	}
	for i, row := range b.Row {
		if err := rejects(func(r job.Reject) bool { return r.Row < row }); err != nil {
			return err
		}
		l := verdict(info, b, i)
		if edit != nil {
			if err := edit(&l); err != nil {
				return err
			}
		}
		if err := w.Write(l); err != nil {
			return err
		}
	}
	return rejects(func(job.Reject) bool { return true })
}

type ndjson struct{ e *json.Encoder }

// NewNDJSON returns a Writer of one JSON object per line.
func NewNDJSON(w io.Writer) Writer {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return ndjson{e}
}

func (w ndjson) Write(l Line) error { return w.e.Encode(l) }
func (w ndjson) Flush() error       { return nil }

type csvWriter struct {
	w     *csv.Writer
	begun bool
}

// NewCSV returns a Writer of CSV (RFC 4180, lines end with a line feed) that
// begins with a header; it has no place for attributions.
func NewCSV(w io.Writer) Writer { return &csvWriter{w: csv.NewWriter(w)} }

func (w *csvWriter) Write(l Line) error {
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
	if l.Attack != nil {
		for _, t := range *l.Attack {
			ids = append(ids, t.ID)
		}
		abstained, flagged = strconv.FormatBool(*l.Abstained), strconv.FormatBool(*l.Flagged)
	}
	return w.w.Write([]string{l.File, strconv.FormatInt(l.Row, 10), l.Class, number(l.Probability), l.Severity, abstained, number(l.Anomaly), number(l.AttackScore), flagged, strings.Join(ids, " "), l.Error})
}

func (w *csvWriter) Flush() error {
	w.w.Flush()
	return w.w.Error()
}
