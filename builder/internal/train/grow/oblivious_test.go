package grow_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

func oblivious(t *testing.T, d grow.Data, o grow.ObliviousOptions) (tree.Source, grow.Report) {
	t.Helper()
	s, r, err := grow.Oblivious(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// leafAt returns the leaf of a row as the comment of tree.ObliviousTree says.
func leafAt(u *tree.ObliviousTree, row []float64) int {
	leaf := 0
	for l, j := range u.Feature {
		right := row[j] > u.Threshold[l]
		if math.IsNaN(row[j]) {
			right = !u.MissingLeft[l]
		}
		if right {
			leaf |= 1 << l
		}
	}
	return leaf
}

func TestOblivious_coversCountTheRows(t *testing.T) {
	d := toy(3, 900, 3)
	d.Weights = ones(900)
	for i := range 50 {
		d.Weights[i] = 0
	}
	s, r := oblivious(t, d, grow.ObliviousOptions{Rounds: 20, Depth: 5, Seed: 1, Subsample: 0.7})
	if _, err := tree.New(s); err != nil {
		t.Fatal(err)
	}
	if len(s.Levels) != 20 || r.Trees != 20 || r.Rows != 850 || r.Classes != 3 || s.Link != tree.Softmax {
		t.Errorf("%d trees, %+v", len(s.Levels), r)
	}
	for k := range s.Levels {
		u := &s.Levels[k]
		want := make([]float64, len(u.Cover))
		for i := 50; i < 900; i++ {
			want[leafAt(u, d.X[i*d.Features:(i+1)*d.Features])]++
		}
		if !reflect.DeepEqual(u.Cover, want) {
			t.Fatalf("tree %d: covers %v, want %v", k, u.Cover, want)
		}
	}
	sum := 0.0
	for _, v := range r.Importance {
		sum += v
	}
	if math.Abs(sum-1) > 1e-9 || r.Importance[5] != 0 {
		t.Errorf("importance %v", r.Importance)
	}
}

// The questions of the first tree are those with the largest gains over all
// classes and nodes, by trying every threshold, and its leaves are the sums
// of their rows.
func TestOblivious_firstTreeIsTheBest(t *testing.T) {
	d := toy(4, 400, 3)
	s, _ := oblivious(t, d, grow.ObliviousOptions{Rounds: 1, Depth: 2, Bins: 255, LearningRate: 0.5, Lambda: 2})
	n, k := len(d.Class), 3
	var p [3]float64
	for _, c := range d.Class {
		p[c] += 1 / float64(n)
	}
	// sums are the derivatives by leaf and class at the base's margins.
	sums := func(u *tree.ObliviousTree) (g, h [8][3]float64) {
		for i, c := range d.Class {
			leaf := leafAt(u, d.X[i*d.Features:(i+1)*d.Features])
			for j := range k {
				g[leaf][j] += p[j]
				if j == c {
					g[leaf][j]--
				}
				h[leaf][j] += 2 * p[j] * (1 - p[j])
			}
		}
		return g, h
	}
	worth := func(u *tree.ObliviousTree) float64 {
		g, h := sums(u)
		total := 0.0
		for leaf := range g {
			for j := range k {
				total += g[leaf][j] * g[leaf][j] / (h[leaf][j] + 2)
			}
		}
		return total
	}
	u := s.Levels[0]
	if len(u.Feature) != 2 {
		t.Fatalf("%d levels", len(u.Feature))
	}
	tried := 0
	for level := range 2 {
		cut := tree.ObliviousTree{Feature: slices.Clone(u.Feature[:level+1]), Threshold: slices.Clone(u.Threshold[:level+1]), MissingLeft: slices.Clone(u.MissingLeft[:level+1])}
		got, best := worth(&cut), 0.0
		for j := range int32(d.Features) {
			cut.Feature[level] = j
			for i := range n {
				if v := d.X[i*d.Features+int(j)]; !math.IsNaN(v) {
					for _, left := range []bool{false, true} {
						cut.Threshold[level], cut.MissingLeft[level] = v, left
						best = max(best, worth(&cut))
						tried++
					}
				}
			}
		}
		// Rounding derivatives to 1/256 and 255 bins may miss the very best.
		if got < 0.98*best {
			t.Errorf("level %d: worth %v, best %v", level, got, best)
		}
	}
	if tried < 4000 {
		t.Errorf("tried %d questions", tried)
	}
	g, h := sums(&u)
	for leaf := range 4 {
		for j := range k {
			want := -0.5 * g[leaf][j] / (h[leaf][j] + 2)
			if got := s.Step * float64(u.Value[leaf*k+j]); math.Abs(got-want) > 0.51*s.Step+1e-6 {
				t.Errorf("leaf %d, class %d: %v, want %v", leaf, j, got, want)
			}
		}
	}
}

func TestOblivious_learns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	// The sign of a product of signs: no single question helps.
	d := grow.Data{Features: 3, Classes: 2}
	for range 3000 {
		a, b := r.NormFloat64(), r.NormFloat64()
		d.X = append(d.X, a, b, r.NormFloat64())
		c := 0
		if a+0.1 > 0 == (b > 0) {
			c = 1
		}
		d.Class = append(d.Class, c)
	}
	train, valid := d, d
	train.X, train.Class = d.X[:6000], d.Class[:2000]
	valid.X, valid.Class = d.X[6000:], d.Class[2000:]
	s, report := oblivious(t, train, grow.ObliviousOptions{Rounds: 60, Depth: 3, Validation: &valid, EarlyStopping: 60})
	e, err := tree.New(s)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]float64, 1000)
	if err := e.Predict(p, valid.X); err != nil {
		t.Fatal(err)
	}
	right, loss := 0, 0.0
	for i, c := range valid.Class {
		q := p[i]
		if c == 0 {
			q = 1 - q
		}
		if q > 0.5 {
			right++
		}
		loss -= math.Log(q) / 1000
	}
	if right < 960 || len(s.Levels) != report.BestRound {
		t.Errorf("%d of 1000 right after %d trees", right, report.BestRound)
	}
	// The loss that training saw is that of the model: leaves are what was
	// rounded.
	if want := report.Loss[report.BestRound-1]; math.Abs(loss-want) > 1e-9 {
		t.Errorf("loss %v, training saw %v", loss, want)
	}
}

