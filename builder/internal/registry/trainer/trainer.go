// Package trainer trains what a job of the registry asks for. It hides that a
// job is a training run of the command line in other clothes.
//
//	err := registry.Work(ctx, trainer.Train)
package trainer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/publish"
	"cloister/builder/internal/registry"
	"cloister/builder/internal/train"
)

var _ registry.Train = Train

// Train implements [registry.Train]: it does what cloister train does with the
// same recipe, data, seed, split and version, and gives the same bytes. An
// empty split or version is the command's default, seed 0 is 1.
func Train(ctx context.Context, s registry.Spec, data []registry.Input, progress func(string, float64)) ([]byte, error) {
	recipe, ok := train.Recipes()[s.Recipe]
	if !ok {
		return nil, fmt.Errorf("recipe %.64q: there are %s", s.Recipe, strings.Join(slices.Sorted(maps.Keys(train.Recipes())), ", "))
	}
	o := train.Options{Seed: s.Seed, Progress: progress}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if s.Split != "" {
		var err error
		if o.Shares, err = prep.ParseShares(s.Split); err != nil {
			return nil, err
		}
	}
	var files []train.File
	for _, d := range data {
		files = append(files, train.File{Name: d.Name, ReaderAt: d.File, Size: d.Size})
	}
	table, err := train.Read(files, recipe)
	if err != nil {
		return nil, err
	}
	r, err := train.Fit(ctx, table, recipe, o)
	if err != nil {
		return nil, err
	}
	return publish.Bundle(r, publish.Options{Version: s.Version})
}
