package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
	"cloister/shared/telemetry"
)

// hosts is telemetry of two devices as CSV and as JSON Lines, n samples each, a
// minute apart; the first device jumps near the end and is labelled there.
func hosts(n int) (csv, lines string) {
	rng := rand.New(rand.NewPCG(4, 4))
	var a, b strings.Builder
	a.WriteString("Timestamp,device_id,cpu_avg_pct,net_bytes_in,net_bytes_out,odd,label\n")
	for i := range n {
		for d := range 2 {
			cpu, in, out, odd := 20+rng.Float64(), i*6000+rng.IntN(100), i*3000, rng.Float64()
			label := 0
			if d == 0 && i >= n-5 {
				odd, label = odd+40, 1
			}
			fmt.Fprintf(&a, "2026-06-01T%02d:%02d:00Z,h%d,%v,%d,%d,%v,%d\n", i/60, i%60, d, cpu, in, out, odd, label)
			fmt.Fprintf(&b, "{\"timestamp\":%d,\"device_id\":\"h%d\",\"cpu_avg_pct\":%v,\"net_bytes_in\":%d,\"net_bytes_out\":%d,\"odd\":%v,\"label\":%d}\n", 1_780_272_000+i*60, d, cpu, in, out, odd, label)
		}
	}
	return a.String(), b.String()
}

