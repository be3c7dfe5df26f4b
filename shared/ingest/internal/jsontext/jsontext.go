// Package jsontext finds JSON objects in a stream of bytes and reads members
// of them by path. It hides JSON's grammar: it copies nothing but strings with
// escapes, allocates nothing by numbers of the input, and nesting is bounded.
//
//	n, st := jsontext.End(b)                 // b[0] == '{'
//	p := jsontext.NewPaths([]string{"ts", "id.orig_h"})
//	err := p.Extract(b[:n], cells)
//
// A path joins keys with dots, and a key that itself holds dots matches the
// same path: {"id":{"orig_h":1}} and {"id.orig_h":1} are alike, as the tools
// that write them mean it. What lies outside the wanted paths is scanned for
// its end and not validated further.
package jsontext

import (
	"bytes"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep objects and arrays may nest.
const MaxDepth = 64

// Status is what [End] found.
type Status uint8

// The outcomes of End.
const (
	Complete Status = iota // an object ends after n bytes
	Partial                // the bytes end inside the object
	Broken                 // malformed: go on after n bytes, at the next line end when n is 0
	TooDeep                // more than MaxDepth levels: as Broken
)

// End returns the length of the object that starts b, whose first byte is '{'.
// A line end inside a string, a closing bracket that matches no opening one
// and an object where a key or a comma belongs mean that the object was cut
// short: n then leads to where the next record may start, so that one broken
// line of many costs one record. It costs O(len(b)).
func End(b []byte) (n int, s Status) {
	var arrays uint64 // bit per level: 1 array, 0 object
	depth, last := 0, byte(0)
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '"':
			end, broken := stringEnd(b[i:])
			switch {
			case broken:
				return i + end, Broken
			case end == 0:
				return 0, Partial
			}
			i += end - 1
		case '{', '[':
			if depth > 0 && !valueMayFollow(last, arrays&1 == 1) {
				if i > 0 && b[i-1] == '\n' {
					return i, Broken
				}
				return 0, Broken
			}
			if depth == MaxDepth {
				return 0, TooDeep
			}
			depth++
			arrays <<= 1
			if c == '[' {
				arrays |= 1
			}
		case '}', ']':
			if (arrays&1 == 1) != (c == ']') {
				return 0, Broken
			}
			arrays >>= 1
			if depth--; depth == 0 {
				return i + 1, Complete
			}
		}
		last = c
	}
	return 0, Partial
}

// valueMayFollow reports whether a value may stand behind last inside an array
// or an object.
func valueMayFollow(last byte, array bool) bool {
	if array {
		return last == '[' || last == ','
	}
	return last == ':'
}

// stringEnd returns the length of the string literal that starts b with its
// quotes, 0 if it does not end in b. broken means that a line end comes first,
// n bytes in.
func stringEnd(b []byte) (n int, broken bool) {
	for i := 1; i < len(b); i++ {
		j := bytes.IndexByte(b[i:], '"')
		part := b[i:]
		if j >= 0 {
			part = b[i : i+j]
		}
		if k := bytes.IndexByte(part, '\n'); k >= 0 {
			return i + k, true
		}
		if j < 0 {
			return 0, false
		}
		i += j
		back := 0
		for b[i-1-back] == '\\' {
			back++
		}
		if back%2 == 0 {
			return i + 1, false
		}
	}
	return 0, false
}

// ErrSyntax means that an object does not follow the grammar on a level that
// was read.
var ErrSyntax = errors.New("not valid JSON")

// Kind is the type of a value.
type Kind uint8

// The kinds of value.
const (
	Null Kind = iota
	Bool
	Number
	String // the value's text is without quotes; escapes are not resolved
	Array
	Object
)

// Members calls visit for each member of obj in order. The slices are parts of
// obj; text of a string lacks its quotes.
func Members(obj []byte, visit func(key []byte, kind Kind, text []byte) error) error {
	return walk(obj, '{', '}', visit)
}

