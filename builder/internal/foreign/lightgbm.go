package foreign

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"cloister/shared/model/tree"
)

const lightText = "lightgbm-text"

// readLightGBM reads the text that Booster.save_model writes, versions 3 and 4:
// lines of key=value, first about the model, then after each "Tree=i" about a
// tree. A value <= threshold goes left, as float64.
func readLightGBM(data []byte) (*Model, error) {
	l := &light{m: &Model{Format: lightText, Producer: "LightGBM", Covers: true}}
	at, inTree := 0, false
	section := map[string]entry{}
	for line := range bytes.Lines(data) {
		start := at
		at += len(line)
		text := strings.TrimRight(string(line), "\r\n")
		key, content, has := strings.Cut(text, "=")
		last := text == "end of trees"
		if key == "Tree" && has || last {
			if err := l.section(section, inTree); err != nil {
				return nil, err
			}
			if last {
				return l.finish()
			}
			section, inTree = map[string]entry{}, true
			continue
		}
		if !has {
			section[text] = entry{at: start}
		} else if _, ok := section[key]; ok {
			return nil, malformed(lightText, start, "key %.64q is there twice", key)
		} else {
			section[key] = entry{content, start + len(key) + 1}
		}
		if len(section) > maxKeys {
			return nil, &LimitError{lightText, "keys of a tree", maxKeys, int64(len(section))}
		}
	}
	return nil, malformed(lightText, len(data), "no \"end of trees\": the file is cut short")
}

// entry is what stands behind a key, and where.
type entry struct {
	text string
	at   int
}

type light struct {
	m       *Model
	average bool
	factor  float64 // of the margin before the link
}

func (l *light) section(s map[string]entry, inTree bool) error {
	if inTree {
		return l.tree(s)
	}
	return l.head(s)
}

// whole reads a number of low to high.
func whole(s map[string]entry, key string, low, high int) (int, error) {
	e, ok := s[key]
	v, err := strconv.Atoi(e.text)
	if !ok || err != nil || v < low || v > high {
		return 0, malformed(lightText, e.at, "%s is %.64q, want %d to %d", key, e.text, low, high)
	}
	return v, nil
}

// floats reads n numbers separated by spaces.
func floats(s map[string]entry, key string, n int) ([]float64, error) {
	e := s[key]
	var out []float64
	for part := range strings.FieldsSeq(e.text) {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return nil, malformed(lightText, e.at, "%s: not a number: %.64q", key, part)
		}
		out = append(out, v)
	}
	if len(out) != n {
		return nil, malformed(lightText, e.at, "%d %s, want %d", len(out), key, n)
	}
	return out, nil
}

// head reads what stands before the first tree.
func (l *light) head(s map[string]entry) error {
	src := &l.m.Source
	if v := s["version"]; v.text != "v3" && v.text != "v4" {
		return unsupported(lightText, v.at, "version %.64q, v3 and v4 are read", v.text)
	}
	highest, err := whole(s, "max_feature_idx", 0, tree.MaxFeatures-1)
	if err != nil {
		return err
	}
	if src.Outputs, err = whole(s, "num_tree_per_iteration", 1, tree.MaxOutputs); err != nil {
		return err
	}
	src.Kind, src.Features = tree.Boosting, highest+1
	if names := strings.Fields(s["feature_names"].text); len(names) > 0 {
		if len(names) != src.Features {
			return malformed(lightText, s["feature_names"].at, "%d feature names for %d features", len(names), src.Features)
		}
		l.m.Features = names
	}
	_, l.average = s["average_output"]
	return l.objective(s["objective"])
}

