//go:build js && wasm

package main

import (
	"io"
	"net/http"
	"syscall/js"

	"github.com/syumai/workers/cloudflare"

	"cloister/wasm/internal/edge"
)

// stock answers requests behind net/http, as the library hands them in.
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
	converse(s.e, req, func(op edge.Op) error {
		if op.Kind == edge.OpRespond {
			for _, h := range op.Headers {
				w.Header().Set(h.Name, h.Value)
			}
			w.WriteHeader(op.Status)
		}
		if len(op.Body) == 0 { // the library would wait for a reader all the same
			return nil
		}
		_, err := w.Write(op.Body)
		return err
	})
}

// converse has r answered: it waits for each promise of the platform and hands
// send what goes to the client, a forwarded object in the Body of its
// [edge.OpRespond]. It ends early when send fails.
func converse(e *edge.Edge, r edge.Request, send func(edge.Op) error) *edge.Exchange {
	perform := js.Global().Get("cloisterPlatform").Invoke(cloudflare.GetBinding("BUNDLES"), cloudflare.GetBinding("ASSETS"))
	do := func(op edge.Op) edge.Result { return await(perform.Invoke(toJS(op))) }
	x := e.Serve(r)
	defer x.Stop()
	var last edge.Result
	for op, ok := x.Next(last); ok; op, ok = x.Next(last) {
		last = edge.Result{}
		if op.Kind != edge.OpRespond && op.Kind != edge.OpChunk {
			last = do(op)
			continue
		}
		if op.Forward {
			object := do(edge.Op{Kind: edge.OpRead})
			if op.Body = object.Body; object.Err != "" {
				op = edge.Op{Kind: edge.OpRespond, Status: http.StatusServiceUnavailable}
			}
		}
		if send(op) != nil {
			break
		}
	}
	return x
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
