package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// delimited is a source of records with one delimiter between cells: CSV with
// one header line.
type delimited struct {
	rec     *records
	reopen  func(offset int64) (io.Reader, error)
	lim     Limits
	delim   byte
	header  []string
	raw     []byte // the header record, to find repeats of it
	columns []int
	trailer []byte // a line that ends the rows, nil for none
	missing []string
	ended   bool
}

// newDelimited reads the header.
func newDelimited(rec *records, reopen func(int64) (io.Reader, error), lim Limits) (*delimited, error) {
	d := &delimited{rec: rec, reopen: reopen, lim: lim}
	raw, _, cut, err := rec.next()
	if err != nil {
		return nil, fmt.Errorf("csv: header: %w", err)
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	d.raw = bytes.TrimSpace(bytes.Clone(raw))
	d.delim = delimiter(raw)
	fields, err := rec.split(raw, d.delim)
	if err != nil {
		return nil, &LimitError{"columns", int64(lim.Columns), int64(bytes.Count(raw, []byte{d.delim}) + 1)}
	}
	for _, f := range fields {
		d.header = append(d.header, strings.TrimSpace(string(f)))
	}
	d.ended = cut
	return d, nil
}

// delimiter returns the most frequent of the usual delimiters.
func delimiter(header []byte) byte {
	best := byte(',')
	for _, d := range []byte(";\t|") {
		if bytes.Count(header, []byte{d}) > bytes.Count(header, []byte{best}) {
			best = d
		}
	}
	return best
}

func (d *delimited) name() string { return "csv" }

func (d *delimited) bind(columns []int) { d.columns = columns }

// next implements [source].
func (d *delimited) next(cells [][]byte) (record, error) {
	for {
		raw, offset, cut, err := d.rec.next()
		if limit, ok := errors.AsType[*LimitError](err); ok && limit.What == "record in bytes" {
			d.rec.skip()
			return record{offset: offset, reason: "record too long", detail: err.Error()}, nil
		}
		switch {
		case err != nil:
			return record{}, err
		case len(raw) == 0:
			continue // a blank line is not a row
		case d.trailer != nil && bytes.Equal(bytes.TrimSpace(raw), d.trailer):
			d.rec.drain()
			return record{}, io.EOF
		}
		return d.cells(raw, offset, cut, cells), nil
	}
}

// cells splits one record.
func (d *delimited) cells(raw []byte, offset int64, cut bool, cells [][]byte) record {
	fields, err := d.rec.split(raw, d.delim)
	switch {
	case err != nil:
		return record{offset: offset, reason: "too many columns", detail: fmt.Sprintf("more than %d", d.lim.Columns)}
	case len(fields) != len(d.header) && cut:
		return record{offset: offset, reason: "cut short", detail: fmt.Sprintf("the file ends after %d of %d columns", len(fields), len(d.header))}
	case len(fields) != len(d.header):
		return record{offset: offset, reason: "column count", detail: fmt.Sprintf("%d columns, the header has %d", len(fields), len(d.header))}
	case bytes.Equal(bytes.TrimSpace(raw), d.raw):
		return record{offset: offset, reason: "repeated header"}
	}
	for i, col := range d.columns {
		cells[i] = fields[col]
		if len(d.missing) > 0 && slices.Contains(d.missing, string(fields[col])) {
			cells[i] = nil
		}
	}
	return record{offset: offset}
}

// at implements [source].
func (d *delimited) at(offset int64) (source, error) {
	in, err := d.reopen(offset)
	if err != nil {
		return nil, err
	}
	one := *d
	one.rec = newRecords(in, d.lim)
	return &one, nil
}
