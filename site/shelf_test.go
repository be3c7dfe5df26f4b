package site

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"cloister/shared/job"
)

// able is a scorer of several bundles with all optional methods: the bundle's
// name is its content.
type able struct {
	script
	bundle  string
	read    string // schema of the files
	columns bool   // the names of the file are unknown
	capture bool
	profile string // that the last file was scored with
	trusted bool
	rowsOut []int64
}

var (
	_ job.Mapper   = (*able)(nil)
	_ job.Keeper   = (*able)(nil)
	_ job.Exporter = (*able)(nil)
)

func (s *able) Load(b []byte) (job.Bundle, error) {
	info := theBundle()
	s.bundle = string(b)
	info.Name, info.Title, info.Schema, info.SHA256 = s.bundle, "Title of "+s.bundle, "flow", strings.Repeat(fmt.Sprintf("%02x", s.bundle[0]), 32)
	if strings.HasPrefix(s.bundle, "alerts") {
		info.Schema = "alert"
	}
	info.Trust, info.KeyFingerprint = "unknown key", strings.Repeat("cd", 32)
	if s.trusted {
		info.Trust, info.Key = "verified", "Ann"
	}
	return info, nil
}

func (s *able) Score(f job.File, o job.Options, emit func(job.Progress, *job.Batch) bool) (job.Summary, error) {
	s.profile = o.Profile
	if reads := map[bool]string{true: "alert", false: "flow"}[strings.HasPrefix(s.bundle, "alerts")]; s.read != "" && s.read != reads {
		f := job.Failf("input", "h", "the file holds %ss", s.read)
		f.Schema = s.read
		return job.Summary{}, f
	}
	if s.columns && o.Profile == "" {
		f := job.Failf("input", "h", "no reader recognises this file")
		f.Columns = true
		return job.Summary{}, f
	}
	sum, err := s.script.Score(f, o, func(p job.Progress, b *job.Batch) bool {
		if s.bundle == "other" {
			b.Attack[0] = 0.99 // the first row of each batch is flagged by one alone
			b.Class[0] = 1
		}
		return emit(p, b)
	})
	sum.Capture = s.capture
	sum.Note = "A note " + hostile
	sum.Checks = []job.Check{{What: "odd " + hostile, Rows: 100, Odd: 50}}
	sum.Drift = []job.Drift{{Feature: 0, Low: 1, High: 2, Expected: 0.02, Outside: 0.5}, {Feature: 1, Low: 1, High: 2, Expected: 0.02, Outside: 0.03}}
	sum.Outside = 3
	return sum, err
}

func (s *able) Propose(job.File) (job.Proposal, error) {
	return job.Proposal{Format: "CSV, 4 columns", Schema: "flow", Rows: 9,
		Fields: []job.ProposedField{
			{Field: "IN_BYTES", Unit: "bytes", Needed: true, Column: "a", Confidence: 0.8, Factor: 1000, Why: []string{"name: a"}},
			{Field: "OUT_BYTES", Needed: true, Column: "b", Confidence: 0.7, Factor: 1},
			{Field: "IPV4_SRC_ADDR", IsText: true, Column: "c", Confidence: 0.6, Factor: 1},
			{Field: "TCP_FLAGS", Needed: true, Factor: 1},
			{Field: "MIN_TTL", Factor: 1},
		},
		Columns: []job.SeenColumn{{Column: "a", Samples: []string{"1.5", hostile}}, {Column: "b"}, {Column: "c"}, {Column: hostile, Samples: []string{hostile}}},
	}, nil
}

func (s *able) Profile(p job.Profile) (job.Profile, error) {
	if p.Text != "" {
		if p.Text != "bundle" { // what the host's files hold
			return p, job.Failf("input", "h", "profile: %s", p.Text)
		}
		return job.Profile{Text: "dropped", Name: "dropped", Schema: "flow", Fields: []job.ProfileField{{Field: "IN_BYTES", Column: "a"}}}, nil
	}
	p.Text = "text of"
	for _, f := range p.Fields {
		p.Text += fmt.Sprintf(" %s=%s*%g", f.Field, f.Column, f.Factor)
	}
	return p, nil
}

func (s *able) Keys(_ []byte, trust bool) ([]job.Key, error) {
	s.trusted = s.trusted || trust
	return []job.Key{{Name: "Ann " + hostile, Fingerprint: strings.Repeat("cd", 32)}}, nil
}

func (s *able) Export(rows []int64, emit func([]byte, job.Progress) bool) (job.Exported, error) {
	s.rowsOut = slices.Clone(rows)
	for i := range 3 {
		if !emit([]byte{byte('a' + i)}, job.Progress{Bytes: int64(i), Total: 3}) {
			return job.Exported{Format: "pcap", Cancelled: true}, nil
		}
	}
	return job.Exported{Format: "pcap", Flows: int64(len(rows)), Packets: 7}, nil
}

