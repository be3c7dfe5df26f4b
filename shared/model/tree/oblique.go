package tree

import "math"

// Splits of an oblique isolation forest weigh several features:
//
//	left if sum_i Weight_i·Scale_f(i)·(x_f(i) - Point_i) <= 0
//
// A missing feature adds nothing, as if it lay at the point; values beyond
// obliqueBound either side of 0, infinite ones too, count as that.
//
// Source: Hariri, Carrasco Kind, Brunner, Extended Isolation Forest, IEEE TKDE
// 2019 (arXiv:1811.02141), algorithm 2, with the normal vector on a grid.

// ObliqueTree is one tree in parallel arrays, node 0 the root. Every node but
// the root is the child of exactly one other, which comes before it.
type ObliqueTree struct {
	// Left and Right are the children, not read at leaves.
	Left, Right []int32
	// Cover is the training rows in a leaf, whole numbers; a tree's are more
	// than 0 together.
	Cover []float64
	// Start has one entry more than there are nodes: what node v weighs are the
	// entries Start[v] to Start[v+1]-1 of the following, none at a leaf.
	Start []int32
	// Feature ascends within a node.
	Feature []int32
	// Weight is not 0.
	Weight []int8
	// Point is finite, at most 1e100 either side of 0.
	Point []float64
}

const (
	// MaxParts bounds what all splits of an oblique ensemble weigh together.
	MaxParts = 1 << 24
	// obliqueBound keeps sums finite: 1e100 thrice, times features and weights.
	obliqueBound = maxValue
)

// oblique holds such trees. Nodes are numbered through all of them, depth first:
// a left child follows its parent.
type oblique struct {
	scale  []float64
	single bool // all points are float32
	parts  []obliquePart
	start  []int32 // of the parts of each node, and the end
	right  []int32
	// path is the path length of leaves, and its mean over the cover of a
	// subtree: what a row that has got there scores.
	path []float64
}

type obliquePart struct {
	point   float64
	feature uint16
	weight  int8
}

// newObliques makes room for the nodes of e's trees.
func (e *Ensemble) newObliques(trees, nodes int) *oblique {
	o := &oblique{start: make([]int32, nodes+1), right: make([]int32, nodes), path: make([]float64, nodes)}
	e.oblique, e.cover, e.root, e.output = o, make([]float64, nodes), make([]int, 1, trees+1), make([]int32, trees)
	for t := range e.output {
		e.output[t] = -1
	}
	return o
}

// newObliqueIsolation is New for a checked ensemble of oblique trees.
func newObliqueIsolation(src *Source) (*Ensemble, error) {
	if err := checkScale(src.Scale, src.Features); err != nil {
		return nil, err
	}
	nodes, parts := 0, 0
	for i := range src.Oblique {
		t := &src.Oblique[i]
		if err := t.check(src); err != nil {
			return nil, atTree(err, i)
		}
		nodes += len(t.Left)
		parts += len(t.Feature)
	}
	if nodes > MaxNodes {
		return nil, &LimitError{"nodes", MaxNodes, nodes}
	}
	if parts > MaxParts {
		return nil, &LimitError{"parts of splits", MaxParts, parts}
	}
	e := &Ensemble{kind: src.Kind, features: src.Features, outputs: 1, psi: src.SampleSize}
	o := e.newObliques(len(src.Oblique), nodes)
	o.scale, o.single = append(o.scale, src.Scale...), true
	at := 0
	for i := range src.Oblique {
		t := &src.Oblique[i]
		stack := []int32{0}
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for j := t.Start[v]; j < t.Start[v+1]; j++ {
				p := noNegativeZero(t.Point[j])
				o.parts = append(o.parts, obliquePart{p, uint16(t.Feature[j]), t.Weight[j]})
				o.single = o.single && isSingle(p)
			}
			if t.Start[v] < t.Start[v+1] {
				stack = append(stack, t.Right[v], t.Left[v])
			}
			e.cover[at] = t.Cover[v]
			at++
			o.start[at] = int32(len(o.parts))
		}
		if err := e.endOblique(); err != nil {
			return nil, atTree(err, i)
		}
	}
	return e, nil
}

// inner says whether node v splits.
func (o *oblique) inner(v int32) bool { return o.start[v+1] > o.start[v] }

// endOblique finishes the next tree, whose splits and covers of leaves are there.
func (e *Ensemble) endOblique() error {
	root := e.root[len(e.root)-1]
	end := e.linkOblique(int32(root), 0)
	if end < 0 {
		return &LimitError{"levels", MaxDepth, MaxDepth + 1}
	}
	if !(e.cover[root] > 0) {
		return ensembleError("total cover 0, want more")
	}
	e.root = append(e.root, int(end))
	return nil
}

// linkOblique fills in what lies at v and below, and returns the node after it, or
// -1 if that is too deep.
func (e *Ensemble) linkOblique(v int32, depth int) int32 {
	o := e.oblique
	if depth > MaxDepth {
		return -1
	}
	e.depth = max(e.depth, depth)
	if !o.inner(v) {
		o.path[v] = float64(depth) + PathLength(int(e.cover[v]))
		return v + 1
	}
	left := v + 1
	right := e.linkOblique(left, depth+1)
	if right < 0 {
		return right
	}
	next := e.linkOblique(right, depth+1)
	share := 0.5
	if e.cover[v] = e.cover[left] + e.cover[right]; e.cover[v] > 0 {
		share = e.cover[left] / e.cover[v]
	}
	o.right[v] = right
	o.path[v] = float64(share*o.path[left]) + float64((1-share)*o.path[right])
	return next
}

