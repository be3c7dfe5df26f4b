package site

import "github.com/vugu/vugu"

// DictionaryCard lists what the features of the bundle mean.
type DictionaryCard struct {
	App *App

	text  string
	all   bool
	found []meaning
}

// meaningsShown is how many entries are listed unless all are asked for.
const meaningsShown = 24

// Compute searches the dictionary.
func (c *DictionaryCard) Compute() {
	c.App.book.read(c.App.bundle)
	c.found = c.App.book.search(c.text)
}

func (c *DictionaryCard) typed(e vugu.DOMEvent) { c.text = e.PropString("target", "value") }

func (c *DictionaryCard) state() string {
	used := 0
	for _, e := range c.App.book.entries {
		if e.used {
			used++
		}
	}
	return sayf("{0} of {1}; the model looks at {2} of them, marked ●", plural(int64(len(c.found)), "feature", "features"), count(int64(len(c.App.book.entries))), count(int64(used)))
}

func (c *DictionaryCard) shown() []meaning {
	if c.all {
		return c.found
	}
	return c.found[:min(len(c.found), meaningsShown)]
}

func (c *DictionaryCard) more() string { return sayf("Show all {0}", count(int64(len(c.found)))) }

func (c *DictionaryCard) mark(e meaning) string {
	if e.used {
		return "● " + e.name
	}
	return e.name
}
