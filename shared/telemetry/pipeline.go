package telemetry

import (
	"fmt"
	"math"
	"slices"
)

// Pipeline runs stages 1 to 3 over a stream of samples: it puts late samples
// into order, normalises, cuts windows and engineers features. It is not safe
// for concurrent use.
type Pipeline struct {
	c          Config
	normaliser *Normaliser
	windower   *Windower
	engineer   *Engineer
	lines      map[string]*line
	order      []string
	report     Report
	row        []float64
	features   []float64
}

// line is a device's queue of samples that may still be overtaken.
type line struct {
	waiting []Sample // ascending time
	newest  int64
	done    int64 // time of the newest sample handed on
}

// maxMillis bounds times: the year 10000.
const maxMillis = 253402300800000

// NewPipeline returns a pipeline for samples whose values are named by header,
// see [NewNormaliser]. A setting out of range is a [*ConfigError].
func NewPipeline(c Config, header []string) (*Pipeline, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	n, err := NewNormaliser(c, header)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{c: c, normaliser: n, lines: map[string]*line{}}
	p.windower = NewWindower(c, n.Columns())
	p.engineer, err = NewEngineer(c, p.windower.Names())
	if err != nil {
		return nil, err
	}
	p.report.Counters = c.Counters
	n.report, p.windower.report = &p.report, &p.report
	return p, nil
}

// Normaliser returns the stage that makes the canonical columns.
func (p *Pipeline) Normaliser() *Normaliser { return p.normaliser }

// Windower returns the stage that makes the windows.
func (p *Pipeline) Windower() *Windower { return p.windower }

// Engineer returns the stage that makes the features.
func (p *Pipeline) Engineer() *Engineer { return p.engineer }

// Report returns what was counted so far.
func (p *Pipeline) Report() Report { return p.report }

// Emit receives a window and its features, parallel to
// [Engineer.Features]; both are valid until it returns.
type Emit func(w *Window, features []float64) error

// Add hands over a sample and emits the windows that ended by it. A sample
// waits until one of its device is LatenessSec newer; one that comes when a
// newer one has been handed on is late and left out, as is a second one for
// the same time. A sample of a device beyond [MaxDevices], with a time
// outside the years 1970 to 9999, or with a wrong number of values is
// refused. It keeps s.Values until the sample is handed on.
func (p *Pipeline) Add(s Sample, emit Emit) error {
	p.report.Samples++
	l := p.lines[s.Device]
	if l == nil {
		if len(p.lines) == MaxDevices || s.Millis < 0 || s.Millis >= maxMillis {
			p.report.Refused++
			return nil
		}
		l = &line{newest: math.MinInt64, done: math.MinInt64}
		p.lines[s.Device] = l
		p.order = append(p.order, s.Device)
		p.report.Devices++
	}
	if s.Millis < 0 || s.Millis >= maxMillis {
		p.report.Refused++
		return nil
	}
	if s.Millis < l.done {
		p.report.Late++
		return nil
	}
	i, found := slices.BinarySearchFunc(l.waiting, s.Millis, func(a Sample, t int64) int {
		switch {
		case a.Millis < t:
			return -1
		case a.Millis > t:
			return 1
		}
		return 0
	})
	if found || s.Millis == l.done {
		p.report.Duplicates++
		return nil
	}
	l.waiting = slices.Insert(l.waiting, i, s)
	l.newest = max(l.newest, s.Millis)
	ready := 0
	for ready < len(l.waiting) && (l.waiting[ready].Millis <= l.newest-int64(p.c.LatenessSec)*1000 || len(l.waiting)-ready > MaxWindowSamples) {
		ready++
	}
	return p.hand(l, ready, emit)
}

// hand gives the first n waiting samples to the stages.
func (p *Pipeline) hand(l *line, n int, emit Emit) error {
	for i := range n {
		s := &l.waiting[i]
		l.done = s.Millis
		p.row = p.normaliser.Row(p.row[:0], s)
		if err := p.windower.Add(s.Device, s.Millis, p.row, s.Simulated, p.engineered(emit)); err != nil {
			return err
		}
	}
	l.waiting = slices.Delete(l.waiting, 0, n)
	return nil
}

func (p *Pipeline) engineered(emit Emit) func(*Window) error {
	return func(w *Window) error {
		p.features = p.engineer.Features(p.features[:0], w)
		return emit(w, p.features)
	}
}

// Flush hands on what waits and emits the windows left, device after device in
// the order in which they appeared. The pipeline keeps what it learnt of the
// devices, but not their samples.
func (p *Pipeline) Flush(emit Emit) error {
	for _, device := range p.order {
		l := p.lines[device]
		if err := p.hand(l, len(l.waiting), emit); err != nil {
			return err
		}
	}
	return p.windower.Flush(p.engineered(emit))
}

// Run is Add for all samples and Flush. Every sample must have a value for
// every column of header.
func (p *Pipeline) Run(samples []Sample, emit Emit) error {
	for i := range samples {
		if got, want := len(samples[i].Values), len(p.normaliser.extra)+p.known(); got < want {
			return fmt.Errorf("telemetry: sample %d: %d values, want %d", i+1, got, want)
		}
		if err := p.Add(samples[i], emit); err != nil {
			return err
		}
	}
	return p.Flush(emit)
}

// known counts the raw metrics of the header.
func (p *Pipeline) known() int {
	n := 0
	for _, at := range p.normaliser.at {
		if at >= 0 {
			n++
		}
	}
	return n
}
