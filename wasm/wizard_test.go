//go:build !js

package wasm_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// homeMade is the lab's flow file as a tool that nobody knows might write it:
// other names, durations in seconds, columns nobody asked for.
func homeMade(t *testing.T) []byte {
	t.Helper()
	names := map[string]string{
		"FLOW_START_MILLISECONDS": "flowBegin", "FLOW_END_MILLISECONDS": "flowFinish", "IPV4_SRC_ADDR": "clientAddress", "IPV4_DST_ADDR": "serverAddress",
		"L4_SRC_PORT": "clientPort", "L4_DST_PORT": "serverPort", "PROTOCOL": "ipProto", "FLOW_DURATION_MILLISECONDS": "elapsedSeconds", "IN_BYTES": "clientOctets",
		"OUT_BYTES": "serverOctets", "IN_PKTS": "clientPackets", "OUT_PKTS": "serverPackets", "TCP_FLAGS": "tcpFlagBits",
	}
	var out bytes.Buffer
	var head []string
	for i, line := range strings.Split(strings.TrimSpace(string(readFile(t, "../models/sample/lab.csv"))), "\n") {
		cells := strings.Split(strings.TrimSpace(line), ",")
		if i == 0 {
			head = cells
		}
		var row []string
		for k, cell := range cells {
			name, ok := names[head[k]]
			switch {
			case !ok && head[k] != "MIN_TTL":
				continue
			case i == 0 && head[k] == "MIN_TTL":
				cell = "remark"
			case i == 0:
				cell = name
			case name == "elapsedSeconds":
				var ms float64
				if _, err := fmt.Sscan(cell, &ms); err != nil {
					t.Fatal(err)
				}
				cell = fmt.Sprint(ms / 1000)
			}
			row = append(row, cell)
		}
		out.WriteString(strings.Join(row, ",") + "\n")
	}
	return out.Bytes()
}

// A file whose header nobody knows is shown with a proposal, which can be
// changed by keyboard, saved as a profile, used, and used again; the command
// line gives the same verdicts by the same profile.
func TestWizard_mapsScoresAndSaves(t *testing.T) {
	v := started(t)
	content := homeMade(t)
	v.drop(t, "home.csv", content)
	v.waitFor(t, "the wizard", `document.querySelector('#wizard-title') && document.querySelectorAll('.wizard tbody tr').length >= 10`)
	if got := v.text(t, ".note-error"); !strings.Contains(got, "home.csv") {
		t.Errorf("why the file was refused: %s", got)
	}
	wants := map[string]string{"column-IPV4_SRC_ADDR": "clientAddress", "column-L4_DST_PORT": "serverPort", "column-IN_BYTES": "clientOctets", "column-FLOW_DURATION_MILLISECONDS": "elapsedSeconds", "factor-FLOW_DURATION_MILLISECONDS": "1000"}
	for id, want := range wants {
		var got string
		if err := v.frame(`document.getElementById(`+quoted(id)+`)?.value ?? '(none)'`, &got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Logf("%s is proposed as %q, not %q", id, got, want)
			v.enter(t, "#"+id, want, "change")
		}
	}
	v.shot(t, "wizard")
	wizard := v.text(t, ".wizard")
	for _, want := range []string{"needed", "10.20.1.11", "unit: x 1000", "ms", "Columns without a field"} {
		if !strings.Contains(wizard, want) {
			t.Errorf("the wizard lacks %q: %s", want, wizard)
		}
	}
	// what is wrong is said, and cannot be used
	v.enter(t, "#column-IN_BYTES", "octets", "change")
	v.waitFor(t, "the fault", `document.querySelector('#column-IN_BYTES').ariaInvalid === 'true' && document.querySelector('.wizard').innerText.includes('no such column') && document.querySelector('#wizard-score').disabled`)
	v.enter(t, "#column-IN_BYTES", "clientPackets", "change")
	v.waitFor(t, "the other fault", `document.querySelector('.wizard').innerText.includes('taken by') && document.querySelector('#wizard-save').disabled`)
	v.shot(t, "wizard-fault")
	v.enter(t, "#column-IN_BYTES", "clientOctets", "change")
	v.enter(t, "#wizard-name", "home made", "change")
	v.waitFor(t, "a mapping without faults", `!document.querySelector('#wizard-save').disabled`)
	v.click(t, "#wizard-save")
	profile := v.saved(t, ".profile.json")
	if !bytes.Contains(profile, []byte(`"name":"home made"`)) || !bytes.Contains(profile, []byte(`{"field":"IN_BYTES","column":"clientOctets"}`)) || bytes.Contains(profile, []byte("10.20.1")) {
		t.Errorf("the profile is %s", profile)
	}
	v.waitFor(t, "the button", `!document.querySelector('#wizard-score').disabled`)
	v.click(t, "#wizard-score")
	v.waitFor(t, "verdicts", finished+` && document.querySelector('.tile dd').innerText === '1,989' && document.querySelector('.run-what').innerText.includes('home made')`)
	v.shot(t, "wizard-scored")
	if fit := v.text(t, ".fit-card"); !strings.Contains(fit, "missing") || !strings.Contains(fit, "Read by a profile") {
		t.Errorf("how it fits: %s", fit)
	}

	// the next file of this kind needs no hand
	v.drop(t, "again.csv", content)
	v.waitFor(t, "verdicts", finished+` && document.querySelector('#run-title').innerText === 'again.csv' && document.querySelector('.tile dd').innerText === '1,989'`)

	// the table of the page and the command line say the same of every row
	var page []string
	if err := v.frame(`[...document.querySelectorAll('#grid [role=row][aria-rowindex]')].slice(1, 9).map(r => r.innerText.replace(/\s+/g, ' '))`, &page); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	csv, json := filepath.Join(dir, "home.csv"), filepath.Join(dir, "home.profile.json")
	for path, b := range map[string][]byte{csv: content, json: profile} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("../bin/cloister", "score", "--bundle", "../models/flows/1.bundle", "--profile", json, csv).Output()
	if err != nil {
		t.Fatal(err)
	}
	native := lines[line](t, out)
	if len(native) != 1989 || len(page) != 8 {
		t.Fatalf("%d rows natively, %d in the table", len(native), len(page))
	}
	for i, row := range page {
		if !strings.Contains(row, native[i].Class) {
			t.Errorf("row %d: the page says %q, the command line %+v", i+1, row, native[i])
		}
	}

	// a new visit: the profile is dropped on the open wizard, and used
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	v.drop(t, "home.csv", content)
	v.waitFor(t, "the wizard", `document.querySelector('#wizard-title')`)
	v.drop(t, "home.profile.json", profile)
	v.waitFor(t, "verdicts", finished+` && document.querySelector('.tile dd').innerText === '1,989'`)
	v.drop(t, "bad.profile.json", []byte("{}"))
	v.waitFor(t, "the refusal", `document.querySelector('.note-error')?.innerText.includes('profile')`)

	// a file that is read can be mapped otherwise
	v.click(t, ".note-error button")
	v.click(t, "#edit-columns")
	v.waitFor(t, "the wizard", `document.querySelector('#wizard-title') && document.querySelector('#wizard-profile')`)
	// prose is refused as before, without a wizard
	v.drop(t, "prose.txt", []byte("Dear sir,\nplease find enclosed\n"))
	v.waitFor(t, "prose.txt", `document.querySelector('.note-error')?.innerText.toLowerCase().includes('no reader recognises this file') && !document.querySelector('#wizard-title')`)
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}
