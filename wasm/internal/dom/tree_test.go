package dom_test

import (
	"fmt"
	"strings"
	"testing"

	"cloister/wasm/internal/dom"
	"cloister/wasm/internal/dom/testdata/ui"

	"github.com/google/go-cmp/cmp"
	"github.com/vugu/vugu"
	"github.com/vugu/vugu/js"
	"github.com/vugu/vugu/staticrender"
)

// build runs the build that a page would.
func build(t testing.TB, root vugu.Builder) *vugu.BuildResults {
	t.Helper()
	env, err := vugu.NewBuildEnv()
	if err != nil {
		t.Fatal(err)
	}
	return env.RunBuild(root)
}

// page is a tree and the document it is drawn on.
type page struct {
	*document
	tree  dom.Tree
	env   *vugu.BuildEnv
	patch dom.Patch
}

func newPage(t testing.TB) *page {
	env, err := vugu.NewBuildEnv()
	if err != nil {
		t.Fatal(err)
	}
	return &page{document: newDocument(t), env: env}
}

func (p *page) draw(root vugu.Builder) string {
	p.t.Helper()
	var err error
	if p.patch, err = p.tree.Update(p.env.RunBuild(root)); err != nil {
		p.t.Fatal(err)
	}
	p.apply(p.patch.Program)
	if p.live() != p.tree.Len() {
		p.t.Fatalf("document knows %d nodes, tree %d", p.live(), p.tree.Len())
	}
	return p.html()
}

// find returns the first element that pred accepts, in the document's order.
func (p *page) find(id string) uint32 {
	for i, n := range p.nodes {
		if n != nil {
			for _, a := range n.Attr {
				if a.Key == "id" && a.Val == id {
					return uint32(i)
				}
			}
		}
	}
	p.t.Fatalf("no element %q in %s", id, p.html())
	return 0
}

// static is a component that builds the same each time from a function.
type static struct{ f func() *vugu.VGNode }

func (s *static) Build(*vugu.BuildIn) *vugu.BuildOut {
	n := s.f()
	return &vugu.BuildOut{Out: []*vugu.VGNode{n}, Components: components(n, nil)}
}

func components(n *vugu.VGNode, list []vugu.Builder) []vugu.Builder {
	if c, ok := n.Component.(vugu.Builder); ok {
		list = append(list, c)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		list = components(c, list)
	}
	return list
}

// el makes an element of "key=value" attributes, nodes and components; text
// is a node, and html content.
func el(tag string, parts ...any) *vugu.VGNode {
	n := &vugu.VGNode{Type: vugu.ElementNode, Data: tag}
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			k, v, _ := strings.Cut(p, "=")
			n.Attr = append(n.Attr, vugu.VGAttribute{Key: k, Val: v})
		case *vugu.VGNode:
			n.AppendChild(p)
		case vugu.DOMEventHandlerSpec:
			n.DOMEventHandlerSpecList = append(n.DOMEventHandlerSpecList, p)
		case vugu.VGProperty:
			n.Prop = append(n.Prop, p)
		case vugu.HTML:
			n.SetInnerHTML(p)
		case vugu.Builder:
			n.AppendChild(&vugu.VGNode{Component: p})
		case func(js.Value):
			n.JSCreateHandler = vugu.JSValueFunc(p)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return n
}

func text(s string) *vugu.VGNode { return &vugu.VGNode{Type: vugu.TextNode, Data: s} }

func content(n *vugu.VGNode, v any) *vugu.VGNode { n.SetInnerHTML(v); return n }

func svg(n *vugu.VGNode) *vugu.VGNode {
	if n.Type == vugu.ElementNode && n.Data != "" {
		n.Namespace = "svg"
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		svg(c)
	}
	return n
}

const nasty = `<img src=x onerror=alert(1)> & "q" 'a' &amp; &lt;b&gt; é 漢 😀 ` + "\t\n\u00a0\ufeffend"

