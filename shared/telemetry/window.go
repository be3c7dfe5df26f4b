package telemetry

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Window is what one device did in [Start, End): statistics of every canonical
// column. It is valid until the next call of the stage that made it.
type Window struct {
	ID         int64 // counts the windows of a run from 1
	Device     string
	Start, End int64 // milliseconds since 1970 UTC, multiples of the step from 1970
	Samples    int
	// Gap counts the windows without a sample between this one and the
	// device's window before.
	Gap int
	// Values are the window's statistics, parallel to [Windower.Names].
	Values []float64
	// Simulated is set when the samples were made by a simulator; it follows
	// the window into every export.
	Simulated bool
}

// The statistics of a column, in the order of the names.
const (
	statMean = iota
	statStd
	statMin
	statMax
	statMedian
	statCount
)

var statNames = [statCount]string{"mean", "std", "min", "max", "median"}

// shaped are the columns whose distribution within the window is described:
// quantiles, skewness, kurtosis, entropy. They ascend, as statistics wants.
var shaped = [...]int{colProcCount, colCPU, colMemory, colNet, colDisk, colChurn}

// Windower is stage 2: canonical samples to windows of WindowSec seconds, one
// every StepSec. It holds the samples of one window a device. It is not safe
// for concurrent use.
type Windower struct {
	c       Config
	columns []Column
	names   []string
	devices map[string]*pending
	order   []string // of first appearance
	count   int64
	report  *Report
	w       Window
	cell    []float64
	sorted  []float64
}

// pending are the samples of a device that a window may still need.
type pending struct {
	next    int64 // start of the next window, milliseconds
	last    int64 // end of the window before, 0 before the first
	held    int64 // time of the newest sample in a finished window
	gap     int
	times   []int64
	rows    []float64
	flagged bool
}

// NewWindower returns the stage for rows of columns.
func NewWindower(c Config, columns []Column) *Windower {
	w := &Windower{c: c, columns: columns, devices: map[string]*pending{}, report: &Report{}}
	w.names = windowNames(c, columns)
	return w
}

// windowNames returns <column>_<statistic> for the five statistics of every
// column, then the shape of the columns in shaped.
func windowNames(c Config, columns []Column) []string {
	var names []string
	for _, col := range columns {
		for _, s := range statNames {
			names = append(names, col.Name+"_"+s)
		}
	}
	for _, j := range shaped {
		for _, s := range shapeNames(c) {
			names = append(names, canonical[j].Name+"_"+s)
		}
	}
	return names
}

// shapeNames returns the names of the shape of one column: q25 is the quantile
// .25, q995 would be .995.
func shapeNames(c Config) []string {
	var names []string
	for _, q := range c.Quantiles {
		names = append(names, quantileName(q))
	}
	return append(names, "skew", "kurtosis", "entropy")
}

func quantileName(q float64) string {
	s := strings.TrimRight(fmt.Sprintf("%03d", int(math.Round(q*1000))), "0")
	if len(s) < 2 {
		s += strings.Repeat("0", 2-len(s))
	}
	return "q" + s
}

// Names returns the names of the values of a window. The slice must not be
// changed.
func (w *Windower) Names() []string { return w.names }

// Add hands over the canonical row of a device at a time that is later than
// its row before, and calls emit for every window that ended by then.
func (w *Windower) Add(device string, millis int64, row []float64, simulated bool, emit func(*Window) error) error {
	step := int64(w.c.StepSec) * 1000
	d := w.devices[device]
	if d == nil {
		d = &pending{next: floor(millis, step), held: math.MinInt64}
		w.devices[device] = d
		w.order = append(w.order, device)
	}
	if err := w.close(device, d, millis, emit); err != nil {
		return err
	}
	if len(d.times) >= MaxWindowSamples {
		w.report.Refused++
		return nil
	}
	w.report.Used++
	d.times = append(d.times, millis)
	d.rows = append(d.rows, row...)
	d.flagged = d.flagged || simulated
	return nil
}

