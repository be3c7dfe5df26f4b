//go:build !noasm

#include "textflag.h"

// func Leaves8(sums []float64, width int, leaf []uint32, table []float64, at []uint16, rows, values int)
// func Leaves16(sums []float64, width int, leaf []uint32, table []float64, at []uint32, rows, values int)
//
// Two lanes of a vector are two sums, never two terms of one.
//
// In range: at holds leaves, whose offsets leave room for their values.
#define LEAVES(MOVAT, scale) \
	MOVQ sums_base+0(FP), DI \
	MOVQ width+24(FP), R8 \
	SHLQ $3, R8 \
	MOVQ leaf_base+32(FP), SI \
	MOVQ table_base+56(FP), R9 \
	MOVQ at_base+80(FP), R10 \
	MOVQ rows+104(FP), R11 \
	MOVQ values+112(FP), R12 \
	XORL CX, CX \
	CMPQ R12, $1 \
	JEQ one \
	CMPQ R12, $4 \
	JLT few \
	CMPQ R12, $8 \
	JLE eight \
	JMP many \
one: \
	MOVAT (R10)(CX*scale), AX \
	MOVL (SI)(AX*4), AX \
	VMOVSD (R9)(AX*8), X0 \
	VADDSD (DI), X0, X0 \
	VMOVSD X0, (DI) \
	ADDQ R8, DI \
	INCQ CX \
	CMPQ CX, R11 \
	JLT one \
	RET \
few: \
	MOVAT (R10)(CX*scale), AX \
	MOVL (SI)(AX*4), AX \
	LEAQ (R9)(AX*8), DX \
	VMOVUPD (DX), X0 \
	VADDPD (DI), X0, X0 \
	VMOVUPD X0, (DI) \
	CMPQ R12, $2 \
	JEQ two \
	VMOVSD 16(DX), X0 \
	VADDSD 16(DI), X0, X0 \
	VMOVSD X0, 16(DI) \
two: \
	ADDQ R8, DI \
	INCQ CX \
	CMPQ CX, R11 \
	JLT few \
	VZEROUPPER \
	RET \
eight: \
	LEAQ -32(R12*8), R13 \
next8: \
	MOVAT (R10)(CX*scale), AX \
	MOVL (SI)(AX*4), AX \
	LEAQ (R9)(AX*8), DX \
	VMOVUPD (DX), Y0 \
	VMOVUPD (DX)(R13*1), Y1 \
	VADDPD (DI)(R13*1), Y1, Y1 \
	VADDPD (DI), Y0, Y0 \
	VMOVUPD Y1, (DI)(R13*1) \
	VMOVUPD Y0, (DI) \
	ADDQ R8, DI \
	INCQ CX \
	CMPQ CX, R11 \
	JLT next8 \
	VZEROUPPER \
	RET \
many: \
	MOVAT (R10)(CX*scale), AX \
	MOVL (SI)(AX*4), AX \
	LEAQ (R9)(AX*8), DX \
	XORL BX, BX \
	LEAQ -4(R12), R13 \
four: \
	VMOVUPD (DX)(BX*8), Y0 \
	VADDPD (DI)(BX*8), Y0, Y0 \
	VMOVUPD Y0, (DI)(BX*8) \
	ADDQ $4, BX \
	CMPQ BX, R13 \
	JLE four \
	CMPQ BX, R12 \
	JGE whole \
single: \
	VMOVSD (DX)(BX*8), X0 \
	VADDSD (DI)(BX*8), X0, X0 \
	VMOVSD X0, (DI)(BX*8) \
	INCQ BX \
	CMPQ BX, R12 \
	JLT single \
whole: \
	ADDQ R8, DI \
	INCQ CX \
	CMPQ CX, R11 \
	JLT many \
	VZEROUPPER \
	RET

TEXT ·Leaves8(SB), NOSPLIT, $0-120
	LEAVES(MOVWLZX, 2)

TEXT ·Leaves16(SB), NOSPLIT, $0-120
	LEAVES(MOVL, 4)
