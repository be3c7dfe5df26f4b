package capture_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"

	"cloister/shared/ingest/internal/capture"
)

// rewrite reads a capture and writes its packets again.
func rewrite(t testing.TB, in []byte) []byte {
	t.Helper()
	r, err := capture.NewReader(bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	w := capture.NewWriter(r)
	out := w.AppendHead(nil)
	for {
		var f capture.Frame
		if r.Next(&f) != nil {
			return out
		}
		out = w.AppendPacket(out, &f)
	}
}

// What was written reads as what it was written from, and writing it once more
// changes nothing.
func TestWriter_readsBack(t *testing.T) {
	orders(t, func(t *testing.T, order binary.AppendByteOrder) {
		pcap := func(magic uint32) *file {
			f := &file{order: order}
			f.u32(magic).u16(2, 4).u32(0, 0, 65535, 113)
			f.u32(7, 8, 3, 99).WriteString("abc")
			f.u32(1<<32-1, 999999, 0, 0)
			return f
		}
		ng := &file{order: order}
		ng.section().device(101, 0, nil).device(1, 0, func(b *file) { b.u16(9, 1).Write([]byte{9, 0, 0, 0}) })
		ng.packet(1, 5, "one").packet(0, 6, "four").packet(1, 7, "").section().device(1, 0, nil).packet(0, 8, "seven")
		swapped := &file{order: order}
		swapped.u32(0xa1b2c3d4).u16(2, 2).u32(0, 0, 65535, 113).u32(7, 8, 99, 3).WriteString("abc")
		for name, f := range map[string]*file{"micro": pcap(0xa1b2c3d4), "nano": pcap(0xa1b23c4d), "pcapng": ng, "swapped": swapped} {
			want, _ := packets(f.Bytes())
			again := rewrite(t, f.Bytes())
			got, err := packets(again)
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s: %v\ngot  %q\nwant %q", name, err, got, want)
			}
			if !bytes.Equal(rewrite(t, again), again) {
				t.Errorf("%s: written once more, it differs", name)
			}
			if order == binary.LittleEndian && name == "micro" && !bytes.Equal(again[24:], f.Bytes()[24:]) {
				t.Errorf("%s: the packets changed", name)
			}
		}
	})
}

// corpus returns the captures of the corpus whose folder is one of those
// named and that are small, as seeds.
func corpus(t testing.TB, folders ...string) (list [][]byte) {
	t.Helper()
	z, err := zip.OpenReader("../../testdata/capture/corpus.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		folder, _, _ := strings.Cut(f.Name, "/")
		if !slices.Contains(folders, folder) || f.UncompressedSize64 > 4000 {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	if len(list) < 20 {
		t.Fatalf("%d seeds", len(list))
	}
	return list
}

// FuzzWriter reads, writes and reads again: the packets are the same, every
// byte of what was written is the same the second time, and no packet of the
// file makes the decoder panic or count it twice.
func FuzzWriter(f *testing.F) {
	for _, b := range corpus(f, "malformed", "pcapng-suite", "linktypes", "encap") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := capture.NewReader(bytes.NewReader(in))
		if err != nil {
			return
		}
		var d capture.Decoder
		decoded := int64(0)
		var fr capture.Frame
		var p capture.Packet
		for r.Next(&fr) == nil {
			for ok := d.Decode(&fr, &p); ok; ok = d.Early(&fr, &p) {
				decoded++
				if (p.Outer != nil) != (p.Key.Tunnel != 0) || p.Number != fr.Number {
					t.Fatalf("%+v", p)
				}
			}
		}
		skipped := int64(0)
		for _, n := range d.Skipped() {
			skipped += n
		}
		if skipped+decoded != r.Packets() || d.Joined() > decoded {
			t.Fatalf("%d packets, %d decoded, %d joined, %d left out", r.Packets(), decoded, d.Joined(), skipped)
		}
		want, _ := packets(in)
		again := rewrite(t, in)
		got, err := packets(again)
		if err != io.EOF || !slices.Equal(got, want) {
			t.Fatalf("%v\ngot  %q\nwant %q", err, got, want)
		}
		if !bytes.Equal(rewrite(t, again), again) {
			t.Fatal("written once more, it differs")
		}
	})
}
