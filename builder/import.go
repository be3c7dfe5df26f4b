package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cloister/builder/internal/foreign"
	"cloister/builder/internal/foreign/carry"
	"cloister/builder/internal/train"
)

type importCommand struct {
	Model    string   `arg:"" type:"existingfile" help:"Model file: XGBoost JSON or UBJSON, LightGBM text, ONNX, JSON dump or checkpoint of treelite."`
	Out      string   `required:"" type:"path" help:"Bundle file to write."`
	Labels   []string `help:"Classes in the order of the model's outputs, with commas; default those of the file."`
	Map      string   `type:"existingfile" help:"JSON object from the model's columns (f0, f1, ... if they have no names) to features of the recipe flows or fields of a flow."`
	Benign   string   `default:"Benign" help:"Label that is no attack."`
	Evaluate []string `type:"existingfile" help:"Labelled files to measure the model on; without them the card has no figures."`
	Anomaly  string   `type:"existingfile" help:"Isolation forest on the same columns, for the anomaly percentile; needs --evaluate with benign rows."`
	Name     string   `help:"Name of the bundle, default that of the model file."`
	Version  string   `default:"1.0.0" help:"Semantic version of the bundle."`
	Created  string   `default:"2026-11-22T00:00:00Z" help:"Date of creation for the manifest, RFC 3339."`
	Author   []string `help:"Who made the model."`
	License  string   `help:"SPDX expression of the model's licence, default LicenseRef-not-stated."`
	JSON     bool     `name:"json" help:"Print the figures as JSON."`
}

// Help returns the example for --help.
func (importCommand) Help() string {
	return "Example:\n\n  cloister import model.ubj --labels Benign,DoS --map columns.json --out model.bundle"
}

// Run reads a model and writes its bundle.
func (c *importCommand) Run(s streams) error {
	data, err := readModel(c.Model)
	if err != nil {
		return err
	}
	m, err := foreign.Read(data)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	base := filepath.Base(c.Model)
	o := carry.Options{
		Name: c.Name, Version: c.Version, CreatedAt: c.Created, License: c.License, Authors: c.Author, File: base,
		SHA256: sha256.Sum256(data), Labels: c.Labels, Benign: c.Benign, Command: c.command(base),
	}
	if o.Name == "" {
		o.Name = slug(strings.TrimSuffix(base, filepath.Ext(base)))
	}
	if c.Map != "" {
		text, err := readModel(c.Map)
		if err == nil {
			err = json.Unmarshal(text, &o.Map)
		}
		if err != nil {
			return &usageError{fmt.Sprintf("map %s: want a JSON object of texts: %v", c.Map, err)}
		}
	}
	if len(c.Evaluate) > 0 {
		recipe, err := carry.Recipe(m, o)
		if err != nil {
			return err
		}
		if o.Table, err = c.table(recipe, s); err != nil {
			return err
		}
	}
	if c.Anomaly != "" {
		text, err := readModel(c.Anomaly)
		if err == nil {
			o.Anomaly, err = foreign.Read(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Anomaly, err)
		}
	}
	file, err := carry.Bundle(m, o)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	return writeBundle(s, c.Out, file, c.JSON)
}

func (c *importCommand) table(recipe train.Recipe, s streams) (*train.Table, error) {
	return readTable(c.Evaluate, recipe, s.in)
}

// command returns the command line without folders.
func (c *importCommand) command(base string) string {
	out := "cloister import " + base
	for _, f := range []struct {
		flag   string
		values []string
	}{{"labels", c.Labels}, {"map", []string{c.Map}}, {"evaluate", c.Evaluate}, {"anomaly", []string{c.Anomaly}}} {
		var names []string
		for _, v := range f.values {
			if v != "" {
				names = append(names, filepath.Base(v))
			}
		}
		if names != nil {
			out += " --" + f.flag + " " + strings.Join(names, ",")
		}
	}
	return out + " --out " + filepath.Base(c.Out)
}

// slug makes a bundle name of a file name.
func slug(s string) string {
	out := []byte{}
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			out = append(out, byte(r))
		} else if len(out) > 0 && out[len(out)-1] != '-' {
			out = append(out, '-')
		}
	}
	out = out[:min(len(out), 64)]
	if len(out) == 0 {
		return "imported"
	}
	return string(out)
}

// readModel returns the bytes of a model file.
func readModel(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, foreign.MaxFile+1))
	if err == nil && len(b) > foreign.MaxFile {
		err = fmt.Errorf("%s: more than %d bytes", path, foreign.MaxFile)
	}
	return b, err
}
