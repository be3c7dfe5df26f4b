//go:build !noasm

package native

import "golang.org/x/sys/cpu"

// Level is a set of loops that a processor may have. Their contracts are those of
// tree.Kernel and tree.Loops.
type Level struct {
	Name      string
	Rank8     func(x []float64, width, rows int, plan []int32, search []float64, dst []uint8, next, step int)
	Rank16    func(x []float64, width, rows int, plan []int32, search []float64, dst []uint16, next, step int)
	Top8      func(depth int, tests []uint32, columns []uint8, rows int, numbers []uint8)
	Top16     func(depth int, tests []uint64, columns []uint16, rows int, numbers []uint8)
	Shallow   func(depth int, nodes []uint32, values []float64, columns []uint8, rows int, sums []float64)
	Oblivious func(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8)
	// RowShallow is nil if the processor cannot permute bytes.
	RowShallow func(tests []uint8, depth []int, values []float64, output []int32, bins []uint8, sums []float64)
}

// Levels returns those that this processor has, the best first; none if it lacks
// AVX2.
func Levels() []Level {
	var list []Level
	x := &cpu.X86
	avx2 := x.HasAVX2 && x.HasBMI2 && x.HasPOPCNT
	if avx2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
		l := Level{"AVX-512", rank8x512, rank16x512, top8x512, top16x512, shallow512, oblivious512, nil}
		if x.HasAVX512VBMI {
			l.RowShallow = rowShallow
		}
		list = append(list, l)
	}
	if avx2 {
		list = append(list, Level{"AVX2", rank8x256, rank16x256, top8x256, top16x256, shallow256, oblivious256, nil})
	}
	return list
}

// evenTrees oblivious trees are added up in 16 bits; a leaf has evenValues.
const evenTrees, evenValues = 4, 8

func oblivious(number func(tests []uint32, columns []uint8, rows int, numbers []uint8), tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8) {
	size := evenValues << depth
	for t := 0; t < trees; t += evenTrees {
		for i := range evenTrees {
			number(tests[(t+i)*depth:(t+i+1)*depth], columns, rows, numbers[i*rows:])
		}
		addFour(leaves[t*size:], size, numbers, rows, sums, width)
	}
}

func oblivious512(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8) {
	oblivious(numbers512, tests, depth, leaves, columns, rows, sums, width, trees, numbers)
}

func oblivious256(tests []uint32, depth int, leaves []int16, columns []uint8, rows int, sums []int32, width, trees int, numbers []uint8) {
	oblivious(numbers256, tests, depth, leaves, columns, rows, sums, width, trees, numbers)
}

//go:noescape
func rank8x512(x []float64, width, rows int, plan []int32, search []float64, dst []uint8, next, step int)

//go:noescape
func rank16x512(x []float64, width, rows int, plan []int32, search []float64, dst []uint16, next, step int)

//go:noescape
func rank8x256(x []float64, width, rows int, plan []int32, search []float64, dst []uint8, next, step int)

//go:noescape
func rank16x256(x []float64, width, rows int, plan []int32, search []float64, dst []uint16, next, step int)

//go:noescape
func top8x512(depth int, tests []uint32, columns []uint8, rows int, numbers []uint8)

//go:noescape
func top8x256(depth int, tests []uint32, columns []uint8, rows int, numbers []uint8)

//go:noescape
func top16x512(depth int, tests []uint64, columns []uint16, rows int, numbers []uint8)

//go:noescape
func top16x256(depth int, tests []uint64, columns []uint16, rows int, numbers []uint8)

//go:noescape
func shallow512(depth int, nodes []uint32, values []float64, columns []uint8, rows int, sums []float64)

//go:noescape
func shallow256(depth int, nodes []uint32, values []float64, columns []uint8, rows int, sums []float64)

//go:noescape
func numbers512(tests []uint32, columns []uint8, rows int, numbers []uint8)

//go:noescape
func numbers256(tests []uint32, columns []uint8, rows int, numbers []uint8)

//go:noescape
func addFour(leaves []int16, size int, numbers []uint8, rows int, sums []int32, width int)

// Turn8 copies byte w of line l of src to byte l of line w of dst: see
// tree.Loops.Turn.
//
//go:noescape
func Turn8(dst []uint8, to int, src []uint8, from, lines, width int)

// Turn16 is Turn8 for words.
//
//go:noescape
func Turn16(dst []uint16, to int, src []uint16, from, lines, width int)

// Down8 takes rows to their leaves: see tree.Loops.Down.
//
//go:noescape
func Down8(nodes []uint32, bins []uint8, shift, rows int, start []uint32, numbers []uint8, active []uint32, at []uint16)

// Down16 is Down8 for eight-byte nodes.
//
//go:noescape
func Down16(nodes []uint64, bins []uint16, shift, rows int, start []uint32, numbers []uint8, active []uint64, at []uint32)

//go:noescape
func row8(nodes []uint32, root []int, bins []uint8, at []uint32)

//go:noescape
func row16(nodes []uint64, root []int, bins []uint16, at []uint32)

//go:noescape
func addRow(leaf []uint32, table []float64, output []int32, at []uint32, sums []float64)

//go:noescape
func rowShallow(tests []uint8, depth []int, values []float64, output []int32, bins []uint8, sums []float64)

// Row8 adds up the leaves of one row: see tree.Kernel.Row8.
func Row8(nodes []uint32, root []int, bins []uint8, leaf []uint32, table []float64, output []int32, sums []float64, at []uint32) {
	row8(nodes, root, bins, at)
	addRow(leaf, table, output, at, sums)
}

// Row16 is Row8 for eight-byte nodes.
func Row16(nodes []uint64, root []int, bins []uint16, leaf []uint32, table []float64, output []int32, sums []float64, at []uint32) {
	row16(nodes, root, bins, at)
	addRow(leaf, table, output, at, sums)
}

// ObliviousRow adds up the leaves of one row of oblivious trees: see
// tree.Kernel.ObliviousRow.
//
//go:noescape
func ObliviousRow(tests []uint32, depth int, leaves []int16, bins []uint8, trees int, sums []int32)

// Leaves8 adds up leaves: see tree.Loops.Leaves.
//
//go:noescape
func Leaves8(sums []float64, width int, leaf []uint32, table []float64, at []uint16, rows, values int)

// Leaves16 is Leaves8 for eight-byte nodes.
//
//go:noescape
func Leaves16(sums []float64, width int, leaf []uint32, table []float64, at []uint32, rows, values int)
