package site

import (
	"cmp"
	"math"
)

// radix sorts rows by a number in passes of eleven bits, some thousand rows a
// step. It is stable, and a pass over digits that are all alike is skipped, so
// that classes and small counts take one or two.
type radix struct {
	index, spare []int32
	keys, other  []uint64
	key          func(int32) float64
	desc         bool
	first        uint64
	differ       uint64 // bits in which keys differ
	shift        uint
	phase        phaseOfRadix
	at           int // rows of the phase that are done
	start        [digits]int32
}

// phaseOfRadix is what a pass does: the keys are read once, then rows are
// counted by digit and moved.
type phaseOfRadix uint8

const (
	reading phaseOfRadix = iota
	counting
	moving
)

const (
	digitBits = 11
	digits    = 1 << digitBits
	radixStep = 1 << 16 // rows in a step
)

// newRadix sorts index by key, falling if desc. NaN comes last either way. It
// reads every key once.
func newRadix(index []int32, desc bool, key func(int32) float64) *radix {
	return &radix{index: index, spare: make([]int32, len(index)), keys: make([]uint64, len(index)), other: make([]uint64, len(index)), key: key, desc: desc}
}

// sortable maps v to a number whose unsigned order is that of v; -0 equals 0.
func sortable(v float64, desc bool) uint64 {
	if math.IsNaN(v) {
		return math.MaxUint64
	}
	k := math.Float64bits(v + 0)
	if k>>63 != 0 {
		k = ^k
	} else {
		k |= 1 << 63
	}
	if desc {
		k = ^k
	}
	return k
}

// step does a part of what is needed next and reports whether index is sorted.
func (r *radix) step() bool {
	end := min(r.at+radixStep, len(r.index))
	part := r.keys[r.at:end]
	switch r.phase {
	case reading:
		for k, i := range r.index[r.at:end] {
			part[k] = sortable(r.key(i), r.desc)
		}
		if r.at == 0 && end > 0 {
			r.first = part[0]
		}
		for _, k := range part {
			r.differ |= k ^ r.first
		}
	case counting:
		for _, k := range part {
			r.start[k>>r.shift&(digits-1)]++
		}
	case moving:
		for at, k := range part {
			d := k >> r.shift & (digits - 1)
			r.other[r.start[d]], r.spare[r.start[d]] = k, r.index[r.at+at]
			r.start[d]++
		}
	}
	if r.at = end; end < len(r.index) {
		return false
	}
	r.at = 0
	if r.phase == counting {
		var sum int32
		for d, n := range r.start {
			r.start[d], sum = sum, sum+n
		}
		r.phase = moving
		return false
	}
	if r.phase == moving {
		r.index, r.spare, r.keys, r.other = r.spare, r.index, r.other, r.keys
		r.shift += digitBits
	}
	for r.shift < 64 && r.differ>>r.shift&(digits-1) == 0 {
		r.shift += digitBits
	}
	r.phase, r.start = counting, [digits]int32{}
	return r.shift >= 64
}

// ranking sorts words in natural order by merging runs, some thousand words a
// step.
type ranking struct {
	words      []string
	a, b       []uint32 // a holds runs of length run; b is filled with runs twice as long
	run        int
	at         int // words of a sorted into runs, or merged into b
	left, stop int // within the merge under way: next of the left run and of the right one
	merging    bool
}

const (
	firstRun = 1 << 11
	mergeMax = 1 << 13 // words merged in a step
)

func newRanking(words []string) *ranking {
	r := &ranking{words: words, a: make([]uint32, len(words)), b: make([]uint32, len(words)), run: firstRun}
	for i := range r.a {
		r.a[i] = uint32(i)
	}
	return r
}

// step sorts or merges a few thousand words and reports whether all are in
// order.
func (r *ranking) step() bool {
	n := len(r.words)
	if !r.merging {
		if r.at < n {
			end := min(r.at+firstRun, n)
			arrange(r.a[r.at:end], func(i, j uint32) int { return natural(r.words[i], r.words[j]) })
			r.at = end
			return n <= firstRun
		}
		r.merging, r.at = true, 0
		r.left, r.stop = 0, min(r.run, n)
	}
	if r.run >= n {
		return true
	}
	for budget := mergeMax; budget > 0 && r.at < n; budget-- {
		from := r.at / (2 * r.run) * (2 * r.run) // of the pair of runs
		middle, end := min(from+r.run, n), min(from+2*r.run, n)
		if r.at == from {
			r.left, r.stop = from, middle
		}
		if r.left < middle && (r.stop == end || natural(r.words[r.a[r.left]], r.words[r.a[r.stop]]) <= 0) {
			r.b[r.at] = r.a[r.left]
			r.left++
		} else {
			r.b[r.at] = r.a[r.stop]
			r.stop++
		}
		r.at++
	}
	if r.at == n {
		r.a, r.b, r.at, r.run = r.b, r.a, 0, 2*r.run
	}
	return r.run >= n
}

// ranks returns the place of each word; equal words are in order of index.
func (r *ranking) ranks() []uint32 {
	out := make([]uint32, len(r.words))
	for place, i := range r.a {
		out[i] = uint32(place)
	}
	return out
}

// natural compares texts as people order them: runs of digits by their value,
// everything else byte by byte, so that 10.0.0.9 comes before 10.0.0.10.
func natural(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if !digit(a[i]) || !digit(b[j]) {
			if a[i] != b[j] {
				return cmp.Compare(a[i], b[j])
			}
			i, j = i+1, j+1
			continue
		}
		for i < len(a) && a[i] == '0' {
			i++
		}
		for j < len(b) && b[j] == '0' {
			j++
		}
		m, n := i, j
		for m < len(a) && digit(a[m]) {
			m++
		}
		for n < len(b) && digit(b[n]) {
			n++
		}
		if c := cmp.Or(cmp.Compare(m-i, n-j), cmp.Compare(a[i:m], b[j:n])); c != 0 {
			return c
		}
		i, j = m, n
	}
	return cmp.Or(cmp.Compare(len(a)-i, len(b)-j), cmp.Compare(a, b))
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
