package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/report"
)

func TestBatch_windows(t *testing.T) {
	info := job.Bundle{Classes: []job.Class{{Name: "Normal", Benign: true}, {Name: "Anomalous"}}, Threshold: .5}
	b := &job.Batch{
		Row: []int64{1, 2}, Class: []uint16{0, 1}, Probability: []float64{1, 1}, Attack: []float64{0, 1}, Anomaly: []float64{.1, math.NaN()}, Abstained: []bool{false, false},
		Columns: []job.Column{
			{Name: "DEVICE", Texts: []string{"a", "b"}}, {Name: "WINDOW_START", Numbers: []float64{0, 60000}}, {Name: "WINDOW_END", Numbers: []float64{60000, 120500}},
			{Name: "SCENARIO", Texts: []string{"", "Ransomware"}}, {Name: "TECHNIQUES", Texts: []string{"", "T1486 T9999"}}, {Name: "METRICS", Texts: []string{"", "m1=0.9"}}, {Name: "SIMULATED", Texts: []string{"", "yes"}},
		},
	}
	var out bytes.Buffer
	w := report.NewNDJSON(&out)
	if err := report.Batch(w, info, b, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	var first, second report.Line
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &second); err != nil {
		t.Fatal(err)
	}
	if first.Window == nil || first.Window.Start != "1970-01-01T00:00:00.000Z" || len(*first.Attack) != 0 || first.Window.Simulated {
		t.Errorf("first line %s", lines[0])
	}
	if w := second.Window; w == nil || w.Device != "b" || w.End != "1970-01-01T00:02:00.500Z" || w.Scenario != "Ransomware" || w.Metrics != "m1=0.9" || !w.Simulated ||
		len(*second.Attack) != 1 || (*second.Attack)[0].ID != "T1486" || (*second.Attack)[0].Tactic != "TA0040" {
		t.Errorf("second line %s", lines[1])
	}
	b.Columns = b.Columns[:1]
	out.Reset()
	w = report.NewNDJSON(&out)
	if err := report.Batch(w, info, b, nil); err != nil || strings.Contains(out.String(), "window") {
		t.Errorf("rows that are no windows: %s, %v", out.String(), err)
	}
}
