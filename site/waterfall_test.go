package site

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"cloister/shared/job"
)

func record(unit string, phis ...float64) (*job.Record, []job.Feature) {
	r := &job.Record{Row: 7, Base: -0.3, Margin: -0.3, Unit: unit}
	var f []job.Feature
	for i, p := range phis {
		r.Attributions = append(r.Attributions, job.Attribution{Feature: i, Value: fmt.Sprint(i), SHAP: p})
		r.Margin += p
		f = append(f, job.Feature{Name: fmt.Sprintf("f%d", i)})
	}
	return r, f
}

func TestWaterfall_stepsFromTheScoreToTheBase(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for trial := range 200 {
		phis := make([]float64, rnd.IntN(30))
		for i := range phis {
			phis[i] = rnd.NormFloat64()
		}
		r, f := record("log-odds", phis...)
		w := newWaterfall(r, f, []float64{320, 560}[trial%2])
		if want := min(len(phis), 11); len(w.bars) != want {
			t.Fatalf("%d attributions give %d bars, want %d", len(phis), len(w.bars), want)
		}
		var sum float64
		at := w.endX
		for i, b := range w.bars {
			sum += b.phi
			if i > 0 && i < waterfallRows && math.Abs(b.phi) > math.Abs(w.bars[i-1].phi) {
				t.Errorf("bar %d is longer than the one above", i)
			}
			var x0, x1, y float64
			points := strings.Fields(b.arrow)
			if _, err := fmt.Sscanf(points[0], "%g,%g", &x0, &y); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Sscanf(points[2], "%g,%g", &x1, &y); err != nil {
				t.Fatal(err)
			}
			if math.Abs(x1-at) > 0.02 || b.phi > 0 && x1 < x0-0.02 || b.phi < 0 && x1 > x0+0.02 {
				t.Errorf("bar %d of %g goes from %g to %g, want its tip at %g", i, b.phi, x0, x1, at)
			}
			if min(x0, x1) < w.left-0.02 || max(x0, x1) > w.right+0.02 {
				t.Errorf("bar %d leaves the plot: %g to %g", i, x0, x1)
			}
			at = b.linkX
		}
		if math.Abs(sum-(w.end-w.base)) > 1e-9 || math.Abs(at-w.baseX) > 0.02 {
			t.Errorf("the bars end at %g, the base is at %g", at, w.baseX)
		}
	}
}

func TestWaterfall_probabilityAxisOnlyForLogOdds(t *testing.T) {
	r, f := record("log-odds", 2, -1)
	w := newWaterfall(r, f, 560)
	if len(w.odds) == 0 || len(w.odds) != len(w.ticks) {
		t.Errorf("%d ticks and %d of them as probabilities", len(w.ticks), len(w.odds))
	}
	r.Unit = "probability"
	if w = newWaterfall(r, f, 560); w.odds != nil {
		t.Error("a probability is converted again")
	}
}

func TestWaterfall_svgIsWellFormed(t *testing.T) {
	r, f := record("probability", 0.3, -0.2, 0.00001)
	f[0].Name, r.Attributions[1].Value = `<script>alert("&")</script>`, `"><img src=x>`
	svg := newWaterfall(r, f, 640).svg("Row <7> & more")
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	elements := map[string]int{}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if e, ok := tok.(xml.StartElement); ok {
			elements[e.Name.Local]++
		}
	}
	if elements["polygon"] != 3 || elements["title"] != 1 || elements["desc"] != 1 || elements["script"]+elements["img"] != 0 {
		t.Errorf("elements %v", elements)
	}
}

func TestNiceTicks(t *testing.T) {
	cases := 0
	for _, c := range []struct{ lo, hi float64 }{{0, 1}, {-3.7, 12.1}, {0.4, 0.41}, {-1e6, 1e6}} {
		ticks := niceTicks(c.lo, c.hi, 5)
		if len(ticks) < 2 || len(ticks) > 11 || ticks[0] < c.lo || ticks[len(ticks)-1] > c.hi {
			t.Errorf("ticks of %v: %v", c, ticks)
		}
		cases++
	}
	for _, c := range [][2]float64{{1, 1}, {math.NaN(), 1}, {0, math.Inf(1)}} {
		if ticks := niceTicks(c[0], c[1], 5); ticks != nil {
			t.Errorf("ticks of %v: %v", c, ticks)
		}
		cases++
	}
	if cases != 7 {
		t.Error("no cases")
	}
}
