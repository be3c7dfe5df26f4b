package ingest_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

// stored is a table of telemetry that somebody else decodes.
type stored struct{ n int64 }

func (h stored) Header() []string {
	return []string{"timestamp", "device_id", "cpu_avg_pct", "load_1min"}
}
func (h stored) Rows() int64  { return h.n }
func (h stored) Kind() string { return "SQLite, table wal" }
func (h stored) Note() string { return "the newest rows may be missing" }
func (h stored) Row(i int64) ([][]byte, error) {
	if i == 9999 {
		return nil, errors.New("a page that is not there")
	}
	text := fmt.Sprintf("%d,ward-3,%d,%d", 1_780_272_000_000+i*10_000, i%90, i%7)
	cells := bytes.Split([]byte(text), []byte(","))
	if i%50 == 7 {
		cells[3] = nil
	}
	return cells, nil
}

// windowsOf returns the mean CPU of each window in order.
func windowsOf(t *testing.T, s *ingest.Source) (rows []int64, cpu []float64, err error) {
	t.Helper()
	at, _ := s.Schema().Index("level_z_mean")
	for {
		f, err := s.Next()
		if errors.Is(err, io.EOF) {
			return rows, cpu, nil
		}
		if err != nil {
			return rows, cpu, err
		}
		rows, cpu = append(rows, f.Row...), append(cpu, f.Numbers[at]...)
	}
}

func database(n int64, kept int) (*ingest.Source, error) {
	text := "SQLite format 3\x00"
	return ingest.OpenWith(strings.NewReader(text), int64(len(text)), ingest.Options{Limits: ingest.Limits{KeptBytes: kept},
		SQLite: func(io.ReaderAt, int64) (ingest.Cells, error) { return stored{n}, nil }})
}

// Windows made from such a table are found again although they were not kept.
func TestCells_telemetry(t *testing.T) {
	s, err := database(3000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if s.Schema().Name != "telemetry" || !strings.HasPrefix(s.Format(), "telemetry, SQLite, table wal, 2 metrics") || !strings.HasPrefix(s.Note(), "the newest rows may be missing") {
		t.Errorf("%q, %q", s.Format(), s.Note())
	}
	rows, cpu, err := windowsOf(t, s)
	if err != nil || len(rows) < 900 {
		t.Fatalf("%d windows, %v", len(rows), err)
	}
	at, _ := s.Schema().Index("level_z_mean")
	for _, i := range []int{0, 5, 500, len(rows) - 1} {
		f, err := s.At(rows[i])
		if err != nil {
			t.Fatal(err)
		}
		if f.Len() != 1 || f.Row[0] != rows[i] || f.Numbers[at][0] != cpu[i] && cpu[i] == cpu[i] {
			t.Errorf("window %d: %v, want %v", rows[i], f.Numbers[at], cpu[i])
		}
	}
}

func TestCells_errors(t *testing.T) {
	s, err := database(20_000, 0)
	if err != nil {
		t.Fatal(err)
	}
	var format *ingest.FormatError
	if _, _, err := windowsOf(t, s); !errors.As(err, &format) || err.Error() != "sqlite: byte 10000: a page that is not there" {
		t.Errorf("a broken row: %v", err)
	}
	if _, err := database(0, 0); !errors.Is(err, ingest.ErrEmpty) {
		t.Errorf("no rows: %v", err)
	}
	refuse := ingest.Options{SQLite: func(io.ReaderAt, int64) (ingest.Cells, error) { return nil, errors.New("malformed") }}
	text := "SQLite format 3\x00"
	if _, err := ingest.OpenWith(strings.NewReader(text), int64(len(text)), refuse); err == nil || err.Error() != "sqlite: byte 0: malformed" {
		t.Errorf("a refusal: %v", err)
	}
	var flows *ingest.SchemaError
	want := ingest.Options{Want: frame.Flow, SQLite: func(io.ReaderAt, int64) (ingest.Cells, error) { return stored{5}, nil }}
	if s, err := ingest.OpenWith(strings.NewReader(text), int64(len(text)), want); err == nil && s.Schema().Name != "telemetry" || err != nil && !errors.As(err, &flows) {
		t.Errorf("flows of a database: %v", err)
	}
	// decoders need the file itself
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var unsupported *ingest.UnsupportedError
	if _, err := ingest.OpenWith(bytes.NewReader(packed.Bytes()), int64(packed.Len()), refuse); !errors.As(err, &unsupported) {
		t.Errorf("under gzip: %v", err)
	}
}
