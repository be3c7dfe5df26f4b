package publish

import (
	"fmt"
	"strconv"

	"cloister/builder/internal/train"
	"cloister/shared/bundle"
	"cloister/shared/frame"
)

// CardSchema is the value of "schema" in card.json.
const CardSchema = "cloister-card-1"

// Card is card.json: the sections of the Hugging Face model card under the
// names of its annotated template, in snake case, and the CycloneDX 1.6
// modelCard. It says what CARD.md says, for programs.
type Card struct {
	Schema   string `json:"schema"`
	Details  detail `json:"model_details"`
	Uses     uses   `json:"uses"`
	Risks    []risk `json:"bias_risks_limitations"`
	Advice   string `json:"recommendations"`
	Start    string `json:"how_to_get_started"`
	Training struct {
		Data          []dataset        `json:"training_data"`
		Preprocessing string           `json:"preprocessing"`
		Procedure     string           `json:"procedure"`
		Split         map[string]int64 `json:"split_rows"`
		Seed          int64            `json:"seed"`
	} `json:"training_details"`
	Evaluation struct {
		Data    string   `json:"testing_data"`
		Factors []string `json:"factors"`
		Results []result `json:"results"`
	} `json:"evaluation"`
	Technical struct {
		Architecture string   `json:"model_architecture"`
		Parameters   int64    `json:"parameters"`
		Hardware     string   `json:"hardware"`
		Software     string   `json:"software"`
		Limits       []string `json:"limits"`
	} `json:"technical_specifications"`
	Explanations string    `json:"model_examination"`
	Citation     string    `json:"citation"`
	Contact      []string  `json:"model_card_contact"`
	ModelCard    modelCard `json:"modelCard"` // CycloneDX 1.6, as in sbom.cdx.json
}

type detail struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Created     string   `json:"created_at"`
	DevelopedBy []string `json:"developed_by"`
	Vendor      string   `json:"vendor,omitempty"`
	Type        string   `json:"model_type"`
	License     []string `json:"license"`
	Parent      string   `json:"finetuned_from,omitempty"`
	Homepage    string   `json:"homepage,omitempty"`
	Repository  string   `json:"repository,omitempty"`
	Attack      string   `json:"attack_version,omitempty"`
}

type uses struct {
	Direct     string   `json:"direct_use"`
	OutOfScope []string `json:"out_of_scope_use"`
}

type risk struct {
	Name       string `json:"name"`
	Mitigation string `json:"mitigationStrategy,omitempty"` // the name that CycloneDX gives it
}

type dataset struct {
	Name    string `json:"name"`
	License string `json:"license"`
	URL     string `json:"url,omitempty"`
	File    string `json:"file,omitempty"`
	Rows    int    `json:"rows,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
}

// result is one figure: HF's model-index with CycloneDX's slice and interval.
type result struct {
	Type  string   `json:"type"`
	Value *float64 `json:"value"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Slice string   `json:"slice,omitempty"`
	Split string   `json:"split"`
	Rows  int64    `json:"rows"`
}

// directUse, advice and the risks hold for every bundle that the builder
// makes.
const (
	directUse = "Ranking and naming the rows of an upload for an analyst who looks at the evidence beside each verdict: attributions, techniques, the row itself."
	advice    = "Look at a flagged row before acting on it; measure the false positives on traffic of your own that you know before trusting the threshold; compare with the slices per class, not with one figure for all."
)

func risks(m bundle.Manifest) []risk {
	out := []risk{
		{"A row is flagged that is harmless, and somebody pays for it.", "The alert threshold and what it cost on held-out rows are in the manifest; verdicts carry probability, severity and attributions."},
		{"An attack is missed because it looks like nothing in the training data.", "An anomaly percentile is given beside the class; rows below the abstention threshold get no verdict."},
	}
	for _, s := range m.KnownLimits {
		out = append(out, risk{Name: s})
	}
	return out
}

// howToStart returns the command that uses the bundle.
func howToStart(m bundle.Manifest) string {
	file := "telemetry.csv"
	switch m.Schema.Name {
	case frame.Flow.Name:
		file = "flows.csv"
	case frame.Alert.Name:
		file = "alerts.csv"
	}
	return fmt.Sprintf("cloister score --bundle %s.bundle %s --explain 10", m.Name, file)
}

