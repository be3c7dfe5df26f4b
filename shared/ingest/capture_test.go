package ingest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/shared/frame"
	"cloister/shared/ingest"
	"cloister/shared/ingest/capturetest"
)

// The laboratory recording and its flows as models/sample/flows.py, an
// extractor in Python that was compared with tshark 4.0.17, makes them.
const (
	labCapture = "../../models/sample/lab.pcap.gz"
	labFlows   = "../../models/sample/lab.csv"
)

func read(t *testing.T, name string) []byte { return mustRead(t, name) }

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func openBytes(t *testing.T, b []byte, lim ingest.Limits) *ingest.Source {
	t.Helper()
	s, err := ingest.Open(bytes.NewReader(b), int64(len(b)), lim)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cells are the values of a row under the names of columns.
func cells(f *frame.Frame, row int, columns []string) string {
	var out []string
	for _, name := range columns {
		k, _ := f.Schema.Index(name)
		if f.Texts[k] != nil {
			out = append(out, f.Texts[k][row])
		} else {
			out = append(out, fmt.Sprint(int64(f.Numbers[k][row])))
		}
	}
	return strings.Join(out, ",")
}

// flowsOf reads a source to its end.
func flowsOf(t *testing.T, s *ingest.Source, columns []string) (rows []string, offsets []int64, err error) {
	t.Helper()
	for {
		f, err := s.Next()
		if err != nil {
			return rows, offsets, err
		}
		if len(f.Rejects) > 0 {
			t.Fatalf("rejects: %v", f.Rejects)
		}
		for i := range f.Len() {
			if f.Row[i] != int64(len(rows)+1) {
				t.Fatalf("row %d after %d rows", f.Row[i], len(rows))
			}
			rows = append(rows, cells(f, i, columns))
			offsets = append(offsets, f.Offset[i])
		}
	}
}

func labColumns(t *testing.T) (columns, rows []string) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(read(t, labFlows)))
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return columns, rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rec = rec[:len(rec)-2] // Label, Attack
		if columns == nil {
			columns = rec
		} else {
			rows = append(rows, strings.Join(rec, ","))
		}
	}
}

// Every flow of the laboratory recording has the values of lab.csv.
func TestCapture_equalsThePythonExtractor(t *testing.T) {
	columns, want := labColumns(t)
	if len(columns) != 23 || len(want) != 1989 {
		t.Fatalf("%d columns, %d rows", len(columns), len(want))
	}
	s := openBytes(t, read(t, labCapture), ingest.Limits{})
	got, _, err := flowsOf(t, s, columns)
	if err != io.EOF {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	differ := 0
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			differ++
			if differ <= 3 {
				t.Errorf("flow %d:\ngot  %s\nwant %s", i, slices.Concat(got, []string{"", ""})[min(i, len(got))], slices.Concat(want, []string{"", ""})[min(i, len(want))])
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d flows, %d wanted, %d differ", len(got), len(want), differ)
	}
	if got, want := s.Format(), "pcap capture, Ethernet, 40,469 packets, gzip"; got != want {
		t.Errorf("format %q, want %q", got, want)
	}
	if len(s.Unmapped()) > 0 {
		t.Errorf("unmapped: %q", s.Unmapped())
	}
	missing := []string{}
	for _, m := range s.Mapping() {
		if m.How == ingest.Missing {
			missing = append(missing, m.Field)
		}
	}
	if !slices.Equal(missing, []string{"L7_PROTO", frame.Label}) {
		t.Errorf("missing: %q", missing)
	}
	t.Log(s.Repairs())
}

// At gives the row of Next again, kept or made again.
func TestCapture_at(t *testing.T) {
	raw := read(t, labCapture)
	columns := []string{}
	for i, m := range openBytes(t, raw, ingest.Limits{}).Mapping() {
		if m.How != ingest.Missing {
			columns = append(columns, frame.Flow.Fields[i].Name)
		}
	}
	for _, kept := range []int{0, 10_000} {
		s := openBytes(t, raw, ingest.Limits{KeptBytes: kept})
		want, offsets, err := flowsOf(t, s, columns)
		if err != io.EOF {
			t.Fatal(err)
		}
		consumed := s.Consumed()
		step := 1
		if kept > 0 {
			step = 331
		}
		checked := 0
		for i := 0; i < len(want); i += step {
			f, err := s.At(offsets[i])
			if err != nil || f.Len() != 1 || f.Row[0] != int64(i+1) || cells(f, 0, columns) != want[i] {
				t.Fatalf("flow %d: %v, %+v", i+1, err, f)
			}
			checked++
		}
		if checked < 7 {
			t.Errorf("checked %d", checked)
		}
		if _, err := s.At(offsets[331]); err != nil || s.Consumed() != consumed {
			t.Error("At disturbs Consumed")
		}
		for _, n := range []int64{0, -1, int64(len(want) + 1)} {
			if _, err := s.At(n); err == nil {
				t.Errorf("flow %d was found", n)
			}
		}
	}
}

// capturePcap writes little-endian pcap of raw IP.
type capturePcap struct{ bytes.Buffer }

func newPcap(link uint32) *capturePcap {
	c := &capturePcap{}
	c.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0})
	c.Write(binary.LittleEndian.AppendUint32(nil, link))
	return c
}

