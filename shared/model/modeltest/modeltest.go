// Package modeltest checks what every [model.Predictor] promises. It hides
// the list of promises, so that a new family of models is held to all of them
// by one call in its tests:
//
//	modeltest.Check(t, m, modeltest.Options{X: rows, Decode: decode, Sum: true, Unit: true})
//
// It is imported by tests only. It calls Predict from several goroutines and
// waits for them; run it with -race.
package modeltest

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"sync"

	"cloister/shared/model"
)

// T is the part of [testing.TB] that Check uses.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Options say what to check a model on, and what its family promises beyond
// the interface.
type Options struct {
	// X holds rows of typical values, n×d with n >= 2. Check adds its own
	// rows of NaN and infinities.
	X []float64
	// Decode is the Decode of the model's package.
	Decode func([]byte) (model.Predictor, error)
	// Unit: every score is in [0,1].
	Unit bool
	// Sum: the scores of a row add up to 1 within SumTolerance.
	Sum bool
	// Raw and Attribute are nil, or the score that attributions explain and
	// the attributions: per row Base(class) plus its phi add up to Raw.
	Raw       func(dst, x []float64) error
	Attribute func(phi, x []float64, class int) error
	Base      func(class int) float64
}

const (
	// SumTolerance allows for the rounding of a sum of up to 1,000 scores.
	SumTolerance = 1e-12
	// AddTolerance allows for that of attributions, relative to the larger
	// of 1 and the score.
	AddTolerance = 1e-9
)

// Check reports each promise that m breaks as an error of t. It predicts a
// few hundred times and decodes up to 800 damaged copies of the encoding.
func Check(t T, m model.Predictor, o Options) {
	t.Helper()
	d, k := m.Shape()
	if d < 1 || k < 1 {
		t.Errorf("shape is %d×%d", d, k)
		return
	}
	if len(o.X)%d != 0 || len(o.X)/d < 2 {
		t.Errorf("X holds %d values, want 2 rows of %d or more", len(o.X), d)
		return
	}
	c := checker{t, m, o, d, k, append(slices.Clone(o.X), oddRows(d)...)}
	want := c.predict(c.x)
	if want == nil {
		return
	}
	c.repeats(want)
	c.rowsStandAlone(want)
	c.orderIsIrrelevant(want)
	c.scores(want)
	c.lengths()
	c.concurrent(want)
	if o.Decode == nil {
		t.Errorf("Options.Decode is nil")
	} else {
		c.encoding(want)
	}
	if o.Attribute != nil {
		c.additive()
	}
}

// oddRows are rows of one odd value, and a row that mixes them.
func oddRows(d int) []float64 {
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64, 5e-324}
	var x []float64
	for i := range len(odd) + 1 {
		for j := range d {
			v := odd[j%len(odd)]
			if i < len(odd) {
				v = odd[i]
			}
			x = append(x, v)
		}
	}
	return x
}

type checker struct {
	t    T
	m    model.Predictor
	o    Options
	d, k int
	x    []float64
}

// predict returns the scores of x, nil after an error; it also checks that x
// stays as it was, and that no score is what dst held before.
func (c *checker) predict(x []float64) []float64 {
	c.t.Helper()
	dst := make([]float64, len(x)/c.d*c.k)
	for i := range dst {
		dst[i] = math.Float64frombits(0x7ff8dead0000beef)
	}
	before := slices.Clone(x)
	if err := c.m.Predict(dst, x); err != nil {
		c.t.Errorf("Predict of %d rows: %v", len(x)/c.d, err)
		return nil
	}
	if !sameBits(x, before) {
		c.t.Errorf("Predict changed x")
	}
	return dst
}

func sameBits(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(p, q float64) bool { return math.Float64bits(p) == math.Float64bits(q) })
}

func (c *checker) repeats(want []float64) {
	c.t.Helper()
	if !sameBits(c.predict(c.x), want) {
		c.t.Errorf("a second Predict gave other bits")
	}
}

func (c *checker) rowsStandAlone(want []float64) {
	c.t.Helper()
	for r := range len(c.x) / c.d {
		got := c.predict(c.x[r*c.d : (r+1)*c.d])
		if !sameBits(got, want[r*c.k:(r+1)*c.k]) {
			c.t.Errorf("row %d alone gives %v, in the batch %v", r, got, want[r*c.k:(r+1)*c.k])
			return
		}
	}
}

func (c *checker) orderIsIrrelevant(want []float64) {
	c.t.Helper()
	n := len(c.x) / c.d
	var x []float64
	for r := n - 1; r >= 0; r-- {
		x = append(x, c.x[r*c.d:(r+1)*c.d]...)
	}
	got := c.predict(x)
	for r := range n {
		if got != nil && !sameBits(got[(n-1-r)*c.k:(n-r)*c.k], want[r*c.k:(r+1)*c.k]) {
			c.t.Errorf("row %d scores otherwise in reversed order", r)
			return
		}
	}
}

func (c *checker) scores(want []float64) {
	c.t.Helper()
	for r := range len(want) / c.k {
		sum := 0.0
		for _, v := range want[r*c.k : (r+1)*c.k] {
			sum += v
			if math.IsNaN(v) {
				c.t.Errorf("row %d: x %v gives NaN", r, c.x[r*c.d:(r+1)*c.d])
				return
			}
			if c.o.Unit && (v < 0 || v > 1) {
				c.t.Errorf("row %d: score %v is outside [0,1]", r, v)
				return
			}
		}
		if c.o.Sum && !(math.Abs(sum-1) <= SumTolerance) {
			c.t.Errorf("row %d: scores add up to %v", r, sum)
			return
		}
	}
}

