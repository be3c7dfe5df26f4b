package tree_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
	"cloister/shared/wire"
)

func encoded(t testing.TB, e *tree.Ensemble) []byte {
	t.Helper()
	b, err := e.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecode_keepsCoversAndStructure(t *testing.T) {
	for i, c := range shapes {
		e := build(t, treetest.Random(rand.New(rand.NewPCG(20, uint64(i))), c.o))
		d, err := tree.Decode(encoded(t, e))
		if err != nil {
			t.Fatal(err)
		}
		if d.String() != e.String() || d.Link() != e.Link() || d.SampleSize() != e.SampleSize() || d.Base(0) != e.Base(0) {
			t.Errorf("got %v, want %v", d, e)
		}
		for tr := range e.Trees() {
			at, output := e.Root(tr)
			if got, o := d.Root(tr); got != at || o != output {
				t.Fatalf("%s: root of tree %d: got %d, %d, want %d, %d", c.name, tr, got, o, at, output)
			}
			nodes := []int{at}
			for len(nodes) > 0 {
				v := nodes[len(nodes)-1]
				nodes = nodes[:len(nodes)-1]
				got, want := d.Node(tr, v), e.Node(tr, v)
				if got.Feature != want.Feature || math.Float64bits(got.Cover) != math.Float64bits(want.Cover) ||
					got.Column != want.Column || got.Bin != want.Bin || got.Left != want.Left || got.Right != want.Right {
					t.Fatalf("%s: tree %d: got %+v, want %+v", c.name, tr, got, want)
				}
				if !want.IsLeaf() {
					nodes = append(nodes, want.Left, want.Right)
				}
			}
		}
	}
}

// With one output, 0 and -1 name the same tree, so they encode alike.
func TestAppendBinary_oneOutputHasOneName(t *testing.T) {
	a, b := stump(), stump()
	a.Trees[0].Output, b.Trees[0].Output = 0, -1
	if p, q := encoded(t, build(t, a)), encoded(t, build(t, b)); !bytes.Equal(p, q) {
		t.Errorf("output 0: %x\noutput -1: %x", p, q)
	}
}

// Leaves that look like counts over the cover but are not must keep their
// bits: parts of a row, counts that add up to one more than the cover, and
// whole covers among ones that float32 does not hold.
func TestDecode_keepsLeavesThatAreNotCounts(t *testing.T) {
	const c = 1 << 21
	for what, v := range map[string]struct{ cover, p, q float64 }{
		"thirds of 4":          {4, 1.0 / 3, 2.0 / 3},
		"one more than cover":  {c, 0.5, (c/2 + 1.0) / c},
		"cover above 2^24":     {1<<24 + 1, 0.5, 0.5},
		"cover that is halved": {2.5, 0.4, 0.6},
		"whole beyond single":  {1<<30 + 1, 0.25, 0.75},
	} {
		s := stump()
		s.Kind, s.Outputs, s.Trees[0].Output = tree.Forest, 2, -1
		s.Trees[0].Value = []float64{0, 0, v.p, v.q, 0.125, 0.875}
		s.Trees[0].Cover = []float64{0, v.cover, 1.5}
		for _, second := range []float64{1.5, 8} {
			s.Trees[0].Cover[2] = second
			e := build(t, s)
			d, err := tree.Decode(encoded(t, e))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			root, _ := d.Root(0)
			n := d.Node(0, root)
			leaf := d.Node(0, n.Left)
			if leaf.Cover != v.cover || leaf.Values[0] != v.p || leaf.Values[1] != v.q {
				t.Errorf("%s: got %+v, want %+v", what, leaf, v)
			}
		}
	}
}

// Encodings of releases before version 3 decode to the same ensemble, and that
// encodes to the same bytes again.
func TestDecode_readsTheVersionsBefore(t *testing.T) {
	for i, c := range shapes {
		r := rand.New(rand.NewPCG(23, uint64(i)))
		s := treetest.Random(r, c.o)
		e := build(t, s)
		first, err := tree.EncodedFirst(e)
		if err != nil {
			t.Fatal(err)
		}
		want := byte(1)
		if s.Kind == tree.Oblivious || c.o.Weighted {
			want = 2
		}
		if b := encoded(t, e); first[4] != want || b[4] != 3 && s.Kind != tree.Oblivious {
			t.Fatalf("%s: versions %d and %d", c.name, first[4], b[4])
		}
		d, err := tree.Decode(first)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if again := encoded(t, d); !bytes.Equal(again, first) {
			t.Errorf("%s: decoded from version %d encodes to other bytes", c.name, want)
		}
		x := treetest.Rows(r, c.o, 50, 0.05)
		a, b := make([]float64, 50*s.Outputs), make([]float64, 50*s.Outputs)
		if err := errors.Join(e.Predict(a, x), d.Predict(b, x)); err != nil {
			t.Fatal(err)
		}
		for j := range a {
			if math.Float64bits(a[j]) != math.Float64bits(b[j]) {
				t.Fatalf("%s: score %d: %v, from version %d %v", c.name, j, a[j], want, b[j])
			}
		}
	}
}

// Trees that take less than a bit a node are filled up with zeros: no more, no
// less, and nothing else.
func TestDecode_paddingIsCanonical(t *testing.T) {
	s := stump()
	s.Kind = tree.Forest
	s.Trees[0] = leafOnly(1)
	for len(s.Trees) < 2000 {
		s.Trees = append(s.Trees, s.Trees[0])
	}
	b := encoded(t, build(t, s))
	if len(b) != 2000/8 || b[len(b)-100] != 0 {
		t.Fatalf("%d bytes, want 250 that end in zeros", len(b))
	}
	if _, err := tree.Decode(b); err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] = 1
	one := decodeError(b)
	b[len(b)-1] = 0
	for what, err := range map[string]error{
		"one":            one,
		"a zero less":    decodeError(b[:len(b)-1]),
		"a zero more":    decodeError(append(b[:len(b):len(b)], 0)),
		"needless zeros": decodeError(append(encoded(t, build(t, stump())), 0)),
	} {
		if !errors.Is(err, tree.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", what, err)
		}
	}
}

