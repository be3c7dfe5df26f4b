// Package window is what surrounds the page: the browser's window and what the
// shell left in it. It hides their JavaScript from package site.
//
//	app := site.New(window.New(renderer), renderer.EventEnv())
package window

import (
	"errors"
	"strings"
	"syscall/js"
	"time"

	"cloister/shared/job"
	"cloister/site"
	"cloister/wasm/internal/jsio"

	"github.com/vugu/vugu"
)

var uint8Array = js.Global().Get("Uint8Array")

// host is the window.
type host struct {
	window, document js.Value
	shell            js.Value // the global cloister, or undefined
	drawer           Drawer
}

// Drawer draws into the window.
type Drawer interface {
	Turn()            // waits until the browser has had its turn
	Settled(f func()) // calls f once nothing is left to be drawn
}

var _ site.Host = (*host)(nil)

// New returns the window as the page's surroundings. It expects of the
// shell a global object
//
//	cloister = {workerModule, workerURL, worker, memory(), bundle, bundleName, bundles, sample, sampleInfo,
//	            seal: {sealed, bytesOut, attempts, notes, prove()}}
//
// and an event "cloister-seal" when the seal has news.
func New(d Drawer) site.Host {
	g := js.Global()
	// A browser opens a file that is dropped where nobody prevents it. The
	// components do, but an event that meets the lock is handled too late.
	prevent := js.FuncOf(func(_ js.Value, args []js.Value) any {
		args[0].Call("preventDefault")
		return nil
	})
	for _, event := range []string{"dragover", "drop"} {
		g.Call("addEventListener", event, prevent, true)
	}
	return &host{window: g, document: g.Get("document"), shell: g.Get("cloister"), drawer: d}
}

// get returns a property, undefined if v is not an object.
func get(v js.Value, name string) js.Value {
	if v.Type() != js.TypeObject {
		return js.Undefined()
	}
	return v.Get(name)
}

func text(v js.Value) string {
	if v.Type() != js.TypeString {
		return ""
	}
	return v.String()
}

func whole(v js.Value) int64 {
	if v.Type() != js.TypeNumber {
		return 0
	}
	return int64(v.Float())
}

// each calls f for the elements of an array.
func each(v js.Value, f func(js.Value)) {
	if v.Type() != js.TypeObject {
		return
	}
	for i := range v.Length() {
		f(v.Index(i))
	}
}

func (h *host) Connect() (job.Pipe, func(), error) {
	if first := get(h.shell, "worker"); first.Truthy() {
		h.shell.Set("worker", nil)
		p, stop := jsio.Adopt(first)
		return p, stop, nil
	}
	module := get(h.shell, "workerModule")
	if !module.Truthy() {
		return nil, nil, job.Failf("internal", "Reload the page. If that does not help, the site is incomplete.", "the page came without its scorer")
	}
	p, stop, err := jsio.Start(text(get(h.shell, "workerURL")), module)
	if err != nil {
		return nil, nil, err
	}
	return p, stop, nil
}

func (h *host) Bundle() (string, []byte) {
	b := get(h.shell, "bundle")
	if !b.InstanceOf(uint8Array) {
		return "", nil
	}
	data := make([]byte, b.Length())
	js.CopyBytesToGo(data, b)
	return text(get(h.shell, "bundleName")), data
}

func (h *host) Stock() (out []site.Stocked) {
	each(get(h.shell, "bundles"), func(b js.Value) {
		if file := get(b, "file"); file.Truthy() {
			out = append(out, site.Stocked{
				Name: text(get(b, "name")), Version: text(get(b, "version")), Title: text(get(b, "title")), Schema: text(get(b, "schema")),
				SHA256: text(get(b, "sha256")), File: jsio.NewFile(file),
			})
		}
	})
	return out
}

func (h *host) Sample() (job.File, string) {
	f := get(h.shell, "sample")
	if !f.Truthy() {
		return nil, ""
	}
	return jsio.NewFile(f), text(get(h.shell, "sampleInfo"))
}

func (h *host) Files(e vugu.DOMEvent) []job.File {
	event := js.Value(e.JSEvent())
	list := get(get(event, "dataTransfer"), "files")
	input := event.Get("target")
	if !list.Truthy() {
		list = get(input, "files")
	}
	var chosen []js.Value
	each(list, func(f js.Value) { chosen = append(chosen, f) })
	out := jsio.NewFiles(chosen)
	if get(input, "files").Truthy() {
		input.Set("value", "") // so that the same file can be chosen again
	}
	return out
}

