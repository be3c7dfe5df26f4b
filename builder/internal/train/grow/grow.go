// Package grow fits tree models from a table: random forests, extra trees,
// gradient boosting and isolation forests. It hides how trees are grown
// (columns cut into at most 65,534 bins, histograms of integers, sibling
// subtraction, work shared by cores) and hands over plain arrays, a
// [tree.Source], that the scorer turns into its own form.
//
//	data := grow.Data{X: x, Features: 43, Class: labels, Weights: weights}
//	source, report, err := grow.Forest(ctx, data, grow.ForestOptions{Seed: 1})
//
// The same data, options and seed give the same bits whatever the number of
// workers. Every threshold lies between two training values a < b so that
// a <= threshold < b, and is a float32 where one fits there; a row goes left
// when its value is at most the threshold. Infinities are ordinary values at
// the ends of the order; NaN is a missing value. The threshold +Inf parts the
// rows that have a value from those that lack it. A column whose training rows
// all have a value sends missing ones, in all trees, to the side where more
// of its rows went.
//
// Limits: [MaxRows], [MaxFeatures], [MaxClasses], [MaxTrees], and those of
// package tree for depth and nodes. A training table needs 1 or 2 bytes a
// cell beside the caller's own 8.
package grow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"cloister/shared/model/tree"
)

// Limits of a training table and of a model.
const (
	MaxRows     = 1<<31 - 1 // row numbers are 31-bit
	MaxFeatures = tree.MaxFeatures
	MaxClasses  = 256 // a label set beyond it is a column of identifiers
	MaxTrees    = tree.MaxTrees
)

// ErrNoRows means that the table has no row with a positive weight.
var ErrNoRows = errors.New("grow: no rows to train on")

// LimitError means that the data or the options ask for more than the package
// supports.
type LimitError struct {
	What       string // "rows", "features", "classes", "trees", "nodes", "bins"
	Limit, Got int
}

// Error says what was too big.
func (e *LimitError) Error() string {
	return fmt.Sprintf("grow: %d %s, at most %d are supported", e.Got, e.What, e.Limit)
}

// DataError means that the table contradicts itself or holds a value that has
// no meaning there: a length that does not fit, a negative class, a weight
// that is not a finite number.
type DataError struct {
	Field  string // the field of Data
	Row    int    // the row, or -1 when it is about the whole field
	Reason string
}

