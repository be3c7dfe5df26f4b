//go:build !noasm

// The first levels of trees, and whole trees of up to six, with AVX-512.

#include "textflag.h"

#define D0 Z0
#define D1 Z1
#define D2 Z2
#define D3 Z3
#define D4 Z4
#define D5 Z5
#define T0 Z6
#define T1 Z7
#define T2 Z8
#define T3 Z9
#define T4 Z10
#define SELECT(m, r, l) VPTERNLOGD $0xd8, m, r, l
#define INSERT(m, v) VPTERNLOGD $0xd8, Z14, m, v
#define AVG8(m, v) VPAVGB m, v, v
#define AVG16(m, v) VPAVGW m, v, v
#include "eval_amd64.h"

// MASK8 fills what NUMBER needs for BX levels: X15, Z14 the sign bits, Z11 the
// bits of a number.
#define MASK8 \
	MOVL $8, AX \
	SUBL BX, AX \
	VMOVD AX, X15 \
	MOVL $0x80808080, AX \
	VPBROADCASTD AX, Z14 \
	MOVL $1, AX \
	MOVQ BX, CX \
	SHLL CX, AX \
	DECL AX \
	VPBROADCASTB AX, Z11

// func top8x512(depth int, tests []uint32, columns []uint8, rows int, numbers []uint8)
TEXT ·top8x512(SB), NOSPLIT, $512-88
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
	VPANDD Z11, T0, T0
	VMOVDQU64 T0, (R10)
	ADDQ $64, R8
	ADDQ $64, R10
	SUBQ $64, R9
	JGT rows
	VZEROUPPER
	RET

// func top16x512(depth int, tests []uint64, columns []uint16, rows int, numbers []uint8)
TEXT ·top16x512(SB), NOSPLIT, $512-88
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
	VPBROADCASTD AX, Z14
rows:
	LEVELS(AVG16, numbered)
numbered:
	NUMBER
	VPMOVWB T0, (R10)
	ADDQ $64, R8
	ADDQ $32, R10
	SUBQ $32, R9
	JGT rows
	VZEROUPPER
	RET

// func shallow512(depth int, nodes []uint32, values []float64, columns []uint8, rows int, sums []float64)
//
// In range besides eval_amd64.h: a number has depth bits, and values has room
// for 64 to be read.
TEXT ·shallow512(SB), NOSPLIT, $576-112
	MOVQ depth+0(FP), BX
	MOVQ nodes_base+8(FP), SI
	MOVQ values_base+32(FP), DX
	MOVQ columns_base+56(FP), R8
	MOVQ rows+80(FP), R9
	MOVQ sums_base+88(FP), R10
	LEAQ expanded-576(SP), DI
	EXPAND8(expand)
	MOVL $16, AX
	VPBROADCASTQ AX, Z12
	MOVL $32, AX
	VPBROADCASTQ AX, Z13
	VMOVUPD (DX), Z16
	VMOVUPD 64(DX), Z17
	VMOVUPD 128(DX), Z18
	VMOVUPD 192(DX), Z19
	VMOVUPD 256(DX), Z20
	VMOVUPD 320(DX), Z21
	VMOVUPD 384(DX), Z22
	VMOVUPD 448(DX), Z23
	MASK8

rows:
	LEVELS(AVG8, numbered)
numbered:
	NUMBER
	VPANDD Z11, T0, T0
	VMOVDQU64 T0, 512(DI)
	XORQ CX, CX
	CMPQ BX, $3
	JLE eight
	CMPQ BX, $4
	JEQ sixteen

	// The low four bits of a number are looked up among sixteen values, four
	// times, of which the next two bits choose.
all:
	VPMOVZXBQ 512(DI)(CX*1), Z0
	VPTESTMQ Z12, Z0, K1
	VPTESTMQ Z13, Z0, K2
	VMOVDQA64 Z0, Z1
	VMOVDQA64 Z0, Z2
	VMOVDQA64 Z0, Z3
	VPERMI2PD Z17, Z16, Z0
	VPERMI2PD Z19, Z18, Z1
	VPERMI2PD Z21, Z20, Z2
	VPERMI2PD Z23, Z22, Z3
	VMOVAPD Z1, K1, Z0
	VMOVAPD Z3, K1, Z2
	VMOVAPD Z2, K2, Z0
	VADDPD (R10)(CX*8), Z0, Z0
	VMOVUPD Z0, (R10)(CX*8)
	ADDQ $8, CX
	CMPQ CX, $64
	JLT all
	JMP next

eight:
	VPMOVZXBQ 512(DI)(CX*1), Z0
	VPERMPD Z16, Z0, Z0
	VADDPD (R10)(CX*8), Z0, Z0
	VMOVUPD Z0, (R10)(CX*8)
	ADDQ $8, CX
	CMPQ CX, $64
	JLT eight
	JMP next

sixteen:
	VPMOVZXBQ 512(DI)(CX*1), Z0
	VPERMI2PD Z17, Z16, Z0
	VADDPD (R10)(CX*8), Z0, Z0
	VMOVUPD Z0, (R10)(CX*8)
	ADDQ $8, CX
	CMPQ CX, $64
	JLT sixteen

next:
	ADDQ $64, R8
	ADDQ $512, R10
	SUBQ $64, R9
	JGT rows
	VZEROUPPER
	RET
