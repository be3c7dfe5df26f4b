// Package publish turns a training result into a bundle file. It hides how the
// parts of a result become entries, the manifest and the card.
//
//	file, err := publish.Bundle(result, publish.Options{Version: "1.0.0"})
//
// Nothing in the file depends on the machine, the folder or the time of day:
// the same result gives the same bytes.
package publish

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/shared/attack"
	"cloister/shared/bundle"
	"cloister/shared/explain"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/job"
	"cloister/shared/score"
)

// Options are what a publisher says about a bundle. The zero value takes the
// defaults in the comments.
type Options struct {
	Version   string   // semantic version, default "1.0.0"
	CreatedAt string   // RFC 3339, default the release date of the recipe, so that builds reproduce
	Authors   []string // default "Cloister contributors"
}

// vectorCount is the number of test vectors in a bundle of numbers.
const vectorCount = 32

// textVectorCount is that of a bundle of texts: explaining a row of some
// thousand terms takes tens of milliseconds, and a page replays all.
const textVectorCount = 6

// Bundle returns the bundle file of r.
func Bundle(r *train.Result, o Options) ([]byte, error) {
	if o.Version == "" {
		o.Version = "1.0.0"
	}
	if o.CreatedAt == "" {
		o.CreatedAt = r.Recipe.Released
	}
	if o.Authors == nil {
		o.Authors = []string{"Cloister contributors"}
	}
	var p Parts
	explainer, err := explain.New(r.Forest)
	if err != nil {
		return nil, err
	}
	classifier := score.ForestName
	switch {
	case r.Chosen.Oblivious != nil:
		classifier = score.ObliviousName
	case r.Chosen.Boost != nil:
		classifier = score.BoostingName
	}
	p.Add(classifier, func() ([]byte, error) { return r.Forest.AppendBinary(nil) })
	if r.Pipeline != nil {
		p.Add(score.FeaturesName, func() ([]byte, error) { return r.Pipeline.AppendJSON(nil) })
		p.Add(bundle.BackgroundName, func() ([]byte, error) { return score.AppendBackground(nil, r.Typical, r.Pipeline.Len()), nil })
	}
	if texts := r.Input.Texts(); len(texts) > 0 {
		p.Add(score.TextsName, func() ([]byte, error) { return r.Input.AppendTexts(nil) })
		for _, t := range texts {
			p.Add(score.TermsName(t.Name), func() ([]byte, error) { return t.TFIDF.AppendBinary(nil) })
		}
	}
	if r.Isolation != nil {
		p.Add(score.IsolationName, func() ([]byte, error) { return r.Isolation.AppendBinary(nil) })
		p.Add(score.AnomalyName, func() ([]byte, error) { return score.AppendAnomaly(nil, r.Strangeness) })
	}
	if r.Unusual != nil {
		p.Add(score.AnomalyFeaturesName, func() ([]byte, error) { return r.Unusual.AppendJSON(nil) })
	}
	if r.Centres != nil {
		p.Add(score.CentresName, func() ([]byte, error) { return r.Centres.AppendBinary(nil) })
	}
	p.Add(score.DecisionName, func() ([]byte, error) {
		d := score.Decision{Abstain: r.Abstain, Expected: r.Recipe.Benign != ""}
		if c := r.Calibration; c.Curve != nil {
			d.Calibrated, d.Curve = c.Method, c.Curve
		}
		return score.AppendDecision(nil, d)
	})
	ask := vectors(r)
	m := manifest(r, o, explainer)
	m.Vectors.N = int64(len(ask))
	return p.Encode(m, card(r, m), ask, r.Table.Files)
}

// vectors makes inputs that occur nowhere: each field takes a random quantile
// of the training rows, so that no row of the data is passed on and yet all
// branches are visited. Every eighth lacks a field.
func vectors(r *train.Result) []score.Vector {
	rng := rand.New(rand.NewPCG(r.Seed, 0x766563746f7273)) // "vectors"
	t := r.Table
	quantiles := make([]frame.Quantiles, len(t.Names))
	for j := range t.Names {
		var values []float64
		for i, part := range r.Parts {
			if part == prep.Train {
				values = append(values, t.Fields[i*len(t.Names)+j])
			}
		}
		quantiles[j] = frame.QuantilesOf(values, 101)
	}
	var out []score.Vector
	count := vectorCount
	if len(r.Input.Texts()) > 0 {
		count = textVectorCount
	}
	for n := range count {
		v := score.Vector{Fields: map[string]float64{}, Texts: salad(r, rng)}
		lack := -1
		if n%8 == 7 && len(t.Names) > 0 {
			lack = rng.IntN(len(t.Names))
		}
		for j, name := range t.Names {
			q := rng.IntN(101)
			if j == lack || quantiles[j] == nil {
				continue
			}
			v.Fields[name] = quantiles[j][q]
		}
		out = append(out, v)
	}
	return out
}

