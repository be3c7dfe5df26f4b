package publish_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/train"
	"cloister/shared/bundle"
)

// manifest returns one with everything that the papers tell.
func manifest() bundle.Manifest {
	sum := bundle.Digest{1, 2, 3}
	return bundle.Manifest{
		MinRuntime: "1.0.0", ID: "flows-1.2.3", Name: "flows", Version: "1.2.3", CreatedAt: "2026-01-02T03:04:05Z",
		Authors: []string{"A. <Analyst>", "B. Builder"}, Vendor: "Example", Title: "Flows", Description: "Scores flows & more.",
		DocURL: "https://example.org/doc", SourceURL: "https://example.org/src",
		Datasets: []bundle.Dataset{{Name: "rows", License: "CC-BY-4.0", URL: "https://example.org/rows"}, {Name: "more"}},
		Licenses: []string{"Apache-2.0"}, Task: "classification",
		Config:        bundle.Config{Architecture: "random-forest", Format: "tree-1", ParamCount: 7, Precision: "float64"},
		Schema:        bundle.Schema{Name: "flow", Features: []bundle.Feature{{Name: "duration", Dtype: "float64"}}},
		AttackVersion: "19.1",
		Labels: []bundle.Label{{Name: "Benign", Severity: "Informational", Benign: true, Precision: new(0.5), Support: 9},
			{Name: "Bot", Severity: "High", Attack: []bundle.Technique{{ID: "T1071.001", Tactic: "TA0011", Confidence: "medium", Basis: "inferred"}}}},
		Thresholds:  []bundle.Threshold{{Name: "alert", Value: 0.25, FPR: new(0.01), N: 9, Split: "validation"}},
		Metrics:     []bundle.Metric{{Name: "accuracy", Value: new(0.9), Low: new(0.8), High: new(0.95), Split: "holdout", N: 9}, {Name: "none", Split: "holdout"}},
		Explain:     bundle.Explain{Method: "tree-shap-path", Link: "probability", BaseValue: []float64{0.5, 0.5}, Tolerance: 1e-9},
		KnownLimits: []string{"Small."}, OutOfScope: []string{"Blocking."},
		Lineage: bundle.Lineage{Recipe: "flows", Command: "cloister train", SplitSeed: 42, Split: bundle.Split{Train: 14, Validation: 3, Holdout: 3},
			DatasetSHA256: []bundle.Digest{sum, {4}}, Toolchain: "go1.26.8", CodeCommit: "0123456789abcdef", BuilderID: "laptop"},
	}
}

var inputs = []train.Input{{Name: "rows.csv", SHA256: "0102", Rows: 20}, {Name: "more.csv", SHA256: "04", Rows: 1}}

