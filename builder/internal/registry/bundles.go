package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"cloister/builder/internal/publish"
	"cloister/shared/bundle"
	"cloister/shared/sign"
)

// Bundle is a published bundle.
type Bundle struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
	Path        string `json:"path"`   // below bundles/, also in channels: name/version/sha256.bundle
	Signer      string `json:"signer"` // fingerprint of the key, empty if nobody known signed
	PublishedAt string `json:"published_at"`
	PublishedBy string `json:"published_by"`
	YankedAt    string `json:"yanked_at,omitempty"`
	YankReason  string `json:"yank_reason,omitempty"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

const bundleColumns = "name, version, sha256, size, signer, published_at, published_by, yanked_at, yank_reason, manifest"

func scanBundle(scan func(...any) error) (b Bundle, err error) {
	var published, yanked int64
	var manifest string
	if err = scan(&b.Name, &b.Version, &b.SHA256, &b.Size, &b.Signer, &published, &b.PublishedBy, &yanked, &b.YankReason, &manifest); err != nil {
		return b, err
	}
	b.PublishedAt, b.YankedAt = stamp(published), stamp(yanked)
	b.Path = BundlePath(b.Name, b.Version, b.SHA256)
	var m struct{ Title, Description string }
	if err := json.Unmarshal([]byte(manifest), &m); err != nil {
		return b, &Error{Corrupt, "database: the manifest of " + b.Path, err}
	}
	b.Title, b.Description = m.Title, m.Description
	return b, nil
}

// BundlePath returns the path under which a bundle is served and named in
// channels: it holds the digest, so what it names never changes.
func BundlePath(name, version, sha string) string {
	return name + "/" + version + "/" + sha + ".bundle"
}

// Publish checks file as [publish.Lint] does, and in WebAssembly if there is a
// gate, and makes it visible. The same bytes may be published again: that
// changes nothing. Another content under a name and version that are taken is
// a Conflict. A bundle that is unfit is Invalid, with a [*publish.LintError].
func (r *Registry) Publish(ctx context.Context, by Actor, file []byte) (Bundle, error) {
	if int64(len(file)) > r.o.MaxBundle {
		return Bundle{}, failf(TooLarge, "bundle: %d bytes, at most %d", len(file), r.o.MaxBundle)
	}
	b, signer, err := r.Check(ctx, file)
	if err != nil {
		return Bundle{}, err
	}
	m := b.Manifest()
	sum := sha256.Sum256(file)
	sha := hex.EncodeToString(sum[:])
	if err := r.objects.put(ctx, sha, int64(len(file)), bytes.NewReader(file)); err != nil {
		return Bundle{}, err
	}
	manifest, _ := b.File(bundle.ManifestName) // every bundle has one
	err = r.db.tx(ctx, func(tx *sql.Tx) error {
		old, err := one(ctx, tx, scanBundle, "bundle", "select "+bundleColumns+" from bundles where name = $1 and version = $2", m.Name, m.Version)
		switch {
		case err == nil && old.SHA256 == sha:
			return nil // published before
		case err == nil:
			return failf(Conflict, "%s %s is published with another content, %s; a version never changes: take a new one", m.Name, m.Version, short(old.SHA256))
		case KindOf(err) != NotFound:
			return err
		}
		if _, err := tx.ExecContext(ctx, "insert into bundles (sha256, name, version, size, manifest, signer, published_at, published_by, yanked_at, yank_reason) values ($1, $2, $3, $4, $5, $6, $7, $8, 0, '')",
			sha, m.Name, m.Version, len(file), string(manifest), signer, r.now(), by.Name); err != nil {
			return err
		}
		return r.audit(ctx, tx, by, "publish", BundlePath(m.Name, m.Version, sha), "done")
	})
	if isUnique(err) { // somebody was faster, with PostgreSQL
		var old Bundle
		if old, err = r.Bundle(ctx, m.Name, m.Version); err == nil && old.SHA256 != sha {
			err = failf(Conflict, "%s %s is published with another content, %s; a version never changes: take a new one", m.Name, m.Version, short(old.SHA256))
		}
	}
	if err != nil {
		return Bundle{}, err
	}
	return r.Bundle(ctx, m.Name, m.Version)
}

// Check returns the bundle in file if it is fit to be published here, and the
// fingerprint of the known key that signed it. Nothing is stored.
func (r *Registry) Check(ctx context.Context, file []byte) (*bundle.Bundle, string, error) {
	found, err := publish.Lint(file, publish.LintOptions{Keys: r.o.Keys, Unsigned: r.o.Unsigned})
	if err == nil && len(found) == 0 && r.o.Gate != "" {
		_, err = publish.Replay(ctx, r.o.Gate, file)
		if errors.Is(err, publish.ErrNoGate) {
			return nil, "", wrap("gate", err)
		}
	}
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	if err == nil && len(found) > 0 {
		err = &publish.LintError{Findings: found}
	}
	if err != nil {
		return nil, "", &Error{Invalid, "bundle", err}
	}
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		return nil, "", &Error{Invalid, "bundle", err}
	}
	trust, err := sign.Check(a, r.keys)
	if err != nil {
		return nil, "", &Error{Invalid, "bundle", err}
	}
	signer := ""
	if trust.State == sign.Verified {
		signer = trust.Fingerprint
	}
	b, err := a.Decode()
	if err != nil {
		return nil, "", &Error{Invalid, "bundle", err}
	}
	return b, signer, nil
}

// Bundles lists the published bundles of a name, or all for "", by name, the
// latest first.
func (r *Registry) Bundles(ctx context.Context, name string) ([]Bundle, error) {
	return all(ctx, r.db.read, scanBundle, "select "+bundleColumns+" from bundles where $1 = '' or name = $1 order by name, published_at desc, version desc limit $2", name, maxList)
}

// Bundle returns one published bundle.
func (r *Registry) Bundle(ctx context.Context, name, version string) (Bundle, error) {
	return one(ctx, r.db.read, scanBundle, "bundle "+name+" "+version, "select "+bundleColumns+" from bundles where name = $1 and version = $2", name, version)
}

// OpenBundle opens the file of a published bundle by its path. A path that
// does not name exactly a published bundle is NotFound; bytes that are not
// what was published are Corrupt.
func (r *Registry) OpenBundle(ctx context.Context, path string) (*Object, error) {
	parts := strings.Split(path, "/")
	if len(parts) != 3 || BundlePath(parts[0], parts[1], strings.TrimSuffix(parts[2], ".bundle")) != path {
		return nil, failf(NotFound, "there is no bundle %.128q", path)
	}
	b, err := r.Bundle(ctx, parts[0], parts[1])
	if err != nil {
		return nil, err
	}
	if b.Path != path {
		return nil, failf(NotFound, "there is no bundle %.128q", path)
	}
	return r.objects.open(ctx, b.SHA256, b.Size)
}

// DecodeBundle returns a published bundle with its content.
func (r *Registry) DecodeBundle(ctx context.Context, name, version string) (*bundle.Bundle, error) {
	b, err := r.Bundle(ctx, name, version)
	if err != nil {
		return nil, err
	}
	file, err := r.objects.bytes(ctx, b.SHA256)
	if err != nil {
		return nil, err
	}
	d, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		return nil, &Error{Corrupt, b.Path, err}
	}
	return d, nil
}

// Yank marks a bundle as one that nobody should take any more, and says why.
// It stays under its path, for those who have to look at it. One that a
// current channel hands out is a Conflict: promote another one first.
func (r *Registry) Yank(ctx context.Context, by Actor, name, version, reason string) (Bundle, error) {
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > 1024 || !plain(reason) {
		return Bundle{}, failf(Invalid, "yank: want a reason of 1 to 1024 bytes on one line")
	}
	err := r.db.tx(ctx, func(tx *sql.Tx) error {
		b, err := one(ctx, tx, scanBundle, "bundle "+name+" "+version, "select "+bundleColumns+" from bundles where name = $1 and version = $2"+r.db.forUpdate(), name, version)
		if err != nil {
			return err
		}
		if b.YankedAt != "" {
			return nil // the first reason stays
		}
		current, err := r.currentChannels(ctx, tx)
		if err != nil {
			return err
		}
		for _, c := range current {
			if _, ok := c.Document.Target(b.Path); ok {
				return failf(Conflict, "channel %s hands out %s %s: promote another version first", c.Name, name, version)
			}
		}
		if _, err := tx.ExecContext(ctx, "update bundles set yanked_at = $1, yank_reason = $2 where sha256 = $3", r.now(), reason, b.SHA256); err != nil {
			return err
		}
		return r.audit(ctx, tx, by, "yank", b.Path, reason)
	})
	if err != nil {
		return Bundle{}, err
	}
	return r.Bundle(ctx, name, version)
}

// CountBundles counts the published bundles that are current and those that
// are yanked.
func (r *Registry) CountBundles(ctx context.Context) (current, yanked int, err error) {
	err = r.db.read.QueryRowContext(ctx, "select coalesce(sum(case when yanked_at = 0 then 1 else 0 end), 0), coalesce(sum(case when yanked_at = 0 then 0 else 1 end), 0) from bundles").Scan(&current, &yanked)
	return current, yanked, wrap("database", err)
}
