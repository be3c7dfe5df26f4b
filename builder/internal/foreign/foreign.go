// Package foreign reads models of decision trees that other libraries trained,
// and writes ours for them. It hides their file formats and what each means by
// a split: which side equality takes, where missing values go, how wide a
// number is.
//
//	m, err := foreign.Read(bytes)          // the format follows from the content
//	e, err := tree.New(m.Source)
//	bytes, err = foreign.AppendONNX(nil, e, meta)
//
// Read: XGBoost JSON and UBJSON (2.x, 3.x), LightGBM text (v3, v4), ONNX
// (ai.onnx.ml TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble,
// as scikit-learn's forests, extra trees, gradient boosting and isolation
// forests become through skl2onnx), and of treelite 4 the JSON dump and the
// checkpoint. Not read, and refused by name: dart and linear boosters, trees
// with vector leaves of XGBoost, linear leaves of LightGBM, graphs of ONNX with
// other operators than those a tree model needs, checkpoints of treelite 3.
//
// A row takes the same branches as in the library, for every float64 value: where
// the library rounds a value to float32 first, the threshold read is the last
// float64 that goes left. Sums differ: we add in float64, XGBoost and
// onnxruntime in float32, so their margins are ours to about 2^-23 of the sum
// of the absolute leaf values; LightGBM adds in float64 in the same order, and
// the margins have the same bits. Categories are whole numbers: XGBoost and
// LightGBM cut fractions off, we send them where unknown categories go.
//
// All bytes are hostile. Memory is bounded by a constant times the bytes read,
// no count in a file sizes anything, indices are checked before use.
package foreign

import (
	"errors"
	"fmt"
	"math"

	"cloister/shared/model/tree"
)

// Model is what a file of another library says.
type Model struct {
	Format    string // "xgboost-json", "xgboost-ubj", "lightgbm-text", "onnx", "treelite-json", "treelite-checkpoint"
	Producer  string // who wrote it, with version where the file says
	Objective string // in the words of the library
	Source    tree.Source
	Features  []string // names of the columns, nil if the file has none
	Labels    []string // of the classes, nil if the file has none
	// Covers says that the covers are those of the training rows. Otherwise the
	// file has none, and each leaf has cover 1.
	Covers bool
	// Single says that the library reads float32.
	Single bool
	Notes  []string // what a reader of the card has to know
}

// Classes returns how many classes the scores tell apart, or why they are no
// class probabilities.
func (m *Model) Classes() (int, error) {
	s := &m.Source
	switch {
	case s.Kind == tree.Forest && s.Outputs > 1, s.Link == tree.Softmax:
		return s.Outputs, nil
	case s.Link == tree.Logistic && s.Outputs == 1:
		return 2, nil
	case s.Link == tree.Logistic:
		return 0, unsupported(m.Format, -1, "%q: each class has a probability of its own, which add up to any sum", m.Objective)
	}
	return 0, unsupported(m.Format, -1, "%q: the scores are no class probabilities", m.Objective)
}

// FormatError is a file that breaks the rules of its format.
type FormatError struct {
	Format string
	Offset int64 // byte, -1 if it is the content as a whole that is wrong
	What   string
}

// Error returns format, place and rule.
func (e *FormatError) Error() string { return place(e.Format, e.Offset) + e.What }

// UnsupportedError is a file that is right but says what is not read here.
type UnsupportedError struct {
	Format string
	Offset int64 // byte, -1 for the whole
	What   string
}

// Error returns format, place and what is not supported.
func (e *UnsupportedError) Error() string {
	return place(e.Format, e.Offset) + "not supported: " + e.What
}

// LimitError is a file larger than a limit of this package.
type LimitError struct {
	Format, What string
	Limit, Got   int64
}

// Error returns the limit and what was asked for.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d %s, at most %d are read", e.Format, e.Got, e.What, e.Limit)
}

func place(format string, offset int64) string {
	if offset < 0 {
		return format + ": "
	}
	return fmt.Sprintf("%s: byte %d: ", format, offset)
}

