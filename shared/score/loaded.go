package score

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"cloister/shared/bundle"
	"cloister/shared/explain"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/job"
	"cloister/shared/model/tree"
	"cloister/shared/sign"
)

// shapTolerance is the largest |base + sum(SHAP) - margin| of an explanation:
// rounding over some thousand terms of at most 1 in float64, with room.
const shapTolerance = 1e-9

// loaded is a bundle whose parts fit together.
type loaded struct {
	m         bundle.Manifest
	trust     sign.Trust
	sum       [32]byte
	pipeline  *feature.Pipeline
	forest    *tree.Ensemble
	isolation *tree.Ensemble
	strange   frame.Quantiles // of the isolation forest's margin, benign training rows
	explainer *explain.Explainer
	typical   []float64 // k×d
	benign    int       // class index
	vectors   []Vector
	card      string
}

// load decodes every part and checks that they agree. Before the signature is
// checked only the container has been read.
func load(file []byte, keys []sign.Key) (*loaded, error) {
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	trust, err := sign.Check(a, keys)
	if err != nil {
		return nil, err
	}
	b, err := a.Decode()
	if err != nil {
		return nil, err
	}
	l := &loaded{m: b.Manifest(), trust: trust, sum: b.SHA256()}
	if !reaches(Version, l.m.MinRuntime) {
		return nil, fmt.Errorf("it needs release %s of the scorer, this is %s", l.m.MinRuntime, Version)
	}
	part := func(name string, decode func([]byte) error) {
		if err != nil {
			return
		}
		data, ok := b.File(name)
		if !ok {
			err = fmt.Errorf("%s is missing", name)
		} else if e := decode(data); e != nil {
			err = fmt.Errorf("%s: %w", name, e)
		}
	}
	part(FeaturesName, func(data []byte) (err error) { l.pipeline, err = feature.Decode(data, frame.Flow); return })
	part(ForestName, func(data []byte) (err error) { l.forest, err = tree.Decode(data); return })
	part(IsolationName, func(data []byte) (err error) { l.isolation, err = tree.Decode(data); return })
	part(AnomalyName, func(data []byte) (err error) { l.strange, err = decodeAnomaly(data); return })
	part(VectorsName, func(data []byte) (err error) { l.vectors, err = decodeVectors(data); return })
	part(bundle.CardTextName, func(data []byte) error { l.card = string(data); return nil })
	if err != nil {
		return nil, err
	}
	d, k := l.forest.Shape()
	if di, _ := l.isolation.Shape(); d != l.pipeline.Len() || di != d || k != len(l.m.Labels) || k < 2 ||
		l.forest.Kind() != tree.Forest || l.isolation.Kind() != tree.Isolation {
		return nil, fmt.Errorf("parts disagree: %d features, %d labels, %v, %v", l.pipeline.Len(), len(l.m.Labels), l.forest, l.isolation)
	}
	part(bundle.BackgroundName, func(data []byte) (err error) { l.typical, err = decodeBackground(data, k, d); return })
	if err != nil {
		return nil, err
	}
	if l.benign = slices.IndexFunc(l.m.Labels, func(l bundle.Label) bool { return l.Benign }); l.benign < 0 {
		return nil, fmt.Errorf("no label is benign")
	}
	if l.explainer, err = explain.New(l.forest); err != nil {
		return nil, err
	}
	return l, nil
}

// reaches reports whether semantic version have is at least want. A
// pre-release counts as its release: the manifest states what was tested.
func reaches(have, want string) bool {
	var a, b [3]int
	for i, v := range []*[3]int{&a, &b} {
		text := []string{have, want}[i]
		if _, err := fmt.Sscanf(text, "%d.%d.%d", &v[0], &v[1], &v[2]); err != nil {
			return false
		}
	}
	return slices.Compare(a[:], b[:]) >= 0
}

// predict fills p, n×k, with class probabilities and margin, n, with the
// isolation forest's, for the rows of x.
func (l *loaded) predict(p, margin, x []float64) {
	if err := l.forest.Predict(p, x); err != nil {
		panic(err) // unreachable: load checked the shapes
	}
	if err := l.isolation.Margin(margin, x); err != nil {
		panic(err) // unreachable: load checked the shapes
	}
}

// attack returns the probability that a row is not benign.
func (l *loaded) attack(p []float64) float64 { return min(max(1-p[l.benign], 0), 1) }

// anomaly returns the share of benign training rows that are at most as
// strange.
func (l *loaded) anomaly(margin float64) float64 { return l.strange.Share(margin) }

// selfTest replays the bundle's vectors.
func (l *loaded) selfTest() error {
	if int64(len(l.vectors)) != l.m.Vectors.N || len(l.vectors) == 0 || l.m.Vectors.File != VectorsName {
		return fmt.Errorf("self-test: %d vectors in %s, the manifest says %d in %.64q", len(l.vectors), VectorsName, l.m.Vectors.N, l.m.Vectors.File)
	}
	d, k := l.pipeline.Len(), len(l.m.Labels)
	close := func(got, want float64) bool {
		return math.Abs(got-want) <= l.m.Vectors.AbsTol+l.m.Vectors.RelTol*math.Abs(want) || math.IsNaN(got) && math.IsNaN(want)
	}
	p, margin, phi := make([]float64, k), make([]float64, 1), make([]float64, d)
	for i, v := range l.vectors {
		f, err := v.Frame()
		if err != nil {
			return fmt.Errorf("self-test: vector %d: %w", i+1, err)
		}
		if len(v.Probability) != k || len(v.SHAP) != d || v.Class < 0 || v.Class >= k {
			return fmt.Errorf("self-test: vector %d: %d probabilities, %d attributions, class %d", i+1, len(v.Probability), len(v.SHAP), v.Class)
		}
		x := l.pipeline.Matrix(nil, f)
		l.predict(p, margin, x)
		if c := argmax(p); c != v.Class {
			return fmt.Errorf("self-test: vector %d: class %d, want %d", i+1, c, v.Class)
		}
		clear(phi)
		if err := l.explainer.Values(phi, x, v.Class); err != nil {
			return fmt.Errorf("self-test: vector %d: %w", i+1, err)
		}
		check := func(what string, got, want []float64) error {
			for j := range want {
				if !close(got[j], want[j]) {
					return fmt.Errorf("self-test: vector %d: %s %d is %v, want %v (difference %g)", i+1, what, j, got[j], want[j], got[j]-want[j])
				}
			}
			return nil
		}
		if err := check("probability", p, v.Probability); err != nil {
			return err
		}
		if err := check("margin", margin, []float64{v.Margin}); err != nil {
			return err
		}
		if err := check("attribution", phi, v.SHAP); err != nil {
			return err
		}
	}
	return nil
}

