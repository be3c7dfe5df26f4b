package query

import (
	"math"
	"strings"
)

// Parse reads a filter over fields. The error is an [*Error]; an empty text is
// the query that lets everything through.
func Parse(text string, fields []Field) (*Query, error) {
	if len(text) > maxBytes {
		return nil, &Error{maxBytes, "the filter is longer than 4,096 bytes"}
	}
	p := &parser{text: text, fields: fields, q: &Query{}}
	p.next()
	if p.kind == end {
		return p.q, nil
	}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.kind != end {
		return nil, &Error{p.at, "an operator or the end should stand here, not " + short(p.value)}
	}
	p.q.root = e
	return p.q, nil
}

// token is what the text is made of.
type token uint8

const (
	end     token = iota
	name          // a word
	literal       // in quotes
	operator
	open
	shut
	bad
)

type parser struct {
	text   string
	fields []Field
	q      *Query
	pos    int

	kind  token
	at    int // of the token
	value string
}

// next reads the next token.
func (p *parser) next() {
	for p.pos < len(p.text) && (p.text[p.pos] <= ' ') {
		p.pos++
	}
	p.at, p.value = p.pos, ""
	if p.pos >= len(p.text) {
		p.kind = end
		return
	}
	switch c := p.text[p.pos]; c {
	case '(', ')':
		p.kind, p.value = open, string(c)
		if c == ')' {
			p.kind = shut
		}
		p.pos++
	case '"':
		p.quoted()
	case '=', '<', '>', '~', '!':
		p.kind, p.value = operator, string(c)
		p.pos++
		if p.pos < len(p.text) {
			switch two := string(c) + p.text[p.pos:p.pos+1]; two {
			case "==":
				p.pos++
			case "<=", ">=", "!=", "!~":
				p.value = two
				p.pos++
			case "<>":
				p.value = "!="
				p.pos++
			}
		}
	default:
		from := p.pos
		for p.pos < len(p.text) && word(p.text[p.pos]) {
			p.pos++
		}
		if p.pos == from { // DEL
			p.pos++
			p.kind, p.value = bad, p.text[from:p.pos]
			return
		}
		p.kind, p.value = name, p.text[from:p.pos]
	}
}

func (p *parser) quoted() {
	var b strings.Builder
	for i := p.pos + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '\\' && i+1 < len(p.text) && (p.text[i+1] == '"' || p.text[i+1] == '\\'):
			i++
			b.WriteByte(p.text[i])
		case c == '"':
			p.kind, p.value, p.pos = literal, b.String(), i+1
			return
		default:
			b.WriteByte(c)
		}
	}
	p.kind, p.value, p.pos = bad, "quotes that are not closed", len(p.text)
}

func (p *parser) is(word string) bool { return p.kind == name && strings.EqualFold(p.value, word) }

func (p *parser) or(depth int) (*expr, error) {
	return p.list('|', "or", depth, func() (*expr, error) {
		return p.list('&', "and", depth, func() (*expr, error) { return p.not(depth) })
	})
}

// list reads operands with an operator between; and may be left out.
func (p *parser) list(op byte, between string, depth int, operand func() (*expr, error)) (*expr, error) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	e := &expr{op: op, kids: []*expr{first}}
	for {
		if p.is(between) {
			p.next()
		} else if op != '&' || p.is("or") || p.kind == end || p.kind == shut {
			break
		}
		k, err := operand()
		if err != nil {
			return nil, err
		}
		e.kids = append(e.kids, k)
	}
	if len(e.kids) == 1 {
		return first, nil
	}
	return e, nil
}

func (p *parser) not(depth int) (*expr, error) {
	if depth > maxDepth {
		return nil, &Error{p.at, "the filter is nested more than 64 deep"}
	}
	if p.is("not") {
		p.next()
		k, err := p.not(depth + 1)
		if err != nil {
			return nil, err
		}
		return &expr{op: '!', kids: []*expr{k}}, nil
	}
	if p.kind == open {
		at := p.at
		p.next()
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.kind != shut {
			if p.kind == end {
				return nil, &Error{at, "this parenthesis is not closed"}
			}
			return nil, &Error{p.at, "a closing parenthesis should stand here"}
		}
		p.next()
		return e, nil
	}
	return p.condition()
}

