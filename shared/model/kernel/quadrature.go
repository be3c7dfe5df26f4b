package kernel

// quadrature emits the walk of package explain's quadrature.go, which explains
// trees that are too deep for tables: eight points, two to a vector.
//
//	quadrature(context, node, product, mean, room)
//
// context are seven u32 addresses: of the nodes, the row's bins (u16), its
// values (float64 a feature), the share and the hot flag of each feature (float64,
// a byte), and the eight float64 of t and of 1-t. node is the address of an
// inner node of 24 bytes: share float64, right u32, feature, column and bin u16.
// product and mean are eight float64 each; the first is read, the second
// written. room has 128 bytes for each level below.
//
// It calls itself once a level, at most tree.MaxDepth times. Products and sums
// are those of the Go code, in its order: two lanes are two points, and what is
// summed over points is added one after the other.
//
// In range: a right child is a later node, features and columns are those of
// the ensemble, and room was sized by its depth.
func quadrature(index int) *function {
	f, p := newFunction("quadrature", 5)
	context, node, product, mean, room := p[0], p[1], p[2], p[3], p[4]
	hot, cold, swap, feature, share, flag, at := f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32), f.local(i32)
	h, z, rest, sum := f.local(f64), f.local(f64), f.local(f64), f.local(f64)
	over, term := f.local(v128), f.local(v128)
	const vectors = 4
	var hotFactor, coldFactor, part [vectors]local
	for i := range vectors {
		hotFactor[i], coldFactor[i], part[i] = f.local(v128), f.local(v128), f.local(v128)
	}
	const nodeBytes, pointBytes = 24, 64
	address := func(i int) code { return load32(get(context), 4*i) }
	const nodes, bins, values, shares, flags, points, rests = 0, 1, 2, 3, 4, 5, 6
	others := add(get(room), number(pointBytes)) // where the cold mean goes
	// child walks a child with the product times factor, or takes a leaf's value.
	child := func(c local, factor [vectors]local, mean code) code {
		var leaf, below code
		for i := range vectors {
			leaf = append(leaf, storeV(get(swap), get(over), 16*i)...)
			below = append(below, storeV(get(room), mulF64V(loadV(get(product), 16*i), get(factor[i])), 16*i)...)
		}
		return either(load32(get(c), 8),
			cat(below, get(context), get(c), get(room), mean, add(get(room), number(2*pointBytes)), call(index)),
			cat(set(swap, mean), set(over, splatF64(loadF64(get(c), 0))), leaf))
	}
	each := func(do func(i int) code) code {
		var c code
		for i := range vectors {
			c = append(c, do(i)...)
		}
		return c
	}
	tOf := func(i int) code { return loadV(get(at), 16*i) }
	restOf := func(i int) code { return loadV(get(swap), 16*i) }
	meanOf := func(i int) code { return loadV(get(mean), 16*i) }
	coldMean := func(i int) code { return loadV(get(room), pointBytes+16*i) }
	scaled := mulF64(get(z), get(rest)) // z·(1-h)
	f.add(
		set(hot, add(get(node), number(nodeBytes))),
		set(cold, add(address(nodes), mul(load32(get(node), 8), number(nodeBytes)))),
		set(h, loadF64(get(node), 0)),
		when(greater(load16(add(address(bins), shl(load16(get(node), 14), number(1))), 0), load16(get(node), 16)),
			set(swap, get(hot)), set(hot, get(cold)), set(cold, get(swap)),
			set(h, subF64(float(1), get(h)))),
		set(rest, subF64(float(1), get(h))),
		set(feature, load16(get(node), 12)),
		set(share, add(address(shares), shl(get(feature), number(3)))),
		set(flag, add(address(flags), get(feature))),
		set(z, loadF64(get(share), 0)),
		either(load8(get(flag), 0), cat(
			set(at, address(points)),
			set(swap, address(rests)),
			either(equalF64(get(z), float(1)),
				each(func(i int) code {
					return cat(
						set(hotFactor[i], addF64V(mulF64V(splatF64(get(h)), restOf(i)), tOf(i))),
						set(coldFactor[i], mulF64V(splatF64(get(rest)), restOf(i))),
						set(part[i], loadV(get(product), 16*i)))
				}),
				each(func(i int) code {
					return cat(
						set(over, divF64V(splatF64(float(1)), addF64V(mulF64V(splatF64(get(z)), restOf(i)), tOf(i)))),
						set(hotFactor[i], mulF64V(addF64V(mulF64V(splatF64(mulF64(get(z), get(h))), restOf(i)), tOf(i)), get(over))),
						set(coldFactor[i], mulF64V(mulF64V(splatF64(scaled), restOf(i)), get(over))),
						set(part[i], mulF64V(mulF64V(loadV(get(product), 16*i), get(over)), get(over))))
				})),
			storeF64(get(share), mulF64(get(z), get(h)), 0),
			child(hot, hotFactor, get(mean)),
			storeF64(get(share), get(z), 0),
			store8(get(flag), number(0), 0),
			child(cold, coldFactor, others),
			store8(get(flag), number(1), 0),
			set(sum, float(0)),
			each(func(i int) code {
				return cat(
					set(term, mulF64V(get(part[i]), subF64V(meanOf(i), coldMean(i)))),
					set(sum, addF64(addF64(get(sum), laneF64(get(term), 0)), laneF64(get(term), 1))),
					storeV(get(mean), addF64V(mulF64V(meanOf(i), get(hotFactor[i])), mulF64V(coldMean(i), get(coldFactor[i]))), 16*i))
			}),
			set(swap, add(address(values), shl(get(feature), number(3)))),
			storeF64(get(swap), addF64(loadF64(get(swap), 0), mulF64(scaled, get(sum))), 0),
		), cat(
			each(func(i int) code {
				return cat(set(hotFactor[i], splatF64(get(h))), set(coldFactor[i], splatF64(get(rest))))
			}),
			child(hot, hotFactor, get(mean)),
			child(cold, coldFactor, others),
			each(func(i int) code {
				return storeV(get(mean), addF64V(mulF64V(splatF64(get(h)), meanOf(i)), mulF64V(splatF64(get(rest)), coldMean(i))), 16*i)
			}),
		)),
	)
	return f
}
