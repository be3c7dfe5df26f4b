package registry_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/registry"
	"cloister/shared/sign"
)

func TestPublish_makesVisibleOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		r := open(t, o)
		file := signedBundle(t, "1.0.0", 1)
		b, err := r.Publish(ctx, registry.Actor{Name: "ann", Role: registry.Publish}, file)
		if err != nil {
			t.Fatal(err)
		}
		_, key := publisher()
		if b.Name != "flows" || b.Version != "1.0.0" || b.Size != int64(len(file)) || b.Signer != key.Fingerprint() || b.PublishedBy != "ann" || b.Title == "" || b.YankedAt != "" {
			t.Errorf("%+v", b)
		}
		again, err := r.Publish(ctx, registry.Actor{Name: "bob"}, file)
		if err != nil || again != b {
			t.Errorf("the same again: %+v, %v", again, err)
		}
		_, err = r.Publish(ctx, registry.Local, signedBundle(t, "1.0.0", 2))
		want(t, "another content", err, registry.Conflict)
		if _, err := r.Publish(ctx, registry.Local, signedBundle(t, "1.1.0", 1)); err != nil {
			t.Fatal(err)
		}
		list, err := r.Bundles(ctx, "flows")
		if err != nil || len(list) != 2 {
			t.Errorf("%d bundles, %v", len(list), err)
		}
		if list, err = r.Bundles(ctx, "none"); err != nil || len(list) != 0 {
			t.Errorf("%d bundles of no name, %v", len(list), err)
		}
		_, err = r.Bundle(ctx, "flows", "9.0.0")
		want(t, "no such version", err, registry.NotFound)
		for _, path := range []string{"", "flows", "flows/1.0.0", b.Path + "x", "flows/1.1.0/" + b.SHA256 + ".bundle", "../" + b.Path, strings.ToUpper(b.Path)} {
			_, err = r.OpenBundle(ctx, path)
			want(t, path, err, registry.NotFound)
		}
		d, err := r.DecodeBundle(ctx, "flows", "1.0.0")
		if err != nil || d.Manifest().Version != "1.0.0" {
			t.Errorf("%v", err)
		}
		if n, _ := consistent(t, r); n != 2 {
			t.Errorf("%d bundles", n)
		}
		events, err := r.Events(ctx, "", 100)
		if err != nil || len(events) != 2 || events[1].Actor != "ann" || events[1].Action != "publish" || events[1].Subject != b.Path {
			t.Errorf("audit: %+v, %v", events, err)
		}
		older, err := r.Events(ctx, events[0].ID, 1)
		if err != nil || len(older) != 1 || older[0] != events[1] {
			t.Errorf("older: %+v, %v", older, err)
		}
	})
}

func TestPublish_refuses(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		o.MaxBundle = 1 << 20
		r := open(t, o)
		_, err := r.Publish(ctx, registry.Local, unsignedBundle(t, "1.0.0", 1))
		want(t, "unsigned", err, registry.Invalid)
		if l, ok := errors.AsType[*publish.LintError](err); !ok || len(l.Findings) != 1 || l.Findings[0].Part != "model.sig" {
			t.Errorf("unsigned: %v", err)
		}
		tampered := bytes.Clone(signedBundle(t, "1.0.0", 1))
		tampered[len(tampered)/2] ^= 1
		for name, file := range map[string][]byte{"nothing": nil, "garbage": []byte("PK\x03\x04"), "tampered": tampered} {
			_, err := r.Publish(ctx, registry.Local, file)
			want(t, name, err, registry.Invalid)
		}
		_, err = r.Publish(ctx, registry.Local, make([]byte, 1<<20+1))
		want(t, "too large", err, registry.TooLarge)
		if n, _ := consistent(t, r); n != 0 {
			t.Errorf("%d bundles", n)
		}
		o.Gate = t.TempDir()
		r = open(t, o)
		_, err = r.Publish(ctx, registry.Local, signedBundle(t, "1.0.0", 1))
		if !errors.Is(err, publish.ErrNoGate) {
			t.Errorf("no gate where one is asked for: %v", err)
		}
	})
}

