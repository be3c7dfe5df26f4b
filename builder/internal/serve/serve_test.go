package serve_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"cloister/builder/internal/serve"
	"cloister/shared/header"
)

const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func gz(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.Bytes()
}

var (
	script = strings.Repeat("boot; ", 200)
	files  = fstest.MapFS{
		"index.html":                          {Data: []byte("<p>shell")},
		"app.html":                            {Data: []byte("<p>app")},
		"404.html":                            {Data: []byte("<p>nothing here")},
		"boot.js":                             {Data: []byte(script)},
		"boot.js.gz":                          {Data: gz(script)},
		"boot.js.br":                          {Data: []byte("brotli, so to say")},
		"worker.js":                           {Data: []byte("worker")},
		"page.wasm":                           {Data: []byte("\x00asm")},
		"favicon.svg":                         {Data: []byte("<svg/>")},
		"capture.gz":                          {Data: []byte("no twin of anything")},
		".secret":                             {Data: []byte("hidden")},
		".git/config":                         {Data: []byte("hidden")},
		"bundles/index.json":                  {Data: []byte("{}")},
		"bundles/flows/1/" + hash + ".bundle": {Data: []byte("0123456789")},
		"bundles/flows/1/not-a-hash.bundle":   {Data: []byte("x")},
		"bundles/flows/1/abc123.bundle":       {Data: []byte("x")},
		"sample/LICENSE-zeek":                 {Data: []byte("terms")},
	}
)

const bundlePath = "/bundles/flows/1/" + hash + ".bundle"

