package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
)

// Key is a public key with the name under which people know its holder. Keys
// come from [NewKey] and [ParseKeys]; the zero Key verifies nothing.
type Key struct {
	// Name is free text of one line, which may be empty.
	Name        string
	fingerprint string
	public      *ecdsa.PublicKey
}

// maxKeys bounds a list of keys, maxKeyText its size in bytes, maxName the
// name of each.
const (
	maxKeys    = 256
	maxKeyText = 64 << 10
	maxName    = 128
)

// curves are the supported curves: the DER of a SubjectPublicKeyInfo up to the
// point (RFC 5480, section 2), which for an uncompressed point is constant.
var curves = []struct {
	curve  elliptic.Curve
	prefix string
}{
	{elliptic.P256(), "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"},
	{elliptic.P384(), "\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00"},
	{elliptic.P521(), "\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00"},
}

// NewKey returns the key of that name. A curve other than P-256, P-384
// and P-521 is an error.
func NewKey(name string, public *ecdsa.PublicKey) (Key, error) {
	k := Key{Name: name, public: public}
	text, err := k.pem()
	if err != nil {
		return Key{}, err
	}
	k.fingerprint = fingerprintOf(text)
	return k, nil
}

// Fingerprint returns the SHA-256 of PEM, 64 lower-case hex digits: what
// sha256sum says of the file, and the hint that OpenSSF's model_signing writes
// into a signature. Empty for the zero Key.
func (k Key) Fingerprint() string { return k.fingerprint }

// PEM returns the key as a SubjectPublicKeyInfo in PEM with lines of 64
// characters and a line feed at the end, as OpenSSL writes it; nil for the
// zero Key.
func (k Key) PEM() []byte {
	text, err := k.pem()
	if err != nil {
		return nil
	}
	return text
}

const (
	beginKey = "-----BEGIN PUBLIC KEY-----\n"
	endKey   = "-----END PUBLIC KEY-----\n"
)

func (k Key) pem() ([]byte, error) {
	if k.public == nil || k.public.Curve == nil {
		return nil, &FormatError{"key", "it is none"}
	}
	for _, c := range curves {
		if k.public.Curve != c.curve {
			continue
		}
		point, err := k.public.Bytes()
		if err != nil {
			return nil, &FormatError{"key", err.Error()}
		}
		text := base64.StdEncoding.EncodeToString(append([]byte(c.prefix), point...))
		var b bytes.Buffer
		b.WriteString(beginKey)
		for len(text) > 64 {
			b.WriteString(text[:64] + "\n")
			text = text[64:]
		}
		b.WriteString(text + "\n" + endKey)
		return b.Bytes(), nil
	}
	return nil, &FormatError{"key", fmt.Sprintf("curve %.32s, want P-256, P-384 or P-521", k.public.Params().Name)}
}

func fingerprintOf(pem []byte) string {
	sum := sha256.Sum256(pem)
	return hex.EncodeToString(sum[:])
}

// verify reports whether signature, ASN.1 DER, is the key's over message. The
// hash has the size of the curve, as Sigstore pairs them.
func (k Key) verify(message, signature []byte) bool {
	sum, _ := digest(k.public.Curve, message)
	return ecdsa.VerifyASN1(k.public, sum, signature)
}

// ParseKeys reads public keys in PEM, none to 256 of them. The line before a
// key is its name; empty lines and lines that start with # do not count.
//
//	# hands out the default bundle
//	Cloister project
//	-----BEGIN PUBLIC KEY-----
//	...
//
// Line ends may be CRLF and the lines of a key of any length: the fingerprint
// is over [Key.PEM]. Anything else is a [*FormatError], first of all a private
// key.
func ParseKeys(text []byte) ([]Key, error) {
	if len(text) > maxKeyText {
		return nil, &FormatError{"keys", fmt.Sprintf("%d bytes, at most %d", len(text), maxKeyText)}
	}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return nil, &FormatError{"keys", "a private key, want public ones: keep it to yourself"}
	}
	var (
		keys   []Key
		name   string
		body   []byte
		inside bool
		line   int
	)
	fail := func(format string, args ...any) ([]Key, error) {
		return nil, &FormatError{fmt.Sprintf("keys, line %d", line), fmt.Sprintf(format, args...)}
	}
	for raw := range bytes.Lines(text) {
		line++
		switch s := strings.TrimSpace(string(raw)); {
		case inside && s == strings.TrimSpace(endKey):
			public, err := parsePublic(body)
			if err != nil {
				return fail("%v", err)
			}
			k, err := NewKey(name, public)
			if err != nil {
				return fail("%v", err)
			}
			if len(keys) == maxKeys {
				return fail("more than %d keys", maxKeys)
			}
			keys = append(keys, k)
			name, body, inside = "", nil, false
		case inside:
			body = append(body, s...)
		case s == strings.TrimSpace(beginKey):
			inside = true
		case s == "" || s[0] == '#':
		case name != "":
			return fail("want a key, it follows the name %q: %.64q", name, s)
		case len(s) > maxName || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }):
			return fail("want a name of at most %d bytes: %.64q", maxName, s)
		default:
			name = s
		}
	}
	if inside || name != "" {
		return fail("the last key is incomplete")
	}
	return keys, nil
}

// parsePublic reads the base64 of a SubjectPublicKeyInfo. It compares instead
// of parsing ASN.1: a key has one DER per curve.
func parsePublic(text []byte) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return nil, fmt.Errorf("want base64")
	}
	for _, c := range curves {
		if point, ok := bytes.CutPrefix(der, []byte(c.prefix)); ok {
			public, err := ecdsa.ParseUncompressedPublicKey(c.curve, point)
			if err != nil {
				return nil, fmt.Errorf("want a point on %s", c.curve.Params().Name)
			}
			return public, nil
		}
	}
	return nil, fmt.Errorf("want an uncompressed ECDSA key on P-256, P-384 or P-521")
}

// digest returns the digest of message that goes with curve, and its kind.
func digest(curve elliptic.Curve, message []byte) ([]byte, crypto.Hash) {
	switch curve {
	case elliptic.P384():
		sum := sha512.Sum384(message)
		return sum[:], crypto.SHA384
	case elliptic.P521():
		sum := sha512.Sum512(message)
		return sum[:], crypto.SHA512
	}
	sum := sha256.Sum256(message)
	return sum[:], crypto.SHA256
}

//go:embed pinned.pem
var pinned []byte

// Pinned returns the keys that come with the program: those of pinned.pem, in
// its order. A release that nobody signs for has none.
func Pinned() []Key {
	keys, err := ParseKeys(pinned)
	if err != nil {
		panic(err) // unreachable: the list is part of the program and tested
	}
	return keys
}
