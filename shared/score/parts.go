package score

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"cloister/shared/frame"
	"cloister/shared/wire"
)

// Version is the release of the scorer, which a bundle's min_runtime is held
// against.
const Version = "1.3.0"

// Names of the bundle entries that this package reads and the builder writes.
// A bundle has one classifier, features or texts or both, vectors and a card;
// what else it has is up to it. An entry of another name is an error: it
// would be ignored where it matters.
const (
	// ForestName, BoostingName or ObliviousName is the classifier. The margins
	// of the latter two are log-odds.
	ForestName    = "model/forest.bin"
	BoostingName  = "model/boosting.bin"
	ObliviousName = "model/oblivious.bin"
	// FeaturesName are the numeric columns, TextsName the texts after them,
	// whose terms are in TermsName of each.
	FeaturesName = "pre/features.json"
	TextsName    = "pre/texts.json"
	// IsolationName is the anomaly model, AnomalyName its quantiles. It reads
	// the classifier's columns, or those of AnomalyFeaturesName.
	IsolationName       = "model/isolation.bin"
	AnomalyName         = "pre/anomaly.json"
	AnomalyFeaturesName = "pre/anomaly-features.json"
	// CentresName are the centres of the training rows, in the space of the
	// numeric columns.
	CentresName = "model/centres.bin"
	// DecisionName says how scores become a verdict.
	DecisionName = "pre/decision.json"
	VectorsName  = "vectors/rows.jsonl"
)

// TermsName returns the name of the entry with the terms of a text.
func TermsName(text string) string { return termsPrefix + text + termsSuffix }

const (
	termsPrefix = "model/terms-"
	termsSuffix = ".bin"
)

// Names of the thresholds in the manifest.
const (
	// AlertThreshold is that of job.Batch.Attack.
	AlertThreshold   = "alert"
	AbstainThreshold = "abstain"
	// AnomalyThreshold is a percentile: a row is strange from it on.
	AnomalyThreshold = "anomaly"
	// OutsideThreshold is a distance from the centres of the training rows: a
	// row is unlike any of them above it, and gets no verdict.
	OutsideThreshold = "outside"
)

// maxQuantiles bounds the quantiles in pre/anomaly.json.
const maxQuantiles = 1 << 16

// anomalyFile is the JSON form of pre/anomaly.json.
type anomalyFile struct {
	// Margin are the quantiles of the isolation forest's margin over benign
	// training rows; larger is stranger.
	Margin frame.Quantiles `json:"margin"`
}

// AppendAnomaly appends pre/anomaly.json.
func AppendAnomaly(dst []byte, margin frame.Quantiles) ([]byte, error) {
	b, err := json.Marshal(anomalyFile{margin})
	if err != nil {
		return nil, err
	}
	return append(append(dst, b...), '\n'), nil
}

func decodeAnomaly(b []byte) (frame.Quantiles, error) {
	var f anomalyFile
	if err := strict(b, &f); err != nil {
		return nil, err
	}
	if again, err := AppendAnomaly(nil, f.Margin); err != nil || !bytes.Equal(again, b) {
		return nil, errors.New("not in canonical form")
	}
	if n := len(f.Margin); n < 2 || n > maxQuantiles || !f.Margin.Valid(n) {
		return nil, fmt.Errorf("%d quantiles, want 2 to %d ascending finite ones", n, maxQuantiles)
	}
	return f.Margin, nil
}

// strict decodes one JSON value with known fields only.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("byte %d: %w", d.InputOffset(), err)
	}
	return nil
}

// backgroundVersion is the first byte of explain/background.bin.
const backgroundVersion = 1

// AppendBackground appends explain/background.bin: the median of each of d
// features for each class, k×d row-major, NaN where a class never had a value.
func AppendBackground(dst []byte, typical []float64, d int) []byte {
	var w wire.Writer
	w.Bytes(dst)
	w.U8(backgroundVersion)
	w.Count(d)
	w.Count(len(typical) / d)
	for _, v := range typical {
		w.F64(v)
	}
	return w.Finish()
}

