package serve_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"cloister/builder/internal/serve"

	"github.com/andybalholm/brotli"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrecompress_twins(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("the same again; ", 500)
	p := write(t, dir, "deep/app.js", text)
	write(t, dir, "tiny.css", "a")
	write(t, dir, "flows.bundle", text)
	write(t, dir, "gone.js.br", "left over")
	write(t, dir, "tiny.css.gz", "larger than its file")
	n, err := serve.Precompress(dir)
	if err != nil || n != 2 {
		t.Fatalf("wrote %d, %v, want 2", n, err)
	}
	for ext, open := range map[string]func(io.Reader) (io.Reader, error){
		".br": func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		".gz": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	} {
		b, err := os.ReadFile(p + ext)
		if err != nil {
			t.Fatal(err)
		}
		r, err := open(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != text || len(b) >= len(text) {
			t.Errorf("%s: %d bytes that unpack to %d, %v", ext, len(b), len(got), err)
		}
	}
	for _, name := range []string{"tiny.css.br", "tiny.css.gz", "flows.bundle.br", "gone.js.br"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(p+".br", old, old); err != nil {
		t.Fatal(err)
	}
	if n, err := serve.Precompress(dir); err != nil || n != 0 {
		t.Errorf("again: wrote %d, %v, want 0: nothing changed", n, err)
	}
	write(t, dir, "deep/app.js", text+"!")
	write(t, dir, "deep/app.js.gz", "not gzip at all")
	if n, err := serve.Precompress(dir); err != nil || n != 2 {
		t.Errorf("after a change: wrote %d, %v, want 2", n, err)
	}
}

func TestPrecompress_sameBytes(t *testing.T) {
	var got [2]string
	for i := range got {
		dir := t.TempDir()
		p := write(t, dir, "a.js", strings.Repeat("0123456789", 300))
		if _, err := serve.Precompress(dir); err != nil {
			t.Fatal(err)
		}
		br, err1 := os.ReadFile(p + ".br")
		gz, err2 := os.ReadFile(p + ".gz")
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		got[i] = string(br) + string(gz)
	}
	if got[0] != got[1] {
		t.Error("two runs differ")
	}
}

func TestWriteBundles_index(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "page.wasm", "12345")
	write(t, dir, "bundles/old/1/stale.bundle", "stale")
	models := fstest.MapFS{
		"flows/1.9.0.bundle":      {Data: []byte("nine")},
		"flows/1.10.0.bundle":     {Data: []byte("newest")},
		"flows/1.10.0-rc1.bundle": {Data: []byte("candidate")},
		"flows/card.md":           {Data: []byte("a card")},
		"alerts/2.bundle":         {Data: []byte("other")},
		"sample/lab.csv":          {Data: []byte("a,b\n1,2\n")},
		"sample/README.md":        {Data: []byte("# Title\n\n`lab.csv`: 557 **real** rows of\nNF-*-v3. More.\n")},
	}
	index, err := serve.WriteBundles(models, dir, "flows")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, e := range index.Bundles {
		order = append(order, e.Name+" "+e.Version)
		b, err := os.ReadFile(filepath.Join(dir, "bundles", filepath.FromSlash(e.Path)))
		if err != nil || int64(len(b)) != e.Bytes || !strings.Contains(e.Path, e.SHA256) || len(e.SHA256) != 64 {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if got := strings.Join(order, ", "); got != "alerts 2, flows 1.10.0, flows 1.10.0-rc1, flows 1.9.0" {
		t.Errorf("order %q", got)
	}
	if index.Default != "flows" || index.Size != 5+6+5+8 {
		t.Errorf("default %q, size %d, want 24: page, newest bundle of each name, sample", index.Default, index.Size)
	}
	if index.Sample == nil || index.Sample.Path != "sample/lab.csv" || index.Sample.Info != "lab.csv: 557 real rows of NF-*-v3." {
		t.Errorf("sample %+v", index.Sample)
	}
	if _, err := os.Stat(filepath.Join(dir, "bundles/old")); err == nil {
		t.Error("a bundle of an earlier build is still there")
	}
	var read serve.Index
	b, err := os.ReadFile(filepath.Join(dir, "bundles/index.json"))
	if err != nil || json.Unmarshal(b, &read) != nil || read.Default != "flows" || len(read.Bundles) != 4 {
		t.Errorf("index.json %s, %v", b, err)
	}
	url, _ := start(t, serve.Options{Site: mustSite(t, dir)})
	for _, e := range index.Bundles {
		if got := ask1(t, url+"/bundles/"+e.Path, "Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q", e.Path, got)
		}
	}
}

func mustSite(t *testing.T, dir string) fstest.MapFS {
	t.Helper()
	site := fstest.MapFS{"index.html": {Data: []byte("x")}}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		site[filepath.ToSlash(rel)] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func TestWriteBundles_defaults(t *testing.T) {
	one := fstest.MapFS{"flows/1.bundle": {Data: []byte("x")}}
	two := fstest.MapFS{"flows/1.bundle": {Data: []byte("x")}, "alerts/1.bundle": {Data: []byte("x")}}
	for _, c := range []struct {
		models     fstest.MapFS
		name, want string
		bad        bool
	}{
		{one, "", "flows", false}, {one, "flows", "flows", false}, {one, "other", "", true},
		{two, "", "", true}, {two, "alerts", "alerts", false},
		{fstest.MapFS{}, "", "", false}, {fstest.MapFS{}, "flows", "", false},
		{fstest.MapFS{"flows/1.bundle": {Data: []byte("x")}, "sample/lab.csv": {Data: []byte("x")}}, "", "", true}, // not described
	} {
		index, err := serve.WriteBundles(c.models, t.TempDir(), c.name)
		if (err != nil) != c.bad || !c.bad && index.Default != c.want {
			t.Errorf("%v, %q: default %q, %v", c.models, c.name, index.Default, err)
		}
	}
}

// The list says what each bundle is, so that a page can choose one before it
// has loaded any.
func TestWriteBundles_saysWhatBundlesRead(t *testing.T) {
	index, err := serve.WriteBundles(os.DirFS("../../../models"), t.TempDir(), "flows")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range index.Bundles {
		got[e.Name] = e.Schema
		if e.Title == "" {
			t.Errorf("%s has no title", e.Name)
		}
	}
	for name, schema := range map[string]string{"flows": "flow", "flows-cic": "flow", "severity": "alert", "telemetry": "telemetry"} {
		if got[name] != schema {
			t.Errorf("%s reads %q, want %q", name, got[name], schema)
		}
	}
}
