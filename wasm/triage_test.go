//go:build !js

package wasm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/chromedp"
)

// opened returns a visit with the lab capture's flows scored: labelled, with
// attacks in it.
func opened(t *testing.T, files ...string) *visit {
	t.Helper()
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{Width: 1440, Height: 1000})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	v.drop(t, filepath.Base(files[0]), readFile(t, files[0]))
	v.waitFor(t, "verdicts", finished)
	return v
}

// enter puts text into an input, as typing does.
func (v *visit) enter(t *testing.T, selector, text, event string) {
	t.Helper()
	v.waitFor(t, selector, `document.querySelector(`+quoted(selector)+`)`)
	code := fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.focus(); e.value = %s; if (e.setSelectionRange && e.type === 'text') e.setSelectionRange(e.value.length, e.value.length); e.dispatchEvent(new Event(%q, {bubbles: true})) })()`, selector, quoted(text), event)
	if err := v.frame(code, nil); err != nil {
		t.Fatal(err)
	}
}

// press dispatches a key on the focused element.
func (v *visit) press(t *testing.T, key string) {
	t.Helper()
	if err := v.frame(`document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: `+quoted(key)+`, bubbles: true, cancelable: true}))`, nil); err != nil {
		t.Fatal(err)
	}
}

func (v *visit) number(t *testing.T, expression string) (n float64) {
	t.Helper()
	if err := v.frame(expression, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

const (
	listed  = `document.querySelector('#grid[aria-busy=false]')`
	rowsIn  = `(Number(document.querySelector('#grid').getAttribute('aria-rowcount')) - 1)`
	address = `parent.location.hash`
)

// saved waits for a download whose name ends so and returns it.
func (v *visit) saved(t *testing.T, suffix string) []byte {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		names, _ := filepath.Glob(filepath.Join(v.downloads, "*"+suffix))
		for _, n := range names {
			if b, err := os.ReadFile(n); err == nil && len(b) > 0 {
				_ = os.Remove(n)
				return b
			}
		}
	}
	t.Fatalf("no file %s was saved", suffix)
	return nil
}

// Point 1: filter, complete, group, brush, mark, note, undo, session, address.
func TestTriage_filterMarkAndSession(t *testing.T) {
	v := opened(t, "../models/sample/lab.csv")
	all := v.number(t, rowsIn)
	v.enter(t, "#search", "score >= 0.5 and not port = 80", "input")
	v.waitFor(t, "fewer rows", listed+` && `+rowsIn+` < `+fmt.Sprint(all)+` && `+rowsIn+` > 0`)
	v.waitFor(t, "the address", `decodeURIComponent(`+address+`).includes('q=score >= 0.5')`)
	v.enter(t, "#search", "score >= high", "input")
	v.waitFor(t, "the fault", `document.querySelector('#filter-note').innerText.includes('at character 10: "high" is no number')`)
	v.shot(t, "triage-fault")
	v.enter(t, "#search", "sev", "input")
	v.waitFor(t, "offers", `document.querySelector('#filter-list [role=option]')?.innerText.includes('severity')`)
	v.press(t, "ArrowDown")
	v.press(t, "Enter")
	v.waitFor(t, "what was taken", `document.querySelector('#search').value === 'severity ' && document.querySelector('#filter-list [role=option]').innerText.trim().startsWith('=')`)
	v.shot(t, "triage-complete")

	v.enter(t, "#search", "", "input")
	v.waitFor(t, "all rows", listed+` && `+rowsIn+` === `+fmt.Sprint(all))

	// an address of the capture is named: it stays out of the page's address
	source := v.text(t, `#grid [role=row][aria-rowindex="2"] .c-addr`)
	v.enter(t, "#search", "src = "+source, "input")
	v.waitFor(t, "the rows of a source", listed+` && document.querySelector('#filter-note').innerText.includes('not put into')`)
	var hash string
	if err := v.frame(address, &hash); err != nil || strings.Contains(hash, source) || strings.Contains(hash, "q=") {
		t.Errorf("the address is %q, %v", hash, err)
	}
	v.enter(t, "#search", "", "input")
	v.waitFor(t, "all rows", listed+` && `+rowsIn+` === `+fmt.Sprint(all))

	for _, by := range []string{"source", "technique", "class"} {
		v.enter(t, "#group", by, "change")
		v.waitFor(t, "groups by "+by, fmt.Sprintf(`document.querySelector('#group-title')?.innerText === 'By %s' && document.querySelectorAll('[aria-label="By %s, table"] tbody tr').length > 0`, by, by))
	}
	v.shot(t, "triage-groups")
	v.click(t, `[aria-label="By class, table"] tbody button`)
	v.waitFor(t, "one class", listed+` && document.querySelector('#search').value.startsWith('class = ')`)
	v.enter(t, "#search", "", "input")

	// brushes by their keyboard twins
	v.enter(t, "#score-from", "0.3", "change")
	v.waitFor(t, "a range of scores", listed+` && `+rowsIn+` < `+fmt.Sprint(all)+` && document.querySelector('.hist-plot .brush').offsetWidth > 2`)
	v.enter(t, "#score-from", "0", "change")
	v.waitFor(t, "all scores", listed+` && `+rowsIn+` === `+fmt.Sprint(all))
	from := v.number(t, `Date.parse(document.querySelector('#time-from').value + 'Z')`)
	to := v.number(t, `Date.parse(document.querySelector('#time-to').value + 'Z')`)
	v.enter(t, "#time-from", time.UnixMilli(int64((from+to)/2)).UTC().Format("2006-01-02T15:04:05"), "change")
	v.waitFor(t, "a stretch of time", listed+` && `+rowsIn+` < `+fmt.Sprint(all))
	v.shot(t, "triage-brush")
	v.click(t, `.time-plot ~ *, #time-title`)
	if err := v.frame(`[...document.querySelectorAll('button')].find(b => b.innerText === 'All times').click()`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "all times", listed+` && `+rowsIn+` === `+fmt.Sprint(all))

	// marks, a note, undo
	if err := v.frame(`document.querySelector('#grid').focus()`, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		v.press(t, "x") // confirmed, refuted
	}
	v.press(t, "j")
	v.press(t, "x")
	v.press(t, "Enter")
	v.waitFor(t, "the record", `document.querySelector('.note-input')`)
	v.enter(t, ".note-input", "ask <b>Ann</b>", "input")
	v.waitFor(t, "the marks", `[...document.querySelectorAll('#grid .c-row')].map(e => e.innerText).join().includes('✗') && document.querySelector('.chip[aria-pressed=true]')?.innerText.includes('confirmed')`)
	if err := v.frame(`document.querySelector('#grid').focus()`, nil); err != nil {
		t.Fatal(err)
	}
	v.press(t, "k")
	v.press(t, "x")
	v.press(t, "u") // back to refuted
	if err := v.frame(`[...document.querySelectorAll('button')].find(b => b.innerText === 'Save session').click()`, nil); err != nil {
		t.Fatal(err)
	}
	data := v.saved(t, ".session.json")
	var s struct {
		Marks []struct {
			Row        int64
			Mark, Note string
		}
	}
	if err := json.Unmarshal(data, &s); err != nil || len(s.Marks) != 2 || s.Marks[0].Mark != "refuted" || s.Marks[1].Mark != "confirmed" || s.Marks[1].Note != "ask <b>Ann</b>" {
		t.Fatalf("%v: %s", err, data)
	}
	if bytes.Contains(data, []byte(source)) {
		t.Error("the session holds an address of the capture that was not typed")
	}

	// a new visit, the same file, the session: marks are back
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	v.drop(t, "lab.csv", readFile(t, "../models/sample/lab.csv"))
	v.waitFor(t, "verdicts", finished)
	v.drop(t, "lab.session.json", data)
	v.waitFor(t, "the marks", `[...document.querySelectorAll('#grid .c-row')].map(e => e.innerText).join().includes('✗')`)
	v.drop(t, "lab.session.json", append(data[:len(data)-2], "x}\n"...))
	v.waitFor(t, "the refusal", `document.querySelector('.note-error')?.innerText.includes('no session file')`)
	v.shot(t, "triage-session")
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// Point 2: charts over many records, with twins; compare; copy.
func TestWhy_chartsOverManyRecords(t *testing.T) {
	v := opened(t, sampleCSV)
	v.click(t, "#tab-why")
	v.click(t, "#explain-all")
	v.waitFor(t, "every row explained", `document.querySelector('#why-title')?.nextElementSibling.innerText === '557 records are explained.'`)
	v.enter(t, "#why-class", "0", "change")
	v.waitFor(t, "the charts", `document.querySelectorAll('.figure-card svg').length >= 3 && document.querySelectorAll('.figure-card circle').length > 100`)
	v.shot(t, "why")
	for range 3 {
		if err := v.frame(`document.querySelectorAll('.figure-card .card-tools button')[0].click()`, nil); err != nil {
			t.Fatal(err)
		}
	}
	v.waitFor(t, "the table twin", `document.querySelectorAll('[aria-label="What matters: mean |φ|, table"] tbody tr').length >= 20`)
	if err := v.frame(`(() => { const card = [...document.querySelectorAll('.figure-card')].find(c => c.ariaLabel === 'Direction and spread'); for (const b of card.querySelectorAll('button')) if (b.innerText !== 'Table') b.click() })()`, nil); err != nil {
		t.Fatal(err)
	}
	if svg := v.saved(t, "beeswarm.svg"); !bytes.HasPrefix(svg, []byte("<svg")) || bytes.Count(svg, []byte("<circle")) < 100 {
		t.Errorf("the saved drawing: %.200s", svg)
	}
	if csv := v.saved(t, "beeswarm.csv"); bytes.Count(csv, []byte("\r\n")) < 20 {
		t.Errorf("the saved table: %.200s", csv)
	}
	// a dot opens its record, which is then ringed
	if err := v.frame(`document.querySelector('circle[data-row]').dispatchEvent(new MouseEvent('click', {bubbles: true}))`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the record and its ring", `document.querySelector('#shap-title') && document.querySelectorAll('.fig-ring').length > 5`)
	if err := v.frame(`[...document.querySelectorAll('.marks button')].find(b => b.innerText === 'Compare').click()`, nil); err != nil {
		t.Fatal(err)
	}
	v.click(t, `[aria-label="Next row"]`)
	v.waitFor(t, "the next record", `document.querySelector('#record-title').innerText !== '' && [...document.querySelectorAll('.marks button')].find(b => b.innerText === 'Compare').ariaPressed === 'false'`)
	if err := v.frame(`[...document.querySelectorAll('.marks button')].find(b => b.innerText === 'Compare').click()`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the comparison", `document.querySelectorAll('[aria-label="Records compared"] polyline').length === 2`)
	v.shot(t, "why-compare")
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// Point 2: an alert is explained in its own words, each with its share by sign,
// and in a table that lists the words that are missing, too.
func TestWhy_wordsOfAnAlert(t *testing.T) {
	v := opened(t, "../models/sample/alerts.csv")
	v.click(t, `#grid [role=row][aria-rowindex="2"]`)
	v.waitFor(t, "the words", `document.querySelector('.drawer .tokens mark') && document.querySelector('.drawer [aria-label^="Words"] tbody tr')`)
	var marks, rows [][]string
	if err := v.frame(`[...document.querySelectorAll('.drawer .tokens mark')].map(m => [m.firstChild.data, m.title, m.lastChild.innerText])`, &marks); err != nil {
		t.Fatal(err)
	}
	if err := v.frame(`[...document.querySelectorAll('.drawer [aria-label^="Words"] tbody tr')].map(r => [...r.children].map(c => c.innerText))`, &rows); err != nil {
		t.Fatal(err)
	}
	shares, signed := map[string][]string{}, 0
	for _, m := range marks {
		if strings.HasPrefix(m[1], "+") || strings.HasPrefix(m[1], "\u2212") { // others are next to nothing
			signed++
			if !strings.HasPrefix(m[1], m[2]) {
				t.Errorf("%q with %s bears the sign %q", m[0], m[1], m[2])
			}
		}
		shares[m[0]] = append(shares[m[0]], m[1])
	}
	present, absent := 0, 0
	for _, r := range rows {
		if r[1] == "absent" {
			absent++
			continue
		}
		if !slices.Contains(shares[r[0]], r[2]) {
			t.Errorf("the table says %q, the text has %q", r, shares[r[0]])
		}
		present++
	}
	if len(marks) < 5 || signed == 0 || present == 0 || absent == 0 {
		t.Errorf("%d words marked, %d with a sign; in the table %d of the text, %d absent", len(marks), signed, present, absent)
	}
	for _, s := range []string{"Kubernetes", "CronJob"} {
		if got := v.text(t, ".drawer .tokens"); !strings.Contains(got, s) {
			t.Errorf("the text lacks %q: %s", s, got)
		}
	}
}

// Point 3: states, labels, per-class thresholds.
func TestThreshold_againstLabels(t *testing.T) {
	v := opened(t, sampleCSV)
	v.click(t, "#tab-threshold")
	v.waitFor(t, "the measures", `document.querySelector('#measure-title') && document.querySelector('[aria-label="ROC"] polyline')`)
	v.enter(t, "#threshold", "0.5", "change")
	v.waitFor(t, "another threshold", `document.querySelector('.chart-flagged strong').innerText !== '0'`)
	v.waitFor(t, "its measures", `/^\d/.test(document.querySelector('.verdict-figures dd').innerText)`)
	v.shot(t, "threshold")
	// the confusion matrix adds up to the rows
	sum := v.number(t, `[...document.querySelectorAll('[aria-label="Confusion matrix, table"] tbody tr')].reduce((n, r) => n + Number(r.lastElementChild.innerText.replace(/,/g, '')), 0)`)
	if sum != 557 {
		t.Errorf("the confusion matrix holds %v rows", sum)
	}
	flagged := v.text(t, ".chart-flagged strong")
	v.enter(t, "#own-0", "1", "change")
	v.waitFor(t, "the address", address+`.includes('t.Benign=1')`)
	if now := v.text(t, ".chart-flagged strong"); now == flagged {
		t.Logf("no benign verdict was flagged: %s", now)
	}
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// Point 5: anomalies by time, limit and source.
func TestAnomalies_byTimeLimitAndSource(t *testing.T) {
	v := opened(t, sampleCSV)
	v.click(t, "#tab-anomalies")
	v.enter(t, "#strange", "0.9", "change")
	v.waitFor(t, "strange rows", `/[1-9]\d* rows? (is|are) strange/.test(document.querySelector('#strange-title').nextElementSibling.innerText) && document.querySelectorAll('[aria-label="Strange rows by source, table"] tbody tr').length > 0`)
	v.waitFor(t, "the charts", `document.querySelector('[aria-label="Strange rows over time"] rect') && document.querySelector('[aria-label="What the limit does"] polyline')`)
	v.shot(t, "anomalies")
	v.click(t, `[aria-label="Strange rows by source, table"] tbody button`)
	v.waitFor(t, "the rows", listed+` && document.querySelector('#search')?.value.includes('anomaly >= 0.9') && `+rowsIn+` > 0`)
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// Point 7: several files are one run with a column that names the file, and a
// large file is split over workers.
func TestScale_severalFilesAndWorkers(t *testing.T) {
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{Width: 1440, Height: 1000})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	dir := t.TempDir()
	head, rows, _ := bytes.Cut(readFile(t, sampleCSV), []byte("\n"))
	for name, times := range map[string]int{"a.csv": 300, "b.csv": 1} {
		content := append(append(bytes.Clone(head), '\n'), bytes.Repeat(rows, times)...)
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "c.txt"), []byte("Dear sir,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv"), filepath.Join(dir, "c.txt")}
	if err := v.uploadAll(paths); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "verdicts of both", finished+` && document.querySelector('.tile dd').innerText === '167,657'`)
	if got := v.text(t, ".input-card"); !strings.Contains(got, "c.txt") || !strings.Contains(got, "No reader recognises this file") {
		t.Errorf("the input panel says %s", got)
	}
	if got := v.text(t, ".run-memory"); strings.Contains(got, "1 worker ") || !strings.Contains(got, "workers") {
		t.Logf("one worker only: %s", got)
	}
	v.shot(t, "several")
	v.enter(t, "#search", "file = b.csv", "input")
	v.waitFor(t, "the rows of b", listed+` && `+rowsIn+` === 557`)
	v.click(t, `#grid [role=row][aria-rowindex="5"]`)
	v.waitFor(t, "the record", `document.querySelector('#record-title')?.innerText === 'Row 4' && document.querySelector('.drawer .sentence').innerText.includes('ow 4 ')`)
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// uploadAll chooses files in the first file input.
func (v *visit) uploadAll(paths []string) error {
	return chromedp.Run(v, chromedp.ActionFunc(v.choosing(paths)))
}