// papers returns the entries of a bundle of m with papers.
func papers(t *testing.T, m bundle.Manifest) map[string][]byte {
	t.Helper()
	files := map[string][]byte{"model/forest.bin": {1, 2, 3}, "CARD.md": []byte("# Card\n")}
	if err := publish.AddPapers(m, files, inputs); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestAddPapers_reproduces(t *testing.T) {
	files := papers(t, manifest())
	if len(files) != 7 {
		t.Errorf("%d entries", len(files))
	}
	for range 20 { // map order must not matter
		for name, content := range papers(t, manifest()) {
			if !bytes.Equal(content, files[name]) {
				t.Fatalf("%s differs", name)
			}
		}
	}
	license, err := os.ReadFile("../../../LICENSE")
	if err != nil || !bytes.Equal(files["LICENSE"], license) {
		t.Errorf("LICENSE is not that of the project, %v", err)
	}
	m := manifest()
	m.Licenses = []string{"CC-BY-4.0"}
	if _, ok := papers(t, m)["LICENSE"]; ok {
		t.Error("a bundle under another licence has the text of ours")
	}
	for _, want := range []string{"CC-BY-4.0", "https://example.org/rows", "The MITRE Corporation", "no row"} {
		if !strings.Contains(string(files["NOTICE"]), want) {
			t.Errorf("NOTICE does not say %q", want)
		}
	}
}

// schema is the part of JSON Schema that CycloneDX uses.
type schema struct {
	root map[string]any
	used map[string]bool // definitions
	skip map[string]bool // documents that are not here
}

// check returns what is wrong with v.
func (s *schema) check(at string, rule map[string]any, v any) []string {
	var wrong []string
	fail := func(format string, args ...any) {
		wrong = append(wrong, at+": "+fmt.Sprintf(format, args...))
	}
	each := func(list any) (ok int, all []string) {
		for _, r := range list.([]any) {
			w := s.check(at, r.(map[string]any), v)
			if w == nil {
				ok++
			}
			all = append(all, w...)
		}
		return ok, all
	}
	for key, arg := range rule {
		switch key {
		case "$ref":
			ref := arg.(string)
			name, ok := strings.CutPrefix(ref, "#/definitions/")
			if !ok {
				s.skip[ref] = true
				continue
			}
			s.used[name] = true
			wrong = append(wrong, s.check(at, s.root["definitions"].(map[string]any)[name].(map[string]any), v)...)
		case "type":
			kind := map[bool]string{true: "integer", false: "number"}
			got := "null"
			switch x := v.(type) {
			case map[string]any:
				got = "object"
			case []any:
				got = "array"
			case string:
				got = "string"
			case bool:
				got = "boolean"
			case float64:
				got = kind[x == float64(int64(x))]
			}
			if got != arg && (got != "integer" || arg != "number") {
				fail("%s, want %s", got, arg)
			}
		case "required":
			if o, ok := v.(map[string]any); ok {
				for _, name := range arg.([]any) {
					if _, ok := o[name.(string)]; !ok {
						fail("%s is missing", name)
					}
				}
			}
		case "properties":
			if o, ok := v.(map[string]any); ok {
				for name, r := range arg.(map[string]any) {
					if x, ok := o[name]; ok {
						wrong = append(wrong, s.check(at+"."+name, r.(map[string]any), x)...)
					}
				}
			}
		case "additionalProperties":
			if o, ok := v.(map[string]any); ok && arg == false {
				known, _ := rule["properties"].(map[string]any)
				for name := range o {
					if _, ok := known[name]; !ok {
						fail("%s is not known", name)
					}
				}
			}
		case "items":
			if list, ok := v.([]any); ok {
				rules, perItem := arg.([]any)
				for i, x := range list {
					r, _ := arg.(map[string]any)
					if perItem {
						if i >= len(rules) {
							break
						}
						r = rules[i].(map[string]any)
					}
					wrong = append(wrong, s.check(fmt.Sprintf("%s[%d]", at, i), r, x)...)
				}
			}
		case "minItems", "maxItems":
			if list, ok := v.([]any); ok && (key == "minItems") == (float64(len(list)) < arg.(float64)) && float64(len(list)) != arg.(float64) {
				fail("%d items, %s %v", len(list), key, arg)
			}
		case "uniqueItems":
			seen := map[string]bool{}
			if list, ok := v.([]any); ok {
				for _, x := range list {
					b, _ := json.Marshal(x)
					if seen[string(b)] {
						fail("%s stands twice", b)
					}
					seen[string(b)] = true
				}
			}
		case "additionalItems":
			rules, _ := rule["items"].([]any)
			if list, ok := v.([]any); ok && arg == false && len(list) > len(rules) {
				fail("%d items, want at most %d", len(list), len(rules))
			}
		case "enum":
			if !slices.Contains(arg.([]any), v) {
				fail("%v is none of %v", v, arg)
			}
		case "const":
			if v != arg {
				fail("%v, want %v", v, arg)
			}
		case "pattern":
			if text, ok := v.(string); ok && !matches(arg.(string), text) {
				fail("%q does not match %s", text, arg)
			}
		case "minLength":
			if text, ok := v.(string); ok && float64(len(text)) < arg.(float64) {
				fail("%q is too short", text)
			}
		case "maxLength":
			if text, ok := v.(string); ok && float64(len(text)) > arg.(float64) {
				fail("%q is too long", text)
			}
		case "minimum", "maximum":
			if n, ok := v.(float64); ok && n != arg.(float64) && (key == "minimum") == (n < arg.(float64)) {
				fail("%v, %s %v", n, key, arg)
			}
		case "oneOf":
			if ok, all := each(arg); ok != 1 {
				fail("%d of %d alternatives: %s", ok, len(arg.([]any)), strings.Join(all, "; "))
			}
		case "anyOf":
			if ok, all := each(arg); ok == 0 {
				fail("no alternative: %s", strings.Join(all, "; "))
			}
		case "format", "$schema", "$id", "definitions":
		default:
			fail("the schema's %s is not checked here", key)
		}
	}
	return wrong
}

func newSchema(t *testing.T) *schema {
	t.Helper()
	text, err := os.ReadFile("testdata/cyclonedx/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s := &schema{used: map[string]bool{}, skip: map[string]bool{}}
	if err := json.Unmarshal(text, &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The list of parts is CycloneDX 1.6 by the schema of its authors.
func TestAddPapers_sbomIsCycloneDX(t *testing.T) {
	s := newSchema(t)
	two := manifest()
	two.Licenses = []string{"Apache-2.0", "MIT OR BSD-3-Clause"}
	trained, err := bundle.Decode(encode(t, trained(t)), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	real, ok := trained.File(bundle.SBOMName)
	if !ok {
		t.Fatal("the bundle that was trained has no list of parts")
	}
	for name, text := range map[string][]byte{"sample": papers(t, manifest())[bundle.SBOMName], "two licences": papers(t, two)[bundle.SBOMName], "trained": real} {
		for _, wrong := range s.check(name, s.root, parse(t, text)) {
			t.Error(wrong)
		}
	}
	for _, name := range []string{"modelCard", "component", "performanceMetric", "licenseChoice", "hash", "dependency"} {
		if !s.used[name] {
			t.Errorf("definition %s was not used: %v", name, s.used)
		}
	}
	for name := range s.skip {
		t.Errorf("%s would have been needed", name)
	}
	card := parse(t, papers(t, manifest())[bundle.CardName])
	definition := s.root["definitions"].(map[string]any)["modelCard"].(map[string]any)
	for _, wrong := range s.check("card.json", definition, card["modelCard"]) {
		t.Error(wrong)
	}

	// The checker itself finds what is wrong.
	for what, change := range map[string]func(map[string]any){
		"no format":       func(v map[string]any) { delete(v, "bomFormat") },
		"another serial":  func(v map[string]any) { v["serialNumber"] = "urn:uuid:1" },
		"unknown field":   func(v map[string]any) { v["bundle"] = "x" },
		"version of text": func(v map[string]any) { v["version"] = "1" },
		"version 0":       func(v map[string]any) { v["version"] = 0.0 },
		"another type": func(v map[string]any) {
			v["metadata"].(map[string]any)["component"].(map[string]any)["type"] = "model"
		},
		"twice": func(v map[string]any) { c := v["components"].([]any); v["components"] = append(c, c[0]) },
		"both licences": func(v map[string]any) {
			v["metadata"].(map[string]any)["component"].(map[string]any)["licenses"] = []any{map[string]any{"expression": "MIT", "license": map[string]any{"name": "x"}}}
		},
	} {
		v := parse(t, papers(t, manifest())[bundle.SBOMName])
		change(v)
		if s.check("", s.root, v) == nil {
			t.Errorf("%s: passes", what)
		}
	}
}

func TestAddPapers_provenanceListsEverything(t *testing.T) {
	files := papers(t, manifest())
	v := parse(t, files[bundle.ProvenanceName])
	if v["_type"] != "https://in-toto.io/Statement/v1" || v["predicateType"] != "https://slsa.dev/provenance/v1" {
		t.Errorf("%v, %v", v["_type"], v["predicateType"])
	}
	var names []string
	for _, s := range v["subject"].([]any) {
		names = append(names, s.(map[string]any)["name"].(string))
	}
	if want := []string{"CARD.md", "LICENSE", "NOTICE", "card.json", "model/forest.bin", "sbom.cdx.json"}; !slices.Equal(names, want) {
		t.Errorf("subjects %q, want %q", names, want)
	}
	build := v["predicate"].(map[string]any)["buildDefinition"].(map[string]any)
	depends := build["resolvedDependencies"].([]any)
	if len(depends) != 3 || depends[0].(map[string]any)["name"] != "rows.csv" || build["externalParameters"].(map[string]any)["seed"] != 42.0 {
		t.Errorf("%v", build)
	}
}

func TestAddPapers_cardSaysWhatTheManifestSays(t *testing.T) {
	v := parse(t, papers(t, manifest())[bundle.CardName])
	for _, section := range []string{"model_details", "uses", "bias_risks_limitations", "recommendations", "how_to_get_started", "training_details",
		"evaluation", "technical_specifications", "model_examination", "citation", "model_card_contact", "modelCard"} {
		if v[section] == nil {
			t.Errorf("no section %s", section)
		}
	}
	results := v["evaluation"].(map[string]any)["results"].([]any)
	if len(results) != 4 { // two metrics, precision of Benign, false positives of the threshold
		t.Errorf("%d results: %v", len(results), results)
	}
	first := results[0].(map[string]any)
	if first["type"] != "accuracy" || first["value"] != 0.9 || first["low"] != 0.8 || first["rows"] != 9.0 {
		t.Errorf("%v", first)
	}
	data := v["training_details"].(map[string]any)["training_data"].([]any)[0].(map[string]any)
	if data["file"] != "rows.csv" || data["license"] != "CC-BY-4.0" || data["rows"] != 20.0 {
		t.Errorf("%v", data)
	}
	if c := v["citation"].(string); !strings.Contains(c, "A. <Analyst>, B. Builder (2026)") {
		t.Errorf("citation %q", c)
	}
}
