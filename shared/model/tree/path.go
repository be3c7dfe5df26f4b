package tree

import (
	"math"
	"slices"
)

const (
	// pathLanes is how many nodes a path of Kernel.ForestRow has at most. Its words are the
	// nodes' ranks, the addresses of a row's, and the ways out.
	pathLanes     = 8
	pathAddresses = pathLanes / 2
	pathWays      = pathAddresses + pathLanes
)

// maxWords is how many words trees may take: four times their nodes in the worst case.
var maxWords = 1 << 24

// forest fills what ForestRow reads; it returns false if that is too large.
func (a *Alone) forest(e *Ensemble) bool {
	a.Trees, a.Width = len(e.output), e.outputs
	if e.outputs == 1 || slices.Max(e.output) >= 0 {
		a.Width = 1
		a.Output = make([]int32, a.Trees)
		for t, o := range e.output {
			a.Output[t] = max(o, 0)
		}
	}
	a.Visits = make([]uint32, 2*max(a.Trees+aloneAbreast+1, upTo(a.Trees, aloneTrees)))
	p := planting{e: e, a: a, values: make([]uint32, len(e.table))}
	if e.narrow != nil && len(e.lay.columns) <= aloneColumns && a.Trees >= topTrees {
		p.below = a.tops(e)
		a.Starts = make([]uint32, upTo(a.Trees, aloneTrees)<<aloneTop)
	}
	for i, off := range e.leaf {
		if _, _, _, inner := e.split(i); !inner && p.values[off] == 0 {
			a.Paths += 2 * a.Width
			p.values[off] = uint32(a.Paths)
		}
	}
	p.all() // says how many words there are
	if p.free > maxWords {
		return false
	}
	a.Words = make([]uint32, p.free)
	p.ranks, p.words = loops.Place(a)
	p.all()
	for off, end := range p.values {
		if end == 0 {
			continue
		}
		for j, v := range e.table[off : off+a.Width] {
			bits, at := math.Float64bits(v), int(end)-2*(a.Width-j)
			a.Words[at], a.Words[at+1] = uint32(bits), uint32(bits>>32)
		}
	}
	return true
}

// planting puts trees where a row that comes alone goes down in few steps: in paths
// of nodes to each of which more rows went than to its sibling, since a row seldom
// leaves those.
type planting struct {
	e            *Ensemble
	a            *Alone
	below        []int             // nodes that Starts lead to
	ranks, words uint32            // addresses
	values       []uint32          // the word after those of a leaf, by its offset in the table
	gates        map[uint32]uint32 // addresses of paths without nodes, by where they lead to
	free         int               // words from here on
	wait         []waiting
	nowhere      uint32 // is written to while there are no words
}

// waiting is a node whose path has no place yet, and where to write its address.
type waiting struct {
	node int
	to   *uint32
}

// all places the paths of all trees.
func (p *planting) all() {
	a, e := p.a, p.e
	p.free, p.gates = a.Paths, map[uint32]uint32{}
	endless := p.gate(p.address(p.free))
	for i := range a.Starts {
		a.Starts[i] = endless
	}
	for i := 0; i < len(a.Visits); i += 2 {
		a.Visits[i] = endless
	}
	if a.Starts == nil {
		for t := range a.Trees {
			p.tree(t, e.root[t], &a.Visits[2*t])
		}
	}
	for i, node := range p.below {
		p.tree(i>>aloneTop, node, &a.Starts[i])
	}
}

// address returns that of word i.
func (p *planting) address(i int) uint32 { return p.words + 4*uint32(i) }

// word returns word i, to write it.
func (p *planting) word(i int) *uint32 {
	if p.a.Words == nil {
		return &p.nowhere
	}
	return &p.a.Words[i]
}

// tree places what is below node i of tree t and writes the address of its path.
func (p *planting) tree(t, i int, to *uint32) {
	p.lead(t, i, to)
	if len(p.wait) == 0 {
		*to = p.gate(*to)
	}
	for len(p.wait) > 0 {
		w := p.wait[len(p.wait)-1]
		p.wait = p.wait[:len(p.wait)-1]
		*w.to = p.address(p.free)
		p.path(t, w.node)
	}
}

// lead writes where to find node i of tree t: values of a leaf, or a path to come.
func (p *planting) lead(t, i int, to *uint32) {
	if _, inner := p.e.child(p.e.root[t], i); inner {
		p.wait = append(p.wait, waiting{i, to})
		return
	}
	*to = p.address(int(p.values[p.e.leaf[i]]) - 2*p.a.Width)
}

// path places the one that begins with node i of tree t.
func (p *planting) path(t, i int) {
	at, n := p.empty(), 0
	for ; n < pathLanes; n++ {
		threshold, col, base, inner := p.e.split(i)
		if !inner {
			break
		}
		c := p.e.lay.columns[col]
		rank, test := threshold+c.piece*p.e.lay.span, c.test
		heavy, light := p.e.root[t]+base, p.e.root[t]+base+1
		if p.e.cover[light] > p.e.cover[heavy] {
			heavy, light = light, heavy
		} else { // who has a higher rank leaves
			rank, test = wideSpan-1-rank, test+len(p.a.Ranks)/2
		}
		*p.word(at + n/2) |= uint32(rank) << (n % 2 * 16)
		*p.word(at + pathAddresses + n) = p.ranks + 2*uint32(test)
		p.lead(t, light, p.word(at+pathWays+n))
		i = heavy
	}
	p.free += n
	p.lead(t, i, p.word(at+pathWays+n))
}

// gate returns a path without nodes that leads to an address.
func (p *planting) gate(to uint32) uint32 {
	if p.gates[to] == 0 {
		at := p.empty()
		*p.word(at + pathWays) = to
		p.gates[to] = p.address(at)
	}
	return p.gates[to]
}

// empty places a path that every row leaves at once, and returns its place.
func (p *planting) empty() int {
	at := p.free
	none := p.ranks + 2*uint32(len(p.e.lay.tests)+1) // where a 0 is, and ranks are 0 or above
	for k := range pathLanes {
		*p.word(at + pathAddresses + k) = none
	}
	p.free += pathWays + 1
	return at
}
