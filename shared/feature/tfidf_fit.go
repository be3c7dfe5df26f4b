package feature

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// counted is a term of the training documents.
type counted struct {
	term  string
	docs  int // that have it
	total int // occurrences in all of them
	last  int // the newest document that has it
}

// FitTFIDF returns the step whose columns are the terms of docs that the
// options keep, with
//
//	idf = ln((1 + n) / (1 + docs that have the term)) + 1
//
// over n documents, as smooth_idf. It is deterministic and takes
// O(bytes·grams) time, and memory for each distinct term.
//
// scikit-learn leaves open which of the terms tied at the cut of MaxFeatures
// it keeps: its sort is not stable, and NumPy 2.4.6 orders ties differently
// with and without AVX2 and AVX-512. Here the first by code points stay, which
// is what argsort(kind="stable") would keep.
//
// Errors are [*TFIDFError] for options, [*LimitError] for a document over
// [MaxDocument], more than [MaxDistinct] different terms or more than
// [MaxVocabulary] columns, and [ErrNoTerms].
func FitTFIDF(docs []string, o TFIDFOptions) (*TFIDF, error) {
	o, err := o.fill()
	if err != nil {
		return nil, err
	}
	if err := checkDocuments(docs); err != nil {
		return nil, err
	}
	all, err := count(docs, o)
	if err != nil {
		return nil, err
	}
	n := float64(len(docs))
	kept := slices.DeleteFunc(all, func(c counted) bool {
		has := float64(c.docs)
		return c.docs < o.MinDocs || has < o.MinShare*n ||
			o.MaxDocs > 0 && c.docs > o.MaxDocs || o.MaxShare > 0 && has > o.MaxShare*n
	})
	if o.MaxFeatures > 0 && len(kept) > o.MaxFeatures {
		slices.SortFunc(kept, func(a, b counted) int {
			return cmp.Or(cmp.Compare(b.total, a.total), strings.Compare(a.term, b.term))
		})
		kept = kept[:o.MaxFeatures]
	}
	if len(kept) > MaxVocabulary {
		return nil, &LimitError{"terms", -1, MaxVocabulary, len(kept)}
	}
	slices.SortFunc(kept, func(a, b counted) int { return strings.Compare(a.term, b.term) })
	terms, idf := make([]string, len(kept)), make([]float64, len(kept))
	for j, c := range kept {
		terms[j] = c.term
		idf[j] = math.Log((n+1)/float64(c.docs+1)) + 1
	}
	return NewTFIDF(terms, idf, o)
}

// count returns the distinct terms of docs in the order of their first
// occurrence.
func count(docs []string, o TFIDFOptions) ([]counted, error) {
	var all []counted
	index := map[string]int{}
	s := newScanner(o)
	over := false
	for i, doc := range docs {
		s.scan(doc, func(term []byte, _, _ int32) {
			j, ok := index[string(term)]
			if !ok {
				if over = over || len(all) == MaxDistinct; over {
					return
				}
				j = len(all)
				all = append(all, counted{term: string(term), last: -1})
				index[all[j].term] = j
			}
			c := &all[j]
			c.total++
			if c.last != i {
				c.last = i
				c.docs++
			}
		})
		if over {
			return nil, &LimitError{"different terms", -1, MaxDistinct, MaxDistinct + 1}
		}
	}
	return all, nil
}
