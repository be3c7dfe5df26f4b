package score_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"cloister/shared/attack"
	"cloister/shared/job"
	"cloister/shared/score"
)

// scored returns the one batch of a file with its hints by row.
func scored(t *testing.T, s *score.Scorer, text string, o job.Options) [][]job.Technique {
	t.Helper()
	var out [][]job.Technique
	if _, err := s.Score(file{bytes.NewReader([]byte(text))}, o, func(_ job.Progress, b *job.Batch) bool {
		for i := range b.Row {
			if b.Hints == nil {
				out = append(out, nil)
				continue
			}
			out = append(out, b.Hints[b.Hint[i]])
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func names(ts []job.Technique) string {
	var out []string
	for _, t := range ts {
		out = append(out, t.ID+" "+t.Confidence)
	}
	return strings.Join(out, ", ")
}

const (
	someFlows = "PROTOCOL,L4_DST_PORT,L4_SRC_PORT,IPV4_SRC_ADDR,IPV4_DST_ADDR,IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,TCP_FLAGS,FLOW_DURATION_MILLISECONDS\n" +
		"6,3389,40000,10.0.0.1,10.0.0.2,800,900,8,9,27,400\n" +
		"6,50000,40000,10.0.0.1,10.0.0.2,800,900,8,9,27,400\n" +
		"17,53,40000,10.0.0.1,10.0.0.2,200000,900,1000,9,0,400\n" +
		"6,3389,40001,10.0.0.1,10.0.0.2,700,900,8,9,27,400\n"
	someAlerts = "Timestamp,Source_IP,Destination_IP,Payload_Type,Title,Payload_Description,Severity\n" +
		"2026-01-02T03:04:05Z,10.0.0.1,10.0.0.2,Benign,backup,nothing to see here,Low\n" +
		"2026-01-02T03:04:05Z,10.0.0.1,10.0.0.2,Phishing,mail,a process dump of LSASS memory,High\n" +
		"2026-01-02T03:04:05Z,10.0.0.1,10.0.0.2,Benign,Scan::Port_Scan,T1054 was seen,High\n"
)

// Flows point at techniques by port and behaviour, marked as hints, whether
// they are read as numbers or as sentences; what they are stands once in a
// batch, and the reason in the record.
func TestScore_hintsOfFlows(t *testing.T) {
	want := []string{"T1021.001 hint", "", "T1048.003 low, T1071.004 hint", "T1021.001 hint"}
	for bundle, o := range map[string]job.Options{"flows": {}, "severity": {FlowText: true}} {
		s := score.New()
		if _, err := s.Load(read(t, "../../models/"+bundle+"/1.bundle")); err != nil {
			t.Fatal(err)
		}
		got := scored(t, s, someFlows, o)
		for i, ts := range got {
			rec, err := s.Explain(int64(i + 1))
			if err != nil || names(ts) != want[i] || names(rec.Attack) != want[i] {
				t.Errorf("%s: row %d: %q, %q, %v, want %q", bundle, i+1, names(ts), names(rec.Attack), err, want[i])
			}
			for k, h := range rec.Attack {
				if !h.Hint || h.Why == "" || !ts[k].Hint || ts[k].Why != "" {
					t.Errorf("%s: row %d: %+v, in the batch %+v", bundle, i+1, h, ts[k])
				}
			}
		}
		if len(got) != len(want) || &got[0][0] != &got[3][0] {
			t.Errorf("%s: %d rows, or rows of one port with sets of their own", bundle, len(got))
		}
	}
}

func TestScore_hintsOfAlerts(t *testing.T) {
	s := score.New()
	if _, err := s.Load(read(t, "../../models/severity/1.bundle")); err != nil {
		t.Fatal(err)
	}
	got := scored(t, s, someAlerts, job.Options{})
	want := [][]attack.Hint{
		nil,
		attack.FromAlert(attack.Alert{Type: "Phishing", Text: "mail\na process dump of LSASS memory"}),
		attack.FromAlert(attack.Alert{Notice: "Scan::Port_Scan", Text: "T1054"}),
	}
	if len(got) != len(want) || len(want[1]) < 2 || len(want[2]) != 2 {
		t.Fatalf("%d rows, want %+v", len(got), want)
	}
	for i, ts := range got {
		var ids []string
		for k, h := range ts {
			ids = append(ids, h.ID)
			if w := want[i][min(k, len(want[i])-1)]; h.Hint || h.ID != w.Technique || h.Tactic != w.Tactic || h.Basis != w.Basis || h.Confidence != w.Confidence {
				t.Errorf("row %d: %+v, want %+v", i+1, h, w)
			}
		}
		if len(ids) != len(want[i]) {
			t.Errorf("row %d: %q", i+1, ids)
		}
	}
	if !slices.ContainsFunc(got[2], func(h job.Technique) bool { return h.ID == "T1685" && h.Basis == "published" }) {
		t.Errorf("an obsolete id in a text gives %+v", got[2])
	}
}

// A judge sees the probabilities of all classes, in the order of the rows.
func TestScorer_Probabilities(t *testing.T) {
	s, info := loaded(t)
	var all, best []float64
	s.Probabilities = func(p []float64) { all = append(all, p...) }
	if _, err := s.Score(file{bytes.NewReader(read(t, sampleFile))}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		best = append(best, b.Probability...)
		for i, c := range b.Class {
			at := len(best) - len(b.Class) + i
			if all[at*len(info.Classes)+int(c)] != b.Probability[i] {
				t.Fatalf("row %d: %v", b.Row[i], all[at*len(info.Classes):(at+1)*len(info.Classes)])
			}
		}
		return true
	}); err != nil || len(best) < 500 || len(all) != len(best)*len(info.Classes) {
		t.Fatalf("%d values of %d rows, %v", len(all), len(best), err)
	}
}
