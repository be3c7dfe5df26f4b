// Package feature turns frames into the matrix that models read. It hides how
// columns become features; the same fitted steps run in training, in the
// browser and at the edge, and travel in the bundle as pre/features.json.
//
//	p, err := feature.Decode(b, frame.Flow)
//	x := p.Matrix(nil, f)                // n×d row-major
//
// A field that the file lacks gives NaN, which trees follow by each node's
// missing branch; nothing is guessed. [Pipeline.Lacking] names such features.
package feature

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/frame"
)

// Op says how a feature is made from fields.
type Op string

// The operations. Arithmetic on a missing value is missing.
const (
	OpNumber  Op = "number"  // the field
	OpService Op = "service" // the service group of a port, see [Services]
	OpFlag    Op = "flag"    // 1 if the bit Bit of the field is set, else 0
	OpRatio   Op = "ratio"   // the field / Over, 0 when Over is 0
	OpSum     Op = "sum"     // the field + Over
	OpHour    Op = "hour"    // hour of the day, UTC, of a time in ms: 0 to 23
	OpOctet   Op = "octet"   // last part of an IPv4 address in a text field, 0 to 255; -1 for any other text
	OpIs      Op = "is"      // 1 if a text field is Value, letter case aside, else 0: a category that no step names is 0 in all
)

// Step defines one feature: a column of the matrix.
type Step struct {
	Name string `json:"name"`
	Op   Op     `json:"op"`
	From string `json:"from"`           // field of the schema
	Over string `json:"over,omitempty"` // second field
	Bit  int    `json:"bit,omitempty"`  // 0 to 7
	// Value is what OpIs compares with, without space at its ends.
	Value string `json:"value,omitempty"`
	Unit  string `json:"unit,omitempty"`
	Help  string `json:"help"`
	// Quantiles of the training rows at 0, 1, ..., 100 %, ascending, for the
	// percentile of a value; nil if the feature was never present.
	Quantiles frame.Quantiles `json:"quantiles,omitempty"`
}

// file is the JSON form of a Pipeline.
type file struct {
	Schema string `json:"schema"`
	Steps  []Step `json:"steps"`
}

// Pipeline is a fitted list of steps. It is immutable and safe for concurrent
// use.
type Pipeline struct {
	schema *frame.Schema
	steps  []Step
	from   []int
	over   []int
}

// quantiles is the number of quantiles of a step: each percent and both ends.
const quantiles = 101

// MaxSteps bounds the features of a pipeline.
const MaxSteps = 4096

// StepError is a step that cannot be used.
type StepError struct {
	Step int // 0-based
	Name string
	What string
}

// Error returns the step and the reason.
func (e *StepError) Error() string {
	return fmt.Sprintf("feature %d %q: %s", e.Step, e.Name, e.What)
}

// New returns the pipeline of steps over schema. Errors are [*StepError].
func New(schema *frame.Schema, steps []Step) (*Pipeline, error) {
	if len(steps) == 0 || len(steps) > MaxSteps {
		return nil, &StepError{0, "", fmt.Sprintf("%d steps, want 1 to %d", len(steps), MaxSteps)}
	}
	p := &Pipeline{schema: schema, steps: slices.Clone(steps), from: make([]int, len(steps)), over: make([]int, len(steps))}
	names := map[string]bool{}
	for i, s := range steps {
		bad := func(format string, args ...any) error {
			return &StepError{i, s.Name[:min(len(s.Name), 64)], fmt.Sprintf(format, args...)}
		}
		field := func(name string, kind frame.Kind) (int, bool) {
			k, ok := schema.Index(name)
			return k, ok && schema.Fields[k].Kind == kind
		}
		number := func(name string) (int, bool) { return field(name, frame.Number) }
		if s.Op.reads() == frame.Text {
			number = func(name string) (int, bool) { return field(name, frame.Text) }
		}
		var ok bool
		switch p.from[i], ok = number(s.From); {
		case s.Name == "" || len(s.Name) > 128 || names[s.Name]:
			return nil, bad("name is empty, long or repeated")
		case !ok:
			return nil, bad("%.64q is no %s field of schema %s", s.From, kindName(s.Op.reads()), schema.Name)
		case (s.Op == OpIs) == (s.Value == "") || len(s.Value) > MaxTerm || s.Value != strings.TrimSpace(s.Value):
			return nil, bad("value %.64q", s.Value)
		case s.Op == OpFlag && (s.Bit < 0 || s.Bit > 7), s.Op != OpFlag && s.Bit != 0:
			return nil, bad("bit %d", s.Bit)
		}
		switch s.Op {
		case OpRatio, OpSum:
			if p.over[i], ok = number(s.Over); !ok {
				return nil, bad("%.64q is no number field of schema %s", s.Over, schema.Name)
			}
		case OpNumber, OpService, OpFlag, OpHour, OpOctet, OpIs:
			if s.Over != "" {
				return nil, bad("operation %s takes one field", s.Op)
			}
		default:
			return nil, bad("unknown operation %.64q", string(s.Op))
		}
		if !s.Quantiles.Valid(quantiles) {
			return nil, bad("want %d ascending finite quantiles", quantiles)
		}
		names[s.Name] = true
	}
	return p, nil
}

