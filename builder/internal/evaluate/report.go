package evaluate

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"cloister/builder/internal/document"
	"cloister/shared/chart"
)

// shownFeatures are drawn in the SHAP charts.
const shownFeatures = 12

// Document returns the report as one self-contained page.
func (r *Report) Document() *document.Document {
	b := r.Bundle
	d := document.New("Evaluation of "+b.Name+" "+b.Version, fmt.Sprintf("%s. SHA-256 %s, %s. %d labelled rows of %d files.", b.Model, b.SHA256, b.Trust, r.All.Rows, len(r.Files)))
	r.figures(d)
	r.perFile(d)
	r.matrix(d)
	r.curves(d)
	r.classCurves(d)
	r.calibration(d)
	r.anomaly(d)
	r.explanations(d)
	r.attack(d)
	r.leftOut(d)
	return d
}

func figure(v Number) string { return chart.Number(float64(v)) }

// interval returns "0.91 to 0.94", or nothing.
func interval(m Measure) string {
	if math.IsNaN(float64(m.Low)) {
		return ""
	}
	return figure(m.Low) + " to " + figure(m.High)
}

func (r *Report) figures(d *document.Document) {
	d.Section("figures", "Figures")
	d.List(r.Remarks)
	t := chart.Table{Caption: "What counts first", Head: []string{"measure", "value", "95 % interval", "rows"}}
	for _, m := range r.All.Measures {
		t.Rows = append(t.Rows, []string{m.Name, figure(m.Value), interval(m), strconv.Itoa(m.Rows)})
	}
	d.Table(t)
	if u := r.All.unknownText(); u != "" {
		d.Text("Labels that the bundle has no class for, with their rows: %s. They take part in telling attacks from the rest, not in macro-F1 and accuracy.", u)
	}
	base := chart.Table{Caption: "Baselines: what little knowledge gives on these rows (3-fold)", Head: []string{"baseline", "macro-F1", "feature", "rows"}}
	single := chart.Table{Caption: "Single features", Head: []string{"feature", "macro-F1 alone"}}
	for _, b := range r.Baselines {
		base.Rows = append(base.Rows, []string{b.Name, figure(b.MacroF1), b.Feature, strconv.Itoa(b.Rows)})
		for _, f := range b.Others {
			single.Rows = append(single.Rows, []string{f.Name, chart.Number(f.MacroF1)})
		}
	}
	d.Table(base)
	d.Fold(single)
}

