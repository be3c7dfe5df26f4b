package registry_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/build"
	"cloister/shared/bundle"
	"cloister/shared/channel"
	"cloister/shared/sign"
)

const sample = "../../../models/sample/flows.csv"

var ctx = context.Background()

// The services that `make test` starts. Without them the tests run on SQLite
// and a folder alone; if CLOISTER_SERVICES is set, all have to be there.
var (
	postgres = os.Getenv("CLOISTER_TEST_POSTGRES") // postgres://...
	s3       = os.Getenv("CLOISTER_TEST_S3")       // s3://bucket?...
)

func TestServices_areThere(t *testing.T) {
	if os.Getenv("CLOISTER_SERVICES") != "" && (postgres == "" || s3 == "") {
		t.Errorf("CLOISTER_TEST_POSTGRES=%q, CLOISTER_TEST_S3=%q: make test-services sets both", postgres, s3)
	}
}

var publisher = sync.OnceValues(func() (*ecdsa.PrivateKey, sign.Key) {
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

// eachBackend runs f on SQLite with a folder and, if the services are there,
// on PostgreSQL with S3. f gets options of a fresh registry.
func eachBackend(t *testing.T, f func(t *testing.T, o registry.Options)) {
	t.Helper()
	_, key := publisher()
	options := func(t *testing.T) registry.Options {
		return registry.Options{Dir: t.TempDir(), Keys: []sign.Key{key}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	}
	t.Run("sqlite and folder", func(t *testing.T) { f(t, options(t)) })
	if postgres != "" && s3 != "" {
		t.Run("postgres and s3", func(t *testing.T) {
			o := options(t)
			o.Database, o.Objects = freshSchema(t), freshPrefix(t)
			f(t, o)
		})
	}
}

// freshSchema returns the address of an empty schema of the PostgreSQL server.
func freshSchema(t *testing.T) string {
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

// freshPrefix returns the address of an empty part of the bucket.
func freshPrefix(t *testing.T) string {
	u, err := url.Parse(s3)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("prefix", fmt.Sprintf("%x/", sha256.Sum256(fmt.Append(nil, t.Name(), time.Now())))[40:])
	u.RawQuery = q.Encode()
	return u.String()
}

func open(t testing.TB, o registry.Options) *registry.Registry {
	t.Helper()
	r, err := registry.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

var (
	trainedMu sync.Mutex
	trained   = map[string][]byte{}
)

// unsignedBundle returns a bundle of that version and seed, trained on the
// sample.
func unsignedBundle(t testing.TB, version string, seed uint64) []byte {
	t.Helper()
	trainedMu.Lock()
	defer trainedMu.Unlock()
	key := fmt.Sprint(version, seed)
	if b := trained[key]; b != nil {
		return b
	}
	f, err := os.Open(sample)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b, err := build.Train(ctx, registry.Spec{Recipe: "flows", Version: version, Seed: seed}, []registry.Input{{Name: "flows.csv", File: f, Size: info.Size()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	trained[key] = b
	return b
}

// signedBundle returns it signed by the publisher.
func signedBundle(t testing.TB, version string, seed uint64) []byte {
	t.Helper()
	private, _ := publisher()
	return signedBy(t, private, unsignedBundle(t, version, seed))
}

func signedBy(t testing.TB, key *ecdsa.PrivateKey, file []byte) []byte {
	t.Helper()
	signed, err := publish.Sign(key, file)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// document returns a signed channel document.
func document(t testing.TB, name string, version int64, expires time.Time, bundles ...registry.Bundle) []byte {
	t.Helper()
	private, _ := publisher()
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

// want fails unless err is of that kind.
func want(t testing.TB, what string, err error, kind registry.Kind) {
	t.Helper()
	if err == nil || registry.KindOf(err) != kind {
		t.Errorf("%s: kind %d, want %d: %v", what, registry.KindOf(err), kind, err)
	}
}

// consistent checks what must hold of a registry at any moment: whatever is
// listed can be fetched, is what its digest says and is fit to be published;
// whatever a channel names is published.
func consistent(t testing.TB, r *registry.Registry) (bundles, channels int) {
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

// await polls until f says so.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("%s: it never came", what)
}

// upload uploads the sample and returns it.
func upload(t testing.TB, r *registry.Registry) registry.Data {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(sample))
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Upload(ctx, registry.Local, "flows.csv", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
