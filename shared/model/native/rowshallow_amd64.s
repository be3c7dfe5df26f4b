//go:build !noasm

#include "textflag.h"

// func rowShallow(tests []uint8, depth []int, values []float64, output []int32, bins []uint8, sums []float64)
//
// One row goes through whole trees of up to six levels. tests has 128 bytes a
// tree, columns and then bins to be above, where node h of the heap, the root
// being 1, has place h; so a permutation of the row's bins and a comparison
// decide all of a tree's tests, and the leaf is found among bits. What is decided
// below a tree's last level is moved out again.
//
// In range: bins has 64 bytes, columns are below 64, values has 2^depth for each
// tree, and outputs are those of sums, or -1 for the first.
TEXT ·rowShallow(SB), NOSPLIT, $0-144
	MOVQ tests_base+0(FP), R8
	MOVQ depth_base+24(FP), R9
	MOVQ depth_len+32(FP), R10
	MOVQ values_base+48(FP), R11
	MOVQ output_base+72(FP), R12
	MOVQ bins_base+96(FP), AX
	MOVQ sums_base+120(FP), DI
	VMOVDQU64 (AX), Z1
	XORL SI, SI
	MOVL $6, R13
	MOVL $8, R14
	XORL CX, CX
	JMP more
tree:
	VMOVDQU64 (R8), Z0
	VPERMB Z1, Z0, Z0
	VPCMPUB $6, 64(R8), Z0, K1
	KMOVQ K1, AX
	MOVL $1, DX
	BTQ DX, AX
	ADCQ DX, DX
	BTQ DX, AX
	ADCQ DX, DX
	BTQ DX, AX
	ADCQ DX, DX
	BTQ DX, AX
	ADCQ DX, DX
	BTQ DX, AX
	ADCQ DX, DX
	BTQ DX, AX
	ADCQ DX, DX
	ANDL $63, DX
	MOVQ (R9)(CX*8), AX
	MOVL R13, BX
	SUBL AX, BX
	SHRXL BX, DX, DX
	MOVLQSX (R12)(CX*4), BX
	TESTQ BX, BX
	CMOVQLT SI, BX
	VMOVSD (R11)(DX*8), X0
	VADDSD (DI)(BX*8), X0, X0
	VMOVSD X0, (DI)(BX*8)
	SHLXQ AX, R14, AX
	ADDQ AX, R11
	ADDQ $128, R8
	INCQ CX
more:
	CMPQ CX, R10
	JLT tree
	VZEROUPPER
	RET
