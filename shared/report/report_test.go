package report_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/report"
)

// info and batch are three verdicts with a rejected row before, between and
// after them.
func info() job.Bundle {
	return job.Bundle{
		Threshold: 0.5,
		Features:  []job.Feature{{Name: "IN_BYTES"}, {Name: "OUT_BYTES"}},
		Classes: []job.Class{
			{Name: "Benign", Severity: "Informational", Benign: true},
			{Name: "SSH <brute>", Severity: "High", Attack: []job.Technique{{ID: "T1110.001", Tactic: "TA0006", Confidence: "high", Basis: "published"}, {ID: "T1021.004", Tactic: "TA0008", Confidence: "low", Basis: "inferred"}}},
		},
	}
}

func batch() *job.Batch {
	return &job.Batch{
		Row: []int64{2, 3, 5}, Class: []uint16{0, 1, 1}, Probability: []float64{0.75, 1, 0.5},
		Attack: []float64{0.25, 1, 0.5}, Anomaly: []float64{0, math.NaN(), 1}, Abstained: []bool{false, false, true},
		Rejected: []job.Reject{{Row: 1, Reason: "column count", Detail: "3 of 4"}, {Row: 4, Reason: "not a number", Detail: `"x,y"`}, {Row: 9, Reason: "cut", Detail: "end of file"}},
	}
}

func TestBatch_ndjson(t *testing.T) {
	var out strings.Builder
	w := report.NewNDJSON(&out)
	if err := report.Batch(w, info(), batch(), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"row":1,"error":"column count: 3 of 4"}`,
		`{"row":2,"class":"Benign","probability":0.75,"severity":"Informational","abstained":false,"anomaly":0,"attack_score":0.25,"flagged":false,"attack":[]}`,
		`{"row":3,"class":"SSH <brute>","probability":1,"severity":"High","abstained":false,"attack_score":1,"flagged":true,"attack":[{"id":"T1110.001","tactic":"TA0006","confidence":"high","basis":"published"},{"id":"T1021.004","tactic":"TA0008","confidence":"low","basis":"inferred"}]}`,
		`{"row":4,"error":"not a number: \"x,y\""}`,
		`{"row":5,"class":"SSH <brute>","probability":0.5,"severity":"High","abstained":true,"anomaly":1,"attack_score":0.5,"flagged":true,"attack":[{"id":"T1110.001","tactic":"TA0006","confidence":"high","basis":"published"},{"id":"T1021.004","tactic":"TA0008","confidence":"low","basis":"inferred"}]}`,
		`{"row":9,"error":"cut: end of file"}`,
	}
	got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d:\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

func TestBatch_csv(t *testing.T) {
	var out strings.Builder
	w := report.NewCSV(&out)
	if err := report.Batch(w, info(), batch(), func(l *report.Line) error { l.File = "a.pcap"; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `file,row,class,probability,severity,abstained,anomaly,attack_score,flagged,attack,error
a.pcap,1,,,,,,,,,column count: 3 of 4
a.pcap,2,Benign,0.75,Informational,false,0,0.25,false,,
a.pcap,3,SSH <brute>,1,High,false,,1,true,T1110.001 T1021.004,
a.pcap,4,,,,,,,,,"not a number: ""x,y"""
a.pcap,5,SSH <brute>,0.5,High,true,1,0.5,true,T1110.001 T1021.004,
a.pcap,9,,,,,,,,,cut: end of file
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestLine_explain(t *testing.T) {
	rec := job.Record{Base: 0.25, Attributions: []job.Attribution{{Feature: 1, SHAP: 0.5}, {Feature: 0, SHAP: -0.125}}}
	l := report.Line{Row: 7}
	l.Explain(rec, info())
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"row":7,"base":0.25,"shap":{"IN_BYTES":-0.125,"OUT_BYTES":0.5}}`; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
}

func TestLine_explainMetrics(t *testing.T) {
	rec := job.Record{
		Fields:       []job.Field{{Name: "LEVEL_METRICS", Value: "cpu=0.750 disk=0.250"}},
		Attributions: []job.Attribution{{Feature: 2, SHAP: 0.5}, {Feature: 0, SHAP: -0.125}, {Feature: 1, SHAP: 1}},
	}
	names := job.Bundle{Features: []job.Feature{{Name: "cpu_delta"}, {Name: "cpu_by_disk"}, {Name: "level_z_mean"}}}
	from := func(name string) []string {
		return map[string][]string{"cpu_delta": {"cpu"}, "cpu_by_disk": {"cpu", "disk"}}[name]
	}
	l := report.Line{Row: 7}
	if l.ExplainMetrics(rec, names, from); l.Metrics != nil {
		t.Errorf("a line of no window has %v", l.Metrics)
	}
	l.Window = &report.Window{}
	l.ExplainMetrics(rec, names, from)
	if want := map[string]float64{"cpu": 0.25, "disk": 0.125, report.NoMetric: 1}; !maps.Equal(l.Metrics, want) {
		t.Errorf("got %v, want %v", l.Metrics, want)
	}
}

// full is a writer on a full disk.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestBatch_errorsEndTheBatch(t *testing.T) {
	if err := report.Batch(report.NewNDJSON(full{}), info(), batch(), nil); !errors.Is(err, errFull) {
		t.Errorf("full disk: %v", err)
	}
	w := report.NewCSV(full{})
	if err := errors.Join(report.Batch(w, info(), batch(), nil), w.Flush()); !errors.Is(err, errFull) {
		t.Errorf("full disk, CSV: %v", err)
	}
	stop := errors.New("stop")
	lines := 0
	if err := report.Batch(report.NewNDJSON(&strings.Builder{}), info(), batch(), func(*report.Line) error { lines++; return stop }); !errors.Is(err, stop) || lines != 1 {
		t.Errorf("%v after %d lines", err, lines)
	}
}

// A line has the techniques of the class, then those that the row points at and
// the class does not name, and the severity of the row where there is one.
func TestBatch_rowsOwn(t *testing.T) {
	info := job.Bundle{Threshold: .5, Classes: []job.Class{{Name: "SSH", Severity: "High", Attack: []job.Technique{{ID: "T1110.001", Tactic: "TA0006", Confidence: "high", Basis: "published"}}}}}
	b := &job.Batch{
		Row: []int64{1, 2}, Class: []uint16{0, 0}, Probability: []float64{1, 1}, Attack: []float64{1, 1}, Anomaly: []float64{.5, .5}, Abstained: []bool{false, false}, Severity: []uint8{4, 1},
		Hints: [][]job.Technique{nil, {{ID: "T1110.001", Confidence: "low"}, {ID: "T1021.004", Tactic: "TA0008", Confidence: "hint", Basis: "inferred", Hint: true}}}, Hint: []uint32{1, 0},
	}
	var out strings.Builder
	if err := report.Batch(report.NewNDJSON(&out), info, b, nil); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		`"severity":"Critical",`, `"attack":[{"id":"T1110.001","tactic":"TA0006","confidence":"high","basis":"published"},{"id":"T1021.004","tactic":"TA0008","confidence":"hint","basis":"inferred","hint":true}]`,
		`"severity":"Low",`, `"attack":[{"id":"T1110.001","tactic":"TA0006","confidence":"high","basis":"published"}]`,
	} {
		if !strings.Contains(lines[i/2], want) {
			t.Errorf("line %d lacks %s: %s", i/2+1, want, lines[i/2])
		}
	}
	if len(info.Classes[0].Attack) != 1 {
		t.Error("the class was changed")
	}
}
