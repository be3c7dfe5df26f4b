package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

func firewall() *ingest.Profile {
	return &ingest.Profile{Name: `our "firewall"`, Schema: frame.Flow, Fields: []ingest.ProfileField{
		{Field: frame.InBytes, Column: "kb_sent", Factor: 1024},
		{Field: frame.FlowStart, Column: "when", Factor: 1000},
		{Field: frame.Duration, Column: "micros", Factor: 0.001},
		{Field: frame.Protocol, Number: 6},
		{Field: frame.Label, Text: "Benign"},
		{Field: frame.SrcAddr, Column: "from"},
	}}
}

// canonicalFirewall is the file of firewall: a change of it is a change of the
// format, for which profileVersion counts.
const canonicalFirewall = `{"profile":1,"name":"our \"firewall\"","schema":"flow","fields":[
{"field":"FLOW_START_MILLISECONDS","column":"when","factor":1000},
{"field":"IPV4_SRC_ADDR","column":"from"},
{"field":"PROTOCOL","number":6},
{"field":"IN_BYTES","column":"kb_sent","factor":1024},
{"field":"FLOW_DURATION_MILLISECONDS","column":"micros","factor":0.001},
{"field":"Attack","text":"Benign"}
]}
`

func TestProfile_AppendText(t *testing.T) {
	text := firewall().AppendText(nil)
	if string(text) != canonicalFirewall {
		t.Errorf("got %s", text)
	}
	p, err := ingest.ParseProfile(text)
	if err != nil {
		t.Fatal(err)
	}
	if again := p.AppendText(nil); string(again) != canonicalFirewall {
		t.Errorf("got %s", again)
	}
}

func TestParseProfile_refuses(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(canonicalFirewall, old, new, 1) }
	tests := []struct{ name, in, text string }{
		{"nothing", "", "not valid JSON"},
		{"trailing bytes", canonicalFirewall + "\n", "canonical"},
		{"each byte cut off", canonicalFirewall[:len(canonicalFirewall)-1], "canonical"},
		{"another version", edit(`"profile":1`, `"profile":2`), `version "2", this program reads 1`},
		{"no version", edit(`"profile":1,`, ``), "version"},
		{"unknown member", edit(`"name"`, `"x":1,"name"`), "canonical"},
		{"unknown schema", edit(`"flow"`, `"log"`), "schema"},
		{"unknown field", edit("PROTOCOL", "PROTO"), "not a field"},
		{"field twice", edit("PROTOCOL", "IN_BYTES"), "occurs twice"},
		{"order", edit("IPV4_SRC_ADDR", "Attack2"), "not a field"},
		{"factor zero", edit(`"factor":1000`, `"factor":0`), "canonical"},
		{"factor below zero", edit(`"factor":1000`, `"factor":-1`), "factor -1"},
		{"factor infinite", edit(`"factor":1000`, `"factor":1e999`), "factor +Inf"},
		{"factor NaN", edit(`"factor":1000`, `"factor":NaN`), "not valid JSON"},
		{"factor as text", edit(`"factor":1000`, `"factor":"x"`), "not a number"},
		{"factor on a text", edit(`"column":"from"`, `"column":"from","factor":2`), "a text field with a factor"},
		{"number below zero", edit(`"number":6`, `"number":-6`), "constant -6"},
		{"column and constant", edit(`"number":6`, `"column":"p","number":6`), "both"},
		{"long text", edit(`our`, strings.Repeat("x", 300)), "name of more than"},
		{"control character", edit(`our`, `our\u0007`), "name of more than"},
		{"no fields", `{"profile":1,"name":"","schema":"flow","fields":[` + "\n]}\n", "no field"},
		{"large", `{"profile":1,"name":"` + strings.Repeat("x", 70_000), "more than 65536 bytes"},
		{"many fields", `{"profile":1,"fields":[` + strings.Repeat(`{},`, 5000) + `{}]}`, "too many fields"},
		{"deep", `{"profile":1,"fields":` + strings.Repeat("[", 30_000), "not valid JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ingest.ParseProfile([]byte(tt.in))
			var bad *ingest.ProfileError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
		})
	}
}

