//go:build !noasm

#include "textflag.h"

// func numbers512(tests []uint32, columns []uint8, rows int, numbers []uint8)
//
// The leaves that rows reach in one oblivious tree: bit l is the test of level
// l, column offset<<8 | bin to be above.
//
// In range: as for the top of trees; numbers has room for rows, a multiple of 64.
TEXT ·numbers512(SB), NOSPLIT, $0-80
	MOVQ tests_base+0(FP), SI
	MOVQ tests_len+8(FP), CX
	LEAQ (SI)(CX*4), R11
	MOVQ columns_base+24(FP), R8
	MOVQ rows+48(FP), R9
	MOVQ numbers_base+56(FP), R10
	MOVL $0x01010101, AX
	VPBROADCASTD AX, Z3
rows:
	VPXORD Z0, Z0, Z0
	VMOVDQA64 Z3, Z1
	MOVQ SI, DI
	JMP more
level:
	MOVL (DI), AX
	VPBROADCASTB (DI), Z2
	SHRL $8, AX
	VPCMPUB $1, (R8)(AX*1), Z2, K1
	VPADDB Z1, Z0, K1, Z0
	VPADDB Z1, Z1, Z1
	ADDQ $4, DI
more:
	CMPQ DI, R11
	JLT level
	VMOVDQU64 Z0, (R10)
	ADDQ $64, R8
	ADDQ $64, R10
	SUBQ $64, R9
	JGT rows
	VZEROUPPER
	RET

// func numbers256(tests []uint32, columns []uint8, rows int, numbers []uint8)
TEXT ·numbers256(SB), NOSPLIT, $0-80
	MOVQ tests_base+0(FP), SI
	MOVQ tests_len+8(FP), CX
	LEAQ (SI)(CX*4), R11
	MOVQ columns_base+24(FP), R8
	MOVQ rows+48(FP), R9
	MOVQ numbers_base+56(FP), R10
	MOVL $0x01010101, AX
	VMOVD AX, X3
	VPBROADCASTD X3, Y3
	VPXOR Y4, Y4, Y4
rows:
	VPXOR Y0, Y0, Y0
	VMOVDQA Y3, Y1
	MOVQ SI, DI
	JMP more
level:
	MOVL (DI), AX
	VPBROADCASTB (DI), Y2
	SHRL $8, AX
	VMOVDQU (R8)(AX*1), Y5
	VPSUBUSB Y2, Y5, Y2
	VPCMPEQB Y4, Y2, Y2
	VPANDN Y1, Y2, Y2
	VPOR Y2, Y0, Y0
	VPADDB Y1, Y1, Y1
	ADDQ $4, DI
more:
	CMPQ DI, R11
	JLT level
	VMOVDQU Y0, (R10)
	ADDQ $32, R8
	ADDQ $32, R10
	SUBQ $32, R9
	JGT rows
	VZEROUPPER
	RET

// func addFour(leaves []int16, size int, numbers []uint8, rows int, sums []int32, width int)
//
// The leaves of four trees, size values apart, whose numbers are rows apart,
// are added in 16 bits and then to the eight sums of each row, width apart.
// No sum overflows: a value has 14 bits.
//
// In range: a number has as many bits as a tree has levels.
TEXT ·addFour(SB), NOSPLIT, $0-96
	MOVQ leaves_base+0(FP), SI
	MOVQ size+24(FP), AX
	LEAQ (SI)(AX*2), R11
	LEAQ (R11)(AX*2), R12
	LEAQ (R12)(AX*2), R13
	MOVQ numbers_base+32(FP), R8
	MOVQ rows+56(FP), R9
	MOVQ sums_base+64(FP), DI
	MOVQ width+88(FP), R10
	SHLQ $2, R10
	LEAQ (R8)(R9*2), R14
	LEAQ (R8)(R9*1), R15
row:
	MOVBLZX (R8), AX
	MOVBLZX (R8)(R9*1), BX
	MOVBLZX (R14), CX
	MOVBLZX (R14)(R9*1), DX
	SHLL $4, AX
	SHLL $4, BX
	SHLL $4, CX
	SHLL $4, DX
	VMOVDQU (SI)(AX*1), X0
	VMOVDQU (R12)(CX*1), X1
	VPADDW (R11)(BX*1), X0, X0
	VPADDW (R13)(DX*1), X1, X1
	VPADDW X1, X0, X0
	VPMOVSXWD X0, Y0
	VPADDD (DI), Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ R10, DI
	INCQ R8
	INCQ R14
	CMPQ R8, R15
	JLT row
	VZEROUPPER
	RET