// start serves files on a loopback address and returns it and the log.
func start(t *testing.T, o serve.Options) (string, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	if o.Site == nil {
		o.Site = files
	}
	e, err := serve.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return s.URL, log
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *logBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// ask makes one request with header lines "Name: value", without the client's
// own ideas about encodings.
func ask(t *testing.T, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return do(t, r)
}

func do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestServe_filesAndTypes(t *testing.T) {
	url, _ := start(t, serve.Options{})
	for path, want := range map[string][2]string{
		"/":                    {"text/html; charset=utf-8", "<p>shell"},
		"/index.html":          {"text/html; charset=utf-8", "<p>shell"},
		"/app.html":            {"text/html; charset=utf-8", "<p>app"},
		"/boot.js":             {"text/javascript; charset=utf-8", script},
		"/page.wasm":           {"application/wasm", "\x00asm"},
		"/favicon.svg":         {"image/svg+xml", "<svg/>"},
		"/capture.gz":          {"application/octet-stream", "no twin of anything"},
		"/bundles/index.json":  {"application/json", "{}"},
		bundlePath:             {"application/zip", "0123456789"},
		"/sample/LICENSE-zeek": {"text/plain; charset=utf-8", "terms"},
		"/boot.js?v=1":         {"text/javascript; charset=utf-8", script},
		"/%62oot.js":           {"text/javascript; charset=utf-8", script},
	} {
		resp, body := ask(t, "GET", url+path)
		if resp.StatusCode != 200 || body != want[1] || resp.Header.Get("Content-Type") != want[0] {
			t.Errorf("%s: %d %q %q", path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
		if resp.ContentLength != int64(len(want[1])) {
			t.Errorf("%s: Content-Length %d", path, resp.ContentLength)
		}
		head, body := ask(t, "HEAD", url+path)
		for _, h := range []string{"ETag", "Content-Type", "Content-Length", "Cache-Control", "Content-Security-Policy"} {
			if head.Header.Get(h) != resp.Header.Get(h) {
				t.Errorf("HEAD %s: %s is %q, GET says %q", path, h, head.Header.Get(h), resp.Header.Get(h))
			}
		}
		if head.StatusCode != 200 || body != "" {
			t.Errorf("HEAD %s: %d %q", path, head.StatusCode, body)
		}
	}
}

func TestServe_validators(t *testing.T) {
	url, _ := start(t, serve.Options{})
	resp, body := ask(t, "GET", url+"/boot.js")
	want := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(body)))
	if got := resp.Header.Get("ETag"); got != want {
		t.Errorf("ETag %s, want %s", got, want)
	}
	br, _ := ask(t, "GET", url+"/boot.js", "Accept-Encoding: br")
	if br.Header.Get("ETag") == want {
		t.Error("two encodings share a strong validator")
	}
	for _, c := range []struct {
		header []string
		want   int
	}{
		{[]string{"If-None-Match: " + want}, 304},
		{[]string{"If-None-Match: W/" + want}, 304},
		{[]string{`If-None-Match: "x", ` + want}, 304},
		{[]string{"If-None-Match: *"}, 304},
		{[]string{`If-None-Match: "x"`}, 200},
		{[]string{"If-None-Match: " + want, "Accept-Encoding: br"}, 200},
		{[]string{"If-None-Match: " + br.Header.Get("ETag"), "Accept-Encoding: br"}, 304},
		{[]string{`If-Match: "x"`}, 412},
	} {
		resp, body := ask(t, "GET", url+"/boot.js", c.header...)
		if resp.StatusCode != c.want || c.want == 304 && body != "" {
			t.Errorf("%q: %d, want %d, body %.20q", c.header, resp.StatusCode, c.want, body)
		}
		if c.want == 304 && (resp.Header.Get("ETag") == "" || resp.Header.Get("Content-Security-Policy") == "" || resp.Header.Get("Vary") != "Accept-Encoding") {
			t.Errorf("%q: 304 with %v", c.header, resp.Header)
		}
	}
}

func TestServe_encodings(t *testing.T) {
	url, _ := start(t, serve.Options{})
	for _, c := range []struct{ accept, want string }{
		{"", ""}, {"identity", ""}, {"gzip", "gzip"}, {"x-gzip", "gzip"}, {"br", "br"}, {"gzip, deflate, br, zstd", "br"}, {"BR", "br"},
		{"br;q=0.5, gzip", "gzip"}, {"br;q=0, gzip;q=0.1", "gzip"}, {"br;q=0", ""}, {"br; q=0.9 , gzip;q=0.95", "gzip"},
		{"*", "br"}, {"*;q=0", ""}, {"*;q=0.5, br;q=0", "gzip"}, {"identity;q=0, gzip", "gzip"}, {"identity, br;q=0.5", ""},
		{"deflate", ""}, {"br;q=nonsense", ""}, {"br;q=2", ""}, {"br;q=NaN", ""}, {";;;,,,=", ""}, {"broken", ""}, {"identity;q=0", ""},
		{strings.Repeat("a,", 1000) + "gzip", "gzip"},
	} {
		var header []string
		if c.accept != "" {
			header = []string{"Accept-Encoding: " + c.accept}
		}
		resp, body := ask(t, "GET", url+"/boot.js", header...)
		if got := resp.Header.Get("Content-Encoding"); got != c.want || resp.Header.Get("Vary") != "Accept-Encoding" || resp.StatusCode != 200 {
			t.Errorf("%.40q: %d, %q, want %q, Vary %q", c.accept, resp.StatusCode, got, c.want, resp.Header.Get("Vary"))
		}
		if resp.ContentLength != int64(len(body)) || resp.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%.40q: length %d of %d, type %q", c.accept, resp.ContentLength, len(body), resp.Header.Get("Content-Type"))
		}
	}
	resp, _ := ask(t, "GET", url+"/page.wasm", "Accept-Encoding: br")
	if resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Vary") != "" {
		t.Errorf("a file without twins: %v", resp.Header)
	}
	if resp, _ := ask(t, "GET", url+"/boot.js.br"); resp.StatusCode != 404 {
		t.Errorf("a twin by its own name: %d", resp.StatusCode)
	}
}

