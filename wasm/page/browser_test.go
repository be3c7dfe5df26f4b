//go:build !js

package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/chromedp"
)

// built holds the two programs, made once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "page")
	if err != nil {
		return "", err
	}
	for out, pkg := range map[string]string{"page.wasm": ".", "worker.wasm": "./testdata/scripted"} {
		c := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, out), pkg)
		c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
		if b, err := c.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %v: %s", pkg, err, b)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := built(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// serve delivers the site's own files with the page and a scripted worker.
// sample is the text of the sample.
func serve(t testing.TB, sample string) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	static := filepath.Join("..", "..", "site", "static")
	files := map[string]string{
		"/page.wasm": filepath.Join(dir, "page.wasm"), "/worker.wasm": filepath.Join(dir, "worker.wasm"),
		"/wasm_exec.js": filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js"),
		"/dom.js":       filepath.Join("..", "internal", "dom", "dom.js"),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		switch r.URL.Path {
		case "/bundles/index.json":
			fmt.Fprintf(w, `{"size":1,"default":"flows","bundles":[{"name":"flows","path":"flows.bundle"}],"sample":{"path":"bundles/sample.csv","name":"sample.csv","info":"A sample for the test, made up."}}`)
		case "/bundles/flows.bundle":
			fmt.Fprint(w, "bundle")
		case "/reader.js": // no packed file is opened here
			w.Header().Set("Content-Type", "text/javascript")
		case "/bundles/sample.csv":
			fmt.Fprint(w, sample)
		case "/app.html":
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; worker-src blob:; img-src 'self' data: blob:; form-action 'none'; base-uri 'none'; sandbox allow-scripts allow-same-origin allow-downloads")
			b, err := os.ReadFile(filepath.Join(static, "app.html"))
			if err != nil {
				t.Error(err)
			}
			s := string(b)
			if !strings.Contains(s, "dom.js") {
				s = strings.Replace(s, `<script src="wasm_exec.js"></script>`, `<script src="wasm_exec.js"></script><script src="dom.js"></script>`, 1)
			}
			fmt.Fprint(w, s)
		case "/":
			http.ServeFile(w, r, filepath.Join(static, "index.html"))
		default:
			if f, ok := files[r.URL.Path]; ok {
				http.ServeFile(w, r, f)
				return
			}
			http.ServeFile(w, r, filepath.Join(static, filepath.Clean("/"+r.URL.Path)))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// app is the program's window inside the frame.
const app = `document.getElementById('frame').contentWindow`

// eval runs JavaScript in the frame: w is its window, d its document and $
// finds an element.
func eval[T any](t testing.TB, ctx context.Context, body string) T {
	t.Helper()
	var v T
	if err := chromedp.Run(ctx, chromedp.Evaluate(`(() => { const w = `+app+`, d = w.document, $ = (s) => d.querySelector(s); `+body+` })()`, &v)); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return v
}

// until waits for an expression in the frame to be true.
func until(t testing.TB, ctx context.Context, expression string) {
	t.Helper()
	for end := time.Now().Add(45 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if eval[bool](t, ctx, "return !!("+expression+")") {
			return
		}
	}
	t.Fatalf("never true: %s\nthe page says: %.3000s", expression, eval[string](t, ctx, "return d.body.innerText"))
}

// click presses the first button that contains a text.
func click(t testing.TB, ctx context.Context, text string) {
	t.Helper()
	if !eval[bool](t, ctx, fmt.Sprintf(`const b = [...d.querySelectorAll('button')].find((b) => b.textContent.includes(%q)); if (b) b.click(); return !!b`, text)) {
		t.Fatalf("no button %q", text)
	}
}

func open(t testing.TB, o chromium.Options, sample string) *chromium.Tab {
	t.Helper()
	url := serve(t, sample)
	tab := chromium.Start(t, o)
	if err := chromedp.Run(tab, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, p := range tab.Problems() {
				t.Log(p)
			}
		}
	})
	until(t, tab, `$('.zone-title')?.textContent.includes('Drop a capture or flow file')`)
	return tab
}

// shot saves a screenshot where SHOTS says, for looking at.
func shot(t testing.TB, tab *chromium.Tab, name string) {
	if dir := os.Getenv("SHOTS"); dir != "" {
		time.Sleep(150 * time.Millisecond)
		tab.Screenshot(t, filepath.Join(dir, name+".png"))
	}
}

func TestPage_looks(t *testing.T) {
	for _, c := range []struct {
		name string
		o    chromium.Options
	}{
		{"light", chromium.Options{Width: 1440, Height: 1000}},
		{"dark", chromium.Options{Width: 1440, Height: 1000, Dark: true}},
		{"narrow", chromium.Options{Width: 320, Height: 700}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := open(t, c.o, "100000\n"+strings.Repeat("x", 4_000_000))
			if c.name == "narrow" {
				if err := chromedp.Run(tab, chromium.Viewport(320, 700, true)); err != nil {
					t.Fatal(err)
				}
			}
			fits := func(where string) {
				if wide := eval[int](t, tab, `return $('#top').scrollWidth - $('#top').clientWidth`); wide > 0 {
					t.Errorf("%s: %d px too wide", where, wide)
				}
			}
			fits("landing")
			shot(t, tab, c.name+"-1-landing")
			click(t, tab, "Try the sample")
			until(t, tab, `d.body.innerText.includes('rows scored in')`)
			fits("results")
			shot(t, tab, c.name+"-2-results")
			eval[bool](t, tab, `$('#top').scrollTop = 600; return true`)
			shot(t, tab, c.name+"-3-scrolled")
			eval[bool](t, tab, `d.querySelectorAll('#grid [role=row].flagged')[0].click(); return true`)
			until(t, tab, `$('.shap')`)
			fits("record")
			shot(t, tab, c.name+"-4-record")
			eval[bool](t, tab, `$('.drawer-body').scrollTop = 700; return true`)
			shot(t, tab, c.name+"-5-record")
			click(t, tab, "✕")
			eval[bool](t, tab, `$('.input-card').scrollIntoView(); return true`)
			shot(t, tab, c.name+"-6-input")
			click(t, tab, "About")
			until(t, tab, `$('.dialog')`)
			fits("about")
			shot(t, tab, c.name+"-7-about")
			tab.NoProblems(t)
			if title := eval[string](t, tab, `return d.title`); title != "Cloister" {
				t.Errorf("the title is %q", title)
			}
		})
	}
}
