package sign

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
)

// UnknownKeyError means that a sealed document names a key that is not among
// those given: nobody trusted vouches for it.
type UnknownKeyError struct {
	Fingerprint string // as claimed by the document, 64 hex digits
}

// Error names the key.
func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("sign: key %.16s is not trusted here", e.Fingerprint)
}

// sealed is a DSSE envelope with one signature; the order of the fields is
// that of the file.
type sealed struct {
	Payload     []byte      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []sealedSig `json:"signatures"`
}

type sealedSig struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// Seal returns a DSSE 1.0 envelope in JSON around payload, signed by key: for
// small documents that travel alone, as model.sig is for bundles. kind is the
// payload type, a media type in ASCII. keyid is [Key.Fingerprint]. The same
// arguments give the same bytes (RFC 6979). An empty payload or kind, a result
// over [MaxSize] and an unsupported curve are a [*FormatError].
func Seal(key *ecdsa.PrivateKey, kind string, payload []byte) ([]byte, error) {
	public, err := NewKey("", &key.PublicKey)
	if err != nil {
		return nil, err
	}
	if kind == "" || len(payload) == 0 {
		return nil, &FormatError{"", "nothing to sign"}
	}
	sum, hash := digest(key.Curve, preAuthentication(kind, payload))
	signature, err := key.Sign(nil, sum, hash)
	if err != nil {
		return nil, &FormatError{"key", err.Error()}
	}
	text, err := json.Marshal(sealed{payload, kind, []sealedSig{{public.fingerprint, signature}}})
	if err == nil && len(text) > MaxSize {
		err = fmt.Errorf("%d bytes, at most %d", len(text), MaxSize)
	}
	if err != nil {
		return nil, &FormatError{"", err.Error()}
	}
	return text, nil
}

// Unseal returns the payload of an envelope that [Seal] wrote and the key of
// keys that signed it. Only the one spelling that Seal writes is read; what an
// attacker can still vary is the ECDSA signature itself (r, n-s). Another
// payload type, spelling or number of signatures is a [*FormatError], a
// signature by no given key an [*UnknownKeyError], one that does not hold a
// [*TamperedError]. The payload has not been looked at; the caller owns it.
func Unseal(data []byte, kind string, keys []Key) ([]byte, Key, error) {
	if len(data) > MaxSize {
		return nil, Key{}, &FormatError{"", fmt.Sprintf("%d bytes, at most %d", len(data), MaxSize)}
	}
	v, err := parseJSON(data)
	if err != nil {
		return nil, Key{}, err
	}
	var r reader
	top := r.object(v, "", "payload payloadType signatures", "")
	r.constant(top["payloadType"], "payloadType", kind)
	payload := r.base64(top["payload"], "payload")
	signatures := r.list(top["signatures"], "signatures")
	if len(signatures) != 1 {
		r.fail("signatures", fmt.Sprintf("want one, got %d", len(signatures)))
		return nil, Key{}, r.err
	}
	s := r.object(signatures[0], "signatures[0]", "keyid sig", "")
	signature := r.base64(s["sig"], "signatures[0].sig")
	id := r.text(s["keyid"], "signatures[0].keyid")
	if _, ok := parseHex(id); !ok {
		r.fail("signatures[0].keyid", "want a SHA-256")
	}
	if r.err != nil {
		return nil, Key{}, r.err
	}
	again, err := json.Marshal(sealed{payload, kind, []sealedSig{{id, signature}}})
	if err != nil || !bytes.Equal(again, data) {
		return nil, Key{}, &FormatError{"", "not in canonical form"}
	}
	for _, k := range keys {
		if k.fingerprint != id {
			continue
		}
		if !k.verify(preAuthentication(kind, payload), signature) {
			return nil, Key{}, &TamperedError{fmt.Sprintf("the signature is not by key %.16s", id)}
		}
		return payload, k, nil
	}
	return nil, Key{}, &UnknownKeyError{id}
}
