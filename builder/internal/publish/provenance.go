package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"cloister/builder/internal/train"
	"cloister/shared/bundle"
	"cloister/shared/score"
)

// Names of SLSA and in-toto, and ours. A build type is a URI that nobody has
// to resolve (SLSA 1.0, provenance, buildType).
const (
	statementType = "https://in-toto.io/Statement/v1"
	slsaType      = "https://slsa.dev/provenance/v1"
	buildType     = "urn:cloister:train:1"
	builderURI    = "urn:cloister:builder"
)

type (
	provenance struct {
		Type          string     `json:"_type"`
		Subject       []resource `json:"subject"`
		PredicateType string     `json:"predicateType"`
		Predicate     struct {
			Build struct {
				Type         string         `json:"buildType"`
				External     map[string]any `json:"externalParameters"`
				Internal     map[string]any `json:"internalParameters,omitempty"`
				Dependencies []resource     `json:"resolvedDependencies"`
			} `json:"buildDefinition"`
			Run struct {
				Builder struct {
					ID      string            `json:"id"`
					Version map[string]string `json:"version"`
				} `json:"builder"`
				Metadata struct {
					Invocation string `json:"invocationId"`
				} `json:"metadata"`
			} `json:"runDetails"`
		} `json:"predicate"`
	}
	// resource is an in-toto ResourceDescriptor.
	resource struct {
		Name        string            `json:"name,omitempty"`
		URI         string            `json:"uri,omitempty"`
		Digest      map[string]string `json:"digest,omitempty"`
		Annotations map[string]any    `json:"annotations,omitempty"`
	}
)

// newProvenance returns the SLSA 1.0 provenance of the entries in files. It
// holds no times and no machine: a build that is repeated says the same.
func newProvenance(m bundle.Manifest, files map[string][]byte, data []train.Input) *provenance {
	p := &provenance{Type: statementType, PredicateType: slsaType}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		p.Subject = append(p.Subject, resource{Name: name, Digest: map[string]string{"sha256": hex.EncodeToString(sum[:])}})
	}
	b := &p.Predicate.Build
	b.Type = buildType
	l := m.Lineage
	b.External = map[string]any{ // encoding/json sorts the keys
		"recipe": l.Recipe, "command": l.Command, "seed": l.SplitSeed, "version": m.Version, "created_at": m.CreatedAt,
		"split_rows": splitRows(m),
	}
	b.Dependencies = []resource{}
	for i, sum := range l.DatasetSHA256 {
		r := resource{Digest: map[string]string{"sha256": sum.String()}}
		if i < len(data) {
			r.Name, r.Annotations = data[i].Name, map[string]any{"rows": data[i].Rows}
		}
		b.Dependencies = append(b.Dependencies, r)
	}
	if l.CodeCommit != "" {
		b.Dependencies = append(b.Dependencies, resource{Name: "source", Digest: map[string]string{"gitCommit": l.CodeCommit}})
	}
	run := &p.Predicate.Run
	run.Builder.ID = builderURI
	if l.BuilderID != "" {
		run.Builder.ID = builderURI + ":" + l.BuilderID
	}
	run.Builder.Version = map[string]string{"cloister": score.Version, "go": l.Toolchain}
	run.Metadata.Invocation = m.ID
	return p
}