func malformed(format string, offset int, what string, args ...any) error {
	return &FormatError{format, int64(offset), fmt.Sprintf(what, args...)}
}

func unsupported(format string, offset int, what string, args ...any) error {
	return &UnsupportedError{format, int64(offset), fmt.Sprintf(what, args...)}
}

// Limits of files and what is in them, besides those of package tree.
const (
	MaxFile  = 1 << 30 // bytes
	maxDepth = 64      // of nested values
	maxKeys  = 1 << 12 // of one object or section
)

// Read reads a model. Content that no reader knows is a [*FormatError] that
// says what was looked for, a broken file a [*FormatError] with the byte, a
// feature that is not read an [*UnsupportedError] with its name, too large a
// file a [*LimitError]. What the model itself breaks is a [*tree.SourceError] of
// tree.New, which the caller calls.
func Read(data []byte) (*Model, error) {
	if int64(len(data)) > MaxFile {
		return nil, &LimitError{"model", "bytes", MaxFile, int64(len(data))}
	}
	switch sniff(data) {
	case "json":
		v, err := parseJSON(data)
		if err != nil {
			return nil, err
		}
		switch {
		case v.get("learner") != nil:
			return readXGBoost("xgboost-json", v)
		case v.get("trees") != nil && v.get("postprocessor") != nil:
			return readTreelite(v)
		}
		return nil, malformed("json", 0, "neither a model of XGBoost (no \"learner\") nor a dump of treelite (no \"trees\" with \"postprocessor\")")
	case "ubj":
		v, err := parseUBJ(data)
		if err != nil {
			return nil, err
		}
		return readXGBoost("xgboost-ubj", v)
	case "lightgbm":
		return readLightGBM(data)
	case "xgboost-binary":
		return nil, unsupported("xgboost", 0, "the binary format before XGBoost 2: load and save it as JSON with XGBoost")
	case "treelite":
		return readCheckpoint(data)
	case "onnx":
		return readONNX(data)
	}
	return nil, malformed("model", 0, "no known format: it starts neither like JSON, UBJSON, LightGBM's \"tree\" nor ONNX: %.16q", data[:min(len(data), 16)])
}

// sniff tells formats apart by their first bytes.
func sniff(data []byte) string {
	at := 0
	for at < len(data) && (data[at] == ' ' || data[at] == '\n' || data[at] == '\r' || data[at] == '\t') {
		at++
	}
	rest := data[at:]
	has := func(s string) bool { return len(rest) >= len(s) && string(rest[:len(s)]) == s }
	switch {
	case has("tree\n"), has("tree\r\n"):
		return "lightgbm"
	case has("binf"), has("bs64"):
		return "xgboost-binary"
	case at == 0 && len(data) > 2 && data[0] == '{' && (data[1] == 'L' || data[1] == 'l' || data[1] == 'i' || data[1] == 'U' || data[1] == 'I'):
		return "ubj"
	case has("{"):
		return "json"
	case at == 0 && len(data) > 12 && (data[0] == 3 || data[0] == 4) && data[1] == 0 && data[2] == 0 && data[3] == 0:
		return "treelite"
	case len(data) > 2 && data[0] == 0x08 && data[1] > 0 && data[1] < 32: // field 1, ir_version
		return "onnx"
	}
	return ""
}

// upTo returns the largest float64 that, rounded to float32, is at most p.
func upTo(p float32) float64 {
	if math.IsInf(float64(p), 1) {
		return math.Inf(1)
	}
	const beyond = 0x1.ffffffp+127 // half way from the largest float32 to 2^128
	var mid float64
	switch n := math.Nextafter32(p, float32(math.Inf(1))); {
	case math.IsInf(float64(n), 1):
		mid = beyond
	case math.IsInf(float64(p), -1):
		mid = -beyond
	default:
		mid = (float64(p) + float64(n)) / 2 // exact
	}
	if float32(mid) <= p {
		return mid
	}
	return math.Nextafter(mid, math.Inf(-1))
}

// below returns the largest float64 that, rounded to float32, is less than t.
func below(t float32) float64 { return upTo(math.Nextafter32(t, float32(math.Inf(-1)))) }

