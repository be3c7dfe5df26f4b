package site

import (
	"cmp"
	"math"
)

// anomalies counts strange rows by time, by percentile and by source, in
// steps. Strange is a row whose anomaly percentile reaches a limit.
type anomalies struct {
	limit float64 // 0 until it is chosen: the bundle's

	key, next anomalyKey
	at        int
	done, now anomalyCounts
}

type anomalyKey struct {
	rows  int
	limit float64
}

type anomalyCounts struct {
	strange, known int64
	percentile     [101]int64 // rows at or above k %, once complete
	time           []int64    // strange rows by bin of the time line
	hosts          map[uint32]*hostCount
	list           []hostCount
}

type hostCount struct {
	code               uint32
	rows, strange, hot int64
	top                float64
}

// strangeLimit is the percentile from which a row counts as strange.
func (a *App) strangeLimit() float64 {
	switch {
	case a.strange.limit > 0:
		return a.strange.limit
	case a.bundle.Strange > 0 && a.bundle.Strange < 1:
		return a.bundle.Strange
	}
	return 0.99
}

func (x *anomalies) keyOf(a *App) anomalyKey { return anomalyKey{a.store.listed(), a.strangeLimit()} }

func (x *anomalies) due(a *App) bool { return x.key != x.keyOf(a) }

func (x *anomalies) step(a *App) {
	key, s, t := x.keyOf(a), a.store, &a.timeline
	if x.next != key || x.at == 0 {
		x.next, x.at = key, 0
		x.now = anomalyCounts{hosts: map[uint32]*hostCount{}}
		if t.ready() {
			x.now.time = make([]int64, timeBins)
		}
	}
	n, end := &x.now, min(x.at+rowStep/2, key.rows)
	hosts := s.find(roleSource)
	for i := x.at; i < end; i++ {
		v := s.anomaly[i]
		if v != v {
			continue
		}
		n.known++
		n.percentile[min(max(int(v*100), 0), 100)]++
		strange := v >= key.limit
		if strange {
			n.strange++
			if at := s.time(i); n.time != nil && at >= t.lo && at <= t.hi {
				n.time[min(int((at-t.lo)/(t.hi-t.lo)*timeBins), timeBins-1)]++
			}
		}
		if hosts == nil || hosts.numbers != nil {
			continue
		}
		h := n.hosts[hosts.codes[i]]
		if h == nil {
			h = &hostCount{code: hosts.codes[i]}
			n.hosts[h.code] = h
		}
		h.rows++
		h.top = max(h.top, v)
		if strange {
			h.strange++
		}
		if s.flags(i, a.threshold) {
			h.hot++
		}
	}
	if x.at = end; end < key.rows {
		return
	}
	for k := 99; k >= 0; k-- {
		n.percentile[k] += n.percentile[k+1]
	}
	for _, h := range n.hosts {
		if h.strange > 0 {
			n.list = append(n.list, *h)
		}
	}
	arrange(n.list, func(a, b hostCount) int {
		return cmp.Or(cmp.Compare(b.strange, a.strange), cmp.Compare(b.top, a.top), cmp.Compare(a.code, b.code))
	})
	n.list, n.hosts = n.list[:min(len(n.list), maxGroups)], nil
	x.key, x.done, x.at = key, *n, 0
}

// timeFigure shows when strange rows came.
func (x *anomalies) timeFigure(t *timeline) *figure {
	const w, h = 960.0, 110.0
	f := &figure{name: "anomalies-time", title: say("Strange rows over time"), w: w, h: h + 22, head: []string{sayf("From ({0})", clockName()), say("To"), say("Rows"), say("Strange"), say("Share")}}
	var top float64
	for k, n := range x.done.time {
		if t.all[k] > 0 {
			top = max(top, float64(n)/float64(t.all[k]))
		}
	}
	for k, n := range x.done.time {
		if t.all[k] == 0 {
			continue
		}
		from, to := t.bin(k)
		part := float64(n) / float64(t.all[k])
		y := part / max(top, 1e-9) * (h - 6)
		f.add(rectangle("fig-hot", float64(k)*w/timeBins+0.5, h-y, w/timeBins-1, y, sayf("{0} to {1}: {2} of {3}", moment(from), moment(to), count(n), plural(t.all[k], "row", "rows"))))
		f.rows = append(f.rows, []string{moment(from), moment(to), count(t.all[k]), count(n), share(n, t.all[k])})
	}
	f.add(stroke("fig-axis", 0, h, w, h), label("fig-muted", 0, h+16, "start", moment(t.lo)+" "+clockName()), label("fig-muted", w, h+16, "end", moment(t.hi)), label("fig-muted", 0, 12, "start", percent(top)))
	f.desc = sayf("The share of rows in each stretch of time that are strange, up to {0}.", percent(top))
	f.notes = []string{say("Heights are shares of the rows of each stretch, so that a busy hour does not look strange for being busy.")}
	return f
}

// limitFigure shows how many rows are strange at each limit, beside what
// benign traffic like the training rows would show.
func (x *anomalies) limitFigure(limit float64) *figure {
	f := &figure{name: "anomalies-limit", title: say("What the limit does"), w: 480, h: 300, head: []string{say("Limit"), say("Rows at or above"), say("Share"), say("Expected of benign training rows")}}
	const left, right, top, bottom = 56.0, 466.0, 10.0, 256.0
	at := f.axis(50, 100, left, right, top, bottom, func(v float64) string { return decimal(v, 0) + " %" })
	y := func(v float64) float64 { return bottom - v*(bottom-top) }
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1} {
		f.add(stroke("fig-grid", left, y(v), right, y(v)), label("fig-muted", left-6, y(v)+4, "end", percent(v)))
	}
	var here, expected [][2]float64
	for k := 50; k <= 100; k++ {
		part := float64(x.done.percentile[k]) / float64(max(x.done.known, 1))
		here, expected = append(here, [2]float64{at(float64(k)), y(part)}), append(expected, [2]float64{at(float64(k)), y(1 - float64(k)/100)})
		if k%5 == 0 || k > 95 {
			f.rows = append(f.rows, []string{count(int64(k)) + " %", count(x.done.percentile[k]), percent(part), percent(1 - float64(k)/100)})
		}
	}
	f.add(polyline("fig-line", here), polyline("fig-dash", expected), stroke("fig-pick", at(100*math.Max(limit, 0.5)), top, at(100*math.Max(limit, 0.5)), bottom))
	f.desc = sayf("At the limit of {0}, {1} of the rows are strange; of benign training rows it is {2}.", percent(limit), share(x.done.strange, x.done.known), percent(1-limit))
	f.notes = []string{say("Solid: this file. Dashed: benign training rows. Far apart from end to end means that the traffic as a whole is another than the model knows, not that single rows are.")}
	return f
}
