package tree

import (
	"bytes"
	"errors"
	"math"
	"math/bits"
	"testing"

	"cloister/shared/wire"
)

// A craft is a file of stumps, written symbol by symbol, so that it can
// break the rules that AppendBinary keeps. This test is inside the package
// because only the coder can write such a file.
type craft struct {
	kind        Kind
	outputs     int
	directions  uint64
	grid, shift uint64
	keys        []uint64 // first edge on the grid, then steps less 1
	sets        []set
	cover, leaf int
	covers      [2]float64
	values      []float64 // of both leaves
	test, rank  int
	outside     int
	most        int // of the mixed leaf of a forest
	stumps      int // all alike
	third       bool
}

func crafted() craft {
	return craft{
		kind: Boosting, outputs: 1, directions: 1, grid: 0, shift: 63, keys: []uint64{3}, // 1.5
		cover: coverWhole, leaf: leafSingle, covers: [2]float64{3, 5}, values: []float64{1, 2}, stumps: 1,
	}
}

// craftedForest has a leaf of counts 2 and 4 and 4, and a pure one.
func craftedForest() craft {
	c := crafted()
	c.kind, c.outputs, c.leaf, c.most = Forest, 3, leafCounts, 1
	c.covers = [2]float64{10, 5}
	c.values = []float64{0.2, 0.4, 0.4, 0, 1, 0}
	return c
}

func (c craft) encode() []byte {
	var w wire.Writer
	v := byte(version)
	if c.third {
		v = versionThird
	}
	w.Bytes([]byte{'T', 'R', 'E', 'E', v, byte(c.kind), 0})
	w.Uvarint(4) // features
	w.Uvarint(uint64(c.outputs))
	w.Uvarint(0)
	if c.kind == Boosting {
		w.F64(0)
	}
	w.Uvarint(uint64(c.stumps))
	w.U8(outputsVector)
	w.Uvarint(uint64(3 * c.stumps)) // nodes
	shape := []byte{0b001, 0b001001}[c.stumps-1]
	if !c.third {
		w.U8(shape)
	}

	e := &Ensemble{kind: c.kind, features: 4, outputs: c.outputs, table: c.values}
	n := numeric{edges: make([]float64, len(c.keys)), right: -1, left: -1}
	if c.directions&1 != 0 {
		n.right = 0
	}
	if c.directions&2 != 0 {
		n.left = 0
	}
	e.lay.numeric, e.lay.sets = []numeric{n}, c.sets
	if err := e.lay.number(); err != nil {
		panic(err)
	}
	f := newFormat(newWriter(), e)
	f.setVersion(false, c.third)
	f.cover, f.leaf = c.cover, c.leaf
	c.layout(f)
	f.raw(2, uint64(c.cover))
	f.raw(2, uint64(c.leaf))
	if c.third {
		nodes := shapes{bits: []byte{shape}, nodes: 3 * c.stumps}
		if err := nodes.walk(c.stumps, f.shape); err != nil {
			panic(err)
		}
	}
	f.start()
	for range c.stumps {
		c.tree(f)
	}
	w.Bytes(f.finish())
	return w.Finish()
}

// edges writes keys as version 3 does; above the first, keys are steps less 1.
func (c craft) edges(f *format, m *layoutModels) {
	by := &m.keys[c.grid%uint64(len(grids))]
	before, zeros := int64(0), 0
	for i, k := range c.keys {
		key := int64(k)
		if i > 0 {
			key += before + 1
		}
		last := zeros
		zeros = min(bits.TrailingZeros64(uint64(key)), allZeros)
		f.symbol(by.zeros[:], by.after[last][:], 6, zeros)
		if zeros < allZeros && i == 0 {
			f.firstKey(by, key, zeros)
		} else if zeros < allZeros {
			f.number(&by.step, (uint64(key>>zeros)-uint64(before>>zeros)-1)>>1)
		}
		before = key
	}
}

func (c craft) layout(f *format) {
	var m layoutModels
	if c.third {
		m.keys = new([len(grids)]keyModels)
	}
	f.number(&m.count, 1) // numeric features
	f.number(&m.count, 0) // feature 0
	f.raw(2, c.directions)
	f.number(&m.count, uint64(len(c.keys)))
	f.raw(2, c.grid)
	if c.third {
		c.edges(f, &m)
		c.keys = nil
	} else {
		f.raw(6, c.shift)
	}
	for i, k := range c.keys {
		if i == 0 {
			f.raw(64, k)
		} else {
			f.number(&m.delta, k)
		}
	}
	f.number(&m.count, uint64(len(c.sets)))
	for i := range c.sets {
		f.set(&m, &c.sets[i])
	}
}

