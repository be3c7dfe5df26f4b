package feature_test

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloister/shared/feature"
)

func fit(t testing.TB, docs []string, o feature.TFIDFOptions) *feature.TFIDF {
	t.Helper()
	step, err := feature.FitTFIDF(docs, o)
	if err != nil {
		t.Fatal(err)
	}
	return step
}

func transform(t testing.TB, step *feature.TFIDF, docs ...string) *feature.Sparse {
	t.Helper()
	x := new(feature.Sparse)
	if err := step.Transform(x, docs); err != nil {
		t.Fatal(err)
	}
	return x
}

func ExampleFitTFIDF() {
	docs := []string{"beacon to known host", "beacon beacon", "new host"}
	step, err := feature.FitTFIDF(docs, feature.TFIDFOptions{MaxFeatures: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	var x feature.Sparse
	if err := step.Transform(&x, docs); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(step.Vocabulary())
	for i := range x.Len() {
		index, value := x.Row(i)
		fmt.Printf("%v %.3f\n", index, value)
	}
	// Output:
	// [beacon host]
	// [0 1] [0.707 0.707]
	// [0] [1.000]
	// [1] [1.000]
}

// The expected values are the definition's, by hand.
func TestTFIDF_weights(t *testing.T) {
	docs := []string{"aa bb bb", "aa cc", "aa"}
	ln := math.Log
	aa, bb, cc := ln(4./4)+1, ln(4./2)+1, ln(4./2)+1
	norm := func(v ...float64) string {
		sum := 0.0
		for _, w := range v {
			sum += w * w
		}
		for i := range v {
			v[i] /= math.Sqrt(sum)
		}
		return fmt.Sprintf("%.12f", v)
	}
	for _, tt := range []struct {
		sublinear bool
		text      string
		index     string
		value     string
	}{
		{false, "bb aa bb", "[0 1]", norm(aa, 2*bb)},
		{true, "bb aa bb", "[0 1]", norm(aa, (1+ln(2))*bb)},
		{false, "CC zz bb", "[1 2]", norm(bb, cc)},
		{false, "cc", "[2]", norm(cc)},
		{false, "zz", "[]", norm()},
		{true, "", "[]", norm()},
	} {
		step := fit(t, docs, feature.TFIDFOptions{Sublinear: tt.sublinear})
		if got := step.Vocabulary(); !slices.Equal(got, []string{"aa", "bb", "cc"}) {
			t.Fatalf("vocabulary %q", got)
		}
		index, value := transform(t, step, tt.text).Row(0)
		if fmt.Sprint(index) != tt.index || fmt.Sprintf("%.12f", value) != tt.value {
			t.Errorf("%q: %v %.12f, want %s %s", tt.text, index, value, tt.index, tt.value)
		}
	}
}

func TestFitTFIDF_choosesColumns(t *testing.T) {
	// term:      dd 5 in 1, aa 3 in 3, cc 2 in 2, bb 2 in 1, ee 2 in 2, ff 1 in 1
	docs := []string{"dd dd dd dd dd aa cc", "aa ee bb bb", "aa cc ee", "ff"}
	for _, tt := range []struct {
		name string
		o    feature.TFIDFOptions
		want string
	}{
		{"all", feature.TFIDFOptions{}, "aa bb cc dd ee ff"},
		{"by occurrences, not documents", feature.TFIDFOptions{MaxFeatures: 1}, "dd"},
		{"ties by term", feature.TFIDFOptions{MaxFeatures: 3}, "aa bb dd"},
		{"more ties", feature.TFIDFOptions{MaxFeatures: 4}, "aa bb cc dd"},
		{"as many as there are", feature.TFIDFOptions{MaxFeatures: 6}, "aa bb cc dd ee ff"},
		{"more than there are", feature.TFIDFOptions{MaxFeatures: 7}, "aa bb cc dd ee ff"},
		{"at least 2 documents", feature.TFIDFOptions{MinDocs: 2}, "aa cc ee"},
		{"at least 3 documents", feature.TFIDFOptions{MinDocs: 3}, "aa"},
		{"at least half", feature.TFIDFOptions{MinShare: .5}, "aa cc ee"},
		{"over half", feature.TFIDFOptions{MinShare: .51}, "aa"},
		{"at most 2 documents", feature.TFIDFOptions{MaxDocs: 2}, "bb cc dd ee ff"},
		{"at most 1 document", feature.TFIDFOptions{MaxDocs: 1}, "bb dd ff"},
		{"at most half", feature.TFIDFOptions{MaxShare: .5}, "bb cc dd ee ff"},
		{"under half", feature.TFIDFOptions{MaxShare: .49}, "bb dd ff"},
		{"both ends", feature.TFIDFOptions{MinDocs: 2, MaxShare: .5}, "cc ee"},
		{"cut after the other limits", feature.TFIDFOptions{MinDocs: 2, MaxDocs: 2, MaxFeatures: 1}, "cc"},
	} {
		if got := strings.Join(fit(t, docs, tt.o).Vocabulary(), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestFitTFIDF_order(t *testing.T) {
	docs := sigma(t)
	back := slices.Clone(docs)
	slices.Reverse(back)
	o := feature.TFIDFOptions{MaxGram: 2, MaxFeatures: 300}
	a, _ := fit(t, docs, o).AppendBinary(nil)
	b, _ := fit(t, back, o).AppendBinary(nil)
	if !slices.Equal(a, b) {
		t.Error("the order of the documents matters")
	}
}

func TestFitTFIDF_refuses(t *testing.T) {
	docs := []string{"aa bb"}
	for _, tt := range []struct {
		field string
		o     feature.TFIDFOptions
	}{
		{"MinGram", feature.TFIDFOptions{MinGram: -1}},
		{"MinGram", feature.TFIDFOptions{MinGram: feature.MaxGram + 1}},
		{"MaxGram", feature.TFIDFOptions{MaxGram: feature.MaxGram + 1}},
		{"MaxGram", feature.TFIDFOptions{MinGram: 2, MaxGram: 1}},
		{"MaxFeatures", feature.TFIDFOptions{MaxFeatures: -1}},
		{"MaxFeatures", feature.TFIDFOptions{MaxFeatures: feature.MaxVocabulary + 1}},
		{"MinDocs", feature.TFIDFOptions{MinDocs: -1}},
		{"MaxDocs", feature.TFIDFOptions{MaxDocs: -1}},
		{"MinShare", feature.TFIDFOptions{MinShare: math.NaN()}},
		{"MinShare", feature.TFIDFOptions{MinShare: -.1}},
		{"MaxShare", feature.TFIDFOptions{MaxShare: 1.1}},
	} {
		_, err := feature.FitTFIDF(docs, tt.o)
		if e, ok := errors.AsType[*feature.TFIDFError](err); !ok || e.Field != tt.field {
			t.Errorf("%+v: %v, want a fault of %s", tt.o, err, tt.field)
		}
	}
	for name, docs := range map[string][]string{"no documents": nil, "no text": {"", " \x00"}, "short words": {"a b c"}} {
		if _, err := feature.FitTFIDF(docs, feature.TFIDFOptions{}); err != feature.ErrNoTerms {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := feature.FitTFIDF(docs, feature.TFIDFOptions{MinDocs: 2}); err != feature.ErrNoTerms {
		t.Errorf("all dropped: %v", err)
	}
	if _, err := feature.FitTFIDF(docs, feature.TFIDFOptions{MinGram: feature.MaxGram, Chars: true}); err != nil {
		t.Errorf("longest terms: %v", err)
	}
}

func TestNewTFIDF_refuses(t *testing.T) {
	one := []float64{1, 1}
	for _, tt := range []struct {
		name  string
		terms []string
		idf   []float64
		want  string
	}{
		{"out of order", []string{"b", "a"}, one, "terms 1"},
		{"repeated", []string{"a", "a"}, one, "terms 1"},
		{"empty", []string{"", "a"}, one, "terms 0"},
		{"not UTF-8", []string{"a", "b\xff"}, one, "terms 1"},
		{"too few weights", []string{"a", "b"}, one[:1], "idf: 1 values"},
		{"small weight", []string{"a", "b"}, []float64{1, math.Nextafter(1, 0)}, "idf 1"},
		{"large weight", []string{"a", "b"}, []float64{math.Nextafter(feature.MaxIDF, 99), 1}, "idf 0"},
		{"no number", []string{"a", "b"}, []float64{1, math.NaN()}, "idf 1"},
	} {
		_, err := feature.NewTFIDF(tt.terms, tt.idf, feature.TFIDFOptions{})
		if e, ok := errors.AsType[*feature.TFIDFError](err); !ok || !strings.Contains(e.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := feature.NewTFIDF(nil, nil, feature.TFIDFOptions{}); err != feature.ErrNoTerms {
		t.Errorf("nothing: %v", err)
	}
	step, err := feature.NewTFIDF([]string{"a", "b"}, []float64{1, feature.MaxIDF}, feature.TFIDFOptions{MaxFeatures: 9, MinDocs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := step.Options(); got != (feature.TFIDFOptions{MinGram: 1, MaxGram: 1}) {
		t.Errorf("options of fitting stayed: %+v", got)
	}
}

// limit asserts that err is a LimitError of one over the limit.
func limit(t *testing.T, err error, what string, limit int) {
	t.Helper()
	e, ok := errors.AsType[*feature.LimitError](err)
	if !ok || e.What != what || e.Limit != limit || e.Got != limit+1 {
		t.Errorf("got %v, want %s over %d", err, what, limit)
	}
}

func TestTFIDF_documentLimit(t *testing.T) {
	full := strings.Repeat("aa ", feature.MaxDocument/3+1)[:feature.MaxDocument]
	step := fit(t, []string{full}, feature.TFIDFOptions{})
	x := transform(t, step, "aa")
	was := fmt.Sprint(*x)
	err := step.Transform(x, []string{"aa", full + "a"})
	limit(t, err, "bytes of document", feature.MaxDocument)
	if e, ok := errors.AsType[*feature.LimitError](err); !ok || e.At != 1 {
		t.Errorf("%v: want document 1", err)
	}
	if fmt.Sprint(*x) != was {
		t.Error("a refused call changed the matrix")
	}
	if _, value := transform(t, step, full).Row(0); len(value) != 1 || value[0] != 1 {
		t.Errorf("row %v", value)
	}
	_, err = feature.FitTFIDF([]string{full + "a"}, feature.TFIDFOptions{})
	limit(t, err, "bytes of document", feature.MaxDocument)
	_, err = step.Spans(nil, full+"a")
	limit(t, err, "bytes of document", feature.MaxDocument)
	if spans, err := step.Spans(nil, full); err != nil || len(spans) != feature.MaxDocument/3 {
		t.Errorf("%d spans, %v", len(spans), err)
	}
}

func TestTFIDF_termLimit(t *testing.T) {
	word := strings.Repeat("a", feature.MaxTerm)
	step := fit(t, []string{word, word + "a", "bb"}, feature.TFIDFOptions{})
	if got := step.Vocabulary(); !slices.Equal(got, []string{word, "bb"}) {
		t.Errorf("vocabulary %q", got)
	}
	if _, err := feature.NewTFIDF([]string{word}, []float64{1}, feature.TFIDFOptions{}); err != nil {
		t.Error(err)
	}
	_, err := feature.NewTFIDF([]string{word + "a"}, []float64{1}, feature.TFIDFOptions{})
	limit(t, err, "bytes of term", feature.MaxTerm)
	// The limit holds for several words together, and for bytes after lower
	// case: Ⱥ has two, ⱥ three.
	pairs := fit(t, []string{word[:feature.MaxTerm-3] + " bb", word[:feature.MaxTerm-2] + " bb"}, feature.TFIDFOptions{MinGram: 2})
	if got := pairs.Vocabulary(); !slices.Equal(got, []string{word[:feature.MaxTerm-3] + " bb"}) {
		t.Errorf("vocabulary of pairs %q", got)
	}
	if _, err := feature.FitTFIDF([]string{strings.Repeat("Ⱥ", feature.MaxTerm/2)}, feature.TFIDFOptions{}); err != feature.ErrNoTerms {
		t.Errorf("grown word: %v", err)
	}
	// A long word is still a word between others.
	if got := fit(t, []string{"bb " + word + "a cc"}, feature.TFIDFOptions{MinGram: 1, MaxGram: 2}).Vocabulary(); !slices.Equal(got, []string{"bb", "cc"}) {
		t.Errorf("vocabulary around a long word %q", got)
	}
}

// numbered returns documents that hold n different words.
func numbered(n int) []string {
	var docs []string
	var b strings.Builder
	for i := range n {
		b.WriteString(fmt.Sprintf("%08x ", i))
		if b.Len() > feature.MaxDocument-9 {
			docs = append(docs, b.String())
			b.Reset()
		}
	}
	return append(docs, b.String())
}

func TestFitTFIDF_vocabularyLimits(t *testing.T) {
	full := numbered(feature.MaxVocabulary)
	step := fit(t, full, feature.TFIDFOptions{})
	if step.Len() != feature.MaxVocabulary {
		t.Errorf("%d columns", step.Len())
	}
	over := append(slices.Clone(full), "more")
	_, err := feature.FitTFIDF(over, feature.TFIDFOptions{})
	limit(t, err, "terms", feature.MaxVocabulary)
	if got := fit(t, over, feature.TFIDFOptions{MaxFeatures: feature.MaxVocabulary}); got.Len() != feature.MaxVocabulary {
		t.Errorf("%d columns", got.Len())
	}
	terms := append(slices.Clone(step.Vocabulary()), "more")
	idf := append(slices.Clone(step.IDF()), 1)
	_, err = feature.NewTFIDF(terms, idf, feature.TFIDFOptions{})
	limit(t, err, "terms", feature.MaxVocabulary)

	// The encoding of one column too many: the count and one more term.
	b, err := step.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := feature.DecodeTFIDF(b); err != nil {
		t.Error(err)
	}
	if string(b[8:11]) != "\x80\x80\x04" {
		t.Fatalf("count %x", b[8:11])
	}
	b[8]++
	_, err = feature.DecodeTFIDF(b)
	limit(t, err, "terms", feature.MaxVocabulary)

	distinct := append(numbered(feature.MaxDistinct), "00000002 00000001")
	if got := fit(t, distinct, feature.TFIDFOptions{MinDocs: 2}); !slices.Equal(got.Vocabulary(), []string{"00000001", "00000002"}) {
		t.Errorf("vocabulary %q", got.Vocabulary())
	}
	_, err = feature.FitTFIDF(append(distinct, "more"), feature.TFIDFOptions{MinDocs: 2})
	limit(t, err, "different terms", feature.MaxDistinct)
}

func TestTFIDF_hostileText(t *testing.T) {
	words := fit(t, []string{"alert on host", "alert"}, feature.TFIDFOptions{})
	chars := fit(t, []string{"alert on host \xff\xff\xff \x00\x00\x00"}, feature.TFIDFOptions{Chars: true, MinGram: 4})
	want := transform(t, words, "alert host")
	for name, text := range map[string]string{
		"invalid bytes part words":  "alert\xffhost",
		"a cut character":           "alert\xe2\x82host\xf0\x9f",
		"an overlong form":          "alert\xc0\xafhost",
		"a surrogate":               "alert\xed\xa0\x80host",
		"zero bytes part words":     "\x00alert\x00\x00host\x00",
		"a megabyte without spaces": "alert " + strings.Repeat("a", 1_000_000) + " host",
		"a megabyte of white space": "alert" + strings.Repeat(" \t", 500_000) + "host",
		"a megabyte of sigmas":      "alert " + strings.Repeat("Σ", 500_000) + " host",
		"sigmas and accents":        "alert " + strings.Repeat("Σ\u0301\u0301", 160_000) + " host",
		"sigmas and quotes":         "alert " + strings.Repeat("Σ''''''''", 100_000) + " host",
		"half a megabyte of quotes": "alert Σ" + strings.Repeat("'", 500_000) + "Σ host",
	} {
		if got := transform(t, words, text); !slices.Equal(got.Index, want.Index) || !slices.Equal(got.Value, want.Value) {
			t.Errorf("%s: %v %v, want %v %v", name, got.Index, got.Value, want.Index, want.Value)
		}
		x := transform(t, chars, text)
		_, value := x.Row(0)
		norm := 0.0
		for _, v := range value {
			norm += v * v
		}
		if len(value) == 0 || !(math.Abs(norm-1) < 1e-12) {
			t.Errorf("%s: %d cells of norm %v", name, len(value), norm)
		}
	}
	if !slices.Contains(chars.Vocabulary(), " \ufffd\ufffd\ufffd") || !slices.Contains(chars.Vocabulary(), " \x00\x00\x00") {
		t.Errorf("invalid bytes or zero bytes are no characters: %q", chars.Vocabulary())
	}
}

func TestTFIDF_batches(t *testing.T) {
	docs := sigma(t)
	for _, o := range []feature.TFIDFOptions{{}, {MaxGram: 3, Sublinear: true}, {Chars: true, MinGram: 2, MaxGram: 4}} {
		step := fit(t, docs[:12], o)
		all := transform(t, step, docs...)
		one := new(feature.Sparse)
		for i, doc := range docs {
			if err := step.Transform(one, []string{doc}); err != nil {
				t.Fatal(err)
			}
			aloneIndex, aloneValue := transform(t, step, doc).Row(0)
			index, value := all.Row(i)
			if !slices.Equal(index, aloneIndex) || !slices.Equal(value, aloneValue) {
				t.Errorf("row %d differs alone", i)
			}
			for k := 1; k < len(index); k++ {
				if index[k] <= index[k-1] {
					t.Fatalf("row %d: columns %v", i, index)
				}
			}
		}
		if !slices.Equal(one.Start, all.Start) || !slices.Equal(one.Index, all.Index) || !slices.Equal(one.Value, all.Value) {
			t.Error("rows appended one by one differ")
		}
		// Slices used again give the same, and no documents no rows.
		*one = feature.Sparse{Start: one.Start[:0], Index: one.Index[:0], Value: one.Value[:0]}
		if err := step.Transform(one, docs); err != nil || !slices.Equal(one.Value, all.Value) || one.Len() != len(docs) {
			t.Errorf("used again: %v", err)
		}
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				x := new(feature.Sparse)
				if err := step.Transform(x, docs); err != nil || !slices.Equal(x.Value, all.Value) {
					t.Errorf("at the same time: other rows, %v", err)
				}
			})
		}
		group.Wait()
	}
	var none feature.Sparse
	if none.Len() != 0 {
		t.Error("the zero matrix has rows")
	}
	if err := fit(t, docs, feature.TFIDFOptions{}).Transform(&none, nil); err != nil || none.Len() != 0 {
		t.Errorf("no documents: %d rows, %v", none.Len(), err)
	}
}

func TestTFIDF_spans(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		o          feature.TFIDFOptions
		want       string // start-end:term
	}{
		{"words", "C2 beacon, c2!", feature.TFIDFOptions{}, "0-2:c2 3-9:beacon 11-13:c2"},
		{"pairs", "C2 -> x beacon", feature.TFIDFOptions{MaxGram: 2}, "0-2:c2 0-14:c2_beacon 8-14:beacon"},
		{"longer lower case", "aİb ȺȺ", feature.TFIDFOptions{}, "0-3:ai 5-9:ⱥⱥ"},
		{"after two characters", "İstan", feature.TFIDFOptions{}, "2-6:stan"},
		{"character pieces", "Ab c", feature.TFIDFOptions{Chars: true, MinGram: 2, MaxGram: 3}, "0-1:_a 0-2:_ab 0-2:ab 0-2:ab_ 1-2:b_ 3-4:_c 3-4:_c_ 3-4:c_"},
		{"padding alone", "é", feature.TFIDFOptions{Chars: true}, "0-0:_ 0-2:é 2-2:_"},
		{"a short word", "ab", feature.TFIDFOptions{Chars: true, MinGram: 6, MaxGram: 8}, "0-2:_ab_"},
		{"both halves", "İ", feature.TFIDFOptions{Chars: true, MinGram: 2}, "0-2:_i 0-2:i\u0307 0-2:\u0307_"},
		{"invalid bytes", "a\xffb", feature.TFIDFOptions{Chars: true, MinGram: 3}, "0-2:_a\ufffd 0-3:a\ufffdb 1-3:\ufffdb_"},
	} {
		step := fit(t, []string{tt.text}, tt.o)
		spans, err := step.Spans(nil, tt.text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range spans {
			got = append(got, fmt.Sprintf("%d-%d:%s", s.Start, s.End, strings.ReplaceAll(step.Vocabulary()[s.Column], " ", "_")))
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Every occurrence that counts in a row has a span and the other way round,
// and spans of words are the words.
func TestTFIDF_spansAreTheRow(t *testing.T) {
	docs := sigma(t)
	spansSeen := 0
	for _, o := range []feature.TFIDFOptions{{}, {MaxGram: 2}, {Chars: true, MinGram: 3, MaxGram: 5}} {
		step := fit(t, docs[:8], o)
		for i, doc := range docs {
			spans, err := step.Spans(nil, doc)
			if err != nil {
				t.Fatal(err)
			}
			tf := map[int32]float64{}
			last := int32(0)
			for _, s := range spans {
				spansSeen++
				tf[s.Column]++
				if s.Start < last || s.End < s.Start || int(s.End) > len(doc) {
					t.Fatalf("document %d: span %v after %d", i, s, last)
				}
				last = s.Start
				if term := step.Vocabulary()[s.Column]; !o.Chars && o.MaxGram == 0 && strings.ToLower(doc[s.Start:s.End]) != term {
					t.Errorf("document %d: span %q of %q", i, doc[s.Start:s.End], term)
				}
			}
			index, value := transform(t, step, doc).Row(0)
			if len(index) != len(tf) {
				t.Fatalf("document %d: %d columns, spans of %d", i, len(index), len(tf))
			}
			norm := 0.0
			for _, j := range index {
				norm += tf[j] * step.IDF()[j] * tf[j] * step.IDF()[j]
			}
			for k, j := range index {
				if want := tf[j] * step.IDF()[j] / math.Sqrt(norm); !(math.Abs(value[k]-want) <= 1e-12) {
					t.Errorf("document %d, column %d: %v, spans say %v", i, j, value[k], want)
				}
			}
		}
	}
	if spansSeen < 1000 {
		t.Errorf("saw %d spans", spansSeen)
	}
}

// words is another reading of the token pattern, by package regexp.
var words = regexp.MustCompile(`[\pL\pN_]{2,}`)

// FuzzTFIDF_text compares the words of any text with what package regexp
// finds, and checks that rows are finite and of length 1.
func FuzzTFIDF_text(f *testing.F) {
	for _, s := range []string{"Alert: C2 beacon_1", "naïve \xff\x00 ŞŞ", "İİ ab", "ΑΣ' ΑΣ", "\u0345Σ", "aΣ\u00adb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 || strings.ContainsAny(text, "İΣ") {
			return // more than one character; depends on its neighbours
		}
		var want []string
		for _, w := range words.FindAllString(strings.ToLower(strings.ToValidUTF8(text, "\ufffd")), -1) {
			if len(w) <= feature.MaxTerm {
				want = append(want, w)
			}
		}
		slices.Sort(want)
		if got := termsOf(t, text, feature.TFIDFOptions{}); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		step, err := feature.FitTFIDF([]string{text}, feature.TFIDFOptions{Chars: true, MinGram: 1, MaxGram: 3})
		if err == feature.ErrNoTerms {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		norm := 0.0
		for _, v := range transform(t, step, text).Value {
			norm += v * v
		}
		if !(math.Abs(norm-1) < 1e-12) {
			t.Errorf("%q: squares sum to %v", text, norm)
		}
	})
}
