package site

// GroupCard lists the groups of the rows in the table; choosing one filters.
type GroupCard struct {
	App *App
}

func (c *GroupCard) title() string { return sayf("By {0}", said(c.App.groups.by)) }

func (c *GroupCard) counts() string {
	g := &c.App.groups
	s := plural(int64(g.all), "group", "groups")
	if g.all > len(g.list) {
		s = sayf("the first {0} of {1}", count(int64(len(g.list))), s)
	}
	return sayf("{0} among the rows that pass the filter", s)
}

func (c *GroupCard) head() []string {
	return []string{say("Group"), say("Rows"), say("Flagged"), say("Highest score"), say("Strangest")}
}

func (c *GroupCard) rows() [][]string {
	var out [][]string
	for _, g := range c.App.groups.list {
		out = append(out, []string{g.name, count(g.rows), count(g.hot), decimal(g.top, 3), percent(g.strange)})
	}
	return out
}

func (c *GroupCard) choose(k int) {
	a := c.App
	if k >= len(a.groups.list) {
		return
	}
	text := a.groups.list[k].filter
	if old := a.view.filter.text; old != "" {
		text = "(" + old + ") and " + text
	}
	a.setFilter(text)
	a.openScreen(screens[0].id)
	a.host.Focus("grid")
}
