package site

import "math"

// timeBins is the number of bars of the time line.
const timeBins = 96

// timeline counts rows and flagged rows by time, in steps.
type timeline struct {
	key      timeKey // of what is complete
	next     timeKey // of what is under way
	at       int
	lo, hi   float64 // of what is complete
	all, hot []int64

	pass           int // 0 looks for the range, 1 counts
	from, to       float64
	counts, flaged []int64
}

type timeKey struct {
	rows, cut int
	threshold float64
}

func (a *App) timeKey() timeKey { return timeKey{a.store.listed(), a.cut, a.threshold} }

func (t *timeline) due(a *App) bool { return a.store.clock != nil && t.key != a.timeKey() }

func (t *timeline) step(a *App) {
	if key := a.timeKey(); t.next != key {
		t.next, t.at, t.pass = key, 0, 0
		t.from, t.to = math.Inf(1), math.Inf(-1)
	}
	s, end := a.store, min(t.at+rowStep, t.next.rows)
	if t.pass == 0 {
		for i := t.at; i < end; i++ {
			v := s.clock.numbers.at(i)
			if v > 0 && !math.IsInf(v, 0) {
				t.from, t.to = min(t.from, v), max(t.to, v)
			}
		}
		if t.at = end; end == t.next.rows {
			t.pass, t.at, t.counts, t.flaged = 1, 0, make([]int64, timeBins), make([]int64, timeBins)
		}
		return
	}
	scale := timeBins / max(t.to-t.from, 1)
	for i := t.at; i < end; i++ {
		v := s.clock.numbers.at(i)
		if !(v > 0) || math.IsInf(v, 0) {
			continue
		}
		k := min(int((v-t.from)*scale), timeBins-1)
		t.counts[k]++
		if s.flags(i, a.threshold) {
			t.flaged[k]++
		}
	}
	if t.at = end; end == t.next.rows {
		t.key, t.lo, t.hi, t.all, t.hot = t.next, t.from, t.to, t.counts, t.flaged
	}
}

// ready reports whether there is a time line with a length.
func (t *timeline) ready() bool { return len(t.all) > 0 && t.hi > t.lo }

// bin returns the limits of bar k.
func (t *timeline) bin(k int) (from, to float64) {
	w := (t.hi - t.lo) / timeBins
	return t.lo + float64(k)*w, t.lo + float64(k+1)*w
}

// figure draws the time line.
func (t *timeline) figure(chosen stretch) *figure {
	const w, h = 960.0, 96.0
	f := &figure{name: "time", title: say("Time line"), w: w, h: h + 22, head: []string{sayf("From ({0})", clockName()), say("To"), say("Rows"), say("Flagged")}}
	var top, rows, hot int64
	for k, n := range t.all {
		top, rows, hot = max(top, n), rows+n, hot+t.hot[k]
	}
	f.desc = sayf("{0}, {1} flagged, from {2} to {3} {4}.", plural(rows, "row", "rows"), count(hot), moment(t.lo), moment(t.hi), clockName())
	height := func(n int64) float64 { return math.Log1p(float64(n)) / math.Log1p(float64(max(top, 1))) * (h - 4) }
	for k, n := range t.all {
		if n == 0 {
			continue
		}
		from, to := t.bin(k)
		x, pitch := float64(k)*w/timeBins, w/timeBins
		tip := sayf("{0} to {1}: {2}, {3} flagged", moment(from), moment(to), plural(n, "row", "rows"), count(t.hot[k]))
		class := "fig-cool"
		if chosen.on && (to < chosen.lo || from > chosen.hi) {
			class += " fig-faint"
		}
		y := height(n)
		f.add(rectangle(class, x+0.5, h-y, pitch-1, y, tip))
		if t.hot[k] > 0 {
			y := height(t.hot[k])
			f.add(rectangle("fig-hot", x+0.5, h-y, pitch-1, y, tip))
		}
		f.rows = append(f.rows, []string{moment(from), moment(to), count(n), count(t.hot[k])})
	}
	f.add(stroke("fig-axis", 0, h, w, h), label("fig-muted", 0, h+16, "start", moment(t.lo)+" "+clockName()), label("fig-muted", w, h+16, "end", moment(t.hi)))
	f.notes = []string{say("Heights grow with the logarithm of the count; the part in the colour of alerts is flagged.")}
	return f
}

// perMilli is how many milliseconds a unit of the time column is.
func (t *timeline) perMilli() float64 {
	switch {
	case t.hi > 1e14:
		return 1e-3
	case t.hi < 1e11:
		return 1e3
	}
	return 1
}
