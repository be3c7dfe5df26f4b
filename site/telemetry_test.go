package site

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/job/jobtest"
	"cloister/shared/report"
	"cloister/shared/score"
	"cloister/shared/telemetry"

	"github.com/vugu/vugu"
	"github.com/vugu/vugu/staticrender"
)

// windowHost has the published bundle of telemetry and the real scorer.
type windowHost struct {
	*host
	bundle []byte
}

func (h windowHost) Bundle() (string, []byte) { return "telemetry.bundle", h.bundle }

func (h windowHost) Connect() (job.Pipe, func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, b := jobtest.Pipe()
	h.pipes = append(h.pipes, a)
	go job.Serve(b, score.New())
	return a, a.Close, nil
}

// fleetCSV is two devices with known metrics, a sample a minute for 200
// minutes; ward-3, which a simulator made, is encrypted in the last 20.
func fleetCSV() []byte {
	var b bytes.Buffer
	b.WriteString("timestamp,device_id,disk_reads_ops,disk_writes_ops,disk_busy_pct,proc_new,proc_terminated,net_bytes_in,net_bytes_out,simulated\n")
	for k, device := range []string{"ward-3", hostile} {
		reads, writes, in, out := 0.0, 0.0, 0.0, 0.0
		for i := range 200 {
			r, w, busy, fresh := 50+float64(i%7), 40+float64(i%5), 5.0, float64(i%2)
			if i >= 180 && k == 0 {
				r, w, busy, fresh = 400, 700, 95, 9
			}
			reads, writes, in, out = reads+60*r, writes+60*w, in+60*(1e5+float64(i%11)*1e3), out+60*(5e4+float64(i%3)*1e3)
			fmt.Fprintf(&b, "%d,%q,%v,%v,%v,%v,%v,%v,%v,%d\n", 1_780_272_000+60*i, strings.ReplaceAll(device, `"`, ""), math.Floor(reads), math.Floor(writes), busy, fresh, fresh, math.Floor(in), math.Floor(out), 1-k)
		}
	}
	return b.Bytes()
}

// fleetPage is a page with fleetCSV scored and the devices on show.
func fleetPage(t *testing.T) *page {
	t.Helper()
	bundle, err := os.ReadFile("../models/telemetry/1.bundle")
	if err != nil {
		t.Fatal(err)
	}
	env := &staticrender.RWMutexEventEnv{}
	h := &host{saved: map[string]string{}, kept: map[string]string{}, scrolled: map[string]float64{}, seal: Seal{Sealed: true}}
	be, err := vugu.NewBuildEnv(env)
	if err != nil {
		t.Fatal(err)
	}
	app := New(windowHost{h, bundle}, env)
	p := &page{t, h, env, app, &Root{App: app}, be}
	t.Cleanup(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, x := range h.pipes {
			x.Close()
		}
	})
	app.Start()
	p.wait("Host telemetry")
	h.files = []job.File{file{bytes.NewReader(fleetCSV()), "ward.csv"}}
	p.fire(byID("choose"), "change", nil)
	p.wait("400 rows scored", "tab-telemetry")
	p.fire(byID("tab-telemetry"), "click", nil)
	p.wait("By device", "Windows that fit a scenario", `id="windows"`)
	return p
}

// The page names fields that package telemetry defines, which it does not link.
func TestFleet_namesAreTelemetrys(t *testing.T) {
	for got, want := range map[string]string{
		telemetrySchema: telemetry.Schema().Name, fieldDevice: telemetry.FieldDevice, fieldEnd: telemetry.FieldEnd, fieldScenario: telemetry.FieldScenario,
		fieldTechniques: telemetry.FieldTechniques, fieldMetrics: telemetry.FieldMetrics, fieldSimulated: telemetry.FieldSimulated,
		report.WatchKinds[0].Field: telemetry.FieldLevel, report.WatchKinds[1].Field: telemetry.FieldChange, report.WatchKinds[2].Field: telemetry.FieldVolatility,
	} {
		if got != want {
			t.Errorf("%q, package telemetry says %q", got, want)
		}
	}
	if roleOf(telemetry.FieldDevice) != roleSource || roleOf(telemetry.FieldStart) != roleTime {
		t.Error("devices are no sources, or starts no times")
	}
	seen := [3]int{}
	for _, f := range telemetry.Features(telemetry.DefaultConfig()) {
		for k, w := range report.WatchKinds {
			if strings.HasPrefix(f.Name, w.Prefix) {
				seen[k]++
			}
		}
	}
	if seen != [3]int{13, 13, 13} {
		t.Errorf("features of the kinds: %v", seen)
	}
}

