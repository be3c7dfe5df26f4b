package kernel

// binning emits bin8 and bin16: the ranks of one column of x among a feature's
// edges.
//
//	bin8(x, width, rows, keys, half, edges, dst, shift, right, left, pieces, step)
//
// x is the address of the first row's value and width the bytes between rows;
// keys the padded keys of package tree, 2·half of them, and edges how many are
// not padding. Row r's bins begin at dst + (r << shift); right and left are
// byte offsets of the first columns of the feature's two tests, -1 for none,
// which take pieces columns that are step bytes apart.
//
// In range: half counts down by halves, so every key read is at i + half - 1 with
// i + 2·half at most the length of keys, the sum of a geometric series; bins
// go where the layout's columns lie, which dst has room for in every row.
func binning(name string, wide bool) *function {
	f, p := newFunction(name, 12)
	x, width, rows, keys, half, edges, dst, shift := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
	right, left, pieces, step := p[8], p[9], p[10], p[11]
	r, h, at, k, rank, place := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	const lanes = 4 // rows searched together, so that their loads overlap
	var key, low, missing [lanes]local
	for j := range lanes {
		key[j], low[j], missing[j] = f.local(i64), f.local(i32), f.local(i32)
	}
	bits, before, next := f.local(i64), f.local(i32), f.local(i32)
	span := 255
	if wide {
		span = 65535
	}
	// keyed makes the ordered key of row r+j, and says whether it is NaN.
	keyed := func(j int) code {
		const infinity = 0x7ff0000000000000
		return cat(
			set(bits, load64(get(at), 0)),
			set(missing[j], less64(long(infinity), and64(get(bits), long(0x7fffffffffffffff)))),
			set(key[j], xor64(get(bits), or64(shiftSigned64(get(bits), long(63)), long(-1<<63)))),
			set(low[j], get(before)),
		)
	}
	// cut is the rank in a column, 0..span.
	cut := func() code {
		clamped := choose(number(span), choose(get(rank), number(0), lessSigned(number(0), get(rank))), lessSigned(number(span), get(rank)))
		if wide {
			return store16(get(place), clamped, 0)
		}
		return store8(get(place), clamped, 0)
	}
	// columns writes a test's columns of the row at place.
	columns := func(test local, j int, ofMissing code) code {
		return when(differ(get(test), number(-1)),
			set(place, add(add(get(dst), shl(add(get(r), number(j)), get(shift))), get(test))),
			set(rank, choose(ofMissing, shr(sub(get(low[j]), get(before)), number(3)), get(missing[j]))),
			count(k, number(0), get(pieces), 1,
				cut(),
				set(rank, sub(get(rank), number(span))),
				set(place, add(get(place), get(step))),
			))
	}
	// only is the one column of a feature whose ranks fit in it and that has one
	// test, as most have: place is where its column begins.
	only := func(j int) code {
		v := choose(get(k), shr(sub(get(low[j]), get(before)), number(3)), get(missing[j]))
		to := add(get(place), shl(add(get(r), number(j)), get(shift)))
		if wide {
			return store16(to, v, 0)
		}
		return store8(to, v, 0)
	}
	rowsOf := func(n int, put func(j int) code) code {
		var body code
		for j := range n {
			body = append(body, keyed(j)...)
			body = append(body, set(at, add(get(at), get(width)))...)
		}
		var searches code
		for j := range n {
			searches = append(searches, set(next, add(get(low[j]), get(h)))...)
			searches = append(searches, set(low[j], choose(get(next), get(low[j]), less64(load64(get(next), 0), get(key[j]))))...)
		}
		body = append(body, set(h, shl(get(half), number(3)))...)
		body = append(body, when(get(h), repeat(greater(get(h), number(7)), searches, set(h, shr(get(h), number(1)))))...)
		for j := range n {
			body = append(body, put(j)...)
		}
		return body
	}
	all := func(put func(j int) code) code {
		return cat(
			when(less(number(lanes-1), get(rows)), repeat(less(add(get(r), number(lanes-1)), get(rows)), rowsOf(lanes, put), raise(r, lanes))),
			when(less(get(r), get(rows)), repeat(less(get(r), get(rows)), rowsOf(1, put), raise(r, 1))),
		)
	}
	none := number(-1)
	single := and(equal(get(pieces), number(1)), or(equal(get(right), none), equal(get(left), none)))
	f.add(
		set(at, get(x)),
		set(r, number(0)),
		set(before, sub(get(keys), number(8))), // low is a key before the first that may be above
		either(single, cat(
			// A missing value has the highest rank on the right, the lowest on the left.
			either(equal(get(left), none),
				cat(set(k, get(edges)), set(place, add(get(dst), get(right)))),
				cat(set(k, number(0)), set(place, add(get(dst), get(left))))),
			all(only),
		), all(func(j int) code {
			return cat(columns(right, j, get(edges)), columns(left, j, number(0)))
		})),
	)
	return f
}
