package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"cloister/shared/bundle"
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
	if !strings.HasPrefix(c.To, "https://") && !strings.HasPrefix(c.To, "http://127.0.0.1:") && !strings.HasPrefix(c.To, "http://localhost:") {
		return &usageError{"--to wants an https address: the token would go out in the clear"}
	}
	key, err := readPrivateKey(c.Key)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(c.Token)
	if err != nil {
		return err
	}
	d := &deployment{url: strings.TrimSuffix(c.To, "/"), token: strings.TrimSpace(string(token))}
	next, err := d.channel(ctx, key)
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
		path, target, err := d.upload(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		added[path] = target
		fmt.Fprintf(s.out, "stored   %s\n", path)
	}
	for _, path := range c.Stored {
		target, err := d.stored(ctx, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		added[path] = target
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
	text, err := channel.Sign(key, *next)
	if err != nil {
		return err
	}
	if _, err := d.do(ctx, http.MethodPut, "/channel.json", text, sign.MaxSize); err != nil {
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

// deployment is an edge deployment.
type deployment struct{ url, token string }

// errAbsent means that the deployment has nothing at an address.
var errAbsent = errors.New("there is nothing at this address")

// do sends a request and returns the body of a successful answer.
func (d *deployment) do(ctx context.Context, method, path string, body []byte, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, d.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPut {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound && method == http.MethodGet:
		return nil, errAbsent
	case resp.StatusCode >= 300:
		var refusal struct{ Error string }
		if json.Unmarshal(answer, &refusal) != nil || refusal.Error == "" {
			refusal.Error = fmt.Sprintf("%.200q", answer)
		}
		return nil, fmt.Errorf("%s: %s", resp.Status, refusal.Error)
	case int64(len(answer)) > most:
		return nil, fmt.Errorf("the answer has more than %d bytes", most)
	}
	return answer, nil
}

// channel returns the channel that is published, nil without one. Its
// signature has to be of this key; an expired one counts, since the next
// version replaces it.
func (d *deployment) channel(ctx context.Context, key *ecdsa.PrivateKey) (*channel.Channel, error) {
	text, err := d.do(ctx, http.MethodGet, "/channel.json", nil, sign.MaxSize)
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	if err != nil {
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
func (d *deployment) upload(ctx context.Context, file string) (string, channel.Target, error) {
	body, err := readBundle(file)
	if err != nil {
		return "", channel.Target{}, err
	}
	b, err := bundle.Decode(body, bundle.Limits{})
	if err != nil {
		return "", channel.Target{}, err
	}
	digest := sha256.Sum256(body)
	path := fmt.Sprintf("%s/%s/%x.bundle", b.Manifest().Name, b.Manifest().Version, digest)
	_, err = d.do(ctx, http.MethodPut, "/bundles/"+path, body, 1<<16)
	return path, channel.Target{Length: int64(len(body)), SHA256: digest}, err
}

// stored returns what the channel says of a bundle that is stored: it is read
// and compared with its address.
func (d *deployment) stored(ctx context.Context, path string) (channel.Target, error) {
	body, err := d.do(ctx, http.MethodGet, "/bundles/"+path, nil, maxBundle)
	if err != nil {
		return channel.Target{}, err
	}
	digest := sha256.Sum256(body)
	if !strings.HasSuffix(path, fmt.Sprintf("/%x.bundle", digest)) {
		return channel.Target{}, fmt.Errorf("the bundle there has SHA-256 %x", digest)
	}
	return channel.Target{Length: int64(len(body)), SHA256: digest}, nil
}
