package site

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"cloister/shared/job"
	"cloister/shared/job/jobtest"

	"github.com/vugu/vugu"
	vjs "github.com/vugu/vugu/js"
	"github.com/vugu/vugu/staticrender"
)

// hostile is what a capture may hold where people expect an address.
const hostile = `<img src=x onerror="alert(1)">`

// file is an upload in memory.
type file struct {
	*bytes.Reader
	name string
}

func (f file) Name() string { return f.name }

func newFile(name string, n int) file { return file{bytes.NewReader(make([]byte, n)), name} }

// script is a [job.Scorer] whose answers are written down.
type script struct {
	rows    int64 // in batches of 100
	pause   chan struct{}
	fail    error // instead of a summary
	rejects int64
	refuse  bool // every bundle
	signed  func(*job.Bundle)
}

func theBundle() job.Bundle {
	return job.Bundle{
		Name: "flows", Version: "1.2.0", Title: "Flow triage", Description: "Classes of flows.",
		SHA256: strings.Repeat("ab", 32), Size: 123456, Trust: "unsigned", Model: "random forest, 100 trees", AttackVersion: "19.1",
		Classes: []job.Class{
			{Name: "Benign", Severity: "Informational", Benign: true, Precision: 0.99, Recall: 0.98, Support: 900},
			{Name: "SSH-Bruteforce", Severity: "High", Attack: []job.Technique{{ID: "T1110.001", Tactic: "TA0006", Confidence: "high", Basis: "published"}}, Precision: 0.9, Recall: job.Number(math.NaN()), Support: 50},
			{Name: "Bot <b>", Severity: "Critical", Attack: []job.Technique{{ID: "T1071.001", Tactic: "TA0011", Confidence: "medium", Basis: "inferred"}}, Unseen: []string{"T1113"}},
		},
		Features:  []job.Feature{{Name: "IN_BYTES", Unit: "bytes"}, {Name: "OUT_BYTES"}, {Name: hostile}, {Name: "f3"}, {Name: "f4"}, {Name: "f5"}, {Name: "f6"}, {Name: "f7"}, {Name: "f8"}, {Name: "f9"}, {Name: "f10"}, {Name: "f11"}},
		Metrics:   []job.Metric{{Name: "accuracy", Value: 0.98, Low: job.Number(math.NaN()), High: job.Number(math.NaN()), Split: "holdout", Rows: 1000}, {Name: "macro-F1 of forest instead", Value: 0.8, Low: 0.7, High: 0.9, Split: "holdout", Rows: 1000}, {Name: "macro-F1", Value: 0.726, Low: 0.717, High: 0.734, Split: "holdout", Rows: 1000}, {Name: "macro-F1, majority class", Value: 0.06, Low: 0.05, High: 0.07, Split: "holdout", Rows: 1000}},
		Limits:    []string{"Seen one network only."},
		Data:      []string{"NF-CSE-CIC-IDS2018-v3 (see NOTICE)"},
		Vectors:   32,
		Threshold: 0.5, Abstain: 0.4, Card: "# Card " + hostile,
	}
}

func (s *script) Load([]byte) (job.Bundle, error) {
	if s.refuse {
		return job.Bundle{}, job.Failf("bundle", "use another", "bundle refused: "+hostile)
	}
	b := theBundle()
	if s.signed != nil {
		s.signed(&b)
	}
	return b, nil
}

