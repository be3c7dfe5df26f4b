package evaluate_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"cloister/builder/internal/evaluate"
	"cloister/shared/job"
)

var classes = []job.Class{{Name: "Benign", Benign: true}, {Name: "A"}, {Name: "B"}}

// walk makes the rows of testdata/reference.py.
func walk() []evaluate.Row {
	state := 12345
	next := func() int {
		state = (state*1103515245 + 12345) % (1 << 31)
		return state >> 8
	}
	var rows []evaluate.Row
	for range 400 {
		truth, noise, said := next()%3, next()%100, 0
		if said = truth; next()%4 == 0 {
			said = (truth + 1) % 3
		}
		base := 55
		if truth == 0 {
			base = 20
		}
		rows = append(rows, evaluate.Row{Truth: truth, Said: said, Score: float64(base+noise/2) / 110, Probability: float64(50+noise/2)/100 + 0.003, Anomaly: math.NaN()})
	}
	return rows
}

// Figures, curve, reliability and confusion are those of scikit-learn.
func TestMeasure_againstScikitLearn(t *testing.T) {
	p := evaluate.Judge(walk(), classes, 0.5, evaluate.Options{})
	b, err := os.ReadFile("testdata/reference.golden")
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got evaluate.Number, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", what, float64(got), want)
		}
	}
	names := map[string]string{
		"macro_f1": "macro-F1", "auc": "attack ROC-AUC", "ap": "attack average precision", "brier": "attack Brier score",
		"recall_at_0.001": "attack recall at 0.1 % false positives", "recall_at_0.01": "attack recall at 1 % false positives",
	}
	points, bins, class, confusion := 0, 0, 0, 0
	for line := range strings.Lines(string(b)) {
		var word string
		var v [4]float64
		if n, _ := fmt.Sscan(line, &word, &v[0], &v[1], &v[2], &v[3]); n == 0 || word == "#" {
			continue
		}
		switch word {
		case "roc":
			if len(p.Curve) != int(v[0]) {
				t.Fatalf("%d points, want %v", len(p.Curve), v[0])
			}
		case "point":
			near(word, p.Curve[points].FPR, v[0])
			near(word, p.Curve[points].Recall, v[1])
			points++
		case "bin":
			for bins < len(p.Reliability) && p.Reliability[bins].Rows == 0 { // scikit-learn lists bins with rows
				bins++
			}
			near(word, p.Reliability[bins].Confidence, v[0])
			near(word, p.Reliability[bins].Accuracy, v[1])
			bins++
		case "class":
			c := p.Classes[class]
			near("precision", c.Precision, v[0])
			near("recall", c.Recall, v[1])
			near("F1", c.F1, v[2])
			if c.Support != int(v[3]) {
				t.Errorf("class %d: %d rows", class, c.Support)
			}
			class++
		case "confusion":
			for j := range 3 {
				if p.Confusion[confusion][j] != v[j] {
					t.Errorf("confusion %d: %v, want %v", confusion, p.Confusion[confusion], v[:3])
				}
			}
			confusion++
		default:
			near(word, p.Value(names[word]).Value, v[0])
			delete(names, word)
		}
	}
	if len(names) != 0 || points < 20 || bins < 5 || class != 3 || confusion != 3 {
		t.Errorf("golden file without %v; %d points, %d bins, %d classes, %d rows", names, points, bins, class, confusion)
	}
	if got := p.Measures[0].Name + ", " + p.Measures[1].Name + ", " + p.Measures[len(p.Measures)-1].Name; got != "macro-F1, attack recall at 0.1 % false positives, accuracy" {
		t.Errorf("order of the figures: %s", got)
	}
	for _, m := range p.Measures[:3] {
		if !(m.Low <= m.Value && m.Value <= m.High && m.Low < m.High) {
			t.Errorf("%s: %v not in the interval %v to %v", m.Name, m.Value, m.Low, m.High)
		}
	}
}

// Coverage keeps the most probable verdicts first; the last point is all rows.
func TestMeasure_coverage(t *testing.T) {
	var rows []evaluate.Row
	for i := range 40 { // the ten least probable are wrong
		said := 1
		if i < 10 {
			said = 2
		}
		rows = append(rows, evaluate.Row{Truth: 1, Said: said, Probability: float64(i) / 40, Abstained: i < 4, Anomaly: float64(i) / 39})
	}
	p := evaluate.Judge(rows, classes, 0.5, evaluate.Options{})
	if len(p.Coverage) != 20 {
		t.Fatalf("%d points", len(p.Coverage))
	}
	for _, k := range p.Coverage {
		want := max(0, 40*k.Share-30) / (40 * k.Share)
		if math.Abs(float64(k.Error)-want) > 1e-12 {
			t.Errorf("coverage %v: error %v, want %v", k.Share, k.Error, want)
		}
	}
	if last := p.Coverage[19]; last.Share != 1 || last.Least != 0 {
		t.Errorf("last point %+v", last)
	}
	if got := p.Value("share abstained").Value; got != 0.1 {
		t.Errorf("abstained %v", got)
	}
	if got := p.Thresholds[0]; got.Flagged != 20 || got.Recall != 0.5 {
		t.Errorf("threshold %+v", got)
	}
	sum := 0
	for _, b := range p.Anomaly {
		sum += b.Attack
	}
	if sum != 40 || p.Anomaly[19].Attack != 2 {
		t.Errorf("histogram %v", p.Anomaly)
	}
}

// A label without a class counts as an attack, and for nothing that names
// classes; rows of one kind give no curve but no crash either.
func TestMeasure_unknownAndOneSided(t *testing.T) {
	rows := []evaluate.Row{{Truth: 0, Said: 0, Score: .1}, {Truth: -1, Said: 2, Score: .9}, {Truth: 0, Said: 1, Score: .95}}
	p := evaluate.Judge(rows, classes, 0.5, evaluate.Options{Rounds: 50})
	if got := p.Value("accuracy"); got.Value != 0.5 || got.Rows != 2 {
		t.Errorf("accuracy %+v", got)
	}
	if got := p.Value("attack recall at the bundle's threshold"); got.Value != 1 || got.Rows != 3 {
		t.Errorf("recall %+v", got)
	}
	if got := p.Value("attack recall at 1 % false positives"); got.Value != 0 {
		t.Errorf("recall at 1 %%: %+v", got)
	}
	p = evaluate.Judge(rows[:1], classes, 0.5, evaluate.Options{})
	if got := p.Value("attack ROC-AUC").Value; !math.IsNaN(float64(got)) {
		t.Errorf("AUC of one row %v", got)
	}
	evaluate.Judge(nil, classes, 0.5, evaluate.Options{})
	noBenign := []job.Class{{Name: "Low"}, {Name: "High"}}
	p = evaluate.Judge([]evaluate.Row{{Truth: 0, Said: 1, Probability: .6, Anomaly: math.NaN()}}, noBenign, 1, evaluate.Options{})
	if len(p.Curve) != 0 || len(p.Anomaly) != 0 {
		t.Error("a curve of attacks without a benign class")
	}
}
