package explain

import (
	"slices"

	"cloister/shared/model/tree"
)

// In shallow trees few leaves depend on few tests, and every outcome of those
// tests can be worked out before a row is seen. A tree falls into groups of
// leaves, the largest subtrees of at most 256 patterns; a group has a table of
// what its leaves add to each of its features, per pattern. A row then costs a
// handful of comparisons, and one addition per feature and group.
//
// What counts for a leaf is, per feature, whether the row passes all of its
// tests. So the bins of a column that pass the same leaves of a group are one
// digit, and a pattern is the number that the digits of the group's columns
// make. Tests of one feature on a path, and levels of an oblivious tree, need
// few patterns for many leaves.
//
// The idea of tables by pattern is that of Fast TreeSHAP v2, Yang,
// arXiv:2109.09847, there for paths and all subsets of their features.

const (
	// maxDepth is how deep an ensemble may be to get tables: the distinct
	// features of a path then make at most maxPatterns patterns.
	maxDepth = 8
	// maxPatterns is what a byte can number.
	maxPatterns = 256
	// fewPatterns and manyLeaves keep tables in the first-level cache: larger
	// ones are for groups of many leaves, and for those that would become as
	// large again when split.
	fewPatterns = 128
	manyLeaves  = 8
)

// tables are the groups of the trees of a class up to tree until; the others
// found no room.
type tables struct {
	until    int
	groups   []group
	tests    []test
	words    []uint32  // tests for the kernel
	slots    []int32   // per group and slot: index in features
	values   []float64 // per group, pattern and slot
	features []int32   // that have a slot
}

// group is a subtree; its parts of the lists lie behind those of the groups
// before it.
type group struct{ tests, slots, patterns uint16 }

// test adds delta to the patterns of the rows whose byte in a lane is above
// bin.
type test struct {
	lane  int32
	delta int16
	bin   uint8
}

// grouper builds the tables of one class.
type grouper struct {
	tables
	room  int // values that may yet be added
	lanes *lanes
	weigh weigher
	index []int32 // per feature: in features, or -1
	nodes []node  // of the tree
	path  []step

	// of the subtree at hand
	steps  []step // of its leaves, one path behind the other
	leaves []pathLeaf
	digits []digit
	masks  [maxPatterns]uint8
	shares [maxPatterns * maxDepth]float64
}

// A weigher fills w, 2^D·D values, with what a leaf of value 1 adds to each of
// the D features of its path, per set of features whose tests the row passes.
type weigher func(w []float64, leaf *pathLeaf)

// step is an edge of a path.
type step struct {
	feature, column, bin uint16
	right                bool
	share                float64
}

// pathLeaf is a leaf with its path, and what the path means per feature.
type pathLeaf struct {
	from, to int // in steps
	value    float64

	steps    []step
	features []uint16 // distinct
	shares   []float64
}

// slot returns the place of a feature among those of the leaf.
func (l *pathLeaf) slot(feature uint16) int { return slices.Index(l.features, feature) }

// digit is a column of a group: class[r] is its digit if r of its thresholds
// are below the row's bin, and fails says which leaves fail then.
type digit struct {
	column     uint16
	thresholds []uint16
	class      []uint8
	fails      []leafSet // by class
	stride     int
}

// leafSet has a bit per leaf of a group.
type leafSet [1 << maxDepth / 64]uint64

func (s *leafSet) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }

// tablesOf builds the tables of class in at most room values.
func tablesOf(e *tree.Ensemble, l *lanes, class, room int, weigh weigher) tables {
	d, _ := e.Shape()
	g := grouper{room: room, lanes: l, weigh: weigh, index: make([]int32, d)}
	for j := range g.index {
		g.index[j] = -1
	}
	v := viewer{e: e, class: class}
	for t := range e.Trees() {
		if root, output := e.Root(t); output < 0 || output == class {
			v.tree, v.output, v.whole = t, output, v.whole[:0]
			v.add(root)
			g.nodes = v.whole
			before := g.tables
			if len(g.nodes) > 1 && !g.add(0) {
				g.tables = before
				break
			}
		}
		g.until = t + 1
	}
	return tables{ // without the room that append left
		g.until, slices.Clone(g.groups), slices.Clone(g.tests), wordsOf(g.tests), slices.Clone(g.slots),
		slices.Clone(g.values), slices.Clone(g.features),
	}
}

// add adds the groups of the subtree at node i; false if there is no room.
func (g *grouper) add(i int32) bool {
	g.steps, g.leaves = g.steps[:0], g.leaves[:0]
	g.collect(i)
	if len(g.leaves) == 0 {
		return true // all of value 0
	}
	patterns := g.number()
	if patterns <= fewPatterns || patterns <= maxPatterns && (len(g.leaves) <= 2 || len(g.leaves) >= manyLeaves) {
		return g.emit(patterns)
	}
	return g.enter(i, g.add)
}

// enter calls visit for both children of inner node i.
func (g *grouper) enter(i int32, visit func(int32) bool) bool {
	n := &g.nodes[i]
	at := len(g.path)
	g.path = append(g.path, step{n.feature, n.column, n.bin, false, n.share})
	ok := visit(i + 1)
	g.path[at].right, g.path[at].share = true, 1-n.share
	ok = ok && visit(n.right)
	g.path = g.path[:at]
	return ok
}

// collect lists the leaves below i that are not 0.
func (g *grouper) collect(i int32) bool {
	n := &g.nodes[i]
	if n.right != 0 {
		return g.enter(i, g.collect)
	}
	if n.share != 0 {
		from := len(g.steps)
		g.steps = append(g.steps, g.path...)
		g.leaves = append(g.leaves, pathLeaf{from: from, to: len(g.steps), value: n.share})
	}
	return true
}

