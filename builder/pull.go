package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloister/shared/bundle"
	"cloister/shared/channel"
	"cloister/shared/sign"
)

type pullCommand struct {
	Bundle   string   `arg:"" help:"NAME for what the channel hands out, or NAME@VERSION."`
	Channel  string   `default:"stable" help:"Channel to ask."`
	Out      string   `help:"File to write; default NAME.bundle."`
	Key      []string `type:"existingfile" help:"Public keys to trust besides those that come with the program, PEM; may be repeated."`
	State    string   `help:"File that remembers the versions of channels seen, against old ones served again. Default .cloister-channels.json beside the bundle."`
	Unsigned bool     `help:"With NAME@VERSION: take a bundle that nobody known signed."`
	Yanked   bool     `help:"With NAME@VERSION: take a bundle that was yanked."`
	remoteFlags
}

// Help returns the example for --help.
func (pullCommand) Help() string {
	return "The channel must be signed by a trusted key, not have expired and not be older than the last one seen; " +
		"the bundle must have the digest that the channel says and be signed by a trusted key. Else nothing is written.\n\n" +
		"Example:\n\n  cloister pull flows --channel stable --key publisher.pem.pub --registry https://registry.example --out flows.bundle"
}

// Run fetches a bundle.
func (c *pullCommand) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	keys, err := trustedKeys(c.Key)
	if err != nil {
		return err
	}
	name, version, exact := strings.Cut(c.Bundle, "@")
	if name == "" || exact && version == "" {
		return &usageError{fmt.Sprintf("%.64q: want NAME or NAME@VERSION", c.Bundle)}
	}
	if c.Out == "" {
		c.Out = name + ".bundle"
	}
	if c.State == "" {
		c.State = filepath.Join(filepath.Dir(c.Out), ".cloister-channels.json")
	}
	seen := map[string]int64{}
	var path string
	var size int64
	if exact {
		b, err := remote.Bundle(ctx, name, version)
		if err != nil {
			return err
		}
		if b.YankedAt != "" && !c.Yanked {
			return fmt.Errorf("%s was yanked: %s; --yanked takes it nevertheless", c.Bundle, b.YankReason)
		}
		path, size = b.Path, b.Size
	} else {
		if seen, err = readSeen(c.State); err != nil {
			return err
		}
		document, err := remote.Channel(ctx, c.Channel)
		if err != nil {
			return err
		}
		key := c.Registry + " " + c.Channel
		ch, err := channel.Open(document, keys, time.Now(), seen[key])
		if err != nil {
			return fmt.Errorf("channel %s: %w", c.Channel, err)
		}
		if ch.Name != c.Channel {
			return fmt.Errorf("the registry answered with channel %q for %q", ch.Name, c.Channel)
		}
		for _, p := range ch.Paths() {
			if strings.HasPrefix(p, name+"/") {
				t, _ := ch.Target(p)
				path, size = p, t.Length
				if want := fmt.Sprintf("/%x.bundle", t.SHA256); !strings.HasSuffix(p, want) {
					return fmt.Errorf("channel %s: %s is not the address of %s", c.Channel, p, want)
				}
			}
		}
		if path == "" {
			return fmt.Errorf("channel %s hands out no bundle %q", c.Channel, name)
		}
		seen[key] = ch.Version
	}
	file, err := remote.Download(ctx, path)
	if err != nil {
		return err
	}
	if int64(len(file)) != size {
		return fmt.Errorf("%s: %d bytes, want %d", path, len(file), size)
	}
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		return err
	}
	trust, err := sign.Check(a, keys)
	if err != nil {
		return err
	}
	if trust.State != sign.Verified && !(exact && c.Unsigned) {
		return fmt.Errorf("%s: %s: no trusted key signed it", path, trust.State)
	}
	b, err := a.Decode()
	if err != nil {
		return err
	}
	m := b.Manifest()
	if m.Name != name || !strings.HasPrefix(path, m.Name+"/"+m.Version+"/") {
		return fmt.Errorf("%s holds %s %s", path, m.Name, m.Version)
	}
	if err := writeFile(c.Out, file); err != nil {
		return err
	}
	if !exact { // what was accepted counts as seen
		text, err := json.MarshalIndent(seen, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(c.State, append(text, '\n')); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(s.out, "%s  %s %s\n  sha256  %x\n  file    %s\n", trust.State, m.Name, m.Version, b.SHA256(), c.Out)
	return err
}

// readSeen returns the versions of channels seen; no file means none.
func readSeen(path string) (map[string]int64, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]int64{}, nil
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]int64{}
	if err := json.Unmarshal(text, &seen); err != nil {
		return nil, fmt.Errorf("%s: it does not read: %w", path, err)
	}
	return seen, nil
}