func (h *host) Read(f job.File, done func([]byte, error)) {
	file, ok := jsio.FileValue(f)
	if !ok {
		go done(nil, errors.New("not a file of the window"))
		return
	}
	go func() {
		buffer, err := await(file.Call("arrayBuffer"))
		if err != nil {
			done(nil, job.Failf("input", "Choose the file again; it may have been changed or moved since.", "%.64q cannot be read: %v", f.Name(), err))
			return
		}
		view := uint8Array.New(buffer)
		data := make([]byte, view.Length())
		js.CopyBytesToGo(data, view)
		done(data, nil)
	}()
}

func (h *host) ReadRange(f job.File, from, to int64) ([]byte, error) {
	file, ok := jsio.FileValue(f)
	if !ok {
		return nil, errors.New("not a file of the window")
	}
	buffer, err := await(file.Call("slice", from, to).Call("arrayBuffer"))
	if err != nil {
		return nil, err
	}
	view := uint8Array.New(buffer)
	data := make([]byte, view.Length())
	js.CopyBytesToGo(data, view)
	return data, nil
}

func (h *host) Join(f job.File, ranges [][2]int64) job.File {
	file, ok := jsio.FileValue(f)
	if !ok {
		return f
	}
	pieces := make([]any, len(ranges))
	for i, r := range ranges {
		pieces[i] = file.Call("slice", r[0], r[1])
	}
	return jsio.NewFile(h.window.Get("File").New(pieces, f.Name()))
}

func (h *host) Cores() int {
	return int(max(1, whole(get(h.window.Get("navigator"), "hardwareConcurrency"))))
}

func (h *host) Memory() site.Memory {
	m := site.Memory{Workers: jsio.Memory()}
	if own := get(h.shell, "memory"); own.Type() == js.TypeFunction { // asking the runtime would stop the world
		m.Page = whole(own.Invoke())
	}
	return m
}

func (h *host) Seal() site.Seal {
	s := get(h.shell, "seal")
	if !s.Truthy() {
		s = h.window.Get("cloisterSeal")
	}
	out := site.Seal{Sealed: get(s, "sealed").Truthy(), BytesOut: whole(get(s, "bytesOut")), Refused: whole(get(s, "attempts"))}
	each(get(s, "notes"), func(n js.Value) {
		if t := text(n); t != "" {
			out.Notes = append(out.Notes, t)
		}
	})
	return out
}

func (h *host) Attempts(done func([]site.Attempt)) {
	s := get(h.shell, "seal")
	if get(s, "prove").Type() != js.TypeFunction {
		go done(nil)
		return
	}
	go func() {
		list, err := await(s.Call("prove"))
		if err != nil {
			done(nil)
			return
		}
		var out []site.Attempt
		each(list, func(a js.Value) {
			out = append(out, site.Attempt{Channel: text(get(a, "channel")), Blocked: get(a, "blocked").Truthy(), Note: text(get(a, "note"))})
		})
		done(out)
	}()
}

func (h *host) Download(name, mime string, parts [][]byte) {
	list := make([]any, len(parts))
	for i, p := range parts {
		list[i] = view(p)
	}
	h.save(name, mime, list)
}

// view returns a copy of b outside of the program's memory.
func view(b []byte) js.Value {
	v := uint8Array.New(len(b))
	js.CopyBytesToJS(v, b)
	return v
}

// Gather keeps parts as blobs, which the browser may put on disk.
func (h *host) Gather() (add func([]byte), save func(name, mime string)) {
	blob := h.window.Get("Blob")
	var list []any
	return func(part []byte) { list = append(list, blob.New([]any{view(part)})) },
		func(name, mime string) { h.save(name, mime, list) }
}

// save saves pieces, joined, as a file.
func (h *host) save(name, mime string, pieces []any) {
	blob := h.window.Get("Blob").New(pieces, map[string]any{"type": mime})
	urls := h.window.Get("URL")
	url := urls.Call("createObjectURL", blob)
	link := h.document.Call("createElement", "a")
	link.Set("href", url)
	link.Set("download", name)
	time.AfterFunc(0, func() { link.Call("click") }) // its events must not meet the lock
	time.AfterFunc(time.Minute, func() { urls.Call("revokeObjectURL", url) })
}

func (h *host) Copy(s string) {
	clipboard := get(h.window.Get("navigator"), "clipboard")
	if !clipboard.Truthy() {
		return
	}
	go func() {
		if _, err := await(clipboard.Call("writeText", s)); err != nil {
			println("cloister: copy:", err.Error())
		}
	}()
}

const themeKey = "cloister-theme"

