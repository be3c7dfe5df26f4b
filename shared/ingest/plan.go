package ingest

import (
	"strings"

	"cloister/shared/frame"
)

// plan says which columns are read and what is made of them.
type plan struct {
	schema   *frame.Schema
	header   []string // the columns of the file
	inputs   []input
	outputs  []output
	mapping  []Mapped
	unmapped []string
	has      []bool
	columns  int // of the file that are used
	mapped   int // fields that are made
}

// input is a column that is read, and how.
type input struct {
	col  int
	name string
	read *reader
}

// output makes one schema field from inputs.
type output struct {
	field    int
	from     []int // indices into inputs, -1 for an operand that the file lacks
	mul, div float64
	make     func(v []float64, count *[repairs]int64) float64 // nil: v[0] x mul / div
	join     func(s []string) string                          // nil: s[0]
	parse    func(s []string) float64                         // a number from texts
	constant *constant
}

type constant struct {
	number float64
	text   string
}

// dialect is what one tool's columns are called and what they mean.
type dialect struct {
	name string // for people: "Zeek conn log"
	// rules in order of preference, in groups that dialects share. They are
	// laid out by the compiler: nothing here is built when a program starts.
	rules [][]rule
	// oneWay: what the columns say of answers is meaningless.
	oneWay bool
	// open: columns that no rule names are looked up among the aliases of all
	// tools. A dialect whose names mean other units elsewhere is closed.
	open bool
	note string // what the file can and cannot give
	// known are names that a JSON record may have although the first records
	// lack them.
	known []string
}

// rule makes one field.
type rule struct {
	field string
	// Spellings per operand, normalised, separated by "|", "?" before them if
	// the file may lack it: it is NaN or "" then. Without operands the field
	// is constant.
	from []string
	read []*reader // per operand; nil: as the field's kind asks
	// The value is multiplied and divided by these; 0 means 1.
	mul, div float64
	make     func(v []float64, count *[repairs]int64) float64
	join     func(s []string) string
	// parse makes a number from texts, read as such.
	parse func(s []string) float64
	say   string // formula, $1 for the first operand; "" for a plain column
	is    *constant
}

// planner resolves a header against a dialect.
type planner struct {
	*plan
	header []string
	byName map[string]int
	inputs map[inputKey]int
	used   map[int]bool
}

type inputKey struct {
	col  int
	read *reader
}

// newPlan resolves header against the rules of d.
func newPlan(schema *frame.Schema, header []string, d *dialect) *plan {
	p := &planner{plan: newEmptyPlan(schema), header: header, byName: map[string]int{}, inputs: map[inputKey]int{}, used: map[int]bool{}}
	for i, h := range header {
		key := normalise(h)
		if _, ok := p.byName[key]; !ok { // CICIDS2017 repeats a header: the first counts
			p.byName[key] = i
		}
	}
	for i, field := range schema.Fields {
		var o output
		if from, how := p.resolve(field, d, &o); how != Missing {
			p.make(i, &o, from, how)
		}
	}
	p.finish()
	return p.plan
}

func newEmptyPlan(schema *frame.Schema) *plan {
	p := &plan{schema: schema, has: make([]bool, len(schema.Fields)), mapping: make([]Mapped, len(schema.Fields))}
	for i, field := range schema.Fields {
		p.mapping[i].Field = field.Name
	}
	return p
}

// make adds the output of field k.
func (p *planner) make(k int, o *output, from string, how How) {
	o.field = k
	if o.mul == 0 {
		o.mul = 1
	}
	if o.div == 0 {
		o.div = 1
	}
	p.outputs = append(p.outputs, *o)
	p.has[k] = true
	p.mapping[k] = Mapped{p.schema.Fields[k].Name, from, how}
	p.mapped++
}

// finish lists the columns that nothing uses.
func (p *planner) finish() {
	p.plan.header = p.header
	for i, h := range p.header {
		if !p.used[i] {
			p.unmapped = append(p.unmapped, h)
		}
	}
	p.columns = len(p.used)
}

