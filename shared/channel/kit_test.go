package channel_test

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloister/shared/channel"
	"cloister/shared/sign"
)

var update = flag.Bool("update", false, "write testdata/kit anew")

const valid = `{"_type":"cloister-channel","spec_version":"1.0","name":"stable","version":7,"expires":"2027-01-02T03:04:05Z",` +
	`"targets":{"a/1.0.0/x.bundle":{"length":3,"hashes":{"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}}}}`

// vector is one file of testdata/kit: the text of its header, then the document.
type vector struct {
	name, expect, comment string
	payload               string // signed by "publisher"; empty if doc is no seal of it
	doc                   []byte
	now                   time.Time
	atLeast               int64
}

// vectors generates the kit.
func vectors(t testing.TB) []vector {
	private, public := keyOf(t, "publisher")
	stranger, strange := keyOf(t, "stranger")
	seal := func(payload string) []byte {
		b, err := sign.Seal(private, channel.MediaType, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := seal(valid)
	before := expires.Add(-time.Hour)
	var out []vector
	payload := func(name, expect, comment, payload string) {
		out = append(out, vector{name, expect, comment, payload, seal(payload), before, 0})
	}
	swap := func(old, new string) string {
		if !strings.Contains(valid, old) {
			t.Fatalf("%q is not in the valid document", old)
		}
		return strings.Replace(valid, old, new, 1)
	}
	doc := func(name, expect, comment string, doc []byte) {
		out = append(out, vector{name, expect, comment, "", doc, before, 0})
	}
	payload("valid", "ok", "a channel with one target", valid)
	payload("empty", "ok", "a channel without targets", swap(valid[strings.Index(valid, `{"a/1`):], "{}}"))
	out = append(out,
		vector{"seen", "ok", "the version seen last is accepted again", valid, good, before, 7},
		vector{"rollback", "rollback", "a higher version has been seen", valid, good, before, 8},
		vector{"last-second", "ok", "one second before it expires", valid, good, expires.Add(-time.Second), 0},
		vector{"expired", "expired", "at the second that it expires", valid, good, expires, 0})
	payload("another-type", "unsupported", "_type is not a channel's", swap("cloister-channel", "timestamp"))
	payload("major-2", "unsupported", "a later major version", swap(`"1.0"`, `"2.0"`))
	payload("minor-2", "unsupported", "a later minor version", swap(`"1.0"`, `"1.2"`))
	payload("no-minor", "unsupported", "a version of one number", swap(`"1.0"`, `"1"`))
	payload("major-01", "format", "a second spelling of the version", swap(`"1.0"`, `"01.0"`))
	payload("no-json", "format", "the payload is no JSON", "channel")
	payload("unknown-field", "format", "a field that this version does not know", swap(`"name"`, `"more":1,"name"`))
	payload("twice", "format", "version stands twice", swap(`"version":7`, `"version":9,"version":7`))
	payload("case", "format", "a name of a field in capitals", swap(`"version"`, `"VERSION"`))
	payload("white-space", "format", "a space after a comma", swap(`,"name"`, `, "name"`))
	payload("trailing", "format", "bytes after the document", valid+"{}")
	payload("order", "format", "expires before version", swap(`"version":7,"expires":"2027-01-02T03:04:05Z"`, `"expires":"2027-01-02T03:04:05Z","version":7`))
	payload("escape", "format", "an escape that is not needed", swap(`stable`, `stabl\u0065`))
	payload("float", "format", "version is no integer", swap(`:7`, `:7.5`))
	payload("exponent", "format", "version in another spelling", swap(`:7`, `:7e0`))
	payload("version-0", "format", "version 0", swap(`:7`, `:0`))
	payload("version-large", "format", "version 2^53", swap(`:7`, `:9007199254740992`))
	payload("no-name", "format", "an empty name", swap(`"stable"`, `""`))
	payload("zone", "format", "expires in another zone", swap(`05Z`, `05+00:00`))
	payload("fraction", "format", "expires with fractions", swap(`05Z`, `05.0Z`))
	payload("no-date", "format", "expires is no time", swap(`2027-01-02`, `2027-02-30`))
	payload("null-targets", "format", "targets is null", swap(valid[strings.Index(valid, `{"a/1`):], "null}"))
	payload("climb", "format", "a path that climbs", swap(`a/1.0.0`, `a/../..`))
	payload("absolute", "format", "an absolute path", swap(`"a/1`, `"/a/1`))
	payload("length-0", "format", "a target of no length", swap(`"length":3`, `"length":0`))
	payload("length-negative", "format", "a negative length", swap(`"length":3`, `"length":-3`))
	payload("short-hash", "format", "a SHA-256 of 31 bytes", swap(`"ba78`, `"78`))
	payload("capital-hash", "format", "a SHA-256 in capitals", swap(`"ba78`, `"BA78`))
	payload("no-hash", "format", "a target without SHA-256", swap(`{"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}`, `{}`))
	payload("another-hash", "format", "a target with one hash more", swap(`{"sha256"`, `{"sha1":"00","sha256"`))
	payload("target-twice", "format", "one path twice", swap(`"targets":{`, `"targets":{"a/1.0.0/x.bundle":{"length":3,"hashes":{"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}},`))

	labelled := func(custom string) string {
		return strings.Replace(swap(`"1.0"`, `"1.1"`), `20015ad"}`, `20015ad"},"custom":`+custom, 1)
	}
	both := `{"schema":"flow","title":"A ‹title› \u0026 more"}`
	payload("custom", "ok", "version 1.1: a target with title and schema", labelled(both))
	payload("title-alone", "ok", "a target with a title alone", labelled(`{"title":"A"}`))
	payload("title-longest", "ok", "a title of 128 bytes", labelled(`{"title":"`+strings.Repeat("a", 128)+`"}`))
	payload("title-long", "format", "a title of 129 bytes", labelled(`{"title":"`+strings.Repeat("a", 129)+`"}`))
	payload("title-line-end", "format", "a line end in a title", labelled(`{"title":"a\nb"}`))
	payload("title-reordering", "format", "a character in a title that turns the text around it", labelled(`{"title":"a`+"\u202e"+`b"}`))
	payload("title-not-utf8", "format", "a title that is no UTF-8", labelled("{\"title\":\"a\xff\"}"))
	payload("title-unescaped", "format", "a title in another spelling", labelled(`{"title":"a & b"}`))
	payload("schema-longest", "ok", "a schema of 64 bytes", labelled(`{"schema":"`+strings.Repeat("a", 64)+`"}`))
	payload("schema-long", "format", "a schema of 65 bytes", labelled(`{"schema":"`+strings.Repeat("a", 65)+`"}`))
	payload("schema-space", "format", "a space in a schema", labelled(`{"schema":"a b"}`))
	payload("schema-empty", "format", "an empty schema", labelled(`{"schema":"","title":"A"}`))
	payload("custom-order", "format", "the title before the schema", labelled(`{"title":"A","schema":"flow"}`))
	payload("custom-empty", "format", "a custom without fields", labelled(`{}`))
	payload("custom-null", "format", "a custom that is null", labelled(`null`))
	payload("custom-unknown", "format", "a field in custom that this version does not know", labelled(`{"title":"A","x":1}`))
	payload("custom-in-1.0", "format", "a title in a document of version 1.0", strings.Replace(labelled(both), `"1.1"`, `"1.0"`, 1))
	payload("plain-in-1.1", "format", "version 1.1 without a title or a schema", swap(`"1.0"`, `"1.1"`))

	foreign, err := sign.Seal(stranger, channel.MediaType, []byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	doc("stranger", "unknown key", "signed by another key", foreign)
	doc("stranger-as-publisher", "tampered", "signed by another key under the publisher's fingerprint", bytes.Replace(foreign, []byte(strange.Fingerprint()), []byte(public.Fingerprint()), 1))
	encode := base64.StdEncoding.EncodeToString
	doc("changed", "tampered", "another payload than was signed", bytes.Replace(good, []byte(encode([]byte(valid))), []byte(encode([]byte(swap(":7", ":8")))), 1))
	other, err := sign.Seal(private, "application/vnd.in-toto+json", []byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	doc("another-kind", "envelope", "an envelope of another payload type", other)
	doc("kind-changed", "tampered", "signed as another payload type", bytes.Replace(other, []byte("application/vnd.in-toto+json"), []byte(channel.MediaType), 1))
	doc("bare", "envelope", "the document without an envelope", []byte(valid))
	doc("nothing", "envelope", "no bytes", nil)
	doc("two-signatures", "envelope", "the signature stands twice", bytes.Replace(good, []byte(`"signatures":[`), append([]byte(`"signatures":[`), append(bytes.Clone(good[bytes.Index(good, []byte(`{"keyid`)):len(good)-2]), ',')...), 1))
	doc("line-end", "envelope", "a line feed after the envelope", append(bytes.Clone(good), '\n'))
	doc("envelope-space", "envelope", "white space in the envelope", bytes.Replace(good, []byte(`,"sig"`), []byte(`, "sig"`), 1))
	doc("no-signature", "envelope", "an empty list of signatures", append(bytes.Clone(good[:bytes.Index(good, []byte(`{"keyid`))]), `]}`...))
	doc("too-long", "envelope", "one byte over the limit", bytes.Repeat([]byte(" "), sign.MaxSize+1))
	return out
}

func (v vector) file() []byte {
	return append(fmt.Appendf(nil, "expect: %s\nnow: %s\nat_least: %d\ncomment: %s\n\n", v.expect, v.now.Format(time.RFC3339), v.atLeast, v.comment), v.doc...)
}

// Each file of the kit is what its generator makes and is answered as its
// header says.
func TestKit(t *testing.T) {
	_, public := keyOf(t, "publisher")
	made := map[string]bool{}
	for _, v := range vectors(t) {
		path := filepath.Join("testdata/kit", v.name)
		made[path] = true
		if *update && runtime.GOOS != "js" {
			if err := os.WriteFile(path, v.file(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, v.file()) {
			t.Errorf("%s is not what the generator makes: go test -update", path)
		}
	}
	if len(made) < 63 {
		t.Errorf("%d vectors", len(made))
	}
	paths, err := filepath.Glob("testdata/kit/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if !made[path] {
			t.Errorf("%s: no generator makes it", path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		header, doc, _ := bytes.Cut(b, []byte("\n\n"))
		field := map[string]string{}
		for line := range strings.Lines(string(header)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			field[name] = value
		}
		now, err := time.Parse(time.RFC3339, field["now"])
		if err != nil {
			t.Fatal(err)
		}
		atLeast, err := strconv.ParseInt(field["at_least"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		c, err := channel.Open(doc, []sign.Key{public}, now, atLeast)
		if got := classOf(c, err); got != field["expect"] {
			t.Errorf("%s: %s, want %s: %v", path, got, field["expect"], err)
		}
		for _, keys := range [][]sign.Key{nil, {{}}} {
			if got := classOf(channel.Open(doc, keys, now, atLeast)); got != "unknown key" && got != "envelope" {
				t.Errorf("%s without the key: %s", path, got)
			}
		}
	}
}
