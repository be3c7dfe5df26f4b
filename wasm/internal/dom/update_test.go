package dom_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloister/wasm/internal/dom/testdata/ui"

	"github.com/vugu/html"
	"github.com/vugu/vugu"
	"github.com/vugu/vugu/js"
	"github.com/vugu/vugu/staticrender"
)

// list is a component of keyed inputs, or of other things made from a name.
type list struct {
	names []string
	make  func(name string) any
}

func (l *list) Build(*vugu.BuildIn) *vugu.BuildOut {
	n := el("ul")
	for _, s := range l.names {
		switch x := l.make(s).(type) {
		case vugu.Builder:
			n.AppendChild(&vugu.VGNode{Component: x})
		case *vugu.VGNode:
			n.AppendChild(x)
		}
	}
	return &vugu.BuildOut{Out: []*vugu.VGNode{n}, Components: components(n, nil)}
}

func keyed(s string) any { return el("li", "vg-key="+s, el("input", "name="+s)) }

// children returns the elements of the page's first element.
func (p *page) children() (list []*html.Node) {
	for c := p.mount.FirstChild.FirstChild; c != nil; c = c.NextSibling {
		list = append(list, c)
	}
	return list
}

func TestTree_keyedChildrenKeepTheirNodes(t *testing.T) {
	for _, test := range []struct {
		from, to               string
		inserts, moves, remove int
	}{
		{"abcdef", "abcdef", 0, 0, 0},
		{"abcdef", "fabcde", 0, 1, 0},
		{"abcdef", "bcdefa", 0, 1, 0},
		{"abcdef", "fedcba", 0, 5, 0},
		{"abcdef", "acf", 0, 0, 3},
		{"abcdef", "abcXYdef", 1, 0, 0},
		{"abcdef", "", 0, 0, 6},
		{"", "abc", 1, 0, 0},
		{"abcdef", "XfYbZ", 3, 1, 4},
		{"abcdef", "ghijkl", 1, 0, 6},
		{"abcdefgh", "ahcdefgb", 0, 2, 0},
	} {
		l := &list{strings.Split(test.from, ""), keyed}
		if test.from == "" {
			l.names = nil
		}
		p := newPage(t)
		p.draw(l)
		nodes := map[string]*html.Node{}
		for i, n := range p.children() {
			nodes[l.names[i]] = n
		}
		l.names = strings.Split(test.to, "")
		if test.to == "" {
			l.names = nil
		}
		got, want := p.draw(l), newPage(t).draw(l)
		if got != want {
			t.Errorf("%s to %s: %s", test.from, test.to, got)
		}
		for i, n := range p.children() {
			if old := nodes[l.names[i]]; old != nil && old != n {
				t.Errorf("%s to %s: %q is another node", test.from, test.to, l.names[i])
			}
		}
		if c := p.counts; c[opInsert] != test.inserts || c[opMove] != test.moves || c[opRemove] != test.remove || c[opAttr]+c[opText]+c[opData] != 0 {
			t.Errorf("%s to %s: %d inserts, %d moves, %d removals; all: %v", test.from, test.to, c[opInsert], c[opMove], c[opRemove], c)
		}
	}
}

func TestTree_childrenWithOneKey(t *testing.T) {
	l := &list{strings.Split("aabca", ""), keyed}
	p := newPage(t)
	for _, s := range []string{"aabca", "caaab", "aaaaa", "b", "aab"} {
		l.names = strings.Split(s, "")
		if got, want := p.draw(l), newPage(t).draw(l); got != want {
			t.Errorf("%s: %s", s, got)
		}
	}
}

