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
		s += " · the sample that comes with this page"
	}
	return s + " · " + c.App.bundle.Name + " " + c.App.bundle.Version
}

func (c *RunBar) cancelText() string {
	if c.App.run.stopping {
		return "Stopping…"
	}
	return "Cancel"
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
	s := plural(p.Rows, "row", "rows") + " · " + size(p.Bytes) + " of " + size(p.Total)
	if a.run.seconds > 0.2 && p.Rows > 0 {
		s += " · " + count(int64(float64(p.Rows)/a.run.seconds)) + " rows/s"
	}
	if left, ok := p.Remaining(a.run.seconds); ok && a.run.seconds > 0.5 {
		s += " · about " + span(left) + " left"
	}
	return s
}

// doneText says what a finished run did.
func (a *App) doneText() string {
	s := plural(int64(a.store.rows()), "row", "rows") + " scored in " + decimal(a.run.seconds, 1) + " s"
	if a.run.seconds > 0.2 && a.store.rows() > 0 {
		s += " · " + count(int64(float64(a.store.rows())/a.run.seconds)) + " rows/s"
	}
	if a.summary != nil && a.summary.Rejected > 0 {
		s += " · " + plural(a.summary.Rejected, "row was", "rows were") + " dropped"
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
		return "Cancelled. What follows covers the " + plural(int64(c.App.store.rows()), "row", "rows") + " scored before, not the whole file."
	case s.Stopped != "":
		return "Stopped early: " + sentence(s.Stopped) + " What follows covers the rows scored before."
	}
	return ""
}

func (c *RunBar) unlisted() string {
	if n := c.App.store.rows() - c.App.store.listed(); n > 0 {
		return "The table and the exports hold the first " + count(int64(c.App.store.listed())) + " rows. The other " + count(int64(n)) + " are in the histogram and in the flagged count only."
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
	s := "Memory: page " + size(m.Page)
	var all int64
	for _, w := range m.Workers {
		all += w
	}
	if all > 0 {
		s += ", " + plural(int64(len(m.Workers)), "worker", "workers") + " " + size(all)
	}
	return s + " · each may take " + size(wasmLimit)
}

// memoryShare is that of the program that is nearest to its limit.
func (c *RunBar) memoryShare() string {
	most := c.App.run.memory.Page
	for _, w := range c.App.run.memory.Workers {
		most = max(most, w)
	}
	return attribute(float64(most) / wasmLimit)
}