func TestServe_ranges(t *testing.T) {
	url, _ := start(t, serve.Options{})
	etag := ask1(t, url+bundlePath, "ETag")
	for _, c := range []struct {
		header     []string
		code       int
		body, span string
	}{
		{[]string{"Range: bytes=2-4"}, 206, "234", "bytes 2-4/10"},
		{[]string{"Range: bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{[]string{"Range: bytes=8-"}, 206, "89", "bytes 8-9/10"},
		{[]string{"Range: bytes=0-99"}, 206, "0123456789", "bytes 0-9/10"},
		{[]string{"Range: bytes=10-"}, 416, "", "bytes */10"},
		{[]string{"Range: bytes=4-2"}, 416, "", ""},
		{[]string{"Range: lines=1-2"}, 416, "", ""},
		{[]string{"Range: bytes=0-1", "If-Range: " + etag}, 206, "01", "bytes 0-1/10"},
		{[]string{"Range: bytes=0-1", `If-Range: "old"`}, 200, "0123456789", ""},
		{[]string{"Range: bytes=1-2", "Accept-Encoding: br, gzip"}, 206, "12", "bytes 1-2/10"},
	} {
		resp, body := ask(t, "GET", url+bundlePath, c.header...)
		if resp.StatusCode != c.code || c.code != 416 && body != c.body || resp.Header.Get("Content-Range") != c.span {
			t.Errorf("%q: %d %q %q", c.header, resp.StatusCode, body, resp.Header.Get("Content-Range"))
		}
	}
	// parts of a file that has twins are parts of the file itself
	resp, body := ask(t, "GET", url+"/boot.js", "Range: bytes=0-3", "Accept-Encoding: br")
	if resp.StatusCode != 206 || body != script[:4] || resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("a part of boot.js: %d %q %v", resp.StatusCode, body, resp.Header)
	}
}

func ask1(t *testing.T, url, header string) string {
	resp, _ := ask(t, "GET", url)
	return resp.Header.Get(header)
}

func TestServe_hostilePaths(t *testing.T) {
	url, log := start(t, serve.Options{})
	cases := []string{
		"/../go.mod", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/bundles/../../go.mod", "/bundles/%2e%2e/index.html", "/..\\..\\x", "/%5c..%5cx",
		"/bundles", "/bundles/", "/bundles/flows/", "//etc/passwd", "//index.html", "/index.html/", "/index.html/x", "/./index.html",
		"/.secret", "/.git/config", "/.git/", "/boot.js%00", "/boot.js%00.html", "/%00", "/INDEX.HTML", "/index.html%20", "/index", "/404.html",
		"/" + strings.Repeat("a", 8000), "/%ff%fe", "/\u202e", "/favicon.ico", "/~root", "/con", "/*", "/:x",
	}
	for _, path := range cases {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
		b, _ := io.ReadAll(conn)
		conn.Close()
		status, _, _ := strings.Cut(string(b), "\r\n")
		if !strings.Contains(status, " 404 ") && !strings.Contains(status, " 400 ") {
			t.Errorf("%.60q: %s", path, status)
		}
		for _, leak := range []string{"hidden", "<a href=\"", "module cloister", "root:"} {
			if strings.Contains(string(b), leak) {
				t.Errorf("%.60q: the answer holds %q", path, leak)
			}
		}
		if strings.Contains(status, " 404 ") && (!strings.Contains(string(b), "<p>nothing here") || !strings.Contains(string(b), "Content-Security-Policy: default-src 'none'")) {
			t.Errorf("%.60q: no proper page: %.300q", path, b)
		}
	}
	for line := range strings.Lines(log.String()) {
		if len(line) > 400 {
			t.Errorf("log line of %d bytes: %.80q...", len(line), line)
		}
	}
	resp, _ := ask(t, "GET", url+"/nothing", "If-None-Match: *", "Range: bytes=0-1", "Accept-Encoding: br")
	if resp.StatusCode != 404 || resp.Header.Get("ETag") != "" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("404 with conditions: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestServe_takesNothingIn(t *testing.T) {
	url, _ := start(t, serve.Options{})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "GET2"} {
		for _, path := range []string{"/", "/boot.js", "/nothing"} {
			resp, body := ask(t, method, url+path)
			if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: %d %v %q", method, path, resp.StatusCode, resp.Header, body)
			}
		}
	}
	bodies := map[string]io.Reader{"a length": strings.NewReader("data"), "chunks": io.MultiReader(strings.NewReader("data"))}
	for name, body := range bodies {
		r, err := http.NewRequest("GET", url+"/", body)
		if err != nil {
			t.Fatal(err)
		}
		if resp, _ := do(t, r); resp.StatusCode != 413 {
			t.Errorf("GET with a body of %s: %d", name, resp.StatusCode)
		}
	}
	// what was sent is not read, so the connection cannot be used again
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nGET /boot.js HTTP/1.1\r\nHost: smuggled\r\n\r\n")
	if b, _ := io.ReadAll(conn); !strings.Contains(string(b), "\r\nConnection: close\r\n") || strings.Count(string(b), "HTTP/1.1 ") != 1 {
		t.Errorf("the connection stays open: %q", b)
	}
	r, err := http.NewRequest("POST", url+"/", strings.NewReader(strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	if resp, _ := do(t, r); resp.StatusCode != 405 {
		t.Errorf("POST of 1 MiB: %d", resp.StatusCode)
	}
}

func TestServe_logsNeitherQueryNorAddress(t *testing.T) {
	url, log := start(t, serve.Options{})
	ask(t, "GET", url+"/boot.js?token=sesame", "User-Agent: spy", "Referer: http://sesame/", "Cookie: sesame=1")
	ask(t, "GET", url+"/no%0anewline?sesame")
	text := log.String()
	for _, word := range []string{"sesame", "spy", "127.0.0.1"} {
		if strings.Contains(text, word) {
			t.Errorf("the log holds %q: %s", word, text)
		}
	}
	if n := strings.Count(text, "msg=request"); n != 2 || strings.Count(text, "\n") != 2 {
		t.Errorf("%d requests in the log, want 2, one a line: %s", n, text)
	}
	if !strings.Contains(text, "method=GET path=/boot.js status=200") {
		t.Errorf("the log lacks the facts: %s", text)
	}
}

func TestServe_securityHeaders(t *testing.T) {
	url, _ := start(t, serve.Options{})
	always := map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin", "X-DNS-Prefetch-Control": "off",
		"Strict-Transport-Security": "", "Access-Control-Allow-Origin": "", "Server": "", "Set-Cookie": "", "Last-Modified": "",
	}
	for _, path := range []string{"/", "/app.html", "/worker.js", "/boot.js", "/page.wasm", bundlePath, "/nothing", "/favicon.svg"} {
		resp, _ := ask(t, "GET", url+path)
		for name, want := range always {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		p := resp.Header.Get("Permissions-Policy")
		for _, feature := range []string{"camera", "microphone", "geolocation", "usb", "serial", "bluetooth", "payment"} {
			if !strings.Contains(p, feature+"=()") {
				t.Errorf("%s: Permissions-Policy lacks %s: %q", path, feature, p)
			}
		}
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || regexp.MustCompile(`unsafe-inline|unsafe-eval'[^;]*'unsafe-eval|https?:|\*`).MatchString(csp) || strings.Contains(csp, "'unsafe-eval'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	for path, parts := range map[string][]string{
		"/":          {"frame-src 'self'", "connect-src 'none'", "frame-ancestors 'none'", "sandbox allow-scripts allow-same-origin allow-downloads"},
		"/app.html":  {"frame-src 'none'", "connect-src 'self'", "'wasm-unsafe-eval'", "worker-src blob:", "frame-ancestors 'self'", "sandbox allow-scripts allow-same-origin allow-downloads"},
		"/worker.js": {"connect-src 'none'", "'wasm-unsafe-eval'"},
	} {
		csp := ask1(t, url+path, "Content-Security-Policy")
		for _, part := range parts {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the policy lacks %q: %q", path, part, csp)
			}
		}
	}
	for path, want := range map[string]string{"/": "(response-origin)", "/app.html": "(response-origin)", "/worker.js": "()", "/nothing": "(response-origin)", "/page.wasm": ""} {
		if got := ask1(t, url+path, "Connection-Allowlist"); got != want {
			t.Errorf("%s: Connection-Allowlist %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]string{
		bundlePath: "public, max-age=31536000, immutable", "/bundles/flows/1/not-a-hash.bundle": "no-cache", "/bundles/flows/1/abc123.bundle": "no-cache", "/bundles/index.json": "no-cache",
		"/": "no-cache", "/app.html": "no-cache", "/page.wasm": "no-cache", "/nothing": "no-store",
	} {
		if got := ask1(t, url+path, "Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
		}
	}
}

func TestServe_strictTransportOnlyUnderTLS(t *testing.T) {
	e, err := serve.New(serve.Options{Site: files, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewTLSServer(e)
	defer s.Close()
	client := s.Client()
	client.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS12
	for _, path := range []string{"/", "/nothing"} {
		resp, err := client.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if !strings.HasPrefix(resp.Header.Get("Strict-Transport-Security"), "max-age=") {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	url, _ := start(t, serve.Options{})
	if resp, _ := ask(t, "GET", url+"/", "X-Forwarded-Proto: https"); resp.Header.Get("Strict-Transport-Security") != "" {
		t.Error("a header of the client's makes the connection look safe")
	}
}

func TestServe_headersAreTheTable(t *testing.T) {
	url, _ := start(t, serve.Options{})
	for _, path := range []string{"/", "/app.html", "/worker.js", "/page.wasm", bundlePath} {
		resp, _ := ask(t, "GET", url+path)
		list := header.For(path)
		if len(list) < 8 {
			t.Fatalf("%s: %d headers", path, len(list))
		}
		for _, h := range list {
			if got := resp.Header.Values(h.Name); len(got) != 1 || got[0] != h.Value {
				t.Errorf("%s: %s is %q, the table says %q", path, h.Name, got, h.Value)
			}
		}
	}
}

func TestServe_modelsReplaceTheBundles(t *testing.T) {
	url, _ := start(t, serve.Options{Models: fstest.MapFS{"index.json": {Data: []byte(`{"default":"other"}`)}}})
	if _, body := ask(t, "GET", url+"/bundles/index.json"); body != `{"default":"other"}` {
		t.Errorf("index %q", body)
	}
	if resp, _ := ask(t, "GET", url+bundlePath); resp.StatusCode != 404 {
		t.Errorf("a bundle of the site: %d", resp.StatusCode)
	}
}

func TestNew_refusesWhatIsNoSite(t *testing.T) {
	for name, o := range map[string]serve.Options{
		"nothing": {}, "an empty folder": {Site: fstest.MapFS{}}, "a missing folder": {Site: os.DirFS("/nowhere-at-all")},
	} {
		if _, err := serve.New(o); err == nil || !strings.HasPrefix(err.Error(), "serve: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A stop lets a request under way finish, refuses new ones, and Run returns nil.
func TestRun_stopsGracefully(t *testing.T) {
	for _, how := range []string{"SIGTERM", "SIGINT", "the context"} {
		t.Run(how, func(t *testing.T) {
			large := bytes.Repeat([]byte("0123456789abcdef"), 4<<20) // more than sockets buffer
			site := fstest.MapFS{"index.html": {Data: []byte("x")}, "large.wasm": {Data: large}}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			addr := make(chan net.Addr, 1)
			done := make(chan error, 1)
			go func() {
				done <- serve.Run(ctx, "127.0.0.1:0", serve.Options{Site: site, Log: slog.New(slog.DiscardHandler)}, func(a net.Addr) { addr <- a })
			}()
			at := (<-addr).String()
			resp, err := http.Get("http://" + at + "/large.wasm")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			begin := make([]byte, 1000)
			if _, err := io.ReadFull(resp.Body, begin); err != nil {
				t.Fatal(err)
			}
			switch how {
			case "SIGTERM":
				err = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			case "SIGINT":
				err = syscall.Kill(os.Getpid(), syscall.SIGINT)
			default:
				cancel()
			}
			if err != nil {
				t.Fatal(err)
			}
			refused := false
			for range 100 {
				conn, err := net.DialTimeout("tcp", at, time.Second)
				if refused = err != nil; refused {
					break
				}
				conn.Close()
				time.Sleep(20 * time.Millisecond)
			}
			if !refused {
				t.Error("new connections are still accepted")
			}
			select {
			case err := <-done:
				t.Fatalf("Run returned %v while a request was under way", err)
			default:
			}
			rest, err := io.ReadAll(resp.Body)
			if err != nil || !bytes.Equal(append(begin, rest...), large) {
				t.Errorf("the request under way got %d bytes of %d, %v", len(begin)+len(rest), len(large), err)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Error("Run does not return")
			}
		})
	}
}

// A client that never reads does not keep the server for ever.
func TestRun_cutsOffAfterGrace(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	ctx, cancel := context.WithCancel(context.Background())
	addr, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		done <- serve.Run(ctx, "127.0.0.1:0", serve.Options{Site: fstest.MapFS{"index.html": {Data: large}}, Log: slog.New(slog.DiscardHandler), Grace: 200 * time.Millisecond}, func(a net.Addr) { addr <- a })
	}()
	resp, err := http.Get("http://" + (<-addr).String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("Run says that all went well")
		}
	case <-time.After(5 * time.Second):
		t.Error("Run does not return")
	}
}

func TestRun_saysWhyItCannotListen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	err = serve.Run(context.Background(), ln.Addr().String(), serve.Options{Site: files, Log: slog.New(slog.DiscardHandler)}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "serve: ") || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Run: %v", err)
	}
}

// A slow or endless header is cut off.
func TestNew_setsTimeouts(t *testing.T) {
	e, err := serve.New(serve.Options{Site: files})
	if err != nil {
		t.Fatal(err)
	}
	s := e.Server
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("limits %v %v %v %v %d", s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout, s.MaxHeaderBytes)
	}
}

func BenchmarkServe(b *testing.B) {
	e, err := serve.New(serve.Options{Site: files, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/boot.js", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	for b.Loop() {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