func (s *script) Score(f job.File, o job.Options, emit func(job.Progress, *job.Batch) bool) (job.Summary, error) {
	sum := job.Summary{
		Format: "NetFlow CSV", Reasons: map[string]int64{}, ByClass: make([]int64, 3),
		Mapping: []job.Mapping{
			{Field: "IN_BYTES", From: "in_bytes", How: "column", Needed: true},
			{Field: "DURATION", From: "end - start", How: "computed"},
			{Field: "TCP_FLAGS", How: "missing", Needed: true},
		},
		Unmapped: []string{"mystery" + hostile}, Imputed: []string{"f11"}, Repairs: map[string]int64{"wrapped duration": 7},
	}
	for i := range min(s.rejects, 20) {
		sum.Rejects = append(sum.Rejects, job.Reject{Row: i + 1, Offset: 100 * i, Reason: "column count", Detail: "3 columns, want 9: \"" + hostile + "\""})
	}
	if s.rejects > 0 {
		sum.Reasons["column count"] = s.rejects
	}
	sum.Rejected, sum.Rows = s.rejects, s.rejects
	const step = 100
	for at := int64(0); at < s.rows; at += step {
		if s.pause != nil {
			<-s.pause
		}
		b := &job.Batch{}
		src, bytes := job.Column{Name: "IPV4_SRC_ADDR"}, job.Column{Name: "IN_BYTES", Unit: "bytes"}
		for i := at; i < min(at+step, s.rows); i++ {
			k := uint16(i % 10 / 8 * (1 + i%2)) // rows 8, 9 of ten: classes 1, 2
			attack := 0.1 + 0.001*float64(i%10)
			if k > 0 {
				attack = 0.9 + 0.001*float64(i%10)
			}
			b.Row = append(b.Row, i+1)
			b.Class = append(b.Class, k)
			b.Probability = append(b.Probability, 0.95)
			b.Attack = append(b.Attack, attack)
			b.Anomaly = append(b.Anomaly, float64(i%100)/100)
			b.Abstained = append(b.Abstained, i%50 == 49)
			src.Texts = append(src.Texts, fmt.Sprintf("10.0.0.%d", i%20))
			bytes.Numbers = append(bytes.Numbers, float64(i))
		}
		if at == 0 {
			src.Texts[0] = hostile
		}
		b.Columns = []job.Column{src, bytes}
		sum.Scored += int64(len(b.Row))
		sum.Rows += int64(len(b.Row))
		if !emit(job.Progress{Bytes: f.Size() * (at + step) / max(s.rows, step), Total: f.Size(), Rows: sum.Rows, Rejected: s.rejects}, b) {
			sum.Cancelled, sum.Stopped = true, "cancelled"
			return sum, nil
		}
	}
	return sum, s.fail
}

func (s *script) Explain(row int64) (job.Record, error) {
	if row == 13 {
		return job.Record{}, job.Failf("input", "Pick another row.", "row 13 cannot be explained: %s", hostile)
	}
	r := job.Record{
		Row: row, Class: 1, Base: 0.1, Unit: "probability", Tolerance: 1e-9, Background: "the 6,790 training rows",
		Sentence: "Row " + fmt.Sprint(row) + " looks like SSH-Bruteforce, mostly for " + hostile + ".",
		Fields:   []job.Field{{Name: "IN_BYTES", Unit: "bytes", Value: "1649"}, {Name: "HOST", Value: hostile}},
		Classes:  []job.Share{{Class: 0, Probability: 0.05}, {Class: 1, Probability: 0.95}},
	}
	r.Margin = r.Base
	for i := range 12 {
		phi := 0.1 / float64(i+1)
		if i%3 == 2 {
			phi = -phi
		}
		r.Attributions = append(r.Attributions, job.Attribution{Feature: i, Value: fmt.Sprint(100 * i), Percentile: 0.5, SHAP: phi, Typical: "7"})
		r.Margin += phi
	}
	return r, nil
}

// host is a [Host] in memory.
type host struct {
	mu       sync.Mutex
	scorers  []*script // one for each Connect; the last one again
	started  int
	seal     Seal
	files    []job.File
	saved    map[string]string
	kept     map[string]string
	copied   string
	theme    string
	focused  []string
	scrolled map[string]float64
	noBundle bool
	stock    []Stocked
	serve    func() job.Scorer // in place of scorers
	reads    bool              // files are read as what they hold
	content  string            // of every file, if it is set
	bundle   string            // content of the default bundle
	attempts []Attempt
	stopped  int
	cores    int
	settings string
	pipes    []*jobtest.End
}

func (h *host) Connect() (job.Pipe, func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var s job.Scorer
	if h.serve != nil {
		s = h.serve()
	} else {
		s = h.scorers[min(h.started, len(h.scorers)-1)]
	}
	h.started++
	a, b := jobtest.Pipe()
	h.pipes = append(h.pipes, a)
	go job.Serve(b, s)
	return a, func() { h.mu.Lock(); h.stopped++; h.mu.Unlock(); a.Close() }, nil
}

