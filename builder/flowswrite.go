package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"cloister/shared/frame"
)

// flowWriter writes frames of flows in one format. close ends the output, not
// what is behind it.
type flowWriter interface {
	write(file string, f *frame.Frame) error
	close() error
}

// newFlowWriter returns the writer of a format. named adds a column with the
// name of the file.
func newFlowWriter(format string, out *bufio.Writer, named bool) (flowWriter, error) {
	switch format {
	case "ndjson":
		return &jsonFlows{out: out, named: named}, nil
	case "json":
		return &jsonFlows{out: out, named: named, list: true}, nil
	case "parquet":
		return newParquetFlows(out, named)
	}
	w := &csvFlows{out: out, named: named}
	return w, w.header()
}

// appendNumber writes a value of a flow without exponent.
func appendNumber(b []byte, v float64) []byte {
	whole := int64(v)
	switch {
	case float64(whole) != v:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	case uint64(whole) < 10: // as two thirds of the values are
		return append(b, '0'+byte(whole))
	}
	return strconv.AppendInt(b, whole, 10)
}

// csvFlows writes RFC 4180 with line feeds. The cells are written by hand: most
// are small whole numbers, and encoding/csv wants each as a string.
type csvFlows struct {
	out   *bufio.Writer
	named bool
}

func (w *csvFlows) header() error {
	list := []string{"row"}
	if w.named {
		list = []string{"file", "row"}
	}
	for _, f := range frame.Flow.Fields {
		list = append(list, f.Name)
	}
	_, err := w.out.WriteString(strings.Join(list, ",") + "\n")
	return err
}

// appendCell writes a text, in quotes where it needs them.
func appendCell(b []byte, text string) []byte {
	if text == "" {
		return b
	}
	plain := text[0] != ' '
	for i := range len(text) {
		c := text[i]
		plain = plain && c != ',' && c != '"' && c != '\r' && c != '\n'
	}
	if plain {
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(text, `"`, `""`)...)
	return append(b, '"')
}

