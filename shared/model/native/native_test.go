//go:build amd64 && !noasm

package native_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/shared/model/native"
)

// each runs a test with every level; a processor of these days has one.
func each(t *testing.T, f func(t *testing.T, l native.Level, r *rand.Rand)) {
	t.Helper()
	levels := native.Levels()
	if len(levels) == 0 {
		t.Fatal("this processor has no AVX2: nothing was tested")
	}
	for _, l := range levels {
		t.Run(l.Name, func(t *testing.T) { f(t, l, rand.New(rand.NewPCG(1, 2))) })
	}
}

const (
	columns = 5
	step    = 256
)

// bins are random, with many at the ends.
func bins[T uint8 | uint16](r *rand.Rand, n int) []T {
	b := make([]T, n)
	for i := range b {
		switch r.IntN(4) {
		case 0:
			b[i] = T(r.IntN(2))
		case 1:
			b[i] = ^T(r.IntN(2))
		default:
			b[i] = T(r.Uint32())
		}
	}
	return b
}

// heap walks depth levels of tests, column and bin, for one row.
func heap(depth int, test func(h int) (column, bin int), bin func(column int) int) int {
	h := 0
	for range depth {
		c, b := test(h)
		h = 2*h + 1
		if bin(c) > b {
			h++
		}
	}
	return h - (1<<depth - 1)
}

func TestLevel_topGoesDownTheHeap(t *testing.T) {
	each(t, func(t *testing.T, l native.Level, r *rand.Rand) {
		for depth := 1; depth <= 6; depth++ {
			for _, rows := range []int{64, 192, 256} {
				narrow, wide := bins[uint8](r, columns*step), bins[uint16](r, columns*step)
				tests8, tests16 := make([]uint32, 64), make([]uint64, 64)
				for i := range tests8 {
					c := r.IntN(columns)
					tests8[i] = uint32(c*step)<<8 | uint32(bins[uint8](r, 1)[0])%255
					tests16[i] = uint64(2*c*step)<<16 | uint64(bins[uint16](r, 1)[0])%65535
				}
				got8, got16 := make([]uint8, rows), make([]uint8, rows)
				l.Top8(depth, tests8, narrow, rows, got8)
				l.Top16(depth, tests16, wide, rows, got16)
				for i := range rows {
					want := heap(depth, func(h int) (int, int) { return int(tests8[h] >> 8 / step), int(tests8[h] & 0xff) },
						func(c int) int { return int(narrow[c*step+i]) })
					if int(got8[i]) != want {
						t.Fatalf("depth %d, %d rows: Top8 of row %d is %d, want %d", depth, rows, i, got8[i], want)
					}
					want = heap(depth, func(h int) (int, int) { return int(tests16[h] >> 17 / step), int(tests16[h] & 0xffff) },
						func(c int) int { return int(wide[c*step+i]) })
					if int(got16[i]) != want {
						t.Fatalf("depth %d, %d rows: Top16 of row %d is %d, want %d", depth, rows, i, got16[i], want)
					}
				}
			}
		}
	})
}

func TestLevel_shallowAddsTheLeaf(t *testing.T) {
	each(t, func(t *testing.T, l native.Level, r *rand.Rand) {
		for depth := 1; depth <= 6; depth++ {
			const rows = 128
			x := bins[uint8](r, columns*step)
			nodes, values, sums, want := make([]uint32, 64), make([]float64, 64), make([]float64, rows), make([]float64, rows)
			for i := range nodes {
				nodes[i] = uint32(r.IntN(columns)*step)<<8 | uint32(r.IntN(255))
				values[i] = r.NormFloat64()
			}
			for i := range sums {
				sums[i] = r.NormFloat64()
				want[i] = sums[i] + values[heap(depth, func(h int) (int, int) { return int(nodes[h] >> 8 / step), int(nodes[h] & 0xff) },
					func(c int) int { return int(x[c*step+i]) })]
			}
			if l.Shallow(depth, nodes, values, x, rows, sums); !slices.Equal(sums, want) {
				t.Errorf("depth %d: sums differ", depth)
			}
		}
	})
}

func TestLevel_rowShallowAddsTheLeaves(t *testing.T) {
	each(t, func(t *testing.T, l native.Level, r *rand.Rand) {
		if l.RowShallow == nil {
			return // it is one of a processor that permutes bytes
		}
		for range 50 {
			row := bins[uint8](r, 64)
			depth, output, tests := make([]int, 9), make([]int32, 9), []uint8{}
			sums, want, values := []float64{1, 2, 3}, []float64{1, 2, 3}, []float64{}
			for i := range depth {
				depth[i], output[i] = 1+r.IntN(6), int32(r.IntN(4)-1)
				half := make([]uint8, 128)
				for h := range 64 {
					half[h], half[64+h] = uint8(r.IntN(64)), uint8(r.IntN(256))
				}
				leaf := heap(depth[i], func(h int) (int, int) { return int(half[1+h]), int(half[65+h]) }, func(c int) int { return int(row[c]) })
				tests = append(tests, half...)
				for j := range 1 << depth[i] {
					values = append(values, r.NormFloat64())
					if j == leaf {
						want[max(output[i], 0)] += values[len(values)-1]
					}
				}
			}
			if l.RowShallow(tests, depth, values, output, row, sums); !slices.Equal(sums, want) {
				t.Fatalf("depths %v: got %v, want %v", depth, sums, want)
			}
		}
	})
}

