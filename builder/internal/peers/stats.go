//go:build !js

package main

import (
	"math"
	"slices"
)

// spread is what a row says about repeated measurements: the middle one and
// both ends.
type spread struct{ mid, low, high float64 }

// spreadOf returns the median and the ends of v: of an even number the mean of
// the two in the middle, NaN for none.
func spreadOf(v []float64) spread {
	if len(v) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return spread{(s[(n-1)/2] + s[n/2]) / 2, s[0], s[n-1]}
}

// ratioOf returns how far ahead we are: the quotient of the medians, and the
// ends of the quotients round by round, since neighbours in time shared the
// machine's load. With more, larger is better. Rounds beyond the shorter list
// are left out; a zero where a quotient needs one gives NaN.
func ratioOf(us, peer []float64, more bool) spread {
	quotient := func(a, b float64) float64 {
		if !more {
			a, b = b, a
		}
		if b == 0 {
			return math.NaN()
		}
		return a / b
	}
	var rounds []float64
	for i := range min(len(us), len(peer)) {
		rounds = append(rounds, quotient(us[i], peer[i]))
	}
	r := spreadOf(rounds)
	r.mid = quotient(spreadOf(us).mid, spreadOf(peer).mid)
	return r
}

// logLoss returns the mean of -ln p[truth], p, n×k, clipped at 1e-15 as
// scikit-learn did before it used the float's epsilon.
func logLoss(p []float64, truth []int, k int) float64 {
	sum := 0.0
	for i, c := range truth {
		sum -= math.Log(min(1, max(1e-15, p[i*k+c])))
	}
	return sum / float64(len(truth))
}

// agree compares two score matrices, n×k: the largest difference, and the rows
// whose best class differs although either is surer of its own than tie.
func agree(a, b []float64, k int, tie float64) (difference float64, labels int) {
	if len(a) != len(b) {
		return math.Inf(1), len(a) + len(b)
	}
	for i := range a {
		d := math.Abs(a[i] - b[i])
		if !(d <= difference) {
			difference = d
		}
	}
	if k == 1 {
		return difference, 0
	}
	la, lb := best(a, k), best(b, k)
	for i := range la {
		if la[i] != lb[i] && a[i*k+la[i]]-a[i*k+lb[i]] > tie {
			labels++
		}
	}
	return difference, labels
}
