package tree

import "math"

// maxSample bounds the rows behind an isolation tree.
const maxSample = 1 << 24

// eulerGamma is Euler's constant, as in scikit-learn.
const eulerGamma = 0.57721566490153286060651209008240243

// PathLength returns c(n), the mean path length of an unsuccessful search in
// a binary search tree of n rows: 0 for n <= 1, 1 for n = 2, else
//
//	2 (ln(n-1) + gamma) - 2 (n-1)/n
//
// Source: Liu, Ting, Zhou 2008, equation 1; the same approximation of the
// harmonic number as scikit-learn.
func PathLength(n int) float64 {
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return 1
	}
	m := float64(n - 1)
	return float64(2*(math.Log(m)+eulerGamma)) - float64(2*m)/float64(n)
}
