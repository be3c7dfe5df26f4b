package site

import (
	"strconv"

	"github.com/vugu/vugu"
)

// FigureCard shows a figure with its table twin, and saves both.
type FigureCard struct {
	App    *App
	Figure *figure
	Choose func(row int32) // called when a dot of a row is clicked; may be nil

	table bool
}

func (c *FigureCard) pressed() string { return strconv.FormatBool(c.table) }

func (c *FigureCard) save(svg bool) {
	name := baseName(c.App.run.name) + "." + c.Figure.name
	if svg {
		c.App.host.Download(name+".svg", "image/svg+xml", [][]byte{c.Figure.svg()})
		c.App.notice = sayf("Saved {0}.svg.", name)
		return
	}
	c.App.host.Download(name+".csv", "text/csv;charset=utf-8", [][]byte{c.Figure.csv()})
	c.App.notice = sayf("Saved {0}.csv.", name)
}

// Drawing is a figure's SVG.
type Drawing struct {
	Figure *figure
	Choose func(row int32)
}

// Build implements [vugu.Builder]: shapes are elements already, and a template
// for each tag would only be longer.
func (c *Drawing) Build(*vugu.BuildIn) *vugu.BuildOut {
	svg := node(nil, "svg\x1fsvg\x1fclass\x1ffig\x1frole\x1fimg")
	set(svg, "viewBox", c.Figure.viewBox(), "aria-label", c.Figure.title+". "+c.Figure.desc)
	if c.Choose != nil {
		choose := c.Choose
		on(svg, "click", func(e vugu.DOMEvent) {
			if row, err := strconv.Atoi(e.PropString("target", "dataset", "row")); err == nil {
				choose(int32(row))
			}
		})
	}
	for _, s := range c.Figure.shapes {
		n := node(svg, "svg\x1f"+s.tag)
		set(n, s.attrs...)
		if s.text != "" {
			words(n, s.text)
		}
		if s.tip != "" {
			words(node(n, "svg\x1ftitle"), s.tip)
		}
	}
	return &vugu.BuildOut{Out: []*vugu.VGNode{svg}}
}

// set appends attributes, given as names and values.
func set(n *vugu.VGNode, attrs ...string) {
	for i := 0; i+1 < len(attrs); i += 2 {
		n.Attr = append(n.Attr, vugu.VGAttribute{Key: attrs[i], Val: attrs[i+1]})
	}
}

// FactTable is a plain table of texts; the first column heads its rows, the
// others are numbers.
type FactTable struct {
	Name   string
	Head   []string
	Rows   [][]string
	Choose func(row int) // makes the headings of the rows buttons; may be nil
}

// Build implements [vugu.Builder].
func (c *FactTable) Build(*vugu.BuildIn) *vugu.BuildOut {
	box := node(nil, "\x1fdiv\x1fclass\x1fscrolls\x1ftabindex\x1f0\x1frole\x1fregion")
	set(box, "aria-label", sayf("{0}, table", c.Name))
	table := node(box, "\x1ftable\x1fclass\x1fplain-table small")
	row := node(node(table, "\x1fthead"), "\x1ftr")
	for i, h := range c.Head {
		cell := "\x1fth\x1fscope\x1fcol\x1fclass\x1fnum"
		if i == 0 {
			cell = "\x1fth\x1fscope\x1fcol"
		}
		words(node(row, cell), h)
	}
	body := node(table, "\x1ftbody")
	for k, cells := range c.Rows {
		row := node(body, "\x1ftr")
		for i, v := range cells {
			switch {
			case i > 0:
				words(node(row, "\x1ftd\x1fclass\x1fnum breaks"), v)
			case c.Choose != nil:
				button := node(node(row, "\x1fth\x1fscope\x1frow"), "\x1fbutton\x1ftype\x1fbutton\x1fclass\x1flink breaks")
				words(button, v)
				choose, k := c.Choose, k
				on(button, "click", func(vugu.DOMEvent) { choose(k) })
			default:
				words(node(row, "\x1fth\x1fscope\x1frow\x1fclass\x1fbreaks"), v)
			}
		}
	}
	return &vugu.BuildOut{Out: []*vugu.VGNode{box}}
}
