//go:build !js

package wasm_test

import (
	"fmt"
	"strings"
	"testing"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe is axe-core's script, which `make test-e2e` installs from npm; it is
// injected by the test and no part of what is served.
const axe = "../build/tools/node_modules/axe-core/axe.min.js"

// a stop is a screen and how to come there from the one before.
type stop struct {
	name string
	go_  func(t *testing.T, v *visit)
	at   string // what a screenshot starts with; otherwise the tabs, where there are some
}

// tour are all screens, in an order in which each leads to the next.
var tour = []stop{
	{"landing", func(t *testing.T, v *visit) {
		v.open(t)
		v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	}, ""},
	{"landing-open", func(t *testing.T, v *visit) { v.unfold(t) }, ""},
	{"verdicts", func(t *testing.T, v *visit) {
		v.drop(t, "lab.csv", readFile(t, "../models/sample/lab.csv"))
		v.waitFor(t, "verdicts", finished+` && document.querySelector('#time-title')`)
	}, ".run"},
	{"table", func(t *testing.T, v *visit) {}, "#table-title"},
	{"filter", func(t *testing.T, v *visit) {
		v.enter(t, "#search", "score >= high", "input")
		v.waitFor(t, "the fault", `document.querySelector('#search').ariaInvalid === 'true'`)
		v.enter(t, "#group", "class", "change")
		v.waitFor(t, "groups", `document.querySelectorAll('[aria-labelledby="group-title"] tbody tr').length > 0`)
		v.enter(t, "#search", "sev", "input")
		v.waitFor(t, "offers", `document.querySelector('#filter-list [role=option]')`)
	}, "#table-title"},
	{"record", func(t *testing.T, v *visit) {
		v.enter(t, "#search", "", "input")
		v.waitFor(t, "all rows", listed+` && `+rowsIn+` > 100`)
		v.click(t, `#grid [role=row][aria-rowindex="3"]`)
		v.waitFor(t, "the record", `document.querySelector('#shap-title')`)
	}, ""},
	{"why", func(t *testing.T, v *visit) {
		v.click(t, `[aria-label="Close the record"]`)
		v.enter(t, "#search", "row <= 60", "input")
		v.waitFor(t, "few rows", listed+` && `+rowsIn+` <= 60`)
		v.click(t, "#tab-why")
		v.click(t, "#explain-all")
		v.waitFor(t, "the charts", `!document.querySelector('.screen progress') && document.querySelectorAll('.figure-card svg').length >= 3`)
	}, ""},
	{"threshold", func(t *testing.T, v *visit) {
		v.click(t, "#tab-threshold")
		v.waitFor(t, "the measures", `document.querySelector('#states-title') && document.querySelector('#own-0')`)
	}, ""},
	{"anomalies", func(t *testing.T, v *visit) {
		v.click(t, "#tab-anomalies")
		v.waitFor(t, "the charts", `document.querySelector('#strange-title') && document.querySelectorAll('.figure-card svg').length >= 1`)
	}, ""},
	{"attack", func(t *testing.T, v *visit) {
		v.click(t, "#tab-attack")
		v.waitFor(t, "the matrix", `document.querySelector('.tech-found')`)
		v.click(t, ".tech-found")
		v.waitFor(t, "the card", `document.querySelector('#technique-title')`)
	}, ""},
	{"reports", func(t *testing.T, v *visit) {
		v.click(t, "#export")
		v.waitFor(t, "the menu", `document.querySelector('.menu').open`)
	}, ".run"},
	{"input", func(t *testing.T, v *visit) {
		v.click(t, "#export")
		v.unfold(t)
	}, ".input-card"},
	{"bundles", func(t *testing.T, v *visit) {
		v.click(t, "#tab-bundles")
		v.waitFor(t, "the bundles", `document.querySelector('#tab-bundles').getAttribute('aria-current') === 'page' && !/Being looked at|Not looked at yet/.test(document.querySelector('#main').innerText)`)
	}, ""},
	{"mapping", func(t *testing.T, v *visit) {
		v.click(t, "#edit-columns")
		v.waitFor(t, "the mapping", `document.querySelector('#wizard-title')`)
	}, "#wizard-title"},
	{"about", func(t *testing.T, v *visit) { v.panel(t, "#about") }, ""},
	{"seal", func(t *testing.T, v *visit) { v.panel(t, "#seal") }, ""},
	{"help", func(t *testing.T, v *visit) { v.panel(t, "#help") }, ""},
	{"fault", func(t *testing.T, v *visit) {
		v.noPanel(t)
		v.drop(t, "prose.txt", []byte("Dear sir,\n"))
		v.waitFor(t, "the fault", `document.querySelector('.note-error')`)
	}, ""},
	{"devices", func(t *testing.T, v *visit) {
		v.drop(t, "wards.csv", wards(t))
		v.waitFor(t, "verdicts of the bundle for telemetry", `document.querySelector('.run-tools .primary') && document.querySelector('#tab-telemetry')`)
		v.click(t, "#tab-telemetry")
		v.waitFor(t, "the time line", `document.querySelector('#windows') && document.querySelector('[aria-label^="Time line by device"] svg')`)
	}, ""},
	{"window", func(t *testing.T, v *visit) {
		if err := v.frame(`document.querySelector('#windows').focus()`, nil); err != nil {
			t.Fatal(err)
		}
		for range 200 { // to one that fits a scenario
			v.press(t, "PageDown")
			if strings.Contains(v.value(t), "Ransomware") {
				break
			}
		}
		v.press(t, "Enter")
		v.waitFor(t, "the record", `document.querySelector('#metrics-of')`)
	}, ""},
}

// unfold opens everything that is folded.
func (v *visit) unfold(t *testing.T) {
	t.Helper()
	if err := v.frame(`document.querySelectorAll('main details:not(.menu)').forEach(d => d.open = true)`, nil); err != nil {
		t.Fatal(err)
	}
}

// noPanel closes the dialog that is open.
func (v *visit) noPanel(t *testing.T) {
	t.Helper()
	if err := v.frame(`document.querySelector('.dialog-head button')?.click()`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "no panel", `!document.querySelector('.dialog')`)
}

// panel opens a dialog after closing another.
func (v *visit) panel(t *testing.T, id string) {
	t.Helper()
	v.noPanel(t)
	v.click(t, id)
	v.waitFor(t, "the panel", `document.querySelector('.dialog') && document.activeElement.id === 'panel-title'`)
}

// violations runs axe-core with the rules of WCAG 2.2 AA and below, and returns
// what it reports, a line each.
func (v *visit) violations(t *testing.T) (lines []string) {
	t.Helper()
	const run = `axe.run(document, {runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}, resultTypes: ['violations']})
		.then(r => ({passes: r.passes.length, lines: r.violations.flatMap(x => x.nodes.map(n => x.id + ': ' + n.target.join(' ') + ': ' + (n.failureSummary || '').split('\n').slice(1).join(' ').trim()))}))`
	var got struct {
		Passes int
		Lines  []string
	}
	if err := v.frame(run, &got); err != nil {
		t.Fatal(err)
	}
	if got.Passes < 10 {
		t.Errorf("axe-core has applied %d rules", got.Passes)
	}
	return got.Lines
}

// tooWide returns what is wider than the window (WCAG 1.4.10). What scrolls on
// its own may hold wide things; no such box may be wide itself.
func (v *visit) tooWide(t *testing.T) (bad []string) {
	t.Helper()
	const wide = `(() => {
		const inside = e => { for (let p = e.parentElement; p; p = p.parentElement) if (p !== document.querySelector('#top') && p.id !== 'app' && /auto|scroll|hidden/.test(getComputedStyle(p).overflowX)) return true; return false };
		const bad = [...document.querySelectorAll('#app *')].filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.right > innerWidth + 1 && !inside(e) && getComputedStyle(e).position !== 'absolute' || e.scrollWidth > e.clientWidth + 1 && e.id === 'top' });
		const all = Math.max(document.documentElement.scrollWidth, document.querySelector('#top').scrollWidth);
		return bad.slice(0, 5).map(e => e.tagName + '.' + e.getAttribute('class') + '#' + e.id + ' ' + Math.round(e.getBoundingClientRect().right)).concat(all > innerWidth ? ['all: ' + all] : []);
	})()`
	if err := v.frame(wide, &bad); err != nil {
		t.Fatal(err)
	}
	return bad
}

// The checks of TestScreens_tour do report: a picture without a name, grey on
// grey, a box that is too wide.
func TestA11y_checksReport(t *testing.T) {
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{})
	tour[0].go_(t, v)
	if err := v.frame(string(readFile(t, axe)), nil); err != nil {
		t.Fatal(err)
	}
	if err := v.frame(`document.querySelector('#main').insertAdjacentHTML('beforeend', '<p id="bad">grey words</p><button></button>'), document.querySelector('#bad').style.cssText = 'color:#999;background:#aaa;width:3000px'`, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(v.violations(t), "\n"); !strings.Contains(got, "color-contrast: #bad") || !strings.Contains(got, "button-name") {
		t.Errorf("of a bad page axe-core says %q", got)
	}
	if got := strings.Join(v.tooWide(t), "\n"); !strings.Contains(got, "#bad") || !strings.Contains(got, "all: 3") {
		t.Errorf("of a wide page: %q", got)
	}
}

// Who asks for less motion sees none.
func TestA11y_reducedMotion(t *testing.T) {
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{Flags: []string{"force-prefers-reduced-motion"}})
	tour[0].go_(t, v)
	const moving = `[...document.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e); return s.transitionDuration !== '0s' || s.animationName !== 'none' || s.scrollBehavior === 'smooth' }).length`
	if n := v.number(t, moving); n != 0 {
		t.Errorf("%v elements move", n)
	}
	if n := v.number(t, `matchMedia('(prefers-reduced-motion: reduce)').matches ? 1 : 0`); n != 1 {
		t.Error("the browser does not ask for it: the check means nothing")
	}
}

