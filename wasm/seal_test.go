//go:build !js

package wasm_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/chromedp"
)

// The built page, loaded and sealed, in a browser that knows
// Connection-Allowlist, as Chromium does since version 152.
func TestSeal_everyChannel(t *testing.T) {
	w := &witness{}
	tryAll(t, w, startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{}), func(c channel) string { return c.open })
}

// The same where that header means nothing: what the content policies and the
// guards of boot.js do alone.
func TestSeal_everyChannelInAnOlderBrowser(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, func(r *http.Response) {
		r.Header.Del("Connection-Allowlist")
		if r.Request.URL.Path == "/sw.js" { // it would add the header from its list
			r.StatusCode = http.StatusNotFound
		}
	})+"/", chromium.Options{})
	v.older = true
	v.crashed.Store(true) // start again, with another name
	tryAll(t, w, v, func(c channel) string { return c.older })
}

// tryAll tries every channel, checks that it is open exactly if note names why,
// and that the page's own notes name the same.
func tryAll(t *testing.T, w *witness, v *visit, note func(channel) string) {
	var want, got []string
	tried := 0
	if strings.HasPrefix(v.url, "http") && !v.older {
		v.controlled(t)
	}
	for _, c := range channels {
		fired, answer := v.try(t, w, c)
		tried++
		switch open := note(c); {
		case open == "" && fired != "":
			t.Errorf("%s: open, seen by: %s (the code answered %q)", c.name, fired, answer)
		case open != "" && fired == "":
			t.Errorf("%s: closed (the code answered %q), yet listed as %q: good news, change the table and boot.js", c.name, answer, open)
		case open != "":
			want = append(want, open)
		}
	}
	if tried < 80 {
		t.Fatalf("%d channels tried, want at least 80", tried)
	}
	v.open(t)
	if err := v.frame(`cloister.seal.notes.filter((n) => n.startsWith('Open: '))`, &got); err != nil {
		t.Fatal(err)
	}
	// seen only once sw.js is an hour old: TestOffline_updateCarriesNothing
	named := len(got)
	got = slices.DeleteFunc(got, func(n string) bool { return n == openUpdate })
	if served := strings.HasPrefix(v.url, "http"); (len(got) < named) != served {
		t.Errorf("the page names the look for a new sw.js: %v, want %v", !served, served)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the page says\n%q\nopen is\n%q", got, want)
	}
}

// Every detector fires for every channel on a page without protection, or a
// "closed" above means nothing.
func TestSeal_detectorsFire(t *testing.T) {
	w := &witness{}
	v := startVisit(t, unprotected(t, w)+"/", chromium.Options{})
	count := map[string]int{}
	for _, c := range channels {
		fired, answer := v.try(t, w, c)
		switch {
		case c.mute == "" && fired == "":
			t.Errorf("%s: nothing noticed it (the code answered %q)", c.name, answer)
		case c.mute != "" && fired != "":
			t.Errorf("%s: noticed by %s, although %s: remove mute", c.name, fired, c.mute)
		}
		for _, d := range strings.Fields(fired) {
			count[d]++
		}
	}
	for _, d := range []string{"own", "foreign", "tcp", "udp", "ran"} {
		if count[d] == 0 {
			t.Errorf("the detector %q never fired: %v", d, count)
		}
	}
}

