package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"cloister/shared/ingest/internal/capture"
)

// sized makes a pcap and a pcapng file of packets of the given sizes.
func sized(r *rand.Rand, sizes ...int) (pcap, pcapng []byte, want []string) {
	le := binary.LittleEndian
	for _, u := range []uint32{0xa1b2c3d4, 2 | 4<<16, 0, 0, 0, 1} {
		pcap = le.AppendUint32(pcap, u)
	}
	w := new(file)
	w.order = le
	w.section().device(1, 0, nil)
	for i, n := range sizes {
		b := make([]byte, n)
		for k := range b {
			b[k] = byte(r.Uint32())
		}
		for _, u := range []uint32{uint32(i), 0, uint32(n), uint32(n)} {
			pcap = le.AppendUint32(pcap, u)
		}
		pcap = append(pcap, b...)
		want = append(want, fmt.Sprint(i+1, " ", min(n, capture.MaxPacket), " ", sumOf(b[:min(n, capture.MaxPacket)])))
		w.packet(0, uint64(i), string(b))
	}
	return pcap, w.Bytes(), want
}

func sumOf(b []byte) (sum uint64) {
	for _, c := range b {
		sum = sum*31 + uint64(c)
	}
	return sum
}

// readAll reads packets as their numbers, lengths and sums.
func readAll(in io.Reader) (list []string, err error) {
	r, err := capture.NewReader(in)
	if err != nil {
		return nil, err
	}
	var f capture.Frame
	for {
		if err := r.Next(&f); err != nil {
			return list, err
		}
		list = append(list, fmt.Sprint(f.Number, " ", len(f.Data), " ", sumOf(f.Data)))
	}
}

// However the bytes of a file come, its packets are the same: packets larger
// than what is read ahead, and those that lie across two readings.
func TestReader_inPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var sizes []int
	for range 100 {
		sizes = append(sizes, r.IntN(3000))
	}
	sizes = append(sizes, 70_000, 5, 200_000, capture.MaxPacket, 0, capture.MaxPacket-4, capture.MaxPacket+1, 300_000, 7, 1_200_000, 9)
	for range 100 {
		sizes = append(sizes, r.IntN(3000))
	}
	pcap, pcapng, want := sized(r, sizes...)
	for name, data := range map[string][]byte{"pcap": pcap, "pcapng": pcapng} {
		for how, in := range map[string]io.Reader{
			"at once":               bytes.NewReader(data),
			"byte by byte":          iotest.OneByteReader(bytes.NewReader(data)),
			"by halves":             iotest.HalfReader(bytes.NewReader(data)),
			"the end with data":     iotest.DataErrReader(bytes.NewReader(data)),
			"pieces of any size":    &pieces{data, rand.New(rand.NewPCG(3, 4)), 5000},
			"large pieces":          &pieces{data, rand.New(rand.NewPCG(5, 6)), 3 << 20},
			"nothing in between":    &pauses{bytes.NewReader(data), 0},
			"all but what is ahead": io.MultiReader(bytes.NewReader(data[:len(data)/2]), bytes.NewReader(data[len(data)/2:])),
		} {
			if got, err := readAll(in); !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
				t.Errorf("%s, %s: %d of %d packets, %v", name, how, len(got), len(want), err)
			}
		}
	}
}

// asks remembers the most that was asked for at once.
type asks struct {
	in   io.Reader
	most int
}

func (a *asks) Read(b []byte) (int, error) {
	a.most = max(a.most, len(b))
	return a.in.Read(b)
}

// What is read ahead stays in the processor's cache: 64 KiB, until a packet
// needs more, and never more than the longest packet that is kept, whatever
// lengths the file gives.
func TestReader_readsLittleAhead(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	usual := make([]int, 3000)
	for i := range usual {
		usual[i] = r.IntN(1500)
	}
	for _, tt := range []struct {
		name  string
		sizes []int
		most  int
	}{
		{"usual packets", usual, 64 << 10},
		{"one that just fits", []int{9, 64<<10 - 28, 9}, 64 << 10},
		{"longer ones", []int{70_000, 9, 80_000, 9}, 128 << 10},
		{"the longest", append([]int{capture.MaxPacket, 9, 3_000_000}, usual...), 256 << 10},
	} {
		pcap, pcapng, want := sized(r, tt.sizes...)
		for name, data := range map[string][]byte{"pcap": pcap, "pcapng": pcapng} {
			in := &asks{in: bytes.NewReader(data)}
			if got, err := readAll(in); !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
				t.Errorf("%s, %s: %d of %d packets, %v", tt.name, name, len(got), len(want), err)
			}
			if in.most > tt.most || in.most < tt.most/4 {
				t.Errorf("%s, %s: %d bytes at once, want up to %d", tt.name, name, in.most, tt.most)
			}
		}
	}
}

// pieces gives up to n bytes at a time.
type pieces struct {
	b []byte
	r *rand.Rand
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 1+p.r.IntN(p.n))], p.b)
	p.b = p.b[n:]
	return n, nil
}

// pauses gives nothing every other time.
type pauses struct {
	in io.Reader
	n  int
}

func (p *pauses) Read(b []byte) (int, error) {
	if p.n++; p.n%2 == 0 {
		return 0, nil
	}
	return p.in.Read(b)
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// An error of the input comes through after the packets before it, and an
// input that gives nothing ends reading.
func TestReader_inputFails(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pcap, pcapng, _ := sized(r, 100, 200, 300)
	broken := errors.New("broken")
	for _, data := range [][]byte{pcap, pcapng} {
		got, err := readAll(io.MultiReader(bytes.NewReader(data[:len(data)-150]), iotest.ErrReader(broken)))
		if err != broken || len(got) != 2 {
			t.Errorf("%d packets, %v", len(got), err)
		}
		got, err = readAll(io.MultiReader(bytes.NewReader(data[:len(data)-150]), silent{}))
		if err != io.ErrNoProgress || len(got) != 2 {
			t.Errorf("%d packets, %v", len(got), err)
		}
	}
	if _, err := capture.NewReader(iotest.ErrReader(broken)); err != broken {
		t.Errorf("at the start: %v", err)
	}
}

// What stands behind a packet in its block may be longer than what is read
// ahead.
func TestReader_longOptions(t *testing.T) {
	w := &file{order: binary.LittleEndian}
	w.section().device(1, 0, nil)
	for _, n := range []int{0, 1000, capture.MaxPacket - 5, capture.MaxPacket, 500_000, 3_000_000} {
		w.block(6, func(b *file) {
			b.u32(0, 0, 0, 5, 5)
			b.WriteString("abcde\x00\x00\x00")
			b.Write(make([]byte, n))
		})
	}
	got, err := packets(w.Bytes())
	if !errors.Is(err, io.EOF) || len(got) != 6 {
		t.Fatalf("%d packets, %v", len(got), err)
	}
	for _, p := range got {
		if p != "1 0 5 abcde" {
			t.Errorf("got %q", p)
		}
	}
}
