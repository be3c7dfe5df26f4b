package dom

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vugu/vugu"
)

// Tree is what the document shows: [Tree.Update] compares it with what was
// built anew and says how to get there. It copies what it needs, so built
// trees may be dropped or changed afterwards. The zero value is an empty mount
// element. Not safe for concurrent use; [Renderer] locks around it.
type Tree struct {
	prog  program
	root  *node
	nodes []*node // by number; nil if the number is free
	free  []uint32

	results *vugu.BuildResults // during Update
	scratch []child            // children being compared, a stack
	patch   Patch
	err     error
}

// Patch is what one [Tree.Update] asks for. It is valid until the next one.
type Patch struct {
	// Program is for dom.js to carry out (the layout is in program.go); empty
	// if the document is as it should be.
	Program []byte
	// Create holds the vg-js-create of each new element, parents first, and
	// Populate the vg-js-populate of each element, children first; both to be
	// called after Program.
	Create, Populate []Callback
	// Components holds the components shown, before those inside them, once
	// for each place.
	Components []any
}

// Callback is a function of the tree waiting for the element Node.
type Callback struct {
	Node    uint32
	Handler vugu.JSValueHandler
}

// node is one node of the document, as last drawn.
type node struct {
	number   uint32
	kind     uint8
	fill     uint8
	space    string
	tag      string
	content  string // character data; of an element, its InnerHTML as given
	identity identity
	named    bool // identity is not zero
	created  bool // had a vg-js-create
	attrs    []vugu.VGAttribute
	props    []prop
	handlers []vugu.DOMEventHandlerSpec
	kids     []*node
}

type prop struct{ key, json string }

// Update returns how to turn what was drawn last into what was built. The cost
// is proportional to the tree's size, without allocations while nothing
// changes but text and attributes. On an error (a component that was not
// built, a node that cannot be drawn, inline styles or scripts) the patch is
// empty, the document stays as it is, and the tree forgets it, so that the
// next update draws everything anew.
func (t *Tree) Update(results *vugu.BuildResults) (Patch, error) {
	fresh := t.root == nil
	if fresh {
		*t = Tree{}
		t.root = &node{number: 1, kind: kindElement, tag: "mount element"}
		t.nodes = []*node{nil, t.root}
	}
	t.results, t.err = results, nil
	t.patch = Patch{Create: t.patch.Create[:0], Populate: t.patch.Populate[:0], Components: t.patch.Components[:0]}
	t.prog.begin()
	if results == nil || results.Out == nil {
		t.err = errors.New("dom: nothing was built")
	} else {
		t.refuseInline(results.Out, nil)
		for _, n := range results.Out.Out {
			t.flatten(n, nil)
		}
		t.kids(t.root, 0)
	}
	t.results = nil
	clear(t.scratch[:cap(t.scratch)]) // what was built may be freed
	if t.err != nil {
		err := t.err
		*t = Tree{}
		return Patch{}, err
	}
	t.patch.Program = t.prog.bytes(fresh)
	return t.patch, nil
}

// Reset makes the tree forget what was drawn; the next update draws everything
// anew. It is for receivers that could not carry out a program.
func (t *Tree) Reset() { *t = Tree{} }

// Len returns the number of nodes drawn, the mount element not counted.
func (t *Tree) Len() int { return max(0, len(t.nodes)-2-len(t.free)) }

// Handler returns the newest handler for an event that the listener numbered
// kind heard at a node: twice the number of its type's name, plus 1 in the
// capture phase. It is nil if the node or handler is gone.
func (t *Tree) Handler(number, kind uint32) func(vugu.DOMEvent) {
	if number >= uint32(len(t.nodes)) || t.nodes[number] == nil || kind/2 >= uint32(len(t.prog.names)) {
		return nil
	}
	for _, h := range t.nodes[number].handlers {
		if h.EventType == t.prog.names[kind/2] && h.Capture == (kind%2 == flagCapture) {
			return h.Func
		}
	}
	return nil
}

// fail keeps the first error.
func (t *Tree) fail(format string, args ...any) {
	if t.err == nil {
		t.err = fmt.Errorf("dom: "+format, args...)
	}
}

// refuseInline fails if a component brings elements that the policy blocks.
func (t *Tree) refuseInline(out *vugu.BuildOut, component any) {
	for _, n := range slices.Concat(out.CSS, out.JS) {
		t.fail("component %T: top-level <%s>: the page's policy allows no inline style or script; use the style sheet", component, n.Data)
	}
}

// update brings one node up to date with its counterpart.
func (t *Tree) update(l *node, n *vugu.VGNode) {
	if l.kind != kindElement {
		if l.content != n.Data {
			l.content = n.Data
			t.prog.op(opData, l.number)
			t.prog.str(n.Data)
		}
		return
	}
	if len(l.attrs)+len(n.Attr) > 0 {
		t.updateAttrs(l, n.Attr)
	}
	if len(l.handlers)+len(n.DOMEventHandlerSpecList) > 0 {
		t.updateHandlers(l, n.DOMEventHandlerSpecList)
	}
	if n.InnerHTML == nil {
		if l.fill != fillKids { // rare: empty it, then fill
			l.fill, l.content = fillKids, ""
			t.prog.op(opText, l.number)
			t.prog.str("")
		}
		t.updateKids(l, n)
	} else if l.fill == fillKids || l.content != *n.InnerHTML {
		t.forget(opForget, l.kids...)
		l.kids, l.content = nil, *n.InnerHTML
		var text string
		text, l.fill = fill(l.tag, l.content)
		if l.fill == fillText {
			t.prog.op(opText, l.number)
		} else {
			t.prog.op(opHTML, l.number)
		}
		t.prog.str(text)
	}
	for i, p := range n.Prop {
		same := i < len(l.props) && l.props[i].key == p.Key && l.props[i].json == string(p.JSONVal)
		if !same || usersChange[p.Key] {
			t.prog.op(opProp, l.number, t.prog.name(p.Key))
			t.prog.str(string(p.JSONVal))
		}
		if i == len(l.props) {
			l.props = append(l.props, prop{})
		}
		if !same {
			l.props[i] = prop{p.Key, string(p.JSONVal)}
		}
	}
	l.props = l.props[:len(n.Prop)]
	if n.JSPopulateHandler != nil {
		t.patch.Populate = append(t.patch.Populate, Callback{l.number, n.JSPopulateHandler})
	}
}
