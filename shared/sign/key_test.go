package sign_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"cloister/shared/sign"
)

// The PEM is that of crypto/x509 and encoding/pem, and reads back.
func TestKey_PEM(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		private, public := newKey(t, "Example", curve)
		der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		want := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		if !bytes.Equal(public.PEM(), want) {
			t.Errorf("%s, want %s", public.PEM(), want)
		}
		text := "# comment\n\n  Example \n" + string(want) + "\n" + string(bytes.ReplaceAll(want, []byte("\n"), []byte("\r\n")))
		keys, err := sign.ParseKeys([]byte(text))
		if err != nil || len(keys) != 2 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		if keys[0].Name != "Example" || keys[1].Name != "" {
			t.Errorf("names %q and %q", keys[0].Name, keys[1].Name)
		}
		for _, k := range keys {
			if k.Fingerprint() != public.Fingerprint() || !bytes.Equal(k.PEM(), want) {
				t.Errorf("another key: %s", k.PEM())
			}
		}
	}
	if (sign.Key{}).PEM() != nil || (sign.Key{}).Fingerprint() != "" {
		t.Error("the zero key is one")
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sign.NewKey("", &p224.PublicKey); err == nil || !strings.Contains(err.Error(), "P-224") {
		t.Errorf("P-224: %v", err)
	}
}

func TestParseKeys_refuses(t *testing.T) {
	_, public := newKey(t, "", elliptic.P256())
	good := string(public.PEM())
	first := strings.Split(good, "\n")[1]
	private, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"private key":      "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
		"EC private key":   "-----BEGIN EC PRIVATE KEY-----\n" + good,
		"cut":              good[:len(good)-10],
		"no key":           "Example\n",
		"two names":        "Example\nOther\n" + good,
		"name with escape": "Exam\x1bple\n" + good,
		"long name":        strings.Repeat("x", 129) + "\n" + good,
		"not base64":       strings.Replace(good, first, "*"+first[1:], 1),
		"not on the curve": strings.Replace(good, first[60:], "AAAA", 1),
		"another prefix":   strings.Replace(good, first, "AAAA"+first[4:], 1),
		"longer":           strings.Replace(good, "\n-----END", "\nAAAA\n-----END", 1),
		"empty block":      "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
		"other curve":      string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p224})),
		"certificate":      strings.ReplaceAll(good, "PUBLIC KEY", "CERTIFICATE"),
		"too many":         strings.Repeat(good, 257),
		"too long":         strings.Repeat("#\n", 40000),
	}
	for name, text := range tests {
		if keys, err := sign.ParseKeys([]byte(text)); keys != nil || classOf(sign.Trust{}, err) != "format" {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
	if keys, err := sign.ParseKeys([]byte("\n# nobody\n")); len(keys) != 0 || err != nil {
		t.Errorf("empty list: %d keys, %v", len(keys), err)
	}
}

// The list that is part of the program reads, names every key and names none
// twice.
func TestPinned_isWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for i, k := range sign.Pinned() {
		if k.Name == "" || seen[k.Fingerprint()] || seen[k.Name] {
			t.Errorf("key %d, %q: no name, or stands twice", i, k.Name)
		}
		seen[k.Name], seen[k.Fingerprint()] = true, true
	}
}

// FuzzParseKeys checks that what was read is written so that it reads alike.
func FuzzParseKeys(f *testing.F) {
	f.Add(read(f, "testdata/spec/key.pem"))
	f.Add(append([]byte("# a\nName\n"), read(f, "testdata/model_signing/key.pem")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := sign.ParseKeys(b)
		if err != nil {
			return
		}
		var text []byte
		for _, k := range keys {
			text = fmt.Appendf(text, "%s\n%s", k.Name, k.PEM())
		}
		again, err := sign.ParseKeys(text)
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%d keys, then %d: %v", len(keys), len(again), err)
		}
		for i := range keys {
			if keys[i].Name != again[i].Name || keys[i].Fingerprint() != again[i].Fingerprint() {
				t.Errorf("key %d: %v, then %v", i, keys[i], again[i])
			}
		}
	})
}
