package site

import (
	"strings"

	"cloister/site/internal/text"

	"github.com/vugu/vugu"
)

// What the generated components call: internal/compact says why.

// templates holds the attributes of elements by their description, in the
// language of the page. Drawing has one thread at a time, under the lock of the
// App.
var templates = map[string]vugu.VGNode{}

// node appends an element to parent, nil for a root, and returns it. spec is
// its namespace, tag and attributes, joined by \x1f.
func node(parent *vugu.VGNode, spec string) *vugu.VGNode {
	t, ok := templates[spec]
	if !ok {
		p := strings.Split(spec, "\x1f")
		t = vugu.VGNode{Type: vugu.ElementNode, Namespace: p[0], Data: p[1]}
		for i := 2; i+1 < len(p); i += 2 {
			if spoken[p[i]] {
				p[i+1] = say(text.Key(p[i+1]))
			}
			t.Attr = append(t.Attr, vugu.VGAttribute{Key: p[i], Val: p[i+1]})
		}
		t.Attr = t.Attr[:len(t.Attr):len(t.Attr)] // an attribute that is appended must not be shared
		templates[spec] = t
	}
	n := new(vugu.VGNode)
	*n = t
	if parent != nil {
		parent.AppendChild(n)
	}
	return n
}

// words appends a text.
func words(parent *vugu.VGNode, s string) {
	parent.AppendChild(&vugu.VGNode{Type: vugu.TextNode, Data: s})
}

// on adds a listener.
func on(n *vugu.VGNode, event string, f func(vugu.DOMEvent)) {
	n.DOMEventHandlerSpecList = append(n.DOMEventHandlerSpecList, vugu.DOMEventHandlerSpec{EventType: event, Func: f})
}
