package sign

import (
	"crypto/ecdsa"
	"errors"
	"slices"

	"cloister/shared/bundle"
)

// Bundle returns the bundle in file with a signature by key; one that it has is
// replaced, everything else stays as it is.
func Bundle(key *ecdsa.PrivateKey, file []byte) ([]byte, error) {
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	b, err := a.Decode()
	if err != nil {
		return nil, err
	}
	signature, err := Sign(key, b.Manifest().Name, a.Digests())
	if err != nil {
		return nil, err
	}
	return Attach(a, signature)
}

// Attach returns the one encoding of the entries of a and of signature
// as model.sig, which is not checked.
func Attach(a *bundle.Archive, signature []byte) ([]byte, error) {
	b, err := a.Decode()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range b.Names() {
		if name != bundle.ManifestName {
			files[name], _ = b.File(name) // it is one of its names
		}
	}
	files[bundle.SignatureName] = signature
	signed, err := bundle.Encode(b.Manifest(), files, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	again, err := bundle.Open(signed, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	if !slices.Equal(again.Digests(), a.Digests()) {
		return nil, errors.New("signing would change the bundle") // unreachable: SPEC.md, section 3
	}
	return signed, nil
}

// Detach returns the bundle in file without its signature.
func Detach(file []byte) ([]byte, error) {
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range b.Names() {
		if name != bundle.ManifestName && name != bundle.SignatureName {
			files[name], _ = b.File(name) // it is one of its names
		}
	}
	return bundle.Encode(b.Manifest(), files, bundle.Limits{})
}
