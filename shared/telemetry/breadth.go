package telemetry

import (
	"math"
	"slices"
	"strings"
)

// The watch over every level column at once: how far each is from what it
// usually is, and how many are. It needs no name of any metric, so it works on
// telemetry that nobody described.
//
// Three things of each column are held against their own long past, an
// exponentially forgetting mean and deviation: the level, its change since the
// window before, and its volatility, the deviation over the newest windows.
const (
	watchLevel = iota
	watchChange
	watchVolatility
	watchKinds
)

var watchNames = [watchKinds]string{"level", "change", "volatility"}

const (
	// trendLength is how many windows back trends reach.
	trendLength = 24
	// volatilityLength is over how many windows volatility is computed.
	volatilityLength = 12
	// breadthCap bounds the scores that breadth is made from.
	breadthCap = 20
)

// forget makes a value of 1000 windows ago count half: 1 - 2^(-1/1000), as a
// constant since powers differ between platforms.
const forget = 0.0006929070095474943

// running is an exponentially forgetting mean and variance. Until 1/forget
// values are known all count alike.
type running struct {
	n        int
	mean, ss float64 // ss is the variance
}

func (r *running) add(v float64) {
	r.n++
	a := max(1/float64(r.n), forget)
	d := v - r.mean
	r.mean += float64(a * d)
	r.ss = float64((1 - a) * (r.ss + float64(a*float64(d*d))))
}

// z returns the score of v within ±breadthCap: (v - mean) / (deviation + floor +
// |mean|/100). The floor keeps a column that hardly moves from crying out.
func (r *running) z(v, floor float64, least int) float64 {
	if r.n < least || math.IsNaN(v) {
		return math.NaN()
	}
	d := v - r.mean
	if d == 0 {
		return 0
	}
	scale := math.Sqrt(r.ss) + floor + math.Abs(r.mean)/100
	if scale == 0 {
		return math.Copysign(breadthCap, d)
	}
	return max(-breadthCap, min(breadthCap, d/scale))
}

// watched is what is remembered of one column.
type watched struct {
	kinds    [watchKinds]running
	ring     [volatilityLength]float64
	n        int
	previous float64
}

// breadth summarises the scores of all columns in one kind.
type breadth struct {
	known      bool
	rank       [4]float64 // 1st, 2nd, 3rd and 5th largest absolute score
	mean, root float64    // mean and root mean square of the absolute scores
	share      float64    // of columns at 3 or beyond
}

// watch scores every column of x against its past and adds it to that.
func (e *Engineer) watch(x *moment) {
	for j := range e.levels {
		l, w := &e.levels[j], &x.m.watched[j]
		v := math.NaN()
		if l.at < len(x.v) {
			v = x.v[l.at]
		}
		for k := range x.z {
			x.z[k][j] = math.NaN()
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		w.ring[w.n%volatilityLength] = v
		values := [watchKinds]float64{v, math.NaN(), math.NaN()}
		if w.n > 0 {
			values[watchChange] = v - w.previous
			values[watchVolatility] = w.volatility()
		}
		w.n++
		w.previous = v
		// volatility and change share the level's unit, and so its floor
		for k := range values {
			if !math.IsNaN(values[k]) {
				x.z[k][j] = w.kinds[k].z(values[k], max(l.floor/4, 1e-3*math.Abs(w.kinds[watchLevel].mean)), e.c.MinHistory)
				w.kinds[k].add(values[k])
			}
		}
	}
	for k := range x.z {
		x.wide[k] = breadthOf(x.z[k])
	}
}

// volatility is the sample deviation of the newest values.
func (w *watched) volatility() float64 {
	n := min(w.n+1, volatilityLength)
	return deviation(w.ring[:n], mean(w.ring[:n]))
}

// breadthOf summarises scores; missing ones are left out.
func breadthOf(z []float64) breadth {
	var b breadth
	var top [5]float64
	n, over, sum, squares := 0, 0, 0.0, 0.0
	for _, v := range z {
		if math.IsNaN(v) {
			continue
		}
		a := math.Abs(v)
		n++
		sum += a
		squares += float64(a * a)
		if a >= 3 {
			over++
		}
		for i := range top {
			if a > top[i] {
				copy(top[i+1:], top[i:4])
				top[i] = a
				break
			}
		}
	}
	if n == 0 {
		return b
	}
	b.known = true
	b.rank = [4]float64{top[0], top[1], top[2], top[4]}
	b.mean, b.root, b.share = sum/float64(n), math.Sqrt(squares/float64(n)), float64(over)/float64(n)
	return b
}

// recent returns the mean of part over the newest k windows, this one included;
// windows without scores are left out.
func (x *moment) recent(kind, k int, part func(*breadth) float64) float64 {
	sum, n := 0.0, 0
	add := func(b *breadth) {
		if b.known {
			sum += part(b)
			n++
		}
	}
	for back := min(k-1, x.m.windows); back >= 1; back-- {
		add(&x.m.trends[kind][(x.m.windows-back)%trendLength])
	}
	add(&x.wide[kind])
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// Part is the share that a metric has in a score.
type Part struct {
	Metric string
	Share  float64 // in (0,1]
}

// Parts returns, for the window last given to [Engineer.Features], the metrics
// behind the features of one kind, "level", "change" or "volatility": each
// metric's part of the sum of squared scores, the largest first, at most n.
// Missing scores have no part.
func (e *Engineer) Parts(kind string, n int) []Part {
	k := slices.Index(watchNames[:], kind)
	if k < 0 {
		return nil
	}
	total := 0.0
	for _, v := range e.x.z[k] {
		if !math.IsNaN(v) {
			total += float64(v * v)
		}
	}
	if total == 0 {
		return nil
	}
	order := make([]int, 0, len(e.levels))
	for j, v := range e.x.z[k] {
		if !math.IsNaN(v) && v != 0 {
			order = append(order, j)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := math.Abs(e.x.z[k][a]), math.Abs(e.x.z[k][b]); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	var out []Part
	for _, j := range order[:min(n, len(order))] {
		out = append(out, Part{e.levels[j].name, e.x.z[k][j] * e.x.z[k][j] / total})
	}
	return out
}

// KindOf returns the watch that a feature is made by, "" for features of named
// metrics.
func KindOf(feature string) string {
	for _, k := range watchNames {
		if strings.HasPrefix(feature, k+"_z_") {
			return k
		}
	}
	return ""
}

// merged adds up the shares of equal metrics, divides them by total and returns
// the n largest.
func merged(parts []Part, total float64, n int) []Part {
	var out []Part
	at := map[string]int{}
	for _, p := range parts {
		i, ok := at[p.Metric]
		if !ok {
			i = len(out)
			at[p.Metric] = i
			out = append(out, Part{Metric: p.Metric})
		}
		out[i].Share += p.Share
	}
	for i := range out {
		out[i].Share /= total
	}
	slices.SortStableFunc(out, func(a, b Part) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return strings.Compare(a.Metric, b.Metric)
	})
	return out[:min(n, len(out))]
}
