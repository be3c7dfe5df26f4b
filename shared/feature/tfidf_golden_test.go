package feature_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"cloister/shared/feature"
)

// sigma returns the texts of testdata/tfidf-sigma.csv: 24 descriptions of
// detection rules (see the licence beside it).
func sigma(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("testdata/tfidf-sigma.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var docs []string
	for _, row := range rows[1:] {
		docs = append(docs, row[3])
	}
	if len(docs) != 24 {
		t.Fatalf("%d texts", len(docs))
	}
	return docs
}

func load(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// goldenCase is a fitted TfidfVectorizer and its matrix, made by scikit-learn
// 1.9.1 with testdata/tfidf.py on 2026-11-22.
type goldenCase struct {
	Name        string
	Chars       bool
	Grams       [2]int
	Sublinear   bool
	MaxFeatures int `json:"max_features"`
	Terms       []string
	IDF         []float64
	Cells       int
	Sums        []float64
	Rows        [][3]json.RawMessage
}

func (g *goldenCase) options() feature.TFIDFOptions {
	return feature.TFIDFOptions{Chars: g.Chars, MinGram: g.Grams[0], MaxGram: g.Grams[1], Sublinear: g.Sublinear, MaxFeatures: g.MaxFeatures}
}

func goldens(t *testing.T) []goldenCase {
	t.Helper()
	var file struct{ Cases []goldenCase }
	load(t, "testdata/tfidf-golden.json", &file)
	if len(file.Cases) != 3 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	return file.Cases
}

// goldenTolerance covers one unit in the last place of a logarithm and the 14
// digits of the file; cells are at most 1.
const goldenTolerance = 1e-12

func TestTFIDF_scikitLearn(t *testing.T) {
	docs := sigma(t)
	for _, g := range goldens(t) {
		t.Run(g.Name, func(t *testing.T) {
			step, err := feature.FitTFIDF(docs, g.options())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(step.Vocabulary(), g.Terms) {
				t.Fatalf("%d columns, want %d, or others", step.Len(), len(g.Terms))
			}
			for j, v := range step.IDF() {
				if !(math.Abs(v-g.IDF[j]) <= goldenTolerance*g.IDF[j]) {
					t.Errorf("idf of %q: %v, want %v", g.Terms[j], v, g.IDF[j])
				}
			}
			var x feature.Sparse
			if err := step.Transform(&x, docs); err != nil {
				t.Fatal(err)
			}
			if x.Len() != len(docs) || len(x.Index) != g.Cells || len(x.Value) != g.Cells {
				t.Fatalf("%d rows, %d cells, want %d", x.Len(), len(x.Index), g.Cells)
			}
			for i, want := range g.Sums {
				sum := 0.0
				index, value := x.Row(i)
				for k, j := range index {
					sum += float64(j+1) * value[k]
				}
				if !(math.Abs(sum-want) <= goldenTolerance*want) {
					t.Errorf("row %d: weighted sum %v, want %v", i, sum, want)
				}
			}
			cells := 0
			for _, row := range g.Rows {
				var i int
				var index []int32
				var value []float64
				for k, to := range []any{&i, &index, &value} {
					if err := json.Unmarshal(row[k], to); err != nil {
						t.Fatal(err)
					}
				}
				gotIndex, got := x.Row(i)
				if !slices.Equal(gotIndex, index) {
					t.Fatalf("row %d: columns %v, want %v", i, gotIndex, index)
				}
				for k, v := range got {
					cells++
					if !(math.Abs(v-value[k]) <= goldenTolerance) {
						t.Errorf("row %d, %q: %v, want %v", i, g.Terms[index[k]], v, value[k])
					}
				}
			}
			if cells < 300 {
				t.Errorf("compared %d cells", cells)
			}
		})
	}
}

// What scikit-learn fitted can be carried over.
func TestNewTFIDF_scikitLearn(t *testing.T) {
	docs := sigma(t)
	for _, g := range goldens(t) {
		fitted, err := feature.FitTFIDF(docs, g.options())
		if err != nil {
			t.Fatal(err)
		}
		carried, err := feature.NewTFIDF(g.Terms, g.IDF, g.options())
		if err != nil {
			t.Fatal(err)
		}
		var a, b feature.Sparse
		if fitted.Transform(&a, docs) != nil || carried.Transform(&b, docs) != nil {
			t.Fatal("documents refused")
		}
		if !slices.Equal(a.Start, b.Start) || !slices.Equal(a.Index, b.Index) {
			t.Fatalf("%s: other cells", g.Name)
		}
		for k, v := range a.Value {
			if !(math.Abs(v-b.Value[k]) <= goldenTolerance) {
				t.Errorf("%s: cell %d: %v and %v", g.Name, k, v, b.Value[k])
			}
		}
	}
}

// bits hashes the encoding of a step and all bits of a matrix.
func bits(t *testing.T, step *feature.TFIDF, x *feature.Sparse) string {
	t.Helper()
	h := sha256.New()
	b, err := step.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Write(b)
	for k, j := range x.Index {
		binary.Write(h, binary.LittleEndian, j)
		binary.Write(h, binary.LittleEndian, math.Float64bits(x.Value[k]))
	}
	for _, at := range x.Start {
		binary.Write(h, binary.LittleEndian, int64(at))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}

// The hashes were made on linux/amd64 with Go 1.26.8; the test runs in js/wasm
// as well and has to meet the same ones.
func TestTFIDF_sameBitsEverywhere(t *testing.T) {
	want := map[string]string{
		"defaults":              "8c2b83d1f97569faa2e9721df94c446d",
		"word pairs, sublinear": "1f19766ac206cdb8b019d9773b623366",
		"characters":            "a8cdc4c01c2af66382cae57a090d7343",
	}
	docs := sigma(t)
	for _, g := range goldens(t) {
		step, err := feature.FitTFIDF(docs, g.options())
		if err != nil {
			t.Fatal(err)
		}
		var x feature.Sparse
		if err := step.Transform(&x, docs); err != nil {
			t.Fatal(err)
		}
		if got := bits(t, step, &x); got != want[g.Name] {
			t.Errorf("%s: %s, want %s", g.Name, got, want[g.Name])
		}
	}
}

// termsOf returns the terms of a text, sorted, one per occurrence.
func termsOf(t *testing.T, text string, o feature.TFIDFOptions) []string {
	t.Helper()
	step, err := feature.FitTFIDF([]string{text}, o)
	if err == feature.ErrNoTerms {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	spans, err := step.Spans(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	var terms []string
	for _, s := range spans {
		terms = append(terms, step.Vocabulary()[s.Column])
	}
	slices.Sort(terms)
	return terms
}

// python holds what Python 3.11.7 (Unicode 14) says about characters and
// difficult texts, made by testdata/tfidf.py on 2026-11-22.
type python struct {
	Texts []struct {
		Text  string
		Chars bool
		Grams [2]int
		Terms []string
	}
	Word, Space, Unassigned, Cased, Ignorable, Lower string
}

func loadPython(t *testing.T) *python {
	t.Helper()
	p := new(python)
	load(t, "testdata/tfidf-python.json", p)
	return p
}

func TestTFIDF_termsAsPython(t *testing.T) {
	p := loadPython(t)
	some := 0
	for _, c := range p.Texts {
		got := termsOf(t, c.Text, feature.TFIDFOptions{Chars: c.Chars, MinGram: c.Grams[0], MaxGram: c.Grams[1]})
		if !slices.Equal(got, c.Terms) {
			t.Errorf("%q, characters %v, %v:\n got %q\nwant %q", c.Text, c.Chars, c.Grams, got, c.Terms)
		}
		if len(got) > 0 {
			some++
		}
	}
	if some < 100 {
		t.Errorf("%d texts with terms", some)
	}
}

// set reads ranges such as "61-7a 5f-5f".
func set(t *testing.T, ranges string) []bool {
	t.Helper()
	out := make([]bool, utf8.MaxRune+1)
	for s := range strings.FieldsSeq(ranges) {
		var lo, hi rune
		if _, err := fmt.Sscanf(s, "%x-%x", &lo, &hi); err != nil {
			t.Fatalf("range %q: %v", s, err)
		}
		for r := lo; r <= hi; r++ {
			out[r] = true
		}
	}
	return out
}

// everyChar fits a text that has each character that Python knew between
// before and after, plane by plane and without the planes for private use, and
// calls check with the character, its lower case and what tells the terms.
func everyChar(t *testing.T, p *python, o feature.TFIDFOptions, before, after string, check func(r rune, lower string, has func(term string) bool)) {
	t.Helper()
	unknown := set(t, p.Unassigned)
	lower := map[rune]string{}
	for s := range strings.FieldsSeq(p.Lower) {
		from, to, _ := strings.Cut(s, ":")
		r, err := strconv.ParseInt(from, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		for c := range strings.SplitSeq(to, "+") {
			l, err := strconv.ParseInt(c, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			lower[rune(r)] += string(rune(l))
		}
	}
	seen := 0
	for plane := range rune(15) {
		var b strings.Builder
		var in []rune
		for r := plane << 16; r < (plane+1)<<16; r++ {
			if !unknown[r] && (r < 0xd800 || r > 0xdfff) {
				b.WriteString(before + string(r) + after + " ")
				in = append(in, r)
			}
		}
		if len(in) == 0 {
			continue
		}
		var terms []string
		step, err := feature.FitTFIDF([]string{b.String()}, o)
		switch {
		case err == nil:
			terms = step.Vocabulary()
		case err != feature.ErrNoTerms:
			t.Fatal(err)
		}
		for _, r := range in {
			low, ok := lower[r]
			if !ok {
				low = string(r)
			}
			check(r, low, func(term string) bool {
				_, ok := slices.BinarySearch(terms, term)
				return ok
			})
		}
		seen += len(in)
	}
	// Unicode 14 has 144,697 characters, 65 controls and 6,400 for private
	// use in the first plane.
	if want := 144_697 + 65 + 6_400; seen < want || len(lower) < 1_400 {
		t.Fatalf("saw %d characters, want %d; %d have a lower case", seen, want, len(lower))
	}
}

func TestTFIDF_everyWordCharacter(t *testing.T) {
	p := loadPython(t)
	word := set(t, p.Word)
	everyChar(t, p, feature.TFIDFOptions{}, "0", "0", func(r rune, lower string, has func(string) bool) {
		want := word[r] && r != 'İ' // of its two characters one is a word character
		if has("0"+lower+"0") != want {
			t.Errorf("%U: a word character: %v, want %v", r, !want, want)
		}
	})
}

func TestTFIDF_everyLowerCase(t *testing.T) {
	p := loadPython(t)
	space := set(t, p.Space)
	everyChar(t, p, feature.TFIDFOptions{Chars: true, MinGram: 8}, "", "xxxxx", func(r rune, lower string, has func(string) bool) {
		term := " " + lower + "xxxxx "
		if r == 'İ' {
			term = " " + lower + "xxxxx" // eight characters of nine
		}
		if want := !space[r]; has(term) != want {
			t.Errorf("%U: a term %q: %v, want %v", r, term, !want, want)
		}
	})
}

// A sigma is final if a cased letter stands before it and none after.
func TestTFIDF_everySigma(t *testing.T) {
	p := loadPython(t)
	space, cased, ignorable := set(t, p.Space), set(t, p.Cased), set(t, p.Ignorable)
	for _, tt := range []struct {
		name          string
		before, after string // six characters with one between them, eight when padded
		final         func(r rune) bool
	}{
		{"then end", "000aΣ", "", func(r rune) bool { return !cased[r] }},
		{"then letter", "00aΣ", "a", func(r rune) bool { return !cased[r] && !ignorable[r] }},
		{"after letter", "000a", "Σ", func(r rune) bool { return cased[r] || ignorable[r] }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			with := func(s string) [2]string {
				return [2]string{strings.ReplaceAll(tt.before, "Σ", s), strings.ReplaceAll(tt.after, "Σ", s)}
			}
			final, medial := with("ς"), with("σ")
			everyChar(t, p, feature.TFIDFOptions{Chars: true, MinGram: 8}, tt.before, tt.after, func(r rune, lower string, has func(string) bool) {
				if space[r] || r == 'İ' || r == 'Σ' {
					return // other numbers of characters, of sigmas
				}
				want := medial
				if tt.final(r) {
					want = final
				}
				if term := " " + want[0] + lower + want[1] + " "; !has(term) {
					t.Errorf("%U: no term %q", r, term)
				}
			})
		})
	}
}
