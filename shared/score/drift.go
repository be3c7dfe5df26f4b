package score

import (
	"math"

	"cloister/shared/feature"
	"cloister/shared/job"
)

// The quantiles, in percent, between which most training rows lie.
const (
	driftLow  = 1
	driftHigh = 99
)

// drift counts how far a file's columns lie from the training rows.
type drift struct {
	in      *feature.Input
	rows    int64
	outside []int64 // per column of the pipeline
	missing []int64
	above   []float64 // bounds, NaN for a column without
	below   []float64
}

func newDrift(in *feature.Input) *drift {
	d := &drift{in: in, outside: make([]int64, in.Numbers()), missing: make([]int64, in.Numbers())}
	if in.Numbers() == 0 {
		return d
	}
	for _, s := range in.Pipeline().Steps() {
		low, high := math.NaN(), math.NaN()
		if q := s.Quantiles; q != nil {
			low, high = q[driftLow], q[driftHigh]
		}
		d.below, d.above = append(d.below, low), append(d.above, high)
	}
	return d
}

// add counts the rows of x.
func (d *drift) add(x []float64) {
	width := d.in.Len()
	for at := 0; at < len(x); at += width {
		d.rows++
		for j, v := range x[at : at+len(d.outside)] {
			switch {
			case v < d.below[j] || v > d.above[j]:
				d.outside[j]++
			case v != v:
				d.missing[j]++
			}
		}
	}
}

// report returns the figures of the columns that have a range, nil before the
// first row.
func (d *drift) report() []job.Drift {
	if d.rows == 0 || d.in.Numbers() == 0 {
		return nil
	}
	var out []job.Drift
	for j, s := range d.in.Pipeline().Steps() {
		if s.Quantiles == nil {
			continue
		}
		r := job.Drift{Feature: j, Low: d.below[j], High: d.above[j], Expected: expected(s), Missing: float64(d.missing[j]) / float64(d.rows)}
		if has := d.rows - d.missing[j]; has > 0 {
			r.Outside = float64(d.outside[j]) / float64(has)
		}
		out = append(out, r)
	}
	return out
}

// expected returns the share of the training rows outside the two quantiles,
// less where many rows have their values.
func expected(s feature.Step) float64 {
	n := 0
	for _, v := range s.Quantiles {
		if v < s.Quantiles[driftLow] || v > s.Quantiles[driftHigh] {
			n++
		}
	}
	return float64(n) / float64(len(s.Quantiles))
}
