package feature

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Limits of the TF-IDF step.
const (
	// MaxDocument bounds the bytes of a document; real alert texts stay
	// below 2,000.
	MaxDocument = 1 << 20
	// MaxTerm bounds the bytes of a term. A longer one, such as a megabyte
	// without a space, is never a column; otherwise it is a token like others.
	MaxTerm = 256
	// MaxGram bounds the words or characters of a term.
	MaxGram = 8
	// MaxVocabulary bounds the columns.
	MaxVocabulary = 1 << 16
	// MaxDistinct bounds the different terms that [FitTFIDF] counts before it
	// picks columns.
	MaxDistinct = 1 << 20
	// MaxIDF bounds the weight of a column, which is at least 1; only 1e27
	// documents reach it.
	MaxIDF = 64
)

// ErrNoTerms means that no term is left to be a column.
var ErrNoTerms = errors.New("tf-idf: no terms")

// TFIDFError is an option, term or weight that cannot be used.
type TFIDFError struct {
	Field string // of TFIDFOptions, or "terms", "idf"
	At    int    // index in terms or idf, else -1
	What  string
}

// Error returns the field, the index and the reason.
func (e *TFIDFError) Error() string {
	if e.At < 0 {
		return fmt.Sprintf("tf-idf: %s: %s", e.Field, e.What)
	}
	return fmt.Sprintf("tf-idf: %s %d: %s", e.Field, e.At, e.What)
}

// LimitError is something too big.
type LimitError struct {
	What       string
	At         int // which of them, -1 if there is one only
	Limit, Got int
}

// Error returns what is too big and by how much.
func (e *LimitError) Error() string {
	if e.At < 0 {
		return fmt.Sprintf("tf-idf: %s: %d, limit %d", e.What, e.Got, e.Limit)
	}
	return fmt.Sprintf("tf-idf: %s %d: %d, limit %d", e.What, e.At, e.Got, e.Limit)
}

// TFIDFOptions says what a term is, how it is weighed and which terms become
// columns. The zero value is scikit-learn's TfidfVectorizer().
type TFIDFOptions struct {
	// Chars makes terms of characters inside words padded with one space at
	// either end (char_wb) instead of words. Words are then what lies between
	// white space.
	Chars bool
	// MinGram and MaxGram are the least and most words or characters of a
	// term; 0 means 1 and MinGram. A padded word shorter than MinGram is one
	// term.
	MinGram, MaxGram int
	// Sublinear weighs a term that occurs tf times by 1 + ln tf instead of tf.
	Sublinear bool

	// The rest matters to FitTFIDF only.

	// MaxFeatures keeps the terms with the most occurrences in all documents
	// together, ties by the term; 0 means all.
	MaxFeatures int
	// MinDocs and MinShare drop terms that fewer documents have, as a number
	// and as a share of all, 0 to 1.
	MinDocs  int
	MinShare float64
	// MaxDocs and MaxShare drop terms that more documents have; 0 means any
	// number.
	MaxDocs  int
	MaxShare float64
}

// fill checks the options and sets defaults.
func (o TFIDFOptions) fill() (TFIDFOptions, error) {
	if o.MinGram == 0 {
		o.MinGram = 1
	}
	if o.MaxGram == 0 {
		o.MaxGram = o.MinGram
	}
	bad := func(field string, value any, want string) (TFIDFOptions, error) {
		return o, &TFIDFError{field, -1, fmt.Sprintf("%v, want %s", value, want)}
	}
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	switch {
	case o.MinGram < 1 || o.MinGram > MaxGram:
		return bad("MinGram", o.MinGram, fmt.Sprintf("1 to %d", MaxGram))
	case o.MaxGram < o.MinGram || o.MaxGram > MaxGram:
		return bad("MaxGram", o.MaxGram, fmt.Sprintf("%d to %d", o.MinGram, MaxGram))
	case o.MaxFeatures < 0 || o.MaxFeatures > MaxVocabulary:
		return bad("MaxFeatures", o.MaxFeatures, fmt.Sprintf("0 to %d", MaxVocabulary))
	case o.MinDocs < 0:
		return bad("MinDocs", o.MinDocs, "0 or more")
	case o.MaxDocs < 0:
		return bad("MaxDocs", o.MaxDocs, "0 or more")
	case !share(o.MinShare):
		return bad("MinShare", o.MinShare, "0 to 1")
	case !share(o.MaxShare):
		return bad("MaxShare", o.MaxShare, "0 to 1")
	}
	return o, nil
}

