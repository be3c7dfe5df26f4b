package tree_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"cloister/shared/bundle"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// nativeShapes are more than shapes: vectors of every length, both widths, deep
// and shallow, one column and thousands, chains deeper than any block.
func nativeShapes() []treetest.Options {
	var list []treetest.Options
	for _, c := range shapes {
		list = append(list, c.o)
	}
	list = append(list,
		treetest.Options{Features: 1, Outputs: 1, Trees: 2, Levels: 5},
		treetest.Options{Trees: 1, Depth: 15, Leaf: 0.003, Levels: 200, Outputs: 2},     // nodes beyond 1<<15
		treetest.Options{Trees: 2, Depth: 18, Leaf: 0.01, Levels: 200, Outputs: 2},      // beyond 1<<16: wide
		treetest.Options{Features: 3000, Trees: 40, Depth: 8, Leaf: 0.01},               // more columns than a block has room for
		treetest.Options{Features: 1500, Trees: 40, Depth: 8, Leaf: 0.01},               // blocks of 64 rows
		treetest.Options{Features: 2, Trees: 90, Depth: 8, Missing: true},               // both directions
		treetest.Options{Features: 20, Trees: 300, Depth: 9, Leaf: 0.02, Missing: true}, // wide ranks beyond 4,095
		treetest.Options{Features: 2, Outputs: 1, Trees: 2, Depth: 16, Leaf: 0.0001},    // wide ranks beyond 65,535
		treetest.Options{Kind: tree.Boosting, Outputs: 2, Trees: 70, Depth: 9, Levels: 99, Scalar: true},
		treetest.Options{Kind: tree.Isolation, Trees: 30, Depth: 5},
	)
	for n := 1; n <= 13; n++ {
		list = append(list,
			treetest.Options{Outputs: n, Levels: 50, Depth: 8},
			treetest.Options{Outputs: n, Features: 300, Trees: 50, Depth: 7, Missing: true})
	}
	for depth := 1; depth <= 8; depth++ {
		list = append(list,
			treetest.Options{Kind: tree.Boosting, Scalar: true, Trees: 31, Depth: depth, Levels: 99, Missing: depth%2 == 0},
			treetest.Options{Kind: tree.Oblivious, Outputs: 3 * depth, Trees: 7 * depth, Depth: depth, Levels: 99, Missing: depth%2 == 0})
	}
	return list
}

// withKernel scores x with k in every way.
func withKernel(t *testing.T, k *tree.Kernel, e *tree.Ensemble, x []float64) []float64 {
	t.Helper()
	tree.UseKernel(k)
	defer func() {
		tree.UseKernel(nil)
		if list := tree.NativeKernels(); len(list) > 0 {
			tree.UseKernel(list[0])
		}
	}()
	d, outputs := e.Shape()
	dst := make([]float64, len(x)/d*outputs)
	if err := e.Predict(dst, x); err != nil {
		t.Fatal(err)
	}
	all := append([]float64(nil), dst...)
	b, err := e.Bin(x)
	if err == nil {
		err = e.PredictBinned(dst, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(all, dst...)
}

// differNative compares bits of all native kernels with those of Go's own loops.
func differNative(t *testing.T, name string, e *tree.Ensemble, x []float64) int {
	t.Helper()
	want := withKernel(t, nil, e, x)
	values := 0
	for at, k := range tree.NativeKernels() {
		for i, v := range withKernel(t, k, e, x) {
			if math.Float64bits(v) != math.Float64bits(want[i]) {
				t.Errorf("%s: native kernel %d: score %d of %d is %v, want %v", name, at, i, len(want), v, want[i])
				break
			}
			values++
		}
	}
	return values
}

func TestNativeKernels_sameBits(t *testing.T) {
	if len(tree.NativeKernels()) == 0 {
		return // there are none to compare: TestNativeKernels_areThere says where there must be
	}
	values := 0
	for i, o := range nativeShapes() {
		r := rand.New(rand.NewPCG(77, uint64(i)))
		e := build(t, treetest.Random(r, o))
		for _, n := range []int{0, 1, 15, 16, 17, 64, 65, 300, 4097} {
			if n > 300 && (i%7 != 0 || o.Features > 1000) {
				continue
			}
			values += differNative(t, fmt.Sprintf("shape %d, %d rows", i, n), e, treetest.Rows(r, o, n, 0.05))
		}
	}
	if kernels := len(tree.NativeKernels()); values < 100_000*kernels {
		t.Errorf("compared %d values for %d kernels", values, kernels)
	}
}

// Edges are searched in blocks of sixteen and ranks cut at 255 and 65,535: every
// number of edges around those counts right, at each edge, beside it and beyond.
func TestNativeKernels_everyNumberOfEdges(t *testing.T) {
	directions := map[string][]bool{"right": {false}, "left": {true}, "both": {false, true}}
	for _, n := range []int{1, 15, 16, 17, 31, 32, 33, 240, 254, 255, 256, 257, 272, 511, 512, 4095, 4096, 4097, 65534, 65535, 65536} {
		edges := make([]float64, n)
		for i := range edges {
			edges[i] = float64(i)
		}
		x := []float64{math.NaN(), math.Inf(-1), math.Inf(1), -1, float64(n), math.Copysign(0, -1)}
		for i := 0; i < n; i += 1 + n/2000 {
			x = append(x, float64(i), math.Nextafter(float64(i), math.Inf(1)))
		}
		for i := max(0, n-40); i < n; i++ {
			x = append(x, float64(i), float64(i)+0.5)
		}
		for name, lefts := range directions {
			s := treetest.Ladder(edges, lefts[0])
			missing := 0.0
			for i, left := range lefts {
				if i > 0 {
					s.Trees = append(s.Trees, treetest.Ladder(edges, left).Trees...)
				}
				if !left {
					missing += float64(n)
				}
			}
			e := build(t, s)
			differNative(t, fmt.Sprintf("%d edges, NaN %s", n, name), e, x)
			dst := make([]float64, len(x))
			if err := e.Predict(dst, x); err != nil {
				t.Fatal(err)
			}
			for i, v := range x {
				want := float64(len(lefts)) * min(max(math.Ceil(v), 0), float64(n))
				if v != v {
					want = missing
				}
				if dst[i] != want {
					t.Fatalf("%d edges, NaN %s: %v scores %v, want %v", n, name, v, dst[i], want)
				}
			}
		}
	}
}

// Released models score the same at and around their own thresholds.
func TestNativeKernels_sameBitsOfReleasedModels(t *testing.T) {
	if len(tree.NativeKernels()) == 0 {
		return
	}
	files, err := filepath.Glob("../../../models/*/*.bundle")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d bundles, %v", len(files), err)
	}
	models := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Open(data, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		content, err := b.Decode()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"model/forest.bin", "model/oblivious.bin", "model/isolation.bin"} {
			part, found := content.File(name)
			if !found {
				continue
			}
			e, err := tree.Decode(part)
			if err != nil {
				t.Fatal(err)
			}
			models++
			differNative(t, f+" "+name, e, treetest.Near(rand.New(rand.NewPCG(5, 6)), e, 333))
		}
	}
	if models < 3 {
		t.Errorf("compared %d models", models)
	}
}
