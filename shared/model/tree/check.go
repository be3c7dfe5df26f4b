package tree

import (
	"errors"
	"fmt"
	"math"
)

// sumTolerance is how far a leaf distribution may be from summing to one:
// float32 fractions of up to MaxOutputs classes stay inside it.
const sumTolerance = 1e-6

// maxValue bounds leaf values and base, so that no sum of them overflows and
// no score is NaN.
const maxValue = 1e100

func ensembleError(format string, args ...any) error {
	return &SourceError{-1, -1, fmt.Sprintf(format, args...)}
}

func nodeError(node int, format string, args ...any) error {
	return &SourceError{-1, node, fmt.Sprintf(format, args...)}
}

// atTree fills the tree index into a SourceError made below it.
func atTree(err error, tree int) error {
	if e, ok := errors.AsType[*SourceError](err); ok {
		e.Tree = tree
	}
	return err
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// checkEnsemble checks the fields that are not inside trees.
func checkEnsemble(s *Source) error {
	switch {
	case s.Kind < Forest || s.Kind > Oblivious:
		return ensembleError("kind %d is unknown", s.Kind)
	case s.Link > Softmax:
		return ensembleError("link %d is unknown", s.Link)
	case s.Features < 1:
		return ensembleError("%d features, want 1 or more", s.Features)
	case s.Features > MaxFeatures:
		return &LimitError{"features", MaxFeatures, s.Features}
	case s.Outputs < 1:
		return ensembleError("%d outputs, want 1 or more", s.Outputs)
	case s.Outputs > MaxOutputs:
		return &LimitError{"outputs", MaxOutputs, s.Outputs}
	case s.Link != Identity && s.Kind != Boosting && s.Kind != Oblivious:
		return ensembleError("a %v has link %v, want identity", s.Kind, s.Link)
	case s.Link == Softmax && s.Outputs < 2:
		return ensembleError("softmax needs 2 outputs or more")
	case s.Kind == Isolation && s.Outputs != 1:
		return ensembleError("an isolation forest has %d outputs, want 1", s.Outputs)
	case s.Kind == Isolation && (s.SampleSize < 2 || s.SampleSize > maxSample):
		return ensembleError("sample size %d, want 2..%d", s.SampleSize, maxSample)
	case s.Kind != Isolation && s.SampleSize != 0:
		return ensembleError("a %v has sample size %d, want 0", s.Kind, s.SampleSize)
	case s.Base != nil && s.Kind != Boosting && s.Kind != Oblivious:
		return ensembleError("a %v has a base", s.Kind)
	case s.Base != nil && len(s.Base) != s.Outputs:
		return ensembleError("base holds %d values, want %d", len(s.Base), s.Outputs)
	case s.Kind == Oblivious && !(s.Step > 0 && s.Step <= maxValue):
		return ensembleError("step %g, want more than 0 and at most %g", s.Step, maxValue)
	case s.Kind != Oblivious && (s.Step != 0 || s.Levels != nil):
		return ensembleError("a %v has oblivious trees", s.Kind)
	case s.Kind == Oblivious && s.Trees != nil:
		return ensembleError("an oblivious ensemble has other trees")
	case s.Oblique != nil && (s.Kind != Isolation || s.Trees != nil):
		return ensembleError("a %v has oblique trees, or others beside them", s.Kind)
	case s.Oblique == nil && s.Scale != nil:
		return ensembleError("factors of features without oblique trees")
	case len(s.Trees)+len(s.Levels)+len(s.Oblique) == 0:
		return ensembleError("no trees")
	case len(s.Levels) > MaxOblivious:
		return &LimitError{"oblivious trees", MaxOblivious, len(s.Levels)}
	case len(s.Trees)+len(s.Oblique) > MaxTrees:
		return &LimitError{"trees", MaxTrees, len(s.Trees) + len(s.Oblique)}
	}
	if s.ClassWeights != nil && (s.Kind != Forest || len(s.ClassWeights) != s.Outputs || s.Outputs < 2) {
		return ensembleError("%d class weights for %d outputs of a %v", len(s.ClassWeights), s.Outputs, s.Kind)
	}
	for k, w := range s.ClassWeights {
		if !(w > 0 && w <= maxValue) {
			return ensembleError("weight of class %d is %g, want more than 0 and at most %g", k, w, maxValue)
		}
	}
	for k, v := range s.Base {
		if !(math.Abs(v) <= maxValue) {
			return ensembleError("base of output %d is %g, want at most %g either side of 0", k, v, maxValue)
		}
	}
	return nil
}

// checkTree checks tree i: lengths, shape, splits and leaves.
func checkTree(s *Source, i int) error {
	t := &s.Trees[i]
	if err := checkOutput(s.Kind, s.Outputs, t.Output); err != nil {
		return atTree(err, i)
	}
	n, width := len(t.Feature), leafWidth(s.Outputs, t.Output)
	if n == 0 || n > MaxNodes {
		return atTree(ensembleError("%d nodes, want 1..%d", n, MaxNodes), i)
	}
	values := n * width
	if s.Kind == Isolation {
		values = 0
	}
	for _, l := range []struct {
		what      string
		got, want int
		optional  bool
	}{
		{"Threshold", len(t.Threshold), n, false},
		{"MissingLeft", len(t.MissingLeft), n, true},
		{"Left", len(t.Left), n, false},
		{"Right", len(t.Right), n, false},
		{"Cover", len(t.Cover), n, false},
		{"Value", len(t.Value), values, false},
		{"Category", len(t.Category), n, true},
	} {
		if l.got != l.want && !(l.optional && l.got == 0) {
			return atTree(ensembleError("%s holds %d entries, want %d", l.what, l.got, l.want), i)
		}
	}
	return atTree(checkNodes(s, t), i)
}

func checkNodes(s *Source, t *SourceTree) error {
	n := len(t.Feature)
	seen := make([]bool, n)
	seen[0] = true
	total := 0.0
	for v := range n {
		if !seen[v] {
			return nodeError(v, "has no parent before it")
		}
		f := int(t.Feature[v])
		if f == -1 {
			if c := t.Cover[v]; !(c >= 0) || !finite(c) {
				return nodeError(v, "cover %g, want 0 or more and finite", c)
			}
			total += t.Cover[v]
			continue
		}
		if f < 0 || f >= s.Features {
			return nodeError(v, "feature %d, want -1..%d", f, s.Features-1)
		}
		if set := t.category(v); set != nil {
			if len(set)*64 > MaxCategories {
				return &LimitError{"category bits", MaxCategories, len(set) * 64}
			}
		} else if math.IsNaN(t.Threshold[v]) {
			return nodeError(v, "threshold is NaN")
		}
		for _, c := range [2]int32{t.Left[v], t.Right[v]} {
			if int(c) <= v || int(c) >= n {
				return nodeError(v, "child %d, want %d..%d", c, v+1, n-1)
			}
			if seen[c] {
				return nodeError(v, "child %d has another parent", c)
			}
			seen[c] = true
		}
	}
	if !(total > 0) || !finite(total) {
		return ensembleError("total cover %g, want more than 0 and finite", total)
	}
	return nil
}

func (t *SourceTree) category(v int) []uint64 {
	if len(t.Category) == 0 {
		return nil
	}
	return t.Category[v]
}

func (t *SourceTree) missingLeft(v int) bool { return len(t.MissingLeft) != 0 && t.MissingLeft[v] }

// checkOutput checks a tree's Output against the ensemble.
func checkOutput(k Kind, outputs, output int) error {
	low, high := -1, -1
	if outputs == 1 || k == Boosting {
		high = outputs - 1
	}
	if output < low || output > high {
		return ensembleError("output %d, want %d..%d", output, low, high)
	}
	return nil
}

// leafWidth returns the values per leaf of a tree.
func leafWidth(outputs, output int) int {
	if output >= 0 {
		return 1
	}
	return outputs
}

// checkLeaf checks the values of one leaf.
func checkLeaf(k Kind, v []float64) error {
	sum := 0.0
	for _, p := range v {
		if !(math.Abs(p) <= maxValue) {
			return fmt.Errorf("a leaf value is %g, want at most %g either side of 0", p, maxValue)
		}
		sum += p
		if k == Forest && len(v) > 1 && (p < 0 || p > 1) {
			return fmt.Errorf("a leaf value is %g, want 0..1", p)
		}
	}
	if k == Forest && len(v) > 1 && math.Abs(sum-1) > sumTolerance {
		return fmt.Errorf("leaf values add up to %g, want 1", sum)
	}
	return nil
}

// checkCover checks the cover of one leaf of kind k, already finite and not
// negative.
func checkCover(k Kind, c float64) error {
	if k == Isolation && (c != math.Trunc(c) || c > maxSample) {
		return fmt.Errorf("cover %g, want a whole number up to %d", c, maxSample)
	}
	return nil
}
