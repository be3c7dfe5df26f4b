package carry_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/foreign"
	"cloister/builder/internal/foreign/carry"
	"cloister/builder/internal/train"
	"cloister/shared/bundle"
	"cloister/shared/job"
	"cloister/shared/score"
)

// columns are those of the models in ../testdata, see make.py there.
var columns = []string{"PROTOCOL", "IN_BYTES", "OUT_BYTES", "IN_PKTS", "OUT_PKTS"}

func positions() map[string]string {
	out := map[string]string{}
	for j, c := range columns {
		out[fmt.Sprintf("f%d", j)] = c
	}
	return out
}

func read(t *testing.T, name string) (*foreign.Model, carry.Options) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	m, err := foreign.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return m, carry.Options{Name: "carried", CreatedAt: "2026-11-22T00:00:00Z", File: name, SHA256: sha256.Sum256(b), Command: "cloister import", Map: positions()}
}

type memory struct {
	*bytes.Reader
	name string
}

func (m memory) Name() string { return m.name }
func (m memory) Size() int64  { return m.Reader.Size() }

// csv writes rows as flows, missing values as empty cells.
func csv(rows [][]*float64, labels []string) []byte {
	var b bytes.Buffer
	b.WriteString(strings.Join(columns, ","))
	if labels != nil {
		b.WriteString(",Attack")
	}
	for i, r := range rows {
		b.WriteByte('\n')
		for j, v := range r {
			if j > 0 {
				b.WriteByte(',')
			}
			if v != nil {
				fmt.Fprintf(&b, "%v", *v)
			}
		}
		if labels != nil {
			b.WriteString("," + labels[i])
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// flows keeps the rows that can be flows: without negative counts and with a
// value.
func flows(rows, scores [][]*float64) (x, y [][]*float64) {
	for i, r := range rows {
		if i > 0 && !slices.ContainsFunc(r, func(v *float64) bool { return v != nil && *v < 0 }) {
			x, y = append(x, r), append(y, scores[i])
		}
	}
	return x, y
}

// A carried model scores a file as its library scored the rows, and explains
// every row to the bit that additivity allows.
func TestBundle_scoresAsTheLibrary(t *testing.T) {
	for _, c := range []struct {
		file   string
		labels []string
		limit  float64
	}{
		{"xgb-binary.json", []string{"Benign", "DoS"}, 1e-6},
		{"xgb-binary.ubj", []string{"Benign", "DoS"}, 1e-6},
		{"xgb-multi.json", []string{"Benign", "DoS", "PortScan"}, 1e-6},
		{"xgb-cat.json", []string{"Benign", "DoS"}, 1e-6},
		{"lgb-binary.txt", []string{"Benign", "DoS"}, 1e-14},
		{"lgb-multi.txt", []string{"Benign", "DoS", "PortScan"}, 1e-14},
		{"lgb-cat.txt", []string{"Benign", "DoS"}, 1e-14},
		{"sk-forest.onnx", nil, 1e-6},
		{"sk-forest2.onnx", []string{"Benign", "DoS"}, 1e-6},
		{"sk-boost3.onnx", []string{"Benign", "DoS", "PortScan"}, 1e-6},
		{"tl-xgb-multi.json", []string{"Benign", "DoS", "PortScan"}, 1e-6},
	} {
		t.Run(c.file, func(t *testing.T) {
			m, o := read(t, c.file)
			o.Labels = c.labels
			file, err := carry.Bundle(m, o)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := carry.Bundle(m, o); err != nil || !bytes.Equal(again, file) {
				t.Errorf("made again it differs: %v", err)
			}
			sc := score.New()
			info, err := sc.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(info.Metrics) != 0 || info.Classes[0].Name != "Benign" || !info.Classes[0].Benign || !math.IsNaN(float64(info.Classes[1].Precision)) {
				t.Errorf("metrics %v, classes %+v", info.Metrics, info.Classes)
			}
			for _, want := range []string{"None. Precision", "Unknown. None is set", "does not say what it was trained on"} {
				if !strings.Contains(info.Card, want) {
					t.Errorf("the card does not say %q", want)
				}
			}
			var g struct{ Rows, Score [][]*float64 }
			text, err := os.ReadFile(filepath.Join("..", "testdata", strings.TrimSuffix(c.file, filepath.Ext(c.file))+".golden.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &g); err != nil {
				t.Fatal(err)
			}
			g.Rows, g.Score = flows(g.Rows, g.Score)
			k := len(info.Classes)
			seen := 0
			sum, err := sc.Score(memory{bytes.NewReader(csv(g.Rows, nil)), "flows.csv"}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
				for i, row := range b.Row {
					want := g.Score[row-1]
					if b.Abstained[i] {
						t.Errorf("row %d has no verdict", row)
					}
					rec, err := sc.Explain(row)
					if err != nil {
						t.Fatal(err)
					}
					if !strings.Contains(rec.Background, "imported model") {
						t.Errorf("background %q", rec.Background)
					}
					if rec.Additivity > 1e-12 || len(rec.Attributions) != len(columns) {
						t.Errorf("row %d: additivity %g", row, rec.Additivity)
					}
					p := make([]float64, k)
					for _, s := range rec.Classes {
						p[s.Class] = s.Probability
					}
					for j := range want {
						got := p[j]
						if len(want) == 1 {
							got = p[1]
						}
						if !(math.Abs(got-*want[j]) <= c.limit) {
							t.Errorf("row %d: class %d: %v, want %v", row, j, got, *want[j])
						}
					}
					seen++
				}
				return true
			})
			if err != nil || seen != len(g.Rows) || seen < 15 {
				t.Errorf("%d of %d rows, %v; %+v", seen, len(g.Rows), err, sum.Rejects)
			}
		})
	}
}

func TestBundle_refuses(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		with func(*carry.Options)
		want string
	}{
		"columns without features": {"sk-forest.onnx", func(o *carry.Options) { o.Map = nil }, "give a map"},
		"classes without names":    {"xgb-binary.json", func(*carry.Options) {}, "2 classes without names"},
		"labels too many":          {"xgb-binary.json", func(o *carry.Options) { o.Labels = []string{"a", "b", "c"} }, "3 labels for the 2 classes"},
		"regression":               {"xgb-regression.json", func(*carry.Options) {}, "no class probabilities"},
		"one against the rest":     {"lgb-ova.txt", func(*carry.Options) {}, "add up to any sum"},
		"isolation forest alone":   {"sk-isolation.onnx", func(*carry.Options) {}, "no class probabilities"},
	} {
		m, o := read(t, c.file)
		c.with(&o)
		if b, err := carry.Bundle(m, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d bytes, %v; want %q", name, len(b), err, c.want)
		}
	}
	m, o := read(t, "sk-forest.onnx")
	o.Map = nil
	_, err := carry.Bundle(m, o)
	if e := (*carry.MapError)(nil); !errors.As(err, &e) || len(e.Names) != len(columns) {
		t.Errorf("%v, want a MapError", err)
	}
}

// Figures come from rows that are given, and an isolation forest with them.
func TestBundle_figuresAndAnomaly(t *testing.T) {
	m, o := read(t, "sk-forest.onnx")
	o.Anomaly, _ = read(t, "sk-isolation.onnx")
	if _, err := carry.Bundle(m, o); err == nil || !strings.Contains(err.Error(), "needs labelled rows") {
		t.Errorf("%v, want an error about rows", err)
	}
	var g struct{ Rows, Score [][]*float64 }
	text, err := os.ReadFile("../testdata/sk-forest.golden.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.Rows, g.Score = flows(g.Rows, g.Score)
	var labels []string
	right := 0
	for i, p := range g.Score { // every fourth label is another than the model's
		best := 0
		for k := range p {
			if *p[k] > *p[best] {
				best = k
			}
		}
		if i%4 != 0 {
			right++
		} else {
			best = (best + 1) % len(p)
		}
		labels = append(labels, []string{"BENIGN", "DoS", "Scan"}[best])
	}
	recipe, err := carry.Recipe(m, o)
	if err != nil {
		t.Fatal(err)
	}
	data := csv(g.Rows, labels)
	if o.Table, err = train.Read([]train.File{{Name: "rows.csv", ReaderAt: bytes.NewReader(data), Size: int64(len(data))}}, recipe); err != nil {
		t.Fatal(err)
	}
	file, err := carry.Bundle(m, o)
	if err != nil {
		t.Fatal(err)
	}
	info, err := score.New().Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if a := info.Metrics[0]; a.Name != "accuracy" || a.Rows != len(labels) || math.Abs(float64(a.Value)-float64(right)/float64(len(labels))) > 1e-12 {
		t.Errorf("%+v, want %d of %d right", a, right, len(labels))
	}
	if !strings.Contains(info.Card, "If the model was trained on them they flatter") || !strings.Contains(info.Model, "isolation forest, 6 trees") {
		t.Errorf("model %q, card:\n%s", info.Model, info.Card)
	}
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if f := b.Manifest().Schema.Features[1]; f.Q50 == nil {
		t.Error("no quantiles")
	}
}
