// Package carry makes a bundle of a model that another library trained. It hides
// how columns find their features by name, what a bundle says of a model whose
// training nobody here saw, and what its test vectors are made of.
//
//	m, err := foreign.Read(bytes)
//	file, err := carry.Bundle(m, carry.Options{Name: "mine", File: "mine.json", SHA256: sum})
//
// The same model and options give the same bytes.
package carry

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"

	"cloister/builder/internal/foreign"
	"cloister/builder/internal/publish"
	"cloister/builder/internal/train"
	"cloister/shared/attack"
	"cloister/shared/bundle"
	"cloister/shared/explain"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/model/tree"
	"cloister/shared/score"
)

// Options are what the model file does not say.
type Options struct {
	Name      string // of the bundle: a-z, 0-9 and -
	Version   string // default "1.0.0"
	CreatedAt string // RFC 3339
	License   string // SPDX, default "LicenseRef-not-stated"
	Authors   []string
	File      string   // name of the model file
	SHA256    [32]byte // of it
	Command   string   // that makes the bundle
	// Labels are the classes in the order of the outputs, nil for those of the
	// file.
	Labels []string
	// Map gives features or fields for the model's names; a name that is not in
	// it stands for itself. Columns without name are "f0", "f1", ...
	Map map[string]string
	// Benign is the label that is no attack, default "Benign" whatever the case.
	Benign string
	// Table holds labelled rows to measure the model on, made with [Recipe]; nil
	// for none.
	Table *train.Table
	// Anomaly is an isolation forest on the same columns; it needs a Table with
	// benign rows, whose scores say what is usual. nil for none.
	Anomaly *foreign.Model
}

// MapError lists columns that no feature or field has the name of.
type MapError struct{ Names []string }

// Error names the first of them.
func (e *MapError) Error() string {
	shown := e.Names[:min(len(e.Names), 20)]
	return fmt.Sprintf("%d columns of the model are neither features of the recipe flows nor number fields of a flow: %.64q: give a map", len(e.Names), shown)
}

// Recipe returns what [train.Read] needs to make the columns of a model.
func Recipe(m *foreign.Model, o Options) (train.Recipe, error) {
	steps, err := steps(m, o)
	return train.Recipe{Name: "import", Schema: frame.Flow, Label: frame.Label, Steps: steps, Benign: benign(o)}, err
}

func benign(o Options) string {
	if o.Benign == "" {
		return "Benign"
	}
	return o.Benign
}

// steps finds the feature behind every column of the model.
func steps(m *foreign.Model, o Options) ([]feature.Step, error) {
	known := map[string]feature.Step{}
	recipes := train.Recipes()
	for _, name := range []string{"flows-cic", "flows"} { // the later wins
		for _, s := range recipes[name].Steps {
			if recipes[name].Schema == frame.Flow {
				known[s.Name] = s
			}
		}
	}
	var out []feature.Step
	var lacking []string
	for j := range m.Source.Features {
		name := fmt.Sprintf("f%d", j)
		if m.Features != nil {
			name = m.Features[j]
		}
		if to, ok := o.Map[name]; ok {
			name = to
		}
		if s, ok := known[name]; ok {
			out = append(out, s)
			continue
		}
		i, ok := frame.Flow.Index(name)
		if !ok || frame.Flow.Fields[i].Kind != frame.Number {
			lacking = append(lacking, name)
			continue
		}
		f := frame.Flow.Fields[i]
		out = append(out, feature.Step{Name: f.Name, Op: feature.OpNumber, From: f.Name, Unit: f.Unit, Help: f.Help})
	}
	if lacking != nil {
		return nil, &MapError{lacking}
	}
	return out, nil
}

// labels returns the names of the classes.
func labels(m *foreign.Model, o Options) ([]string, error) {
	k, err := m.Classes()
	if err != nil {
		return nil, err
	}
	names := o.Labels
	if names == nil {
		names = m.Labels
	}
	if names == nil {
		return nil, fmt.Errorf("the model has %d classes without names: give them in the order of its outputs", k)
	}
	if len(names) != k {
		return nil, fmt.Errorf("%d labels for the %d classes of the model", len(names), k)
	}
	return names, nil
}