// Two processes publish at once: one wins, the other is told; with the same
// content both do.
func TestPublish_twoAtOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		rs := []*registry.Registry{open(t, o), open(t, o)}
		files := [][]byte{signedBundle(t, "1.0.0", 1), signedBundle(t, "1.0.0", 2)}
		var wg sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			wg.Go(func() { _, errs[i] = rs[i%2].Publish(ctx, registry.Local, files[i%2]) })
		}
		wg.Wait()
		done := 0
		for i, err := range errs {
			if err == nil {
				done++
			} else {
				want(t, "the other", err, registry.Conflict)
			}
			if (err == nil) != (errs[i%2] == nil) {
				t.Errorf("one content won and lost: %v", errs)
			}
		}
		if n, _ := consistent(t, rs[0]); n != 1 || done != 8 {
			t.Errorf("%d bundles, %d calls succeeded", n, done)
		}
		if events, err := rs[0].Events(ctx, "", 100); err != nil || len(events) != 1 {
			t.Errorf("%d lines in the log, %v", len(events), err)
		}
	})
}

func TestPromote_guards(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		o.Now = func() time.Time { return now }
		r := open(t, o)
		soon := now.Add(30 * 24 * time.Hour)
		a, err := r.Publish(ctx, registry.Local, signedBundle(t, "1.0.0", 1))
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Publish(ctx, registry.Local, signedBundle(t, "1.1.0", 1))
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Channel(ctx, "stable")
		want(t, "no channel yet", err, registry.NotFound)
		first := document(t, "stable", 1, soon, a)
		c, err := r.Promote(ctx, registry.Local, "stable", first)
		if err != nil {
			t.Fatal(err)
		}
		if c.Version != 1 || !slices.Equal(c.Targets, []string{a.Path}) || !bytes.Equal(c.Signed, first) {
			t.Errorf("%+v", c)
		}
		wrong := b
		wrong.Size++
		missing := b
		missing.Path = strings.Replace(b.Path, "1.1.0", "1.2.0", 1)
		for name, tt := range map[string]struct {
			doc  []byte
			kind registry.Kind
		}{
			"the same again":     {first, registry.Conflict},
			"a version left out": {document(t, "stable", 3, soon, b), registry.Conflict},
			"another channel":    {document(t, "candidate", 2, soon, b), registry.Invalid},
			"expired":            {document(t, "stable", 2, now, b), registry.Invalid},
			"valid for too long": {document(t, "stable", 2, now.Add(401*24*time.Hour), b), registry.Invalid},
			"wrong size":         {document(t, "stable", 2, soon, wrong), registry.Invalid},
			"not published":      {document(t, "stable", 2, soon, missing), registry.NotFound},
			"garbage":            {[]byte("{}"), registry.Invalid},
		} {
			_, err := r.Promote(ctx, registry.Local, "stable", tt.doc)
			want(t, name, err, tt.kind)
		}
		_, err = r.Yank(ctx, registry.Local, "flows", "1.0.0", "wrong labels")
		want(t, "yank what a channel hands out", err, registry.Conflict)
		if _, err := r.Promote(ctx, registry.Local, "stable", document(t, "stable", 2, soon, b)); err != nil {
			t.Fatal(err)
		}
		_, err = r.Yank(ctx, registry.Local, "flows", "1.0.0", " \n")
		want(t, "no reason", err, registry.Invalid)
		y, err := r.Yank(ctx, registry.Local, "flows", "1.0.0", "wrong labels")
		if err != nil || y.YankReason != "wrong labels" || y.YankedAt != "2026-11-22T00:00:00Z" {
			t.Errorf("%+v, %v", y, err)
		}
		if y, err := r.Yank(ctx, registry.Local, "flows", "1.0.0", "another"); err != nil || y.YankReason != "wrong labels" {
			t.Errorf("yanked twice: %+v, %v", y, err)
		}
		_, err = r.Promote(ctx, registry.Local, "stable", document(t, "stable", 3, soon, a))
		want(t, "promote what was yanked", err, registry.Conflict)
		if o, err := r.OpenBundle(ctx, a.Path); err != nil {
			t.Errorf("a yanked bundle stays where it is: %v", err)
		} else {
			o.Close()
		}
		now = soon.Add(time.Hour) // expired, yet the next can be made of it
		if c, err = r.Channel(ctx, "stable"); err != nil || c.Version != 2 {
			t.Errorf("%+v, %v", c, err)
		}
		if h, err := r.History(ctx, "stable"); err != nil || len(h) != 2 || h[0].Version != 2 {
			t.Errorf("%+v, %v", h, err)
		}
		if _, n := consistent(t, r); n != 1 {
			t.Errorf("%d channels", n)
		}
	})
}

