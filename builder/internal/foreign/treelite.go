package foreign

import (
	"fmt"
	"math"

	"cloister/shared/model/tree"
)

// treelite reads a model in one of the two forms that treelite writes.
type treelite struct {
	m      *Model
	format string
	at     int // byte of the head
	treeliteHead
}

// treeliteHead is what both forms say before the trees.
type treeliteHead struct {
	average      bool
	post         string // the postprocessor
	alpha, ratio float64
	base         []float64
	class        []int // by tree, -1 for vectors of all classes
}

// readTreelite reads what Model.dump_as_json of treelite 4 writes.
func readTreelite(v *value) (*Model, error) {
	const format = "treelite-json"
	t := &treelite{m: &Model{Format: format, Producer: "treelite", Covers: true}, format: format, at: v.at}
	var ok bool
	if t.m.Source.Features, ok = v.get("num_feature").whole(1, tree.MaxFeatures); !ok {
		return nil, t.malformed(v.at, "no num_feature from 1 to %d", tree.MaxFeatures)
	}
	if n, ok := v.get("num_target").whole(1, 1<<30); !ok || n > 1 {
		return nil, t.unsupported(v.at, "other than one target")
	}
	classes, ok := v.get("num_class").numbers()
	if !ok || len(classes) != 1 || classes[0] != math.Trunc(classes[0]) {
		return nil, t.malformed(v.at, "no num_class of one target")
	}
	if kind := v.get("threshold_type"); kind == nil || kind.str != "float32" && kind.str != "float64" {
		return nil, t.malformed(v.at, "threshold_type is neither float32 nor float64")
	} else {
		t.m.Single = kind.str == "float32"
	}
	average := v.get("average_tree_output")
	t.average, t.post = average != nil && average.num == 1, v.get("postprocessor").str
	t.alpha, _ = v.get("sigmoid_alpha").float()
	t.ratio, _ = v.get("ratio_c").float()
	t.base, _ = v.get("base_scores").numbers()
	list := v.get("trees")
	class, ok := v.get("class_id").numbers()
	if list.kind != isList || !ok || len(class) != len(list.list) {
		return nil, t.malformed(list.at, "no trees with a class_id each")
	}
	for _, c := range class {
		if c != math.Trunc(c) || math.Abs(c) > tree.MaxOutputs {
			return nil, t.malformed(list.at, "class_id %g", c)
		}
		t.class = append(t.class, int(c))
	}
	if err := t.output(int(max(0, min(classes[0], 1<<30)))); err != nil {
		return nil, err
	}
	for i := range list.list {
		if err := t.tree(list.list[i].at, func(width int) ([]node, error) { return t.nodes(&list.list[i], width) }); err != nil {
			return nil, err
		}
	}
	return t.m, t.finish()
}

func (t *treelite) malformed(at int, what string, args ...any) error {
	return malformed(t.format, at, what, args...)
}

func (t *treelite) unsupported(at int, what string, args ...any) error {
	return unsupported(t.format, at, what, args...)
}

// output says how sums become scores.
func (t *treelite) output(classes int) error {
	if classes < 1 || classes > tree.MaxOutputs {
		return t.malformed(t.at, "%d classes, want 1 to %d", classes, tree.MaxOutputs)
	}
	src := &t.m.Source
	src.Kind, src.Outputs = tree.Boosting, classes
	t.m.Objective = t.post
	alpha := t.alpha
	t.alpha = 1
	switch t.post {
	case "sigmoid", "multiclass_ova":
		src.Link = tree.Logistic
		if !(alpha > 0 && alpha < 1e6) {
			return t.malformed(t.at, "sigmoid_alpha")
		}
		t.alpha = alpha
	case "softmax":
		src.Link = tree.Softmax
	case "identity", "identity_multiclass":
	case "exponential_standard_ratio":
		src.Kind = tree.Isolation
		if src.Outputs != 1 || !t.average {
			return t.malformed(t.at, "%s of %d outputs", t.post, src.Outputs)
		}
		return nil
	default:
		return t.unsupported(t.at, "postprocessor %.64q", t.post)
	}
	if src.Link == tree.Softmax && src.Outputs < 2 {
		return t.malformed(t.at, "softmax of one class")
	}
	if len(t.base) != src.Outputs {
		return t.malformed(t.at, "%d base_scores for %d outputs", len(t.base), src.Outputs)
	}
	zero := true
	for _, b := range t.base {
		src.Base = append(src.Base, b*t.alpha)
		zero = zero && b == 0
	}
	if t.average && src.Outputs > 1 && zero && src.Link == tree.Identity {
		src.Kind, src.Base = tree.Forest, nil
	}
	return nil
}

