package site

import (
	"errors"
	"time"

	"cloister/shared/job"
	"cloister/site/internal/pool"
	"cloister/site/internal/session"
)

// runState is the run under way or the last one.
type runState struct {
	name      string // of the file, or how many there are
	files     []pool.File
	sources   []session.File // what was scored
	parts     []pool.Part
	given     []job.File  // as they were chosen
	how       job.Options // what they were scored with
	sample    bool
	size      int64
	began     time.Time
	seconds   float64 // spent so far
	progress  job.Progress
	handle    *pool.Handle
	stopping  bool
	drawn     time.Time
	sorted    time.Time
	derived   time.Time // when what is derived was complete last
	announced time.Time
	said      string // the last announcement of progress
	memory    Memory // at the last drawing
}

// scored reports whether there are verdicts or a finished run to show.
func (a *App) scored() bool { return a.phase == scoring || a.phase == finished }

// open scores files, one after the other; the verdicts of the run before are
// forgotten once it has some of its own.
func (a *App) open(files []job.File, sample bool) {
	a.shelf.told = ""
	a.openAs(&reopening{files: files, sample: sample})
}

// openAs is open with all that may differ.
func (a *App) openAs(r *reopening) {
	files, sample := r.files, r.sample
	if a.phase != ready && a.phase != finished || len(files) == 0 {
		return
	}
	before, f, o := a.keep(), a.view.filter, a.view.order
	a.clear()
	if f.text != "" && a.wanted == "" {
		a.wanted = f.text
	}
	f.text, f.time = "", stretch{}
	if o.key >= 0 { // a column that the next file may not have
		o = fileOrder
	}
	a.view.set(f, o, a.threshold)
	a.fault, a.panel, a.notice = nil, noPanel, ""
	a.phase = scoring
	a.run.name, a.run.sample, a.run.began = files[0].Name(), sample, time.Now()
	a.run.given, a.run.how = files, r.how
	a.wizard, a.versus, a.packets = wizard{}, versus{}, packets{}
	if len(files) > 1 {
		a.run.name = count(int64(len(files))) + " files"
	}
	for _, f := range files {
		a.run.size += f.Size()
		a.run.sources = append(a.run.sources, session.File{Name: f.Name(), Size: f.Size()})
	}
	a.run.progress.Total = a.run.size
	a.host.ScrollTo("top", 0)
	a.host.Focus("run-title")
	go a.score(a.scorers, r, before)
}

// keep returns a function that brings back the verdicts on show, for a file
// that turns out to have none.
func (a *App) keep() (restore func()) {
	phase, run, summary := a.phase, a.run, a.summary
	store, view, histogram := a.store, a.view, a.histogram
	tops, topsKey, nFlagged, table, drawer := a.tops, a.topsKey, a.nFlagged, a.table, a.drawer
	return func() {
		a.phase, a.run, a.summary = phase, run, summary
		a.store, a.view, a.histogram = store, view, histogram
		a.tops, a.topsKey, a.nFlagged, a.table, a.drawer = tops, topsKey, nFlagged, table, drawer
	}
}

// score runs on a goroutine of its own. before brings back what was on show.
func (a *App) score(scorers *pool.Pool, r *reopening, before func()) {
	a.env.RLock()
	mending := a.mending
	a.env.RUnlock()
	if mending != nil { // a scorer died: what replaces it is on its way
		<-mending
		a.env.RLock()
		scorers = a.scorers
		a.env.RUnlock()
	}
	files := r.files
	parts := pool.Split(files, a.host, pool.Limits{})
	a.env.Lock()
	a.run.parts = parts
	for _, f := range files {
		a.store.files = append(a.store.files, f.Name())
	}
	a.env.UnlockOnly()
	var bad error
	done, err := scorers.Run(parts, r.how,
		func(h pool.Handle) {
			a.env.Lock()
			a.run.handle = &h
			a.env.UnlockOnly()
		},
		func(e pool.Event) {
			a.host.Pause() // decoding a batch, taking it, counting and drawing are a task of the window each
			a.env.Lock()
			if e.Batch != nil && bad == nil {
				bad = a.take(e, parts)
			}
			draw := a.progressed(e.Progress)
			a.env.UnlockOnly()
			if !draw {
				return
			}
			a.host.Pause()
			a.env.Lock()
			a.keepUp()
			a.env.UnlockOnly()
			a.host.Pause()
			a.update(func() {})
		})
	if err == nil {
		err = bad
	}
	a.env.Lock()
	run, again := a.run, a.reopen(a.run, false)
	a.ended(done, err, before)
	a.remark(r.marks)
	a.fit(run, again, err)
	a.env.UnlockOnly()
	a.host.Pause()
	a.update(func() {})
}

