package grow

import (
	"context"
	"math"
	"slices"

	"cloister/shared/model/tree"
)

// IsolationOptions says how an isolation forest grows. The zero value is that
// of Liu, Ting and Zhou 2008: 100 trees of 256 rows, depth log2 of that.
type IsolationOptions struct {
	Trees int    // n_estimators; 0 means 100
	Seed  uint64 // the same seed gives the same forest

	MaxSamples int // rows a tree, drawn without replacement; 0 means 256; at most the rows there are
	MaxDepth   int // 0 means ceil(log2(MaxSamples))

	// MaxFeatures is the number of columns a tree may use, drawn for each
	// tree; 0 means all.
	MaxFeatures int

	// Extension is how many columns a split weighs besides one; 0 is the forest
	// of axis-parallel splits, Features-1 what Hariri et al. recommend. At most
	// one less than MaxFeatures.
	Extension int

	// Quantiles is the length of Report.Quantiles; 0 means 1001, otherwise at least 2.
	Quantiles int
	Workers   int            // goroutines; 0 means one a core; no influence on the result
	Progress  func(Progress) // called after each tree, never twice at a time; may be nil
}

func (o *IsolationOptions) normal(d int) error {
	o.Trees = orDefault(o.Trees, 100)
	o.MaxSamples = orDefault(o.MaxSamples, 256)
	o.Quantiles = orDefault(o.Quantiles, 1001)
	o.MaxFeatures = min(orDefault(o.MaxFeatures, d), d)
	o.Workers = workers(o.Workers)
	switch {
	case o.Trees < 0:
		return &OptionError{"Trees", o.Trees, "want at least 1"}
	case o.Trees > MaxTrees:
		return &LimitError{"trees", MaxTrees, o.Trees}
	case o.MaxSamples < 2:
		return &OptionError{"MaxSamples", o.MaxSamples, "want at least 2"}
	case o.MaxDepth < 0 || o.MaxDepth > tree.MaxDepth:
		return &OptionError{"MaxDepth", o.MaxDepth, "want 0 to 1024"}
	case o.MaxFeatures < 1:
		return &OptionError{"MaxFeatures", o.MaxFeatures, "want at least 1"}
	case o.Extension < 0 || o.Extension >= o.MaxFeatures && o.Extension > 0:
		return &OptionError{"Extension", o.Extension, "want 0 to one less than MaxFeatures"}
	case o.Quantiles < 2:
		return &OptionError{"Quantiles", o.Quantiles, "want at least 2"}
	}
	return nil
}

