package ingest_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"cloister/shared/ingest"
)

// Whoever watches sees every cell of every record of a table, in the order of
// the file, and changes nothing of what is read.
func TestSource_watch(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"CSV", "IN_BYTES,L4_DST_PORT,Odd,PROTOCOL,IN_PKTS,IPV4_SRC_ADDR\n1,80,x,6,1,10.0.0.1\n2,81\n,82,inf,17,1,10.0.0.2\n",
			"IN_BYTES=1 L4_DST_PORT=80 Odd=x PROTOCOL=6 IN_PKTS=1 IPV4_SRC_ADDR=10.0.0.1 |IN_BYTES= L4_DST_PORT=82 Odd=inf PROTOCOL=17 IN_PKTS=1 IPV4_SRC_ADDR=10.0.0.2 |"},
		{"JSON Lines", `{"IN_BYTES":1,"L4_DST_PORT":80,"PROTOCOL":6,"IN_PKTS":3,"IPV4_SRC_ADDR":"10.0.0.1"}` + "\n" + `{"IN_BYTES":2,"PROTOCOL":17,"IN_PKTS":3,"IPV4_SRC_ADDR":"10.0.0.1"}` + "\n",
			"IN_BYTES=1 L4_DST_PORT=80 PROTOCOL=6 IN_PKTS=3 IPV4_SRC_ADDR=10.0.0.1 |IN_BYTES=2 L4_DST_PORT=<nil> PROTOCOL=17 IN_PKTS=3 IPV4_SRC_ADDR=10.0.0.1 |"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			read := func(watch func([]string, [][]byte)) (out string) {
				s, err := ingest.Open(strings.NewReader(tt.file), int64(len(tt.file)), ingest.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if watch != nil {
					s.Watch(watch)
				}
				for {
					f, err := s.Next()
					if errors.Is(err, io.EOF) {
						return out
					}
					if err != nil {
						t.Fatal(err)
					}
					out += fmt.Sprint(f.Numbers, f.Texts, f.Row, f.Rejects)
					one, err := s.At(f.Offset[f.Len()-1])
					if err != nil || one.Len() != 1 {
						t.Fatal(one, err)
					}
					out += fmt.Sprint(one.Numbers, one.Texts)
				}
			}
			var saw strings.Builder
			with := read(func(names []string, cells [][]byte) {
				if len(names) != len(cells) {
					t.Fatalf("%d names, %d cells", len(names), len(cells))
				}
				for i, c := range cells {
					text := string(c)
					if c == nil {
						text = "<nil>"
					}
					fmt.Fprintf(&saw, "%s=%s ", names[i], text)
				}
				saw.WriteString("|")
			})
			if saw.String() != tt.want {
				t.Errorf("saw  %s\nwant %s", saw.String(), tt.want)
			}
			if without := read(nil); with != without {
				t.Errorf("watched   %s\nunwatched %s", with, without)
			}
		})
	}
}
