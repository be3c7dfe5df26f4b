//go:build !js

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpread_medianAndEnds(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{9, 1, 4}, spread{4, 1, 9}},
		{[]float64{9, 1, 4, 2}, spread{3, 1, 9}},
	} {
		before := append([]float64(nil), c.in...)
		if got := spreadOf(c.in); got != c.want {
			t.Errorf("%v: %v, want %v", c.in, got, c.want)
		}
		if !cmp.Equal(c.in, before) {
			t.Errorf("%v was changed to %v", before, c.in)
		}
	}
	if got := spreadOf(nil); !math.IsNaN(got.mid) || !math.IsNaN(got.low) {
		t.Errorf("nothing: %v", got)
	}
}

// A ratio above 1 means that we are ahead, whichever way the unit goes, and
// its ends come from neighbours in time.
func TestRatio_aheadIsAboveOne(t *testing.T) {
	for _, c := range []struct {
		name     string
		us, peer []float64
		more     bool
		want     spread
	}{
		{"rates", []float64{20, 40, 60}, []float64{10, 10, 20}, true, spread{4, 2, 4}},
		{"times", []float64{1, 2, 4}, []float64{8, 8, 8}, false, spread{4, 2, 8}},
		{"unequal rounds", []float64{4, 4, 4}, []float64{2}, true, spread{2, 2, 2}},
	} {
		if got := ratioOf(c.us, c.peer, c.more); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := ratioOf([]float64{0}, []float64{1}, false); !math.IsNaN(got.mid) {
		t.Errorf("division by nothing: %v", got)
	}
}

func TestAgree_countsLabelsAndTies(t *testing.T) {
	a := []float64{.6, .4, .5, .5 - 1e-12, .2, .8}
	b := []float64{.6, .4, .5 - 1e-12, .5, .7, .3}
	if d, labels := agree(a, b, 2, 1e-9); math.Abs(d-.5) > 1e-15 || labels != 1 {
		t.Errorf("difference %v, labels %d, want 0.5 and 1", d, labels)
	}
	if _, labels := agree(a, b, 2, 0); labels != 2 {
		t.Errorf("%d labels without tolerance, want 2", labels)
	}
	if d, _ := agree([]float64{1, math.NaN()}, []float64{1, 2}, 1, 0); !math.IsNaN(d) {
		t.Errorf("difference to NaN: %v", d)
	}
	if d, labels := agree(a, b[:4], 2, 0); !math.IsInf(d, 1) || labels == 0 {
		t.Errorf("unequal lengths: %v, %d", d, labels)
	}
}

func TestLogLoss_meanOfLogarithms(t *testing.T) {
	p := []float64{.7, .2, .1, .1, .8, .1, .25, .25, .5}
	want := -(math.Log(.7) + math.Log(.8) + math.Log(.5)) / 3
	if got := logLoss(p, []int{0, 1, 2}, 3); math.Abs(got-want) > 1e-15 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := logLoss([]float64{0, 1}, []int{0}, 2); math.IsInf(got, 0) {
		t.Errorf("impossible: %v", got)
	}
}

// Contenders take turns, and each of them begins once.
func TestInterleave_rotates(t *testing.T) {
	var order []int
	got, err := interleave(3, 3, func(at, round int) (reply, error) {
		order = append(order, at)
		return reply{Rows: 10*at + round}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 1, 2, 1, 2, 0, 2, 0, 1}; !cmp.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	for at, list := range got {
		for round, r := range list {
			if r.Rows != 10*at+round {
				t.Errorf("contender %d has %d of another in round %d", at, r.Rows, round)
			}
		}
		if len(list) != 3 {
			t.Errorf("contender %d: %d rounds", at, len(list))
		}
	}
}

func TestTable_groupsAndJSON(t *testing.T) {
	rows := []row{
		compare("fit", "forest", "CPU-s", false, []float64{1, 2, 3}, "peer", []float64{8, 16, 24}, 7, ""),
		compare("size", "forest", "kB", false, []float64{10}, "peer", []float64{5}, 2, "a note"),
		against("fit", "other", "ns", false, []float64{20}, 40, ""),
		compare("fit", "none", "s", false, []float64{0}, "peer", []float64{1}, 0, ""),
	}
	var b bytes.Buffer
	if err := printTable(&b, rows); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"2 (1..3)", "16 (8..24)", "7: met", "2: not met  [a note]", "1: met"} {
		if !strings.Contains(text, want) {
			t.Errorf("table lacks %q:\n%s", want, text)
		}
	}
	if strings.Count(text, "\nFIT\n") != 1 || strings.Index(text, "FIT") > strings.Index(text, "SIZE") {
		t.Errorf("areas are not grouped in order:\n%s", text)
	}
	path := filepath.Join(t.TempDir(), "peers.json")
	if err := writeJSON(path, rows); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"area": "fit", "work": "forest", "unit": "CPU-s", "us": 2., "peer": 16., "peer_name": "peer", "ratio": 8., "spread": []any{8., 8.}}
	if len(list) != 4 || !cmp.Equal(list[0], want) {
		t.Errorf("JSON: %s", cmp.Diff(want, list[0]))
	}
	if list[3]["ratio"] != 0. {
		t.Errorf("a ratio that is no number is %v, want 0", list[3]["ratio"])
	}
}

