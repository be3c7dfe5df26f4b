//go:build !noasm

#include "textflag.h"

// One row goes down eight trees abreast, for the reason that eight rows do in
// walk_amd64.s. A group of trees ends with its deepest path: leaves are their
// own children, so the others stay where they are. What is left over of the trees
// is filled up with the last.

// UP8 takes the row from the node q of the tree that begins at root to a child. A
// node is bin, column, two bytes of the first child; R13 is 16, R12 where
// nodes begin and DI where bins do.
#define UP8(q, root) \
	MOVL q, SI \
	SHRL $8, SI \
	MOVBLZX SI, SI \
	CMPB q, (DI)(SI*1) \
	SHRXL R13, q, q \
	ADCL root, q \
	MOVL (R12)(q*4), q

// FIRST8 makes q the root of tree R15+i, or of the last.
#define FIRST8(i, q, root) \
	LEAQ i(R15), SI \
	CMPQ SI, last-8(SP) \
	CMOVQGT last-8(SP), SI \
	MOVQ (R14)(SI*8), SI \
	MOVQ SI, root \
	MOVL (R12)(SI*4), q

// FOUND8 notes the leaf of that tree.
#define FOUND8(i, q, root) \
	LEAQ i(R15), SI \
	CMPQ SI, last-8(SP) \
	CMOVQGT last-8(SP), SI \
	SHRL $16, q \
	ADDL root, q \
	MOVL q, (BP)(SI*4)

// UPS8, FIRSTS8 and FOUNDS8 are those of eight trees.
#define UPS8 \
	UP8(AX, root0-16(SP)) \
	UP8(BX, root1-24(SP)) \
	UP8(CX, root2-32(SP)) \
	UP8(DX, root3-40(SP)) \
	UP8(R8, root4-48(SP)) \
	UP8(R9, root5-56(SP)) \
	UP8(R10, root6-64(SP)) \
	UP8(R11, root7-72(SP))

#define FIRSTS8 \
	FIRST8(0, AX, root0-16(SP)) \
	FIRST8(1, BX, root1-24(SP)) \
	FIRST8(2, CX, root2-32(SP)) \
	FIRST8(3, DX, root3-40(SP)) \
	FIRST8(4, R8, root4-48(SP)) \
	FIRST8(5, R9, root5-56(SP)) \
	FIRST8(6, R10, root6-64(SP)) \
	FIRST8(7, R11, root7-72(SP))

#define FOUNDS8 \
	FOUND8(0, AX, root0-16(SP)) \
	FOUND8(1, BX, root1-24(SP)) \
	FOUND8(2, CX, root2-32(SP)) \
	FOUND8(3, DX, root3-40(SP)) \
	FOUND8(4, R8, root4-48(SP)) \
	FOUND8(5, R9, root5-56(SP)) \
	FOUND8(6, R10, root6-64(SP)) \
	FOUND8(7, R11, root7-72(SP))

// func row8(nodes []uint32, root []int, bins []uint8, at []uint32)
//
// In range: nodes' children and columns were checked by the decoder; root has,
// after the roots, where nodes end, and at has room for a number a tree.
TEXT ·row8(SB), NOSPLIT, $80-96
	MOVQ nodes_base+0(FP), R12
	MOVQ root_base+24(FP), R14
	MOVQ root_len+32(FP), R15
	SUBQ $2, R15
	MOVQ R15, last-8(SP)
	MOVQ bins_base+48(FP), DI
	MOVQ at_base+72(FP), BP
	MOVL $16, R13
	XORL R15, R15
trees:
	FIRSTS8
down:
	UPS8
	UPS8
	UPS8
	MOVL AX, SI
	ANDL BX, SI
	ANDL CX, SI
	ANDL DX, SI
	ANDL R8, SI
	ANDL R9, SI
	ANDL R10, SI
	ANDL R11, SI
	CMPB SI, $0xff
	JNE down
	FOUNDS8
	ADDQ $8, R15
	CMPQ R15, last-8(SP)
	JLE trees
	RET

// UP16 is UP8 for nodes of eight bytes: two of bin, two of column, four of the
// first child; R13 is 32.
#define UP16(q, root) \
	MOVL q, SI \
	SHRL $16, SI \
	CMPW q, (DI)(SI*2) \
	SHRXQ R13, q, q \
	ADCL root, q \
	MOVQ (R12)(q*8), q

#define FIRST16(i, q, root) \
	LEAQ i(R15), SI \
	CMPQ SI, last-8(SP) \
	CMOVQGT last-8(SP), SI \
	MOVQ (R14)(SI*8), SI \
	MOVQ SI, root \
	MOVQ (R12)(SI*8), q

#define FOUND16(i, q, root) \
	LEAQ i(R15), SI \
	CMPQ SI, last-8(SP) \
	CMOVQGT last-8(SP), SI \
	SHRQ $32, q \
	ADDL root, q \
	MOVL q, (BP)(SI*4)

#define UPS16 \
	UP16(AX, root0-16(SP)) \
	UP16(BX, root1-24(SP)) \
	UP16(CX, root2-32(SP)) \
	UP16(DX, root3-40(SP)) \
	UP16(R8, root4-48(SP)) \
	UP16(R9, root5-56(SP)) \
	UP16(R10, root6-64(SP)) \
	UP16(R11, root7-72(SP))

