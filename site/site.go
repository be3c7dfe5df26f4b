package site

//go:generate go tool vugugen -s -skip-go-mod -skip-main ../site
//go:generate sed -i "/TOD[O]:/d" 0_components_gen.go
//go:generate go run ./internal/compact 0_components_gen.go
//go:generate gofmt -w 0_components_gen.go

import (
	"errors"
	"math"
	"runtime"
	"slices"

	"cloister/shared/job"
	"cloister/site/internal/pool"

	"github.com/vugu/vugu"
)

// App is the state of the page. The components read it while they are drawn
// and change it in event handlers, which run with the event lock held;
// goroutines of its own take that lock.
type App struct {
	host    Host
	env     vugu.EventEnv
	scorers *pool.Pool    // nil before the first bundle is loaded
	mending chan struct{} // closed when scorers that died have been replaced; nil if none did

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
	own       []float64 // thresholds by class, NaN for none, nil for none at all
	cut       int       // counts their changes
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
	early       []job.File // dropped before the scorer was ready: opened as soon as it is
	theme       string
	notice      string // the last thing done, for people who do not see it
	attempts    []Attempt
	trying      bool
	tried       bool
	recordWidth float64  // px inside the drawer
	find        string   // as typed
	findFault   error    // why it is no filter
	screen      string   // id of the screen on show
	changes     []change // marks, to be undone
	typedNote   int32    // row whose note is being typed, -1 for none
	kept        string   // settings in the address
	wanted      string   // filter of the address, until columns are known
	marked      int      // counts changes of marks
	timeline    timeline
	groups      groups
	shap        attributed
	measured    measures
	strange     anomalies
	matrix      matrix
	fleet       fleet
	book        dictionary
	shelf       shelf
	again       *reopening // scored once the bundle is loaded
	wizard      wizard
	profiles    []job.Profile // that were made or opened on this visit
	versus      versus
	packets     packets
	copied      string // what was put on the clipboard last
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
	helpPanel
)

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
	a.store.own = a.own
	a.view = newView(a.store, a.threshold)
	a.histogram = histogram{}
	a.summary, a.run = nil, runState{}
	a.tops, a.topsKey, a.nFlagged = tops{}, topsKey{}, 0
	a.table = tableState{height: a.table.height}
	a.drawer = drawerState{loading: a.drawer.loading}
	a.changes, a.typedNote = nil, -1
	a.timeline, a.groups = timeline{}, groups{by: a.groups.by}
	a.find, a.findFault = "", nil
	a.shap = attributed{chosen: -1, feature: -1}
	a.measured, a.strange = measures{}, anomalies{limit: a.strange.limit}
	a.matrix = matrix{}
	a.fleet = fleet{attack: a.fleet.attack}
}

// Start begins to load the default bundle and returns at once.
func (a *App) Start() {
	name, data := a.host.Bundle()
	if data != nil {
		a.stockUp()
		go a.load(name, data, nil)
		runtime.Gosched() // the scorer gets its bundle before anything else is done here
	}
	a.update(a.prefer)
	if data == nil {
		a.update(func() {
			a.phase = broken
			a.fail(say("loading the bundle"), job.Failf("bundle", say("Reload the page. If that does not help, the site is incomplete: it should serve a default bundle."), "no bundle was delivered with the page"))
		})
	}
}

// load starts a scorer and hands it a bundle. f is its file, nil if it is on the
// shelf already.
func (a *App) load(name string, data []byte, f job.File) {
	m, b, err := a.hire(data)
	a.update(func() {
		a.loading = false
		early, again := a.early, a.again
		a.early, a.again = nil, nil
		if err != nil {
			if a.scorers == nil {
				a.phase = broken
			}
			a.shelf.told = ""
			a.fail(sayf("loading the bundle {0}", name), err)
			return
		}
		a.staff(m, data)
		a.shelve(b, f)
		a.bundle, a.bundleFile, a.bundleData, a.threshold, a.own = b, name, data, b.Threshold, nil
		a.phase = ready
		a.clear()
		a.applySettings(a.host.Settings())
		if early != nil {
			a.open(early, false)
		} else if again != nil {
			a.openAs(again)
		}
	})
}

