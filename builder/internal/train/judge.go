package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
	"cloister/builder/internal/train/past"
	"cloister/shared/model/tree"
)

// judge measures the chosen model on validation and hold-out rows and sets
// the thresholds from the validation rows.
func (f *fit) judge(res *Result) error {
	for _, part := range []prep.Part{prep.Validation, prep.Holdout} {
		a := f.answers(res, part)
		var score []float64
		var positive []bool
		for i, c := range a.truth {
			score, positive = append(score, min(max(1-a.p[i*f.k], 0), 1)), append(positive, c != 0)
		}
		if part == prep.Validation {
			curve := metric.Curve(score, positive)
			point, ok := metric.AtFPR(curve, AlertFPR)
			if ok && res.Recipe.Balanced {
				point = balanced(curve, point)
			}
			if !ok { // no score separates: flag nothing below certainty
				point = metric.At(score, positive, 1)
			}
			res.Alert = point
			res.Abstain, res.AbstainAll = abstain(a.truth, a.class, a.p, f.k)
		} else {
			res.Confusion = metric.NewConfusion(a.truth, a.class, f.k)
			res.AlertHoldout = metric.At(score, positive, res.Alert.Threshold)
			f.withheld(res, a)
		}
		if res.Recipe.Benign != "" {
			f.flagged(res, part, score, positive)
		}
		f.summary(res, "", part, a.truth, a.class, a.p)
		f.certainty(res, part, a)
	}
	f.unseen(res)
	return nil
}

// balanced returns the point of the best F1 of those with at most the false
// positives of limit, the highest threshold of equals: where nearly all that
// is found lies above a few false alarms, the rest of them buy nothing.
func balanced(curve []metric.Point, limit metric.Point) metric.Point {
	f1 := func(p metric.Point) float64 {
		if !(p.Precision+p.Recall > 0) {
			return 0
		}
		return 2 * p.Precision * p.Recall / (p.Precision + p.Recall)
	}
	best := metric.Point{}
	for _, p := range curve {
		if p.FPR <= limit.FPR && f1(p) > f1(best) {
			best = p
		}
	}
	if f1(best) == 0 {
		return limit
	}
	return best
}

// flagged records how well the attack score finds attacks.
func (f *fit) flagged(res *Result, part prep.Part, score []float64, positive []bool) {
	curve := metric.Curve(score, positive)
	add := func(name string, v float64) {
		res.Measures = append(res.Measures, Measure{name, v, math.NaN(), math.NaN(), part, len(score)})
	}
	for _, limit := range []float64{0.001, 0.01} {
		point, ok := metric.AtFPR(curve, limit)
		if !ok {
			point.Recall = 0
		}
		add(fmt.Sprintf("attack recall at %g %% false positives", limit*100), point.Recall)
	}
	add("attack ROC-AUC", metric.AUC(curve))
	add("attack average precision", metric.AveragePrecision(curve))
}

// summary records the figures of the classes with intervals; of says whose
// they are.
func (f *fit) summary(res *Result, of string, part prep.Part, truth, predicted []int, p []float64) {
	n := len(truth)
	rng := rand.New(rand.NewPCG(derive(f.o.Seed, streamBootstrap), uint64(part)))
	add := func(name string, rounds int, stat func(rows []int) float64) {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		low, high := metric.Interval(n, rounds, rng, stat)
		v := stat(all)
		// a skewed statistic can lie outside its percentile interval
		res.Measures = append(res.Measures, Measure{name + of, v, min(low, v), max(high, v), part, n})
	}
	class := func(of func(metric.Confusion) float64) func([]int) float64 {
		return func(rows []int) float64 {
			return of(metric.NewConfusion(pickInts(truth, rows), pickInts(predicted, rows), f.k))
		}
	}
	add("macro-F1", bootstrapRounds, class(metric.Confusion.MacroF1))
	add("macro precision", bootstrapRounds, class(metric.Confusion.MacroPrecision))
	add("macro recall", bootstrapRounds, class(metric.Confusion.MacroRecall))
	add("macro ROC-AUC", slowRounds, func(rows []int) float64 { return metric.MacroAUC(pickInts(truth, rows), pick(p, f.k, rows), f.k) })
	add("accuracy", bootstrapRounds, class(metric.Confusion.Accuracy))
}

// unseen measures the hold-out rows whose feature vector is not in training.
func (f *fit) unseen(res *Result) {
	var truth, predicted []int
	all, _ := f.answer(res.Forest, res.x, prep.Holdout)
	for i, row := range f.rows[prep.Holdout] {
		if !res.Repeats.InTraining[row] {
			truth, predicted = append(truth, f.t.Class[row]), append(predicted, all[i])
		}
	}
	if len(truth) > 0 {
		res.Measures = append(res.Measures, Measure{"macro-F1 on rows whose features are new", metric.NewConfusion(truth, predicted, f.k).MacroF1(), math.NaN(), math.NaN(), prep.Holdout, len(truth)})
	}
}