#define FIRSTS16 \
	FIRST16(0, AX, root0-16(SP)) \
	FIRST16(1, BX, root1-24(SP)) \
	FIRST16(2, CX, root2-32(SP)) \
	FIRST16(3, DX, root3-40(SP)) \
	FIRST16(4, R8, root4-48(SP)) \
	FIRST16(5, R9, root5-56(SP)) \
	FIRST16(6, R10, root6-64(SP)) \
	FIRST16(7, R11, root7-72(SP))

#define FOUNDS16 \
	FOUND16(0, AX, root0-16(SP)) \
	FOUND16(1, BX, root1-24(SP)) \
	FOUND16(2, CX, root2-32(SP)) \
	FOUND16(3, DX, root3-40(SP)) \
	FOUND16(4, R8, root4-48(SP)) \
	FOUND16(5, R9, root5-56(SP)) \
	FOUND16(6, R10, root6-64(SP)) \
	FOUND16(7, R11, root7-72(SP))

// func row16(nodes []uint64, root []int, bins []uint16, at []uint32)
//
// In range: as for row8.
TEXT ·row16(SB), NOSPLIT, $80-96
	MOVQ nodes_base+0(FP), R12
	MOVQ root_base+24(FP), R14
	MOVQ root_len+32(FP), R15
	SUBQ $2, R15
	MOVQ R15, last-8(SP)
	MOVQ bins_base+48(FP), DI
	MOVQ at_base+72(FP), BP
	MOVL $32, R13
	XORL R15, R15
trees:
	FIRSTS16
down:
	UPS16
	UPS16
	UPS16
	MOVL AX, SI
	ANDL BX, SI
	ANDL CX, SI
	ANDL DX, SI
	ANDL R8, SI
	ANDL R9, SI
	ANDL R10, SI
	ANDL R11, SI
	MOVWLZX SI, SI
	CMPL SI, $0xffff
	JNE down
	FOUNDS16
	ADDQ $8, R15
	CMPQ R15, last-8(SP)
	JLE trees
	RET

// func addRow(leaf []uint32, table []float64, output []int32, at []uint32, sums []float64)
//
// The leaves that a row has reached are added to its sums: one value to the sum
// that output says, or, for -1, one to each.
//
// In range: as for the leaves of many rows.
TEXT ·addRow(SB), NOSPLIT, $0-120
	MOVQ leaf_base+0(FP), SI
	MOVQ table_base+24(FP), R9
	MOVQ output_base+48(FP), R10
	MOVQ output_len+56(FP), R11
	MOVQ at_base+72(FP), R12
	MOVQ sums_base+96(FP), DI
	MOVQ sums_len+104(FP), R8
	LEAQ -4(R8), R13
	XORL CX, CX
tree:
	MOVL (R12)(CX*4), AX
	MOVL (SI)(AX*4), AX
	LEAQ (R9)(AX*8), DX
	MOVLQSX (R10)(CX*4), BX
	TESTQ BX, BX
	JLT vector
	VMOVSD (DX), X0
	VADDSD (DI)(BX*8), X0, X0
	VMOVSD X0, (DI)(BX*8)
	INCQ CX
	CMPQ CX, R11
	JLT tree
	VZEROUPPER
	RET
vector:
	XORL BX, BX
	TESTQ R13, R13
	JLT single
four:
	VMOVUPD (DX)(BX*8), Y0
	VADDPD (DI)(BX*8), Y0, Y0
	VMOVUPD Y0, (DI)(BX*8)
	ADDQ $4, BX
	CMPQ BX, R13
	JLE four
	CMPQ BX, R8
	JGE next
single:
	VMOVSD (DX)(BX*8), X0
	VADDSD (DI)(BX*8), X0, X0
	VMOVSD X0, (DI)(BX*8)
	INCQ BX
	CMPQ BX, R8
	JLT single
next:
	INCQ CX
	CMPQ CX, R11
	JLT tree
	VZEROUPPER
	RET

// func ObliviousRow(tests []uint32, depth int, leaves []int16, bins []uint8, trees int, sums []int32)
//
// The column is the upper half of a test. Levels are taken from the last on, each
// of which moves up the bits of those below it.
//
// In range: as for many rows.
TEXT ·ObliviousRow(SB), NOSPLIT, $0-112
	MOVQ tests_base+0(FP), SI
	MOVQ depth+24(FP), R8
	MOVQ leaves_base+32(FP), R9
	MOVQ bins_base+56(FP), R10
	MOVQ trees+80(FP), R11
	MOVQ sums_base+88(FP), DI
	MOVL $16, R12
	MOVQ R8, CX
	SHLQ CX, R12
	VMOVDQU (DI), Y0
	JMP more
tree:
	XORL AX, AX
	LEAQ -1(R8), CX
	TESTQ CX, CX
	JLT add
level:
	MOVL (SI)(CX*4), BX
	MOVL BX, DX
	SHRL $16, DX
	CMPB BX, (R10)(DX*1)
	ADCL AX, AX
	DECQ CX
	JGE level
add:
	SHLL $4, AX
	VPMOVSXWD (R9)(AX*1), Y1
	VPADDD Y1, Y0, Y0
	ADDQ R12, R9
	LEAQ (SI)(R8*4), SI
	DECQ R11
more:
	TESTQ R11, R11
	JGT tree
	VMOVDQU Y0, (DI)
	VZEROUPPER
	RET
