//go:build js && wasm

package main

import (
	"io"
	"net/http"
	"syscall/js"

	"github.com/syumai/workers/cloudflare"

	"cloister/wasm/internal/edge"
)

// stock answers requests behind net/http, as the library hands them in, and
// waits for the platform's promises.
type stock struct{ e *edge.Edge }

// ServeHTTP performs one exchange.
func (s stock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := edge.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header.Get}
	if limit := s.e.MaxBody(r.Method, req.Path); limit > 0 && r.Body != nil {
		body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
		if err != nil {
			http.Error(w, "the body broke off", http.StatusBadRequest)
			return
		}
		req.Body, req.TooLarge = body, int64(len(body)) > limit
	}
	perform := js.Global().Get("cloisterPlatform").Invoke(cloudflare.GetBinding("BUNDLES"), cloudflare.GetBinding("ASSETS"))
	x := s.e.Serve(req)
	defer x.Stop()
	var res edge.Result
	for op, ok := x.Next(res); ok; op, ok = x.Next(res) {
		res = edge.Result{}
		switch op.Kind {
		case edge.OpRespond:
			for _, h := range op.Headers {
				w.Header().Set(h.Name, h.Value)
			}
			w.WriteHeader(op.Status)
			if op.Forward {
				all := await(perform.Invoke(toJS(edge.Op{Kind: edge.OpRead})))
				if _, err := w.Write(all.Body); err != nil {
					return
				}
			}
		case edge.OpChunk:
			if _, err := w.Write(op.Body); err != nil {
				return
			}
		default:
			res = await(perform.Invoke(toJS(op)))
		}
	}
}

// await waits for a promise of a result.
func await(promise js.Value) edge.Result {
	done := make(chan edge.Result, 1)
	var then, failed js.Func
	then = js.FuncOf(func(_ js.Value, args []js.Value) any { done <- result(args[0]); return nil })
	failed = js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- edge.Result{Err: args[0].Call("toString").String()}
		return nil
	})
	defer then.Release()
	defer failed.Release()
	promise.Call("then", then, failed)
	return <-done
}
