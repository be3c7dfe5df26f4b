package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"cloister/shared/ingest/internal/capture"
)

// file builds containers in either byte order.
type file struct {
	bytes.Buffer
	order binary.AppendByteOrder
}

func (f *file) u16(v ...uint16) *file {
	for _, v := range v {
		f.Write(f.order.AppendUint16(nil, v))
	}
	return f
}

func (f *file) u32(v ...uint32) *file {
	for _, v := range v {
		f.Write(f.order.AppendUint32(nil, v))
	}
	return f
}

// block writes a pcapng block around what body writes.
func (f *file) block(kind uint32, body func(b *file)) *file {
	b := &file{order: f.order}
	body(b)
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
	n := uint32(b.Len() + 12)
	f.u32(kind, n)
	f.Write(b.Bytes())
	return f.u32(n)
}

func (f *file) section() *file {
	return f.block(0x0a0d0d0a, func(b *file) { b.u32(0x1a2b3c4d).u16(1, 0).u32(0xffffffff, 0xffffffff) })
}

func (f *file) device(link uint16, snap uint32, options func(b *file)) *file {
	return f.block(1, func(b *file) {
		b.u16(link, 0).u32(snap)
		if options != nil {
			options(b)
			b.u16(0, 0)
		}
	})
}

func (f *file) packet(device uint32, ticks uint64, data string) *file {
	return f.block(6, func(b *file) {
		b.u32(device, uint32(ticks>>32), uint32(ticks), uint32(len(data)), uint32(len(data)+1))
		b.WriteString(data)
	})
}

func orders(t *testing.T, f func(t *testing.T, order binary.AppendByteOrder)) {
	t.Run("little", func(t *testing.T) { f(t, binary.LittleEndian) })
	t.Run("big", func(t *testing.T) { f(t, binary.BigEndian) })
}

