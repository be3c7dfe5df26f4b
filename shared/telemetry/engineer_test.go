package telemetry_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/shared/telemetry"
)

// interleave merges the samples of several devices by time.
func interleave(lists ...[]telemetry.Sample) []telemetry.Sample {
	out := slices.Concat(lists...)
	slices.SortStableFunc(out, func(a, b telemetry.Sample) int { return int(a.Millis - b.Millis) })
	return out
}

// Correction 1: the original takes differences, rolling statistics and
// z-scores over the table as it lies, across devices and over the future.
func TestEngineer_neverCrossesDevices(t *testing.T) {
	c := cumulative()
	a := idle(t, "a", 200, 10, 1, nil)
	b := idle(t, "b", 200, 10, 2, func(i int, set func(string, float64), _ func(string) float64) {
		for _, m := range []string{"cpu_core0_pct", "cpu_core1_pct", "cpu_core2_pct", "cpu_core3_pct"} {
			set(m, 95)
		}
	})
	alone, _ := collect(t, c, header(), a)
	both, _ := collect(t, c, header(), interleave(a, b))
	n := 0
	for _, w := range both {
		if w.Device == "a" {
			if !sameBits(w.features, alone[n].features) {
				t.Fatalf("window %d of a depends on b", n)
			}
			n++
		}
	}
	if n != len(alone) || n == 0 || len(both) != 2*n {
		t.Errorf("%d windows, want %d", n, len(alone))
	}
}

func TestEngineer_knowsOnlyThePast(t *testing.T) {
	c := cumulative()
	samples := idle(t, "a", 300, 10, 1, nil)
	long, _ := collect(t, c, header(), samples)
	changed := idle(t, "a", 300, 10, 1, func(i int, set func(string, float64), _ func(string) float64) {
		if i >= 200 {
			set("proc_count", 9000)
		}
	})
	other, _ := collect(t, c, header(), changed)
	read := reader(t, c)
	same := 0
	for i := range long {
		if long[i].End <= monday+2000*1000 {
			same++
			if !sameBits(long[i].features, other[i].features) {
				t.Fatalf("window %d changed with the future", i)
			}
		}
	}
	if same < 50 {
		t.Fatalf("only %d windows compared", same)
	}
	// the window that jumps is no part of its own normal: the original's z is
	// at most (n-1)/sqrt(n) = 2.85 for its 10 windows
	top := 0.0
	for _, w := range other {
		if z := read(w, "proc_count_zscore"); !math.IsNaN(z) {
			top = max(top, z)
		}
	}
	if top != 50 {
		t.Errorf("the largest z of a jump from 200 to 9000 is %v, want the cap of 50", top)
	}
}

// Expected: numpy 2.4.6, testdata/expected.py, 2026-11-22.
func TestEngineer_robustZ(t *testing.T) {
	c := cumulative()
	c.StepSec = 60
	var samples []telemetry.Sample
	for i, v := range []float64{3, 4, 5, 6, 7, 8, 9, 10, 50, 51, 20} {
		samples = append(samples, telemetry.Sample{Device: "a", Millis: monday + int64(i)*60_000, Values: []float64{v}})
	}
	got, _ := collect(t, c, []string{"cpu_avg_pct"}, samples)
	read := reader(t, c)
	if z := read(got[10], "cpu_zscore"); math.Abs(z-3.3724537973829762) > 1e-12 {
		t.Errorf("z %v, want 3.3724537973829762", z)
	}
	if z := read(got[9], "cpu_zscore"); !math.IsNaN(z) {
		t.Errorf("z %v after 9 windows, want none", z)
	}
}

// Correction 2: the original compares a change with the 95th percentile of
// levels and so never fires; here levels are far above any change.
func TestEngineer_networkSpike(t *testing.T) {
	c := cumulative()
	const level = 50 << 20
	got, _ := collect(t, c, header(), idle(t, "a", 400, 10, 1, func(i int, set func(string, float64), get func(string) float64) {
		v := float64(level)
		if i >= 350 {
			v *= 1.5 // less than the level itself
		}
		set("net_bytes_in", v)
	}))
	read := reader(t, c)
	fired, share, known := false, 0.0, 0.0
	for _, w := range got {
		v := read(w, "network_spike")
		if math.IsNaN(v) {
			continue
		}
		if jump := w.End > monday+3500*1000 && w.Start <= monday+3500*1000; jump {
			fired = fired || v == 1
		} else if w.End <= monday+3500*1000 {
			known++
			share += v
		}
	}
	if !fired {
		t.Error("a jump by half is no spike")
	}
	if share/known > 0.2 || known < 50 {
		t.Errorf("%v of %v quiet windows spike", share, known)
	}
}

