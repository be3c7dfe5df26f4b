//go:build !js

package chromium_test

import (
	"bytes"
	"fmt"
	"image"
	_ "image/png"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/chromedp"
)

// serve answers every path with body under a policy without inline scripts,
// but for /s.js, which is script.
func serve(t *testing.T, body, script string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src *")
		switch r.URL.Path {
		case "/s.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, script)
		case "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!doctype html><meta name=viewport content='width=device-width'>", body)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestTab_collectsEveryKindOfComplaint(t *testing.T) {
	url := serve(t, `<script>alert(1)</script><script src=s.js></script>`,
		`console.log("fine"); console.error("marked", {a: 1}); setTimeout(() => { throw new Error("uncaught") }); document.title = "done"`)
	tab := chromium.Start(t, chromium.Options{})
	tab.NoProblems(t)
	if err := chromedp.Run(tab, chromedp.Navigate(url), chromedp.Poll(`document.title === "done"`, nil), chromedp.Sleep(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[chromium.Kind]string{
		chromium.Console: "marked", chromium.Exception: "Error: uncaught",
		chromium.Violation: "script-src-elem blocked inline", chromium.Browser: "Content Security Policy",
	} {
		found := false
		for _, p := range tab.Problems() {
			found = found || p.Kind == kind && strings.Contains(p.Text, want)
		}
		if !found {
			t.Errorf("no %s with %q in %+v", kind, want, tab.Problems())
		}
	}
	if n := len(tab.Problems()); n != 4 {
		t.Errorf("%d problems, want 4: %+v", n, tab.Problems())
	}
}

func TestTab_silentOnAGoodPage(t *testing.T) {
	url := serve(t, `<script src=s.js></script>`, `document.title = "done"`)
	tab := chromium.Start(t, chromium.Options{})
	if err := chromedp.Run(tab, chromedp.Navigate(url), chromedp.Poll(`document.title === "done"`, nil)); err != nil {
		t.Fatal(err)
	}
	tab.NoProblems(t)
}

func TestStart_reachesNothingButOneAddress(t *testing.T) {
	netlog := filepath.Join(t.TempDir(), "net.json")
	// 127.0.0.2 stands for the outside: it answers here whatever the machine's
	// network, and the browser must not reach it.
	outside := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("request to %s", r.Host) }))
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	outside.Listener = l
	outside.Start()
	t.Cleanup(outside.Close)
	url := serve(t, `<script src=s.js></script>`, `
		const all = ["http://cloister.example/", "`+outside.URL+`", location.href, location.href.replace("127.0.0.1", "localhost")];
		Promise.allSettled(all.map(u => fetch(u, {mode: "no-cors"}))).then(all => document.title = all.map(r => r.status).join())`)
	tab := chromium.Start(t, chromium.Options{NetLog: netlog})
	var title string
	if err := chromedp.Run(tab, chromedp.Navigate(url), chromedp.Poll(`document.title !== ""`, nil), chromedp.Title(&title)); err != nil {
		t.Fatal(err)
	}
	if title != "rejected,rejected,fulfilled,fulfilled" {
		t.Errorf("a name, another address, own address, localhost: %s", title)
	}
	tab.Close(t)
	log, err := os.ReadFile(netlog)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(log, []byte(url)) || !bytes.HasSuffix(bytes.TrimSpace(log), []byte("}")) {
		t.Errorf("network log of %d bytes is incomplete or lacks %s", len(log), url)
	}
}

func TestTab_colorsSizesAndScreenshot(t *testing.T) {
	url := serve(t, "<p>shown", "")
	tab := chromium.Start(t, chromium.Options{Dark: true, Width: 900, Height: 700})
	var dark, light bool
	var width, phone int
	const isDark = `matchMedia("(prefers-color-scheme: dark)").matches`
	if err := chromedp.Run(tab, chromedp.Navigate(url), chromedp.Evaluate(isDark, &dark), chromedp.Evaluate("outerWidth", &width),
		chromium.ColorScheme(false), chromedp.Evaluate("!"+isDark, &light),
		chromium.Viewport(360, 740, true), chromedp.Evaluate("innerWidth", &phone)); err != nil {
		t.Fatal(err)
	}
	if !dark || !light || width != 900 || phone != 360 {
		t.Errorf("dark %v, light %v, window %d, telephone %d", dark, light, width, phone)
	}
	path := filepath.Join(t.TempDir(), "new", "shot.png")
	tab.Screenshot(t, path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c, format, err := image.DecodeConfig(f); err != nil || format != "png" || c.Width != 360 || c.Height != 740 {
		t.Errorf("screenshot is %s, %d by %d: %v", format, c.Width, c.Height, err)
	}
}

// fatal stands in for a test that Start fails.
type fatal struct {
	testing.TB
	text string
}

func (f *fatal) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestStart_failsWithoutChromium(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	f := &fatal{TB: t}
	done := make(chan bool)
	go func() {
		defer close(done)
		chromium.Start(f, chromium.Options{})
	}()
	<-done
	if !strings.Contains(f.text, "make setup") {
		t.Errorf("failed with %q", f.text)
	}
}
