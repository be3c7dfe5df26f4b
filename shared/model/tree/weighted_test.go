package tree_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloister/shared/bundle"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// Weights that explain the leaves shorten them; weights that do not are as if
// they were not given.
func TestClassWeights_shortenTheEncoding(t *testing.T) {
	o := treetest.Options{Weighted: true, Outputs: 7, Trees: 60, Depth: 9, Levels: 60}
	s := treetest.Random(rand.New(rand.NewPCG(40, 1)), o)
	weights := s.ClassWeights
	small := encoded(t, build(t, s))
	s.ClassWeights = nil
	large := encoded(t, build(t, s))
	if small[4] != 3 || large[4] != 3 || 2*len(small) > len(large) {
		t.Errorf("version %d with %d bytes, without weights version %d with %d", small[4], len(small), large[4], len(large))
	}
	s.ClassWeights = append([]float64(nil), weights...)
	s.ClassWeights[3] = math.Nextafter(s.ClassWeights[3], 9)
	if again := encoded(t, build(t, s)); string(again) != string(large) {
		t.Error("wrong weights change the encoding")
	}
	// Whole covers need no weights.
	o.Weighted = false
	s = treetest.Random(rand.New(rand.NewPCG(40, 2)), o)
	want := encoded(t, build(t, s))
	s.ClassWeights = []float64{1, 1, 1, 1, 1, 1, 1}
	if got := encoded(t, build(t, s)); string(got) != string(want) {
		t.Error("weights of 1 change the encoding")
	}
}

func TestClassWeights_refused(t *testing.T) {
	for _, c := range []struct {
		want  string
		spoil func(s *tree.Source)
	}{
		{"2 class weights for 5", func(s *tree.Source) { s.ClassWeights = s.ClassWeights[:2] }},
		{"weight of class 1 is 0", func(s *tree.Source) { s.ClassWeights[1] = 0 }},
		{"weight of class 0 is NaN", func(s *tree.Source) { s.ClassWeights[0] = math.NaN() }},
		{"class weights for 1 outputs", func(s *tree.Source) { *s = stump(); s.ClassWeights = []float64{1} }},
	} {
		s := treetest.Random(rand.New(rand.NewPCG(41, 1)), treetest.Options{Weighted: true, Outputs: 5})
		c.spoil(&s)
		_, err := tree.New(s)
		if _, ok := errors.AsType[*tree.SourceError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want a SourceError with %q", err, c.want)
		}
	}
}

// Models of released bundles decode and encode to the bytes that they were
// released with.
func TestDecode_releasedModels(t *testing.T) {
	files, err := filepath.Glob("../../../models/*/*.bundle")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d bundles, %v", len(files), err)
	}
	models := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := bundle.Open(b, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		open, err := sealed.Decode()
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"model/forest.bin", "model/oblivious.bin", "model/isolation.bin"} {
			data, ok := open.File(part)
			if !ok {
				continue
			}
			e, err := tree.Decode(data)
			if err != nil {
				t.Errorf("%s: %s: %v", name, part, err)
				continue
			}
			if string(encoded(t, e)) != string(data) {
				t.Errorf("%s: %s is encoded otherwise", name, part)
			}
			models++
		}
	}
	if models < 2 {
		t.Errorf("%d models", models)
	}
}
