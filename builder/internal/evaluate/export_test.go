package evaluate

import (
	"context"
	"math"

	"cloister/builder/internal/prep"
	"cloister/shared/job"
)

// Row is a labelled verdict for tests.
type Row struct {
	Truth, Said        int
	Score, Probability float64
	Anomaly            float64
	Abstained          bool
}

// Judge measures rows of a bundle whose class 0 is benign; a truth below 0 is
// an attack without a class.
func Judge(rows []Row, classes []job.Class, threshold float64, o Options) Part {
	o.defaults()
	v := &verdicts{classes: classes, unknown: map[string]int{}}
	for _, c := range classes {
		v.hasBlank = v.hasBlank || c.Benign
	}
	for _, r := range rows {
		v.truth, v.class = append(v.truth, r.Truth), append(v.class, r.Said)
		v.attack = append(v.attack, r.Truth < 0 || !classes[r.Truth].Benign)
		v.score, v.probability = append(v.score, r.Score), append(v.probability, r.Probability)
		// the score of class 0 is 1 - Score, that of the verdict its probability
		p := make([]float64, len(classes))
		p[0] = 1 - r.Score
		p[r.Said] = r.Probability
		v.all = append(v.all, p...)
		v.anomaly, v.abstained = append(v.anomaly, r.Anomaly), append(v.abstained, r.Abstained)
	}
	return measure("rows", v, job.Bundle{Classes: classes, Threshold: threshold}, o)
}

// Value returns the measure called name, NaN if there is none.
func (p Part) Value(name string) Measure {
	for _, m := range p.Measures {
		if m.Name == name {
			return m
		}
	}
	return Measure{Value: Number(math.NaN())}
}

// Developed is the half of a text.
var Developed = developed

// Baselines fits the baselines on all labelled rows.
func Baselines(d *prep.Data) ([]Baseline, error) {
	keep, err := keepRows(d, nil)
	if err != nil {
		return nil, err
	}
	o := Options{}
	o.defaults()
	return baselines(context.Background(), d, keep, o)
}
