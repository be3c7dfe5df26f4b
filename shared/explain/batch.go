package explain

import (
	"fmt"
	"slices"
	"sync"

	"cloister/shared/model"
	"cloister/shared/model/tree"
)

const (
	// walkRows rows walk a tree together, while it is in the cache.
	walkRows = 64
	// tableRows rows meet a table together; fewer if their bins and sums
	// would take more than blockBytes.
	tableRows  = 2048
	blockBytes = 1 << 20
	// tableBytes bounds the tables of all classes together, each having its
	// share. A tree of depth 6 whose splits are all on different features
	// takes 115 kB.
	tableBytes = 96 << 20
)

// engine attributes batches of rows: by tables where trees have them, else
// tree by tree.
type engine struct {
	e     *tree.Ensemble
	scale float64 // of a sum over trees
	room  int     // float64 that the tables of a class may have

	// newWeigher is for the leaves of one class.
	newWeigher func() weigher
	// byWalk adds, for class, what the trees from tree on add to rows.
	byWalk func(rows []target, class, tree int)

	lanes  lazy[lanes]
	tables []lazy[tables] // by class; nil if trees are too deep
}

// target is a row to be explained.
type target struct {
	bins []uint16
	phi  []float64
}

// lazy is made when it is first asked for.
type lazy[T any] struct {
	once  sync.Once
	value T
}

func (l *lazy[T]) get(make func() T) *T {
	l.once.Do(func() { l.value = make() })
	return &l.value
}

// start prepares an engine for e.
func (g *engine) start(e *tree.Ensemble) {
	g.e, g.scale = e, 1
	switch e.Kind() {
	case tree.Forest:
		g.scale = 1 / float64(e.Trees())
	case tree.Isolation:
		g.scale = -1 / (float64(e.Trees()) * tree.PathLength(e.SampleSize()))
	}
	_, k := e.Shape()
	g.room = tableBytes / 8 / k
	if e.Depth() <= maxDepth {
		g.tables = make([]lazy[tables], k)
	}
}

// one fills phi, n×d, for one class.
func (g *engine) one(phi, rows []float64, class int) error {
	_, k := g.e.Shape()
	if class < 0 || class >= k {
		return &ClassError{class, k}
	}
	return g.run(phi, rows, class, class+1)
}

// all fills phi, n×k×d.
func (g *engine) all(phi, rows []float64) error {
	_, k := g.e.Shape()
	return g.run(phi, rows, 0, k)
}

// run fills phi, n×(to-from)×d, for classes from..to-1.
func (g *engine) run(phi, rows []float64, from, to int) error {
	if want := len(rows) * (to - from); len(phi) != want {
		return &model.ShapeError{What: "phi", Got: len(phi), Want: fmt.Sprint(want)}
	}
	b, err := g.e.Bin(rows)
	if err != nil {
		return err
	}
	d, _ := g.e.Shape()
	clear(phi)
	if g.e.Oblique() {
		for r := 0; r < len(rows); r += d {
			g.e.PathValues(phi[r:r+d], rows[r:r+d])
		}
	} else {
		c := batch{g, b, phi, d, from, to}
		c.walk()
		c.look()
	}
	for i := range phi {
		phi[i] *= g.scale
	}
	return nil
}

// batch is one call.
type batch struct {
	*engine
	b        *tree.Binned
	phi      []float64
	d        int
	from, to int
}

// row returns the values of a row and class.
func (c *batch) row(r, class int) []float64 {
	i := r*(c.to-c.from) + class - c.from
	return c.phi[i*c.d : (i+1)*c.d]
}

// walk adds the trees that have no tables.
func (c *batch) walk() {
	n, width := c.b.Rows(), c.e.Columns()
	var rows []target
	for r := 0; r < n; r += walkRows {
		m := min(walkRows, n-r)
		loaded := false
		for class := c.from; class < c.to; class++ {
			tree := c.tabled(class)
			if tree == c.e.Trees() {
				continue
			}
			if rows == nil {
				rows = make([]target, m)
				bins := make([]uint16, m*width)
				for i := range rows {
					rows[i].bins = bins[i*width : (i+1)*width]
				}
			}
			for i := range m {
				if !loaded {
					c.b.Row(rows[i].bins, r+i)
				}
				rows[i].phi = c.row(r+i, class)
			}
			loaded = true
			c.byWalk(rows[:m], class, tree)
		}
	}
}

