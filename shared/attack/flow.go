package attack

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// FromFlows returns the techniques that each of n flow records alone hints at,
// strongest first and then by id: those of record i are sets[set[i]]. The sets
// differ, in order of their first use, but for sets[0], which is empty. column
// returns the n values of a field by its NetFlow name ("L4_DST_PORT"), NaN where
// it is missing, nil if it is missing in all: what needs it then does not match.
// A port alone gives confidence [Bare], behaviour [Low]: neither is a detection.
// Basis is [Analytic] where ATT&CK's own network analytics describe the
// behaviour. It costs some tens of nanoseconds a record.
func FromFlows(n int, column func(field string) []float64) (sets [][]Hint, set []uint32) {
	t := flows()
	sets, set = make([][]Hint, 1), make([]uint32, n)
	columns := make([][]float64, len(t.fields))
	for k, name := range t.fields {
		columns[k] = column(name)
	}
	number := map[uint64]uint32{0: 0}
	for i := range n {
		port := math.NaN()
		if c := columns[0]; c != nil {
			port = c[i]
		}
		found := uint64(0)
		for left := t.anyPort | t.byPort[port]; left != 0; left &= left - 1 {
			r := bits.TrailingZeros64(left)
			if t.rules[r].holds(columns, i) {
				found |= 1 << r
			}
		}
		k, ok := number[found]
		if !ok {
			k = uint32(len(sets))
			number[found] = k
			sets = append(sets, t.hints(found))
		}
		set[i] = k
	}
	return sets, set
}

// flowField is the field that most rules ask for; it is the first of all.
const flowField = "L4_DST_PORT"

// maxFlowRules is what fits into a bit set.
const maxFlowRules = 64

// flowRules are the rules on flow records. Those that name ports are found by
// them: a record then meets three or four rules, not thirty.
type flowRules struct {
	rules   []flowRule
	fields  []string // that rules read, [flowField] first
	anyPort uint64   // rules that name no ports
	byPort  map[float64]uint64
}

// flowRule is a condition on a flow record in lookup.json.
type flowRule struct {
	ID, Tactic, Confidence, Basis, Why string
	When                               []bound
}

// bound holds for a number in [Min, Max], either of which may be absent, or
// for one of In; NaN is in neither.
type bound struct {
	Field    string // a name, or two joined by "/" for their ratio
	Min, Max *float64
	In       []float64

	over, under int // indices into flowRules.fields, under -1 for no ratio
}

// newFlowRules prepares the rules of a table.
func newFlowRules(rules []flowRule) (flowRules, error) {
	f := flowRules{rules: rules, fields: []string{flowField}, byPort: map[float64]uint64{}}
	if len(rules) > maxFlowRules {
		return f, fmt.Errorf("%d rules on flows, at most %d", len(rules), maxFlowRules)
	}
	index := func(name string) int {
		k := slices.Index(f.fields, name)
		if k < 0 {
			k, f.fields = len(f.fields), append(f.fields, name)
		}
		return k
	}
	for r := range rules {
		named := false
		for k := range rules[r].When {
			b := &rules[r].When[k]
			over, under, ratio := strings.Cut(b.Field, "/")
			b.over, b.under = index(over), -1
			if ratio {
				b.under = index(under)
			}
			if b.Field == flowField && len(b.In) > 0 && !named {
				named = true
				for _, port := range b.In {
					f.byPort[port] |= 1 << r
				}
			}
		}
		if !named {
			f.anyPort |= 1 << r
		}
	}
	return f, nil
}

// holds reports whether row i of the columns meets all bounds.
func (r *flowRule) holds(columns [][]float64, i int) bool {
	for k := range r.When {
		if !r.When[k].holds(columns, i) {
			return false
		}
	}
	return true
}

func (b *bound) holds(columns [][]float64, i int) bool {
	if columns[b.over] == nil || b.under >= 0 && columns[b.under] == nil {
		return false
	}
	v := columns[b.over][i]
	if b.under >= 0 {
		v /= columns[b.under][i]
	}
	if len(b.In) > 0 && !slices.Contains(b.In, v) {
		return false
	}
	return (b.Min == nil || v >= *b.Min) && (b.Max == nil || v <= *b.Max)
}

// hints returns what the rules in a bit set say.
func (f *flowRules) hints(found uint64) []Hint {
	var out hints
	for ; found != 0; found &= found - 1 {
		r := f.rules[bits.TrailingZeros64(found)]
		out.add(Hint{Technique: r.ID, Tactic: r.Tactic, Confidence: r.Confidence, Basis: r.Basis, Why: r.Why})
	}
	return out.sorted()
}
