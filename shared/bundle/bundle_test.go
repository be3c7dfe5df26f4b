package bundle_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloister/shared/bundle"
)

func Example() {
	m, files := small()
	file, err := bundle.Encode(m, files, bundle.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	forest, _ := b.File("model/forest.bin")
	fmt.Println(b.Manifest().Title, len(forest), b.Names())
	// Output: Flows 5 [manifest.json model/forest.bin vectors/flows.jsonl]
}

func TestEncode_roundTrip(t *testing.T) {
	for name, sample := range map[string]func() (bundle.Manifest, map[string][]byte){"small": small, "full": full} {
		t.Run(name, func(t *testing.T) {
			m, files := sample()
			file := encode(t, m, files)
			b, err := bundle.Decode(file, bundle.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			gotM, gotFiles := contents(b)
			if diff := cmp.Diff(files, gotFiles); diff != "" {
				t.Error(diff)
			}
			if again := encode(t, gotM, gotFiles); !bytes.Equal(file, again) {
				t.Error("decode then encode gives other bytes")
			}
			// What Encode fills in is checked in TestEncode_fills.
			m.Format, m.Files, m.Schema.SHA256, m.Explain.BackgroundSHA256 =
				gotM.Format, gotM.Files, gotM.Schema.SHA256, gotM.Explain.BackgroundSHA256
			if diff := cmp.Diff(m, gotM); diff != "" {
				t.Error(diff)
			}
			if b.Size() != int64(len(file)) || b.SHA256() != sha256.Sum256(file) {
				t.Error("size or digest of the file differ")
			}
			if _, ok := b.File("model/none.bin"); ok {
				t.Error("a file that is not there was found")
			}
		})
	}
}

func TestEncode_fills(t *testing.T) {
	m, files := full()
	m.Files = []bundle.File{{Name: "stale", Size: 1}}
	m.Schema.SHA256 = bundle.Digest{1}
	m.Explain.BackgroundSHA256 = bundle.Digest{2}
	b, err := bundle.Decode(encode(t, m, files), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got := b.Manifest()
	if got.Format != (bundle.Format{Name: "cloister-bundle", Major: 1, Minor: 1}) {
		t.Errorf("format %v", got.Format)
	}
	var want []bundle.File
	for _, name := range []string{"CARD.md", "LICENSE", "NOTICE", "attack/labels.json", "card.json", "explain/background.bin",
		"model/calibration.bin", "model/forest.bin", "pre/tfidf.json", "provenance.intoto.json", "sbom.cdx.json", "vectors/flows.jsonl"} {
		want = append(want, bundle.File{Name: name, SHA256: sha256.Sum256(files[name]), Size: int64(len(files[name]))})
	}
	if diff := cmp.Diff(want, got.Files); diff != "" {
		t.Error(diff)
	}
	if got.Explain.BackgroundSHA256 != sha256.Sum256([]byte("bg")) {
		t.Error("digest of the background differs")
	}
	columns := `[["duration","float64","s","nan","log1p"],["bytes","int64","","",""]]`
	if got.Schema.SHA256 != sha256.Sum256([]byte(columns)) {
		t.Error("digest of the schema differs")
	}
	wantNames := append(append([]string{"manifest.json"}, "CARD.md", "LICENSE", "NOTICE", "attack/labels.json", "card.json",
		"explain/background.bin", "model/calibration.bin", "model/forest.bin", "pre/tfidf.json",
		"provenance.intoto.json", "sbom.cdx.json", "vectors/flows.jsonl"), "model.sig")
	if !slices.Equal(b.Names(), wantNames) {
		t.Errorf("names %q", b.Names())
	}
}

func TestEncode_agreesWithAnIndependentWriter(t *testing.T) {
	m, files := full()
	file := encode(t, m, files)
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []rawEntry
	for _, name := range b.Names() {
		content, _ := b.File(name)
		entries = append(entries, rawEntry{name: name, content: string(content)})
	}
	if !bytes.Equal(file, rawZip(rawEnd{}, entries...)) {
		t.Error("bytes differ")
	}
}

// TestEncode_isPinned fails when a byte of the format changes: then SPEC.md,
// the kit and the version have to change too. The digest was read off this
// package, after unzip 6.00 and Python 3.11 zipfile had accepted the file.
func TestEncode_isPinned(t *testing.T) {
	for name, tt := range map[string]struct {
		content func() (bundle.Manifest, map[string][]byte)
		want    string
	}{
		"1.0": {full10, "eb7e25ec61fc931362cad1570aaaeae17a51a1559e5c38a8d5aafd2c9c748a58"},
		"1.1": {full, "7e5c3de958bb0292500d0909a8d94d47198107fb63f7746752c6079e832c2d5a"},
	} {
		m, files := tt.content()
		for range 20 { // map order must not matter
			if sum := sha256.Sum256(encode(t, m, files)); hex.EncodeToString(sum[:]) != tt.want {
				t.Fatalf("format %s: digest %x", name, sum)
			}
		}
	}
}

func TestEncode_readsAsPlainZip(t *testing.T) {
	m, files := full()
	file := encode(t, m, files)
	r, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != len(files)+1 {
		t.Errorf("%d entries", len(r.File))
	}
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != bundle.ManifestName && !bytes.Equal(got, files[f.Name]) {
			t.Errorf("%s: content differs", f.Name)
		}
		if y, mo, d := f.Modified.Date(); y != 1980 || mo != 1 || d != 1 {
			t.Errorf("%s: date %v", f.Name, f.Modified)
		}
	}
}

// TestOpen_refusesARepackedZip rewrites a bundle with archive/zip: the same
// files, but compressed, with data descriptors and other dates.
func TestOpen_refusesARepackedZip(t *testing.T) {
	m, files := full()
	r, err := zip.NewReader(bytes.NewReader(encode(t, m, files)), int64(len(encode(t, m, files))))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		to, err := w.Create(f.Name) // deflate
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(to, rc); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = bundle.Decode(out.Bytes(), bundle.Limits{})
	if want := "bundle: byte 8: local header: compression method: byte 0x08, want 0x00"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestEncode_leavesItsArgumentsAlone(t *testing.T) {
	m, files := full()
	m.Files = []bundle.File{{Name: "mine"}}
	encode(t, m, files)
	wantM, wantFiles := full()
	wantM.Files = []bundle.File{{Name: "mine"}}
	if diff := cmp.Diff(wantM, m); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantFiles, files); diff != "" {
		t.Error(diff)
	}
}

func TestEncode_signatureChangesNothingElse(t *testing.T) {
	m, files := full()
	delete(files, "model.sig")
	unsigned, err := bundle.Open(encode(t, m, files), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	files["model.sig"] = []byte("sig")
	signed, err := bundle.Open(encode(t, m, files), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unsigned.Digests(), signed.Digests()); diff != "" {
		t.Error(diff)
	}
	if _, ok := unsigned.Signature(); ok {
		t.Error("a signature out of nothing")
	}
	if sig, ok := signed.Signature(); !ok || string(sig) != "sig" {
		t.Errorf("signature %q, %v", sig, ok)
	}
}

func TestArchive_digestsAreOMSResources(t *testing.T) {
	m, files := full()
	file := encode(t, m, files)
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.Decode()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range a.Digests() {
		content, ok := b.File(d.Name)
		if !ok || d.SHA256 != sha256.Sum256(content) || d.Size != int64(len(content)) {
			t.Errorf("%s: %v", d.Name, d)
		}
		names = append(names, d.Name)
	}
	if !slices.IsSorted(names) || len(names) != len(files) || slices.Contains(names, "model.sig") || !slices.Contains(names, "manifest.json") {
		t.Errorf("names %q", names)
	}
	if a.SHA256() != sha256.Sum256(file) || a.Size() != int64(len(file)) {
		t.Error("size or digest of the file differ")
	}
}

// TestOpen_decodesNoContent is what a signature check between the two halves
// rests on: a manifest that is wrong after its format still opens.
func TestOpen_decodesNoContent(t *testing.T) {
	file := rawZip(rawEnd{}, rawEntry{name: "manifest.json",
		content: `{"format":{"name":"cloister-bundle","major":1,"minor":0}` + "\x00garbage"})
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Decode(); !isA[*bundle.FormatError](err) {
		t.Errorf("got %v", err)
	}
}

func TestBundle_manifestIsACopy(t *testing.T) {
	m, files := full()
	b, err := bundle.Decode(encode(t, m, files), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got := b.Manifest()
	got.Labels[0].Name, *got.Schema.Features[0].Min, got.Authors[0] = "changed", 7, "changed"
	if again := b.Manifest(); again.Labels[0].Name != "Bot" || *again.Schema.Features[0].Min != 0 || again.Authors[0] != "A. Analyst" {
		t.Error("a change reached the bundle")
	}
	if f, _ := b.File("model/forest.bin"); cap(f) != len(f) {
		t.Error("append to a file would write over the next entry")
	}
}

func TestBundle_concurrentUse(t *testing.T) {
	m, files := full()
	b, err := bundle.Decode(encode(t, m, files), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, name := range b.Names() {
				b.File(name)
			}
			b.Manifest()
			b.SHA256()
		})
	}
	wg.Wait()
}

func TestEncode_refuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*bundle.Manifest, map[string][]byte)
		want   func(error) bool
		text   string
	}{
		{"unknown entry", func(_ *bundle.Manifest, f map[string][]byte) { f["evil.sh"] = nil }, isA[*bundle.FieldError], `"evil.sh"`},
		{"path out of the folder", func(_ *bundle.Manifest, f map[string][]byte) { f["model/../x.bin"] = nil }, isA[*bundle.FieldError], "files"},
		{"own manifest", func(_ *bundle.Manifest, f map[string][]byte) { f["manifest.json"] = nil }, isA[*bundle.FieldError], `"manifest.json"`},
		{"no model", func(_ *bundle.Manifest, f map[string][]byte) {
			delete(f, "model/forest.bin")
			delete(f, "model/calibration.bin")
		}, isA[*bundle.FieldError], "model/*.bin"},
		{"no vectors", func(_ *bundle.Manifest, f map[string][]byte) { delete(f, "vectors/flows.jsonl") }, isA[*bundle.FieldError], "vectors.file"},
		{"no background", func(_ *bundle.Manifest, f map[string][]byte) { delete(f, "explain/background.bin") }, isA[*bundle.FieldError], "explain.background_n"},
		{"other major", func(m *bundle.Manifest, _ map[string][]byte) {
			m.Format = bundle.Format{Name: bundle.Name, Major: 2}
		}, isA[*bundle.UnsupportedError], "2.0"},
		{"negative minor", func(m *bundle.Manifest, _ map[string][]byte) {
			m.Format = bundle.Format{Name: bundle.Name, Major: 1, Minor: -1}
		}, isA[*bundle.UnsupportedError], "1.-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, files := full()
			tt.change(&m, files)
			b, err := bundle.Encode(m, files, bundle.Limits{})
			if b != nil || err == nil || !tt.want(err) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// isA reports whether err is or wraps a T.
func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
