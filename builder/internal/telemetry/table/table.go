// Package table holds raw telemetry samples and reads them from CSV, JSON
// Lines and Parquet files; it writes tables of windows as CSV and Parquet. It
// hides the file formats.
//
//	t, err := table.Read(file, "metrics.csv", size)
//	err = t.WriteCSV(w)
//
// A row that cannot be read is counted with its reason; a file without one
// usable row is an error. Equal tables give equal bytes.
package table

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cloister/shared/telemetry"
)

// Raw is what a file held.
type Raw struct {
	Header  []string // names of the metrics, in the order of the samples' values
	Samples []telemetry.Sample
	Labels  []bool           // parallel to Samples when the file had labels, else nil
	Rows    int64            // of the file
	Bad     map[string]int64 // rows left out, by reason
}

// bad counts a row that was left out.
func (t *Raw) bad(reason string) {
	if t.Bad == nil {
		t.Bad = map[string]int64{}
	}
	t.Bad[reason]++
}

// usable returns an error when nothing was read.
func (t *Raw) usable(name string) error {
	if len(t.Samples) > 0 {
		return nil
	}
	var why []string
	for reason, n := range t.Bad {
		why = append(why, fmt.Sprintf("%d with %s", n, reason))
	}
	slices.Sort(why)
	return fmt.Errorf("%s: none of %d rows is usable: %s", name, t.Rows, strings.Join(append(why, "nothing more is known")[:max(1, len(why))], ", "))
}

// Merge appends the samples of other, whose header may differ: the header
// becomes the union, in order of first appearance, and what a table lacks is
// missing. Labels survive only if both have them.
func (t *Raw) Merge(other *Raw) {
	if len(t.Samples) == 0 && t.Header == nil {
		rows, bad := t.Rows, t.Bad
		*t = *other
		t.Rows += rows
		for k, n := range bad {
			if t.Bad == nil {
				t.Bad = map[string]int64{}
			}
			t.Bad[k] += n
		}
		return
	}
	header := slices.Clone(t.Header)
	var to []int
	for _, h := range other.Header {
		i := slices.IndexFunc(header, func(g string) bool { return telemetry.Normalise(g) == telemetry.Normalise(h) })
		if i < 0 {
			i = len(header)
			header = append(header, h)
		}
		to = append(to, i)
	}
	widen := func(v []float64, to []int) []float64 {
		out := make([]float64, len(header))
		for i := range out {
			out[i] = math.NaN()
		}
		for i, x := range v {
			out[to[i]] = x
		}
		return out
	}
	if len(header) > len(t.Header) {
		same := make([]int, len(t.Header))
		for i := range same {
			same[i] = i
		}
		for i := range t.Samples {
			t.Samples[i].Values = widen(t.Samples[i].Values, same)
		}
	}
	if t.Labels == nil || other.Labels == nil {
		t.Labels = nil
	} else {
		t.Labels = append(t.Labels, other.Labels...)
	}
	for _, s := range other.Samples {
		s.Values = widen(s.Values, to)
		t.Samples = append(t.Samples, s)
	}
	t.Header = header
	t.Rows += other.Rows
	for k, n := range other.Bad {
		if t.Bad == nil {
			t.Bad = map[string]int64{}
		}
		t.Bad[k] += n
	}
}

// Simulated reports whether any sample was made by a simulator.
func (t *Raw) Simulated() bool {
	return slices.ContainsFunc(t.Samples, func(s telemetry.Sample) bool { return s.Simulated })
}
