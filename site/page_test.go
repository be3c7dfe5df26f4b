package site

import (
	"encoding/csv"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"cloister/shared/job"
)

func scored(t *testing.T, rows int64) *page {
	t.Helper()
	p := newPage(t, &script{rows: rows})
	p.fire(byText("Try the sample"), "click", nil)
	p.wait(" rows scored in")
	return p
}

// markup fails if a hostile text became an element. A table of 26 visible
// rows, the drawer and the panels are all drawn by then.
func markup(t *testing.T, html string) {
	t.Helper()
	if strings.Contains(html, "<img") || strings.Contains(html, "<b>") {
		t.Errorf("hostile text became markup:\n%s", html)
	}
}

func TestLanding_saysWhatTheBundleIs(t *testing.T) {
	p := newPage(t, &script{})
	html := p.wait("Nothing leaves this machine", "Sealed: 0 bytes sent", "Flow triage", "1.2.0", "abababababababab…", "random forest, 100 trees",
		"unsigned", "0.726", "0.717 to 0.734", "To compare with", "macro-F1, majority class", "0.060", "All measurements (4)", "Seen one network only.", "32 test vectors", "NF-CSE-CIC-IDS2018-v3", "97 rows, labelled")
	markup(t, html)
	if !regexp.MustCompile(`<input id="choose"[^>]*type="file"`).MatchString(html) {
		t.Error("no file input")
	}
}

func TestLanding_saysWhoSigned(t *testing.T) {
	for state, want := range map[string]string{
		"verified":    "signed by Ann &lt;img&gt;, key cdcdcdcdcdcdcdcd…",
		"unknown key": "could not check: " + strings.Repeat("cd", 32),
	} {
		s := &script{signed: func(b *job.Bundle) {
			b.Trust, b.KeyFingerprint = state, strings.Repeat("cd", 32)
			if state == "verified" {
				b.Key = "Ann <img>"
			}
		}}
		markup(t, newPage(t, s).wait(state, want))
	}
}

func TestLanding_saysWhenItIsNotSealed(t *testing.T) {
	for name, c := range map[string]struct {
		seal           Seal
		wants, promise string
	}{
		"unknown": {Seal{}, "Not sealed", "This window is not sealed, though"},
		"leaky":   {Seal{Sealed: true, BytesOut: 12}, "Sealed, yet 12 bytes sent", "something was sent after they were shut"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPage(t, &script{})
			p.host.seal = c.seal
			p.wait(c.wants, c.promise)
			p.lacks("Sealed: 0 bytes sent", "connections were shut when it opened")
		})
	}
}

func TestApp_withoutBundleSaysSo(t *testing.T) {
	p := coldPage(t, &script{})
	p.host.noBundle = true
	p.app.Start()
	p.wait("No bundle was delivered", "Reload the page", "There is no scorer")
}

func TestResults_ofTheSample(t *testing.T) {
	p := scored(t, 1000)
	html := p.wait("sample.csv", "NetFlow CSV", "the sample that comes with this page", "Top classes, flagged", "SSH-Bruteforce", "T1110.001", "1,000 rows", `aria-rowcount="1001"`)
	markup(t, html)
	if n := strings.Count(html, `role="row"`); n < 20 || n > 60 {
		t.Errorf("%d rows in the document, want those in sight", n)
	}
	// 200 of 1,000 are of class 1 or 2 and reach 0.5
	if !regexp.MustCompile(`Flagged</dt><dd><span>200</span> <small>20.0 %`).MatchString(html) {
		t.Error("flagged count is not 200")
	}
	if !strings.Contains(html, "&lt;img src=x onerror=") {
		t.Error("hostile address is not shown as text")
	}
}

