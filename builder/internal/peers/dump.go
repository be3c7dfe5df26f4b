//go:build !js

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"cloister/shared/model/tree"
)

// dumpHead is the first line of a dump of another library's trees.
type dumpHead struct {
	Kind       string    `json:"kind"`
	Features   int       `json:"features"`
	Outputs    int       `json:"outputs"`
	Base       []float64 `json:"base"`
	Link       string    `json:"link"`
	SampleSize int       `json:"sample_size"`
	// Float32Less: the library rounds rows and thresholds to float32 and goes
	// left at x < t.
	Float32Less bool `json:"float32_less"`

	// ClassWeights are what a forest multiplied its counts of rows by, summing
	// row by row; the leaves are read as products.
	ClassWeights []float64 `json:"class_weights"`

	Terms []string  `json:"terms"` // of a text model
	IDF   []float64 `json:"idf"`
}

// dumpTree is one further line: the arrays of a tree in the library's own
// order of nodes, the root first.
type dumpTree struct {
	Output      int         `json:"output"`
	Feature     []int32     `json:"feature"`
	Threshold   []float64   `json:"threshold"`
	MissingLeft []bool      `json:"missing_left"`
	Left        []int32     `json:"left"`
	Right       []int32     `json:"right"`
	Cover       []float64   `json:"cover"`
	Value       [][]float64 `json:"value"` // null at inner nodes
}

// readDump reads an ensemble of another library.
func readDump(r io.Reader) (tree.Source, dumpHead, error) {
	d := json.NewDecoder(bufio.NewReaderSize(r, 1<<20))
	var head dumpHead
	if err := d.Decode(&head); err != nil {
		return tree.Source{}, head, fmt.Errorf("dump: head: %w", err)
	}
	s := tree.Source{Features: head.Features, Outputs: head.Outputs, Base: head.Base, SampleSize: head.SampleSize, ClassWeights: head.ClassWeights}
	switch head.Kind {
	case "forest":
		s.Kind = tree.Forest
	case "boosting":
		s.Kind = tree.Boosting
	case "isolation":
		s.Kind = tree.Isolation
	default:
		return s, head, fmt.Errorf("dump: unknown kind %.64q", head.Kind)
	}
	switch head.Link {
	case "softmax":
		s.Link = tree.Softmax
	case "logistic":
		s.Link = tree.Logistic
	}
	for d.More() {
		var t dumpTree
		if err := d.Decode(&t); err != nil {
			return s, head, fmt.Errorf("dump: tree %d: %w", len(s.Trees), err)
		}
		if head.ClassWeights != nil {
			if err := t.products(head.ClassWeights); err != nil {
				return s, head, fmt.Errorf("dump: tree %d: %w", len(s.Trees), err)
			}
		}
		st, err := t.source(s.Kind, s.Outputs, head.Float32Less)
		if err != nil {
			return s, head, fmt.Errorf("dump: tree %d: %w", len(s.Trees), err)
		}
		s.Trees = append(s.Trees, st)
	}
	return s, head, nil
}

// productTolerance is how far sums over the rows of a leaf may be from the
// products that they stand for: some hundred thousand roundings.
const productTolerance = 1e-10

// products makes leaf values and covers counts times weights.
func (t *dumpTree) products(weights []float64) error {
	for v, values := range t.Value {
		if values == nil || v >= len(t.Cover) || len(values) != len(weights) {
			continue
		}
		sum := 0.0
		for k, p := range values {
			had := p * t.Cover[v]
			values[k] = math.Round(had/weights[k]) * weights[k]
			if math.Abs(values[k]-had) > productTolerance*(t.Cover[v]+weights[k]) {
				return fmt.Errorf("node %d: %v of class %d is no multiple of its weight %v", v, had, k, weights[k])
			}
			sum += values[k]
		}
		for k := range values {
			values[k] /= sum
		}
		t.Cover[v] = sum
	}
	return nil
}

// source brings the nodes into an order with children after parents.
func (t *dumpTree) source(kind tree.Kind, outputs int, less bool) (tree.SourceTree, error) {
	n := len(t.Feature)
	for _, l := range []int{len(t.Threshold), len(t.Left), len(t.Right), len(t.Cover), len(t.Value)} {
		if l != n {
			return tree.SourceTree{}, fmt.Errorf("%d values for %d nodes", l, n)
		}
	}
	width := 1
	if t.Output < 0 {
		width = outputs
	}
	s := tree.SourceTree{Output: t.Output}
	queue := []int32{0} // old numbers in the new order
	for at := 0; at < len(queue); at++ {
		v := queue[at]
		if int(v) >= n || v < 0 || at >= n {
			return s, fmt.Errorf("node %d: not a tree of %d nodes", v, n)
		}
		threshold, left, right := 0.0, int32(0), int32(0)
		if t.Feature[v] >= 0 {
			threshold = t.Threshold[v]
			if less {
				threshold = float64(math.Nextafter32(float32(threshold), float32(math.Inf(-1))))
			}
			left, right = int32(len(queue)), int32(len(queue)+1)
			queue = append(queue, t.Left[v], t.Right[v])
		}
		s.Feature = append(s.Feature, t.Feature[v])
		s.Threshold = append(s.Threshold, threshold)
		s.Left, s.Right = append(s.Left, left), append(s.Right, right)
		s.Cover = append(s.Cover, t.Cover[v])
		if t.MissingLeft != nil {
			s.MissingLeft = append(s.MissingLeft, t.MissingLeft[v])
		}
		if kind == tree.Isolation {
			continue
		}
		value := t.Value[v]
		if t.Feature[v] >= 0 {
			value = make([]float64, width)
		} else if len(value) != width {
			return s, fmt.Errorf("node %d: %d values, want %d", v, len(value), width)
		}
		s.Value = append(s.Value, value...)
	}
	return s, nil
}
