// Package site is the analyst's page: Vugu components over one [App], which
// holds the bundle, the run and the verdicts. It hides how verdicts are kept,
// chosen and drawn; everything it needs from a window comes through [Host],
// so that it compiles and renders natively.
//
//	app := site.New(host, renderer.EventEnv())
//	root := &site.Root{App: app}
//	app.Start()                       // then draw root on every request
//
// Limits: the table lists the first million rows of a file; further rows are
// scored and counted. Texts of a capture reach the document only as text.
package site

//go:generate go tool vugugen -s -skip-go-mod -skip-main ../site
//go:generate sed -i "/TOD[O]:/d" 0_components_gen.go
//go:generate gofmt -w 0_components_gen.go

import (
	"errors"
	"time"

	"cloister/shared/job"

	"github.com/vugu/vugu"
)

// App is the state of the page. The components read it while they are drawn
// and change it in event handlers, which run with the event lock held;
// goroutines of its own take that lock.
type App struct {
	host   Host
	env    vugu.EventEnv
	client *job.Client
	stop   func() // ends the scorer

	phase      phase
	bundle     job.Bundle
	bundleFile string
	bundleData []byte // for a scorer that has to be started again
	loading    bool   // another bundle is being loaded
	fault      *job.Failure
	faultIn    string // what was being done

	run       runState
	store     *store
	view      *view
	histogram histogram
	threshold float64
	summary   *job.Summary
	tops      tops
	topsKey   topsKey
	nFlagged  int64
	working   bool // the goroutine that steps the view is running

	table   tableState
	drawer  drawerState
	panel   panel
	asTable bool // the histogram is shown as a table
	linear  bool // its heights are linear in the counts

	dropping    bool // a file is being dragged over the page
	exporting   bool
	early       job.File // dropped before the scorer was ready: opened as soon as it is
	theme       string
	notice      string // the last thing done, for people who do not see it
	attempts    []Attempt
	trying      bool
	tried       bool
	recordWidth float64 // px inside the drawer
	find        string  // as typed
	copied      string  // what was put on the clipboard last
}

// phase is where the page is between opening and a finished run.
type phase uint8

const (
	starting phase = iota // the scorer is loading the bundle
	ready                 // waiting for a file
	scoring
	finished
	broken // there is no scorer
)

// panel is what covers the page, one at a time.
type panel uint8

const (
	noPanel panel = iota
	aboutPanel
	sealPanel
)

// runState is the run under way or the last one.
type runState struct {
	name      string
	sample    bool
	size      int64
	began     time.Time
	seconds   float64 // spent so far
	progress  job.Progress
	handle    *job.Run
	stopping  bool
	drawn     time.Time
	sorted    time.Time
	announced time.Time
	said      string // the last announcement of progress
}

// drawerState is the open record.
type drawerState struct {
	open    bool
	at      int32 // row of the store
	row     int64
	record  *job.Record
	loading bool
	fault   *job.Failure
	asTable bool
}

// New returns the state of a page that has not started. env is the
// renderer's.
func New(host Host, env vugu.EventEnv) *App {
	a := &App{host: host, env: env, theme: host.Theme()}
	a.clear()
	host.OnChange(func() {
		go a.update(func() { a.measure() })
	})
	return a
}

// update runs f with the lock held and asks for a drawing.
func (a *App) update(f func()) {
	a.env.Lock()
	f()
	a.env.UnlockRender()
}

// clear forgets the run.
func (a *App) clear() {
	a.store = newStore(a.bundle.Classes)
	a.view = newView(a.store, a.threshold)
	a.histogram = histogram{}
	a.summary, a.run = nil, runState{}
	a.tops, a.topsKey, a.nFlagged = tops{}, topsKey{}, 0
	a.table = tableState{height: a.table.height}
	a.drawer = drawerState{loading: a.drawer.loading}
}

// Start begins to load the default bundle and returns at once.
func (a *App) Start() {
	name, data := a.host.Bundle()
	if data == nil {
		a.update(func() {
			a.phase = broken
			a.fail("loading the bundle", job.Failf("bundle", "Reload the page. If that does not help, the site is incomplete: it should serve a default bundle.", "no bundle was delivered with the page"))
		})
		return
	}
	go a.load(name, data)
}

