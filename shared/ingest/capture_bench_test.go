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
)

// BenchmarkCapture meters the laboratory recording, unpacked, and a made
// capture of many short flows, from bytes to rows.
func BenchmarkCapture(b *testing.B) {
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
				s, err := ingest.Open(bytes.NewReader(c.raw), int64(len(c.raw)), ingest.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = s.Next()
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.packets)*float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
