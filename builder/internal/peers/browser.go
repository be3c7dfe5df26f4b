//go:build !js

package main

import (
	"context"
	"fmt"
	"path/filepath"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// browserModel grows oblivious trees on 85 % of the rows; the rest chooses
// their depth and number.
func browserModel(data grow.Data, r request) (tree.Source, error) {
	n := len(data.Class)
	cut := n * 85 / 100
	train, valid := data, data
	train.X, train.Class = data.X[:cut*data.Features], data.Class[:cut]
	valid.X, valid.Class = data.X[cut*data.Features:], data.Class[cut:]
	var best tree.Source
	loss := 0.0
	for _, depth := range []int{6, 8} {
		s, report, err := grow.Oblivious(context.Background(), train, grow.ObliviousOptions{
			Rounds: 2 * r.Trees, Depth: depth, Seed: r.Seed, Validation: &valid, EarlyStopping: 20, Workers: 1,
		})
		if err != nil {
			return best, err
		}
		if l := report.Loss[report.BestRound-1]; best.Levels == nil || l < loss {
			best, loss = s, l
		}
	}
	return best, nil
}

const (
	browserGoal     = 40      // times onnxruntime-web on XGBoost of 100 rounds
	browserShapGoal = 100_000 // rows/s, all classes
)

// browserModel holds the model for browsers against c, which has been fitted
// by its peer and loaded by all workers: other trees for the same rows, so
// quality stands beside speed.
func (s *session) browserModel(c *contest) error {
	const key = "browser"
	data := c.table.key
	path := filepath.Join(s.env.dir, "models", key+".bin")
	fit, err := s.ours.call(request{Do: "fit", Lib: "oblivious", Model: key, Data: data, Trees: c.trees, Seed: 1})
	if err != nil {
		return err
	}
	file, err := s.ours.call(request{Do: "save", Model: key, Path: path})
	if err != nil {
		return err
	}
	say("%d oblivious trees, %d kB, in %.1f CPU-s", file.Trees, file.Bytes/1000, fit.CPU)
	name := fmt.Sprintf("oblivious %d, %s", file.Trees, data)
	for _, w := range []worker{s.nodeOurs, s.chromeOurs} {
		if _, err := w.call(request{Do: "load", Model: key, Path: path}); err != nil {
			return err
		}
	}
	mine, err := s.scores(s.chromeOurs, key, data, "browser")
	if err != nil {
		return err
	}
	theirs, err := s.scores(s.python, c.key, data, "browser-peer")
	if err != nil {
		return err
	}
	k, y := c.table.classes, c.table.test.y
	accuracy := func(p []float64) []float64 {
		return []float64{metric.NewConfusion(y, best(p, k), k).Accuracy()}
	}
	peer := fmt.Sprintf("XGBoost %d", c.trees)
	s.rows = append(s.rows,
		compare("quality", name, "accuracy", true, accuracy(mine), peer, accuracy(theirs), 0, ""),
		compare("quality", name, "log loss", false, []float64{logLoss(mine, y, k)}, peer, []float64{logLoss(theirs, y, k)}, 0, ""),
		against("file size", name, "kB", false, []float64{float64(file.Bytes) / 1e3}, 500, "of a default bundle"))
	for _, kind := range []struct{ do, work string }{{"score", "batch"}, {"single", "single rows"}} {
		r := request{Do: kind.do, Model: key, Data: data, Rows: s.size.batch, Seconds: s.size.seconds}
		plain, other := r, r
		plain.Plain, other.Model = true, c.key
		tab := func(r request) request { r.Seconds = s.size.chromiumSeconds(); return r }
		v, err := turns(s.size.rounds, true, []contender{
			{s.ours, r}, {s.python, other}, {s.nodeOurs, r}, {s.nodeWeb, other},
			{s.chromeOurs, tab(r)}, {s.chromeWeb, tab(other)}, {s.chromeOurs, tab(plain)},
		}, rowsPerSecond)
		if err != nil {
			return err
		}
		goal := 0.0
		if kind.do == "score" {
			goal = browserGoal
		}
		add := func(place string, us []float64, peer string, them []float64, goal float64, note string) {
			s.rows = append(s.rows, compare("score, "+place, name+", "+kind.work, "rows/s", true, us, peer, them, goal, note))
		}
		add("native", v[0], peer+" native", v[1], 0, "other trees, see quality")
		add("Node", v[2], "onnxruntime-web, "+peer, v[3], 0, "")
		add("Chromium", v[4], "onnxruntime-web, "+peer, v[5], goal, s.clockNote("Chromium"))
		add("Chromium", v[4], "our own loops without the kernel", v[6], 0, "")
	}
	all := request{Do: "shap", Model: key, Data: data, Rows: s.size.batch, All: true, Seconds: s.size.chromiumSeconds()}
	own, plain := all, all
	own.All, plain.All, plain.Plain = false, false, true
	native := all
	native.Model, native.Rows = c.key, c.slowShap
	v, err := turns(s.size.slow, true, []contender{{s.chromeOurs, all}, {s.chromeOurs, own}, {s.chromeOurs, plain}, {s.python, native}}, rowsPerSecond)
	if err != nil {
		return err
	}
	s.rows = append(s.rows,
		against("explain", name+", all classes, Chromium", "rows/s", true, v[0], browserShapGoal, ""),
		compare("explain", name+", all classes, Chromium", "rows/s", true, v[0], peer+" native", v[3], 0, "other trees"),
		compare("explain", name+", predicted class, Chromium", "rows/s", true, v[1], "our own loops without the kernel", v[2], 0, "the prediction included"))
	for _, w := range []worker{s.ours, s.nodeOurs, s.chromeOurs} {
		if _, err := w.call(request{Do: "drop", Model: key}); err != nil {
			return err
		}
	}
	return nil
}

// curve measures forests of more and more trees on the table of c in a tab:
// where nodes leave the caches, rows a second fall faster than the trees grow.
func (s *session) curve(c *contest) error {
	for _, trees := range []int{1, 3, 10, 30, 100} {
		key := fmt.Sprintf("curve%d", trees)
		path := filepath.Join(s.env.dir, "models", key+".bin")
		if _, err := s.ours.call(request{Do: "fit", Lib: "forest", Model: key, Data: c.table.key, Trees: trees, Seed: 1}); err != nil {
			return err
		}
		file, err := s.ours.call(request{Do: "save", Model: key, Path: path})
		if err != nil {
			return err
		}
		if _, err := s.chromeOurs.call(request{Do: "load", Model: key, Path: path}); err != nil {
			return err
		}
		r := request{Do: "score", Model: key, Data: c.table.key, Rows: s.size.batch, Seconds: s.size.chromiumSeconds()}
		plain := r
		plain.Plain = true
		v, err := turns(s.size.slow, true, []contender{{s.chromeOurs, r}, {s.chromeOurs, plain}}, rowsPerSecond)
		if err != nil {
			return err
		}
		// A node is read as four bytes and, where a row ends, four more.
		note := fmt.Sprintf("%.1f MB of nodes, %.3g ns a row and tree", 8*float64(file.Nodes)/1e6, 1e9/spreadOf(v[0]).mid/float64(trees))
		s.rows = append(s.rows, compare("curve, Chromium", fmt.Sprintf("forest %d, %d nodes", trees, file.Nodes), "rows/s", true, v[0], "our own loops without the kernel", v[1], 0, note))
		for _, w := range []worker{s.ours, s.chromeOurs} {
			if _, err := w.call(request{Do: "drop", Model: key}); err != nil {
				return err
			}
		}
	}
	return nil
}
