// Package channel reads and writes the signed pointer that says which bundles
// are current. It hides the document, its envelope and the checks that keep a
// server from handing out an old, expired or foreign one.
//
//	text, err := channel.Sign(private, channel.Channel{Name: "stable", Version: 7, Expires: soon, Targets: targets})
//	c, err := channel.Open(text, keys, time.Now(), lastSeen)
//	target, ok := c.Target("flows/1.0.0/" + sha256 + ".bundle")
//
// It is The Update Framework's timestamp role reduced to what a folder of
// bundles needs: one document, one key, no delegation. A file is a DSSE
// envelope, in the one spelling that package sign writes, around one spelling
// of this JSON, without white space:
//
//	{"_type":"cloister-channel","spec_version":"1.0","name":"stable","version":7,
//	 "expires":"2027-01-02T03:04:05Z",
//	 "targets":{"flows/1.0.0/3f…9a.bundle":{"length":160985,"hashes":{"sha256":"3f…9a"}}}}
//
// Targets are in byte order of their paths. Limits: 64 KiB, [MaxTargets]
// targets. Compatibility: readers accept every minor version up to [Minor] of
// major version [Major] and refuse all others by number; a minor version adds
// fields. Version 1.1 has, after the hashes of at least one target,
//
//	"custom":{"schema":"flow","title":"Flows of any source"}
//
// with one of both fields or both; without any, the version is 1.0, which
// programs before 1.3.0 read, too. testdata/kit holds test vectors: one file,
// one failure.
//
// Source: The Update Framework 1.0, sections 4.5, 5.3 to 5.6 and, for custom,
// 4.4; differs in the envelope (DSSE 1.0) and in leaving roles and thresholds
// out.
package channel

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloister/shared/bundle"
	"cloister/shared/sign"
)

// Type and Major are the document that [Sign] writes, Minor the highest minor
// version: that of documents with a title or a schema.
const (
	Type  = "cloister-channel"
	Major = 1
	Minor = 1
)

// MediaType is the payload type of the envelope.
const MediaType = "application/vnd.cloister.channel+json"

// MaxTargets bounds the targets of a channel: what fits into the 64 KiB that
// [sign.MaxSize] leaves for paths of usual length.
const MaxTargets = 128

const (
	maxName    = 64
	maxPath    = 256
	maxTitle   = 128 // bytes, as in a manifest
	maxSchema  = 64
	maxInteger = 1<<53 - 1 // JSON numbers are doubles for many readers
)

// Channel says which files are current under a name. It is a value: copies
// share Targets.
type Channel struct {
	Name    string // 1 to 64 of a-z, 0-9 and -, not - first: "stable"
	Version int64  // 1 to 2^53-1, one higher with each change
	Expires time.Time
	// Targets by path: segments of A-Z, a-z, 0-9, '.', '_' and '-' that do not
	// start with a dot, joined by '/', at most 256 bytes. There may be none.
	Targets map[string]Target
}

// Target is what a path must hold.
type Target struct {
	Length int64 // bytes, 1 to 2^53-1
	SHA256 [32]byte
	// Title and Schema are for lists of what nobody has loaded yet: what the
	// file says of itself, as whoever signs the channel has read it. Title is a
	// line of at most 128 bytes ([bundle.OneLine]), Schema at most 64 of A-Z,
	// a-z, 0-9, '.', '_' and '-'; empty where nothing is said.
	Title, Schema string
}

// Bare takes Title and Schema off all targets: c is then a document that
// readers of version 1.0 know.
func (c *Channel) Bare() {
	for path, t := range c.Targets {
		c.Targets[path] = Target{Length: t.Length, SHA256: t.SHA256}
	}
}

// Target returns what the path must hold, or false if the channel does not
// list it.
func (c *Channel) Target(path string) (Target, bool) {
	t, ok := c.Targets[path]
	return t, ok
}

// Paths returns the paths of all targets in byte order.
func (c *Channel) Paths() []string { return slices.Sorted(maps.Keys(c.Targets)) }

// FormatError means that a document breaks a rule: it is not in canonical
// form, or a field holds what it may not.
type FormatError struct {
	Field string // "targets", empty for the whole
	What  string // "want ...", with the value
}

// Error returns the field and the rule.
func (e *FormatError) Error() string {
	if e.Field == "" {
		return "channel: " + e.What
	}
	return "channel: " + e.Field + ": " + e.What
}

