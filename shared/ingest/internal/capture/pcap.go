package capture

import (
	"encoding/binary"
	"errors"
	"io"
)

// Magic numbers of pcap files.
//
// Source: draft-ietf-opsawg-pcap; magicModified: libpcap's savefile code,
// "Kuznetzov" format.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34
)

// openPcap reads the file head of 24 bytes.
func (r *Reader) openPcap() error {
	h, err := r.read(24)
	if err != nil {
		return r.cut(0, "the file head", err)
	}
	if m := binary.BigEndian.Uint32(h); m == magicMicro || m == magicNano || m == magicModified {
		r.order = binary.BigEndian
	}
	r.tick = 1000
	switch r.order.Uint32(h) {
	case magicNano:
		r.tick = 1
	case magicModified:
		r.extra = 8 // interface index, protocol, packet type
	}
	if major := r.order.Uint16(h[4:]); major != 2 {
		return r.broken(0, "version %d.%d, want 2.4", major, r.order.Uint16(h[6:]))
	}
	r.link = uint16(r.order.Uint32(h[20:])) // the high half is flags about the frame check sequence
	return nil
}

// nextRecord reads one packet.
func (r *Reader) nextRecord(f *Frame) error {
	start := r.at
	h, err := r.read(16 + r.extra)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return r.cut(start, "the head of a packet", err)
	}
	// Seconds are unsigned, so the largest time is far below 2^63.
	f.Time = int64(r.order.Uint32(h))*1e9 + int64(r.order.Uint32(h[4:]))*r.tick
	f.Link, f.Length = r.link, r.order.Uint32(h[12:])
	if f.Data, err = r.packet(int64(r.order.Uint32(h[8:]))); err != nil {
		return r.cut(start, "a packet", err)
	}
	return nil
}
