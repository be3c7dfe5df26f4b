//go:build !js

package dom_test

import (
	"fmt"
	"slices"
	"testing"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/chromedp"
)

// BenchmarkRenderer_againstStock draws a table of 1,000 rows of 8 cells, whole
// and then with one cell changed, with our renderer and with Vugu's own, in
// the same page, by turns. An iteration is a page loaded anew; seven are the
// least. The figures are milliseconds inside Render, medians over the
// iterations; the ratios (stock / ours) are taken within each. The policy is
// off, as Vugu's own renderer needs eval.
func BenchmarkRenderer_againstStock(b *testing.B) {
	url := serve(b, "bench", "")
	tab := chromium.Start(b, chromium.Options{})
	var figures struct{ ours, stock, ratio, oursFirst, stockFirst, ratioFirst []float64 }
	round := func() {
		if err := chromedp.Run(tab, chromedp.Navigate(url), chromedp.Poll("globalThis.ready", nil)); err != nil {
			b.Fatalf("%v: %+v", err, tab.Problems())
		}
		kinds := []string{"ours", "stock"}
		if len(figures.ratio)%2 == 1 {
			slices.Reverse(kinds)
		}
		first, updates := map[string]float64{}, map[string][]float64{}
		for _, k := range kinds {
			first[k] = try[float64](b, tab, fmt.Sprintf("first(%q)", k))
		}
		for range 6 {
			for _, k := range kinds {
				updates[k] = append(updates[k], try[float64](b, tab, fmt.Sprintf("update(%q)", k)))
			}
		}
		if got := try[string](b, tab, "['#app table', 'table'].map(s => document.querySelectorAll(s + ' td').length + ' ' + document.querySelector(s).textContent.match(/changed \\d/g)).join()"); got != "8000 changed 1,changed 2,changed 3,changed 4,changed 5,changed 6,16000 changed 1,changed 2,changed 3,changed 4,changed 5,changed 6" {
			b.Fatalf("tables hold %s", got)
		}
		ours, stock := median(updates["ours"][1:]), median(updates["stock"][1:])
		figures.ours, figures.stock, figures.ratio = append(figures.ours, ours), append(figures.stock, stock), append(figures.ratio, stock/ours)
		figures.oursFirst, figures.stockFirst = append(figures.oursFirst, first["ours"]), append(figures.stockFirst, first["stock"])
		figures.ratioFirst = append(figures.ratioFirst, first["stock"]/first["ours"])
	}
	for b.Loop() {
		round()
	}
	for len(figures.ratio) < 7 {
		round()
	}
	for _, f := range []struct {
		unit   string
		values []float64
	}{
		{"ours-ms", figures.ours}, {"stock-ms", figures.stock}, {"stock/ours", figures.ratio},
		{"ours-first-ms", figures.oursFirst}, {"stock-first-ms", figures.stockFirst}, {"stock/ours-first", figures.ratioFirst},
	} {
		m := median(f.values)
		b.ReportMetric(m, f.unit)
		b.Logf("%-16s median %8.3f  least %8.3f  most %8.3f  of %d", f.unit, m, f.values[0], f.values[len(f.values)-1], len(f.values))
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
}

// median sorts values and returns the middle one.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
