package site

// SummaryStrip is the run in a dozen figures. Each name in its lists filters
// the table.
type SummaryStrip struct {
	App *App
}

// topList is one of the strip's lists.
type topList struct {
	title, none string
	entries     []topEntry
}

type topEntry struct {
	text, full, count, width string
	pressed                  string
	choose                   func()
}

func (c *SummaryStrip) lists() []topList {
	a := c.App
	hosts := say("Top sources")
	if n := a.tops.hostCount; n > len(a.tops.hosts) {
		hosts += " " + sayf("of {0}", count(int64(n)))
	}
	none := say("No row reaches the threshold.")
	noHost := none
	if a.nFlagged > 0 {
		noHost = say("The file names no source.")
	}
	noTechnique := none
	if a.nFlagged > 0 {
		noTechnique = say("The flagged classes map to no technique.")
	}
	return []topList{
		{say("Top classes, flagged"), none, c.entries(a.tops.classes, false)},
		{sayf("{0}, flagged", hosts), noHost, c.entries(a.tops.hosts, false)},
		{say("Top techniques, flagged"), noTechnique, c.entries(a.tops.techniques, true)},
	}
}

func (c *SummaryStrip) entries(e []entry, techniques bool) []topEntry {
	var out []topEntry
	for _, x := range e {
		t := topEntry{text: x.name, count: count(x.n), width: px(100 * float64(x.n) / float64(max(e[0].n, 1)))}
		if techniques {
			if name := techniqueName(x.name); name != "" {
				t.text += " " + name
			}
		}
		t.full = sayf("{0}: {1}. Shows them in the table.", t.text, plural(x.n, "flagged row", "flagged rows"))
		f := filter{class: x.class, flagged: true}
		if x.class < 0 {
			f.text = x.filter
		}
		on := c.App.view.filter == f
		t.pressed = map[bool]string{true: "true", false: "false"}[on]
		t.choose = func() {
			if on {
				f = everything
			}
			c.App.filterBy(f)
		}
		out = append(out, t)
	}
	return out
}
