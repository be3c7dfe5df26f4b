package model

import (
	"fmt"
	"math"
	"slices"
)

// MaxKnots bounds the knots of a [Curve].
const MaxKnots = 1 << 12

// Curve is a rising function from score to probability: straight lines between
// knots, level before the first and after the last. It holds a fitted
// isotonic regression exactly and a smooth one, such as beta calibration, as
// closely as its knots lie, and gives the same bits natively and in js/wasm,
// which a formula with exponentials does not. It is immutable and safe for
// concurrent use.
type Curve struct{ x, y []float64 }

// NewCurve returns the curve through the knots (x[i], y[i]), 2 to [MaxKnots]
// of them: x in [0,1], strictly rising; y in [0,1], never falling. It keeps
// both slices, which must not be changed.
func NewCurve(x, y []float64) (*Curve, error) {
	if len(x) != len(y) || len(x) < 2 || len(x) > MaxKnots {
		return nil, fmt.Errorf("curve: %d and %d values, want 2 to %d knots", len(x), len(y), MaxKnots)
	}
	for i := range x {
		switch {
		case !(x[i] >= 0 && x[i] <= 1) || i > 0 && !(x[i] > x[i-1]):
			return nil, fmt.Errorf("curve: knot %d: score %v, want rising ones in 0 to 1", i, x[i])
		case !(y[i] >= 0 && y[i] <= 1) || i > 0 && y[i] < y[i-1]:
			return nil, fmt.Errorf("curve: knot %d: probability %v, want ones in 0 to 1 that do not fall", i, y[i])
		}
	}
	return &Curve{x, y}, nil
}

// Knots returns the knots. The slices are shared and must not be changed.
func (c *Curve) Knots() (x, y []float64) { return c.x, c.y }

// At returns the probability of a score, NaN of NaN. It costs O(log knots).
func (c *Curve) At(score float64) float64 {
	i, ok := slices.BinarySearch(c.x, score)
	switch {
	case math.IsNaN(score):
		return score
	case ok:
		return c.y[i]
	case i == 0:
		return c.y[0]
	case i == len(c.x):
		return c.y[i-1]
	}
	part := (score - c.x[i-1]) / (c.x[i] - c.x[i-1])
	return c.y[i-1] + float64(part*(c.y[i]-c.y[i-1]))
}

// Calibrate replaces the class probabilities p of one row by those of the
// curve, scaled to sum to 1; a row for which the curve is 0 everywhere stays.
// As the curve rises, no class overtakes another, though two may become equal.
func (c *Curve) Calibrate(p []float64) {
	sum := 0.0
	for _, v := range p {
		sum += c.At(v)
	}
	if !(sum > 0) {
		return
	}
	for i, v := range p {
		p[i] = c.At(v) / sum
	}
}