func (w *csvFlows) write(file string, f *frame.Frame) error {
	for i, row := range f.Row {
		b := w.out.AvailableBuffer()
		if w.named {
			b = append(appendCell(b, file), ',')
		}
		b = strconv.AppendInt(b, row, 10)
		for k, numbers := range f.Numbers {
			b = append(b, ',')
			switch {
			case numbers == nil && f.Texts[k] != nil:
				b = appendCell(b, f.Texts[k][i])
			case numbers != nil && !math.IsNaN(numbers[i]):
				b = appendNumber(b, numbers[i])
			}
		}
		if _, err := w.out.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func (w *csvFlows) close() error { return nil }

// jsonFlows writes an object per flow, without what is missing: one a line, or
// all in a list.
type jsonFlows struct {
	out         *bufio.Writer
	named, list bool
	begun       bool
	b           []byte
}

func (w *jsonFlows) write(file string, f *frame.Frame) error {
	for i, row := range f.Row {
		w.b = w.b[:0]
		switch {
		case w.list && !w.begun:
			w.b = append(w.b, '[', '\n')
		case w.list:
			w.b = append(w.b, ',', '\n')
		}
		w.begun = true
		w.b = append(w.b, '{')
		if w.named {
			w.text("file", file)
		}
		w.b = append(w.b, `"row":`...)
		w.b = strconv.AppendInt(w.b, row, 10)
		for k, field := range f.Schema.Fields {
			switch {
			case f.Texts[k] != nil && f.Texts[k][i] != "":
				w.b = append(w.b, ',')
				w.text(field.Name, f.Texts[k][i])
				w.b = w.b[:len(w.b)-1]
			case f.Numbers[k] != nil && !math.IsNaN(f.Numbers[k][i]):
				w.b = append(w.b, ',', '"')
				w.b = append(w.b, field.Name...)
				w.b = append(w.b, '"', ':')
				w.b = appendNumber(w.b, f.Numbers[k][i])
			}
		}
		w.b = append(w.b, '}')
		if !w.list {
			w.b = append(w.b, '\n')
		}
		if _, err := w.out.Write(w.b); err != nil {
			return err
		}
	}
	return nil
}

// text appends a name and a text with a comma behind them.
func (w *jsonFlows) text(name, value string) {
	quoted, err := json.Marshal(value)
	if err != nil {
		quoted = []byte(`""`) // unreachable: texts can always be written
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
	w.b = append(w.b, quoted...)
	w.b = append(w.b, ',')
}

func (w *jsonFlows) close() error {
	end := ""
	switch {
	case w.list && w.begun:
		end = "\n]\n"
	case w.list:
		end = "[]\n"
	}
	_, err := w.out.WriteString(end)
	return err
}

// groupRows is how many flows make a row group of a Parquet file.
const groupRows = 1 << 16

// parquetFlows writes Parquet: whole numbers as int64, entropy as double, texts
// as strings, zstd, in row groups that bound memory.
type parquetFlows struct {
	build *array.RecordBuilder
	out   *pqarrow.FileWriter
	named bool
	rows  int
}

// fractions are the fields of a capture's flows that are no whole numbers.
var fractions = []string{frame.Entropy, "L7_PROTO"}

func newParquetFlows(out io.Writer, named bool) (*parquetFlows, error) {
	var fields []arrow.Field
	add := func(name string, t arrow.DataType, nullable bool) {
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: nullable})
	}
	if named {
		add("file", arrow.BinaryTypes.String, false)
	}
	add("row", arrow.PrimitiveTypes.Int64, false)
	for _, f := range frame.Flow.Fields {
		switch {
		case f.Kind == frame.Text:
			add(f.Name, arrow.BinaryTypes.String, true)
		case slices.Contains(fractions, f.Name):
			add(f.Name, arrow.PrimitiveTypes.Float64, true)
		default:
			add(f.Name, arrow.PrimitiveTypes.Int64, true)
		}
	}
	schema := arrow.NewSchema(fields, nil)
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCreatedBy("cloister"))
	w, err := pqarrow.NewFileWriter(schema, struct{ io.Writer }{out}, props, pqarrow.NewArrowWriterProperties())
	if err != nil {
		return nil, err
	}
	return &parquetFlows{build: array.NewRecordBuilder(memory.DefaultAllocator, schema), out: w, named: named}, nil
}

func (w *parquetFlows) write(file string, f *frame.Frame) error {
	at := 0
	if w.named {
		names := w.build.Field(0).(*array.StringBuilder)
		for range f.Row {
			names.Append(file)
		}
		at++
	}
	w.build.Field(at).(*array.Int64Builder).AppendValues(f.Row, nil)
	for k := range f.Schema.Fields {
		switch b := w.build.Field(at + 1 + k).(type) {
		case *array.StringBuilder:
			for i := range f.Row {
				if f.Texts[k] == nil || f.Texts[k][i] == "" {
					b.AppendNull()
				} else {
					b.Append(f.Texts[k][i])
				}
			}
		case *array.Int64Builder:
			for i := range f.Row {
				if f.Numbers[k] == nil || math.IsNaN(f.Numbers[k][i]) {
					b.AppendNull()
				} else {
					b.Append(int64(f.Numbers[k][i]))
				}
			}
		case *array.Float64Builder:
			for i := range f.Row {
				if f.Numbers[k] == nil || math.IsNaN(f.Numbers[k][i]) {
					b.AppendNull()
				} else {
					b.Append(f.Numbers[k][i])
				}
			}
		default:
			return fmt.Errorf("parquet: no writer for %T", b) // unreachable: the schema has three types
		}
	}
	if w.rows += len(f.Row); w.rows >= groupRows {
		return w.group()
	}
	return nil
}

// group writes what was collected as a row group.
func (w *parquetFlows) group() error {
	rec := w.build.NewRecordBatch()
	defer rec.Release()
	w.rows = 0
	return w.out.Write(rec)
}

func (w *parquetFlows) close() error {
	if w.rows > 0 {
		if err := w.group(); err != nil {
			return err
		}
	}
	return w.out.Close()
}
