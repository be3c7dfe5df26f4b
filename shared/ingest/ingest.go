// Package ingest reads files that analysts have and yields frames of rows. It
// hides how a file is recognised, unpacked and decoded.
//
//	s, err := ingest.Open(file, size, ingest.Limits{})
//	for {
//		f, err := s.Next()           // io.EOF at the end
//		use(f)
//	}
//
// A file holds flows ([frame.Flow]), alerts ([frame.Alert]) or both;
// Options.Want chooses. It is recognised by its content, never by its name. Every byte is
// hostile: limits bound what is held, a record that cannot be read is counted
// with its reason and position while reading goes on, and memory does not grow
// with the file.
package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
)

// Limits bound what a file can make the reader hold. A zero field means the
// default in its comment; there is no unlimited.
type Limits struct {
	RecordBytes   int   // of one record, default 1 MiB
	Columns       int   // of one record, default 2,000
	InflatedBytes int64 // of a compressed file's content, default 64 GiB
	Ratio         int64 // inflated : compressed after the first 16 MiB, default 250

	// Of captures.
	FlowIdle   time.Duration // without a packet, after which a flow ends, default 60 s
	FlowActive time.Duration // since its first packet, after which a flow ends, default 120 s
	Flows      int           // live at once, default 131,072
	KeptBytes  int           // of ended flows that At need not make again, default 64 MiB, some 600,000 flows
}

func (l Limits) withDefaults() Limits {
	if l.RecordBytes == 0 {
		l.RecordBytes = 1 << 20
	}
	if l.Columns == 0 {
		l.Columns = 2000
	}
	if l.InflatedBytes == 0 {
		l.InflatedBytes = 64 << 30
	}
	if l.Ratio == 0 {
		l.Ratio = 250
	}
	if l.KeptBytes == 0 {
		l.KeptBytes = 64 << 20
	}
	return l
}

// FormatError means that the file is of a known format but malformed.
type FormatError struct {
	Format string // "csv", "gzip", "json", "zeek", "parquet", "sqlite", "profile", "pcap", "pcapng"
	Line   int64  // 1-based, 0 when the format has no lines
	Offset int64  // in bytes, of the decompressed content
	What   string
}

// Error returns format, position and reason.
func (e *FormatError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s: line %d: %s", e.Format, e.Line, e.What)
	}
	return fmt.Sprintf("%s: byte %d: %s", e.Format, e.Offset, e.What)
}

// LimitError means that the file asks for more than [Limits] allow.
type LimitError struct {
	What       string
	Limit, Got int64
}

// Error returns what was exceeded.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d is over the limit of %d", e.What, e.Got, e.Limit)
}

// UnsupportedError means that the file was recognised but is not read.
type UnsupportedError struct {
	Format string // "Parquet file"
}

// Error names the format.
func (e *UnsupportedError) Error() string { return e.Format + ": recognised, but not read here" }

// UnknownError means that no reader recognised the file. Refusals says why,
// one sentence per reader.
type UnknownError struct {
	Refusals []string
}

// Error lists the refusals.
func (e *UnknownError) Error() string {
	return "no reader recognises this file: " + strings.Join(e.Refusals, "; ")
}

// SchemaError means that the file was recognised but holds no rows of the
// schema that Options.Want asks for.
type SchemaError struct {
	Want, Have *frame.Schema
}

// Error names both.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("the file holds %ss, not %ss", e.Have.Name, e.Want.Name)
}

// Options say how to read a file. The zero value reads what the file has, flows
// before alerts, with default limits.
type Options struct {
	Limits Limits
	// Want is the schema of the rows, [frame.Flow] or [frame.Alert]; nil for
	// flows if the file has any, else alerts.
	Want *frame.Schema
	// Profile, when set, says what the columns of a CSV, JSON or Parquet file
	// mean, in place of the names that are known.
	Profile *Profile
	// Parquet decodes Parquet files and SQLite the databases of telemetry
	// agents, which this package does not; nil refuses them with
	// [*UnsupportedError], as are those under gzip or zstd.
	Parquet func(file io.ReaderAt, size int64) (Cells, error)
	SQLite  func(file io.ReaderAt, size int64) (Cells, error)
	// Zstd returns a reader of what a zstd file holds, which this package
	// cannot unpack; nil refuses such files with [*UnsupportedError]. Output
	// and ratio are bounded by Limits, the window is for the function to bound.
	Zstd func(io.Reader) (io.Reader, error)
}

