package foreign

import (
	"math"
	"slices"

	"cloister/shared/model/tree"
)

// assign decides what the scores are and builds the source.
func (o *onnx) assign(t *operator, p *parts) error {
	s := &o.m.Source
	classifier := t.kind == "TreeEnsembleClassifier"
	one := int32(-1) // the only output that is added to, -2 for several
	negative := false
	for _, w := range p.weights {
		if w.id < 0 || int(w.id) >= p.outputs {
			return malformed("onnx", t.at, "a weight of output %d of %d", w.id, p.outputs)
		}
		if one == -1 {
			one = w.id
		} else if one != w.id {
			one = -2
		}
		negative = negative || w.value < 0
	}
	s.Kind, s.Outputs = tree.Boosting, p.outputs
	switch p.post {
	case "NONE":
	case "LOGISTIC":
		s.Link = tree.Logistic
	case "SOFTMAX":
		s.Link = tree.Softmax
	default:
		return unsupported("onnx", t.has["post_transform"].at, "post_transform %.64q", p.post)
	}
	// One margin stands for the second of two classes: onnxruntime adds the other.
	binary := classifier && p.outputs == 2 && one >= 0
	if binary {
		switch {
		case p.post == "SOFTMAX":
			return unsupported("onnx", t.at, "SOFTMAX of one margin")
		case p.post == "LOGISTIC" && !negative:
			return unsupported("onnx", t.at, "LOGISTIC of margins that are nowhere negative: onnxruntime takes them for probabilities")
		}
		s.Outputs = 1
		for i := range p.weights {
			p.weights[i].id = 0
		}
		if len(p.base) == 2 {
			p.base = p.base[1:]
		}
	}
	if s.Link == tree.Softmax && s.Outputs == 2 && zeroFirst(p) { // as we write one margin
		s.Outputs, s.Link = 1, tree.Logistic
		p.base = p.base[min(1, len(p.base)):]
		kept := p.weights[:0]
		for _, w := range p.weights {
			if w.id == 1 {
				kept = append(kept, weight{w.leaf, 0, w.value})
			}
		}
		p.weights = kept
	}
	if s.Link == tree.Softmax && s.Outputs < 2 {
		return malformed("onnx", t.at, "SOFTMAX of one output")
	}
	if len(p.base) > 0 && len(p.base) != s.Outputs {
		return malformed("onnx", t.at, "%d base_values for %d outputs", len(p.base), s.Outputs)
	}
	vectors := p.post == "NONE" && s.Outputs > 1
	if err := o.build(t, p, vectors); err != nil {
		return err
	}
	zero := !slices.ContainsFunc(p.base, func(b float64) bool { return b != 0 })
	switch {
	case p.post == "NONE" && zero && (vectors || binary) && o.forest(p.average, binary):
		return nil
	case p.average && zero && p.outputs == 1 && p.post == "NONE":
		s.Kind = tree.Forest
		return nil
	}
	if p.average {
		for i := range s.Trees {
			for j, v := range s.Trees[i].Value {
				s.Trees[i].Value[j] = v / float64(len(s.Trees))
			}
		}
	}
	if len(p.base) > 0 {
		s.Base = p.base
	}
	return nil
}

// zeroFirst says whether nothing but zeros is added to the first output.
func zeroFirst(p *parts) bool {
	if len(p.base) > 0 && p.base[0] != 0 {
		return false
	}
	for _, w := range p.weights {
		if w.id == 0 && w.value != 0 {
			return false
		}
	}
	return true
}

