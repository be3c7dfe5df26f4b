package telemetry

import (
	"bytes"
	_ "embed" // the rules are data, read by people as they stand
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Scenario is a rule over the features of one window. It fires when every
// condition of All holds and, if Any is not empty, at least one of Any.
// Conditions count once each. A condition on a missing feature does not hold.
type Scenario struct {
	Name       string      `json:"name"`
	Title      string      `json:"title"`
	Techniques []string    `json:"techniques"` // ATT&CK ids
	Severity   string      `json:"severity"`
	All        []Condition `json:"all"`
	Any        []Condition `json:"any,omitempty"`
	// Lookalike says what harmless work comes close, and what keeps it apart.
	Lookalike string `json:"lookalike"`
}

// Condition holds a feature against a value.
type Condition struct {
	Type    string  `json:"type"` // "at_least", "at_most"
	Feature string  `json:"feature"`
	Value   float64 `json:"value"`
	Why     string  `json:"why"` // what it stands for, for people
}

// Rules are scenarios that can be asked. They are immutable and safe for
// concurrent use.
type Rules struct {
	scenarios []Scenario
	at        [][]int // of the features of All then Any, in the dictionary
}

//go:embed scenarios.json
var scenarioFile []byte

// DefaultRules returns the six scenarios for features: ehr_device,
// pharma_tampering, supply_chain, cryptominer, exfiltration, ransomware.
func DefaultRules(features []Feature) (*Rules, error) { return ParseRules(scenarioFile, features) }

// ParseRules reads a JSON list of scenarios for the given dictionary. An
// unknown field, condition type or feature, a value that is not finite, a
// scenario without All, and a repeated or empty name are errors.
func ParseRules(b []byte, features []Feature) (*Rules, error) {
	var r Rules
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r.scenarios); err != nil {
		return nil, fmt.Errorf("telemetry: scenarios: byte %d: %w", d.InputOffset(), err)
	}
	index := make(map[string]int, len(features))
	for i, f := range features {
		index[f.Name] = i
	}
	seen := map[string]bool{}
	for _, s := range r.scenarios {
		if s.Name == "" || seen[s.Name] || len(s.All) == 0 {
			return nil, fmt.Errorf("telemetry: scenario %.64q: empty or repeated name, or no mandatory condition", s.Name)
		}
		seen[s.Name] = true
		var at []int
		for _, c := range slices.Concat(s.All, s.Any) {
			if c.Type != "at_least" && c.Type != "at_most" {
				return nil, fmt.Errorf("telemetry: scenario %s: unknown condition type %.64q", s.Name, c.Type)
			}
			i, ok := index[c.Feature]
			if !ok {
				return nil, fmt.Errorf("telemetry: scenario %s: unknown feature %.64q", s.Name, c.Feature)
			}
			if math.IsNaN(c.Value) || math.IsInf(c.Value, 0) {
				return nil, fmt.Errorf("telemetry: scenario %s: feature %s: value %v", s.Name, c.Feature, c.Value)
			}
			at = append(at, i)
		}
		r.at = append(r.at, at)
	}
	return &r, nil
}

// Scenarios returns the scenarios. The slice must not be changed.
func (r *Rules) Scenarios() []Scenario { return r.scenarios }

// holds reports whether v meets the condition.
func (c *Condition) holds(v float64) bool {
	if c.Type == "at_most" {
		return v <= c.Value
	}
	return v >= c.Value
}

// Check returns for each condition of scenario s, All then Any, whether it
// holds on x, and whether the scenario fires.
func (r *Rules) Check(s int, x []float64) (conditions []bool, fires bool) {
	sc := &r.scenarios[s]
	fires = true
	some := len(sc.Any) == 0
	for i, at := range r.at[s] {
		var ok bool
		if i < len(sc.All) {
			ok = sc.All[i].holds(x[at])
			fires = fires && ok
		} else {
			ok = sc.Any[i-len(sc.All)].holds(x[at])
			some = some || ok
		}
		conditions = append(conditions, ok)
	}
	return conditions, fires && some
}

// Fired returns the indices of the scenarios that fire on x, a row of features
// in the order of the dictionary.
func (r *Rules) Fired(x []float64) []int {
	var out []int
	for s := range r.scenarios {
		if r.fires(s, x) {
			out = append(out, s)
		}
	}
	return out
}

// fires is Check without the list.
func (r *Rules) fires(s int, x []float64) bool {
	sc := &r.scenarios[s]
	some := len(sc.Any) == 0
	for i, at := range r.at[s] {
		if i < len(sc.All) {
			if !sc.All[i].holds(x[at]) {
				return false
			}
		} else {
			some = some || sc.Any[i-len(sc.All)].holds(x[at])
		}
	}
	return some
}