// ended closes the run.
func (a *App) ended(files []pool.File, err error, before func()) {
	a.phase = finished
	a.run.seconds = time.Since(a.run.began).Seconds()
	a.run.handle, a.run.files = nil, files
	a.run.memory = a.host.Memory()
	if err != nil {
		a.fail("scoring "+short(a.run.name, 60), err)
		var f *job.Failure
		if !errors.As(err, &f) || f.Kind == "internal" {
			a.mending = make(chan struct{})
			go a.restart(a.mending)
		}
		if a.store.rows() == 0 { // nothing to show but the reason
			before()
			if a.phase == ready {
				a.host.Focus("choose")
			}
			return
		}
	} else {
		sum := pool.Whole(files)
		a.summary = &sum
		a.run.progress.Rows, a.run.progress.Rejected = sum.Rows, sum.Rejected
	}
	a.count()
	if a.view.stale() {
		a.view.refresh()
	}
	a.work()
	a.run.said = a.doneText()
}

// take adds a batch to what is shown.
func (a *App) take(e pool.Event, parts []pool.Part) error {
	if p := e.Progress; p.Rows > 0 && p.Bytes > 0 { // an estimate that is a little too high
		a.store.expect(int(float64(p.Rows) / float64(p.Bytes) * float64(p.Total) * 1.05))
	}
	if err := a.store.append(e.Batch, origin{parts[e.Part].Source, e.Part, e.Base}); err != nil {
		return job.Failf("protocol", "Reload the page.", "verdicts could not be read: %v", err)
	}
	a.histogram.grow(a.store.attack)
	a.view.grow()
	a.want()
	return nil
}

const (
	drawEvery     = 125 * time.Millisecond // while scoring
	sortEvery     = time.Second            // a table that is not in the order of the file
	announceEvery = 5 * time.Second        // WCAG 4.1.3: progress that does not talk all the time
)

// progressed notes how far the run is and reports whether to draw.
func (a *App) progressed(p job.Progress) bool {
	now := time.Now()
	a.run.progress, a.run.seconds = p, now.Sub(a.run.began).Seconds()
	if now.Sub(a.run.announced) >= announceEvery {
		a.run.announced, a.run.said = now, a.progressText()
	}
	if now.Sub(a.run.drawn) < drawEvery {
		return false
	}
	a.run.drawn = now
	return true
}

// keepUp brings what is drawn up to date with the rows that have come.
func (a *App) keepUp() {
	now := time.Now()
	a.run.memory = a.host.Memory()
	a.count()
	if !a.view.busy() {
		a.work()
	}
	if a.view.stale() && now.Sub(a.run.sorted) >= sortEvery {
		a.run.sorted = now
		a.view.refresh()
		a.work()
	}
}

// cancel stops the run at the next batch; what was scored stays.
func (a *App) cancel() {
	if a.phase != scoring || a.run.handle == nil || a.run.stopping {
		return
	}
	a.run.stopping = true
	handle := *a.run.handle
	go handle.Cancel() // it takes the run's lock, never ours
}

// home goes back to the start and forgets the run.
func (a *App) home() {
	if a.phase != finished {
		return
	}
	a.clear()
	a.fault, a.phase = nil, ready
	a.host.ScrollTo("top", 0)
	a.host.Focus("choose")
}
