package modeltest_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"cloister/shared/model"
	"cloister/shared/model/modeltest"
)

// A linear model keeps every promise; each mutant below breaks one.
type linear struct {
	w       [2]float64
	calls   int
	predict func(l *linear, dst, x []float64) error // nil: right
	append  func(l *linear, dst []byte) ([]byte, error)
}

var _ model.Predictor = (*linear)(nil)

func (l *linear) Shape() (d, k int) { return 2, 2 }

// scores are a logistic of a sum that takes NaN as 0 and clips infinities,
// and one minus that.
func (l *linear) scores(dst, x []float64) error {
	n, err := model.Rows(dst, x, 2, 2)
	if err != nil {
		return err
	}
	for r := range n {
		sum := 0.0
		for j, w := range l.w {
			if v := x[2*r+j]; !math.IsNaN(v) {
				sum += w * max(-1e3, min(1e3, v))
			}
		}
		dst[2*r] = 1 / (1 + math.Exp(-sum))
		dst[2*r+1] = 1 - dst[2*r]
	}
	return nil
}

func (l *linear) Predict(dst, x []float64) error {
	if l.predict != nil {
		return l.predict(l, dst, x)
	}
	return l.scores(dst, x)
}

func (l *linear) AppendBinary(dst []byte) ([]byte, error) {
	if l.append != nil {
		return l.append(l, dst)
	}
	return fmt.Appendf(dst, "L%02x%02x.", int(l.w[0]), int(l.w[1])), nil
}

func decode(b []byte) (model.Predictor, error) {
	var l linear
	var p, q uint8
	if _, err := fmt.Sscanf(string(b), "L%02x%02x.", &p, &q); err != nil || len(b) != 6 {
		return nil, errors.New("not a linear model")
	}
	l.w = [2]float64{float64(p), float64(q)}
	if again, _ := l.AppendBinary(nil); !bytes.Equal(again, b) {
		return nil, errors.New("not canonical")
	}
	return &l, nil
}

func attribute(phi, x []float64, class int) error {
	l := linear{w: [2]float64{3, 1}}
	for r := 0; r < len(x); r += 2 {
		dst := make([]float64, 2)
		if err := l.scores(dst, x[r:r+2]); err != nil {
			return err
		}
		phi[r], phi[r+1] = dst[class]-1, 0.5
	}
	return nil
}

// recorder is the T that a mutant is checked with.
type recorder struct{ errors []string }

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func options() modeltest.Options {
	l := linear{w: [2]float64{3, 1}}
	return modeltest.Options{
		X: []float64{0, 1, 2, 3, -1, 0.5}, Decode: decode, Unit: true, Sum: true,
		Raw: l.scores, Attribute: attribute, Base: func(int) float64 { return 0.5 },
	}
}

func TestCheck_acceptsAModelThatKeepsItsPromises(t *testing.T) {
	modeltest.Check(t, &linear{w: [2]float64{3, 1}}, options())
}

