package model_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/model"
)

func centres(t *testing.T, seed uint64, m, d int) (*model.Centres, []float64, []float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	scale, points := make([]float64, d), make([]float32, m*d)
	for i := range scale {
		scale[i] = rng.Float64() + 0.1
	}
	for i := range points {
		points[i] = rng.Float32()*20 - 10
	}
	c, err := model.NewCentres(scale, points)
	if err != nil {
		t.Fatal(err)
	}
	return c, scale, points
}

// The distance is what the formula says, whatever was skipped on the way.
func TestCentres_distances(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	const n, d, m = 200, 6, 40
	c, scale, points := centres(t, 1, m, d)
	x := make([]float64, n*d)
	for i := range x {
		x[i] = math.Exp(rng.Float64()*12) * float64(rng.IntN(3)-1)
		if rng.IntN(20) == 0 {
			x[i] = math.NaN()
		}
	}
	got := make([]float64, n)
	if err := c.Distances(got, x); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		best := math.Inf(1)
		for p := range m {
			sum := 0.0
			for j := range d {
				v := x[i*d+j]
				if math.IsNaN(v) {
					continue
				}
				z := math.Copysign(math.Log(1+math.Abs(v))/scale[j], v) - float64(points[p*d+j])
				sum += z * z
			}
			best = min(best, sum)
		}
		if math.Abs(got[i]-math.Sqrt(best)) > 1e-12*(1+got[i]) {
			t.Fatalf("row %d: got %v, want %v", i, got[i], math.Sqrt(best))
		}
	}
	for _, limit := range []float64{0, got[3], got[50], 1e9, math.Inf(1)} {
		far := make([]bool, n)
		if err := c.Far(far, x, limit); err != nil {
			t.Fatal(err)
		}
		for i, v := range far {
			if v != (got[i] > limit) {
				t.Errorf("row %d at %v is far: %v, limit %v", i, got[i], v, limit)
			}
		}
	}
	if err := c.Far(make([]bool, 1), x[:d+1], 1); err == nil {
		t.Error("far of a part of a row")
	}
	var one [1]float64
	if err := c.Distances(one[:], []float64{math.Inf(1), 0, 0, 0, 0, 0}); err != nil || !math.IsInf(one[0], 1) {
		t.Errorf("of an infinite value: %v, %v", one[0], err)
	}
	var shape *model.ShapeError
	if err := c.Distances(one[:], x[:d+1]); !errors.As(err, &shape) {
		t.Errorf("of a part of a row: %v", err)
	}
}

func TestNewCentres_refuses(t *testing.T) {
	inf := float32(math.Inf(1))
	tests := []struct {
		name   string
		scale  []float64
		points []float32
	}{
		{"no column", nil, []float32{1}},
		{"no centre", []float64{1}, nil},
		{"part of a centre", []float64{1, 1}, []float32{1}},
		{"scale 0", []float64{0}, []float32{1}},
		{"scale NaN", []float64{math.NaN()}, []float32{1}},
		{"scale infinite", []float64{math.Inf(1)}, []float32{1}},
		{"infinite", []float64{1}, []float32{inf}},
		{"NaN", []float64{1}, []float32{inf - inf}},
		{"too many", []float64{1}, make([]float32, model.MaxCentres+1)},
	}
	for _, tt := range tests {
		if _, err := model.NewCentres(tt.scale, tt.points); err == nil {
			t.Errorf("%s: accepted", tt.name)
		}
	}
}

func TestDecodeCentres_everyPrefix(t *testing.T) {
	c, _, _ := centres(t, 3, 5, 3)
	b, err := c.AppendBinary([]byte("head"))
	if err != nil || string(b[:4]) != "head" {
		t.Fatal(b[:4], err)
	}
	b = b[4:]
	if d, m := c.Shape(); d != 3 || m != 5 {
		t.Errorf("%d columns, %d centres", d, m)
	}
	for i := range b {
		if _, err := model.DecodeCentres(b[:i]); err == nil {
			t.Errorf("accepted the first %d of %d bytes", i, len(b))
		}
	}
	if _, err := model.DecodeCentres(append(bytes.Clone(b), 0)); err == nil {
		t.Error("accepted a trailing byte")
	}
}

// FuzzDecodeCentres: what decodes encodes to the same bytes.
func FuzzDecodeCentres(f *testing.F) {
	c, err := model.NewCentres([]float64{1, 2}, []float32{1, 2, 3, 4})
	if err != nil {
		f.Fatal(err)
	}
	b, err := c.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := model.DecodeCentres(b)
		if err != nil {
			return
		}
		again, err := c.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("% x became % x, %v", b, again, err)
		}
	})
}
