package model

import (
	"errors"
	"fmt"
	"math"

	"cloister/shared/wire"
)

// Limits of [Centres].
const (
	MaxCentres      = 1 << 12
	MaxCentreValues = 1 << 20 // of all centres together
)

// Centres say how far a row is from the rows that a model was trained on: they
// are m points in the middle of them, and
//
//	z_j = sign(x_j) ln(1 + |x_j|) / scale_j
//	distance = sqrt(min over centres c of sum_j (z_j - c_j)²)
//
// with 0 for the part of a missing value. Logarithms let a thousand bytes
// differ from a hundred as much as a hundred from ten; the nearest of many
// centres follows data that lie in clumps, which one mean with a covariance
// does not. Immutable and safe for concurrent use; the same bits natively and
// in js/wasm.
//
// Source: distance to the nearest cluster centre, as in He, Xu, Deng, Pattern
// Recognition Letters 24, 2003; differs in ignoring the size of clusters.
type Centres struct {
	scale  []float64 // d, positive
	points []float32 // m×d
}

// NewCentres returns the points, m×d row-major, over columns with the given
// positive scales. It keeps both, which must not be changed.
func NewCentres(scale []float64, points []float32) (*Centres, error) {
	d := len(scale)
	if d == 0 || len(points) == 0 || len(points)%d != 0 || len(points)/d > MaxCentres || len(points) > MaxCentreValues {
		return nil, fmt.Errorf("centres: %d values of %d columns", len(points), d)
	}
	for j, v := range scale {
		if !(v > 0 && v <= math.MaxFloat64) {
			return nil, fmt.Errorf("centres: scale %d is %v", j, v)
		}
	}
	for i, v := range points {
		if !(v >= -math.MaxFloat32 && v <= math.MaxFloat32) {
			return nil, fmt.Errorf("centres: value %d is %v", i, v)
		}
	}
	return &Centres{scale, points}, nil
}

// Shape returns the columns d and the number of centres m.
func (c *Centres) Shape() (d, m int) { return len(c.scale), len(c.points) / len(c.scale) }

// Place returns z_j for value x of column j.
func (c *Centres) Place(j int, x float64) float64 {
	z := math.Log(1+math.Abs(x)) / c.scale[j]
	if x < 0 {
		return -z
	}
	return z
}

// Distances fills dst, n, with the distances of the rows of x, n×d row-major.
// An infinite value gives +Inf. It costs O(m·d) a row, less where the first
// columns of a centre are far already. A length that does not match is a
// [*ShapeError].
func (c *Centres) Distances(dst, x []float64) error {
	d := len(c.scale)
	n, err := Rows(dst, x, d, 1)
	if err != nil {
		return err
	}
	z := make([]float64, d)
	last := 0 // rows come in runs of one kind: the centre before is a good guess
	for i := range n {
		for j, v := range x[i*d : (i+1)*d] {
			z[j] = c.Place(j, v)
		}
		best := c.until(z, last, math.Inf(1))
		for p := 0; p < len(c.points); p += d {
			if s := c.until(z, p, best); s < best {
				best, last = s, p
			}
		}
		dst[i] = math.Sqrt(best)
	}
	return nil
}

// Far fills dst, n, with whether the distance of each row of x, n×d row-major,
// is above limit, as [Centres.Distances] says. Most rows are near some centre
// and cost a few of them. A length that does not match is a [*ShapeError].
func (c *Centres) Far(dst []bool, x []float64, limit float64) error {
	d := len(c.scale)
	if len(x) != len(dst)*d {
		return &ShapeError{"x", len(x), fmt.Sprint(len(dst) * d)}
	}
	z := make([]float64, d)
	bound := limit * limit * (1 + 1e-9) // above it the root is above limit
	last := 0
	for i := range dst {
		for j, v := range x[i*d : (i+1)*d] {
			z[j] = c.Place(j, v)
		}
		near := func(p int) bool {
			s := c.until(z, p, math.Nextafter(bound, math.Inf(1)))
			return s <= bound && math.Sqrt(s) <= limit
		}
		dst[i] = !near(last)
		for p := 0; p < len(c.points) && dst[i]; p += d {
			if near(p) {
				dst[i], last = false, p
			}
		}
	}
	return nil
}

// until returns the squared distance of z to the centre at p, or something
// that is at least limit once it is known to be.
func (c *Centres) until(z []float64, p int, limit float64) float64 {
	sum := 0.0
	for j, v := range c.points[p : p+len(z)] {
		if math.IsNaN(z[j]) {
			continue
		}
		diff := z[j] - float64(v)
		if sum += float64(diff * diff); sum >= limit {
			return sum
		}
	}
	return sum
}

// centresVersion is the first byte of the encoding: version, columns (varint),
// scales f64, centres (varint), points f32, in the format of package wire.
const centresVersion = 1

// errCentres means that bytes are no centres.
var errCentres = errors.New("centres: not in canonical form")

// AppendBinary appends the encoding, which [DecodeCentres] reads.
func (c *Centres) AppendBinary(dst []byte) ([]byte, error) {
	var w wire.Writer
	w.U8(centresVersion)
	w.Count(len(c.scale))
	for _, v := range c.scale {
		w.F64(v)
	}
	w.Count(len(c.points) / len(c.scale))
	for _, v := range c.points {
		w.U32(math.Float32bits(v))
	}
	return append(dst, w.Finish()...), nil
}

// DecodeCentres reads what [Centres.AppendBinary] wrote, and only that. It
// allocates at most as many bytes as b has and keeps no part of b.
func DecodeCentres(b []byte) (*Centres, error) {
	r := wire.NewReader(b)
	if v := r.U8(); v != centresVersion {
		return nil, fmt.Errorf("centres: version %d, want %d", v, centresVersion)
	}
	scale := make([]float64, r.Count(8))
	for i := range scale {
		scale[i] = r.F64()
	}
	m := r.Count(4)
	if r.Err() == nil && r.Left() != 4*m*len(scale) {
		return nil, errCentres
	}
	points := make([]float32, r.Left()/4)
	for i := range points {
		points[i] = math.Float32frombits(r.U32())
	}
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("centres: %w", err)
	}
	return NewCentres(scale, points)
}