// A test with the largest bin is passed by no row in an oblivious tree.
func TestLevel_obliviousAddsWholeNumbers(t *testing.T) {
	each(t, func(t *testing.T, l native.Level, r *rand.Rand) {
		for depth := 0; depth <= 8; depth++ {
			const rows, trees, width = 192, 8, 11
			x := bins[uint8](r, columns*step)
			tests, leaves := make([]uint32, trees*depth), make([]int16, trees*8<<depth)
			for i := range tests {
				tests[i] = uint32(r.IntN(columns)*step)<<8 | uint32(bins[uint8](r, 1)[0])
			}
			for i := range leaves {
				leaves[i] = int16(r.IntN(1<<14) - 1<<13)
			}
			sums, want := make([]int32, rows*width), make([]int32, rows*width)
			for i := range sums {
				sums[i] = r.Int32N(1000)
				want[i] = sums[i]
			}
			for i := range rows {
				for j := range trees {
					leaf := 0
					for level, q := range tests[j*depth : (j+1)*depth] {
						if x[int(q>>8)+i] > uint8(q) {
							leaf |= 1 << level
						}
					}
					for k := range 8 {
						want[i*width+k] += int32(leaves[(j<<depth+leaf)*8+k])
					}
				}
			}
			l.Oblivious(tests, depth, leaves, x, rows, sums, width, trees, make([]uint8, 4*rows))
			if !slices.Equal(sums, want) {
				t.Errorf("depth %d: sums differ", depth)
			}
		}
	})
}

// search returns the levels of edges as Rank wants them, with their blocks.
func search(edges []float64) (list []float64, blocks []int32) {
	levels := [][]float64{append(slices.Clone(edges), math.Inf(1))}
	for len(levels[0]) > 16 {
		var above []float64
		for i, v := range levels[0] {
			if i%16 == 15 || i == len(levels[0])-1 {
				above = append(above, v)
			}
		}
		levels = slices.Insert(levels, 0, above)
	}
	for _, l := range levels {
		blocks = append(blocks, int32(len(list)/16))
		for len(l)%16 != 0 {
			l = append(l, math.Inf(1))
		}
		list = append(list, l...)
	}
	return list, blocks
}

func TestLevel_rankCountsEdgesBelow(t *testing.T) {
	each(t, func(t *testing.T, l native.Level, r *rand.Rand) {
		for _, n := range []int{1, 2, 15, 16, 17, 254, 255, 256, 257, 4094, 4096, 5000, 65535} {
			edges := make([]float64, n)
			for i := range edges {
				edges[i] = float64(i)/7 - 50
			}
			if n > 2 {
				edges[0], edges[n-1] = math.Inf(-1), math.Inf(1)
			}
			const rows, width, missing = 64, 3, 99
			x := make([]float64, rows*width)
			for i := range x {
				e := edges[r.IntN(n)]
				x[i] = []float64{e, math.Nextafter(e, math.Inf(1)), math.Nextafter(e, math.Inf(-1)), math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}[r.IntN(7)]
			}
			list, blocks := search(edges)
			plan := append([]int32{2, 1, missing, int32(len(blocks))}, append(blocks, 0, 0, 0, 0)[:4]...)
			const next, step = 2, 1
			got8, got16 := make([]uint8, rows*next), make([]uint16, rows*next)
			if n < 256 {
				l.Rank8(x, width, rows, plan, list, got8, next, step)
			}
			l.Rank16(x, width, rows, plan, list, got16, next, step)
			for i := range rows {
				v := x[i*width+2]
				want := 0
				for _, e := range edges {
					if e < v {
						want++
					}
				}
				if v != v {
					want = missing
				}
				if int(got16[i*next+step]) != want || n < 256 && int(got8[i*next+step]) != want {
					t.Fatalf("%d edges: %v has ranks %d and %d, want %d", n, v, got8[i*next+step], got16[i*next+step], want)
				}
				if got16[i*next] != 0 || got8[i*next] != 0 {
					t.Fatal("a column that is not its own was written")
				}
			}
		}
	})
}

