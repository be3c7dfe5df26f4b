package site

import (
	"strings"

	"cloister/shared/report"

	"github.com/vugu/vugu"
)

// TelemetryScreen shows windows of devices over time, what stands out among
// them and which scenarios they fit.
type TelemetryScreen struct {
	App *App

	fig   *figure
	drawn *fleetDrawing
	of    drawnOf
}

// drawnOf is what a drawing depends on, but for the cursor.
type drawnOf struct {
	store           *store
	key             fleetKey
	language, clock string
}

func (c *TelemetryScreen) x() *fleet { return &c.App.fleet }

func (c *TelemetryScreen) n() *fleetCounts { return &c.App.fleet.done }

// Compute draws the time lines.
func (c *TelemetryScreen) Compute() {
	c.fig = nil
	if len(c.n().lanes) > 0 {
		c.x().begin(c.App.store)
		if of := (drawnOf{c.App.store, c.x().key, tongue.Code, clockName()}); c.drawn == nil || c.of != of {
			c.drawn, c.of = c.x().draw(), of
		}
		c.fig = c.drawn.at(c.x(), c.App.store)
	}
}

func (c *TelemetryScreen) state() string {
	n := c.n()
	if n.windows == 0 {
		return say("No window names its device and its time.")
	}
	return sayf("{0} of {1}, {2} to {3}", plural(n.windows, "window", "windows"), plural(int64(len(n.devices)), "device", "devices"), moment(n.lo), moment(n.end())+" "+clockName())
}

func (c *TelemetryScreen) simulated() string {
	return sayf("SIMULATED: {0} of {1} windows", count(c.n().simulated), count(c.n().windows))
}

func (c *TelemetryScreen) chooseValue(e vugu.DOMEvent) {
	c.x().attack = e.PropString("target", "value") == "score"
	c.App.work()
}

func (c *TelemetryScreen) all() {
	c.x().only = ""
	c.App.work()
}

// choose opens the record of a bar; numbers below zero stand for episodes.
func (c *TelemetryScreen) choose(row int32) {
	if row < 0 {
		c.filter(int(-1 - row))
		return
	}
	if d := c.n().byCode[c.code(row)]; d != nil {
		c.x().cursor = spot{d, d.near(c.App.store, c.App.store.time(int(row)))}
	}
	c.App.openRow(row)
}

func (c *TelemetryScreen) code(row int32) uint32 {
	if hosts := c.App.store.find(roleSource); hosts != nil && hosts.numbers == nil && int(row) < len(hosts.codes) {
		return hosts.codes[row]
	}
	return 0
}

// filter shows the windows of an episode in the table.
func (c *TelemetryScreen) filter(k int) {
	a := c.App
	if k < 0 || k >= len(c.n().episodes) {
		return
	}
	e := c.n().episodes[k]
	hosts, scenario := a.store.find(roleSource), a.store.columnOf(fieldScenario)
	a.filterBy(filter{class: -1, text: equals(a.store.fieldName(scenario), e.text) + " and " + equals(a.store.fieldName(hosts), e.device.name), time: stretch{true, e.from, e.to}})
	a.openScreen(screens[0].id)
	a.host.Focus("grid")
}

// key moves along the windows.
func (c *TelemetryScreen) key(e vugu.DOMEvent) {
	if modified(e) {
		return
	}
	key := e.PropString("key")
	if c.x().move(c.App.store, key) {
		e.PreventDefault()
	} else if key == "Enter" || key == " " {
		e.PreventDefault()
		c.App.openRow(c.x().window())
	}
}

