package tree

import (
	"fmt"
	"math"

	"cloister/shared/wire"
)

// The header, in the format of package wire, is
//
//	magic "TREE", version u8, kind u8, link u8,
//	features, outputs, sample size (varints),
//	base: Outputs × f64 (Boosting and Oblivious only),
//	trees (varint), outputs of trees u8: 0 all vectors, 1 tree i adds to
//	i mod Outputs, 2 a list follows (varints, output + 1),
//	nodes (varint), one bit per node, low bit first, 1 for an inner node, in
//	depth-first order of each tree, zero bits to the next byte.
//
// The rest is one range-coded stream: layout, modes, trees (see format).
const (
	magic = "TREE"
	// version is the first one; version 2 is of what that cannot say: oblivious
	// trees, and leaves that follow from counts and class weights.
	version       = 1
	versionSecond = 2
)

const (
	outputsVector = iota
	outputsCycle
	outputsList
)

// AppendBinary appends the encoding, from which Decode makes an ensemble with
// the same scores, covers and encoding. It takes O(nodes·log thresholds).
func (e *Ensemble) AppendBinary(dst []byte) ([]byte, error) {
	var w wire.Writer
	w.Bytes([]byte(magic))
	second := e.even != nil || e.weights != nil
	if second {
		w.U8(versionSecond)
	} else {
		w.U8(version)
	}
	w.U8(uint8(e.kind))
	w.U8(uint8(e.link))
	w.Uvarint(uint64(e.features))
	w.Uvarint(uint64(e.outputs))
	w.Uvarint(uint64(e.psi))
	for _, v := range e.base {
		w.F64(v)
	}
	if e.even != nil {
		return e.appendEven(dst, &w)
	}
	w.Count(len(e.output))
	mode := outputsMode(e.output, e.outputs)
	w.U8(uint8(mode))
	if mode == outputsList {
		for _, o := range e.output {
			w.Uvarint(uint64(o + 1))
		}
	}
	shape := make([]byte, (e.Nodes()+7)/8)
	c := newWriter()
	f := newFormat(c, e)
	f.second = second
	f.layout(e.Nodes())
	f.modes()
	f.start()
	var d draft
	node := 0
	for t := range e.output {
		e.preorder(t, &d)
		for _, test := range d.test {
			if test >= 0 {
				shape[node/8] |= 1 << (node % 8)
			}
			node++
		}
		f.node(&d, 0, 0, 0, sibling{})
	}
	if f.err != nil {
		return dst, f.err // unreachable: New and Decode keep the rules
	}
	w.Count(e.Nodes())
	w.Bytes(shape)
	w.Bytes(c.finish())
	return append(dst, w.Finish()...), nil
}

func outputsMode(output []int32, outputs int) int {
	vector, cycle := true, true
	for t, o := range output {
		vector = vector && o == -1
		cycle = cycle && int(o) == t%outputs
	}
	switch {
	case vector:
		return outputsVector
	case cycle:
		return outputsCycle
	}
	return outputsList
}

// preorder makes the draft of tree t in depth-first order.
func (e *Ensemble) preorder(t int, d *draft) {
	start, n := e.root[t], e.root[t+1]-e.root[t]
	d.resize(n)
	d.output = int(e.output[t])
	type open struct{ node, parent int32 }
	stack := []open{{0, -1}}
	for v := range int32(n) {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if p := top.parent; p >= 0 {
			d.right[p] = v
		}
		i := start + int(top.node)
		threshold, col, base, inner := e.split(i)
		if !inner {
			d.test[v], d.leaf[v], d.cover[v] = -1, e.leaf[i], e.cover[i]
			continue
		}
		c := e.lay.columns[col]
		d.test[v], d.rank[v] = int32(c.test), int32(c.piece*e.lay.span+threshold)
		d.left[v] = v + 1
		stack = append(stack, open{int32(base + 1), v}, open{int32(base), -1})
	}
}

