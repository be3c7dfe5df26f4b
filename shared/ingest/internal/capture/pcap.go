package capture

import (
	"encoding/binary"
	"io"
)

// Magic numbers of pcap files.
//
// Source: draft-ietf-opsawg-pcap; magicModified: libpcap's savefile code,
// "Kuznetzov" format; magicIXIA: what Wireshark reads as "lcap", with four
// more bytes behind the file head and microseconds (tried with TShark 4.0.17).
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34
	magicIXIA     = 0x1c0001ac
	magicIXIASoft = 0x1c0001ab
)

// isPcap reports whether a number starts a pcap file.
func isPcap(magic uint32) bool {
	switch magic {
	case magicMicro, magicNano, magicModified, magicIXIA, magicIXIASoft:
		return true
	}
	return false
}

// swap says which files have the two lengths of a record the other way round.
type swap uint8

const (
	never  swap = iota
	always      // before version 2.3, and 543.0 of DG/UX
	maybe       // 2.3: some programs did, so the smaller one was captured
)

// openPcap reads the file head of 24 bytes.
func (r *Reader) openPcap() error {
	h, err := r.read(24)
	if err != nil {
		return r.cut(0, "the file head", err)
	}
	if isPcap(binary.BigEndian.Uint32(h)) {
		r.order = bigEndian
	}
	r.tick = 1000
	switch r.order.u32(h) {
	case magicNano:
		r.tick = 1
	case magicModified:
		r.extra = 8 // interface index, protocol, packet type
	}
	major, minor := r.order.u16(h[4:]), r.order.u16(h[6:])
	switch {
	case major == 543 && minor == 0, major == 2 && minor < 3:
		r.swapped = always
	case major == 2 && minor == 3:
		r.swapped = maybe
	case major != 2:
		return r.broken(0, "version %d.%d, want 2.4", major, minor)
	}
	r.link = uint16(r.order.u32(h[20:])) // the high half is flags about the frame check sequence
	if m := r.order.u32(h); m == magicIXIA || m == magicIXIASoft {
		if _, err := r.read(4); err != nil {
			return r.cut(0, "the file head", err)
		}
	}
	return nil
}

// recordAhead reads one packet if it lies ahead as a whole, as nearly always,
// and reports whether it does. Otherwise f is of no use.
func (r *Reader) recordAhead(f *Frame) bool {
	h, head := r.buf[r.from:r.to], 16+r.extra
	if len(h) < head {
		return false
	}
	end := int64(head) + r.record(h, f)
	if end > int64(len(h)) {
		return false
	}
	f.Data = h[head:end:end]
	r.pass(int(end))
	return true
}

// record reads the head of a packet and returns how many bytes were captured.
func (r *Reader) record(h []byte, f *Frame) int64 {
	// Seconds are unsigned, so the largest time is far below 2^63.
	f.Time = int64(r.order.u32(h))*1e9 + int64(r.order.u32(h[4:]))*r.tick
	captured, length := r.order.u32(h[8:]), r.order.u32(h[12:])
	if r.swapped == always || r.swapped == maybe && captured > length {
		captured, length = length, captured
	}
	f.Link, f.Length = r.link, length
	return int64(captured)
}

// nextRecord reads one packet.
func (r *Reader) nextRecord(f *Frame) error {
	if r.recordAhead(f) {
		return nil
	}
	start, head := r.at, 16+r.extra
	h, err := r.peek(head)
	switch {
	case err == io.EOF && len(h) == 0:
		return io.EOF
	case err != nil:
		return r.cut(start, "the head of a packet", err)
	}
	captured := r.record(h, f)
	r.pass(head)
	if f.Data, err = r.packet(captured, 0); err != nil {
		return r.cut(start, "a packet", err)
	}
	return nil
}