func TestTree_whichNodeBecomesWhich(t *testing.T) {
	instances := map[string]vugu.Builder{}
	for _, s := range []string{"a", "b", "c", "d"} {
		instances[s] = &ui.Label{Text: s}
	}
	other := map[string]vugu.Builder{"a": &ui.Label{Text: "a"}, "b": &ui.Label{Text: "b"}, "c": &ui.Label{Text: "c"}}
	island := func(s string) any {
		return &static{func() *vugu.VGNode { return el("p", "id="+s, func(js.Value) {}) }}
	}
	for name, test := range map[string]struct {
		from, to string
		make     [2]func(string) any
		want     string // for each new child the index of the old node, - for a new one
	}{
		"no keys: by position":            {"abc", "bcd", [2]func(string) any{func(s string) any { return el("li", "class="+s) }}, "012"},
		"no keys: one in front, by tag":   {"pi", "dpi", [2]func(string) any{func(s string) any { return el(map[string]string{"p": "p", "i": "input", "d": "div"}[s]) }}, "-01"},
		"ids":                             {"abc", "bcd", [2]func(string) any{func(s string) any { return el("li", "id="+s) }}, "120"},
		"keys differ":                     {"abc", "xyz", [2]func(string) any{keyed}, "---"},
		"instances":                       {"abc", "cab", [2]func(string) any{func(s string) any { return instances[s] }}, "201"},
		"instance gone, others stay":      {"abc", "bc", [2]func(string) any{func(s string) any { return instances[s] }}, "12"},
		"instances replaced":              {"abc", "abc", [2]func(string) any{func(s string) any { return instances[s] }, func(s string) any { return other[s] }}, "012"},
		"instances replaced with islands": {"abc", "abc", [2]func(string) any{island}, "---"},
		"another component":               {"ab", "ab", [2]func(string) any{func(s string) any { return instances[s] }, func(s string) any { return &ui.Item{Name: s} }}, "--"},
		"slots": {"ab", "ab", [2]func(string) any{func(s string) any {
			return vugu.NewBuilderFunc((&static{func() *vugu.VGNode { return el("u") }}).Build)
		}}, "01"},
		"slots with islands": {"ab", "ab", [2]func(string) any{func(s string) any {
			return vugu.NewBuilderFunc((&static{func() *vugu.VGNode { return el("u", func(js.Value) {}) }}).Build)
		}}, "01"},
		"island in place of none":  {"a", "a", [2]func(string) any{func(s string) any { return el("p") }, func(s string) any { return el("p", func(js.Value) {}) }}, "-"},
		"keyed never from unkeyed": {"a", "a", [2]func(string) any{func(s string) any { return el("li") }, keyed}, "-"},
		"unkeyed never from keyed": {"ab", "ab", [2]func(string) any{keyed, func(s string) any { return el("li") }}, "--"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.make[1] == nil {
				test.make[1] = test.make[0]
			}
			p := newPage(t)
			l := &list{strings.Split(test.from, ""), test.make[0]}
			p.draw(l)
			old := p.children()
			*l = list{strings.Split(test.to, ""), test.make[1]}
			drawn := p.draw(l)
			if want := newPage(t).draw(l); drawn != want {
				t.Errorf("drawn %s, want %s", drawn, want)
			}
			got := ""
			for _, n := range p.children() {
				if i := slices.Index(old, n); i >= 0 {
					got += fmt.Sprint(i)
				} else {
					got += "-"
				}
			}
			if got != test.want {
				t.Errorf("from %s, want %s", got, test.want)
			}
		})
	}
}

// roots is a component with any number of roots.
type roots struct{ tags []string }

func (r *roots) Build(*vugu.BuildIn) *vugu.BuildOut {
	out := &vugu.BuildOut{}
	for _, tag := range r.tags {
		out.Out = append(out.Out, el(tag))
	}
	return out
}

func TestTree_componentsWithManyRoots(t *testing.T) {
	a, b := &roots{}, &roots{}
	l := &list{[]string{"a", "b"}, func(s string) any { return map[string]vugu.Builder{"a": a, "b": b}[s] }}
	p := newPage(t)
	for _, step := range [][2]string{{"p b p", "i"}, {"p p", "i i"}, {"", "b"}, {"i", ""}, {"b i p", "p i b"}} {
		a.tags, b.tags = strings.Fields(step[0]), strings.Fields(step[1])
		want := "<ul>"
		for _, tag := range append(slices.Clone(a.tags), b.tags...) {
			want += "<" + tag + "></" + tag + ">"
		}
		if got := p.draw(l); got != want+"</ul>" {
			t.Errorf("%q: %s", step, got)
		}
	}
}

