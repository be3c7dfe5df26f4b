package site

import (
	"math"
	"strconv"
	"strings"
)

// Sizes of the time lines of devices.
const (
	fleetWidth = 960.0
	fleetLeft  = 150.0
	fleetRight = fleetWidth - 44
	markStrip  = 15.0 // above each lane, for scenarios
)

// height is how high a value stands in a lane, 0 to 1. Percentiles are drawn by
// how rare they make a window: 90 %, 99 % and 99.9 % are a third apart.
func (k fleetKey) height(v float64) float64 {
	switch {
	case v != v:
		return 0
	case k.attack:
		return min(max(v, 0), 1)
	case v >= 0.999:
		return 1
	}
	return max(-math.Log10(1-max(v, 0))/3, 0.02)
}

func (k fleetKey) text(v float64) string {
	if k.attack {
		return decimal(v, 3)
	}
	return percent(v)
}

func (k fleetKey) valueName() string {
	if k.attack {
		return say("Attack score")
	}
	return say("Anomaly percentile")
}

// path is a shape of its own outline.
func path(class, d, tip string) shape {
	return shape{"path", []string{"class", class, "d", d}, "", tip}
}

// fleetDrawing is the time lines, and where the cursor goes on them.
type fleetDrawing struct {
	figure
	tops        map[*deviceCount]float64 // of the lanes
	lane, pitch float64                  // height of a lane, width of a bar
	across      func(at float64) float64
}

// at returns the drawing with the cursor on a window.
func (f *fleetDrawing) at(x *fleet, s *store) *figure {
	out := f.figure
	i := x.window()
	if i < 0 {
		return &out
	}
	if top, ok := f.tops[x.cursor.device]; ok {
		at := f.across(s.time(int(i))) + f.pitch/2
		v := top + f.lane - x.key.height(s.value(i, x.key.attack))*(f.lane-2)
		out.shapes = append(f.shapes[:len(f.shapes):len(f.shapes)], stroke("fig-pick", at, top-2, at, top+f.lane+3), dot("fig-ring", at, v, 4, ""))
	}
	return &out
}