// condition reads field op value, a flag, or a word.
func (p *parser) condition() (*expr, error) {
	at, kind, value := p.at, p.kind, p.value
	switch {
	case kind == end:
		return nil, &Error{at, "a condition is missing"}
	case kind == bad:
		return nil, &Error{at, "unreadable: " + short(value)}
	case kind != name && kind != literal, kind == name && keyword(value):
		return nil, &Error{at, "a condition should stand here, not " + short(value)}
	}
	p.next()
	field := -1
	if kind == name {
		field = find(p.fields, value)
	}
	if p.kind != operator {
		if field >= 0 && p.fields[field].Kind == Flag {
			return p.leaf(at, Leaf{Field: field, Op: Is})
		}
		f := find(p.fields, value)
		return p.leaf(at, Leaf{Field: Everywhere, Op: Is, Text: value, flag: f >= 0 && p.fields[f].Kind == Flag})
	}
	if field < 0 {
		return nil, &Error{at, "there is no field " + short(value)}
	}
	l := Leaf{Field: field}
	for o, s := range symbols {
		if s == p.value {
			l.Op = Op(o)
		}
	}
	opAt, f := p.at, p.fields[field]
	if p.value == "!" {
		return nil, &Error{opAt, "! is no comparison; != and !~ are"}
	}
	switch {
	case f.Kind == Flag:
		return nil, &Error{opAt, f.Name + " stands alone, or behind not"}
	case f.Kind == Text && l.Op >= Less && l.Op <= AtLeast:
		return nil, &Error{opAt, f.Name + " is a text: it has no order, compare with =, !=, ~ or !~"}
	case f.Kind != Text && l.Op >= Has:
		return nil, &Error{opAt, f.Name + " is a number: compare with =, !=, <, <=, > or >="}
	}
	p.next()
	if p.kind != name && p.kind != literal {
		return nil, &Error{p.at, "a value for " + f.Name + " is missing"}
	}
	l.Text = p.value
	switch f.Kind {
	case Number:
		l.Number = number(p.value)
	case Moment:
		l.Number = moment(p.value)
	}
	if math.IsNaN(l.Number) {
		if f.Kind == Moment {
			return nil, &Error{p.at, short(p.value) + " is no time: write 2026-01-31, or \"2026-01-31 23:59\" in UTC"}
		}
		return nil, &Error{p.at, short(p.value) + " is no number"}
	}
	p.next()
	return p.leaf(at, l)
}

func (p *parser) leaf(at int, l Leaf) (*expr, error) {
	if len(p.q.Leaves) == maxLeaves {
		return nil, &Error{at, "more than 256 conditions"}
	}
	if l.Field >= 0 {
		l.name = p.fields[l.Field].Name
	}
	p.q.Leaves = append(p.q.Leaves, l)
	return &expr{op: 'l', leaf: len(p.q.Leaves) - 1}, nil
}

// find returns the field of that name or alias, -1 if there is none.
func find(fields []Field, name string) int {
	for i, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return i
		}
		for _, a := range f.Aliases {
			if strings.EqualFold(a, name) {
				return i
			}
		}
	}
	return -1
}

func short(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	return `"` + s + `"`
}

// Completion is what could be written at the caret.
type Completion struct {
	From, To int    // bytes of the text that it replaces
	Text     string // to write there
	Help     string
}

// maxCompletions bounds a list of completions.
const maxCompletions = 8

// Complete returns what could go on at byte caret of text: fields and
// keywords, comparisons behind a field, and behind those the values that
// values returns for the field and the first letters, most useful first.
func Complete(text string, caret int, fields []Field, values func(field int, first string) []string) []Completion {
	caret = max(0, min(caret, len(text)))
	p := &parser{text: text[:caret], fields: fields}
	var last [2]parser // the two tokens before the one at the caret
	at := parser{kind: end, at: caret}
	for {
		p.next()
		if p.kind == end {
			break
		}
		if at.kind != end {
			last[1], last[0] = last[0], at
		}
		at = *p
	}
	from, first := caret, ""
	if at.kind == name && at.pos == caret {
		from, first = at.at, at.value
	} else if at.kind == bad && strings.HasPrefix(text[at.at:caret], `"`) {
		from, first = at.at, text[at.at+1:caret]
	} else if at.kind != end {
		last[1], last[0] = last[0], at
	}
	var out []Completion
	add := func(s, help string) {
		if len(out) < maxCompletions && !strings.EqualFold(s, first) {
			out = append(out, Completion{from, caret, s, help})
		}
	}
	begins := func(s string) bool {
		return len(s) >= len(first) && strings.EqualFold(s[:len(first)], first)
	}
	if last[0].kind == operator && last[1].kind == name {
		if f := find(fields, last[1].value); f >= 0 {
			for _, v := range values(f, first) {
				add(quoted(v, false)+" ", "")
			}
		}
		return out
	}
	if f := find(fields, last[0].value); last[0].kind == name && f >= 0 && last[1].kind != operator && fields[f].Kind != Flag && first == "" {
		ops := symbols[:AtLeast+1]
		if fields[f].Kind == Text {
			ops = []string{"=", "~", "!=", "!~"}
		}
		for _, o := range ops {
			add(o+" ", "")
		}
		return out
	}
	if before := last[0].kind; before == literal || before == shut || before == name && !keyword(last[0].value) {
		for _, k := range []string{"and ", "or "} {
			if begins(k) {
				add(k, "")
			}
		}
	}
	for _, f := range fields {
		hit := begins(f.Name)
		for _, a := range f.Aliases {
			hit = hit || first != "" && begins(a)
		}
		if hit {
			add(f.Name+" ", f.Help)
		}
	}
	if first != "" && begins("not ") {
		add("not ", "")
	}
	return out
}
