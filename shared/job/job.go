// Package job is the conversation between a page and a scorer: load a bundle,
// score a file, explain a row, cancel. It hides how messages are laid out and
// ordered; the same [Client] and [Serve] run over a MessagePort, an in-memory
// pipe or an HTTP stream.
//
//	c := job.NewClient(pipe)
//	go c.Run()                                  // the caller owns this goroutine
//	b, err := c.Load(bundleBytes)
//	sum, err := c.Score(file, job.Options{}, func(p job.Progress, v *job.Batch) { draw(p, v) })
//	rec, err := c.Explain(sum.Rows)
//
// Every message carries the protocol [Version]; another version is refused by
// number. Messages come from another thread and are treated as hostile: they
// are bounded and decoding them cannot panic.
package job

import (
	"fmt"
	"io"
)

// Version is the protocol version that this package speaks.
const Version = 3

// File is random access to the bytes of an upload. It is safe for sequential
// use only.
type File interface {
	io.ReaderAt
	Size() int64 // in bytes
	Name() string
}

// Options are the settings of one scoring run. The zero value is the default.
type Options struct {
	// MaxRejectShare stops the run when more than this share of at least
	// 1,000 rows could not be read. 0 means 0.10; 1 never stops.
	MaxRejectShare float64 `json:"maxRejectShare,omitempty"`
	// FlowText lets a bundle of alert texts read a file of flows: each flow
	// becomes one sentence. Without it such a file is refused.
	FlowText bool `json:"flowText,omitempty"`
	// Profile, when not "", is the text of a profile that says what the columns
	// of a CSV or JSON file mean ([Profile.Text]), in place of known names.
	Profile string `json:"profile,omitempty"`
}

// Bundle describes a loaded bundle to people: what it is, what it predicts
// and how well it did on held-out rows.
type Bundle struct {
	Name          string    `json:"name"`
	Version       string    `json:"version"`
	Title         string    `json:"title"`
	Description   string    `json:"description"`
	SHA256        string    `json:"sha256"` // hex digest of the file
	Size          int64     `json:"size"`   // bytes of the file
	Trust         string    `json:"trust"`  // "unsigned", "verified", "unknown key"
	Model         string    `json:"model"`  // "random forest, 100 trees"
	AttackVersion string    `json:"attackVersion"`
	Classes       []Class   `json:"classes"`
	Features      []Feature `json:"features"`
	Metrics       []Metric  `json:"metrics"`
	Limits        []string  `json:"limits"`  // known limits, one sentence each
	Data          []string  `json:"data"`    // training data, with licence
	Vectors       int       `json:"vectors"` // test vectors replayed at load
	// Threshold is the alert threshold chosen on validation rows: a row is
	// flagged when its attack probability reaches it.
	Threshold float64 `json:"threshold"`
	// Abstain is the class probability below which a verdict is withheld.
	Abstain float64 `json:"abstain"`
	Card    string  `json:"card"` // Markdown
	// Key is the name of the key that verified the signature, KeyFingerprint
	// its 64 hex digits; of an unknown key the latter is a claim.
	Key            string `json:"key,omitempty"`
	KeyFingerprint string `json:"keyFingerprint,omitempty"`
	// Schema is what the bundle reads: "flow", "alert".
	Schema string `json:"schema"`
	// Strange is the anomaly percentile from which a row counts as strange, 1
	// without an anomaly model.
	Strange float64 `json:"strange"`
	// Calibrated says how probabilities were made of the model's scores:
	// "isotonic", "beta", or "" when they are the scores.
	Calibrated string `json:"calibrated,omitempty"`
}

// Class is one answer of a classifier.
type Class struct {
	Name     string `json:"name"`
	Severity string `json:"severity"` // impact if the verdict is right, a name in [Severities]
	Benign   bool   `json:"benign"`
	// Attack lists what a verdict of this class is evidence for.
	Attack []Technique `json:"attack,omitempty"`
	// Unseen lists techniques of the class that this input cannot show.
	Unseen []string `json:"unseen,omitempty"`
	// Precision is that of the class on hold-out rows, NaN if it had none.
	Precision Number `json:"precision"`
	Recall    Number `json:"recall"`
	Support   int    `json:"support"` // hold-out rows of the class
	// Abstain is the probability below which a verdict of the class is
	// withheld.
	Abstain float64 `json:"abstain"`
}

// Severities are the severity names from least to most severe.
var Severities = []string{"Informational", "Low", "Medium", "High", "Critical"}

// Technique is an ATT&CK technique with the tactic it serves here, how sure
// the mapping is and what it rests on.
type Technique struct {
	ID         string `json:"id"`         // "T1110.001"
	Tactic     string `json:"tactic"`     // "TA0006"
	Confidence string `json:"confidence"` // "high", "medium", "low"
	Basis      string `json:"basis"`      // "published", "analytic", "inferred"
	// Hint says that port or behaviour of a single flow point at it, which many
	// harmless flows do; Confidence is "hint" where it is the port alone.
	Hint bool `json:"hint,omitempty"`
	// Why is what was matched in the row, for people; "" for a class, and in a
	// [Batch].
	Why string `json:"why,omitempty"`
}

