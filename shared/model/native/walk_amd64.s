//go:build !noasm

#include "textflag.h"

// Rows go down a tree eight abreast, step by step: one row's loads wait for each
// other, and a processor looks ahead a few hundred instructions only, which
// should be those of many rows. No branch depends on a row: a comparison's carry
// is the turn taken.
//
// A pass over the rows that are not yet at a leaf takes few steps, or more if
// the pass before brought less than a quarter of them to one, as in deep trees.

// STEP8 takes the row whose bins begin at row from the node q to a child's number.
// A node is bin, column, two bytes of the first child; R13 is 16.
#define STEP8(q, row) \
	MOVL q, SI \
	SHRL $8, SI \
	MOVBLZX SI, SI \
	ADDQ row, SI \
	CMPB q, (SI) \
	SHRXL R13, q, q \
	ADCL $0, q

// LOAD8 makes q the node with that number: R12 is where the tree begins.
#define LOAD8(q) MOVL (R12)(q*4), q

// BEGIN8 makes q the node that the entry i from R14 has got to, and row where its
// bins begin.
#define BEGIN8(i, q, row) \
	MOVWLZX (4*i)(R14), q \
	MOVWLZX (4*i+2)(R14), SI \
	IMULQ stride-16(SP), SI \
	ADDQ bins-24(SP), SI \
	MOVQ SI, row \
	LOAD8(q)

// END8 notes which node the entry i from R14 has got to, and keeps it if that is
// no leaf. R15 counts those kept.
#define END8(i, q) \
	MOVWLZX (4*i+2)(R14), SI \
	MOVW q, (BP)(SI*2) \
	MOVW q, (DI)(R15*4) \
	MOVW SI, 2(DI)(R15*4) \
	CMPB (R12)(q*4), $0xff \
	ADCL $0, R15

// STEPS8, LOADS8, BEGINS8 and ENDS8 are those of eight rows.
#define STEPS8 \
	STEP8(AX, row0-32(SP)) \
	STEP8(BX, row1-40(SP)) \
	STEP8(CX, row2-48(SP)) \
	STEP8(DX, row3-56(SP)) \
	STEP8(R8, row4-64(SP)) \
	STEP8(R9, row5-72(SP)) \
	STEP8(R10, row6-80(SP)) \
	STEP8(R11, row7-88(SP))

#define LOADS8 \
	LOAD8(AX) \
	LOAD8(BX) \
	LOAD8(CX) \
	LOAD8(DX) \
	LOAD8(R8) \
	LOAD8(R9) \
	LOAD8(R10) \
	LOAD8(R11)

#define BEGINS8 \
	BEGIN8(0, AX, row0-32(SP)) \
	BEGIN8(1, BX, row1-40(SP)) \
	BEGIN8(2, CX, row2-48(SP)) \
	BEGIN8(3, DX, row3-56(SP)) \
	BEGIN8(4, R8, row4-64(SP)) \
	BEGIN8(5, R9, row5-72(SP)) \
	BEGIN8(6, R10, row6-80(SP)) \
	BEGIN8(7, R11, row7-88(SP))

#define ENDS8 \
	END8(0, AX) \
	END8(1, BX) \
	END8(2, CX) \
	END8(3, DX) \
	END8(4, R8) \
	END8(5, R9) \
	END8(6, R10) \
	END8(7, R11)

// func Down8(nodes []uint32, bins []uint8, shift, rows int, start []uint32, numbers []uint8, active []uint32, at []uint16)
//
// In range: a number has six bits; a node's children and its column were
// checked by the decoder, a leaf is its own child, and the lists have room for
// every row.
TEXT ·Down8(SB), NOSPLIT, $96-160
	MOVQ nodes_base+0(FP), R12
	MOVQ bins_base+24(FP), AX
	MOVQ AX, bins-24(SP)
	MOVQ shift+48(FP), CX
	MOVL $1, AX
	SHLQ CX, AX
	MOVQ AX, stride-16(SP)
	MOVQ rows+56(FP), R8
	MOVQ start_base+64(FP), SI
	MOVQ numbers_base+88(FP), R14
	MOVQ active_base+112(FP), DI
	MOVQ at_base+136(FP), BP
	MOVL $16, R13

	// Rows that the top has not brought to a leaf are listed as row<<16 | node.
	XORL R15, R15
	XORL BX, BX
