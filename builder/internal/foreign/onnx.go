package foreign

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"cloister/shared/model/tree"
)

// readONNX reads a graph around one tree operator of ai.onnx.ml, or around the
// trees of an isolation forest of skl2onnx.
func readONNX(data []byte) (*Model, error) {
	g, err := parseONNX(data)
	if err != nil {
		return nil, err
	}
	var trees []*operator
	for i := range g.nodes {
		switch g.nodes[i].kind {
		case "TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble":
			trees = append(trees, &g.nodes[i])
		}
	}
	o := &onnx{g: g, m: &Model{Format: "onnx", Producer: g.producer}}
	switch {
	case len(trees) == 0:
		return nil, unsupported("onnx", 0, "a graph without TreeEnsembleClassifier, TreeEnsembleRegressor or TreeEnsemble")
	case len(trees) > 1 || slices.ContainsFunc(g.nodes, func(n operator) bool { return n.kind == "LabelEncoder" }):
		return o.m, o.isolation(trees)
	}
	if err := o.beside(); err != nil {
		return nil, err
	}
	return o.m, o.single(trees[0])
}

type onnx struct {
	g *graph
	m *Model
	// columns maps those of the operator to those of the input, nil for the same.
	columns []float64
}

// beside refuses operators that would change rows or scores.
func (o *onnx) beside() error {
	for _, n := range o.g.nodes {
		switch n.kind {
		case "TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble", "Identity", "Cast", "ZipMap", "ArgMax", "Gather":
		default:
			return unsupported("onnx", n.at, "operator %.64q beside the trees", n.kind)
		}
	}
	return nil
}

// maxBefore is how many operators may stand before the trees.
const maxBefore = 16

// source follows the input of a tree operator back to that of the graph.
func (o *onnx) source(t *operator) error {
	o.columns = nil
	element := 0
	if len(t.in) == 0 {
		return malformed("onnx", t.at, "an operator without input")
	}
	name := t.in[0]
	for range maxBefore {
		if i := slices.IndexFunc(o.g.inputs, func(in input) bool { return in.name == name }); i >= 0 {
			if element == 0 {
				element = o.g.inputs[i].element
			}
			o.m.Single = element != onnxDouble
			o.m.Source.Features = o.g.inputs[i].columns
			return nil
		}
		i := slices.IndexFunc(o.g.nodes, func(n operator) bool { return slices.Contains(n.out, name) })
		if i < 0 || len(o.g.nodes[i].in) == 0 {
			break
		}
		n := &o.g.nodes[i]
		switch n.kind {
		case "Identity":
		case "Cast":
			if to := int(n.has["to"].i); element == 0 {
				element = to
			} else if to != onnxDouble {
				element = to
			}
		case "Gather":
			if len(n.in) != 2 || o.columns != nil || n.has["axis"].i != 1 {
				return unsupported("onnx", n.at, "a Gather of other than columns")
			}
			o.columns = o.g.constants[n.in[1]].values
			if o.columns == nil {
				return unsupported("onnx", n.at, "a Gather without constant columns")
			}
		default:
			return unsupported("onnx", n.at, "operator %.64q before the trees", n.kind)
		}
		name = n.in[0]
	}
	return malformed("onnx", t.at, "input %.64q comes from nowhere", name)
}

// weight is what a leaf adds to an output.
type weight struct {
	leaf, id int32
	value    float64
}

// parts are the trees of an operator before it is known what they are for.
type parts struct {
	nodes   []node
	roots   []int32
	weights []weight
	base    []float64
	outputs int
	post    string // "NONE", "LOGISTIC", "SOFTMAX"
	average bool
	hits    []float64 // nil without
}

// single reads a graph with one operator.
func (o *onnx) single(t *operator) error {
	if err := o.source(t); err != nil {
		return err
	}
	p, err := o.parts(t)
	if err != nil {
		return err
	}
	o.m.Objective = t.kind + " " + p.post
	if o.m.Labels == nil && o.g.labels != "" {
		if err := json.Unmarshal([]byte(o.g.labels), &o.m.Labels); err != nil {
			return malformed("onnx", 0, "%s: %.64v", metadataLabels, err)
		}
		if len(o.m.Labels) > 2*tree.MaxOutputs {
			return malformed("onnx", 0, "%s: %d labels", metadataLabels, len(o.m.Labels))
		}
	}
	if err := o.assign(t, p); err != nil || o.g.features == "" {
		return err
	}
	if err := json.Unmarshal([]byte(o.g.features), &o.m.Features); err != nil || len(o.m.Features) != o.m.Source.Features {
		return malformed("onnx", 0, "%s: %d names for %d features", metadataFeatures, len(o.m.Features), o.m.Source.Features)
	}
	return nil
}

func (o *onnx) parts(t *operator) (*parts, error) {
	if t.kind == "TreeEnsemble" {
		return o.newer(t)
	}
	return o.older(t)
}

