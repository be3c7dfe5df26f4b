//go:build js

// The page of the benchmark: one table drawn by Vugu's own renderer and by
// ours. first(kind) makes the renderer's first render, update(kind) another
// with one cell changed; both return milliseconds spent in Render.
package main

import (
	"fmt"
	"runtime"
	"syscall/js"

	"cloister/wasm/internal/dom"
	"cloister/wasm/internal/dom/testdata/ui"

	"github.com/vugu/vugu"
	"github.com/vugu/vugu/domrender"
)

type renderer interface {
	Render(*vugu.BuildResults) error
	EventEnv() vugu.EventEnv
}

type side struct {
	renderer
	build *vugu.BuildEnv
	table ui.Table
	turn  int
}

func newSide(r renderer, err error) *side {
	if err != nil {
		panic(err)
	}
	build, err := vugu.NewBuildEnv(r.EventEnv())
	if err != nil {
		panic(err)
	}
	s := &side{renderer: r, build: build}
	for i := range 1000 {
		var row []string
		for j := range 8 {
			row = append(row, fmt.Sprintf("cell %d of row %d", j, i))
		}
		s.table.Rows = append(s.table.Rows, row)
	}
	return s
}

// draw returns the milliseconds Render takes.
func (s *side) draw() float64 {
	results := s.build.RunBuild(&s.table)
	runtime.GC()
	clock := js.Global().Get("performance")
	start := clock.Call("now").Float()
	if err := s.Render(results); err != nil {
		panic(err)
	}
	return clock.Call("now").Float() - start
}

func main() {
	sides := map[string]*side{}
	sides["ours"] = newSide(dom.New("#app"))
	sides["stock"] = newSide(domrender.New("#stock"))
	js.Global().Set("first", js.FuncOf(func(_ js.Value, args []js.Value) any { return sides[args[0].String()].draw() }))
	js.Global().Set("update", js.FuncOf(func(_ js.Value, args []js.Value) any {
		s := sides[args[0].String()]
		s.turn++
		s.table.Rows[s.turn*37%1000][s.turn%8] = fmt.Sprint("changed ", s.turn)
		return s.draw()
	}))
	js.Global().Set("ready", true)
	select {}
}
