package kernel

// turns emits the first levels of sixteen trees for one row, sixteen trees instead
// of sixteen rows. tests is the address of their columns and thresholds, sixteen of
// each, a byte each, by node in heap order; bins that of 64 bytes, the row's and
// padding. load comes before body, once; body sets found to the number of what each
// tree leads to.
//
// Of the nodes of a level, the answers above select each tree's one. Tests lie so that
// this takes two instructions a choice: those of a right child as they are, those of
// a left one as what differs from the right, at every level above. The bins of
// sixteen columns are then found by four swizzles. Columns from 64 on have bin 0.
func turns(f *function, tests local, bins code, levels int) (load, body code, found local) {
	column, sixteen := f.local(v128), f.local(v128)
	found = f.local(v128)
	load = set(sixteen, bytes16(16))
	var bin code
	for k := range 4 {
		table := f.local(v128)
		load = append(load, set(table, loadV(bins, 16*k))...)
		if k == 0 {
			bin = swizzle(get(table), get(column))
		} else {
			bin = orV(bin, swizzle(get(table), cat(set(column, sub8V(get(column), get(sixteen))), get(column))))
		}
	}
	left := make([]local, levels) // all ones for trees that the row goes left in
	for l := range left {
		left[l] = f.local(v128)
	}
	var pick func(level, at, path, part int) code
	pick = func(level, at, path, part int) code {
		if at == level {
			return loadV(get(tests), 32*(1<<level-1+path)+16*part)
		}
		return xorV(pick(level, at+1, 2*path+1, part), andV(pick(level, at+1, 2*path, part), get(left[at])))
	}
	for l := range left {
		body = append(body, set(column, pick(l, 0, 0, 0))...)
		body = append(body, set(left[l], upTo8(bin, pick(l, 0, 0, 1)))...)
	}
	return load, append(body, leafNumber(left, found)...), found
}

func xorV(a, b code) code { return vector(0x51, a, b) }

// eachFound runs do for sixteen trees with a number found times 1<<shift.
func eachFound(f *function, found local, shift int, do func(tree int, place code) code) code {
	half := f.local(v128)
	var c code
	for h, widen := range []func(code) code{low8to16, high8to16} {
		c = append(c, set(half, shl16V(widen(get(found)), shift))...)
		for i := range 8 {
			c = append(c, do(8*h+i, lane16(get(half), i))...)
		}
	}
	return c
}

// testBytes are those of the tests of a group of sixteen trees.
func testBytes(levels int) int { return 32 * (1<<levels - 1) }

// shallowRow emits shallow6 for one row.
//
//	shallowrow(context)
//
// Its context goes on with the addresses of the tests, of 64 float64 a tree, how
// many groups of sixteen trees there are, and the address of the sum that each tree's
// leaf is added to, u32.
//
// In range: as for turns, and a leaf's number has six bits.
func shallowRow(bytes int) *function {
	f, c := newContext("shallowrow")
	var at [4]local
	var begin code
	for i := range at {
		at[i] = f.local(i32)
		begin = append(begin, set(at[i], c.word(bytesWords+i))...)
	}
	tests, values, groups, output := at[0], at[1], at[2], at[3]
	g, to := f.local(i32), f.local(i32)
	load, body, found := turns(f, tests, c.word(binsWord), maxShallow)
	f.add(get(c.at), call(bytes), begin, load, count(g, number(0), get(groups), 1,
		body,
		eachFound(f, found, 3, func(tree int, place code) code {
			return cat(
				set(to, add(c.word(sumsWord), shl(load32(get(output), 4*tree), number(3)))),
				storeF64(get(to), addF64(loadF64(get(to), 0), loadF64(add(get(values), place), 8<<maxShallow*tree)), 0),
			)
		}),
		raise(tests, testBytes(maxShallow)),
		raise(values, 16*8<<maxShallow),
		raise(output, 16*4),
	))
	return f
}

// leafNumber sets to to the number of the leaf that answers lead to, the first
// the highest bit; answers are all ones for left.
func leafNumber(left []local, to local) code {
	leaf := andNotV(bytes16(1), get(left[0]))
	for _, l := range left[1:] {
		// A mask is all ones or zeros; doubling what is there shifts it in.
		leaf = orV(andNotV(bytes16(1), get(l)), cat(set(to, leaf), add8V(get(to), get(to))))
	}
	return set(to, leaf)
}
