package grow

import (
	"context"
	"math"

	"cloister/shared/model/tree"
)

// Mixed is [Forest] for classes, but the share deep of the trees, in [0,1] and
// rounded to whole trees, grows without class weights to leaves of one row,
// whatever o says of both. Weighted trees with larger leaves hear the rare
// classes, deep ones are right more often; where rows are few and columns
// many, their votes together beat either kind alone.
//
// Where the leaves of the others count rows by class weights, see
// [tree.Source.ClassWeights], those of the deep trees are told in the same: a
// leaf with n_c rows of class c has the cover sum n_c·ClassWeights[c] and these
// terms as shares. So base values and attributions are over the same rows in
// all trees, and the encoding stays as small as that of a forest.
//
// Errors are those of Forest, and [*OptionError] for row weights or Balanced
// together with deep trees.
func Mixed(ctx context.Context, data Data, deep float64, o ForestOptions) (tree.Source, error) {
	all := orDefault(o.Trees, 100)
	n := int(math.Round(deep * float64(all)))
	switch {
	case !(deep >= 0 && deep <= 1):
		return tree.Source{}, &OptionError{"deep", deep, "want a share in [0, 1]"}
	case n > 0 && (data.Weights != nil || o.Balanced):
		return tree.Source{}, &OptionError{"deep", deep, "deep trees take no row weights and no Balanced"}
	}
	var out tree.Source
	grown := 0
	for i, trees := range []int{all - n, n} {
		if trees == 0 {
			continue
		}
		part := o
		part.Trees = trees
		if i == 1 {
			part.Seed, part.MinSamplesLeaf, part.ClassWeights = o.Seed^deepStream, 1, nil
		}
		if o.Progress != nil {
			before := grown
			part.Progress = func(p Progress) {
				o.Progress(Progress{Done: before + p.Done, Total: all, Metric: math.NaN()})
			}
		}
		src, _, err := Forest(ctx, data, part)
		if err != nil {
			return tree.Source{}, err
		}
		if out.ClassWeights != nil {
			for t := range src.Trees {
				weigh(&src.Trees[t], out.ClassWeights)
			}
		}
		if grown == 0 {
			out = src
		} else {
			out.Trees = append(out.Trees, src.Trees...)
		}
		grown += trees
	}
	return out, nil
}

// deepStream keeps the deep trees from drawing what the others draw.
const deepStream = 0x9e3779b97f4a7c15

// weigh tells the leaves of a tree that counts rows alike in class weights.
func weigh(t *tree.SourceTree, weights []float64) {
	k := len(weights)
	for v, cover := range t.Cover {
		if t.Feature[v] >= 0 {
			continue
		}
		value, sum := t.Value[v*k:(v+1)*k], 0.0
		for c := range value {
			value[c] = float64(math.Round(value[c]*cover) * weights[c])
			sum += value[c]
		}
		for c := range value {
			value[c] /= sum
		}
		t.Cover[v] = sum
	}
}