// load starts a scorer and hands it a bundle.
func (a *App) load(name string, data []byte) {
	pipe, stop, err := a.host.Connect()
	if err != nil {
		a.update(func() {
			a.phase = broken
			a.fail("starting the scorer", err)
		})
		return
	}
	client := job.NewClient(pipe)
	go client.Run() // its end fails the open requests, which report it
	b, err := client.Load(data)
	a.update(func() {
		a.loading = false
		early := a.early
		a.early = nil
		if err != nil {
			stop()
			if a.client == nil {
				a.phase = broken
			}
			a.fail("loading the bundle "+name, err)
			return
		}
		if a.stop != nil {
			a.stop()
		}
		a.client, a.stop = client, stop
		a.bundle, a.bundleFile, a.bundleData, a.threshold = b, name, data, b.Threshold
		a.phase = ready
		a.clear()
		if early != nil {
			a.open(early, false)
		}
	})
}

// openBundle replaces the bundle by a file's. The one that was loaded before
// stays if the new one is refused.
func (a *App) openBundle(f job.File) {
	if a.loading || a.phase == starting || a.phase == scoring {
		return
	}
	if f.Size() > maxBundle {
		a.fail("loading the bundle "+short(f.Name(), 60), job.Failf("bundle", "Choose a .bundle file made by cloister.", "the file has %d bytes, a bundle at most %d", f.Size(), maxBundle))
		return
	}
	a.loading, a.fault = true, nil
	a.host.Read(f, func(data []byte, err error) {
		if err != nil {
			a.update(func() {
				a.loading = false
				a.fail("reading "+short(f.Name(), 60), err)
			})
			return
		}
		a.load(f.Name(), data)
	})
}

// maxBundle is the size of the largest bundle that a scorer accepts.
const maxBundle = 64 << 20

// restart replaces a scorer that is gone, keeping what was scored.
func (a *App) restart() {
	pipe, stop, err := a.host.Connect()
	if err != nil {
		return // the next run says so
	}
	client := job.NewClient(pipe)
	go client.Run()
	if _, err := client.Load(a.bundleData); err != nil {
		stop()
		return
	}
	a.update(func() {
		if a.stop != nil {
			a.stop()
		}
		a.client, a.stop = client, stop
	})
}

// fail shows an error with what was being done.
func (a *App) fail(doing string, err error) {
	var f *job.Failure
	if !errors.As(err, &f) {
		f = &job.Failure{Kind: "internal", Text: err.Error()}
	}
	a.fault, a.faultIn = f, doing
}

// scored reports whether there are verdicts or a finished run to show.
func (a *App) scored() bool { return a.phase == scoring || a.phase == finished }

