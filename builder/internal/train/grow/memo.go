package grow

import "math/bits"

// memo maps the values of a column that has few to numbers, by hashing: rows are
// counted by value and put into bins sooner so than by sorting and searching. Its
// keys are order keys; 0 marks a free slot, as it is the key of no number.
type memo struct {
	keys   []uint64
	values []uint32
	shift  uint // 64 less the exponent of len(keys)
}

// memoMost is the number of values up to which a column counts as having few:
// with more, the slots leave the innermost cache. Tests change it.
var memoMost = 1024

// newMemo returns a memo with room for n keys.
func newMemo(n int) *memo {
	exponent := bits.Len(uint(2*n + 1))
	return &memo{keys: make([]uint64, 1<<exponent), values: make([]uint32, 1<<exponent), shift: uint(64 - exponent)}
}

// slot returns where the key is, or the free slot where it belongs.
func (m *memo) slot(key uint64) int {
	// The multiplier is 2^64 over the golden ratio (Knuth 1973, section 6.4).
	at := key * 0x9e3779b97f4a7c15 >> (m.shift & 63)
	for m.keys[at] != key && m.keys[at] != 0 {
		at = (at + 1) & uint64(len(m.keys)-1)
	}
	return int(at)
}