func TestNumber_readable(t *testing.T) {
	for v, want := range map[float64]string{0.93174: "0.9317", 1234: "1234", 45678: "45.7k", 2.5e6: "2.5M", 3.14159: "3.14", 0.012: "0.012"} {
		if got := number(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

// The same seed draws the same table wherever the tests run, and its labels
// have the shares they should.
func TestGenerate_deterministic(t *testing.T) {
	x, y := generate(1, 4000)
	again, labels := generate(1, 4000)
	if !bytes.Equal(floatBytes(x), floatBytes(again)) || !bytes.Equal(y, labels) {
		t.Fatal("the same seed drew two tables")
	}
	other, _ := generate(2, 4000)
	if bytes.Equal(floatBytes(x), floatBytes(other)) {
		t.Error("another seed drew the same table")
	}
	short, _ := generate(1, 100)
	if !bytes.Equal(floatBytes(x[:len(short)]), floatBytes(short)) {
		t.Error("a shorter table is not the beginning of a longer one")
	}
	counts := make([]int, generatedClasses)
	for _, c := range y {
		counts[c]++
	}
	for c, n := range counts {
		if want := classShares[c] * 4000; math.Abs(float64(n)-want) > 5*math.Sqrt(want) {
			t.Errorf("class %d has %d rows, about %.0f expected", c, n, want)
		}
	}
	for i, v := range x {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			t.Fatalf("value %d is %v", i, f)
		}
	}
	sum := sha256.Sum256(append(floatBytes(x), y...))
	// Recorded on linux/amd64, Go 1.26.8: a change makes figures incomparable.
	if got, want := hex.EncodeToString(sum[:8]), "d532fcf07a1fb04b"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func TestTable_writesWhatItReads(t *testing.T) {
	made := generatedTable("S", 3, 50, 20)
	dir := t.TempDir()
	if err := made.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readTable(filepath.Join(dir, "S"))
	if err != nil {
		t.Fatal(err)
	}
	if got.features != made.features || got.classes != made.classes || !cmp.Equal(got.train.x, made.train.x) || !cmp.Equal(got.test.y, made.test.y) {
		t.Error("a table changed on its way through its files")
	}
}

// A limited table keeps a row of every class for training.
func TestNumeric_everyClassIsLearnt(t *testing.T) {
	var list [][]string
	for i := range 500 {
		label := "common"
		if i == 77 || i == 300 {
			label = "rare" + string(rune('a'+i%2))
		}
		list = append(list, []string{strings.Repeat("1", 1+i%3), []string{"udp", "tcp"}[i%2], label})
	}
	names := codesOf(list, 2)
	made := numeric("x", list, []int{0, 1}, func(r []string) int { return names.of[r[2]] }, len(names.names), 60, 1)
	if made.train.rows() != 42 || made.test.rows() != 18 {
		t.Fatalf("%d + %d rows of 60", made.train.rows(), made.test.rows())
	}
	seen := map[int]bool{}
	for i, c := range made.train.y {
		seen[c] = true
		if v := made.train.x[2*i+1]; v != 0 && v != 1 { // tcp, udp by name
			t.Fatalf("row %d: protocol %v", i, v)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d of 3 classes in the training part", len(seen))
	}
}
