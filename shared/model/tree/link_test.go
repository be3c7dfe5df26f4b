package tree_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/model/tree"
)

// linked scores the margins m through link.
func linked(t *testing.T, link tree.Link, m ...float64) []float64 {
	t.Helper()
	s := tree.Source{Kind: tree.Boosting, Link: link, Features: 1, Outputs: len(m), Base: m, Trees: []tree.SourceTree{leafOnly(make([]float64, len(m))...)}}
	dst := make([]float64, len(m))
	if err := build(t, s).Predict(dst, []float64{0}); err != nil {
		t.Fatal(err)
	}
	return dst
}

// The package's own exp may differ from math.Exp, correct to 1 ulp, by 2.
func TestPredict_links(t *testing.T) {
	near := func(what string, m, got, want float64) {
		if !(math.Abs(got-want) <= 4*0x1p-52*want) {
			t.Errorf("%s of %v: got %v, want %v", what, m, got, want)
		}
	}
	r := rand.New(rand.NewPCG(40, 0))
	margins := []float64{0, 1, -1, 0.5, 36, -36, 700, -700, -745, -745.1, -800, 800, 1e100, -1e100, 1e-300, math.Ln2 / 2, -math.Ln2 / 2}
	for range 2000 {
		margins = append(margins, 40*r.NormFloat64())
	}
	for _, m := range margins {
		want := 1 / (1 + math.Exp(-m))
		if m < 0 {
			want = math.Exp(m) / (1 + math.Exp(m)) // exp(-m) may overflow
		}
		near("logistic", m, linked(t, tree.Logistic, m)[0], want)
		// The second of two classes whose margins differ by m.
		got := linked(t, tree.Softmax, m, 0)
		near("softmax", m, got[0], want)
		if sum := got[0] + got[1]; math.Abs(sum-1) > 0x1p-52 {
			t.Errorf("softmax of %v adds up to %v", m, sum)
		}
	}
	for _, m := range []float64{-1e100, -3, 0, 2.5, 1e100} {
		if got := linked(t, tree.Identity, m)[0]; got != m {
			t.Errorf("identity of %v: got %v", m, got)
		}
	}
}