func TestTree_handlersAndListeners(t *testing.T) {
	var heard []string
	var specs []vugu.DOMEventHandlerSpec
	on := func(typ, says string, capture, passive bool) vugu.DOMEventHandlerSpec {
		return vugu.DOMEventHandlerSpec{EventType: typ, Capture: capture, Passive: passive, Func: func(vugu.DOMEvent) { heard = append(heard, says) }}
	}
	root := &static{func() *vugu.VGNode {
		n := el("button", "id=b")
		n.DOMEventHandlerSpecList = specs
		return el("div", n)
	}}
	p := newPage(t)
	for i, step := range []struct {
		specs           []vugu.DOMEventHandlerSpec
		listen, deafen  int
		says, listeners string
	}{
		{[]vugu.DOMEventHandlerSpec{on("click", "1", false, false)}, 0, 0, "1", "[click0]"},
		{[]vugu.DOMEventHandlerSpec{on("click", "2", false, false)}, 0, 0, "2", "[click0]"},
		{[]vugu.DOMEventHandlerSpec{on("click", "3", true, false), on("click", "4", false, false)}, 1, 0, "4", "[click0 click1]"},
		{[]vugu.DOMEventHandlerSpec{on("click", "5", false, true)}, 1, 2, "5", "[click2]"},
		{[]vugu.DOMEventHandlerSpec{on("click", "6", false, true), on("click", "7", false, true)}, 0, 0, "6", "[click2]"},
		{nil, 0, 1, "", "[]"},
		{[]vugu.DOMEventHandlerSpec{on("click", "8", false, false), on("input", "no", false, false), on("input", "no", false, false)}, 2, 0, "8", "[click0 input0]"},
	} {
		specs = step.specs
		p.draw(root)
		number := p.find("b")
		if p.counts[opListen] != step.listen || p.counts[opDeafen] != step.deafen {
			t.Errorf("step %d: %d listeners made, %d removed", i, p.counts[opListen], p.counts[opDeafen])
		}
		var has []string
		for l := range p.listeners[p.nodes[number]] {
			has = append(has, l)
		}
		slices.Sort(has)
		if s := fmt.Sprint(has); strings.ReplaceAll(s, " 0", "0") != step.listeners && s != step.listeners {
			t.Errorf("step %d: listeners %s, want %s", i, s, step.listeners)
		}
		heard = nil
		kind := uint32(slices.Index(p.names, "click")) * 2
		if f := p.tree.Handler(number, kind); f != nil {
			f(nil)
		}
		if got := strings.Join(heard, ""); got != step.says {
			t.Errorf("step %d: handler says %q, want %q", i, got, step.says)
		}
	}
	number := p.find("b")
	p.draw(&static{func() *vugu.VGNode { return el("div") }})
	for _, n := range []uint32{0, number, 1 << 30} {
		for _, kind := range []uint32{0, 1, 2, 1 << 30} {
			if p.tree.Handler(n, kind) != nil {
				t.Errorf("node %d has a handler of kind %d", n, kind)
			}
		}
	}
}

func TestTree_properties(t *testing.T) {
	value, disabled := `"a"`, `false`
	root := &static{func() *vugu.VGNode {
		return el("div", el("select", "id=s", el("option"), vugu.VGProperty{Key: "value", JSONVal: []byte(value)}, vugu.VGProperty{Key: "disabled", JSONVal: []byte(disabled)}))
	}}
	p := newPage(t)
	for i, step := range []struct {
		value, disabled string
		ops             int
	}{{`"a"`, `false`, 0}, {`"a"`, `false`, 1}, {`"b"`, `false`, 1}, {`"b"`, `true`, 2}, {`"b"`, `true`, 1}} {
		value, disabled = step.value, step.disabled
		p.draw(root)
		props := p.props[p.nodes[p.find("s")]]
		if props["value"] != value || props["disabled"] != disabled || p.counts[opProp] != step.ops {
			t.Errorf("step %d: %v after %d assignments", i, props, p.counts[opProp])
		}
	}
}