// open scores a file; the verdicts of the run before are forgotten once it has
// some of its own.
func (a *App) open(f job.File, sample bool) {
	if a.phase != ready && a.phase != finished {
		return
	}
	before := a.keep()
	a.clear()
	a.fault, a.panel, a.notice = nil, noPanel, ""
	a.phase = scoring
	a.run.name, a.run.size, a.run.sample, a.run.began = f.Name(), f.Size(), sample, time.Now()
	a.run.progress.Total = f.Size()
	a.host.ScrollTo("top", 0)
	a.host.Focus("run-title")
	go a.score(a.client, f, before)
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
func (a *App) score(client *job.Client, f job.File, before func()) {
	var bad error
	sum, err := client.Score(f, job.Options{},
		func(r job.Run) {
			a.env.Lock()
			a.run.handle = &r
			a.env.UnlockOnly()
		},
		func(p job.Progress, b *job.Batch) {
			a.env.Lock()
			if b != nil && bad == nil {
				bad = a.take(b)
			}
			if draw := a.progressed(p); draw {
				a.env.UnlockRender()
			} else {
				a.env.UnlockOnly()
			}
		})
	if err == nil {
		err = bad
	}
	a.update(func() {
		a.phase = finished
		a.run.seconds = time.Since(a.run.began).Seconds()
		a.run.handle = nil
		if err != nil {
			a.fail("scoring "+short(a.run.name, 60), err)
			var f *job.Failure
			if !errors.As(err, &f) || f.Kind == "internal" {
				go a.restart()
			}
			if a.store.rows() == 0 { // nothing to show but the reason
				before()
				if a.phase == ready {
					a.host.Focus("choose")
				}
				return
			}
		} else {
			a.summary = &sum
			a.run.progress.Rows, a.run.progress.Rejected = sum.Rows, sum.Rejected
		}
		a.count()
		if a.view.stale() {
			a.view.refresh()
		}
		a.work()
		a.run.said = a.doneText()
	})
}

// take adds a batch to what is shown.
func (a *App) take(b *job.Batch) error {
	if err := a.store.append(b); err != nil {
		return job.Failf("protocol", "Reload the page.", "verdicts could not be read: %v", err)
	}
	a.histogram.grow(a.store.attack)
	a.view.grow()
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
	a.count()
	if a.view.stale() && now.Sub(a.run.sorted) >= sortEvery {
		a.run.sorted = now
		a.view.refresh()
		a.work()
	}
	return true
}

// cancel stops the run at the next batch; what was scored stays.
func (a *App) cancel() {
	if a.phase != scoring || a.run.handle == nil || a.run.stopping {
		return
	}
	a.run.stopping = true
	if err := a.run.handle.Cancel(); err != nil {
		a.fail("cancelling", err)
	}
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

// topsKey is what the counts over flagged rows depend on.
type topsKey struct {
	rows      int
	threshold float64
}

// count brings the figures that depend on the threshold up to date.
func (a *App) count() {
	key := topsKey{a.store.rows(), a.threshold}
	if key == a.topsKey {
		return
	}
	a.topsKey = key
	a.nFlagged = a.store.flagged(a.threshold)
	a.tops = a.store.tally(a.threshold)
}

// setThreshold moves the alert threshold; values outside [0,1] are clamped
// and NaN is ignored.
func (a *App) setThreshold(t float64) {
	if t != t {
		return
	}
	a.threshold = min(max(t, 0), 1)
	a.show(a.view.filter, a.view.order)
	a.count()
}

// show changes filter and order of the table.
func (a *App) show(f filter, o order) {
	a.view.set(f, o, a.threshold)
	a.work()
}

// work steps the view on a goroutine until it is complete, with a pause for
// the window's events after each step.
func (a *App) work() {
	if a.working || !a.view.busy() {
		return
	}
	// most lists are made in a step or two: no flicker for those
	for range 2 {
		if a.view.step() {
			a.listed()
			return
		}
	}
	a.working = true
	go func() {
		for {
			time.Sleep(time.Millisecond)
			a.env.Lock()
			if a.view.step() {
				a.working = false
				a.listed()
				a.env.UnlockRender()
				return
			}
			a.env.UnlockOnly()
		}
	}()
}

// save exports the rows of the table as CSV or JSON.
func (a *App) save(asJSON bool) {
	if a.exporting {
		return
	}
	a.exporting = true
	w := newWriter(a, asJSON)
	name, mime := baseName(a.run.name)+".verdicts.csv", "text/csv;charset=utf-8"
	if asJSON {
		name, mime = baseName(a.run.name)+".verdicts.json", "application/json"
	}
	go func() {
		var parts [][]byte
		for {
			a.env.RLock()
			part := w.next()
			a.env.RUnlock()
			if part == nil {
				break
			}
			parts = append(parts, part)
			time.Sleep(time.Millisecond)
		}
		a.update(func() {
			a.exporting = false
			a.notice = "Saved " + name + " with " + plural(int64(len(w.rows)), "row", "rows") + "."
			a.host.Download(name, mime, parts)
		})
	}()
}

// baseName is a file's name without its last extension, cut to 80 bytes.
func baseName(name string) string {
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == '.' {
			name = name[:i]
			break
		}
	}
	return short(name, 80)
}
