package site

import (
	"math"
	"strings"
	"testing"

	"cloister/site/internal/session"
)

// finish does all that is due for what is on show.
func (p *page) finish() {
	p.t.Helper()
	for range 10_000 {
		p.env.Lock()
		done := p.app.step()
		p.env.UnlockOnly()
		if done {
			return
		}
	}
	p.t.Fatal("there is always something left to do")
}

// typeFilter types into the filter box.
func (p *page) typeFilter(text string) string {
	p.t.Helper()
	p.fire(byID("search"), "input", map[string]any{"target.value": text, "target.selectionStart": float64(len(text))})
	p.finish()
	return p.html()
}

func TestFilter_choosesByEveryField(t *testing.T) {
	p := scored(t, 1000) // of ten rows, seven are benign, one is SSH and one Bot
	s := p.app.store
	s.marks[4] = mark{"confirmed", ""}
	s.marks[5] = mark{"", "n"}
	count := func(f func(i int) bool) (n int) {
		for i := range s.row {
			if f(i) {
				n++
			}
		}
		return n
	}
	tests := map[string]func(i int) bool{
		"class = SSH-Bruteforce":  func(i int) bool { return s.class[i] == 1 },
		"class !~ ssh":            func(i int) bool { return s.class[i] != 1 },
		"score >= 0.9":            func(i int) bool { return s.attack[i] >= 0.9 },
		"probability < 0.9":       func(i int) bool { return s.prob[i] < 0.9 },
		"anomaly > 50%":           func(i int) bool { return s.anomaly[i] > 0.5 },
		"row <= 10":               func(i int) bool { return s.row[i] <= 10 },
		"flagged":                 func(i int) bool { return s.attack[i] >= 0.5 },
		"withheld":                func(i int) bool { return s.abstained[i] },
		"outside":                 func(i int) bool { return s.outside[i] },
		"attackclass":             func(i int) bool { return s.class[i] > 0 },
		"marked":                  func(i int) bool { return i == 4 },
		"noted":                   func(i int) bool { return i == 5 },
		"mark = confirmed":        func(i int) bool { return i == 4 },
		"technique = T1071.001":   func(i int) bool { return s.class[i] == 2 },
		"technique != T1071.001":  func(i int) bool { return s.class[i] != 2 },
		`tactic ~ "command"`:      func(i int) bool { return s.class[i] == 2 },
		"severity = critical":     func(i int) bool { return s.severity[i] == 4 },
		"level >= 3":              func(i int) bool { return s.severity[i] >= 3 },
		"src = 10.0.0.3":          func(i int) bool { return s.columns[0].words[s.columns[0].codes[i]] == "10.0.0.3" },
		"bytes >= 100 bytes < 1k": func(i int) bool { v := s.columns[1].numbers.at(i); return v >= 100 && v < 1000 },
		"10.0.0.1 or ssh": func(i int) bool {
			return s.class[i] == 1 || strings.Contains(s.columns[0].words[s.columns[0].codes[i]], "10.0.0.1")
		},
		"not (flagged or withheld)": func(i int) bool { return s.attack[i] < 0.5 && !s.abstained[i] },
	}
	for text, want := range tests {
		p.typeFilter(text)
		if p.app.findFault != nil {
			t.Errorf("%s: %v", text, p.app.findFault)
		}
		if got, n := len(p.app.view.index), count(want); got != n {
			t.Errorf("%s: %d rows, want %d", text, got, n)
		}
	}
	html := p.typeFilter("score >= high")
	if !strings.Contains(html, "at character 10") || !strings.Contains(html, `aria-invalid="true"`) {
		t.Error("the fault is not shown with its place")
	}
}

