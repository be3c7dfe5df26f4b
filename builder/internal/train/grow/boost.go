package grow

import (
	"context"
	"fmt"
	"math"

	"cloister/shared/model/tree"
)

// BoostOptions says how gradient boosting grows. The zero value is XGBoost's
// default with the hist method: 100 rounds of trees of depth 6, eta 0.3,
// lambda 1, no sampling. Where 0 stands for a default that is not 0, any negative
// value means 0.
type BoostOptions struct {
	Rounds       int     // n_estimators; 0 means 100
	Seed         uint64  // the same seed gives the same model
	LearningRate float64 // eta, in (0, 1]; 0 means 0.3

	MaxDepth int // edges from the root to a leaf; 0 means 6, negative means [tree.MaxDepth]
	// LeafWise splits the leaf that gains most (grow_policy lossguide)
	// instead of all leaves of a level (depthwise).
	LeafWise  bool
	MaxLeaves int // leaves of a tree; 0 means no limit, or 31 with LeafWise and no MaxDepth

	Lambda         float64 // L2 penalty of leaf values, reg_lambda; 0 means 1
	Alpha          float64 // L1 penalty of leaf values, reg_alpha
	Gamma          float64 // the gain a split must reach, min_split_loss
	MinChildWeight float64 // sum of second derivatives that a child needs; 0 means 1
	MaxDeltaStep   float64 // bound of a leaf value before eta; 0 means none

	Subsample      float64        // chance of each row to take part in a tree, in (0, 1]; 0 means 1
	ColsampleTree  float64        // share of the columns that a tree may use, in (0, 1]; 0 means 1
	ColsampleLevel float64        // share of these that a level may use; 0 means 1
	ColsampleNode  float64        // share of these that a node may use; 0 means 1
	ScalePosWeight float64        // factor of the weight of class 1 of two; 0 means 1
	ClassWeights   []float64      // one finite factor >= 0 a class, on top of row weights; nil means 1 each
	Monotone       []int8         // one a feature: 1 rising, -1 falling, 0 free; nil means all free
	Bins           int            // bins of a numeric column, 2 to 65,534; 0 means 254
	Validation     *Data          // watched after each round; same columns and kind of labels
	EarlyStopping  int            // rounds without a lower validation loss that end training; 0 means never
	Workers        int            // goroutines; 0 means one a core; no influence on the result
	Progress       func(Progress) // called after each round; may be nil
}

// normal fills in defaults and finds options out of range.
func (o *BoostOptions) normal(k, d int) error {
	o.Rounds = orDefault(o.Rounds, 100)
	o.Bins = orDefault(o.Bins, defaultBins)
	o.Workers = workers(o.Workers)
	if o.LeafWise && o.MaxLeaves == 0 && o.MaxDepth < 0 {
		o.MaxLeaves = 31
	}
	if o.MaxDepth = orDefault(o.MaxDepth, 6); o.MaxDepth < 0 {
		o.MaxDepth = tree.MaxDepth
	}
	for _, v := range []struct {
		name      string
		value     *float64
		def, most float64
	}{
		{"LearningRate", &o.LearningRate, 0.3, 1},
		{"Lambda", &o.Lambda, 1, math.MaxFloat64},
		{"Alpha", &o.Alpha, 0, math.MaxFloat64},
		{"Gamma", &o.Gamma, 0, math.MaxFloat64},
		{"MinChildWeight", &o.MinChildWeight, 1, math.MaxFloat64},
		{"MaxDeltaStep", &o.MaxDeltaStep, 0, math.MaxFloat64},
		{"Subsample", &o.Subsample, 1, 1},
		{"ColsampleTree", &o.ColsampleTree, 1, 1},
		{"ColsampleLevel", &o.ColsampleLevel, 1, 1},
		{"ColsampleNode", &o.ColsampleNode, 1, 1},
		{"ScalePosWeight", &o.ScalePosWeight, 1, math.MaxFloat64},
	} {
		if !(*v.value <= v.most) || math.IsInf(*v.value, 0) {
			return &OptionError{v.name, *v.value, fmt.Sprintf("want a finite number of at most %v", v.most)}
		}
		switch {
		case *v.value == 0:
			*v.value = v.def
		case *v.value < 0:
			*v.value = 0
		}
		if *v.value == 0 && v.most == 1 {
			return &OptionError{v.name, 0, "want more than 0"}
		}
	}
	switch {
	case o.Rounds < 0:
		return &OptionError{"Rounds", o.Rounds, "want at least 1"}
	case o.Rounds*max(k, 1) > MaxTrees:
		return &LimitError{"trees", MaxTrees, o.Rounds * max(k, 1)}
	case o.Bins < 2:
		return &OptionError{"Bins", o.Bins, "want 2 to 65534"}
	case o.Bins > math.MaxUint16-1:
		return &LimitError{"bins", math.MaxUint16 - 1, o.Bins}
	case o.MaxDepth > tree.MaxDepth:
		return &OptionError{"MaxDepth", o.MaxDepth, fmt.Sprintf("want at most %d", tree.MaxDepth)}
	case o.MaxLeaves < 0 || o.MaxLeaves == 1:
		return &OptionError{"MaxLeaves", o.MaxLeaves, "want 0 or at least 2"}
	case o.EarlyStopping < 0:
		return &OptionError{"EarlyStopping", o.EarlyStopping, "want 0 or more"}
	case o.EarlyStopping > 0 && o.Validation == nil:
		return &OptionError{"EarlyStopping", o.EarlyStopping, "needs Validation"}
	case o.ScalePosWeight != 1 && k != 2:
		return &OptionError{"ScalePosWeight", o.ScalePosWeight, "needs two classes"}
	case o.ClassWeights != nil && len(o.ClassWeights) != k:
		return &OptionError{"ClassWeights", len(o.ClassWeights), fmt.Sprintf("want %d factors", k)}
	case o.Monotone != nil && len(o.Monotone) != d:
		return &OptionError{"Monotone", len(o.Monotone), fmt.Sprintf("want %d signs", d)}
	case o.Monotone != nil && k > 2:
		return &OptionError{"Monotone", k, "more than two classes have no order of probabilities"}
	}
	for _, w := range o.ClassWeights {
		if !(w >= 0 && w <= math.MaxFloat64) {
			return &OptionError{"ClassWeights", w, "want finite numbers >= 0"}
		}
	}
	for _, s := range o.Monotone {
		if s < -1 || s > 1 {
			return &OptionError{"Monotone", s, "want -1, 0 or 1"}
		}
	}
	return nil
}

