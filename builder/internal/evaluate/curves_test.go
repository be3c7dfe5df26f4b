package evaluate_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloister/builder/internal/evaluate"
	"cloister/shared/job"
)

// TestMeasure_classCurves holds the area under a class's ROC curve against the
// share of pairs in the right order.
func TestMeasure_classCurves(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	classes := []job.Class{{Name: "Benign", Benign: true}, {Name: "a"}, {Name: "never"}}
	var rows []evaluate.Row
	for i := range 200 {
		p := 0.5 + 0.5*rng.Float64()
		rows = append(rows, evaluate.Row{Truth: i % 2, Said: 1, Score: p, Probability: math.Round(10*p*rng.Float64()) / 10})
	}
	part := evaluate.Judge(rows, classes, 0.5, evaluate.Options{Rounds: 50})
	pairs, right := 0.0, 0.0
	for _, a := range rows {
		for _, b := range rows {
			if a.Truth == 1 && b.Truth == 0 {
				pairs++
				switch {
				case a.Probability > b.Probability:
					right++
				case a.Probability == b.Probability:
					right += 0.5
				}
			}
		}
	}
	c := part.Classes[1]
	if math.Abs(float64(c.AUC)-right/pairs) > 1e-12 || len(c.Curve) < 5 || !(c.AveragePrecision > 0) {
		t.Errorf("AUC %v of %d points, want %v", c.AUC, len(c.Curve), right/pairs)
	}
	if none := part.Classes[2]; none.Curve != nil || !math.IsNaN(float64(none.AUC)) {
		t.Errorf("a class without rows has %d points, AUC %v", len(none.Curve), none.AUC)
	}
	if mean := (float64(part.Classes[0].AUC) + float64(c.AUC)) / 2; math.Abs(float64(part.Value("macro ROC-AUC").Value)-mean) > 1e-12 {
		t.Errorf("macro ROC-AUC %v, want %v", part.Value("macro ROC-AUC").Value, mean)
	}
}
