//go:build !js

package main

import (
	"errors"
	"os"
	"path/filepath"
)

// session holds the workers and what they measured.
type session struct {
	env  *environment
	size size
	rows []row

	ours, python, onnx, old    *process
	leaves                     *process // nil if it does not install here, as old
	nodeOurs, nodeWeb          *process
	chromeOurs, chromeWeb      *tab
	browser                    *browser
	differences, disagreements []string
}

// size says how much is done.
type size struct {
	name              string
	train, test       int     // rows of the generated table
	large             int     // rows of the one for half a million nodes
	real              int     // rows at most of a real table
	rounds, slow      int     // of quick and of slow work
	seconds           float64 // of processor time a quick measurement lasts
	batch             int     // rows that are scored at once
	webNodes          int     // of forests that are compared as equal models
	everythingOnLarge bool    // forest 300 and boosting 500 on the generated table too
}

// chromiumSeconds is how long measurements in a tab last: the browser tells
// processor time in steps of 10 ms.
func (s size) chromiumSeconds() float64 { return 2 * s.seconds }

var sizes = map[string]size{
	"tiny":  {"tiny", 1500, 800, 3000, 3000, 2, 1, 0.05, 800, 200_000, false},
	"small": {"small", 20_000, 10_000, 200_000, 40_000, 5, 3, 0.3, 8192, 500_000, false},
	"full":  {"full", 200_000, 42_900, 200_000, 200_000, 5, 3, 0.5, 8192, 500_000, true},
}

// begin starts the workers.
func begin(e *environment, sz size) (s *session, err error) {
	s = &session{env: e, size: sz}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.end())
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	script, host := filepath.Join(source, "py", "worker.py"), filepath.Join(source, "js", "node.mjs")
	type program struct {
		to   **process
		name string
		args []string
	}
	list := []program{
		{&s.ours, "ours", []string{self, workerFlag}},
		{&s.python, "python", []string{e.python, script}},
		{&s.onnx, "onnxruntime", []string{e.python, script}},
		{&s.nodeOurs, "ours in Node", []string{"node", "--expose-gc", host, "ours", e.wasmExec, workerScript, e.wasm}},
		{&s.nodeWeb, "onnxruntime-web in Node", []string{"node", "--expose-gc", host, "web", e.node}},
	}
	if e.old != "" {
		list = append(list, program{&s.old, "xgboost 1.7", []string{e.old, script}})
	}
	if e.leaves != "" {
		list = append(list, program{&s.leaves, "leaves", []string{e.leaves}})
	}
	for _, p := range list {
		if *p.to, err = start(p.name, filepath.Join(e.dir, "logs", filepath.Base(p.name)+".log"), p.args[0], p.args[1:]...); err != nil {
			return s, err
		}
	}
	if s.browser, err = startBrowser(e); err != nil {
		return s, err
	}
	if s.chromeOurs, err = s.browser.open("ours in Chromium", "ours", e.dir); err != nil {
		return s, err
	}
	s.chromeWeb, err = s.browser.open("onnxruntime-web in Chromium", "web", e.dir)
	return s, err
}

// end stops the workers.
func (s *session) end() error {
	var err error
	for _, p := range []*process{s.ours, s.python, s.onnx, s.old, s.leaves, s.nodeOurs, s.nodeWeb} {
		if p != nil {
			err = errors.Join(err, p.close())
		}
	}
	if s.browser != nil {
		err = errors.Join(err, s.browser.close())
	}
	return err
}

// share hands a table to every worker.
func (s *session) share(t *table) error {
	if err := t.write(filepath.Join(s.env.dir, "data")); err != nil {
		return err
	}
	for _, w := range []*process{s.ours, s.python, s.onnx, s.old, s.leaves} {
		if w == nil || w == s.leaves && t.train.docs != nil {
			continue
		}
		if _, err := w.call(request{Do: "data", Data: t.key, Path: t.dir}); err != nil {
			return err
		}
	}
	r := request{Do: "data", Data: t.key, Path: filepath.Join(t.dir, "test.f32"), Features: t.features}
	if t.train.docs != nil {
		r.Path, r.Features = filepath.Join(t.dir, "test.json"), 0
	}
	webs := []worker{s.nodeOurs, s.chromeOurs, s.nodeWeb, s.chromeWeb}
	if t.train.docs != nil {
		webs = webs[:2] // onnxruntime-web gets rows, not texts, with the model
	}
	for _, w := range webs {
		if _, err := w.call(r); err != nil {
			return err
		}
	}
	return nil
}

// contender is one side of a comparison.
type contender struct {
	w worker
	r request
}

// interleave lets n contenders work in turns and returns their replies, by
// contender. Who begins changes from round to round.
func interleave(rounds, n int, do func(at, round int) (reply, error)) ([][]reply, error) {
	got := make([][]reply, n)
	for round := range rounds {
		for i := range n {
			at := (i + round) % n
			r, err := do(at, round)
			if err != nil {
				return nil, err
			}
			got[at] = append(got[at], r)
		}
	}
	return got, nil
}

// turns lets contenders do their request in turns and returns what value makes
// of each reply. With warm, each does it twice before: a JIT's better code
// arrives after the first.
func turns(rounds int, warm bool, list []contender, value func(reply) float64) ([][]float64, error) {
	do := func(at, _ int) (reply, error) { return list[at].w.call(list[at].r) }
	if warm {
		if _, err := interleave(2, len(list), do); err != nil {
			return nil, err
		}
	}
	got, err := interleave(rounds, len(list), do)
	if err != nil {
		return nil, err
	}
	v := make([][]float64, len(list))
	for at, replies := range got {
		v[at] = each(replies, value)
	}
	return v, nil
}

// each returns what value makes of each reply.
func each(list []reply, value func(reply) float64) []float64 {
	v := make([]float64, len(list))
	for i, r := range list {
		v[i] = value(r)
	}
	return v
}

// megabytes is what a reply's work added at its peak. Less than a tenth is
// the noise of pages that were there already.
func megabytes(r reply) float64 { return max(0.1, r.RSS/1e6) }

// rowsPerSecond is what scoring is measured in, processor time of one core.
func rowsPerSecond(r reply) float64 { return float64(r.Rows) / r.CPU }

// scores reads what a worker's predict wrote.
func (s *session) scores(w worker, model, data, name string) ([]float64, error) {
	path := filepath.Join(s.env.dir, "scores", name)
	if _, err := w.call(request{Do: "predict", Model: model, Data: data, Path: path}); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	return doublesOf(b), err
}

// fileBytes returns the size of a file.
func fileBytes(path string) (float64, error) {
	i, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(i.Size()), nil
}

// workerName is what a worker is called in messages.
func workerName(w worker) string {
	switch w := w.(type) {
	case *process:
		return w.name
	case *tab:
		return w.name
	}
	return "?"
}

// clockNote says what time rows of a place are in, where it is not the
// processor time of the worker's process: in Chromium that of all renderers,
// or the page's own clock if a call was too short or the browser did not tell.
func (s *session) clockNote(place string) string {
	if place != "Chromium" {
		return ""
	}
	if s.chromeOurs.wall+s.chromeWeb.wall > 0 {
		s.chromeOurs.wall, s.chromeWeb.wall = 0, 0
		return "some calls by the wall clock"
	}
	return ""
}
