package registry_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/registrytest"
	"cloister/shared/sign"
)

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
			o.Database, o.Objects = registrytest.FreshSchema(t, postgres), registrytest.FreshPrefix(t, s3)
			f(t, o)
		})
	}
}

// The publisher and what she signs.
var (
	publisher      = registrytest.Publisher
	unsignedBundle = registrytest.Unsigned
	signedBundle   = registrytest.Signed
	document       = registrytest.Document
	consistent     = registrytest.Consistent
)

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

// want fails unless err is of that kind.
func want(t testing.TB, what string, err error, kind registry.Kind) {
	t.Helper()
	if err == nil || registry.KindOf(err) != kind {
		t.Errorf("%s: kind %d, want %d: %v", what, registry.KindOf(err), kind, err)
	}
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
	text, err := os.ReadFile(registrytest.Sample())
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Upload(ctx, registry.Local, "flows.csv", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