// A profile reads CSV and JSON alike, converts units, and makes constants.
func TestOpenWith_profile(t *testing.T) {
	const csv = "when;from;kb_sent;micros;weather\n1700000000.5;192.0.2.1;2;1500;fair\n2023-11-14 22:13:20;192.0.2.2;0.5;;rain\n"
	const jsonl = `{"when":1700000000.5,"from":"192.0.2.1","kb_sent":2,"micros":1500,"weather":"fair"}
{"when":"2023-11-14T22:13:20Z","from":"192.0.2.2","kb_sent":0.5}
`
	for name, in := range map[string]string{"csv": csv, "json": jsonl} {
		s := openWith(t, []byte(in), ingest.Options{Profile: firewall()})
		rows, rejects, err := all(s, frame.FlowStart, frame.SrcAddr, frame.Protocol, frame.InBytes, frame.Duration, frame.Label, frame.OutBytes)
		if err != nil || len(rejects) > 0 || len(rows) != 2 {
			t.Fatal(name, rows, rejects, err)
		}
		for i, want := range []string{"1.7000000005e+12,192.0.2.1,6,2048,1.5,Benign,absent", "1.7e+12,192.0.2.2,6,512,NaN,Benign,absent"} {
			if _, got, _ := strings.Cut(rows[i], ":"); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
		if got := fmt.Sprint(s.Unmapped()); got != "[weather]" {
			t.Error(name, got)
		}
		k, _ := frame.Flow.Index(frame.Protocol)
		if m := s.Mapping()[k]; m.From != "constant 6" || m.How != ingest.Computed {
			t.Error(m)
		}
	}
	b := []byte("a,b\n1,2\n")
	var bad *ingest.ProfileError
	if _, err := ingest.OpenWith(bytes.NewReader(b), int64(len(b)), ingest.Options{Profile: firewall()}); !errors.As(err, &bad) || !strings.Contains(err.Error(), `the file has no column "`) {
		t.Error(err)
	}
	if _, err := ingest.OpenWith(bytes.NewReader(b), int64(len(b)), ingest.Options{Profile: &ingest.Profile{}}); !errors.As(err, &bad) {
		t.Error(err)
	}
	b = []byte(csv)
	var wrong *ingest.SchemaError
	if _, err := ingest.OpenWith(bytes.NewReader(b), int64(len(b)), ingest.Options{Profile: firewall(), Want: frame.Alert}); !errors.As(err, &wrong) {
		t.Error(err)
	}
	// A header that is known otherwise is read by the profile alone.
	s := openWith(t, sample(t, "zeek-conn.json"), ingest.Options{Profile: &ingest.Profile{Schema: frame.Flow, Fields: []ingest.ProfileField{{Field: frame.OutBytes, Column: "resp_bytes"}}}})
	if !strings.HasPrefix(s.Format(), "JSON by profile, ") || s.Mapping()[0].How != ingest.Missing {
		t.Error(s.Format(), s.Mapping()[0])
	}
}

// FuzzParseProfile checks that what is accepted is canonical.
func FuzzParseProfile(f *testing.F) {
	f.Add([]byte(canonicalFirewall))
	f.Add([]byte(`{"profile":1,"name":"","schema":"alert","fields":[` + "\n" + `{"field":"SEVERITY","text":"High"}` + "\n]}\n"))
	f.Add([]byte(`{"profile":1,"fields":[[[[]]]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ingest.ParseProfile(b)
		if err != nil {
			return
		}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		if got := p.AppendText(nil); !bytes.Equal(got, b) {
			t.Fatalf("got %q from %q", got, b)
		}
	})
}

// grid is a table in memory as somebody else's decoder hands it in.
type grid struct {
	header []string
	rows   [][]string
	broken int64 // row that cannot be decoded, from 0; -1 for none
}

var _ ingest.Cells = (*grid)(nil)

func (g *grid) Header() []string { return g.header }
func (g *grid) Rows() int64      { return int64(len(g.rows)) }
func (g *grid) Row(i int64) ([][]byte, error) {
	if i == g.broken {
		return nil, errors.New("page checksum")
	}
	var out [][]byte
	for _, c := range g.rows[i] {
		if c == "null" {
			out = append(out, nil)
		} else {
			out = append(out, []byte(c))
		}
	}
	return out, nil
}

func TestOpenWith_parquet(t *testing.T) {
	file := []byte("PAR1 somebody else reads this")
	g := &grid{header: []string{"IN_BYTES", "OUT_BYTES", "IN_PKTS", "OUT_PKTS", "IPV4_SRC_ADDR"}, broken: -1}
	for i := range 5000 {
		g.rows = append(g.rows, []string{strconv.Itoa(i), "2", "null", "4.5", "192.0.2.1"})
	}
	g.rows[7] = g.rows[7][:2]
	o := ingest.Options{Parquet: func(r io.ReaderAt, size int64) (ingest.Cells, error) {
		if size != int64(len(file)) {
			return nil, errors.New("size")
		}
		return g, nil
	}}
	s := openWith(t, file, o)
	rows, rejects, err := all(s, frame.InBytes, frame.InPackets, frame.OutPackets, frame.SrcAddr)
	if err != nil || len(rows) != 4999 || rows[10] != "12@12:11,NaN,4.5,192.0.2.1" || s.Consumed() != int64(len(file)) {
		t.Fatal(len(rows), err, rows[10], s.Consumed())
	}
	if len(rejects) != 1 || rejects[0].Row != 8 || rejects[0].Reason != "column count" {
		t.Error(rejects)
	}
	f, err := s.At(4321)
	if err != nil || cellOf(f, frame.InBytes) != "4320" {
		t.Error(err, f)
	}
	for _, offset := range []int64{0, -1, 5001, 8} {
		if _, err := s.At(offset); err == nil {
			t.Errorf("read row %d", offset)
		}
	}
	t.Run("broken", func(t *testing.T) {
		broken := &grid{header: g.header, rows: g.rows[10:], broken: 4500}
		s := openWith(t, file, ingest.Options{Parquet: func(io.ReaderAt, int64) (ingest.Cells, error) { return broken, nil }})
		rows, _, err := all(s, frame.InBytes)
		var format *ingest.FormatError
		if !errors.As(err, &format) || len(rows) != 4500 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		_, err := ingest.OpenWith(bytes.NewReader(file), int64(len(file)), ingest.Options{Parquet: func(io.ReaderAt, int64) (ingest.Cells, error) { return nil, errors.New("no footer") }})
		var format *ingest.FormatError
		if !errors.As(err, &format) || err.Error() != "parquet: byte 0: no footer" {
			t.Error(err)
		}
	})
}

func cellOf(f *frame.Frame, field string) string {
	k, _ := f.Schema.Index(field)
	c, _ := cell(f, k, 0)
	return c
}
