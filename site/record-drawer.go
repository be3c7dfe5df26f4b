package site

import (
	"strconv"

	"cloister/shared/job"

	"github.com/vugu/vugu"
)

// RecordDrawer is the open record: verdict, why, what it maps to, evidence.
type RecordDrawer struct {
	App *App
}

// Rendered measures the drawer when it has just come into the document.
func (c *RecordDrawer) Rendered(ctx vugu.RenderedCtx) {
	if ctx.First() {
		go c.App.update(c.App.measure)
	}
}

func (c *RecordDrawer) d() *drawerState { return &c.App.drawer }

func (c *RecordDrawer) r() *job.Record { return c.App.drawer.record }

func (c *RecordDrawer) k() job.Class { return c.App.recordClass() }

func (c *RecordDrawer) flagged() bool {
	return c.App.store.attack[c.d().at] >= c.App.threshold
}

func (c *RecordDrawer) held() bool { return c.App.store.abstained[c.d().at] }

func (c *RecordDrawer) heldText() string {
	return "No class reaches " + percent(c.App.bundle.Abstain) + ", so the verdict is withheld. The class above is the most probable one."
}

func (c *RecordDrawer) anomaly() string {
	v := c.App.store.anomaly[c.d().at]
	if v != v {
		return noValue
	}
	return percent(v)
}

// sentence is the verdict in words; until the explanation is there, a plain
// one.
func (c *RecordDrawer) sentence() string {
	if r := c.r(); r != nil && r.Sentence != "" {
		return r.Sentence
	}
	return "Stranger than " + c.anomaly() + " of the training rows."
}

func (c *RecordDrawer) shares() []classShare {
	return shares(c.r(), c.App.store.classes)
}

func (c *RecordDrawer) shareName(s classShare) string {
	if s.verdict {
		return "▸ " + s.name
	}
	return s.name
}

func (c *RecordDrawer) fieldText(f job.Field) string {
	switch {
	case f.Value == "":
		return noValue
	case roleOf(f.Name) == roleTime:
		if v, err := strconv.ParseFloat(f.Value, 64); err == nil && v > 1e8 {
			return moment(v) + " UTC (" + f.Value + " " + f.Unit + ")"
		}
	case f.Unit == "":
		return f.Value
	}
	return f.Value + " " + f.Unit
}

// key moves through the rows without leaving the record.
func (c *RecordDrawer) key(e vugu.DOMEvent) {
	if modified(e) {
		return
	}
	switch e.PropString("key") {
	case "j":
		c.App.move(c.App.table.cursor + 1)
	case "k":
		c.App.move(c.App.table.cursor - 1)
	}
}
