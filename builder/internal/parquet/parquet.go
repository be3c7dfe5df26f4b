// Package parquet reads Parquet files for package ingest, which may not link a
// decoder. It hides the library that does.
//
//	o := ingest.Options{Parquet: func(r io.ReaderAt, n int64) (ingest.Cells, error) { return parquet.Open(r, n) }}
//
// All codecs of arrow-go are read: none, snappy, gzip, brotli, zstd, LZ4_RAW.
// Columns that are no plain values (lists, maps, structs) are left out.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// batchRows is how many rows are decoded at once.
const batchRows = 4096

// maxColumns bounds what a footer can ask for.
const maxColumns = 10_000

// File is an opened Parquet file. It is not safe for concurrent use.
type File struct {
	reader  *pqarrow.FileReader
	header  []string
	columns []int   // of the file, parallel to header
	ends    []int64 // rows up to the end of each row group
	cursor  cursor
	cells   [][]byte
	text    []byte
}

// cursor is where decoding stands.
type cursor struct {
	records pqarrow.RecordReader
	batch   arrow.RecordBatch
	from    int64 // row of the file at which batch starts
	end     int64 // row at which the row group ends
}

// Open reads the footer of the file of size bytes behind r. Errors are those
// of the library; a panic of it on malformed bytes becomes one.
func Open(r io.ReaderAt, size int64) (f *File, err error) {
	defer caught(&err)
	in, err := file.NewParquetReader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	reader, err := pqarrow.NewFileReader(in, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	schema, err := reader.Schema()
	if err != nil {
		return nil, err
	}
	f = &File{reader: reader}
	leaf := 0
	for _, field := range schema.Fields() {
		if nested, ok := field.Type.(arrow.NestedType); ok {
			leaf += leaves(nested)
			continue
		}
		f.header = append(f.header, field.Name)
		f.columns = append(f.columns, leaf)
		leaf++
	}
	if len(f.header) > maxColumns {
		return nil, fmt.Errorf("%d columns, more than %d", len(f.header), maxColumns)
	}
	rows := int64(0)
	for i := range in.NumRowGroups() {
		n := in.MetaData().RowGroups[i].NumRows
		if n < 0 || rows+n < rows {
			return nil, fmt.Errorf("row group %d has %d rows", i, n)
		}
		rows += n
		f.ends = append(f.ends, rows)
	}
	f.cells = make([][]byte, len(f.header))
	return f, nil
}

// leaves counts the columns that a nested type takes in the file.
func leaves(t arrow.NestedType) int {
	n := 0
	for _, field := range t.Fields() {
		if nested, ok := field.Type.(arrow.NestedType); ok {
			n += leaves(nested)
		} else {
			n++
		}
	}
	return n
}

// caught turns a panic of the library into an error.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("malformed: %v", p)
	}
}

// Header returns the names of the columns that hold plain values.
func (f *File) Header() []string { return f.header }

// Rows returns how many rows the footer promises.
func (f *File) Rows() int64 {
	if len(f.ends) == 0 {
		return 0
	}
	return f.ends[len(f.ends)-1]
}

// Row returns the cells of row i, from 0, as package ingest wants them. In
// ascending order a row costs its share of a batch; another row costs decoding
// its row group up to it. The slices are valid until the next call.
func (f *File) Row(i int64) (cells [][]byte, err error) {
	defer caught(&err)
	if i < 0 || i >= f.Rows() {
		return nil, fmt.Errorf("row %d of %d", i, f.Rows())
	}
	c := &f.cursor
	if c.batch == nil || i < c.from || i >= c.end {
		if err := f.seek(i); err != nil {
			return nil, err
		}
	}
	for c.batch == nil || i >= c.from+c.batch.NumRows() {
		if c.batch != nil {
			c.from += c.batch.NumRows()
		}
		if !c.records.Next() {
			c.batch = nil
			if err := c.records.Err(); err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			return nil, fmt.Errorf("row group ends before row %d: %w", i, io.ErrUnexpectedEOF)
		}
		c.batch = c.records.RecordBatch()
	}
	f.text = f.text[:0]
	row := int(i - c.from)
	ends := make([]int, len(f.cells))
	for k := range f.cells {
		column := c.batch.Column(k)
		if column.IsNull(row) {
			ends[k] = -1
			continue
		}
		f.text = appendCell(f.text, column, row)
		ends[k] = len(f.text)
	}
	start := 0
	for k, end := range ends {
		if end < 0 {
			f.cells[k] = nil
			continue
		}
		f.cells[k] = f.text[start:end:end]
		start = end
	}
	return f.cells, nil
}

// seek starts decoding the row group of row i.
func (f *File) seek(i int64) error {
	c := &f.cursor
	if c.records != nil {
		c.records.Release()
	}
	*c = cursor{}
	group := 0
	for f.ends[group] <= i {
		group++
	}
	records, err := f.reader.GetRecordReader(context.Background(), f.columns, []int{group})
	if err != nil {
		return err
	}
	c.records, c.end = records, f.ends[group]
	if group > 0 {
		c.from = f.ends[group-1]
	}
	return nil
}

// appendCell appends the text of one value: numbers so that they read back the
// same, decimals with all their digits, points in time as milliseconds since
// 1970. site/reader/parquet.js writes the same bytes.
func appendCell(dst []byte, column arrow.Array, row int) []byte {
	switch c := column.(type) {
	case *array.Float64:
		return strconv.AppendFloat(dst, c.Value(row), 'g', -1, 64)
	case *array.Float32:
		return strconv.AppendFloat(dst, float64(c.Value(row)), 'g', -1, 64)
	case *array.Float16:
		return strconv.AppendFloat(dst, half(c.Value(row).Uint16()), 'g', -1, 64)
	case *array.Int64:
		return strconv.AppendInt(dst, c.Value(row), 10)
	case *array.Timestamp:
		unit := c.DataType().(*arrow.TimestampType).Unit
		return strconv.AppendFloat(dst, float64(c.Value(row).ToTime(unit).UnixMicro())/1000, 'f', -1, 64)
	case *array.Date32:
		return strconv.AppendInt(dst, c.Value(row).ToTime().UnixMilli(), 10)
	case *array.Date64:
		return strconv.AppendInt(dst, c.Value(row).ToTime().UnixMilli(), 10)
	case *array.Decimal128:
		return append(dst, c.Value(row).ToString(c.DataType().(arrow.DecimalType).GetScale())...)
	case *array.Decimal256:
		return append(dst, c.Value(row).ToString(c.DataType().(arrow.DecimalType).GetScale())...)
	case *array.String:
		return append(dst, c.Value(row)...)
	case *array.Binary:
		return append(dst, c.Value(row)...)
	case *array.Dictionary:
		return appendCell(dst, c.Dictionary(), c.GetValueIndex(row))
	}
	return append(dst, column.ValueStr(row)...)
}

// half returns the number of IEEE 754 binary16 bits. That of arrow-go v18.8.0
// is wrong below 2^-14.
func half(bits uint16) float64 {
	e, f := int(bits>>10&31), float64(bits&1023)
	v := math.Ldexp(1+f/1024, e-15)
	switch {
	case e == 31 && f > 0:
		return math.NaN()
	case e == 31:
		v = math.Inf(1)
	case e == 0:
		v = math.Ldexp(f, -24)
	}
	return math.Copysign(v, 0.5-float64(bits>>15))
}