// UnsupportedError means that a document is of a type or version that this
// package does not read.
type UnsupportedError struct{ What string }

// Error names type and version.
func (e *UnsupportedError) Error() string { return "channel: unsupported: " + e.What }

// ExpiredError means that a document was valid until At.
type ExpiredError struct{ At time.Time }

// Error returns the date.
func (e *ExpiredError) Error() string {
	return "channel: expired " + e.At.UTC().Format(time.RFC3339)
}

// RollbackError means that a document is older than one seen before.
type RollbackError struct {
	Version, Seen int64
}

// Error returns both versions.
func (e *RollbackError) Error() string {
	return fmt.Sprintf("channel: version %d, but version %d has been seen: somebody serves an old document", e.Version, e.Seen)
}

// The documents in JSON; the order of the fields is that of the file.
type document struct {
	Type        string            `json:"_type"`
	SpecVersion string            `json:"spec_version"`
	Name        string            `json:"name"`
	Version     int64             `json:"version"`
	Expires     string            `json:"expires"`
	Targets     map[string]target `json:"targets"` // encoding/json sorts them
}

type target struct {
	Length int64   `json:"length"`
	Hashes hashes  `json:"hashes"`
	Custom *custom `json:"custom,omitempty"`
}

type custom struct {
	Schema string `json:"schema,omitempty"`
	Title  string `json:"title,omitempty"`
}

type hashes struct {
	SHA256 string `json:"sha256"`
}

// Sign returns the signed document of c. The same arguments give the same
// bytes. A field that breaks its rule is a [*FormatError]; the key's errors
// are those of [sign.Seal]. Fractions of a second of c.Expires are cut off.
func Sign(key *ecdsa.PrivateKey, c Channel) ([]byte, error) {
	payload, err := c.appendJSON()
	if err != nil {
		return nil, err
	}
	return sign.Seal(key, MediaType, payload)
}

// Open checks a signed document and returns it. now is the time that it must
// not have expired at; atLeast is the highest version of this channel that the
// caller has seen, 0 for none: callers keep the version of what they accept.
//
// Nothing is read before a key of keys is known to have signed it. Then, in
// this order: the type, the version of the format, the spelling, the fields,
// the channel's version, the expiry. Errors: [*sign.FormatError],
// [*sign.UnknownKeyError], [*sign.TamperedError]; [*UnsupportedError],
// [*FormatError], [*RollbackError], [*ExpiredError].
//
// One key may sign several channels: a caller who wants a certain one compares
// Name. Cost: one ECDSA verification, O(len(data)) memory.
func Open(data []byte, keys []sign.Key, now time.Time, atLeast int64) (*Channel, error) {
	payload, _, err := sign.Unseal(data, MediaType, keys)
	if err != nil {
		return nil, err
	}
	c, err := parse(payload)
	if err != nil {
		return nil, err
	}
	if c.Version < atLeast {
		return nil, &RollbackError{c.Version, atLeast}
	}
	if !now.Before(c.Expires) {
		return nil, &ExpiredError{c.Expires}
	}
	return c, nil
}

// appendJSON returns the one spelling of c.
func (c *Channel) appendJSON() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	minor := 0
	targets := make(map[string]target, len(c.Targets))
	for path, t := range c.Targets {
		to := target{Length: t.Length, Hashes: hashes{hex.EncodeToString(t.SHA256[:])}}
		if t.Title != "" || t.Schema != "" {
			minor, to.Custom = Minor, &custom{t.Schema, t.Title}
		}
		targets[path] = to
	}
	d := document{Type, fmt.Sprintf("%d.%d", Major, minor), c.Name, c.Version, c.Expires.UTC().Format(time.RFC3339), targets}
	b, err := json.Marshal(d)
	if err != nil {
		return nil, &FormatError{"", err.Error()} // unreachable: check leaves nothing that JSON cannot say
	}
	return b, nil
}

