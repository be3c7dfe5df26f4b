package feature_test

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/shared/feature"
	"cloister/shared/wire"
)

var _ encoding.BinaryAppender = (*feature.TFIDF)(nil)

func encodeTFIDF(t testing.TB, step *feature.TFIDF) []byte {
	t.Helper()
	b, err := step.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// steps3 returns steps of each kind, small enough to try every byte.
func steps3(t testing.TB) []*feature.TFIDF {
	t.Helper()
	return []*feature.TFIDF{
		fit(t, []string{"alert alerts alerting on host", "host", "alert"}, feature.TFIDFOptions{}),
		fit(t, []string{"größe der flüsse", "der größe"}, feature.TFIDFOptions{MinGram: 1, MaxGram: 2, Sublinear: true}),
		fit(t, []string{"ab ba", "b"}, feature.TFIDFOptions{Chars: true, MinGram: 2, MaxGram: 3}),
	}
}

func TestDecodeTFIDF_roundTrip(t *testing.T) {
	docs := sigma(t)
	list := steps3(t)
	for _, g := range goldens(t) {
		list = append(list, fit(t, docs, g.options()))
	}
	for i, step := range list {
		b := encodeTFIDF(t, step)
		again, err := feature.DecodeTFIDF(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encodeTFIDF(t, again), b) || again.Options() != step.Options() || !slices.Equal(again.Vocabulary(), step.Vocabulary()) || !slices.Equal(again.IDF(), step.IDF()) {
			t.Errorf("step %d: another step", i)
		}
		if !slices.Equal(transform(t, again, docs...).Value, transform(t, step, docs...).Value) {
			t.Errorf("step %d: other rows", i)
		}
		if prefixed, err := step.AppendBinary([]byte("x")); err != nil || string(prefixed) != "x"+string(b) {
			t.Errorf("step %d: does not append", i)
		}
		for n := range b {
			if _, err := feature.DecodeTFIDF(b[:n]); err == nil {
				t.Fatalf("step %d: accepted the first %d of %d bytes", i, n, len(b))
			}
		}
		if _, err := feature.DecodeTFIDF(append(slices.Clone(b), 0)); !errors.Is(err, wire.ErrTrailing) {
			t.Errorf("step %d: trailing byte: %v", i, err)
		}
	}
}

// Whatever bytes are accepted encode to themselves; header bytes that do not
// choose another step are refused.
func TestDecodeTFIDF_mutations(t *testing.T) {
	accepted, refused := 0, 0
	for i, step := range steps3(t) {
		b := encodeTFIDF(t, step)
		for at := range b {
			for v := range 256 {
				m := slices.Clone(b)
				m[at] = byte(v)
				got, err := feature.DecodeTFIDF(m)
				if err != nil {
					refused++
					continue
				}
				accepted++
				if !bytes.Equal(encodeTFIDF(t, got), m) {
					t.Fatalf("step %d: byte %d = %d is accepted and encodes to other bytes", i, at, v)
				}
				if at < 5 && m[at] != b[at] {
					t.Errorf("step %d: accepted byte %d = %d of the header", i, at, v)
				}
				transform(t, got, "alert größe ab ba", "\xff")
			}
		}
	}
	if accepted < 1000 || refused < 10_000 {
		t.Errorf("%d accepted, %d refused", accepted, refused)
	}
}

// raw writes an encoding without the rules; terms are (shared, rest).
type raw struct {
	magic    string
	header   [4]byte // version, flags, least, most
	terms    []string
	same     []int
	weights  []float64
	of       []int
	trailing string
}

func (e raw) bytes() []byte {
	var w wire.Writer
	w.Bytes([]byte(e.magic))
	w.Bytes(e.header[:])
	w.Count(len(e.terms))
	for j, s := range e.terms {
		w.Count(e.same[j])
		w.Text(s)
	}
	w.Count(len(e.weights))
	for _, v := range e.weights {
		w.F64(v)
	}
	for _, k := range e.of {
		w.Count(k)
	}
	return append(w.Finish(), e.trailing...)
}

func TestDecodeTFIDF_refuses(t *testing.T) {
	good := func() raw {
		return raw{"TFID", [4]byte{1, 0, 1, 2}, []string{"alert", "s", "host"}, []int{0, 5, 0}, []float64{1, 2}, []int{1, 0, 0}, ""}
	}
	if step, err := feature.DecodeTFIDF(good().bytes()); err != nil || fmt.Sprint(step.Vocabulary(), step.IDF()) != "[alert alerts host] [2 1 1]" {
		t.Fatalf("the pattern itself: %v", err)
	}
	as := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	field := func(name string) func(error) bool {
		return func(err error) bool {
			e, ok := errors.AsType[*feature.TFIDFError](err)
			return ok && e.Field == name
		}
	}
	limit := func(err error) bool { _, ok := errors.AsType[*feature.LimitError](err); return ok }
	for _, tt := range []struct {
		name   string
		change func(*raw)
		is     func(error) bool
	}{
		{"other magic", func(e *raw) { e.magic = "TREE" }, as(feature.ErrTFIDF)},
		{"version 0", func(e *raw) { e.header[0] = 0 }, as(feature.ErrTFIDF)},
		{"version 2", func(e *raw) { e.header[0] = 2 }, as(feature.ErrTFIDF)},
		{"unknown flag", func(e *raw) { e.header[1] = 4 }, as(feature.ErrTFIDF)},
		{"no least", func(e *raw) { e.header[2] = 0 }, as(feature.ErrTFIDF)},
		{"no most", func(e *raw) { e.header[3] = 0 }, as(feature.ErrTFIDF)},
		{"least over most", func(e *raw) { e.header[2] = 3 }, field("MaxGram")},
		{"most over the limit", func(e *raw) { e.header[3] = feature.MaxGram + 1 }, field("MaxGram")},
		{"no terms", func(e *raw) { e.terms, e.weights, e.of = nil, nil, nil }, as(feature.ErrNoTerms)},
		{"shares too much", func(e *raw) { e.same[1] = 6 }, as(feature.ErrTFIDF)},
		{"first shares", func(e *raw) { e.same[0] = 1 }, as(feature.ErrTFIDF)},
		{"shares too little", func(e *raw) { e.same[1], e.terms[1] = 4, "ts" }, as(feature.ErrTFIDF)},
		{"same term", func(e *raw) { e.terms[1] = "" }, field("terms")},
		{"out of order", func(e *raw) { e.terms[2] = "a" }, as(feature.ErrTFIDF)},
		{"out of order again", func(e *raw) { e.terms[2] = "Host" }, field("terms")},
		{"not UTF-8", func(e *raw) { e.terms[2] = "\xff" }, field("terms")},
		{"long term", func(e *raw) { e.terms[2] = strings.Repeat("x", feature.MaxTerm+1) }, limit},
		{"weights out of order", func(e *raw) { e.weights = []float64{2, 1} }, as(feature.ErrTFIDF)},
		{"weight twice", func(e *raw) { e.weights = []float64{2, 2} }, as(feature.ErrTFIDF)},
		{"weight too small", func(e *raw) { e.weights[0] = .5 }, field("idf")},
		{"weight is no number", func(e *raw) { e.weights[0] = math.NaN() }, as(feature.ErrTFIDF)},
		{"last weight is no number", func(e *raw) { e.weights[1] = math.NaN() }, as(feature.ErrTFIDF)},
		{"only weight is no number", func(e *raw) { e.weights, e.of = []float64{math.NaN()}, []int{0, 0, 0} }, field("idf")},
		{"infinite weight", func(e *raw) { e.weights[1] = math.Inf(1) }, field("idf")},
		{"no such weight", func(e *raw) { e.of[0] = 2 }, as(feature.ErrTFIDF)},
		{"idle weight", func(e *raw) { e.of[0] = 0 }, as(feature.ErrTFIDF)},
		{"too few weights of terms", func(e *raw) { e.of = e.of[:2] }, as(wire.ErrShort)},
		{"trailing", func(e *raw) { e.trailing = "\x00" }, as(wire.ErrTrailing)},
	} {
		e := good()
		tt.change(&e)
		if _, err := feature.DecodeTFIDF(e.bytes()); err == nil || !tt.is(err) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// Counts that the bytes cannot hold size nothing.
	huge := binary.AppendUvarint([]byte("TFID\x01\x00\x01\x01"), math.MaxUint64)
	if n := testing.AllocsPerRun(10, func() {
		if _, err := feature.DecodeTFIDF(huge); !errors.Is(err, wire.ErrCount) {
			t.Errorf("huge count: %v", err)
		}
	}); n > 20 {
		t.Errorf("%v allocations", n)
	}
	long := append([]byte("TFID\x01\x00\x01\x01\x01"), 0, 0xff, 0xff, 0xff, 0xff, 0x7f)
	if _, err := feature.DecodeTFIDF(append(long, make([]byte, 64)...)); !errors.Is(err, wire.ErrCount) {
		t.Errorf("huge term: %v", err)
	}
	same := append([]byte("TFID\x01\x00\x01\x01\x01"), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 'a')
	if _, err := feature.DecodeTFIDF(append(same, make([]byte, 64)...)); !errors.Is(err, feature.ErrTFIDF) {
		t.Errorf("huge share: %v", err)
	}
}

// FuzzDecodeTFIDF checks that what is accepted encodes to the same bytes and
// makes rows of length 1 or 0.
func FuzzDecodeTFIDF(f *testing.F) {
	for _, step := range steps3(f) {
		f.Add(encodeTFIDF(f, step), "alert on HOST größe ab")
	}
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		step, err := feature.DecodeTFIDF(b)
		if err != nil || len(text) > 1<<12 {
			return
		}
		if !bytes.Equal(encodeTFIDF(t, step), b) {
			t.Error("encodes to other bytes")
		}
		norm := 0.0
		x := transform(t, step, text)
		for k, v := range x.Value {
			norm += v * v
			if j := x.Index[k]; int(j) >= step.Len() {
				t.Errorf("column %d of %d", j, step.Len())
			}
		}
		if len(x.Value) > 0 && !(math.Abs(norm-1) < 1e-12) {
			t.Errorf("squares sum to %v", norm)
		}
	})
}

// BenchmarkTFIDF reads the 24 texts of the excerpt over and over.
func BenchmarkTFIDF(b *testing.B) {
	docs := sigma(b)
	size := 0
	for _, doc := range docs {
		size += len(doc)
	}
	for _, bench := range []struct {
		name string
		o    feature.TFIDFOptions
	}{
		{"words", feature.TFIDFOptions{MaxFeatures: 1000}},
		{"pairs", feature.TFIDFOptions{MaxGram: 2, Sublinear: true, MaxFeatures: 1000}},
		{"characters", feature.TFIDFOptions{Chars: true, MinGram: 3, MaxGram: 5, MaxFeatures: 1000}},
	} {
		b.Run("transform/"+bench.name, func(b *testing.B) {
			step := fit(b, docs, bench.o)
			var x feature.Sparse
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				x = feature.Sparse{Start: x.Start[:0], Index: x.Index[:0], Value: x.Value[:0]}
				if err := step.Transform(&x, docs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(docs))/b.Elapsed().Seconds(), "docs/s")
		})
		b.Run("fit/"+bench.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				fit(b, docs, bench.o)
			}
			b.ReportMetric(float64(b.N*len(docs))/b.Elapsed().Seconds(), "docs/s")
		})
	}
}
