package main

import (
	"encoding/json"
	"fmt"

	"cloister/builder/internal/publish"
	"cloister/shared/bundle"
)

type diffCommand struct {
	From string `arg:"" type:"existingfile" help:"Bundle to compare with."`
	To   string `arg:"" type:"existingfile" help:"Bundle to compare."`
	JSON bool   `name:"json" help:"Print the differences as JSON."`
}

// Help returns the example for --help.
func (diffCommand) Help() string {
	return "Lists what differs: identity and size, features, labels, thresholds, metrics, explanation, data, entries.\n\n" +
		"Example:\n\n  cloister diff models/flows/1.bundle build/flows.bundle"
}

// Run compares two bundles.
func (c *diffCommand) Run(s streams) error {
	from, err := decodeBundle(c.From)
	if err != nil {
		return err
	}
	to, err := decodeBundle(c.To)
	if err != nil {
		return err
	}
	d := publish.Diff(from, to)
	if c.JSON {
		return writeJSON(s, d)
	}
	return d.Text(s.out)
}

// decodeBundle reads and decodes the bundle in a file.
func decodeBundle(path string) (*bundle.Bundle, error) {
	file, err := readBundle(path)
	if err != nil {
		return nil, err
	}
	b, err := decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// decode decodes a bundle under the default limits.
func decode(file []byte) (*bundle.Bundle, error) { return bundle.Decode(file, bundle.Limits{}) }

// writeJSON prints v for machines.
func writeJSON(s streams, v any) error {
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
