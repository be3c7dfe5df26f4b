package grow_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// goldens is testdata/golden.json: what scikit-learn and XGBoost reach on
// testdata/table.csv, written by testdata/compare.py, with versions and date.
type goldens struct {
	Seeds  int
	Scores map[string]map[string]struct{ Mean, Spread float64 }
}

// fold is one of the five splits that compare.py makes: the rows whose number
// less the seed is 0 or 1 modulo 5 are the test.
type fold struct {
	train, test grow.Data
	target      [2][]float64
}

func readFold(t *testing.T, seed int) (f fold) {
	t.Helper()
	file, err := os.Open("testdata/table.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows[1:] {
		part, d := 0, &f.train
		if (i-seed+5)%5 < 2 {
			part, d = 1, &f.test
		}
		d.Features, d.Classes = 8, 4
		for j, cell := range row {
			v := math.NaN()
			if cell != "" {
				if v, err = strconv.ParseFloat(cell, 64); err != nil {
					t.Fatal(err)
				}
			}
			switch {
			case j < 8:
				d.X = append(d.X, v)
			case j == 8:
				d.Class = append(d.Class, int(v))
			default:
				f.target[part] = append(f.target[part], v)
			}
		}
	}
	if len(f.train.Class) != 1200 || len(f.test.Class) != 800 {
		t.Fatalf("%d and %d rows", len(f.train.Class), len(f.test.Class))
	}
	return f
}

// numeric returns the training rows with their targets.
func (f *fold) numeric() grow.Data {
	return grow.Data{Features: 8, X: f.train.X, Target: f.target[0]}
}

// binary returns the training rows and test labels with classes 1 to 3 as one.
func (f *fold) binary() (train grow.Data, test []int) {
	train = grow.Data{Features: 8, X: f.train.X, Classes: 2}
	for _, c := range f.train.Class {
		train.Class = append(train.Class, min(c, 1))
	}
	for _, c := range f.test.Class {
		test = append(test, min(c, 1))
	}
	return train, test
}

// quality mirrors compare.py: accuracy, macro F1, log loss of probabilities
// of at least 1e-3.
func quality(p []float64, class []int, k int) map[string]float64 {
	hit, said, is := make([]float64, k), make([]float64, k), make([]float64, k)
	loss := 0.0
	for i, c := range class {
		row := p[i*k : (i+1)*k]
		sum := 0.0
		for _, v := range row {
			sum += max(v, 1e-3)
		}
		loss -= math.Log(max(row[c], 1e-3)/sum) / float64(len(class))
		g := argmax(row)
		said[g]++
		is[c]++
		if g == c {
			hit[c]++
		}
	}
	right, f1 := 0.0, 0.0
	for c := range hit {
		right += hit[c] / float64(len(class))
		if said[c]+is[c] > 0 {
			f1 += 2 * hit[c] / (said[c] + is[c]) / float64(k)
		}
	}
	return map[string]float64{"accuracy": right, "f1": f1, "logloss": loss}
}

// r2 is the coefficient of determination.
func r2(p, y []float64) map[string]float64 {
	mean, squares, spread := 0.0, 0.0, 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	for i, v := range y {
		squares += (v - p[i]) * (v - p[i])
		spread += (v - mean) * (v - mean)
	}
	return map[string]float64{"r2": 1 - squares/spread}
}

// auc is the chance that a row of the class scores above one that is not.
func auc(score []float64, class []int, c int) map[string]float64 {
	wins, pairs := 0.0, 0.0
	for i, a := range class {
		for j, b := range class {
			if a != c || b == c {
				continue
			}
			pairs++
			if score[i] > score[j] {
				wins++
			} else if score[i] == score[j] {
				wins += 0.5
			}
		}
	}
	return map[string]float64{"auc": wins / pairs}
}

