package dom

import (
	"errors"
	"fmt"
	"sync"
	"syscall/js"
	"time"

	"github.com/vugu/vugu"
	vjs "github.com/vugu/vugu/js"
)

// Renderer draws into one element of the page. Its methods may be called from
// any goroutine, one render at a time.
type Renderer struct {
	mu      sync.RWMutex // guards what components hold; Vugu's EventEnv
	env     *vugu.EventEnvImpl
	request chan bool // holds one: requests until it is taken are the same request
	closed  chan struct{}
	once    sync.Once

	drawer js.Value // what dom.js made
	hear   js.Func
	tree   Tree
	late   []lateEvent         // came while the lock was held, oldest first
	after  []func()            // to be called once nothing is left to be drawn
	busy   bool                // a tree is being built or drawn
	port   js.Value            // posts a message to this page, which ends a turn
	turns  []chan<- struct{}   // who waits for one, oldest first
	seen   map[any]*seenBefore // components that want to know when they were rendered
	pass   uint64
}

type lateEvent struct {
	event        *event
	number, kind uint32
}

type seenBefore struct{ pass uint64 }

// New returns a renderer for the element that the CSS selector finds; what is
// in it is replaced at the first render. It is an error if there is no such
// element or dom.js was not loaded.
func New(selector string) (*Renderer, error) {
	script := js.Global().Get("cloisterDOM")
	if script.IsUndefined() {
		return nil, errors.New("dom: the page has not loaded dom.js")
	}
	r := &Renderer{request: make(chan bool, 1), closed: make(chan struct{}), seen: map[any]*seenBefore{}}
	r.env = vugu.NewEventEnvImpl(&r.mu, r.request)
	r.hear = js.FuncOf(func(_ js.Value, args []js.Value) any {
		r.dispatch(uint32(args[0].Int()), uint32(args[1].Int()), args[2])
		return nil
	})
	r.drawer = script.Call("mount", selector, r.hear)
	if r.drawer.IsNull() {
		r.hear.Release()
		return nil, fmt.Errorf("dom: no element for selector %q", selector)
	}
	channel := js.Global().Get("MessageChannel").New()
	r.port = channel.Get("port1")
	channel.Get("port2").Set("onmessage", js.FuncOf(func(js.Value, []js.Value) any {
		next := r.turns[0]
		r.turns = r.turns[1:]
		close(next)
		return nil
	}))
	return r, nil
}

// Turn waits until the browser has had its turn, in which events are handled
// and frames drawn. Unlike a sleep it is not put off where the page is hidden.
func (r *Renderer) Turn() {
	over := make(chan struct{})
	r.turns = append(r.turns, over)
	r.port.Call("postMessage", nil)
	<-over
}

// Settled calls f once nothing is left to be drawn: now, or after the render
// that is asked for or under way, without the lock.
func (r *Renderer) Settled(f func()) {
	if r.busy || len(r.request) > 0 {
		r.after = append(r.after, f)
		return
	}
	f()
}

// EventEnv returns the lock around what components hold, for
// [vugu.NewBuildEnv]; its UnlockRender also asks for a render.
func (r *Renderer) EventEnv() vugu.EventEnv { return r.env }

// EventWait waits until a render is asked for and returns true, or false after
// [Renderer.Close].
func (r *Renderer) EventWait() bool {
	select {
	case <-r.closed:
		return false
	case <-r.request:
		return true
	}
}

// Run builds and draws root whenever that is asked for, until Close or an
// error. It builds and draws under the read lock, which Build and Compute
// methods must therefore not ask for. Where building takes long, the browser
// has its turn before drawing.
func (r *Renderer) Run(env *vugu.BuildEnv, root vugu.Builder) error {
	hurry := false
	for ok := true; ok; ok = r.EventWait() {
		r.busy = true
		r.mu.RLock()
		began := time.Now()
		results := env.RunBuild(root)
		if !hurry && time.Since(began) > patience {
			r.mu.RUnlock()
			r.Turn()
			r.mu.RLock()
			if hurry = len(r.request) > 0; hurry { // drawing what is outdated would take back what was typed meanwhile
				r.mu.RUnlock()
				continue
			}
		}
		hurry = false
		components, err := r.draw(results)
		r.mu.RUnlock()
		r.busy = false
		if err != nil {
			return err
		}
		r.rendered(components)
	}
	return nil
}