func TestTelemetryScreen_showsDevicesScenariosAndSimulation(t *testing.T) {
	p := fleetPage(t)
	s := p.wait("ward-3", "Ransomware", "T1486", "SIMULATED: 200 of 400 windows")
	if strings.Contains(s, "<img src=x") {
		t.Error("a device name became markup")
	}
	if strings.Contains(s, "bundle has no anomaly model") {
		t.Error("no anomaly model")
	}
	n := &p.app.fleet.done
	if len(n.devices) != 2 || n.devices[0].name != "ward-3" || n.windows != 400 || n.simulated != 200 || n.devices[0].simulated != 200 {
		t.Fatalf("%d devices, %d windows, %d simulated", len(n.devices), n.windows, n.simulated)
	}
	if len(n.episodes) == 0 || n.episodes[0].text != "Ransomware" || n.episodes[0].device != n.devices[0] || n.episodes[0].technique != "T1486" || !n.episodes[0].simulated {
		t.Fatalf("episodes %+v", n.episodes)
	}
	// counted again, row by row
	st := p.app.store
	for _, d := range n.devices {
		var windows, strange, hot, matched int64
		for i := range st.row {
			if st.find(roleSource).word(int32(i)) == d.name {
				windows++
				if st.anomaly[i] >= p.app.strangeLimit() {
					strange++
				}
				if st.flags(i, p.app.threshold) {
					hot++
				}
				if st.columnOf(fieldScenario).word(int32(i)) != "" {
					matched++
				}
			}
		}
		var binned, rows int64
		for _, b := range d.bins {
			binned += int64(b.n)
			rows += int64(b.over)
		}
		if windows != int64(len(d.rows)) || strange != d.strange || hot != d.hot || matched != d.matched || binned != windows || rows != strange {
			t.Errorf("%s: %d windows, %d strange, %d flagged, %d fit; counted %d %d %d %d, in bins %d and %d", d.name, len(d.rows), d.strange, d.hot, d.matched, windows, strange, hot, matched, binned, rows)
		}
	}
	// the figure's table has every bar, the file too
	f := p.app.fleet.draw()
	bars := 0
	for _, r := range f.rows {
		if len(r) != len(f.head) {
			t.Fatalf("row %q, head %q", r, f.head)
		}
		bars++
	}
	if want := 2 * n.bins(); bars != want || n.bins() != 200 {
		t.Errorf("%d rows of the table, %d stretches for each device", bars, n.bins())
	}
	p.fire(func(n *vugu.VGNode) bool { return n.Data == "button" && deep(n) == "CSV" }, "click", nil)
	p.fire(func(n *vugu.VGNode) bool { return n.Data == "button" && deep(n) == "SVG" }, "click", nil)
	if csv := p.host.saved["ward.devices.csv"]; strings.Count(csv, "\r\n") != bars+1 || !strings.Contains(csv, "Ransomware") {
		t.Errorf("the file has %d lines", strings.Count(csv, "\r\n"))
	}
	if svg := p.host.saved["ward.devices.svg"]; !strings.Contains(svg, ">SIMULATED</text>") || !strings.Contains(svg, "A Ransomware") || strings.Contains(svg, "<img") {
		t.Error("the drawing lacks the stamp or the scenario's name, or has markup of the file")
	}
}

