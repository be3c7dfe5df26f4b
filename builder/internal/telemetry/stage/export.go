package stage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"cloister/builder/internal/telemetry/table"
	"cloister/shared/telemetry"
)

// PipelineVersion is the version of the outputs' form.
const PipelineVersion = "2.0.0"

// Summary is pipeline_summary.json. It holds no date of execution, so that
// equal input gives equal bytes.
type Summary struct {
	Version      string           `json:"pipeline_version"`
	Status       string           `json:"status"`
	Simulated    bool             `json:"simulated"` // a simulator made at least one of the samples
	InputRows    int64            `json:"input_rows"`
	InputSamples int              `json:"input_samples"`
	BadRows      map[string]int64 `json:"bad_rows,omitempty"` // left out, by reason
	Devices      []string         `json:"devices"`
	FirstMillis  int64            `json:"first_window_start"`
	LastMillis   int64            `json:"last_window_end"`
	Windows      int              `json:"window_count"`
	Train        int              `json:"train_count"`
	Validation   int              `json:"val_count"`
	Flagged      int              `json:"flagged_count"`
	Features     int              `json:"total_features"`
	Engineered   int              `json:"engineered_features"`
	Missing      []string         `json:"missing_metrics,omitempty"`
	Extra        []string         `json:"extra_metrics,omitempty"`
	Stream       telemetry.Report `json:"stream"`
	Scenarios    map[string]int   `json:"scenario_windows"` // windows on which each scenario fires
	Config       telemetry.Config `json:"configuration"`
	Files        []string         `json:"output_files"`
}

// Metadata is feature_metadata.json.
type Metadata struct {
	Count      int              `json:"feature_count"`
	Windows    int              `json:"window_count"`
	Train      int              `json:"train_count"`
	Validation int              `json:"val_count"`
	Config     telemetry.Config `json:"config"`
	Features   []FeatureStats   `json:"features"`
	Indicators []string         `json:"anomaly_indicators"` // threat signals: neither scaled nor clipped
}

// FeatureStats describes one column before stage 4. A statistic without values
// is null.
type FeatureStats struct {
	Name    string           `json:"name"`
	Family  telemetry.Family `json:"family"` // "window statistic" for those of stage 2
	Formula string           `json:"formula,omitempty"`
	Unit    string           `json:"unit,omitempty"`
	From    []string         `json:"from,omitempty"`
	Mean    *float64         `json:"mean"`
	Std     *float64         `json:"std"`
	Min     *float64         `json:"min"`
	Max     *float64         `json:"max"`
	Missing int              `json:"missing"`
}

// Export writes everything that is left of a run to folder: tables, fitted
// stage, metadata, dictionary, summary and plots.
func Export(folder string, c telemetry.Config, full *Table, raw *table.Raw, report telemetry.Report) (*Summary, error) {
	p, err := Prepare(c, full)
	if err != nil {
		return nil, err
	}
	w := &writer{folder: folder}
	part := func(validation bool) *Table {
		t := &Table{Names: p.Matrix.Names, Labelled: p.Matrix.Labelled}
		for i, r := range p.Matrix.Rows {
			if p.Validation[i] == validation {
				t.Rows = append(t.Rows, r)
			}
		}
		return t
	}
	for _, f := range []struct {
		name string
		t    *Table
	}{{"canonical_telemetry_full", full}, {"train_features", part(false)}, {"val_features", part(true)}} {
		w.tables(c, f.name, f.t.Columns())
	}
	w.file("preparer.json", func() ([]byte, error) { return p.Preparer.AppendJSON(nil) })
	w.file("config.json", func() ([]byte, error) { return c.AppendJSON(nil) })
	w.file("features.md", func() ([]byte, error) {
		return []byte("# Features\n\n" + telemetry.Markdown(telemetry.Features(c))), nil
	})
	s, err := summarise(c, full, raw, report, p)
	if err != nil {
		return nil, err
	}
	w.file("feature_metadata.json", func() ([]byte, error) { return indented(metadata(c, full, s)) })
	figures, err := Plots(c, full, p)
	if err != nil {
		return nil, err
	}
	for _, f := range figures {
		w.file(f.Name, func() ([]byte, error) { return f.Content, nil })
	}
	s.Files = slices.Sorted(slices.Values(w.files))
	w.file("pipeline_summary.json", func() ([]byte, error) { return indented(s) })
	return s, w.err
}

// writer writes files until the first error.
type writer struct {
	folder string
	files  []string
	err    error
}

