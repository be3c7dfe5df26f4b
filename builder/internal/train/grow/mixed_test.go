package grow_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/builder/internal/train/grow"
)

// uneven returns rows of three classes, of which the last is rare and hard to
// tell.
func uneven(n int) grow.Data {
	rng := rand.New(rand.NewPCG(4, 4))
	d := grow.Data{Features: 6, Classes: 3}
	for i := range n {
		c := i % 2
		if i%20 == 0 {
			c = 2
		}
		d.Class = append(d.Class, c)
		for j := range 6 {
			d.X = append(d.X, math.Floor(4*rng.Float64())+float64(c*(j%2)))
		}
	}
	return d
}

// Of the trees the share deep grows without weights to the last row, the rest
// as Forest grows them; all leaves are told in the same weights.
func TestMixed_bothKinds(t *testing.T) {
	ctx := context.Background()
	data := uneven(400)
	o := grow.ForestOptions{Trees: 10, Seed: 7, ExtraTrees: true, MinSamplesLeaf: 5, ClassWeights: []float64{1, 0.5, 8}}
	mixed, err := grow.Mixed(ctx, data, 0.4, o)
	if err != nil || len(mixed.Trees) != 10 {
		t.Fatalf("%d trees, %v", len(mixed.Trees), err)
	}
	plain := o
	plain.Trees = 6
	first, _, err := grow.Forest(ctx, data, plain)
	if err != nil {
		t.Fatal(err)
	}
	head := mixed
	head.Trees = mixed.Trees[:6]
	if diff := sameSource(&head, &first); diff != "" {
		t.Errorf("the first six trees are not those of Forest: %s", diff)
	}
	single := 0
	for i, tr := range mixed.Trees {
		least := math.Inf(1)
		for v, cover := range tr.Cover {
			if tr.Feature[v] >= 0 {
				continue
			}
			// rows of each class, and what the leaf has to say of them
			rows, sum, weighed := 0.0, 0.0, make([]float64, 3)
			for c, w := range o.ClassWeights {
				n := math.Round(tr.Value[v*3+c] * cover / w)
				weighed[c] = float64(n * w)
				rows, sum = rows+n, sum+weighed[c]
			}
			for c := range weighed {
				if cover != sum || tr.Value[v*3+c] != weighed[c]/sum {
					t.Fatalf("tree %d, leaf %d: cover %v, value %v of class %d", i, v, cover, tr.Value[v*3+c], c)
				}
			}
			least = min(least, rows)
		}
		if least == 1 {
			single++
		}
		if i < 6 && least < 5 || i >= 6 && least > 1 {
			t.Errorf("tree %d has a leaf of %v rows", i, least)
		}
	}
	if single != 4 {
		t.Errorf("%d trees grow to the last row, want 4", single)
	}

	// none and all
	none, err := grow.Mixed(ctx, data, 0, plain)
	if err != nil || sameSource(&none, &first) != "" {
		t.Errorf("without deep trees it is not Forest's: %v", err)
	}
	if all, err := grow.Mixed(ctx, data, 1, o); err != nil || len(all.Trees) != 10 || all.ClassWeights != nil {
		t.Errorf("deep alone: %d trees, weights %v, %v", len(all.Trees), all.ClassWeights, err)
	}
	// the number of workers changes nothing, progress goes on over both
	o.Workers = 1
	last := 0
	o.Progress = func(p grow.Progress) {
		if p.Total != 10 || p.Done < last {
			t.Errorf("progress %+v after %d", p, last)
		}
		last = p.Done
	}
	if again, err := grow.Mixed(ctx, data, 0.4, o); err != nil || sameSource(&again, &mixed) != "" || last != 10 {
		t.Errorf("with one worker: %v, %d done", err, last)
	}
}

func TestMixed_refuses(t *testing.T) {
	data := uneven(40)
	weighted := data
	weighted.Weights = make([]float64, 40)
	for name, tt := range map[string]struct {
		data grow.Data
		deep float64
		o    grow.ForestOptions
	}{
		"below 0":     {data, -0.1, grow.ForestOptions{}},
		"above 1":     {data, 1.1, grow.ForestOptions{}},
		"NaN":         {data, math.NaN(), grow.ForestOptions{}},
		"row weights": {weighted, 0.5, grow.ForestOptions{}},
		"balanced":    {data, 0.5, grow.ForestOptions{Balanced: true}},
	} {
		var e *grow.OptionError
		if _, err := grow.Mixed(context.Background(), tt.data, tt.deep, tt.o); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
