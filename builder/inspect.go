package main

import (
	"fmt"
	"io"
	"strings"

	"cloister/shared/bundle"
	"cloister/shared/sign"
)

type inspectCommand struct {
	Bundle string   `arg:"" type:"existingfile" help:"Bundle file."`
	JSON   bool     `name:"json" help:"Print the manifest as JSON."`
	Key    []string `type:"existingfile" help:"Public keys to trust besides those that come with the program, PEM; may be repeated."`
	Card   bool     `help:"Print the model card."`
	Part   string   `help:"Print one entry: card.json, sbom.cdx.json, provenance.intoto.json, LICENSE, NOTICE, ..."`
}

// Help returns the example for --help.
func (inspectCommand) Help() string {
	return "Example:\n\n  cloister inspect models/flows/1.bundle --card"
}

// Run prints a bundle.
func (c *inspectCommand) Run(s streams) error {
	file, err := readBundle(c.Bundle)
	if err != nil {
		return err
	}
	keys, err := trustedKeys(c.Key)
	if err != nil {
		return err
	}
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		return err
	}
	trust, err := sign.Check(a, keys)
	if err != nil {
		return err // what was changed after signing is not shown
	}
	b, err := a.Decode()
	if err != nil {
		return err
	}
	if c.Card {
		c.Part = bundle.CardTextName
	}
	if c.Part != "" {
		text, ok := b.File(c.Part)
		if !ok {
			return fmt.Errorf("%s: the bundle has no %.64q; it has %s", c.Bundle, c.Part, strings.Join(b.Names(), ", "))
		}
		_, err := s.out.Write(text)
		return err
	}
	if err := printBundle(s.out, b, c.JSON); err != nil || c.JSON {
		return err
	}
	by := ""
	if trust.Fingerprint != "" {
		by = ", " + strings.TrimSpace(trust.Name+" "+trust.Fingerprint)
	}
	_, err = fmt.Fprintf(s.out, "  signature  %s%s\n", trust.State, by)
	return err
}

// printBundle prints what a bundle is: its manifest, or a summary for people.
func printBundle(w io.Writer, b *bundle.Bundle, asJSON bool) error {
	if asJSON {
		text, _ := b.File(bundle.ManifestName) // every bundle has one
		_, err := w.Write(text)
		return err
	}
	m := b.Manifest()
	p := &printer{w: w}
	p.line("%s %s: %s", m.Name, m.Version, m.Title)
	p.line("  sha256     %x", b.SHA256())
	p.line("  size       %d bytes, %d files", b.Size(), len(b.Names()))
	p.line("  rows       %d training, %d validation, %d hold-out, seed %d", m.Lineage.Split.Train, m.Lineage.Split.Validation, m.Lineage.Split.Holdout, m.Lineage.SplitSeed)
	p.line("  classes    %d, features %d, ATT&CK %s", len(m.Labels), len(m.Schema.Features), m.AttackVersion)
	p.line("  made by    %s", m.Lineage.Command)
	for _, x := range m.Metrics {
		if x.Split != "holdout" || x.Value == nil {
			continue
		}
		interval := ""
		if x.Low != nil && x.High != nil {
			interval = fmt.Sprintf(" (95 %%: %.3f to %.3f)", *x.Low, *x.High)
		}
		p.line("  %-52s %.3f%s", x.Name, *x.Value, interval)
	}
	return p.err
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
