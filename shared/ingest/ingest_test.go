package ingest_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

// golden is the public example row of the v3 schema, FLOWS.md C.1.
const golden = `FLOW_START_MILLISECONDS,FLOW_END_MILLISECONDS,IPV4_SRC_ADDR,L4_SRC_PORT,IPV4_DST_ADDR,L4_DST_PORT,PROTOCOL,L7_PROTO,IN_BYTES,IN_PKTS,OUT_BYTES,OUT_PKTS,TCP_FLAGS,FLOW_DURATION_MILLISECONDS,SRC_TO_DST_IAT_MAX,DST_TO_SRC_IAT_MAX,DNS_QUERY_ID,Label,Attack
1518633543480,1518633543849,13.58.98.64,36526,172.31.69.25,22,6,92,3148,23,3869,21,27,369,95,132,0,1,SSH-Bruteforce
`

func open(t *testing.T, text string) *ingest.Source {
	t.Helper()
	s, err := ingest.Open(strings.NewReader(text), int64(len(text)), ingest.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// all reads the whole source into one list of rows "field=value" and rejects.
func all(s *ingest.Source, fields ...string) (rows []string, rejects []frame.Reject, err error) {
	for {
		f, err := s.Next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return rows, rejects, err
		}
		for i := range f.Len() {
			var cells []string
			for _, name := range fields {
				k, ok := f.Schema.Index(name)
				switch {
				case !ok:
					panic(name)
				case f.Numbers[k] != nil:
					cells = append(cells, fmt.Sprint(f.Numbers[k][i]))
				case f.Texts[k] != nil:
					cells = append(cells, f.Texts[k][i])
				default:
					cells = append(cells, "absent")
				}
			}
			rows = append(rows, fmt.Sprintf("%d@%d:%s", f.Row[i], f.Offset[i], strings.Join(cells, ",")))
		}
		rejects = append(rejects, f.Rejects...)
	}
}

func TestOpen_goldenRow(t *testing.T) {
	s := open(t, golden)
	rows, rejects, err := all(s, frame.FlowStart, frame.SrcAddr, frame.DstPort, frame.InBytes, frame.TCPFlags, frame.Duration, "SRC_TO_DST_IAT_MAX", frame.Label, "MIN_TTL")
	if err != nil || len(rejects) > 0 || len(rows) != 1 {
		t.Fatal(rows, rejects, err)
	}
	if want := "1@" + fmt.Sprint(strings.Index(golden, "\n")+1) + ":1.51863354348e+12,13.58.98.64,22,3148,27,369,95,SSH-Bruteforce,absent"; rows[0] != want {
		t.Errorf("got  %s\nwant %s", rows[0], want)
	}
	if got := s.Unmapped(); len(got) != 1 || got[0] != "Label" {
		t.Errorf("unmapped: %q", got)
	}
	if got := s.Format(); got != fmt.Sprintf("NetFlow CSV, 19 columns, 18 of %d flow fields", len(frame.Flow.Fields)) {
		t.Errorf("format: %q", got)
	}
}

// The three spellings of CICFlowMeter give the same flow: microseconds become
// milliseconds, IP bytes are payload + transport headers + 20 per packet, and
// flags are the OR of those counted.
func TestOpen_cicSpellings(t *testing.T) {
	tests := []struct{ name, header string }{
		{"short", "Dst Port,Protocol,Timestamp,Flow Duration,Tot Fwd Pkts,Tot Bwd Pkts,TotLen Fwd Pkts,TotLen Bwd Pkts,Fwd IAT Max,Fwd Header Len,Bwd Header Len,FIN Flag Cnt,SYN Flag Cnt,RST Flag Cnt,PSH Flag Cnt,ACK Flag Cnt,URG Flag Cnt,CWE Flag Count,ECE Flag Cnt,Label"},
		{"long", " Destination Port, Protocol, Timestamp, Flow Duration, Total Fwd Packet, Total Bwd packets, Total Length of Fwd Packet, Total Length of Bwd Packet, Fwd IAT Max, Fwd Header Length, Bwd Header Length,FIN Flag Count, SYN Flag Count, RST Flag Count, PSH Flag Count, ACK Flag Count, URG Flag Count, CWR Flag Count, ECE Flag Count, Label"},
		{"snake", "dst_port,protocol,timestamp,flow_duration,tot_fwd_pkts,tot_bwd_pkts,totlen_fwd_pkts,totlen_bwd_pkts,fwd_iat_max,fwd_header_len,bwd_header_len,fin_flag_cnt,syn_flag_cnt,rst_flag_cnt,psh_flag_cnt,ack_flag_cnt,urg_flag_cnt,cwr_flag_count,ece_flag_cnt,label"},
	}
	const row = "\n80,6,05/07/2017 02:17:48 PM,27608160,11,6,360,11632,16987220,368,200,1,3,0,2,15,0,0,0,DoS GoldenEye\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, tt.header+row)
			rows, rejects, err := all(s, frame.DstPort, frame.FlowStart, frame.Duration, frame.InPackets, frame.InBytes, frame.OutBytes, frame.TCPFlags, "SRC_TO_DST_IAT_MAX", frame.Label)
			if err != nil || len(rejects) > 0 || len(rows) != 1 {
				t.Fatal(rows, rejects, err)
			}
			_, got, _ := strings.Cut(rows[0], ":")
			// FIN 1 + SYN 2 + PSH 8 + ACK 16
			if want := "80,1.499264268e+12,27608.16,11,948,11952,27,16987.22,DoS GoldenEye"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			for _, m := range s.Mapping() {
				if m.Field == frame.InBytes && m.How != ingest.Computed {
					t.Errorf("IN_BYTES is %v from %q", m.How, m.From)
				}
			}
		})
	}
}