// Isolation grows an isolation forest on the rows of data; labels, targets and
// all but zero weights are ignored: a weight of 0 leaves the row out. The
// model's score of a row is
//
//	2^(-mean path length / c(psi)),  c = [tree.PathLength]
//
// larger is more anomalous; psi, the source's SampleSize, is the number of rows
// a tree saw, and a leaf's path length is its depth plus c(rows in it).
//
// A node draws a column among those that vary in it and a threshold uniform
// between its smallest and largest finite values there; rows that lack the value
// go with the larger side. Infinite values lie beyond every threshold but the
// two at the largest finite numbers, which are drawn when no finite gap is left.
// Covers count rows. At least two rows are needed, [ErrNoRows] otherwise.
// Report.Quantiles has the scores of up to 8,192 training rows, evenly
// chosen. It costs psi·log(psi)·d a tree, and a walk of all trees for each of
// the scored rows.
//
// Source: Liu, Ting, Zhou: Isolation Forest, ICDM 2008; constant columns are
// not drawn, as in scikit-learn.
//
// With Extension, splits are those of the extended isolation forest: see
// [tree.ObliqueTree], with Scale the reciprocal standard deviation of the rows'
// finite values, so that units of columns do not matter. A node draws columns
// among those that vary in it, a weight for each from a bell curve of whole
// numbers, and a point uniform between the smallest and largest finite values.
//
// Source: Hariri, Carrasco Kind, Brunner: Extended Isolation Forest, IEEE TKDE
// 2019, algorithm 2. Differs in the scale (theirs is the rows' own), in not
// drawing constant columns, and in eight bits for a component of the normal.
func Isolation(ctx context.Context, data Data, options IsolationOptions) (tree.Source, Report, error) {
	fail := func(err error) (tree.Source, Report, error) { return tree.Source{}, Report{}, err }
	n, err := data.rows()
	if err != nil {
		return fail(err)
	}
	o := options
	if err := o.normal(data.Features); err != nil {
		return fail(err)
	}
	var live []uint32
	for i := range n {
		if data.Weights == nil || data.Weights[i] > 0 {
			live = append(live, uint32(i))
		}
	}
	if len(live) < 2 {
		return fail(ErrNoRows)
	}
	psi := min(o.MaxSamples, len(live))
	if o.MaxDepth == 0 {
		o.MaxDepth = int(log2up(psi))
	}
	src := tree.Source{
		Kind: tree.Isolation, Features: data.Features, Outputs: 1,
		SampleSize: psi,
	}
	if o.Extension > 0 {
		src.Oblique, src.Scale = make([]tree.ObliqueTree, o.Trees), scales(&data, live)
	} else {
		src.Trees = make([]tree.SourceTree, o.Trees)
	}
	tick := ticker{total: o.Trees, call: o.Progress}
	growers := make([]*isolator, o.Workers)
	err = parallel(ctx, o.Workers, o.Trees, func(w, i int) error {
		if growers[w] == nil {
			growers[w] = newIsolator(&data, live, psi, &o)
			growers[w].scale = src.Scale
		}
		if allowed := growers[w].sample(uint64(i)); o.Extension > 0 {
			src.Oblique[i] = growers[w].growOblique(allowed)
		} else {
			src.Trees[i] = growers[w].grow(allowed)
		}
		tick.tick(math.NaN())
		return nil
	})
	if err != nil {
		return fail(err)
	}
	report := Report{Rows: len(live), Trees: o.Trees, OutOfBagScore: math.NaN()}
	report.Importance = make([]float64, data.Features)
	splits := 0.0
	count := func(features []int32) {
		for _, j := range features {
			if j >= 0 {
				report.Importance[j]++
				splits++
			}
		}
	}
	if o.Extension == 0 {
		columns := make([]column, data.Features)
		findMissing(&data, live, columns)
		settleMissing(src.Trees, columns)
	}
	for i := range src.Trees {
		report.Nodes += len(src.Trees[i].Left)
		count(src.Trees[i].Feature)
	}
	for i := range src.Oblique {
		report.Nodes += len(src.Oblique[i].Left)
		count(src.Oblique[i].Feature)
	}
	if splits > 0 {
		for j := range report.Importance {
			report.Importance[j] /= splits
		}
	}
	scores, err := isolationScores(ctx, &data, &src, live, o.Workers)
	if err != nil {
		return fail(err)
	}
	slices.Sort(scores)
	report.Quantiles = make([]float64, o.Quantiles)
	for q := range report.Quantiles {
		at := float64(q) / float64(o.Quantiles-1) * float64(len(scores)-1)
		i := int(at)
		v := scores[i]
		if i+1 < len(scores) {
			v += (at - float64(i)) * (scores[i+1] - v)
		}
		report.Quantiles[q] = v
	}
	return src, report, nil
}

// findMissing marks the columns that one of the rows lacks. It goes by row, as
// the table lies in memory.
func findMissing(data *Data, rows []uint32, columns []column) {
	if s := data.Sparse; s != nil {
		for _, i := range rows {
			for at := s.Start[i]; at < s.Start[i+1]; at++ {
				if v := s.Value[at]; v != v {
					columns[s.Index[at]].missing = true
				}
			}
		}
		return
	}
	for _, i := range rows {
		for j, v := range data.X[int(i)*data.Features:][:len(columns)] {
			if v != v {
				columns[j].missing = true
			}
		}
	}
}

