//go:build !js

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cloister/shared/model/tree"
)

// LightGBM's bits of a split: where NaN goes, and that it is what is missing.
const (
	lightGBMLeft = 1 << 1
	lightGBMNaN  = 2 << 2
)

// writeLightGBM writes boosted trees with one output each as LightGBM's text of
// version 3, which the Go library leaves reads; the base is in the leaves of each
// output's first tree. Covers are left out.
func writeLightGBM(w io.Writer, s *tree.Source) error {
	if s.Kind != tree.Boosting || s.Link != tree.Softmax || len(s.Trees)%s.Outputs != 0 {
		return errors.New("lightgbm: want boosted trees for the softmax of their outputs")
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "tree\nversion=v3\nnum_class=%d\nnum_tree_per_iteration=%d\nmax_feature_idx=%d\nobjective=multiclass num_class:%d\ntree_sizes=%s\n\n",
		s.Outputs, s.Outputs, s.Features-1, s.Outputs, strings.TrimSpace(strings.Repeat("0 ", len(s.Trees))))
	for i := range s.Trees {
		t := &s.Trees[i]
		if t.Output != i%s.Outputs || t.Category != nil {
			return fmt.Errorf("lightgbm: tree %d: output %d, want %d and no categories", i, t.Output, i%s.Outputs)
		}
		base := 0.0
		if i < s.Outputs && s.Base != nil {
			base = s.Base[i]
		}
		// Inner nodes are counted from 0, leaves from -1 down.
		number := make([]int, len(t.Feature))
		inner, leaves := 0, 0
		for v, f := range t.Feature {
			if f >= 0 {
				number[v] = inner
				inner++
			} else {
				leaves++
				number[v] = -leaves
			}
		}
		lists := map[string][]string{}
		add := func(name, value string) { lists[name] = append(lists[name], value) }
		float := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
		for v, f := range t.Feature {
			if f < 0 {
				add("leaf_value", float(t.Value[v]+base))
				continue
			}
			decision := lightGBMNaN
			if t.MissingLeft != nil && t.MissingLeft[v] {
				decision |= lightGBMLeft
			}
			add("split_feature", strconv.Itoa(int(f)))
			add("threshold", float(t.Threshold[v]))
			add("decision_type", strconv.Itoa(decision))
			add("left_child", strconv.Itoa(number[t.Left[v]]))
			add("right_child", strconv.Itoa(number[t.Right[v]]))
		}
		fmt.Fprintf(b, "Tree=%d\nnum_leaves=%d\nnum_cat=0\n", i, leaves)
		for _, name := range []string{"split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value"} {
			fmt.Fprintf(b, "%s=%s\n", name, strings.Join(lists[name], " "))
		}
		fmt.Fprint(b, "shrinkage=1\n\n")
	}
	return b.Flush()
}