// Bundle returns the bundle file of m. Columns without a feature are a
// [*MapError], scores that are no class probabilities a
// [*foreign.UnsupportedError], broken trees a [*tree.SourceError].
func Bundle(m *foreign.Model, o Options) ([]byte, error) {
	names, err := labels(m, o)
	if err != nil {
		return nil, err
	}
	recipe, err := Recipe(m, o)
	if err != nil {
		return nil, err
	}
	pipeline, err := feature.New(frame.Flow, recipe.Steps)
	if err != nil {
		return nil, err
	}
	e, err := tree.New(m.Source)
	if err != nil {
		return nil, err
	}
	explainer, err := explain.New(e)
	if err != nil {
		return nil, err
	}
	c := &carried{m: m, o: o, names: names, e: e, explainer: explainer, pipeline: pipeline}
	if err := c.measure(); err != nil {
		return nil, err
	}
	if err := c.anomaly(); err != nil {
		return nil, err
	}
	return c.bundle()
}

type carried struct {
	m         *foreign.Model
	o         Options
	names     []string
	e         *tree.Ensemble
	explainer *explain.Explainer
	pipeline  *feature.Pipeline
	typical   []float64       // k×d
	isolation *tree.Ensemble  // nil for none
	strange   frame.Quantiles // of its margin over benign rows
	metrics   []bundle.Metric
	figures   []bundle.Label // precision, recall and support by class, nil without rows
	evaluated string         // where the figures are from
}

// bundle puts the entries together.
func (c *carried) bundle() ([]byte, error) {
	var p publish.Parts
	classifier := score.ForestName
	if c.e.Kind() == tree.Boosting {
		classifier = score.BoostingName
	}
	p.Add(classifier, func() ([]byte, error) { return c.e.AppendBinary(nil) })
	p.Add(score.FeaturesName, func() ([]byte, error) { return c.pipeline.AppendJSON(nil) })
	p.Add(bundle.BackgroundName, func() ([]byte, error) { return score.AppendBackground(nil, c.typical, c.pipeline.Len()), nil })
	p.Add(score.DecisionName, func() ([]byte, error) { return score.AppendDecision(nil, score.Decision{}) })
	if c.isolation != nil {
		p.Add(score.IsolationName, func() ([]byte, error) { return c.isolation.AppendBinary(nil) })
		p.Add(score.AnomalyName, func() ([]byte, error) { return score.AppendAnomaly(nil, c.strange) })
	}
	ask := c.vectors()
	m := c.manifest(int64(len(ask)))
	return p.Encode(m, c.card(m), ask, nil)
}

