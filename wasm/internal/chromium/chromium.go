//go:build !js

// Package chromium hides how a test gets a browser: which binary, which of its
// many flags keep it quiet and offline, how it is driven, and where a page's
// complaints end up. Tests get a tab and nothing to clean up:
//
//	tab := chromium.Start(t, chromium.Options{})
//	err := chromedp.Run(tab, chromedp.Navigate(url), chromedp.Poll("ready", nil))
//	tab.NoProblems(t)
//
// The browser is Debian's Chromium, headless, without its sandbox (tests run in
// containers), with a new empty profile. It resolves no name but localhost and
// reaches no address but the loopback one, so a test can neither leak nor
// depend on the network. A machine without Chromium fails the test: a browser
// check that is skipped is not a check.
//
// Limits: complaints are collected from the page and its same-process frames;
// inside workers only what Chromium itself forwards to the page is seen.
// Evaluating with chromedp bypasses the page's policy for eval unless the call
// asks otherwise. Native only; nothing here is linked into the product.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Options says what differs from a plain tab of 1280 by 1000 pixels.
type Options struct {
	// Width and Height are the window's size in CSS pixels; 0 means 1280 by
	// 1000. To change them later, or to be a telephone, run [Viewport].
	Width, Height int
	// Dark makes the page see a preference for dark colours; the default is
	// light. To change it later run [ColorScheme].
	Dark bool
	// NetLog names a file for Chromium's own network log, with everything
	// captured including bytes sent. It is complete only after [Tab.Close].
	NetLog string
	// Flags are further command-line flags without the dashes: "a" or "a=b".
	// They replace flags of the same name.
	Flags []string
	// Timeout ends the tab, and every wait on it; 0 means 2 minutes.
	Timeout time.Duration
}

// Tab is one open tab and the context that drives it: pass it to
// [chromedp.Run]. It is safe for concurrent use.
type Tab struct {
	context.Context
	problems collector
	close    func() error
}

// Start opens a tab at about:blank in a browser of its own, and closes both
// when the test ends. Without Chromium, or if it does not start within a
// minute, the test fails at once. Cost: half a second to three, and some
// 200 MB until closed.
func Start(t testing.TB, o Options) *Tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("chromium: no program \"chromium\" on the PATH: `make setup` installs it (%v)", err)
	}
	// Not t.TempDir: its clean-up fails the test if a dying helper process of
	// the browser still writes to the profile.
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = 2 * time.Minute
	}
	whole, stop := context.WithTimeoutCause(context.Background(), timeout, fmt.Errorf("chromium: tab open for more than %v", timeout))
	allocator, release := chromedp.NewExecAllocator(whole, append(flags(path, profile, o), chromedp.WSURLReadTimeout(time.Minute))...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(format string, args ...any) {
		// The protocol of a newer browser holds events the library cannot
		// decode; they are of no interest here.
		if s := fmt.Sprintf(format, args...); !strings.Contains(s, "unmarshal") && !strings.Contains(s, "unhandled") {
			fmt.Fprintln(os.Stderr, "chromium:", s)
		}
	}))
	tab := &Tab{Context: ctx}
	closed := false
	tab.close = func() error {
		if closed {
			return nil
		}
		closed = true
		err := chromedp.Cancel(ctx) // graceful: the network log is flushed
		cancel()
		release()
		stop()
		for range 20 {
			if os.RemoveAll(profile) == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil // the time-out killed the browser, which the test has noticed
		}
		return err
	}
	t.Cleanup(func() { _ = tab.close() })
	chromedp.ListenTarget(ctx, tab.problems.event)
	err = chromedp.Run(ctx,
		runtime.Enable(), log.Enable(), runtime.AddBinding(binding),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(observe).Do(ctx)
			return err
		}),
		emulation.SetFocusEmulationEnabled(true), // headless windows have no focus, and then elements get no focus events
		ColorScheme(o.Dark))
	if err != nil {
		t.Fatalf("chromium: start: %v", err)
	}
	return tab
}

// Close ends the browser before the test does, in order, so that files it
// writes (the network log) are complete. Closing twice is fine.
func (tab *Tab) Close(t testing.TB) {
	t.Helper()
	if err := tab.close(); err != nil {
		t.Errorf("chromium: close: %v", err)
	}
}

// Screenshot writes what the tab shows, the whole page and not only the
// window, as a PNG file, making the folders of path as needed.
func (tab *Tab) Screenshot(t testing.TB, path string) {
	t.Helper()
	var png []byte
	err := chromedp.Run(tab, chromedp.FullScreenshot(&png, 100))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		t.Errorf("chromium: screenshot %q: %v", path, err)
	}
}

// ColorScheme makes the page see a preference for dark or light colours from
// now on (prefers-color-scheme).
func ColorScheme(dark bool) chromedp.Action {
	value := "light"
	if dark {
		value = "dark"
	}
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}})
}

// Viewport gives the page a window of width by height CSS pixels from now on.
// With mobile set it also behaves as a telephone does: touch events, overlay
// scroll bars, the viewport meta tag honoured.
func Viewport(width, height int, mobile bool) chromedp.Action {
	if mobile {
		return chromedp.EmulateViewport(int64(width), int64(height), chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	return chromedp.EmulateViewport(int64(width), int64(height))
}

// flags returns the command line. What is there twice in spirit (background
// networking, component updates, sync, ...) covers parts of Chromium that do
// not listen to one another's switches; that nothing leaves is the resolver
// rule's doing.
func flags(path, profile string, o Options) []chromedp.ExecAllocatorOption {
	width, height := o.Width, o.Height
	if width == 0 {
		width = 1280
	}
	if height == 0 {
		height = 1000
	}
	list := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(profile),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(width, height),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"),
		chromedp.Flag("disable-features", "OptimizationHints,MediaRouter,DialMediaRouteProvider,Translate,AutofillServerCommunication"),
		chromedp.Flag("force-color-profile", "srgb"), // screenshots alike on every machine
		chromedp.Flag("password-store", "basic"),
	}
	for _, name := range []string{
		"no-proxy-server", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"disable-domain-reliability", "disable-client-side-phishing-detection", "disable-default-apps", "disable-extensions",
		"disable-component-extensions-with-background-pages", "disable-breakpad", "metrics-recording-only", "no-pings",
		"disable-dev-shm-usage", "disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
	} {
		list = append(list, chromedp.Flag(name, true))
	}
	if o.NetLog != "" {
		list = append(list, chromedp.Flag("log-net-log", o.NetLog), chromedp.Flag("net-log-capture-mode", "Everything"))
	}
	for _, f := range o.Flags {
		if name, value, ok := strings.Cut(f, "="); ok {
			list = append(list, chromedp.Flag(name, value))
		} else {
			list = append(list, chromedp.Flag(name, true))
		}
	}
	return list
}
