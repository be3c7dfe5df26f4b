package feature

import (
	"errors"
	"fmt"
	"slices"

	"cloister/shared/wire"
)

// The encoding, in the format of package wire, is
//
//	magic "TFID", version u8,
//	flags u8: 1 Chars, 2 Sublinear, MinGram u8, MaxGram u8,
//	columns (varint, at least 1), for each in order
//	  bytes shared with the term before (varint, as many as there are),
//	  the other bytes (blob),
//	weights (varint): the distinct idf, f64, strictly increasing,
//	for each column the index of its weight (varint), each index used.
const (
	tfidfMagic   = "TFID"
	tfidfVersion = 1
)

const (
	flagChars = 1 << iota
	flagSublinear
)

// ErrTFIDF means that bytes are no encoding of a TF-IDF step.
var ErrTFIDF = errors.New("malformed")

// AppendBinary appends the encoding, from which [DecodeTFIDF] makes a step
// with the same rows and encoding. The error is always nil.
func (t *TFIDF) AppendBinary(dst []byte) ([]byte, error) {
	var w wire.Writer
	w.Bytes([]byte(tfidfMagic))
	w.U8(tfidfVersion)
	flags := 0
	if t.o.Chars {
		flags |= flagChars
	}
	if t.o.Sublinear {
		flags |= flagSublinear
	}
	w.U8(uint8(flags))
	w.U8(uint8(t.o.MinGram))
	w.U8(uint8(t.o.MaxGram))
	w.Count(len(t.terms))
	last := ""
	for _, term := range t.terms {
		n := shared(last, term)
		w.Count(n)
		w.Text(term[n:])
		last = term
	}
	weights := slices.Clone(t.idf)
	slices.Sort(weights)
	weights = slices.Compact(weights)
	w.Count(len(weights))
	for _, v := range weights {
		w.F64(v)
	}
	for _, v := range t.idf {
		k, _ := slices.BinarySearch(weights, v)
		w.Count(k)
	}
	return append(dst, w.Finish()...), nil
}

// shared returns the number of bytes that both start with.
func shared(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// DecodeTFIDF reads the encoding that [TFIDF.AppendBinary] writes, and only
// that: other bytes, also trailing ones, are an error that wraps [ErrTFIDF],
// [ErrNoTerms], a [*TFIDFError], a [*LimitError] or an error of package wire.
// What it returns encodes to b again. It allocates at most 120 bytes per byte
// of b and 120 MB, and keeps no part of b.
func DecodeTFIDF(b []byte) (*TFIDF, error) {
	t, err := decodeTFIDF(b)
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return t, nil
}

func decodeTFIDF(b []byte) (*TFIDF, error) {
	r := wire.NewReader(b)
	bad := func(format string, args ...any) (*TFIDF, error) {
		r.Fail(fmt.Errorf("%w: %s", ErrTFIDF, fmt.Sprintf(format, args...)))
		return nil, r.Err()
	}
	if string(r.Bytes(len(tfidfMagic))) != tfidfMagic {
		return bad("no %q at the start", tfidfMagic)
	}
	if v := r.U8(); v != tfidfVersion {
		return bad("version %d, want %d", v, tfidfVersion)
	}
	flags := r.U8()
	o := TFIDFOptions{Chars: flags&flagChars != 0, Sublinear: flags&flagSublinear != 0, MinGram: int(r.U8()), MaxGram: int(r.U8())}
	// A 0 would stand for a default and be written as another number.
	if flags > flagChars|flagSublinear || o.MinGram == 0 || o.MaxGram == 0 {
		return bad("flags %d, terms of %d to %d", flags, o.MinGram, o.MaxGram)
	}
	n := r.Count(4) // two lengths, a byte, the index of the weight
	if n > MaxVocabulary {
		return nil, &LimitError{"terms", -1, MaxVocabulary, n}
	}
	terms := make([]string, n)
	last := ""
	for j := range terms {
		same, rest := r.Uvarint(), r.Blob()
		if r.Err() != nil {
			return nil, r.Err()
		}
		if same > uint64(len(last)) {
			return bad("term %d: %d bytes of the term before, which has %d", j, same, len(last))
		}
		if int(same)+len(rest) > MaxTerm {
			return nil, &LimitError{"bytes of term", j, MaxTerm, int(same) + len(rest)}
		}
		term := last[:same] + string(rest)
		if shared(last, term) != int(same) {
			return bad("term %d: more than %d bytes are as before", j, same)
		}
		terms[j] = term
		last = term
	}
	weights := make([]float64, r.Count(8))
	for k := range weights {
		weights[k] = r.F64()
		if k > 0 && !(weights[k] > weights[k-1]) {
			return bad("weight %d: %v after %v", k, weights[k], weights[k-1])
		}
	}
	used := make([]bool, len(weights))
	idf := make([]float64, n)
	for j := range idf {
		k := r.Uvarint()
		if k >= uint64(len(weights)) {
			return bad("term %d: weight %d of %d", j, k, len(weights))
		}
		idf[j], used[k] = weights[k], true
	}
	if k := slices.Index(used, false); k >= 0 {
		return bad("weight %d is of no term", k)
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return NewTFIDF(terms, idf, o)
}
