package kernel

// rankRow emits rankrow8 and rankrow16: the bins of one row.
//
//	rankrow8(x, plan, features, keys, bins)
//
// plan has eight i32 a feature: byte offsets of its value in x and of its first
// key in keys, bytes of half its keys, how many are no padding, byte offsets of
// the first columns of its two tests in bins, right and left, -1 for none, and
// how many columns each takes.
//
// In range: as for binning.
func rankRow(name string, wide bool) *function {
	f, p := newFunction(name, 5)
	x, plan, features, keys, bins := p[0], p[1], p[2], p[3], p[4]
	n, first, low, h, missing, rank, place, k := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	bits, key, next := f.local(i64), f.local(i64), f.local(i32)
	word := func(i int) code { return load32(get(plan), 4*i) }
	span, size := 255, 1
	if wide {
		span, size = 65535, 2
	}
	const infinity = 0x7ff0000000000000
	columns := func(test int, ofMissing code) code {
		clamped := choose(number(span), choose(get(rank), number(0), lessSigned(number(0), get(rank))), lessSigned(number(span), get(rank)))
		put := store8(get(place), clamped, 0)
		if wide {
			put = store16(get(place), clamped, 0)
		}
		return when(differ(word(test), number(-1)),
			set(place, add(get(bins), word(test))),
			set(rank, choose(ofMissing, shr(sub(get(low), get(first)), number(3)), get(missing))),
			count(k, number(0), word(6), 1, put, set(rank, sub(get(rank), number(span))), raise(place, size)))
	}
	f.add(count(n, number(0), get(features), 1,
		set(bits, load64(add(get(x), word(0)), 0)),
		set(missing, less64(long(infinity), and64(get(bits), long(0x7fffffffffffffff)))),
		set(key, xor64(get(bits), or64(shiftSigned64(get(bits), long(63)), long(-1<<63)))),
		set(first, sub(add(get(keys), word(1)), number(8))), // a key before the first that may be above
		set(low, get(first)),
		set(h, word(2)),
		when(get(h), repeat(greater(get(h), number(7)),
			set(next, add(get(low), get(h))),
			set(low, choose(get(next), get(low), less64(load64(get(next), 0), get(key)))),
			set(h, shr(get(h), number(1))))),
		columns(4, word(3)),
		columns(5, number(0)),
		raise(plan, 32),
	))
	return f
}

// abreast is how many trees a row goes down together, so that their loads
// overlap.
const abreast = 8

// row emits row8 and row16: one row through all trees.
//
//	row8(nodes, root, trees, bins, leaf, table, output, values, sums, at)
//
// The nodes of tree t begin at root[t], an i64; leaf has by node where its
// values are in table; output is by tree the sum that its single value goes to,
// -1 for values values that go to all sums; at is room for four bytes a tree.
//
// In range: as for walk and leaves.
func row(name string, wide bool) *function {
	f, p := newFunction(name, 10)
	nodes, root, trees, bins, leaf := p[0], p[1], p[2], p[3], p[4]
	table, output, values, sums, at := p[5], p[6], p[7], p[8], p[9]
	t, v, d, o, j := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	var base, node [abreast]local // addresses of roots and of the nodes reached
	for i := range abreast {
		base[i], node[i] = f.local(i32), f.local(i32)
	}
	form := nodeForm(wide)
	// walking says that one of n trees is not at a leaf.
	walking := func(n int) code {
		all := form.threshold(node[0])
		for i := 1; i < n; i++ {
			all = and(all, form.threshold(node[i]))
		}
		return differ(all, number(form.span))
	}
	several := func(n int) code {
		var start, steps, end code
		for i := range n {
			start = append(start, set(base[i], add(get(nodes), shl(load32(add(get(root), shl(get(t), number(3))), 8*i), number(form.bits))))...)
			start = append(start, set(node[i], get(base[i]))...)
			steps = append(steps, set(node[i], add(get(base[i]), shl(form.next(node[i], bins), number(form.bits))))...)
			end = append(end, store32(add(get(at), shl(get(t), number(2))), shr(sub(get(node[i]), get(nodes)), number(form.bits)), 4*i)...)
		}
		return cat(start, when(walking(n), repeat(walking(n), steps)), end)
	}
	f.add(
		set(t, number(0)),
		when(less(number(abreast-1), get(trees)), repeat(less(add(get(t), number(abreast-1)), get(trees)), several(abreast), raise(t, abreast))),
		when(less(get(t), get(trees)), repeat(less(get(t), get(trees)), several(1), raise(t, 1))),
		count(t, number(0), get(trees), 1,
			set(v, add(get(table), shl(load32(add(get(leaf), shl(load32(get(at), 0), number(2))), 0), number(3)))),
			raise(at, 4),
			set(o, load32(add(get(output), shl(get(t), number(2))), 0)),
			set(d, get(sums)),
			set(j, get(values)),
			when(lessSigned(number(-1), get(o)), set(d, add(get(d), shl(get(o), number(3)))), set(j, number(1))),
			when(greater(get(j), number(1)), repeat(greater(get(j), number(1)),
				storeV(get(d), addF64V(loadV(get(d), 0), loadV(get(v), 0)), 0),
				raise(d, 16), raise(v, 16), raise(j, -2))),
			when(get(j), storeF64(get(d), addF64(loadF64(get(d), 0), loadF64(get(v), 0)), 0)),
		),
	)
	return f
}
