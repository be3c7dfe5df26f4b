package kernel

// ExpTable is how many numbers softmax reads.
const ExpTable = 22

// softmax emits link's softmax of package tree for rows of values.
//
//	softmax(values, rows, width, table)
//
// values are rows·width float64, which it replaces; table are 1/ln 2, 1/2, ln 2
// in two parts, -746, below which e**x rounds to 0, 2^52+2^51+1023, -1000, 100,
// 2^-100, and 1/13!, ..., 1/0!: see exp of package tree, whose operations these
// are, in its order, with two values to a vector.
//
// A power of two is put together from the bits of its exponent; where the result
// may be below the smallest normal number, it comes in two factors, of which
// only the second rounds.
//
// In range: values are read and written where rows are.
func softmax() *function {
	f, p := newFunction("softmax", 4)
	values, rows, width, table := p[0], p[1], p[2], p[3]
	row, at, end, next := f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	high, sum := f.local(f64), f.local(f64)
	x, k, poly, small := f.local(v128), f.local(v128), f.local(v128), f.local(v128)
	const log2e, half, ln2High, ln2Low, lowest, magic, limit, shift, back, taylor, terms = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13
	of := func(i int) code { return load64Splat(get(table), 8*i) }
	eachRow := func(each func() code) code {
		return cat(
			set(row, get(values)),
			repeat(less(get(row), get(end)), set(next, add(get(row), shl(get(width), number(3)))), each(), set(row, get(next))))
	}
	eachValue := func(body ...code) code {
		return cat(set(at, get(row)), repeat(less(get(at), get(next)), cat(body...), raise(at, 8)))
	}
	exp := cat(
		set(x, maxF64V(get(x), of(lowest))),
		set(k, floorF64V(addF64V(mulF64V(get(x), of(log2e)), of(half)))),
		set(x, subF64V(subF64V(get(x), mulF64V(get(k), of(ln2High))), mulF64V(get(k), of(ln2Low)))),
		set(poly, of(taylor)),
	)
	for i := range terms {
		exp = append(exp, set(poly, addF64V(mulF64V(get(poly), get(x)), of(taylor+1+i)))...)
	}
	exp = cat(exp,
		set(small, belowF64V(get(k), of(limit))),
		set(k, addF64V(get(k), andV(get(small), of(shift)))),
		set(poly, mulF64V(get(poly), shl64V(addF64V(get(k), of(magic)), 52))),
		set(poly, mulF64V(get(poly), select128(of(back), of(taylor+terms), get(small)))),
	)
	f.add(when(get(rows),
		set(end, add(get(values), shl(mul(get(rows), get(width)), number(3)))),
		eachRow(func() code {
			return cat(
				set(high, loadF64(get(row), 0)),
				eachValue(set(high, maxF64(get(high), loadF64(get(at), 0)))),
				eachValue(storeF64(get(at), subF64(loadF64(get(at), 0), get(high)), 0)))
		}),
		set(at, get(values)),
		set(next, sub(get(end), number(8))),
		when(less(get(at), get(next)), repeat(less(get(at), get(next)),
			set(x, loadV(get(at), 0)), exp, storeV(get(at), get(poly), 0), raise(at, 16))),
		when(less(get(at), get(end)), set(x, load64Zero(get(at), 0)), exp, storeF64(get(at), laneF64(get(poly), 0), 0)),
		eachRow(func() code {
			return cat(
				set(sum, float(0)),
				eachValue(set(sum, addF64(get(sum), loadF64(get(at), 0)))),
				eachValue(storeF64(get(at), divF64(loadF64(get(at), 0), get(sum)), 0)))
		}),
	))
	return f
}
