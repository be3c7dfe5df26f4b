package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/model/tree"
)

// Options are the settings of one training run.
type Options struct {
	Seed uint64
	// ForestSeed is that of the candidates; 0 derives it from Seed. It shows
	// how much of a figure is chance.
	ForestSeed uint64
	Shares     prep.Shares // zero value: 70/15/15
	Workers    int         // goroutines; 0 means one a core; no influence on the result
	// Progress is called between stages and trees with what is being done and
	// the share of the whole run that is done, in [0,1]; nil to ignore.
	Progress func(stage string, done float64)
}

// Measure is one figure on one part of the split.
type Measure struct {
	Name      string
	Value     float64
	Low, High float64 // 95 % bootstrap interval, NaN if none was computed
	Part      prep.Part
	Rows      int
}

// Tried is a candidate and its figures on the validation rows.
type Tried struct {
	Candidate
	MacroF1, Accuracy float64
}

// Result is a fitted pipeline with its models and what was measured.
type Result struct {
	Recipe    Recipe
	Seed      uint64
	Shares    prep.Shares
	Table     *Table
	Parts     []prep.Part
	Count     [3]int // rows per part
	Repeats   prep.Repeats
	Pipeline  *feature.Pipeline // with quantiles of the training rows
	Forest    *tree.Ensemble
	Isolation *tree.Ensemble
	// Strangeness are the quantiles of the isolation forest's margin over
	// benign training rows; larger is stranger.
	Strangeness frame.Quantiles
	Tried       []Tried
	Chosen      Candidate
	Measures    []Measure
	// Confusion is that of the hold-out rows.
	Confusion metric.Confusion
	// Alert is the attack score above which a row is flagged: the lowest that
	// keeps the false-positive rate on validation rows within AlertFPR.
	Alert        metric.Point // on validation rows
	AlertHoldout metric.Point // the same threshold on hold-out rows
	Abstain      float64      // class probability below which no verdict is given
	AbstainError [2]float64   // hold-out error of kept and of withheld rows
	AbstainShare float64      // share of hold-out rows withheld
	Typical      []float64    // K×d: median feature values of each class in training
	BestFeature  string       // of the single-feature baseline
}

const (
	// AlertFPR is the false-positive rate that the alert threshold is set for.
	AlertFPR = 0.01
	// Close is the difference in macro-F1 that does not count: a quarter of
	// the bootstrap standard error at some thousand validation rows.
	Close = 0.01
	// bootstrapRounds per interval.
	bootstrapRounds = 1000
	// baselineTrees of the single-feature baseline: one column needs few.
	baselineTrees = 20
	// StrangenessQuantiles is the number of quantiles: a resolution of 0.1 %.
	StrangenessQuantiles = 1001
)

// Streams of random numbers that depend on the seed but not on each other.
const (
	streamForest = iota + 1
	streamIsolation
	streamBaseline
	streamBootstrap
	streamVectors
)

// derive returns the seed of a stream: an LCG step keeps them apart.
func derive(seed, stream uint64) uint64 { return seed*6364136223846793005 + stream }

// Fit splits the table, chooses a candidate on the validation rows, measures
// it and both baselines on the hold-out rows, and fits the anomaly model on
// benign training rows. Errors are the context's and those of package grow.
func Fit(ctx context.Context, t *Table, r Recipe, o Options) (*Result, error) {
	if o.Shares == (prep.Shares{}) {
		o.Shares = prep.Shares{0.70, 0.15, 0.15}
	}
	if o.ForestSeed == 0 {
		o.ForestSeed = derive(o.Seed, streamForest)
	}
	f := &fit{ctx: ctx, t: t, o: o, d: t.Pipeline.Len(), k: len(t.Classes), steps: len(r.Candidates) + 3}
	res := &Result{Recipe: r, Seed: o.Seed, Shares: o.Shares, Table: t}
	res.Parts = prep.Stratified(t.Class, f.k, o.Shares, o.Seed)
	for i, p := range res.Parts {
		f.rows[p] = append(f.rows[p], i)
	}
	for p := range res.Count {
		res.Count[p] = len(f.rows[p])
		if res.Count[p] == 0 {
			return nil, fmt.Errorf("%d labelled rows leave the %s part empty: more rows are needed", len(t.Class), prep.Part(p))
		}
	}
	res.Repeats = prep.FindRepeats(t.X, f.d, t.Class, res.Parts)
	res.Pipeline = t.Pipeline.Fit(pick(t.X, f.d, f.rows[prep.Train]))
	if err := f.choose(res); err != nil {
		return nil, err
	}
	f.judge(res)
	if err := f.baselines(res); err != nil {
		return nil, err
	}
	if err := f.isolation(res); err != nil {
		return nil, err
	}
	res.Typical = f.typical()
	return res, nil
}

