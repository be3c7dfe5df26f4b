package packed_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloister/builder/internal/packed"
	"cloister/shared/ingest"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	format "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"
)

// readerScript is what the page runs; make build writes it.
const readerScript = "../../../build/site/reader.js"

// question asks the page's reader about a file.
type question struct {
	Op       string   `json:"op"`
	Names    []string `json:"names"`
	Chunk    int      `json:"chunk,omitempty"`
	Metrics  string   `json:"metrics,omitempty"`
	Counters string   `json:"counters,omitempty"`
}

// answer is what it said, and the bytes after.
type answer struct {
	Error string
	Rows  int64
	Kind  string
	Note  string
	bytes []byte
}

// ask runs the page's reader in Node, all questions in one process.
func ask(t *testing.T, list ...question) []answer {
	t.Helper()
	if _, err := os.Stat(readerScript); err != nil {
		t.Fatalf("make build makes the page's reader: %v", err)
	}
	var in bytes.Buffer
	for _, q := range list {
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(b, '\n'))
	}
	c := exec.CommandContext(t.Context(), "node", "testdata/reader.mjs", readerScript)
	c.Stdin, c.WaitDelay = &in, time.Second
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %.2000s", err, out)
	}
	answers := make([]answer, len(list))
	for i, q := range list {
		b, err := os.ReadFile(q.Names[0] + ".out")
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := bytes.Cut(b, []byte{'\n'})
		if err := json.Unmarshal(head, &answers[i]); err != nil {
			t.Fatalf("%s: %v", head, err)
		}
		answers[i].bytes = rest
	}
	return answers
}

func file(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// cells writes a table in the form of the page's reader.
func cells(c ingest.Cells) ([]byte, error) {
	var out []byte
	row := func(cells [][]byte) {
		for _, cell := range cells {
			if cell == nil {
				out = append(out, 0)
				continue
			}
			out = append(binary.AppendUvarint(out, uint64(len(cell))+1), cell...)
		}
	}
	var header [][]byte
	for _, h := range c.Header() {
		header = append(header, []byte(h))
	}
	row(header)
	for i := range c.Rows() {
		cells, err := c.Row(i)
		if err != nil {
			return out, err
		}
		row(cells)
	}
	return out, nil
}

// native reads a Parquet file with the builder's own reader.
func native(b []byte) ([]byte, error) {
	c, err := packed.Parquet(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return cells(c)
}

// everything writes n rows of each type of value that a flat column can have,
// with times as old writers have them if so asked.
func everything(t *testing.T, n int, old bool, props ...format.WriterProperty) []byte {
	t.Helper()
	types := []arrow.DataType{
		arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Uint16,
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, arrow.FixedWidthTypes.Float16, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
		&arrow.FixedSizeBinaryType{ByteWidth: 5}, arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Timestamp_ms, arrow.FixedWidthTypes.Timestamp_us,
		arrow.FixedWidthTypes.Timestamp_ns, &arrow.TimestampType{Unit: arrow.Microsecond}, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us,
		arrow.FixedWidthTypes.Time64ns, &arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 18, Scale: 0}, &arrow.Decimal128Type{Precision: 38, Scale: 7},
	}
	var fields []arrow.Field
	for _, nullable := range []bool{false, true} {
		for _, dt := range types {
			fields = append(fields, arrow.Field{Name: fmt.Sprintf("%v %v", dt, nullable), Type: dt, Nullable: nullable})
		}
	}
	fields = append(fields, arrow.Field{Name: "nested", Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int8}, arrow.Field{Name: "b", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8)})},
		arrow.Field{Name: "one", Type: arrow.PrimitiveTypes.Int64})
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	r := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range n {
		for k, f := range fields {
			field := b.Field(k)
			if f.Nullable && r.IntN(4) == 0 {
				field.AppendNull()
				continue
			}
			whole := int64(r.Uint64()) >> r.IntN(64) // of every size
			if i%3 == 0 {
				whole = int64(i % 7)
			}
			switch c := field.(type) {
			case *array.BooleanBuilder:
				c.Append(whole%2 == 0)
			case *array.Int8Builder:
				c.Append(int8(whole))
			case *array.Uint8Builder:
				c.Append(uint8(whole))
			case *array.Int16Builder:
				c.Append(int16(whole))
			case *array.Uint16Builder:
				c.Append(uint16(whole))
			case *array.Int32Builder:
				c.Append(int32(whole))
			case *array.Uint32Builder:
				c.Append(uint32(whole))
			case *array.Int64Builder:
				c.Append(whole)
			case *array.Uint64Builder:
				c.Append(uint64(whole))
			case *array.Float32Builder:
				c.Append(math.Float32frombits(uint32(whole)))
			case *array.Float64Builder:
				c.Append([]float64{math.Float64frombits(uint64(whole)), float64(whole), float64(whole) / 1000, math.Copysign(0, -1), math.Inf(-1), math.NaN()}[r.IntN(6)])
			case *array.Float16Builder:
				c.Append(float16.FromBits(uint16(whole)))
			case *array.StringBuilder:
				c.Append(strings.Repeat("é", r.IntN(80)) + fmt.Sprint(whole%50))
			case *array.BinaryBuilder:
				c.Append(binary.LittleEndian.AppendUint64(nil, uint64(whole)))
			case *array.FixedSizeBinaryBuilder:
				c.Append(binary.LittleEndian.AppendUint64(nil, uint64(whole))[:5])
			case *array.Date32Builder:
				c.Append(arrow.Date32(int32(whole)))
			case *array.TimestampBuilder:
				c.Append(arrow.Timestamp(whole >> 12)) // within the years that Go knows in microseconds
			case *array.Time32Builder:
				c.Append(arrow.Time32(uint64(whole) % 86_400_000))
			case *array.Time64Builder:
				c.Append(arrow.Time64(uint64(whole) % 86_400_000_000))
			case *array.Decimal128Builder:
				c.Append(decimal128.FromI64(whole % 1_000_000_000))
			case *array.StructBuilder:
				c.Append(true)
				c.FieldBuilder(0).(*array.Int8Builder).Append(int8(i))
				list := c.FieldBuilder(1).(*array.ListBuilder)
				list.Append(true)
				list.ValueBuilder().(*array.Int8Builder).Append(int8(i))
			default:
				t.Fatalf("no values for %T", c)
			}
		}
	}
	return written(t, b, old, append(props, format.WithMaxRowGroupLength(1000))...)
}

