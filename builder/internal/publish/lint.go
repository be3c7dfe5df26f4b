package publish

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloister/shared/bundle"
	"cloister/shared/job"
	"cloister/shared/score"
	"cloister/shared/sign"
)

// Finding is one thing that keeps a bundle from being published.
type Finding struct {
	Part string `json:"part"` // entry or manifest field: "sbom.cdx.json", "lineage.command"
	What string `json:"what"` // what is missing or wrong
}

// String returns part and what.
func (f Finding) String() string { return f.Part + ": " + f.What }

// LintError lists everything that keeps a bundle from being published.
type LintError struct{ Findings []Finding }

// Error returns the findings, separated by semicolons.
func (e *LintError) Error() string {
	var parts []string
	for _, f := range e.Findings {
		parts = append(parts, f.String())
	}
	return fmt.Sprintf("not fit to publish, %d findings: %s", len(e.Findings), strings.Join(parts, "; "))
}

// LintOptions says what a bundle is held to.
type LintOptions struct {
	Keys     []sign.Key // who may sign; the pinned keys count too
	Unsigned bool       // a bundle that nobody known signed passes
}

// Lint returns everything that keeps file from being published, in a fixed
// order; none means that it may be. It asks for the parts of a bundle that
// somebody else can trust: card, list of parts, provenance, licence, data with
// their licences, figures with intervals, limits, a signature, and test
// vectors that pass here. A file that is no sound bundle is an error.
func Lint(file []byte, o LintOptions) ([]Finding, error) {
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	l := &linter{}
	trust, err := sign.Check(a, append(sign.Pinned(), o.Keys...))
	switch {
	case err != nil:
		return nil, err // tampered or malformed: nothing in it counts
	case o.Unsigned:
	case trust.State == sign.Unsigned:
		l.add(bundle.SignatureName, "nobody signed it: cloister sign")
	case trust.State == sign.UnknownKey:
		l.add(bundle.SignatureName, "signed by %.16s, which is no key that is trusted here", trust.Fingerprint)
	}
	b, err := a.Decode()
	if err != nil {
		return nil, err
	}
	l.entries(b)
	l.manifest(b.Manifest())
	l.papers(b)
	if _, err := score.New().Load(file); err != nil {
		what := err.Error()
		if f, ok := errors.AsType[*job.Failure](err); ok {
			what = f.Text
		}
		l.add("vectors", "%s", what)
	}
	return l.found, nil
}

type linter struct{ found []Finding }

func (l *linter) add(part, format string, args ...any) {
	l.found = append(l.found, Finding{part, fmt.Sprintf(format, args...)})
}

// entries asks for those that every published bundle has.
func (l *linter) entries(b *bundle.Bundle) {
	for _, name := range []string{bundle.CardTextName, bundle.CardName, bundle.SBOMName, bundle.ProvenanceName, bundle.LicenseName, bundle.NoticeName} {
		if content, ok := b.File(name); !ok {
			l.add(name, "it is missing")
		} else if len(content) == 0 {
			l.add(name, "it is empty")
		}
	}
	if b.Manifest().Vectors.N == 0 {
		l.add("vectors", "there are none: no runtime could check itself")
	}
}

// manifest asks for the fields that the format leaves optional.
func (l *linter) manifest(m bundle.Manifest) {
	want := func(ok bool, part, what string) {
		if !ok {
			l.add(part, "%s", what)
		}
	}
	want(len(m.Authors) > 0, "authors", "nobody is named")
	want(len(m.Licenses) > 0, "licenses", "none is named")
	want(len(m.Datasets) > 0, "datasets", "the training data is not named")
	for i, d := range m.Datasets {
		want(d.License != "", fmt.Sprintf("datasets[%d].license", i), fmt.Sprintf("not even \"not stated\" for %.64q", d.Name))
	}
	want(len(m.Schema.Features) > 0, "schema.features", "there are none")
	if m.Task == "classification" {
		want(len(m.Labels) > 1, "labels", "a classifier has at least two")
		want(len(m.Thresholds) > 0, "thresholds", "there is none to alert at")
	}
	techniques := slices.ContainsFunc(m.Labels, func(l bundle.Label) bool { return len(l.Attack) > 0 })
	want(!techniques || m.AttackVersion != "", "attack_version", "labels have techniques of no release")
	measured := func(bounds bool) bool {
		return slices.ContainsFunc(m.Metrics, func(x bundle.Metric) bool {
			return x.Split == "holdout" && x.Value != nil && x.N > 0 && (!bounds || x.Low != nil && x.High != nil)
		})
	}
	want(measured(false), "metrics", "none on hold-out rows")
	want(measured(true), "metrics", "none on hold-out rows has an interval")
	want(m.Explain.Method != "", "explain.method", "verdicts cannot be explained")
	want(len(m.KnownLimits) > 0, "known_limits", "every model has some")
	want(len(m.OutOfScope) > 0, "out_of_scope", "it is said nowhere what it is not for")
	want(m.Lineage.Recipe != "", "lineage.recipe", "it is missing")
	want(m.Lineage.Command != "", "lineage.command", "nobody can make it again")
	want(len(m.Lineage.DatasetSHA256) > 0, "lineage.dataset_sha256", "the training files are not named")
	want(m.Lineage.Toolchain != "", "lineage.toolchain", "it is missing")
	want(m.Lineage.Split.Holdout > 0, "lineage.split.holdout", "no row was held out")
}

