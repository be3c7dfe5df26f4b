package report

import (
	"fmt"
	"html"
	"strings"

	"cloister/shared/attack"
	"cloister/shared/chart"
	"cloister/shared/job"
)

// maxListed is how many findings an HTML report lists; it counts them all.
const maxListed = 1000

// HTML returns one page in one file that shows the findings to people: what
// was read, what was found by class, host and technique, and the rows
// themselves, the first [maxListed] of them. It holds no script and refers to
// nothing outside, and everything that a file or a bundle said stands in it
// as text.
func HTML(s *Set) []byte {
	p := &page{}
	classes, hosts := map[string]int{}, map[string]int{}
	total, withheld := 0, 0
	for f := range s.Findings {
		total++
		if f.Abstained {
			withheld++
			continue
		}
		classes[f.Class.Name]++
		hosts[f.Source]++
	}
	p.raw(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>`)
	p.text("Cloister: " + strings.Join(s.Files, ", "))
	p.raw(`</title><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">`,
		`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`,
		`<style>`, reportCSS, chart.CSS, `</style></head><body><main><h1>Findings in `)
	p.text(strings.Join(s.Files, ", "))
	p.raw(`</h1><p>`)
	p.text(fmt.Sprintf("%d of %d scored rows are flagged at threshold %s; for %d of them the verdict is withheld. %d rows could not be read. Made %s.",
		total, s.Summary.Scored, number(s.Threshold), withheld, s.Summary.Rejected, s.Made.UTC().Format("2 January 2006, 15:04 UTC")))
	p.raw(`</p>`)
	if s.Summary.Stopped != "" {
		p.raw(`<p><strong>`)
		p.text("The file was not read to its end: " + s.Summary.Stopped)
		p.raw(`</strong></p>`)
	}
	p.bars("Flagged rows by class", "class", classes, 20)
	p.bars("Flagged rows by address", "address", hosts, 20)
	p.matrix(s)
	p.findings(s, total)
	p.about(s)
	p.raw("</main></body></html>\n")
	return []byte(p.String())
}

const reportCSS = `:root{color-scheme:light dark}body{margin:0;font:16px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}` +
	`main{max-width:72rem;margin:0 auto;padding:1rem}h1{font-size:1.6rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin-top:2rem}` +
	`.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}caption{text-align:left;font-weight:600}` +
	`th,td{padding:.25rem .6rem;border-bottom:1px solid GrayText;text-align:left;vertical-align:top}.n{text-align:right;font-variant-numeric:tabular-nums}` +
	`dt{font-weight:600}dd{margin:0 0 .5rem}summary{cursor:pointer;padding:.25rem 0}@media print{details>*{display:block}}`

// page is HTML being written; raw takes what this file says, text what others
// said.
type page struct{ strings.Builder }

