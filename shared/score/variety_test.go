package score_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/shared/bundle"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/job"
	"cloister/shared/model"
	"cloister/shared/model/tree"
	"cloister/shared/score"
)

// parts of a small bundle made by hand; Encode fills in what they imply.
type parts struct {
	schema *frame.Schema
	labels []bundle.Label
	steps  []feature.Step
	texts  []feature.Text
	forest tree.Source
	extra  map[string][]byte
	limits map[string]float64 // thresholds of the manifest
	ask    []score.Vector
}

// must returns b, or fails.
func must(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// encode returns the bundle file, its vectors answered by itself.
func (p parts) encode(t *testing.T) []byte {
	t.Helper()
	files := map[string][]byte{bundle.CardTextName: []byte("# A test\n")}
	for name, b := range p.extra {
		files[name] = b
	}
	var steps *feature.Pipeline
	if p.steps != nil {
		var err error
		if steps, err = feature.New(p.schema, p.steps); err != nil {
			t.Fatal(err)
		}
		files[score.FeaturesName] = must(t)(steps.AppendJSON(nil))
		files[bundle.BackgroundName] = score.AppendBackground(nil, make([]float64, len(p.steps)*len(p.labels)), len(p.steps))
	}
	in, err := feature.NewInput(p.schema, steps, p.texts)
	if err != nil {
		t.Fatal(err)
	}
	if p.texts != nil {
		files[score.TextsName] = must(t)(in.AppendTexts(nil))
		for _, x := range p.texts {
			files[score.TermsName(x.Name)] = must(t)(x.TFIDF.AppendBinary(nil))
		}
	}
	p.forest.Features = in.Len()
	m, err := tree.New(p.forest)
	if err != nil {
		t.Fatal(err)
	}
	name := score.ForestName
	switch p.forest.Kind {
	case tree.Boosting:
		name = score.BoostingName
	case tree.Oblivious:
		name = score.ObliviousName
	}
	files[name] = must(t)(m.AppendBinary(nil))
	files[score.VectorsName] = must(t)(score.AppendVectors(nil, p.ask))
	manifest := bundle.Manifest{
		MinRuntime: "1.1.0", ID: "test-1", Name: "test", Version: "1.0.0", CreatedAt: "2026-11-22T00:00:00Z", Authors: []string{"x"}, Title: "Test", Description: "A test.",
		Licenses: []string{"Apache-2.0"}, Task: "classification", Labels: p.labels,
		Config:  bundle.Config{Architecture: "random-forest", Format: "tree-1", ParamCount: 1, Precision: "float64"},
		Vectors: bundle.Vectors{File: score.VectorsName, N: int64(len(p.ask)), AbsTol: 1e-12},
	}
	manifest.Schema.Name = p.schema.Name
	if steps != nil {
		manifest.Explain.BackgroundN = 1
	}
	for name, v := range p.limits {
		manifest.Thresholds = append(manifest.Thresholds, bundle.Threshold{Name: name, Value: v, Split: "validation"})
	}
	slices.SortFunc(manifest.Thresholds, func(a, b bundle.Threshold) int { return strings.Compare(a.Name, b.Name) })
	file := must(t)(bundle.Encode(manifest, files, bundle.Limits{}))
	answers, err := score.Answer(file, p.ask)
	if err != nil {
		// what the test wants is the error of Load
		return file
	}
	files[score.VectorsName] = must(t)(score.AppendVectors(nil, answers))
	return must(t)(bundle.Encode(manifest, files, bundle.Limits{}))
}

var twoLabels = []bundle.Label{{Name: "Benign", Severity: "Informational", Benign: true}, {Name: "Bad", Severity: "Critical"}}

// stump returns a tree that sends x[column] <= at to the leaf low and the rest
// to high.
func stump(output int, column int32, at float64, low, high []float64) tree.SourceTree {
	value := append(append(make([]float64, len(low)), low...), high...)
	return tree.SourceTree{
		Output: output, Feature: []int32{column, -1, -1}, Threshold: []float64{at, 0, 0}, Left: []int32{1, 0, 0}, Right: []int32{2, 0, 0},
		Cover: []float64{4, 3, 1}, Value: value,
	}
}

func flows() parts {
	return parts{
		schema: frame.Flow, labels: twoLabels,
		steps:  []feature.Step{{Name: "bytes", Op: feature.OpNumber, From: frame.InBytes, Help: "h"}},
		forest: tree.Source{Kind: tree.Forest, Outputs: 2, Trees: []tree.SourceTree{stump(-1, 0, 1000, []float64{.75, .25}, []float64{0, 1})}},
		ask:    []score.Vector{{Fields: map[string]float64{frame.InBytes: 5}}, {Fields: map[string]float64{frame.InBytes: 5000}}},
		limits: map[string]float64{score.AlertThreshold: .5},
	}
}

// alerts reads the words bad and good of an alert's description.
func alerts(t *testing.T) parts {
	t.Helper()
	terms, err := feature.NewTFIDF([]string{"bad", "good"}, []float64{1, 1}, feature.TFIDFOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return parts{
		schema: frame.Alert, labels: []bundle.Label{{Name: "Low", Severity: "Low"}, {Name: "High", Severity: "High"}},
		texts: []feature.Text{{Name: "words", From: []string{frame.AlertTitle, frame.AlertDescription}, Help: "h", TFIDF: terms}},
		forest: tree.Source{Kind: tree.Forest, Outputs: 2, Trees: []tree.SourceTree{
			stump(-1, 0, 0.1, []float64{1, 0}, []float64{.25, .75}), stump(-1, 1, 0.1, []float64{.5, .5}, []float64{1, 0}),
		}},
		ask: []score.Vector{{Texts: map[string]string{frame.AlertDescription: "a bad day"}}},
	}
}

func load(t *testing.T, p parts) (*score.Scorer, job.Bundle) {
	t.Helper()
	s := score.New()
	info, err := s.Load(p.encode(t))
	if err != nil {
		t.Fatal(err)
	}
	return s, info
}

// verdicts scores two flows of 10 and 5000 bytes.
func verdicts(t *testing.T, s *score.Scorer, o job.Options) (*job.Batch, job.Summary) {
	t.Helper()
	var all *job.Batch
	const in = "IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,PROTOCOL,L4_DST_PORT,IPV4_SRC_ADDR,FLOW_START_MILLISECONDS\n" +
		"10,1,1,1,6,22,10.0.0.7,1518633543480\n5000,1,1,1,17,53,fe80::1,1518633543480\n"
	sum, err := s.Score(text(in), o, func(_ job.Progress, b *job.Batch) bool { all = b; return true })
	if err != nil || len(all.Row) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all, sum
}

func TestScore_withoutAnomalyModel(t *testing.T) {
	s, info := load(t, flows())
	b, sum := verdicts(t, s, job.Options{})
	if info.Schema != "flow" || info.Strange != 1 || strings.Contains(info.Model, "isolation") {
		t.Errorf("%+v", info)
	}
	if b.Class[0] != 0 || b.Class[1] != 1 || b.Probability[0] != .75 || !math.IsNaN(b.Anomaly[0]) || b.Severity[0] != 0 || b.Severity[1] != 4 || sum.Outside != 0 {
		t.Errorf("%+v", b)
	}
	rec, err := s.Explain(2)
	if err != nil || rec.Margin != 1 || rec.Additivity > 1e-12 || strings.Contains(rec.Sentence, "stranger") {
		t.Errorf("%+v, %v", rec, err)
	}
}

// One margin for two classes, and one each: probabilities, and attributions in
// log-odds that add up for either class, also of oblivious trees.
func TestScore_boosting(t *testing.T) {
	one := flows()
	one.forest = tree.Source{Kind: tree.Boosting, Outputs: 1, Link: tree.Logistic, Base: []float64{.5}, Trees: []tree.SourceTree{stump(0, 0, 1000, []float64{-2}, []float64{1})}}
	each := flows()
	each.forest = tree.Source{Kind: tree.Boosting, Outputs: 2, Link: tree.Softmax, Trees: []tree.SourceTree{
		stump(0, 0, 1000, []float64{1.5}, []float64{0}), stump(1, 0, 1000, []float64{0}, []float64{1.5}),
	}}
	level := func(value ...int16) []tree.ObliviousTree {
		return []tree.ObliviousTree{{Feature: []int32{0}, Threshold: []float64{1000}, Cover: []float64{3, 1}, Value: value}}
	}
	evenOne, evenEach := flows(), flows()
	evenOne.forest = tree.Source{Kind: tree.Oblivious, Outputs: 1, Link: tree.Logistic, Base: []float64{.5}, Step: .25, Levels: level(-8, 4)}
	evenEach.forest = tree.Source{Kind: tree.Oblivious, Outputs: 2, Link: tree.Softmax, Step: .25, Levels: level(6, 0, 0, 6)}
	for name, p := range map[string]parts{"one margin": one, "a margin each": each, "oblivious, one margin": evenOne, "oblivious, a margin each": evenEach} {
		s, info := load(t, p)
		what := "boosted trees"
		if p.forest.Kind == tree.Oblivious {
			what = "boosted oblivious trees"
		}
		b, _ := verdicts(t, s, job.Options{})
		want := 1 / (1 + math.Exp(-1.5)) // of either row for its class
		if b.Class[0] != 0 || b.Class[1] != 1 || math.Abs(b.Probability[0]-want) > 1e-12 || math.Abs(b.Attack[1]-want) > 1e-12 || !strings.HasPrefix(info.Model, what) {
			t.Errorf("%s: %+v, %v", name, b, want)
		}
		for row := int64(1); row <= 2; row++ {
			rec, err := s.Explain(row)
			if err != nil || rec.Unit != "log-odds" || rec.Additivity > 1e-12 || math.Abs(rec.Margin-1.5) > 1e-12 || rec.Attributions[0].SHAP <= 0 {
				t.Errorf("%s: row %d: %+v, %v", name, row, rec, err)
			}
		}
	}
}

// The anomaly model reads the hour and the last octet, the classifier bytes.
func TestScore_ownFeaturesOfTheAnomalyModel(t *testing.T) {
	p := flows()
	steps := []feature.Step{
		{Name: "Hour", Op: feature.OpHour, From: frame.FlowStart, Help: "h"}, {Name: "Src_IP_LastOctet", Op: feature.OpOctet, From: frame.SrcAddr, Help: "h"},
	}
	other, err := feature.New(frame.Flow, steps)
	if err != nil {
		t.Fatal(err)
	}
	// 18:39 UTC; octet 7 is deep in the tree, -1 of an IPv6 address near the root
	lone, err := tree.New(tree.Source{Kind: tree.Isolation, Outputs: 1, Features: 2, SampleSize: 4, Trees: []tree.SourceTree{{
		Feature: []int32{1, -1, 0, -1, -1}, Threshold: []float64{0, 0, 18, 0, 0}, Left: []int32{1, 0, 3, 0, 0}, Right: []int32{2, 0, 4, 0, 0}, Cover: []float64{4, 1, 3, 2, 1},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	p.extra = map[string][]byte{
		score.IsolationName:       must(t)(lone.AppendBinary(nil)),
		score.AnomalyFeaturesName: must(t)(other.AppendJSON(nil)),
		score.AnomalyName:         must(t)(score.AppendAnomaly(nil, frame.Quantiles{-2, -1.5, -0.1})),
	}
	s, info := load(t, p)
	b, _ := verdicts(t, s, job.Options{})
	if !(b.Anomaly[0] < b.Anomaly[1]) || !strings.Contains(info.Model, "on Hour, Src_IP_LastOctet") {
		t.Errorf("%v, %q", b.Anomaly, info.Model)
	}
}

func TestScore_decision(t *testing.T) {
	p := flows()
	curve, err := model.NewCurve([]float64{0, .25, .75, 1}, []float64{0, .2, .2, 1})
	if err != nil {
		t.Fatal(err)
	}
	centres, err := model.NewCentres([]float64{1}, []float32{float32(math.Log(11))})
	if err != nil {
		t.Fatal(err)
	}
	p.extra = map[string][]byte{
		score.DecisionName: must(t)(score.AppendDecision(nil, score.Decision{Calibrated: "isotonic", Curve: curve, Abstain: []float64{.6, 0}, Expected: true})),
		score.CentresName:  must(t)(centres.AppendBinary(nil)),
	}
	p.limits[score.OutsideThreshold] = 2
	s, info := load(t, p)
	b, sum := verdicts(t, s, job.Options{})
	// .75 and .25 both become .2, and so .5: the verdict stays, is withheld and
	// its mean impact is (0 + 4) / 2
	if b.Class[0] != 0 || b.Probability[0] != .5 || !b.Abstained[0] || b.Outside[0] || b.Severity[0] != 2 {
		t.Errorf("row 1: %+v", b)
	}
	// ln 5001 - ln 11 is over 2
	if b.Class[1] != 1 || b.Probability[1] != 1 || !b.Abstained[1] || !b.Outside[1] || b.Severity[1] != 4 || sum.Outside != 1 || sum.Abstained != 2 {
		t.Errorf("row 2: %+v, %+v", b, sum)
	}
	if info.Calibrated != "isotonic" || info.Classes[0].Abstain != .6 || info.Classes[1].Abstain != 0 {
		t.Errorf("%+v", info)
	}
	rec, err := s.Explain(1)
	if err != nil || rec.Margin != .75 || rec.Unit != "share of votes" || rec.Classes[0].Class != 0 || rec.Classes[0].Probability != .5 || !strings.Contains(rec.Sentence, "No verdict") {
		t.Errorf("%+v, %v", rec, err)
	}
}

func TestImpact(t *testing.T) {
	tests := []struct {
		p    []float64
		want int
	}{{[]float64{1, 0, 0}, 0}, {[]float64{0, 1, 0}, 4}, {[]float64{.5, .5, 0}, 2}, {[]float64{.8, .1, .1}, 1}, {[]float64{.9, .1, 0}, 0}, {[]float64{0, 0, 1}, 3}, {[]float64{math.NaN(), 0, 0}, 0}}
	for _, tt := range tests {
		if got := score.Impact(tt.p, []int{0, 4, 3}); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.p, got, tt.want)
		}
	}
}

// A bundle of alerts refuses flows and says what they are, unless it is told
// to read them as sentences.
func TestScore_otherSchema(t *testing.T) {
	p := alerts(t)
	terms, err := feature.NewTFIDF([]string{"dns", "ssh"}, []float64{1, 1}, feature.TFIDFOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.texts[0].TFIDF = terms
	s, info := load(t, p)
	_, err = s.Score(text(head+good), job.Options{}, nil)
	var f *job.Failure
	if !errors.As(err, &f) || f.Kind != "input" || f.Schema != "flow" || info.Schema != "alert" || !strings.Contains(f.Text, "the file holds flows, the bundle test reads alerts") {
		t.Fatalf("%+v, %v", f, err)
	}
	b, sum := verdicts(t, s, job.Options{FlowText: true})
	// port 53 says dns: .25 .75 and .5 .5; port 22 says ssh: 1 0 twice
	if b.Class[0] != 0 || b.Class[1] != 1 || b.Probability[0] != 1 || b.Probability[1] != .625 || b.Severity[1] != 3 || b.Attack[0] != .25 || b.Attack[1] != .5625 || len(sum.Imputed) != 0 {
		t.Errorf("%+v, %+v", b, sum)
	}
	rec, err := s.Explain(2)
	if err != nil || len(rec.Texts) != 1 || !strings.HasPrefix(rec.Texts[0].Text, "udp flow to dns") {
		t.Errorf("%+v, %v", rec, err)
	}
}

// Tokens, absent terms and the rest add up to the attribution of the text.
func TestExplain_texts(t *testing.T) {
	p := alerts(t)
	terms, err := feature.NewTFIDF([]string{"flow", "ssh"}, []float64{1, 1}, feature.TFIDFOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.texts[0].TFIDF = terms
	s, info := load(t, p)
	b, _ := verdicts(t, s, job.Options{FlowText: true})
	if b.Class[1] != 1 || b.Probability[1] != .625 || info.Features[0].Name != "words" {
		t.Fatalf("%+v", b)
	}
	rec, err := s.Explain(2)
	if err != nil || len(rec.Texts) != 1 || rec.Additivity > 1e-12 {
		t.Fatalf("%+v, %v", rec, err)
	}
	x := rec.Texts[0]
	sum := x.Rest
	var pieces []string
	for _, k := range x.Tokens {
		sum += k.SHAP
		pieces = append(pieces, x.Text[k.Start:k.End])
	}
	for _, a := range x.Absent {
		sum += a.SHAP
	}
	if strings.Join(pieces, " ") != "flow" || len(x.Absent) != 1 || x.Absent[0].Term != "ssh" || math.Abs(sum-rec.Attributions[0].SHAP) > 1e-12 || sum == 0 {
		t.Errorf("%+v, sum %v, attribution %v", x, sum, rec.Attributions[0])
	}
	if !strings.Contains(rec.Sentence, `"flow" (+`) {
		t.Error(rec.Sentence)
	}
}

func TestScore_drift(t *testing.T) {
	p := flows()
	q := make(frame.Quantiles, 101)
	for i := range q {
		q[i] = float64(i)
	}
	p.steps[0].Quantiles = q
	s, _ := load(t, p)
	_, sum := verdicts(t, s, job.Options{})
	want := job.Drift{Feature: 0, Low: 1, High: 99, Expected: 2.0 / 101, Outside: .5}
	if len(sum.Drift) != 1 || sum.Drift[0] != want {
		t.Errorf("got %+v, want %+v", sum.Drift, want)
	}
}

func TestLoad_refusesOtherParts(t *testing.T) {
	two, err := model.NewCentres([]float64{1, 1}, []float32{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*parts)
		text   string
	}{
		{"unknown entry", func(p *parts) { p.extra = map[string][]byte{"pre/other.json": []byte("{}\n")} }, "pre/other.json: this program does not know"},
		{"unknown schema", func(p *parts) { p.schema = frame.NewSchema("other", frame.Flow.Fields) }, `schema "other"`},
		{"centres of other columns", func(p *parts) { p.extra = map[string][]byte{score.CentresName: must(t)(two.AppendBinary(nil))} }, "centres of 2"},
		{"decision for other classes", func(p *parts) {
			p.extra = map[string][]byte{score.DecisionName: must(t)(score.AppendDecision(nil, score.Decision{Abstain: []float64{1}}))}
		}, "1 thresholds for 2 classes"},
		{"decision not canonical", func(p *parts) { p.extra = map[string][]byte{score.DecisionName: []byte(`{"severity":"class"}`)} }, "canonical"},
		{"decision of another rule", func(p *parts) { p.extra = map[string][]byte{score.DecisionName: []byte("{\"severity\":\"x\"}\n")} }, `severity "x"`},
		{"boosting with forest's name", func(p *parts) {
			p.forest = tree.Source{Kind: tree.Boosting, Outputs: 1, Trees: []tree.SourceTree{stump(0, 0, 1, []float64{1}, []float64{2})}}
		}, "link identity"},
		{"oblivious trees whose scores are no probabilities", func(p *parts) {
			p.forest = tree.Source{Kind: tree.Oblivious, Outputs: 2, Step: 1, Levels: []tree.ObliviousTree{{Feature: []int32{0}, Threshold: []float64{1}, Cover: []float64{3, 1}, Value: []int16{1, 0, 0, 1}}}}
		}, "link identity"},
		{"vector of a text that is none", func(p *parts) { p.ask[0].Texts = map[string]string{frame.InBytes: "x"} }, "unknown field"},
		{"anomaly quantiles without model are ignored no more", func(p *parts) {
			p.extra = map[string][]byte{score.AnomalyName: must(t)(score.AppendAnomaly(nil, frame.Quantiles{0, 1}))}
		}, "pre/anomaly.json: this program does not know"},
	}
	for _, tt := range tests {
		p := flows()
		tt.change(&p)
		_, err := score.New().Load(p.encode(t))
		var f *job.Failure
		if !errors.As(err, &f) || f.Kind != "bundle" || !strings.Contains(f.Text, tt.text) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.text)
		}
	}
}

// An alert file is read by a bundle of alerts and refused by one of flows.
func TestScore_alerts(t *testing.T) {
	const in = "Timestamp,Source_IP,Destination_IP,Payload_Type,Payload_Description,Severity\n" +
		"2018-02-14T12:28:07Z,10.0.0.1,10.0.0.2,x,This is bad. Very BAD,High\n2018-02-14T12:28:08Z,10.0.0.1,10.0.0.2,x,a good thing,Low\n"
	s, _ := load(t, alerts(t))
	var b *job.Batch
	sum, err := s.Score(text(in), job.Options{}, func(_ job.Progress, v *job.Batch) bool { b = v; return true })
	if err != nil || sum.Scored != 2 || b.Class[0] != 1 || b.Probability[0] != .625 || b.Class[1] != 0 || b.Probability[1] != 1 {
		t.Fatalf("%+v, %+v, %v", sum, b, err)
	}
	rec, err := s.Explain(1)
	if err != nil || len(rec.Texts) != 1 || len(rec.Texts[0].Tokens) != 2 || rec.Texts[0].Text != "This is bad. Very BAD" || rec.Texts[0].Tokens[1].Start != 18 || !strings.Contains(rec.Sentence, `"bad" (+`) {
		t.Errorf("%+v, %v", rec, err)
	}
	flow, _ := load(t, flows())
	_, err = flow.Score(text(in), job.Options{}, nil)
	var f *job.Failure
	if !errors.As(err, &f) || f.Schema != "alert" || !strings.Contains(f.Help, "reads alerts") {
		t.Errorf("%+v, %v", f, err)
	}
}