// Elements calls visit for each element of arr in order, as [Members] does.
func Elements(arr []byte, visit func(kind Kind, text []byte) error) error {
	return walk(arr, '[', ']', func(_ []byte, kind Kind, text []byte) error { return visit(kind, text) })
}

func walk(b []byte, open, shut byte, visit func(key []byte, kind Kind, text []byte) error) error {
	if len(b) < 2 || b[0] != open {
		return ErrSyntax
	}
	b = trim(b[1:])
	if len(b) > 0 && b[0] == shut {
		return rest(b[1:])
	}
	for {
		var key []byte
		if open == '{' {
			if len(b) == 0 || b[0] != '"' {
				return ErrSyntax
			}
			n, broken := stringEnd(b)
			if n == 0 || broken {
				return ErrSyntax
			}
			key, b = b[1:n-1], trim(b[n:])
			if len(b) == 0 || b[0] != ':' {
				return ErrSyntax
			}
			b = trim(b[1:])
		}
		kind, n := value(b)
		if n == 0 {
			return ErrSyntax
		}
		text := b[:n]
		if kind == String {
			text = b[1 : n-1]
		}
		if err := visit(key, kind, text); err != nil {
			return err
		}
		if b = trim(b[n:]); len(b) == 0 {
			return ErrSyntax
		}
		switch b[0] {
		case shut:
			return rest(b[1:])
		case ',':
			b = trim(b[1:])
		default:
			return ErrSyntax
		}
	}
}

func rest(b []byte) error {
	if len(trim(b)) > 0 {
		return ErrSyntax
	}
	return nil
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// value returns the kind and length of the value that starts b, length 0 if
// there is none.
func value(b []byte) (Kind, int) {
	if len(b) == 0 {
		return Null, 0
	}
	switch c := b[0]; {
	case c == '"':
		n, broken := stringEnd(b)
		if broken {
			n = 0
		}
		return String, n
	case c == '{' || c == '[':
		kind := Object
		if c == '[' {
			kind = Array
		}
		return kind, bracketEnd(b)
	case c == 't' && bytes.HasPrefix(b, []byte("true")):
		return Bool, 4
	case c == 'f' && bytes.HasPrefix(b, []byte("false")):
		return Bool, 5
	case c == 'n' && bytes.HasPrefix(b, []byte("null")):
		return Null, 4
	case c == '-' || c >= '0' && c <= '9':
		n := 1
		for n < len(b) && (b[n] >= '0' && b[n] <= '9' || b[n] == '.' || b[n] == 'e' || b[n] == 'E' || b[n] == '+' || b[n] == '-') {
			n++
		}
		return Number, n
	}
	return Null, 0
}

// bracketEnd returns the length of the object or array that starts b.
func bracketEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n, broken := stringEnd(b[i:])
			if n == 0 || broken {
				return 0
			}
			i += n - 1
		case '{', '[':
			if depth++; depth > MaxDepth {
				return 0
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// Unquote appends the text of a string literal, given without its quotes, with
// escapes resolved. An escape that JSON does not know is kept as it stands, and
// half a surrogate pair becomes U+FFFD.
func Unquote(dst, text []byte) []byte {
	for len(text) > 0 {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		c := text[i+1]
		text = text[i+2:]
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n := unicodeEscape(text)
			if n == 0 {
				dst = append(dst, '\\', 'u')
				continue
			}
			dst, text = utf8.AppendRune(dst, r), text[n:]
		default:
			dst = append(dst, '\\', c)
		}
	}
	return dst
}

// unicodeEscape reads what follows \u, with a second escape if the two are a
// surrogate pair.
func unicodeEscape(b []byte) (r rune, n int) {
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(b) >= 10 && b[4] == '\\' && b[5] == 'u' {
		if low, ok := hex4(b[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return utf8.RuneError, 4
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r |= rune(c|0x20-'a') + 10
		default:
			return 0, false
		}
	}
	return r, true
}
