// Package chart draws the charts of the page and of the builder's reports as
// SVG, each with the table of the numbers behind it. It hides geometry, scales
// and what makes a chart readable without colour.
//
//	c := chart.Lines{Title: "ROC", X: "false positives", Y: "recall", Series: s}.Draw()
//	io.WriteString(w, c.SVG)
//	io.WriteString(w, c.Table.HTML())
//
// An SVG has role img, a title and a description, no script, no style
// attribute and no reference to anything outside, so it may stand under a
// strict content policy. Its colours are presentation attributes for light
// paper; [CSS] restyles them by class for dark mode. No information is in
// colour alone: series differ by dash, marker or filling, cells and bars bear
// their numbers. The same input gives the same bytes. NaN is never drawn, and
// is an empty cell of the table. Texts are escaped: they may come from
// anywhere. Cost and size are linear in what is drawn; beeswarms thin out.
package chart

import (
	"html"
	"math"
	"strconv"
	"strings"
)

// CSS sets the colours of the classes that charts use, light and dark; it
// follows prefers-color-scheme and, over that, data-theme on the root element.
const CSS = `.chart{max-width:100%;height:auto;font-family:system-ui,sans-serif}
.chart text{fill:var(--chart-text,#1f2328)}
.chart .grid{stroke:var(--chart-grid,#d0d7de)}
.chart .axis{stroke:var(--chart-axis,#57606a)}
.chart .f0{fill:var(--chart-0,#1d4ed8)}.chart .s0{stroke:var(--chart-0,#1d4ed8)}
.chart .f1{fill:var(--chart-1,#c2410c)}.chart .s1{stroke:var(--chart-1,#c2410c)}
.chart .f2{fill:var(--chart-2,#57606a)}.chart .s2{stroke:var(--chart-2,#57606a)}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){--chart-text:#e6edf3;--chart-grid:#3d444d;--chart-axis:#9198a1;--chart-0:#58a6ff;--chart-1:#f0883e;--chart-2:#9198a1;--chart-paper:#111418}}
:root[data-theme=dark]{--chart-text:#e6edf3;--chart-grid:#3d444d;--chart-axis:#9198a1;--chart-0:#58a6ff;--chart-1:#f0883e;--chart-2:#9198a1;--chart-paper:#111418}
@media print{:root{--chart-text:#000;--chart-grid:#ccc;--chart-axis:#444;--chart-0:#1d4ed8;--chart-1:#c2410c;--chart-2:#57606a;--chart-paper:#fff}}
`

// colours of the classes f0 to f2 on light paper: EXPERIENCE palette, more
// than 5:1 on white, told apart in all common colour blindness.
var colours = [...]string{"#1d4ed8", "#c2410c", "#57606a"}

// Chart is a drawing and its numbers.
type Chart struct {
	SVG   string
	Table Table
}

// Table holds the numbers behind a chart. Rows are as wide as Head.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
}

