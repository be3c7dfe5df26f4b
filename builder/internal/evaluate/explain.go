package evaluate

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"cloister/shared/chart"
	"cloister/shared/job"
	"cloister/shared/score"
)

// Explained sums up the explanations of some rows.
type Explained struct {
	Rows       int              `json:"rows"`
	Unit       string           `json:"unit"`
	Additivity float64          `json:"additivity"` // largest |base + sum - score|
	Tolerance  float64          `json:"tolerance"`  // that it must keep
	Features   []Influence      `json:"features"`   // most influential first
	Tokens     []ClassTokens    `json:"tokens,omitempty"`
	swarm      map[int]*samples // by feature
}

// Influence is what a feature did for the verdicts.
type Influence struct {
	Name   string  `json:"name"`
	Mean   float64 `json:"mean"`     // of the attribution, for the class of the verdict
	Abs    float64 `json:"mean_abs"` // of its absolute value
	Rows   int     `json:"rows"`
	number int
}

// ClassTokens are the words that spoke most for a class.
type ClassTokens struct {
	Class  string  `json:"class"`
	Rows   int     `json:"rows"` // explained rows with this verdict
	Tokens []Token `json:"tokens"`
}

// Token is a word with the sum of its attributions and the rows it was in.
type Token struct {
	Token string  `json:"token"`
	Sum   float64 `json:"sum"`
	Rows  int     `json:"rows"`
}

type samples struct{ phi, share []float64 }

// topTokens of a class are kept.
const topTokens = 15

// sampler picks rows evenly and gathers their explanations.
type sampler struct {
	every, seen int
	rows        []int64 // wanted of the file at hand
	out         *Explained
	sum, abs    []float64
	count       []int
	tokens      []map[string]*Token
	byClass     []int
}

func newSampler(info job.Bundle, want, rows int) *sampler {
	s := &sampler{
		sum: make([]float64, len(info.Features)), abs: make([]float64, len(info.Features)), count: make([]int, len(info.Features)),
		tokens: make([]map[string]*Token, len(info.Classes)), byClass: make([]int, len(info.Classes)),
		out: &Explained{swarm: map[int]*samples{}},
	}
	if want > 0 {
		s.every = max(1, (rows+want-1)/want)
	}
	return s
}

// want counts a judged row and notes it if its turn has come.
func (s *sampler) want(row int64) {
	if s.every > 0 && s.seen%s.every == 0 {
		s.rows = append(s.rows, row)
	}
	s.seen++
}

// explain explains the noted rows of the file that sc scored last.
func (s *sampler) explain(ctx context.Context, sc *score.Scorer) error {
	defer func() { s.rows = s.rows[:0] }()
	for _, row := range s.rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := sc.Explain(row)
		if err != nil {
			return err
		}
		s.add(rec)
	}
	return nil
}

func (s *sampler) add(rec job.Record) {
	e := s.out
	e.Rows++
	e.Unit, e.Tolerance = rec.Unit, rec.Tolerance
	e.Additivity = max(e.Additivity, rec.Additivity)
	s.byClass[rec.Class]++
	for _, a := range rec.Attributions {
		s.sum[a.Feature] += a.SHAP
		s.abs[a.Feature] += math.Abs(a.SHAP)
		s.count[a.Feature]++
		p := e.swarm[a.Feature]
		if p == nil {
			p = &samples{}
			e.swarm[a.Feature] = p
		}
		p.phi, p.share = append(p.phi, a.SHAP), append(p.share, float64(a.Percentile))
	}
	words := s.tokens[rec.Class]
	if words == nil {
		words = map[string]*Token{}
		s.tokens[rec.Class] = words
	}
	for _, text := range rec.Texts {
		here := map[string]bool{}
		for _, t := range text.Tokens {
			if t.Start < 0 || t.End > len(text.Text) || t.Start > t.End {
				continue
			}
			w := strings.ToLower(text.Text[t.Start:t.End])
			if words[w] == nil {
				words[w] = &Token{Token: w}
			}
			words[w].Sum += t.SHAP
			if !here[w] {
				words[w].Rows++
			}
			here[w] = true
		}
	}
}

// summary returns what was gathered, nil for nothing.
func (s *sampler) summary(info job.Bundle) *Explained {
	e := s.out
	if e.Rows == 0 {
		return nil
	}
	for j, f := range info.Features {
		if n := float64(s.count[j]); n > 0 {
			e.Features = append(e.Features, Influence{f.Name, s.sum[j] / n, s.abs[j] / n, s.count[j], j})
		}
	}
	slices.SortStableFunc(e.Features, func(a, b Influence) int { return cmp.Compare(b.Abs, a.Abs) })
	for c, words := range s.tokens {
		if len(words) == 0 {
			continue
		}
		t := ClassTokens{Class: info.Classes[c].Name, Rows: s.byClass[c]}
		for _, w := range words {
			t.Tokens = append(t.Tokens, *w)
		}
		slices.SortFunc(t.Tokens, func(a, b Token) int {
			return cmp.Or(cmp.Compare(b.Sum, a.Sum), strings.Compare(a.Token, b.Token))
		})
		t.Tokens = t.Tokens[:min(len(t.Tokens), topTokens)]
		e.Tokens = append(e.Tokens, t)
	}
	return e
}

// charts returns the bar chart and the beeswarm of the n most influential
// features.
func (e *Explained) charts(n int) (bars, swarm chart.Chart) {
	b := chart.Bars{Title: "Mean absolute attribution", X: e.Unit, Notes: []string{}}
	s := chart.Swarm{Title: "Attributions of explained rows", X: "attribution to the class of the verdict, " + e.Unit}
	for i, f := range e.Features {
		if i == n {
			break
		}
		sign := "+ for"
		if f.Mean < 0 {
			sign = "− against"
		}
		b.Names, b.Values, b.Notes = append(b.Names, f.Name), append(b.Values, f.Abs), append(b.Notes, sign)
		p := e.swarm[f.number]
		s.Names, s.Phi, s.Share = append(s.Names, f.Name), append(s.Phi, p.phi), append(s.Share, p.share)
	}
	return b.Draw(), s.Draw()
}
