package site

import (
	"slices"
	"strings"

	"cloister/shared/attack"
)

// TechniqueCard is one technique: what it is, what speaks for it in this run,
// how it is detected and what no flow shows of it.
type TechniqueCard struct {
	App *App
	ID  string
}

func (c *TechniqueCard) t() attack.Technique {
	t, _ := attack.Resolve(c.ID)
	return t
}

func (c *TechniqueCard) title() string { return c.ID + " " + techniqueName(c.ID) }

func (c *TechniqueCard) cells() []techniqueCell { return c.App.matrix.cells(c.ID) }

// classes are those that are evidence for the technique under any tactic.
func (c *TechniqueCard) classes() []int {
	var out []int
	for _, x := range c.cells() {
		if x.unseen {
			continue
		}
		for _, k := range x.classes {
			if !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

func (c *TechniqueCard) rows() int64 {
	var n int64
	for _, k := range c.classes() {
		n += c.App.matrix.done.rows[k]
	}
	return n
}

func (c *TechniqueCard) sources() int { return c.App.matrix.done.together(c.classes()) }

func (c *TechniqueCard) showText() string {
	return sayf("Show {0}", plural(c.rows(), "row", "rows"))
}

// show opens the table, which the choice has filtered already.
func (c *TechniqueCard) show() {
	c.App.filterBy(filter{class: -1, flagged: true, text: equals("technique", c.ID)})
	c.App.openScreen(screens[0].id)
	c.App.host.Focus("grid")
}

func (c *TechniqueCard) close() {
	c.App.matrix.chosen = ""
	c.App.host.Focus("matrix-title")
}

func (c *TechniqueCard) tactics() string {
	var out []string
	for _, id := range c.t().Tactics {
		out = append(out, tacticText(id))
	}
	return strings.Join(out, ", ")
}

func (c *TechniqueCard) platforms() string { return strings.Join(c.t().Platforms, ", ") }

func (c *TechniqueCard) copyLabel() string { return sayf("Copy the address of {0}", c.ID) }

func (c *TechniqueCard) evidenceName() string { return sayf("Classes that are evidence for {0}", c.ID) }

func (c *TechniqueCard) evidenceHead() []string {
	return []string{say("Class"), say("Rows"), say("Tactic"), say("Confidence"), say("Basis")}
}

func (c *TechniqueCard) evidence() [][]string {
	var out [][]string
	for k, class := range c.App.store.classes {
		for _, t := range class.Attack {
			if now, ok := attack.Current(t.ID); ok && now == c.ID {
				out = append(out, []string{class.Name, count(c.App.matrix.done.rows[k]), tacticName(t.Tactic), dots(t.Confidence) + " " + t.Confidence, t.Basis})
			}
		}
	}
	return out
}

func (c *TechniqueCard) detections() []attack.Detection { return attack.Detections(c.ID) }

func (c *TechniqueCard) reads(d attack.Detection) string {
	var names []string
	for _, id := range d.Components {
		names = append(names, attack.ComponentName(id))
	}
	return sayf("reads {0}", strings.Join(names, ", "))
}

// blind lists what flow records do not hold of the technique.
func (c *TechniqueCard) blind() []string {
	var out []string
	for _, d := range c.detections() {
		if slices.Contains(d.Components, attack.Content) {
			out = append(out, say("What the packets carry: its analytics read content, and a flow counts bytes only."))
			break
		}
	}
	for _, x := range c.cells() {
		if x.unseen {
			out = append(out, say("The technique itself: it belongs to what a class does, on the host or inside a session."))
			break
		}
	}
	for _, k := range c.classes() {
		class := c.App.store.classes[k]
		for _, id := range class.Unseen {
			if now, ok := attack.Current(id); ok {
				out = append(out, sayf("{0} {1}, which goes with {2}: look for it in other sources.", now, techniqueName(now), class.Name))
			}
		}
	}
	return append(out, say("Whether it succeeded: a flow has no replies, files or accounts."))
}
