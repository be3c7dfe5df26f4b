//go:build js && wasm

// Command page is the analyst's page in the browser. It draws; scoring is the
// worker's, which it starts and talks to.
package main

import (
	"cloister/site"
	"cloister/wasm/internal/dom"
	"cloister/wasm/internal/window"

	"github.com/vugu/vugu"
)

func main() {
	renderer, err := dom.New("#app")
	if err != nil {
		panic(err) // the shell shows that the program ended
	}
	env, err := vugu.NewBuildEnv(renderer.EventEnv())
	if err != nil {
		panic(err)
	}
	app := site.New(window.New(renderer), renderer.EventEnv())
	app.Start()
	if err := renderer.Run(env, &site.Root{App: app}); err != nil {
		panic(err)
	}
}
