package bundle_test

import (
	"crypto/sha256"
	"testing"

	"cloister/shared/bundle"
)

// small returns the smallest manifest that is worth anything and its files;
// every list of it has at most one element. Encoded it is about 2 kB, which
// keeps the test kit small. It is of format 1.0, which holds most of the kit:
// what was released once stays readable.
func small() (bundle.Manifest, map[string][]byte) {
	return bundle.Manifest{
			Format:     bundle.Format{Name: bundle.Name, Major: 1},
			MinRuntime: "1.0.0",
			ID:         "flows/1.2.3",
			Name:       "flows",
			Version:    "1.2.3",
			CreatedAt:  "2026-01-02T03:04:05Z",
			Title:      "Flows",
			Description: "Scores <flows> & \"packets\".\n\tSecond line \\ é 日.\u2028" +
				"Third.",
			Licenses: []string{"Apache-2.0"},
			Config:   bundle.Config{Architecture: "random-forest", Format: "tree-1", ParamCount: 7, Precision: "float64"},
			Task:     "classification",
			Schema: bundle.Schema{Name: "flow", Features: []bundle.Feature{{
				Name: "duration", Aliases: []string{"Flow Duration"}, Dtype: "float64", Unit: "s",
				Min: new(0.0), Q01: new(1e-7), Q50: new(0.5), Q99: new(1e21), Missing: "nan",
			}}},
			Labels: []bundle.Label{{
				Name: "Bot", Severity: "High",
				Attack: []bundle.Technique{{ID: "T1071.001", Tactic: "TA0011", Confidence: "medium", Basis: "inferred"}},
				Unseen: []string{"T1113"}, Precision: new(0.875), Support: 3,
			}},
			AttackVersion: "19.1",
			Thresholds:    []bundle.Threshold{{Name: "alert", Value: 0.25, Recall: new(1.0), N: 9, Split: "validation"}},
			Metrics:       []bundle.Metric{{Name: "accuracy", Value: new(0.9), Low: new(0.8), Split: "holdout", N: 9}},
			Explain:       bundle.Explain{Method: "tree-shap-path", Link: "probability", BaseValue: []float64{-0.5}, Tolerance: 1e-9},
			Vectors:       bundle.Vectors{File: "vectors/flows.jsonl", N: 1, RelTol: 1e-6},
			Lineage: bundle.Lineage{Recipe: "flows", SplitSeed: 42, Split: bundle.Split{Train: 14, Validation: 3, Holdout: 3},
				DatasetSHA256: []bundle.Digest{sha256.Sum256([]byte("rows"))}, Toolchain: "go1.26.8"},
			KnownLimits: []string{"Small."},
		}, map[string][]byte{
			"model/forest.bin":    {1, 2, 3, 0, 255},
			"vectors/flows.jsonl": []byte("{\"x\":[0.5],\"y\":[0.25]}\n"),
		}
}

// full returns a manifest with every field set to a value of its own, and an
// entry of every kind, in the newest format.
func full() (bundle.Manifest, map[string][]byte) {
	m, files := full10()
	m.Format = bundle.Format{}
	files["sbom.cdx.json"] = []byte("{}\n")
	files["provenance.intoto.json"] = []byte("[]\n")
	return m, files
}

// full10 is full in format 1.0.
func full10() (bundle.Manifest, map[string][]byte) {
	m, files := small()
	m.Authors = []string{"A. Analyst", "B. Builder"}
	m.Vendor = "Example"
	m.DocURL = "https://example.org/doc?a=1&b=%20#top"
	m.SourceURL = "http://[2001:db8::1]:80/"
	m.Datasets = []bundle.Dataset{{Name: "rows", License: "CC-BY-4.0", URL: "https://example.org/rows"}, {Name: "more"}}
	m.Licenses = []string{"Apache-2.0", "(MIT OR BSD-3-Clause) AND GPL-2.0+"}
	m.Config.Quantization = "rank16"
	m.Schema.Features[0].Max = new(1e22)
	m.Schema.Features[0].Transform = "log1p"
	m.Schema.Features[0].Help = "How long."
	m.Schema.Features = append(m.Schema.Features, bundle.Feature{Name: "bytes", Aliases: []string{"a", "b"}, Dtype: "int64"})
	m.Labels[0].Recall = new(0.25)
	m.Labels = append(m.Labels, bundle.Label{Name: "Benign", Severity: "Informational", Benign: true})
	m.Thresholds[0].Precision, m.Thresholds[0].FPR = new(0.75), new(0.01)
	m.Thresholds = append(m.Thresholds, bundle.Threshold{Name: "abstain", Value: -1.5e-9, Split: "train"})
	m.Metrics[0].High = new(0.95)
	m.Metrics = append(m.Metrics, bundle.Metric{Name: "accuracy", Split: "validation"})
	m.Explain.BaseValue = []float64{0, 0.1}
	m.Explain.BackgroundN = 2
	m.Vectors.AbsTol = 1e-12
	m.Lineage.ParentID = "flows/1.2.2"
	m.Lineage.Command = "train --recipe flows rows.csv"
	m.Lineage.CodeCommit = "0123456789abcdef"
	m.Lineage.BuilderID = "laptop"
	m.Lineage.DatasetSHA256 = append(m.Lineage.DatasetSHA256, sha256.Sum256([]byte("more")))
	m.KnownLimits = append(m.KnownLimits, "Slow.")
	m.OutOfScope = []string{"Blocking traffic on its own."}
	for name, content := range map[string]string{
		"model/calibration.bin": "cal", "pre/tfidf.json": "{}", "attack/labels.json": "[]",
		"explain/background.bin": "bg", "CARD.md": "# C\n", "card.json": "{}\n",
		"LICENSE": "licence", "NOTICE": "", "model.sig": "{\"sig\":1}",
	} {
		files[name] = []byte(content)
	}
	return m, files
}

// encode encodes under the default limits.
func encode(t testing.TB, m bundle.Manifest, files map[string][]byte) []byte {
	t.Helper()
	b, err := bundle.Encode(m, files, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contents returns the arguments that Encode made b from.
func contents(b *bundle.Bundle) (bundle.Manifest, map[string][]byte) {
	files := map[string][]byte{}
	for _, name := range b.Names() {
		if name != bundle.ManifestName {
			files[name], _ = b.File(name)
		}
	}
	return b.Manifest(), files
}
