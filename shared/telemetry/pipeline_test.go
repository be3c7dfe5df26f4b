package telemetry_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/shared/telemetry"
)

// header names the 40 raw metrics.
func header() []string {
	var h []string
	for _, m := range telemetry.Metrics() {
		h = append(h, m.Name)
	}
	return h
}

// at returns the position of a name or fails.
func at(t testing.TB, names []string, name string) int {
	t.Helper()
	i := slices.Index(names, name)
	if i < 0 {
		t.Fatalf("no column %q", name)
	}
	return i
}

// monday is 2026-06-01 00:00 UTC.
const monday = 1_780_272_000_000

// idle makes n samples of a quiet host, a step apart; change edits them.
func idle(t testing.TB, device string, n, stepSec int, seed uint64, change func(i int, set func(metric string, v float64), get func(metric string) float64)) []telemetry.Sample {
	h := header()
	rng := rand.New(rand.NewPCG(seed, 1))
	var out []telemetry.Sample
	totals := map[string]float64{}
	for i := range n {
		v := make([]float64, len(h))
		set := func(m string, x float64) { v[at(t, h, m)] = x }
		get := func(m string) float64 { return v[at(t, h, m)] }
		for j := range v {
			v[j] = math.NaN()
		}
		set("sys_uptime_sec", float64(1000+i*stepSec))
		for c := range 4 {
			set(fmt.Sprintf("cpu_core%d_pct", c), 20+4*rng.Float64())
		}
		set("memory_total_kb", 16<<20)
		set("memory_used_kb", 8<<20+float64(rng.IntN(4096)))
		set("memory_free_kb", 16<<20-get("memory_used_kb"))
		set("swap_used_kb", 0)
		set("disk_busy_pct", 5+rng.Float64())
		for m, per := range map[string]float64{"disk_reads_ops": 50, "disk_writes_ops": 40, "net_bytes_in": 1e5, "net_bytes_out": 5e4, "net_packets_in": 100, "net_packets_out": 80} {
			set(m, per) // per second; counted below, in a fixed order
		}
		for _, m := range []string{"net_errors_in", "net_errors_out", "net_drops_in", "net_drops_out"} {
			set(m, 0)
		}
		for _, m := range []string{"load_1min", "load_5min", "load_15min"} {
			set(m, 1+rng.Float64()/10)
		}
		set("proc_count", float64(200+rng.IntN(4)))
		set("proc_new", float64(rng.IntN(2)))
		set("proc_terminated", float64(rng.IntN(2)))
		set("proc_suspicious", 0)
		set("proc_cpu_top5_sum", 40+rng.Float64())
		set("proc_mem_top5_sum", 30+rng.Float64())
		set("proc_threads_total", float64(800+rng.IntN(10)))
		set("proc_connections_total", float64(200+rng.IntN(5)))
		set("proc_files_open_total", float64(2000+rng.IntN(20)))
		set("proc_entropy", 6.5)
		set("proc_unique_names", 150)
		if change != nil {
			change(i, set, get)
		}
		for _, m := range []string{"disk_reads_ops", "disk_writes_ops", "net_bytes_in", "net_bytes_out", "net_packets_in", "net_packets_out", "net_errors_in", "net_errors_out", "net_drops_in", "net_drops_out"} {
			totals[m] += get(m) * float64(stepSec) * (0.9 + 0.2*rng.Float64())
			set(m, math.Round(totals[m]))
		}
		out = append(out, telemetry.Sample{Device: device, Millis: monday + int64(i*stepSec)*1000, Values: v})
	}
	return out
}

// window is a copy of what a pipeline emits.
type window struct {
	telemetry.Window
	values, features []float64
	level            []telemetry.Part
}