// check checks one tree by itself.
func (t *ObliqueTree) check(s *Source) error {
	n, parts := len(t.Left), len(t.Feature)
	if n == 0 || n > MaxNodes || parts > MaxParts {
		return ensembleError("%d nodes of %d parts, want 1 to %d and at most %d", n, parts, MaxNodes, MaxParts)
	}
	for _, l := range []struct {
		what      string
		got, want int
	}{{"Right", len(t.Right), n}, {"Cover", len(t.Cover), n}, {"Start", len(t.Start), n + 1}, {"Weight", len(t.Weight), parts}, {"Point", len(t.Point), parts}} {
		if l.got != l.want {
			return ensembleError("%s holds %d entries, want %d", l.what, l.got, l.want)
		}
	}
	if t.Start[0] != 0 || int(t.Start[n]) != parts {
		return ensembleError("Start goes from %d to %d, want 0 to %d", t.Start[0], t.Start[n], parts)
	}
	plain := SourceTree{Left: t.Left, Right: t.Right, Cover: t.Cover, Feature: make([]int32, n), Threshold: make([]float64, n)}
	for v := range n {
		if t.Start[v+1] < t.Start[v] || int(t.Start[v+1]) > parts {
			return nodeError(v, "Start descends")
		}
		before := int32(-1)
		for j := t.Start[v]; j < t.Start[v+1]; j++ {
			f := t.Feature[j]
			if f <= before || int(f) >= s.Features {
				return nodeError(v, "feature %d after %d, want ascending ones below %d", f, before, s.Features)
			}
			if t.Weight[j] == 0 || !(math.Abs(t.Point[j]) <= obliqueBound) {
				return nodeError(v, "weight %d at %g, want one that is not 0 at a number", t.Weight[j], t.Point[j])
			}
			before = f
		}
		if before < 0 {
			plain.Feature[v] = -1
			if err := checkCover(Isolation, t.Cover[v]); err != nil {
				return nodeError(v, "%v", err)
			}
		}
	}
	return checkNodes(s, &plain)
}

// checkScale checks the factors of features.
func checkScale(scale []float64, features int) error {
	if len(scale) != features {
		return ensembleError("Scale holds %d factors, want %d", len(scale), features)
	}
	for j, v := range scale {
		if !(v > 0 && v <= obliqueBound) {
			return ensembleError("factor of feature %d is %g, want more than 0 and at most %g", j, v, obliqueBound)
		}
	}
	return nil
}

// part returns what one part of a split adds for a row. It is not inlined, for
// what is downloaded: these forests are to be small, not fast.
//
//go:noinline
func (o *oblique) part(j int32, row []float64) float64 {
	p := &o.parts[j]
	x := row[p.feature]
	if x != x {
		return 0
	}
	x = min(max(x, -obliqueBound), obliqueBound)
	return float64(float64(p.weight) * float64(o.scale[p.feature]*float64(x-p.point)))
}

// next returns the child that a row goes to from node v.
func (o *oblique) next(v int32, row []float64) int32 {
	sum := 0.0
	for j := o.start[v]; j < o.start[v+1]; j++ {
		sum += o.part(j, row)
	}
	if sum <= 0 {
		return v + 1
	}
	return o.right[v]
}

// scoreOblique fills dst with the margins of x.
func (e *Ensemble) scoreOblique(dst, x []float64) {
	o := e.oblique
	for r := range dst {
		row := x[r*e.features : (r+1)*e.features]
		for t := range e.output {
			v := int32(e.root[t])
			for o.inner(v) {
				v = o.next(v, row)
			}
			dst[r] += o.path[v]
		}
	}
	e.finish(dst)
}

// Oblique says whether e is an isolation forest of oblique splits. Its nodes
// are not to be had: [Ensemble.Node] shows each tree as one leaf with its mean
// path length, and rows have no bins.
func (e *Ensemble) Oblique() bool { return e.oblique != nil }

// PathValues adds to phi, d values, how a row's path length comes about in an
// oblique forest: what a split changes the mean path length of the training rows
// that have got as far is shared out among the features it weighs, in proportion
// to the size of what each adds to the split's sum. So phi adds up to the row's
// path lengths, less the trees' means. It panics if phi or row is shorter than d
// or e is not oblique.
//
// Source: Saabas, Interpreting random forests, 2014, for the sum along the path;
// sharing by parts of the normal vector as in ExIFFI, Arcudi et al.,
// arXiv:2310.05468, there of its own measure and not additive.
func (e *Ensemble) PathValues(phi, row []float64) {
	o := e.oblique
	for t := range e.output {
		v := int32(e.root[t])
		for o.inner(v) {
			to := o.next(v, row)
			a, b := o.start[v], o.start[v+1]
			change, whole := o.path[to]-o.path[v], 0.0
			for j := a; j < b; j++ {
				whole += math.Abs(o.part(j, row))
			}
			for j := a; j < b; j++ {
				share := 1 / float64(b-a) // of a row at the point, or one that lacks all
				if whole > 0 {
					share = math.Abs(o.part(j, row)) / whole
				}
				phi[o.parts[j].feature] += float64(change * share)
			}
			v = to
		}
	}
}

func (o *oblique) memoryBytes() int {
	if o == nil {
		return 0
	}
	return 4*(cap(o.start)+cap(o.right)) + 16*cap(o.parts) + 8*(cap(o.path)+cap(o.scale))
}
