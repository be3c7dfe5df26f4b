package treetest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"

	"cloister/shared/model/tree"
)

//go:embed testdata/reference.json
var referenceJSON []byte

// Reference is an ensemble of another library, with what that library says
// about some rows.
type Reference struct {
	Name   string
	Source tree.Source
	Rows   []float64 // n×d, float32 values
	Margin []float64 // n×k, units of tree.Ensemble.Margin
	Score  []float64 // n×k
	Phi    []float64 // n×k×d, SHAP values of the margin
	Base   []float64 // k, their base values
}

// References returns the ensembles of testdata/reference.json, which
// testdata/reference.py made; the file names the versions and the date.
func References() ([]Reference, error) {
	var file struct {
		Ensembles []struct {
			Name     string
			Kind     tree.Kind
			Link     tree.Link
			Features int
			Outputs  int
			Sample   int
			Base     []float64
			Rows     []*float64 // null is NaN
			Margin   []float64
			Score    []float64
			Phi      []float64
			Expected []float64
			Trees    []struct {
				Output      int
				Feature     []int32
				Threshold   []float64
				MissingLeft []bool
				Left, Right []int32
				Cover       []float64
				Value       []float64
			}
		}
	}
	if err := json.Unmarshal(referenceJSON, &file); err != nil {
		return nil, fmt.Errorf("reference.json: %w", err)
	}
	var all []Reference
	for _, e := range file.Ensembles {
		r := Reference{
			Name:   e.Name,
			Source: tree.Source{Kind: e.Kind, Link: e.Link, Features: e.Features, Outputs: e.Outputs, SampleSize: e.Sample, Base: e.Base},
			Margin: e.Margin, Score: e.Score, Phi: e.Phi, Base: e.Expected,
		}
		for _, t := range e.Trees {
			r.Source.Trees = append(r.Source.Trees, tree.SourceTree{
				Output: t.Output, Feature: t.Feature, Threshold: t.Threshold, MissingLeft: t.MissingLeft,
				Left: t.Left, Right: t.Right, Cover: t.Cover, Value: t.Value,
			})
		}
		for _, v := range e.Rows {
			if v == nil {
				r.Rows = append(r.Rows, math.NaN())
			} else {
				r.Rows = append(r.Rows, *v)
			}
		}
		all = append(all, r)
	}
	return all, nil
}
