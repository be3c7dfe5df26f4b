// Package packed reads what shared/ingest leaves to programs that may link
// more: Parquet, and files under zstd. It hides the libraries for both.
//
//	src, err := ingest.OpenWith(f, size, packed.Options(ingest.Options{Want: frame.Flow}))
package packed

import (
	"io"

	"cloister/builder/internal/parquet"
	"cloister/shared/ingest"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is what a zstd file may ask to be kept while it is unpacked: what
// the zstd command allows without --long.
const maxWindow = 128 << 20

// Options returns o with both readers.
func Options(o ingest.Options) ingest.Options {
	o.Parquet, o.Zstd = Parquet, Zstd
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
