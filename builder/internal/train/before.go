package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/past"
	"cloister/shared/feature"
	"cloister/shared/frame"
)

// Ablation says what a block of columns does for a forest over splits of one
// kind.
type Ablation struct {
	Scheme        string
	Without, With Figures
}

// Figures are those of hold-out rows, by split.
type Figures struct{ MacroF1, Accuracy []float64 }

// Before measures what counts of the flows before each one (package past)
// would add to the columns of a recipe of flows: a plain forest with and
// without them, over the given number of random splits, of splits between
// source addresses, and of cuts in time, for which the rows of each class up to
// a later and later moment are divided with the newest held out. Kinds that the
// data do not allow are left out. Counts are made in the order of time. It is
// an error if no row has a time and addresses.
func Before(ctx context.Context, d *prep.Data, r Recipe, splits int, o Options) ([]Ablation, error) {
	steps, err := feature.New(r.Schema, r.Steps)
	if err != nil {
		return nil, err
	}
	if o.Shares == (prep.Shares{}) {
		o.Shares = prep.Shares{0.70, 0.15, 0.15}
	}
	order := byTime(d)
	names, _ := d.Schemes()
	if len(order) == 0 || !slices.Contains(names, prep.HostDisjoint) {
		return nil, fmt.Errorf("no row has a time and addresses: nothing is known of what came before")
	}
	f := &frame.Frame{Schema: r.Schema, Numbers: make([][]float64, len(d.Numbers)), Texts: make([][]string, len(d.Texts))}
	for _, i := range order {
		f.Row, f.Offset = append(f.Row, d.Row[i]), append(f.Offset, 0)
	}
	for k := range d.Numbers {
		f.Numbers[k], f.Texts[k] = inTurn(d.Numbers[k], order), inTurn(d.Texts[k], order)
	}
	class := pickInts(d.Class, order)
	alone := matrix{d: steps.Len(), dense: steps.Matrix(nil, f)}
	both := matrix{d: alone.d + len(past.Names())}
	around := past.New().Append(nil, f)
	for i := range order {
		both.dense = append(append(both.dense, alone.dense[i*alone.d:(i+1)*alone.d]...), around[i*len(past.Names()):(i+1)*len(past.Names())]...)
	}
	var out []Ablation
	schemes := []string{prep.Random, prep.HostDisjoint, prep.Temporal}
	for n, scheme := range schemes {
		a := Ablation{Scheme: scheme}
		for s := range splits {
			if o.Progress != nil {
				o.Progress("splits "+scheme, (float64(n)+float64(s)/float64(splits))/float64(len(schemes)))
			}
			fit := &fit{ctx: ctx, t: &Table{Class: class}, o: o, k: len(d.Classes)}
			if scheme == prep.Temporal {
				fit.rows = cut(class, fit.k, o.Shares, 0.5+0.5*float64(s+1)/float64(splits))
			} else {
				split, err := d.Split(scheme, o.Shares, o.Seed+uint64(s))
				if err != nil {
					return nil, err
				}
				for k, i := range order {
					if p := split.Parts[i]; p != prep.Out {
						fit.rows[p] = append(fit.rows[p], k)
					}
				}
			}
			for _, v := range []struct {
				x  matrix
				to *Figures
			}{{alone, &a.Without}, {both, &a.With}} {
				m, err := fit.grow(v.x, Candidate{}, derive(o.Seed+uint64(s), streamForest), nil)
				if err != nil {
					return nil, err
				}
				predicted, _ := fit.answer(m, v.x, prep.Holdout)
				c := metric.NewConfusion(pickInts(class, fit.rows[prep.Holdout]), predicted, fit.k)
				v.to.MacroF1, v.to.Accuracy = append(v.to.MacroF1, c.MacroF1()), append(v.to.Accuracy, c.Accuracy())
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// byTime returns the labelled rows that have a time, in its order.
func byTime(d *prep.Data) []int {
	k, ok := d.Schema.Index(frame.FlowStart)
	if !ok || d.Numbers[k] == nil {
		return nil
	}
	var order []int
	for i, c := range d.Class {
		if c >= 0 && !math.IsNaN(d.Numbers[k][i]) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(d.Numbers[k][a], d.Numbers[k][b]) })
	return order
}

// cut divides the first share keep of the rows of each of k classes in their
// order.
func cut(class []int, k int, shares prep.Shares, keep float64) (rows [3][]int) {
	byClass := make([][]int, k)
	for i, c := range class {
		byClass[c] = append(byClass[c], i)
	}
	for _, of := range byClass {
		of = of[:int(math.Round(keep*float64(len(of))))]
		for n, p := range inOrder(len(of), shares) {
			rows[p] = append(rows[p], of[n])
		}
	}
	return rows
}

// inTurn returns the values at the places of order, nil of nil.
func inTurn[T any](values []T, order []int) []T {
	if values == nil {
		return nil
	}
	out := make([]T, len(order))
	for k, i := range order {
		out[k] = values[i]
	}
	return out
}