// parse reads a payload.
func parse(payload []byte) (*Channel, error) {
	var head struct {
		Type        string `json:"_type"`
		SpecVersion string `json:"spec_version"`
	}
	if err := json.Unmarshal(payload, &head); err != nil {
		return nil, &FormatError{"", "want a channel in JSON"}
	}
	if err := supported(head.Type, head.SpecVersion); err != nil {
		return nil, err
	}
	var d document
	r := json.NewDecoder(bytes.NewReader(payload))
	r.DisallowUnknownFields()
	if err := r.Decode(&d); err != nil {
		return nil, &FormatError{"", fmt.Sprintf("byte %d: %.64s", r.InputOffset(), err)}
	}
	expires, err := time.Parse(time.RFC3339, d.Expires)
	if err != nil {
		return nil, &FormatError{"expires", fmt.Sprintf("want a time like 2027-01-02T03:04:05Z, got %.64q", d.Expires)}
	}
	c := &Channel{d.Name, d.Version, expires.UTC(), make(map[string]Target, min(len(d.Targets), MaxTargets))}
	for path, t := range d.Targets {
		sum, err := hex.DecodeString(t.Hashes.SHA256)
		if err != nil || len(sum) != 32 {
			return nil, &FormatError{"targets", fmt.Sprintf("%.64q: want a SHA-256", path)}
		}
		to := Target{Length: t.Length, SHA256: [32]byte(sum)}
		if t.Custom != nil {
			to.Title, to.Schema = t.Custom.Title, t.Custom.Schema
		}
		c.Targets[path] = to
	}
	again, err := c.appendJSON()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, payload) {
		return nil, &FormatError{"", "not in canonical form"}
	}
	return c, nil
}

// supported refuses other types, majors and later minors.
func supported(kind, version string) error {
	major, minor, ok := strings.Cut(version, ".")
	n, errMajor := strconv.Atoi(major)
	k, errMinor := strconv.Atoi(minor)
	if kind == Type && ok && errMajor == nil && errMinor == nil && n == Major && k >= 0 && k <= Minor {
		return nil
	}
	return &UnsupportedError{fmt.Sprintf("%.64q %.16q, this program reads %q up to %d.%d", kind, version, Type, Major, Minor)}
}

// check returns the first rule that c breaks.
func (c *Channel) check() error {
	switch {
	case len(c.Name) > maxName || !only(c.Name, "-") || c.Name[0] == '-' || strings.ToLower(c.Name) != c.Name:
		return &FormatError{"name", fmt.Sprintf("want 1 to %d of a-z, 0-9 and -, not - first, got %.64q", maxName, c.Name)}
	case c.Version < 1 || c.Version > maxInteger:
		return &FormatError{"version", fmt.Sprintf("want 1 to 2^53-1, got %d", c.Version)}
	case c.Expires.UTC().Year() < 1970 || c.Expires.UTC().Year() > 9999:
		return &FormatError{"expires", "want a year of 1970 to 9999"}
	case len(c.Targets) > MaxTargets:
		return &FormatError{"targets", fmt.Sprintf("want at most %d, got %d", MaxTargets, len(c.Targets))}
	}
	for _, path := range c.Paths() {
		if !isPath(path) {
			return &FormatError{"targets", fmt.Sprintf("want a relative path, got %.64q", path)}
		}
		t := c.Targets[path]
		switch {
		case t.Length < 1 || t.Length > maxInteger:
			return &FormatError{"targets", fmt.Sprintf("%.64q: want a length of 1 to 2^53-1, got %d", path, t.Length)}
		case !bundle.OneLine(t.Title, maxTitle):
			return &FormatError{"targets", fmt.Sprintf("%.64q: title: want at most %d bytes on one line, got %.64q", path, maxTitle, t.Title)}
		case t.Schema != "" && !only(t.Schema, "._-") || len(t.Schema) > maxSchema:
			return &FormatError{"targets", fmt.Sprintf("%.64q: schema: want at most %d of A-Z, a-z, 0-9 and ._-, got %.64q", path, maxSchema, t.Schema)}
		}
	}
	return nil
}

// isPath reports whether p may name a target: it can neither climb nor be
// absolute, and needs no escaping in an address.
func isPath(p string) bool {
	if len(p) > maxPath {
		return false
	}
	for segment := range strings.SplitSeq(p, "/") {
		if !only(segment, "._-") || segment[0] == '.' {
			return false
		}
	}
	return true
}

// only reports whether s is not empty and made of ASCII letters, digits and
// the bytes of more.
func only(s, more string) bool {
	for _, b := range []byte(s) {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && strings.IndexByte(more, b) < 0 {
			return false
		}
	}
	return s != ""
}
