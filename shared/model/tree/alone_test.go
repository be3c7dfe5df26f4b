package tree_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/model/kernel"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// ranksFrom and wordsFrom are where reader says that ranks and words lie.
const ranksFrom, wordsFrom = 4096, 1 << 20

// reader is a kernel for rows that come alone that reads what package kernel's
// reads, in Go and with every index checked.
func reader(ways map[string]int) *tree.Kernel {
	bytes := func(a *tree.Alone, x []float64) {
		readRanks(a, x, a.Ranks)
		for c := 0; 2*c < len(a.Columns); c++ {
			a.Bins[c] = uint8(min(max(int32(a.Ranks[a.Columns[2*c]/2])-a.Columns[2*c+1], 0), 255))
		}
	}
	each := func(row func(a *tree.Alone, x, sums []float64)) func(a *tree.Alone) func(x, sums []float64) {
		return func(a *tree.Alone) func(x, sums []float64) { return func(x, sums []float64) { row(a, x, sums) } }
	}
	return &tree.Kernel{
		ForestRow: each(func(a *tree.Alone, x, sums []float64) {
			ways["forest"]++
			bytes(a, x)
			half := len(a.Ranks) / 2
			for i, rank := range a.Ranks[:half] {
				a.Ranks[half+i] = 65535 - rank
			}
			if len(a.Visits) < 2*(a.Trees+kernel.Abreast+1) || len(a.Starts)%(16<<kernel.TopLevels) != 0 {
				panic(fmt.Sprintf("%d visits and %d starts of %d trees", len(a.Visits)/2, len(a.Starts), a.Trees))
			}
			word := func(address uint32) int { return int(address-wordsFrom) / 4 }
			step := func(at uint32) (to uint32, out int) {
				path := a.Words[word(at):]
				for ; out < kernel.Lanes; out++ {
					rank := a.Ranks[(path[kernel.LaneAddresses/4+out]-ranksFrom)/2]
					if rank <= uint16(path[out/2]>>(out%2*16)) {
						break
					}
				}
				return path[kernel.WaysOut/4+out], out
			}
			for t := range len(a.Visits) / 2 {
				at := a.Visits[2*t]
				if t >= a.Trees {
					if to, _ := step(at); to != at || word(at) < a.Paths {
						panic("a row leaves the path without end")
					}
					continue
				}
				if a.Starts != nil {
					ways["tops"]++
					at = a.Starts[t<<kernel.TopLevels+heapLeaf(a, kernel.TopLevels, t)]
				}
				for word(at) >= a.Paths {
					to, out := step(at)
					if out == kernel.Lanes {
						ways["long"]++
					}
					at = to
				}
				value := func(j int) float64 {
					return math.Float64frombits(uint64(a.Words[word(at)+2*j]) | uint64(a.Words[word(at)+2*j+1])<<32)
				}
				if a.Output != nil {
					sums[a.Output[t]] += value(0)
					continue
				}
				for j := range sums {
					sums[j] += value(j)
				}
			}
		}),
		ShallowRow: each(func(a *tree.Alone, x, sums []float64) {
			ways["shallow"]++
			bytes(a, x)
			for t, o := range a.Output {
				sums[o] += a.Values[64*t+heapLeaf(a, 6, t)]
			}
		}),
		EvenRow: each(func(a *tree.Alone, x, _ []float64) {
			ways["even"]++
			bytes(a, x)
			for g := 0; g < len(a.Sums); g += 8 {
				for t := range a.Trees {
					leaf := (g/8*a.Trees + t) << a.Depth
					for l, q := range a.Asks[t*a.Depth : (t+1)*a.Depth] {
						if a.Bins[q>>16] > uint8(q) {
							leaf += 1 << l
						}
					}
					for j, v := range a.Leaves[8*leaf : 8*leaf+8] {
						a.Sums[g+j] += int32(v)
					}
				}
			}
		}),
		Place: func(*tree.Alone) (ranks, words uint32) { return ranksFrom, wordsFrom },
	}
}

// heapLeaf returns which leaf, counted from the left, the tests of so many levels lead to
// in tree t.
func heapLeaf(a *tree.Alone, levels, t int) int {
	group := a.Tests[t/16*32*(1<<levels-1):]
	// part is what the tests of a level have for a path: of the path's node, and where
	// it goes left also of that to the right instead.
	var part func(level, at, path, i int) uint8
	part = func(level, at, path, i int) uint8 {
		if at == level {
			return group[32*(1<<level-1+path)+16*i+t%16]
		}
		right := part(level, at+1, path|1<<(level-1-at), i)
		if path>>(level-1-at)&1 == 0 {
			return right ^ part(level, at+1, path, i)
		}
		return right
	}
	path := 0
	for level := range levels {
		turn := 0
		if a.Bins[part(level, 0, path, 0)] > part(level, 0, path, 1) {
			turn = 1
		}
		path = 2*path + turn
	}
	return path
}

