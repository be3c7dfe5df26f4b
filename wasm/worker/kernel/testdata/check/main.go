// Command check is run by the tests in Node and in Chromium: it scores random
// and real models with the kernel and with Go's own loops, and posts what
// differs in a bit.
package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall/js"

	"cloister/shared/bundle"
	"cloister/shared/explain"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
	"cloister/wasm/worker/kernel"
)

var wrong []any

func fail(format string, args ...any) {
	if len(wrong) < 20 {
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
}

// same compares bits.
func same(name, what string, a, b []float64) {
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			fail("%s: %s %d is %v with the kernel, %v without", name, what, i, a[i], b[i])
			return
		}
	}
}

var values int

// differ scores x in every way with and without the kernel.
func differ(name string, e *tree.Ensemble, x []float64) {
	d, k := e.Shape()
	var got [2][]float64
	for i, with := range []bool{true, false} {
		kernel.Use(with)
		dst := make([]float64, len(x)/d*k)
		if err := e.Predict(dst, x); err != nil {
			fail("%s: %v", name, err)
			return
		}
		got[i] = append(got[i], dst...)
		for r := 0; r < len(x)/d; r += 1 + len(x)/d/100 { // rows that come alone
			if err := e.Predict(dst[:k], x[r*d:(r+1)*d]); err != nil {
				fail("%s: %v", name, err)
				return
			}
			got[i] = append(got[i], dst[:k]...)
		}
		b, err := e.Bin(x)
		if err == nil {
			err = e.PredictBinned(dst, b)
		}
		if err != nil {
			fail("%s: %v", name, err)
			return
		}
		got[i] = append(got[i], dst...)
		row := make([]uint16, e.Columns())
		for r := range b.Rows() {
			b.Row(row, r)
			for _, v := range row {
				got[i] = append(got[i], float64(v))
			}
		}
	}
	same(name, "score", got[0], got[1])
	values += len(got[0])
	if n := len(x) / d; n == attributed {
		attribute(name, e, x[:303*d])
	}
}

// attributed is how many rows x needs for some to be explained, too.
const attributed = 700

// attribute explains x with and without the kernel.
func attribute(name string, e *tree.Ensemble, x []float64) {
	d, k := e.Shape()
	if e.Depth() > 9 {
		x = x[:20*d]
	}
	class := make([]int, len(x)/d)
	for i := range class {
		class[i] = i % min(k, 3) // tables of each class take their time
	}
	by, err := explain.New(e)
	if err != nil {
		fail("%s: %v", name, err)
		return
	}
	var got [2][]float64
	for i, with := range []bool{true, false} {
		kernel.Use(with)
		phi := make([]float64, len(x))
		err := by.Values(phi, x, min(k, 3)-1)
		got[i] = append(got[i], phi...)
		if err == nil {
			err = by.Chosen(phi, x, class)
		}
		got[i] = append(got[i], phi...)
		if err != nil {
			fail("%s: %v", name, err)
			return
		}
	}
	same(name, "attribution", got[0], got[1])
	values += len(got[0])
}

// shapes reach every function of the kernel: narrow and wide, vectors of every
// length that is written out and of one that is not, scalars, depths 1 to 9,
// oblivious trees.
func shapes() []treetest.Options {
	list := []treetest.Options{
		{Trees: 20, Depth: 9, Levels: 40, Missing: true},
		{Levels: 9, Categories: 70, Missing: true},
		{Features: 300, Trees: 60, Depth: 7},
		{Features: 3, Trees: 60, Depth: 7, Missing: true},
		{Features: 2, Trees: 90, Depth: 8, Missing: true},
		{Trees: 1, Depth: 15, Leaf: 0.003, Levels: 200, Outputs: 2}, // nodes beyond 1<<15
		{Outputs: 1}, {Depth: -1, Trees: 3}, {Features: 90, Trees: 5}, {Features: 90, Trees: 6}, {Features: 90, Trees: 7, Depth: 9}, // six go down together
		{Features: 4, Trees: 40, Depth: 9, Levels: 900, Missing: true}, {Kind: tree.Boosting, Scalar: true, Features: 2, Trees: 50, Depth: 6}, // several columns a feature
		{Kind: tree.Isolation, Trees: 30, Depth: 8},
		{Kind: tree.Isolation, Trees: 30, Depth: 5},
	}
	for depth := 1; depth <= 8; depth++ {
		list = append(list, treetest.Options{Kind: tree.Boosting, Link: tree.Softmax, Scalar: true, Trees: 31, Depth: depth, Levels: 99, Missing: depth%2 == 0})
	}
	for depth := 1; depth <= 8; depth++ {
		list = append(list, treetest.Options{Kind: tree.Oblivious, Link: tree.Softmax, Outputs: 3 * depth, Trees: 7 * depth, Depth: depth, Levels: 99, Missing: depth%2 == 0})
	}
	for _, features := range []int{20, 60, 70} { // columns of rows that come alone: up to 64 take another way
		list = append(list, treetest.Options{Kind: tree.Boosting, Link: tree.Softmax, Scalar: true, Features: features, Trees: 60, Depth: 6, Levels: 20})
	}
	for outputs := 2; outputs <= 13; outputs++ {
		list = append(list,
			treetest.Options{Outputs: outputs, Levels: 50, Depth: 7},
			treetest.Options{Outputs: outputs, Features: 300, Trees: 50, Depth: 7})
	}
	return list
}