// fit is the state of one run of Fit.
type fit struct {
	ctx  context.Context
	t    *Table
	o    Options
	d, k int
	rows [3][]int // by part

	step, steps int
}

// stage announces the next of f.steps stages and returns the progress callback
// for the trees that it grows.
func (f *fit) stage(name string) func(grow.Progress) {
	start := float64(f.step) / float64(f.steps)
	f.step++
	if f.o.Progress == nil {
		return nil
	}
	f.o.Progress(name, start)
	return func(p grow.Progress) {
		f.o.Progress(name, start+float64(p.Done)/float64(p.Total)/float64(f.steps))
	}
}

// pick returns the given rows of x, n×d.
func pick(x []float64, d int, rows []int) []float64 {
	out := make([]float64, 0, len(rows)*d)
	for _, i := range rows {
		out = append(out, x[i*d:(i+1)*d]...)
	}
	return out
}

func pickInts(x []int, rows []int) []int {
	out := make([]int, len(rows))
	for k, i := range rows {
		out[k] = x[i]
	}
	return out
}

// forest fits a forest on the training rows of x, n×d.
func (f *fit) forest(x []float64, d int, o grow.ForestOptions, progress func(grow.Progress)) (*tree.Ensemble, error) {
	train := f.rows[prep.Train]
	o.Workers, o.Progress = f.o.Workers, progress
	src, _, err := grow.Forest(f.ctx, grow.Data{
		X: pick(x, d, train), Features: d, Class: pickInts(f.t.Class, train), Classes: f.k,
	}, o)
	if err != nil {
		return nil, err
	}
	return tree.New(src)
}

// answer returns the predicted classes and probabilities, n×k, of a part.
func (f *fit) answer(m *tree.Ensemble, x []float64, d int, part prep.Part) ([]int, []float64) {
	rows := f.rows[part]
	p := make([]float64, len(rows)*f.k)
	if err := m.Predict(p, pick(x, d, rows)); err != nil {
		panic(err) // unreachable: shapes are made to fit
	}
	class := make([]int, len(rows))
	for i := range class {
		class[i] = metric.Argmax(p[i*f.k : (i+1)*f.k])
	}
	return class, p
}

// choose fits every candidate and keeps, of those whose validation macro-F1 is
// within Close of the best, the one with the highest validation accuracy: the
// fewest false alarms for the same balance. A tie goes to the earlier.
func (f *fit) choose(res *Result) error {
	var models []*tree.Ensemble
	best := 0.0
	for _, c := range res.Recipe.Candidates {
		o := c.Options
		o.Seed, o.ClassWeights = f.o.ForestSeed, f.weights(c.WeightPower)
		m, err := f.forest(f.t.X, f.d, o, f.stage("forest: "+c.Name))
		if err != nil {
			return err
		}
		predicted, _ := f.answer(m, f.t.X, f.d, prep.Validation)
		conf := metric.NewConfusion(pickInts(f.t.Class, f.rows[prep.Validation]), predicted, f.k)
		res.Tried = append(res.Tried, Tried{c, conf.MacroF1(), conf.Accuracy()})
		models = append(models, m)
		best = max(best, conf.MacroF1())
	}
	accuracy := -1.0
	for i, t := range res.Tried {
		if t.MacroF1 >= best-Close && t.Accuracy > accuracy {
			accuracy, res.Forest, res.Chosen = t.Accuracy, models[i], t.Candidate
		}
	}
	return nil
}

// weights returns the class weights (n / (k n_c))^power of the training rows,
// 1 for a class without any.
func (f *fit) weights(power float64) []float64 {
	count := make([]int, f.k)
	for _, i := range f.rows[prep.Train] {
		count[f.t.Class[i]]++
	}
	out := make([]float64, f.k)
	for c, n := range count {
		out[c] = 1
		if n > 0 {
			out[c] = math.Pow(float64(len(f.rows[prep.Train]))/float64(f.k*n), power)
		}
	}
	return out
}

