package grow_test

import (
	"context"
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
