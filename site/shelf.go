package site

import (
	"errors"
	"slices"
	"strings"

	"cloister/shared/job"
	"cloister/site/internal/pool"
)

// shelf holds the bundles at hand, and the keys that verify them on this page.
type shelf struct {
	items  []*shelved
	open   bool   // the list is shown at the start
	asking bool   // bundles that nobody has loaded yet are being looked at
	told   string // why the page changed the bundle by itself
	keys   []keyFile
}

// shelved is a bundle at hand.
type shelved struct {
	Stocked
	info  *job.Bundle // nil until it was loaded once
	fault error       // why it cannot be loaded
}

// keyFile is a file of public keys that was read.
type keyFile struct {
	pem     []byte
	keys    []job.Key
	trusted bool
}

// stockUp puts the bundles that came with the page on the shelf.
func (a *App) stockUp() {
	for _, s := range a.host.Stock() {
		a.shelf.items = append(a.shelf.items, &shelved{Stocked: s})
	}
}

// shelve notes what a bundle that was loaded is; one that is not on the shelf
// yet is put there if its file is known.
func (a *App) shelve(b job.Bundle, f job.File) {
	for _, s := range a.shelf.items {
		if s.SHA256 == b.SHA256 {
			s.info, s.fault = &b, nil
			return
		}
	}
	if f != nil {
		a.shelf.items = append(a.shelf.items, &shelved{Stocked: Stocked{b.Name, b.Version, b.Title, b.Schema, b.SHA256, f}, info: &b})
	}
}

// reading returns the first other bundle that reads a schema, nil without one.
func (a *App) reading(schema string) *shelved {
	for _, s := range a.shelf.items {
		if s.Schema == schema && s.SHA256 != a.bundle.SHA256 {
			return s
		}
	}
	return nil
}

// madeFor returns a bundle for files of a tool, by their titles, when that on
// duty is for any.
func (a *App) madeFor(format string) *shelved {
	tool, _, _ := strings.Cut(format, " ")
	if len(tool) < 4 || strings.Contains(a.bundle.Title, tool) {
		return nil
	}
	for _, s := range a.shelf.items {
		if s.Schema == a.bundle.Schema && s.SHA256 != a.bundle.SHA256 && strings.Contains(s.Title, tool) {
			return s
		}
	}
	return nil
}

// reopening is a file on show that another bundle will score.
type reopening struct {
	files  []job.File
	how    job.Options
	sample bool
	marks  map[rowKey]mark
}

// rowKey names a row by the index of its file and its number there.
type rowKey struct {
	source int
	row    int64
}

// reopen returns what is on show, for another bundle; nil without anything.
func (a *App) reopen(run runState, byHand bool) *reopening {
	if len(run.given) == 0 {
		return nil
	}
	r := &reopening{files: run.given, how: run.how, sample: run.sample}
	r.how.FlowText = byHand
	for at, m := range a.store.marks {
		if r.marks == nil {
			r.marks = map[rowKey]mark{}
		}
		r.marks[rowKey{a.store.source(at), a.store.row[at]}] = m
	}
	return r
}

// use replaces the bundle by one from the shelf and scores again what again
// says. told is why, when nobody asked for it.
func (a *App) use(s *shelved, again *reopening, told string) {
	if a.loading || a.phase == starting || a.phase == scoring {
		return
	}
	a.loading, a.fault, a.again = true, nil, again
	a.shelf.told = told
	go func() {
		data, err := a.readAll(s.File)
		if err != nil {
			a.update(func() {
				a.loading, a.again = false, nil
				a.fail(sayf("reading {0}", short(s.File.Name(), 60)), err)
			})
			return
		}
		a.load(s.File.Name(), data, s.File)
	}()
}

// chooseBundle is use for a click.
func (a *App) chooseBundle(s *shelved) {
	var again *reopening
	if a.phase == finished {
		again = a.reopen(a.run, true)
	}
	a.use(s, again, "")
}

// readAll reads a file; it blocks.
func (a *App) readAll(f job.File) (data []byte, err error) {
	done := make(chan struct{})
	a.host.Read(f, func(b []byte, e error) {
		data, err = b, e
		close(done)
	})
	<-done
	return data, err
}

// hire starts a scorer that trusts the keys of this page and loads a bundle.
func (a *App) hire(bundle []byte) (m pool.Member, b job.Bundle, err error) {
	pipe, stop, err := a.host.Connect()
	if err != nil {
		return m, b, err
	}
	m = pool.Member{Client: job.NewClient(pipe), Stop: stop}
	go m.Client.Run() // its end fails the open requests, which report it
	a.env.RLock()
	keys := slices.Clone(a.shelf.keys)
	a.env.RUnlock()
	for _, k := range keys {
		if k.trusted && err == nil {
			_, err = m.Client.Keys(k.pem, true)
		}
	}
	if err == nil {
		b, err = m.Client.Load(bundle)
	}
	if err != nil {
		stop()
		return pool.Member{}, b, err
	}
	return m, b, nil
}

