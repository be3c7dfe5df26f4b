package serve

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/andybalholm/brotli"
)

// codecs are the two encodings every browser with WebAssembly understands, at
// their smallest: compressing happens once, sending often.
var codecs = []struct {
	ext    string
	writer func(io.Writer) (io.WriteCloser, error)
	reader func(io.Reader) (io.Reader, error)
}{
	{".br",
		func(w io.Writer) (io.WriteCloser, error) {
			return brotli.NewWriterLevel(w, brotli.BestCompression), nil
		},
		func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil }},
	{".gz",
		func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestCompression) },
		func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
}

// compressible says whether compressing name is worth it; bundles are
// compressed already.
func compressible(name string) bool {
	switch filepath.Ext(name) {
	case ".css", ".csv", ".html", ".js", ".json", ".md", ".pcap", ".svg", ".txt", ".wasm":
		return true
	}
	return false
}

// Precompress writes a brotli (quality 11) and a gzip (level 9) twin beside
// every compressible file below dir, and returns how many it wrote. A twin
// that already unpacks to its file is left alone; one that would not be smaller
// than its file, or whose file is gone, is removed. The same files give the
// same bytes. Brotli takes some 4 seconds for each MB.
func Precompress(dir string) (written int, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, c := range codecs {
			if source, ok := strings.CutSuffix(name, c.ext); ok && compressible(source) {
				if _, err := os.Stat(source); os.IsNotExist(err) {
					return os.Remove(name)
				}
			}
		}
		if !compressible(name) {
			return nil
		}
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, c := range codecs {
			if old, err := os.ReadFile(name + c.ext); err == nil && len(old) < len(body) {
				if r, err := c.reader(bytes.NewReader(old)); err == nil && same(r, body) {
					continue
				}
			}
			var b bytes.Buffer
			w, err := c.writer(&b)
			if err != nil {
				return err // unreachable: the levels are constants
			}
			if _, err = w.Write(body); err == nil {
				err = w.Close()
			}
			if err != nil {
				return fmt.Errorf("precompress %q: %w", name, err)
			}
			if b.Len() >= len(body) {
				if err := os.Remove(name + c.ext); err != nil && !os.IsNotExist(err) {
					return err
				}
				continue
			}
			if err := os.WriteFile(name+c.ext, b.Bytes(), 0o644); err != nil {
				return err
			}
			written++
		}
		return nil
	})
	return written, err
}

// same says whether r yields exactly want.
func same(r io.Reader, want []byte) bool {
	got, err := io.ReadAll(io.LimitReader(r, int64(len(want))+1))
	return err == nil && bytes.Equal(got, want)
}
