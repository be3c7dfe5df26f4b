package foreign

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"cloister/shared/model/tree"
)

// readXGBoost reads the model in the schema of XGBoost 2 and 3
// (doc/model.schema of its sources), from JSON or UBJSON.
func readXGBoost(format string, v *value) (*Model, error) {
	x := &xgboost{format: format, m: &Model{Format: format, Single: true, Covers: true}}
	learner := v.get("learner")
	x.m.Producer = "XGBoost"
	if version, ok := v.get("version").numbers(); ok && len(version) == 3 {
		x.m.Producer = fmt.Sprintf("XGBoost %g.%g.%g", version[0], version[1], version[2])
	}
	booster := learner.get("gradient_booster")
	switch name := booster.get("name"); {
	case name == nil || name.kind != isString:
		return nil, malformed(format, v.at, "no learner.gradient_booster.name")
	case name.str != "gbtree":
		return nil, unsupported(format, name.at, "booster %.64q, only gbtree is read", name.str)
	}
	if err := x.params(learner); err != nil {
		return nil, err
	}
	if err := x.trees(booster.get("model")); err != nil {
		return nil, err
	}
	if evenCovers(x.m.Source.Trees) {
		x.m.Notes = append(x.m.Notes, "Some trees have no training weight in the file: their leaves count alike in explanations.")
	}
	return x.m, nil
}

type xgboost struct {
	format string
	m      *Model
}

// params reads what stands beside the trees.
func (x *xgboost) params(learner *value) error {
	s := &x.m.Source
	s.Kind = tree.Boosting
	p := learner.get("learner_model_param")
	var ok bool
	if s.Features, ok = p.get("num_feature").whole(1, tree.MaxFeatures); !ok {
		return malformed(x.format, learner.at, "no learner_model_param.num_feature from 1 to %d", tree.MaxFeatures)
	}
	classes, ok := p.get("num_class").whole(0, tree.MaxOutputs)
	if !ok {
		return malformed(x.format, learner.at, "no learner_model_param.num_class up to %d", tree.MaxOutputs)
	}
	if targets, ok := p.get("num_target").whole(0, 1<<30); ok && targets > 1 {
		return unsupported(x.format, p.at, "%d targets", targets)
	}
	s.Outputs = max(classes, 1)
	name := learner.get("objective", "name")
	if name == nil || name.kind != isString {
		return malformed(x.format, learner.at, "no objective.name")
	}
	x.m.Objective = name.str
	margin := func(p float64) float64 { return p }
	switch o := name.str; {
	case o == "binary:logistic", o == "reg:logistic":
		s.Link = tree.Logistic
		margin = logit
	case o == "binary:logitraw":
		margin = logit
	case o == "multi:softprob", o == "multi:softmax":
		s.Link = tree.Softmax
		if s.Outputs < 2 {
			return malformed(x.format, name.at, "%s with %d classes", o, classes)
		}
	case o == "reg:squarederror", o == "reg:squaredlogerror", o == "reg:absoluteerror", o == "reg:pseudohubererror", strings.HasPrefix(o, "rank:"):
	default:
		return unsupported(x.format, name.at, "objective %.64q", o)
	}
	if s.Link == tree.Logistic && s.Outputs != 1 {
		return malformed(x.format, name.at, "%s with %d classes", name.str, classes)
	}
	base, err := x.base(p.get("base_score"))
	if err != nil {
		return err
	}
	for i := range s.Outputs {
		b := base[0]
		if len(base) > 1 {
			if len(base) != s.Outputs {
				return malformed(x.format, p.at, "%d base scores for %d outputs", len(base), s.Outputs)
			}
			b = base[i]
		}
		s.Base = append(s.Base, margin(b))
	}
	if names, ok := learner.get("feature_names").strings(); ok && len(names) > 0 {
		if len(names) != s.Features {
			return malformed(x.format, learner.at, "%d feature names for %d features", len(names), s.Features)
		}
		x.m.Features = names
	}
	return nil
}

// logit is the margin of a probability, in float32 as XGBoost has it.
func logit(p float64) float64 { return float64(float32(-math.Log(1/p - 1))) }

// base reads base_score: "5E-1", or since 3.1 "[5E-1,2E-1]".
func (x *xgboost) base(v *value) ([]float64, error) {
	if v == nil || v.kind != isString {
		return nil, malformed(x.format, 0, "no learner_model_param.base_score")
	}
	var out []float64
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(v.str, "["), "]"), ",") {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 32)
		if err != nil {
			return nil, malformed(x.format, v.at, "base score %.64q", v.str)
		}
		out = append(out, f)
	}
	return out, nil
}