// draw draws a lane for each device: heights, the limit, and scenarios as
// lettered triangles.
func (x *fleet) draw() *fleetDrawing {
	n, key := &x.done, x.key
	f := &fleetDrawing{figure: figure{name: "devices", title: say("Time line by device"), w: fleetWidth,
		head: []string{say("Device"), sayf("From ({0})", clockName()), say("To"), say("Windows"), say("Highest"), say("At the limit"), say("Scenarios"), say("Simulated")}}}
	lane := 40.0
	if len(n.lanes) == 1 {
		lane = 120
	}
	across := func(at float64) float64 {
		return fleetLeft + (at-n.lo)/max(n.end()-n.lo, 1)*(fleetRight-fleetLeft)
	}
	bins := n.bins()
	pitch := (fleetRight - fleetLeft) / float64(bins)
	thick := max(pitch-min(1, pitch/4), 0.5)
	var over int64
	tops := map[*deviceCount]float64{}
	for i, d := range n.lanes {
		top := float64(i)*(lane+markStrip+4) + markStrip
		tops[d] = top
		bottom := top + lane
		y := func(v float64) float64 { return bottom - key.height(v)*(lane-2) }
		f.add(label("", fleetLeft-8, bottom-lane/2, "end", short(d.name, 20)))
		if d.simulated > 0 {
			note := say("SIMULATED")
			if d.simulated < int64(len(d.rows)) {
				note = say("partly SIMULATED")
			}
			f.add(label("fig-stamp", fleetLeft-8, bottom-lane/2+15, "end", note))
		}
		limit := y(key.limit)
		f.add(stroke("fig-grid", fleetLeft, bottom-lane+2, fleetRight, bottom-lane+2), stroke("fig-dash", fleetLeft, limit, fleetRight, limit), stroke("fig-axis", fleetLeft, bottom, fleetRight, bottom))
		f.add(label("fig-muted", fleetRight+4, limit+4, "start", key.text(key.limit)))
		var cool strings.Builder
		for k, b := range d.bins {
			if b.n == 0 {
				continue
			}
			from, to := n.from(k), n.from(k+1)
			left, high := fleetLeft+float64(k)*pitch, y(b.top)
			if b.over > 0 {
				over += int64(b.over)
				r := rectangle("fig-hot", left, high, thick, bottom-high, d.name+", "+moment(from)+": "+key.text(b.top)+", "+sayf("{0} of {1} at the limit", count(int64(b.over)), plural(int64(b.n), "window", "windows")))
				r.attrs = append(r.attrs, "data-row", strconv.Itoa(int(b.row)))
				f.add(r)
			} else {
				cool.WriteString("M" + px(left) + " " + px(high) + "h" + px(thick) + "V" + px(bottom) + "h" + px(-thick) + "z")
			}
			simulated, scenarios := noValue, noValue
			if d.simulated == int64(len(d.rows)) {
				simulated = say("yes")
			} else if d.simulated > 0 {
				simulated = say("partly")
			}
			for _, e := range n.episodes {
				if e.device == d && e.from < to && e.to > from {
					scenarios = strings.TrimPrefix(scenarios+", "+e.text, noValue+", ")
				}
			}
			f.rows = append(f.rows, []string{d.name, moment(from), moment(to), count(int64(b.n)), key.text(b.top), count(int64(b.over)), scenarios, simulated})
		}
		if cool.Len() > 0 {
			f.add(path("fig-cool", cool.String(), ""))
		}
	}
	f.tops, f.lane, f.pitch, f.across = tops, lane, pitch, across
	x.marks(f)
	bottom := float64(len(n.lanes))*(lane+markStrip+4) + 4
	f.h = bottom + 20
	f.add(label("fig-muted", fleetLeft, bottom+13, "start", moment(n.lo)+" "+clockName()), label("fig-muted", fleetRight, bottom+13, "end", moment(n.end())))
	line := "▼"
	for i, text := range n.scenarios { // the letters, in lines that fit
		if line += " " + n.letter(text) + " " + text; i+1 == len(n.scenarios) || len(line) > 110 {
			f.h += 17
			f.add(label("", fleetLeft, f.h-6, "start", line))
			line = ""
		} else {
			line += " ·"
		}
	}
	f.desc = sayf("{0} of {1}: {2} at the limit of {3} ({4}), {5}.", plural(int64(len(n.lanes)), "device", "devices"), count(int64(len(n.devices))),
		plural(over, "window", "windows"), key.text(key.limit), key.valueName(), plural(int64(len(n.episodes)), "match of a scenario", "matches of a scenario"))
	scale := say("Each bar is the highest anomaly percentile in its stretch of time, drawn by rarity: 90 % is a third of the height, 99 % two thirds, 99.9 % all of it.")
	if key.attack {
		scale = say("Each bar is the highest attack score in its stretch of time, from 0 to 1.")
	}
	f.notes = append(f.notes, scale+" "+say("The dashed line is the limit; bars that reach it have the colour of alerts and open their record. A triangle is a scenario and filters the table."))
	if n.simulated > 0 {
		f.notes = append(f.notes, sayf("SIMULATED: {0} of {1} windows were made up by a simulator.", count(n.simulated), count(n.windows)))
	}
	if k := len(n.devices) - len(n.lanes); k > 0 {
		f.notes = append(f.notes, sayf("{0} more below: choose one to see it.", plural(int64(k), "device", "devices")))
	}
	return f
}

// marks draws the episodes. A letter stands beside each triangle and says which
// scenario it is; its name follows where there is room.
func (x *fleet) marks(f *fleetDrawing) {
	n, across := &x.done, f.across
	free := map[*deviceCount]float64{} // where the last text ends
	for k, e := range n.episodes {
		top, ok := f.tops[e.device]
		if !ok {
			continue
		}
		at := across(e.from)
		tip := sayf("{0} on {1}, {2} to {3}: {4}", e.text, e.device.name, moment(e.from), moment(e.to), plural(int64(e.rows), "window", "windows"))
		row := strconv.Itoa(-1 - k)
		f.add(stroke("fig-line", at, top-4, max(across(e.to), at+1), top-4))
		m := path("fig-pos", "M"+px(at-4)+" "+px(top-13)+"h8l-4 8z", tip)
		m.attrs = append(m.attrs, "data-row", row)
		f.add(m)
		if at+5 < free[e.device] {
			continue
		}
		text, left, anchor := n.letter(e.text), at+6, "start"
		room := fleetRight - at
		for _, next := range n.episodes[k+1:] {
			if next.device == e.device {
				room = across(next.from) - at
				break
			}
		}
		full := text + " " + e.text
		switch width := textWidth(full) + 12; {
		case width < room:
			text = full
		case at-width > max(free[e.device], fleetLeft): // before it, then
			text, left, anchor = full, at-6, "end"
		}
		t := label("fig-letter", left, top-6, anchor, text)
		t.attrs = append(t.attrs, "data-row", row)
		f.add(t)
		free[e.device] = at + 6
		if anchor == "start" {
			free[e.device] += textWidth(text)
		}
	}
}

// textWidth is about how many px a bold label takes.
func textWidth(s string) float64 { return 7.2 * float64(len([]rune(s))) }
