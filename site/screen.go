package site

import (
	"strconv"

	"cloister/site/internal/text"
)

// screen is one of the views on a run.
type screen struct {
	id     string
	title  text.Key
	schema string // of the bundles that it is for, "" for all
}

// screens are the tabs, in order. The first is shown when a run begins.
var screens = []screen{
	{"verdicts", "Verdicts", ""},
	{"why", "Why", ""},
	{"threshold", "Threshold", ""},
	{"anomalies", "Anomalies", ""},
	{"attack", "ATT&CK", ""},
	{"telemetry", "Devices", telemetrySchema},
	{"bundles", "Bundles", ""},
}

// on reports whether a screen is on show.
func (a *App) on(id string) bool {
	for _, s := range a.screens() {
		if s.id == a.screen {
			return id == s.id
		}
	}
	return id == screens[0].id
}

// screens are those for the bundle.
func (a *App) screens() []screen {
	var out []screen
	for _, s := range screens {
		if s.schema == "" || s.schema == a.bundle.Schema {
			out = append(out, s)
		}
	}
	return out
}

// open shows a screen.
func (a *App) openScreen(id string) {
	a.screen = id
	a.keepSettings()
	a.work()
}

// shown lists what has to be computed for what is on show.
func (a *App) shown() []derived {
	if !a.scored() {
		return nil
	}
	switch {
	case a.on("verdicts"):
		return []derived{&a.timeline, &a.groups}
	case a.on("threshold"):
		return []derived{&a.measured}
	case a.on("anomalies"):
		return []derived{&a.timeline, &a.strange}
	case a.on("attack"):
		return []derived{&a.matrix}
	case a.on("telemetry"):
		return []derived{&a.fleet}
	}
	return nil
}

// Tabs switches between screens.
type Tabs struct {
	App *App
}

func (c *Tabs) current(s screen) string {
	if c.App.on(s.id) {
		return "page"
	}
	return "false"
}

func (c *Tabs) id(s screen) string { return "tab-" + s.id }

// key is the digit that opens a screen.
func (c *Tabs) key(i int) string { return strconv.Itoa(i + 1) }
