package site

import (
	"cmp"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/chart"
	"cloister/shared/job"
)

// waterfallRows is the most features that a waterfall draws one by one.
const waterfallRows = 10

// waterfall is the drawing of one record's attributions: from f(x), the raw
// score, at the top down to the base value at the bottom, one bar for each of
// the largest attributions and one for the sum of all others. All lengths
// are in px of the drawing.
//
// Source: geometry of shap 0.48 plots/_waterfall.py, with our own colours,
// the sign as text beside each bar and a probability axis below log-odds.
type waterfall struct {
	width, height float64
	narrow        bool // labels above the bars instead of beside them
	nameLen       int  // runes of a name that fit
	left, right   float64
	top, bottom   float64 // of the plot
	bars          []bar
	ticks         []tick // in the unit of the score
	odds          []tick // the same axis as probabilities, for log-odds
	baseX, endX   float64
	base, end     float64
	unit          string
}

// bar is one row of a waterfall.
type bar struct {
	label, value string
	phi          float64
	arrow        string // points of the polygon
	textX        float64
	textY        float64
	anchor       string // of the number: "start" right of the bar, "end" left of it
	linkX        float64
	linkY, linkE float64 // the dashed line to the next row
	labelX       float64
	labelY       float64
	labelAnchor  string
}

// tick is a mark on an axis.
type tick struct {
	x    float64
	text string
}

// newWaterfall lays out r in a drawing of the given width.
func newWaterfall(r *job.Record, features []job.Feature, width float64) *waterfall {
	w := &waterfall{width: width, narrow: width < 400, nameLen: 24, unit: r.Unit, base: r.Base, end: r.Margin}
	parts := slices.Clone(r.Attributions)
	arrange(parts, func(a, b job.Attribution) int {
		return cmp.Compare(math.Abs(b.SHAP), math.Abs(a.SHAP))
	})
	shown := parts[:min(len(parts), waterfallRows)]
	var rest float64
	for _, p := range parts[len(shown):] {
		rest += p.SHAP
	}
	for _, p := range shown {
		w.bars = append(w.bars, bar{label: featureName(features, p.Feature), value: p.Value, phi: p.SHAP})
	}
	if n := len(parts) - len(shown); n > 0 {
		w.bars = append(w.bars, bar{label: plural(int64(n), "other feature", "other features"), phi: rest})
	}

	pitch, barTop, barHeight := 28.0, 3.0, 22.0
	w.left, w.right, w.top = math.Round(min(224, 0.42*width)), width-10, 34
	if !w.narrow {
		w.nameLen = int((w.left-8)/8) - valueLen - 3 // capitals of 12 px are 8 px wide, " = " is three runes
	}
	if w.narrow {
		pitch, barTop, barHeight = 44, 18, 20
		w.left, w.right = 12, width-12
	}
	lo, hi := r.Base, r.Base
	at := r.Margin
	lo, hi = min(lo, at), max(hi, at)
	for _, b := range w.bars {
		at -= b.phi
		lo, hi = min(lo, at), max(hi, at)
	}
	room := 60.0 // for a number outside a bar, at either end
	if !(hi > lo) {
		lo, hi = lo-0.5, hi+0.5
	}
	scale := (w.right - w.left - 2*room) / (hi - lo)
	x := func(v float64) float64 { return w.left + room + (v-lo)*scale }

	at = r.Margin
	for i := range w.bars {
		b := &w.bars[i]
		y := w.top + float64(i)*pitch
		x1 := x(at) // the tip
		at -= b.phi
		x0 := x(at)
		b.arrow = chart.Arrow(x0, x1, y+barTop, barHeight)
		b.textY = y + barTop + barHeight/2 + 4
		b.textX, b.anchor = max(x0, x1)+6, "start"
		if b.phi < 0 {
			b.textX, b.anchor = min(x0, x1)-6, "end"
		}
		b.linkX, b.linkY, b.linkE = x0, y+barTop+barHeight, y+pitch+barTop
		b.labelX, b.labelY, b.labelAnchor = w.left-8, b.textY, "end"
		if w.narrow {
			b.labelX, b.labelY, b.labelAnchor = w.left, y+12, "start"
		}
	}
	w.bottom = w.top + float64(len(w.bars))*pitch + 6
	w.baseX, w.endX = x(r.Base), x(r.Margin)
	for _, v := range niceTicks(lo, hi, max(2, (w.right-w.left-2*room)/34)) {
		w.ticks = append(w.ticks, tick{x(v), tickText(v, hi-lo)})
		if r.Unit == "log-odds" {
			w.odds = append(w.odds, tick{x(v), percent(1 / (1 + math.Exp(-v)))})
		}
	}
	w.height = w.bottom + 44
	if w.odds != nil {
		w.height += 18
	}
	return w
}

// niceTicks returns about n round numbers in [lo, hi].
func niceTicks(lo, hi, n float64) []float64 {
	if !(hi > lo) || math.IsInf(hi-lo, 0) || !(n >= 1) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/n)))
	for _, m := range []float64{1, 2, 5, 10} {
		if step*m*n >= hi-lo {
			step *= m
			break
		}
	}
	var out []float64
	for k := math.Ceil(lo / step); k*step <= hi && len(out) < 20; k++ {
		out = append(out, k*step)
	}
	return out
}