// isolator grows isolation trees; it belongs to one goroutine.
type isolator struct {
	data *Data
	live []uint32
	psi  int
	o    *IsolationOptions
	rng  *stream

	order    []uint32  // a permutation of live, restored after each tree
	swapped  []int     // how to restore it
	x        []float64 // psi×d, the tree's rows
	rows     []int32   // of the tree, each node a range
	tmp      []int32
	features []int32
	scale    []float64 // of oblique splits
}

func newIsolator(data *Data, live []uint32, psi int, o *IsolationOptions) *isolator {
	return &isolator{
		data: data, live: live, psi: psi, o: o,
		order: slices.Clone(live), swapped: make([]int, psi),
		x:    make([]float64, psi*data.Features),
		rows: make([]int32, psi), tmp: make([]int32, psi),
		features: make([]int32, data.Features),
	}
}

// sample draws the rows of tree number number and returns the columns that it
// may use.
func (g *isolator) sample(number uint64) []int32 {
	g.rng = newStream(g.o.Seed, number)
	d := g.data.Features
	for i := range g.psi {
		j := i + g.rng.intn(len(g.order)-i)
		g.order[i], g.order[j] = g.order[j], g.order[i]
		g.swapped[i] = j
		g.rows[i] = int32(i)
	}
	for i := range g.psi {
		g.data.copyRow(g.x[i*d:(i+1)*d], int(g.order[i]))
	}
	// The next tree, whichever worker grows it, starts from the same order.
	for i := g.psi - 1; i >= 0; i-- {
		j := g.swapped[i]
		g.order[i], g.order[j] = g.order[j], g.order[i]
	}
	for j := range g.features {
		g.features[j] = int32(j)
	}
	g.rng.shuffle(g.features)
	return g.features[:g.o.MaxFeatures]
}

// grow grows a tree on the rows that were drawn.
func (g *isolator) grow(allowed []int32) tree.SourceTree {
	t := tree.SourceTree{Output: -1}
	add := func(rows int) int32 {
		t.Feature = append(t.Feature, -1)
		t.Threshold = append(t.Threshold, 0)
		t.MissingLeft = append(t.MissingLeft, false)
		t.Left, t.Right = append(t.Left, -1), append(t.Right, -1)
		t.Cover = append(t.Cover, float64(rows))
		return int32(len(t.Left) - 1)
	}
	type open struct {
		lo, hi, depth int
		slot          int32
	}
	stack := []open{{0, g.psi, 0, add(g.psi)}}
	for len(stack) > 0 {
		nd := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if nd.hi-nd.lo < 2 || nd.depth >= g.o.MaxDepth {
			continue
		}
		j, threshold, ok := g.draw(nd.lo, nd.hi, allowed)
		if !ok {
			continue
		}
		mid, missingLeft := g.part(nd.lo, nd.hi, int(j), threshold)
		left, right := add(mid-nd.lo), add(nd.hi-mid)
		t.Feature[nd.slot], t.Threshold[nd.slot], t.MissingLeft[nd.slot] = j, threshold, missingLeft
		t.Left[nd.slot], t.Right[nd.slot] = left, right
		stack = append(stack, open{mid, nd.hi, nd.depth + 1, right}, open{nd.lo, mid, nd.depth + 1, left})
	}
	return t
}

