//go:build !js

package wasm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/shared/attack"
	"cloister/shared/job"
	"cloister/shared/report"
	"cloister/shared/score"
)

// memoryFile is a file in memory, as a scorer wants it.
type memoryFile struct {
	*bytes.Reader
	name string
}

func (f memoryFile) Name() string { return f.name }

// findingsNatively scores a file without the page and returns its flagged rows
// as a report wants them.
func findingsNatively(t *testing.T, path, name string) *report.Set {
	t.Helper()
	bundle, err := os.ReadFile("../models/flows/1.bundle")
	if err != nil {
		t.Fatal(err)
	}
	s := score.New()
	info, err := s.Load(bundle)
	if err != nil {
		t.Fatal(err)
	}
	set := &report.Set{Bundle: info, Files: []string{name}, Threshold: info.Threshold}
	var list []report.Finding
	set.Summary, err = s.Score(memoryFile{bytes.NewReader(readFile(t, path)), name}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		column := func(name string, i int) (float64, string) {
			for _, c := range b.Columns {
				if c.Name == name && c.Numbers != nil {
					return c.Numbers[i], ""
				} else if c.Name == name {
					return math.NaN(), c.Texts[i]
				}
			}
			return math.NaN(), ""
		}
		for i, at := range b.Attack {
			if at < info.Threshold {
				continue
			}
			f := report.Finding{File: name, Row: b.Row[i], Class: info.Classes[b.Class[i]], Probability: b.Probability[i], Score: at, Anomaly: b.Anomaly[i], Abstained: b.Abstained[i]}
			f.Severity = f.Class.Severity
			if b.Severity != nil {
				f.Severity = job.Severities[b.Severity[i]]
			}
			_, f.Source = column("IPV4_SRC_ADDR", i)
			_, f.Destination = column("IPV4_DST_ADDR", i)
			for name, v := range map[string]*float64{
				"FLOW_START_MILLISECONDS": &f.Start, "FLOW_DURATION_MILLISECONDS": &f.Duration, "L4_SRC_PORT": &f.SourcePort, "L4_DST_PORT": &f.DestinationPort, "PROTOCOL": &f.Protocol,
				"IN_BYTES": &f.BytesOut, "OUT_BYTES": &f.BytesIn, "IN_PKTS": &f.PacketsOut, "OUT_PKTS": &f.PacketsIn,
			} {
				*v, _ = column(name, i)
			}
			list = append(list, f)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 20 {
		t.Fatalf("%d findings prove little", len(list))
	}
	set.Findings = slices.Values(list)
	return set
}

// Point 4: the matrix, its card and filter, and reports that are byte for byte
// what the same package writes of the same verdicts natively.
func TestAttack_matrixCardAndReports(t *testing.T) {
	const file = "../models/sample/lab.csv"
	set := findingsNatively(t, file, "lab.csv")
	v := opened(t, file)
	v.click(t, "#tab-attack")
	v.waitFor(t, "the matrix", `document.querySelector('.tech-found')`)
	var names []string
	if err := v.frame(`[...document.querySelectorAll('.tactic-name')].map(e => e.textContent)`, &names); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, x := range attack.Tactics() {
		want = append(want, x.Name)
	}
	if !slices.Equal(names, want) {
		t.Errorf("tactics %q, want %q", names, want)
	}
	v.shot(t, "attack")

	download := func(id, suffix string) []byte {
		t.Helper()
		v.click(t, "#export-"+id)
		return v.saved(t, suffix)
	}
	layer := download("navigator", ".layer.json")
	var made struct {
		Metadata   []struct{ Name, Value string }
		Techniques []struct {
			TechniqueID string
			Score       int
		}
	}
	if err := json.Unmarshal(layer, &made); err != nil || len(made.Techniques) < 2 {
		t.Fatalf("%v: %s", err, layer)
	}
	for _, m := range made.Metadata {
		if m.Name == "made" {
			at, err := time.Parse(time.RFC3339, m.Value)
			if err != nil || time.Since(at).Abs() > time.Hour {
				t.Errorf("made %q, %v", m.Value, err)
			}
			set.Made = at
		}
	}
	if want := report.Navigator(set); !bytes.Equal(layer, want) {
		t.Errorf("the layer is\n%.2000s\nnatively it is\n%.2000s", layer, want)
	}
	for _, x := range made.Techniques {
		var text string
		if err := v.frame(`[...document.querySelectorAll('.tech-found')].find(b => b.querySelector('code').textContent === `+quoted(x.TechniqueID)+`)?.innerText`, &text); err != nil || !strings.Contains(text, fmt.Sprintf("%d row", x.Score)) {
			t.Errorf("%s: the matrix says %q, the layer %d, %v", x.TechniqueID, text, x.Score, err)
		}
	}

	bundle := download("stix", ".stix.json")
	var objects struct {
		Objects []struct{ Type, Created string }
	}
	if err := json.Unmarshal(bundle, &objects); err != nil {
		t.Fatal(err)
	}
	var err error
	if set.Made, err = time.Parse(time.RFC3339, objects.Objects[0].Created); err != nil {
		t.Fatal(err)
	}
	if want, _ := report.STIX(set); !bytes.Equal(bundle, want) {
		t.Errorf("the STIX bundle is\n%.2000s\nnatively it is\n%.2000s", bundle, want)
	}

	lines := download("ecs", ".ecs.ndjson")
	var ecs bytes.Buffer
	if err := report.ECS(&ecs, set); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(lines, ecs.Bytes()) {
		t.Errorf("ECS is\n%.1000s\nnatively it is\n%.1000s", lines, ecs.Bytes())
	}
	page := download("html", ".report.html")
	if !bytes.Contains(page, []byte("<!doctype html>")) || bytes.Contains(page, []byte("<script")) || len(page) < 10_000 {
		t.Errorf("the report: %.400s", page)
	}

	// choosing a technique opens its card and filters the table
	id := made.Techniques[0].TechniqueID
	if err := v.frame(`[...document.querySelectorAll('.tech-found')].find(b => b.querySelector('code').textContent === `+quoted(id)+`).click()`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the card", `document.querySelector('#technique-title')?.innerText.startsWith(`+quoted(id)+`) && document.activeElement.id === 'technique-title'`)
	v.shot(t, "attack-card")
	v.click(t, `[aria-labelledby="technique-title"] .card-tools .button`)
	v.waitFor(t, "the rows", listed+` && document.querySelector('#search').value === 'technique = `+id+`' && `+rowsIn+` >= `+fmt.Sprint(made.Techniques[0].Score))
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}
