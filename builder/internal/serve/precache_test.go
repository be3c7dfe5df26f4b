package serve_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloister/builder/internal/serve"
	"cloister/shared/header"
)

// precacheList returns the list that sw.js of dir was given.
func precacheList(t *testing.T, dir string) (list struct {
	Version string
	Headers []map[string]string
	Files   map[string]struct {
		SHA256  string
		Headers int
	}
}) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(dir, "sw.js"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^const list = (.*);$`).FindSubmatch(script)
	if m == nil || json.Unmarshal(m[1], &list) != nil {
		t.Fatalf("no list in %s", script)
	}
	return list
}

// pageFiles makes a site of the real documents and stand-ins for the programs.
func pageFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../../site/static")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"page.wasm", "worker.wasm", "wasm_exec.js", "reader.js", "dom.js", "bundles/index.json", "bundles/flows/2/b.bundle", "bundles/flows/1/a.bundle", "sample/lab.csv"} {
		write(t, dir, f, "content of "+f)
	}
	return dir
}

func TestWritePrecache_namesEveryFile(t *testing.T) {
	dir := pageFiles(t)
	index := serve.Index{Default: "flows", Sample: &serve.Sample{Path: "sample/lab.csv"},
		Bundles: []serve.Entry{{Name: "flows", Version: "2", Path: "flows/2/b.bundle"}, {Name: "flows", Version: "1", Path: "flows/1/a.bundle"}}}
	if err := serve.WritePrecache(dir, index); err != nil {
		t.Fatal(err)
	}
	list := precacheList(t, dir)
	want := []string{"/", "/app.html", "/manifest.webmanifest", "/page.wasm", "/worker.wasm", "/worker.js", "/confine.js", "/reader.js", "/bundles/index.json", "/bundles/flows/2/b.bundle", "/sample/lab.csv"}
	refers := regexp.MustCompile(`(?:src|href)="([^"#:]+)"`)
	for _, document := range []string{"index.html", "app.html", "manifest.webmanifest"} {
		text, err := os.ReadFile(filepath.Join(dir, document))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range refers.FindAllStringSubmatch(strings.ReplaceAll(string(text), `"src": `, "src="), -1) {
			want = append(want, "/"+m[1])
		}
	}
	if len(want) < 16 {
		t.Fatalf("the documents refer to %q only", want)
	}
	for _, p := range want {
		f, ok := list.Files[p]
		name := strings.TrimPrefix(p, "/")
		if name == "" {
			name = "index.html"
		}
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !ok || f.SHA256 != fmt.Sprintf("%x", sha256.Sum256(body)) {
			t.Errorf("%s: listed %v as %q", p, ok, f.SHA256)
			continue
		}
		set := list.Headers[f.Headers]
		for _, h := range append(header.For(p), header.Header{Name: "Content-Type", Value: header.ContentType(p)}) {
			if set[h.Name] != h.Value {
				t.Errorf("%s: %s is %q, want %q", p, h.Name, set[h.Name], h.Value)
			}
		}
	}
	for _, p := range []string{"/sw.js", "/index.html", "/404.html", "/bundles/flows/1/a.bundle"} {
		if _, ok := list.Files[p]; ok {
			t.Errorf("%s is listed", p)
		}
	}
	first, err := os.ReadFile(filepath.Join(dir, "sw.js"))
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.WritePrecache(dir, index); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "sw.js")); err != nil || string(again) != string(first) {
		t.Errorf("the same files give another sw.js (%v)", err)
	}
	write(t, dir, "app.css", "other")
	if err := serve.WritePrecache(dir, index); err != nil {
		t.Fatal(err)
	}
	if v := precacheList(t, dir).Version; v == list.Version || len(v) != 64 {
		t.Errorf("with another file the version is %q, it was %q", v, list.Version)
	}
}

func TestWritePrecache_faults(t *testing.T) {
	for file, content := range map[string]string{"page.wasm": "", "sw.js": "no line", "app.css": ""} {
		dir := pageFiles(t)
		if content == "" {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		} else {
			write(t, dir, file, content)
		}
		if err := serve.WritePrecache(dir, serve.Index{}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
