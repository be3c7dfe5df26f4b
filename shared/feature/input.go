package feature

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"cloister/shared/frame"
)

// Text is a block of columns: the terms of the text that some fields make
// together, joined by one space in the order of From. An empty field adds
// nothing, nor does one that the file lacks.
type Text struct {
	Name  string   `json:"name"` // 1 to 64 of a-z, 0-9, '_' and '-'; names the block's file in a bundle
	From  []string `json:"from"` // text fields of the schema
	Help  string   `json:"help"`
	TFIDF *TFIDF   `json:"-"`
}

// MaxTexts bounds the blocks of an input.
const MaxTexts = 16

// Input makes what a model reads: first the columns of a pipeline, then those
// of each text. It is immutable and safe for concurrent use.
type Input struct {
	schema *frame.Schema
	steps  *Pipeline // nil without columns
	texts  []Text
	from   [][]int // of each text
	start  []int   // first column of each text, and the end
}

// NewInput returns the input of p, which may be nil, and texts, which may be
// none, but not both. p is over schema. Errors are [*StepError].
func NewInput(schema *frame.Schema, p *Pipeline, texts []Text) (*Input, error) {
	in := &Input{schema: schema, steps: p, texts: slices.Clone(texts)}
	d := 0
	if p != nil {
		d = p.Len()
		if p.schema != schema {
			return nil, &StepError{0, "", fmt.Sprintf("features of schema %s, texts of %s", p.schema.Name, schema.Name)}
		}
	}
	if d == 0 && len(texts) == 0 || len(texts) > MaxTexts {
		return nil, &StepError{0, "", fmt.Sprintf("%d features and %d texts, want any and at most %d texts", d, len(texts), MaxTexts)}
	}
	names := map[string]bool{}
	for i, t := range texts {
		bad := func(format string, args ...any) error {
			return &StepError{i, t.Name[:min(len(t.Name), 64)], "text: " + fmt.Sprintf(format, args...)}
		}
		switch {
		case !isTextName(t.Name) || names[t.Name]:
			return nil, bad("want another name of 1 to 64 of a-z, 0-9, _ and -")
		case len(t.From) == 0 || len(t.From) > len(schema.Fields):
			return nil, bad("made of %d fields", len(t.From))
		case t.TFIDF == nil:
			return nil, bad("not fitted")
		}
		names[t.Name] = true
		var from []int
		for _, name := range t.From {
			k, ok := schema.Index(name)
			if !ok || schema.Fields[k].Kind != frame.Text {
				return nil, bad("%.64q is no text field of schema %s", name, schema.Name)
			}
			if slices.Contains(from, k) {
				return nil, bad("%.64q twice", name)
			}
			from = append(from, k)
		}
		in.from, in.start = append(in.from, from), append(in.start, d)
		d += t.TFIDF.Len()
	}
	in.start = append(in.start, d)
	return in, nil
}

func isTextName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// textsFile is the JSON form of the texts of an input; their terms lie
// elsewhere.
type textsFile struct {
	Schema string `json:"schema"`
	Texts  []Text `json:"texts"`
}

// AppendTexts appends the canonical JSON form of the texts without their
// terms, which [TFIDF.AppendBinary] encodes.
func (in *Input) AppendTexts(dst []byte) ([]byte, error) {
	b, err := json.MarshalIndent(textsFile{in.schema.Name, in.texts}, "", " ")
	if err != nil {
		return nil, err // unreachable: texts and numbers only
	}
	return append(append(dst, b...), '\n'), nil
}

// DecodeTexts reads what [Input.AppendTexts] wrote and completes each text by
// the step that terms returns for its name. Other bytes, even other JSON of
// the same meaning, are refused; [NewInput] checks the rest.
func DecodeTexts(b []byte, schema *frame.Schema, terms func(name string) (*TFIDF, error)) ([]Text, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var f textsFile
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("texts: byte %d: %w", d.InputOffset(), err)
	}
	if f.Schema != schema.Name {
		return nil, fmt.Errorf("texts: schema %.64q, want %q", f.Schema, schema.Name)
	}
	if len(f.Texts) == 0 || len(f.Texts) > MaxTexts {
		return nil, fmt.Errorf("texts: %d, want 1 to %d", len(f.Texts), MaxTexts)
	}
	if again, err := (&Input{schema: schema, texts: f.Texts}).AppendTexts(nil); err != nil || !bytes.Equal(again, b) {
		return nil, errors.New("texts: not in canonical form")
	}
	for i := range f.Texts {
		t := &f.Texts[i]
		if !isTextName(t.Name) {
			return nil, fmt.Errorf("texts: name %.64q", t.Name)
		}
		var err error
		if t.TFIDF, err = terms(t.Name); err != nil {
			return nil, fmt.Errorf("texts: %s: %w", t.Name, err)
		}
	}
	return f.Texts, nil
}

// Schema returns the schema of the frames that it reads.
func (in *Input) Schema() *frame.Schema { return in.schema }

