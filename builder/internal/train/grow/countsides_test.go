package grow_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// TestForest_countsAsWeights asks that trees that count rows, several classes
// to a word, are those that add up weights of 1, which are other loops: with one
// word, two and many a bin, and with the bins by column and by row.
func TestForest_countsAsWeights(t *testing.T) {
	variants := map[string]grow.ForestOptions{
		"default":    {Trees: 2, OutOfBag: true},
		"whole":      {Trees: 1, Sampling: grow.Whole, MaxFeatures: 6},
		"all":        {Trees: 1, MaxFeatures: 12},
		"wide bins":  {Trees: 1, Bins: 1000, MaxFeatures: 5},
		"few bins":   {Trees: 1, Bins: 3},
		"best first": {Trees: 1, MaxLeaves: 60},
	}
	runs := 0
	for _, classes := range []int{2, 5, 12, 40, 200} {
		d := grow.Data{Features: 12, Classes: classes}
		one, two := toy(uint64(classes), 900, classes), toy(uint64(classes), 900, classes)
		for i := range one.Class {
			d.X = append(append(d.X, one.X[i*6:i*6+6]...), two.X[i*6:i*6+6]...)
		}
		d.Class = one.Class
		for _, nominal := range []bool{false, true} {
			if nominal {
				d.Columns = make([]grow.Column, d.Features)
				d.Columns[2].Categorical = true
			}
			for name, o := range variants {
				o.Seed = 7
				if o.Sampling == grow.SampleDefault {
					o.Sampling = grow.BootstrapEqual
				}
				d.Weights = ones(len(d.Class))
				want, wantReport := forest(t, d, o)
				d.Weights = nil
				for _, cached := range []int{1 << 24, 0} {
					restore := grow.SetCached(cached)
					got, report := forest(t, d, o)
					restore()
					what := fmt.Sprintf("%d classes, nominal %v, %s, %d cells cached", classes, nominal, name, cached)
					if diff := sameSource(&want, &got); diff != "" {
						t.Errorf("%s: %s differs", what, diff)
					}
					if !same(report.OutOfBag, wantReport.OutOfBag) || !same(report.Importance, wantReport.Importance) {
						t.Errorf("%s: report differs", what)
					}
					if len(want.Trees[0].Feature) < 20 {
						t.Errorf("%s: a tree of %d nodes", what, len(want.Trees[0].Feature))
					}
					runs++
				}
			}
		}
	}
	if runs != 5*2*6*2 {
		t.Errorf("%d runs", runs)
	}
}

// TestForest_keepsItsTrees asks that a tree does not change when its grower
// grows the next one.
func TestForest_keepsItsTrees(t *testing.T) {
	d := toy(3, 600, 3)
	short, _ := forest(t, d, grow.ForestOptions{Trees: 1, Workers: 1})
	long, _ := forest(t, d, grow.ForestOptions{Trees: 5, Workers: 1})
	long.Trees = long.Trees[:1]
	for _, s := range []*tree.Source{&short, &long} {
		clear(s.Trees[0].MissingLeft) // which all trees settle together
	}
	if diff := sameSource(&short, &long); diff != "" {
		t.Errorf("the first tree's %s differs", diff)
	}
}

func TestStream_isPCG(t *testing.T) {
	for _, seed := range []uint64{0, 1, 1<<63 + 5, 1<<64 - 1} {
		want := rand.NewPCG(seed, seed/3+1)
		var list []uint64
		for range 1000 {
			list = append(list, want.Uint64())
		}
		if got := grow.Drawn(seed, seed/3, 1000); !slices.Equal(got, list) {
			t.Errorf("seed %d: %x..., want %x...", seed, got[:3], list[:3])
		}
	}
}
