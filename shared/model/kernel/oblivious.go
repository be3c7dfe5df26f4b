package kernel

import "fmt"

const (
	// ObliviousTrees is how many oblivious trees are added up before their sums
	// are widened; a leaf's values times it fit in 16 bits. Of trees with smaller
	// values it is twice as many.
	ObliviousTrees = 4
	// ObliviousLeaves is the size of a leaf: eight whole numbers of 16 bits.
	ObliviousLeaves = 8
	// ObliviousRows is how many rows there may be at once.
	ObliviousRows = 256
)

// oblivious emits oblivious4 and oblivious8, the trees that ask one question a
// level.
//
//	oblivious4(tests, depth, leaves, columns, rows, sums, width, trees, numbers)
//
// tests are depth u32 a tree, the column as a byte offset << 8 and the bin
// that a row must be above to set the level's bit, the first level the lowest;
// leaves are eight int16 each, 2^depth a tree; columns the address of the
// rows' bins in the first column; rows a multiple of 16 up to ObliviousRows;
// sums eight int32 a row, width bytes apart; trees a multiple of together, whose
// leaves fit in 16 bits when so many are added; numbers room for
// 2·together·ObliviousRows bytes.
//
// Numbers of leaves are kept as places among those of together trees, so that a
// row's leaves are a load and an addition each.
//
// In range: as for shallow. A place has together·16·2^depth bytes below it, at
// most 2^15. No sum overflows: a leaf's value has 14 bits and there are fewer
// than 2^17 trees.
func oblivious(together int) *function {
	f, p := newFunction(fmt.Sprintf("oblivious%d", together), 9)
	tests, depth, leaves, columns, rows := p[0], p[1], p[2], p[3], p[4]
	sums, width, trees, numbers := p[5], p[6], p[7], p[8]
	t, k, q, n, end, r, from, to, size := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	level, bit, sum, first := f.local(v128), f.local(v128), f.local(v128), f.local(v128)
	const wide = 8 // vectors of rows that share a test
	var x [wide]local
	for i := range x {
		x[i] = f.local(v128)
	}
	// numbered fills the places of 16·n rows from row r of a tree on.
	numbered := func(n int) code {
		var start, each, put code
		for i := range n {
			start = append(start, set(x[i], bytes16(0))...)
			each = append(each, set(x[i], orV(get(x[i]), andNotV(get(bit), upTo8(loadV(get(from), 16*i), get(level)))))...)
			for h, widen := range []func(code) code{low8to16, high8to16} {
				put = append(put, storeV(get(to), add16V(shl16V(widen(get(x[i])), 4), get(first)), 32*i+16*h)...)
			}
		}
		return cat(start,
			set(bit, bytes16(1)),
			set(q, get(tests)),
			when(less(get(q), get(end)), repeat(less(get(q), get(end)),
				set(level, load8Splat(get(q), 0)),
				set(from, add(add(get(columns), get(r)), shr(load32(get(q), 0), number(8)))),
				each,
				set(bit, add8V(get(bit), get(bit))),
				raise(q, 4),
			)),
			put)
	}
	var total code
	for tree := range together {
		leaf := loadV(add(get(leaves), load16(get(n), 2*ObliviousRows*tree)), 0)
		if total == nil {
			total = leaf
		} else {
			total = add16V(total, leaf)
		}
	}
	numberAll := count(k, number(0), number(together), 1,
		set(first, splat16(mul(get(size), get(k)))),
		set(end, add(get(tests), shl(get(depth), number(2)))),
		set(to, add(get(numbers), mul(get(k), number(2*ObliviousRows)))),
		set(r, number(0)),
		when(less(number(16*wide-1), get(rows)), repeat(less(add(get(r), number(16*wide-1)), get(rows)),
			numbered(wide), raise(r, 16*wide), raise(to, 2*16*wide))),
		when(less(get(r), get(rows)), repeat(less(get(r), get(rows)),
			numbered(1), raise(r, 16), raise(to, 2*16))),
		set(tests, get(end)))
	f.add(
		set(size, shl(number(16), get(depth))),
		count(t, number(0), get(trees), together,
			numberAll,
			set(to, get(sums)),
			set(n, get(numbers)),
			set(end, add(get(n), shl(get(rows), number(1)))),
			when(get(rows), repeat(less(get(n), get(end)),
				set(sum, total),
				storeV(get(to), add32V(loadV(get(to), 0), low16to32(get(sum))), 0),
				storeV(get(to), add32V(loadV(get(to), 16), high16to32(get(sum))), 16),
				set(to, add(get(to), get(width))),
				raise(n, 2),
			)),
			set(leaves, add(get(leaves), mul(get(size), number(together)))),
		),
	)
	return f
}

// obliviousRow emits the same for one row, whose bins lie side by side.
//
//	(tests, depth, leaves, bins, trees, sums)
//
// tests have columns in units of 256: that is their bins' distance for
// oblivious, and here they lie next to each other.
//
// In range: as for oblivious.
func obliviousRow() *function {
	f, p := newFunction("", 6)
	tests, depth, leaves, bins, trees, sums := p[0], p[1], p[2], p[3], p[4], p[5]
	t, l, q, leaf := f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	values, low, high := f.local(v128), f.local(v128), f.local(v128)
	above := greater(load8(add(get(bins), shr(get(q), number(16))), 0), and(get(q), number(0xff)))
	f.add(
		set(low, loadV(get(sums), 0)),
		set(high, loadV(get(sums), 16)),
		count(t, number(0), get(trees), 1,
			set(leaf, number(0)),
			count(l, number(0), get(depth), 1,
				set(q, load32(get(tests), 0)),
				set(leaf, or(get(leaf), shl(above, get(l)))),
				raise(tests, 4),
			),
			set(values, loadV(add(get(leaves), shl(get(leaf), number(4))), 0)),
			set(low, add32V(get(low), low16to32(get(values)))),
			set(high, add32V(get(high), high16to32(get(values)))),
			set(leaves, add(get(leaves), shl(number(16), get(depth)))),
		),
		storeV(get(sums), get(low), 0),
		storeV(get(sums), get(high), 16),
	)
	return f
}
