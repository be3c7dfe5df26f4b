//go:build js && wasm

package main

import (
	"runtime"
	"syscall/js"

	"cloister/wasm/internal/edge"
)

var (
	object = js.Global().Get("Object")
	array  = js.Global().Get("Array")
	bytes8 = js.Global().Get("Uint8Array")
)

// collectEvery is after how many requests Go collects garbage: JavaScript
// objects that Go has seen live until then, and Go itself sees no reason.
const collectEvery = 128

// serve gives the shim its four functions: limit, open, step and close. None
// waits for anything.
func serve(shim js.Value, e *edge.Edge) {
	open := map[int]*edge.Exchange{}
	last, closed := 0, 0
	set := func(name string, f func(args []js.Value) any) {
		shim.Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any { return f(args) }))
	}
	// limit(method, path) -> bytes of the body to read
	set("limit", func(args []js.Value) any { return e.MaxBody(args[0].String(), args[1].String()) })
	// open(method, path, query, headers, body, tooLarge) -> id
	set("open", func(args []js.Value) any {
		last++
		open[last] = e.Serve(request(args[0], args[1], args[2], args[3], args[4], args[5]))
		return last
	})
	// step(id, result) -> operation or null
	set("step", func(args []js.Value) any {
		x := open[args[0].Int()]
		if x == nil {
			return js.Null()
		}
		op, ok := x.Next(result(args[1]))
		if !ok {
			return js.Null()
		}
		return toJS(op)
	})
	// close(id) -> {status, failure}; also ends an exchange half-way
	set("close", func(args []js.Value) any {
		id := args[0].Int()
		x := open[id]
		if x == nil {
			return js.Null()
		}
		delete(open, id)
		x.Stop()
		if closed++; closed%collectEvery == 0 {
			runtime.GC()
		}
		return map[string]any{"status": x.Status, "failure": x.Failure}
	})
}

func request(method, path, query, headers, body, tooLarge js.Value) edge.Request {
	return edge.Request{
		Method: method.String(), Path: path.String(), Query: query.String(), TooLarge: tooLarge.Truthy(), Body: fromJS(body),
		Header: func(name string) string {
			if v := headers.Call("get", name); v.Type() == js.TypeString {
				return v.String()
			}
			return ""
		},
	}
}

// result reads what the platform answered; null is the zero Result.
func result(v js.Value) edge.Result {
	if !v.Truthy() {
		return edge.Result{}
	}
	r := edge.Result{Found: v.Get("found").Truthy(), Modified: v.Get("modified").Truthy(), OK: v.Get("ok").Truthy(), Body: fromJS(v.Get("body"))}
	if s := v.Get("size"); s.Type() == js.TypeNumber {
		r.Size = int64(s.Float())
	}
	if s := v.Get("etag"); s.Type() == js.TypeString {
		r.ETag = s.String()
	}
	if s := v.Get("error"); s.Type() == js.TypeString {
		r.Err = s.String()
	}
	return r
}

// toJS turns an operation into an object with the same fields in lower case.
func toJS(op edge.Op) js.Value {
	o := object.New()
	o.Set("kind", string(op.Kind))
	switch op.Kind {
	case edge.OpRespond:
		list := array.New()
		for _, h := range op.Headers {
			list.Call("push", array.New(h.Name, h.Value))
		}
		o.Set("status", op.Status)
		o.Set("headers", list)
		o.Set("forward", op.Forward)
		return o
	case edge.OpPut:
		o.Set("sha256", toBytes(op.SHA256[:]))
		o.Set("ifMatch", op.IfMatch)
	}
	o.Set("key", op.Key)
	o.Set("ifNoneMatch", op.IfNoneMatch)
	o.Set("offset", op.Offset)
	o.Set("length", op.Length)
	if op.Body != nil {
		o.Set("body", toBytes(op.Body))
	}
	return o
}

func toBytes(b []byte) js.Value {
	v := bytes8.New(len(b))
	js.CopyBytesToJS(v, b)
	return v
}

func fromJS(v js.Value) []byte {
	if !v.Truthy() {
		return nil
	}
	b := make([]byte, v.Length())
	js.CopyBytesToGo(b, v)
	return b
}
