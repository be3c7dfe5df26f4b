package tree_test

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// parityHash is of scores, margins, encodings and path lengths; the same test
// runs under GOOS=js GOARCH=wasm.
const parityHash = 0x4714a41af934a8c3

func TestEnsemble_sameBitsOnEveryPlatform(t *testing.T) {
	h := fnv.New64a()
	add := func(values []float64) {
		for _, v := range values {
			u := math.Float64bits(v)
			h.Write([]byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24), byte(u >> 32), byte(u >> 40), byte(u >> 48), byte(u >> 56)})
		}
	}
	hash := func(e *tree.Ensemble, x []float64) {
		d, k := e.Shape()
		dst := make([]float64, len(x)/d*k)
		for _, predict := range []func(dst, x []float64) error{e.Predict, e.Margin} {
			if err := predict(dst, x); err != nil {
				t.Fatal(err)
			}
			add(dst)
		}
		h.Write(encoded(t, e))
	}
	for i, c := range shapes {
		r := rand.New(rand.NewPCG(30, uint64(i)))
		e := build(t, treetest.Random(r, c.o))
		hash(e, treetest.Rows(r, c.o, 500, 0.05))
	}
	for i, c := range obliques {
		r := rand.New(rand.NewPCG(31, uint64(i)))
		e := build(t, obliqueForest(r, c.features, c.parts, c.trees, c.depth))
		x := obliqueRows(r, c.features, 100)
		hash(e, x)
		phi := make([]float64, c.features)
		e.PathValues(phi, x[:c.features])
		add(phi)
	}
	var lengths []float64
	for n := range 5000 {
		lengths = append(lengths, tree.PathLength(n))
	}
	add(lengths)
	if got := h.Sum64(); got != parityHash {
		t.Errorf("got %#x, want %#x", got, uint64(parityHash))
	}
}