func (c *checker) lengths() {
	c.t.Helper()
	for _, l := range []struct{ x, dst int }{{c.d, c.k + 1}, {c.d, 0}, {2 * c.d, c.k}, {0, c.k}, {c.d + 1, c.k}, {c.d - 1, c.k}} {
		if l.x%c.d == 0 && l.x/c.d*c.k == l.dst {
			continue // d is 1
		}
		dst := make([]float64, l.dst)
		for i := range dst {
			dst[i] = -7
		}
		err := c.m.Predict(dst, make([]float64, l.x))
		if _, ok := errors.AsType[*model.ShapeError](err); !ok {
			c.t.Errorf("x of %d and dst of %d values: got error %v, want a ShapeError", l.x, l.dst, err)
		}
		if slices.ContainsFunc(dst, func(v float64) bool { return v != -7 }) {
			c.t.Errorf("x of %d and dst of %d values: dst was written", l.x, l.dst)
		}
	}
	if err := c.m.Predict(nil, nil); err != nil {
		c.t.Errorf("0 rows: %v", err)
	}
}

func (c *checker) concurrent(want []float64) {
	c.t.Helper()
	var wait sync.WaitGroup
	var got [4][]float64
	for i := range got {
		wait.Go(func() {
			got[i] = make([]float64, len(want))
			for range 3 {
				if c.m.Predict(got[i], c.x) != nil {
					got[i] = nil
					return
				}
			}
		})
	}
	wait.Wait()
	for _, g := range got {
		if !sameBits(g, want) {
			c.t.Errorf("concurrent Predicts gave other bits")
			return
		}
	}
}

func (c *checker) encoding(want []float64) {
	c.t.Helper()
	b, err := c.m.AppendBinary(nil)
	if err != nil {
		c.t.Errorf("AppendBinary: %v", err)
		return
	}
	if after, _ := c.m.AppendBinary([]byte("before")); !bytes.Equal(after, append([]byte("before"), b...)) {
		c.t.Errorf("AppendBinary does not append, or not the same bytes twice")
	}
	m, err := c.o.Decode(bytes.Clone(b))
	if err != nil {
		c.t.Errorf("Decode: %v", err)
		return
	}
	if d, k := m.Shape(); d != c.d || k != c.k {
		c.t.Errorf("decoded shape is %d×%d, want %d×%d", d, k, c.d, c.k)
		return
	}
	got := make([]float64, len(want))
	if err := m.Predict(got, c.x); err != nil || !sameBits(got, want) {
		c.t.Errorf("the decoded model scores otherwise (error %v)", err)
	}
	if again, err := m.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
		c.t.Errorf("the decoded model encodes otherwise (error %v)", err)
	}
	if _, err := c.o.Decode(append(bytes.Clone(b), 0)); err == nil {
		c.t.Errorf("Decode accepts a trailing byte")
	}
	c.prefixes(b)
	c.mutations(b)
}

// someOf yields all of 0..n-1 up to 200, else the first and last 50 and
// evenly spaced ones between.
func someOf(n int, use func(i int) bool) {
	step := max(1, n/100)
	for i := 0; i < n; i++ {
		if n > 200 && i >= 50 && i < n-50 && i%step != 0 {
			continue
		}
		if !use(i) {
			return
		}
	}
}

func (c *checker) prefixes(b []byte) {
	c.t.Helper()
	someOf(len(b), func(n int) bool {
		_, err := c.o.Decode(bytes.Clone(b[:n]))
		if err == nil {
			c.t.Errorf("Decode accepts the first %d of %d bytes", n, len(b))
		}
		return err != nil
	})
}

// mutations checks that a changed byte is refused or is the one encoding of
// another model.
func (c *checker) mutations(b []byte) {
	c.t.Helper()
	someOf(len(b), func(i int) bool {
		for _, flip := range []byte{1, 0x80, 0xff} {
			damaged := bytes.Clone(b)
			damaged[i] ^= flip
			m, err := c.o.Decode(bytes.Clone(damaged))
			if err != nil {
				continue
			}
			if again, err := m.AppendBinary(nil); err != nil || !bytes.Equal(again, damaged) {
				c.t.Errorf("Decode accepts byte %d changed by %#x, and encodes it otherwise (error %v)", i, flip, err)
				return false
			}
		}
		return true
	})
}

func (c *checker) additive() {
	c.t.Helper()
	n := len(c.x) / c.d
	raw := make([]float64, n*c.k)
	if err := c.o.Raw(raw, c.x); err != nil {
		c.t.Errorf("raw scores: %v", err)
		return
	}
	for class := range c.k {
		phi := make([]float64, len(c.x))
		if err := c.o.Attribute(phi, c.x, class); err != nil {
			c.t.Errorf("attributions of class %d: %v", class, err)
			return
		}
		for r := range n {
			sum := c.o.Base(class)
			for _, p := range phi[r*c.d : (r+1)*c.d] {
				sum += p
			}
			if want := raw[r*c.k+class]; !(math.Abs(sum-want) <= AddTolerance*max(1, math.Abs(want))) {
				c.t.Errorf("row %d class %d: base and attributions add up to %v, want %v", r, class, sum, want)
				return
			}
		}
	}
}