// Feature is one column of the model's input matrix.
type Feature struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	Help string `json:"help,omitempty"`
}

// Metric is one figure measured on held-out rows, with its baselines.
type Metric struct {
	Name  string `json:"name"`
	Value Number `json:"value"`
	Low   Number `json:"low"` // 95 % bootstrap interval, NaN if not computed
	High  Number `json:"high"`
	Split string `json:"split"` // "holdout", "validation"
	Rows  int    `json:"rows"`
}

// Progress says how far a run is. It is monotone within a run.
type Progress struct {
	Bytes    int64 `json:"bytes"` // consumed
	Total    int64 `json:"total"` // size of the file
	Rows     int64 `json:"rows"`  // read, rejected ones included
	Rejected int64 `json:"rejected"`
}

// Remaining estimates the time left in seconds from the time spent so far, in
// seconds: elapsed*(Total-Bytes)/Bytes. It returns false before the first
// byte.
func (p Progress) Remaining(elapsed float64) (float64, bool) {
	if p.Bytes <= 0 || p.Total < p.Bytes {
		return 0, false
	}
	return elapsed * float64(p.Total-p.Bytes) / float64(p.Bytes), true
}

// Batch holds verdicts of n rows in columns of length n. The receiver owns it.
type Batch struct {
	Row         []int64   // number of the row in the file, the first data row is 1
	Class       []uint16  // index into [Bundle.Classes]
	Probability []float64 // of the class, in [0,1]
	Attack      []float64 // 1 - probability of the benign class, in [0,1]; without one the mean impact as a share of the worst
	Anomaly     []float64 // percentile against training, in [0,1], larger is stranger; NaN without an anomaly model
	Abstained   []bool    // no verdict: too improbable, or Outside
	Outside     []bool    // unlike any training row; nil means none
	Severity    []uint8   // index into [Severities]: impact and probability together; nil means 0
	// Hints are the different sets of techniques that rows themselves point at,
	// beside those of their class, Hint for each row an index into it. Both are
	// nil when no row points at any.
	Hints   [][]Technique
	Hint    []uint32
	Columns []Column // what a table shows of each row
	// Rejected lists the rows that could not be read, from the first after
	// the previous batch up to the last of this one.
	Rejected []Reject
}

// Column is a named column for display: numbers (NaN is missing) or texts.
type Column struct {
	Name    string
	Unit    string
	Numbers []float64
	Texts   []string // used when Numbers is nil
}

// Reject is a row that could not be read.
type Reject struct {
	Row    int64  `json:"row"`
	Offset int64  `json:"offset"` // bytes from the start of the (decompressed) file
	Reason string `json:"reason"` // short and countable: "column count", "not a number"
	Detail string `json:"detail"` // with the value, cut to 64 bytes
}

// Mapping says where a field of the schema came from.
type Mapping struct {
	Field  string `json:"field"`
	From   string `json:"from"` // column, formula, or "" when it is missing
	How    string `json:"how"`  // "column", "computed", "missing"
	Needed bool   `json:"needed"`
}

// Summary closes a run.
type Summary struct {
	Format    string           `json:"format"` // "NetFlow CSV (15 of 53 columns)"
	Rows      int64            `json:"rows"`   // read, rejected ones included
	Scored    int64            `json:"scored"`
	Rejected  int64            `json:"rejected"`
	Reasons   map[string]int64 `json:"reasons,omitempty"`
	Rejects   []Reject         `json:"rejects,omitempty"` // the first 20
	Repairs   map[string]int64 `json:"repairs,omitempty"` // cells mended or read as missing, by reason
	Mapping   []Mapping        `json:"mapping,omitempty"`
	Unmapped  []string         `json:"unmapped,omitempty"` // columns of the file that no field uses
	Imputed   []string         `json:"imputed,omitempty"`  // features filled because a field is missing
	ByClass   []int64          `json:"byClass,omitempty"`  // by index into Bundle.Classes
	Abstained int64            `json:"abstained"`
	Outside   int64            `json:"outside"`         // rows unlike any training row
	Drift     []Drift          `json:"drift,omitempty"` // by feature with a range, in order
	Cancelled bool             `json:"cancelled,omitempty"`
	// Capture says that the rows are flows made here from packets, which can be
	// exported again.
	Capture bool `json:"capture,omitempty"`
	// Note says what files of this kind do not tell and how what they tell was
	// read, "" for nothing.
	Note   string  `json:"note,omitempty"`
	Checks []Check `json:"checks,omitempty"` // relations that some rows do not obey
	// Stopped says why the run ended before the end of the file, "" if it
	// did not. What was scored before stays valid.
	Stopped string `json:"stopped,omitempty"`
}

// Check is a relation that rows obey when their columns are what they are
// taken for: of Rows that have the fields, Odd do not.
type Check struct {
	What string `json:"what"`
	Rows int64  `json:"rows"`
	Odd  int64  `json:"odd"`
}

