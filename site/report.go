package site

import (
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"cloister/shared/job"
	"cloister/shared/report"
	"cloister/site/internal/text"
)

// exports are the reports that the flagged rows of the table can be saved as.
var exports = []struct {
	id    string
	title text.Key
	most  int // findings it is made for, 0 for any number
}{
	{"navigator", "ATT&CK Navigator layer", 0},
	{"stix", "STIX 2.1 bundle", 50_000},             // it is held whole, some kB a conversation
	{"ecs", "ECS, one JSON object a line", 250_000}, // 0.7 kB each
	{"html", "Report in one HTML file", 0},
}

// reporting reports whether an export cannot begin now.
func (a *App) reporting() bool { return a.exporting || a.phase != finished || len(a.view.index) == 0 }

// report saves the flagged rows of the table, in its order. The work is done
// in steps: see [paced].
func (a *App) report(id string) {
	if a.reporting() {
		return
	}
	set, n := a.findings()
	for _, x := range exports {
		if x.id == id && x.most > 0 && n > int64(x.most) {
			a.fail(sayf("saving {0}", say(x.title)), job.Failf("export", say("Filter the table further, or save CSV, which has no such limit."),
				"%s", sayf("{0} flagged rows, and this format is made for {1} at most", count(n), count(int64(x.most)))))
			return
		}
	}
	a.exporting = true
	name := baseName(a.run.name)
	go func() {
		p := &paced{last: time.Now()}
		set.Findings = p.slow(set.Findings)
		var mime, said string
		switch id {
		case "navigator":
			name, mime = name+".layer.json", "application/json"
			p.parts = [][]byte{report.Navigator(set)}
		case "stix":
			name, mime = name+".stix.json", "application/stix+json;version=2.1"
			if skipped, _ := report.WriteSTIX(p, set); skipped > 0 { // p has no error
				said = plural(int64(skipped), "row without an address is left out.", "rows without an address are left out.")
			}
		case "ecs":
			name, mime = name+".ecs.ndjson", "application/x-ndjson"
			_ = report.ECS(p, set)
		case "html":
			name, mime = name+".report.html", "text/html;charset=utf-8"
			p.parts = [][]byte{report.HTML(set)}
		}
		a.update(func() {
			a.exporting = false
			a.notice = sayf("Saved {0} with {1}. {2}", name, plural(n, "flagged row", "flagged rows"), said)
			a.host.Download(name, mime, p.parts)
		})
	}()
}

// paced collects what is written, and lets the window have its turn whenever
// pace has passed since the last: a report is made on a goroutine of its own,
// from its reading of the findings or its writing of the result.
type paced struct {
	last  time.Time
	parts [][]byte
}

const (
	pace     = 4 * time.Millisecond
	partSize = 1 << 18
)

func (p *paced) turn() {
	if time.Since(p.last) > pace {
		time.Sleep(time.Millisecond)
		p.last = time.Now()
	}
}

// Write implements [io.Writer]; it has no error.
func (p *paced) Write(b []byte) (int, error) {
	if n := len(p.parts); n > 0 && len(p.parts[n-1])+len(b) <= partSize {
		p.parts[n-1] = append(p.parts[n-1], b...)
	} else {
		p.parts = append(p.parts, append(make([]byte, 0, max(partSize, len(b))), b...))
	}
	p.turn()
	return len(b), nil
}

func (p *paced) slow(findings iter.Seq[report.Finding]) iter.Seq[report.Finding] {
	return func(yield func(report.Finding) bool) {
		for f := range findings {
			if p.turn(); !yield(f) {
				return
			}
		}
	}
}

// findings returns the flagged rows of the table as a report wants them, and
// how many there are. The set does not change when the run does.
func (a *App) findings() (*report.Set, int64) {
	s := *a.store
	s.own, s.marks = slices.Clone(s.own), maps.Clone(s.marks)
	rows, threshold := slices.Clone(a.view.index), a.threshold
	rows = slices.DeleteFunc(rows, func(i int32) bool { return !s.flags(int(i), threshold) })
	set := &report.Set{Bundle: a.bundle, Threshold: threshold, Made: time.Now()}
	if a.summary != nil {
		set.Summary = *a.summary
	}
	for _, f := range a.run.sources {
		set.Files = append(set.Files, f.Name)
	}
	read := s.reader(a.run.name)
	set.Findings = func(yield func(report.Finding) bool) {
		for _, i := range rows {
			if !yield(read(i)) {
				return
			}
		}
	}
	return set, int64(len(rows))
}

// reader returns what makes a finding of a row; run is the name of a run of one
// file.
func (s *store) reader(run string) func(i int32) report.Finding {
	named := func(names ...string) *column {
		for _, n := range names {
			for _, c := range s.columns {
				if c.name == n {
					return c
				}
			}
		}
		return nil
	}
	number := func(c *column, i int32) float64 {
		if c == nil || c.numbers == nil {
			return math.NaN()
		}
		return c.numbers.at(int(i))
	}
	text := func(c *column, i int32) string {
		if c == nil || c.numbers != nil {
			return ""
		}
		return c.words[c.codes[i]]
	}
	duration, community := named("FLOW_DURATION_MILLISECONDS"), named("COMMUNITY_ID", "community_id")
	source, destination := s.find(roleSource), s.find(roleDestination)
	from, to, protocol := named("L4_SRC_PORT"), named("L4_DST_PORT"), named("PROTOCOL")
	out, back, sent, returned := named("IN_BYTES"), named("OUT_BYTES"), named("IN_PKTS"), named("OUT_PKTS")
	return func(i int32) report.Finding {
		f := report.Finding{
			File: s.fileName(i, run), Row: s.row[i], Start: number(s.clock, i), Duration: number(duration, i),
			Source: text(source, i), Destination: text(destination, i), SourcePort: number(from, i), DestinationPort: number(to, i), Protocol: number(protocol, i),
			BytesOut: number(out, i), BytesIn: number(back, i), PacketsOut: number(sent, i), PacketsIn: number(returned, i), Community: text(community, i),
			Class: s.classes[s.class[i]], Severity: job.Severities[s.level(int(i))], Probability: s.prob[i], Score: s.attack[i], Anomaly: s.anomaly[i],
			Abstained: s.abstained[i], Note: s.marks[i].note,
		}
		return f
	}
}
