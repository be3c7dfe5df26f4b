//go:build !js

package wasm_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// kept waits until the browser keeps the page for use without a network.
func (v *visit) kept(t *testing.T) {
	t.Helper()
	v.wait(t, `navigator.serviceWorker.getRegistration().then((r) => !!r && !!r.active && !r.installing && !r.waiting)`)
}

// controlled loads the page until it comes from what the browser keeps.
func (v *visit) controlled(t *testing.T) {
	t.Helper()
	v.open(t)
	v.kept(t)
	v.open(t)
	var is bool
	if err := v.frame(`!!navigator.serviceWorker.controller`, &is); err != nil || !is {
		t.Fatalf("the page does not come from what is kept (%v)", err)
	}
}

// scoresSample has the page score its sample.
func (v *visit) scoresSample(t *testing.T) {
	t.Helper()
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	if err := v.frame(`[...document.querySelectorAll('button')].find(b => b.textContent === 'Try the sample').click()`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "verdicts", finished)
}

// counted returns how often each request was made.
func counted(own []string) map[string]int {
	n := map[string]int{}
	for _, r := range own {
		n[r]++
	}
	return n
}

// outage is a switch that makes a server unreachable: it hangs up.
type outage struct{ on atomic.Bool }

func (o *outage) edit(next func(*http.Response)) func(*http.Response) {
	return func(r *http.Response) {
		if o.on.Load() {
			panic(http.ErrAbortHandler)
		}
		if next != nil {
			next(r)
		}
	}
}

// A visit that begins while what is kept is still being put in place works, too:
// its shell may come from the server and its frame after the worker took over.
func TestOffline_visitsWhileItIsBeingKept(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{})
	for _, pause := range []time.Duration{0, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond, 500 * time.Millisecond, 300 * time.Millisecond, 200 * time.Millisecond, 0} {
		v.open(t)
		time.Sleep(pause)
	}
	v.kept(t)
	v.scoresSample(t)
}

// After one visit the page opens and scores without its server, and neither the
// first visit nor the next asks for anything twice.
func TestOffline_worksAfterOneVisit(t *testing.T) {
	w, o := &witness{}, &outage{}
	v := startVisit(t, serveBuilt(t, w, o.edit(nil))+"/", chromium.Options{})
	v.open(t)
	v.kept(t)
	// both documents load the first two, the program is started with and hands on
	// the third, and the browser keeps the last two where sw.js does not find them
	twice := []string{"/boot.js", "/shell.css", "/wasm_exec.js", "/app.html", "/favicon.svg"}
	requests := counted(w.now().own)
	if len(requests) < 15 || requests["GET /sw.js"] == 0 || requests["GET /page.wasm"] == 0 {
		t.Errorf("the first visit asked for %v", requests)
	}
	for request, n := range requests {
		path, plain := strings.CutPrefix(request, "GET ")
		if !plain || strings.ContainsAny(path, "? ") || n != 1 && (n != 2 || !slices.Contains(twice, path)) {
			t.Errorf("%s: %d times, want one plain GET", request, n)
		}
	}
	first := w.now()
	v.open(t)
	time.Sleep(1500 * time.Millisecond) // the browser may look for a new sw.js
	if got := w.now().since(first).own; !slices.Equal(got, []string{"GET /bundles/index.json"}) {
		t.Errorf("the second visit asked for %q, want the list of bundles only", got)
	}
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
	o.on.Store(true)
	v.open(t)
	v.scoresSample(t)
	var sealed struct {
		Sealed   bool
		BytesOut int
	}
	if err := v.frame(`({Sealed: cloister.seal.sealed, BytesOut: cloister.seal.bytesOut})`, &sealed); err != nil || !sealed.Sealed || sealed.BytesOut != 0 {
		t.Errorf("without its server the page is %+v (%v)", sealed, err)
	}
	v.shot(t, "offline")
}

// deployment is a server's second deployment: another style sheet, named in
// another sw.js. The browser looks for a new sw.js at each visit.
type deployment struct{ second atomic.Bool }

const mark = "\n:root { --deployment: second }\n"

func (d *deployment) edit(t *testing.T, list bool) func(*http.Response) {
	css := readFile(t, "../build/site/app.css")
	sum := func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
	worker := replaceIn("/sw.js", sum(css), sum(append(slices.Clone(css), mark...)), `"version":"`, `"version":"second`)
	return func(r *http.Response) {
		if r.Request.URL.Path == "/sw.js" {
			r.Header.Set("Cache-Control", "no-cache")
		}
		r.Header.Del("Etag") // so that every answer is a whole one
		if !d.second.Load() {
			return
		}
		worker(r)
		edit := map[string]string{"/app.css": mark}
		if list {
			edit["/bundles/index.json"] = "\n"
		}
		if more := edit[r.Request.URL.Path]; more != "" && r.StatusCode == http.StatusOK {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(r.Body, strings.NewReader(more)), r.Body}
			r.ContentLength = -1
			r.Header.Del("Content-Length")
		}
	}
}

// shown returns which deployment the page's style comes from, and the names of
// the caches.
func (v *visit) shown(t *testing.T) (style string, caches []string) {
	t.Helper()
	var s struct {
		Style  string
		Caches []string
	}
	if err := v.frame(`caches.keys().then((c) => ({Style: getComputedStyle(document.documentElement).getPropertyValue('--deployment'), Caches: c}))`, &s); err != nil {
		t.Fatal(err)
	}
	return s.Style, s.Caches
}

