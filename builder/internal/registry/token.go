package registry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Role is what the holder of a token may do; each includes those before it.
type Role string

// The roles.
const (
	Read    Role = "read"    // list and fetch
	Publish Role = "publish" // and publish, promote, submit and cancel jobs
	Admin   Role = "admin"   // and yank, tokens, audit log
)

var roles = []Role{Read, Publish, Admin}

// Includes reports whether a token of role r may do what asks for want.
func (r Role) Includes(want Role) bool {
	return slices.Contains(roles, r) && slices.Index(roles, r) >= slices.Index(roles, want)
}

// Token is what is known of a token; its secret is only known to its holder.
type Token struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Role    Role   `json:"role"`
	Created string `json:"created_at"`
	Expires string `json:"expires_at,omitempty"`
	Revoked string `json:"revoked_at,omitempty"`
}

// Actor is who does something: the name of a token, and its role.
type Actor struct {
	Name string
	Role Role
}

// Local is whoever runs commands on the machine of the registry.
var Local = Actor{"local", Admin}

const tokenPrefix = "clo_"

const maxNote = 128

// hashToken returns what is stored of a secret. It is 256 random bits, so a
// plain SHA-256 cannot be turned around by trying.
func hashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

const tokenColumns = "id, name, role, created_at, expires_at, revoked_at"

func scanToken(scan func(...any) error) (t Token, err error) {
	var created, expires, revoked int64
	err = scan(&t.ID, &t.Name, &t.Role, &created, &expires, &revoked)
	t.Created, t.Expires, t.Revoked = stamp(created), stamp(expires), stamp(revoked)
	return t, err
}

// CreateToken makes a token and returns its secret, which is shown once and
// not stored. lifetime 0 means that it does not expire.
func (r *Registry) CreateToken(ctx context.Context, by Actor, name string, role Role, lifetime time.Duration) (string, Token, error) {
	if name == "" || len(name) > maxNote || !plain(name) {
		return "", Token{}, failf(Invalid, "token: want a name of 1 to %d bytes without control characters, got %.64q", maxNote, name)
	}
	if !slices.Contains(roles, role) {
		return "", Token{}, failf(Invalid, "token: role %.64q is none of read, publish, admin", role)
	}
	if lifetime < 0 {
		return "", Token{}, failf(Invalid, "token: a lifetime of %s", lifetime)
	}
	var b [32]byte
	rand.Read(b[:]) // never fails
	secret := tokenPrefix + hex.EncodeToString(b[:])
	now, expires := r.now(), int64(0)
	if lifetime > 0 {
		expires = now + lifetime.Milliseconds()
	}
	id := r.newID()
	err := r.db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "insert into tokens (id, hash, name, role, created_at, expires_at, revoked_at) values ($1, $2, $3, $4, $5, $6, 0)",
			id, hashToken(secret), name, string(role), now, expires); err != nil {
			return err
		}
		return r.audit(ctx, tx, by, "token create", name+" "+string(role), "done")
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, Token{ID: id, Name: name, Role: role, Created: stamp(now), Expires: stamp(expires)}, nil
}

// Tokens lists all tokens, oldest first.
func (r *Registry) Tokens(ctx context.Context) ([]Token, error) {
	return all(ctx, r.db.read, scanToken, "select "+tokenColumns+" from tokens order by id")
}

// RevokeToken ends a token; one that has ended stays as it is.
func (r *Registry) RevokeToken(ctx context.Context, by Actor, id string) error {
	return r.db.tx(ctx, func(tx *sql.Tx) error {
		t, err := one(ctx, tx, scanToken, "such token", "select "+tokenColumns+" from tokens where id = $1", id)
		if err != nil || t.Revoked != "" {
			return err
		}
		if _, err := tx.ExecContext(ctx, "update tokens set revoked_at = $1 where id = $2", r.now(), id); err != nil {
			return err
		}
		return r.audit(ctx, tx, by, "token revoke", t.Name, "done")
	})
}

// Authenticate returns who holds secret. A secret that is unknown, revoked or
// expired is Denied, with one text for all three.
func (r *Registry) Authenticate(ctx context.Context, secret string) (Actor, error) {
	denied := failf(Denied, "the token is not valid here")
	if len(secret) != len(tokenPrefix)+64 || !strings.HasPrefix(secret, tokenPrefix) {
		return Actor{}, denied
	}
	t, err := one(ctx, r.db.read, func(scan func(...any) error) (a Actor, err error) { return a, scan(&a.Name, &a.Role) }, "token",
		"select name, role from tokens where hash = $1 and revoked_at = 0 and (expires_at = 0 or expires_at > $2)", hashToken(secret), r.now())
	if KindOf(err) == NotFound {
		return Actor{}, denied
	}
	return t, err
}

// Denied records that somebody was refused.
func (r *Registry) Denied(ctx context.Context, a Actor, action string) error {
	return r.db.tx(ctx, func(tx *sql.Tx) error { return r.audit(ctx, tx, a, action, "", "denied") })
}

// plain reports whether s has no control characters and is UTF-8.
func plain(s string) bool {
	return strings.ToValidUTF8(s, "\x00") == s && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 })
}
