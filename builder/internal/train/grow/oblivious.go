package grow

import (
	"context"
	"fmt"
	"math"

	"cloister/shared/model/tree"
)

// ObliviousOptions says how oblivious trees are boosted. Where 0 stands for a
// default that is not 0, any negative value means 0.
type ObliviousOptions struct {
	Rounds       int     // trees; 0 means 200
	Seed         uint64  // the same seed gives the same model
	LearningRate float64 // eta, in (0, 1]; 0 means 0.15
	Depth        int     // levels, 1 to [tree.MaxLevels]; 0 means 6

	Lambda       float64 // L2 penalty of leaf values; 0 means 1
	MaxDeltaStep float64 // bound of a leaf value before eta; 0 means 8, for targets the largest distance from their mean. It also sets the steps of leaf values

	Subsample     float64   // chance of each row to take part in a tree's choice of splits, in (0, 1]; 0 means 1
	ColsampleTree float64   // share of the columns that a tree may use, in (0, 1]; 0 means 1
	ClassWeights  []float64 // one finite factor >= 0 a class, on top of row weights; nil means 1 each
	Bins          int       // bins of a numeric column, 2 to 255; 0 means 128

	Validation    *Data          // watched after each round; same columns and kind of labels
	EarlyStopping int            // rounds without a lower validation loss that end training; 0 means never
	Workers       int            // goroutines; 0 means one a core; no influence on the result
	Progress      func(Progress) // called after each round; may be nil
}

// normal fills in defaults and finds options out of range.
func (o *ObliviousOptions) normal(k int) error {
	o.Rounds = orDefault(o.Rounds, 200)
	o.Depth = orDefault(o.Depth, 6)
	o.Bins = orDefault(o.Bins, 128)
	o.Workers = workers(o.Workers)
	for _, v := range []struct {
		name      string
		value     *float64
		def, most float64
	}{
		{"LearningRate", &o.LearningRate, 0.15, 1},
		{"Lambda", &o.Lambda, 1, math.MaxFloat64},
		{"MaxDeltaStep", &o.MaxDeltaStep, 8, 1e60},
		{"Subsample", &o.Subsample, 1, 1},
		{"ColsampleTree", &o.ColsampleTree, 1, 1},
	} {
		if !(*v.value <= v.most) || math.IsInf(*v.value, 0) {
			return &OptionError{v.name, *v.value, fmt.Sprintf("want a finite number of at most %v", v.most)}
		}
		if *v.value == 0 {
			*v.value = v.def
		}
		if *v.value = max(*v.value, 0); *v.value == 0 && v.name != "Lambda" {
			return &OptionError{v.name, 0, "want more than 0"}
		}
	}
	switch {
	case o.Rounds < 0:
		return &OptionError{"Rounds", o.Rounds, "want at least 1"}
	case o.Rounds > tree.MaxOblivious:
		return &LimitError{"trees", tree.MaxOblivious, o.Rounds}
	case o.Depth < 1 || o.Depth > tree.MaxLevels:
		return &OptionError{"Depth", o.Depth, fmt.Sprintf("want 1 to %d", tree.MaxLevels)}
	case o.Bins < 2 || o.Bins > math.MaxUint8:
		return &OptionError{"Bins", o.Bins, "want 2 to 255"}
	case o.EarlyStopping < 0:
		return &OptionError{"EarlyStopping", o.EarlyStopping, "want 0 or more"}
	case o.EarlyStopping > 0 && o.Validation == nil:
		return &OptionError{"EarlyStopping", o.EarlyStopping, "needs Validation"}
	case o.ClassWeights != nil && len(o.ClassWeights) != k:
		return &OptionError{"ClassWeights", len(o.ClassWeights), fmt.Sprintf("want %d factors", k)}
	}
	for _, w := range o.ClassWeights {
		if !(w >= 0 && w <= math.MaxFloat64) {
			return &OptionError{"ClassWeights", w, "want finite numbers >= 0"}
		}
	}
	return nil
}

// Oblivious grows boosted trees that ask one question on each level, with one
// leaf vector for all classes, on the objective of [Boost] without gamma and
// alpha. They are a model for browsers: the fastest to score and to explain,
// and small.
//
// A level takes the split with the largest sum, over the nodes of the level and
// the outputs, of GL²/(HL+lambda) + GR²/(HR+lambda); ties go to the lower
// feature and threshold. A tree ends before Depth when no split has a gain.
// A leaf's value is -eta·G/(H+lambda), held within eta·MaxDeltaStep and rounded
// to a multiple of eta·MaxDeltaStep/[tree.MaxStep], the source's Step; later
// trees see the rounded one. Its cover is its number of training rows. Rows
// with a missing value go to the side with more gain, both being tried.
//
// Links, base, rounding of derivatives, validation and errors are as for
// [Boost]; categorical columns are refused. It costs about
// n·d·depth·outputs additions a tree for the rows not yet right, and
// 2^depth·bins·outputs more a column.
//
// Sources: Langley, Sage: oblivious decision trees and abstract cases, AAAI
// workshop 1994; Prokhorenkova et al.: CatBoost, NeurIPS 2018; Zhang, Jung:
// GBDT-MO, arXiv:1909.04373, for leaf vectors.
func Oblivious(ctx context.Context, data Data, options ObliviousOptions) (tree.Source, Report, error) {
	fail := func(err error) (tree.Source, Report, error) { return tree.Source{}, Report{}, err }
	n, err := data.rows()
	if err != nil {
		return fail(err)
	}
	for j := range data.Columns {
		if data.Columns[j].Categorical {
			return fail(&DataError{"Columns", j, "oblivious trees have no categorical splits"})
		}
	}
	k := 0
	if data.Class != nil || data.Target == nil {
		if k, err = data.classes(n); err != nil {
			return fail(err)
		}
		k = max(k, 2)
	} else if err = data.target(n); err != nil {
		return fail(err)
	}
	o := options
	if k == 0 && o.MaxDeltaStep == 0 {
		o.MaxDeltaStep = farthest(data.Target)
	}
	if err := o.normal(k); err != nil {
		return fail(err)
	}
	b := BoostOptions{Seed: o.Seed, ClassWeights: o.ClassWeights, ScalePosWeight: 1, Workers: o.Workers}
	train, err := newTask(&data, n, k, &b)
	if err != nil {
		return fail(err)
	}
	var valid *task
	if o.Validation != nil {
		if valid, err = validationTask(o.Validation, &data, k, &b); err != nil {
			return fail(err)
		}
	}
	columns, err := binColumns(ctx, &data, n, o.Bins, o.Workers)
	if err != nil {
		return fail(err)
	}
	t, err := newTable[uint8](ctx, &data, n, columns, spread, o.Workers)
	if err != nil {
		return fail(err)
	}
	return newLeveller(t, train, &o).run(ctx, valid)
}

