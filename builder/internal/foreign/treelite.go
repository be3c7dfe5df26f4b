package foreign

import (
	"fmt"
	"math"

	"cloister/shared/model/tree"
)

const treeliteJSON = "treelite-json"

// readTreelite reads what Model.dump_as_json of treelite 4 writes.
func readTreelite(v *value) (*Model, error) {
	t := &treelite{m: &Model{Format: treeliteJSON, Producer: "treelite", Covers: true}}
	src := &t.m.Source
	var ok bool
	if src.Features, ok = v.get("num_feature").whole(1, tree.MaxFeatures); !ok {
		return nil, malformed(treeliteJSON, v.at, "no num_feature from 1 to %d", tree.MaxFeatures)
	}
	if n, ok := v.get("num_target").whole(1, 1<<30); !ok || n > 1 {
		return nil, unsupported(treeliteJSON, v.at, "other than one target")
	}
	classes, ok := v.get("num_class").numbers()
	if !ok || len(classes) != 1 || !(classes[0] >= 1 && classes[0] <= tree.MaxOutputs) || classes[0] != math.Trunc(classes[0]) {
		return nil, malformed(treeliteJSON, v.at, "no num_class from 1 to %d", tree.MaxOutputs)
	}
	src.Outputs = int(classes[0])
	if kind := v.get("threshold_type"); kind == nil || kind.str != "float32" && kind.str != "float64" {
		return nil, malformed(treeliteJSON, v.at, "threshold_type is neither float32 nor float64")
	} else {
		t.m.Single = kind.str == "float32"
	}
	if err := t.output(v); err != nil {
		return nil, err
	}
	return t.m, t.trees(v)
}

type treelite struct {
	m       *Model
	average bool
	alpha   float64
}

// output reads how sums become scores.
func (t *treelite) output(v *value) error {
	src := &t.m.Source
	p := v.get("postprocessor")
	t.m.Objective, t.alpha = p.str, 1
	average := v.get("average_tree_output")
	t.average = average != nil && average.num == 1
	src.Kind = tree.Boosting
	switch p.str {
	case "sigmoid", "multiclass_ova":
		src.Link = tree.Logistic
		a, ok := v.get("sigmoid_alpha").float()
		if !ok || !(a > 0 && a < 1e6) {
			return malformed(treeliteJSON, p.at, "sigmoid_alpha")
		}
		t.alpha = a
	case "softmax":
		src.Link = tree.Softmax
	case "identity", "identity_multiclass":
	case "exponential_standard_ratio":
		src.Kind = tree.Isolation
		if src.Outputs != 1 || !t.average {
			return malformed(treeliteJSON, p.at, "%s of %d outputs", p.str, src.Outputs)
		}
		return nil
	default:
		return unsupported(treeliteJSON, p.at, "postprocessor %.64q", p.str)
	}
	if src.Link == tree.Softmax && src.Outputs < 2 {
		return malformed(treeliteJSON, p.at, "softmax of one class")
	}
	base, ok := v.get("base_scores").numbers()
	if !ok || len(base) != src.Outputs {
		return malformed(treeliteJSON, v.at, "%d base_scores for %d outputs", len(base), src.Outputs)
	}
	zero := true
	for _, b := range base {
		src.Base = append(src.Base, b*t.alpha)
		zero = zero && b == 0
	}
	if t.average && src.Outputs > 1 && zero && src.Link == tree.Identity {
		src.Kind, src.Base = tree.Forest, nil
	}
	return nil
}

// trees reads all trees.
func (t *treelite) trees(v *value) error {
	src := &t.m.Source
	list := v.get("trees")
	if list.kind != isList {
		return malformed(treeliteJSON, list.at, "no trees")
	}
	class, ok := v.get("class_id").numbers()
	if !ok || len(class) != len(list.list) {
		return malformed(treeliteJSON, list.at, "%d trees, class_id for %d", len(list.list), len(class))
	}
	for i := range list.list {
		at := list.list[i].at
		output, width := int(class[i]), 0
		switch {
		case class[i] == -1 && src.Outputs > 1:
			width = src.Outputs
		case class[i] == -1 || class[i] == 0 && src.Outputs == 1:
			output = 0
		case !(class[i] >= 0 && class[i] < float64(src.Outputs)) || class[i] != math.Trunc(class[i]) || src.Kind == tree.Forest:
			return malformed(treeliteJSON, at, "tree %d is of class %g of %d", i, class[i], src.Outputs)
		}
		nodes, err := t.nodes(&list.list[i], width)
		if err != nil {
			return err
		}
		st, err := assemble(nodes, output, width)
		if err != nil {
			return malformed(treeliteJSON, at, "tree %d: %v", i, err)
		}
		src.Trees = append(src.Trees, st)
	}
	if len(src.Trees) == 0 {
		return malformed(treeliteJSON, list.at, "no trees")
	}
	if src.Kind == tree.Isolation {
		return t.isolation(v)
	}
	if evenCovers(src.Trees) {
		t.m.Covers = false
	}
	scale := t.alpha
	if t.average && src.Kind == tree.Boosting {
		scale /= float64(len(src.Trees))
	}
	if src.Kind == tree.Forest || scale == 1 {
		return nil
	}
	for i := range src.Trees {
		for j, x := range src.Trees[i].Value {
			src.Trees[i].Value[j] = x * scale
		}
	}
	return nil
}