func decodeError(b []byte) error {
	_, err := tree.Decode(b)
	return err
}

// header returns a header of a boosting ensemble with one output.
func header(w *wire.Writer, version byte, trees, nodes uint64) {
	w.Bytes([]byte("TREE"))
	w.Bytes([]byte{version, byte(tree.Boosting), 0})
	w.Uvarint(1) // features
	w.Uvarint(1) // outputs
	w.Uvarint(0) // sample size
	w.F64(0)     // base
	w.Uvarint(trees)
	w.U8(0)
	w.Uvarint(nodes)
}

// Version 3 codes the nodes' bits, so that what is refused by them takes the
// models of the coder first.
func TestDecode_thirdVersionRefusesBeforeItAllocates(t *testing.T) {
	for _, c := range []struct {
		what         string
		trees, nodes uint64
		limit        bool
	}{
		{"trees", tree.MaxTrees + 1, 1, true},
		{"more trees than bits", tree.MaxTrees, 1, false},
		{"no trees", 0, 1, false},
		{"nodes", 1, tree.MaxNodes + 1, true},
		{"more nodes than bits", 1, tree.MaxNodes, false},
		{"no nodes", 1, 0, false},
		{"more trees than nodes", 9, 4, false},
	} {
		var w wire.Writer
		header(&w, 3, c.trees, c.nodes)
		w.Bytes(make([]byte, 40))
		b := w.Finish()
		var err error
		if got := allocated(func() { err = decodeError(b) }); got > 400<<10 {
			t.Errorf("%s: allocated %d bytes", c.what, got)
		}
		if _, ok := errors.AsType[*tree.LimitError](err); err == nil || ok != c.limit {
			t.Errorf("%s: got %v, want a LimitError: %v", c.what, err, c.limit)
		}
	}
}

func TestDecode_refusesBeforeItAllocates(t *testing.T) {
	for _, c := range []struct {
		what         string
		trees, nodes uint64
		shape        []byte
		limit        bool
	}{
		{"trees", tree.MaxTrees + 1, 1, []byte{0}, true},
		{"more trees than bits", tree.MaxTrees, 1, []byte{0}, false},
		{"no trees", 0, 1, []byte{0}, false},
		{"huge trees", math.MaxUint64, 1, []byte{0}, true},
		{"nodes", 1, tree.MaxNodes + 1, []byte{0}, true},
		{"more nodes than bits", 1, tree.MaxNodes, []byte{0}, false},
		{"huge nodes", 1, math.MaxUint64, []byte{0}, true},
		{"no nodes", 1, 0, nil, false},
		{"tree cut short", 1, 2, []byte{0b01}, false},
		{"nodes after the tree", 1, 2, []byte{0b00}, false},
		{"bits after the nodes", 1, 3, []byte{0b1001}, false},
		{"levels", 1, 2*(tree.MaxDepth+1) + 1, leftShape(tree.MaxDepth + 1), true},
		{"levels to the right", 1, 1 << 20, rightShape(1 << 20), true},
	} {
		var w wire.Writer
		header(&w, 1, c.trees, c.nodes)
		w.Bytes(c.shape)
		w.Bytes(make([]byte, 40))
		b := w.Finish()
		var e *tree.Ensemble
		var err error
		if got := allocated(func() { e, err = tree.Decode(b) }); got > 100<<10 {
			t.Errorf("%s: allocated %d bytes", c.what, got)
		}
		if e != nil || err == nil {
			t.Errorf("%s: no error", c.what)
			continue
		}
		if _, ok := errors.AsType[*tree.LimitError](err); ok != c.limit {
			t.Errorf("%s: got %v, want a LimitError: %v", c.what, err, c.limit)
		}
		if !strings.HasPrefix(err.Error(), "tree: ") {
			t.Errorf("%s: %v names no package", c.what, err)
		}
	}
}