// named is a file whose content is its name.
func named(name string) job.File { return file{bytes.NewReader([]byte(name)), name} }

// ablePage is a page with three bundles at hand, all scored by make.
func ablePage(t *testing.T, make func() *able) *page {
	t.Helper()
	p := coldPage(t)
	p.host.serve = func() job.Scorer { return make() }
	p.host.reads = true
	for _, name := range []string{"flows.bundle", "other", "alerts"} {
		b := Stocked{Name: name, Version: "1", Title: "Title of " + name, Schema: "flow", SHA256: strings.Repeat(fmt.Sprintf("%02x", name[0]), 32), File: named(name)}
		if name == "alerts" {
			b.Schema = "alert"
		}
		p.host.stock = append(p.host.stock, b)
	}
	p.host.bundle = "flows.bundle"
	p.app.Start()
	p.wait("Drop a capture or flow file here")
	return p
}

func TestShelf_saysWhatBundlesAre(t *testing.T) {
	p := ablePage(t, func() *able { return &able{script: script{rows: 100}} })
	p.wait("Bundles at hand (3)")
	p.fire(byID("shelf-toggle"), "click", nil)
	html := p.wait("Title of other", "Title of alerts", "reads alert rows", "2 techniques in 2 tactics; 1 belong", "Seen one network only.", "signed by a key that is not here", "in use", "0.726", "Model card")
	markup(t, html)
	p.fire(byLabel("Use Title of other"), "click", nil)
	p.wait("flows.bundle", "<strong>Title of other</strong>")
}

func TestShelf_anotherBundleScoresTheOpenFile(t *testing.T) {
	p := ablePage(t, func() *able { return &able{script: script{rows: 1000}} })
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("1,000 rows scored in", "· flows.bundle 1.2.0")
	p.app.setMark(4, mark{"open", "look"})
	p.fire(byID("tab-bundles"), "click", nil)
	p.fire(byLabel("Use Title of other"), "click", nil)
	p.wait("1,000 rows scored in", "· other 1.2.0", "the sample that comes with this page")
	p.env.Lock()
	if m := p.app.store.marks[4]; m != (mark{"open", "look"}) || len(p.app.store.marks) != 1 {
		t.Errorf("marks after scoring again: %v", p.app.store.marks)
	}
	p.env.UnlockOnly()
}

func TestShelf_handsFilesToTheBundleThatReadsThem(t *testing.T) {
	p := ablePage(t, func() *able { return &able{script: script{rows: 100}, read: "alert"} })
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("100 rows scored in", "· alerts 1.2.0", "sample.csv holds alert rows, which flows.bundle 1.2.0 does not read: alerts does")
	// a bundle chosen by hand stays, and says why it cannot
	p.fire(byID("tab-bundles"), "click", nil)
	p.fire(byLabel("Use Title of other"), "click", nil)
	p.wait("The file holds alerts", "Title of other")
	p.lacks("which flows.bundle")
}

func TestCompare_twoBundlesOnOneFile(t *testing.T) {
	p := ablePage(t, func() *able { return &able{script: script{rows: 1000}} })
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("1,000 rows scored in")
	p.fire(byID("tab-bundles"), "click", nil)
	p.wait("Choose Compare on a bundle above")
	p.fire(byLabel("Compare with Title of other"), "click", nil)
	html := p.wait("flows.bundle 1.2.0 against other 1", "Of 1,000 rows that both have scored, both flag or neither flags 990 (99.0 %); verdicts of the same name: 990 (99.0 %).", "Rows that only one flags (10)", ">790<")
	markup(t, html)
	p.fire(byText("801"), "click", nil)
	p.wait("Row 801")
}

func TestKeys_areTrustedByAClick(t *testing.T) {
	p := ablePage(t, func() *able { return &able{} })
	p.host.files = []job.File{named("ann.pem")}
	p.fire(byID("top"), "drop", nil)
	html := p.wait("Ann &lt;img", strings.Repeat("cd", 32), "not trusted", "unknown key")
	markup(t, html)
	p.lacks("signed by Ann")
	p.fire(byText("Trust on this page"), "click", nil)
	p.wait("trusted on this page", "signed by Ann, key cdcdcdcdcdcdcdcd…")
	p.lacks(">unknown key<")
}

