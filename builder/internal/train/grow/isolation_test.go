package grow_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/frame"
	"cloister/shared/model/tree"
)

func isolation(t *testing.T, d grow.Data, o grow.IsolationOptions) (tree.Source, grow.Report) {
	t.Helper()
	s, r, err := grow.Isolation(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// anomaly returns the scores of the formula in Isolation's comment.
func anomaly(s *tree.Source, x []float64) []float64 {
	p, _ := walk(s, x)
	for i := range p {
		p[i] = math.Exp2(-p[i] / float64(len(s.Trees)) / meanPath(float64(s.SampleSize)))
	}
	return p
}

func TestIsolation_ranksOutliersFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := grow.Data{Features: 3}
	for i := range 2000 {
		far := 0.0
		if i < 20 {
			far = 6
		}
		for range 3 {
			d.X = append(d.X, r.NormFloat64()+far)
		}
	}
	s, report := isolation(t, d, grow.IsolationOptions{Seed: 3, Quantiles: 2000})
	sorted := anomaly(&s, d.X)
	slices.Sort(sorted)
	for i, v := range sorted {
		if math.Abs(v-report.Quantiles[i]) > 1e-12 {
			t.Fatalf("quantile %d is %v, score %v", i, report.Quantiles[i], v)
		}
	}
	s, report = isolation(t, d, grow.IsolationOptions{Seed: 3})
	checkSource(t, &s, d.X, nil)
	if s.SampleSize != 256 || len(s.Trees) != 100 {
		t.Fatalf("sample size %d, %d trees", s.SampleSize, len(s.Trees))
	}
	scores := anomaly(&s, d.X)
	for i, v := range scores[:20] {
		if p := frame.Quantiles(report.Quantiles).Share(v); p < 0.97 || v < 0.6 {
			t.Errorf("outlier %d: score %v, percentile %v", i, v, p)
		}
	}
	mean := 0.0
	for _, v := range scores {
		mean += v / 2000
		if v < report.Quantiles[0]-1e-12 || v > report.Quantiles[1000]+1e-12 {
			t.Fatalf("score %v outside the quantiles", v)
		}
	}
	if mean < 0.35 || mean > 0.55 {
		t.Errorf("mean score %v", mean)
	}
	median := frame.Quantiles(report.Quantiles).Share(report.Quantiles[500])
	if math.Abs(median-0.5) > 0.002 {
		t.Errorf("percentile of the median %v", median)
	}
}

func TestIsolation_treesAreSound(t *testing.T) {
	d := toy(1, 900, 3)
	for i := range 30 {
		d.X[i*6+1] = math.Inf(1 - i%2*2)
	}
	s, report := isolation(t, d, grow.IsolationOptions{Seed: 8, Trees: 40, MaxSamples: 100})
	checkSource(t, &s, d.X, nil)
	for k := range s.Trees {
		u := &s.Trees[k]
		depth := make([]int, len(u.Left))
		for v, j := range u.Feature {
			if j >= 0 {
				depth[u.Left[v]], depth[u.Right[v]] = depth[v]+1, depth[v]+1
				if math.IsInf(u.Threshold[v], 0) {
					t.Fatal("infinite threshold")
				}
			}
			if depth[v] > 7 {
				t.Fatalf("tree %d: depth %d", k, depth[v])
			}
		}
		if u.Cover[0] != 100 {
			t.Fatalf("tree %d: %v rows", k, u.Cover[0])
		}
	}
	if report.Importance[5] != 0 || report.Importance[0] == 0 {
		t.Errorf("importance %v", report.Importance)
	}
}

func TestIsolation_thresholdsAreUniform(t *testing.T) {
	s, _ := isolation(t, grow.Data{Features: 1, X: []float64{0, 1}}, grow.IsolationOptions{Trees: 4000})
	var below [4]float64
	for k := range s.Trees {
		v := s.Trees[k].Threshold[0]
		if !(v >= 0 && v < 1) {
			t.Fatalf("threshold %v", v)
		}
		below[int(v*4)]++
	}
	for q, n := range below {
		if math.Abs(n-1000) > 110 { // four standard deviations
			t.Errorf("quarter %d: %v of 4000 thresholds", q, n)
		}
	}
}

func TestIsolation_missingValuesFollowTheLargerSide(t *testing.T) {
	d := toy(3, 900, 3)
	s, _ := isolation(t, d, grow.IsolationOptions{Trees: 50, MaxSamples: 900, MaxDepth: 6})
	checkSource(t, &s, d.X, ones(900))
	nodes := 0
	for k := range s.Trees {
		u := &s.Trees[k]
		for v, j := range u.Feature {
			if l, r := u.Cover[max(u.Left[v], 0)], u.Cover[max(u.Right[v], 0)]; j == 3 && l != r {
				nodes++
				if u.MissingLeft[v] != (l > r) {
					t.Fatalf("tree %d: node %d: missing left %v, covers %v and %v", k, v, u.MissingLeft[v], l, r)
				}
			}
		}
	}
	if nodes == 0 {
		t.Error("no split on the column")
	}
}

func TestIsolation_sameForAnyNumberOfWorkers(t *testing.T) {
	d := toy(2, 700, 2)
	o := grow.IsolationOptions{Seed: 5, Workers: 1, MaxFeatures: 3}
	want, wantReport := isolation(t, d, o)
	for _, w := range []int{2, 4} {
		o.Workers = w
		got, report := isolation(t, d, o)
		if diff := sameSource(&want, &got); diff != "" {
			t.Fatalf("%d workers: %s differs", w, diff)
		}
		if !same(report.Quantiles, wantReport.Quantiles) {
			t.Fatalf("%d workers: quantiles differ", w)
		}
	}
	o.Seed++
	if other, _ := isolation(t, d, o); sameSource(&want, &other) == "" {
		t.Fatal("another seed gave the same forest")
	}
}

func TestIsolation_degenerateTables(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, x := range map[string][]float64{
		"two rows":   {1, 2},
		"constant":   {3, 3, 3, 3},
		"missing":    {nan, nan, nan},
		"infinities": {inf, -inf, inf, 1},
		"huge":       {-math.MaxFloat64, math.MaxFloat64, 0},
		"neighbours": {1, math.Nextafter(1, 2), 1},
	} {
		s, r := isolation(t, grow.Data{Features: 1, X: x}, grow.IsolationOptions{Trees: 5})
		checkSource(t, &s, x, nil)
		for _, q := range r.Quantiles {
			if !(q > 0 && q < 1) {
				t.Errorf("%s: quantile %v", name, q)
			}
		}
	}
	for _, x := range [][]float64{nil, {1}} {
		if _, _, err := grow.Isolation(context.Background(), grow.Data{Features: 1, X: x}, grow.IsolationOptions{}); !errors.Is(err, grow.ErrNoRows) {
			t.Errorf("%d rows: %v", len(x), err)
		}
	}
	var option *grow.OptionError
	if _, _, err := grow.Isolation(context.Background(), grow.Data{Features: 1, X: []float64{1, 2}}, grow.IsolationOptions{MaxSamples: 1}); !errors.As(err, &option) {
		t.Errorf("one sample: %v", err)
	}
}
