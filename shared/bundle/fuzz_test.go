package bundle_test

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"strings"
	"testing"

	"cloister/shared/bundle"
)

// FuzzDecode asks of every input: a typed error, or a bundle that encodes to
// the same bytes, reads alike in two halves, and has no valid prefix.
func FuzzDecode(f *testing.F) {
	for _, v := range readKit(f) {
		f.Add(v.data)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		checkAny(t, input)
	})
}

// FuzzManifest puts the input between the format and the end of a manifest, in
// a container that fits, where FuzzDecode would first have to guess a CRC-32.
func FuzzManifest(f *testing.F) {
	head := `{"format":{"name":"cloister-bundle","major":1,"minor":0}`
	for _, v := range readKit(f) {
		if a, err := bundle.Open(v.data, bundle.Limits{}); err == nil {
			text := string(v.data[43 : 43+a.Digests()[manifestAt(a)].Size])
			if rest, ok := strings.CutPrefix(text, head); ok {
				f.Add(rest)
			}
		}
	}
	f.Fuzz(func(t *testing.T, rest string) {
		text := head + rest
		input := rawZip(rawEnd{}, rawEntry{name: "manifest.json", content: text},
			rawEntry{name: "model/forest.bin", content: "\x01\x02\x03\x00\xff"},
			rawEntry{name: "vectors/flows.jsonl", content: "{\"x\":[0.5],\"y\":[0.25]}\n"})
		if checkAny(t, input) && !json.Valid([]byte(text)) {
			t.Errorf("accepted what is not JSON: %q", text)
		}
	})
}

func manifestAt(a *bundle.Archive) int {
	for i, d := range a.Digests() {
		if d.Name == bundle.ManifestName {
			return i
		}
	}
	return -1
}

// checkAny checks what holds for every input and reports whether it is a
// bundle.
func checkAny(t *testing.T, input []byte) bool {
	sum := crc32.ChecksumIEEE(input)
	b, err := bundle.Decode(input, bundle.Limits{})
	a, openErr := bundle.Open(input, bundle.Limits{})
	if openErr == nil {
		_, openErr = a.Decode()
	}
	if classOf(err) != classOf(openErr) {
		t.Errorf("Decode %v, in two halves %v", err, openErr)
	}
	if crc32.ChecksumIEEE(input) != sum {
		t.Error("the input was changed")
	}
	if classOf(err) == "untyped" {
		t.Errorf("untyped error: %v", err)
	}
	if err != nil {
		if b != nil {
			t.Error("a bundle beside an error")
		}
		return false
	}
	m, files := contents(b)
	if again, err := bundle.Encode(m, files, bundle.Limits{}); err != nil || !bytes.Equal(again, input) {
		t.Errorf("encodes to other bytes: %v", err)
	}
	if _, err := bundle.Decode(input[:len(input)-1], bundle.Limits{}); classOf(err) != "cut" {
		t.Errorf("without its last byte: %v", err)
	}
	return true
}
