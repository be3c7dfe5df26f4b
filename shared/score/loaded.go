package score

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"cloister/shared/bundle"
	"cloister/shared/explain"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/job"
	"cloister/shared/model"
	"cloister/shared/model/tree"
	"cloister/shared/sign"
	"cloister/shared/telemetry"
)

// schemaOf returns the schema of that name, nil if there is none that a bundle
// can read.
func schemaOf(name string) *frame.Schema {
	switch name {
	case frame.Flow.Name:
		return frame.Flow
	case frame.Alert.Name:
		return frame.Alert
	case telemetry.SchemaName:
		return telemetry.Schema()
	}
	return nil
}

// loaded is a bundle whose parts fit together.
type loaded struct {
	m          bundle.Manifest
	trust      sign.Trust
	sum        [32]byte
	schema     *frame.Schema
	input      *feature.Input
	classifier *tree.Ensemble
	isolation  *tree.Ensemble  // nil without an anomaly model
	unusual    *feature.Input  // what isolation reads; input itself unless the bundle has another
	strange    frame.Quantiles // of the isolation forest's margin, benign training rows
	decision   Decision
	centres    *model.Centres // of the training rows, nil without
	abstain    []float64      // per class
	impact     []int          // per class
	explainer  *explain.Explainer
	isolator   *explain.Explainer // of isolation, made by isolate when first asked for
	isolate    sync.Once
	typical    []float64 // k×columns of the pipeline, nil without them
	benign     int       // class index, -1 if no class is benign
	vectors    []Vector
	card       string
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
	if l.schema = schemaOf(l.m.Schema.Name); l.schema == nil {
		return nil, fmt.Errorf("it reads schema %.64q, which is unknown here", l.m.Schema.Name)
	}
	p := &parts{b: b, known: map[string]bool{}}
	if l.parts(p); p.err != nil {
		return nil, p.err
	}
	for _, f := range l.m.Files {
		if !p.known[f.Name] && readsName(f.Name) {
			return nil, fmt.Errorf("%s: this program does not know what it is for", f.Name)
		}
	}
	return l, nil
}

// readsName reports whether an entry is one that scoring may depend on.
func readsName(name string) bool {
	return strings.HasPrefix(name, "model/") || strings.HasPrefix(name, "pre/")
}

// parts reads the entries of a bundle and keeps the first error.
type parts struct {
	b     *bundle.Bundle
	known map[string]bool
	err   error
}

// has reports whether there is an entry of that name.
func (p *parts) has(name string) bool {
	_, ok := p.b.File(name)
	return ok
}

// need decodes an entry that has to be there.
func (p *parts) need(name string, decode func([]byte) error) {
	if p.err != nil {
		return
	}
	p.known[name] = true
	data, ok := p.b.File(name)
	if !ok {
		p.err = fmt.Errorf("%s is missing", name)
	} else if err := decode(data); err != nil {
		p.err = fmt.Errorf("%s: %w", name, err)
	}
}

// may decodes an entry if it is there.
func (p *parts) may(name string, decode func([]byte) error) {
	if p.has(name) {
		p.need(name, decode)
	}
}