// look adds the trees that have tables.
func (c *batch) look() {
	k := c.looker(c.from, c.to, c.b.Rows())
	if k == nil {
		return
	}
	n := c.b.Rows()
	for r := 0; r < n; r += k.size {
		m := min(k.size, n-r)
		k.fill(c.laned(), c.b, nil, r, m)
		for class := c.from; class < c.to; class++ {
			k.add(c.table(class), m, func(i int) []float64 { return c.row(r+i, class) })
		}
	}
}

// looker is a block with room for sums.
type looker struct {
	block
	size int
	sums []float64
	room *patterns
}

// looker returns one for n rows of classes from..to-1, nil if none has tables.
func (g *engine) looker(from, to, n int) *looker {
	features := 0
	for class := from; class < to && g.tables != nil; class++ {
		features = max(features, len(g.table(class).features))
	}
	if features == 0 {
		return nil
	}
	size := min(tableRows, max(16, min(n, blockBytes/(g.laned().count()+8*features))))
	k := &looker{block: block{bins: make([]uint16, g.e.Columns())}, size: size, sums: make([]float64, features*size)}
	k.room = &patterns{numbers: make([]byte, strideOf(size))}
	if tree.UsedKernel() != nil {
		k.room.places = make([]uint32, strideOf(size))
	}
	return k
}

// add adds what t says of the m rows of the block to their values.
func (k *looker) add(t *tables, m int, row func(i int) []float64) {
	s := k.sums[:len(t.features)*m]
	clear(s)
	t.add(s, k.room, &k.block)
	for i := range m {
		phi := row(i)
		for j, f := range t.features {
			phi[f] += s[j*m+i]
		}
	}
}

// own fills phi, n×d, for the class of each row.
func (g *engine) own(phi, rows []float64, class []int) error {
	d, k := g.e.Shape()
	if len(phi) != len(rows) {
		return &model.ShapeError{What: "phi", Got: len(phi), Want: fmt.Sprint(len(rows))}
	}
	if len(class)*d != len(rows) {
		return &model.ShapeError{What: "class", Got: len(class), Want: fmt.Sprint(len(rows) / d)}
	}
	// The rows of each class, one class behind the other.
	first := make([]int, k+1)
	for _, c := range class {
		if c < 0 || c >= k {
			return &ClassError{c, k}
		}
		first[c+1]++
	}
	if g.e.Oblique() {
		return g.run(phi, rows, 0, 1)
	}
	b, err := g.e.Bin(rows)
	if err != nil {
		return err
	}
	for c := range k {
		first[c+1] += first[c]
	}
	list, next := make([]int32, len(class)), slices.Clone(first)
	for r, c := range class {
		list[next[c]] = int32(r)
		next[c]++
	}
	clear(phi)
	for c := range k {
		of := list[first[c]:first[c+1]]
		if len(of) > 0 {
			g.ownWalk(phi, b, of, c)
			g.ownLook(phi, b, of, c)
		}
	}
	for i := range phi {
		phi[i] *= g.scale
	}
	return nil
}

// ownWalk adds the trees without tables to the rows of a class.
func (g *engine) ownWalk(phi []float64, b *tree.Binned, list []int32, class int) {
	from := g.tabled(class)
	if from == g.e.Trees() {
		return
	}
	d, _ := g.e.Shape()
	width := g.e.Columns()
	rows := make([]target, min(walkRows, len(list)))
	bins := make([]uint16, len(rows)*width)
	for i := range rows {
		rows[i].bins = bins[i*width : (i+1)*width]
	}
	for len(list) > 0 {
		m := min(walkRows, len(list))
		for i, r := range list[:m] {
			b.Row(rows[i].bins, int(r))
			rows[i].phi = phi[int(r)*d : (int(r)+1)*d]
		}
		g.byWalk(rows[:m], class, from)
		list = list[m:]
	}
}

// ownLook adds the trees with tables to the rows of a class.
func (g *engine) ownLook(phi []float64, b *tree.Binned, list []int32, class int) {
	k := g.looker(class, class+1, len(list))
	if k == nil {
		return
	}
	d, _ := g.e.Shape()
	for len(list) > 0 {
		m := min(k.size, len(list))
		k.fill(g.laned(), b, list, 0, m)
		k.add(g.table(class), m, func(i int) []float64 { return phi[int(list[i])*d:][:d] })
		list = list[m:]
	}
}

// tabled returns how many trees, from the first on, have tables for class.
func (g *engine) tabled(class int) int {
	if g.tables == nil {
		return 0
	}
	return g.table(class).until
}

func (g *engine) table(class int) *tables {
	return g.tables[class].get(func() tables { return tablesOf(g.e, g.laned(), class, g.room, g.newWeigher()) })
}

func (g *engine) laned() *lanes {
	return g.lanes.get(func() lanes { return lanesOf(g.e) })
}
