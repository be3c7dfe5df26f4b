package calibrate_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"cloister/builder/internal/calibrate"
)

// The figures are scikit-learn's: testdata/isotonic.py says how, its output
// which version (2026-11-22).
func TestFit_asScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/isotonic.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		X, At, Isotonic, Beta []float64
		Y                     []bool
	}
	if err := json.Unmarshal(text, &g); err != nil || len(g.At) != 201 || len(g.Beta) != 3 {
		t.Fatal(len(g.At), err)
	}
	iso, err := calibrate.Fit(calibrate.Isotonic, g.X, g.Y)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range g.At {
		if got := iso.At(at); math.Abs(got-g.Isotonic[i]) > 1e-9 {
			t.Errorf("isotonic at %v: got %v, want %v", at, got, g.Isotonic[i])
		}
	}
	curve, err := calibrate.Fit(calibrate.Beta, g.X, g.Y)
	if err != nil {
		t.Fatal(err)
	}
	x, y := curve.Knots()
	for i, s := range x {
		if s == 0 || s == 1 {
			continue
		}
		want := 1 / (1 + math.Exp(-(g.Beta[0]*math.Log(s) - g.Beta[1]*math.Log(1-s) + g.Beta[2])))
		if math.Abs(y[i]-want) > 1e-5 {
			t.Errorf("beta at %v: got %v, want %v", s, y[i], want)
		}
	}
}

// sample returns n rows of k scores; the truth follows bend of each score.
func sample(n, k int, seed uint64, bend func(float64) float64) (p []float64, truth []int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for range n {
		row, sum, real := make([]float64, k), 0.0, make([]float64, k)
		for c := range row {
			row[c] = rng.ExpFloat64()
			sum += row[c]
		}
		total := 0.0
		for c := range row {
			row[c] /= sum
			real[c] = bend(row[c])
			total += real[c]
		}
		at, class := rng.Float64()*total, 0
		for class < k-1 && at >= real[class] {
			at -= real[class]
			class++
		}
		p, truth = append(p, row...), append(truth, class)
	}
	return p, truth
}

// Scores that are too timid are mended, scores that are right are left alone
// or hardly touched.
func TestChoose(t *testing.T) {
	const k = 3
	p, truth := sample(3000, k, 1, func(s float64) float64 { return s * s * s })
	c, err := calibrate.Choose(p, truth, k, 1)
	if err != nil {
		t.Fatal(err)
	}
	if c.Method == calibrate.None || len(c.Tried) != 3 || c.Curve == nil {
		t.Fatalf("%+v", c)
	}
	raw, best := c.Tried[0], c.Tried[0]
	for _, v := range c.Tried {
		if v.LogLoss < best.LogLoss {
			best = v
		}
	}
	if best.Method != c.Method || best.LogLoss > raw.LogLoss-0.05 || best.Error > raw.Error/2 {
		t.Errorf("%+v", c.Tried)
	}
	again, err := calibrate.Choose(p, truth, k, 1)
	if err != nil || again.Method != c.Method || again.Curve.At(.4) != c.Curve.At(.4) {
		t.Errorf("the same rows and seed give %+v", again)
	}
	p, truth = sample(3000, k, 2, func(s float64) float64 { return s })
	if c, err = calibrate.Choose(p, truth, k, 1); err != nil {
		t.Fatal(err)
	}
	for _, s := range []float64{.2, .5, .8} {
		if c.Curve != nil && math.Abs(c.Curve.At(s)-s) > .08 {
			t.Errorf("right scores: %s makes %v of %v", c.Method, c.Curve.At(s), s)
		}
	}
}

func TestChoose_fewRows(t *testing.T) {
	c, err := calibrate.Choose([]float64{1, 0, 0, 1}, []int{0, 1}, 2, 1)
	if err != nil || c.Method != calibrate.None || c.Curve != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := calibrate.Fit("platt", nil, nil); err == nil {
		t.Error("an unknown method")
	}
	flat, err := calibrate.Fit(calibrate.Isotonic, []float64{.5, .5}, []bool{true, false})
	if err != nil || flat.At(.1) != .5 || flat.At(.9) != .5 {
		t.Errorf("scores all alike: %v", err)
	}
	for _, y := range [][]bool{{true, true, true}, {false, false, false}} {
		if c, err := calibrate.Fit(calibrate.Beta, []float64{.1, .5, .9}, y); err != nil || math.IsNaN(c.At(.5)) {
			t.Errorf("one outcome: %v", err)
		}
	}
}
