package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

func openWith(t *testing.T, b []byte, o ingest.Options) *ingest.Source {
	t.Helper()
	s, err := ingest.OpenWith(bytes.NewReader(b), int64(len(b)), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/logs", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// table reads a whole source as one list of cells per field, "" for missing.
func table(t *testing.T, s *ingest.Source) (cells map[string][]string, offsets []int64, rejects []frame.Reject) {
	t.Helper()
	cells = map[string][]string{}
	for {
		f, err := s.Next()
		if errors.Is(err, io.EOF) {
			return cells, offsets, rejects
		}
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, f.Offset...)
		rejects = append(rejects, f.Rejects...)
		for k, field := range f.Schema.Fields {
			for i := range f.Len() {
				if c, ok := cell(f, k, i); ok {
					cells[field.Name] = append(cells[field.Name], c)
				}
			}
		}
	}
}

func cell(f *frame.Frame, k, i int) (string, bool) {
	switch {
	case f.Numbers[k] != nil && math.IsNaN(f.Numbers[k][i]):
		return "", true
	case f.Numbers[k] != nil:
		return strconv.FormatFloat(f.Numbers[k][i], 'g', -1, 64), true
	case f.Texts[k] != nil:
		return f.Texts[k][i], true
	}
	return "", false
}

// samples are the logs of testdata with what they are called. Their rows must
// equal those that testdata/logs/reference.py makes of them with json, csv and
// pandas (2026-11-22; Python 3.11.7, pandas 3.1.1).
var samples = []struct {
	file, want string
	schema     *frame.Schema
	format     string
}{
	{"zeek-conn.log", "", frame.Flow, "Zeek conn log, 20 columns, "},
	{"zeek-conn.json", "", frame.Flow, "Zeek conn log, JSON, "},
	{"zeek-dns.log", "", frame.Flow, "Zeek dns log, 16 columns, "},
	{"zeek-dns.json", "", frame.Flow, "Zeek dns log, JSON, "},
	{"zeek-http.log", "", frame.Flow, "Zeek http log, 27 columns, "},
	{"zeek-ssl.log", "", frame.Flow, "Zeek ssl log, 11 columns, "},
	{"zeek-notice.log", "", frame.Alert, "Zeek notice log, 17 columns, "},
	{"zeek-notice.json", "", frame.Alert, "Zeek notice log, JSON, "},
	{"eve.json", "", frame.Flow, "Suricata EVE flow events, "},
	{"eve.json", "eve.json.alert", frame.Alert, "Suricata EVE alert events, "},
	{"eve-alerts.json", "", frame.Alert, "Suricata EVE alert events, "},
	{"eve-netflow.json", "", frame.Flow, "Suricata EVE netflow events, "},
	{"nfdump-oneway.csv", "", frame.Flow, "nfdump CSV, one-way records, 48 columns, "},
	{"nfdump-both.csv", "", frame.Flow, "nfdump CSV, 48 columns, "},
	{"nfdump.json", "", frame.Flow, "JSON records, "},
	{"argus.binetflow", "", frame.Flow, "Argus CSV, 15 columns, "},
	{"payload_timeline.csv", "", frame.Alert, "alerts, CSV, 6 columns, "},
	{"detections.csv", "", frame.Alert, "alerts, CSV, 9 columns, "},
	{"alerts.jsonl", "", frame.Alert, "alerts, JSON, "},
}

func TestOpenWith_logsEqualReference(t *testing.T) {
	compared := 0
	for _, tt := range samples {
		if tt.want == "" {
			tt.want = tt.file
		}
		t.Run(tt.want, func(t *testing.T) {
			s := openWith(t, sample(t, tt.file), ingest.Options{Want: tt.schema})
			if s.Schema() != tt.schema || !strings.HasPrefix(s.Format(), tt.format) {
				t.Errorf("%s, %q", s.Schema().Name, s.Format())
			}
			got, _, rejects := table(t, s)
			if len(rejects) > 0 {
				t.Errorf("rejects: %v", rejects)
			}
			lines := strings.Split(strings.TrimSuffix(string(sample(t, tt.want+".want.tsv")), "\n"), "\n")
			names := strings.Split(lines[0], "\t")
			for k, name := range names {
				for i, line := range lines[1:] {
					want := strings.Split(line, "\t")[k]
					if len(got[name]) != len(lines)-1 {
						t.Fatalf("%s: %d rows, want %d", name, len(got[name]), len(lines)-1)
					}
					if !same(got[name][i], want) {
						t.Errorf("row %d, %s: got %q, want %q", i+1, name, got[name][i], want)
					}
					compared++
				}
				delete(got, name)
			}
			for name, cells := range got { // what the reference does not know of must be missing
				if strings.Join(cells, "") != "" {
					t.Errorf("%s: %q, but the reference has no such field", name, cells)
				}
			}
		})
	}
	if compared < 3000 {
		t.Errorf("compared %d cells", compared)
	}
}

// same compares a cell with one of the reference: texts are JSON without their
// quotes, numbers equal to 1e-12.
func same(got, want string) bool {
	var text string
	if json.Unmarshal([]byte(`"`+want+`"`), &text) == nil && text == got {
		return true
	}
	w, err1 := strconv.ParseFloat(want, 64)
	g, err2 := strconv.ParseFloat(got, 64)
	return err1 == nil && err2 == nil && math.Abs(g-w) <= 1e-12*math.Abs(w)
}

// What the comparison calls different.
func TestSame(t *testing.T) {
	for _, tt := range []struct {
		got, want string
		same      bool
	}{{"1", "1.0", true}, {"1", "1.00000001", false}, {"", "", true}, {"", "0.0", false}, {"a\"b", `a\"b`, true}, {"a", "b", false}, {"0", "", false}} {
		if same(tt.got, tt.want) != tt.same {
			t.Errorf("%q, %q", tt.got, tt.want)
		}
	}
}

// Every row of every sample can be read again from its offset, gzipped too.
func TestSource_At_logs(t *testing.T) {
	rows := 0
	for _, tt := range samples {
		for _, packed := range []bool{false, true} {
			b := sample(t, tt.file)
			if packed {
				b = pack(t, string(b))
			}
			s := openWith(t, b, ingest.Options{Want: tt.schema})
			f, err := s.Next()
			if err != nil {
				t.Fatal(tt.file, err)
			}
			for i, offset := range f.Offset {
				again, err := s.At(offset)
				if err != nil {
					t.Fatalf("%s, row %d: %v", tt.file, i+1, err)
				}
				for k, field := range f.Schema.Fields {
					a, _ := cell(f, k, i)
					b, _ := cell(again, k, 0)
					if a != b {
						t.Errorf("%s, row %d, %s: %q, again %q", tt.file, i+1, field.Name, a, b)
					}
				}
				rows++
			}
		}
	}
	if rows < 300 {
		t.Errorf("%d rows", rows)
	}
}

// An EVE file holds flows and alerts: flows come unasked, and Source says what
// else there is.
func TestOpenWith_wants(t *testing.T) {
	s := openWith(t, sample(t, "eve.json"), ingest.Options{})
	if s.Schema() != frame.Flow || fmt.Sprint(names(s.Schemas())) != "[flow alert]" {
		t.Errorf("%s of %v", s.Schema().Name, names(s.Schemas()))
	}
	if _, _, rejects := table(t, s); len(rejects) > 0 {
		t.Error(rejects)
	}
	if got := fmt.Sprint(s.Repairs()); got != "map[event of type alert, not read:3 event of type dns, not read:1 too few bytes for Ethernet frames, read as missing:1]" {
		t.Error(got)
	}
	if s := openWith(t, sample(t, "eve-alerts.json"), ingest.Options{}); s.Schema() != frame.Alert {
		t.Error("alerts alone do not come unasked")
	}
	for _, tt := range []struct {
		file string
		want *frame.Schema
		text string
	}{
		{"eve-alerts.json", frame.Flow, "the file holds alerts, not flows"},
		{"eve-netflow.json", frame.Alert, "the file holds flows, not alerts"},
		{"zeek-conn.log", frame.Alert, "the file holds flows, not alerts"},
		{"zeek-notice.json", frame.Flow, "the file holds alerts, not flows"},
		{"payload_timeline.csv", frame.Flow, "the file holds alerts, not flows"},
	} {
		b := sample(t, tt.file)
		_, err := ingest.OpenWith(bytes.NewReader(b), int64(len(b)), ingest.Options{Want: tt.want})
		var wrong *ingest.SchemaError
		if !errors.As(err, &wrong) || err.Error() != tt.text {
			t.Errorf("%s: %v", tt.file, err)
		}
	}
}

func names(schemas []*frame.Schema) []string {
	var out []string
	for _, s := range schemas {
		out = append(out, s.Name)
	}
	return out
}

// The list of what is missing: fields, where they come from, units and what a
// person is told.
func TestSource_Mapping_logs(t *testing.T) {
	tests := []struct{ file, field, from, how string }{
		{"zeek-conn.log", frame.Duration, "duration", "column"},
		{"zeek-conn.log", frame.InBytes, "orig_ip_bytes", "column"},
		{"zeek-conn.log", frame.DstPort, "id.resp_p, 0 for ICMP", "computed"},
		{"zeek-conn.log", frame.TCPFlags, "", "missing"},
		{"zeek-conn.log", "MIN_TTL", "", "missing"},
		{"zeek-http.log", frame.InBytes, "", "missing"},
		{"zeek-dns.json", frame.Duration, "", "missing"},
		{"eve.json", frame.InBytes, "flow.bytes_toserver - 14 x flow.pkts_toserver", "computed"},
		{"eve-netflow.json", frame.OutBytes, "", "missing"},
		{"nfdump-both.csv", frame.OutBytes, "obyt", "column"},
		{"nfdump-oneway.csv", frame.OutBytes, "", "missing"},
		{"argus.binetflow", frame.OutPackets, "TotPkts - SrcPkts", "computed"},
		{"argus.binetflow", frame.OutBytes, "TotBytes - SrcBytes - 14 x (TotPkts - SrcPkts)", "computed"},
	}
	for _, tt := range tests {
		s := openWith(t, sample(t, tt.file), ingest.Options{})
		k, _ := frame.Flow.Index(tt.field)
		if m := s.Mapping()[k]; m.From != tt.from || m.How.String() != tt.how {
			t.Errorf("%s, %s: %v from %q", tt.file, tt.field, m.How, m.From)
		}
		if s.Note() == "" {
			t.Errorf("%s: no note", tt.file)
		}
	}
	// Payload bytes are not IP bytes: without the column there are none.
	const old = "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\tresp_bytes\tconn_state\n1.5\tC\t192.0.2.1\t1\t192.0.2.2\t2\ttcp\t2\t10\t20\tSF\n"
	s := openWith(t, []byte(old), ingest.Options{})
	k, _ := frame.Flow.Index(frame.InBytes)
	if m := s.Mapping()[k]; m.How != ingest.Missing {
		t.Errorf("IN_BYTES from %q", m.From)
	}
	if got := fmt.Sprint(s.Unmapped()); got != "[uid orig_bytes resp_bytes conn_state]" {
		t.Error(got)
	}
}

const zeekHead = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\t"
const zeekNames = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\tconn_state\n"
const zeekRow = "1.5\tC\t192.0.2.1\t1\t192.0.2.2\t2\ttcp\t0.25\t1\t40\t2\t80\tSF\n"

// What logs go through before they are dropped: rotated and joined with other
// columns, cut, damaged, without a head, with other separators.
func TestNext_damagedLogs(t *testing.T) {
	flow := `{"event_type":"flow","timestamp":"2024-01-01T00:00:00Z","src_ip":"192.0.2.1","dest_ip":"192.0.2.2","proto":"UDP","flow":{"pkts_toserver":1,"bytes_toserver":99}}`
	tests := []struct {
		name, in, format string
		rows             int
		rejects          string
	}{
		{"Zeek, joined with another order", zeekHead + zeekNames + zeekRow + "#close\t2024\n" + zeekHead +
			"orig_ip_bytes\tproto\tid.orig_h\tid.resp_h\n40\ttcp\t192.0.2.1\t192.0.2.2\n", "Zeek conn log, 13 columns", 2, "[]"},
		{"Zeek, cut short", zeekHead + zeekNames + zeekRow + zeekRow[:30], "Zeek", 1, "[2 cut short: the file ends after 7 of 13 columns]"},
		{"Zeek, a row of other width", zeekHead + zeekNames + "1\t2\n" + zeekRow, "Zeek", 1, "[1 column count: 2 columns, the head has 13]"},
		{"Zeek, separator of its own", strings.NewReplacer("\t", "|", `\x09`, `\x7c`).Replace(zeekHead + zeekNames + zeekRow), "Zeek", 1, "[]"},
		{"Zeek, quotes are literal", zeekHead + zeekNames + strings.Replace(zeekRow, "C", `"C`, 1) + zeekRow, "Zeek", 2, "[]"},
		{"Zeek, comments before the head", "### baseline\n### do not edit\n" + zeekHead + zeekNames + zeekRow, "Zeek", 1, "[]"},
		{"Zeek, without its head", strings.Repeat("1517336042.090842\tC1\t10.55.182.100\t14291\t10.233.233.5\t80\ttcp\t-\t3.000158\t0\t0\tS0\tT\tT\t0\tS\t2\t104\t0\t0\t(empty)\n", 2), "Zeek conn log without its head", 2, "[]"},
		{"Zeek, a word for no protocol", zeekHead + zeekNames + strings.Replace(zeekRow, "tcp", "unknown_transport", 1), "Zeek", 1, "[]"},
		{"EVE, one broken line of three", flow + "\n" + flow[:60] + "\n" + flow + "\n", "Suricata EVE flow", 2, "[2 not valid JSON: " + flow[:60] + "]"},
		{"EVE, cut after a comma", flow + "\n" + flow[:77] + "\n" + flow + "\n", "Suricata EVE flow", 2, "[2 not valid JSON: " + flow[:64] + "]"},
		{"EVE, cut at the end", flow + "\n" + flow[:100], "Suricata EVE flow", 1, "[2 cut short: the file ends inside the object]"},
		{"EVE, array without its end", "[" + flow + ",\n" + flow + ",", "Suricata EVE flow", 2, "[]"},
		{"EVE, byte order mark and CRLF", "\ufeff" + flow + "\r\n" + flow + "\r\n", "Suricata EVE flow", 2, "[]"},
		{"EVE, text between records", flow + "\nError: disk full\n" + flow + "\n", "Suricata EVE flow", 2, "[2 not a JSON object: it starts with \"E\"]"},
		{"EVE, nested too deep", flow + "\n" + `{"event_type":"flow","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n" + flow, "Suricata EVE flow", 2, "[2 nested too deep: more than 64 levels]"},
		{"nfdump, other columns", "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n2024-01-01 00:00:00.125,1.500,6,192.0.2.1,1,192.0.2.2,2,3,400,1\n", "nfdump CSV", 1, "[]"},
		{"argus, names of ports", "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,TotPkts,TotBytes,SrcBytes,SrcPkts\n2024/01/01 00:00:00.5,1,tcp,192.0.2.1,1024,->,192.0.2.2,https,FSPA_FSPA,4,400,200,2\n2024/01/01 00:00:00.5,1,udp,192.0.2.1,1024,->,192.0.2.2,nosuch,INT,4,400,200,2\n", "Argus CSV", 2, "[]"},
		{"JSON records by alias", `{"source":{"ip":"192.0.2.1","port":5},"destination":{"ip":"192.0.2.2","port":443},"IN_BYTES":40,"PROTOCOL":6,"durationSeconds":1.5}`, "JSON records", 1, "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openWith(t, []byte(tt.in), ingest.Options{})
			if !strings.HasPrefix(s.Format(), tt.format) {
				t.Error(s.Format())
			}
			_, offsets, rejects := table(t, s)
			var got []string
			for _, r := range rejects {
				got = append(got, fmt.Sprintf("%d %s: %s", r.Row, r.Reason, r.Detail))
			}
			if len(offsets) != tt.rows || fmt.Sprint(got) != tt.rejects {
				t.Errorf("%d rows, rejects %v\nwant %d, %s", len(offsets), got, tt.rows, tt.rejects)
			}
		})
	}
}

func TestOpen_refusesLogs(t *testing.T) {
	tests := []struct{ name, in, text string }{
		{"a log of Zeek that is not read", zeekHead[:20] + "\n#path\tweird\n#fields\tts\tuid\tname\n", "Zeek weird log: recognised, but not read here"},
		{"a log of Zeek that is not read, JSON", `{"ts":1,"uid":"C","id.orig_h":"192.0.2.1","auth_attempts":3}`, "Zeek log that is none of conn"},
		{"EVE of dns only", `{"timestamp":"x","event_type":"dns"}` + "\n" + `{"timestamp":"x","event_type":"dns"}`, "without flow, netflow or alert events: dns 2"},
		{"JSON of another kind", `{"a":1,"b":{"c":2}}`, "json: only 0 of the 2 columns"},
		{"head without fields", "#separator \\x09\n#path\tconn\n1\t2\n", "zeek: byte 27: no line #fields before the first record"},
		{"too many names", "{" + strings.Repeat(`"a`, 1) + `":1` + many(3000) + "}", "columns: 2001 is over the limit of 2000"},
		{"too many fields", zeekHead + strings.Repeat("a\t", 3000) + "\n", "columns: 3001 is over the limit of 2000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ingest.Open(strings.NewReader(tt.in), int64(len(tt.in)), ingest.Limits{})
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":1`, i)
	}
	return b.String()
}

// Rows behind a second head are read again by that head.
func TestSource_At_joinedLogs(t *testing.T) {
	in := zeekHead + zeekNames + zeekRow + zeekHead + "orig_ip_bytes\tproto\tid.orig_h\tid.resp_h\n77\ttcp\t192.0.2.9\t192.0.2.2\n"
	s := openWith(t, []byte(in), ingest.Options{})
	f, err := s.Next()
	if err != nil || f.Len() != 2 {
		t.Fatal(f, err)
	}
	again, err := s.At(f.Offset[1])
	if err != nil || cellOf(again, frame.SrcAddr) != "192.0.2.9" || cellOf(again, frame.InBytes) != "77" {
		t.Errorf("%v, %v", again, err)
	}
}

// Zeek puts the ICMP type in the place of the source port, and either the code
// or the type of the answer in that of the other.
func TestNext_zeekICMP(t *testing.T) {
	tests := []struct{ addr, source, target, want string }{
		{"192.0.2.1", "8", "0", "1 0 0 2048 8"},
		{"192.0.2.1", "3", "1", "1 0 0 769 3"},
		{"192.0.2.1", "13", "14", "1 0 0 3328 13"},
		{"2001:db8::1", "135", "136", "58 0 0 34560 0"},
		{"2001:db8::1", "1", "4", "58 0 0 260 0"},
	}
	for _, tt := range tests {
		row := strings.NewReplacer("192.0.2.1\t1\t", tt.addr+"\t"+tt.source+"\t", "192.0.2.2\t2\t", "x\t"+tt.target+"\t", "tcp", "icmp").Replace(zeekRow)
		f, err := openWith(t, []byte(zeekHead+zeekNames+row), ingest.Options{}).Next()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join([]string{cellOf(f, frame.Protocol), cellOf(f, frame.SrcPort), cellOf(f, frame.DstPort), cellOf(f, "ICMP_TYPE"), cellOf(f, "ICMP_IPV4_TYPE")}, " ")
		if got != tt.want {
			t.Errorf("%+v: got %s", tt, got)
		}
	}
}

// Spellings of severities and types are mended, counted, and left alone when
// they are not known.
func TestNext_alertSpellings(t *testing.T) {
	const names = "Payload_Type,Payload_Description,Severity\n"
	tests := []struct{ in, kind, severity, repairs string }{
		{"c2,x,critical", "Command-And-Control", "Critical", "map[spelling of the payload type normalised:1 spelling of the severity normalised:1]"},
		{"Exploit,x,High", "Exploit", "High", "map[]"},
		{"command-and-control,x,MODERATE", "Command-And-Control", "Medium", "map[spelling of the payload type normalised:1 spelling of the severity normalised:1]"},
		{"cmd,x,info", "Command-And-Control", "Informational", "map[spelling of the payload type normalised:1 spelling of the severity normalised:1]"},
		{"windows/process_creation,x,na", "windows/process_creation", "Unknown", "map[spelling of the severity normalised:1]"},
		{"normal,x,7", "Benign", "7", "map[spelling of the payload type normalised:1]"},
		{",x,", "", "", "map[]"},
	}
	for _, tt := range tests {
		s := openWith(t, []byte(names+tt.in+"\n"), ingest.Options{})
		f, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if kind, severity := cellOf(f, frame.AlertType), cellOf(f, frame.AlertSeverity); kind != tt.kind || severity != tt.severity || fmt.Sprint(s.Repairs()) != tt.repairs {
			t.Errorf("%s: got %q, %q, %v", tt.in, kind, severity, s.Repairs())
		}
	}
	// An alert has words: without them a file is none.
	const dumb = "Timestamp,Source_IP,Severity\n2024-01-01,192.0.2.1,low\n"
	var unknown *ingest.UnknownError
	if _, err := ingest.Open(strings.NewReader(dumb), int64(len(dumb)), ingest.Limits{}); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	long := names + "x," + strings.Repeat("y", 5000) + ",low\n"
	s := openWith(t, []byte(long), ingest.Options{})
	f, err := s.Next()
	if err != nil || len(cellOf(f, frame.AlertDescription)) != 4096 || s.Repairs()["text over the limit, cut"] != 1 {
		t.Errorf("%v, %v", err, s.Repairs())
	}
}
