package foreign

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"cloister/shared/model/tree"
)

const xgboostFormat = "XGBoost JSON"

// AppendXGBoost appends a boosting ensemble as a model of XGBoost: in the schema
// of 2.1, which 3.x reads, too, or, with several bases, that of 3.1. XGBoost
// works in float32: rows of float32 values take the same branches; leaf values
// are rounded to the nearest, so that margins are ours to 2^-23 of the sum of
// absolute leaf values and, if all leaf values are float32, as after [Read], what
// Read makes of it has the same bits. Forests, isolation forests and several
// logistic outputs are a [*NoFormError].
func AppendXGBoost(dst []byte, e *tree.Ensemble, meta Meta) ([]byte, error) {
	d, k := e.Shape()
	if e.Kind() != tree.Boosting && e.Kind() != tree.Oblivious {
		return nil, &NoFormError{xgboostFormat, "a " + e.Kind().String() + ", whose scores are no sums of margins"}
	}
	x := &xgboostFile{k: k, objective: "reg:squarederror"}
	switch {
	case e.Link() == tree.Logistic && k > 1:
		return nil, &NoFormError{xgboostFormat, "several logistic outputs"}
	case e.Link() == tree.Logistic:
		x.objective = "binary:logistic"
	case e.Link() == tree.Softmax:
		x.objective = "multi:softprob"
	case k > 1:
		return nil, &NoFormError{xgboostFormat, "several outputs that are no classes"}
	}
	trees, err := walk(e)
	if err != nil {
		return nil, err
	}
	x.categorical = make([]bool, d)
	for _, t := range trees {
		if err := x.add(t); err != nil {
			return nil, err
		}
	}
	x.base(e)
	f := x.file(d, meta)
	b, err := json.Marshal(f)
	if err != nil {
		return nil, err // unreachable: all numbers are finite
	}
	return append(dst, b...), nil
}

// number is a float32 in the fewest digits.
type number float32

// MarshalJSON writes the digits with an exponent: XGBoost refuses whole numbers
// where it wants others.
func (n number) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(n), 'E', -1, 32), nil
}

// xgboostTree is a tree in the schema of XGBoost.
type xgboostTree struct {
	BaseWeights []number          `json:"base_weights"`
	Categories  []int             `json:"categories"`
	CatNodes    []int             `json:"categories_nodes"`
	CatSegments []int             `json:"categories_segments"`
	CatSizes    []int             `json:"categories_sizes"`
	DefaultLeft []int             `json:"default_left"`
	ID          int               `json:"id"`
	Left        []int32           `json:"left_children"`
	LossChanges []number          `json:"loss_changes"`
	Parents     []int32           `json:"parents"`
	Right       []int32           `json:"right_children"`
	Conditions  []number          `json:"split_conditions"`
	Indices     []int32           `json:"split_indices"`
	SplitType   []int             `json:"split_type"`
	SumHessian  []number          `json:"sum_hessian"`
	TreeParam   map[string]string `json:"tree_param"`
}

type xgboostFile struct {
	k           int
	objective   string
	categorical []bool
	trees       []xgboostTree
	info        []int
	score       string // base_score
	several     bool   // bases
}

// add writes a tree, or one for each output of vector leaves.
func (x *xgboostFile) add(t written) error {
	if t.output >= 0 {
		return x.scalar(t, t.output, 0)
	}
	for o := range x.k {
		if err := x.scalar(t, o, o); err != nil {
			return err
		}
	}
	return nil
}

// noParent is what XGBoost writes for the parent of a root.
const noParent = math.MaxInt32