// Everything is reached by keys: the sheet opens with ?, says what other tests
// press, and gives the focus back.
func TestA11y_helpSheet(t *testing.T) {
	v := opened(t, "../models/sample/lab.csv")
	if err := v.frame(`document.querySelector('#run-title').focus()`, nil); err != nil {
		t.Fatal(err)
	}
	v.press(t, "?")
	v.waitFor(t, "the sheet", `document.querySelector('.dialog .key-list kbd') && document.activeElement.id === 'panel-title'`)
	v.press(t, "Escape")
	v.waitFor(t, "the focus", `!document.querySelector('.dialog') && document.activeElement.id === 'help'`)
	v.press(t, "e")
	v.waitFor(t, "the reports", `document.activeElement.id === 'export'`)
	for i, id := range []string{"verdicts", "why", "threshold", "anomalies", "attack", "bundles"} {
		v.press(t, fmt.Sprint(i+1))
		v.waitFor(t, id, `document.querySelector('#tab-`+id+`').ariaCurrent === 'page' || document.querySelector('#tab-`+id+`').getAttribute('aria-current') === 'page'`)
	}
	// a key in a field is text
	v.press(t, "1")
	v.press(t, "/")
	v.waitFor(t, "the filter", `document.activeElement.id === 'search'`)
	v.press(t, "?")
	if n := v.number(t, `document.querySelectorAll('.dialog').length`); n != 0 {
		t.Error("? in the filter opens the sheet")
	}
}