func (c craft) tree(f *format) {
	f.symbol(f.test[0], f.testSpecial.at(0), f.testWidth, c.test)
	switch {
	case c.test >= len(f.e.lay.tests): // the reader stops here
	case f.e.lay.tests[c.test].numeric >= 0:
		f.bit(&f.outside, c.outside)
		f.rankIn(0, 0, len(c.keys), c.rank)
	}
	d := draft{output: -1, test: []int32{0, -1, -1}, cover: []float64{0, c.covers[0], c.covers[1]}, leaf: []uint32{0, 0, uint32(c.outputs)}}
	var left sibling
	if c.leaf == leafCounts {
		context := 0
		if c.third {
			context = min(bits.Len64(uint64(c.covers[0])), 3)
			f.shortNumber(&f.whole[1], uint64(c.covers[0]))
		} else {
			f.number(&f.whole[1], uint64(c.covers[0]))
		}
		f.symbol(f.class.at(context), f.classSpecial.at(c.test+1), f.leafWidth, c.outputs+c.most)
		f.mixedLeaf(c.values[:c.outputs], c.most, c.covers[0])
		left = sibling{2 + c.outputs + c.most, 4}
		f.err = nil
	} else {
		left = f.leafNode(&d, 1, 1, c.test+1, sibling{})
	}
	f.leafNode(&d, 2, 1, c.test+1, left)
}

func TestDecode_readsWhatIsCrafted(t *testing.T) {
	two := crafted()
	two.stumps = 2
	for i, c := range []craft{crafted(), craftedForest(), two, crafted(), craftedForest(), two} {
		what := [3]string{"boosting", "forest", "two stumps"}[i%3]
		c.third = i >= 3
		b := c.encode()
		e, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if again, err := e.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: decoded from\n%x\nencodes to\n%x (%v)", what, b, again, err)
		}
	}
}

func TestDecode_refusesWhatNoWriterWrites(t *testing.T) {
	negativeZero := math.Copysign(0, -1)
	some := set{1, false, []uint64{5}}
	for _, c := range []struct {
		what   string
		forest bool
		spoil  func(c *craft)
	}{
		{"no direction", false, func(c *craft) { c.directions = 0 }},
		{"a direction without splits", false, func(c *craft) { c.directions = 3 }},
		{"an edge without splits", false, func(c *craft) { c.keys, c.shift, c.stumps = []uint64{3, 0}, 0, 2 }},
		{"grid 3", false, func(c *craft) { c.grid = 3 }},
		{"a longer grid", false, func(c *craft) { c.grid, c.keys[0] = 1, uint64(math.Float32bits(1.5)) }},
		{"another shift", false, func(c *craft) { c.shift = 0 }},
		{"an edge off the grid of halves", false, func(c *craft) { c.keys[0] = 1 << 50 }},
		{"an edge off the grid of float32", false, func(c *craft) { c.grid, c.keys[0] = 1, 1<<40 }},
		{"an edge NaN", false, func(c *craft) { c.grid, c.keys[0] = 2, math.Float64bits(math.NaN()) }},
		{"an edge -0", false, func(c *craft) { c.grid, c.keys[0] = 1, math.MaxUint64 }},
		{"a set without splits", false, func(c *craft) { c.sets = []set{some} }},
		{"a set with a zero word", false, func(c *craft) { c.sets, c.test = []set{{1, false, []uint64{5, 0}}}, 1 }},
		{"a test beyond", false, func(c *craft) { c.sets, c.test = []set{some, {1, true, []uint64{5}}}, 3 }},
		{"a rank called outside that is not", false, func(c *craft) { c.outside = 1 }},
		{"covers of 0", false, func(c *craft) { c.covers = [2]float64{} }},
		{"covers that overflow", false, func(c *craft) { c.cover, c.covers = coverDouble, [2]float64{1e308, 1e308} }},
		{"an infinite cover", false, func(c *craft) { c.cover, c.covers[0] = coverDouble, math.Inf(1) }},
		{"a cover NaN", false, func(c *craft) { c.cover, c.covers[0] = coverDouble, math.NaN() }},
		{"a cover -0", false, func(c *craft) { c.cover, c.covers = coverSingle, [2]float64{negativeZero, 1.5} }},
		{"a huge whole cover", false, func(c *craft) { c.covers[0] = wholeLimit }},
		{"longer covers", false, func(c *craft) { c.cover = coverSingle }},
		{"longest covers", false, func(c *craft) { c.cover, c.covers[0] = coverDouble, 1.5 }},
		{"cover mode 3", false, func(c *craft) { c.cover = 3 }},
		{"longer leaves", false, func(c *craft) { c.leaf = leafDouble }},
		{"a leaf value NaN", false, func(c *craft) { c.leaf, c.values[0] = leafDouble, math.NaN() }},
		{"a leaf value -0", false, func(c *craft) { c.values[0] = negativeZero }},
		{"a leaf written twice", false, func(c *craft) { c.values[1] = c.values[0] }},
		{"another class called the most", true, func(c *craft) { c.most = 0 }},
		{"a later class called the most", true, func(c *craft) { c.most = 2 }},
		{"a count above the cover", true, func(c *craft) { c.values[2], c.values[0] = 0.9, 0.9 }},
		{"classes above the cover", true, func(c *craft) { c.covers[0] = 2; c.values = []float64{0.5, 1, 0.5, 0, 1, 0} }},
		{"a leaf of one class without rows", true, func(c *craft) { c.covers[1] = 0 }},
		{"one class called mixed", true, func(c *craft) { c.values[0], c.values[2] = 0, 0 }},
		{"fractions with longer leaves", true, func(c *craft) { c.leaf = leafDouble }},
	} {
		for _, third := range []bool{false, true} {
			w := crafted()
			if c.forest {
				w = craftedForest()
			}
			c.spoil(&w)
			if w.third = third; third && c.what == "another shift" {
				continue // has none
			}
			if e, err := Decode(w.encode()); !errors.Is(err, ErrFormat) || e != nil {
				t.Errorf("%s, version 3 %v: got %v, %v, want ErrFormat", c.what, third, e, err)
			}
		}
	}
}

