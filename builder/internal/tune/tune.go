// Package tune searches the parameters of a tree model by cross-validation. It
// hides how candidates are proposed (grid, random, successive halving), how
// they are judged (stratified folds, mean macro-F1 and its standard error) and
// how a search that was killed goes on.
//
//	space, _ := tune.DefaultSpace(tune.Forest)
//	r, err := tune.Run(ctx, data, space, tune.Options{Search: tune.Random, Seed: 1, Journal: "out/journal.ndjson"})
//	text, err := r.JSON() // read back by [Chosen]
//
// The hold-out rows that package train will judge the chosen model on take no
// part: rows are first split as train.Fit splits them for the same seed and
// shares, and the search sees training and validation rows only, or training
// rows alone with Options.TrainOnly. The score of
// the chosen candidate is still the best of many, and so too high: the
// hold-out rows say how good it is.
//
// The same data, space, settings and seed give the same result, whatever the
// number of workers and however often the search was killed. Limits:
// [MaxCandidates], [MaxFolds], and those of package grow. A journal of
// another version of the trainers must not be gone on with.
package tune

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
)

// Search is a way to propose candidates.
type Search string

// The ways to search.
const (
	Grid    Search = "grid"    // every combination of the grid values
	Random  Search = "random"  // draws from the ranges, none twice
	Halving Search = "halving" // draws; the best third goes on with three times the resource
)

// Resource is what successive halving is sparing with.
type Resource string

// The resources.
const (
	Trees Resource = "trees" // a share of each candidate's trees or rounds
	Rows  Resource = "rows"  // a share of the training rows of each class
)

// Rule is how one of the judged candidates is chosen.
type Rule string

// The rules.
const (
	// OneError takes the smallest model, by mean number of nodes, of those
	// whose mean is within one standard error of the best. Source: Breiman et
	// al., Classification and Regression Trees, 1984, section 3.4.3.
	OneError Rule = "one-error"
	// Best takes the highest mean, the earlier candidate among equals.
	Best Rule = "best"
)

// Data is a labelled table.
type Data struct {
	X        []float64    // n×Features row-major; NaN is missing
	Sparse   *grow.Sparse // instead of X; absent cells are 0
	Features int
	Class    []int    // n, index into Classes
	Classes  []string // at least two
}

// MaxFolds bounds the folds: with more, one row decides a fold's macro-F1.
const MaxFolds = 100

// Options are the settings of a search.
type Options struct {
	Search   Search      // "" means Random
	Draws    int         // candidates to draw; 0 means 27; not for Grid
	Folds    int         // 2 to MaxFolds; 0 means 5
	Resource Resource    // for Halving; "" means Trees
	Rule     Rule        // "" means OneError
	Seed     uint64      // of split, folds, draws and models
	Shares   prep.Shares // as in package train; zero value: 70/15/15
	Recipe   string      // name for journal and result
	// TrainOnly keeps the validation rows out as well, so that they can still
	// choose between what the search found and something else.
	TrainOnly bool

	Workers int // goroutines; 0 means one a core; no influence on the result
	// Journal is the file that keeps finished fits; "" keeps none. Its
	// directory must be there.
	Journal string
	// Progress is called after each fit, never twice at a time; nil to ignore.
	Progress func(Progress)
}

// Progress is how far a search is.
type Progress struct {
	Fits, Total int // one fit is a candidate on a fold; kept ones count
	Kept        int // that the journal had when the search began
	// Left is the share of this run's work still to do, in [0,1]: what the
	// journal had is not in it, so that time left is time spent·Left/(1-Left).
	Left float64
	// Best is the highest mean macro-F1 of a candidate judged on all folds, in
	// the last rung that has one, with its standard error and parameters;
	// BestParams is "" before the first.
	Best, BestError float64
	BestParams      string
}

// OptionError means that an option is outside its range.
type OptionError struct{ Field, Reason string }

// Error names the option and its range.
func (e *OptionError) Error() string { return e.Field + ": " + e.Reason }

// Interrupted means that a search was stopped from outside. What was finished
// is in the journal.
type Interrupted struct {
	Fits, Total int
	Journal     string // "" if nothing was kept
	Cause       error  // the context's
}

// Error says how to go on.
func (e *Interrupted) Error() string {
	if e.Journal == "" {
		return fmt.Sprintf("search stopped after %d of %d fits: %v", e.Fits, e.Total, e.Cause)
	}
	return fmt.Sprintf("search stopped after %d of %d fits, which %s keeps: the same command goes on from there", e.Fits, e.Total, e.Journal)
}

