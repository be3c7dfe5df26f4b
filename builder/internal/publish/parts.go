package publish

import (
	"fmt"

	"cloister/builder/internal/train"
	"cloister/shared/bundle"
	"cloister/shared/score"
)

// Parts gathers the entries of a bundle. Its zero value is ready.
type Parts struct {
	files map[string][]byte
	err   error
}

// Add adds the entry that make returns. After an error, which [Parts.Encode]
// returns with the entry's name, it does nothing.
func (p *Parts) Add(name string, make func() ([]byte, error)) {
	if p.err != nil {
		return
	}
	b, err := make()
	if err != nil {
		p.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	if p.files == nil {
		p.files = map[string][]byte{}
	}
	p.files[name] = b
}

// Encode returns the bundle of the entries, with its card, the papers of
// [AddPapers] and the test vectors ask, whose answers the bundle itself fills
// in. m.Vectors.N is the number of vectors.
func (p *Parts) Encode(m bundle.Manifest, card string, ask []score.Vector, data []train.Input) ([]byte, error) {
	p.Add(score.VectorsName, func() ([]byte, error) { return score.AppendVectors(nil, ask) })
	p.Add(bundle.CardTextName, func() ([]byte, error) { return []byte(card), nil })
	if p.err != nil {
		return nil, p.err
	}
	file, err := bundle.Encode(m, p.files, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	if ask, err = score.Answer(file, ask); err != nil {
		return nil, err
	}
	if p.files[score.VectorsName], err = score.AppendVectors(nil, ask); err != nil {
		return nil, err
	}
	if err := AddPapers(m, p.files, data); err != nil {
		return nil, err
	}
	return bundle.Encode(m, p.files, bundle.Limits{})
}
