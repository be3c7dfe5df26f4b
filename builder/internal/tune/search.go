package tune

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
)

// search is the state of one run.
type search struct {
	o       Options
	space   Space
	rows    table
	models  []Model // the candidates
	params  []map[string]float64
	plan    []plan
	journal *journal // may be nil

	mu         sync.Mutex // guards what is below
	fits       map[place]fit
	kept       int
	todo, done float64 // work of this run, in shares of a full fit
	best       Progress
	bestRung   int
}

// deal splits off the hold-out rows and deals the others into folds. It
// returns the classes with fewer rows than folds.
func (s *search) deal(data Data) (short []int, err error) {
	d, k := data.Features, len(data.Classes)
	s.rows.d, s.rows.k = d, k
	all := table{x: data.X, sparse: data.Sparse, d: d}
	if data.Sparse != nil {
		s.rows.sparse = &grow.Sparse{Start: []int{0}}
	}
	for i, part := range prep.Stratified(data.Class, k, s.o.Shares, s.o.Seed) {
		if part == prep.Train || part == prep.Validation && !s.o.TrainOnly {
			s.rows.take(&all, i)
			s.rows.class = append(s.rows.class, data.Class[i])
		}
	}
	s.rows.fold, short, err = prep.Folds(s.rows.class, k, s.o.Folds, derive(s.o.Seed, streamFolds))
	if err != nil {
		return nil, &OptionError{"folds", fmt.Sprintf("%v (%d rows without the hold-out)", err, len(s.rows.class))}
	}
	return short, nil
}

// propose makes the candidates and plans their rungs.
func (s *search) propose() error {
	var points [][]float64
	if s.o.Search == Grid {
		var err error
		if points, err = s.space.grid(); err != nil {
			return &OptionError{"space", err.Error()}
		}
	} else {
		points = s.space.draw(s.o.Draws, rand.New(rand.NewPCG(s.o.Seed, streamDraws)))
	}
	for _, p := range points {
		params := s.space.params(p)
		m, err := newModel(s.space.Model, params)
		if err != nil {
			return &OptionError{"space", err.Error()}
		}
		s.models, s.params = append(s.models, m), append(s.params, params)
	}
	s.plan = []plan{{len(points), 1}}
	if s.o.Search == Halving {
		s.plan = schedule(len(points))
	}
	for _, p := range s.plan {
		s.todo += float64(p.size*s.o.Folds) * p.share
	}
	return nil
}

// total returns the number of fits of the whole search.
func (s *search) total() int {
	n := 0
	for _, p := range s.plan {
		n += p.size * s.o.Folds
	}
	return n
}

// resume opens the journal and takes the fits it keeps.
func (s *search) resume(h head) error {
	j, entries, err := openJournal(s.o.Journal, h)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if err := s.take(e); err != nil {
			err = fmt.Errorf("%s: line %d: %w: remove the file to start anew", s.o.Journal, i+2, err)
			return errors.Join(err, j.close())
		}
	}
	s.journal, s.kept = j, len(s.fits)
	return nil
}

// take keeps one fit of the journal. Two runs at a time may have written the same fit
// twice; it has to be the same then.
func (s *search) take(e entry) error {
	if e.Rung < 0 || e.Rung >= len(s.plan) || e.Candidate < 0 || e.Candidate >= len(s.models) || e.Fold < 0 || e.Fold >= s.o.Folds {
		return fmt.Errorf("candidate %d, fold %d in rung %d is not in this search", e.Candidate, e.Fold, e.Rung)
	}
	if err := e.fit().check(); err != nil {
		return err
	}
	if f, ok := s.fits[e.place()]; ok {
		if !f.same(e.fit()) {
			return fmt.Errorf("candidate %d has another score in fold %d than in a line before", e.Candidate, e.Fold)
		}
		return nil
	}
	s.fits[e.place()] = e.fit()
	s.todo -= s.plan[e.Rung].share
	return nil
}

// climb judges the candidates of one rung after the other.
func (s *search) climb(ctx context.Context) ([]Rung, error) {
	all := make([]int, len(s.models))
	for i := range all {
		all[i] = i
	}
	rungs := []Rung{{Share: s.plan[0].share, Candidates: all}}
	for r := range s.plan {
		if err := s.judge(ctx, r, rungs[r].Candidates); err != nil {
			if ctx.Err() != nil {
				err = &Interrupted{len(s.fits), s.total(), s.o.Journal, ctx.Err()}
			}
			return nil, err
		}
		if r+1 == len(s.plan) {
			break
		}
		next := s.plan[r+1]
		rungs[r].Promoted = promote(rungs[r].Candidates, func(c int) float64 {
			mean, _ := meanOf(s.scores(r, c))
			return mean
		}, next.size)
		rungs = append(rungs, Rung{Share: next.share, Candidates: rungs[r].Promoted})
	}
	return rungs, nil
}

// judge makes the fits of a rung that are not there yet.
func (s *search) judge(ctx context.Context, rung int, candidates []int) error {
	var tasks []place
	for _, c := range candidates {
		for fold := range s.o.Folds {
			p := place{rung, c, fold}
			if _, ok := s.fits[p]; !ok {
				tasks = append(tasks, p)
			} else if fold == s.o.Folds-1 {
				s.remember(rung, c)
			}
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	w := min(s.o.Workers, len(tasks))
	for range w {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(tasks) {
					return
				}
				if err := s.try(ctx, tasks[i], s.o.Workers/w); err != nil {
					cancel(err) // the first one stays the cause
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// try makes one fit and keeps it.
func (s *search) try(ctx context.Context, p place, workers int) error {
	share := s.plan[p.rung].share
	f, err := s.rows.judge(ctx, s.models[p.candidate], p.fold, share, s.o.Resource, s.o.Seed, workers)
	if err != nil {
		return fmt.Errorf("candidate %d (%s), fold %d: %w", p.candidate, s.space.describe(s.params[p.candidate]), p.fold, err)
	}
	if s.journal != nil {
		if err := s.journal.add(p, f); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fits[p] = f
	s.done += share
	s.remember(p.rung, p.candidate)
	if s.o.Progress != nil {
		now := s.best
		now.Fits, now.Total, now.Kept, now.Left = len(s.fits), s.total(), s.kept, max(0, 1-s.done/s.todo)
		s.o.Progress(now)
	}
	return nil
}

// remember takes a candidate that all folds have judged as the best so far if
// it is, or if it is the first of a later rung.
func (s *search) remember(rung, candidate int) {
	scores := s.scores(rung, candidate)
	if len(scores) < s.o.Folds || rung < s.bestRung {
		return
	}
	if mean, e := meanOf(scores); rung > s.bestRung || mean > s.best.Best {
		s.best.Best, s.best.BestError, s.best.BestParams = mean, e, s.space.describe(s.params[candidate])
		s.bestRung = rung
	}
}

// scores returns the macro-F1 of a candidate in the folds that have judged it.
func (s *search) scores(rung, candidate int) []float64 {
	var out []float64
	for fold := range s.o.Folds {
		if f, ok := s.fits[place{rung, candidate, fold}]; ok {
			out = append(out, f.macroF1)
		}
	}
	return out
}