func TestThreshold_movesByTypingAndDragging(t *testing.T) {
	p := scored(t, 1000)
	p.fire(byID("threshold"), "change", map[string]any{"target.value": "0.9085"})
	p.wait("<span>100</span>", "10.0 % of the rows") // scores end in 0.908 and 0.909
	drag := map[string]any{"button": 0.0, "offsetX": 20.0, "target.clientWidth": 1000.0}
	p.fire(withClass("hist-hit"), "pointermove", drag) // not held: nothing happens
	p.wait("10.0 % of the rows")
	p.fire(withClass("hist-hit"), "pointerdown", drag)
	p.wait("100.0 % of the rows")
	p.fire(withClass("hist-hit"), "pointerup", nil)
	p.fire(byText("Reset to 0.50"), "click", nil)
	p.wait("20.0 % of the rows")
	p.fire(byID("threshold"), "change", map[string]any{"target.value": "1"})
	p.wait("No row reaches 1; the highest score is 0.909.", "No row reaches the threshold.")
}

func TestTable_filtersAndSorts(t *testing.T) {
	p := scored(t, 1000)
	p.fire(byID("search"), "input", map[string]any{"target.value": " 10.0.0.1"})
	p.wait("550 of 1,000 rows") // 10.0.0.1 and 10.0.0.10 to .19: 11 of 20, row 1 is not one of them
	p.fire(byID("search"), "input", map[string]any{"target.value": "password GUESSING"})
	p.wait("100 of 1,000 rows")
	p.fire(byID("search"), "input", map[string]any{"target.value": "nothing like it"})
	p.wait("0 of 1,000 rows", "No row passes the filter.")
	p.fire(byText("Clear"), "click", nil)
	p.wait(">1,000 rows<")
	p.fire(byID("class"), "change", map[string]any{"target.value": "2"})
	p.wait("100 of 1,000 rows")
	p.fire(byID("class"), "change", map[string]any{"target.value": "-1"})
	p.fire(byText("Source"), "click", nil)
	html := p.settle()
	if a, b := strings.Index(html, "10.0.0.0"), strings.Index(html, "10.0.0.1<"); a < 0 || b >= 0 && b < a {
		t.Errorf("sorted by source: 10.0.0.0 at %d, 10.0.0.1 at %d", a, b)
	}
	p.fire(byText("Bytes out"), "click", nil)
	p.fire(byText("Bytes out"), "click", nil)
	html = p.settle()
	if !regexp.MustCompile(`(?s)aria-rowindex="2".{1,400}>1,000<`).MatchString(html) {
		t.Error("the row with most bytes is not first")
	}
}

func TestTable_isOperableByKeyboard(t *testing.T) {
	p := scored(t, 1000)
	grid := byID("grid")
	key := func(k string) *fakeEvent { return p.fire(grid, "keydown", map[string]any{"key": k}) }
	if e := key("j"); !e.prevented {
		t.Error("j is left to the browser")
	}
	key("ArrowDown")
	key("k")
	p.wait(`aria-activedescendant="r1"`)
	key("End")
	if top := p.host.scrolled["grid"]; top < 1000*28-560 {
		t.Errorf("End scrolls to %g", top)
	}
	p.wait(`aria-activedescendant="r999"`)
	key("Enter")
	p.wait(`id="record-title"`, "Row 1,000")
	if f := p.host.focused[len(p.host.focused)-1]; f != "record-title" {
		t.Errorf("Enter focuses %q", f)
	}
	p.fire(byID("top"), "keydown", map[string]any{"key": "Escape"})
	p.lacks(`id="record-title"`)
	if f := p.host.focused[len(p.host.focused)-1]; f != "grid" {
		t.Errorf("Escape focuses %q", f)
	}
	if e := key("q"); e.prevented {
		t.Error("q is taken from the browser")
	}
	if e := p.fire(grid, "keydown", map[string]any{"key": "j", "ctrlKey": true}); e.prevented {
		t.Error("Ctrl+J is taken from the browser")
	}
	if e := p.fire(byID("top"), "keydown", map[string]any{"key": "/", "target.tagName": "DIV"}); !e.prevented {
		t.Error("/ does not find")
	}
}

