//go:build js && wasm

// Command edge is the worker of an edge deployment: it answers with
// wasm/internal/edge. Two modes share one binary.
//
// Requests come through shim.mjs, which starts one instance for all of them,
// performs storage operations in JavaScript and hands bytes in. The stock mode
// of github.com/syumai/workers starts an instance for each event and waits for
// promises in Go: scheduled events use it, and, with the variable MODE set to
// "stock", requests do, for comparison.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall/js"

	"github.com/syumai/workers"
	"github.com/syumai/workers/cloudflare"
	"github.com/syumai/workers/cloudflare/cron"

	"cloister/shared/score"
	"cloister/shared/sign"
	"cloister/wasm/internal/edge"
	"cloister/wasm/worker/kernel"
)

func main() {
	c := config()
	c.Kernel = kernel.Install()
	e := edge.New(c)
	if shim := js.Global().Get("context").Get("shim"); shim.Truthy() {
		serve(shim, e)
		workers.Ready()
		select {} // the instance lives as long as its isolate
	}
	cron.ScheduleTaskNonBlock(func(context.Context) error { return check(e) })
	workers.Serve(stock{e})
}

// config reads the operator's settings.
func config() edge.Config {
	c := edge.Config{
		Release:     score.Version,
		ScoreBundle: cloudflare.Getenv("SCORE_BUNDLE"),
		Tag:         cloudflare.Getenv("RELEASE_TAG"),
	}
	if v := cloudflare.GetBinding("VERSION"); v.Truthy() {
		c.Deployment = v.Get("id").String()
		if tag := v.Get("tag").String(); c.Tag == "" {
			c.Tag = tag
		}
	}
	var problems []error
	tokens := func(name string) [][32]byte {
		t, err := edge.ParseTokens(cloudflare.Getenv(name))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
		return t
	}
	keys := func(name string) []sign.Key {
		text := cloudflare.Getenv(name)
		if text == "" {
			return nil
		}
		k, err := sign.ParseKeys([]byte(text))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
		return k
	}
	c.ScoreTokens, c.UploadTokens = tokens("SCORE_TOKENS"), tokens("UPLOAD_TOKENS")
	c.Channel, c.Publishers = keys("CHANNEL_KEYS"), keys("PUBLISHER_KEYS")
	if err := errors.Join(problems...); err != nil {
		c.Problem = err.Error()
	}
	return c
}

// check is what a scheduled event does: it looks at storage and channel, so
// that an expired channel is in the log before a visitor meets it.
func check(e *edge.Edge) error {
	readyz := edge.Request{Method: "GET", Path: "/readyz", Header: func(string) string { return "" }}
	x := converse(e, readyz, func(edge.Op) error { return nil })
	if x.Status != http.StatusOK {
		return fmt.Errorf("not ready: %s", x.Failure)
	}
	return nil
}
