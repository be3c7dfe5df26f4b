package grow

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"

	"cloister/shared/model/tree"
)

// Sampling says which rows a tree of a forest sees.
type Sampling uint8

// The ways to choose a tree's rows.
const (
	// SampleDefault is Bootstrap for random forests and Whole for extra trees.
	SampleDefault Sampling = iota
	// Bootstrap draws rows with replacement, with chances in proportion to
	// their weights, which do not count again in the tree.
	Bootstrap
	// BootstrapEqual draws all rows alike, and weights count in the tree, as
	// in older releases of scikit-learn.
	BootstrapEqual
	// Whole takes every row once.
	Whole
)

// ForestOptions says how a forest grows. The zero value is scikit-learn's
// default: 100 unpruned trees on bootstrap samples, splits by Gini impurity
// (squared error for regression), the root of d candidate features at a node
// (all d for regression).
type ForestOptions struct {
	Trees int    // n_estimators; 0 means 100
	Seed  uint64 // the same seed gives the same forest

	// ExtraTrees draws one random threshold for each candidate feature,
	// uniform between its smallest and largest value in the node and moved to
	// the nearest edge between bins, instead of looking for the best one.
	// Source: Geurts, Ernst, Wehenkel 2006; differs in the edge.
	ExtraTrees bool

	// MaxFeatures is the number of candidate features at a node; 0 means
	// MaxFeaturesShare of d, rounded down, at least 1; both 0 means the
	// default. When all candidates are constant in a node, more are drawn one by one
	// until one is not.
	MaxFeatures      int
	MaxFeaturesShare float64 // in (0, 1]

	MaxDepth            int     // edges from the root to a leaf; 0 means [tree.MaxDepth]
	MaxLeaves           int     // leaves of a tree, grown best first; 0 means no limit
	MinSamplesSplit     int     // different rows a node needs to be split; 0 means 2
	MinSamplesLeaf      int     // different rows a leaf needs; 0 means 1
	MinImpurityDecrease float64 // weighted by the node's share of the rows; 0 allows every split

	Sampling   Sampling
	MaxSamples float64 // share of the rows that are drawn, in (0, 1]; 0 means 1

	ClassWeights []float64 // one finite factor >= 0 a class, on top of row weights; nil means 1 each
	Balanced     bool      // class weights total/(classes·class total); not with ClassWeights

	OutOfBag    bool // fill Report.OutOfBag and OutOfBagScore; not with Whole
	Permutation bool // fill Report.Permuted; not with Whole; costs d walks of the rows a tree

	// Bins is the number of bins of a numeric column, 2 to 65,534; 0 means
	// 254, or 4,096 for regression, where the few values at the ends of a column
	// matter. A column of no more distinct values loses nothing.
	Bins     int
	Workers  int            // goroutines; 0 means one a core; no influence on the result
	Progress func(Progress) // called after each tree, never twice at a time; may be nil
}

