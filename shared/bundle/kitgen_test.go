package bundle_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"cloister/shared/bundle"
)

// kit collects vectors.
type kit struct {
	t       *testing.T
	vectors []vector
	file    []byte     // a valid bundle
	text    string     // its manifest
	entries []rawEntry // its entries
}

// generate returns the kit. Each vector has one thing wrong, or nothing.
func generate(t *testing.T) []vector {
	m, files := small()
	k := &kit{t: t, file: encode(t, m, files)}
	b, err := bundle.Decode(k.file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range b.Names() {
		content, _ := b.File(name)
		k.entries = append(k.entries, rawEntry{name: name, content: string(content)})
	}
	k.text = k.entries[0].content
	k.valid()
	k.versions()
	k.cuts()
	k.container()
	k.limits()
	k.hashes()
	k.syntax()
	k.fields()
	k.lists()
	return k.vectors
}

func (k *kit) add(name, expect, stage, comment string, data []byte) {
	k.vectors = append(k.vectors, vector{name: name, expect: expect, stage: stage, comment: comment, data: data})
}

// zip adds a container made of the valid entries after a change.
func (k *kit) zip(name, expect, stage, comment string, change func(*rawEnd, *[]rawEntry)) {
	entries := append([]rawEntry(nil), k.entries...)
	var end rawEnd
	change(&end, &entries)
	k.add(name, expect, stage, comment, rawZip(end, entries...))
}

// edit adds a bundle whose manifest has old replaced by new, with the container
// around it made to fit.
func (k *kit) edit(name, expect, comment, old, new string) {
	if strings.Count(k.text, old) != 1 {
		k.t.Fatalf("%s: %q is in the manifest %d times", name, old, strings.Count(k.text, old))
	}
	stage := "decode"
	if expect == "ok" {
		stage = ""
	}
	k.zip(name, expect, stage, comment, func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, old, new, 1)
	})
}

func (k *kit) valid() {
	k.add("ok-small", "ok", "", "every list has at most one element", k.file)
	m, files := full()
	k.add("ok-full", "ok", "", "every field and every kind of entry, with a signature", encode(k.t, m, files))
	m, files = full10()
	k.add("ok-full-1-0", "ok", "", "the same in format 1.0, without the entries that came with 1.1", encode(k.t, m, files))
	m, _ = small()
	m.Schema.Features, m.Labels, m.Thresholds, m.Metrics, m.Licenses = nil, nil, nil, nil, nil
	m.Vectors, m.Explain, m.AttackVersion, m.KnownLimits = bundle.Vectors{}, bundle.Explain{}, "", nil
	k.add("ok-bare", "ok", "", "nothing that may be absent", encode(k.t, m, map[string][]byte{"model/x.bin": nil}))
	_, files = small()
	m, _ = small()
	files["model.sig"] = []byte("\x00\xff")
	k.add("ok-signature-opaque", "ok", "", "model.sig is carried as it is", encode(k.t, m, files))
	m.Description = "quote \" backslash \\ slash / less < amp & line\ntab\tend"
	k.add("ok-escapes", "ok", "", "each escape, and characters that must not be escaped", encode(k.t, m, files))
	for _, v := range []struct {
		name string
		v    float64
	}{{"smallest", 5e-324}, {"largest", 1.7976931348623157e308}, {"1e21", 1e21}, {"below-1e21", 999999999999999868928},
		{"1e-6", 1e-6}, {"1e-7", 1e-7}, {"tenth", 0.1}, {"negative", -123.456}} {
		m.Thresholds[0].Value = v.v
		k.add("ok-number-"+v.name, "ok", "", "shortest form of a number", encode(k.t, m, files))
	}
	m, files = small()
	files["pre/"+strings.Repeat("a", 64)+".json"] = []byte("{}")
	k.add("ok-name-64", "ok", "", "longest variable part of a name", encode(k.t, m, files))
}

