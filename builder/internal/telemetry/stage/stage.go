// Package stage runs the stages of telemetry over whole tables, one by one or
// all together, and writes what comes out. It hides how rows of windows are
// kept, numbered and split.
//
//	full, report, err := stage.Run(config, raw)
//	err = stage.Export(folder, config, full, raw, report)
//
// Windows are in the order of device name and time, whatever the order of the
// file. The same input and settings give the same bytes.
package stage

import (
	"cmp"
	"fmt"
	"slices"

	"cloister/builder/internal/telemetry/table"
	"cloister/shared/telemetry"
)

// Row is one window.
type Row struct {
	Device     string
	Start, End int64 // milliseconds since 1970 UTC
	Samples    int
	Gap        int
	Simulated  bool
	Label      bool // a labelled sample lies in it
	Values     []float64
}

// Table is windows with values.
type Table struct {
	Names    []string
	Rows     []Row
	Labelled bool
}

// sorted orders rows by device and time.
func (t *Table) sorted() {
	slices.SortStableFunc(t.Rows, func(a, b Row) int { return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Start, b.Start)) })
}

// Index returns the position of a value.
func (t *Table) Index(name string) (int, bool) {
	i := slices.Index(t.Names, name)
	return i, i >= 0
}

// Column returns the values of one name, nil if there is none.
func (t *Table) Column(name string) []float64 {
	i, ok := t.Index(name)
	if !ok {
		return nil
	}
	out := make([]float64, len(t.Rows))
	for r := range t.Rows {
		out[r] = t.Rows[r].Values[i]
	}
	return out
}

// probe is how many samples decide about counters and the time between samples.
const probe = 4096

// Decided returns c with what it leaves to the data decided on raw: the
// counter mode, and the window when samples are further apart.
func Decided(c telemetry.Config, raw *table.Raw) telemetry.Config {
	first := raw.Samples[:min(len(raw.Samples), probe)]
	if c.Counters == telemetry.CountersAuto {
		c.Counters = telemetry.DetectCounters(raw.Header, first)
	}
	return c.Adapted(telemetry.Interval(byTime(first)))
}

// byTime returns the samples in ascending time, devices in order of name at
// one time.
func byTime(samples []telemetry.Sample) []telemetry.Sample {
	out := slices.Clone(samples)
	slices.SortStableFunc(out, func(a, b telemetry.Sample) int {
		return cmp.Or(cmp.Compare(a.Millis, b.Millis), cmp.Compare(a.Device, b.Device))
	})
	return out
}

// Run runs stages 1 to 3: raw samples to windows with statistics and features.
func Run(c telemetry.Config, raw *table.Raw) (*Table, telemetry.Report, error) {
	c = Decided(c, raw)
	p, err := telemetry.NewPipeline(c, raw.Header)
	if err != nil {
		return nil, telemetry.Report{}, err
	}
	t := &Table{Names: slices.Clone(p.Windower().Names()), Labelled: raw.Labels != nil}
	keep := t.addFeatures(c)
	err = p.Run(byTime(raw.Samples), func(w *telemetry.Window, x []float64) error {
		t.Rows = append(t.Rows, rowOf(w, w.Values, pick(x, keep)))
		return nil
	})
	if err != nil {
		return nil, p.Report(), err
	}
	t.sorted()
	t.label(raw)
	return t, p.Report(), t.some()
}

// some returns an error for a table without windows.
func (t *Table) some() error {
	if len(t.Rows) == 0 {
		return fmt.Errorf("no window holds a sample")
	}
	return nil
}

// addFeatures appends the names of the features that are not window values
// already, and returns which those are.
func (t *Table) addFeatures(c telemetry.Config) []int {
	have := map[string]bool{}
	for _, n := range t.Names {
		have[n] = true
	}
	var keep []int
	for i, f := range telemetry.Features(c) {
		if !have[f.Name] {
			t.Names = append(t.Names, f.Name)
			keep = append(keep, i)
		}
	}
	return keep
}

func pick(x []float64, keep []int) []float64 {
	out := make([]float64, len(keep))
	for k, i := range keep {
		out[k] = x[i]
	}
	return out
}

func rowOf(w *telemetry.Window, values ...[]float64) Row {
	return Row{Device: w.Device, Start: w.Start, End: w.End, Samples: w.Samples, Gap: w.Gap, Simulated: w.Simulated, Values: slices.Concat(values...)}
}

// label marks the windows that hold a labelled sample.
func (t *Table) label(raw *table.Raw) {
	if raw.Labels == nil {
		return
	}
	times := map[string][]int64{}
	for i, s := range raw.Samples {
		if raw.Labels[i] {
			times[s.Device] = append(times[s.Device], s.Millis)
		}
	}
	for _, v := range times {
		slices.Sort(v)
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		v := times[r.Device]
		k, _ := slices.BinarySearch(v, r.Start)
		r.Label = k < len(v) && v[k] < r.End
	}
}

