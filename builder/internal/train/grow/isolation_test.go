package grow_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"cloister/builder/internal/metric"
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

func TestIsolation_extendedGrowsTheSameWithAnyWorkers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	d := grow.Data{Features: 5}
	for range 3000 {
		for j := range 5 {
			v := r.NormFloat64() * math.Pow(10, float64(j))
			switch r.IntN(40) {
			case 0:
				v = math.NaN()
			case 1:
				v = math.Inf(1)
			}
			d.X = append(d.X, v)
		}
	}
	var first []byte
	for _, workers := range []int{1, 2, 5} {
		s, report := isolation(t, d, grow.IsolationOptions{Seed: 9, Trees: 20, Extension: 2, Workers: workers})
		if s.Trees != nil || len(s.Oblique) != 20 || report.Nodes == 0 || len(report.Quantiles) != 1001 {
			t.Fatalf("%d trees, %d oblique ones, %d nodes", len(s.Trees), len(s.Oblique), report.Nodes)
		}
		sum := 0.0
		for _, v := range report.Importance {
			sum += v
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("importances add up to %v", sum)
		}
		full, fewer := 0, 0
		for _, o := range s.Oblique {
			for v := range o.Left {
				if n := o.Start[v+1] - o.Start[v]; n > 3 {
					t.Fatalf("a split weighs %d columns", n)
				} else if n == 3 {
					full++
				} else if n > 0 {
					fewer++
				}
			}
		}
		if fewer > full/10 {
			t.Errorf("%d splits of three columns, %d of fewer", full, fewer)
		}
		e, err := tree.New(s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		} else if string(b) != string(first) {
			t.Errorf("%d workers: another forest", workers)
		}
	}
}

// A leaf's cover is the rows that its tree's splits send there.
func TestIsolation_extendedCoversAreRows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 2))
	d := grow.Data{Features: 3}
	for i := range 900 {
		v := r.NormFloat64() * math.Pow(100, float64(i%3))
		if r.IntN(30) == 0 {
			v = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
		}
		d.X = append(d.X, v)
	}
	s, _ := isolation(t, d, grow.IsolationOptions{Seed: 2, Trees: 10, MaxSamples: 300, Extension: 2})
	for _, o := range s.Oblique {
		rows := make([]float64, len(o.Left))
		for i := range 300 {
			v := int32(0)
			for o.Start[v] < o.Start[v+1] {
				sum := 0.0
				for j := o.Start[v]; j < o.Start[v+1]; j++ {
					f := o.Feature[j]
					if x := d.X[3*i+int(f)]; x == x {
						x = min(max(x, -1e100), 1e100)
						sum += float64(float64(o.Weight[j]) * float64(s.Scale[f]*float64(x-o.Point[j])))
					}
				}
				if sum <= 0 {
					v = o.Left[v]
				} else {
					v = o.Right[v]
				}
			}
			rows[v]++
		}
		for v, n := range rows {
			if o.Start[v] == o.Start[v+1] && n != o.Cover[v] {
				t.Fatalf("node %d: cover %v, rows %v", v, o.Cover[v], n)
			}
		}
	}
}

// Rows that are few, alike, missing or infinite have extended forests too.
func TestIsolation_extendedOfDegenerateRows(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for what, x := range map[string][]float64{
		"two rows":    {1, 2, 3, 4},
		"constant":    slices.Repeat([]float64{7, 7}, 50),
		"all missing": slices.Repeat([]float64{nan, nan}, 50),
		"infinite":    slices.Repeat([]float64{inf, -inf, -inf, inf}, 50),
		"huge":        slices.Repeat([]float64{1e308, -1e308, -1e308, 1e308}, 50),
		"mixed":       slices.Repeat([]float64{1e99, nan, -1e99, inf, 3, 5e-324}, 50),
	} {
		s, report := isolation(t, grow.Data{Features: 2, X: x}, grow.IsolationOptions{Seed: 1, Trees: 5, Extension: 1})
		e, err := tree.New(s)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got := make([]float64, len(x)/2)
		if err := e.Predict(got, x); err != nil {
			t.Fatal(err)
		}
		for _, v := range append(got, report.Quantiles...) {
			if !(v > 0 && v < 1) {
				t.Fatalf("%s: score %v", what, v)
			}
		}
	}
	if _, _, err := grow.Isolation(context.Background(), grow.Data{Features: 2, X: []float64{1, 2}}, grow.IsolationOptions{Extension: 1}); !errors.Is(err, grow.ErrNoRows) {
		t.Errorf("one row: got %v", err)
	}
	for _, o := range []grow.IsolationOptions{{Extension: -1}, {Extension: 2}, {Extension: 1, MaxFeatures: 1}} {
		_, _, err := grow.Isolation(context.Background(), grow.Data{Features: 2, X: make([]float64, 8)}, o)
		if e, ok := errors.AsType[*grow.OptionError](err); !ok || e.Field != "Extension" {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}

// The reference is testdata/eif.py, numpy 2.4.6, 2026-11-22, twenty forests of
// each extension. Ours are five: their mean has a standard error of half the
// spread of one.
func TestIsolation_extendedFindsWhatTheReferenceFinds(t *testing.T) {
	b, err := os.ReadFile("testdata/eif.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Features, Anomalies int
		AUC                 []struct {
			Extension int
			Mean, SD  float64
		}
		X []float64
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	n := len(want.X) / want.Features
	positive := make([]bool, n)
	for i := n - want.Anomalies; i < n; i++ {
		positive[i] = true
	}
	const forests = 5
	for _, c := range want.AUC {
		mean := 0.0
		for seed := range uint64(forests) {
			s, _ := isolation(t, grow.Data{Features: want.Features, X: want.X}, grow.IsolationOptions{Seed: seed, Extension: c.Extension})
			e, err := tree.New(s)
			if err != nil {
				t.Fatal(err)
			}
			score := make([]float64, n)
			if err := e.Predict(score, want.X); err != nil {
				t.Fatal(err)
			}
			mean += metric.AUC(metric.Curve(score, positive)) / forests
		}
		t.Logf("extension %d: AUC %.4f, reference %.4f ± %.4f", c.Extension, mean, c.Mean, c.SD)
		if math.Abs(mean-c.Mean) > 3*c.SD/math.Sqrt(forests) {
			t.Errorf("extension %d: AUC %v, reference %v ± %v", c.Extension, mean, c.Mean, c.SD)
		}
	}
	if len(want.AUC) < 3 {
		t.Errorf("%d extensions", len(want.AUC))
	}
}