func (c *capturePcap) packet(at time.Duration, b []byte) {
	for _, v := range []uint32{uint32(at / time.Second), uint32(at % time.Second / time.Microsecond), uint32(len(b)), uint32(len(b))} {
		c.Write(binary.LittleEndian.AppendUint32(nil, v))
	}
	c.Write(b)
}

// udp is an IPv4 packet of 28 bytes.
func udp(from, to byte, source, target uint16) []byte {
	b := []byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, to}
	b = binary.BigEndian.AppendUint16(b, source)
	b = binary.BigEndian.AppendUint16(b, target)
	return append(b, 0, 8, 0, 0)
}

func TestCapture_refuses(t *testing.T) {
	arp := newPcap(1)
	arp.packet(0, append(make([]byte, 12), 8, 6, 0, 1))
	usb := newPcap(189)
	usb.packet(0, make([]byte, 40))
	cut := newPcap(101)
	cut.packet(time.Second, udp(1, 2, 5, 6))
	tests := []struct {
		name, in string
		is       error
		text     string
	}{
		{"no packet", newPcap(1).String(), ingest.ErrEmpty, "empty"},
		{"no IP packet", arp.String(), nil, "pcap: byte 0: no flow in 1 packets of Ethernet; packet left out: not IP (ARP, LLDP and the like): 1"},
		{"other link", usb.String(), nil, "USB of Linux is not read: 1"},
		{"version 3", "\xd4\xc3\xb2\xa1\x03\x00\x04\x00" + strings.Repeat("\x00", 16), nil, "version 3.4"},
		{"cut before any flow", cut.String()[:44], io.ErrUnexpectedEOF, "pcap: byte 24: cut short inside a packet"},
		{"pcapng", "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00????", nil, "pcapng: byte 0: no byte order magic"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ingest.Open(strings.NewReader(tt.in), int64(len(tt.in)), ingest.Limits{})
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
		})
	}
}

// A long capture without any flow is an error at its end.
func TestCapture_nothingInMany(t *testing.T) {
	c := newPcap(1)
	for range 70_000 {
		c.packet(0, append(make([]byte, 12), 8, 6, 0, 1))
	}
	s := openBytes(t, c.Bytes(), ingest.Limits{})
	var format *ingest.FormatError
	if _, err := s.Next(); !errors.As(err, &format) || !strings.Contains(err.Error(), "no flow in 70,000 packets of Ethernet") {
		t.Errorf("got %v", err)
	}
}