// build makes the trees. Leaves are vectors if vectors is true or a tree adds to
// several outputs.
func (o *onnx) build(t *operator, p *parts, vectors bool) error {
	s := &o.m.Source
	slices.SortStableFunc(p.weights, func(a, b weight) int { return int(a.leaf - b.leaf) })
	span := make([][2]int32, len(p.nodes)) // of each leaf's weights
	for i, w := range p.weights {
		if i == 0 || p.weights[i-1].leaf != w.leaf {
			span[w.leaf][0] = int32(i)
		}
		span[w.leaf][1] = int32(i + 1)
	}
	o.hits(p)
	taken := make([]bool, len(p.nodes))
	room := 64*len(p.weights) + 1<<12 // leaf values: sparse vectors must not blow up
	for r, root := range p.roots {
		nodes, err := cut(p.nodes, root, taken)
		if err != "" {
			return malformed("onnx", t.at, "tree %d: %s", r, err)
		}
		id := int32(-1)
		for _, n := range nodes {
			if n.feature < 0 {
				for _, w := range p.weights[span[n.left][0]:span[n.left][1]] {
					if id != -1 && id != w.id {
						id = -2
					} else if id == -1 {
						id = w.id
					}
				}
			}
		}
		width, output := 0, max(int(id), 0)
		if s.Outputs > 1 && (vectors || id == -2) {
			width, output = s.Outputs, -1
		}
		for i := range nodes {
			n := &nodes[i]
			if n.feature >= 0 {
				continue
			}
			if width > 0 {
				n.vector = make([]float64, width)
				if room -= width; room < 0 {
					return &LimitError{"onnx", "leaf values that the file leaves out", int64(64*len(p.weights) + 1<<12), int64(len(p.nodes) * width)}
				}
			}
			for _, w := range p.weights[span[n.left][0]:span[n.left][1]] {
				if width > 0 {
					n.vector[w.id] += w.value
				} else {
					n.value += w.value
				}
			}
		}
		st, bad := assemble(nodes, output, width)
		if bad != nil {
			return malformed("onnx", t.at, "tree %d: %v", r, bad)
		}
		s.Trees = append(s.Trees, st)
		for _, n := range nodes {
			s.Features = max(s.Features, int(n.feature)+1)
		}
	}
	if len(s.Trees) == 0 {
		return malformed("onnx", t.at, "no trees")
	}
	if s.Features = max(s.Features, 1); s.Features > tree.MaxFeatures {
		return &LimitError{"onnx", "features", tree.MaxFeatures, int64(s.Features)}
	}
	o.m.Covers = !evenCovers(s.Trees) && p.hits != nil
	return nil
}

// hits makes covers of hit rates, if they are such: those of inner nodes the
// sums of their children's. Exporters that have none write 1 everywhere.
func (o *onnx) hits(p *parts) {
	if p.hits == nil {
		return
	}
	for i := range p.nodes {
		n := &p.nodes[i]
		if n.feature >= 0 && int(n.left) < len(p.hits) && int(n.right) < len(p.hits) {
			if sum := p.hits[n.left] + p.hits[n.right]; !(math.Abs(sum-p.hits[i]) <= 1e-5*sum) {
				p.hits = nil
				return
			}
		}
		if !(p.hits[i] >= 0) || math.IsInf(p.hits[i], 0) {
			p.hits = nil
			return
		}
	}
	if len(p.nodes) == len(p.roots) { // leaves only: 1 says nothing
		p.hits = nil
		return
	}
	for i := range p.hits {
		p.nodes[i].cover = p.hits[i]
	}
}

// cut returns the nodes below root, it first, with children numbered anew; left
// of a leaf is its number before.
func cut(all []node, root int32, taken []bool) (out []node, what string) {
	if root < 0 || int(root) >= len(all) || taken[root] {
		return nil, "its root is no node or belongs to another tree"
	}
	order := []int32{root}
	taken[root] = true
	for i := 0; i < len(order); i++ {
		n := all[order[i]]
		if n.feature < 0 {
			n.left = order[i]
			out = append(out, n)
			continue
		}
		for _, c := range []*int32{&n.left, &n.right} {
			if *c < 0 || int(*c) >= len(all) || taken[*c] {
				return nil, "a child is no node or has two parents"
			}
			taken[*c] = true
			order = append(order, *c)
			*c = int32(len(order) - 1)
		}
		out = append(out, n)
	}
	return out, ""
}

// leafTolerance is how far the weights of a leaf may be from the share of a
// tree: they are float32.
const leafTolerance = 1e-6