func (k *kit) versions() {
	version := func(name, comment, with string) {
		k.zip("version-"+name, "unsupported", "open", comment, func(_ *rawEnd, e *[]rawEntry) {
			(*e)[0].content = strings.Replace(k.text, `"name":"cloister-bundle","major":1,"minor":0`, with, 1)
		})
	}
	version("major-0", "major 0", `"name":"cloister-bundle","major":0,"minor":0`)
	version("major-2", "next major", `"name":"cloister-bundle","major":2,"minor":0`)
	version("major-2-other-fields", "another major may go on in another way", `"name":"cloister-bundle","major":2,"kind":[`)
	version("major-2147483647", "largest major", `"name":"cloister-bundle","major":2147483647,"minor":0`)
	version("minor-2", "next minor", `"name":"cloister-bundle","major":1,"minor":2`)
	k.edit("ok-minor-1", "ok", "format 1.1 without the entries that came with it", `"major":1,"minor":0`, `"major":1,"minor":1`)
	version("other-name", "another format", `"name":"other","major":1,"minor":0`)
	k.zip("version-before-limits", "unsupported", "open", "the version is reported before a limit", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, `"major":1`, `"major":2`, 1)
	})
	k.vectors[len(k.vectors)-1].limits.File = 1
	k.zip("version-before-layout", "unsupported", "open", "the version is reported before other header fields", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, `"major":1`, `"major":2`, 1)
		(*e)[0].flags, (*e)[0].crc = 0x0800, new(uint32(7))
	})
}

func (k *kit) cuts() {
	at := func(s string) int {
		i := bytes.Index(k.file, []byte(s))
		if i < 0 {
			k.t.Fatalf("no %q", s)
		}
		return i
	}
	for _, c := range []struct {
		name    string
		n       int
		comment string
	}{
		{"empty", 0, "no byte"},
		{"1", 1, "one byte"},
		{"header", 29, "in the first local header"},
		{"name", 35, "in the first name"},
		{"version", 43 + len(`{"format":{"name":"cloister-bundle","major":`), "before the major version"},
		{"manifest", 400, "in the manifest"},
		{"between", at("model/forest.bin") - 30, "between two entries"},
		{"second-header", at("model/forest.bin") - 10, "in the second local header"},
		{"content", len(k.file) - 300, "in a content"},
		{"directory-signature", at("PK\x01\x02") + 2, "in the signature of the central directory"},
		{"directory", at("PK\x01\x02"), "before the central directory"},
		{"end-record", len(k.file) - 22, "before the end record"},
		{"last", len(k.file) - 1, "in the last byte"},
	} {
		k.add("cut-"+c.name, "cut", "open", "cut "+c.comment, k.file[:c.n])
	}
	k.zip("cut-size-claims-more", "cut", "open", "a size that reaches beyond the file", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[2].size = new(uint32(1 << 20))
	})
}