func TestTree_callbacks(t *testing.T) {
	var log []string
	note := func(s string) vugu.JSValueHandler {
		return vugu.JSValueFunc(func(js.Value) { log = append(log, s) })
	}
	on := true
	root := &static{func() *vugu.VGNode {
		inner := el("p", "id=inner")
		outer := el("div", "id=outer", inner)
		outer.JSCreateHandler, outer.JSPopulateHandler = note("create outer"), note("populate outer")
		inner.JSCreateHandler, inner.JSPopulateHandler = note("create inner"), note("populate inner")
		if on {
			return el("main", outer)
		}
		return el("main")
	}}
	p := newPage(t)
	for i, want := range []string{"create outer,create inner,populate inner,populate outer", "populate inner,populate outer", "", "create outer,create inner,populate inner,populate outer"} {
		log, on = nil, i != 2
		p.draw(root)
		for _, c := range slices.Concat(p.patch.Create, p.patch.Populate) {
			if p.nodes[c.Node] == nil {
				t.Errorf("callback for node %d, which is not there", c.Node)
			}
			c.Handler.JSValueHandle(js.Value{})
		}
		if got := strings.Join(log, ","); got != want {
			t.Errorf("render %d: %q, want %q", i, got, want)
		}
	}
	if p.find("inner") == p.find("outer") {
		t.Error("one number for two")
	}
}

func TestTree_resetDrawsAnew(t *testing.T) {
	root := &static{trees["escaped content"]}
	p := newPage(t)
	want := p.draw(root)
	p.tree.Reset()
	if got := p.draw(root); got != want || p.counts[opInsert] != 1 {
		t.Errorf("after reset: %s with %v", got, p.counts)
	}
}

// spec is a tree that the mutation test changes; it can be built any number of
// times.
type spec struct {
	tag, text string // tag "" is a template, "#" text, "!" a comment, "=" escaped content, "<" markup
	key       string
	attrs     map[string]string
	component bool
	instance  *static
	kids      []*spec
}

// keyText is a key as staticrender writes it.
var keyText = regexp.MustCompile(` vg-key="[^"]*"`)

var words = []string{"a", "b & c", "<d>", `"e"`, "é漢😀", "", " "}

func random(r *rand.Rand, depth int) *spec {
	s := &spec{tag: []string{"div", "p", "b", "input", "#", "#", "!", "=", "<", ""}[r.IntN(10)], text: words[r.IntN(len(words))]}
	if depth == 0 {
		s.tag = "div"
	}
	s.attrs = map[string]string{}
	if s.tag != "" && r.IntN(3) == 0 {
		s.key = fmt.Sprint("k", r.IntN(6))
	}
	if r.IntN(4) == 0 && s.tag != "" {
		s.component = true
	}
	for range r.IntN(3) {
		s.attrs[[]string{"class", "id", "title"}[r.IntN(3)]] = words[r.IntN(len(words))]
	}
	if depth < 5 {
		for range r.IntN(5) {
			s.kids = append(s.kids, random(r, depth+1))
		}
	}
	return s
}

func (s *spec) node() *vugu.VGNode {
	if s.component {
		if s.instance == nil {
			s.instance = &static{}
		}
		plain := *s
		plain.component = false
		s.instance.f = plain.node
		return &vugu.VGNode{Component: s.instance}
	}
	switch s.tag {
	case "#":
		if s.text == "" {
			return text("-")
		}
		return text(s.text)
	case "!":
		return &vugu.VGNode{Type: vugu.CommentNode, Data: "c"}
	}
	n := el(map[string]string{"=": "i", "<": "u"}[s.tag])
	if n.Data == "" {
		n.Data = s.tag
	}
	for _, k := range []string{"class", "id", "title"} {
		if v, ok := s.attrs[k]; ok {
			n.Attr = append(n.Attr, vugu.VGAttribute{Key: k, Val: v})
		}
	}
	if s.key != "" && s.tag != "" {
		n.Attr = append(n.Attr, vugu.VGAttribute{Key: "vg-key", Val: s.key})
	}
	switch s.tag {
	case "=":
		n.SetInnerHTML(s.text)
	case "<":
		n.SetInnerHTML(vugu.HTML("<em>" + strings.NewReplacer("<", "&lt;", "&", "&amp;").Replace(s.text) + "</em>x"))
	case "input":
	default:
		for _, k := range s.kids {
			n.AppendChild(k.node())
		}
	}
	return n
}