// reads returns the kind of field that the operation is made of.
func (o Op) reads() frame.Kind {
	if o == OpOctet || o == OpIs {
		return frame.Text
	}
	return frame.Number
}

func kindName(k frame.Kind) string {
	if k == frame.Text {
		return "text"
	}
	return "number"
}

// Decode reads the JSON form that [Pipeline.AppendJSON] wrote. Other bytes,
// even other JSON of the same meaning, are refused.
func Decode(b []byte, schema *frame.Schema) (*Pipeline, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var f file
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("features: byte %d: %w", d.InputOffset(), err)
	}
	if f.Schema != schema.Name {
		return nil, fmt.Errorf("features: schema %.64q, want %q", f.Schema, schema.Name)
	}
	p, err := New(schema, f.Steps)
	if err != nil {
		return nil, err
	}
	if again, err := p.AppendJSON(nil); err != nil || !bytes.Equal(again, b) {
		return nil, fmt.Errorf("features: not in canonical form")
	}
	return p, nil
}

// AppendJSON appends the canonical JSON form.
func (p *Pipeline) AppendJSON(dst []byte) ([]byte, error) {
	b, err := json.MarshalIndent(file{p.schema.Name, p.steps}, "", " ")
	if err != nil {
		return nil, err // unreachable: New refuses NaN and infinities
	}
	return append(append(dst, b...), '\n'), nil
}

// Steps returns the steps in the order of the matrix columns. The slice is
// shared and must not be changed.
func (p *Pipeline) Steps() []Step { return p.steps }

// Len returns the number of features d.
func (p *Pipeline) Len() int { return len(p.steps) }

