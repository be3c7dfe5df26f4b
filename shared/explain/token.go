package explain

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Span is a piece of a text that counts for a column, one per occurrence, as
// a TF-IDF step reports it.
type Span struct {
	Column     int32
	Start, End int32 // bytes [Start,End) of the text
}

// Token is a piece of a text with its part of a score.
type Token struct {
	Start, End int32 // bytes [Start,End) of the text
	Value      float64
}

// Absent is a column that moved the score by not occurring in the text.
type Absent struct {
	Column int32
	Value  float64
}

// TokenOptions says what the columns are.
type TokenOptions struct {
	// Chars means n-grams of characters. Else columns are n-grams of words:
	// runs of two or more letters, numbers and underscores.
	Chars bool
}

// SpanError means that a span does not fit the text or the columns.
type SpanError struct {
	At   int // index of the span
	Span Span
	What string // "column" or "bytes"
}

// Error returns the span and what is wrong with it.
func (e *SpanError) Error() string {
	return fmt.Sprintf("explain: span %d: %s out of range: column %d, bytes %d to %d", e.At, e.What, e.Span.Column, e.Span.Start, e.Span.End)
}

// Tokens says which pieces of a text moved a score. phi holds the SHAP values
// of the text's row, one per column, and spans the occurrences of columns in
// doc, in any order. Each occurrence of a column has an equal share of its
// value. A share is divided
//
//   - n-grams of words: equally over the words inside the span; over single
//     word characters if it has no words, over all characters if it has none;
//   - n-grams of characters: equally over the characters inside the span.
//
// What falls to a word is divided equally over its characters, so that words
// that overlap in different columns add up. The tokens are the pieces between
// the places where any of these begins or ends, in order, none overlapping;
// text that no column covers is left out. A span of no bytes makes a token of
// no bytes, before the one that starts there. absent lists the columns without
// a span whose value is not 0, in order of column. All together add up to the sum
// of phi, to rounding. A byte that is no valid UTF-8 is one character.
//
// It costs O(b log b), b being the bytes of the spans together. A span outside
// doc or phi is a [*SpanError].
func Tokens(phi []float64, doc string, spans []Span, o TokenOptions) ([]Token, []Absent, error) {
	count := make([]int32, len(phi))
	for i, s := range spans {
		switch {
		case s.Column < 0 || int(s.Column) >= len(phi):
			return nil, nil, &SpanError{i, s, "column"}
		case s.Start < 0 || s.Start > s.End || int(s.End) > len(doc):
			return nil, nil, &SpanError{i, s, "bytes"}
		}
		count[s.Column]++
	}
	var pieces []Token
	for _, s := range spans {
		pieces = appendPieces(pieces, doc, s, phi[s.Column]/float64(count[s.Column]), o)
	}
	var absent []Absent
	for j, v := range phi {
		if count[j] == 0 && v != 0 {
			absent = append(absent, Absent{int32(j), v})
		}
	}
	return merge(doc, pieces), absent, nil
}

// appendPieces appends what an occurrence of value v gives to its words or, if
// it has none, to the whole of its span.
func appendPieces(dst []Token, doc string, s Span, v float64, o TokenOptions) []Token {
	from := len(dst)
	for least := 2; least >= 1 && len(dst) == from && !o.Chars; least-- {
		dst = appendWords(dst, doc, s, least)
	}
	if len(dst) == from {
		dst = append(dst, Token{Start: s.Start, End: s.End})
	}
	for i := range dst[from:] {
		dst[from+i].Value = v / float64(len(dst)-from)
	}
	return dst
}

// appendWords appends the words of a span that have at least so many
// characters.
func appendWords(dst []Token, doc string, s Span, least int) []Token {
	start, chars := s.Start, 0
	for at := s.Start; ; {
		r, size := utf8.DecodeRuneInString(doc[at:s.End])
		if size > 0 && (unicode.IsLetter(r) || unicode.IsNumber(r) || r == '_') {
			if chars == 0 {
				start = at
			}
			chars++
		} else {
			if chars >= least {
				dst = append(dst, Token{Start: start, End: at})
			}
			chars = 0
		}
		if at += int32(size); size == 0 {
			return dst
		}
	}
}

// merge divides pieces at all places where one begins or ends, and adds up
// what the parts have.
func merge(doc string, pieces []Token) []Token {
	var cuts []int32
	for _, p := range pieces {
		cuts = append(cuts, p.Start, p.End)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	// At each cut there may be a token of no bytes, then one up to the next.
	type place struct {
		chars float64
		token [2]Token
		used  [2]bool
	}
	places := make([]place, len(cuts))
	for i, at := range cuts {
		end := cuts[min(i+1, len(cuts)-1)]
		places[i].chars = float64(utf8.RuneCountInString(doc[at:end]))
		places[i].token = [2]Token{{Start: at, End: at}, {Start: at, End: end}}
	}
	for _, p := range pieces {
		lo, _ := slices.BinarySearch(cuts, p.Start)
		hi, _ := slices.BinarySearch(cuts, p.End)
		if lo == hi {
			places[lo].token[0].Value += p.Value
			places[lo].used[0] = true
		}
		chars := 0.0
		for i := lo; i < hi; i++ {
			chars += places[i].chars
		}
		for i := lo; i < hi; i++ {
			places[i].token[1].Value += float64(p.Value * (places[i].chars / chars))
			places[i].used[1] = true
		}
	}
	var tokens []Token
	for i := range places {
		for j, t := range places[i].token {
			if places[i].used[j] {
				tokens = append(tokens, t)
			}
		}
	}
	return tokens
}
