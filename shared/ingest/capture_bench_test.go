package ingest_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"cloister/shared/ingest"
	"cloister/shared/ingest/capturetest"
	"cloister/shared/ingest/internal/capture"
	"cloister/shared/ingest/internal/flow"
)

// benchCaptures are the laboratory recording, unpacked, and a made capture of
// many short flows.
func benchCaptures(b *testing.B, do func(b *testing.B, raw []byte)) {
	z, err := gzip.NewReader(bytes.NewReader(mustRead(b, labCapture)))
	if err != nil {
		b.Fatal(err)
	}
	lab, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	var made bytes.Buffer
	packets, _, err := capturetest.Write(&made, 32_000_000, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		raw     []byte
		packets int64
	}{{"lab", lab, 40_469}, {"made", made.Bytes(), packets}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.raw)))
			b.ReportAllocs()
			for b.Loop() {
				do(b, c.raw)
			}
			b.ReportMetric(float64(c.packets)*float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}

// BenchmarkCapture goes from bytes to rows of 66 columns.
func BenchmarkCapture(b *testing.B) {
	benchCaptures(b, func(b *testing.B, raw []byte) {
		s, err := ingest.Open(bytes.NewReader(raw), int64(len(raw)), ingest.Limits{})
		for err == nil {
			_, err = s.Next()
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	})
}

// BenchmarkMeter goes from bytes to flows that ended, names and all: what is
// counted as packets a second elsewhere.
func BenchmarkMeter(b *testing.B) {
	benchCaptures(b, func(b *testing.B, raw []byte) {
		r, err := capture.NewReader(bytes.NewReader(raw))
		if err != nil {
			b.Fatal(err)
		}
		var d capture.Decoder
		var f capture.Frame
		list := make([]capture.Packet, 32)
		t := flow.NewTable(flow.Options{}, func(*flow.Flow) {})
		for n := 0; err == nil; t.AddAll(list[:n]) {
			n, err = d.Fill(r, &f, list)
		}
		t.Drain(t.Len())
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	})
}
