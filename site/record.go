package site

import (
	"cmp"
	"errors"

	"cloister/shared/job"
	"cloister/site/internal/pool"
)

// inspect opens the record of a row of the store and asks the scorer to
// explain it. One question is open at a time; the newest row wins.
func (a *App) inspect(at int32) {
	d := &a.drawer
	if d.open && d.at == at && d.fault == nil {
		return
	}
	asking := d.loading
	*d = drawerState{open: true, at: at, row: a.store.row[at], loading: true, asTable: d.asTable}
	if !asking {
		go a.explain(a.scorers, a.store, at)
	}
}

// explain runs on a goroutine of its own.
func (a *App) explain(scorers *pool.Pool, s *store, at int32) {
	for {
		part, local := s.place(at)
		r, err := scorers.Explain(part, local)
		pool.Renumber(&r, s.row[at])
		again := false
		a.update(func() {
			d := &a.drawer
			if !d.open {
				d.loading = false
				return
			}
			if d.at != at || a.store != s { // the cursor moved on meanwhile
				scorers, s, at, again = a.scorers, a.store, d.at, true
				return
			}
			d.loading = false
			if err != nil {
				var f *job.Failure
				if !errors.As(err, &f) {
					f = &job.Failure{Kind: "internal", Text: err.Error()}
				}
				d.fault = f
				return
			}
			d.record = &r
		})
		if !again {
			return
		}
	}
}

// closeRecord closes the drawer and goes back to the table.
func (a *App) closeRecord() {
	if !a.drawer.open {
		return
	}
	a.drawer = drawerState{loading: a.drawer.loading, asTable: a.drawer.asTable}
	a.host.Focus("grid")
}

// recordClass is the class of the open record.
func (a *App) recordClass() job.Class { return a.store.classes[a.store.class[a.drawer.at]] }

// shares returns the class probabilities of a record, largest first, those
// under one in a thousand left out after the first three.
func shares(r *job.Record, classes []job.Class) []classShare {
	var out []classShare
	for _, s := range r.Classes {
		if s.Class >= 0 && s.Class < len(classes) {
			out = append(out, classShare{classes[s.Class].Name, s.Probability, s.Class == r.Class})
		}
	}
	arrange(out, func(a, b classShare) int { return cmp.Compare(b.p, a.p) })
	for i, s := range out {
		if i >= 3 && s.p < 0.001 {
			return out[:i]
		}
	}
	return out
}

type classShare struct {
	name    string
	p       float64
	verdict bool
}

// width is the length of a share's bar in hundredths.
func (s classShare) width() string { return px(100 * min(max(s.p, 0), 1)) }

// additive says whether the attributions add up.
func additive(r *job.Record) (string, bool) {
	ok := r.Additivity <= r.Tolerance
	text := sayf("|base + Σφ − f(x)| = {0}", scientific(r.Additivity))
	if ok {
		return sayf("{0}, within {1}", text, scientific(r.Tolerance)), true
	}
	return sayf("{0}, MORE than {1}: do not rely on this explanation", text, scientific(r.Tolerance)), false
}