// A new deployment replaces the old one as a whole.
func TestOffline_newDeploymentReplaces(t *testing.T) {
	w, o, d := &witness{}, &outage{}, &deployment{}
	v := startVisit(t, serveBuilt(t, w, o.edit(d.edit(t, false)))+"/", chromium.Options{})
	v.controlled(t)
	_, old := v.shown(t)
	d.second.Store(true)
	v.open(t)
	if style, _ := v.shown(t); style != "" {
		t.Errorf("a page that comes from what was kept has the style %q", style)
	}
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if _, now := v.shown(t); len(now) == 1 && now[0] != old[0] {
			break
		} else if time.Since(start) > 20*time.Second {
			t.Fatalf("the caches are %q, they were %q", now, old)
		}
	}
	o.on.Store(true)
	v.open(t)
	if style, _ := v.shown(t); style != "second" {
		t.Errorf("after the new deployment the style is %q", style)
	}
}

// When the server has other bundles than were kept, the page comes from there at
// once, and nothing from what was kept.
func TestOffline_otherBundlesAtOnce(t *testing.T) {
	w, d := &witness{}, &deployment{}
	v := startVisit(t, serveBuilt(t, w, d.edit(t, true))+"/", chromium.Options{})
	v.controlled(t)
	d.second.Store(true)
	before := w.now()
	v.open(t)
	if style, _ := v.shown(t); style != "second" {
		t.Errorf("the style is %q", style)
	}
	asked := counted(w.now().since(before).own)
	for _, path := range []string{"/", "/app.html", "/boot.js", "/app.css", "/page.wasm", "/worker.wasm", "/worker.js"} {
		if asked["GET "+path] == 0 {
			t.Errorf("%s does not come from the server: %v", path, asked)
		}
	}
}

// What was put into the cache by somebody else is fetched anew, or not served.
func TestOffline_tamperedEntry(t *testing.T) {
	w, o := &witness{}, &outage{}
	v := startVisit(t, serveBuilt(t, w, o.edit(nil))+"/", chromium.Options{})
	v.controlled(t)
	tamper := func(path, content string) {
		t.Helper()
		code := `caches.keys().then(async ([name]) => { const c = await caches.open(name); if (!await c.match(` + quoted(path) + `)) throw Error('not kept');
			await c.put(` + quoted(path) + `, new Response(` + quoted(content) + `, {headers: {'Content-Type': 'text/javascript'}})) })`
		if err := v.frame(code, nil); err != nil {
			t.Fatal(err)
		}
	}
	const script = "document.documentElement.dataset.forged = 'yes'"
	forged := func() (is bool) {
		_ = v.frame(`document.documentElement.dataset.forged === 'yes' || parent.document.documentElement.dataset.forged === 'yes'`, &is)
		return is
	}
	tamper("/dom.js", script)
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	if forged() {
		t.Error("a forged script ran")
	}
	o.on.Store(true)
	v.open(t) // repaired
	tamper("/dom.js", script)
	tamper("/page.wasm", "no program")
	// without a network there is no other copy once the browser forgets its own
	if err := chromedp.Run(v, network.ClearBrowserCache(), chromedp.Navigate(v.url)); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the failure", `document.documentElement.dataset.state === 'failed' && document.body.innerText.includes('504')`)
	if forged() {
		t.Error("without a network a forged script ran")
	}
	// a document whose policy was taken away gets it back: headers are not kept
	o.on.Store(false)
	tamper("/app.html", string(readFile(t, "../build/site/app.html")))
	o.on.Store(true)
	var policy string
	if err := chromedp.Run(v, chromedp.Navigate(v.url)); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the frame", `document.documentElement.dataset.part === 'app'`)
	if err := v.frame(`new Promise((r) => { addEventListener('securitypolicyviolation', (e) => r(e.effectiveDirective)); put = document.createElement('iframe'); put.src = '/app.html'; document.body.append(put); setTimeout(r, 2000, 'allowed') })`, &policy); err != nil || policy != "frame-src" {
		t.Errorf("a frame in the program is refused by %q (%v)", policy, err)
	}
}

// A script can have the browser look for a new sw.js once the old one is an hour
// old. It cannot add anything to that request, and the proof panel says so.
func TestOffline_updateCarriesNothing(t *testing.T) {
	w := &witness{}
	var mu sync.Mutex
	var headers []string
	v := startVisit(t, serveBuilt(t, w, func(r *http.Response) {
		if r.Request.URL.Path == "/sw.js" {
			r.Header.Set("Cache-Control", "no-cache") // as if the hour were over
			mu.Lock()
			headers = append(headers, fmt.Sprint(r.Request.Header))
			mu.Unlock()
		}
	})+"/", chromium.Options{})
	v.controlled(t)
	before := w.now()
	if err := v.frame(`(async () => { document.cookie = 'd=`+canary+`; max-age=1000'; history.replaceState(null, '', '#`+canary+`'); await (await navigator.serviceWorker.getRegistration()).update() })()`, nil); err != nil {
		t.Fatal(err)
	}
	asked := w.now().since(before).own
	var notes []string
	if err := v.frame(`cloister.seal.notes`, &notes); err != nil || !slices.Contains(notes, openUpdate) {
		t.Errorf("the proof panel does not say so: %q, %v", notes, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) == 0 || slices.ContainsFunc(asked, func(r string) bool { return r != "GET /sw.js" }) {
		t.Errorf("looking for a new sw.js asked for %q", asked)
	}
	for _, h := range headers {
		if strings.Contains(h, canary) || strings.Contains(h, "Cookie") {
			t.Errorf("looking for a new sw.js said %s", h)
		}
	}
}