list:
	MOVBLZX (R14)(BX*1), AX
	MOVL (SI)(AX*4), AX
	MOVW AX, (BP)(BX*2)
	MOVW AX, (DI)(R15*4)
	MOVW BX, 2(DI)(R15*4)
	SHRL $16, AX
	ADDL AX, R15
	INCL BX
	CMPL BX, R8
	JLT list
	SHLL $1, R8

	// R8 is how many there were before, at first as if many had dropped out.
pass:
	TESTL R15, R15
	JEQ done
	MOVQ DI, R14
	LEAQ -28(DI)(R15*4), SI
	MOVQ SI, end-8(SP)
	MOVL R15, AX
	SHLL $2, AX
	LEAL (R8)(R8*2), R8
	MOVL R15, before-96(SP)
	XORL R15, R15
	CMPQ R14, SI
	JGE last
	CMPL AX, R8
	JGE many
few:
	BEGINS8
	STEPS8
	LOADS8
	STEPS8
	ENDS8
	ADDQ $32, R14
	CMPQ R14, end-8(SP)
	JLT few
	JMP last
many:
	BEGINS8
	STEPS8
	LOADS8
	STEPS8
	LOADS8
	STEPS8
	LOADS8
	STEPS8
	LOADS8
	STEPS8
	LOADS8
	STEPS8
	ENDS8
	ADDQ $32, R14
	CMPQ R14, end-8(SP)
	JLT many

	// Fewer than eight go one by one.
last:
	MOVQ end-8(SP), BX
	ADDQ $28, BX
	MOVL before-96(SP), R8
	CMPQ R14, BX
	JGE pass
one:
	BEGIN8(0, AX, row0-32(SP))
	STEP8(AX, row0-32(SP))
	LOAD8(AX)
	STEP8(AX, row0-32(SP))
	END8(0, AX)
	ADDQ $4, R14
	CMPQ R14, BX
	JLT one
	JMP pass
done:
	RET

// STEP16 is STEP8 for nodes of eight bytes: two of bin, two of column, four of
// the first child; R13 is 32. row is half an address, since a bin has two
// bytes: those of bins are even.
#define STEP16(q, row) \
	MOVL q, SI \
	SHRL $16, SI \
	ADDQ row, SI \
	CMPW q, (SI)(SI*1) \
	SHRXQ R13, q, q \
	ADCL $0, q

// The others differ from those above as the widths do; there are 8 bytes an entry,
// node and row.
#define LOAD16(q) MOVQ (R12)(q*8), q

#define BEGIN16(i, q, row) \
	MOVL (8*i)(R14), q \
	MOVL (8*i+4)(R14), SI \
	IMULQ stride-16(SP), SI \
	ADDQ bins-24(SP), SI \
	MOVQ SI, row \
	LOAD16(q)

#define END16(i, q) \
	MOVL (8*i+4)(R14), SI \
	MOVL q, (BP)(SI*4) \
	MOVL q, (DI)(R15*8) \
	MOVL SI, 4(DI)(R15*8) \
	MOVWLZX (R12)(q*8), q \
	CMPL q, $0xffff \
	ADCL $0, R15

#define STEPS16 \
	STEP16(AX, row0-32(SP)) \
	STEP16(BX, row1-40(SP)) \
	STEP16(CX, row2-48(SP)) \
	STEP16(DX, row3-56(SP)) \
	STEP16(R8, row4-64(SP)) \
	STEP16(R9, row5-72(SP)) \
	STEP16(R10, row6-80(SP)) \
	STEP16(R11, row7-88(SP))