// written returns the rows of b as a Parquet file.
func written(t *testing.T, b *array.RecordBuilder, old bool, props ...format.WriterProperty) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(b.Schema(), &out, format.NewWriterProperties(props...), pqarrow.NewArrowWriterProperties(pqarrow.WithDeprecatedInt96Timestamps(old)))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(b.NewRecordBatch()), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// parquetRows make two row groups.
const parquetRows = 1200

// The page's reader gives the cells of the native one, to the byte, in every
// codec, version of pages and encoding.
func TestReader_parquetIsThatOfTheBuilder(t *testing.T) {
	codecs := map[string]format.WriterProperty{}
	for _, c := range []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Zstd, compress.Codecs.Lz4Raw} {
		codecs[c.String()] = format.WithCompression(c)
	}
	layouts := map[string][]format.WriterProperty{
		"dictionary": nil,
		"plain":      {format.WithDictionaryDefault(false)},
		"version 2":  {format.WithDataPageVersion(format.DataPageV2), format.WithDictionaryDefault(false)},
		"small":      {format.WithDataPageVersion(format.DataPageV2), format.WithDataPageSize(700)},
		"INT96":      nil,
	}
	var list []question
	var want [][]byte
	var names []string
	for codec, packing := range codecs {
		for name, layout := range layouts {
			b := everything(t, parquetRows, name == "INT96", append([]format.WriterProperty{packing}, layout...)...)
			cells, err := native(b)
			if err != nil {
				t.Fatal(err)
			}
			want, names = append(want, cells), append(names, codec+", "+name)
			list = append(list, question{Op: "parquet", Names: []string{file(t, "x.parquet", b)}})
		}
	}
	for i, a := range ask(t, list...) {
		if a.Error != "" || a.Rows != parquetRows {
			t.Errorf("%s: %+v", names[i], a)
		}
		compare(t, names[i], a.bytes, want[i])
	}
}

