package chart

import (
	"math"
	"strconv"
	"strings"
)

// Lines is a chart of curves: ROC, precision and recall, calibration, coverage.
type Lines struct {
	Title, X, Y string
	// Diagonal draws the dotted line from (0,0) to (1,1): chance in a ROC
	// chart, perfection in a calibration chart.
	Diagonal bool
	// Unit fixes both axes to [0,1]; otherwise they follow the points.
	Unit bool
	// Series are drawn in order; the first three differ by dash and marker,
	// more repeat.
	Series []Series
	// TableRows bounds the rows of the table for each series, spread evenly
	// over the points; 0 means 25.
	TableRows int
}

// Series is one curve: points with X ascending, drawn by straight lines. A
// point with NaN interrupts it. Steps draws it as a staircase instead, level
// until the next point.
type Series struct {
	Name  string
	X, Y  []float64
	Steps bool
	Dots  bool // mark every point
}

var dashes = [...]string{"", ` stroke-dasharray="7 4"`, ` stroke-dasharray="2 3"`}

// maxPoints of a curve are drawn: more are less than a third of a pixel apart.
const maxPoints = 1500

// Draw returns the chart.
func (l Lines) Draw() Chart {
	x0, x1, y0, y1 := 0.0, 1.0, 0.0, 1.0
	if !l.Unit {
		x0, x1, y0, y1 = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
		for _, s := range l.Series {
			for i := range s.X {
				if finite(s.X[i]) && finite(s.Y[i]) {
					x0, x1, y0, y1 = min(x0, s.X[i]), max(x1, s.X[i]), min(y0, s.Y[i]), max(y1, s.Y[i])
				}
			}
		}
		if x0 > x1 {
			x0, x1, y0, y1 = 0, 1, 0, 1
		}
		x0, x1 = widen(x0, x1)
		y0, y1 = widen(min(y0, 0), y1)
	}
	var desc strings.Builder
	desc.WriteString(l.Y + " over " + l.X + ".")
	for _, s := range l.Series {
		desc.WriteString(" " + s.Name + ": " + strconv.Itoa(len(s.X)) + " points")
		if n := len(s.X); n > 0 {
			desc.WriteString(", from (" + Number(s.X[0]) + ", " + Number(s.Y[0]) + ") to (" + Number(s.X[n-1]) + ", " + Number(s.Y[n-1]) + ")")
		}
		desc.WriteString(".")
	}
	legend := 18 * float64((len(l.Series)+1)/2)
	c := newCanvas(310+legend, l.Title, desc.String())
	p := &plot{canvas: c, left: 56, right: c.width - 16, top: 26, bottom: 258, x0: x0, x1: x1, y0: y0, y1: y1}
	p.axes(l.X, l.Y)
	if l.Diagonal {
		p.line("axis", p.x(0), p.y(0), p.x(1), p.y(1), `stroke-dasharray="1 4"`)
	}
	t := Table{Caption: l.Title, Head: []string{"series", l.X, l.Y}}
	for i, s := range l.Series {
		k := i % len(dashes)
		class := "s" + strconv.Itoa(k)
		paint := ` class="` + class + `" stroke="` + colours[k] + `" fill="none" stroke-width="2"` + dashes[k]
		c.WriteString(`<path` + paint + ` d="` + p.path(s) + `"/>` + "\n")
		if s.Dots {
			for j := range s.X {
				if finite(s.X[j]) && finite(s.Y[j]) {
					p.mark(k, p.x(s.X[j]), p.y(s.Y[j]))
				}
			}
		}
		// legend, two a line
		lx, ly := p.left+float64(i%2)*250, p.bottom+52+18*float64(i/2)
		c.WriteString(`<path` + paint + ` d="M` + Px(lx) + " " + Px(ly-4) + `h30"/>` + "\n")
		if s.Dots {
			p.mark(k, lx+15, ly-4)
		}
		p.text(lx+38, ly, "start", shorten(s.Name, 32), "")
		t.Rows = append(t.Rows, l.rows(s)...)
	}
	return Chart{c.done(), t}
}

// path returns the path data of a curve, thinned to maxPoints.
func (p *plot) path(s Series) string {
	var b strings.Builder
	pen, stride := false, 1+len(s.X)/maxPoints
	for i := range s.X {
		if i%stride != 0 && i != len(s.X)-1 {
			continue
		}
		if !finite(s.X[i]) || !finite(s.Y[i]) {
			pen = false
			continue
		}
		x, y := Px(p.x(s.X[i])), Px(p.y(s.Y[i]))
		switch {
		case !pen:
			b.WriteString("M" + x + " " + y)
		case s.Steps:
			b.WriteString("H" + x + "V" + y)
		default:
			b.WriteString("L" + x + " " + y)
		}
		pen = true
	}
	return b.String()
}

// mark draws the marker of series k: disc, square or cross.
func (p *plot) mark(k int, x, y float64) {
	n := strconv.Itoa(k)
	switch k {
	case 0:
		p.WriteString(`<circle class="f0" fill="` + colours[0] + `" cx="` + Px(x) + `" cy="` + Px(y) + `" r="3.5"/>` + "\n")
	case 1:
		p.rect(1, x-3, y-3, 6, 6, false, "")
	default:
		p.WriteString(`<path class="s` + n + `" stroke="` + colours[k] + `" stroke-width="2" d="M` + Px(x-3) + " " + Px(y-3) + "l6 6m0-6l-6 6" + `"/>` + "\n")
	}
}

func (l Lines) rows(s Series) [][]string {
	limit := l.TableRows
	if limit == 0 {
		limit = 25
	}
	var out [][]string
	n := min(limit, len(s.X))
	for k := range n {
		i := k
		if n > 1 {
			i = k * (len(s.X) - 1) / (n - 1)
		}
		out = append(out, []string{s.Name, Number(s.X[i]), Number(s.Y[i])})
	}
	return out
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
