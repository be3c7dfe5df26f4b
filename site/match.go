package site

import (
	"math"
	"strings"

	"cloister/shared/job"
	"cloister/site/internal/query"
)

// The fields of a filter that every store has; behind them come its display
// columns.
var verdictFields = []query.Field{
	{Name: "class", Aliases: []string{"verdict"}, Help: "most probable class"},
	{Name: "severity", Aliases: []string{"sev"}, Help: "in words, or 0 to 4 in level"},
	{Name: "score", Aliases: []string{"attack"}, Kind: query.Number, Help: "attack score, 0 to 1"},
	{Name: "probability", Aliases: []string{"prob", "p"}, Kind: query.Number, Help: "of the class, 0 to 1"},
	{Name: "anomaly", Kind: query.Number, Help: "share of benign training rows that are less strange"},
	{Name: "level", Kind: query.Number, Help: "severity as a number, 0 to 4"},
	{Name: "technique", Aliases: []string{"attack_id"}, Help: "ATT&CK technique by id or name"},
	{Name: "tactic", Help: "ATT&CK tactic by id or name"},
	{Name: "row", Kind: query.Number, Help: "number in the file"},
	{Name: "flagged", Kind: query.Flag, Help: "score at or above the threshold"},
	{Name: "withheld", Aliases: []string{"abstained"}, Kind: query.Flag, Help: "no verdict: the votes are split"},
	{Name: "outside", Aliases: []string{"ood"}, Kind: query.Flag, Help: "unlike every training row"},
	{Name: "attackclass", Kind: query.Flag, Help: "the class is not benign"},
	{Name: "marked", Kind: query.Flag, Help: "marked by you"},
	{Name: "noted", Kind: query.Flag, Help: "has a note of yours"},
	{Name: "mark", Help: "confirmed, refuted or open"},
}

// Indices of verdictFields.
const (
	fieldClass = iota
	fieldSeverity
	fieldScore
	fieldProbability
	fieldAnomaly
	fieldLevel
	fieldTechnique
	fieldTactic
	fieldRow
	fieldFlagged
	fieldWithheld
	fieldOutside
	fieldAttackClass
	fieldMarked
	fieldNoted
	fieldMark
)

// aliases are short names of display columns by their role or name.
var aliases = map[string][]string{
	"FLOW_START_MILLISECONDS": {"time", "start"}, "IPV4_SRC_ADDR": {"src", "source"}, "IPV4_DST_ADDR": {"dst", "destination"},
	"L4_SRC_PORT": {"sport"}, "L4_DST_PORT": {"port", "dport"}, "PROTOCOL": {"proto"}, "IN_BYTES": {"bytes"}, "OUT_BYTES": {"bytes_back"},
	"IN_PKTS": {"packets", "pkts"}, "OUT_PKTS": {"packets_back"}, "FLOW_DURATION_MILLISECONDS": {"duration"}, "Attack": {"label"},
	"WINDOW_START": {"time", "start"}, "WINDOW_END": {"end"}, "SCENARIO": {"scenario"},
}

// fields returns what a filter can be about; it is not to be changed.
func (s *store) fields() []query.Field {
	if len(s.named) == len(verdictFields)+len(s.columns) {
		return s.named
	}
	out := verdictFields[:len(verdictFields):len(verdictFields)]
	for _, c := range s.columns {
		f := query.Field{Name: strings.ReplaceAll(c.name, " ", "_"), Aliases: aliases[c.name], Help: c.title()}
		switch {
		case c.numbers == nil:
		case c.role == roleTime:
			f.Kind = query.Moment
		default:
			f.Kind = query.Number
		}
		if len(f.Aliases) > 0 && f.Name != f.Aliases[0] {
			f.Name, f.Aliases = f.Aliases[0], append([]string{f.Name}, f.Aliases[1:]...)
		}
		out = append(out, f)
	}
	s.named = out
	return out
}

// fieldName is the name of a display column in a filter.
func (s *store) fieldName(c *column) string {
	for i, d := range s.columns {
		if d == c {
			return s.fields()[len(verdictFields)+i].Name
		}
	}
	return ""
}

