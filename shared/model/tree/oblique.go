package tree

import (
	"math"

	"cloister/shared/model"
)

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

// oblique holds such trees. Nodes are numbered through all of them.
type oblique struct {
	scale       []float64
	single      bool // all points are float32
	left, right []int32
	start       []int32
	feature     []uint16
	weight      []int8
	point       []float64
	// path is the path length of leaves, and its mean over the cover of a
	// subtree: what a row that has got there scores.
	path []float64
}

// newObliqueIsolation is New for a checked ensemble of oblique trees.
func newObliqueIsolation(src *Source) (*Ensemble, error) {
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
	e := &Ensemble{kind: src.Kind, features: src.Features, outputs: 1, psi: src.SampleSize, root: []int{0}}
	o := &oblique{scale: append([]float64(nil), src.Scale...), start: []int32{0}}
	e.oblique = o
	for i := range src.Oblique {
		t := &src.Oblique[i]
		var d draft
		d.resize(len(t.Left))
		for v := range t.Left {
			d.test[v], d.left[v], d.right[v], d.cover[v] = t.Start[v+1]-t.Start[v]-1, t.Left[v], t.Right[v], t.Cover[v]
		}
		base := len(o.left)
		for _, v := range d.preorder() {
			a, b := t.Start[v], t.Start[v+1]
			for j := a; j < b; j++ {
				o.add(int(t.Feature[j]), t.Weight[j], noNegativeZero(t.Point[j]))
			}
			e.addOblique(t.Cover[v])
		}
		if err := e.endOblique(base); err != nil {
			return nil, atTree(err, i)
		}
	}
	o.single = true
	for _, p := range o.point {
		o.single = o.single && isSingle(p)
	}
	return e, nil
}

// preorder returns the nodes of d, whose test is below 0 at leaves, depth first.
func (d *draft) preorder() []int32 {
	order := make([]int32, 0, len(d.test))
	stack := []int32{0}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		order = append(order, v)
		if d.test[v] >= 0 {
			stack = append(stack, d.right[v], d.left[v])
		}
	}
	return order
}

// add appends what the next node weighs.
func (o *oblique) add(feature int, weight int8, point float64) {
	o.feature = append(o.feature, uint16(feature))
	o.weight = append(o.weight, weight)
	o.point = append(o.point, point)
}

// addOblique appends a node, in depth-first order, of the parts added before.
func (e *Ensemble) addOblique(cover float64) {
	e.oblique.start = append(e.oblique.start, int32(len(e.oblique.feature)))
	e.oblique.left = append(e.oblique.left, 0)
	e.oblique.right = append(e.oblique.right, 0)
	e.cover = append(e.cover, cover)
}

// inner says whether node v splits.
func (o *oblique) inner(v int) bool { return o.start[v+1] > o.start[v] }

// endOblique links the nodes from base on, a whole tree, and fills in covers and
// path lengths.
func (e *Ensemble) endOblique(base int) error {
	o := e.oblique
	n := len(o.left)
	for range n - base {
		o.path = append(o.path, 0)
	}
	depth := make([]int32, n-base)
	var above []int
	for v := base; v < n; v++ {
		if d := int(depth[v-base]); d > MaxDepth {
			return &LimitError{"levels", MaxDepth, d}
		}
		e.depth = max(e.depth, int(depth[v-base]))
		if o.inner(v) {
			o.left[v] = int32(v + 1)
			depth[v+1-base] = depth[v-base] + 1
			above = append(above, v)
			continue
		}
		o.path[v] = float64(depth[v-base]) + PathLength(int(e.cover[v]))
		if len(above) > 0 {
			p := above[len(above)-1]
			above = above[:len(above)-1]
			o.right[p] = int32(v + 1)
			depth[v+1-base] = depth[p-base] + 1
		}
	}
	for v := n - 1; v >= base; v-- {
		if !o.inner(v) {
			continue
		}
		a, b := o.left[v], o.right[v]
		e.cover[v] = e.cover[a] + e.cover[b]
		share := 0.5
		if e.cover[v] > 0 {
			share = e.cover[a] / e.cover[v]
		}
		o.path[v] = float64(share*o.path[a]) + float64((1-share)*o.path[b])
	}
	if !(e.cover[base] > 0) {
		return ensembleError("total cover 0, want more")
	}
	e.root = append(e.root, n)
	e.output = append(e.output, -1)
	return nil
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

// part returns what the j-th part of all splits adds for a row.
func (o *oblique) part(j int32, row []float64) float64 {
	f := o.feature[j]
	x := row[f]
	if x != x {
		return 0
	}
	x = min(max(x, -obliqueBound), obliqueBound)
	return float64(float64(o.weight[j]) * float64(o.scale[f]*float64(x-o.point[j])))
}

// next returns the child that a row goes to from node v.
func (o *oblique) next(v int32, row []float64) int32 {
	sum := 0.0
	for j := o.start[v]; j < o.start[v+1]; j++ {
		sum += o.part(j, row)
	}
	if sum <= 0 {
		return o.left[v]
	}
	return o.right[v]
}

// scoreOblique fills dst with the margins of x.
func (e *Ensemble) scoreOblique(dst, x []float64) {
	o := e.oblique
	for r := range dst {
		row := e.row(x, r)
		for t := range e.output {
			v := int32(e.root[t])
			for o.inner(int(v)) {
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
// path lengths, less the trees' means. Lengths other than d are a
// [*model.ShapeError].
//
// Source: Saabas, Interpreting random forests, 2014, for the sum along the path;
// sharing by parts of the normal vector as in ExIFFI, Arcudi et al.,
// arXiv:2310.05468, there of its own measure and not additive.
func (e *Ensemble) PathValues(phi, row []float64) error {
	if len(phi) != e.features || len(row) != e.features {
		return &model.ShapeError{What: "phi", Got: len(phi), Want: "the features of the ensemble"}
	}
	o := e.oblique
	for t := range e.output {
		v := int32(e.root[t])
		for o.inner(int(v)) {
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
				phi[o.feature[j]] += float64(change * share)
			}
			v = to
		}
	}
	return nil
}

func (o *oblique) memoryBytes() int {
	if o == nil {
		return 0
	}
	return 4*(cap(o.left)+cap(o.right)+cap(o.start)) + 3*cap(o.feature) + 8*(cap(o.point)+cap(o.path)+cap(o.scale))
}