func TestOblivious_targets(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	d := grow.Data{Features: 2}
	for range 2000 {
		a, b := r.Float64(), r.Float64()
		d.X = append(d.X, a, b)
		d.Target = append(d.Target, 1000+300*math.Sin(6*a)*b)
	}
	s, _ := oblivious(t, d, grow.ObliviousOptions{Rounds: 100})
	e, err := tree.New(s)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]float64, 2000)
	if err := e.Predict(p, d.X); err != nil {
		t.Fatal(err)
	}
	squares := 0.0
	for i, v := range p {
		squares += (v - d.Target[i]) * (v - d.Target[i]) / 2000
	}
	if root := math.Sqrt(squares); root > 10 { // the targets' own deviation is some 130
		t.Errorf("root mean square error %v", root)
	}
}

func TestOblivious_sameForAnyNumberOfWorkers(t *testing.T) {
	d := toy(6, 6000, 3)
	o := grow.ObliviousOptions{Rounds: 6, Depth: 4, Seed: 9, Workers: 1, Subsample: 0.6, ColsampleTree: 0.7}
	want, wantReport := oblivious(t, d, o)
	for _, w := range []int{2, 5} {
		o.Workers = w
		got, report := oblivious(t, d, o)
		if !reflect.DeepEqual(got, want) || !same(report.Importance, wantReport.Importance) {
			t.Fatalf("%d workers: another model", w)
		}
	}
	o.Seed++
	if other, _ := oblivious(t, d, o); reflect.DeepEqual(other.Levels, want.Levels) {
		t.Error("another seed gave the same model")
	}
}

func TestOblivious_missingValues(t *testing.T) {
	nan := math.NaN()
	// Column 0 decides only by being absent; column 1 never is.
	d := grow.Data{Features: 2, Classes: 2}
	for i := range 400 {
		v, c := float64(i%7), 0
		if i%4 == 0 {
			v, c = nan, 1
		}
		d.X = append(d.X, v, float64(i%3))
		d.Class = append(d.Class, c)
	}
	s, _ := oblivious(t, d, grow.ObliviousOptions{Rounds: 3, Depth: 1})
	u := s.Levels[0]
	if u.Feature[0] != 0 || !math.IsInf(u.Threshold[0], 1) || u.MissingLeft[0] || u.Cover[1] != 100 {
		t.Errorf("%+v", u)
	}
	// Missing values are like small ones here, and there are enough of them to
	// decide: without them a split at 0 would be no worse.
	near := grow.Data{Features: 1, Classes: 2}
	for i := range 400 {
		v := float64(i % 10)
		c := 0
		if v < 3 {
			c = 1
		}
		if i%2 == 0 {
			v, c = nan, 1
		}
		near.X, near.Class = append(near.X, v), append(near.Class, c)
	}
	s, _ = oblivious(t, near, grow.ObliviousOptions{Rounds: 1, Depth: 1})
	if u := s.Levels[0]; !u.MissingLeft[0] || u.Threshold[0] < 1 || u.Threshold[0] >= 3 || u.Cover[0] != 240 {
		t.Errorf("%+v", u)
	}
	// Without missing values, a column has one side for them in all trees.
	full := toy(7, 500, 3)
	for i, v := range full.X {
		if math.IsNaN(v) {
			full.X[i] = 0
		}
	}
	s, _ = oblivious(t, full, grow.ObliviousOptions{Rounds: 20})
	side := map[int32]bool{}
	for _, u := range s.Levels {
		for l, j := range u.Feature {
			if was, ok := side[j]; ok && was != u.MissingLeft[l] {
				t.Fatalf("column %d has two sides", j)
			}
			side[j] = u.MissingLeft[l]
		}
	}
	if len(side) < 3 {
		t.Errorf("%d columns", len(side))
	}
}

