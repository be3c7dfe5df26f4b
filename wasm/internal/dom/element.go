package dom

import (
	"slices"
	"strings"

	"github.com/vugu/vugu"
)

// usersChange holds the properties that change without us, by typing,
// choosing, toggling, scrolling or playing. The value of a select also changes
// with its options.
var usersChange = map[string]bool{
	"value": true, "valueAsNumber": true, "checked": true, "indeterminate": true, "selected": true, "selectedIndex": true,
	"open": true, "scrollTop": true, "scrollLeft": true, "currentTime": true, "muted": true, "volume": true,
}

func (t *Tree) updateAttrs(l *node, attrs []vugu.VGAttribute) {
	if slices.Equal(l.attrs, attrs) {
		return
	}
	for i, a := range attrs {
		if !drawn(attrs, i) {
			continue
		}
		if old, ok := effective(l.attrs, a); !ok || old != a.Val {
			t.prog.op(opAttr, l.number, t.prog.name(t.attrName(a)))
			t.prog.str(a.Val)
		}
	}
	for i, a := range l.attrs {
		if _, ok := effective(attrs, a); !ok && drawn(l.attrs, i) {
			t.prog.op(opNoAttr, l.number, t.prog.name(t.attrName(a)))
		}
	}
	l.attrs = append(l.attrs[:0], attrs...)
}

// drawn reports whether attrs[i] reaches the document: not if a later one has
// its name, it declares a namespace (those are in the node already), or it is
// the key.
func drawn(attrs []vugu.VGAttribute, i int) bool {
	a := attrs[i]
	if a.Key == keyAttr || strings.HasPrefix(a.Key, "xmlns") {
		return false
	}
	_, later := effective(attrs[i+1:], a)
	return !later
}

// effective returns the value that counts among attrs for the name of a.
func effective(attrs []vugu.VGAttribute, a vugu.VGAttribute) (string, bool) {
	for i := len(attrs) - 1; i >= 0; i-- {
		if qualified(attrs[i]) == qualified(a) {
			return attrs[i].Val, true
		}
	}
	return "", false
}

// qualified returns the name with its prefix, which the template compiler
// leaves in the key and others may not.
func qualified(a vugu.VGAttribute) string {
	if a.Namespace != "" && !strings.Contains(a.Key, ":") {
		return a.Namespace + ":" + a.Key
	}
	return a.Key
}

// attrName returns the qualified name, and fails on one that a document would
// refuse by an exception.
func (t *Tree) attrName(a vugu.VGAttribute) string {
	name := qualified(a)
	if !validName(name) {
		t.fail("attribute name %q cannot be drawn", name[:min(64, len(name))])
	}
	return name
}

// validName accepts the names that every browser accepts for elements and
// attributes, which are less than the newest do: ASCII of XML 1.0 production 5.
func validName(s string) bool {
	for i, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !('0' <= r && r <= '9' || r == '-' || r == '.' || r == ':')) {
			return false
		}
	}
	return s != ""
}

// updateHandlers makes the listeners fit the list; the list itself is looked
// at when an event comes.
func (t *Tree) updateHandlers(l *node, list []vugu.DOMEventHandlerSpec) {
	old := l.handlers
	l.handlers = list
	for i, h := range old {
		if !listed(list, h) && !listed(old[i+1:], h) {
			t.prog.op(opDeafen, l.number, t.prog.name(h.EventType), flags(h))
		}
	}
	for i, h := range list {
		if !listed(old, h) && !listed(list[i+1:], h) {
			t.prog.op(opListen, l.number, t.prog.name(h.EventType), flags(h))
		}
	}
}

// listed reports whether the list has a handler that needs the same listener.
func listed(list []vugu.DOMEventHandlerSpec, h vugu.DOMEventHandlerSpec) bool {
	for _, o := range list {
		if o.EventType == h.EventType && o.Capture == h.Capture && o.Passive == h.Passive {
			return true
		}
	}
	return false
}

func flags(h vugu.DOMEventHandlerSpec) uint32 {
	f := uint32(0)
	if h.Capture {
		f |= flagCapture
	}
	if h.Passive {
		f |= flagPassive
	}
	return f
}
