package foreign

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value is a value of JSON or UBJSON. An array of nothing but numbers has them
// in nums, eight bytes each; everything else takes about a hundred bytes, for
// at least two in the file.
type value struct {
	kind byte // one of the constants below
	at   int  // byte where it starts
	num  float64
	str  string
	nums []float64
	list []value  // elements, or values of keys
	keys []string // of an object
}

const (
	isNull    = 'z'
	isBool    = 'b' // num is 0 or 1
	isNumber  = 'n'
	isString  = 's'
	isNumbers = 'v'
	isList    = 'l'
	isObject  = 'o'
)

// get returns the value of a key, or of a path of keys, nil if there is none.
func (v *value) get(path ...string) *value {
	for _, key := range path {
		if v == nil || v.kind != isObject {
			return nil
		}
		var next *value
		for i, k := range v.keys {
			if k == key {
				next = &v.list[i]
				break
			}
		}
		v = next
	}
	return v
}

// numbers returns the elements of an array of numbers; an empty list is one,
// and so is one of booleans.
func (v *value) numbers() ([]float64, bool) {
	switch {
	case v == nil:
		return nil, false
	case v.kind == isNumbers:
		return v.nums, true
	case v.kind != isList:
		return nil, false
	}
	var out []float64
	for i := range v.list {
		if k := v.list[i].kind; k != isBool && k != isNumber {
			return nil, false
		}
		out = append(out, v.list[i].num)
	}
	return out, true
}

// strings returns the elements of an array of strings.
func (v *value) strings() ([]string, bool) {
	if v == nil || v.kind != isList && len(v.nums) > 0 {
		return nil, false
	}
	var out []string
	for i := range v.list {
		if v.list[i].kind != isString {
			return nil, false
		}
		out = append(out, v.list[i].str)
	}
	return out, true
}

// float returns a number, or the number that a string holds: XGBoost writes its
// parameters as strings.
func (v *value) float() (float64, bool) {
	switch {
	case v == nil:
		return 0, false
	case v.kind == isNumber:
		return v.num, true
	case v.kind == isString:
		f, err := strconv.ParseFloat(v.str, 64)
		return f, err == nil
	}
	return 0, false
}

// whole is float for whole numbers from low to high.
func (v *value) whole(low, high int) (int, bool) {
	f, ok := v.float()
	if !ok || f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		return 0, false
	}
	return int(f), true
}

// collect adds an element to an array that keeps nothing but numbers compact.
func (v *value) collect(e value) {
	if e.kind == isNumber && v.kind == isNumbers {
		v.nums = append(v.nums, e.num)
		return
	}
	if v.kind == isNumbers {
		v.kind = isList
		for _, n := range v.nums {
			v.list = append(v.list, value{kind: isNumber, at: v.at, num: n})
		}
		v.nums = nil
	}
	v.list = append(v.list, e)
}

// jsonReader reads RFC 8259 and besides NaN, Infinity and -Infinity.
type jsonReader struct {
	s  string
	at int
}

func parseJSON(data []byte) (*value, error) {
	r := &jsonReader{s: string(data)}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.space(); r.at != len(r.s) {
		return nil, r.fail("more after the end of the value")
	}
	return &v, nil
}

func (r *jsonReader) fail(what string, args ...any) error {
	if r.at >= len(r.s) {
		return malformed("json", r.at, "it ends in the middle of a value")
	}
	return malformed("json", r.at, what, args...)
}

func (r *jsonReader) space() {
	for r.at < len(r.s) && (r.s[r.at] == ' ' || r.s[r.at] == '\n' || r.s[r.at] == '\t' || r.s[r.at] == '\r') {
		r.at++
	}
}

// next skips space and returns the byte there, 0 at the end.
func (r *jsonReader) next() byte {
	if r.space(); r.at < len(r.s) {
		return r.s[r.at]
	}
	return 0
}

