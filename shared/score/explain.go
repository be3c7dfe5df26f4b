package score

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/explain"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/job"
)

// shapTolerance is the largest |base + sum(SHAP) - margin| of an explanation:
// rounding over some thousand terms of at most 1 in float64, with room.
const shapTolerance = 1e-9

// maxAbsent is how many absent terms a record lists.
const maxAbsent = 20

// explain explains the single row of f.
func (l *loaded) explain(row int64, f *frame.Frame, info job.Bundle) (job.Record, error) {
	k := len(info.Classes)
	p, class, margin := make([]float64, k), make([]int, 1), make([]float64, 1)
	l.predict(&matrices{}, p, class, margin, f, nil)
	x, phi, c := l.input.Rows(nil, f, 0, 1), make([]float64, l.input.Len()), class[0]
	rec := job.Record{
		Row: row, Class: c, Unit: "probability", Tolerance: shapTolerance,
		Background: fmt.Sprintf("the %d training rows, as the trees saw them (path-dependent TreeSHAP)", l.m.Lineage.Split.Train),
	}
	if l.m.Lineage.Split.Train == 0 { // imported: nobody here has seen them
		rec.Background = "the leaf weights in the imported model (path-dependent TreeSHAP)"
	}
	switch {
	case l.odds():
		rec.Unit = "log-odds"
	case l.decision.Curve != nil:
		rec.Unit = "share of votes" // which the curve then turns into a probability
	}
	var err error
	if rec.Base, rec.Margin, err = l.attribute(phi, x, c); err != nil {
		return job.Record{}, err
	}
	sum := rec.Base
	for j, v := range l.gathered(phi) {
		sum += v
		a := job.Attribution{Feature: j, SHAP: v, Percentile: job.Number(math.NaN())}
		if j < l.input.Numbers() {
			steps := l.input.Pipeline()
			a.Value, a.Percentile = steps.Format(j, x[j]), job.Number(steps.Percentile(j, x[j]))
			if l.benign >= 0 {
				a.Typical = steps.Format(j, l.typical[l.benign*l.input.Numbers()+j])
			}
		} else {
			t, err := l.text(j, phi, f)
			if err != nil {
				return job.Record{}, err
			}
			a.Value = fmt.Sprintf("%d pieces", len(t.Tokens))
			rec.Texts = append(rec.Texts, t)
		}
		rec.Attributions = append(rec.Attributions, a)
	}
	rec.Additivity = math.Abs(sum - rec.Margin)
	slices.SortStableFunc(rec.Attributions, func(a, b job.Attribution) int { return cmp.Compare(math.Abs(b.SHAP), math.Abs(a.SHAP)) })
	// the verdict first: of two that calibration made equal it stays there
	rec.Classes = append(rec.Classes, job.Share{Class: c, Probability: p[c]})
	for i, v := range p {
		if i != c {
			rec.Classes = append(rec.Classes, job.Share{Class: i, Probability: v})
		}
	}
	slices.SortStableFunc(rec.Classes, func(a, b job.Share) int { return cmp.Compare(b.Probability, a.Probability) })
	if rec.Strange, err = l.strangeness(f); err != nil {
		return job.Record{}, err
	}
	rec.Fields = fields(f)
	rec.Sentence = l.sentence(rec, info, l.strange.Share(margin[0]))
	return rec, nil
}

// fields returns the raw values of the single row of f.
func fields(f *frame.Frame) (out []job.Field) {
	for i, field := range f.Schema.Fields {
		switch {
		case f.Numbers[i] != nil && !math.IsNaN(f.Numbers[i][0]):
			out = append(out, job.Field{Name: field.Name, Unit: field.Unit, Value: strconv.FormatFloat(f.Numbers[i][0], 'f', -1, 64)})
		case f.Texts[i] != nil && f.Texts[i][0] != "":
			out = append(out, job.Field{Name: field.Name, Value: f.Texts[i][0]})
		}
	}
	return out
}

