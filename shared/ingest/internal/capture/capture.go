// Package capture turns the bytes of a packet capture into what a flow needs
// of each packet. It hides the containers (pcap, pcapng), the link layers, the
// tunnels and the header chain; it knows nothing of flows.
//
//	r, err := capture.NewReader(file)
//	var d capture.Decoder
//	for {
//		f, err := r.Next()          // io.EOF at the end
//		var p capture.Packet
//		if d.Decode(&f, &p) { use(p) }
//	}
//
// Every byte is hostile. No length in the file sizes an allocation: a Reader
// holds one packet of at most [MaxPacket] bytes, at most 4,096 interfaces and
// 64 kB of a block's options; a Decoder remembers the ports of at most 4,096
// fragmented packets.
//
// Read: pcap with microseconds, nanoseconds, the modified record head of
// a1b2cd34, the head of IXIA's files and the swapped lengths of versions
// before 2.4, both byte orders; pcapng with any number of sections and
// interfaces. Not read: the links that [Decoder.Skipped] names, L2TP, CAPWAP,
// Ethernet in MPLS, all but the first packet of an 802.11 A-MSDU, and what is
// encrypted.
package capture

import (
	"bufio"
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
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if isPcap(order.Uint32(head)) {
			return "pcap"
		}
	}
	return ""
}

// Reader reads the packets of one file in order. It is not safe for concurrent
// use.
type Reader struct {
	in     *bufio.Reader
	at     int64 // offset of the next byte
	order  binary.ByteOrder
	format string
	count  int64
	err    error // sticky
	head   [28]byte
	buf    []byte // of the packet

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
	r := &Reader{in: bufio.NewReaderSize(in, 64<<10), order: binary.LittleEndian}
	head, err := r.in.Peek(4)
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
	r.buf = make([]byte, MaxPacket)
	return r, nil
}

// Format returns "pcap" or "pcapng".
func (r *Reader) Format() string { return r.format }

// Packets returns how many packets Next has returned.
func (r *Reader) Packets() int64 { return r.count }

// Next returns the next packet, or [io.EOF] at the end of the file. An
// [*Error], and an error of the underlying reader, ends the file as well.
func (r *Reader) Next() (Frame, error) {
	if r.err != nil {
		return Frame{}, r.err
	}
	var f Frame
	if r.format == "pcap" {
		r.err = r.nextRecord(&f)
	} else {
		r.err = r.nextBlock(&f)
	}
	if r.err != nil {
		return Frame{}, r.err
	}
	r.count++
	f.Number = r.count
	return f, nil
}

// read returns the next n bytes, at most len(r.head), valid until the next
// read. It returns io.EOF only when there is none.
func (r *Reader) read(n int) ([]byte, error) {
	got, err := io.ReadFull(r.in, r.head[:n])
	r.at += int64(got)
	return r.head[:n], err
}

// packet returns n bytes of packet data, of which the first MaxPacket are kept.
func (r *Reader) packet(n int64) ([]byte, error) {
	keep := min(n, MaxPacket)
	got, err := io.ReadFull(r.in, r.buf[:keep])
	r.at += int64(got)
	if err != nil {
		return nil, err
	}
	return r.buf[:keep:keep], r.skip(n - keep)
}

// skip passes over n bytes.
func (r *Reader) skip(n int64) error {
	for n > 0 {
		step := int(min(n, 1<<20))
		got, err := r.in.Discard(step)
		r.at += int64(got)
		n -= int64(got)
		if err != nil {
			return err
		}
	}
	return nil
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