// edges are ladders' thresholds: as many as lists of the search begin and end
// at, numbers that float32 has, numbers between, several between two, and more
// than a search among float32 tells apart.
func edges() map[string][]float64 {
	list := map[string][]float64{
		"extremes": {math.Inf(-1), -math.MaxFloat64, -1e300, -math.MaxFloat32, -1, -1e-300, -5e-324, 0, 5e-324, 1e-46, 1e-45, 1, math.MaxFloat32, 1e39, 1e300, math.Inf(1)},
	}
	add := func(name string, counts []int, edge func(i int) float64) {
		for _, n := range counts {
			l := make([]float64, n)
			for i := range l {
				l[i] = edge(i)
			}
			list[fmt.Sprint(n, " ", name)] = l
		}
	}
	add("whole", []int{1, 3, 4, 15, 16, 17, 46, 47, 48, 49, 254, 255, 256, 766, 767, 768, 769, 12287, 12288, 65535, 65536}, func(i int) float64 { return float64(i) })
	add("thirds", []int{7, 47, 255, 5000}, func(i int) float64 { return float64(i-3) / 3 })
	add("close", []int{40, 255, 3000}, func(i int) float64 { return 1 + float64(i)*0x1p-26 })  // eight to a float32
	add("closer", []int{40, 255, 3000}, func(i int) float64 { return 1 + float64(i)*0x1p-27 }) // sixteen
	return list
}

// ladders score rows at, beside and far from edges, in trees that are walked and,
// up to what a column of bytes holds, in trees of one question.
func ladders() int {
	compared := 0
	for name, list := range edges() {
		x := []float64{math.NaN(), math.Inf(-1), math.Inf(1), math.Copysign(0, -1), 1e300, -1e300, 1e-300, -1e-300, math.MaxFloat32, 0.1}
		for i := 0; i < len(list); i += 1 + len(list)/1000 {
			x = append(x, list[i], math.Nextafter(list[i], math.Inf(-1)), math.Nextafter(list[i], math.Inf(1)), float64(float32(list[i])))
		}
		for _, left := range []bool{false, true} {
			source := treetest.Ladder(list, left)
			sources := []tree.Source{source}
			if len(list) <= math.MaxUint8 {
				source.Trees = nil
				for _, t := range list {
					source.Trees = append(source.Trees, treetest.Ladder([]float64{t}, left).Trees...)
				}
				sources = append(sources, source)
			}
			for _, s := range sources {
				e, err := tree.New(s)
				if err != nil {
					fail("%s edges: %v", name, err)
					continue
				}
				differ(name+" edges", e, x)
				differ(name+" edges, whole numbers of groups", e, x[:len(x)&^15])
				compared++
			}
		}
	}
	return compared
}

// distant are classes whose margins are up to 1,000 apart: most of the
// probabilities are too small for a normal number, or for any.
func distant(outputs int) tree.Source {
	s := tree.Source{Kind: tree.Boosting, Link: tree.Softmax, Features: 1, Outputs: outputs}
	steps := make([]float64, min(2000, 20_000/outputs))
	for i := range steps {
		steps[i] = float64(i)
	}
	for k := range outputs {
		t := treetest.Ladder(steps, false).Trees[0]
		t.Output = k
		for i := range t.Value {
			t.Value[i] *= 1020 / float64(len(steps)) * float64(k) / float64(outputs-1)
		}
		s.Trees = append(s.Trees, t)
	}
	return s
}

func main() {
	if !kernel.Install() {
		fail("the kernel is not there")
	}
	for i, o := range shapes() {
		r := rand.New(rand.NewPCG(77, uint64(i)))
		source := treetest.Random(r, o)
		for t := range source.Levels { // steps are as large as they can be, then get smaller, as in boosting
			for j, v := range source.Levels[t].Value {
				if t >= 9+i%8 {
					source.Levels[t].Value[j] = v >> 3
				} else if v > 0 {
					source.Levels[t].Value[j] = tree.MaxStep
				}
			}
		}
		e, err := tree.New(source)
		if err != nil {
			fail("shape %d: %v", i, err)
			continue
		}
		for _, n := range []int{0, 1, 5, 16, 17, 700, 4101} {
			if n == 4101 && i%7 != 0 {
				continue
			}
			differ(fmt.Sprintf("shape %d, %d rows", i, n), e, treetest.Rows(r, o, n, 0.05))
		}
	}
	if n := ladders(); n < 60 {
		fail("%d ladders", n)
	}
	for _, outputs := range []int{2, 3, 7, 1000} {
		x := make([]float64, min(2021, 40_000/outputs))
		for i := range x {
			x[i] = 2000 * float64(i) / float64(len(x)) / float64(max(1, outputs/10))
		}
		if e, err := tree.New(distant(outputs)); err != nil {
			fail("%v", err)
		} else {
			differ(fmt.Sprint(outputs, " distant classes"), e, x)
		}
	}
	real := js.Global().Get("cloisterBundle")
	file := make([]byte, real.Length())
	js.CopyBytesToGo(file, real)
	models := 0
	if b, err := bundle.Open(file, bundle.Limits{}); err != nil {
		fail("bundle: %v", err)
	} else if content, err := b.Decode(); err != nil {
		fail("bundle: %v", err)
	} else {
		for _, name := range []string{"model/forest.bin", "model/oblivious.bin", "model/isolation.bin"} {
			data, ok := content.File(name)
			if !ok {
				continue // models: what the bundle has; the test counts them
			}
			e, err := tree.Decode(data)
			if err != nil {
				fail("%s: %v", name, err)
				continue
			}
			differ(name, e, treetest.Near(rand.New(rand.NewPCG(5, 6)), e, attributed))
			models++
		}
	}
	js.Global().Call("postMessage", map[string]any{"wrong": wrong, "values": values, "models": models})
	select {}
}
