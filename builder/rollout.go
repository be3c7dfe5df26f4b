package main

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"os"
	"strings"
	"time"

	"cloister/builder/internal/client"
	"cloister/shared/channel"
	"cloister/shared/sign"
)

type rolloutCommand struct {
	Bundles []string      `arg:"" optional:"" type:"existingfile" help:"Signed bundles to upload and make current."`
	Stored  []string      `help:"Path below bundles/ of a bundle that is stored already: NAME/VERSION/SHA256.bundle. Rolling back is this."`
	To      string        `required:"" help:"Address of the deployment, https:// except on loopback."`
	Key     string        `required:"" type:"existingfile" help:"Private key that signs the channel (cloister keygen)."`
	Token   string        `required:"" type:"existingfile" name:"token-file" help:"File with the token that may upload."`
	Name    string        `default:"stable" help:"Name of the channel, when it is the first."`
	Expires time.Duration `default:"720h" help:"How long the channel is valid; roll out again before that."`
}

// Help returns the example for --help.
func (rolloutCommand) Help() string {
	return "Uploads bundles to an edge deployment and publishes the next version of its signed channel, which keeps what it named before\n" +
		"except for bundles of the same name.\n\nExample:\n\n  cloister rollout signed.bundle --to https://cloister.example.org --key channel.key --token-file upload.token"
}

// Run uploads the bundles, then the channel.
func (c *rolloutCommand) Run(ctx context.Context, s streams) error {
	if len(c.Bundles)+len(c.Stored) == 0 {
		return &usageError{"nothing to roll out: name a bundle, or a stored one with --stored"}
	}
	key, err := readPrivateKey(c.Key)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(c.Token)
	if err != nil {
		return err
	}
	edge, err := client.NewEdge(c.To, client.Options{Token: strings.TrimSpace(string(token))})
	if err != nil {
		return &usageError{"--to: " + err.Error()}
	}
	next, err := published(ctx, edge, key)
	if err != nil {
		return err
	}
	if next == nil {
		next = &channel.Channel{Name: c.Name, Targets: map[string]channel.Target{}}
	}
	next.Version++
	next.Expires = time.Now().Add(c.Expires)
	added := map[string]channel.Target{}
	for _, name := range c.Bundles {
		path, target, err := upload(ctx, edge, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		added[path] = target
		fmt.Fprintf(s.out, "stored   %s\n", path)
	}
	for _, path := range c.Stored {
		file, err := edge.Bundle(ctx, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if _, added[path], err = targetOf(file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for path := range next.Targets {
		for other := range added {
			if family(path) == family(other) {
				delete(next.Targets, path)
			}
		}
	}
	for path, target := range added {
		next.Targets[path] = target
	}
	if minor, err := edge.ChannelMinor(ctx); err != nil {
		return err
	} else if minor < channel.Minor {
		next.Bare() // titles can wait until the deployment reads them
	}
	text, err := channel.Sign(key, *next)
	if err != nil {
		return err
	}
	if err := edge.Publish(ctx, text); err != nil {
		return fmt.Errorf("channel: %w", err)
	}
	fmt.Fprintf(s.out, "channel  %s, version %d, until %s\n", next.Name, next.Version, next.Expires.UTC().Format(time.RFC3339))
	for _, path := range next.Paths() {
		fmt.Fprintf(s.out, "  %s\n", path)
	}
	return nil
}

// family is the name of a bundle by its path: name/version/sum.bundle.
func family(path string) string {
	name, _, _ := strings.Cut(path, "/")
	return name
}

// published returns the channel that is published, nil without one. Its
// signature has to be of this key; an expired one counts, since the next
// version replaces it.
func published(ctx context.Context, edge *client.Edge, key *ecdsa.PrivateKey) (*channel.Channel, error) {
	text, err := edge.Channel(ctx)
	if err != nil || text == nil {
		return nil, err
	}
	public, err := sign.NewKey("", &key.PublicKey)
	if err != nil {
		return nil, err
	}
	c, err := channel.Open(text, []sign.Key{public}, time.Time{}, 0)
	if err != nil {
		return nil, fmt.Errorf("the channel that is published there: %w", err)
	}
	return c, nil
}

// upload stores a bundle and returns its path and what the channel says of it.
func upload(ctx context.Context, edge *client.Edge, file string) (string, channel.Target, error) {
	body, err := readBundle(file)
	if err != nil {
		return "", channel.Target{}, err
	}
	path, target, err := targetOf(body)
	if err != nil {
		return "", channel.Target{}, err
	}
	return path, target, edge.Store(ctx, path, body)
}

// targetOf returns the path of a bundle and what a channel says of it.
func targetOf(file []byte) (string, channel.Target, error) {
	b, err := decode(file)
	if err != nil {
		return "", channel.Target{}, err
	}
	m, sum := b.Manifest(), b.SHA256()
	return fmt.Sprintf("%s/%s/%x.bundle", m.Name, m.Version, sum),
		channel.Target{Length: int64(len(file)), SHA256: sum, Title: m.Title, Schema: m.Schema.Name}, nil
}
