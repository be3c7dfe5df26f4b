// Package kernel joins the module of cloister/shared/model/kernel to this
// program: the one place that hands addresses to it. A program that links it
// imports functions of a module "kernel", so whoever instantiates the program
// gives them, as site/static/worker.js and wasm/edge/kernel.mjs do: functions
// that pass their arguments on to the module once it is there, and a global
// function
//
//	cloisterKernel(bytes)
//
// that makes the module over the program's memory and returns whether it could.
//
//	fast := kernel.Install()   // before the first score
//
// Without vectors, or without that function, everything works as before.
package kernel

import (
	"syscall/js"
	"unsafe"

	"cloister/shared/model/kernel"
	"cloister/shared/model/tree"
)

// Install lets package tree score with the kernel, if the browser can.
func Install() bool {
	start := js.Global().Get("cloisterKernel")
	if start.Type() != js.TypeFunction {
		return false
	}
	module := kernel.Module()
	bytes := js.Global().Get("Uint8Array").New(len(module))
	js.CopyBytesToJS(bytes, module)
	if !start.Invoke(bytes).Truthy() {
		return false
	}
	Use(true)
	return true
}

// Use switches between the kernel, once installed, and Go's own loops.
func Use(yes bool) {
	if yes {
		tree.UseKernel(&loops)
	} else {
		tree.UseKernel(nil)
	}
}