// farthest returns the largest distance of a target from their mean, 1 if that
// is 0.
func farthest(target []float64) float64 {
	mean, far := 0.0, 0.0
	for i, y := range target {
		mean += (y - mean) / float64(i+1)
	}
	for _, y := range target {
		far = max(far, math.Abs(y-mean))
	}
	if !(far > 0 && far < 1e60) {
		return 1
	}
	return far
}

// run grows the trees.
func (g *leveller) run(ctx context.Context, valid *task) (tree.Source, Report, error) {
	fail := func(err error) (tree.Source, Report, error) { return tree.Source{}, Report{}, err }
	o, train := g.o, g.task
	src := tree.Source{
		Kind: tree.Oblivious, Features: g.t.d, Outputs: train.outputs, Link: train.link(), Base: train.base(),
		Step: o.LearningRate * o.MaxDeltaStep / tree.MaxStep,
	}
	g.step = src.Step
	train.begin(src.Base)
	if valid != nil {
		valid.begin(src.Base)
	}
	report := Report{Rows: train.live, Classes: train.k, OutOfBagScore: math.NaN(), Importance: make([]float64, g.t.d)}
	best := math.Inf(1)
	var gains [][]float64
	for round := range o.Rounds {
		if err := train.derive(ctx, uint64(round)); err != nil {
			return fail(err)
		}
		if err := g.grow(ctx, uint64(round)); err != nil {
			return fail(err)
		}
		src.Levels, gains = append(src.Levels, g.out), append(gains, g.gains)
		loss := math.NaN()
		if valid != nil {
			if err := g.advanceBy(ctx, valid, o.Validation); err != nil {
				return fail(err)
			}
			loss = valid.loss()
			report.Loss = append(report.Loss, loss)
		}
		if o.Progress != nil {
			o.Progress(Progress{Done: round + 1, Total: o.Rounds, Metric: loss})
		}
		if o.EarlyStopping == 0 || loss < best {
			best, report.BestRound = loss, round+1
		}
		if o.EarlyStopping > 0 && round+1-report.BestRound >= o.EarlyStopping {
			break
		}
	}
	report.BestRound = max(report.BestRound, 1)
	src.Levels, gains = src.Levels[:report.BestRound], gains[:report.BestRound]
	g.settle(src.Levels)
	report.Trees = len(src.Levels)
	total := 0.0
	for i := range src.Levels {
		report.Nodes += 2*len(src.Levels[i].Cover) - 1
		for j, v := range gains[i] {
			report.Importance[j] += v
			total += v
		}
	}
	if total > 0 {
		for j := range report.Importance {
			report.Importance[j] /= total
		}
	}
	return src, report, nil
}

// settle gives every column that never lacked a value one side for missing ones,
// in all trees: that which took more training rows.
func (g *leveller) settle(trees []tree.ObliviousTree) {
	balance := make([]float64, g.t.d)
	for i := range trees {
		t := &trees[i]
		for l, j := range t.Feature {
			for leaf, c := range t.Cover {
				if leaf>>l&1 == 0 {
					balance[j] += c
				} else {
					balance[j] -= c
				}
			}
		}
	}
	for i := range trees {
		t := &trees[i]
		for l, j := range t.Feature {
			if !g.t.column[j].missing {
				t.MissingLeft[l] = balance[j] >= 0
			}
		}
	}
}

// advanceBy adds the newest tree's values to the margins of another table.
func (g *leveller) advanceBy(ctx context.Context, v *task, data *Data) error {
	t := &g.out
	return parallel(ctx, v.workers, (v.n+block-1)/block, func(_, b int) error {
		var room []float64
		for i := b * block; i < min((b+1)*block, v.n); i++ {
			x := data.row(&room, i)
			leaf := 0
			for l, j := range t.Feature {
				y := x[j]
				if y > t.Threshold[l] || y != y && !t.MissingLeft[l] {
					leaf |= 1 << l
				}
			}
			for k := range v.margin {
				v.margin[k][i] += float64(g.step * float64(t.Value[leaf*v.outputs+k]))
			}
		}
		return nil
	})
}
