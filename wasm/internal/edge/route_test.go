package edge_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"cloister/shared/channel"
	"cloister/shared/header"
	"cloister/shared/sign"
	"cloister/wasm/internal/edge"
)

// signed returns the bundle with a signature of key.
func signed(t *testing.T, key *ecdsa.PrivateKey, raw []byte) []byte {
	t.Helper()
	out, err := sign.Bundle(key, raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEdge_everyAnswerCarriesTheTable(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	paths := []string{"/", "/healthz", "/readyz", "/version", "/channel.json", "/bundles/index.json", "/bundles/" + b.path, "/nothing", "/bundles/x", "/score"}
	for _, p := range paths {
		a := b.ask(b.e, "GET", p, nil)
		for _, h := range header.For(p) {
			if got := a.header.Get(h.Name); got != h.Value && h.Name != "Cache-Control" {
				t.Errorf("%s: %s is %q, want %q", p, h.Name, got, h.Value)
			}
		}
		if a.header.Get("Strict-Transport-Security") == "" || a.header.Get("Cache-Control") == "" {
			t.Errorf("%s: no transport or cache policy", p)
		}
		if a.status >= 400 && a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: an error may be kept: %q", p, a.header.Get("Cache-Control"))
		}
	}
}

func TestEdge_routes(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, "<!doctype html>shell"}, {"HEAD", "/", 200, ""},
		{"GET", "/healthz", 200, "ok\n"}, {"HEAD", "/healthz", 200, ""},
		{"POST", "/healthz", 405, ""}, {"DELETE", "/", 405, ""}, {"PATCH", "/bundles/index.json", 405, ""},
		{"GET", "/nothing", 404, "<!doctype html>nothing"},
		{"GET", "/../etc/passwd", 404, ""}, {"GET", "/bundles/../../x", 404, ""}, {"GET", "/bundles/a/b/" + strings.Repeat("0", 64) + ".bundle", 404, ""},
		{"GET", "/channel.json", 404, ""},
		{"GET", "/score", 405, ""},
		{"PUT", "/elsewhere", 405, ""},
	}
	for _, tt := range tests {
		a := b.ask(b.e, tt.method, tt.path, nil)
		if a.status != tt.status || tt.body != "" && a.body != tt.body {
			t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.path, a.status, a.body, tt.status, tt.body)
		}
		if tt.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s %s: refused without saying what is allowed", tt.method, tt.path)
		}
		if tt.method == "HEAD" && a.body != "" {
			t.Errorf("%s: a body", tt.path)
		}
	}
}

