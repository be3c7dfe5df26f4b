// Package frame holds rows of a file as typed columns with units and missing
// values. It hides how columns are stored; it does no I/O.
//
//	f := frame.New(frame.Flow, 4096)
//	f.Numbers[i] = append(f.Numbers[i], 443)
//
// A frame has one column per field of its schema, or nil for a field that the
// file does not have. Missing cells are NaN in number columns and "" in text
// columns.
package frame

import "fmt"

// Kind is the type of a field.
type Kind uint8

// The kinds of field.
const (
	Number Kind = iota // float64, NaN when missing
	Text               // string, "" when missing
)

// Field describes one column.
type Field struct {
	Name string
	Kind Kind
	Unit string // "ms", "bytes", "packets", "" for codes and texts
	Help string // one sentence for people
	Show bool   // belongs in a table of results
}

// Schema is an ordered list of fields with unique names. It is immutable and
// safe for concurrent use.
type Schema struct {
	Name   string
	Fields []Field
	index  map[string]int
}

// NewSchema returns a schema. It panics if a name is empty or repeated, which
// is a bug in the caller: schemas are constants of the program.
func NewSchema(name string, fields []Field) *Schema {
	s := &Schema{Name: name, Fields: fields, index: make(map[string]int, len(fields))}
	for i, f := range fields {
		if _, ok := s.index[f.Name]; ok || f.Name == "" {
			panic(fmt.Sprintf("frame: schema %s: field %q is empty or repeated", name, f.Name))
		}
		s.index[f.Name] = i
	}
	return s
}

// Index returns the position of the field called name.
func (s *Schema) Index(name string) (int, bool) {
	i, ok := s.index[name]
	return i, ok
}

// Frame is a run of rows of one file. Columns are parallel to Schema.Fields;
// a column is nil when the file lacks the field.
type Frame struct {
	Schema  *Schema
	Row     []int64 // number in the file, the first data row is 1
	Offset  []int64 // of the record, in bytes from the start of the decompressed file
	Numbers [][]float64
	Texts   [][]string
	Rejects []Reject // rows between the first and the last of this frame that could not be read
}

// Reject is a row that could not be read.
type Reject struct {
	Row    int64
	Offset int64
	Reason string // short, countable, the same for all rows of a kind
	Detail string // with the offending value, cut to 64 bytes
}

// New returns an empty frame of s with room for n rows in every column of has,
// which is parallel to s.Fields; other columns stay nil.
func New(s *Schema, n int, has []bool) *Frame {
	f := &Frame{
		Schema: s, Row: make([]int64, 0, n), Offset: make([]int64, 0, n),
		Numbers: make([][]float64, len(s.Fields)), Texts: make([][]string, len(s.Fields)),
	}
	for i, field := range s.Fields {
		switch {
		case !has[i]:
		case field.Kind == Number:
			f.Numbers[i] = make([]float64, 0, n)
		default:
			f.Texts[i] = make([]string, 0, n)
		}
	}
	return f
}

// Len returns the number of rows, rejects not counted.
func (f *Frame) Len() int { return len(f.Row) }

// Reset empties f and keeps its memory.
func (f *Frame) Reset() {
	f.Row, f.Offset, f.Rejects = f.Row[:0], f.Offset[:0], f.Rejects[:0]
	for i := range f.Numbers {
		if f.Numbers[i] != nil {
			f.Numbers[i] = f.Numbers[i][:0]
		}
		if f.Texts[i] != nil {
			f.Texts[i] = f.Texts[i][:0]
		}
	}
}