const head = "IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,FLOW_DURATION_MILLISECONDS,PROTOCOL,IPV4_SRC_ADDR\n"

func TestNext_rows(t *testing.T) {
	tests := []struct {
		name, in string
		rows     []string // IN_BYTES, FLOW_DURATION_MILLISECONDS, PROTOCOL, IPV4_SRC_ADDR
		rejects  []string
		repairs  string
	}{
		{"plain", "1,2,3,4,5,6,a\n7,8,9,10,11,17,b\n", []string{"1,5,6,a", "7,11,17,b"}, nil, ""},
		{"CRLF and no final line end", "1,2,3,4,5,6,a\r\n7,8,9,10,11,17,b", []string{"1,5,6,a", "7,11,17,b"}, nil, ""},
		{"blank lines are no rows", "\n1,2,3,4,5,6,a\n\n\n", []string{"1,5,6,a"}, nil, ""},
		{"quotes, delimiter and line end inside", `"1","2",3,4,5,6,"x,""y` + "\n" + `z"` + "\n", []string{"1,5,6,x,\"y\nz"}, nil, ""},
		{"quote that never closes costs its line", "1,2,3,4,5,6,\"a\n7,8,9,10,11,17,b\n", []string{"1,5,6,a", "7,11,17,b"}, nil, ""},
		{"protocol by name", "1,2,3,4,5,TCP,a\n1,2,3,4,5,udp,a\n", []string{"1,5,6,a", "1,5,17,a"}, nil, ""},
		{"column count", "1,2,3\n1,2,3,4,5,6,a,8\n1,2,3,4,5,6,a\n", []string{"1,5,6,a"}, []string{"1 column count: 3 columns, the header has 7", "2 column count: 8 columns, the header has 7"}, ""},
		{"cut in the middle", "1,2,3,4,5,6,a\n1,2,3", []string{"1,5,6,a"}, []string{"2 cut short: the file ends after 3 of 7 columns"}, ""},
		{"not a number", "x1,2,3,4,5,6,a\n", nil, []string{`1 not a number: field "IN_BYTES": "x1"`}, ""},
		{"repeated header", "1,2,3,4,5,6,a\n" + head + "1,2,3,4,5,6,b\n", []string{"1,5,6,a", "1,5,6,b"}, []string{"2 repeated header: "}, ""},
		{"missing, infinite and negative cells", "1,2,3,4,,6,a\nInfinity,2,3,4,NaN,6,a\n-1,2,3,4,-5,6,a\n", []string{"1,NaN,6,a", "NaN,NaN,6,a", "NaN,NaN,6,a"}, nil, "empty cell, read as missing=1 infinite or NaN, read as missing=2 negative value, read as missing=2"},
		{"wrapped duration", "1,2,3,4,4293498,6,a\n1,2,3,4,120999,6,a\n", []string{"1,1469,6,a", "1,120999,6,a"}, nil, "duration wrapped at 2^32 us, unwrapped=1"},
		{"hostile text is data", "1,2,3,4,5,6,<img src=x onerror=alert(1)>\n", []string{"1,5,6,<img src=x onerror=alert(1)>"}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, head+tt.in)
			rows, rejects, err := all(s, frame.InBytes, frame.Duration, frame.Protocol, frame.SrcAddr)
			if err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				_, rows[i], _ = strings.Cut(rows[i], ":")
			}
			if fmt.Sprintf("%q", rows) != fmt.Sprintf("%q", tt.rows) {
				t.Errorf("rows: got %q, want %q", rows, tt.rows)
			}
			var got []string
			for _, r := range rejects {
				got = append(got, fmt.Sprintf("%d %s: %s", r.Row, r.Reason, r.Detail))
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.rejects) {
				t.Errorf("rejects: got %q, want %q", got, tt.rejects)
			}
			repairs := ""
			for _, why := range []string{"empty cell, read as missing", "infinite or NaN, read as missing", "negative value, read as missing", "duration wrapped at 2^32 us, unwrapped"} {
				if n := s.Repairs()[why]; n > 0 {
					repairs += fmt.Sprintf(" %s=%d", why, n)
				}
			}
			if strings.TrimSpace(repairs) != tt.repairs {
				t.Errorf("repairs: got %q, want %q", repairs, tt.repairs)
			}
		})
	}
}

