package site

import (
	"math"
	"time"
)

// filter chooses rows. The zero value with class -1 chooses all.
type filter struct {
	class   int // index of the class, -1 for every class
	flagged bool
	text    string  // a filter of cloister/site/internal/query that is valid for the store
	score   stretch // of attack scores
	time    stretch // of the time column, as it stands there
}

// stretch is a closed range that was chosen with a brush.
type stretch struct {
	on     bool
	lo, hi float64
}

func (s stretch) has(v float64) bool { return !s.on || v >= s.lo && v <= s.hi }

var everything = filter{class: -1}

// The keys of an order that are not display columns; those are numbered from 0.
const (
	byRow = -1 - iota
	byClass
	byProbability
	byAttack
	bySeverity
	byAnomaly
)

// order sorts the table. Ties stay in the order of the file.
type order struct {
	key  int
	desc bool
}

var fileOrder = order{key: byRow}

// view is the table's filtered and sorted list of rows. A change is worked
// off in short steps, so that the window stays alive with a million rows; the
// old list is shown until the new one is complete.
type view struct {
	s         *store
	filter    filter
	order     order
	threshold float64

	index []int32 // rows of the store, in the order of the table
	seen  int     // rows of the store that index covers
	work  *work   // the list being made, or nil
}

func newView(s *store, threshold float64) *view {
	return &view{s: s, filter: everything, order: fileOrder, threshold: threshold}
}

// set changes what is shown. The list follows by [view.step].
func (v *view) set(f filter, o order, threshold float64) {
	if v.filter == f && v.order == o && (v.threshold == threshold || !f.flagged) {
		v.threshold = threshold
		return
	}
	v.filter, v.order, v.threshold = f, o, threshold
	v.work = v.begin()
}

// grow takes in rows that were appended to the store. In the order of the
// file they appear at once; otherwise the list has to be made again, which is
// left to the caller's next [view.refresh].
func (v *view) grow() {
	if v.work != nil || v.order != fileOrder || v.filter.text != "" {
		return
	}
	n := v.s.listed()
	for i := v.seen; i < n; i++ {
		if v.passes(i) {
			v.index = append(v.index, int32(i))
		}
	}
	v.seen = n
}

// stale reports whether rows of the store are not in the list yet.
func (v *view) stale() bool { return v.seen < v.s.listed() }

// busy reports whether a list is being made.
func (v *view) busy() bool { return v.work != nil }

// refresh starts to make the list again, unless that is under way.
func (v *view) refresh() {
	if v.work == nil {
		v.work = v.begin()
	}
}

// again makes the list anew, dropping one that is under way.
func (v *view) again() { v.work = v.begin() }

// passes applies the filter's cheap parts to row i.
func (v *view) passes(i int) bool {
	return (v.filter.class < 0 || int(v.s.class[i]) == v.filter.class) &&
		(!v.filter.flagged || v.s.flags(i, v.threshold)) &&
		v.filter.score.has(v.s.attack[i]) && (!v.filter.time.on || v.filter.time.has(v.s.time(i)))
}

// work is a list in the making: match words, choose rows, rank words, sort.
type work struct {
	n     int // rows of the store that it covers
	match *match
	next  int // next row to choose
	index []int32
	rank  *ranking
	keys  *radix
}

func (v *view) begin() *work {
	w := &work{n: v.s.listed()}
	if v.filter.text != "" {
		w.match = v.s.match(v.filter.text, v.threshold)
	}
	return w
}

const (
	wordStep = 1 << 14 // words matched in a step
	rowStep  = 1 << 16 // rows chosen in a step

	// stepFor is how long steps are done in a row before the window gets its
	// turn: half a frame.
	stepFor = 8 * time.Millisecond
)

// step does a millisecond or two of work and reports whether the list is
// complete.
func (v *view) step() bool {
	w := v.work
	if w == nil {
		return true
	}
	if w.match != nil && !w.match.step() {
		return false
	}
	if w.next < w.n {
		end := min(w.next+rowStep, w.n)
		for i := w.next; i < end; i++ {
			if v.passes(i) && (w.match == nil || w.match.row(i)) {
				w.index = append(w.index, int32(i))
			}
		}
		w.next = end
		return false
	}
	if v.order != fileOrder {
		if !w.sort(v.s, v.order) {
			return false
		}
	}
	v.index, v.seen, v.work = w.index, w.n, nil
	return true
}

