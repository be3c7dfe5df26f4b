package explain_test

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/model/tree/treetest"
)

// parityHash is of SHAP and base values; the same test runs under GOOS=js
// GOARCH=wasm.
const parityHash = 0x4d020b147dc687c9

func TestValues_sameBitsOnEveryPlatform(t *testing.T) {
	h := fnv.New64a()
	add := func(v float64) {
		u := math.Float64bits(v)
		h.Write([]byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24), byte(u >> 32), byte(u >> 40), byte(u >> 48), byte(u >> 56)})
	}
	for i, c := range shapes {
		c.o.Features, c.o.Depth = 20, max(c.o.Depth, 7)
		r := rand.New(rand.NewPCG(31, uint64(i)))
		s := treetest.Random(r, c.o)
		x, _ := explainer(t, s)
		rows := treetest.Rows(r, c.o, 20, 0.05)
		phi := make([]float64, len(rows)*s.Outputs)
		if err := x.AllValues(phi, rows); err != nil {
			t.Fatal(err)
		}
		for _, v := range phi {
			add(v)
		}
		for class := range s.Outputs {
			add(x.Base(class))
		}
	}
	for _, n := range []int{20, 40, 100} { // rules of 16 to 56 points
		s := chain(n)
		x, _ := explainer(t, s)
		phi := make([]float64, n)
		if err := x.Values(phi, make([]float64, n), 0); err != nil {
			t.Fatal(err)
		}
		for _, v := range phi {
			add(v)
		}
	}
	if got := h.Sum64(); got != parityHash {
		t.Errorf("got %#x, want %#x", got, uint64(parityHash))
	}
}