// draw chooses a column that varies in the node and a threshold inside it.
func (g *isolator) draw(lo, hi int, features []int32) (int32, float64, bool) {
	d := g.data.Features
	for left := len(features); left > 0; left-- {
		at := g.rng.intn(left)
		j := features[at]
		features[at], features[left-1] = features[left-1], j
		low, high := math.Inf(1), math.Inf(-1)
		below, above := false, false
		for _, r := range g.rows[lo:hi] {
			v := g.x[int(r)*d+int(j)]
			switch {
			case math.IsInf(v, 1):
				above = true
			case math.IsInf(v, -1):
				below = true
			case v < low:
				low = v
			}
			if v > high && !math.IsInf(v, 1) && !math.IsInf(v, -1) {
				high = v
			}
		}
		switch {
		case low < high:
			u := g.rng.unit()
			v := low + u*(high-low)
			if math.IsInf(high-low, 1) {
				v = low*(1-u) + high*u
			}
			if !(v >= low && v < high) {
				v = low
			}
			if f := float64(float32(v)); low <= f && f < high {
				v = f
			}
			return j, v, true
		case above && (below || low == high):
			return j, math.MaxFloat64, true
		case below && low == high:
			return j, -math.MaxFloat64, true
		}
	}
	return 0, 0, false
}

// part moves the rows with a value of at most the threshold before the others
// and those without a value to the larger side.
func (g *isolator) part(lo, hi, j int, threshold float64) (mid int, missingLeft bool) {
	d := g.data.Features
	left, right := 0, 0
	for _, r := range g.rows[lo:hi] {
		switch v := g.x[int(r)*d+j]; {
		case v <= threshold:
			left++
		case v > threshold:
			right++
		}
	}
	missingLeft = left >= right
	mid = lo
	gone := 0
	for _, r := range g.rows[lo:hi] {
		v := g.x[int(r)*d+j]
		if v <= threshold || v != v && missingLeft {
			g.rows[mid] = r
			mid++
		} else {
			g.tmp[gone] = r
			gone++
		}
	}
	copy(g.rows[mid:hi], g.tmp[:gone])
	return mid, missingLeft
}

// isolationScores scores up to 8,192 evenly chosen training rows: of more, a
// quantile would move by less than half a percent, and growing takes less time
// than that.
func isolationScores(ctx context.Context, data *Data, src *tree.Source, live []uint32, workers int) ([]float64, error) {
	const most = 1 << 13
	e, err := tree.New(*src)
	if err != nil {
		return nil, err // unreachable but for the limits of package tree
	}
	count := min(len(live), most)
	out := make([]float64, count)
	d := data.Features
	const block = 4096
	err = parallel(ctx, workers, (count+block-1)/block, func(_, b int) error {
		lo, hi := b*block, min((b+1)*block, count)
		x := make([]float64, (hi-lo)*d)
		for i := lo; i < hi; i++ {
			data.copyRow(x[(i-lo)*d:(i-lo+1)*d], int(live[i*len(live)/count]))
		}
		return e.Predict(out[lo:hi], x)
	})
	return out, err
}

// copyRow fills dst with row i.
func (d *Data) copyRow(dst []float64, i int) {
	s := d.Sparse
	if s == nil {
		copy(dst, d.X[i*d.Features:])
		return
	}
	clear(dst)
	for at := s.Start[i]; at < s.Start[i+1]; at++ {
		dst[s.Index[at]] = s.Value[at]
	}
}

// row returns row i, of a sparse table in room.
func (d *Data) row(room *[]float64, i int) []float64 {
	if d.Sparse == nil {
		return d.X[i*d.Features : (i+1)*d.Features]
	}
	if *room == nil {
		*room = make([]float64, d.Features)
	}
	d.copyRow(*room, i)
	return *room
}

// leafOf returns the leaf of a row.
func leafOf(t *tree.SourceTree, x []float64) int32 {
	v := int32(0)
	for t.Feature[v] >= 0 {
		y := x[t.Feature[v]]
		left := y <= t.Threshold[v]
		if t.Category != nil && t.Category[v] != nil {
			set := t.Category[v]
			c := category(y)
			left = c >= 0 && c < 64*len(set) && set[c>>6]>>(c&63)&1 != 0
		}
		if left || y != y && t.MissingLeft[v] {
			v = t.Left[v]
		} else {
			v = t.Right[v]
		}
	}
	return v
}
