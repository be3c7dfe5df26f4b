package ingest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"cloister/shared/frame"
	"cloister/shared/telemetry"
)

// telemetryTable makes one row a window out of records of one sample each. The
// number of a row is that of its window, and so is its offset: windows have no
// place in the file.
type telemetryTable struct {
	src     source
	again   func() (source, error) // the file from its start, with the same layout
	layout  telemetry.Layout
	config  telemetry.Config
	header  []string
	what    string
	remark  string // what of the file may be missing
	limit   int    // bytes of kept rows
	probe   []telemetry.Sample
	labels  map[string][]int64 // times of labelled samples a device, ascending enough to prune
	rules   *telemetry.Rules
	p       *telemetry.Pipeline
	has     []bool
	frame   *frame.Frame
	cells   [][]byte
	devices map[string]string
	row     int64
	samples int64
	bad     map[string]int64
	kept    []*frame.Frame
	keeping int
	ended   bool
	flushed bool
	err     error
}

var _ table = (*telemetryTable)(nil)

// telemetryProbe is how many samples decide how counters count and how far
// apart samples are.
const telemetryProbe = 1024

// telemetryRow is what a kept row takes, in bytes.
const telemetryRow = 4096

// telemetryKnown is how many of the known metrics a header needs to be taken
// for telemetry although it has flow columns as well.
const telemetryKnown = 3

// openTelemetry opens records as telemetry if their header says so; flows is
// how many flow fields it has too.
func (s *Source) openTelemetry(src source, header []string, flows int) (bool, error) {
	layout, err := telemetry.LayoutOf(header)
	if err != nil || flows >= minColumns && layout.Known < telemetryKnown {
		return false, nil
	}
	json := src.name() == "json"
	what, note := "CSV", ""
	if json {
		what = "JSON Lines"
	}
	again := func() (source, error) {
		rec, _, err := s.begin()
		if err != nil {
			return nil, err
		}
		if json {
			return newJSONRows(rec, s.content, s.lim)
		}
		return newDelimited(rec, s.content, s.lim)
	}
	if c, ok := src.(*cellRows); ok {
		what, note = c.kind, c.note
		again = func() (source, error) { return c.at(1) }
	}
	t := &telemetryTable{src: src, again: again, layout: layout, header: header, what: "telemetry, " + what, remark: note, limit: s.lim.KeptBytes}
	if err := t.start(); err != nil {
		return true, err
	}
	s.table, s.holds = t, []*frame.Schema{telemetry.Schema()}
	return true, nil
}

// start reads the first samples and prepares the stages.
func (t *telemetryTable) start() error {
	t.bind(t.src)
	t.devices, t.bad, t.labels = map[string]string{}, map[string]int64{}, map[string][]int64{}
	for len(t.probe) < telemetryProbe && !t.ended {
		if s, ok := t.sample(); ok {
			t.probe = append(t.probe, s)
		}
	}
	t.config = telemetry.DefaultConfig()
	t.config.Counters = telemetry.DetectCounters(t.layout.Names, t.probe)
	t.config = t.config.Adapted(telemetry.Interval(t.probe))
	var err error
	if t.rules, err = telemetry.DefaultRules(telemetry.Features(t.config)); err != nil {
		return err
	}
	if t.p, err = telemetry.NewPipeline(t.config, t.layout.Names); err != nil {
		return err
	}
	t.has = make([]bool, len(telemetry.Schema().Fields))
	for i, m := range t.fields() {
		t.has[i] = m.How != Missing
	}
	t.frame = frame.New(telemetry.Schema(), 256, t.has)
	return nil
}

// bind asks src for the columns of the layout: time, device, label, mark, then
// the metrics.
func (t *telemetryTable) bind(src source) {
	columns := []int{t.layout.Time, max(t.layout.Device, 0), max(t.layout.Label, 0), max(t.layout.Simulated, 0)}
	columns = append(columns, t.layout.Metrics...)
	src.bind(columns)
	t.cells = make([][]byte, len(columns))
}