func TestEdge_version(t *testing.T) {
	b := newBench(t)
	b.publish(3)
	var got struct {
		Release, Deployment, Tag, Attack string
		Channel                          int
		ChannelMinor                     int `json:"channel_minor"`
		Bundles                          []struct{ Path, SHA256 string }
	}
	if err := json.Unmarshal([]byte(b.ask(b.e, "GET", "/version", nil).body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Release != "9.9.9" || got.Deployment != "d1" || got.Tag != "tagged" || got.Attack == "" || got.Channel != 3 || got.ChannelMinor != channel.Minor || len(got.Bundles) != 1 || got.Bundles[0].SHA256 != sum(b.bundle) {
		t.Errorf("got %+v", got)
	}
}

func TestEdge_readiness(t *testing.T) {
	b := newBench(t)
	ready := func(what string, status int, want string) {
		t.Helper()
		a := b.ask(b.e, "GET", "/readyz", nil)
		if a.status != status || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s, want %d %q", what, a.status, a.body, status, want)
		}
		if status != 200 && a.failure == "" {
			t.Errorf("%s: nothing for the log", what)
		}
	}
	ready("no channel", 200, "none")
	b.publish(1)
	ready("a channel", 200, `"version": 1`)
	b.down = "R2 is away"
	ready("no storage", 503, "does not answer")
	b.down = ""
	good := b.objects["channel.json"]
	b.objects["channel.json"] = b.pointer(2, now.Add(-hour), b.path)
	ready("expired", 503, "expired")
	b.objects["channel.json"] = append(bytes.Clone(good), ' ')
	ready("tampered", 503, "channel")
	other := newBench(t)
	other.objects = b.objects
	b.objects["channel.json"] = other.pointer(2, now.Add(hour), b.path)
	ready("a foreign key", 503, "key")
	b.objects["channel.json"] = good
	ready("back", 200, `"version": 1`)
	b.publish(2)
	b.objects["channel.json"] = good
	ready("rolled back by the storage", 503, "version 1")
	c := edge.New(edge.Config{Problem: "CHANNEL_KEYS: byte 3"})
	if a := b.ask(c, "GET", "/readyz", nil); a.status != 503 || !strings.Contains(a.body, "CHANNEL_KEYS") {
		t.Errorf("bad settings: %d %s", a.status, a.body)
	}
}

func TestEdge_index(t *testing.T) {
	b := newBench(t)
	read := func() (x struct {
		Default string
		Size    int
		Sample  struct{ Path string }
		Bundles []struct {
			Name, Version, Path, SHA256 string
			Title, Schema               string
			Bytes                       int
		}
	}) {
		a := b.ask(b.e, "GET", "/bundles/index.json", nil)
		if a.status != 200 || a.header.Get("Cache-Control") != "no-cache" {
			t.Fatalf("%d, cache %q", a.status, a.header.Get("Cache-Control"))
		}
		if err := json.Unmarshal([]byte(a.body), &x); err != nil {
			t.Fatal(err)
		}
		if again := b.ask(b.e, "GET", "/bundles/index.json", nil, "If-None-Match: "+a.header.Get("ETag")); again.status != 304 || again.body != "" {
			t.Errorf("asked again: %d", again.status)
		}
		return x
	}
	site := read()
	if len(site.Bundles) != 1 || site.Bundles[0].SHA256 == sum(b.bundle) {
		t.Fatalf("before the channel: %+v", site)
	}
	b.publish(1)
	x := read()
	if x.Default != "flows" || x.Sample.Path != "sample/lab.csv" || len(x.Bundles) != 1 || x.Bundles[0].Path != b.path || x.Bundles[0].Bytes != len(b.bundle) {
		t.Errorf("with the channel: %+v", x)
	}
	if x.Bundles[0].Title != "Title of flows" || x.Bundles[0].Schema != "flow" {
		t.Errorf("what the channel says of the bundle: %+v", x.Bundles[0])
	}
	rest := site.Size - site.Bundles[0].Bytes
	if want := rest + len(b.bundle); x.Size != want {
		t.Errorf("size %d, want %d", x.Size, want)
	}
	// versions by number, newest first; names by name
	older, younger := address("flows", "9", b.bundle), address("flows", "10", b.bundle)
	first := address("aaa", "1", b.bundle)
	for _, p := range []string{older, younger, first} {
		b.objects["bundles/"+p] = b.bundle
	}
	b.objects["channel.json"] = b.pointer(2, now.Add(hour), older, younger, first)
	if x = read(); len(x.Bundles) != 3 || x.Bundles[0].Name != "aaa" || x.Bundles[1].Version != "10" || x.Bundles[2].Version != "9" || x.Default != "flows" {
		t.Errorf("order: %+v", x)
	}
	if want := rest + 2*len(b.bundle); x.Size != want { // the page loads the newest of each name
		t.Errorf("size with two names %d, want %d", x.Size, want)
	}
	b.objects["channel.json"] = []byte("{}")
	if x = read(); len(x.Bundles) != 1 || x.Bundles[0].Path != site.Bundles[0].Path {
		t.Errorf("a channel that does not hold: %+v", x)
	}
	b.down = "away"
	if x = read(); len(x.Bundles) != 1 {
		t.Errorf("without storage: %+v", x)
	}
}

func TestEdge_bundle(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	at, tag := "/bundles/"+b.path, `"sha256-`+sum(b.bundle)+`"`
	whole := b.ask(b.e, "GET", at, nil)
	if whole.status != 200 || whole.body != string(b.bundle) || whole.header.Get("ETag") != tag || !strings.Contains(whole.header.Get("Cache-Control"), "immutable") {
		t.Fatalf("%d, %d bytes, tag %s, cache %s", whole.status, len(whole.body), whole.header.Get("ETag"), whole.header.Get("Cache-Control"))
	}
	n := len(b.bundle)
	tests := []struct {
		name, line string
		status     int
		from, to   int
	}{
		{"same", "If-None-Match: " + tag, 304, 0, 0}, {"weak", "If-None-Match: W/" + tag, 304, 0, 0}, {"any", "If-None-Match: *", 304, 0, 0},
		{"list", `If-None-Match: "x", ` + tag, 304, 0, 0}, {"other", `If-None-Match: "x"`, 200, 0, n},
		{"first bytes", "Range: bytes=0-99", 206, 0, 100}, {"middle", "Range: bytes=100-199", 206, 100, 200}, {"rest", fmt.Sprintf("Range: bytes=%d-", n-7), 206, n - 7, n},
		{"past the end", fmt.Sprintf("Range: bytes=%d-%d", n-7, n+99), 206, n - 7, n}, {"beyond", fmt.Sprintf("Range: bytes=%d-", n), 416, 0, 0},
		{"suffix", "Range: bytes=-5", 200, 0, n}, {"two", "Range: bytes=0-1,3-4", 200, 0, n}, {"backwards", "Range: bytes=5-4", 200, 0, n},
		{"signs", "Range: bytes=+1-+5", 200, 0, n}, {"huge", "Range: bytes=0-99999999999999999999", 200, 0, n}, {"unit", "Range: rows=0-1", 200, 0, n},
	}
	for _, tt := range tests {
		a := b.ask(b.e, "GET", at, nil, tt.line)
		if a.status != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, a.status, tt.status)
			continue
		}
		if a.status < 300 && a.body != string(b.bundle[tt.from:tt.to]) {
			t.Errorf("%s: %d bytes, want %d", tt.name, len(a.body), tt.to-tt.from)
		}
		if want := fmt.Sprintf("bytes %d-%d/%d", tt.from, tt.to-1, n); a.status == 206 && a.header.Get("Content-Range") != want {
			t.Errorf("%s: %q, want %q", tt.name, a.header.Get("Content-Range"), want)
		}
		if want := fmt.Sprintf("bytes */%d", n); a.status == 416 && a.header.Get("Content-Range") != want {
			t.Errorf("%s: %q, want %q", tt.name, a.header.Get("Content-Range"), want)
		}
	}
	if a := b.ask(b.e, "GET", at, nil, "Range: bytes=0-9", `If-Range: "other"`); a.status != 200 {
		t.Errorf("a range of something else: %d", a.status)
	}
	if a := b.ask(b.e, "HEAD", at, nil); a.status != 200 || a.body != "" || a.header.Get("Content-Length") != fmt.Sprint(n) {
		t.Errorf("HEAD: %d, %d bytes, length %s", a.status, len(a.body), a.header.Get("Content-Length"))
	}
	deployed := address("flows", "1", b.site["/bundles/"+address("flows", "1", mustRead(t))])
	if a := b.ask(b.e, "GET", "/bundles/"+deployed, nil); a.status != 200 || a.body != string(mustRead(t)) {
		t.Errorf("a bundle of the site: %d", a.status)
	}
	b.down = "away"
	if a := b.ask(b.e, "GET", at, nil); a.status != 503 || a.header.Get("Retry-After") == "" || a.failure != "away" {
		t.Errorf("without storage: %d, log %q", a.status, a.failure)
	}
}

