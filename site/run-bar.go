package site

// RunBar is the head of a run: the file, how far it is, what to do with it.
type RunBar struct {
	App *App
}

func (c *RunBar) what() string {
	s := size(c.App.run.size)
	if c.App.summary != nil && c.App.summary.Format != "" {
		s += " · " + c.App.summary.Format
	}
	if c.App.run.sample {
		s += " · " + say("the sample that comes with this page")
	}
	return s + " · " + c.App.bundle.Name + " " + c.App.bundle.Version
}

func (c *RunBar) cancelText() string {
	if c.App.run.stopping {
		return say("Stopping…")
	}
	return say("Cancel")
}

func (c *RunBar) shown() string {
	return plural(int64(len(c.App.view.index)), "row", "rows")
}

// share is how much of the file is consumed, as the attribute wants it.
func (c *RunBar) share() string {
	p := c.App.run.progress
	if p.Total <= 0 {
		return "0"
	}
	return attribute(min(float64(p.Bytes)/float64(p.Total), 1))
}

// progressText says how far the run is: rows, bytes, speed, time left.
func (a *App) progressText() string {
	p := a.run.progress
	s := sayf("{0} · {1} of {2}", plural(p.Rows, "row", "rows"), size(p.Bytes), size(p.Total))
	if a.run.seconds > 0.2 && p.Rows > 0 {
		s += " · " + sayf("{0} rows/s", count(int64(float64(p.Rows)/a.run.seconds)))
	}
	if left, ok := p.Remaining(a.run.seconds); ok && a.run.seconds > 0.5 {
		s += " · " + sayf("about {0} left", span(left))
	}
	return s
}

// doneText says what a finished run did.
func (a *App) doneText() string {
	s := sayf("{0} scored in {1} s", plural(int64(a.store.rows()), "row", "rows"), decimal(a.run.seconds, 1))
	if a.run.seconds > 0.2 && a.store.rows() > 0 {
		s += " · " + sayf("{0} rows/s", count(int64(float64(a.store.rows())/a.run.seconds)))
	}
	if a.summary != nil && a.summary.Rejected > 0 {
		s += " · " + sayf("{0} dropped", plural(a.summary.Rejected, "row was", "rows were"))
	}
	return s
}

// stopped says why a run ended early, "" if it did not.
func (c *RunBar) stopped() string {
	s := c.App.summary
	switch {
	case s == nil:
		return ""
	case s.Cancelled:
		return sayf("Cancelled. What follows covers the {0} scored before, not the whole file.", plural(int64(c.App.store.rows()), "row", "rows"))
	case s.Stopped != "":
		return sayf("Stopped early: {0} What follows covers the rows scored before.", sentence(s.Stopped))
	}
	return ""
}

func (c *RunBar) unlisted() string {
	if n := c.App.store.rows() - c.App.store.listed(); n > 0 {
		return sayf("The table and the exports hold the first {0} rows. The other {1} are in the histogram and in the flagged count only.", count(int64(c.App.store.listed())), count(int64(n)))
	}
	return ""
}

// wasmLimit is the most memory that one program can have.
const wasmLimit = 4 << 30

// memory says what the programs take up, "" if that is not known.
func (c *RunBar) memory() string {
	m := c.App.run.memory
	if m.Page == 0 {
		return ""
	}
	s := sayf("Memory: page {0}", size(m.Page))
	var all int64
	for _, w := range m.Workers {
		all += w
	}
	if all > 0 {
		s += ", " + plural(int64(len(m.Workers)), "worker", "workers") + " " + size(all)
	}
	return sayf("{0} · each may take {1}", s, size(wasmLimit))
}

// memoryShare is that of the program that is nearest to its limit.
func (c *RunBar) memoryShare() string {
	most := c.App.run.memory.Page
	for _, w := range c.App.run.memory.Workers {
		most = max(most, w)
	}
	return attribute(float64(most) / wasmLimit)
}