// A column of few words is one page however many rows there are.
func TestReader_parquetLargePages(t *testing.T) {
	const n = 300_000
	schema := arrow.NewSchema([]arrow.Field{{Name: "protocol", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "one", Type: arrow.PrimitiveTypes.Int64}}, nil)
	rows := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range n {
		if i%1000 == 7 {
			rows.Field(0).AppendNull()
		} else {
			rows.Field(0).(*array.StringBuilder).Append([]string{"TCP", "UDP"}[i/5000%2])
		}
		rows.Field(1).(*array.Int64Builder).Append(1)
	}
	b := written(t, rows, false, format.WithCompression(compress.Codecs.Snappy))
	want, err := native(b)
	if err != nil {
		t.Fatal(err)
	}
	a := ask(t, question{Op: "parquet", Names: []string{file(t, "x.parquet", b)}})[0]
	if a.Error != "" || a.Rows != n {
		t.Errorf("%d rows, %s", a.Rows, a.Error)
	}
	compare(t, "large pages", a.bytes, want)
}

// compare says where two tables differ.
func compare(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(at-40, 0)
	t.Errorf("%s: at byte %d of %d and %d\n got %q\nwant %q", name, at, len(got), len(want), got[from:min(at+40, len(got))], want[from:min(at+40, len(want))])
}

// packs returns zstd files of one content in every way there is to write them.
func packs(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
		for _, sum := range []bool{false, true} {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(sum), zstd.WithWindowSize(1<<18))
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%v, checksum %v", level, sum)
			out[name] = w.EncodeAll(content, nil)
			var stream bytes.Buffer
			w.Reset(&stream)
			for at := 0; at < len(content); at += 100_000 {
				w.Write(content[at:min(at+100_000, len(content))])
				w.Flush()
			}
			w.Close()
			out[name+", streamed"] = bytes.Clone(stream.Bytes())
		}
	}
	one := out["fastest, checksum true"]
	skippable := append([]byte("\x5a\x2a\x4d\x18\x05\x00\x00\x00"), "hello"...)
	out["frames"] = bytes.Join([][]byte{one, skippable, one, {}, one}, nil)
	w, _ := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	out["single segment"] = w.EncodeAll(content, nil)
	out["empty"] = w.EncodeAll([]byte{}, nil)
	return out
}