// normal fills in defaults and finds options out of range.
func (o *ForestOptions) normal(k, d int) error {
	o.Trees = orDefault(o.Trees, 100)
	if o.Bins == 0 {
		if o.Bins = defaultBins; k == 0 {
			o.Bins = 4096
		}
	}
	o.MinSamplesSplit = max(orDefault(o.MinSamplesSplit, 2), 2)
	o.MinSamplesLeaf = orDefault(o.MinSamplesLeaf, 1)
	o.MaxDepth = orDefault(o.MaxDepth, tree.MaxDepth)
	if o.MaxSamples == 0 {
		o.MaxSamples = 1
	}
	if o.Sampling == SampleDefault {
		o.Sampling = Bootstrap
		if o.ExtraTrees {
			o.Sampling = Whole
		}
	}
	o.Workers = workers(o.Workers)
	switch {
	case o.Trees < 0:
		return &OptionError{"Trees", o.Trees, "want at least 1"}
	case o.Trees > MaxTrees:
		return &LimitError{"trees", MaxTrees, o.Trees}
	case o.Bins < 2:
		return &OptionError{"Bins", o.Bins, "want 2 to 65534"}
	case o.Bins > math.MaxUint16-1:
		return &LimitError{"bins", math.MaxUint16 - 1, o.Bins}
	case o.MinSamplesLeaf < 0:
		return &OptionError{"MinSamplesLeaf", o.MinSamplesLeaf, "want at least 1"}
	case o.MaxFeatures < 0:
		return &OptionError{"MaxFeatures", o.MaxFeatures, "want at least 1"}
	case !(o.MaxFeaturesShare >= 0 && o.MaxFeaturesShare <= 1):
		return &OptionError{"MaxFeaturesShare", o.MaxFeaturesShare, "want a share in (0, 1]"}
	case o.MaxDepth < 0 || o.MaxDepth > tree.MaxDepth:
		return &OptionError{"MaxDepth", o.MaxDepth, fmt.Sprintf("want 0 to %d", tree.MaxDepth)}
	case o.MaxLeaves < 0 || o.MaxLeaves == 1:
		return &OptionError{"MaxLeaves", o.MaxLeaves, "want 0 or at least 2"}
	case !(o.MinImpurityDecrease >= 0):
		return &OptionError{"MinImpurityDecrease", o.MinImpurityDecrease, "want 0 or more"}
	case !(o.MaxSamples > 0 && o.MaxSamples <= 1):
		return &OptionError{"MaxSamples", o.MaxSamples, "want a share in (0, 1]"}
	case o.Sampling > Whole:
		return &OptionError{"Sampling", o.Sampling, "want SampleDefault to Whole"}
	case (o.OutOfBag || o.Permutation) && o.Sampling == Whole:
		return &OptionError{"OutOfBag", true, "Whole leaves no row out"}
	case o.Balanced && o.ClassWeights != nil:
		return &OptionError{"Balanced", true, "given together with ClassWeights"}
	case (o.Balanced || o.ClassWeights != nil) && k == 0:
		return &OptionError{"ClassWeights", o.ClassWeights, "regression has no classes"}
	case o.ClassWeights != nil && len(o.ClassWeights) != k:
		return &OptionError{"ClassWeights", len(o.ClassWeights), fmt.Sprintf("want %d factors", k)}
	}
	for _, w := range o.ClassWeights {
		if !(w >= 0 && w <= math.MaxFloat64) {
			return &OptionError{"ClassWeights", w, "want finite numbers >= 0"}
		}
	}
	if o.MaxFeatures == 0 {
		switch {
		case o.MaxFeaturesShare > 0:
			o.MaxFeatures = int(o.MaxFeaturesShare * float64(d))
		case k > 0:
			o.MaxFeatures = int(math.Sqrt(float64(d)))
		default:
			o.MaxFeatures = d
		}
	}
	o.MaxFeatures = min(max(o.MaxFeatures, 1), d)
	return nil
}

// orDefault returns v, or def for the zero value of an option.
func orDefault(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}

// Forest grows a random forest or, with ExtraTrees, extremely randomised trees,
// on data.Class (classification) or data.Target (regression). The model's
// output is the mean over trees: a probability for each class, or the target.
//
// A split chooses, among its candidate features, the one that lowers the
// weighted Gini impurity (squared error) most; ties go to the feature drawn
// first and the lower threshold. Rows with a missing value go to the side that
// lowers it more, both being tried; where no row of the node lacks the value,
// to the larger child. Leaf values are the weighted class shares (means),
// covers the rows as often as drawn (with Whole and BootstrapEqual, their
// weights, scaled by a power of 2 if the largest is beyond 2^±40).
//
// It costs about n·log(n)·MaxFeatures steps a tree. Errors are [ErrNoRows],
// [*DataError], [*OptionError], [*LimitError] and the context's, which is
// looked at between nodes.
//
// Source: Breiman 2001; scikit-learn 1.9 for defaults and semantics; differs
// in binned thresholds.
func Forest(ctx context.Context, data Data, options ForestOptions) (tree.Source, Report, error) {
	n, err := data.rows()
	if err != nil {
		return tree.Source{}, Report{}, err
	}
	k := 0
	if data.Class != nil || data.Target == nil {
		if k, err = data.classes(n); err != nil {
			return tree.Source{}, Report{}, err
		}
	} else if err = data.target(n); err != nil {
		return tree.Source{}, Report{}, err
	}
	o := options
	if err := o.normal(k, data.Features); err != nil {
		return tree.Source{}, Report{}, err
	}
	rows, err := newRowSet(&data, n, k, &o)
	if err != nil {
		return tree.Source{}, Report{}, err
	}
	columns, err := binColumns(ctx, &data, n, o.Bins, o.Workers)
	if err != nil {
		return tree.Source{}, Report{}, err
	}
	most := 0
	for j := range columns {
		most = max(most, columns[j].bins()+1)
	}
	if most <= 256 {
		return growForest[uint8](ctx, &data, rows, columns, &o)
	}
	return growForest[uint16](ctx, &data, rows, columns, &o)
}

