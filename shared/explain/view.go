package explain

import (
	"math"

	"cloister/shared/model/tree"
)

// A view is the trees as one class sees them: depth first, subtrees whose
// leaves agree made into leaves. A row's walk then reads nodes in the order
// in which they lie. A leaf needs as many quadrature points as its path has
// distinct features, and few paths have many, so a tree is a sum of parts:
// each has the leaves that need the same rule, and 0 at the others.
type view struct {
	nodes  []node
	words  []uint64 // nodes as the kernel reads them; nil without one
	parts  []part
	points int // most of any part
}

type part struct {
	tree int
	root int32
	rule []round
}

// node is an inner node, whose left child follows it, or a leaf.
type node struct {
	share   float64 // inner: part of the cover that went left; leaf: value
	right   int32   // 0 at a leaf
	feature uint16
	column  uint16
	bin     uint16 // right if the row's bin in column is above
}

// roundFeatures is how many distinct features on a path one round of eight
// points integrates exactly: a polynomial of degree 15, one below them.
const roundFeatures = 16

func viewOf(e *tree.Ensemble, class int) view {
	d, _ := e.Shape()
	v := viewer{e: e, class: class, view: view{points: points}, path: path{splits: make([]int32, d)}}
	rules := map[int][]round{} // by rounds
	for t := range e.Trees() {
		root, output := e.Root(t)
		if output >= 0 && output != class {
			continue
		}
		v.tree, v.output, v.whole = t, output, v.whole[:0]
		v.add(root)
		v.path.most = 0
		v.deepest(0)
		for rounds := 1; rounds <= roundsOf(v.path.most); rounds++ {
			at := len(v.nodes)
			if v.filter(0, int32(at), rounds); v.nodes[at].right == 0 {
				v.nodes = v.nodes[:at] // one value: it moves no feature
				continue
			}
			if rules[rounds] == nil {
				rules[rounds] = gaussLegendre(rounds)
			}
			v.parts = append(v.parts, part{t, int32(at), rules[rounds]})
			v.points = max(v.points, points*rounds)
		}
	}
	if tree.UsedKernel() != nil {
		v.words = make([]uint64, 0, 3*len(v.nodes))
		for _, n := range v.nodes {
			v.words = append(v.words, math.Float64bits(n.share), uint64(uint32(n.right))|uint64(n.feature)<<32|uint64(n.column)<<48, uint64(n.bin))
		}
	}
	return v.view
}

// roundsOf returns how many rounds a path of so many features needs.
func roundsOf(features int) int { return max(1, (features+roundFeatures-1)/roundFeatures) }

// viewer builds a view of one class.
type viewer struct {
	view
	e            *tree.Ensemble
	class        int
	tree, output int
	whole        []node // of the tree
	path         path
}

// path counts the distinct features above a node.
type path struct {
	splits   []int32 // by feature
	distinct int
	most     int // distinct, of all paths so far
}

func (p *path) enter(feature uint16) {
	if p.splits[feature]++; p.splits[feature] == 1 {
		p.distinct++
		p.most = max(p.most, p.distinct)
	}
}

func (p *path) leave(feature uint16) {
	if p.splits[feature]--; p.splits[feature] == 0 {
		p.distinct--
	}
}

// add appends the subtree at node i of the ensemble to whole.
func (v *viewer) add(i int) {
	n := v.e.Node(v.tree, i)
	at := len(v.whole)
	if n.IsLeaf() {
		v.whole = append(v.whole, node{share: leafValue(&n, v.output, v.class)})
		return
	}
	v.whole = append(v.whole, node{
		share: leftShare(v.e, v.tree, &n), feature: uint16(n.Feature), column: uint16(n.Column), bin: uint16(n.Bin),
	})
	v.add(n.Left)
	v.whole[at].right = int32(len(v.whole))
	v.add(n.Right)
	v.whole = merged(v.whole, at)
}

// merged makes the subtree at the end of nodes, from at on, a leaf if both
// its children are leaves of one value.
func merged(nodes []node, at int) []node {
	if len(nodes) == at+3 && nodes[at+1].share == nodes[at+2].share {
		nodes[at] = node{share: nodes[at+1].share}
		return nodes[:at+1]
	}
	return nodes
}

// deepest finds the most distinct features on a path of the whole tree.
func (v *viewer) deepest(i int32) {
	n := v.whole[i]
	if n.right == 0 {
		return
	}
	v.path.enter(n.feature)
	v.deepest(i + 1)
	v.deepest(n.right)
	v.path.leave(n.feature)
}

// filter appends the subtree at i of the whole tree, with 0 at the leaves
// that need another number of rounds.
func (v *viewer) filter(i, at int32, rounds int) {
	n := v.whole[i]
	if n.right == 0 {
		if roundsOf(v.path.distinct) != rounds {
			n.share = 0
		}
		v.nodes = append(v.nodes, n)
		return
	}
	v.path.enter(n.feature)
	v.nodes = append(v.nodes, n)
	v.filter(i+1, at+1, rounds)
	right := int32(len(v.nodes))
	v.nodes[at].right = right
	v.filter(n.right, right, rounds)
	v.path.leave(n.feature)
	v.nodes = merged(v.nodes, int(at))
}