// objective reads such as "binary sigmoid:1".
func (l *light) objective(e entry) error {
	l.m.Objective, l.factor = e.text, 1
	words := strings.Fields(e.text)
	if len(words) == 0 {
		return nil // of the caller's own: margins
	}
	for _, w := range words[1:] {
		name, text, _ := strings.Cut(w, ":")
		switch name {
		case "sigmoid":
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || !(v > 0 && v < 1e6) {
				return malformed(lightText, e.at, "sigmoid %.64q", text)
			}
			l.factor = v
		case "num_class":
		case "sqrt":
			return unsupported(lightText, e.at, "objective %.64q with the square of the margin", e.text)
		default:
			return unsupported(lightText, e.at, "parameter %.64q of the objective", w)
		}
	}
	src := &l.m.Source
	switch words[0] {
	case "binary", "cross_entropy", "xentropy":
		src.Link = tree.Logistic
	case "multiclass", "softmax":
		src.Link = tree.Softmax
	case "multiclassova", "multiclass_ova", "ova", "ovr":
		src.Link = tree.Logistic
	case "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg", "custom":
	default:
		return unsupported(lightText, e.at, "objective %.64q", words[0])
	}
	if src.Link == tree.Softmax && src.Outputs < 2 {
		return malformed(lightText, e.at, "%s with one class", words[0])
	}
	return nil
}

// Bits of decision_type (LightGBM, include/LightGBM/tree.h).
const (
	lightCategory    = 1
	lightDefaultLeft = 2
	lightMissing     = 3 << 2
	missingNone      = 0
	missingZero      = 1
	missingNaN       = 2
)

// zeroBand is what LightGBM takes for zero, either side (kZeroThreshold).
const zeroBand = float64(float32(1e-35))

// tree reads one tree.
func (l *light) tree(s map[string]entry) error {
	number := len(l.m.Source.Trees)
	leaves, err := whole(s, "num_leaves", 1, tree.MaxNodes/2)
	if err != nil {
		return err
	}
	if e, ok := s["is_linear"]; ok && e.text != "0" {
		return unsupported(lightText, e.at, "tree %d has linear leaves", number)
	}
	value, err := floats(s, "leaf_value", leaves)
	if err != nil {
		return err
	}
	cover := make([]float64, leaves) // as many as there were values
	if _, ok := s["leaf_count"]; ok && leaves > 1 {
		if cover, err = floats(s, "leaf_count", leaves); err != nil {
			return err
		}
	}
	splits, err := l.splits(s, leaves-1)
	if err != nil {
		return err
	}
	nodes := splits
	for i, v := range value {
		nodes = append(nodes, node{feature: -1, value: v, cover: cover[i]})
	}
	t, err := assemble(nodes, number%l.m.Source.Outputs, 0)
	if err != nil {
		return malformed(lightText, s["left_child"].at, "tree %d: %v", number, err)
	}
	l.m.Source.Trees = append(l.m.Source.Trees, t)
	return nil
}

