package registry

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"cloister/shared/channel"
)

// maxExpiry bounds how long a channel may be valid: whoever can hold back new
// documents can keep a reader on the old one for as long.
const maxExpiry = 400 * 24 * time.Hour

// Channel is a state of a channel.
type Channel struct {
	Name     string           `json:"name"`
	Version  int64            `json:"version"`
	Expires  string           `json:"expires"`
	At       string           `json:"promoted_at"`
	By       string           `json:"promoted_by"`
	Targets  []string         `json:"targets"` // paths of bundles
	Document *channel.Channel `json:"-"`
	Signed   []byte           `json:"-"` // the document as it was signed
}

const channelColumns = "name, version, expires, at, by_actor, document"

func (r *Registry) scanChannel(scan func(...any) error) (c Channel, err error) {
	var expires, at int64
	var document string
	if err = scan(&c.Name, &c.Version, &expires, &at, &c.By, &document); err != nil {
		return c, err
	}
	c.Expires, c.At, c.Signed = stamp(expires), stamp(at), []byte(document)
	// It was checked when it came in; that it expired since is for readers.
	if c.Document, err = channel.Open(c.Signed, r.keys, time.Unix(0, 0), c.Version); err != nil {
		return c, &Error{Corrupt, "channel " + c.Name, err}
	}
	c.Targets = c.Document.Paths()
	return c, nil
}

// Promote makes a signed channel document the current one. It must be signed
// by a known key, be of the next version (somebody who promoted meanwhile is a
// Conflict, an older document too), not have expired nor be valid for more
// than 400 days, and list bundles that are published here and not yanked.
func (r *Registry) Promote(ctx context.Context, by Actor, name string, document []byte) (Channel, error) {
	c, err := channel.Open(document, r.keys, r.o.Now(), 0)
	if err != nil {
		return Channel{}, &Error{Invalid, "promote", err}
	}
	if c.Name != name {
		return Channel{}, failf(Invalid, "promote: the document is of channel %q, not %.64q", c.Name, name)
	}
	if c.Expires.After(r.o.Now().Add(maxExpiry)) {
		return Channel{}, failf(Invalid, "promote: it is valid until %s, at most %d days are", c.Expires.Format(time.RFC3339), int(maxExpiry.Hours()/24))
	}
	stale := func() error {
		return failf(Conflict, "promote: version %d of channel %s is not the next one: fetch the channel and promote again", c.Version, name)
	}
	err = r.db.tx(ctx, func(tx *sql.Tx) error {
		var have int64
		if err := tx.QueryRowContext(ctx, "select coalesce(max(version), 0) from channels where name = $1", name).Scan(&have); err != nil {
			return err
		}
		if c.Version != have+1 {
			return stale()
		}
		for _, path := range c.Paths() {
			parts := strings.Split(path, "/")
			if len(parts) != 3 {
				return failf(Invalid, "promote: %.128q is no path of a bundle", path)
			}
			b, err := one(ctx, tx, scanBundle, "bundle "+path, "select "+bundleColumns+" from bundles where name = $1 and version = $2"+r.db.forShare(), parts[0], parts[1])
			if err != nil {
				return err
			}
			target, _ := c.Target(path)
			switch {
			case b.Path != path || target.Length != b.Size || b.SHA256 != hex.EncodeToString(target.SHA256[:]):
				return failf(Invalid, "promote: %.128q is not what is published as %s %s", path, b.Name, b.Version)
			case b.YankedAt != "":
				return failf(Conflict, "promote: %s %s was yanked: %s", b.Name, b.Version, b.YankReason)
			}
		}
		if _, err := tx.ExecContext(ctx, "insert into channels (name, version, expires, document, at, by_actor) values ($1, $2, $3, $4, $5, $6)",
			name, c.Version, c.Expires.UnixMilli(), string(document), r.now(), by.Name); err != nil {
			return err
		}
		subject, err := json.Marshal(map[string]any{"channel": name, "version": c.Version, "targets": c.Paths()})
		if err != nil {
			return err
		}
		return r.audit(ctx, tx, by, "promote", string(subject), "done")
	})
	if isUnique(err) {
		err = stale()
	}
	if err != nil {
		return Channel{}, err
	}
	return r.Channel(ctx, name)
}

// Channel returns the current state of a channel.
func (r *Registry) Channel(ctx context.Context, name string) (Channel, error) {
	return one(ctx, r.db.read, r.scanChannel, "channel "+name, "select "+channelColumns+" from channels where name = $1 order by version desc limit 1", name)
}

// Channels lists the current state of every channel by name.
func (r *Registry) Channels(ctx context.Context) ([]Channel, error) {
	return r.currentChannels(ctx, r.db.read)
}

func (r *Registry) currentChannels(ctx context.Context, q queryer) ([]Channel, error) {
	return all(ctx, q, r.scanChannel, "select "+channelColumns+" from channels c where version = (select max(version) from channels where name = c.name) order by name limit $1", maxList)
}

// History lists the states of a channel, newest first.
func (r *Registry) History(ctx context.Context, name string) ([]Channel, error) {
	return all(ctx, r.db.read, r.scanChannel, "select "+channelColumns+" from channels where name = $1 order by version desc limit $2", name, maxList)
}