// decodeBackground reads k×d medians; any other shape is an error.
func decodeBackground(b []byte, k, d int) ([]float64, error) {
	r := wire.NewReader(b)
	if v := r.U8(); v != backgroundVersion {
		return nil, fmt.Errorf("version %d, want %d", v, backgroundVersion)
	}
	if gotD, gotK := r.Count(8), r.Count(8); r.Err() == nil && (gotD != d || gotK != k) {
		return nil, fmt.Errorf("%d×%d values, want %d×%d", gotK, gotD, k, d)
	}
	if r.Left() != 8*k*d {
		r.Fail(wire.ErrShort)
		return nil, r.Err()
	}
	out := make([]float64, k*d)
	for i := range out {
		out[i] = r.F64()
		if math.IsInf(out[i], 0) {
			return nil, fmt.Errorf("value %d is infinite", i)
		}
	}
	return out, r.Close()
}

// Vector is one line of vectors/rows.jsonl: raw fields of a row and what must
// come out.
type Vector struct {
	Fields      map[string]float64 `json:"fields"`          // an absent field is missing
	Texts       map[string]string  `json:"texts,omitempty"` // of text fields
	Class       int                `json:"class"`
	Probability []float64          `json:"probability"`      // per class, calibrated
	Margin      *float64           `json:"margin,omitempty"` // of the isolation forest, if there is one
	SHAP        []float64          `json:"shap"`             // of the class, per feature, then per text
}

// Frame returns the vector's fields as a frame of one row. A name that is no
// field of the schema, or one of the other kind, is an error.
func (v Vector) Frame(schema *frame.Schema) (*frame.Frame, error) {
	has := make([]bool, len(schema.Fields))
	field := func(name string, kind frame.Kind) error {
		i, ok := schema.Index(name)
		if !ok || schema.Fields[i].Kind != kind {
			return fmt.Errorf("unknown field %.64q", name)
		}
		has[i] = true
		return nil
	}
	for name := range v.Fields {
		if err := field(name, frame.Number); err != nil {
			return nil, err
		}
	}
	for name := range v.Texts {
		if err := field(name, frame.Text); err != nil {
			return nil, err
		}
	}
	f := frame.New(schema, 1, has)
	f.Row, f.Offset = append(f.Row, 1), append(f.Offset, 0)
	for name, value := range v.Fields {
		i, _ := schema.Index(name)
		f.Numbers[i] = append(f.Numbers[i], value)
	}
	for name, value := range v.Texts {
		i, _ := schema.Index(name)
		f.Texts[i] = append(f.Texts[i], value)
	}
	return f, nil
}

// AppendVectors appends vectors/rows.jsonl.
func AppendVectors(dst []byte, vectors []Vector) ([]byte, error) {
	for _, v := range vectors {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		dst = append(append(dst, b...), '\n')
	}
	return dst, nil
}

// maxVectors bounds the vectors replayed at load.
const maxVectors = 4096

func decodeVectors(b []byte) ([]Vector, error) {
	var out []Vector
	for line := range bytes.Lines(b) {
		if len(out) == maxVectors {
			return nil, fmt.Errorf("more than %d vectors", maxVectors)
		}
		var v Vector
		if err := strict(line, &v); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(out)+1, err)
		}
		out = append(out, v)
	}
	if again, err := AppendVectors(nil, out); err != nil || !bytes.Equal(again, b) {
		return nil, errors.New("not in canonical form")
	}
	return out, nil
}

// Answer returns the vectors with what the bundle in file says of their
// fields: everything but Fields and Texts is replaced. A publisher encodes a
// bundle, asks it, and encodes it again with the answers; that the answers are
// right is for others to check. The vectors in file itself are not replayed.
func Answer(file []byte, vectors []Vector) ([]Vector, error) {
	l, err := load(file, nil)
	if err != nil {
		return nil, err
	}
	out := make([]Vector, len(vectors))
	for i, v := range vectors {
		if out[i], err = l.expect(v); err != nil {
			return nil, fmt.Errorf("vector %d: %w", i+1, err)
		}
	}
	return out, nil
}