// Decode reads the encoding that AppendBinary writes, and only that: other
// bytes, also trailing ones, are an error that wraps [ErrFormat], a
// [*LimitError] or an error of package wire. What it returns encodes to b
// again. It allocates at most 512 bytes per byte of b and 64 MB, and keeps no
// part of b.
func Decode(b []byte) (*Ensemble, error) {
	e, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("tree: %w", err)
	}
	return e, nil
}

func decode(b []byte) (*Ensemble, error) {
	r := wire.NewReader(b)
	if string(r.Bytes(len(magic))) != magic && r.Err() == nil {
		return nil, malformed("no %q at the start", magic)
	}
	v := r.U8()
	if (v < version || v > versionSecond) && r.Err() == nil {
		return nil, malformed("version %d, want %d or %d", v, version, versionSecond)
	}
	e := &Ensemble{kind: Kind(r.U8()), link: Link(r.U8())}
	features, outputs, psi := r.Uvarint(), r.Uvarint(), r.Uvarint()
	if err := r.Err(); err != nil {
		return nil, err
	}
	e.features, e.outputs, e.psi = clampInt(features), clampInt(outputs), clampInt(psi)
	// One tree stands for those that have not been read.
	src := Source{Kind: e.kind, Link: e.link, Features: e.features, Outputs: e.outputs, SampleSize: e.psi, Trees: make([]SourceTree, 1)}
	if e.kind == Oblivious {
		src.Trees, src.Levels, src.Step = nil, make([]ObliviousTree, 1), 1
	}
	if err := checkEnsemble(&src); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if e.kind == Oblivious && v != versionSecond || e.kind != Oblivious && e.kind != Forest && v != version {
		return nil, malformed("version %d of kind %v", v, e.kind)
	}
	if e.kind == Boosting || e.kind == Oblivious {
		for range min(e.outputs, r.Left()/8) {
			src.Base = append(src.Base, r.F64())
		}
		if err := checkEnsemble(&src); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		e.base = src.Base
	}
	if e.kind == Oblivious {
		return decodeEven(r, e)
	}
	output, err := readOutputs(r, e)
	if err != nil {
		return nil, err
	}
	shapes, err := readShapes(r, len(output))
	if err != nil {
		return nil, err
	}
	return decodeTrees(newReader(r.Bytes(r.Left())), e, v == versionSecond, output, shapes)
}

func clampInt(v uint64) int { return int(min(v, math.MaxInt32)) }

