//go:build !js

package wasm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloister/shared/bundle"
	"cloister/wasm/internal/chromium"
)

// scoredAll is true once a run has ended and its table, if it is on show, stands.
const scoredAll = `document.querySelector('.run-tools .primary') && document.querySelector('.run-line')`

// started returns a visit whose bundle is loaded.
func started(t *testing.T) *visit {
	t.Helper()
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{Width: 1440, Height: 1000})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	return v
}

// The bundles of the site are at hand in the sealed page: with card, trust,
// metrics, limits, coverage and size; another one scores the open file; a file
// that another one reads is handed to it; two are compared.
func TestBundles_pickSwitchCompare(t *testing.T) {
	v := started(t)
	v.click(t, "#shelf-toggle")
	v.waitFor(t, "four bundles, looked at", `document.querySelectorAll('.shelf > .shelf-list > .shelf-item .facts').length >= 4`)
	shelf := v.text(t, ".shelf")
	for _, want := range []string{"Network flows of CICFlowMeter", "Severity of alerts", "Host telemetry", "signed", "in use", "macro-F1", "Known limits", "tactics", "reads alert rows", "kB"} {
		if !strings.Contains(shelf, want) {
			t.Errorf("the shelf lacks %q: %s", want, shelf)
		}
	}
	v.shot(t, "bundles-shelf")

	// alerts, then flows again, then telemetry: each to the bundle that reads it
	for _, f := range []struct{ name, title, rows string }{
		{"alerts.csv", "severity", ""}, {"lab.csv", "flows", "1,989"}, {"telemetry.csv.gz", "telemetry", ""}, {"flows.csv", "flows", "557"},
	} {
		v.drop(t, f.name, readFile(t, "../models/sample/"+f.name))
		v.waitFor(t, f.name, scoredAll+` && document.querySelector('#run-title').innerText === `+quoted(f.name)+` && document.querySelector('.run-what').innerText.includes(`+quoted("· "+f.title+" ")+`)`)
		if f.name != "lab.csv" || f.rows == "" {
			v.waitFor(t, "what was changed", `document.querySelector('[aria-label="The bundle was changed"]')?.innerText.includes(`+quoted(f.title)+`)`)
		}
		if f.rows != "" {
			v.waitFor(t, "the rows", `document.querySelector('.tile dd').innerText === `+quoted(f.rows))
		}
	}
	v.shot(t, "bundles-switched")

	// what CICFlowMeter wrote goes to the bundle that learnt from it
	v.drop(t, "cic.csv", cicFlows(20))
	v.waitFor(t, "flows-cic", scoredAll+` && document.querySelector('.run-what').innerText.includes('flows-cic ') && document.querySelector('#run-title').innerText === 'cic.csv'`)
	v.waitFor(t, "what was changed", `document.querySelector('[aria-label="The bundle was changed"]')?.innerText.includes('CICFlowMeter')`)

	// by hand: the open file is scored again, marks stay, and stays so
	v.click(t, "#tab-bundles")
	v.click(t, `[aria-label="Use Network flows"]`)
	v.waitFor(t, "flows again", scoredAll+` && document.querySelector('.run-what').innerText.includes('flows 1') && !document.querySelector('.run-what').innerText.includes('flows-cic') && document.querySelector('.tile dd').innerText === '20'`)

	// compare: the numbers are those of the command line
	v.drop(t, "lab.csv", readFile(t, "../models/sample/lab.csv"))
	v.waitFor(t, "verdicts", scoredAll+` && document.querySelector('.tile dd').innerText === '1,989'`)
	v.click(t, "#tab-bundles")
	v.click(t, `[aria-label="Compare with Network flows of CICFlowMeter"]`)
	v.waitFor(t, "the comparison", `document.querySelector('#compare-sum')?.innerText.includes('1,989 rows')`)
	v.shot(t, "bundles-compare")
	same, flags, only := agreement(t, "flows", "flows-cic", "../models/sample/lab.csv")
	sum := v.text(t, "#compare-sum")
	if want := []string{fmt.Sprintf("neither flags %s (", grouped(flags)), fmt.Sprintf("same name: %s (", grouped(same))}; !strings.Contains(sum, want[0]) || !strings.Contains(sum, want[1]) {
		t.Errorf("the page says %q, the command line gives %q", sum, want)
	}
	if only == 0 || !strings.Contains(v.text(t, "#differ-title"), grouped(only)) {
		t.Errorf("rows that only one flags: %q, want %d", v.text(t, "#differ-title"), only)
	}
	v.click(t, `[aria-label="Rows that differ, table"] tbody button`)
	v.waitFor(t, "the record of a row that differs", `document.querySelector('#record-title') && document.querySelector('#shap-title')`)
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// agreement compares what the command line says of every row by two bundles.
func agreement(t *testing.T, a, b, path string) (same, flags, only int) {
	t.Helper()
	type verdict struct {
		Class   string
		Flagged bool
	}
	var lists [2][]verdict
	for i, name := range []string{a, b} {
		cmd := exec.Command("../bin/cloister", "score", "--bundle", "../models/"+name+"/1.bundle", path)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lists[i] = lines[verdict](t, out)
	}
	if len(lists[0]) != len(lists[1]) || len(lists[0]) == 0 {
		t.Fatalf("%d and %d rows", len(lists[0]), len(lists[1]))
	}
	for i, x := range lists[0] {
		y := lists[1][i]
		if strings.EqualFold(x.Class, y.Class) {
			same++
		}
		if x.Flagged == y.Flagged {
			flags++
		} else {
			only++
		}
	}
	return same, flags, only
}

// cicFlows is a file as CICFlowMeter writes it.
func cicFlows(rows int) []byte {
	head := "Dst Port,Protocol,Timestamp,Flow Duration,Tot Fwd Pkts,Tot Bwd Pkts,TotLen Fwd Pkts,TotLen Bwd Pkts,Fwd IAT Max,Fwd Header Len,Bwd Header Len,FIN Flag Cnt,SYN Flag Cnt,RST Flag Cnt,PSH Flag Cnt,ACK Flag Cnt,URG Flag Cnt,CWE Flag Count,ECE Flag Cnt,Label\n"
	return []byte(head + strings.Repeat("80,6,05/07/2017 02:17:48 PM,27608160,11,6,360,11632,16987220,368,200,1,3,0,2,15,0,0,0,DoS GoldenEye\n", rows))
}

// A key is shown with its fingerprint, counts after a click, and a bundle that
// was changed after signing never loads, whatever is trusted.
func TestBundles_importedKey(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("../bin/cloister", args...).CombinedOutput(); err != nil {
			t.Fatalf("cloister %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	key := filepath.Join(dir, "ann.pem")
	run("keygen", key)
	signed := filepath.Join(dir, "ann.bundle")
	run("sign", "../models/flows-cic/1.bundle", "--key", key, "--out", signed)
	public := readFile(t, key+".pub")
	print := fmt.Sprintf("%x", sha256.Sum256(public)) // as sha256sum says

	v := started(t)
	v.drop(t, "ann.bundle", readFile(t, signed))
	v.waitFor(t, "the unknown key", `document.querySelector('.bundle .tag')?.innerText === 'unknown key' && document.querySelector('.bundle').innerText.includes('CICFlowMeter')`)
	v.drop(t, "ann.pub", public)
	v.waitFor(t, "its fingerprint", `document.querySelector('.shelf-keys')?.innerText.includes(`+quoted(print)+`)`)
	if got := v.text(t, ".bundle .tag"); got != "unknown key" {
		t.Errorf("before the click the bundle is %q", got)
	}
	v.shot(t, "bundles-key")
	v.click(t, ".trust-key")
	v.waitFor(t, "verified", `document.querySelector('.bundle .tag')?.innerText === 'verified' && document.querySelector('.shelf-keys').innerText.includes('trusted on this page')`)
	v.shot(t, "bundles-trusted")
	bad := tampered(t, readFile(t, signed))
	v.drop(t, "bad.bundle", bad)
	v.waitFor(t, "the refusal", `document.querySelector('.note-error')?.innerText.includes('changed after signing')`)
	if got := v.text(t, ".bundle .tag"); got != "verified" {
		t.Errorf("after a bundle that was refused: %q", got)
	}
	v.drop(t, "no.pem", []byte("-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n"))
	v.waitFor(t, "the refusal of a private key", `document.querySelector('.note-error')?.innerText.includes('private key')`)
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// tampered returns a bundle with another card under the signature that it had.
func tampered(t *testing.T, file []byte) []byte {
	t.Helper()
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range b.Names() {
		if name != bundle.ManifestName {
			files[name], _ = b.File(name)
		}
	}
	files[bundle.CardTextName] = []byte("# Trust me\n")
	out, err := bundle.Encode(b.Manifest(), files, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// lines decodes JSON lines.
func lines[T any](t *testing.T, b []byte) (list []T) {
	t.Helper()
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var v T
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
}

// grouped writes n as the page does.
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
