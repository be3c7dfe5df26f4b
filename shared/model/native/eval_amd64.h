// The top of a tree for many rows at once, for files that define
//
//	SELECT(m, r, l)      l = r where the sign bit of m is set, else l
//	INSERT(m, v)         the sign bit of v = that of m
//	D0..D5, T0..T4       vectors: decisions by level, scratch
//
// A test compares without a mask: with c = top-1-t for the threshold t and
// top the largest bin, (bin + c + 1) / 2 has its sign bit set exactly if
// bin > t. Only sign bits mean anything below. A leaf above the last level
// has the threshold top and c = -1: its sign bit is always set, so both
// its children must lead to it.
//
// DI is where 64 column offsets begin, in bytes, and after them 64 words of
// c in all lanes; R8 is where the rows' bins in column 0 begin.
//
// In range: an offset was made of a column's number below the layout's, and
// each column has room for all rows.

// TEST puts whether rows are above node i into the signs of v.
#define TEST(AVG, i, v) \
	MOVL (4*(i))(DI), AX \
	VPBROADCASTD (256+4*(i))(DI), v \
	AVG((R8)(AX*1), v)

// PICKn leaves in a what the node says that n decisions, m the last of them,
// lead to from the first of 2^n nodes of a level.
#define PICK1(AVG, i, m, a, b) \
	TEST(AVG, i, a) \
	TEST(AVG, (i)+1, b) \
	SELECT(m, b, a)

#define PICK2(AVG, i, m1, m, a, b, c) \
	PICK1(AVG, i, m, a, b) \
	PICK1(AVG, (i)+2, m, b, c) \
	SELECT(m1, b, a)

#define PICK3(AVG, i, m2, m1, m, a, b, c, d) \
	PICK2(AVG, i, m1, m, a, b, c) \
	PICK2(AVG, (i)+4, m1, m, b, c, d) \
	SELECT(m2, b, a)

#define PICK4(AVG, i, m3, m2, m1, m, a, b, c, d, e) \
	PICK3(AVG, i, m2, m1, m, a, b, c, d) \
	PICK3(AVG, (i)+8, m2, m1, m, b, c, d, e) \
	SELECT(m3, b, a)

#define PICK5(AVG, i, m4, m3, m2, m1, m, a, b, c, d, e, f) \
	PICK4(AVG, i, m3, m2, m1, m, a, b, c, d, e) \
	PICK4(AVG, (i)+16, m3, m2, m1, m, b, c, d, e, f) \
	SELECT(m4, b, a)

// LEVELS fills D0, D1, ... with the decisions of BX levels, 1 to 6, and goes
// on at the label. T0 to T4 are scratch.
#define LEVELS(AVG, done) \
	TEST(AVG, 0, D0) \
	CMPQ BX, $1 \
	JEQ done \
	PICK1(AVG, 1, D0, D1, T0) \
	CMPQ BX, $2 \
	JEQ done \
	PICK2(AVG, 3, D0, D1, D2, T0, T1) \
	CMPQ BX, $3 \
	JEQ done \
	PICK3(AVG, 7, D0, D1, D2, D3, T0, T1, T2) \
	CMPQ BX, $4 \
	JEQ done \
	PICK4(AVG, 15, D0, D1, D2, D3, D4, T0, T1, T2, T3) \
	CMPQ BX, $5 \
	JEQ done \
	PICK5(AVG, 31, D0, D1, D2, D3, D4, D5, T0, T1, T2, T3, T4)

// NUMBER makes T0 the node of the level below that the decisions lead to,
// counted from the left, whose bits the decisions are, the first the highest.
// Each moves down by one what INSERT then puts the sign of the one before
// above. With fewer than six levels the lowest bits are not decisions: X15
// says how far the whole is moved down at last, which over bytes leaves some
// of the neighbour's above.
#define NUMBER \
	VPSRLW $1, D5, T0 \
	INSERT(D4, T0) \
	VPSRLW $1, T0, T0 \
	INSERT(D3, T0) \
	VPSRLW $1, T0, T0 \
	INSERT(D2, T0) \
	VPSRLW $1, T0, T0 \
	INSERT(D1, T0) \
	VPSRLW $1, T0, T0 \
	INSERT(D0, T0) \
	VPSRLW X15, T0, T0

// EXPAND8 writes to DI what TEST reads, from 64 nodes at SI that are each
// offset<<8 | t.
#define EXPAND8(again) \
	VPBROADCASTD spread8<>(SB), Y0 \
	VBROADCASTI128 lows8<>(SB), Y1 \
	XORQ AX, AX \
again: \
	VMOVDQU (SI)(AX*1), Y2 \
	VPSRLD $8, Y2, Y3 \
	VMOVDQU Y3, (DI)(AX*1) \
	VPSHUFB Y1, Y2, Y2 \
	VPSUBB Y2, Y0, Y2 \
	VMOVDQU Y2, 256(DI)(AX*1) \
	ADDQ $32, AX \
	CMPQ AX, $256 \
	JLT again

// EXPAND16 is EXPAND8 for nodes that are offset<<16 | t in eight bytes.
#define EXPAND16(again) \
	VPBROADCASTD spread16<>(SB), X0 \
	VMOVDQU lows16<>(SB), X1 \
	XORQ AX, AX \
again: \
	VMOVDQU (SI)(AX*2), X2 \
	VMOVDQU 16(SI)(AX*2), X3 \
	VPSRLQ $16, X2, X4 \
	VPSRLQ $16, X3, X5 \
	VSHUFPS $0x88, X5, X4, X4 \
	VMOVDQU X4, (DI)(AX*1) \
	VSHUFPS $0x88, X3, X2, X2 \
	VPSHUFB X1, X2, X2 \
	VPSUBW X2, X0, X2 \
	VMOVDQU X2, 256(DI)(AX*1) \
	ADDQ $16, AX \
	CMPQ AX, $256 \
	JLT again

DATA spread8<>(SB)/4, $0xfefefefe
GLOBL spread8<>(SB), 8+16, $4
DATA spread16<>(SB)/4, $0xfffefffe
GLOBL spread16<>(SB), 8+16, $4

// The lowest byte of each dword four times, its lowest word twice.
DATA lows8<>+0(SB)/8, $0x0404040400000000
DATA lows8<>+8(SB)/8, $0x0c0c0c0c08080808
GLOBL lows8<>(SB), 8+16, $16
DATA lows16<>+0(SB)/8, $0x0504050401000100
DATA lows16<>+8(SB)/8, $0x0d0c0d0c09080908
GLOBL lows16<>(SB), 8+16, $16
