package site

// Results is the page while a file is scored and afterwards.
type Results struct {
	App *App
}

func (c *Results) class() string {
	if c.App.drawer.open {
		return "results with-drawer"
	}
	return "results"
}

// some reports whether there are verdicts, or may be soon.
func (c *Results) some() bool { return c.App.phase == scoring || c.App.store.rows() > 0 }

// timed reports whether there is a time line to show on this screen.
func (c *Results) timed() bool {
	return c.some() && c.App.timeline.ready() && (c.App.on("verdicts") || c.App.on("anomalies"))
}

// grouped reports whether the rows are grouped.
func (c *Results) grouped() bool { return c.some() && c.App.on("verdicts") && c.App.groups.by != "" }

// empty says why a finished run has nothing to show, "" if it has.
func (c *Results) empty() string {
	s := c.App.summary
	switch {
	case c.some() || s == nil:
		return ""
	case s.Cancelled:
		return "Cancelled before the first row was scored"
	case s.Rows == 0:
		return "The file was read, and it holds no rows"
	}
	return "None of the " + plural(s.Rows, "row", "rows") + " could be scored"
}

func (c *Results) why() string {
	s := c.App.summary
	if len(s.Rejects) > 0 {
		r := s.Rejects[0]
		return "The first one, row " + count(r.Row) + ", was dropped: " + r.Reason + ". " + r.Detail
	}
	if s.Rows == 0 {
		return "It was taken for " + s.Format + ". A heading line alone, or an export that matched nothing, looks like this."
	}
	return sentence(s.Stopped)
}
