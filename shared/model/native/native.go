// Package native is the scorer's inner loops for amd64, in Go's assembly: with
// AVX2, or with AVX-512 where the processor has it. It hides how tests of
// bytes become turns in trees faster than Go's compiler makes them.
//
//	for _, l := range native.Levels() { // best first, none without AVX2
//		l.Top8(depth, tests, columns, rows, numbers)
//	}
//
// Package tree is who calls it; elsewhere, and with the build tag noasm, there
// is only this comment, and tree's own loops give the same bits: sums have the
// order of the trees, two lanes of a vector are two rows' or two outputs' sums,
// and there is no fused multiply-add.
// Nothing here validates, allocates or keeps what it is handed. Decoders
// did, and the comment of each loop says why it stays in range.
//
// The files: eval_amd64.h evaluates the first levels of a tree whole, which
// top256_amd64.s and top512_amd64.s make functions of; walk_amd64.s goes on
// from there; rank_amd64.s ranks columns; the others say it by name.
package native