// equals is the filter for one value of a field.
func equals(field, value string) string { return field + " = " + query.Quote(value) }

// match is a filter bound to a store.
type match struct {
	q     *query.Query
	tests []func(i int) bool // of the leaves
	words []*wordMatch
	at    int
	holds func(leaf int) bool
}

// wordMatch marks the words of a column for which a test holds.
type wordMatch struct {
	c    *column
	test func(word string) bool
	hit  []bool
}

// match binds a filter. One that is not valid for the store, which a caller
// has checked, lets nothing through.
func (s *store) match(text string, threshold float64) *match {
	fields := s.fields()
	q, err := query.Parse(text, fields)
	m := &match{q: q}
	if err != nil {
		m.q = &query.Query{}
		m.tests = nil
		m.words = nil
		m.holds = nil
		return m
	}
	for _, l := range q.Leaves {
		m.tests = append(m.tests, s.test(m, l, threshold))
	}
	m.holds = func(leaf int) bool { return m.tests[leaf](m.at) }
	return m
}

// step does some thousand words and reports whether the filter can be asked.
func (m *match) step() bool {
	for _, w := range m.words {
		if from := len(w.hit); from < len(w.c.words) {
			for _, word := range w.c.words[from:min(from+wordStep, len(w.c.words))] {
				w.hit = append(w.hit, w.test(word))
			}
			return false
		}
	}
	return true
}

// row reports whether row i passes.
func (m *match) row(i int) bool {
	if m.holds == nil {
		return false
	}
	m.at = i
	return m.q.Match(m.holds)
}

// test returns the test of one condition.
func (s *store) test(m *match, l query.Leaf, threshold float64) func(i int) bool {
	n := l.Number
	number := func(value func(i int) float64) func(int) bool {
		switch l.Op {
		case query.Equal:
			return func(i int) bool { return value(i) == n }
		case query.Unequal:
			return func(i int) bool { return value(i) != n }
		case query.Less:
			return func(i int) bool { return value(i) < n }
		case query.AtMost:
			return func(i int) bool { return value(i) <= n }
		case query.More:
			return func(i int) bool { return value(i) > n }
		}
		return func(i int) bool { return value(i) >= n }
	}
	needle := needleOf(l.Text)
	text := func(word string) bool {
		switch l.Op {
		case query.Equal:
			return strings.EqualFold(word, l.Text)
		case query.Unequal:
			return !strings.EqualFold(word, l.Text)
		case query.Lacks:
			return !contains(word, needle)
		}
		return contains(word, needle)
	}
	byClass := func(f func(k job.Class) bool) func(int) bool {
		hit := make([]bool, len(s.classes))
		for k, c := range s.classes {
			hit[k] = f(c)
		}
		return func(i int) bool { return hit[s.class[i]] }
	}
	words := func(c *column) func(int) bool {
		w := &wordMatch{c: c, test: text, hit: make([]bool, 0, len(c.words))}
		m.words = append(m.words, w)
		return func(i int) bool { return w.hit[c.codes[i]] }
	}
	// of a class's techniques, one has to fit; for != and !~, none may
	any := func(of func(t job.Technique) []string) func(int) bool {
		return byClass(func(k job.Class) bool {
			none := l.Op == query.Unequal || l.Op == query.Lacks
			for _, t := range k.Attack {
				for _, name := range of(t) {
					if text(name) != none {
						return !none
					}
				}
			}
			return none
		})
	}
	if l.Field >= len(verdictFields) {
		c := s.columns[l.Field-len(verdictFields)]
		if c.numbers != nil {
			return number(func(i int) float64 { return c.numbers.at(i) })
		}
		return words(c)
	}
	switch l.Field {
	case query.Everywhere:
		tests := []func(int) bool{byClass(func(k job.Class) bool { return mentions(k, needle) })}
		for _, c := range s.columns {
			if c.numbers == nil {
				tests = append(tests, words(c))
			}
		}
		return func(i int) bool {
			for _, t := range tests {
				if t(i) {
					return true
				}
			}
			return false
		}
	case fieldClass:
		return byClass(func(k job.Class) bool { return text(k.Name) })
	case fieldSeverity:
		names := make([]bool, len(job.Severities))
		for k, name := range job.Severities {
			names[k] = text(name)
		}
		return func(i int) bool { v := s.level(i); return v >= 0 && names[v] }
	case fieldScore:
		return number(func(i int) float64 { return s.attack[i] })
	case fieldProbability:
		return number(func(i int) float64 { return s.prob[i] })
	case fieldAnomaly:
		return number(func(i int) float64 { return s.anomaly[i] })
	case fieldLevel:
		return number(func(i int) float64 { return float64(s.level(i)) })
	case fieldRow:
		return number(func(i int) float64 { return float64(s.row[i]) })
	case fieldTechnique:
		return any(func(t job.Technique) []string { return []string{t.ID, techniqueName(t.ID)} })
	case fieldTactic:
		return any(func(t job.Technique) []string { return []string{t.Tactic, tacticName(t.Tactic)} })
	case fieldFlagged:
		return func(i int) bool { return s.flags(i, threshold) }
	case fieldWithheld:
		return func(i int) bool { return s.abstained[i] }
	case fieldOutside:
		return func(i int) bool { return s.outside[i] }
	case fieldAttackClass:
		return byClass(func(k job.Class) bool { return !k.Benign })
	case fieldMarked:
		return func(i int) bool { return s.marks[int32(i)].mark != "" }
	case fieldNoted:
		return func(i int) bool { return s.marks[int32(i)].note != "" }
	}
	return func(i int) bool { return text(s.marks[int32(i)].mark) }
}

