package train

import (
	"context"
	"fmt"
	"math"

	"cloister/builder/internal/calibrate"
	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/model"
	"cloister/shared/model/tree"
)

// Options are the settings of one training run.
type Options struct {
	Seed uint64
	// ForestSeed is that of the candidates; 0 derives it from Seed. It shows
	// how much of a figure is chance.
	ForestSeed uint64
	Shares     prep.Shares // zero value: 70/15/15
	// Parts, if not nil, are those of the rows of the table, by Split, whose
	// seed and shares are those of the split then.
	Parts   []prep.Part
	Split   *prep.Manifest
	Workers int // goroutines; 0 means one a core; no influence on the result
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
	MacroF1, Accuracy, AUC float64 // AUC: macro ROC-AUC, one class against the rest
}

// Result is a fitted pipeline with its models and what was measured.
type Result struct {
	Recipe    Recipe
	Seed      uint64
	Shares    prep.Shares
	Split     *prep.Manifest // that the parts are by, nil for the recipe's own
	SplitName string         // of its file
	Table     *Table
	Parts     []prep.Part
	Count     [3]int // rows per part
	Repeats   prep.Repeats
	Pipeline  *feature.Pipeline // the numeric columns, with quantiles of the training rows
	Input     *feature.Input    // all that the classifier reads: Pipeline and texts
	// Forest is the classifier: a forest or, if the chosen candidate says so,
	// boosted trees.
	Forest *tree.Ensemble
	// Calibration makes probabilities of its scores.
	Calibration calibrate.Chosen
	// Isolation is the anomaly model, nil if the recipe has none; it reads
	// Pipeline, or Unusual if that is not nil.
	Isolation *tree.Ensemble
	Unusual   *feature.Pipeline
	// Strangeness are the quantiles of the isolation forest's margin over
	// benign training rows; larger is stranger.
	Strangeness frame.Quantiles
	// Anomaly is what flagging from the percentile AnomalyShare on does on
	// hold-out rows.
	Anomaly  metric.Point
	Tried    []Tried
	Rivals   []Rival // families held against each other, nil if they were not
	Chosen   Candidate
	Measures []Measure
	// Confusion is that of the hold-out rows.
	Confusion metric.Confusion
	// Alert is the attack score above which a row is flagged: the lowest that
	// keeps the false-positive rate on validation rows within AlertFPR.
	Alert        metric.Point // on validation rows
	AlertHoldout metric.Point // the same threshold on hold-out rows
	// Abstain is for each class the probability below which no verdict is
	// given, AbstainAll the one that all classes together would have.
	Abstain      []float64
	AbstainAll   float64
	AbstainError [2]float64 // hold-out error of kept and of withheld rows
	AbstainShare float64    // share of hold-out rows withheld
	Coverage     []Coverage // of hold-out rows
	// Centres and the distance from them above which a row is unlike the
	// training rows; nil for texts.
	Centres        *model.Centres
	Outside        float64
	OutsideHoldout float64   // share of hold-out rows above it
	OutsideError   float64   // and how many of their verdicts would be wrong
	Typical        []float64 // K×columns of Pipeline: median values of each class in training
	BestFeature    string    // of the single-feature baseline

	x       matrix
	outside []bool // hold-out rows
}

const (
	// AlertFPR is the false-positive rate that the alert threshold is set for.
	AlertFPR = 0.01
	// AnomalyShare is the share of benign training rows below the threshold of
	// the anomaly model.
	AnomalyShare = 0.99
	// Close is the difference in macro-F1 that does not count: a quarter of
	// the bootstrap standard error at some thousand validation rows.
	Close = 0.01
	// bootstrapRounds per interval, fewer where one takes long.
	bootstrapRounds = 1000
	slowRounds      = 200
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
	streamCalibration
	streamCentres
	streamRivals
)

// derive returns the seed of a stream: an LCG step keeps them apart.
func derive(seed, stream uint64) uint64 { return seed*6364136223846793005 + stream }

// Fit splits the table, chooses a candidate on the validation rows, calibrates
// it and sets the thresholds there, measures it and the baselines on the
// hold-out rows, and fits the anomaly model on benign training rows. Errors
// are the context's and those of package grow.
func Fit(ctx context.Context, t *Table, r Recipe, o Options) (*Result, error) {
	if o.Split != nil {
		o.Shares = o.Split.Shares
	}
	if o.Shares == (prep.Shares{}) {
		o.Shares = prep.Shares{0.70, 0.15, 0.15}
	}
	if o.ForestSeed == 0 {
		o.ForestSeed = derive(o.Seed, streamForest)
	}
	f := &fit{ctx: ctx, t: t, o: o, k: len(t.Classes), steps: len(r.Candidates) + 7}
	res := &Result{Recipe: r, Seed: o.Seed, Shares: o.Shares, Table: t}
	res.Parts = prep.Stratified(t.Class, f.k, o.Shares, o.Seed)
	if r.ByTime {
		res.Parts = inOrder(len(t.Class), o.Shares)
	}
	if o.Parts != nil {
		res.Parts, res.Split = o.Parts, o.Split
	}
	for i, p := range res.Parts {
		if p != prep.Out {
			f.rows[p] = append(f.rows[p], i)
		}
	}
	for p := range res.Count {
		res.Count[p] = len(f.rows[p])
		if res.Count[p] == 0 {
			return nil, fmt.Errorf("%d labelled rows leave the %s part empty: more rows are needed", len(t.Class), prep.Part(p))
		}
	}
	res.Repeats = t.repeats(res.Parts)
	for _, do := range []func(*Result) error{f.choose, f.calibrate, func(res *Result) error { return f.centres(res, res.x) }, f.judge, f.baselines, f.context, f.isolation} {
		if err := do(res); err != nil {
			return nil, err
		}
	}
	res.Typical = f.typical(res)
	return res, nil
}

