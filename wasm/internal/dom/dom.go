// Package dom draws Vugu components into the page. It takes the place of
// Vugu's own drawer, which writes through eval and redraws everything, and
// hides how a new tree reaches the document: what is compared, what is kept,
// and how the difference crosses from Go to JavaScript.
//
// A page's main, after a script tag for dom.js (a plain static file, which
// the site build copies):
//
//	r, err := dom.New("#app")
//	...
//	env, err := vugu.NewBuildEnv(r.EventEnv())
//	...
//	for ok := true; ok; ok = r.EventWait() {
//		if err := r.Render(env.RunBuild(root)); err != nil { ... }
//	}
//
// [Renderer.Run] is that loop with the build under the lock as well.
//
// # Asking for a render
//
// A DOM event handler runs under the write lock and is followed by a render.
// A goroutine takes the lock itself, around nothing but the change:
//
//	go func() {
//		data := fetch() // waits here, without the lock
//		env := ctx.EventEnv()
//		env.Lock()
//		c.Data = data
//		env.UnlockRender()
//	}()
//
// Any number of requests until the loop comes round are one render. Never
// wait for the browser (a promise, a timer, a message) while holding the lock.
//
// # What stays
//
// Each element of the document lives as long as its counterpart in the tree,
// so text being typed, selection, focus, scroll position and the state of a
// select survive every render. Among the children of one parent, old and new
// are paired in this order:
//
//   - the same key. A template sets it with :vg-key='expr'; the attribute
//     itself is not drawn. Elements with different keys are never paired. Plain
//     vg-key only tells components apart, and does not reach the tree;
//   - the same component instance (Vugu gives one per vg-key or index of a
//     vg-for), then the same id attribute;
//   - what is left, in order, if tag and component type agree: an instance
//     that Vugu replaced takes over the elements of the old one, unless it has
//     a vg-js-create, which must see a new element. Where state must not pass
//     from one item to another, give the root a :vg-key.
//
// # Semantics
//
//   - Attributes: the last of two with one name counts; those gone from the
//     tree are removed, those set by other scripts stay. The style attribute
//     goes through the CSSOM, so style-src 'self' allows it.
//   - Properties (.value='expr'): those a user can change (value, checked,
//     open, ...) are compared with the element at every render and assigned
//     only if they differ, others when the expression changed. A .value is
//     thus in charge of its input: handle @input with it, or use the value
//     attribute, which never touches what was typed.
//   - Events: one listener for each element, type and phase, made once; it
//     calls the newest closure. Properties are read when asked for. An event
//     that arrives while the lock is held (fired by a script call inside a
//     handler, by a removal while rendering) is handled right after, when it
//     is too late to prevent its default.
//   - vg-js-create runs once per element, after the elements around it are in
//     the document and before any vg-js-populate; that one runs after every
//     render, children first.
//   - vg-content and vg-html: content that has no markup is set as text, other
//     content is parsed in a document of its own, where nothing loads.
//   - Rendered runs after every render for every component shown but the root
//     (which Vugu's results do not name), without the lock.
//
// Not supported, and an error from Render: style, link and script elements at
// the top level of a component (the policy forbids inline ones; styles belong
// in the style sheet). The component is drawn inside the mount element, not in
// its place.
//
// The comparison is [Tree], which knows no browser and runs natively; dom.js
// and the *_js.go files only carry out what it says.
package dom
