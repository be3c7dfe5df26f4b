package kernel

const (
	// Abreast is how many trees a row goes down together, so that their loads overlap.
	Abreast = 6
	// TopLevels are evaluated before for sixteen trees, if a row's bins are 64 bytes.
	TopLevels = 4
)

// leafVectorsAtOnce vectors of two sums stay in registers.
const leafVectorsAtOnce = 4

const (
	// Lanes is how many nodes of a path are evaluated together.
	Lanes = 8
	// LaneAddresses is after how many bytes of a path the addresses of ranks begin.
	LaneAddresses = 2 * Lanes
	// WaysOut is after how many bytes of a path its ways out begin.
	WaysOut = LaneAddresses + 4*Lanes
)

// forestRow emits the way of one row through a forest.
//
//	forestrow(context)
//
// Its context goes on with the address of two u32 a tree: that of its first path, and room
// for that of the leaf's values; how many trees there are, the address of the output of
// each, 0 if leaves have a value for every sum, how many values a leaf has, and how many
// groups of sixteen trees are evaluated down to TopLevels first, 0 for none, with the
// addresses of their tests and of the addresses of the paths that those lead to, u32,
// 1<<TopLevels a tree: these become the first ones. Last are the address of all paths, and
// how many bytes half the ranks take: the second half, made here, has what those in
// the first lack to 65535.
//
// A path is up to Lanes nodes, each but the first the child of the one before that most
// rows went to. It has, u16, a rank for each: a row leaves there if its own is not above
// it; the addresses, u32, of these ranks of a row; and the addresses, u32, where it
// goes that leaves at each node, and where one that stays. Of fewer nodes than Lanes, the
// next is left by every row. A way out leads to a path or, at an address below all
// paths, to the values of a leaf. After the trees, Abreast+1 paths lead to themselves.
//
// Trees are taken up one after the other: whoever is at a leaf goes to the next
// first path, without a branch. Those that wait at the end are at the last paths, which
// lead to no leaf, so as many have been taken up as there are trees.
//
// In range: paths are made of nodes that the decoder checked. The first of a path's ranks
// is read with two bytes after it, which no path asks for where ranks end.
func forestRow(bytes int) *function {
	f, c := newContext("forestrow")
	visits, next, end, paths := f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	groups, tests, starts := f.local(i32), f.local(i32), f.local(i32)
	t, v, o, output, values, sums := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	ranks := f.local(v128)
	var path, visit [Abreast]local
	for i := range Abreast {
		path[i], visit[i] = f.local(i32), f.local(i32)
	}
	var start, round code
	for i := range Abreast {
		start = append(start, cat(
			set(path[i], load32(get(visits), 8*i)),
			set(visit[i], add(get(visits), number(8*i))))...)
		at := get(path[i])
		lane := func(i int) code { return load32(at, LaneAddresses+4*i) }
		round = append(round, set(ranks, load32Zero(lane(0), 0))...)
		for i := 1; i < Lanes; i++ {
			round = append(round, set(ranks, load16Lane(lane(i), get(ranks), i))...)
		}
		round = append(round, set(ranks, upTo16(get(ranks), loadV(at, 0)))...)
		left := zeros(or(signs8(narrow16to8(get(ranks), get(ranks))), number(1<<Lanes)))
		isLeaf := less(get(path[i]), get(paths))
		round = append(round, cat(
			set(path[i], load32(add(at, shl(left, number(2))), WaysOut)),
			store32(get(visit[i]), get(path[i]), 4),
			set(visit[i], choose(get(next), get(visit[i]), isLeaf)),
			set(o, load32(get(next), 0)),
			set(next, choose(add(get(next), number(8)), get(next), isLeaf)),
			set(path[i], choose(get(o), get(path[i]), isLeaf)))...)
	}
	var acc [leafVectorsAtOnce]local
	for i := range acc {
		acc[i] = f.local(v128)
	}
	// each runs body for the record of every tree.
	each := func(body ...code) code {
		return cat(set(t, get(visits)), repeat(less(get(t), get(end)), set(v, load32(get(t), 4)), cat(body...), raise(t, 8)))
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
			body = append(body, set(acc[i], addF64V(get(acc[i]), load(get(v), 16*i)))...)
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
	tops := cat(load, set(t, get(visits)), repeat(get(groups),
		body,
		eachFound(f, found, 2, func(tree int, place code) code {
			return store32(get(t), load32(add(get(starts), place), 4<<TopLevels*tree), 8*tree)
		}),
		raise(tests, testBytes(TopLevels)),
		raise(starts, 16*4<<TopLevels),
		raise(t, 16*8),
		raise(groups, -1),
	))
	f.add(
		get(c.at), call(bytes),
		set(visits, c.word(bytesWords)),
		set(end, add(get(visits), shl(c.word(bytesWords+1), number(3)))),
		set(output, c.word(bytesWords+2)),
		set(values, c.word(bytesWords+3)),
		set(sums, c.word(sumsWord)),
		set(groups, c.word(bytesWords+4)),
		set(tests, c.word(bytesWords+5)),
		set(starts, c.word(bytesWords+6)),
		set(paths, c.word(bytesWords+7)),
		set(o, c.word(bytesWords+8)),
		set(t, c.word(ranksWord)),
		set(next, add(get(t), get(o))),
		repeat(less(get(t), get(next)), storeV(add(get(t), get(o)), notV(loadV(get(t), 0)), 0), raise(t, 16)),
		when(get(groups), tops),
		start,
		set(next, add(get(visits), number(8*Abreast))),
		repeat(less(get(next), add(get(end), number(8*Abreast))), round),
		either(get(output),
			each(
				set(o, add(get(sums), shl(load32(get(output), 0), number(3)))),
				storeF64(get(o), addF64(loadF64(get(o), 0), loadF64(get(v), 0)), 0),
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