// TestGolden_qualityOfPeers asks that the mean over five splits is at most a
// floor worse than the peer's and at most three floors better. The floors were
// set by hand after looking at the differences: one seed a split still leaves
// 0.009 of log loss for the plain forest, where 30 paired runs gave 0.002±0.0015.
func TestGolden_qualityOfPeers(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var want goldens
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	var folds []fold
	for seed := range want.Seeds {
		folds = append(folds, readFold(t, seed))
	}
	grove := func(o grow.ForestOptions) func(int) map[string]float64 {
		return func(seed int) map[string]float64 {
			f := &folds[seed]
			o.Seed = uint64(seed)
			s, _ := forest(t, f.train, o)
			return quality(probabilities(&s, f.test.X), f.test.Class, 4)
		}
	}
	mean := func(o grow.ForestOptions) func(int) map[string]float64 {
		return func(seed int) map[string]float64 {
			f := &folds[seed]
			o.Seed = uint64(seed)
			s, _ := forest(t, f.numeric(), o)
			return r2(probabilities(&s, f.test.X), f.target[1])
		}
	}
	boosted := func(task string, o grow.BoostOptions) func(int) map[string]float64 {
		return func(seed int) map[string]float64 {
			f := &folds[seed]
			o.Seed, o.LearningRate = uint64(seed), 0.1
			d, labels := f.train, f.test.Class
			switch task {
			case "regression":
				d = f.numeric()
			case "binary":
				d, labels = f.binary()
			}
			s, _ := boost(t, d, o)
			p := score(&s, f.test.X)
			switch s.Link {
			case tree.Identity:
				return r2(p, f.target[1])
			case tree.Logistic:
				two := make([]float64, 0, 2*len(p))
				for _, v := range p {
					two = append(two, 1-v, v)
				}
				return quality(two, labels, 2)
			}
			return quality(p, labels, 4)
		}
	}
	runs := map[string]func(seed int) map[string]float64{
		"forest":                 grove(grow.ForestOptions{}),
		"forest balanced":        grove(grow.ForestOptions{Balanced: true, MinSamplesLeaf: 3}),
		"forest shallow":         grove(grow.ForestOptions{MaxDepth: 5, MaxFeatures: 4}),
		"extra trees":            grove(grow.ForestOptions{ExtraTrees: true}),
		"forest regression":      mean(grow.ForestOptions{}),
		"extra trees regression": mean(grow.ForestOptions{ExtraTrees: true}),
		"isolation": func(seed int) map[string]float64 {
			filled := func(x []float64) []float64 { // as numpy's nan_to_num did for scikit-learn
				out := make([]float64, len(x))
				for i, v := range x {
					if !math.IsNaN(v) {
						out[i] = v
					}
				}
				return out
			}
			s, _ := isolation(t, grow.Data{Features: 8, X: filled(folds[seed].train.X)}, grow.IsolationOptions{Seed: uint64(seed)})
			return auc(anomaly(&s, filled(folds[seed].test.X)), folds[seed].test.Class, 3)
		},
		"boost":            boosted("classes", grow.BoostOptions{}),
		"boost leaf-wise":  boosted("classes", grow.BoostOptions{LeafWise: true, MaxDepth: -1, MaxLeaves: 16, Rounds: 60}),
		"boost sampled":    boosted("classes", grow.BoostOptions{MaxDepth: 5, Subsample: .7, ColsampleTree: .8, ColsampleLevel: .8, ColsampleNode: .8, Rounds: 80}),
		"boost penalties":  boosted("classes", grow.BoostOptions{MaxDepth: 5, Lambda: 3, Alpha: .5, Gamma: .3, MinChildWeight: 4, Rounds: 80}),
		"boost binary":     boosted("binary", grow.BoostOptions{MaxDepth: 4, ScalePosWeight: 2, Rounds: 60}),
		"boost regression": boosted("regression", grow.BoostOptions{MaxDepth: 4}),
		"boost monotone":   boosted("regression", grow.BoostOptions{MaxDepth: 4, Monotone: []int8{1, 1, 0, 0, 0, 0, 0, 0}}),
	}
	if len(want.Scores) != len(runs) {
		t.Fatalf("%d goldens, %d runs", len(want.Scores), len(runs))
	}
	floor := map[string]float64{"accuracy": 0.00625, "f1": 0.0125, "logloss": 0.01, "r2": 0.01, "auc": 0.01}
	for name, run := range runs {
		metrics := want.Scores[name]
		if len(metrics) == 0 {
			t.Fatalf("no golden for %q", name)
		}
		got := map[string]float64{}
		for seed := range want.Seeds {
			for m, v := range run(seed) {
				got[m] += v / float64(want.Seeds)
			}
		}
		for m, w := range metrics {
			slack := floor[m]
			worse := w.Mean - got[m]
			if m == "logloss" {
				worse = -worse
			}
			t.Logf("%-24s %-8s %.4f, peer %.4f±%.4f", name, m, got[m], w.Mean, w.Spread)
			if math.IsNaN(got[m]) || worse > slack || worse < -3*slack {
				t.Errorf("%s: %s %.4f, peer %.4f±%.4f", name, m, got[m], w.Mean, w.Spread)
			}
		}
	}
}
