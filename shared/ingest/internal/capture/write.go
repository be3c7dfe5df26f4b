package capture

import "encoding/binary"

// Writer makes a capture of packets that a [Reader] returned: pcap of pcap,
// with the same link and resolution, and of pcapng a pcapng of one section
// with nanoseconds and an interface for each link. It is little-endian.
// Options of interfaces and packets are not carried over.
type Writer struct {
	ng    bool
	tick  int64
	link  uint16
	links map[uint16]uint32 // to interface
}

// NewWriter returns a writer in the format of r.
func NewWriter(r *Reader) *Writer {
	return &Writer{ng: r.format == "pcapng", tick: r.tick, link: r.link, links: map[uint16]uint32{}}
}

// AppendHead appends what a file starts with.
func (w *Writer) AppendHead(b []byte) []byte {
	le := binary.LittleEndian
	if w.ng {
		b = le.AppendUint32(b, blockSection)
		b = le.AppendUint32(b, 28)
		b = le.AppendUint32(b, orderMagic)
		b = le.AppendUint32(b, 1) // version 1.0
		b = le.AppendUint64(b, 1<<64-1)
		return le.AppendUint32(b, 28)
	}
	magic := uint32(magicMicro)
	if w.tick == 1 {
		magic = magicNano
	}
	b = le.AppendUint32(b, magic)
	b = le.AppendUint32(b, 2|4<<16)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, MaxPacket)
	return le.AppendUint32(b, uint32(w.link))
}

// AppendPacket appends a packet.
func (w *Writer) AppendPacket(b []byte, f *Frame) []byte {
	le := binary.LittleEndian
	n := uint32(len(f.Data))
	if !w.ng {
		b = le.AppendUint32(b, uint32(f.Time/1e9))
		b = le.AppendUint32(b, uint32(f.Time%1e9/w.tick))
		b = le.AppendUint32(b, n)
		b = le.AppendUint32(b, f.Length)
		return append(b, f.Data...)
	}
	id, ok := w.links[f.Link]
	if !ok {
		id = uint32(len(w.links))
		w.links[f.Link] = id
		b = le.AppendUint32(b, blockInterface)
		b = le.AppendUint32(b, 32)
		b = le.AppendUint32(b, uint32(f.Link))
		b = le.AppendUint32(b, MaxPacket)
		b = le.AppendUint32(b, optionTsresol|1<<16)
		b = le.AppendUint32(b, 9)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, 32)
	}
	padded := (n + 3) &^ 3
	b = le.AppendUint32(b, blockPacket)
	b = le.AppendUint32(b, 32+padded)
	b = le.AppendUint32(b, id)
	b = le.AppendUint32(b, uint32(uint64(f.Time)>>32))
	b = le.AppendUint32(b, uint32(f.Time))
	b = le.AppendUint32(b, n)
	b = le.AppendUint32(b, f.Length)
	b = append(b, f.Data...)
	b = append(b, 0, 0, 0)[:len(b)+int(padded-n)]
	return le.AppendUint32(b, 32+padded)
}