// patience is how long a build may take for drawing to follow within the same
// task: the two are of about the same length, and 50 ms are a long task.
const patience = 10 * time.Millisecond

// Render makes the document show what was built. It takes the read lock; the
// caller must not hold it. After an error the document shows part of it or
// what it showed before, and the next call draws everything anew.
func (r *Renderer) Render(results *vugu.BuildResults) error {
	r.mu.RLock()
	components, err := r.draw(results)
	r.mu.RUnlock()
	if err == nil {
		r.rendered(components)
	}
	return err
}

// Close stops the loop and the events. What is drawn stays.
func (r *Renderer) Close() {
	r.once.Do(func() {
		close(r.closed)
		r.tree.Reset()
		// The listeners still in the document call a function that does
		// nothing, where a released one would complain.
	})
}

// draw is Render with the lock held.
func (r *Renderer) draw(results *vugu.BuildResults) (components []any, err error) {
	patch, err := r.tree.Update(results)
	if err != nil {
		return nil, err
	}
	if err := r.apply(patch.Program); err != nil {
		r.tree.Reset()
		return nil, err
	}
	for _, list := range [][]Callback{patch.Create, patch.Populate} {
		for _, c := range list {
			c.Handler.JSValueHandle(vjs.Value(r.drawer.Call("node", c.Node)))
		}
	}
	return patch.Components, nil
}

// apply lets dom.js carry out the program, and turns what it throws into an
// error.
func (r *Renderer) apply(program []byte) (err error) {
	if len(program) == 0 {
		return nil
	}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case js.Error:
			err = fmt.Errorf("dom: %w", e)
		default:
			panic(e)
		}
	}()
	js.CopyBytesToJS(r.drawer.Call("reserve", len(program)), program)
	r.drawer.Call("apply", len(program))
	return nil
}

// rendered calls the components that have a Rendered method.
func (r *Renderer) rendered(components []any) {
	r.pass++
	for _, c := range components {
		plain, isPlain := c.(interface{ Rendered() })
		full, isFull := c.(interface{ Rendered(vugu.RenderedCtx) })
		if !isPlain && !isFull {
			continue
		}
		s := r.seen[c]
		first := s == nil
		if first {
			s = &seenBefore{}
			r.seen[c] = s
		}
		s.pass = r.pass
		if isPlain {
			plain.Rendered()
		} else {
			full.Rendered(renderedCtx{r.env, first})
		}
	}
	for c, s := range r.seen {
		if s.pass != r.pass {
			delete(r.seen, c)
		}
	}
	for len(r.after) > 0 && len(r.request) == 0 {
		f := r.after[0]
		r.after = r.after[1:]
		f()
	}
}

type renderedCtx struct {
	env   vugu.EventEnv
	first bool
}

func (c renderedCtx) EventEnv() vugu.EventEnv { return c.env }
func (c renderedCtx) First() bool             { return c.first }

// dispatch handles an event. It runs on the page's one thread, inside whatever
// fired the event: if that is our own drawing or a handler, the lock is held
// by a goroutine that cannot go on before we return, and waiting for it would
// be for ever.
func (r *Renderer) dispatch(number, kind uint32, ev js.Value) {
	e := &event{value: ev, current: ev.Get("currentTarget"), env: r.env, plain: r.drawer}
	if len(r.late) > 0 || !r.mu.TryLock() {
		r.late = append(r.late, lateEvent{e, number, kind})
		if len(r.late) == 1 {
			go r.catchUp()
		}
		return
	}
	r.handle(e, number, kind)
}

// handle runs the handler and unlocks.
func (r *Renderer) handle(e *event, number, kind uint32) {
	f := r.tree.Handler(number, kind)
	if f == nil {
		r.env.UnlockOnly()
		return
	}
	defer r.env.UnlockRender()
	f(e)
}

// catchUp handles the events that came while the lock was held.
func (r *Renderer) catchUp() {
	for len(r.late) > 0 {
		r.mu.Lock()
		l := r.late[0]
		r.late = r.late[1:]
		r.handle(l.event, l.number, l.kind)
	}
}
