package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://
	_ "gocloud.dev/blob/s3blob"   // s3://
	"gocloud.dev/gcerrors"
)

// objects is a store of immutable bytes named by their SHA-256.
type objects struct {
	bucket *blob.Bucket
	mu     sync.Mutex
	sound  map[string]time.Time // digests whose bytes were checked, and when
}

// recheck is how long a check of an object's bytes holds.
const recheck = time.Hour

// maxSound bounds the memory of checks.
const maxSound = 4096

// openObjects opens an address of gocloud.dev/blob, or the folder dir if it is
// empty.
func openObjects(ctx context.Context, address, dir string) (*objects, error) {
	if address == "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, wrap("objects", err)
		}
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, wrap("objects", err)
		}
		// Written beside its place and renamed; nothing is stored beside it.
		address = "file://" + (&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath() + "?metadata=skip&no_tmp_dir=true"
	}
	bucket, err := blob.OpenBucket(ctx, address)
	if err != nil {
		return nil, wrap("objects", err)
	}
	return &objects{bucket: bucket, sound: map[string]time.Time{}}, nil
}

func (s *objects) close() error { return wrap("objects", s.bucket.Close()) }

func (s *objects) ready(ctx context.Context) error {
	ok, err := s.bucket.IsAccessible(ctx)
	if err == nil && !ok {
		err = failf(Internal, "objects: the store is not there")
	}
	return wrap("objects", err)
}

// keyOf returns where an object lies.
func keyOf(sha string) string { return "sha256/" + sha[:2] + "/" + sha }

// digestOf is the inverse of keyOf.
func digestOf(key string) (string, bool) {
	sha := key[strings.LastIndexByte(key, '/')+1:]
	return sha, isDigest(sha) && key == keyOf(sha)
}

// isDigest reports whether s is 64 lower-case hex digits.
func isDigest(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// put stores what r reads, size bytes of the digest sha. An object that is
// there in that size stays as it is.
func (s *objects) put(ctx context.Context, sha string, size int64, r io.Reader) (err error) {
	if a, err := s.bucket.Attributes(ctx, keyOf(sha)); err == nil && a.Size == size && s.check(ctx, sha) == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.bucket.NewWriter(ctx, keyOf(sha), &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return wrap("objects", err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), r)
	if err == nil && (n != size || hex.EncodeToString(sum.Sum(nil)) != sha) {
		err = failf(Corrupt, "objects: %d bytes were read that are not %.12s", n, sha)
	}
	if err != nil {
		cancel() // Close then stores nothing
		_ = w.Close()
		return wrap("objects", err)
	}
	return wrap("objects", w.Close())
}

// check reads an object and compares its digest. What passed is not read
// again for a while.
func (s *objects) check(ctx context.Context, sha string) error {
	s.mu.Lock()
	at, ok := s.sound[sha]
	s.mu.Unlock()
	if ok && time.Since(at) < recheck {
		return nil
	}
	r, err := s.bucket.NewReader(ctx, keyOf(sha), nil)
	if err != nil {
		return s.missing(sha, err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return wrap("objects: "+short(sha), err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != sha {
		return failf(Corrupt, "objects: what is stored as %s has the digest %s: restore it from a copy", short(sha), short(got))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sound) >= maxSound {
		clear(s.sound)
	}
	s.sound[sha] = time.Now()
	return nil
}

func (s *objects) missing(sha string, err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return &Error{Corrupt, fmt.Sprintf("objects: %s is gone: restore it from a copy", short(sha)), err}
	}
	return wrap("objects: "+short(sha), err)
}

func short(sha string) string { return sha[:min(12, len(sha))] }

// Object is an open object: its bytes were compared with its digest, so that
// what is read is what was stored.
type Object struct {
	ctx    context.Context
	s      *objects
	sha    string
	size   int64
	offset int64
	r      *blob.Reader
}

var _ io.ReadSeekCloser = (*Object)(nil)

// open returns the object sha of size bytes.
func (s *objects) open(ctx context.Context, sha string, size int64) (*Object, error) {
	if err := s.check(ctx, sha); err != nil {
		return nil, err
	}
	return &Object{ctx: ctx, s: s, sha: sha, size: size}, nil
}

// Size returns the size in bytes.
func (o *Object) Size() int64 { return o.size }

// SHA256 returns the digest in hex.
func (o *Object) SHA256() string { return o.sha }

// Read implements io.Reader.
func (o *Object) Read(p []byte) (int, error) {
	if o.offset >= o.size {
		return 0, io.EOF
	}
	if o.r == nil {
		r, err := o.s.bucket.NewRangeReader(o.ctx, keyOf(o.sha), o.offset, -1, nil)
		if err != nil {
			return 0, o.s.missing(o.sha, err)
		}
		o.r = r
	}
	n, err := o.r.Read(p)
	o.offset += int64(n)
	if err != nil && err != io.EOF {
		err = wrap("objects: "+short(o.sha), err)
	}
	return n, err
}

// Seek implements io.Seeker. The next Read asks the store for the rest.
func (o *Object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.offset
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, failf(Invalid, "objects: seek to %d", offset)
	}
	if offset != o.offset && o.r != nil {
		err := o.r.Close()
		o.r = nil
		if err != nil {
			return 0, wrap("objects", err)
		}
	}
	o.offset = offset
	return offset, nil
}

// Close releases the object.
func (o *Object) Close() error {
	if o.r == nil {
		return nil
	}
	return wrap("objects", o.r.Close())
}

// bytes returns all of an object.
func (s *objects) bytes(ctx context.Context, sha string) ([]byte, error) {
	b, err := s.bucket.ReadAll(ctx, keyOf(sha))
	if err != nil {
		return nil, s.missing(sha, err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != sha {
		return nil, failf(Corrupt, "objects: what is stored as %s has the digest %s: restore it from a copy", short(sha), short(hex.EncodeToString(sum[:])))
	}
	return b, nil
}

// sweep removes objects and uploads that no row names and that are older than
// the grace: what a process left that died between object and row.
func (r *Registry) sweep(ctx context.Context) error {
	named := map[string]bool{}
	names, err := all(ctx, r.db.read, func(scan func(...any) error) (s string, err error) { return s, scan(&s) },
		"select sha256 from bundles union select sha256 from data union select bundle from jobs")
	if err != nil {
		return err
	}
	for _, sha := range names {
		named[sha] = true
	}
	pinned, err := all(ctx, r.db.read, scanJob, "select "+jobColumns+" from jobs")
	if err != nil {
		return err
	}
	for _, j := range pinned {
		for _, d := range j.Data {
			named[d.SHA256] = true
		}
	}
	before := r.o.Now().Add(-r.o.Grace)
	list := r.objects.bucket.List(nil)
	for {
		o, err := list.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return wrap("objects", err)
		}
		if sha, ok := digestOf(o.Key); ok && named[sha] || !o.ModTime.Before(before) {
			continue
		}
		if err := r.objects.bucket.Delete(ctx, o.Key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return wrap("objects", err)
		}
		r.o.Log.Info("swept", "object", o.Key, "bytes", o.Size)
	}
	uploads := filepath.Join(r.o.Dir, "uploads")
	entries, err := os.ReadDir(uploads)
	if err != nil {
		return wrap("uploads", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
			if err := os.Remove(filepath.Join(uploads, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return wrap("uploads", err)
			}
		}
	}
	return nil
}