// A visit without tricks: load, open a file, score it. The server sees the
// known requests while loading and none afterwards, nobody else sees anything,
// and the canary is nowhere in the browser's own record of the network.
func TestSeal_cleanRun(t *testing.T) {
	w := &witness{}
	netlog := filepath.Join(t.TempDir(), "net.json")
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{NetLog: netlog})
	v.open(t)
	time.Sleep(500 * time.Millisecond) // for the icon
	loaded := w.now()
	var index struct {
		Bundles []struct{ Path string }
		Sample  *struct{ Path string }
	}
	readIndex(t, &index)
	want := []string{"/", "/app.css", "/app.html", "/boot.js", "/bundles/index.json", "/confine.js", "/dom.js", "/favicon.svg", "/manifest.webmanifest", "/page.wasm", "/reader.js", "/shell.css", "/sw.js", "/wasm_exec.js", "/worker.js", "/worker.wasm"}
	if len(index.Bundles) > 0 {
		var name string
		if err := v.frame(`cloister.bundleName`, &name); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, b := range index.Bundles { // of each name the newest, which comes first
			n, _, _ := strings.Cut(b.Path, "/")
			if !seen[n] {
				want = append(want, "/bundles/"+b.Path)
			}
			seen[n] = true
		}
		if !seen[name] {
			t.Errorf("the default %q is not in the list", name)
		}
	}
	if index.Sample != nil {
		want = append(want, "/"+index.Sample.Path)
	}
	for i := range want {
		want[i] = "GET " + want[i]
	}
	got := slices.Clone(loaded.own)
	slices.Sort(got)
	slices.Sort(want)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("while loading, the server saw\n%q\nwant\n%q", got, want)
	}

	file := filepath.Join(t.TempDir(), canary+".csv")
	if err := os.WriteFile(file, canaryCSV(t), 0o600); err != nil {
		t.Fatal(err)
	}
	// until the bundle is loaded, and then until the run is finished
	v.wait(t, `!!document.querySelector('input[type=file]:not([disabled])')`)
	if err := v.upload(file); err != nil {
		t.Fatal(err)
	}
	v.wait(t, `document.body.innerText.includes('`+canary+`') && !!document.querySelector('.run-tools .primary')`)
	time.Sleep(time.Second) // second thoughts
	if after := w.now().since(loaded); after.detectors() != "" {
		t.Errorf("after loading, seen by %s: %+v", after.detectors(), after)
	}
	var out struct{ BytesOut, Attempts int }
	if err := v.frame(`({BytesOut: cloister.seal.bytesOut, Attempts: cloister.seal.attempts})`, &out); err != nil {
		t.Fatal(err)
	}
	if out.BytesOut != 0 || out.Attempts != 0 {
		t.Errorf("the page counted %+v, want nothing", out)
	}
	v.NoProblems(t)
	v.Close(t)
	record, err := os.ReadFile(netlog)
	if err != nil || !bytes.Contains(record, []byte("/page.wasm")) {
		t.Fatalf("the network log of %d bytes does not even show the page (%v)", len(record), err)
	}
	for _, s := range spellings(canary) {
		if !bytes.Contains(record, []byte(s)) {
			continue
		}
		i := bytes.Index(record, []byte(s))
		t.Errorf("the network log holds the canary as %q: %q", s, record[max(0, i-300):min(len(record), i+100)])
	}
}

// The network log would show the canary, had it been sent.
func TestSeal_networkLogShowsALeak(t *testing.T) {
	w := &witness{}
	netlog := filepath.Join(t.TempDir(), "net.json")
	v := startVisit(t, unprotected(t, w)+"/", chromium.Options{NetLog: netlog})
	v.open(t)
	if err := v.frame(`fetch('/post', {method: 'POST', body: '`+canary+`'}).then(() => 0)`, nil); err != nil {
		t.Fatal(err)
	}
	v.Close(t)
	record, err := os.ReadFile(netlog)
	if err != nil {
		t.Fatal(err)
	}
	// Bytes sent are logged in base64, at any of its three alignments.
	if !slices.ContainsFunc(spellings(canary), func(s string) bool { return bytes.Contains(record, []byte(s)) }) {
		t.Error("a body that was sent is not in the network log")
	}
}

// bytesOut counts: with a seal that does not shut, a request shows.
func TestSeal_countsWhatLeaves(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, replaceIn("/boot.js", "connect-src 'none'", "connect-src 'self'", "default-src 'none'; script-src 'wasm-unsafe-eval'", "script-src 'wasm-unsafe-eval'"))+"/", chromium.Options{})
	v.open(t)
	var out int
	if err := v.frame(`fetch('/favicon.svg?d=1').then(() => new Promise((r) => setTimeout(() => r(cloister.seal.bytesOut), 300)))`, &out); err != nil {
		t.Fatal(err)
	}
	if out < len(v.url+"favicon.svg?d=1") {
		t.Errorf("bytesOut is %d after a request", out)
	}
	if leaks := proofs(t, v); leaks == 0 {
		t.Error("the proof finds an open seal shut")
	}
}

// The proof that the page offers finds every channel refused, and what it tries
// is counted as attempts, not as bytes.
func TestSeal_proof(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{})
	v.open(t)
	time.Sleep(500 * time.Millisecond)
	before := w.now()
	if leaks := proofs(t, v); leaks != 0 {
		t.Errorf("%d channels were not refused", leaks)
	}
	if after := w.now().since(before); after.detectors() != "" {
		t.Errorf("the proof was seen by %s: %+v", after.detectors(), after)
	}
	var out struct{ BytesOut, Attempts int }
	if err := v.frame(`({BytesOut: cloister.seal.bytesOut, Attempts: cloister.seal.attempts})`, &out); err != nil {
		t.Fatal(err)
	}
	if out.BytesOut != 0 || out.Attempts < 8 {
		t.Errorf("counted %+v, want no bytes and at least 8 attempts", out)
	}
}