// private reports whether a filter names something that may stem from the
// file: a text that was typed, other than a class, a severity, a technique, a
// tactic or a mark. Such a filter stays out of the page's address.
func (s *store) private(text string) bool {
	q, err := query.Parse(text, s.fields())
	if err != nil {
		return true
	}
	for _, l := range q.Leaves {
		switch {
		case l.Field == query.Everywhere:
			return true
		case l.Field >= len(verdictFields) && s.columns[l.Field-len(verdictFields)].numbers == nil:
			return true
		case l.Field < len(verdictFields) && verdictFields[l.Field].Kind == query.Text && !s.known(l.Text):
			return true
		}
	}
	return false
}

// known reports whether a word is one of the bundle's own.
func (s *store) known(word string) bool {
	needle := needleOf(word)
	for _, k := range s.classes {
		if mentions(k, needle) {
			return true
		}
		for _, t := range k.Attack {
			if contains(tacticName(t.Tactic), needle) || contains(t.Tactic, needle) {
				return true
			}
		}
	}
	for _, name := range append(job.Severities, "confirmed", "refuted", "open") {
		if contains(name, needle) {
			return true
		}
	}
	return false
}

// mentions reports whether a class, its severity or one of its techniques
// contains the needle.
func mentions(k job.Class, needle string) bool {
	if contains(k.Name, needle) || contains(k.Severity, needle) {
		return true
	}
	for _, t := range k.Attack {
		if contains(t.ID, needle) || contains(techniqueName(t.ID), needle) {
			return true
		}
	}
	return false
}

// time is the value of the time column for row i, NaN without one.
func (s *store) time(i int) float64 {
	if s.clock == nil || i >= s.clock.numbers.len() {
		return math.NaN()
	}
	return s.clock.numbers.at(i)
}

// contains reports whether s contains needle, which is in lower case, without
// regard to the case of ASCII letters.
func contains(s, needle string) bool {
	if needle == "" {
		return true
	}
	for i := 0; i+len(needle) <= len(s); i++ {
		j := 0
		for j < len(needle) && lower(s[i+j]) == needle[j] {
			j++
		}
		if j == len(needle) {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// needleOf prepares what a person typed for [contains].
func needleOf(typed string) string {
	b := []byte(strings.TrimSpace(typed))
	for i := range b {
		b[i] = lower(b[i])
	}
	return string(b)
}
