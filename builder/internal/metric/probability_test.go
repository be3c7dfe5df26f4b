package metric_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"cloister/builder/internal/metric"
)

// The figures are scikit-learn's: testdata/probability.py says how, its output
// which version (2026-11-22).
func TestProbability_asScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/probability.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Truth                                 []int
		P                                     []float64
		K                                     int
		Brier, AUC, AP, Precision, Recall, F1 float64
		LogLoss                               float64 `json:"log_loss"`
	}
	if err := json.Unmarshal(text, &g); err != nil || len(g.Truth) != 240 {
		t.Fatal(len(g.Truth), err)
	}
	predicted := make([]int, len(g.Truth))
	for i := range predicted {
		predicted[i] = metric.Argmax(g.P[i*g.K : (i+1)*g.K])
	}
	c := metric.NewConfusion(g.Truth, predicted, g.K)
	precision := 0.0 // over classes, all of which have rows
	for class := range g.K {
		precision += metric.AveragePrecision(metric.Curve(metric.OneAgainstRest(g.Truth, g.P, g.K, class)))
	}
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"log loss", metric.LogLoss(g.Truth, g.P, g.K), g.LogLoss},
		{"Brier", metric.Brier(g.Truth, g.P, g.K), g.Brier},
		{"macro ROC-AUC", metric.MacroAUC(g.Truth, g.P, g.K), g.AUC},
		{"macro average precision", precision / float64(g.K), g.AP},
		{"macro precision", c.MacroPrecision(), g.Precision},
		{"macro recall", c.MacroRecall(), g.Recall},
		{"macro-F1", c.MacroF1(), g.F1},
	} {
		if math.Abs(tt.got-tt.want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestCalibrationError(t *testing.T) {
	// .1 and .15 in the second of ten bins, one right; .95, 1 in the last, both right
	bins := metric.Reliability([]float64{.1, .15, .95, 1}, []bool{true, false, true, true}, 10)
	if len(bins) != 10 || bins[1].Rows != 2 || bins[1].Accuracy != .5 || math.Abs(bins[1].Confidence-.125) > 1e-15 || bins[9].Rows != 2 || bins[9].High != 1 || !math.IsNaN(bins[4].Accuracy) {
		t.Errorf("%+v", bins)
	}
	if got, want := metric.CalibrationError(bins), (2*.375+2*.025)/4; math.Abs(got-want) > 1e-15 {
		t.Errorf("got %v, want %v", got, want)
	}
	if !math.IsNaN(metric.CalibrationError(metric.Reliability(nil, nil, 5))) {
		t.Error("an error of no rows")
	}
	confidence, right := metric.Confidence([]int{0, 1}, []int{0, 0}, []float64{.7, .3, .6, .4}, 2)
	if confidence[0] != .7 || confidence[1] != .6 || !right[0] || right[1] {
		t.Errorf("%v, %v", confidence, right)
	}
}

func TestProbability_nothing(t *testing.T) {
	for name, v := range map[string]float64{
		"log loss": metric.LogLoss(nil, nil, 2), "Brier": metric.Brier(nil, nil, 2), "AUC": metric.MacroAUC(nil, nil, 2), "AP": metric.AveragePrecision(metric.Curve(nil, nil)),
		"AUC of one class": metric.MacroAUC([]int{0, 0}, []float64{1, 0, 1, 0}, 2), "precision": metric.NewConfusion(nil, nil, 2).MacroPrecision(),
	} {
		if !math.IsNaN(v) {
			t.Errorf("%s: %v", name, v)
		}
	}
	// predicted but without rows counts, never seen does not
	c := metric.NewConfusion([]int{0, 0}, []int{0, 1}, 3)
	if c.MacroPrecision() != .5 || c.MacroRecall() != .25 {
		t.Errorf("%v, %v", c.MacroPrecision(), c.MacroRecall())
	}
}

// Source: sklearn.metrics.log_loss of scikit-learn 1.9.1, 2026-11-22:
//
//	log_loss([0, 1, 2, 2], [[.7,.2,.1], [.1,.8,.1], [.25,.25,.5], [1,0,0]])
func TestLogLoss_likeScikitLearn(t *testing.T) {
	p := []float64{.7, .2, .1, .1, .8, .1, .25, .25, .5, 1, 0, 0}
	if got, want := metric.LogLoss([]int{0, 1, 2, 2}, p, 3), 9.32915476623251; math.Abs(got-want) > 1e-12 {
		t.Errorf("got %v, want %v", got, want)
	}
}