// Drift says how far a file's values of a feature lie from the training rows:
// of those, Expected were outside the range from Low to High.
type Drift struct {
	Feature  int     `json:"feature"` // index into [Bundle.Features]
	Low      float64 `json:"low"`     // 1 % of the training rows are below
	High     float64 `json:"high"`    // 1 % are above
	Expected float64 `json:"expected"`
	Outside  float64 `json:"outside"` // share of the rows that have a value
	Missing  float64 `json:"missing"` // share of the rows that have none
}

// Record explains one row.
type Record struct {
	Row     int64   `json:"row"`
	Class   int     `json:"class"`
	Fields  []Field `json:"fields"` // raw evidence, in the order of the schema
	Classes []Share `json:"classes"`
	// Base + sum of Attributions.SHAP = Margin, up to Tolerance.
	Base         float64       `json:"base"`
	Margin       float64       `json:"margin"` // raw score of the class
	Unit         string        `json:"unit"`   // of Base, Margin and SHAP: "probability", "log-odds"
	Attributions []Attribution `json:"attributions"`
	Additivity   float64       `json:"additivity"` // |Base + sum - Margin|
	Tolerance    float64       `json:"tolerance"`
	Background   string        `json:"background"` // what Base averages over
	Sentence     string        `json:"sentence"`   // the verdict in words
	// Attack lists the techniques that the row itself points at, strongest
	// first, each with Why; those of its class are in [Bundle.Classes].
	Attack []Technique `json:"attack,omitempty"`
	// Strange says what makes the row unusual to the anomaly model, nil
	// without one or when it looks at other features.
	Strange *Strangeness `json:"strange,omitempty"`
	// Texts are what a model of texts has read, in the order of the last
	// features of [Bundle.Features], which bear the same names. The tokens and
	// absent terms of one add up to the attribution of that feature.
	Texts []Text `json:"texts,omitempty"`
}

// Text is a text with what its pieces did for the verdict.
type Text struct {
	Feature int      `json:"feature"` // index into [Bundle.Features]
	Text    string   `json:"text"`
	Tokens  []Token  `json:"tokens"` // in order, none overlapping
	Absent  []Absent `json:"absent"` // known terms that are not in the text, strongest first, at most 20
	// Rest is what all other absent terms did together.
	Rest float64 `json:"rest"`
}

// Token is the bytes [Start,End) of a text with their part of the score.
type Token struct {
	Start int     `json:"start"`
	End   int     `json:"end"`
	SHAP  float64 `json:"shap"`
}

// Absent is a term whose absence moved the score.
type Absent struct {
	Term string  `json:"term"`
	SHAP float64 `json:"shap"`
}

// Strangeness explains the anomaly model's margin of a record, which is larger
// for stranger rows: Base + sum of SHAP = Margin, up to Additivity.
type Strangeness struct {
	Base       float64   `json:"base"`
	Margin     float64   `json:"margin"`
	Unit       string    `json:"unit"` // "log2 of the anomaly score"
	SHAP       []float64 `json:"shap"` // by feature
	Additivity float64   `json:"additivity"`
}

// Field is one raw value of a record.
type Field struct {
	Name  string `json:"name"`
	Unit  string `json:"unit,omitempty"`
	Value string `json:"value"`
}

// Share is the probability of one class.
type Share struct {
	Class       int     `json:"class"`
	Probability float64 `json:"probability"`
}

// Attribution is the share of one feature in a verdict.
type Attribution struct {
	Feature int    `json:"feature"` // index into [Bundle.Features]
	Value   string `json:"value"`   // the feature's value as people read it
	// Percentile of the value among training rows, in [0,1], NaN if unknown.
	Percentile Number  `json:"percentile"`
	SHAP       float64 `json:"shap"`
	// Typical is the median value of benign training rows, as people read it.
	Typical string `json:"typical,omitempty"`
}

// Failure is an error that crossed the pipe.
type Failure struct {
	// Kind tells what to do: "input" (the file), "bundle", "busy",
	// "cancelled", "protocol", "internal" (our bug).
	Kind string `json:"kind"`
	Text string `json:"text"`
	// Help says what the person can do, "" if nothing is known.
	Help  string `json:"help,omitempty"`
	Stack string `json:"stack,omitempty"` // of an internal failure
	// Schema is what the file holds, when the bundle reads something else:
	// load a bundle of that Bundle.Schema.
	Schema string `json:"schema,omitempty"`
	// Columns says that the file has columns that are not known, or too few
	// that are: [Client.Propose] may help.
	Columns bool `json:"columns,omitempty"`
	// Lacking is the share of the bundle's features that cannot be made from
	// the file, when it is refused for that.
	Lacking float64 `json:"lacking,omitempty"`
}

// Error returns the text.
func (f *Failure) Error() string { return f.Text }

// Failf returns a Failure of the given kind.
func Failf(kind, help, format string, args ...any) *Failure {
	return &Failure{Kind: kind, Help: help, Text: fmt.Sprintf(format, args...)}
}