// pointer returns where a slice begins. Go does not move heap objects, and
// nothing else runs until the kernel returns.
func pointer[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

// address is pointer as a number, for memory that something else keeps alive.
func address[T any](s []T) uint32 { return uint32(uintptr(pointer(s))) }

// bytesOf turns a place in bins of size bytes into one in bytes; -1 stays.
func bytesOf(place, size int) int32 {
	if place < 0 {
		return -1
	}
	return int32(place * size)
}

var loops = tree.Kernel{
	Bin8: func(x []float64, width, rows int, keys []uint64, edges int, dst []uint8, shift, right, left, pieces, step int) {
		bin8(pointer(x), int32(8*width), int32(rows), pointer(keys), int32(len(keys)/2), int32(edges), pointer(dst), int32(shift),
			int32(right), int32(left), int32(pieces), int32(step))
	},
	Bin16: func(x []float64, width, rows int, keys []uint64, edges int, dst []uint16, shift, right, left, pieces, step int) {
		bin16(pointer(x), int32(8*width), int32(rows), pointer(keys), int32(len(keys)/2), int32(edges), pointer(dst), int32(shift+1),
			bytesOf(right, 2), bytesOf(left, 2), int32(pieces), int32(2*step))
	},
	Rank8: func(x []float64, width, rows int, plan []int32, search []float32, edges []float64, dst []uint8, step int, room []uint32) {
		rank8(pointer(x), int32(8*width), int32(rows), pointer(plan), int32(len(plan)/8), pointer(search), pointer(edges), pointer(dst), int32(step), pointer(room))
	},
	RankRows8: func(x []float64, width, rows int, plan []int32, search []float32, edges []float64, dst []uint8, step int, room []uint32) {
		rankrows8(pointer(x), int32(8*width), int32(rows), pointer(plan), int32(len(plan)/8), pointer(search), pointer(edges), pointer(dst), int32(step), pointer(room))
	},
	RankRows16: func(x []float64, width, rows int, plan []int32, search []float32, edges []float64, dst []uint16, step int, room []uint32) {
		rankrows16(pointer(x), int32(8*width), int32(rows), pointer(plan), int32(len(plan)/8), pointer(search), pointer(edges), pointer(dst), int32(2*step), pointer(room))
	},
	Walk8: func(nodes []uint32, bins []uint8, shift, rows int, active []uint32, at []uint16) {
		walk8(pointer(nodes), int32(4*len(nodes)), pointer(bins), int32(shift), int32(rows), pointer(active), pointer(at))
	},
	Walk16: func(nodes []uint64, bins []uint16, shift, rows int, active []uint64, at []uint32) {
		walk16(pointer(nodes), int32(8*len(nodes)), pointer(bins), int32(shift), int32(rows), pointer(active), pointer(at))
	},
	Leaves8: func(sums []float64, width int, leaf []uint32, table []float64, at []uint16, rows, values int) {
		leaves8(pointer(sums), int32(8*width), pointer(leaf), int32(4*len(leaf)), pointer(table), pointer(at), int32(rows), int32(values))
	},
	Leaves16: func(sums []float64, width int, leaf []uint32, table []float64, at []uint32, rows, values int) {
		leaves16(pointer(sums), int32(8*width), pointer(leaf), int32(4*len(leaf)), pointer(table), pointer(at), int32(rows), int32(values))
	},
	ForestRow: func(a *tree.Alone) func(x, sums []float64) {
		c := contextOf(a)
		c.words[9], c.words[10] = address(a.Visits), uint32(a.Trees)
		c.words[11], c.words[12] = address(a.Output), uint32(a.Width)
		c.words[13], c.words[14], c.words[15] = uint32(len(a.Starts)/(16<<kernel.TopLevels)), address(a.Tests), address(a.Starts)
		c.words[16], c.words[17] = address(a.Words[a.Paths:]), uint32(len(a.Ranks)) // of which half take two bytes each
		return func(x, sums []float64) {
			c.words[0], c.words[1] = address(x), address(sums)
			forestrow(unsafe.Pointer(c))
		}
	},
	ShallowRow: func(a *tree.Alone) func(x, sums []float64) {
		c := contextOf(a)
		c.words[9], c.words[10] = address(a.Tests), address(a.Values)
		c.words[11], c.words[12] = uint32(len(a.Output)/16), address(a.Output)
		return func(x, sums []float64) {
			c.words[0], c.words[1] = address(x), address(sums)
			shallowrow(unsafe.Pointer(c))
		}
	},
	EvenRow: func(a *tree.Alone) func(x, sums []float64) {
		c := contextOf(a)
		c.words[1], c.words[9], c.words[10] = address(a.Sums), address(a.Asks), uint32(a.Depth)
		c.words[11], c.words[12], c.words[13] = address(a.Leaves), uint32(a.Trees), uint32(len(a.Sums)/8)
		return func(x, _ []float64) {
			c.words[0] = address(x)
			evenrow(unsafe.Pointer(c))
		}
	},
	Place: func(a *tree.Alone) (ranks, words uint32) { return address(a.Ranks), address(a.Words) },
	Shallow: func(depth int, nodes []uint32, values []float64, columns []uint8, rows int, sums []float64) {
		[...]func(nodes, values, columns unsafe.Pointer, rows int32, sums unsafe.Pointer){
			shallow1, shallow2, shallow3, shallow4, shallow5, shallow6,
		}[depth-1](pointer(nodes), pointer(values), pointer(columns), int32(rows), pointer(sums))
	},
	Group: func(tests []uint32, lanes []uint8, stride, rows int, places []uint32, values []float64, width int, slots []int32, sums []float64) {
		group(pointer(tests), int32(len(tests)/2), pointer(lanes), int32(stride), int32(rows), pointer(places), pointer(values), int32(width), pointer(slots), pointer(sums))
	},
	Quadrature: func(nodes []uint64, root int, bins []uint16, phi, share []float64, hot []bool, at, rest, weight *[8]float64, room []uint64) {
		for i, p := range [...]unsafe.Pointer{
			pointer(nodes), pointer(bins), pointer(phi), pointer(share), pointer(hot), unsafe.Pointer(at), unsafe.Pointer(rest),
		} {
			addresses[i] = uint32(uintptr(p))
		}
		// The mean of the root is of no use: it goes to the first words.
		quadrature(unsafe.Pointer(&addresses), unsafe.Pointer(&nodes[3*root]), unsafe.Pointer(weight), pointer(room), pointer(room[8:]))
	},
	Softmax: func(values []float64, width int, table []float64) {
		softmax(pointer(values), int32(len(values)/width), int32(width), pointer(table))
	},
	Oblivious: func(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8) {
		oblivious4(pointer(tests), int32(depth), pointer(leaves), pointer(columns), int32(rows), pointer(sums), int32(4*width), int32(trees), pointer(numbers))
	},
	Oblivious8: func(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8) {
		oblivious8(pointer(tests), int32(depth), pointer(leaves), pointer(columns), int32(rows), pointer(sums), int32(4*width), int32(trees), pointer(numbers))
	},
}

// addresses holds those of a call that has many; nothing else runs beside it.
var addresses [7]uint32

// context is what a function of the kernel for one row reads.
type context struct {
	words [18]uint32
	of    *tree.Alone // stays as long as its addresses
}

// contextOf returns one with what ranking a row needs, and making bytes of the ranks; the
// row itself and the sums are words 0 and 1.
func contextOf(a *tree.Alone) *context {
	return &context{of: a, words: [18]uint32{
		2: address(a.Plan), address(a.Search), address(a.Edges), address(a.Ranks),
		address(a.Columns), uint32(len(a.Columns) / 2), address(a.Bins),
	}}
}

//go:wasmimport kernel bin8
func bin8(x unsafe.Pointer, width, rows int32, keys unsafe.Pointer, half, edges int32, dst unsafe.Pointer, shift, right, left, pieces, step int32)

//go:wasmimport kernel bin16
func bin16(x unsafe.Pointer, width, rows int32, keys unsafe.Pointer, half, edges int32, dst unsafe.Pointer, shift, right, left, pieces, step int32)

//go:wasmimport kernel rank8
func rank8(x unsafe.Pointer, width, rows int32, plan unsafe.Pointer, features int32, search, edges, dst unsafe.Pointer, step int32, room unsafe.Pointer)

//go:wasmimport kernel rankrows8
func rankrows8(x unsafe.Pointer, width, rows int32, plan unsafe.Pointer, features int32, search, edges, dst unsafe.Pointer, step int32, room unsafe.Pointer)

//go:wasmimport kernel rankrows16
func rankrows16(x unsafe.Pointer, width, rows int32, plan unsafe.Pointer, features int32, search, edges, dst unsafe.Pointer, step int32, room unsafe.Pointer)

//go:wasmimport kernel walk8
func walk8(nodes unsafe.Pointer, size int32, bins unsafe.Pointer, shift, rows int32, active, at unsafe.Pointer)

//go:wasmimport kernel walk16
func walk16(nodes unsafe.Pointer, size int32, bins unsafe.Pointer, shift, rows int32, active, at unsafe.Pointer)

//go:wasmimport kernel leaves8
func leaves8(dst unsafe.Pointer, width int32, leaf unsafe.Pointer, size int32, table, at unsafe.Pointer, rows, values int32)

//go:wasmimport kernel leaves16
func leaves16(dst unsafe.Pointer, width int32, leaf unsafe.Pointer, size int32, table, at unsafe.Pointer, rows, values int32)

//go:wasmimport kernel shallow1
func shallow1(nodes, values, columns unsafe.Pointer, rows int32, sums unsafe.Pointer)

//go:wasmimport kernel shallow2
func shallow2(nodes, values, columns unsafe.Pointer, rows int32, sums unsafe.Pointer)

//go:wasmimport kernel shallow3
func shallow3(nodes, values, columns unsafe.Pointer, rows int32, sums unsafe.Pointer)

//go:wasmimport kernel shallow4
func shallow4(nodes, values, columns unsafe.Pointer, rows int32, sums unsafe.Pointer)

//go:wasmimport kernel shallow5
func shallow5(nodes, values, columns unsafe.Pointer, rows int32, sums unsafe.Pointer)

//go:wasmimport kernel shallow6
func shallow6(nodes, values, columns unsafe.Pointer, rows int32, sums unsafe.Pointer)

//go:wasmimport kernel forestrow
func forestrow(context unsafe.Pointer)

//go:wasmimport kernel shallowrow
func shallowrow(context unsafe.Pointer)

//go:wasmimport kernel evenrow
func evenrow(context unsafe.Pointer)

//go:wasmimport kernel oblivious4
func oblivious4(tests unsafe.Pointer, depth int32, leaves, columns unsafe.Pointer, rows int32, sums unsafe.Pointer, width, trees int32, numbers unsafe.Pointer)

//go:wasmimport kernel oblivious8
func oblivious8(tests unsafe.Pointer, depth int32, leaves, columns unsafe.Pointer, rows int32, sums unsafe.Pointer, width, trees int32, numbers unsafe.Pointer)

//go:wasmimport kernel softmax
func softmax(values unsafe.Pointer, rows, width int32, table unsafe.Pointer)

//go:wasmimport kernel group
func group(tests unsafe.Pointer, count int32, lanes unsafe.Pointer, stride, rows int32, places, values unsafe.Pointer, width int32, slots, sums unsafe.Pointer)

//go:wasmimport kernel quadrature
func quadrature(context, node, product, mean, room unsafe.Pointer)
