package train

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloister/builder/internal/prep"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/wire"
)

// TextSpec is a text whose terms become columns, before it is fitted.
type TextSpec struct {
	Name    string
	From    []string // text fields, joined
	Help    string
	Options feature.TFIDFOptions
}

// categoryRows is how many training rows a category needs for a column: what
// fewer have is no rule.
const categoryRows = 5

// prepared is an input fitted on the training rows, and what it makes of all
// rows.
type prepared struct {
	input *feature.Input
	x     matrix
}

// prepare returns what a candidate reads. Candidates of the same texts share
// it.
func (f *fit) prepare(r Recipe, c Candidate) (prepared, error) {
	key := fmt.Sprint(c.Texts, c.Category)
	if f.inputs == nil {
		f.inputs = map[string]prepared{}
	}
	if p, ok := f.inputs[key]; ok {
		return p, nil
	}
	var p prepared
	var err error
	if f.t.X != nil {
		fitted := f.t.Pipeline.Fit(pick(f.t.X, f.t.Pipeline.Len(), f.rows[prep.Train]))
		if p.input, err = feature.NewInput(r.Schema, fitted, nil); err != nil {
			return p, err
		}
		p.x = matrix{d: fitted.Len(), dense: f.t.X}
	} else {
		if p.input, err = fitInput(r, c, f.t.Frame, f.rows[prep.Train]); err != nil {
			return p, err
		}
		p.x = matrix{d: p.input.Len(), sparse: p.input.Sparse(f.t.Frame)}
	}
	f.inputs[key] = p
	return p, nil
}

// fitInput fits the texts and the categories of a candidate on rows of all. A
// text without terms is left out.
func fitInput(r Recipe, c Candidate, all *frame.Frame, rows []int) (*feature.Input, error) {
	var texts []feature.Text
	for _, spec := range c.Texts {
		docs := make([]string, len(rows))
		for n, i := range rows {
			docs[n] = feature.Joined(all, spec.From, i)
		}
		terms, err := feature.FitTFIDF(docs, spec.Options)
		if errors.Is(err, feature.ErrNoTerms) {
			continue // the files lack its fields
		}
		if err != nil {
			return nil, fmt.Errorf("text %s: %w", spec.Name, err)
		}
		texts = append(texts, feature.Text{Name: spec.Name, From: spec.From, Help: spec.Help, TFIDF: terms})
	}
	var steps *feature.Pipeline
	if c.Category {
		made, err := feature.New(r.Schema, categories(all, r.Category, rows))
		if err != nil {
			return nil, err
		}
		steps = made
	}
	return feature.NewInput(r.Schema, steps, texts)
}

// FitInput returns what the last candidate of a recipe reads, fitted on the
// rows of one part.
func FitInput(t *Table, r Recipe, parts []prep.Part, part prep.Part) (*feature.Input, error) {
	f := &fit{t: t}
	for i, p := range parts {
		if p == part {
			f.rows[prep.Train] = append(f.rows[prep.Train], i)
		}
	}
	p, err := f.prepare(r, r.Candidates[len(r.Candidates)-1])
	return p.input, err
}

// categories returns a step for each value of a text field that enough of the
// rows have, by name. A value that no step names is 0 in all of them.
func categories(all *frame.Frame, field string, rows []int) []feature.Step {
	k, _ := all.Schema.Index(field)
	count := map[string]int{}
	for _, i := range rows {
		if all.Texts[k] != nil {
			count[strings.ToLower(strings.TrimSpace(all.Texts[k][i]))]++
		}
	}
	var steps []feature.Step
	for _, v := range slices.Sorted(maps.Keys(count)) {
		if v != "" && len(v) <= 100 && count[v] >= categoryRows {
			steps = append(steps, feature.Step{Name: field + "=" + v, Op: feature.OpIs, From: field, Value: v, Help: "1 if the kind of payload is " + v + ", else 0"})
		}
	}
	return steps
}

// category records what the category alone knows: the most frequent class
// among the training rows of each, of all where there are none.
func (f *fit) category(res *Result, record func(string, []int)) error {
	k, ok := f.t.Frame.Schema.Index(res.Recipe.Category)
	if !ok || f.t.Frame.Texts[k] == nil {
		return nil
	}
	values := f.t.Frame.Texts[k]
	count := map[string][]int{}
	for _, i := range f.rows[prep.Train] {
		if count[values[i]] == nil {
			count[values[i]] = make([]int, f.k)
		}
		count[values[i]][f.t.Class[i]]++
	}
	most := f.mostFrequent()
	var predicted []int
	for _, i := range f.rows[prep.Holdout] {
		best := most
		if by := count[values[i]]; by != nil {
			best = 0
			for c, n := range by {
				if cmp.Compare(n, by[best]) > 0 {
					best = c
				}
			}
		}
		predicted = append(predicted, best)
	}
	res.BestFeature = res.Recipe.Category
	record("from "+res.BestFeature+" alone", predicted)
	return nil
}

// repeats finds rows that say the same.
func (t *Table) repeats(parts []prep.Part) prep.Repeats {
	if t.X != nil {
		return prep.FindRepeats(t.X, t.Pipeline.Len(), t.Class, parts)
	}
	// rows of equal texts get the same number
	number := map[string]float64{}
	x := make([]float64, len(t.Class))
	for i := range t.Class {
		var w wire.Writer
		for _, texts := range t.Frame.Texts {
			if texts != nil {
				w.Text(texts[i])
			}
		}
		key := string(w.Finish())
		if _, ok := number[key]; !ok {
			number[key] = float64(len(number))
		}
		x[i] = number[key]
	}
	return prep.FindRepeats(x, 1, t.Class, parts)
}