func mustRead(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("../../../models/flows/1.bundle")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEdge_putBundle(t *testing.T) {
	b := newBench(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign := signed(t, stranger, mustRead(t))
	broken := bytes.Clone(b.bundle)
	broken[len(broken)/2] ^= 1
	tests := []struct {
		name, path string
		body       []byte
		auth       string
		status     int
	}{
		{"no token", b.path, b.bundle, "", 401}, {"a wrong token", b.path, b.bundle, "Authorization: Bearer wrong", 401},
		{"the token for scoring", b.path, b.bundle, reader, 401}, {"another scheme", b.path, b.bundle, "Authorization: Basic upload-token", 401},
		{"unsigned", address("flows", "1", mustRead(t)), mustRead(t), uploader, 422}, {"a stranger's", address("flows", "1", foreign), foreign, uploader, 422},
		{"damaged", address("flows", "1", broken), broken, uploader, 422}, {"under another hash", address("flows", "1", broken), b.bundle, uploader, 422},
		{"no bundle", address("flows", "1", []byte("x")), []byte("x"), uploader, 422}, {"empty", address("flows", "1", nil), nil, uploader, 422},
		{"a path", "flows/" + sum(b.bundle) + ".bundle", b.bundle, uploader, 400}, {"a dot", ".x/1/" + sum(b.bundle) + ".bundle", b.bundle, uploader, 400},
		{"good", b.path, b.bundle, uploader, 201}, {"again", b.path, b.bundle, uploader, 200},
	}
	for _, tt := range tests {
		if a := b.ask(b.e, "PUT", "/bundles/"+tt.path, tt.body, tt.auth); a.status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.name, a.status, a.body, tt.status)
		}
	}
	if b.puts != 1 || len(b.objects) != 1 {
		t.Errorf("%d puts, %d objects", b.puts, len(b.objects))
	}
	small := edge.New(edge.Config{MaxPublish: 10, UploadTokens: [][32]byte{{}}})
	if a := b.ask(small, "PUT", "/bundles/"+b.path, b.bundle, uploader); a.status != 413 {
		t.Errorf("too large: %d", a.status)
	}
	if a := b.ask(edge.New(edge.Config{}), "PUT", "/bundles/"+b.path, b.bundle, uploader); a.status != 404 {
		t.Errorf("off: %d", a.status)
	}
	b.down = "full"
	if a := b.ask(b.e, "PUT", "/bundles/"+b.path, b.bundle, uploader); a.status != 503 || a.failure != "full" {
		t.Errorf("storage fails: %d %q", a.status, a.failure)
	}
}

