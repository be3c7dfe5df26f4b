package telemetry_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cloister/shared/telemetry"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 9)) }

// rows normalises samples and returns a reader of canonical values.
func rows(t *testing.T, c telemetry.Config, h []string, samples []telemetry.Sample) func(i int, column string) float64 {
	t.Helper()
	n, err := telemetry.NewNormaliser(c, h)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, col := range n.Columns() {
		names = append(names, col.Name)
	}
	var out [][]float64
	for i := range samples {
		out = append(out, n.Row(nil, &samples[i]))
	}
	return func(i int, column string) float64 { return out[i][at(t, names, column)] }
}

func near(got, want float64) bool {
	return math.Abs(got-want) <= 1e-12*math.Abs(want) || math.IsNaN(got) && math.IsNaN(want)
}

func TestNormaliser_units(t *testing.T) {
	h := []string{"CPU Core0 PCT", "cpu_core1_pct", "Memory-Total-KB", "memory_used_kb", "net_bytes_in", "net_bytes_out", "net_packets_in", "net_errors_in", "disk_reads_ops", "disk_writes_ops", "proc_new", "proc_terminated", "extra"}
	s := []telemetry.Sample{
		{Device: "a", Millis: monday + 14*3_600_000, Values: []float64{10, 30, 2048, 512, 0, 0, 0, 0, 0, 0, 3, 1, 7}},
		{Device: "a", Millis: monday + 14*3_600_000 + 10_000, Values: []float64{10, 30, 2048, 512, 20 << 20, 10 << 20, 990, 99, 100, 50, 3, 1, math.Inf(1)}},
	}
	v := rows(t, cumulative(), h, s)
	want := map[string]float64{
		"cpu_core0_pct": 10, "cpu_avg_pct": 20, "cpu_max_pct": 30, "cpu_std_pct": math.Sqrt(200), "memory_total_mb": 2, "memory_used_mb": .5, "memory_usage_pct": 25,
		"net_bytes_in_mb": 2, "net_bytes_out_mb": 1, "net_total_mb": 3, "net_error_rate_pct": 100 * 9.9 / 100, "disk_reads_ops": 10, "disk_writes_ops": 5, "disk_io_total": 15,
		"proc_churn": 4, "hour_of_day": 14, "day_of_week": 0, "is_weekend": 0, "extra": math.NaN(), "load_1min": math.NaN(),
	}
	for name, w := range want {
		if got := v(1, name); !near(got, w) {
			t.Errorf("%s is %v, want %v", name, got, w)
		}
	}
	if !math.IsNaN(v(0, "net_bytes_in_mb")) || v(0, "extra") != 7 {
		t.Error("the first sample has a rate, or lost its extra column")
	}
	s[1].OffsetMinutes = 600 // 00:00 on Tuesday
	if v := rows(t, cumulative(), h, s); v(1, "hour_of_day") != 0 || v(1, "day_of_week") != 1 {
		t.Errorf("local time %v h, day %v", v(1, "hour_of_day"), v(1, "day_of_week"))
	}
	s[1].Millis += 5 * 86_400_000
	if v := rows(t, cumulative(), h, s); v(1, "day_of_week") != 6 || v(1, "is_weekend") != 1 {
		t.Errorf("Sunday is day %v", v(1, "day_of_week"))
	}
}

func TestNormaliser_aggregatesAsReported(t *testing.T) {
	h := []string{"cpu_avg_pct", "cpu_max_pct", "cpu_std_pct", "memory_used_pct", "disk_io_total", "net_total_bytes"}
	s := []telemetry.Sample{{Device: "a", Millis: monday, Values: []float64{5, 6, 7, 8, 0, 0}}, {Device: "a", Millis: monday + 1000, Values: []float64{5, 6, 7, 8, 9, 1 << 20}}}
	v := rows(t, cumulative(), h, s)
	for name, w := range map[string]float64{"cpu_avg_pct": 5, "cpu_max_pct": 6, "cpu_std_pct": 7, "memory_usage_pct": 8, "disk_io_total": 9, "net_total_mb": 1} {
		if got := v(1, name); got != w {
			t.Errorf("%s is %v, want %v", name, got, w)
		}
	}
}

