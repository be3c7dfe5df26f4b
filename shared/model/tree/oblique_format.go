package tree

import (
	"math"

	"cloister/shared/wire"
)

// Oblique trees are written in version 4. After the sample size come
//
//	trees (varint), nodes (varint), a factor f64 for each feature,
//
// and one range-coded stream: the bits of the nodes as in version 3, whether
// points are float32 (a bit), then node by node the cover of a leaf or how many
// features a split weighs and for each the step from the one before, the weight
// and the point. Zero bytes follow as in version 3.

// obliqueModels are the statistics of nodes.
type obliqueModels struct {
	cover [16]numbers // by depth
	parts numbers
	step  numbers
	point floats
}

// appendOblique appends what follows the sample size to w and returns all of it.
func (e *Ensemble) appendOblique(dst []byte, w *wire.Writer) ([]byte, error) {
	o := e.oblique
	w.Count(len(e.output))
	w.Count(len(o.left))
	for _, v := range o.scale {
		w.F64(v)
	}
	f := newFormat(newWriter(), e)
	f.setVersion(false, true)
	s := &shapes{nodes: len(o.left), bits: make([]byte, (len(o.left)+7)/8)}
	for v := range o.left {
		if o.inner(v) {
			s.bits[v/8] |= 1 << (v % 8)
		}
	}
	if err := f.oblique(s, len(e.output)); err != nil {
		return dst, err // unreachable: New and Decode keep the rules
	}
	w.Bytes(f.finish())
	w.Bytes(make([]byte, max(0, (s.nodes+7)/8-w.Len())))
	return append(dst, w.Finish()...), nil
}

// decodeOblique reads what follows the sample size of an encoding of size bytes.
func decodeOblique(r *wire.Reader, e *Ensemble, size int) (*Ensemble, error) {
	trees, nodes := r.Uvarint(), r.Uvarint()
	o := new(oblique)
	for range min(e.features, r.Left()/8) {
		o.scale = append(o.scale, r.F64())
	}
	switch err := checkScale(o.scale, e.features); {
	case r.Err() != nil:
		return nil, r.Err()
	case err != nil:
		return nil, malformed("%v", err)
	case trees > MaxTrees:
		return nil, &LimitError{"trees", MaxTrees, clampInt(trees)}
	case nodes > MaxNodes:
		return nil, &LimitError{"nodes", MaxNodes, clampInt(nodes)}
	case trees == 0 || nodes > 8*uint64(size):
		return nil, malformed("%d trees of %d nodes", trees, nodes)
	}
	e.oblique, e.root, e.output = o, append(make([]int, 0, trees+1), 0), make([]int32, 0, trees)
	o.left, o.right, o.start = make([]int32, 0, nodes), make([]int32, 0, nodes), append(make([]int32, 0, nodes+1), 0)
	o.path, e.cover = make([]float64, 0, nodes), make([]float64, 0, nodes)
	f := newFormat(newReader(r.Bytes(r.Left())), e)
	f.setVersion(false, true)
	s := &shapes{nodes: int(nodes), bits: make([]byte, (nodes+7)/8)}
	if err := f.oblique(s, int(trees)); err != nil {
		return nil, err
	}
	single := true
	for _, p := range o.point {
		single = single && isSingle(p)
	}
	if single != o.single {
		return nil, malformed("points are not the shortest")
	}
	if err := f.end(s.nodes, size); err != nil {
		return nil, err
	}
	return e, nil
}

// oblique codes the trees.
func (f *format) oblique(s *shapes, trees int) error {
	o, e := f.e.oblique, f.e
	if err := s.walk(trees, f.shape); err != nil {
		return err
	}
	single := uint64(0)
	if o.single {
		single = 1
	}
	o.single = f.raw(1, single) == 1
	m, v := new(obliqueModels), 0
	for range trees {
		base, depth := v, 0
		var right []int
		for open := 1; open > 0; v++ {
			if s.inner(v) {
				f.obliqueSplit(m, v)
				depth++
				right = append(right, depth)
				open++
			} else {
				f.obliqueCover(m, v, depth)
				if open--; open > 0 {
					depth, right = right[len(right)-1], right[:len(right)-1]
				}
			}
			if err := f.failure(); err != nil {
				return err
			}
		}
		if f.reading {
			if err := e.endOblique(base); err != nil {
				return malformed("%v", err)
			}
		}
	}
	return nil
}

// obliqueCover codes the cover of leaf v.
func (f *format) obliqueCover(m *obliqueModels, v, depth int) {
	c := uint64(0)
	if !f.reading {
		c = uint64(f.e.cover[v])
	}
	if c = f.shortNumber(&m.cover[min(depth, len(m.cover)-1)], c); !f.reading {
		return
	}
	if c > maxSample {
		f.fail("cover %d", c)
	}
	f.e.addOblique(float64(c))
}

// obliqueSplit codes what node v weighs.
func (f *format) obliqueSplit(m *obliqueModels, v int) {
	o := f.e.oblique
	var at, n int32
	if !f.reading {
		at = o.start[v]
		n = o.start[v+1] - at
	}
	count := f.shortNumber(&m.parts, uint64(n-1)) + 1
	if count > uint64(f.e.features) || len(o.feature)+int(count) > MaxParts && f.reading {
		f.fail("%d parts of a split", count)
		return
	}
	feature, weight, point := -1, int8(0), 0.0
	for j := range int32(count) {
		if !f.reading {
			weight, point = o.weight[at+j], o.point[at+j]
		}
		step := uint64(0)
		if !f.reading {
			step = uint64(int(o.feature[at+j]) - feature - 1)
		}
		if step = f.shortNumber(&m.step, step); f.reading && step >= uint64(f.e.features-1-feature) {
			f.fail("feature %d steps after %d", step, feature)
			return
		}
		feature += 1 + int(step)
		weight = int8(f.raw(8, uint64(uint8(weight))))
		point = f.float(&m.point, o.single, point)
		if f.reading && (weight == 0 || !(math.Abs(point) <= obliqueBound) || point == 0 && math.Signbit(point) || f.broken) {
			f.fail("weight %d at %g", weight, point)
			return
		}
		if f.reading {
			o.add(feature, weight, point)
		}
	}
	if f.reading {
		f.e.addOblique(0)
	}
}