// ErrEmpty means that the file has no bytes, or no rows after its header.
var ErrEmpty = errors.New("the file is empty")

// Mapped says where a schema field comes from in the file at hand.
type Mapped struct {
	Field string
	From  string // column name or formula; "" when missing
	How   How
}

// How says how a field was obtained.
type How uint8

// The ways to obtain a field.
const (
	Missing  How = iota // the file has nothing to make it from
	Column              // one column, converted to the unit of the schema
	Computed            // a formula over several columns
)

// String returns the word for people and for JSON.
func (h How) String() string { return [...]string{"missing", "column", "computed"}[h] }

// Source is an opened file. It is not safe for concurrent use.
type Source struct {
	file   io.ReaderAt
	size   int64
	lim    Limits
	packed string // "gzip", "zstd" or ""
	zstd   func(io.Reader) (io.Reader, error)
	meter  *meter
	table  table
	holds  []*frame.Schema
}

// table is a reader of one kind of file.
type table interface {
	next() (*frame.Frame, error)
	at(offset int64) (*frame.Frame, error)
	describe() string
	fields() []Mapped
	rest() []string
	mended() map[string]int64
	schema() *frame.Schema
	note() string
}

var (
	_ table = (*rowTable)(nil)
	_ table = (*captureTable)(nil)
)

// Open is [OpenWith] with the options' zero value but for the limits.
func Open(r io.ReaderAt, size int64, lim Limits) (*Source, error) {
	return OpenWith(r, size, Options{Limits: lim})
}

// OpenWith recognises the file of size bytes behind r and reads its header. It
// returns [ErrEmpty], [*UnknownError], [*UnsupportedError], [*SchemaError],
// [*ProfileError], [*FormatError] or [*LimitError], or an error of r.
func OpenWith(r io.ReaderAt, size int64, o Options) (*Source, error) {
	s := &Source{file: r, size: size, lim: o.Limits.withDefaults(), zstd: o.Zstd}
	if size == 0 {
		return nil, ErrEmpty
	}
	rec, head, err := s.begin()
	if err != nil {
		return nil, err
	}
	if capture.Recognise(head) != "" {
		if o.Want == frame.Alert {
			return nil, &SchemaError{o.Want, frame.Flow}
		}
		t, err := newCaptureTable(func() (io.Reader, error) { return s.content(0) }, s.lim)
		if err != nil {
			return nil, err
		}
		s.table, s.holds = t, []*frame.Schema{frame.Flow}
		return s, nil
	}
	if err := s.openRows(rec, head, o); err != nil {
		return nil, err
	}
	return s, nil
}

// begin returns a splitter at the start of the content and the first bytes.
func (s *Source) begin() (*records, []byte, error) {
	in, err := s.content(0)
	if err != nil {
		return nil, nil, err
	}
	rec := newRecords(in, s.lim)
	head, err := rec.peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if len(head) == 0 {
		return nil, nil, ErrEmpty
	}
	return rec, head, nil
}

// sniffBytes is how much of the content decides the format.
const sniffBytes = 4096

// zstdMagic starts a zstd frame: RFC 8878, section 3.1.1.
const zstdMagic = "\x28\xb5\x2f\xfd"

// sqliteMagic starts a SQLite database: fileformat2, section 1.3.1.
const sqliteMagic = "SQLite format 3\x00"

// magic lists formats by their first bytes that are named when refused.
var magic = []struct {
	prefix, name string
}{
	{zstdMagic, "zstd file"},
	{"PK\x03\x04", "ZIP archive"},
	{"PAR1", "Parquet file"},
	{sqliteMagic, "SQLite database"},
	{"\x37\x7f\x06\x82", "write-ahead log of SQLite, to be chosen together with its database"},
	{"\x37\x7f\x06\x83", "write-ahead log of SQLite, to be chosen together with its database"},
	{"\x1f\x8b", "gzip inside gzip"},
	{"BZh", "bzip2 file"},
	{"\xfd7zXZ\x00", "xz file"},
	{"%PDF-", "PDF document"},
}

func otherFormat(head []byte) string {
	for _, m := range magic {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			return m.name
		}
	}
	return ""
}