// all reads every row of a file of telemetry.
func windows(t *testing.T, text string, lim ingest.Limits) (*ingest.Source, []*frame.Frame) {
	t.Helper()
	s, err := ingest.Open(strings.NewReader(text), int64(len(text)), lim)
	if err != nil {
		t.Fatal(err)
	}
	if s.Schema() != telemetry.Schema() {
		t.Fatalf("schema %s", s.Schema().Name)
	}
	var rows []*frame.Frame
	for {
		f, err := s.Next()
		if errors.Is(err, io.EOF) {
			return s, rows
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Len() {
			one, err := s.At(f.Offset[i])
			if err != nil {
				t.Fatal(err)
			}
			sameRow(t, one, f, i)
			rows = append(rows, one)
		}
	}
}

// sameRow compares the single row of a with row i of b, bit for bit.
func sameRow(t *testing.T, a, b *frame.Frame, i int) {
	t.Helper()
	for k, field := range telemetry.Schema().Fields {
		switch {
		case (a.Numbers[k] == nil) != (b.Numbers[k] == nil) || (a.Texts[k] == nil) != (b.Texts[k] == nil):
			t.Fatalf("row %d: field %s is there in one only", b.Row[i], field.Name)
		case a.Numbers[k] != nil && math.Float64bits(a.Numbers[k][0]) != math.Float64bits(b.Numbers[k][i]):
			t.Fatalf("row %d: %s is %v and %v", b.Row[i], field.Name, a.Numbers[k][0], b.Numbers[k][i])
		case a.Texts[k] != nil && a.Texts[k][0] != b.Texts[k][i]:
			t.Fatalf("row %d: %s is %q and %q", b.Row[i], field.Name, a.Texts[k][0], b.Texts[k][i])
		}
	}
}

func TestTelemetry_windows(t *testing.T) {
	csv, lines := hosts(200)
	s, rows := windows(t, csv, ingest.Limits{})
	if len(rows) != 400 {
		t.Fatalf("%d windows, want 400", len(rows))
	}
	if f := s.Format(); !strings.Contains(f, "telemetry, ") || !strings.Contains(f, "windows of 60 s every 60 s, counters cumulative, 400 samples of 2 devices") {
		t.Errorf("format %q", f)
	}
	at := func(name string) int { i, _ := telemetry.Schema().Index(name); return i }
	label, metrics, device := at(telemetry.FieldLabel), at(telemetry.FieldMetrics), at(telemetry.FieldDevice)
	anomalous, named := 0, 0
	for _, r := range rows {
		if r.Texts[label][0] == "Anomalous" {
			anomalous++
			if r.Texts[device][0] != "h0" {
				t.Errorf("row %d of %s is labelled", r.Row[0], r.Texts[device][0])
			}
			if strings.HasPrefix(r.Texts[metrics][0], "odd=") {
				named++
			}
		}
	}
	if anomalous != 5 || named < 3 {
		t.Errorf("%d windows labelled, %d name the metric that jumped, want 5 and most", anomalous, named)
	}
	// as JSON Lines: the same windows
	_, other := windows(t, lines, ingest.Limits{})
	if len(other) != len(rows) {
		t.Fatalf("%d windows of JSON Lines, want %d", len(other), len(rows))
	}
	for i := range rows {
		sameRow(t, rows[i], other[i], 0)
	}
	how := map[string]ingest.How{}
	for _, m := range s.Mapping() {
		how[m.Field] = m.How
	}
	if how["cpu_delta"] != ingest.Computed || how["memory_delta"] != ingest.Missing || how["level_z_rms"] != ingest.Computed || how["disk_network_ratio"] != ingest.Missing || how[telemetry.FieldDevice] != ingest.Column {
		t.Errorf("mapping: cpu_delta %v, memory_delta %v, level_z_rms %v, disk_network_ratio %v", how["cpu_delta"], how["memory_delta"], how["level_z_rms"], how["disk_network_ratio"])
	}
}

// Rows that were not kept are made again from the file.
func TestTelemetry_atWithoutKeeping(t *testing.T) {
	csv, _ := hosts(60)
	_, want := windows(t, csv, ingest.Limits{})
	s, rows := windows(t, csv, ingest.Limits{KeptBytes: 5 * 4096}) // five rows
	if len(rows) != 120 {
		t.Fatalf("%d windows", len(rows))
	}
	for i := range rows {
		sameRow(t, rows[i], want[i], 0)
	}
	if _, err := s.At(121); err == nil {
		t.Error("a window that is not there was read")
	}
}

func TestTelemetry_countsWhatIsLeftOut(t *testing.T) {
	csv, _ := hosts(60)
	lines := strings.SplitAfter(csv, "\n")
	lines[10] = "never,h0,1,1,1,1,0\n"
	lines[20] = strings.Replace(lines[20], "h1", "", 1)
	lines[30] = "x,y\n"
	lines[40] = lines[38]
	s, rows := windows(t, strings.Join(lines, ""), ingest.Limits{})
	r := s.Repairs()
	if r["sample left out: no time"] != 1 || r["sample left out: no device"] != 1 || r["sample left out: column count"] != 1 || r["second sample of one time, left out"] != 1 || len(rows) != 116 {
		t.Errorf("%d windows, repairs %v", len(rows), r)
	}
	for name, text := range map[string]string{
		"no rows": "timestamp,device_id,m1\n", "no usable row": "timestamp,device_id,m1\nx,a,1\n",
	} {
		s, err := ingest.Open(strings.NewReader(text), int64(len(text)), ingest.Limits{})
		if err == nil {
			_, err = s.Next()
		}
		if !errors.Is(err, ingest.ErrEmpty) {
			t.Errorf("%s: %v, want ErrEmpty", name, err)
		}
	}
}

// Tables of flows and alerts with a time and a host are no telemetry.
func TestTelemetry_leavesOthersAlone(t *testing.T) {
	for _, header := range []string{
		"FLOW_START_MILLISECONDS,IPV4_SRC_ADDR,L4_SRC_PORT,IPV4_DST_ADDR,L4_DST_PORT,PROTOCOL,IN_BYTES,OUT_BYTES,host,timestamp",
		"timestamp,host,title,description,severity",
	} {
		text := header + "\n" + strings.Repeat("1,", strings.Count(header, ",")) + "1\n"
		s, err := ingest.Open(strings.NewReader(text), int64(len(text)), ingest.Limits{})
		if err == nil && s.Schema() == telemetry.Schema() {
			t.Errorf("%s: telemetry", header)
		}
	}
}

func FuzzTelemetry(f *testing.F) {
	csv, lines := hosts(4)
	f.Add([]byte(csv))
	f.Add([]byte(lines))
	f.Add([]byte("timestamp,device_id,m\n1,a,1\n253402300799999,a,2\n0,a,3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ingest.Open(bytes.NewReader(b), int64(len(b)), ingest.Limits{KeptBytes: 2 * 4096})
		if err != nil || s.Schema() != telemetry.Schema() {
			return
		}
		n := 0
		for n < 8 {
			fr, err := s.Next()
			if err != nil {
				return
			}
			for i := range min(fr.Len(), 4) {
				one, err := s.At(fr.Offset[i]) // two ways to the same row
				if err != nil {
					t.Fatal(err)
				}
				sameRow(t, one, fr, i)
				n++
			}
		}
	})
}