// trees are drawn alike by Vugu's staticrender and by us.
var trees = map[string]func() *vugu.VGNode{
	"nothing in it": func() *vugu.VGNode { return el("div") },
	"text":          func() *vugu.VGNode { return el("div", text("a"), text(nasty), text("")) },
	"comment":       func() *vugu.VGNode { return el("div", &vugu.VGNode{Type: vugu.CommentNode, Data: " c "}, text("x")) },
	"attributes":    func() *vugu.VGNode { return el("div", "alt="+nasty, "class=a b", "empty=", "title=😀") },
	"escaped content": func() *vugu.VGNode {
		return el("div", content(el("p"), nasty), content(el("p"), ""), content(el("p"), 7), content(el("b"), true))
	},
	"markup": func() *vugu.VGNode { return el("div", vugu.HTML(`a <b title="x&quot;">b &amp; c</b> &eacute; <br>`)) },
	"references": func() *vugu.VGNode {
		return el("div", content(el("p"), vugu.HTML("&copy; &#65; &amp;amp; &lt &unknown; a&b")), content(el("p"), vugu.HTML("&quot;&#39;")))
	},
	"styles in markup": func() *vugu.VGNode {
		return el("div", vugu.HTML(`a style=b <b style="x">1</b><b STYLE='y>' >2</b><i a = style style = z>style="no"</i><!-- <p style="c"> --><br style/><p style title='style=" '>`+
			`<textarea style=t><p style="u"></textarea> < b style="v"> </p style=e><u style=unclosed>`), el("p", vugu.HTML("<br style")), el("p", vugu.HTML(`<b =style="x" xstyle="y" style`)))
	},
	"rows as markup": func() *vugu.VGNode { return el("table", el("tbody", vugu.HTML("<tr><td>1</td></tr>"))) },
	"raw text elements": func() *vugu.VGNode {
		return el("div", el("noscript", vugu.HTML("a &lt; b")), el("textarea", vugu.HTML("a &lt; b")))
	},
	"template": func() *vugu.VGNode {
		return el("div", text("a"), el("", el("i", text("1")), el("", text("2"), el("u"))), text("b"))
	},
	"svg": func() *vugu.VGNode {
		return el("div", svg(el("svg", "viewBox=0 0 1 1", el("linearGradient"), el("g", vugu.HTML("<circle></circle>")))))
	},
	"component": func() *vugu.VGNode {
		return el("div", &static{func() *vugu.VGNode { return el("p", text(nasty)) }}, text("z"))
	},
	"component as root": func() *vugu.VGNode {
		return &vugu.VGNode{Component: &static{func() *vugu.VGNode { return el("p", "a=b") }}}
	},
	"component of itself": func() *vugu.VGNode {
		return el("div", &static{func() *vugu.VGNode {
			return &vugu.VGNode{Component: &static{func() *vugu.VGNode { return el("b", el("i", text("deep"))) }}}
		}})
	},
	"slot": func() *vugu.VGNode {
		return el("div", vugu.NewBuilderFunc(func(*vugu.BuildIn) *vugu.BuildOut {
			return &vugu.BuildOut{Out: []*vugu.VGNode{el("", el("b", text("in")))}}
		}))
	},
	"deep": func() *vugu.VGNode {
		n := el("p", text("bottom"))
		for range 300 {
			n = el("div", n)
		}
		return n
	},
	"long": func() *vugu.VGNode {
		long := strings.Repeat("é<", 1<<19)
		return el("div", "title="+long, text(long), content(el("p"), long))
	},
}

func TestTree_drawsWhatStaticrenderDraws(t *testing.T) {
	for name, f := range trees {
		t.Run(name, func(t *testing.T) {
			root := &static{f}
			var want strings.Builder
			if err := staticrender.New(&want).Render(build(t, root)); err != nil {
				t.Fatal(err)
			}
			if got := newPage(t).draw(root); got != want.String() {
				t.Errorf("drawn (first), static (second):\n%.2000s\n%.2000s", got, want.String())
			}
		})
	}
}

// TestTree_turnsEachTreeIntoEach covers changes of everything at once.
func TestTree_turnsEachTreeIntoEach(t *testing.T) {
	for from, f := range trees {
		for to, g := range trees {
			if from == "long" || to == "long" {
				continue
			}
			fresh, p := newPage(t), newPage(t)
			want := fresh.draw(&static{g})
			p.draw(&static{f})
			if got := p.draw(&static{g}); got != want {
				t.Errorf("%s to %s:\n%s\n%s", from, to, got, want)
			}
			if p.tree.Len() != fresh.tree.Len() {
				t.Errorf("%s to %s: tree of %d nodes, %d when drawn anew", from, to, p.tree.Len(), fresh.tree.Len())
			}
			if p.draw(&static{g}); len(p.patch.Program) != 0 {
				t.Errorf("%s to %s: drawing the same again is %v", from, to, p.counts)
			}
		}
	}
}

func TestTree_compiledTemplates(t *testing.T) {
	style := "color: red"
	states := []ui.App{
		{Name: nasty, Class: "c", Choice: "b", Options: []string{"a", "b"}, Items: []string{"1", "2", "3"}, Keys: []string{"x", "y", "z"}},
		{Count: 7, Extra: true, Banner: true, Items: nil, Keys: []string{"z", "y", "w"}, Raw: "<b style='x'>raw</b>", Style: &style, Transform: "scale(2)"},
		{Tick: true, Items: []string{"1"}, Raw: "&lt;"},
	}
	app := &ui.App{}
	p := newPage(t)
	for i := range 3 * len(states) {
		*app = states[i%len(states)]
		got, want := p.draw(app), newPage(t).draw(app)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("state %d: %s", i, diff)
		}
		if i == 0 {
			var static strings.Builder
			if err := staticrender.New(&static).Render(build(t, app)); err != nil {
				t.Fatal(err)
			}
			// What staticrender does otherwise: it writes keys, and both of
			// two attributes with one name. It does not sort.
			for _, s := range []string{`<legend>` + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(nasty), `<use xlink:href="#x">`, "<li>1</li><li>2</li><li>3</li>"} {
				if !strings.Contains(static.String(), s) || !strings.Contains(got, s) {
					t.Errorf("%q: in static %v, in ours %v", s, strings.Contains(static.String(), s), strings.Contains(got, s))
				}
			}
		}
	}
}

