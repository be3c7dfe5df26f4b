package report

import (
	"math"
	"slices"
	"testing"

	"cloister/shared/job"
)

func TestByMetric_distributes(t *testing.T) {
	fields := []job.Field{{Name: "LEVEL_METRICS", Value: "a=0.750 b=0.250"}, {Name: "CHANGE_METRICS", Value: "a=0.300 b=0.100 c=0.100 d=0.100 e=0.100 f=0.050 g=0.025 h=0.025"}, {Name: "VOLATILITY_METRICS", Value: ""}}
	from := func(f string) []string {
		return map[string][]string{"cpu_delta": {"cpu"}, "ratio": {"x", "y"}}[f]
	}
	m := ByMetric([]string{"level_z_mean", "change_z_rms", "volatility_z_mean", "cpu_delta", "ratio"}, []float64{4, 1, 2, -8, 16}, fields, from)
	want := map[string]float64{"a": 3 + 0.3, "b": 1 + 0.1, "c": 0.1, "d": 0.1, "e": 0.1, "f": 0.05, "g": 0.025, "h": 0.025, OtherMetrics: 0.2, NoMetric: 18, "cpu": -8}
	for _, x := range m.List {
		if math.Abs(x.Phi-want[x.Metric]) > 1e-12 {
			t.Errorf("%s: %v, want %v", x.Metric, x.Phi, want[x.Metric])
		}
		delete(want, x.Metric)
	}
	if len(want) != 0 || m.Features != 15 || math.Abs(m.Metrics-15) > 1e-12 || m.List[0].Metric != NoMetric || m.List[1].Metric != "cpu" {
		t.Errorf("missing %v; %+v", want, m)
	}
	// rounding is spread, not put down to others
	for _, parts := range []string{"a=0.333 b=0.333 c=0.333", "a=0.126 b=0.125 c=0.125 d=0.125 e=0.125 f=0.125 g=0.125 h=0.125"} {
		got := filled(ReadParts(parts))
		sum := 0.0
		for _, p := range got {
			sum += p.Share
			if p.Metric == OtherMetrics {
				t.Errorf("%s has others", parts)
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("%s adds up to %v", parts, sum)
		}
	}
	if got := ReadParts("a=1=0.5 =0.2 b=x c d=-1 e=NaN f=2"); !slices.Equal(got, []MetricShare{{"a=1", 0.5}}) {
		t.Errorf("hostile parts: %v", got)
	}
}

func FuzzReadParts(f *testing.F) {
	f.Add("a=0.5 b=0.25")
	f.Add("a=1=0.5 = ==")
	f.Fuzz(func(t *testing.T, s string) {
		sum := 0.0
		parts := filled(ReadParts(s))
		for _, p := range parts {
			sum += p.Share
		}
		if len(parts) > 0 && math.Abs(sum-1) > 1e-6 {
			t.Errorf("%q adds up to %v", s, sum)
		}
	})
}
