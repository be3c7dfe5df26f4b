//go:build !js

package main

import (
	"fmt"
	"path/filepath"
)

// ownBytesGoal and ownJoblibGoal are the goals of TREES.md for the size of deep forests, which it
// measured on trees whose thresholds are bins of the columns, as ours are, and
// not on scikit-learn's, which has nearly one a row.
const ownBytesGoal, ownJoblibGoal = 1.2, 80

// ownTrees compares what our own grower makes of a forest's table.
// onnxruntime gets the trees as float32, in the form that scikit-learn's
// converter gives its forests.
func (s *session) ownTrees(of *contest) error {
	c := *of
	c.grown, c.key, c.name, c.bytesGoal = true, of.key+"own", "our own "+of.name, ownBytesGoal
	grow := request{Do: "fit", Lib: c.lib, Model: c.key, Data: c.table.key, Trees: c.trees, Seed: 1}
	fit, err := s.ours.call(grow)
	if err == nil && fit.Nodes > s.size.webNodes {
		grow.Trees = max(1, c.trees*s.size.webNodes/fit.Nodes)
		fit, err = s.ours.call(grow)
	}
	if err != nil {
		return err
	}
	path := filepath.Join(s.env.dir, "models", c.key)
	mine, err := s.ours.call(request{Do: "export", Model: c.key, Path: path})
	if err != nil {
		return err
	}
	say("%s: %d trees, %d nodes", c.name, mine.Trees, mine.Nodes)
	if _, err := s.python.call(request{Do: "narrow", Path: path + ".onnx", Features: c.table.features}); err != nil {
		return err
	}
	if err := s.sizes(&c, path, mine); err != nil {
		return err
	}
	theirs, err := fileBytes(filepath.Join(s.env.dir, "models", of.key+".joblib"))
	if err != nil {
		return err
	}
	s.rows = append(s.rows, compare("file size", c.name, "kB", false, []float64{float64(mine.Bytes) / 1e3}, "scikit-learn's joblib", []float64{theirs / 1e3}, ownJoblibGoal,
		fmt.Sprintf("%d trees against %d", mine.Trees, of.exported)))
	if err := s.agreement(&c, s.ours, path); err != nil {
		return err
	}
	if err := s.scoring(&c); err != nil {
		return err
	}
	return s.forget(&c)
}
