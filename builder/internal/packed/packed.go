// Package packed reads what shared/ingest leaves to programs that may link
// more: Parquet, SQLite databases of telemetry, and files under zstd. It hides
// the libraries for them. What it reads the page reads with site/reader, to the
// same bytes: reader_test.go compares them.
//
//	src, err := ingest.OpenWith(f, size, packed.Options(ingest.Options{Want: frame.Flow}))
package packed

import (
	"context"
	"errors"
	"io"
	"os"

	"cloister/builder/internal/parquet"
	"cloister/builder/internal/telemetry/wal"
	"cloister/shared/ingest"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is what a zstd file may ask to be kept while it is unpacked: what
// the zstd command allows without --long.
const maxWindow = 128 << 20

// Options returns o with all readers.
func Options(o ingest.Options) ingest.Options {
	o.Parquet, o.SQLite, o.Zstd = Parquet, SQLite, Zstd
	return o
}

// Zstd is [ingest.Options.Zstd]. One goroutine does the work; a window of more
// than 128 MiB is refused.
func Zstd(r io.Reader) (io.Reader, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return z, nil
}

// Parquet is [ingest.Options.Parquet].
func Parquet(r io.ReaderAt, size int64) (ingest.Cells, error) {
	f, err := parquet.Open(r, size)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// SQLite is [ingest.Options.SQLite]. The file has to be an [os.File] or say its
// path by a method Path, "" for none: a write-ahead log lies beside it, and its
// writer may be at work.
func SQLite(r io.ReaderAt, _ int64) (ingest.Cells, error) {
	path := ""
	switch f := r.(type) {
	case *os.File:
		path = f.Name()
	case interface{ Path() string }:
		path = f.Path()
	}
	if path == "" {
		return nil, errors.New("a database is read where it lies, with its -wal file beside it, and not from standard input")
	}
	raw, report, err := wal.Read(context.Background(), path)
	if err != nil {
		return nil, err
	}
	return &samples{raw: raw, kind: "SQLite, " + report.String()}, nil
}
