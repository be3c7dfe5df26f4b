package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloister/shared/bundle"
	"cloister/shared/score"
)

// The part of CycloneDX 1.6 that a bundle needs. testdata/cyclonedx holds the
// schema that the tests check it against.
type (
	sbom struct {
		Format     string         `json:"bomFormat"`
		Spec       string         `json:"specVersion"`
		Serial     string         `json:"serialNumber"`
		Version    int            `json:"version"`
		Metadata   sbomMetadata   `json:"metadata"`
		Components []component    `json:"components"`
		Depends    []dependencies `json:"dependencies"`
	}
	sbomMetadata struct {
		Timestamp string `json:"timestamp"`
		Tools     struct {
			Components []component `json:"components"`
		} `json:"tools"`
		Authors   []contact `json:"authors,omitempty"`
		Component component `json:"component"`
	}
	component struct {
		Type        string          `json:"type"`
		Ref         string          `json:"bom-ref,omitempty"`
		Authors     []contact       `json:"authors,omitempty"`
		Name        string          `json:"name"`
		Version     string          `json:"version,omitempty"`
		Description string          `json:"description,omitempty"`
		Hashes      []hash          `json:"hashes,omitempty"`
		Licenses    []licenseChoice `json:"licenses,omitempty"`
		External    []external      `json:"externalReferences,omitempty"`
		ModelCard   *modelCard      `json:"modelCard,omitempty"`
		Data        []componentData `json:"data,omitempty"`
	}
	contact struct {
		Name string `json:"name"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licenseChoice struct {
		Expression string       `json:"expression,omitempty"`
		License    *licenseName `json:"license,omitempty"`
	}
	licenseName struct {
		Name string `json:"name"`
	}
	external struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	componentData struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	dependencies struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
	modelCard struct {
		Parameters struct {
			Approach struct {
				Type string `json:"type"`
			} `json:"approach"`
			Task         string           `json:"task"`
			Family       string           `json:"architectureFamily"`
			Architecture string           `json:"modelArchitecture"`
			Datasets     []datasetRef     `json:"datasets,omitempty"`
			Inputs       []parameterShape `json:"inputs"`
			Outputs      []parameterShape `json:"outputs"`
		} `json:"modelParameters"`
		Analysis struct {
			Metrics []performanceMetric `json:"performanceMetrics"`
		} `json:"quantitativeAnalysis"`
		Considerations struct {
			Users     []string `json:"users"`
			UseCases  []string `json:"useCases"`
			Limits    []string `json:"technicalLimitations,omitempty"`
			Tradeoffs []string `json:"performanceTradeoffs"`
			Ethical   []risk   `json:"ethicalConsiderations"`
		} `json:"considerations"`
	}
	datasetRef struct {
		Ref string `json:"ref"`
	}
	parameterShape struct {
		Format string `json:"format"`
	}
	performanceMetric struct {
		Type     string    `json:"type"`
		Value    string    `json:"value"`
		Slice    string    `json:"slice,omitempty"`
		Interval *interval `json:"confidenceInterval,omitempty"`
	}
	interval struct {
		Lower string `json:"lowerBound,omitempty"`
		Upper string `json:"upperBound,omitempty"`
	}
)

// modelRef is the reference of the model within its SBOM.
const modelRef = "model"

func dataRef(i int) string { return fmt.Sprintf("data-%d", i+1) }

// newSBOM returns the ML-BOM of a bundle: the model with its card, the data
// that it learnt from and the entries in files.
func newSBOM(m bundle.Manifest, files map[string][]byte) *sbom {
	b := &sbom{Format: "CycloneDX", Spec: "1.6", Version: 1}
	card := newModelCard(m)
	b.Metadata.Timestamp = m.CreatedAt
	b.Metadata.Tools.Components = []component{{Type: "application", Name: "cloister", Version: score.Version}}
	for _, a := range m.Authors {
		b.Metadata.Authors = append(b.Metadata.Authors, contact{a})
	}
	b.Metadata.Component = component{
		Type: "machine-learning-model", Ref: modelRef, Authors: b.Metadata.Authors, Name: m.Name, Version: m.Version,
		Description: m.Description, Licenses: licences(m.Licenses), ModelCard: &card,
	}
	for _, link := range []external{{"documentation", m.DocURL}, {"vcs", m.SourceURL}} {
		if link.URL != "" {
			b.Metadata.Component.External = append(b.Metadata.Component.External, link)
		}
	}
	depends := dependencies{Ref: modelRef}
	for i, d := range m.Datasets {
		c := component{Type: "data", Ref: dataRef(i), Name: d.Name, Data: []componentData{{"dataset", d.Name}}}
		if d.License != "" {
			c.Licenses = []licenseChoice{{License: &licenseName{d.License}}}
		}
		if d.URL != "" {
			c.External = []external{{"website", d.URL}}
		}
		if len(m.Datasets) == len(m.Lineage.DatasetSHA256) && m.Lineage.DatasetSHA256[i] != (bundle.Digest{}) {
			c.Hashes = []hash{{"SHA-256", m.Lineage.DatasetSHA256[i].String()}}
		}
		b.Components = append(b.Components, c)
		depends.DependsOn = append(depends.DependsOn, c.Ref)
	}
	all := sha256.New()
	fmt.Fprintln(all, m.ID)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		b.Components = append(b.Components, component{Type: "file", Ref: name, Name: name, Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}}})
		depends.DependsOn = append(depends.DependsOn, name)
		fmt.Fprintf(all, "%x %s\n", sum, name)
	}
	b.Depends = []dependencies{depends}
	// A UUID of version 8 (RFC 9562, section 5.8) made of the content: the
	// same bundle keeps its serial number.
	id := all.Sum(nil)[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	b.Serial = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	return b
}

// licences returns the expressions of a bundle as the one that CycloneDX
// allows.
func licences(list []string) []licenseChoice {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return []licenseChoice{{Expression: list[0]}}
	}
	return []licenseChoice{{Expression: "(" + strings.Join(list, ") AND (") + ")"}}
}

// newModelCard returns the CycloneDX card of a bundle.
func newModelCard(m bundle.Manifest) modelCard {
	var c modelCard
	p := &c.Parameters
	p.Approach.Type = "supervised"
	if len(m.Labels) == 0 {
		p.Approach.Type = "unsupervised"
	}
	p.Task, p.Family, p.Architecture = m.Task, m.Config.Architecture, m.Config.Format
	for i := range m.Datasets {
		p.Datasets = append(p.Datasets, datasetRef{dataRef(i)})
	}
	p.Inputs = []parameterShape{{fmt.Sprintf("row of %d features, schema %s", len(m.Schema.Features), m.Schema.Name)}}
	p.Outputs = []parameterShape{{fmt.Sprintf("%d class probabilities, anomaly percentile, attributions", len(m.Labels))}}
	c.Analysis.Metrics = []performanceMetric{}
	for _, r := range results(m) {
		if r.Value == nil {
			continue
		}
		x := performanceMetric{Type: r.Type, Value: number(*r.Value), Slice: r.Split}
		if r.Slice != "" {
			x.Slice += ", " + r.Slice
		}
		if r.Low != nil && r.High != nil {
			x.Interval = &interval{number(*r.Low), number(*r.High)}
		}
		c.Analysis.Metrics = append(c.Analysis.Metrics, x)
	}
	d := &c.Considerations
	d.Users = []string{"security analysts", "operators of networks"}
	d.UseCases = []string{directUse}
	d.Limits = m.KnownLimits
	d.Tradeoffs = []string{"The alert threshold trades missed attacks against false alarms; both are stated at the value in the manifest."}
	d.Ethical = risks(m)[:2]
	return c
}
