package site

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/job"
)

// metricShare is the part of a metric in what features saw.
type metricShare struct {
	metric string
	share  float64
}

// maxParts is how many parts a window's texts hold at most; a text with fewer
// holds all there are.
const maxParts = 8

// readParts reads "name=share name=share". Words of another form are left out.
func readParts(s string) []metricShare {
	var out []metricShare
	for _, w := range strings.Fields(s) {
		k := strings.LastIndexByte(w, '=')
		if k <= 0 {
			continue
		}
		if v, err := strconv.ParseFloat(w[k+1:], 64); err == nil && v >= 0 && v <= 1 {
			out = append(out, metricShare{w[:k], v})
		}
	}
	return out
}

// The kinds of features that look at all metrics at once: the beginning of
// their names and the field that says which metrics were behind it.
var watchKinds = [3]struct{ prefix, field, title string }{
	{"level_z_", "LEVEL_METRICS", "Level"},
	{"change_z_", "CHANGE_METRICS", "Change"},
	{"volatility_z_", "VOLATILITY_METRICS", "Volatility"},
}

// Names of what cannot be put down to a metric.
const (
	otherMetrics = "other metrics" // beyond the largest parts
	noMetric     = "no metric"     // the device has no past, or the feature is of none
)

// metricSum is what a metric did: by kind, the last being features of its own.
type metricSum struct {
	metric string
	kinds  [4]float64
	phi    float64
}

// metricSums are the attributions of a record, put down to metrics.
type metricSums struct {
	list     []metricSum // largest |φ| first
	features float64     // sum over features
	metrics  float64     // sum over list, which differs by rounding only
	n        int         // features
}

// toMetrics puts attributions down to metrics: those of a feature over all
// metrics in proportion to the metrics' parts, those of a feature made from one
// metric to that. names and phi are of features, fields the record's.
func toMetrics(names []string, phi []float64, fields []job.Field, from func(feature string) []string) metricSums {
	var parts [3][]metricShare
	for k, w := range watchKinds {
		for _, f := range fields {
			if f.Name == w.field {
				parts[k] = whole(readParts(f.Value))
			}
		}
	}
	at := map[string]int{}
	var out metricSums
	add := func(metric string, kind int, v float64) {
		i, ok := at[metric]
		if !ok {
			i = len(out.list)
			at[metric] = i
			out.list = append(out.list, metricSum{metric: metric})
		}
		out.list[i].kinds[kind] += v
	}
	for j, v := range phi {
		if j >= len(names) {
			break
		}
		out.n++
		out.features += v
		kind := slices.IndexFunc(watchKinds[:], func(w struct{ prefix, field, title string }) bool { return strings.HasPrefix(names[j], w.prefix) })
		switch {
		case kind >= 0 && len(parts[kind]) > 0:
			for _, p := range parts[kind] {
				add(p.metric, kind, v*p.share)
			}
		case kind >= 0:
			add(noMetric, kind, v)
		default:
			of := from(names[j])
			if len(of) != 1 || of[0] == "" {
				of = []string{noMetric}
			}
			add(of[0], 3, v)
		}
	}
	for i := range out.list {
		for _, v := range out.list[i].kinds {
			out.list[i].phi += v
		}
		out.metrics += out.list[i].phi
	}
	arrange(out.list, func(a, b metricSum) int {
		return cmp.Or(cmp.Compare(math.Abs(b.phi), math.Abs(a.phi)), strings.Compare(a.metric, b.metric))
	})
	return out
}

// whole makes parts add up to 1: what is missing from a list that was cut is
// other metrics', what rounding took is spread over all.
func whole(parts []metricShare) []metricShare {
	sum := 0.0
	for _, p := range parts {
		sum += p.share
	}
	if sum <= 0 {
		return nil
	}
	rounding := 0.0005 * float64(len(parts))
	if len(parts) >= maxParts && sum < 1-rounding {
		return append(parts, metricShare{otherMetrics, 1 - sum})
	}
	for i := range parts {
		parts[i].share /= sum
	}
	return parts
}
