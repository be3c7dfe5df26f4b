package packed_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"cloister/builder/internal/packed"
	"cloister/shared/ingest"

	"github.com/klauspost/compress/zstd"
)

func rows(t *testing.T, b []byte) (n int, err error) {
	t.Helper()
	src, err := ingest.OpenWith(bytes.NewReader(b), int64(len(b)), packed.Options(ingest.Options{}))
	if err != nil {
		return 0, err
	}
	for {
		f, err := src.Next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n += f.Len()
	}
}

func TestOptions_readZstd(t *testing.T) {
	plain, err := os.ReadFile("../../../models/sample/flows.csv")
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	small := z.EncodeAll(plain, nil)
	if n, err := rows(t, small); n != 557 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	if n, err := rows(t, small[:len(small)/2]); err == nil {
		t.Errorf("a file that was cut short gives %d rows", n)
	}
	// a frame that asks for a window of 256 MiB: RFC 8878, section 3.1.1.1.2
	if _, err := rows(t, []byte("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00")); err == nil || !strings.Contains(err.Error(), "window") {
		t.Errorf("a window of 256 MiB: %v", err)
	}
}

func TestOptions_readParquet(t *testing.T) {
	if _, err := rows(t, []byte("PAR1 and no more PAR1")); err == nil || !strings.Contains(err.Error(), "parquet") {
		t.Errorf("no Parquet: %v", err)
	}
}

// A database needs a path: by the file itself, or by a method.
func TestOptions_readSQLite(t *testing.T) {
	path := agents[2].copies(t)[0]
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.ReaderAt{"a file": f, "a path": at{bytes.NewReader(nil), path}} {
		c, err := packed.SQLite(r, info.Size())
		if err != nil || c.Rows() < 100 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, r := range map[string]io.ReaderAt{"bytes": bytes.NewReader(nil), "standard input": at{bytes.NewReader(nil), ""}} {
		if _, err := packed.SQLite(r, info.Size()); err == nil || !strings.Contains(err.Error(), "where it lies") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
