package ingest

import (
	"fmt"
	"io"
)

// Cells is a table that somebody else decodes: a Parquet file read by a
// library that this package may not link, natively or in JavaScript.
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

// cellRows is a source over Cells. The offset of a row is its number, from 1:
// it lies at no single place of the file.
type cellRows struct {
	cells    Cells
	header   []string
	columns  []int
	row      int64
	end      int64
	progress func(row int64)
}

func (s *Source) openParquet(o Options) error {
	cells, err := o.Parquet(s.file, s.size)
	if err != nil {
		return &FormatError{Format: "parquet", What: err.Error()}
	}
	c := &cellRows{cells: cells, header: cells.Header(), end: cells.Rows()}
	switch {
	case c.end == 0 || len(c.header) == 0:
		return ErrEmpty
	case len(c.header) > s.lim.Columns:
		return &LimitError{"columns", int64(s.lim.Columns), int64(len(c.header))}
	}
	c.progress = func(row int64) { s.meter.n = int64(float64(s.size) * float64(row) / float64(c.end)) }
	if o.Profile != nil {
		return s.openProfile(c, c.header, o)
	}
	d := csvDialect(c.header)
	return s.openKnown(c, c.header, d, "Parquet", "parquet", o)
}

func (c *cellRows) name() string { return "parquet" }

func (c *cellRows) bind(columns []int) { c.columns = columns }

// next implements [source].
func (c *cellRows) next(cells [][]byte) (record, error) {
	if c.row >= c.end {
		return record{}, io.EOF
	}
	row, err := c.cells.Row(c.row)
	c.row++
	if err != nil {
		return record{}, &FormatError{Format: "parquet", Offset: c.row, What: err.Error()}
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
		return nil, &FormatError{Format: "parquet", Offset: offset, What: "no row of this number"}
	}
	one := *c
	one.row, one.progress = offset-1, nil
	return &one, nil
}