// saladWords bounds the terms of a text of [salad].
const saladWords = 12

// salad returns texts of known terms in no order, and one of the categories:
// nothing that anybody wrote. It is nil where the recipe reads no texts.
func salad(r *train.Result, rng *rand.Rand) map[string]string {
	texts := r.Input.Texts()
	if len(texts) == 0 && r.Unusual == nil {
		return nil
	}
	out := map[string]string{}
	for _, t := range texts {
		terms := t.TFIDF.Vocabulary()
		for range 1 + rng.IntN(saladWords) {
			field := t.From[rng.IntN(len(t.From))]
			out[field] = strings.TrimSpace(out[field] + " " + strings.TrimSpace(terms[rng.IntN(len(terms))]))
		}
	}
	if r.Pipeline != nil {
		if steps := r.Pipeline.Steps(); rng.IntN(8) > 0 {
			if s := steps[rng.IntN(len(steps))]; s.Op == feature.OpIs {
				out[s.From] = s.Value
			}
		}
	}
	if r.Unusual != nil {
		out[frame.SrcAddr] = fmt.Sprintf("192.0.2.%d", rng.IntN(256))
	}
	return out
}

// severe is the mean impact, of 0 to 1, from which an alert is flagged: what
// rounds to High or worse.
const severe = 2.5 / 4

