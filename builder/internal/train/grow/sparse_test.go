package grow_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// texts is a table like TF-IDF: few cells of d, some telling of the class, and
// with odd, also negative and missing ones. It returns the dense table too.
func texts(seed uint64, n, d, classes int, odd bool) (sparse, dense grow.Data) {
	r := rand.New(rand.NewPCG(seed, 4))
	sparse = grow.Data{Features: d, Classes: classes, Sparse: &grow.Sparse{Start: []int{0}}}
	dense = grow.Data{Features: d, Classes: classes, X: make([]float64, n*d)}
	for i := range n {
		c := r.IntN(classes)
		sparse.Class = append(sparse.Class, c)
		for j := range d {
			p := 8.0 / float64(d)
			if j%classes == c && j < 8*classes {
				p += 0.2
			}
			if r.Float64() >= p {
				continue
			}
			v := math.Round(r.Float64()*20+1) / 20
			if odd {
				switch r.IntN(6) {
				case 0:
					v = -v
				case 1:
					v = math.NaN()
				case 2:
					v = 0
				}
			}
			sparse.Sparse.Index = append(sparse.Sparse.Index, int32(j))
			sparse.Sparse.Value = append(sparse.Sparse.Value, v)
			dense.X[i*d+j] = v
		}
		sparse.Sparse.Start = append(sparse.Sparse.Start, len(sparse.Sparse.Index))
	}
	dense.Class = sparse.Class
	return sparse, dense
}

func TestSparse_equalsDense(t *testing.T) {
	for _, odd := range []bool{false, true} {
		sparse, dense := texts(1, 600, 40, 3, odd)
		for _, weighted := range []bool{false, true} {
			if weighted {
				w := make([]float64, 600)
				for i := range w {
					w[i] = float64(i % 4)
				}
				sparse.Weights, dense.Weights = w, w
			}
			for name, o := range map[string]grow.ForestOptions{
				"default":    {Trees: 10},
				"all":        {Trees: 2, MaxFeatures: 40, Sampling: grow.Whole},
				"leaves":     {Trees: 5, MinSamplesLeaf: 4, MaxFeatures: 10},
				"best first": {Trees: 5, MaxLeaves: 20},
				"few bins":   {Trees: 5, Bins: 5},
			} {
				o.OutOfBag = o.Sampling != grow.Whole
				a, ra := forest(t, dense, o)
				b, rb := forest(t, sparse, o)
				if diff := sameSource(&a, &b); diff != "" {
					t.Errorf("odd %v, weighted %v, %s: %s differs", odd, weighted, name, diff)
				}
				if !same(ra.OutOfBag, rb.OutOfBag) {
					t.Errorf("odd %v, weighted %v, %s: out-of-bag differs", odd, weighted, name)
				}
			}
		}
		a, ra := isolation(t, dense, grow.IsolationOptions{Trees: 20})
		b, rb := isolation(t, sparse, grow.IsolationOptions{Trees: 20})
		if diff := sameSource(&a, &b); diff != "" || !same(ra.Quantiles, rb.Quantiles) {
			t.Errorf("odd %v: isolation: %s differs", odd, diff)
		}
	}
}

// Tables too large to be laid out by column grow the same trees.
func TestSparse_largeTablesEqualSmallOnes(t *testing.T) {
	sparse, _ := texts(1, 600, 40, 3, true)
	o := grow.ForestOptions{Trees: 10, OutOfBag: true, Permutation: true}
	a, ra := forest(t, sparse, o)
	restore := grow.SetMaxColumns(600*40 - 1)
	defer restore()
	b, rb := forest(t, sparse, o)
	if diff := sameSource(&a, &b); diff != "" || !same(ra.OutOfBag, rb.OutOfBag) || !same(ra.Permuted, rb.Permuted) {
		t.Errorf("%s differs", diff)
	}
}

