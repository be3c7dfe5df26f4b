package chart

import (
	"math"
	"strconv"
	"strings"
)

// Histogram is a chart of how often values occur.
type Histogram struct {
	Title, X, Y string
	// Edges are the borders of the bins, ascending, one more than there are
	// counts in each series. They are drawn evenly spaced: widths may differ, as
	// for logarithmic or quantile bins, and the labels say what they are.
	Edges []float64
	// Series are drawn side by side: the first filled, the second hollow, the
	// third grey.
	Series []Counts
	// Share scales each series by its sum, for parts of different size.
	Share bool
	// Log draws log10(1 + value), for counts of many magnitudes.
	Log bool
	// Marks are vertical dashed lines with a name, such as a threshold.
	Marks []Mark
}

// Counts is one series of a histogram.
type Counts struct {
	Name   string
	Counts []float64
}

// Mark is a named place on the x axis.
type Mark struct {
	X    float64
	Name string
}

// Draw returns the chart. Histograms of no bins are empty axes.
func (h Histogram) Draw() Chart {
	bins := max(len(h.Edges)-1, 0)
	values := make([][]float64, len(h.Series))
	top := 0.0
	head := []string{h.X}
	var desc strings.Builder
	desc.WriteString(h.Y + " over " + h.X + ".")
	for s, c := range h.Series {
		sum, peak := 0.0, 0
		for i, v := range c.Counts {
			sum += v
			if v > c.Counts[peak] {
				peak = i
			}
		}
		for _, v := range c.Counts {
			if h.Share && sum > 0 {
				v /= sum
			}
			values[s] = append(values[s], v)
			if h.Log {
				v = math.Log10(1 + v)
			}
			top = max(top, v)
		}
		if bins > 0 && sum > 0 {
			desc.WriteString(" " + c.Name + ": " + Number(sum) + " in all, most between " + Number(h.Edges[peak]) + " and " + Number(h.Edges[peak+1]) + ".")
		}
		head = append(head, c.Name)
	}
	if top == 0 {
		top = 1
	}
	c := newCanvas(328, h.Title, desc.String())
	p := &plot{canvas: c, left: 56, right: c.width - 16, top: 26, bottom: 258, x0: 0, x1: max(1, float64(bins)), y0: 0, y1: top}
	label := func(v float64) string {
		if h.Log {
			return Number(math.Round(math.Pow(10, v) - 1))
		}
		return tickLabel(v)
	}
	for _, v := range ticks(0, top, 5) {
		p.line("grid", p.left, p.y(v), p.right, p.y(v), "")
		p.text(p.left-6, p.y(v)+4, "end", label(v), "")
	}
	p.text(p.left-44, p.top-10, "start", h.Y, "")
	t := Table{Caption: h.Title, Head: head}
	slot := (p.right - p.left) / p.x1
	for i := range bins {
		row := []string{Number(h.Edges[i]) + " to " + Number(h.Edges[i+1])}
		for s := range h.Series {
			v := values[s][i]
			row = append(row, Number(v))
			if h.Log {
				v = math.Log10(1 + v)
			}
			if v > 0 {
				w := slot * 0.88 / float64(len(h.Series))
				p.rect(s%len(colours), p.x(float64(i))+slot*0.06+w*float64(s), p.y(v), w, p.bottom-p.y(v), s == 1, "")
			}
		}
		t.Rows = append(t.Rows, row)
	}
	every := max(1, int(math.Ceil(float64(bins)*62/(p.right-p.left))))
	for i := 0; i <= bins && bins > 0; i += every {
		p.line("axis", p.x(float64(i)), p.bottom, p.x(float64(i)), p.bottom+4, "")
		p.text(p.x(float64(i)), p.bottom+17, "middle", tickLabel(h.Edges[i]), "")
	}
	p.line("axis", p.left, p.bottom, p.right, p.bottom, "")
	p.text((p.left+p.right)/2, p.bottom+34, "middle", h.X, "")
	for _, m := range h.Marks {
		if at, ok := place(h.Edges, m.X); ok {
			p.line("axis", p.x(at), p.top-4, p.x(at), p.bottom, `stroke-dasharray="4 3"`)
			anchor := "start"
			if at > p.x1*0.7 {
				anchor = "end"
			}
			p.text(p.x(at), p.top-8, anchor, m.Name+" "+Number(m.X), "")
		}
	}
	for s, n := range h.Series {
		x := p.left + float64(s)*170
		p.rect(s%len(colours), x, p.bottom+46, 12, 12, s == 1, "")
		p.text(x+18, p.bottom+56, "start", shorten(n.Name, 20), "")
	}
	return Chart{c.done(), t}
}

// place returns where v lies in units of bins.
func place(edges []float64, v float64) (float64, bool) {
	for i := 1; i < len(edges); i++ {
		if v >= edges[i-1] && v <= edges[i] && edges[i] > edges[i-1] {
			return float64(i-1) + (v-edges[i-1])/(edges[i]-edges[i-1]), true
		}
	}
	return 0, false
}

// Bars is a chart of one horizontal bar a name, with its number beside it.
// Negative bars go left, in the other colour, with their sign.
type Bars struct {
	Title, X string
	Names    []string
	Values   []float64
	// Notes, if not nil, stand behind the numbers: intervals, supports.
	Notes []string
	// Max fixes the end of the axis, 0 follows the values.
	Max float64
}

// Draw returns the chart.
func (b Bars) Draw() Chart {
	lo, hi := 0.0, b.Max
	for _, v := range b.Values {
		if finite(v) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if lo == hi { // nothing but zeros
		hi = 1
	}
	const pitch = 24.0
	var desc strings.Builder
	desc.WriteString(b.X + " of " + strconv.Itoa(len(b.Names)) + ":")
	t := Table{Caption: b.Title, Head: []string{"name", b.X}}
	if b.Notes != nil {
		t.Head = append(t.Head, "note")
	}
	for i, n := range b.Names {
		row := []string{n, Number(b.Values[i])}
		if b.Notes != nil {
			row = append(row, b.Notes[i])
		}
		t.Rows = append(t.Rows, row)
		if i < 10 {
			desc.WriteString(" " + n + " " + Number(b.Values[i]) + ";")
		}
	}
	c := newCanvas(40+pitch*float64(len(b.Names)), b.Title, desc.String())
	p := &plot{canvas: c, left: 210, right: c.width - 120, top: 8, bottom: 8 + pitch*float64(len(b.Names)), x0: lo, x1: hi, y1: 1}
	for _, v := range ticks(lo, hi, 4) {
		p.line("grid", p.x(v), p.top, p.x(v), p.bottom, "")
		p.text(p.x(v), p.bottom+16, "middle", tickLabel(v), "")
	}
	p.text(c.width-8, p.bottom+16, "end", shorten(b.X, 16), "")
	for i, n := range b.Names {
		y, v := p.top+pitch*float64(i), b.Values[i]
		p.text(p.left-8, y+16, "end", shorten(n, 28), "")
		if !finite(v) {
			p.text(p.x(0)+6, y+16, "start", "no rows", "")
			continue
		}
		from, to := min(p.x(0), p.x(v)), max(p.x(0), p.x(v))
		k, note := 0, Number(v)
		if v < 0 {
			k = 1
		}
		if b.Notes != nil {
			note += " " + b.Notes[i]
		}
		p.rect(k, from, y+4, to-from, pitch-8, false, "")
		p.text(max(to, p.x(0))+6, y+16, "start", shorten(note, 40), "")
	}
	p.line("axis", p.x(0), p.top, p.x(0), p.bottom, "")
	return Chart{c.done(), t}
}
