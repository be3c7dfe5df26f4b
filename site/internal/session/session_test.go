package session_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"cloister/site/internal/session"
)

func sample() session.Session {
	return session.Session{
		Bundle: strings.Repeat("ab", 32), Files: []session.File{{Name: "a <b>.csv", Size: 10}, {Name: "b.csv", Size: 20}},
		Settings: map[string]string{"threshold": "0.9", "filter": "score > 0.5"},
		Marks:    []session.Mark{{File: 0, Row: 3, Mark: "confirmed"}, {File: 0, Row: 9, Note: "ask \"Ann\"\n"}, {File: 1, Row: 3, Mark: "open", Note: "?"}},
	}
}

func TestSession_roundTrip(t *testing.T) {
	data := session.Append(nil, sample())
	got, err := session.Decode(data)
	want := sample()
	want.Format, want.Version = got.Format, got.Version
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got.Format != "cloister-session" || got.Version != 1 {
		t.Errorf("%q %d", got.Format, got.Version)
	}
}

func TestDecode_refuses(t *testing.T) {
	good := string(session.Append(nil, sample()))
	tests := map[string]struct{ old, new, says string }{
		"another format":       {`"cloister-session"`, `"x"`, "no session file"},
		"a later version":      {`"version":1`, `"version":2`, "version 2"},
		"an unknown field":     {`"marks":`, `"more":1,"marks":`, "unknown field"},
		"no such file":         {`{"file":1`, `{"file":2`, "file 2 of 2"},
		"a negative file":      {`{"file":1`, `{"file":-1`, "file -1"},
		"row 0":                {`"row":9`, `"row":0`, "row 0"},
		"a repeated row":       {`"row":9`, `"row":3`, "out of order"},
		"a huge row":           {`"row":9`, `"row":9007199254740993`, "row 9007199254740993"},
		"an unknown mark":      {`"mark":"open"`, `"mark":"maybe"`, "unknown mark"},
		"a mark of nothing":    {`"mark":"confirmed"`, `"mark":""`, "unknown mark"},
		"a long note":          {`"note":"?"`, `"note":"` + strings.Repeat("x", 2001) + `"`, "2001 bytes"},
		"space":                {`"row":9`, `"row": 9`, "not in the form"},
		"a repeated key":       {`"row":9`, `"row":4,"row":9`, "not in the form"},
		"a cut file":           {"}\n", "", "no session file"},
		"more behind":          {"}\n", "}\nx", "no session file"},
		"the name is too long": {`"b.csv"`, `"` + strings.Repeat("n", 1001) + `"`, "1001 bytes"},
	}
	for name, tt := range tests {
		i := strings.LastIndex(good, tt.old)
		if i < 0 {
			t.Fatalf("%s: %q is not in the file", name, tt.old)
		}
		_, err := session.Decode([]byte(good[:i] + tt.new + good[i+len(tt.old):]))
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := session.Decode(make([]byte, session.MaxBytes+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too large: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(session.Append(nil, sample()))
	f.Add([]byte(`{"format":"cloister-session","version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := session.Decode(data)
		if err == nil && !bytes.Equal(session.Append(nil, s), data) {
			t.Errorf("%q is written as %q", data, session.Append(nil, s))
		}
	})
}
