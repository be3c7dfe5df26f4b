package site

import (
	"cmp"
	"slices"

	"cloister/shared/job"
)

// binCount is the number of bars in the score histogram.
const binCount = 50

// histogram counts attack probabilities in binCount bins of equal width; the
// last one includes 1. Values outside [0,1] and NaN go to the nearest end and
// to the first bin.
type histogram struct {
	bins [binCount]int64
	seen int // values counted so far
}

// grow counts the values of v that were appended since the last call.
func (h *histogram) grow(v []float64) {
	for _, x := range v[h.seen:] {
		h.bins[binOf(x)]++
	}
	h.seen = len(v)
}

func binOf(x float64) int {
	if !(x > 0) {
		return 0
	}
	return min(int(min(x, 1)*binCount), binCount-1)
}

// entry is a name with the flagged rows that bear it.
type entry struct {
	name   string // shown
	class  int    // index of the class, -1 for other things
	n      int64
	filter string // that chooses the rows, "" for a class
}

// tops are the names with most flagged rows, at most topCount each.
type tops struct {
	classes, hosts, techniques []entry
	hostCount                  int // different hosts among the flagged rows
}

const topCount = 5

// census counts flagged rows. Rows that have come since are added: while a
// million of them stream in, none is looked at twice.
type census struct {
	threshold float64
	cut       int   // counts changes of thresholds by class
	seen      int   // rows counted
	flagged   int64 // of seen
	byClass   []int64
	byHost    []int64 // by word of the hosts
	hosts     *column
}

// add counts rows up to the newest.
func (c *census) add(s *store, threshold float64, cut int) {
	hosts := s.find(roleSource)
	if hosts != nil && hosts.numbers != nil {
		hosts = nil
	}
	if c.byClass == nil || c.threshold != threshold || c.cut != cut || c.hosts != hosts {
		*c = census{threshold: threshold, cut: cut, byClass: make([]int64, len(s.classes)), hosts: hosts}
	}
	if hosts != nil {
		c.byHost = append(c.byHost, make([]int64, len(hosts.words)-len(c.byHost))...)
	}
	for i := c.seen; i < len(s.attack); i++ {
		if s.own == nil && s.attack[i] < threshold || s.own != nil && !s.flags(i, threshold) {
			continue
		}
		c.flagged++
		if i >= len(s.row) {
			continue
		}
		c.byClass[s.class[i]]++
		if hosts != nil {
			c.byHost[hosts.codes[i]]++
		}
	}
	c.seen = len(s.attack)
}

// tally counts the flagged rows, and classes, source hosts and techniques over
// those of them that are in the table; ties are in order of class, name and id.
// cut counts changes of the thresholds by class.
func (s *store) tally(threshold float64, cut int) (flagged int64, t tops) {
	s.census.add(s, threshold, cut)
	hosts, byHost := s.census.hosts, s.census.byHost
	byTechnique := map[string]int64{}
	for k, n := range s.census.byClass {
		if n == 0 {
			continue
		}
		t.classes = append(t.classes, entry{s.classes[k].Name, k, n, ""})
		for i, a := range s.classes[k].Attack {
			// a technique may serve two tactics
			if !slices.ContainsFunc(s.classes[k].Attack[:i], func(b job.Technique) bool { return a.ID == b.ID }) {
				byTechnique[a.ID] += n
			}
		}
	}
	for k, n := range byHost { // there may be as many hosts as rows
		if n > 0 && hosts.words[k] != "" {
			t.hosts = most(t.hosts, entry{hosts.words[k], -1, n, ""})
			t.hostCount++
		}
	}
	for id, n := range byTechnique {
		t.techniques = append(t.techniques, entry{id, -1, n, equals("technique", id)})
	}
	t.classes, t.techniques = most(nil, t.classes...), most(nil, t.techniques...)
	if hosts != nil {
		field := s.fieldName(hosts)
		for i := range t.hosts {
			t.hosts[i].filter = equals(field, t.hosts[i].name)
		}
	}
	return s.census.flagged, t
}

// most adds entries to out, which holds at most the topCount first ones in the
// order of [sortEntries].
func most(out []entry, more ...entry) []entry {
	for _, x := range more {
		if len(out) == topCount && ahead(out[topCount-1], x) <= 0 {
			continue
		}
		at := len(out)
		for at > 0 && ahead(x, out[at-1]) < 0 {
			at--
		}
		out = slices.Insert(out, at, x)
		out = out[:min(len(out), topCount)]
	}
	return out
}

// sortEntries sorts entries by falling count, ties by class and name.
func sortEntries(e []entry) []entry {
	arrange(e, ahead)
	return e
}

func ahead(a, b entry) int {
	return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.class, b.class), natural(a.name, b.name))
}
