package telemetry

import (
	"fmt"
	"math"
	"strings"
)

// Family groups features.
type Family string

// The families of features.
const (
	Change      Family = "rate of change"
	Cross       Family = "cross-metric"
	Statistical Family = "statistical"
	Anomaly     Family = "anomaly"
	Behaviour   Family = "behavioural"
	Temporal    Family = "temporal"
)

// Families lists the families in the order of the dictionary.
var Families = []Family{Change, Cross, Statistical, Anomaly, Behaviour, Temporal}

// Feature describes one engineered feature; the list of them is the feature
// dictionary.
type Feature struct {
	Name    string
	Family  Family
	Formula string   // one line
	Unit    string   // "" for ratios, scores and flags
	From    []string // canonical columns; "*" stands for every level column
	// Threat marks flags and counts that speak of an attack: preparing neither
	// scales nor clips them.
	Threat bool
}

// Engineer is stage 3: windows to features. It remembers of each device the
// means of HistoryWindows past windows and a few running values of every
// column. Nothing of a window enters the statistics that the same window is
// held against, and nothing of another device ever does. It wants the windows
// of a device in ascending time and is not safe for concurrent use.
type Engineer struct {
	c       Config
	index   map[string]int // of window values by name
	levels  []level
	defs    []definition
	devices map[string]*memory
	x       moment
}

// definition is a feature and how it is made.
type definition struct {
	Feature
	make func(x *moment) float64
}

// level is a column whose changes speak of the device's state.
type level struct {
	name  string
	at    int // of its mean in the window values
	floor float64
}

// memory is what is remembered of a device.
type memory struct {
	series  [seriesCount]trace
	ratios  [ratioCount]past
	watched []watched
	trends  [watchKinds][trendLength]breadth // ring of the newest breadths
	first   int64                            // start of its first window
	windows int
	// of the anomaly score
	anomalous  bool
	lastStrike int64 // start of the newest anomalous window
	runStart   int64 // start of the first window of the current run
	struck     bool  // an anomalous window has been seen
	sustained  int
}

// trace is what is remembered of one series.
type trace struct {
	values, deltas past
	previous       float64
	previousDelta  float64
	newest         [trendLength]float64
}

// moment is the window at hand.
type moment struct {
	w      *Window
	v      []float64
	m      *memory
	level  [seriesCount]float64
	delta  [seriesCount]float64
	twice  [seriesCount]float64 // change of delta
	ratio  [ratioCount]float64
	z      [watchKinds][]float64 // of each watched level
	wide   [watchKinds]breadth
	score  float64
	since  float64
	run    float64
	first  bool // no window of this device before
	cpuStd float64
}

// NewEngineer returns the stage for windows whose values are named by names,
// as [Windower.Names] gives them. Columns that are not there make features
// missing; a repeated name is an error.
func NewEngineer(c Config, names []string) (*Engineer, error) {
	e := &Engineer{c: c, index: make(map[string]int, len(names)), devices: map[string]*memory{}}
	for i, n := range names {
		if _, ok := e.index[n]; ok {
			return nil, fmt.Errorf("telemetry: window value %.64q is repeated", n)
		}
		e.index[n] = i
	}
	known := map[string]Column{}
	for _, col := range canonical {
		known[col.Name] = col
	}
	for i, n := range names {
		name, ok := strings.CutSuffix(n, "_mean")
		if !ok {
			continue
		}
		if col, ok := known[name]; !ok || col.Level {
			e.levels = append(e.levels, level{name, i, col.floor})
		}
	}
	for k := range e.x.z {
		e.x.z[k] = make([]float64, len(e.levels))
	}
	e.defs = dictionary(e)
	return e, nil
}

// Features returns the dictionary: the features in the order in which
// [Engineer.Features] appends them. It depends on the configured quantiles
// alone.
func Features(c Config) []Feature {
	var out []Feature
	for _, d := range dictionary(&Engineer{c: c}) {
		out = append(out, d.Feature)
	}
	return out
}

// Features appends the features of w to dst, parallel to the dictionary of
// [Features]; NaN is missing: the columns are not there, or too little of the
// device is known yet.
func (e *Engineer) Features(dst []float64, w *Window) []float64 {
	m := e.devices[w.Device]
	if m == nil {
		m = &memory{first: w.Start, watched: make([]watched, len(e.levels))}
		e.devices[w.Device] = m
	}
	x := &e.x
	x.w, x.v, x.m, x.first = w, w.Values, m, m.windows == 0
	e.measure(x)
	for i := range e.defs {
		dst = append(dst, e.defs[i].make(x))
	}
	e.remember(x)
	return dst
}

// at returns a window value by name, NaN when it is not there.
func (e *Engineer) at(x *moment, name string) float64 {
	if i, ok := e.index[name]; ok && i < len(x.v) {
		return x.v[i]
	}
	return math.NaN()
}

