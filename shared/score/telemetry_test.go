package score_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/score"
	"cloister/shared/telemetry"
)

// telemetryRows are the first lines of the sample: 400 windows of each of 8
// servers, 16 of them labelled anomalous.
func telemetryRows(t testing.TB) []byte {
	t.Helper()
	packed, err := os.ReadFile("../../models/sample/telemetry.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfterN(text, []byte("\n"), 3202)
	return bytes.Join(lines[:3201], nil)
}

func telemetryScorer(t testing.TB) (*score.Scorer, job.Bundle) {
	t.Helper()
	b, err := os.ReadFile("../../models/telemetry/1.bundle")
	if err != nil {
		t.Fatal(err)
	}
	s := score.New()
	info, err := s.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	return s, info
}

// One verdict a window, with what the page shows of it; the golden was written
// natively on amd64, and `make test-wasm` runs this test under js/wasm.
func TestTelemetry_sameBitsEverywhere(t *testing.T) {
	s, info := telemetryScorer(t)
	if info.Schema != telemetry.Schema().Name || len(info.Classes) != 2 || !info.Classes[0].Benign {
		t.Fatalf("bundle of %s, classes %v", info.Schema, info.Classes)
	}
	h := sha256.New()
	n := 0
	sum, err := s.Score(file{bytes.NewReader(telemetryRows(t))}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		columns := map[string]job.Column{}
		for _, c := range b.Columns {
			columns[c.Name] = c
		}
		for i := range b.Row {
			fmt.Fprintf(h, "%d %d %v %s %s %s ", b.Row[i], b.Class[i], b.Abstained[i], columns["DEVICE"].Texts[i], columns["METRICS"].Texts[i], columns["SCENARIO"].Texts[i])
			hashFloats(h, b.Probability[i], b.Attack[i], b.Anomaly[i], columns["WINDOW_START"].Numbers[i])
			n++
		}
		return true
	})
	if err != nil || n != 3200 || sum.Rejected != 0 || !strings.HasPrefix(sum.Format, "telemetry, CSV") {
		t.Fatalf("%d windows of %s, %d rejected, %v", n, sum.Format, sum.Rejected, err)
	}
	for row := int64(1); row <= int64(n); row += 50 {
		rec, err := s.Explain(row)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Additivity > rec.Tolerance || len(rec.Attributions) != len(info.Features) {
			t.Fatalf("row %d: %d attributions, off by %g", row, len(rec.Attributions), rec.Additivity)
		}
		hashFloats(h, rec.Base, rec.Margin)
		for _, a := range rec.Attributions {
			fmt.Fprint(h, a.Feature)
			hashFloats(h, a.SHAP, float64(a.Percentile))
		}
	}
	got := hex.EncodeToString(h.Sum(nil))
	const golden = "testdata/telemetry.sha256"
	if *update {
		if err := os.WriteFile(golden, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := strings.TrimSpace(string(read(t, golden))); got != want {
		t.Errorf("verdicts hash to %s, want %s", got, want)
	}
}

// A host that is attacked half-way gets the scenario and its techniques, on any
// metrics that the rules know.
func TestTelemetry_scenario(t *testing.T) {
	s, _ := telemetryScorer(t)
	var text strings.Builder
	text.WriteString("timestamp,device_id,disk_reads_ops,disk_writes_ops,disk_busy_pct,proc_new,proc_terminated,net_bytes_in,net_bytes_out\n")
	reads, writes, in, out := 0.0, 0.0, 0.0, 0.0
	for i := range 200 {
		r, w, busy, fresh := 50+float64(i%7), 40+float64(i%5), 5.0, float64(i%2)
		if i >= 180 {
			r, w, busy, fresh = 400, 700, 95, 9
		}
		reads, writes, in, out = reads+60*r, writes+60*w, in+60*(1e5+float64(i%11)*1e3), out+60*(5e4+float64(i%3)*1e3)
		fmt.Fprintf(&text, "%d,ward-3,%v,%v,%v,%v,%v,%v,%v\n", 1_780_272_000+60*i, math.Floor(reads), math.Floor(writes), busy, fresh, fresh, math.Floor(in), math.Floor(out))
	}
	var rows []int64
	var techniques string
	_, err := s.Score(file{bytes.NewReader([]byte(text.String()))}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		for _, c := range b.Columns {
			for i := range b.Row {
				if c.Name == telemetry.FieldScenario && c.Texts[i] == "Ransomware" {
					rows = append(rows, b.Row[i])
				}
				if c.Name == telemetry.FieldTechniques && c.Texts[i] != "" {
					techniques = c.Texts[i]
				}
			}
		}
		return true
	})
	if err != nil || len(rows) < 5 || rows[0] < 180 || techniques != "T1486" {
		t.Fatalf("ransomware on rows %v, techniques %q, %v", rows, techniques, err)
	}
	rec, err := s.Explain(rows[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rec.Fields {
		if f.Name == telemetry.FieldMetrics && !strings.Contains(f.Value, "disk_") {
			t.Errorf("the window is put down to %s", f.Value)
		}
	}
}

// BenchmarkTelemetry_windowEndToEnd is a file through everything: CSV, stages 1
// to 4, rules and models. Its 3,200 samples give a window each.
func BenchmarkTelemetry_windowEndToEnd(b *testing.B) {
	s, _ := telemetryScorer(b)
	rows := telemetryRows(b)
	b.SetBytes(int64(len(rows)))
	for b.Loop() {
		n := 0
		if _, err := s.Score(file{bytes.NewReader(rows)}, job.Options{}, func(_ job.Progress, batch *job.Batch) bool { n += len(batch.Row); return true }); err != nil || n != 3200 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/3200, "us/window")
	b.ReportMetric(3200*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
