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
		{Outputs: 1}, {Depth: -1, Trees: 3},
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

func main() {
	if !kernel.Install() {
		fail("the kernel is not there")
	}
	for i, o := range shapes() {
		r := rand.New(rand.NewPCG(77, uint64(i)))
		e, err := tree.New(treetest.Random(r, o))
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
