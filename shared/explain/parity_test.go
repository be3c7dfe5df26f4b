package explain_test

import (
	"hash"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/model/tree/treetest"
)

// Hashes of SHAP and base values; the same tests run under GOOS=js
// GOARCH=wasm. Bundles hold values of deep forests, so theirs stay for ever.
const (
	deepHash           = 0xf92dfce66bd762e6
	shallowHash        = 0xcdc7a43060fd00a2
	interventionalHash = 0xed8e9f2a4c2e9bc1
	interactionHash    = 0xfd6d540e412069fd
)

type hasher struct{ hash.Hash64 }

func (h hasher) add(values ...float64) {
	for _, v := range values {
		u := math.Float64bits(v)
		h.Write([]byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24), byte(u >> 32), byte(u >> 40), byte(u >> 48), byte(u >> 56)})
	}
}

func (h hasher) check(t *testing.T, what string, want uint64) {
	t.Helper()
	if got := h.Sum64(); got != want {
		t.Errorf("%s: got %#x, want %#x", what, got, want)
	}
}

func TestValues_sameBitsOnEveryPlatform(t *testing.T) {
	for _, depth := range []int{7, 10} {
		h := hasher{fnv.New64a()}
		for i, c := range shapes {
			c.o.Features, c.o.Depth = 20, depth
			r := rand.New(rand.NewPCG(31, uint64(i)))
			s := treetest.Random(r, c.o)
			x, e := explainer(t, s)
			if e.Depth() != depth {
				t.Fatalf("%s: depth %d, want %d", c.name, e.Depth(), depth)
			}
			rows := treetest.Rows(r, c.o, 20, 0.05)
			phi := make([]float64, len(rows)*s.Outputs)
			if err := x.AllValues(phi, rows); err != nil {
				t.Fatal(err)
			}
			h.add(phi...)
			for class := range s.Outputs {
				h.add(x.Base(class))
			}
		}
		if depth == 7 {
			h.check(t, "shallow", shallowHash)
			continue
		}
		for _, n := range []int{20, 40, 100} { // rules of 16 to 56 points
			s := chain(n)
			x, _ := explainer(t, s)
			phi := make([]float64, n)
			if err := x.Values(phi, make([]float64, n), 0); err != nil {
				t.Fatal(err)
			}
			h.add(phi...)
		}
		h.check(t, "deep", deepHash)
	}
}

func TestInterventional_sameBitsOnEveryPlatform(t *testing.T) {
	h := hasher{fnv.New64a()}
	for i, c := range shapes {
		for _, depth := range []int{6, 9} {
			c.o.Features, c.o.Depth = 20, depth
			r := rand.New(rand.NewPCG(32, uint64(i)))
			s := treetest.Random(r, c.o)
			x := interventional(t, s, treetest.Rows(r, c.o, 7, 0.05))
			rows := treetest.Rows(r, c.o, 5, 0.05)
			phi := make([]float64, len(rows)*s.Outputs)
			if err := x.AllValues(phi, rows); err != nil {
				t.Fatal(err)
			}
			h.add(phi...)
			for class := range s.Outputs {
				h.add(x.Base(class))
			}
		}
	}
	h.check(t, "values", interventionalHash)
}

func TestInteractions_sameBitsOnEveryPlatform(t *testing.T) {
	h := hasher{fnv.New64a()}
	for i, c := range shapes {
		c.o.Features = 20
		r := rand.New(rand.NewPCG(33, uint64(i)))
		x, _ := explainer(t, treetest.Random(r, c.o))
		rows := treetest.Rows(r, c.o, 4, 0.05)
		phi := make([]float64, len(rows)*20)
		if err := x.Interactions(phi, rows, 0); err != nil {
			t.Fatal(err)
		}
		h.add(phi...)
	}
	h.check(t, "interactions", interactionHash)
}