func turns[T uint8 | uint16](t *testing.T, turn func(dst []T, to int, src []T, from, lines, width int)) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range [][2]int{{8, 8}, {8, 64}, {48, 16}, {64, 256}} {
		lines, width := c[0], c[1]
		from, to := width+3, lines+5
		src, dst, want := bins[T](r, lines*from), make([]T, width*to), make([]T, width*to)
		for i := range dst {
			dst[i] = T(i)
			want[i] = dst[i]
		}
		for l := range lines {
			for w := range width {
				want[w*to+l] = src[l*from+w]
			}
		}
		if turn(dst, to, src, from, lines, width); !slices.Equal(dst, want) {
			t.Errorf("%d lines of %d differ", lines, width)
		}
	}
}

func TestTurn_swapsLinesAndColumns(t *testing.T) {
	turns(t, native.Turn8)
	turns(t, native.Turn16)
}

// grown draws a tree in the form of package tree, breadth first: a node is
// bin, column, first child; a leaf has the largest bin and is its own child.
func grown(r *rand.Rand, inner, most int) (list [][3]int) {
	list = append(list, [3]int{})
	for i := 0; i < len(list); i++ {
		if i > 0 && r.IntN(3) == 0 || inner == 0 {
			list[i] = [3]int{most, 0, i}
			continue
		}
		inner--
		list[i] = [3]int{[]int{0, most - 1, r.IntN(most)}[r.IntN(3)], r.IntN(columns), len(list)}
		list = append(list, [3]int{}, [3]int{})
	}
	return list
}

func TestDown_endsAtLeaves(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, inner := range []int{1, 30, 5000} {
		const shift, rows = 3, 301
		narrow, wide := grown(r, inner, 255), grown(r, inner, 65535)
		bins8, bins16 := bins[uint8](r, rows<<shift), bins[uint16](r, rows<<shift)
		nodes8, nodes16 := make([]uint32, len(narrow)), make([]uint64, len(wide))
		for i, n := range narrow {
			nodes8[i] = uint32(n[0] | n[1]<<8 | n[2]<<16)
		}
		for i, n := range wide {
			nodes16[i] = uint64(n[0] | n[1]<<16 | n[2]<<32)
		}
		start8, start16, numbers := make([]uint32, 64), make([]uint32, 64), make([]uint8, rows)
		for i := range start8 {
			a, b := r.IntN(len(narrow)), r.IntN(len(wide))
			start8[i], start16[i] = uint32(a), uint32(b)
			if narrow[a][0] != 255 {
				start8[i] |= 1 << 16
			}
			if wide[b][0] != 65535 {
				start16[i] |= 1 << 31
			}
		}
		for i := range numbers {
			numbers[i] = uint8(r.IntN(64))
		}
		at8, at16 := make([]uint16, rows), make([]uint32, rows)
		native.Down8(nodes8, bins8, shift, rows, start8, numbers, make([]uint32, rows), at8)
		native.Down16(nodes16, bins16, shift, rows, start16, numbers, make([]uint64, rows), at16)
		end := func(list [][3]int, i, most int, bin func(column int) int) int {
			for list[i][0] != most {
				child := list[i][2]
				if bin(list[i][1]) > list[i][0] {
					child++
				}
				i = child
			}
			return i
		}
		for i, n := range numbers {
			if want := end(narrow, int(start8[n]&0xffff), 255, func(c int) int { return int(bins8[i<<shift+c]) }); int(at8[i]) != want {
				t.Fatalf("%d nodes: row %d ends at %d, want %d", len(narrow), i, at8[i], want)
			}
			if want := end(wide, int(start16[n]&^(1<<31)), 65535, func(c int) int { return int(bins16[i<<shift+c]) }); int(at16[i]) != want {
				t.Fatalf("%d wide nodes: row %d ends at %d, want %d", len(wide), i, at16[i], want)
			}
		}
	}
}

func TestLeaves_addInEveryWidth(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for values := 1; values <= 13; values++ {
		const rows, leaves = 37, 50
		width := values + r.IntN(3)
		table, leaf := make([]float64, leaves*values), make([]uint32, leaves)
		for i := range table {
			table[i] = r.NormFloat64()
		}
		for i := range leaf {
			leaf[i] = uint32(r.IntN(leaves) * values)
		}
		at8, at16 := make([]uint16, rows), make([]uint32, rows)
		want := make([]float64, rows*width)
		for i := range want {
			want[i] = r.NormFloat64()
		}
		got8, got16 := slices.Clone(want), slices.Clone(want)
		for i := range at8 {
			at8[i] = uint16(r.IntN(leaves))
			at16[i] = uint32(at8[i])
			for j := range values {
				want[i*width+j] += table[int(leaf[at8[i]])+j]
			}
		}
		native.Leaves8(got8, width, leaf, table, at8, rows, values)
		native.Leaves16(got16, width, leaf, table, at16, rows, values)
		if !slices.Equal(got8, want) || !slices.Equal(got16, want) {
			t.Errorf("%d values: sums differ", values)
		}
	}
}
