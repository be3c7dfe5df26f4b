package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	format "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"cloister/builder/internal/parquet"
	"cloister/shared/frame"
	"cloister/shared/ingest"
)

var _ ingest.Cells = (*parquet.File)(nil)

// write returns a file of n flows in row groups of 1,000.
func write(t testing.TB, n int, codec compress.Compression) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "FLOW_START_MILLISECONDS", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "nested", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)},
		{Name: "IPV4_SRC_ADDR", Type: arrow.BinaryTypes.String},
		{Name: "IN_BYTES", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "IN_PKTS", Type: arrow.PrimitiveTypes.Uint32},
		{Name: "FLOW_DURATION_MILLISECONDS", Type: arrow.PrimitiveTypes.Float64},
		{Name: "PROTOCOL", Type: arrow.PrimitiveTypes.Int8},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	start := time.Date(2024, 1, 1, 0, 0, 0, 250_000, time.UTC)
	for i := range n {
		b.Field(0).(*array.TimestampBuilder).Append(arrow.Timestamp(start.UnixMicro() + int64(i)))
		list := b.Field(1).(*array.ListBuilder)
		list.Append(true)
		list.ValueBuilder().(*array.Int32Builder).Append(int32(i))
		b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("192.0.2.%d", i%250))
		if i%10 == 3 {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.Int64Builder).Append(int64(i) * 100)
		}
		b.Field(4).(*array.Uint32Builder).Append(uint32(i))
		b.Field(5).(*array.Float64Builder).Append(float64(i) / 3)
		b.Field(6).(*array.Int8Builder).Append(6)
	}
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, format.NewWriterProperties(format.WithCompression(codec), format.WithMaxRowGroupLength(1000)), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(b.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var options = ingest.Options{Parquet: func(r io.ReaderAt, n int64) (ingest.Cells, error) { return parquet.Open(r, n) }}

// Every value of every row comes back, in order and by number, in each codec.
func TestOpen_rows(t *testing.T) {
	const n = 2500
	for _, codec := range []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Zstd, compress.Codecs.Lz4Raw} {
		t.Run(codec.String(), func(t *testing.T) {
			b := write(t, n, codec)
			s, err := ingest.OpenWith(bytes.NewReader(b), int64(len(b)), options)
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			for {
				f, err := s.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				for i := range f.Len() {
					check(t, f, i, rows)
					rows++
				}
			}
			if rows != n || fmt.Sprint(s.Unmapped()) != "[]" {
				t.Errorf("%d rows, unmapped %q", rows, s.Unmapped())
			}
			for _, i := range []int{2499, 0, 1000, 999, 1001, 17} {
				f, err := s.At(int64(i) + 1)
				if err != nil {
					t.Fatal(err)
				}
				check(t, f, 0, i)
			}
		})
	}
}

func check(t *testing.T, f *frame.Frame, row, i int) {
	t.Helper()
	number := func(name string) float64 { k, _ := frame.Flow.Index(name); return f.Numbers[k][row] }
	text := func(name string) string { k, _ := frame.Flow.Index(name); return f.Texts[k][row] }
	bytes := number(frame.InBytes)
	if i%10 == 3 && bytes == bytes || i%10 != 3 && bytes != float64(i)*100 {
		t.Fatalf("row %d: %v bytes", i, bytes)
	}
	// 1704067200000.25 + i us
	if start := number(frame.FlowStart); start != float64(1704067200000250+i)/1000 {
		t.Fatalf("row %d: starts at %v", i, start)
	}
	if number(frame.InPackets) != float64(i) || number(frame.Duration) != float64(i)/3 || number(frame.Protocol) != 6 || text(frame.SrcAddr) != fmt.Sprintf("192.0.2.%d", i%250) {
		t.Fatalf("row %d differs", i)
	}
}

// Bytes that are cut or changed give errors, never a panic.
func TestOpen_hostile(t *testing.T) {
	b := write(t, 300, compress.Codecs.Snappy)
	read := func(b []byte) error {
		f, err := parquet.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return err
		}
		for i := range min(f.Rows(), 1000) {
			if _, err := f.Row(i); err != nil {
				return err
			}
		}
		return nil
	}
	if err := read(b); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for n := 0; n < len(b); n += 97 {
		if read(b[:n]) == nil {
			t.Errorf("cut to %d of %d bytes, and read", n, len(b))
		}
		changed := bytes.Clone(b)
		changed[n] ^= 0xff
		if read(changed) != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no changed byte was noticed")
	}
	f, err := parquet.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int64{-1, 300} {
		if _, err := f.Row(i); err == nil {
			t.Errorf("read row %d", i)
		}
	}
}
