package score

import (
	"fmt"
	"math"
	"slices"

	"cloister/shared/feature"
	"cloister/shared/job"
)

var _ job.Attributor = (*Scorer)(nil)

// Attribute implements [job.Attributor]: it reads the rows again from the file
// and attributes all of them at once, each to its own class, in the unit of
// [Scorer.Explain] and with its numbers. Rows that were not scored are a
// [*job.Failure] of kind "input". It costs what package explain needs for a
// block, some microseconds a row, where Explain takes milliseconds for what a
// person reads of one.
func (s *Scorer) Attribute(rows []int64) (job.Attributions, error) {
	if s.src == nil {
		return job.Attributions{}, job.Failf("input", "score a file first", "no file has been scored")
	}
	l := s.b
	out := job.Attributions{Features: l.input.Numbers() + len(l.input.Texts())}
	step := max(chunk/l.input.Len(), 1)
	for part := range slices.Chunk(rows, step) {
		var x []float64
		for _, row := range part {
			i, ok := slices.BinarySearch(s.rows, row)
			if !ok {
				return job.Attributions{}, job.Failf("input", "", "row %d was not scored", row)
			}
			f, err := s.src.At(s.offset[i])
			if err != nil {
				return job.Attributions{}, inputFailure(fmt.Errorf("row %d: %w", row, err))
			}
			if s.asText {
				f = feature.Sentences(f)
			}
			x = append(x, l.input.Rows(nil, f, 0, 1)...)
		}
		if err := l.attributeAll(&out, part, x); err != nil {
			return job.Attributions{}, err
		}
	}
	return out, nil
}

// attributeAll appends the attributions of rows, whose columns are x.
func (l *loaded) attributeAll(out *job.Attributions, rows []int64, x []float64) error {
	n, k, d := len(rows), len(l.m.Labels), l.input.Len()
	_, outputs := l.classifier.Shape()
	p, margins, phi, class := make([]float64, n*k), make([]float64, n*outputs), make([]float64, n*d), make([]int, n)
	l.classify(&matrices{}, p, x)
	for i := range class {
		class[i] = argmax(p[i*k : (i+1)*k])
	}
	if err := l.classifier.Margin(margins, x); err != nil {
		return err
	}
	of := class
	if outputs != k {
		of = make([]int, n) // one margin for the second of two classes
	}
	if err := l.explainer.Chosen(phi, x, of); err != nil {
		return err
	}
	for i, row := range rows {
		sign, own := 1.0, phi[i*d:(i+1)*d]
		if outputs != k {
			sign = float64(2*class[i] - 1)
			for j := range own {
				own[j] *= sign
			}
		}
		base, margin := sign*l.explainer.Base(of[i]), sign*margins[i*outputs+of[i]]
		sum := base
		for j, v := range l.gathered(own) {
			sum += v
			rank := math.NaN()
			if j < l.input.Numbers() {
				rank = l.input.Pipeline().Percentile(j, x[i*d+j])
			}
			out.SHAP = append(out.SHAP, float32(v))
			out.Percentile = append(out.Percentile, job.Rank(rank))
		}
		out.Row, out.Class = append(out.Row, row), append(out.Class, uint16(class[i]))
		out.Base, out.Margin = append(out.Base, base), append(out.Margin, margin)
		out.Additivity = max(out.Additivity, math.Abs(sum-margin))
	}
	return nil
}