func TestOpen_refuses(t *testing.T) {
	var (
		unknown     *ingest.UnknownError
		unsupported *ingest.UnsupportedError
		limit       *ingest.LimitError
		format      *ingest.FormatError
	)
	wide := strings.Repeat("x,", 9999) + "IN_BYTES"
	tests := []struct {
		name, in string
		is       error
		as       any
		text     string
	}{
		{"no bytes", "", ingest.ErrEmpty, nil, "the file is empty"},
		{"header only, cut", strings.TrimSpace(head), ingest.ErrEmpty, nil, "empty"},
		{"prose", "Dear sir,\nplease find enclosed\n", nil, &unknown, `only 0 of the 2 columns of the first line are known flow fields (first: "Dear sir")`},
		{"NUL bytes", "IN_BYTES,\x00\n", nil, &unknown, "NUL at byte 9"},
		{"capture, cut in its head", "\xd4\xc3\xb2\xa1\x02\x00", io.ErrUnexpectedEOF, &format, "pcap: byte 0: cut short inside the file head"},
		{"Parquet", "PAR1\x15\x04", nil, &unsupported, "Parquet file: recognised, but not read here"},
		{"SQLite", "SQLite format 3\x00", nil, &unsupported, "SQLite database: recognised, but not read here"},
		{"a log of SQLite", "\x37\x7f\x06\x82\x00\x2d\xe2\x18", nil, &unsupported, "to be chosen together with its database"},
		{"10,000 columns", wide + "\n1\n", nil, &limit, "columns: 10000 is over the limit of 2000"},
		{"header over the record limit", strings.Repeat("x", 3<<20), nil, &limit, "record in bytes"},
		{"gzip magic only", "\x1f\x8b", nil, &format, "gzip: byte 0"},
		{"BOM and prose", "\ufeffa,b,c,d\n", nil, &unknown, "only 0 of the 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ingest.Open(strings.NewReader(tt.in), int64(len(tt.in)), ingest.Limits{})
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || tt.as != nil && !errors.As(err, tt.as) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
		})
	}
}

func TestNext_headerWithoutRows(t *testing.T) {
	if _, err := open(t, head).Next(); !errors.Is(err, ingest.ErrEmpty) {
		t.Errorf("got %v, want ErrEmpty", err)
	}
}

