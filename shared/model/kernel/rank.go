package kernel

// RankRows is how many rows a column is ranked for together, and the least there
// must be.
const RankRows = 16

// RankRoom is the bytes that rank needs: sixteen ranks and sixteen values.
const RankRoom = 2 * 4 * RankRows

// rank emits rank8, which writes bins column by column, and rankrows8 and
// rankrows16, which write them row by row.
//
//	rank8(x, width, rows, plan, features, search, edges, dst, step, room)
//
// x is the address of the first row's first value and width the bytes between
// rows, of which there are RankRows or more. plan has eight i32 a feature: the
// byte offset of its value in a row, its column, the rank of NaN; how many edges
// are counted first, a multiple of four, and their place in search; the places of
// up to two further searches there, 0 for none; and that of its edges in edges.
// Places are bytes. step is the bytes between columns (rank8) or rows (rankrows8
// and rankrows16), room RankRoom bytes.
//
// search holds edges rounded down to float32 in lists that end in +Inf, as those of
// each feature in edges do. Those of the first are compared with
// sixteen rows at once, in a further one sixteen edges with one row: the one
// list's rank is the block of sixteen in the next. A number of 32 bits is above an
// edge if it is above it rounded down. Another is rounded down, too; which of the
// edges after those that it was above then it is above, 64 bits tell.
//
// In range: no number is above +Inf, so a rank is one of a block that there is,
// and the last of an edge or of the +Inf after them. Groups of rows begin at
// rows-RankRows at most.
func rank(name string, wide, byRow bool) *function {
	f, p := newFunction(name, 10)
	x, width, rows, plan, features := p[0], p[1], p[2], p[3], p[4]
	search, edges, dst, step, room := p[5], p[6], p[7], p[8], p[9]
	n, r, group, at, to, e, end, l, k := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	fine, block, bits := f.local(i32), f.local(i32), f.local(i32)
	value, single := f.local(f64), f.local(f32)
	const lanes = 4
	var v, counts [RankRows / lanes]local
	for q := range v {
		v[q], counts[q] = f.local(v128), f.local(v128)
	}
	first, second, odd, edge := f.local(v128), f.local(v128), f.local(v128), f.local(v128)
	word := func(i int) code { return load32(get(plan), 4*i) }
	begin := set(at, add(add(get(x), word(0)), mul(get(group), get(width))))
	next := set(at, add(get(at), get(width)))
	pair := func(d local) code {
		return cat(set(d, load64Zero(get(at), 0)), next, set(d, load64High(get(at), get(d), 0)), next)
	}
	// inexact says where d, which becomes float32, is no such number.
	inexact := func(d, to local) code {
		return cat(set(to, demote(get(d))), set(odd, orV(get(odd), differF64V(promote(get(to)), get(d)))), set(d, get(to)))
	}
	load := cat(begin, set(odd, bytes16(0)))
	for q := range v {
		load = cat(load, pair(first), pair(second), inexact(first, v[q]), inexact(second, v[q]), set(v[q], lows(get(first), get(second))))
	}
	// eachLane runs body for rows one by one, at being their value's address and k
	// that of their rank in room.
	eachLane := func(body ...code) code {
		return cat(begin, set(k, get(room)), repeat(less(get(k), add(get(room), number(4*RankRows))), cat(body...), next, raise(k, 4)))
	}
	roundDown := eachLane(
		set(value, loadF64(get(at), 0)),
		set(single, op(0xb6, get(value))),
		set(bits, op(0xbc, get(single))),
		when(op(0x64, op(0xbb, get(single)), get(value)),
			set(bits, sub(get(bits), or(shiftSigned(get(bits), 31), number(1))))),
		store32(get(k), get(bits), 4*RankRows),
	)
	for q := range v {
		roundDown = append(roundDown, set(v[q], loadV(get(room), 16*(lanes+q)))...)
	}
	const unrolled = 4
	var start, compare, keep, keepValues code
	for q := range v {
		start = append(start, set(counts[q], bytes16(0))...)
		keep = append(keep, storeV(get(room), get(counts[q]), 16*q)...)
		keepValues = append(keepValues, storeV(get(room), get(v[q]), 16*(lanes+q))...)
	}
	for i := range unrolled {
		compare = append(compare, set(edge, load32Splat(get(e), 4*i))...)
		for q := range v {
			compare = append(compare, set(counts[q], sub32V(get(counts[q]), aboveF32(get(v[q]), get(edge))))...)
		}
	}
	among := func(i int) code { return aboveF32(get(first), loadV(get(e), 16*i)) }
	further := when(get(fine),
		set(l, add(get(search), get(fine))),
		set(k, get(room)),
		repeat(less(get(k), add(get(room), number(4*RankRows))),
			set(block, load32(get(k), 0)),
			set(e, add(get(l), shl(get(block), number(6)))),
			set(first, load32Splat(get(k), 4*RankRows)),
			store32(get(k), add(shl(get(block), number(4)), ones(signs8(narrow16to8(narrow32to16(among(0), among(1)), narrow32to16(among(2), among(3)))))), 0),
			raise(k, 4),
		))
	// exact counts edges that rounding hid, and tells NaN apart.
	hidden := op(0x63, loadF64(add(add(get(edges), word(7)), shl(get(bits), number(3))), 0), get(value))
	exact := eachLane(
		set(value, loadF64(get(at), 0)),
		set(bits, load32(get(k), 0)),
		when(hidden, repeat(hidden, raise(bits, 1))),
		store32(get(k), choose(get(bits), word(2), equalF64(get(value), get(value))), 0),
	)
	var put code
	column := word(1)
	if byRow {
		one := store8
		if wide {
			one, column = store16, shl(column, number(1))
		}
		put = set(to, add(add(get(dst), mul(get(group), get(step))), column))
		for i := range RankRows {
			put = cat(put, one(get(to), load32(get(room), 4*i), 0), set(to, add(get(to), get(step))))
		}
	} else {
		of := func(q int) code { return loadV(get(room), 16*q) }
		put = storeV(add(add(get(dst), mul(column, get(step))), get(group)), narrow16to8U(narrow32to16(of(0), of(1)), narrow32to16(of(2), of(3))), 0)
	}
	f.add(foreseen(at, end, get(x), mul(get(rows), get(width))), count(n, number(0), get(features), 1,
		count(r, number(0), get(rows), RankRows,
			set(group, choose(get(r), sub(get(rows), number(RankRows)), less(get(r), sub(get(rows), number(RankRows-1))))),
			load,
			when(anyV(get(odd)), roundDown),
			start,
			set(e, add(get(search), word(4))),
			set(end, add(get(e), shl(word(3), number(2)))),
			repeat(less(get(e), get(end)), compare, raise(e, 4*unrolled)),
			keep,
			set(fine, word(5)),
			when(get(fine), keepValues, further, set(fine, word(6)), further),
			when(anyV(get(odd)), exact),
			put,
		),
		raise(plan, 32),
	))
	return f
}
