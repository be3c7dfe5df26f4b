package ingest

import (
	"bytes"
	"fmt"
	"io"
)

// Cells is a table that somebody else decodes: a Parquet file or a SQLite
// database read by code that this package may not link, native or JavaScript.
type Cells interface {
	// Header returns the names of the columns.
	Header() []string
	// Rows returns how many rows there are.
	Rows() int64
	// Row returns the cells of row i, from 0, in the order of Header, as text:
	// numbers in the shortest decimal form that reads back to them, points in
	// time as milliseconds since 1970 UTC, nil for null. The slices are valid
	// until the next call. Calls come in ascending order but for single rows
	// that are read again.
	Row(i int64) ([][]byte, error)
}

// Described is what [Cells] may say of themselves besides.
type Described interface {
	// Kind names the format and what was found, for people: "SQLite, table wal".
	Kind() string
	// Note is a sentence on what may be missing, "" for none.
	Note() string
}

// cellRows is a source over Cells. The offset of a row is its number, from 1:
// it lies at no single place of the file.
type cellRows struct {
	cells    Cells
	format   string // "parquet", "sqlite"
	kind     string // for people
	note     string
	header   []string
	columns  []int
	row      int64
	end      int64
	progress func(row int64)
}

// newCells opens a file that somebody else decodes; nil if head is of another
// kind, or nobody is there to do it.
func (s *Source) newCells(head []byte, o Options) (*cellRows, error) {
	c := &cellRows{format: "parquet", kind: "Parquet"}
	decode := o.Parquet
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")):
	case bytes.HasPrefix(head, []byte(sqliteMagic)):
		c.format, c.kind, decode = "sqlite", "SQLite", o.SQLite
	default:
		return nil, nil
	}
	if decode == nil || s.packed != "" { // decoders need the file itself
		return nil, nil
	}
	var err error
	if c.cells, err = decode(s.file, s.size); err != nil {
		return nil, &FormatError{Format: c.format, What: err.Error()}
	}
	c.header, c.end = c.cells.Header(), c.cells.Rows()
	switch {
	case c.end == 0 || len(c.header) == 0:
		return nil, ErrEmpty
	case len(c.header) > s.lim.Columns:
		return nil, &LimitError{"columns", int64(s.lim.Columns), int64(len(c.header))}
	}
	if d, ok := c.cells.(Described); ok {
		c.kind, c.note = d.Kind(), d.Note()
	}
	return c, nil
}

func (s *Source) openCells(c *cellRows, o Options) error {
	c.progress = func(row int64) { s.meter.n = int64(float64(s.size) * float64(row) / float64(c.end)) }
	if o.Profile != nil {
		return s.openProfile(c, c.header, o)
	}
	return s.openKnown(c, c.header, csvDialect(c.header), c.kind, c.format, o)
}

func (c *cellRows) name() string { return c.format }

func (c *cellRows) bind(columns []int) { c.columns = columns }

// next implements [source].
func (c *cellRows) next(cells [][]byte) (record, error) {
	if c.row >= c.end {
		return record{}, io.EOF
	}
	row, err := c.cells.Row(c.row)
	c.row++
	if err != nil {
		return record{}, &FormatError{Format: c.format, Offset: c.row, What: err.Error()}
	}
	if len(row) != len(c.header) {
		return record{offset: c.row, reason: "column count", detail: fmt.Sprintf("%d columns, the header has %d", len(row), len(c.header))}, nil
	}
	for i, col := range c.columns {
		cells[i] = row[col]
	}
	if c.progress != nil {
		c.progress(c.row)
	}
	return record{offset: c.row}, nil
}

// at implements [source].
func (c *cellRows) at(offset int64) (source, error) {
	if offset < 1 || offset > c.end {
		return nil, &FormatError{Format: c.format, Offset: offset, What: "no row of this number"}
	}
	one := *c
	one.row, one.progress = offset-1, nil
	return &one, nil
}
