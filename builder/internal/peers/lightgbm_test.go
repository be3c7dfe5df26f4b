//go:build !js

package main

import (
	"strings"
	"testing"

	"cloister/shared/model/tree"
)

// One tree by hand: NaN goes left at the root, the right child is a leaf, and
// the base is in the first tree of each output only.
func TestWriteLightGBM_text(t *testing.T) {
	stump := func(output int, missingLeft bool) tree.SourceTree {
		return tree.SourceTree{
			Output: output, Feature: []int32{1, -1, -1}, Threshold: []float64{0.5, 0, 0}, MissingLeft: []bool{missingLeft, false, false},
			Left: []int32{1, 0, 0}, Right: []int32{2, 0, 0}, Value: []float64{0, 1, -2},
		}
	}
	s := tree.Source{Kind: tree.Boosting, Link: tree.Softmax, Features: 2, Outputs: 2, Base: []float64{10, 20},
		Trees: []tree.SourceTree{stump(0, true), stump(1, false), stump(0, false), stump(1, false)}}
	var b strings.Builder
	if err := writeLightGBM(&b, &s); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(b.String(), "\n\n")
	if len(parts) != 6 || !strings.Contains(parts[0], "max_feature_idx=1\nobjective=multiclass num_class:2\ntree_sizes=0 0 0 0") {
		t.Fatalf("got %q", parts)
	}
	for i, want := range []string{
		"decision_type=10\nleft_child=-1\nright_child=-2\nleaf_value=11 8",
		"decision_type=8\nleft_child=-1\nright_child=-2\nleaf_value=21 18",
		"decision_type=8\nleft_child=-1\nright_child=-2\nleaf_value=1 -2",
	} {
		if !strings.Contains(parts[i+1], "split_feature=1\nthreshold=0.5\n"+want) {
			t.Errorf("tree %d: got %q, want %q", i, parts[i+1], want)
		}
	}
	s.Trees[0].Output = 1
	if err := writeLightGBM(&b, &s); err == nil {
		t.Error("trees in another order are written")
	}
}