// proofs runs the page's proof and returns how many channels it found open.
func proofs(t *testing.T, v *visit) (open int) {
	t.Helper()
	var results []struct {
		Channel, Note string
		Blocked       bool
	}
	if err := v.frame(`cloister.seal.prove()`, &results); err != nil {
		t.Fatal(err)
	}
	if len(results) < 9 {
		t.Errorf("%d results: %+v", len(results), results)
	}
	for _, r := range results {
		if r.Channel == "" || r.Note == "" {
			t.Errorf("empty result: %+v", r)
		}
		if !r.Blocked {
			open++
			t.Logf("not refused: %+v", r)
		}
	}
	return open
}

// The scorer's worker has not even the names of the network.
func TestSeal_workerHasNoNetworkNames(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, replaceIn("/worker.js", "self.onmessage = async", `postMessage(['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'WebTransport', 'caches', 'postMessage'].filter((n) => n in self).join());
self.onmessage = async`))+"/", chromium.Options{})
	v.open(t)
	var left string
	if err := v.frame(`new Promise((r) => { new Worker(cloister.workerURL).onmessage = (e) => r(e.data) })`, &left); err != nil {
		t.Fatal(err)
	}
	if left != "postMessage" {
		t.Errorf("the worker has %q", left)
	}
}

// The guard against leaving spares what a visitor needs: reloading, and saving
// an export that was made in the page.
func TestSeal_reloadAndExport(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{})
	v.open(t)
	if err := v.frame(`{const a = document.createElement('a'); a.href = URL.createObjectURL(new Blob(['`+canary+`'])); a.download = 'export.txt'; document.body.append(a); a.click()}`, nil); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for range 50 {
		if got, _ = os.ReadFile(filepath.Join(v.downloads, "export.txt")); len(got) > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if string(got) != canary {
		t.Errorf("the export holds %q", got)
	}
	before := w.now()
	if err := chromedp.Run(v, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	if len(w.now().since(before).own) == 0 {
		t.Error("reloading asked the server for nothing")
	}
	v.NoProblems(t)
}

// What cannot start says so, in words, where the program would be.
func TestBoot_saysWhatFailed(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*http.Response)
		want string
	}{
		"a file is missing": {func(r *http.Response) {
			if r.Request.URL.Path == "/page.wasm" {
				r.StatusCode = http.StatusNotFound
			}
		}, "page.wasm: the server answered 404"},
		"a program is damaged": {func(r *http.Response) {
			if r.Request.URL.Path == "/worker.wasm" {
				r.Body = io.NopCloser(strings.NewReader("not a program"))
				r.ContentLength = -1
				r.Header.Del("Content-Length")
			}
		}, "could not be loaded"},
		"no WebAssembly": {replaceIn("/boot.js", "typeof WebAssembly !== 'object'", "true"), "cannot run WebAssembly"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &witness{}
			v := startVisit(t, serveBuilt(t, w, c.edit)+"/", chromium.Options{})
			if err := chromedp.Run(v, chromedp.Navigate(v.url)); err != nil {
				t.Fatal(err)
			}
			var text string
			for range 100 {
				if _ = v.frame(`document.querySelector('[role=alert]')?.innerText || ''`, &text); text != "" {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("the page says %q, want %q in it", text, c.want)
			}
		})
	}
}

// The program does not run outside its shell: opened by itself it goes there.
func TestBoot_insistsOnItsShell(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{})
	var at string
	err := chromedp.Run(v, chromedp.Navigate(v.url+"app.html"), chromedp.Poll(`document.documentElement.dataset.part === 'shell'`, nil), chromedp.Location(&at))
	if err != nil || at != v.url {
		t.Errorf("at %q, %v", at, err)
	}
}

// replaceIn edits the body of one path: each pair of texts is old and new, and
// an old text that is not there makes the page unusable, which fails the test.
func replaceIn(path string, pairs ...string) func(*http.Response) {
	return func(r *http.Response) {
		if r.Request.URL.Path != path || r.StatusCode != http.StatusOK {
			return
		}
		body, err := io.ReadAll(r.Body)
		for i := 0; i < len(pairs) && err == nil; i += 2 {
			if !bytes.Contains(body, []byte(pairs[i])) {
				err = fmt.Errorf("%s holds no %q", path, pairs[i])
			}
			body = bytes.ReplaceAll(body, []byte(pairs[i]), []byte(pairs[i+1]))
		}
		if err != nil {
			body = fmt.Appendf(nil, "throw new Error(%q)", err)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
}