// Sparse is a matrix in compressed rows: row i has the cells
// Index[Start[i]:Start[i+1]], column numbers that strictly increase, with the
// values at the same places of Value; all other cells are 0. The zero value
// has no rows. The caller owns the slices and may set all three to length 0
// to use them again.
type Sparse struct {
	Start []int // n+1, first 0, last len(Index)
	Index []int32
	Value []float64
}

// Len returns the number of rows.
func (s *Sparse) Len() int { return max(len(s.Start)-1, 0) }

// Row returns the columns and values of row i, shared with s.
func (s *Sparse) Row(i int) ([]int32, []float64) {
	lo, hi := s.Start[i], s.Start[i+1]
	return s.Index[lo:hi], s.Value[lo:hi]
}

// TFIDF turns texts into rows of term weights. It is fitted by [FitTFIDF],
// made of another tool's numbers by [NewTFIDF] or read by [DecodeTFIDF], is
// immutable and safe for concurrent use. With tf the occurrences of column
// j's term in the text (1 + ln tf if Sublinear), cell j is
//
//	w_j / sqrt(sum_k w_k²),  w_j = tf_j · idf_j
//
// and the sum runs over the columns in order. A text without any known term
// gives an empty row. The same bits come out natively and in js/wasm.
//
// Text is read as scikit-learn's TfidfVectorizer does: lower case as Python's
// str.lower, final sigma included; words are runs of two or more characters
// that re's \w matches (letters, numbers, underscore), whatever stands
// between them; terms of several words join them by one space. Differences:
//
//   - Characters follow the Unicode version of the compiler's package
//     unicode; those that another version of Python does not know yet may
//     differ there.
//   - Each byte that is no valid UTF-8 counts as one U+FFFD, which is no
//     word character; bytes.decode("utf-8", "replace") may make one of several.
//   - Terms over [MaxTerm] bytes are no columns and texts over [MaxDocument]
//     bytes are refused.
//
// Source: scikit-learn 1.9.1, sklearn/feature_extraction/text.py; Python
// 3.11, Objects/unicodeobject.c.
type TFIDF struct {
	o       TFIDFOptions
	terms   []string
	idf     []float64
	column  map[string]int32
	longest int // bytes of the longest term
}

// NewTFIDF returns the step with the given columns, for instance those of a
// fitted TfidfVectorizer (get_feature_names_out and idf_). Terms are UTF-8 of
// 1 to [MaxTerm] bytes that strictly increase by bytes, which is also the
// order of code points; a term that no text can contain is never found. Each
// idf is 1 to [MaxIDF]. It keeps terms and idf, which must not be changed.
// Errors are [*TFIDFError], [*LimitError] and [ErrNoTerms].
func NewTFIDF(terms []string, idf []float64, o TFIDFOptions) (*TFIDF, error) {
	o, err := o.fill()
	switch {
	case err != nil:
		return nil, err
	case len(terms) == 0:
		return nil, ErrNoTerms
	case len(terms) > MaxVocabulary:
		return nil, &LimitError{"terms", -1, MaxVocabulary, len(terms)}
	case len(idf) != len(terms):
		return nil, &TFIDFError{"idf", -1, fmt.Sprintf("%d values for %d terms", len(idf), len(terms))}
	}
	// Only what reading a text needs is kept, and encoded.
	o = TFIDFOptions{Chars: o.Chars, MinGram: o.MinGram, MaxGram: o.MaxGram, Sublinear: o.Sublinear}
	t := &TFIDF{o: o, terms: terms, idf: idf, column: make(map[string]int32, len(terms))}
	for j, term := range terms {
		switch {
		case term == "":
			return nil, &TFIDFError{"terms", j, "empty"}
		case len(term) > MaxTerm:
			return nil, &LimitError{"bytes of term", j, MaxTerm, len(term)}
		case !utf8.ValidString(term):
			return nil, &TFIDFError{"terms", j, fmt.Sprintf("not UTF-8: %.64q", term)}
		case j > 0 && term <= terms[j-1]:
			return nil, &TFIDFError{"terms", j, fmt.Sprintf("%.64q does not follow %.64q", term, terms[j-1])}
		case !(idf[j] >= 1 && idf[j] <= MaxIDF):
			return nil, &TFIDFError{"idf", j, fmt.Sprintf("%v, want 1 to %d", idf[j], MaxIDF)}
		}
		t.column[term] = int32(j)
		t.longest = max(t.longest, len(term))
	}
	return t, nil
}

