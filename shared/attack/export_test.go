package attack

import "strings"

// ParseTable and ParseLabels let tests read tables other than those compiled
// in: cycles, cut lines, duplicates.
var (
	ParseTable  = parseTable
	ParseLabels = parseLabels
)

// Current is the lookup that the exported function makes in the compiled-in
// table.
func (t *table) Current(id string) (string, bool) { return t.current(id) }

// LabelTable returns the compiled-in map by key.
func LabelTable() map[string]Mapping { return labels() }

// ParseLookup reports what is wrong with a lookup table.
func ParseLookup(text string) error { _, err := parseLookup(text); return err }

// LookupRules returns every hint that the compiled-in table can give, and the
// release that it states.
func LookupRules() (version string, all []Hint) {
	t := lookup()
	for _, table := range []*lookupTable{t, lows.get(lowJSON, parseLookup)} {
		for _, r := range table.text {
			for _, a := range r.alternatives {
				all = append(all, Hint{Technique: r.id, Tactic: r.tactic, Confidence: a.confidence, Basis: Inferred, Why: a.spelling})
			}
		}
	}
	for _, m := range t.names {
		for _, hs := range m {
			all = append(all, hs...)
		}
	}
	for _, r := range flows().rules {
		all = append(all, Hint{Technique: r.ID, Tactic: r.Tactic, Confidence: r.Confidence, Basis: r.Basis, Why: r.Why})
	}
	return t.version, all
}

// FlowFields returns the fields that rules on flows look at.
func FlowFields() []string {
	var out []string
	for _, r := range flows().rules {
		for _, c := range r.When {
			out = append(out, c.Field)
		}
	}
	return out
}

// FlowTechniques returns the techniques of the rules that a record meets, rule
// by rule and name by name, as the table says it.
func FlowTechniques(value func(string) float64) map[string]bool {
	out := map[string]bool{}
	for _, r := range flows().rules {
		all := true
		for _, b := range r.When {
			over, under, ratio := strings.Cut(b.Field, "/")
			v := value(over)
			if ratio {
				v /= value(under)
			}
			in := len(b.In) == 0
			for _, w := range b.In {
				in = in || w == v
			}
			all = all && in && (b.Min == nil || v >= *b.Min) && (b.Max == nil || v <= *b.Max)
		}
		if all {
			out[r.ID] = true
		}
	}
	return out
}

// CurrentID is the resolution without the matrix.
var CurrentID = currentID

// Matches reports whether a text meets a condition, and whether it parses.
func Matches(condition, text string) (holds, ok bool) {
	var p phrases
	c, ok := p.condition(condition)
	return ok && c.holds(p.find(words(text))), ok
}

// ParseAnalytics reports what is wrong with a table of analytics.
func ParseAnalytics(text string) error { _, err := parseAnalytics(text); return err }