func TestRecord_explainsTheVerdict(t *testing.T) {
	p := scored(t, 1000)
	p.fire(byID("r8"), "click", nil)
	html := p.wait("Row 9 looks like SSH-Bruteforce", "Why SSH-Bruteforce", "base 0.100", "2 other features", "+0.100", "−0.033", "the 6,790 training rows",
		"within 1.0e−9", "Brute Force: Password Guessing", "Credential Access (TA0006)", "●●● high", "https://attack.mitre.org/techniques/T1110/001", "1649 bytes", "95.0 %")
	markup(t, html)
	p.fire(byLabel("Copy the address of T1110.001"), "click", nil)
	if p.host.copied != "https://attack.mitre.org/techniques/T1110/001" {
		t.Errorf("copied %q", p.host.copied)
	}
	p.fire(byText("SVG"), "click", nil)
	if s := p.host.saved["sample.row9.svg"]; !strings.Contains(s, "<polygon") || strings.Contains(s, "<img") {
		t.Errorf("svg file: %q", s)
	}
	p.fire(byLabel("Next row"), "click", nil)
	p.wait("Row 10 looks like", "A flow record cannot show: T1113 Screen Capture")
}

func TestRecord_failureIsShown(t *testing.T) {
	p := scored(t, 1000)
	p.fire(byID("r12"), "click", nil)
	markup(t, p.wait("Row 13 cannot be explained", "Pick another row."))
}

func TestInputPanel_listsDroppedRowsAndMapping(t *testing.T) {
	p := newPage(t, &script{rows: 100, rejects: 31})
	p.fire(byText("Try the sample"), "click", nil)
	html := p.wait("Dropped rows (31 of 131)", "The first 20 of them", "column count", "1 found, 1 computed, 1 missing", "✗ missing, needed", "ƒ computed", "mystery", "f11", "wrapped duration")
	markup(t, html)
	if n := strings.Count(html, "3 columns, want 9"); n != 20 {
		t.Errorf("%d rejects listed, want 20", n)
	}
}

func TestResults_emptyStatesSayWhy(t *testing.T) {
	for name, c := range map[string]struct {
		s     script
		wants []string
	}{
		"no rows":      {script{}, []string{"it holds no rows", "It was taken for NetFlow CSV"}},
		"all rejected": {script{rejects: 5}, []string{"None of the 5 rows could be scored", "The first one, row 1, was dropped: column count"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPage(t, &c.s)
			p.fire(byText("Try the sample"), "click", nil)
			p.wait(c.wants...)
			p.lacks(`id="grid"`)
		})
	}
}

func TestRun_cancelKeepsWhatWasScored(t *testing.T) {
	s := &script{rows: 1000, pause: make(chan struct{})}
	p := newPage(t, s)
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("Waiting for the first rows", "<progress")
	s.pause <- struct{}{}
	p.wait("100 rows · 100 bytes of 1.0 kB")
	p.fire(byText("Cancel"), "click", nil)
	p.wait("Stopping…")
	close(s.pause)
	p.wait("Cancelled. What follows covers the")
	p.lacks("1,000 rows scored")
}

func TestRun_failureKeepsWhatWasScored(t *testing.T) {
	s := &script{rows: 300, fail: job.Failf("internal", "Please report it.", "index out of range %s", hostile)}
	p := newPage(t, s)
	p.fire(byText("Try the sample"), "click", nil)
	markup(t, p.wait("A fault in Cloister while scoring sample.csv", "Index out of range", "Please report it.", "The 300 rows scored before stay below.", `aria-rowcount="301"`))
	for range 1000 { // the faulty scorer is replaced
		if p.host.mu.Lock(); p.host.stopped == 1 {
			p.host.mu.Unlock()
			break
		}
		p.host.mu.Unlock()
		p.html()
	}
	p.fire(byText("Dismiss"), "click", nil)
	p.lacks("Index out of range")
}

func TestRun_inputFailureSaysWhatToDo(t *testing.T) {
	p := newPage(t, &script{fail: job.Failf("input", "Export it as CSV.", "not a flow file")})
	p.host.files = []job.File{newFile("x.pdf", 10)}
	p.fire(byID("choose"), "change", nil)
	p.wait("The file could not be read while scoring x.pdf", "Not a flow file.", "Export it as CSV.", "Drop a capture or flow file here")
}

