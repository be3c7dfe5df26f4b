//go:build !js

package main_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloister/shared/header"
)

// scriptBudget bounds the program, memoryBudget what an isolate may hold after
// work, in bytes. The platform's own limits are 64 MiB and 128 MB. Processor
// time is the load benchmark's.
const (
	scriptBudget = 12 << 20
	memoryBudget = 128 << 20
)

func TestEdge_inWorkerd(t *testing.T) {
	d := deploy(t)
	t.Run("site", func(t *testing.T) { testSite(t, d) })
	t.Run("routes", func(t *testing.T) { testRoutes(t, d) })
	t.Run("score before publishing", func(t *testing.T) { testScore(t, d) })
	t.Run("rollout", func(t *testing.T) { testRollout(t, d) })
	t.Run("score", func(t *testing.T) { testScore(t, d) })
	t.Run("hostile bodies", func(t *testing.T) { testHostile(t, d) })
	t.Run("scheduled", func(t *testing.T) { testScheduled(t, d) })
	t.Run("limits", func(t *testing.T) { testLimits(t, d) })
	t.Run("log", func(t *testing.T) { testLog(t, d) })
	t.Run("storage fails", func(t *testing.T) { testStorageFails(t, d) }) // last: it breaks the storage
}

// Files come from the platform, everything else from the program; the headers
// are the same table.
func testSite(t *testing.T, d *deployment) {
	paths := []string{"/", "/nothing", "/healthz"}
	err := fs.WalkDir(os.DirFS(filepath.Join(folder, "site")), ".", func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && p != "_headers" {
			paths = append(paths, "/"+p)
		}
		return err
	})
	if err != nil || len(paths) < 12 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, p := range paths {
		r := d.ask("GET", p, nil)
		want := map[string]int{"/nothing": 404}[p]
		if want == 0 {
			want = 200
		}
		if r.status != want {
			t.Errorf("%s: %v", p, r)
		}
		for _, h := range header.For(p) {
			if h.Name == "Cache-Control" && want == 404 || p == "/healthz" && h.Name == "Cache-Control" {
				continue
			}
			if got := r.header.Values(h.Name); len(got) != 1 || got[0] != h.Value {
				t.Errorf("%s: %s is %q, want %q", p, h.Name, got, h.Value)
			}
		}
		if got := r.header.Get("Content-Type"); p != "/nothing" && p != "/healthz" && got != header.ContentType(p) {
			t.Errorf("%s: type %q", p, got)
		}
		if file, err := os.ReadFile(filepath.Join(folder, "site", p)); err == nil && !bytes.Equal(file, r.body) {
			t.Errorf("%s: %d bytes, the file has %d", p, len(r.body), len(file))
		}
	}
	if r := d.ask("GET", "/_headers", nil); r.status != 404 {
		t.Errorf("the settings are served: %v", r)
	}
	page := d.ask("GET", "/page.wasm", nil)
	if r := d.ask("GET", "/page.wasm", nil, "If-None-Match: "+page.header.Get("ETag")); r.status != 304 {
		t.Errorf("a file asked again: %d", r.status)
	}
}

func testRoutes(t *testing.T, d *deployment) {
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/healthz", 200, "ok"}, {"HEAD", "/healthz", 200, ""}, {"GET", "/readyz", 200, "none"}, {"GET", "/version", 200, "under-test"}, {"GET", "/version", 200, `"kernel": true`},
		{"GET", "/channel.json", 404, "no channel"}, {"GET", "/bundles/none", 404, ""}, {"POST", "/healthz", 405, "GET"}, {"DELETE", "/version", 405, ""},
		{"GET", "/score", 405, "POST"}, {"PUT", "/channel.json", 401, "token"},
	} {
		r := d.ask(c.method, c.path, nil)
		if r.status != c.status || !strings.Contains(string(r.body), c.want) {
			t.Errorf("%s %s: %v, want %d %q", c.method, c.path, r, c.status, c.want)
		}
	}
}