func (h *host) Bundle() (string, []byte) {
	if h.noBundle {
		return "", nil
	}
	if h.bundle != "" {
		return h.bundle, []byte(h.bundle)
	}
	return "flows.bundle", []byte("bundle")
}
func (h *host) Stock() []Stocked                { return h.stock }
func (h *host) Sample() (job.File, string)      { return newFile("sample.csv", 1000), "97 rows, labelled" }
func (h *host) Files(vugu.DOMEvent) []job.File  { return h.files }
func (h *host) Settings() string                { return h.settings }
func (h *host) SetSettings(s string)            { h.settings = s }
func (h *host) Cores() int                      { return h.cores }
func (h *host) Memory() Memory                  { return Memory{64 << 20, []int64{48 << 20}} }
func (h *host) Seal() Seal                      { return h.seal }
func (h *host) Attempts(f func([]Attempt))      { go f(h.attempts) }
func (h *host) Copy(text string)                { h.copied = text }
func (h *host) Theme() string                   { return h.theme }
func (h *host) SetTheme(t string)               { h.theme = t }
func (h *host) Preference(name string) string   { return h.kept[name] }
func (h *host) SetPreference(name, v string)    { h.kept[name] = v }
func (h *host) ClockOffset(ms int64) int        { return 120 }
func (h *host) Pause()                          {}
func (h *host) Focus(id string)                 { h.focused = append(h.focused, id) }
func (h *host) ScrollTo(id string, top float64) { h.scrolled[id] = top }
func (h *host) Size(string) (float64, float64)  { return 1200, 560 }
func (h *host) OnChange(func())                 {}
func (h *host) Hold(vugu.DOMEvent)              {}
func (h *host) Locale(language string) Locale {
	if language == "de" {
		return Locale{Group: ".", Decimal: ",", From: 4}
	}
	return Locale{Group: ",", Decimal: ".", From: 4}
}

func (h *host) Read(f job.File, done func([]byte, error)) {
	data := []byte("bundle")
	if h.reads {
		data = make([]byte, f.Size())
		_, _ = f.ReadAt(data, 0)
	}
	if h.content != "" {
		data = []byte(h.content)
	}
	go done(data, nil)
}

func (h *host) ReadRange(f job.File, from, to int64) ([]byte, error) {
	b := make([]byte, to-from)
	n, err := f.ReadAt(b, from)
	if err == io.EOF {
		err = nil
	}
	return b[:n], err
}

func (h *host) Join(f job.File, ranges [][2]int64) job.File {
	var all []byte
	for _, r := range ranges {
		b, _ := h.ReadRange(f, r[0], r[1])
		all = append(all, b...)
	}
	return file{bytes.NewReader(all), f.Name()}
}

func (h *host) Download(name, mime string, parts [][]byte) {
	h.saved[name] = string(bytes.Join(parts, nil))
}

func (h *host) Gather() (add func([]byte), save func(name, mime string)) {
	var all []byte
	return func(part []byte) { all = append(all, part...) }, func(name, mime string) { h.saved[name] = string(all) }
}

var _ Host = (*host)(nil)

// page is an app with its renderer.
type page struct {
	t    *testing.T
	host *host
	env  *staticrender.RWMutexEventEnv
	app  *App
	root *Root
	be   *vugu.BuildEnv
}

// newPage starts a page and waits until its bundle is loaded.
func newPage(t *testing.T, scorers ...*script) *page {
	t.Helper()
	p := coldPage(t, scorers...)
	p.app.Start()
	p.wait("Drop a capture or flow file here")
	return p
}

func coldPage(t *testing.T, scorers ...*script) *page {
	t.Helper()
	env := &staticrender.RWMutexEventEnv{}
	h := &host{scorers: scorers, saved: map[string]string{}, kept: map[string]string{}, scrolled: map[string]float64{}, seal: Seal{Sealed: true}}
	be, err := vugu.NewBuildEnv(env)
	if err != nil {
		t.Fatal(err)
	}
	app := New(h, env)
	p := &page{t, h, env, app, &Root{App: app}, be}
	t.Cleanup(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, x := range h.pipes {
			x.Close()
		}
	})
	return p
}

// html draws the page.
func (p *page) html() string {
	p.t.Helper()
	p.env.RLock()
	defer p.env.RUnlock()
	var b strings.Builder
	if err := staticrender.New(&b).Render(p.be.RunBuild(p.root)); err != nil {
		p.t.Fatal(err)
	}
	return b.String()
}

