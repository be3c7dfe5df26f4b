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
		return say("Cancelled before the first row was scored")
	case s.Rows == 0:
		return say("The file was read, and it holds no rows")
	}
	return sayf("None of the {0} could be scored", plural(s.Rows, "row", "rows"))
}

func (c *Results) why() string {
	s := c.App.summary
	if len(s.Rejects) > 0 {
		r := s.Rejects[0]
		return sayf("The first one, row {0}, was dropped: {1}. {2}", count(r.Row), r.Reason, r.Detail)
	}
	if s.Rows == 0 {
		return sayf("It was taken for {0}. A heading line alone, or an export that matched nothing, looks like this.", s.Format)
	}
	return sentence(s.Stopped)
}
