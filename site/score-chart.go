package site

import (
	"math"
	"strconv"

	"github.com/vugu/vugu"
)

// ScoreChart is the histogram of attack scores with the alert threshold,
// which can be dragged, moved by the arrow keys and typed.
type ScoreChart struct {
	App    *App
	held   bool // the handle is being dragged
	brush  bool // dragging chooses a range instead
	start  float64
	text   string
	typing bool // in the number input
}

const chartHeight = 120

// rect is a part of the histogram; all lengths in its view box.
type rect struct {
	class, x, y, w, h string
}

// bars returns the bins that are not empty; the one that the threshold cuts
// comes in two parts.
func (c *ScoreChart) bars() []rect {
	var top float64
	for _, n := range c.App.histogram.bins {
		top = max(top, c.scale(n))
	}
	var out []rect
	for i, n := range c.App.histogram.bins {
		if n == 0 {
			continue
		}
		h := max(2, c.scale(n)/top*(chartHeight-6))
		from, to := float64(i)/binCount, float64(i+1)/binCount
		cut := min(max(c.App.threshold, from), to)
		part := func(class string, a, b float64) {
			if gap := 0.0015; b-a > gap {
				out = append(out, rect{class, px(1000 * (a + gap/2)), px(chartHeight - h), px(1000 * (b - a - gap)), px(h)})
			}
		}
		part("hist-cool", from, cut)
		part("hist-hot", cut, to)
	}
	return out
}

// scale is the height of a bar before it is fitted to the chart. Counts span
// orders of magnitude, so the logarithm is the default.
func (c *ScoreChart) scale(n int64) float64 {
	if c.App.linear {
		return float64(n)
	}
	return math.Log1p(float64(n))
}

func (c *ScoreChart) scaleText() string {
	if c.App.linear {
		return say("Linear")
	}
	return say("Log")
}

func (c *ScoreChart) pressed(on bool) string { return strconv.FormatBool(on) }

func (c *ScoreChart) lineX() string { return px(1000 * c.App.threshold) }

func (c *ScoreChart) knob() string { return "left:" + px(100*c.App.threshold) + "%" }

func (c *ScoreChart) threshold() string {
	return strconv.FormatFloat(math.Round(c.App.threshold*1000)/1000, 'f', -1, 64)
}

func (c *ScoreChart) flaggedText() string {
	return sayf("flagged, {0} of the rows", share(c.App.nFlagged, int64(c.App.store.rows())))
}

func (c *ScoreChart) valueText() string {
	return sayf("{0}, {1} flagged", c.threshold(), plural(c.App.nFlagged, "row", "rows"))
}

func (c *ScoreChart) note() string {
	s := say("Heights grow with the logarithm of the count.") + " "
	if c.App.linear {
		s = say("Heights grow with the count.") + " "
	}
	if c.App.nFlagged == 0 && c.App.store.rows() > 0 {
		var top float64
		for _, v := range c.App.store.attack {
			top = max(top, v)
		}
		return sayf("{0}No row reaches {1}; the highest score is {2}.", s, c.threshold(), decimal(top, 3))
	}
	return sayf("{0}Rows at or above the threshold are flagged; the verdicts themselves do not change.", s)
}

func (c *ScoreChart) describe() string {
	return sayf("{0}; {1} at or above the threshold of {2}. The button Table shows the counts.", plural(int64(c.App.store.rows()), "row", "rows"), plural(c.App.nFlagged, "row", "rows"), c.threshold())
}

// table returns the bins that are not empty as range, count and side.
func (c *ScoreChart) table() [][3]string {
	var out [][3]string
	for i, n := range c.App.histogram.bins {
		if n == 0 {
			continue
		}
		from, to := float64(i)/binCount, float64(i+1)/binCount
		side := "below"
		switch {
		case from >= c.App.threshold:
			side = "flagged"
		case to > c.App.threshold:
			side = say("in part")
		}
		out = append(out, [3]string{sayf("{0} to {1}", decimal(from, 2), decimal(to, 2)), count(n), side})
	}
	return out
}

// typed takes the threshold from an input.
func (c *ScoreChart) typed(e vugu.DOMEvent) {
	c.text = e.PropString("target", "value")
	if v, err := strconv.ParseFloat(c.text, 64); err == nil {
		c.App.setThreshold(v)
	}
}

// field is what the number input holds: what is being typed, as long as it
// means the threshold or nothing yet, so that a drawing does not disturb it.
func (c *ScoreChart) field() string {
	if v, err := strconv.ParseFloat(c.text, 64); c.typing && (err != nil || v == c.App.threshold) {
		return c.text
	}
	return c.threshold()
}

func (c *ScoreChart) grab(e vugu.DOMEvent) {
	if e.PropFloat64("button") != 0 {
		return
	}
	c.held, c.start = true, math.NaN()
	c.App.host.Hold(e)
	c.drag(e)
}

func (c *ScoreChart) drag(e vugu.DOMEvent) {
	if !c.held {
		return
	}
	if width := e.PropFloat64("target", "clientWidth"); width > 0 {
		at := math.Round(min(max(e.PropFloat64("offsetX")/width, 0), 1)*1000) / 1000
		switch {
		case !c.brush:
			c.App.setThreshold(at)
		case math.IsNaN(c.start):
			c.start = at
		default:
			c.App.brushScore(c.start, at)
		}
	}
}

// chosen is the range of scores on show.
func (c *ScoreChart) chosen() stretch {
	if f := c.App.view.filter.score; f.on {
		return f
	}
	return stretch{false, 0, 1}
}

func (c *ScoreChart) low() string  { return strconv.FormatFloat(c.chosen().lo, 'f', -1, 64) }
func (c *ScoreChart) high() string { return strconv.FormatFloat(c.chosen().hi, 'f', -1, 64) }

// ends takes an end of the range from an input; the whole range is none.
func (c *ScoreChart) ends(e vugu.DOMEvent, first bool) {
	v, err := strconv.ParseFloat(e.PropString("target", "value"), 64)
	if err != nil || v != v {
		return
	}
	v = min(max(v, 0), 1)
	f := c.chosen()
	if first {
		f.lo = v
	} else {
		f.hi = v
	}
	if f.lo == 0 && f.hi == 1 {
		f.lo = math.NaN()
	}
	c.App.brushScore(f.lo, f.hi)
}

// box is where the brush lies.
func (c *ScoreChart) box() string {
	f := c.App.view.filter.score
	if !f.on {
		return "display:none"
	}
	return "left:" + px(100*f.lo) + "%;width:" + px(max(100*(f.hi-f.lo), 0.2)) + "%"
}
