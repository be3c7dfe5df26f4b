// Package capture turns the bytes of a packet capture into what a flow needs
// of each packet. It hides the containers (pcap, pcapng), the link layers, the
// tunnels and the header chain; it knows nothing of flows.
//
//	r, err := capture.NewReader(file)
//	var d capture.Decoder
//	var f capture.Frame
//	var p capture.Packet
//	for {
//		err := r.Next(&f)          // io.EOF at the end
//		for ok := d.Decode(&f, &p); ok; ok = d.Early(&f, &p) { use(p) }
//	}
//
// Every byte is hostile. No length in the file sizes an allocation: a Reader
// holds a stretch of at most 256 KiB of the file, one packet of at most
// [MaxPacket] bytes, at most 4,096 interfaces and 64 kB of a block's options; a
// Decoder remembers the ports of at most 4,096 fragmented packets.
//
// Read: pcap with microseconds, nanoseconds, the modified record head of
// a1b2cd34, the head of IXIA's files and the swapped lengths of versions
// before 2.4, both byte orders; pcapng with any number of sections and
// interfaces. Not read: the links that [Decoder.Skipped] names, L2TP, CAPWAP,
// Ethernet in MPLS, all but the first packet of an 802.11 A-MSDU, and what is
// encrypted.
package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxPacket is how many bytes of a packet are kept, libpcap's own limit. The
// rest of a longer one is skipped.
const MaxPacket = 262144

// Error means that the container is malformed or cut short. The packets before
// Offset are good.
type Error struct {
	Format string // "pcap" or "pcapng"
	Offset int64  // of the record or block, in bytes
	What   string
	cause  error
}

// Error returns format, position and reason.
func (e *Error) Error() string { return fmt.Sprintf("%s: byte %d: %s", e.Format, e.Offset, e.What) }

// Unwrap returns [io.ErrUnexpectedEOF] for a file that was cut short and nil
// otherwise.
func (e *Error) Unwrap() error { return e.cause }

// Frame is one captured packet as the container has it.
type Frame struct {
	Number int64  // of the packet in the file, the first is 1
	Time   int64  // nanoseconds since 1970 UTC, 0 to 2^63-1: what lies outside is moved to the end it passed
	Link   uint16 // LINKTYPE_ number
	Length uint32 // on the wire, as the file says; Data may be shorter
	Data   []byte // valid until the next call of Next
}

// Recognise returns "pcap" or "pcapng" when head, four bytes or more, starts
// such a file, and "" otherwise.
func Recognise(head []byte) string {
	if len(head) < 4 {
		return ""
	}
	if binary.BigEndian.Uint32(head) == blockSection {
		return "pcapng"
	}
	if isPcap(binary.LittleEndian.Uint32(head)) || isPcap(binary.BigEndian.Uint32(head)) {
		return "pcap"
	}
	return ""
}

// Reader reads the packets of one file in order. It is not safe for concurrent
// use.
type Reader struct {
	window
	order  byteOrder
	format string
	count  int64
	first  uint16 // link, of the first packet
	mixed  bool   // links of other names as well
	err    error  // sticky

	// pcap
	link    uint16
	tick    int64 // nanoseconds
	swapped swap
	extra   int // bytes of the record head after the usual 16

	// pcapng
	interfaces []device
	last       int64 // time of the packet before
}

// NewReader reads the head of a pcap or pcapng file. It returns an [*Error], or
// an error of in.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{window: window{in: in, buf: make([]byte, firstWindow)}}
	head, err := r.peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch r.format = Recognise(head); r.format {
	case "pcap":
		err = r.openPcap()
	case "pcapng":
		err = r.openPcapng()
	default:
		return nil, &Error{Format: "capture", What: "neither pcap nor pcapng"}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Format returns "pcap" or "pcapng".
func (r *Reader) Format() string { return r.format }

// Packets returns how many packets Next has returned.
func (r *Reader) Packets() int64 { return r.count }

// Next reads the next packet into f. It returns [io.EOF] at the end of the
// file; an [*Error], and an error of the underlying reader, ends the file as
// well. f is then of no use.
func (r *Reader) Next(f *Frame) error {
	if r.err != nil {
		return r.err
	}
	if r.format == "pcap" {
		r.err = r.nextRecord(f)
	} else {
		r.err = r.nextBlock(f)
	}
	if r.err != nil {
		return r.err
	}
	r.number(f)
	return nil
}

// nextAhead is Next if the next packet was read ahead as a whole, so that the
// data of those before it stays valid, and reports whether there was one.
func (r *Reader) nextAhead(f *Frame) bool {
	switch {
	case r.err != nil:
		return false
	case r.format != "pcap":
		return r.blockAhead() && r.Next(f) == nil
	case !r.recordAhead(f):
		return false
	}
	r.number(f)
	return true
}

// number counts a packet and notes its link.
func (r *Reader) number(f *Frame) {
	r.count++
	f.Number = r.count
	if r.count == 1 {
		r.first = f.Link
	} else if f.Link != r.first && !r.mixed {
		r.mixed = LinkName(f.Link) != LinkName(r.first)
	}
}

// Links names the link of the packets so far, and says whether there are links
// of other names.
func (r *Reader) Links() string {
	switch {
	case r.count == 0:
		return "no link yet"
	case r.mixed:
		return LinkName(r.first) + " and others"
	}
	return LinkName(r.first)
}

// byteOrder is that of the numbers in a file. It is no interface, since it is
// asked four times a packet.
type byteOrder bool

const (
	littleEndian byteOrder = false
	bigEndian    byteOrder = true
)

func (o byteOrder) u16(b []byte) uint16 {
	if o == bigEndian {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (o byteOrder) u32(b []byte) uint32 {
	if o == bigEndian {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (o byteOrder) u64(b []byte) uint64 {
	if o == bigEndian {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// broken makes an Error at the offset of a record or block.
func (r *Reader) broken(offset int64, format string, args ...any) error {
	return &Error{Format: r.format, Offset: offset, What: fmt.Sprintf(format, args...)}
}

// cut turns the end of the input inside a record into an Error; other errors
// of the input pass.
func (r *Reader) cut(offset int64, what string, err error) error {
	if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF {
		return &Error{Format: r.format, Offset: offset, What: "cut short inside " + what, cause: io.ErrUnexpectedEOF}
	}
	return err
}