// The address holds settings, and nothing that a file may have put there.
func TestSettings_neverHoldData(t *testing.T) {
	p := scored(t, 200)
	words := map[string]bool{}
	for _, c := range p.app.store.columns {
		for _, w := range c.words {
			words[w] = true
		}
	}
	for text, kept := range map[string]bool{
		"score >= 0.9 and flagged": true, "class = SSH-Bruteforce": true, "technique = T1110.001": true, "bytes > 10": true, "severity = high": true,
		"src = 10.0.0.3": false, "10.0.0.3": false, "score > 0.5 or dst ~ x": false, "class = 10.0.0.3": false, `mark = "10.0.0.3"`: false,
	} {
		p.typeFilter(text)
		if p.app.findFault != nil && !strings.Contains(text, "dst") {
			t.Errorf("%s: %v", text, p.app.findFault)
		}
		for w := range words {
			if len(w) > 3 && strings.Contains(unescape(p.host.settings), w) {
				t.Errorf("%s: the address %q holds %q of the file", text, p.host.settings, w)
			}
		}
		if got := strings.Contains(p.host.settings, "q="); p.app.findFault == nil && got != kept {
			t.Errorf("%s: kept in the address: %v (%q)", text, got, p.host.settings)
		}
		p.typeFilter("")
	}
	p.app.setMark(3, mark{"confirmed", "a secret note"})
	p.app.setThreshold(0.75)
	p.app.setOwn(1, 0.25)
	p.app.openScreen("threshold")
	if h := unescape(p.host.settings); strings.Contains(h, "secret") || strings.Contains(h, "confirmed") || h != "view=threshold&t=0.75&t.SSH-Bruteforce=0.25" {
		t.Errorf("the address is %q", h)
	}
}

func TestSettings_areReadBack(t *testing.T) {
	p := coldPage(t, &script{rows: 100})
	p.host.settings = "view=why&t=0.75&t.SSH-Bruteforce=0.25&q=class%20%3D%20SSH-Bruteforce&flagged=1&score=0.1-0.95&order=-4d&group=class&t.None=3&t=2&x=%zz&score"
	p.app.Start()
	p.wait("Drop a capture or flow file here")
	p.fire(byText("Try the sample"), "click", nil)
	p.wait(" rows scored in")
	p.finish()
	a := p.app
	if f := a.view.filter; a.threshold != 0.75 || a.own[1] != 0.25 || !math.IsNaN(a.own[0]) || f.text != "class = SSH-Bruteforce" || !f.flagged || a.screen != "why" || a.groups.by != "class" {
		t.Errorf("%+v, threshold %v, own %v, screen %q", f, a.threshold, a.own, a.screen)
	}
	p.app.applySettings(strings.Repeat("t=0.1&", 2000))
	if a.threshold != 0.75 {
		t.Error("an address of 12,000 bytes is read")
	}
}

func TestMarks_canBeUndone(t *testing.T) {
	p := scored(t, 100)
	grid := byID("grid")
	key := func(k string) { p.fire(grid, "keydown", map[string]any{"key": k}) }
	var seen []string
	for range 4 {
		key("x")
		seen = append(seen, p.app.store.marks[0].mark)
	}
	if strings.Join(seen, ",") != "confirmed,refuted,open," {
		t.Errorf("x gives %q", seen)
	}
	key("u")
	if m := p.app.store.marks[0].mark; m != "open" {
		t.Errorf("after undoing: %q", m)
	}
	for range 3 {
		key("u")
	}
	if len(p.app.store.marks) != 0 {
		t.Errorf("%v is left", p.app.store.marks)
	}
	key("u")
	p.wait("There is nothing to undo.")
	// typing a note is one step
	for _, s := range []string{"a", "as", "ask"} {
		p.app.setMark(7, mark{"", s})
	}
	if key("u"); len(p.app.store.marks) != 0 {
		t.Errorf("a note is undone to %v", p.app.store.marks)
	}
}

