package score_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"cloister/shared/job"
)

// A capture and the flows that an extractor of its own made from it get the
// same verdicts by address, port and start: what the model looks at is the
// same, whichever way the flows came.
func TestScore_captureAsItsFlows(t *testing.T) {
	s, info := loaded(t)
	verdicts := func(name string) (out []string, sum job.Summary) {
		sum, err := s.Score(file{bytes.NewReader(read(t, "../../models/sample/"+name))}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
			for i := range b.Row {
				line := ""
				for _, c := range b.Columns {
					switch c.Name {
					case "FLOW_START_MILLISECONDS", "L4_SRC_PORT", "L4_DST_PORT", "PROTOCOL", "FLOW_DURATION_MILLISECONDS":
						line += fmt.Sprint(c.Numbers[i], " ")
					case "IPV4_SRC_ADDR", "IPV4_DST_ADDR":
						line += c.Texts[i] + " "
					}
				}
				out = append(out, fmt.Sprint(line, info.Classes[b.Class[i]].Name, " ", b.Probability[i], " ", b.Anomaly[i]))
			}
			return true
		})
		if err != nil || sum.Stopped != "" {
			t.Fatal(err, sum.Stopped)
		}
		slices.Sort(out)
		return out, sum
	}
	want, table := verdicts("lab.csv")
	got, sum := verdicts("lab.pcap.gz")
	if len(want) != 1989 || !slices.Equal(got, want) || !slices.Equal(sum.Imputed, table.Imputed) {
		t.Errorf("%d and %d verdicts; without %q and %q", len(got), len(want), sum.Imputed, table.Imputed)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("first difference:\n%s\n%s", got[i], want[i])
			}
		}
	}
	if sum.Rejected != 0 || sum.Format != "pcap capture, Ethernet, 40,469 packets, gzip" {
		t.Errorf("%d rejects, %q", sum.Rejected, sum.Format)
	}
	explained := 0
	for row := int64(1); row <= 1989; row += 97 {
		if rec, err := s.Explain(row); err != nil || rec.Row != row {
			t.Errorf("row %d: %v", row, err)
		}
		explained++
	}
	if explained < 20 {
		t.Errorf("%d rows explained", explained)
	}
}