// older reads TreeEnsembleClassifier and TreeEnsembleRegressor, versions 1 to 3.
func (o *onnx) older(t *operator) (*parts, error) {
	p := &parts{post: cmp.Or(t.has["post_transform"].s, "NONE"), base: t.numbers("base_values")}
	prefix := "target"
	if t.kind == "TreeEnsembleClassifier" {
		prefix = "class"
		o.m.Labels = t.has["classlabels_strings"].strings
		for _, v := range t.has["classlabels_int64s"].ints {
			o.m.Labels = append(o.m.Labels, strconv.FormatInt(v, 10))
		}
		p.outputs = len(o.m.Labels)
	} else {
		p.outputs = int(min(max(t.has["n_targets"].i, 0), tree.MaxOutputs+1))
		switch f := cmp.Or(t.has["aggregate_function"].s, "SUM"); f {
		case "SUM":
		case "AVERAGE":
			p.average = true
		default:
			return nil, unsupported("onnx", t.has["aggregate_function"].at, "aggregate_function %.64q", f)
		}
	}
	if p.outputs < 1 || p.outputs > tree.MaxOutputs {
		return nil, malformed("onnx", t.at, "%d outputs, want 1 to %d", p.outputs, tree.MaxOutputs)
	}
	treeID, nodeID := t.has["nodes_treeids"].ints, t.has["nodes_nodeids"].ints
	modes, values := t.has["nodes_modes"].strings, t.numbers("nodes_values")
	yes, no := t.has["nodes_truenodeids"].ints, t.has["nodes_falsenodeids"].ints
	feature, tracks := t.indices("nodes_featureids"), t.has["nodes_missing_value_tracks_true"].ints
	n := len(modes)
	for _, got := range []int{len(treeID), len(nodeID), len(values), len(yes), len(no), len(feature)} {
		if got != n {
			return nil, malformed("onnx", t.at, "nodes_* attributes of %d and %d entries", n, got)
		}
	}
	if tracks != nil && len(tracks) != n {
		return nil, malformed("onnx", t.at, "%d nodes_missing_value_tracks_true for %d nodes", len(tracks), n)
	}
	if p.hits = t.numbers("nodes_hitrates"); len(p.hits) != n {
		p.hits = nil
	}
	type key struct{ tree, node int64 }
	place := make(map[key]int32, n)
	for i := range n {
		k := key{treeID[i], nodeID[i]}
		if _, ok := place[k]; ok {
			return nil, malformed("onnx", t.at, "node %d of tree %d is there twice", k.node, k.tree)
		}
		place[k] = int32(i)
	}
	p.nodes = make([]node, n)
	child := make([]bool, n)
	for i := range n {
		v := &p.nodes[i]
		if v.feature = -1; modes[i] == "LEAF" {
			continue
		}
		a, okA := place[key{treeID[i], yes[i]}]
		b, okB := place[key{treeID[i], no[i]}]
		if !okA || !okB {
			return nil, malformed("onnx", t.at, "node %d of tree %d leads nowhere", nodeID[i], treeID[i])
		}
		child[a], child[b] = true, true
		v.left, v.right, v.missingLeft = a, b, tracks != nil && tracks[i] != 0
		if err := o.split(t, v, modes[i], values[i], feature[i]); err != nil {
			return nil, err
		}
	}
	last := map[int64]bool{}
	for i := range n {
		if child[i] {
			continue
		}
		if last[treeID[i]] {
			return nil, malformed("onnx", t.at, "tree %d has two roots", treeID[i])
		}
		last[treeID[i]] = true
		p.roots = append(p.roots, int32(i))
	}
	tid, nid := t.has[prefix+"_treeids"].ints, t.has[prefix+"_nodeids"].ints
	id, w := t.indices(prefix+"_ids"), t.numbers(prefix+"_weights")
	if len(tid) != len(nid) || len(tid) != len(id) || len(tid) != len(w) {
		return nil, malformed("onnx", t.at, "%s_* attributes of %d, %d, %d and %d entries", prefix, len(tid), len(nid), len(id), len(w))
	}
	for i := range w {
		leaf, ok := place[key{tid[i], nid[i]}]
		if !ok || p.nodes[leaf].feature >= 0 {
			return nil, malformed("onnx", t.at, "a weight at node %d of tree %d, which is no leaf", nid[i], tid[i])
		}
		p.weights = append(p.weights, weight{leaf, id[i], w[i]})
	}
	return p, nil
}

// split gives a node its test.
func (o *onnx) split(t *operator, n *node, mode string, value float64, feature int32) error {
	if o.columns != nil {
		if feature < 0 || int(feature) >= len(o.columns) {
			return malformed("onnx", t.at, "feature %d of %d gathered ones", feature, len(o.columns))
		}
		if c := o.columns[feature]; c >= 0 && c < tree.MaxFeatures {
			feature = int32(c)
		} else {
			feature = -1
		}
	}
	if feature < 0 || feature >= tree.MaxFeatures {
		return malformed("onnx", t.at, "a feature out of 0 to %d", tree.MaxFeatures-1)
	}
	n.feature = feature
	if mode == "BRANCH_EQ" || mode == "BRANCH_NEQ" {
		return o.member(t, n, []float64{value}, mode == "BRANCH_NEQ")
	}
	op, ok := map[string]string{"BRANCH_LEQ": "<=", "BRANCH_LT": "<", "BRANCH_GT": ">", "BRANCH_GTE": ">="}[mode]
	if !ok {
		return unsupported("onnx", t.has["nodes_modes"].at, "mode %.64q", mode)
	}
	return compare(n, op, value, o.m.Single, func(what string) error { return unsupported("onnx", t.at, "%s", what) })
}