func TestCheck_catchesEachBrokenPromise(t *testing.T) {
	after := func(change func(l *linear, dst, x []float64)) func(l *linear, dst, x []float64) error {
		return func(l *linear, dst, x []float64) error {
			if err := l.scores(dst, x); err != nil {
				return err
			}
			change(l, dst, x)
			return nil
		}
	}
	for _, c := range []struct {
		what, want string
		m          linear
		change     func(o *modeltest.Options)
	}{
		{what: "few rows", want: "want 2 rows", change: func(o *modeltest.Options) { o.X = o.X[:2] }},
		{what: "odd rows", want: "want 2 rows", change: func(o *modeltest.Options) { o.X = o.X[:5] }},
		{what: "error", want: "Predict of", m: linear{predict: func(*linear, []float64, []float64) error { return errors.New("no") }}},
		{what: "changes x", want: "changed x", m: linear{predict: after(func(_ *linear, _, x []float64) { clear(x) })}},
		{what: "counts calls", want: "a second Predict", m: linear{predict: after(func(l *linear, dst, _ []float64) {
			l.calls++
			if len(dst) > 0 {
				dst[0] = 1 / float64(l.calls)
			}
		})}},
		{what: "adds to dst", want: "gives NaN", m: linear{predict: func(l *linear, dst, x []float64) error {
			before := append([]float64(nil), dst...)
			err := l.scores(dst, x)
			for i := range before {
				dst[i] += before[i]
			}
			return err
		}}},
		{what: "depends on the batch", want: "alone gives", m: linear{predict: after(func(_ *linear, dst, x []float64) {
			for i := range dst {
				dst[i] /= float64(len(x))
			}
		})}},
		{what: "depends on the order", want: "in reversed order", m: linear{predict: after(func(_ *linear, dst, x []float64) {
			if len(x) > 2 && x[0] != 0 { // reversed
				dst[2] += 0.125
			}
		})}},
		{what: "leaves the unit interval", want: "outside [0,1]", m: linear{predict: after(func(_ *linear, dst, _ []float64) {
			for i := range dst {
				dst[i] = 2*dst[i] - 0.5
			}
		})}},
		{what: "does not add up", want: "add up to", m: linear{predict: after(func(_ *linear, dst, _ []float64) {
			for i := range dst {
				dst[i] /= 2
			}
		})}},
		{what: "NaN", want: "gives NaN", m: linear{predict: after(func(_ *linear, dst, x []float64) {
			for i, v := range x {
				if math.IsNaN(v) {
					dst[i] = v
				}
			}
		})}},
		{what: "no shape check", want: "want a ShapeError", m: linear{predict: func(l *linear, dst, x []float64) error {
			if len(x)%2 == 0 && len(dst) == len(x) {
				return l.scores(dst, x)
			}
			return errors.New("length")
		}}},
		{what: "writes before it checks", want: "dst was written", m: linear{predict: func(l *linear, dst, x []float64) error {
			clear(dst)
			return l.scores(dst, x)
		}}},
		{what: "refuses 0 rows", want: "0 rows", m: linear{predict: func(l *linear, dst, x []float64) error {
			if len(x) == 0 && len(dst) == 0 {
				return errors.New("empty")
			}
			return l.scores(dst, x)
		}}},
		{what: "no Decode", want: "Options.Decode is nil", change: func(o *modeltest.Options) { o.Decode = nil }},
		{what: "does not encode", want: "AppendBinary: no", m: linear{append: func(*linear, []byte) ([]byte, error) { return nil, errors.New("no") }}},
		{what: "does not append", want: "does not append", m: linear{append: func(l *linear, _ []byte) ([]byte, error) {
			return (&linear{w: l.w}).AppendBinary(nil)
		}}},
		{what: "does not decode", want: "Decode: not a linear", m: linear{append: func(_ *linear, dst []byte) ([]byte, error) {
			return append(dst, 'M'), nil
		}}},
		{what: "encodes another model", want: "the decoded model scores", m: linear{append: func(_ *linear, dst []byte) ([]byte, error) {
			return (&linear{w: [2]float64{9, 9}}).AppendBinary(dst)
		}}},
		{what: "accepts trailing bytes", want: "trailing byte", change: func(o *modeltest.Options) {
			o.Decode = func(b []byte) (model.Predictor, error) { return decode(b[:min(6, len(b))]) }
		}},
		{what: "accepts prefixes", want: "the first 5 of 6", change: func(o *modeltest.Options) {
			o.Decode = func(b []byte) (model.Predictor, error) {
				if len(b) == 5 {
					b = append(b, '.')
				}
				return decode(b)
			}
		}},
		{what: "not canonical", want: "byte 5 changed", change: func(o *modeltest.Options) {
			o.Decode = func(b []byte) (model.Predictor, error) {
				if len(b) == 6 {
					b[5] = '.'
				}
				return decode(b)
			}
		}},
		{what: "attributions fail", want: "attributions of class 0", change: func(o *modeltest.Options) {
			o.Attribute = func(_, _ []float64, _ int) error { return errors.New("no") }
		}},
		{what: "attributions off", want: "base and attributions", change: func(o *modeltest.Options) {
			o.Base = func(int) float64 { return 0.5 + 1e-8 }
		}},
		{what: "raw fails", want: "raw scores", change: func(o *modeltest.Options) {
			o.Raw = func(_, _ []float64) error { return errors.New("no") }
		}},
	} {
		o := options()
		if c.change != nil {
			c.change(&o)
		}
		c.m.w = [2]float64{3, 1}
		if c.what == "counts calls" {
			o.Decode = nil // it would race in the concurrent part otherwise
		}
		var r recorder
		modeltest.Check(&r, &c.m, o)
		if !strings.Contains(strings.Join(r.errors, "\n"), c.want) {
			t.Errorf("%s: got %q, want %q", c.what, r.errors, c.want)
		}
	}
}
