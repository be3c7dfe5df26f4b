package foreign_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloister/builder/internal/foreign"
	"cloister/shared/model/tree"
)

// go test -run TestWritten -write DIR writes the files that
// testdata/check.py lets XGBoost and onnxruntime answer.
var writeDir = flag.String("write", "", "folder for written models")

// written are the models that the libraries have loaded.
var written = []struct {
	from, to string
	limit    float64 // of the differences between the library's float32 scores and ours
}{
	{"xgb-binary.json", "xgboost", singleScore},
	{"xgb-multi.json", "xgboost", singleScore},
	{"xgb-cat.json", "xgboost", singleScore},
	{"lgb-binary.txt", "xgboost", singleScore},
	{"lgb-multi.txt", "xgboost", singleScore},
	{"lgb-cat.txt", "xgboost", singleScore},
	{"sk-boost3.onnx", "xgboost", singleScore},
	{"xgb-binary.json", "onnx", singleScore},
	{"xgb-multi.json", "onnx", singleScore},
	{"lgb-binary.txt", "onnx", singleScore},
	{"lgb-multi.txt", "onnx", singleScore},
	{"lgb-ova.txt", "onnx", singleScore},
	{"sk-forest.onnx", "onnx", singleScore},
	{"sk-forest2.onnx", "onnx", singleScore},
	{"sk-extra.onnx", "onnx", singleScore},
	{"lgb-regression.txt", "onnx", singleMargin},
}

// writtenRows are the rows asked: those of the golden, as float32 for XGBoost.
func writtenRows(t *testing.T, from, to string) []float64 {
	x := flat(readGolden(t, base(from)).Rows)
	for i := range x {
		if to == "xgboost" {
			x[i] = float64(float32(x[i]))
		}
		if strings.Contains(from, "cat") && i%5 == 0 && x[i] < 0 {
			x[i] = math.NaN() // XGBoost refuses negative categories
		}
	}
	return x
}