func unzip(b []byte) ([]byte, error) {
	r, err := packed.Zstd(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestReader_zstdIsThatOfTheBuilder(t *testing.T) {
	content, err := os.ReadFile("../../../models/sample/flows.csv")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300_000 { // what does not compress, and a long run
		content = append(content, byte(r.Uint32()))
	}
	content = append(content, bytes.Repeat([]byte{7}, 3_000_000)...)
	content = append(content, content[:200_000]...)
	for range 30 { // lines that have been, for longer than windows are
		content = append(content, content[r.IntN(40_000):60_000]...)
	}
	var list []question
	var want [][]byte
	var names []string
	for name, b := range packs(t, content) {
		plain, err := unzip(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, chunk := range []int{1 << 18, 1000} {
			names, want = append(names, fmt.Sprintf("%s by %d", name, chunk)), append(want, plain)
			list = append(list, question{Op: "unzip", Names: []string{file(t, "x.zst", b)}, Chunk: chunk})
		}
	}
	for i, a := range ask(t, list...) {
		if a.Error != "" || !bytes.Equal(a.bytes, want[i]) {
			t.Errorf("%s: %d bytes of %d, %s", names[i], len(a.bytes), len(want[i]), a.Error)
		}
	}
}

// Files that were cut or changed give an error that says why, or what the
// builder's reader gives; they never take long.
func TestReader_hostile(t *testing.T) {
	metrics, counters := metricNames()
	content := bytes.Repeat([]byte("a line of text, and 12345\n"), 9000)
	database, err := os.ReadFile(agents[2].copies(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	flat := everything(t, 60, false, format.WithCompression(compress.Codecs.Snappy), format.WithDataPageVersion(format.DataPageV2))
	old := everything(t, 60, true)
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(5, 6))
	var list []question
	var cut []bool
	add := func(q question, b []byte, isCut bool) {
		path := filepath.Join(dir, fmt.Sprint(len(list)))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		q.Names = []string{path}
		list, cut = append(list, q), append(cut, isCut)
	}
	for _, kind := range []struct {
		q question
		b []byte
	}{
		{question{Op: "unzip", Chunk: 1 << 18}, w.EncodeAll(content, nil)},
		{question{Op: "unzip", Chunk: 1 << 18}, w.EncodeAll(flat, nil)},
		{question{Op: "parquet"}, flat}, {question{Op: "parquet"}, old},
		{question{Op: "sqlite", Metrics: metrics, Counters: counters}, database},
	} {
		for range 40 {
			add(kind.q, kind.b[:r.IntN(len(kind.b))], true)
			changed := bytes.Clone(kind.b)
			for range 1 + r.IntN(4) {
				changed[r.IntN(len(changed))] = byte(r.Uint32())
			}
			add(kind.q, changed, false)
			tail := bytes.Clone(kind.b) // footers and headers
			tail[max(len(tail)-1-r.IntN(1500), 0)] ^= byte(1 << r.IntN(8))
			tail[min(r.IntN(120), len(tail)-1)] ^= byte(1 << r.IntN(8))
			add(kind.q, tail, false)
		}
	}
	// What asks for more than there is: a window, a page, a run, a schema.
	add(question{Op: "unzip", Chunk: 9}, []byte("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00"), true)
	add(question{Op: "unzip", Chunk: 9}, append([]byte("\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff"), 1, 0, 0), true)
	add(question{Op: "unzip", Chunk: 99}, []byte("no zstd at all"), true)
	start := time.Now()
	refused, read := 0, 0
	for i, a := range ask(t, list...) {
		if a.Error != "" {
			refused++
		} else {
			read++
		}
		b, err := os.ReadFile(list[i].Names[0])
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		switch list[i].Op {
		case "unzip":
			want, err = unzip(b)
		case "parquet":
			want, err = native(b)
		default:
			continue
		}
		if cut[i] && a.Error == "" && err != nil {
			t.Errorf("question %d, %s: %d of the bytes are read, by the builder: %v", i, list[i].Op, len(b), err)
		}
		if err == nil && a.Error == "" && list[i].Op == "unzip" {
			compare(t, fmt.Sprintf("question %d", i), a.bytes, want)
		}
	}
	if took := time.Since(start); refused < 200 || read < 10 || took > 30*time.Second {
		t.Errorf("%d refused, %d read, in %v", refused, read, took)
	}
}

// Bytes of a frame without a checksum are changed: what the builder's reader
// refuses, the page's refuses too, and what it reads is the same. The library
// before, fzstd, gave zeros for matches from before the content and never
// looked whether streams of bits end where they have to: it read a third of
// these frames, as something else.
func TestReader_zstdAltered(t *testing.T) {
	sample, err := os.ReadFile("../../../models/sample/flows.csv")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	var list []question
	for _, content := range [][]byte{sample[:30_000], bytes.Repeat([]byte("a line of text, and 12345\n"), 300)} {
		for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
			var out bytes.Buffer
			w, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false))
			if err != nil {
				t.Fatal(err)
			}
			for part := content; len(part) > 0; part = part[min(7000, len(part)):] { // several blocks, one after the other
				if _, err := w.Write(part[:min(7000, len(part))]); err != nil {
					t.Fatal(err)
				}
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			for range 60 {
				b := bytes.Clone(out.Bytes())
				b[6+r.IntN(len(b)-6)] ^= byte(1 + r.IntN(255))
				path := filepath.Join(dir, fmt.Sprint(len(list)))
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				list = append(list, question{Op: "unzip", Names: []string{path}, Chunk: 1 << 18})
			}
		}
	}
	refused, read := 0, 0
	for i, a := range ask(t, list...) {
		b, err := os.ReadFile(list[i].Names[0])
		if err != nil {
			t.Fatal(err)
		}
		want, err := unzip(b)
		switch {
		case (err == nil) != (a.Error == ""):
			t.Errorf("question %d: %d bytes, %q; by the builder: %d bytes, %v", i, len(a.bytes), a.Error, len(want), err)
		case err != nil:
			refused++
		default:
			read++
			compare(t, fmt.Sprintf("question %d", i), a.bytes, want)
		}
	}
	if refused < 200 || read < 100 {
		t.Errorf("%d refused, %d read", refused, read)
	}
}
