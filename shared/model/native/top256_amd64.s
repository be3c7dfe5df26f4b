//go:build !noasm

// The first levels of trees, and whole trees of up to six, with AVX2.

#include "textflag.h"

#define D0 Y0
#define D1 Y1
#define D2 Y2
#define D3 Y3
#define D4 Y4
#define D5 Y5
#define T0 Y6
#define T1 Y7
#define T2 Y8
#define T3 Y9
#define T4 Y10
#define SELECT(m, r, l) VPBLENDVB m, r, l, l
#define INSERT(m, v) \
	VPXOR m, v, Y13 \
	VPAND Y14, Y13, Y13 \
	VPXOR Y13, v, v
#define AVG8(m, v) VPAVGB m, v, v
#define AVG16(m, v) VPAVGW m, v, v
#include "eval_amd64.h"

// MASK8 fills what NUMBER needs for BX levels: X15, Y14 the sign bits, Y11 the
// bits of a number.
#define MASK8 \
	MOVL $8, AX \
	SUBL BX, AX \
	VMOVD AX, X15 \
	MOVL $0x80808080, AX \
	VMOVD AX, X14 \
	VPBROADCASTD X14, Y14 \
	MOVL $1, AX \
	MOVQ BX, CX \
	SHLL CX, AX \
	DECL AX \
	VMOVD AX, X11 \
	VPBROADCASTB X11, Y11

// func top8x256(depth int, tests []uint32, columns []uint8, rows int, numbers []uint8)
TEXT ·top8x256(SB), NOSPLIT, $512-88
	MOVQ depth+0(FP), BX
	MOVQ tests_base+8(FP), SI
	MOVQ columns_base+32(FP), R8
	MOVQ rows+56(FP), R9
	MOVQ numbers_base+64(FP), R10
	LEAQ expanded-512(SP), DI
	EXPAND8(expand)
	MASK8
rows:
	LEVELS(AVG8, numbered)
numbered:
	NUMBER
	VPAND Y11, T0, T0
	VMOVDQU T0, (R10)
	ADDQ $32, R8
	ADDQ $32, R10
	SUBQ $32, R9
	JGT rows
	VZEROUPPER
	RET

// func top16x256(depth int, tests []uint64, columns []uint16, rows int, numbers []uint8)
TEXT ·top16x256(SB), NOSPLIT, $512-88
	MOVQ depth+0(FP), BX
	MOVQ tests_base+8(FP), SI
	MOVQ columns_base+32(FP), R8
	MOVQ rows+56(FP), R9
	MOVQ numbers_base+64(FP), R10
	LEAQ expanded-512(SP), DI
	EXPAND16(expand)
	MOVL $16, AX
	SUBL BX, AX
	VMOVD AX, X15
	MOVL $0x80008000, AX
	VMOVD AX, X14
	VPBROADCASTD X14, Y14
rows:
	LEVELS(AVG16, numbered)
numbered:
	NUMBER
	VEXTRACTI128 $1, T0, X7
	VPACKUSWB X7, X6, X6
	VMOVDQU X6, (R10)
	ADDQ $32, R8
	ADDQ $16, R10
	SUBQ $16, R9
	JGT rows
	VZEROUPPER
	RET

// func shallow256(depth int, nodes []uint32, values []float64, columns []uint8, rows int, sums []float64)
//
// In range besides eval_amd64.h: a number has depth bits.
TEXT ·shallow256(SB), NOSPLIT, $544-112
	MOVQ depth+0(FP), BX
	MOVQ nodes_base+8(FP), SI
	MOVQ values_base+32(FP), DX
	MOVQ columns_base+56(FP), R8
	MOVQ rows+80(FP), R9
	MOVQ sums_base+88(FP), R10
	LEAQ expanded-544(SP), DI
	EXPAND8(expand)
	MASK8
rows:
	LEVELS(AVG8, numbered)
numbered:
	NUMBER
	VPAND Y11, T0, T0
	VMOVDQU T0, 512(DI)
	XORQ CX, CX
four:
	MOVBLZX 512(DI)(CX*1), AX
	MOVBLZX 513(DI)(CX*1), R11
	MOVBLZX 514(DI)(CX*1), R12
	MOVBLZX 515(DI)(CX*1), R13
	VMOVSD (DX)(AX*8), X0
	VMOVHPD (DX)(R11*8), X0, X0
	VMOVSD (DX)(R12*8), X1
	VMOVHPD (DX)(R13*8), X1, X1
	VADDPD (R10)(CX*8), X0, X0
	VADDPD 16(R10)(CX*8), X1, X1
	VMOVUPD X0, (R10)(CX*8)
	VMOVUPD X1, 16(R10)(CX*8)
	ADDQ $4, CX
	CMPQ CX, $32
	JLT four
	ADDQ $32, R8
	ADDQ $256, R10
	SUBQ $32, R9
	JGT rows
	VZEROUPPER
	RET