// Correction 3: seconds, not rows; unknown before the first; duration exists.
func TestEngineer_timeSinceAnomaly(t *testing.T) {
	c := cumulative()
	got, _ := collect(t, c, header(), idle(t, "a", 300, 10, 1, func(i int, set func(string, float64), get func(string) float64) {
		if i >= 100 && i < 130 {
			for _, m := range []string{"cpu_core0_pct", "cpu_core1_pct", "cpu_core2_pct", "cpu_core3_pct"} {
				set(m, 95)
			}
			set("proc_suspicious", 2)
		}
	}))
	read := reader(t, c)
	var last int64
	before, during, after, longest := 0, 0, 0, 0.0
	for _, w := range got {
		since, never, lasts := read(w, "time_since_anomaly"), read(w, "never_anomalous"), read(w, "anomaly_duration")
		switch {
		case read(w, "anomaly_score") >= c.AnomalyThreshold:
			during++
			last = w.Start
			longest = lasts
			if since != 0 || never != 0 || !(lasts > 0) {
				t.Errorf("window %d, anomalous: since %v, never %v, lasts %v", w.ID, since, never, lasts)
			}
		case last == 0:
			before++
			if !math.IsNaN(since) || never != 1 || lasts != 0 {
				t.Errorf("window %d, before any: since %v, never %v, lasts %v", w.ID, since, never, lasts)
			}
		default:
			after++
			if want := float64(w.Start-last) / 1000; since != want || want < 30 || never != 0 || lasts != 0 {
				t.Errorf("window %d, after: since %v, want %v; never %v, lasts %v", w.ID, since, want, never, lasts)
			}
		}
	}
	if before < 20 || during < 8 || after < 20 || longest < 270 || longest > 390 {
		t.Errorf("%d before, %d during, %d after, longest %v s", before, during, after, longest)
	}
}

// Correction 4: the original's limit of 50 connections always fires.
func TestEngineer_connectionsLearnt(t *testing.T) {
	c := cumulative()
	got, _ := collect(t, c, header(), idle(t, "a", 400, 10, 1, func(i int, set func(string, float64), get func(string) float64) {
		if i >= 350 {
			set("proc_connections_total", 500)
		}
	}))
	read := reader(t, c)
	quiet, fired := 0.0, 0.0
	n := 0
	for _, w := range got {
		v := read(w, "connections_threshold_violation")
		switch {
		case math.IsNaN(v):
		case w.End <= monday+3500*1000:
			n++
			quiet += v
		case w.Start >= monday+3500*1000:
			fired = max(fired, v)
		}
	}
	if n < 80 || quiet > 0.1*float64(n) || fired != 1 {
		t.Errorf("%v of %d quiet windows violate, %v on a jump", quiet, n, fired)
	}
}

// Correction 5: a weighted sum, and a burstiness of its own.
func TestEngineer_scoreAndBurstiness(t *testing.T) {
	c := cumulative()
	got, _ := collect(t, c, header(), idle(t, "a", 200, 10, 1, func(i int, set func(string, float64), get func(string) float64) {
		if i >= 150 {
			set("memory_used_kb", 15<<20)
			set("proc_suspicious", 1)
		}
	}))
	read := reader(t, c)
	weights := map[string]float64{
		"cpu_threshold_violation": .2, "memory_threshold_violation": .2, "connections_threshold_violation": .15,
		"disk_io_threshold_violation": .1, "suspicious_activity": .2, "network_spike": .1,
	}
	top := 0.0
	for _, w := range got {
		want := 0.0
		for name, weight := range weights {
			if read(w, name) == 1 {
				want += weight
			}
		}
		if read(w, "level_z_share") > .2 {
			want += .05
		}
		if v := read(w, "anomaly_score"); math.Abs(v-want) > 1e-12 {
			t.Errorf("window %d: score %v, want %v", w.ID, v, want)
		}
		top = max(top, want)
		cv, b := read(w, "cpu_avg_pct_cv"), read(w, "cpu_burstiness")
		if cv == b || !(b >= -1 && b <= 1) {
			t.Errorf("window %d: burstiness %v, cv %v", w.ID, b, cv)
		}
	}
	if top < .4 {
		t.Errorf("largest score %v", top)
	}
}

