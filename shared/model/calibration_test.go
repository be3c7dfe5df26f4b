package model_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/shared/model"
)

func TestCurve_at(t *testing.T) {
	c, err := model.NewCurve([]float64{0.2, 0.4, 0.5, 1}, []float64{0.1, 0.1, 0.7, 0.9})
	if err != nil {
		t.Fatal(err)
	}
	tests := [][2]float64{{-1, 0.1}, {0, 0.1}, {0.2, 0.1}, {0.3, 0.1}, {0.45, 0.4}, {0.5, 0.7}, {0.75, 0.8}, {1, 0.9}, {2, 0.9}, {math.Inf(1), 0.9}}
	for _, tt := range tests {
		if got := c.At(tt[0]); math.Abs(got-tt[1]) > 1e-15 {
			t.Errorf("at %v: got %v, want %v", tt[0], got, tt[1])
		}
	}
	if !math.IsNaN(c.At(math.NaN())) {
		t.Error("a probability for NaN")
	}
}

// Order of the classes stays, the sum is 1, and a row of zeros is left alone.
func TestCurve_calibrate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := []float64{0}, []float64{0}
	for len(x) < 20 {
		x = append(x, x[len(x)-1]+rng.Float64()/20+1e-9)
		y = append(y, min(1, y[len(y)-1]+rng.Float64()/10))
	}
	c, err := model.NewCurve(x, y)
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		p := make([]float64, 5)
		for i := range p {
			p[i] = rng.Float64()
		}
		before := slices.Clone(p)
		c.Calibrate(p)
		sum := 0.0
		for i := range p {
			sum += p[i]
			for j := range p {
				if before[i] < before[j] && p[i] > p[j] {
					t.Fatalf("%v became %v", before, p)
				}
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Fatalf("%v sum to %v", p, sum)
		}
	}
	zero := []float64{0, 0}
	if c.Calibrate(zero); zero[0] != 0 || zero[1] != 0 {
		t.Errorf("zeros became %v", zero)
	}
}

func TestNewCurve_refuses(t *testing.T) {
	nan, many := math.NaN(), make([]float64, model.MaxKnots+1)
	for i := range many {
		many[i] = float64(i) / float64(len(many))
	}
	tests := []struct {
		name string
		x, y []float64
	}{
		{"nothing", nil, nil},
		{"one knot", []float64{0}, []float64{0}},
		{"lengths", []float64{0, 1}, []float64{0}},
		{"equal scores", []float64{0.5, 0.5}, []float64{0, 1}},
		{"falling scores", []float64{1, 0}, []float64{0, 1}},
		{"scores above 1", []float64{0, 1.1}, []float64{0, 1}},
		{"NaN score", []float64{0, nan}, []float64{0, 1}},
		{"falling", []float64{0, 1}, []float64{1, 0}},
		{"NaN", []float64{0, 1}, []float64{0, nan}},
		{"below 0", []float64{0, 1}, []float64{-0.1, 1}},
		{"too many", many, many},
	}
	for _, tt := range tests {
		if c, err := model.NewCurve(tt.x, tt.y); err == nil {
			t.Errorf("%s: accepted: %v", tt.name, c)
		}
	}
}
