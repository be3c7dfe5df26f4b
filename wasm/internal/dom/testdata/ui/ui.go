// Package ui is a page that uses each part of Vugu that the renderer must
// draw. The *_gen.go files come from
//
//	go tool vugugen -skip-go-mod -skip-main wasm/internal/dom/testdata/ui
//	gofmt -w wasm/internal/dom/testdata/ui
package ui

import (
	"strings"

	"github.com/vugu/vugu"
	js "github.com/vugu/vugu/js"
)

// App is the root.
type App struct {
	Count, Gone, Outer            int
	Focused, Blurred              int
	Name, Class, Transform        string
	Bound, Picky, Choice          string
	Tick, Extra, Banner           bool
	Items, Keys, Options          []string
	Style                         *string
	Raw                           vugu.HTML
	Creates, Populates, Rendereds int
	Firsts                        int
	Island                        js.Value `json:"-"`
}

// Pick lets digits through and no more.
func (c *App) Pick(e vugu.DOMEvent) {
	c.Picky = strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, e.PropString("target", "value"))
}

// Create and Populate count, and keep the element.
func (c *App) Create(v js.Value) { c.Creates++; c.Island = v }

// Populate counts.
func (c *App) Populate(js.Value) { c.Populates++ }

// Rendered counts.
func (c *App) Rendered(ctx vugu.RenderedCtx) {
	c.Rendereds++
	if ctx.First() {
		c.Firsts++
	}
}

// Chain fires another event from within its own, which the browser handles at
// once.
func (c *App) Chain(e vugu.DOMEvent) {
	js.Global().Get("document").Call("getElementById", "add").Call("click")
	c.Name = "chained"
}

// Inner is the handler of an element inside one that listens as well.
func (c *App) Inner(e vugu.DOMEvent) {
	e.PreventDefault()
	e.StopPropagation()
	all := e.EventSummary()
	if e.Prop("target", "id", "length") != nil || e.Prop("nothing", "at", "all") != nil || e.PropBool("type") || e.PropFloat64("type") != 0 ||
		e.PropFloat64("eventPhase") != all["eventPhase"] || all["bubbles"] != e.PropBool("bubbles") || e.JSEventTarget().Get("id").String() != e.JSEvent().Get("target").Get("id").String() {
		panic("event properties")
	}
	c.Name = all["type"].(string) + " " + all["target"].(map[string]any)["id"].(string) + " in " + e.JSEventCurrentTarget().Get("id").String()
}

// Item is a component of a list, with another inside.
type Item struct{ Name string }

// Label is that other.
type Label struct{ Text string }

// Frame has a slot.
type Frame struct {
	Title       string
	DefaultSlot vugu.Builder
}

// Table is what the benchmark draws.
type Table struct{ Rows [][]string }