// fit is the state of one run of Fit.
type fit struct {
	ctx    context.Context
	t      *Table
	o      Options
	k      int
	rows   [3][]int // by part
	inputs map[string]prepared

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

// grow fits a candidate on the training rows of x.
func (f *fit) grow(x matrix, c Candidate, seed uint64, progress func(grow.Progress)) (*tree.Ensemble, error) {
	train := f.rows[prep.Train]
	return f.watched(x, c).grow(f.ctx, x.pick(train).data(pickInts(f.t.Class, train), f.k), f.weights(c.WeightPower), seed, f.o.Workers, progress)
}

// answer returns the predicted classes and scores, n×k, of a part.
func (f *fit) answer(m *tree.Ensemble, x matrix, part prep.Part) ([]int, []float64) {
	rows := f.rows[part]
	p := x.pick(rows).predict(m, len(rows), f.k)
	class := make([]int, len(rows))
	for i := range class {
		class[i] = metric.Argmax(p[i*f.k : (i+1)*f.k])
	}
	return class, p
}

// choose fits every candidate and keeps, of those whose validation macro-F1 is
// within Close of the best, the one with the highest validation accuracy: the
// fewest false alarms for the same balance. A tie goes to the earlier. The
// candidates that are only compared take no part; the first of them, the
// baseline, is measured on hold-out rows too. Oblivious trees are taken
// instead where [fit.rivals] says so, and only there.
func (f *fit) choose(res *Result) error {
	var models []*tree.Ensemble
	var inputs []prepared
	truth := pickInts(f.t.Class, f.rows[prep.Validation])
	for i, c := range res.Recipe.Candidates {
		in, err := f.prepare(res.Recipe, c)
		if err != nil {
			return err
		}
		m, err := f.grow(in.x, c, f.o.ForestSeed, f.stage(c.Kind()+": "+c.Name))
		if err != nil {
			return err
		}
		predicted, p := f.answer(m, in.x, prep.Validation)
		conf := metric.NewConfusion(truth, predicted, f.k)
		res.Tried = append(res.Tried, Tried{c, conf.MacroF1(), conf.Accuracy(), metric.MacroAUC(truth, p, f.k)})
		models, inputs = append(models, m), append(inputs, in)
		if i < res.Recipe.Compared {
			if i == 0 {
				predicted, p := f.answer(m, in.x, prep.Holdout)
				f.summary(res, " of the baseline", prep.Holdout, pickInts(f.t.Class, f.rows[prep.Holdout]), predicted, p)
			}
		}
	}
	if i, c, err := f.rivals(res, inputs); err != nil {
		return err
	} else if c != nil {
		m, err := f.grow(inputs[i].x, *c, f.o.ForestSeed, f.stage(c.Kind()+": "+c.Name))
		if err != nil {
			return err
		}
		res.take(*c, m, inputs[i])
		f.besides(res, models, inputs)
		return nil
	}
	i := preferred(len(res.Tried), func(i int) (float64, float64, bool) {
		t := res.Tried[i]
		return t.MacroF1, t.Accuracy, i >= res.Recipe.Compared && (t.Oblivious == nil || res.Rivals == nil)
	})
	res.take(res.Tried[i].Candidate, models[i], inputs[i])
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

// isolation fits the anomaly model on benign training rows.
func (f *fit) isolation(res *Result) error {
	if res.Recipe.Unflagged {
		return nil
	}
	x := res.x
	if f.t.Unusual != nil {
		x = matrix{d: f.t.Unusual.Len(), dense: f.t.Other}
		res.Unusual = f.t.Unusual.Fit(x.pick(f.rows[prep.Train]).dense)
	}
	o := res.Recipe.Isolation
	o.Seed, o.Workers, o.Progress = derive(f.o.Seed, streamIsolation), f.o.Workers, f.stage("isolation forest")
	var benign []int
	for _, i := range f.rows[prep.Train] {
		if f.t.Class[i] == 0 {
			benign = append(benign, i)
		}
	}
	normal := x.pick(benign).dense
	src, _, err := grow.Isolation(f.ctx, grow.Data{X: normal, Features: x.d}, o)
	if err != nil {
		return err
	}
	if res.Isolation, err = tree.New(src); err != nil {
		return err
	}
	margin := make([]float64, len(benign))
	if err := res.Isolation.Margin(margin, normal); err != nil {
		return err
	}
	res.Strangeness = frame.QuantilesOf(margin, StrangenessQuantiles)

	// how well strangeness alone finds attacks
	rows := f.rows[prep.Holdout]
	margin = make([]float64, len(rows))
	if err := res.Isolation.Margin(margin, x.pick(rows).dense); err != nil {
		return err
	}
	positive := make([]bool, len(rows))
	percentile := make([]float64, len(rows))
	for i, row := range rows {
		positive[i] = f.t.Class[row] != 0
		percentile[i] = res.Strangeness.Share(margin[i])
	}
	res.Measures = append(res.Measures, Measure{"anomaly ROC-AUC", metric.AUC(metric.Curve(margin, positive)), math.NaN(), math.NaN(), prep.Holdout, len(rows)})
	res.Anomaly = metric.At(percentile, positive, AnomalyShare)
	return nil
}
