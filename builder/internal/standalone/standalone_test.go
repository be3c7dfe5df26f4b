package standalone_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"cloister/builder/internal/standalone"
)

func site() fstest.MapFS {
	return fstest.MapFS{
		"index.html": {Data: []byte("<!doctype html>\n<html data-part=\"shell\">\n<meta charset=\"utf-8\">\n<script src=\"boot.js\"></script>\n<link rel=\"icon\" href=\"favicon.svg\" type=\"image/svg+xml\">\n" +
			"<link rel=\"stylesheet\" href=\"shell.css\">\n<iframe id=\"frame\" src=\"app.html\"></iframe>\n<noscript>no</noscript>\n</html>\n")},
		"app.html": {Data: []byte("<!doctype html>\n<script src=\"boot.js\"></script><link rel=\"stylesheet\" href=\"app.css\"><script src=\"dom.js\"></script><body>")},
		"boot.js":  {Data: []byte("boot()")}, "dom.js": {Data: []byte("dom()")}, "app.css": {Data: []byte("a{}")}, "shell.css": {Data: []byte("b{}")}, "favicon.svg": {Data: []byte("<svg/>")},
		"page.wasm": {Data: []byte("page")}, "worker.wasm": {Data: []byte("scorer")}, "wasm_exec.js": {Data: []byte("go()")}, "worker.js": {Data: []byte("work()")},
		"confine.js": {Data: []byte("confine()")}, "reader.js": {Data: []byte("read()")},
		"bundles/index.json": {Data: []byte(`{"default":"old","bundles":[{"name":"old"}],"sample":{"path":"sample/lab.csv","info":"what"},"size":7}`)},
		"sample/lab.csv":     {Data: []byte("a,b\n")},
	}
}

func write(t *testing.T, files fstest.MapFS) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := standalone.Write(&out, files, []byte("bundle"), "flows", "1.2.3")
	return out.String(), err
}

func TestWrite_holdsEveryFile(t *testing.T) {
	page, err := write(t, site())
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	for _, m := range regexp.MustCompile(`<script type="application/octet-stream" id="file:([^"]+)" data-type="([^"]+)">([^<]*)</script>`).FindAllStringSubmatch(page, -1) {
		packed, err := base64.StdEncoding.DecodeString(m[3])
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		held[m[1]] = string(plain)
	}
	sum := sha256.Sum256([]byte("bundle"))
	for name, want := range map[string]string{"page.wasm": "page", "worker.wasm": "scorer", "wasm_exec.js": "go()", "worker.js": "work()", "confine.js": "confine()", "reader.js": "read()", "sample/lab.csv": "a,b\n"} {
		if held[name] != want {
			t.Errorf("%s holds %q, want %q", name, held[name], want)
		}
	}
	var index struct {
		Default string
		Bundles []struct{ Name, Version, Path string }
		Sample  struct{ Info string }
	}
	if err := json.Unmarshal([]byte(held["bundles/index.json"]), &index); err != nil {
		t.Fatal(err)
	}
	if index.Default != "flows" || len(index.Bundles) != 1 || index.Sample.Info != "what" || held["bundles/"+index.Bundles[0].Path] != "bundle" {
		t.Errorf("index %+v", index)
	}
	if want := base64.StdEncoding.EncodeToString(sum[:]); strings.Contains(page, want) {
		t.Error("the policy names a hash of something that is no script")
	}
	app := held["app.html"]
	if !strings.Contains(app, "<script>boot()</script>") || !strings.Contains(app, "<style>a{}</style>") || strings.Contains(app, "src=") {
		t.Errorf("the program's document:\n%s", app)
	}
	if again, _ := write(t, site()); again != page {
		t.Error("a second page differs")
	}
}

func TestWrite_policyNamesScriptsByHash(t *testing.T) {
	page, err := write(t, site())
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]+)">`).FindStringSubmatchIndex(page)
	if m == nil || m[0] > strings.Index(page, "<script>") {
		t.Fatal("no policy before the first script")
	}
	policy := page[m[2]:m[3]]
	for _, text := range []string{"boot()", "dom()", "a{}", "b{}"} {
		h := sha256.Sum256([]byte(text))
		if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(h[:])+"'") {
			t.Errorf("%s has no hash in %s", text, policy)
		}
	}
	for _, must := range []string{"default-src 'none'", "connect-src 'none'", "frame-src 'none'", "form-action 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, must) {
			t.Errorf("%s is missing in %s", must, policy)
		}
	}
	if strings.Contains(policy, "'self'") || strings.Contains(policy, "unsafe-inline") || strings.Contains(policy, "'unsafe-eval'") {
		t.Errorf("policy %s", policy)
	}
}

func TestWrite_refusesWhatCannotBeEmbedded(t *testing.T) {
	for name, spoil := range map[string]func(fstest.MapFS){
		"a missing program": func(f fstest.MapFS) { delete(f, "page.wasm") },
		"a missing script":  func(f fstest.MapFS) { delete(f, "dom.js") },
		"a missing index":   func(f fstest.MapFS) { delete(f, "bundles/index.json") },
		"a broken index":    func(f fstest.MapFS) { f["bundles/index.json"].Data = []byte("{") },
		"a missing sample":  func(f fstest.MapFS) { delete(f, "sample/lab.csv") },
		"a picture elsewhere": func(f fstest.MapFS) {
			f["index.html"].Data = append([]byte(`<img src="https://x.test/a.png">`), f["index.html"].Data...)
		},
		"no charset":               func(f fstest.MapFS) { f["index.html"].Data = []byte("<noscript>") },
		"a script that ends early": func(f fstest.MapFS) { f["boot.js"].Data = []byte(`x = "</script>"`) },
	} {
		files := site()
		spoil(files)
		if _, err := write(t, files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
