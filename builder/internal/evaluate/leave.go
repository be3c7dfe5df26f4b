package evaluate

import (
	"context"
	"fmt"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/train"
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

// leaveOut trains the recipe's first candidate once for each class but the
// benign one, without its rows, and scores the rows. A recipe without a benign
// class has none to leave out.
func leaveOut(ctx context.Context, files []File, o Options) ([]LeftOut, error) {
	recipe := *o.Recipe
	if recipe.Benign == "" || recipe.Texts() {
		return nil, nil
	}
	var in []train.File
	for _, f := range files {
		in = append(in, train.File{Name: f.Label, ReaderAt: f, Size: f.Bytes})
	}
	table, err := train.Read(in, recipe)
	if err != nil {
		return nil, err
	}
	recipe.Candidates = recipe.Candidates[:1]
	var out []LeftOut
	for c := 1; c < len(table.Classes) && len(table.Classes) > 2; c++ {
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
	out.X, out.Fields, out.Other, out.Identity = pick(t.X), pick(t.Fields), pick(t.Other), pick(t.Identity)
	return &out
}