func TestTelemetryScreen_keysMoveAndOpen(t *testing.T) {
	p := fleetPage(t)
	x := &p.app.fleet
	press := func(key string) *fakeEvent {
		return p.fire(byID("windows"), "keydown", map[string]any{"key": key})
	}
	press("Home")
	if x.cursor.device.name != "ward-3" || x.cursor.k != 0 {
		t.Fatalf("Home: %+v", x.cursor.k)
	}
	for _, c := range []struct {
		key string
		k   int
	}{{"ArrowLeft", 0}, {"ArrowRight", 1}, {"ArrowRight", 2}, {"ArrowLeft", 1}, {"End", 199}, {"ArrowRight", 199}, {"ArrowUp", 199}} {
		if e := press(c.key); x.cursor.k != c.k || !e.prevented {
			t.Errorf("%s: window %d, want %d; prevented %v", c.key, x.cursor.k, c.k, e.prevented)
		}
	}
	at := p.app.store.time(int(x.window()))
	press("ArrowDown")
	if x.cursor.device.name == "ward-3" || p.app.store.time(int(x.window())) != at {
		t.Errorf("ArrowDown: %s", x.cursor.device.name)
	}
	press("ArrowUp")
	press("Home")
	press("PageDown")
	i := x.window()
	if x.cursor.k == 0 || !(p.app.store.anomaly[i] >= p.app.strangeLimit()) && p.app.store.columnOf(fieldScenario).word(i) == "" {
		t.Errorf("PageDown went to window %d", x.cursor.k)
	}
	if e := press("q"); e.prevented {
		t.Error("q is no key of the time line")
	}
	press("Enter")
	p.wait("Row "+strconv.Itoa(int(p.app.store.row[i])), "This window", "Sum over metrics")
}

func TestTelemetryScreen_choosesDevicesAndEpisodes(t *testing.T) {
	p := fleetPage(t)
	p.fire(func(n *vugu.VGNode) bool { return n.Data == "button" && deep(n) == "ward-3" }, "click", nil)
	p.wait("All devices")
	for range 1000 {
		p.html()
		p.env.RLock()
		n := len(p.app.fleet.done.lanes)
		p.env.RUnlock()
		if n == 1 {
			break
		}
	}
	if n := p.app.fleet.done; len(n.lanes) != 1 || len(n.devices) != 2 || n.lanes[0].name != "ward-3" {
		t.Fatalf("%d lanes", len(n.lanes))
	}
	p.fire(byID("height"), "change", map[string]any{"target.value": "score"})
	p.wait("Each bar is the highest attack score")
	e := p.app.fleet.done.episodes[0]
	p.fire(func(n *vugu.VGNode) bool {
		return n.Data == "svg" && strings.Contains(attr(n, "aria-label"), "Time line")
	}, "click", map[string]any{"target.dataset.row": "-1"})
	p.settle()
	if !p.app.on("verdicts") || len(p.app.view.index) == 0 || len(p.app.view.index) < e.rows {
		t.Fatalf("%d rows for an episode of %d", len(p.app.view.index), e.rows)
	}
	for _, i := range p.app.view.index {
		if p.app.store.columnOf(fieldScenario).word(i) != "Ransomware" || p.app.store.find(roleSource).word(i) != "ward-3" || p.app.store.time(int(i)) < e.from || p.app.store.time(int(i)) > e.to {
			t.Errorf("row %d is not of the episode", i)
		}
	}
	if p.host.settings != "" && strings.Contains(p.host.settings, "ward") {
		t.Error("a device is named in the address")
	}
}