// content returns a reader of the decompressed content from offset on.
func (s *Source) content(offset int64) (io.Reader, error) {
	var first [4]byte
	if n, err := s.file.ReadAt(first[:], 0); n < len(first) && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case first[0] == 0x1f && first[1] == 0x8b:
		s.packed = "gzip"
	case string(first[:]) == zstdMagic && s.zstd != nil:
		s.packed = "zstd"
	default:
		s.meter = &meter{r: io.NewSectionReader(s.file, offset, s.size-offset), n: offset}
		return s.meter, nil
	}
	s.meter = &meter{r: io.NewSectionReader(s.file, 0, s.size)}
	var z io.Reader
	var err error
	if s.packed == "gzip" {
		z, err = gzip.NewReader(s.meter)
	} else {
		z, err = s.zstd(s.meter)
	}
	if err != nil {
		return nil, &FormatError{Format: s.packed, What: err.Error()}
	}
	in := &inflated{z: z, name: s.packed, packed: s.meter, lim: s.lim}
	if _, err := io.CopyN(io.Discard, in, offset); err != nil {
		return nil, err
	}
	return in, nil
}

// meter counts the bytes read from the file.
type meter struct {
	r io.Reader
	n int64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	return n, err
}

// inflated reads compressed content and enforces the caps on it.
type inflated struct {
	z      io.Reader
	name   string
	packed *meter
	lim    Limits
	n      int64
}

// freeRatioBytes may be inflated at any ratio: short files of one repeated
// line are legitimate.
const freeRatioBytes = 16 << 20

func (f *inflated) Read(p []byte) (int, error) {
	n, err := f.z.Read(p)
	f.n += int64(n)
	switch {
	case f.n > f.lim.InflatedBytes:
		return 0, &LimitError{f.name + " content in bytes", f.lim.InflatedBytes, f.n}
	case f.n > freeRatioBytes && f.n/max(f.packed.n, 1) > f.lim.Ratio:
		return 0, &LimitError{f.name + " ratio", f.lim.Ratio, f.n / max(f.packed.n, 1)}
	case err != nil && !errors.Is(err, io.EOF):
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.ErrUnexpectedEOF
		}
		return n, &cutError{&FormatError{Format: f.name, Offset: f.n, What: err.Error()}, err}
	}
	return n, err
}

// cutError is a FormatError that also is its cause, io.ErrUnexpectedEOF for a
// file that was cut short.
type cutError struct {
	format *FormatError
	cause  error
}

func (e *cutError) Error() string   { return e.format.Error() }
func (e *cutError) Unwrap() []error { return []error{e.format, e.cause} }

// Next returns the next rows or rejects, or [io.EOF]. The frame is valid until
// the next call. It has no rows when 65,536 packets of a capture ended no flow,
// or 16,384 records of a log were of another kind.
// After another error the rows before it have been returned already and nothing
// more can be read.
func (s *Source) Next() (*frame.Frame, error) { return s.table.next() }

// At reads the single record at offset, as [frame.Frame.Offset] gave it. It
// does not disturb Next. A compressed file is inflated up to the record, so
// the cost is O(offset) there and O(1) otherwise. A flow of a capture is kept,
// or made again at the cost of reading up to its end (see Limits.KeptBytes).
func (s *Source) At(offset int64) (*frame.Frame, error) {
	m := s.meter
	defer func() { s.meter = m }()
	return s.table.at(offset)
}

// Format returns what the file is, for people.
func (s *Source) Format() string {
	name := s.table.describe()
	if s.packed != "" {
		name += ", " + s.packed
	}
	return name
}

// Schema returns the schema of the frames.
func (s *Source) Schema() *frame.Schema { return s.table.schema() }

// Schemas returns the schemas of which the file has rows, as far as the start
// of it tells, in the order of preference: what Options.Want can be. Of an EVE
// file the first 16 MiB are searched.
func (s *Source) Schemas() []*frame.Schema { return slices.Clone(s.holds) }

// Note says in a sentence or two what files of this kind do not tell and how
// what they tell was read; "" when there is nothing to say.
func (s *Source) Note() string { return s.table.note() }

// Mapping returns for each schema field, in order, where it comes from.
func (s *Source) Mapping() []Mapped { return s.table.fields() }

// Unmapped returns the columns of the file that no field uses.
func (s *Source) Unmapped() []string { return s.table.rest() }

// Repairs returns how many cells were mended or read as missing so far, by
// reason; of captures, how many packets were left out or mended, and of logs,
// how many records were of another kind: they are no rows and so no rejects.
// The map is a copy.
func (s *Source) Repairs() map[string]int64 { return s.table.mended() }

// Consumed returns how many bytes of the file have been read.
func (s *Source) Consumed() int64 { return s.meter.n }