// collect runs samples through all stages.
func collect(t testing.TB, c telemetry.Config, h []string, samples []telemetry.Sample) ([]window, *telemetry.Pipeline) {
	t.Helper()
	p, err := telemetry.NewPipeline(c, h)
	if err != nil {
		t.Fatal(err)
	}
	var out []window
	err = p.Run(samples, func(w *telemetry.Window, x []float64) error {
		out = append(out, window{*w, slices.Clone(w.Values), slices.Clone(x), p.Engineer().Parts("level", 8)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, p
}

// reader returns a function that reads a feature of a window by name.
func reader(t testing.TB, c telemetry.Config) func(w window, name string) float64 {
	var names []string
	for _, f := range telemetry.Features(c) {
		names = append(names, f.Name)
	}
	return func(w window, name string) float64 { return w.features[at(t, names, name)] }
}

func cumulative() telemetry.Config {
	c := telemetry.DefaultConfig()
	c.Counters = telemetry.CountersCumulative
	return c
}

func sameBits(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
}

// The hash of every window and feature of a fixed run: native and wasm run this
// same test and must agree with the constant.
func TestPipeline_sameBitsEverywhere(t *testing.T) {
	samples := idle(t, "a", 400, 10, 7, func(i int, set func(string, float64), get func(string) float64) {
		if i > 300 {
			set("disk_writes_ops", 900)
		}
	})
	got, _ := collect(t, cumulative(), header(), samples)
	h := fnv.New64a()
	for _, w := range got {
		for _, v := range slices.Concat(w.values, w.features) {
			var b [8]byte
			if math.IsNaN(v) {
				v = math.NaN() // one NaN is as good as another
			}
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
			h.Write(b[:])
		}
	}
	const want = "fc72124d04b14eb0"
	if sum := fmt.Sprintf("%x", h.Sum64()); len(got) < 100 || sum != want {
		t.Errorf("%d windows, hash %s, want %s", len(got), sum, want)
	}
}

func TestPipeline_orderOfArrival(t *testing.T) {
	c := cumulative()
	samples := idle(t, "a", 200, 10, 3, nil)
	want, _ := collect(t, c, header(), samples)
	mixed := slices.Clone(samples)
	for i := 0; i+2 < len(mixed); i += 3 { // at most 20 s late, 30 s are allowed
		mixed[i], mixed[i+2] = mixed[i+2], mixed[i]
	}
	got, p := collect(t, c, header(), mixed)
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%d windows, want %d", len(got), len(want))
	}
	for i := range got {
		if !sameBits(got[i].values, want[i].values) || !sameBits(got[i].features, want[i].features) {
			t.Fatalf("window %d differs", i)
		}
	}
	if r := p.Report(); r.Late != 0 || r.Used != 200 {
		t.Errorf("report %+v", r)
	}
	late := slices.Clone(samples)
	late[10], late[100] = late[100], late[10]
	_, p = collect(t, c, header(), append(late, late[5]))
	if r := p.Report(); r.Late+r.Duplicates == 0 || r.Used+r.Late+r.Duplicates != r.Samples {
		t.Errorf("report %+v", r)
	}
	twice := append(slices.Clone(samples[:50]), samples[49])
	_, p = collect(t, c, header(), twice)
	if r := p.Report(); r.Duplicates != 1 {
		t.Errorf("%d duplicates, want 1", r.Duplicates)
	}
	_, p = collect(t, c, header(), append(slices.Clone(samples[:50]), samples[46])) // 30 s before the newest: handed on
	if r := p.Report(); r.Duplicates != 1 || r.Late != 0 {
		t.Errorf("%d duplicates, %d late, want 1, 0", r.Duplicates, r.Late)
	}
}

func TestPipeline_gaps(t *testing.T) {
	samples := idle(t, "a", 100, 10, 3, nil)
	holed := append(slices.Clone(samples[:30]), samples[60:]...)
	got, p := collect(t, cumulative(), header(), holed)
	read := reader(t, cumulative())
	total := 0.0
	for _, w := range got {
		total += read(w, "gap_windows")
	}
	// samples end at 290 s and go on at 600 s: the windows starting at 300 s
	// to 540 s hold none
	if r := p.Report(); r.Gaps != 1 || r.GapWindows != 9 || total != 9 {
		t.Errorf("gaps %d of %d windows, %v in the features, want 1 of 9", r.Gaps, r.GapWindows, total)
	}
}

func TestPipeline_twoWindowsSuffice(t *testing.T) {
	c := cumulative()
	got, p := collect(t, c, header(), idle(t, "a", 9, 10, 3, nil))
	if len(got) != 2 {
		t.Fatalf("%d windows, want 2", len(got))
	}
	var x []float64
	var devices []string
	var starts []int64
	for _, w := range got {
		x = append(x, w.features...)
		devices, starts = append(devices, w.Device), append(starts, w.Start)
	}
	prep, err := telemetry.FitPreparer(c, telemetry.Features(c), x, make([]bool, 2))
	if err != nil {
		t.Fatal(err)
	}
	d := len(telemetry.Features(c))
	for i := range 2 {
		row := prep.Row(nil, x[i*d:(i+1)*d])
		if len(row) != len(prep.Names()) || len(row) <= d {
			t.Fatalf("%d values for %d names", len(row), len(prep.Names()))
		}
		for j, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("row %d, %s: %v", i, prep.Names()[j], v)
			}
		}
	}
	if split := telemetry.Split(devices, starts, .8); split[0] || !split[1] {
		t.Errorf("split %v, want the later one for validation", split)
	}
	_ = p
}

func TestPipeline_hostile(t *testing.T) {
	p, err := telemetry.NewPipeline(cumulative(), []string{"cpu_avg_pct", "other"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	emit := func(w *telemetry.Window, x []float64) error { n++; return nil }
	for _, millis := range []int64{math.MinInt64, -1, math.MaxInt64, 253402300800000} {
		if err := p.Add(telemetry.Sample{Device: "a", Millis: millis, Values: []float64{1, 2}}, emit); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.Report(); r.Refused != 4 || r.Devices != 0 {
		t.Errorf("report %+v", r)
	}
	for i := range telemetry.MaxDevices + 3 {
		if err := p.Add(telemetry.Sample{Device: fmt.Sprint(i), Millis: monday, Values: []float64{math.Inf(1), math.NaN()}}, emit); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.Report(); r.Refused != 4+3 || r.Devices != telemetry.MaxDevices {
		t.Errorf("report %+v", r)
	}
	// the whole range of time: nothing loops over the gap
	for _, millis := range []int64{monday + 1, 253402300799999} {
		if err := p.Add(telemetry.Sample{Device: "1", Millis: millis, Values: []float64{5, 5}}, emit); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(emit); err != nil {
		t.Fatal(err)
	}
	if n != telemetry.MaxDevices+1 {
		t.Errorf("%d windows, want one a device and one more", n)
	}
	stop := errors.New("stop")
	p, _ = telemetry.NewPipeline(cumulative(), []string{"a"})
	err = p.Run([]telemetry.Sample{{Device: "a", Millis: monday, Values: []float64{1}}}, func(*telemetry.Window, []float64) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of emit", err)
	}
	if err := p.Run([]telemetry.Sample{{Device: "a", Millis: monday}}, emit); err == nil {
		t.Error("a sample without values was taken")
	}
	for _, h := range [][]string{{"a", "A"}, {""}, {"cpu avg-pct", "cpu_avg_pct"}, make([]string, telemetry.MaxColumns+1)} {
		if _, err := telemetry.NewPipeline(cumulative(), h); err == nil {
			t.Errorf("header %.40q was taken", h)
		}
	}
}

func TestPipeline_simulatedStays(t *testing.T) {
	p, err := telemetry.NewPipeline(cumulative(), header())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	samples := idle(t, "a", 30, 10, 1, nil)
	samples[2].Simulated = true // one is enough, and for good
	if err := p.Run(samples, func(w *telemetry.Window, _ []float64) error {
		n++
		if !w.Simulated {
			t.Errorf("window %d lost its mark", w.ID)
		}
		return nil
	}); err != nil || n == 0 {
		t.Fatalf("%d windows, %v", n, err)
	}
}

func TestPartsText(t *testing.T) {
	got := telemetry.PartsText([]telemetry.Part{{Metric: "a b=c", Share: 2.0 / 3}, {Metric: "d", Share: .25}})
	if got != "a_b_c=0.667 d=0.250" || telemetry.PartsText(nil) != "" {
		t.Errorf("got %q", got)
	}
}
