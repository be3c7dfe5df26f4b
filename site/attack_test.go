package site

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"cloister/shared/attack"
	"cloister/shared/job"
	"cloister/shared/report"

	"github.com/vugu/vugu"
)

// tactics returns the headings of the matrix.
func (p *page) tactics() (out []string) {
	for part := range strings.SplitSeq(p.html(), `class="tactic-name">`) {
		name, _, _ := strings.Cut(part, "<")
		out = append(out, strings.ReplaceAll(name, "&amp;", "&"))
	}
	return out[1:]
}

func TestMatrix_countsInTheReleasesOrder(t *testing.T) {
	p := newPage(t, &script{rows: 1000, signed: func(b *job.Bundle) {
		b.Classes[1].Attack = append(b.Classes[1].Attack, job.Technique{ID: "T1562", Tactic: "TA0112", Confidence: "low", Basis: "inferred"}) // revoked in favour of T1685
		b.Classes[2].Attack = append(b.Classes[2].Attack, job.Technique{ID: "T1110.001", Tactic: "TA0006", Confidence: "low", Basis: "inferred"}, job.Technique{ID: "T9999", Tactic: "TA0006"})
	}})
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("Another file")
	p.settle()
	p.fire(byID("tab-attack"), "click", nil)
	p.wait("3 techniques in 3 tactics")
	var want []string
	for _, x := range attack.Tactics() {
		want = append(want, x.Name)
	}
	if got := p.tactics(); strings.Join(got, "|") != strings.Join(want, "|") || len(want) < 12 {
		t.Errorf("tactics\n%q, want\n%q", got, want)
	}
	// Rows 8 and 9 of ten are flagged, 20 of them withheld, all of class 2.
	a := p.app
	cells := a.matrix.cells("T1110.001")
	if len(cells) != 1 || cells[0].rows != 180 || cells[0].confidence != "high" || cells[0].bases != "published, inferred" || len(cells[0].classes) != 2 {
		t.Errorf("T1110.001: %+v", cells)
	}
	hosts := map[string]bool{}
	for i := range a.store.row {
		if a.store.flags(i, a.threshold) && !a.store.abstained[i] {
			c := a.store.find(roleSource)
			hosts[c.words[c.codes[i]]] = true
		}
	}
	if cells[0].sources != len(hosts) || len(hosts) < 4 {
		t.Errorf("%d sources, want %d", cells[0].sources, len(hosts))
	}
	if old := a.matrix.cells("T1562"); old != nil {
		t.Errorf("a revoked technique is listed: %+v", old)
	}
	if now := a.matrix.cells("T1685"); len(now) != 1 || now[0].rows != 100 {
		t.Errorf("its successor: %+v", now)
	}
	// its classes overlap: the tactic's rows are counted once
	for _, col := range a.matrix.columns {
		if col.tactic.ID == "TA0006" && (col.rows != 180 || col.told != 1 || col.total < 20) {
			t.Errorf("Credential Access: %d rows, %d of %d", col.rows, col.told, col.total)
		}
	}
	// the same from the report's own reading of the findings
	set, _ := a.findings()
	var layer struct {
		Techniques []struct {
			TechniqueID string
			Score       int64
		}
	}
	if err := json.Unmarshal(report.Navigator(set), &layer); err != nil || len(layer.Techniques) != 3 {
		t.Fatalf("%v, %+v", err, layer)
	}
	for _, x := range layer.Techniques {
		if c := a.matrix.cells(x.TechniqueID); len(c) != 1 || c[0].rows != x.Score {
			t.Errorf("%s: %d in the layer, %+v in the matrix", x.TechniqueID, x.Score, c)
		}
	}
	a.update(func() { a.setThreshold(1) })
	p.wait("0 techniques in 0 tactics")
}

func TestMatrix_choosingFilters(t *testing.T) {
	p := newPage(t, &script{rows: 1000})
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("Another file")
	p.settle()
	p.fire(byID("tab-attack"), "click", nil)
	p.wait("2 techniques in 2 tactics", "cannot be seen here", "This bundle can tell none of its", "This bundle can tell 1 of its")
	tech := func(id string) func(n *vugu.VGNode) bool {
		return func(n *vugu.VGNode) bool {
			return strings.HasPrefix(attr(n, "class"), "tech") && strings.HasPrefix(strings.TrimSpace(deep(n)), id)
		}
	}
	p.fire(tech("T1071.001"), "click", nil)
	s := p.wait("What speaks for it here", "Bot &lt;b&gt;", "AN", "Network Traffic Content", "T1113 Screen Capture, which goes with Bot", "Whether it succeeded", "Show 80 rows", "https://attack.mitre.org/techniques/T1071/001")
	if f := p.app.view.filter; f.text != `technique = T1071.001` || !f.flagged || !strings.Contains(s, `aria-pressed="true"`) {
		t.Errorf("filter %+v", f)
	}
	p.fire(byText("Show 80 rows"), "click", nil)
	p.wait("100 of 1,000") // the withheld ones too
	p.fire(byID("tab-attack"), "click", nil)
	p.wait("What speaks for it here")
	p.fire(tech("T1071.001"), "click", nil)
	p.lacks("What speaks for it here")
	if f := p.app.view.filter; f != everything {
		t.Errorf("choosing it again leaves %+v", f)
	}
	p.fire(tech("T1113"), "click", nil)
	p.wait("The technique itself")
	p.fire(byLabel("Close the technique"), "click", nil)
	p.lacks("The technique itself")
	p.fire(byText("Gaps"), "click", nil)
	if got := p.tactics(); len(got) != 2 {
		t.Errorf("without gaps: %q", got)
	}
	p.lacks("cannot be seen here")
}