func TestWizard_proposesChangesScoresAndRemembers(t *testing.T) {
	var last *able
	p := ablePage(t, func() *able { last = &able{script: script{rows: 100}, columns: true}; return last })
	p.host.files = []job.File{named("home.csv")}
	p.fire(byID("top"), "drop", nil)
	html := p.wait("What do the columns of home.csv mean?", "3 of 5 fields have a proposed column", "1.5, &lt;img", "→ 1,500 bytes", "name: a", "Columns without a field (1)", "Show 1 more fields", "1 field that the bundle looks at has no column", "No reader recognises")
	markup(t, html)
	p.fire(byID("column-OUT_BYTES"), "change", map[string]any{"target.value": "nothing"})
	p.wait("no such column", "1 choice is not right yet.")
	p.fire(byID("column-OUT_BYTES"), "change", map[string]any{"target.value": "a"})
	p.wait("taken by IN_BYTES already")
	p.fire(byID("column-OUT_BYTES"), "change", map[string]any{"target.value": "b"})
	p.fire(byID("factor-IN_BYTES"), "change", map[string]any{"target.value": "zero"})
	p.wait("the factor is no number")
	p.fire(byID("factor-IN_BYTES"), "change", map[string]any{"target.value": "8"})
	p.fire(byID("wizard-name"), "change", map[string]any{"target.value": "mine"})
	p.fire(byID("wizard-save"), "click", nil)
	p.wait("Saved mine.profile.json.")
	const want = "text of IN_BYTES=a*8 OUT_BYTES=b*0 IPV4_SRC_ADDR=c*0"
	if got := p.host.saved["mine.profile.json"]; got != want {
		t.Errorf("saved %q", got)
	}
	p.fire(byID("wizard-score"), "click", nil)
	p.wait("100 rows scored in")
	if last.profile != want {
		t.Errorf("scored by %q", last.profile)
	}
	// the next file needs no hand
	p.host.files = []job.File{named("next.csv")}
	p.fire(byID("top"), "drop", nil)
	p.wait("100 rows scored in", "next.csv")
	p.lacks("What do the columns")
	// a dropped profile is used for the file that waits
	p.fire(byID("edit-columns"), "click", nil)
	p.wait("What do the columns of next.csv mean?", "mine")
	p.host.files = []job.File{named("x" + profileEnd)}
	p.host.content = "bundle"
	p.fire(byID("top"), "drop", nil)
	p.wait("100 rows scored in")
	for range 1000 {
		p.html()
		if last.profile == "dropped" {
			break
		}
	}
	if last.profile != "dropped" {
		t.Errorf("scored by %q", last.profile)
	}
}

func TestFit_saysWhatIsMissingOddAndStrange(t *testing.T) {
	p := ablePage(t, func() *able { return &able{script: script{rows: 100}} })
	p.fire(byText("Try the sample"), "click", nil)
	html := p.wait("1 field missing, 1 feature filled in", "Of the 2 fields that the bundle looks at, 1 are columns of the file, 0 were computed from others, 1 are missing.",
		"50 of 100 rows (50.0 %): odd", "A note", "1 of 2 columns lie elsewhere", "1 – 2", "3 rows lie far from every training row", "Change the mapping")
	markup(t, html)
	p.lacks("Flows are made by this program", "Save the packets")
}

func TestPackets_ofOneFlowAndOfAllFlagged(t *testing.T) {
	var last *able
	p := ablePage(t, func() *able { last = &able{script: script{rows: 100}, capture: true}; return last })
	p.host.files = []job.File{named("lab.pcap")}
	p.fire(byID("top"), "drop", nil)
	p.wait("100 rows scored in", "Flows are made by this program", "Save the packets of 20 flagged flows")
	p.fire(byID("packets-flagged"), "click", nil)
	p.wait("Saved lab.flagged.pcap with 7 packets of 20 flows.")
	if p.host.saved["lab.flagged.pcap"] != "abc" || len(last.rowsOut) != 20 || last.rowsOut[0] != 9 {
		t.Errorf("saved %q, rows %v", p.host.saved["lab.flagged.pcap"], last.rowsOut)
	}
	p.fire(byID("grid"), "keydown", map[string]any{"key": "Enter"})
	p.wait("Save its packets")
	p.fire(byID("packets-one"), "click", nil)
	p.wait("Saved lab.row-1.pcap with 7 packets of 1 flow.")
	if p.host.saved["lab.row-1.pcap"] != "abc" || !slices.Equal(last.rowsOut, []int64{1}) {
		t.Errorf("saved %q, rows %v", p.host.saved["lab.row-1.pcap"], last.rowsOut)
	}
}

// The figures of the badge are those of the extractor's documentation, which a
// test beside it holds to what it counts.
func TestFit_parityIsThatOfTheDocumentation(t *testing.T) {
	b, err := os.ReadFile("../shared/ingest/internal/flow/README.md")
	if err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf("| tshark | %d | %d | %d (", parityCaptures, parityFlows, paritySame)
	fields := fmt.Sprintf(" | %d | %d (", parityFields, parityEqual)
	if i := bytes.Index(b, []byte(row)); i < 0 || !bytes.Contains(b[i:i+120], []byte(fields)) || !bytes.Contains(b, []byte(parityTool)) {
		t.Errorf("the documentation has no row %q%q of %s", row, fields, parityTool)
	}
}
