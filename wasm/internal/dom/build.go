package dom

import (
	"slices"

	"github.com/vugu/vugu"
)

// build appends the operand that makes c and all in it.
func (t *Tree) build(c child) *node {
	n := c.n
	l := &node{}
	l.identify(c)
	if k := len(t.free); k > 0 {
		l.number = t.free[k-1]
		t.free = t.free[:k-1]
		t.nodes[l.number] = l
	} else {
		l.number = uint32(len(t.nodes))
		t.nodes = append(t.nodes, l)
	}
	if n.Type != vugu.ElementNode {
		if n.Type == vugu.CommentNode {
			l.kind = kindComment
		}
		l.content = n.Data
		t.prog.op(uint32(l.kind), l.number)
		t.prog.str(n.Data)
		return l
	}
	l.kind, l.tag, l.space, l.created = kindElement, n.Data, n.Namespace, n.JSCreateHandler != nil
	space, ok := namespaces[l.space]
	if !ok {
		t.fail("element <%s> has unknown namespace %q", l.tag, l.space)
	}
	if !validName(l.tag) {
		t.fail("element name %q cannot be drawn", l.tag[:min(64, len(l.tag))])
	}
	if l.created {
		t.patch.Create = append(t.patch.Create, Callback{l.number, n.JSCreateHandler})
	}
	t.prog.op(kindElement, l.number, t.prog.name(n.Data), space)
	count := t.prog.gap()
	for i, a := range n.Attr {
		if drawn(n.Attr, i) {
			t.prog.op(t.prog.name(t.attrName(a)))
			t.prog.str(a.Val)
			t.prog.ops[count]++
		}
	}
	l.attrs = slices.Clone(n.Attr)
	count = t.prog.gap()
	l.handlers = n.DOMEventHandlerSpecList
	for i, h := range l.handlers {
		if !listed(l.handlers[i+1:], h) {
			t.prog.op(t.prog.name(h.EventType), flags(h))
			t.prog.ops[count]++
		}
	}
	if n.InnerHTML != nil {
		var text string
		l.content = *n.InnerHTML
		text, l.fill = fill(l.tag, l.content)
		t.prog.op(uint32(l.fill))
		t.prog.str(text)
	} else {
		low := len(t.scratch)
		t.flattenKids(n)
		kids := len(t.scratch) - low
		t.prog.op(fillKids, uint32(kids))
		if kids > 0 && t.err == nil {
			l.kids = make([]*node, kids)
			for i := range kids {
				l.kids[i] = t.build(t.scratch[low+i])
			}
		}
		t.scratch = t.scratch[:low]
	}
	t.prog.op(uint32(len(n.Prop)))
	for _, p := range n.Prop {
		t.prog.op(t.prog.name(p.Key))
		t.prog.str(string(p.JSONVal))
		l.props = append(l.props, prop{p.Key, string(p.JSONVal)})
	}
	if n.JSPopulateHandler != nil {
		t.patch.Populate = append(t.patch.Populate, Callback{l.number, n.JSPopulateHandler})
	}
	return l
}

// forget gives up the numbers of nodes that leave the document, and of all in
// them. In the program they are forgotten before they leave: what a removal
// fires (blur, say) must not be taken for an event of the number's next owner.
func (t *Tree) forget(op uint32, list ...*node) {
	if len(list) == 0 {
		return
	}
	t.prog.op(op)
	count := t.prog.gap()
	var walk func(list []*node)
	walk = func(list []*node) {
		for _, l := range list {
			t.prog.op(l.number)
			t.prog.ops[count]++
			t.nodes[l.number] = nil
			t.free = append(t.free, l.number)
			walk(l.kids)
		}
	}
	walk(list)
}
