// Package telemetry turns samples of host metrics into windows, windows into
// features and features into a matrix, and says which of six attack scenarios
// a window fits. It hides what is remembered of each device between samples.
//
//	p, err := telemetry.NewPipeline(telemetry.DefaultConfig(), header)
//	for _, s := range samples {
//		err = p.Add(s, func(w *telemetry.Window, features []float64) error { ... })
//	}
//	err = p.Flush(...)
//
// The stages can be used alone: [Normaliser], [Windower], [Engineer],
// [FitPreparer] with [Preparer]. Everything is past-only and per device: what
// comes out for a window depends on that device's samples up to its end, and
// on nothing of any other device.
//
// The same samples give the same bits natively and in wasm: sums run in a fixed
// order and logarithms are computed with +, -, * and / alone.
//
// Limits: [MaxDevices] devices, [MaxWindowSamples] samples in a window,
// [MaxColumns] metrics; what is beyond is counted in [Report], never kept.
// Memory is one window of samples and [Config.HistoryWindows] windows of means
// a device, some 60 kB with the default settings and 40 metrics.
package telemetry

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Limits on what a hostile file can make the stages hold.
const (
	MaxDevices       = 2048
	MaxWindowSamples = 8192 // of one device
	MaxColumns       = 512  // raw metrics, known or not
)

// Sample is what one device reported at one time.
type Sample struct {
	Device string
	Millis int64 // since 1970 UTC
	// OffsetMinutes is what its clock adds to UTC.
	OffsetMinutes int
	Values        []float64 // parallel to the header; NaN is missing
	// Simulated says that a simulator made it; its windows carry the mark.
	Simulated bool
}

// Report counts what the stages met. The zero value counts nothing.
type Report struct {
	Samples    int64 // given
	Used       int64 // that reached a window
	Late       int64 // came later than Config.LatenessSec after a newer one: left out
	Duplicates int64 // same device and time as one before: left out
	Devices    int64
	Refused    int64 // of devices beyond MaxDevices, or beyond MaxWindowSamples: left out
	Reboots    int64 // the uptime went back
	Wraps      int64 // counters that passed 2^32
	Resets     int64 // counters that went back without either: rate missing
	Gaps       int64 // runs of windows without a sample
	GapWindows int64 // windows in them
	Windows    int64
	Counters   CounterMode // as decided
}

// DetectCounters decides whether counters are totals or amounts from the first
// samples of a file: amounts fall about every second time, totals only when a
// device restarts. It returns [CountersInterval] when counters fall in more
// than a tenth of the steps in which the uptime does not, else
// [CountersCumulative]. O(samples × counters).
func DetectCounters(header []string, samples []Sample) CounterMode {
	var counters []int
	uptime := -1
	for i, h := range header {
		switch k := indexOf(Normalise(h)); {
		case k == colUptime:
			uptime = i
		case k >= 0 && metrics[k].Role == Counter:
			counters = append(counters, i)
		}
	}
	// by device in order of time, since agents interleave
	order := make([]int, len(samples))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(samples[a].Device, samples[b].Device), cmp.Compare(samples[a].Millis, samples[b].Millis))
	})
	steps, falls := 0, 0
	for i := 1; i < len(order); i++ {
		a, b := &samples[order[i-1]], &samples[order[i]]
		if a.Device != b.Device || uptime >= 0 && b.Values[uptime] < a.Values[uptime] {
			continue
		}
		for _, c := range counters {
			x, y := a.Values[c], b.Values[c]
			if math.IsNaN(x) || math.IsNaN(y) || x == y {
				continue
			}
			steps++
			if y < x && !wrapped(x, y) {
				falls++
			}
		}
	}
	if falls*10 > steps {
		return CountersInterval
	}
	return CountersCumulative
}

// Interval returns the lower median of the times between samples of a device,
// in milliseconds, over all devices; 0 without two samples of one device.
func Interval(samples []Sample) int64 {
	last := map[string]int64{}
	var steps []int64
	for i := range samples {
		s := &samples[i]
		if t, ok := last[s.Device]; ok && s.Millis > t {
			steps = append(steps, s.Millis-t)
		}
		last[s.Device] = s.Millis
	}
	if len(steps) == 0 {
		return 0
	}
	slices.Sort(steps)
	return steps[(len(steps)-1)/2]
}

// wrapped reports whether a counter that went from x to y passed 2^32 rather
// than being reset: it was in the last quarter and is in the first.
func wrapped(x, y float64) bool {
	const top = 1 << 32
	return x < top && x >= top*3/4 && y < top/4
}

// checkHeader returns the normalised names or says which is empty or repeated.
func checkHeader(header []string) ([]string, error) {
	if len(header) > MaxColumns {
		return nil, fmt.Errorf("telemetry: %d columns, at most %d", len(header), MaxColumns)
	}
	names := make([]string, len(header))
	seen := map[string]bool{}
	for i, h := range header {
		n := Normalise(h)
		if n == "" || seen[n] {
			return nil, fmt.Errorf("telemetry: column %d: name %.64q is empty or repeated", i+1, h)
		}
		names[i], seen[n] = n, true
	}
	return names, nil
}