func (x *xgboostFile) scalar(t written, output, value int) error {
	n := len(t.nodes)
	out := xgboostTree{
		ID: len(x.trees), Categories: []int{}, CatNodes: []int{}, CatSegments: []int{}, CatSizes: []int{},
		LossChanges: make([]number, n), Parents: make([]int32, n),
		TreeParam: map[string]string{"num_deleted": "0", "num_feature": strconv.Itoa(len(x.categorical)), "num_nodes": strconv.Itoa(n), "size_leaf_vector": "1"},
	}
	out.Parents[0] = noParent
	cover := make([]float64, n) // what the sums of the rounded leaves are when read again
	for i := n - 1; i >= 0; i-- {
		v := &t.nodes[i]
		if cover[i] = float64(float32(min(v.cover, math.MaxFloat32))); v.feature >= 0 {
			cover[i] = cover[v.left] + cover[v.right]
		}
	}
	for i, v := range t.nodes {
		kind, missing, condition, weight := 0, 0, number(0), number(0)
		left, right := v.left, v.right
		switch {
		case v.feature < 0:
			condition = number(v.vector[value])
			weight, v.feature = condition, 0
			if math.IsInf(float64(condition), 0) {
				return &NoFormError{xgboostFormat, "a leaf value beyond float32"}
			}
		case v.set != nil: // XGBoost sends the categories listed to the right
			kind = 1
			left, right = right, left
			v.missingLeft = !v.missingLeft
			x.categorical[v.feature] = true
			out.CatNodes, out.CatSegments = append(out.CatNodes, i), append(out.CatSegments, len(out.Categories))
			size := len(out.Categories)
			for c := range 64 * len(v.set) {
				if v.set[c/64]>>(c%64)&1 != 0 {
					out.Categories = append(out.Categories, c)
				}
			}
			out.CatSizes = append(out.CatSizes, len(out.Categories)-size)
		default:
			if condition = number(math.Nextafter32(single(v.threshold), float32(math.Inf(1)))); math.IsInf(float64(condition), 0) || math.IsNaN(float64(condition)) {
				return &NoFormError{xgboostFormat, "a threshold beyond float32"}
			}
		}
		if left >= 0 {
			out.Parents[left], out.Parents[right] = int32(i), int32(i)
			if v.missingLeft {
				missing = 1
			}
		}
		out.BaseWeights, out.Conditions = append(out.BaseWeights, weight), append(out.Conditions, condition)
		out.Left, out.Right, out.Indices = append(out.Left, left), append(out.Right, right), append(out.Indices, v.feature)
		out.DefaultLeft, out.SplitType = append(out.DefaultLeft, missing), append(out.SplitType, kind)
		out.SumHessian = append(out.SumHessian, number(min(cover[i], math.MaxFloat32)))
	}
	x.trees, x.info = append(x.trees, out), append(x.info, output)
	return nil
}

// base writes what is added to margins: as base_score where that says it
// exactly, otherwise as trees of one leaf at the end, where our sums add it.
func (x *xgboostFile) base(e *tree.Ensemble) {
	base := make([]float64, x.k)
	same := true
	for o := range base {
		base[o] = float64(float32(e.Base(o)))
		same = same && base[o] == base[0]
	}
	text := func(v float64) string { return strconv.FormatFloat(v, 'E', -1, 32) }
	switch {
	case x.objective == "binary:logistic":
		p := float32(1 / (1 + math.Exp(-base[0])))
		for range 4 {
			p = math.Nextafter32(p, 0)
		}
		for range 9 {
			if logit(float64(p)) == base[0] {
				x.score = text(float64(p))
				return
			}
			p = math.Nextafter32(p, 1)
		}
		x.score = text(0.5)
		_ = x.scalar(written{nodes: []node{{feature: -1, left: -1, right: -1, cover: 1, vector: base}}}, 0, 0) // a finite leaf
	case same:
		x.score = text(base[0])
	default:
		x.several = true
		var parts []string
		for _, b := range base {
			parts = append(parts, text(b))
		}
		x.score = "[" + strings.Join(parts, ",") + "]"
	}
}

// file returns the whole model.
func (x *xgboostFile) file(d int, meta Meta) any {
	type object = map[string]any // encoding/json sorts the keys
	version := []int{2, 1, 0}
	classes, objective := "0", object{"name": x.objective, "reg_loss_param": object{"scale_pos_weight": "1"}}
	if x.k > 1 {
		classes = strconv.Itoa(x.k)
		objective = object{"name": x.objective, "softmax_multiclass_param": object{"num_class": classes}}
	}
	if x.several {
		version = []int{3, 1, 0}
	}
	names, types := []string{}, []string{}
	for j := range d {
		kind := "float"
		if x.categorical[j] {
			kind = "c"
		}
		types = append(types, kind)
		if len(meta.Features) == d {
			names = append(names, strings.NewReplacer("[", "(", "]", ")", "<", "_").Replace(meta.Features[j])) // XGBoost refuses them
		}
	}
	rounds := []int{0}
	for i := range x.trees {
		if i+1 == len(x.trees) || x.info[i+1] <= x.info[i] {
			rounds = append(rounds, i+1)
		}
	}
	return object{
		"version": version,
		"learner": object{
			"attributes": object{}, "feature_names": names, "feature_types": types, "objective": objective,
			"gradient_booster": object{
				"name": "gbtree",
				"model": object{
					"gbtree_model_param": object{"num_parallel_tree": "1", "num_trees": strconv.Itoa(len(x.trees))},
					"iteration_indptr":   rounds, "tree_info": x.info, "trees": x.trees,
				},
			},
			"learner_model_param": object{
				"base_score": x.score, "boost_from_average": "1", "num_class": classes,
				"num_feature": strconv.Itoa(d), "num_target": "1",
			},
		},
	}
}
