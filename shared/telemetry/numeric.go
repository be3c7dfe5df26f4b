package telemetry

import (
	"math"
	"slices"
)

// ln returns the natural logarithm of a finite x > 0, to 1e-15 relative. It
// uses +, -, * and / in a fixed order, so that it gives the same bits
// everywhere: with x = m 2^e and m in [sqrt(1/2), sqrt(2)),
//
//	ln x = e ln 2 + 2 (s + s³/3 + s⁵/5 + ... + s²³/23),  s = (m-1)/(m+1)
//
// The explicit conversions keep compilers from fusing a product with a sum.
func ln(x float64) float64 {
	const (
		ln2High = 6.93147180369123816490e-01 // 32 bits of ln 2, so that e times it is exact
		ln2Low  = 1.90821492927058770002e-10
	)
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = m*2, e-1
	}
	s := (m - 1) / (m + 1)
	q := s * s
	sum := 0.0
	for k := 23; k >= 3; k -= 2 {
		sum = float64(q * (sum + 1/float64(k)))
	}
	low := float64(2*s*sum) + float64(float64(e)*ln2Low)
	return float64(float64(e)*ln2High) + (float64(2*s) + low)
}

// Log2 returns the binary logarithm of x > 0, the same bits everywhere.
func log2(x float64) float64 { return ln(x) * (1 / math.Ln2) }

// SignedLog returns sign(x) ln(1+|x|): 0 for 0, odd, increasing, the same bits
// everywhere, NaN for NaN and ±Inf for ±Inf.
func SignedLog(x float64) float64 {
	switch {
	case x != x || x == 0 || math.IsInf(x, 0):
		return x
	case x < 0:
		return -SignedLog(-x)
	case x < 1e-5: // 1+x would lose digits
		return x * (1 - x*(0.5-x/3))
	}
	return ln(1 + x)
}

// quantile returns the q-quantile of ascending values: linear between the
// neighbours of position q (n-1), as numpy does by default. NaN without values.
func quantile(sorted []float64, q float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	at := q * float64(n-1)
	i := int(at)
	if i >= n-1 {
		return sorted[n-1]
	}
	return sorted[i] + float64((at-float64(i))*(sorted[i+1]-sorted[i]))
}

// finite appends the finite values of x to dst.
func finite(dst, x []float64) []float64 {
	for _, v := range x {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			dst = append(dst, v)
		}
	}
	return dst
}

// mean returns the mean, NaN without values.
func mean(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// deviation returns the sample standard deviation about m, NaN below two
// values.
func deviation(x []float64, m float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	sum := 0.0
	for _, v := range x {
		sum += float64((v - m) * (v - m))
	}
	return math.Sqrt(sum / float64(len(x)-1))
}

// moments returns skewness and excess kurtosis, biased (moments over powers of
// the population deviation); 0 for values that do not vary, NaN below three
// and four values.
func moments(x []float64, m float64) (skew, kurtosis float64) {
	var m2, m3, m4 float64
	for _, v := range x {
		d := v - m
		s := float64(d * d)
		m2 += s
		m3 += float64(s * d)
		m4 += float64(s * s)
	}
	n := float64(len(x))
	m2, m3, m4 = m2/n, m3/n, m4/n
	skew, kurtosis = math.NaN(), math.NaN()
	still := m2 <= 1e-24*m*m || m2 == 0
	if len(x) >= 3 {
		if skew = 0; !still {
			skew = m3 / (m2 * math.Sqrt(m2))
		}
	}
	if len(x) >= 4 {
		if kurtosis = 0; !still {
			kurtosis = m4/float64(m2*m2) - 3
		}
	}
	return skew, kurtosis
}

// entropy returns the Shannon entropy in bits of ascending values counted in
// equal bins over their range: 0 when all are equal, NaN without values.
func entropy(sorted []float64, bins int) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	low, width := sorted[0], sorted[n-1]-sorted[0]
	if width <= 0 || math.IsInf(width, 0) {
		return 0
	}
	sum, run, bin := 0.0, 0, 0
	add := func() {
		if run > 0 {
			p := float64(run) / float64(n)
			sum -= float64(p * log2(p))
		}
	}
	for _, v := range sorted {
		if b := min(int((v-low)/width*float64(bins)), bins-1); b != bin {
			add()
			run, bin = 0, b
		}
		run++
	}
	add()
	return sum
}

// past remembers the newest values of a series, in order of arrival and of
// size.
type past struct {
	ring   []float64
	next   int
	sorted []float64
}

// add forgets the oldest value when n are held and remembers v, unless it is
// not finite. O(n).
func (p *past) add(v float64, n int) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	if len(p.ring) < n {
		p.ring = append(p.ring, v)
	} else {
		i, _ := slices.BinarySearch(p.sorted, p.ring[p.next])
		p.sorted = slices.Delete(p.sorted, i, i+1)
		p.ring[p.next] = v
		p.next = (p.next + 1) % n
	}
	i, _ := slices.BinarySearch(p.sorted, v)
	p.sorted = slices.Insert(p.sorted, i, v)
}

func (p *past) len() int { return len(p.sorted) }

// middle returns the median.
func (p *past) middle() float64 { return quantile(p.sorted, 0.5) }

// spread returns the median of |v - m| for the median m, found by walking
// outwards from it. O(n).
func (p *past) spread(m float64) float64 {
	n := len(p.sorted)
	hi, _ := slices.BinarySearch(p.sorted, m)
	lo := hi - 1
	need := n/2 + 1 // of the n deviations in ascending order
	var before, d float64
	for range need {
		before = d
		switch {
		case lo < 0 || hi < n && p.sorted[hi]-m <= m-p.sorted[lo]:
			d = p.sorted[hi] - m
			hi++
		default:
			d = m - p.sorted[lo]
			lo--
		}
	}
	if n%2 == 0 {
		return (before + d) / 2
	}
	return d
}

// zCap bounds robust z-scores: what is beyond says nothing more.
const zCap = 50

// z returns the robust z-score of v against the values remembered, within
// ±zCap:
//
//	(v - median) / max(1.4826 MAD, floor, |median|/100)
//
// It is NaN for NaN and while fewer than least values are known. A series that
// never moved has a MAD of 0, so floor says what deviation counts in its unit.
func (p *past) z(v, floor float64, least int) float64 {
	if p.len() < least || math.IsNaN(v) {
		return math.NaN()
	}
	m := p.middle()
	// 1.4826: the MAD of a normal distribution is its deviation / 1.4826.
	scale := max(1.4826*p.spread(m), floor, math.Abs(m)/100)
	d := v - m
	if d == 0 {
		return 0
	}
	if scale == 0 {
		return math.Copysign(zCap, d)
	}
	return max(-zCap, min(zCap, d/scale))
}
