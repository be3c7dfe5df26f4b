package foreign

import (
	"encoding/binary"
	"encoding/json"
	"math"

	"cloister/shared/model/tree"
)

const onnxFormat = "ONNX (ai.onnx.ml 3)"

// AppendONNX appends an ensemble as an ONNX model: one tree operator of
// ai.onnx.ml 3 on a float64 input "X", n×d, with float64 thresholds, leaf
// values and, as hit rates, covers, so that what [Read] makes of it has the same
// bits. Classifiers give "label" and "probabilities", others "scores"; both are
// float32 in ONNX. Splits on categories and isolation forests are a
// [*NoFormError].
func AppendONNX(dst []byte, e *tree.Ensemble, meta Meta) ([]byte, error) {
	d, k := e.Shape()
	if e.Kind() == tree.Isolation {
		return nil, &NoFormError{onnxFormat, "the score of an isolation forest"}
	}
	if e.Link() == tree.Logistic && k == 2 {
		return nil, &NoFormError{onnxFormat, "two logistic outputs"}
	}
	trees, err := walk(e)
	if err != nil {
		return nil, err
	}
	o := &onnxFile{k: k, prefix: "target"}
	classes := k
	switch {
	case e.Kind() == tree.Forest:
		o.aggregate = "AVERAGE"
	case e.Link() == tree.Logistic && k == 1:
		// The margins 0 and m under SOFTMAX: readers differ on one margin.
		o.prefix, o.post, o.shift, classes = "class", "SOFTMAX", 1, 2
	case e.Link() != tree.Identity:
		o.prefix, o.post = "class", map[tree.Link]string{tree.Logistic: "LOGISTIC", tree.Softmax: "SOFTMAX"}[e.Link()]
	}
	labels := meta.Labels
	if len(labels) != classes {
		labels = nil
	}
	var base []float64
	some := false
	for c := range k {
		base = append(base, e.Base(c))
		some = some || e.Base(c) != 0
	}
	switch {
	case some && o.shift > 0:
		// onnxruntime takes two base values for those of one margin: a tree of
		// one leaf at the end adds the same at the same place.
		trees = append(trees, written{nodes: []node{{feature: -1, cover: 1, vector: base}}})
	case some:
		o.tensor("base_values", base)
	}
	for i, t := range trees {
		if err := o.add(i, t); err != nil {
			return nil, err
		}
	}
	var g message
	g.bytes(1, o.operator(classes, labels))
	isClasses := o.prefix == "class" || e.Kind() == tree.Forest && k > 1
	if o.prefix == "target" && isClasses {
		g.bytes(1, argMax())
	}
	g.text(2, "trees")
	g.bytes(11, valueInfo("X", onnxDouble, d))
	if isClasses {
		kind := onnxInt64
		if o.prefix == "class" && labels != nil {
			kind = onnxString
		}
		g.bytes(12, valueInfo("label", kind, 0))
		g.bytes(12, valueInfo("probabilities", onnxFloat, classes))
	} else {
		g.bytes(12, valueInfo("scores", onnxFloat, k))
	}
	var m message
	m.number(1, 8) // IR of ONNX 1.12
	m.text(2, "cloister")
	m.bytes(7, g)
	for _, set := range []struct {
		domain  string
		version int64
	}{{"", 13}, {"ai.onnx.ml", 3}} {
		var s message
		s.text(1, set.domain)
		s.number(2, set.version)
		m.bytes(8, s)
	}
	for _, p := range []struct {
		key   string
		value []string
	}{{metadataFeatures, meta.Features}, {metadataLabels, labels}} {
		if p.value == nil {
			continue
		}
		text, err := json.Marshal(p.value)
		if err != nil {
			return nil, err // unreachable: strings
		}
		var s message
		s.text(1, p.key)
		s.bytes(2, text)
		m.bytes(14, s)
	}
	return append(dst, m...), nil
}

// onnxFile gathers the attributes of the operator.
type onnxFile struct {
	k, shift                                 int // outputs, and how many stand before them
	prefix, post, aggregate                  string
	treeID, nodeID, feature, yes, no, tracks []int64
	leafTree, leafNode, leafID               []int64
	values, hits, weights                    []float64
	modes                                    []string
	attributes                               message
}

// add appends a tree.
func (o *onnxFile) add(id int, t written) error {
	for i, n := range t.nodes {
		mode, threshold := "BRANCH_LEQ", n.threshold
		if n.set != nil {
			return &NoFormError{onnxFormat, "splits on categories"}
		}
		if n.feature < 0 {
			mode, threshold, n.feature, n.left, n.right = "LEAF", 0, 0, 0, 0
			first := max(t.output, 0) + o.shift
			if o.shift > 0 {
				o.leaf(id, i, 0, 0)
			}
			for j, v := range n.vector {
				o.leaf(id, i, first+j, v)
			}
		}
		tracks := int64(0)
		if n.missingLeft {
			tracks = 1
		}
		o.treeID, o.nodeID, o.feature = append(o.treeID, int64(id)), append(o.nodeID, int64(i)), append(o.feature, int64(n.feature))
		o.yes, o.no, o.tracks = append(o.yes, int64(n.left)), append(o.no, int64(n.right)), append(o.tracks, tracks)
		o.values, o.hits, o.modes = append(o.values, threshold), append(o.hits, n.cover), append(o.modes, mode)
	}
	return nil
}

