package tree

import "math"

// Node is one node of a tree, as package explain needs it.
type Node struct {
	// Feature is the column of x that is tested, -1 at a leaf.
	Feature int
	// Column and Bin say what a row of [Binned] does: it goes right if its
	// bin in Column is above Bin.
	Column, Bin int
	// Threshold is the split value in units of x, NaN at leaves and at
	// categorical splits.
	Threshold float64
	// Left and Right are nodes of the same tree.
	Left, Right int
	// Cover is the training weight, of an inner node the sum of its leaves.
	Cover float64
	// Values of a leaf: Outputs of them, or one for Output of the tree.
	// Isolation: the path length. Read only.
	Values []float64
}

// IsLeaf says whether n has no children.
func (n *Node) IsLeaf() bool { return n.Feature < 0 }

// Root returns the root of tree t, and the output its leaves add to or -1 if
// they are vectors (always with one output).
func (e *Ensemble) Root(t int) (node, output int) {
	if e.even != nil {
		return t<<evenShift | 1, -1
	}
	return e.root[t], int(e.output[t])
}

// Node returns node i of tree t: a root or a child of a node.
func (e *Ensemble) Node(t, i int) Node {
	if e.even != nil {
		return e.evenNode(t, i)
	}
	if e.oblique != nil {
		return Node{Feature: -1, Threshold: math.NaN(), Cover: e.cover[i], Values: []float64{e.oblique.path[i]}}
	}
	threshold, col, base, inner := e.split(i)
	if !inner {
		width := leafWidth(e.outputs, int(e.output[t]))
		off := int(e.leaf[i])
		return Node{Feature: -1, Threshold: math.NaN(), Cover: e.cover[i], Values: e.table[off : off+width : off+width]}
	}
	c := e.lay.columns[col]
	tested := e.lay.tests[c.test]
	n := Node{
		Feature: tested.feature, Column: col, Bin: threshold, Threshold: math.NaN(),
		Left: e.root[t] + base, Right: e.root[t] + base + 1, Cover: e.cover[i],
	}
	if tested.numeric >= 0 {
		n.Threshold = e.lay.numeric[tested.numeric].edges[c.piece*e.lay.span+threshold]
	}
	return n
}