// judge measures the chosen forest on validation and hold-out rows and sets
// the thresholds from the validation rows.
func (f *fit) judge(res *Result) {
	attack := func(part prep.Part, p []float64) (score []float64, positive []bool) {
		for i, row := range f.rows[part] {
			score = append(score, 1-p[i*f.k])
			positive = append(positive, f.t.Class[row] != 0)
		}
		return score, positive
	}
	for _, part := range []prep.Part{prep.Validation, prep.Holdout} {
		truth := pickInts(f.t.Class, f.rows[part])
		predicted, p := f.answer(res.Forest, f.t.X, f.d, part)
		score, positive := attack(part, p)
		curve := metric.Curve(score, positive)
		if part == prep.Validation {
			point, ok := metric.AtFPR(curve, AlertFPR)
			if !ok { // no score separates: flag nothing below certainty
				point = metric.At(score, positive, 1)
			}
			res.Alert = point
			res.Abstain = abstain(truth, predicted, p, f.k)
		} else {
			res.Confusion = metric.NewConfusion(truth, predicted, f.k)
			res.AlertHoldout = metric.At(score, positive, res.Alert.Threshold)
			f.withheld(res, truth, predicted, p)
		}
		f.measure(res, part, truth, predicted, score, positive)
	}
	f.unseen(res)
}

// measure records the figures of one part, those that matter most first.
func (f *fit) measure(res *Result, part prep.Part, truth, predicted []int, score []float64, positive []bool) {
	n := len(truth)
	rng := rand.New(rand.NewPCG(derive(f.o.Seed, streamBootstrap), uint64(part)))
	macro := func(truth, predicted []int) float64 {
		return metric.NewConfusion(truth, predicted, f.k).MacroF1()
	}
	low, high := metric.Interval(n, bootstrapRounds, rng, func(rows []int) float64 {
		return macro(pickInts(truth, rows), pickInts(predicted, rows))
	})
	add := func(name string, v, low, high float64) {
		res.Measures = append(res.Measures, Measure{name, v, low, high, part, n})
	}
	nan := math.NaN()
	add("macro-F1", macro(truth, predicted), low, high)
	curve := metric.Curve(score, positive)
	for _, limit := range []float64{0.001, 0.01} {
		point, ok := metric.AtFPR(curve, limit)
		if !ok {
			point.Recall = 0
		}
		add(fmt.Sprintf("attack recall at %g %% false positives", limit*100), point.Recall, nan, nan)
	}
	add("attack ROC-AUC", metric.AUC(curve), nan, nan)
	low, high = metric.Interval(n, bootstrapRounds, rng, func(rows []int) float64 {
		hit := 0
		for _, i := range rows {
			if truth[i] == predicted[i] {
				hit++
			}
		}
		return float64(hit) / float64(n)
	})
	add("accuracy", metric.NewConfusion(truth, predicted, f.k).Accuracy(), low, high)
	if part == prep.Holdout {
		prior := make([]int, n) // always benign
		add("macro-F1 of always benign", macro(truth, prior), nan, nan)
		add("accuracy of always benign", metric.NewConfusion(truth, prior, f.k).Accuracy(), nan, nan)
	}
}

// unseen measures the hold-out rows whose feature vector is not in training.
func (f *fit) unseen(res *Result) {
	var truth, predicted []int
	all, _ := f.answer(res.Forest, f.t.X, f.d, prep.Holdout)
	for i, row := range f.rows[prep.Holdout] {
		if !res.Repeats.InTraining[row] {
			truth, predicted = append(truth, f.t.Class[row]), append(predicted, all[i])
		}
	}
	if len(truth) > 0 {
		res.Measures = append(res.Measures, Measure{"macro-F1 on rows whose features are new", metric.NewConfusion(truth, predicted, f.k).MacroF1(), math.NaN(), math.NaN(), prep.Holdout, len(truth)})
	}
}

// abstain returns the class probability below which the validation error is
// highest to lose: the smallest threshold on a grid of percents that halves
// the error of the rows that are kept, or 0 if none does while keeping 90 %.
func abstain(truth, predicted []int, p []float64, k int) float64 {
	total := errorOf(truth, predicted, p, k, func(float64) bool { return true })
	for percent := 1; percent < 100; percent++ {
		t := float64(percent) / 100
		kept := errorOf(truth, predicted, p, k, func(v float64) bool { return v >= t })
		if kept.rows < 0.9*total.rows {
			return 0
		}
		if kept.wrong/kept.rows <= total.wrong/total.rows/2 {
			return t
		}
	}
	return 0
}

type tally struct{ rows, wrong float64 }

func errorOf(truth, predicted []int, p []float64, k int, keep func(float64) bool) tally {
	var c tally
	for i := range truth {
		if keep(p[i*k+predicted[i]]) {
			c.rows++
			if truth[i] != predicted[i] {
				c.wrong++
			}
		}
	}
	return c
}

