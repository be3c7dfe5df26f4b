package bundle

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// codec walks a manifest in the order of its fields and either appends its
// canonical JSON to buf or reads exactly that from buf. One description of the
// fields (fields.go) serves both directions, so they cannot drift apart; what
// the writer would not write, the reader refuses at the first wrong byte.
//
// The canonical form is what ECMAScript's JSON.stringify returns for the same
// values with the keys in our order: no white space, shortest numbers
// (ECMA-262, Number::toString), only the escapes \" \\ \n \t.
//
// After the first error every method does nothing.
type codec struct {
	reading bool
	buf     []byte
	off     int    // reading: next byte of buf
	base    int    // reading: offset of buf in the file
	path    []step // of the value at hand, for errors
	comma   bool   // writing or reading a key that is not the first
	short   bool   // reading: the error is that buf ended
	err     error
}

// step is one part of a path: a key, or the element of a list.
type step struct {
	key   string
	index int // -1 for a key
}

// field returns the path of the value key, which may be empty in a list.
func (c *codec) field(key string) string {
	var sb strings.Builder
	for _, s := range append(c.path[:len(c.path):len(c.path)], step{key, -1}) {
		switch {
		case s.index >= 0:
			fmt.Fprintf(&sb, "[%d]", s.index)
		case s.key != "" && sb.Len() > 0:
			sb.WriteString("." + s.key)
		default:
			sb.WriteString(s.key)
		}
	}
	return sb.String()
}

// breaks records that the value of key, which stands at offset at when
// reading, is not what the rule wants.
func (c *codec) breaks(key, value, want string, at int) {
	if c.err != nil {
		return
	}
	fe := &FieldError{c.field(key), value, want}
	if c.err = fe; c.reading {
		c.err = &FormatError{int64(c.base + at), fe.text(), fe}
	}
}

// syntax records that the bytes at off are not the canonical form of a value.
func (c *codec) syntax(want string) {
	if c.err != nil {
		return
	}
	rest := c.buf[c.off:]
	if len(rest) == 0 {
		c.short = true
		c.err = malformed(c.base+c.off, "manifest.json ends before %s", want)
		return
	}
	c.err = malformed(c.base+c.off, "manifest.json: want %s: %s", want, quote(string(rest[:min(len(rest), 64)])))
}

// lit writes or requires s.
func (c *codec) lit(s string) {
	if c.err != nil {
		return
	}
	if !c.reading {
		c.buf = append(c.buf, s...)
		return
	}
	rest := c.buf[c.off:]
	n := min(len(s), len(rest))
	if string(rest[:n]) != s[:n] {
		c.syntax(s)
		return
	}
	if c.off += n; n < len(s) {
		c.syntax(s)
	}
}

// next reports whether the next byte read is b.
func (c *codec) next(b byte) bool {
	return c.err == nil && c.off < len(c.buf) && c.buf[c.off] == b
}

// key writes or requires an object key, with a comma unless it is the first;
// the elements of a list have no key.
func (c *codec) key(key string) {
	if key == "" {
		return
	}
	if c.comma {
		c.lit(",")
	}
	c.lit(`"` + key + `":`)
	c.comma = true
}

// object walks the fields of an object.
func (c *codec) object(key string, fields func()) {
	c.key(key)
	c.path = append(c.path, step{key, -1})
	c.comma = false
	c.lit("{")
	fields()
	c.lit("}")
	c.comma = true
	c.path = c.path[:len(c.path)-1]
}

// list walks a list; each walks one element. Reading appends to *p, which is
// nil, and leaves it nil if the list has no elements.
func list[T any](c *codec, key string, p *[]T, each func(*T)) {
	c.key(key)
	c.path = append(c.path, step{key, -1}, step{"", 0})
	element := func(i int) {
		if i > 0 {
			c.lit(",")
		}
		c.path[len(c.path)-1].index = i
		each(&(*p)[i])
	}
	c.lit("[")
	if c.reading {
		for more := !c.next(']'); more && c.err == nil; more = c.next(',') {
			*p = append(*p, *new(T))
			element(len(*p) - 1)
		}
	} else {
		for i := range *p {
			element(i)
		}
	}
	c.lit("]")
	c.path = c.path[:len(c.path)-2]
}

// texts walks a list of strings.
func (c *codec) texts(key string, p *[]string, r rule) {
	list(c, key, p, func(s *string) { c.text("", s, r) })
}

// text walks a string that r accepts.
func (c *codec) text(key string, p *string, r rule) {
	c.key(key)
	at := c.off
	if c.reading {
		*p = c.readText()
	}
	if c.err != nil {
		return
	}
	if !r.ok(*p) {
		c.breaks(key, quote(*p), r.want, at)
	} else if !c.reading {
		c.buf = appendText(c.buf, *p)
	}
}

// readText reads a string. Escapes other than the four of appendText are not
// canonical.
func (c *codec) readText() string {
	c.lit(`"`)
	start, escaped := c.off, false
	for c.err == nil {
		if c.off == len(c.buf) {
			c.syntax("the end of a string")
			break
		}
		switch ch := c.buf[c.off]; {
		case ch == '"':
			b := c.buf[start:c.off]
			c.off++
			if escaped {
				return unescape(b)
			}
			return string(b)
		case ch == '\\':
			escaped = true
			c.off++
			if c.off < len(c.buf) && strings.IndexByte(`"\nt`, c.buf[c.off]) < 0 {
				c.syntax(`one of the escapes \" \\ \n \t`)
			}
		case ch < ' ':
			c.syntax("no control character")
		}
		if c.off < len(c.buf) {
			c.off++
		}
	}
	return ""
}

