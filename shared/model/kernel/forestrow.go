package kernel

const (
	// Abreast is how many trees a row goes down together, so that their loads overlap.
	Abreast = 12
	// TopLevels are evaluated before for sixteen trees, if a row's bins are 64 bytes.
	TopLevels = 4
)

const (
	// stride is how many steps a row takes in each tree before it is asked whether it
	// is at a leaf.
	stride = 5
	// leafVectorsAtOnce vectors of two sums stay in registers.
	leafVectorsAtOnce = 4
)

// forestRow emits the way of one row through a forest.
//
//	forestrow(context)
//
// Its context goes on with the addresses of the trees' roots, u32 each, and of as
// many results, how many trees there are, the address of the output of each,
// 0 if leaves have a value for every sum, how many values a leaf has, the
// address of the sums, and how many groups of sixteen trees are evaluated down to
// TopLevels first, 0 for none, with the addresses of their tests and of the nodes that
// those lead to, u32, 1<<TopLevels a tree: these become the roots.
//
// A node is the rank that a row must be above to go right, u16, the number of
// its rank, u16, and the address of its two children, u32. A leaf has the
// threshold 65535 and its child is its record: a leaf again, and then its values. After
// the trees, Abreast+1 roots are of a node that is no leaf and that leads to itself.
//
// Trees are taken up one after the other: whoever is at a leaf goes to the next
// root, without a branch. Those that wait at the end are at the last roots, which are
// no leaves, so as many have been taken up as there are trees.
//
// In range: a tree's nodes are made of those that the decoder checked.
func forestRow(bytes int) *function {
	f, c := newContext("forestrow")
	bins, at, roots, next, end, d := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	groups, tests, starts := f.local(i32), f.local(i32), f.local(i32)
	t, v, o, output, values, sums := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	var node, to [Abreast]local // the nodes reached and where they are noted
	for i := range Abreast {
		node[i], to[i] = f.local(i32), f.local(i32)
	}
	var start, round code
	for i := range Abreast {
		start = append(start, cat(
			set(node[i], load32(get(roots), 4*i)),
			set(to[i], add(get(at), number(4*i))))...)
	}
	for range stride {
		for _, q := range node {
			bin := load16(add(get(bins), shl(load16(get(q), 2), number(1))), 0)
			// The sign of the difference is the turn.
			round = append(round, set(q, add(load32(get(q), 4), shl(shr(sub(load16(get(q), 0), bin), number(31)), number(3))))...)
		}
	}
	for i := range Abreast {
		round = append(round, cat(
			store32(get(to[i]), get(node[i]), 0),
			set(d, shr(add(load16(get(node[i]), 0), number(1)), number(16))),
			set(node[i], choose(load32(add(get(next), get(roots)), 0), get(node[i]), get(d))),
			set(to[i], choose(get(next), get(to[i]), get(d))),
			set(next, add(get(next), shl(get(d), number(2)))))...)
	}
	var acc [leafVectorsAtOnce]local
	for i := range acc {
		acc[i] = f.local(v128)
	}
	// each runs body for the record of every tree.
	each := func(body ...code) code {
		return cat(set(t, get(at)), repeat(less(get(t), get(end)), set(v, load32(load32(get(t), 0), 4)), cat(body...), raise(t, 4)))
	}
	// vectors adds n values of each leaf from the place o on.
	vectors := func(n int) code {
		var first, body, last code
		for i := range (n + 1) / 2 {
			load, put := loadV, storeV
			if 2*i+1 == n {
				load = load64Zero
				put = func(a, v code, offset int) code { return storeF64(a, laneF64(v, 0), offset) }
			}
			first = append(first, set(acc[i], load(get(sums), 16*i))...)
			body = append(body, set(acc[i], addF64V(get(acc[i]), load(get(v), 8+16*i)))...)
			last = append(last, put(get(sums), get(acc[i]), 16*i)...)
		}
		return cat(first, each(set(v, add(get(v), get(o))), body), last)
	}
	const most = 2 * leafVectorsAtOnce
	all := when(less(number(most-1), get(values)), vectors(most))
	for n := 1; n < most; n++ {
		all = append(all, when(equal(get(values), number(n)), vectors(n))...)
	}
	load, body, found := turns(f, tests, c.word(binsWord), TopLevels)
	tops := cat(load, set(t, get(roots)), repeat(get(groups),
		body,
		eachFound(f, found, 2, func(tree int, place code) code {
			return store32(get(t), load32(add(get(starts), place), 4<<TopLevels*tree), 4*tree)
		}),
		raise(tests, testBytes(TopLevels)),
		raise(starts, 16*4<<TopLevels),
		raise(t, 16*4),
		raise(groups, -1),
	))
	f.add(
		get(c.at), call(bytes),
		set(bins, c.word(ranksWord)),
		set(roots, c.word(bytesWords)),
		set(at, c.word(bytesWords+1)),
		set(end, add(get(at), shl(c.word(bytesWords+2), number(2)))),
		set(output, c.word(bytesWords+3)),
		set(values, c.word(bytesWords+4)),
		set(sums, c.word(bytesWords+5)),
		set(groups, c.word(bytesWords+6)),
		set(tests, c.word(bytesWords+7)),
		set(starts, c.word(bytesWords+8)),
		when(get(groups), tops),
		start,
		set(next, add(get(at), number(4*Abreast))),
		set(roots, sub(get(roots), get(at))),
		repeat(less(get(next), add(get(end), number(4*Abreast))), round),
		either(get(output),
			each(
				set(d, add(get(sums), shl(load32(get(output), 0), number(3)))),
				storeF64(get(d), addF64(loadF64(get(d), 0), loadF64(get(v), 8)), 0),
				raise(output, 4),
			),
			cat(set(o, number(0)), repeat(lessSigned(number(0), get(values)),
				all,
				raise(o, 8*most),
				raise(sums, 8*most),
				raise(values, -most),
			)),
		),
	)
	return f
}