// add registers a column as input.
func (p *planner) add(col int, read *reader) int {
	key := inputKey{col, read}
	if i, ok := p.inputs[key]; ok {
		return i
	}
	p.used[col] = true
	i := len(p.plan.inputs)
	p.inputs[key] = i
	p.plan.inputs = append(p.plan.inputs, input{col, p.header[col], read})
	return i
}

// column returns the first of the spellings that the header has.
func (p *planner) column(spellings string) (int, bool) {
	for s := range strings.SplitSeq(spellings, "|") {
		if col, ok := p.byName[s]; ok {
			return col, true
		}
	}
	return 0, false
}

// resolve finds where a field comes from: a rule of the dialect, then, in an
// open one, its own name, an alias, a formula over known columns.
func (p *planner) resolve(field frame.Field, d *dialect, o *output) (string, How) {
	if d.oneWay && (strings.HasPrefix(field.Name, "OUT_") || field.Name == outThroughput) {
		return "", Missing
	}
	if d.open {
		if from, how := p.own(field, o); how != Missing {
			return from, how
		}
	}
	rules := d.rules
	if d.open {
		rules = openRules[p.schema.Name]
	}
	for _, group := range rules {
		for i := range group {
			if group[i].field != field.Name || field.Name == frame.Label && d.open && p.isNetFlow() {
				continue
			}
			if from, how := p.apply(field, &group[i], o); how != Missing {
				return from, how
			}
		}
	}
	return "", Missing
}

// own finds the column that is called as the field itself.
func (p *planner) own(field frame.Field, o *output) (string, How) {
	col, ok := p.byName[normalise(field.Name)]
	if !ok || field.Name == icmpType && p.header[col] != icmpType { // others than nProbe mean the type alone
		return "", Missing
	}
	o.from = []int{p.add(col, defaultReader(field))}
	if field.Name == frame.Duration {
		o.make = unwrap
	}
	return p.header[col], Column
}

// apply tries one rule.
func (p *planner) apply(field frame.Field, r *rule, o *output) (string, How) {
	if r.is != nil {
		o.constant = r.is
		return r.say, Computed
	}
	columns := make([]int, len(r.from))
	for k, spellings := range r.from {
		spellings, optional := strings.CutPrefix(spellings, "?")
		col, ok := p.column(spellings)
		switch {
		case ok:
			columns[k] = col
		case optional:
			columns[k] = -1
		default:
			return "", Missing
		}
	}
	o.mul, o.div, o.make, o.join, o.parse = r.mul, r.div, r.make, r.join, r.parse
	say := r.say
	for k, col := range columns {
		read := defaultReader(field)
		if k < len(r.read) && r.read[k] != nil {
			read = r.read[k]
		}
		input, name := -1, "nothing"
		if col >= 0 {
			input, name = p.add(col, read), p.header[col]
		}
		o.from = append(o.from, input)
		say = strings.ReplaceAll(say, "$"+string(rune('1'+k)), name)
	}
	if r.say == "" {
		return p.header[columns[0]], Column
	}
	return say, Computed
}

// isNetFlow reports whether the header is of an NF-* set, whose Label column
// is 0 or 1 and not a name.
func (p *planner) isNetFlow() bool {
	_, ok := p.byName[normalise(frame.InBytes)]
	return ok
}

// measures reports whether the plan has a field that tells what a flow did,
// and not only who took part.
func (p *plan) measures() bool {
	for _, name := range []string{frame.InBytes, frame.OutBytes, frame.InPackets, frame.OutPackets, frame.Duration} {
		if i, ok := p.schema.Index(name); ok && p.has[i] {
			return true
		}
	}
	return false
}

// words reports whether the plan has a text that says what happened.
func (p *plan) words() bool {
	for _, name := range []string{frame.AlertTitle, frame.AlertDescription} {
		if i, ok := p.schema.Index(name); ok && p.has[i] {
			return true
		}
	}
	return false
}
