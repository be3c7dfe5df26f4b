package main

import (
	"context"
	"errors"
	"fmt"

	"cloister/builder/internal/publish"
)

type lintCommand struct {
	Bundle string `arg:"" type:"existingfile" help:"Bundle to check."`
	JSON   bool   `name:"json" help:"Print the findings as JSON."`
	lintFlags
}

// lintFlags say what a bundle is held to; publish has them too.
type lintFlags struct {
	Key      []string `type:"existingfile" help:"Public keys to trust besides those that come with the program, PEM; may be repeated."`
	Unsigned bool     `help:"Let a bundle pass that nobody known signed."`
	Gate     string   `default:"build/gate" help:"Folder of the gate in WebAssembly, which make build writes."`
	NoWasm   bool     `name:"no-wasm" help:"Replay the test vectors natively only."`
}

// Help returns the example for --help.
func (lintCommand) Help() string {
	return "Lists everything that is missing: card, list of parts, provenance, licence, figures, limits, signature; " +
		"then replays the test vectors natively and, under Node, in WebAssembly. Exit status 0 means that nothing is.\n\n" +
		"Example:\n\n  cloister lint build/flows.bundle --key publisher.pem.pub"
}

// Run checks a bundle.
func (c *lintCommand) Run(ctx context.Context, s streams) error {
	file, err := readBundle(c.Bundle)
	if err != nil {
		return err
	}
	report, err := c.check(ctx, file)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	if c.JSON {
		if err := writeJSON(s, report); err != nil {
			return err
		}
	} else {
		p := &printer{w: s.out}
		for _, f := range report.Findings {
			p.line("%s", f)
		}
		if len(report.Findings) == 0 {
			p.line("fit to publish: %d test vectors pass %s", report.Vectors, report.where())
		}
		if p.err != nil {
			return p.err
		}
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("%s: not fit to publish, %d findings", c.Bundle, n)
	}
	return nil
}

// lintReport is what a check found out.
type lintReport struct {
	Findings []publish.Finding `json:"findings"`
	Vectors  int               `json:"vectors"` // replayed
	Wasm     bool              `json:"wasm"`    // in WebAssembly too
}

func (r *lintReport) where() string {
	if r.Wasm {
		return "natively and in WebAssembly"
	}
	return "natively; WebAssembly was not tried"
}

// check runs both halves. That the second cannot run is an error, not a
// finding: it says nothing about the bundle.
func (f *lintFlags) check(ctx context.Context, file []byte) (*lintReport, error) {
	keys, err := trustedKeys(f.Key)
	if err != nil {
		return nil, err
	}
	r := &lintReport{Findings: []publish.Finding{}}
	found, err := publish.Lint(file, publish.LintOptions{Keys: keys, Unsigned: f.Unsigned})
	if err != nil {
		return nil, err
	}
	r.Findings = append(r.Findings, found...)
	for _, x := range found {
		if x.Part == "vectors" {
			return r, nil // they fail natively already
		}
	}
	b, err := decode(file)
	if err != nil {
		return nil, err
	}
	r.Vectors = int(b.Manifest().Vectors.N)
	if f.NoWasm {
		return r, nil
	}
	_, err = publish.Replay(ctx, f.Gate, file)
	switch {
	case errors.Is(err, publish.ErrNoGate):
		return nil, fmt.Errorf("%w; --no-wasm leaves it out", err)
	case err != nil:
		r.Findings = append(r.Findings, publish.Finding{Part: "vectors", What: err.Error()})
	}
	r.Wasm = true
	return r, nil
}