func (k *kit) container() {
	type change = func(*rawEnd, *[]rawEntry)
	for _, c := range []struct {
		name, comment string
		change        change
	}{
		{"method-deflate", "compressed with deflate", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].method = 8 }},
		{"method-deflate-manifest", "compressed manifest", func(_ *rawEnd, e *[]rawEntry) { (*e)[0].method = 8 }},
		{"flag-encrypted", "general purpose bit 0", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].flags = 1 }},
		{"flag-descriptor", "general purpose bit 3, data descriptor", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].flags = 8 }},
		{"flag-utf8", "general purpose bit 11", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].flags = 0x0800 }},
		{"flag-manifest", "flag on the manifest", func(_ *rawEnd, e *[]rawEntry) { (*e)[0].flags = 0x0800 }},
		{"time", "a time that is not the fixed one", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].time = 1 }},
		{"directory-time", "another time in the central directory", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].dirTime = 1 }},
		{"extra", "extra field", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].extra = "\x01\x00\x00\x00" }},
		{"extra-manifest", "extra field on the manifest", func(_ *rawEnd, e *[]rawEntry) { (*e)[0].extra = "\x01\x00\x00\x00" }},
		{"comment-entry", "comment of an entry", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].comment = "x" }},
		{"comment-file", "comment of the file", func(n *rawEnd, _ *[]rawEntry) { n.comment = "x" }},
		{"attributes", "external attributes", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].attr = 0o100644 << 16 }},
		{"sizes-differ", "compressed and plain size differ", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].packed = new(uint32(4)) }},
		{"directory-name", "another name in the central directory", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].dirName = new("model/forget.bin") }},
		{"directory-offset", "offset of another entry", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].offset = new(uint32(0)) }},
		{"gap", "bytes between two entries", func(_ *rawEnd, e *[]rawEntry) { (*e)[1].gap = "gap" }},
		{"gap-entry", "an entry that the central directory does not list", func(_ *rawEnd, e *[]rawEntry) {
			(*e)[1].gap = string(rawZip(rawEnd{}, rawEntry{name: "model/ghost.bin", content: "x"})[:30+15+1])
		}},
		{"gap-directory", "bytes before the central directory", func(_ *rawEnd, e *[]rawEntry) { (*e)[2].gap = "gap!" }},
		{"gap-end", "bytes before the end record", func(n *rawEnd, _ *[]rawEntry) { n.between = "gap" }},
		{"before", "bytes before the first entry", func(n *rawEnd, _ *[]rawEntry) { n.before = "MZ" }},
		{"disk", "disk number", func(n *rawEnd, _ *[]rawEntry) { n.disk = 1 }},
		{"count", "another count in the end record", func(n *rawEnd, _ *[]rawEntry) { n.count = new(uint16(2)) }},
		{"no-entries", "a ZIP without entries", func(_ *rawEnd, e *[]rawEntry) { *e = nil }},
		{"no-manifest", "no manifest", func(_ *rawEnd, e *[]rawEntry) { *e = (*e)[1:] }},
		{"manifest-second", "manifest not first", func(_ *rawEnd, e *[]rawEntry) { (*e)[0], (*e)[1] = (*e)[1], (*e)[0] }},
		{"order", "names not in order", func(_ *rawEnd, e *[]rawEntry) { (*e)[1], (*e)[2] = (*e)[2], (*e)[1] }},
		{"signature-first", "model.sig not last", func(_ *rawEnd, e *[]rawEntry) {
			*e = []rawEntry{(*e)[0], {name: "model.sig", content: "x"}, (*e)[1], (*e)[2]}
		}},
		{"duplicate", "a name twice", func(_ *rawEnd, e *[]rawEntry) { *e = []rawEntry{(*e)[0], (*e)[1], (*e)[1], (*e)[2]} }},
		{"duplicate-manifest", "two manifests", func(_ *rawEnd, e *[]rawEntry) { *e = []rawEntry{(*e)[0], (*e)[0], (*e)[1], (*e)[2]} }},
		{"duplicate-signature", "two signatures", func(_ *rawEnd, e *[]rawEntry) {
			*e = append(*e, rawEntry{name: "model.sig"}, rawEntry{name: "model.sig"})
		}},
	} {
		k.zip("zip-"+c.name, "format", "open", c.comment, c.change)
	}
	for i, name := range []string{"", "model/", "model/.bin", "model/a/b.bin", "model/../a.bin", "/model/a.bin", "../a.bin",
		"model\\a.bin", "MODEL/a.bin", "model/A.bin", "model/a.BIN", "model/a.bin\x00", "model/é.bin", "model/a.b.bin", "Manifest.json",
		"pre/x.bin", "explain/other.bin", "card.md", "run.sh", "model/" + strings.Repeat("a", 65) + ".bin", strings.Repeat("x", 300)} {
		k.zip(fmt.Sprintf("name-%02d", i), "format", "open", fmt.Sprintf("a name that no bundle holds: %.40q", name), func(_ *rawEnd, e *[]rawEntry) {
			(*e)[1].name = name
		})
	}
	k.add("zip-trailing", "format", "open", "a byte after the end", append(k.file[:len(k.file):len(k.file)], 0))
	k.add("zip-twice", "format", "open", "two bundles in one file", append(k.file[:len(k.file):len(k.file)], k.file...))
	k.add("zip-garbage-end", "format", "open", "a few bytes of something else for the central directory",
		append(bytes.Clone(k.file[:bytes.Index(k.file, []byte("PK\x01\x02"))]), "garbage"...))
	k.add("not-a-zip", "format", "open", "HTML", []byte("<!doctype html><title>x</title>"))
	k.add("not-a-bundle", "format", "open", "another ZIP", rawZip(rawEnd{}, rawEntry{name: "hello.txt", content: "hello"}))
	k.add("not-a-bundle-manifest", "format", "open", "a ZIP with another manifest.json",
		rawZip(rawEnd{}, rawEntry{name: "manifest.json", content: `{"manifest_version":3,"name":"extension"}`}))
	k.add("zip-empty-manifest", "format", "open", "empty manifest", rawZip(rawEnd{}, rawEntry{name: "manifest.json"}, k.entries[1]))
}

