package site

import (
	"strconv"

	"cloister/shared/attack"
)

// AttackScreen is the ATT&CK matrix of the flagged rows: tactics in the order
// of the release, what was found, what could have been, what cannot be.
type AttackScreen struct {
	App *App

	noGaps bool
}

func (c *AttackScreen) m() *matrix { return &c.App.matrix }

func (c *AttackScreen) title() string { return "ATT&CK " + attack.Version() }

func (c *AttackScreen) state() string {
	found, tactics := map[string]bool{}, 0
	for _, t := range c.m().columns {
		if t.rows > 0 {
			tactics++
		}
		for _, x := range t.cells {
			if x.rows > 0 {
				found[x.id] = true
			}
		}
	}
	if c.m().columns == nil {
		return sayf("Counting…")
	}
	return sayf("{0} in {1}", plural(int64(len(found)), "technique", "techniques"), plural(int64(tactics), "tactic", "tactics"))
}

func (c *AttackScreen) gapsPressed() string { return strconv.FormatBool(!c.noGaps) }

// columns leaves out tactics without rows when gaps are not wanted.
func (c *AttackScreen) columns() []tacticColumn {
	if !c.noGaps {
		return c.m().columns
	}
	var out []tacticColumn
	for _, t := range c.m().columns {
		if t.rows > 0 {
			out = append(out, t)
		}
	}
	return out
}

func (c *AttackScreen) cells(t tacticColumn) []techniqueCell {
	if !c.noGaps {
		return t.cells
	}
	var out []techniqueCell
	for _, x := range t.cells {
		if x.rows > 0 {
			out = append(out, x)
		}
	}
	return out
}

func (c *AttackScreen) tacticLabel(t tacticColumn) string {
	return t.tactic.Name + ", " + c.tacticText(t)
}

func (c *AttackScreen) tacticText(t tacticColumn) string {
	if t.rows == 0 {
		return sayf("no row")
	}
	return plural(t.rows, "row", "rows")
}

// gap says how much of the tactic the bundle could tell at all.
func (c *AttackScreen) gap(t tacticColumn) string {
	if t.told == 0 {
		return sayf("This bundle can tell none of its {0} techniques.", count(int64(t.total)))
	}
	return sayf("This bundle can tell {0} of its {1} techniques.", count(int64(t.told)), count(int64(t.total)))
}

func (c *AttackScreen) cellClass(x techniqueCell) string {
	switch {
	case x.rows > 0:
		return "tech tech-found"
	case x.unseen:
		return "tech tech-unseen"
	}
	return "tech"
}

func (c *AttackScreen) cellText(x techniqueCell) string {
	switch {
	case x.unseen:
		return sayf("cannot be seen here")
	case x.rows == 0:
		return sayf("not found") + " " + dots(x.confidence)
	}
	s := plural(x.rows, "row", "rows")
	if x.sources > 0 {
		s = sayf("{0} from {1}", s, plural(int64(x.sources), "source", "sources"))
	}
	return s + " " + dots(x.confidence)
}

// dots draws a degree of confidence.
func dots(confidence string) string {
	return map[string]string{attack.High: "●●●", attack.Medium: "●●○", attack.Low: "●○○", attack.Bare: "○○○"}[confidence]
}

func (c *AttackScreen) pressed(x techniqueCell) string {
	return strconv.FormatBool(c.chosen() == x.id)
}

// chosen is the technique whose card is open, "" once a new bundle lacks it.
func (c *AttackScreen) chosen() string {
	if id := c.m().chosen; len(c.m().cells(id)) > 0 {
		return id
	}
	return ""
}

// choose opens a technique's card and filters the table by it; the second time
// it takes both back.
func (c *AttackScreen) choose(id string) {
	a := c.App
	if c.chosen() == id {
		c.m().chosen = ""
		a.filterBy(everything)
		return
	}
	c.m().chosen = id
	a.filterBy(filter{class: -1, flagged: true, text: equals("technique", id)})
	a.host.Focus("technique-title")
}
