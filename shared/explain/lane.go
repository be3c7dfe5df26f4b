package explain

import (
	"encoding/binary"

	"cloister/shared/model/tree"
)

// Rows meet tables in blocks, column by column. A lane has a byte per row of
// a block: the bin of a column, less a multiple of laneSpan and cut to a byte,
// so that eight rows are compared at once.

// laneSpan is how many thresholds a lane tells apart: a bin is above all of
// them at 255.
const laneSpan = 255

// lanes says which lanes an ensemble has. Column c has those from first[c] up
// to first[c+1].
type lanes struct{ first []int32 }

func lanesOf(e *tree.Ensemble) lanes {
	l := lanes{make([]int32, e.Columns()+1)}
	var visit func(t, i int)
	visit = func(t, i int) {
		n := e.Node(t, i)
		if !n.IsLeaf() {
			l.first[n.Column+1] = max(l.first[n.Column+1], int32(n.Bin/laneSpan+1))
			visit(t, n.Left)
			visit(t, n.Right)
		}
	}
	for t := range e.Trees() {
		root, _ := e.Root(t)
		visit(t, root)
	}
	for c := range e.Columns() {
		l.first[c+1] += l.first[c]
	}
	return l
}

// find returns the lane and the byte of a threshold.
func (l *lanes) find(column, bin uint16) (lane int32, low uint8) {
	return l.first[column] + int32(bin/laneSpan), uint8(bin % laneSpan)
}

func (l *lanes) count() int { return int(l.first[len(l.first)-1]) }

// block is some rows.
type block struct {
	rows   int
	stride int // bytes per lane, a multiple of 16
	lanes  []byte
	bins   []uint16 // of a row
}

// fill reads n rows of b, those listed, or without a list those from row at on.
func (k *block) fill(l *lanes, b *tree.Binned, list []int32, at, n int) {
	k.rows, k.stride = n, strideOf(n)
	if want := k.stride * l.count(); cap(k.lanes) < want {
		k.lanes = make([]byte, want)
	} else {
		k.lanes = k.lanes[:want]
	}
	row := func(r int) int { return at + r }
	if list != nil {
		row = func(r int) int { return int(list[r]) }
	}
	bytes, width := b.Bytes()
	if bytes != nil && l.single() {
		for c := range k.bins {
			if l.first[c] == l.first[c+1] {
				continue
			}
			lane := k.lanes[int(l.first[c])*k.stride:][:n]
			for r := range lane {
				lane[r] = bytes[row(r)*width+c]
			}
		}
		return
	}
	for r := range n {
		b.Row(k.bins, row(r))
		place := r
		for c, bin := range k.bins {
			for rest := int(l.first[c+1] - l.first[c]); rest > 0; rest-- {
				k.lanes[place] = uint8(min(bin, laneSpan))
				bin -= min(bin, laneSpan)
				place += k.stride
			}
		}
	}
}

// single says whether no column has more than one lane.
func (l *lanes) single() bool {
	for c := range len(l.first) - 1 {
		if l.first[c+1]-l.first[c] > 1 {
			return false
		}
	}
	return true
}

// strideOf returns the bytes of a lane of n rows.
func strideOf(n int) int { return (n + 15) &^ 15 }

// fewRows rows of a block are looked up one by one.
const fewRows = 4

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// number fills patterns, a byte per row, from a group's tests.
func (k *block) number(patterns []byte, tests []test) {
	if len(tests) == 0 {
		clear(patterns) // leaves that no row, or every row, reaches
	}
	for i, t := range tests {
		lane := k.lanes[int(t.lane)*k.stride:][:k.stride]
		out := patterns[:k.stride]
		above := uint64(t.bin) + 1
		low := above & 0x7f * ones
		// A byte x is at least 'above' if its high bit is greater, or equal
		// and the borrow of the rest does not happen: the majority of both
		// and of above's high bit being 0.
		small := (above>>7 - 1) & highs
		delta := uint64(int64(t.delta))
		for w := 0; w+8 <= len(lane) && w+8 <= len(out); w += 8 {
			x := binary.LittleEndian.Uint64(lane[w:])
			s := (x | highs) - low
			bits := (x&s | small&(x|s)) & highs >> 7
			// delta may be negative: sums of whole words are right when each
			// byte's sum is in 0..255, as a pattern is.
			sum := bits * delta
			if i > 0 {
				sum += binary.LittleEndian.Uint64(out[w:])
			}
			binary.LittleEndian.PutUint64(out[w:], sum)
		}
	}
}

// add adds the values of all groups to sums, which has rows values for each
// feature of t. room is for the stride of k.
func (t *tables) add(sums []float64, room *patterns, k *block) {
	if k.rows < fewRows {
		for r := range k.rows {
			t.addRow(sums[r:], k, r)
		}
		return
	}
	if fast := tree.UsedKernel(); fast != nil {
		t.addFast(fast, sums, room.places, k)
		return
	}
	patterns := room.numbers
	tests, slots, values := t.tests, t.slots, t.values
	for _, g := range t.groups {
		k.number(patterns, tests[:g.tests])
		tests = tests[g.tests:]
		n := int(g.slots)
		own := values[:n*int(g.patterns)]
		of := patterns[:k.rows]
		f := 0
		for ; f+2 <= n; f += 2 {
			a := sums[int(slots[f])*k.rows:][:k.rows]
			b := sums[int(slots[f+1])*k.rows:][:k.rows]
			for r, p := range of {
				v := own[int(p)*n+f:][:2]
				a[r] += v[0]
				b[r] += v[1]
			}
		}
		if f < n {
			a := sums[int(slots[f])*k.rows:][:k.rows]
			for r, p := range of {
				a[r] += own[int(p)*n+f]
			}
		}
		slots, values = slots[n:], values[len(own):]
	}
}

// patterns is room for those of a block's rows: their numbers or, for the
// kernel, where their values are.
type patterns struct {
	numbers []byte
	places  []uint32
}

// addFast is add with the kernel.
func (t *tables) addFast(fast *tree.Kernel, sums []float64, places []uint32, k *block) {
	words, slots, values := t.words, t.slots, t.values
	for _, g := range t.groups {
		n := int(g.slots)
		own := values[:n*int(g.patterns)]
		fast.Group(words[:2*g.tests], k.lanes, k.stride, k.rows, places, own, n, slots, sums)
		words, slots, values = words[2*g.tests:], slots[n:], values[len(own):]
	}
}

// wordsOf returns tests as the kernel reads them: the lane, then bin and delta.
// A pattern is a byte, so it is the same if what is added is taken modulo 256.
func wordsOf(tests []test) []uint32 {
	words := make([]uint32, 0, 2*len(tests))
	for _, t := range tests {
		words = append(words, uint32(t.lane), uint32(t.bin)|uint32(uint8(t.delta))<<8)
	}
	return words
}

// addRow is add for one row, whose value of feature f is sums[f*k.rows].
func (t *tables) addRow(sums []float64, k *block, r int) {
	lanes := k.lanes[r:]
	tests, slots, values := t.tests, t.slots, t.values
	for _, g := range t.groups {
		p := 0
		for _, t := range tests[:g.tests] {
			// all ones if the row is above
			above := (int(t.bin) - int(lanes[int(t.lane)*k.stride])) >> 63
			p += int(t.delta) & above
		}
		tests = tests[g.tests:]
		n := int(g.slots)
		of := slots[:n]
		for f, v := range values[p*n:][:n] {
			sums[int(of[f])*k.rows] += v
		}
		slots, values = slots[n:], values[n*int(g.patterns):]
	}
}
