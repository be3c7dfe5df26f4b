package tree

import "math"

// finish turns sums of leaf values, n×k in dst, into margins, in place:
// forest: mean; boosting: Base + sum; isolation: -mean/c(psi).
func (e *Ensemble) finish(dst []float64) {
	k := e.outputs
	trees := float64(e.Trees())
	switch e.kind {
	case Forest:
		for i := range dst {
			dst[i] /= trees
		}
	case Boosting:
		for i := 0; i < len(dst); i += k {
			row := dst[i : i+k]
			for j, b := range e.base {
				row[j] += b
			}
		}
	case Isolation:
		c := PathLength(e.psi)
		for i := range dst {
			dst[i] = -(dst[i] / trees) / c
		}
	}
}

// applyLink turns margins, n×k in dst, into scores, in place.
func (e *Ensemble) applyLink(dst []float64) {
	switch {
	case e.kind == Isolation:
		for i, m := range dst {
			dst[i] = exp(m * math.Ln2)
		}
	case e.link == Logistic:
		for i, m := range dst {
			dst[i] = logistic(m)
		}
	case e.link == Softmax && loops != nil && loops.Softmax != nil:
		softmaxFast(dst, e.outputs)
	case e.link == Softmax:
		for i := 0; i < len(dst); i += e.outputs {
			softmax(dst[i : i+e.outputs])
		}
	}
}

// logistic returns 1/(1+exp(-m)) without overflow on either side.
func logistic(m float64) float64 {
	if m < 0 {
		z := exp(m)
		return z / (1 + z)
	}
	return 1 / (1 + exp(-m))
}

// softmax replaces margins by probabilities.
func softmax(v []float64) {
	high := v[0]
	for _, m := range v[1:] {
		high = max(high, m)
	}
	sum := 0.0
	for i, m := range v {
		v[i] = exp(m - high)
		sum += v[i]
	}
	for i := range v {
		v[i] /= sum
	}
}

// ln2High has 32 significant bits, so that k*ln2High is exact for every
// exponent k; ln2High + ln2Low is ln 2 to 1e-26.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

// exp returns e**x to 1 ulp, with the same bits on every platform: package
// math has assembly for some, and products are rounded before they are added.
// It reduces x to k ln2 + r, |r| <= ln2/2, and sums the Taylor series, whose
// 14th term is below 4e-18 of the result. x is finite; results below the
// smallest normal number round as Ldexp rounds.
func exp(x float64) float64 {
	switch {
	case x > 709.78:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := float64(x-float64(k*ln2High)) - float64(k*ln2Low)
	p := 1.0 / 6227020800 // 1/13!
	for _, c := range taylor {
		p = float64(p*r) + c
	}
	if k > -1021 && k < 1022 { // a normal number: scaling is exact, and this is faster
		return p * math.Float64frombits(uint64(int64(k)+1023)<<52)
	}
	return math.Ldexp(p, int(k))
}

// taylor holds 1/12!, 1/11!, ..., 1/0!.
var taylor = [13]float64{
	1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
	1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1,
}
