//go:build !js

package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"cloister/wasm/internal/chromium"
)

// The page as the worker serves it: sealed, with the bundle that the channel
// names, scoring the sample without asking the worker for anything more.
func TestEdge_pageInChromium(t *testing.T) {
	d := deploy(t)
	b := d.signed()
	d.publish(1, "flows/2.0.0", b)
	tab := chromium.Start(t, chromium.Options{})
	if err := chromedp.Run(tab, chromedp.Navigate(d.url)); err != nil {
		t.Fatal(err)
	}
	wait := func(what, condition string) {
		t.Helper()
		for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			var ok bool
			err := chromedp.Run(tab, chromedp.Evaluate(`(() => { const w = frames[0], d = w && w.document; return !!(`+condition+`); })()`, &ok))
			if err == nil && ok {
				return
			}
			if time.Since(start) > 40*time.Second {
				t.Fatalf("waiting for %s: %v; problems %+v\n%s", what, err, tab.Problems(), d.logged())
			}
		}
	}
	wait("the seal", `w.cloister && w.cloister.seal && w.cloister.seal.sealed`)
	wait("the sample", `[...d.querySelectorAll('button')].some((b) => b.textContent === 'Try the sample' && !b.disabled)`)
	before := strings.Count(d.logged(), `"level"`)
	if err := chromedp.Run(tab, chromedp.Evaluate(`[...frames[0].document.querySelectorAll('button')].find((b) => b.textContent === 'Try the sample').click()`, nil)); err != nil {
		t.Fatal(err)
	}
	wait("verdicts", `d.querySelectorAll('#grid [role=row]').length > 10`)
	var out int
	if err := chromedp.Run(tab, chromedp.Evaluate(`frames[0].cloister.seal.bytesOut`, &out)); err != nil || out != 0 {
		t.Errorf("%d bytes went out, %v", out, err)
	}
	text := d.logged()
	if !strings.Contains(text, `"path":"/bundles/flows/2.0.0/`+sum(b)) {
		t.Errorf("the page did not load the bundle that the channel names:\n%s", text)
	}
	if after := strings.Count(text, `"level"`); after != before {
		t.Errorf("the page asked the worker %d times while it scored", after-before)
	}
	tab.NoProblems(t)
}

// The library's own mode gives the same answers to GET and POST; it is there to
// compare with. It fails on HEAD, whose answer has no body to close.
func TestEdge_stockModeAnswersAlike(t *testing.T) {
	shim, stock := deploy(t), deploy(t, "MODE:stock")
	for _, d := range []*deployment{shim, stock} {
		testScore(t, d)
	}
	for _, path := range []string{"/healthz", "/readyz", "/bundles/index.json", "/nothing", "/"} {
		a, b := shim.ask("GET", path, nil), stock.ask("GET", path, nil)
		if a.status != b.status || string(a.body) != string(b.body) || a.header.Get("Content-Security-Policy") != b.header.Get("Content-Security-Policy") {
			t.Errorf("%s: %v and %v", path, a, b)
		}
	}
}
