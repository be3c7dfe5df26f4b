package channel_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"cloister/shared/channel"
	"cloister/shared/sign"
)

// keyOf returns the key pair with a scalar made of text, so that test vectors
// reproduce.
func keyOf(t testing.TB, text string) (*ecdsa.PrivateKey, sign.Key) {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	public, err := sign.NewKey(text, &private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

var expires = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)

func sample() channel.Channel {
	sum := sha256.Sum256([]byte("bundle"))
	return channel.Channel{Name: "stable", Version: 7, Expires: expires, Targets: map[string]channel.Target{
		fmt.Sprintf("flows/1.0.0/%x.bundle", sum):     {Length: 160985, SHA256: sum, Title: "Flows of <any> source", Schema: "flow"},
		fmt.Sprintf("telemetry/0.9.1/%x.bundle", sum): {Length: 1, SHA256: sum},
	}}
}

func signed(t testing.TB, key *ecdsa.PrivateKey, c channel.Channel) []byte {
	t.Helper()
	b, err := channel.Sign(key, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// classOf names the outcome of Open.
func classOf(c *channel.Channel, err error) string {
	var (
		envelope    *sign.FormatError
		unknown     *sign.UnknownKeyError
		tampered    *sign.TamperedError
		unsupported *channel.UnsupportedError
		format      *channel.FormatError
		rollback    *channel.RollbackError
		expired     *channel.ExpiredError
	)
	switch {
	case err == nil:
		return "ok"
	case c != nil:
		return "an error and a result"
	case errors.As(err, &envelope):
		return "envelope"
	case errors.As(err, &unknown):
		return "unknown key"
	case errors.As(err, &tampered):
		return "tampered"
	case errors.As(err, &unsupported):
		return "unsupported"
	case errors.As(err, &format):
		return "format"
	case errors.As(err, &rollback):
		return "rollback"
	case errors.As(err, &expired):
		return "expired"
	}
	return err.Error()
}

func TestOpen_readsWhatSignWrote(t *testing.T) {
	private, public := keyOf(t, "publisher")
	_, other := keyOf(t, "other")
	want := sample()
	text := signed(t, private, want)
	if !bytes.Equal(text, signed(t, private, want)) {
		t.Error("signing twice gives two documents")
	}
	c, err := channel.Open(text, []sign.Key{other, public}, expires.Add(-time.Second), 7)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != want.Name || c.Version != want.Version || !c.Expires.Equal(want.Expires) || !maps.Equal(c.Targets, want.Targets) {
		t.Errorf("%+v, want %+v", c, want)
	}
	paths := c.Paths()
	if len(paths) != 2 || !strings.HasPrefix(paths[0], "flows/") {
		t.Errorf("paths %q", paths)
	}
	if got, ok := c.Target(paths[0]); !ok || got.Length != 160985 {
		t.Errorf("target %+v, %v", got, ok)
	}
	if _, ok := c.Target("flows"); ok {
		t.Error("a target that is not listed")
	}
	if !bytes.Equal(signed(t, private, *c), text) {
		t.Error("what was read signs to other bytes")
	}
	// a channel of nothing, in another zone and with fractions
	c, err = channel.Open(signed(t, private, channel.Channel{Name: "x", Version: 1, Expires: expires.In(time.FixedZone("", 3600)).Add(999)}), []sign.Key{public}, time.Unix(0, 0), 0)
	if err != nil || len(c.Targets) != 0 || !c.Expires.Equal(expires) {
		t.Errorf("%+v, %v", c, err)
	}
}

// A document says 1.1 only where it has a title or a schema: what 1.0 can say
// is written as it always was.
func TestSign_minorVersion(t *testing.T) {
	private, public := keyOf(t, "publisher")
	payload := func(c channel.Channel) string {
		b, _, err := sign.Unseal(signed(t, private, c), channel.MediaType, []sign.Key{public})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	c := sample()
	before := maps.Clone(c.Targets)
	if got := payload(c); !strings.Contains(got, `"spec_version":"1.1"`) || strings.Count(got, `"custom"`) != 1 {
		t.Errorf("with a title: %s", got)
	}
	c.Targets = maps.Clone(c.Targets)
	c.Bare()
	if got := payload(c); !strings.Contains(got, `"spec_version":"1.0"`) || strings.Contains(got, "custom") {
		t.Errorf("bare: %s", got)
	}
	for path, target := range c.Targets {
		if w := before[path]; target.SHA256 != w.SHA256 || target.Length != w.Length {
			t.Errorf("%s: %+v, was %+v", path, target, w)
		}
	}
}

func TestOpen_rollbackAndExpiry(t *testing.T) {
	private, public := keyOf(t, "publisher")
	text := signed(t, private, sample())
	for _, tt := range []struct {
		now     time.Time
		atLeast int64
		want    string
	}{
		{expires.Add(-time.Second), 0, "ok"},
		{expires.Add(-time.Second), 7, "ok"},
		{expires.Add(-time.Second), 8, "rollback"},
		{expires, 7, "expired"},
		{expires.Add(time.Hour), 0, "expired"},
		{expires.Add(time.Hour), 8, "rollback"},
	} {
		if got := classOf(channel.Open(text, []sign.Key{public}, tt.now, tt.atLeast)); got != tt.want {
			t.Errorf("at %v, seen %d: %s, want %s", tt.now, tt.atLeast, got, tt.want)
		}
	}
	_, err := channel.Open(text, []sign.Key{public}, expires, 9)
	if r, ok := errors.AsType[*channel.RollbackError](err); !ok || r.Version != 7 || r.Seen != 9 {
		t.Errorf("%v", err)
	}
	_, err = channel.Open(text, []sign.Key{public}, expires, 0)
	if e, ok := errors.AsType[*channel.ExpiredError](err); !ok || !e.At.Equal(expires) {
		t.Errorf("%v", err)
	}
}

func TestSign_refuses(t *testing.T) {
	private, _ := keyOf(t, "publisher")
	path := func(p string) func(*channel.Channel) {
		return func(c *channel.Channel) { c.Targets = map[string]channel.Target{p: {Length: 1}} }
	}
	labels := func(title, schema string) func(*channel.Channel) {
		return func(c *channel.Channel) {
			c.Targets = map[string]channel.Target{"a": {Length: 1, Title: title, Schema: schema}}
		}
	}
	tests := map[string]struct {
		change func(*channel.Channel)
		field  string
	}{
		"no name":            {func(c *channel.Channel) { c.Name = "" }, "name"},
		"long name":          {func(c *channel.Channel) { c.Name = strings.Repeat("a", 65) }, "name"},
		"capital":            {func(c *channel.Channel) { c.Name = "Stable" }, "name"},
		"dash first":         {func(c *channel.Channel) { c.Name = "-a" }, "name"},
		"version 0":          {func(c *channel.Channel) { c.Version = 0 }, "version"},
		"version too big":    {func(c *channel.Channel) { c.Version = 1 << 53 }, "version"},
		"no expiry":          {func(c *channel.Channel) { c.Expires = time.Time{} }, "expires"},
		"far expiry":         {func(c *channel.Channel) { c.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "expires"},
		"no length":          {func(c *channel.Channel) { c.Targets = map[string]channel.Target{"a": {}} }, "targets"},
		"length too big":     {func(c *channel.Channel) { c.Targets = map[string]channel.Target{"a": {Length: 1 << 53}} }, "targets"},
		"empty path":         {path(""), "targets"},
		"absolute path":      {path("/a"), "targets"},
		"climbing path":      {path("a/../b"), "targets"},
		"dot file":           {path("a/.b"), "targets"},
		"backslash":          {path(`a\b`), "targets"},
		"space":              {path("a b"), "targets"},
		"not UTF-8":          {path("a\xff"), "targets"},
		"folder":             {path("a/"), "targets"},
		"long path":          {path(strings.Repeat("a", 257)), "targets"},
		"title of two lines": {labels("a\nb", ""), "targets"},
		"long title":         {labels(strings.Repeat("a", 129), ""), "targets"},
		"title no UTF-8":     {labels("a\xff", ""), "targets"},
		"long schema":        {labels("", strings.Repeat("a", 65)), "targets"},
		"schema of words":    {labels("", "a b"), "targets"},
		"too many targets":   {func(c *channel.Channel) { c.Targets = many(channel.MaxTargets + 1) }, "targets"},
	}
	for name, tt := range tests {
		c := sample()
		tt.change(&c)
		b, err := channel.Sign(private, c)
		if f, ok := errors.AsType[*channel.FormatError](err); b != nil || !ok || f.Field != tt.field {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	for name, change := range map[string]func(*channel.Channel){
		"longest name":       func(c *channel.Channel) { c.Name = strings.Repeat("a", 64) },
		"largest version":    func(c *channel.Channel) { c.Version = 1<<53 - 1 },
		"longest path":       path(strings.Repeat("a", 256)),
		"as many as allowed": func(c *channel.Channel) { c.Targets = many(channel.MaxTargets) },
	} {
		c := sample()
		change(&c)
		if _, err := channel.Sign(private, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// many returns n targets with paths of the length that bundles have.
func many(n int) map[string]channel.Target {
	out := map[string]channel.Target{}
	for i := range n {
		sum := sha256.Sum256(fmt.Append(nil, i))
		out[fmt.Sprintf("flows/1.%d.0/%x.bundle", i, sum)] = channel.Target{Length: 1 << 20, SHA256: sum, Title: "Flows, columns of CICFlowMeter", Schema: "flow"}
	}
	return out
}

// No byte of a document may change.
func TestOpen_everyByte(t *testing.T) {
	private, public := keyOf(t, "publisher")
	text := signed(t, private, sample())
	id := bytes.Index(text, []byte(public.Fingerprint()))
	tried := 0
	for i := range text {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			b := bytes.Clone(text)
			b[i] ^= flip
			tried++
			got := classOf(channel.Open(b, []sign.Key{public}, time.Unix(0, 0), 0))
			if got != "envelope" && got != "tampered" && (got != "unknown key" || i < id || i >= id+64) {
				t.Fatalf("byte %d ^ %#x: %s", i, flip, got)
			}
		}
		if got := classOf(channel.Open(text[:i], []sign.Key{public}, time.Unix(0, 0), 0)); got != "envelope" {
			t.Fatalf("the first %d bytes: %s", i, got)
		}
	}
	if tried < 2500 {
		t.Errorf("%d changes tried", tried)
	}
}

// FuzzOpen checks a payload that the right key signed: whatever reads back
// signs to the same bytes.
func FuzzOpen(f *testing.F) {
	private, public := keyOf(f, "publisher")
	for _, v := range vectors(f) {
		if v.payload != "" {
			f.Add([]byte(v.payload))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		text, err := sign.Seal(private, channel.MediaType, payload)
		if err != nil {
			return
		}
		c, err := channel.Open(text, []sign.Key{public}, time.Unix(0, 0), 0)
		switch class := classOf(c, err); class {
		case "ok":
			if again := signed(t, private, *c); !bytes.Equal(again, text) {
				t.Errorf("%s, then %s", text, again)
			}
		case "unsupported", "format", "expired":
		default:
			t.Errorf("%s: %v", class, err)
		}
	})
}