// sample reads one record; ok is false for one that is left out, and at the
// end.
func (t *telemetryTable) sample() (s telemetry.Sample, ok bool) {
	rec, err := t.src.next(t.cells)
	if err != nil {
		t.ended = true
		if !errors.Is(err, io.EOF) {
			t.err = err
		}
		return s, false
	}
	t.samples++
	switch {
	case rec.apart != "":
		t.bad["record of another kind, left out"]++
		return s, false
	case rec.reason != "":
		t.bad["sample left out: "+rec.reason]++
		return s, false
	}
	if s.Millis, s.OffsetMinutes, ok = telemetry.ParseTime(string(t.cells[0])); !ok {
		t.bad["sample left out: no time"]++
		return s, false
	}
	s.Device = telemetry.DefaultDevice
	if t.layout.Device >= 0 {
		if s.Device, ok = t.device(t.cells[1]); !ok {
			t.bad["sample left out: no device"]++
			return s, false
		}
	}
	s.Values = make([]float64, len(t.layout.Metrics))
	for i := range s.Values {
		cell := t.cells[4+i]
		v, ok := parseNumber(cell)
		if !ok {
			v = math.NaN()
			if len(strings.TrimSpace(string(cell))) > 0 && string(cell) != "null" {
				t.bad["not a number, read as missing"]++
			}
		}
		s.Values[i] = v
	}
	if t.layout.Simulated >= 0 {
		s.Simulated = telemetry.Truth(string(t.cells[3]))
	}
	if t.layout.Label >= 0 && telemetry.Truth(string(t.cells[2])) {
		t.labels[s.Device] = append(t.labels[s.Device], s.Millis)
	}
	return s, true
}

// device returns a name that is shared between equal cells.
func (t *telemetryTable) device(cell []byte) (string, bool) {
	if d, ok := t.devices[string(cell)]; ok {
		return d, true
	}
	d := strings.TrimSpace(strings.ToValidUTF8(string(cell[:min(len(cell), 256)]), "\ufffd"))
	if d == "" || d == "null" {
		return "", false
	}
	if len(t.devices) < telemetry.MaxDevices {
		t.devices[string(cell)] = d
	}
	return d, true
}

// next implements [Source.Next].
func (t *telemetryTable) next() (*frame.Frame, error) {
	f := t.frame
	f.Reset()
	emit := func(w *telemetry.Window, x []float64) error { t.window(f, w, x); return nil }
	for n := 0; n < frameRows && f.Len() < frameRows; n++ {
		s, ok, more := t.pull()
		if !more {
			break
		}
		if ok {
			_ = t.p.Add(s, emit) // emit never fails
		}
	}
	if t.ended && len(t.probe) == 0 && !t.flushed {
		t.flushed = true
		_ = t.p.Flush(emit)
	}
	switch {
	case f.Len() > 0 || !t.ended || len(t.probe) > 0:
		return f, nil
	case t.err != nil:
		return nil, t.err
	case t.row == 0:
		return nil, ErrEmpty
	}
	return nil, io.EOF
}

// pull returns the next sample, of the probe first.
func (t *telemetryTable) pull() (s telemetry.Sample, ok, more bool) {
	if len(t.probe) > 0 {
		s, t.probe = t.probe[0], t.probe[1:]
		return s, true, true
	}
	if t.ended {
		return s, false, false
	}
	s, ok = t.sample()
	return s, ok, true
}

// window appends a window to f, and keeps a copy while there is room.
func (t *telemetryTable) window(f *frame.Frame, w *telemetry.Window, x []float64) {
	t.row++
	t.fill(f, w, x)
	if (t.keeping+1)*telemetryRow <= t.limit {
		t.keeping++
		one := frame.New(telemetry.Schema(), 1, t.has)
		t.fill(one, w, x)
		t.kept = append(t.kept, one)
	}
}

func (t *telemetryTable) fill(f *frame.Frame, w *telemetry.Window, x []float64) {
	f.Row, f.Offset = append(f.Row, t.row), append(f.Offset, t.row)
	text := func(name, v string) {
		if i, _ := telemetry.Schema().Index(name); f.Texts[i] != nil {
			f.Texts[i] = append(f.Texts[i], v)
		}
	}
	number := func(name string, v float64) {
		i, _ := telemetry.Schema().Index(name)
		f.Numbers[i] = append(f.Numbers[i], v)
	}
	var titles, techniques []string
	for _, k := range t.rules.Fired(x) {
		s := &t.rules.Scenarios()[k]
		titles = append(titles, s.Title)
		for _, id := range s.Techniques {
			if !slices.Contains(techniques, id) {
				techniques = append(techniques, id)
			}
		}
	}
	e := t.p.Engineer()
	text(telemetry.FieldDevice, w.Device)
	number(telemetry.FieldStart, float64(w.Start))
	number(telemetry.FieldEnd, float64(w.End))
	number(telemetry.FieldSamples, float64(w.Samples))
	text(telemetry.FieldScenario, strings.Join(titles, ", "))
	text(telemetry.FieldTechniques, strings.Join(techniques, " "))
	text(telemetry.FieldMetrics, telemetry.PartsText(e.AllParts(5)))
	text(telemetry.FieldLevel, telemetry.PartsText(e.Parts("level", 8)))
	text(telemetry.FieldChange, telemetry.PartsText(e.Parts("change", 8)))
	text(telemetry.FieldVolatility, telemetry.PartsText(e.Parts("volatility", 8)))
	text(telemetry.FieldSimulated, map[bool]string{true: "yes"}[w.Simulated])
	text(telemetry.FieldLabel, t.label(w))
	first := len(telemetry.Schema().Fields) - len(x)
	for i, v := range x {
		if f.Numbers[first+i] != nil {
			f.Numbers[first+i] = append(f.Numbers[first+i], v)
		}
	}
}

