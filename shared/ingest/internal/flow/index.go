package flow

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"cloister/shared/ingest/internal/capture"
)

// nowhere is the place of no flow. Its cell is both ends of the order by last
// packet: newer is the oldest flow, older the newest.
const nowhere = int32(0)

// index finds the places of live flows by the hash of their keys: chains of
// places in small cells, so that a search and the order by last packet stay
// in the processor's cache while flows do not. Most searches end at the head
// of a chain and need no cell.
type index struct {
	seed  [keyWords]uint64
	heads []head // of chains, a power of two of them
	cells []cell // by place
	free  int32  // places without a flow, linked by next
	n     int
}

// head is the first place of a chain, nowhere without, and its hash.
type head struct {
	sum uint32
	at  int32
}

// cell is what is needed of a flow to find it and to put it in order.
type cell struct {
	sum          uint32
	next         int32 // in its chain
	older, newer int32 // by last packet
}

const (
	keyWords   = 13 // of 32 bits: the key's 50 bytes
	firstHeads = 1 << 10
)

func newIndex() index {
	x := index{heads: make([]head, firstHeads), cells: make([]cell, 1, firstHeads)}
	random := maphash.MakeSeed()
	for i := range x.seed {
		x.seed[i] = maphash.Bytes(random, []byte{byte(i)}) | 1
	}
	return x
}

// sum returns the hash of a key. Which flows share a chain is nothing that a
// file can choose: two keys do with chance 2 / len(heads) at most, over the
// seeds, which are random. Nothing else depends on them.
//
// Source: Thorup, High Speed Hashing for Integers and Strings,
// arXiv:1504.06804, section 3.4 (vector multiply-shift).
func (x *index) sum(k *capture.Key) uint32 {
	le := binary.LittleEndian
	s := &x.seed
	h := s[0]*uint64(le.Uint32(k.A[:])) + s[1]*uint64(le.Uint32(k.B[:]))
	h += s[2]*(uint64(k.PortA)<<16|uint64(k.PortB)) + s[3]*(uint64(k.VLAN)) + s[4]*uint64(k.Protocol)
	if k.Tunnel != 0 {
		h += s[5]*uint64(uint32(k.Tunnel)) + s[6]*(k.Tunnel>>32)
	}
	if k.IPv6 {
		h += s[7]*uint64(le.Uint32(k.A[4:])) + s[8]*uint64(le.Uint32(k.A[8:])) + s[9]*uint64(le.Uint32(k.A[12:]))
		h += s[10]*uint64(le.Uint32(k.B[4:])) + s[11]*uint64(le.Uint32(k.B[8:])) + s[12]*uint64(le.Uint32(k.B[12:]))
	}
	return uint32(h >> 32)
}

// same reports whether two keys are equal: what differs most comes first, and
// nothing is called.
func same(a, b *capture.Key) bool {
	le := binary.LittleEndian
	return le.Uint64(a.A[:]) == le.Uint64(b.A[:]) && le.Uint64(a.B[:]) == le.Uint64(b.B[:]) &&
		a.PortA == b.PortA && a.PortB == b.PortB && a.Protocol == b.Protocol && a.IPv6 == b.IPv6 &&
		a.VLAN == b.VLAN && a.Tunnel == b.Tunnel &&
		le.Uint64(a.A[8:]) == le.Uint64(b.A[8:]) && le.Uint64(a.B[8:]) == le.Uint64(b.B[8:])
}

// head returns which chain a hash belongs to: its upper bits are the good ones.
func (x *index) head(sum uint32) *head {
	return &x.heads[uint64(sum)*uint64(len(x.heads))>>32]
}

// first and next return the places of a hash, nowhere after the last.
func (x *index) first(sum uint32) int32 {
	h := x.head(sum)
	if h.sum == sum || h.at == nowhere {
		return h.at
	}
	return x.next(h.at, sum)
}

func (x *index) next(at int32, sum uint32) int32 {
	for at = x.cells[at].next; at != nowhere && x.cells[at].sum != sum; at = x.cells[at].next {
	}
	return at
}

// put returns the place for a flow that starts: one that was dropped, or the
// next new one.
func (x *index) put(sum uint32) int32 {
	if x.n == len(x.heads) {
		x.grow()
	}
	at := x.free
	if at == nowhere {
		at = int32(len(x.cells))
		if len(x.cells) == cap(x.cells) {
			x.cells = slices.Grow(x.cells, len(x.cells))
		}
		x.cells = x.cells[:at+1]
	} else {
		x.free = x.cells[at].next
	}
	x.cells[at].sum = sum
	x.push(at)
	x.link(at)
	x.n++
	return at
}

// push makes a place the first of its chain.
func (x *index) push(at int32) {
	c := &x.cells[at]
	h := x.head(c.sum)
	c.next = h.at
	h.sum, h.at = c.sum, at
}

// drop gives the place of a flow that ended back.
func (x *index) drop(at int32) {
	x.unlink(at)
	h, after := x.head(x.cells[at].sum), x.cells[at].next
	if h.at == at {
		if h.at = after; after != nowhere {
			h.sum = x.cells[after].sum
		}
	} else {
		before := h.at
		for x.cells[before].next != at {
			before = x.cells[before].next
		}
		x.cells[before].next = after
	}
	x.cells[at].next, x.free = x.free, at
	x.n--
}

// grow doubles the chains. All places have a flow then.
func (x *index) grow() {
	x.heads = make([]head, 2*len(x.heads))
	for at := int(nowhere) + 1; at < len(x.cells); at++ {
		x.push(int32(at))
	}
}

// oldest returns the place of the flow that was silent for longest.
func (x *index) oldest() int32 { return x.cells[nowhere].newer }

// link makes a place the newest.
func (x *index) link(at int32) {
	newest := x.cells[nowhere].older
	x.cells[at].older, x.cells[at].newer = newest, nowhere
	x.cells[newest].newer, x.cells[nowhere].older = at, at
}

func (x *index) unlink(at int32) {
	older, newer := x.cells[at].older, x.cells[at].newer
	x.cells[older].newer, x.cells[newer].older = newer, older
}
