package kernel

// A form is how a node lies in memory: threshold, column of its bin, and the
// first of its two children, relative to the root. Its parts are read one by one:
// to part a word takes more instructions. A bin above a threshold is the sign of
// their difference.
type form struct {
	bits      int                         // of its size
	span      int                         // threshold of a leaf
	threshold func(node local) code       // node is an address
	next      func(node, bins local) code // place of the child for a row, a leaf's own
}

func nodeForm(wide bool) form {
	if wide {
		threshold := func(n local) code { return load16(get(n), 0) }
		return form{3, 0xffff, threshold, func(n, bins local) code {
			bin := load16(add(get(bins), shl(load16(get(n), 2), number(1))), 0)
			return add(load32(get(n), 4), shr(sub(threshold(n), bin), number(31)))
		}}
	}
	threshold := func(n local) code { return load8(get(n), 0) }
	return form{2, 0xff, threshold, func(n, bins local) code {
		return add(load16(get(n), 2), shr(sub(threshold(n), load8(add(get(bins), load8(get(n), 1)), 0)), number(31)))
	}}
}

// foreseen reads size bytes that are about to be read in any order in their own,
// which processors foresee.
func foreseen(at, end local, from, size code) code {
	const line = 64
	return cat(set(at, from), set(end, add(from, size)),
		when(less(get(at), get(end)), repeat(less(get(at), get(end)), drop(load8(get(at), 0)), raise(at, line))))
}

// pays says whether foreseen is worth it before so many rows read from size bytes:
// four lines of a cache for each.
func pays(size, rows local) code { return less(get(size), shl(get(rows), number(8))) }

// walkTogether is how many rows walk takes down together; after its list, active
// has room for as many nodes.
const walkTogether = 16

// walk emits walk8 and walk16, which take rows down one tree.
//
//	walk8(nodes, size, bins, shift, rows, active, at)
//
// nodes is the address of the tree's root, size the bytes of all nodes; the bins
// of row r begin at bins + (r << shift) (walk16: two bytes a bin, shift counts
// them); active is room for the list of rows on their way, and at gets the leaf of
// each row. It is the compaction of [tree]'s score.go: some steps for all rows,
// then as many more for those that have not reached a leaf, without a branch that
// depends on a row.
//
// Several rows take each step together, so that processors find work while loads
// are under way. Where they have got to is kept in memory, or compilers put
// comparisons off until the next step and run out of registers.
//
// In range: a node's children and its column were checked by the decoder, a
// leaf is its own child, and the lists have room for every row.
func walk(name string, wide bool) *function {
	f, p := newFunction(name, 7)
	nodes, size, bins, shift, rows, active, at := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
	r, left, k, end, step, reached, node := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	const steps = 8             // before the list is made anew
	var row [walkTogether]local // addresses of rows' bins
	for j := range row {
		row[j] = f.local(i32)
	}
	form := nodeForm(wide)
	put, taken, places := store16, load16, 1
	if wide {
		put, taken, places = store32, load32, 2
	}
	rowAt := func(r code) code {
		if wide {
			r = shl(r, number(1))
		}
		return add(get(bins), shl(r, get(shift)))
	}
	atOf := func(r code) code { return add(get(at), shl(r, number(places))) }
	find := func(j int) code {
		return set(node, add(get(nodes), shl(load32(get(reached), 4*j), number(form.bits))))
	}
	// further takes n listed rows, from k on, down and lists, from left on, those that
	// go on.
	further := func(n int) code {
		var start, down, list code
		for j := range n {
			listed := load32(get(k), 4*j)
			start = cat(start, set(row[j], rowAt(listed)), store32(get(reached), taken(atOf(listed), 0), 4*j))
			down = cat(down, find(j), store32(get(reached), form.next(node, row[j]), 4*j))
			list = cat(list, find(j),
				set(r, listed),
				put(atOf(get(r)), load32(get(reached), 4*j), 0),
				store32(get(left), get(r), 0),
				set(left, add(get(left), shl(shr(sub(form.threshold(node), number(form.span)), number(31)), number(2)))))
		}
		return cat(start, set(step, number(steps)), repeat(get(step), down, raise(step, -1)), list, raise(k, 4*n))
	}
	while := func(condition, body code) code { return when(condition, repeat(condition, body)) }
	f.add(
		when(pays(size, rows), foreseen(k, end, get(nodes), get(size))),
		set(left, get(active)),
		count(r, number(0), get(rows), 1,
			store32(get(left), get(r), 0),
			put(atOf(get(r)), number(0), 0),
			raise(left, 4)),
		set(reached, get(left)),
		while(greater(get(left), get(active)), cat(
			set(end, get(left)),
			set(k, get(active)),
			set(left, get(active)),
			while(less(add(get(k), number(4*(walkTogether-1))), get(end)), further(walkTogether)),
			while(less(get(k), get(end)), further(1)),
		)),
	)
	return f
}

// leafVectors are the widths whose additions are written out.
const leafVectors = 10

// leaves emits leaves8 and leaves16, which add up what walk8 and walk16 found.
//
//	leaves8(dst, width, leaf, size, table, at, rows, values)
//
// Row r's sums begin at dst + r·width; leaf has, by node of the tree, size bytes in
// all, where its values are in table, of which there are values, one or all of the row's.
// Sums are those of a loop over the rows and their values: two lanes of a
// vector are two sums, never two terms of one.
//
// In range: at holds leaves, whose offsets leave room for their values.
func leaves(name string, wide bool) *function {
	f, p := newFunction(name, 8)
	dst, width, leaf, size, table, at, rows, values := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
	r, v, d, j := f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	reached := func() code { return load16(add(get(at), shl(get(r), number(1))), 0) }
	if wide {
		reached = func() code { return load32(add(get(at), shl(get(r), number(2))), 0) }
	}
	each := func(body ...code) code {
		return cat(set(d, get(dst)), count(r, number(0), get(rows), 1,
			set(v, add(get(table), shl(load32(add(get(leaf), shl(reached(), number(2))), 0), number(3)))),
			cat(body...),
			set(d, add(get(d), get(width)))))
	}
	two := func(offset int) code {
		return storeV(get(d), addF64V(loadV(get(d), offset), loadV(get(v), offset)), offset)
	}
	one := func(offset int) code {
		return storeF64(get(d), addF64(loadF64(get(d), offset), loadF64(get(v), offset)), offset)
	}
	written := func(n int) code {
		var body code
		for i := 0; i+2 <= n; i += 2 {
			body = append(body, two(8*i)...)
		}
		if n%2 != 0 {
			body = append(body, one(8*(n-1))...)
		}
		return body
	}
	f.add(when(pays(size, rows), foreseen(r, d, get(leaf), get(size))))
	for n := 1; n <= leafVectors; n++ {
		f.add(when(equal(get(values), number(n)), each(written(n))))
	}
	f.add(when(greater(get(values), number(leafVectors)), each(
		set(j, number(0)),
		repeat(less(get(j), get(values)),
			storeF64(add(get(d), shl(get(j), number(3))),
				addF64(loadF64(add(get(d), shl(get(j), number(3))), 0), loadF64(add(get(v), shl(get(j), number(3))), 0)), 0),
			raise(j, 1)),
	)))
	return f
}
