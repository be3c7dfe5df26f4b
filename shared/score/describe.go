package score

import (
	"fmt"
	"math"
	"strings"

	"cloister/shared/bundle"
	"cloister/shared/feature"
	"cloister/shared/job"
	"cloister/shared/model/tree"
)

// number returns the figure behind a pointer, NaN for none.
func number(v *float64) job.Number {
	if v == nil {
		return job.Number(math.NaN())
	}
	return job.Number(*v)
}

// describe returns what people want to know about the bundle.
func (l *loaded) describe(sha256 string, size int64) job.Bundle {
	m := l.m
	info := job.Bundle{
		Name: m.Name, Version: m.Version, Title: m.Title, Description: m.Description, Schema: l.schema.Name,
		SHA256: sha256, Size: size, Trust: string(l.trust.State), Key: l.trust.Name, KeyFingerprint: l.trust.Fingerprint,
		Model: l.models(), Calibrated: l.decision.Calibrated,
		AttackVersion: m.AttackVersion, Limits: m.KnownLimits, Vectors: len(l.vectors), Card: l.card,
		Threshold: l.threshold(AlertThreshold, 1), Abstain: l.threshold(AbstainThreshold, 0), Strange: l.threshold(AnomalyThreshold, 1),
	}
	for i, label := range m.Labels {
		c := job.Class{
			Name: label.Name, Severity: label.Severity, Benign: label.Benign, Unseen: label.Unseen, Abstain: l.abstain[i],
			Precision: number(label.Precision), Recall: number(label.Recall), Support: int(label.Support),
		}
		for _, t := range label.Attack {
			c.Attack = append(c.Attack, job.Technique{ID: t.ID, Tactic: t.Tactic, Confidence: t.Confidence, Basis: t.Basis})
		}
		info.Classes = append(info.Classes, c)
	}
	if p := l.input.Pipeline(); p != nil {
		for _, s := range p.Steps() {
			info.Features = append(info.Features, job.Feature{Name: s.Name, Unit: s.Unit, Help: s.Help})
		}
	}
	for _, t := range l.input.Texts() {
		info.Features = append(info.Features, job.Feature{Name: t.Name, Help: t.Help})
	}
	for _, v := range m.Metrics {
		info.Metrics = append(info.Metrics, job.Metric{Name: v.Name, Value: number(v.Value), Low: number(v.Low), High: number(v.High), Split: v.Split, Rows: int(v.N)})
	}
	for _, s := range m.Datasets {
		info.Data = append(info.Data, fmt.Sprintf("%s (%s)", s.Name, s.License))
	}
	return info
}

// models says in words what models the bundle has.
func (l *loaded) models() string {
	name := "random forest"
	switch kind := l.classifier.Kind(); {
	case kind == tree.Boosting:
		name = "boosted trees"
	case kind == tree.Oblivious:
		name = "boosted oblivious trees"
	case l.m.Config.Architecture == bundle.ExtraTrees: // grown, it is a forest like any other
		name = "extra trees"
	}
	out := fmt.Sprintf("%s, %d trees, %d nodes", name, l.classifier.Trees(), l.classifier.Nodes())
	if l.isolation != nil {
		out += fmt.Sprintf("; isolation forest, %d trees", l.isolation.Trees())
	}
	if l.unusual != nil && l.unusual != l.input {
		out += " on " + strings.Join(names(l.unusual), ", ")
	}
	return out
}

// names returns the names of the columns of the pipeline.
func names(in *feature.Input) (out []string) {
	for _, s := range in.Pipeline().Steps() {
		out = append(out, s.Name)
	}
	return out
}
