package ingest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

// endless is a file of size bytes: head, then one byte over and over.
type endless struct {
	head string
	fill byte
	size int64
}

func (e endless) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	for n < len(p) && at+int64(n) < e.size {
		if i := at + int64(n); i < int64(len(e.head)) {
			n += copy(p[n:], e.head[i:])
		} else {
			p[n] = e.fill
			n++
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// A single line of 100 MB costs one record and no memory, in every format.
func TestNext_hugeLine(t *testing.T) {
	flow := `{"event_type":"flow","timestamp":"2024-01-01T00:00:00Z","src_ip":"192.0.2.1","proto":"UDP","flow":{"pkts_toserver":1,"bytes_toserver":99}}`
	tests := []struct {
		name, head string
		fill       byte
		rejects    string
	}{
		{"CSV", head + "1,2,3,4,5,6,", 'x', "record too long"},
		{"CSV, open quote", head + `1,2,3,4,5,6,"`, 'x', "record too long"},
		{"Zeek", zeekHead + zeekNames + zeekRow + "1\t", 'x', "record too long"},
		{"EVE, string", flow + "\n" + `{"event_type":"flow","x":"`, 'x', "record too long"},
		{"EVE, brackets", flow + "\n" + `{"event_type":"flow","x":`, '[', "nested too deep"},
		{"EVE, backslashes", flow + "\n" + `{"event_type":"flow","x":"`, '\\', "record too long"},
		{"EVE, spaces", flow + "\n" + `{`, ' ', "record too long"},
		{"EVE, spaces between records", flow + "\n", ' ', ""},
		{"nfdump", "ts,te,td,sa,da,sp,dp,pr,flg,ipkt,ibyt,opkt,obyt\n", '-', "record too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const size = 100 << 20
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s, err := ingest.Open(endless{tt.head, tt.fill, size}, size, ingest.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			_, rejects, err := all(s)
			if err != nil && !errors.Is(err, ingest.ErrEmpty) {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			reason := ""
			if len(rejects) > 0 {
				reason = rejects[0].Reason
			}
			if reason != tt.rejects || len(rejects) > 1 {
				t.Errorf("%d rejects, first %q, want %q", len(rejects), reason, tt.rejects)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
				t.Errorf("%d bytes allocated", grown)
			}
		})
	}
}

// Nothing that a record says makes the reader keep more than it reads.
func TestOpen_bounds(t *testing.T) {
	kinds := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `{"timestamp":"x","event_type":"k%d"}`+"\n", i)
		}
		return b.String() + `{"timestamp":"x","event_type":"flow","flow":{"pkts_toserver":1}}` + "\n"
	}
	s := openWith(t, []byte(kinds(5000)), ingest.Options{Want: frame.Flow})
	if _, _, err := all(s); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Repairs()); n > 40 || s.Repairs()["other record"] < 4000 {
		t.Errorf("%d kinds counted, %v", n, s.Repairs()["other record"])
	}
	heads := zeekHead + zeekNames + strings.Repeat("#fields\tts\tid.orig_h\n1\t192.0.2.1\n", 5000)
	_, offsets, rejects := table(t, openWith(t, []byte(heads), ingest.Options{}))
	if len(rejects) == 0 || rejects[0].Reason != "too many heads" || len(offsets) < 4000 {
		t.Errorf("%d rows, %d rejects", len(offsets), len(rejects))
	}
}

// The same bits natively and in js/wasm: the hash of all cells of all samples.
// It changes when a sample or a rule does; run the tests for both systems then.
func TestOpenWith_sameBitsEverywhere(t *testing.T) {
	sum := sha256.New()
	for _, tt := range samples {
		s := openWith(t, sample(t, tt.file), ingest.Options{Want: tt.schema})
		for {
			f, err := s.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for k := range f.Schema.Fields {
				for _, v := range f.Numbers[k] {
					fmt.Fprintf(sum, "%x,", math.Float64bits(v))
				}
				for _, text := range f.Texts[k] {
					fmt.Fprintf(sum, "%q,", text)
				}
			}
		}
	}
	const want = "a02630a402de7ac4bd648d7ef41823cfdcdd25ecb98d72f88deaaa9429522c5c"
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		t.Errorf("got %s", got)
	}
}
