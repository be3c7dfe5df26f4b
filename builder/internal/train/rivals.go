package train

import (
	"cmp"
	"math"
	"slices"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// Rival is a candidate that stands for its family, held against those of the
// others over [Recipe.Splits] splits of the rows that are not hold-out.
type Rival struct {
	Candidate
	// By split, on its validation rows.
	MacroF1, Accuracy, LogLoss []float64
	Rounds                     []int // trees of an oblivious rival, by split
}

// Mean returns the mean of v with the half width of its 95 % interval by
// Student's t, NaN of fewer than two values or more than 30.
func Mean(v []float64) (mean, half float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	squares := 0.0
	for _, x := range v {
		squares += float64((x - mean) * (x - mean))
	}
	n := len(v)
	if n < 2 || n > len(student) {
		return mean, math.NaN()
	}
	return mean, student[n-1] * math.Sqrt(squares/float64(n-1)/float64(n))
}

// student holds the 97.5 % points of Student's t by degrees of freedom.
var student = [...]float64{
	math.NaN(), 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262,
	2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
	2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
}

// Less returns v - w, item by item: splits are paired.
func Less(v, w []float64) []float64 {
	out := slices.Clone(v)
	for i := range out {
		out[i] -= w[i]
	}
	return out
}

// preferred returns the index of the candidate to take: of those whose
// macro-F1 is within Close of the best, the one with the highest accuracy, the
// earlier of equals. It is -1 for none.
func preferred(n int, figures func(i int) (f1, accuracy float64, ok bool)) int {
	best := 0.0
	for i := range n {
		if f1, _, ok := figures(i); ok {
			best = max(best, f1)
		}
	}
	take, most := -1, -1.0
	for i := range n {
		if f1, accuracy, ok := figures(i); ok && f1 >= best-Close && accuracy > most {
			take, most = i, accuracy
		}
	}
	return take
}

// shortlist returns what stands for each family of the candidates that were
// tried: the preferred of each kind and, of oblivious trees, of each depth.
func shortlist(res *Result) (out []int) {
	type family struct {
		kind  string
		depth int
	}
	of := func(t Tried) family {
		if t.Oblivious != nil {
			return family{t.Kind(), t.Oblivious.Depth}
		}
		return family{t.Kind(), 0}
	}
	var seen []family
	for _, t := range res.Tried[res.Recipe.Compared:] {
		if slices.Contains(seen, of(t)) {
			continue
		}
		seen = append(seen, of(t))
		out = append(out, preferred(len(res.Tried), func(i int) (float64, float64, bool) {
			t := res.Tried[i]
			return t.MacroF1, t.Accuracy, i >= res.Recipe.Compared && of(t) == seen[len(seen)-1]
		}))
	}
	return out
}

// rivals holds the families against each other and returns the candidate of
// oblivious trees to take, its rounds set, nil if they are below another
// family: their mean macro-F1 may be lower by Close and no more.
func (f *fit) rivals(res *Result, inputs []prepared) (int, *Candidate, error) {
	splits := res.Recipe.Splits
	if splits == 0 || !slices.ContainsFunc(res.Tried, func(t Tried) bool { return t.Oblivious != nil }) {
		return -1, nil, nil
	}
	list := shortlist(res)
	for _, i := range list {
		res.Rivals = append(res.Rivals, Rival{Candidate: res.Tried[i].Candidate})
	}
	progress := f.stage("families over splits")
	open := slices.Concat(f.rows[prep.Train], f.rows[prep.Validation])
	slices.Sort(open)
	shares := f.o.Shares
	known := shares[prep.Train] + shares[prep.Validation]
	shares = prep.Shares{shares[prep.Train] / known, shares[prep.Validation] / known, 0}
	for split := range splits {
		seed := derive(f.o.Seed+uint64(split), streamRivals)
		s := *f
		s.rows = [3][]int{}
		for i, p := range prep.Stratified(pickInts(f.t.Class, open), f.k, shares, seed) {
			s.rows[p] = append(s.rows[p], open[i])
		}
		truth := pickInts(f.t.Class, s.rows[prep.Validation])
		for r, i := range list {
			rival := &res.Rivals[r]
			m, err := s.grow(inputs[i].x, rival.Candidate, seed, nil)
			if err != nil {
				return -1, nil, err
			}
			class, p := s.answer(m, inputs[i].x, prep.Validation)
			c := metric.NewConfusion(truth, class, f.k)
			rival.MacroF1, rival.Accuracy = append(rival.MacroF1, c.MacroF1()), append(rival.Accuracy, c.Accuracy())
			rival.LogLoss = append(rival.LogLoss, metric.LogLoss(truth, p, f.k))
			if rival.Oblivious != nil {
				rival.Rounds = append(rival.Rounds, m.Trees())
			}
			if progress != nil {
				progress(grow.Progress{Done: split*len(list) + r + 1, Total: splits * len(list)})
			}
		}
	}
	return f.settle(res, list)
}

// settle decides between the families.
func (f *fit) settle(res *Result, list []int) (int, *Candidate, error) {
	others := 0.0
	for _, r := range res.Rivals {
		if mean, _ := Mean(r.MacroF1); r.Oblivious == nil {
			others = max(others, mean)
		}
	}
	take := preferred(len(res.Rivals), func(i int) (float64, float64, bool) {
		r := res.Rivals[i]
		f1, _ := Mean(r.MacroF1)
		accuracy, _ := Mean(r.Accuracy)
		return f1, accuracy, r.Oblivious != nil && f1 >= others-Close
	})
	if take < 0 {
		return -1, nil, nil
	}
	rounds := slices.SortedFunc(slices.Values(res.Rivals[take].Rounds), cmp.Compare)
	c := res.Rivals[take].Candidate
	o := *c.Oblivious
	o.Rounds, o.EarlyStopping = rounds[(len(rounds)-1)/2], 0
	c.Oblivious = &o
	return list[take], &c, nil
}

// besides measures on hold-out rows what would have been taken instead: the
// preferred candidate of each other family.
func (f *fit) besides(res *Result, models []*tree.Ensemble, inputs []prepared) {
	for _, i := range shortlist(res) {
		if res.Tried[i].Oblivious != nil {
			continue
		}
		class, p := f.answer(models[i], inputs[i].x, prep.Holdout)
		f.summary(res, " of "+res.Tried[i].Kind()+" instead", prep.Holdout, pickInts(f.t.Class, f.rows[prep.Holdout]), class, p)
	}
}

// watched returns c with the validation rows of x to stop by, if it stops
// early.
func (f *fit) watched(x matrix, c Candidate) Candidate {
	if c.Oblivious == nil || c.Oblivious.EarlyStopping == 0 {
		return c
	}
	rows := f.rows[prep.Validation]
	data := x.pick(rows).data(pickInts(f.t.Class, rows), f.k)
	o := *c.Oblivious
	o.Validation = &data
	c.Oblivious = &o
	return c
}

// take makes c the choice, m being its model.
func (res *Result) take(c Candidate, m *tree.Ensemble, in prepared) {
	res.Forest, res.Chosen = m, c
	res.Input, res.Pipeline, res.x = in.input, in.input.Pipeline(), in.x
}