// splits reads the n inner nodes. Child c >= 0 is inner node c, another leaf ^c.
func (l *light) splits(s map[string]entry, n int) ([]node, error) {
	if n == 0 {
		return nil, nil
	}
	column := map[string][]float64{}
	for _, key := range []string{"split_feature", "threshold", "decision_type", "left_child", "right_child"} {
		c, err := floats(s, key, n)
		if err != nil {
			return nil, err
		}
		column[key] = c
	}
	sets, err := l.sets(s)
	if err != nil {
		return nil, err
	}
	nodes := make([]node, n)
	child := func(v float64) int32 {
		switch {
		case v != math.Trunc(v) || math.Abs(v) > 1<<30:
			return -1
		case v >= 0:
			return int32(v)
		}
		return int32(n) + ^int32(v)
	}
	for i := range nodes {
		p := &nodes[i]
		at := s["decision_type"].at
		f, t, d := column["split_feature"][i], column["threshold"][i], column["decision_type"][i]
		p.left, p.right = child(column["left_child"][i]), child(column["right_child"][i])
		if f != math.Trunc(f) || f < 0 || f >= float64(l.m.Source.Features) {
			return nil, malformed(lightText, s["split_feature"].at, "node %d tests feature %g of %d", i, f, l.m.Source.Features)
		}
		if d != math.Trunc(d) || d < 0 || d > 15 {
			return nil, malformed(lightText, at, "decision type %g", d)
		}
		p.feature, p.threshold = int32(f), t
		if int(d)&lightCategory != 0 {
			if t != math.Trunc(t) || t < 0 || t >= float64(len(sets)) {
				return nil, malformed(lightText, s["threshold"].at, "set %g of %d", t, len(sets))
			}
			p.set = sets[int(t)]
			continue // a missing value is in no set
		}
		if math.IsNaN(t) {
			return nil, malformed(lightText, s["threshold"].at, "a threshold is NaN")
		}
		left := int(d)&lightDefaultLeft != 0
		switch int(d) & lightMissing >> 2 {
		case missingNone:
			p.missingLeft = 0 <= t // NaN counts as 0
		case missingNaN:
			p.missingLeft = left
		case missingZero:
			// Zero goes with NaN: that is a split of ours if it would anyway.
			if (t >= zeroBand) != left || t < zeroBand && t >= -zeroBand {
				return nil, unsupported(lightText, at, "tree %d: node %d sends zero to another side than its neighbours (zero_as_missing)", len(l.m.Source.Trees), i)
			}
			p.missingLeft = left
		default:
			return nil, malformed(lightText, at, "decision type %g", d)
		}
	}
	return nodes, nil
}

// sets reads the category sets of a tree: words of 32 bits, bounded by
// cat_boundaries. The categories in a set go left.
func (l *light) sets(s map[string]entry) ([][]uint64, error) {
	if s["num_cat"].text == "" || s["num_cat"].text == "0" {
		return nil, nil
	}
	n, err := whole(s, "num_cat", 0, len(s["cat_boundaries"].text))
	if err != nil {
		return nil, err
	}
	bounds, err := floats(s, "cat_boundaries", n+1)
	if err != nil {
		return nil, err
	}
	words, err := floats(s, "cat_threshold", len(strings.Fields(s["cat_threshold"].text)))
	if err != nil {
		return nil, err
	}
	var out [][]uint64
	for i := range n {
		lo, hi := bounds[i], bounds[i+1]
		if lo != math.Trunc(lo) || hi != math.Trunc(hi) || !(0 <= lo && lo <= hi && hi <= float64(len(words))) || hi-lo > tree.MaxCategories/32 {
			return nil, malformed(lightText, s["cat_boundaries"].at, "set %d has words %g to %g of %d", i, lo, hi, len(words))
		}
		set := []uint64{0}
		for j, w := range words[int(lo):int(hi)] {
			if w != math.Trunc(w) || w < 0 || w > math.MaxUint32 {
				return nil, malformed(lightText, s["cat_threshold"].at, "word %g", w)
			}
			if j/2 == len(set) {
				set = append(set, 0)
			}
			set[j/2] |= uint64(w) << (j % 2 * 32)
		}
		out = append(out, set)
	}
	return out, nil
}

// finish turns averages and steep sigmoids into sums of leaf values.
func (l *light) finish() (*Model, error) {
	src := &l.m.Source
	if src.Outputs == 0 || len(src.Trees) == 0 || len(src.Trees)%src.Outputs != 0 {
		return nil, malformed(lightText, 0, "%d trees of %d an iteration", len(src.Trees), src.Outputs)
	}
	divisor := 1.0
	if l.average {
		divisor = float64(len(src.Trees) / src.Outputs)
		l.m.Notes = append(l.m.Notes, "The library averages the trees: leaf values are divided by the number of iterations.")
	}
	if divisor != 1 || l.factor != 1 {
		for i := range src.Trees {
			for j, v := range src.Trees[i].Value {
				src.Trees[i].Value[j] = v * l.factor / divisor
			}
		}
	}
	if evenCovers(src.Trees) {
		l.m.Notes = append(l.m.Notes, "Some trees have no row counts in the file: their leaves count alike in explanations.")
	}
	return l.m, nil
}