func TestReport_everyFormat(t *testing.T) {
	p := newPage(t, &script{rows: 1000})
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("Another file")
	p.settle()
	p.app.update(func() { p.app.setMark(9, mark{"confirmed", "asked the owner"}) })
	set, n := p.app.findings()
	if n != 200 {
		t.Fatalf("%d findings", n)
	}
	var rows []int64
	for f := range set.Findings {
		rows = append(rows, f.Row)
		if f.Source == "" || f.Destination != "" || !math.IsNaN(f.DestinationPort) || math.IsNaN(f.BytesOut) || f.File != "sample.csv" || f.Class.Benign {
			t.Fatalf("%+v", f)
		}
		if (f.Row == 10) != (f.Note == "asked the owner") {
			t.Errorf("row %d has the note %q", f.Row, f.Note)
		}
	}
	if len(rows) != 200 || rows[0] != 9 || rows[1] != 10 {
		t.Errorf("rows %v", rows[:2])
	}
	for id, file := range map[string]string{"navigator": "sample.layer.json", "stix": "sample.stix.json", "ecs": "sample.ecs.ndjson", "html": "sample.report.html"} {
		p.fire(byID("export-"+id), "click", nil)
		p.wait("Saved " + file + " with 200 flagged rows.")
		text := p.host.saved[file]
		set.Made = time.Time{}
		var want []byte
		switch id {
		case "navigator":
			want = report.Navigator(set)
		case "html":
			want = report.HTML(set)
		case "ecs":
			var b bytes.Buffer
			if err := report.ECS(&b, set); err != nil {
				t.Fatal(err)
			}
			want = b.Bytes()
		case "stix":
			if !json.Valid([]byte(text)) || !strings.Contains(p.html(), "200 rows without an address are left out.") { // the script has sources only
				t.Errorf("STIX:\n%.300s", text)
			}
			continue
		}
		if made := `0001-01-01T00:00:00Z`; id == "navigator" { // the time is the only difference
			i := strings.Index(string(want), made)
			want = []byte(string(want[:i]) + text[i:i+len(made)] + string(want[i+len(made):]))
		}
		if made := `1 January 0001, 00:00 UTC`; id == "html" {
			i := strings.Index(string(want), made)
			j := strings.Index(text[i:], ".<")
			want = []byte(string(want[:i]) + text[i:i+j] + string(want[i+len(made):]))
		}
		if text != string(want) {
			t.Errorf("%s differs from the report's:\n%.400s\nwant\n%.400s", id, text, want)
		}
	}
}

// A report is of the rows on show, and one that is too large is refused with
// the reason, before anything is made.
func TestReport_filterAndLimit(t *testing.T) {
	p := newPage(t, &script{rows: 1000})
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("Another file")
	p.settle()
	p.app.update(func() { p.app.setFilter("class = SSH-Bruteforce") })
	p.settle()
	if _, n := p.app.findings(); n != 100 {
		t.Errorf("%d findings of one class", n)
	}
	for i := range exports {
		if exports[i].id == "stix" {
			defer func(n int) { exports[i].most = n }(exports[i].most)
			exports[i].most = 99
		}
	}
	p.fire(byID("export-stix"), "click", nil)
	p.wait("Not saved: saving STIX 2.1 bundle", "100 flagged rows, and this format is made for 99 at most", "Filter the table further")
	if len(p.host.saved) != 0 {
		t.Errorf("saved %v", p.host.saved)
	}
}

// A long report gives the window its turn.
func TestPaced_turns(t *testing.T) {
	p := &paced{last: time.Now()}
	began, n := time.Now(), 0
	for range p.slow(func(yield func(report.Finding) bool) {
		for n < 2 && time.Since(began) < 10*time.Second {
			before := p.last
			if !yield(report.Finding{}) {
				return
			}
			if p.last != before {
				n++
			}
		}
	}) {
	}
	if n < 2 {
		t.Errorf("%d turns, want 2", n)
	}
	big := make([]byte, partSize+7)
	for range 3 {
		if k, err := p.Write(big); k != len(big) || err != nil {
			t.Error(k, err)
		}
		if k, err := p.Write([]byte("abc")); k != 3 || err != nil {
			t.Error(k, err)
		}
	}
	if got := len(bytes.Join(p.parts, nil)); got != 3*(len(big)+3) {
		t.Errorf("%d bytes", got)
	}
}
