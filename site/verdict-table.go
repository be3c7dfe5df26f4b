package site

import (
	"strconv"

	"cloister/site/internal/query"

	"github.com/vugu/vugu"
)

// VerdictTable is the grid of verdicts. Only rows in sight are in the
// document.
type VerdictTable struct {
	App *App

	heads  []heading
	win    window
	rows   []tableRow
	offers []query.Completion
	offer  int // the one that is chosen, -1 for none
	inside bool
}

// Compute chooses the rows to draw.
func (c *VerdictTable) Compute() {
	c.heads = c.App.headings()
	c.win = newWindow(len(c.App.view.index), c.App.table.top, c.App.table.height)
	c.rows = c.App.visible(c.win, c.heads)
}

// Rendered measures the table when it has just come into the document.
func (c *VerdictTable) Rendered(ctx vugu.RenderedCtx) {
	if ctx.First() {
		go c.App.update(c.App.measure)
	}
}

func (c *VerdictTable) f() filter { return c.App.view.filter }

func (c *VerdictTable) counts() string {
	shown, listed := int64(len(c.App.view.index)), int64(c.App.store.listed())
	s := plural(listed, "row", "rows")
	if shown != listed {
		s = sayf("{0} of {1}", count(shown), s)
	}
	if c.App.working {
		s += " · " + say("working…")
	}
	return s
}

func (c *VerdictTable) option(k int, n int64) string {
	return c.App.store.classes[k].Name + " (" + count(n) + ")"
}

func (c *VerdictTable) chooseClass(e vugu.DOMEvent) {
	f := c.f()
	k, err := strconv.Atoi(e.PropString("target", "value"))
	if err != nil || k >= len(c.App.store.classes) {
		k = -1
	}
	f.class = k
	c.App.filterBy(f)
}

func (c *VerdictTable) onlyFlagged(e vugu.DOMEvent) {
	f := c.f()
	f.flagged = e.PropBool("target", "checked")
	c.App.filterBy(f)
}

func (c *VerdictTable) group(e vugu.DOMEvent) {
	c.App.groups.by = e.PropString("target", "value")
	c.App.keepSettings()
	c.App.work()
}

func (c *VerdictTable) reset() {
	c.App.filterBy(everything)
	c.App.host.Focus("grid")
}

func (c *VerdictTable) busy() string { return strconv.FormatBool(c.App.working) }

// active is the id of the row that the cursor is on, if it is drawn.
func (c *VerdictTable) active() string {
	if at := c.App.table.cursor; at >= c.win.from && at < c.win.to {
		return rowID(c.App.view.index[at])
	}
	return ""
}

func (c *VerdictTable) selected(r tableRow) string {
	return strconv.FormatBool(r.at == c.App.table.cursor)
}

func (c *VerdictTable) height() string { return "height:" + px(c.win.total) + "px" }

func (c *VerdictTable) offset() string { return "transform:translateY(" + px(c.win.offset) + "px)" }

func (c *VerdictTable) tip(h heading) string {
	return sayf("Sort by {0}: {1}", h.title, h.tip)
}

func (c *VerdictTable) mark(h heading) string {
	return map[string]string{"ascending": "▲", "descending": "▼"}[c.App.sorted(h)]
}

// none says why the table is empty, "" if it is not.
func (c *VerdictTable) none() string {
	a := c.App
	switch {
	case len(a.view.index) > 0 || a.working:
		return ""
	case a.store.listed() > 0 && c.f().flagged && a.nFlagged == 0:
		return say("No row reaches the threshold, so nothing is flagged.")
	case a.store.listed() > 0:
		return say("No row passes the filter.")
	case a.phase == scoring:
		return say("Waiting for the first rows…")
	}
	return say("There are no verdicts.")
}

func (c *VerdictTable) scrolled(e vugu.DOMEvent) {
	c.App.table.top = e.PropFloat64("target", "scrollTop")
	c.App.table.height = e.PropFloat64("target", "clientHeight")
}

func (c *VerdictTable) key(e vugu.DOMEvent) {
	if modified(e) {
		return
	}
	key := e.PropString("key")
	if (key == "Enter" || key == " ") && e.PropString("target", "tagName") == "BUTTON" {
		return // a heading
	}
	if c.App.gridKey(key) {
		e.PreventDefault()
	}
}

func (c *VerdictTable) click(r tableRow) {
	c.App.table.cursor = r.at
	c.App.inspect(r.store)
}