// Normalise runs stage 1 alone: canonical samples, by device and time, equal
// times once.
func Normalise(c telemetry.Config, raw *table.Raw) (*table.Raw, error) {
	c = Decided(c, raw)
	n, err := telemetry.NewNormaliser(c, raw.Header)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(raw.Samples))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &raw.Samples[a], &raw.Samples[b]
		return cmp.Or(cmp.Compare(x.Device, y.Device), cmp.Compare(x.Millis, y.Millis))
	})
	out := &table.Raw{}
	for _, col := range n.Columns() {
		out.Header = append(out.Header, col.Name)
	}
	if raw.Labels != nil {
		out.Labels = []bool{}
	}
	for k, i := range order {
		s := raw.Samples[i]
		if k > 0 && raw.Samples[order[k-1]].Device == s.Device && raw.Samples[order[k-1]].Millis == s.Millis {
			continue
		}
		s.Values = n.Row(nil, &raw.Samples[i])
		out.Samples = append(out.Samples, s)
		if raw.Labels != nil {
			out.Labels = append(out.Labels, raw.Labels[i])
		}
	}
	out.Rows = int64(len(out.Samples))
	return out, nil
}

// Window runs stage 2 alone on canonical samples in the order in which
// [Normalise] gives them.
func Window(c telemetry.Config, canonical *table.Raw) (*Table, error) {
	c = c.Adapted(telemetry.Interval(byTime(canonical.Samples[:min(len(canonical.Samples), probe)])))
	var columns []telemetry.Column
	for _, name := range canonical.Header {
		columns = append(columns, telemetry.Column{Name: name})
	}
	w := telemetry.NewWindower(c, columns)
	t := &Table{Names: slices.Clone(w.Names()), Labelled: canonical.Labels != nil}
	emit := func(w *telemetry.Window) error {
		t.Rows = append(t.Rows, rowOf(w, w.Values))
		return nil
	}
	for i := range canonical.Samples {
		s := &canonical.Samples[i]
		if err := w.Add(s.Device, s.Millis, s.Values, s.Simulated, emit); err != nil {
			return nil, err
		}
	}
	if err := w.Flush(emit); err != nil {
		return nil, err
	}
	t.sorted()
	t.label(canonical)
	return t, t.some()
}

// Engineer runs stage 3 alone on the windows of stage 2.
func Engineer(c telemetry.Config, windows *Table) (*Table, error) {
	e, err := telemetry.NewEngineer(c, windows.Names)
	if err != nil {
		return nil, err
	}
	t := &Table{Names: slices.Clone(windows.Names), Labelled: windows.Labelled}
	keep := t.addFeatures(c)
	windows.sorted()
	for i := range windows.Rows {
		r := windows.Rows[i]
		w := telemetry.Window{ID: int64(i + 1), Device: r.Device, Start: r.Start, End: r.End, Samples: r.Samples, Gap: r.Gap, Values: r.Values, Simulated: r.Simulated}
		r.Values = slices.Concat(r.Values, pick(e.Features(nil, &w), keep))
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}

// Prepared is what stage 4 makes.
type Prepared struct {
	Preparer   *telemetry.Preparer
	Matrix     *Table // every row, finite
	Validation []bool // which rows are not training
	Flagged    []bool // which rows the anomaly score flags: they set no scale
}

// Prepare runs stage 4 on the windows of stage 3: it splits by time, fits on
// the training rows and applies to all.
func Prepare(c telemetry.Config, full *Table) (*Prepared, error) {
	features := descriptions(c, full.Names)
	n := len(full.Rows)
	p := &Prepared{Flagged: make([]bool, n)}
	devices, starts := make([]string, n), make([]int64, n)
	score := full.Column("anomaly_score")
	for i, r := range full.Rows {
		devices[i], starts[i] = r.Device, r.Start
		p.Flagged[i] = score != nil && score[i] >= c.AnomalyThreshold
	}
	p.Validation = telemetry.Split(devices, starts, c.TrainShare)
	var x []float64
	var flagged []bool
	for i, r := range full.Rows {
		if !p.Validation[i] {
			x = append(x, r.Values...)
			flagged = append(flagged, p.Flagged[i])
		}
	}
	var err error
	if p.Preparer, err = telemetry.FitPreparer(c, features, x, flagged); err != nil {
		return nil, err
	}
	p.Matrix = &Table{Names: p.Preparer.Names(), Labelled: full.Labelled}
	for _, r := range full.Rows {
		r.Values = p.Preparer.Row(nil, r.Values)
		p.Matrix.Rows = append(p.Matrix.Rows, r)
	}
	return p, nil
}

// descriptions returns the dictionary's entry of each name, a bare one for a
// window statistic.
func descriptions(c telemetry.Config, names []string) []telemetry.Feature {
	known := map[string]telemetry.Feature{}
	for _, f := range telemetry.Features(c) {
		known[f.Name] = f
	}
	var out []telemetry.Feature
	for _, n := range names {
		f, ok := known[n]
		if !ok {
			f = telemetry.Feature{Name: n}
		}
		out = append(out, f)
	}
	return out
}
