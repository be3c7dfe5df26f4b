package foreign_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cloister/builder/internal/foreign"
	"cloister/shared/model/tree"
)

func TestRead_brokenFiles(t *testing.T) {
	xgb := string(readFile(t, "xgb-binary.json"))
	light := string(readFile(t, "lgb-cat.txt"))
	lite := string(readFile(t, "tl-xgb-cat.json"))
	saved := string(readFile(t, "tl-xgb-cat.treelite"))
	vectors := string(readFile(t, "tl-sk-forest.treelite"))
	at := func(s string, place int, with string) string { return s[:place] + with + s[place+len(with):] }
	swap := func(s, old, new string) string {
		t.Helper()
		if !strings.Contains(s, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(s, old, new, 1)
	}
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", "no known format"},
		{"unknown", "PK\x03\x04", "no known format"},
		{"other JSON", `{"a":1}`, "neither"},
		{"cut JSON", xgb[:len(xgb)/2], "ends in the middle"},
		{"trailing bytes", xgb + "1", "more after the end"},
		{"key twice", swap(xgb, `{"learner":`, `{"learner":1,"learner":`), "twice"},
		{"deep", `{"learner":` + strings.Repeat("[", 1000), "nested values"},
		{"child of nowhere", swap(xgb, `"left_children":[1`, `"left_children":[99`), "child 99"},
		{"child twice", swap(xgb, `"left_children":[1`, `"left_children":[2`), "two parents"},
		{"child that is the root", swap(xgb, `"left_children":[1`, `"left_children":[0`), "two parents"},
		{"feature of nowhere", swap(xgb, `"split_indices":[1`, `"split_indices":[9`), "feature 9 of 5"},
		{"lengths", swap(xgb, `"split_indices":[1`, `"split_indices":[1,1`), "nodes"},
		{"objective", swap(xgb, `"binary:logistic"`, `"survival:cox"`), `objective "survival:cox"`},
		{"base score", swap(xgb, `"base_score":"[`, `"base_score":"[x,`), "base score"},
		{"tree of a class too many", swap(xgb, `"tree_info":[0`, `"tree_info":[1`), "of class 1 of 1"},
		{"vector leaves", swap(xgb, `"size_leaf_vector":"1"`, `"size_leaf_vector":"3"`), "leaves of 3 values"},
		{"binary of XGBoost 1", "binf\x00\x00\x00\x00", "binary format before"},
		{"cut text", light[:len(light)/2], "cut short"},
		{"text version", swap(light, "version=v4", "version=v9"), `version "v9"`},
		{"leaf values", swap(light, "leaf_value=", "leaf_value=1 "), "want 7"},
		{"number", swap(light, "leaf_value=", "leaf_value=x"), "not a number"},
		{"cycle", swap(light, "left_child=3 2", "left_child=0 2"), "two parents"},
		{"linear leaves", swap(light, "is_linear=0", "is_linear=1"), "linear leaves"},
		{"set of nowhere", swap(light, "num_cat=1", "num_cat=0"), "set 0 of 0"},
		{"words of nowhere", swap(light, "cat_boundaries=0 3", "cat_boundaries=0 99"), "words 0 to 99"},
		{"key of text twice", swap(light, "version=v4", "version=v4\nversion=v4"), "twice"},
		{"node ids", swap(lite, `"node_id":1`, `"node_id":2`), "another node_id"},
		{"postprocessor", swap(lite, `"sigmoid"`, `"hinge"`), `postprocessor "hinge"`},
		{"version of a checkpoint", "\x03" + saved[1:], "version 3"},
		{"cut checkpoint", saved[:len(saved)-1], "too early"},
		{"checkpoint and more", saved + "\x00", "follow the last value"},
		{"types", at(saved, 12, "\x02\x03"), "type 2 and leaves of type 3"},
		{"count of trees", at(saved, 14, "\x06"), "5 classes for 6 trees"},
		{"features", at(saved, 22, "\x00"), "0 features"},
		{"targets", at(saved, 28, "\x02"), "2 targets"},
		{"classes of a checkpoint", at(saved, 40, "\x00"), "0 classes"},
		{"postprocessor of a checkpoint", swap(saved, "sigmoid", "sigmoit"), `postprocessor "sigmoit"`},
		{"length of an array", at(saved, 0xaf, "\x0e"), "another length"},
		{"kind of node", at(saved, 0xb6, "\x03"), "kind 3"},
		{"operator", at(saved, 0x238, "\x06"), "operator 6"},
		{"feature of a checkpoint", at(saved, 0x155, "\x05"), "feature 5 of 5"},
		{"child of a checkpoint", at(saved, 0xcd, "\x0f"), "child 15 of 15"},
		{"vectors of more nodes", at(at(vectors, 0xe0, "\x00"), 0x5f0, "\x03"), "leaf 22 has values 33 to 36 of 36, want 3 of its own"},
		{"categories of more nodes", at(at(saved, 0xb6, "\x02"), 0x4f2, "\x3f"), "node 2 is of kind 2 with operator 0 and categories 0 to 63 of 63"},
		{"categories of nowhere", at(saved, 0x4f2+16, "\x40"), "categories 0 to 64 of 63"},
		{"comparison", swap(lite, `"comparison_op":"<"`, `"comparison_op":"~"`), `comparison "~"`},
	} {
		m, err := foreign.Read([]byte(c.file))
		var f *foreign.FormatError
		var u *foreign.UnsupportedError
		var l *foreign.LimitError
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &f) && !errors.As(err, &u) && !errors.As(err, &l) {
			t.Errorf("%s: %v, %v; want a typed error with %q", c.name, m, err, c.want)
		}
	}
}