func (h *host) Theme() (theme string) {
	defer func() { _ = recover() }() // storage may be forbidden: then nothing is stored
	theme = text(h.window.Get("localStorage").Call("getItem", themeKey))
	h.showTheme(theme)
	return theme
}

func (h *host) SetTheme(theme string) {
	h.showTheme(theme)
	defer func() { _ = recover() }()
	h.window.Get("localStorage").Call("setItem", themeKey, theme)
}

func (h *host) Preference(name string) (value string) {
	defer func() { _ = recover() }() // as for the theme
	return text(h.window.Get("localStorage").Call("getItem", "cloister-"+name))
}

func (h *host) SetPreference(name, value string) {
	defer func() { _ = recover() }()
	h.window.Get("localStorage").Call("setItem", "cloister-"+name, value)
}

// Locale asks Intl once: the parts of two numbers say how all are written.
func (h *host) Locale(language string) site.Locale {
	l := site.Locale{Group: ",", Decimal: ".", From: 4}
	h.document.Get("documentElement").Set("lang", language)
	tag := language
	if here := text(get(h.window.Get("navigator"), "language")); strings.HasPrefix(here, language+"-") {
		tag = here // "de-CH" writes numbers otherwise than "de"
	}
	defer func() { _ = recover() }() // a browser without Intl
	format := h.window.Get("Intl").Get("NumberFormat").New(tag, map[string]any{"numberingSystem": "latn"})
	each(format.Call("formatToParts", 12345.5), func(p js.Value) {
		switch text(get(p, "type")) {
		case "group":
			l.Group = text(get(p, "value"))
		case "decimal":
			l.Decimal = text(get(p, "value"))
		}
	})
	if text(format.Call("format", 1234)) == "1234" { // Spanish, Polish
		l.From = 5
	}
	return l
}

func (h *host) ClockOffset(ms int64) int {
	return -h.window.Get("Date").New(float64(ms)).Call("getTimezoneOffset").Int()
}

func (h *host) showTheme(theme string) {
	root := h.document.Get("documentElement")
	if theme == "light" || theme == "dark" {
		root.Call("setAttribute", "data-theme", theme)
	} else {
		root.Call("removeAttribute", "data-theme")
	}
}

// later runs f on the element with an id, when what is under way is drawn:
// goroutines that can run do so before the browser gets its next turn.
func (h *host) later(id string, f func(el js.Value)) {
	time.AfterFunc(time.Millisecond, func() {
		h.drawer.Settled(func() {
			if el := h.document.Call("getElementById", id); el.Truthy() {
				f(el)
			}
		})
	})
}

func (h *host) Pause() { h.drawer.Turn() }

func (h *host) Focus(id string) { h.later(id, func(el js.Value) { el.Call("focus") }) }

func (h *host) ScrollTo(id string, top float64) {
	h.later(id, func(el js.Value) { el.Set("scrollTop", top) })
}

func (h *host) Size(id string) (width, height float64) {
	el := h.document.Call("getElementById", id)
	if !el.Truthy() {
		return 0, 0
	}
	return el.Get("clientWidth").Float(), el.Get("clientHeight").Float()
}

func (h *host) OnChange(f func()) {
	call := js.FuncOf(func(js.Value, []js.Value) any {
		f()
		return nil
	})
	h.window.Call("addEventListener", "resize", call)
	h.window.Call("addEventListener", "cloister-seal", call)
}

func (h *host) Settings() (s string) {
	defer func() { _ = recover() }() // without the shell's gifts there are none
	return text(h.window.Get("cloister").Call("settings"))
}

func (h *host) SetSettings(s string) {
	defer func() { _ = recover() }() // too many changes in a short time are refused
	h.window.Get("cloister").Call("keepSettings", s)
}

func (h *host) Hold(e vugu.DOMEvent) {
	js.Value(e.JSEventCurrentTarget()).Call("setPointerCapture", e.PropFloat64("pointerId"))
}

// await blocks the goroutine until a promise is settled.
func await(promise js.Value) (js.Value, error) {
	type result struct {
		v   js.Value
		err error
	}
	ch := make(chan result, 1)
	good := js.FuncOf(func(_ js.Value, args []js.Value) any {
		v := js.Undefined()
		if len(args) > 0 {
			v = args[0]
		}
		ch <- result{v: v}
		return nil
	})
	bad := js.FuncOf(func(_ js.Value, args []js.Value) any {
		ch <- result{err: errors.New(js.Global().Get("String").Invoke(args[0]).String())}
		return nil
	})
	defer good.Release()
	defer bad.Release()
	promise.Call("then", good, bad)
	r := <-ch
	return r.v, r.err
}
