package ingest

import (
	"bytes"
	"errors"
	"io"
)

// records splits delimited text into records and fields without copying,
// following RFC 4180 with these tolerances: a quote inside an unquoted field
// is literal, CR before LF is dropped, and a quote that is not closed within
// the record limit ends at its line, so that one stray quote costs one record.
type records struct {
	in    io.Reader
	buf   []byte
	pos   int   // start of the next record in buf
	base  int64 // offset in the content of buf[0]
	err   error // sticky, of in
	limit int
	most  int  // columns
	plain bool // a quote is a byte like any other

	fields [][]byte
	spare  []byte // unescaped quoted fields of the current record
}

const chunk = 256 << 10

func newRecords(in io.Reader, lim Limits) *records {
	return &records{in: in, limit: lim.RecordBytes, most: lim.Columns}
}

// peek returns up to n bytes from the current position.
func (r *records) peek(n int) ([]byte, error) {
	for len(r.buf)-r.pos < n && r.err == nil {
		r.fill()
	}
	return r.buf[r.pos:min(len(r.buf), r.pos+n)], r.err
}

// fill reads one more chunk behind the unread bytes.
func (r *records) fill() {
	if r.pos > 0 {
		n := copy(r.buf, r.buf[r.pos:])
		r.base += int64(r.pos)
		r.buf, r.pos = r.buf[:n], 0
	}
	n := len(r.buf)
	if cap(r.buf)-n < chunk {
		grown := make([]byte, n, 2*cap(r.buf)+2*chunk)
		copy(grown, r.buf)
		r.buf = grown
	}
	m, err := r.in.Read(r.buf[n : n+chunk])
	r.buf = r.buf[:n+m]
	r.err = err
}

// next returns the next record without its line end, and its offset. A record
// without line end at the end of the content is returned with cut set. At the
// end it returns io.EOF; a record over the limit is a LimitError, after which
// skip goes on with the next line.
func (r *records) next() (rec []byte, offset int64, cut bool, err error) {
	scanned := 0
	for {
		rest, offset := r.buf[r.pos:], r.base+int64(r.pos)
		if end, found := recordEnd(rest, scanned, r.plain); found && end <= r.limit {
			return r.take(end, end+1), offset, false, nil
		}
		if len(rest) > r.limit {
			if end := bytes.IndexByte(rest, '\n'); end >= 0 && end <= r.limit {
				// a quote that never closes: the line alone
				return r.take(end, end+1), offset, false, nil
			}
			return nil, offset, false, &LimitError{"record in bytes", int64(r.limit), int64(len(rest))}
		}
		if r.err != nil {
			if !errors.Is(r.err, io.EOF) {
				return nil, offset, false, r.err
			}
			if len(rest) == 0 {
				return nil, offset, false, io.EOF
			}
			if end := bytes.IndexByte(rest, '\n'); end >= 0 { // open quote
				return r.take(end, end+1), offset, false, nil
			}
			n := len(rest)
			return r.take(n, n), offset, true, nil
		}
		if r.plain || bytes.IndexByte(rest, '"') < 0 {
			scanned = len(rest) // no line end so far: do not look again
		}
		r.fill()
	}
}

// take consumes total bytes and returns the first n without a trailing CR.
func (r *records) take(n, total int) []byte {
	rec := r.buf[r.pos : r.pos+n]
	r.pos += total
	if n > 0 && rec[n-1] == '\r' {
		rec = rec[:n-1]
	}
	return rec
}

// skip drops bytes up to and including the next line end, in bounded memory.
func (r *records) skip() {
	for {
		if end := bytes.IndexByte(r.buf[r.pos:], '\n'); end >= 0 {
			r.pos += end + 1
			return
		}
		r.pos = len(r.buf)
		if r.err != nil {
			return
		}
		r.fill()
	}
}

// recordEnd finds the line end that is not inside quotes. The first from
// bytes are known to hold neither line end nor quote.
func recordEnd(b []byte, from int, plain bool) (int, bool) {
	end := bytes.IndexByte(b[from:], '\n')
	if end < 0 {
		return 0, false
	}
	end += from
	if plain || bytes.IndexByte(b[:end], '"') < 0 {
		return end, true
	}
	open := false
	for i, c := range b {
		switch {
		case c == '"':
			open = !open
		case c == '\n' && !open:
			return i, true
		}
	}
	return 0, false
}

// errColumns means that a record has more columns than allowed.
var errColumns = errors.New("too many columns")

// split returns the fields of rec. They are valid until the next call.
func (r *records) split(rec []byte, delim byte) ([][]byte, error) {
	r.fields, r.spare = r.fields[:0], r.spare[:0]
	if r.plain || bytes.IndexByte(rec, '"') < 0 {
		for {
			if len(r.fields) == r.most {
				return nil, errColumns
			}
			i := bytes.IndexByte(rec, delim)
			if i < 0 {
				r.fields = append(r.fields, rec)
				return r.fields, nil
			}
			r.fields = append(r.fields, rec[:i])
			rec = rec[i+1:]
		}
	}
	if cap(r.spare) < len(rec) {
		r.spare = make([]byte, 0, len(rec)) // fields point into it: it must not move
	}
	for {
		if len(r.fields) == r.most {
			return nil, errColumns
		}
		var field []byte
		if len(rec) > 0 && rec[0] == '"' {
			field, rec = r.unquote(rec[1:], delim)
		} else if i := bytes.IndexByte(rec, delim); i >= 0 {
			field, rec = rec[:i], rec[i:]
		} else {
			field, rec = rec, nil
		}
		r.fields = append(r.fields, field)
		if len(rec) == 0 {
			return r.fields, nil
		}
		rec = rec[1:]
	}
}

// unquote reads a quoted field whose opening quote is gone, up to the
// delimiter after its closing quote. Bytes between the two are kept.
func (r *records) unquote(b []byte, delim byte) (field, rest []byte) {
	start := len(r.spare)
	for i := 0; i < len(b); i++ {
		if b[i] != '"' {
			r.spare = append(r.spare, b[i])
			continue
		}
		if i+1 < len(b) && b[i+1] == '"' {
			r.spare = append(r.spare, '"')
			i++
			continue
		}
		rest = b[i+1:]
		if j := bytes.IndexByte(rest, delim); j >= 0 {
			r.spare = append(r.spare, rest[:j]...)
			return r.spare[start:], rest[j:]
		}
		r.spare = append(r.spare, rest...)
		return r.spare[start:], nil
	}
	return r.spare[start:], nil // not closed
}

// drain reads to the end of the content, in bounded memory.
func (r *records) drain() {
	for r.err == nil {
		r.pos = len(r.buf)
		r.fill()
	}
	r.pos = len(r.buf)
}
