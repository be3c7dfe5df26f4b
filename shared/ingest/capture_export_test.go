package ingest_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

// madeColumns are the fields of flows of captures, without the numbers of
// packets, which an export changes.
func madeColumns(s *ingest.Source) (list []string) {
	for _, m := range s.Mapping() {
		if m.How != ingest.Missing && m.Field != frame.FirstPacket && m.Field != frame.LastPacket {
			list = append(list, m.Field)
		}
	}
	return list
}

func exported(t testing.TB, s *ingest.Source, offsets ...int64) []byte {
	t.Helper()
	e, err := s.Export(offsets)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	n, err := e.WriteTo(&out)
	if err != nil || n != int64(out.Len()) || !strings.HasPrefix(s.Format(), e.Format()+" capture") {
		t.Fatalf("%d bytes of %d as %s of %s: %v", n, out.Len(), e.Format(), s.Format(), err)
	}
	return out.Bytes()
}

// Flows of the laboratory recording that are exported and read again are the
// same flows, whether they were kept or not, and hold as many packets.
func TestExport_sameFlows(t *testing.T) {
	raw := read(t, labCapture)
	for _, kept := range []int{0, 10_000} {
		s := openBytes(t, raw, ingest.Limits{KeptBytes: kept})
		columns := madeColumns(s)
		rows, offsets, err := flowsOf(t, s, columns)
		if err != io.EOF {
			t.Fatal(err)
		}
		consumed := s.Consumed()
		var chosen []int64
		var want []string
		for i := 5; i < len(rows); i += 97 {
			chosen, want = append(chosen, offsets[i]), append(want, rows[i])
		}
		slices.Reverse(chosen) // order does not matter
		out := exported(t, s, append(chosen, chosen[0])...)
		got, _, err := flowsOf(t, openBytes(t, out, ingest.Limits{}), columns)
		if err != io.EOF {
			t.Fatal(err)
		}
		slices.Sort(got)
		slices.Sort(want)
		if len(want) < 20 || !slices.Equal(got, want) {
			t.Errorf("%d flows, want %d\n%q\n%q", len(got), len(want), got, want)
		}
		exported(t, s, offsets[0]) // ends early
		if s.Consumed() != consumed {
			t.Error("Export disturbs Consumed")
		}
	}
	// All of them, in the same order.
	s := openBytes(t, raw, ingest.Limits{})
	columns := madeColumns(s)
	rows, offsets, _ := flowsOf(t, s, columns)
	got, _, _ := flowsOf(t, openBytes(t, exported(t, s, offsets...), ingest.Limits{}), columns)
	slices.Sort(got)
	slices.Sort(rows)
	if !slices.Equal(got, rows) {
		t.Errorf("%d flows of %d", len(got), len(rows))
	}
}

// unlikeAlone are flows of the corpus that are not the same on their own.
var unlikeAlone = map[string]string{}

// Each flow of the corpus alone, exported and read again, is the same flow.
func TestExport_corpus(t *testing.T) {
	flows := 0
	for _, f := range captureFiles(t, corpusFolder+"corpus.zip") {
		s, err := ingest.Open(bytes.NewReader(f.data), int64(len(f.data)), ingest.Limits{})
		if err != nil {
			continue
		}
		columns := madeColumns(s)
		rows, offsets, _ := flowsOf(t, s, columns)
		for i := range rows[:min(len(rows), 20)] {
			out := exported(t, s, offsets[i])
			got, _, err := flowsOf(t, openBytes(t, out, ingest.Limits{}), columns)
			if (err != io.EOF || len(got) != 1 || got[0] != rows[i]) && unlikeAlone[f.name] == "" {
				t.Errorf("%s, flow %d: %v\ngot  %q\nwant %q", f.name, i+1, err, got, rows[i])
			}
			flows++
		}
	}
	if flows < 200 {
		t.Errorf("%d flows", flows)
	}
}

