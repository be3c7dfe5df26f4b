package train

import (
	"math"

	"cloister/builder/internal/calibrate"
	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
)

// answers are the verdicts of a model on one part of the split.
type answers struct {
	truth, class []int
	raw          []float64 // n×k, the model's scores
	p            []float64 // n×k, calibrated
}

// answer asks a model about a part; the curve of res makes probabilities.
func (f *fit) answers(res *Result, part prep.Part) answers {
	rows := f.rows[part]
	a := answers{truth: pickInts(f.t.Class, rows), raw: res.x.pick(rows).predict(res.Forest, len(rows), f.k)}
	a.p = append(a.p, a.raw...)
	for i := range rows {
		row := a.p[i*f.k : (i+1)*f.k]
		a.class = append(a.class, metric.Argmax(row))
		if res.Calibration.Curve != nil {
			res.Calibration.Curve.Calibrate(row)
		}
	}
	return a
}

// calibrate chooses how scores become probabilities, on the validation rows.
func (f *fit) calibrate(res *Result) error {
	a := f.answers(res, prep.Validation)
	var err error
	res.Calibration, err = calibrate.Choose(a.raw, a.truth, f.k, derive(f.o.Seed, streamCalibration))
	return err
}

// certainty measures the probabilities of a part: how far off they are, before
// and after calibration.
func (f *fit) certainty(res *Result, part prep.Part, a answers) {
	add := func(name string, v float64) {
		res.Measures = append(res.Measures, Measure{name, v, math.NaN(), math.NaN(), part, len(a.truth)})
	}
	expected := func(p []float64) float64 {
		confidence, right := metric.Confidence(a.truth, a.class, p, f.k)
		return metric.CalibrationError(metric.Reliability(confidence, right, calibrate.ErrorBins))
	}
	add("log loss", metric.LogLoss(a.truth, a.p, f.k))
	add("calibration error", expected(a.p))
	if res.Calibration.Curve != nil && part == prep.Holdout {
		add("log loss before calibration", metric.LogLoss(a.truth, a.raw, f.k))
		add("calibration error before calibration", expected(a.raw))
	}
}

const (
	// AbstainKeep is the least share of a class's verdicts that its threshold
	// keeps.
	AbstainKeep = 0.85
	// AbstainRows is how many validation verdicts a class needs for a
	// threshold of its own.
	AbstainRows = 20
)

// abstain returns for each class the probability below which no verdict is
// given, and the one of all classes together, from validation rows: the
// smallest percent that halves the error of all verdicts among those of the
// class that are kept, or the one that errs least if none does while keeping
// AbstainKeep of them. A class with fewer than AbstainRows verdicts takes that
// of all.
func abstain(truth, predicted []int, p []float64, k int) (class []float64, all float64) {
	rows := func(c int) (confidence []float64, right []bool) {
		for i, v := range predicted {
			if c < 0 || v == c {
				confidence, right = append(confidence, p[i*k+v]), append(right, truth[i] == v)
			}
		}
		return confidence, right
	}
	confidence, right := rows(-1)
	goal := errorAbove(confidence, right, 0).rate() / 2
	all = leastAt(confidence, right, goal)
	for c := range k {
		confidence, right := rows(c)
		if len(right) < AbstainRows {
			class = append(class, all)
			continue
		}
		class = append(class, leastAt(confidence, right, goal))
	}
	return class, all
}

// leastAt returns the smallest percent at which the kept verdicts err at most
// by goal, or the one with the least error.
func leastAt(confidence []float64, right []bool, goal float64) float64 {
	best, least := 0.0, errorAbove(confidence, right, 0).rate()
	for percent := 0; percent < 100; percent++ {
		t := float64(percent) / 100
		kept := errorAbove(confidence, right, t)
		if kept.rows < AbstainKeep*float64(len(right)) {
			break
		}
		if kept.rate() <= goal {
			return t
		}
		if kept.rate() < least {
			best, least = t, kept.rate()
		}
	}
	return best
}

type tally struct{ rows, wrong float64 }

// rate returns the share that is wrong, 0 of no rows.
func (t tally) rate() float64 {
	if t.rows == 0 {
		return 0
	}
	return t.wrong / t.rows
}

func (t *tally) add(right bool) {
	t.rows++
	if !right {
		t.wrong++
	}
}

func errorAbove(confidence []float64, right []bool, least float64) (t tally) {
	for i, v := range confidence {
		if v >= least {
			t.add(right[i])
		}
	}
	return t
}

// withheld records what abstaining does on hold-out rows.
func (f *fit) withheld(res *Result, a answers) {
	var kept, held, out tally
	for i, c := range a.class {
		right := a.truth[i] == c
		outside := res.outside != nil && res.outside[i]
		if outside {
			out.add(right)
		}
		if outside || a.p[i*f.k+c] < res.Abstain[c] {
			held.add(right)
		} else {
			kept.add(right)
		}
	}
	res.AbstainError = [2]float64{kept.rate(), held.rate()}
	res.AbstainShare = held.rows / float64(len(a.truth))
	res.OutsideHoldout, res.OutsideError = out.rows/float64(len(a.truth)), out.rate()
	res.Coverage = coverage(a.truth, a.class, a.p, f.k)
}
