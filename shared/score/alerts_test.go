package score_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/score"
)

// TestScore_alertsSameBits hashes the verdicts of the published bundle of
// alerts on the sample and the explanations of every third row, as
// TestScore_sameBitsEverywhere does for flows.
func TestScore_alertsSameBits(t *testing.T) {
	s := score.New()
	info, err := s.Load(read(t, "../../models/severity/1.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range info.Classes {
		names = append(names, c.Name)
	}
	if strings.Join(names, " ") != "Informational Low Medium High Critical" || info.Schema != "alert" || info.Threshold != 0.625 {
		t.Errorf("%v, schema %s, threshold %v", names, info.Schema, info.Threshold)
	}
	h, rows := sha256.New(), 0
	sum, err := s.Score(file{bytes.NewReader(read(t, "../../models/sample/alerts.csv"))}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		for i := range b.Row {
			fmt.Fprintf(h, "%d %d %v %d ", b.Row[i], b.Class[i], b.Abstained[i], b.Severity[i])
			hashFloats(h, b.Probability[i], b.Attack[i])
			fmt.Fprint(h, b.Hints[b.Hint[i]])
			if rows++; !math.IsNaN(b.Anomaly[i]) || int(b.Severity[i]) != int(b.Class[i]) {
				t.Errorf("row %d: anomaly %v, severity %d of class %d", b.Row[i], b.Anomaly[i], b.Severity[i], b.Class[i])
			}
		}
		return true
	})
	if err != nil || rows != 24 || sum.Rejected != 0 || len(sum.Imputed) != 0 {
		t.Fatalf("%d rows, %+v, %v", rows, sum, err)
	}
	for row := int64(1); row <= 24; row += 3 {
		rec, err := s.Explain(row)
		fmt.Fprint(h, rec.Attack)
		if err != nil || len(rec.Texts) != 2 || rec.Additivity > rec.Tolerance {
			t.Fatalf("row %d: %+v, %v", row, rec, err)
		}
		for _, x := range rec.Texts {
			total := x.Rest
			for _, k := range x.Tokens {
				hashFloats(h, k.SHAP)
				total += k.SHAP
			}
			for _, a := range x.Absent {
				total += a.SHAP
			}
			for _, a := range rec.Attributions {
				if a.Feature == x.Feature && math.Abs(a.SHAP-total) > 1e-9 {
					t.Errorf("row %d: pieces of %s add up to %v, its attribution is %v", row, info.Features[x.Feature].Name, total, a.SHAP)
				}
			}
		}
	}
	got := hex.EncodeToString(h.Sum(nil))
	const golden = "testdata/alerts.sha256"
	if *update {
		if err := os.WriteFile(golden, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := strings.TrimSpace(string(read(t, golden))); got != want {
		t.Errorf("verdicts hash to %s, want %s", got, want)
	}
}