func TestNext_recordLimit(t *testing.T) {
	row := func(n int) string { return "1,2,3,4,5,6," + strings.Repeat("a", n-12) }
	const limit = 300
	for _, n := range []int{limit, limit + 1} {
		text := head + row(n) + "\n7,8,9,10,11,17,b\n"
		s, err := ingest.Open(strings.NewReader(text), int64(len(text)), ingest.Limits{RecordBytes: limit})
		if err != nil {
			t.Fatal(err)
		}
		rows, rejects, err := all(s, frame.InBytes)
		if err != nil {
			t.Fatal(err)
		}
		if over := n > limit; len(rows) != 2-len(rejects) || (len(rejects) == 1) != over {
			t.Errorf("record of %d bytes: %d rows, rejects %v", n, len(rows), rejects)
		}
	}
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpen_gzip(t *testing.T) {
	text := head + strings.Repeat("1,2,3,4,5,6,a\n", 5000)
	b := pack(t, text)
	s, err := ingest.Open(bytes.NewReader(b), int64(len(b)), ingest.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := all(s, frame.InBytes)
	if err != nil || len(rows) != 5000 || s.Consumed() != int64(len(b)) || !strings.HasSuffix(s.Format(), ", gzip") {
		t.Errorf("%d rows, %v, %d of %d bytes, %s", len(rows), err, s.Consumed(), len(b), s.Format())
	}

	t.Run("cut", func(t *testing.T) {
		b := b[:len(b)-9]
		s, err := ingest.Open(bytes.NewReader(b), int64(len(b)), ingest.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		rows, _, err := all(s, frame.InBytes)
		var format *ingest.FormatError
		if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &format) || len(rows) == 0 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
	t.Run("bomb", func(t *testing.T) {
		b := pack(t, head+strings.Repeat("1,2,3,4,5,6,a\n", 2<<20))
		s, err := ingest.Open(bytes.NewReader(b), int64(len(b)), ingest.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		rows, _, err := all(s, frame.InBytes)
		var limit *ingest.LimitError
		if !errors.As(err, &limit) || limit.What != "gzip ratio" || len(rows) == 0 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}

// Every row of a frame can be read again from its offset, packed or not, and a
// row that spans the chunks of the reader is no different.
func TestSource_At(t *testing.T) {
	var text strings.Builder
	text.WriteString(head)
	const n = 40_000 // some chunks of 256 KiB
	for i := range n {
		fmt.Fprintf(&text, "%d,2,3,4,5,6,host-%d\n", i, i)
	}
	for _, b := range [][]byte{[]byte(text.String()), pack(t, text.String())} {
		s, err := ingest.Open(bytes.NewReader(b), int64(len(b)), ingest.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var offsets []int64
		for {
			f, err := s.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			offsets = append(offsets, f.Offset...)
		}
		if len(offsets) != n {
			t.Fatalf("%d rows, want %d", len(offsets), n)
		}
		k, _ := frame.Flow.Index(frame.InBytes)
		for i := 0; i < n; i += 7001 {
			f, err := s.At(offsets[i])
			if err != nil || f.Numbers[k][0] != float64(i) {
				t.Errorf("row %d: %v, %v", i, f, err)
			}
		}
		if _, err := s.At(int64(len(text.String())) - 3); err == nil {
			t.Error("read a record in the middle of one")
		}
	}
}

// FuzzOpen checks that whatever the bytes are, rows and rejects number the
// records without gaps, values are missing or in range, and reading a row
// again gives the same row.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte(head + "1,2,3,4,5,6,a\n\"x\n"))
	f.Add([]byte(head + "1;2\n\n\r\n,,,,,,\n"))
	for _, tt := range samples {
		b := sample(f, tt.file)
		f.Add(b[:min(len(b), 3000)])
	}
	f.Add([]byte(zeekHead + zeekNames + zeekRow + zeekHead + "orig_ip_bytes\tproto\n5\ttcp\n#fields\n\n#separator \\x7c\n"))
	f.Add([]byte("#fields\tts\tnote\tmsg\n-1\tA::B\tT1234.001 T12345\n"))
	f.Add([]byte(`{"timestamp":"x","event_type":"flow","flow":{"start":"2024-01-01T00:00:00Z","end":"1970-01-01","pkts_toserver":1e308,"bytes_toserver":-1}}`))
	f.Add([]byte(`[{"event_type":"alert","timestamp":"","alert":{"metadata":{"mitre_technique_id":["T1",{}]}}},` + "\n{\"event_type\":{}}"))
	f.Add([]byte("StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,State,TotPkts,TotBytes,SrcBytes,SrcPkts\nx,,icmp,::,0xffff,,,_,1,2,3,4\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ingest.Open(bytes.NewReader(b), int64(len(b)), ingest.Limits{RecordBytes: 4096, Columns: 64})
		if err != nil {
			return
		}
		next := int64(1)
		for {
			fr, err := s.Next()
			if err != nil {
				return
			}
			r := 0
			for i := range fr.Len() {
				for r < len(fr.Rejects) && fr.Rejects[r].Row < fr.Row[i] {
					if fr.Rejects[r].Row != next {
						t.Fatalf("reject of row %d, want %d", fr.Rejects[r].Row, next)
					}
					r++
					next++
				}
				if fr.Row[i] != next {
					t.Fatalf("row %d, want %d", fr.Row[i], next)
				}
				next++
			}
			next += int64(len(fr.Rejects) - r)
			for k := range fr.Schema.Fields {
				for i, v := range fr.Numbers[k] {
					if v < 0 || math.IsInf(v, 0) {
						t.Fatalf("field %d of row %d is %v", k, i, v)
					}
				}
			}
			if fr.Len() > 0 && len(b) < 1<<16 {
				again, err := s.At(fr.Offset[0])
				if err != nil {
					t.Fatalf("row %d cannot be read again: %v", fr.Row[0], err)
				}
				for k := range fr.Schema.Fields {
					if fr.Numbers[k] != nil && math.Float64bits(again.Numbers[k][0]) != math.Float64bits(fr.Numbers[k][0]) ||
						fr.Texts[k] != nil && again.Texts[k][0] != fr.Texts[k][0] {
						t.Fatalf("field %d differs when read again", k)
					}
				}
			}
		}
	})
}
