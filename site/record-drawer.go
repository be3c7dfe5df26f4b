package site

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cloister/shared/job"
	"cloister/site/internal/session"

	"github.com/vugu/vugu"
)

// RecordDrawer is the open record: verdict, why, what it maps to, evidence.
type RecordDrawer struct {
	App *App
}

// Rendered measures the drawer when it has just come into the document.
func (c *RecordDrawer) Rendered(ctx vugu.RenderedCtx) {
	if ctx.First() {
		go c.App.update(c.App.measure)
	}
}

func (c *RecordDrawer) d() *drawerState { return &c.App.drawer }

func (c *RecordDrawer) r() *job.Record { return c.App.drawer.record }

func (c *RecordDrawer) k() job.Class { return c.App.recordClass() }

func (c *RecordDrawer) flagged() bool {
	return c.App.store.flags(int(c.d().at), c.App.threshold)
}

func (c *RecordDrawer) held() bool { return c.App.store.abstained[c.d().at] }

func (c *RecordDrawer) outside() bool { return c.App.store.outside[c.d().at] }

func (c *RecordDrawer) level() int { return c.App.store.level(int(c.d().at)) }

func (c *RecordDrawer) sev() string      { return said(job.Severities[c.level()]) }
func (c *RecordDrawer) sevMark() string  { return marksOfSeverity[c.level()] }
func (c *RecordDrawer) sevClass() string { return "sev" + strconv.Itoa(c.level()) }

func (c *RecordDrawer) copyText() string {
	if c.App.copied == "sentence" {
		return say("Copied the verdict")
	}
	return say("Copy the verdict")
}

func (c *RecordDrawer) m() mark { return c.App.store.marks[c.d().at] }

func (c *RecordDrawer) marks() []string { return session.Marks }

func (c *RecordDrawer) marked(m string) string { return strconv.FormatBool(c.m().mark == m) }

// mark marks the record, or takes the mark back.
func (c *RecordDrawer) mark(m string) {
	now := c.m()
	if now.mark == m {
		m = ""
	}
	c.App.setMark(c.d().at, mark{m, now.note})
}

func (c *RecordDrawer) compared() string {
	return strconv.FormatBool(slices.Contains(c.App.shap.compared, c.d().at))
}

func (c *RecordDrawer) note(e vugu.DOMEvent) {
	text := strings.ToValidUTF8(e.PropString("target", "value"), "\uFFFD")
	for len(text) > session.MaxNote { // 1,500 characters may be more bytes
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	c.App.setMark(c.d().at, mark{c.m().mark, text})
}

// copyable is the verdict as a ticket wants it: where from, what, why, by
// which bundle.
func (c *RecordDrawer) copyable() string {
	a := c.App
	s := sayf("{0} File: {1}, row {2}. Attack score {3}, threshold {4}. Bundle {5} {6}, SHA-256 {7}.", c.sentence(), a.store.fileName(c.d().at, a.run.name), count(c.d().row), decimal(a.store.attack[c.d().at], 3), decimal(a.threshold, 3), a.bundle.Name, a.bundle.Version, a.bundle.SHA256)
	if m := c.m(); m.mark != "" || m.note != "" {
		s += " " + sayf("Analyst: {0}.", strings.TrimSpace(m.mark+" "+m.note))
	}
	return s
}

func (c *RecordDrawer) heldText() string {
	return sayf("The class above is the most probable one, but a verdict of it needs {0}, so it is withheld.", percent(c.App.recordClass().Abstain))
}

func (c *RecordDrawer) anomaly() string {
	v := c.App.store.anomaly[c.d().at]
	if v != v {
		return noValue
	}
	return percent(v)
}

// sentence is the verdict in words; until the explanation is there, a plain
// one.
func (c *RecordDrawer) sentence() string {
	if r := c.r(); r != nil && r.Sentence != "" {
		return r.Sentence
	}
	return sayf("Stranger than {0} of the training rows.", c.anomaly())
}

func (c *RecordDrawer) shares() []classShare {
	return shares(c.r(), c.App.store.classes)
}

func (c *RecordDrawer) shareName(s classShare) string {
	if s.verdict {
		return "▸ " + s.name
	}
	return s.name
}

func (c *RecordDrawer) fieldText(f job.Field) string {
	switch {
	case f.Value == "":
		return noValue
	case roleOf(f.Name) == roleTime:
		if v, err := strconv.ParseFloat(f.Value, 64); err == nil && v > 1e8 {
			return sayf("{0} {1} ({2} {3})", moment(v), clockName(), f.Value, f.Unit)
		}
	case f.Unit == "":
		return f.Value
	}
	return f.Value + " " + f.Unit
}

func (c *RecordDrawer) strange() *job.Strangeness {
	if c.r() == nil {
		return nil
	}
	return c.r().Strange
}

func (c *RecordDrawer) strangeHead() []string { return []string{say("Feature"), say("Value"), "φ"} }

// strangeRows are the features that did most for the anomaly score.
func (c *RecordDrawer) strangeRows() [][]string {
	s := c.strange()
	values := map[int]string{}
	for _, p := range c.r().Attributions {
		values[p.Feature] = p.Value
	}
	var out [][]string
	for _, j := range permutation(len(s.SHAP), func(i, j int) int { return cmp.Compare(math.Abs(s.SHAP[j]), math.Abs(s.SHAP[i])) }) {
		if len(out) < 8 {
			out = append(out, []string{featureName(c.App.bundle.Features, j), values[j], phiText(s.SHAP[j])})
		}
	}
	return out
}

func (c *RecordDrawer) strangeBasis() string {
	s := c.strange()
	return sayf("Base {0}, this record {1}, in {2}: + makes it stranger. |base + Σφ − f(x)| = {3}. The eight largest of {4} features.", decimal(s.Base, 3), decimal(s.Margin, 3), s.Unit, scientific(s.Additivity), strconv.Itoa(len(s.SHAP)))
}

// rank is the percentile of a field against training, if a feature is the
// field as it stands.
func (c *RecordDrawer) rank(f job.Field) string {
	for _, p := range c.r().Attributions {
		if featureName(c.App.bundle.Features, p.Feature) == f.Name && float64(p.Percentile) == float64(p.Percentile) {
			return "P " + percent(float64(p.Percentile))
		}
	}
	return ""
}

// key moves through the rows without leaving the record.
func (c *RecordDrawer) key(e vugu.DOMEvent) {
	if modified(e) {
		return
	}
	if tag := e.PropString("target", "tagName"); tag == "TEXTAREA" || tag == "INPUT" {
		return
	}
	switch e.PropString("key") {
	case "x":
		c.App.nextMark()
	case "u":
		c.App.undo()
	case "c":
		c.App.compare(c.d().at)
	case "j":
		c.App.move(c.App.table.cursor + 1)
	case "k":
		c.App.move(c.App.table.cursor - 1)
	}
}
