package dom

import "github.com/vugu/vugu"

// keyAttr is the attribute that holds an element's key.
const keyAttr = "vg-key"

// child is a node of the built tree that will be a node of the document:
// components are resolved, templates and slots are gone.
type child struct {
	n        *vugu.VGNode
	instance any // the outermost component whose root this is, or nil
}

// identity says which child of its parent a node is. The zero value is that of
// most nodes.
type identity struct {
	keyed    bool
	key      string
	instance any
	id       string // the id attribute
}

func (c child) identity() identity {
	id := identity{instance: c.instance}
	for i := range c.n.Attr {
		switch a := &c.n.Attr[i]; a.Key {
		case keyAttr:
			id.keyed, id.key = true, a.Val
		case "id":
			id.id = a.Val
		}
	}
	return id
}

func (l *node) identify(c child) {
	l.identity = c.identity()
	l.named = l.identity != identity{}
}

// is reports whether l was drawn from c's former self for certain: nothing but
// the position tells the most of nodes apart. Called for every node at every
// update, it takes the short way for those.
func (c child) is(l *node) bool {
	if !c.fits(l) {
		return false
	}
	if len(c.n.Attr) == 0 && c.instance == nil {
		return !l.named
	}
	id := c.identity()
	return id == l.identity
}

// fits reports whether a node of the document can be made into c by updating:
// what cannot be changed agrees, and a vg-js-create is there or not in both.
func (c child) fits(l *node) bool {
	if l.kind == kindElement {
		return c.n.Type == vugu.ElementNode && l.tag == c.n.Data && l.space == c.n.Namespace && l.created == (c.n.JSCreateHandler != nil)
	}
	return l.kind == kindText && c.n.Type == vugu.TextNode || l.kind == kindComment && c.n.Type == vugu.CommentNode
}

// flatten pushes onto the scratch stack what n puts into the document.
func (t *Tree) flatten(n *vugu.VGNode, instance any) {
	switch {
	case n.Component != nil:
		out := t.results.ResultFor(n.Component)
		if out == nil {
			t.fail("component %T was not built", n.Component)
			return
		}
		t.refuseInline(out, n.Component)
		t.patch.Components = append(t.patch.Components, n.Component)
		// A slot is a function that the parent's Build makes anew each time:
		// it tells nothing about identity.
		if _, slot := n.Component.(*struct{ vugu.Builder }); !slot && instance == nil {
			instance = n.Component
		}
		for _, o := range out.Out {
			t.flatten(o, instance)
		}
	case n.IsTemplate():
		t.flattenKids(n)
	case n.Type == vugu.ElementNode, n.Type == vugu.TextNode, n.Type == vugu.CommentNode:
		t.scratch = append(t.scratch, child{n, instance})
	default:
		t.fail("node of type %d cannot be drawn", n.Type)
	}
}

// flattenKids pushes the children of n.
func (t *Tree) flattenKids(n *vugu.VGNode) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == vugu.ElementNode && c.Data != "" && c.Component == nil { // nearly all
			t.scratch = append(t.scratch, child{n: c})
		} else {
			t.flatten(c, nil)
		}
	}
}

// updateKids brings the children of l up to date with those of n.
func (t *Tree) updateKids(l *node, n *vugu.VGNode) {
	low := len(t.scratch)
	t.flattenKids(n)
	t.kids(l, low)
}

// kids makes t.scratch[low:] the children of l, and pops them.
func (t *Tree) kids(l *node, low int) {
	if t.err == nil {
		t.compare(l, low)
	}
	t.scratch = t.scratch[:low]
}

func (t *Tree) compare(l *node, low int) {
	// Nearly always the children are the same ones, or differ in one run.
	// Elements are indexed, as deeper levels push onto the same stack.
	old, count := l.kids, len(t.scratch)-low
	head := 0
	for head < len(old) && head < count && t.scratch[low+head].is(old[head]) {
		t.update(old[head], t.scratch[low+head].n)
		head++
	}
	if head == len(old) && head == count {
		return
	}
	tail := 0
	for tail < len(old)-head && tail < count-head && t.scratch[low+count-1-tail].is(old[len(old)-1-tail]) {
		tail++
	}
	oldMid := old[head : len(old)-tail]
	from := t.pair(oldMid, t.scratch[low+head:low+count-tail])

	kept := make([]bool, len(oldMid))
	for _, i := range from {
		if i >= 0 {
			kept[i] = true
		}
	}
	for i, k := range oldMid {
		if !kept[i] {
			t.forget(opRemove, k)
		}
	}
	kids := make([]*node, count)
	copy(kids, old[:head])
	copy(kids[count-tail:], old[len(old)-tail:])
	for j, i := range from {
		if i >= 0 {
			kids[head+j] = oldMid[i]
			oldMid[i].identify(t.scratch[low+head+j])
			t.update(oldMid[i], t.scratch[low+head+j].n)
		}
	}
	// From the right, so that the node to insert before is in its place.
	still := increasing(from)
	before := uint32(0)
	if tail > 0 {
		before = kids[count-tail].number
	}
	for j := len(from) - 1; j >= 0; j-- {
		if from[j] >= 0 {
			if k := kids[head+j]; !still[j] {
				t.prog.op(opMove, l.number, before, k.number)
			}
			before = kids[head+j].number
			continue
		}
		end := j + 1
		for j > 0 && from[j-1] < 0 {
			j--
		}
		t.prog.op(opInsert, l.number, before, uint32(end-j))
		for i := j; i < end; i++ {
			kids[head+i] = t.build(t.scratch[low+head+i])
		}
		before = kids[head+j].number
	}
	for j := range tail {
		t.update(kids[count-tail+j], t.scratch[low+count-tail+j].n)
	}
	l.kids = kids
}
