package kernel

// rankRow emits what ranks one row; nothing outside the module calls it.
//
//	(x, plan, search, edges, ranks)
//
// plan has how many features there are and, for each, as i32: the byte offset of
// its value in x, the rank of NaN in a test that sends it right, the places of the
// ranks for tests that send it right and left, that of its edges, how many
// blocks of sixteen its first list has, the place of that list, and the places
// of further lists up to a 0. Places are bytes: of ranks, u16 each; of edges,
// float64; of search, float32.
//
// A list has edges rounded down, and its count of those that a number is above,
// rounded down as well, is the block of sixteen in the next. What rounding hid,
// edges tell; they end in +Inf, as lists do. Numbers that are float32 need none
// of that. NaN is above nothing, which is its rank where it goes left.
//
// In range: as for rank.
func rankRow() *function {
	f, p := newFunction("", 5)
	x, plan, search, edges, ranks := p[0], p[1], p[2], p[3], p[4]
	n, i, list, next, rank, bits, odd, right := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	value, single := f.local(f64), f.local(f32)
	v := f.local(v128)
	word := func(i int) code { return load32(get(plan), 4*i) }
	among := func(i int) code { return aboveF32(get(v), loadV(get(list), 16*i)) }
	count := ones(signs8(narrow16to8(narrow32to16(among(0), among(1)), narrow32to16(among(2), among(3)))))
	hidden := op(0x63, loadF64(add(add(get(edges), word(4)), shl(get(rank), number(3))), 0), get(value))
	f.add(
		set(n, word(0)),
		raise(plan, 4),
		when(get(n), repeat(get(n),
			set(value, loadF64(add(get(x), word(0)), 0)),
			set(single, op(0xb6, get(value))),
			set(odd, op(0x62, op(0xbb, get(single)), get(value))),
			when(get(odd), when(op(0x64, op(0xbb, get(single)), get(value)),
				set(bits, op(0xbc, get(single))),
				set(single, op(0xbe, sub(get(bits), or(shiftSigned(get(bits), 31), number(1))))))),
			set(v, splatF32(get(single))),
			set(rank, number(0)),
			set(list, add(get(search), word(6))),
			set(i, word(5)),
			repeat(get(i), set(rank, add(get(rank), count)), raise(list, 64), raise(i, -1)),
			set(next, add(get(plan), number(28))),
			set(i, load32(get(next), 0)),
			when(get(i), repeat(get(i),
				set(list, add(add(get(search), get(i)), shl(get(rank), number(6)))),
				set(rank, add(shl(get(rank), number(4)), count)),
				raise(next, 4),
				set(i, load32(get(next), 0)),
			)),
			when(get(odd), when(hidden, repeat(hidden, raise(rank, 1)))),
			set(right, get(rank)),
			when(get(odd), set(right, choose(get(rank), word(1), equalF64(get(value), get(value))))),
			store16(add(get(ranks), word(2)), get(right), 0),
			store16(add(get(ranks), word(3)), get(rank), 0),
			set(plan, add(get(next), number(4))),
			raise(n, -1),
		)),
	)
	return f
}

// A context has the addresses and numbers that a function for one row reads, u32
// each: of the row and the sums, then what else rankRow takes. Only the first two
// change from row to row.
type context struct{ at local }

func newContext(name string) (*function, context) {
	f, p := newFunction(name, 1)
	return f, context{p[0]}
}

func (c context) word(i int) code { return load32(get(c.at), 4*i) }

// rank ranks the row with function number index.
func (c context) rank(index int) code {
	return cat(c.word(0), c.word(2), c.word(3), c.word(4), c.word(5), call(index))
}

// Places in a context: of the addresses of the sums and of the ranks, of what
// bytesRow reads, and of the first word after that.
const sumsWord, ranksWord, columnsWord, binsWord, bytesWords = 1, 5, 6, 8, 9

// bytesRow emits what ranks one row and makes bytes of the ranks; nothing outside
// the module calls it. Its context goes on with the address of two i32 a column,
// the place of a rank and what is taken off before it is cut to 0..255, how
// many columns there are, and the address of their bytes.
//
// In range: the plan and the columns are the layout's own.
func bytesRow(rank int) *function {
	f, c := newContext("")
	column, end, bins, v := f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	f.add(
		c.rank(rank),
		set(column, c.word(columnsWord)),
		set(end, add(get(column), shl(c.word(columnsWord+1), number(3)))),
		set(bins, c.word(binsWord)),
		when(less(get(column), get(end)), repeat(less(get(column), get(end)),
			set(v, sub(load16(add(c.word(ranksWord), load32(get(column), 0)), 0), load32(get(column), 4))),
			set(v, choose(get(v), number(0), lessSigned(number(0), get(v)))),
			store8(get(bins), choose(get(v), number(255), less(get(v), number(255))), 0),
			raise(bins, 1),
			raise(column, 8),
		)),
	)
	return f
}

// evenRow emits obliviousRow for all outputs of a row.
//
//	evenrow(context)
//
// Its context goes on with the addresses of the tests, the depth, the addresses of
// the leaves, how many trees there are, and how many times eight outputs there
// are. In range: as for oblivious.
func evenRow(bytes, even int) *function {
	f, c := newContext("evenrow")
	n, leaves, sums := f.local(i32), f.local(i32), f.local(i32)
	tests, depth, trees := c.word(bytesWords), c.word(bytesWords+1), c.word(bytesWords+3)
	f.add(
		get(c.at), call(bytes),
		set(leaves, c.word(bytesWords+2)),
		set(sums, c.word(sumsWord)),
		set(n, c.word(bytesWords+4)),
		repeat(get(n),
			tests, depth, get(leaves), c.word(binsWord), trees, get(sums), call(even),
			set(leaves, add(get(leaves), shl(trees, add(depth, number(4))))),
			raise(sums, 32),
			raise(n, -1),
		),
	)
	return f
}
