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
// The rest is one range-coded stream: layout, modes, trees (see format). Version
// 3 codes the bits of the nodes there, before the trees, and zero bytes follow
// it up to one for eight nodes, so that no reader need make room for more than a
// multiple of what it has been given.
const (
	magic = "TREE"
	// version is the first one; version 2 is of what that cannot say: oblivious
	// trees, and leaves that follow from counts and class weights.
	// version 3 codes the trees of any kind but the oblivious in fewer bytes.
	version       = 1
	versionSecond = 2
	versionThird  = 3
	// version 4 is of oblique splits.
	versionOblique = 4
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
	third := e.even == nil && !e.first
	switch {
	case e.oblique != nil:
		w.U8(versionOblique)
	case third:
		w.U8(versionThird)
	case second:
		w.U8(versionSecond)
	default:
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
	if e.oblique != nil {
		return e.appendOblique(dst, &w)
	}
	w.Count(len(e.output))
	mode := outputsMode(e.output, e.outputs)
	w.U8(uint8(mode))
	if mode == outputsList {
		for _, o := range e.output {
			w.Uvarint(uint64(o + 1))
		}
	}
	w.Count(e.Nodes())
	shapes := e.shapes()
	if !third {
		w.Bytes(shapes.bits)
	}
	f := newFormat(newWriter(), e)
	f.setVersion(second, third)
	f.layout(e.Nodes())
	f.modes()
	if third {
		f.err = shapes.walk(len(e.output), f.shape)
	}
	f.start()
	var d draft
	for t := range e.output {
		e.preorder(t, &d)
		f.node(&d, 0, 0, 0, sibling{})
	}
	if f.err != nil {
		return dst, f.err // unreachable: New and Decode keep the rules
	}
	w.Bytes(f.finish())
	if third {
		w.Bytes(make([]byte, max(0, (e.Nodes()+7)/8-w.Len())))
	}
	return append(dst, w.Finish()...), nil
}

// shapes returns the node bits of all trees.
func (e *Ensemble) shapes() *shapes {
	s := &shapes{nodes: e.Nodes(), bits: make([]byte, (e.Nodes()+7)/8)}
	var d draft
	node := 0
	for t := range e.output {
		e.preorder(t, &d)
		for _, test := range d.test {
			if test >= 0 {
				s.bits[node/8] |= 1 << (node % 8)
			}
			node++
		}
	}
	return s
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
	if (v < version || v > versionOblique) && r.Err() == nil {
		return nil, malformed("version %d, want %d to %d", v, version, versionOblique)
	}
	e := &Ensemble{kind: Kind(r.U8()), link: Link(r.U8()), first: v < versionThird}
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
	if e.kind == Oblivious && v != versionSecond || e.kind != Isolation && v == versionOblique || v == versionSecond && e.kind != Oblivious && e.kind != Forest {
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
	nodes := r.Uvarint()
	if err := r.Err(); err != nil {
		return nil, err
	}
	if nodes > MaxNodes {
		return nil, &LimitError{"nodes", MaxNodes, clampInt(nodes)}
	}
	if nodes > 8*uint64(len(b)) {
		return nil, malformed("%d nodes in %d bytes", nodes, len(b))
	}
	s := &shapes{nodes: int(nodes)}
	if v >= versionThird {
		s.bits = make([]byte, (nodes+7)/8)
	} else if err := s.read(r, len(output)); err != nil {
		return nil, err
	}
	f := newFormat(newReader(r.Bytes(r.Left())), e)
	f.setVersion(v == versionSecond, v >= versionThird)
	if v == versionOblique {
		return f.decodeOblique(s, len(output), len(b))
	}
	return f.decodeTrees(s, output, len(b))
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
	if trees == 0 || mode > outputsList || trees > 8*uint64(r.Offset()+r.Left()) {
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

// read reads the bits of versions 1 and 2.
func (s *shapes) read(r *wire.Reader, trees int) error {
	if s.bits = r.Bytes((s.nodes + 7) / 8); r.Err() != nil {
		return r.Err()
	}
	if s.nodes%8 != 0 && s.bits[s.nodes/8]>>(s.nodes%8) != 0 {
		return malformed("bits after the last node")
	}
	return s.walk(trees, nil)
}

// walk checks that the bits are trees, none too deep for the recursion that
// follows. Before it looks at the bit of a node it calls code, unless that is
// nil, with the node's depth and what is left of it: 0 nothing, as it is a root
// or a left child, 1 a leaf, 2 an inner node.
func (s *shapes) walk(trees int, code func(s *shapes, v, depth, left int) bool) error {
	s.sizes = make([]int32, 0, trees)
	start, depth, left := 0, 0, 0
	var right []int // depths of right children to come
	for v := range s.nodes {
		switch {
		case len(s.sizes) == trees:
			return malformed("nodes after the last tree")
		case depth > MaxDepth:
			return &LimitError{"levels", MaxDepth, depth}
		case code != nil && !code(s, v, depth, left):
			return malformed("the coded part ends too early or is damaged")
		case s.inner(v):
			depth++
			right = append(right, depth)
			left = 0
		case len(right) > 0:
			depth, right = right[len(right)-1], right[:len(right)-1]
			left = 2
			if v > start && s.inner(v-1) { // this leaf is a left child
				left = 1
			}
		default:
			s.sizes = append(s.sizes, int32(v+1-start))
			s.largest = max(s.largest, v+1-start)
			start, depth, left = v+1, 0, 0
		}
	}
	if len(s.sizes) != trees || start != s.nodes {
		return malformed("the nodes end inside tree %d", len(s.sizes))
	}
	return nil
}

// shape codes the bit of node v.
func (f *format) shape(s *shapes, v, depth, left int) bool {
	bit := f.bit(&f.inner[min(depth, len(f.inner)-1)][left], int(s.bits[v/8]>>(v%8)&1))
	s.bits[v/8] |= byte(bit) << (v % 8)
	return !f.broken
}

// decodeTrees reads the range-coded part of an encoding of size bytes.
func (f *format) decodeTrees(s *shapes, output []int32, size int) (*Ensemble, error) {
	e := f.e
	f.layout(s.nodes)
	f.modes()
	if err := f.failure(); err != nil {
		return nil, err
	}
	if f.third {
		if err := s.walk(len(output), f.shape); err != nil {
			return nil, err
		}
	}
	var err error
	if f.b, err = newBuilder(e, len(output), s.nodes, s.largest); err != nil {
		return nil, err
	}
	f.start()
	d := &f.b.d
	first := 0
	for t, n := range s.sizes {
		d.resize(int(n))
		d.output = int(output[t])
		s.draft(d, first)
		first += int(n)
		f.node(d, 0, 0, 0, sibling{})
		if err := f.failure(); err != nil {
			return nil, err
		}
		if err := f.b.add(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, atTree(err, t))
		}
	}
	if err := f.end(s.nodes, size); err != nil {
		return nil, err
	}
	if err := f.unused(); err != nil {
		return nil, err
	}
	if e.weights != nil && e.plainCoverMode() == coverWhole {
		return nil, malformed("class weights that whole covers do not need")
	}
	// The first modes of all hold by what was read.
	byReading := f.cover == coverWhole && (f.leaf == leafCounts || e.kind == Isolation && f.leaf == leafSingle)
	if !byReading && (f.cover != e.coverMode() || f.leaf != e.leafMode()) {
		return nil, malformed("modes %d and %d are not the shortest", f.cover, f.leaf)
	}
	return e, nil
}

// end says what is wrong where the coded part of size bytes should end.
func (f *format) end(nodes, size int) error {
	padding := f.in
	if f.third {
		f.in = nil
	}
	if !f.done() || f.third && len(padding) != max(0, (nodes+7)/8-(size-len(padding))) {
		return malformed("the coded part does not end where it should")
	}
	for _, b := range padding {
		if b != 0 {
			return malformed("bytes after the coded part")
		}
	}
	return nil
}

func (f *format) setVersion(second, third bool) {
	f.second, f.third, f.mixes = second, third, third
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
	for i := range f.e.lay.numeric {
		for j := range f.e.lay.numeric[i].edges {
			if f.third && f.uses[i].count[j] == 0 || !f.third && !f.ranks[i].used(j) {
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
