package site

import (
	"math"
	"strconv"

	"cloister/shared/job"
)

// Sizes of the charts over many records.
const (
	whyRows  = 10  // features
	whyDots  = 300 // of one feature; more are drawn as an even sample
	whyWidth = 640.0
	whyLeft  = 190.0
	whyPitch = 30.0
)

// heat is the class of a percentile's colour.
func heat(percentile uint8) string {
	if percentile == job.NoPercentile {
		return "fig-none"
	}
	return "fig-v" + strconv.Itoa(min(int(percentile)*5/255, 4))
}

// barFigure shows the mean |φ| of the most important features, with the
// selected record as a ring.
func (a *App) barFigure(rows []int, selected int) *figure {
	x := &a.shap
	mean, order := x.importance(rows)
	f := &figure{name: "importance", title: say("What matters: mean |φ|"), w: whyWidth, head: []string{say("Feature"), say("Mean |φ|"), say("Selected record, φ")}}
	shown := order[:min(len(order), whyRows)]
	top := 1e-12
	for _, j := range shown {
		top = max(top, mean[j])
		if selected >= 0 {
			top = max(top, math.Abs(float64(x.row(selected)[j])))
		}
	}
	bottom := float64(len(shown))*whyPitch + 4
	f.h = bottom + 24
	px := f.axis(0, top, whyLeft, whyWidth-14, 0, bottom, func(v float64) string { return tickText(v, top) })
	for i, j := range shown {
		y := float64(i)*whyPitch + 6
		name := featureName(a.bundle.Features, j)
		f.add(label("", whyLeft-8, y+15, "end", short(name, 23)), rectangle("fig-cool", whyLeft, y, px(mean[j])-whyLeft, 18, name+": "+decimal(mean[j], 4)))
		if selected >= 0 {
			v := math.Abs(float64(x.row(selected)[j]))
			f.add(dot("fig-ring", px(v), y+9, 6, ""))
		}
	}
	for _, j := range order {
		row := []string{featureName(a.bundle.Features, j), decimal(mean[j], 5), noValue}
		if selected >= 0 {
			row[2] = signed(float64(x.row(selected)[j]), 5)
		}
		f.rows = append(f.rows, row)
	}
	f.desc = sayf("The mean size of the attribution of each feature over {0}; the table has all {1} features.", plural(int64(len(rows)), "record", "records"), strconv.Itoa(x.d))
	f.notes = []string{say("○ is |φ| of the selected record. Size only: the beeswarm shows direction.")}
	return f
}

