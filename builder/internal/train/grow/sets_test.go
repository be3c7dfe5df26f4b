package grow_test

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// nominal is a table of one categorical column with m codes, the class or
// target depending on the code in no order, some cells missing.
func nominal(seed uint64, n, m, classes int) grow.Data {
	r := rand.New(rand.NewPCG(seed, 3))
	d := grow.Data{Features: 1, Classes: classes, Columns: []grow.Column{{Name: "service", Categorical: true}}}
	lean := make([]float64, m+1)
	for i := range lean {
		lean[i] = r.Float64()
	}
	for range n {
		u := r.Float64()
		code := int(u * u * float64(m+1)) // the low codes are frequent
		c := 0
		if r.Float64() < lean[code] {
			c = 1 + r.IntN(classes-1)
		}
		v := float64(code)
		if code == m {
			v = math.NaN()
		}
		d.X, d.Class = append(d.X, v), append(d.Class, c)
	}
	return d
}

// bestSet tries all sets of the m codes and the missing one on the left.
func bestSet(d grow.Data, m int, worth func(rows [2][]int) float64) float64 {
	best := math.Inf(-1)
	for set := uint(1); set < 1<<(m+1)-1; set++ {
		var rows [2][]int
		for i, v := range d.X {
			code := m
			if !math.IsNaN(v) {
				code = int(v)
			}
			side := 1 - int(set>>code&1)
			rows[side] = append(rows[side], i)
		}
		if len(rows[0]) > 0 && len(rows[1]) > 0 {
			best = max(best, worth(rows))
		}
	}
	return best
}

// divided returns the training rows on both sides of the root.
func divided(s *tree.Source, d grow.Data) (rows [2][]int) {
	u := &s.Trees[0]
	for i := range d.X {
		side := 0
		if step(u, 0, d.X[i]) == u.Right[0] {
			side = 1
		}
		rows[side] = append(rows[side], i)
	}
	return rows
}

func TestCategorical_findsTheBestSet(t *testing.T) {
	const m = 6
	for seed := range uint64(25) {
		d := nominal(seed, 400, m, 2)
		gini := func(rows [2][]int) (sum float64) {
			for _, side := range rows {
				var c [2]float64
				for _, i := range side {
					c[d.Class[i]]++
				}
				sum += (c[0]*c[0] + c[1]*c[1]) / (c[0] + c[1])
			}
			return sum
		}
		s, _ := forest(t, d, grow.ForestOptions{Trees: 1, Sampling: grow.Whole, MaxDepth: 1})
		checkSource(t, &s, d.X, ones(400))
		if got, want := gini(divided(&s, d)), bestSet(d, m, gini); math.Abs(got-want) > 1e-9*want {
			t.Errorf("seed %d: classes: score %v, best %v", seed, got, want)
		}

		target := d
		target.Class, target.Classes = nil, 0
		for i, c := range d.Class {
			target.Target = append(target.Target, float64(c)*3+float64(i%5)/5)
		}
		mean := 0.0
		for _, y := range target.Target {
			mean += y / 400
		}
		squares := func(rows [2][]int) (sum float64) {
			for _, side := range rows {
				part := 0.0
				for _, i := range side {
					part += target.Target[i] - mean
				}
				sum += part * part / float64(len(side))
			}
			return sum
		}
		s, _ = forest(t, target, grow.ForestOptions{Trees: 1, Sampling: grow.Whole, MaxDepth: 1})
		checkSource(t, &s, d.X, ones(400))
		if got, want := squares(divided(&s, d)), bestSet(d, m, squares); math.Abs(got-want) > 1e-9*want {
			t.Errorf("seed %d: regression: score %v, best %v", seed, got, want)
		}
		s, _ = boost(t, target, grow.BoostOptions{Rounds: 1, MaxDepth: 1, Lambda: -1})
		if got, want := squares(divided(&s, d)), bestSet(d, m, squares); got < 0.98*want {
			t.Errorf("seed %d: boosting: score %v, best %v", seed, got, want)
		}
	}
}

func TestCategorical_manyClassesAndCodes(t *testing.T) {
	d := nominal(9, 3000, 150, 4)
	for _, v := range []float64{0.5, -1, grow.MaxCategories, math.Inf(1)} {
		bad := d
		bad.X = slices.Clone(d.X)
		bad.X[5] = v
		var data *grow.DataError
		if _, _, err := grow.Forest(context.Background(), bad, grow.ForestOptions{}); !errors.As(err, &data) || data.Row != 5 {
			t.Errorf("code %v: %v", v, err)
		}
	}
	for _, extra := range []bool{false, true} {
		whole, _ := forest(t, d, grow.ForestOptions{Trees: 2, ExtraTrees: extra, Sampling: grow.Whole})
		checkSource(t, &whole, d.X, ones(3000))
		s, r := forest(t, d, grow.ForestOptions{Trees: 30, ExtraTrees: extra, MinSamplesLeaf: 5})
		checkSource(t, &s, d.X, nil)
		if a := accuracy(probabilities(&s, d.X), d.Class); a < 0.5 {
			t.Errorf("extra %v: accuracy %v", extra, a)
		}
		if r.Importance[0] != 1 {
			t.Errorf("importance %v", r.Importance)
		}
		for k := range s.Trees {
			u := &s.Trees[k]
			for v, j := range u.Feature {
				if j < 0 {
					continue
				}
				size := 0
				for _, w := range u.Category[v] {
					size += bits.OnesCount64(w)
				}
				if len(u.Category[v]) != 3 || size == 150 {
					t.Fatalf("tree %d: node %d: set %x", k, v, u.Category[v])
				}
			}
		}
	}
	binary := nominal(9, 3000, 150, 2)
	s, _ := boost(t, binary, grow.BoostOptions{Rounds: 20})
	checkSource(t, &s, binary.X, nil)
	if loss := logLoss(score(&s, binary.X), binary); loss > 0.5 {
		t.Errorf("boosting: loss %v", loss)
	}
	valid := binary
	_, r := boost(t, binary, grow.BoostOptions{Rounds: 20, Validation: &valid})
	if got := logLoss(score(&s, binary.X), binary); math.Abs(got-r.Loss[19]) > 1e-9 {
		t.Errorf("boosting: loss %v, report %v", got, r.Loss[19])
	}
}
