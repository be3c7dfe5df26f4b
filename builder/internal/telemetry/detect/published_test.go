package detect_test

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"cloister/builder/internal/telemetry/detect"
)

// The rows of ASD are those that testdata/asd.py gives, and their means, too.
func TestReferences_areTheScripts(t *testing.T) {
	f, err := os.Open("testdata/asd.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var series []string
	mean := map[string][2]float64{}
	for s := bufio.NewScanner(f); s.Scan(); {
		cells := strings.Split(s.Text(), "\t")
		if len(cells) != 4 {
			continue
		}
		ap, err1 := strconv.ParseFloat(cells[2], 64)
		f1, err2 := strconv.ParseFloat(cells[3], 64)
		if err1 != nil || err2 != nil {
			t.Fatal(s.Text())
		}
		if cells[1] == "mean" {
			mean[cells[0]+", scikit-learn"] = [2]float64{ap, f1}
			continue
		}
		series = append(series, cells[1])
		got := detect.References("ASD", cells[1:2])
		found := false
		for _, r := range got {
			found = found || r.Method == cells[0]+", scikit-learn" && r.AP == ap && r.F1 == f1 && r.Series == 1 && math.IsNaN(r.VUSPR)
		}
		if !found {
			t.Errorf("%s: %+v", s.Text(), got)
		}
	}
	all := detect.References("ASD", series)
	if len(all) != 2 || len(mean) != 2 {
		t.Fatalf("%+v, %v", all, mean)
	}
	for _, r := range all {
		if want := mean[r.Method]; math.Abs(r.AP-want[0]) > 1e-4 || math.Abs(r.F1-want[1]) > 1e-4 || r.Series != 8 {
			t.Errorf("%+v, want %v", r, want)
		}
	}
}

func TestReferences_ofEachSet(t *testing.T) {
	two := detect.References("SMD", []string{"machine-2-1", "machine-2-7", "machine-9-9"})
	one := detect.References("SMD", []string{"machine-2-1"})
	skab := detect.References("SKAB", []string{"valve1__0"})
	if len(two) != 8 || len(one) != 8 || len(skab) != 3 || detect.References("none", nil) != nil {
		t.Fatalf("%d, %d, %d", len(two), len(one), len(skab))
	}
	for i, r := range two {
		if r.Series != 2 || one[i].Series != 1 || !(r.VUSPR > 0 && r.VUSPR < 1) || !math.IsNaN(r.AP) {
			t.Errorf("%+v, %+v", r, one[i])
		}
	}
	for _, r := range append(two, skab...) {
		if detect.Sources[r.Source] == "" {
			t.Errorf("%s has no source", r.Method)
		}
	}
	if skab[0].F1 != 0.78 || skab[0].Series != 0 {
		t.Errorf("%+v", skab[0])
	}
}
