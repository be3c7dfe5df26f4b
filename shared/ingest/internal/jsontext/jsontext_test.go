package jsontext_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cloister/shared/ingest/internal/jsontext"
)

func TestEnd(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	tests := []struct {
		in     string
		n      int
		status jsontext.Status
	}{
		{`{}`, 2, jsontext.Complete}, {`{"a":1} x`, 7, jsontext.Complete}, {`{"a":{"b":[{},{}]}}`, 19, jsontext.Complete},
		{`{"a":"}\"{"}`, 12, jsontext.Complete}, {`{"a":"\\"}`, 10, jsontext.Complete},
		{`{`, 0, jsontext.Partial}, {`{"a`, 0, jsontext.Partial}, {`{"a":"x\"`, 0, jsontext.Partial}, {`{"a":"x\\`, 0, jsontext.Partial},
		{"{\n  \"a\": {\n  }\n}", 16, jsontext.Complete},
		{"{\"a\":\"b\n{}", 7, jsontext.Broken}, {"{\"a\":1,\n{}", 8, jsontext.Broken}, {"{\"a\":1, {}", 0, jsontext.Broken}, {`{"a":[}`, 0, jsontext.Broken}, {`{]`, 0, jsontext.Broken},
		{deep(jsontext.MaxDepth - 1), 5 + 2*(jsontext.MaxDepth-1) + 1, jsontext.Complete}, {deep(jsontext.MaxDepth), 0, jsontext.TooDeep},
	}
	for _, tt := range tests {
		if n, s := jsontext.End([]byte(tt.in)); n != tt.n || s != tt.status {
			t.Errorf("%.40q: got %d, %d, want %d, %d", tt.in, n, s, tt.n, tt.status)
		}
	}
}

func TestPaths_Extract(t *testing.T) {
	names := []string{"ts", "id.orig_h", "a.b.c", "list", "gone", "o"}
	tests := []struct{ in, want string }{
		{`{"ts":1.5,"id.orig_h":"x","a":{"b":{"c":true}},"list":[1, "2"],"gone":null,"o":{"p":1}}`, `["1.5" "x" "true" "[1, \"2\"]" nil "{\"p\":1}"]`},
		{`{"id":{"orig_h":"y\u00e4\n"},"a":{"b.c":-1e5}}`, `[nil "yä\n" "-1e5" nil nil nil]`},
		{`{"ts":1,"ts":2}`, `["2" nil nil nil nil nil]`},
		{`{"\u0074s":""}`, `["" nil nil nil nil nil]`},
		{`{}`, `[nil nil nil nil nil nil]`},
	}
	p := jsontext.NewPaths(names)
	cells := make([][]byte, len(names))
	for _, tt := range tests {
		if err := p.Extract([]byte(tt.in), cells); err != nil {
			t.Fatal(tt.in, err)
		}
		var got []string
		for _, c := range cells {
			if c == nil {
				got = append(got, "nil")
			} else {
				got = append(got, fmt.Sprintf("%q", c))
			}
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s\ngot  %v\nwant %s", tt.in, got, tt.want)
		}
	}
	for _, in := range []string{``, `{`, `[]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":1}x`, `{"a":tru}`, "{\"a\":\"x\ny\"}", `{"a":[1}`} {
		if err := p.Extract([]byte(in), cells); !errors.Is(err, jsontext.ErrSyntax) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestUnquote(t *testing.T) {
	for in, want := range map[string]string{
		`a\"\\\/\b\f\n\r\tz`: "a\"\\/\b\f\n\r\tz", `\u00e4\u20AC`: "ä€", `\ud83d\ude00`: "😀", `\ud83dx`: "\ufffdx", `\ud83d\u0041`: "\ufffdA",
		`\uZZZZ`: `\uZZZZ`, `\q`: `\q`, `\`: `\`, `\u12`: `\u12`,
	} {
		if got := string(jsontext.Unquote(nil, []byte(in))); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	var got []string
	err := jsontext.Names([]byte(`{"a":1,"b":{"c":[{"no":1}],"d":{"e":2}},"f":{"g":{"h":{"deep":1}}}}`), 3, func(path string, _ jsontext.Kind) bool {
		got = append(got, path)
		return true
	})
	if err != nil || fmt.Sprint(got) != "[a b.c b.d.e]" {
		t.Error(got, err)
	}
	n := 0
	if err := jsontext.Names([]byte(`{"a":{"b":1,"c":2},"d":3}`), 3, func(string, jsontext.Kind) bool { n++; return false }); err != nil || n != 1 {
		t.Error(n, err)
	}
}

// FuzzExtract compares with encoding/json: an object that it accepts has the
// same end and the same members here.
func FuzzExtract(f *testing.F) {
	for _, s := range []string{`{"a":{"b":"x\u0041"},"c":[1,2]}`, `{"a":"\ud800"}`, "{\"a\":\n{}}", `{"a":1}{"b":2}`, strings.Repeat(`{"a":`, 70), `{"a":"` + strings.Repeat(`\`, 99) + `"}`, `{"c":"x","c":null}`} {
		f.Add([]byte(s))
	}
	names := []string{"a.b", "c", "a"}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || b[0] != '{' {
			return
		}
		n, status := jsontext.End(b)
		if n > len(b) || n < 0 || status == jsontext.Complete && n < 2 {
			t.Fatalf("%d of %d bytes, status %d", n, len(b), status)
		}
		cells := make([][]byte, len(names))
		obj := b
		if status == jsontext.Complete {
			obj = b[:n]
		}
		err := jsontext.NewPaths(names).Extract(obj, cells)
		var want map[string]json.RawMessage
		if json.Unmarshal(obj, &want) != nil || want == nil {
			return
		}
		if status != jsontext.Complete && status != jsontext.TooDeep {
			t.Fatalf("status %d of valid JSON", status)
		}
		if status == jsontext.TooDeep {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var text string
		if raw, ok := want["c"]; ok && json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
			if got := strings.ToValidUTF8(string(cells[1]), "\ufffd"); got != strings.ToValidUTF8(text, "\ufffd") {
				t.Fatalf("c: got %q, want %q", got, text)
			}
		} else if !ok && cells[1] != nil && !strings.Contains(string(obj), "\xff") {
			t.Fatalf("c: got %q, but there is none", cells[1])
		}
	})
}