func TestRoot_acceptsDroppedFiles(t *testing.T) {
	p := newPage(t, &script{rows: 100})
	if e := p.fire(byID("top"), "dragover", nil); !e.prevented {
		t.Error("dragover is left to the browser, which would open the file")
	}
	p.wait("Let go to score it here")
	p.fire(byID("top"), "dragleave", map[string]any{"relatedTarget.nodeType": 1.0})
	p.wait("Let go to score it here")
	p.host.files = []job.File{newFile("a.csv", 10), newFile("b.csv", 10)}
	if e := p.fire(byID("top"), "drop", nil); !e.prevented {
		t.Error("drop is left to the browser")
	}
	p.wait("200 rows scored in", "2 files", "Files (2)", "a.csv", "b.csv", `class="cell c-text"`)
	if got := p.app.store.columns[0].title(); got != "File" {
		t.Errorf("the first column is %q", got)
	}
}

// A file without verdicts leaves those on show.
func TestRun_inputFailureKeepsTheRunBefore(t *testing.T) {
	s := &script{rows: 100}
	p := newPage(t, s)
	p.host.files = []job.File{newFile("a.csv", 10)}
	p.fire(byID("top"), "drop", nil)
	p.wait("100 rows scored", "a.csv")
	s.fail = job.Failf("input", "Export it as CSV.", "not a flow file")
	s.rows = 0
	p.host.files = []job.File{newFile("x.pdf", 10)}
	p.fire(byID("top"), "drop", nil)
	p.wait("The file could not be read while scoring x.pdf", "100 rows scored", "a.csv")
}

// A file dropped while the bundle is still loading is opened afterwards.
func TestRoot_keepsAFileThatCameEarly(t *testing.T) {
	p := coldPage(t, &script{rows: 100})
	p.host.files = []job.File{newFile("a.csv", 10)}
	p.fire(byID("top"), "drop", nil)
	p.wait("Loading the bundle, then scoring a.csv")
	p.app.Start()
	p.wait("100 rows scored", "a.csv")
}

func TestBundle_canBeReplaced(t *testing.T) {
	p := newPage(t, &script{}, &script{})
	p.host.files = []job.File{newFile("own.bundle", 10)}
	p.fire(byID("choose-bundle"), "change", nil)
	for range 2000 {
		p.html()
		p.host.mu.Lock()
		n := p.host.stopped
		p.host.mu.Unlock()
		if n == 1 {
			return
		}
	}
	t.Error("the first scorer still runs")
}

func TestBundle_thatIsRefusedLeavesTheOldOne(t *testing.T) {
	p := newPage(t, &script{rows: 100}, &script{refuse: true})
	p.host.files = []job.File{newFile("own.bundle", 10)}
	p.fire(byID("choose-bundle"), "change", nil)
	markup(t, p.wait("The bundle was refused while loading the bundle own.bundle", "Use another.", "Flow triage"))
	p.host.mu.Lock()
	if p.host.stopped != 1 {
		t.Errorf("%d scorers were stopped, want the new one", p.host.stopped)
	}
	p.host.mu.Unlock()
	p.fire(byText("Try the sample"), "click", nil) // with the scorer from before
	p.wait("100 rows scored in")
	p.host.files = []job.File{newFile("huge.bundle", maxBundle+1)}
	p.fire(byText("Another file"), "click", nil)
	p.fire(byID("choose-bundle"), "change", nil)
	p.wait("The file has 67108865 bytes, a bundle at most 67108864.")
}

func TestTable_thatIsSortedHoldsAllRowsInTheEnd(t *testing.T) {
	s := &script{rows: 1000, pause: make(chan struct{})}
	p := newPage(t, s)
	p.fire(byText("Try the sample"), "click", nil)
	s.pause <- struct{}{}
	p.wait("100 rows · ")
	p.fire(byText("Bytes out"), "click", nil)
	p.settle()
	close(s.pause)
	p.wait("1,000 rows scored in")
	if html := p.settle(); !strings.Contains(html, `aria-rowcount="1001"`) {
		t.Error("rows are missing in the sorted table")
	}
}