func write(t *testing.T, m *foreign.Model, e *tree.Ensemble, to string) []byte {
	t.Helper()
	do := foreign.AppendONNX
	if to == "xgboost" {
		do = foreign.AppendXGBoost
	}
	b, err := do(nil, e, foreign.Meta{Features: m.Features, Labels: m.Labels})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the libraries said of a file is held against what we say of the model, if
// the file is the same byte for byte.
func TestWritten_librariesAgree(t *testing.T) {
	for _, c := range written {
		name := base(c.from) + "-as-" + c.to
		t.Run(name, func(t *testing.T) {
			m, e := readModel(t, c.from)
			b, x := write(t, m, e, c.to), writtenRows(t, c.from, c.to)
			if *writeDir != "" {
				rows := make([][]*float64, 0)
				for lo := 0; lo < len(x); lo += m.Source.Features {
					var row []*float64
					for _, v := range x[lo : lo+m.Source.Features] {
						if math.IsNaN(v) {
							row = append(row, nil)
						} else {
							row = append(row, &v)
						}
					}
					rows = append(rows, row)
				}
				text, err := json.Marshal(rows)
				for ext, content := range map[string][]byte{c.to: b, "rows.json": text} {
					if err == nil {
						err = os.WriteFile(filepath.Join(*writeDir, name+"."+ext), content, 0o644)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var g struct {
				Library, Version, Date, SHA256 string
				Score                          [][]*float64
			}
			if err := json.Unmarshal(readFile(t, name+".golden.json"), &g); err != nil {
				t.Fatal(err)
			}
			if sum := fmt.Sprintf("%x", sha256.Sum256(b)); sum != g.SHA256 || g.Version == "" {
				t.Fatalf("the file is %s, that which %s %q loaded %s: run testdata/check.py", sum, g.Library, g.Version, g.SHA256)
			}
			got, want := scores(t, e, x), flat(g.Score)
			if len(want) == 2*len(got) {
				for i := range got {
					want[i] = want[2*i+1]
				}
				want = want[:len(got)]
			}
			if d := far(got, want); len(got) != len(want) || d > c.limit {
				t.Errorf("%d scores, want %d; they differ by %g, want at most %g", len(got), len(want), d, c.limit)
			}
		})
	}
}

// hard returns rows around the thresholds of a model, float32 if single.
func hard(m *foreign.Model, n int, single bool) []float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	d := m.Source.Features
	cuts := make([][]float64, d)
	for _, t := range m.Source.Trees {
		for v, f := range t.Feature {
			if f >= 0 && !math.IsInf(t.Threshold[v], 0) {
				cuts[f] = append(cuts[f], t.Threshold[v])
			}
		}
	}
	x := make([]float64, n*d)
	for i := range x {
		c := cuts[i%d]
		switch {
		case rng.IntN(8) == 0:
			x[i] = math.NaN()
		case len(c) == 0 || rng.IntN(8) == 0:
			x[i] = float64(rng.IntN(70))
		default:
			x[i] = c[rng.IntN(len(c))]
			if by := rng.IntN(3); single {
				x[i] = float64(math.Nextafter32(float32(x[i]), []float32{-1e30, float32(x[i]), 1e30}[by]))
			} else {
				x[i] = math.Nextafter(x[i], []float64{-1e300, x[i], 1e300}[by])
			}
		}
	}
	return x
}

func sameBits(got, want []float64) bool {
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) && !(got[i] == 0 && want[i] == 0) {
			return false
		}
	}
	return len(got) == len(want)
}

// What is written reads back as the same model: the same bits for every row with
// ONNX, for float32 rows and leaves with XGBoost, and written again the same
// bytes.
func TestWritten_readsBack(t *testing.T) {
	seen := map[string]int{}
	for _, c := range models {
		m, e := readModel(t, c.file)
		for _, to := range []string{"xgboost", "onnx"} {
			do := foreign.AppendONNX
			if to == "xgboost" {
				do = foreign.AppendXGBoost
			}
			b, err := do(nil, e, foreign.Meta{Features: m.Features, Labels: m.Labels})
			var none *foreign.NoFormError
			if errors.As(err, &none) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := foreign.Read(b)
			if err != nil {
				t.Fatalf("%s as %s: %v", c.file, to, err)
			}
			e2, err := tree.New(again.Source)
			if err != nil {
				t.Fatalf("%s as %s: %v", c.file, to, err)
			}
			if k, _ := again.Classes(); k != c.classes || e2.Nodes()-e.Nodes() > 1 && to == "onnx" {
				t.Errorf("%s as %s: %d classes, want %d; %v, want %v", c.file, to, k, c.classes, e2, e)
			}
			x := hard(m, 500, to == "xgboost")
			exact := to == "onnx" || strings.HasPrefix(c.file, "xgb") || strings.HasPrefix(c.file, "tl-xgb") || strings.HasPrefix(c.file, "sk-")
			got, want := margins(t, e2, x), margins(t, e, x)
			if exact && !sameBits(got, want) || far(got, want) > singleMargin {
				t.Errorf("%s as %s: margins differ by %g", c.file, to, far(got, want))
			}
			if exact && !sameBits(scores(t, e2, x), scores(t, e, x)) {
				t.Errorf("%s as %s: scores differ", c.file, to)
			}
			twice, err := do(nil, e2, foreign.Meta{Features: m.Features, Labels: m.Labels})
			if err != nil || !bytes.Equal(twice, b) {
				t.Errorf("%s as %s: written again it differs: %v", c.file, to, err)
			}
			if len(again.Features) != len(m.Features) {
				t.Errorf("%s as %s: features %q, want %q", c.file, to, again.Features, m.Features)
			}
			if o, o2 := m.Covers, again.Covers; o && !o2 {
				t.Errorf("%s as %s: covers are lost", c.file, to)
			}
			seen[to]++
		}
	}
	if seen["xgboost"] < 20 || seen["onnx"] < 20 {
		t.Errorf("%v", seen)
	}
}

func TestAppendXGBoost_refusesForests(t *testing.T) {
	for file, do := range map[string]func([]byte, *tree.Ensemble, foreign.Meta) ([]byte, error){
		"sk-forest.onnx": foreign.AppendXGBoost, "lgb-ova.txt": foreign.AppendXGBoost,
		"sk-isolation.onnx": foreign.AppendONNX, "xgb-cat.json": foreign.AppendONNX,
	} {
		_, e := readModel(t, file)
		var none *foreign.NoFormError
		if b, err := do(nil, e, foreign.Meta{}); !errors.As(err, &none) || b != nil {
			t.Errorf("%s: %d bytes, %v; want a NoFormError", file, len(b), err)
		}
	}
}
