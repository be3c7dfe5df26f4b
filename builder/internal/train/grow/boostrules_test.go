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
