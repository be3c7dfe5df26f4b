package telemetry_test

import (
	"slices"
	"testing"
	"time"

	"cloister/shared/telemetry"
)

// BenchmarkPipeline takes 40 metrics of one host, a sample every 10 s, through
// stages 1 to 3 and the scenarios. It reports samples a second, and the 99th
// percentile of what one window costs.
func BenchmarkPipeline(b *testing.B) {
	samples := idle(b, "a", 3000, 10, 1, nil)
	r, _ := rules(b)
	var each []time.Duration
	n := 0
	for b.Loop() {
		p, err := telemetry.NewPipeline(cumulative(), header())
		if err != nil {
			b.Fatal(err)
		}
		last := time.Now()
		if err := p.Run(samples, func(_ *telemetry.Window, x []float64) error {
			r.Fired(x)
			now := time.Now()
			each = append(each, now.Sub(last))
			last = now
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		n += len(samples)
	}
	slices.Sort(each)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "samples/s")
	b.ReportMetric(float64(each[len(each)*99/100].Nanoseconds())/1e3, "p99-us/window")
}