func (k *kit) limits() {
	m, files := full10()
	b := encode(k.t, m, files)
	d, err := bundle.Decode(b, bundle.Limits{})
	if err != nil {
		k.t.Fatal(err)
	}
	size := func(name string) int64 {
		content, _ := d.File(name)
		return int64(len(content))
	}
	at := map[string]bundle.Limits{
		"file":      {File: int64(len(b))},
		"entries":   {Entries: len(d.Names())},
		"manifest":  {Manifest: size("manifest.json")},
		"model":     {Model: size("model/forest.bin")},
		"data":      {Data: size("vectors/flows.jsonl")},
		"text":      {Text: size("LICENSE")},
		"signature": {Signature: size("model.sig")},
	}
	over := map[string]bundle.Limits{
		"file":      {File: int64(len(b)) - 1},
		"entries":   {Entries: len(d.Names()) - 1},
		"manifest":  {Manifest: size("manifest.json") - 1},
		"model":     {Model: size("model/forest.bin") - 1},
		"data":      {Data: size("vectors/flows.jsonl") - 1},
		"text":      {Text: size("LICENSE") - 1},
		"signature": {Signature: size("model.sig") - 1},
	}
	for _, name := range []string{"file", "entries", "manifest", "model", "data", "text", "signature"} {
		k.vectors = append(k.vectors,
			vector{name: "limit-" + name + "-at", expect: "ok", comment: "as large as the limit", limits: at[name], data: b},
			vector{name: "limit-" + name + "-over", expect: "limit", stage: "open", comment: "one over the limit", limits: over[name], data: b})
	}
	for i, c := range []struct {
		entry int
		size  uint32
		want  string
	}{
		{0, 1 << 20, "cut"}, {0, 1<<20 + 1, "limit"}, {1, 48 << 20, "cut"}, {1, 48<<20 + 1, "limit"},
		{2, 16 << 20, "cut"}, {2, 16<<20 + 1, "limit"}, {1, 1<<32 - 1, "limit"},
	} {
		k.zip(fmt.Sprintf("limit-default-%d", i), c.want, "open", "a claimed size against a default limit; at the limit the bytes are missing",
			func(_ *rawEnd, e *[]rawEntry) { (*e)[c.entry].size = &c.size })
	}
	k.zip("limit-default-entries", "limit", "open", "65 entries", func(_ *rawEnd, e *[]rawEntry) {
		*e = (*e)[:1]
		for i := range 64 {
			*e = append(*e, rawEntry{name: fmt.Sprintf("model/%02d.bin", i)})
		}
	})
	many := map[string][]byte{}
	for i := range 63 {
		many[fmt.Sprintf("model/%02d.bin", i)] = nil
	}
	m, _ = small()
	m.Vectors = bundle.Vectors{}
	k.add("ok-64-entries", "ok", "", "as many entries as the default allows", encode(k.t, m, many))
}

