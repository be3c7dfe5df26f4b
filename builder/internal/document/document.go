// Package document writes reports as one HTML file that needs nothing else:
// no script, no font, no image from anywhere. It hides the style: light and
// dark, narrow screens, print, keyboard.
//
//	d := document.New("Profile", "two files, 2,546 rows")
//	d.Section("classes", "Classes")
//	d.Chart(c)
//	d.Table(t)
//	_, err := d.WriteTo(w)
//
// All texts are escaped: they may come from data. Charts keep their table in a
// fold below them; wide ones scroll in a region that the keyboard reaches.
package document

import (
	"fmt"
	"html"
	"io"
	"strings"

	"cloister/shared/chart"
)

// Document is a report being written.
type Document struct {
	title, lead string
	body        strings.Builder
	contents    []entry
}

type entry struct{ id, title string }

// New returns an empty report with a title and a sentence below it.
func New(title, lead string) *Document { return &Document{title: title, lead: lead} }

// Section begins a section; id is its anchor, of letters, digits and dashes.
func (d *Document) Section(id, title string) {
	if len(d.contents) > 0 {
		d.body.WriteString("</section>\n")
	}
	d.contents = append(d.contents, entry{id, title})
	fmt.Fprintf(&d.body, "<section id=\"%s\"><h2>%s</h2>\n", html.EscapeString(id), html.EscapeString(title))
}

// Heading writes a heading within a section.
func (d *Document) Heading(text string) {
	d.body.WriteString("<h3>" + html.EscapeString(text) + "</h3>\n")
}

// Text writes a paragraph.
func (d *Document) Text(format string, args ...any) {
	d.body.WriteString("<p>" + html.EscapeString(fmt.Sprintf(format, args...)) + "</p>\n")
}

// List writes items as a list, nothing for none.
func (d *Document) List(items []string) {
	if len(items) == 0 {
		return
	}
	d.body.WriteString("<ul>")
	for _, item := range items {
		d.body.WriteString("<li>" + html.EscapeString(item) + "</li>")
	}
	d.body.WriteString("</ul>\n")
}

// Chart writes a drawing with its numbers in a fold below.
func (d *Document) Chart(c chart.Chart) {
	name := html.EscapeString(c.Table.Caption)
	d.body.WriteString(`<figure><div class="scroll" role="group" tabindex="0" aria-label="` + name + `">` + c.SVG +
		"</div><figcaption>" + name + "</figcaption>")
	if len(c.Table.Rows) > 0 {
		d.body.WriteString(`<details><summary>Numbers: ` + name + `</summary><div class="scroll">` + c.Table.HTML() + "</div></details>")
	}
	d.body.WriteString("</figure>\n")
}

// Table writes a table, nothing for one without rows.
func (d *Document) Table(t chart.Table) {
	if len(t.Rows) == 0 {
		return
	}
	d.body.WriteString(`<div class="scroll" role="group" tabindex="0" aria-label="` + html.EscapeString(t.Caption) + `">` + t.HTML() + "</div>\n")
}

// Fold writes a table in a fold that is closed at first.
func (d *Document) Fold(t chart.Table) {
	if len(t.Rows) == 0 {
		return
	}
	d.body.WriteString("<details><summary>" + html.EscapeString(t.Caption) + `</summary><div class="scroll">` + t.HTML() + "</div></details>\n")
}

const style = `:root{color-scheme:light dark;--ink:#1f2328;--soft:#57606a;--paper:#fff;--line:#d0d7de;--link:#1d4ed8}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--paper:#111418;--line:#3d444d;--link:#58a6ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:64rem;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem;margin:0}h2{font-size:1.25rem;border-bottom:1px solid var(--line);margin-top:2.5rem}h3{font-size:1rem}
a{color:var(--link)}:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.lead,figcaption{color:var(--soft)}.lead,li,p{overflow-wrap:anywhere}figure{margin:1rem 0}
nav ul{columns:14rem;padding-left:1.2rem}nav li{min-height:24px}
.scroll{overflow-x:auto;max-width:100%}.scroll .chart{min-width:480px}
table{border-collapse:collapse;font-size:.875rem;margin:.5rem 0}caption{text-align:left;font-weight:600;padding:.25rem 0}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}tbody th{font-weight:400;overflow-wrap:anywhere;min-width:8rem}
td.n{text-align:right;font-variant-numeric:tabular-nums}summary{cursor:pointer;min-height:24px}
@media print{body{max-width:none;padding:0}nav{display:none}figure,tr{break-inside:avoid}details::details-content{content-visibility:visible;block-size:auto}summary{list-style:none}.scroll{overflow:visible}:root{--ink:#000;--soft:#444;--paper:#fff;--line:#999}}
`

// WriteTo writes the whole file. It implements [io.WriterTo].
func (d *Document) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n" +
		`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"><link rel="icon" href="data:,">` + "\n<title>")
	title := html.EscapeString(d.title)
	b.WriteString(title + "</title>\n<style>\n" + style + chart.CSS + "</style></head><body>\n<header><h1>" + title + `</h1><p class="lead">` + html.EscapeString(d.lead) + "</p></header>\n")
	b.WriteString(`<nav aria-label="Contents"><ul>`)
	for _, e := range d.contents {
		b.WriteString(`<li><a href="#` + html.EscapeString(e.id) + `">` + html.EscapeString(e.title) + "</a></li>")
	}
	b.WriteString("</ul></nav>\n<main>\n" + d.body.String())
	if len(d.contents) > 0 {
		b.WriteString("</section>\n")
	}
	b.WriteString("</main></body></html>\n")
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