// number makes the digits of the leaves' columns and returns the patterns,
// or a number above maxPatterns.
func (g *grouper) number() int {
	g.digits = g.digits[:0]
	for _, s := range g.steps {
		i := slices.IndexFunc(g.digits, func(d digit) bool { return d.column == s.column })
		if i < 0 {
			i = len(g.digits)
			g.digits = append(g.digits, digit{column: s.column})
		}
		d := &g.digits[i]
		if at, found := slices.BinarySearch(d.thresholds, s.bin); !found {
			d.thresholds = slices.Insert(d.thresholds, at, s.bin)
		}
	}
	patterns := 1
	for k := range g.digits {
		d := &g.digits[k]
		d.stride = patterns
		for r := range len(d.thresholds) + 1 {
			fails := g.fails(d, r)
			c := slices.Index(d.fails, fails)
			if c < 0 {
				c = len(d.fails)
				d.fails = append(d.fails, fails)
			}
			d.class = append(d.class, uint8(c))
		}
		if patterns *= len(d.fails); patterns > maxPatterns {
			break
		}
	}
	return patterns
}

// fails returns the leaves that fail a test of d's column if r of its
// thresholds are below the bin.
func (g *grouper) fails(d *digit, r int) leafSet {
	var set leafSet
	for i, leaf := range g.leaves {
		for _, s := range g.steps[leaf.from:leaf.to] {
			if s.column == d.column && s.right != (r > 0 && d.thresholds[r-1] >= s.bin) {
				set[i/64] |= 1 << (i % 64)
			}
		}
	}
	return set
}

// emit adds the subtree as a group.
func (g *grouper) emit(patterns int) bool {
	firstTest, firstSlot := len(g.tests), len(g.slots)
	for _, d := range g.digits {
		for r, bin := range d.thresholds {
			if delta := int(d.class[r+1]) - int(d.class[r]); delta != 0 {
				lane, low := g.lanes.find(d.column, bin)
				g.tests = append(g.tests, test{lane, int16(delta * d.stride), low})
			}
		}
	}
	for _, s := range g.steps {
		if g.index[s.feature] < 0 {
			g.index[s.feature] = int32(len(g.features))
			g.features = append(g.features, int32(s.feature))
		}
		if f := g.index[s.feature]; !slices.Contains(g.slots[firstSlot:], f) {
			g.slots = append(g.slots, f)
		}
	}
	slots := g.slots[firstSlot:]
	size := patterns * len(slots)
	if g.room -= size; g.room < 0 {
		return false
	}
	g.values = append(g.values, make([]float64, size)...)
	values := g.values[len(g.values)-size:]
	for i := range g.leaves {
		g.addLeaf(values, slots, patterns, i)
	}
	g.groups = append(g.groups, group{uint16(len(g.tests) - firstTest), uint16(len(slots)), uint16(patterns)})
	return true
}

// addLeaf adds leaf i to the values of its group.
func (g *grouper) addLeaf(values []float64, slots []int32, patterns, i int) {
	leaf := &g.leaves[i]
	leaf.steps = g.steps[leaf.from:leaf.to]
	for _, s := range leaf.steps {
		f := leaf.slot(s.feature)
		if f < 0 {
			f = len(leaf.features)
			leaf.features, leaf.shares = append(leaf.features, s.feature), append(leaf.shares, 1)
		}
		leaf.shares[f] *= s.share
	}
	n := len(leaf.features)
	masks := g.masks[:patterns]
	for p := range masks {
		masks[p] = 1<<n - 1
	}
	for k := range g.digits {
		d := &g.digits[k]
		at := slices.IndexFunc(leaf.steps, func(s step) bool { return s.column == d.column })
		if at < 0 {
			continue
		}
		bit := uint8(1) << leaf.slot(leaf.steps[at].feature)
		for p, c := 0, 0; p < patterns; p, c = p+d.stride, (c+1)%len(d.fails) {
			if d.fails[c].has(i) {
				for q := range d.stride {
					masks[p+q] &^= bit
				}
			}
		}
	}
	w := g.shares[:n<<n]
	g.weigh(w, leaf)
	for f, feature := range leaf.features {
		slot := slices.Index(slots, g.index[feature])
		for p, mask := range masks {
			values[p*len(slots)+slot] += float64(leaf.value * w[int(mask)*n+f])
		}
	}
}

// tablePoints integrate the seven other factors of maxDepth features exactly.
const tablePoints = maxDepth / 2

// pathDependent returns the weigher of path-dependent SHAP values.
func pathDependent() weigher {
	type array [tablePoints]float64
	var at, rest, weight array
	gaussPoints(tablePoints, func(i int, t, u, w float64) { at[i], rest[i], weight[i] = t, u, w })
	var products [maxPatterns / 2]array
	return func(w []float64, leaf *pathLeaf) {
		n := len(leaf.features)
		for i, z := range leaf.shares {
			// products over the other features, per set of them that passes
			products[0] = weight
			size := 1
			for j, z := range leaf.shares {
				if j == i {
					continue
				}
				for set := range size {
					p, q := &products[set], &products[set+size]
					for t := range p {
						absent := float64(z * rest[t])
						q[t] = p[t] * (absent + at[t])
						p[t] *= absent
					}
				}
				size *= 2
			}
			for set := range size {
				p := &products[set]
				sum := p[0] + p[1] + p[2] + p[3]
				mask := set&(1<<i-1) | set>>i<<(i+1)
				w[mask*n+i] = -z * sum
				w[(mask|1<<i)*n+i] = (1 - z) * sum
			}
		}
	}
}
