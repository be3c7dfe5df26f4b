package publish_test

import (
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/publish"
	"cloister/shared/bundle"
)

func TestDiff_sections(t *testing.T) {
	encoded := func(m bundle.Manifest, files map[string][]byte) *bundle.Bundle {
		t.Helper()
		file, err := bundle.Encode(m, files, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Decode(file, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a := encoded(manifest(), map[string][]byte{"model/forest.bin": {1}, "NOTICE": []byte("x")})
	if d := publish.Diff(a, a); len(d.Changes) != 0 || !d.SameRows {
		t.Errorf("with itself: %+v", d)
	}
	m := manifest()
	m.Version, m.ID = "1.3.0", "flows-1.3.0"
	m.Schema.Features = append(m.Schema.Features, bundle.Feature{Name: "bytes", Dtype: "int64"})
	m.Schema.Features[0].Missing = "median"
	m.Labels[1].Severity, m.Labels[0].Precision = "Critical", new(0.75)
	m.Labels = append(m.Labels, bundle.Label{Name: "Worm", Severity: "High"})
	m.Thresholds[0].Value = 0.5
	m.Metrics = m.Metrics[:1]
	m.Metrics[0].Value = new(0.85)
	m.Lineage.DatasetSHA256 = m.Lineage.DatasetSHA256[:1]
	d := publish.Diff(a, encoded(m, map[string][]byte{"model/forest.bin": {1, 2}}))
	if d.SameRows {
		t.Error("other features, but the same rows")
	}
	type key struct{ section, name, from, to string }
	var got []key
	deltas := map[string]float64{}
	for _, c := range d.Changes {
		if c.Section != "files" && c.Name != "size" {
			got = append(got, key{c.Section, c.Name, c.From, c.To})
		}
		if c.Delta != nil {
			deltas[c.Name] = *c.Delta
		}
	}
	want := []key{
		{"bundle", "version", "1.2.3", "1.3.0"}, {"bundle", "id", "flows-1.2.3", "flows-1.3.0"},
		{"schema", "duration", "column 1, float64  missing: transform:", "column 1, float64  missing:median transform:"},
		{"schema", "bytes", "", "column 2, int64  missing: transform:"},
		{"labels", "Bot", "High T1071.001 (medium, inferred)", "Critical T1071.001 (medium, inferred)"}, {"labels", "Worm", "", "High -"},
		{"thresholds", "alert", "0.25", "0.5"},
		{"metrics", "accuracy, holdout", "0.9", "0.85"}, {"metrics", "precision of Benign", "0.5", "0.75"},
		{"data", "files", "010203000000 040000000000", "010203000000"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if v := deltas["alert"]; v != 0.25 {
		t.Errorf("threshold by %v", v)
	}
	if v := deltas["size"]; v == 0 {
		t.Error("no change of size")
	}
	var text strings.Builder
	if err := d.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"from  flows 1.2.3 (", "different rows", "\n  + bytes: column 2", "~ alert: 0.25 to 0.5 (+0.25)", "  - NOTICE: 1 bytes", "~ model/forest.bin: 1 bytes"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text does not say %q:\n%s", want, text.String())
		}
	}
}