// unescape replaces the escapes that appendText writes.
func unescape(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		ch := b[i]
		if ch == '\\' {
			i++
			switch ch = b[i]; ch {
			case 'n':
				ch = '\n'
			case 't':
				ch = '\t'
			}
		}
		out = append(out, ch)
	}
	return string(out)
}

// appendText appends s, which holds no control characters but \n and \t.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, ch := range []byte(s) {
		switch ch {
		case '"', '\\':
			dst = append(dst, '\\', ch)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, ch)
		}
	}
	return append(dst, '"')
}

// maxCount is the largest integer that every JSON reader keeps: 2^53 - 1.
const maxCount = 1<<53 - 1

// count walks an integer of 0 to maxCount.
func (c *codec) count(key string, p *int64) {
	const want = "an integer of 0 to 2^53-1"
	c.key(key)
	if !c.reading {
		if *p < 0 || *p > maxCount {
			c.breaks(key, strconv.FormatInt(*p, 10), want, 0)
		}
		if c.err == nil {
			c.buf = strconv.AppendInt(c.buf, *p, 10)
		}
		return
	}
	tok := c.token("0123456789")
	v, err := strconv.ParseInt(tok, 10, 64)
	if err != nil || v > maxCount || strconv.FormatInt(v, 10) != tok {
		c.syntax(want)
		return
	}
	*p, c.off = v, c.off+len(tok)
}

// small walks a count that fits an int on every platform.
func (c *codec) small(key string, p *int) {
	v := int64(*p)
	c.count(key, &v)
	if v > 1<<31-1 {
		c.breaks(key, strconv.FormatInt(v, 10), "an integer of 0 to 2^31-1", c.off)
		return
	}
	*p = int(v)
}

// number walks a finite number in [lo, hi].
func (c *codec) number(key string, p *float64, lo, hi float64) {
	c.key(key)
	at := c.off
	if c.reading {
		tok := c.token("+-.0123456789eE")
		v, err := strconv.ParseFloat(tok, 64)
		if err != nil || string(appendNumber(nil, v)) != tok {
			c.syntax("a number in its shortest form")
			return
		}
		*p, c.off = v, c.off+len(tok)
	}
	if c.err != nil {
		return
	}
	if !(*p >= lo && *p <= hi) { // NaN included
		want := fmt.Sprintf("a number of %g to %g", lo, hi)
		if hi == math.MaxFloat64 {
			want = "a finite number"
			if lo == 0 {
				want += " of 0 or more"
			}
		}
		c.breaks(key, strconv.FormatFloat(*p, 'g', -1, 64), want, at)
	} else if !c.reading {
		c.buf = appendNumber(c.buf, *p)
	}
}

// optional walks a number as number does, or null for nil.
func (c *codec) optional(key string, p **float64, lo, hi float64) {
	if !c.reading && *p != nil {
		c.number(key, *p, lo, hi)
		return
	}
	c.key(key)
	if !c.reading || c.next('n') {
		*p = nil
		c.lit("null")
		return
	}
	*p = new(float64)
	c.path = append(c.path, step{key, -1})
	c.number("", *p, lo, hi)
	c.path = c.path[:len(c.path)-1]
}

// token returns the bytes at off that are in set, not consumed.
func (c *codec) token(set string) string {
	if c.err != nil {
		return ""
	}
	const longest = 32 // a shortest double takes at most 24
	n := c.off
	for n < len(c.buf) && n-c.off < longest && strings.IndexByte(set, c.buf[n]) >= 0 {
		n++
	}
	return string(c.buf[c.off:n])
}

// appendNumber appends the shortest form that reads back as v, which is
// finite, as ECMAScript writes it; -0 is written as 0.
func appendNumber(dst []byte, v float64) []byte {
	if v == 0 {
		return append(dst, '0')
	}
	if a := max(v, -v); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, v, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-07 is e-7
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst
}

// flag walks a boolean.
func (c *codec) flag(key string, p *bool) {
	c.key(key)
	if c.reading {
		*p = c.next('t')
	}
	c.lit(strconv.FormatBool(*p))
}

// digest walks a SHA-256 in lower-case hex, or an empty string for the zero
// Digest if that is allowed.
func (c *codec) digest(key string, p *Digest, required bool) {
	c.key(key)
	at := c.off
	s := p.String()
	if c.reading {
		s = c.readText()
		var ok bool
		if *p, ok = parseDigest(s); !ok {
			c.breaks(key, quote(s), "64 lower-case hex digits", at)
		}
	}
	if required && *p == (Digest{}) {
		c.breaks(key, `""`, "64 lower-case hex digits", at)
	}
	if !c.reading && c.err == nil {
		c.buf = appendText(c.buf, s)
	}
}

// quote quotes s for an error, cut to 64 bytes at a character.
func quote(s string) string {
	if len(s) > 64 {
		n := 64
		for n > 61 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strconv.Quote(s)
}