// Pipeline returns what makes the first columns, nil if nothing does.
func (in *Input) Pipeline() *Pipeline { return in.steps }

// Texts returns the blocks after them. The slice is shared and must not be
// changed.
func (in *Input) Texts() []Text { return in.texts }

// Len returns the number of columns d.
func (in *Input) Len() int { return in.start[len(in.start)-1] }

// Columns returns the columns [lo,hi) of text i.
func (in *Input) Columns(i int) (lo, hi int) { return in.start[i], in.start[i+1] }

// Numbers returns the number of columns before the texts.
func (in *Input) Numbers() int { return in.start[0] }

// Fields returns the schema fields that the columns are made of, sorted.
func (in *Input) Fields() []string {
	var out []string
	if in.steps != nil {
		out = in.steps.Fields()
	}
	for _, t := range in.texts {
		out = append(out, t.From...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Lacking returns the names of the features, and of the texts, that f cannot
// provide because the file lacks their fields; a text needs one of them.
func (in *Input) Lacking(f *frame.Frame) []string {
	var out []string
	if in.steps != nil {
		out = in.steps.Lacking(f)
	}
	for i, t := range in.texts {
		if !slices.ContainsFunc(in.from[i], func(k int) bool { return f.Texts[k] != nil }) {
			out = append(out, t.Name)
		}
	}
	return out
}

// Document returns the text of block i in a row of f, as [Joined].
func (in *Input) Document(i int, f *frame.Frame, row int) string { return joined(f, in.from[i], row) }

// Joined returns the values of text fields in a row of f, in the order of
// names, joined by one space and cut to [MaxDocument] bytes at a character.
// Empty values and fields that f or its schema lacks are left out.
func Joined(f *frame.Frame, names []string, row int) string {
	var from []int
	for _, name := range names {
		if k, ok := f.Schema.Index(name); ok {
			from = append(from, k)
		}
	}
	return joined(f, from, row)
}

func joined(f *frame.Frame, from []int, row int) string {
	doc := ""
	for _, k := range from {
		if f.Texts[k] == nil || f.Texts[k][row] == "" {
			continue
		}
		if doc != "" {
			doc += " "
		}
		doc += f.Texts[k][row]
	}
	if len(doc) > MaxDocument {
		cut := MaxDocument
		for cut > 0 && !utf8.RuneStart(doc[cut]) {
			cut--
		}
		doc = doc[:cut]
	}
	return doc
}

// Rows writes rows [lo,hi) of f to dst, row-major and d wide, which is grown
// if it is too short, and returns it. A term that a text lacks is 0.
func (in *Input) Rows(dst []float64, f *frame.Frame, lo, hi int) []float64 {
	d := in.Len()
	dst = slices.Grow(dst[:0], (hi-lo)*d)[:(hi-lo)*d]
	if in.steps != nil {
		in.steps.fill(dst, d, f, lo, hi)
	}
	if len(in.texts) == 0 {
		return dst
	}
	for i := range hi - lo {
		clear(dst[i*d+in.Numbers() : (i+1)*d])
	}
	for b := range in.texts {
		s := in.terms(b, f, lo, hi)
		for i := range hi - lo {
			index, value := s.Row(i)
			row := dst[i*d+in.start[b] : i*d+in.start[b+1]]
			for k, j := range index {
				row[j] = value[k]
			}
		}
	}
	return dst
}

// terms returns the rows of text b.
func (in *Input) terms(b int, f *frame.Frame, lo, hi int) *Sparse {
	docs := make([]string, 0, hi-lo)
	for i := lo; i < hi; i++ {
		docs = append(docs, in.Document(b, f, i))
	}
	s := &Sparse{}
	if err := in.texts[b].TFIDF.Transform(s, docs); err != nil {
		panic(err) // unreachable: Document cuts
	}
	return s
}

// Sparse returns the rows of f in compressed form. Cells of the pipeline that
// are 0 are left out, those that are missing are NaN.
func (in *Input) Sparse(f *frame.Frame) *Sparse {
	n := f.Len()
	out := &Sparse{Start: make([]int, 1, n+1)}
	var numbers []float64
	if in.steps != nil {
		numbers = in.steps.Matrix(nil, f)
	}
	var blocks []*Sparse
	for b := range in.texts {
		blocks = append(blocks, in.terms(b, f, 0, n))
	}
	for i := range n {
		for j := range in.Numbers() {
			if v := numbers[i*in.Numbers()+j]; v != 0 || math.IsNaN(v) {
				out.Index, out.Value = append(out.Index, int32(j)), append(out.Value, v)
			}
		}
		for b, s := range blocks {
			index, value := s.Row(i)
			for k, j := range index {
				out.Index, out.Value = append(out.Index, int32(in.start[b])+j), append(out.Value, value[k])
			}
		}
		out.Start = append(out.Start, len(out.Index))
	}
	return out
}