// citation names the bundle as one would a publication.
func citation(m bundle.Manifest) string {
	c := ""
	for i, a := range m.Authors {
		if i > 0 {
			c += ", "
		}
		c += a
	}
	return fmt.Sprintf("%s (%.4s). %s %s: %s. %s", c, m.CreatedAt, m.Name, m.Version, m.Title, m.ID)
}

func software(m bundle.Manifest) string {
	return fmt.Sprintf("Trained with %s and cloister %s or later; scores in the same programs, natively and in a browser (WebAssembly).", m.Lineage.Toolchain, m.MinRuntime)
}

const (
	hardware      = "Any processor: training and scoring take one machine without an accelerator, and the result does not depend on the number of cores."
	preprocessing = "The fitted steps are in pre/*.json; a value that is missing stays missing unless a step says otherwise."
)

// newCard returns the card of a bundle; data are its training files.
func newCard(m bundle.Manifest, data []train.Input) *Card {
	c := &Card{
		Schema: CardSchema,
		Details: detail{
			ID: m.ID, Name: m.Name, Version: m.Version, Title: m.Title, Description: m.Description, Created: m.CreatedAt,
			DevelopedBy: m.Authors, Vendor: m.Vendor, Type: m.Config.Architecture, License: m.Licenses, Parent: m.Lineage.ParentID,
			Homepage: m.DocURL, Repository: m.SourceURL, Attack: m.AttackVersion,
		},
		Uses:         uses{directUse, m.OutOfScope},
		Risks:        risks(m),
		Advice:       advice,
		Start:        howToStart(m),
		Explanations: explanations(m),
		Citation:     citation(m),
		Contact:      m.Authors,
		ModelCard:    newModelCard(m),
	}
	if m.Vendor != "" {
		c.Contact = []string{m.Vendor}
	}
	for i, d := range m.Datasets {
		s := dataset{Name: d.Name, License: d.License, URL: d.URL}
		if i < len(data) && len(data) == len(m.Datasets) {
			s.File, s.Rows, s.SHA256 = data[i].Name, data[i].Rows, data[i].SHA256
		}
		c.Training.Data = append(c.Training.Data, s)
	}
	c.Training.Preprocessing = preprocessing
	c.Training.Procedure = m.Lineage.Command
	c.Training.Split, c.Training.Seed = splitRows(m), m.Lineage.SplitSeed
	c.Evaluation.Data = fmt.Sprintf("%d rows held out by the same split; they took no part in any choice.", m.Lineage.Split.Holdout)
	if m.Lineage.Split.Holdout == 0 { // imported
		c.Evaluation.Data = "Nothing was held out here: the limits say where figures are from, if there are any."
	}
	c.Evaluation.Factors = []string{"class"}
	c.Evaluation.Results = results(m)
	c.Technical.Architecture = m.Config.Architecture
	c.Technical.Parameters = m.Config.ParamCount
	c.Technical.Hardware, c.Technical.Software = hardware, software(m)
	c.Technical.Limits = m.KnownLimits
	return c
}

// splitRows names the rows of each part as the manifest does.
func splitRows(m bundle.Manifest) map[string]int64 {
	s := m.Lineage.Split
	return map[string]int64{"train": s.Train, "validation": s.Validation, "holdout": s.Holdout}
}

func explanations(m bundle.Manifest) string {
	if m.Explain.Method == "" {
		return "none"
	}
	return fmt.Sprintf("%s in units of %s, exact to %g", m.Explain.Method, m.Explain.Link, m.Explain.Tolerance)
}

// results lists the metrics and, as slices, the figures per class and
// threshold.
func results(m bundle.Manifest) []result {
	var out []result
	for _, x := range m.Metrics {
		out = append(out, result{x.Name, x.Value, x.Low, x.High, "", x.Split, x.N})
	}
	add := func(kind string, v *float64, slice, split string, rows int64) {
		if v != nil {
			out = append(out, result{Type: kind, Value: v, Slice: slice, Split: split, Rows: rows})
		}
	}
	for _, l := range m.Labels {
		add("precision", l.Precision, "class "+l.Name, "holdout", l.Support)
		add("recall", l.Recall, "class "+l.Name, "holdout", l.Support)
	}
	for _, t := range m.Thresholds {
		slice := "threshold " + t.Name + " " + number(t.Value)
		add("precision", t.Precision, slice, t.Split, t.N)
		add("recall", t.Recall, slice, t.Split, t.N)
		add("false positive rate", t.FPR, slice, t.Split, t.N)
	}
	return out
}

// number is the shortest text of v that reads back.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