// packets reads all packets as "link time length data".
func packets(in []byte) (list []string, err error) {
	r, err := capture.NewReader(bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	for {
		var f capture.Frame
		if err := r.Next(&f); err != nil {
			if again := r.Next(&f); again != err {
				return list, fmt.Errorf("the error is not sticky: %v, then %v", err, again)
			}
			return list, err
		}
		if f.Number != int64(len(list)+1) {
			return list, fmt.Errorf("packet %d has number %d", len(list)+1, f.Number)
		}
		list = append(list, fmt.Sprintf("%d %d %d %s", f.Link, f.Time, f.Length, f.Data))
	}
}

func expect(t *testing.T, in []byte, want ...string) {
	t.Helper()
	got, err := packets(in)
	if err != io.EOF || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
}

func TestReader_pcap(t *testing.T) {
	orders(t, func(t *testing.T, order binary.AppendByteOrder) {
		for magic, want := range map[uint32]string{0xa1b2c3d4: "7000008000", 0xa1b23c4d: "7000000008", 0xa1b2cd34: "7000008000"} {
			f := &file{order: order}
			f.u32(magic).u16(2, 4).u32(0, 0, 65535, 0xf0000000|113)
			head := func(n uint32) {
				f.u32(7, 8, n, 99)
				if magic == 0xa1b2cd34 {
					f.u32(1, 2)
				}
			}
			head(3)
			f.WriteString("abc")
			head(0)
			expect(t, f.Bytes(), "113 "+want+" 99 abc", "113 "+want+" 99 ")
		}
	})
}

// Versions before 2.4 have the lengths of a record the other way round, 2.3
// only sometimes; IXIA's files have four more bytes behind the file head.
// TShark 4.0.17 reads each of these alike.
func TestReader_pcapVariants(t *testing.T) {
	orders(t, func(t *testing.T, order binary.AppendByteOrder) {
		tests := []struct {
			magic        uint32
			major, minor uint16
			first, then  uint32
		}{
			{0xa1b2c3d4, 2, 2, 99, 3}, {0xa1b2c3d4, 543, 0, 99, 3}, {0xa1b2c3d4, 2, 3, 99, 3}, {0xa1b2c3d4, 2, 3, 3, 99},
			{0x1c0001ac, 2, 4, 3, 99}, {0x1c0001ab, 2, 4, 3, 99},
		}
		for _, tt := range tests {
			f := &file{order: order}
			f.u32(tt.magic).u16(tt.major, tt.minor).u32(0, 0, 65535, 113)
			if tt.magic < 0xa0000000 {
				f.u32(19)
			}
			f.u32(7, 8, tt.first, tt.then).WriteString("abc")
			expect(t, f.Bytes(), "113 7000008000 99 abc")
		}
		cut := &file{order: order}
		cut.u32(0x1c0001ac).u16(2, 4).u32(0, 0, 65535, 113)
		if _, err := packets(cut.Bytes()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut: %v", err)
		}
	})
}

func TestReader_pcapng(t *testing.T) {
	orders(t, func(t *testing.T, order binary.AppendByteOrder) {
		f := &file{order: order}
		f.section().device(1, 0, nil)
		f.block(0x0bad, func(b *file) { b.u32(1, 2, 3) })
		f.device(101, 2, func(b *file) { // comment, then 10^-9, then 5 s later
			b.u16(1, 3).u32(0x20202000).u16(9, 1).Write([]byte{9, 0, 0, 0})
			b.u16(14, 8).Write(order.AppendUint64(nil, 5))
		})
		f.device(113, 0, func(b *file) { b.u16(9, 1).Write([]byte{0x80 | 10, 0, 0, 0}) })
		f.packet(0, 1_000_001, "one").packet(1, 1_000_001, "two").packet(2, 1024+512, "three")
		f.block(2, func(b *file) { b.u16(1, 7).u32(0, 9, 4, 4).WriteString("four") })
		f.block(3, func(b *file) { b.u32(4).WriteString("five") })
		other := binary.AppendByteOrder(binary.LittleEndian)
		if order == other {
			other = binary.BigEndian
		}
		g := &file{order: other}
		g.section().device(228, 3, nil).packet(0, 1, "six")
		g.block(3, func(b *file) { b.u32(9).WriteString("seven") })
		expect(t, append(f.Bytes(), g.Bytes()...),
			"1 1000001000 4 one", "101 5001000001 4 two", "113 1500000000 6 three", "101 5000000009 4 four", "1 5000000009 4 five",
			"228 1000 4 six", "228 1000 9 sev")
	})
}

// Times that do not fit move to the end they passed.
func TestReader_extremeTimes(t *testing.T) {
	tests := []struct {
		name   string
		tsres  byte
		offset int64
		ticks  uint64
		want   int64
	}{
		{"seconds", 0, 0, 3, 3e9},
		{"too late", 0, 0, math.MaxUint64, math.MaxInt64},
		{"late offset", 6, math.MaxInt64, 1, math.MaxInt64},
		{"early offset", 6, math.MinInt64, 1, 0},
		{"offset back", 6, -2, 3_500_000, 1_500_000_000},
		{"before 1970", 6, -4, 3_500_000, 0},
		{"10^-19", 19, 0, 10_000_000_000, 1},
		{"10^-127", 127, 0, math.MaxUint64, 0},
		{"2^-63", 0x80 | 63, 0, 1 << 63, 1e9},
		{"2^-64", 0x80 | 64, 0, 1 << 63, 5e8},
		{"2^-127", 0x80 | 127, 0, math.MaxUint64, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &file{order: binary.LittleEndian}
			f.section().device(1, 0, func(b *file) {
				b.u16(9, 1).Write([]byte{tt.tsres, 0, 0, 0})
				b.u16(14, 8).Write(b.order.AppendUint64(nil, uint64(tt.offset)))
			}).packet(0, tt.ticks, "x")
			expect(t, f.Bytes(), fmt.Sprintf("1 %d 2 x", tt.want))
		})
	}
}

