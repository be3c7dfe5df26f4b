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
	stride int // bytes per lane, a multiple of 8
	lanes  []byte
	bins   []uint16 // of a row
}

// fill reads n rows of b from row at on.
func (k *block) fill(l *lanes, b *tree.Binned, at, n int) {
	k.rows, k.stride = n, (n+7)&^7
	if want := k.stride * l.count(); cap(k.lanes) < want {
		k.lanes = make([]byte, want)
	} else {
		k.lanes = k.lanes[:want]
	}
	for r := range n {
		b.Row(k.bins, at+r)
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
// feature of t. patterns is room for the stride of k.
func (t *tables) add(sums []float64, patterns []byte, k *block) {
	if k.rows < fewRows {
		for r := range k.rows {
			t.addRow(sums[r:], k, r)
		}
		return
	}
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