// measure fills x from the window and the device's past.
func (e *Engineer) measure(x *moment) {
	for i := range seriesTable {
		s, t := &seriesTable[i], &x.m.series[i]
		v := e.at(x, s.column+"_mean")
		x.level[i], x.delta[i], x.twice[i] = v, math.NaN(), math.NaN()
		if !x.first {
			x.delta[i] = v - t.previous
			x.twice[i] = x.delta[i] - t.previousDelta
		}
	}
	for i := range ratioTable {
		x.ratio[i] = ratioTable[i].make(x)
	}
	e.watch(x)
	x.score = e.score(x)
	strikes := x.score >= e.c.AnomalyThreshold
	m := x.m
	switch {
	case strikes && !m.anomalous:
		m.runStart = x.w.Start
	}
	m.anomalous = strikes
	if strikes {
		m.struck, m.lastStrike = true, x.w.Start
	}
	x.since, x.run = math.NaN(), 0
	if m.struck {
		x.since = float64(x.w.Start-m.lastStrike) / 1000
	}
	if strikes {
		x.run = float64(x.w.End-m.runStart) / 1000
	}
	if x.busy(e.c) {
		m.sustained++
	} else {
		m.sustained = 0
	}
}

// busy reports whether the CPU is above its threshold and even: its deviation
// within the window is below a tenth of its mean, or, of a window with one
// sample, its mean is within a tenth of the mean before.
func (x *moment) busy(c Config) bool {
	cpu := x.level[seriesCPU]
	if !(cpu > c.CPUThreshold) {
		return false
	}
	if v := x.cpuStd; !math.IsNaN(v) {
		return v/(cpu+1) < 0.1
	}
	return !(math.Abs(x.delta[seriesCPU]) > 0.1*cpu)
}

// remember adds the window to the device's past.
func (e *Engineer) remember(x *moment) {
	m, n := x.m, e.c.HistoryWindows
	for i := range m.series {
		t := &m.series[i]
		t.values.add(x.level[i], n)
		t.deltas.add(x.delta[i], n)
		t.newest[m.windows%trendLength] = x.level[i]
		if !math.IsNaN(x.level[i]) || x.first {
			t.previous = x.level[i]
		}
		t.previousDelta = x.delta[i]
	}
	for i := range m.ratios {
		m.ratios[i].add(x.ratio[i], n)
	}
	for k := range m.trends {
		m.trends[k][m.windows%trendLength] = x.wide[k]
	}
	m.windows++
}

// trend returns the mean of a series over the newest k windows, this one
// included, fewer at the start; missing ones are left out.
func (x *moment) trend(i, k int) float64 {
	sum, n := 0.0, 0
	add := func(v float64) {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	for back := min(k-1, x.m.windows); back >= 1; back-- {
		add(x.m.series[i].newest[(x.m.windows-back)%trendLength])
	}
	add(x.level[i])
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// The weights of anomaly_score; they add up to 1.
const (
	weightCPU         = 0.20
	weightMemory      = 0.20
	weightConnections = 0.15
	weightDisk        = 0.10
	weightSuspicious  = 0.20
	weightSpike       = 0.10
	weightBreadth     = 0.05
)

// score returns anomaly_score: the sum of the weights whose condition holds.
// A condition on a missing value does not hold.
func (e *Engineer) score(x *moment) float64 {
	x.cpuStd = e.at(x, "cpu_avg_pct_std")
	s := 0.0
	add := func(weight, flag float64) {
		if flag == 1 {
			s += weight
		}
	}
	add(weightCPU, above(x.level[seriesCPU], e.c.CPUThreshold))
	add(weightMemory, above(x.level[seriesMemory], e.c.MemoryThreshold))
	add(weightConnections, e.manyConnections(x))
	add(weightDisk, above(x.level[seriesDisk], e.c.DiskIOThreshold))
	add(weightSuspicious, above(e.at(x, "proc_suspicious_max"), 0))
	add(weightSpike, e.spike(x, seriesNetwork))
	add(weightBreadth, above(x.wide[watchLevel].share, 0.2))
	return s
}

// above returns 1 if v > limit, 0 if not, NaN when either is missing.
func above(v, limit float64) float64 {
	switch {
	case math.IsNaN(v) || math.IsNaN(limit):
		return math.NaN()
	case v > limit:
		return 1
	}
	return 0
}

// manyConnections holds the connections against the configured quantile of the
// device's own past.
func (e *Engineer) manyConnections(x *moment) float64 {
	p := &x.m.series[seriesConnections].values
	if p.len() < e.c.MinHistory {
		return math.NaN()
	}
	return above(x.level[seriesConnections], quantile(p.sorted, e.c.ConnectionsQuantile))
}

// spike holds a change against the 95th percentile of past changes.
func (e *Engineer) spike(x *moment, series int) float64 {
	p := &x.m.series[series].deltas
	if p.len() < e.c.MinHistory {
		return math.NaN()
	}
	return above(x.delta[series], max(0, quantile(p.sorted, .95)))
}

// outlier reports whether v lies outside [Q1 - 1.5 IQR, Q3 + 1.5 IQR] of the
// past.
func (e *Engineer) outlier(x *moment, series int) float64 {
	p := &x.m.series[series].values
	v := x.level[series]
	if p.len() < e.c.MinHistory || math.IsNaN(v) {
		return math.NaN()
	}
	low, high := quantile(p.sorted, .25), quantile(p.sorted, .75)
	r := 1.5 * (high - low)
	if v < low-r || v > high+r {
		return 1
	}
	return 0
}
