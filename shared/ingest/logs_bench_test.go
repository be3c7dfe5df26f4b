package ingest_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

// BenchmarkNext_logs reads each sample's rows over and over as one file of some
// megabytes. testdata/logs/bench.py measures pandas and json on the same files.
func BenchmarkNext_logs(b *testing.B) {
	for _, tt := range samples {
		if tt.file == "eve-netflow.json" || tt.file == "alerts.jsonl" || tt.file == "detections.csv" {
			continue // the same readers as others
		}
		b.Run(strings.ReplaceAll(tt.file, ".", "-")+"-"+tt.schema.Name, func(b *testing.B) {
			file := repeated(b, tt.file, 4<<20)
			rows := 0
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				rows = readAll(b, file, tt.schema)
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func readAll(b *testing.B, file []byte, want *frame.Schema) (rows int) {
	s, err := ingest.OpenWith(bytes.NewReader(file), int64(len(file)), ingest.Options{Want: want})
	if err != nil {
		b.Fatal(err)
	}
	for {
		f, err := s.Next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			b.Fatal(err)
		}
		rows += f.Len()
	}
}

// repeated returns a sample with its rows repeated up to about size bytes: the
// head of a text table stays first, arrays are joined by their elements.
func repeated(b *testing.B, name string, size int) []byte {
	text := string(sample(b, name))
	head, body := "", text
	switch {
	case strings.HasPrefix(text, "["):
		body = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "["), "]") + ",\n"
		head = "["
	case strings.HasPrefix(text, "#"):
		i := strings.LastIndex(text, "\n#types")
		i += 1 + strings.IndexByte(text[i+1:], '\n') + 1
		head, body = text[:i], strings.ReplaceAll(text[i:], "#close", "#")
	case !strings.HasPrefix(text, "{"):
		i := strings.IndexByte(text, '\n') + 1
		head, body = text[:i], text[i:]
		body, _, _ = strings.Cut(body, "Summary")
	}
	return []byte(head + strings.Repeat(body, size/len(body)+1))
}

func BenchmarkPropose(b *testing.B) {
	file := sample(b, "zeek-conn.log")
	for b.Loop() {
		if _, err := ingest.Propose(bytes.NewReader(file), int64(len(file)), ingest.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
