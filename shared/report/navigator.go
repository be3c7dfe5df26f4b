package report

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"cloister/shared/attack"
)

// Versions of what [Navigator] writes.
const (
	layerVersion     = "4.5"
	navigatorVersion = "5.1.0"
)

type layer struct {
	Name        string           `json:"name"`
	Versions    layerVersions    `json:"versions"`
	Domain      string           `json:"domain"`
	Description string           `json:"description"`
	Sorting     int              `json:"sorting"` // 3: highest score first
	Hide        bool             `json:"hideDisabled"`
	Techniques  []layerTechnique `json:"techniques"`
	Gradient    layerGradient    `json:"gradient"`
	Legend      []layerLegend    `json:"legendItems"`
	Metadata    []layerMetadata  `json:"metadata"`
}

type layerVersions struct {
	Attack    string `json:"attack"`
	Navigator string `json:"navigator"`
	Layer     string `json:"layer"`
}

type layerTechnique struct {
	ID       string          `json:"techniqueID"`
	Tactic   string          `json:"tactic"`
	Score    int             `json:"score"`
	Comment  string          `json:"comment"`
	Enabled  bool            `json:"enabled"`
	Metadata []layerMetadata `json:"metadata"`
}

type layerMetadata struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type layerGradient struct {
	Colors []string `json:"colors"`
	Min    int      `json:"minValue"`
	Max    int      `json:"maxValue"`
}

type layerLegend struct {
	Label string `json:"label"`
	Color string `json:"color"`
}

// shade runs from few to many findings: one hue that gets darker, so that it
// reads in grey.
var shade = []string{"#dbe9f6", "#08519c"}

// evidence is what the findings say of one technique for one tactic.
type evidence struct {
	id, tactic  string
	count       int
	hosts       map[string]bool
	confidences map[string]bool
	bases       map[string]bool
	classes     map[string]bool
}

// techniques counts the findings by technique and tactic, in matrix order.
// Withheld verdicts count for nothing.
func (s *Set) techniques() []*evidence {
	found := map[[2]string]*evidence{}
	var list []*evidence
	for f := range s.Findings {
		if f.Abstained {
			continue
		}
		for _, t := range f.Class.Attack {
			id, ok := attack.Current(t.ID)
			tactic, known := attack.TacticByID(t.Tactic)
			if !ok || !known {
				continue
			}
			key := [2]string{id, tactic.Shortname}
			e := found[key]
			if e == nil {
				e = &evidence{id, tactic.Shortname, 0, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
				found[key] = e
				list = append(list, e)
			}
			e.count++
			e.hosts[f.Source] = true
			e.confidences[t.Confidence], e.bases[t.Basis], e.classes[f.Class.Name] = true, true, true
		}
	}
	order := map[string]int{}
	for i, t := range attack.Tactics() {
		order[t.Shortname] = i
	}
	// by insertion, here and below: lists are short, and a generic sort for each
	// type adds 5 kB to every download
	for i := range list {
		for k := i; k > 0; k-- {
			a, b := list[k-1], list[k]
			if d := order[a.tactic] - order[b.tactic]; d < 0 || d == 0 && a.id <= b.id {
				break
			}
			list[k-1], list[k] = b, a
		}
	}
	return list
}

func words(set map[string]bool) string {
	list := make([]string, 0, len(set))
	for w := range set {
		if w != "" {
			list = append(list, w)
			for k := len(list) - 1; k > 0 && list[k] < list[k-1]; k-- {
				list[k-1], list[k] = list[k], list[k-1]
			}
		}
	}
	return strings.Join(list, ", ")
}

// Navigator returns a layer of the ATT&CK Navigator, format 4.5: a technique's
// score is its number of findings. Obsolete ids become their successors.
// Source: attack-navigator, layers/spec/v4.5.
func Navigator(s *Set) []byte {
	l := layer{
		Name:     "Cloister: " + strings.Join(s.Files, ", "),
		Versions: layerVersions{attack.Version(), navigatorVersion, layerVersion},
		Domain:   "enterprise-attack",
		Description: fmt.Sprintf("Findings of bundle %s %s at threshold %s. A score is the number of flagged rows whose class is evidence for the technique; it is no proof of it.",
			s.Bundle.Name, s.Bundle.Version, strconv.FormatFloat(s.Threshold, 'g', -1, 64)),
		Sorting: 3, Techniques: []layerTechnique{}, Gradient: layerGradient{shade, 0, 1},
		Legend:   []layerLegend{{"few findings", shade[0]}, {"many findings", shade[1]}},
		Metadata: []layerMetadata{{"bundle sha256", s.Bundle.SHA256}, {"made", s.Made.UTC().Format("2006-01-02T15:04:05Z")}},
	}
	for _, e := range s.techniques() {
		l.Gradient.Max = max(l.Gradient.Max, e.count)
		l.Techniques = append(l.Techniques, layerTechnique{
			ID: e.id, Tactic: e.tactic, Score: e.count, Enabled: true,
			Comment:  fmt.Sprintf("%d rows of class %s from %d addresses", e.count, words(e.classes), len(e.hosts)),
			Metadata: []layerMetadata{{"confidence", words(e.confidences)}, {"basis", words(e.bases)}},
		})
	}
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		panic(err) // unreachable: strings and integers
	}
	return append(b, '\n')
}