// HTML returns the table as a table element with a caption and scoped headers;
// cells that are numbers have the class n.
func (t Table) HTML() string {
	var b strings.Builder
	b.WriteString("<table><caption>" + html.EscapeString(t.Caption) + "</caption><thead><tr>")
	for _, h := range t.Head {
		b.WriteString(`<th scope="col">` + html.EscapeString(h) + "</th>")
	}
	b.WriteString("</tr></thead><tbody>\n")
	for _, row := range t.Rows {
		b.WriteString("<tr>")
		for i, cell := range row {
			switch {
			case i == 0:
				b.WriteString(`<th scope="row">` + html.EscapeString(cell) + "</th>")
			case isNumber(cell):
				b.WriteString(`<td class="n">` + cell + "</td>")
			default:
				b.WriteString("<td>" + html.EscapeString(cell) + "</td>")
			}
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table>\n")
	return b.String()
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// Number writes v with at most four significant digits, thousands and above in
// full, NaN as nothing.
func Number(v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v == 0:
		return "0"
	case math.Abs(v) >= 1e15 || math.Abs(v) < 1e-4:
		return strconv.FormatFloat(v, 'e', 2, 64)
	case math.Abs(v) >= 1000 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', max(0, 3-int(math.Floor(math.Log10(math.Abs(v))))), 64)
}

// tickLabel writes a round number: without the zeros that [Number] ends in.
func tickLabel(v float64) string {
	s := Number(v)
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// canvas is an SVG being written.
type canvas struct {
	strings.Builder
	width, height float64
}

// width of all drawings in px; they scale down by their viewBox.
const width = 560

func newCanvas(height float64, title, desc string) *canvas {
	return wideCanvas(width, height, title, desc)
}

func wideCanvas(width, height float64, title, desc string) *canvas {
	c := &canvas{width: width, height: height}
	c.WriteString(`<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + Px(c.width) + " " + Px(height) +
		`" width="` + Px(c.width) + `" height="` + Px(height) + `" font-size="12" role="img">` + "\n")
	c.WriteString("<title>" + html.EscapeString(title) + "</title><desc>" + html.EscapeString(desc) + "</desc>\n")
	return c
}

func (c *canvas) done() string {
	c.WriteString("</svg>\n")
	return c.String()
}

// Px writes a length as SVG and CSS take it, rounded to hundredths, without
// unit. v is finite.
func Px(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// Points writes pairs of x and y as the points of an SVG polygon or polyline.
func Points(xy [][2]float64) string {
	var b strings.Builder
	for i, p := range xy {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Px(p[0]) + "," + Px(p[1]))
	}
	return b.String()
}

func (c *canvas) line(class string, x0, y0, x1, y1 float64, extra string) {
	c.WriteString(`<line class="` + class + `" stroke="` + colourOf(class) + `" x1="` + Px(x0) + `" y1="` + Px(y0) + `" x2="` + Px(x1) + `" y2="` + Px(y1) + `" ` + extra + "/>\n")
}

func (c *canvas) text(x, y float64, anchor, s, extra string) {
	c.WriteString(`<text x="` + Px(x) + `" y="` + Px(y) + `" text-anchor="` + anchor + `" ` + extra + `>` + html.EscapeString(s) + "</text>\n")
}

// rect draws a filled rectangle of series i, or its outline.
func (c *canvas) rect(i int, x, y, w, h float64, hollow bool, extra string) {
	n := strconv.Itoa(i)
	paint := `class="f` + n + `" fill="` + colours[i] + `"`
	if hollow {
		paint = `class="s` + n + `" fill="none" stroke="` + colours[i] + `" stroke-width="1.5"`
	}
	c.WriteString(`<rect ` + paint + ` x="` + Px(x) + `" y="` + Px(y) + `" width="` + Px(w) + `" height="` + Px(h) + `" ` + extra + "/>\n")
}

func colourOf(class string) string {
	switch class {
	case "grid":
		return "#d0d7de"
	case "axis":
		return colours[2]
	}
	return colours[int(class[1]-'0')] // "s0" to "s2"
}

// shorten cuts a label to n runes.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// ticks returns about n round numbers in [lo, hi].
func ticks(lo, hi float64, n int) []float64 {
	if !(hi > lo) || math.IsInf(hi-lo, 0) {
		return []float64{lo}
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(step*m) <= float64(n) {
			step *= m
			break
		}
	}
	var out []float64
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+step*1e-9 && len(out) < 20; k++ {
		out = append(out, k*step)
	}
	return out
}

// plot is the inner area of a chart with axes.
type plot struct {
	*canvas
	left, right, top, bottom float64
	x0, x1, y0, y1           float64
}

func (p *plot) x(v float64) float64 { return p.left + (v-p.x0)/(p.x1-p.x0)*(p.right-p.left) }
func (p *plot) y(v float64) float64 { return p.bottom - (v-p.y0)/(p.y1-p.y0)*(p.bottom-p.top) }

// axes draws grid, tick labels and axis titles.
func (p *plot) axes(xTitle, yTitle string) {
	for _, v := range ticks(p.y0, p.y1, 5) {
		p.line("grid", p.left, p.y(v), p.right, p.y(v), "")
		p.text(p.left-6, p.y(v)+4, "end", tickLabel(v), "")
	}
	for _, v := range ticks(p.x0, p.x1, 6) {
		p.line("axis", p.x(v), p.bottom, p.x(v), p.bottom+4, "")
		p.text(p.x(v), p.bottom+17, "middle", tickLabel(v), "")
	}
	p.line("axis", p.left, p.bottom, p.right, p.bottom, "")
	p.text((p.left+p.right)/2, p.bottom+34, "middle", xTitle, "")
	p.text(p.left-44, p.top-10, "start", yTitle, "")
}

// widen makes an empty range one that can be divided by.
func widen(lo, hi float64) (float64, float64) {
	if !(hi > lo) {
		return lo - 0.5, lo + 0.5
	}
	return lo, hi
}