// Labels of windows.
const (
	labelAnomalous = "Anomalous"
	labelNormal    = "Normal"
)

// label returns the label of a window: anomalous if a labelled sample lies in
// it.
func (t *telemetryTable) label(w *telemetry.Window) string {
	times := t.labels[w.Device]
	for _, at := range times {
		if at >= w.Start && at < w.End {
			return labelAnomalous
		}
	}
	// nothing before this window's start is asked for again
	t.labels[w.Device] = slices.DeleteFunc(times, func(at int64) bool { return at < w.Start })
	return labelNormal
}

// at implements [Source.At]: a kept row, or all windows up to it once more.
func (t *telemetryTable) at(offset int64) (*frame.Frame, error) {
	if offset >= 1 && offset <= int64(len(t.kept)) {
		return t.kept[offset-1], nil
	}
	src, err := t.again()
	if err != nil {
		return nil, err
	}
	again := &telemetryTable{src: src, layout: t.layout, header: t.header}
	if err := again.start(); err != nil {
		return nil, err
	}
	for {
		f, err := again.next()
		if err != nil {
			return nil, &FormatError{Format: "telemetry", Offset: offset, What: "no such window"}
		}
		for i, row := range f.Row {
			if row == offset {
				return single(f, i, t.has), nil
			}
		}
	}
}

// single returns row i of f as a frame of its own.
func single(f *frame.Frame, i int, has []bool) *frame.Frame {
	one := frame.New(f.Schema, 1, has)
	one.Row, one.Offset = append(one.Row, f.Row[i]), append(one.Offset, f.Offset[i])
	for k := range f.Schema.Fields {
		if f.Numbers[k] != nil {
			one.Numbers[k] = append(one.Numbers[k], f.Numbers[k][i])
		}
		if f.Texts[k] != nil {
			one.Texts[k] = append(one.Texts[k], f.Texts[k][i])
		}
	}
	return one
}

func (t *telemetryTable) schema() *frame.Schema { return telemetry.Schema() }

// describe names the format, how samples become windows, and how many came.
func (t *telemetryTable) describe() string {
	return fmt.Sprintf("%s, %d metrics; windows of %d s every %d s, counters %s, %d samples of %d devices",
		t.what, len(t.layout.Metrics), t.config.WindowSec, t.config.StepSec, t.config.Counters, t.samples, t.p.Report().Devices)
}

// fields says where each field comes from: features are computed, and missing
// when a column that they are made from is.
func (t *telemetryTable) fields() []Mapped {
	have := telemetry.Makeable(t.layout.Names)
	features := map[string]telemetry.Feature{}
	for _, f := range telemetry.Features(telemetry.DefaultConfig()) {
		features[f.Name] = f
	}
	var out []Mapped
	for _, field := range telemetry.Schema().Fields {
		m := Mapped{Field: field.Name, How: Computed, From: "windows"}
		f, ok := features[field.Name]
		switch {
		case ok:
			m.From = f.Formula
			for _, from := range f.From {
				if from != "*" && from != "timestamp" && !have[from] && len(f.From) < 6 { // a score of six sources needs none
					m.How, m.From = Missing, ""
				}
			}
		case field.Name == telemetry.FieldLabel && t.layout.Label < 0:
			m.How, m.From = Missing, ""
		case field.Name == telemetry.FieldDevice && t.layout.Device >= 0:
			m.How, m.From = Column, t.header[t.layout.Device]
		}
		out = append(out, m)
	}
	return out
}

func (t *telemetryTable) rest() []string { return nil }

// mended returns what was left out or read as missing.
func (t *telemetryTable) mended() map[string]int64 {
	out := map[string]int64{}
	for k, n := range t.bad {
		out[k] = n
	}
	r := t.p.Report()
	for _, c := range []struct {
		what string
		n    int64
	}{
		{"late sample, left out", r.Late}, {"second sample of one time, left out", r.Duplicates}, {"sample of a device or time out of bounds, left out", r.Refused},
		{"restart of a device", r.Reboots}, {"counter that wrapped, unwrapped", r.Wraps}, {"counter that went back, rate missing", r.Resets}, {"gap between windows", r.Gaps},
	} {
		if c.n > 0 {
			out[c.what] = c.n
		}
	}
	return out
}

func (t *telemetryTable) note() string {
	var notes []string
	if t.remark != "" {
		notes = append(notes, t.remark)
	}
	if missing := t.p.Normaliser().Missing(); len(missing) > 0 && len(missing) < 34 {
		notes = append(notes, "without "+strings.Join(missing, ", "))
	}
	return strings.Join(notes, "; ")
}