// layoutFailure writes a layout and returns what reading it fails with.
func layoutFailure(l layout, third bool) error {
	w := newFormat(newWriter(), &Ensemble{features: 4, lay: l})
	w.third = third
	w.layout(20)
	r := newFormat(newReader(w.finish()), &Ensemble{features: 4})
	r.third = third
	r.layout(20)
	return r.failure()
}

// What is wrong here alone: the tests above cannot have splits on it all.
func TestLayout_refusesWhatNewNeverMakes(t *testing.T) {
	a, b := set{1, false, []uint64{5}}, set{1, true, []uint64{5}}
	for what, sets := range map[string][]set{"in order": {a, b}, "out of order": {b, a}, "twice": {a, a}, "zero word": {{1, false, []uint64{5, 0}}}} {
		if err := layoutFailure(layout{sets: sets}, false); (err == nil) != (what == "in order") {
			t.Errorf("sets %s: got %v", what, err)
		}
	}
	for what, edges := range map[string][]float64{"0": {0, 0.1}, "-0": {math.Copysign(0, -1), 0.1}} {
		for _, third := range []bool{false, true} {
			if err := layoutFailure(layout{numeric: []numeric{{edges: edges, left: -1}}}, third); (err == nil) != (what == "0") {
				t.Errorf("edge %s: got %v", what, err)
			}
		}
	}
}

func TestLayout_refusesStepsOutOfRange(t *testing.T) {
	for _, c := range []struct {
		what        string
		grid, shift uint64
		keys        []uint64
		ok          bool
	}{
		{"halves", 0, 0, []uint64{3, 0}, true},
		{"halves by 4", 0, 2, []uint64{3, 0}, true},
		{"0 after 1", 0, 0, []uint64{1, math.MaxUint64 - 1}, false},
		{"past the last key", 2, 0, []uint64{1 << 60, math.MaxUint64 - 1<<61 - 1}, false},
		{"shifted out", 2, 63, []uint64{5, 1}, false},
		{"past the last half", 0, 0, []uint64{3, 1 << 45}, false},
		{"past the last float32", 1, 0, []uint64{3, 1 << 33}, false},
		{"to NaN", 2, 0, []uint64{1 << 60, 1<<63 - 1<<60 - 2}, false},
	} {
		for _, third := range []bool{false, true} {
			craft := crafted()
			craft.grid, craft.shift, craft.keys, craft.third = c.grid, c.shift, c.keys, third
			w := newFormat(newWriter(), &Ensemble{features: 4})
			craft.layout(w)
			r := newFormat(newReader(w.finish()), &Ensemble{features: 4})
			r.third = third
			r.layout(20)
			if err := r.failure(); (err == nil) != (c.ok || third && c.what == "shifted out") {
				t.Errorf("%s, version 3 %v: got %v", c.what, third, err)
			}
		}
	}
}

