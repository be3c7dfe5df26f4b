// Package registry keeps what trainers publish and operators deploy: bundles,
// channels, training data, jobs, tokens and the audit log. It hides where they
// lie (SQL rows and objects named by their SHA-256) and how it stays
// consistent when a process dies at any moment.
//
//	r, err := registry.Open(ctx, registry.Options{Dir: "registry"})
//	b, err := r.Publish(ctx, actor, file)
//	err = r.Work(ctx, trainer.Train)
//
// An object is written before the row that names it and its name is its
// digest, so nobody ever sees a row without its bytes; an object without a row
// is swept later. A job is leased to one worker at a time; a worker that dies
// stops renewing, and another takes the job after [Options.Lease].
//
// The default is one folder: SQLite and files. The same code runs on
// PostgreSQL and on S3-compatible storage: [Options.Database] and
// [Options.Objects] are addresses. Several processes may share one registry;
// with SQLite they must be on one machine. README.md has the figures.
package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cloister/shared/sign"
)

// Options says where a registry lies and what it allows. A zero value of each
// but Dir is the documented default.
type Options struct {
	// Dir holds registry.db, objects/ and uploads under way, and is made if it
	// does not exist. It is needed even if Database and Objects are elsewhere.
	Dir string
	// Database is a PostgreSQL address, postgres://...; default Dir/registry.db.
	Database string
	// Objects is an address of gocloud.dev/blob: s3://bucket?...; default
	// Dir/objects.
	Objects string

	Keys        []sign.Key // who may sign bundles and channels; the pinned keys count too
	Unsigned    bool       // take bundles that nobody known signed
	Gate        string     // folder of the gate in WebAssembly; empty: vectors are replayed natively only
	MaxBundle   int64      // bytes; default and at most 64 MiB, the format's limit
	MaxData     int64      // bytes of one upload of training data; default 1 GiB
	MaxQueued   int        // jobs that wait or run; default 100
	MaxAttempts int        // times that a job is started before it counts as failed; default 5
	// Lease is how long a worker that died keeps its job; default 30 s. It
	// renews three times as often.
	Lease time.Duration
	// Grace is the age at which an object without a row is swept; default 1 h,
	// longer than any upload takes.
	Grace time.Duration
	Now   func() time.Time // default time.Now
	Log   *slog.Logger     // default slog.Default
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("registry: Options.Dir is empty")
	}
	fill := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	fill(&o.MaxBundle, maxBundle)
	fill(&o.MaxData, 1<<30)
	o.MaxBundle = min(o.MaxBundle, maxBundle)
	if o.MaxQueued == 0 {
		o.MaxQueued = 100
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 5
	}
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = time.Hour
	}
	if o.MaxBundle < 0 || o.MaxData < 0 || o.MaxQueued < 0 || o.MaxAttempts < 0 || o.Lease < 0 || o.Grace < 0 {
		return o, errors.New("registry: a limit is negative")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o, nil
}

// maxBundle is the default limit of package bundle.
const maxBundle = 64 << 20

// Registry is an open registry. It is safe for concurrent use.
type Registry struct {
	o       Options
	db      *database
	objects *objects
	keys    []sign.Key

	mu    sync.Mutex
	wake  chan struct{} // closed when a job was submitted here
	last  int64         // of newID: time and number of the last one
	count int
}

// Open opens the registry, making or upgrading its tables, and sweeps what
// processes that died left behind. The caller closes it.
func Open(ctx context.Context, o Options) (*Registry, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "uploads"), 0o700); err != nil {
		return nil, wrap("registry", err)
	}
	if o.Database == "" {
		o.Database = filepath.Join(o.Dir, "registry.db")
	}
	r := &Registry{o: o, keys: append(sign.Pinned(), o.Keys...), wake: make(chan struct{})}
	if r.objects, err = openObjects(ctx, o.Objects, filepath.Join(o.Dir, "objects")); err != nil {
		return nil, err
	}
	if r.db, err = openDatabase(ctx, o.Database); err != nil {
		return nil, errors.Join(err, r.objects.close())
	}
	if err := r.sweep(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close releases the database and the object store. Work must have returned.
func (r *Registry) Close() error {
	return errors.Join(r.db.close(), r.objects.close())
}

// Ready reports why the registry cannot answer now, nil if it can: the
// database answers and the object store is there.
func (r *Registry) Ready(ctx context.Context) error {
	if err := r.db.read.PingContext(ctx); err != nil {
		return wrap("database", err)
	}
	return r.objects.ready(ctx)
}

// Limits returns the largest bundle and the largest upload of data in bytes.
func (r *Registry) Limits() (bundle, data int64) { return r.o.MaxBundle, r.o.MaxData }

// now returns the time in milliseconds since 1970, as rows hold it.
func (r *Registry) now() int64 { return r.o.Now().UnixMilli() }

// newID returns an identifier that sorts by the time it was made, within a
// process also in the same millisecond: 12 hex digits of milliseconds, 4 that
// count and 12 random ones.
func (r *Registry) newID() string {
	var b [6]byte
	rand.Read(b[:]) // never fails
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now > r.last {
		r.last, r.count = now, 0
	} else if r.count++; r.count > 0xffff {
		r.last, r.count = r.last+1, 0
	}
	return fmt.Sprintf("%012x%04x%s", r.last, r.count, hex.EncodeToString(b[:]))
}

// stamp returns the time of milliseconds since 1970 as RFC 3339, empty for 0.
func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
