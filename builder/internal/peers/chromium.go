//go:build !js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium of our own with one tab for each side.
// [cloister/wasm/internal/chromium] does this for tests; it needs a
// testing.TB and lives below another program's internal.
type browser struct {
	ctx     context.Context
	stop    []func()
	server  *http.Server
	address string
}

// tab is a worker in a tab.
type tab struct {
	name string
	ctx  context.Context
	root string // of the files that pages may read and write
	wall int    // timed calls whose processor time the browser did not tell
}

// startBrowser serves the pages on the loopback address and starts Chromium.
func startBrowser(e *environment) (*browser, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, errors.New("peers: no program \"chromium\" on the PATH: `make setup` installs it")
	}
	b := &browser{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b.address = "http://" + listener.Addr().String() + "/"
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(filepath.Join(source, "js"))))
	mux.Handle("GET /ort/", http.StripPrefix("/ort/", http.FileServer(http.Dir(filepath.Join(e.node, "node_modules", "onnxruntime-web", "dist")))))
	mux.HandleFunc("GET /wasm_exec.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, e.wasmExec) })
	mux.HandleFunc("GET /worker.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, workerScript) })
	mux.Handle("GET /files/", http.StripPrefix("/files/", http.FileServer(http.Dir(e.dir))))
	mux.HandleFunc("PUT /files/scores/{name}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = os.WriteFile(filepath.Join(e.dir, "scores", filepath.Base(r.PathValue("name"))), body, 0o644)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = b.server.Serve(listener) }() // ended by close
	profile, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
	}
	for _, name := range []string{
		"no-proxy-server", "disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions", "disable-breakpad",
		"disable-default-apps", "disable-dev-shm-usage", "disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
	} {
		options = append(options, chromedp.Flag(name, true))
	}
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	b.ctx = ctx
	b.stop = []func(){cancel, release, func() { _ = b.server.Close() }, func() { removeSoon(profile) }}
	if err := chromedp.Run(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// removeSoon removes a profile that dying helpers may still write to.
func removeSoon(dir string) {
	for range 20 {
		if os.RemoveAll(dir) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *browser) close() error {
	for _, f := range b.stop {
		f()
	}
	return nil
}

// open returns the worker of a side, "ours" or "web".
func (b *browser) open(name, side, root string) (*tab, error) {
	ctx, _ := chromedp.NewContext(b.ctx) // ends with the browser
	start, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	// The first Run on ctx makes the tab and must outlive the time-out.
	if err := chromedp.Run(ctx); err != nil {
		return nil, err
	}
	err := chromedp.Run(start, chromedp.Navigate(b.address+"page.html?"+side),
		chromedp.Poll("globalThis.ready", nil, // A tab behind another draws no frames to poll on.
			chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(time.Minute)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &tab{name: name, ctx: ctx, root: root}, nil
}

// processorTime returns the seconds that all renderers of the browser have
// used; the tab that works is the only one that moves.
func processorTime(ctx context.Context) (float64, error) {
	list, err := systeminfo.GetProcessInfo().Do(cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser))
	sum := 0.0
	for _, p := range list {
		if p.Type == "renderer" {
			sum += p.CPUTime
		}
	}
	return sum, err
}

func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// call does a request in the tab. CPU is the renderer's processor time, in
// steps of 10 ms; it falls back to the page's own wall clock if the browser
// does not tell.
func (t *tab) call(r request) (reply, error) {
	var got reply
	if r.Path != "" {
		rel, err := filepath.Rel(t.root, r.Path)
		if err != nil {
			return got, err
		}
		r.Path = filepath.ToSlash(rel)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return got, err
	}
	if r.Do == "load" {
		if err := chromedp.Run(t.ctx, chromedp.Evaluate(fmt.Sprintf("fetched(%q)", r.Path), nil, awaited)); err != nil {
			return got, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	before, errBefore := processorTime(t.ctx)
	if err := chromedp.Run(t.ctx, chromedp.Evaluate("request("+string(b)+")", &got, awaited)); err != nil {
		return got, fmt.Errorf("%s: %s: %w", t.name, r.Do, err)
	}
	after, errAfter := processorTime(t.ctx)
	if errBefore == nil && errAfter == nil && after > before {
		got.CPU = after - before
	} else if r.Seconds > 0 {
		t.wall++
	}
	if got.Error != "" {
		return got, fmt.Errorf("%s: %s %s: %s", t.name, r.Do, r.Model, strings.TrimSpace(got.Error))
	}
	return got, nil
}

func (t *tab) close() error { return nil }
