//go:build !js

package main

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"cloister/shared/model/tree"
)

// Tiny models of scikit-learn 1.9.1 and XGBoost 3.2.0 (testdata/tiny.py) score
// the same here. Rows and thresholds are quarters, so that many rows lie on a
// threshold exactly.
func TestDump_scoresOfTheirLibraries(t *testing.T) {
	b, err := os.ReadFile("testdata/tiny.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Origin string
		Rows   []float64
		Cases  []struct {
			Lib, Dump string
			Scores    []float64
		}
	}
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	// XGBoost adds float32.
	tolerance := map[string]float64{"forest": 1e-15, "isolation": 1e-15, "xgboost": 2e-7}
	seen := map[string]bool{}
	for _, c := range recorded.Cases {
		seen[c.Lib] = true
		s, _, err := readDump(strings.NewReader(c.Dump))
		if err != nil {
			t.Errorf("%s: %v", c.Lib, err)
			continue
		}
		e, err := tree.New(s)
		if err != nil {
			t.Errorf("%s: %v", c.Lib, err)
			continue
		}
		d, k := e.Shape()
		got := make([]float64, len(recorded.Rows)/d*k)
		if err := e.Predict(got, recorded.Rows); err != nil {
			t.Fatal(err)
		}
		if difference, labels := agree(c.Scores, got, k, 1e-6); !(difference <= tolerance[c.Lib]) || labels != 0 {
			t.Errorf("%s: largest difference %v, %d labels", c.Lib, difference, labels)
		}
		onEdge := 0
		for _, st := range s.Trees {
			for i, f := range st.Feature {
				for at := int(f); f >= 0 && at < len(recorded.Rows); at += d {
					edge := float32(st.Threshold[i])
					if c.Lib == "xgboost" {
						edge = math.Nextafter32(edge, float32(math.Inf(1))) // as the library has it
					}
					if float32(recorded.Rows[at]) == edge {
						onEdge++
					}
				}
			}
		}
		if onEdge == 0 && c.Lib != "isolation" {
			t.Errorf("%s: no row lies on a threshold: the test would miss < for <=", c.Lib)
		}
	}
	if len(seen) != 3 {
		t.Fatalf("saw %v", seen)
	}
}

func TestDump_refusesWhatIsNoTree(t *testing.T) {
	const head = `{"kind":"forest","features":1,"outputs":2}` + "\n"
	for name, text := range map[string]string{
		"no head":      "",
		"unknown kind": `{"kind":"shrub"}`,
		"lengths":      head + `{"output":-1,"feature":[-1],"threshold":[],"left":[0],"right":[0],"cover":[1],"value":[[1,0]]}`,
		"loop":         head + `{"output":-1,"feature":[0],"threshold":[1],"left":[0],"right":[0],"cover":[1],"value":[null]}`,
		"child":        head + `{"output":-1,"feature":[0],"threshold":[1],"left":[7],"right":[-1],"cover":[1],"value":[null]}`,
		"leaf values":  head + `{"output":-1,"feature":[-1],"threshold":[0],"left":[0],"right":[0],"cover":[1],"value":[[1]]}`,
		"cut":          head + `{"output":-1,"feature":[-1]`,
	} {
		if _, _, err := readDump(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