// Error says where and what.
func (e *DataError) Error() string {
	if e.Row < 0 {
		return fmt.Sprintf("grow: data field %s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("grow: data field %s: row %d: %s", e.Field, e.Row, e.Reason)
}

// OptionError means that an option is outside its range.
type OptionError struct {
	Field  string
	Value  any
	Reason string
}

// Error names the option, its value and its range.
func (e *OptionError) Error() string {
	return fmt.Sprintf("grow: option %s: %v: %s", e.Field, e.Value, e.Reason)
}

// Column describes one feature.
type Column struct {
	Name string // for messages only
	// Categorical columns hold codes 0, 1, ... below [MaxCategories], and NaN
	// for missing; any other value is a [*DataError]. A code that training did
	// not see goes right at every split.
	Categorical bool
}

// Data is a training table. The trainers read it and keep nothing of it.
type Data struct {
	X        []float64 // n×Features, row-major; NaN is missing
	Sparse   *Sparse   // instead of X; absent cells are 0
	Features int       // d, at least 1
	// Class holds n labels in 0..Classes-1 for classification. Classes 0
	// means the largest label plus one.
	Class   []int
	Classes int
	Target  []float64 // n finite values for regression, instead of Class
	Weights []float64 // n finite values >= 0; nil means 1 each
	Columns []Column  // d entries; nil means that all are numeric
}

// Sparse is a table in compressed rows: row i has the cells
// Index[Start[i]:Start[i+1]] (column numbers, strictly increasing) with the
// values at the same places of Value; all other cells are 0. The zero value
// has no rows. Random forests for classes grow on it as it is; the other kinds
// lay its bins out in full, 2·n·d bytes, at most 2^31 cells.
type Sparse struct {
	Start []int // n+1, not decreasing, first 0, last len(Index)
	Index []int32
	Value []float64
}

// Progress is one step of a training run.
type Progress struct {
	Done, Total int // trees or boosting rounds
	// Metric is the validation loss of the newest round of boosting with a
	// validation table, else NaN.
	Metric float64
}

// Report says how training went.
type Report struct {
	Rows    int // with a positive weight
	Classes int // 0 for regression and isolation
	Trees   int
	Nodes   int
	// Importance has one value a feature, all at least 0, with sum 1 (or 0
	// when no tree has a split): mean decrease of impurity for forests, total
	// gain for boosting, share of splits for isolation.
	Importance []float64
	// Permuted has one value a feature when a forest was asked for permutation
	// importance: the mean, over trees, of the loss of out-of-bag accuracy (or
	// the rise of squared error) after the feature's values were exchanged
	// between the tree's out-of-bag rows. Source: Breiman 2001, section 10.
	Permuted []float64
	// OutOfBag has, for each training row, the mean prediction of the trees
	// that did not see it, n×Classes (n×1 for regression), NaN where every
	// tree saw the row; nil without out-of-bag rows. Values are rounded to 2^-32
	// (regression: to 2^-44 of the largest target).
	OutOfBag []float64
	// OutOfBagScore is the weighted share of right classes (R² for
	// regression) over rows with an out-of-bag prediction, NaN without.
	OutOfBagScore float64
	// Quantiles holds, for isolation, the anomaly scores of the training rows
	// at the shares 0, 1/(len-1), ..., 1 of their order, not decreasing;
	// frame.Quantiles reads a percentile from them.
	Quantiles []float64
	// BestRound counts the rounds that boosting kept; Loss has the
	// validation loss after each round that was tried.
	BestRound int
	Loss      []float64
}

// rows checks the table and returns the number of rows.
func (d *Data) rows() (int, error) {
	if d.Features < 1 {
		return 0, &DataError{"Features", -1, fmt.Sprintf("%d, want at least 1", d.Features)}
	}
	if d.Features > MaxFeatures {
		return 0, &LimitError{"features", MaxFeatures, d.Features}
	}
	n := 0
	if s := d.Sparse; s != nil {
		if d.X != nil {
			return 0, &DataError{"Sparse", -1, "given together with X"}
		}
		if err := s.check(d.Features); err != nil {
			return 0, err
		}
		n = max(len(s.Start)-1, 0)
	} else {
		if len(d.X)%d.Features != 0 {
			return 0, &DataError{"X", -1, fmt.Sprintf("%d values, want a multiple of %d", len(d.X), d.Features)}
		}
		n = len(d.X) / d.Features
	}
	if n > MaxRows {
		return 0, &LimitError{"rows", MaxRows, n}
	}
	if d.Columns != nil && len(d.Columns) != d.Features {
		return 0, &DataError{"Columns", -1, fmt.Sprintf("%d entries, want %d", len(d.Columns), d.Features)}
	}
	if d.Weights != nil && len(d.Weights) != n {
		return 0, &DataError{"Weights", -1, fmt.Sprintf("%d values, want %d", len(d.Weights), n)}
	}
	for i, w := range d.Weights {
		if !(w >= 0 && w <= math.MaxFloat64) {
			return 0, &DataError{"Weights", i, fmt.Sprintf("%v, want a finite number of at least 0", w)}
		}
	}
	return n, nil
}

// check finds the first fault of a sparse table of d columns.
func (s *Sparse) check(d int) error {
	if len(s.Start) == 0 {
		if len(s.Index) > 0 || len(s.Value) > 0 {
			return &DataError{"Sparse", -1, "cells without rows"}
		}
		return nil
	}
	if len(s.Index) != len(s.Value) || s.Start[0] != 0 || s.Start[len(s.Start)-1] != len(s.Index) {
		return &DataError{"Sparse", -1, "Start, Index and Value do not fit together"}
	}
	for i := range len(s.Start) - 1 {
		lo, hi := s.Start[i], s.Start[i+1]
		if lo > hi || hi > len(s.Index) {
			return &DataError{"Sparse", i, "Start decreases"}
		}
		last := int32(-1)
		for _, j := range s.Index[lo:hi] {
			if j <= last || int(j) >= d {
				return &DataError{"Sparse", i, fmt.Sprintf("column %d after %d, want increasing and below %d", j, last, d)}
			}
			last = j
		}
	}
	return nil
}

// classes checks the labels of n rows and returns the number of classes.
func (d *Data) classes(n int) (int, error) {
	if d.Target != nil {
		return 0, &DataError{"Target", -1, "given together with Class"}
	}
	if len(d.Class) != n {
		return 0, &DataError{"Class", -1, fmt.Sprintf("%d values, want %d", len(d.Class), n)}
	}
	k := 0
	for i, c := range d.Class {
		if c < 0 || d.Classes > 0 && c >= d.Classes {
			return 0, &DataError{"Class", i, fmt.Sprintf("class %d, want 0 to %d", c, d.Classes-1)}
		}
		k = max(k, c+1)
	}
	k = max(k, d.Classes)
	if k > MaxClasses {
		return 0, &LimitError{"classes", MaxClasses, k}
	}
	return k, nil
}

// target checks the regression targets of n rows.
func (d *Data) target(n int) error {
	if len(d.Target) != n {
		return &DataError{"Target", -1, fmt.Sprintf("%d values, want %d", len(d.Target), n)}
	}
	for i, v := range d.Target {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return &DataError{"Target", i, fmt.Sprintf("%v, want a finite number", v)}
		}
	}
	return nil
}

// workers returns the number of goroutines for an option value.
func workers(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// parallel calls do(worker, task) for every task below tasks, from w
// goroutines, and waits for all. The first error, or the end of ctx, stops the
// handing out of tasks.
func parallel(ctx context.Context, w, tasks int, do func(worker, task int) error) error {
	w = min(w, tasks)
	if w <= 1 {
		for t := range tasks {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(0, t); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		once  sync.Once
		first error
		stop  atomic.Bool
	)
	fail := func(err error) {
		once.Do(func() { first = err })
		stop.Store(true)
	}
	for i := range w {
		wg.Go(func() {
			for !stop.Load() {
				t := int(next.Add(1)) - 1
				if t >= tasks {
					return
				}
				if err := ctx.Err(); err != nil {
					fail(err)
					return
				}
				if err := do(i, t); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if first != nil {
		return first
	}
	return ctx.Err()
}

// ticker serialises progress calls.
type ticker struct {
	mu    sync.Mutex
	done  int
	total int
	call  func(Progress)
}

func (t *ticker) tick(metric float64) {
	if t.call == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	t.call(Progress{Done: t.done, Total: t.total, Metric: metric})
}

// chunk returns the bounds of part i of n things cut into parts.
func chunk(n, parts, i int) (lo, hi int) {
	return n * i / parts, n * (i + 1) / parts
}