func (k *kit) hashes() {
	other := new(uint32(0x01020304))
	for i, e := range k.entries {
		k.zip(fmt.Sprintf("hash-crc-%d", i), "hash", "open", "wrong CRC-32 of "+e.name, func(_ *rawEnd, e *[]rawEntry) { (*e)[i].crc = other })
	}
	k.zip("hash-crc-signature", "hash", "open", "wrong CRC-32 of model.sig", func(_ *rawEnd, e *[]rawEntry) {
		*e = append(*e, rawEntry{name: "model.sig", content: "x", crc: other})
	})
	for i, e := range k.entries[1:] {
		k.zip(fmt.Sprintf("hash-sha256-%d", i+1), "hash", "decode", "other content of "+e.name+" with its CRC-32", func(_ *rawEnd, e *[]rawEntry) {
			b := []byte((*e)[i+1].content)
			b[0] ^= 1
			(*e)[i+1].content = string(b)
		})
	}
}

func (k *kit) syntax() {
	for _, c := range []struct{ name, comment, old, new string }{
		{"space", "white space after a colon", `"name":"flows"`, `"name": "flows"`},
		{"space-comma", "white space after a comma", `"name":"flows",`, `"name":"flows", `},
		{"newline-missing", "no line end", "}\n", "}"},
		{"newline-two", "two line ends", "}\n", "}\n\n"},
		{"newline-other", "a space for the line end", "}\n", "} "},
		{"trailing", "a second value", "}\n", "}\n{}\n"},
		{"unknown-field", "unknown field", `"vendor":""`, `"vendor":"","extra":1`},
		{"unknown-last", "unknown field at the end", `"out_of_scope":[]`, `"out_of_scope":[],"extra":1`},
		{"duplicate-field", "a field twice", `"vendor":""`, `"vendor":"","vendor":""`},
		{"missing-field", "a field missing", `"vendor":"",`, ``},
		{"order", "fields in another order", `"vendor":"","title":"Flows"`, `"title":"Flows","vendor":""`},
		{"case", "key in another case", `"vendor"`, `"Vendor"`},
		{"key-escape", "escape in a key", `"vendor"`, `"\u0076endor"`},
		{"null-text", "null for a text", `"vendor":""`, `"vendor":null`},
		{"null-list", "null for a list", `"authors":[]`, `"authors":null`},
		{"null-number", "null for a number that must be there", `"tolerance":1e-9`, `"tolerance":null`},
		{"nan", "NaN", `"tolerance":1e-9`, `"tolerance":NaN`},
		{"infinity", "out of range", `"tolerance":1e-9`, `"tolerance":1e999`},
		{"number-text", "number in quotes", `"tolerance":1e-9`, `"tolerance":"1e-9"`},
		{"number-long", "not the shortest form", `"tolerance":1e-9`, `"tolerance":1.0e-9`},
		{"number-digits", "more digits than needed", `"value":0.25`, `"value":0.250`},
		{"number-plus", "plus sign", `"value":0.25`, `"value":+0.25`},
		{"number-dot", "no digit before the point", `"value":0.25`, `"value":.25`},
		{"number-exponent", "exponent in capitals", `"tolerance":1e-9`, `"tolerance":1E-9`},
		{"number-exponent-zero", "leading zero in an exponent", `"tolerance":1e-9`, `"tolerance":1e-09`},
		{"number-exponent-plain", "exponent where none is needed", `"value":0.25`, `"value":25e-2`},
		{"number-plain", "no exponent where one is needed", `"q99":1e+21`, `"q99":1000000000000000000000`},
		{"number-negative-zero", "negative zero", `"min":0`, `"min":-0`},
		{"number-hex", "hexadecimal", `"value":0.25`, `"value":0x1p-2`},
		{"number-endless", "10,000 digits", `"value":0.25`, `"value":0.` + strings.Repeat("1", 10000)},
		{"count-zero", "leading zero", `"support":3`, `"support":03`},
		{"count-fraction", "fraction for a count", `"support":3`, `"support":3.5`},
		{"count-negative", "negative count", `"support":3`, `"support":-3`},
		{"count-2-53", "2^53", `"support":3`, `"support":9007199254740992`},
		{"count-2-64", "2^64", `"support":3`, `"support":18446744073709551616`},
		{"bool-text", "text for a boolean", `"benign":false`, `"benign":"false"`},
		{"bool-number", "number for a boolean", `"benign":false`, `"benign":0`},
		{"escape-slash", "escaped slash", `"id":"flows/1.2.3"`, `"id":"flows\/1.2.3"`},
		{"escape-letter", "escaped letter", `"title":"Flows"`, `"title":"\u0046lows"`},
		{"escape-html", "escaped less-than sign", `<flows>`, `\u003cflows>`},
		{"escape-newline", "long form of a line end", `\n\tSecond`, `\u000a\tSecond`},
		{"escape-unknown", "unknown escape", `"title":"Flows"`, `"title":"\xFlows"`},
		{"escape-end", "escaped end", `"title":"Flows"`, `"title":"Flows\"`},
		{"control-newline", "line end that is not escaped", `\n\tSecond`, "\n\\tSecond"},
		{"control-null", "NUL that is not escaped", `"title":"Flows"`, "\"title\":\"Fl\x00ws\""},
		{"comma-end", "comma after the last element", `"licenses":["Apache-2.0"]`, `"licenses":["Apache-2.0",]`},
		{"comma-missing", "no comma between elements", `"unseen":["T1113"]`, `"unseen":["T1113""T1114"]`},
		{"list-open", "list without an end", `"out_of_scope":[]`, `"out_of_scope":[`},
		{"nested", "a thousand brackets", `"unseen":["T1113"]`, `"unseen":` + strings.Repeat("[", 1000)},
		{"byte-order-mark", "byte order mark inside", `"vendor":""`, "\ufeff\"vendor\":\"\""},
	} {
		k.edit("json-"+c.name, "format", c.comment, c.old, c.new)
	}
	half := k.text[:len(k.text)/2]
	k.zip("json-half", "format", "decode", "half a manifest in a whole container", func(_ *rawEnd, e *[]rawEntry) { (*e)[0].content = half })
	k.zip("json-bom", "format", "open", "byte order mark first", func(_ *rawEnd, e *[]rawEntry) { (*e)[0].content = "\ufeff" + k.text })
	k.zip("json-version-zero", "format", "open", "leading zero in the major version", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, `"major":1`, `"major":01`, 1)
	})
	k.zip("json-version-text", "format", "open", "major version in quotes", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, `"major":1`, `"major":"1"`, 1)
	})
	k.zip("json-version-minor", "format", "open", "no minor version", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, `,"minor":0`, ``, 1)
	})
	k.zip("json-version-more", "format", "open", "another field in the format", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, `"minor":0`, `"minor":0,"patch":0`, 1)
	})
	k.zip("json-version-large", "field", "open", "major version of 2^31", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, `"major":1`, `"major":2147483648`, 1)
	})
	k.zip("json-version-empty", "field", "open", "empty format name", func(_ *rawEnd, e *[]rawEntry) {
		(*e)[0].content = strings.Replace(k.text, `"cloister-bundle"`, `""`, 1)
	})
}

