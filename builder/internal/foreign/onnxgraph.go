package foreign

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Element types of ONNX tensors (onnx.proto, TensorProto.DataType).
const (
	onnxFloat  = 1
	onnxUint8  = 2
	onnxInt64  = 7
	onnxString = 8
	onnxDouble = 11
)

// graph is what a tree model needs of an ONNX file.
type graph struct {
	producer  string
	labels    string // of metadata_props
	features  string
	nodes     []operator
	constants map[string]tensor
	inputs    []input
}

type input struct {
	name    string
	element int
	columns int // 0 if the file does not say
}

// operator is one node of the graph.
type operator struct {
	kind    string
	in, out []string
	has     map[string]attribute
	at      int
}

type attribute struct {
	f       float64
	i       int64
	s       string
	floats  []float64
	ints    []int64
	strings []string
	t       *tensor
	at      int
}

type tensor struct {
	element int
	values  []float64
	strings []string
}

// maxOperators of a graph: an isolation forest has some thirty a tree.
const maxOperators = 1 << 14

// metadataLabels is our key in metadata_props: the names of the classes as JSON,
// for operators without labels.
const metadataLabels = "cloister.labels"

// metadataFeatures is that for the names of the columns.
const metadataFeatures = "cloister.features"

func parseONNX(data []byte) (*graph, error) {
	g := &graph{constants: map[string]tensor{}}
	var name, version string
	seen := false
	err := fields(data, 0, func(f field) error {
		switch f.number {
		case 2:
			name = string(f.bytes)
		case 3:
			version = string(f.bytes)
		case 7:
			seen = true
			return g.graph(f)
		case 14:
			return g.property(f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !seen {
		return nil, malformed("onnx", 0, "no graph")
	}
	if g.producer = fmt.Sprintf("%.64s %.64s", name, version); name == "" {
		g.producer = "ONNX"
	}
	return g, nil
}

func (g *graph) property(f field) error {
	var key, text string
	err := fields(f.bytes, f.at, func(f field) error {
		switch f.number {
		case 1:
			key = string(f.bytes)
		case 2:
			text = string(f.bytes)
		}
		return nil
	})
	switch key {
	case metadataLabels:
		g.labels = text
	case metadataFeatures:
		g.features = text
	}
	return err
}

func (g *graph) graph(f field) error {
	return fields(f.bytes, f.at, func(f field) error {
		switch f.number {
		case 1:
			return g.operator(f)
		case 5:
			name, t, err := readTensor(f)
			if err == nil {
				g.constants[name] = *t
			}
			return err
		case 11:
			return g.input(f)
		}
		return nil
	})
}

// input reads ValueInfoProto: name, element type, last of two dimensions.
func (g *graph) input(f field) error {
	var in input
	err := fields(f.bytes, f.at, func(f field) error {
		if f.number == 1 {
			in.name = string(f.bytes)
		}
		if f.number != 2 {
			return nil
		}
		return fields(f.bytes, f.at, func(f field) error { // TypeProto
			if f.number != 1 {
				return nil
			}
			return fields(f.bytes, f.at, func(f field) error { // Tensor
				if f.number == 1 {
					in.element = int(f.bits)
				}
				if f.number != 2 {
					return nil
				}
				return fields(f.bytes, f.at, func(f field) error { // TensorShapeProto: the last wins
					in.columns = 0
					return fields(f.bytes, f.at, func(f field) error {
						if f.number == 1 && f.bits < 1<<31 {
							in.columns = int(f.bits)
						}
						return nil
					})
				})
			})
		})
	})
	g.inputs = append(g.inputs, in)
	return err
}

func (g *graph) operator(f field) error {
	if len(g.nodes) == maxOperators {
		return &LimitError{"onnx", "operators", maxOperators, maxOperators + 1}
	}
	op := operator{has: map[string]attribute{}, at: f.at}
	err := fields(f.bytes, f.at, func(f field) error {
		switch f.number {
		case 1:
			op.in = append(op.in, string(f.bytes))
		case 2:
			op.out = append(op.out, string(f.bytes))
		case 4:
			op.kind = string(f.bytes)
		case 5:
			name, a, err := readAttribute(f)
			op.has[name] = a
			return err
		}
		return nil
	})
	g.nodes = append(g.nodes, op)
	return err
}

func readAttribute(f field) (name string, a attribute, err error) {
	a.at = f.at
	err = fields(f.bytes, f.at, func(f field) (err error) {
		switch f.number {
		case 1:
			name = string(f.bytes)
		case 2:
			a.f = float64(math.Float32frombits(uint32(f.bits)))
		case 3:
			a.i = int64(f.bits)
		case 4:
			a.s = string(f.bytes)
		case 5:
			_, a.t, err = readTensor(f)
		case 7:
			a.floats, err = f.floats(a.floats)
		case 8:
			a.ints, err = f.ints(a.ints)
		case 9:
			a.strings = append(a.strings, string(f.bytes))
		}
		return err
	})
	return name, a, err
}

// readTensor reads numbers of the types that tree models have, or texts.
func readTensor(f field) (name string, t *tensor, err error) {
	t = &tensor{}
	var raw []byte
	var whole []int64
	at := f.at
	err = fields(f.bytes, f.at, func(f field) (err error) {
		switch f.number {
		case 2:
			t.element = int(f.bits)
		case 4:
			t.values, err = f.floats(t.values)
		case 5, 7:
			whole, err = f.ints(whole)
		case 6:
			t.strings = append(t.strings, string(f.bytes))
		case 8:
			name = string(f.bytes)
		case 9:
			raw = f.bytes
		case 10:
			t.values, err = f.doubles(t.values)
		case 13:
			err = unsupported("onnx", f.at, "a tensor in another file")
		}
		return err
	})
	if err != nil {
		return name, t, err
	}
	for _, v := range whole {
		t.values = append(t.values, float64(v))
	}
	size := map[int]int{onnxFloat: 4, onnxDouble: 8, onnxInt64: 8, onnxUint8: 1}[t.element]
	if raw != nil && size == 0 {
		return name, t, nil // of a type that trees do not use
	}
	if size > 0 && len(raw)%size != 0 {
		return name, t, malformed("onnx", at, "a tensor of %d bytes", len(raw))
	}
	for ; len(raw) > 0; raw = raw[size:] {
		switch t.element {
		case onnxFloat:
			t.values = append(t.values, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		case onnxDouble:
			t.values = append(t.values, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		case onnxInt64:
			t.values = append(t.values, float64(int64(binary.LittleEndian.Uint64(raw))))
		case onnxUint8:
			t.values = append(t.values, float64(raw[0]))
		}
	}
	return name, t, nil
}

// numbers returns the floats of an attribute or of its form as tensor.
func (o *operator) numbers(name string) []float64 {
	if t := o.has[name+"_as_tensor"].t; t != nil {
		return t.values
	}
	if t := o.has[name].t; t != nil {
		return t.values
	}
	return o.has[name].floats
}

// indices returns the integers of an attribute as int32, -1 for those that are
// negative or too large.
func (o *operator) indices(name string) []int32 {
	out := make([]int32, len(o.has[name].ints))
	for i, v := range o.has[name].ints {
		if v < 0 || v > math.MaxInt32/4 {
			v = -1
		}
		out[i] = int32(v)
	}
	return out
}