#define LOADS16 \
	LOAD16(AX) \
	LOAD16(BX) \
	LOAD16(CX) \
	LOAD16(DX) \
	LOAD16(R8) \
	LOAD16(R9) \
	LOAD16(R10) \
	LOAD16(R11)

#define BEGINS16 \
	BEGIN16(0, AX, row0-32(SP)) \
	BEGIN16(1, BX, row1-40(SP)) \
	BEGIN16(2, CX, row2-48(SP)) \
	BEGIN16(3, DX, row3-56(SP)) \
	BEGIN16(4, R8, row4-64(SP)) \
	BEGIN16(5, R9, row5-72(SP)) \
	BEGIN16(6, R10, row6-80(SP)) \
	BEGIN16(7, R11, row7-88(SP))

#define ENDS16 \
	END16(0, AX) \
	END16(1, BX) \
	END16(2, CX) \
	END16(3, DX) \
	END16(4, R8) \
	END16(5, R9) \
	END16(6, R10) \
	END16(7, R11)

// func Down16(nodes []uint64, bins []uint16, shift, rows int, start []uint32, numbers []uint8, active []uint64, at []uint32)
//
// It is Down8 with lists of row<<32 | node. In range: as there.
TEXT ·Down16(SB), NOSPLIT, $96-160
	MOVQ nodes_base+0(FP), R12
	MOVQ bins_base+24(FP), AX
	SHRQ $1, AX
	MOVQ AX, bins-24(SP)
	MOVQ shift+48(FP), CX
	MOVL $1, AX
	SHLQ CX, AX
	MOVQ AX, stride-16(SP)
	MOVQ rows+56(FP), R8
	MOVQ start_base+64(FP), SI
	MOVQ numbers_base+88(FP), R14
	MOVQ active_base+112(FP), DI
	MOVQ at_base+136(FP), BP
	MOVL $32, R13

	XORL R15, R15
	XORL BX, BX
list:
	MOVBLZX (R14)(BX*1), AX
	MOVL (SI)(AX*4), AX
	MOVL AX, CX
	ANDL $0x7fffffff, CX
	MOVL CX, (BP)(BX*4)
	MOVL CX, (DI)(R15*8)
	MOVL BX, 4(DI)(R15*8)
	SHRL $31, AX
	ADDL AX, R15
	INCL BX
	CMPL BX, R8
	JLT list
	SHLL $1, R8

	// R8 is how many there were before, at first as if many had dropped out.
pass:
	TESTL R15, R15
	JEQ done
	MOVQ DI, R14
	LEAQ -56(DI)(R15*8), SI
	MOVQ SI, end-8(SP)
	MOVL R15, AX
	SHLL $2, AX
	LEAL (R8)(R8*2), R8
	MOVL R15, before-96(SP)
	XORL R15, R15
	CMPQ R14, SI
	JGE last
	CMPL AX, R8
	JGE many
few:
	BEGINS16
	STEPS16
	LOADS16
	STEPS16
	ENDS16
	ADDQ $64, R14
	CMPQ R14, end-8(SP)
	JLT few
	JMP last
many:
	BEGINS16
	STEPS16
	LOADS16
	STEPS16
	LOADS16
	STEPS16
	LOADS16
	STEPS16
	LOADS16
	STEPS16
	LOADS16
	STEPS16
	ENDS16
	ADDQ $64, R14
	CMPQ R14, end-8(SP)
	JLT many

	// Fewer than eight go one by one.
last:
	MOVQ end-8(SP), BX
	ADDQ $56, BX
	MOVL before-96(SP), R8
	CMPQ R14, BX
	JGE pass
one:
	BEGIN16(0, AX, row0-32(SP))
	STEP16(AX, row0-32(SP))
	LOAD16(AX)
	STEP16(AX, row0-32(SP))
	END16(0, AX)
	ADDQ $8, R14
	CMPQ R14, BX
	JLT one
	JMP pass
done:
	RET