// readRanks follows the plan of a.
func readRanks(a *tree.Alone, x []float64, ranks []uint16) {
	plan := a.Plan[1:]
	for range a.Plan[0] {
		v := x[plan[0]/8]
		single := float32(v)
		if float64(single) > v {
			single = math.Nextafter32(single, float32(math.Inf(-1)))
		}
		count := func(list []float32) int {
			n := 0
			for _, edge := range list {
				if single > edge {
					n++
				}
			}
			return n
		}
		rank := count(a.Search[plan[6]/4:][:16*plan[5]])
		right, left, missing, edges := plan[2]/2, plan[3]/2, plan[1], a.Edges[plan[4]/8:]
		for plan = plan[7:]; plan[0] != 0; plan = plan[1:] {
			rank = 16*rank + count(a.Search[plan[0]/4+int32(16*rank):][:16])
		}
		plan = plan[1:]
		for edges[rank] < v {
			rank++
		}
		ranks[right], ranks[left] = uint16(rank), uint16(rank)
		if v != v {
			ranks[right], ranks[left] = uint16(missing), 0
		}
	}
	if len(plan) != 0 {
		panic(fmt.Sprintf("%d words after the plan", len(plan)))
	}
}

// What is made for rows that come alone says what the ensemble says.
func TestAlone_sameBits(t *testing.T) {
	ways, values := map[string]int{}, 0
	compare := func(name string, e *tree.Ensemble, x []float64) {
		t.Helper()
		d, k := e.Shape()
		read := reader(ways)
		for r := range len(x) / d {
			row, got, want := x[r*d:(r+1)*d], make([]float64, k), make([]float64, k)
			for dst, with := range map[*[]float64]*tree.Kernel{&got: read, &want: nil} {
				tree.UseKernel(with)
				if err := e.Predict(*dst, row); err != nil {
					t.Fatal(err)
				}
			}
			for j := range got {
				if math.Float64bits(got[j]) != math.Float64bits(want[j]) {
					t.Fatalf("%s: row %d: score %d is %v, want %v", name, r, j, got[j], want[j])
				}
				values++
			}
		}
	}
	defer func() {
		tree.UseKernel(nil)
		if list := tree.NativeKernels(); len(list) > 0 {
			tree.UseKernel(list[0])
		}
	}()
	for i, o := range nativeShapes() {
		r := rand.New(rand.NewPCG(78, uint64(i)))
		tree.UseKernel(nil)
		e := build(t, treetest.Random(r, o))
		compare(fmt.Sprintf("shape %d", i), e, treetest.Rows(r, o, 12, 0.05))
	}
	// Trees of vectors beside trees of scalars are for Go's loops.
	o := treetest.Options{Kind: tree.Boosting, Trees: 12, Depth: 8}
	r := rand.New(rand.NewPCG(79, 0))
	mixed := treetest.Random(r, o)
	o.Scalar = true
	mixed.Trees = append(mixed.Trees, treetest.Random(r, o).Trees...)
	before := ways["forest"]
	compare("vectors and scalars", build(t, mixed), treetest.Rows(r, o, 12, 0.05))
	if ways["forest"] != before {
		t.Error("the kernel scores those")
	}
	for _, n := range []int{1, 47, 48, 767, 768, 12288, 65535, 65536} {
		edges := make([]float64, n)
		for i := range edges {
			edges[i] = float64(i)
			if n == 767 {
				edges[i] = 1 + float64(i)*0x1p-27 // sixteen to a float32
			}
		}
		x := []float64{math.NaN(), math.Inf(-1), math.Inf(1), -1e-300, 0.1, 1e300}
		for i := 0; i < n; i += 1 + n/20 {
			x = append(x, edges[i], math.Nextafter(edges[i], 2), math.Nextafter(edges[i], -1))
		}
		s := treetest.Ladder(edges, false)
		s.Trees = append(s.Trees, treetest.Ladder(edges, true).Trees...)
		compare(fmt.Sprintf("%d edges", n), build(t, s), x)
	}
	// So are forests whose form would take much room.
	defer tree.LimitWords(500)()
	before = ways["forest"]
	o = treetest.Options{Trees: 20, Depth: 8}
	compare("many words", build(t, treetest.Random(r, o)), treetest.Rows(r, o, 12, 0.05))
	if ways["forest"] != before {
		t.Error("the kernel scores a form that is too large")
	}
	if ways["forest"] < 600 || ways["shallow"] < 100 || ways["even"] < 90 || ways["tops"] < 1000 || ways["long"] < 100 || values < 5000 {
		t.Errorf("compared %d values in rows %v", values, ways)
	}
}