// figure returns a pointer to v, nil for NaN.
func figure(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

func manifest(r *train.Result, o Options, e *explain.Explainer) bundle.Manifest {
	t := r.Table
	sets, limits := train.KnownData(t)
	m := bundle.Manifest{
		MinRuntime: score.Version, Name: r.Recipe.Name, Version: o.Version, CreatedAt: o.CreatedAt,
		Authors: o.Authors, Title: r.Recipe.Title, Description: r.Recipe.Description,
		Datasets: sets, Licenses: []string{"Apache-2.0"}, Task: "classification",
		Config: bundle.Config{
			Architecture: architecture(r), Format: "tree-1",
			ParamCount: int64(nodes(r)), Precision: "float64",
		},
		AttackVersion: attack.Version(),
		Vectors:       bundle.Vectors{File: score.VectorsName, N: vectorCount, AbsTol: 1e-12, RelTol: 0},
		KnownLimits:   append(limits, r.Recipe.Limits...), OutOfScope: r.Recipe.OutOfScope,
	}
	m.Schema.Name = r.Recipe.Schema.Name
	if r.Pipeline != nil {
		for _, s := range r.Pipeline.Steps() {
			f := bundle.Feature{Name: s.Name, Dtype: "float64", Unit: s.Unit, Missing: "nan", Help: s.Help}
			if q := s.Quantiles; q != nil {
				f.Min, f.Q01, f.Q50, f.Q99, f.Max = &q[0], &q[1], &q[50], &q[99], &q[100]
			}
			m.Schema.Features = append(m.Schema.Features, f)
		}
	}
	for _, x := range r.Input.Texts() {
		m.Schema.Features = append(m.Schema.Features, bundle.Feature{Name: x.Name, Dtype: "text", Missing: "empty", Transform: "tf-idf", Help: x.Help})
	}
	for i, name := range t.Classes {
		s := r.Confusion.Class(i)
		l := bundle.Label{
			Name: name, Severity: impact(r, name), Benign: i == 0 && r.Recipe.Benign != "",
			Precision: figure(s.Precision), Recall: figure(s.Recall), Support: int64(s.Support),
		}
		if mapping, ok := attack.ForLabel(name); ok && r.Recipe.Benign != "" {
			for _, h := range mapping.From(attack.Anywhere) {
				l.Attack = append(l.Attack, bundle.Technique{ID: h.Technique, Tactic: h.Tactic, Confidence: h.Confidence, Basis: h.Basis})
			}
			l.Unseen = mapping.Unseen
		}
		m.Labels = append(m.Labels, l)
	}
	threshold := func(name string, value float64, split prep.Part, p, rec, fpr float64, n int) {
		m.Thresholds = append(m.Thresholds, bundle.Threshold{Name: name, Value: value, Precision: figure(p), Recall: figure(rec), FPR: figure(fpr), N: int64(n), Split: split.String()})
	}
	nan := math.NaN()
	if r.Recipe.Benign != "" {
		threshold(score.AlertThreshold, r.Alert.Threshold, prep.Validation, r.Alert.Precision, r.Alert.Recall, r.Alert.FPR, r.Count[prep.Validation])
	}
	if r.Recipe.Order != nil {
		threshold(score.AlertThreshold, severe, prep.Validation, nan, nan, nan, r.Count[prep.Validation])
	}
	threshold(score.AbstainThreshold, r.AbstainAll, prep.Validation, nan, nan, nan, r.Count[prep.Validation])
	if r.Isolation != nil {
		threshold(score.AnomalyThreshold, train.AnomalyShare, prep.Train, r.Anomaly.Precision, r.Anomaly.Recall, r.Anomaly.FPR, r.Count[prep.Holdout])
	}
	if r.Centres != nil {
		threshold(score.OutsideThreshold, r.Outside, prep.Validation, nan, nan, r.OutsideHoldout, r.Count[prep.Validation])
	}
	for _, x := range r.Measures {
		m.Metrics = append(m.Metrics, bundle.Metric{Name: x.Name, Value: figure(x.Value), Low: figure(x.Low), High: figure(x.High), Split: x.Part.String(), N: int64(x.Rows)})
	}
	m.Explain = bundle.Explain{Method: "tree-shap-path", Link: "probability", Tolerance: 1e-9}
	if r.Chosen.Odds() {
		m.Explain.Link = "log-odds"
	}
	if r.Pipeline != nil {
		m.Explain.BackgroundN = int64(len(t.Classes))
	}
	if _, outputs := r.Forest.Shape(); outputs == 1 {
		m.Explain.BaseValue = []float64{-e.Base(0), e.Base(0)}
	} else {
		for c := range t.Classes {
			m.Explain.BaseValue = append(m.Explain.BaseValue, e.Base(c))
		}
	}
	m.Lineage = bundle.Lineage{
		Recipe: r.Recipe.Name, Command: command(r), SplitSeed: int64(splitSeed(r)), Toolchain: runtime.Version(),
		Split: bundle.Split{Train: int64(r.Count[prep.Train]), Validation: int64(r.Count[prep.Validation]), Holdout: int64(r.Count[prep.Holdout])},
	}
	for _, f := range t.Files {
		var digest bundle.Digest
		if b, err := hex.DecodeString(f.SHA256); err == nil && len(b) == len(digest) {
			copy(digest[:], b)
		}
		m.Lineage.DatasetSHA256 = append(m.Lineage.DatasetSHA256, digest)
	}
	m.ID = fmt.Sprintf("%s-%s-seed%d-%s", m.Name, m.Version, r.Seed, t.Files[0].SHA256[:12])
	return m
}

// architecture names the family of the classifier.
func architecture(r *train.Result) string {
	switch r.Chosen.Kind() {
	case "boosting":
		return "gradient-boosting"
	case "oblivious":
		return "oblivious-gradient-boosting"
	case "extra trees":
		return bundle.ExtraTrees
	}
	return "random-forest"
}

// nodes counts those of all models.
func nodes(r *train.Result) int {
	n := r.Forest.Nodes()
	if r.Isolation != nil {
		n += r.Isolation.Nodes()
	}
	return n
}

// impact returns how bad it is if a verdict of the class is right: its family's
// severity or, where the classes are severities, itself.
func impact(r *train.Result, class string) string {
	if r.Recipe.Order != nil {
		return class
	}
	return train.FamilyOf(class).Severity
}

// splitSeed returns the seed that the rows were split with.
func splitSeed(r *train.Result) uint64 {
	if r.Split != nil {
		return r.Split.Seed
	}
	return r.Seed
}

// command returns the command that makes the bundle again.
func command(r *train.Result) string {
	var names []string
	for _, f := range r.Table.Files {
		names = append(names, f.Name)
	}
	c := fmt.Sprintf("cloister train --recipe %s %s --seed %d", r.Recipe.Name, strings.Join(names, " "), r.Seed)
	switch {
	case r.Split != nil:
		c += " --split " + r.SplitName
	case r.Shares != (prep.Shares{0.70, 0.15, 0.15}):
		c += fmt.Sprintf(" --split %g/%g/%g", r.Shares[0]*100, r.Shares[1]*100, r.Shares[2]*100)
	}
	if r.Recipe.Params != "" {
		c += " --params " + r.Recipe.Params
	}
	if n := r.Recipe.Isolation.Extension; n > 0 {
		c += fmt.Sprintf(" --extension %d", n)
	}
	return c + fmt.Sprintf(" --out %s.bundle", r.Recipe.Name)
}

// severities returns the labels per severity, most severe first.
func severities(m bundle.Manifest) (out [][2]string) {
	for _, s := range slices.Backward(job.Severities) {
		var names []string
		for _, l := range m.Labels {
			if l.Severity == s {
				names = append(names, l.Name)
			}
		}
		if names != nil {
			out = append(out, [2]string{s, strings.Join(names, ", ")})
		}
	}
	return out
}
