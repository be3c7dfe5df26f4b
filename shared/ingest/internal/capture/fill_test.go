package capture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"cloister/shared/ingest/internal/capture"
)

// show writes all of a packet down, with its payload and tunnel as they are now.
func show(p *capture.Packet) string {
	q := *p
	q.Payload, q.Outer = nil, nil
	s := fmt.Sprintf("%+v %x", q, p.Payload)
	if p.Outer != nil {
		s += fmt.Sprintf(" in %+v", *p.Outer)
	}
	return s
}

// oneByOne reads with Next, Decode and Early.
func oneByOne(in io.Reader) (list []string, end string) {
	r, err := capture.NewReader(in)
	if err != nil {
		return nil, err.Error()
	}
	var d capture.Decoder
	var f capture.Frame
	var p capture.Packet
	for err = r.Next(&f); err == nil; err = r.Next(&f) {
		for ok := d.Decode(&f, &p); ok; ok = d.Early(&f, &p) {
			list = append(list, show(&p))
		}
	}
	return list, fmt.Sprint(err, r.Packets(), r.Links(), d.Skipped(), d.Joined())
}

// together reads with Fill, looks at the packets only when all are there, and
// says what was wrong about how many these were.
func together(in io.Reader, many int) (list []string, end string) {
	r, err := capture.NewReader(in)
	if err != nil {
		return nil, err.Error()
	}
	var d capture.Decoder
	var f capture.Frame
	dst := make([]capture.Packet, many)
	for err == nil {
		before, n := r.Packets(), 0
		n, err = d.Fill(r, &f, dst)
		if read := r.Packets() - before; read > int64(many) || err != nil && n > 0 {
			return list, fmt.Sprintf("%d packets of %d that were read, %v", n, read, err)
		}
		for i := range dst[:n] {
			list = append(list, show(&dst[i]))
		}
	}
	return list, fmt.Sprint(err, r.Packets(), r.Links(), d.Skipped(), d.Joined())
}

// However many packets are read together, and however the file comes, they are
// those that are read one by one, up to the same error: with fragments, tunnels,
// links of several kinds, packets longer than what is read ahead, and damage.
func TestDecoder_fill(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	pcap, pcapng, _ := sized(r, 70_000, 60, 60, 200_000, 60, capture.MaxPacket, 60, 300_000, 60, 60)
	mixed := &file{order: binary.LittleEndian}
	mixed.section().device(1, 0, nil).device(101, 0, nil)
	for i := range 600 {
		inner := ip4(17, udp(uint16(i), 4789, "\x08\x00\x00\x00\x00\x00\x07\x00"+string(ether(0x800, ip4(6, tcp(2))))))
		switch i % 5 {
		case 0:
			mixed.packet(0, uint64(i), string(ether(0x800, inner)))
		case 1:
			mixed.packet(1, uint64(i), string(ip4Fragment(17, uint16(i/20), uint16(0x2001-i/10%2), udp(1, 2, "part"))))
		case 2:
			mixed.packet(0, uint64(i), "no packet of IP at all")
		default:
			mixed.packet(uint32(i%2), uint64(i), string(ether(0x800, ip4(6, tcp(2)))))
		}
	}
	files := append(corpus(t, "encap", "linktypes", "malformed", "pcapng-suite"), pcap, pcapng, mixed.Bytes())
	seen := 0
	for name, b := range files {
		for cut := range 4 { // whole, cut short, with a byte changed
			b := bytes.Clone(b)
			if cut > 0 && len(b) > 0 {
				b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
				b = b[:len(b)-r.IntN(1+len(b)/cut)]
			}
			want, end := oneByOne(bytes.NewReader(b))
			seen += len(want)
			for _, many := range []int{1, 2, 7, 32} {
				in := io.Reader(bytes.NewReader(b))
				if many == 7 {
					in = iotest.HalfReader(in)
				}
				if got, last := together(in, many); !slices.Equal(got, want) || last != end {
					t.Fatalf("file %d, variant %d, by %d: %d packets, %d one by one\n%s\n%s", name, cut, many, len(got), len(want), last, end)
				}
			}
		}
	}
	if seen < 1500 {
		t.Errorf("only %d packets", seen)
	}
}

// Links are told apart by their names.
func TestReader_links(t *testing.T) {
	w := &file{order: binary.LittleEndian}
	w.section().device(228, 0, nil).device(101, 0, nil).device(1, 0, nil)
	var got []string
	for _, device := range []uint32{0, 1, 2, 1, 2} {
		w.packet(device, 0, "data")
		r, err := capture.NewReader(bytes.NewReader(w.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if r.Links() != "no link yet" {
			t.Errorf("at the start: %q", r.Links())
		}
		var f capture.Frame
		for r.Next(&f) == nil {
		}
		got = append(got, r.Links())
	}
	if want := []string{"raw IP", "raw IP", "raw IP and others", "raw IP and others", "raw IP and others"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
