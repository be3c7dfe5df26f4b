package grow_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

func boost(t *testing.T, d grow.Data, o grow.BoostOptions) (tree.Source, grow.Report) {
	t.Helper()
	s, r, err := grow.Boost(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// score turns margins into probabilities.
func score(s *tree.Source, x []float64) []float64 {
	m, _ := walk(s, x)
	switch s.Link {
	case tree.Logistic:
		for i, v := range m {
			m[i] = 1 / (1 + math.Exp(-v))
		}
	case tree.Softmax:
		for i := 0; i < len(m); i += s.Outputs {
			row := m[i : i+s.Outputs]
			top, sum := slices.Max(row), 0.0
			for k, v := range row {
				row[k] = math.Exp(v - top)
				sum += row[k]
			}
			for k := range row {
				row[k] /= sum
			}
		}
	}
	return m
}

// logLoss is the weighted mean log loss of probabilities; one column means
// that of class 1.
func logLoss(p []float64, d grow.Data) float64 {
	k := len(p) / len(d.Class)
	total, sum := 0.0, 0.0
	for i, c := range d.Class {
		w := 1.0
		if d.Weights != nil {
			w = d.Weights[i]
		}
		q := p[i*k]
		switch {
		case k > 1:
			q = p[i*k+c]
		case c == 0:
			q = 1 - q
		}
		total -= w * math.Log(q)
		sum += w
	}
	return total / sum
}

func boostVariants() map[string]grow.BoostOptions {
	return map[string]grow.BoostOptions{
		"default":   {Rounds: 4},
		"leaf wise": {Rounds: 4, LeafWise: true, MaxDepth: -1, MaxLeaves: 12},
		"limited":   {Rounds: 4, MaxLeaves: 7},
		"sampled":   {Rounds: 4, Subsample: 0.6, ColsampleTree: 0.8, ColsampleLevel: 0.8, ColsampleNode: 0.7},
		"penalties": {Rounds: 4, Alpha: 0.5, Gamma: 0.5, MaxDeltaStep: 0.7, Lambda: 2, MinChildWeight: 3},
		"wide bins": {Rounds: 4, Bins: 4000},
		"deep":      {Rounds: 2, MaxDepth: 20, MinChildWeight: -1},
	}
}

func TestBoost_sameForAnyNumberOfWorkers(t *testing.T) {
	for task, d := range map[string]grow.Data{"two classes": toy(1, 20000, 2), "classes": toy(1, 3000, 4), "regression": numeric(toy(1, 20000, 3))} {
		for name, o := range boostVariants() {
			t.Run(task+"/"+name, func(t *testing.T) {
				o.Seed, o.Workers = 42, 1
				want, wantReport := boost(t, d, o)
				for _, w := range []int{2, 4} {
					o.Workers = w
					got, report := boost(t, d, o)
					if diff := sameSource(&want, &got); diff != "" {
						t.Fatalf("%d workers: %s differs", w, diff)
					}
					if !same(report.Importance, wantReport.Importance) {
						t.Fatalf("%d workers: report differs", w)
					}
				}
			})
		}
	}
}

func TestBoost_sourceIsSound(t *testing.T) {
	for task, d := range map[string]grow.Data{"two classes": toy(2, 900, 2), "classes": toy(2, 900, 4), "regression": numeric(toy(2, 900, 3))} {
		for name, o := range boostVariants() {
			t.Run(task+"/"+name, func(t *testing.T) {
				s, r := boost(t, d, o)
				checkSource(t, &s, d.X, nil)
				outputs := 1
				if task == "classes" {
					outputs = 4
				}
				if s.Outputs != outputs || len(s.Trees) != o.Rounds*outputs || r.Trees != len(s.Trees) || r.BestRound != o.Rounds {
					t.Fatalf("%d outputs, %d trees, report %+v", s.Outputs, len(s.Trees), r)
				}
				for k := range s.Trees {
					u := &s.Trees[k]
					if u.Output != k%outputs {
						t.Fatalf("tree %d: output %d", k, u.Output)
					}
					leaves := 0
					for v, j := range u.Feature {
						if j == 5 {
							t.Fatal("a split on the constant column")
						}
						if j >= 0 {
							continue
						}
						leaves++
						if m := o.MaxDeltaStep * 0.3; m > 0 && math.Abs(u.Value[v]) > m*(1+1e-12) {
							t.Fatalf("leaf value %v", u.Value[v])
						}
						if c := u.Cover[v]; len(u.Feature) > 1 && o.MinChildWeight > 0 && c < 0.8*o.MinChildWeight {
							t.Fatalf("leaf of weight %v", c)
						}
					}
					if o.MaxLeaves > 0 && leaves > o.MaxLeaves {
						t.Fatalf("%d leaves", leaves)
					}
				}
			})
		}
	}
}

// shrunk is G²/(H+1) with G shrunk by alpha.
func shrunk(g, h, alpha float64) float64 {
	g = max(math.Abs(g)-alpha, 0)
	return g * g / (h + 1)
}

// bestGain finds the largest gain of a first split on exact derivatives, with
// both sides for missing values.
func bestGain(d grow.Data, g, h []float64, alpha float64) float64 {
	var sumG, sumH float64
	for i := range g {
		sumG += g[i]
		sumH += h[i]
	}
	best := 0.0
	for j := range d.Features {
		for at := range g {
			cut := d.X[at*d.Features+j]
			for _, missingLeft := range []bool{false, true} {
				var gl, hl float64
				for i := range g {
					v := d.X[i*d.Features+j]
					if v <= cut || math.IsNaN(v) && missingLeft {
						gl += g[i]
						hl += h[i]
					}
				}
				if hl >= 1 && sumH-hl >= 1 {
					best = max(best, shrunk(gl, hl, alpha)+shrunk(sumG-gl, sumH-hl, alpha)-shrunk(sumG, sumH, alpha))
				}
			}
		}
	}
	return best
}

func TestBoost_firstTreeIsTheBest(t *testing.T) {
	for seed := range uint64(5) {
		d := toy(seed, 300, 2)
		s, _ := boost(t, d, grow.BoostOptions{Rounds: 1, MaxDepth: 1, LearningRate: 1, Bins: 1000, Seed: seed})
		p := 1 / (1 + math.Exp(-s.Base[0]))
		g, h := make([]float64, 300), make([]float64, 300)
		ones := 0.0
		for i, c := range d.Class {
			g[i], h[i] = p-float64(c), p*(1-p)
			ones += float64(c)
		}
		if math.Abs(p-ones/300) > 1e-12 {
			t.Fatalf("base %v, share %v", p, ones/300)
		}
		u := &s.Trees[0]
		_, leaves := walk(&s, d.X)
		var sums [3][2]float64
		for i, v := range leaves {
			sums[v][0] += g[i]
			sums[v][1] += h[i]
		}
		gain := 0.0
		for v := 1; v <= 2; v++ {
			want := -sums[v][0] / (sums[v][1] + 1)
			if math.Abs(u.Value[v]-want) > 1e-5*math.Abs(want) || math.Abs(u.Cover[v]-sums[v][1]) > 1e-5*sums[v][1] {
				t.Errorf("leaf %d: value %v, want %v; cover %v, want %v", v, u.Value[v], want, u.Cover[v], sums[v][1])
			}
			gain += sums[v][0] * sums[v][0] / (sums[v][1] + 1)
		}
		if best := bestGain(d, g, h, 0); gain < 0.98*best {
			t.Errorf("seed %d: gain %v, best %v", seed, gain, best)
		}
		const alpha = 12
		s, _ = boost(t, d, grow.BoostOptions{Rounds: 1, MaxDepth: 1, LearningRate: 1, Bins: 1000, Seed: seed, Alpha: alpha})
		u = &s.Trees[0]
		leafG, leafH := map[int32]float64{}, map[int32]float64{}
		_, leaves = walk(&s, d.X)
		for i, v := range leaves {
			leafG[v] += g[i]
			leafH[v] += h[i]
		}
		gain = 0
		for v := range leafG {
			gain += shrunk(leafG[v], leafH[v], alpha)
		}
		if best := bestGain(d, g, h, alpha); gain < 0.98*best {
			t.Errorf("alpha: gain %v, best %v", gain, best)
		}
		for v := range leafG {
			want := -math.Copysign(max(math.Abs(leafG[v])-alpha, 0), leafG[v]) / (leafH[v] + 1)
			if math.Abs(u.Value[v]-want) > 1e-5*math.Abs(want) {
				t.Errorf("alpha: leaf %d: value %v, want %v", v, u.Value[v], want)
			}
		}
	}
}

// TestBoost_rareClass has so few rows of class 1 that each of the others has
// a derivative far below one step of the integers.
func TestBoost_rareClass(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	d := grow.Data{Features: 2}
	for i := range 20000 {
		c := 0
		if i%1000 == 0 {
			c = 1
		}
		// Column 0 halves class 1 and gathers class 0, column 1 is the better
		// one by count of class 1 alone.
		a, b := 0.0, 0.0
		if c == 1 && i%2000 == 0 || c == 0 && r.IntN(20) == 0 {
			a = 1
		}
		if c == 1 && i%5000 != 0 || c == 0 && r.IntN(5) != 0 {
			b = 1
		}
		d.X, d.Class = append(d.X, a, b), append(d.Class, c)
	}
	var g, h [2][2]float64 // by column and side
	const p = 0.001
	for i, c := range d.Class {
		for j := range 2 {
			side := int(d.X[2*i+j])
			g[j][side] += p - float64(c)
			h[j][side] += p * (1 - p)
		}
	}
	s, report := boost(t, d, grow.BoostOptions{Rounds: 1, MaxDepth: 1, MinChildWeight: -1})
	gain := func(j int) float64 {
		return g[j][0]*g[j][0]/(h[j][0]+1) + g[j][1]*g[j][1]/(h[j][1]+1)
	}
	if gain(0) < 5*gain(1) {
		t.Fatalf("gains %v and %v", gain(0), gain(1))
	}
	u := &s.Trees[0]
	if u.Feature[0] != 0 || report.Importance[0] != 1 {
		t.Errorf("%+v", u)
	}
}

func TestBoost_sumsAllRowsOfALeaf(t *testing.T) {
	d := numeric(toy(24, 10000, 3)) // more than two blocks; second derivatives are 1
	s, _ := boost(t, d, grow.BoostOptions{Rounds: 2})
	checkSource(t, &s, d.X, ones(10000))
	s, _ = boost(t, d, grow.BoostOptions{Rounds: 2, Subsample: 0.3})
	for k := range s.Trees {
		if c := s.Trees[k].Cover[0]; math.Abs(c-3000) > 200 {
			t.Errorf("tree %d: cover %v of 10000 rows sampled with 0.3", k, c)
		}
	}
}

func TestBoost_learns(t *testing.T) {
	for _, classes := range []int{2, 3} {
		train, fresh := toy(10, 3000, classes), toy(11, 3000, classes)
		previous := math.Log(float64(classes))
		for _, rounds := range []int{3, 10, 40} {
			s, _ := boost(t, train, grow.BoostOptions{Rounds: rounds, LearningRate: 0.2, MaxDepth: 4})
			loss := logLoss(score(&s, fresh.X), fresh)
			if loss > previous-0.02 {
				t.Errorf("%d classes: loss %v after %d rounds, %v before", classes, loss, rounds, previous)
			}
			previous = loss
		}
	}
}

func TestBoost_earlyStoppingKeepsTheBestRound(t *testing.T) {
	for _, classes := range []int{2, 3} {
		train, valid := toy(12, 400, classes), toy(13, 300, classes)
		valid.Weights = make([]float64, 300)
		for i := range valid.Weights {
			valid.Weights[i] = float64(1 + i%3)
		}
		o := grow.BoostOptions{Rounds: 200, Validation: &valid, EarlyStopping: 7}
		s, r := boost(t, train, o)
		best := 0
		for i, v := range r.Loss {
			if v < r.Loss[best] {
				best = i
			}
		}
		if r.BestRound != best+1 || len(s.Trees) != (best+1)*s.Outputs || len(r.Loss) != best+8 {
			t.Fatalf("best round %d of %d, lowest at %d, %d trees", r.BestRound, len(r.Loss), best+1, len(s.Trees))
		}
		if got := logLoss(score(&s, valid.X), valid); math.Abs(got-r.Loss[best]) > 1e-9 {
			t.Errorf("loss %v, report %v", got, r.Loss[best])
		}
		o.EarlyStopping, o.Rounds = 0, best+4
		all, report := boost(t, train, o)
		if len(all.Trees) != (best+4)*all.Outputs || report.BestRound != best+4 || len(report.Loss) != best+4 {
			t.Errorf("without stopping: %d trees, best round %d", len(all.Trees), report.BestRound)
		}
	}
	train, valid := numeric(toy(12, 400, 2)), numeric(toy(13, 300, 2))
	s, r := boost(t, train, grow.BoostOptions{Rounds: 100, Validation: &valid, EarlyStopping: 5})
	squares := 0.0
	for i, v := range score(&s, valid.X) {
		squares += (v - valid.Target[i]) * (v - valid.Target[i]) / 300
	}
	if want := r.Loss[r.BestRound-1]; math.Abs(math.Sqrt(squares)-want) > 1e-9 {
		t.Errorf("regression: loss %v, report %v", math.Sqrt(squares), want)
	}
}

func TestBoost_monotoneColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	d := grow.Data{Features: 3}
	for range 3000 {
		a, b, c := r.Float64()*4-2, r.Float64()*4-2, r.Float64()
		d.X = append(d.X, a, b, c)
		d.Target = append(d.Target, a+0.8*math.Sin(3*a)-b*b*b/2+math.Cos(4*b)+c+r.NormFloat64()/3)
	}
	binary := d
	binary.Target = nil
	for _, y := range d.Target {
		c := 0
		if y > 0.5 {
			c = 1
		}
		binary.Class = append(binary.Class, c)
	}
	for name, data := range map[string]grow.Data{"regression": d, "two classes": binary} {
		breaks := func(s *tree.Source) (n int) {
			for range 200 {
				x := []float64{r.Float64()*4 - 2, r.Float64()*4 - 2, r.Float64()}
				for j, sign := range []float64{1, -1} {
					row := slices.Clone(x)
					last := math.Inf(-1)
					for v := -2.0; v <= 2; v += 0.05 {
						row[j] = v
						m, _ := walk(s, row)
						if sign*m[0] < last-1e-9 {
							n++
						}
						last = sign * m[0]
					}
				}
			}
			return n
		}
		o := grow.BoostOptions{Rounds: 40, LeafWise: name == "regression", MaxLeaves: 24}
		free, _ := boost(t, data, o)
		if breaks(&free) == 0 {
			t.Errorf("%s: the free model is monotone already", name)
		}
		o.Monotone = []int8{1, -1, 0}
		bound, _ := boost(t, data, o)
		if n := breaks(&bound); n > 0 {
			t.Errorf("%s: %d steps in the wrong direction", name, n)
		}
	}
}

func TestBoost_weights(t *testing.T) {
	d := toy(14, 4000, 2)
	positive := func(s *tree.Source) (sum float64) {
		for _, p := range score(s, d.X) {
			sum += p / 4000
		}
		return sum
	}
	plain, _ := boost(t, d, grow.BoostOptions{Rounds: 20})
	scaled, _ := boost(t, d, grow.BoostOptions{Rounds: 20, ScalePosWeight: 5})
	byClass, _ := boost(t, d, grow.BoostOptions{Rounds: 20, ClassWeights: []float64{1, 5}})
	weighted := d
	weighted.Weights = make([]float64, 4000)
	doubled := grow.Data{Features: 6}
	for i, c := range d.Class {
		weighted.Weights[i] = 1 + 4*float64(c)
		for range 1 + 4*c {
			doubled.X = append(doubled.X, d.X[i*6:i*6+6]...)
			doubled.Class = append(doubled.Class, c)
		}
	}
	byRow, _ := boost(t, weighted, grow.BoostOptions{Rounds: 20})
	if diff := sameSource(&scaled, &byClass); diff != "" {
		t.Errorf("class weights: %s differs", diff)
	}
	if diff := sameSource(&scaled, &byRow); diff != "" {
		t.Errorf("row weights: %s differs", diff)
	}
	if a, b := positive(&plain), positive(&scaled); b < a+0.05 {
		t.Errorf("mean probability %v, with weights %v", a, b)
	}
	// The copies are rounded at random each for itself and cut into other bins.
	few, _ := boost(t, weighted, grow.BoostOptions{Rounds: 4})
	copies, _ := boost(t, doubled, grow.BoostOptions{Rounds: 4})
	a, b := score(&few, d.X), score(&copies, d.X)
	difference := 0.0
	for i := range a {
		difference += math.Abs(a[i]-b[i]) / 4000
	}
	if difference > 0.03 {
		t.Errorf("weighted and copied rows differ by %v", difference)
	}
	// A row that outweighs all others together.
	huge := d
	huge.Weights = ones(4000)
	huge.Weights[7] = 1e9
	s, _ := boost(t, huge, grow.BoostOptions{Rounds: 30, MinChildWeight: -1})
	checkSource(t, &s, d.X, nil)
	p := score(&s, d.X[7*6:8*6])[0]
	if math.Abs(p-float64(d.Class[7])) > 0.01 {
		t.Errorf("the heavy row of class %d gets %v", d.Class[7], p)
	}
}

func TestBoost_columnSampling(t *testing.T) {
	d := toy(15, 2000, 2)
	features := func(o grow.BoostOptions) (perTree, all int) {
		o.Rounds = 30
		s, _ := boost(t, d, o)
		ever := map[int32]bool{}
		for k := range s.Trees {
			used := map[int32]bool{}
			for _, j := range s.Trees[k].Feature {
				if j >= 0 {
					used[j], ever[j] = true, true
				}
			}
			perTree = max(perTree, len(used))
		}
		return perTree, len(ever)
	}
	if most, all := features(grow.BoostOptions{ColsampleTree: 0.4}); most != 2 || all != 5 {
		t.Errorf("by tree: %d columns in a tree, %d in all", most, all)
	}
	if most, all := features(grow.BoostOptions{ColsampleLevel: 0.2, MaxDepth: 3}); most > 3 || most < 2 || all != 5 {
		t.Errorf("by level: %d columns in a tree, %d in all", most, all)
	}
	if most, all := features(grow.BoostOptions{ColsampleNode: 0.2, MaxDepth: 3}); most < 4 || all != 5 {
		t.Errorf("by node: %d columns in a tree, %d in all", most, all)
	}
}

func TestBoost_leafWiseGainsMoreWithTheSameLeaves(t *testing.T) {
	d := toy(16, 5000, 2)
	loss := func(o grow.BoostOptions) float64 {
		o.Rounds, o.MaxLeaves = 10, 8
		s, _ := boost(t, d, o)
		return logLoss(score(&s, d.X), d)
	}
	level, leaf := loss(grow.BoostOptions{}), loss(grow.BoostOptions{LeafWise: true, MaxDepth: -1})
	if leaf >= level {
		t.Errorf("training loss leaf-wise %v, depth-wise %v", leaf, level)
	}
}

func TestBoost_gammaPrunes(t *testing.T) {
	d := toy(17, 500, 2)
	last := math.MaxInt
	for _, gamma := range []float64{0, 2, 20, 1e6} {
		_, r := boost(t, d, grow.BoostOptions{Rounds: 10, Gamma: gamma})
		if r.Nodes >= last {
			t.Errorf("gamma %v: %d nodes, before %d", gamma, r.Nodes, last)
		}
		last = r.Nodes
	}
	if last != 10 {
		t.Errorf("%d nodes for the largest gamma, want a leaf a tree", last)
	}
}

func TestBoost_missingValues(t *testing.T) {
	nan := math.NaN()
	var d grow.Data
	d.Features = 1
	for i := range 90 {
		v, c := float64(i), 0
		if i >= 30 {
			c = 1
		}
		if i >= 60 {
			v = nan
		}
		d.X, d.Class = append(d.X, v), append(d.Class, c)
	}
	for _, flip := range []bool{false, true} {
		if flip {
			for i := 60; i < 90; i++ {
				d.Class[i] = 0
			}
		}
		s, _ := boost(t, d, grow.BoostOptions{Rounds: 1, MaxDepth: 1})
		u := &s.Trees[0]
		if len(u.Feature) != 3 || u.Threshold[0] != 29.5 || u.MissingLeft[0] != flip {
			t.Errorf("flip %v: %+v", flip, u)
		}
	}
	// Missing only at scoring: one direction a column, and the watched loss knows it.
	train, valid := toy(18, 800, 3), toy(19, 500, 3)
	for i, v := range train.X {
		if math.IsNaN(v) {
			train.X[i] = 0
		}
	}
	for i := 0; i < len(valid.X); i += 5 {
		valid.X[i] = nan
	}
	s, r := boost(t, train, grow.BoostOptions{Rounds: 10, Validation: &valid})
	if got := logLoss(score(&s, valid.X), valid); math.Abs(got-r.Loss[9]) > 1e-9 {
		t.Errorf("loss %v, report %v", got, r.Loss[9])
	}
	side := map[int32]bool{}
	for k := range s.Trees {
		for v, j := range s.Trees[k].Feature {
			if was, ok := side[j]; j >= 0 && ok && was != s.Trees[k].MissingLeft[v] {
				t.Fatalf("column %d sends missing values both ways", j)
			}
			side[j] = s.Trees[k].MissingLeft[v]
		}
	}
}

func TestBoost_degenerateTables(t *testing.T) {
	nan := math.NaN()
	inf := math.Inf(1)
	for name, d := range map[string]grow.Data{
		"one row":       {Features: 2, X: []float64{1, 2}, Class: []int{1}},
		"one class":     {Features: 1, X: []float64{1, 2, 3}, Class: []int{0, 0, 0}},
		"class missing": {Features: 1, X: []float64{1, 2, 3}, Class: []int{0, 2, 2}, Classes: 5},
		"constant":      {Features: 1, X: []float64{1, 1}, Class: []int{0, 1}},
		"all missing":   {Features: 1, X: []float64{nan, nan}, Class: []int{0, 1}},
		"infinities":    {Features: 1, X: []float64{inf, -inf, inf, -inf}, Class: []int{0, 1, 0, 1}},
		"huge weights":  {Features: 1, X: []float64{1, 2, 1, 2}, Class: []int{0, 1, 0, 1}, Weights: []float64{1e308, 1e308, 1e308, 1e308}},
		"tiny weights":  {Features: 1, X: []float64{1, 2, 1, 2}, Class: []int{0, 1, 0, 1}, Weights: []float64{5e-324, 5e-324, 5e-324, 5e-324}},
		"regression":    {Features: 1, X: []float64{1}, Target: []float64{3}},
		"huge targets":  {Features: 1, X: []float64{1, 2, 1, 2}, Target: []float64{-1e30, 1e30, -1e30, 1e30}},
	} {
		for _, eta := range []float64{0.3, 1} {
			s, _ := boost(t, d, grow.BoostOptions{Rounds: 30, LearningRate: eta, MinChildWeight: -1, Lambda: -1})
			checkSource(t, &s, d.X, nil)
			p := score(&s, d.X)
			for i, v := range p {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%s: score %d is %v", name, i, v)
				}
			}
			switch name {
			case "infinities", "huge weights", "tiny weights":
				if !(p[0] < 0.1 && p[1] > 0.9) {
					t.Errorf("%s: %v", name, p)
				}
			case "regression":
				if math.Abs(p[0]-3) > 1e-12 {
					t.Errorf("%s: %v", name, p)
				}
			}
		}
	}
	for _, d := range []grow.Data{{Features: 1, Class: []int{}}, {Features: 1, X: []float64{1}, Target: []float64{1}, Weights: []float64{0}}} {
		if _, _, err := grow.Boost(context.Background(), d, grow.BoostOptions{}); !errors.Is(err, grow.ErrNoRows) {
			t.Errorf("got %v, want %v", err, grow.ErrNoRows)
		}
	}
}