func TestExport_refuses(t *testing.T) {
	c := newPcap(101)
	c.packet(1, udp(1, 2, 5, 6))
	s := openBytes(t, c.Bytes(), ingest.Limits{})
	var format *ingest.FormatError
	if _, err := s.Export([]int64{1}); !errors.As(err, &format) {
		t.Errorf("a flow that was not read yet: %v", err)
	}
	if _, _, err := flowsOf(t, s, nil); err != io.EOF {
		t.Fatal(err)
	}
	for _, n := range []int64{0, -1, 2} {
		if _, err := s.Export([]int64{n}); !errors.As(err, &format) || format.Offset != n {
			t.Errorf("flow %d: %v", n, err)
		}
	}
	if out := exported(t, s); len(out) != 24 {
		t.Errorf("no flow: %d bytes", len(out))
	}
	const table = "IN_BYTES,OUT_BYTES,PROTOCOL,L4_DST_PORT\n1,2,6,80\n"
	if _, err := openBytes(t, []byte(table), ingest.Limits{}).Export([]int64{1}); !errors.Is(err, ingest.ErrNoCapture) {
		t.Errorf("of a table: %v", err)
	}
}

// A long export comes in parts of bounded size, and long stretches without a
// packet of it in empty ones, so that progress is seen.
func TestExport_parts(t *testing.T) {
	c := newPcap(101)
	const packets = 140_000
	for i := range packets {
		to := byte(2)
		if i == 0 || i == packets-1 {
			to = 3
		}
		c.packet(0, udp(1, to, 5, 6))
	}
	s := openBytes(t, c.Bytes(), ingest.Limits{})
	if _, _, err := flowsOf(t, s, nil); err != io.EOF {
		t.Fatal(err)
	}
	parts := func(offset int64) (parts, empty, bytes int, packets int64) {
		e, err := s.Export([]int64{offset})
		if err != nil {
			t.Fatal(err)
		}
		for {
			part, err := e.Next()
			if err == io.EOF {
				return parts, empty, bytes, e.Packets()
			}
			if len(part) > 300_000 || e.Consumed() == 0 {
				t.Errorf("a part of %d bytes, %d consumed", len(part), e.Consumed())
			}
			if len(part) == 0 {
				empty++
			}
			parts++
			bytes += len(part)
		}
	}
	if n, _, bytes, packets := parts(1); n < 20 || bytes != 24+44*139_998 || packets != 139_998 {
		t.Errorf("the long flow: %d parts, %d bytes, %d packets", n, bytes, packets)
	}
	if n, empty, bytes, packets := parts(2); empty != 1 || n != 3 || bytes != 24+44*2 || packets != 2 {
		t.Errorf("the short flow: %d parts, %d of them empty, %d bytes, %d packets", n, empty, bytes, packets)
	}
}

// Fragments that came before the first one of their packet have flow, stamps
// and numbers of their own, count as no loss, and are exported with the flow.
func TestExport_earlyFragments(t *testing.T) {
	part := func(offset, more byte) []byte {
		b := udp(1, 2, 5, 6)
		b[5], b[6], b[7] = 77, more<<5, offset
		return b
	}
	c := newPcap(101)
	c.packet(1*time.Second, part(2, 0))      // the last part
	c.packet(2*time.Second, udp(3, 4, 7, 8)) // another flow
	c.packet(3*time.Second, part(1, 1))      // the middle
	c.packet(4*time.Second, part(0, 1))      // the first
	c.packet(5*time.Second, udp(1, 2, 5, 6)) // another packet of the flow
	c.packet(6*time.Second, udp(9, 9, 9, 9)[:28])
	s := openBytes(t, c.Bytes(), ingest.Limits{})
	columns := madeColumns(s)
	rows, offsets, err := flowsOf(t, s, columns)
	if err != io.EOF || len(rows) != 3 {
		t.Fatalf("%d flows, %v", len(rows), err)
	}
	if repairs := s.Repairs(); len(repairs) != 1 {
		t.Errorf("counted: %v", repairs)
	}
	short := []string{frame.FlowStart, frame.Duration, frame.InPackets, frame.InBytes, frame.FirstPacket, frame.LastPacket}
	found := false
	for i, offset := range offsets {
		f, err := s.At(offset)
		if err != nil {
			t.Fatal(err)
		}
		if cells(f, 0, []string{frame.SrcPort}) != "5" {
			continue
		}
		found = true
		if got, want := cells(f, 0, short), "1000,4000,4,112,1,5"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		again, _, err := flowsOf(t, openBytes(t, exported(t, s, offset), ingest.Limits{}), columns)
		if err != io.EOF || len(again) != 1 || again[0] != rows[i] {
			t.Errorf("exported: %q, %v\nwant %q", again, err, rows[i])
		}
	}
	if !found {
		t.Error("no flow of port 5")
	}
}
