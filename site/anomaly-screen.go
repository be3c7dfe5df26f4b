package site

import (
	"strconv"

	"github.com/vugu/vugu"
)

// AnomalyScreen shows what the anomaly model finds strange: when, how much at
// which limit, and from whom.
type AnomalyScreen struct {
	App *App
}

func (c *AnomalyScreen) x() *anomalies { return &c.App.strange }

func (c *AnomalyScreen) state() string {
	d := &c.x().done
	if d.known == 0 {
		return say("The bundle has no anomaly model, or no row was scored.")
	}
	return sayf("{0} strange, {1} of those scored", plural(d.strange, "row is", "rows are"), share(d.strange, d.known))
}

func (c *AnomalyScreen) limit() string {
	return strconv.FormatFloat(c.App.strangeLimit(), 'f', -1, 64)
}

func (c *AnomalyScreen) typed(e vugu.DOMEvent) {
	if v, err := strconv.ParseFloat(e.PropString("target", "value"), 64); err == nil && v == v {
		c.x().limit = min(max(v, 0.5), 1)
		c.App.work()
	}
}

// list shows the strange rows in the table, the strangest first.
func (c *AnomalyScreen) list() {
	a := c.App
	a.setFilter("anomaly >= " + c.limit())
	a.show(a.view.filter, order{byAnomaly, true})
	a.openScreen(screens[0].id)
	a.host.Focus("grid")
}

func (c *AnomalyScreen) head() []string {
	return []string{say("Source"), say("Rows"), say("Strange"), say("Share"), say("Strangest"), say("Flagged")}
}

func (c *AnomalyScreen) rows() [][]string {
	hosts := c.App.store.find(roleSource)
	var out [][]string
	for _, h := range c.x().done.list {
		out = append(out, []string{hosts.words[h.code], count(h.rows), count(h.strange), share(h.strange, h.rows), percent(h.top), count(h.hot)})
	}
	return out
}

func (c *AnomalyScreen) choose(k int) {
	a := c.App
	hosts := a.store.find(roleSource)
	if k < len(c.x().done.list) {
		a.setFilter(equals(a.store.fieldName(hosts), hosts.words[c.x().done.list[k].code]) + " and anomaly >= " + c.limit())
		a.openScreen(screens[0].id)
		a.host.Focus("grid")
	}
}
