package pool

import (
	"bytes"

	"cloister/shared/job"
)

// Part is a stretch of a file that one scorer reads.
type Part struct {
	File   job.File // what the scorer reads: a heading line and whole records
	Source int      // index of the file that it is a part of
	From   int64    // offset in that file of the first record
	Skip   int64    // bytes of the heading line before it, 0 for a whole file
}

// Source reads and cuts files.
type Source interface {
	// ReadRange returns bytes [from, to) of f; fewer only at its end.
	ReadRange(f job.File, from, to int64) ([]byte, error)
	// Join returns a file that consists of ranges of f, without copying.
	Join(f job.File, ranges [][2]int64) job.File
}

// Limits say how files are cut. A zero field means the default in its comment.
type Limits struct {
	Part int64 // bytes of a part, default 8 MiB
	// Record bounds the bytes of a record, default 1 MiB, which is that of
	// cloister/shared/ingest.
	Record int64
	// Head is how much is read to recognise a table, default 64 KiB.
	Head int64
}

func (l Limits) withDefaults() Limits {
	if l.Part <= 0 {
		l.Part = 8 << 20
	}
	if l.Record <= 0 {
		l.Record = 1 << 20
	}
	if l.Head <= 0 {
		l.Head = 64 << 10
	}
	return l
}

// Split cuts files into parts of about Limits.Part bytes, in order. A file
// that is no text table, or too small to gain, stays whole, as does one where
// no cut can be proved right.
//
// A cut lies behind a line end with no quotation mark in the Limits.Record
// bytes before: since a record is no longer than that, a field whose quotes
// hold line ends would have to begin there, and so the line end is one of a
// record. Reading costs Limits.Record bytes a cut.
func Split(files []job.File, s Source, lim Limits) []Part {
	lim = lim.withDefaults()
	var parts []Part
	for i, f := range files {
		parts = append(parts, split(i, f, s, lim)...)
	}
	return parts
}

func split(source int, f job.File, s Source, lim Limits) []Part {
	whole := []Part{{File: f, Source: source}}
	if f.Size() < 2*lim.Part {
		return whole
	}
	head, err := s.ReadRange(f, 0, lim.Head)
	if err != nil {
		return whole // the scorer says what is wrong
	}
	skip := headingEnd(head)
	if skip == 0 {
		return whole
	}
	cuts := []int64{skip}
	for at := skip + lim.Part; at < f.Size()-lim.Part/2; at += lim.Part {
		from := max(skip, at-lim.Record)
		near, err := s.ReadRange(f, from, min(at+lim.Head, f.Size()))
		if err != nil {
			return whole
		}
		end := bytes.IndexByte(near[at-from:], '\n')
		if end < 0 || bytes.IndexByte(near[:at-from+int64(end)], '"') >= 0 {
			continue // no cut here; the part grows
		}
		if cut := at + int64(end) + 1; cut > cuts[len(cuts)-1] {
			cuts = append(cuts, cut)
		}
	}
	if len(cuts) == 1 {
		return whole
	}
	parts := make([]Part, len(cuts))
	for i, from := range cuts {
		to := f.Size()
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		parts[i] = Part{File: s.Join(f, [][2]int64{{0, skip}, {from, to}}), Source: source, From: from, Skip: skip}
	}
	return parts
}

// headingEnd returns the length of the first line of a delimited table with
// its line end, 0 if head does not look like one.
func headingEnd(head []byte) int64 {
	line, rest, found := bytes.Cut(head, []byte{'\n'})
	if !found || len(rest) == 0 || bytes.IndexByte(head, 0) >= 0 || bytes.IndexByte(line, '"') >= 0 {
		return 0
	}
	if c := line; len(c) == 0 || bytes.IndexByte([]byte("{[#<"), c[0]) >= 0 {
		return 0 // JSON lines, Zeek's logs, markup
	}
	columns := 0
	for _, d := range []byte(",;\t|") {
		columns = max(columns, bytes.Count(line, []byte{d}))
	}
	if columns < 2 {
		return 0
	}
	return int64(len(line)) + 1
}