// manifest says what is known and, in its limits, what is not.
func (c *carried) manifest(vectors int64) bundle.Manifest {
	o := c.o
	authors := o.Authors
	if authors == nil {
		authors = []string{"not stated"}
	}
	m := bundle.Manifest{
		MinRuntime: score.Version, Name: o.Name, Version: orElse(o.Version, "1.0.0"), CreatedAt: o.CreatedAt, Authors: authors,
		Title:       "Imported " + c.family(),
		Description: fmt.Sprintf("A model that %s trained, read from %s and scored with the same trees.", c.m.Producer, o.File),
		Datasets:    []bundle.Dataset{{Name: "not stated: the model file does not say what it was trained on", License: "not stated"}},
		Licenses:    []string{orElse(o.License, "LicenseRef-not-stated")}, Task: "classification",
		Config:        bundle.Config{Architecture: c.architecture(), Format: "tree-1", ParamCount: int64(c.e.Nodes()), Precision: "float64"},
		AttackVersion: attack.Version(), Metrics: c.metrics,
		Vectors:     bundle.Vectors{File: score.VectorsName, N: vectors, AbsTol: 1e-12},
		KnownLimits: c.limits(),
		OutOfScope: []string{
			"Blocking traffic without a person looking at the evidence.",
			"Statements about people: a flow shows what two addresses exchanged, not who did it.",
		},
	}
	m.Schema.Name = frame.Flow.Name
	for _, s := range c.pipeline.Steps() {
		f := bundle.Feature{Name: s.Name, Dtype: "float64", Unit: s.Unit, Missing: "nan", Help: s.Help}
		if q := s.Quantiles; q != nil {
			f.Min, f.Q01, f.Q50, f.Q99, f.Max = &q[0], &q[1], &q[50], &q[99], &q[100]
		}
		m.Schema.Features = append(m.Schema.Features, f)
	}
	for i, name := range c.names {
		l := bundle.Label{Name: name, Severity: train.FamilyOf(name).Severity, Benign: attack.Key(name) == attack.Key(benign(o))}
		if c.figures != nil {
			l.Precision, l.Recall, l.Support = c.figures[i].Precision, c.figures[i].Recall, c.figures[i].Support
		}
		if mapping, ok := attack.ForLabel(name); ok && !l.Benign {
			for _, h := range mapping.From(attack.Anywhere) {
				l.Attack = append(l.Attack, bundle.Technique{ID: h.Technique, Tactic: h.Tactic, Confidence: h.Confidence, Basis: h.Basis})
			}
			l.Unseen = mapping.Unseen
		}
		m.Labels = append(m.Labels, l)
	}
	m.Explain = bundle.Explain{Method: "tree-shap-path", Link: "probability", Tolerance: 1e-9, BackgroundN: int64(len(c.names))}
	if c.e.Kind() == tree.Boosting {
		m.Explain.Link = "log-odds"
	}
	if _, outputs := c.e.Shape(); outputs == 1 {
		m.Explain.BaseValue = []float64{-c.explainer.Base(0), c.explainer.Base(0)}
	} else {
		for k := range c.names {
			m.Explain.BaseValue = append(m.Explain.BaseValue, c.explainer.Base(k))
		}
	}
	m.Lineage = bundle.Lineage{Recipe: "import", Command: o.Command, Toolchain: runtime.Version()}
	m.ID = fmt.Sprintf("%s-%s-%s", m.Name, m.Version, hex.EncodeToString(o.SHA256[:])[:12])
	return m
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (c *carried) family() string {
	if c.e.Kind() == tree.Boosting {
		return "boosted trees"
	}
	return "forest"
}

func (c *carried) architecture() string {
	if c.e.Kind() == tree.Boosting {
		return "gradient-boosting"
	}
	return "random-forest"
}

// limits says what is not known of an imported model.
func (c *carried) limits() []string {
	out := []string{
		"Imported: what the model was trained on, how it was split and how well it did is not in its file and not known here.",
		"There are no thresholds: no row is flagged by score and no verdict is withheld, however unsure it is. Probabilities are the model's own, not calibrated.",
		"Rows unlike the training rows are not recognised: verdicts are given for them, too.",
		"Columns were matched to features by name. That a column means here what it meant where the model was trained, in the same unit, nobody has checked.",
	}
	if c.isolation == nil {
		out = append(out, "There is no anomaly model.")
	} else {
		out = append(out, "The anomaly model is imported, too. Its percentile is among the benign rows of the evaluation, not among its training rows, and no threshold is set for it.")
	}
	if !c.m.Covers {
		out = append(out, "The file does not say how many training rows reached each leaf: explanations take every leaf as equally likely, so the base value is not the mean score of the training rows.")
	}
	if c.m.Single {
		out = append(out, fmt.Sprintf("%s reads and adds float32. Every row takes the same branches here; sums are float64, so scores differ from its own by rounding, some 1e-7 of a probability.", c.m.Producer))
	}
	out = append(out, c.m.Notes...)
	if c.evaluated == "" {
		return append(out, "There are no figures: nothing here has measured the model.")
	}
	return append(out, "The figures are from "+c.evaluated+". If the model was trained on them they flatter, and nothing here can tell.")
}

// vectorCount is that of bundles made by training.
const vectorCount = 32

// vectors makes rows around the thresholds of the model; every eighth lacks a
// field.
func (c *carried) vectors() []score.Vector {
	rng := rand.New(rand.NewPCG(1, 0x766563746f7273)) // "vectors"
	cuts := map[string][]float64{}
	steps := c.pipeline.Steps()
	for _, t := range c.m.Source.Trees {
		for v, f := range t.Feature {
			if f < 0 || steps[f].Op != feature.OpNumber || len(t.Category) > 0 && t.Category[v] != nil || math.IsInf(t.Threshold[v], 0) {
				continue
			}
			cuts[steps[f].From] = append(cuts[steps[f].From], t.Threshold[v])
		}
	}
	fields := slices.Compact(c.pipeline.Fields())
	var out []score.Vector
	for n := range vectorCount {
		v := score.Vector{Fields: map[string]float64{}}
		lack := ""
		if n%8 == 7 {
			lack = fields[rng.IntN(len(fields))]
		}
		for _, name := range fields {
			i, ok := frame.Flow.Index(name)
			if name == lack || !ok || frame.Flow.Fields[i].Kind != frame.Number {
				continue
			}
			v.Fields[name] = math.Floor(math.Ldexp(rng.Float64(), rng.IntN(16)))
			if t := cuts[name]; len(t) > 0 && rng.IntN(4) > 0 {
				v.Fields[name] = math.Nextafter(t[rng.IntN(len(t))], []float64{-1e300, 0, 1e300}[rng.IntN(3)])
			}
		}
		out = append(out, v)
	}
	return out
}

// errNoRows means that no labelled row can be judged.
var errNoRows = errors.New("no row has a label that is a class of the model")

// card returns CARD.md.
func (c *carried) card(m bundle.Manifest) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %s %s: %s\n\n%s\n", m.Name, m.Version, m.Title, m.Description)
	line("## Use\n\nRanking and naming the rows of an upload for an analyst who looks at the evidence beside each verdict. Start with\n")
	line("    cloister score --bundle %s.bundle flows.csv --explain 10\n", m.Name)
	line("## Make it again\n\n    %s\n\nfrom %s, sha256 `%x`.\n", m.Lineage.Command, c.o.File, c.o.SHA256)
	line("## Model\n\n%v.\n\nWritten by %s as %s; objective %q. Scores: %s.\n", c.e, c.m.Producer, c.m.Format, c.m.Objective, map[bool]string{true: "mean of the leaf distributions", false: "the link of the sum of leaf values: " + c.e.Link().String()}[c.e.Kind() == tree.Forest])
	line("## Data\n\nNot stated. The model file does not say what it was trained on.\n")
	line("## Features\n\n| column of the model | feature | from | unit |\n|---|---|---|---|")
	for j, s := range c.pipeline.Steps() {
		name := fmt.Sprintf("f%d", j)
		if c.m.Features != nil {
			name = c.m.Features[j]
		}
		from := s.From
		if s.Over != "" {
			from += " / " + s.Over
		}
		line("| %s | %s | %s | %s |", cell(name), s.Name, from, s.Unit)
	}
	line("\n## Classes\n\n| class | severity | precision | recall | rows |\n|---|---|---|---|---|")
	for _, l := range m.Labels {
		line("| %s | %s | %s | %s | %s |", cell(l.Name), l.Severity, figure(l.Precision), figure(l.Recall), map[bool]string{true: "unknown", false: fmt.Sprint(l.Support)}[c.figures == nil])
	}
	line("\n## Evaluation\n")
	if len(m.Metrics) == 0 {
		line("None. Precision, recall, false-positive rate and calibration of this model are unknown here; `cloister evaluate` measures them on labelled rows of yours.\n")
	} else {
		line("On %s:\n\n| figure | rows | value |\n|---|---|---|", c.evaluated)
		for _, x := range m.Metrics {
			line("| %s | %d | %s |", x.Name, x.N, figure(x.Value))
		}
	}
	line("## Thresholds\n\nUnknown. None is set: no row is flagged and no verdict withheld.\n")
	line("## Limits\n")
	for _, l := range m.KnownLimits {
		line("- %s", l)
	}
	line("\n## Not for\n")
	for _, l := range m.OutOfScope {
		line("- %s", l)
	}
	line("\n## Licence\n\n%s.", strings.Join(m.Licenses, ", "))
	return b.String()
}

// cell keeps text of a file from ending a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", "/", "\n", " ", "\r", " ", "<", "(", ">", ")").Replace(s)
}

func figure(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.3f", *v)
}