// readOutputs reads the number of trees and the output of each.
func readOutputs(r *wire.Reader, e *Ensemble) ([]int32, error) {
	trees := r.Uvarint()
	mode := r.U8()
	if r.Err() != nil {
		return nil, r.Err()
	}
	if trees > MaxTrees {
		return nil, &LimitError{"trees", MaxTrees, clampInt(trees)}
	}
	// A tree takes a bit at least.
	if trees == 0 || mode > outputsList || trees > 8*uint64(r.Left()) {
		return nil, malformed("%d trees, outputs %d", trees, mode)
	}
	output := make([]int32, trees)
	for t := range output {
		switch mode {
		case outputsVector:
			output[t] = -1
		case outputsCycle:
			output[t] = int32(t % e.outputs)
		case outputsList:
			output[t] = int32(clampInt(r.Uvarint())) - 1
		}
		if err := checkOutput(e.kind, e.outputs, int(output[t])); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	if r.Err() == nil && (int(mode) != outputsMode(output, e.outputs) || e.outputs == 1 && mode != outputsVector) {
		return nil, malformed("outputs %d are not the shortest", mode)
	}
	return output, r.Err()
}

// shapes are the node bits of all trees.
type shapes struct {
	bits    []byte
	sizes   []int32 // nodes per tree
	nodes   int
	largest int
}

func (s *shapes) inner(v int) bool { return s.bits[v/8]>>(v%8)&1 != 0 }

// readShapes reads the node bits and checks that they are trees, none too
// deep for the recursion that follows.
func readShapes(r *wire.Reader, trees int) (*shapes, error) {
	n := r.Uvarint()
	if r.Err() != nil {
		return nil, r.Err()
	}
	if n > MaxNodes {
		return nil, &LimitError{"nodes", MaxNodes, clampInt(n)}
	}
	s := &shapes{nodes: int(n), bits: r.Bytes(int(n+7) / 8), sizes: make([]int32, 0, trees)}
	if r.Err() != nil {
		return nil, r.Err()
	}
	if n%8 != 0 && s.bits[n/8]>>(n%8) != 0 {
		return nil, malformed("bits after the last node")
	}
	start, depth := 0, 0
	var right []int // depths of right children to come
	for v := range s.nodes {
		switch {
		case len(s.sizes) == trees:
			return nil, malformed("nodes after the last tree")
		case depth > MaxDepth:
			return nil, &LimitError{"levels", MaxDepth, depth}
		case s.inner(v):
			depth++
			right = append(right, depth)
		case len(right) > 0:
			depth, right = right[len(right)-1], right[:len(right)-1]
		default:
			s.sizes = append(s.sizes, int32(v+1-start))
			s.largest = max(s.largest, v+1-start)
			start, depth = v+1, 0
		}
	}
	if len(s.sizes) != trees || start != s.nodes {
		return nil, malformed("the nodes end inside tree %d", len(s.sizes))
	}
	return s, nil
}

// decodeTrees reads the range-coded part.
func decodeTrees(c *coder, e *Ensemble, second bool, output []int32, s *shapes) (*Ensemble, error) {
	f := newFormat(c, e)
	f.second = second
	f.layout(s.nodes)
	f.modes()
	if err := f.failure(); err != nil {
		return nil, err
	}
	var err error
	if f.b, err = newBuilder(e, len(output), s.nodes, s.largest); err != nil {
		return nil, err
	}
	f.start()
	d := &f.b.d
	first := 0
	for t, size := range s.sizes {
		d.resize(int(size))
		d.output = int(output[t])
		s.draft(d, first)
		first += int(size)
		f.node(d, 0, 0, 0, sibling{})
		if err := f.failure(); err != nil {
			return nil, err
		}
		if err := f.b.add(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, atTree(err, t))
		}
	}
	if !c.done() {
		return nil, malformed("the coded part does not end where it should")
	}
	if err := f.unused(); err != nil {
		return nil, err
	}
	if e.weights != nil && e.plainCoverMode() == coverWhole {
		return nil, malformed("class weights that whole covers do not need")
	}
	if f.cover != e.coverMode() || f.leaf != e.leafMode() {
		return nil, malformed("modes %d and %d are not the shortest", f.cover, f.leaf)
	}
	return e, nil
}

// failure returns the first error. Input that ends too early reads as zeros,
// which may be what made another rule fail.
func (f *format) failure() error {
	if f.broken {
		return malformed("the coded part ends too early or is damaged")
	}
	return f.err
}

// unused says whether a test or an edge has no split, which New never makes.
func (f *format) unused() error {
	for t, used := range f.used {
		if !used {
			return malformed("test %d is not used", t)
		}
	}
	for i := range f.ranks {
		for j := range f.e.lay.numeric[i].edges {
			if !f.ranks[i].used(j) {
				return malformed("edge %d of feature %d is not used", j, f.e.lay.numeric[i].feature)
			}
		}
	}
	return nil
}

// draft fills in the shape of the tree whose first node is first.
func (s *shapes) draft(d *draft, first int) {
	var above []int32 // inner nodes whose right child is to come
	for v := range int32(len(d.test)) {
		if s.inner(first + int(v)) {
			d.test[v], d.left[v] = 0, v+1
			above = append(above, v)
			continue
		}
		d.test[v] = -1
		if len(above) > 0 {
			d.right[above[len(above)-1]] = v + 1
			above = above[:len(above)-1]
		}
	}
}
