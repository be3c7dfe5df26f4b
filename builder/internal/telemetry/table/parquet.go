package table

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"cloister/shared/telemetry"
)

// readParquet reads a flat table of numbers, texts, booleans and times.
func readParquet(r io.ReaderAt, name string, size int64) (t *Raw, err error) {
	defer func() {
		if e := recover(); e != nil { // the library panics on some broken files
			t, err = nil, fmt.Errorf("%s: broken Parquet file: %.200v", name, e)
		}
	}()
	f, err := file.NewParquetReader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if n := f.NumRows(); n > maxRows || int64(f.MetaData().Schema.NumColumns())*n > maxCells {
		return nil, fmt.Errorf("%s: %d rows of %d columns: split the file by device", name, n, f.MetaData().Schema.NumColumns())
	}
	reader, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 1 << 14}, memory.DefaultAllocator)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	records, err := reader.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer records.Release()
	var header []string
	for _, field := range records.Schema().Fields() {
		header = append(header, field.Name)
	}
	l, err := telemetry.LayoutOf(header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t = &Raw{Header: l.Names}
	if l.Label >= 0 {
		t.Labels = []bool{}
	}
	for records.Next() {
		rec := records.RecordBatch()
		for i := range int(rec.NumRows()) {
			t.Rows++
			t.addRow(l, func(j int) (string, bool) { return cellText(rec.Column(j), i) })
		}
	}
	if err := records.Err(); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := t.usable(name); err != nil {
		return nil, err
	}
	return t, nil
}

// cellText returns a cell as text, false when it is null.
func cellText(c arrow.Array, i int) (string, bool) {
	if c.IsNull(i) {
		return "", false
	}
	switch a := c.(type) {
	case *array.Float64:
		return number(a.Value(i)), !math.IsNaN(a.Value(i))
	case *array.Float32:
		return number(float64(a.Value(i))), a.Value(i) == a.Value(i)
	case *array.Int64:
		return strconv.FormatInt(a.Value(i), 10), true
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		return a.Value(i).ToTime(unit).UTC().Format("2006-01-02T15:04:05.999999999"), true
	}
	return c.ValueStr(i), true
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// Column is a column of a table to be written: texts, or numbers where NaN is
// missing.
type Column struct {
	Name    string
	Numbers []float64
	Texts   []string // used when Numbers is nil
	Whole   bool     // the numbers are integers, written as such
}

// codecs by the names of the configuration.
var codecs = map[string]compress.Compression{
	"snappy": compress.Codecs.Snappy, "zstd": compress.Codecs.Zstd, "gzip": compress.Codecs.Gzip, "none": compress.Codecs.Uncompressed,
}

// WriteParquet writes columns of equal length with the codec of that name. The
// same columns give the same bytes.
func WriteParquet(w io.Writer, columns []Column, codec string) error {
	compression, ok := codecs[codec]
	if !ok {
		return fmt.Errorf("compression %.64q is unknown", codec)
	}
	var fields []arrow.Field
	var arrays []arrow.Array
	rows := 0
	for _, c := range columns {
		var b array.Builder
		switch {
		case c.Numbers == nil:
			s := array.NewStringBuilder(memory.DefaultAllocator)
			s.AppendValues(c.Texts, nil)
			b, rows = s, len(c.Texts)
		case c.Whole:
			s := array.NewInt64Builder(memory.DefaultAllocator)
			for _, v := range c.Numbers {
				s.Append(int64(v))
			}
			b, rows = s, len(c.Numbers)
		default:
			s := array.NewFloat64Builder(memory.DefaultAllocator)
			for _, v := range c.Numbers {
				if math.IsNaN(v) {
					s.AppendNull()
				} else {
					s.Append(v)
				}
			}
			b, rows = s, len(c.Numbers)
		}
		a := b.NewArray()
		fields = append(fields, arrow.Field{Name: c.Name, Type: a.DataType(), Nullable: true})
		arrays = append(arrays, a)
	}
	schema := arrow.NewSchema(fields, nil)
	rec := array.NewRecordBatch(schema, arrays, int64(rows))
	props := parquet.NewWriterProperties(parquet.WithCompression(compression), parquet.WithCreatedBy("cloister"))
	out, err := pqarrow.NewFileWriter(schema, keepOpen{w}, props, pqarrow.NewArrowWriterProperties())
	if err != nil {
		return err
	}
	if err := out.Write(rec); err != nil {
		return err
	}
	return out.Close()
}

// keepOpen hides Close from the library, which would close what the caller
// owns.
type keepOpen struct{ io.Writer }
