package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"cloister/builder/internal/metric"
	"cloister/shared/job"
)

// Number is a float64 whose JSON form is null where it is not defined.
type Number = job.Number

// Part is what was measured on some rows.
type Part struct {
	Name string `json:"name"`
	Rows int    `json:"rows"` // judged
	// Measures are in the order of their weight for an analyst: macro-F1 and
	// recall at few false positives first, accuracy last.
	Measures []Measure `json:"measures"`
	Classes  []Class   `json:"classes"`
	// Confusion has a row for each true class that occurs and each class of the
	// bundle, in the order of Names.
	Names     []string    `json:"names"`
	Confusion [][]float64 `json:"confusion"`
	// Unknown counts rows by a label that the bundle has no class for: they take
	// part in telling attacks from the rest, not in naming them.
	Unknown map[string]int `json:"unknown,omitempty"`
	Curve   []Point        `json:"curve,omitempty"` // of the attack score, at most 500 points
	// Reliability sorts rows by the probability of their verdict.
	Reliability []Bin         `json:"reliability"`
	Coverage    []Kept        `json:"coverage"`
	Anomaly     []AnomalyBin  `json:"anomaly,omitempty"`
	Thresholds  []AnomalyFlag `json:"anomaly_thresholds,omitempty"`
}

// Measure is one figure with its 95 % bootstrap interval, which is null where
// none is made.
type Measure struct {
	Name  string `json:"name"`
	Value Number `json:"value"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
	Rows  int    `json:"rows"`
}

// Class is how well one class is told from the others.
type Class struct {
	Name      string `json:"name"`
	Precision Number `json:"precision"`
	Recall    Number `json:"recall"`
	F1        Number `json:"f1"`
	Support   int    `json:"support"`
	Predicted int    `json:"predicted"`
	// AUC and AveragePrecision are of the probability of the class, its rows
	// against the rest; Curve has their curves, at most 100 points, none when
	// all rows or no row are of the class.
	AUC              Number  `json:"auc"`
	AveragePrecision Number  `json:"average_precision"`
	Curve            []Point `json:"curve,omitempty"`
}

// Point is a point of the ROC and precision-recall curves.
type Point struct {
	Threshold Number `json:"threshold"`
	FPR       Number `json:"fpr"`
	Recall    Number `json:"recall"`
	Precision Number `json:"precision"`
}

// Bin is a bin of the reliability diagram.
type Bin struct {
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence Number  `json:"confidence"`
	Accuracy   Number  `json:"accuracy"`
	Rows       int     `json:"rows"`
}

// Kept is what remains when the least probable verdicts are withheld.
type Kept struct {
	Share float64 `json:"share"` // of the rows
	Error Number  `json:"error"` // among them
	Least Number  `json:"least"` // probability of the least probable of them
}

// AnomalyBin counts rows by anomaly percentile.
type AnomalyBin struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Benign int     `json:"benign"`
	Attack int     `json:"attack"`
}

// AnomalyFlag is what an anomaly threshold would flag.
type AnomalyFlag struct {
	Threshold float64 `json:"threshold"`
	Flagged   int     `json:"flagged"`
	FPR       Number  `json:"fpr"`
	Recall    Number  `json:"recall"`
	Precision Number  `json:"precision"`
}

const (
	reliabilityBins = 10
	anomalyBins     = 20
	curvePoints     = 500
	classPoints     = 100
	// bootstrapWork bounds rows × rounds.
	bootstrapWork = 4_000_000
)

// measure judges verdicts.
func measure(name string, v *verdicts, info job.Bundle, o Options) Part {
	p := Part{Name: name, Rows: len(v.truth), Unknown: v.unknown, Measures: []Measure{}}
	k := len(v.classes)
	// rows whose label has a class, for everything that names classes
	var known []int
	for i, t := range v.truth {
		if t != unknown {
			known = append(known, i)
		}
	}
	macro := func(rows []int) float64 { return confusion(v, rows, k).MacroF1() }
	accuracy := func(rows []int) float64 { return confusion(v, rows, k).Accuracy() }
	p.add(o, "macro-F1", known, macro, true)
	if v.hasBlank {
		p.detection(v, info, o)
	}
	p.calibration(v, known)
	p.coverage(v, known)
	p.anomaly(v)
	p.add(o, "share abstained", rangeOf(len(v.truth)), func(rows []int) float64 {
		n := 0
		for _, i := range rows {
			if v.abstained[i] {
				n++
			}
		}
		return float64(n) / float64(len(rows))
	}, false)
	p.add(o, "accuracy", known, accuracy, true)
	p.classes(v, known, k)
	return p
}

func rangeOf(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// confusion counts the given rows, all of which have a known truth.
func confusion(v *verdicts, rows []int, k int) metric.Confusion {
	t, c := make([]int, len(rows)), make([]int, len(rows))
	for j, i := range rows {
		t[j], c[j] = v.truth[i], v.class[i]
	}
	return metric.NewConfusion(t, c, k)
}

// add measures rows, with an interval over resamples of them if wanted.
func (p *Part) add(o Options, name string, rows []int, stat func(rows []int) float64, interval bool) {
	m := Measure{Name: name, Value: Number(math.NaN()), Low: Number(math.NaN()), High: Number(math.NaN()), Rows: len(rows)}
	if len(rows) > 0 {
		m.Value = Number(stat(rows))
		if interval {
			rounds := min(o.Rounds, max(50, bootstrapWork/len(rows)))
			rng := rand.New(rand.NewPCG(o.Seed, uint64(len(p.Measures))))
			drawn := make([]int, len(rows))
			low, high := metric.Interval(len(rows), rounds, rng, func(at []int) float64 {
				for j, i := range at {
					drawn[j] = rows[i]
				}
				return stat(drawn)
			})
			m.Low, m.High = Number(low), Number(high)
		}
	}
	p.Measures = append(p.Measures, m)
}

// detection measures how well the attack score tells attacks from the rest.
func (p *Part) detection(v *verdicts, info job.Bundle, o Options) {
	curveOf := func(rows []int) []metric.Point {
		s, a := make([]float64, len(rows)), make([]bool, len(rows))
		for j, i := range rows {
			s[j], a[j] = v.score[i], v.attack[i]
		}
		return metric.Curve(s, a)
	}
	all := rangeOf(len(v.truth))
	for _, limit := range []float64{0.001, 0.01} {
		p.add(o, fmt.Sprintf("attack recall at %g %% false positives", limit*100), all, func(rows []int) float64 {
			c := curveOf(rows)
			if len(c) == 0 || math.IsNaN(c[0].FPR) || math.IsNaN(c[0].Recall) {
				return math.NaN()
			}
			point, _ := metric.AtFPR(c, limit) // no such point: recall 0
			return point.Recall
		}, true)
	}
	at := metric.At(v.score, v.attack, info.Threshold)
	curve := curveOf(all)
	for _, m := range []struct {
		name  string
		value float64
	}{
		{"attack recall at the bundle's threshold", at.Recall},
		{"false positives at the bundle's threshold", at.FPR},
		{"precision at the bundle's threshold", at.Precision},
		{"attack ROC-AUC", auc(curve)},
		{"attack average precision", metric.AveragePrecision(curve)},
		{"attack Brier score", brier(v.score, v.attack)},
	} {
		p.add(o, m.name, all, func([]int) float64 { return m.value }, false)
	}
	p.Curve = thin(curve, curvePoints)
}

// thin keeps every so-manieth point of a curve and the last, about most.
func thin(curve []metric.Point, most int) (out []Point) {
	stride := 1 + len(curve)/most
	for i, c := range curve {
		if i%stride == 0 || i == len(curve)-1 {
			out = append(out, Point{Number(c.Threshold), Number(c.FPR), Number(c.Recall), Number(c.Precision)})
		}
	}
	return out
}

// against returns the curve of a class against the rest, by its probability.
func (v *verdicts) against(class, k int, known []int) []metric.Point {
	score, positive := make([]float64, len(known)), make([]bool, len(known))
	for j, i := range known {
		score[j], positive[j] = v.all[i*k+class], v.truth[i] == class
	}
	return metric.Curve(score, positive)
}

// auc returns the area under the ROC curve, NaN if a kind is absent.
func auc(curve []metric.Point) float64 {
	if len(curve) == 0 || math.IsNaN(curve[0].FPR) || math.IsNaN(curve[0].Recall) {
		return math.NaN()
	}
	return metric.AUC(curve)
}

// brier returns the mean squared distance of a probability from what happened,
// as scikit-learn's brier_score_loss: half of [metric.Brier] of two classes.
func brier(p []float64, happened []bool) float64 {
	sum := 0.0
	for i, v := range p {
		if happened[i] {
			v = 1 - v
		}
		sum += v * v
	}
	return sum / float64(len(p))
}

// calibration fills in the reliability diagram of the verdicts' probabilities.
func (p *Part) calibration(v *verdicts, known []int) {
	confidence, right := make([]float64, len(known)), make([]bool, len(known))
	for j, i := range known {
		confidence[j], right[j] = v.probability[i], v.truth[i] == v.class[i]
	}
	bins := metric.Reliability(confidence, right, reliabilityBins)
	for _, b := range bins {
		p.Reliability = append(p.Reliability, Bin{b.Low, b.High, Number(b.Confidence), Number(b.Accuracy), b.Rows})
	}
	nan := Number(math.NaN())
	p.Measures = append(p.Measures, Measure{"expected calibration error", Number(metric.CalibrationError(bins)), nan, nan, len(known)})
}

// coverage fills in what is left when the least probable verdicts are
// withheld: rows in the order of falling probability, ties by position.
func (p *Part) coverage(v *verdicts, known []int) {
	order := slices.Clone(known)
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case v.probability[a] > v.probability[b]:
			return -1
		case v.probability[a] < v.probability[b]:
			return 1
		}
		return 0
	})
	wrong, next := 0, 1
	for n, i := range order {
		if v.truth[i] != v.class[i] {
			wrong++
		}
		for ; next <= 20 && (n+1)*20 >= next*len(order); next++ {
			p.Coverage = append(p.Coverage, Kept{float64(n+1) / float64(len(order)), Number(float64(wrong) / float64(n+1)), Number(v.probability[i])})
		}
	}
}

// anomaly fills in the histogram of anomaly percentiles and what thresholds
// would flag.
func (p *Part) anomaly(v *verdicts) {
	var scores []float64
	var attacks []bool
	for i, a := range v.anomaly {
		if !math.IsNaN(a) {
			scores, attacks = append(scores, a), append(attacks, v.attack[i])
		}
	}
	if len(scores) == 0 {
		return
	}
	for b := range anomalyBins {
		p.Anomaly = append(p.Anomaly, AnomalyBin{Low: float64(b) / anomalyBins, High: float64(b+1) / anomalyBins})
	}
	for i, a := range scores {
		bin := &p.Anomaly[min(max(int(a*anomalyBins), 0), anomalyBins-1)]
		if attacks[i] {
			bin.Attack++
		} else {
			bin.Benign++
		}
	}
	for _, t := range []float64{0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1} {
		at := metric.At(scores, attacks, t)
		flagged := 0
		for _, a := range scores {
			if a >= t {
				flagged++
			}
		}
		p.Thresholds = append(p.Thresholds, AnomalyFlag{t, flagged, Number(at.FPR), Number(at.Recall), Number(at.Precision)})
	}
	if v.hasBlank {
		nan := Number(math.NaN())
		p.Measures = append(p.Measures, Measure{"anomaly ROC-AUC", Number(auc(metric.Curve(scores, attacks))), nan, nan, len(scores)})
	}
}

// classes fills in the figures of each class and the confusion matrix, which
// has a row more for each label that the bundle does not know.
func (p *Part) classes(v *verdicts, known []int, k int) {
	c := confusion(v, known, k)
	sum, met := 0.0, 0
	for i, class := range v.classes {
		s := c.Class(i)
		predicted := 0
		row := make([]float64, k)
		for j := range k {
			predicted += c.Counts[j*k+i]
			row[j] = float64(c.Counts[i*k+j])
		}
		p.Names, p.Confusion = append(p.Names, class.Name), append(p.Confusion, row)
		one := Class{
			Name: class.Name, Precision: Number(s.Precision), Recall: Number(s.Recall), F1: Number(s.F1), Support: s.Support, Predicted: predicted,
			AUC: Number(math.NaN()), AveragePrecision: Number(math.NaN()),
		}
		if s.Support > 0 && s.Support < len(known) {
			curve := v.against(i, k, known)
			one.AUC, one.AveragePrecision, one.Curve = Number(auc(curve)), Number(metric.AveragePrecision(curve)), thin(curve, classPoints)
			sum, met = sum+float64(one.AUC), met+1
		}
		p.Classes = append(p.Classes, one)
	}
	nan := Number(math.NaN())
	mean := nan
	if met > 0 {
		mean = Number(sum / float64(met))
	}
	last := len(p.Measures) - 1 // accuracy stays last
	p.Measures = slices.Insert(p.Measures, last, Measure{"macro ROC-AUC", mean, nan, nan, len(known)})
}

// unknownText lists labels without a class with their rows.
func (p *Part) unknownText() string {
	var out []string
	for label, n := range p.Unknown {
		out = append(out, fmt.Sprintf("%s (%d)", label, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
