package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/shared/attack"
	"cloister/shared/job"
	"cloister/shared/report"
)

// update writes the golden files anew; testdata/validate.py has to pass then.
var update = flag.Bool("update", false, "write the golden files")

var nan = math.NaN()

// findings are what reports are tried on: plain ones, one without time or
// ports, one withheld, one over IPv6, one of a hostile file, one of an
// obsolete technique.
func findings() []report.Finding {
	ssh := job.Class{Name: "SSH-Bruteforce", Severity: "High", Attack: []job.Technique{{ID: "T1110.001", Tactic: "TA0006", Confidence: "high", Basis: "published"}}, Unseen: []string{"T1078"}}
	flood := job.Class{Name: "DDoS", Severity: "Critical", Attack: []job.Technique{{ID: "T1498.001", Tactic: "TA0040", Confidence: "medium", Basis: "analytic"}, {ID: "T1562", Tactic: "TA0112", Confidence: "low", Basis: "inferred"}}}
	strange := job.Class{Name: `<img src=x onerror=alert(1)>`, Severity: "Low"}
	at := float64(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixMilli())
	one := report.Finding{
		File: "a.pcap", Row: 7, Start: at, Duration: 1500, Source: "10.0.0.1", Destination: "10.0.0.2", SourcePort: 40000, DestinationPort: 22, Protocol: 6,
		BytesOut: 1000, BytesIn: 2000, PacketsOut: 10, PacketsIn: 12, Community: "1:abc=", Class: ssh, Severity: "High", Probability: .9, Score: .95, Anomaly: .99,
	}
	two := one
	two.Row, two.Start, two.SourcePort, two.Note = 8, at+60000, 40001, "asked the owner\nhe knows nothing"
	three := one
	three.Row, three.Start, three.Duration, three.SourcePort, three.DestinationPort, three.Protocol = 9, nan, nan, nan, nan, 1
	three.BytesIn, three.PacketsIn, three.Anomaly, three.Class, three.Severity, three.Community = nan, nan, nan, flood, "Critical", ""
	four := one
	four.Row, four.Abstained, four.Source = 10, true, "10.0.0.9"
	five := one
	five.Row, five.Source, five.Destination, five.DestinationPort, five.Protocol = 11, "2001:db8::1", "fe80::1%eth0", 443, 17
	six := one
	six.Row, six.File, six.Class, six.Source, six.Note = 12, `"><script>alert(1)</script>.csv`, strange, "not an address", "</td><script>"
	return []report.Finding{one, two, three, four, five, six}
}

func set(list []report.Finding) *report.Set {
	return &report.Set{
		Bundle: job.Bundle{
			Name: "flows", Version: "1.0.0", SHA256: strings.Repeat("ab", 32), Trust: "unsigned", Model: "random forest, 100 trees", Limits: []string{"One laboratory's traffic of 2018."},
			Classes: []job.Class{list[0].Class}, Metrics: []job.Metric{{Name: "macro-F1", Value: .73, Low: .66, High: .79, Split: "holdout", Rows: 1455}, {Name: "accuracy", Value: .96, Low: job.Number(nan), High: job.Number(nan), Split: "holdout", Rows: 1455}},
		},
		Summary: job.Summary{Format: "pcap", Scored: 100, Rejected: 2, Stopped: "cancelled", Imputed: []string{"L7_PROTO"}},
		Files:   []string{"a.pcap", `"><script>alert(1)</script>.csv`}, Threshold: .5, Made: time.Date(2026, 11, 22, 13, 14, 15, 0, time.UTC),
		Findings: slices.Values(list),
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what validate.py has seen; write it anew with -update and run the script\ngot\n%s", name, got)
	}
}

