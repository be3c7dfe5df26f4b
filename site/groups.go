package site

import (
	"cmp"
	"slices"

	"cloister/shared/job"
)

// groups counts the rows of the list by something, in steps.
type groups struct {
	by   string // id of a grouping, "" for none
	list []group
	all  int // groups there are
	key  groupKey
	next groupKey
	at   int
	made map[uint32]*group
	keys func(i int32) []uint32
	name func(key uint32) (name, filter string)
}

type groupKey struct {
	by        string
	cut       int
	threshold float64
	first     *int32 // of the list: another list begins elsewhere
	n         int
}

// group is the rows that share something.
type group struct {
	name, filter string
	rows, hot    int64
	top          float64 // highest attack score
	strange      float64 // highest anomaly percentile
	key          uint32
}

// groupings are what rows can be grouped by.
var groupings = [][2]string{{"", "nothing"}, {"class", "class"}, {"technique", "technique"}, {"tactic", "tactic"}, {"source", "source"}, {"destination", "destination"}, {"file", "file"}}

// maxGroups is how many groups are listed.
const maxGroups = 100

func (a *App) groupKey(by string) groupKey {
	k := groupKey{by: by, cut: a.cut, threshold: a.threshold, n: len(a.view.index)}
	if k.n > 0 {
		k.first = &a.view.index[0]
	}
	return k
}

func (g *groups) due(a *App) bool { return g.by != "" && g.key != a.groupKey(g.by) }

func (g *groups) step(a *App) {
	key := a.groupKey(g.by)
	if g.next != key {
		g.next, g.at, g.made = key, 0, map[uint32]*group{}
		g.keys, g.name = a.store.grouping(g.by)
		if g.keys == nil {
			g.list, g.all, g.key = nil, 0, key
			return
		}
	}
	s, end := a.store, min(g.at+rowStep/2, len(a.view.index))
	for _, i := range a.view.index[g.at:end] {
		for _, k := range g.keys(i) {
			x := g.made[k]
			if x == nil {
				x = &group{key: k}
				g.made[k] = x
			}
			x.rows++
			if s.flags(int(i), a.threshold) {
				x.hot++
			}
			x.top, x.strange = max(x.top, s.attack[i]), max(x.strange, s.anomaly[i])
		}
	}
	if g.at = end; end < len(a.view.index) {
		return
	}
	var list []group
	for _, x := range g.made {
		list = append(list, *x)
	}
	arrange(list, func(x, y group) int {
		return cmp.Or(cmp.Compare(y.hot, x.hot), cmp.Compare(y.top, x.top), cmp.Compare(y.rows, x.rows), cmp.Compare(x.key, y.key))
	})
	g.all = len(list)
	g.list = list[:min(len(list), maxGroups)]
	for i := range g.list {
		g.list[i].name, g.list[i].filter = g.name(g.list[i].key)
	}
	g.key, g.made = g.next, nil
}

// grouping returns the keys that a row has and what a key is called; nil if
// the file has nothing of the kind.
func (s *store) grouping(by string) (keys func(i int32) []uint32, name func(key uint32) (string, string)) {
	one := make([]uint32, 1)
	words := func(c *column) (func(int32) []uint32, func(uint32) (string, string)) {
		if c == nil || c.numbers != nil {
			return nil, nil
		}
		field := s.fieldName(c)
		return func(i int32) []uint32 { one[0] = c.codes[i]; return one }, func(k uint32) (string, string) {
			if c.words[k] == "" {
				return noValue, field + ` = ""`
			}
			return c.words[k], equals(field, c.words[k])
		}
	}
	switch by {
	case "class":
		return func(i int32) []uint32 { one[0] = uint32(s.class[i]); return one }, func(k uint32) (string, string) {
			return s.classes[k].Name, equals("class", s.classes[k].Name)
		}
	case "technique", "tactic":
		id := func(t job.Technique) string { return t.ID }
		if by == "tactic" {
			id = func(t job.Technique) string { return t.Tactic }
		}
		var ids []string
		of := make([][]uint32, len(s.classes))
		for k, c := range s.classes {
			for _, t := range c.Attack {
				at := slices.Index(ids, id(t))
				if at < 0 {
					at, ids = len(ids), append(ids, id(t))
				}
				if !slices.Contains(of[k], uint32(at)) {
					of[k] = append(of[k], uint32(at))
				}
			}
		}
		return func(i int32) []uint32 { return of[s.class[i]] }, func(k uint32) (string, string) {
			name := ids[k] + " " + techniqueName(ids[k]) + tacticName(ids[k])
			return name, equals(by, ids[k])
		}
	case "source":
		return words(s.find(roleSource))
	case "destination":
		return words(s.find(roleDestination))
	}
	for _, c := range s.columns {
		if c.name == fileColumn && by == "file" {
			return words(c)
		}
	}
	return nil, nil
}
