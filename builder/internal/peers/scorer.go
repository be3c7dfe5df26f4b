package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"cloister/builder/internal/metric"
	"cloister/shared/explain"
	"cloister/shared/feature"
	"cloister/shared/model/tree"
)

// scorer is our side of every comparison but training, the same natively and
// in wasm: models and rows by name, and the work that is timed.
type scorer struct {
	models map[string]*ours
	rows   map[string]*input
	label  int // of the last row that came alone
}

// ours is one model: trees, and for texts the step before them.
type ours struct {
	trees   *tree.Ensemble
	text    *feature.TFIDF // nil for tables
	explain *explain.Explainer
	source  *tree.Source // of forests, natively: what save measures
}

// input is what models score: n rows of d values, or n texts.
type input struct {
	x    []float64
	d    int
	docs []string
}

func newScorer() *scorer { return &scorer{models: map[string]*ours{}, rows: map[string]*input{}} }

// floatsOf reads little-endian float32.
func floatsOf(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func newInput(x []float32, d int, docs []string) *input {
	in := &input{d: d, docs: docs, x: make([]float64, len(x))}
	for i, v := range x {
		in.x[i] = float64(v)
	}
	return in
}

func (in *input) len() int {
	if in.docs != nil {
		return len(in.docs)
	}
	return len(in.x) / in.d
}

// slice returns rows from..to.
func (in *input) slice(from, to int) *input {
	if in.docs != nil {
		return &input{docs: in.docs[from:to]}
	}
	return &input{x: in.x[from*in.d : to*in.d], d: in.d}
}

// load reads a model file: the length of the text step, it, and the trees.
func (s *scorer) load(name string, b []byte) error {
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
		return errors.New("model file: cut short")
	}
	n := binary.LittleEndian.Uint32(b)
	m := &ours{}
	var err error
	if n > 0 {
		if m.text, err = feature.DecodeTFIDF(b[4 : 4+n]); err != nil {
			return err
		}
	}
	if m.trees, err = tree.Decode(b[4+n:]); err != nil {
		return err
	}
	s.models[name] = m
	return nil
}

// find returns the model and the rows of a request.
func (s *scorer) find(model, data string) (*ours, *input, error) {
	m, in := s.models[model], s.rows[data]
	if m == nil || in == nil {
		return nil, nil, fmt.Errorf("no model %.64q or no rows %.64q", model, data)
	}
	return m, in, nil
}

// scores returns the n×k scores of in.
func (m *ours) scores(in *input) ([]float64, error) {
	d, k := m.trees.Shape()
	x := in.x
	if m.text != nil {
		var cells feature.Sparse
		if err := m.text.Transform(&cells, in.docs); err != nil {
			return nil, err
		}
		x = make([]float64, cells.Len()*d)
		for i := range cells.Len() {
			index, value := cells.Row(i)
			for at, j := range index {
				x[i*d+int(j)] = value[at]
			}
		}
	}
	dst := make([]float64, len(x)/d*k)
	return dst, m.trees.Predict(dst, x)
}

// batch scores the first rows at once, count times, and returns the rows done.
func (s *scorer) batch(model, data string, rows, count int) (int, error) {
	m, in, err := s.find(model, data)
	if err != nil {
		return 0, err
	}
	in = in.slice(0, min(rows, in.len()))
	for range count {
		if _, err := m.scores(in); err != nil {
			return 0, err
		}
	}
	return count * in.len(), nil
}

// single scores count rows one at a time, each to scores and a label.
func (s *scorer) single(model, data string, count int) (int, error) {
	m, in, err := s.find(model, data)
	if err != nil {
		return 0, err
	}
	d, k := m.trees.Shape()
	p := make([]float64, k)
	row := func(i int) ([]float64, error) { return p, m.trees.Predict(p, in.x[i*d:(i+1)*d]) }
	if m.text != nil {
		row = func(i int) ([]float64, error) { return m.scores(in.slice(i, i+1)) }
	}
	n := min(64, in.len())
	for i := range count {
		p, err := row(i % n)
		if err != nil {
			return 0, err
		}
		s.label = metric.Argmax(p)
	}
	return count, nil
}

// shap explains the first rows, for all classes or for the one each row is most
// likely of, and returns the rows done.
func (s *scorer) shap(model, data string, rows int, all bool) (int, error) {
	m, in, err := s.find(model, data)
	if err != nil {
		return 0, err
	}
	if m.explain == nil {
		if m.explain, err = explain.New(m.trees); err != nil {
			return 0, err
		}
	}
	in = in.slice(0, min(rows, in.len()))
	d, k := m.trees.Shape()
	n := in.len()
	if all {
		return n, m.explain.AllValues(make([]float64, n*k*d), in.x)
	}
	p, err := m.scores(in)
	if err != nil {
		return 0, err
	}
	return n, m.explain.Chosen(make([]float64, len(in.x)), in.x, best(p, k))
}

// best returns the first largest of each row of p, n×k.
func best(p []float64, k int) []int {
	list := make([]int, len(p)/k)
	for i := range list {
		list[i] = metric.Argmax(p[i*k : (i+1)*k])
	}
	return list
}