// A count in a file allocates nothing.
func TestRead_countsAreNotBelieved(t *testing.T) {
	ubj := []byte("{L\x00\x00\x00\x00\x00\x00\x00\x07learner[$d#L\x00\x00\x00\x7f\xff\xff\xff\xff")
	onnx := []byte("\x08\x08\x3a\xff\xff\xff\xff\x0f")
	lite := []byte("\x04\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x02\x02\xff\xff\xff\x7f\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00")
	for _, b := range [][]byte{ubj, onnx, lite, []byte("{L\x7f\xff\xff\xff\xff\xff\xff\xff"), []byte("{i\x01a[$Z#L\x00\x00\x00\x7f\xff\xff\xff\xff")} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := foreign.Read(b)
		runtime.ReadMemStats(&after)
		var f *foreign.FormatError
		if got := after.TotalAlloc - before.TotalAlloc; !errors.As(err, &f) || f.Offset <= 0 || got > 1<<16 {
			t.Errorf("%q: %v after %d bytes", b, err, got)
		}
	}
}

// Every prefix of a file is an error or, where a format has no end, a model.
func TestRead_prefixes(t *testing.T) {
	files := 0
	for _, name := range []string{"xgb-cat.json", "xgb-cat.ubj", "lgb-cat.txt", "sk-forest2.onnx", "sk-isolation.onnx", "tl-xgb-cat.json", "tl-xgb-cat.treelite"} {
		b := readFile(t, name)
		for n := 0; n < len(b)-1; n += 1 + len(b)/500 {
			if m, err := foreign.Read(b[:n]); err == nil && !strings.HasSuffix(name, ".onnx") && !strings.HasSuffix(name, ".txt") {
				t.Errorf("%s: %d of %d bytes are a model: %v", name, n, len(b), m.Objective)
			}
		}
		files++
	}
	if files != 7 {
		t.Errorf("%d files", files)
	}
}

// What float32 rounding does to a split, against the rounding itself.
func TestRead_float32Thresholds(t *testing.T) {
	seen := 0
	for _, v := range []float32{0, 1, -1, 0.1, 33.681812, 1e-45, -1e-45, 1e-38, math.MaxFloat32, -math.MaxFloat32, 16777216, 0.33333334} {
		for _, op := range []string{"<", "<="} {
			limit := foreign.Threshold(op, v)
			for _, f := range []float32{v, math.Nextafter32(v, -math.MaxFloat32), math.Nextafter32(v, math.MaxFloat32)} {
				for _, by := range []float64{-0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75} {
					up := float64(math.Nextafter32(f, math.MaxFloat32)) - float64(f)
					x := float64(f) + by*up
					for _, x := range []float64{x, math.Nextafter(x, -1e300), math.Nextafter(x, 1e300)} {
						want := float32(x) < v
						if op == "<=" {
							want = float32(x) <= v
						}
						if got := x <= limit; got != want {
							t.Errorf("%v %s %v: %v at threshold %v, want %v", x, op, v, got, limit, want)
						}
						seen++
					}
				}
			}
		}
	}
	if seen < 1000 {
		t.Errorf("%d cases", seen)
	}
}

// fuzz reads hostile bytes: no panic, no memory beyond a multiple of them, and a
// model that passes tree.New writes and reads back as itself.
func fuzz(f *testing.F, patterns ...string) {
	seeds := 0
	for _, p := range patterns {
		names, _ := filepath.Glob(filepath.Join("testdata", p))
		for _, n := range names {
			if strings.Contains(n, "golden") {
				continue
			}
			b, err := os.ReadFile(n)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
			seeds++
		}
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		m, err := foreign.Read(bytes.Clone(b))
		if err != nil {
			return
		}
		e, err := tree.New(m.Source)
		if err != nil {
			return
		}
		if n := e.Nodes(); n > 2*len(b) {
			t.Fatalf("%d nodes of %d bytes", n, len(b))
		}
		if e.Kind() == tree.Isolation {
			return
		}
		out, err := foreign.AppendONNX(nil, e, foreign.Meta{})
		if err != nil {
			return // categories have no form there
		}
		again, err := foreign.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		e2, err := tree.New(again.Source)
		if err != nil {
			t.Fatal(err)
		}
		d, k := e.Shape()
		if d2, k2 := e2.Shape(); d2 != d || k2 != k {
			t.Fatalf("%v, %v", e, e2)
		}
		x := make([]float64, 4*d)
		for i := range x {
			x[i] = []float64{0, 1, -1e9, math.NaN(), 50}[i%5]
		}
		got, want := margins(t, e2, x), margins(t, e, x)
		for i := range got {
			if math.Float64bits(got[i]) != math.Float64bits(want[i]) && !(got[i] == 0 && want[i] == 0) {
				t.Fatalf("margin %d: %v, want %v", i, got[i], want[i])
			}
		}
	})
}

func FuzzXGBoostJSON(f *testing.F) { fuzz(f, "xgb*.json") }
func FuzzXGBoostUBJ(f *testing.F)  { fuzz(f, "*.ubj") }
func FuzzLightGBM(f *testing.F)    { fuzz(f, "*.txt") }
func FuzzONNX(f *testing.F)        { fuzz(f, "*.onnx") }
func FuzzTreelite(f *testing.F)    { fuzz(f, "tl-*.json") }
func FuzzCheckpoint(f *testing.F)  { fuzz(f, "*.treelite") }
