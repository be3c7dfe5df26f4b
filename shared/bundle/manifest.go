package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Manifest is manifest.json: what a bundle is, what it takes, what it answers,
// how well it did and what it was made from. SPEC.md gives the rule of each
// field. A pointer that is nil is a figure that was not computed, null in
// JSON. Rates and confidences are in [0, 1]; texts are UTF-8 without control
// characters.
type Manifest struct {
	Format      Format    // filled by Encode if zero
	MinRuntime  string    // oldest release of the programs that scores the bundle right, a semantic version
	ID          string    // names this training result; reproducible, not random
	Name        string    // of the line of bundles: "flows"
	Version     string    // semantic version of this bundle
	CreatedAt   string    // RFC 3339 in UTC to the second; an input, so that builds reproduce
	Authors     []string  // people or teams
	Vendor      string    // who answers for it
	Title       string    // one line for people
	Description string    // what it does, for people
	DocURL      string    // http or https, or empty
	SourceURL   string    // http or https, or empty
	Datasets    []Dataset // what it was trained on
	Licenses    []string  // SPDX expressions of the bundle itself
	Config      Config
	Task        string // "classification", "anomaly"
	Schema      Schema
	Labels      []Label // answers in the order of the scores; empty if the model only ranks
	// AttackVersion is the ATT&CK release of all technique ids: "19.1".
	AttackVersion string
	Thresholds    []Threshold
	Metrics       []Metric
	Explain       Explain
	Vectors       Vectors
	Files         []File // every entry but manifest.json and model.sig; filled by Encode
	Lineage       Lineage
	KnownLimits   []string // one sentence each
	OutOfScope    []string // uses that it was not made for, one sentence each
}

// Format names a container format and its version.
type Format struct {
	Name  string
	Major int // another major version is another format
	Minor int // a higher minor version has more fields
}

// supported returns an UnsupportedError unless this package reads f.
func (f Format) supported() error {
	if f.Name == Name && f.Major == Major && f.Minor >= 0 && f.Minor <= Minor {
		return nil
	}
	return &UnsupportedError{fmt.Sprintf("format %s %d.%d, this program reads %q up to %d.%d",
		quote(f.Name), f.Major, f.Minor, Name, Major, Minor)}
}

// Dataset is training data.
type Dataset struct {
	Name    string
	License string // SPDX expression, or the words of a licence without one
	URL     string
}

// ExtraTrees is the architecture of a forest whose thresholds were drawn at
// random; its trees do not tell.
const ExtraTrees = "extra-trees"

// Config describes the model in a few words.
type Config struct {
	Architecture string // "random-forest", [ExtraTrees]
	Format       string // of model/*.bin: "tree-1"
	ParamCount   int64  // nodes of trees, weights of networks
	Precision    string // "float64", "rank16"
	Quantization string // or empty
}

// Schema is what the model takes: one row is one value per feature, in order.
type Schema struct {
	Name     string
	Features []Feature
	// SHA256 changes when another bundle needs other rows: when a name, dtype,
	// unit, missing or transform differs. Filled by Encode.
	SHA256 Digest
}

// Feature is one column. Min, Max and the quantiles are those of the training
// rows before the transform, in Unit.
type Feature struct {
	Name    string
	Aliases []string // other names in files; no two features share one
	Dtype   string   // "float64", "int64", "category"
	Unit    string   // "s", "bytes", or empty
	Min     *float64
	Max     *float64
	Q01     *float64
	Q50     *float64
	Q99     *float64
	Missing string // what a missing value becomes: "nan", "median"
	// Transform is applied before the model: "log1p", or empty.
	Transform string
	Help      string // one sentence for people
}

// Label is one answer of a classifier.
type Label struct {
	Name      string
	Severity  string // "Informational", "Low", "Medium", "High", "Critical"
	Benign    bool   // a benign label has no techniques
	Attack    []Technique
	Unseen    []string // techniques of the label that the input cannot show
	Precision *float64 // on hold-out rows
	Recall    *float64
	Support   int64 // hold-out rows
}

// Technique is an ATT&CK technique that a label is evidence for.
type Technique struct {
	ID         string // "T1110.001"
	Tactic     string // "TA0006"
	Confidence string // "high", "medium", "low"
	Basis      string // "published", "analytic", "inferred"
}

// Threshold is a cut of a score, reached when score >= Value, and what it
// gave on N rows of Split.
type Threshold struct {
	Name      string // unique: "alert", "abstain"
	Value     float64
	Precision *float64
	Recall    *float64
	FPR       *float64 // false positives per negative row
	N         int64
	Split     string // "train", "validation", "holdout"
}

// Metric is one figure measured on N rows of Split, unique by Name and Split,
// with its interval.
type Metric struct {
	Name  string
	Value *float64
	Low   *float64
	High  *float64
	Split string // "train", "validation", "holdout"
	N     int64
}

// Explain says how attributions are computed.
type Explain struct {
	Method           string    // "tree-shap-path", "tree-shap-interventional", or empty
	Link             string    // unit of the attributions: "probability", "log-odds"
	BaseValue        []float64 // expected score per output
	BackgroundN      int64     // rows of explain/background.bin, 0 if it is absent
	BackgroundSHA256 Digest    // of explain/background.bin; filled by Encode
	Tolerance        float64   // largest |base + sum of attributions - score|
}

// Vectors are inputs with expected outputs that every runtime replays when it
// loads the bundle. An output passes if
//
//	|got - want| <= AbsTol + RelTol*|want|
type Vectors struct {
	File   string // entry under vectors/, or empty
	N      int64  // vectors in it
	AbsTol float64
	RelTol float64
}

// File is an entry and what it must hold.
type File struct {
	Name   string
	SHA256 Digest
	Size   int64 // bytes
}

// Lineage says what a bundle was made from, enough to make it again.
type Lineage struct {
	ParentID      string   // ID of the bundle that this one was made from, or empty
	Recipe        string   // "flows"
	Command       string   // the command line, without paths of a machine
	DatasetSHA256 []Digest // of the training files, in the order of Command
	SplitSeed     int64    // 0 to 2^53-1
	Split         Split
	CodeCommit    string // lower-case hex, or empty
	BuilderID     string // who ran it
	Toolchain     string // "go1.26.8"
}

// Split counts the rows of each part of the data.
type Split struct {
	Train      int64
	Validation int64
	Holdout    int64
}

// Digest is a SHA-256. The zero value stands for none.
type Digest [sha256.Size]byte

// String returns 64 lower-case hex digits, or an empty string for none.
func (d Digest) String() string {
	if d == (Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// parseDigest is the inverse of String.
func parseDigest(s string) (d Digest, ok bool) {
	if s == "" {
		return d, true
	}
	if len(s) != 2*len(d) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(s))
	return d, err == nil && d.String() == s
}

// digestOf returns the digest of the file of that name, or none.
func digestOf(files []File, name string) Digest {
	for _, f := range files {
		if f.Name == name {
			return f.SHA256
		}
	}
	return Digest{}
}
