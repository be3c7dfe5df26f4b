package attack

import (
	"fmt"
	"slices"
	"strings"
)

// table is one release of the matrix, from a text of tab-separated lines:
//
//	# comment
//	V  release
//	G  tactic id, name, short name           in matrix order
//	T  id, name, tactics, platforms, STIX id without its type, description
//	O  obsolete id, name, successor or empty
//
// Lists are joined by commas. T and O lines ascend by id.
type table struct {
	version    string
	tactics    []Tactic
	techniques []Technique // ascending by ID
	obsolete   []obsolete  // ascending by id
}

// obsolete is an id that no longer stands for a technique.
type obsolete struct {
	id        string
	successor string // direct successor, possibly obsolete; empty if none
}

// cells is how many cells follow the kind in a line.
var cells = map[string]int{"V": 1, "G": 3, "T": 6, "O": 3}

// parseTable returns the table in text. Errors name the line.
func parseTable(text string) (*table, error) {
	t := new(table)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		kind, rest, _ := strings.Cut(line, "\t")
		c := strings.Split(rest, "\t")
		if cells[kind] != len(c) {
			return nil, fmt.Errorf("attack: line %d: kind %.64q with %d cells", number, kind, len(c))
		}
		switch kind {
		case "V":
			t.version = c[0]
		case "G":
			t.tactics = append(t.tactics, Tactic{ID: c[0], Name: c[1], Shortname: c[2]})
		case "T":
			parent := ""
			if head, _, sub := strings.Cut(c[0], "."); sub {
				parent = head
			}
			t.techniques = append(t.techniques, Technique{
				ID: c[0], Name: c[1], Parent: parent,
				Tactics: strings.Split(c[2], ","), Platforms: strings.Split(c[3], ","),
				STIX: "attack-pattern--" + c[4], Description: c[5],
			})
		case "O":
			t.obsolete = append(t.obsolete, obsolete{id: c[0], successor: c[2]})
		}
	}
	// Lookups are binary searches.
	if !slices.IsSortedFunc(t.techniques, func(a, b Technique) int { return strings.Compare(a.ID, b.ID) }) ||
		!slices.IsSortedFunc(t.obsolete, func(a, b obsolete) int { return strings.Compare(a.id, b.id) }) {
		return nil, fmt.Errorf("attack: ids do not ascend")
	}
	return t, nil
}

func (t *table) tactic(is func(Tactic) bool) (Tactic, bool) {
	if i := slices.IndexFunc(t.tactics, is); i >= 0 {
		return t.tactics[i], true
	}
	return Tactic{}, false
}

func (t *table) lookup(id string) (Technique, bool) {
	i, ok := slices.BinarySearchFunc(t.techniques, id, func(t Technique, id string) int { return strings.Compare(t.ID, id) })
	if !ok {
		return Technique{}, false
	}
	return t.techniques[i], true
}

func (t *table) current(id string) (string, bool) {
	// A chain visits an obsolete id at most once, or it is a cycle.
	for range len(t.obsolete) + 1 {
		if _, ok := t.lookup(id); ok {
			return id, true
		}
		i, ok := slices.BinarySearchFunc(t.obsolete, id, func(o obsolete, id string) int { return strings.Compare(o.id, id) })
		if !ok {
			return "", false
		}
		id = t.obsolete[i].successor
	}
	return "", false
}
