package foreign_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cloister/builder/internal/foreign"
	"cloister/shared/explain"
	"cloister/shared/model/tree"
)

// golden is what a library answers, see testdata/make.py.
type golden struct {
	Library, Version, Date, Script        string
	Rows, Margin, Score, SHAP, ORT, Whole [][]*float64
}

func flat(rows [][]*float64) (out []float64) {
	for _, r := range rows {
		for _, v := range r {
			if v == nil {
				out = append(out, math.NaN())
			} else {
				out = append(out, *v)
			}
		}
	}
	return out
}

func readGolden(t testing.TB, name string) *golden {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.Unmarshal(b, g); err != nil {
		t.Fatal(err)
	}
	if len(g.Rows) < 32 || g.Version == "" || g.Date == "" || g.Script == "" {
		t.Fatalf("%s: %d rows, version %q, date %q, script %q", name, len(g.Rows), g.Version, g.Date, g.Script)
	}
	return g
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readModel(t testing.TB, name string) (*foreign.Model, *tree.Ensemble) {
	t.Helper()
	m, err := foreign.Read(readFile(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	e, err := tree.New(m.Source)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m, e
}

func margins(t testing.TB, e *tree.Ensemble, x []float64) []float64 {
	t.Helper()
	d, k := e.Shape()
	out := make([]float64, len(x)/d*k)
	if err := e.Margin(out, x); err != nil {
		t.Fatal(err)
	}
	return out
}

func scores(t testing.TB, e *tree.Ensemble, x []float64) []float64 {
	t.Helper()
	d, k := e.Shape()
	out := make([]float64, len(x)/d*k)
	if err := e.Predict(out, x); err != nil {
		t.Fatal(err)
	}
	return out
}

func far(got, want []float64) (worst float64) {
	for i := range got {
		worst = max(worst, math.Abs(got[i]-want[i]))
		if math.IsNaN(got[i]-want[i]) && !(math.IsNaN(got[i]) && math.IsNaN(want[i])) {
			return math.Inf(1)
		}
	}
	return worst
}

// Bounds of the differences, each for values of at most some units: float32
// sums of at most 16 terms, of which the largest margins are about 4, rounded
// each time by 2^-24 of the sum.
const (
	singleMargin = 4e-6
	singleScore  = 1e-6
	doubleScore  = 1e-14
)

// models are the files and what holds for them.
var models = []struct {
	file    string
	kind    tree.Kind
	link    tree.Link
	outputs int
	classes int     // 0: no class probabilities
	margin  float64 // largest difference, 0 for the same bits, -1 for none in the golden
	score   float64
}{
	{"xgb-binary.json", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb-binary.ubj", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb-multi.json", tree.Boosting, tree.Softmax, 3, 3, singleMargin, singleScore},
	{"xgb-multi.ubj", tree.Boosting, tree.Softmax, 3, 3, singleMargin, singleScore},
	{"xgb-cat.json", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb-cat.ubj", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb-onehot.json", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb-parallel.json", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb-regression.json", tree.Boosting, tree.Identity, 1, 0, singleMargin, singleMargin},
	{"xgb2-binary.json", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb2-binary.ubj", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb2-multi.json", tree.Boosting, tree.Softmax, 3, 3, singleMargin, singleScore},
	{"xgb2-multi.ubj", tree.Boosting, tree.Softmax, 3, 3, singleMargin, singleScore},
	{"xgb2-cat.json", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"xgb2-cat.ubj", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"lgb-binary.txt", tree.Boosting, tree.Logistic, 1, 2, 0, doubleScore},
	{"lgb-sigmoid.txt", tree.Boosting, tree.Logistic, 1, 2, -1, doubleScore},
	{"lgb-multi.txt", tree.Boosting, tree.Softmax, 3, 3, 0, doubleScore},
	{"lgb-ova.txt", tree.Boosting, tree.Logistic, 3, 0, 0, doubleScore},
	{"lgb-cat.txt", tree.Boosting, tree.Logistic, 1, 2, 0, doubleScore},
	{"lgb-whole.txt", tree.Boosting, tree.Logistic, 1, 2, 0, doubleScore},
	{"lgb-average.txt", tree.Boosting, tree.Logistic, 1, 2, -1, doubleScore}, // its raw scores are sums
	{"lgb-regression.txt", tree.Boosting, tree.Identity, 1, 0, 0, 0},
	{"sk-forest.onnx", tree.Forest, tree.Identity, 3, 3, -1, singleScore},
	{"sk-forest2.onnx", tree.Forest, tree.Identity, 2, 2, -1, singleScore},
	{"sk-extra.onnx", tree.Forest, tree.Identity, 3, 3, -1, singleScore},
	{"sk-boost2.onnx", tree.Boosting, tree.Logistic, 1, 2, -1, singleScore},
	{"sk-boost3.onnx", tree.Boosting, tree.Softmax, 3, 3, -1, singleScore},
	{"sk-regressor.onnx", tree.Boosting, tree.Identity, 1, 0, -1, singleScore},
	{"newer.onnx", tree.Boosting, tree.Identity, 3, 0, -1, singleScore},
	{"sk-isolation.onnx", tree.Isolation, tree.Identity, 1, 0, -1, doubleScore},
	{"tl-xgb-binary.json", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"tl-xgb-multi.json", tree.Boosting, tree.Softmax, 3, 3, singleMargin, singleScore},
	{"tl-xgb-cat.json", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"tl-lgb-cat.json", tree.Boosting, tree.Logistic, 1, 2, 0, doubleScore},
	{"tl-lgb-multi.json", tree.Boosting, tree.Softmax, 3, 3, 0, singleScore}, // treelite's softmax is float32
	{"tl-xgb-binary.treelite", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"tl-xgb-multi.treelite", tree.Boosting, tree.Softmax, 3, 3, singleMargin, singleScore},
	{"tl-xgb-cat.treelite", tree.Boosting, tree.Logistic, 1, 2, singleMargin, singleScore},
	{"tl-lgb-cat.treelite", tree.Boosting, tree.Logistic, 1, 2, 0, doubleScore},
	{"tl-lgb-multi.treelite", tree.Boosting, tree.Softmax, 3, 3, 0, singleScore},
	{"tl-sk-forest.treelite", tree.Forest, tree.Identity, 3, 3, -1, doubleScore},
	{"tl-sk-boost.treelite", tree.Boosting, tree.Softmax, 3, 3, -1, singleScore},
	{"tl-sk-regressor.treelite", tree.Boosting, tree.Identity, 1, 0, -1, doubleScore},
	{"tl-sk-isolation.treelite", tree.Isolation, tree.Identity, 1, 0, -1, singleScore}, // its ratio is float32
}

// base is the name of the golden of a file.
func base(file string) string { return strings.TrimSuffix(file, filepath.Ext(file)) }

func TestRead_answersAsTheLibrary(t *testing.T) {
	for _, c := range models {
		t.Run(c.file, func(t *testing.T) {
			g := readGolden(t, base(c.file))
			m, e := readModel(t, c.file)
			if _, k := e.Shape(); e.Kind() != c.kind || e.Link() != c.link || k != c.outputs {
				t.Fatalf("%v, link %v; want %v, %v, %d outputs", e, e.Link(), c.kind, c.link, c.outputs)
			}
			if k, err := m.Classes(); k != c.classes || (err == nil) != (k > 0) {
				t.Errorf("%d classes, %v; want %d", k, err, c.classes)
			}
			x := flat(g.Rows)
			if got, want := margins(t, e, x), flat(g.Margin); c.margin >= 0 {
				if d := far(got, want); len(got) != len(want) || d > c.margin {
					t.Errorf("%d margins, want %d; they differ by %g, want at most %g", len(got), len(want), d, c.margin)
				}
			}
			got, want := scores(t, e, x), flat(g.Score)
			if len(want) == 2*len(got) { // both classes of one margin
				for i := range got {
					want[i] = want[2*i+1]
				}
				want = want[:len(got)]
			}
			if d := far(got, want); len(got) != len(want) || d > c.score {
				t.Errorf("%d scores, want %d; they differ by %g, want at most %g", len(got), len(want), d, c.score)
			}
			if strings.HasPrefix(c.file, "xgb") || strings.HasPrefix(c.file, "lgb") {
				if named := !strings.Contains(c.file, "parallel"); named != (m.Features != nil) || named && m.Features[1] != "IN_BYTES" {
					t.Errorf("features %q", m.Features)
				}
			}
		})
	}
}

// The leaves reached are exactly XGBoost's: added up in float32, in the order of
// the trees and with the base last or first, they give its margins bit by bit.
func TestRead_xgboostLeavesAreExact(t *testing.T) {
	seen := 0
	for _, c := range models {
		if !strings.HasPrefix(c.file, "xgb") {
			continue
		}
		g := readGolden(t, base(c.file))
		m, _ := readModel(t, c.file)
		x, want := flat(g.Rows), flat(g.Margin)
		d, k := m.Source.Features, m.Source.Outputs
		last, first := 0, 0
		for r := range len(x) / d {
			sum, with := make([]float32, k), make([]float32, k)
			for j := range with {
				with[j] = float32(m.Source.Base[j])
			}
			for i := range m.Source.Trees {
				st := &m.Source.Trees[i]
				v := float32(st.Value[leafOf(st, x[r*d:(r+1)*d])])
				sum[st.Output] += v
				with[st.Output] += v
			}
			for j := range sum {
				if float64(sum[j]+float32(m.Source.Base[j])) == want[r*k+j] {
					last++
				}
				if float64(with[j]) == want[r*k+j] {
					first++
				}
			}
		}
		if max(last, first) != len(want) {
			t.Errorf("%s: %d or %d of %d margins have the same bits", c.file, last, first, len(want))
		}
		seen++
	}
	if seen < 15 {
		t.Errorf("%d files", seen)
	}
}

// leafOf goes down a tree as package tree says.
func leafOf(t *tree.SourceTree, x []float64) int {
	v := 0
	for t.Feature[v] >= 0 {
		a := x[t.Feature[v]]
		left := a <= t.Threshold[v]
		switch {
		case math.IsNaN(a):
			left = t.MissingLeft[v]
		case len(t.Category) > 0 && t.Category[v] != nil:
			set := t.Category[v]
			left = a >= 0 && a < float64(64*len(set)) && a == math.Trunc(a) && set[int(a)/64]>>(int(a)%64)&1 != 0
		}
		next := t.Right
		if left {
			next = t.Left
		}
		v = int(next[v])
	}
	return v
}

// Explanations agree with those of the libraries that weight by the same covers.
func TestRead_shapAsTheLibrary(t *testing.T) {
	seen := 0
	for _, c := range models {
		g := readGolden(t, base(c.file))
		if g.SHAP == nil {
			continue
		}
		m, e := readModel(t, c.file)
		if !m.Covers {
			t.Errorf("%s: no covers", c.file)
			continue
		}
		ex, err := explain.New(e)
		if err != nil {
			t.Fatal(err)
		}
		x, want := flat(g.Rows), flat(g.SHAP)
		d, k := e.Shape()
		n := len(x) / d
		worst := 0.0
		margin := margins(t, e, x)
		for o := range k {
			phi := make([]float64, n*d)
			if err := ex.Values(phi, x, o); err != nil {
				t.Fatal(err)
			}
			for r := range n {
				w := want[(r*k+o)*(d+1) : (r*k+o+1)*(d+1)]
				sum := ex.Base(o)
				for j := range d {
					worst = max(worst, math.Abs(phi[r*d+j]-w[j]))
					sum += phi[r*d+j]
				}
				worst = max(worst, math.Abs(ex.Base(o)-w[d]))
				if a := math.Abs(sum - margin[r*k+o]); a > 1e-12 {
					t.Fatalf("%s: row %d: values add up to %g, the margin is %g", c.file, r, sum, margin[r*k+o])
				}
			}
		}
		limit := 1e-5
		if strings.HasPrefix(c.file, "lgb") {
			limit = 1e-12
		}
		if strings.Contains(c.file, "sigmoid") || strings.Contains(c.file, "average") {
			continue // of margins before our scaling
		}
		if worst > limit {
			t.Errorf("%s: values differ by %g, want at most %g", c.file, worst, limit)
		}
		seen++
	}
	if seen < 18 {
		t.Errorf("%d files with SHAP values", seen)
	}
}

// skl2onnx drops the missing directions of scikit-learn: what is read is what
// the file says, as onnxruntime does.
func TestRead_onnxAsOnnxruntime(t *testing.T) {
	seen := 0
	for _, file := range []string{"sk-missing.onnx", "sk-forest.onnx", "sk-extra.onnx", "sk-boost3.onnx"} {
		g := readGolden(t, base(file))
		_, e := readModel(t, file)
		if d := far(scores(t, e, flat(g.Rows)), flat(g.ORT)); d > singleScore {
			t.Errorf("%s: scores differ by %g", file, d)
		}
		seen += len(g.Rows)
	}
	if seen < 4*32 {
		t.Errorf("%d rows", seen)
	}
}

func TestRead_refusesByName(t *testing.T) {
	for file, want := range map[string]string{
		"xgb-dart.json":   `booster "dart"`,
		"xgb-linear.json": `booster "gblinear"`,
		"lgb-poisson.txt": `objective "poisson"`,
		"lgb-zero.txt":    "zero_as_missing",
	} {
		m, err := foreign.Read(readFile(t, file))
		var u *foreign.UnsupportedError
		if !errors.As(err, &u) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want an UnsupportedError about %s", file, m, err, want)
		}
	}
}

// treelite's two forms of one model are the same to the last bit.
func TestRead_checkpointAsDump(t *testing.T) {
	seen := 0
	for _, name := range []string{"tl-xgb-binary", "tl-xgb-multi", "tl-xgb-cat", "tl-lgb-cat", "tl-lgb-multi"} {
		dump, _ := readModel(t, name+".json")
		checkpoint, _ := readModel(t, name+".treelite")
		dump.Format = checkpoint.Format
		if !reflect.DeepEqual(dump, checkpoint) {
			t.Errorf("%s: the dump and the checkpoint differ", name)
		}
		seen += len(checkpoint.Source.Trees)
	}
	if seen < 25 {
		t.Errorf("%d trees", seen)
	}
}
