package explain_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/shared/explain"
)

func TestTokens(t *testing.T) {
	type (
		spans  = []explain.Span
		tokens = []explain.Token
	)
	chars := explain.TokenOptions{Chars: true}
	for _, c := range []struct {
		name   string
		doc    string
		phi    []float64
		spans  spans
		o      explain.TokenOptions
		want   tokens
		absent []explain.Absent
	}{
		{name: "nothing"},
		{name: "a column is shared by its occurrences", doc: "root or root", phi: []float64{3},
			spans: spans{{0, 0, 4}, {0, 8, 12}}, want: tokens{{0, 4, 1.5}, {8, 12, 1.5}}},
		{name: "a bigram is shared by its words, and adds up with theirs", doc: "Failed  password!", phi: []float64{1, 4, -1},
			spans: spans{{0, 0, 6}, {1, 0, 16}, {2, 8, 16}}, want: tokens{{0, 6, 3}, {8, 16, 1}}},
		{name: "words too short for a column get nothing", doc: "log a file", phi: []float64{2},
			spans: spans{{0, 0, 10}}, want: tokens{{0, 3, 1}, {6, 10, 1}}},
		{name: "but single characters do if there is nothing else", doc: "a-b", phi: []float64{2},
			spans: spans{{0, 0, 3}}, want: tokens{{0, 1, 1}, {2, 3, 1}}},
		{name: "and a span without words as a whole", doc: "a +++ b", phi: []float64{2},
			spans: spans{{0, 2, 5}}, want: tokens{{2, 5, 2}}},
		{name: "numbers and underscores are parts of words", doc: "CVE_2024 ²½", phi: []float64{2},
			spans: spans{{0, 0, 13}}, want: tokens{{0, 8, 1}, {9, 13, 1}}},
		{name: "characters are cut where spans begin and end", doc: "abcd", phi: []float64{3, 30}, o: chars,
			spans: spans{{0, 0, 3}, {1, 1, 4}}, want: tokens{{0, 1, 1}, {1, 3, 22}, {3, 4, 10}}},
		{name: "in characters, not in bytes", doc: "aé€", phi: []float64{3, 1}, o: chars,
			spans: spans{{0, 0, 6}, {1, 1, 3}}, want: tokens{{0, 1, 1}, {1, 3, 2}, {3, 6, 1}}},
		{name: "a byte that is no character is one", doc: "\xff\xfe", phi: []float64{4, 0}, o: chars,
			spans: spans{{0, 0, 2}, {1, 1, 2}}, want: tokens{{0, 1, 2}, {1, 2, 2}}},
		{name: "padding has no bytes", doc: "ab", phi: []float64{4, 2, 1}, o: chars,
			spans: spans{{0, 0, 0}, {1, 0, 2}, {2, 2, 2}}, want: tokens{{0, 0, 4}, {0, 2, 2}, {2, 2, 1}}},
		{name: "absent columns in order, zeros left out", doc: "ab", phi: []float64{-1, 0, 5, 2},
			spans: spans{{2, 0, 2}}, want: tokens{{0, 2, 5}}, absent: []explain.Absent{{0, -1}, {3, 2}}},
		{name: "a present column of value 0 has its place", doc: "ab", phi: []float64{0},
			spans: spans{{0, 0, 2}}, want: tokens{{0, 2, 0}}},
	} {
		got, absent, err := explain.Tokens(c.phi, c.doc, c.spans, c.o)
		if err != nil || !slices.Equal(got, c.want) || !slices.Equal(absent, c.absent) {
			t.Errorf("%s: got %v, %v, %v; want %v, %v", c.name, got, absent, err, c.want, c.absent)
		}
		slices.Reverse(c.spans)
		if again, _, _ := explain.Tokens(c.phi, c.doc, c.spans, c.o); !slices.Equal(again, got) {
			t.Errorf("%s: spans in another order: got %v, want %v", c.name, again, got)
		}
	}
}

