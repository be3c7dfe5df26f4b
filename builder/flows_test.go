package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"

	"cloister/shared/frame"
)

const labCapture = "../models/sample/lab.pcap.gz"

// flowsOutput runs the command and returns what it wrote.
func flowsOutput(t *testing.T, args ...string) (out, errors string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(context.Background(), append([]string{"flows"}, args...), streams{in: strings.NewReader(""), out: &o, err: &e})
	return o.String(), e.String(), status
}

// A capture under zstd gives the flows of the capture; a damaged one says so.
func TestFlows_zstd(t *testing.T) {
	packed, err := os.ReadFile(labCapture)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	small := w.EncodeAll(raw, nil)
	name := filepath.Join(t.TempDir(), "lab.bin") // known by content, not by name
	write := func(b []byte) {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(small)
	want, _, _ := flowsOutput(t, labCapture)
	got, _, status := flowsOutput(t, name)
	if status != exitDone || got != want || strings.Count(got, "\n") != 1990 {
		t.Errorf("status %d, %d bytes, want %d", status, len(got), len(want))
	}
	write(small[:len(small)/2])
	got, message, status := flowsOutput(t, name)
	if status != exitCheck || !strings.Contains(message, "zstd: byte ") || strings.Count(got, "\n") < 500 {
		t.Errorf("cut: status %d, %q, %d rows", status, message, strings.Count(got, "\n"))
	}
	write(append(small[:4:4], "\xff\xff\xff\xff\xff\xff\xff\xff"...))
	if _, message, status := flowsOutput(t, name); status != exitCheck || !strings.Contains(message, "zstd") {
		t.Errorf("nonsense: status %d, %q", status, message)
	}
}

// The Parquet file has the rows and the values of the CSV file, missing cells
// as null.
func TestFlows_parquet(t *testing.T) {
	out, _, status := flowsOutput(t, labCapture, "--format", "parquet")
	if status != exitDone {
		t.Fatal(status)
	}
	r, err := file.NewParquetReader(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := fr.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	text, _, _ := flowsOutput(t, labCapture)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	names := strings.Split(lines[0], ",")
	if int(table.NumRows()) != len(lines)-1 || int(table.NumCols()) != len(names) {
		t.Fatalf("%d rows, %d columns", table.NumRows(), table.NumCols())
	}
	nulls, values := 0, 0
	for k, name := range names {
		if got := table.Column(k).Name(); got != name {
			t.Fatalf("column %d is %s, want %s", k, got, name)
		}
		row := 1
		for _, chunk := range table.Column(k).Data().Chunks() {
			for i := range chunk.Len() {
				cells := strings.Split(lines[row], ",")
				row++
				if len(cells) != len(names) { // quoted texts are checked elsewhere
					continue
				}
				got := ""
				if !chunk.IsNull(i) {
					got = chunk.ValueStr(i)
				}
				if f, ok := chunk.(*array.Float64); ok && !f.IsNull(i) {
					got = string(appendNumber(nil, f.Value(i)))
				}
				if got != cells[k] {
					t.Fatalf("%s of row %d: %q, want %q", name, row-1, got, cells[k])
				}
				if got == "" {
					nulls++
				} else {
					values++
				}
			}
		}
	}
	if nulls < 1000 || values < 100_000 {
		t.Errorf("%d nulls, %d values", nulls, values)
	}
	if k := len(frame.Flow.Fields); len(names) != k+1 {
		t.Errorf("%d columns, the schema has %d fields", len(names), k)
	}
}

// What is written by hand reads back with encoding/csv, whatever the cell.
func TestFlows_csvCells(t *testing.T) {
	for _, text := range []string{"", "plain", " led by a space", "a,b", `say "hi"`, "two\nlines", `\x00`, "=1+1"} {
		got, err := csv.NewReader(strings.NewReader(string(appendCell([]byte("x,"), text)) + ",y\n")).Read()
		if err != nil || len(got) != 3 || got[1] != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
	for v, want := range map[float64]string{0: "0", -3: "-3", 1.5: "1.5", 1795318820537: "1795318820537", 1e21: "1000000000000000000000"} {
		if got := string(appendNumber(nil, v)); got != want {
			t.Errorf("%v became %s", v, got)
		}
	}
}
