package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"cloister/shared/ingest"
)

// Columns that are not what they are taken for show in the rows.
func TestSource_Checks(t *testing.T) {
	const names = "FLOW_START_MILLISECONDS,FLOW_END_MILLISECONDS,FLOW_DURATION_MILLISECONDS,IN_BYTES,IN_PKTS,OUT_BYTES,OUT_PKTS,L4_SRC_PORT,PROTOCOL\n"
	tests := []struct{ row, want string }{
		{"1700000000000,1700000005000,5000,1000,10,0,0,443,6", ""},
		{"1700000000000,1700000005000,5,1000,10,0,0,443,6", "end - start is not the duration"},
		{"1700000000000,1700000005000,5000000,1000,10,0,0,443,6", "end - start is not the duration"},
		{"1700000000,1700000005,5,1000,10,0,0,443,6", "start before 1990"},
		{"1700000000000,1700000005000,5000,199,10,0,0,443,6", "fewer than 20 source bytes"},
		{"1700000000000,1700000005000,5000,200,10,0,0,443,6", ""},
		{"1700000000000,1700000005000,5000,655351,10,0,0,443,6", "more than 65,535 source bytes"},
		{"1700000000000,1700000005000,5000,655350,10,19,1,443,6", "fewer than 20 destination bytes"},
		{"1700000000000,1700000005000,5000,1000,10,0,0,65536,6", "port above"},
		{"1700000000000,1700000005000,5000,1000,10,0,0,443,256", "protocol above"},
		{",,604800001,1000,10,0,0,443,6", "longer than a week"},
		{",,604800000,1000,10,0,0,443,6", ""},
	}
	for _, tt := range tests {
		s := openWith(t, []byte(names+strings.Repeat(tt.row+"\n", 3)), ingest.Options{})
		if _, _, err := all(s); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range s.Checks() {
			got = append(got, c.What)
			if c.Odd != 3 || c.Rows != 3 {
				t.Errorf("%s: %+v", tt.row, c)
			}
		}
		if len(got) > 1 || (tt.want == "") != (len(got) == 0) || !strings.Contains(fmt.Sprint(got), tt.want) {
			t.Errorf("%s: got %q, want %q", tt.row, got, tt.want)
		}
	}
}
