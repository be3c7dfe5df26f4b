package bundle_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"cloister/shared/bundle"
)

var update = flag.Bool("update", false, "rewrite testdata/kit")

const kitDir = "testdata/kit"

// vector is one file of the kit: a bundle and how reading it must end.
type vector struct {
	name    string
	expect  string // class of the outcome, see classOf
	stage   string // "open" or "decode": the half of Decode that fails; empty for ok
	comment string
	limits  bundle.Limits // zero: the defaults
	data    []byte
}

// text returns the file: header lines, an empty line, the bundle.
func (v vector) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "expect: %s\n", v.expect)
	if v.stage != "" {
		fmt.Fprintf(&b, "stage: %s\n", v.stage)
	}
	lim := reflect.ValueOf(v.limits)
	for i := range lim.NumField() {
		if n := lim.Field(i).Int(); n != 0 {
			fmt.Fprintf(&b, "limit: %s=%d\n", lim.Type().Field(i).Name, n)
		}
	}
	fmt.Fprintf(&b, "sha256: %x\ncomment: %s\n\n", sha256.Sum256(v.data), v.comment)
	return append(b.Bytes(), v.data...)
}

// parseVector is the inverse of text. It knows nothing of the generator, so
// that the kit can be used without it.
func parseVector(name string, b []byte) (v vector, err error) {
	head, data, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		return v, errors.New("no empty line after the header")
	}
	v.name, v.data = name, data
	sum := ""
	for _, line := range strings.Split(string(head), "\n") {
		key, value, ok := strings.Cut(line, ": ")
		switch {
		case !ok:
			return v, fmt.Errorf("header line %q", line)
		case key == "expect":
			v.expect = value
		case key == "stage":
			v.stage = value
		case key == "comment":
			v.comment = value
		case key == "sha256":
			sum = value
		case key == "limit":
			field, number, _ := strings.Cut(value, "=")
			n, err := strconv.ParseInt(number, 10, 64)
			f := reflect.ValueOf(&v.limits).Elem().FieldByName(field)
			if err != nil || !f.IsValid() {
				return v, fmt.Errorf("limit %q", value)
			}
			f.SetInt(n)
		default:
			return v, fmt.Errorf("header key %q", key)
		}
	}
	if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
		return v, fmt.Errorf("bytes have the digest %x", got)
	}
	return v, nil
}

// classOf names the kind of an error of this package. A field error is kept
// apart from other format errors, so that one cannot hide as the other.
func classOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case isA[*bundle.FieldError](err) && isA[*bundle.FormatError](err):
		return "field"
	case isA[*bundle.FormatError](err):
		return "format"
	case isA[*bundle.LimitError](err):
		return "limit"
	case isA[*bundle.UnsupportedError](err):
		return "unsupported"
	case isA[*bundle.HashError](err):
		return "hash"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	}
	return "untyped"
}

// readKit reads the kit from disk.
func readKit(t testing.TB) []vector {
	t.Helper()
	found, err := os.ReadDir(kitDir)
	if err != nil {
		t.Fatal(err)
	}
	var kit []vector
	for _, f := range found {
		b, err := os.ReadFile(filepath.Join(kitDir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		v, err := parseVector(f.Name(), b)
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		kit = append(kit, v)
	}
	if len(kit) < 100 {
		t.Fatalf("the kit has only %d vectors", len(kit))
	}
	return kit
}

// TestKit_isGenerated compares the kit on disk with its generator; with
// -update it writes it. A file without a generator is an orphan and fails.
func TestKit_isGenerated(t *testing.T) {
	want := map[string]vector{}
	classes := map[string]int{}
	for _, v := range generate(t) {
		if _, ok := want[v.name]; ok {
			t.Errorf("two vectors are called %s", v.name)
		}
		want[v.name] = v
		classes[v.expect]++
	}
	for _, class := range []string{"ok", "format", "field", "limit", "unsupported", "hash", "cut"} {
		if classes[class] < 3 {
			t.Errorf("%d vectors of class %s", classes[class], class)
		}
	}
	if *update {
		if err := os.RemoveAll(kitDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(kitDir, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, v := range want {
			if err := os.WriteFile(filepath.Join(kitDir, v.name), v.text(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	total := 0
	for _, got := range readKit(t) {
		v, ok := want[got.name]
		if !ok {
			t.Errorf("%s: orphan", got.name)
			continue
		}
		if !reflect.DeepEqual(got, v) {
			t.Errorf("%s: differs from its generator (-update rewrites it)", got.name)
		}
		delete(want, got.name)
		total += len(v.text())
	}
	for name := range want {
		t.Errorf("%s: not on disk (-update writes it)", name)
	}
	if total > 1<<20 {
		t.Errorf("the kit has %d bytes", total)
	}
}

func TestKit_everyEntryPoint(t *testing.T) {
	for _, v := range readKit(t) {
		t.Run(v.name, func(t *testing.T) {
			if v.expect == "ok" != (v.stage == "") {
				t.Fatalf("stage %q with expect %q", v.stage, v.expect)
			}
			input := bytes.Clone(v.data)
			checkOutcome(t, v, input)
			if !bytes.Equal(input, v.data) {
				t.Error("the input was changed")
			}
		})
	}
}

// checkOutcome reads input through each entry point.
func checkOutcome(t *testing.T, v vector, input []byte) {
	b, err := bundle.Decode(input, v.limits)
	if got := classOf(err); got != v.expect {
		t.Fatalf("Decode: got %s (%v), want %s", got, err, v.expect)
	}
	a, openErr := bundle.Open(input, v.limits)
	if v.stage == "open" {
		if openErr == nil || openErr.Error() != err.Error() || a != nil || b != nil {
			t.Fatalf("Open: got %v, Decode %v", openErr, err)
		}
		return
	}
	if openErr != nil {
		t.Fatalf("Open: got %v", openErr)
	}
	b2, decodeErr := a.Decode()
	if v.stage == "decode" {
		if decodeErr == nil || decodeErr.Error() != err.Error() || b != nil || b2 != nil {
			t.Fatalf("Archive.Decode: got %v, Decode %v", decodeErr, err)
		}
		return
	}
	if decodeErr != nil {
		t.Fatalf("Archive.Decode: got %v", decodeErr)
	}
	for _, b := range []*bundle.Bundle{b, b2} {
		m, files := contents(b)
		again, err := bundle.Encode(m, files, v.limits)
		if err != nil || !bytes.Equal(again, input) {
			t.Errorf("what parses must encode to the same bytes: %v", err)
		}
	}
}

// TestClassOf_tellsApart guards the helper that all vectors rely on.
func TestClassOf_tellsApart(t *testing.T) {
	field := &bundle.FieldError{Field: "id", Want: "x"}
	for want, err := range map[string]error{
		"ok": nil, "format": &bundle.FormatError{}, "field": &bundle.FormatError{Err: field}, "limit": &bundle.LimitError{},
		"unsupported": &bundle.UnsupportedError{}, "hash": &bundle.HashError{}, "cut": fmt.Errorf("x: %w", io.ErrUnexpectedEOF),
		"untyped": errors.New("x"),
	} {
		if got := classOf(err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if classOf(field) != "untyped" {
		t.Error("a bare FieldError is not what Decode returns")
	}
}
