// Package kernel is the scorer's inner loops as WebAssembly with vectors of 128
// bits, which Go does not emit. It hides how the module's bytes are made: by
// an assembler of a few hundred lines and Go functions that write loops with
// it.
//
//	os.WriteFile("kernel.wasm", kernel.Emit(), 0o644)   // make generate
//	module := kernel.Module()                           // the bytes in the repository
//
// The module imports the memory of the Go program beside it as env.memory, and
// its functions take addresses in it, so nothing is copied. It has no memory,
// data, globals or stack of its own, calls nothing but itself and allocates
// nothing.
// It also validates nothing: decoders did, and each function's comment says
// why it stays in range. cloister/wasm/worker/kernel is who calls it;
// without it, package tree's and explain's own loops give the same bits.
package kernel

import _ "embed"

//go:generate go run emit.go

//go:embed kernel.wasm
var module []byte

// Module returns a copy of the module's bytes as they are in the repository.
func Module() []byte { return append([]byte(nil), module...) }

// Emit makes the module's bytes anew; they are always the same.
func Emit() []byte {
	list := []*function{
		binning("bin8", false), binning("bin16", true),
		rank("rank8", false, false), rank("rankrows8", false, true), rank("rankrows16", true, true),
		walk("walk8", false), walk("walk16", true),
		leaves("leaves8", false), leaves("leaves16", true),
	}
	for depth := 1; depth <= maxShallow; depth++ {
		list = append(list, shallow(depth))
	}
	ranked := len(list)
	inBytes, even := ranked+1, ranked+2
	list = append(list, rankRow(), bytesRow(ranked), obliviousRow())
	list = append(list, forestRow(inBytes), shallowRow(inBytes), evenRow(inBytes, even))
	list = append(list, oblivious(ObliviousTrees), oblivious(2*ObliviousTrees), softmax(), group())
	list = append(list, quadrature(len(list)))
	return assemble(list)
}
