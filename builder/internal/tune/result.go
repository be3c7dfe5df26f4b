package tune

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Result is a finished search. It has the same bytes as JSON however often the
// search was interrupted; times are in the report alone.
type Result struct {
	Format   int      `json:"format"` // version of this form: 1
	Recipe   string   `json:"recipe"`
	Model    string   `json:"model"` // Forest or Boosting
	Search   Search   `json:"search"`
	Resource Resource `json:"resource,omitempty"` // for Halving
	Seed     uint64   `json:"seed"`
	Split    string   `json:"split"` // as prep.ParseShares reads it
	Folds    int      `json:"folds"`
	Inputs   string   `json:"inputs"` // SHA-256 of data, space and settings
	Counts   Counts   `json:"rows"`
	Rule     Rule     `json:"rule"`
	// Chosen and Best are numbers of candidates: the choice by Rule, and the
	// highest score of the last rung.
	Chosen int                `json:"chosen"`
	Best   int                `json:"best"`
	Params map[string]float64 `json:"params"` // of the chosen candidate
	// Candidates are in order of score: those of later rungs first, then by mean
	// macro-F1, the earlier number among equals.
	Candidates []Candidate `json:"candidates"`
	Rungs      []Rung      `json:"rungs"`
	Space      Space       `json:"space"`
	Notes      []string    `json:"notes"` // what a reader should know of the figures
}

// Counts are numbers of labelled rows.
type Counts struct {
	Searched int `json:"searched"` // training and, unless left out, validation rows
	Holdout  int `json:"holdout"`  // rows that took no part
}

// Candidate is a set of parameters and its scores, means over folds, in the
// last rung that it reached.
type Candidate struct {
	Number   int                `json:"number"` // by order of proposal, from 0
	Params   map[string]float64 `json:"params"`
	Rung     int                `json:"rung"`
	MacroF1  float64            `json:"macro_f1"`
	Error    float64            `json:"macro_f1_error"` // standard error over folds
	Folds    []float64          `json:"macro_f1_folds"`
	Accuracy float64            `json:"accuracy"`
	LogLoss  float64            `json:"log_loss"`
	Nodes    float64            `json:"nodes"` // size of the model
	Seconds  float64            `json:"-"`     // a fit, wall clock with other fits beside it
}

// result gathers what the fits say.
func (s *search) result(data Data, h head, short []int, rungs []Rung) *Result {
	r := &Result{
		Format: 1, Recipe: s.o.Recipe, Model: s.space.Model, Search: s.o.Search, Seed: s.o.Seed, Split: percent(s.o.Shares), Folds: s.o.Folds,
		Inputs: h.Inputs, Counts: Counts{len(s.rows.class), len(data.Class) - len(s.rows.class)}, Rule: s.o.Rule, Rungs: rungs, Space: s.space,
		Notes: []string{},
	}
	if s.o.Search == Halving {
		r.Resource = s.o.Resource
	}
	reached := make([]int, len(s.models))
	for i, rung := range rungs {
		for _, c := range rung.Candidates {
			reached[c] = i
		}
	}
	for c := range s.models {
		r.Candidates = append(r.Candidates, s.candidate(c, reached[c]))
	}
	slices.SortStableFunc(r.Candidates, func(a, b Candidate) int {
		switch {
		case a.Rung != b.Rung:
			return b.Rung - a.Rung
		case a.MacroF1 > b.MacroF1:
			return -1
		case a.MacroF1 < b.MacroF1:
			return 1
		}
		return a.Number - b.Number
	})
	best := r.Candidates[0]
	chosen := choose(r.Candidates, s.o.Rule)
	r.Best, r.Chosen, r.Params = best.Number, chosen.Number, chosen.Params
	for _, c := range short {
		n := 0
		for _, class := range s.rows.class {
			if class == c {
				n++
			}
		}
		note := fmt.Sprintf("class %.64q has %d rows for %d folds: some folds cannot judge it", data.Classes[c], n, s.o.Folds)
		if n == 1 {
			note += ", and the one that can has not learnt it"
		}
		r.Notes = append(r.Notes, note)
	}
	if s.o.Search != Grid && len(s.models) < s.o.Draws {
		r.Notes = append(r.Notes, fmt.Sprintf("the space has %d points, so that %d draws were not to be had", len(s.models), s.o.Draws))
	}
	return r
}

// candidate gathers the fits of a candidate.
func (s *search) candidate(number, rung int) Candidate {
	c := Candidate{Number: number, Params: s.params[number], Rung: rung, Folds: s.scores(rung, number)}
	c.MacroF1, c.Error = meanOf(c.Folds)
	n := float64(s.o.Folds)
	for fold := range s.o.Folds {
		f := s.fits[place{rung, number, fold}]
		c.Accuracy += f.accuracy / n
		c.LogLoss += f.logLoss / n
		c.Nodes += float64(f.nodes) / n
		c.Seconds += f.seconds / n
	}
	return c
}