func (w *writer) file(name string, content func() ([]byte, error)) {
	if w.err != nil {
		return
	}
	b, err := content()
	path := filepath.Join(w.folder, filepath.FromSlash(name))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), fs.ModePerm)
	}
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		w.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	w.files = append(w.files, name)
}

// tables writes columns in the forms that the configuration asks for.
func (w *writer) tables(c telemetry.Config, name string, columns []table.Column) {
	if c.SaveCSV {
		w.file(name+".csv", func() ([]byte, error) {
			var b bytes.Buffer
			err := table.WriteCSV(&b, columns)
			return b.Bytes(), err
		})
	}
	if c.SaveParquet {
		w.file(name+".parquet", func() ([]byte, error) {
			var b bytes.Buffer
			err := table.WriteParquet(&b, columns, c.Compression)
			return b.Bytes(), err
		})
	}
}

func indented(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

func summarise(c telemetry.Config, full *Table, raw *table.Raw, report telemetry.Report, p *Prepared) (*Summary, error) {
	s := &Summary{
		Version: PipelineVersion, Status: "success", Simulated: raw.Simulated(), InputRows: raw.Rows, InputSamples: len(raw.Samples), BadRows: raw.Bad,
		Windows: len(full.Rows), Features: len(full.Names), Engineered: len(telemetry.Features(c)), Stream: report, Config: c, Scenarios: map[string]int{},
		FirstMillis: math.MaxInt64,
	}
	for i, r := range full.Rows {
		if !slices.Contains(s.Devices, r.Device) {
			s.Devices = append(s.Devices, r.Device)
		}
		s.FirstMillis, s.LastMillis = min(s.FirstMillis, r.Start), max(s.LastMillis, r.End)
		if p.Validation[i] {
			s.Validation++
		} else {
			s.Train++
		}
		if p.Flagged[i] {
			s.Flagged++
		}
	}
	n, err := telemetry.NewNormaliser(c, raw.Header)
	if err != nil {
		return nil, err
	}
	s.Missing, s.Extra = n.Missing(), n.Extra()
	fired, rules, err := Scenarios(c, full)
	if err != nil {
		return nil, err
	}
	for _, sc := range rules.Scenarios() {
		s.Scenarios[sc.Name] = 0
	}
	for _, list := range fired {
		for _, k := range list {
			s.Scenarios[rules.Scenarios()[k].Name]++
		}
	}
	return s, nil
}

// Scenarios returns, for each window of stage 3, the scenarios that fire on
// it.
func Scenarios(c telemetry.Config, full *Table) ([][]int, *telemetry.Rules, error) {
	list := telemetry.Features(c)
	rules, err := telemetry.DefaultRules(list)
	if err != nil {
		return nil, nil, err
	}
	at := make([]int, len(list))
	for k, f := range list {
		i, ok := full.Index(f.Name)
		if !ok {
			return nil, nil, fmt.Errorf("feature %s is not in the table", f.Name)
		}
		at[k] = i
	}
	var out [][]int
	for i := range full.Rows {
		out = append(out, rules.Fired(pick(full.Rows[i].Values, at)))
	}
	return out, rules, nil
}

func metadata(c telemetry.Config, full *Table, s *Summary) Metadata {
	m := Metadata{Count: len(full.Names), Windows: s.Windows, Train: s.Train, Validation: s.Validation, Config: c}
	for j, f := range descriptions(c, full.Names) {
		if f.Threat {
			m.Indicators = append(m.Indicators, f.Name)
		}
		if f.Family == "" {
			f.Family = "window statistic"
		}
		st := FeatureStats{Name: f.Name, Family: f.Family, Formula: f.Formula, Unit: f.Unit, From: f.From}
		var v []float64
		for i := range full.Rows {
			if x := full.Rows[i].Values[j]; !math.IsNaN(x) {
				v = append(v, x)
			}
		}
		st.Missing = len(full.Rows) - len(v)
		if len(v) > 0 {
			mean, std := meanStd(v)
			low, high := slices.Min(v), slices.Max(v)
			st.Mean, st.Std, st.Min, st.Max = &mean, &std, &low, &high
		}
		m.Features = append(m.Features, st)
	}
	return m
}

// meanStd returns mean and sample deviation, 0 for one value.
func meanStd(v []float64) (mean, std float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	for _, x := range v {
		std += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(std / math.Max(float64(len(v)-1), 1))
}
