package header_test

import (
	"strings"
	"testing"

	"cloister/shared/header"
)

func value(t *testing.T, path, name string) string {
	t.Helper()
	var got []string
	for _, h := range header.For(path) {
		if h.Name == name {
			got = append(got, h.Value)
		}
	}
	if len(got) > 1 {
		t.Fatalf("%s: %s comes %d times", path, name, len(got))
	}
	return strings.Join(got, "")
}

func TestFor_everyPathIsClosed(t *testing.T) {
	for _, p := range []string{"/", "/index.html", "/app.html", "/worker.js", "/page.wasm", "/x.svg", "/nothing", "/bundles/index.json", "/../"} {
		if csp := value(t, p, "Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", p, csp)
		}
		if value(t, p, "X-Content-Type-Options") != "nosniff" || value(t, p, "Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: sniffing or a referrer is allowed", p)
		}
	}
}

func TestFor_documentsMayConnectNowhereElse(t *testing.T) {
	for p, want := range map[string]string{"/": "(response-origin)", "/app.html": "(response-origin)", "/worker.js": "()", "/sw.js": "(response-origin)", "/page.wasm": ""} {
		if got := value(t, p, "Connection-Allowlist"); got != want {
			t.Errorf("%s: connections %q, want %q", p, got, want)
		}
	}
}

func TestFor_onlyWhatIsNamedByItsHashIsKept(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for p, kept := range map[string]bool{
		"/bundles/" + hash + ".bundle":                  true,
		"/" + hash + ".bundle":                          false,
		"/bundles/" + hash[1:] + ".bundle":              false,
		"/bundles/" + strings.ToUpper(hash) + ".bundle": false,
		"/bundles/index.json":                           false,
		"/page.wasm":                                    false,
	} {
		if got := strings.Contains(value(t, p, "Cache-Control"), "immutable"); got != kept {
			t.Errorf("%s: immutable is %v, want %v", p, got, kept)
		}
	}
}

// A script can make a browser look for a new sw.js at any time: for an hour it
// must find the old one in the browser's own cache. As a worker it may fetch from
// this server and do nothing else; the shell alone may start it.
func TestFor_serviceWorker(t *testing.T) {
	if got := value(t, "/sw.js", "Cache-Control"); got != "max-age=3600" {
		t.Errorf("Cache-Control %q", got)
	}
	if got := value(t, "/sw.js", "Content-Security-Policy"); got != "default-src 'none'; connect-src 'self'" {
		t.Errorf("policy %q", got)
	}
	for p, want := range map[string]bool{"/": true, "/app.html": false, "/404.html": false} {
		if got := strings.Contains(value(t, p, "Content-Security-Policy"), "worker-src 'self'"); got != want {
			t.Errorf("%s: may start a service worker: %v", p, got)
		}
	}
}

func TestContentType(t *testing.T) {
	for p, want := range map[string]string{
		"/": "text/html; charset=utf-8", "/a.wasm": "application/wasm", "/a.bundle": "application/zip",
		"/LICENSE-JA4": "text/plain; charset=utf-8", "/manifest.webmanifest": "application/manifest+json", "/a.exe": "application/octet-stream", "/a": "application/octet-stream",
	} {
		if got := header.ContentType(p); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
}