// floor returns the largest multiple of step that is at most v.
func floor(v, step int64) int64 {
	q := v / step
	if v%step < 0 {
		q--
	}
	return q * step
}

// close finishes the windows of d that end by now.
func (w *Windower) close(device string, d *pending, now int64, emit func(*Window) error) error {
	size, step := int64(w.c.WindowSec)*1000, int64(w.c.StepSec)*1000
	for d.next+size <= now {
		w.drop(d, d.next)
		if len(d.times) == 0 { // nothing until now: one jump over the gap
			skip := (now-size-d.next)/step + 1
			d.next += skip * step
			w.skipped(d, skip)
			return nil
		}
		if d.times[0] >= d.next+size {
			skip := (d.times[0]-size-d.next)/step + 1
			d.next += skip * step
			w.skipped(d, skip)
			continue
		}
		if err := w.finish(device, d, emit); err != nil {
			return err
		}
	}
	return nil
}

func (w *Windower) skipped(d *pending, n int64) {
	if d.last != 0 {
		if d.gap == 0 {
			w.report.Gaps++
		}
		d.gap += int(n)
		w.report.GapWindows += n
	}
}

// drop forgets samples before start.
func (w *Windower) drop(d *pending, start int64) {
	k := 0
	for k < len(d.times) && d.times[k] < start {
		k++
	}
	if k > 0 {
		d.times = slices.Delete(d.times, 0, k)
		d.rows = slices.Delete(d.rows, 0, k*len(w.columns))
	}
}

// Flush finishes the windows that hold samples which no finished window held,
// device after device in the order in which they appeared, and forgets all.
func (w *Windower) Flush(emit func(*Window) error) error {
	for _, device := range w.order {
		d := w.devices[device]
		for len(d.times) > 0 && d.times[len(d.times)-1] > d.held {
			if err := w.close(device, d, d.next+int64(w.c.WindowSec)*1000, emit); err != nil {
				return err
			}
		}
	}
	w.devices, w.order = map[string]*pending{}, nil
	return nil
}

// finish emits the window at d.next, which holds a sample.
func (w *Windower) finish(device string, d *pending, emit func(*Window) error) error {
	size, step := int64(w.c.WindowSec)*1000, int64(w.c.StepSec)*1000
	n := 0
	for n < len(d.times) && d.times[n] < d.next+size {
		n++
	}
	w.count++
	w.w = Window{ID: w.count, Device: device, Start: d.next, End: d.next + size, Samples: n, Gap: d.gap, Values: w.w.Values[:0], Simulated: d.flagged}
	w.statistics(d.rows[:n*len(w.columns)], n)
	d.held, d.last, d.gap = d.times[n-1], d.next+size, 0
	d.next += step
	w.report.Windows++
	return emit(&w.w)
}

// statistics appends the values of a window of n rows.
func (w *Windower) statistics(rows []float64, n int) {
	k := len(w.columns)
	var shapes []float64
	for j := range k {
		w.cell = w.cell[:0]
		for i := range n {
			w.cell = append(w.cell, rows[i*k+j])
		}
		w.sorted = finite(w.sorted[:0], w.cell)
		m := mean(w.sorted)
		s := deviation(w.sorted, m)
		shape := j < canonicalCount && slices.Contains(shaped[:], j)
		var skew, kurtosis float64
		if shape {
			skew, kurtosis = moments(w.sorted, m)
		}
		slices.Sort(w.sorted)
		low, high := math.NaN(), math.NaN()
		if len(w.sorted) > 0 {
			low, high = w.sorted[0], w.sorted[len(w.sorted)-1]
		}
		w.w.Values = append(w.w.Values, m, s, low, high, quantile(w.sorted, .5))
		if shape {
			for _, q := range w.c.Quantiles {
				shapes = append(shapes, quantile(w.sorted, q))
			}
			shapes = append(shapes, skew, kurtosis, entropy(w.sorted, w.c.EntropyBins))
		}
	}
	w.w.Values = append(w.w.Values, shapes...)
}
