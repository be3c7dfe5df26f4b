package main

import (
	"fmt"

	"cloister/builder/internal/foreign"
	"cloister/shared/bundle"
	"cloister/shared/model/tree"
	"cloister/shared/score"
)

type exportCommand struct {
	Bundle string `arg:"" type:"existingfile" help:"Bundle whose classifier to write."`
	Format string `required:"" enum:"onnx,xgboost" help:"onnx or xgboost (JSON)."`
	Out    string `required:"" type:"path" help:"File to write."`
}

// Help returns the example for --help.
func (exportCommand) Help() string {
	return "Writes the classifier without what makes features of files, calibration and thresholds: its input are the features of cloister features.\n\nExample:\n\n  cloister export models/flows/1.bundle --format onnx --out flows.onnx"
}

// Run writes the classifier of a bundle for another library.
func (c *exportCommand) Run(s streams) error {
	file, err := readBundle(c.Bundle)
	if err != nil {
		return err
	}
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	m := b.Manifest()
	meta := foreign.Meta{}
	for _, f := range m.Schema.Features {
		if f.Dtype != "float64" {
			return fmt.Errorf("%s: feature %.64q is %s: only models of numbers can be written", c.Bundle, f.Name, f.Dtype)
		}
		meta.Features = append(meta.Features, f.Name)
	}
	for _, l := range m.Labels {
		meta.Labels = append(meta.Labels, l.Name)
	}
	var e *tree.Ensemble
	for _, name := range []string{score.ForestName, score.BoostingName, score.ObliviousName} {
		if data, ok := b.File(name); ok {
			if e, err = tree.Decode(data); err != nil {
				return fmt.Errorf("%s: %s: %w", c.Bundle, name, err)
			}
		}
	}
	if e == nil {
		return fmt.Errorf("%s: it has no trees", c.Bundle)
	}
	write := foreign.AppendONNX
	if c.Format == "xgboost" {
		write = foreign.AppendXGBoost
	}
	out, err := write(nil, e, meta)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	if err := writeFile(c.Out, out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%v as %s, %d bytes\n", e, c.Format, len(out))
	return err
}
