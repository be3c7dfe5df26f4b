package site

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/attack"
	"cloister/shared/job"
	"cloister/shared/report"

	"github.com/vugu/vugu"
)

// MetricCard puts the attributions of the open window down to metrics, and
// says what the scenarios are that the window fits.
type MetricCard struct {
	App *App

	verdict bool // of the verdict, though there are some of the anomaly score
	fig     *figure
	of      *job.Record // that fig shows
	as      bool
}

func (c *MetricCard) r() *job.Record { return c.App.drawer.record }

// onVerdict reports whether the verdict's attributions are shown.
func (c *MetricCard) onVerdict() bool { return c.verdict || c.r().Strange == nil }

// Compute draws the chart when the record has changed.
func (c *MetricCard) Compute() {
	if c.r() == nil || c.of == c.r() && c.as == c.onVerdict() {
		return
	}
	c.of, c.as = c.r(), c.onVerdict()
	c.fig = c.figure()
}

func (c *MetricCard) choose(e vugu.DOMEvent) {
	c.verdict = e.PropString("target", "value") == "verdict"
}

func (c *MetricCard) verdictText() string {
	if k := c.r().Class; k >= 0 && k < len(c.App.store.classes) {
		return sayf("the verdict {0}", c.App.store.classes[k].Name)
	}
	return say("the verdict")
}

// sums are the attributions on show, by metric.
func (c *MetricCard) sums() report.MetricSums {
	r := c.r()
	names := make([]string, len(c.App.bundle.Features))
	for j := range names {
		names[j] = c.App.bundle.Features[j].Name
	}
	phi := make([]float64, len(names))
	if c.onVerdict() {
		for _, p := range r.Attributions {
			if p.Feature >= 0 && p.Feature < len(phi) {
				phi[p.Feature] = p.SHAP
			}
		}
	} else {
		copy(phi, r.Strange.SHAP)
	}
	return report.ByMetric(names, phi, r.Fields, c.App.book.from(c.App.bundle))
}

// metricBars is how many metrics the chart draws.
const metricBars = 10

func (c *MetricCard) figure() *figure {
	m, r := c.sums(), c.r()
	base, margin, unit, of := r.Base, r.Margin, r.Unit, c.verdictText()
	if !c.onVerdict() {
		base, margin, unit, of = r.Strange.Base, r.Strange.Margin, r.Strange.Unit, say("the anomaly score")
	}
	const w, left, pitch = 460.0, 150.0, 24.0
	f := &figure{name: "row" + strconv.FormatInt(r.Row, 10) + ".metrics", title: sayf("Metrics behind {0}", of), w: w,
		head: []string{say("Metric"), "φ", say("Level"), say("Change"), say("Volatility"), say("Its own features")}}
	own := slices.ContainsFunc(m.List, func(x report.MetricSum) bool { return x.Kinds[3] != 0 })
	if !own {
		f.head = f.head[:5]
	}
	cells := func(name string, phi float64, kinds [4]float64) {
		row := []string{name, signed(phi, 5)}
		for _, v := range kinds {
			row = append(row, signed(v, 5))
		}
		f.rows = append(f.rows, row[:len(f.head)])
	}
	shown := m.List[:min(len(m.List), metricBars)]
	lo, hi, rest := 0.0, 0.0, 0.0
	for _, x := range shown {
		lo, hi = min(lo, x.Phi), max(hi, x.Phi)
	}
	for _, x := range m.List[len(shown):] {
		rest += x.Phi
	}
	lo, hi = min(lo, rest), max(hi, rest)
	if !(hi > lo) {
		hi = lo + 1
	}
	bars := shown
	if len(shown) < len(m.List) {
		bars = append(shown[:len(shown):len(shown)], report.MetricSum{Metric: sayf("{0} more", count(int64(len(m.List)-len(shown)))), Phi: rest})
	}
	bottom := float64(len(bars))*pitch + 6
	f.h = bottom + 20
	at := f.axis(lo, hi, left, w-66, 0, bottom, func(v float64) string { return tickText(v, hi-lo) })
	f.add(stroke("fig-axis", at(0), 0, at(0), bottom))
	for i, x := range bars {
		y, class := float64(i)*pitch+6, "fig-pos"
		if x.Phi < 0 {
			class = "fig-neg"
		}
		f.add(label("", left-8, y+12, "end", short(x.Metric, 21)), rectangle(class, min(at(x.Phi), at(0)), y, math.Abs(at(x.Phi)-at(0)), 16, x.Metric+": "+signed(x.Phi, 5)),
			label("fig-muted", w, y+12, "end", phiText(x.Phi)))
	}
	var kinds [4]float64
	for _, x := range m.List {
		cells(x.Metric, x.Phi, x.Kinds)
		for k, v := range x.Kinds {
			kinds[k] += v
		}
	}
	cells(say("Sum over metrics"), m.Metrics, kinds)
	f.rows = append(f.rows, []string{say("Sum over features"), signed(m.Features, 5), noValue, noValue, noValue, noValue}[:len(f.head)])
	f.desc = sayf("{0}; base {1} and {2} give {3}, in {4}.", plural(int64(len(m.List)), "metric", "metrics"), decimal(base, 4), signed(m.Metrics, 4), decimal(margin, 4), unit)
	f.notes = []string{
		sayf("Sum over metrics {0} = sum over {1} features {2}, difference {3}. Base {4} + sum = {5}, in {6}.", signed(m.Metrics, 4), count(int64(m.N)), signed(m.Features, 4), scientific(math.Abs(m.Metrics-m.Features)), decimal(base, 4), decimal(margin, 4), unit),
		say("Features look at all metrics at once. What each did is put down to metrics by their part in this window's distance from the past: level, change and volatility each by its own parts. Features over the last 6 or 24 windows are put down by the parts of this one, which is an approximation."),
	}
	return f
}

// scenarios are those that the window fits, "" for none.
func (c *MetricCard) scenarios() string { return c.field(fieldScenario) }

func (c *MetricCard) techniques() []string { return strings.Fields(c.field(fieldTechniques)) }

func (c *MetricCard) field(name string) string {
	return c.App.store.columnOf(name).word(c.App.drawer.at)
}

func (c *MetricCard) simulated() bool { return c.field(fieldSimulated) != "" }

func (c *MetricCard) t(id string) attack.Technique {
	t, _ := attack.Resolve(id)
	return t
}

func (c *MetricCard) tactics(id string) string {
	var out []string
	for _, tactic := range c.t(id).Tactics {
		out = append(out, tacticText(tactic))
	}
	return orNone(strings.Join(out, ", "))
}

// analytics are how the technique is detected, by ATT&CK.
func (c *MetricCard) analytics(id string) string {
	var out []string
	for _, d := range attack.Detections(id) {
		var names []string
		for _, component := range d.Components {
			names = append(names, attack.ComponentName(component))
		}
		out = append(out, strings.Join(names, ", "))
	}
	return strings.Join(out, "; ")
}
