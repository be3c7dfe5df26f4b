package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"cloister/shared/chart"
)

var nan = math.NaN()

// evil is a text from a file.
const evil = `<script>alert("x")</script>&'`

// gallery holds every kind of chart, with texts from outside, nothing, NaN and
// values too large to draw.
func gallery() map[string]chart.Chart {
	return map[string]chart.Chart{
		"lines": chart.Lines{Title: evil, X: "x", Y: "y", Unit: true, Diagonal: true, Series: []chart.Series{
			{Name: evil, X: []float64{0, .5, 1}, Y: []float64{0, nan, 1}, Dots: true},
			{Name: "b", X: []float64{0, 1}, Y: []float64{0, 1}, Steps: true, Dots: true},
			{Name: "c", X: []float64{0, 1}, Y: []float64{0, math.Inf(1)}, Dots: true}, {Name: "none"},
		}}.Draw(),
		"free lines": chart.Lines{Title: "t", Series: []chart.Series{{Name: "a", X: []float64{3, 3}, Y: []float64{-2, -2}}}}.Draw(),
		"no lines":   chart.Lines{Title: "t"}.Draw(),
		"histogram": chart.Histogram{Title: evil, X: "x", Y: "rows", Edges: []float64{0, 1, 10, 100}, Log: true,
			Series: []chart.Counts{{"benign", []float64{5, 0, 2}}, {evil, []float64{0, 1, 1e6}}, {"c", []float64{0, 0, 0}}}, Marks: []chart.Mark{{50, evil}, {1e9, "far"}}}.Draw(),
		"no histogram": chart.Histogram{Title: "t", Series: []chart.Counts{{"a", nil}}}.Draw(),
		"bars":         chart.Bars{Title: evil, X: "F1", Names: []string{evil, "b", "c"}, Values: []float64{.5, -2, nan}, Notes: []string{evil, "", ""}}.Draw(),
		"no bars":      chart.Bars{Title: "t"}.Draw(),
		"heat map":     chart.HeatMap{Title: evil, Row: "true", Column: "said", Names: []string{evil, "b"}, Cells: [][]float64{{3, 1}, {0, 0}}}.Draw(),
		"no heat map":  chart.HeatMap{Title: "t"}.Draw(),
		"swarm": chart.Swarm{Title: evil, X: "x", Names: []string{evil, "none", "flat"},
			Phi: [][]float64{{1, -1, nan, 0}, {}, {.5, .5}}, Share: [][]float64{{1, 0, .5, nan}, {}, {.2, .2}}}.Draw(),
		"no swarm":  chart.Swarm{Title: "t"}.Draw(),
		"waterfall": chart.Waterfall{Title: evil, Unit: "probability", Base: .1, Score: .9, Names: []string{evil, "b"}, Phi: []float64{1, -.2}}.Draw(),
		"long waterfall": chart.Waterfall{Title: "t", Base: 0, Score: 12, Names: strings.Split("a b c d e f g h i j k l", " "),
			Phi: []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}.Draw(),
		"no waterfall": chart.Waterfall{Title: "t"}.Draw(),
	}
}

