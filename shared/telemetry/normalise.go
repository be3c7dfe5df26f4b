package telemetry

import (
	"math"
	"slices"
)

// Normaliser is stage 1: samples in canonical units. It converts KiB and bytes
// to MiB, turns counters into rates per second, derives what several metrics
// say together and adds local time. It remembers one sample a device and
// wants the samples of a device in ascending time; [Pipeline] sees to that.
// It is not safe for concurrent use.
type Normaliser struct {
	c       Config
	at      [len(metrics)]int // column of each raw metric in the header, -1 when missing
	extra   []int             // columns of the header that are no known metric
	columns []Column
	devices map[string]*lastSample
	report  *Report
}

// lastSample is what a device reported before.
type lastSample struct {
	millis  int64
	uptime  float64
	value   [len(metrics)]float64 // of counters, the newest that was not missing
	counted [len(metrics)]int64   // when that was, milliseconds
	begun   bool
}

// NewNormaliser returns the stage for samples whose values are named by
// header. Names are compared by [Normalise]; an empty or repeated name and
// more than [MaxColumns] are errors. c.Counters must be decided: auto counts
// as cumulative.
func NewNormaliser(c Config, header []string) (*Normaliser, error) {
	names, err := checkHeader(header)
	if err != nil {
		return nil, err
	}
	n := &Normaliser{c: c, columns: slices.Clone(canonical[:]), devices: map[string]*lastSample{}, report: &Report{}}
	for k := range n.at {
		n.at[k] = -1
	}
	for i, name := range names {
		if k := indexOf(name); k >= 0 {
			n.at[k] = i
			continue
		}
		if slices.ContainsFunc(n.columns, func(c Column) bool { return c.Name == name }) {
			continue // a canonical name that is no raw one, such as hour_of_day: made here
		}
		n.extra = append(n.extra, i)
		n.columns = append(n.columns, Column{Name: name, From: []string{name}, Level: true})
	}
	return n, nil
}

// Columns returns the canonical columns: 45, then those of the header that are
// no known metric, as they are. The slice must not be changed.
func (n *Normaliser) Columns() []Column { return n.columns }

// Missing returns the raw metrics that the header lacks, aggregates that are
// made from others aside.
func (n *Normaliser) Missing() []string {
	var out []string
	for k, at := range n.at {
		if at < 0 && metrics[k].Role != Aggregate {
			out = append(out, metrics[k].Name)
		}
	}
	return out
}

// Extra returns the columns of the header that are no known metric.
func (n *Normaliser) Extra() []string {
	var out []string
	for _, c := range n.columns[canonicalCount:] {
		out = append(out, c.Name)
	}
	return out
}

// Row appends the canonical values of s, parallel to Columns, to dst. Infinite
// values count as missing. The first sample of a device has no rates.
func (n *Normaliser) Row(dst []float64, s *Sample) []float64 {
	last := n.devices[s.Device]
	if last == nil {
		last = &lastSample{}
		n.devices[s.Device] = last
	}
	raw := func(k int) float64 {
		if n.at[k] < 0 || n.at[k] >= len(s.Values) || math.IsInf(s.Values[n.at[k]], 0) {
			return math.NaN()
		}
		return s.Values[n.at[k]]
	}
	start := len(dst)
	for range n.columns {
		dst = append(dst, math.NaN())
	}
	v := dst[start:]

	uptime := raw(colUptime)
	rebooted := last.begun && uptime < last.uptime
	if rebooted {
		n.report.Reboots++
	}
	rate := func(k int) float64 { return n.rate(last, k, raw(k), s.Millis, rebooted) }

	// the first 34 canonical columns are raw metrics in their order, the
	// aggregates between load and processes aside
	k := 0
	for j := range colCPU {
		if k == indexCPUAvg {
			k = indexProcCount
		}
		switch {
		case metrics[k].Role == Counter:
			v[j] = rate(k)
		default:
			v[j] = raw(k)
		}
		switch j {
		case colMemoryTotal, colMemoryUsed, colMemoryFree, colSwap:
			v[j] /= 1024
		case colNetIn, colNetOut:
			v[j] /= 1 << 20
		}
		k++
	}
	n.derive(v, raw, rate)
	offset := s.OffsetMinutes
	if offset == 0 {
		offset = n.c.UTCOffsetMinutes
	}
	v[colHour], v[colWeekday], v[colWeekend] = localTime(s.Millis, offset)
	for i, at := range n.extra {
		if at < len(s.Values) && !math.IsInf(s.Values[at], 0) {
			v[canonicalCount+i] = s.Values[at]
		}
	}
	last.begun, last.millis = true, s.Millis
	if !math.IsNaN(uptime) {
		last.uptime = uptime
	}
	return dst
}

