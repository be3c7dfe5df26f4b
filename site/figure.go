package site

import (
	"html"
	"strings"

	"cloister/shared/chart"
)

// figure is a chart: shapes, and the same numbers as a table. Lengths are px
// of its view box. Colours are classes of the style sheet and of figureStyle.
type figure struct {
	name   string // of files that it is saved as
	title  string
	desc   string // what it shows, in words
	w, h   float64
	shapes []shape
	head   []string   // of the table
	rows   [][]string // the first column is a heading
	notes  []string
}

// shape is an SVG element: tag, attributes as names and values, text.
type shape struct {
	tag   string
	attrs []string
	text  string
	tip   string // shown when the pointer rests on it
}

func rectangle(class string, x, y, w, h float64, tip string) shape {
	return shape{"rect", []string{"class", class, "x", px(x), "y", px(y), "width", px(max(w, 0)), "height", px(max(h, 0))}, "", tip}
}

func stroke(class string, x0, y0, x1, y1 float64) shape {
	return shape{"line", []string{"class", class, "x1", px(x0), "y1", px(y0), "x2", px(x1), "y2", px(y1)}, "", ""}
}

func label(class string, x, y float64, anchor, text string) shape {
	return shape{"text", []string{"class", class, "x", px(x), "y", px(y), "text-anchor", anchor}, text, ""}
}

// dot is a circle; row is the place in the store of the row that it stands
// for, below 0 for none.
func dot(class string, x, y, r float64, tip string) shape {
	return shape{"circle", []string{"class", class, "cx", px(x), "cy", px(y), "r", px(r)}, "", tip}
}

// polyline joins points.
func polyline(class string, points [][2]float64) shape {
	return shape{"polyline", []string{"class", class, "fill", "none", "points", chart.Points(points)}, "", ""}
}

// add appends shapes.
func (f *figure) add(s ...shape) { f.shapes = append(f.shapes, s...) }

// px writes a length in hundredths.
func px(v float64) string { return chart.Px(v) }

func (f *figure) viewBox() string { return "0 0 " + px(f.w) + " " + px(f.h) }

// figureStyle gives a saved figure the light colours of the style sheet.
const figureStyle = `text{font:12px system-ui,sans-serif;fill:#17202a}.fig-muted{fill:#56616d}.fig-grid{stroke:#d7dde3}.fig-axis{stroke:#848e99}` +
	`.fig-line{stroke:#17202a;stroke-width:1.5}.fig-dash{stroke:#56616d;stroke-dasharray:3 3}.fig-hot,.fig-pos{fill:#c2410c}.fig-cool{fill:#6b7885}.fig-neg{fill:#1d4ed8}` +
	`.fig-ring{fill:none;stroke:#17202a;stroke-width:2}.fig-pick{stroke:#c2410c;stroke-width:2}.fig-other{stroke:#6b7885}.fig-stamp{fill:#c2410c;font-weight:600}.fig-letter{font-weight:600}` +
	`.fig-v0{fill:#1d4ed8}.fig-v1{fill:#5b6fb0}.fig-v2{fill:#7a7a7a}.fig-v3{fill:#b0623a}.fig-v4{fill:#c2410c}.fig-none{fill:#a8b0b8}`

// svg returns the figure as a file of its own.
func (f *figure) svg() []byte {
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="` + f.viewBox() + `" width="` + px(f.w) + `" height="` + px(f.h) + `" role="img">` + "\n")
	b.WriteString("<title>" + html.EscapeString(f.title) + "</title>\n<desc>" + html.EscapeString(f.desc) + "</desc>\n<style>" + figureStyle + "</style>\n")
	b.WriteString(`<rect width="100%" height="100%" fill="#ffffff"/>` + "\n")
	for _, s := range f.shapes {
		b.WriteString("<" + s.tag)
		for i := 0; i+1 < len(s.attrs); i += 2 {
			b.WriteString(" " + s.attrs[i] + `="` + html.EscapeString(s.attrs[i+1]) + `"`)
		}
		b.WriteString(">" + html.EscapeString(s.text) + "</" + s.tag + ">\n")
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// csv returns the table.
func (f *figure) csv() []byte {
	w := writer{}
	for _, row := range append([][]string{f.head}, f.rows...) {
		for i, cell := range row {
			if i > 0 {
				w.buf = append(w.buf, ',')
			}
			w.cell(cell)
		}
		w.buf = append(w.buf, "\r\n"...)
	}
	return w.buf
}

// axis draws round ticks of [lo, hi] along the bottom of a plot.
func (f *figure) axis(lo, hi, left, right, top, bottom float64, text func(v float64) string) (x func(v float64) float64) {
	x = func(v float64) float64 { return left + (v-lo)/(hi-lo)*(right-left) }
	for _, v := range niceTicks(lo, hi, max(2, (right-left)/70)) {
		f.add(stroke("fig-grid", x(v), top, x(v), bottom), label("fig-muted", x(v), bottom+16, "middle", text(v)))
	}
	return x
}
