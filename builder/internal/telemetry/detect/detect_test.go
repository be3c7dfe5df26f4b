package detect_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"cloister/builder/internal/telemetry/detect"
)

// Expected: scikit-learn 1.9.1 and vus 0.0.6, testdata/judge.py, 2026-11-22.
// Sums run in another order there.
func TestJudge_matchesReferences(t *testing.T) {
	const tolerance = 1e-9
	state := uint64(12345)
	noise := func() float64 {
		state = (state*1103515245 + 12345) % 2147483648
		return float64(state) / 2147483648
	}
	for _, tt := range []struct {
		n        int
		segments [][2]int
		want     detect.Score
	}{
		{600, [][2]int{{100, 119}, {400, 405}}, detect.Score{AP: 0.5152192904665931, F1: 0.5789473684210527, VUSPR: 0.6866192216169291}},
		{500, [][2]int{{0, 3}, {250, 250}, {300, 340}, {495, 499}}, detect.Score{AP: 0.685882673663782, F1: 0.6987951807228915, VUSPR: 0.855112545681322}},
	} {
		label := make([]bool, tt.n)
		for _, s := range tt.segments {
			for i := s[0]; i <= s[1]; i++ {
				label[i] = true
			}
		}
		score := make([]float64, tt.n)
		for i := range score {
			score[i] = noise()
			if label[i] {
				score[i] += 0.6 * noise()
			}
			if i > 3 && label[i-3] {
				score[i] += 0.3
			}
		}
		got := detect.Judge(score, label)
		for _, v := range [][2]float64{{got.AP, tt.want.AP}, {got.F1, tt.want.F1}, {got.VUSPR, tt.want.VUSPR}} {
			if math.Abs(v[0]-v[1]) > tolerance {
				t.Errorf("%d rows: %+v, want %+v", tt.n, got, tt.want)
				break
			}
		}
	}
	if s := detect.Judge([]float64{1, 2}, []bool{false, false}); !math.IsNaN(s.AP) {
		t.Errorf("no label: %+v", s)
	}
	if s := detect.Judge([]float64{3, 1, 1, 0}, []bool{true, true, false, false}); math.Abs(s.AP-(0.5+0.5*2/3)) > 1e-12 {
		t.Errorf("equal scores: %v, want them to pass together", s.AP)
	}
}

// A jump of one metric is found by every method; the same seed gives the same
// figures.
func TestRun(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const d, n, m = 4, 600, 400
	s := detect.Series{Name: "a", D: d, Label: make([]bool, m)}
	row := func(jump float64) (out []float64) {
		base := rng.NormFloat64()
		for j := range d {
			v := base + 0.1*rng.NormFloat64()
			if j == 2 {
				v += jump
			}
			out = append(out, v)
		}
		return out
	}
	for range n {
		s.Train = append(s.Train, row(0)...)
	}
	for i := range m {
		jump := 0.0
		if i%100 >= 90 {
			jump, s.Label[i] = 6, true
		}
		s.Test = append(s.Test, row(jump)...)
	}
	first, err := detect.Run(context.Background(), []detect.Series{s}, detect.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	again, err := detect.Run(context.Background(), []detect.Series{s}, detect.Options{Seed: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range detect.Methods {
		if v := first[0].Whole[name]; !(v.AP > .3) || v != again[0].Whole[name] {
			t.Errorf("%s: %+v, then %+v", name, v, again[0].Whole[name])
		}
	}
	for _, name := range detect.HalfMethods {
		if v := first[0].Half[name]; !(v.AP > .3) || v != again[0].Half[name] {
			t.Errorf("%s, second half: %+v, then %+v", name, v, again[0].Half[name])
		}
	}
	s.Label = s.Label[1:]
	if _, err := detect.Run(context.Background(), []detect.Series{s}, detect.Options{}); err == nil {
		t.Error("a ragged series was taken")
	}
}

// The first server of the sample: its test part alone, the first half as
// training. The full table is printed by cloister telemetry experiment; what
// scikit-learn gives on the whole data is in testdata/asd.txt (asd.py).
func TestRun_engineeringHelpsOnRealServers(t *testing.T) {
	f, err := os.Open("../../../../models/sample/telemetry.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var plain, engineered float64
	n := 0
	var series []detect.Series
	for _, name := range []string{"omi-1", "omi-6", "omi-8"} { // with incidents in both halves
		s := detect.Series{Name: name, D: 19}
		rows := 0
		for _, rec := range all[1:] {
			if rec[1] != name {
				continue
			}
			rows++
			var v []float64
			for _, cell := range rec[2:21] {
				x, err := strconv.ParseFloat(cell, 64)
				if err != nil {
					t.Fatal(err)
				}
				v = append(v, x)
			}
			if rows <= 2160 {
				s.Train = append(s.Train, v...)
				continue
			}
			s.Test = append(s.Test, v...)
			s.Label = append(s.Label, rec[21] == "1")
		}
		series = append(series, s)
	}
	results, err := detect.Run(context.Background(), series, detect.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		n++
		plain += max(r.Whole["PCA"].AP, r.Whole["Isolation Forest"].AP)
		engineered += max(r.Whole["PCA, engineered"].AP, r.Whole["Isolation Forest, engineered"].AP)
	}
	if n != 3 || engineered < 1.2*plain {
		t.Errorf("%d servers: mean average precision %.3f with features, %.3f without", n, engineered/3, plain/3)
	}
}
