package document_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"cloister/builder/internal/document"
	"cloister/shared/chart"
)

const evil = `<img src=x onerror="alert(1)">&`

// The file is well-formed, holds no markup from data, and reaches for nothing.
func TestDocument_selfContained(t *testing.T) {
	d := document.New(evil, evil)
	d.Section("a", evil)
	d.Heading(evil)
	d.Text("%s", evil)
	d.List([]string{evil})
	d.List(nil)
	d.Section("b", "Second")
	bars := chart.Bars{Title: evil, X: "n", Names: []string{evil}, Values: []float64{1}}.Draw()
	d.Chart(bars)
	d.Table(bars.Table)
	d.Fold(bars.Table)
	d.Table(chart.Table{})
	d.Fold(chart.Table{})
	var b strings.Builder
	if n, err := d.WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatal(n, err)
	}
	text := b.String()
	if strings.Contains(text, "<img") || strings.Contains(text, "<script") || strings.Contains(text, "http://") && !strings.Contains(text, `xmlns="http://www.w3.org/2000/svg"`) ||
		strings.Count(text, "https://") != 0 || strings.Contains(text, "url(") {
		t.Error(text)
	}
	if strings.Count(text, "<section ") != 2 || strings.Count(text, "</section>") != 2 || strings.Count(text, "<table") != 3 || strings.Count(text, "<details>") != 2 {
		t.Errorf("wrong parts:\n%s", text)
	}
	for _, id := range []string{`href="#a"`, `id="a"`, `href="#b"`, `id="b"`, `tabindex="0"`, `lang="en"`, "prefers-color-scheme:dark", "@media print", "default-src 'none'"} {
		if !strings.Contains(text, id) {
			t.Errorf("no %s", id)
		}
	}
	// as XML after the void elements, which HTML leaves open
	text = strings.NewReplacer(`<!DOCTYPE html>`, "", `<meta charset="utf-8">`, "", `initial-scale=1">`, `"/>`, `img-src data:">`, `"/>`, `href="data:,">`, `href="data:,"/>`).Replace(text)
	x := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := x.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
