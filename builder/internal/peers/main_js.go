package main

import (
	"encoding/json"
	"syscall/js"

	"cloister/wasm/worker/kernel"
)

// main offers the scorer to js/bench.mjs as the global object ours. Each
// function returns a number or, when something is wrong, a text. With 0, kernel
// switches to Go's own loops, with 1 back.
func main() {
	const asked = 640 // rows that come alone: reading the two names is no part of scoring one
	kernel.Install()
	s := newScorer()
	answer := func(n int, err error) any {
		if err != nil {
			return err.Error()
		}
		return n
	}
	copied := func(v js.Value) []byte {
		b := make([]byte, v.Length())
		js.CopyBytesToGo(b, v)
		return b
	}
	offer := map[string]any{}
	for name, f := range map[string]func(a []js.Value) (int, error){
		"load": func(a []js.Value) (int, error) { return 0, s.load(a[0].String(), copied(a[1])) },
		"drop": func(a []js.Value) (int, error) { delete(s.models, a[0].String()); return 0, nil },
		"rows": func(a []js.Value) (int, error) {
			var docs []string
			b := copied(a[1])
			if a[2].Int() == 0 { // texts
				err := json.Unmarshal(b, &docs)
				s.rows[a[0].String()] = newInput(nil, 1, docs)
				return len(docs), err
			}
			s.rows[a[0].String()] = newInput(floatsOf(b), a[2].Int(), nil)
			return 0, nil
		},
		"score":  func(a []js.Value) (int, error) { return s.batch(a[0].String(), a[1].String(), a[2].Int(), 1) },
		"single": func(a []js.Value) (int, error) { return s.single(a[0].String(), a[1].String(), asked) },
		"kernel": func(a []js.Value) (int, error) { kernel.Use(a[0].Int() != 0); return 0, nil },
		"shap": func(a []js.Value) (int, error) {
			return s.shap(a[0].String(), a[1].String(), a[2].Int(), a[3].Bool())
		},
	} {
		offer[name] = js.FuncOf(func(_ js.Value, a []js.Value) any { return answer(f(a)) })
	}
	offer["predict"] = js.FuncOf(func(_ js.Value, a []js.Value) any {
		m, in, err := s.find(a[0].String(), a[1].String())
		if err != nil {
			return err.Error()
		}
		p, err := m.scores(in)
		if err != nil {
			return err.Error()
		}
		list := js.Global().Get("Float64Array").New(len(p))
		for i, v := range p {
			list.SetIndex(i, v)
		}
		return list
	})
	js.Global().Set("ours", offer)
	select {}
}
