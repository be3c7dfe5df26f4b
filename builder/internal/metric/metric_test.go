package metric_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloister/builder/internal/metric"
)

const exact = 1e-12 // rounding of a handful of float64 operations

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > exact || math.IsNaN(got) != math.IsNaN(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// The expected values are scikit-learn's, 1.9.1, 2026-11-22:
//
//	t = [0]*6 + [1]*4 + [2]*2; p = [0,0,0,0,1,2, 1,1,0,1, 1,1]
//	f1_score(t, p, average="macro"), accuracy_score(t, p),
//	precision_recall_fscore_support(t, p, zero_division=nan)
func TestConfusion_likeScikitLearn(t *testing.T) {
	truth := []int{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2}
	predicted := []int{0, 0, 0, 0, 1, 2, 1, 1, 0, 1, 1, 1}
	c := metric.NewConfusion(truth, predicted, 3)
	near(t, "macro-F1", c.MacroF1(), 0.44242424242424244)
	near(t, "accuracy", c.Accuracy(), 0.5833333333333334)
	near(t, "precision of 0", c.Class(0).Precision, 0.8)
	near(t, "recall of 1", c.Class(1).Recall, 0.75)
	near(t, "F1 of 1", c.Class(1).F1, 0.6)
	near(t, "F1 of 2", c.Class(2).F1, 0)
	if got := c.Class(2).Support; got != 2 {
		t.Errorf("support: %d", got)
	}
	// a class without rows or predictions does not count
	near(t, "macro-F1 with an unused class", metric.NewConfusion(truth, predicted, 4).MacroF1(), 0.44242424242424244)
	near(t, "accuracy of nothing", metric.NewConfusion(nil, nil, 2).Accuracy(), math.NaN())
}

// roc_auc_score([0,0,1,1,0,1], [.1,.4,.35,.8,.4,.4]) is 0.6666666666666666 in
// scikit-learn 1.9.1.
func TestCurve(t *testing.T) {
	scores := []float64{.1, .4, .35, .8, .4, .4}
	positive := []bool{false, false, true, true, false, true}
	c := metric.Curve(scores, positive)
	if len(c) != 4 {
		t.Fatalf("%d points, want one per distinct score", len(c))
	}
	near(t, "AUC", metric.AUC(c), 2.0/3)
	p, ok := metric.AtFPR(c, 0)
	if !ok || p.Threshold != .8 || p.Recall != 1.0/3 || p.Precision != 1 {
		t.Errorf("at no false positives: %+v", p)
	}
	p, ok = metric.AtFPR(c, .7)
	if !ok || p.Threshold != .35 || p.Recall != 1 {
		t.Errorf("at 70 %%: %+v", p)
	}
	if got := metric.At(scores, positive, .4); got.Recall != 2.0/3 || got.FPR != 2.0/3 || got.Precision != .5 {
		t.Errorf("at .4: %+v", got)
	}
	if _, ok := metric.AtFPR(metric.Curve([]float64{1, 1}, []bool{true, false}), .5); ok {
		t.Error("a point where every false positive comes with the first")
	}
}

// The percentile interval of a mean is close to the normal one.
func TestInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	x := make([]float64, 400)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	mean := func(rows []int) float64 {
		sum := 0.0
		for _, i := range rows {
			sum += x[i]
		}
		return sum / float64(len(rows))
	}
	low, high := metric.Interval(len(x), 2000, rng, mean)
	if width := high - low; math.Abs(width-2*1.96/20) > 0.02 {
		t.Errorf("interval %v to %v is %v wide, want about %v", low, high, width, 2*1.96/20)
	}
	low, high = metric.Interval(0, 10, rng, mean)
	if !math.IsNaN(low) || !math.IsNaN(high) {
		t.Error("an interval of nothing")
	}
}

func TestArgmax_firstAmongEquals(t *testing.T) {
	if got := metric.Argmax([]float64{.1, .4, .4, .1}); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}
