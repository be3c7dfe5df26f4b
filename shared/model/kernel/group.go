package kernel

// group emits what adds a group's table of attributions for a block of rows.
//
//	group(tests, count, lanes, stride, rows, places, values, width, slots, sums)
//
// A test is two u32: a lane, whose bytes of the rows begin at lanes +
// lane·stride, and bin | delta<<8; delta is added, modulo 256, to the pattern of
// every row whose byte is above bin. values has width float64 for each pattern,
// one for each slot; slots are u32 that say which rows of sums, rows float64
// each, they are added to. places is room for four bytes a row and of stride,
// a multiple of 16. Each sum gets one term.
//
// In range: a pattern is a number below those the table has, since tests are
// made of them; lanes, slots and rows are those of package explain's blocks.
func group() *function {
	f, p := newFunction("group", 10)
	tests, tested, lanes, stride, rows, places := p[0], p[1], p[2], p[3], p[4], p[5]
	values, width, slots, sums := p[6], p[7], p[8], p[9]
	r, t, end, q, n, s, a, b := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	even, fours, from, one, other := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	pattern, half, first, second := f.local(v128), f.local(v128), f.local(v128), f.local(v128)
	var spread code // the addresses of sixteen patterns' values
	for h, widen := range []func(code) code{low8to16, high8to16} {
		spread = append(spread, set(half, widen(get(pattern)))...)
		for i, widen := range []func(code) code{low16to32Unsigned, high16to32Unsigned} {
			spread = append(spread, storeV(get(a), add32V(mul32V(widen(get(half)), get(second)), get(first)), 32*h+16*i)...)
		}
	}
	// sum is where slot f, at s, begins in sums.
	sum := func(offset int) code {
		return add(get(sums), shl(mul(load32(get(s), offset), get(rows)), number(3)))
	}
	// pairs runs body for two rows at a time, offset bytes from a and b, and tail
	// for a last one alone; one and other are where their values begin.
	pairs := func(body func(offset int) code, tail code) code {
		at := func(offset int) code { return add(load32(get(t), offset), get(from)) }
		two := func(n int) code { return cat(set(one, at(8*n)), set(other, at(8*n+4)), body(16*n)) }
		return cat(
			set(t, get(places)),
			count(r, number(0), get(fours), 4, two(0), two(1), raise(t, 16), raise(a, 32), raise(b, 32)),
			when(less(get(fours), get(even)), two(0), raise(t, 8), raise(a, 16), raise(b, 16)),
			when(less(get(even), get(rows)), set(one, at(0)), tail),
		)
	}
	addTo := func(l local, v code, offset int) code {
		return storeV(get(l), addF64V(loadV(get(l), offset), v), offset)
	}
	addOne := func(l local, offset int) code {
		return storeF64(get(l), addF64(loadF64(get(l), 0), loadF64(get(one), offset)), 0)
	}
	f.add(
		set(end, add(get(tests), shl(get(tested), number(3)))),
		set(first, splat32(get(values))),
		set(second, splat32(shl(get(width), number(3)))),
		set(a, get(places)),
		count(r, number(0), get(stride), 16,
			set(pattern, bytes16(0)),
			set(t, get(tests)),
			when(less(get(t), get(end)), repeat(less(get(t), get(end)),
				set(q, load32(get(t), 4)),
				set(pattern, add8V(get(pattern), andNotV(
					splat8(shr(get(q), number(8))),
					upTo8(loadV(add(add(get(lanes), mul(load32(get(t), 0), get(stride))), get(r)), 0), splat8(get(q)))))),
				raise(t, 8),
			)),
			spread,
			raise(a, 64),
		),
		set(even, and(get(rows), number(-2))),
		set(fours, and(get(rows), number(-4))),
		set(s, get(slots)),
		set(from, number(0)),
		set(n, get(width)),
		when(less(number(1), get(n)), repeat(less(number(1), get(n)),
			set(a, sum(0)),
			set(b, sum(4)),
			pairs(func(offset int) code {
				return cat(
					set(first, loadV(get(one), 0)), set(second, loadV(get(other), 0)),
					addTo(a, lows(get(first), get(second)), offset),
					addTo(b, highs(get(first), get(second)), offset))
			}, cat(addOne(a, 0), addOne(b, 8))),
			raise(s, 8), raise(from, 16), raise(n, -2),
		)),
		when(get(n),
			set(a, sum(0)),
			pairs(func(offset int) code {
				return addTo(a, load64High(get(other), load64Zero(get(one), 0), 0), offset)
			}, addOne(a, 0)),
		),
	)
	return f
}
