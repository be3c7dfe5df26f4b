package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"cloister/shared/bundle"
	"cloister/shared/channel"
	"cloister/shared/header"
	"cloister/shared/sign"
)

// mayUpload answers those who may not.
func (t *talk) mayUpload() bool {
	switch {
	case len(t.e.c.UploadTokens) == 0:
		t.refuse(404, "uploading is off here")
	case !t.allowed(t.e.c.UploadTokens):
		t.unauthorized()
	default:
		return true
	}
	return false
}

func (t *talk) unauthorized() {
	t.refuse(401, "send a token that may do this: Authorization: Bearer TOKEN", header.Header{Name: "WWW-Authenticate", Value: "Bearer"})
}

// putBundle stores a bundle under the address that holds its hash. What is
// there already stays: an address never changes its content.
func (t *talk) putBundle() {
	if !t.mayUpload() {
		return
	}
	_, _, hash, ok := bundleAddress(t.r.Path)
	if !ok {
		t.refuse(400, "want /bundles/NAME/VERSION/SHA256.bundle")
		return
	}
	digest := sha256.Sum256(t.r.Body)
	if hex.EncodeToString(digest[:]) != hash {
		t.refuse(422, fmt.Sprintf("the body has SHA-256 %x, the address says %s", digest, hash))
		return
	}
	if err := t.trusted(); err != nil {
		t.refuse(422, "not stored: "+err.Error())
		return
	}
	stored := t.do(Op{Kind: OpPut, Key: t.r.Path[1:], Body: t.r.Body, SHA256: digest})
	switch {
	case stored.Err != "":
		t.broken(stored.Err)
	case !stored.OK:
		t.json(200, map[string]string{"stored": "before", "sha256": hash})
	default:
		t.json(201, map[string]string{"stored": "now", "sha256": hash})
	}
}

// trusted refuses a body that is no bundle, or one that no publisher signed.
func (t *talk) trusted() error {
	a, err := bundle.Open(t.r.Body, bundle.Limits{})
	if err != nil {
		return err
	}
	trust, err := sign.Check(a, t.e.c.Publishers)
	if err != nil {
		return err
	}
	if trust.State != sign.Verified {
		return fmt.Errorf("signature: %s; a publisher that this deployment knows has to sign it", trust.State)
	}
	_, err = a.Decode()
	return err
}

// putChannel replaces the channel by a newer one whose targets are all stored.
func (t *talk) putChannel() {
	if !t.mayUpload() {
		return
	}
	if len(t.e.c.Channel) == 0 {
		t.refuse(409, "this deployment knows no key for the channel: set CHANNEL_KEYS")
		return
	}
	now, stored, err := t.channel()
	if stored.Err != "" {
		t.broken(stored.Err)
		return
	}
	var expired *channel.ExpiredError
	if err != nil && !errors.As(err, &expired) {
		t.fail("the stored channel does not hold: " + err.Error()) // a good one repairs it
	}
	atLeast := t.e.seen + 1
	if now != nil {
		atLeast = max(atLeast, now.Version+1)
	}
	next, err := channel.Open(t.r.Body, t.e.c.Channel, t.e.c.Now(), atLeast)
	var older *channel.RollbackError
	switch {
	case errors.As(err, &older):
		t.refuse(409, fmt.Sprintf("version %d is not newer than version %d, which is stored", older.Version, older.Seen-1))
		return
	case err != nil:
		t.refuse(422, err.Error())
		return
	}
	for _, p := range next.Paths() {
		found := t.do(Op{Kind: OpGet, Key: "bundles/" + p, Length: 1})
		switch {
		case found.Err != "":
			t.broken(found.Err)
			return
		case !found.Found:
			t.refuse(422, fmt.Sprintf("%s is not stored: upload it first", p))
			return
		case found.Size != next.Targets[p].Length:
			t.refuse(422, fmt.Sprintf("%s is stored with %d bytes, the channel says %d", p, found.Size, next.Targets[p].Length))
			return
		}
	}
	put := t.do(Op{Kind: OpPut, Key: channelPath[1:], Body: t.r.Body, SHA256: sha256.Sum256(t.r.Body), IfMatch: stored.ETag})
	switch {
	case put.Err != "":
		t.broken(put.Err)
	case !put.OK:
		t.refuse(409, "somebody else published at the same time: read the channel and try again")
	default:
		t.e.seen = next.Version
		t.json(200, map[string]any{"channel": next.Name, "version": next.Version})
	}
}