func TestReader_refuses(t *testing.T) {
	le := func() *file { return &file{order: binary.LittleEndian} }
	pcap := func() *file { return le().u32(0xa1b2c3d4).u16(2, 4).u32(0, 0, 0, 1) }
	good := func() *file { return le().section().device(1, 0, nil).packet(0, 1, "a") }
	at := good().Len()
	tests := []struct {
		name   string
		in     []byte
		before int
		offset int64
		text   string
		cut    bool
	}{
		{"nothing", nil, 0, 0, "neither", false},
		{"pcap head", pcap().Bytes()[:23], 0, 0, "file head", true},
		{"packet head", pcap().u32(1, 2, 0, 0, 1).Bytes(), 1, 40, "head of a packet", true},
		{"packet", pcap().u32(1, 2, 0, 0, 1, 2, 5, 5).Bytes(), 1, 40, "inside a packet", true},
		{"packet of 4 GB", pcap().u32(1, 2, 0, 0, 1, 2, math.MaxUint32, 5, 6, 7).Bytes(), 1, 40, "inside a packet", true},
		{"block head", good().u16(1, 2, 3).Bytes(), 1, int64(at), "head of a block", true},
		{"block of 4 GB", good().u32(77, math.MaxUint32-3, 5, 6).Bytes(), 1, int64(at), "inside a block", true},
		{"block of 8", good().u32(77, 8, 8).Bytes(), 1, int64(at), "cannot be 8 bytes", false},
		{"block of 13", good().u32(77, 13, 8).Bytes(), 1, int64(at), "cannot be 13 bytes", false},
		{"lengths differ", good().u32(77, 12, 16).Bytes(), 1, int64(at), "12 bytes long at its start and 16", false},
		{"section without order", good().u32(0x0a0d0d0a, 28, 1).Bytes(), 1, int64(at), "byte order magic", false},
		{"no such interface", good().packet(1, 1, "b").Bytes(), 1, int64(at), "interface 1, of which the section has 1", false},
		{"interfaces end with their section", good().section().packet(0, 1, "b").Bytes(), 1, int64(at + 28), "interface 0, of which the section has 0", false},
		{"simple packet without interface", le().section().block(3, func(b *file) { b.u32(0) }).Bytes(), 0, 28, "interface 0", false},
		{"packet larger than its block", good().block(6, func(b *file) { b.u32(0, 0, 0, 9, 9, 0) }).Bytes(), 1, int64(at), "packet of 9 bytes in a block with room for 4", false},
		{"short packet block", good().block(6, func(b *file) { b.u32(0, 0) }).Bytes(), 1, int64(at), "only 8 bytes", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := packets(tt.in)
			var e *capture.Error
			if len(got) != tt.before || !errors.As(err, &e) || e.Offset != tt.offset || !strings.Contains(e.What, tt.text) || errors.Is(err, io.ErrUnexpectedEOF) != tt.cut {
				t.Errorf("%d packets, %v", len(got), err)
			}
		})
	}
	many := le().section()
	for range 4097 {
		many.device(1, 0, nil)
	}
	if _, err := packets(many.Bytes()); err == nil || !strings.Contains(err.Error(), "more than 4096 interfaces") {
		t.Errorf("4,097 interfaces: %v", err)
	}
}

// A packet longer than MaxPacket is cut to it and the next one is found.
func TestReader_longPacket(t *testing.T) {
	const n = capture.MaxPacket + 5
	f := &file{order: binary.LittleEndian}
	f.u32(0xa1b2c3d4).u16(2, 4).u32(0, 0, 0, 1)
	f.u32(1, 0, n, n).Write(make([]byte, n))
	f.u32(2, 0, 1, 1).WriteByte('x')
	got, err := packets(f.Bytes())
	if err != io.EOF || len(got) != 2 || got[1] != "1 2000000000 1 x" || len(got[0]) != len("1 1000000000 262149 ")+capture.MaxPacket {
		t.Errorf("%d packets, %v", len(got), err)
	}
}

// What is allocated does not follow the lengths in the file.
func TestReader_allocatesNothingByLength(t *testing.T) {
	f := &file{order: binary.LittleEndian}
	f.u32(0xa1b2c3d4).u16(2, 4).u32(0, 0, math.MaxUint32, 1, 1, 0, math.MaxUint32, math.MaxUint32)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := packets(f.Bytes()); err == nil {
		t.Fatal("read")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got == 0 || got > 400<<10 {
		t.Errorf("%d bytes", got)
	}
}

func FuzzReader(f *testing.F) {
	le := &file{order: binary.LittleEndian}
	f.Add(le.u32(0xa1b2c3d4).u16(2, 4).u32(0, 0, 0, 1, 1, 2, 3, 3).Bytes())
	ng := &file{order: binary.BigEndian}
	f.Add(ng.section().device(1, 0, func(b *file) { b.u16(9, 1).u32(0) }).packet(0, 1, "abc").block(3, func(b *file) { b.u32(4, 5) }).Bytes())
	for _, b := range corpus(f, "malformed", "pcapng-suite") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err := packets(in)
		if err == nil || strings.Contains(err.Error(), "sticky") {
			t.Fatal(err)
		}
		if want := capture.Recognise(in); (want == "") != strings.Contains(err.Error(), "neither") {
			t.Fatalf("recognised as %q: %v", want, err)
		}
		// what is before a cut does not change, nor does it through a slow reader
		part, _ := packets(in[:len(in)/2])
		if len(part) > len(whole) || strings.Join(part, "\n") != strings.Join(whole[:len(part)], "\n") {
			t.Fatalf("%q became %q", whole, part)
		}
		one, oneErr := readAll(bytes.NewReader(in))
		slow, slowErr := readAll(iotest.HalfReader(bytes.NewReader(in)))
		if !slices.Equal(one, slow) || oneErr.Error() != slowErr.Error() {
			t.Fatalf("%d packets, %v; slowly %d, %v", len(one), oneErr, len(slow), slowErr)
		}
		want, end := oneByOne(bytes.NewReader(in))
		if got, last := together(bytes.NewReader(in), 7); !slices.Equal(got, want) || last != end {
			t.Fatalf("%q together, and %q one by one\n%s\n%s", got, want, last, end)
		}
	})
}
