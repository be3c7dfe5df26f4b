package flow

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
)

// What a packet changes of its flow lies in three lines of 64 bytes, and flows
// start with a line: a field more would cost every packet a fourth.
func TestFlow_liesInLines(t *testing.T) {
	f := reflect.TypeFor[Flow]()
	for name, want := range map[string]uintptr{"Key": 0, "Start": 64, "Sides": 128, "FirstPacket": 256} {
		if field, ok := f.FieldByName(name); !ok || field.Offset != want {
			t.Errorf("%s is at byte %d, want %d", name, field.Offset, want)
		}
	}
	if side := reflect.TypeFor[Side]().Size(); side != 64 || f.Size() != 5*64 {
		t.Errorf("a flow has %d bytes and a side %d", f.Size(), side)
	}
}

// In whatever order texts are found, the first of a kind stays, and a record
// has them in their own order: it is read back from its bytes, and written as
// often as one likes.
func TestTable_textsInAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	dst := frame.New(frame.Flow, 1, Has())
	for range 200 {
		table := NewTable(Options{}, func(*Flow) {})
		p := capture.Packet{Bytes: 40}
		if r.IntN(2) == 0 {
			p.Outer = &capture.Outer{Kind: capture.GRE}
		}
		f := table.Add(&p)
		want, held := map[uint8]string{}, 0
		for range r.IntN(12) {
			which, s := uint8(r.IntN(int(textTunnel))), fmt.Sprint(r.Uint32())
			table.set(f, which, s)
			if want[which] == "" {
				want[which] = s
				held += len(s)
			}
		}
		if table.held != held {
			t.Fatalf("%d bytes are held, want %d", table.held, held)
		}
		if p.Outer != nil {
			want[textTunnel] = "GRE 0.0.0.0 > 0.0.0.0"
		}
		var one, again Record
		f.Record(&one)
		f.Record(&again)
		b := one.AppendBinary(nil)
		back, rest, err := DecodeRecord(b)
		if err != nil || len(rest) > 0 || !slices.Equal(b, again.AppendBinary(nil)) || !slices.Equal(b, back.AppendBinary(nil)) {
			t.Fatalf("%q: %v, %d bytes left", b, err, len(rest))
		}
		dst.Reset() // what it held before is gone
		AppendTo(dst, []Record{back})
		for which, place := range textPlaces {
			if got := dst.Texts[place][0]; got != want[uint8(which)] {
				t.Fatalf("%s is %q, want %q", textNames[which], got, want[uint8(which)])
			}
		}
		if table.Drain(1); table.held != 0 {
			t.Fatalf("%d bytes are held at the end", table.held)
		}
	}
}