// papers checks that what stands beside the manifest speaks of this bundle.
func (l *linter) papers(b *bundle.Bundle) {
	m := b.Manifest()
	if text, ok := b.File(bundle.CardName); ok {
		var c Card
		if err := json.Unmarshal(text, &c); err != nil {
			l.add(bundle.CardName, "it does not read: %.64v", err)
		} else if c.Schema != CardSchema || c.Details.Name != m.Name || c.Details.Version != m.Version || c.Details.ID != m.ID {
			l.add(bundle.CardName, "it is the card of another bundle: %.64q", c.Details.ID)
		}
	}
	listed := map[string]string{} // of the manifest: name to digest
	for _, f := range m.Files {
		listed[f.Name] = f.SHA256.String()
	}
	if text, ok := b.File(bundle.SBOMName); ok {
		var s sbom
		if err := json.Unmarshal(text, &s); err != nil {
			l.add(bundle.SBOMName, "it does not read: %.64v", err)
		} else if c := s.Metadata.Component; s.Format != "CycloneDX" || c.Name != m.Name || c.Version != m.Version || c.ModelCard == nil {
			l.add(bundle.SBOMName, "it is that of another bundle: %.64q %.64q", c.Name, c.Version)
		} else {
			has := map[string]string{}
			for _, c := range s.Components {
				if c.Type == "file" && len(c.Hashes) == 1 {
					has[c.Name] = c.Hashes[0].Content
				}
			}
			l.covers(bundle.SBOMName, listed, has, bundle.SBOMName, bundle.ProvenanceName)
		}
	}
	if text, ok := b.File(bundle.ProvenanceName); ok {
		var p provenance
		if err := json.Unmarshal(text, &p); err != nil {
			l.add(bundle.ProvenanceName, "it does not read: %.64v", err)
		} else if p.Type != statementType || p.PredicateType != slsaType || p.Predicate.Run.Metadata.Invocation != m.ID {
			l.add(bundle.ProvenanceName, "it is that of another bundle: %.64q", p.Predicate.Run.Metadata.Invocation)
		} else {
			has := map[string]string{}
			for _, s := range p.Subject {
				has[s.Name] = s.Digest["sha256"]
			}
			l.covers(bundle.ProvenanceName, listed, has, bundle.ProvenanceName)
			for i, sum := range m.Lineage.DatasetSHA256 {
				if d := p.Predicate.Build.Dependencies; i >= len(d) || d[i].Digest["sha256"] != hex.EncodeToString(sum[:]) {
					l.add(bundle.ProvenanceName, "training file %d is another", i+1)
				}
			}
		}
	}
}

// covers compares the entries that a paper lists with those that are there,
// but for those that it cannot list.
func (l *linter) covers(paper string, listed, has map[string]string, without ...string) {
	for name, sum := range listed {
		if slices.Contains(without, name) {
			delete(has, name)
			continue
		}
		if has[name] != sum {
			l.add(paper, "%q is another than the one it lists", name)
		}
		delete(has, name)
	}
	for name := range has {
		l.add(paper, "it lists %.64q, which is not there", name)
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int { // map order
		if a.Part == paper && b.Part == paper {
			return strings.Compare(a.What, b.What)
		}
		return 0
	})
}
