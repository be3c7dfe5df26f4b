//go:build !noasm

#include "textflag.h"

// A feature's edges are searched sixteen at a time, without a branch: how many
// of a block are below a value is the block of the next level, or the rank.
// Blocks end in +Inf, which nothing is above; NaN is above nothing, either,
// and gets the rank that the plan has for it.

// COUNT512 makes DX how many of the sixteen edges at R14 are below Z0.
#define COUNT512 \
	VCMPPD $30, (R14), Z0, K1 \
	VCMPPD $30, 64(R14), Z0, K2 \
	KUNPCKBW K1, K2, K1 \
	KMOVW K1, DX \
	POPCNTL DX, DX

// COUNT256 is COUNT512 for Y0: each comparison is two bytes of the mask.
#define COUNT256 \
	VCMPPD $30, (R14), Y0, Y1 \
	VCMPPD $30, 32(R14), Y0, Y2 \
	VCMPPD $30, 64(R14), Y0, Y3 \
	VCMPPD $30, 96(R14), Y0, Y4 \
	VPACKSSDW Y2, Y1, Y1 \
	VPACKSSDW Y4, Y3, Y3 \
	VPACKSSWB Y3, Y1, Y1 \
	VPMOVMSKB Y1, DX \
	POPCNTL DX, DX \
	SHRL $1, DX

// RANK goes over the features of a plan, eight words each: column of x, column
// of bins, rank of NaN, levels, where they begin in search in blocks of 128
// bytes. size is the bytes of a bin.
//
// In range: a plan was made of the layout and of search, whose levels end in
// +Inf, so that every count but the last is of a block that there is.
#define RANK(MOVBIN, log, ALL, COUNT) \
	MOVQ x_base+0(FP), SI \
	MOVQ width+24(FP), R8 \
	SHLQ $3, R8 \
	MOVQ plan_base+40(FP), R9 \
	MOVQ plan_len+48(FP), R10 \
	LEAQ (R9)(R10*4), R10 \
	MOVQ search_base+64(FP), R15 \
	MOVQ next+112(FP), BX \
	SHLQ $log, BX \
feature: \
	CMPQ R9, R10 \
	JGE done \
	MOVL 0(R9), R11 \
	LEAQ (SI)(R11*8), R11 \
	MOVL 4(R9), DI \
	IMULQ step+120(FP), DI \
	SHLQ $log, DI \
	ADDQ dst_base+88(FP), DI \
	MOVL 8(R9), R13 \
	MOVQ rows+32(FP), R12 \
row: \
	ALL \
	XORL AX, AX \
	XORL CX, CX \
level: \
	MOVL 16(R9)(CX*4), R14 \
	ADDL AX, R14 \
	SHLQ $7, R14 \
	ADDQ R15, R14 \
	COUNT \
	SHLL $4, AX \
	ADDL DX, AX \
	INCL CX \
	CMPL CX, 12(R9) \
	JLT level \
	VUCOMISD X0, X0 \
	CMOVLPS R13, AX \
	MOVBIN AX, (DI) \
	ADDQ R8, R11 \
	ADDQ BX, DI \
	DECQ R12 \
	JGT row \
	ADDQ $32, R9 \
	JMP feature \
done: \
	VZEROUPPER \
	RET

#define ALL512 VBROADCASTSD (R11), Z0
#define ALL256 VBROADCASTSD (R11), Y0

// func rank8x512(x []float64, width, rows int, plan []int32, search []float64, dst []uint8, next, step int)
TEXT ·rank8x512(SB), NOSPLIT, $0-128
	RANK(MOVB, 0, ALL512, COUNT512)

// func rank16x512(x []float64, width, rows int, plan []int32, search []float64, dst []uint16, next, step int)
TEXT ·rank16x512(SB), NOSPLIT, $0-128
	RANK(MOVW, 1, ALL512, COUNT512)

// func rank8x256(x []float64, width, rows int, plan []int32, search []float64, dst []uint8, next, step int)
TEXT ·rank8x256(SB), NOSPLIT, $0-128
	RANK(MOVB, 0, ALL256, COUNT256)

// func rank16x256(x []float64, width, rows int, plan []int32, search []float64, dst []uint16, next, step int)
TEXT ·rank16x256(SB), NOSPLIT, $0-128
	RANK(MOVW, 1, ALL256, COUNT256)
