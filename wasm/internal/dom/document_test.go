package dom_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/vugu/html"
	"github.com/vugu/html/atom"
)

// Operations, as in the table of program.go.
const (
	opEnd = iota
	opData
	opAttr
	opNoAttr
	opText
	opHTML
	opProp
	opListen
	opDeafen
	opInsert
	opMove
	opRemove
	opForget
	opCount
)

// document carries out programs on html.Nodes as dom.js does on the page's,
// and stops the test at anything a browser would throw at.
type document struct {
	t         testing.TB
	mount     *html.Node
	nodes     []*html.Node
	names     []string
	props     map[*html.Node]map[string]string
	listeners map[*html.Node]map[string]bool
	counts    [opCount]int // operations of the last program

	words []uint32
	at    int
	text  []uint16
}

func newDocument(t testing.TB) *document {
	d := &document{t: t, mount: &html.Node{Type: html.ElementNode, Data: "div"}}
	d.nodes = []*html.Node{nil, d.mount}
	return d
}

func (d *document) word() uint32 { d.at++; return d.words[d.at-1] }

func (d *document) string() string {
	n := d.word()
	s := string(utf16.Decode(d.text[:n]))
	d.text = d.text[n:]
	return s
}

func (d *document) node() *html.Node {
	d.t.Helper()
	id := d.word()
	if int(id) >= len(d.nodes) || d.nodes[id] == nil {
		d.t.Fatalf("program uses node %d, which is not there", id)
	}
	return d.nodes[id]
}

func (d *document) name() string { return d.names[d.word()] }

// before reads the operand of that name and checks that it is a child of p.
func (d *document) before(p *html.Node) *html.Node {
	d.t.Helper()
	id := d.word()
	if id == 0 {
		return nil
	}
	if d.nodes[id].Parent != p {
		d.t.Fatalf("node %d to insert before is no child of the parent", id)
	}
	return d.nodes[id]
}

func (d *document) apply(program []byte) {
	d.t.Helper()
	d.counts = [opCount]int{}
	if len(program) == 0 {
		return
	}
	size := binary.LittleEndian.Uint32(program)
	d.words = make([]uint32, size)
	for i := range d.words {
		d.words[i] = binary.LittleEndian.Uint32(program[4*i:])
	}
	d.text = utf16.Encode([]rune(string(program[4*size:])))
	d.at = 0
	d.word()
	if d.word() == 1 {
		for c := d.mount.FirstChild; c != nil; c = d.mount.FirstChild {
			d.mount.RemoveChild(c)
		}
		d.nodes, d.names = d.nodes[:2], nil
		d.props, d.listeners = map[*html.Node]map[string]string{}, map[*html.Node]map[string]bool{}
	}
	for n := d.word(); n > 0; n-- {
		d.names = append(d.names, d.string())
	}
	for {
		op := d.word()
		d.counts[op]++
		switch op {
		case opEnd:
			if len(d.text) != 0 || d.at != len(d.words) {
				d.t.Fatalf("program leaves %d units and %d words", len(d.text), len(d.words)-d.at)
			}
			return
		case opData:
			n := d.node()
			if n.Type == html.ElementNode {
				d.t.Fatal("character data for an element")
			}
			n.Data = d.string()
		case opAttr:
			d.setAttr(d.node(), d.name(), d.string())
		case opNoAttr:
			n, name := d.node(), d.name()
			n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
		case opText:
			d.fill(d.node(), d.string(), false)
		case opHTML:
			d.fill(d.node(), d.string(), true)
		case opProp:
			d.props[d.node()][d.name()] = d.string()
		case opListen:
			d.listeners[d.node()][d.listener()] = true
		case opDeafen:
			n, l := d.node(), d.listener()
			if !d.listeners[n][l] {
				d.t.Fatalf("no listener %s to remove", l)
			}
			delete(d.listeners[n], l)
		case opInsert:
			p := d.node()
			before := d.before(p)
			for n := d.word(); n > 0; n-- {
				p.InsertBefore(d.build(), before)
			}
		case opMove:
			p := d.node()
			before, n := d.before(p), d.node()
			if n.Parent != p {
				d.t.Fatal("move of a node that is elsewhere")
			}
			p.RemoveChild(n)
			p.InsertBefore(n, before)
		case opRemove, opForget:
			for n := d.word(); n > 0; n-- {
				id := d.words[d.at]
				node := d.node()
				if op == opRemove {
					node.Parent.RemoveChild(node)
					op = opForget
				}
				d.nodes[id] = nil
				delete(d.props, node)
				delete(d.listeners, node)
			}
		default:
			d.t.Fatalf("unknown operation %d", op)
		}
	}
}