func (k *kit) fields() {
	feature := k.text[strings.Index(k.text, `{"name":"duration"`) : strings.Index(k.text, `}],"sha256"`)+1]
	for _, c := range []struct{ name, comment, old, new string }{
		{"min-runtime", "not a version", `"min_runtime":"1.0.0"`, `"min_runtime":"1.0"`},
		{"id-empty", "empty id", `"id":"flows/1.2.3"`, `"id":""`},
		{"name-case", "capitals", `"name":"flows"`, `"name":"Flows"`},
		{"name-path", "a name that is a path", `"name":"flows"`, `"name":"../flows"`},
		{"version-v", "v before a version", `"version":"1.2.3"`, `"version":"v1.2.3"`},
		{"version-zero", "leading zero", `"version":"1.2.3"`, `"version":"1.02.3"`},
		{"time-zone", "not UTC", `05Z"`, `05+00:00"`},
		{"time-fraction", "fraction of a second", `05Z"`, `05.0Z"`},
		{"time-day", "30 February", `2026-01-02T`, `2026-02-30T`},
		{"time-leap", "29 February of a common year", `2026-01-02T`, `2100-02-29T`},
		{"title-empty", "empty title", `"title":"Flows"`, `"title":""`},
		{"title-129", "title one byte over the limit", `"title":"Flows"`, `"title":"` + strings.Repeat("x", 129) + `"`},
		{"title-two-lines", "title of two lines", `"title":"Flows"`, `"title":"Fl\nows"`},
		{"title-utf8", "not UTF-8", `"title":"Flows"`, "\"title\":\"Fl\xffws\""},
		{"title-surrogate", "surrogate in UTF-8", `"title":"Flows"`, "\"title\":\"Fl\xed\xa0\x80ws\""},
		{"title-delete", "DEL", `"title":"Flows"`, "\"title\":\"Fl\x7fws\""},
		{"title-c1", "C1 control character", `"title":"Flows"`, "\"title\":\"Fl\u0085ws\""},
		{"title-override", "right-to-left override", `"title":"Flows"`, "\"title\":\"Fl\u202ews\""},
		{"title-isolate", "left-to-right isolate", `"title":"Flows"`, "\"title\":\"Fl\u2066ws\""},
		{"url-script", "script instead of a link", `"doc_url":""`, `"doc_url":"javascript:alert(1)"`},
		{"url-space", "space in a link", `"doc_url":""`, `"doc_url":"https://example.org/a b"`},
		{"url-quote", "quote in a link", `"doc_url":""`, `"doc_url":"https://example.org/\""`},
		{"url-empty-host", "link without a host", `"source_url":""`, `"source_url":"https:///x"`},
		{"license", "not an SPDX expression", `"licenses":["Apache-2.0"]`, `"licenses":["Apache <2>"]`},
		{"task", "task of two words", `"task":"classification"`, `"task":"two words"`},
		{"severity", "unknown severity", `"severity":"High"`, `"severity":"high"`},
		{"benign-attack", "techniques on a benign label", `"benign":false`, `"benign":true`},
		{"technique", "not a technique", `"T1071.001"`, `"T1071.1"`},
		{"tactic", "not a tactic", `"TA0011"`, `"T0011"`},
		{"confidence", "unknown confidence", `"confidence":"medium"`, `"confidence":"sure"`},
		{"basis", "unknown basis", `"basis":"inferred"`, `"basis":""`},
		{"unseen", "not a technique", `"unseen":["T1113"]`, `"unseen":["X1113"]`},
		{"precision-over", "precision over 1", `"precision":0.875`, `"precision":1.0000000000000002`},
		{"precision-under", "precision under 0", `"precision":0.875`, `"precision":-5e-324`},
		{"split", "unknown split", `"split":"holdout"`, `"split":"test"`},
		{"interval", "low over value", `"low":0.8`, `"low":0.95`},
		{"quantiles", "q50 over q99", `"q50":0.5`, `"q50":1e+22`},
		{"tolerance", "negative tolerance", `"tolerance":1e-9`, `"tolerance":-1e-9`},
		{"schema-digest", "schema changed without its digest", `"unit":"s"`, `"unit":"ms"`},
		{"feature-twice", "two features of one name", feature, feature + "," + feature},
		{"alias-twice", "an alias that is a name", `"aliases":["Flow Duration"]`, `"aliases":["duration"]`},
		{"label-empty", "label without a name", `"name":"Bot"`, `"name":""`},
		{"vectors-file", "vectors that are not listed", `"file":"vectors/flows.jsonl"`, `"file":"vectors/other.jsonl"`},
		{"vectors-other", "vectors in another folder", `"file":"vectors/flows.jsonl"`, `"file":"model/forest.bin"`},
		{"vectors-none", "vectors without a count", `"file":"vectors/flows.jsonl","n":1`, `"file":"vectors/flows.jsonl","n":0`},
		{"vectors-no-file", "count without vectors", `"file":"vectors/flows.jsonl"`, `"file":""`},
		{"background-n", "count without a background", `"background_n":0`, `"background_n":1`},
		{"background-digest", "digest without a background", `"background_sha256":""`, `"background_sha256":"` + strings.Repeat("ab", 32) + `"`},
		{"parent-id", "parent that is not an id", `"parent_id":""`, `"parent_id":" "`},
		{"commit", "commit in capitals", `"code_commit":""`, `"code_commit":"ABCDEF01"`},
		{"limits-empty", "empty sentence", `"known_limits":["Small."]`, `"known_limits":[""]`},
		{"digest-capitals", "digest in capitals", rowsDigest(), strings.ToUpper(rowsDigest())},
		{"digest-short", "digest of 62 digits", rowsDigest(), rowsDigest()[2:]},
		{"digest-empty", "empty digest", rowsDigest(), ""},
		{"digest-letter", "digest with another letter", rowsDigest(), "g" + rowsDigest()[1:]},
	} {
		k.edit("field-"+c.name, "field", c.comment, c.old, c.new)
	}
}