func (o *onnxFile) leaf(tree, node, id int, v float64) {
	o.leafTree, o.leafNode = append(o.leafTree, int64(tree)), append(o.leafNode, int64(node))
	o.leafID, o.weights = append(o.leafID, int64(id)), append(o.weights, v)
}

// operator returns the NodeProto of the trees.
func (o *onnxFile) operator(classes int, labels []string) message {
	o.ints("nodes_treeids", o.treeID)
	o.ints("nodes_nodeids", o.nodeID)
	o.ints("nodes_featureids", o.feature)
	o.texts("nodes_modes", o.modes)
	o.tensor("nodes_values", o.values)
	o.tensor("nodes_hitrates", o.hits)
	o.ints("nodes_truenodeids", o.yes)
	o.ints("nodes_falsenodeids", o.no)
	o.ints("nodes_missing_value_tracks_true", o.tracks)
	o.ints(o.prefix+"_treeids", o.leafTree)
	o.ints(o.prefix+"_nodeids", o.leafNode)
	o.ints(o.prefix+"_ids", o.leafID)
	o.tensor(o.prefix+"_weights", o.weights)
	var n message
	n.text(1, "X")
	if o.prefix == "class" {
		n.text(2, "label")
		n.text(2, "probabilities")
		n.text(4, "TreeEnsembleClassifier")
		o.text("post_transform", o.post)
		if labels != nil {
			o.texts("classlabels_strings", labels)
		} else {
			var numbers []int64
			for c := range classes {
				numbers = append(numbers, int64(c))
			}
			o.ints("classlabels_int64s", numbers)
		}
	} else {
		out := "scores"
		if o.aggregate != "" {
			o.text("aggregate_function", o.aggregate)
			if o.k > 1 {
				out = "probabilities"
			}
		}
		n.text(2, out)
		n.text(4, "TreeEnsembleRegressor")
		var a message
		a.text(1, "n_targets")
		a.number(3, int64(o.k))
		a.number(20, 2)
		o.attributes.bytes(5, a)
	}
	n.text(7, "ai.onnx.ml")
	return append(n, o.attributes...)
}

// Attributes; the numbers are those of AttributeProto and its types.

func (o *onnxFile) text(name, v string) {
	var a message
	a.text(1, name)
	a.text(4, v)
	a.number(20, 3)
	o.attributes.bytes(5, a)
}

func (o *onnxFile) texts(name string, v []string) {
	var a message
	a.text(1, name)
	for _, s := range v {
		a.text(9, s)
	}
	a.number(20, 8)
	o.attributes.bytes(5, a)
}

func (o *onnxFile) ints(name string, v []int64) {
	var a, packed message
	for _, n := range v {
		packed = binary.AppendUvarint(packed, uint64(n))
	}
	a.text(1, name)
	a.bytes(8, packed)
	a.number(20, 7)
	o.attributes.bytes(5, a)
}

func (o *onnxFile) tensor(name string, v []float64) {
	var a, t, raw message
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(f))
	}
	t.number(1, int64(len(v)))
	t.number(2, onnxDouble)
	t.bytes(9, raw)
	a.text(1, name+"_as_tensor")
	a.bytes(5, t)
	a.number(20, 4)
	o.attributes.bytes(5, a)
}

// argMax returns the NodeProto that makes labels of probabilities.
func argMax() message {
	var n message
	n.text(1, "probabilities")
	n.text(2, "label")
	n.text(4, "ArgMax")
	for _, p := range []struct {
		name  string
		value int64
	}{{"axis", 1}, {"keepdims", 0}} {
		var a message
		a.text(1, p.name)
		a.number(3, p.value)
		a.number(20, 2)
		n.bytes(5, a)
	}
	return n
}

// valueInfo returns the ValueInfoProto of a tensor of any number of rows; columns
// 0 means one dimension.
func valueInfo(name string, element, columns int) message {
	var rows, shape, tensor, kind, out message
	rows.text(2, "N")
	shape.bytes(1, rows)
	if columns > 0 {
		var c message
		c.number(1, int64(columns))
		shape.bytes(1, c)
	}
	tensor.number(1, int64(element))
	tensor.bytes(2, shape)
	kind.bytes(1, tensor)
	out.text(1, name)
	out.bytes(2, kind)
	return out
}
