//go:build !js

package wasm_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/chromedp"
)

// shots keeps a screenshot of each screen in this folder.
var shots = flag.String("shots", "", "folder for screenshots")

// waitFor polls a JavaScript condition in the program's frame.
func (v *visit) waitFor(t testing.TB, what, condition string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(30 * time.Millisecond) {
		var ok bool
		err := v.frame(`!!(`+condition+`)`, &ok)
		if err == nil && ok {
			return
		}
		if time.Since(start) > 40*time.Second {
			var text string
			_ = v.frame(`document.body.innerText`, &text)
			t.Fatalf("waiting for %s (%s): %v; problems %+v; the page says:\n%s", what, condition, err, v.Problems(), text)
		}
	}
}

// text returns the text of the first element that matches.
func (v *visit) text(t *testing.T, selector string) string {
	t.Helper()
	var s string
	if err := v.frame(`(document.querySelector(`+quoted(selector)+`)||{innerText:"(no `+strings.ReplaceAll(selector, `"`, "")+`)"}).innerText`, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (v *visit) click(t testing.TB, selector string) {
	t.Helper()
	v.waitFor(t, selector, `document.querySelector(`+quoted(selector)+`)`)
	if err := v.frame(`document.querySelector(`+quoted(selector)+`).click()`, nil); err != nil {
		t.Fatal(err)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func (v *visit) shot(t *testing.T, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	for _, dark := range []bool{false, true} {
		if err := chromedp.Run(v, chromium.ColorScheme(dark), chromedp.Sleep(150*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		v.Screenshot(t, filepath.Join(*shots, name+map[bool]string{false: "-light.png", true: "-dark.png"}[dark]))
	}
	if err := chromedp.Run(v, chromium.ColorScheme(false)); err != nil {
		t.Fatal(err)
	}
}

// finished is true once a run has ended and its table stands.
const finished = `document.querySelector('.run-tools .primary') && document.querySelector('#grid [role=row][aria-rowindex="2"]')`

const sampleCSV = "../models/sample/flows.csv"

// shownDigits is half of the last digit that the page shows of attributions.
const shownDigits = 0.5001e-4

// number reads the number that a text starts with.
func number(t *testing.T, text string) float64 {
	t.Helper()
	text, _, _ = strings.Cut(strings.TrimSpace(strings.ReplaceAll(text, "\u2212", "-")), " ")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// drop drops a file on the page, as a visitor does with the mouse.
func (v *visit) drop(t testing.TB, name string, content []byte) {
	t.Helper()
	code := `(() => {
		const bytes = Uint8Array.from(atob(` + quoted(base64.StdEncoding.EncodeToString(content)) + `), c => c.charCodeAt(0));
		const data = new DataTransfer();
		data.items.add(new File([bytes], ` + quoted(name) + `));
		const at = document.querySelector('#main');
		for (const type of ['dragover', 'drop']) at.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
	})()`
	if err := v.frame(code, nil); err != nil {
		t.Fatal(err)
	}
}

// line is what `cloister score` prints for a row.
type line struct {
	Row         int64
	Class       string
	Probability float64
	Severity    string
	Anomaly     float64
	Base        float64
	SHAP        map[string]float64
}

func scoreNatively(t *testing.T, path string, explain int) []line {
	t.Helper()
	cmd := exec.Command("../bin/cloister", "score", "--bundle", "../models/flows/1.bundle", path, "--explain", fmt.Sprint(explain))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cloister score: %v", err)
	}
	var lines []line
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// The main job: drop a file, see every row scored, open a record, and find in
// it what the command line says of the same row.
func TestJourney_dropScoreExplain(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	v.shot(t, "landing")
	v.drop(t, "flows.csv", readFile(t, sampleCSV))
	v.waitFor(t, "verdicts", finished)
	want := scoreNatively(t, sampleCSV, 10)
	if got := v.text(t, ".tile dd"); got != fmt.Sprint(len(want)) {
		t.Errorf("rows scored: the page says %q, the command line %d", got, len(want))
	}
	v.shot(t, "results")

	var head []string
	if err := v.frame(`[...document.querySelectorAll('#grid [role=columnheader]')].map(e => e.innerText.trim())`, &head); err != nil {
		t.Fatal(err)
	}
	var cells [][]string
	if err := v.frame(`[...document.querySelectorAll('#grid [role=row][aria-rowindex]')].slice(1, 11).map(r => [...r.querySelectorAll('[role=gridcell]')].map(e => e.innerText.trim()))`, &cells); err != nil {
		t.Fatal(err)
	}
	if len(cells) < 10 {
		t.Fatalf("%d rows in the table: %q", len(cells), cells)
	}
	for i, c := range cells {
		row := strings.Join(c, " | ")
		if !strings.Contains(row, want[i].Class) || !strings.HasPrefix(row, fmt.Sprint(want[i].Row)) {
			t.Errorf("table row %d is %q, the command line says %+v", i, row, want[i])
		}
	}
	for _, title := range []string{"Row", "Source", "Destination", "Verdict", "Probability", "Severity", "Anomaly", "Technique"} {
		if !strings.Contains(strings.Join(head, "|"), title) {
			t.Errorf("no column %q among %q", title, head)
		}
	}

	// the records of ten rows say what the command line says, and add up; the
	// bits are compared in shared/score, natively against wasm
	for i, want := range want[:10] {
		v.click(t, fmt.Sprintf(`#grid [role=row][aria-rowindex="%d"]`, i+2))
		v.waitFor(t, "the record", fmt.Sprintf(`document.querySelector('#record-title')?.innerText === 'Row %d' && document.querySelector('.drawer .sentence')?.innerText.includes('ow %d ') && document.querySelector('#shap-title')`, want.Row, want.Row))
		if i == 0 {
			v.shot(t, "record")
			v.click(t, `#shap-title ~ .card-tools button`)
		}
		var shown [][2]string
		if err := v.frame(`[...document.querySelectorAll('[aria-label="Attributions as a table"] tbody tr')].map(r => [r.querySelector('th').innerText, r.querySelector('td:last-child').innerText.replace('\u2212', '-')])`, &shown); err != nil {
			t.Fatal(err)
		}
		var facts []string
		if err := v.frame(`[...document.querySelectorAll('.facts dd')].map(e => e.innerText)`, &facts); err != nil {
			t.Fatal(err)
		}
		sum := number(t, facts[0])
		if len(shown) != len(want.SHAP) || len(shown) < 20 {
			t.Fatalf("row %d: %d attributions shown, the command line has %d", want.Row, len(shown), len(want.SHAP))
		}
		for _, s := range shown {
			phi := number(t, s[1])
			sum += phi
			if exact, ok := want.SHAP[s[0]]; !ok || math.Abs(phi-exact) > shownDigits {
				t.Errorf("row %d: %s is shown as %v, the command line says %v", want.Row, s[0], phi, exact)
			}
		}
		margin := number(t, facts[1])
		if math.Abs(number(t, facts[0])-want.Base) > shownDigits {
			t.Errorf("row %d: the base is shown as %q, the command line says %v", want.Row, facts[0], want.Base)
		}
		// the margin is what attributions add up to; a probability may be calibrated
		if p := v.text(t, ".verdict-figures dd"); !strings.ContainsAny(p, "<>") && math.Abs(number(t, p)/100-want.Probability) > 0.0005001 {
			t.Errorf("row %d: the probability is shown as %q, the command line says %v", want.Row, p, want.Probability)
		}
		if math.Abs(sum-margin) > float64(len(shown)+2)*shownDigits {
			t.Errorf("row %d: what is shown sums to %v, the margin is %v", want.Row, sum, margin)
		}
	}
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// A capture becomes flows and verdicts in the browser, as many as its flow file
// has rows.
func TestJourney_capture(t *testing.T) {
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{})
	v.open(t)
	path, err := filepath.Abs("../models/sample/lab.pcap.gz")
	if err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	if err := v.upload(path); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "verdicts", finished)
	rows := bytes.Count(readFile(t, "../models/sample/lab.csv"), []byte("\n")) - 1
	var scored int
	if err := v.frame(`Number(document.querySelector('.tile dd').innerText.replace(/\D/g, ''))`, &scored); err != nil {
		t.Fatal(err)
	}
	if scored != rows {
		t.Errorf("%d flows scored, the flow file of the capture has %d", scored, rows)
	}
	v.click(t, `#grid [role=row][aria-rowindex="3"]`)
	v.waitFor(t, "an explanation", `document.querySelector('#shap-title')`)
	if got := v.text(t, ".run"); !strings.Contains(got, "pcap capture, Ethernet, 40,469 packets") {
		t.Errorf("the page calls the file %q", got)
	}
	v.shot(t, "capture")
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// Bad input ends in a message that says what to do, and what was scored before
// stays.
func TestJourney_badInput(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	sample := readFile(t, sampleCSV)
	tests := []struct{ name, content, text string }{
		{"empty.csv", "", "the file is empty"},
		{"prose.txt", "Dear sir,\nplease find enclosed\n", "no reader recognises this file"},
		{"wide.csv", strings.Repeat("IN_BYTES,", 9999) + "X\n1\n", "columns: 10000 is over the limit"},
		{"flows.parquet", "PAR1\x15\x04\x15\x00", "parquet: byte 0: no PAR1 at the end: the file was cut short"},
		{"flows.zip", "PK\x03\x04\x14\x00", "ZIP archive: recognised, but not read here"},
		{"few.csv", "L4_DST_PORT,L4_SRC_PORT,IPV4_SRC_ADDR,IPV4_DST_ADDR\n1,2,a,b\n", "cannot be made from this file"},
	}
	for _, tt := range tests {
		v.drop(t, tt.name, []byte(tt.content))
		v.waitFor(t, tt.name, `document.querySelector('.note-error')?.innerText.toLowerCase().includes(`+quoted(strings.ToLower(tt.text))+`)`)
	}
	v.shot(t, "refused")

	v.drop(t, "cut.csv", sample[:len(sample)-40])
	v.waitFor(t, "verdicts of the cut file", finished)
	if got := v.text(t, ".input-card"); !strings.Contains(got, "cut short") {
		t.Errorf("the cut row is not listed: %s", got)
	}
	if rows := v.text(t, ".tile dd"); rows == "0" || rows == "" {
		t.Errorf("rows scored: %q", rows)
	}
	v.shot(t, "dropped")

	// so does a file without verdicts
	v.drop(t, "prose.txt", []byte("Dear sir,\n"))
	v.waitFor(t, "prose.txt", `document.querySelector('.note-error')?.innerText.toLowerCase().includes('no reader recognises this file')`)
	if rows := v.text(t, ".tile dd"); rows == "0" || strings.HasPrefix(rows, "(no") {
		t.Errorf("after prose.txt the verdicts are gone: %q", rows)
	}

	// a damaged bundle, or a file that is none, leaves what is loaded
	good := readFile(t, "../models/flows/1.bundle")
	good[len(good)/2] ^= 1
	for name, content := range map[string][]byte{"broken.bundle": good, "wrong.bundle": sample} {
		v.drop(t, name, content)
		v.waitFor(t, name, `document.querySelector('.note-error')?.innerText.toLowerCase().includes('bundle refused')`)
		if rows := v.text(t, ".tile dd"); rows == "0" || strings.HasPrefix(rows, "(no") {
			t.Errorf("after %s the verdicts are gone: %q", name, rows)
		}
	}
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// Cancel stops a long run and keeps its verdicts; the table then scrolls to
// the end of them.
func TestJourney_cancel(t *testing.T) {
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	head, rows, _ := bytes.Cut(readFile(t, sampleCSV), []byte("\n"))
	big := filepath.Join(t.TempDir(), "big.csv")
	content := append(append(head, '\n'), bytes.Repeat(rows, 400)...) // 222,800 rows
	if err := os.WriteFile(big, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.upload(big); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "progress", `document.querySelector('progress') && /left|remaining|ETA/i.test(document.querySelector('.run-line').innerText) && document.querySelector('#grid [role=row][aria-rowindex="2"]')`)
	v.shot(t, "scoring")
	v.click(t, `.run-tools button`)
	v.waitFor(t, "the end of the run", finished)
	if got := v.text(t, ".run"); !strings.Contains(strings.ToLower(got), "cancel") {
		t.Errorf("the page does not say that the run was cancelled: %s", got)
	}
	var scored int
	if err := v.frame(`Number(document.querySelector('.tile dd').innerText.replace(/\D/g, ''))`, &scored); err != nil {
		t.Fatal(err)
	}
	if scored == 0 || scored >= 222_800 {
		t.Errorf("%d rows after cancelling", scored)
	}
	v.click(t, "#grid")
	if err := v.frame(`(() => { const g = document.querySelector('#grid'); g.scrollTop = g.scrollHeight })()`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the last row", fmt.Sprintf(`document.querySelector('#grid [role=row][aria-rowindex="%d"]')`, scored+1))
	var drawn int
	if err := v.frame(`document.querySelectorAll('#grid [role=row]').length`, &drawn); err != nil {
		t.Fatal(err)
	}
	if drawn > 120 {
		t.Errorf("%d rows in the document: the table is not virtual", drawn)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// BenchmarkPage_coldStart reports, in a browser with an empty profile, how long
// it takes from asking for the page until the sample's verdicts are on show, and
// the part of it until the bundle is loaded and has passed its self-test. The
// budget is 1.5 s on two idle cores.
func BenchmarkPage_coldStart(b *testing.B) {
	url := serveBuilt(b, &witness{}, nil) + "/"
	const rounds = 5
	var loaded, scored []float64
	for b.Loop() {
		for range rounds {
			v := startVisit(b, url, chromium.Options{})
			began := time.Now()
			v.open(b)
			v.waitFor(b, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
			loaded = append(loaded, time.Since(began).Seconds())
			if err := v.frame(`[...document.querySelectorAll('button')].find(b => b.textContent === 'Try the sample').click()`, nil); err != nil {
				b.Fatal(err)
			}
			v.waitFor(b, "verdicts", finished)
			scored = append(scored, time.Since(began).Seconds())
			v.Close(b)
		}
	}
	slices.Sort(loaded)
	slices.Sort(scored)
	b.ReportMetric(loaded[len(loaded)/2], "s-to-bundle")
	b.ReportMetric(scored[len(scored)/2], "s-to-verdicts")
	b.ReportMetric(scored[0], "s-best")
	b.ReportMetric(scored[len(scored)-1], "s-worst")
	b.ReportMetric(0, "ns/op")
}