func TestOblivious_degenerateTables(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, d := range map[string]grow.Data{
		"one row":     {Features: 1, X: []float64{1}, Class: []int{0}},
		"one class":   {Features: 1, X: []float64{1, 2, 3}, Class: []int{0, 0, 0}},
		"constant":    {Features: 1, X: []float64{1, 1, 1, 1}, Class: []int{0, 1, 0, 1}},
		"all missing": {Features: 1, X: []float64{nan, nan}, Class: []int{0, 1}},
		"infinities":  {Features: 1, X: []float64{inf, -inf, inf, -inf, 0, nan}, Class: []int{0, 1, 0, 1, 2, 2}},
		"targets":     {Features: 1, X: []float64{1, 2, 3, 4}, Target: []float64{-1e30, 1e30, 0, 1}},
		"huge weight": {Features: 1, X: []float64{1, 2, 3, 4}, Class: []int{0, 1, 0, 1}, Weights: []float64{1e300, 1, 1e-300, 0}},
	} {
		s, _ := oblivious(t, d, grow.ObliviousOptions{Rounds: 4})
		e, err := tree.New(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, k := e.Shape()
		p := make([]float64, k*len(d.X))
		if err := e.Predict(p, d.X); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, v := range p {
			if math.IsNaN(v) {
				t.Errorf("%s: scores %v", name, p)
			}
		}
	}
}

func TestOblivious_refuses(t *testing.T) {
	base := toy(1, 50, 2)
	for name, c := range map[string]struct {
		spoil func(d *grow.Data, o *grow.ObliviousOptions)
		want  any
	}{
		"no rows": {func(d *grow.Data, _ *grow.ObliviousOptions) { d.X, d.Class = nil, nil }, grow.ErrNoRows},
		"categories": {func(d *grow.Data, _ *grow.ObliviousOptions) {
			d.Columns = make([]grow.Column, 6)
			d.Columns[2].Categorical = true
		}, new(grow.DataError)},
		"depth":        {func(_ *grow.Data, o *grow.ObliviousOptions) { o.Depth = 9 }, new(grow.OptionError)},
		"bins":         {func(_ *grow.Data, o *grow.ObliviousOptions) { o.Bins = 256 }, new(grow.OptionError)},
		"eta":          {func(_ *grow.Data, o *grow.ObliviousOptions) { o.LearningRate = 1.5 }, new(grow.OptionError)},
		"rounds":       {func(_ *grow.Data, o *grow.ObliviousOptions) { o.Rounds = 4097 }, new(grow.LimitError)},
		"stopping":     {func(_ *grow.Data, o *grow.ObliviousOptions) { o.EarlyStopping = 3 }, new(grow.OptionError)},
		"class weight": {func(_ *grow.Data, o *grow.ObliviousOptions) { o.ClassWeights = []float64{1, -1} }, new(grow.OptionError)},
		"many classes": {func(d *grow.Data, _ *grow.ObliviousOptions) {
			d.Class = append([]int{100_000}, d.Class[1:]...)
			d.Classes = 0
		}, new(grow.LimitError)},
	} {
		d, o := base, grow.ObliviousOptions{Rounds: 2}
		c.spoil(&d, &o)
		_, _, err := grow.Oblivious(context.Background(), d, o)
		if want, ok := c.want.(error); ok && errors.Is(err, want) {
			continue
		}
		if err == nil || reflect.TypeOf(err) != reflect.TypeOf(c.want) {
			t.Errorf("%s: got %v (%T), want a %T", name, err, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := grow.Oblivious(ctx, base, grow.ObliviousOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context: %v", err)
	}
}
