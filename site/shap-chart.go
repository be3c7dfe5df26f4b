package site

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"cloister/shared/job"
)

// ShapChart draws the attributions of the open record.
type ShapChart struct {
	App *App
	w   *waterfall
	of  *job.Record // that w was laid out for
	at  float64     // in this width
}

// Compute lays the drawing out when the record or the width has changed.
func (c *ShapChart) Compute() {
	width := min(max(c.App.recordWidth, 280), 640)
	if c.App.recordWidth == 0 { // not measured yet
		width = 460
	}
	if c.of != c.r() || c.at != width {
		c.w, c.of, c.at = newWaterfall(c.r(), c.App.bundle.Features, width), c.r(), width
	}
}

func (c *ShapChart) r() *job.Record { return c.App.drawer.record }

func (c *ShapChart) title() string {
	if k := c.r().Class; k >= 0 && k < len(c.App.store.classes) {
		return sayf("Why {0}", c.App.store.classes[k].Name)
	}
	return say("Why")
}

func (c *ShapChart) caption() string {
	return sayf("Row {0}: {1}", count(c.r().Row), c.title())
}

func (c *ShapChart) pressed() string { return strconv.FormatBool(c.App.drawer.asTable) }

func (c *ShapChart) baseY() float64 {
	if c.w.odds != nil {
		return c.w.bottom + 50
	}
	return c.w.bottom + 32
}

// sign adds the class of a direction.
func (c *ShapChart) sign(class string, phi float64) string {
	if phi < 0 {
		return class + " neg"
	}
	return class + " pos"
}

func (c *ShapChart) name(b bar) string {
	name, _ := c.w.label(b)
	return name
}

func (c *ShapChart) value(b bar) string {
	_, value := c.w.label(b)
	return value
}

// parts returns all attributions, largest first.
func (c *ShapChart) parts() []job.Attribution {
	p := slices.Clone(c.r().Attributions)
	arrange(p, func(a, b job.Attribution) int { return cmp.Compare(math.Abs(b.SHAP), math.Abs(a.SHAP)) })
	return p
}

func (c *ShapChart) help(p job.Attribution) string {
	if p.Feature < 0 || p.Feature >= len(c.App.bundle.Features) {
		return ""
	}
	f := c.App.bundle.Features[p.Feature]
	if f.Unit != "" {
		return f.Help + " (" + f.Unit + ")"
	}
	return f.Help
}

func (c *ShapChart) legend() string {
	s := sayf("Read from the base value at the bottom up to f(x). ▶ + raises the {0} of the class, ◀ − lowers it. Attributions say what the model used, not what caused the traffic; features that move together share their credit.", c.r().Unit)
	if c.r().Unit == "log-odds" {
		s += " " + say("The second axis reads the log-odds as a probability.")
	}
	return s
}

func (c *ShapChart) base() string {
	s := decimal(c.r().Base, 4) + " " + c.r().Unit
	if c.r().Background != "" {
		s += ", " + sayf("the mean over {0}", c.r().Background)
	}
	return s
}

func (c *ShapChart) margin() string { return decimal(c.r().Margin, 4) + " " + c.r().Unit }

func (c *ShapChart) adds() string {
	text, _ := additive(c.r())
	return text
}

func (c *ShapChart) addsClass() string {
	if _, ok := additive(c.r()); !ok {
		return "bad"
	}
	return ""
}

// download saves the drawing, always in its wide form.
func (c *ShapChart) download() {
	w := newWaterfall(c.r(), c.App.bundle.Features, 640)
	name := baseName(c.App.run.name) + ".row" + strconv.FormatInt(c.r().Row, 10) + ".svg"
	c.App.host.Download(name, "image/svg+xml", [][]byte{w.svg(c.caption())})
	c.App.notice = sayf("Saved {0}.", name)
}