// Attributions by metric add up to those by feature, and to the model's score.
func TestMetricCard_sumsAreTheRecords(t *testing.T) {
	p := fleetPage(t)
	checked, named := 0, 0
	for _, row := range []int64{1, 15, 120, 185, 199, 260, 400} {
		p.env.Lock()
		p.app.inspect(int32(row - 1))
		p.env.UnlockOnly()
		p.wait("Row "+strconv.FormatInt(row, 10), "Sum over metrics")
		r := p.app.drawer.record
		c := &MetricCard{App: p.app}
		for _, verdict := range []bool{true, false} {
			c.verdict = verdict
			m := c.sums()
			want, margin, base := 0.0, r.Margin, r.Base
			if verdict {
				for _, a := range r.Attributions {
					want += a.SHAP
				}
			} else {
				for _, v := range r.Strange.SHAP {
					want += v
				}
				margin, base = r.Strange.Margin, r.Strange.Base
			}
			total := 0.0
			for _, x := range m.List {
				total += x.Phi
				if x.Metric != report.NoMetric && x.Metric != report.OtherMetrics {
					named++
				}
			}
			if math.Abs(total-want) > 1e-9 || math.Abs(base+total-margin) > 1e-8 || m.N != len(p.app.bundle.Features) {
				t.Errorf("row %d, verdict %v: metrics add up to %v, features to %v; base %v, margin %v", row, verdict, total, want, base, margin)
			}
			checked++
		}
	}
	if checked != 14 || named < 40 {
		t.Errorf("%d sums, %d metrics", checked, named)
	}
	// the encrypted window is put down to the disk and to processes
	p.env.Lock()
	p.app.inspect(185)
	p.env.UnlockOnly()
	p.wait("Row 186", "Data Encrypted for Impact", "T1486", "▼", `id="metrics-of"`)
	c := &MetricCard{App: p.app}
	if top := c.sums().List[0].Metric; !strings.HasPrefix(top, "disk_") && !strings.HasPrefix(top, "proc_") {
		t.Errorf("the window is put down to %s", top)
	}
	p.fire(byID("metrics-of"), "change", map[string]any{"target.value": "verdict"})
	p.wait("Metrics behind the verdict")
}

// The dictionary that is read off the published card is package telemetry's.
func TestDictionary_isTheCards(t *testing.T) {
	card, err := os.ReadFile("../models/telemetry/1.md")
	if err != nil {
		t.Fatal(err)
	}
	var d dictionary
	d.read(job.Bundle{SHA256: "1", Card: string(card), Features: []job.Feature{{Name: "level_z_mean"}, {Name: "odd", Help: "h"}}})
	features := telemetry.Features(telemetry.DefaultConfig())
	if len(features) < 200 || len(d.entries) != len(features)+1 {
		t.Fatalf("%d entries, %d features", len(d.entries), len(features))
	}
	for i, f := range features {
		if i >= len(d.entries) {
			break
		}
		k, ok := d.index[f.Name]
		if !ok {
			t.Errorf("no entry for %s", f.Name)
			continue
		}
		e := d.entries[k]
		from := strings.Replace(strings.Join(f.From, ", "), "*", "all metrics", 1)
		if !strings.EqualFold(e.family, string(f.Family)) || e.formula != f.Formula || e.unit != f.Unit || e.from != from || e.used != (f.Name == "level_z_mean") {
			t.Errorf("%+v, want %+v", e, f)
		}
	}
	if of := d.from(job.Bundle{SHA256: "1"}); !slices.Equal(of("cpu_trend_5"), []string{"cpu_avg_pct"}) || of("level_z_mean") != nil || of("anomaly_score") != nil || of("unknown") != nil {
		t.Error("what features are made from")
	}
	for text, want := range map[string]int{"": len(features) + 1, "cpu trend_5": 1, "CPU_TREND_5": 1, "no such thing": 0, "|z|": 21} {
		got := d.search(text)
		if len(got) != want {
			t.Errorf("%q finds %d, want %d", text, len(got), want)
		}
	}
}

func TestDictionaryCard_searches(t *testing.T) {
	p := fleetPage(t)
	p.wait("Dictionary of features", "Show all")
	p.fire(byID("dictionary-search"), "input", map[string]any{"target.value": "cpu_sustained"})
	p.wait("1 feature of", "cpu_sustained_windows", "windows in a row")
	p.lacks(">net_total_mb_log</code>")
}

func FuzzMeanings(f *testing.F) {
	f.Add("### Anomaly (8)\n\n| feature | definition | unit | made from |\n|---|---|---|---|\n| `a` | x \\| y | s | b, c |\n")
	f.Add("| feature | definition | unit | made from |\n| | | | |\n|")
	f.Fuzz(func(t *testing.T, card string) {
		for _, m := range meanings(card) {
			if strings.Contains(m.name, "\n") || len(m.name) > len(card) {
				t.Errorf("%+v", m)
			}
		}
	})
}
