// Package model says what every fitted model does: turn rows into scores. It
// hides nothing itself; its sub-packages hide one family each. A fitted model
// is immutable and safe for concurrent use, and its trainer is another type in
// another program, so an unfitted model cannot be represented.
package model

import "fmt"

// Predictor scores rows.
type Predictor interface {
	// Shape returns the number of input columns d and of scores per row k.
	Shape() (d, k int)
	// Predict fills dst, n×k row-major, with the scores of the rows of x, n×d
	// row-major. NaN in x is a missing value. Predict keeps neither slice and
	// does not change x; on error dst is as it was. A length that does not
	// match is a [*ShapeError]. The same row gives the same bits whatever its
	// batch, on every platform that does not fuse a*b+c (amd64, wasm).
	Predict(dst, x []float64) error
	// AppendBinary appends the model's encoding, which its package's Decode
	// reads back to the same bits.
	AppendBinary(dst []byte) ([]byte, error)
}

// ShapeError means that a slice does not have the length that its other
// dimensions ask for.
type ShapeError struct {
	What string // "x", "dst", "phi"
	Got  int    // values
	Want string // "a multiple of 22"
}

// Error returns what was wrong.
func (e *ShapeError) Error() string {
	return fmt.Sprintf("%s holds %d values, want %s", e.What, e.Got, e.Want)
}

// Rows checks the lengths of x, n×d, and dst, n×k, and returns n.
func Rows(dst, x []float64, d, k int) (int, error) {
	if len(x)%d != 0 {
		return 0, &ShapeError{"x", len(x), fmt.Sprintf("a multiple of %d", d)}
	}
	n := len(x) / d
	if len(dst) != n*k {
		return 0, &ShapeError{"dst", len(dst), fmt.Sprint(n * k)}
	}
	return n, nil
}
