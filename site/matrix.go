package site

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"cloister/shared/attack"
)

// matrix counts flagged rows by class, and their sources, in steps. A withheld
// verdict counts for nothing.
type matrix struct {
	key, next topsKey
	at        int
	done, now classCounts
	chosen    string // id of the technique whose card is open
	columns   []tacticColumn
}

// classCounts are what the matrix rests on.
type classCounts struct {
	rows    []int64    // by class
	sources [][]uint64 // by class, a bit for each source
}

// tacticColumn is a column of the matrix.
type tacticColumn struct {
	tactic attack.Tactic
	rows   int64 // flagged rows that are evidence for one of its techniques
	cells  []techniqueCell
	told   int // techniques that classes of the bundle are evidence for
	total  int // techniques of the tactic
}

// techniqueCell is a technique under one tactic.
type techniqueCell struct {
	id, tactic string
	name       string
	rows       int64
	sources    int
	confidence string // highest
	bases      string
	classes    []int // that are evidence for it
	unseen     bool  // part of what a class does, and not to be seen in this input
}

// degrees are the degrees of confidence from weak to strong.
var degrees = []string{attack.Bare, attack.Low, attack.Medium, attack.High}

func (m *matrix) due(a *App) bool {
	return m.key != topsKey{a.store.listed(), a.threshold, a.cut} || m.columns == nil
}

func (m *matrix) step(a *App) {
	s := a.store
	if key := (topsKey{s.listed(), a.threshold, a.cut}); m.next != key || m.now.rows == nil {
		m.next, m.at = key, 0
		m.now = classCounts{make([]int64, len(s.classes)), make([][]uint64, len(s.classes))}
	}
	hosts := s.find(roleSource)
	if hosts != nil && hosts.numbers != nil {
		hosts = nil
	}
	end := min(m.at+rowStep, m.next.rows)
	for i := m.at; i < end; i++ {
		if s.abstained[i] || !s.flags(i, a.threshold) {
			continue
		}
		k := s.class[i]
		m.now.rows[k]++
		if hosts != nil {
			at := int(hosts.codes[i] / 64)
			if set := m.now.sources[k]; at >= len(set) {
				m.now.sources[k] = append(set, make([]uint64, at+1-len(set))...)
			}
			m.now.sources[k][at] |= 1 << (hosts.codes[i] % 64)
		}
	}
	if m.at = end; end == m.next.rows {
		m.key, m.done, m.now = m.next, m.now, classCounts{}
		m.lay(a)
	}
}

// lay makes the columns of what was counted: tactics in the order of the
// matrix, techniques with rows first, then those that the bundle could have
// told, then those that no row of this kind shows.
func (m *matrix) lay(a *App) {
	m.columns = nil
	at := map[string]int{}
	for i, t := range attack.Tactics() {
		at[t.ID] = i
		m.columns = append(m.columns, tacticColumn{tactic: t})
	}
	var ids []string
	cell := func(id, tactic string) *techniqueCell {
		now, ok := attack.Current(id)
		i, known := at[strings.ToUpper(tactic)]
		if !ok || !known {
			return nil
		}
		col := &m.columns[i]
		for k := range col.cells {
			if col.cells[k].id == now {
				return &col.cells[k]
			}
		}
		col.cells = append(col.cells, techniqueCell{id: now, tactic: col.tactic.ID, name: techniqueName(now)})
		return &col.cells[len(col.cells)-1]
	}
	for k, class := range a.store.classes {
		for _, t := range class.Attack {
			c := cell(t.ID, t.Tactic)
			if c == nil || slices.Contains(c.classes, k) {
				continue
			}
			ids = append(ids, c.id)
			c.rows += m.done.rows[k]
			c.classes = append(c.classes, k)
			if slices.Index(degrees, t.Confidence) > slices.Index(degrees, c.confidence) {
				c.confidence = t.Confidence
			}
			if !strings.Contains(c.bases, t.Basis) {
				c.bases = strings.TrimPrefix(c.bases+", "+t.Basis, ", ")
			}
		}
	}
	for k, class := range a.store.classes {
		for _, id := range class.Unseen {
			t, ok := attack.Resolve(id)
			if !ok {
				continue
			}
			if c := cell(t.ID, t.Tactics[0]); c != nil && (c.classes == nil || c.unseen) && !slices.Contains(c.classes, k) {
				c.unseen, c.classes = true, append(c.classes, k)
			}
		}
	}
	covered, _ := attack.Cover(ids)
	for i := range m.columns {
		col := &m.columns[i]
		col.told, col.total = len(covered[i].Covered), covered[i].Total
		some := make([]bool, len(a.store.classes))
		for k := range col.cells {
			c := &col.cells[k]
			if c.unseen {
				continue
			}
			c.sources = m.done.together(c.classes)
			for _, k := range c.classes {
				some[k] = true
			}
		}
		for k, is := range some {
			if is {
				col.rows += m.done.rows[k]
			}
		}
		arrange(col.cells, func(x, y techniqueCell) int {
			return cmp.Or(cmp.Compare(y.rows, x.rows), compareBool(x.unseen, y.unseen), strings.Compare(x.id, y.id))
		})
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// together is how many sources the rows of some classes have.
func (c classCounts) together(classes []int) int {
	var all []uint64
	for _, k := range classes {
		for i, w := range c.sources[k] {
			if i == len(all) {
				all = append(all, 0)
			}
			all[i] |= w
		}
	}
	n := 0
	for _, w := range all {
		n += bits.OnesCount64(w)
	}
	return n
}

// cell returns the cells of a technique, one for each tactic that it serves.
func (m *matrix) cells(id string) []techniqueCell {
	var out []techniqueCell
	for _, col := range m.columns {
		for _, c := range col.cells {
			if c.id == id {
				out = append(out, c)
			}
		}
	}
	return out
}