func (p *page) raw(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

func (p *page) text(s string) { p.WriteString(html.EscapeString(s)) }

func (p *page) row(tag string, cells ...string) {
	p.raw("<tr>")
	for _, c := range cells {
		p.raw("<", tag, ">")
		p.text(c)
		p.raw("</", strings.Fields(tag)[0], ">")
	}
	p.raw("</tr>")
}

// bars draws the largest counts, at most n.
func (p *page) bars(title, what string, counts map[string]int, n int) {
	type one struct {
		name  string
		count int
	}
	var list []one // the n first
	before := func(a, b one) bool { return a.count > b.count || a.count == b.count && a.name < b.name }
	for name, count := range counts {
		list = append(list, one{name, count})
		for k := len(list) - 1; k > 0 && before(list[k], list[k-1]); k-- {
			list[k-1], list[k] = list[k], list[k-1]
		}
		list = list[:min(len(list), n)]
	}
	if len(list) == 0 {
		return
	}
	c := chart.Bars{Title: title, X: "rows"}
	for _, o := range list {
		c.Names, c.Values = append(c.Names, o.name), append(c.Values, float64(o.count))
	}
	drawn := c.Draw()
	p.raw("<h2>")
	p.text(title)
	p.raw("</h2>")
	if len(counts) > n {
		p.raw("<p>")
		p.text(fmt.Sprintf("The %d with the most rows of %d; a %s may be many things.", n, len(counts), what))
		p.raw("</p>")
	}
	p.raw(`<div class="wide">`, drawn.SVG, `</div><details><summary>Table</summary><div class="wide">`, drawn.Table.HTML(), `</div></details>`)
}

// matrix lists the techniques by tactic in ATT&CK's own order, tactics without
// any included.
func (p *page) matrix(s *Set) {
	found := s.techniques()
	p.raw(`<h2>ATT&amp;CK `)
	p.text(attack.Version())
	p.raw(`</h2><p>Flagged rows whose class is evidence for a technique. A technique that is not here may still have been used: this input shows some and not others.</p>`,
		`<div class="wide"><table><thead>`)
	p.row(`th scope="col"`, "Tactic", "Technique", "Rows", "Addresses", "Confidence", "Basis")
	p.raw("</thead><tbody>")
	for _, tactic := range attack.Tactics() {
		some := false
		for _, e := range found {
			if e.tactic != tactic.Shortname {
				continue
			}
			some = true
			t, _ := attack.Lookup(e.id) // it is current
			p.row("td", tactic.Name, t.ID+" "+t.Name, fmt.Sprint(e.count), fmt.Sprint(len(e.hosts)), words(e.confidences), words(e.bases))
		}
		if !some {
			p.row("td", tactic.Name, "none", "", "", "", "")
		}
	}
	p.raw("</tbody></table></div>")
	unseen := map[string]bool{}
	for _, c := range s.Bundle.Classes {
		for _, u := range c.Unseen {
			unseen[u] = true
		}
	}
	if len(unseen) > 0 {
		p.raw("<p>")
		p.text("What this input cannot show of these classes: " + words(unseen) + ".")
		p.raw("</p>")
	}
}

// findings lists rows.
func (p *page) findings(s *Set, total int) {
	p.raw("<h2>Flagged rows</h2>")
	if total > maxListed {
		p.raw("<p>")
		p.text(fmt.Sprintf("The first %d of %d; the CSV and JSON exports hold all.", maxListed, total))
		p.raw("</p>")
	}
	p.raw(`<div class="wide"><table><thead>`)
	p.row(`th scope="col"`, "File", "Row", "Time", "Source", "Destination", "Protocol", "Class", "Severity", "Probability", "Anomaly", "Note")
	p.raw("</thead><tbody>")
	n := 0
	for f := range s.Findings {
		if n++; n > maxListed {
			break
		}
		when, _ := moment(f.Start)
		class := f.Class.Name
		if f.Abstained {
			class += " (withheld)"
		}
		p.row("td", f.File, fmt.Sprint(f.Row), when, end(f.Source, f.SourcePort), end(f.Destination, f.DestinationPort), transport(f.Protocol),
			class, f.Severity, percent(f.Probability), percent(f.Anomaly), f.Note)
	}
	p.raw("</tbody></table></div>")
}

func end(address string, port float64) string {
	n, ok := whole(port, 65535)
	switch {
	case !ok:
		return address
	case strings.Contains(address, ":"):
		return fmt.Sprintf("[%s]:%d", address, n)
	}
	return fmt.Sprintf("%s:%d", address, n)
}

func percent(v float64) string {
	if v != v {
		return ""
	}
	return fmt.Sprintf("%.1f %%", v*100)
}

// about says what the verdicts rest on.
func (p *page) about(s *Set) {
	b := s.Bundle
	p.raw("<h2>What this rests on</h2><dl>")
	add := func(name, value string) {
		p.raw("<dt>")
		p.text(name)
		p.raw("</dt><dd>")
		p.text(value)
		p.raw("</dd>")
	}
	add("Bundle", fmt.Sprintf("%s %s, %s, SHA-256 %s", b.Name, b.Version, b.Trust, b.SHA256))
	add("Model", b.Model)
	for _, m := range b.Metrics {
		add(fmt.Sprintf("%s (%s, %d rows)", m.Name, m.Split, m.Rows), interval(m))
	}
	for _, l := range b.Limits {
		add("Limit", l)
	}
	add("Input", s.Summary.Format)
	if len(s.Summary.Imputed) > 0 {
		add("Scored without", strings.Join(s.Summary.Imputed, ", "))
	}
	add("ATT&CK", attack.Licence)
	p.raw("</dl>")
}

func interval(m job.Metric) string {
	text := fmt.Sprintf("%.3f", float64(m.Value))
	if low, high := float64(m.Low), float64(m.High); low == low && high == high {
		text += fmt.Sprintf(" (95 %%: %.3f to %.3f)", low, high)
	}
	return text
}