func TestEdge_putChannel(t *testing.T) {
	b := newBench(t)
	b.publish(5)
	put := func(what string, status int, text []byte, auth string) {
		t.Helper()
		if a := b.ask(b.e, "PUT", "/channel.json", text, auth); a.status != status {
			t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
		}
	}
	put("no token", 401, b.pointer(6, now.Add(hour), b.path), "")
	put("the same version", 409, b.pointer(5, now.Add(hour), b.path), uploader)
	put("an older version", 409, b.pointer(4, now.Add(hour), b.path), uploader)
	put("expired", 422, b.pointer(6, now, b.path), uploader)
	put("no channel", 422, []byte("{}"), uploader)
	put("a stranger's", 422, newBench(t).pointer(6, now.Add(hour)), uploader)
	missing := address("flows", "2", []byte("not here"))
	put("a bundle that is not there", 422, b.pointerTo(6, missing, 8), uploader)
	put("a bundle of another size", 422, b.pointerTo(6, b.path, 8), uploader)
	b.race = func() { b.objects["channel.json"] = b.pointer(7, now.Add(hour), b.path) }
	put("two at once", 409, b.pointer(6, now.Add(hour), b.path), uploader)
	put("after that", 200, b.pointer(8, now.Add(hour), b.path), uploader)
	b.objects["channel.json"] = []byte("rotten")
	put("a good one over a rotten one", 200, b.pointer(9, now.Add(hour), b.path), uploader)
	put("going back stays impossible", 409, b.pointer(9, now.Add(hour), b.path), uploader)

	first := b.ask(b.e, "GET", "/channel.json", nil)
	if first.status != 200 || first.body != string(b.objects["channel.json"]) || first.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("read: %d, cache %q", first.status, first.header.Get("Cache-Control"))
	}
	if a := b.ask(b.e, "GET", "/channel.json", nil, "If-None-Match: "+first.header.Get("ETag")); a.status != 304 || a.body != "" {
		t.Errorf("asked again: %d", a.status)
	}
	b.down = "away"
	put("without storage", 503, b.pointer(10, now.Add(hour), b.path), uploader)
}