// isolation checks that leaf values are path lengths and drops them: they
// follow from depth and cover.
func (t *treelite) isolation(v *value) error {
	src := &t.m.Source
	for i := range src.Trees {
		st := &src.Trees[i]
		rows := 0
		depth := make([]int, len(st.Feature))
		for n, f := range st.Feature {
			if f >= 0 {
				depth[st.Left[n]], depth[st.Right[n]] = depth[n]+1, depth[n]+1
				continue
			}
			c := st.Cover[n]
			if c != math.Trunc(c) || c < 1 || c > 1<<24 {
				return unsupported(treeliteJSON, v.at, "tree %d: a leaf without data_count", i)
			}
			if want := float64(depth[n]) + tree.PathLength(int(c)); math.Abs(st.Value[n]-want) > 1e-5*(1+want) {
				return unsupported(treeliteJSON, v.at, "tree %d: a leaf value is %g, the path length %g", i, st.Value[n], want)
			}
			rows += int(c)
		}
		if src.SampleSize = rows; rows < 2 {
			return malformed(treeliteJSON, v.at, "tree %d has seen %d rows", i, rows)
		}
		st.Value = nil
	}
	ratio, ok := v.get("ratio_c").float()
	if c := tree.PathLength(src.SampleSize); !ok || math.Abs(ratio-c) > 1e-5*c {
		return unsupported(treeliteJSON, v.at, "ratio_c is %g, that of %d rows %g", ratio, src.SampleSize, c)
	}
	return nil
}

// nodes reads one tree; nodes are listed by node_id.
func (t *treelite) nodes(v *value, width int) ([]node, error) {
	list := v.get("nodes")
	if list == nil || list.kind != isList {
		return nil, malformed(treeliteJSON, v.at, "a tree without nodes")
	}
	out := make([]node, 0, len(list.list))
	for i := range list.list {
		e := &list.list[i]
		if id, ok := e.get("node_id").whole(i, i); !ok || id != i {
			return nil, malformed(treeliteJSON, e.at, "node %d has another node_id", i)
		}
		n := node{feature: -1}
		n.cover, _ = e.get("data_count").float()
		if h, ok := e.get("sum_hess").float(); ok {
			n.cover = h // as XGBoost's own explanations weight
		}
		var err error
		if leaf := e.get("leaf_value"); leaf != nil {
			err = t.leaf(&n, leaf, width)
		} else {
			err = t.split(&n, e)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (t *treelite) leaf(n *node, v *value, width int) error {
	if f, ok := v.float(); ok && width == 0 {
		n.value = f
		return nil
	}
	f, ok := v.numbers()
	switch {
	case ok && width == 0 && len(f) == 1:
		n.value = f[0]
	case ok && width > 0 && len(f) == width:
		n.vector = f
	default:
		return malformed(treeliteJSON, v.at, "a leaf of %d values, want %d", len(f), max(width, 1))
	}
	return nil
}

func (t *treelite) split(n *node, e *value) error {
	f, ok := e.get("split_feature_id").whole(0, t.m.Source.Features-1)
	left, okLeft := e.get("left_child").whole(0, 1<<30)
	right, okRight := e.get("right_child").whole(0, 1<<30)
	missing := e.get("default_left")
	if !ok || !okLeft || !okRight || missing == nil || missing.kind != isBool {
		return malformed(treeliteJSON, e.at, "a node is neither a leaf nor a split with feature, children and default_left")
	}
	n.feature, n.left, n.right, n.missingLeft = int32(f), int32(left), int32(right), missing.num == 1
	if list := e.get("category_list"); list != nil {
		codes, ok := list.numbers()
		if !ok {
			return malformed(treeliteJSON, list.at, "a category list")
		}
		set, err := setOf(treeliteJSON, list.at, codes)
		if err != nil {
			return err
		}
		n.set = set
		if r := e.get("category_list_right_child"); r != nil && r.num == 1 {
			n.left, n.right, n.missingLeft = n.right, n.left, !n.missingLeft
		}
		return nil
	}
	threshold, ok := e.get("threshold").float()
	op := e.get("comparison_op")
	if !ok || op == nil {
		return malformed(treeliteJSON, e.at, "a split without threshold and comparison_op")
	}
	return compare(n, op.str, threshold, t.m.Single, func(what string) error { return unsupported(treeliteJSON, e.at, "%s", what) })
}

// compare gives n the threshold of "x op t" for values of float32 or float64.
func compare(n *node, op string, t float64, single bool, fail func(string) error) error {
	if math.IsNaN(t) {
		return fail("a threshold of NaN")
	}
	negate := op == ">" || op == ">="
	switch {
	case (op == "<" || op == ">=") && single:
		n.threshold = below(float32(t))
	case op == "<" || op == ">=":
		n.threshold = math.Nextafter(t, math.Inf(-1))
	case (op == "<=" || op == ">") && single:
		n.threshold = upTo(float32(t))
	case op == "<=" || op == ">":
		n.threshold = t
	default:
		return fail(fmt.Sprintf("comparison %.16q", op))
	}
	if negate {
		n.left, n.right, n.missingLeft = n.right, n.left, !n.missingLeft
	}
	return nil
}
