package tree_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// two is an oblivious ensemble of one tree of two levels.
func two() tree.Source {
	return tree.Source{
		Kind: tree.Oblivious, Link: tree.Softmax, Features: 2, Outputs: 2, Step: 0.5, Base: []float64{1, -1},
		Levels: []tree.ObliviousTree{{
			Feature: []int32{1, 0}, Threshold: []float64{0.5, 2}, MissingLeft: []bool{true, false},
			Cover: []float64{3, 0, 1, 7}, Value: []int16{1, 2, 0, 0, 5, 6, -7, tree.MaxStep},
		}},
	}
}

func TestOblivious_leafNumbers(t *testing.T) {
	e := build(t, two())
	nan := math.NaN()
	cases := 0
	for _, c := range []struct{ x0, x1, want float64 }{
		{2, 0.5, 1.5}, {2, 0.6, 1}, {2.1, 0.5, 3.5}, {2.1, 0.6, -2.5}, {nan, nan, 3.5}, {math.Inf(1), math.Inf(-1), 3.5},
	} {
		got := make([]float64, 2)
		if err := e.Margin(got, []float64{c.x0, c.x1}); err != nil {
			t.Fatal(err)
		}
		if got[0] != c.want {
			t.Errorf("%v: got %v, want %v", c, got[0], c.want)
		}
		cases++
	}
	if e.Trees() != 1 || e.Nodes() != 7 || e.Depth() != 2 || e.Base(1) != -1 || cases != 6 {
		t.Errorf("%v", e)
	}
}

func TestOblivious_refusesBrokenSources(t *testing.T) {
	for _, c := range []struct {
		want  string
		spoil func(s *tree.Source)
	}{
		{"step 0", func(s *tree.Source) { s.Step = 0 }},
		{"step NaN", func(s *tree.Source) { s.Step = math.NaN() }},
		{"no trees", func(s *tree.Source) { s.Levels = nil }},
		{"other trees", func(s *tree.Source) { s.Trees = stump().Trees }},
		{"Threshold holds 1", func(s *tree.Source) { s.Levels[0].Threshold = s.Levels[0].Threshold[:1] }},
		{"MissingLeft holds 1", func(s *tree.Source) { s.Levels[0].MissingLeft = s.Levels[0].MissingLeft[:1] }},
		{"Cover holds 3", func(s *tree.Source) { s.Levels[0].Cover = s.Levels[0].Cover[:3] }},
		{"Value holds 7", func(s *tree.Source) { s.Levels[0].Value = s.Levels[0].Value[:7] }},
		{"feature 2", func(s *tree.Source) { s.Levels[0].Feature[0] = 2 }},
		{"threshold is NaN", func(s *tree.Source) { s.Levels[0].Threshold[1] = math.NaN() }},
		{"cover 0.5", func(s *tree.Source) { s.Levels[0].Cover[0] = 0.5 }},
		{"cover -1", func(s *tree.Source) { s.Levels[0].Cover[0] = -1 }},
		{"total cover 0", func(s *tree.Source) {
			clear(s.Levels[0].Cover)
			clear(s.Levels[0].Value)
		}},
		{"value 8192", func(s *tree.Source) { s.Levels[0].Value[0] = tree.MaxStep + 1 }},
		{"value 1 with cover 0", func(s *tree.Source) { s.Levels[0].Value[2] = 1 }},
		{"has oblivious trees", func(s *tree.Source) { *s = stump(); s.Step = 1 }},
	} {
		s := two()
		c.spoil(&s)
		_, err := tree.New(s)
		if _, ok := errors.AsType[*tree.SourceError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want a SourceError with %q", err, c.want)
		}
	}
}

func TestOblivious_limits(t *testing.T) {
	many := func(trees, outputs int) tree.Source {
		s := tree.Source{Kind: tree.Oblivious, Features: 1, Outputs: outputs, Step: 1}
		for range trees {
			s.Levels = append(s.Levels, tree.ObliviousTree{Cover: []float64{1}, Value: make([]int16, outputs)})
		}
		return s
	}
	deep := func(levels int) tree.Source {
		s := many(1, 1)
		l := &s.Levels[0]
		l.Feature, l.Threshold = make([]int32, levels), make([]float64, levels)
		l.Cover, l.Value = slices.Repeat([]float64{1}, 1<<levels), make([]int16, 1<<levels)
		return s
	}
	wide := func(edges int) tree.Source {
		s := tree.Source{Kind: tree.Oblivious, Features: 300, Outputs: 1, Step: 1}
		for i := range edges {
			s.Levels = append(s.Levels, tree.ObliviousTree{Feature: []int32{int32(i)}, Threshold: []float64{1}, Cover: []float64{1, 1}, Value: []int16{1, 2}})
		}
		return s
	}
	for _, c := range []struct {
		s    tree.Source
		what string
	}{
		{many(tree.MaxOblivious, 1), ""}, {many(tree.MaxOblivious+1, 1), "oblivious trees"},
		{deep(tree.MaxLevels), ""}, {deep(tree.MaxLevels + 1), "levels"},
		{wide(256), ""}, {wide(257), "bin columns of oblivious trees"},
		{many(4096, 1024), ""}, {func() tree.Source {
			s := many(4096, 1024)
			s.Levels[0] = tree.ObliviousTree{Feature: []int32{0}, Threshold: []float64{0}, Cover: []float64{1, 0}, Value: make([]int16, 2048)}
			return s
		}(), "leaf values"},
	} {
		e, err := tree.New(c.s)
		l, ok := errors.AsType[*tree.LimitError](err)
		if ok != (c.what != "") || ok && l.What != c.what {
			t.Errorf("want limit %q, got %v", c.what, err)
		}
		if e != nil && c.what == "" {
			encoded(t, e)
		}
	}
}

// Values far from each other and leaves without rows cost little.
func TestOblivious_encodingIsSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	s := treetest.Random(r, treetest.Options{Kind: tree.Oblivious, Trees: 60, Depth: 8, Leaf: 1e-9, Levels: 99, Outputs: 4})
	for i := range s.Levels {
		l := &s.Levels[i]
		for leaf, c := range l.Cover {
			if leaf%4 > 0 {
				l.Cover[leaf], c = 0, 0
				if leaf%4 == 1 {
					l.Cover[leaf], c = 1, 1
				}
			}
			for k := range 4 {
				v := int16(r.IntN(127) - 63)
				if c == 0 {
					v = 0
				}
				l.Value[leaf*4+k] = v
			}
		}
	}
	b := encoded(t, build(t, s))
	// 128 leaves a tree of 4 values of 7 bits, and their covers.
	if most := 60 * 128 * 4 * 8 / 8; len(b) > most {
		t.Errorf("%d bytes, want at most %d", len(b), most)
	}
}
