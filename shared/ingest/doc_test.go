package ingest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

// LOGS.md says of every kind of log where each field comes from. The table is
// made from the samples: after a change of a rule, put what the test prints
// into the file.
func TestLogsTable(t *testing.T) {
	var b strings.Builder
	for _, tt := range samples {
		if tt.file == "zeek-conn.json" || tt.file == "zeek-dns.json" || tt.file == "zeek-notice.json" || tt.file == "eve-alerts.json" {
			continue // the same rules as others
		}
		s := openWith(t, sample(t, tt.file), ingest.Options{Want: tt.schema})
		name, _, _ := strings.Cut(s.Format(), ", ")
		if tt.file == "nfdump-oneway.csv" {
			name += ", one-way"
		}
		fmt.Fprintf(&b, "### %s (`%s`)\n", name, tt.file)
		if s.Note() != "" {
			fmt.Fprintf(&b, "%s\n", s.Note())
		}
		b.WriteString("\n| field | from | how |\n|---|---|---|\n")
		var missing []string
		for i, m := range s.Mapping() {
			if m.How == ingest.Missing {
				missing = append(missing, m.Field)
				continue
			}
			unit := ""
			if u := s.Schema().Fields[i].Unit; u != "" {
				unit = " (" + u + ")"
			}
			fmt.Fprintf(&b, "| %s%s | %s | %s |\n", m.Field, unit, m.From, m.How)
		}
		if s.Schema() == frame.Alert {
			fmt.Fprintf(&b, "\nMissing: %s.\n\n", strings.Join(missing, ", "))
		} else {
			fmt.Fprintf(&b, "\nMissing: the other %d.\n\n", len(missing))
		}
	}
	doc, err := os.ReadFile("LOGS.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(doc), b.String()) {
		t.Errorf("LOGS.md does not end with:\n%s", b.String())
	}
}
