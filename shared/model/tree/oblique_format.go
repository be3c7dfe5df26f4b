package tree

import (
	"math"

	"cloister/shared/wire"
)

// Oblique trees are written in version 4. The header is that of version 3; in
// the range-coded stream come a factor of 64 bits for each feature, the bits of
// the nodes as in version 3, whether points are float32 (a bit), then node by
// node the cover of a leaf, or how many features a split weighs and for each the
// step from the one before, the weight and the point.

// obliqueModels are the statistics of nodes.
type obliqueModels struct {
	cover [16]numbers // by how many inner nodes, less leaves, came before
	parts numbers
	step  numbers
	point floats
}

// appendOblique appends what follows the sample size to w and returns all of it.
func (e *Ensemble) appendOblique(dst []byte, w *wire.Writer) ([]byte, error) {
	o := e.oblique
	w.Count(len(e.output))
	w.U8(outputsVector)
	w.Count(len(o.right))
	f := newFormat(newWriter(), e)
	f.setVersion(false, true)
	s := &shapes{nodes: len(o.right), bits: make([]byte, (len(o.right)+7)/8)}
	for v := range o.right {
		if o.inner(int32(v)) {
			s.bits[v/8] |= 1 << (v % 8)
		}
	}
	if err := f.obliques(s); err != nil {
		return dst, err // unreachable: New and Decode keep the rules
	}
	w.Bytes(f.finish())
	w.Bytes(make([]byte, max(0, (s.nodes+7)/8-w.Len())))
	return append(dst, w.Finish()...), nil
}

// decodeOblique reads the range-coded part of an encoding of size bytes.
func (f *format) decodeOblique(s *shapes, trees, size int) (*Ensemble, error) {
	o := f.e.newObliques(trees, s.nodes)
	err := f.obliques(s)
	if err == nil {
		err = f.end(s.nodes, size)
	}
	if err != nil {
		return nil, err
	}
	single := true
	for _, p := range o.parts {
		single = single && isSingle(p.point)
	}
	if single != o.single {
		return nil, malformed("points are not the shortest")
	}
	return f.e, nil
}

// obliques codes the trees.
func (f *format) obliques(s *shapes) error {
	o, e := f.e.oblique, f.e
	if f.reading {
		o.scale = make([]float64, e.features)
	}
	for j, v := range o.scale {
		v = math.Float64frombits(f.raw(64, math.Float64bits(v)))
		if o.scale[j] = v; f.reading && (!(v > 0 && v <= obliqueBound) || f.broken) {
			return malformed("factor of a feature")
		}
	}
	if err := s.walk(len(e.output), f.shape); err != nil {
		return err
	}
	single := uint64(0)
	if o.single {
		single = 1
	}
	o.single = f.raw(1, single) == 1
	m, v := new(obliqueModels), 0
	for _, n := range s.sizes {
		open := 0
		for range n {
			if s.inner(v) {
				f.obliqueSplit(m, v)
				open++
			} else {
				c := f.shortNumber(&m.cover[min(open, len(m.cover)-1)], uint64(e.cover[v]))
				if f.reading && c > maxSample {
					f.fail("cover")
				}
				e.cover[v] = float64(c)
				open = max(0, open-1)
			}
			v++
			if f.reading {
				o.start[v] = int32(len(o.parts))
			}
			if err := f.failure(); err != nil {
				return err
			}
		}
		if f.reading {
			if err := e.endOblique(); err != nil {
				return malformed("%v", err)
			}
		}
	}
	return nil
}

// obliqueSplit codes what node v weighs.
func (f *format) obliqueSplit(m *obliqueModels, v int) {
	o := f.e.oblique
	at, n, left := int(o.start[v]), int(o.start[v+1]-o.start[v]), f.e.features
	if n = int(f.shortNumber(&m.parts, uint64(n-1))) + 1; f.reading && len(o.parts) > MaxParts-n {
		f.fail("parts of a split")
		return
	}
	feature := -1
	for j := range n {
		var p obliquePart
		if !f.reading {
			p = o.parts[at+j]
		}
		step := f.shortNumber(&m.step, uint64(int(p.feature)-feature-1))
		if f.reading && step >= uint64(left) {
			f.fail("a feature beyond the last")
			return
		}
		left -= 1 + int(step)
		feature += 1 + int(step)
		p.feature = uint16(feature)
		p.weight = int8(f.raw(8, uint64(uint8(p.weight))))
		p.point = f.float(&m.point, o.single, p.point)
		if f.reading {
			if p.weight == 0 || !(math.Abs(p.point) <= obliqueBound) || p.point == 0 && math.Signbit(p.point) || f.broken {
				f.fail("weight or point")
				return
			}
			o.parts = append(o.parts, p)
		}
	}
}
