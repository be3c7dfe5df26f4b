package stage_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cloister/builder/internal/telemetry/simulate"
	"cloister/builder/internal/telemetry/stage"
	"cloister/builder/internal/telemetry/table"
	"cloister/shared/telemetry"
)

func TestRun_orderOfTheFileDoesNotMatter(t *testing.T) {
	raw, _, err := simulate.Run(simulate.Options{Devices: 2, Hours: .5, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	c := telemetry.DefaultConfig()
	want, _, err := stage.Run(c, raw)
	if err != nil {
		t.Fatal(err)
	}
	turned := &table.Raw{Header: raw.Header, Samples: slices.Clone(raw.Samples), Labels: slices.Clone(raw.Labels)}
	slices.Reverse(turned.Samples)
	slices.Reverse(turned.Labels)
	got, report, err := stage.Run(c, turned)
	if err != nil || report.Late != 0 {
		t.Fatal(err, report.Late)
	}
	var a, b bytes.Buffer
	if table.WriteCSV(&a, want.Columns()) != nil || table.WriteCSV(&b, got.Columns()) != nil || !bytes.Equal(a.Bytes(), b.Bytes()) || len(want.Rows) < 100 {
		t.Errorf("%d windows; another order of samples gives others", len(want.Rows))
	}
	again, err := stage.ReadTable(&a)
	if err != nil || len(again.Rows) != len(want.Rows) || !slices.Equal(again.Names, want.Names) {
		t.Errorf("does not read back: %v", err)
	}
}

// Two windows go through everything, plots included.
func TestExport_twoWindows(t *testing.T) {
	raw, _, err := simulate.Run(simulate.Options{Devices: 1, Hours: 90.0 / 3600, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	c := telemetry.DefaultConfig()
	full, report, err := stage.Run(c, raw)
	if err != nil || len(full.Rows) != 2 {
		t.Fatal(err, len(full.Rows))
	}
	dir := t.TempDir()
	s, err := stage.Export(dir, c, full, raw, report)
	if err != nil || s.Train != 1 || s.Validation != 1 || !s.Simulated {
		t.Fatalf("%+v, %v", s, err)
	}
	plots, err := filepath.Glob(filepath.Join(dir, "plots", "*"))
	if err != nil || len(plots) != 8 {
		t.Errorf("plots %v, %v", plots, err)
	}
	for _, name := range s.Files {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Threat signals come out of stage 4 as they went in: the original's anomaly
// score was above 0 after scaling on no window at all.
func TestPrepare_keepsThreats(t *testing.T) {
	raw, _, err := simulate.Run(simulate.Options{Devices: 1, Hours: 4, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	c := telemetry.DefaultConfig()
	full, _, err := stage.Run(c, raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := stage.Prepare(c, full)
	if err != nil {
		t.Fatal(err)
	}
	before, after := full.Column("anomaly_score"), p.Matrix.Column("anomaly_score")
	over := 0
	for i, v := range before {
		if v > 0 {
			over++
		}
		if v != after[i] {
			t.Fatalf("window %d: %v became %v", i, v, after[i])
		}
	}
	if over == 0 {
		t.Error("no window has a score")
	}
	n := 0
	for i, r := range p.Matrix.Rows {
		for j, v := range r.Values {
			n++
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("row %d, %s: %v", i, p.Matrix.Names[j], v)
			}
		}
	}
	if n == 0 || slices.Contains(p.Validation[:len(p.Validation)*8/10], true) || !p.Validation[len(p.Validation)-1] {
		t.Errorf("%d values, split %v", n, p.Validation)
	}
}

func TestRun_labels(t *testing.T) {
	raw := &table.Raw{Header: []string{"m"}, Labels: []bool{}}
	for i := range 20 {
		raw.Samples = append(raw.Samples, telemetry.Sample{Device: "a", Millis: int64(i) * 60_000, Values: []float64{1}})
		raw.Labels = append(raw.Labels, i == 7)
	}
	full, _, err := stage.Run(telemetry.DefaultConfig(), raw)
	if err != nil || len(full.Rows) != 20 {
		t.Fatal(err, len(full.Rows))
	}
	for i, r := range full.Rows {
		if r.Label != (i == 7) {
			t.Errorf("window %d: label %v", i, r.Label)
		}
	}
}