// valueText describes the window of the cursor in words.
func (c *TelemetryScreen) valueText() string {
	i, s := c.x().window(), c.App.store
	if i < 0 {
		return say("No window")
	}
	parts := []string{c.x().cursor.device.name, moment(s.time(int(i))) + " " + clockName()}
	if v := s.anomaly[i]; v == v {
		parts = append(parts, say("anomaly")+" "+percent(v))
	}
	parts = append(parts, say("attack score")+" "+decimal(s.attack[i], 3))
	if s.flags(int(i), c.App.threshold) {
		parts = append(parts, "⚑ "+say("flagged"))
	}
	if t := s.columnOf(fieldScenario).word(i); t != "" {
		parts = append(parts, "▼ "+t)
	}
	if s.columnOf(fieldSimulated).word(i) != "" {
		parts = append(parts, say("SIMULATED"))
	}
	return strings.Join(parts, ", ")
}

func (c *TelemetryScreen) furthest() string {
	i := c.x().window()
	if i < 0 {
		return ""
	}
	parts := report.ReadParts(c.App.store.columnOf(fieldMetrics).word(i))
	if len(parts) == 0 {
		return say("Nothing is known of the metrics of this window: the device has too short a past.")
	}
	var out []string
	for _, p := range parts {
		out = append(out, p.Metric+" "+percent(p.Share))
	}
	return sayf("Furthest from the device's past: {0}", strings.Join(out, ", "))
}

// place and places are where the cursor stands among the windows of its
// device.
func (c *TelemetryScreen) place() int { return c.x().cursor.k + 1 }

func (c *TelemetryScreen) places() int {
	if d := c.x().cursor.device; d != nil {
		return len(d.rows)
	}
	return 1
}

func (c *TelemetryScreen) deviceHead() []string {
	return []string{say("Device"), say("Windows"), say("Strange"), say("Flagged"), say("Highest"), say("Fitting a scenario"), say("Scenarios"), say("Simulated")}
}

func (c *TelemetryScreen) deviceRows() [][]string {
	var out [][]string
	for _, d := range c.n().devices[:min(len(c.n().devices), maxGroups)] {
		simulated := noValue
		if d.simulated > 0 {
			simulated = share(d.simulated, int64(len(d.rows)))
		}
		out = append(out, []string{d.name, count(int64(len(d.rows))), count(d.strange), count(d.hot), c.x().key.text(d.top), count(d.matched), orNone(strings.Join(d.scenarios, "; ")), simulated})
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return noValue
	}
	return s
}

// chooseDevice shows a device alone, or all again.
func (c *TelemetryScreen) chooseDevice(k int) {
	if k >= len(c.n().devices) {
		return
	}
	name := c.n().devices[k].name
	if c.x().only == name {
		name = ""
	}
	c.x().only = name
	c.App.work()
	c.App.host.Focus("windows")
}

func (c *TelemetryScreen) episodeHead() []string {
	return []string{say("Scenario"), say("Device"), sayf("From ({0})", clockName()), say("To"), say("Windows"), say("Techniques"), say("Simulated")}
}

func (c *TelemetryScreen) episodeRows() [][]string {
	var out [][]string
	for _, e := range c.n().episodes[:min(len(c.n().episodes), maxGroups)] {
		simulated := say("no")
		if e.simulated {
			simulated = say("yes")
		}
		var names []string
		for _, id := range strings.Fields(e.technique) {
			names = append(names, strings.TrimSpace(id+" "+techniqueName(id)))
		}
		out = append(out, []string{c.n().letter(e.text) + " " + e.text, e.device.name, moment(e.from), moment(e.to), count(int64(e.rows)), orNone(strings.Join(names, "; ")), simulated})
	}
	return out
}

func (c *TelemetryScreen) episodeNote() string {
	all := int64(len(c.n().episodes)) + c.n().more
	if all == 0 {
		return say("No window fits a scenario. The rules look at known metrics, such as CPU, disk, network and processes: files without those can fit none.")
	}
	s := say("A rule fits, no more: harmless work may look the same. Windows of one device and scenario at most two windows apart are one line. Choosing one shows its windows in the table.")
	if all > maxGroups {
		s += " " + sayf("The first {0} of {1} are listed.", count(maxGroups), count(all))
	}
	return s
}