func TestSession_comesBackForTheSameFilesOnly(t *testing.T) {
	p := scored(t, 300)
	p.app.setMark(13, mark{"refuted", "<b>x</b>"})
	p.app.setMark(250, mark{"confirmed", ""})
	p.typeFilter("src = 10.0.0.3")
	p.fire(byText("Save session"), "click", nil)
	data := p.host.saved["sample.session.json"]
	if !strings.Contains(data, `"row":14`) || strings.Contains(data, "10.0.0.4") {
		t.Fatalf("saved %q of %v", data, p.host.saved)
	}
	q := scored(t, 300)
	q.env.Lock()
	err := q.app.resume([]byte(data))
	q.env.UnlockOnly()
	q.finish()
	if err != nil || q.app.store.marks[13].note != "<b>x</b>" || q.app.store.marks[250].mark != "confirmed" || q.app.view.filter.text != "src = 10.0.0.3" {
		t.Errorf("%v, %v, %+v", err, q.app.store.marks, q.app.view.filter)
	}
	markup(t, q.html())
	other, err := session.Decode([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	other.Files[0].Size++
	for name, bad := range map[string]string{"another file": string(session.Append(nil, other)), "no session": "{}", "cut": data[:len(data)-5]} {
		if err := q.app.resume([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if len(q.app.store.marks) != 2 {
		t.Error("a session that is refused takes the marks away")
	}
}

func TestGroups_countTheRowsOfTheList(t *testing.T) {
	p := scored(t, 1000)
	for by, groups := range map[string]int{"class": 3, "technique": 2, "tactic": 2, "source": 21, "destination": 0} {
		p.app.groups.by = by
		p.finish()
		var rows, hot int64
		for _, g := range p.app.groups.list {
			rows, hot = rows+g.rows, hot+g.hot
		}
		if p.app.groups.all != groups {
			t.Errorf("by %s: %d groups, want %d", by, p.app.groups.all, groups)
		}
		if want := int64(1000); (by == "class" || by == "source") && (rows != want || hot != p.app.nFlagged) {
			t.Errorf("by %s: %d rows, %d flagged, want %d and %d", by, rows, hot, want, p.app.nFlagged)
		}
	}
	p.app.groups.by = "source"
	p.finish()
	markup(t, p.html())
	p.fire(byText("10.0.0.19"), "click", nil)
	p.finish()
	if f := p.app.view.filter.text; f != "src = 10.0.0.19" || len(p.app.view.index) != 50 {
		t.Errorf("filter %q, %d rows", f, len(p.app.view.index))
	}
}

func TestMeasures_againstTheDefinition(t *testing.T) {
	p := scored(t, 1000)
	s := p.app.store
	label := s.column("Attack", "", false)
	label.role = roleLabel
	s.label = label
	words := []string{"Benign", "ssh-bruteforce", "something new", "", "normal"}
	for i := range s.row {
		label.codes = append(label.codes, label.code(words[i%7%5]))
	}
	p.app.threshold = 0.905
	p.app.openScreen("threshold")
	p.finish()
	m := &p.app.measured.done
	var want [2][2]int64
	var silent [2]int64
	for i := range s.row {
		w := words[i%7%5]
		if w == "" {
			continue
		}
		attack, hot := 1, 0
		if w == "Benign" || w == "normal" {
			attack = 0
		}
		if s.attack[i] >= 0.905 {
			hot = 1
		}
		if s.abstained[i] {
			silent[attack]++
		} else {
			want[attack][hot]++
		}
	}
	if m.binary != want || m.silent != silent || want[1][1] == 0 || silent[1] == 0 {
		t.Errorf("%v %v, want %v %v", m.binary, m.silent, want, silent)
	}
	precision, recall, f1, rate := m.scores()
	tp, fp, fn, tn := float64(want[1][1]), float64(want[0][1]), float64(want[1][0]), float64(want[0][0])
	if precision != tp/(tp+fp) || recall != tp/(tp+fn) || math.Abs(f1-2*precision*recall/(precision+recall)) > 1e-12 || rate != fp/(fp+tn) {
		t.Errorf("%v %v %v %v", precision, recall, f1, rate)
	}
	// the area is the share of pairs in order, ties half, to the bins' width
	var pairs, ordered float64
	for i := range s.row {
		for j := range s.row {
			if truth(words[i%7%5]) == 1 && truth(words[j%7%5]) == 0 && !s.abstained[i] && !s.abstained[j] {
				pairs++
				switch a, b := int(s.attack[i]*curveBins), int(s.attack[j]*curveBins); {
				case a > b:
					ordered++
				case a == b:
					ordered += 0.5
				}
			}
		}
	}
	if _, _, area := m.curve(); pairs == 0 || math.Abs(area-ordered/pairs) > 1e-9 {
		t.Errorf("area %v, want %v", area, ordered/pairs)
	}
	html := p.html()
	for _, text := range []string{"Against the file", "something new", "withheld: votes split", "ROC"} {
		if !strings.Contains(html, text) {
			t.Errorf("the screen lacks %q", text)
		}
	}
	p.app.setOwn(0, 0)
	p.finish()
	if p.app.nFlagged <= want[1][1]+want[0][1] || p.app.measured.done.states[stateVerdict][1] == want[1][1]+want[0][1] {
		t.Error("a threshold of its own changes nothing")
	}
}

// truth is 1 for an attack, 0 for benign, -1 for no label.
func truth(word string) int {
	switch word {
	case "":
		return -1
	case "Benign", "normal":
		return 0
	}
	return 1
}

func TestAnomalies_againstTheDefinition(t *testing.T) {
	p := scored(t, 1000)
	p.app.openScreen("anomalies")
	p.app.strange.limit = 0.9
	p.finish()
	var strange int64
	byHost := map[string]int64{}
	hosts := p.app.store.find(roleSource)
	for i, v := range p.app.store.anomaly {
		if v >= 0.9 {
			strange++
			byHost[hosts.words[hosts.codes[i]]]++
		}
	}
	d := &p.app.strange.done
	if d.strange != strange || d.percentile[90] != strange || d.known != 1000 || strange == 0 || len(d.list) != len(byHost) {
		t.Errorf("%d strange, %d at 90 %%, %d hosts; want %d, %d", d.strange, d.percentile[90], len(d.list), strange, len(byHost))
	}
	for _, h := range d.list {
		if h.strange != byHost[hosts.words[h.code]] {
			t.Errorf("%s: %d, want %d", hosts.words[h.code], h.strange, byHost[hosts.words[h.code]])
		}
	}
	markup(t, p.html())
}

func TestWhy_explainsEveryRowOfTheList(t *testing.T) {
	p := scored(t, 200)
	p.app.openScreen("why")
	p.wait("Nothing is explained yet.")
	p.typeFilter2("not row = 13") // the script cannot explain row 13
	p.fire(byID("explain-all"), "click", nil)
	html := p.wait("199 records are explained.", "What matters", "Direction and spread", "How ", "Flagged rows by reason")
	markup(t, html)
	x := &p.app.shap
	if x.n() != 199 || x.d != 12 || len(x.phi) != 199*12 {
		t.Fatalf("%d rows of %d features", x.n(), x.d)
	}
	mean, order := x.importance(x.members(1))
	if order[0] != 0 || math.Abs(mean[0]-0.1) > 1e-7 || math.Abs(mean[2]-0.1/3) > 1e-7 {
		t.Errorf("importance %v, order %v", mean, order)
	}
	// every flagged row is in a cluster, and one cluster holds them: the script
	// explains all rows alike
	c := x.clusters(func(at int32) bool { return p.app.store.flags(int(at), p.app.threshold) })
	if len(c) != 1 || len(c[0].rows) != int(p.app.nFlagged) {
		t.Errorf("%d clusters", len(c))
	}
	for range 25 {
		p.app.compare(int32(len(x.compared)))
	}
	if len(x.compared) != compareMost {
		t.Errorf("%d records are compared", len(x.compared))
	}
	f := p.app.compareFigure()
	if len(f.head) != 21-1 { // row 13 was not explained
		t.Errorf("the comparison has %d columns", len(f.head))
	}
	for _, f := range []*figure{f, p.app.barFigure(x.members(1), 0), p.app.swarmFigure(x.members(1), 0), p.app.dependenceFigure(0, x.members(1), 0)} {
		if svg := string(f.svg()); !strings.HasPrefix(svg, "<svg") || strings.Contains(svg, "<img") || strings.Contains(svg, "NaN") || len(f.rows) == 0 || f.desc == "" || !strings.Contains(string(f.csv()), "\r\n") {
			t.Errorf("%s: %.300s", f.title, svg)
		}
	}
}

// typeFilter2 sets a filter while its box is not on show.
func (p *page) typeFilter2(text string) {
	p.env.Lock()
	p.app.setFilter(text)
	p.env.UnlockOnly()
	p.finish()
}