// A capture that breaks off keeps the flows before, plain and gzipped.
func TestCapture_keepsWhatIsBeforeTheCut(t *testing.T) {
	c := newPcap(101)
	c.packet(time.Second, udp(1, 2, 5, 6))
	c.packet(2*time.Second, udp(2, 1, 6, 5))
	whole := c.Len()
	c.packet(3*time.Second, udp(3, 4, 7, 8))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(c.Bytes()[:whole+20]); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string][]byte{"plain": c.Bytes()[:whole+20], "gzip": packed.Bytes()} {
		rows, _, err := flowsOf(t, openBytes(t, in, ingest.Limits{}), []string{frame.SrcAddr, frame.InPackets, frame.OutPackets, frame.Duration})
		var format *ingest.FormatError
		if !slices.Equal(rows, []string{"10.0.0.1,1,1,1000"}) {
			t.Errorf("%s: %q", name, rows)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &format) || format.Offset != int64(whole) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What waits to be returned does not pile up: of flows that end all the time,
// more at once than a frame has rows for, no memory stays.
func TestCapture_keepsNoQueue(t *testing.T) {
	c := newPcap(101)
	const packets = 100_000
	for i := range packets {
		c.packet(time.Duration(i)*time.Second, udp(byte(i), byte(i>>8), uint16(i), 6))
	}
	s := openBytes(t, c.Bytes(), ingest.Limits{Flows: 300, FlowIdle: time.Millisecond, KeptBytes: 1})
	rows := 0
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for {
		f, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		rows += f.Len()
	}
	if more := heap() - before; rows != packets || more > 12<<20 {
		t.Errorf("%d rows, %d bytes more", rows, more)
	}
	runtime.KeepAlive(s)
}

// Reading returns at least every 65,536 packets, so that progress is seen,
// and options reach the table.
func TestCapture_stepsAndOptions(t *testing.T) {
	c := newPcap(101)
	const packets = 140_000
	for i := range packets {
		c.packet(time.Duration(i)*100*time.Microsecond, udp(1, 2, 5, 6))
	}
	count := func(lim ingest.Limits) (frames, rows int, s *ingest.Source) {
		s = openBytes(t, c.Bytes(), lim)
		for {
			f, err := s.Next()
			if err == io.EOF {
				return frames, rows, s
			}
			if err != nil {
				t.Fatal(err)
			}
			if frames++; frames == 1 && lim == (ingest.Limits{}) && (f.Len() != 0 || s.Format() != "pcap capture, raw IP, 131,072 packets so far") {
				t.Errorf("first frame: %q", s.Format())
			}
			rows += f.Len()
		}
	}
	if s := openBytes(t, c.Bytes(), ingest.Limits{}); s.Format() != "pcap capture, raw IP, 65,536 packets so far" {
		t.Errorf("opened: %q", s.Format())
	}
	if frames, rows, _ := count(ingest.Limits{}); rows != 1 || frames != 2 {
		t.Errorf("%d frames, %d flows", frames, rows)
	}
	if _, rows, _ := count(ingest.Limits{FlowActive: time.Second}); rows != 14 {
		t.Errorf("active 1 s: %d flows", rows)
	}
	if _, rows, _ := count(ingest.Limits{FlowIdle: time.Microsecond}); rows != packets {
		t.Errorf("idle 1 us: %d flows", rows)
	}
	d := newPcap(101)
	for i := range 10 {
		d.packet(time.Second, udp(1, 2, uint16(i+1), 6))
	}
	s := openBytes(t, d.Bytes(), ingest.Limits{Flows: 4})
	if rows, _, _ := flowsOf(t, s, nil); len(rows) != 10 || s.Repairs()["flow ended early: too many at once"] != 6 {
		t.Errorf("%d flows, %v", len(rows), s.Repairs())
	}
}

// The first frames are small and each is twice the one before, so that the first
// flows show early; read in pieces of any size the rows are the same.
func TestCapture_framesGrow(t *testing.T) {
	var made bytes.Buffer
	if _, _, err := capturetest.Write(&made, 16_000_000, rand.New(rand.NewPCG(1, 2))); err != nil {
		t.Fatal(err)
	}
	frames := func(in io.ReaderAt) (sizes []int, sum uint64) {
		s, err := ingest.Open(in, int64(made.Len()), ingest.Limits{})
		for err == nil {
			var f *frame.Frame
			if f, err = s.Next(); err != nil {
				break
			}
			if f.Len() > 0 {
				sizes = append(sizes, f.Len())
			}
			for k := range frame.Flow.Fields {
				for i := range f.Len() {
					if v := f.Numbers[k]; v != nil && !math.IsNaN(v[i]) {
						sum = sum*31 + uint64(v[i]*1000)
					} else if text := f.Texts[k]; text != nil {
						sum = sum*31 + uint64(len(text[i]))
					}
				}
			}
		}
		if err != io.EOF {
			t.Fatal(err)
		}
		return sizes, sum
	}
	whole, sum := frames(bytes.NewReader(made.Bytes()))
	if want := []int{512, 1024, 2048, 4096}; len(whole) < 4 || !slices.Equal(whole[:3], want[:3]) || slices.Max(whole) > want[3] {
		t.Errorf("frames of %v rows", whole)
	}
	for _, n := range []int{100_000, 7_777} {
		if sizes, again := frames(slowly{bytes.NewReader(made.Bytes()), n}); !slices.Equal(sizes, whole) || again != sum {
			t.Errorf("in pieces of %d bytes: frames of %v rows, %v at once; sums %x and %x", n, sizes, whole, again, sum)
		}
	}
}

// slowly reads at most n bytes at a time.
type slowly struct {
	io.ReaderAt
	n int
}

func (s slowly) ReadAt(p []byte, off int64) (int, error) {
	return s.ReaderAt.ReadAt(p[:min(len(p), s.n)], off)
}

// Whatever the bytes behind a capture's magic, rows are numbered without gaps
// and At gives each again, kept or not.
func FuzzCapture(f *testing.F) {
	c := newPcap(101)
	c.packet(time.Second, udp(1, 2, 5, 6))
	c.packet(200*time.Second, udp(2, 1, 6, 5))
	f.Add(c.Bytes())
	f.Add([]byte("\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00" +
		"\x01\x00\x00\x00\x14\x00\x00\x00\x65\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00" +
		"\x03\x00\x00\x00\x2c\x00\x00\x00\x1c\x00\x00\x00" + string(udp(1, 2, 5, 6)) + "\x2c\x00\x00\x00"))
	for _, c := range captureFiles(f, corpusFolder+"corpus.zip") {
		if strings.HasPrefix(c.name, "malformed/") && len(c.data) < 4000 {
			f.Add(c.data)
		}
	}
	var columns []string
	for i, field := range frame.Flow.Fields {
		if field.Name != "L7_PROTO" && field.Name != frame.Label {
			columns = append(columns, frame.Flow.Fields[i].Name)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, kept := range []int{0, -1} {
			s, err := ingest.Open(bytes.NewReader(in), int64(len(in)), ingest.Limits{KeptBytes: kept, Flows: 8, InflatedBytes: 1 << 20})
			if err != nil || !strings.Contains(s.Format(), "capture") {
				return
			}
			rows, offsets, err := flowsOf(t, s, columns)
			if err == nil || len(rows) == 0 && err == io.EOF {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for i := 0; i < len(rows); i += 1 + len(rows)/5 {
				if f, err := s.At(offsets[i]); err != nil || cells(f, 0, columns) != rows[i] {
					t.Fatalf("flow %d: %v", i+1, err)
				}
			}
		}
	})
}
