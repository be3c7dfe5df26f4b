//go:build js

// The page of the browser tests: it shows ui.App and lets scripts change it.
package main

import (
	"encoding/json"
	"runtime"
	"syscall/js"
	"time"

	"cloister/wasm/internal/dom"
	"cloister/wasm/internal/dom/testdata/ui"

	"github.com/vugu/vugu"
)

func main() {
	if _, err := dom.New("#missing"); err == nil {
		panic("mounted on nothing")
	}
	r, err := dom.New("#app")
	if err != nil {
		panic(err)
	}
	env := r.EventEnv()
	app := &ui.App{}
	lastError := ""
	change := func(f func()) {
		env.Lock()
		defer env.UnlockRender()
		f()
	}
	export := func(name string, f func(args []js.Value) any) {
		js.Global().Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any { return f(args) }))
	}
	// set({Field: value, ...}) changes the root, get() returns it.
	export("set", func(args []js.Value) any {
		text := js.Global().Get("JSON").Call("stringify", args[0]).String()
		change(func() {
			if err := json.Unmarshal([]byte(text), app); err != nil {
				panic(err)
			}
		})
		return nil
	})
	export("get", func([]js.Value) any {
		b, err := json.Marshal(app)
		if err != nil {
			panic(err)
		}
		return js.Global().Get("JSON").Call("parse", string(b))
	})
	// renders(n) draws n times, burst(n) asks n times in one go.
	export("renders", func(args []js.Value) any {
		go func() {
			for range args[0].Int() {
				change(func() {})
				time.Sleep(time.Millisecond)
			}
		}()
		return nil
	})
	export("burst", func(args []js.Value) any {
		for range args[0].Int() {
			change(func() {})
		}
		return nil
	})
	// hold(ms) keeps the lock, as no program should.
	export("hold", func(args []js.Value) any {
		go change(func() { time.Sleep(time.Duration(args[0].Int()) * time.Millisecond) })
		return nil
	})
	// collect lets go of what js.Values of past events refer to.
	export("collect", func([]js.Value) any { runtime.GC(); return nil })
	export("isIsland", func(args []js.Value) any { return js.Value(app.Island).Equal(args[0]) })
	export("lastError", func([]js.Value) any { return lastError })
	// slow(ms) makes builds take that long.
	slow := time.Duration(0)
	export("slow", func(args []js.Value) any {
		slow = time.Duration(args[0].Int()) * time.Millisecond
		return nil
	})
	// settled(f) calls f once nothing is left to be drawn.
	export("settled", func(args []js.Value) any {
		r.Settled(func() { args[0].Invoke() })
		return nil
	})
	export("closePage", func([]js.Value) any { r.Close(); return nil })

	// A root of its own, as Vugu's results do not name it: Rendered is for the
	// components in it.
	root := vugu.NewBuilderFunc(func(*vugu.BuildIn) *vugu.BuildOut {
		for began := time.Now(); time.Since(began) < slow; {
		}
		return &vugu.BuildOut{Out: []*vugu.VGNode{{Component: app}}, Components: []vugu.Builder{app}}
	})
	build, err := vugu.NewBuildEnv(env)
	if err != nil {
		panic(err)
	}
	js.Global().Set("ready", true)
	if js.Global().Get("location").Get("search").String() == "?run" {
		if err := r.Run(build, root); err != nil {
			panic(err)
		}
		js.Global().Set("ready", "closed")
		select {}
	}
	for ok := true; ok; ok = r.EventWait() {
		if err := r.Render(build.RunBuild(root)); err != nil {
			lastError = err.Error()
		}
	}
	js.Global().Set("ready", "closed")
	select {}
}
