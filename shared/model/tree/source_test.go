package tree_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"cloister/shared/model/tree"
)

func TestNew_refusesBrokenSources(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		what  string
		want  string // part of the message
		spoil func(s *tree.Source)
	}{
		{"no kind", "kind 0", func(s *tree.Source) { s.Kind = 0 }},
		{"unknown kind", "kind 5", func(s *tree.Source) { s.Kind = 5 }},
		{"unknown link", "link 3", func(s *tree.Source) { s.Link = 3 }},
		{"no features", "0 features", func(s *tree.Source) { s.Features = 0 }},
		{"no outputs", "0 outputs", func(s *tree.Source) { s.Outputs = 0 }},
		{"link of a forest", "forest has link logistic", func(s *tree.Source) { s.Kind, s.Link = tree.Forest, tree.Logistic }},
		{"softmax of one", "softmax", func(s *tree.Source) { s.Link = tree.Softmax }},
		{"isolation of two outputs", "2 outputs", func(s *tree.Source) { s.Kind, s.Outputs, s.SampleSize = tree.Isolation, 2, 256 }},
		{"isolation of one row", "sample size 1", func(s *tree.Source) { s.Kind, s.SampleSize = tree.Isolation, 1 }},
		{"isolation with values", "Value holds 3", func(s *tree.Source) { s.Kind, s.SampleSize = tree.Isolation, 256 }},
		{"isolation cover in parts", "tree 0: node 1: cover 1.5", func(s *tree.Source) {
			s.Kind, s.SampleSize, s.Trees[0].Value, s.Trees[0].Cover[1] = tree.Isolation, 256, nil, 1.5
		}},
		{"sample size of boosting", "sample size 9", func(s *tree.Source) { s.SampleSize = 9 }},
		{"base of a forest", "base", func(s *tree.Source) { s.Kind, s.Base = tree.Forest, []float64{0} }},
		{"long base", "base holds 2", func(s *tree.Source) { s.Base = []float64{0, 0} }},
		{"base NaN", "base of output 0", func(s *tree.Source) { s.Base = []float64{nan} }},
		{"no trees", "no trees", func(s *tree.Source) { s.Trees = nil }},
		{"no nodes", "0 nodes", func(s *tree.Source) { s.Trees = make([]tree.SourceTree, 1) }},
		{"output too high", "tree 0: output 1", func(s *tree.Source) { s.Trees[0].Output = 1 }},
		{"output too low", "tree 0: output -2", func(s *tree.Source) { s.Trees[0].Output = -2 }},
		{"scalar leaves of a forest", "output 0, want -1", func(s *tree.Source) { s.Kind, s.Outputs, s.Trees[0].Output = tree.Forest, 2, 0 }},
		{"short threshold", "Threshold holds 2", func(s *tree.Source) { s.Trees[0].Threshold = s.Trees[0].Threshold[:2] }},
		{"short missing", "MissingLeft holds 1", func(s *tree.Source) { s.Trees[0].MissingLeft = make([]bool, 1) }},
		{"short left", "Left holds 2", func(s *tree.Source) { s.Trees[0].Left = s.Trees[0].Left[:2] }},
		{"short right", "Right holds 2", func(s *tree.Source) { s.Trees[0].Right = s.Trees[0].Right[:2] }},
		{"short cover", "Cover holds 2", func(s *tree.Source) { s.Trees[0].Cover = s.Trees[0].Cover[:2] }},
		{"no cover", "Cover holds 0", func(s *tree.Source) { s.Trees[0].Cover = nil }},
		{"short value", "Value holds 2", func(s *tree.Source) { s.Trees[0].Value = s.Trees[0].Value[:2] }},
		{"short category", "Category holds 1", func(s *tree.Source) { s.Trees[0].Category = make([][]uint64, 1) }},
		{"feature too high", "node 0: feature 1", func(s *tree.Source) { s.Trees[0].Feature[0] = 1 }},
		{"feature too low", "node 0: feature -2", func(s *tree.Source) { s.Trees[0].Feature[0] = -2 }},
		{"threshold NaN", "node 0: threshold", func(s *tree.Source) { s.Trees[0].Threshold[0] = nan }},
		{"child before", "node 0: child 0", func(s *tree.Source) { s.Trees[0].Left[0] = 0 }},
		{"child negative", "node 0: child -1", func(s *tree.Source) { s.Trees[0].Left[0] = -1 }},
		{"child beyond", "node 0: child 3", func(s *tree.Source) { s.Trees[0].Right[0] = 3 }},
		{"child shared", "node 0: child 1 has another parent", func(s *tree.Source) { s.Trees[0].Right[0] = 1 }},
		{"node alone", "node 1: has no parent", func(s *tree.Source) { s.Trees[0].Feature[0] = -1 }},
		{"cover NaN", "node 1: cover", func(s *tree.Source) { s.Trees[0].Cover[1] = nan }},
		{"cover negative", "node 1: cover", func(s *tree.Source) { s.Trees[0].Cover[1] = -1 }},
		{"cover infinite", "node 2: cover", func(s *tree.Source) { s.Trees[0].Cover[2] = inf }},
		{"cover 0", "total cover 0", func(s *tree.Source) { clear(s.Trees[0].Cover) }},
		{"cover overflow", "total cover", func(s *tree.Source) { s.Trees[0].Cover = []float64{0, 1e308, 1e308} }},
		{"value NaN", "node 2: a leaf value", func(s *tree.Source) { s.Trees[0].Value[2] = nan }},
		{"value huge", "node 1: a leaf value", func(s *tree.Source) { s.Trees[0].Value[1] = 1e101 }},
		{"distribution above 1", "node 1: leaf values add up to 1.5", func(s *tree.Source) { distribution(s, 0.75, 0.75) }},
		{"distribution below 0", "node 1: a leaf value is -0.5", func(s *tree.Source) { distribution(s, 1.5, -0.5) }},
	} {
		s := stump()
		c.spoil(&s)
		e, err := tree.New(s)
		if _, ok := errors.AsType[*tree.SourceError](err); !ok || e != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want a SourceError with %q", c.what, err, c.want)
		}
	}
}