func TestPromote_twoAtOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		rs := []*registry.Registry{open(t, o), open(t, o)}
		b, err := rs[0].Publish(ctx, registry.Local, signedBundle(t, "1.0.0", 1))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		errs := make([]error, 12)
		for i := range errs {
			doc := document(t, "stable", int64(i/4)+1, time.Now().Add(time.Hour+time.Duration(i)*time.Minute), b)
			wg.Go(func() { _, errs[i] = rs[i%2].Promote(ctx, registry.Local, "stable", doc) })
		}
		wg.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else {
				want(t, "the others", err, registry.Conflict)
			}
		}
		c, err := rs[0].Channel(ctx, "stable")
		if err != nil || c.Version != int64(done) || done == 0 {
			t.Errorf("version %d after %d promotions, %v", c.Version, done, err)
		}
		consistent(t, rs[1])
	})
}

func TestTokens_rolesAndEnds(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		o.Now = func() time.Time { return now }
		r := open(t, o)
		secret, tok, err := r.CreateToken(ctx, registry.Local, "ci", registry.Publish, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		forever, _, err := r.CreateToken(ctx, registry.Local, "page", registry.Read, 0)
		if err != nil || forever == secret {
			t.Fatal(err)
		}
		a, err := r.Authenticate(ctx, secret)
		if err != nil || a != (registry.Actor{Name: "ci", Role: registry.Publish}) {
			t.Errorf("%+v, %v", a, err)
		}
		if !a.Role.Includes(registry.Read) || !a.Role.Includes(registry.Publish) || a.Role.Includes(registry.Admin) || registry.Role("").Includes(registry.Read) {
			t.Error("roles do not include what they should")
		}
		for _, s := range []string{"", "x", secret[:len(secret)-1], secret[:len(secret)-1] + "g", strings.ToUpper(secret), secret + "0"} {
			_, err := r.Authenticate(ctx, s)
			want(t, s, err, registry.Denied)
		}
		now = now.Add(time.Hour)
		_, err = r.Authenticate(ctx, secret)
		want(t, "expired", err, registry.Denied)
		if _, err := r.Authenticate(ctx, forever); err != nil {
			t.Errorf("one that does not expire: %v", err)
		}
		list, err := r.Tokens(ctx)
		if err != nil || len(list) != 2 || list[0] != tok {
			t.Fatalf("%+v, %v", list, err)
		}
		if err := r.RevokeToken(ctx, registry.Local, list[1].ID); err != nil {
			t.Fatal(err)
		}
		_, err = r.Authenticate(ctx, forever)
		want(t, "revoked", err, registry.Denied)
		want(t, "revoke none", r.RevokeToken(ctx, registry.Local, "none"), registry.NotFound)
		_, _, err = r.CreateToken(ctx, registry.Local, "x", "root", 0)
		want(t, "no such role", err, registry.Invalid)
		_, _, err = r.CreateToken(ctx, registry.Local, "a\nb", registry.Read, 0)
		want(t, "name on two lines", err, registry.Invalid)
		// The secret is nowhere in the database.
		if o.Database == "" {
			if err := r.Ready(ctx); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(o.Dir, "registry.db*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("%d files, %v", len(files), err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(b, []byte(secret[10:])) {
					t.Errorf("%s holds the secret", f)
				}
			}
		}
	})
}