// Positions in metrics where the canonical order skips the aggregates.
const (
	indexCPUAvg    = 23
	indexCPUMax    = 24
	indexCPUStd    = 25
	indexMemoryPct = 26
	indexDiskTotal = 27
	indexNetTotal  = 28
	indexProcCount = 29
)

// derive fills the columns that several metrics make, from the metrics where
// they are there, else from what the agent computed.
func (n *Normaliser) derive(v []float64, raw, rate func(int) float64) {
	or := func(own float64, other func(int) float64, k int) float64 {
		if math.IsNaN(own) {
			return other(k)
		}
		return own
	}
	var cores [4]float64
	loads := finite(cores[:0], v[colCore0:colCore3+1])
	m := mean(loads)
	v[colCPU] = or(m, raw, indexCPUAvg)
	top := math.NaN()
	if len(loads) > 0 {
		top = slices.Max(loads)
	}
	v[colCPUMax] = or(top, raw, indexCPUMax)
	v[colCPUStd] = or(deviation(loads, m), raw, indexCPUStd)
	v[colMemory] = math.NaN()
	if v[colMemoryTotal] > 0 {
		v[colMemory] = 100 * v[colMemoryUsed] / v[colMemoryTotal]
	}
	v[colMemory] = or(v[colMemory], raw, indexMemoryPct)
	v[colDisk] = or(v[colReads]+v[colWrites], rate, indexDiskTotal)
	v[colNet] = v[colNetIn] + v[colNetOut]
	if math.IsNaN(v[colNet]) {
		v[colNet] = rate(indexNetTotal) / (1 << 20)
	}
	v[colErrorRate] = 100 * v[colErrorsIn] / (v[colPacketsIn] + 1)
	v[colChurn] = v[colProcNew] + v[colProcTerminated]
}

// rate returns the change of counter k per second. Cumulative counters: the
// difference to the value before, plus 2^32 when the counter wrapped; missing
// after a restart, a reset, or more than MaxGapSec. Interval counters: the
// amount over the time since the sample before.
func (n *Normaliser) rate(last *lastSample, k int, v float64, millis int64, rebooted bool) float64 {
	if math.IsNaN(v) {
		return v
	}
	if v < 0 {
		return math.NaN()
	}
	if n.c.Counters == CountersInterval {
		sec := float64(millis-last.millis) / 1000
		if !last.begun || sec <= 0 || sec > float64(n.c.MaxGapSec) {
			return math.NaN()
		}
		return v / sec
	}
	before, when := last.value[k], last.counted[k]
	known := when != 0
	last.value[k], last.counted[k] = v, millis
	sec := float64(millis-when) / 1000
	role := metrics[k].Role
	switch {
	case !known || sec <= 0 || sec > float64(n.c.MaxGapSec) || rebooted:
		return math.NaN()
	case v >= before:
		return (v - before) / sec
	case wrapped(before, v):
		if role == Counter {
			n.report.Wraps++
		}
		return (v + (1 << 32) - before) / sec
	}
	if role == Counter {
		n.report.Resets++
	}
	return math.NaN()
}

// localTime returns hour, day (Monday is 0) and whether it is Saturday or
// Sunday, of a clock that adds offset minutes to UTC.
func localTime(millis int64, offset int) (hour, weekday, weekend float64) {
	const day = 86_400_000
	local := millis + int64(offset)*60_000
	days := local / day
	if local%day < 0 {
		days--
	}
	hour = float64((local - days*day) / 3_600_000)
	d := (days%7 + 7 + 3) % 7 // 1 January 1970 was a Thursday
	weekday = float64(d)
	if d >= 5 {
		weekend = 1
	}
	return hour, weekday, weekend
}
