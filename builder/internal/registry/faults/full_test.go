//go:build linux

package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cloister/builder/internal/client"
	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/registrytest"
)

// smallDisk mounts a file system of that size, or says why it cannot.
func smallDisk(t *testing.T, size string) (string, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, nil
}

// On a full disk everything that writes says so, what is there stays readable,
// and with room again all goes on.
func TestDisk_full(t *testing.T) {
	dir, err := smallDisk(t, "4m")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		// Whoever may not mount runs TestWrap_knowsFullDisks of the registry,
		// which does the same with the errors alone.
		t.Logf("no real full disk here: %v", err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, registry.Options{Dir: filepath.Join(dir, "registry")})
	x := p.start(0)
	defer x.kill()
	first, err := x.c.Publish(ctx, registrytest.Signed(t, "1.0.0", 1), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.c.Upload(ctx, "small.csv", bytes.NewReader(small()), int64(len(small()))); err != nil {
		t.Fatal(err)
	}
	// Fill it to the last byte.
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = filler.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	full := func(what string, err error) {
		t.Helper()
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusInsufficientStorage || !strings.Contains(e.Text, "no space is left") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = x.c.Publish(ctx, registrytest.Signed(t, "1.1.0", 1), false)
	full("publish", err)
	_, err = x.c.Upload(ctx, "other.csv", bytes.NewReader(bytes.Repeat([]byte("x"), 1<<20)), 1<<20)
	full("upload", err)
	for i := range 200 { // the log of the database has room for some
		if _, err = x.c.Submit(ctx, registry.Spec{Recipe: "none", Data: []string{"small.csv"}, Version: fmt.Sprintf("1.%d.0", i)}); err != nil {
			break
		}
	}
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusTooManyRequests {
		full("submit", err)
	}
	if got, err := x.c.Download(ctx, first.Path); err != nil || len(got) == 0 {
		t.Errorf("what is there: %v", err)
	}
	if list, err := x.c.Bundles(ctx, ""); err != nil || len(list) != 1 {
		t.Errorf("%d bundles, %v", len(list), err)
	}
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	if _, err := x.c.Publish(ctx, registrytest.Signed(t, "1.1.0", 1), false); err != nil {
		t.Errorf("with room again: %v", err)
	}
	x.kill()
	p.open(func(r *registry.Registry) {
		if n, _ := registrytest.Consistent(t, r); n != 2 {
			t.Errorf("%d bundles", n)
		}
	})
}

// Data that cannot be read, or are not what was uploaded, fail the job with a
// clear error; a bundle likewise.
func TestData_unreadable(t *testing.T) {
	p := newPlace(t, registry.Options{})
	x := p.start(0)
	d, err := x.c.Upload(ctx, "small.csv", bytes.NewReader(small()), int64(len(small())))
	if err != nil {
		t.Fatal(err)
	}
	b, err := x.c.Publish(ctx, registrytest.Signed(t, "1.0.0", 1), false)
	if err != nil {
		t.Fatal(err)
	}
	x.kill()
	object := func(sha string) string { return filepath.Join(p.o.Dir, "objects", "sha256", sha[:2], sha) }
	damage := map[string]func(string) error{
		"another content": func(path string) error { return os.WriteFile(path, []byte("damaged"), 0o600) },
		"cut short":       func(path string) error { return os.Truncate(path, 100) },
		"gone":            os.Remove,
		"a folder": func(path string) error {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o700)
		},
	}
	for _, name := range []string{"another content", "cut short", "gone", "a folder"} {
		if name == "cut short" {
			if err := os.WriteFile(object(d.SHA256), small(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, sha := range []string{d.SHA256, b.SHA256} {
			if err := damage[name](object(sha)); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		x = p.start(0)
		j, err := x.c.Submit(ctx, registry.Spec{Recipe: "flows", Data: []string{"small.csv"}})
		if err != nil {
			t.Fatal(err)
		}
		if j, err = x.c.Watch(ctx, j.ID, func(registry.Job) {}); err != nil || j.State != registry.Failed || !strings.Contains(j.Error, d.SHA256[:12]) {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
		_, err = x.c.Download(ctx, b.Path)
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusInternalServerError {
			t.Errorf("%s: %v", name, err)
		}
		x.kill()
	}
}
