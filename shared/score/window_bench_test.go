package score_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloister/shared/job"
	"cloister/shared/telemetry"
)

// BenchmarkTelemetry_oneWindow is one window from its samples to its
// explanation: stages 1 to 3 of 40 metrics every 10 s, all models of the bundle,
// attributions of verdict and anomaly score. It reports the 99th percentile over
// windows, of processor time and on the wall; the latter means something on a
// quiet machine only. The first windows, while a wasm engine still compiles, are
// left out, as is what loading takes.
func BenchmarkTelemetry_oneWindow(b *testing.B) {
	s, _ := telemetryScorer(b)
	if _, err := s.Score(file{bytes.NewReader(telemetryRows(b))}, job.Options{}, func(job.Progress, *job.Batch) bool { return true }); err != nil {
		b.Fatal(err)
	}
	var names []string
	for _, m := range telemetry.Metrics() {
		names = append(names, m.Name)
	}
	c := telemetry.DefaultConfig()
	c.Counters = telemetry.CountersInterval
	p, err := telemetry.NewPipeline(c, names)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	now := int64(1_780_272_000_000)
	row := int64(0)
	// window feeds samples until a window is through.
	window := func() {
		for done := false; !done; now += 10_000 {
			v := make([]float64, len(names))
			for i := range v {
				v[i] = 100 * r.Float64()
			}
			err := p.Add(telemetry.Sample{Device: "ward-3", Millis: now, Values: v}, func(*telemetry.Window, []float64) error {
				done = true
				row = row%3200 + 1
				_, err := s.Explain(row)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	for range 300 {
		window()
	}
	var wall, cpu []time.Duration
	for b.Loop() {
		start, used := time.Now(), cpuTime()
		window()
		wall, cpu = append(wall, time.Since(start)), append(cpu, cpuTime()-used)
	}
	p99 := func(list []time.Duration) float64 {
		slices.Sort(list)
		return float64(list[len(list)*99/100].Nanoseconds()) / 1e3
	}
	b.ReportMetric(p99(cpu), "p99-cpu-us/window")
	b.ReportMetric(p99(wall), "p99-us/window")
}