// withheld records what abstaining does on hold-out rows.
func (f *fit) withheld(res *Result, truth, predicted []int, p []float64) {
	kept := errorOf(truth, predicted, p, f.k, func(v float64) bool { return v >= res.Abstain })
	held := errorOf(truth, predicted, p, f.k, func(v float64) bool { return v < res.Abstain })
	res.AbstainError = [2]float64{kept.wrong / kept.rows, held.wrong / held.rows}
	res.AbstainShare = held.rows / float64(len(truth))
}

// baselines measures on hold-out rows what a forest knows from identity alone
// and from the best single feature, chosen on validation rows.
func (f *fit) baselines(res *Result) error {
	progress := f.stage("baselines")
	seed := derive(f.o.Seed, streamBaseline)
	holdout := pickInts(f.t.Class, f.rows[prep.Holdout])
	record := func(name string, m *tree.Ensemble, x []float64, d int) {
		predicted, _ := f.answer(m, x, d, prep.Holdout)
		res.Measures = append(res.Measures, Measure{name, metric.NewConfusion(holdout, predicted, f.k).MacroF1(), math.NaN(), math.NaN(), prep.Holdout, len(holdout)})
	}
	m, err := f.forest(f.t.Identity, identityColumns, grow.ForestOptions{Seed: seed}, nil)
	if err != nil {
		return err
	}
	record("macro-F1 from addresses, ports and time alone", m, f.t.Identity, identityColumns)

	best, bestScore := -1, -1.0
	column := func(j int) []float64 {
		x := make([]float64, len(f.t.Class))
		for i := range x {
			x[i] = f.t.X[i*f.d+j]
		}
		return x
	}
	validation := pickInts(f.t.Class, f.rows[prep.Validation])
	for j := range f.d {
		x := column(j)
		m, err := f.forest(x, 1, grow.ForestOptions{Seed: seed, Trees: baselineTrees}, nil)
		if err != nil {
			return err
		}
		predicted, _ := f.answer(m, x, 1, prep.Validation)
		if s := metric.NewConfusion(validation, predicted, f.k).MacroF1(); s > bestScore {
			best, bestScore = j, s
		}
		if progress != nil {
			progress(grow.Progress{Done: j + 1, Total: f.d})
		}
	}
	x := column(best)
	if m, err = f.forest(x, 1, grow.ForestOptions{Seed: seed, Trees: baselineTrees}, nil); err != nil {
		return err
	}
	res.BestFeature = res.Pipeline.Steps()[best].Name
	record("macro-F1 from "+res.BestFeature+" alone", m, x, 1)
	return nil
}

// isolation fits the anomaly model on benign training rows.
func (f *fit) isolation(res *Result) error {
	o := res.Recipe.Isolation
	o.Seed, o.Workers, o.Progress = derive(f.o.Seed, streamIsolation), f.o.Workers, f.stage("isolation forest")
	var benign []int
	for _, i := range f.rows[prep.Train] {
		if f.t.Class[i] == 0 {
			benign = append(benign, i)
		}
	}
	x := pick(f.t.X, f.d, benign)
	src, _, err := grow.Isolation(f.ctx, grow.Data{X: x, Features: f.d}, o)
	if err != nil {
		return err
	}
	if res.Isolation, err = tree.New(src); err != nil {
		return err
	}
	margin := make([]float64, len(benign))
	if err := res.Isolation.Margin(margin, x); err != nil {
		return err
	}
	res.Strangeness = frame.QuantilesOf(margin, StrangenessQuantiles)

	// how well strangeness alone finds attacks
	rows := f.rows[prep.Holdout]
	margin = make([]float64, len(rows))
	if err := res.Isolation.Margin(margin, pick(f.t.X, f.d, rows)); err != nil {
		return err
	}
	positive := make([]bool, len(rows))
	for i, row := range rows {
		positive[i] = f.t.Class[row] != 0
	}
	res.Measures = append(res.Measures, Measure{"anomaly ROC-AUC", metric.AUC(metric.Curve(margin, positive)), math.NaN(), math.NaN(), prep.Holdout, len(rows)})
	return nil
}

// typical returns the median of each feature for each class in training, K×d:
// the lower middle value, NaN where every value is missing.
func (f *fit) typical() []float64 {
	out := make([]float64, 0, f.k*f.d)
	for c := range f.k {
		for j := range f.d {
			var values []float64
			for _, i := range f.rows[prep.Train] {
				if v := f.t.X[i*f.d+j]; f.t.Class[i] == c && !math.IsNaN(v) {
					values = append(values, v)
				}
			}
			if len(values) == 0 {
				out = append(out, math.NaN())
				continue
			}
			slices.Sort(values)
			out = append(out, values[(len(values)-1)/2])
		}
	}
	return out
}