func (r *Report) perFile(d *document.Document) {
	if len(r.Files) < 2 {
		return
	}
	d.Section("files", "Each file alone")
	t := chart.Table{Caption: "Figures by file", Head: []string{"measure"}}
	for _, f := range r.Files {
		t.Head = append(t.Head, f.Name)
	}
	for _, m := range r.All.Measures {
		row := []string{m.Name}
		for _, f := range r.Files {
			cell := ""
			for _, n := range f.Measures {
				if n.Name == m.Name {
					cell = figure(n.Value)
					if i := interval(n); i != "" {
						cell += " (" + i + ")"
					}
				}
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	row := []string{"rows"}
	for _, f := range r.Files {
		row = append(row, strconv.Itoa(f.Rows))
	}
	t.Rows = append(t.Rows, row)
	d.Table(t)
	for _, f := range r.Files {
		if u := f.unknownText(); u != "" {
			d.Text("%s has labels that the bundle has no class for: %s.", f.Name, u)
		}
	}
}

func (r *Report) matrix(d *document.Document) {
	d.Section("classes", "Classes")
	p := r.All
	bars := chart.Bars{Title: "F1 of each class", X: "F1", Max: 1, Notes: []string{}}
	t := chart.Table{Caption: "Classes", Head: []string{"class", "precision", "recall", "F1", "ROC-AUC", "average precision", "rows", "verdicts"}}
	for _, c := range p.Classes {
		t.Rows = append(t.Rows, []string{c.Name, figure(c.Precision), figure(c.Recall), figure(c.F1), figure(c.AUC), figure(c.AveragePrecision), strconv.Itoa(c.Support), strconv.Itoa(c.Predicted)})
		bars.Names, bars.Values = append(bars.Names, c.Name), append(bars.Values, float64(c.F1))
		bars.Notes = append(bars.Notes, fmt.Sprintf("of %d rows", c.Support))
	}
	d.Table(t)
	d.Chart(bars.Draw())
	d.Chart(chart.HeatMap{Title: "Confusion matrix", Row: "true class", Column: "verdict", Names: p.Names, Cells: p.Confusion}.Draw())
}

func (r *Report) curves(d *document.Document) {
	if len(r.All.Curve) == 0 {
		return
	}
	d.Section("curves", "ROC and precision-recall")
	d.Text("The score is the probability of an attack; positive rows are those with an attack label.")
	roc := chart.Lines{Title: "ROC", X: "false-positive rate", Y: "recall", Unit: true, Diagonal: true}
	low := chart.Lines{Title: "ROC up to 2 % false positives", X: "false-positive rate", Y: "recall"}
	pr := chart.Lines{Title: "Precision and recall", X: "recall", Y: "precision", Unit: true}
	add := func(p Part) {
		a, b := chart.Series{Name: p.Name, X: []float64{0}, Y: []float64{0}, Steps: true}, chart.Series{Name: p.Name}
		few := chart.Series{Name: p.Name, X: []float64{0}, Y: []float64{0}, Steps: true}
		for _, q := range p.Curve {
			a.X, a.Y = append(a.X, float64(q.FPR)), append(a.Y, float64(q.Recall))
			b.X, b.Y = append(b.X, float64(q.Recall)), append(b.Y, float64(q.Precision))
			if q.FPR <= 0.02 {
				few.X, few.Y = append(few.X, float64(q.FPR)), append(few.Y, float64(q.Recall))
			}
		}
		roc.Series, low.Series, pr.Series = append(roc.Series, a), append(low.Series, few), append(pr.Series, b)
	}
	add(r.All)
	for i, f := range r.Files {
		if len(r.Files) > 1 && i < 2 {
			add(f)
		}
	}
	d.Chart(roc.Draw())
	d.Chart(low.Draw())
	d.Chart(pr.Draw())
}

// linesAChart bounds the lines of one chart: more cannot be told apart in grey.
const linesAChart = 3

// classCurves draws each class against the rest, a few a chart.
func (r *Report) classCurves(d *document.Document) {
	var with []Class
	for _, c := range r.All.Classes {
		if c.Curve != nil {
			with = append(with, c)
		}
	}
	if len(with) == 0 {
		return
	}
	d.Section("class-curves", "Each class against the rest")
	d.Text("The score is the probability of the class. ROC curves flatter a rare class: there precision says more.")
	for lo := 0; lo < len(with); lo += linesAChart {
		some := with[lo:min(lo+linesAChart, len(with))]
		roc := chart.Lines{Title: "ROC, " + some[0].Name + " and following", X: "false-positive rate", Y: "recall", Unit: true, Diagonal: true}
		pr := chart.Lines{Title: "Precision and recall, " + some[0].Name + " and following", X: "recall", Y: "precision", Unit: true}
		for _, c := range some {
			a, b := chart.Series{Name: c.Name, X: []float64{0}, Y: []float64{0}, Steps: true}, chart.Series{Name: c.Name}
			for _, q := range c.Curve {
				a.X, a.Y = append(a.X, float64(q.FPR)), append(a.Y, float64(q.Recall))
				b.X, b.Y = append(b.X, float64(q.Recall)), append(b.Y, float64(q.Precision))
			}
			roc.Series, pr.Series = append(roc.Series, a), append(pr.Series, b)
		}
		d.Chart(roc.Draw())
		d.Chart(pr.Draw())
	}
}

func (r *Report) calibration(d *document.Document) {
	p := r.All
	d.Section("calibration", "Calibration and abstention")
	d.Text("Rows are sorted by the probability of their verdict. On the dotted line it would be the share that is right.")
	rel := chart.Series{Name: "verdicts", Dots: true}
	bins := chart.Table{Caption: "Reliability", Head: []string{"probability", "rows", "mean probability", "share right"}}
	hist := chart.Histogram{Title: "Rows by probability of their verdict", X: "probability", Y: "rows", Log: true, Series: []chart.Counts{{Name: "rows"}}}
	for i, b := range p.Reliability {
		if b.Rows > 0 {
			rel.X, rel.Y = append(rel.X, float64(b.Confidence)), append(rel.Y, float64(b.Accuracy))
		}
		bins.Rows = append(bins.Rows, []string{chart.Number(b.Low) + " to " + chart.Number(b.High), strconv.Itoa(b.Rows), figure(b.Confidence), figure(b.Accuracy)})
		if i == 0 {
			hist.Edges = append(hist.Edges, b.Low)
		}
		hist.Edges = append(hist.Edges, b.High)
		hist.Series[0].Counts = append(hist.Series[0].Counts, float64(b.Rows))
	}
	d.Chart(chart.Lines{Title: "Reliability diagram", X: "mean probability", Y: "share right", Unit: true, Diagonal: true, Series: []chart.Series{rel}}.Draw())
	d.Fold(bins)
	d.Chart(hist.Draw())
	kept := chart.Series{Name: "error of the verdicts kept", Dots: true}
	for _, k := range p.Coverage {
		kept.X, kept.Y = append(kept.X, k.Share), append(kept.Y, float64(k.Error))
	}
	d.Chart(chart.Lines{Title: "Coverage against error", X: "share of rows that keep their verdict", Y: "share wrong", Series: []chart.Series{kept}}.Draw())
}

func (r *Report) anomaly(d *document.Document) {
	p := r.All
	if len(p.Anomaly) == 0 {
		return
	}
	d.Section("anomaly", "Anomaly model")
	d.Text("The percentile is the share of benign training rows that are at most as strange. Heights are shares of the benign rows and of the attacks.")
	h := chart.Histogram{Title: "Anomaly percentile", X: "percentile", Y: "share of rows", Share: true, Edges: []float64{0},
		Series: []chart.Counts{{Name: "benign"}, {Name: "attack"}}}
	for _, b := range p.Anomaly {
		h.Edges = append(h.Edges, b.High)
		h.Series[0].Counts, h.Series[1].Counts = append(h.Series[0].Counts, float64(b.Benign)), append(h.Series[1].Counts, float64(b.Attack))
	}
	d.Chart(h.Draw())
	t := chart.Table{Caption: "What a threshold would flag", Head: []string{"percentile", "rows flagged", "false positives", "attack recall", "precision"}}
	for _, f := range p.Thresholds {
		t.Rows = append(t.Rows, []string{chart.Number(f.Threshold), strconv.Itoa(f.Flagged), figure(f.FPR), figure(f.Recall), figure(f.Precision)})
	}
	d.Table(t)
}

func (r *Report) explanations(d *document.Document) {
	e := r.Explained
	if e == nil {
		return
	}
	d.Section("explanations", "Explanations")
	d.Text("SHAP values of %d rows, evenly spread, each for the class of its verdict. Base and attributions add up to the score to %s (allowed: %s). They say what the model looked at, not what causes an attack.",
		e.Rows, chart.Number(e.Additivity), chart.Number(e.Tolerance))
	bars, swarm := e.charts(shownFeatures)
	d.Chart(bars)
	d.Chart(swarm)
	for _, c := range e.Tokens {
		b := chart.Bars{Title: fmt.Sprintf("Words that spoke most for %s, %d rows", c.Class, c.Rows), X: "sum, " + e.Unit, Notes: []string{}}
		for _, t := range c.Tokens {
			b.Names, b.Values, b.Notes = append(b.Names, t.Token), append(b.Values, t.Sum), append(b.Notes, fmt.Sprintf("in %d", t.Rows))
		}
		d.Chart(b.Draw())
	}
}

func (r *Report) attack(d *document.Document) {
	a := r.Attack
	d.Section("attack", "ATT&CK coverage")
	d.Text("ATT&CK %s; the bundle's table is of %s. What the classes of the bundle are evidence for; a gap is said in words.", a.Version, r.Bundle.AttackVersion)
	bars := chart.Bars{Title: "Techniques reached, by tactic", X: "techniques", Notes: []string{}}
	t := chart.Table{Caption: "Tactics", Head: []string{"tactic", "id", "techniques of the bundle", "of", "rows with such a verdict", "gap"}}
	for _, c := range a.Tactics {
		gap := ""
		if c.Gap {
			gap = "GAP: no class"
		}
		bars.Names, bars.Values = append(bars.Names, c.Name), append(bars.Values, float64(len(c.Techniques)))
		bars.Notes = append(bars.Notes, strings.TrimSpace(fmt.Sprintf("of %d %s", c.Total, gap)))
		t.Rows = append(t.Rows, []string{c.Name, c.ID, strings.Join(c.Techniques, ", "), strconv.Itoa(c.Total), strconv.Itoa(c.Verdicts), gap})
	}
	d.Chart(bars.Draw())
	d.Table(t)
	use := chart.Table{Caption: "Techniques", Head: []string{"technique", "name", "tactic", "confidence", "basis", "classes", "verdicts", "right", "gap"}}
	for _, u := range a.Techniques {
		use.Rows = append(use.Rows, []string{u.ID, u.Name, u.Tactic, u.Confidence, u.Basis, strings.Join(u.Classes, ", "), strconv.Itoa(u.Verdicts), strconv.Itoa(u.Right), u.Gap})
	}
	d.Table(use)
	if len(a.Unseen) > 0 {
		d.Text("Part of these attacks, but not to be seen in this kind of input: %s.", strings.Join(a.Unseen, ", "))
	}
	if r.Lookup != nil {
		r.Lookup.write(d)
	}
}

// Document returns the figures of the lookup alone as a page.
func (l *Lookup) Document() *document.Document {
	d := document.New("ATT&CK techniques from text", "ATT&CK "+l.Version+".")
	d.Section("lookup", "Figures")
	l.write(d)
	return d
}

// write writes the figures of the lookup.
func (l *Lookup) write(d *document.Document) {
	d.Heading("Techniques from text")
	d.Text("The table of words against the techniques that the authors of %d texts gave them. It was developed on %d other texts of the same file, chosen by seed %d.", l.Judged, l.Developed, l.Seed)
	t := chart.Table{Caption: "Lookup from text", Head: []string{"confidence from", "texts without a hint", "technique precision", "recall", "parent precision", "recall", "tactic precision", "recall"}}
	for _, v := range l.Levels {
		t.Rows = append(t.Rows, []string{v.Confidence, strconv.Itoa(v.Silent), figure(v.Technique.Precision), figure(v.Technique.Recall),
			figure(v.Parent.Precision), figure(v.Parent.Recall), figure(v.Tactic.Precision), figure(v.Tactic.Recall)})
	}
	d.Table(t)
	by := chart.Table{Caption: "Tactics from text, medium confidence and above", Head: []string{"tactic", "tagged", "precision", "recall", "gap"}}
	for _, v := range l.Tactics {
		gap := ""
		if v.Hits.Both == 0 {
			gap = "GAP: never found"
		}
		by.Rows = append(by.Rows, []string{v.Name, strconv.Itoa(v.Hits.Both + v.Hits.Tagged), figure(v.Hits.Precision), figure(v.Hits.Recall), gap})
	}
	d.Table(by)
}

func (r *Report) leftOut(d *document.Document) {
	if len(r.LeftOut) == 0 {
		return
	}
	d.Section("left-out", "Attacks that were never shown")
	d.Text("For each class a candidate of the recipe was trained without it, and its rows scored. Flagged: the attack score reaches the new threshold. Strange: past 99 %% of benign training rows.")
	bars := chart.Bars{Title: "Share of an unknown attack that is flagged", X: "share", Max: 1, Notes: []string{}}
	t := chart.Table{Caption: "Classes left out", Head: []string{"class", "rows", "flagged", "no verdict", "strange", "mostly taken for", "share"}}
	for _, l := range r.LeftOut {
		bars.Names, bars.Values, bars.Notes = append(bars.Names, l.Class), append(bars.Values, float64(l.Flagged)), append(bars.Notes, fmt.Sprintf("of %d", l.Rows))
		t.Rows = append(t.Rows, []string{l.Class, strconv.Itoa(l.Rows), figure(l.Flagged), figure(l.Abstained), figure(l.Anomalous), l.Named, figure(l.Share)})
	}
	d.Chart(bars.Draw())
	d.Table(t)
}
