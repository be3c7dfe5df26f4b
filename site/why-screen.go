package site

import (
	"strconv"

	"github.com/vugu/vugu"
)

// WhyScreen explains many records together.
type WhyScreen struct {
	App *App

	key                             whyKey
	class                           int
	rows                            []int
	order                           []int
	bar, swarm, dependence, compare *figure
	groups                          []cluster
}

// whyKey is what the charts depend on.
type whyKey struct {
	n, chosen, feature, selected, compared int
	store                                  *store
	threshold                              float64
}

func (c *WhyScreen) x() *attributed { return &c.App.shap }

// Compute draws the charts anew when what they show has changed; while rows
// are being explained only now and then.
func (c *WhyScreen) Compute() {
	a, x := c.App, c.x()
	selected := -1
	if a.drawer.open {
		selected = x.find(a.drawer.at)
	}
	n := x.n()
	if x.running {
		n -= n % 1024
	}
	sum := len(x.compared)
	for _, at := range x.compared {
		sum = sum*31 + int(at)
	}
	key := whyKey{n, x.chosen, x.feature, selected, sum, a.store, a.threshold}
	if key == c.key {
		return
	}
	c.key = key
	c.rows, c.compare, c.groups = nil, nil, nil
	if x.n() == 0 {
		return
	}
	c.class = x.classOf(a.store.classes)
	c.rows = x.members(c.class)
	if selected >= 0 && int(x.class[selected]) != c.class {
		selected = -1
	}
	_, c.order = x.importance(c.rows)
	c.bar, c.swarm, c.dependence = a.barFigure(c.rows, selected), a.swarmFigure(c.rows, selected), a.dependenceFigure(c.feature(), c.rows, selected)
	c.groups = x.clusters(func(at int32) bool { return a.store.flags(int(at), a.threshold) })
	if len(x.compared) > 0 {
		c.compare = a.compareFigure()
	}
}

func (c *WhyScreen) state() string {
	x := c.x()
	switch {
	case x.running:
		return sayf("{0} of {1} explained", count(int64(x.n())), plural(int64(x.total), "record", "records"))
	case x.n() == 0:
		return say("Nothing is explained yet.")
	case x.total > 0 && x.total < x.sampled:
		return sayf("An even sample of {0} of {1} records is explained.", count(int64(x.n())), count(int64(x.sampled)))
	}
	return sayf("{0} explained.", plural(int64(x.n()), "record is", "records are"))
}

func (c *WhyScreen) ask() string {
	n := len(c.App.view.index)
	if n > explainMost {
		return sayf("Explain a sample of the {0} rows in the table", count(int64(n)))
	}
	return sayf("Explain the {0} in the table", plural(int64(n), "row", "rows"))
}

func (c *WhyScreen) share() string {
	return attribute(float64(c.x().n()) / float64(max(c.x().total, 1)))
}

// basis prints what attributions rest on.
func (c *WhyScreen) basis() string {
	x := c.x()
	if len(c.rows) == 0 {
		return say("Filter the table first to explain less, for instance to the flagged rows. Attributions say what the model used, not what caused the traffic.")
	}
	s := sayf("Base value of {0}: {1}", c.App.store.classes[c.class].Name, decimal(x.base[c.rows[0]], 4))
	if r := c.App.drawer.record; r != nil && r.Background != "" {
		s += ", " + sayf("the mean over {0}", r.Background)
	} else {
		s += ", " + say("the mean over the background that each record names")
	}
	return sayf("{0}. Largest |base + Σφ − f(x)| of all records: {1}. Features that move together share their credit.", s, scientific(x.additivity))
}

// counts returns the explained rows by class.
func (c *WhyScreen) counts() []int {
	out := make([]int, len(c.App.store.classes))
	for _, k := range c.x().class {
		out[k]++
	}
	return out
}

func (c *WhyScreen) option(k, n int) string {
	return c.App.store.classes[k].Name + " (" + count(int64(n)) + ")"
}

func (c *WhyScreen) choose(e vugu.DOMEvent) {
	if k, err := strconv.Atoi(e.PropString("target", "value")); err == nil && k >= 0 && k < len(c.App.store.classes) {
		c.x().chosen = k
	}
}

// feature is the one whose dependence is drawn: that which matters most until
// another is chosen.
func (c *WhyScreen) feature() int {
	if j := c.x().feature; j >= 0 || len(c.order) == 0 {
		return j
	}
	return c.order[0]
}

func (c *WhyScreen) chooseFeature(e vugu.DOMEvent) {
	if j, err := strconv.Atoi(e.PropString("target", "value")); err == nil && j >= 0 && j < c.x().d {
		c.x().feature = j
	}
}

func (c *WhyScreen) clusterHead() []string {
	return []string{say("Reasons"), say("Class"), say("Flagged rows")}
}

func (c *WhyScreen) clusterRows() [][]string {
	var out [][]string
	for _, g := range c.groups {
		order := permutation(len(g.mean), func(i, j int) int {
			a, b := g.mean[i], g.mean[j]
			switch {
			case a > b:
				return -1
			case a < b:
				return 1
			}
			return 0
		})
		text := ""
		for _, j := range order[:min(3, len(order))] {
			if g.mean[j] <= 0 {
				break
			}
			if text != "" {
				text += ", "
			}
			text += featureName(c.App.bundle.Features, j) + " " + signed(g.mean[j], 2)
		}
		out = append(out, []string{text, c.App.store.classes[g.class].Name, count(int64(len(g.rows)))})
	}
	return out
}

func (c *WhyScreen) openCluster(k int) {
	if k < len(c.groups) {
		c.App.openRow(c.x().at[c.groups[k].rows[0]])
	}
}

// openRow opens the record of a row that is listed.
func (a *App) openRow(at int32) {
	if at >= 0 && int(at) < a.store.listed() {
		a.inspect(at)
		a.host.Focus("record-title")
	}
}