// sort does a step of sorting w.index.
func (w *work) sort(s *store, o order) bool {
	if w.keys == nil {
		var texts *column
		if o.key >= 0 && o.key < len(s.columns) && s.columns[o.key].numbers == nil {
			texts = s.columns[o.key]
			if len(texts.rank) < len(texts.words) {
				if w.rank == nil {
					w.rank = newRanking(texts.words)
				}
				if !w.rank.step() {
					return false
				}
				texts.rank = w.rank.ranks()
			}
		}
		w.keys = newRadix(w.index, o.desc, s.key(o, texts))
		return false
	}
	if !w.keys.step() {
		return false
	}
	w.index = w.keys.index
	return true
}

// key returns the number that the order compares; NaN sorts last either way.
func (s *store) key(o order, texts *column) func(i int32) float64 {
	switch {
	case texts != nil:
		return func(i int32) float64 {
			code := texts.codes[i]
			if texts.words[code] == "" {
				return math.NaN()
			}
			return float64(texts.rank[code])
		}
	case o.key >= 0 && o.key < len(s.columns):
		numbers := s.columns[o.key].numbers
		return func(i int32) float64 { return numbers.at(int(i)) }
	}
	switch o.key {
	case byClass:
		names := make([]string, len(s.classes))
		for k, c := range s.classes {
			names[k] = c.Name
		}
		r := newRanking(names)
		for !r.step() {
		}
		ranks := r.ranks()
		return func(i int32) float64 { return float64(ranks[s.class[i]]) }
	case byProbability:
		return func(i int32) float64 { return s.prob[i] }
	case byAttack:
		return func(i int32) float64 { return s.attack[i] }
	case byAnomaly:
		return func(i int32) float64 { return s.anomaly[i] }
	case bySeverity:
		return func(i int32) float64 { return float64(s.level(int(i))) }
	}
	return func(i int32) float64 { return float64(s.row[i]) }
}

// show changes filter and order of the table.
func (a *App) show(f filter, o order) {
	a.view.set(f, o, a.threshold)
	a.work()
}

// work steps the view on a goroutine until it is complete, with a pause for
// the window's events after each step.
func (a *App) work() {
	if a.working || !a.view.busy() && a.due() == nil {
		return
	}
	if a.steps() { // most lists are made at once: no flicker for those
		return
	}
	a.working = true
	go func() {
		for {
			time.Sleep(time.Millisecond)
			a.env.Lock()
			if a.steps() {
				a.working = false
				a.env.UnlockRender()
				return
			}
			a.env.UnlockOnly()
		}
	}()
}

// steps does steps for stepFor and reports whether nothing is left.
func (a *App) steps() bool {
	for began := time.Now(); ; {
		if a.step() {
			return true
		}
		if time.Since(began) >= stepFor {
			return false
		}
	}
}

// step does a millisecond or two of what is to be done, the list first, and
// reports whether nothing is left.
func (a *App) step() bool {
	if a.view.busy() {
		if a.view.step() {
			a.listed()
			return a.due() == nil
		}
		return false
	}
	d := a.due()
	if d == nil {
		return true
	}
	d.step(a)
	return a.due() == nil
}

// derived is something that is computed over all rows in steps, and again when
// what it rests on has changed.
type derived interface {
	// due reports whether there is something to do; it is cheap.
	due(a *App) bool
	// step does a few milliseconds of it.
	step(a *App)
}

// due returns what is to be computed next for what is on show, or nil.
func (a *App) due() derived {
	if a.phase == scoring && time.Since(a.run.derived) < sortEvery { // rows still come
		return nil
	}
	for _, d := range a.shown() {
		if d.due(a) {
			return d
		}
	}
	a.run.derived = time.Now()
	return nil
}