func tickText(v, spread float64) string {
	switch {
	case spread >= 20:
		return decimal(v, 0)
	case spread >= 2:
		return decimal(v, 1)
	case spread >= 0.2:
		return decimal(v, 2)
	}
	return decimal(v, 3)
}

// phiText is an attribution with its sign, in the unit of the score.
func phiText(v float64) string {
	if v != 0 && math.Abs(v) < 0.0005 {
		if v < 0 {
			return "−<0.001"
		}
		return "+<0.001"
	}
	return signed(v, 3)
}

// baseText is the mark under the plot; wide drawings say what it is.
func (w *waterfall) baseText() string { return sayf("base {0}", decimal(w.base, 3)) }
func (w *waterfall) endText() string  { return "f(x) " + decimal(w.end, 3) }

// edge keeps the label of a mark at x, about 90 px wide, inside the drawing.
func (w *waterfall) edge(x float64) string {
	switch {
	case x < w.left+48:
		return "start"
	case x > w.right-48:
		return "end"
	}
	return "middle"
}

func (w *waterfall) viewBox() string { return "0 0 " + px(w.width) + " " + px(w.height) }

// describe says in words what the drawing shows.
func (w *waterfall) describe() string {
	var b strings.Builder
	b.WriteString(sayf("From the base value {0} to {1} in {2}.", decimal(w.base, 3), decimal(w.end, 3), w.unit))
	for _, r := range w.bars {
		b.WriteString(" " + r.label)
		if r.value != "" {
			b.WriteString(" = " + r.value)
		}
		b.WriteString(": " + phiText(r.phi) + ".")
	}
	return b.String()
}

// svg returns the drawing as a file of its own, in the light colours.
func (w *waterfall) svg(title string) []byte {
	var b strings.Builder
	text := func(x, y float64, anchor, fill, s string) {
		b.WriteString(`<text x="` + px(x) + `" y="` + px(y) + `" text-anchor="` + anchor + `" fill="` + fill + `">` + html.EscapeString(s) + "</text>\n")
	}
	line := func(x0, y0, x1, y1 float64, extra string) {
		b.WriteString(`<line x1="` + px(x0) + `" y1="` + px(y0) + `" x2="` + px(x1) + `" y2="` + px(y1) + `" ` + extra + "/>\n")
	}
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="` + w.viewBox() + `" width="` + px(w.width) + `" height="` + px(w.height) + `" font-family="system-ui, sans-serif" font-size="12" role="img">` + "\n")
	b.WriteString("<title>" + html.EscapeString(title) + "</title>\n<desc>" + html.EscapeString(w.describe()) + "</desc>\n")
	b.WriteString(`<rect width="100%" height="100%" fill="#ffffff"/>` + "\n")
	for _, t := range w.ticks {
		line(t.x, w.top, t.x, w.bottom, `stroke="#e3e6ea"`)
		text(t.x, w.bottom+16, "middle", "#57606a", t.text)
	}
	for _, t := range w.odds {
		text(t.x, w.bottom+34, "middle", "#57606a", t.text)
	}
	text(w.endX, 14, w.edge(w.endX), "#1f2328", w.endText())
	line(w.endX, 20, w.endX, w.top+4, `stroke="#57606a" stroke-width="0.5" stroke-dasharray="3 3"`)
	line(w.baseX, w.top, w.baseX, w.bottom+22, `stroke="#57606a" stroke-width="0.5" stroke-dasharray="3 3"`)
	for _, r := range w.bars {
		fill := "#c2410c"
		if r.phi < 0 {
			fill = "#1d4ed8"
		}
		b.WriteString(`<polygon points="` + r.arrow + `" fill="` + fill + `"/>` + "\n")
		line(r.linkX, r.linkY, r.linkX, r.linkE, `stroke="#57606a" stroke-width="0.5" stroke-dasharray="3 3"`)
		text(r.labelX, r.labelY, r.labelAnchor, "#1f2328", w.labelText(r))
		text(r.textX, r.textY, r.anchor, fill, phiText(r.phi))
	}
	y := w.bottom + 32
	if w.odds != nil {
		y += 18
	}
	text(w.baseX, y, w.edge(w.baseX), "#1f2328", w.baseText())
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// valueLen is how many runes of a value are shown at most.
const valueLen = 9

// labelText is the label of a bar, cut to what its place holds.
func (w *waterfall) labelText(b bar) string {
	name, value := w.label(b)
	return name + value
}

// label returns the name and, with an equals sign, the value of a bar; a short
// value leaves its room to the name.
func (w *waterfall) label(b bar) (name, value string) {
	if b.value == "" {
		return short(b.label, w.nameLen+valueLen), ""
	}
	value = short(b.value, valueLen)
	return short(b.label, w.nameLen+valueLen-len([]rune(value))), " = " + value
}

func featureName(features []job.Feature, i int) string {
	if i < 0 || i >= len(features) {
		return sayf("feature {0}", strconv.Itoa(i))
	}
	return features[i].Name
}
