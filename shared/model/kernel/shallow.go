package kernel

import "fmt"

// maxShallow is the depth up to which a tree is evaluated whole.
const maxShallow = 6

// shallow emits shallow1 to shallow6: all 2^depth-1 tests of a tree for sixteen
// rows at once, and from them the leaves, without a branch.
//
//	shallow6(nodes, values, columns, rows, sums)
//
// nodes are u32 in heap order, the test's column as a byte offset << 8 and
// the bin that a row must be above to go right; values the float64 of its 2^depth
// leaves from left to right; columns the address of the rows' bins in the first
// column; rows a multiple of 16; sums one float64 a row.
//
// Whether a row goes left at each level selects among the answers of the nodes
// below (bitselect); where it does not are the bits of the leaf's number.
//
// In range: offsets were made of column numbers below the layout's, each
// column has room for rows bins, and a leaf's number has depth bits.
func shallow(depth int) *function {
	f, p := newFunction(fmt.Sprintf("shallow%d", depth), 5)
	nodes, values, columns, rows, sums := p[0], p[1], p[2], p[3], p[4]
	r, base, to := f.local(i32), f.local(i32), f.local(i32)
	number16, half := f.local(v128), f.local(v128)
	var bits [maxShallow]local
	for l := range depth {
		bits[l] = f.local(v128)
	}
	test := func(i int) code {
		return upTo8(loadV(add(get(base), shr(load32(get(nodes), 4*i), number(8))), 0), load8Splat(get(nodes), 4*i))
	}
	// pick is the bit of the node at a level that the levels above lead to; at
	// of them, from the node path on, are decided.
	var pick func(level, at, path int) code
	pick = func(level, at, path int) code {
		if at == level {
			return test(1<<level - 1 + path)
		}
		return select128(pick(level, at+1, 2*path), pick(level, at+1, 2*path+1), get(bits[at]))
	}
	var body code
	for l := range depth {
		body = append(body, set(bits[l], pick(l, 0, 0))...)
	}
	body = append(body, leafNumber(bits[:depth], number16)...)
	for h, widen := range []func(code) code{low8to16, high8to16} {
		body = append(body, set(half, shl16V(widen(get(number16)), 3))...)
		for i := 0; i < 8; i += 2 {
			address := func(i int) code { return add(get(values), lane16(get(half), i)) }
			offset := 8 * (8*h + i)
			pair := load64High(address(i+1), load64Zero(address(i), 0), 0)
			body = append(body, storeV(get(to), addF64V(loadV(get(to), offset), pair), offset)...)
		}
	}
	f.add(count(r, number(0), get(rows), 16,
		set(base, add(get(columns), get(r))),
		set(to, add(get(sums), shl(get(r), number(3)))),
		body,
	))
	return f
}