// tree takes the next tree, whose nodes read returns: its leaves have width
// values, a single one if that is 0.
func (t *treelite) tree(at int, read func(width int) ([]node, error)) error {
	src := &t.m.Source
	i := len(src.Trees)
	output, width := t.class[i], 0
	switch {
	case output == -1 && src.Outputs > 1:
		width = src.Outputs
	case output == -1 || output == 0 && src.Outputs == 1:
		output = 0
	case output < 0 || output >= src.Outputs || src.Kind == tree.Forest:
		return t.malformed(at, "tree %d is of class %d of %d", i, output, src.Outputs)
	}
	nodes, err := read(width)
	if err != nil {
		return err
	}
	st, err := assemble(nodes, output, width)
	if err != nil {
		return t.malformed(at, "tree %d: %v", i, err)
	}
	src.Trees = append(src.Trees, st)
	return nil
}

// finish does what needs all trees.
func (t *treelite) finish() error {
	src := &t.m.Source
	if len(src.Trees) == 0 {
		return t.malformed(t.at, "no trees")
	}
	if src.Kind == tree.Isolation {
		return t.isolation()
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
func (t *treelite) isolation() error {
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
				return t.unsupported(t.at, "tree %d: a leaf without data_count", i)
			}
			if want := float64(depth[n]) + tree.PathLength(int(c)); math.Abs(st.Value[n]-want) > 1e-5*(1+want) {
				return t.unsupported(t.at, "tree %d: a leaf value is %g, the path length %g", i, st.Value[n], want)
			}
			rows += int(c)
		}
		if src.SampleSize = rows; rows < 2 {
			return t.malformed(t.at, "tree %d has seen %d rows", i, rows)
		}
		st.Value = nil
	}
	if c := tree.PathLength(src.SampleSize); !(math.Abs(t.ratio-c) <= 1e-5*c) {
		return t.unsupported(t.at, "ratio_c is %g, that of %d rows %g", t.ratio, src.SampleSize, c)
	}
	return nil
}

// nodes reads one tree; nodes are listed by node_id.
func (t *treelite) nodes(v *value, width int) ([]node, error) {
	list := v.get("nodes")
	if list == nil || list.kind != isList {
		return nil, t.malformed(v.at, "a tree without nodes")
	}
	out := make([]node, 0, len(list.list))
	for i := range list.list {
		e := &list.list[i]
		if id, ok := e.get("node_id").whole(i, i); !ok || id != i {
			return nil, t.malformed(e.at, "node %d has another node_id", i)
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
		return t.malformed(v.at, "a leaf of %d values, want %d", len(f), max(width, 1))
	}
	return nil
}

func (t *treelite) split(n *node, e *value) error {
	f, ok := e.get("split_feature_id").whole(0, t.m.Source.Features-1)
	left, okLeft := e.get("left_child").whole(0, 1<<30)
	right, okRight := e.get("right_child").whole(0, 1<<30)
	missing := e.get("default_left")
	if !ok || !okLeft || !okRight || missing == nil || missing.kind != isBool {
		return t.malformed(e.at, "a node is neither a leaf nor a split with feature, children and default_left")
	}
	n.feature, n.left, n.right, n.missingLeft = int32(f), int32(left), int32(right), missing.num == 1
	if list := e.get("category_list"); list != nil {
		codes, ok := list.numbers()
		if !ok {
			return t.malformed(list.at, "a category list")
		}
		set, err := setOf(t.format, list.at, codes)
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
		return t.malformed(e.at, "a split without threshold and comparison_op")
	}
	return compare(n, op.str, threshold, t.m.Single, func(what string) error { return t.unsupported(e.at, "%s", what) })
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