// forest makes a forest of the source if all leaves are class distributions
// over the number of trees; with average over one.
func (o *onnx) forest(average, binary bool) bool {
	s := &o.m.Source
	times := float64(len(s.Trees))
	if average {
		times = 1
	}
	width := s.Outputs
	for i := range s.Trees {
		t := &s.Trees[i]
		for n, f := range t.Feature {
			if f >= 0 {
				continue
			}
			sum := 0.0
			for _, v := range t.Value[n*width : (n+1)*width] {
				if sum += v * times; v < 0 || v*times > 1+leafTolerance {
					return false
				}
			}
			if !binary && math.Abs(sum-1) > leafTolerance {
				return false
			}
		}
	}
	for i := range s.Trees {
		t := &s.Trees[i]
		if binary {
			both := make([]float64, 0, 2*len(t.Value))
			for _, v := range t.Value {
				v = min(v*times, 1)
				both = append(both, 1-v, v)
			}
			t.Value, t.Output = both, -1
			continue
		}
		for n := 0; n < len(t.Value); n += width {
			leaf := t.Value[n : n+width]
			sum := 0.0
			for _, v := range leaf {
				sum += v
			}
			if average || t.Feature[n/width] >= 0 { // averages have no rounded share of a tree
				continue
			}
			for j := range leaf {
				leaf[j] /= sum
			}
		}
	}
	s.Kind = tree.Forest
	if binary {
		s.Outputs = 2
	}
	return true
}

// isolation reads the graph that skl2onnx makes of an isolation forest: each
// tree gives the number of the leaf, from which one LabelEncoder makes the rows
// in it and another its depth, counted in nodes.
func (o *onnx) isolation(trees []*operator) error {
	s := &o.m.Source
	s.Kind, s.Outputs = tree.Isolation, 1
	o.m.Objective, o.m.Covers = "isolation forest", true
	columns := 0
	for r, t := range trees {
		if err := o.source(t); err != nil {
			return err
		}
		columns = max(columns, s.Features)
		p, err := o.parts(t)
		if err != nil {
			return err
		}
		if len(p.roots) != 1 || p.outputs != 1 {
			return unsupported("onnx", t.at, "%d tree operators that are no isolation forest", len(trees))
		}
		if err := o.build(t, p, false); err != nil {
			return err
		}
		columns = max(columns, s.Features)
		st := &s.Trees[r]
		rows := 0
		for n, cover := range o.leafRows(t, st) {
			if st.Feature[n] >= 0 {
				continue
			}
			if cover < 1 || cover > 1<<24 || cover != math.Trunc(cover) {
				return unsupported("onnx", t.at, "tree %d: no LabelEncoder says how many rows are in each leaf", r)
			}
			st.Cover[n] = cover
			rows += int(cover)
		}
		if r > 0 && rows != s.SampleSize || rows < 2 {
			return unsupported("onnx", t.at, "tree %d has seen %d rows, the first %d", r, rows, s.SampleSize)
		}
		s.SampleSize, st.Value = rows, nil
	}
	s.Features = columns
	return nil
}

// leafRows returns the rows in each leaf of a tree, 0 where no LabelEncoder that
// its output leads to says so.
func (o *onnx) leafRows(t *operator, st *tree.SourceTree) []float64 {
	depth := make([]float64, len(st.Feature))
	depth[0] = 1
	for n, f := range st.Feature {
		if f >= 0 {
			depth[st.Left[n]], depth[st.Right[n]] = depth[n]+1, depth[n]+1
		}
	}
	var rows, asDepth []float64
	names := slices.Clone(t.out)
	for i := range o.g.nodes { // in an order in which results come before their use
		n := &o.g.nodes[i]
		if len(n.in) != 1 || !slices.Contains(names, n.in[0]) {
			continue
		}
		if n.kind == "Cast" || n.kind == "Identity" {
			names = append(names, n.out...)
		}
		keys, values := n.has["keys_int64s"].ints, n.numbers("values_floats")
		if n.kind != "LabelEncoder" || len(keys) != len(values) {
			continue
		}
		says := make(map[float64]float64, len(keys))
		for j, k := range keys {
			says[float64(k)] = values[j]
		}
		found, isDepth := make([]float64, len(depth)), true
		for v, f := range st.Feature {
			if f < 0 {
				found[v] = says[st.Value[v]]
				isDepth = isDepth && found[v] == depth[v]
			}
		}
		if isDepth && asDepth == nil {
			asDepth = found
		} else {
			rows = found
		}
	}
	if rows == nil {
		rows = asDepth // both say the same, or there is one
	}
	if rows == nil {
		rows = make([]float64, len(depth))
	}
	return rows
}
