//go:build !js

package wasm_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A capture says how its flows were made; one flow and all flagged ones are
// saved as captures, which read again hold the same flows.
func TestPackets_exportedFlowsReadAgain(t *testing.T) {
	v := started(t)
	path, err := filepath.Abs("../models/sample/lab.pcap.gz")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.upload(path); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "verdicts", finished)
	fit := v.text(t, ".fit-card")
	for _, want := range []string{"computed here from packets", "384 of 387 flows and 8,262 of 8,265 fields are equal", "lie elsewhere than in training", "flagged flow"} {
		if !strings.Contains(fit, want) {
			t.Errorf("how it fits lacks %q: %s", want, fit)
		}
	}
	v.shot(t, "packets-fit")

	v.enter(t, "#threshold", "0.2", "change")
	v.waitFor(t, "flagged flows", `!document.querySelector('#packets-flagged').disabled && /of [\d,]+ flagged/.test(document.querySelector('#packets-flagged').innerText)`)
	var flagged int
	if err := v.frame(`Number(document.querySelector('#packets-flagged').innerText.replace(/\D/g, ''))`, &flagged); err != nil {
		t.Fatal(err)
	}
	v.click(t, "#packets-flagged")
	data := v.saved(t, ".flagged.pcap")
	v.waitFor(t, "what was saved", `document.querySelector('.fit-card .packets').innerText.includes(`+quoted(fmt.Sprintf("of %s flows", grouped(flagged)))+`)`)
	v.shot(t, "packets-saved")
	saved := filepath.Join(t.TempDir(), "flagged.pcap")
	if err := os.WriteFile(saved, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := flowsOf(t, saved)
	all := flowsOf(t, path)
	if len(got) != flagged || flagged == 0 || flagged >= len(all) {
		t.Errorf("%d flows in the export, %d flagged, %d in the capture", len(got), flagged, len(all))
	}
	for _, f := range got {
		if _, ok := slices.BinarySearch(all, f); !ok {
			t.Errorf("a flow of the export is none of the capture: %s", f)
			break
		}
	}
	// and the page reads it again
	v.click(t, `#grid [role=row][aria-rowindex="5"]`)
	v.waitFor(t, "the record", `document.querySelector('#packets-one')`)
	v.click(t, "#packets-one")
	one := v.saved(t, ".row-4.pcap")
	v.drop(t, "one.pcap", one)
	v.waitFor(t, "one flow", finished+` && document.querySelector('#run-title').innerText === 'one.pcap' && document.querySelector('.tile dd').innerText === '1'`)
	v.drop(t, "flagged.pcap", data)
	v.waitFor(t, "the flagged flows", finished+` && document.querySelector('#run-title').innerText === 'flagged.pcap' && document.querySelector('.tile dd').innerText === `+quoted(grouped(flagged)))
	// a table has no packets
	v.drop(t, "flows.csv", readFile(t, sampleCSV))
	v.waitFor(t, "the table", finished+` && document.querySelector('#run-title').innerText === 'flows.csv' && !document.querySelector('#packets-flagged')`)
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// flowsOf returns the flows of a capture, without the numbers of flows and
// packets, sorted.
func flowsOf(t *testing.T, path string) (out []string) {
	t.Helper()
	b, err := exec.Command("../bin/cloister", "flows", path, "--format", "ndjson").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range lines[map[string]any](t, b) {
		for _, number := range []string{"row", "FIRST_PACKET", "LAST_PACKET"} {
			delete(f, number)
		}
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	slices.Sort(out)
	if len(out) == 0 {
		t.Fatalf("no flow in %s", path)
	}
	return out
}