// pointerTo returns a channel that says a bundle has the given length.
func (b *bench) pointerTo(version int64, path string, length int) []byte {
	b.t.Helper()
	old, had := b.objects["bundles/"+path]
	b.objects["bundles/"+path] = make([]byte, length)
	text := b.pointer(version, now.Add(hour), path)
	delete(b.objects, "bundles/"+path)
	if had {
		b.objects["bundles/"+path] = old
	}
	return text
}

func TestEdge_panicsAreAnswers(t *testing.T) {
	b := newBench(t)
	x := b.e.Serve(edge.Request{Method: "PUT", Path: "/channel.json", Header: func(string) string { panic("boom") }})
	var status int
	for op, ok := x.Next(edge.Result{}); ok; op, ok = x.Next(edge.Result{}) {
		if op.Kind == edge.OpRespond {
			status = op.Status
		}
	}
	if status != 500 || !strings.Contains(x.Failure, "boom") {
		t.Errorf("%d, log %q", status, x.Failure)
	}
}

func TestParseTokens(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for text, want := range map[string]int{"": 0, hash: 1, hash + "," + hash: 2, " " + hash + "\n" + hash + " ": 2, hash[1:]: -1, hash + "0": -1, "x": -1, strings.Repeat("g", 64): -1} {
		got, err := edge.ParseTokens(text)
		if (err != nil) != (want < 0) || err == nil && len(got) != want {
			t.Errorf("%q: %d tokens, %v; want %d", text, len(got), err, want)
		}
	}
}

func TestHeadersFile(t *testing.T) {
	text, err := edge.HeadersFile([]string{"/app.html", "/page.wasm"})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range append(header.For("/app.html"), header.For("/page.wasm")...) {
		if !strings.Contains(string(text), "\n  "+h.Name+": "+h.Value+"\n") {
			t.Errorf("%s is missing", h.Name)
		}
	}
	if !strings.HasPrefix(string(text), "/app.html\n") || !strings.Contains(string(text), "\n/page.wasm\n") {
		t.Errorf("rules:\n%s", text)
	}
	for _, bad := range []string{"page.wasm", "/a b", "/a\nX: y", "/*", "/:x"} {
		if _, err := edge.HeadersFile([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := edge.HeadersFile(make([]string, 101)); err == nil {
		t.Error("101 rules are taken")
	}
}

func FuzzEdge(f *testing.F) {
	for _, s := range []string{"/bundles/a/1/" + strings.Repeat("0", 64) + ".bundle", "/", "/bundles/%2e%2e/x", "/score?explain=1", "\x00"} {
		f.Add("GET", s, "bytes=0-", `"x"`, []byte("{}"))
		f.Add("PUT", s, "bytes=1-0", "*", []byte(nil))
		f.Add("POST", "/score", s, "", []byte("PROTOCOL,IN_BYTES\n6,1\n"))
	}
	f.Fuzz(func(t *testing.T, method, path, rng, tag string, body []byte) {
		p := &platform{t: t, objects: map[string][]byte{}, site: map[string][]byte{}}
		e := edge.New(edge.Config{ScoreTokens: [][32]byte{{}}, UploadTokens: [][32]byte{{}}})
		if a := p.ask(e, method, path, body, "Range: "+rng, "If-None-Match: "+tag); a.status < 200 || a.status == 500 || a.status > 599 {
			t.Errorf("%s %q: %d, log %q", method, path, a.status, a.failure)
		}
	})
}
