package kernel

// A form is how a node lies in memory: threshold, column of its bin, and the
// first of its two children, relative to the root. Its parts are read one by one:
// to part a word takes more instructions.
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
			return add(load32(get(n), 4), greater(bin, threshold(n)))
		}}
	}
	threshold := func(n local) code { return load8(get(n), 0) }
	return form{2, 0xff, threshold, func(n, bins local) code {
		return add(load16(get(n), 2), greater(load8(add(get(bins), load8(get(n), 1)), 0), threshold(n)))
	}}
}

// walk emits walk8 and walk16, which take rows down one tree.
//
//	walk8(nodes, bins, shift, rows, active, at)
//
// nodes is the address of the tree's root; the bins of row r begin at
// bins + (r << shift) (walk16: two bytes a bin, shift counts them); active
// is room for the list of rows on their way, and at gets the leaf of each row.
// It is the compaction of [tree]'s score.go: four steps for all rows, then four
// more for those that have not reached a leaf, without a branch that depends on
// a row.
//
// In range: a node's children and its column were checked by the decoder, a
// leaf is its own child, and the lists have room for every row.
func walk(name string, wide bool) *function {
	f, p := newFunction(name, 6)
	nodes, bins, shift, rows, active, at := p[0], p[1], p[2], p[3], p[4], p[5]
	r, row, i, left, k, kept, end, q := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	a := f.local(i32)
	if wide {
		a = f.local(i64)
	}
	form := nodeForm(wide)
	next := func() code {
		return cat(set(i, form.next(q, row)), set(q, add(get(nodes), shl(get(i), number(form.bits)))))
	}
	rowAt := func(r code) code { return add(get(bins), shl(r, get(shift))) }
	// A listed row is row<<16 | node, wide row<<32 | node.
	entry := 4
	list := func() code { return store32(get(left), or(shl(get(r), number(16)), get(i)), 0) }
	listed := func() code { return load32(get(k), 0) }
	rowOf := func() code { return shr(get(a), number(16)) }
	nodeOf := func() code { return and(get(a), number(0xffff)) }
	keep := func() code {
		return store32(get(kept), or(and(get(a), number(-1<<16)), get(i)), 0)
	}
	reach := func(row code) code { return store16(add(get(at), shl(row, number(1))), get(i), 0) }
	if wide {
		rowAt = func(r code) code { return add(get(bins), shl(shl(r, get(shift)), number(1))) }
		entry = 8
		list = func() code {
			return store64(get(left), or64(shl64(extend64(get(r)), long(32)), extend64(get(i))), 0)
		}
		listed = func() code { return load64(get(k), 0) }
		rowOf = func() code { return wrap(shr64(get(a), long(32))) }
		nodeOf = func() code { return wrap(get(a)) }
		keep = func() code {
			return store64(get(kept), or64(and64(get(a), long(-1<<32)), extend64(get(i))), 0)
		}
		reach = func(row code) code { return store32(add(get(at), shl(row, number(2))), get(i), 0) }
	}
	inner := func() code { return differ(form.threshold(q), number(form.span)) }
	f.add(
		set(left, get(active)),
		set(row, get(bins)),
		count(r, number(0), get(rows), 1,
			set(row, rowAt(get(r))),
			set(q, get(nodes)),
			next(), next(), next(), next(),
			reach(get(r)),
			list(),
			set(left, add(get(left), mul(inner(), number(entry)))),
		),
		set(end, get(left)),
		when(greater(get(end), get(active)), repeat(greater(get(end), get(active)),
			set(k, get(active)),
			set(kept, get(active)),
			repeat(less(get(k), get(end)),
				set(a, listed()),
				set(row, rowAt(rowOf())),
				set(q, add(get(nodes), shl(nodeOf(), number(form.bits)))),
				next(), next(), next(), next(),
				reach(rowOf()),
				keep(),
				set(kept, add(get(kept), mul(inner(), number(entry)))),
				raise(k, entry),
			),
			set(end, get(kept)),
		)),
	)
	return f
}

// leafVectors are the widths whose additions are written out.
const leafVectors = 10

// leaves emits leaves8 and leaves16, which add up what walk8 and walk16 found.
//
//	leaves8(dst, width, leaf, table, at, rows, values)
//
// Row r's sums begin at dst + r·width; leaf has, by node of the tree, where
// its values are in table, of which there are values, one or all of the row's.
// Sums are those of a loop over the rows and their values: two lanes of a
// vector are two sums, never two terms of one.
//
// In range: at holds leaves, whose offsets leave room for their values.
func leaves(name string, wide bool) *function {
	f, p := newFunction(name, 7)
	dst, width, leaf, table, at, rows, values := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
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
