// Package query is the filter language of the page. It hides how a filter is
// spelled, completed and put together again.
//
//	q, err := query.Parse(`score >= 0.9 and (port = 22 or not class ~ dos)`, fields)
//	ok := q.Match(func(leaf int) bool { return test(q.Leaves[leaf], row) })
//
// A filter is made of conditions, `and`, `or`, `not` and parentheses; `not`
// binds tightest, then `and`, then `or`, and conditions side by side mean
// `and`. A condition is `field op value`, the bare name of a flag, or a word,
// which is looked for everywhere. Names and keywords are matched without
// regard to case. Values with other characters stand in double quotes, in
// which \" and \\ are escapes.
//
// Limits: 4,096 bytes, 256 conditions, nesting 64 deep. Texts are hostile: no
// input makes Parse panic, and [Query.String] reads back as the same query.
package query

import (
	"math"
	"strconv"
	"strings"
)

// Kind is what values of a field are.
type Kind uint8

// The kinds. A number may be written with k, M, G, T or %; a moment as
// 2006-01-02, with a time behind, or as a number.
const (
	Text Kind = iota
	Number
	Moment // milliseconds since 1970 UTC
	Flag
)

// Field is something that a condition can be about.
type Field struct {
	Name    string   // as it is written out again
	Aliases []string // other spellings
	Kind    Kind
	Help    string
}

// Op is a comparison.
type Op uint8

// The comparisons. Has and Lacks compare parts of texts.
const (
	Equal Op = iota
	Unequal
	Less
	AtMost
	More
	AtLeast
	Has
	Lacks
	Is // of a flag, and of a word that is looked for everywhere
)

var symbols = [...]string{"=", "!=", "<", "<=", ">", ">=", "~", "!~", ""}

// String returns the symbol.
func (o Op) String() string { return symbols[o] }

// Everywhere is the Field of a word without a field.
const Everywhere = -1

// Leaf is one condition.
type Leaf struct {
	Field  int // index into the fields, or Everywhere
	Op     Op
	Text   string  // the value as it was written, without quotes
	Number float64 // of Number and Moment fields
	name   string
	flag   bool // a word that without quotes would be a flag
}

// Error says where a text stops being a filter.
type Error struct {
	At   int // byte
	Text string
}

// Error returns the position, counted from 1, and the reason.
func (e *Error) Error() string {
	return "at character " + strconv.Itoa(e.At+1) + ": " + e.Text
}

// Limits of a filter.
const (
	maxBytes  = 4096
	maxLeaves = 256
	maxDepth  = 64
)

// Query is a parsed filter. The zero value lets everything through.
type Query struct {
	Leaves []Leaf
	root   *expr
}

// expr is a node of the tree: a leaf, or an operator over kids.
type expr struct {
	op   byte // 'l', '&', '|', '!'
	leaf int
	kids []*expr
}

// Match evaluates the query; holds answers for a leaf by its index.
func (q *Query) Match(holds func(leaf int) bool) bool {
	return q.root == nil || q.root.match(holds)
}

func (e *expr) match(holds func(int) bool) bool {
	switch e.op {
	case 'l':
		return holds(e.leaf)
	case '!':
		return !e.kids[0].match(holds)
	case '&':
		for _, k := range e.kids {
			if !k.match(holds) {
				return false
			}
		}
		return true
	}
	for _, k := range e.kids {
		if k.match(holds) {
			return true
		}
	}
	return false
}

// String returns the canonical spelling.
func (q *Query) String() string {
	if q.root == nil {
		return ""
	}
	var b strings.Builder
	q.write(&b, q.root)
	return b.String()
}

func (q *Query) write(b *strings.Builder, e *expr) {
	inside := func(k *expr, wrap bool) {
		if wrap {
			b.WriteByte('(')
		}
		q.write(b, k)
		if wrap {
			b.WriteByte(')')
		}
	}
	switch e.op {
	case 'l':
		l := q.Leaves[e.leaf]
		if l.Op == Is && l.Field != Everywhere {
			b.WriteString(l.name)
			return
		}
		if l.Field != Everywhere {
			b.WriteString(l.name + " " + l.Op.String() + " ")
		}
		b.WriteString(quoted(l.Text, l.Field == Everywhere && l.flag))
	case '!':
		b.WriteString("not ")
		inside(e.kids[0], e.kids[0].op != 'l')
	default:
		for i, k := range e.kids {
			if i > 0 {
				b.WriteString(map[byte]string{'&': " and ", '|': " or "}[e.op])
			}
			inside(k, k.op == '|' || k.op == e.op)
		}
	}
}

// Quote writes a value so that it reads back, in quotes if it must be.
func Quote(s string) string { return quoted(s, false) }

func quoted(s string, always bool) string {
	plain := s != "" && !always && !keyword(s)
	for i := 0; plain && i < len(s); i++ {
		plain = word(s[i])
	}
	if plain {
		return s
	}
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
}

func keyword(s string) bool {
	s = strings.ToLower(s)
	return s == "and" || s == "or" || s == "not"
}

// word reports whether a byte may stand in a value without quotes.
func word(c byte) bool {
	return c > ' ' && c != 127 && strings.IndexByte(`()"=<>!~`, c) < 0
}

// number reads a value of a Number field, NaN if it is none.
func number(s string) float64 {
	scale := 1.0
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			scale = 1e3
		case 'M':
			scale = 1e6
		case 'G':
			scale = 1e9
		case 'T':
			scale = 1e12
		case '%':
			scale = 1e-2
		}
	}
	if scale != 1 {
		s = s[:len(s)-1]
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return math.NaN()
	}
	return v * scale
}

// ParseMoment reads a time as a filter does, in milliseconds since 1970 UTC;
// NaN if it is none.
func ParseMoment(s string) float64 { return moment(s) }

// moment reads 2006-01-02[T 15:04[:05]] in UTC or a number, as milliseconds.
func moment(s string) float64 {
	if v := number(s); !math.IsNaN(v) {
		return v
	}
	part := func(from, to, low, high int) int {
		if to > len(s) {
			return -1
		}
		n, err := strconv.Atoi(s[from:to])
		if err != nil || n < low || n > high || s[from] == '-' || s[from] == '+' {
			return -1
		}
		return n
	}
	at := func(i int, c string) bool { return i < len(s) && strings.IndexByte(c, s[i]) >= 0 }
	y, m, d := part(0, 4, 0, 9999), part(5, 7, 1, 12), part(8, 10, 1, 31)
	if y < 0 || m < 0 || d < 0 || !at(4, "-") || !at(7, "-") {
		return math.NaN()
	}
	seconds := 0
	switch {
	case len(s) == 10:
	case len(s) == 16 || len(s) == 19:
		h, min := part(11, 13, 0, 23), part(14, 16, 0, 59)
		if h < 0 || min < 0 || !at(10, "T ") || !at(13, ":") {
			return math.NaN()
		}
		seconds = 3600*h + 60*min
		if len(s) == 19 {
			sec := part(17, 19, 0, 59)
			if sec < 0 || !at(16, ":") {
				return math.NaN()
			}
			seconds += sec
		}
	default:
		return math.NaN()
	}
	// days since 1970 in the proleptic Gregorian calendar, year from March
	if m <= 2 {
		y--
		m += 12
	}
	days := 365*y + floor(y, 4) - floor(y, 100) + floor(y, 400) + (153*(m-3)+2)/5 + d - 1 - 719468
	return 1000 * (86400*float64(days) + float64(seconds))
}

func floor(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
