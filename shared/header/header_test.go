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
	for p, want := range map[string]string{"/": "(response-origin)", "/app.html": "(response-origin)", "/worker.js": "()", "/page.wasm": ""} {
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

func TestContentType(t *testing.T) {
	for p, want := range map[string]string{
		"/": "text/html; charset=utf-8", "/a.wasm": "application/wasm", "/a.bundle": "application/zip",
		"/LICENSE-JA4": "text/plain; charset=utf-8", "/a.exe": "application/octet-stream", "/a": "application/octet-stream",
	} {
		if got := header.ContentType(p); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
}
