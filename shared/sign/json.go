package sign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep JSON nests; a statement needs 6.
const maxDepth = 16

// parseJSON returns the value of b: map[string]any, []any, string, bool,
// json.Number or nil. Unlike encoding/json it refuses a name that stands twice
// in one object, text that is not UTF-8, and names that differ in case are
// different.
func parseJSON(b []byte) (any, error) {
	if !utf8.Valid(b) || !json.Valid(b) {
		return nil, &FormatError{"", "want JSON"}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return parseValue(d, 0)
}

// parseValue reads one value of valid JSON.
func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth == maxDepth {
		return nil, &FormatError{"", fmt.Sprintf("JSON nests deeper than %d", maxDepth)}
	}
	t, err := d.Token()
	if err != nil {
		return nil, &FormatError{"", "want JSON"}
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			t, err := d.Token()
			name, ok := t.(string)
			if err != nil || !ok {
				return nil, &FormatError{"", "want JSON"}
			}
			if _, twice := object[name]; twice {
				return nil, &FormatError{"", fmt.Sprintf("%.64q stands twice in one object", name)}
			}
			if object[name], err = parseValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return object, err
	}
	return t, nil
}

// reader takes values apart and keeps the first error, so that callers ask for
// everything and look once. Its methods return empty values after an error.
type reader struct{ err error }

func (r *reader) fail(at, what string) {
	if r.err == nil {
		r.err = &FormatError{at, what}
	}
}

// anyOther as the optional names allows every name.
const anyOther = "*"

// object returns the members of v, which must have the required names, may
// have the optional ones, each separated by spaces, and has no others.
func (r *reader) object(v any, at, required, optional string) map[string]any {
	object, ok := v.(map[string]any)
	if !ok {
		r.fail(at, "want an object")
		return nil
	}
	must, may := strings.Fields(required), strings.Fields(optional)
	for _, name := range must {
		if _, ok := object[name]; !ok {
			r.fail(at, name+" is missing")
		}
	}
	if optional == anyOther {
		return object
	}
	var unknown []string
	for name := range object {
		if !slices.Contains(must, name) && !slices.Contains(may, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		r.fail(at, fmt.Sprintf("%.64q is not known here", slices.Min(unknown)))
	}
	return object
}

func (r *reader) list(v any, at string) []any {
	list, ok := v.([]any)
	if !ok {
		r.fail(at, "want a list")
	}
	return list
}

func (r *reader) text(v any, at string) string {
	s, ok := v.(string)
	if !ok {
		r.fail(at, "want text")
	}
	return s
}

func (r *reader) constant(v any, at, want string) {
	if s, ok := v.(string); !ok || s != want {
		r.fail(at, fmt.Sprintf("want %q, got %.80q", want, fmt.Sprint(v)))
	}
}
