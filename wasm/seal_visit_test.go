//go:build !js

package wasm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// visit is a tab on a page made of a shell and a frame.
type visit struct {
	*chromium.Tab
	url       string
	options   chromium.Options
	downloads string // folder
	older     bool   // pretend to be a browser without Connection-Allowlist

	mu       sync.Mutex
	contexts map[runtime.ExecutionContextID]cdp.FrameID
	crashed  *atomic.Bool // the browser ended the page's process
}

// startVisit opens a tab; [visit.open] then loads the page.
func startVisit(t testing.TB, url string, o chromium.Options) *visit {
	t.Helper()
	// The harness switches hyperlink auditing off; here it is a channel.
	o.Flags = append(o.Flags, "blink-settings=hyperlinkAuditingEnabled=true")
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	v := &visit{url: url, options: o, downloads: t.TempDir()}
	v.start(t)
	return v
}

func (v *visit) start(t testing.TB) {
	t.Helper()
	crashed := &atomic.Bool{}
	v.Tab, v.crashed, v.contexts = chromium.Start(t, v.options), crashed, map[runtime.ExecutionContextID]cdp.FrameID{}
	chromedp.ListenTarget(v, func(ev any) {
		v.mu.Lock()
		defer v.mu.Unlock()
		switch e := ev.(type) {
		case *inspector.EventTargetCrashed:
			crashed.Store(true)
		case *runtime.EventExecutionContextCreated:
			var aux struct {
				IsDefault bool   `json:"isDefault"`
				FrameID   string `json:"frameId"`
			}
			if json.Unmarshal(e.Context.AuxData, &aux) == nil && aux.IsDefault {
				v.contexts[e.Context.ID] = cdp.FrameID(aux.FrameID)
			}
		case *runtime.EventExecutionContextDestroyed:
			delete(v.contexts, e.ExecutionContextID) //nolint:staticcheck // contexts are told apart by this id above
		case *runtime.EventExecutionContextsCleared:
			clear(v.contexts)
		}
	})
	actions := []chromedp.Action{
		browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(v.downloads), page.Enable(), inspector.Enable(),
	}
	if v.older {
		actions = append(actions, emulation.SetUserAgentOverride("Mozilla/5.0 Chrome/151.0.0.0").WithUserAgentMetadata(&emulation.UserAgentMetadata{
			Brands: []*emulation.UserAgentBrandVersion{{Brand: "Chromium", Version: "151"}}, Platform: "Linux",
		}))
	}
	if err := chromedp.Run(v, actions...); err != nil {
		t.Fatal(err)
	}
}

// open loads the page anew and waits until its program runs.
func (v *visit) open(t testing.TB) {
	t.Helper()
	if err := chromedp.Run(v, chromedp.Navigate(v.url)); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var state string
		err := v.frame(`document.documentElement.dataset.state || ''`, &state)
		if err == nil && state == "running" {
			return
		}
		if state == "failed" || time.Since(start) > 60*time.Second {
			var text string
			_ = v.frame(`document.body.innerText`, &text)
			t.Fatalf("the page does not start: state %q, error %v, problems %+v, text %q", state, err, v.Problems(), text)
		}
	}
}

// frame evaluates an expression, promises awaited, in the program's frame under
// its own policy, as if the visitor had just clicked.
func (v *visit) frame(expression string, result any) error {
	return chromedp.Run(v, chromedp.ActionFunc(func(ctx context.Context) error {
		id, err := v.context(ctx)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		got, thrown, err := runtime.Evaluate(expression).WithContextID(id).WithAwaitPromise(true).WithReturnByValue(true).
			WithUserGesture(true).WithAllowUnsafeEvalBlockedByCSP(false).Do(ctx)
		if err != nil {
			return err
		}
		if thrown != nil {
			return thrown
		}
		if result == nil || len(got.Value) == 0 {
			return nil
		}
		return json.Unmarshal(got.Value, result)
	}))
}

func (v *visit) context(ctx context.Context) (runtime.ExecutionContextID, error) {
	tree, err := page.GetFrameTree().Do(ctx)
	if err != nil {
		return 0, err
	}
	if len(tree.ChildFrames) == 0 {
		return 0, errors.New("the shell has no frame")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, frame := range v.contexts {
		if frame == tree.ChildFrames[0].Frame.ID {
			return id, nil
		}
	}
	return 0, errors.New("the frame has no script context")
}

// wait waits until an expression is true in the program's frame.
func (v *visit) wait(t *testing.T, expression string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		var ok bool
		err := v.frame(expression, &ok)
		if err == nil && ok {
			return
		}
		if time.Since(start) > 30*time.Second {
			var text string
			_ = v.frame(`document.body.innerText`, &text)
			t.Fatalf("never true: %s (%v); the page shows %q, problems %+v", expression, err, text, v.Problems())
		}
	}
}

// upload chooses a file in the program's first file input.
func (v *visit) upload(path string) error {
	return chromedp.Run(v, chromedp.ActionFunc(v.choosing([]string{path})))
}

// choosing returns an action that puts files into the first file input.
func (v *visit) choosing(paths []string) func(context.Context) error {
	return func(ctx context.Context) error {
		id, err := v.context(ctx)
		if err != nil {
			return err
		}
		input, thrown, err := runtime.Evaluate(`document.querySelector('input[type=file]')`).WithContextID(id).Do(ctx)
		if err != nil {
			return err
		}
		if thrown != nil || input.ObjectID == "" {
			return fmt.Errorf("no file input (%v)", thrown)
		}
		return dom.SetFileInputFiles(paths).WithObjectID(input.ObjectID).Do(ctx)
	}
}

// try runs one channel and says which detectors fired and what its code
// answered. It loads the page first if the last channel left it, and opens
// another tab if the browser ended the page's process over it, as Chromium 156
// does for a peer connection that its connection list forbids.
func (v *visit) try(t *testing.T, w *witness, c channel) (fired, answer string) {
	t.Helper()
	if v.crashed.Load() {
		v.Close(t)
		v.start(t)
	}
	var alive bool
	var at string
	_ = chromedp.Run(v, chromedp.Location(&at))
	if err := v.frame(`document.documentElement.dataset.state === 'running' && location.search === ''`, &alive); err != nil || !alive || at != v.url {
		v.open(t)
		for last := w.now(); ; { // until the icon has been fetched, too
			time.Sleep(150 * time.Millisecond)
			now := w.now()
			if now.since(last).detectors() == "" {
				break
			}
			last = now
		}
	}
	sink, pre, stun, stop := w.foreigners(t)
	defer stop()
	before := w.now()
	names, _ := json.Marshal(map[string]string{"SINK": sink, "WS": "ws" + strings.TrimPrefix(sink, "http"), "PRE": pre, "STUN": stun, "C": canary})
	code := `(async () => {
		const {SINK, WS, PRE, STUN, C} = ` + string(names) + `;` + prelude + `
		const attempt = async () => {` + c.code + `};
		const done = attempt().then((v) => v || 'done', (e) => e.name);
		return String(await Promise.race([done, new Promise((r) => setTimeout(r, 1500, 'waiting'))]));
	})()`
	if err := v.frame(code, &answer); err != nil {
		answer = "left: " + err.Error()
	}
	for range 6 { // up to 300 ms for what was started to arrive
		time.Sleep(50 * time.Millisecond)
		if fired = w.now().since(before).detectors(); fired != "" {
			break
		}
	}
	if answer == "code ran" {
		fired = strings.TrimSpace(fired + " ran")
	}
	return fired, answer
}
