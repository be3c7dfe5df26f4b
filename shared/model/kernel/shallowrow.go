package kernel

// shallowRow emits shallow6 for one row and sixteen trees instead of sixteen rows
// and one tree.
//
//	shallowrow(context)
//
// tests are, by group of sixteen trees and by node in heap order, sixteen columns
// and sixteen thresholds, a byte each; values the 64 float64 of each tree's
// leaves; bins 64 bytes, the row's and padding; output by tree which sum its leaf
// is added to, tree by tree.
//
// Of the nodes of a level, the answers above select each tree's one; the bins of
// sixteen columns are then found by four swizzles.
//
// In range: a leaf's number has six bits; columns from 64 on have bin 0.
func shallowRow(bytes int) *function {
	f, c := newContext("shallowrow")
	var at [5]local
	var begin code
	for i := range at {
		at[i] = f.local(i32)
		begin = append(begin, set(at[i], c.word(bytesWords+i))...)
	}
	tests, values, groups, output, sums := at[0], at[1], at[2], at[3], at[4]
	bins := c.word(bytesWords - 1)
	g, to := f.local(i32), f.local(i32)
	column, number16, half := f.local(v128), f.local(v128), f.local(v128)
	var table [4]local
	var load, bin code
	for k := range table {
		table[k] = f.local(v128)
		load = append(load, set(table[k], loadV(bins, 16*k))...)
		if k == 0 {
			bin = swizzle(get(table[0]), get(column))
		} else {
			bin = orV(bin, swizzle(get(table[k]), sub8V(get(column), bytes16(byte(16*k)))))
		}
	}
	var left [maxShallow]local // all ones for trees that the row goes left in
	for l := range left {
		left[l] = f.local(v128)
	}
	var pick func(level, at, path, part int) code
	pick = func(level, at, path, part int) code {
		if at == level {
			return loadV(get(tests), 32*(1<<level-1+path)+16*part)
		}
		return select128(pick(level, at+1, 2*path, part), pick(level, at+1, 2*path+1, part), get(left[at]))
	}
	var body code
	for l := range left {
		body = append(body, set(column, pick(l, 0, 0, 0))...)
		body = append(body, set(left[l], upTo8(bin, pick(l, 0, 0, 1)))...)
	}
	body = append(body, leafNumber(left[:], number16)...)
	for h, widen := range []func(code) code{low8to16, high8to16} {
		body = append(body, set(half, shl16V(widen(get(number16)), 3))...)
		for i := range 8 {
			tree := 8*h + i
			body = append(body, cat(
				set(to, add(get(sums), shl(load32(get(output), 4*tree), number(3)))),
				storeF64(get(to), addF64(loadF64(get(to), 0), loadF64(add(get(values), lane16(get(half), i)), 8<<maxShallow*tree)), 0),
			)...)
		}
	}
	f.add(get(c.at), call(bytes), begin, load, count(g, number(0), get(groups), 1,
		body,
		raise(tests, 32*(1<<maxShallow-1)),
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