// An SVG is well-formed, named for a screen reader, free of scripts, styles and
// references, and holds no number that a browser would refuse.
func TestDraw_soundSVG(t *testing.T) {
	names := map[string]bool{}
	for name, c := range gallery() {
		d := xml.NewDecoder(strings.NewReader(c.SVG))
		seen := map[string]int{}
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, c.SVG)
			}
			e, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			seen[e.Name.Local]++
			names[e.Name.Local] = true
			for _, a := range e.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
					t.Errorf("%s: attribute %s", name, a.Name.Local)
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s: <%s %s=%q>", name, e.Name.Local, a.Name.Local, a.Value)
				}
			}
			if e.Name.Local == "svg" && (attr(e, "role") != "img" || attr(e, "class") != "chart") {
				t.Errorf("%s: no role or class: %v", name, e.Attr)
			}
		}
		if seen["title"] != 1 || seen["desc"] != 1 || seen["script"] != 0 {
			t.Errorf("%s: elements %v", name, seen)
		}
		for _, row := range c.Table.Rows {
			if len(row) != len(c.Table.Head) {
				t.Errorf("%s: row %q under head %q", name, row, c.Table.Head)
			}
		}
		if strings.Contains(c.Table.HTML(), "<script") {
			t.Errorf("%s: the table lets markup through", name)
		}
		if again := gallery()[name]; again.SVG != c.SVG {
			t.Errorf("%s: not the same bytes twice", name)
		}
	}
	for n := range names {
		if !strings.Contains(" svg title desc line text rect path circle polygon g ", " "+n+" ") {
			t.Errorf("unexpected element %s", n)
		}
	}
	if len(names) < 9 {
		t.Errorf("saw only %v", names)
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Every number drawn is in the table.
func TestDraw_tables(t *testing.T) {
	g := gallery()
	for name, want := range map[string]string{
		"histogram": `[[0 to 1 5 0 0] [1 to 10 0 1 0] [10 to 100 2 1000000 0]]`,
		"bars":      `[[` + evil + ` 0.5000 ` + evil + `] [b -2 ] [c  ]]`,
		"heat map":  `[[` + evil + ` 3 1] [b 0 0]]`,
		"swarm":     `[[` + evil + ` 3 0.6667 -1 1 1] [none 0    ] [flat 2 0.5000 0.5000 0.5000 ]]`,
		"waterfall": `[[` + evil + ` 1] [b -0.2000]]`,
	} {
		var rows []string
		for _, r := range g[name].Table.Rows {
			rows = append(rows, "["+strings.Join(r, " ")+"]")
		}
		if got := "[" + strings.Join(rows, " ") + "]"; got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if n := len(g["lines"].Table.Rows); n != 7 {
		t.Errorf("lines: %d rows", n)
	}
	if n := len(g["long waterfall"].Table.Rows); n != 12 {
		t.Errorf("a waterfall's table has %d rows: the drawing joins the rest, the table does not", n)
	}
}

// Unit axes put (0,0) bottom left and (1,1) top right; a staircase goes right
// before it goes up.
func TestLines_geometry(t *testing.T) {
	svg := chart.Lines{Unit: true, Series: []chart.Series{{X: []float64{0, 1}, Y: []float64{0, 1}}, {X: []float64{0, 1}, Y: []float64{0, 1}, Steps: true}}}.Draw().SVG
	for _, want := range []string{`d="M56 258L544 26"`, `d="M56 258H544V26"`, `stroke-dasharray="7 4" d="M56`} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
	if strings.Contains(gallery()["lines"].SVG, "M56 258L300") {
		t.Error("a line crosses a missing point")
	}
}

// Log bars of equal ratio differ by equal heights, and a bar of 0 is none.
func TestHistogram_geometry(t *testing.T) {
	svg := chart.Histogram{Log: true, Edges: []float64{0, 1, 2, 3}, Series: []chart.Counts{{"", []float64{9, 99, 0}}}}.Draw().SVG
	if strings.Count(svg, `height="116"`) != 1 || strings.Count(svg, `height="232"`) != 1 || strings.Count(svg, "<rect") != 3 {
		t.Error(svg)
	}
}

// Bars of zeros start at the left.
func TestBars_zeros(t *testing.T) {
	svg := chart.Bars{Names: []string{"a"}, Values: []float64{0}}.Draw().SVG
	if !strings.Contains(svg, `x1="210" y1="8" x2="210"`) || strings.Contains(svg, ">-") {
		t.Error(svg)
	}
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{
		"": nan, "0": 0, "1": 1, "-2": -2, "0.1235": 0.123456, "0.01235": 0.0123456, "12.35": 12.3456, "123.5": 123.456,
		"1235": 1234.56, "1234567": 1234567, "1.00e-05": 1e-5, "1.00e+15": 1e15, "+Inf": math.Inf(1), "-0.5000": -.5,
	} {
		if got := chart.Number(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
}

// The colours of CSS meet 4.5:1 on their paper, light and dark.
func TestCSS_contrast(t *testing.T) {
	seen := 0
	for _, block := range []struct{ from, paper string }{{"@media (prefers", "#111418"}, {"[data-theme=dark]", "#111418"}, {"@media print", "#fff"}} {
		_, rest, ok := strings.Cut(chart.CSS, block.from)
		rest, _, _ = strings.Cut(rest, "}")
		if !ok || !strings.Contains(rest, "--chart-paper:"+block.paper) {
			t.Fatalf("%s: no paper %s in %q", block.from, block.paper, rest)
		}
		for _, v := range []string{"text", "axis", "0", "1", "2"} {
			_, colour, _ := strings.Cut(rest, "--chart-"+v+":")
			seen++
			if got := contrast(colour, block.paper); got < 4.5 {
				t.Errorf("%s %s: contrast %.2f", block.from, v, got)
			}
		}
	}
	if seen != 15 {
		t.Errorf("saw %d colours", seen)
	}
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

// luminance is that of WCAG 2.2 for #rgb or #rrggbb.
func luminance(hex string) float64 {
	hex = strings.TrimPrefix(hex, "#")
	end := strings.IndexFunc(hex, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
	if end >= 0 {
		hex = hex[:end]
	}
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, w := range []float64{.2126, .7152, .0722} {
		v, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			panic(err)
		}
		c := float64(v) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += w * c
	}
	return sum
}

// A bar ends in a head as long as itself at most, on the side of its tip.
func TestArrow_points(t *testing.T) {
	for _, c := range []struct {
		x0, x1 float64
		want   string
	}{
		{10, 50, "10,4 44,4 50,15 44,26 10,26"}, {50, 10, "50,4 16,4 10,15 16,26 50,26"},
		{10, 13.004, "10,4 10,4 13,15 10,26 10,26"}, {10, 10, "10,4 10,4 10,15 10,26 10,26"},
	} {
		if got := chart.Arrow(c.x0, c.x1, 4, 22); got != c.want {
			t.Errorf("from %g to %g: %s, want %s", c.x0, c.x1, got, c.want)
		}
	}
	if got := chart.Points(nil); got != "" {
		t.Errorf("no points: %q", got)
	}
}