// A range is rarely a multiple of the shares: what the division leaves over
// belongs to nobody.
func TestCoder_refusesWhatIsNoShare(t *testing.T) {
	for _, total := range []uint64{3, 7, 1000003} {
		w := newWriter()
		unit, _ := w.target(total)
		w.narrow(unit*total, w.rng-unit*total)
		r := newReader(w.finish())
		if _, point := r.target(total); !r.broken || point >= total {
			t.Errorf("%d shares: broken %v, point %d", total, r.broken, point)
		}
	}
}

// obliqueCraft is a file of one oblique split whose header says features.
func obliqueCraft(features int, spoil func(e *Ensemble)) []byte {
	e, err := New(Source{Kind: Isolation, Features: 2, Outputs: 1, SampleSize: 4, Scale: []float64{1, 1}, Oblique: []ObliqueTree{{
		Left: []int32{1, 0, 0}, Right: []int32{2, 0, 0}, Cover: []float64{0, 1, 3},
		Start: []int32{0, 2, 2, 2}, Feature: []int32{0, 1}, Weight: []int8{1, -1}, Point: []float64{0.1, 2},
	}}})
	if err != nil {
		panic(err)
	}
	spoil(e)
	e.oblique.scale = e.oblique.scale[:features]
	var w wire.Writer
	w.Bytes([]byte{'T', 'R', 'E', 'E', versionOblique, byte(Isolation), 0, byte(features), 1, 4})
	b, err := e.appendOblique(nil, &w)
	if err != nil {
		panic(err)
	}
	return b
}

func TestDecode_refusesObliqueFilesThatNoWriterWrites(t *testing.T) {
	b := obliqueCraft(2, func(*Ensemble) {})
	e, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
		t.Fatalf("%x encodes to %x, %v", b, again, err)
	}
	for _, c := range []struct {
		what     string
		features int
		spoil    func(e *Ensemble)
	}{
		{"a feature too many", 1, func(*Ensemble) {}},
		{"a feature beyond", 1, func(e *Ensemble) { e.oblique.parts[1].feature = 2 }},
		{"a second feature beyond", 2, func(e *Ensemble) { e.oblique.parts[0].feature, e.oblique.parts[1].feature = 1, 2 }},
		{"a weight of 0", 2, func(e *Ensemble) { e.oblique.parts[1].weight = 0 }},
		{"a point -0", 2, func(e *Ensemble) { e.oblique.parts[0].point, e.oblique.single = math.Copysign(0, -1), true }},
		{"a point NaN", 2, func(e *Ensemble) { e.oblique.parts[0].point = math.NaN() }},
		{"a point too far", 2, func(e *Ensemble) { e.oblique.parts[0].point = 1e101 }},
		{"points longer than they need be", 2, func(e *Ensemble) { e.oblique.parts[0].point = 0.5 }},
		{"a factor of 0", 2, func(e *Ensemble) { e.oblique.scale[1] = 0 }},
		{"a factor that is infinite", 2, func(e *Ensemble) { e.oblique.scale[0] = math.Inf(1) }},
		{"a cover too large", 2, func(e *Ensemble) { e.cover[1] = maxSample + 1 }},
		{"no cover", 2, func(e *Ensemble) { clear(e.cover) }},
	} {
		if e, err := Decode(obliqueCraft(c.features, c.spoil)); err == nil || e != nil {
			t.Errorf("%s: got %v, %v, want an error", c.what, e, err)
		}
	}
	b = obliqueCraft(2, func(*Ensemble) {})
	b[5], b[9] = byte(Forest), 0
	if _, err := Decode(b); !errors.Is(err, ErrFormat) {
		t.Errorf("a forest: got %v", err)
	}
	for _, trees := range []byte{0, 2, 4} {
		b := obliqueCraft(2, func(*Ensemble) {})
		b[10] = trees
		if _, err := Decode(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%d trees: got %v", trees, err)
		}
	}
}