// Boost grows gradient-boosted trees by second-order boosting on
//
//	sum_i w_i·loss(y_i, F(x_i)) + sum over leaves (gamma + lambda/2·v² + alpha·|v|)
//
// with log loss for data.Class and squared error/2 for data.Target. Two classes
// give one output with link [tree.Logistic], the probability of class 1; three
// and more one output a class with [tree.Softmax] and one tree a class and
// round; targets one output with [tree.Identity]. Base is the log-odds of the
// classes' weights for two classes, their logarithms less the mean of these for
// more, the mean for targets.
//
// A split's gain is GL²/(HL+lambda) + GR²/(HR+lambda) - G²/(H+lambda), the sums
// of first and second derivatives on both sides and together, G shrunk by alpha;
// ties go to the lower feature and threshold. A leaf's value is
// -eta·G/(H+lambda). Its cover is its H. Rows with a missing value go to the side with more
// gain, both being tried.
//
// Splits are found on integers: each derivative is rounded to 1/256 of a
// mean row weight (of the root mean square, for targets), up or down at random
// with the chances that keep its mean, so that sums do not depend on their
// order and rows that are already right cost nothing; a row's
// rounding has at most |g|/256 of variance, where log loss has about |g| of its own. Leaf values are sums of the
// derivatives themselves.
//
// Weights whose largest is beyond 2^±20 are scaled by a power of 2, and then
// Lambda, Alpha, Gamma and MinChildWeight are in the scaled unit.
//
// With Validation, Report.Loss holds its weighted mean log loss (root mean square
// error) after each round and the model ends at the lowest, the earliest of
// equals, when EarlyStopping is set; otherwise it keeps all rounds. It costs
// about n·d·depth/2 additions a tree for the rows not yet right.
//
// Errors are as for [Forest]. Source: Chen, Guestrin: XGBoost, KDD 2016,
// equations 5 to 7; rounding: Shi et al., NeurIPS 2022, "Quantized Training of
// Gradient Boosting Decision Trees"; differs from XGBoost 3.2 in bins and
// rounding.
func Boost(ctx context.Context, data Data, options BoostOptions) (tree.Source, Report, error) {
	fail := func(err error) (tree.Source, Report, error) { return tree.Source{}, Report{}, err }
	n, err := data.rows()
	if err != nil {
		return fail(err)
	}
	if n > 1<<30 {
		return fail(&LimitError{"rows", 1 << 30, n})
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
	if err := o.normal(k, data.Features); err != nil {
		return fail(err)
	}
	train, err := newTask(&data, n, k, &o)
	if err != nil {
		return fail(err)
	}
	var valid *task
	if v := o.Validation; v != nil {
		if valid, err = validationTask(v, &data, k, &o); err != nil {
			return fail(err)
		}
	}
	columns, err := binColumns(ctx, &data, n, o.Bins, o.Workers)
	if err != nil {
		return fail(err)
	}
	most := 0
	for j := range columns {
		most = max(most, columns[j].bins()+1)
	}
	if most <= 256 {
		return boost[uint8](ctx, &data, train, valid, columns, &o)
	}
	return boost[uint16](ctx, &data, train, valid, columns, &o)
}

// validationTask checks the validation table against the training table.
func validationTask(v, data *Data, k int, o *BoostOptions) (*task, error) {
	n, err := v.rows()
	if err == nil && (v.Features != data.Features || n == 0) {
		err = &DataError{"Features", -1, fmt.Sprintf("%d in %d rows, want %d and rows", v.Features, n, data.Features)}
	}
	if err == nil {
		if k > 0 {
			c := *v
			c.Classes = k
			_, err = c.classes(n)
		} else {
			err = v.target(n)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("validation: %w", err)
	}
	// The watched loss is of the rows as they are.
	plain := *o
	plain.ClassWeights, plain.ScalePosWeight = nil, 1
	t, err := newTask(v, n, k, &plain)
	if err != nil {
		return nil, fmt.Errorf("validation: %w", err)
	}
	return t, nil
}

// directions says, for each column that never lacked a value in training, on
// which side missing values go: 0 undecided, 1 left, -1 right.
type directions []int8

// settle decides for the columns that the round's trees are the first to use,
// by the side that took more cover in them, and applies what is decided.
func (d directions) settle(trees []tree.SourceTree, columns []column) {
	balance := make([]float64, len(d))
	used := make([]bool, len(d))
	for i := range trees {
		t := &trees[i]
		for v, j := range t.Feature {
			if j >= 0 {
				balance[j] += t.Cover[t.Left[v]] - t.Cover[t.Right[v]]
				used[j] = true
			}
		}
	}
	for j := range d {
		if d[j] == 0 && used[j] {
			if d[j] = 1; balance[j] < 0 {
				d[j] = -1
			}
		}
	}
	for i := range trees {
		t := &trees[i]
		for v, j := range t.Feature {
			if j >= 0 && !columns[j].missing {
				t.MissingLeft[v] = d[j] > 0
			}
		}
	}
}

// boost runs the rounds.
func boost[B index](ctx context.Context, data *Data, train, valid *task, columns []column, o *BoostOptions) (tree.Source, Report, error) {
	fail := func(err error) (tree.Source, Report, error) { return tree.Source{}, Report{}, err }
	t, err := newTable[B](ctx, data, train.n, columns, spread, o.Workers)
	if err != nil {
		return fail(err)
	}
	src := tree.Source{Kind: tree.Boosting, Features: t.d, Outputs: train.outputs, Link: train.link()}
	src.Base = train.base()
	train.begin(src.Base)
	if valid != nil {
		valid.begin(src.Base)
	}
	report := Report{Rows: train.live, Classes: train.k, OutOfBagScore: math.NaN()}
	report.Importance = make([]float64, t.d)
	growers := make([]*booster[B], min(o.Workers, train.outputs))
	for i := range growers {
		growers[i] = newBooster(t, train, o, max(1, o.Workers/train.outputs))
	}
	directions := make(directions, t.d)
	best := math.Inf(1)
	var gains [][]float64
	for round := range o.Rounds {
		if err := train.derive(ctx, uint64(round)); err != nil {
			return fail(err)
		}
		trees := make([]tree.SourceTree, train.outputs)
		gain := make([][]float64, train.outputs)
		err := parallel(ctx, len(growers), train.outputs, func(w, out int) error {
			g := growers[w]
			if err := g.grow(ctx, uint64(round), out); err != nil {
				return err
			}
			trees[out], gain[out] = g.out, g.gains
			g.advance(train.margin[out])
			return nil
		})
		if err != nil {
			return fail(err)
		}
		directions.settle(trees, columns)
		src.Trees = append(src.Trees, trees...)
		gains = append(gains, gain...)
		loss := math.NaN()
		if valid != nil {
			if err := valid.advance(ctx, o.Validation, trees); err != nil {
				return fail(err)
			}
			loss = valid.loss()
			report.Loss = append(report.Loss, loss)
		}
		if o.Progress != nil {
			o.Progress(Progress{Done: round + 1, Total: o.Rounds, Metric: loss})
		}
		if o.EarlyStopping > 0 {
			if loss < best {
				best, report.BestRound = loss, round+1
			}
			if round+1-report.BestRound >= o.EarlyStopping {
				break
			}
		} else {
			report.BestRound = round + 1
		}
	}
	report.BestRound = max(report.BestRound, 1)
	kept := report.BestRound * train.outputs
	src.Trees, gains = src.Trees[:kept], gains[:kept]
	report.Trees = kept
	total := 0.0
	for i := range src.Trees {
		if report.Nodes += len(src.Trees[i].Left); report.Nodes > tree.MaxNodes {
			return fail(&LimitError{"nodes", tree.MaxNodes, report.Nodes})
		}
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