// Unwrap returns the cause.
func (e *Interrupted) Unwrap() error { return e.Cause }

// Streams of random numbers that depend on the seed but not on each other;
// those of a fold follow the base.
const (
	streamDraws = 100
	streamFolds = 200
	streamModel = 1_000
	streamRows  = 2_000
)

// derive returns the seed of a stream: an LCG step keeps them apart.
func derive(seed, stream uint64) uint64 { return seed*6364136223846793005 + stream }

// normal fills in defaults and finds options out of range.
func (o *Options) normal() error {
	if o.Search == "" {
		o.Search = Random
	}
	if o.Draws == 0 {
		o.Draws = 27
	}
	if o.Folds == 0 {
		o.Folds = 5
	}
	if o.Resource == "" {
		o.Resource = Trees
	}
	if o.Rule == "" {
		o.Rule = OneError
	}
	if o.Shares == (prep.Shares{}) {
		o.Shares = prep.Shares{0.70, 0.15, 0.15}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	switch {
	case o.Search != Grid && o.Search != Random && o.Search != Halving:
		return &OptionError{"search", fmt.Sprintf("%.64q: want grid, random or halving", o.Search)}
	case o.Resource != Trees && o.Resource != Rows:
		return &OptionError{"resource", fmt.Sprintf("%.64q: want trees or rows", o.Resource)}
	case o.Rule != OneError && o.Rule != Best:
		return &OptionError{"rule", fmt.Sprintf("%.64q: want one-error or best", o.Rule)}
	case o.Draws < 1 || o.Draws > MaxCandidates:
		return &OptionError{"draws", fmt.Sprintf("%d: want 1 to %d", o.Draws, MaxCandidates)}
	case o.Folds < 2 || o.Folds > MaxFolds:
		return &OptionError{"folds", fmt.Sprintf("%d: want 2 to %d", o.Folds, MaxFolds)}
	}
	return nil
}

// settings writes what the fits of a search depend on beside data and space.
func (o *Options) settings() string {
	text := fmt.Sprintf("recipe %q, %s", o.Recipe, o.Search)
	if o.Search != Grid {
		text += fmt.Sprintf(" of %d draws", o.Draws)
	}
	if o.Search == Halving {
		text += fmt.Sprintf(" by %s", o.Resource)
	}
	text += fmt.Sprintf(", %d folds, split %s, seed %d", o.Folds, percent(o.Shares), o.Seed)
	if o.TrainOnly {
		text += ", training rows only"
	}
	return text
}

// percent writes shares as prep.ParseShares reads them.
func percent(s prep.Shares) string {
	return fmt.Sprintf("%g/%g/%g", s[0]*100, s[1]*100, s[2]*100)
}

// fits reports whether the rows have the number of the labels.
func (d *Data) fits() bool {
	if s := d.Sparse; s != nil {
		return d.X == nil && len(s.Start) == len(d.Class)+1 && len(s.Index) == len(s.Value) && s.Start[len(d.Class)] == len(s.Index)
	}
	return len(d.X) == len(d.Class)*d.Features
}

// Run searches the space. Errors are [*OptionError] for options and space,
// [*InputsError] for a journal of another search, [*Interrupted] when ctx
// ends, and those of the file system and of package grow. It costs a fit for each
// candidate and fold and a copy of the rows a worker.
func Run(ctx context.Context, data Data, space Space, o Options) (*Result, error) {
	if err := o.normal(); err != nil {
		return nil, err
	}
	if err := space.check(); err != nil {
		return nil, &OptionError{"space", err.Error()}
	}
	if k := len(data.Classes); k < 2 || !data.fits() || slices.ContainsFunc(data.Class, func(c int) bool { return c < 0 || c >= k }) {
		return nil, fmt.Errorf("table of %d values, %d features, %d labels and %d classes does not fit together", len(data.X), data.Features, len(data.Class), k)
	}
	s := &search{o: o, space: space, fits: map[place]fit{}, bestRung: -1}
	short, err := s.deal(data)
	if err != nil {
		return nil, err
	}
	if err := s.propose(); err != nil {
		return nil, err
	}
	h := newHead(data, space, o.settings())
	if o.Journal == "" {
		rungs, err := s.climb(ctx)
		if err != nil {
			return nil, err
		}
		return s.result(data, h, short, rungs), nil
	}
	if err := s.resume(h); err != nil {
		return nil, err
	}
	rungs, err := s.climb(ctx)
	if err = errors.Join(err, s.journal.close()); err != nil {
		return nil, err
	}
	return s.result(data, h, short, rungs), nil
}