func TestNavigator(t *testing.T) {
	got := report.Navigator(set(findings()))
	golden(t, "layer.json", got)
	var l struct {
		Techniques []struct {
			TechniqueID, Tactic, Comment string
			Score                        int
		}
		Gradient struct{ MaxValue int }
	}
	if err := json.Unmarshal(got, &l); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"T1110.001": 3, "T1498.001": 1, "T1685": 1} // T1562 was revoked in favour of T1685
	if len(l.Techniques) != len(want) || l.Gradient.MaxValue != 3 {
		t.Fatalf("got %+v", l)
	}
	for _, x := range l.Techniques {
		technique, ok := attack.Lookup(x.TechniqueID)
		tactic, known := attack.TacticByShortname(x.Tactic)
		if !ok || !known || !slices.Contains(technique.Tactics, tactic.ID) || x.Score != want[x.TechniqueID] {
			t.Errorf("%+v, want a score of %d", x, want[x.TechniqueID])
		}
	}
	empty := report.Navigator(set(findings()[5:]))
	if !bytes.Contains(empty, []byte(`"techniques": []`)) || !bytes.Contains(empty, []byte(`"maxValue": 1`)) {
		t.Errorf("a layer of nothing: %s", empty)
	}
}

func TestSTIX(t *testing.T) {
	got, skipped := report.STIX(set(findings()))
	golden(t, "bundle.json", got)
	if skipped != 1 {
		t.Errorf("%d findings left out, want the one without an address", skipped)
	}
	var b struct {
		Objects []map[string]any
	}
	if err := json.Unmarshal(got, &b); err != nil {
		t.Fatal(err)
	}
	count, ids := map[string]int{}, map[string]bool{}
	for _, o := range b.Objects {
		count[o["type"].(string)]++
		if id := o["id"].(string); ids[id] {
			t.Errorf("%s twice", id)
		} else {
			ids[id] = true
		}
	}
	// observations: ssh twice in one, the flood, the withheld one, IPv6
	want := map[string]int{"observed-data": 4, "sighting": 4, "attack-pattern": 3, "note": 1, "identity": 1, "marking-definition": 1, "network-traffic": 4, "ipv4-addr": 3, "ipv6-addr": 2}
	for kind, n := range want {
		if count[kind] != n {
			t.Errorf("%d objects of type %s, want %d", count[kind], kind, n)
		}
	}
	for _, o := range b.Objects { // every reference leads somewhere
		for name, v := range o {
			list, _ := v.([]any)
			if one, ok := v.(string); ok && strings.HasSuffix(name, "_ref") {
				list = []any{one}
			} else if !strings.HasSuffix(name, "_refs") {
				continue
			}
			for _, ref := range list {
				if !ids[ref.(string)] {
					t.Errorf("%s: %s refers to %s, which is not there", o["id"], name, ref)
				}
			}
		}
	}
	if again, _ := report.STIX(set(findings())); !bytes.Equal(again, got) {
		t.Error("a second report differs")
	}
}

func TestECS(t *testing.T) {
	var out bytes.Buffer
	if err := report.ECS(&out, set(findings())); err != nil {
		t.Fatal(err)
	}
	golden(t, "ecs.ndjson", out.Bytes())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(findings()) {
		t.Fatalf("%d lines, want %d", len(lines), len(findings()))
	}
	if strings.Contains(lines[2], "@timestamp") || strings.Contains(lines[2], `"port"`) || strings.Contains(lines[3], `"threat":{`) || strings.Contains(lines[5], `"ip":"not`) {
		t.Errorf("what is not known is said:\n%s\n%s\n%s", lines[2], lines[3], lines[5])
	}
	if err := report.ECS(full{}, set(findings())); err == nil {
		t.Error("a full disk is no error")
	}
}

func TestHTML(t *testing.T) {
	got := report.HTML(set(findings()))
	golden(t, "report.html", got)
	for _, bad := range []string{"<script", "<img", "onerror=alert(1)>", "href=", " src=\"", "url(", "</td><s"} {
		if i := bytes.Index(got, []byte(bad)); i >= 0 {
			t.Errorf("%q stands in the page: ...%s", bad, got[max(0, i-40):i+40])
		}
	}
	for _, tactic := range attack.Tactics() {
		if !bytes.Contains(got, []byte("<td>"+tactic.Name+"</td>")) {
			t.Errorf("tactic %s is missing", tactic.Name)
		}
	}
	many := make([]report.Finding, 1500)
	for i := range many {
		many[i] = findings()[0]
		many[i].Row = int64(i)
	}
	if got := report.HTML(set(many)); !bytes.Contains(got, []byte("The first 1000 of 1500")) || bytes.Contains(got, []byte("<td>1000</td>")) {
		t.Error("a long list is not cut with a word about it")
	}
}