// look loads the bundles of the shelf that nobody has loaded yet, or all of
// them, one after the other, to say what they are.
func (a *App) look(all bool) {
	if a.shelf.asking || !a.loaded() {
		return
	}
	var todo []*shelved
	for _, s := range a.shelf.items {
		if all || s.info == nil && s.fault == nil {
			todo = append(todo, s)
		}
	}
	if len(todo) == 0 {
		return
	}
	a.shelf.asking = true
	go func() {
		for _, s := range todo {
			info, err := a.lookAt(s)
			a.update(func() {
				if s.fault = err; err == nil {
					s.info = &info
				}
				if err == nil && info.SHA256 == a.bundle.SHA256 { // the keys may be others now
					a.bundle.Trust, a.bundle.Key, a.bundle.KeyFingerprint = info.Trust, info.Key, info.KeyFingerprint
				}
			})
		}
		a.update(func() { a.shelf.asking = false })
	}()
}

func (a *App) lookAt(s *shelved) (job.Bundle, error) {
	data, err := a.readAll(s.File)
	if err != nil {
		return job.Bundle{}, err
	}
	m, info, err := a.hire(data)
	if err == nil {
		m.Stop()
	}
	return info, err
}

// fit is called with a run that has ended, for a file that another bundle of
// the shelf reads, or one that needs a hand with its columns.
func (a *App) fit(run runState, again *reopening, err error) {
	if again == nil || a.loading {
		return
	}
	var f *job.Failure
	if err != nil && !errors.As(err, &f) {
		return
	}
	if f != nil && f.Columns && len(run.given) == 1 {
		a.proposeColumns(run.given[0], again, false)
		return
	}
	if run.how.FlowText {
		return // the bundle was chosen by hand
	}
	was := a.bundleName()
	switch {
	case f != nil && f.Schema != "":
		if s := a.reading(f.Schema); s != nil {
			a.use(s, again, sayf("{0} holds {1} rows, which {2} does not read: {3} does, and scored it.", short(run.name, 60), f.Schema, was, s.Name))
		}
	case f == nil && a.summary != nil && !a.summary.Cancelled:
		if s := a.madeFor(a.summary.Format); s != nil {
			tool, _, _ := strings.Cut(a.summary.Format, " ")
			a.use(s, again, sayf("{0} was written by {1}: {3}, which learnt from such files, scored it in place of {2}.", short(run.name, 60), tool, was, s.Name))
		}
	}
}

// bundleName is the bundle's name with its version.
func (a *App) bundleName() string { return a.bundle.Name + " " + a.bundle.Version }

// remark puts marks of a run before on the same rows.
func (a *App) remark(marks map[rowKey]mark) {
	if len(marks) == 0 {
		return
	}
	for at := range int32(a.store.listed()) {
		if m, ok := marks[rowKey{a.store.source(at), a.store.row[at]}]; ok {
			a.store.marks[at] = m
		}
	}
	a.marked++
}

// readKeys reads a file of public keys and shows them; nothing is trusted yet.
func (a *App) readKeys(f job.File) {
	if f.Size() > 64<<10 || !a.loaded() {
		a.fail(sayf("reading {0}", short(f.Name(), 60)), job.Failf("input", say("Choose a public key in PEM."), "the file has %d bytes, a list of keys at most %d", f.Size(), 64<<10))
		return
	}
	scorers := a.scorers
	go func() {
		pem, err := a.readAll(f)
		var keys []job.Key
		if err == nil {
			keys, err = scorers.First().Keys(pem, false)
		}
		a.update(func() {
			if err != nil {
				a.fail(sayf("reading {0}", short(f.Name(), 60)), err)
				return
			}
			a.shelf.keys = append(a.shelf.keys, keyFile{pem: pem, keys: keys})
			a.shelf.open = true
			a.notice = plural(int64(len(keys)), "key was read. Compare its fingerprint before you trust it.", "keys were read. Compare their fingerprints before you trust them.")
			if a.scored() {
				a.openScreen("bundles")
			}
			a.host.Focus("keys-title")
		})
	}()
}

// trust makes keys count on this page, for the bundles on the shelf and those
// that come later.
func (a *App) trust(i int) {
	a.shelf.keys[i].trusted = true
	a.notice = say("The keys are trusted on this page, until it is closed.")
	a.look(true)
}