// distribution makes s a forest of two classes whose leaves are (a, b).
func distribution(s *tree.Source, a, b float64) {
	s.Kind, s.Outputs, s.Trees[0].Output = tree.Forest, 2, -1
	s.Trees[0].Value = []float64{0, 0, a, b, a, b}
	if a > 1 {
		s.Trees[0].Value[2], s.Trees[0].Value[3] = b, a
	}
}

// leafOnly is one leaf of k values.
func leafOnly(values ...float64) tree.SourceTree {
	return tree.SourceTree{
		Output: -1, Feature: []int32{-1}, Threshold: []float64{0}, Left: []int32{0}, Right: []int32{0},
		Cover: []float64{1}, Value: values,
	}
}

// chain is one tree that is depth splits deep.
func chain(depth int) tree.SourceTree {
	t := tree.SourceTree{Output: -1}
	for i := range 2*depth + 1 {
		feature := int32(0)
		if i%2 == 1 || i == 2*depth {
			feature = -1
		}
		t.Feature = append(t.Feature, feature)
		t.Threshold = append(t.Threshold, float64(i))
		t.Left, t.Right = append(t.Left, int32(i+1)), append(t.Right, int32(i+2))
		t.Cover, t.Value = append(t.Cover, 1), append(t.Value, float64(i))
	}
	return t
}

func TestNew_limits(t *testing.T) {
	for _, c := range []struct {
		what  string
		limit int
		make  func(n int) tree.Source
	}{
		{"features", tree.MaxFeatures, func(n int) tree.Source { s := stump(); s.Features = n; return s }},
		{"outputs", tree.MaxOutputs, func(n int) tree.Source {
			return tree.Source{Kind: tree.Boosting, Features: 1, Outputs: n, Trees: []tree.SourceTree{leafOnly(make([]float64, n)...)}}
		}},
		{"trees", tree.MaxTrees, func(n int) tree.Source {
			s := stump()
			for len(s.Trees) < n {
				s.Trees = append(s.Trees, s.Trees[0])
			}
			return s
		}},
		{"levels", tree.MaxDepth, func(n int) tree.Source {
			s := stump()
			s.Trees[0] = chain(n)
			return s
		}},
		{"category bits", tree.MaxCategories, func(n int) tree.Source {
			s := stump()
			s.Trees[0].Category = [][]uint64{make([]uint64, (n+63)/64), nil, nil}
			return s
		}},
		{"bin columns", tree.MaxColumns, func(n int) tree.Source {
			s := stump()
			one := s.Trees[0]
			s.Features, s.Trees = tree.MaxFeatures, nil
			for i := range n { // each feature in both directions
				one.Feature = []int32{int32(i / 2), -1, -1}
				one.MissingLeft = []bool{i%2 == 0, false, false}
				s.Trees = append(s.Trees, one)
			}
			return s
		}},
		{"leaf values", tree.MaxLeafValues, func(n int) tree.Source {
			s := tree.Source{Kind: tree.Boosting, Features: 1, Outputs: tree.MaxOutputs}
			for i := 0; i+tree.MaxOutputs <= n; i += tree.MaxOutputs {
				v := make([]float64, tree.MaxOutputs)
				v[0] = float64(i + 1)
				s.Trees = append(s.Trees, leafOnly(v...))
			}
			for i := range n % tree.MaxOutputs {
				one := leafOnly(float64(-1 - i))
				one.Output = 0
				s.Trees = append(s.Trees, one)
			}
			return s
		}},
	} {
		if _, err := tree.New(c.make(c.limit)); err != nil {
			t.Errorf("%d %s: %v", c.limit, c.what, err)
		}
		_, err := tree.New(c.make(c.limit + 1))
		if e, ok := errors.AsType[*tree.LimitError](err); !ok || e.What != c.what || e.Limit != c.limit || e.Got <= e.Limit {
			t.Errorf("%d %s: got %v, want a LimitError", c.limit+1, c.what, err)
		}
	}
}
