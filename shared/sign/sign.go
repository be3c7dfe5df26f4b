// Package sign says who vouches for a bundle. It hides the layout of a
// signature: an OpenSSF Model Signing 1.0 bundle of method "key", which is a
// Sigstore bundle around a DSSE envelope around an in-toto statement that
// lists the SHA-256 of every entry.
//
//	text, err := sign.Sign(private, "flows", archive.Digests()) // becomes model.sig
//	trust, err := sign.Check(archive, sign.Pinned())            // between bundle.Open and Archive.Decode
//	if err == nil && trust.State == sign.Verified { ... }
//
// Three outcomes load: no signature, a signature by a key that is not among
// those given, and a verified one. The middle one vouches for nothing: without
// the key a signature cannot be checked, only that it speaks of these entries.
// Everything else is a [*TamperedError] or a [*FormatError] and must not load.
//
// Keys that people import are read by [ParseKeys] and shown by
// [Key.Fingerprint], which is what they compare with the publisher before they
// trust one; score.Scorer.Trust takes them. [Pinned] is empty until a
// maintainer adds a key to pinned.pem: a release vouches for nobody by itself.
//
// Limits: a signature has at most [MaxSize] bytes; ECDSA keys on P-256, P-384
// and P-521; certificates and keyless signatures are refused by name. Whoever can
// change a file can also take its signature out: that it is signed at all is
// what people are shown.
//
// References: OpenSSF Model Signing Specification 1.0; DSSE 1.0, protocol;
// in-toto Attestation Framework, Statement v1.
package sign

import (
	"fmt"

	"cloister/shared/bundle"
)

// MaxSize is the largest signature that is read, in bytes.
const MaxSize = 64 << 10

// State says what is known of a bundle's origin. Its values are those of
// job.Bundle.Trust.
type State string

// The states of a bundle that may load.
const (
	Unsigned   State = "unsigned"    // nobody vouches for it
	Verified   State = "verified"    // a known key signed exactly these entries
	UnknownKey State = "unknown key" // somebody claims to have signed these entries
)

// Trust is what [Check] found out.
type Trust struct {
	State State
	// Fingerprint identifies the key as [Key.Fingerprint] does; empty if
	// unsigned. Of an unknown key it is a claim.
	Fingerprint string
	// Name is that of the key, empty unless verified.
	Name string
}

// TamperedError means that there is a signature and that it does not hold for
// the content: something was changed after signing.
type TamperedError struct {
	What string // what differs: `model/forest.bin: not what was signed`
}

// Error returns what differs.
func (e *TamperedError) Error() string { return "sign: tampered: " + e.What }

// FormatError means that a signature is none that this package reads.
type FormatError struct {
	At   string // path of the value: "dsseEnvelope.payload"; empty for the whole
	What string // what is wrong with it
}

// Error returns the place and what is wrong there.
func (e *FormatError) Error() string {
	if e.At == "" {
		return "sign: " + e.What
	}
	return "sign: " + e.At + ": " + e.What
}

// Check says who vouches for a. Its errors are those of [Verify]; nothing of a
// that decodes content has run before it, nor does it decode any itself.
func Check(a *bundle.Archive, keys []Key) (Trust, error) {
	signature, ok := a.Signature()
	if !ok {
		return Trust{State: Unsigned}, nil
	}
	return Verify(signature, a.Digests(), keys)
}

// Verify says whether signature is one of keys' over exactly files, which are
// sorted by name as [bundle.Archive.Digests] returns them. Of several keys with
// one fingerprint the first counts. Its State is Verified or UnknownKey.
//
// A signature that does not hold is a [*TamperedError]: by a known key over
// other bytes, or by any key over other files. One that is malformed or of
// another method is a [*FormatError]. Under a known key nothing of the
// statement is read before its ECDSA signature holds. Cost: one ECDSA
// verification and O(len(signature)) memory.
func Verify(signature []byte, files []bundle.File, keys []Key) (Trust, error) {
	e, err := parseEnvelope(signature)
	if err != nil {
		return Trust{}, err
	}
	t := Trust{State: UnknownKey, Fingerprint: e.hint}
	for _, k := range keys {
		if k.fingerprint != e.hint {
			continue
		}
		if !k.verify(preAuthentication(payloadType, e.payload), e.signature) {
			return Trust{}, &TamperedError{fmt.Sprintf("the signature is not by key %.16s", e.hint)}
		}
		t.State, t.Name = Verified, k.Name
		break
	}
	s, err := parseStatement(e.payload)
	if err != nil {
		return Trust{}, err
	}
	if err := s.covers(files); err != nil {
		return Trust{}, err
	}
	return t, nil
}

// covers compares what was signed with what is there; both are sorted.
func (s *statement) covers(files []bundle.File) error {
	for i, f := range files {
		switch {
		case i >= len(s.resources) || f.Name < s.resources[i].Name:
			return &TamperedError{fmt.Sprintf("%.64q was added after signing", f.Name)}
		case f.Name > s.resources[i].Name:
			return &TamperedError{fmt.Sprintf("%.64q was signed and is missing", s.resources[i].Name)}
		case f.SHA256 != s.resources[i].SHA256:
			return &TamperedError{fmt.Sprintf("%.64q is not what was signed", f.Name)}
		}
	}
	if len(s.resources) > len(files) {
		return &TamperedError{fmt.Sprintf("%.64q was signed and is missing", s.resources[len(files)].Name)}
	}
	if s.root != rootOf(files) {
		return &TamperedError{"the digest of the whole is not that of its parts"}
	}
	return nil
}