func TestNormaliser_counters(t *testing.T) {
	h := []string{"sys_uptime_sec", "net_bytes_in"}
	mk := func(uptime, bytes float64, sec int64) telemetry.Sample {
		return telemetry.Sample{Device: "a", Millis: monday + sec*1000, Values: []float64{uptime, bytes}}
	}
	mb := func(v float64) float64 { return v / (1 << 20) }
	tests := []struct {
		name    string
		samples []telemetry.Sample
		want    float64 // of the last
	}{
		{"rate", []telemetry.Sample{mk(1, 100, 0), mk(11, 300, 10)}, mb(20)},
		{"still", []telemetry.Sample{mk(1, 100, 0), mk(11, 100, 10)}, 0},
		{"wrap", []telemetry.Sample{mk(1, 4294967200, 0), mk(11, 104, 10)}, mb(20)},
		{"reset", []telemetry.Sample{mk(1, 5000, 0), mk(11, 100, 10)}, math.NaN()},
		{"reboot", []telemetry.Sample{mk(1000, 100, 0), mk(5, 500, 10)}, math.NaN()},
		{"after a reboot", []telemetry.Sample{mk(1000, 100, 0), mk(5, 500, 10), mk(15, 600, 20)}, mb(10)},
		{"over a hole", []telemetry.Sample{mk(1, 100, 0), mk(11, math.NaN(), 10), mk(21, 500, 20)}, mb(20)},
		{"too long ago", []telemetry.Sample{mk(1, 100, 0), mk(1000, 300, 1000)}, math.NaN()},
		{"negative", []telemetry.Sample{mk(1, 100, 0), mk(11, -5, 10)}, math.NaN()},
		{"first", []telemetry.Sample{mk(1, 100, 0)}, math.NaN()},
	}
	for _, tt := range tests {
		if got := rows(t, cumulative(), h, tt.samples)(len(tt.samples)-1, "net_bytes_in_mb"); !near(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	c := cumulative()
	c.Counters = telemetry.CountersInterval
	if got := rows(t, c, h, []telemetry.Sample{mk(1, 100, 0), mk(11, 50<<20, 10)})(1, "net_bytes_in_mb"); got != 5 {
		t.Errorf("amounts: %v MiB/s, want 5", got)
	}
}

func TestDetectCounters(t *testing.T) {
	totals := idle(t, "a", 50, 10, 1, nil)
	if got := telemetry.DetectCounters(header(), totals); got != telemetry.CountersCumulative {
		t.Errorf("totals are %s", got)
	}
	amounts := make([]telemetry.Sample, 50)
	rng := newRand(1)
	i := at(t, header(), "net_bytes_in")
	for k := range amounts {
		amounts[k] = totals[k]
		amounts[k].Values = slices.Clone(totals[k].Values)
		amounts[k].Values[i] = rng.Float64() * 1e6
	}
	if got := telemetry.DetectCounters([]string{"net_bytes_in"}, []telemetry.Sample{{Values: []float64{5}}, {Values: []float64{4}, Millis: 1}}); got != telemetry.CountersInterval {
		t.Errorf("falling amounts are %s", got)
	}
	if got := telemetry.DetectCounters(nil, nil); got != telemetry.CountersCumulative {
		t.Errorf("nothing is %s", got)
	}
	// two devices whose totals differ, interleaved: no fall
	other := idle(t, "b", 50, 10, 2, func(_ int, set func(string, float64), _ func(string) float64) { set("net_bytes_in", 5) })
	if got := telemetry.DetectCounters(header(), interleave(totals, other)); got != telemetry.CountersCumulative {
		t.Errorf("interleaved totals are %s", got)
	}
	if telemetry.Interval(totals) != 10_000 || telemetry.Interval(nil) != 0 {
		t.Errorf("interval %d", telemetry.Interval(totals))
	}
}

// Expected numbers: numpy 2.4.6, testdata/expected.py, 2026-11-22.
func TestWindow_statisticsMatchNumPy(t *testing.T) {
	var s []telemetry.Sample
	for i, v := range []float64{12.5, 14.0, 13.25, 30.0, 12.75, 13.5} {
		s = append(s, telemetry.Sample{Device: "a", Millis: monday + int64(i)*10_000, Values: []float64{v}})
	}
	got, p := collect(t, cumulative(), []string{"cpu_avg_pct"}, s)
	names := p.Windower().Names()
	if len(got) != 1 || got[0].Samples != 6 || got[0].Start != monday || got[0].End != monday+60_000 {
		t.Fatalf("windows %+v", got)
	}
	want := map[string]float64{
		"mean": 16, "std": 6.879316826546078, "min": 12.5, "max": 30, "median": 13.375,
		"q25": 12.875, "q50": 13.375, "q75": 13.875, "q95": 26, "q99": 29.2,
		"skew": 1.7647349250730981, "kurtosis": 1.1566979186811368, "entropy": 1.9182958340544893,
	}
	for name, w := range want {
		if v := got[0].values[at(t, names, "cpu_avg_pct_"+name)]; math.Abs(v-w) > 1e-12*max(1, math.Abs(w)) {
			t.Errorf("%s is %v, want %v", name, v, w)
		}
	}
	if len(names) != 45*5+6*8 {
		t.Errorf("%d values a window, want the original's 225 and 48 of shape", len(names))
	}
}

func TestConfig(t *testing.T) {
	c := telemetry.DefaultConfig()
	b, err := c.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := telemetry.ParseConfig(b); err != nil || !slices.Equal(again.Quantiles, c.Quantiles) || again.WindowSec != 60 || again.StepSec != 30 {
		t.Errorf("the defaults do not read back: %+v, %v", again, err)
	}
	if c, err := telemetry.ParseConfig([]byte(`{"window_size_sec": 120}`)); err != nil || c.WindowSec != 120 || c.StepSec != 30 {
		t.Errorf("%+v, %v", c, err)
	}
	bad := []string{
		`{"window_size_sec": 0}`, `{"step_size_sec": 61}`, `{"lateness_sec": -1}`, `{"max_gap_sec": 0}`, `{"counters": "x"}`, `{"utc_offset_minutes": 900}`, `{"entropy_bins": 1}`,
		`{"quantiles": []}`, `{"quantiles": [0.5, 0.5]}`, `{"quantiles": [1]}`, `{"quantiles": [0.12345]}`, `{"history_windows": 4}`, `{"min_history": 1}`, `{"cpu_threshold": 0}`, `{"memory_threshold": -1}`,
		`{"disk_io_threshold": 0}`, `{"connections_quantile": 1}`, `{"anomaly_threshold": 0}`, `{"scaler_type": "none"}`, `{"log_skewness": 0}`, `{"clip": 0}`, `{"train_share": 1}`, `{"compression": "lzo"}`,
	}
	for _, s := range bad {
		_, err := telemetry.ParseConfig([]byte(s))
		var ce *telemetry.ConfigError
		if !errors.As(err, &ce) {
			t.Errorf("%s: %v, want a ConfigError", s, err)
			continue
		}
		if !strings.Contains(s, ce.Field) {
			t.Errorf("%s: the error names %s", s, ce.Field)
		}
	}
	for _, s := range []string{`{"windows": 1}`, `{} {}`, `[]`, ``, `{"window_size_sec": "60"}`, strings.Repeat(" ", 1<<17)} {
		if _, err := telemetry.ParseConfig([]byte(s)); err == nil {
			t.Errorf("%.20q was taken", s)
		}
	}
	a := c.Adapted(300_000)
	if a.WindowSec != 300 || a.StepSec != 300 || a.Validate() != nil {
		t.Errorf("adapted to 300 s: %d, %d", a.WindowSec, a.StepSec)
	}
	if a := c.Adapted(10_000); a.WindowSec != 60 || a.StepSec != 30 {
		t.Errorf("adapted to 10 s: %d, %d", a.WindowSec, a.StepSec)
	}
}

func TestPreparer(t *testing.T) {
	c := telemetry.DefaultConfig()
	features := []telemetry.Feature{{Name: "even"}, {Name: "skewed"}, {Name: "empty"}, {Name: "holes"}, {Name: "flag", Threat: true}, {Name: "flat"}}
	var x []float64
	n := 100
	flagged := make([]bool, n)
	for i := range n {
		v := float64(i)
		hole := v
		if i%10 == 0 {
			hole = math.NaN()
		}
		flag := 0.0
		if i == 99 {
			flag, flagged[i] = 1, true
			v = 1e9 // must not set the scale
		}
		x = append(x, v, math.Pow(1.3, float64(i)), math.NaN(), hole, flag, 4)
	}
	p, err := telemetry.FitPreparer(c, features, x, flagged)
	if err != nil {
		t.Fatal(err)
	}
	names := p.Names()
	if want := []string{"even", "skewed", "empty", "empty_missing", "holes", "holes_missing", "flag", "flat"}; !slices.Equal(names, want) {
		t.Fatalf("names %v, want %v", names, want)
	}
	cols := p.Columns()
	if cols[0].Center != 49 || cols[0].Scale != 49 || cols[0].Log {
		t.Errorf("even: %+v, want median 49 and IQR 49 of 0..98", cols[0])
	}
	if !cols[1].Log || cols[2].Fill != 0 || !cols[2].Flag || cols[5].Scale != 1 {
		t.Errorf("columns %+v", cols)
	}
	row := p.Row(nil, []float64{98, 1, 5, math.NaN(), 1, 4})
	if row[0] != 1 || row[2] != 5 || row[3] != 0 || row[4] != 0 || row[5] != 1 || row[6] != 1 || row[7] != 0 {
		t.Errorf("row %v", row)
	}
	// the original scales the flag away and clips what is large
	if far := p.Row(nil, []float64{math.Inf(1), 1, 5, 3, 1e9, 4}); far[6] != 1e9 || math.IsInf(far[0], 0) {
		t.Errorf("row %v", far)
	}
	b, err := p.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := telemetry.DecodePreparer(b)
	if err != nil || !slices.Equal(again.Columns(), cols) {
		t.Errorf("does not read back: %v", err)
	}
	if _, err := telemetry.DecodePreparer(append(b, ' ')); err == nil {
		t.Error("trailing bytes were taken")
	}
	if _, err := telemetry.FitPreparer(c, features, x[1:], flagged); err == nil {
		t.Error("a ragged table was taken")
	}
	for _, scaler := range []telemetry.Scaler{telemetry.Standard, telemetry.MinMax} {
		c.Scaler = scaler
		p, err := telemetry.FitPreparer(c, features, x, flagged)
		if err != nil {
			t.Fatal(err)
		}
		want := map[telemetry.Scaler][2]float64{telemetry.Standard: {49, math.Sqrt(99 * 100 / 12.0)}, telemetry.MinMax: {0, 98}}[scaler]
		if got := p.Columns()[0]; !near(got.Center, want[0]) || math.Abs(got.Scale-want[1]) > 1e-9 {
			t.Errorf("%s: %+v, want %v", scaler, got, want)
		}
	}
}

func TestSplit_byTimePerDevice(t *testing.T) {
	devices := []string{"b", "a", "b", "a", "b", "b", "b", "c"}
	starts := []int64{5, 2, 1, 1, 2, 4, 3, 9}
	got := telemetry.Split(devices, starts, .8)
	want := []bool{true, true, false, false, false, false, false, false}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSignedLog(t *testing.T) {
	rng := newRand(3)
	for range 20000 {
		x := (rng.Float64() - .5) * math.Exp(80*(rng.Float64()-.5))
		want := math.Copysign(math.Log1p(math.Abs(x)), x)
		if got := telemetry.SignedLog(x); math.Abs(got-want) > 4e-15*math.Abs(want)+1e-300 {
			if math.Abs(got-want) > 1e-11*math.Abs(want) { // below 1, 1+x has lost digits of x
				t.Fatalf("SignedLog(%v) = %v, want %v", x, got, want)
			}
		}
	}
	if telemetry.SignedLog(0) != 0 || !math.IsNaN(telemetry.SignedLog(math.NaN())) || !math.IsInf(telemetry.SignedLog(math.Inf(-1)), -1) {
		t.Error("special values")
	}
}