// A new bundle is rolled out, the old one stays for pages that are open, and a
// rollback is one more version of the channel.
func testRollout(t *testing.T, d *deployment) {
	b := d.signed()
	first := d.publish(1, "flows/1.0.0", b)
	if got := d.index(); len(got) != 1 || got[0] != first {
		t.Fatalf("index %v, want %s", got, first)
	}
	if r := d.ask("GET", "/readyz", nil); r.status != 200 || !strings.Contains(string(r.body), `"version": 1`) {
		t.Errorf("ready: %v", r)
	}
	second := d.publish(2, "flows/1.0.1", b)
	if got := d.index(); len(got) != 1 || got[0] != second {
		t.Errorf("index %v, want %s", got, second)
	}
	whole := d.ask("GET", "/bundles/"+first, nil)
	if whole.status != 200 || !bytes.Equal(whole.body, b) || !strings.Contains(whole.header.Get("Cache-Control"), "immutable") {
		t.Errorf("the bundle before: %d, %d bytes, cache %q", whole.status, len(whole.body), whole.header.Get("Cache-Control"))
	}
	tag := whole.header.Get("ETag")
	if r := d.ask("GET", "/bundles/"+first, nil, "If-None-Match: "+tag); r.status != 304 || len(r.body) != 0 || tag == "" {
		t.Errorf("asked again: %v", r)
	}
	n := len(b)
	for line, want := range map[string][2]int{"bytes=0-99": {0, 100}, "bytes=100-": {100, n}, fmt.Sprintf("bytes=%d-%d", n-3, n+3): {n - 3, n}} {
		r := d.ask("GET", "/bundles/"+first, nil, "Range: "+line)
		if r.status != 206 || !bytes.Equal(r.body, b[want[0]:want[1]]) || r.header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, n) {
			t.Errorf("%s: %d, %d bytes, %q", line, r.status, len(r.body), r.header.Get("Content-Range"))
		}
	}
	if r := d.ask("GET", "/bundles/"+first, nil, fmt.Sprintf("Range: bytes=%d-", n)); r.status != 416 {
		t.Errorf("beyond the end: %v", r)
	}
	if r := d.ask("HEAD", "/bundles/"+first, nil); r.status != 200 || len(r.body) != 0 {
		t.Errorf("HEAD: %v", r)
	}
	pointer := d.ask("GET", "/channel.json", nil)
	if r := d.ask("GET", "/channel.json", nil, "If-None-Match: "+pointer.header.Get("ETag")); pointer.status != 200 || r.status != 304 {
		t.Errorf("channel: %d, then %d", pointer.status, r.status)
	}
	soon := time.Now().Add(time.Hour)
	for what, c := range map[string]struct {
		text   []byte
		status int
	}{
		"the same version": {d.pointer(2, soon, map[string][]byte{first: b}), 409}, "an expired one": {d.pointer(3, time.Now().Add(-time.Hour), map[string][]byte{first: b}), 422},
		"a missing bundle": {d.pointer(3, soon, map[string][]byte{"flows/9/" + sum([]byte("x")) + ".bundle": []byte("x")}), 422}, "noise": {[]byte("noise"), 422},
	} {
		if r := d.ask("PUT", "/channel.json", c.text, uploader); r.status != c.status {
			t.Errorf("%s: %v, want %d", what, r, c.status)
		}
	}
	d.publish(3, "flows/1.0.0", b) // back
	if got := d.index(); len(got) != 1 || got[0] != first {
		t.Errorf("after the rollback %v, want %s", got, first)
	}
	if r := d.ask("PUT", "/bundles/"+first, b, uploader); r.status != 200 {
		t.Errorf("stored twice: %v", r)
	}
	spoilt := bytes.Clone(b)
	spoilt[n/2] ^= 1
	if r := d.ask("PUT", "/bundles/flows/1/"+sum(spoilt)+".bundle", spoilt, uploader); r.status != 422 {
		t.Errorf("a spoilt bundle: %v", r)
	}
}

