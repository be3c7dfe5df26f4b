package bundle_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"cloister/shared/bundle"
)

// TestDecode_everyBitCounts flips each bit of a bundle. One that is still
// accepted would be a second encoding of some content, or a byte that nothing
// protects.
func TestDecode_everyBitCounts(t *testing.T) {
	m, files := small()
	files["model.sig"] = []byte("sig")
	file := encode(t, m, files)
	for i := range file {
		for bit := range 8 {
			b := bytes.Clone(file)
			b[i] ^= 1 << bit
			if _, err := bundle.Decode(b, bundle.Limits{}); classOf(err) == "ok" || classOf(err) == "untyped" {
				t.Errorf("byte %d, bit %d: %v", i, bit, err)
			}
		}
	}
}

// TestDecode_everyPrefixIsCut asks for io.ErrUnexpectedEOF, not just for any
// error, so that a download that broke off is told from a wrong file.
func TestDecode_everyPrefixIsCut(t *testing.T) {
	m, files := full()
	file := encode(t, m, files)
	for n := range file {
		if _, err := bundle.Decode(file[:n:n], bundle.Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("prefix of %d bytes: %v", n, err)
		}
	}
}

// TestDecode_everyInsertionAndDeletion shifts the rest of the file.
func TestDecode_everyInsertionAndDeletion(t *testing.T) {
	m, files := small()
	file := encode(t, m, files)
	for i := range file {
		for _, b := range [][]byte{
			slices.Insert(bytes.Clone(file), i, 0),
			slices.Insert(bytes.Clone(file), i, file[i]),
			slices.Delete(bytes.Clone(file), i, i+1),
		} {
			if _, err := bundle.Decode(b, bundle.Limits{}); classOf(err) == "ok" || classOf(err) == "untyped" {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	}
}

// TestLimits_everyField encodes and decodes at each limit and one below what
// the content needs.
func TestLimits_everyField(t *testing.T) {
	m, files := full()
	file := encode(t, m, files)
	text := int64(len(manifestText(t, file)))
	for _, tt := range []struct {
		what string
		need int64
		lim  func(n int64) bundle.Limits
	}{
		{"file", int64(len(file)), func(n int64) bundle.Limits { return bundle.Limits{File: n} }},
		{"entries", int64(len(files)) + 1, func(n int64) bundle.Limits { return bundle.Limits{Entries: int(n)} }},
		{"manifest.json", text, func(n int64) bundle.Limits { return bundle.Limits{Manifest: n} }},
		{"model/forest.bin", 5, func(n int64) bundle.Limits { return bundle.Limits{Model: n} }},
		{"vectors/flows.jsonl", int64(len(files["vectors/flows.jsonl"])), func(n int64) bundle.Limits { return bundle.Limits{Data: n} }},
		{"LICENSE", 7, func(n int64) bundle.Limits { return bundle.Limits{Text: n} }},
		{"model.sig", 9, func(n int64) bundle.Limits { return bundle.Limits{Signature: n} }},
	} {
		if b, err := bundle.Encode(m, files, tt.lim(tt.need)); err != nil || !bytes.Equal(b, file) {
			t.Errorf("%s: Encode at the limit: %v", tt.what, err)
		}
		if _, err := bundle.Decode(file, tt.lim(tt.need)); err != nil {
			t.Errorf("%s: Decode at the limit: %v", tt.what, err)
		}
		_, encodeErr := bundle.Encode(m, files, tt.lim(tt.need-1))
		_, decodeErr := bundle.Decode(file, tt.lim(tt.need-1))
		for _, err := range []error{encodeErr, decodeErr} {
			e, ok := errors.AsType[*bundle.LimitError](err)
			if want := (bundle.LimitError{What: tt.what, Limit: tt.need - 1, Got: tt.need}); !ok || *e != want {
				t.Errorf("%s: over the limit: got %v, want %v", tt.what, err, &want)
			}
		}
	}
}

// TestLimits_defaults has contents of exactly the documented sizes, and one
// byte more.
func TestLimits_defaults(t *testing.T) {
	m, files := small()
	for name, limit := range map[string]int{
		"model/forest.bin": 48 << 20, "vectors/flows.jsonl": 16 << 20, "CARD.md": 1 << 20, "model.sig": 64 << 10,
	} {
		f := map[string][]byte{"model/forest.bin": {1}, "vectors/flows.jsonl": {1}}
		f[name] = make([]byte, limit)
		if b, err := bundle.Encode(m, f, bundle.Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, err := bundle.Decode(b, bundle.Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f[name] = make([]byte, limit+1)
		if _, err := bundle.Encode(m, f, bundle.Limits{}); !isA[*bundle.LimitError](err) {
			t.Errorf("%s: one more: %v", name, err)
		}
	}
	// The whole file: 64 MiB from a model and padding under pre/.
	overhead := int64(len(encode(t, m, map[string][]byte{"model/forest.bin": make([]byte, 48<<20), "vectors/flows.jsonl": {1},
		"pre/pad.json": make([]byte, 8<<20)}))) - 8<<20
	for extra, want := range map[int64]string{0: "ok", 1: "limit"} {
		f := map[string][]byte{"model/forest.bin": make([]byte, 48<<20), "vectors/flows.jsonl": {1}}
		f["pre/pad.json"] = make([]byte, 64<<20-overhead-1+extra) // the size takes a digit more in the manifest
		b, err := bundle.Encode(m, f, bundle.Limits{})
		if got := classOf(err); got != want {
			t.Errorf("file of 64 MiB and %d: %v", extra, err)
		}
		if err == nil && len(b) != 64<<20 {
			t.Errorf("the file has %d bytes", len(b))
		}
	}
	files["pre/pad.json"] = nil
	for _, n := range []int{-1, math.MinInt} {
		for _, lim := range []bundle.Limits{{File: int64(n)}, {Entries: n}, {Manifest: int64(n)}, {Model: int64(n)}, {Data: int64(n)}, {Text: int64(n)}, {Signature: int64(n)}} {
			_, encodeErr := bundle.Encode(m, files, lim)
			_, openErr := bundle.Open(nil, lim)
			if encodeErr == nil || openErr == nil || !strings.Contains(openErr.Error(), "negative") {
				t.Errorf("%+v: %v, %v", lim, encodeErr, openErr)
			}
		}
	}
}

// TestOpen_saysWhatIsWrong pins the messages for what people do to a bundle.
func TestOpen_saysWhatIsWrong(t *testing.T) {
	want := map[string]string{
		"zip-method-deflate-manifest": "bundle: byte 8: local header: compression method: byte 0x08, want 0x00",
		"zip-flag-descriptor":         "local header: flags: byte 0x08, want 0x00",
		"zip-manifest-second":         "local header: name length: byte 0x10, want 0x0d",
		"zip-comment-file":            "central directory: byte 0x01, want 0x00",
		"zip-trailing":                "1 bytes follow the end record",
		"zip-duplicate":               `entry "model/forest.bin" stands after "model/forest.bin"`,
		"name-18":                     `no bundle holds an entry "run.sh"`,
		"not-a-zip":                   "bundle: byte 0: local header: signature: byte 0x3c, want 0x50",
		"not-a-bundle-manifest":       `manifest.json: want {"format":{: "{\"manifest_version\":3`,
		"version-major-2":             `bundle: not supported: format "cloister-bundle" 2.0, this program reads "cloister-bundle" up to 1.1`,
		"hash-crc-1":                  "bundle: model/forest.bin: CRC-32 does not match the content",
		"hash-sha256-1":               "bundle: model/forest.bin: SHA-256 does not match the content",
		"limit-default-entries":       "bundle: entries: 65 is over the limit of 64",
		"cut-last":                    "unexpected EOF",
	}
	for _, v := range readKit(t) {
		text, ok := want[v.name]
		if !ok {
			continue
		}
		if _, err := bundle.Decode(v.data, v.limits); !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%s: got %v", v.name, err)
		}
		delete(want, v.name)
	}
	for name := range want {
		t.Errorf("%s is not in the kit", name)
	}
}

// allocated returns the bytes that f allocates, the least of three runs.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// TestOpen_allocatesLittle holds Open to the bound in its comment: 1 KiB per
// entry read, here counting the one that is refused.
func TestOpen_allocatesLittle(t *testing.T) {
	m, _ := small()
	m.Vectors = bundle.Vectors{}
	many := map[string][]byte{"model/x.bin": nil}
	for i := range 62 {
		many[fmt.Sprintf("attack/%02d%s.json", i, strings.Repeat("x", 62))] = nil
	}
	head := rawEntry{name: "manifest.json", content: `{"format":{"name":"cloister-bundle","major":1,"minor":0}`}
	long := head
	long.size = new(uint32(1 << 20))
	for _, tt := range []struct {
		name    string
		entries uint64
		file    []byte
	}{
		{"large", 2, encode(t, m, map[string][]byte{"model/x.bin": make([]byte, 40<<20)})},
		{"many", 64, encode(t, m, many)},
		{"claims a size", 1, rawZip(rawEnd{}, long)},
		{"long name", 2, rawZip(rawEnd{}, head, rawEntry{name: strings.Repeat("x", 1<<16-1)})},
	} {
		n := allocated(func() { bundle.Open(tt.file, bundle.Limits{}) })
		t.Logf("%s: Open allocated %d bytes for %d", tt.name, n, len(tt.file))
		if n > tt.entries<<10 {
			t.Errorf("%s: Open allocated %d bytes for %d entries", tt.name, n, tt.entries)
		}
	}
}

// TestDecode_allocatesByTheManifest fills the manifest with the shortest
// elements of each list, where the ratio of memory to text is worst.
func TestDecode_allocatesByTheManifest(t *testing.T) {
	m, files := small()
	text := string(manifestText(t, encode(t, m, files)))
	const size = 512 << 10
	lists := map[string]func(i int) string{
		`"authors":[`:    func(int) string { return `"aa"` },
		`"base_value":[`: func(int) string { return "0" },
		`"aliases":[`:    func(i int) string { return fmt.Sprintf("%q", fmt.Sprint(i)) },
		`"datasets":[`:   func(int) string { return `{"name":"aa","license":"","url":""}` },
		`"attack":[`:     func(int) string { return `{"id":"T1000","tactic":"TA0001","confidence":"low","basis":"inferred"}` },
		`"labels":[`: func(i int) string {
			return fmt.Sprintf(`{"name":"%d","severity":"Low","benign":true,"attack":[],"unseen":[],"precision":0,"recall":0,"support":0}`, i)
		},
		`"features":[`: func(i int) string {
			return fmt.Sprintf(`{"name":"%d","aliases":[],"dtype":"a","unit":"","min":0,"max":0,"q01":0,"q50":0,"q99":0,"missing":"","transform":"","help":""}`, i)
		},
		`"metrics":[`: func(i int) string {
			return fmt.Sprintf(`{"name":"%d","value":0,"low":0,"high":0,"split":"train","n":0}`, i)
		},
		`"files":[`: func(int) string { return `{"name":"LICENSE","sha256":"` + rowsDigest() + `","size":0}` },
	}
	worst := 0.0
	for key, element := range lists {
		if strings.Count(text, key) != 1 {
			t.Fatalf("%s is in the manifest %d times", key, strings.Count(text, key))
		}
		var sb strings.Builder
		for i := 0; sb.Len() < size; i++ {
			sb.WriteString(element(i) + ",")
		}
		head, tail, _ := strings.Cut(text, key)
		filler := sb.String()
		if tail[0] == ']' {
			filler = filler[:len(filler)-1]
		}
		content := head + key + filler + tail
		var entries []rawEntry
		entries = append(entries, rawEntry{name: "manifest.json", content: content})
		for _, name := range []string{"model/forest.bin", "vectors/flows.jsonl"} {
			entries = append(entries, rawEntry{name: name, content: string(files[name])})
		}
		file := rawZip(rawEnd{}, entries...)
		var err error
		n := allocated(func() { _, err = bundle.Decode(file, bundle.Limits{}) })
		ratio := float64(n) / float64(len(content))
		t.Logf("%-14s %5.1f bytes per byte, %v", key, ratio, err)
		if worst = max(worst, ratio); n > 64<<10+32*uint64(len(content)) {
			t.Errorf("%s: Decode allocated %d bytes for a manifest of %d", key, n, len(content))
		}
	}
	if worst < 2 {
		t.Errorf("no list allocated anything: the inputs were refused too early")
	}
}