func (s *spec) all(list []*spec) []*spec {
	list = append(list, s)
	for _, k := range s.kids {
		list = k.all(list)
	}
	return list
}

// mutate changes some of the tree.
func (s *spec) mutate(r *rand.Rand) {
	for range 1 + r.IntN(4) {
		all := s.all(nil)
		m := all[r.IntN(len(all))]
		k := r.IntN(len(m.kids) + 1)
		switch r.IntN(8) {
		case 0:
			m.text = words[r.IntN(len(words))]
		case 1:
			m.attrs["class"] = words[r.IntN(len(words))]
			delete(m.attrs, "id")
		case 2:
			m.kids = slices.Insert(m.kids, k, random(r, 3))
		case 3:
			if k < len(m.kids) {
				m.kids = slices.Delete(m.kids, k, k+1)
			}
		case 4:
			r.Shuffle(len(m.kids), func(i, j int) { m.kids[i], m.kids[j] = m.kids[j], m.kids[i] })
		case 5:
			if m != s && m.tag != "" {
				m.component = !m.component
			}
		case 6:
			if m != s && m.tag != "" {
				m.tag = []string{"div", "b", "=", "<"}[r.IntN(4)]
			}
		case 7:
			m.instance = nil // Vugu made a new one
		}
	}
}

// TestTree_patchedIsFresh mutates trees at random: after each step the
// document patched so far must be the one drawn anew, and the one staticrender
// writes.
func TestTree_patchedIsFresh(t *testing.T) {
	steps, kept := 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := random(r, 0)
		root := &static{s.node}
		s.component = false
		p := newPage(t)
		for step := range 25 {
			before := map[*html.Node]bool{}
			for _, n := range p.nodes {
				before[n] = true
			}
			got := p.draw(root)
			var want strings.Builder
			if err := staticrender.New(&want).Render(p.env.RunBuild(root)); err != nil {
				t.Fatal(err)
			}
			// staticrender knows nothing of keys.
			plain := keyText.ReplaceAllString(want.String(), "")
			if got != plain {
				t.Fatalf("seed %d, step %d: patched (first), static (second)\n%s\n%s", seed, step, got, plain)
			}
			if p.draw(root); len(p.patch.Program) != 0 {
				t.Fatalf("seed %d, step %d: drawing the same again is %v", seed, step, p.counts)
			}
			for _, n := range p.nodes[1:] {
				if n != nil && before[n] {
					kept++
				}
			}
			steps++
			s.mutate(r)
		}
	}
	if steps < 1500 || kept < 5*steps {
		t.Errorf("only %d steps, %d nodes kept", steps, kept)
	}
}

// BenchmarkTree_Update compares a table of rows times 8 cells with the same
// one, one cell changed.
func BenchmarkTree_Update(b *testing.B) {
	for _, rows := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			table := &ui.Table{}
			for i := range rows {
				table.Rows = append(table.Rows, strings.Split(strings.Repeat(fmt.Sprint("cell of row ", i, ","), 7), ","))
			}
			p := newPage(b)
			p.draw(table)
			turn := 0
			for b.Loop() {
				b.StopTimer()
				turn++
				table.Rows[turn*37%rows][turn%8] = fmt.Sprint("changed ", turn)
				results := p.env.RunBuild(table)
				b.StartTimer()
				if patch, err := p.tree.Update(results); err != nil || len(patch.Program) > 64 {
					b.Fatal(len(patch.Program), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(9*rows), "ns/node")
		})
	}
}
