package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/registry"
	"cloister/shared/channel"
	"cloister/shared/sign"
)

type publishCommand struct {
	Bundle string `arg:"" type:"existingfile" help:"Bundle to publish."`
	DryRun bool   `name:"dry-run" help:"Check it here and there, and publish nothing."`
	JSON   bool   `name:"json" help:"Print what was published as JSON."`
	remoteFlags
	lintFlags
}

// Help returns the example for --help.
func (publishCommand) Help() string {
	return "Checks the bundle as cloister lint does, uploads it and has the registry check it again. " +
		"A version never changes: the same bundle may be published twice, another one under its version may not.\n\n" +
		"Example:\n\n  cloister publish build/flows.bundle --key publisher.pem.pub --registry https://registry.example"
}

// Run publishes a bundle.
func (c *publishCommand) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	file, err := readBundle(c.Bundle)
	if err != nil {
		return err
	}
	report, err := c.check(ctx, file)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	if len(report.Findings) > 0 {
		return fmt.Errorf("%s: %w", c.Bundle, &publish.LintError{Findings: report.Findings})
	}
	b, err := remote.Publish(ctx, file, c.DryRun)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(s, b)
	}
	what := "published"
	if c.DryRun {
		what = "would be published"
	}
	_, err = fmt.Fprintf(s.out, "%s  %s %s\n  sha256  %s\n  vectors %d pass %s\n", what, b.Name, b.Version, b.SHA256, report.Vectors, report.where())
	return err
}

type promoteCommand struct {
	Channel string   `arg:"" help:"Channel to change: stable, candidate, ..."`
	Bundles []string `arg:"" optional:"" help:"NAME@VERSION that the channel hands out from now on; others that it has stay. None: only the expiry is renewed."`
	SignKey string   `required:"" type:"existingfile" help:"Private key to sign the channel with, PEM. It stays here."`
	Days    int      `default:"30" help:"Days until the channel expires, at most 400."`
	Remove  []string `help:"Names of bundles that the channel hands out no more."`
	New     bool     `help:"Make the channel; without it a channel that does not exist is an error."`
	Key     []string `type:"existingfile" help:"Public keys that the current state may be signed with, besides the one that signs now; may be repeated."`
	JSON    bool     `name:"json" help:"Print the new state as JSON."`
	remoteFlags
}

// Help returns the example for --help.
func (promoteCommand) Help() string {
	return "Fetches the current state of the channel, checks its signature, signs the next one here and uploads it. " +
		"If somebody else promoted meanwhile, nothing is changed.\n\n" +
		"Example:\n\n  cloister promote stable flows@1.2.0 --sign-key publisher.pem --registry https://registry.example"
}

// Run promotes bundles.
func (c *promoteCommand) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	if c.Days < 1 || c.Days > 400 {
		return &usageError{fmt.Sprintf("days: want 1 to 400, got %d", c.Days)}
	}
	private, err := readPrivateKey(c.SignKey)
	if err != nil {
		return err
	}
	public, err := sign.NewKey("", &private.PublicKey)
	if err != nil {
		return fmt.Errorf("%s: %w", c.SignKey, err)
	}
	keys, err := trustedKeys(c.Key)
	if err != nil {
		return err
	}
	next := &channel.Channel{Name: c.Channel, Targets: map[string]channel.Target{}}
	switch document, err := remote.Channel(ctx, c.Channel); {
	case err == nil:
		// One that has expired is renewed, not trusted: what it hands out is
		// looked up below.
		if next, err = channel.Open(document, append(keys, public), time.Unix(0, 0), 0); err != nil {
			return fmt.Errorf("the current state of channel %s: %w", c.Channel, err)
		}
		if next.Name != c.Channel {
			return fmt.Errorf("the registry answered with channel %q", next.Name)
		}
	case statusOf(err) != http.StatusNotFound:
		return err
	case !c.New:
		return fmt.Errorf("there is no channel %q: --new makes it", c.Channel)
	}
	next.Version++
	next.Expires = time.Now().Add(time.Duration(c.Days) * 24 * time.Hour)
	for _, name := range c.Remove {
		dropTarget(next, name)
	}
	for _, x := range c.Bundles {
		name, version, err := versionOf(x)
		if err != nil {
			return err
		}
		b, err := remote.Bundle(ctx, name, version)
		if err != nil {
			return err
		}
		// The bytes are looked at, so that what is signed is what was checked.
		file, err := remote.Download(ctx, b.Path)
		if err != nil {
			return err
		}
		d, err := decode(file)
		if err != nil {
			return fmt.Errorf("%s: %w", x, err)
		}
		if m := d.Manifest(); m.Name != name || m.Version != version || b.Path != registry.BundlePath(name, version, fmt.Sprintf("%x", d.SHA256())) {
			return fmt.Errorf("%s: the registry handed out %s %s", x, m.Name, m.Version)
		}
		dropTarget(next, name)
		next.Targets[b.Path] = channel.Target{Length: int64(len(file)), SHA256: d.SHA256()}
	}
	document, err := channel.Sign(private, *next)
	if err != nil {
		return err
	}
	state, err := remote.Promote(ctx, c.Channel, document)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(s, state)
	}
	p := &printer{w: s.out}
	p.line("channel %s, version %d, until %s", state.Name, state.Version, state.Expires)
	for _, path := range state.Targets {
		p.line("  %s", path)
	}
	return p.err
}

// dropTarget removes the bundle of that name from a channel.
func dropTarget(c *channel.Channel, name string) {
	for _, path := range c.Paths() {
		if len(path) > len(name) && path[:len(name)+1] == name+"/" {
			delete(c.Targets, path)
		}
	}
}

type yankCommand struct {
	Bundle string `arg:"" help:"NAME@VERSION that nobody should take any more."`
	Reason string `required:"" help:"Why, one line for people."`
	remoteFlags
}

// Help returns the example for --help.
func (yankCommand) Help() string {
	return "The bundle stays under its address, marked with the reason; channels that hand it out have to be promoted first.\n\n" +
		"Example:\n\n  cloister yank flows@1.1.0 --reason 'trained on mislabelled rows' --registry https://registry.example"
}

// Run yanks a bundle.
func (c *yankCommand) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	name, version, err := versionOf(c.Bundle)
	if err != nil {
		return err
	}
	b, err := remote.Yank(ctx, name, version, c.Reason)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "yanked  %s %s: %s\n", b.Name, b.Version, b.YankReason)
	return err
}