func (d *document) listener() string { return fmt.Sprint(d.name(), d.word()) }

func (d *document) setAttr(n *html.Node, name, value string) {
	for i := range n.Attr {
		if n.Attr[i].Key == name {
			n.Attr[i].Val = value
			return
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: name, Val: value})
}

func (d *document) fill(n *html.Node, s string, markup bool) {
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
	}
	parts := []*html.Node{{Type: html.TextNode, Data: s}}
	if markup {
		var err error
		if parts, err = html.ParseFragment(strings.NewReader(s), n); err != nil {
			d.t.Fatal(err)
		}
		for _, p := range parts {
			d.unshield(p)
		}
	} else if s == "" {
		return
	}
	for _, p := range parts {
		n.AppendChild(p)
	}
}

// unshield gives style attributes their name back.
func (d *document) unshield(n *html.Node) {
	for i := range n.Attr {
		switch n.Attr[i].Key {
		case "style":
			d.t.Fatal("a style attribute was to be parsed")
		case "data-dom-style":
			n.Attr[i].Key = "style"
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		d.unshield(c)
	}
}

func (d *document) build() *html.Node {
	kind, id := d.word(), int(d.word())
	for len(d.nodes) <= id {
		d.nodes = append(d.nodes, nil)
	}
	if d.nodes[id] != nil {
		d.t.Fatalf("node %d is taken", id)
	}
	n := &html.Node{}
	d.nodes[id] = n
	d.props[n], d.listeners[n] = map[string]string{}, map[string]bool{}
	switch kind {
	case 0:
		n.Type, n.Data = html.TextNode, d.string()
		return n
	case 1:
		n.Type, n.Data = html.CommentNode, d.string()
		return n
	}
	n.Type, n.Data = html.ElementNode, d.name()
	n.DataAtom, n.Namespace = atom.Lookup([]byte(n.Data)), []string{"", "svg", "math"}[d.word()]
	for k := d.word(); k > 0; k-- {
		d.setAttr(n, d.name(), d.string())
	}
	for k := d.word(); k > 0; k-- {
		d.listeners[n][d.listener()] = true
	}
	switch d.word() {
	case 0:
		for k := d.word(); k > 0; k-- {
			n.AppendChild(d.build())
		}
	case 1:
		d.fill(n, d.string(), false)
	case 2:
		d.fill(n, d.string(), true)
	}
	for k := d.word(); k > 0; k-- {
		d.props[n][d.name()] = d.string()
	}
	return n
}

// html returns the content of the mount element with attributes in order.
func (d *document) html() string {
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		slices.SortFunc(n.Attr, func(a, b html.Attribute) int { return strings.Compare(a.Key, b.Key) })
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(d.mount)
	for c := d.mount.FirstChild; c != nil; c = c.NextSibling {
		if err := html.Render(&b, c); err != nil {
			d.t.Fatal(err)
		}
	}
	return b.String()
}

// live counts the nodes that the document knows by number.
func (d *document) live() int {
	n := -1
	for _, node := range d.nodes {
		if node != nil {
			n++
		}
	}
	return n
}