// describe returns what people want to know about the bundle.
func (l *loaded) describe(sha256 string, size int64) job.Bundle {
	m := l.m
	info := job.Bundle{
		Name: m.Name, Version: m.Version, Title: m.Title, Description: m.Description,
		SHA256: sha256, Size: size, Trust: string(l.trust.State), Key: l.trust.Name, KeyFingerprint: l.trust.Fingerprint,
		Model:         fmt.Sprintf("random forest, %d trees, %d nodes; isolation forest, %d trees", l.forest.Trees(), l.forest.Nodes(), l.isolation.Trees()),
		AttackVersion: m.AttackVersion, Limits: m.KnownLimits, Vectors: len(l.vectors), Card: l.card, Threshold: 1,
	}
	number := func(v *float64) job.Number {
		if v == nil {
			return job.Number(math.NaN())
		}
		return job.Number(*v)
	}
	for _, label := range m.Labels {
		c := job.Class{
			Name: label.Name, Severity: label.Severity, Benign: label.Benign, Unseen: label.Unseen,
			Precision: number(label.Precision), Recall: number(label.Recall), Support: int(label.Support),
		}
		for _, t := range label.Attack {
			c.Attack = append(c.Attack, job.Technique(t))
		}
		info.Classes = append(info.Classes, c)
	}
	for _, s := range l.pipeline.Steps() {
		info.Features = append(info.Features, job.Feature{Name: s.Name, Unit: s.Unit, Help: s.Help})
	}
	for _, v := range m.Metrics {
		info.Metrics = append(info.Metrics, job.Metric{Name: v.Name, Value: number(v.Value), Low: number(v.Low), High: number(v.High), Split: v.Split, Rows: int(v.N)})
	}
	for _, t := range m.Thresholds {
		switch {
		case t.Name == AlertThreshold && t.Split == "validation":
			info.Threshold = t.Value
		case t.Name == AbstainThreshold:
			info.Abstain = t.Value
		}
	}
	for _, s := range m.Datasets {
		info.Data = append(info.Data, fmt.Sprintf("%s (%s)", s.Name, s.License))
	}
	return info
}

// explain explains the single row of f.
func (l *loaded) explain(row int64, f *frame.Frame, info job.Bundle) (job.Record, error) {
	d, k := l.pipeline.Len(), len(info.Classes)
	x := l.pipeline.Matrix(nil, f)
	p, margin, phi := make([]float64, k), make([]float64, 1), make([]float64, d)
	l.predict(p, margin, x)
	c := argmax(p)
	if err := l.explainer.Values(phi, x, c); err != nil {
		return job.Record{}, err
	}
	rec := job.Record{
		Row: row, Class: c, Base: l.explainer.Base(c), Margin: p[c], Unit: "probability", Tolerance: shapTolerance,
		Background: fmt.Sprintf("the %d training rows, as the trees saw them (path-dependent TreeSHAP)", l.m.Lineage.Split.Train),
	}
	sum := rec.Base
	for j, v := range phi {
		sum += v
		rec.Attributions = append(rec.Attributions, job.Attribution{
			Feature: j, Value: l.pipeline.Format(j, x[j]), Percentile: job.Number(l.pipeline.Percentile(j, x[j])),
			SHAP: v, Typical: l.pipeline.Format(j, l.typical[l.benign*d+j]),
		})
	}
	rec.Additivity = math.Abs(sum - rec.Margin)
	slices.SortStableFunc(rec.Attributions, func(a, b job.Attribution) int {
		switch x, y := math.Abs(a.SHAP), math.Abs(b.SHAP); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	for i, v := range p {
		rec.Classes = append(rec.Classes, job.Share{Class: i, Probability: v})
	}
	slices.SortStableFunc(rec.Classes, func(a, b job.Share) int {
		switch {
		case a.Probability > b.Probability:
			return -1
		case a.Probability < b.Probability:
			return 1
		}
		return 0
	})
	for i, field := range f.Schema.Fields {
		switch {
		case f.Numbers[i] != nil && !math.IsNaN(f.Numbers[i][0]):
			rec.Fields = append(rec.Fields, job.Field{Name: field.Name, Unit: field.Unit, Value: strconv.FormatFloat(f.Numbers[i][0], 'f', -1, 64)})
		case f.Texts[i] != nil && f.Texts[i][0] != "":
			rec.Fields = append(rec.Fields, job.Field{Name: field.Name, Value: f.Texts[i][0]})
		}
	}
	rec.Sentence = sentence(rec, info, l.anomaly(margin[0]))
	return rec, nil
}