// The same rows give the same lines as the command.
func testScore(t *testing.T, d *deployment) {
	file, err := os.ReadFile("../../models/sample/flows.csv")
	if err != nil {
		t.Fatal(err)
	}
	for query, args := range map[string][]string{"": nil, "?explain=4": {"--explain", "4"}, "?format=csv": {"--format", "csv"}} {
		want, err := exec.Command("../../bin/cloister", append([]string{"score", "--bundle", "../../models/flows/1.bundle", "../../models/sample/flows.csv"}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		r := d.ask("POST", "/score"+query, file, scorer)
		if r.status != 200 || !bytes.Equal(r.body, want) {
			t.Errorf("%q: %d, %d bytes, the command writes %d", query, r.status, len(r.body), len(want))
		}
	}
	if r := d.ask("POST", "/score", file); r.status != 401 {
		t.Errorf("without a token: %v", r)
	}
	if r := d.ask("POST", "/score", file, uploader); r.status != 401 {
		t.Errorf("with the token for uploads: %v", r)
	}
}

func testHostile(t *testing.T, d *deployment) {
	for what, c := range map[string]struct {
		body   []byte
		status int
	}{
		"too large": {make([]byte, 1<<20+1), 413}, "nothing": {nil, 422}, "noise": {bytes.Repeat([]byte{0xff, 0, 'x'}, 1000), 422},
		"half a gzip": {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x00"), 422}, "a zip": {[]byte("PK\x03\x04"), 422},
		"deep JSON": {bytes.Repeat([]byte("["), 1<<19), 422}, "a header only": {[]byte("PROTOCOL,IN_BYTES\n"), 422},
	} {
		if r := d.ask("POST", "/score", c.body, scorer); r.status != c.status || !bytes.Contains(r.body, []byte(`"error"`)) {
			t.Errorf("%s: %v, want %d", what, r, c.status)
		}
	}
	if r := d.ask("GET", "/healthz", nil); r.status != 200 {
		t.Errorf("afterwards: %v", r)
	}
}

// The scheduled check runs in the library's own mode.
func testScheduled(t *testing.T, d *deployment) {
	if r := d.ask("GET", "/__scheduled?cron=*", nil); r.status != 200 {
		t.Errorf("%v\n%s", r, d.logged())
	}
}

func testLimits(t *testing.T, d *deployment) {
	info, err := os.Stat(filepath.Join(folder, "worker", "app.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > scriptBudget {
		t.Errorf("the program has %d bytes, its budget is %d", info.Size(), scriptBudget)
	}
	held, err := memory(d.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("program %d bytes, workerd %d MB resident after the tests before", info.Size(), held>>20)
	if held > 4*memoryBudget { // the process holds several isolates: the router, the assets and ours
		t.Errorf("workerd holds %d MB", held>>20)
	}
}

// Neither payload nor token nor query is in the log; what was asked is.
func testLog(t *testing.T, d *deployment) {
	canary := "canary-7f3a"
	d.ask("POST", "/score?"+canary, []byte(canary), "Authorization: Bearer "+canary, "X-Test: "+canary)
	d.ask("PUT", "/channel.json", []byte(canary), uploader)
	d.ask("GET", "/version?q="+canary, nil)
	var text string
	for range 50 {
		if text = d.logged(); strings.Contains(text, `"path":"/version"`) && strings.Contains(text, `"path":"/channel.json"`) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	lines := 0
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.Contains(line, `"level"`) {
			continue // wrangler's own access log names addresses with their query
		}
		lines++
		for _, secret := range []string{canary, uploadToken, scoreToken} {
			if strings.Contains(line, secret) {
				t.Errorf("the log has %q: %s", secret, line)
			}
		}
	}
	if lines < 20 {
		t.Errorf("%d lines in the log:\n%s", lines, text)
	}
}

// The storage breaks while the worker runs.
func testStorageFails(t *testing.T, d *deployment) {
	path := "/bundles/" + d.index()[0]
	files, err := filepath.Glob(filepath.Join(d.data, "v3", "r2", "*", "*.sqlite*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database of objects: %v", err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.Repeat([]byte("rotten"), int(info.Size()/6)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		method, path string
		body         []byte
		status       int
	}{{"GET", "/readyz", nil, 503}, {"GET", path, nil, 503}, {"GET", "/channel.json", nil, 503}, {"POST", "/score", []byte("x"), 503}, {"GET", "/healthz", nil, 200}, {"GET", "/bundles/index.json", nil, 200}, {"GET", "/", nil, 200}} {
		r := d.ask(c.method, c.path, c.body, scorer)
		if r.status != c.status {
			t.Errorf("%s %s: %v, want %d", c.method, c.path, r, c.status)
		}
		if r.status == 503 && c.path != "/readyz" && r.header.Get("Retry-After") == "" {
			t.Errorf("%s: refused without saying when to come again", c.path)
		}
	}
}
