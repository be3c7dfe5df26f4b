package site

import (
	"math"
	"strings"

	"cloister/shared/job"

	"github.com/vugu/vugu"
)

// BundleCard says what the loaded bundle is and how well it did.
type BundleCard struct {
	App *App

	of *job.Bundle // another bundle than the one in use
}

func (c *BundleCard) b() *job.Bundle {
	if c.of != nil {
		return c.of
	}
	return &c.App.bundle
}

func (c *BundleCard) loaded() bool { return c.App.loaded() }

func (c *BundleCard) waiting() string {
	if c.App.phase == broken {
		return say("None could be loaded.")
	}
	return say("Loading…")
}

func (c *BundleCard) name() string {
	if c.b().Title != "" {
		return c.b().Title
	}
	return c.b().Name
}

// headline is the figure that a class-imbalanced task is judged by: macro-F1
// on the hold-out, else the first one. Other names that hold the word are
// baselines and other models.
func (c *BundleCard) headline() *job.Metric {
	for i := range c.b().Metrics {
		if m := &c.b().Metrics[i]; m.Name == "macro-F1" && m.Split != "validation" {
			return m
		}
	}
	if len(c.b().Metrics) > 0 {
		return &c.b().Metrics[0]
	}
	return nil
}

// beside are the same figure's other values on the hold-out: baselines, easier
// and harder rows, what leaks.
func (c *BundleCard) beside() []*job.Metric {
	h := c.headline()
	if h == nil {
		return nil
	}
	var out []*job.Metric
	for i := range c.b().Metrics {
		if m := &c.b().Metrics[i]; m != h && m.Split == h.Split && strings.HasPrefix(m.Name, h.Name) {
			out = append(out, m)
		}
	}
	return out
}

func (c *BundleCard) value(m *job.Metric) string { return decimal(float64(m.Value), 3) }

func (c *BundleCard) bounds(m *job.Metric) string {
	if math.IsNaN(float64(m.Low)) || math.IsNaN(float64(m.High)) {
		return noValue
	}
	return sayf("{0} to {1}", decimal(float64(m.Low), 3), decimal(float64(m.High), 3))
}

func (c *BundleCard) interval(m *job.Metric) string {
	on := sayf("on {0} {1} rows", count(int64(m.Rows)), m.Split)
	if b := c.bounds(m); b != noValue {
		return sayf("95 % interval {0}, {1}", b, on)
	}
	return on
}

func (c *BundleCard) trustClass() string {
	if c.b().Trust == "verified" {
		return "tag tag-good"
	}
	return "tag"
}

func (c *BundleCard) trust() string {
	switch c.b().Trust {
	case "verified":
		return sayf("signed by {0}, key {1}", c.b().Key, shortDigest(c.b().KeyFingerprint))
	case "unknown key":
		return sayf("carries a signature by a key that this page does not know and so could not check: {0}", c.b().KeyFingerprint)
	case "unsigned":
		return say("nobody signed it; compare the SHA-256 with its source")
	}
	return c.b().Trust
}

func (c *BundleCard) digest() string { return shortDigest(c.b().SHA256) }

func shortDigest(s string) string {
	if len(s) <= 16 {
		return s
	}
	return s[:16] + "…"
}

func (c *BundleCard) vectors() string {
	if c.b().Vectors == 0 {
		return say("the bundle has no test vectors")
	}
	return sayf("{0} gave the expected answer here", plural(int64(c.b().Vectors), "test vector", "test vectors"))
}

func (c *BundleCard) thresholds() string {
	s := sayf("attack score {0}", decimal(c.b().Threshold, 3))
	least, most := 1.0, 0.0
	for _, class := range c.b().Classes {
		least, most = min(least, class.Abstain), max(most, class.Abstain)
	}
	switch {
	case most <= 0:
	case least == most:
		s += "; " + sayf("verdicts under {0} are withheld", percent(most))
	default:
		s += "; " + sayf("verdicts under {0} to {1}, by class, are withheld", percent(least), percent(most))
	}
	return s
}

// chosenBundle replaces the bundle by the chosen file.
func (a *App) chosenBundle(e vugu.DOMEvent) {
	if files := a.host.Files(e); len(files) > 0 {
		a.openBundle(files[0])
	}
}

// copy puts text on the clipboard; what names the button that says so.
func (a *App) copy(what, text string) {
	a.host.Copy(text)
	a.copied, a.notice = what, say("Copied.")
}

func (a *App) copyText(what string) string {
	if a.copied == what {
		return say("Copied")
	}
	return say("Copy")
}
