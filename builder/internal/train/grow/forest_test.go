package grow_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

func forest(t *testing.T, d grow.Data, o grow.ForestOptions) (tree.Source, grow.Report) {
	t.Helper()
	s, r, err := grow.Forest(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// forestVariants are the option sets that properties are checked under.
func forestVariants() map[string]grow.ForestOptions {
	return map[string]grow.ForestOptions{
		"default":    {Trees: 12},
		"extra":      {Trees: 12, ExtraTrees: true},
		"best first": {Trees: 6, MaxLeaves: 9},
		"shallow":    {Trees: 6, MaxDepth: 3, MinSamplesLeaf: 5, MinSamplesSplit: 20},
		"wide bins":  {Trees: 6, Bins: 4000},
		"few bins":   {Trees: 6, Bins: 4},
		"out of bag": {Trees: 12, OutOfBag: true, Permutation: true},
		"whole":      {Trees: 4, Sampling: grow.Whole, MaxFeatures: 6},
		"equal":      {Trees: 6, Sampling: grow.BootstrapEqual, OutOfBag: true},
		"part":       {Trees: 4, MaxSamples: 0.3, MaxFeaturesShare: 0.5},
	}
}

// Class weights on whole samples leave leaves that follow from counts, which
// a file holds in little room.
func TestForest_classWeightsShortenTheFile(t *testing.T) {
	d := toy(12, 1500, 4)
	for name, o := range map[string]grow.ForestOptions{
		"balanced":    {Balanced: true, ExtraTrees: true, Sampling: grow.Whole},
		"given":       {ClassWeights: []float64{1, 0.3, 2.7, 11}, Sampling: grow.Whole},
		"least of 20": {Balanced: true, MinSamplesLeaf: 20, Sampling: grow.Whole},
		"no class 2":  {ClassWeights: []float64{1, 0.3, 0, 11}, Sampling: grow.Whole},
	} {
		o.Trees, o.Seed = 20, 3
		s, _ := forest(t, d, o)
		size := func(s tree.Source) int {
			e, err := tree.New(s)
			if err != nil {
				t.Fatal(err)
			}
			b, err := e.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			return len(b)
		}
		with := size(s)
		s.ClassWeights = nil
		if without := size(s); 2*with > without {
			t.Errorf("%s: %d bytes, without class weights %d", name, with, without)
		}
	}
}

func TestForest_sameForAnyNumberOfWorkers(t *testing.T) {
	for _, task := range []string{"classes", "weighted classes", "regression"} {
		d := toy(1, 1500, 3)
		switch task {
		case "weighted classes":
			d.Weights = make([]float64, 1500)
			for i := range d.Weights {
				d.Weights[i] = float64(i%7) * 0.3
			}
		case "regression":
			d = numeric(d)
		}
		for name, o := range forestVariants() {
			t.Run(task+"/"+name, func(t *testing.T) {
				o.Seed = 42
				o.Workers = 1
				want, wantReport := forest(t, d, o)
				for _, w := range []int{2, 4} {
					o.Workers = w
					got, report := forest(t, d, o)
					if diff := sameSource(&want, &got); diff != "" {
						t.Fatalf("%d workers: %s differs", w, diff)
					}
					if !same(report.OutOfBag, wantReport.OutOfBag) || !same(report.Importance, wantReport.Importance) || !same(report.Permuted, wantReport.Permuted) {
						t.Fatalf("%d workers: report differs", w)
					}
				}
				o.Seed++
				if other, _ := forest(t, d, o); sameSource(&want, &other) == "" && name != "whole" {
					t.Fatal("another seed gave the same forest")
				}
			})
		}
	}
}

func TestForest_sourceIsSound(t *testing.T) {
	for _, task := range []string{"classes", "regression"} {
		d := toy(2, 1200, 4)
		if task == "regression" {
			d = numeric(d)
		}
		for name, o := range forestVariants() {
			t.Run(task+"/"+name, func(t *testing.T) {
				s, r := forest(t, d, o)
				var weight []float64
				if o.Sampling == grow.Whole || o.ExtraTrees {
					weight = ones(1200)
				}
				checkSource(t, &s, d.X, weight)
				nodes := 0
				for k := range s.Trees {
					leaves := 0
					for v, j := range s.Trees[k].Feature {
						nodes++
						if j < 0 {
							leaves++
							if c := s.Trees[k].Cover[v]; o.MinSamplesLeaf > 0 && c < float64(o.MinSamplesLeaf) {
								t.Fatalf("leaf of %v rows", c)
							}
						} else if j == 5 {
							t.Fatal("a split on the constant column")
						}
					}
					if o.MaxLeaves > 0 && leaves != o.MaxLeaves {
						t.Fatalf("%d leaves, want %d", leaves, o.MaxLeaves)
					}
				}
				if nodes != r.Nodes || r.Trees != len(s.Trees) || r.Rows != 1200 {
					t.Fatalf("report %+v, %d nodes", r, nodes)
				}
				sum := 0.0
				for _, v := range r.Importance {
					sum += v
				}
				if math.Abs(sum-1) > 1e-12 || r.Importance[5] != 0 || r.Importance[4] > r.Importance[0] {
					t.Fatalf("importance %v", r.Importance)
				}
			})
		}
	}
}

// TestForest_thresholdsSeparate grows one tree to the end, so that every leaf
// is pure and every training row gets its own label.
func TestForest_thresholdsSeparate(t *testing.T) {
	d := toy(3, 400, 3)
	for i := range 40 {
		d.X[i*6+1] = math.Inf(1 - i%2*2)
	}
	for _, bins := range []int{0, 1000} {
		s, _ := forest(t, d, grow.ForestOptions{Trees: 1, Sampling: grow.Whole, MaxFeatures: 6, Bins: bins})
		checkSource(t, &s, d.X, ones(400))
		if a := accuracy(probabilities(&s, d.X), d.Class); a != 1 {
			t.Fatalf("bins %d: accuracy %v on the training rows", bins, a)
		}
	}
}

// exhaustive finds the best Gini split of a table without missing values by
// trying every one; the reference for the histogram search.
func exhaustive(d grow.Data) (score float64) {
	n := len(d.Class)
	score = math.Inf(-1)
	for j := range d.Features {
		values := map[float64]bool{}
		for i := range n {
			values[d.X[i*d.Features+j]] = true
		}
		for cut := range values {
			var side [2][]float64
			side[0], side[1] = make([]float64, d.Classes), make([]float64, d.Classes)
			var total [2]float64
			for i := range n {
				s := 0
				if d.X[i*d.Features+j] > cut {
					s = 1
				}
				side[s][d.Class[i]]++
				total[s]++
			}
			if total[1] == 0 {
				continue
			}
			v := 0.0
			for s := range side {
				for _, c := range side[s] {
					v += c * c / total[s]
				}
			}
			score = max(score, v)
		}
	}
	return score
}

func TestForest_findsTheBestSplit(t *testing.T) {
	for _, n := range []int{20, 90, 97, 300, 1500} { // sorted and binned, sparse and dense
		for seed := range uint64(4) {
			d := toy(seed, n, 3)
			for i, v := range d.X {
				if math.IsNaN(v) {
					d.X[i] = 9
				}
			}
			want := exhaustive(d)
			for _, weights := range [][]float64{nil, ones(n)} {
				d.Weights = weights
				s, _ := forest(t, d, grow.ForestOptions{Trees: 1, Sampling: grow.Whole, MaxDepth: 1, MaxFeatures: 6, Bins: 2000})
				u := &s.Trees[0]
				got := 0.0
				for v := 1; v <= 2; v++ {
					for _, p := range u.Value[v*3 : v*3+3] {
						got += p * p * u.Cover[v]
					}
				}
				if math.Abs(got-want) > 1e-9*want {
					t.Errorf("%d rows, seed %d, weights %v: score %v, want %v", n, seed, weights != nil, got, want)
				}
			}
		}
	}
}

// TestForest_bestFirstTakesTheBest grows a third leaf where it gains most.
func TestForest_bestFirstTakesTheBest(t *testing.T) {
	sides := map[bool]int{}
	for seed := range uint64(12) {
		d := toy(seed+40, 300, 3)
		o := grow.ForestOptions{Trees: 1, Sampling: grow.Whole, MaxFeatures: 6, MaxDepth: 2}
		full, _ := forest(t, d, o)
		o.MaxLeaves = 3
		three, _ := forest(t, d, o)
		u := &full.Trees[0]
		worth := func(rows map[int32][]float64) (sum float64) {
			for _, c := range rows {
				total := c[0] + c[1] + c[2]
				sum += (c[0]*c[0] + c[1]*c[1] + c[2]*c[2]) / total
			}
			return sum
		}
		// Class counts of the rows under each child of the root, whole and divided.
		var whole, divided [2]map[int32][]float64
		for side := range whole {
			whole[side], divided[side] = map[int32][]float64{}, map[int32][]float64{}
		}
		_, leaves := walk(&full, d.X)
		for i, leaf := range leaves {
			side := 0
			if step(u, 0, d.X[i*6+int(u.Feature[0])]) == u.Right[0] {
				side = 1
			}
			for m, key := range map[*map[int32][]float64]int32{&whole[side]: 0, &divided[side]: leaf} {
				if (*m)[key] == nil {
					(*m)[key] = make([]float64, 3)
				}
				(*m)[key][d.Class[i]]++
			}
		}
		left := worth(divided[0])-worth(whole[0]) > worth(divided[1])-worth(whole[1])
		v := three.Trees[0]
		if got := v.Feature[v.Left[0]] >= 0; got != left {
			t.Errorf("seed %d: the left child was divided: %v, want %v", seed, got, left)
		}
		sides[left]++
	}
	if len(sides) != 2 {
		t.Errorf("only one side was ever better: %v", sides)
	}
}

func TestForest_weightTwoIsARowTwice(t *testing.T) {
	for _, task := range []string{"classes", "regression"} {
		d := toy(4, 300, 3)
		if task == "regression" {
			d = numeric(d)
		}
		twice := d
		twice.X = slices.Clone(d.X)
		twice.Class, twice.Target = slices.Clone(d.Class), slices.Clone(d.Target)
		d.Weights = ones(300)
		for i := 0; i < 300; i += 3 {
			d.Weights[i] = 2
			twice.X = append(twice.X, d.X[i*6:i*6+6]...)
			if task == "classes" {
				twice.Class = append(twice.Class, d.Class[i])
			} else {
				twice.Target = append(twice.Target, d.Target[i])
			}
		}
		o := grow.ForestOptions{Trees: 3, Sampling: grow.Whole, MaxDepth: 6, Bins: 5000, Seed: 3}
		a, _ := forest(t, d, o)
		b, _ := forest(t, twice, o)
		pa, pb := probabilities(&a, d.X), probabilities(&b, d.X)
		for i := range pa {
			if math.Abs(pa[i]-pb[i]) > 1e-9 {
				t.Fatalf("%s: value %d: weighted %v, doubled %v", task, i, pa[i], pb[i])
			}
		}
	}
}

func TestForest_classWeightsAreRowWeights(t *testing.T) {
	d := toy(5, 500, 3)
	d.Class = slices.Clone(d.Class)
	for i := range 350 { // unbalanced
		d.Class[i] = 0
	}
	counts := make([]float64, 3)
	for _, c := range d.Class {
		counts[c]++
	}
	for _, sampling := range []grow.Sampling{grow.Bootstrap, grow.BootstrapEqual, grow.Whole} {
		classWeights(t, d, counts, sampling)
	}
}

// singles rounds covers and leaf values to float32.
func singles(s *tree.Source) {
	for k := range s.Trees {
		for _, list := range [][]float64{s.Trees[k].Cover, s.Trees[k].Value} {
			for i, v := range list {
				list[i] = float64(float32(v))
			}
		}
	}
}

func classWeights(t *testing.T, d grow.Data, counts []float64, sampling grow.Sampling) {
	o := grow.ForestOptions{Trees: 5, Seed: 9, Sampling: sampling}
	byRow := d
	byRow.Weights = make([]float64, 500)
	factors := make([]float64, 3)
	for k := range factors {
		factors[k] = 500 / (3 * counts[k])
	}
	for i, c := range d.Class {
		byRow.Weights[i] = factors[c]
	}
	want, _ := forest(t, byRow, o)
	o.ClassWeights = factors
	given, _ := forest(t, d, o)
	o.ClassWeights, o.Balanced = nil, true
	balanced, _ := forest(t, d, o)
	plain, _ := forest(t, d, grow.ForestOptions{Trees: 5, Seed: 9, Sampling: sampling})
	for _, s := range []*tree.Source{&want, &given, &balanced} {
		singles(s) // sums by row and by class round otherwise
	}
	if diff := sameSource(&want, &given); diff != "" {
		t.Errorf("class weights: %s differs", diff)
	}
	if diff := sameSource(&want, &balanced); diff != "" {
		t.Errorf("balanced: %s differs", diff)
	}
	if sameSource(&want, &plain) == "" {
		t.Error("weights change nothing")
	}
}

func TestForest_drawsByWeight(t *testing.T) {
	d := toy(22, 1000, 2)
	d.Weights = make([]float64, 1000)
	want := 0.0
	for i := range d.Weights {
		d.Weights[i] = float64(i % 10)
		if d.Class[i] == 1 {
			d.Weights[i] *= 3
			want += d.Weights[i]
		}
	}
	total := 0.0
	for _, w := range d.Weights {
		total += w
	}
	for _, sampling := range []grow.Sampling{grow.Bootstrap, grow.BootstrapEqual} {
		s, _ := forest(t, d, grow.ForestOptions{Trees: 200, MaxLeaves: 2, Sampling: sampling})
		got := 0.0
		for k := range s.Trees {
			u := &s.Trees[k]
			for v := 1; v <= 2; v++ {
				got += u.Value[2*v+1] * u.Cover[v] / u.Cover[0] / 200
			}
			if sampling == grow.Bootstrap && u.Cover[0] != 900 {
				t.Fatalf("tree %d: %v rows drawn", k, u.Cover[0])
			}
		}
		if math.Abs(got-want/total) > 0.005 {
			t.Errorf("sampling %d: share of class 1 is %v in the trees, %v by weight", sampling, got, want/total)
		}
	}
}

func TestForest_missingValues(t *testing.T) {
	nan := math.NaN()
	// The value is missing exactly in class 1, between classes 0 and 2.
	d := grow.Data{Features: 1, X: []float64{1, 2, 3, 10, 11, 12, nan, nan, nan}, Class: []int{0, 0, 0, 2, 2, 2, 1, 1, 1}}
	s, _ := forest(t, d, grow.ForestOptions{Trees: 1, Sampling: grow.Whole})
	if a := accuracy(probabilities(&s, d.X), d.Class); a != 1 {
		t.Errorf("missing apart: accuracy %v, %+v", a, s.Trees[0])
	}
	for _, low := range []bool{true, false} { // missing rows belong with the low or the high values
		class := []int{0, 0, 0, 1, 1, 1, 1, 1, 1}
		if low {
			class = []int{0, 0, 0, 1, 1, 1, 0, 0, 0}
		}
		d.Class = class
		s, _ := forest(t, d, grow.ForestOptions{Trees: 1, Sampling: grow.Whole})
		u := &s.Trees[0]
		if len(u.Feature) != 3 || u.MissingLeft[0] != low || !(u.Threshold[0] > 3 && u.Threshold[0] < 10) {
			t.Errorf("low %v: %+v", low, u)
		}
	}
	// A node that no row without the value reaches sends it to the larger side.
	d = toy(23, 800, 2)
	s, _ = forest(t, d, grow.ForestOptions{Trees: 3, Sampling: grow.Whole})
	unseen := 0
	for k := range s.Trees {
		u := &s.Trees[k]
		seen := make([]bool, len(u.Feature))
		for i := range d.Class {
			for v := int32(0); u.Feature[v] >= 0; v = step(u, v, d.X[i*6+int(u.Feature[v])]) {
				seen[v] = seen[v] || math.IsNaN(d.X[i*6+int(u.Feature[v])])
			}
		}
		for v, j := range u.Feature {
			if j == 3 && !seen[v] {
				unseen++
				if u.MissingLeft[v] != (u.Cover[u.Left[v]] >= u.Cover[u.Right[v]]) {
					t.Fatalf("tree %d: node %d: missing left %v", k, v, u.MissingLeft[v])
				}
			}
		}
	}
	if unseen == 0 {
		t.Error("no node without missing rows")
	}
	// Without missing values in training they follow the larger side, in every tree alike.
	d = toy(6, 600, 2)
	for i, v := range d.X {
		if math.IsNaN(v) {
			d.X[i] = 0
		}
	}
	s, _ = forest(t, d, grow.ForestOptions{Trees: 9})
	sides := map[int32]float64{}
	for k := range s.Trees {
		u := &s.Trees[k]
		for v, j := range u.Feature {
			if j >= 0 {
				sides[j] += u.Cover[u.Left[v]] - u.Cover[u.Right[v]]
			}
		}
	}
	for k := range s.Trees {
		u := &s.Trees[k]
		for v, j := range u.Feature {
			if j >= 0 && u.MissingLeft[v] != (sides[j] >= 0) {
				t.Fatalf("tree %d: node %d: missing left %v, balance %v", k, v, u.MissingLeft[v], sides[j])
			}
		}
	}
}

func TestForest_outOfBag(t *testing.T) {
	d := toy(7, 800, 3)
	s, r := forest(t, d, grow.ForestOptions{Trees: 60, OutOfBag: true, Permutation: true, Seed: 2})
	if len(r.OutOfBag) != 800*3 {
		t.Fatalf("%d values", len(r.OutOfBag))
	}
	fresh := toy(8, 4000, 3)
	test := accuracy(probabilities(&s, fresh.X), fresh.Class)
	if math.Abs(test-r.OutOfBagScore) > 0.04 {
		t.Errorf("out-of-bag score %v, fresh rows %v", r.OutOfBagScore, test)
	}
	if a := accuracy(r.OutOfBag, d.Class); a != r.OutOfBagScore {
		t.Errorf("score %v, from the rows %v", r.OutOfBagScore, a)
	}
	if r.Permuted[0] < 0.02 || math.Abs(r.Permuted[4]) > 0.02 || r.Permuted[5] != 0 {
		t.Errorf("permuted importance %v", r.Permuted)
	}
	s, r = forest(t, numeric(d), grow.ForestOptions{Trees: 60, OutOfBag: true, Seed: 2})
	freshNumeric := numeric(fresh)
	p := probabilities(&s, fresh.X)
	mean := 0.0
	for _, y := range freshNumeric.Target {
		mean += y / 4000
	}
	var squares, spread float64
	for i, y := range freshNumeric.Target {
		squares += (y - p[i]) * (y - p[i])
		spread += (y - mean) * (y - mean)
	}
	if test := 1 - squares/spread; math.Abs(test-r.OutOfBagScore) > 0.05 {
		t.Errorf("out-of-bag R² %v, fresh rows %v", r.OutOfBagScore, test)
	}
}

func TestForest_degenerateTables(t *testing.T) {
	nan := math.NaN()
	huge := math.MaxFloat64
	tests := map[string]struct {
		data grow.Data
		want []float64 // prediction of the first row
	}{
		"one row":          {grow.Data{Features: 2, X: []float64{1, 2}, Class: []int{1}}, []float64{0, 1}},
		"one class":        {grow.Data{Features: 1, X: []float64{1, 2, 3}, Class: []int{0, 0, 0}}, []float64{1}},
		"constant columns": {grow.Data{Features: 2, X: []float64{1, 2, 1, 2}, Class: []int{0, 1}}, []float64{0.5, 0.5}},
		"all missing":      {grow.Data{Features: 2, X: []float64{nan, nan, nan, nan}, Class: []int{0, 1}}, []float64{0.5, 0.5}},
		"infinities":       {grow.Data{Features: 1, X: []float64{math.Inf(1), math.Inf(-1)}, Class: []int{0, 1}}, []float64{1, 0}},
		"infinity, huge":   {grow.Data{Features: 1, X: []float64{math.Inf(1), huge}, Class: []int{0, 1}}, []float64{1, 0}},
		"neighbours":       {grow.Data{Features: 1, X: []float64{1, math.Nextafter(1, 2)}, Class: []int{0, 1}}, []float64{1, 0}},
		"huge neighbours":  {grow.Data{Features: 1, X: []float64{-huge, huge}, Class: []int{0, 1}}, []float64{1, 0}},
		"zeros of 2 signs": {grow.Data{Features: 1, X: []float64{0, math.Copysign(0, -1)}, Class: []int{0, 1}}, []float64{0.5, 0.5}},
		"huge weights":     {grow.Data{Features: 1, X: []float64{1, 2}, Class: []int{0, 1}, Weights: []float64{huge, huge}}, []float64{1, 0}},
		"tiny weights":     {grow.Data{Features: 1, X: []float64{1, 2}, Class: []int{0, 1}, Weights: []float64{5e-324, 5e-324}}, []float64{1, 0}},
		"zero weight":      {grow.Data{Features: 1, X: []float64{1, 2, 3}, Class: []int{0, 1, 2}, Weights: []float64{0, 1, 0}}, []float64{0, 1, 0}},
		"regression":       {grow.Data{Features: 1, X: []float64{1, 2}, Target: []float64{0.1, 0.2}}, []float64{0.1}},
		"regression, one":  {grow.Data{Features: 1, X: []float64{1}, Target: []float64{0.1}}, []float64{0.1}},
		"equal targets":    {grow.Data{Features: 1, X: []float64{1, 2, 3}, Target: []float64{0.7, 0.7, 0.7}}, []float64{0.7}},
	}
	for name, test := range tests {
		for _, extra := range []bool{false, true} {
			t.Run(fmt.Sprint(name, "/", extra), func(t *testing.T) {
				s, _ := forest(t, test.data, grow.ForestOptions{Trees: 2, Sampling: grow.Whole, ExtraTrees: extra})
				checkSource(t, &s, test.data.X, nil)
				got := probabilities(&s, test.data.X)[:len(test.want)]
				for k := range got {
					if math.Abs(got[k]-test.want[k]) > 1e-15 {
						t.Fatalf("got %v, want %v", got, test.want)
					}
				}
			})
		}
	}
}

func TestForest_refuses(t *testing.T) {
	x := []float64{1, 2, 3, 4}
	many := make([]int, 257)
	for i := range many {
		many[i] = i
	}
	var data *grow.DataError
	var option *grow.OptionError
	var limit *grow.LimitError
	tests := map[string]struct {
		data grow.Data
		o    grow.ForestOptions
		want any
	}{
		"no columns":         {grow.Data{X: x}, grow.ForestOptions{}, &data},
		"too many columns":   {grow.Data{Features: grow.MaxFeatures + 1}, grow.ForestOptions{}, &limit},
		"half a row":         {grow.Data{X: x[:3], Features: 2, Class: []int{0, 1}}, grow.ForestOptions{}, &data},
		"labels missing":     {grow.Data{X: x, Features: 2, Class: []int{0}}, grow.ForestOptions{}, &data},
		"no labels":          {grow.Data{X: x, Features: 2}, grow.ForestOptions{}, &data},
		"negative class":     {grow.Data{X: x, Features: 2, Class: []int{0, -1}}, grow.ForestOptions{}, &data},
		"class out of range": {grow.Data{X: x, Features: 2, Class: []int{0, 2}, Classes: 2}, grow.ForestOptions{}, &data},
		"too many classes":   {grow.Data{X: make([]float64, 257), Features: 1, Class: many}, grow.ForestOptions{}, &limit},
		"class and target":   {grow.Data{X: x, Features: 2, Class: []int{0, 1}, Target: []float64{1, 2}}, grow.ForestOptions{}, &data},
		"target NaN":         {grow.Data{X: x, Features: 2, Target: []float64{1, math.NaN()}}, grow.ForestOptions{}, &data},
		"target too large":   {grow.Data{X: x, Features: 2, Target: []float64{1, 1e200}}, grow.ForestOptions{}, &data},
		"weights missing":    {grow.Data{X: x, Features: 2, Class: []int{0, 1}, Weights: []float64{1}}, grow.ForestOptions{}, &data},
		"weight negative":    {grow.Data{X: x, Features: 2, Class: []int{0, 1}, Weights: []float64{1, -1}}, grow.ForestOptions{}, &data},
		"weight NaN":         {grow.Data{X: x, Features: 2, Class: []int{0, 1}, Weights: []float64{1, math.NaN()}}, grow.ForestOptions{}, &data},
		"weight infinite":    {grow.Data{X: x, Features: 2, Class: []int{0, 1}, Weights: []float64{1, math.Inf(1)}}, grow.ForestOptions{}, &data},
		"columns":            {grow.Data{X: x, Features: 2, Class: []int{0, 1}, Columns: make([]grow.Column, 1)}, grow.ForestOptions{}, &data},
		"trees":              {grow.Data{X: x, Features: 2, Class: []int{0, 1}}, grow.ForestOptions{Trees: -1}, &option},
		"too many trees":     {grow.Data{X: x, Features: 2, Class: []int{0, 1}}, grow.ForestOptions{Trees: grow.MaxTrees + 1}, &limit},
		"one bin":            {grow.Data{X: x, Features: 2, Class: []int{0, 1}}, grow.ForestOptions{Bins: 1}, &option},
		"too many bins":      {grow.Data{X: x, Features: 2, Class: []int{0, 1}}, grow.ForestOptions{Bins: 65535}, &limit},
		"class weights":      {grow.Data{X: x, Features: 2, Class: []int{0, 1}}, grow.ForestOptions{ClassWeights: []float64{1}}, &option},
		"bag of whole":       {grow.Data{X: x, Features: 2, Class: []int{0, 1}}, grow.ForestOptions{OutOfBag: true, Sampling: grow.Whole}, &option},
		"share above 1":      {grow.Data{X: x, Features: 2, Class: []int{0, 1}}, grow.ForestOptions{MaxSamples: 1.1}, &option},
		"one leaf":           {grow.Data{X: x, Features: 2, Class: []int{0, 1}}, grow.ForestOptions{MaxLeaves: 1}, &option},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := grow.Forest(context.Background(), test.data, test.o)
			if err == nil || !errors.As(err, test.want) {
				t.Fatalf("got %v, want %T", err, test.want)
			}
		})
	}
	for _, d := range []grow.Data{
		{Features: 2, Class: []int{}},
		{Features: 1, X: []float64{1}, Class: []int{0}, Weights: []float64{0}},
	} {
		if _, _, err := grow.Forest(context.Background(), d, grow.ForestOptions{}); !errors.Is(err, grow.ErrNoRows) {
			t.Errorf("got %v, want %v", err, grow.ErrNoRows)
		}
	}
}

func TestForest_stopsWithItsContext(t *testing.T) {
	d := toy(9, 500, 3)
	for _, workers := range []int{1, 3} {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		_, _, err := grow.Forest(ctx, d, grow.ForestOptions{Trees: 500, Workers: workers, Progress: func(p grow.Progress) {
			calls++
			if p.Done != calls || p.Total != 500 {
				t.Errorf("call %d: %+v", calls, p)
			}
			if calls == 3 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || calls < 3 || calls > 10 {
			t.Errorf("%d workers: %v after %d trees", workers, err, calls)
		}
	}
}