// choose applies a rule to candidates in order of score.
func choose(candidates []Candidate, rule Rule) Candidate {
	best := candidates[0]
	chosen := best
	for _, c := range candidates {
		if rule == OneError && c.Rung == best.Rung && c.MacroF1 >= best.MacroF1-best.Error && c.Nodes < chosen.Nodes {
			chosen = c
		}
	}
	return chosen
}

// JSON returns the result as text that [Chosen] reads.
func (r *Result) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// maxResultBytes bounds a result: some kilobytes for each candidate.
const maxResultBytes = 64 << 20

// Chosen reads a result and returns the model that it chose, and the result.
// A form of another version, unknown fields and parameters out of range are
// errors. To judge the model on rows that took no part in the search, train
// it with the result's Seed and Split.
func Chosen(r io.Reader) (Model, *Result, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxResultBytes+1))
	if err != nil {
		return Model{}, nil, err
	}
	if len(text) > maxResultBytes {
		return Model{}, nil, fmt.Errorf("result of a search: more than %d bytes", maxResultBytes)
	}
	var res Result
	if err := decodeStrict(text, &res); err != nil {
		return Model{}, nil, fmt.Errorf("result of a search: %w", err)
	}
	if res.Format != 1 {
		return Model{}, nil, fmt.Errorf("result of a search: format %d, want 1", res.Format)
	}
	m, err := newModel(res.Model, res.Params)
	if err != nil {
		return Model{}, nil, fmt.Errorf("result of a search: %w", err)
	}
	return m, &res, nil
}

// find returns a candidate by its number.
func (r *Result) find(number int) Candidate {
	for _, c := range r.Candidates {
		if c.Number == number {
			return c
		}
	}
	return Candidate{} // unreachable: numbers come from the list
}

// Describe writes the parameters and the score of a candidate in one line.
func (r *Result) Describe(number int) string {
	c := r.find(number)
	return fmt.Sprintf("candidate %d: %s: macro-F1 %.4f ± %.4f, %.0f nodes", number, r.Space.describe(c.Params), c.MacroF1, c.Error, c.Nodes)
}

// Markdown returns the report: how was searched, what was chosen by which
// rule, and all candidates by score with standard error and time.
func (r *Result) Markdown() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Search: %s, recipe %s\n", r.Model, r.Recipe)
	how := string(r.Search)
	if r.Resource != "" {
		how += " by " + string(r.Resource)
	}
	line("- %s, %d candidates, %d folds, seed %d", how, len(r.Candidates), r.Folds, r.Seed)
	line("- %d rows searched; %d other rows (split %s) took no part", r.Counts.Searched, r.Counts.Holdout, r.Split)
	line("- inputs %s", r.Inputs)
	line("- best: %s", r.Describe(r.Best))
	line("- chosen: %s", r.Describe(r.Chosen))
	if r.Rule == OneError {
		line("- rule: the smallest model whose macro-F1 is within one standard error of the best")
	} else {
		line("- rule: the highest macro-F1")
	}
	line("- a score is a mean over folds ± its standard error; the best of many is too high: hold-out rows say how good it is")
	for _, n := range r.Notes {
		line("- %s", n)
	}
	if len(r.Rungs) > 1 {
		line("\n## Rungs\n\n| rung | share of %s | candidates | promoted |\n|---:|---:|---:|---|", r.Resource)
		for i, rung := range r.Rungs {
			promoted := ""
			for _, c := range rung.Promoted {
				promoted += strconv.Itoa(c) + " "
			}
			line("| %d | %.3g | %d | %s|", i, rung.Share, len(rung.Candidates), promoted)
		}
	}
	line("\n## Candidates\n")
	b.WriteString("| number | rung | macro-F1 | ± | accuracy | log loss | nodes |")
	for _, d := range r.Space.Dimensions {
		b.WriteString(" " + d.Name + " |")
	}
	b.WriteString(" seconds a fit | |\n|")
	for range len(r.Space.Dimensions) + 8 {
		b.WriteString("---:|")
	}
	b.WriteString("---|\n")
	for _, c := range r.Candidates {
		fmt.Fprintf(&b, "| %d | %d | %.4f | %.4f | %.4f | %.4f | %.0f |", c.Number, c.Rung, c.MacroF1, c.Error, c.Accuracy, c.LogLoss, math.Round(c.Nodes))
		for _, d := range r.Space.Dimensions {
			fmt.Fprintf(&b, " %g |", c.Params[d.Name])
		}
		var marks []string
		if c.Number == r.Best {
			marks = append(marks, "best")
		}
		if c.Number == r.Chosen {
			marks = append(marks, "chosen")
		}
		fmt.Fprintf(&b, " %.3f | %s |\n", c.Seconds, strings.Join(marks, ", "))
	}
	return b.Bytes()
}
