//go:build !js

package wasm_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const telemetryBundle = "../models/telemetry/1.bundle"

// useBundle opens a bundle's file, as a visitor does.
func (v *visit) useBundle(t *testing.T, path string) {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	err = chromedp.Run(v, chromedp.ActionFunc(func(ctx context.Context) error {
		id, err := v.context(ctx)
		if err != nil {
			return err
		}
		input, thrown, err := runtime.Evaluate(`document.querySelector('#choose-bundle')`).WithContextID(id).Do(ctx)
		if err != nil || thrown != nil || input.ObjectID == "" {
			return fmt.Errorf("no input for a bundle (%v, %v)", err, thrown)
		}
		return dom.SetFileInputFiles([]string{path}).WithObjectID(input.ObjectID).Do(ctx)
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// windowLine is what `cloister score` prints of a window.
type windowLine struct {
	Row         int64
	Class       string
	Probability float64
	Anomaly     float64
	AttackScore float64 `json:"attack_score"`
	Abstained   bool
	Flagged     bool
	Window      struct {
		Device, Start, Scenario, Metrics string
		Simulated                        bool
	}
}

var simulated = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("../bin/cloister", "telemetry", "simulate", "--devices", "2", "--hours", "6", "--step", "30").Output()
})

// wards is samples of two simulated hosts, a device under each of the six attacks
// in turn.
func wards(t *testing.T) []byte {
	t.Helper()
	content, err := simulated()
	if err != nil {
		t.Fatalf("cloister telemetry simulate: %v", err)
	}
	return content
}

// fleetFile is that, and what the command line says of its windows.
func fleetFile(t *testing.T) (content []byte, lines map[int64]windowLine) {
	t.Helper()
	content = wards(t)
	path := filepath.Join(t.TempDir(), "wards.csv")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("../bin/cloister", "score", "--bundle", telemetryBundle, path).Output()
	if err != nil {
		t.Fatalf("cloister score: %v", err)
	}
	lines = map[int64]windowLine{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var l windowLine
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines[l.Row] = l
	}
	return content, lines
}

// The telemetry bundle is opened as a file and samples are dropped: devices
// over time, scenarios, the metrics behind a window, the dictionary, and the
// verdicts of the command line.
func TestTelemetry_devicesOverTime(t *testing.T) {
	content, want := fleetFile(t)
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{Width: 1440, Height: 1100})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	v.useBundle(t, telemetryBundle)
	v.waitFor(t, "the telemetry bundle", `document.querySelector('.bundle-name')?.innerText.includes('telemetry') && !document.querySelector('#choose').disabled`)
	v.drop(t, "wards.csv", content)
	v.waitFor(t, "verdicts", finished)

	// every window, as a file, says what the command line says
	if err := v.frame(`[...document.querySelectorAll('.run-tools button')].find(b => b.innerText.startsWith('CSV')).click()`, nil); err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(bytes.NewReader(v.saved(t, ".csv"))).ReadAll()
	if err != nil || len(table) != len(want)+1 || len(want) < 1000 {
		t.Fatalf("%d lines in the file, the command line has %d windows: %v", len(table), len(want), err)
	}
	column := map[string]int{}
	for i, name := range table[0] {
		column[name] = i
	}
	fits, strange, devices := 0, 0, map[string]bool{}
	for _, row := range table[1:] {
		cell := func(name string) string { return row[column[name]] }
		figure := func(name string) float64 { return number(t, cell(name)) }
		w := want[int64(figure("row"))]
		start, err := time.Parse(time.RFC3339, w.Window.Start)
		if err != nil {
			t.Fatal(err)
		}
		if cell("class") != w.Class || cell("DEVICE") != w.Window.Device || cell("SCENARIO") != w.Window.Scenario || cell("SIMULATED") != "yes" || !w.Window.Simulated ||
			figure("WINDOW_START") != float64(start.UnixMilli()) || cell("abstained") != strconv.FormatBool(w.Abstained) || cell("flagged") != strconv.FormatBool(w.Flagged) ||
			figure("probability") != w.Probability || figure("attack_probability") != w.AttackScore || figure("anomaly") != w.Anomaly {
			t.Errorf("the page says %q, the command line %+v", row, w)
		}
		if w.Window.Scenario != "" {
			fits++
		}
		if w.Anomaly >= 0.99 {
			strange++
		}
		devices[w.Window.Device] = true
	}
	if fits < 10 || strange < 50 || len(devices) != 2 {
		t.Fatalf("%d windows fit a scenario, %d are strange, %d devices", fits, strange, len(devices))
	}

	// the time line, counted in its table
	v.click(t, "#tab-telemetry")
	const drawing = `document.querySelector('[aria-label^="Time line by device"] svg')`
	v.waitFor(t, "the time line", `document.querySelector('#windows') && `+drawing)
	v.shot(t, "telemetry")
	if n := v.number(t, drawing+`.querySelectorAll('.fig-stamp').length`); n != 2 {
		t.Errorf("%v devices are stamped as simulated", n)
	}
	texts := v.text(t, `[aria-label^="Time line by device"] svg`)
	var svg string
	if err := v.frame(drawing+`.textContent`, &svg); err != nil || !strings.Contains(svg, "Ransomware") || !strings.Contains(svg, "99.0 %") || !strings.Contains(svg, "SIMULATED") {
		t.Errorf("the drawing says %q (%q), %v", svg, texts, err)
	}
	marks := int(v.number(t, drawing+`.querySelectorAll('path[data-row^="-"]').length`))
	episodes := int(v.number(t, `document.querySelectorAll('[aria-label="Windows that fit a scenario, table"] tbody tr').length`))
	if marks == 0 || marks != episodes {
		t.Errorf("%d triangles, %d lines of scenarios", marks, episodes)
	}
	var counted [][]string
	if err := v.frame(`[...document.querySelectorAll('[aria-label="Windows by device, table"] tbody tr')].map(r => [...r.children].map(c => c.innerText))`, &counted); err != nil {
		t.Fatal(err)
	}
	sum := [4]float64{}
	for _, r := range counted {
		for k, i := range []int{1, 2, 3, 5} {
			sum[k] += number(t, strings.ReplaceAll(r[i], ",", ""))
		}
	}
	flagged := 0.0
	for _, w := range want {
		if w.Flagged {
			flagged++
		}
	}
	if len(counted) != 2 || sum != [4]float64{float64(len(want)), float64(strange), flagged, float64(fits)} {
		t.Errorf("by device %q: sums %v", counted, sum)
	}
	v.click(t, `section[aria-label="Time line by device"] .card-tools button`)
	v.waitFor(t, "its table", `document.querySelectorAll('[aria-label="Time line by device, table"] tbody tr').length > 100`)
	over := v.number(t, `[...document.querySelectorAll('[aria-label="Time line by device, table"] tbody tr')].reduce((n, r) => n + Number(r.children[5].innerText), 0)`)
	if over != float64(strange) {
		t.Errorf("%v windows at the limit in the table, %d by the command line", over, strange)
	}
	v.click(t, `section[aria-label="Time line by device"] .card-tools button`)

	// by keys to a window in a scenario, and into its record
	if err := v.frame(`document.querySelector('#windows').focus()`, nil); err != nil {
		t.Fatal(err)
	}
	v.press(t, "Home")
	for range 200 {
		v.press(t, "PageDown")
		if strings.Contains(v.value(t), "Ransomware") {
			break
		}
	}
	if !strings.Contains(v.value(t), "Ransomware") {
		t.Fatalf("the keys lead to %q", v.value(t))
	}
	v.press(t, "Enter")
	v.waitFor(t, "the record", `document.querySelector('#metrics-of')`)
	v.shot(t, "telemetry-record")
	record := v.text(t, ".drawer")
	for _, s := range []string{"SIMULATED", "Ransomware", "T1486", "Data Encrypted for Impact", "Sum over metrics"} {
		if !strings.Contains(record, s) {
			t.Errorf("the record lacks %q", s)
		}
	}
	for _, of := range []string{"anomaly", "verdict"} {
		v.enter(t, "#metrics-of", of, "change")
		v.waitFor(t, "the metrics of the "+of, `document.querySelector('.drawer [aria-label^="Metrics behind the `+of+`"]')`)
		if err := v.frame(`document.querySelector('.drawer [aria-label^="Metrics behind"] button[aria-pressed=false]')?.click()`, nil); err != nil {
			t.Fatal(err)
		}
		v.waitFor(t, "the table of metrics", `document.querySelector('.drawer [aria-label^="Metrics behind"] tbody tr')`)
		var rows [][]string
		if err := v.frame(`[...document.querySelectorAll('.drawer [aria-label^="Metrics behind"] tbody tr')].map(r => [...r.children].map(c => c.innerText))`, &rows); err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, r := range rows[:len(rows)-2] {
			total += number(t, r[1])
		}
		metrics, features := number(t, rows[len(rows)-2][1]), number(t, rows[len(rows)-1][1])
		if len(rows) < 8 || math.Abs(total-metrics) > float64(len(rows))*0.5001e-5 || metrics != features {
			t.Errorf("%d metrics of the %s add up to %v; the sums are %v and %v", len(rows)-2, of, total, metrics, features)
		}
	}
	v.shot(t, "telemetry-metrics")

	// the dictionary
	v.enter(t, "#dictionary-search", "cpu_sustained", "input")
	v.waitFor(t, "one feature", `document.querySelectorAll('[aria-label="Dictionary of features, table"] tbody tr').length === 1`)
	if s := v.text(t, `[aria-label="Dictionary of features, table"] tbody`); !strings.Contains(s, "windows in a row with cpu_avg_pct_mean > 80") || !strings.Contains(s, "Behavioural") {
		t.Errorf("the dictionary says %q", s)
	}

	// a triangle filters
	if err := v.frame(drawing+`.querySelector('path[data-row^="-"]').dispatchEvent(new MouseEvent('click', {bubbles: true}))`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the windows of a scenario", listed+` && `+rowsIn+` > 0 && `+rowsIn+` < `+fmt.Sprint(fits)+` && document.querySelector('#search').value.includes('scenario = ')`)
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// value is what the slider of windows says.
func (v *visit) value(t *testing.T) string {
	t.Helper()
	var s string
	if err := v.frame(`document.querySelector('#windows').getAttribute('aria-valuetext')`, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