func TestObjects_corruptAndGone(t *testing.T) {
	_, key := publisher()
	dir := t.TempDir()
	o := registry.Options{Dir: dir, Keys: []sign.Key{key}}
	r := open(t, o)
	file := signedBundle(t, "1.0.0", 1)
	b, err := r.Publish(ctx, registry.Local, file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "objects", "sha256", b.SHA256[:2], b.SHA256)
	damaged := bytes.Clone(file)
	damaged[100] ^= 1
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	r = open(t, o) // the check of the first is remembered
	_, err = r.OpenBundle(ctx, b.Path)
	want(t, "damaged", err, registry.Corrupt)
	if !strings.Contains(err.Error(), "restore it from a copy") {
		t.Errorf("it does not say what to do: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = r.OpenBundle(ctx, b.Path)
	want(t, "gone", err, registry.Corrupt)
	// Publishing the same again mends it.
	if _, err := r.Publish(ctx, registry.Local, file); err != nil {
		t.Fatal(err)
	}
	consistent(t, r)
	if os.Geteuid() == 0 {
		return // root reads everything
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, o).OpenBundle(ctx, b.Path)
	want(t, "unreadable", err, registry.Internal)
}

func TestObject_readsAnyPart(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		r := open(t, o)
		file := signedBundle(t, "1.0.0", 1)
		b, err := r.Publish(ctx, registry.Local, file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.OpenBundle(ctx, b.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p := make([]byte, 50)
		for _, at := range []int64{0, 1000, 500, b.Size - 50, 0} {
			if _, err := f.Seek(at, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(f, p); err != nil || !bytes.Equal(p, file[at:at+50]) {
				t.Errorf("at %d: %v", at, err)
			}
		}
		if n, err := f.Seek(-1, io.SeekEnd); n != b.Size-1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if rest, err := io.ReadAll(f); len(rest) != 1 || err != nil {
			t.Errorf("%d bytes, %v", len(rest), err)
		}
		if _, err := f.Seek(-1, io.SeekStart); err == nil {
			t.Error("sought before the start")
		}
	})
}

// What a process left that died between object and row is swept, and nothing
// else.
func TestOpen_sweeps(t *testing.T) {
	_, key := publisher()
	dir := t.TempDir()
	now := time.Now()
	o := registry.Options{Dir: dir, Keys: []sign.Key{key}, Now: func() time.Time { return now }}
	r := open(t, o)
	b, err := r.Publish(ctx, registry.Local, signedBundle(t, "1.0.0", 1))
	if err != nil {
		t.Fatal(err)
	}
	upload(t, r)
	stray := filepath.Join(dir, "objects", "sha256", "ab", "ab"+strings.Repeat("0", 62))
	partial := filepath.Join(dir, "objects", "sha256", "ab", "fileblob123")
	half := filepath.Join(dir, "uploads", "upload-1")
	if err := os.MkdirAll(filepath.Dir(stray), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{stray, partial, half} {
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	exist := func() (n int) {
		for _, p := range []string{stray, partial, half} {
			if _, err := os.Stat(p); err == nil {
				n++
			}
		}
		return n
	}
	open(t, o)
	if exist() != 3 {
		t.Error("something was swept that somebody may be writing")
	}
	now = now.Add(2 * time.Hour)
	r = open(t, o)
	if exist() != 0 {
		t.Errorf("%d of 3 are still there", exist())
	}
	if n, _ := consistent(t, r); n != 1 {
		t.Error("the bundle is gone")
	}
	if f, err := r.OpenBundle(ctx, b.Path); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	if _, err := r.Submit(ctx, registry.Local, registry.Spec{Recipe: "flows", Data: []string{"flows.csv"}}); err != nil {
		t.Error(err)
	}
}