// Len returns the number of columns d.
func (t *TFIDF) Len() int { return len(t.terms) }

// Vocabulary returns the terms in the order of the columns, which is that of
// their bytes. The slice is shared and must not be changed.
func (t *TFIDF) Vocabulary() []string { return t.terms }

// IDF returns the weights of the columns. The slice is shared and must not be
// changed.
func (t *TFIDF) IDF() []float64 { return t.idf }

// Options returns what the step reads texts by; the fields that matter to
// fitting only are 0.
func (t *TFIDF) Options() TFIDFOptions { return t.o }

// Transform appends a row per document to dst. The row of a document does not
// depend on the others. It takes O(bytes·grams), sorting of the hits aside,
// and for the time of the call at most 150 bytes per byte of the largest
// document. If a document is over [MaxDocument] bytes, dst is left as it was and
// the error is a [*LimitError] with the document's index.
func (t *TFIDF) Transform(dst *Sparse, docs []string) error {
	if err := checkDocuments(docs); err != nil {
		return err
	}
	if len(dst.Start) == 0 {
		dst.Start = append(dst.Start, 0)
	}
	s := newScanner(t.o)
	look := func(term []byte, _, _ int32) {
		if j, ok := t.find(term); ok {
			dst.Index = append(dst.Index, j)
		}
	}
	for _, doc := range docs {
		from := len(dst.Index)
		s.scan(doc, look)
		t.weigh(dst, from)
		dst.Start = append(dst.Start, len(dst.Index))
	}
	return nil
}

// find returns the column of a term.
func (t *TFIDF) find(term []byte) (int32, bool) {
	if len(term) > t.longest {
		return 0, false // spares the hash of a long token
	}
	j, ok := t.column[string(term)]
	return j, ok
}

// weigh turns the columns found, dst.Index[from:], one per occurrence, into a
// row.
func (t *TFIDF) weigh(dst *Sparse, from int) {
	hits := dst.Index[from:]
	slices.Sort(hits)
	n := 0
	sum := 0.0
	for i := 0; i < len(hits); {
		j, tf := hits[i], 0.0
		for ; i < len(hits) && hits[i] == j; i++ {
			tf++
		}
		if t.o.Sublinear {
			tf = 1 + math.Log(tf)
		}
		w := tf * t.idf[j]
		sum += float64(w * w) // not fused, where a processor could
		hits[n] = j
		dst.Value = append(dst.Value, w)
		n++
	}
	dst.Index = dst.Index[:from+n]
	norm := math.Sqrt(sum)
	for i := range dst.Value[from:] {
		dst.Value[from+i] /= norm
	}
}

// Span is a piece of a text that counted for a column.
type Span struct {
	Column     int32
	Start, End int32 // bytes [Start,End) of the text
}

// Spans appends to dst the pieces of doc that count for columns, one per
// occurrence, in the order of Start. A term of several words covers what
// stands between them. Padding covers no bytes, so that a term that is
// nothing else has an empty span. A character whose lower case is two
// belongs to the spans of both. Errors are as in [TFIDF.Transform].
func (t *TFIDF) Spans(dst []Span, doc string) ([]Span, error) {
	if err := checkDocuments([]string{doc}); err != nil {
		return dst, err
	}
	newScanner(t.o).scan(doc, func(term []byte, start, end int32) {
		if j, ok := t.find(term); ok {
			dst = append(dst, Span{j, start, end})
		}
	})
	return dst, nil
}

// checkDocuments finds the first document over the limit.
func checkDocuments(docs []string) error {
	for i, doc := range docs {
		if len(doc) > MaxDocument {
			return &LimitError{"bytes of document", i, MaxDocument, len(doc)}
		}
	}
	return nil
}