// text says what the pieces of the text behind feature j did.
func (l *loaded) text(j int, phi []float64, f *frame.Frame) (job.Text, error) {
	i := j - l.input.Numbers()
	lo, hi := l.input.Columns(i)
	terms := l.input.Texts()[i].TFIDF
	out := job.Text{Feature: j, Text: l.input.Document(i, f, 0), Tokens: []job.Token{}, Absent: []job.Absent{}}
	found, err := terms.Spans(nil, out.Text)
	if err != nil {
		return out, err
	}
	tokens, absent, err := explain.Tokens(phi[lo:hi], out.Text, spans(found), explain.TokenOptions{Chars: terms.Options().Chars})
	if err != nil {
		return out, err
	}
	for _, t := range tokens {
		out.Tokens = append(out.Tokens, job.Token{Start: int(t.Start), End: int(t.End), SHAP: t.Value})
	}
	slices.SortStableFunc(absent, func(a, b explain.Absent) int { return cmp.Compare(math.Abs(b.Value), math.Abs(a.Value)) })
	for n, a := range absent {
		if n >= maxAbsent {
			out.Rest += a.Value
			continue
		}
		out.Absent = append(out.Absent, job.Absent{Term: terms.Vocabulary()[a.Column], SHAP: a.Value})
	}
	return out, nil
}

// spans hands the occurrences over to package explain.
func spans(found []feature.Span) []explain.Span {
	out := make([]explain.Span, len(found))
	for i, s := range found {
		out[i] = explain.Span(s)
	}
	return out
}

// sentence says the verdict in words, with what speaks for it and how sure it
// is.
func (l *loaded) sentence(rec job.Record, info job.Bundle, anomaly float64) string {
	class := info.Classes[rec.Class]
	share := rec.Classes[0].Probability
	measure := "of the forest's votes"
	if l.decision.Curve != nil || l.odds() {
		measure = "probability"
	}
	var b strings.Builder
	if share < class.Abstain {
		fmt.Fprintf(&b, "No verdict for row %d: the best guess, %s, has only %.1f %% %s (needed: %.1f %%).", rec.Row, class.Name, share*100, measure, class.Abstain*100)
	} else {
		fmt.Fprintf(&b, "Row %d looks like %s: %.0f %% %s.", rec.Row, class.Name, share*100, measure)
	}
	if p := float64(class.Precision); !math.IsNaN(p) {
		fmt.Fprintf(&b, " On held-out rows %.1f %% of such verdicts were right.", p*100)
	}
	var why []string
	for _, a := range rec.Attributions {
		if a.SHAP > 0 && len(why) < 3 && a.Feature < l.input.Numbers() {
			why = append(why, fmt.Sprintf("%s = %s (%+.2f)", info.Features[a.Feature].Name, a.Value, a.SHAP))
		}
	}
	if words := strongest(rec.Texts); len(words) > 0 {
		why = append(words, why...)
	}
	if len(why) > 0 {
		fmt.Fprintf(&b, " Strongest reasons: %s.", strings.Join(why, ", "))
	}
	if !math.IsNaN(anomaly) {
		fmt.Fprintf(&b, " It is stranger than %.1f %% of benign training rows.", anomaly*100)
	}
	return b.String()
}

// strongest returns up to three pieces of texts that speak most for a verdict.
func strongest(texts []job.Text) (out []string) {
	type piece struct {
		text string
		shap float64
	}
	var all []piece
	for _, t := range texts {
		for _, k := range t.Tokens {
			if k.SHAP > 0 && k.End > k.Start {
				all = append(all, piece{t.Text[k.Start:k.End], k.SHAP})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b piece) int { return cmp.Compare(b.shap, a.shap) })
	for _, p := range all[:min(3, len(all))] {
		out = append(out, fmt.Sprintf("%.64q (%+.2f)", p.text, p.shap))
	}
	return out
}
