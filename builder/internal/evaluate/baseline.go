package evaluate

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
	"cloister/shared/frame"
	"cloister/shared/model/tree"
)

// Baseline is what little knowledge gives on the same rows: a score that a
// model must beat to have learnt anything about attacks.
type Baseline struct {
	Name    string  `json:"name"`
	MacroF1 Number  `json:"macro_f1"`
	Rows    int     `json:"rows"`
	Feature string  `json:"feature,omitempty"` // of the best single one
	Others  []Field `json:"others,omitempty"`  // the single features by score, at most ten
}

// Field is a feature with the score it reaches alone.
type Field struct {
	Name    string  `json:"name"`
	MacroF1 float64 `json:"macro_f1"`
}

const (
	baselineFolds = 3
	baselineTrees = 20
	// baselineRows bounds the rows that baselines are fitted on: the first of
	// each class in the order of a stratified deal.
	baselineRows = 10_000
)

// baselines fits forests on identity alone and on every number field alone,
// each row judged by a forest that did not see it (3-fold). There are none for
// fewer than two classes.
func baselines(ctx context.Context, d *prep.Data, keep []bool, o Options) ([]Baseline, error) {
	rows, labels, k := baselineSample(d, keep, o.Seed)
	if len(rows) == 0 {
		return nil, nil
	}
	b := &baseline{ctx, rows, labels, k, nil, o}
	var err error
	if b.fold, _, err = prep.Folds(labels, k, baselineFolds, o.Seed); err != nil {
		return nil, nil // fewer rows than folds
	}
	prior := make([]int, len(rows))
	common := 0
	count := make([]int, k)
	for _, c := range labels {
		if count[c]++; count[c] > count[common] {
			common = c
		}
	}
	for i := range prior {
		prior[i] = common
	}
	out := []Baseline{{Name: "always the commonest class", MacroF1: Number(metric.NewConfusion(labels, prior, k).MacroF1()), Rows: len(rows)}}
	if x, width := identity(d, rows); width > 0 {
		f1, err := b.judge(x, width)
		if err != nil {
			return nil, err
		}
		out = append(out, Baseline{Name: "addresses, ports and time alone", MacroF1: Number(f1), Rows: len(rows)})
	}
	single, err := b.single(d)
	if err != nil || len(single) == 0 {
		return out, err
	}
	return append(out, Baseline{Name: "the best single feature", Feature: single[0].Name, MacroF1: Number(single[0].MacroF1), Rows: len(rows), Others: single[:min(len(single), 10)]}), nil
}

type baseline struct {
	ctx    context.Context
	rows   []int
	labels []int
	k      int
	fold   []int
	o      Options
}

// baselineSample returns the judged rows, thinned to baselineRows with every
// class in proportion, and their classes.
func baselineSample(d *prep.Data, keep []bool, seed uint64) (rows, labels []int, k int) {
	for i, ok := range keep {
		if ok {
			rows, labels = append(rows, i), append(labels, d.Class[i])
		}
	}
	k = len(d.Classes)
	if len(rows) > baselineRows {
		share := float64(baselineRows) / float64(len(rows))
		parts := prep.Stratified(labels, k, prep.Shares{1 - share, 0, share}, seed)
		n := 0
		for i, p := range parts {
			if p == prep.Holdout {
				rows[n], labels[n] = rows[i], labels[i]
				n++
			}
		}
		rows, labels = rows[:n], labels[:n]
	}
	distinct := slices.Clone(labels)
	slices.Sort(distinct)
	if len(slices.Compact(distinct)) < 2 {
		return nil, nil, 0
	}
	return rows, labels, k
}

// judge returns the macro-F1 of forests on x, rows×width.
func (b *baseline) judge(x []float64, width int) (float64, error) {
	predicted := make([]int, len(b.rows))
	for f := range baselineFolds {
		if err := b.ctx.Err(); err != nil {
			return 0, err
		}
		var in, out []float64
		var class, at []int
		for i, fold := range b.fold {
			row := x[i*width : (i+1)*width]
			if fold == f {
				out, at = append(out, row...), append(at, i)
			} else {
				in, class = append(in, row...), append(class, b.labels[i])
			}
		}
		src, _, err := grow.Forest(b.ctx, grow.Data{X: in, Features: width, Class: class, Classes: b.k},
			grow.ForestOptions{Seed: b.o.Seed + uint64(f), Trees: baselineTrees, Workers: b.o.Workers})
		if err != nil {
			return 0, err
		}
		m, err := tree.New(src)
		if err != nil {
			return 0, err
		}
		p := make([]float64, len(at)*b.k)
		if err := m.Predict(p, out); err != nil {
			return 0, err
		}
		for j, i := range at {
			predicted[i] = metric.Argmax(p[j*b.k : (j+1)*b.k])
		}
	}
	return metric.NewConfusion(b.labels, predicted, b.k).MacroF1(), nil
}

// identityFields name hosts, moments and transactions.
var identityFields = []string{frame.SrcPort, frame.DstPort, frame.FlowStart, frame.AlertTime}

// identity returns addresses as numbers, ports and start times, rows×width;
// columns without any value are left out.
func identity(d *prep.Data, rows []int) (x []float64, width int) {
	var columns [][]float64
	take := func(value func(i int) float64) {
		column, any := make([]float64, len(rows)), false
		for j, i := range rows {
			column[j] = value(i)
			any = any || !math.IsNaN(column[j])
		}
		if any {
			columns = append(columns, column)
		}
	}
	for _, name := range []string{frame.SrcAddr, frame.DstAddr} {
		if k, ok := d.Schema.Index(name); ok && d.Texts[k] != nil {
			take(func(i int) float64 {
				a, err := netip.ParseAddr(d.Texts[k][i])
				if err != nil {
					return math.NaN()
				}
				v := 0.0
				for _, b := range a.AsSlice() {
					v = v*256 + float64(b)
				}
				return v
			})
		}
	}
	for _, name := range identityFields {
		if k, ok := d.Schema.Index(name); ok && d.Numbers[k] != nil {
			take(func(i int) float64 { return d.Numbers[k][i] })
		}
	}
	for j := range rows {
		for _, c := range columns {
			x = append(x, c[j])
		}
	}
	return x, len(columns)
}

// single returns the number fields that are no identity by what they reach
// alone, best first.
func (b *baseline) single(d *prep.Data) ([]Field, error) {
	var out []Field
	for k, f := range d.Schema.Fields {
		if d.Numbers[k] == nil || slices.Contains(identityFields, f.Name) && f.Name != frame.DstPort || f.Name == "FLOW_END_MILLISECONDS" || f.Name == "DNS_QUERY_ID" {
			continue
		}
		x, lo, hi := make([]float64, len(b.rows)), math.Inf(1), math.Inf(-1)
		for j, i := range b.rows {
			x[j] = d.Numbers[k][i]
			if !math.IsNaN(x[j]) {
				lo, hi = min(lo, x[j]), max(hi, x[j])
			}
		}
		if !(lo < hi) {
			continue
		}
		b.o.Progress("baseline "+f.Name, 0.6+0.2*float64(k)/float64(len(d.Schema.Fields)))
		f1, err := b.judge(x, 1)
		if err != nil {
			return nil, fmt.Errorf("baseline %s: %w", f.Name, err)
		}
		out = append(out, Field{f.Name, f1})
	}
	slices.SortStableFunc(out, func(a, b Field) int {
		switch {
		case a.MacroF1 > b.MacroF1:
			return -1
		case a.MacroF1 < b.MacroF1:
			return 1
		}
		return 0
	})
	return out, nil
}