// What has no loops for sparse rows lays their bins out.
func TestSparse_equalsDenseForEveryKind(t *testing.T) {
	for _, odd := range []bool{false, true} {
		sparse, dense := texts(3, 600, 40, 3, odd)
		valid, validDense := texts(4, 200, 40, 3, odd)
		for name, grown := range map[string]func(d, v grow.Data) (tree.Source, grow.Report){
			"extra trees": func(d, _ grow.Data) (tree.Source, grow.Report) {
				return forest(t, d, grow.ForestOptions{Trees: 5, ExtraTrees: true})
			},
			"regression": func(d, _ grow.Data) (tree.Source, grow.Report) {
				d.Target, d.Class, d.Classes = make([]float64, 600), nil, 0
				for i, c := range sparse.Class {
					d.Target[i] = float64(c * c)
				}
				return forest(t, d, grow.ForestOptions{Trees: 5})
			},
			"boosting": func(d, v grow.Data) (tree.Source, grow.Report) {
				return boost(t, d, grow.BoostOptions{Rounds: 6, Validation: &v, EarlyStopping: 5})
			},
			"boosting, wide bins": func(d, v grow.Data) (tree.Source, grow.Report) {
				return boost(t, d, grow.BoostOptions{Rounds: 3, Bins: 400, LeafWise: true})
			},
			"oblivious": func(d, v grow.Data) (tree.Source, grow.Report) {
				return oblivious(t, d, grow.ObliviousOptions{Rounds: 6, Validation: &v, EarlyStopping: 5})
			},
		} {
			a, ra := grown(dense, validDense)
			b, rb := grown(sparse, valid)
			if diff := sameSource(&a, &b); diff != "" || !reflect.DeepEqual(a.Levels, b.Levels) || !same(ra.Loss, rb.Loss) {
				t.Errorf("odd %v: %s: %s differs", odd, name, diff)
			}
		}
	}
}

func TestSparse_learnsAndIsSound(t *testing.T) {
	sparse, dense := texts(2, 1500, 900, 4, false)
	var first []float64
	for _, workers := range []int{1, 2, 4} {
		s, r := forest(t, sparse, grow.ForestOptions{Trees: 40, OutOfBag: true, Workers: workers, Seed: 5})
		checkSource(t, &s, dense.X, nil)
		if r.OutOfBagScore < 0.6 {
			t.Errorf("out-of-bag score %v", r.OutOfBagScore)
		}
		p := probabilities(&s, dense.X)
		if first == nil {
			first = p
		}
		if !same(first, p) {
			t.Errorf("%d workers: another forest", workers)
		}
	}
}

func TestSparse_refuses(t *testing.T) {
	ok := func() grow.Data {
		return grow.Data{Features: 3, Class: []int{0, 1}, Sparse: &grow.Sparse{Start: []int{0, 2, 3}, Index: []int32{0, 2, 1}, Value: []float64{1, 2, 3}}}
	}
	if _, _, err := grow.Forest(context.Background(), ok(), grow.ForestOptions{Trees: 2}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(d *grow.Data){
		"column too large":   func(d *grow.Data) { d.Sparse.Index[1] = 3 },
		"column negative":    func(d *grow.Data) { d.Sparse.Index[0] = -1 },
		"columns unsorted":   func(d *grow.Data) { d.Sparse.Index[0], d.Sparse.Index[1] = 2, 0 },
		"column twice":       func(d *grow.Data) { d.Sparse.Index[1] = 0 },
		"start decreases":    func(d *grow.Data) { d.Sparse.Start = []int{0, 4, 3} },
		"start too short":    func(d *grow.Data) { d.Sparse.Start = []int{0, 2} },
		"start not 0":        func(d *grow.Data) { d.Sparse.Start[0] = 1 },
		"values missing":     func(d *grow.Data) { d.Sparse.Value = d.Sparse.Value[:2] },
		"cells without rows": func(d *grow.Data) { d.Sparse.Start = nil; d.Class = nil },
		"dense too":          func(d *grow.Data) { d.X = make([]float64, 6) },
		"categorical":        func(d *grow.Data) { d.Columns = []grow.Column{{}, {Categorical: true}, {}} },
	} {
		d := ok()
		change(&d)
		var data *grow.DataError
		if _, _, err := grow.Forest(context.Background(), d, grow.ForestOptions{}); !errors.As(err, &data) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