// staff replaces the scorers by one and those that it will be joined by.
func (a *App) staff(first pool.Member, bundle []byte) {
	if a.scorers != nil {
		a.scorers.Close()
	}
	a.scorers = pool.New(first, func() (pool.Member, error) {
		m, _, err := a.hire(bundle)
		return m, err
	}, min(a.host.Cores(), maxScorers))
}

// maxScorers bounds the workers: each holds the bundle and some 20 MB.
const maxScorers = 8

// loaded reports whether there is a bundle.
func (a *App) loaded() bool { return a.scorers != nil }

// openBundle replaces the bundle by a file's. The one that was loaded before
// stays if the new one is refused.
func (a *App) openBundle(f job.File) {
	if a.loading || a.phase == starting || a.phase == scoring {
		return
	}
	if f.Size() > maxBundle {
		a.fail(sayf("loading the bundle {0}", short(f.Name(), 60)), job.Failf("bundle", say("Choose a .bundle file made by cloister."), "the file has %d bytes, a bundle at most %d", f.Size(), maxBundle))
		return
	}
	a.loading, a.fault = true, nil
	a.shelf.told = ""
	if a.phase == finished {
		a.again = a.reopen(a.run, true)
	}
	a.host.Read(f, func(data []byte, err error) {
		if err != nil {
			a.update(func() {
				a.loading, a.again = false, nil
				a.fail(sayf("reading {0}", short(f.Name(), 60)), err)
			})
			return
		}
		a.load(f.Name(), data, f)
	})
}

// maxBundle is the size of the largest bundle that a scorer accepts.
const maxBundle = 64 << 20

// restart replaces scorers of which one is gone, keeping what was scored, and
// closes done.
func (a *App) restart(done chan<- struct{}) {
	defer close(done)
	m, _, err := a.hire(a.bundleData)
	if err != nil {
		return // the next run says so
	}
	a.update(func() { a.staff(m, a.bundleData) })
}

// fail shows an error with what was being done.
func (a *App) fail(doing string, err error) {
	var f *job.Failure
	if !errors.As(err, &f) {
		f = &job.Failure{Kind: "internal", Text: err.Error()}
	}
	a.fault, a.faultIn = f, doing
}

// topsKey is what the counts over flagged rows depend on.
type topsKey struct {
	rows      int
	threshold float64
	cut       int // counts changes of thresholds by class
}

// count brings the figures that depend on the threshold up to date.
func (a *App) count() {
	key := topsKey{a.store.rows(), a.threshold, a.cut}
	if key == a.topsKey {
		return
	}
	a.topsKey = key
	a.nFlagged, a.tops = a.store.tally(a.threshold, a.cut)
}

// setThreshold moves the alert threshold; values outside [0,1] are clamped
// and NaN is ignored.
func (a *App) setThreshold(t float64) {
	if t != t {
		return
	}
	a.threshold = min(max(t, 0), 1)
	a.recut()
}

// setOwn gives a class a threshold of its own; NaN takes it back.
func (a *App) setOwn(class int, t float64) {
	if a.store.own == nil {
		a.store.own = make([]float64, len(a.store.classes))
		for k := range a.store.own {
			a.store.own[k] = math.NaN()
		}
	}
	if t == t {
		t = min(max(t, 0), 1)
	}
	a.store.own[class] = t
	if !slices.ContainsFunc(a.store.own, func(t float64) bool { return t == t }) {
		a.store.own = nil
	}
	a.own = a.store.own
	a.cut++
	a.recut()
}

// recut brings up to date what depends on the thresholds.
func (a *App) recut() {
	if a.view.filter.text != "" || a.view.filter.flagged {
		a.view.again()
	}
	a.show(a.view.filter, a.view.order)
	a.count()
	a.keepSettings()
}
