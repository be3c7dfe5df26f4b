//go:build !noasm

#include "textflag.h"

// Rows go down a tree four abreast, so that the processor always has loads of
// several to wait for, and no branch depends on a row. A comparison's carry is
// the turn taken: a step is two loads and four short instructions.

// STEP8 takes the row at row, whose node is in q, to a child and, with LOAD8, to
// what that is: low and high are the lowest bytes of q, R13 is 16. Only AX to DX
// have a name for the second byte.
#define STEP8(q, low, high, row) \
	MOVBLZX high, SI \
	CMPB low, (row)(SI*1) \
	SHRXL R13, q, q \
	ADCL $0, q

#define LOAD8(q) MOVL (R12)(q*4), q

// BEGIN8 makes q the node of the entry i from R14, and row where its bins
// begin.
#define BEGIN8(i, q, row) \
	MOVL (4*i)(R14), q \
	MOVL q, row \
	SHRXL R13, row, row \
	MOVWLZX q, q \
	SHLXQ R15, row, row \
	ADDQ bins-16(SP), row \
	LOAD8(q)

// END8 notes where the entry i from R14 has got to, and keeps it if that is no
// leaf: R9 counts those kept.
#define END8(i, q) \
	MOVWLZX (4*i+2)(R14), R8 \
	MOVW q, (BP)(R8*2) \
	CMPB (R12)(q*4), $0xff \
	MOVW R8, 2(DI)(R9*4) \
	MOVW q, (DI)(R9*4) \
	ADCL $0, R9

// func Down8(nodes []uint32, bins []uint8, shift, rows int, start []uint32, numbers []uint8, active []uint32, at []uint16)
//
// In range: a number has six bits; a node's children and its column were
// checked by the decoder, a leaf is its own child, and the lists have room for
// every row.
TEXT ·Down8(SB), NOSPLIT, $16-160
	MOVQ nodes_base+0(FP), R12
	MOVQ bins_base+24(FP), AX
	MOVQ AX, bins-16(SP)
	MOVQ rows+56(FP), R8
	MOVQ start_base+64(FP), SI
	MOVQ numbers_base+88(FP), R14
	MOVQ active_base+112(FP), DI
	MOVQ at_base+136(FP), BP
	MOVL $16, R13
	MOVQ shift+48(FP), R15

	// Rows that the top has not brought to a leaf are listed as row<<16 | node.
	XORL R9, R9
	XORL BX, BX
list:
	MOVBLZX (R14)(BX*1), AX
	MOVL (SI)(AX*4), AX
	MOVW AX, (BP)(BX*2)
	MOVW AX, (DI)(R9*4)
	MOVW BX, 2(DI)(R9*4)
	SHRL $16, AX
	ADDL AX, R9
	INCL BX
	CMPL BX, R8
	JLT list

	// They take some steps, what is left of them moves up, and so on.
pass:
	TESTL R9, R9
	JEQ done
	MOVQ DI, R14
	LEAQ (DI)(R9*4), SI
	MOVQ SI, end-8(SP)
	XORL R9, R9
	SUBQ $16, SI
	CMPQ R14, SI
	JGT last
four:
	BEGIN8(0, AX, R8)
	BEGIN8(1, BX, R10)
	BEGIN8(2, CX, R11)
	// The fourth row's place takes the temporary's turn in END8 only.
	BEGIN8(3, DX, R9)
done:
	RET