// lists adds manifests whose list of files is not that of the container.
func (k *kit) lists() {
	k.edit("list-size", "field", "another size", `"size":5`, `"size":6`)
	k.edit("list-name", "field", "another name", `{"name":"model/forest.bin"`, `{"name":"model/forget.bin"`)
	k.edit("list-manifest", "field", "the manifest lists itself", `"files":[`, `"files":[{"name":"manifest.json","sha256":"`+strings.Repeat("ab", 32)+`","size":1},`)
	k.edit("list-signature", "field", "the manifest lists the signature", `"files":[`, `"files":[{"name":"model.sig","sha256":"`+strings.Repeat("ab", 32)+`","size":1},`)
	k.edit("list-missing", "field", "a file that the container lacks", `"files":[`, `"files":[{"name":"CARD.md","sha256":"`+strings.Repeat("ab", 32)+`","size":1},`)
	k.edit("list-order", "field", "names not in order", `{"name":"model/forest.bin"`, `{"name":"vectors/zz.jsonl"`)
	k.edit("list-no-digest", "field", "empty digest", `"name":"model/forest.bin","sha256":"`, `"name":"model/forest.bin","sha256":"","x":"`)
	k.zip("list-extra-entry", "field", "decode", "an entry that the manifest does not list", func(_ *rawEnd, e *[]rawEntry) {
		*e = append(*e, rawEntry{name: "vectors/more.jsonl"})
	})
	k.zip("list-extra-first", "field", "decode", "an entry before those that the manifest lists", func(_ *rawEnd, e *[]rawEntry) {
		*e = []rawEntry{(*e)[0], {name: "CARD.md"}, (*e)[1], (*e)[2]}
	})
	k.zip("list-lost-entry", "field", "decode", "an entry less than the manifest lists", func(_ *rawEnd, e *[]rawEntry) { *e = (*e)[:2] })
	k.zip("list-lost-all", "field", "decode", "only the manifest", func(_ *rawEnd, e *[]rawEntry) { *e = (*e)[:1] })
	for _, name := range []string{"provenance.intoto.json", "sbom.cdx.json"} {
		k.zip("list-since-1-1-"+name[:4], "field", "decode", "an entry that came with format 1.1 in a file of 1.0", func(_ *rawEnd, e *[]rawEntry) {
			at := strings.Index((*e)[0].content, `{"name":"vectors/`)
			sum := sha256.Sum256([]byte("{}"))
			(*e)[0].content = (*e)[0].content[:at] + fmt.Sprintf(`{"name":"%s","sha256":"%x","size":2},`, name, sum) + (*e)[0].content[at:]
			*e = []rawEntry{(*e)[0], (*e)[1], {name: name, content: "{}"}, (*e)[2]}
		})
	}
	k.zip("list-moved", "hash", "decode", "contents of two entries exchanged, sizes too", func(_ *rawEnd, e *[]rawEntry) {
		content := (*e)[1].content
		(*e)[1].content = content[1:] + content[:1]
	})
}

// rowsDigest is the digest of the training data in small.
func rowsDigest() string {
	sum := sha256.Sum256([]byte("rows"))
	return hex.EncodeToString(sum[:])
}