// Language and clock are switched in the page, kept, and written
// as Intl and the machine's time zone say, summer time included.
func TestA11y_languageAndClock(t *testing.T) {
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{Width: 1440, Height: 1000})
	if err := chromedp.Run(v, emulation.SetTimezoneOverride("Europe/Berlin")); err != nil {
		t.Fatal(err)
	}
	tour[0].go_(t, v)
	v.drop(t, "lab.csv", readFile(t, "../models/sample/lab.csv"))
	v.waitFor(t, "verdicts", finished)
	const millis = `Date.parse(document.querySelector('#grid [role=row][aria-rowindex="2"] .c-time').innerText.replace(' ', 'T') + 'Z')`
	utc, hour := v.number(t, millis), 3600e3
	v.click(t, "#help")
	v.click(t, "#language-de")
	v.waitFor(t, "German", `document.documentElement.lang === 'de' && document.querySelector('#panel-title').innerText === 'Hilfe und Einstellungen' && document.querySelector('#tab-verdicts').innerText === 'Urteile' && document.body.innerText.includes('1.234.567, 0,5')`)
	v.click(t, "#clock-local")
	ahead := v.number(t, fmt.Sprintf(`new Date(Number(new Intl.DateTimeFormat('en-GB', {timeZone: 'Europe/Berlin', hour: '2-digit', hour12: false}).format(%f)) * 3600e3 - new Date(%f).getUTCHours() * 3600e3).getTime()`, utc, utc))
	if ahead < 0 {
		ahead += 24 * hour
	}
	if ahead != hour && ahead != 2*hour {
		t.Fatalf("Berlin is %v ms ahead", ahead)
	}
	v.waitFor(t, "local time", fmt.Sprintf(`%s === %f && document.querySelector('[role=columnheader].c-time').innerText.includes('Ortszeit')`, millis, utc+ahead))
	v.press(t, "Escape")
	v.waitFor(t, "what was kept", `localStorage.getItem('cloister-language') === 'de' && localStorage.getItem('cloister-clock') === 'local'`)
	// a time that is typed is local, too: from the first row's on there are all rows
	all := v.number(t, rowsIn)
	if err := v.frame(`(() => { const e = document.querySelector('#time-from'); e.dispatchEvent(new Event('change', {bubbles: true})) })()`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the same rows", listed+` && `+rowsIn+` === `+fmt.Sprint(all))
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}
