package evaluate

import (
	"context"
	"fmt"
	"math"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/train"
	"cloister/shared/frame"
	"cloister/shared/job"
	"cloister/shared/score"
)

// LeftOut is what a model that never saw an attack class makes of its rows.
type LeftOut struct {
	Class string `json:"class"`
	Rows  int    `json:"rows"`
	// Flagged is the share of the rows whose attack score reaches the new
	// model's threshold, Abstained the share without verdict, Anomalous the share
	// stranger than 99 % of benign training rows.
	Flagged   Number `json:"flagged"`
	Abstained Number `json:"abstained"`
	Anomalous Number `json:"anomalous"`
	// Named is the class that most of the rows are taken for.
	Named string `json:"named"`
	Share Number `json:"share"` // of the rows that are taken for it
}

// strange is the anomaly percentile that counts as anomalous.
const strange = 0.99

// leaveOut trains one candidate of the recipe, the first or, of texts, the last,
// once for each class but the benign one, without its rows, and scores the rows.
// Of severities it shows which of the others one that was never seen is taken
// for.
func leaveOut(ctx context.Context, files []File, o Options) ([]LeftOut, error) {
	recipe := *o.Recipe
	var in []train.File
	for _, f := range files {
		in = append(in, train.File{Name: f.Label, ReaderAt: f, Size: f.Bytes})
	}
	table, err := train.Read(in, recipe)
	if err != nil {
		return nil, err
	}
	first := 0
	if recipe.Benign != "" {
		first = 1
	}
	if n := len(recipe.Candidates); recipe.Texts() {
		recipe.Candidates = recipe.Candidates[n-1:]
	} else {
		recipe.Candidates = recipe.Candidates[:1]
	}
	recipe.Compared = 0
	var out []LeftOut
	for c := first; c < len(table.Classes) && len(table.Classes) > 2; c++ {
		o.Progress("without "+table.Classes[c], 0.8+0.2*float64(c)/float64(len(table.Classes)))
		left, err := leave(ctx, files, table, c, recipe, o)
		if err != nil {
			return nil, fmt.Errorf("without %s: %w", table.Classes[c], err)
		}
		out = append(out, left)
	}
	return out, nil
}

// leave trains without class c and scores all files, looking at its rows.
func leave(ctx context.Context, files []File, table *train.Table, c int, recipe train.Recipe, o Options) (LeftOut, error) {
	out := LeftOut{Class: table.Classes[c]}
	r, err := train.Fit(ctx, without(table, c), recipe, train.Options{Seed: o.Seed, Workers: o.Workers})
	if err != nil {
		return out, err
	}
	file, err := publish.Bundle(r, publish.Options{Version: "0.0.0"})
	if err != nil {
		return out, err
	}
	s := score.New()
	info, err := s.Load(file)
	if err != nil {
		return out, err
	}
	named := make([]int, len(info.Classes))
	flagged, abstained, anomalous := 0, 0, 0
	data, err := readAll(ctx, files, info.Schema, Options{Progress: func(string, float64) {}})
	if err != nil {
		return out, err
	}
	wanted := make([]bool, data.Len())
	for i, k := range data.Class {
		wanted[i] = k >= 0 && data.Classes[k] == out.Class
	}
	for k, f := range files {
		at := map[int64]bool{}
		for i, row := range data.Row {
			if data.File[i] == k && wanted[i] {
				at[row] = true
			}
		}
		if _, err := s.Score(f, job.Options{MaxRejectShare: 1}, func(_ job.Progress, b *job.Batch) bool {
			for i := range batchRows(b) {
				if !at[b.Row[i]] {
					continue
				}
				out.Rows++
				named[b.Class[i]]++
				if b.Attack[i] >= info.Threshold {
					flagged++
				}
				if b.Abstained[i] {
					abstained++
				}
				if i < len(b.Anomaly) && b.Anomaly[i] >= strange {
					anomalous++
				}
			}
			return ctx.Err() == nil
		}); err != nil {
			return out, err
		}
	}
	best := 0
	for k, n := range named {
		if n > named[best] {
			best = k
		}
	}
	out.Flagged, out.Abstained, out.Anomalous = ratio(flagged, out.Rows), ratio(abstained, out.Rows), ratio(anomalous, out.Rows)
	if recipe.Unflagged {
		out.Anomalous = Number(math.NaN())
	}
	out.Named, out.Share = info.Classes[best].Name, ratio(named[best], out.Rows)
	return out, ctx.Err()
}

// without returns the table without the rows of class c and without the class.
func without(t *train.Table, c int) *train.Table {
	out := *t
	out.Classes = nil
	for k, name := range t.Classes {
		if k != c {
			out.Classes = append(out.Classes, name)
		}
	}
	var rows []int
	out.Class = nil
	for i, k := range t.Class {
		if k != c {
			rows = append(rows, i)
			if k > c {
				k--
			}
			out.Class = append(out.Class, k)
		}
	}
	pick := func(x []float64) []float64 {
		if x == nil {
			return nil
		}
		width := len(x) / len(t.Class)
		picked := make([]float64, 0, len(rows)*width)
		for _, i := range rows {
			picked = append(picked, x[i*width:(i+1)*width]...)
		}
		return picked
	}
	out.X, out.Fields, out.Other, out.Identity, out.Around = pick(t.X), pick(t.Fields), pick(t.Other), pick(t.Identity), pick(t.Around)
	out.Place = nil
	for _, i := range rows {
		out.Place = append(out.Place, t.Place[i])
	}
	if t.Frame != nil {
		out.Frame = textsOf(t.Frame, rows)
	}
	return &out
}

// textsOf returns the given rows of a frame that holds texts only.
func textsOf(f *frame.Frame, rows []int) *frame.Frame {
	has := make([]bool, len(f.Schema.Fields))
	for k := range has {
		has[k] = f.Texts[k] != nil
	}
	out := frame.New(f.Schema, len(rows), has)
	for n, i := range rows {
		out.Row, out.Offset = append(out.Row, int64(n+1)), append(out.Offset, 0)
		for k, texts := range f.Texts {
			if texts != nil {
				out.Texts[k] = append(out.Texts[k], texts[i])
			}
		}
	}
	return out
}