func (r *jsonReader) value(depth int) (value, error) {
	if depth > maxDepth {
		return value{}, &LimitError{"json", "nested values", maxDepth, int64(depth)}
	}
	c := r.next()
	v := value{at: r.at}
	switch c {
	case '{':
		v.kind = isObject
		return v, r.object(&v, depth)
	case '[':
		v.kind = isNumbers
		return v, r.array(&v, depth)
	case '"':
		s, err := r.text()
		v.kind, v.str = isString, s
		return v, err
	}
	for i, word := range []string{"false", "true", "null"} {
		if strings.HasPrefix(r.s[r.at:], word) {
			if v.kind, v.num = isBool, float64(i); word == "null" {
				v.kind, v.num = isNull, 0
			}
			r.at += len(word)
			return v, nil
		}
	}
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} { // no JSON, but XGBoost 2 writes NaN
		if strings.HasPrefix(r.s[r.at:], word) {
			v.kind, v.num = isNumber, math.NaN()
			if word != "NaN" {
				v.num = math.Inf(1 - 2*strings.Index(word, "I"))
			}
			r.at += len(word)
			return v, nil
		}
	}
	end := r.at
	for end < len(r.s) && end-r.at < 64 && strings.IndexByte("+-.0123456789eE", r.s[end]) >= 0 {
		end++
	}
	f, err := strconv.ParseFloat(r.s[r.at:end], 64)
	if err != nil || c == '+' {
		return v, r.fail("not a value: %.16q", r.s[r.at:])
	}
	v.kind, v.num, r.at = isNumber, f, end
	return v, nil
}

func (r *jsonReader) array(v *value, depth int) error {
	r.at++
	if r.next() == ']' {
		r.at++
		return nil
	}
	for {
		e, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.collect(e)
		switch r.next() {
		case ',':
			r.at++
		case ']':
			r.at++
			return nil
		default:
			return r.fail("want , or ] in an array")
		}
	}
}

func (r *jsonReader) object(v *value, depth int) error {
	r.at++
	if r.next() == '}' {
		r.at++
		return nil
	}
	for {
		if r.next() != '"' {
			return r.fail("want a key")
		}
		key, err := r.text()
		if err != nil {
			return err
		}
		if r.next() != ':' {
			return r.fail("want : after a key")
		}
		r.at++
		e, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if err := v.put("json", key, e); err != nil {
			return err
		}
		switch r.next() {
		case ',':
			r.at++
		case '}':
			r.at++
			return nil
		default:
			return r.fail("want , or } in an object")
		}
	}
}

// put adds a key.
func (v *value) put(format, key string, e value) error {
	if len(v.keys) == maxKeys {
		return &LimitError{format, "keys of an object", maxKeys, maxKeys + 1}
	}
	if v.get(key) != nil {
		return malformed(format, e.at, "key %.64q is there twice", key)
	}
	v.keys, v.list = append(v.keys, key), append(v.list, e)
	return nil
}

// text reads a string at its opening quote.
func (r *jsonReader) text() (string, error) {
	start := r.at + 1
	for i := start; i < len(r.s); i++ {
		switch c := r.s[i]; {
		case c == '"':
			s := r.s[start:i]
			if !utf8.ValidString(s) {
				return "", r.fail("a string that is not UTF-8")
			}
			r.at = i + 1
			return s, nil
		case c == '\\':
			return r.escaped(start, i)
		case c < ' ':
			r.at = i
			return "", r.fail("a control character in a string")
		}
	}
	r.at = len(r.s)
	return "", r.fail("")
}

// escaped reads on from the first backslash, at i.
func (r *jsonReader) escaped(start, i int) (string, error) {
	for ; i < len(r.s); i++ {
		if r.s[i] == '\\' {
			i++
			continue
		}
		if r.s[i] == '"' {
			s, err := unquote(r.s[start:i])
			if err != nil {
				r.at = start
				return "", r.fail("a string with a wrong escape")
			}
			r.at = i + 1
			return s, nil
		}
	}
	r.at = len(r.s)
	return "", r.fail("")
}

// unquote resolves the escapes of JSON.
func unquote(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", strconv.ErrSyntax
		}
		if j := strings.IndexByte(`"\/bfnrt`, s[i]); j >= 0 {
			b.WriteByte("\"\\/\b\f\n\r\t"[j])
			continue
		}
		if s[i] != 'u' || i+5 > len(s) {
			return "", strconv.ErrSyntax
		}
		code, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
		if err != nil {
			return "", err
		}
		b.WriteRune(rune(code)) // a half of a pair becomes U+FFFD
		i += 4
	}
	if !utf8.ValidString(b.String()) {
		return "", strconv.ErrSyntax
	}
	return b.String(), nil
}