// single returns the largest float32 that is at most t: the inverse of upTo, and
// for float32 values the same split.
func single(t float64) float32 {
	p := float32(t)
	if float64(p) > t {
		p = math.Nextafter32(p, float32(math.Inf(-1)))
	}
	return p
}

// node is one node of a tree in the order of a file.
type node struct {
	feature     int32 // -1 at a leaf
	left, right int32
	missingLeft bool
	threshold   float64
	cover       float64
	set         []uint64  // categories that go left
	value       float64   // of a scalar leaf
	vector      []float64 // of a vector leaf
}

// assemble brings nodes, the root first, into an order in which children follow
// parents. Nodes that nothing leads to are left out; a child that is no node or
// has two parents is an error. Leaves have width values, those of vector, or,
// for width 0, one, that of value.
func assemble(nodes []node, output, width int) (tree.SourceTree, error) {
	t := tree.SourceTree{Output: output}
	if len(nodes) == 0 {
		return t, errors.New("no nodes")
	}
	place := make([]int32, len(nodes)) // 1 + where a node goes
	var stack []int32
	visit := func(v int32) error {
		if v < 0 || int(v) >= len(nodes) {
			return fmt.Errorf("child %d of %d nodes", v, len(nodes))
		}
		if place[v] != 0 {
			return fmt.Errorf("node %d has two parents", v)
		}
		place[v] = -1
		stack = append(stack, v)
		return nil
	}
	if err := visit(0); err != nil {
		return t, err
	}
	var order []int32
	sets := false
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		order = append(order, v)
		place[v] = int32(len(order))
		n := &nodes[v]
		sets = sets || n.set != nil
		if n.feature < 0 {
			continue
		}
		for _, c := range []int32{n.right, n.left} {
			if err := visit(c); err != nil {
				return t, err
			}
		}
	}
	for _, v := range order {
		n := &nodes[v]
		inner := n.feature >= 0
		left, right := int32(-1), int32(-1)
		if inner {
			left, right = place[n.left]-1, place[n.right]-1
		}
		t.Feature, t.Threshold, t.MissingLeft = append(t.Feature, n.feature), append(t.Threshold, n.threshold), append(t.MissingLeft, n.missingLeft)
		t.Left, t.Right, t.Cover = append(t.Left, left), append(t.Right, right), append(t.Cover, n.cover)
		if sets {
			t.Category = append(t.Category, n.set)
		}
	}
	zero := make([]float64, width)
	for _, v := range order {
		switch n := &nodes[v]; {
		case width == 0:
			t.Value = append(t.Value, n.value)
		case n.feature >= 0:
			t.Value = append(t.Value, zero...)
		case len(n.vector) != width:
			return t, fmt.Errorf("leaf %d has %d values, want %d", v, len(n.vector), width)
		default:
			t.Value = append(t.Value, n.vector...)
		}
	}
	return t, nil
}

// evenCovers gives every leaf of trees without any cover the cover 1, and says
// whether there were some.
func evenCovers(trees []tree.SourceTree) (some bool) {
	for i := range trees {
		t := &trees[i]
		total := 0.0
		for v, f := range t.Feature {
			if f < 0 {
				total += t.Cover[v]
			}
		}
		if total > 0 {
			continue
		}
		some = true
		for v, f := range t.Feature {
			if f < 0 {
				t.Cover[v] = 1
			}
		}
	}
	return some
}

// setOf makes a bitset of category codes.
func setOf(format string, offset int, codes []float64) ([]uint64, error) {
	var set []uint64
	for _, c := range codes {
		if !(c >= 0 && c < tree.MaxCategories) || c != math.Trunc(c) {
			return nil, malformed(format, offset, "category %g, want a whole number below %d", c, tree.MaxCategories)
		}
		w := int(c) / 64
		for len(set) <= w {
			set = append(set, 0)
		}
		set[w] |= 1 << (uint(c) % 64)
	}
	if set == nil {
		set = []uint64{0}
	}
	return set, nil
}
