//go:build !noasm

package tree

import "cloister/shared/model/native"

func init() {
	if list := NativeKernels(); len(list) > 0 {
		UseKernel(list[0])
	}
}

// NativeKernels returns the kernels of package native that this processor can run,
// the best first: it is in use from the start.
func NativeKernels() []*Kernel {
	var list []*Kernel
	for _, l := range native.Levels() {
		list = append(list, &Kernel{
			Shallow: l.Shallow, Oblivious: l.Oblivious,
			Row8: native.Row8, Row16: native.Row16, ObliviousRow: native.ObliviousRow, PermutedRow: l.RowShallow,
			Narrow: &Loops[uint8, uint32, uint16]{l.Rank8, native.Turn8, l.Top8, native.Down8, native.Leaves8},
			Wide:   &Loops[uint16, uint64, uint32]{l.Rank16, native.Turn16, l.Top16, native.Down16, native.Leaves16},
		})
	}
	return list
}
