package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/bits"
)

// Block types. Any other is skipped by its length.
//
// Source: draft-ietf-opsawg-pcapng, sections 4 and 11.1.
const (
	blockSection   = 0x0a0d0d0a // the same in both byte orders
	blockInterface = 1
	blockOldPacket = 2
	blockSimple    = 3
	blockPacket    = 6
)

const (
	orderMagic     = 0x1a2b3c4d
	maxInterfaces  = 4096
	maxOptionBytes = 64 << 10
	optionTsresol  = 9
	optionTsoffset = 14
)

// device is an interface of the current section.
type device struct {
	link   uint16
	snap   uint32
	power  uint8 // of ten or of two, of a second's part
	two    bool
	offset int64 // seconds
}

func (r *Reader) openPcapng() error {
	head, err := r.peek(12)
	if err != nil {
		return r.cut(0, "the section header", err)
	}
	if binary.LittleEndian.Uint32(head[8:]) != orderMagic && binary.BigEndian.Uint32(head[8:]) != orderMagic {
		return r.broken(0, "no byte order magic in the section header")
	}
	return nil
}

// nextBlock reads blocks up to and including the next packet.
func (r *Reader) nextBlock(f *Frame) error {
	for {
		start := r.at
		h, err := r.read(8)
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return r.cut(start, "the head of a block", err)
		}
		kind, rawLength := r.order.u32(h), [4]byte(h[4:])
		left := int64(-12)
		if kind == blockSection {
			if h, err = r.read(4); err != nil {
				return r.cut(start, "a section header", err)
			}
			switch uint32(orderMagic) {
			case binary.LittleEndian.Uint32(h):
				r.order = littleEndian
			case binary.BigEndian.Uint32(h):
				r.order = bigEndian
			default:
				return r.broken(start, "no byte order magic in the section header")
			}
			r.interfaces = r.interfaces[:0]
			left -= 4
		}
		length := r.order.u32(rawLength[:])
		left += int64(length)
		if left < 0 || length%4 != 0 {
			return r.broken(start, "a block cannot be %d bytes long", length)
		}
		found, err := r.body(start, kind, left, f)
		if err != nil {
			return r.cut(start, "a block", err)
		}
		if h, err = r.read(4); err != nil {
			return r.cut(start, "a block", err)
		}
		if again := r.order.u32(h); again != length {
			return r.broken(start, "a block is %d bytes long at its start and %d at its end", length, again)
		}
		if found {
			return nil
		}
	}
}

// blockAhead reports whether the next block holds a packet and lies ahead as a
// whole.
func (r *Reader) blockAhead() bool {
	h := r.buf[r.from:r.to]
	if len(h) < 12 {
		return false
	}
	switch r.order.u32(h) {
	case blockOldPacket, blockPacket, blockSimple:
		return int64(r.order.u32(h[4:])) <= int64(len(h))
	}
	return false
}

// body reads the left bytes between the head of a block and its closing
// length, and reports whether they hold a packet.
func (r *Reader) body(start int64, kind uint32, left int64, f *Frame) (bool, error) {
	var fixed int64
	switch kind {
	case blockInterface:
		fixed = 8
	case blockOldPacket, blockPacket:
		fixed = 20
	case blockSimple:
		fixed = 4
	default:
		return false, r.skip(left)
	}
	if left < fixed {
		return false, r.broken(start, "a block of type %d has only %d bytes", kind, left)
	}
	h, err := r.read(int(fixed))
	if err != nil {
		return false, err
	}
	left -= fixed
	if kind == blockInterface {
		return false, r.device(start, h, left)
	}
	var id, captured uint32
	var ticks uint64
	switch kind {
	case blockSimple:
		f.Length = r.order.u32(h)
		captured = uint32(min(int64(f.Length), left))
		if len(r.interfaces) > 0 && r.interfaces[0].snap > 0 {
			captured = min(captured, r.interfaces[0].snap)
		}
	case blockOldPacket:
		id = uint32(r.order.u16(h))
	case blockPacket:
		id = r.order.u32(h)
	}
	if int64(id) >= int64(len(r.interfaces)) {
		return false, r.broken(start, "a packet of interface %d, of which the section has %d", id, len(r.interfaces))
	}
	on := r.interfaces[id]
	f.Link, f.Time = on.link, r.last // a simple packet has no time: that of the packet before it
	if kind != blockSimple {
		ticks = uint64(r.order.u32(h[4:]))<<32 | uint64(r.order.u32(h[8:]))
		captured, f.Length = r.order.u32(h[12:]), r.order.u32(h[16:])
		f.Time = on.time(ticks)
	}
	if int64(captured) > left {
		return false, r.broken(start, "a packet of %d bytes in a block with room for %d", captured, left)
	}
	r.last = f.Time
	left -= int64(captured)
	if f.Data, err = r.packet(int64(captured), left+4); err != nil { // and the closing length
		return false, err
	}
	return true, r.skip(left)
}

// device reads the rest of an interface description.
func (r *Reader) device(start int64, h []byte, left int64) error {
	if len(r.interfaces) == maxInterfaces {
		return r.broken(start, "more than %d interfaces in a section", maxInterfaces)
	}
	d := device{link: r.order.u16(h), snap: r.order.u32(h[4:]), power: 6}
	// Options are read one by one, so that none sizes a buffer.
	for budget := int64(maxOptionBytes); left >= 4 && budget >= 4; {
		h, err := r.read(4)
		if err != nil {
			return err
		}
		code, size := r.order.u16(h), int64(r.order.u16(h[2:]))
		left, budget = left-4, budget-4
		if code == 0 {
			break
		}
		padded := min((size+3)&^3, left)
		left, budget = left-padded, budget-padded
		if take := int(min(padded, 8)); take > 0 && (code == optionTsresol && size >= 1 || code == optionTsoffset && size == 8 && take == 8) {
			if h, err = r.read(take); err != nil {
				return err
			}
			padded -= int64(take)
			if code == optionTsresol {
				d.power, d.two = h[0]&0x7f, h[0]&0x80 != 0
			} else {
				d.offset = int64(r.order.u64(h))
			}
		}
		if err := r.skip(padded); err != nil {
			return err
		}
	}
	r.interfaces = append(r.interfaces, d)
	return r.skip(left)
}

// time returns nanoseconds since 1970 for a count of ticks.
func (d device) time(ticks uint64) int64 {
	const second = 1_000_000_000
	hi, lo := bits.Mul64(ticks, second)
	var ns uint64
	switch {
	case d.two && d.power >= 64:
		ns = hi >> (d.power - 64)
	case d.two:
		ns = quotient(hi, lo, 1<<d.power)
	case d.power > 28: // 2^64 ticks are below a nanosecond
		ns = 0
	case d.power > 9:
		ns = ticks / power10(d.power-9)
	default:
		ns = quotient(hi, lo, power10(d.power))
	}
	t := int64(min(ns, math.MaxInt64))
	switch {
	case d.offset > (math.MaxInt64-t)/second:
		return math.MaxInt64
	case d.offset < -t/second:
		return 0
	}
	return max(t+d.offset*second, 0)
}

// power10 returns 10^n, n at most 19.
func power10(n uint8) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// quotient returns the 128 bits of hi and lo divided by div, at most 2^64-1.
func quotient(hi, lo, div uint64) uint64 {
	if hi >= div {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, div)
	return q
}
