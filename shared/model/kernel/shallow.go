package kernel

import "fmt"

// maxShallow is the depth up to which a tree is evaluated whole.
const maxShallow = 6

// shallow emits shallow1 to shallow6: all 2^depth-1 tests of a tree for 32 rows
// at once, and from them the leaves, without a branch.
//
//	shallow6(nodes, values, columns, rows, sums)
//
// nodes are u32 in heap order, the test's column as a byte offset << 8 and
// the bin that a row must be above to go right; values the float64 of its 2^depth
// leaves from left to right; columns the address of the rows' bins in the first
// column; rows a multiple of 32; sums one float64 a row.
//
// Whether a row goes left at each level selects among the answers of the nodes
// below (bitselect); where it does not are the bits of the leaf's number.
//
// In range: offsets were made of column numbers below the layout's, each
// column has room for rows bins, and a leaf's number has depth bits.
func shallow(depth int) *function {
	f, p := newFunction(fmt.Sprintf("shallow%d", depth), 5)
	nodes, values, columns, rows, sums := p[0], p[1], p[2], p[3], p[4]
	r, base, at, to := f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	bin, number16, half := f.local(v128), f.local(v128), f.local(v128)
	const wide = 2 // vectors of rows that share a test
	var bits [wide][maxShallow]local
	var sides [wide][maxShallow][2]local
	for w := range wide {
		for l := range depth {
			bits[w][l] = f.local(v128)
			sides[w][l] = [2]local{f.local(v128), f.local(v128)}
		}
	}
	// pick sets a side to the bit of the node at a level that the levels above lead
	// to; decided of them, from the node path on, are decided.
	var pick func(level, decided, path, side int) code
	pick = func(level, decided, path, side int) code {
		if decided == level {
			i := 1<<level - 1 + path
			c := cat(
				set(at, add(get(base), shr(load32(get(nodes), 4*i), number(8)))),
				set(bin, load8Splat(get(nodes), 4*i)))
			for w := range wide {
				c = append(c, set(sides[w][decided][side], upTo8(loadV(get(at), 16*w), get(bin)))...)
			}
			return c
		}
		c := cat(pick(level, decided+1, 2*path, 0), pick(level, decided+1, 2*path+1, 1))
		for w := range wide {
			left, right := sides[w][decided+1][0], sides[w][decided+1][1]
			c = append(c, set(sides[w][decided][side], select128(get(left), get(right), get(bits[w][decided])))...)
		}
		return c
	}
	body := cat(set(base, add(get(columns), get(r))), set(to, add(get(sums), shl(get(r), number(3)))))
	for l := range depth {
		body = append(body, pick(l, 0, 0, 0)...)
		for w := range wide {
			body = append(body, set(bits[w][l], get(sides[w][0][0]))...)
		}
	}
	for w := range wide {
		body = append(body, leafNumber(bits[w][:depth], number16)...)
		for h, widen := range []func(code) code{low8to16, high8to16} {
			body = append(body, set(half, shl16V(widen(get(number16)), 3))...)
			for i := 0; i < 8; i += 2 {
				address := func(i int) code { return add(get(values), lane16(get(half), i)) }
				offset := 8 * (16*w + 8*h + i)
				pair := load64High(address(i+1), load64Zero(address(i), 0), 0)
				body = append(body, storeV(get(to), addF64V(loadV(get(to), offset), pair), offset)...)
			}
		}
	}
	f.add(count(r, number(0), get(rows), 16*wide, body))
	return f
}