func TestBoost_refuses(t *testing.T) {
	d := toy(20, 30, 2)
	three := toy(20, 30, 3)
	other := grow.Data{Features: 1, X: []float64{1}, Class: []int{0}}
	var data *grow.DataError
	var option *grow.OptionError
	var limit *grow.LimitError
	nan := math.NaN()
	tests := map[string]struct {
		data grow.Data
		o    grow.BoostOptions
		want any
	}{
		"eta above 1":        {d, grow.BoostOptions{LearningRate: 1.5}, &option},
		"eta below 0":        {d, grow.BoostOptions{LearningRate: -1}, &option},
		"eta NaN":            {d, grow.BoostOptions{LearningRate: nan}, &option},
		"lambda infinite":    {d, grow.BoostOptions{Lambda: math.Inf(1)}, &option},
		"no rows sampled":    {d, grow.BoostOptions{Subsample: -1}, &option},
		"rounds":             {d, grow.BoostOptions{Rounds: -1}, &option},
		"too many trees":     {three, grow.BoostOptions{Rounds: grow.MaxTrees}, &limit},
		"too many bins":      {d, grow.BoostOptions{Bins: 1 << 16}, &limit},
		"too deep":           {d, grow.BoostOptions{MaxDepth: tree.MaxDepth + 1}, &option},
		"one leaf":           {d, grow.BoostOptions{MaxLeaves: 1}, &option},
		"nothing to watch":   {d, grow.BoostOptions{EarlyStopping: 3}, &option},
		"scale of 3 classes": {three, grow.BoostOptions{ScalePosWeight: 2}, &option},
		"class weights":      {three, grow.BoostOptions{ClassWeights: []float64{1, 2}}, &option},
		"signs missing":      {d, grow.BoostOptions{Monotone: []int8{1}}, &option},
		"sign 2":             {d, grow.BoostOptions{Monotone: []int8{2, 0, 0, 0, 0, 0}}, &option},
		"order of 3 classes": {three, grow.BoostOptions{Monotone: make([]int8, 6)}, &option},
		"other columns":      {d, grow.BoostOptions{Validation: &other}, &data},
		"other classes":      {d, grow.BoostOptions{Validation: &three}, &data},
		"validation target":  {numeric(d), grow.BoostOptions{Validation: &d}, &data},
	}
	for name, test := range tests {
		_, _, err := grow.Boost(context.Background(), test.data, test.o)
		if err == nil || !errors.As(err, test.want) {
			t.Errorf("%s: got %v, want %T", name, err, test.want)
		}
	}
}

func TestBoost_stopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	_, _, err := grow.Boost(ctx, toy(21, 300, 3), grow.BoostOptions{Rounds: 500, Progress: func(p grow.Progress) {
		calls++
		if p.Done != calls || p.Total != 500 || !math.IsNaN(p.Metric) {
			t.Errorf("call %d: %+v", calls, p)
		}
		if calls == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("%v after %d rounds", err, calls)
	}
}
