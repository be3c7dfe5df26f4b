// Package unpack has the page's reader of packed files, which is JavaScript in
// a worker of its own (site/reader), read for the scorer what shared/ingest does
// not: zstd, Parquet, SQLite. It hides how the two speak.
//
//	s.Parquet, s.SQLite, s.Zstd = unpack.Parquet, unpack.SQLite, unpack.Zstd
//
// Limits: one question at a time, from the goroutine that scores; an answer that
// takes longer than a minute ends the reader and is an error.
package unpack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"cloister/shared/ingest"
)

var (
	_ ingest.Cells     = (*cells)(nil)
	_ ingest.Described = (*cells)(nil)
)

// cells is a table that the reader of packed files has opened. It holds some
// rows at a time; other rows are asked for.
type cells struct {
	header []string
	rows   int64
	kind   string
	note   string
	// more returns rows from row `from` on, at least one, and their number.
	more func(from int64) (packed []byte, n int64, err error)

	packed []byte // rows from, from+1, ... up to from+n
	from   int64
	n      int64
	at     int   // of row next in packed
	next   int64 // row
	row    [][]byte
}

// Header, Rows, Kind and Note implement [ingest.Cells] and [ingest.Described].
func (c *cells) Header() []string { return c.header }
func (c *cells) Rows() int64      { return c.rows }
func (c *cells) Kind() string     { return c.kind }
func (c *cells) Note() string     { return c.note }

// Row implements [ingest.Cells].
func (c *cells) Row(i int64) ([][]byte, error) {
	if i < 0 || i >= c.rows {
		return nil, fmt.Errorf("row %d of %d", i, c.rows)
	}
	if i < c.from || i >= c.from+c.n {
		packed, n, err := c.more(i)
		if err != nil {
			return nil, err
		}
		if n < 1 || n > int64(len(packed)) {
			return nil, fmt.Errorf("row %d: %d rows in %d bytes", i, n, len(packed))
		}
		c.packed, c.from, c.n, c.at, c.next = packed, i, n, 0, i
	}
	if i < c.next {
		c.at, c.next = 0, c.from
	}
	for ; c.next <= i; c.next++ {
		var err error
		if c.row, c.at, err = cutRow(c.row[:0], c.packed, c.at, len(c.header)); err != nil {
			return nil, fmt.Errorf("row %d: %w", c.next, err)
		}
	}
	return c.row, nil
}

var errCells = errors.New("the reader's answer is cut short")

// cutRow appends n cells of packed from at on to dst: each is a number of bytes
// plus one, 0 for null, and the bytes.
func cutRow(dst [][]byte, packed []byte, at, n int) (row [][]byte, end int, err error) {
	for range n {
		size, used := binary.Uvarint(packed[at:])
		if used <= 0 || size > uint64(len(packed)-at-used)+1 {
			return dst, at, errCells
		}
		at += used
		if size == 0 {
			dst = append(dst, nil)
			continue
		}
		end := at + int(size) - 1
		dst = append(dst, packed[at:end:end])
		at = end
	}
	return dst, at, nil
}

// unzipped is what a reader of packed bytes gives, by questions.
type unzipped struct {
	// ask hands over packed bytes, the last ones if so said, and returns the
	// unpacked ones, whether it needs more, and whether that was all.
	ask    func(packed []byte, last bool) (out []byte, hungry, done bool, err error)
	packed io.Reader

	in     []byte
	out    []byte
	hungry bool
	last   bool
	done   bool
	err    error
}

// packedBytes is how much of a packed file is handed over at once.
const packedBytes = 256 << 10

// Read implements [io.Reader].
func (u *unzipped) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		switch {
		case u.err != nil:
			return 0, u.err
		case u.done:
			return 0, io.EOF
		}
		n := 0
		if u.hungry && !u.last {
			if u.in == nil {
				u.in = make([]byte, packedBytes)
			}
			var err error
			n, err = io.ReadFull(u.packed, u.in)
			if u.last = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !u.last {
				u.err = err
				continue
			}
		}
		u.out, u.hungry, u.done, u.err = u.ask(u.in[:n], u.last)
		if u.err == nil && len(u.out) == 0 && !u.done && (!u.hungry || u.last) {
			u.err = errCells // it would go on for ever
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}