func TestExport_isSafeAndComplete(t *testing.T) {
	p := scored(t, 5000)
	p.fire(byText("CSV of 5,000 rows"), "click", nil)
	p.wait("Saved sample.verdicts.csv with 5,000 rows.")
	rows, err := csv.NewReader(strings.NewReader(p.host.saved["sample.verdicts.csv"])).ReadAll()
	if err != nil || len(rows) != 5001 {
		t.Fatalf("csv: %d rows, %v", len(rows), err)
	}
	if got, want := strings.Join(rows[0], " "), "row IPV4_SRC_ADDR IN_BYTES class probability severity flagged abstained attack_probability anomaly technique"; got != want {
		t.Errorf("heading %q, want %q", got, want)
	}
	if got, want := strings.Join(rows[9], "|"), "9|10.0.0.8|8|SSH-Bruteforce|0.95|High|true|false|0.908|0.08|T1110.001"; got != want {
		t.Errorf("row 9 %q, want %q", got, want)
	}
	if rows[1][1] != hostile {
		t.Errorf("row 1 source %q", rows[1][1])
	}
	p.fire(byText("JSON"), "click", nil)
	p.wait("Saved sample.verdicts.json with 5,000 rows.")
	var out struct {
		File, Bundle, SHA256 string
		Threshold            float64
		Verdicts             []struct {
			Row     int64
			Class   string
			Flagged bool
			Attack  []job.Technique
			Fields  map[string]any
		}
	}
	if err := json.Unmarshal([]byte(p.host.saved["sample.verdicts.json"]), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Verdicts) != 5000 || out.Bundle != "flows" || out.Threshold != 0.5 || out.Verdicts[8].Attack[0].ID != "T1110.001" || out.Verdicts[0].Fields["IPV4_SRC_ADDR"] != hostile {
		t.Errorf("json: %d verdicts, %+v", len(out.Verdicts), out.Verdicts[8])
	}
}

func TestDialogs_openAndClose(t *testing.T) {
	p := newPage(t, &script{})
	p.host.seal.Notes = []string{"policy set at load " + hostile}
	p.host.attempts = []Attempt{{Channel: "image", Blocked: true}, {Channel: "navigation", Note: "cannot be stopped"}}
	p.fire(byID("about"), "click", nil)
	p.wait("The MITRE Corporation", "What is computed where", `aria-modal="true"`, "inert")
	p.fire(byLabel("Close"), "click", nil)
	p.lacks(`aria-modal="true"`, "inert")
	p.fire(byID("seal"), "click", nil)
	markup(t, p.wait("policy set at load", "refuses the connections"))
	p.fire(byText("Try to get a byte out"), "click", nil)
	p.wait("✓ refused", "✗ got out")
	p.fire(byID("top"), "keydown", map[string]any{"key": "Escape"})
	p.lacks(`aria-modal="true"`)
}

func TestTheme_cycles(t *testing.T) {
	p := newPage(t, &script{})
	for _, want := range []string{"light", "dark", ""} {
		p.fire(byLabel("Colours"), "click", nil)
		if p.host.theme != want {
			t.Errorf("theme %q, want %q", p.host.theme, want)
		}
	}
}

func TestRun_scorerThatDiesIsReplaced(t *testing.T) {
	s := &script{rows: 1000, pause: make(chan struct{})}
	p := newPage(t, s, &script{rows: 100})
	p.fire(byText("Try the sample"), "click", nil)
	s.pause <- struct{}{}
	p.wait("100 rows · ")
	p.host.mu.Lock()
	dead := p.host.pipes[0]
	p.host.mu.Unlock()
	dead.Close()
	p.wait("Scorer is gone", "The 100 rows scored before stay below.")
	close(s.pause)
	for range 2000 {
		p.html()
		p.host.mu.Lock()
		n := p.host.stopped
		p.host.mu.Unlock()
		if n == 1 {
			break
		}
	}
	p.fire(byText("Another file"), "click", nil)
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("100 rows scored in")
}