// fail keeps an error.
func (p *parts) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// parts decodes what the bundle has.
func (l *loaded) parts(p *parts) {
	k := len(l.m.Labels)
	var err error
	if l.impact, err = impacts(l.m.Labels); err != nil {
		p.fail("%w", err)
	}
	l.benign = slices.IndexFunc(l.m.Labels, func(l bundle.Label) bool { return l.Benign })
	l.input = l.inputs(p, FeaturesName, TextsName)
	classifier, kind := ForestName, tree.Forest
	switch {
	case p.has(ObliviousName):
		classifier, kind = ObliviousName, tree.Oblivious
	case p.has(BoostingName):
		classifier, kind = BoostingName, tree.Boosting
	}
	p.need(classifier, func(data []byte) (err error) { l.classifier, err = tree.Decode(data); return })
	p.may(CentresName, func(data []byte) (err error) { l.centres, err = model.DecodeCentres(data); return })
	p.may(DecisionName, func(data []byte) (err error) { l.decision, err = decodeDecision(data, k); return })
	p.need(VectorsName, func(data []byte) (err error) { l.vectors, err = decodeVectors(data); return })
	p.need(bundle.CardTextName, func(data []byte) error { l.card = string(data); return nil })
	l.anomaly(p)
	if p.err != nil {
		return
	}
	d, outputs := l.classifier.Shape()
	odds := kind != tree.Forest
	two := odds && outputs == 1 && k == 2 // a margin for or against the second
	if d != l.input.Len() || k < 2 || outputs != k && !two || l.classifier.Kind() != kind {
		p.fail("parts disagree: %d features, %d labels, %v", l.input.Len(), k, l.classifier)
		return
	}
	if odds && l.classifier.Link() != tree.Softmax && !two || two && l.classifier.Link() != tree.Logistic {
		p.fail("parts disagree: scores of link %v are no class probabilities", l.classifier.Link())
		return
	}
	if n := l.input.Numbers(); n > 0 {
		p.need(bundle.BackgroundName, func(data []byte) (err error) { l.typical, err = decodeBackground(data, k, n); return })
	}
	if l.centres != nil {
		if d, _ := l.centres.Shape(); d != l.input.Numbers() {
			p.fail("parts disagree: %d features, centres of %d", l.input.Numbers(), d)
		}
	}
	if l.explainer, err = explain.New(l.classifier); err != nil {
		p.fail("%w", err)
	}
	l.abstain = l.decision.Abstain
	if l.abstain == nil {
		l.abstain = make([]float64, k)
		for i := range l.abstain {
			l.abstain[i] = l.threshold(AbstainThreshold, 0)
		}
	}
}

// inputs decodes what a model reads; texts may be "" for none.
func (l *loaded) inputs(p *parts, features, texts string) *feature.Input {
	var steps *feature.Pipeline
	var blocks []feature.Text
	p.may(features, func(data []byte) (err error) { steps, err = feature.Decode(data, l.schema); return })
	if texts != "" {
		p.may(texts, func(data []byte) (err error) {
			blocks, err = feature.DecodeTexts(data, l.schema, func(name string) (terms *feature.TFIDF, err error) {
				p.need(TermsName(name), func(data []byte) (err error) { terms, err = feature.DecodeTFIDF(data); return })
				return terms, p.err
			})
			return err
		})
	}
	if p.err != nil {
		return nil
	}
	in, err := feature.NewInput(l.schema, steps, blocks)
	if err != nil {
		p.fail("%s: %w", features, err)
		return nil
	}
	return in
}