// baselines measures on hold-out rows what is known without looking: the most
// frequent class, identity alone, and the best single feature, chosen on
// validation rows.
func (f *fit) baselines(res *Result) error {
	progress := f.stage("baselines")
	holdout := pickInts(f.t.Class, f.rows[prep.Holdout])
	record := func(name string, predicted []int) {
		c := metric.NewConfusion(holdout, predicted, f.k)
		res.Measures = append(res.Measures,
			Measure{"macro-F1 " + name, c.MacroF1(), math.NaN(), math.NaN(), prep.Holdout, len(holdout)},
			Measure{"accuracy " + name, c.Accuracy(), math.NaN(), math.NaN(), prep.Holdout, len(holdout)})
	}
	most := f.mostFrequent()
	prior := make([]int, len(holdout))
	for i := range prior {
		prior[i] = most
	}
	name := f.t.Classes[most]
	if res.Recipe.Benign != "" {
		name = "benign"
		clear(prior)
	}
	record("of always "+name, prior)
	if f.t.Identity != nil {
		m, err := f.plain(matrix{d: identityColumns, dense: f.t.Identity}, 0)
		if err != nil {
			return err
		}
		predicted, _ := f.answer(m, matrix{d: identityColumns, dense: f.t.Identity}, prep.Holdout)
		record("from addresses, ports and time alone", predicted)
	}
	return f.bestSingle(res, record, progress)
}

// mostFrequent returns the class with the most training rows.
func (f *fit) mostFrequent() int {
	count := make([]float64, f.k)
	for _, i := range f.rows[prep.Train] {
		count[f.t.Class[i]]++
	}
	return metric.Argmax(count)
}

// plain fits an untuned forest; trees 0 means the default.
func (f *fit) plain(x matrix, trees int) (*tree.Ensemble, error) {
	return f.grow(x, Candidate{Options: grow.ForestOptions{Trees: trees}}, derive(f.o.Seed, streamBaseline), nil)
}

// bestSingle records what the best single numeric feature reaches.
func (f *fit) bestSingle(res *Result, record func(string, []int), progress func(grow.Progress)) error {
	if f.t.X == nil {
		return f.category(res, record)
	}
	d := f.t.Pipeline.Len()
	best, bestScore := -1, -1.0
	column := func(j int) matrix {
		x := make([]float64, len(f.t.Class))
		for i := range x {
			x[i] = f.t.X[i*d+j]
		}
		return matrix{d: 1, dense: x}
	}
	validation := pickInts(f.t.Class, f.rows[prep.Validation])
	for j := range d {
		m, err := f.plain(column(j), baselineTrees)
		if err != nil {
			return err
		}
		predicted, _ := f.answer(m, column(j), prep.Validation)
		if s := metric.NewConfusion(validation, predicted, f.k).MacroF1(); s > bestScore {
			best, bestScore = j, s
		}
		if progress != nil {
			progress(grow.Progress{Done: j + 1, Total: d})
		}
	}
	m, err := f.plain(column(best), baselineTrees)
	if err != nil {
		return err
	}
	res.BestFeature = f.t.Pipeline.Steps()[best].Name
	predicted, _ := f.answer(m, column(best), prep.Holdout)
	record("from "+res.BestFeature+" alone", predicted)
	return nil
}

// typical returns the median of each numeric column for each class in
// training, K×d: the lower middle value, NaN where every value is missing.
func (f *fit) typical(res *Result) []float64 {
	numbers := f.t.X
	if res.Pipeline == nil {
		return nil
	}
	d := res.Pipeline.Len()
	if numbers == nil {
		numbers = res.Pipeline.Matrix(nil, f.t.Frame)
	}
	out := make([]float64, 0, f.k*d)
	for c := range f.k {
		for j := range d {
			var values []float64
			for _, i := range f.rows[prep.Train] {
				if v := numbers[i*d+j]; f.t.Class[i] == c && !math.IsNaN(v) {
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

// context measures what the model would gain from what came before each flow
// in its file: the chosen candidate with and without. The columns are no
// features of any recipe: see the card.
func (f *fit) context(res *Result) error {
	progress := f.stage("with what came before")
	around := f.t.Around
	if around == nil || !slices.ContainsFunc(around, func(v float64) bool { return !math.IsNaN(v) }) {
		return nil // no times or no addresses
	}
	d, c := res.x.d, len(past.Names())
	both := matrix{d: d + c}
	for i := range f.t.Class {
		both.dense = append(append(both.dense, res.x.dense[i*d:(i+1)*d]...), around[i*c:(i+1)*c]...)
	}
	m, err := f.grow(both, res.Chosen, f.o.ForestSeed, progress)
	if err != nil {
		return err
	}
	for _, part := range []prep.Part{prep.Validation, prep.Holdout} {
		truth := pickInts(f.t.Class, f.rows[part])
		predicted, _ := f.answer(m, both, part)
		conf := metric.NewConfusion(truth, predicted, f.k)
		res.Measures = append(res.Measures,
			Measure{"macro-F1 with context of 10 to 300 s", conf.MacroF1(), math.NaN(), math.NaN(), part, len(truth)},
			Measure{"accuracy with context of 10 to 300 s", conf.Accuracy(), math.NaN(), math.NaN(), part, len(truth)})
	}
	return nil
}