// swarmFigure shows φ of each record as a dot, coloured by the rank of the
// feature's value among training rows.
func (a *App) swarmFigure(rows []int, selected int) *figure {
	x := &a.shap
	_, order := x.importance(rows)
	shown := order[:min(len(order), whyRows)]
	f := &figure{name: "beeswarm", title: say("Direction and spread"), w: whyWidth, head: []string{say("Feature"), say("Lowest φ"), say("Median φ"), say("Highest φ"), say("Selected record, φ")}}
	step := max(1, len(rows)/whyDots)
	lo, hi := 0.0, 1e-12
	for _, k := range rows {
		for _, j := range shown {
			v := float64(x.row(k)[j])
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	bottom := float64(len(shown))*whyPitch + 4
	f.h = bottom + 24
	at := f.axis(lo, hi, whyLeft, whyWidth-14, 0, bottom, func(v float64) string { return tickText(v, hi-lo) })
	f.add(stroke("fig-axis", at(0), 0, at(0), bottom))
	for i, j := range shown {
		middle := float64(i)*whyPitch + 15
		name := featureName(a.bundle.Features, j)
		f.add(label("", whyLeft-8, middle+4, "end", short(name, 23)))
		layers := map[int]int{} // dots in each of 100 columns
		place := func(k int) (px, py float64) {
			v := at(float64(x.row(k)[j]))
			column := int(v * 100 / whyWidth)
			n := layers[column]
			layers[column]++
			off := float64((n+1)/2) * 2.2
			if n%2 == 1 {
				off = -off
			}
			return v, middle + max(-12, min(12, off))
		}
		for i := 0; i < len(rows); i += step {
			k := rows[i]
			px, py := place(k)
			d := dot(heat(x.percentile[k*x.d+j]), px, py, 2.4, "")
			d.attrs = append(d.attrs, "data-row", strconv.Itoa(int(x.at[k])))
			f.add(d)
		}
		if selected >= 0 {
			f.add(dot("fig-ring", at(float64(x.row(selected)[j])), middle, 6, sayf("the selected record: {0}", signed(float64(x.row(selected)[j]), 4))))
		}
	}
	for _, j := range order {
		v := make([]float64, len(rows))
		for i, k := range rows {
			v[i] = float64(x.row(k)[j])
		}
		arrange(v, func(a, b float64) int {
			switch {
			case a < b:
				return -1
			case a > b:
				return 1
			}
			return 0
		})
		row := []string{featureName(a.bundle.Features, j), noValue, noValue, noValue, noValue}
		if n := len(v); n > 0 {
			row[1], row[2], row[3] = signed(v[0], 4), signed(v[n/2], 4), signed(v[n-1], 4)
		}
		if selected >= 0 {
			row[4] = signed(float64(x.row(selected)[j]), 4)
		}
		f.rows = append(f.rows, row)
	}
	f.desc = sayf("Attributions of {0} by feature; right of the line they raise the class, left they lower it.", plural(int64(len(rows)), "record", "records"))
	f.notes = []string{say("Colour is the value's rank among training rows, from low (cold) through middle (grey) to high (warm); ○ is the selected record. A dot opens its record.")}
	if step > 1 {
		f.notes = append(f.notes, sayf("Every {0}th record is drawn; the table counts all.", strconv.Itoa(step)))
	}
	return f
}

// dependenceFigure shows φ of feature j against the rank of its value.
func (a *App) dependenceFigure(j int, rows []int, selected int) *figure {
	x := &a.shap
	name := featureName(a.bundle.Features, j)
	f := &figure{name: "dependence", title: sayf("How {0} acts", name), w: whyWidth, h: 268, head: []string{say("Value's percentile"), say("Records"), say("Mean φ")}}
	lo, hi := 0.0, 1e-12
	var sums, counts [10]float64
	for _, k := range rows {
		v := float64(x.row(k)[j])
		lo, hi = min(lo, v), max(hi, v)
		if p := x.percentile[k*x.d+j]; p != job.NoPercentile {
			b := min(int(p)*10/254, 9)
			sums[b] += v
			counts[b]++
		}
	}
	if hi-lo < 1e-9 {
		lo, hi = -1, 1 // it moves nothing: a line in the middle
	}
	top, bottom := 8.0, 226.0
	at := f.axis(0, 100, 56, whyWidth-14, top, bottom, func(v float64) string { return decimal(v, 0) + " %" })
	y := func(v float64) float64 { return bottom - (v-lo)/(hi-lo)*(bottom-top) }
	for _, v := range niceTicks(lo, hi, 5) {
		f.add(stroke("fig-grid", 56, y(v), whyWidth-14, y(v)), label("fig-muted", 50, y(v)+4, "end", tickText(v, hi-lo)))
	}
	f.add(stroke("fig-axis", 56, y(0), whyWidth-14, y(0)), label("fig-muted", whyWidth/2, bottom+34, "middle", say("rank of the value among training rows")))
	missing := 0
	step := max(1, len(rows)/1000)
	for i := 0; i < len(rows); i += step {
		k := rows[i]
		p, v := x.percentile[k*x.d+j], float64(x.row(k)[j])
		if p == job.NoPercentile {
			missing++
			continue
		}
		class := "fig-pos"
		if v < 0 {
			class = "fig-neg"
		}
		d := dot(class, at(float64(p)/2.54), y(v), 2.6, "")
		d.attrs = append(d.attrs, "data-row", strconv.Itoa(int(x.at[k])))
		f.add(d)
	}
	if selected >= 0 && x.percentile[selected*x.d+j] != job.NoPercentile {
		f.add(dot("fig-ring", at(float64(x.percentile[selected*x.d+j])/2.54), y(float64(x.row(selected)[j])), 7, ""))
	}
	for b, n := range counts {
		if n > 0 {
			f.rows = append(f.rows, []string{sayf("{0} to {1} %", strconv.Itoa(10*b), strconv.Itoa(10*b+10)), count(int64(n)), signed(sums[b]/n, 4)})
		}
	}
	f.desc = sayf("φ of {0} against the rank of its value, for {1}.", name, plural(int64(len(rows)), "record", "records"))
	if missing > 0 {
		f.notes = append(f.notes, sayf("{0} no rank, because the value is missing.", plural(int64(missing), "record has", "records have")))
	}
	f.notes = append(f.notes, say("Main effect and interaction are mixed: records at the same rank differ in their other features."))
	return f
}

// compareFigure draws compared records as lines from the base value through
// their largest attributions to f(x).
func (a *App) compareFigure() *figure {
	x := &a.shap
	var rows []int
	for _, at := range x.compared {
		if k := x.find(at); k >= 0 {
			rows = append(rows, k)
		}
	}
	f := &figure{name: "compare", title: say("Records compared"), w: whyWidth, head: []string{say("Feature")}}
	_, order := x.importance(rows)
	shown := order[:min(len(order), 12)]
	lo, hi := math.Inf(1), math.Inf(-1)
	paths := make([][]float64, len(rows))
	for i, k := range rows {
		v := x.base[k]
		var rest float64
		for _, j := range order[len(shown):] {
			rest += float64(x.row(k)[j])
		}
		path := []float64{v, v + rest}
		v += rest
		for s := len(shown) - 1; s >= 0; s-- {
			v += float64(x.row(k)[shown[s]])
			path = append(path, v)
		}
		paths[i] = path
		for _, v := range path {
			lo, hi = min(lo, v), max(hi, v)
		}
		f.head = append(f.head, sayf("Row {0}, φ", count(a.store.row[x.at[k]])))
	}
	if !(hi > lo) {
		lo, hi = lo-0.5, lo+0.5
	}
	steps := len(shown) + 1
	bottom := float64(steps)*24 + 12
	f.h = bottom + 24
	at := f.axis(lo, hi, whyLeft, whyWidth-70, 0, bottom, func(v float64) string { return tickText(v, hi-lo) })
	for i := range steps {
		name := say("all others")
		if i > 0 {
			name = featureName(a.bundle.Features, shown[len(shown)-i])
		}
		y := bottom - 12 - (float64(i)+0.5)*24
		f.add(label("", whyLeft-8, y+4, "end", short(name, 23)))
	}
	for i, path := range paths {
		var points [][2]float64
		for s, v := range path {
			points = append(points, [2]float64{at(v), bottom - 12 - float64(s)*24})
		}
		class := "fig-other"
		if a.drawer.open && x.at[rows[i]] == a.drawer.at {
			class = "fig-pick"
		}
		f.add(polyline(class, points))
		last := points[len(points)-1]
		f.add(label("fig-muted", last[0]+4, last[1]+4+float64(i%3)*10, "start", count(a.store.row[x.at[rows[i]]])))
	}
	cells := func(name string, of func(k int) float64) {
		row := []string{name}
		for _, k := range rows {
			row = append(row, signed(of(k), 4))
		}
		f.rows = append(f.rows, row)
	}
	cells(say("base value"), func(k int) float64 { return x.base[k] })
	for _, j := range order {
		cells(featureName(a.bundle.Features, j), func(k int) float64 { return float64(x.row(k)[j]) })
	}
	cells("f(x)", func(k int) float64 { return x.margin[k] })
	f.desc = sayf("{0}, each from its base value at the bottom to f(x) at the top; where lines part, features made the difference.", plural(int64(len(rows)), "record", "records"))
	f.notes = []string{say("Each line is about the class of its own record. The open record's line stands out.")}
	return f
}
