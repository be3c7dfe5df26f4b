package site

import (
	"math"
	"strconv"
	"strings"

	"cloister/site/internal/query"

	"github.com/vugu/vugu"
)

// TimeCard is the time line with its brush.
type TimeCard struct {
	App *App

	fig   *figure
	table bool
	held  bool
	start float64 // where the brush was put down
}

// Compute draws the time line.
func (c *TimeCard) Compute() { c.fig = c.App.timeline.figure(c.App.view.filter.time) }

func (c *TimeCard) about() string { return c.fig.desc }

func (c *TimeCard) pressed() string { return strconv.FormatBool(c.table) }

// chosen is the stretch that is chosen, or the whole.
func (c *TimeCard) chosen() stretch {
	if f := c.App.view.filter.time; f.on {
		return f
	}
	return stretch{false, c.App.timeline.lo, c.App.timeline.hi}
}

func (c *TimeCard) from() string { return field(c.chosen().lo) }
func (c *TimeCard) to() string   { return field(c.chosen().hi) }

// field is a moment as an input holds it.
func field(v float64) string {
	if m := moment(v); m != noValue {
		return strings.Replace(m, " ", "T", 1)
	}
	return ""
}

func (c *TimeCard) typed(e vugu.DOMEvent, first bool) {
	at, unit := unclocked(query.ParseMoment(e.PropString("target", "value"))), c.App.timeline.perMilli()
	if math.IsNaN(at) {
		return
	}
	if was := c.chosen(); first {
		c.App.brushTime(at/unit, was.hi)
	} else {
		c.App.brushTime(was.lo, (at+999)/unit) // the whole second
	}
}

func (c *TimeCard) all() { c.App.brushTime(math.NaN(), math.NaN()) }

// box is where the brush lies.
func (c *TimeCard) box() string {
	t := &c.App.timeline
	f := c.App.view.filter.time
	if !f.on || !(t.hi > t.lo) {
		return "display:none"
	}
	at := func(v float64) float64 { return 100 * min(max((v-t.lo)/(t.hi-t.lo), 0), 1) }
	return "left:" + px(at(f.lo)) + "%;width:" + px(max(at(f.hi)-at(f.lo), 0.2)) + "%"
}

func (c *TimeCard) at(e vugu.DOMEvent) float64 {
	t := &c.App.timeline
	width := e.PropFloat64("target", "clientWidth")
	if width <= 0 {
		return math.NaN()
	}
	return t.lo + min(max(e.PropFloat64("offsetX")/width, 0), 1)*(t.hi-t.lo)
}

func (c *TimeCard) grab(e vugu.DOMEvent) {
	if e.PropFloat64("button") != 0 {
		return
	}
	c.held, c.start = true, c.at(e)
	c.App.host.Hold(e)
}

func (c *TimeCard) drag(e vugu.DOMEvent) {
	if c.held {
		c.App.brushTime(c.start, c.at(e))
	}
}
