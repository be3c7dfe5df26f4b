package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"cloister/shared/bundle"
	"cloister/shared/sign"
)

type verifyCommand struct {
	Bundle string   `arg:"" type:"existingfile" help:"Bundle to verify."`
	Key    []string `type:"existingfile" help:"Public keys to trust besides those that come with the program, PEM; may be repeated."`
}

// Help returns the example for --help.
func (verifyCommand) Help() string {
	return "Exit status 0 means: a trusted key signed exactly this content, and the bundle is sound.\n\n" +
		"Example:\n\n  cloister verify models/flows/1.bundle --key publisher.pem.pub"
}

// Run says who signed a bundle.
func (c *verifyCommand) Run(s streams) error {
	keys, err := trustedKeys(c.Key)
	if err != nil {
		return err
	}
	file, err := readBundle(c.Bundle)
	if err != nil {
		return err
	}
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	trust, err := sign.Check(a, keys)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	if _, err := a.Decode(); err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	p := &printer{w: s.out}
	p.line("%s  %s", trust.State, c.Bundle)
	p.line("  sha256  %x", a.SHA256())
	if trust.Fingerprint != "" {
		p.line("  key     %s", trust.Fingerprint)
	}
	if trust.Name != "" {
		p.line("  name    %s", trust.Name)
	}
	if p.err != nil {
		return p.err
	}
	switch trust.State {
	case sign.Unsigned:
		return errors.New("nobody signed the bundle")
	case sign.UnknownKey:
		return errors.New("the bundle carries a signature by a key that is not trusted here, so it was not checked: get the key from its owner, compare the fingerprint, give it with --key")
	}
	return nil
}

// trustedKeys returns the pinned keys and those of the named files. A key
// without a name is called by its file.
func trustedKeys(files []string) ([]sign.Key, error) {
	keys := sign.Pinned()
	for _, path := range files {
		text, err := readSmall(path)
		if err != nil {
			return nil, err
		}
		more, err := sign.ParseKeys(text)
		if err == nil && len(more) == 0 {
			err = errors.New("it holds no public key")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, k := range more {
			if k.Name == "" {
				k.Name = filepath.Base(path)
			}
			keys = append(keys, k)
		}
	}
	return keys, nil
}