// rowSet is what the trees of a forest know of the training rows.
type rowSet struct {
	n, k   int
	live   []uint32  // rows with a positive weight
	weight []float64 // of a row in a tree; nil when all are 1
	full   []float64 // row weight times class weight; nil when all are 1
	draw   *urn      // how to draw rows by weight; nil for all alike
	class  []uint16
	factor []float64 // of a class, when it alone makes a row's weight; else nil
	target []float64 // centred on its mean
	mean   float64
	scale  float64 // largest |target|, for fixed-point sums
}

// newRowSet joins row and class weights.
func newRowSet(data *Data, n, k int, o *ForestOptions) (*rowSet, error) {
	s := &rowSet{n: n, k: k}
	shift := weightShift(data.Weights, 40)
	factor := o.ClassWeights
	if k > 0 {
		s.class = make([]uint16, n)
		for i, c := range data.Class {
			s.class[i] = uint16(c)
		}
		if o.Balanced {
			factor = balance(data, k, shift)
		}
	}
	if data.Weights != nil || factor != nil {
		s.weight = make([]float64, n)
	}
	for i := range n {
		w := data.rowWeight(i, shift)
		if factor != nil {
			w *= factor[data.Class[i]]
		}
		if s.weight != nil {
			s.weight[i] = w
		}
		// Weights that vanish beside the largest would leave nodes of weight 0.
		if w > 0x1p-100 {
			s.live = append(s.live, uint32(i))
		}
	}
	if len(s.live) == 0 {
		return nil, ErrNoRows
	}
	s.full = s.weight
	if factor != nil && k > 1 && data.Weights == nil && o.Sampling != Bootstrap {
		s.factor = slices.Clone(factor)
		for c, w := range s.factor {
			if !(w > 0x1p-100) {
				s.factor[c] = 1 // no row of it takes part
			}
		}
	}
	if o.Sampling == Bootstrap && s.weight != nil {
		weights := make([]float64, len(s.live))
		for at, i := range s.live {
			weights[at] = s.weight[i]
		}
		s.draw, s.weight = newUrn(weights), nil
	}
	if k == 0 {
		total := 0.0
		for _, i := range s.live {
			w := s.fullOf(i)
			total += w
			s.mean += (data.Target[i] - s.mean) * (w / total)
		}
		s.target = make([]float64, n)
		for i, y := range data.Target {
			s.target[i] = y - s.mean
			s.scale = max(s.scale, math.Abs(s.target[i]))
		}
		if math.IsInf(s.scale, 0) || s.scale > 1e150 {
			return nil, &DataError{"Target", -1, "values beyond 1e150 have no finite squared error"}
		}
	}
	return s, nil
}

// fullOf returns the weight of row i outside the trees.
func (s *rowSet) fullOf(i uint32) float64 {
	if s.full == nil {
		return 1
	}
	return s.full[i]
}

// of returns the weight of row i in a tree.
func (s *rowSet) of(i uint32) float64 {
	if s.weight == nil {
		return 1
	}
	return s.weight[i]
}

// weightShift returns the exponent of the power of two that weights are
// multiplied by so that sums of squares stay finite: 0 unless the largest is
// beyond 2^±limit.
func weightShift(weights []float64, limit int) int {
	most := 0.0
	for _, w := range weights {
		most = max(most, w)
	}
	if _, e := math.Frexp(most); most > 0 && (e > limit || e < -limit) {
		return -e
	}
	return 0
}

// rowWeight returns the shifted weight of row i.
func (d *Data) rowWeight(i, shift int) float64 {
	switch {
	case d.Weights == nil:
		return 1
	case shift == 0:
		return d.Weights[i]
	}
	return math.Ldexp(d.Weights[i], shift)
}

