package frame

import (
	"math"
	"slices"
)

// Quantiles are values of a distribution at the shares 0, 1/(m-1), ..., 1, in
// ascending order. Empty Quantiles describe a distribution without values.
type Quantiles []float64

// Share returns the share of the distribution, in [0,1], that is at most v:
// linear between quantiles, 0 below the first, 1 from the last on. Where
// quantiles repeat, the largest share counts. It is NaN for NaN and for empty
// Quantiles.
func (q Quantiles) Share(v float64) float64 {
	if len(q) == 0 || math.IsNaN(v) {
		return math.NaN()
	}
	i, _ := slices.BinarySearchFunc(q, v, func(q, v float64) int {
		if q <= v {
			return -1
		}
		return 1
	})
	switch {
	case i == 0:
		return 0
	case i == len(q):
		return 1
	}
	return (float64(i-1) + (v-q[i-1])/(q[i]-q[i-1])) / float64(len(q)-1)
}

// QuantilesOf returns m quantiles, 2 or more, of the finite values, which it
// sorts in place: quantile k is the value at index k*(n-1)/(m-1) rounded down,
// so always one that occurred. It returns nil when no value is finite.
func QuantilesOf(values []float64, m int) Quantiles {
	values = slices.DeleteFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	q := make(Quantiles, m)
	for k := range q {
		q[k] = values[k*(len(values)-1)/(m-1)]
	}
	return q
}

// Valid reports whether q is nil or holds m finite values in ascending order.
func (q Quantiles) Valid(m int) bool {
	return q == nil || len(q) == m && slices.IsSorted(q) &&
		!slices.ContainsFunc(q, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}
