//go:build !js

package dom_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// strict is the page's policy as shipped, as far as drawing goes.
const strict = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'"

// serve compiles a main of testdata for the browser and serves it.
func serve(t testing.TB, program, policy string) (url string) {
	t.Helper()
	wasm := filepath.Join(t.TempDir(), "main.wasm")
	cmd := exec.Command("go", "build", "-o", wasm, "./testdata/"+program)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"/main.wasm": wasm, "/dom.js": "dom.js", "/boot.js": "testdata/boot.js",
		"/wasm_exec.js": filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec.js"),
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		// Isolated pages have a clock of 5 microseconds instead of 100.
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		w.Header().Set("Cross-Origin-Embedder-Policy", "require-corp")
		if f := files[r.URL.Path]; f != "" {
			http.ServeFile(w, r, f)
			return
		}
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><title>test</title><div id="app">loading</div><div id="stock"></div>
			<script src="wasm_exec.js"></script><script src="dom.js"></script><script src="boot.js"></script>`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// try evaluates an expression as the page's own script would, policy
// included, and stores its value.
func try[T any](t testing.TB, ctx context.Context, expression string) T {
	t.Helper()
	var value T
	err := chromedp.Run(ctx, chromedp.Evaluate(expression, &value, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAllowUnsafeEvalBlockedByCSP(false).WithIncludeCommandLineAPI(true).WithAwaitPromise(true)
	}))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// run evaluates a statement.
func run(t testing.TB, ctx context.Context, statement string) {
	t.Helper()
	try[bool](t, ctx, statement+"; true")
}

// want checks expressions, given in pairs with their value as a string.
func want(t testing.TB, ctx context.Context, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := try[string](t, ctx, "String("+pairs[i]+")"); got != pairs[i+1] {
			t.Errorf("%s is %q, want %q", pairs[i], got, pairs[i+1])
		}
	}
}

func keys(t testing.TB, ctx context.Context, selector, text string) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.SendKeys(selector, text, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
}

// draw draws n times, each in its own right.
func draw(t testing.TB, ctx context.Context, n int) {
	t.Helper()
	before := try[int](t, ctx, "get().Rendereds")
	run(t, ctx, fmt.Sprintf("renders(%d)", n))
	for range 200 {
		if try[int](t, ctx, "get().Rendereds") >= before+n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d renders did not come", n)
}

func TestRenderer_inChromium(t *testing.T) {
	url := serve(t, "page", strict)
	tab := chromium.Start(t, chromium.Options{Flags: []string{"js-flags=--expose-gc"}})
	count := 0
	for name, test := range map[string]func(*testing.T, context.Context){
		"typing":              typing,
		"state of controls":   controls,
		"lists":               lists,
		"reordering":          reordering,
		"long texts":          longTexts,
		"events":              events,
		"events while locked": lateEvents,
		"release":             release,
		"namespaces, styles":  namespacesAndStyles,
		"islands":             islands,
		"coalescing":          coalescing,
		"a broken document":   brokenDocument,
		"close":               closing,
	} {
		t.Run(name, func(t *testing.T) {
			if err := chromedp.Run(tab, chromedp.Navigate(url), chromedp.Poll("globalThis.ready && document.querySelector('#count')", nil)); err != nil {
				t.Fatalf("%v: %+v", err, tab.Problems())
			}
			test(t, tab)
			tab.NoProblems(t)
		})
		count++
	}
	if count != 13 {
		t.Errorf("%d tests", count)
	}
	t.Run("the loop of Run", func(t *testing.T) {
		if err := chromedp.Run(tab, chromedp.Navigate(url+"?run"), chromedp.Poll("globalThis.ready && document.querySelector('#count')", nil)); err != nil {
			t.Fatal(err)
		}
		events(t, tab)
		slowBuilds(t, tab)
		closing(t, tab)
		tab.NoProblems(t)
	})
	// The policy was in force, and a violation would have been seen.
	if try[bool](t, tab, "document.body.setAttribute('style', 'color: red'); true"); len(tab.Problems()) == 0 {
		t.Error("the policy lets a style attribute pass, or nobody notices")
	}
	if try[string](t, tab, "(() => { try { return eval('1') } catch (e) { return e.name } })()") != "EvalError" {
		t.Error("eval works")
	}
}

func typing(t *testing.T, ctx context.Context) {
	for _, id := range []string{"#static", "#free", "#bound", "#area"} {
		keys(t, ctx, id, "hel")
		run(t, ctx, `set({Name: "changed"})`)
		draw(t, ctx, 3)
		keys(t, ctx, id, "lo")
		run(t, ctx, fmt.Sprintf("globalThis.field = document.querySelector(%q); field.setSelectionRange(1, 3, 'backward')", id))
		run(t, ctx, `set({Name: "again"})`)
		draw(t, ctx, 3)
		want(t, ctx, "field.value", "hello", "document.activeElement === field", "true",
			"[field.selectionStart, field.selectionEnd, field.selectionDirection]", "1,3,backward")
		keys(t, ctx, id, "X") // at the end, where SendKeys goes: it focuses first
	}
	want(t, ctx, "get().Bound", try[string](t, ctx, "document.querySelector('#bound').value"), "document.querySelector('#free').placeholder", "again")
	keys(t, ctx, "#picky", "a1b2")
	want(t, ctx, "document.querySelector('#picky').value", "12", "get().Picky", "12")
}

func controls(t *testing.T, ctx context.Context) {
	run(t, ctx, `document.querySelector("#choice").value = "b"; set({Options: ["x", "y", "z"], Choice: "y"})`)
	draw(t, ctx, 2)
	want(t, ctx, "document.querySelector('#choice').value", "b", "document.querySelector('#dynamic').value", "y")
	run(t, ctx, `set({Options: ["n", "z", "y"]})`)
	want(t, ctx, "document.querySelector('#dynamic').value", "y")
	run(t, ctx, `const d = document.querySelector("#dynamic"); d.value = "z"; d.dispatchEvent(new Event("change", {bubbles: true}))`)
	draw(t, ctx, 2)
	want(t, ctx, "get().Choice", "z", "document.querySelector('#dynamic').value", "z")
	run(t, ctx, `document.querySelector("#tick").click()`)
	want(t, ctx, "get().Tick", "true", "document.querySelector('#tick').checked", "true")
	run(t, ctx, `set({Tick: false, Bound: "given", Class: "c"})`)
	want(t, ctx, "document.querySelector('#tick').checked", "false", "document.querySelector('#bound').value", "given",
		"document.querySelector('main').className", "c")
	run(t, ctx, `document.querySelector("main").setAttribute("data-other", "stays"); set({Class: ""})`)
	want(t, ctx, "document.querySelector('main').dataset.other", "stays", "document.querySelector('main').className", "")
}

func lists(t *testing.T, ctx context.Context) {
	const items = "[...document.querySelectorAll('ul li')].map(l => l.textContent)"
	for _, list := range []string{"a,b,c", "", "<b>&amp;,é😀", "1,2,3,4,5", "1", ""} {
		run(t, ctx, fmt.Sprintf("set({Items: %q.split(',').filter(s => s)})", list))
		want(t, ctx, items, list)
	}
	want(t, ctx, "document.querySelector('ul').childNodes.length", "0")
	for _, s := range []string{"true", "false", "true"} {
		run(t, ctx, "set({Extra: "+s+", Banner: "+s+"})")
		want(t, ctx, "document.querySelector('#gone') !== null", s, "document.querySelector('main > i') !== null", s,
			"document.querySelector('.banner')?.textContent === 'notice & more'", s)
	}
}

func reordering(t *testing.T, ctx context.Context) {
	run(t, ctx, `set({Keys: ["a", "b", "c", "d"]})`)
	run(t, ctx, `for (const e of document.querySelectorAll("ol li, article")) e.mark = e.textContent;
		globalThis.marks = sel => String([...document.querySelectorAll(sel)].map(e => e.mark))`)
	for _, fallback := range []bool{false, true} {
		if fallback { // as in browsers without it
			run(t, ctx, "delete Element.prototype.moveBefore")
		}
		for _, selector := range []string{"ol li[vg-key], ol input[name=c]", "article[title=c] input"} {
			run(t, ctx, `set({Keys: ["a", "b", "c", "d"]})`)
			run(t, ctx, fmt.Sprintf(`globalThis.field = document.querySelector(%q); field.focus(); field.value = "typed"; field.setSelectionRange(2, 4);
				globalThis.blurs = 0; field.onblur = () => blurs++`, selector))
			for _, order := range []string{"c,a,b,d", "d,c,b,a", "b,d,c,a", "c", "a,c", "x,c,y,a", "a,b,c,d"} {
				run(t, ctx, fmt.Sprintf("set({Keys: %q.split(',')})", order))
				want(t, ctx, "[...document.querySelectorAll('ol li')].map(e => e.textContent)", order,
					"[...document.querySelectorAll('article')].map(e => e.textContent)", order,
					"document.activeElement === field && field.value", "typed", "[field.selectionStart, field.selectionEnd]", "2,4")
			}
			want(t, ctx, "blurs === 0", fmt.Sprint(!fallback))
		}
	}
	// Only c has been there all the time.
	want(t, ctx, "marks('ol li')", ",,c,", "marks('article')", ",,c,")
	// An unrelated element comes and goes before the list: Vugu replaces the
	// components inside those after it, the elements stay.
	run(t, ctx, `for (const e of document.querySelectorAll("article em")) e.mark = e.textContent`)
	for _, s := range []string{"true", "false"} {
		run(t, ctx, "set({Banner: "+s+"})")
		want(t, ctx, "marks('article em')", "a,b,c,d")
	}
}

func longTexts(t *testing.T, ctx context.Context) {
	run(t, ctx, "document.body.style.display = 'none'") // laying out megabytes of one word can take minutes
	for _, s := range []string{"'x'.repeat(1 << 20)", "'é😀<'.repeat(1 << 18)", "'short'"} {
		run(t, ctx, "globalThis.long = "+s+"; set({Name: long, Items: [long]})")
		want(t, ctx, "document.querySelector('#name').title === long", "true", "document.querySelector('#name').textContent === long", "true",
			"document.querySelector('ul li').textContent === long", "true", "document.querySelector('#free').placeholder === long", "true")
	}
}

func events(t *testing.T, ctx context.Context) {
	draw(t, ctx, 100)
	run(t, ctx, "for (let i = 0; i < 3; i++) document.querySelector('#add').click()")
	want(t, ctx, "get().Count", "3", "document.querySelector('#count').textContent", "3", "document.querySelector('#slotted').textContent", "3",
		"getEventListeners(document.querySelector('#add')).click.length", "1")
	run(t, ctx, "document.querySelector('#inner').click()")
	want(t, ctx, "get().Name", "click inner in inner", "get().Outer", "0")
	run(t, ctx, "document.querySelector('#outer').click()")
	want(t, ctx, "get().Outer", "1")
	want(t, ctx, "document.querySelector('#inner').dispatchEvent(new Event('click', {cancelable: true}))", "false")
}

func lateEvents(t *testing.T, ctx context.Context) {
	run(t, ctx, "document.querySelector('#chain').click()")
	want(t, ctx, "get().Count", "1", "get().Name", "chained", "document.querySelector('#count').textContent", "1")
	// Focus given by a script inside a handler, then the focused element is
	// removed by the render: its blur finds nobody.
	run(t, ctx, "set({Extra: true}); document.querySelector('#leaver').focus()")
	want(t, ctx, "get().Focused", "1")
	run(t, ctx, "set({Extra: false})")
	want(t, ctx, "get().Blurred", "0", "document.querySelector('#leaver')", "null")
	// Events while some goroutine waits with the lock held come in order.
	run(t, ctx, "hold(50); for (const id of ['add', 'chain', 'inner']) document.getElementById(id).click()")
	want(t, ctx, "get().Count", "1")
	for range 200 {
		if try[string](t, ctx, "get().Name") == "click inner in inner" {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	want(t, ctx, "get().Name", "click inner in inner", "get().Count", "3", "document.querySelector('#count').textContent", "3")
}

func release(t *testing.T, ctx context.Context) {
	run(t, ctx, "globalThis.before = drawer.size()")
	run(t, ctx, `set({Extra: true, Keys: ["a", "b", "c"]}); globalThis.refs = ["#gone", "#leaver", "ol li", "article"].map(s => new WeakRef(document.querySelector(s)));
		globalThis.gone = document.querySelector("#gone"); gone.click()`)
	want(t, ctx, "get().Gone", "1", "drawer.size() > before", "true")
	run(t, ctx, "set({Extra: false, Keys: []})")
	want(t, ctx, "drawer.size() === before", "true")
	// The old element's number is another's now, and one that listens.
	run(t, ctx, `set({Items: Array(100).fill("x")}); gone.click(); delete globalThis.gone`)
	want(t, ctx, "get().Gone", "1", "get().Count", "0")
	draw(t, ctx, 2)
	for range 50 {
		run(t, ctx, "collect(); gc()")
		if try[string](t, ctx, "String(refs.filter(r => r.deref()).length)") == "0" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("elements still alive: %s", try[string](t, ctx, "String(refs.map(r => r.deref()?.outerHTML))"))
}

func namespacesAndStyles(t *testing.T, ctx context.Context) {
	run(t, ctx, `set({Count: 7, Transform: "scale(2)", Raw: "<p style='color: rgb(4, 5, 6)' class=k>raw <svg><circle r=3 /></svg></p><img alt=none>"})`)
	want(t, ctx, "document.querySelector('rect') instanceof SVGRectElement", "true", "document.querySelector('rect').getBBox().width", "7",
		"document.querySelector('use').getAttributeNS('http://www.w3.org/1999/xlink', 'href')", "#x",
		"document.querySelector('g:not(.fixed)').getAttribute('transform')", "scale(2)",
		"getComputedStyle(document.querySelector('#styled')).color", "rgb(1, 2, 3)",
		"getComputedStyle(document.querySelector('#raw p')).color", "rgb(4, 5, 6)",
		"document.querySelector('.fixed circle') instanceof SVGCircleElement", "true",
		"document.querySelector('#raw circle') instanceof SVGCircleElement", "true")
	run(t, ctx, `set({Style: "color: rgb(7, 8, 9); margin-top: 4px"})`)
	want(t, ctx, "getComputedStyle(document.querySelector('#styled')).color", "rgb(7, 8, 9)", "getComputedStyle(document.querySelector('#styled')).marginTop", "4px")
	run(t, ctx, `set({Style: null, Name: "<img src=x onerror=alert(1)>"})`)
	want(t, ctx, "getComputedStyle(document.querySelector('#styled')).color", "rgb(1, 2, 3)", "getComputedStyle(document.querySelector('#styled')).marginTop", "0px",
		"document.querySelector('#name').textContent", "<img src=x onerror=alert(1)>")
}

func islands(t *testing.T, ctx context.Context) {
	run(t, ctx, "document.querySelector('#island').append('own content')")
	draw(t, ctx, 3)
	want(t, ctx, "get().Creates", "1", "get().Populates === get().Rendereds", "true", "get().Firsts", "1",
		"isIsland(document.querySelector('#island'))", "true", "document.querySelector('#island').textContent", "own content")
}

func coalescing(t *testing.T, ctx context.Context) {
	before := try[int](t, ctx, "get().Rendereds")
	run(t, ctx, "burst(50)")
	if n := try[int](t, ctx, "get().Rendereds") - before; n < 1 || n > 2 {
		t.Errorf("%d renders for 50 requests at once", n)
	}
}

func brokenDocument(t *testing.T, ctx context.Context) {
	// Somebody removed the node that the banner is to be put before.
	run(t, ctx, "const f = document.querySelector('form'); f.previousSibling.remove(); f.remove(); set({Banner: true})")
	if e := try[string](t, ctx, "lastError()"); !strings.Contains(e, "insertBefore") {
		t.Errorf("error %q", e)
	}
	draw(t, ctx, 1)
	want(t, ctx, "document.querySelectorAll('form').length", "1", "document.querySelectorAll('.banner').length", "1", "document.querySelectorAll('main').length", "1")
	run(t, ctx, "document.querySelector('#add').click()")
	want(t, ctx, "document.querySelector('#count').textContent", "1")
}

// slowBuilds shows that the browser has a turn between building and drawing if
// building takes long, and that what happens in it counts.
func slowBuilds(t *testing.T, ctx context.Context) {
	const drawn = "document.querySelector('#count').textContent"
	poll := func(text string) {
		t.Helper()
		if err := chromedp.Run(ctx, chromedp.Poll(drawn+" === "+fmt.Sprintf("%q", text), nil)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, ctx, "globalThis.calls = []; slow(0); settled(() => calls.push('at once'))")
	want(t, ctx, "calls", "at once")
	run(t, ctx, "slow(30); set({Count: 41, Bound: ''}); globalThis.within = "+drawn+"; settled(() => calls.push("+drawn+"))")
	poll("41")
	want(t, ctx, "within !== '41'", "true", "calls", "at once,41")
	// What is typed in that turn is not taken back, not even for a moment.
	run(t, ctx, `const field = document.querySelector('#bound'), value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
		globalThis.assigned = [];
		Object.defineProperty(field, 'value', {configurable: true, get() { return value.get.call(this) }, set(v) { assigned.push(v); value.set.call(this, v) }});
		set({Count: 42}); globalThis.within = `+drawn+`;
		value.set.call(field, 'typed'); globalThis.free = field.dispatchEvent(new Event('input', {bubbles: true}))`)
	poll("42")
	want(t, ctx, "within", "41", "get().Bound", "typed", "document.querySelector('#bound').value", "typed", "assigned.length", "0")
	// Changes that never stop do not keep it from drawing.
	run(t, ctx, `slow(12); const { port1, port2 } = globalThis.channel = new MessageChannel();
		port2.onmessage = () => { burst(1); burst(1); port1.postMessage(null) }; port1.postMessage(null); set({Count: 43})`)
	poll("43")
	run(t, ctx, "channel.port2.close(); slow(0)")
}

func closing(t *testing.T, ctx context.Context) {
	before := try[string](t, ctx, "document.querySelector('#count').textContent")
	run(t, ctx, "closePage(); document.querySelector('#add').click()")
	want(t, ctx, "String(get().Count)", before, "ready", "closed", "document.querySelector('#count').textContent", before)
}