// anomaly decodes the anomaly model, if there is one.
func (l *loaded) anomaly(p *parts) {
	if !p.has(IsolationName) || p.err != nil {
		return
	}
	l.unusual = l.input
	if p.has(AnomalyFeaturesName) {
		l.unusual = l.inputs(p, AnomalyFeaturesName, "")
	}
	p.need(IsolationName, func(data []byte) (err error) { l.isolation, err = tree.Decode(data); return })
	p.need(AnomalyName, func(data []byte) (err error) { l.strange, err = decodeAnomaly(data); return })
	if p.err != nil {
		return
	}
	if d, _ := l.isolation.Shape(); d != l.unusual.Len() || l.isolation.Kind() != tree.Isolation {
		p.fail("parts disagree: %d features, %v", l.unusual.Len(), l.isolation)
	}
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

// threshold returns a threshold of the manifest, otherwise what it is without.
func (l *loaded) threshold(name string, otherwise float64) float64 {
	for _, t := range l.m.Thresholds {
		if t.Name == name && (name != AlertThreshold || t.Split == "validation") {
			return t.Value
		}
	}
	return otherwise
}

// chunk is how many values of a matrix are made at once: 8 MB of them.
const chunk = 1 << 20

// matrices are the buffers of predict.
type matrices struct{ x, other, raw []float64 }

// predict fills p, n×k, with class probabilities, class, n, with the verdicts
// and margin, n, with the isolation forest's margin, NaN without one, for the
// rows of f. each, if not nil, sees the columns of rows [lo,hi).
func (l *loaded) predict(m *matrices, p []float64, class []int, margin []float64, f *frame.Frame, each func(x []float64, lo, hi int)) {
	n, k := f.Len(), len(l.m.Labels)
	step := max(chunk/l.input.Len(), 1)
	for lo := 0; lo < n; lo += step {
		hi := min(lo+step, n)
		m.x = l.input.Rows(m.x, f, lo, hi)
		if each != nil {
			each(m.x, lo, hi)
		}
		l.classify(m, p[lo*k:hi*k], m.x)
		if l.isolation == nil {
			continue
		}
		other := m.x
		if l.unusual != l.input {
			m.other = l.unusual.Rows(m.other, f, lo, hi)
			other = m.other
		}
		if err := l.isolation.Margin(margin[lo:hi], other); err != nil {
			panic(err) // unreachable: load checked the shapes
		}
	}
	for i := range n {
		row := p[i*k : (i+1)*k]
		class[i] = argmax(row)
		if l.decision.Curve != nil {
			l.decision.Curve.Calibrate(row)
		}
		if l.isolation == nil {
			margin[i] = math.NaN()
		}
	}
}

// odds reports whether the classifier's margins are log-odds, not votes.
func (l *loaded) odds() bool { return l.classifier.Kind() != tree.Forest }

// classify fills p, n×k, with the classifier's scores.
func (l *loaded) classify(m *matrices, p, x []float64) {
	k := len(l.m.Labels)
	if _, outputs := l.classifier.Shape(); outputs == k {
		if err := l.classifier.Predict(p, x); err != nil {
			panic(err) // unreachable: load checked the shapes
		}
		return
	}
	m.raw = resize(m.raw, len(p)/2)
	if err := l.classifier.Predict(m.raw, x); err != nil {
		panic(err) // unreachable: load checked the shapes
	}
	for i, v := range m.raw {
		p[2*i], p[2*i+1] = 1-v, v
	}
}

// attribute fills phi, d, with the attributions of class c for the single row
// x, and returns base value and margin.
func (l *loaded) attribute(phi, x []float64, c int) (base, margin float64, err error) {
	_, outputs := l.classifier.Shape()
	margins := make([]float64, outputs)
	if err := l.classifier.Margin(margins, x); err != nil {
		return 0, 0, err
	}
	clear(phi)
	if outputs == len(l.m.Labels) {
		return l.explainer.Base(c), margins[c], l.explainer.Values(phi, x, c)
	}
	// one margin for the second of two classes, against the first
	sign := float64(2*c - 1)
	if err := l.explainer.Values(phi, x, 0); err != nil {
		return 0, 0, err
	}
	for j := range phi {
		phi[j] *= sign
	}
	return sign * l.explainer.Base(0), sign * margins[0], nil
}

// gathered returns the attributions per feature of the pipeline, then the sum
// of each text.
func (l *loaded) gathered(phi []float64) []float64 {
	out := slices.Clone(phi[:l.input.Numbers()])
	for i := range l.input.Texts() {
		lo, hi := l.input.Columns(i)
		sum := 0.0
		for _, v := range phi[lo:hi] {
			sum += v
		}
		out = append(out, sum)
	}
	return out
}

// outside marks the rows of x that lie farther from the training rows than the
// manifest's threshold.
func (l *loaded) outside(dst []bool, x []float64) {
	if l.centres == nil {
		return
	}
	if d, wide := l.input.Numbers(), l.input.Len(); wide != d {
		x = columnsOf(x, wide, d)
	}
	if err := l.centres.Far(dst, x, l.threshold(OutsideThreshold, math.Inf(1))); err != nil {
		panic(err) // unreachable: load checked the shapes
	}
}

// columnsOf returns the first d of the columns of x.
func columnsOf(x []float64, wide, d int) []float64 {
	var out []float64
	for at := 0; at < len(x); at += wide {
		out = append(out, x[at:at+d]...)
	}
	return out
}

// attack returns the probability that a row is not benign. Where no class is
// benign, as with severities of alerts, it is the mean impact as a share of
// the worst.
func (l *loaded) attack(p []float64) float64 {
	if l.benign >= 0 {
		return min(max(1-p[l.benign], 0), 1)
	}
	mean := 0.0
	for c, v := range p {
		mean += float64(v * float64(l.impact[c]))
	}
	return min(max(mean/float64(len(job.Severities)-1), 0), 1)
}

// severity returns the index into job.Severities of a row.
func (l *loaded) severity(p []float64, class int) int {
	if l.decision.Expected {
		return Impact(p, l.impact)
	}
	return l.impact[class]
}

// selfTest replays the bundle's vectors.
func (l *loaded) selfTest() error {
	if int64(len(l.vectors)) != l.m.Vectors.N || len(l.vectors) == 0 || l.m.Vectors.File != VectorsName {
		return fmt.Errorf("self-test: %d vectors in %s, the manifest says %d in %.64q", len(l.vectors), VectorsName, l.m.Vectors.N, l.m.Vectors.File)
	}
	for i, v := range l.vectors {
		if err := l.replay(v); err != nil {
			return fmt.Errorf("self-test: vector %d: %w", i+1, err)
		}
	}
	return nil
}

// expect returns what a vector's fields give: it fills all but Fields and
// Texts.
func (l *loaded) expect(v Vector) (Vector, error) {
	f, err := v.Frame(l.schema)
	if err != nil {
		return v, err
	}
	k := len(l.m.Labels)
	v.Probability = make([]float64, k)
	class, margin := make([]int, 1), make([]float64, 1)
	l.predict(&matrices{}, v.Probability, class, margin, f, nil)
	v.Class, v.Margin = class[0], nil
	if l.isolation != nil {
		v.Margin = &margin[0]
	}
	phi := make([]float64, l.input.Len())
	if _, _, err := l.attribute(phi, l.input.Rows(nil, f, 0, 1), v.Class); err != nil {
		return v, err
	}
	v.SHAP = l.gathered(phi)
	return v, nil
}

// replay checks one vector.
func (l *loaded) replay(v Vector) error {
	got, err := l.expect(v)
	if err != nil {
		return err
	}
	if len(v.Probability) != len(got.Probability) || len(v.SHAP) != len(got.SHAP) || (v.Margin == nil) != (got.Margin == nil) {
		return fmt.Errorf("%d probabilities, %d attributions", len(v.Probability), len(v.SHAP))
	}
	if got.Class != v.Class {
		return fmt.Errorf("class %d, want %d", got.Class, v.Class)
	}
	check := func(what string, got, want []float64) error {
		for j := range want {
			near := math.Abs(got[j]-want[j]) <= l.m.Vectors.AbsTol+l.m.Vectors.RelTol*math.Abs(want[j])
			if !near && !(math.IsNaN(got[j]) && math.IsNaN(want[j])) {
				return fmt.Errorf("%s %d is %v, want %v (difference %g)", what, j, got[j], want[j], got[j]-want[j])
			}
		}
		return nil
	}
	if err := check("probability", got.Probability, v.Probability); err != nil {
		return err
	}
	if v.Margin != nil {
		if err := check("margin", []float64{*got.Margin}, []float64{*v.Margin}); err != nil {
			return err
		}
	}
	return check("attribution", got.SHAP, v.SHAP)
}
