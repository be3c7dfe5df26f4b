package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Data is an uploaded file that jobs train on.
type Data struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	At     string `json:"uploaded_at,omitempty"`
	By     string `json:"uploaded_by,omitempty"`
}

const dataColumns = "name, sha256, size, at, by_actor"

func scanData(scan func(...any) error) (d Data, err error) {
	var at int64
	err = scan(&d.Name, &d.SHA256, &d.Size, &at, &d.By)
	d.At = stamp(at)
	return d, err
}

// isFileName reports whether s names a file of training data: what a model
// card may show and any file system can hold.
func isFileName(s string) bool {
	return s != "" && len(s) <= 128 && s[0] != '.' && s[0] != '-' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == ""
}

// Upload stores what body reads under name, for jobs. The same content again
// changes nothing; another content under a name that is taken is a Conflict:
// what a job was told to train on stays what it was. The body is written to
// disk as it comes, so that its size does not matter for memory.
func (r *Registry) Upload(ctx context.Context, by Actor, name string, body io.Reader) (d Data, err error) {
	if !isFileName(name) {
		return d, failf(Invalid, "data: want a name of 1 to 128 of A-Z, a-z, 0-9 and ._+-, not . or - first, got %.64q", name)
	}
	f, err := os.CreateTemp(filepath.Join(r.o.Dir, "uploads"), "upload-")
	if err != nil {
		return d, wrap("upload", err)
	}
	defer func() {
		f.Close()           // it is read or lost by now
		os.Remove(f.Name()) // else the next start sweeps it
	}()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(body, r.o.MaxData+1))
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, io.ErrUnexpectedEOF) {
			return d, &Error{Invalid, "upload: it was cut off", err}
		}
		return d, wrap("upload", err)
	}
	if size > r.o.MaxData {
		return d, failf(TooLarge, "upload: more than %d bytes", r.o.MaxData)
	}
	if size == 0 {
		return d, failf(Invalid, "upload: it is empty")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return d, wrap("upload", err)
	}
	d = Data{Name: name, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size}
	if err := r.objects.put(ctx, d.SHA256, d.Size, f); err != nil {
		return Data{}, err
	}
	taken := func(old Data) error {
		if old.SHA256 == d.SHA256 {
			return nil
		}
		return failf(Conflict, "data %s is there with another content, %s: take another name", name, short(old.SHA256))
	}
	err = r.db.tx(ctx, func(tx *sql.Tx) error {
		old, err := one(ctx, tx, scanData, "data "+name, "select "+dataColumns+" from data where name = $1", name)
		if err == nil {
			return taken(old)
		} else if KindOf(err) != NotFound {
			return err
		}
		if _, err := tx.ExecContext(ctx, "insert into data (name, sha256, size, at, by_actor) values ($1, $2, $3, $4, $5)", name, d.SHA256, size, r.now(), by.Name); err != nil {
			return err
		}
		return r.audit(ctx, tx, by, "upload", name+" "+short(d.SHA256), "done")
	})
	if isUnique(err) {
		var old Data
		if old, err = r.namedData(ctx, name); err == nil {
			err = taken(old)
		}
	}
	if err != nil {
		return Data{}, err
	}
	return r.namedData(ctx, name)
}

func (r *Registry) namedData(ctx context.Context, name string) (Data, error) {
	return one(ctx, r.db.read, scanData, "data "+name, "select "+dataColumns+" from data where name = $1", name)
}

// ListData lists the uploaded files by name.
func (r *Registry) ListData(ctx context.Context) ([]Data, error) {
	return all(ctx, r.db.read, scanData, "select "+dataColumns+" from data order by name limit $1", maxList)
}

// fetch copies an object to a file that the caller closes and removes, and
// compares its digest.
func (r *Registry) fetch(ctx context.Context, d Data) (f *os.File, err error) {
	o, err := r.objects.open(ctx, d.SHA256, d.Size)
	if err != nil {
		return nil, err
	}
	defer o.Close() // only read
	if f, err = os.CreateTemp(filepath.Join(r.o.Dir, "uploads"), "job-"); err != nil {
		return nil, wrap("job", err)
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), o)
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != d.SHA256 {
		err = failf(Corrupt, "data %s is not what was uploaded", d.Name)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, wrap("data "+d.Name, err)
	}
	return f, nil
}