// leftShape is the node bits of a tree that leans left.
func leftShape(depth int) []byte {
	b := make([]byte, (2*depth+1+7)/8)
	for i := range depth {
		b[i/8] |= 1 << (i % 8)
	}
	return b
}

// rightShape is node bits of a tree that leans right, cut short.
func rightShape(nodes int) []byte { return bytes.Repeat([]byte{0b01010101}, nodes/8) }

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// The bound that Decode states, on what costs it most: as many nodes as the
// bytes can hold, followed by noise that decodes to something for a while.
func TestDecode_boundsItsAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 0))
	worst := 0.0
	for i := range 60 {
		var w wire.Writer
		shape := make([]byte, 1<<(10+r.IntN(8)))
		nodes := fillShape(r, shape)
		header(&w, byte(1+i%2*2), 1, uint64(nodes))
		if i%2 == 0 {
			w.Bytes(shape[:(nodes+7)/8])
		}
		tail := make([]byte, 9+r.IntN(400))
		for i := 1 + r.IntN(8); i < len(tail); i++ {
			tail[i] = byte(r.Uint32())
		}
		w.Bytes(tail)
		if i%2 != 0 { // version 3 has the nodes' bits among the noise
			w.Bytes(make([]byte, nodes/8))
		}
		b := w.Finish()
		got := allocated(func() {
			if _, err := tree.Decode(b); err == nil {
				t.Fatal("noise was accepted")
			}
		})
		if limit := uint64(512*len(b) + 64<<20); got > limit {
			t.Errorf("%d bytes: allocated %d, want at most %d", len(b), got, limit)
		}
		worst = max(worst, float64(got)/float64(len(b)))
	}
	t.Logf("at most %.0f bytes per byte", worst)
}

// fillShape writes the bits of one balanced tree of random shape and returns
// its nodes.
func fillShape(r *rand.Rand, shape []byte) int {
	open, limit := 1, 8*len(shape)
	for v := 0; ; v++ {
		if open < limit-v-2 && (open < 3 || r.IntN(2) == 0) {
			shape[v/8] |= 1 << (v % 8)
			open++
		} else if open--; open == 0 {
			return v + 1
		}
	}
}

// FuzzDecode: what is accepted encodes to the same bytes and scores rows of
// odd values without a panic and with scores in range.
func FuzzDecode(f *testing.F) {
	for i, c := range shapes {
		c.o.Trees, c.o.Depth = min(c.o.Trees, 3), min(c.o.Depth, 4)
		e := build(f, treetest.Random(rand.New(rand.NewPCG(22, uint64(i))), c.o))
		f.Add(encoded(f, e))
		first, err := tree.EncodedFirst(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(first)
	}
	for i, c := range obliques {
		f.Add(encoded(f, build(f, obliqueForest(rand.New(rand.NewPCG(53, uint64(i))), c.features, c.parts, min(c.trees, 3), min(c.depth, 3)))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := tree.Decode(b)
		if err != nil {
			if e != nil {
				t.Fatal("an ensemble beside an error")
			}
			return
		}
		if again := encoded(t, e); !bytes.Equal(again, b) {
			t.Fatalf("decoded from\n%x\nencodes to\n%x", b, again)
		}
		d, k := e.Shape()
		if d*k > 1<<16 {
			return
		}
		x := make([]float64, 3*d)
		for i := range x {
			x[i] = []float64{0, math.NaN(), 1, math.Inf(-1), -2.5}[i%5]
		}
		dst, one := make([]float64, 3*k), make([]float64, k)
		if err := e.Predict(dst, x); err != nil {
			t.Fatal(err)
		}
		for r := range 3 {
			if err := e.Predict(one, x[r*d:(r+1)*d]); err != nil {
				t.Fatal(err)
			}
			for j, v := range one {
				if math.IsNaN(v) || math.Float64bits(v) != math.Float64bits(dst[r*k+j]) {
					t.Fatalf("row %d output %d: alone %v, in a batch %v", r, j, v, dst[r*k+j])
				}
			}
		}
	})
}