// member makes n a split on equality with one of values, or with none of them.
func (o *onnx) member(t *operator, n *node, values []float64, not bool) error {
	for _, v := range values {
		if v != math.Trunc(v) || !(v >= 0) {
			return unsupported("onnx", t.at, "equality with %g: only categories, whole numbers from 0, are read", v)
		}
	}
	set, err := setOf("onnx", t.at, values)
	if err != nil {
		return err
	}
	if n.set = set; not {
		n.left, n.right, n.missingLeft = n.right, n.left, false // NaN differs from everything
	}
	return nil
}

// newer reads TreeEnsemble of version 5.
func (o *onnx) newer(t *operator) (*parts, error) {
	p := &parts{outputs: int(min(max(t.has["n_targets"].i, 1), tree.MaxOutputs+1))}
	if p.outputs > tree.MaxOutputs {
		return nil, &LimitError{"onnx", "targets", tree.MaxOutputs, t.has["n_targets"].i}
	}
	switch v := t.has["aggregate_function"]; {
	case v.at == 0 || v.i == 1:
	case v.i == 0:
		p.average = true
	default:
		return nil, unsupported("onnx", v.at, "aggregate_function %d", v.i)
	}
	// ONNX says 1 is SOFTMAX and 2 LOGISTIC; onnxruntime 1.31 has them the other
	// way round, and a file does not say whom it was written for.
	p.post = "NONE"
	if v := t.has["post_transform"]; v.i != 0 {
		return nil, unsupported("onnx", v.at, "TreeEnsemble with post_transform %d, on which ONNX and onnxruntime disagree", v.i)
	}
	modes, splits, feature := t.numbers("nodes_modes"), t.numbers("nodes_splits"), t.indices("nodes_featureids")
	yes, no := t.indices("nodes_truenodeids"), t.indices("nodes_falsenodeids")
	yesLeaf, noLeaf := t.has["nodes_trueleafs"].ints, t.has["nodes_falseleafs"].ints
	tracks := t.has["nodes_missing_value_tracks_true"].ints
	n := len(modes)
	for _, got := range []int{len(splits), len(feature), len(yes), len(no), len(yesLeaf), len(noLeaf)} {
		if got != n {
			return nil, malformed("onnx", t.at, "nodes_* attributes of %d and %d entries", n, got)
		}
	}
	if tracks != nil && len(tracks) != n {
		return nil, malformed("onnx", t.at, "%d nodes_missing_value_tracks_true for %d nodes", len(tracks), n)
	}
	ids, w := t.indices("leaf_targetids"), t.numbers("leaf_weights")
	if len(ids) != len(w) {
		return nil, malformed("onnx", t.at, "%d leaf_targetids, %d leaf_weights", len(ids), len(w))
	}
	p.nodes = make([]node, n+len(w))
	for i, v := range w {
		p.nodes[n+i].feature = -1
		p.weights = append(p.weights, weight{int32(n + i), ids[i], v})
	}
	members := t.numbers("membership_values")
	names := []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"}
	child := func(at int32, leaf int64) int32 {
		if leaf != 0 && at >= 0 {
			return int32(n) + at
		}
		return at
	}
	for i := range n {
		v := &p.nodes[i]
		v.left, v.right, v.missingLeft = child(yes[i], yesLeaf[i]), child(no[i], noLeaf[i]), tracks != nil && tracks[i] != 0
		if modes[i] == 6 { // BRANCH_MEMBER: values up to the next NaN
			end := slices.IndexFunc(members, math.IsNaN)
			if end < 0 {
				end = len(members)
			}
			if v.feature = feature[i]; v.feature < 0 || v.feature >= tree.MaxFeatures {
				return nil, malformed("onnx", t.at, "a feature out of 0 to %d", tree.MaxFeatures-1)
			}
			if err := o.member(t, v, members[:end], false); err != nil {
				return nil, err
			}
			members = members[min(end+1, len(members)):]
			continue
		}
		if !(modes[i] >= 0 && int(modes[i]) < len(names)) {
			return nil, unsupported("onnx", t.at, "mode %g", modes[i])
		}
		if err := o.split(t, v, names[int(modes[i])], splits[i], feature[i]); err != nil {
			return nil, err
		}
	}
	p.roots = t.indices("tree_roots")
	for i, r := range p.roots { // a tree of one leaf is a node with it on both sides
		if r < 0 || int(r) >= n {
			return nil, malformed("onnx", t.at, "root %d of %d nodes", r, n)
		}
		if v := &p.nodes[r]; v.left == v.right && v.left >= int32(n) {
			p.roots[i] = v.left
		}
	}
	return p, nil
}