// balance returns total/(classes·class total) for the classes that occur.
func balance(data *Data, k, shift int) []float64 {
	sums := make([]float64, k)
	total, present := 0.0, 0
	for i, c := range data.Class {
		w := data.rowWeight(i, shift)
		if sums[c] == 0 && w > 0 {
			present++
		}
		sums[c] += w
		total += w
	}
	for c, s := range sums {
		if s > 0 {
			sums[c] = total / (float64(present) * s)
		}
	}
	return sums
}

// growForest grows the trees and gathers the report.
func growForest[B index](ctx context.Context, data *Data, rows *rowSet, columns []column, o *ForestOptions) (tree.Source, Report, error) {
	fail := func(err error) (tree.Source, Report, error) { return tree.Source{}, Report{}, err }
	where := asGiven
	switch {
	case rows.k == 0 || o.ExtraTrees:
		where = spread // only random forests for classes have loops for sparse rows
	case countable(rows, o):
		where = narrow
	}
	t, err := newTable[B](ctx, data, rows.n, columns, where, o.Workers)
	if err != nil {
		return fail(err)
	}
	src := tree.Source{Kind: tree.Forest, Features: t.d, Outputs: max(rows.k, 1), Trees: make([]tree.SourceTree, o.Trees)}
	src.ClassWeights = rows.factor
	w := min(o.Workers, o.Trees)
	growers := make([]*forester[B], w)
	importance := make([][]float64, o.Trees)
	permuted := make([][]float64, o.Trees)
	tick := ticker{total: o.Trees, call: o.Progress}
	err = parallel(ctx, w, o.Trees, func(w, i int) error {
		if growers[w] == nil {
			growers[w] = newForester(t, rows, o)
		}
		g := growers[w]
		if err := g.grow(ctx, uint64(i)); err != nil {
			return err
		}
		src.Trees[i] = g.tree()
		importance[i] = g.importance
		if o.OutOfBag || o.Permutation {
			permuted[i] = g.unseen()
		}
		tick.tick(math.NaN())
		return nil
	})
	if err != nil {
		return fail(err)
	}
	settleMissing(src.Trees, columns)
	report := Report{Rows: len(rows.live), Classes: rows.k, Trees: o.Trees, OutOfBagScore: math.NaN()}
	for i := range src.Trees {
		report.Nodes += len(src.Trees[i].Left)
	}
	if report.Nodes > tree.MaxNodes {
		return fail(&LimitError{"nodes", tree.MaxNodes, report.Nodes})
	}
	report.Importance = sumUp(importance, t.d, true)
	if o.Permutation {
		report.Permuted = sumUp(permuted, t.d, false)
	}
	if o.OutOfBag {
		outOfBag(&report, rows, data, growers)
	}
	runtime.KeepAlive(t)
	return src, report, nil
}

// settleMissing gives each feature that never lacked a value one direction for
// missing ones: the side that took more cover over all splits.
func settleMissing(trees []tree.SourceTree, columns []column) {
	balance := make([]float64, len(columns))
	for i := range trees {
		t := &trees[i]
		for v, j := range t.Feature {
			if j >= 0 {
				balance[j] += t.Cover[t.Left[v]] - t.Cover[t.Right[v]]
			}
		}
	}
	for i := range trees {
		t := &trees[i]
		for v, j := range t.Feature {
			if j >= 0 && !columns[j].missing {
				t.MissingLeft[v] = balance[j] >= 0
			}
		}
	}
}

// sumUp adds the trees' values a feature, in the order of trees: to shares of
// 1, or to the mean.
func sumUp(trees [][]float64, d int, shares bool) []float64 {
	out := make([]float64, d)
	count := 0
	for _, t := range trees {
		if t == nil {
			continue
		}
		count++
		sum := 1.0
		if shares {
			sum = 0
			for _, v := range t {
				sum += v
			}
			if sum == 0 {
				continue
			}
		}
		for j, v := range t {
			out[j] += v / sum
		}
	}
	total := float64(count)
	if shares {
		total = 0
		for _, v := range out {
			total += v
		}
	}
	if total > 0 {
		for j := range out {
			out[j] /= total
		}
	}
	return out
}

// log2up returns the smallest s with 1<<s >= n.
func log2up(n int) uint { return uint(bits.Len(uint(n - 1))) }