// wait draws until the page contains all of the texts.
func (p *page) wait(texts ...string) string {
	p.t.Helper()
	var s string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		s = p.html()
		missing := false
		for _, w := range texts {
			missing = missing || !strings.Contains(s, w)
		}
		if !missing {
			return s
		}
	}
	for _, w := range texts {
		if !strings.Contains(s, w) {
			p.t.Errorf("page lacks %q", w)
		}
	}
	p.t.FailNow()
	return ""
}

// settle draws until the table's list is complete.
func (p *page) settle() string {
	p.t.Helper()
	for range 5000 {
		if s := p.html(); strings.Contains(s, `aria-busy="false"`) {
			return s
		}
		time.Sleep(time.Millisecond)
	}
	p.t.Fatal("the table is never complete")
	return ""
}

// lacks fails if the drawn page contains a text.
func (p *page) lacks(texts ...string) {
	p.t.Helper()
	s := p.html()
	for _, w := range texts {
		if strings.Contains(s, w) {
			p.t.Errorf("page has %q", w)
		}
	}
}

// fire sends an event to the first element for which is returns true and that
// listens to it.
func (p *page) fire(is func(n *vugu.VGNode) bool, event string, props map[string]any) *fakeEvent {
	p.t.Helper()
	p.env.Lock()
	defer p.env.Unlock()
	r := p.be.RunBuild(p.root)
	var found func(vugu.DOMEvent)
	var walk func(n *vugu.VGNode)
	walk = func(n *vugu.VGNode) {
		for ; n != nil && found == nil; n = n.NextSibling {
			m := n
			if m.Component != nil {
				walk(r.ResultFor(m.Component).Out[0])
				continue
			}
			if m.Type == vugu.ElementNode && is(m) {
				for _, h := range m.DOMEventHandlerSpecList {
					if h.EventType == event {
						found = h.Func
						return
					}
				}
			}
			walk(m.FirstChild)
		}
	}
	walk(r.Out.Out[0])
	if found == nil {
		p.t.Fatalf("no element listens to %q", event)
	}
	e := &fakeEvent{props: props}
	found(e)
	return e
}

// byID, byText, byLabel and withClass choose elements.
func byID(id string) func(*vugu.VGNode) bool {
	return func(n *vugu.VGNode) bool { return attr(n, "id") == id }
}

func byText(text string) func(*vugu.VGNode) bool {
	return func(n *vugu.VGNode) bool {
		return strings.Contains(deep(n), text) && n.Data != "main" && n.Data != "div"
	}
}

func byLabel(label string) func(*vugu.VGNode) bool {
	return func(n *vugu.VGNode) bool { return strings.HasPrefix(attr(n, "aria-label"), label) }
}

func withClass(class string) func(*vugu.VGNode) bool {
	return func(n *vugu.VGNode) bool { return attr(n, "class") == class }
}

func attr(n *vugu.VGNode, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func deep(n *vugu.VGNode) string {
	s := n.Data
	if n.Type == vugu.ElementNode {
		s = ""
	}
	if n.InnerHTML != nil {
		s += *n.InnerHTML
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		s += deep(c)
	}
	return s
}

// fakeEvent is an event with the given properties, by dotted path.
type fakeEvent struct {
	props     map[string]any
	prevented bool
}

func (e *fakeEvent) Prop(keys ...string) any              { return e.props[strings.Join(keys, ".")] }
func (e *fakeEvent) PropString(keys ...string) string     { s, _ := e.Prop(keys...).(string); return s }
func (e *fakeEvent) PropFloat64(keys ...string) float64   { s, _ := e.Prop(keys...).(float64); return s }
func (e *fakeEvent) PropBool(keys ...string) bool         { s, _ := e.Prop(keys...).(bool); return s }
func (e *fakeEvent) EventSummary() map[string]interface{} { return e.props }
func (e *fakeEvent) JSEvent() (v vjs.Value)               { return v }
func (e *fakeEvent) JSEventTarget() (v vjs.Value)         { return v }
func (e *fakeEvent) JSEventCurrentTarget() (v vjs.Value)  { return v }
func (e *fakeEvent) EventEnv() vugu.EventEnv              { return nil }
func (e *fakeEvent) PreventDefault()                      { e.prevented = true }
func (e *fakeEvent) StopPropagation()                     {}