// Fields returns the schema fields that the features are made of, sorted.
func (p *Pipeline) Fields() []string {
	var out []string
	for _, s := range p.steps {
		out = append(out, s.From)
		if s.Over != "" {
			out = append(out, s.Over)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Lacking returns the names of the features that f cannot provide because the
// file lacks a field.
func (p *Pipeline) Lacking(f *frame.Frame) []string {
	var out []string
	for i := range p.steps {
		if p.lacks(i, f) {
			out = append(out, p.steps[i].Name)
		}
	}
	return out
}

// lacks reports whether f has no column that step j is made of.
func (p *Pipeline) lacks(j int, f *frame.Frame) bool {
	if p.steps[j].Op.reads() == frame.Text {
		return f.Texts[p.from[j]] == nil
	}
	return f.Numbers[p.from[j]] == nil || p.steps[j].Over != "" && f.Numbers[p.over[j]] == nil
}

// Matrix writes the features of the n rows of f to dst, n×d row-major, which
// is grown if it is too short, and returns it.
func (p *Pipeline) Matrix(dst []float64, f *frame.Frame) []float64 {
	n, d := f.Len(), len(p.steps)
	dst = slices.Grow(dst[:0], n*d)[:n*d]
	p.fill(dst, d, f, 0, n)
	return dst
}

// fill writes the features of rows [lo,hi) of f to dst, where rows begin every
// stride values.
func (p *Pipeline) fill(dst []float64, stride int, f *frame.Frame, lo, hi int) {
	for j := range p.steps {
		s := &p.steps[j]
		switch {
		case p.lacks(j, f):
			for i := range hi - lo {
				dst[i*stride+j] = math.NaN()
			}
		case s.Op.reads() == frame.Text:
			for i, v := range f.Texts[p.from[j]][lo:hi] {
				dst[i*stride+j] = s.read(v)
			}
		default:
			var over []float64
			if s.Over != "" {
				over = f.Numbers[p.over[j]][lo:hi]
			}
			for i, v := range f.Numbers[p.from[j]][lo:hi] {
				dst[i*stride+j] = s.apply(v, over, i)
			}
		}
	}
}

// read computes the feature of a text.
func (s *Step) read(v string) float64 {
	if s.Op == OpIs {
		if strings.EqualFold(strings.TrimSpace(v), s.Value) {
			return 1
		}
		return 0
	}
	return lastOctet(v)
}

// lastOctet returns the last part of an IPv4 address, -1 for any other text:
// IPv6 addresses have no octets.
func lastOctet(v string) float64 {
	parts, part, digits := 0, 0, 0
	for i := 0; i <= len(v); i++ {
		if i == len(v) || v[i] == '.' {
			if digits == 0 || digits > 3 || part > 255 {
				return -1
			}
			if parts++; i == len(v) && parts == 4 {
				return float64(part)
			}
			part, digits = 0, 0
			continue
		}
		if v[i] < '0' || v[i] > '9' {
			return -1
		}
		part, digits = part*10+int(v[i]-'0'), digits+1
		if digits > 3 {
			return -1
		}
	}
	return -1
}

// apply computes the feature of row i from v and, for two-field operations,
// column b.
func (s *Step) apply(v float64, b []float64, i int) float64 {
	switch s.Op {
	case OpService:
		return service(v)
	case OpFlag:
		if math.IsNaN(v) {
			return v
		}
		// flags fit a byte; larger values are hostile or glued, and their low
		// bits are as good as any
		return float64(uint64(math.Min(v, 1<<52)) >> s.Bit & 1)
	case OpRatio:
		if b[i] == 0 && !math.IsNaN(v) {
			return 0
		}
		return v / b[i]
	case OpSum:
		return v + b[i]
	case OpHour:
		return hour(v)
	}
	return v
}

// hour returns the hour of the day in UTC of ms since 1970, NaN for what is no
// finite time.
func hour(ms float64) float64 {
	const perHour = 3600_000
	h := math.Floor(ms / perHour)
	h -= 24 * math.Floor(h/24)
	if !(h >= 0 && h < 24) {
		return math.NaN()
	}
	return h
}

// Percentile returns the share of training rows whose value of feature j is at
// most v, in [0,1], and NaN for a missing value or a feature that training
// never saw.
func (p *Pipeline) Percentile(j int, v float64) float64 { return p.steps[j].Quantiles.Share(v) }

// Fit returns p with the quantiles of the training matrix x, n×d row-major.
func (p *Pipeline) Fit(x []float64) *Pipeline {
	d := len(p.steps)
	out := &Pipeline{p.schema, slices.Clone(p.steps), p.from, p.over}
	for j := range d {
		values := make([]float64, 0, len(x)/d)
		for i := j; i < len(x); i += d {
			values = append(values, x[i])
		}
		out.steps[j].Quantiles = frame.QuantilesOf(values, quantiles)
	}
	return out
}

// Format returns value v of feature j as people read it.
func (p *Pipeline) Format(j int, v float64) string {
	switch {
	case math.IsNaN(v):
		return "missing"
	case p.steps[j].Op == OpService:
		if i := int(v); i >= 0 && i < len(Services) && float64(i) == v {
			return Services[i].Name
		}
	case p.steps[j].Op == OpIs && v != 0:
		return "yes"
	case p.steps[j].Op == OpIs:
		return "no"
	case p.steps[j].Op == OpFlag && v != 0:
		return "set"
	case p.steps[j].Op == OpFlag:
		return "not set"
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
