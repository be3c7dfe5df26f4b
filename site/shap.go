package site

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"cloister/shared/job"
	"cloister/site/internal/pool"
)

// attributed holds the attributions of many rows, for charts over them.
type attributed struct {
	at         []int32 // rows of the store
	class      []uint16
	base       []float64
	margin     []float64
	d          int
	phi        []float32 // n×d
	percentile []uint8   // n×d
	additivity float64   // the largest so far

	running  bool
	stop     bool
	total    int
	sampled  int // rows there would have been
	fault    error
	feature  int // of the dependence plot
	chosen   int // class of the summary charts, -1 for the commonest
	compared []int32
}

// Limits of what is explained and compared.
const (
	explainMost = 100_000 // rows; 5 bytes for each of their features
	explainStep = 64      // rows asked for at once
	compareMost = 20
)

func (x *attributed) n() int { return len(x.at) }

// row returns the attributions of the k-th explained row.
func (x *attributed) row(k int) []float32 { return x.phi[k*x.d : (k+1)*x.d] }

// find returns the place of a row of the store, -1 if it was not explained.
func (x *attributed) find(at int32) int { return slices.Index(x.at, at) }

// explainAll explains the rows of the table's list, or an even sample of
// them. What was explained before stays if it is among them.
func (a *App) explainAll() {
	x := &a.shap
	if x.running || len(a.view.index) == 0 {
		return
	}
	rows := a.view.index
	step := max(1, (len(rows)+explainMost-1)/explainMost)
	var todo []int32
	for i := 0; i < len(rows); i += step {
		todo = append(todo, rows[i])
	}
	slices.Sort(todo)
	*x = attributed{running: true, total: len(todo), sampled: len(rows), chosen: -1, compared: x.compared, feature: x.feature}
	go a.attribute(a.scorers, a.store, todo)
}

// attribute runs on a goroutine of its own.
func (a *App) attribute(scorers *pool.Pool, s *store, todo []int32) {
	for len(todo) > 0 {
		n := 1
		origin := s.stretch(todo[0])
		for n < len(todo) && n < explainStep && s.origins[s.stretch(todo[n])].part == s.origins[origin].part {
			n++
		}
		local := make([]int64, n)
		part := 0
		for i, at := range todo[:n] {
			part, local[i] = s.place(at)
		}
		got, err := scorers.Attribute(part, local)
		over := false
		a.update(func() {
			x := &a.shap
			if a.store != s {
				x.running, over = false, true
				return
			}
			if err != nil {
				x.fault = err
			} else {
				x.add(todo[:n], got)
			}
			over = err != nil || x.stop || n == len(todo)
			x.running = !over
		})
		if over {
			return
		}
		todo = todo[n:]
	}
}

func (x *attributed) add(at []int32, got job.Attributions) {
	if x.n() > 0 && got.Features != x.d || len(got.SHAP) != len(at)*got.Features {
		return // another bundle's: dropped
	}
	x.d = got.Features
	x.at, x.class, x.base, x.margin = append(x.at, at...), append(x.class, got.Class...), append(x.base, got.Base...), append(x.margin, got.Margin...)
	x.phi, x.percentile = append(x.phi, got.SHAP...), append(x.percentile, got.Percentile...)
	x.additivity = max(x.additivity, got.Additivity)
}

// classOf is the class that the summary charts are about.
func (x *attributed) classOf(classes []job.Class) int {
	if x.chosen >= 0 {
		return x.chosen
	}
	counts := make([]int, len(classes))
	for _, k := range x.class {
		if int(k) < len(counts) {
			counts[k]++
		}
	}
	best := 0
	for k, n := range counts {
		// an attack rather than the many benign rows
		if n > 0 && (classes[best].Benign && !classes[k].Benign || counts[best] == 0 || classes[best].Benign == classes[k].Benign && n > counts[best]) {
			best = k
		}
	}
	return best
}

// members returns the explained rows of a class.
func (x *attributed) members(class int) []int {
	var out []int
	for k, c := range x.class {
		if int(c) == class {
			out = append(out, k)
		}
	}
	return out
}

// importance returns the mean |φ| of each feature over rows, and the features
// by falling importance.
func (x *attributed) importance(rows []int) (mean []float64, order []int) {
	mean = make([]float64, x.d)
	for _, k := range rows {
		for j, v := range x.row(k) {
			mean[j] += math.Abs(float64(v))
		}
	}
	for j := range mean {
		mean[j] /= float64(max(len(rows), 1))
	}
	order = permutation(x.d, func(i, j int) int { return cmp.Compare(mean[j], mean[i]) })
	return mean, order
}

// compare adds a row to the comparison, or takes it out.
func (a *App) compare(at int32) {
	x := &a.shap
	if i := slices.Index(x.compared, at); i >= 0 {
		x.compared = slices.Delete(x.compared, i, i+1)
		a.notice = sayf("Row {0} is no longer compared.", count(a.store.row[at]))
		return
	}
	if len(x.compared) == compareMost {
		a.notice = sayf("At most {0} records are compared; take one out first.", strconv.Itoa(compareMost))
		return
	}
	x.compared = append(x.compared, at)
	a.notice = sayf("Row {0} is compared with {1} others, on the screen Why.", count(a.store.row[at]), count(int64(len(x.compared)-1)))
	if x.find(at) < 0 && !x.running {
		go a.attributeOne(a.scorers, a.store, at)
	}
}

// attributeOne explains one more row for the charts.
func (a *App) attributeOne(scorers *pool.Pool, s *store, at int32) {
	part, local := s.place(at)
	got, err := scorers.Attribute(part, []int64{local})
	a.update(func() {
		if err == nil && a.store == s && a.shap.find(at) < 0 {
			a.shap.add([]int32{at}, got)
		}
	})
}

// cluster is rows whose attributions point the same way.
type cluster struct {
	class int
	rows  []int // of attributed
	mean  []float64
}

// Limits of clustering.
const (
	clusterMost  = 40
	clusterAlike = 0.9 // cosine to the mean from which a row belongs
)

// clusters groups explained rows of the same class by the direction of their
// attributions: each row joins the first cluster to whose mean its cosine is
// at least clusterAlike, or begins one while there are fewer than clusterMost.
// The result depends on the order of the file alone.
func (x *attributed) clusters(flagged func(at int32) bool) []cluster {
	var out []cluster
	for k, at := range x.at {
		if !flagged(at) {
			continue
		}
		v := x.row(k)
		best, alike := -1, -1.0
		for c := range out {
			if out[c].class != int(x.class[k]) {
				continue
			}
			if a := cosine(v, out[c].mean); a > alike {
				best, alike = c, a
			}
		}
		if alike < clusterAlike && len(out) < clusterMost {
			best = len(out)
			out = append(out, cluster{class: int(x.class[k]), mean: make([]float64, x.d)})
		}
		if best < 0 {
			continue
		}
		c := &out[best]
		c.rows = append(c.rows, k)
		for j, p := range v {
			c.mean[j] += (float64(p) - c.mean[j]) / float64(len(c.rows))
		}
	}
	arrange(out, func(a, b cluster) int { return cmp.Compare(len(b.rows), len(a.rows)) })
	return out
}

func cosine(v []float32, w []float64) float64 {
	var dot, a, b float64
	for j, p := range v {
		dot += float64(p) * w[j]
		a += float64(p) * float64(p)
		b += w[j] * w[j]
	}
	if a == 0 || b == 0 {
		return 0
	}
	return dot / math.Sqrt(a*b)
}
