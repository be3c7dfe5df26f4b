// Package registrytest makes what tests of the registry need: a publisher, the
// bundles and channel documents that she signs, and the check of what must
// always hold. It hides how a bundle is trained.
package registrytest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/trainer"
	"cloister/shared/bundle"
	"cloister/shared/channel"
	"cloister/shared/sign"
)

var ctx = context.Background()

// Sample returns the path of labelled flows to train on.
func Sample() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../../../models/sample/flows.csv")
}

// Publisher returns the key pair of the publisher.
var Publisher = sync.OnceValues(func() (*ecdsa.PrivateKey, sign.Key) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	public, err := sign.NewKey("Publisher", &private.PublicKey)
	if err != nil {
		panic(err)
	}
	return private, public
})

var (
	trainedMu sync.Mutex
	trained   = map[string][]byte{}
)

// Unsigned returns a bundle of that version and seed, trained on the
// sample.
func Unsigned(t testing.TB, version string, seed uint64) []byte {
	t.Helper()
	trainedMu.Lock()
	defer trainedMu.Unlock()
	key := fmt.Sprint(version, seed)
	if b := trained[key]; b != nil {
		return b
	}
	f, err := os.Open(Sample())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b, err := trainer.Train(ctx, registry.Spec{Recipe: "flows", Version: version, Seed: seed}, []registry.Input{{Name: "flows.csv", File: f, Size: info.Size()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	trained[key] = b
	return b
}

// Signed returns it signed by the publisher.
func Signed(t testing.TB, version string, seed uint64) []byte {
	t.Helper()
	private, _ := Publisher()
	signed, err := sign.Bundle(private, Unsigned(t, version, seed))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Document returns a signed channel document.
func Document(t testing.TB, name string, version int64, expires time.Time, bundles ...registry.Bundle) []byte {
	t.Helper()
	private, _ := Publisher()
	c := channel.Channel{Name: name, Version: version, Expires: expires, Targets: map[string]channel.Target{}}
	for _, b := range bundles {
		sum, err := hex.DecodeString(b.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		c.Targets[b.Path] = channel.Target{Length: b.Size, SHA256: [32]byte(sum)}
	}
	text, err := channel.Sign(private, c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Consistent checks what must hold of a registry at any moment: whatever is
// listed can be fetched, is what its digest says and is fit to be published;
// whatever a channel names is published.
func Consistent(t testing.TB, r *registry.Registry) (bundles, channels int) {
	t.Helper()
	list, err := r.Bundles(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	published := map[string]registry.Bundle{}
	for _, b := range list {
		published[b.Path] = b
		o, err := r.OpenBundle(ctx, b.Path)
		if err != nil {
			t.Errorf("%s: %v", b.Path, err)
			continue
		}
		file, err := io.ReadAll(o)
		if err != nil {
			t.Error(err)
		}
		o.Close()
		if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != b.SHA256 || int64(len(file)) != b.Size {
			t.Errorf("%s: %d bytes of %x", b.Path, len(file), sum)
		}
		d, err := bundle.Decode(file, bundle.Limits{})
		if err != nil {
			t.Errorf("%s: %v", b.Path, err)
		} else if m := d.Manifest(); m.Name != b.Name || m.Version != b.Version {
			t.Errorf("%s: is %s %s", b.Path, m.Name, m.Version)
		}
	}
	current, err := r.Channels(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range current {
		history, err := r.History(ctx, c.Name)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range history {
			if h.Version != int64(len(history)-i) {
				t.Errorf("channel %s: version %d in place %d of %d", c.Name, h.Version, i, len(history))
			}
		}
		for _, path := range c.Targets {
			b, ok := published[path]
			if !ok || b.YankedAt != "" {
				t.Errorf("channel %s names %s, published %v, yanked %q", c.Name, path, ok, b.YankedAt)
			}
		}
	}
	return len(list), len(current)
}

// FreshSchema returns the address of an empty schema of a PostgreSQL server,
// which the end of the test removes.
func FreshSchema(t testing.TB, postgres string) string {
	t.Helper()
	db, err := sql.Open("pgx", postgres)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("t%x", sha256.Sum256(fmt.Append(nil, t.Name(), time.Now())))[:20]
	if _, err := db.Exec("create schema " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("drop schema " + name + " cascade"); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	u, err := url.Parse(postgres)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// FreshPrefix returns the address of an empty part of an S3 bucket.
func FreshPrefix(t testing.TB, s3 string) string {
	u, err := url.Parse(s3)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("prefix", fmt.Sprintf("%x/", sha256.Sum256(fmt.Append(nil, t.Name(), time.Now())))[40:])
	u.RawQuery = q.Encode()
	return u.String()
}