func TestTree_textOfAnyBytes(t *testing.T) {
	for _, s := range []string{"\xff", "a\xc3", "\xed\xa0\x80b", "\x00", "\xf4\x90\x80\x80", "ok\xe2\x82 😀", "\ufeff\ufeff"} {
		want := strings.ToValidUTF8(s, "\uFFFD")
		p := newPage(t)
		p.draw(&static{func() *vugu.VGNode { return el("p", "id=a", "title="+s, text(s), text("after")) }})
		n := p.nodes[p.find("a")]
		if n.Attr[1].Val != want || n.FirstChild.Data != want || n.LastChild.Data != "after" {
			t.Errorf("%q: attribute %q, text %q", s, n.Attr[1].Val, n.FirstChild.Data)
		}
	}
}

func TestTree_attributes(t *testing.T) {
	p := newPage(t)
	draw := func(attrs ...vugu.VGAttribute) string {
		return p.draw(&static{func() *vugu.VGNode {
			n := svg(el("use"))
			n.Attr = attrs
			return n
		}})
	}
	a := func(space, key, val string) vugu.VGAttribute {
		return vugu.VGAttribute{Namespace: space, Key: key, Val: val}
	}
	for _, step := range []struct {
		attrs []vugu.VGAttribute
		want  string
	}{
		{[]vugu.VGAttribute{a("", "class", "first"), a("", "class", "last"), a("", "xmlns", "u"), a("", "vg-key", "k")}, `<use class="last"></use>`},
		{[]vugu.VGAttribute{a("", "class", "first"), a("", "vg-key", "k")}, `<use class="first"></use>`},
		{[]vugu.VGAttribute{a("xlink", "href", "#a"), a("", "href", "#b"), a("", "vg-key", "k")}, `<use href="#b" xlink:href="#a"></use>`},
		{[]vugu.VGAttribute{a("xlink", "xlink:href", "#c"), a("", "vg-key", "k")}, `<use xlink:href="#c"></use>`},
		{[]vugu.VGAttribute{a("", "vg-key", "k")}, `<use></use>`},
	} {
		if got := draw(step.attrs...); got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
		if step.attrs[0].Val != "first" && p.counts[opInsert]+p.counts[opRemove] != 0 {
			t.Error("element was made anew")
		}
	}
}

func TestTree_refusesWhatCannotBeDrawn(t *testing.T) {
	good := &static{func() *vugu.VGNode { return el("div", text("good")) }}
	bad := map[string]vugu.Builder{
		"no-such-component": &static{func() *vugu.VGNode { return el("div", &vugu.VGNode{Component: &ui.Item{}}) }},
		"<style>":           &inline{},
		"type 5":            &static{func() *vugu.VGNode { return el("div", &vugu.VGNode{Type: vugu.DoctypeNode}) }},
		"a b":               &static{func() *vugu.VGNode { return el("div", el("a b")) }},
		"onx ":              &static{func() *vugu.VGNode { return el("div", el("p", "onx =1")) }},
		"unknown namespace": &static{func() *vugu.VGNode {
			return el("div", &vugu.VGNode{Type: vugu.ElementNode, Data: "x", Namespace: "no"})
		}},
	}
	for want, root := range bad {
		p := newPage(t)
		before := p.draw(good)
		var results *vugu.BuildResults
		if want == "no-such-component" {
			results = &vugu.BuildResults{Out: root.Build(nil)}
			want = "*ui.Item was not built"
		} else {
			results = build(t, root)
		}
		patch, err := p.tree.Update(results)
		if err == nil || !strings.Contains(err.Error(), want) || len(patch.Program) != 0 {
			t.Errorf("%s: program of %d bytes, error %v", want, len(patch.Program), err)
		}
		if p.html() != before || p.draw(good) != before {
			t.Errorf("%s: document is %s", want, p.html())
		}
	}
	var tree dom.Tree
	for _, results := range []*vugu.BuildResults{nil, {}} {
		if _, err := tree.Update(results); err == nil {
			t.Error("no error for nothing built")
		}
	}
}

type inline struct{}

func (*inline) Build(*vugu.BuildIn) *vugu.BuildOut {
	return &vugu.BuildOut{Out: []*vugu.VGNode{el("p")}, CSS: []*vugu.VGNode{el("style")}}
}
