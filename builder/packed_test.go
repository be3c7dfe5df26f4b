package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"
)

// inParquet returns a table of comma-separated cells as a Parquet file.
func inParquet(t *testing.T, text []byte) []byte {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var fields []arrow.Field
	for _, name := range rows[0] {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, row := range rows[1:] {
		for i, cell := range row {
			b.Field(i).(*array.StringBuilder).Append(cell)
		}
	}
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(b.NewRecordBatch())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Every command that learns or judges reads Parquet and zstd, and finds in them
// what it finds in the plain file.
func TestRun_packedData(t *testing.T) {
	plain, err := os.ReadFile("../models/sample/flows.csv")
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"flows.csv": plain, "flows.csv.zst": z.EncodeAll(plain, nil), "flows.parquet": inParquet(t, plain),
		"space.json": []byte(`{"model": "forest", "dimensions": [{"name": "trees", "kind": "choice", "grid": [3, 5]}]}`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	space := filepath.Join(dir, "space.json")
	commands := [][]string{ // DATA and OUT stand for paths
		{"prep", "DATA", "--out", "OUT"},
		{"features", "--recipe", "flows", "DATA", "--out", "OUT"},
		{"tune", "--recipe", "flows", "DATA", "--search", "grid", "--folds", "2", "--space", space, "--out", "OUT"},
		{"train", "--recipe", "flows", "DATA", "--params", filepath.Join(dir, "tune flows.csv", "result.json"), "--out", "OUT"}, // one small forest
		{"evaluate", "--bundle", "../models/flows/1.bundle", "DATA", "--explain", "5", "--json", "OUT"},
	}
	for _, command := range commands {
		want := ""
		for _, file := range []string{"flows.csv", "flows.csv.zst", "flows.parquet"} {
			out := filepath.Join(dir, command[0]+" "+file)
			args := strings.Split(strings.ReplaceAll(strings.ReplaceAll(strings.Join(command, "\n"), "DATA", filepath.Join(dir, file)), "OUT", out), "\n")
			var stdout, stderr bytes.Buffer
			if status := run(context.Background(), args, streams{in: strings.NewReader(""), out: &stdout, err: &stderr}); status != 0 {
				t.Errorf("%s %s: status %d: %s", command[0], file, status, &stderr)
				continue
			}
			got := strings.ReplaceAll(strings.ReplaceAll(stdout.String(), out, ""), file, "")
			if command[0] == "train" { // the hash of the file is in the bundle
				got = withoutHashes(got)
			}
			if want == "" {
				want = got
			}
			if got != want || got == "" {
				t.Errorf("%s %s says\n%s\nof the plain file\n%s", command[0], file, got, want)
			}
		}
	}
}

// withoutHashes returns the lines that name no SHA-256.
func withoutHashes(text string) (out string) {
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "sha256") && !strings.Contains(line, "bytes") {
			out += line
		}
	}
	return out
}