func TestTokens_refuse(t *testing.T) {
	for _, c := range []struct {
		what string
		span explain.Span
	}{
		{"column", explain.Span{Column: -1, Start: 0, End: 1}}, {"column", explain.Span{Column: 2, Start: 0, End: 1}},
		{"bytes", explain.Span{Start: -1, End: 1}}, {"bytes", explain.Span{Start: 1, End: 0}}, {"bytes", explain.Span{Start: 0, End: 4}},
	} {
		tokens, absent, err := explain.Tokens(make([]float64, 2), "abc", []explain.Span{{End: 3}, c.span}, explain.TokenOptions{})
		e, ok := errors.AsType[*explain.SpanError](err)
		if !ok || e.At != 1 || e.Span != c.span || e.What != c.what || tokens != nil || absent != nil {
			t.Errorf("%+v: got %v", c.span, err)
		}
	}
}

// tokens checks what Tokens promises for any spans.
func checkTokens(t *testing.T, phi []float64, doc string, spans []explain.Span, o explain.TokenOptions) {
	t.Helper()
	tokens, absent, err := explain.Tokens(phi, doc, spans, o)
	if err != nil {
		t.Fatal(err)
	}
	want, size, sum := 0.0, 1.0, 0.0
	for _, v := range phi {
		want += v
		size += math.Abs(v)
	}
	covered := make([]bool, len(doc))
	for _, s := range spans {
		for i := s.Start; i < s.End; i++ {
			covered[i] = true
		}
	}
	last := explain.Token{}
	for i, x := range tokens {
		if i > 0 && (x.Start < last.End || x == last) || x.Start > x.End || int(x.End) > len(doc) {
			t.Fatalf("%v after %v in %d bytes", x, last, len(doc))
		}
		for _, c := range covered[x.Start:x.End] {
			if !c {
				t.Fatalf("%v is outside the spans", x)
			}
		}
		last = x
		sum += x.Value
	}
	for i, x := range absent {
		if i > 0 && x.Column <= absent[i-1].Column {
			t.Fatalf("absent %v after %v", x, absent[i-1])
		}
		sum += x.Value
	}
	if !(math.Abs(sum-want) <= 1e-12*size) {
		t.Fatalf("%q %v %v: sum %v, want %v", doc, phi, spans, sum, want)
	}
}

func TestTokens_addUp(t *testing.T) {
	r := rand.New(rand.NewPCG(90, 0))
	alphabet := []rune("ab_1 é-€𐍈 ")
	for range 300 {
		var doc []rune
		for range r.IntN(40) {
			doc = append(doc, alphabet[r.IntN(len(alphabet))])
		}
		text := string(doc)
		phi := make([]float64, 1+r.IntN(9))
		for j := range phi {
			phi[j] = r.NormFloat64()
		}
		var spans []explain.Span
		for range r.IntN(12) {
			a, b := r.IntN(len(text)+1), r.IntN(len(text)+1)
			spans = append(spans, explain.Span{Column: int32(r.IntN(len(phi))), Start: int32(min(a, b)), End: int32(max(a, b))})
		}
		checkTokens(t, phi, text, spans, explain.TokenOptions{Chars: r.IntN(2) == 0})
	}
}

func FuzzTokens(f *testing.F) {
	f.Add("Failed password for root", []byte{0, 0, 6, 1, 0, 15, 2, 7, 15}, 5, false)
	f.Add("\xc3\x28é", []byte{0, 0, 1, 0, 1, 3}, 1, true)
	f.Fuzz(func(t *testing.T, doc string, raw []byte, columns int, chars bool) {
		if len(doc) > 255 || columns < 1 || columns > 255 {
			return
		}
		phi := make([]float64, columns)
		for j := range phi {
			phi[j] = float64(j%7) - 2.5
		}
		var spans []explain.Span
		for ; len(raw) >= 3 && len(spans) < 99; raw = raw[3:] {
			a, b := int(raw[1])%(len(doc)+1), int(raw[2])%(len(doc)+1)
			spans = append(spans, explain.Span{Column: int32(int(raw[0]) % columns), Start: int32(min(a, b)), End: int32(max(a, b))})
		}
		checkTokens(t, phi, doc, spans, explain.TokenOptions{Chars: chars})
	})
}
