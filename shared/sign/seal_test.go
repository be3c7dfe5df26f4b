package sign_test

import (
	"bytes"
	"crypto/elliptic"
	"errors"
	"strings"
	"testing"

	"cloister/shared/sign"
)

func TestSeal_unseals(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		private, public := newKey(t, "Example", curve)
		_, other := newKey(t, "Other", curve)
		text, err := sign.Seal(private, "text/plain", []byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		payload, key, err := sign.Unseal(text, "text/plain", []sign.Key{other, public})
		if string(payload) != "hello" || key.Name != "Example" || err != nil {
			t.Errorf("%q by %q: %v", payload, key.Name, err)
		}
		_, _, err = sign.Unseal(text, "text/plain", []sign.Key{other})
		if u, ok := errors.AsType[*sign.UnknownKeyError](err); !ok || u.Fingerprint != public.Fingerprint() {
			t.Errorf("another key: %v", err)
		}
		if _, _, err = sign.Unseal(text, "text/html", []sign.Key{public}); classOf(sign.Trust{}, err) != "format" {
			t.Errorf("another kind: %v", err)
		}
	}
}

func TestSeal_limits(t *testing.T) {
	private, public := newKey(t, "", elliptic.P256())
	for _, tt := range []struct {
		kind, payload string
		ok            bool
	}{
		{"", "x", false},
		{"text/plain", "", false},
		{"text/plain", strings.Repeat("x", 48800), true},
		{"text/plain", strings.Repeat("x", 49152), false},
	} {
		text, err := sign.Seal(private, tt.kind, []byte(tt.payload))
		if (err == nil) != tt.ok || err != nil && (text != nil || classOf(sign.Trust{}, err) != "format") {
			t.Errorf("kind %q, %d bytes: %v", tt.kind, len(tt.payload), err)
		}
		if err == nil {
			if _, _, err := sign.Unseal(text, tt.kind, []sign.Key{public}); err != nil {
				t.Error(err)
			}
		}
	}
}

// FuzzUnseal checks that what unseals is exactly what was sealed.
func FuzzUnseal(f *testing.F) {
	private, public := newKey(f, "", elliptic.P256())
	text, err := sign.Seal(private, "text/plain", []byte("hello"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"payload":"aGVsbG8=","payloadType":"text/plain","signatures":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		payload, _, err := sign.Unseal(b, "text/plain", []sign.Key{public})
		if err == nil && (string(payload) != "hello" || !bytes.Equal(b, text)) {
			t.Errorf("%q unseals to %q", b, payload)
		}
	})
}
