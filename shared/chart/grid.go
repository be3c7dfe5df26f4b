package chart

import (
	"math"
	"strconv"
	"strings"
)

// HeatMap is a matrix whose cells are shaded by their share of the row and
// bear their number: a confusion matrix.
type HeatMap struct {
	Title string
	// Row and Column say what rows and columns are: "true class".
	Row, Column string
	Names       []string    // of rows and of columns
	Cells       [][]float64 // as many rows and columns as names
}

// deepest is the opacity of a cell that holds its whole row: the deepest on
// which text keeps a contrast of 4.5, light and dark.
const deepest = 0.6

// Draw returns the chart. Cells of 0 are left blank. With more than ten names
// it is wider than other charts.
func (h HeatMap) Draw() Chart {
	k := len(h.Names)
	desc := "Rows: " + h.Row + ". Columns: " + h.Column + "."
	t := Table{Caption: h.Title, Head: append([]string{h.Row + " \\ " + h.Column}, h.Names...)}
	const left, top, high, font = 196.0, 40.0, 26.0, 11.0
	cell := min(56, max(36, (width-left-12)/float64(max(k, 1))))
	c := wideCanvas(max(width, left+cell*float64(k)+12), top+high*float64(k)+30, h.Title, desc)
	c.text(left, 14, "start", h.Column+" →", "")
	c.text(left-8, top-8, "end", h.Row+" ↓", "")
	for i, n := range h.Names {
		y := top + high*float64(i)
		c.text(left-8, y+high/2+4, "end", strconv.Itoa(i+1)+" "+shorten(n, 24), "")
		c.text(left+cell*(float64(i)+0.5), top-8, "middle", strconv.Itoa(i+1), "")
		row, sum := []string{n}, 0.0
		for _, v := range h.Cells[i] {
			sum += v
		}
		for j, v := range h.Cells[i] {
			row = append(row, Number(v))
			x := left + cell*float64(j)
			share := 0.0
			if sum > 0 {
				share = v / sum
			}
			c.WriteString(`<rect class="f0" fill="` + colours[0] + `" fill-opacity="` + Px(deepest*share) + `" x="` + Px(x) + `" y="` + Px(y) + `" width="` + Px(cell-1) + `" height="` + Px(high-1) + `"/>` + "\n")
			if i == j { // the diagonal is framed: right answers
				c.WriteString(`<rect class="s2" fill="none" stroke="` + colours[2] + `" x="` + Px(x) + `" y="` + Px(y) + `" width="` + Px(cell-1) + `" height="` + Px(high-1) + `"/>` + "\n")
			}
			if v != 0 {
				c.text(x+cell/2, y+high/2+font/3, "middle", Number(v), `font-size="`+Px(font)+`"`)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	c.text(left, top+high*float64(k)+18, "start", "shade: share of the row", "")
	return Chart{c.done(), t}
}

// Swarm is a beeswarm of attributions: one row of dots a feature, placed by
// attribution, high feature values filled, low ones hollow.
type Swarm struct {
	Title, X string
	Names    []string
	// Phi and Share are for each name the attributions of the rows and where
	// the row's value stands among the values of the feature, in [0,1], NaN if
	// it has none.
	Phi, Share [][]float64
}

// maxDots of a row are drawn, evenly spread over the rows given.
const maxDots = 250

// Draw returns the chart.
//
// Source: layering of shap 0.48 plots/_beeswarm.py: attributions in 100 bins,
// dots of a bin stacked away from the middle in turn.
func (s Swarm) Draw() Chart {
	lo, hi := 0.0, 0.0
	for _, phi := range s.Phi {
		for _, v := range phi {
			if finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	lo, hi = widen(lo, hi)
	const pitch = 34.0
	c := newCanvas(66+pitch*float64(len(s.Names)), s.Title, "A dot is a row. Right of the middle line the feature speaks for the class, left against it. Filled dots have a high value of the feature, hollow dots a low one, crosses none.")
	p := &plot{canvas: c, left: 214, right: c.width - 12, top: 8, bottom: 8 + pitch*float64(len(s.Names)), x0: lo, x1: hi, y1: 1}
	for _, v := range ticks(lo, hi, 5) {
		p.line("grid", p.x(v), p.top, p.x(v), p.bottom, "")
		p.text(p.x(v), p.bottom+16, "middle", tickLabel(v), "")
	}
	p.line("axis", p.x(0), p.top, p.x(0), p.bottom, "")
	p.text((p.left+p.right)/2, p.bottom+34, "middle", s.X, "")
	t := Table{Caption: s.Title, Head: []string{"feature", "rows", "mean |attribution|", "least", "greatest", "correlation with the value's rank"}}
	for i, n := range s.Names {
		mid := p.top + pitch*(float64(i)+0.5)
		p.text(p.left-8, mid+4, "end", shorten(n, 27), "")
		var layer [101]int
		step := 1 + len(s.Phi[i])/maxDots
		for j := 0; j < len(s.Phi[i]); j += step {
			v := s.Phi[i][j]
			if !finite(v) {
				continue
			}
			bin := int((v - lo) / (hi - lo) * 100)
			l := layer[bin]
			layer[bin]++
			off := float64((l+1)/2) * float64(1-2*(l%2)) * 2.2
			off = max(-pitch/2+3, min(pitch/2-3, off))
			p.dot(p.x(v), mid+off, s.Share[i][j])
		}
		t.Rows = append(t.Rows, swarmRow(n, s.Phi[i], s.Share[i]))
	}
	p.WriteString(`<g>`)
	p.dot(p.left, p.bottom+50, 1)
	p.text(p.left+8, p.bottom+54, "start", "high value", "")
	p.dot(p.left+100, p.bottom+50, 0)
	p.text(p.left+108, p.bottom+54, "start", "low value", "")
	p.dot(p.left+195, p.bottom+50, math.NaN())
	p.text(p.left+203, p.bottom+54, "start", "no value", "")
	p.WriteString(`</g>`)
	return Chart{c.done(), t}
}

func (p *plot) dot(x, y, share float64) {
	switch {
	case math.IsNaN(share):
		p.WriteString(`<path class="s2" stroke="` + colours[2] + `" d="M` + Px(x-2) + " " + Px(y-2) + "l4 4m0-4l-4 4" + `"/>`)
	case share >= 0.5:
		p.WriteString(`<circle class="f1" fill="` + colours[1] + `" cx="` + Px(x) + `" cy="` + Px(y) + `" r="2.2"/>`)
	default:
		p.WriteString(`<circle class="s0" fill="none" stroke="` + colours[0] + `" cx="` + Px(x) + `" cy="` + Px(y) + `" r="2"/>`)
	}
}

func swarmRow(name string, phi, share []float64) []string {
	n, abs, least, greatest := 0.0, 0.0, math.Inf(1), math.Inf(-1)
	var sx, sy, sxx, syy, sxy, m float64
	for i, v := range phi {
		if !finite(v) {
			continue
		}
		n++
		abs += math.Abs(v)
		least, greatest = min(least, v), max(greatest, v)
		if q := share[i]; finite(q) {
			m++
			sx, sy, sxx, syy, sxy = sx+q, sy+v, sxx+q*q, syy+v*v, sxy+q*v
		}
	}
	if n == 0 {
		return []string{name, "0", "", "", "", ""}
	}
	r := (m*sxy - sx*sy) / math.Sqrt((m*sxx-sx*sx)*(m*syy-sy*sy))
	if !finite(r) {
		r = math.NaN()
	}
	return []string{name, Number(n), Number(abs / n), Number(least), Number(greatest), Number(r)}
}

// Waterfall is the drawing of one record's attributions, from the score at the
// top down to the base value, largest first, the rest in one bar.
type Waterfall struct {
	Title       string
	Unit        string
	Base, Score float64
	Names       []string // with their values: "port = 443"
	Phi         []float64
}

// maxFalls is the most features drawn one by one.
const maxFalls = 10

// Draw returns the chart. Names must be in order of falling |Phi|.
//
// Source: geometry of shap 0.48 plots/_waterfall.py.
func (w Waterfall) Draw() Chart {
	names, phi := w.Names, w.Phi
	t := Table{Caption: w.Title, Head: []string{"feature", "attribution"}}
	for i, n := range names {
		t.Rows = append(t.Rows, []string{n, Number(phi[i])})
	}
	if len(names) > maxFalls {
		rest := 0.0
		for _, v := range phi[maxFalls:] {
			rest += v
		}
		names = append(append([]string{}, names[:maxFalls]...), strconv.Itoa(len(phi)-maxFalls)+" other features")
		phi = append(append([]float64{}, phi[:maxFalls]...), rest)
	}
	lo, hi, at := min(w.Base, w.Score), max(w.Base, w.Score), w.Score
	for _, v := range phi {
		at -= v
		lo, hi = min(lo, at), max(hi, at)
	}
	lo, hi = widen(lo, hi)
	var desc strings.Builder
	desc.WriteString("From the base value " + Number(w.Base) + " to " + Number(w.Score) + " in " + w.Unit + ".")
	const pitch = 28.0
	c := newCanvas(76+pitch*float64(len(names)), w.Title, desc.String())
	p := &plot{canvas: c, left: 250, right: c.width - 64, top: 30, bottom: 34 + pitch*float64(len(names)), x0: lo, x1: hi, y1: 1}
	for _, v := range ticks(lo, hi, 4) {
		p.line("grid", p.x(v), p.top, p.x(v), p.bottom, "")
		p.text(p.x(v), p.bottom+16, "middle", tickLabel(v), "")
	}
	p.text(p.x(w.Score), 16, "middle", "score "+Number(w.Score), "")
	p.text(p.x(w.Base), p.bottom+34, "middle", "base "+Number(w.Base), "")
	at = w.Score
	for i, n := range names {
		y := p.top + pitch*float64(i)
		tip := p.x(at)
		at -= phi[i]
		from := p.x(at)
		k, sign, anchor, tx := 1, "+", "start", max(from, tip)+6
		if phi[i] < 0 {
			k, sign, anchor, tx = 0, "", "end", min(from, tip)-6
		}
		class := strconv.Itoa(k)
		c.WriteString(`<polygon class="f` + class + `" fill="` + colours[k] + `" points="` + Arrow(from, tip, y+3, 22) + `"/>` + "\n")
		p.line("axis", from, y+25, from, y+pitch+3, `stroke-width="0.5" stroke-dasharray="3 3"`)
		p.text(p.left-58, y+18, "end", shorten(n, 30), "")
		p.text(tx, y+18, anchor, sign+Number(phi[i]), "")
	}
	return Chart{c.done(), t}
}

// Arrow returns the points of an SVG polygon: a bar of height h below y that
// starts at x0 and ends in a head of at most 6 px, whose tip is at x1.
func Arrow(x0, x1, y, h float64) string {
	head := min(math.Abs(x1-x0), 6)
	neck := x1 - head
	if x1 < x0 {
		neck = x1 + head
	}
	return Points([][2]float64{{x0, y}, {neck, y}, {x1, y + h/2}, {neck, y + h}, {x0, y + h}})
}
