package report

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"cloister/shared/job"
)

// MetricShare is the part of a metric in what features over all metrics saw, in
// [0,1].
type MetricShare struct {
	Metric string
	Share  float64
}

// maxParts is how many parts a window's texts hold at most; a text with fewer
// holds all there are.
const maxParts = 8

// ReadParts reads the parts of a window's field, such as [Window.Metrics]:
// "name=share name=share". Words of another form are left out.
func ReadParts(s string) []MetricShare {
	var out []MetricShare
	for _, w := range strings.Fields(s) {
		k := strings.LastIndexByte(w, '=')
		if k <= 0 {
			continue
		}
		if v, err := strconv.ParseFloat(w[k+1:], 64); err == nil && v >= 0 && v <= 1 {
			out = append(out, MetricShare{w[:k], v})
		}
	}
	return out
}

// WatchKinds are the kinds of features that look at all metrics at once: how
// their names begin, the field that says which metrics were behind, and a title.
var WatchKinds = [3]struct{ Prefix, Field, Title string }{
	{"level_z_", "LEVEL_METRICS", "Level"},
	{"change_z_", "CHANGE_METRICS", "Change"},
	{"volatility_z_", "VOLATILITY_METRICS", "Volatility"},
}

// What cannot be put down to a metric.
const (
	OtherMetrics = "other metrics" // beyond the largest parts
	NoMetric     = "no metric"     // the device has no past, or the feature is of none
)

// MetricSum is what a metric did to a score: by kind in the order of
// [WatchKinds], the last being features of its own, and in all.
type MetricSum struct {
	Metric string
	Kinds  [4]float64
	Phi    float64
}

// MetricSums are the attributions of a record, put down to metrics.
type MetricSums struct {
	List     []MetricSum // largest |Phi| first, then by name
	Features float64     // sum over features
	Metrics  float64     // sum over List, which differs by rounding only
	N        int         // features
}

// ByMetric puts the attributions of a window down to metrics: those of a feature
// over all metrics in proportion to the metrics' parts, those of a feature made
// from one metric to that. names and phi are of features, parallel; fields are
// the record's; from returns the metrics that a feature is made from, nil for
// all or unknown ones. It costs O(features x parts).
func ByMetric(names []string, phi []float64, fields []job.Field, from func(feature string) []string) MetricSums {
	var parts [3][]MetricShare
	for k, w := range WatchKinds {
		for _, f := range fields {
			if f.Name == w.Field {
				parts[k] = filled(ReadParts(f.Value))
			}
		}
	}
	at := map[string]int{}
	var out MetricSums
	add := func(metric string, kind int, v float64) {
		i, ok := at[metric]
		if !ok {
			i = len(out.List)
			at[metric] = i
			out.List = append(out.List, MetricSum{Metric: metric})
		}
		out.List[i].Kinds[kind] += v
	}
	for j, v := range phi {
		if j >= len(names) {
			break
		}
		out.N++
		out.Features += v
		kind := slices.IndexFunc(WatchKinds[:], func(w struct{ Prefix, Field, Title string }) bool { return strings.HasPrefix(names[j], w.Prefix) })
		switch {
		case kind >= 0 && len(parts[kind]) > 0:
			for _, p := range parts[kind] {
				add(p.Metric, kind, v*p.Share)
			}
		case kind >= 0:
			add(NoMetric, kind, v)
		default:
			of := from(names[j])
			if len(of) != 1 || of[0] == "" {
				of = []string{NoMetric}
			}
			add(of[0], 3, v)
		}
	}
	for i := range out.List {
		for _, v := range out.List[i].Kinds {
			out.List[i].Phi += v
		}
		out.Metrics += out.List[i].Phi
	}
	sort.Slice(out.List, func(i, j int) bool { // the page sorts so elsewhere, too
		a, b := out.List[i], out.List[j]
		if x, y := math.Abs(a.Phi), math.Abs(b.Phi); x != y {
			return x > y
		}
		return a.Metric < b.Metric
	})
	return out
}

// filled makes parts add up to 1: what is missing from a list that was cut is
// other metrics', what rounding took is spread over all.
func filled(parts []MetricShare) []MetricShare {
	sum := 0.0
	for _, p := range parts {
		sum += p.Share
	}
	if sum <= 0 {
		return nil
	}
	rounding := 0.0005 * float64(len(parts))
	if len(parts) >= maxParts && sum < 1-rounding {
		return append(parts, MetricShare{OtherMetrics, 1 - sum})
	}
	for i := range parts {
		parts[i].Share /= sum
	}
	return parts
}