// Correction 6 and the size of the dictionary.
func TestFeatures_dictionary(t *testing.T) {
	c := telemetry.DefaultConfig()
	list := telemetry.Features(c)
	seen := map[string]bool{}
	perFamily := map[telemetry.Family]int{}
	columns := map[string]bool{"*": true, "timestamp": true}
	n, err := telemetry.NewNormaliser(c, header())
	if err != nil {
		t.Fatal(err)
	}
	for _, col := range n.Columns() {
		columns[col.Name] = true
	}
	for _, f := range list {
		if seen[f.Name] || f.Formula == "" || strings.Contains(f.Formula, "\n") || len(f.From) == 0 {
			t.Errorf("feature %q: repeated, or without a definition", f.Name)
		}
		seen[f.Name] = true
		perFamily[f.Family]++
		for _, from := range f.From {
			if !columns[from] {
				t.Errorf("feature %s is made from %q, which is no column", f.Name, from)
			}
		}
	}
	window := map[string]bool{}
	for _, name := range telemetry.NewWindower(c, n.Columns()).Names() {
		window[name] = true
	}
	own := 0
	for name := range seen {
		if !window[name] {
			own++
		}
	}
	if own < 100 {
		t.Errorf("%d features beyond window statistics, want 100", own)
	}
	if len(perFamily) != 6 || len(telemetry.Families) != 6 {
		t.Errorf("families %v", perFamily)
	}
	for _, name := range []string{
		"cpu_avg_pct_entropy", "cpu_avg_pct_q25", "cpu_avg_pct_q50", "cpu_avg_pct_q75", "cpu_avg_pct_q95", "cpu_avg_pct_q99", "net_total_mb_skew", "disk_io_total_kurtosis",
		"disk_io_spike", "net_total_mb_log", "disk_io_log", "proc_count_log", "anomaly_duration",
		"cpu_delta", "cpu_delta_abs", "cpu_acceleration", "memory_delta", "network_delta", "network_spike", "proc_churn_delta", "cpu_memory_ratio", "cpu_memory_product",
		"cpu_network_ratio", "memory_per_process", "disk_network_ratio", "cpu_avg_pct_cv", "cpu_avg_pct_range", "cpu_zscore", "cpu_threshold_violation", "memory_threshold_violation",
		"connections_threshold_violation", "anomaly_score", "cpu_outlier", "cpu_burstiness", "proc_stability", "network_consistency", "suspicious_activity", "time_since_anomaly", "cpu_trend_5", "cpu_trend_10",
	} {
		if !seen[name] {
			t.Errorf("no feature %s", name)
		}
	}
	text := telemetry.Markdown(list)
	for name := range seen {
		if strings.Count(text, "| `"+name+"` |") != 1 {
			t.Errorf("the text of the dictionary does not have %s once", name)
		}
	}
}

// What nobody described is watched as well, and named when it moves.
func TestEngineer_unknownMetrics(t *testing.T) {
	h := []string{"m00", "m01", "m02"}
	c := cumulative()
	var samples []telemetry.Sample
	rng := newRand(5)
	for i := range 200 {
		v := []float64{rng.Float64(), 5 + rng.Float64(), .1}
		if i >= 190 {
			v[1] += 30
		}
		samples = append(samples, telemetry.Sample{Device: "x", Millis: monday + int64(i)*60_000, Values: v})
	}
	c = c.Adapted(telemetry.Interval(samples))
	got, p := collect(t, c, h, samples)
	if len(got) != 200 || len(p.Normaliser().Extra()) != 3 || len(p.Normaliser().Missing()) != 34 {
		t.Fatalf("%d windows, extra %v, %d missing", len(got), p.Normaliser().Extra(), len(p.Normaliser().Missing()))
	}
	read := reader(t, c)
	quiet, jump := read(got[180], "level_z_rank_1"), read(got[190], "level_z_rank_1")
	if !(quiet < 4) || jump != 20 {
		t.Errorf("largest z %v, then %v, want the cap of 20", quiet, jump)
	}
	if parts := got[190].level; len(parts) == 0 || parts[0].Metric != "m01" || parts[0].Share < .9 {
		t.Errorf("parts %v, want m01", parts)
	}
	if !math.IsNaN(read(got[190], "cpu_zscore")) {
		t.Error("a metric that is not there has a z-score")
	}
}