// trees reads the trees and which output each adds to.
func (x *xgboost) trees(model *value) error {
	list := model.get("trees")
	if list == nil || list.kind != isList {
		return malformed(x.format, 0, "no trees")
	}
	info, ok := model.get("tree_info").numbers()
	if !ok || len(info) != len(list.list) {
		return malformed(x.format, list.at, "%d trees, tree_info for %d", len(list.list), len(info))
	}
	if enc := model.get("cats", "enc"); enc != nil && len(enc.list) > 0 {
		x.m.Notes = append(x.m.Notes, "The model was trained on named categories: a column holds their codes, in the order of the model file.")
	}
	for i := range list.list {
		group := info[i]
		if group != math.Trunc(group) || group < 0 || group >= float64(x.m.Source.Outputs) {
			return malformed(x.format, list.list[i].at, "tree %d is of class %g of %d", i, group, x.m.Source.Outputs)
		}
		nodes, err := x.tree(&list.list[i])
		if err != nil {
			return err
		}
		t, err := assemble(nodes, int(group), 0)
		if err != nil {
			return malformed(x.format, list.list[i].at, "tree %d: %v", i, err)
		}
		x.m.Source.Trees = append(x.m.Source.Trees, t)
	}
	return nil
}

// tree reads one tree. A value left of split_conditions, as float32, goes left;
// of a categorical split the categories listed go right.
func (x *xgboost) tree(v *value) ([]node, error) {
	if width, ok := v.get("tree_param", "size_leaf_vector").whole(0, 1<<30); ok && width > 1 {
		return nil, unsupported(x.format, v.at, "leaves of %d values", width)
	}
	column := map[string][]float64{}
	n := -1
	for _, name := range []string{"left_children", "right_children", "split_indices", "split_conditions", "default_left", "sum_hessian"} {
		c, ok := v.get(name).numbers()
		if !ok {
			return nil, malformed(x.format, v.at, "a tree without %s", name)
		}
		if n >= 0 && len(c) != n {
			return nil, malformed(x.format, v.at, "%d %s for %d nodes", len(c), name, n)
		}
		column[name], n = c, len(c)
	}
	kind, _ := v.get("split_type").numbers()
	if kind != nil && len(kind) != n {
		return nil, malformed(x.format, v.at, "%d split_type for %d nodes", len(kind), n)
	}
	sets, err := x.sets(v, n)
	if err != nil {
		return nil, err
	}
	nodes := make([]node, n)
	for i := range nodes {
		p := &nodes[i]
		index := func(name string) int32 {
			f := column[name][i]
			if f != math.Trunc(f) || math.Abs(f) > 1<<30 {
				return -2 // neither node nor feature
			}
			return int32(f)
		}
		p.left, p.right, p.feature = index("left_children"), index("right_children"), index("split_indices")
		p.cover = float64(float32(column["sum_hessian"][i]))
		condition := float32(column["split_conditions"][i])
		if p.left == -1 {
			p.feature, p.value = -1, float64(condition)
			continue
		}
		if p.feature < 0 || int(p.feature) >= x.m.Source.Features {
			return nil, malformed(x.format, v.at, "node %d tests feature %g of %d", i, column["split_indices"][i], x.m.Source.Features)
		}
		p.missingLeft = column["default_left"][i] != 0
		if kind != nil && kind[i] == 1 {
			p.set = sets[i]
			if p.set == nil {
				return nil, malformed(x.format, v.at, "node %d has no categories", i)
			}
			p.left, p.right, p.missingLeft = p.right, p.left, !p.missingLeft
			continue
		}
		if math.IsNaN(float64(condition)) || math.IsInf(float64(condition), 0) {
			return nil, malformed(x.format, v.at, "node %d: threshold %g", i, condition)
		}
		p.threshold = below(condition)
	}
	return nodes, nil
}

// sets reads the categories of categorical splits by node.
func (x *xgboost) sets(v *value, nodes int) (map[int][]uint64, error) {
	var columns [4][]float64
	for i, name := range []string{"categories", "categories_nodes", "categories_segments", "categories_sizes"} {
		columns[i], _ = v.get(name).numbers()
	}
	codes, at, start, size := columns[0], columns[1], columns[2], columns[3]
	if len(at) != len(start) || len(at) != len(size) {
		return nil, malformed(x.format, v.at, "%d categorical nodes with %d segments and %d sizes", len(at), len(start), len(size))
	}
	out := map[int][]uint64{}
	left := len(codes) // every code once, so that segments cannot overlap much
	for i := range at {
		lo, n := start[i], size[i]
		if !(at[i] >= 0 && at[i] < float64(nodes)) || !(lo >= 0) || !(n >= 0) || lo+n > float64(len(codes)) || int(n) > left {
			return nil, malformed(x.format, v.at, "categories %g to %g of %d", lo, lo+n, len(codes))
		}
		left -= int(n)
		set, err := setOf(x.format, v.at, codes[int(lo):int(lo)+int(n)])
		if err != nil {
			return nil, err
		}
		out[int(at[i])] = set
	}
	return out, nil
}
